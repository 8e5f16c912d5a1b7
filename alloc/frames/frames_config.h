/*
 * Configuration of physical memory (`memory.*`) and of the frame allocator (`buddy.*`): the structs, their parameter
 * tables, and their defaults. Sources: linux-mm 6.18 (page_alloc.c, mmzone.h); docs/model/frames.md.
 */
#ifndef FRAMES_FRAMES_CONFIG_H
#define FRAMES_FRAMES_CONFIG_H

#include "engine/params.h"

#include <stdbool.h>

enum memory_zones { MEMORY_ZONES_X86_64, MEMORY_ZONES_X86_32 };
struct memory_reserved { uint64_t start, bytes; }; /* element of memory.reserved */

/* How memory is aged before a run (memory.ageing.*; ageing.h). */
#define AGEING_RECIPES(X) X(NONE, none) X(HOLES, holes) X(SIZES, sizes) X(STRIPES, stripes) X(CHURN, churn)
enum ageing_recipe {
#define AGEING_RECIPE_ENUM(name, text) AGEING_##name,
    AGEING_RECIPES(AGEING_RECIPE_ENUM)
#undef AGEING_RECIPE_ENUM
};
struct ageing_config {
    int recipe;        /* enum ageing_recipe */
    uint32_t order;    /* of which the unusable-free index is to be reached */
    double target;     /* the index, 0..1 */
    double free;       /* about this share of memory is free afterwards */
    double unmovable;  /* share of what stays allocated that cannot be moved */
    char *snapshot;    /* FOLDER/before of a recording as which memory starts; NULL: none. Who builds the machine reads it */
};

struct memory_config {
    uint64_t size_bytes;          /* RAM installed: 1 MiB .. 1 TiB, a multiple of 4 KiB */
    uint64_t low_reserved_bytes;  /* kept from the allocator at address 0; capped at a sixteenth of the RAM */
    uint64_t pci_hole_bytes;      /* no RAM in [4 GiB - hole, 4 GiB): the RAM that does not fit moves above 4 GiB */
    uint64_t boot_reserved_bytes; /* kernel image, memmap, ...: taken from the top of RAM, as memblock does */
    uint64_t min_free_bytes;      /* vm.min_free_kbytes; 0: by the kernel's formula */
    bool khugepaged_min_free;     /* raise it as khugepaged does when transparent huge pages are enabled */
    uint32_t watermark_scale_factor;
    uint32_t watermark_boost_factor;
    int zones;                    /* enum memory_zones */
    uint64_t highmem_start;       /* MEMORY_ZONES_X86_32: where HighMem begins */
    uint64_t kernelcore_bytes, movablecore_bytes; /* what is not, or is, Movable; 0: no such zone */
    uint32_t nodes;
    struct param_list node_sizes, node_distances;
    struct param_list reserved;   /* struct memory_reserved */
    uint32_t percpu_pagelist_high_fraction; /* vm.percpu_pagelist_high_fraction; 0: tuned automatically */
    uint64_t stat_interval_ps; /* vm.stat_interval; 0: the page lists never decay */
    uint32_t lowmem_reserve_ratio_dma, lowmem_reserve_ratio_dma32, lowmem_reserve_ratio_normal;
    struct ageing_config ageing;
};

struct buddy_config {
    int allocator;            /* enum frame_allocator */
    uint32_t max_order;       /* MAX_PAGE_ORDER */
    uint32_t pageblock_order; /* <= max_order; 0: buddy_pageblock_order says */
    bool group_by_mobility;
    bool defrag_mode;         /* vm.defrag_mode */
    bool eager_init;          /* link all free memory at start; results are the same */
    bool pcp;                 /* per-CPU page lists */
    uint32_t pcp_batch_scale_max; /* CONFIG_PCP_BATCH_SCALE_MAX */
    uint64_t pcp_cache_bytes; /* a CPU's share of the last-level cache */
    bool compaction;          /* direct compaction in the slow path */
    uint32_t extfrag_threshold; /* vm.extfrag_threshold */
    bool kcompactd;             /* and compaction in the background */
    uint32_t compaction_proactiveness; /* vm.compaction_proactiveness */
    uint64_t compaction_interval_ps;
    uint32_t compact_scan_cycles; /* of a page that a scanner looks at */
    uint32_t migrate_cycles;  /* software for a block that moves, without its memory operations */
    uint32_t cpus;            /* how many CPUs have lists; not a key: the machine gives cpu.count. 0: one */
};

enum { MEMORY_PARAMS_N = 21, BUDDY_PARAMS_N = 16, AGEING_PARAMS_N = 6 };
extern const struct param memory_params[MEMORY_PARAMS_N]; /* describes struct memory_config */
extern const struct param buddy_params[BUDDY_PARAMS_N];   /* describes struct buddy_config */
extern const struct param ageing_params[AGEING_PARAMS_N]; /* describes struct ageing_config */

/* The tables' defaults, for callers without a configuration file. Either may be NULL. */
void frames_config_defaults(struct memory_config *m, struct buddy_config *b);

enum { HPAGE_PMD_ORDER = 9 }; /* a huge page of x86-64: 2 MiB */
/* The one given, else min(HPAGE_PMD_ORDER, MAX_PAGE_ORDER) as include/linux/pageblock-flags.h. */
unsigned buddy_pageblock_order(const struct buddy_config *b);

#endif
