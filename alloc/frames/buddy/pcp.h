/*
 * Per-CPU page lists of a zone (Linux 6.18 mm/page_alloc.c; linux-mm 2.7): a short cut in front of the buddy lists, which
 * decides the order in which frames are used again. One `struct pcp` a zone and CPU; a list an order (0..3, and 9 for
 * huge pages) and migratetype, threaded through the frame records:
 *
 *      freed last ─► first ── … ── last ◄─ refilled last, drained first
 *      allocated ◄──┘
 *
 * A block on a list is FRAME_PCP: its record's `asid` is the CPU and `private` the list. It is not free for
 * NR_FREE_PAGES (struct zone's `free`). Sizes (`batch`, `high_min`, `high_max`) are the zone's, since all CPUs of a node have
 * the same. All page counts are base pages. Rules and what is left out: docs/model/pcp.md.
 *
 * pcp_alloc and pcp_free are what frames_alloc and frames_free use. The functions behind them are public so that a replay of
 * recorded events can drive each step by itself.
 */
#ifndef FRAMES_PCP_H
#define FRAMES_PCP_H

#include "frames/frames.h"

enum {
    PCP_COSTLY_ORDER = 3, /* PAGE_ALLOC_COSTLY_ORDER */
    PCP_THP_ORDER = HPAGE_PMD_ORDER,
    PCP_FREE_HIGH_BATCHES = 3, /* a CPU's share of the cache above this many batches: PCPF_FREE_HIGH_BATCH */
    PCP_LISTS = (PCP_COSTLY_ORDER + 1) * MIGRATE_PCPTYPES + 2,
};

struct pcp_list { uint32_t first, last; }; /* pfn of the block's head; 0: empty (pfn 0 is in no zone) */
struct pcp {
    uint32_t count;            /* pages on all lists */
    uint32_t high;             /* what `count` may reach, tuned between high_min and high_max; 0 until first used */
    uint32_t free_count;       /* pages freed in a row, halved by every allocation */
    uint8_t alloc_factor;      /* a refill takes batch << alloc_factor, halved by every free */
    bool prev_free_high_order; /* PCPF_PREV_FREE_HIGH_ORDER */
    struct pcp_list list[PCP_LISTS];
};

/* Is this order cached? (pcp_allowed_order) */
static inline bool pcp_order(unsigned order) { return order <= PCP_COSTLY_ORDER || order == PCP_THP_ORDER; }
/* order_to_pindex; `mt` is below MIGRATE_PCPTYPES. */
static inline unsigned pcp_list_of(unsigned order, enum migratetype mt)
{
    return order <= PCP_COSTLY_ORDER ? order * MIGRATE_PCPTYPES + mt : PCP_LISTS - 2u + (mt == MIGRATE_MOVABLE);
}
static inline unsigned pcp_list_order(unsigned list)
{
    return list < PCP_LISTS - 2u ? list / MIGRATE_PCPTYPES : (unsigned)PCP_THP_ORDER;
}

/* The lists of a zone and CPU; NULL if the map has none (buddy.pcp off, or an allocator without). */
static inline struct pcp *pcp_of(const struct frame_map *map, const struct zone *z, unsigned cpu)
{
    return map->pcps ? &z->pcps[cpu] : NULL;
}

/*
 * rmqueue_pcplist: a block for `cpu`, refilling its list if it is empty. The block's state is FRAME_NONE, as from the
 * allocator. PFN_NONE if neither the list nor the zone has one.
 */
pfn_t pcp_alloc(struct frame_map *map, struct zone *z, unsigned cpu, unsigned order, enum migratetype mt,
                unsigned flags);
/* free_frozen_page_commit: a block in state FRAME_NONE comes to the head of its list; may drain. The list is that of the
 * pageblock's type; HighAtomic goes to Movable's, Isolate goes past the lists to the zone. */
void pcp_free(struct frame_map *map, struct zone *z, unsigned cpu, uint64_t pfn, unsigned order);

/* nr_pcp_alloc: how many blocks the next refill takes. Tunes `high` and alloc_factor, so ask once a refill. */
unsigned pcp_nr_alloc(const struct frame_map *map, struct zone *z, struct pcp *p, unsigned order);
/* rmqueue_bulk: up to `n` blocks of the zone to the tail of the list; how many came. */
unsigned pcp_refill(struct frame_map *map, struct zone *z, unsigned cpu, unsigned order, enum migratetype mt,
                    unsigned flags, unsigned n);
/* free_pcppages_bulk: at least `pages` pages (all, if fewer) back to the zone; list `first` is emptied first, from the
 * tail, then the others round robin. */
void pcp_drain(struct frame_map *map, struct zone *z, unsigned cpu, uint32_t pages, unsigned first);
/* decay_pcp_high: what vmstat work does on each CPU once a second (vm.stat_interval; frames_tick calls it for all). */
void pcp_decay(struct frame_map *map, struct zone *z, unsigned cpu);
/* drain_all_pages: all lists of all CPUs, or of one zone (z not NULL). */
void pcp_drain_all(struct frame_map *map, struct zone *z);

/* For a replay. Takes block `pfn` off whatever list it is on and leaves it in state FRAME_NONE; false if it is on none. */
bool pcp_take(struct frame_map *map, uint64_t pfn);
/* Puts a block in state FRAME_NONE on a list, without draining or tuning. */
void pcp_put(struct frame_map *map, struct zone *z, unsigned cpu, uint64_t pfn, unsigned list, bool tail);

/* Sizes of the lists (zone_batchsize, zone_highsize), pure. `low` is the low watermark with its boost; fraction is
 * vm.percpu_pagelist_high_fraction; cpus those of the zone's node (all, if it has none). */
uint32_t pcp_batch(uint64_t managed);
uint32_t pcp_high_min(uint64_t managed, uint64_t low, uint32_t fraction, unsigned cpus);
uint32_t pcp_high_max(uint64_t managed, uint32_t fraction, unsigned cpus);

/* Part of frame_map_new and of every change of the watermarks: sets batch, high_min and high_max of all zones. */
void pcp_set_sizes(struct frame_map *map);
/* Part of frames_check: links, counts, states; marks every frame on a list by `mark` (0: it was unmarked). */
int pcp_check(const struct frame_map *map, const struct zone *z, int (*mark)(void *ctx, uint64_t pfn, unsigned order),
              void *ctx, uint64_t *pages, struct err *err);

#endif
