/* What the model is told between blocks: time that passes, caches and pipeline emptied, snapshots. */

#include "model.h"
#include <stdlib.h>
#include <string.h>

/* Cycles now, to the instruction: of the block that runs, only what comes before the instruction at pc. */
uint64_t m7_now(m7 *m)
{
    if (!m->c.in_block) return m->c.cycles;
    const m7_block *b = m->current, *p = m->previous;
    uint32_t k = 0;
    while (k < b->n_insns && b->insns[k].pc < m->c.pc) k++;
    uint32_t before = m7_schedule(p->insns, p->n_insns, b->insns, k) - p->alone;
    return m->c.cycles - m->c.last_cost + before;
}

void m7_skip(m7 *m, uint64_t cycles)
{
    m->c.cycles += cycles;
    m->c.skipped += cycles;
}

/* The pipe is empty (reset, exception entry or return): the next block is scheduled alone and not predicted. */
void m7_flush_pipe(m7 *m)
{
    m->current = m->previous = &m->root;
    m->op = &m7_no_ops;
    m->c.in_block = 0;
}

void m7_invalidate(m7 *m, int data, int insn)
{
    if (data) memset(m->caches.data, 0, sizeof m->caches.data);
    if (insn) memset(m->caches.insn, 0, sizeof m->caches.insn);
    m->last_data_line = 0;
}

/* Predictor, caches and pipe as after reset; time goes on. */
void m7_forget(m7 *m)
{
    if (m->n_blocks) memset(m->predictions, 0, m->n_blocks * sizeof *m->predictions);
    m7_invalidate(m, 1, 1);
    m7_flush_pipe(m);
}

void m7_reset(m7 *m)
{
    m7_forget(m);
    memset(&m->idle, 0, sizeof m->idle);
    m7_counters old = m->c;
    memset(&m->c, 0, sizeof m->c);
    m->c.deadline = ~0ull;
    m->c.fill_cycles = old.fill_cycles;
    m->c.mispredict_cycles = old.mispredict_cycles;
    m->c.fills_on = old.fills_on;
}

void m7_profile_clear(m7 *m)
{
    for (uint32_t k = 0; k <= m->n_blocks; k++) {
        m7_block *b = k < m->n_blocks ? m->list[k] : &m->root;
        b->data_fills = b->instruction_fills = 0;
        for (uint32_t i = 0; i < b->n_edges; i++) b->edges[i].taken = b->edges[i].mispredicted = 0;
    }
}

int m7_snapshot(m7 *m)
{
    m7_prediction *p = realloc(m->s_predictions, (m->n_blocks + 1) * sizeof *p);
    if (!p) return -1;
    m->s_predictions = p;
    memcpy(p, m->predictions, m->n_blocks * sizeof *p);
    m->s_blocks = m->n_blocks;
    m->s_c = m->c;
    m->s_caches = m->caches;
    m->s_idle = m->idle;
    m->s_current = m->current;
    m->s_previous = m->previous;
    m->s_valid = 1;
    return 0;
}

int m7_restore(m7 *m)
{
    if (!m->s_valid) return -1;
    memcpy(m->predictions, m->s_predictions, m->s_blocks * sizeof *m->predictions);
    memset(m->predictions + m->s_blocks, 0, (m->n_blocks - m->s_blocks) * sizeof *m->predictions);
    m->c = m->s_c;
    m->caches = m->s_caches;
    m->idle = m->s_idle;
    m->current = m->s_current;
    m->previous = m->s_previous;
    m->op = &m7_no_ops;
    m->last_data_line = 0;
    m->c.in_block = 0;
    m->c.stop = 0;
    return 0;
}
