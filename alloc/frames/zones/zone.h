/*
 * Zones: which frames each holds, what is free in it by order and migratetype, its watermarks and lowmem_reserve.
 * The functions are pure arithmetic over an array of zones, N_ZONES a node (Linux 6.18 mm/page_alloc.c; linux-mm 1.1-1.7), so
 * that they can be held against a live kernel's /proc/zoneinfo. Units are pages of 4 KiB unless a name says otherwise.
 */
#ifndef FRAMES_ZONE_H
#define FRAMES_ZONE_H

#include "engine/types.h"
#include "frames/frames_config.h"
#include "frames/zones/gfp.h"

enum { FRAME_MAX_ORDER = 10, FRAME_ORDERS = 11 };
enum wmark { WMARK_MIN, WMARK_LOW, WMARK_HIGH, WMARK_PROMO, N_WMARKS };

/* How an allocation may treat marks and foreign pageblocks; the values are the kernel's ALLOC_* bits (linux-mm 1.8).
 * The low two bits are an enum wmark. */
enum alloc_flags {
    ALLOC_WMARK_MASK = 0x3,
    ALLOC_NO_WATERMARKS = 0x4,
    ALLOC_OOM = 0x8,
    ALLOC_NON_BLOCK = 0x10,
    ALLOC_MIN_RESERVE = 0x20,
    ALLOC_NOFRAGMENT = 0x100,
    ALLOC_HIGHATOMIC = 0x200,
    ALLOC_KSWAPD = 0x800,
    ALLOC_RESERVES = ALLOC_NON_BLOCK | ALLOC_MIN_RESERVE | ALLOC_HIGHATOMIC | ALLOC_OOM, /* may use highatomic pages */
};

/* What the kernel keeps in zone->flags. */
enum zone_flags {
    ZONE_BELOW_HIGH = 1,     /* an allocation found the zone below its high watermark: per-CPU lists shrink */
    ZONE_RECLAIM_ACTIVE = 2, /* kswapd is awake and balances the node */
    ZONE_BOOSTED = 4,        /* a claim raised the marks and kswapd was not yet told */
    ZONE_IS_HIGHMEM = 8,     /* what the zone is: not directly mapped */
    ZONE_IS_MOVABLE = 16,    /* ... only for what can be moved */
};

#define ZONE_STATS(X) \
    X(allocs, "blocks", "blocks handed out by this zone") \
    X(alloc_pages, "pages", "pages handed out by this zone") \
    X(frees, "blocks", "blocks given back to this zone") \
    X(free_pages_back, "pages", "pages given back to this zone") \
    X(low_misses, "requests", "requests turned away because the zone would fall below its low watermark") \
    X(min_misses, "requests", "requests turned away because the zone would fall below its minimum watermark") \
    X(numa_hit, "blocks", "blocks from the node that was asked first") \
    X(numa_miss, "blocks", "blocks for a request whose first node had none") \
    X(numa_foreign, "blocks", "requests for this zone that another node served") \
    X(numa_local, "blocks", "blocks for a CPU of this node") \
    X(numa_other, "blocks", "blocks for a CPU of another node") \
    X(no_block, "requests", "requests that passed the watermark test and found no block that they may take")
struct zone_stats {
#define ZONE_STAT_FIELD(name, unit, help) uint64_t name;
    ZONE_STATS(ZONE_STAT_FIELD)
#undef ZONE_STAT_FIELD
};

/* Free memory that was never handed out: runs of free blocks of the largest order, in ascending order, of which none
 * is linked. They stand, as one element, where the blocks would stand in the free list (docs/model/buddy.md). */
enum { ZONE_VIRGIN_RUNS = 16 };
struct virgin {
    struct { uint64_t start, end; } run[ZONE_VIRGIN_RUNS]; /* the first run shrinks from its start */
    unsigned n, first;
    uint64_t blocks; /* in all runs */
};

struct pcp;
struct zone {
    const char *name;
    enum zone_type type;
    unsigned node, flags; /* flags: enum zone_flags */
    uint64_t start, end;       /* spanned = end - start, holes included; start == end: empty */
    uint64_t present, managed; /* without holes; without what was reserved at boot */

    uint64_t free;        /* NR_FREE_PAGES */
    uint64_t free_blocks; /* NR_FREE_PAGES_BLOCKS: pages in free blocks of a pageblock's order or more */
    uint64_t nr_free[FRAME_ORDERS];                   /* blocks, all types */
    uint32_t nr_free_mt[FRAME_ORDERS][MIGRATE_TYPES]; /* blocks; virgin ones are counted */
    uint32_t nonempty[MIGRATE_TYPES];                 /* bit o: nr_free_mt[o] is not 0 */
    uint32_t list_base;                               /* index of the first list head, see frames.h */
    uint32_t virgin_link;                             /* index of the element that stands for `virgin` */
    uint64_t rover; /* the bitmap allocator's: where its next search begins */
    enum migratetype virgin_mt;
    struct virgin virgin;

    uint64_t wmark[N_WMARKS];
    uint64_t boost; /* on top of every mark, until kswapd takes it back */
    uint64_t reserved_highatomic; /* pages in HIGHATOMIC pageblocks */
    struct pcp *pcps; /* [cpus], or NULL: no per-CPU lists */
    uint32_t pcp_batch, pcp_high_min, pcp_high_max; /* of each CPU's lists, pages; pcp.h */
    uint64_t lowmem_reserve[N_ZONES]; /* index: highest zone of the request */
    struct zone_stats st;
};

static inline bool zone_populated(const struct zone *z) { return z->present != 0; }
/* Directly mapped and for any use: what nr_free_buffer_pages and the shares of min_free_kbytes count. */
static inline bool zone_lowmem(const struct zone *z) { return !(z->flags & (ZONE_IS_HIGHMEM | ZONE_IS_MOVABLE)); }

/* vm.min_free_kbytes by the boot-time formula (linux-mm 1.3), in KiB. */
uint64_t zones_min_free_kb(const struct zone *z, unsigned n);
/* ... raised as khugepaged raises it when transparent huge pages are enabled. */
uint64_t zones_min_free_kb_khugepaged(const struct zone *z, unsigned n, uint64_t min_free_kb,
                                     unsigned pageblock_order);
/* Sets wmark[] of all zones (linux-mm 1.4) from their managed pages. */
void zones_set_watermarks(struct zone *z, unsigned n, uint64_t min_free_kb, uint32_t scale_factor);
/* Sets lowmem_reserve[] of one node's zones (linux-mm 1.5); ratio 0 turns a zone's protection off. */
void zones_set_lowmem_reserve(struct zone z[N_ZONES], const uint32_t ratio[N_ZONES]);

/* May a request of 2^order pages whose highest zone is `highest` be taken from z? (linux-mm 1.7, __zone_watermark_ok;
 * flags choose the mark and how far below it the request may go.) */
bool zone_mark_ok(const struct zone *z, unsigned order, uint64_t mark, enum zone_type highest, unsigned flags,
                  uint64_t free); /* ... for any mark and number of free pages */
bool zone_watermark_exactly(const struct zone *z, unsigned order, enum zone_type highest, unsigned flags);
/* The common case of that, whatever else the flags allow: enough is free without any exception. */
static inline bool zone_clearly_above(const struct zone *z, unsigned order, enum zone_type highest, enum wmark mark)
{
    return z->free > z->wmark[mark] + z->boost + z->lowmem_reserve[highest] + (1ull << order) - 1 &&
           !z->nonempty[MIGRATE_HIGHATOMIC] &&
           (order == 0 ||
            (z->nonempty[MIGRATE_UNMOVABLE] | z->nonempty[MIGRATE_MOVABLE] | z->nonempty[MIGRATE_RECLAIMABLE]) >> order);
}
static inline bool zone_watermark_ok(const struct zone *z, unsigned order, enum zone_type highest, unsigned flags)
{
    return likely(zone_clearly_above(z, order, highest, (enum wmark)(flags & ALLOC_WMARK_MASK))) ||
           zone_watermark_exactly(z, order, highest, flags);
}

#endif
