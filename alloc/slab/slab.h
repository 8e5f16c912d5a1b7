/*
 * The kernel's object allocator: caches of equal objects and kmalloc, by one of three designs (SLUB, the classic SLAB,
 * SLOB) over pages from `frames`. An object is its linear address in the direct map of the frame it lies in.
 *
 * Contents are not kept, except shadow bytes of caches with red zones or poison (slab_touch). What a caller does wrong
 * (double free, ...) is a finding that names the record, not an error; the wrong call changes nothing.
 *
 * Not thread-safe: one system belongs to one simulation. One memory node. Models: docs/model/slab.md, kmalloc.md.
 */
#ifndef SLAB_SLAB_H
#define SLAB_SLAB_H

#include "engine/err.h"
#include "engine/stats.h"
#include "engine/types.h"
#include "frames/frames.h"
#include "slab/slab_config.h"
#include "slab/replay/slab_latency.h"

#include <stdio.h>

/* Flags of a cache; linux-mm 5.1, 5.4. */
enum slab_flags {
    SLAB_HWCACHE_ALIGN = 1 << 0,
    SLAB_RECLAIM_ACCOUNT = 1 << 1,
    SLAB_CACHE_DMA = 1 << 2,
    SLAB_CACHE_DMA32 = 1 << 3,
    SLAB_ACCOUNT = 1 << 4,
    SLAB_TYPESAFE_BY_RCU = 1 << 5,
    SLAB_NO_MERGE = 1 << 6,
    SLAB_NOLEAKTRACE = 1 << 7,
    SLAB_CONSISTENCY_CHECKS = 1 << 8,
    SLAB_RED_ZONE = 1 << 9,
    SLAB_POISON = 1 << 10,
    SLAB_STORE_USER = 1 << 11,
    SLAB_KMALLOC = 1 << 12, /* set by kmalloc's own caches */
    SLAB_NO_OFFSLAB = 1 << 13, /* classic design: never with its index elsewhere */
};
#define SLAB_DEBUG_FLAGS (SLAB_CONSISTENCY_CHECKS | SLAB_RED_ZONE | SLAB_POISON | SLAB_STORE_USER)

#define ZERO_SIZE_PTR ((va_t){16}) /* of kmalloc(0) */
#define SLAB_NONE ((va_t){0})
enum { SLAB_NAME = 64, KMALLOC_MAX_ORDER = 10 };

/* What can be found wrong. X(name, text) */
#define SLAB_FINDINGS(X) \
    X(DOUBLE_FREE, "double_free") /* the object is free already */ \
    X(INVALID_FREE, "invalid_free") /* not the address of an object */ \
    X(WRONG_CACHE, "wrong_cache") /* kmem_cache_free with another cache than the object's */ \
    X(OVERRUN, "overrun") /* bytes outside the object were written: a red zone shows it */ \
    X(USE_AFTER_FREE, "use_after_free") /* a free object was written: poison shows it */ \
    X(READ_AFTER_FREE, "read_after_free") /* a free object was read: seen at the access only */ \
    X(LEAKED_OBJECT, "leaked_object") /* alive when its cache was destroyed or at the end */ \
    X(LEAKED_CACHE, "leaked_cache") /* destroyed while it has objects, or never destroyed; offset: how many */ \
    X(LEAKED_AREA, "leaked_area") /* of vmalloc or kvmalloc (the name), never given back; offset: its bytes */ \
    X(LEAKED_PAGES, "leaked_pages") /* a block of alloc_pages, never given back; offset: its pages */ \
    X(DEAD_CACHE, "dead_cache") /* an allocation from, or a call for, a cache that was destroyed */
enum slab_finding_kind {
#define SLAB_FINDING_ENUM(name, text) SLAB_##name,
    SLAB_FINDINGS(SLAB_FINDING_ENUM)
#undef SLAB_FINDING_ENUM
        N_SLAB_FINDINGS
};

/* Who does something: set before an operation, kept by what the operation leaves behind. */
struct slab_who { uint64_t record, call_site; };

struct slab_finding {
    enum slab_finding_kind kind;
    const char *cache; /* "kmalloc-large" for pages of kmalloc, "" if none */
    va_t object;       /* its first byte */
    int64_t offset;    /* first wrong byte, from the object's; 0 if that has no meaning */
    struct slab_who who;   /* where it was found */
    struct slab_who cause; /* overrun and use after free: the write; record 0 if it is not known */
    struct slab_who alloc, freed; /* of a cache: where it was made, destroyed; else last of the object, where remembered (store_user); record 0 if not */
};

#define SLAB_STATS(X, G) \
    X(allocs, "objects", "objects handed out, kmem_cache_alloc and kmalloc together") \
    X(frees, "objects", "objects given back") \
    X(failures, "objects", "requests for which no page could be had") \
    X(kmallocs, "objects", "... of the allocations: by kmalloc") \
    X(kfree_null, "calls", "kfree of NULL or of kmalloc(0)'s pointer") \
    X(large_allocs, "blocks", "kmalloc above the largest cache: straight to pages") \
    X(large_frees, "blocks", "such blocks given back") \
    X(page_allocs, "pages", "4 KiB pages taken from the page allocator") \
    X(page_frees, "pages", "4 KiB pages given back") \
    X(order_fallbacks, "slabs", "slabs of a smaller order than wanted, for want of memory") \
    G(caches, "caches", "caches that exist") \
    G(objects, "objects", "objects alive") \
    G(requested_bytes, "bytes", "bytes that the live objects asked for") \
    G(slot_bytes, "bytes", "bytes of the slots they lie in") \
    G(pages, "pages", "4 KiB pages held, large blocks included") \
    G(large_pages, "pages", "... of large blocks") \
    G(free_bytes, "bytes", "internal fragmentation: free slots in slabs") \
    G(tail_bytes, "bytes", "internal fragmentation: ends of slabs too short for an object, and the classic design's index") \
    G(index_objects, "objects", "classic design: of the live objects, indices of slabs that lie elsewhere (off-slab)") \
    G(index_bytes, "bytes", "... their bytes") \
    G(empty_bytes, "bytes", "of both: in slabs without any object")
struct slab_stats {
#define SLAB_STAT_FIELD(name, unit, help) uint64_t name;
    SLAB_STATS(SLAB_STAT_FIELD, SLAB_STAT_FIELD)
    uint64_t found[N_SLAB_FINDINGS];
};

/* Of one cache. The names of SLUB's are those of /sys/kernel/slab/NAME. */
#define SLAB_CACHE_STATS(X, G) \
    X(allocs, "objects", "objects handed out") \
    X(frees, "objects", "objects given back") \
    X(failures, "objects", "requests for which no page could be had") \
    G(objects, "objects", "objects alive") \
    G(peak_objects, "objects", "most objects alive at once") \
    G(requested_bytes, "bytes", "bytes that the live objects asked for") \
    G(slabs, "slabs", "slabs held") \
    G(pages, "pages", "their 4 KiB pages") \
    X(alloc_slab, "slabs", "slabs taken from the page allocator") \
    X(free_slab, "slabs", "slabs given back to it") \
    X(order_fallback, "slabs", "... of the taken: of the minimum order") \
    X(cmpxchg_cpu, "operations", "CMPXCHG on the CPU's list (fast path)") \
    X(cmpxchg_slab, "operations", "locked CMPXCHG on a slab's list") \
    X(alloc_fastpath, "objects", "from the CPU's list, or its array") \
    X(alloc_slowpath, "objects", "not from there") \
    X(alloc_refill, "objects", "the CPU's list was refilled from its slab, or its array") \
    X(alloc_from_partial, "slabs", "slab taken from the node's partial list") \
    X(cpu_partial_alloc, "slabs", "slab taken from the CPU's partial list") \
    X(cpu_partial_free, "slabs", "slab put on the CPU's partial list by a free") \
    X(cpu_partial_node, "slabs", "slab moved there from the node") \
    X(cpu_partial_drain, "lists", "the CPU's partial list went to the node") \
    X(free_fastpath, "objects", "freed to the CPU's current slab, or its array") \
    X(free_slowpath, "objects", "not there") \
    X(free_frozen, "objects", "freed to a slab that some CPU holds") \
    X(free_add_partial, "slabs", "a free put the slab on the node's partial list") \
    X(free_remove_partial, "slabs", "a free took the empty slab off it") \
    X(deactivate_full, "slabs", "slab left by its CPU: full") \
    X(deactivate_empty, "slabs", "... empty, given back") \
    X(deactivate_to_head, "slabs", "... to the head of the node's partial list") \
    X(deactivate_to_tail, "slabs", "... to its tail: other CPUs had freed into it") \
    X(sheaf_alloc, "objects", "from a sheaf") \
    X(sheaf_free, "objects", "into a sheaf") \
    X(sheaf_refill, "sheaves", "sheaf filled from slabs") \
    X(sheaf_flush, "sheaves", "sheaf emptied into slabs") \
    X(barn_get, "sheaves", "sheaf got from the barn") \
    X(barn_put, "sheaves", "sheaf left in the barn") \
    X(shared_refill, "objects", "classic: the CPU's array was refilled from the shared one") \
    X(shared_flush, "objects", "classic: flushed from the CPU's array to the shared one") \
    X(array_flush, "objects", "classic: flushed from an array to the slabs") \
    X(reaped, "slabs", "classic: free slabs given back by cache_reap")
struct slab_cache_stats {
    SLAB_CACHE_STATS(SLAB_STAT_FIELD, SLAB_STAT_FIELD)
#undef SLAB_STAT_FIELD
};

struct slab_sys;
struct kmem_cache;

struct kmem_cache_args {
    const char *name;
    uint32_t size;      /* bytes an object; 1 to 4 MiB */
    uint32_t align;     /* 0 or a power of two up to two pages (of kmalloc-8k) */
    unsigned flags;     /* enum slab_flags */
    bool ctor;          /* has a constructor */
    uint32_t usersize;  /* bytes of the object that may be copied to user space */
    uint32_t sheaf_capacity; /* SLUB: 0 for none */
    uint32_t slot;      /* the slot's size where a recording tells it; 0: from size, align, flags and ctor */
};

int slab_sys_new(struct slab_sys **out, const struct slab_config *cfg, struct frame_map *frames, unsigned cpus,
                 uint64_t seed, struct err *err);
/* Gives every page back. NULL is fine. */
void slab_sys_free(struct slab_sys *s);

void slab_set_who(struct slab_sys *s, struct slab_who who);
/* Time goes on, in picoseconds: the classic design's cache_reap runs when it is due. */
void slab_set_time(struct slab_sys *s, tick_t now);
/* What happened is told here; also counted. `f` is valid during the call. */
void slab_on_finding(struct slab_sys *s, void (*fn)(void *self, const struct slab_finding *f), void *self);
/* After a request for pages that took the page allocator's slow path: the cycles that others took for it (compaction). */
void slab_on_slow_path(struct slab_sys *s, uint64_t (*cycles)(void *self), void *self);
const char *slab_finding_name(enum slab_finding_kind k);

/* A cache, maybe an existing one that it is merged with; NULL if size, alignment or flags cannot be. */
struct kmem_cache *kmem_cache_create(struct slab_sys *s, const struct kmem_cache_args *args);
/* An object, or SLAB_NONE: running out is a result. `cpu` < cpus. */
va_t kmem_cache_alloc(struct kmem_cache *c, gfp_t gfp, unsigned cpu);
/* True if it was an object of `c` and is free now. */
bool kmem_cache_free(struct kmem_cache *c, va_t object, unsigned cpu);
/* Gives empty slabs back; true if any slab remains. */
bool kmem_cache_shrink(struct kmem_cache *c);
/* One user less; with the last one the cache goes. False if objects remain: each is a finding, and the cache stays
 * (leaked). `c` must not be used afterwards. */
bool kmem_cache_destroy(struct kmem_cache *c);

/* ZERO_SIZE_PTR for 0; SLAB_NONE if there is no memory or size > 4 MiB. */
va_t slab_kmalloc(struct slab_sys *s, uint64_t size, gfp_t gfp, unsigned cpu);
bool slab_kfree(struct slab_sys *s, va_t object, unsigned cpu);
/* Bytes that may be used at `object`: the slot's; 0 if there is none. */
uint64_t slab_ksize(const struct slab_sys *s, va_t object);
/* In place while the size fits the slot, else a new object (the old one is freed) or SLAB_NONE (it is kept). */
va_t slab_krealloc(struct slab_sys *s, va_t object, uint64_t size, gfp_t gfp, unsigned cpu);
uint64_t slab_kmalloc_size_roundup(const struct slab_sys *s, uint64_t size);
/* The cache that kmalloc takes, NULL for 0 bytes and for large blocks. */
struct kmem_cache *slab_kmalloc_cache(const struct slab_sys *s, uint64_t size, gfp_t gfp, uint64_t call_site);

/* A program's access to memory; with red zones or poison it leaves its mark. */
void slab_touch(struct slab_sys *s, va_t at, uint64_t len, bool write);
/* Checks the shadow bytes of every object now (as `validate` in /sys/kernel/slab); findings in order of address. */
void slab_validate(struct slab_sys *s);
/* Each object still alive is a finding, and each large block ("kmalloc-large"); the number of them. */
uint64_t slab_report_leaks(struct slab_sys *s);

/* Latency of the last operation and the path it took. */
struct slab_op { enum slab_path path; uint64_t cycles; };
struct slab_op slab_last_op(const struct slab_sys *s);
const struct slab_latency *slab_latency_of(const struct slab_sys *s, enum slab_path p);
const uint64_t *slab_alloc_bins(const struct slab_sys *s); /* [LAT_BINS]: allocations by any path */

/* ---- looking at it ---- */

const struct slab_stats *slab_stats(const struct slab_sys *s); /* gauges are brought up to date */
/* Where the bytes of slabs are, without a walk over them: what objects asked for, their rounding to slots, free slots, ends of slabs
 * (with the classic design's index). The four add up to pages. */
struct slab_bytes_now { uint64_t pages, objects, requested, rounding, free, tail; };
struct slab_bytes_now slab_bytes_now(const struct slab_sys *s);
/* Who has a frame: false if no slab does. `cache`: "kmalloc-large", "slob" where there is none. `reclaimable`: counted in SReclaimable. */
struct slab_frame_user { const char *cache; unsigned objects, in_use; bool reclaimable; };
bool slab_frame_user(const struct slab_sys *s, pfn_t pfn, struct slab_frame_user *out);
struct frame_map *slab_frames(const struct slab_sys *s);
const struct slab_config *slab_cfg(const struct slab_sys *s);
unsigned slab_cpus(const struct slab_sys *s);
/* Newest first, as /proc/slabinfo lists them. */
struct kmem_cache *slab_first_cache(const struct slab_sys *s);
struct kmem_cache *slab_next_cache(const struct kmem_cache *c);
struct kmem_cache *slab_find_cache(const struct slab_sys *s, const char *name); /* aliases too; NULL */

struct slab_cache_info {
    const char *name;
    uint32_t object_size, size, align, objects, order, offset;
    unsigned flags, refcount, min_partial, cpu_partial, cpu_partial_slabs; /* SLUB's; 0 in other designs */
    uint32_t limit, batchcount, shared, colours, colour_bytes; /* the classic design's */
    bool off_slab;
};
struct slab_cache_info kmem_cache_info(const struct kmem_cache *c);
const struct slab_cache_stats *kmem_cache_stats(const struct kmem_cache *c);
/* A line of /proc/slabinfo. */
struct slab_row { uint64_t active_objects, objects, active_slabs, slabs, shared_avail; };
struct slab_row kmem_cache_row(const struct kmem_cache *c);

/* Registers "slab.*" (before the tree is frozen). Caches come later: slab_add_cache_stats. */
void slab_add_stats(const struct slab_sys *s, struct stats *tree);
/* Registers "slab.latency.<path>.*" and "slab.<cache>.*" of all caches that were used; after the run, before the result is written. */
void slab_add_cache_stats(const struct slab_sys *s, struct stats *tree);
/* /proc/slabinfo, version 2.1. */
void slab_print_slabinfo(const struct slab_sys *s, FILE *f);
/* A table of paths: count, mean, p50, p99, worst. */
void slab_print_latency(const struct slab_sys *s, FILE *f);

/* The expensive verifier (--check): each design's promises, books against lists, pages against frames. */
int slab_check(const struct slab_sys *s, struct err *err);

#endif
