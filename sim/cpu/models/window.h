/* What the window core's two halves share: window.c (completion, issue, retirement, the cycle) and dispatch.c. */
#ifndef CPU_MODELS_WINDOW_H
#define CPU_MODELS_WINDOW_H

#include "cpu/core.h"

static inline uint32_t index_of(const struct core *c, uint64_t seq) { return (uint32_t)(seq & c->rob_mask); }
/* A wake-up names the process it was set for: an entry may be another's by then. */
static inline uint32_t woken_arg(const struct core *c, uint32_t ix) { return ix | (c->epoch & 0xffff) << 16; }

/* What an entry has beyond its head, empty at first. */
static inline struct rob_rest *rest_of(struct core *c, uint32_t ix)
{
    struct rob_rest *e = &c->rob_rest[ix];
    if (!c->rob[ix].rest) {
        c->rob[ix].rest = true;
        e->done = e->ready = 0;
        e->pending = e->unknown = 0;
        e->wait = e->stores = (struct plist){NIL, NIL};
        e->deps = NIL;
    }
    return e;
}

static inline bool may_dispatch(const struct core *c) { return !(c->fe_waiting | c->parked | c->draining | c->ended); }

/* Translates a part of the entry `ix` and accesses its cache; a store is only translated. */
void window_execute(struct core *c, uint32_t ix, uint32_t p);
/* The dispatch phase. */
void window_dispatch(struct core *c);

#endif
