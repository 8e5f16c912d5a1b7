/* Parameters of the caches and the bus; keys `cache.*` and `bus.*`. Latencies are load-to-use in core cycles from the
 * core's access, but for the LLC: cycles from the bus grant to the data. Defaults: Skylake-SP class (x86-hardware.md 3.4),
 * but a 32 MiB LLC shared by all cores. */
#ifndef MEMORY_CACHE_CONFIG_H
#define MEMORY_CACHE_CONFIG_H

#include "engine/assoc.h"
#include "engine/params.h"
#include "engine/types.h"

struct cache_config {
    bool enabled;
    uint64_t size_bytes;
    uint32_t ways;
    uint32_t latency_cycles;
    uint32_t mshrs;
    int replacement; /* enum repl_policy */
};

enum cache_straddle { STRADDLE_SPLIT, STRADDLE_CACHEGRIND };
enum modify_counts { MODIFY_COUNTS_WRITE, MODIFY_COUNTS_READ };
enum bus_arbiter { ARBITER_ROUND_ROBIN, ARBITER_FIXED_PRIORITY };

struct caches_config {
    struct cache_config l1i, l1d, l2, llc;
    bool llc_inclusive; /* LLC evictions take the line out of the private caches */
    bool coherence;     /* false: one core, every line may be written where it lies */
    bool write_back;    /* false: victims are dropped, no writes leave a cache (cachegrind's semantics) */
    int straddle;       /* enum cache_straddle */
    int modify_counts;  /* enum modify_counts */
};

struct bus_config {
    uint32_t request_latency_cycles;  /* core to shared side, OUT of docs/model/timing.md */
    uint32_t response_latency_cycles; /* shared side to core, IN */
    uint32_t occupancy_cycles;        /* between two grants */
    int arbiter;                      /* enum bus_arbiter */
};

/* Tables in cache_config.c. `caches_params` describes struct caches_config itself (llc_inclusive, …). */
extern const struct param cache_l1i_params[], cache_l1d_params[], cache_l2_params[], cache_llc_params[];
extern const size_t cache_level_params_n; /* the same for the four */
extern const struct param caches_params[], bus_params[];
extern const size_t caches_params_n, bus_params_n;

static inline uint32_t cache_sets(const struct cache_config *c)
{
    return (uint32_t)(c->size_bytes / LINE_BYTES / c->ways);
}

#endif
