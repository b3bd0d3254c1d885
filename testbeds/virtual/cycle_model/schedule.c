/* The dual-issue scoreboard: cycles of a straight run of instructions on an empty pipe.
 *
 * Two slots a cycle; an instruction issues when its sources are ready and a stall empties the slots. The rules and
 * latencies are in docs/board.md; who reads what is in the decoded records. */
#include "model.h"

typedef struct {
    int32_t when[REGISTERS];
    uint8_t producer[REGISTERS];
    uint8_t known[REGISTERS];
    int32_t cycle;
    uint32_t used, slot;
} scoreboard;

static int alone_in_its_kind(uint32_t kind)
{
    return kind != KIND_ALU && kind != KIND_IT; /* one load a cycle too */
}

static int may_pair(const m7_insn *i, uint32_t used)
{
    if (i->beats > 1 || i->kind == KIND_DSP) return 0;
    return !(alone_in_its_kind(i->kind) && (used >> i->kind & 1));
}

static int reads_register(const m7_insn *i, uint8_t reg)
{
    for (int k = 0; k < i->n_reads; k++)
        if (i->regs[k] == reg) return 1;
    return 0;
}

static int writes_register(const m7_insn *i, uint8_t reg)
{
    for (int k = 0; k < i->n_writes; k++)
        if (i->regs[i->n_reads + k] == reg) return 1;
    return 0;
}

static void issue(scoreboard *b, const m7_insn *i)
{
    if (i->kind == KIND_IT) return;
    int32_t start = b->cycle;
    for (int k = 0; k < i->n_reads; k++) {
        uint8_t reg = i->regs[k];
        if (!b->known[reg]) continue;
        int32_t when = b->when[reg];
        int accumulates = i->accumulator == reg || (i->accumulator == ACC_WIDE && writes_register(i, reg));
        if (accumulates && b->producer[reg] == KIND_MAC) when--;
        if (i->kind == KIND_MAC && i->accumulator != reg && b->producer[reg] == KIND_LD) when--;
        if (when > start) start = when;
    }
    if (start > b->cycle) { b->cycle = start; b->slot = 0; b->used = 0; }
    while (b->slot == 2 || (b->slot == 1 && !may_pair(i, b->used))) { b->cycle++; b->slot = 0; b->used = 0; }
    b->used |= 1u << i->kind;
    for (int k = 0; k < i->n_writes; k++) {
        uint8_t reg = i->regs[i->n_reads + k];
        int base_update = (i->kind == KIND_LD || i->kind == KIND_ST) && reads_register(i, reg);
        b->when[reg] = b->cycle + (base_update ? 1 : i->latency) + i->beats - 1;
        b->producer[reg] = i->kind;
        b->known[reg] = 1;
    }
    b->slot++;
    if (i->beats > 1) { b->cycle += i->beats - 1; b->slot = 2; }
    if (i->kind == KIND_BR || i->ends_block) b->slot = 2;
}

/* Cycles of a[0..n) followed by b[0..m). */
uint32_t m7_schedule(const m7_insn *a, uint32_t n, const m7_insn *b, uint32_t m)
{
    scoreboard s;
    for (int k = 0; k < REGISTERS; k++) s.known[k] = 0;
    s.cycle = 0;
    s.used = s.slot = 0;
    for (uint32_t k = 0; k < n; k++) issue(&s, &a[k]);
    for (uint32_t k = 0; k < m; k++) issue(&s, &b[k]);
    return (uint32_t)s.cycle + (s.slot ? 1 : 0);
}
