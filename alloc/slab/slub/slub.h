/* SLUB's state of a cache: docs/model/slab.md, linux-mm 5.6. Internal to this library. */
#ifndef SLAB_SLUB_SLUB_H
#define SLAB_SLUB_SLUB_H

#include "slab/slab_internal.h"

struct sheaf {
    struct sheaf *next;
    uint32_t n;
    va_t object[]; /* sheaf_capacity */
};

struct slub_cpu {
    struct slab_page *slab;    /* current (frozen), NULL if none */
    uint16_t free_head;        /* the CPU's own free list, in `slab` */
    struct slab_page *partial; /* stack of slabs, linked by next */
    unsigned n_partial;
    struct sheaf *main, *spare; /* NULL without sheaves */
};

struct slub {
    unsigned min_partial, cpu_partial, cpu_partial_slabs;
    struct slab_list partial; /* the node's: slabs with free objects that no CPU holds */
    struct slab_list full;    /* only with debugging on */
    struct sheaf *barn_full, *barn_empty;
    unsigned n_barn_full, n_barn_empty;
    uint64_t sheaf_objects; /* in sheaves: free for callers, in use for slabs */
    struct slub_cpu cpu[];  /* [cpus] */
};

static inline struct slub *slub_of(const struct kmem_cache *c) { return c->design; }
static inline bool slub_debug(const struct kmem_cache *c) { return (c->flags & SLAB_DEBUG_FLAGS) != 0; }

/* slub.c: an object from slabs, to its slab; sheaves stand above them. */
va_t slub_alloc_object(struct kmem_cache *c, gfp_t gfp, unsigned cpu);
void slub_free_object(struct kmem_cache *c, struct slab_page *p, unsigned i, unsigned cpu);
/* slub_sheaf.c */
va_t sheaf_alloc(struct kmem_cache *c, gfp_t gfp, unsigned cpu);
void sheaf_free(struct kmem_cache *c, va_t a, unsigned cpu);
/* All objects of all sheaves go to their slabs. */
void sheaf_flush_all(struct kmem_cache *c);
void sheaf_fini(struct kmem_cache *c);
/* slub_books.c */
struct slab_row slub_row(const struct kmem_cache *c);
void slub_info(const struct kmem_cache *c, struct slab_cache_info *out);
int slub_check(const struct kmem_cache *c, struct err *err);

#endif
