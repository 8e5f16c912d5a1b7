/*
 * The queue of the shared side: events of exact ticks, popped in the order (tick, source, the source's sequence). A bitmap
 * wheel with a slot a core cycle takes what lies near, a binary heap what lies far (disk times).
 *
 * Owned by one simulation. The queue grows while its largest number of pending events grows, then allocates no more.
 */
#ifndef ENGINE_EVQ_H
#define ENGINE_EVQ_H

#include "engine/err.h"
#include "engine/types.h"

enum { EVQ_SLOTS = 1024 }; /* core cycles ahead of the present that the wheel covers */

struct event {
    tick_t tick;
    uint64_t seq;    /* of the source */
    uint32_t source; /* docs/model/timing.md section 1 */
    uint32_t kind;   /* the handler's */
    uint64_t a, b;   /* the handler's */
    uint32_t next;   /* internal */
};

struct evq {
    struct event *pool;
    uint32_t *heap; /* pool indexes, ordered as events are */
    uint32_t pool_n, pool_cap, free_head, heap_n, heap_cap;
    uint64_t *seq; /* per source */
    uint32_t sources;
    tick_t period;     /* ps a slot */
    uint64_t base;     /* slot number (tick / period) of the earliest slot the wheel covers */
    uint32_t in_wheel;
    uint64_t bits[EVQ_SLOTS / 64];
    uint32_t slot[EVQ_SLOTS]; /* sorted lists */
    tick_t head;              /* tick of the first event, TICK_NEVER if none */
};

int evq_init(struct evq *q, uint32_t sources, tick_t period, struct err *err);
void evq_fini(struct evq *q);
/* Schedules; the sequence number is taken from `source`. `tick` is not before the last popped event's. */
void evq_add(struct evq *q, tick_t tick, uint32_t source, uint32_t kind, uint64_t a, uint64_t b);
/* Takes the first event; false if there is none. */
bool evq_pop(struct evq *q, struct event *out);
/* The first event without taking it, or NULL. */
const struct event *evq_peek(const struct evq *q);
static inline tick_t evq_head(const struct evq *q) { return q->head; }
static inline bool evq_empty(const struct evq *q) { return q->head == TICK_NEVER; }

#endif
