/*
 * Allocating and freeing where nothing stands in the way (Linux 6.18 mm/page_alloc.c get_page_from_freelist, rmqueue,
 * __free_frozen_pages; linux-mm 2.9). Nearly every event of a run passes here and nowhere else, so what a request asks is
 * looked up (struct frame_rule), the common answers of the watermark test and of the per-CPU lists are inline, and single pages have
 * a copy of the code for themselves.
 */
#include "frames/buddy/pcp_fast.h"
#include "frames/path.h"

#include <assert.h>

/* rmqueue_buddy: straight from the zone; urgent requests may use its reserve. */
static pfn_t rmqueue_zone(struct frame_map *map, struct zone *z, unsigned order, enum migratetype mt, unsigned flags)
{
    enum rmqueue_mode mode = RMQUEUE_NORMAL;
    pfn_t pfn = PFN_NONE;
    if (unlikely(flags & ALLOC_HIGHATOMIC) && z->nonempty[MIGRATE_HIGHATOMIC])
        pfn = map->ops->alloc(map, z, order, MIGRATE_HIGHATOMIC, flags, &mode);
    if (likely(pfn_is_none(pfn)))
        pfn = map->ops->alloc(map, z, order, mt, flags, &mode);
    if (unlikely(pfn_is_none(pfn)) && (flags & (ALLOC_OOM | ALLOC_NON_BLOCK)) && z->nonempty[MIGRATE_HIGHATOMIC])
        pfn = map->ops->alloc(map, z, order, MIGRATE_HIGHATOMIC, flags, &mode);
    return pfn;
}

static inline pfn_t rmqueue(struct frame_map *map, struct zone *z, unsigned order, enum migratetype mt, unsigned flags)
{
    pfn_t pfn = PFN_NONE;
    if (z->pcps && pcp_order(order))
        pfn = pcp_alloc_fast(map, z, map->cpu, order, mt, flags);
    if (unlikely(pfn_is_none(pfn)))
        pfn = rmqueue_zone(map, z, order, mt, flags);
    if (unlikely(z->flags & ZONE_BOOSTED) && (flags & ALLOC_KSWAPD)) {
        z->flags &= ~(unsigned)ZONE_BOOSTED;
        if (map->hooks.wake_kswapd)
            map->hooks.wake_kswapd(map->hooks.self, z, 0, z->type, GFP_ATOMIC); /* order 0 wakes nobody else */
    }
    if (unlikely(flags & ALLOC_HIGHATOMIC) && !pfn_is_none(pfn))
        highatomic_reserve(map, z, pfn.v, order);
    return pfn;
}

/* May the request be taken from z? Notes on the way that z fell below its high mark, which shrinks the per-CPU lists. */
static inline bool admitted(struct zone *z, const struct frame_request *r, unsigned flags)
{
    if (!(z->flags & ZONE_BELOW_HIGH)) {
        if (likely(zone_watermark_ok(z, r->order, r->highest, (flags & ~(unsigned)ALLOC_WMARK_MASK) | WMARK_HIGH)))
            return true;
        z->flags |= ZONE_BELOW_HIGH;
    }
    if ((flags & ALLOC_NO_WATERMARKS) || likely(zone_watermark_ok(z, r->order, r->highest, flags)))
        return true;
    if ((flags & ALLOC_WMARK_MASK) == WMARK_LOW)
        z->st.low_misses++;
    else
        z->st.min_misses++;
    return false;
}

/* zone_statistics: which node served, seen from the first zone of the list and from the CPU. */
static inline void numa_count(const struct frame_map *map, struct zone *preferred, struct zone *z)
{
    if (likely(z->node == preferred->node)) {
        z->st.numa_hit++;
    } else {
        z->st.numa_miss++;
        preferred->st.numa_foreign++;
    }
    if (likely(z->node == map->node))
        z->st.numa_local++;
    else
        z->st.numa_other++;
}

/* From the k-th zone of the list on; all, should it have to begin again. */
static pfn_t get_page_from(struct frame_map *map, const struct frame_request *r, unsigned flags, unsigned k, struct zone **from)
{
    const struct frame_zonelist *l = frames_zonelist(map, r->node, r->highest);
    bool nodes = map->n_nodes > 1, skip_awake = nodes, skipped = false;
again:
    for (; k < l->n; k++) {
        struct zone *z = &map->zones[l->zone[k]];
        if (unlikely(nodes)) {
            if (z->node != r->node && (r->gfp & __GFP_THISNODE))
                break;
            if (skip_awake && (z->flags & ZONE_RECLAIM_ACTIVE)) { /* first nodes whose kswapd sleeps */
                skipped = true;
                continue;
            }
            if (z->node != map->zones[l->zone[0]].node && (flags & ALLOC_NOFRAGMENT) && !map->defrag_mode) {
                flags &= ~(unsigned)ALLOC_NOFRAGMENT; /* locality is worth more than unmixed pageblocks */
                goto restart;
            }
        }
        if (unlikely(!admitted(z, r, flags)))
            continue;
        pfn_t pfn = rmqueue(map, z, r->order, r->mt, flags);
        if (likely(!pfn_is_none(pfn))) {
            numa_count(map, &map->zones[l->zone[0]], z);
            *from = z;
            return pfn;
        }
        z->st.no_block++;
    }
    if (skipped) {
        skip_awake = skipped = false;
        goto restart;
    }
    if ((flags & ALLOC_NOFRAGMENT) && !map->defrag_mode) {
        flags &= ~(unsigned)ALLOC_NOFRAGMENT;
        goto restart;
    }
    return PFN_NONE;
restart:
    k = 0;
    goto again;
}

pfn_t frames_get_page(struct frame_map *map, const struct frame_request *r, unsigned flags, struct zone **from)
{
    return get_page_from(map, r, flags, 0, from);
}

/* ---- allocation ------------------------------------------------------------------------------------------------------- */

static inline pfn_t hand_out(struct frame_map *map, struct zone *z, pfn_t pfn, unsigned order, enum frame_tag tag)
{
    *frame_at(map, pfn) = (struct frame){.state = FRAME_ALLOCATED, .order = (uint8_t)order, .tag = (uint8_t)tag};
    map->tag_pages[tag] += 1ull << order;
    map->st.allocs++;
    z->st.allocs++;
    z->st.alloc_pages += 1ull << order;
    return pfn;
}

/* Where the short way of alloc_listed ends. first_admitted: only because its zone has no block on the CPU's list. */
static __attribute__((noinline)) pfn_t alloc_uncommon(struct frame_map *map, gfp_t gfp, unsigned order, enum frame_tag tag,
                                                      bool first_admitted)
{
    const struct frame_rule *rule = frames_rule(map, gfp);
    struct frame_request r = {.gfp = gfp, .order = order, .node = map->node, .highest = (enum zone_type)rule->highest,
                              .mt = (enum migratetype)rule->mt};
    unsigned flags = WMARK_LOW | (gfp & __GFP_KSWAPD_RECLAIM ? ALLOC_KSWAPD : 0u) |
                     (frames_zonelist(map, r.node, r.highest)->nofragment || map->defrag_mode ? ALLOC_NOFRAGMENT : 0u);
    struct zone *z = rule->first;
    pfn_t pfn;
    if (first_admitted) {
        pfn = rmqueue(map, z, order, r.mt, flags);
        if (likely(!pfn_is_none(pfn))) {
            numa_count(map, z, z);
            return hand_out(map, z, pfn, order, tag);
        }
        z->st.no_block++;
    }
    pfn = get_page_from(map, &r, flags, first_admitted ? 1 : 0, &z);
    if (unlikely(pfn_is_none(pfn)))
        pfn = frames_alloc_slow(map, &r, &z);
    if (likely(!pfn_is_none(pfn)))
        return hand_out(map, z, pfn, order, tag);
    map->st.failures++;
    map->st.failures_pages += 1ull << order;
    return PFN_NONE;
}

/* The first zone is of the CPU's node, nothing is the matter with it, more than enough is free, and the CPU's list has a block. */
static inline __attribute__((always_inline)) pfn_t alloc_listed(struct frame_map *map, gfp_t gfp, unsigned order, enum frame_tag tag)
{
    const struct frame_rule *rule = frames_rule(map, gfp);
    struct zone *z = rule->first;
    if (unlikely(!z || z->flags & (ZONE_BELOW_HIGH | ZONE_RECLAIM_ACTIVE | ZONE_BOOSTED) ||
                 !zone_clearly_above(z, order, (enum zone_type)rule->highest, WMARK_HIGH)))
        return alloc_uncommon(map, gfp, order, tag, false);
    struct pcp *p = z->pcps ? &z->pcps[map->cpu] : NULL;
    unsigned list = order * MIGRATE_PCPTYPES + rule->mt; /* pcp_list_of, up to the costly order */
    if (unlikely(!p || !p->list[list].first))
        return alloc_uncommon(map, gfp, order, tag, true);
    p->free_count >>= 1;
    map->pcp_st.hits++;
    z->st.numa_hit++;
    z->st.numa_local++;
    return hand_out(map, z, pcp_unlink_head(map, p, list, order), order, tag);
}

static __attribute__((noinline)) pfn_t alloc_block(struct frame_map *map, gfp_t gfp, unsigned order, enum frame_tag tag)
{
    if (likely(order <= PCP_COSTLY_ORDER && order <= map->max_order))
        return alloc_listed(map, gfp, order, tag);
    if (likely(order <= map->max_order))
        return alloc_uncommon(map, gfp, order, tag, false);
    map->st.failures++;
    map->st.failures_pages += 1ull << (order < 63 ? order : 63);
    return PFN_NONE;
}

pfn_t frames_alloc(struct frame_map *map, gfp_t gfp, unsigned order, enum frame_tag tag)
{
    return order == 0 ? alloc_listed(map, gfp, 0, tag) : alloc_block(map, gfp, order, tag);
}

/* ---- freeing ------------------------------------------------------------------------------------------------------------ */

static inline __attribute__((always_inline)) void free_as(struct frame_map *map, pfn_t pfn, unsigned order)
{
    assert(pfn.v < map->n_frames);
    struct frame *f = frame_at(map, pfn);
    assert(f->state == FRAME_ALLOCATED && f->order == order); /* else: freed twice, or never allocated */
    struct zone *z = frames_zone_of(map, pfn);
    map->tag_pages[f->tag] -= 1ull << order;
    map->st.frees++;
    z->st.frees++;
    z->st.free_pages_back += 1ull << order;
    f->state = FRAME_NONE;
    f->order = 0;
    f->tag = FRAME_TAG_NONE;
    if (likely(z->pcps && pcp_order(order)))
        pcp_free_fast(map, z, map->cpu, pfn.v, order);
    else
        map->ops->free(map, z, pfn.v, order);
}

static __attribute__((noinline)) void free_block(struct frame_map *map, pfn_t pfn, unsigned order) { free_as(map, pfn, order); }

void frames_free(struct frame_map *map, pfn_t pfn, unsigned order)
{
    if (order == 0)
        free_as(map, pfn, 0);
    else
        free_block(map, pfn, order);
}
