/*
 * SLUB written a second time, plainly, from the reference (linux-mm 5.6): which object an allocation gets, object by object. Lists
 * are arrays that are copied; a slab knows nothing but its free objects. Shares no code with alloc/slab.
 *
 * Frames are not the twin's matter: where a new slab lies is asked.
 */
#ifndef ORACLE_SLUB_TWIN_H
#define ORACLE_SLUB_TWIN_H

#include <stdbool.h>
#include <stdint.h>

struct twin_config {
    unsigned cpus, objects;      /* objects a slab */
    uint32_t size;               /* bytes from object to object */
    uint64_t slab_bytes;
    unsigned min_partial, cpu_partial_slabs;
    unsigned sheaf_capacity, barn_sheaves; /* 0: no sheaves */
    bool debug;                  /* slab_debug: no CPU slabs */
    uint64_t low, high;          /* slabs lie in [low, high), aligned to a page */
    /* A new slab's first object; 0: there is no memory. */
    uint64_t (*new_slab)(void *self);
    void *self;
};

struct twin;
struct twin *twin_new(const struct twin_config *c);
void twin_free(struct twin *t);
/* The object's address, 0: none to be had. `sleeps`: the request may wait, so that an empty sheaf is filled. */
uint64_t twin_alloc(struct twin *t, unsigned cpu, bool sleeps);
void twin_release(struct twin *t, uint64_t object, unsigned cpu);
void twin_shrink(struct twin *t);
uint64_t twin_slabs(const struct twin *t);
/* Free objects of slabs on the node's list: what /proc/slabinfo does not count as active. */
uint64_t twin_listed_free(const struct twin *t);

#endif
