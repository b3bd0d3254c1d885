/* Is the guest only waiting? Seen from its polls: the same status registers read again and again, nothing changing.
 *
 * A status register's value is kept here until the next event is due, so that most polls never reach Python. */
#include "model.h"
#include <string.h>

enum {
    QUIET_READS = 3,          /* the same value this often in a row is waiting */
    TIGHT_INSTRUCTIONS = 400, /* a loop that does more than this between two polls is not only waiting */
    DELAY_READS = 64,         /* this many reads of a clock and of nothing else is a delay loop */
    POLLS_TO_NOTICE = 64      /* polls within which a loop comes round to every register that it polls */
};

m7_idle *m7_get_idle(m7 *m) { return &m->idle; }
void m7_set_slow_read(m7 *m, m7_read_cb read) { m->slow_read = read; }

/* The guest did something: wrote a register, took a byte. */
void m7_idle_progress(m7 *m)
{
    m7_idle *i = &m->idle;
    for (uint32_t k = 0; k < i->used; k++) i->status[k].count = 0;
    i->quiet_reads = i->clock_reads = i->reads_clock = 0;
}

/* Kept values may be old. */
void m7_idle_invalidate(m7 *m)
{
    for (uint32_t k = 0; k < m->idle.used; k++) m->idle.status[k].valid = 0;
}

static int find(const m7_idle *i, uint32_t address)
{
    for (uint32_t k = 0; k < i->used; k++)
        if (i->status[k].address == address) return (int)k;
    return -1;
}

static int entry(m7_idle *i, uint32_t address)
{
    int k = find(i, address);
    if (k >= 0) return k;
    if (i->used == STATUS_REGISTERS) i->used = 0; /* more registers than any loop polls: start anew */
    k = (int)i->used++;
    memset(&i->status[k], 0, sizeof i->status[k]);
    i->status[k].address = address;
    return k;
}

static void close_together(m7 *m)
{
    if (m->c.instructions - m->idle.last_instructions > TIGHT_INSTRUCTIONS) m7_idle_progress(m);
    m->idle.last_instructions = m->c.instructions;
}

/* A status register was read. Returns whether the guest idles. */
int m7_idle_status(m7 *m, uint32_t address, uint32_t value)
{
    m7_idle *i = &m->idle;
    close_together(m);
    int k = entry(i, address);
    i->status[k].news = 0;
    if (i->status[k].count && i->status[k].seen != value) m7_idle_progress(m);
    i->status[k].seen = value;
    if (i->status[k].count) i->quiet_reads++;
    return ++i->status[k].count >= QUIET_READS;
}

/* A clock (cycle counter, timer) was read; `news` is the register that an alarm of it is noted under. Returns whether
 * this is a delay loop. */
int m7_idle_clock(m7 *m, uint32_t news)
{
    m7_idle *i = &m->idle;
    close_together(m);
    int k = find(i, news);
    if (k >= 0) i->status[k].news = 0;
    i->reads_clock = 1;
    i->clock_reads++;
    return i->quiet_reads == 0 && i->clock_reads >= DELAY_READS;
}

/* A byte or an alarm came: the guest must have a chance to see it before idle time passes again. */
void m7_idle_news(m7 *m, uint32_t address)
{
    m->idle.status[entry(&m->idle, address)].news = 1;
    m->idle.patience = POLLS_TO_NOTICE;
}

/* Is there news that a polling loop may still come round to, or is it too early to say that nothing more will happen? */
int m7_idle_restless(m7 *m)
{
    m7_idle *i = &m->idle;
    int news = 0;
    for (uint32_t k = 0; k < i->used; k++) news |= i->status[k].news != 0;
    if (news && i->patience) {
        i->patience--;
        return 1;
    }
    if (news)
        for (uint32_t k = 0; k < i->used; k++) i->status[k].news = 0;
    return !i->single_pending && i->quiet_reads < POLLS_TO_NOTICE;
}

/* The register holds `value` until the cycle `until`, unless something invalidates it. */
void m7_idle_keep(m7 *m, uint32_t address, uint32_t value, uint64_t until, int single_pending)
{
    m7_idle *i = &m->idle;
    int k = entry(i, address);
    i->status[k].value = value;
    i->status[k].valid = 1;
    i->valid_until = until;
    i->single_pending = (uint32_t)single_pending;
}

/* uc_mmio_map's read callback, with the m7 as user data: one for each peripheral range. */
typedef struct {
    m7 *model;
    void *base;
} m7_range;

uint64_t m7_on_read(void *uc, uint64_t offset, unsigned size, void *user)
{
    m7_range *range = user;
    m7 *m = range->model;
    m7_idle *i = &m->idle;
    if (size == 4 && m->c.cycles < i->valid_until) {
        uint32_t address = (uint32_t)(uintptr_t)range->base + (uint32_t)offset;
        int k = find(i, address);
        if (k >= 0 && i->status[k].valid) {
            uint32_t value = i->status[k].value;
            if (!m7_idle_status(m, address, value) || m7_idle_restless(m)) return value;
        }
    }
    return m->slow_read(uc, offset, size, range->base);
}
