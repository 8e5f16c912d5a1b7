/*
 * Section 7, kcompactd: who wakes it, what it is asked for and when its checks are due, from linux-mm 4.7, 4.8 and 9.2; and the time
 * that it takes on a core. What one compaction does is the library's (tests/property/test_compaction_properties.c).
 */
#include "oracle_priv.h"

#include <stdlib.h>

struct o_node {
    bool asked, gave_up; /* kswapd: is to look; balanced nothing, and sleeps until a request finds the node balanced */
    unsigned order;      /* largest that kswapd was asked for */
    unsigned top;        /* ... and its highest zone */
    bool compact;        /* kcompactd is to look */
    unsigned compact_order, compact_top; /* largest order, lowest zone */
    tick_t due;          /* of the next proactive check */
};

static bool on(const struct world *w) { return w->compaction && w->m->buddy.kcompactd; }
static struct zone *zone_at(const struct world *w, unsigned node, unsigned type) { return &w->frames->zones[node * N_ZONES + type]; }

static bool is_balanced(const struct world *w, unsigned node, unsigned order, unsigned top)
{
    unsigned managed = 0, fine = 0;
    for (unsigned t = 0; t <= top; t++) {
        const struct zone *z = zone_at(w, node, t);
        managed += z->managed > 0;
        fine += z->managed > 0 && zone_mark_ok(z, order, z->wmark[WMARK_HIGH] + z->boost, (enum zone_type)top, 0, z->free);
    }
    return fine > 0 || managed == 0;
}

static uint64_t boost_of(const struct world *w, unsigned node, unsigned top)
{
    uint64_t pages = 0;
    for (unsigned t = 0; t <= top; t++)
        pages += zone_at(w, node, t)->boost;
    return pages;
}

/* Somebody asks for kcompactd; it wakes if one of the zones suits what has been asked for so far. */
static void ask_daemon(struct world *w, unsigned node, unsigned order, unsigned top)
{
    struct o_node *n = &w->node[node];
    if (order == 0)
        return;
    if (order > n->compact_order)
        n->compact_order = order;
    if (top < n->compact_top)
        n->compact_top = top;
    for (unsigned t = 0; t <= n->compact_top; t++)
        if (zone_at(w, node, t)->managed > 0 &&
            compact_suitable(w->compaction, zone_at(w, node, t), n->compact_order, (enum zone_type)n->compact_top, WMARK_MIN) == COMPACT_CONTINUE)
            n->compact = true;
}

static void on_wakeup_kswapd(void *self, struct zone *z, unsigned order, enum zone_type highest, gfp_t gfp)
{
    struct world *w = self;
    struct o_node *n = &w->node[z->node];
    bool balanced = is_balanced(w, z->node, order, highest);
    n->gave_up = n->gave_up && !balanced;
    if (!n->gave_up && (!balanced || boost_of(w, z->node, highest) > 0)) {
        n->asked = true;
        n->order = order > n->order ? order : n->order;
        n->top = highest > n->top ? highest : n->top;
    } else if (!(gfp & __GFP_DIRECT_RECLAIM)) {
        ask_daemon(w, z->node, order, highest);
    }
}

/* kswapd has nothing to reclaim: boosts go, then it sleeps. */
static void run_kswapd(struct world *w, unsigned node)
{
    struct o_node *n = &w->node[node];
    unsigned order = n->order, top = n->top;
    bool boosted = boost_of(w, node, top) > 0;
    for (unsigned t = 0; t <= top; t++)
        if (zone_at(w, node, t)->boost)
            frames_unboost(zone_at(w, node, t), zone_at(w, node, t)->boost);
    if (boosted)
        ask_daemon(w, node, w->frames->pageblock_order, top);
    n->gave_up = !is_balanced(w, node, order, top);
    compact_kswapd_sleeps(w->compaction, node);
    ask_daemon(w, node, order, top);
    n->asked = false;
    n->order = n->top = 0;
}

static void work(struct world *w, tick_t now)
{
    for (unsigned i = 0; i < w->frames->n_nodes; i++) {
        struct o_node *n = &w->node[i];
        if (n->asked)
            run_kswapd(w, i);
        if (n->compact) {
            unsigned order = n->compact_order, top = n->compact_top;
            n->compact = false;
            n->compact_order = 0;
            n->compact_top = N_ZONES - 1;
            compact_daemon(w->compaction, i, order, (enum zone_type)top);
            n->due = now + w->compaction->config.interval_ps;
        } else if (w->compaction->config.proactiveness > 0 && n->due <= now) {
            n->due = now + compact_proactive(w->compaction, i);
        }
    }
}

/* ---- in time ------------------------------------------------------------------------------------------------------------ */

static bool all_done(const struct world *w)
{
    for (uint32_t k = 0; k < w->n; k++)
        if (w->core[k].state != CORE_DONE)
            return false;
    return true;
}

/* The earliest check; TICK_NEVER: none. */
static tick_t next_check(const struct world *w)
{
    tick_t due = TICK_NEVER;
    for (unsigned i = 0; w->compaction->config.proactiveness > 0 && i < w->frames->n_nodes; i++)
        due = w->node[i].due < due ? w->node[i].due : due;
    return due;
}

/* One timer at a time; none while the daemon works. */
static void set_timer(struct world *w)
{
    tick_t due = next_check(w);
    if (w->timer || w->daemon_busy || due == TICK_NEVER)
        return;
    cyc_t when = (due + w->P - 1) / w->P;
    if (when <= w->cycle)
        when = w->cycle + 1;
    struct event e = {.tick = when * w->P, .cls = CLASS_ACTION, .seq = w->next_seq++, .kind = EV_DAEMON_TIMER};
    o_heap_push(&w->heap, &e);
    w->timer = true;
}

void o_daemon_init(struct world *w)
{
    if (!on(w))
        return;
    w->node = calloc(w->frames->n_nodes, sizeof *w->node);
    if (!w->node)
        abort();
    for (unsigned i = 0; i < w->frames->n_nodes; i++)
        w->node[i] = (struct o_node){.compact_top = N_ZONES - 1, .due = w->compaction->config.interval_ps};
    w->frames->hooks.self = w;
    w->frames->hooks.wake_kswapd = on_wakeup_kswapd;
    set_timer(w);
}

void o_daemon_look(struct world *w)
{
    if (!on(w) || w->daemon_busy || all_done(w))
        return;
    bool wanted = w->cycle * w->P >= next_check(w);
    for (unsigned i = 0; i < w->frames->n_nodes; i++)
        wanted |= w->node[i].asked || w->node[i].compact;
    if (!wanted)
        return;
    uint32_t k = 0;
    while (k < w->n && w->core[k].state != CORE_DONE)
        k++;
    struct ocore *c = &w->core[k < w->n ? k : 0];
    w->daemon_busy = true;
    c->daemon = DAEMON_DUE;
    o_tick_at(w, c, w->cycle);
}

bool o_daemon_late(const struct world *w) { return all_done(w); }

void o_daemon_timer(struct world *w)
{
    w->timer = false;
    o_daemon_look(w);
    set_timer(w);
}

/* The core is drained: it asks for the lock, or waits until it may go on. */
void o_daemon_ask(struct world *w, struct ocore *c)
{
    if (c->stall > w->cycle) {
        o_tick_at(w, c, c->stall);
        return;
    }
    struct os_req *q = o_arena(w, sizeof *q);
    *q = (struct os_req){.core = c, .daemon = true};
    c->daemon = DAEMON_ASKED;
    c->daemon_asked = q;
    o_send_shared(w, c, EV_SYSCALL, 0, 0, q);
}

/* Decided: between two switches the core does what the compaction came to. */
void o_daemon_run(struct world *w, struct ocore *c)
{
    uint64_t away = w->m->cpu.switch_cycles;
    c->daemon = DAEMON_RUNS;
    c->daemon_asked = NULL;
    frames_on_cpu(w->frames, c->k);
    work(w, w->cycle * w->P);
    o_compact_pay(w, c);
    if (away)
        o_step(&c->steps, STEP_WAIT, 0, away);
    o_hop(c, w, away, EV_OS_BEGIN, NULL);
}

void o_daemon_done(struct world *w, struct ocore *c)
{
    c->daemon = DAEMON_NONE;
    c->steps.n = c->steps.at = 0;
    w->daemon_releases = true;
    o_send_shared(w, c, EV_RELEASE, 0, 0, NULL);
    o_tick_at(w, c, w->cycle);
}

void o_daemon_end(struct world *w)
{
    w->daemon_busy = false;
    for (unsigned i = 0; i < w->frames->n_nodes; i++)
        if (w->node[i].due < w->cycle * w->P + w->compaction->config.interval_ps)
            w->node[i].due = w->cycle * w->P + w->compaction->config.interval_ps;
    o_daemon_look(w);
    if (!all_done(w))
        set_timer(w);
}

/* Whatever the core was doing is over; kcompactd is not, and asks again. */
void o_daemon_killed(struct world *w, struct ocore *c)
{
    if (c->daemon == DAEMON_NONE || c->daemon == DAEMON_RUNS)
        return;
    if (c->daemon_asked)
        c->daemon_asked->dead = true;
    c->daemon_asked = NULL;
    c->daemon = DAEMON_DUE;
    o_tick_at(w, c, w->cycle);
}
