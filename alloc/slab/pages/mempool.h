/*
 * mempool: a reserve of elements above another allocator, so that a request that may wait never fails. Linux-mm 6.
 * Model: docs/model/mempool.md. Belongs to one slab system.
 */
#ifndef SLAB_MEMPOOL_H
#define SLAB_MEMPOOL_H

#include "slab/slab.h"

/* Where elements come from. alloc: SLAB_NONE if there is none. */
struct mempool_ops {
    va_t (*alloc)(void *self, gfp_t gfp, unsigned cpu);
    void (*free)(void *self, va_t element, unsigned cpu);
    void *self;
};
/* The back ends of the kernel. */
struct mempool_ops mempool_of_cache(struct kmem_cache *c);
struct mempool_kmalloc { struct slab_sys *s; uint64_t size; };
struct mempool_ops mempool_of_kmalloc(struct mempool_kmalloc *k); /* *k stays the caller's */

enum mempool_result {
    MEMPOOL_GOT,
    MEMPOOL_EMPTY,  /* the request may not wait: NULL */
    MEMPOOL_WAITS,  /* sleeps until an element comes back (5 s at most): ask again after mempool_free */
};

#define MEMPOOL_STATS(X) \
    X(allocs, "elements", "handed out") \
    X(frees, "elements", "given back") \
    X(from_reserve, "elements", "... of those handed out: from the reserve") \
    X(to_reserve, "elements", "... of those given back: into the reserve") \
    X(second_tries, "requests", "that asked the allocator again, with reclaim") \
    X(waits, "requests", "that had to sleep") \
    X(empty, "requests", "refused because they may not sleep") \
    X(wakeups, "waiters", "woken by an element that came back")
struct mempool_stats { MEMPOOL_STATS(STAT_FIELD) };

struct mempool {
    struct slab_sys *s;
    struct mempool_ops ops;
    uint32_t min_nr, curr_nr;
    va_t *element; /* [min_nr]; the array itself is kmalloc'ed: */
    va_t array;
    uint32_t waiters;
    struct mempool_stats st;
};

/* NULL if the reserve or its array cannot be allocated whole (simulated memory), or min_nr is 0. */
struct mempool *mempool_create(struct slab_sys *s, uint32_t min_nr, struct mempool_ops ops, unsigned cpu);
/* gfp must not contain __GFP_ZERO. *out is SLAB_NONE unless the result is MEMPOOL_GOT. */
enum mempool_result mempool_alloc(struct mempool *p, gfp_t gfp, unsigned cpu, va_t *out);
/* From the reserve only. */
va_t mempool_alloc_preallocated(struct mempool *p);
/* SLAB_NONE is fine. True if a waiter was woken. */
bool mempool_free(struct mempool *p, va_t element, unsigned cpu);
/* 0; -1 if the array for more cannot be had. Growing stops silently where the allocator has no more. n >= 1. */
int mempool_resize(struct mempool *p, uint32_t n, unsigned cpu);
/* Frees the reserve; elements still out are the caller's. NULL is fine. */
void mempool_destroy(struct mempool *p, unsigned cpu);

#endif
