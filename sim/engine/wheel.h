/*
 * A core's own timers ("hops"): 64 slots of one cycle with one occupancy word, first in first out within a cycle; longer
 * waits stand in a sorted list until they come near. That wheel is the core's ready list: there is no recursion.
 */
#ifndef ENGINE_WHEEL_H
#define ENGINE_WHEEL_H

#include "engine/err.h"
#include "engine/types.h"

struct hop {
    cyc_t when;
    uint32_t kind, arg;
    uint32_t next;
};

struct wheel {
    struct hop *pool;
    uint32_t pool_n, pool_cap, free_head, far; /* far: list sorted by cycle, stable */
    cyc_t now;                                 /* slots cover [now, now + 64) */
    cyc_t far_first;
    uint64_t bits;
    uint32_t head[64], tail[64];
};

void wheel_init(struct wheel *w);
void wheel_fini(struct wheel *w);
/* Sets a hop for cycle `when` >= now. */
void wheel_add(struct wheel *w, cyc_t when, uint32_t kind, uint32_t arg);
/* Earliest cycle with a hop, CYC_NEVER if none. */
static inline cyc_t wheel_next(const struct wheel *w)
{
    if (w->bits) {
        unsigned s = (unsigned)(w->now & 63);
        uint64_t r = s ? (w->bits >> s | w->bits << (64 - s)) : w->bits;
        return w->now + (unsigned)__builtin_ctzll(r);
    }
    return w->far_first;
}
void wheel_bring_near(struct wheel *w);
/* Moves on to cycle `now`; no hop may be left before it. */
static inline void wheel_advance(struct wheel *w, cyc_t now)
{
    w->now = now;
    if (unlikely(w->far_first < now + 64))
        wheel_bring_near(w);
}
/* Takes the first hop of the present cycle; false if there is none. */
static inline bool wheel_take(struct wheel *w, uint32_t *kind, uint32_t *arg)
{
    unsigned s = (unsigned)(w->now & 63);
    if (!(w->bits >> s & 1))
        return false;
    uint32_t i = w->head[s];
    struct hop *h = &w->pool[i];
    *kind = h->kind;
    *arg = h->arg;
    w->head[s] = h->next;
    if (h->next == UINT32_MAX)
        w->bits &= ~(1ull << s);
    h->next = w->free_head;
    w->free_head = i;
    return true;
}

#endif
