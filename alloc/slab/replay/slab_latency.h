/*
 * Latency of the allocator's operations by path: exact counts over a log-linear histogram, so that order statistics
 * (p50, p99) are exact below 128 cycles and within 1/64 above.
 */
#ifndef SLAB_SLAB_LATENCY_H
#define SLAB_SLAB_LATENCY_H

#include "engine/types.h"

#include <stdbool.h>

/* The paths, cheapest first: an operation counts under the dearest one it took. X(name, text, what it is) */
#define SLAB_PATHS(X) \
    X(ALLOC_FAST, "alloc_fast", "from the CPU's list, array or sheaf") \
    X(ALLOC_SHARED, "alloc_shared", "the current slab's own list, the shared array, or another sheaf") \
    X(ALLOC_CPU_PARTIAL, "alloc_cpu_partial", "a slab of the CPU's partial list") \
    X(ALLOC_PARTIAL, "alloc_partial", "the node's partial or free slabs; slob: a page of its lists") \
    X(ALLOC_NEW_SLAB, "alloc_new_slab", "pages from the page allocator") \
    X(ALLOC_LARGE, "alloc_large", "kmalloc above the largest cache") \
    X(ALLOC_PAGES, "alloc_pages", "pages asked for as such: from the CPU's page lists") \
    X(ALLOC_BUDDY, "alloc_buddy", "... from the zone's free blocks, or to fill those lists") \
    X(ALLOC_SLOW, "alloc_slow", "... after no zone had enough above its low mark") \
    X(ALLOC_VMALLOC, "alloc_vmalloc", "vmalloc, and kvmalloc that fell back to it") \
    X(ALLOC_RESERVE, "alloc_reserve", "mempool: an element of the reserve, after the allocator had none") \
    X(ALLOC_WAIT, "alloc_wait", "mempool: the reserve is out, slept for an element") \
    X(ALLOC_FAILED, "alloc_failed", "no memory") \
    X(FREE_FAST, "free_fast", "to the CPU's slab, array or sheaf") \
    X(FREE_SLOW, "free_slow", "to a slab's own list; slob: into its page") \
    X(FREE_CPU_PARTIAL, "free_cpu_partial", "the slab went to the CPU's partial list") \
    X(FREE_FLUSH, "free_flush", "a full list, array or sheaf was emptied first") \
    X(FREE_SLAB, "free_slab", "a slab's pages went back") \
    X(FREE_LARGE, "free_large", "kfree of a large block") \
    X(FREE_PAGES, "free_pages", "pages given back as such") \
    X(FREE_VFREE, "free_vfree", "vfree") \
    X(FREE_PURGE, "free_purge", "vfree that purged lazily freed areas") \
    X(FREE_RESERVE, "free_reserve", "mempool: an element went into the reserve")
enum slab_path {
#define SLAB_PATH_ENUM(name, text, help) SLAB_PATH_##name,
    SLAB_PATHS(SLAB_PATH_ENUM)
#undef SLAB_PATH_ENUM
        N_SLAB_PATHS
};
const char *slab_path_name(enum slab_path p);
const char *slab_path_help(enum slab_path p);

enum { LAT_LINEAR = 128, LAT_SUB = 64, LAT_OCTAVES = 33, LAT_BUCKETS = LAT_LINEAR + LAT_SUB * LAT_OCTAVES };
struct slab_latency {
    uint64_t n, sum, max;
    uint64_t count[LAT_BUCKETS];
};
/* What the statistics tell of a path. */
#define SLAB_PATH_STATS(X) \
    X(operations, "operations", "that took this path as their dearest") \
    X(cycles, "cycles", "all of them together") \
    X(p50, "cycles", "median") \
    X(p99, "cycles", "99 of 100 are not above") \
    X(worst, "cycles", "the slowest")
struct slab_path_stats {
#define SLAB_PATH_STAT_FIELD(name, unit, help) uint64_t name;
    SLAB_PATH_STATS(SLAB_PATH_STAT_FIELD)
#undef SLAB_PATH_STAT_FIELD
};
/*
 * Coarser bins for series, whose rows may be dropped: counters add up, order statistics do not. Bin 0 is below 8 cycles, then four an octave
 * (8, 10, 12, 14, 16, 20, ...), from 128 on two (128, 192, 256, ...); the last is open.
 */
enum { LAT_BINS = 44 };
uint64_t slab_latency_bin_from(unsigned bin); /* its least latency */
unsigned slab_latency_bin(uint64_t cycles);
static inline bool slab_path_allocates(enum slab_path p) { return p < SLAB_PATH_FREE_FAST; }
void slab_latency_add(struct slab_latency *l, uint64_t cycles);
/* The least value that `per_mille` of all are not above (nearest rank): bucket's lowest value; 0 without any. */
uint64_t slab_latency_quantile(const struct slab_latency *l, unsigned per_mille);

#endif
