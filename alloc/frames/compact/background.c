/*
 * kcompactd of each node, and kswapd as far as compaction depends on it (Linux 6.18 mm/compaction.c kcompactd, wakeup_kcompactd;
 * mm/vmscan.c wakeup_kswapd, prepare_kswapd_sleep; linux-mm 4.7, 4.8, 9.2). There is nothing that this kswapd could reclaim: it takes
 * boosts back, finds the node balanced or gives up, and wakes kcompactd before it sleeps.
 */
#include "frames/compact/internal.h"

static struct zone *zone_of(const struct compaction *c, unsigned node, unsigned type) { return &c->map->zones[node * N_ZONES + type]; }

/* pgdat_balanced. */
static bool balanced(const struct compaction *c, unsigned node, unsigned order, enum zone_type highest)
{
    bool any = false;
    for (unsigned t = 0; t <= highest && t < N_ZONES; t++) {
        const struct zone *z = zone_of(c, node, t);
        if (!z->managed)
            continue;
        any = true;
        if (zone_mark_ok(z, order, z->wmark[WMARK_HIGH] + z->boost, highest, 0, z->free))
            return true;
    }
    return !any;
}

static bool boosted(const struct compaction *c, unsigned node, enum zone_type highest)
{
    for (unsigned t = 0; t <= highest && t < N_ZONES; t++)
        if (zone_of(c, node, t)->boost)
            return true;
    return false;
}

/* wakeup_kcompactd: what is asked for stays noted even if no zone suits now. */
static void wake_kcompactd(struct compaction *c, unsigned node, unsigned order, enum zone_type highest)
{
    struct compact_node *n = &c->node[node];
    if (!order)
        return;
    n->order = n->order > order ? n->order : order;
    n->highest = n->highest < highest ? n->highest : highest;
    for (unsigned t = 0; t <= n->highest && t < N_ZONES; t++) {
        const struct zone *z = zone_of(c, node, t);
        if (z->managed && compact_suitable(c, z, n->order, n->highest, WMARK_MIN) == COMPACT_CONTINUE)
            n->wanted = true;
    }
}

static void on_wake_kswapd(void *self, struct zone *z, unsigned order, enum zone_type highest, gfp_t gfp)
{
    struct compaction *c = self;
    struct compact_node *n = &c->node[z->node];
    bool fine = balanced(c, z->node, order, highest);
    if (fine)
        n->hopeless = false;
    if (n->hopeless || (fine && !boosted(c, z->node, highest))) {
        /* Plenty may be free, in pieces too small: for those who cannot compact by themselves. */
        if (!(gfp & __GFP_DIRECT_RECLAIM))
            wake_kcompactd(c, z->node, order, highest);
        return;
    }
    n->kswapd_wanted = true;
    n->kswapd_order = n->kswapd_order > order ? n->kswapd_order : order;
    n->kswapd_highest = n->kswapd_highest > highest ? n->kswapd_highest : highest;
}

static void kswapd(struct compaction *c, unsigned node)
{
    struct compact_node *n = &c->node[node];
    unsigned order = n->kswapd_order;
    enum zone_type highest = n->kswapd_highest;
    n->kswapd_wanted = false;
    n->kswapd_order = 0;
    n->kswapd_highest = 0;
    if (boosted(c, node, highest)) {
        for (unsigned t = 0; t <= highest && t < N_ZONES; t++)
            frames_unboost(zone_of(c, node, t), zone_of(c, node, t)->boost);
        wake_kcompactd(c, node, c->map->pageblock_order, highest);
    }
    n->hopeless = !balanced(c, node, order, highest);
    compact_kswapd_sleeps(c, node);
    wake_kcompactd(c, node, order, highest);
}

void compact_background_attach(struct compaction *c, uint64_t now_ps)
{
    struct frames_hooks *h = &c->map->hooks;
    for (unsigned i = 0; i < c->map->n_nodes; i++)
        c->node[i] = (struct compact_node){.highest = N_ZONES - 1, .due_ps = now_ps + c->config.interval_ps};
    if (!h->wake_kswapd) { /* else somebody's who reclaims */
        h->self = c;
        h->wake_kswapd = on_wake_kswapd;
    }
}

bool compact_background_wanted(const struct compaction *c)
{
    for (unsigned i = 0; i < c->map->n_nodes; i++)
        if (c->node[i].kswapd_wanted || c->node[i].wanted)
            return true;
    return false;
}

uint64_t compact_background_due(const struct compaction *c)
{
    uint64_t due = UINT64_MAX;
    for (unsigned i = 0; c->config.proactiveness && i < c->map->n_nodes; i++)
        due = due < c->node[i].due_ps ? due : c->node[i].due_ps;
    return due;
}

void compact_background_rest(struct compaction *c, uint64_t now_ps)
{
    for (unsigned i = 0; i < c->map->n_nodes; i++)
        if (c->node[i].due_ps < now_ps + c->config.interval_ps)
            c->node[i].due_ps = now_ps + c->config.interval_ps;
}

void compact_background_restart_clock(struct compaction *c, uint64_t now_ps)
{
    for (unsigned i = 0; i < c->map->n_nodes; i++)
        c->node[i].due_ps -= now_ps < c->node[i].due_ps ? now_ps : c->node[i].due_ps;
}

void compact_background(struct compaction *c, uint64_t now_ps)
{
    for (unsigned i = 0; i < c->map->n_nodes; i++) {
        struct compact_node *n = &c->node[i];
        if (n->kswapd_wanted)
            kswapd(c, i);
        if (n->wanted) {
            unsigned order = n->order;
            enum zone_type highest = n->highest;
            n->wanted = false;
            n->order = 0;
            n->highest = N_ZONES - 1;
            compact_daemon(c, i, order, highest);
            n->due_ps = now_ps + c->config.interval_ps;
        } else if (c->config.proactiveness && now_ps >= n->due_ps) {
            n->due_ps = now_ps + compact_proactive(c, i);
        }
    }
}
