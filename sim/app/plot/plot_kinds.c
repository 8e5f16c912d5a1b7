#include "app/plot/plot.h"

const struct plot_kind *plot_kinds(size_t *n)
{
    static const struct plot_kind kinds[] = {
        {"free_blocks", "free memory by block order over time, stacked, and free blocks of each order", plot_free_blocks,
         PLOT_NEEDS_SERIES},
        {"unusable_index", "share of free memory in blocks too small for each order, over time", plot_unusable,
         PLOT_NEEDS_SERIES},
        {"tlb_misses", "TLB misses and page walks per 1,000 references, over time", plot_rates, PLOT_NEEDS_SERIES},
        {"cache_misses", "cache misses per 1,000 references by level, over time", plot_rates, PLOT_NEEDS_SERIES},
        {"walk_latency", "page walk latency: histogram and cumulated share", plot_histogram, 0},
        {"ipc", "instructions per cycle over time, by core", plot_ipc, PLOT_NEEDS_SERIES},
        {"dram", "row hits, misses and conflicts, and traffic, over time", plot_dram, PLOT_NEEDS_SERIES},
        {"faults", "page faults per 1,000 references by kind, over time", plot_rates, PLOT_NEEDS_SERIES},
        {"miss_ratios", "miss ratios of all TLBs and caches as bars", plot_miss_ratios, 0},
        {"column", "any column of series.csv over time (--stat NAME)", plot_column, PLOT_NEEDS_SERIES},
        {"histogram", "any histogram of stats.json (--stat NAME)", plot_histogram, 0},
    };
    *n = ARRAY_LEN(kinds);
    return kinds;
}
