/*
 * The slow path of an allocation, in the kernel's order (Linux 6.18 mm/page_alloc.c __alloc_pages_slowpath, should_reclaim_retry,
 * should_compact_retry; linux-mm 2.10): wake kswapd, compact for costly or unmovable requests, reclaim, compact, retry,
 * kill. What each of these does is behind struct frames_hooks.
 */
#include "frames/path.h"
#include "frames/buddy/pcp.h"

enum { MAX_RECLAIM_RETRIES = 16, MAX_COMPACT_RETRIES = 16, COSTLY_COMPACT_SHARE = 4 };

struct slow {
    struct frame_map *map;
    const struct frame_request *r;
    struct zone **from;
    unsigned flags, reserves; /* reserves: instead of what the gfp mask gives */
    bool costly, can_reclaim, can_compact, drained, retry;
    unsigned reclaim_loops, compact_loops;
    enum compact_priority priority;
    enum compact_result result;
};

unsigned frames_slow_flags(const struct frame_map *map, const struct frame_request *r)
{
    gfp_t gfp = r->gfp;
    unsigned flags = WMARK_MIN | (map->defrag_mode ? ALLOC_NOFRAGMENT : 0u);
    if (gfp & __GFP_KSWAPD_RECLAIM)
        flags |= ALLOC_KSWAPD;
    if (gfp & __GFP_HIGH)
        flags |= ALLOC_MIN_RESERVE;
    if (!(gfp & (__GFP_DIRECT_RECLAIM | __GFP_NOMEMALLOC))) {
        flags |= ALLOC_NON_BLOCK;
        if (r->order > 0 && (gfp & __GFP_HIGH))
            flags |= ALLOC_HIGHATOMIC;
    }
    return flags;
}

static enum frames_task task_of(const struct slow *s)
{
    const struct frames_hooks *h = &s->map->hooks;
    return h->task ? h->task(h->self) : FRAMES_TASK_PLAIN;
}

/* __gfp_pfmemalloc_flags: how far the reserves are open to this request, or to the task that makes it; 0: not at all. */
static unsigned reserve_flags(const struct slow *s)
{
    gfp_t gfp = s->r->gfp;
    if (gfp & __GFP_NOMEMALLOC)
        return 0;
    if (gfp & __GFP_MEMALLOC)
        return ALLOC_NO_WATERMARKS;
    enum frames_task task = task_of(s);
    return task == FRAMES_TASK_RECLAIMS ? ALLOC_NO_WATERMARKS : task == FRAMES_TASK_VICTIM ? ALLOC_OOM : 0;
}

static void wake_kswapds(struct slow *s)
{
    const struct frames_hooks *h = &s->map->hooks;
    if (!(s->flags & ALLOC_KSWAPD))
        return;
    const struct frame_zonelist *l = frames_zonelist(s->map, s->r->node, s->r->highest);
    int node = -1; /* once a node, by its highest zone that may serve */
    for (unsigned i = 0; h->wake_kswapd && i < l->n; i++) {
        struct zone *z = &s->map->zones[l->zone[i]];
        if ((int)z->node == node)
            continue;
        node = (int)z->node;
        h->wake_kswapd(h->self, z, s->r->order, s->r->highest, s->r->gfp);
    }
}

static pfn_t compact(struct slow *s)
{
    const struct frames_hooks *h = &s->map->hooks;
    s->result = COMPACT_SKIPPED;
    if (!h->compact || s->r->order == 0)
        return PFN_NONE;
    s->map->st.direct_compactions++;
    s->result = h->compact(h->compactor, s->r, s->flags, s->priority);
    if (s->result == COMPACT_SKIPPED)
        return PFN_NONE;
    pfn_t pfn = frames_get_page(s->map, s->r, s->flags, s->from);
    if (h->compact_done)
        h->compact_done(h->compactor, s->r, pfn_is_none(pfn) ? NULL : *s->from);
    return pfn;
}

/* One try of reclaim. What per-CPU lists and the reserve hold comes back when that was not enough; where nothing reclaims, once. */
static pfn_t reclaim(struct slow *s, bool *progress)
{
    const struct frames_hooks *h = &s->map->hooks;
    *progress = false;
    if (h->reclaim) {
        s->map->st.direct_reclaims++;
        *progress = h->reclaim(h->self, s->r) > 0;
    }
    pfn_t pfn = *progress ? frames_get_page(s->map, s->r, s->flags, s->from) : PFN_NONE;
    if (pfn_is_none(pfn) && (*progress || (!h->reclaim && !s->drained))) {
        bool held = highatomic_unreserve(s->map, s->r, false) || frames_pcp_pages(s->map);
        s->drained = true;
        pcp_drain_all(s->map, NULL);
        if (held)
            pfn = frames_get_page(s->map, s->r, s->flags, s->from);
    }
    return pfn;
}

static bool reclaim_retry(struct slow *s, bool progress)
{
    const struct frames_hooks *h = &s->map->hooks;
    if (!h->reclaim)
        return false;
    s->reclaim_loops = progress && !s->costly ? 0 : s->reclaim_loops + 1;
    if (s->reclaim_loops > MAX_RECLAIM_RETRIES)
        return highatomic_unreserve(s->map, s->r, true);
    const struct frame_zonelist *l = frames_zonelist(s->map, s->r->node, s->r->highest);
    for (unsigned i = 0; i < l->n; i++) {
        const struct zone *z = &s->map->zones[l->zone[i]];
        uint64_t more = h->reclaimable ? h->reclaimable(h->self, z) : 0;
        if (zone_mark_ok(z, s->r->order, z->wmark[WMARK_MIN] + z->boost, s->r->highest, s->flags, z->free + more))
            return true;
    }
    return false;
}

static bool compact_retry(struct slow *s)
{
    const struct frames_hooks *h = &s->map->hooks;
    if (s->r->order == 0 || !h->compact)
        return false;
    if (s->result == COMPACT_SKIPPED)
        return h->compact_suitable && h->compact_suitable(h->compactor, s->r);
    if (s->result == COMPACT_SUCCESS) {
        unsigned most = s->costly ? MAX_COMPACT_RETRIES / COSTLY_COMPACT_SHARE : MAX_COMPACT_RETRIES;
        if (++s->compact_loops <= most)
            return true;
    }
    enum compact_priority least = s->costly ? COMPACT_SYNC_LIGHT : COMPACT_SYNC_FULL;
    if (s->priority > least) {
        s->priority--;
        s->compact_loops = 0;
        return true;
    }
    return false;
}

/* Costly or unmovable requests compact before they reclaim. *give_up: an optional request does not wait for more. */
static pfn_t compact_first(struct slow *s, bool *give_up)
{
    *give_up = false;
    if (!s->can_reclaim || !s->can_compact || s->reserves || s->r->order == 0 ||
        (!s->costly && s->r->mt == MIGRATE_MOVABLE))
        return PFN_NONE;
    s->priority = COMPACT_ASYNC;
    pfn_t pfn = compact(s);
    if (pfn_is_none(pfn) && s->costly && (s->r->gfp & __GFP_NORETRY)) {
        *give_up = s->result == COMPACT_SKIPPED || s->result == COMPACT_DEFERRED || (s->r->gfp & __GFP_THISNODE);
        return PFN_NONE; /* else it stays with the cheap kind */
    }
    s->priority = COMPACT_SYNC_LIGHT;
    return pfn;
}

/* __alloc_pages_may_oom. */
static pfn_t oom(struct slow *s, bool *progress)
{
    const struct frames_hooks *h = &s->map->hooks;
    gfp_t gfp = s->r->gfp;
    *progress = false;
    if (!h->oom)
        return PFN_NONE;
    /* Somebody else's kill may have been enough: then there is much. */
    pfn_t pfn = frames_get_page(s->map, s->r, WMARK_HIGH, s->from);
    enum zone_type normal = s->map->zones_x32 ? (enum zone_type)ZONE_NORMAL_32 : ZONE_NORMAL;
    if (!pfn_is_none(pfn) || s->costly || (gfp & (__GFP_RETRY_MAYFAIL | __GFP_THISNODE)) || s->r->highest < normal)
        return pfn;
    s->map->st.oom_calls++;
    *progress = h->oom(h->self, s->r);
    return gfp & __GFP_NOFAIL ? frames_get_page(s->map, s->r, ALLOC_NO_WATERMARKS, s->from) : PFN_NONE;
}

/* Everything from the reclaim on, once. True: try again. */
static bool one_round(struct slow *s, pfn_t *pfn)
{
    gfp_t gfp = s->r->gfp;
    bool progress;
    *pfn = reclaim(s, &progress);
    if (!pfn_is_none(*pfn))
        return false;
    *pfn = compact(s);
    if (!pfn_is_none(*pfn) || (gfp & __GFP_NORETRY) || (s->costly && !(s->can_compact && (gfp & __GFP_RETRY_MAYFAIL))))
        return false;
    if (reclaim_retry(s, progress) || (progress && s->can_compact && compact_retry(s)))
        return true;
    if (s->flags & ALLOC_NOFRAGMENT) { /* defrag_mode: mixing is the last resort before killing */
        s->flags &= ~(unsigned)ALLOC_NOFRAGMENT;
        s->drained = false;
        return true;
    }
    *pfn = oom(s, &progress);
    if (!pfn_is_none(*pfn))
        return false;
    /* A victim that had the reserves already gets no more: it is to end. */
    if (task_of(s) == FRAMES_TASK_VICTIM && ((s->flags & ALLOC_OOM) || (gfp & __GFP_NOMEMALLOC)))
        return false;
    if (!progress)
        return false;
    s->reclaim_loops = 0;
    s->drained = false;
    return true;
}

pfn_t frames_alloc_slow(struct frame_map *map, const struct frame_request *r, struct zone **from)
{
    struct slow s = {.map = map, .r = r, .from = from, .flags = frames_slow_flags(map, r), .costly = r->order > PCP_COSTLY_ORDER,
                     .can_reclaim = r->gfp & __GFP_DIRECT_RECLAIM, .can_compact = r->gfp & __GFP_IO,
                     .priority = COMPACT_SYNC_LIGHT};
    bool give_up;
    map->st.slow_paths++;
    map->st.kswapd_wakes += (s.flags & ALLOC_KSWAPD) != 0;
    wake_kswapds(&s);
    pfn_t pfn = frames_get_page(map, r, s.flags, from);
    if (!pfn_is_none(pfn))
        return pfn;
    s.reserves = reserve_flags(&s);
    pfn = compact_first(&s, &give_up);
    if (!pfn_is_none(pfn) || give_up)
        return pfn;
    do {
        wake_kswapds(&s);
        if (s.reserves)
            s.flags = s.reserves | (s.flags & (ALLOC_KSWAPD | ALLOC_NOFRAGMENT));
        if (s.reserves || s.retry || map->hooks.wake_kswapd) /* else nothing has changed */
            pfn = frames_get_page(map, r, s.flags, from);
        if (!pfn_is_none(pfn))
            return pfn;
        s.retry = true;
    } while (s.can_reclaim && task_of(&s) != FRAMES_TASK_RECLAIMS && one_round(&s, &pfn));
    if (!pfn_is_none(pfn))
        return pfn;
    if (!s.can_reclaim && (s.flags & ALLOC_NOFRAGMENT))
        pfn = frames_get_page(map, r, s.flags & ~(unsigned)ALLOC_NOFRAGMENT, from);
    /* Such a request would try for ever; here it asks once more with half of the reserves. */
    if (pfn_is_none(pfn) && s.can_reclaim && (r->gfp & __GFP_NOFAIL))
        pfn = frames_get_page(map, r, ALLOC_MIN_RESERVE, from);
    return pfn;
}

/* ---- boost (linux-mm 1.4) ----------------------------------------------------------------------------------------------- */

void frames_boost(struct frame_map *map, struct zone *z, unsigned flags)
{
    uint64_t block = 1ull << map->pageblock_order;
    if (!map->boost_factor || 4 * block > z->managed)
        return;
    uint64_t most = (uint64_t)((unsigned __int128)z->wmark[WMARK_HIGH] * map->boost_factor / 10000);
    if (!most)
        return;
    most = most > block ? most : block;
    z->boost = z->boost + block < most ? z->boost + block : most;
    map->st.boosts++;
    if (flags & ALLOC_KSWAPD)
        z->flags |= ZONE_BOOSTED;
}

void frames_unboost(struct zone *z, uint64_t pages) { z->boost -= pages < z->boost ? pages : z->boost; }
