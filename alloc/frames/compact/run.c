/*
 * One compaction of one zone: the loop of the two scanners, moving, and when it ends (compact_zone, compact_finished,
 * migrate_pages as far as compaction uses it).
 */
#include "frames/compact/internal.h"
#include "frames/measure/fragmentation.h"
#include "frames/buddy/pcp.h"

#include <string.h>

/* ---- moving ------------------------------------------------------------------------------------------------------------- */

/* The block's record goes to its new place and its owner follows. */
static bool move_block(struct control *k, uint64_t from, uint64_t to, unsigned order)
{
    struct frame *f = &k->map->frames[from], *t = &k->map->frames[to];
    *t = *f;
    if (k->c->owner.move && !k->c->owner.move(k->c->owner.self, (pfn_t){from}, (pfn_t){to}, order, &k->c->cost)) {
        *t = (struct frame){0};
        return false;
    }
    *f = (struct frame){0};
    k->c->st.migrated += 1ull << order;
    k->c->cost.pages += 1ull << order;
    if (k->map->pcps && pcp_order(order))
        pcp_free(k->map, k->z, k->map->cpu, from, order);
    else
        k->map->ops->free(k->map, k->z, from, order);
    return true;
}

/* Moves what was isolated, last found first. False: targets ran out, the rest stays. *failed: owners refused. */
static bool migrate(struct control *k, bool *failed)
{
    struct compact_cost before = k->c->cost;
    bool enough = true;
    *failed = false;
    while (k->n_move) {
        uint64_t from = k->move[k->n_move - 1];
        unsigned order = k->map->frames[from].order;
        uint64_t to = compact_target(k, order);
        if (to == PFN_NONE.v) {
            k->c->st.migrate_failed += k->move_pages;
            enough = false;
            break;
        }
        k->n_move--;
        k->move_pages -= 1ull << order;
        if (!move_block(k, from, to, order)) {
            *failed = true;
            k->c->st.migrate_failed += 1ull << order;
            compact_target_back(k, to, order);
        }
    }
    k->n_move = 0;
    k->move_pages = 0;
    k->c->st.pte_stores += k->c->cost.pte_stores - before.pte_stores;
    k->c->st.invalidations += k->c->cost.invalidations - before.invalidations;
    if (k->c->cost.pages == before.pages)
        return enough;
    k->c->st.batches++;
    if (k->c->owner.batch)
        k->c->owner.batch(k->c->owner.self, compact_scanned_untold(k->c));
    return enough;
}

/* ---- the end ------------------------------------------------------------------------------------------------------------ */

static bool met(const struct control *k)
{
    return k->free_pfn >> k->map->pageblock_order <= k->migrate_pfn >> k->map->pageblock_order;
}

static bool kswapd_runs(const struct frame_map *map, unsigned node)
{
    for (unsigned i = 0; i < map->n_zones; i++)
        if (map->zones[i].node == node && (map->zones[i].flags & ZONE_RECLAIM_ACTIVE))
            return true;
    return false;
}

static void reset_positions(const struct control *k)
{
    k->cz->cached_migrate[0] = k->cz->cached_migrate[1] = k->z->start;
    k->cz->cached_free = block_start(k, k->z->end - 1);
}

/* COMPACT_CONTINUE, or why to stop. */
static enum compact_result finished(const struct control *k)
{
    if (met(k)) {
        reset_positions(k);
        if (k->direct)
            k->cz->skip_flush = true;
        k->c->st.met++;
        return k->whole_zone ? COMPACT_COMPLETE : COMPACT_PARTIAL_SKIPPED;
    }
    if (k->proactive) {
        if (kswapd_runs(k->map, k->z->node))
            return COMPACT_PARTIAL_SKIPPED;
        return compact_score_zone(k->z) > compact_score_mark(&k->c->config, true) ? COMPACT_CONTINUE : COMPACT_SUCCESS;
    }
    if (k->order == COMPACT_WHOLE || k->migrate_pfn != block_start(k, k->migrate_pfn)) /* blocks are always finished */
        return COMPACT_CONTINUE;
    for (unsigned o = (unsigned)k->order; o <= k->map->max_order; o++)
        if (k->z->nr_free_mt[o][k->mt] || buddy_may_claim(k->map, k->z, o, k->mt))
            return COMPACT_SUCCESS;
    return COMPACT_CONTINUE;
}

/* ---- the run ------------------------------------------------------------------------------------------------------------ */

/* __reset_isolation_suitable. */
static void forget_skips(struct compaction *c, const struct zone *z, struct compact_zone *cz)
{
    unsigned o = c->map->pageblock_order;
    if (z->start < z->end)
        memset(c->skip + (z->start >> o), 0, ((z->end - 1) >> o) - (z->start >> o) + 1);
    cz->skip_flush = false;
    cz->init_migrate = cz->cached_migrate[0] = cz->cached_migrate[1] = z->start;
    cz->init_free = cz->cached_free = (z->end - 1) & ~((1ull << o) - 1);
}

void compact_kswapd_sleeps(struct compaction *c, unsigned node)
{
    for (unsigned i = 0; i < c->map->n_zones; i++)
        if (c->map->zones[i].node == node && c->map->zones[i].managed && c->zone[i].skip_flush)
            forget_skips(c, &c->map->zones[i], &c->zone[i]);
}

static void start_positions(struct control *k)
{
    struct compact_zone *cz = k->cz;
    if (k->whole_zone) {
        k->migrate_pfn = k->z->start;
        k->free_pfn = block_start(k, k->z->end - 1);
        return;
    }
    k->migrate_pfn = cz->cached_migrate[k->mode != MIGRATE_ASYNC];
    k->free_pfn = cz->cached_free;
    if (k->free_pfn < k->z->start || k->free_pfn >= k->z->end)
        k->free_pfn = cz->cached_free = block_start(k, k->z->end - 1);
    if (k->migrate_pfn < k->z->start || k->migrate_pfn >= k->z->end)
        k->migrate_pfn = cz->cached_migrate[0] = cz->cached_migrate[1] = k->z->start;
    k->whole_zone = k->migrate_pfn <= cz->init_migrate;
}

/* What was freed near the migration scanner merges only when it leaves this CPU's lists. */
static void drain_passed(struct control *k, uint64_t *last)
{
    if (k->order <= 0 || !*last || *last >= (k->migrate_pfn & ~((1ull << k->order) - 1)))
        return;
    struct pcp *p = pcp_of(k->map, k->z, k->map->cpu);
    if (p)
        pcp_drain(k->map, k->z, k->map->cpu, p->count, 0);
    *last = 0;
}

/* One round. COMPACT_CONTINUE, or CONTENDED: targets ran out. */
static enum compact_result round_of(struct control *k, uint64_t *last, bool *update_cached)
{
    k->finish_pageblock = *last && block_start(k, *last) == block_start(k, k->migrate_pfn);
    for (bool again = true; again;) {
        again = false;
        if (!compact_isolate_movable(k)) {
            if (*update_cached)
                k->cz->cached_migrate[1] = k->cz->cached_migrate[0];
            break;
        }
        *update_cached = false;
        *last = at_least(k->z->start, block_start(k, k->migrate_pfn - 1));
        bool failed, enough = migrate(k, &failed);
        if (!enough && !met(k))
            return COMPACT_CONTENDED;
        /* A pageblock in which something stays is finished and marked, so that nobody comes back to it soon. */
        if ((failed || !enough) && k->migrate_pfn != block_start(k, k->migrate_pfn) && !k->ignore_skip &&
            !k->finish_pageblock && k->mode < MIGRATE_SYNC) {
            k->finish_pageblock = true;
            if (k->order == COMPACT_HPAGE_ORDER)
                *last = 0;
            again = true;
        }
    }
    drain_passed(k, last);
    return COMPACT_CONTINUE;
}

enum compact_result compact_run(struct control *k)
{
    enum compact_result r;
    k->map = k->c->map;
    k->cz = &k->c->zone[k->z - k->map->zones];
    if (k->order != COMPACT_WHOLE) {
        r = compact_suitable(k->c, k->z, (unsigned)k->order, k->highest, k->alloc_flags);
        if (r != COMPACT_CONTINUE) {
            k->c->st.skipped += r != COMPACT_SUCCESS;
            return r;
        }
        if (k->order >= k->cz->order_failed && k->cz->defer_shift == COMPACT_MAX_DEFER_SHIFT &&
            k->cz->considered >= 1u << k->cz->defer_shift)
            forget_skips(k->c, k->z, k->cz); /* compaction_restarting */
    }
    k->c->st.runs++;
    start_positions(k);
    bool update_cached = k->mode == MIGRATE_ASYNC && k->cz->cached_migrate[0] == k->cz->cached_migrate[1];
    uint64_t last = 0;
    while ((r = finished(k)) == COMPACT_CONTINUE)
        if ((r = round_of(k, &last, &update_cached)) != COMPACT_CONTINUE)
            break;
    uint64_t high = compact_release_targets(k);
    if (high && block_start(k, high) > k->cz->cached_free)
        k->cz->cached_free = block_start(k, high);
    return r;
}
