/*
 * The short ways of the per-CPU lists (pcp.h), inline because nearly every allocation and free ends here: an allocation that
 * finds a block on its list, a free that leaves the list below its limit. What else can happen is called, in pcp.c. Internal
 * to this library.
 */
#ifndef FRAMES_PCP_FAST_H
#define FRAMES_PCP_FAST_H

#include "frames/buddy/free_list.h"
#include "frames/buddy/pcp.h"
#include "frames/frame_alloc.h"

/* Refills an empty list; false if the zone has nothing. */
bool pcp_refill_empty(struct frame_map *map, struct zone *z, struct pcp *p, unsigned order, enum migratetype mt, unsigned flags);
/* After a free that may have been one too many: tunes `high` and drains what is above it. */
void pcp_freed(struct frame_map *map, struct zone *z, struct pcp *p, unsigned list, bool free_high);

static inline void pcp_link_head(struct frame_map *map, struct pcp *p, unsigned cpu, uint64_t pfn, unsigned list, unsigned order)
{
    struct pcp_list *l = &p->list[list];
    struct frame *frames = map->frames, *f = &frames[pfn];
    uint32_t i = (uint32_t)pfn, next = l->first;
    f->state = FRAME_PCP;
    f->order = (uint8_t)order;
    f->asid = cpu;
    f->private = list;
    f->prev = 0;
    f->next = next;
    l->first = i;
    if (likely(next))
        frames[next].prev = i;
    else
        l->last = i;
    p->count += 1u << order;
}

/* Off the head of its list, which is not empty: FRAME_NONE. */
static inline pfn_t pcp_unlink_head(struct frame_map *map, struct pcp *p, unsigned list, unsigned order)
{
    struct pcp_list *l = &p->list[list];
    struct frame *frames = map->frames, *f = &frames[l->first];
    uint32_t i = l->first, next = f->next;
    l->first = next;
    if (likely(next))
        frames[next].prev = 0;
    else
        l->last = 0;
    p->count -= 1u << order;
    f->state = FRAME_NONE;
    f->order = 0;
    return (pfn_t){i};
}

static inline pfn_t pcp_alloc_fast(struct frame_map *map, struct zone *z, unsigned cpu, unsigned order, enum migratetype mt,
                                   unsigned flags)
{
    struct pcp *p = &z->pcps[cpu];
    unsigned list = pcp_list_of(order, mt);
    p->free_count >>= 1;
    if (likely(p->list[list].first))
        map->pcp_st.hits++;
    else if (!pcp_refill_empty(map, z, p, order, mt, flags))
        return PFN_NONE;
    return pcp_unlink_head(map, p, list, order);
}

static inline void pcp_free_fast(struct frame_map *map, struct zone *z, unsigned cpu, uint64_t pfn, unsigned order)
{
    enum migratetype mt = pageblock_get(map, pfn);
    if (unlikely(mt >= MIGRATE_PCPTYPES)) {
        if (mt == MIGRATE_ISOLATE) {
            map->ops->free(map, z, pfn, order);
            return;
        }
        mt = MIGRATE_MOVABLE;
    }
    struct pcp *p = &z->pcps[cpu];
    unsigned list = pcp_list_of(order, mt);
    uint32_t batch = z->pcp_batch;
    bool free_high = false;
    p->alloc_factor >>= 1;
    pcp_link_head(map, p, cpu, pfn, list, order);
    map->pcp_st.frees++;
    /* Blocks of several pages on the lists keep memory apart, so a long run of such frees empties them. */
    if (order >= 1 && order <= PCP_COSTLY_ORDER) {
        free_high = p->free_count >= batch + z->pcp_high_min / 2 && p->prev_free_high_order &&
                    (map->pcp_cache_pages <= PCP_FREE_HIGH_BATCHES * (uint64_t)batch || p->count >= batch);
        p->prev_free_high_order = true;
    } else {
        p->prev_free_high_order = false;
    }
    if (p->free_count < (uint64_t)batch << map->pcp_scale_max)
        p->free_count += 1u << order;
    /* Of nr_pcp_high's cases the common one: nothing is tuned, and the list may keep the block. */
    if (likely(p->count < p->high && p->high >= z->pcp_high_min && p->high <= z->pcp_high_max && !free_high &&
               !(z->flags & (ZONE_RECLAIM_ACTIVE | ZONE_BELOW_HIGH))))
        return;
    pcp_freed(map, z, p, list, free_high);
}

#endif
