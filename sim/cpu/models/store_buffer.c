/* Retired stores on their way into the L1D, oldest first, one a cycle (timing.md section 6). */
#include "cpu/timed.h"
#include "engine/grow.h"

void store_buffer_push(struct core *c, uint64_t line)
{
    if (c->sb_n == c->sb_ring) { /* one instruction's stores into an empty buffer: any number */
        c->sb = grow_ring(c->sb, &c->sb_ring, 64, sizeof *c->sb, c->sb_head, c->sb_n);
        c->sb_head = 0;
    }
    c->sb[(c->sb_head + c->sb_n) & (c->sb_ring - 1)] = line;
    c->sb_n++;
}

void store_buffer_drain(struct core *c)
{
    if (!c->sb_n || c->sb_waiting)
        return;
    uint64_t line = c->sb[c->sb_head];
    struct assoc *t = &c->l1d.tags;
    uint32_t e = t->mru[assoc_set(t, line)];
    if (likely(t->key[e] == line && !t->touch_on_mru && (c->l1d.flags[e] & L1D_WRITABLE))) {
        cache_count(&c->l1d, ORIGIN_cpu, true, true);
        c->l1d.flags[e] |= L1D_DIRTY;
        c->sb_head = (c->sb_head + 1) & (c->sb_ring - 1);
        c->sb_n--;
        return;
    }
    uint32_t p = part_new(c, PART_DRAIN, 0, 0, (va_t){0});
    c->part[p].pa.v = line << LINE_SHIFT;
    c->sb_waiting = true;
    if (l1_access(c, p, true))
        part_served(c, p);
}
