/*
 * Configuration of the slab allocators (`slab.*`), their costs (`slab.cost.*`) and of vmalloc (`slab.vmalloc.*`).
 * Sources: linux-mm 5 to 7; the cycles are named assumptions, docs/model/slab.md says where each comes from.
 */
#ifndef SLAB_SLAB_CONFIG_H
#define SLAB_SLAB_CONFIG_H

#include "engine/params.h"
#include "engine/types.h"

/* X(enumerator, text): the designs, each a file or folder with `const struct slab_design_ops NAME_design_ops`. */
#define SLAB_DESIGNS(X) X(slub) X(slab) X(slob)
enum slab_design {
#define SLAB_DESIGN_ENUM(name) SLAB_DESIGN_##name,
    SLAB_DESIGNS(SLAB_DESIGN_ENUM)
#undef SLAB_DESIGN_ENUM
        N_SLAB_DESIGNS
};

struct slab_cost_config { /* core cycles */
    uint32_t fast, free_fast, slow, node_lock, list_move, sheaf, array, per_object, slob_step, debug, ctor;
    uint32_t page_alloc, page_order, page_slow, copy_page, page_free, reserve, large, vmalloc, vmalloc_page, pte, purge, wait;
};

struct vmalloc_config {
    uint64_t start, bytes;     /* the address range */
    uint64_t lazy_bytes;       /* per fls(cpus): how much may wait for a purge */
    uint32_t bulk_pages;       /* order-0 pages a call of the bulk allocator brings */
    uint32_t pool_pages;       /* areas up to this size are recycled by a pool a CPU; 0: none */
    uint32_t block_pages;      /* of a vmap block */
    bool guard;
};

struct slab_config {
    int design;                /* enum slab_design */
    uint32_t min_objects;      /* slub_min_objects; 0: by the number of CPUs */
    uint32_t min_order, max_order;
    bool merge;
    bool cpu_partial;          /* CONFIG_SLUB_CPU_PARTIAL */
    uint32_t cpu_partial_objects, min_partial; /* 0: by the size */
    uint32_t sheaf_capacity;
    struct param_list sheaf_caches;
    uint32_t barn_sheaves;
    bool freelist_random, random_kmalloc, memcg, hardened_usercopy;
    uint32_t slab_limit, slab_shared; /* array caches of the classic design; limit 0: by the size */
    uint64_t reap;             /* ps */
    bool sanity, red_zone, poison, store_user;
    uint64_t direct_map;
    struct slab_cost_config cost;
    struct vmalloc_config vmalloc;
};

extern const struct param_group slab_param_groups[]; /* bases relative to struct slab_config */
extern const size_t slab_n_param_groups;
/* The tables' defaults, for callers without a configuration file. */
void slab_config_defaults(struct slab_config *c);

#endif
