/*
 * Recorded page requests served by a whole kernel (replay/pages/requests.h), beside a twin that keeps books of its own: the same
 * requests made directly of a second memory, with a second compaction, and two plain arrays of who lies where. Every recorded page must
 * lie in the same frame, every counter of lists, slow path and compaction be the same. And from a snapshot: every page in use has
 * one frame and every frame one page, whatever was moved, joined or taken apart. Seed: MMULAB_SEED.
 */
#include "unit/test_frames_util.h"

#include "engine/rng.h"
#include "frames/buddy/pcp.h"
#include "property/ops.h"
#include "replay/pages/requests.h"

#include <string.h>

enum { RECORDED = 1 << 16, NONE = UINT32_MAX, NAMES = RECORDED / 2 };
#define MOMENT UINT64_C(3000000000) /* ps between two events */

struct live { uint32_t pfn; uint8_t order; bool had, before; };
struct twin {
    struct frame_map *m;
    struct compaction *c;
    uint32_t at[RECORDED], *name; /* frame of a recorded page; recorded page of a frame */
    bool forgets;                 /* a planted fault */
};
struct world {
    struct requests *q;
    struct frame_map *m;
    struct twin t;
    bool used[RECORDED];
    struct live live[NAMES];
    uint32_t n;
    uint64_t now, pages, failures;
    struct rng r;
};

static struct buddy_config config(bool compacts)
{
    struct buddy_config b;
    frames_config_defaults(NULL, &b);
    b.cpus = 2;
    b.compaction = compacts;
    b.compaction_interval_ps = 50 * MOMENT;
    return b;
}

static struct frame_map *memory(const struct buddy_config *b)
{
    struct memory_config mc;
    frames_config_defaults(&mc, NULL);
    mc.size_bytes = 32u << 20;
    mc.min_free_bytes = 256u << 10; /* so that there is room to compact in */
    return map_of(mc, *b);
}

static bool on_move(void *self, pfn_t from, pfn_t to, unsigned order, struct compact_cost *cost)
{
    struct twin *t = self;
    (void)cost;
    for (uint64_t i = 0; i < 1ull << order; i++) {
        uint32_t p = t->name[from.v + i];
        ck_assert_uint_ne(p, NONE);
        t->name[from.v + i] = NONE;
        t->name[to.v + i] = p;
        if (!t->forgets)
            t->at[p] = (uint32_t)(to.v + i);
    }
    return true;
}

static void twin_init(struct twin *t, const struct buddy_config *b)
{
    struct compact_config cc;
    struct err err = {0};
    t->m = memory(b);
    t->name = malloc(t->m->n_frames * sizeof *t->name);
    memset(t->name, 0xff, t->m->n_frames * sizeof *t->name);
    memset(t->at, 0xff, sizeof t->at);
    if (!b->compaction)
        return;
    compact_config_defaults(&cc);
    cc.interval_ps = b->compaction_interval_ps;
    ck_assert_int_eq(compaction_new(&t->c, t->m, &cc, &err), 0);
    t->c->owner = (struct compact_owner){.self = t, .move = on_move};
    compaction_attach(t->c);
    compact_background_attach(t->c, 0);
}

static bool twin_alloc(struct twin *t, unsigned cpu, uint32_t pfn, unsigned order, gfp_t gfp)
{
    frames_on_cpu(t->m, cpu);
    pfn_t got = frames_alloc(t->m, gfp, order, gfp & __GFP_MOVABLE ? FRAME_TAG_ANON : FRAME_TAG_KERNEL);
    for (uint32_t i = 0; !pfn_is_none(got) && i < 1u << order; i++) {
        t->at[pfn + i] = (uint32_t)got.v + i;
        t->name[got.v + i] = pfn + i;
    }
    return !pfn_is_none(got);
}

static void twin_freed(struct twin *t, uint32_t pfn, unsigned order)
{
    struct frame_block b = frames_find(t->m, (pfn_t){t->at[pfn]});
    ck_assert(b.kind == FRAME_IS_ALLOCATED);
    bool whole = b.order == order;
    if (!whole && b.order)
        frames_split(t->m, b.head, b.order, 0);
    for (uint32_t i = 0; i < 1u << order; i++) {
        if (!whole)
            frames_free(t->m, (pfn_t){t->at[pfn + i]}, 0);
        t->name[t->at[pfn + i]] = NONE;
        if (i || !whole)
            t->at[pfn + i] = NONE;
    }
    if (whole)
        frames_free(t->m, (pfn_t){t->at[pfn]}, order);
    t->at[pfn] = NONE;
}

static void twin_time(struct twin *t, uint64_t now)
{
    frames_tick(t->m, now);
    if (t->c && (compact_background_wanted(t->c) || now >= compact_background_due(t->c)))
        compact_background(t->c, now);
}

/* ---- a kernel that is recorded: it has room enough ---------------------------------------------------------------------- */

/* Memory is filled with small blocks, thinned out, and then asked for large ones. */
enum phase { FILL, THIN, LARGE, PHASES };

static unsigned any_order(struct rng *r, enum phase phase)
{
    static const uint8_t small[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 2}, large[] = {3, 4, 4, 5, 6, 7, 8, 9, 9, 10};
    return phase == LARGE ? large[rng_below(r, sizeof large)] : small[rng_below(r, sizeof small)];
}

static gfp_t any_gfp(struct rng *r)
{
    static const gfp_t kinds[] = {GFP_HIGHUSER_MOVABLE, GFP_HIGHUSER_MOVABLE, GFP_HIGHUSER_MOVABLE, GFP_KERNEL, GFP_KERNEL | __GFP_RECLAIMABLE,
                                  GFP_ATOMIC, GFP_KERNEL | __GFP_NORETRY};
    return kinds[rng_below(r, sizeof kinds / sizeof *kinds)];
}

/* RECORDED: there is no such place. */
static uint32_t free_name(struct world *w, unsigned order)
{
    for (unsigned tries = 0; tries < 200; tries++) {
        uint32_t p = (uint32_t)rng_below(&w->r, RECORDED >> order) << order, i = 0;
        while (i < 1u << order && !w->used[p + i])
            i++;
        if (i == 1u << order)
            return p;
    }
    return RECORDED;
}

static void ask(struct world *w, enum phase phase, bool twin)
{
    unsigned order = any_order(&w->r, phase), cpu = (unsigned)rng_below(&w->r, 2);
    gfp_t gfp = any_gfp(&w->r);
    uint32_t p = free_name(w, order);
    if (p == RECORDED || w->n == NAMES)
        return;
    requests_alloc(w->q, cpu, p, order, gfp);
    bool had = requests_place(w->q, p).v != PFN_NONE.v;
    if (twin)
        ck_assert_msg(twin_alloc(&w->t, cpu, p, order, gfp) == had, "recorded page %u of order %u was had by one only", p, order);
    memset(w->used + p, 1, 1u << order);
    w->live[w->n++] = (struct live){p, (uint8_t)order, had, false};
    w->pages += had ? 1u << order : 0;
    w->failures += !had;
}

static void end_one(struct world *w, uint32_t i, bool twin, bool pieces)
{
    struct live l = w->live[i];
    unsigned cpu = (unsigned)rng_below(&w->r, 2), order = pieces ? 0 : l.order;
    w->live[i] = w->live[--w->n];
    for (uint32_t p = l.pfn; p < l.pfn + (1u << l.order); p += 1u << order) {
        requests_freed(w->q, cpu, p, order, true);
        if (twin)
            frames_on_cpu(w->t.m, cpu); /* where what compaction leaves goes */
        if (twin && l.had)
            twin_freed(&w->t, p, order);
        ck_assert(requests_place(w->q, p).v == PFN_NONE.v);
    }
    memset(w->used + l.pfn, 0, 1u << l.order);
    w->pages -= l.had ? 1u << l.order : 0;
}

static void step(struct world *w, uint64_t event, bool twin)
{
    static const unsigned share_freed[PHASES] = {5, 90, 40}; /* percent of events; where memory is full, all */
    enum { CYCLE = 12000, FILLED = 8000, THINNED = 9500 };
    enum phase phase = event % CYCLE < FILLED ? FILL : event % CYCLE < THINNED ? THIN : LARGE;
    w->now += MOMENT;
    requests_time(w->q, w->now);
    if (twin)
        twin_time(&w->t, w->now);
    if (w->n && (w->pages > w->m->managed * 19 / 20 || rng_below(&w->r, 100) < share_freed[phase]))
        end_one(w, (uint32_t)rng_below(&w->r, w->n), twin, rng_below(&w->r, 10) == 0);
    else
        ask(w, phase, twin);
}

/* Every page that is in use lies somewhere, no two in one frame; what was asked for as one block is one. */
static void check_places(const struct world *w, uint64_t others)
{
    struct err err = {0};
    bool *taken = calloc(w->m->n_frames, 1);
    for (uint32_t i = 0; i < w->n; i++)
        for (uint32_t k = 0; w->live[i].had && k < 1u << w->live[i].order; k++) {
            pfn_t at = requests_place(w->q, w->live[i].pfn + k);
            ck_assert_msg(at.v != PFN_NONE.v, "seed %llu: recorded page %u lies nowhere", (unsigned long long)property_seed(7),
                          w->live[i].pfn + k);
            ck_assert(!taken[at.v] && frames_find(w->m, at).kind == FRAME_IS_ALLOCATED);
            ck_assert(k == 0 || w->live[i].before || at.v == requests_place(w->q, w->live[i].pfn).v + k);
            taken[at.v] = true;
        }
    ck_assert_uint_eq(frames_allocated_pages(w->m), w->pages + others);
    ck_assert_msg(frames_check(w->m, &err) == 0, "%s", err.message);
    free(taken);
}

/* Returns on how many events the two differed in a place; *moved: how much was moved. */
static uint64_t run_twin(bool compacts, bool plant, uint64_t ops, uint64_t *moved)
{
    struct buddy_config b = config(compacts);
    struct requests_options o = {.buddy = &b, .copy_cycles = 700};
    struct world *w = calloc(1, sizeof *w);
    struct err err = {0};
    uint64_t differ = 0;
    rng_init(&w->r, property_seed(7), "requests");
    w->m = memory(&b);
    ck_assert_int_eq(requests_new(&w->q, w->m, &o, &err), 0);
    twin_init(&w->t, &b);
    w->t.forgets = plant;
    for (uint64_t i = 0; i < ops && !differ; i++) {
        step(w, i, true);
        for (uint32_t k = 0; (i % 64 == 0 || plant) && k < w->n; k++)
            for (uint32_t p = w->live[k].pfn; w->live[k].had && p < w->live[k].pfn + (1u << w->live[k].order); p++)
                differ += requests_place(w->q, p).v != w->t.at[p];
    }
    if (!plant) {
        check_places(w, 0);
        const struct requests_stats *st = requests_stats(w->q);
        ck_assert(!memcmp(&w->m->st, &w->t.m->st, sizeof w->m->st));
        ck_assert(!memcmp(&w->m->pcp_st, &w->t.m->pcp_st, sizeof w->m->pcp_st));
        ck_assert(!compacts || !memcmp(&requests_compaction(w->q)->st, &w->t.c->st, sizeof w->t.c->st));
        const struct requests_compaction *t = requests_compaction_time(w->q);
        if (compacts) { /* nothing of it is lost, whoever paid */
            const struct compact_stats *c = &w->t.c->st;
            ck_assert_uint_eq(t->stall_cycles + t->daemon_cycles, (c->migrate_scanned + c->free_scanned) * b.compact_scan_cycles +
                                                                      c->migrated * (b.migrate_cycles + o.copy_cycles));
            ck_assert_uint_gt(t->stalls, 0);
            ck_assert_uint_gt(t->daemon_cycles, 0);
            ck_assert_uint_ge(t->stall_cycles, t->stall_worst_cycles);
        }
        ck_assert_uint_eq(st->failures, w->failures);
        ck_assert_uint_gt(w->m->pcp_st.hits, ops / 8);
        ck_assert_uint_gt(st->failures, 0);
        ck_assert_uint_gt(st->frees_failed, 0);
        ck_assert_uint_eq(st->frees_unknown, 0);
        ck_assert_uint_eq(st->missed_frees, 0);
        ck_assert_uint_gt(st->split_frees, 0);
    }
    *moved = requests_stats(w->q)->moved;
    requests_free(w->q);
    compaction_free(w->t.c);
    frame_map_free(w->t.m);
    free(w->t.name);
    free(w);
    return differ;
}

START_TEST(twin)
{
    uint64_t moved;
    ck_assert_uint_eq(run_twin(_i, false, property_ops(60000), &moved), 0);
    ck_assert(_i ? moved > property_ops(60000) / 100 : moved == 0);
}
END_TEST

/* The comparison sees an owner that forgets where a block went. */
START_TEST(planted)
{
    uint64_t moved;
    ck_assert_uint_gt(run_twin(true, true, 60000, &moved), 0);
}
END_TEST

/* Memory in which something is in use already, page by page, as a snapshot shows it; a part of that was one block. */
static void use_before(struct world *w, uint64_t share)
{
    for (uint64_t pages = w->m->managed * share / 100, n; pages; pages -= n < pages ? n : pages) {
        unsigned order = rng_below(&w->r, 4) ? 0 : (unsigned)rng_below(&w->r, 4);
        pfn_t got = frames_alloc(w->m, GFP_HIGHUSER_MOVABLE, order, rng_below(&w->r, 3) ? FRAME_TAG_FILE : FRAME_TAG_SLAB);
        n = 1ull << order;
        ck_assert(!pfn_is_none(got));
        frames_split(w->m, got, order, 0);
        for (uint64_t i = 0; i < n; i++)
            *frame_at(w->m, (pfn_t){got.v + i}) = (struct frame){.state = FRAME_ALLOCATED, .tag = frame_at(w->m, got)->tag};
        memset(w->used + got.v, 1, n);
        w->live[w->n++] = (struct live){(uint32_t)got.v, (uint8_t)order, true, true};
        w->pages += n;
    }
    pcp_drain_all(w->m, NULL);
}

START_TEST(from_snapshot)
{
    struct buddy_config b = config(true);
    struct requests_options o = {.from_snapshot = true, .buddy = &b};
    struct world *w = calloc(1, sizeof *w);
    struct err err = {0};
    rng_init(&w->r, property_seed(7), "snapshot");
    w->m = memory(&b);
    use_before(w, 60);
    ck_assert_uint_le(w->m->n_frames, RECORDED);
    memset(w->used + w->m->n_frames, 1, RECORDED - w->m->n_frames); /* the kernel has no such frames */
    memset(w->used, 1, 1);
    uint64_t before = w->n;
    ck_assert_int_eq(requests_new(&w->q, w->m, &o, &err), 0);
    for (uint64_t i = 0; i < property_ops(40000); i++) {
        step(w, i, false);
        if (i % 256 == 0)
            check_places(w, 0);
    }
    const struct requests_stats *st = requests_stats(w->q);
    ck_assert_uint_gt(st->moved_before, 0);
    ck_assert_uint_gt(st->joined_frees, 0);
    ck_assert_uint_le(st->frees_before, before * 8);
    ck_assert_uint_eq(st->frees_unknown, 0);
    ck_assert_uint_eq(st->listed_before, 0);
    while (w->n)
        end_one(w, 0, false, false);
    pcp_drain_all(w->m, NULL);
    check_places(w, 0);
    ck_assert_uint_eq(frames_free_pages(w->m), w->m->managed);
    requests_free(w->q);
    free(w);
}
END_TEST

/* What is handed out although it is in use stood on a list: it goes back to the CPU's list and is what comes next. */
START_TEST(lists)
{
    struct buddy_config b = config(false);
    struct requests_options o = {.from_snapshot = true, .buddy = &b};
    struct requests *q;
    struct err err = {0};
    struct frame_map *m = memory(&b);
    frames_on_cpu(m, 0);
    pfn_t used[3];
    for (unsigned i = 0; i < 3; i++)
        used[i] = frames_alloc(m, GFP_KERNEL, 0, FRAME_TAG_KERNEL);
    pcp_drain_all(m, NULL);
    ck_assert_int_eq(requests_new(&q, m, &o, &err), 0);
    const struct requests_stats *st = requests_stats(q);
    requests_alloc(q, 1, used[0].v, 0, GFP_KERNEL);
    ck_assert_uint_eq(st->listed_before, 1);
    ck_assert_uint_eq(st->missed_frees, 1);
    ck_assert_uint_eq(requests_place(q, used[0].v).v, used[0].v);
    requests_freed(q, 0, used[1].v, 0, true);
    requests_alloc(q, 1, 3000, 0, GFP_KERNEL); /* another CPU's list is not asked */
    ck_assert_uint_ne(requests_place(q, 3000).v, used[1].v);
    requests_alloc(q, 0, 3001, 0, GFP_KERNEL);
    ck_assert_uint_eq(requests_place(q, 3001).v, used[1].v);
    requests_freed(q, 0, 3001, 0, true);
    requests_freed(q, 0, 3001, 0, true);
    ck_assert_uint_eq(st->frees_unknown, 1);
    requests_freed(q, 7, used[2].v, 0, true);
    ck_assert_uint_eq(st->foreign_cpus, 1);
    ck_assert_uint_eq(st->frees_before, 2);
    requests_free(q);
}
END_TEST

/* Numbers that no kernel writes: counted, and the books stay right. */
START_TEST(strange)
{
    struct buddy_config b = config(true);
    struct rng r;
    struct err err = {0};
    rng_init(&r, property_seed(7), "strange");
    for (unsigned known = 0; known < 2; known++) {
        struct requests_options o = {.from_snapshot = known, .buddy = &b};
        struct requests *q;
        struct frame_map *m = memory(&b);
        ck_assert_int_eq(requests_new(&q, m, &o, &err), 0);
        for (uint64_t i = 0; i < property_ops(20000); i++) {
            unsigned order = (unsigned)rng_below(&r, 12);
            uint64_t pfn = rng_below(&r, 10) ? rng_below(&r, m->n_frames + 8) : rng_next(&r);
            uint64_t cpu = rng_below(&r, 10) ? rng_below(&r, 3) : UINT64_MAX;
            if (rng_below(&r, 2))
                requests_alloc(q, cpu, pfn, order, (gfp_t)rng_next(&r) & ~(gfp_t)__GFP_MEMALLOC);
            else
                requests_freed(q, cpu, pfn, order, true);
            requests_time(q, i * MOMENT);
        }
        ck_assert_msg(frames_check(m, &err) == 0, "%s", err.message);
        ck_assert_uint_gt(requests_stats(q)->missed_frees, 0);
        ck_assert_uint_gt(requests_stats(q)->frees_unknown, 0);
        ck_assert_uint_gt(requests_stats(q)->foreign_cpus, 0);
        requests_free(q);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("requests");
    TCase *t = tcase_create("requests");
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, twin, 0, 2);
    tcase_add_test(t, planted);
    tcase_add_test(t, from_snapshot);
    tcase_add_test(t, lists);
    tcase_add_test(t, strange);
    suite_add_tcase(s, t);
    return run_suite(s);
}
