/* The classic design's state of a cache: docs/model/slab.md, linux-mm 5.8. Internal to this library. */
#ifndef SLAB_CLASSIC_CLASSIC_H
#define SLAB_CLASSIC_CLASSIC_H

#include "slab/slab_internal.h"

struct array_cache {
    unsigned avail, limit, batchcount;
    bool touched;
    va_t entry[]; /* [limit] */
};

struct classic {
    unsigned colours, colour_bytes, colour_next;
    bool off_slab, in_object;        /* where the index lies; neither: at the slab's end */
    struct kmem_cache *index_cache;  /* off_slab */
    unsigned shared_factor, free_limit;
    struct slab_list full, partial, free;
    uint64_t free_objects;           /* on the slabs' lists */
    bool free_touched;
    tick_t next_reap;
    struct array_cache *shared;      /* NULL: none */
    struct array_cache *cpu[];       /* [cpus] */
};

static inline struct classic *classic_of(const struct kmem_cache *c) { return c->design; }
enum { INDEX_BYTES = 1 }; /* freelist_idx_t with 4 KiB pages */

/* Size, order, number and colours of a cache, and where its index lies; -1 if it cannot be. */
int classic_geometry(struct kmem_cache *c, struct classic *k, uint32_t slot);
/* slab_row, info, check. */
struct slab_row classic_row(const struct kmem_cache *c);
void classic_info(const struct kmem_cache *c, struct slab_cache_info *out);
int classic_check(const struct kmem_cache *c, struct err *err);

#endif
