#include "app/plot/plot.h"

const struct plot_kind *plot_kinds(size_t *n)
{
    static const struct plot_kind kinds[] = {
        {"free_blocks", "free memory by block order over time, stacked, and free blocks of each order", plot_free_blocks,
         PLOT_SERIES},
        {"unusable_index", "share of free memory in blocks too small for each order, over time", plot_index,
         PLOT_SERIES},
        {"extfrag_index", "external fragmentation index of each order over time", plot_index, PLOT_SERIES},
        {"order_surface", "free memory by block order and time, as a surface", plot_order_surface, PLOT_SERIES},
        {"memory_map", "physical memory by pageblock over time: what stands where", plot_memory_map, PLOT_MEMORY_MAP},
        {"memory_use", "frames by use over time, stacked", plot_memory_parts, PLOT_FRAGMENTATION},
        {"pageblocks", "pageblocks by what they hold over time: free, movable, mixed, unmovable", plot_memory_parts,
         PLOT_FRAGMENTATION},
        {"huge_pages", "2 MiB and 1 GiB areas that are free, and that migration could free, over time", plot_memory_lines,
         PLOT_FRAGMENTATION},
        {"largest_run", "longest run of free memory over time", plot_memory_lines, PLOT_FRAGMENTATION},
        {"proactive_score", "score of proactive compaction over time", plot_memory_lines, PLOT_FRAGMENTATION},
        {"free_runs", "share of free memory in runs up to a size, at the start and the end", plot_free_runs, PLOT_FRAGMENTATION},
        {"slab_utilisation", "memory in slabs against what its objects asked for, over time", plot_memory_lines, PLOT_SERIES},
        {"slab_caches", "the largest caches at the end: memory in slabs, and what their objects asked for", plot_slab_caches, NULL},
        {"slab_bytes", "memory in slabs over time: asked for, rounding, ends of slabs, free slots, stacked", plot_memory_parts, PLOT_SERIES},
        {"slab_latency", "latency of the object allocator by path: median, 99 of 100, and how often", plot_slab_latency, NULL},
        {"alloc_latency", "latency of allocations over time: median and 99 of 100 of each interval", plot_alloc_latency, PLOT_SERIES},
        {"tlb_misses", "TLB misses and page walks per 1,000 references, over time", plot_rates, PLOT_SERIES},
        {"cache_misses", "cache misses per 1,000 references by level, over time", plot_rates, PLOT_SERIES},
        {"walk_latency", "page walk latency: histogram and cumulated share", plot_histogram, NULL},
        {"ipc", "instructions per cycle over time, by core", plot_ipc, PLOT_SERIES},
        {"dram", "row hits, misses and conflicts, and traffic, over time", plot_dram, PLOT_SERIES},
        {"faults", "page faults per 1,000 references by kind, over time", plot_rates, PLOT_SERIES},
        {"fallbacks", "allocations that took memory of another migratetype, over time", plot_rates, PLOT_SERIES},
        {"fallback_types", "the same by type: who took memory of which other migratetype", plot_rates, PLOT_SERIES},
        {"miss_ratios", "miss ratios of all TLBs and caches as bars", plot_miss_ratios, NULL},
        {"column", "any column of series.csv over time (--stat NAME)", plot_column, PLOT_SERIES},
        {"histogram", "any histogram of stats.json (--stat NAME)", plot_histogram, NULL},
        {"sweep_lines", "a sweep: a statistic over an axis of numbers, a line a value of another axis or a trace", plot_sweep_lines,
         PLOT_SWEEP},
        {"sweep_bars", "a sweep: a statistic as grouped bars, for axes that are names, and traces", plot_sweep_bars, PLOT_SWEEP},
        {"sweep_heatmap", "a sweep: a statistic as colour over two axes", plot_sweep_heatmap, PLOT_SWEEP},
    };
    *n = ARRAY_LEN(kinds);
    return kinds;
}
