/*
 * Made-up calls of a kernel's allocators: many small connection objects that come and go, a few large database blocks that
 * stay, in time. Which allocator serves each is a parameter, and so are some ways to avoid fragmentation. Sizes, arrivals,
 * lifetimes and CPUs are drawn from streams of their own, so that another allocator or another way meets the same load.
 * docs/trace-generators.md has the distributions. Same configuration and CPUs: same records.
 */
#ifndef TRACES_GEN_CALLS_H
#define TRACES_GEN_CALLS_H

#include "engine/err.h"
#include "engine/params.h"
#include "traces/gen/gen.h"

/* The first four serve blocks too. */
#define CALLS_ALLOCATORS(X) X(kmalloc) X(pages) X(vmalloc) X(kvmalloc) X(cache) X(mempool)
enum calls_allocator {
#define CALLS_ENUM(name) CALLS_##name,
    CALLS_ALLOCATORS(CALLS_ENUM)
#undef CALLS_ENUM
};
enum calls_free_cpu { CALLS_FREE_SAME, CALLS_FREE_ANY };

/* Times in picoseconds, as parameters have them; records have nanoseconds. */
struct calls_config {
    char *name;
    uint64_t count; /* connections */
    uint64_t seed;
    int connections, blocks; /* enum calls_allocator */
    uint64_t connection_interval, connection_life, connection_min, connection_max;
    uint32_t connection_sizes;
    double long_share;
    uint64_t long_life;
    double wave;
    uint64_t wave_period;
    uint64_t block_interval, block_life, block_min, block_max;
    uint32_t block_sizes;
    uint64_t tail;
    uint32_t reserve;
    bool power_of_two;
    uint64_t chunk;
    uint32_t pool, together;
    int free_cpu; /* enum calls_free_cpu */
};
extern const struct param calls_params[];
extern const size_t calls_params_n;

/* What contradicts what: the keys (without their section) in `keys` and -1 with the message; 0. */
int calls_check(const struct calls_config *c, char keys[64], struct err *err);
/* All records, thread = CPU. -1: out of memory, or put's own. */
int calls_make(const struct calls_config *c, uint32_t cpus, trace_gen_put *put, void *ctx, struct err *err);

#endif
