#include "frames/frames_config.h"

#include "frames/ageing/ageing.h"
#include "frames/frame_alloc.h"
#include "frames/frames.h"

#include <assert.h>

#define KIB 1024ull
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define TIB (1024 * GIB)

static const char *const zones_names[] = {"x86_64", "x86_32", NULL};

static const struct param reserved_params[] = {
    {"start", P_ADDR, offsetof(struct memory_reserved, start), .flags = PARAM_REQUIRED, .help = "physical address of the range"},
    {"size", P_SIZE, offsetof(struct memory_reserved, bytes), .min = 4 * KIB, .max = TIB, .flags = PARAM_REQUIRED,
     .help = "bytes of the range"},
};
static const struct param_elem reserved_elem = {reserved_params, ARRAY_LEN(reserved_params), sizeof(struct memory_reserved)};

#define MEM(member) offsetof(struct memory_config, member)
const struct param memory_params[MEMORY_PARAMS_N] = {
    {"size", P_SIZE, MEM(size_bytes), .def = 4 * GIB, .min = MIB, .max = TIB,
     .help = "RAM installed, a multiple of 4KiB; what is never touched costs the host nothing"},
    {"low_reserved", P_SIZE, MEM(low_reserved_bytes), .def = MIB, .max = 16 * MIB,
     .help = "RAM at address 0 that the allocator never gets (x86 reserves the first 1MiB); at most a sixteenth of "
             "memory.size is kept"},
    {"pci_hole", P_SIZE, MEM(pci_hole_bytes), .def = 0, .max = 3 * GIB,
     .help = "size of the hole below 4GiB where devices are mapped: RAM that does not fit below it moves above 4GiB; "
             "0: RAM is contiguous from address 0; a snapshot has its own holes"},
    {"boot_reserved", P_SIZE, MEM(boot_reserved_bytes), .def = 0, .max = TIB,
     .help = "RAM taken at boot from the top (kernel image, struct page array, ...): present but not managed"},
    {"min_free", P_SIZE, MEM(min_free_bytes), .def = 0, .max = TIB,
     .help = "vm.min_free_kbytes, from which the watermarks follow; 0: sqrt(16 * low memory in KiB) KiB between 128KiB "
             "and 256MiB, as calculate_min_free_kbytes"},
    {"khugepaged_min_free", P_BOOL, MEM(khugepaged_min_free), .def = 1,
     .help = "raise min_free as khugepaged does wherever transparent huge pages are enabled "
             "(set_recommended_min_free_kbytes); ignored when min_free is given"},
    {"watermark_scale_factor", P_U32, MEM(watermark_scale_factor), .def = 10, .min = 1, .max = 3000,
     .help = "distance between watermarks in 1/10000 of a zone (vm.watermark_scale_factor)"},
    {"watermark_boost_factor", P_U32, MEM(watermark_boost_factor), .def = 15000, .max = 1000000,
     .help = "how far a claim of a part of another type's pageblock may raise the marks, in 1/10000 of the high one "
             "(vm.watermark_boost_factor); without kswapd, which takes it back, nothing is raised"},
    {"zones", P_ENUM, MEM(zones), .def = MEMORY_ZONES_X86_64, .names = zones_names,
     .help = "which zones there are: DMA, DMA32, Normal, Movable, or those of a 32-bit kernel: DMA, Normal, HighMem, "
             "Movable"},
    {"highmem_start", P_SIZE, MEM(highmem_start), .def = 896 * MIB, .min = 16 * MIB, .max = 4 * GIB,
     .help = "where HighMem begins on a 32-bit machine (896MiB: 3 GiB for user space and 1 GiB for the kernel)"},
    {"kernelcore", P_SIZE, MEM(kernelcore_bytes), .def = 0, .max = TIB,
     .help = "RAM that is not in zone Movable, spread over the nodes; all else is (kernelcore=); 0: no zone Movable"},
    {"movablecore", P_SIZE, MEM(movablecore_bytes), .def = 0, .max = TIB,
     .help = "RAM that is in zone Movable, carved from the highest zone of each node (movablecore=); 0: none"},
    {"nodes", P_U32, MEM(nodes), .def = 1, .min = 1, .max = FRAME_NODES,
     .help = "NUMA nodes of equal size; the CPUs are spread over them in order"},
    {"node_sizes", P_SIZE_LIST, MEM(node_sizes), .def_s = "[]",
     .help = "RAM of each node, in sum memory.size; gives the number of nodes; empty: memory.nodes equal ones"},
    {"node_distances", P_U64_LIST, MEM(node_distances), .def_s = "[]",
     .help = "distances as in ACPI's SLIT, row by row; empty: 10 to itself, 20 to others"},
    {"reserved", P_OBJECT_LIST, MEM(reserved), .elem = &reserved_elem,
     .help = "ranges of RAM that the allocator never gets, beside low_reserved and boot_reserved"},
    {"percpu_pagelist_high_fraction", P_U32, MEM(percpu_pagelist_high_fraction), .def = 0, .min = 8, .max = 1u << 30,
     .flags = PARAM_OR_ZERO,
     .help = "how much of a zone all CPUs' page lists may hold, 1/fraction (vm.percpu_pagelist_high_fraction); 0: tuned "
             "between the low watermark and an eighth of the zone"},
    {"stat_interval", P_TIME, MEM(stat_interval_ps), .def = 1000000000000ull,
     .help = "simulated or recorded time after which each CPU's page lists give back what they do not need (vm.stat_interval: 1 s); "
             "0: never"},
    {"lowmem_reserve_ratio_dma", P_U32, MEM(lowmem_reserve_ratio_dma), .def = 256, .max = 1000000,
     .help = "vm.lowmem_reserve_ratio of zone DMA: 1/ratio of the higher zones is kept from their requests; 0: none"},
    {"lowmem_reserve_ratio_dma32", P_U32, MEM(lowmem_reserve_ratio_dma32), .def = 256, .max = 1000000,
     .help = "vm.lowmem_reserve_ratio of zone DMA32; 0: none"},
    {"lowmem_reserve_ratio_normal", P_U32, MEM(lowmem_reserve_ratio_normal), .def = 32, .max = 1000000,
     .help = "vm.lowmem_reserve_ratio of zone Normal; 0: none"},
};
#undef MEM

#define AGEING_RECIPE_NAME(name, text) #text,
static const char *const recipe_names[] = {AGEING_RECIPES(AGEING_RECIPE_NAME) NULL};
#undef AGEING_RECIPE_NAME
const char *ageing_recipe_name(int recipe) { return recipe_names[recipe]; }

#define AGE(member) offsetof(struct ageing_config, member)
const struct param ageing_params[AGEING_PARAMS_N] = {
    {"recipe", P_ENUM, AGE(recipe), .def = AGEING_NONE, .names = recipe_names,
     .help = "how memory is fragmented before the run: none; holes: single frames at random places; sizes: holes of random "
             "sizes; stripes: frames at equal distances; churn: random allocations and frees of blocks of all sizes"},
    {"order", P_U32, AGE(order), .def = 9, .min = 1, .max = FRAME_MAX_ORDER,
     .help = "order of which the unusable-free index is to be reached (9: blocks of 2MiB)"},
    {"target", P_F64, AGE(target), .def_f = 0.8, .min_f = 0, .max_f = 1,
     .help = "the unusable-free index to reach, within 0.01: the share of free memory that cannot serve that order"},
    {"free", P_F64, AGE(free), .def_f = 0.3, .min_f = 0.001, .max_f = 0.99,
     .help = "about this share of memory is free afterwards; the index comes first"},
    {"unmovable", P_F64, AGE(unmovable), .def_f = 0, .min_f = 0, .max_f = 1,
     .help = "share of what stays allocated that was asked for as kernel memory, which cannot be moved"},
    {"snapshot", P_PATH, AGE(snapshot),
     .help = "memory starts as a recorded kernel's: the name in front of the files .zoneinfo, .buddyinfo, .pagetypeinfo and "
             ".pfnmap, for instance traces/samples/kernel/filetree/before; gives the size and the zones"},
};
#undef AGE

#define FRAME_ALLOCATOR_NAME(name) #name,
static const char *const allocator_names[] = {FRAME_ALLOCATORS(FRAME_ALLOCATOR_NAME) NULL};
#undef FRAME_ALLOCATOR_NAME

#define BUD(member) offsetof(struct buddy_config, member)
const struct param buddy_params[BUDDY_PARAMS_N] = {
    {"allocator", P_ENUM, BUD(allocator), .def = FRAME_ALLOCATOR_buddy, .names = allocator_names,
     .help = "which frame allocator manages the zones"},
    {"max_order", P_U32, BUD(max_order), .def = FRAME_MAX_ORDER, .max = FRAME_MAX_ORDER,
     .help = "largest block is 2^max_order frames (MAX_PAGE_ORDER: 10, blocks of 4MiB)"},
    {"pageblock_order", P_U32, BUD(pageblock_order), .def = 0, .max = FRAME_MAX_ORDER,
     .help = "a migratetype is kept for each 2^pageblock_order frames, at most max_order; 0: the smaller of 9 (2MiB, a huge page "
             "of x86-64) and max_order (pageblock_order of Linux)"},
    {"group_by_mobility", P_BOOL, BUD(group_by_mobility), .def = 1,
     .help = "keep movable and unmovable memory in pageblocks apart; off by itself where memory is smaller than five "
             "pageblocks"},
    {"defrag_mode", P_BOOL, BUD(defrag_mode), .def = 0,
     .help = "vm.defrag_mode: mix migratetypes within a pageblock only as the last resort"},
    {"eager_init", P_BOOL, BUD(eager_init), .def = 0,
     .help = "link every free block at the start instead of when it is first needed; same results, slower start"},
    {"pcp", P_BOOL, BUD(pcp), .def = 1,
     .help = "per-CPU lists of pages in front of the zones' free lists, for allocators that have them"},
    {"pcp_batch_scale_max", P_U32, BUD(pcp_batch_scale_max), .def = 5, .max = 6,
     .help = "a refill of a CPU's list takes at most batch * 2^this pages (CONFIG_PCP_BATCH_SCALE_MAX)"},
    {"pcp_cache", P_SIZE, BUD(pcp_cache_bytes), .def = 2 * MIB, .max = GIB,
     .help = "a CPU's share of the last-level cache: above three batches its list keeps a batch of freed blocks of "
             "several pages (PCPF_FREE_HIGH_BATCH)"},
    {"compaction", P_BOOL, BUD(compaction), .def = 0,
     .help = "a request for several pages that finds no block may move frames to make one (direct compaction); buddy allocator"},
    {"extfrag_threshold", P_U32, BUD(extfrag_threshold), .def = 500, .max = 1000,
     .help = "a request above order 3 is not compacted for where the fragmentation index is at most this: memory is short, "
             "not fragmented (vm.extfrag_threshold)"},
    {"kcompactd", P_BOOL, BUD(kcompactd), .def = 1,
     .help = "with compaction: kswapd and kcompactd of each node are woken and compact in the background"},
    {"compaction_proactiveness", P_U32, BUD(compaction_proactiveness), .def = 20, .max = 100,
     .help = "kcompactd compacts a node whose fragmentation score is above 110 minus this, until it is 100 minus this; 0: never by "
             "itself (vm.compaction_proactiveness)"},
    {"compaction_interval", P_TIME, BUD(compaction_interval_ps), .def = UINT64_C(500000000000), .min = 1000,
     .help = "simulated time between two looks at the score (HPAGE_FRAG_CHECK_INTERVAL_MSEC); functional mode counts a core cycle a "
             "reference of each core"},
    {"compact_scan_cycles", P_CYC, BUD(compact_scan_cycles), .def = 20, .max = 100000, .flags = PARAM_NOT_WARM,
     .help = "core cycles for a page that a scanner of compaction looks at (assumed; docs/model/compaction.md)"},
    {"migrate_cycles", P_CYC, BUD(migrate_cycles), .def = 2000, .max = 1000000, .flags = PARAM_NOT_WARM,
     .help = "core cycles of software for a block that compaction moves, without its memory operations (assumed; "
             "docs/model/compaction.md)"},
};
#undef BUD

void frames_config_defaults(struct memory_config *m, struct buddy_config *b)
{
    if (m) {
        param_defaults(memory_params, MEMORY_PARAMS_N, m);
        param_defaults(ageing_params, AGEING_PARAMS_N, &m->ageing);
    }
    if (b) {
        param_defaults(buddy_params, BUDDY_PARAMS_N, b);
        b->cpus = 1;
    }
}

unsigned buddy_pageblock_order(const struct buddy_config *b)
{
    return b->pageblock_order ? b->pageblock_order : b->max_order < HPAGE_PMD_ORDER ? b->max_order : HPAGE_PMD_ORDER;
}
