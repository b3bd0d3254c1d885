/* Cortex-M7 cycle model as Unicorn hooks: edge costs, predictor, line fills. Deterministic; no allocation while a
 * known edge is taken. A new block is decoded by Python (m7_decode_cb), once. */
#include "model.h"
#include <stdlib.h>
#include <string.h>

m7_op m7_no_ops = {0xFFFFFFFFu, 0, 0, 0, 0, 0, 0, {0, 0, 0}};

m7 *m7_new(m7_decode_cb decode, m7_stop_fn stop, m7_reg_read_fn reg_read, const int *reg_ids)
{
    m7 *m = calloc(1, sizeof *m);
    if (!m) return NULL;
    m->decode = decode;
    m->emu_stop = stop;
    m->reg_read = reg_read;
    for (int k = 0; k < 16; k++) m->reg_ids[k] = reg_ids[k];
    m->table_size = 1 << 12;
    m->table = calloc(m->table_size, sizeof *m->table);
    m->current = m->previous = &m->root;
    m->root.ops = &m7_no_ops;
    m->op = &m7_no_ops;
    m->c.deadline = ~0ull;
    m->c.fill_cycles = 4;
    m->c.mispredict_cycles = 8;
    m->c.fills_on = 1;
    if (!m->table) { free(m); return NULL; }
    return m;
}

void m7_free(m7 *m)
{
    for (uint32_t k = 0; k < m->n_blocks; k++) {
        free(m->list[k]->insns);
        free(m->list[k]->ops);
        free(m->list[k]->edges);
        free(m->list[k]);
    }
    free(m->root.edges);
    free(m->table);
    free(m->list);
    free(m->predictions);
    free(m->s_predictions);
    free(m->trace);
    free(m);
}

m7_counters *m7_get_counters(m7 *m) { return &m->c; }
void m7_set_registers(m7 *m, const uint32_t *regs) { m->regs = regs; }
uint32_t m7_n_blocks(m7 *m) { return m->n_blocks; }
m7_block *m7_get_block(m7 *m, uint32_t k) { return m->list[k]; }
m7_block *m7_root(m7 *m) { return &m->root; }

static uint32_t slot_of(const m7 *m, uint32_t address, uint32_t size)
{
    return ((address >> 1) * 2654435761u ^ size * 40503u) & (m->table_size - 1);
}

static m7_block *find(const m7 *m, uint32_t address, uint32_t size)
{
    for (uint32_t s = slot_of(m, address, size); m->table[s]; s = (s + 1) & (m->table_size - 1))
        if (m->table[s]->address == address && m->table[s]->size == size) return m->table[s];
    return NULL;
}

static void put(m7 *m, m7_block *b)
{
    uint32_t s = slot_of(m, b->address, b->size);
    while (m->table[s]) s = (s + 1) & (m->table_size - 1);
    m->table[s] = b;
}

static int grow(m7 *m)
{
    if (m->n_blocks == m->cap_blocks) {
        uint32_t cap = m->cap_blocks ? m->cap_blocks * 2 : 1024;
        m7_block **list = realloc(m->list, cap * sizeof *list);
        if (list) m->list = list;
        m7_prediction *p = realloc(m->predictions, cap * sizeof *p);
        if (p) m->predictions = p;
        if (!list || !p) return -1;
        m->cap_blocks = cap;
    }
    if (m->n_blocks * 2 >= m->table_size) {
        m7_block **table = calloc(m->table_size * 2, sizeof *table);
        if (!table) return -1;
        free(m->table);
        m->table = table;
        m->table_size *= 2;
        for (uint32_t k = 0; k < m->n_blocks; k++) put(m, m->list[k]);
    }
    return 0;
}

static int in_cached_memory(uint32_t a) /* SRAM above the DTCM, and flash on AXI */
{
    return a - 0x20010000u < 0x40000u || a - 0x08000000u < 0x100000u;
}

/* Python answers a decode request with this. */
int m7_define(m7 *m, uint32_t address, uint32_t size, const m7_insn *insns, uint32_t n, const m7_op *ops, uint32_t k)
{
    if (grow(m)) return -1;
    m7_block *b = calloc(1, sizeof *b);
    if (!b) return -1;
    b->insns = malloc((n ? n : 1) * sizeof *b->insns);
    b->ops = malloc((k + 1) * sizeof *b->ops);
    if (!b->insns || !b->ops) { free(b->insns); free(b->ops); free(b); return -1; }
    memcpy(b->insns, insns, n * sizeof *insns);
    memcpy(b->ops, ops, k * sizeof *ops);
    b->ops[k] = m7_no_ops;
    b->address = address;
    b->size = size;
    b->n_insns = n;
    b->alone = m7_schedule(insns, n, NULL, 0);
    b->first_line = address >> 5;
    b->last_line = (address + size - 1) >> 5;
    b->cached_fetch = (uint32_t)in_cached_memory(address);
    b->id = m->n_blocks;
    memset(&m->predictions[b->id], 0, sizeof m->predictions[b->id]);
    m->list[m->n_blocks++] = b;
    put(m, b);
    return 0;
}

static m7_edge *new_edge(m7 *m, m7_block *from, uint32_t address, uint32_t size)
{
    m7_block *to = find(m, address, size);
    if (!to) {
        if (m->decode(m, address, size)) return NULL;
        to = find(m, address, size);
        if (!to) return NULL;
    }
    if (from->n_edges == from->cap_edges) {
        uint32_t cap = from->cap_edges ? from->cap_edges * 2 : 2;
        m7_edge *edges = realloc(from->edges, cap * sizeof *edges);
        if (!edges) return NULL;
        from->edges = edges;
        from->cap_edges = cap;
    }
    m7_edge *e = &from->edges[from->n_edges++];
    memset(e, 0, sizeof *e);
    e->address = address;
    e->size = size;
    e->to = to;
    e->cost = m7_schedule(from->insns, from->n_insns, to->insns, to->n_insns) - from->alone;
    return e;
}

static int fills(uint32_t *ways, int n, uint32_t tag) /* least recently used */
{
    int k = 0;
    if (ways[0] == tag) return 0;
    while (k < n && ways[k] != tag) k++;
    int miss = k == n;
    if (miss) k = n - 1;
    for (; k > 0; k--) ways[k] = ways[k - 1];
    ways[0] = tag;
    return miss;
}

static void touch(m7 *m, uint32_t address)
{
    if (m->trace && m->trace_len < m->trace_cap) m->trace[m->trace_len++] = address;
    uint32_t line = address >> 5;
    if (line == m->last_data_line || !in_cached_memory(address)) return;
    m->last_data_line = line;
    if (fills(m->caches.data[line % DATA_SETS], DATA_WAYS, line + 1)) {
        m->c.data_fills++;
        m->current->data_fills++;
        m->c.cycles += m->c.fill_cycles;
    }
}

static void fetch(m7 *m, m7_block *b, uint32_t first, uint32_t last)
{
    if (!m->c.fills_on || !b->cached_fetch) return;
    for (uint32_t line = first; line <= last; line++)
        if (fills(m->caches.insn[line % INSN_SETS], INSN_WAYS, line + 1)) {
            m->c.instruction_fills++;
            b->instruction_fills++;
            m->c.cycles += m->c.fill_cycles;
        }
}

static m7_edge *edge(m7 *m, m7_block *from, uint32_t address, uint32_t size)
{
    for (m7_edge *e = from->edges; e < from->edges + from->n_edges; e++)
        if (e->address == address && e->size == size) return e;
    return new_edge(m, from, address, size);
}

/* Unicorn ends a block at a branch, at a 1 KB page (before an instruction that crosses one) or where its own buffer is
 * full. The last depends on the hooks that are set, not on the guest; only long blocks meet it. */
static int cut_short(const m7_block *b, uint32_t next)
{
    enum { LONG = 64, PAGE = 1024 };
    if (next != b->address + b->size || b->n_insns < LONG || (next + 2) % PAGE <= 2) return 0;
    const m7_insn *last = &b->insns[b->n_insns - 1];
    return last->kind != KIND_BR && !last->ends_block;
}

/* The rest of the block that runs: from now on both parts are the one block that they are. */
static int go_on(m7 *m, uint32_t address, uint32_t size)
{
    m7_block *part = m->current, *from = m->previous;
    m7_edge *e = edge(m, from, part->address, part->size + size);
    if (!e) return -1;
    m7_block *b = e->to;
    m->c.cycles += e->cost - m->c.last_cost;
    m->c.last_cost = e->cost;
    m->c.instructions += b->n_insns - part->n_insns;
    e->taken++;
    e->mispredicted += m->last_mispredicted;
    m7_edge *old = edge(m, from, part->address, part->size);
    if (!old) return -1;
    old->taken--;
    old->mispredicted -= m->last_mispredicted;
    m->current = b;
    m->op = b->ops;
    m->c.in_block = 1;
    m->c.pc = address;
    fetch(m, b, address >> 5, b->last_line);
    return 0;
}

void m7_on_block(void *uc, uint64_t address64, uint32_t size, void *user)
{
    m7 *m = user;
    uint32_t address = (uint32_t)address64;
    if (m->c.stop || m->c.cycles >= m->c.deadline) {
        m->c.in_block = 0;
        m->emu_stop(uc);
        return;
    }
    m7_block *from = m->current;
    m7_edge *e = NULL;
    if (!cut_short(from, address)) e = edge(m, from, address, size);
    else if (go_on(m, address, size) == 0) return;
    if (!e) {
        m->c.failed = 1;
        m->c.stop = 1;
        m->c.in_block = 0;
        m->emu_stop(uc);
        return;
    }
    m7_block *b = e->to;
    e->taken++;
    m->last_mispredicted = 0;
    m->c.cycles += e->cost;
    m->c.last_cost = e->cost;
    m->c.instructions += b->n_insns;
    m->c.blocks++;
    if (from != &m->root) {
        m7_prediction *p = &m->predictions[from->id];
        if (!p->confidence) {
            p->successor = address;
            p->confidence = 2;
        } else if (p->successor == address) {
            p->confidence = 3;
        } else {
            if (--p->confidence < 1) { p->successor = address; p->confidence = 1; }
            m->c.mispredicted++;
            m->last_mispredicted = 1;
            e->mispredicted++;
            m->c.cycles += m->c.mispredict_cycles;
        }
    }
    m->previous = from;
    m->current = b;
    m->op = b->ops;
    m->c.in_block = 1;
    m->c.pc = address;
    fetch(m, b, b->first_line, b->last_line);
}

static uint32_t reg(m7 *m, void *uc, unsigned k)
{
    if (m->regs) return m->regs[k];
    uint32_t value = 0;
    m->reg_read(uc, m->reg_ids[k], &value);
    return value;
}

void m7_on_code(void *uc, uint64_t address64, uint32_t size, void *user)
{
    m7 *m = user;
    uint32_t address = (uint32_t)address64;
    (void)size;
    m->c.pc = address;
    m7_op *op = m->op;
    if (op->pc > address) return;
    while (op->pc < address) op++; /* those that a failed condition skipped */
    if (op->pc != address) { m->op = op; return; }
    m->op = op + 1;
    if (!m->c.fills_on && !op->words) return;
    uint32_t a = (uint32_t)op->offset;
    if (op->base != 0xFF) a += reg(m, uc, op->base);
    if (op->index != 0xFF) a += reg(m, uc, op->index) << op->shift;
    if (op->words && (a & 3u) != 0) {
        m->c.unaligned = a;
        m->c.stop = 1;
        m->emu_stop(uc);
        return;
    }
    if (!m->c.fills_on) return;
    touch(m, a);
    for (unsigned k = 1; k < op->count; k++) touch(m, a + k * op->step);
}

/* For tests only: what Unicorn itself reports, to compare with what m7_on_code computed. */
void m7_on_memory(void *uc, int type, uint64_t address, int size, int64_t value, void *user)
{
    m7 *m = user;
    (void)uc; (void)type; (void)size; (void)value;
    if (m->trace_len < m->trace_cap) m->trace[m->trace_len++] = (uint32_t)address;
}

int m7_trace(m7 *m, uint32_t cap)
{
    free(m->trace);
    m->trace_len = m->trace_cap = 0;
    m->trace = cap ? malloc(cap * sizeof *m->trace) : NULL;
    if (cap && !m->trace) return -1;
    m->trace_cap = cap;
    return 0;
}

uint32_t m7_trace_read(m7 *m, uint32_t *out, uint32_t cap)
{
    uint32_t n = m->trace_len < cap ? m->trace_len : cap;
    if (n) memcpy(out, m->trace, n * sizeof *out);
    return n;
}
