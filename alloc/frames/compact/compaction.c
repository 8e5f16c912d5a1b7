/*
 * Who compacts, when, and when not: suitability, deferral, direct requests, the daemon, proactive compaction.
 */
#include "frames/compact/compaction.h"

#include "engine/state.h"
#include "engine/stats.h"
#include "frames/compact/internal.h"
#include "frames/measure/fragmentation.h"
#include "frames/buddy/pcp.h"

#include <stdlib.h>

void compact_config_defaults(struct compact_config *c)
{
    *c = (struct compact_config){.extfrag_threshold = 500, .proactiveness = 20, .interval_ps = UINT64_C(500) * 1000 * 1000 * 1000};
}

struct compact_config compact_config_of(const struct buddy_config *b)
{
    return (struct compact_config){.extfrag_threshold = b->extfrag_threshold, .proactiveness = b->compaction_proactiveness,
                                   .interval_ps = b->compaction_interval_ps};
}

int compaction_new(struct compaction **out, struct frame_map *map, const struct compact_config *config, struct err *err)
{
    *out = NULL;
    if (!map->ops->types) {
        err_set(err, ERR_USAGE, "compaction does not know the lists of the frame allocator '%s'", map->ops->name);
        return err_remedy(err, "choose buddy.allocator = buddy, or no compaction");
    }
    struct compaction *c = calloc(1, sizeof *c);
    if (!c)
        return err_set(err, ERR_RUN, "out of host memory for compaction");
    c->map = map;
    if (config)
        c->config = *config;
    else
        compact_config_defaults(&c->config);
    c->n_blocks = (size_t)(map->n_frames >> map->pageblock_order) + 1;
    c->skip = calloc(c->n_blocks, 1);
    if (!c->skip) {
        free(c);
        return err_set(err, ERR_RUN, "out of host memory for compaction");
    }
    for (unsigned i = 0; i < map->n_zones; i++) {
        const struct zone *z = &map->zones[i];
        struct compact_zone *cz = &c->zone[i];
        cz->init_migrate = cz->cached_migrate[0] = cz->cached_migrate[1] = z->start;
        cz->init_free = cz->cached_free = z->end ? (z->end - 1) >> map->pageblock_order << map->pageblock_order : 0;
    }
    *out = c;
    return 0;
}

void compaction_free(struct compaction *c)
{
    if (!c)
        return;
    free(c->skip);
    free(c);
}

struct compact_cost compact_take_cost(struct compaction *c)
{
    struct compact_cost cost = c->cost;
    c->cost = (struct compact_cost){0};
    cost.scanned = compact_scanned_untold(c);
    return cost;
}

/* ---- whether -------------------------------------------------------------------------------------------------------------- */

/* Room for two blocks of the order beside what the marks keep: sources and targets exist at once. */
static bool room(const struct zone *z, unsigned order, uint64_t mark, enum zone_type highest, uint64_t free)
{
    mark += 2ull << order;
    if (order > PCP_COSTLY_ORDER)
        mark += z->wmark[WMARK_LOW] - z->wmark[WMARK_MIN];
    return zone_mark_ok(z, 0, mark, highest, 0, free);
}

enum compact_result compact_suitable(const struct compaction *c, const struct zone *z, unsigned order,
                                     enum zone_type highest, unsigned alloc_flags)
{
    uint64_t mark = z->wmark[alloc_flags & ALLOC_WMARK_MASK] + z->boost;
    if (zone_mark_ok(z, order, mark, highest, alloc_flags, z->free))
        return COMPACT_SUCCESS;
    if (!room(z, order, mark, highest, z->free))
        return COMPACT_SKIPPED;
    if (order > PCP_COSTLY_ORDER) {
        int index = frag_extfrag_index(z->nr_free, order);
        if (index >= 0 && index <= (int)c->config.extfrag_threshold) /* it is memory that is short */
            return COMPACT_NOT_SUITABLE_ZONE;
    }
    return COMPACT_CONTINUE;
}

bool compact_deferred(struct compact_zone *z, unsigned order)
{
    uint32_t limit = 1u << z->defer_shift;
    if ((int)order < z->order_failed)
        return false;
    if (++z->considered >= limit) {
        z->considered = limit;
        return false;
    }
    return true;
}

void compact_defer(struct compact_zone *z, unsigned order)
{
    z->considered = 0;
    if (z->defer_shift < COMPACT_MAX_DEFER_SHIFT)
        z->defer_shift++;
    if ((int)order < z->order_failed)
        z->order_failed = (int)order;
}

void compact_defer_reset(struct compact_zone *z, unsigned order, bool allocated)
{
    if (allocated) {
        z->considered = 0;
        z->defer_shift = 0;
    }
    if ((int)order >= z->order_failed)
        z->order_failed = (int)order + 1;
}

/* ---- direct --------------------------------------------------------------------------------------------------------------- */

static bool ended(enum compact_result r) { return r == COMPACT_COMPLETE || r == COMPACT_PARTIAL_SKIPPED; }

enum compact_result compact_direct(struct compaction *c, const struct frame_request *r, unsigned alloc_flags,
                                   enum compact_priority priority)
{
    enum compact_result best = COMPACT_SKIPPED;
    if (!(r->gfp & __GFP_IO)) /* gfp_compaction_allowed */
        return COMPACT_SKIPPED;
    const struct frame_zonelist *l = frames_zonelist(c->map, r->node, r->highest);
    for (unsigned i = 0; i < l->n; i++) {
        struct zone *z = &c->map->zones[l->zone[i]];
        struct compact_zone *cz = &c->zone[l->zone[i]];
        if (z->node != r->node && (r->gfp & __GFP_THISNODE))
            continue;
        if (priority > COMPACT_SYNC_FULL && compact_deferred(cz, r->order)) {
            c->st.deferred++;
            best = best > COMPACT_DEFERRED ? best : COMPACT_DEFERRED;
            continue;
        }
        bool full = priority == COMPACT_SYNC_FULL;
        struct control k = {.c = c, .z = z, .order = (int)r->order, .search_order = (int)r->order, .mt = r->mt,
                            .highest = r->highest, .alloc_flags = alloc_flags, .direct = true, .whole_zone = full,
                            .mode = priority == COMPACT_ASYNC ? MIGRATE_ASYNC : MIGRATE_SYNC_LIGHT, .ignore_skip = full,
                            .ignore_block_type = full};
        enum compact_result status = compact_run(&k);
        best = status > best ? status : best;
        if (status == COMPACT_SUCCESS) {
            compact_defer_reset(cz, r->order, false);
            break;
        }
        if (priority != COMPACT_ASYNC && ended(status))
            compact_defer(cz, r->order);
    }
    return best;
}

void compact_done(struct compaction *c, const struct frame_request *r, struct zone *z)
{
    c->st.stall++;
    if (!z) {
        c->st.fail++;
        return;
    }
    struct compact_zone *cz = &c->zone[z - c->map->zones];
    cz->skip_flush = false;
    compact_defer_reset(cz, r->order, true);
    c->st.success++;
}

/* compaction_zonelist_suitable: with what reclaim could free, would there be room? */
static bool zonelist_suitable(const struct compaction *c, const struct frame_request *r)
{
    const struct frames_hooks *h = &c->map->hooks;
    const struct frame_zonelist *l = frames_zonelist(c->map, r->node, r->highest);
    for (unsigned i = 0; i < l->n; i++) {
        const struct zone *z = &c->map->zones[l->zone[i]];
        uint64_t more = h->reclaimable ? h->reclaimable(h->self, z) / r->order : 0;
        if (room(z, r->order, z->wmark[WMARK_MIN] + z->boost, r->highest, z->free + more))
            return true;
    }
    return false;
}

static enum compact_result on_compact(void *self, const struct frame_request *r, unsigned flags, enum compact_priority p)
{
    return compact_direct(self, r, flags, p);
}
static bool on_suitable(void *self, const struct frame_request *r) { return zonelist_suitable(self, r); }
static void on_done(void *self, const struct frame_request *r, struct zone *z) { compact_done(self, r, z); }

void compaction_attach(struct compaction *c)
{
    struct frames_hooks *h = &c->map->hooks;
    h->compactor = c;
    h->compact = on_compact;
    h->compact_suitable = on_suitable;
    h->compact_done = on_done;
    h->compact_stats = &c->st;
}

/* ---- in the background ---------------------------------------------------------------------------------------------------- */

/* What kcompactd scanned since the statistics were `before`. */
static void count_daemon(struct compaction *c, const struct compact_stats *before)
{
    c->st.daemon_migrate_scanned += c->st.migrate_scanned - before->migrate_scanned;
    c->st.daemon_free_scanned += c->st.free_scanned - before->free_scanned;
}

void compact_daemon(struct compaction *c, unsigned node, unsigned order, enum zone_type highest)
{
    struct compact_stats before = c->st;
    c->st.daemon_wake++;
    for (unsigned t = 0; t <= highest && t < N_ZONES; t++) {
        struct zone *z = &c->map->zones[node * N_ZONES + t];
        struct compact_zone *cz = &c->zone[z - c->map->zones];
        if (!zone_populated(z) || !z->managed)
            continue;
        if (compact_deferred(cz, order)) {
            c->st.deferred++;
            continue;
        }
        struct control k = {.c = c, .z = z, .order = (int)order, .search_order = (int)order, .mt = MIGRATE_UNMOVABLE,
                            .highest = (enum zone_type)t, .alloc_flags = WMARK_MIN, .mode = MIGRATE_SYNC_LIGHT};
        if (compact_suitable(c, z, order, k.highest, WMARK_MIN) != COMPACT_CONTINUE) {
            c->st.skipped++;
            continue;
        }
        enum compact_result r = compact_run(&k);
        if (r == COMPACT_SUCCESS) {
            compact_defer_reset(cz, order, false);
        } else if (ended(r)) {
            pcp_drain_all(c->map, z);
            compact_defer(cz, order);
        }
    }
    count_daemon(c, &before);
}

/* compact_node: whole zones, to the end or until the proactive score is good. */
static void whole_node(struct compaction *c, unsigned node, bool proactive)
{
    for (unsigned t = 0; t < N_ZONES; t++) {
        struct zone *z = &c->map->zones[node * N_ZONES + t];
        if (!z->managed)
            continue;
        struct control k = {.c = c, .z = z, .order = COMPACT_WHOLE, .mt = MIGRATE_UNMOVABLE, .highest = z->type,
                            .mode = proactive ? MIGRATE_SYNC_LIGHT : MIGRATE_SYNC, .whole_zone = true,
                            .ignore_skip = true, .proactive = proactive};
        compact_run(&k);
    }
}

void compact_memory(struct compaction *c)
{
    for (unsigned n = 0; n < c->map->n_nodes; n++)
        whole_node(c, n, false);
}

unsigned compact_score_zone(const struct zone *z) { return frag_percent(z->nr_free, COMPACT_HPAGE_ORDER); }

unsigned compact_score_node(const struct frame_map *map, unsigned node)
{
    uint64_t present = 0, score = 0;
    for (unsigned t = 0; t < N_ZONES; t++)
        present += map->zones[node * N_ZONES + t].present;
    for (unsigned t = 0; t < N_ZONES; t++) {
        const struct zone *z = &map->zones[node * N_ZONES + t];
        score += z->present * compact_score_zone(z) / (present + 1);
    }
    return (unsigned)score;
}

unsigned compact_score_mark(const struct compact_config *c, bool low)
{
    unsigned l = 100 - c->proactiveness, gap = l / 2 < 10 ? l / 2 : 10;
    return low ? l : l + gap < 100 ? l + gap : 100;
}

uint64_t compact_proactive(struct compaction *c, unsigned node)
{
    if (!c->config.proactiveness)
        return c->config.interval_ps;
    for (unsigned t = 0; t < N_ZONES; t++)
        if (c->map->zones[node * N_ZONES + t].flags & ZONE_RECLAIM_ACTIVE)
            return c->config.interval_ps;
    unsigned before = compact_score_node(c->map, node);
    if (before <= compact_score_mark(&c->config, false))
        return c->config.interval_ps;
    struct compact_stats scanned = c->st;
    c->st.proactive_runs++;
    whole_node(c, node, true);
    count_daemon(c, &scanned);
    return compact_score_node(c->map, node) < before ? c->config.interval_ps : c->config.interval_ps << COMPACT_MAX_DEFER_SHIFT;
}

/* ---- books ---------------------------------------------------------------------------------------------------------------- */

void compaction_add_stats(const struct compaction *c, struct stats *s)
{
#define COMPACT_STAT_DESC(name, unit, help) STAT_ENTRY(struct compact_stats, name, unit, help)
    static const struct stat_desc descs[] = {COMPACT_STATS(COMPACT_STAT_DESC)};
    stats_add(s, "compact", &c->st, descs, ARRAY_LEN(descs));
}

static void node_state(struct compact_node *n, struct state_io *io)
{
    uint32_t order[2] = {n->kswapd_order, n->order}, highest[2] = {n->kswapd_highest, n->highest};
    state_bool(io, &n->kswapd_wanted);
    state_bool(io, &n->hopeless);
    state_bool(io, &n->wanted);
    for (unsigned i = 0; i < 2; i++) {
        state_u32(io, &order[i]);
        state_u32(io, &highest[i]);
        state_check(io, order[i] < FRAME_ORDERS && highest[i] < N_ZONES, "kcompactd is asked for what does not exist");
    }
    state_u64(io, &n->due_ps);
    if (!io->loading || state_bad(io))
        return;
    n->kswapd_order = order[0];
    n->order = order[1];
    n->kswapd_highest = (enum zone_type)highest[0];
    n->highest = (enum zone_type)highest[1];
}

void compaction_state(struct compaction *c, struct state_io *io)
{
    state_mark(io, "compaction");
    for (unsigned i = 0; i < c->map->n_zones; i++) {
        struct compact_zone *z = &c->zone[i];
        state_u64(io, &z->cached_migrate[0]);
        state_u64(io, &z->cached_migrate[1]);
        state_u64(io, &z->cached_free);
        state_u64(io, &z->init_migrate);
        state_u64(io, &z->init_free);
        state_u32(io, &z->considered);
        state_u32(io, &z->defer_shift);
        uint32_t failed = (uint32_t)z->order_failed;
        state_u32(io, &failed);
        state_check(io, failed <= FRAME_ORDERS, "the order at which compaction failed is impossible");
        z->order_failed = (int)failed;
        state_bool(io, &z->skip_flush);
    }
    for (unsigned i = 0; i < c->map->n_nodes; i++)
        node_state(&c->node[i], io);
    state_same(io, c->n_blocks, "number of pageblocks");
    state_sparse(io, c->skip, 0, c->n_blocks, 1);
    state_bytes(io, &c->st, sizeof c->st);
    state_bytes(io, &c->cost, sizeof c->cost);
    state_u64(io, &c->told);
    if (io->loading && !state_bad(io) && compaction_check(c, &io->err) < 0)
        io->bad = true;
}

int compaction_check(const struct compaction *c, struct err *err)
{
    for (unsigned i = 0; i < c->map->n_zones; i++) {
        const struct zone *z = &c->map->zones[i];
        const struct compact_zone *cz = &c->zone[i];
        uint64_t block = 1ull << c->map->pageblock_order;
        if (!z->managed)
            continue;
        for (unsigned m = 0; m < 2; m++)
            if (cz->cached_migrate[m] < z->start || cz->cached_migrate[m] > z->end + block)
                return err_set(err, ERR_RUN, "compaction: the migration scanner's position %llu is outside zone %s",
                               (unsigned long long)cz->cached_migrate[m], z->name);
        if (cz->cached_free >= z->end || cz->cached_free + block < z->start)
            return err_set(err, ERR_RUN, "compaction: the free scanner's position %llu is outside zone %s",
                           (unsigned long long)cz->cached_free, z->name);
        if (cz->defer_shift > COMPACT_MAX_DEFER_SHIFT || cz->considered > 1u << COMPACT_MAX_DEFER_SHIFT)
            return err_set(err, ERR_RUN, "compaction: the deferral of zone %s is out of bounds", z->name);
    }
    for (size_t i = 0; i < c->n_blocks; i++)
        if (c->skip[i] > 1)
            return err_set(err, ERR_RUN, "compaction: the skip bit of pageblock %zu is none", i);
    return 0;
}
