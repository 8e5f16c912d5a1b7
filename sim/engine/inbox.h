/* Messages to one core, ordered by (cycle, order sent). Bounded by what can be outstanding; grows until then. */
#ifndef ENGINE_INBOX_H
#define ENGINE_INBOX_H

#include "engine/types.h"

struct msg {
    cyc_t when;
    uint32_t kind;
    uint64_t a, b;
};

struct inbox {
    struct msg *ring; /* sorted from head */
    uint32_t head, n, cap;
};

void inbox_init(struct inbox *b);
void inbox_fini(struct inbox *b);
void inbox_put(struct inbox *b, cyc_t when, uint32_t kind, uint64_t a, uint64_t c);
static inline cyc_t inbox_next(const struct inbox *b) { return b->n ? b->ring[b->head].when : CYC_NEVER; }
static inline struct msg inbox_take(struct inbox *b)
{
    struct msg m = b->ring[b->head];
    b->head = (b->head + 1) & (b->cap - 1);
    b->n--;
    return m;
}

#endif
