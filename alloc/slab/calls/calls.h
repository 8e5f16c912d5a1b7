/*
 * Calls of all allocators of the kernel, by the names (pointers) that a trace gives to what it asked for: kmalloc and caches
 * (through slab_replay), pages, vmalloc, kvmalloc, mempools. Keeps what is asked for, what is held for it, and the latency of
 * small and large requests. Not thread-safe. Model: docs/model/calls.md.
 */
#ifndef SLAB_CALLS_H
#define SLAB_CALLS_H

#include "slab/pages/mempool.h"
#include "slab/replay/slab_replay.h"
#include "slab/vmalloc/vmalloc.h"

enum slab_call {
    SLAB_CALL_ALLOC, SLAB_CALL_FREE, /* kmalloc or a cache, as the event's name says */
    SLAB_CALL_ALLOC_PAGES, SLAB_CALL_FREE_PAGES,
    SLAB_CALL_VMALLOC, SLAB_CALL_VFREE,
    SLAB_CALL_KVMALLOC, SLAB_CALL_KVFREE,
    SLAB_CALL_MEMPOOL_CREATE, SLAB_CALL_MEMPOOL_ALLOC, SLAB_CALL_MEMPOOL_FREE, SLAB_CALL_MEMPOOL_RESIZE, SLAB_CALL_MEMPOOL_DESTROY,
    SLAB_CALL_CACHE_SHRINK, SLAB_CALL_CACHE_DESTROY, /* of the event's name */
    SLAB_CALL_CACHE_CREATE, /* slab_calls_create_cache */
};

#define SLAB_CALLS_STATS(X, G) \
    X(allocs, "requests", "requests of memory, by whatever call") \
    X(failures, "requests", "... that got none") \
    X(large_allocs, "requests", "... of the requests: of more than 8 KiB, the largest cache of kmalloc") \
    X(large_failures, "requests", "... of these: got none") \
    X(failed_bytes, "bytes", "bytes that were not had") \
    X(frees, "requests", "given back") \
    X(unknown_frees, "requests", "... of pointers that nobody has: left out") \
    X(missed_frees, "requests", "requests under a pointer that is in use: what it was is given back first") \
    X(wrong_pools, "requests", "calls of a mempool that does not exist, or that could not be made") \
    G(waiting, "requests", "requests of mempools that still wait for an element") \
    G(live, "requests", "that hold memory now") \
    G(live_bytes, "bytes", "bytes that they asked for") \
    G(held_bytes, "bytes", "bytes of the page frames taken for them: slabs, blocks, areas, page tables of vmalloc, reserves") \
    G(peak_live_bytes, "bytes", "most bytes asked for at once") \
    G(peak_held_bytes, "bytes", "most bytes held at once") \
    G(mean_live_bytes, "bytes", "bytes asked for, mean over the time of the trace") \
    G(mean_held_bytes, "bytes", "bytes held, mean over the time of the trace") \
    G(page_bytes, "bytes", "... of those held: blocks of alloc_pages") \
    G(table_bytes, "bytes", "... of those held: page tables of vmalloc")
struct slab_calls_stats { SLAB_CALLS_STATS(STAT_FIELD, STAT_FIELD) };

/* Latency by what a caller asks: X(name, help) */
#define SLAB_CALLS_CLASSES(X) \
    X(small_alloc, "requests of up to 8 KiB that got memory") \
    X(large_alloc, "requests of more") \
    X(small_free, "frees of up to 8 KiB") \
    X(large_free, "frees of more")
enum slab_calls_class {
#define SLAB_CALLS_ENUM(name, help) SLAB_CALLS_##name,
    SLAB_CALLS_CLASSES(SLAB_CALLS_ENUM)
#undef SLAB_CALLS_ENUM
        N_SLAB_CALLS_CLASSES
};

struct slab_calls;
/* `r` and the system that it plays into stay the caller's and must outlive it. */
int slab_calls_new(struct slab_calls **out, struct slab_sys *s, struct slab_replay *r, struct err *err);
/* Destroys pools, gives back areas and blocks of pages. NULL is fine. */
void slab_calls_free(struct slab_calls *c);
/* `e` as for slab_replay; `number`: the pool, `elements`: of its reserve. `ns`: time of the trace, never less than before. Core cycles of
 * the call; 0 where nothing was had or given back. Pools and caches that are made, resized or destroyed take none. */
uint64_t slab_calls_play(struct slab_calls *c, enum slab_call call, const struct slab_event *e, uint64_t number, uint32_t elements,
                         uint64_t ns);
void slab_calls_create_cache(struct slab_calls *c, const struct slab_event *e, const struct kmem_cache_args *args, uint64_t ns);

/* The trace has ended: slab_replay_end, and with store_user the areas and pages that nobody gave back. */
void slab_calls_end(struct slab_calls *c);

/* Time went on without a call. */
void slab_calls_time(struct slab_calls *c, uint64_t ns);

/* Bytes of a pool's elements; 0 if there is no such pool. */
uint64_t slab_calls_element(const struct slab_calls *c, uint64_t number);
struct vmalloc *slab_calls_vmalloc(const struct slab_calls *c);
const struct slab_calls_stats *slab_calls_stats(const struct slab_calls *c); /* gauges are brought up to date */
const struct slab_latency *slab_calls_latency(const struct slab_calls *c, enum slab_calls_class k);
/* "calls.*", "calls.small_alloc.*" ..., "vmalloc.*", "mempool.*" (all pools together); before the tree is frozen. */
void slab_calls_add_stats(struct slab_calls *c, struct stats *tree);
void slab_calls_add_stats_late(struct slab_calls *c, struct stats *tree); /* after it, at the run's end */

#endif
