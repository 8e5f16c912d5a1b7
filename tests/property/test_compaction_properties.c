/*
 * Compaction against a plain book of who holds which frame: an owner's table from handle to frame, and beside it the "contents" of
 * every frame as an array of handles, which only the owner's hook copies. After any compaction every handle must find its contents,
 * what may not move must be where it was, and no page may have come or gone. Seed: MMULAB_SEED.
 */
#include "unit/test_frames_util.h"

#include "engine/rng.h"
#include "engine/stats.h"
#include "frames/compact/compaction.h"
#include "frames/buddy/pcp.h"

enum { NOBODY = 0, HANDLES = 1 << 16 };
struct block { uint64_t pfn; unsigned order; bool live, pinned, movable; };
#define HALF_SECOND UINT64_C(500000000000)

struct world {
    struct frame_map *m;
    struct compaction *c;
    struct block b[HANDLES]; /* 0 is nobody */
    uint32_t n, *contents;   /* of each frame: its handle, at its head */
    uint64_t pages;
    bool forgets;            /* a planted fault: the owner does not update its table */
    struct rng r;
};

static uint64_t seed(void)
{
    const char *s = getenv("MMULAB_SEED");
    return s ? strtoull(s, NULL, 0) : 11;
}

static bool on_move(void *self, pfn_t from, pfn_t to, unsigned order, struct compact_cost *cost)
{
    struct world *w = self;
    uint32_t h = w->contents[from.v];
    ck_assert_uint_ne(h, NOBODY);
    ck_assert_uint_eq(w->contents[to.v], NOBODY);
    ck_assert_uint_eq(frame_at(w->m, to)->vpn, h);
    if (w->b[h].pinned)
        return false;
    ck_assert(w->b[h].movable && w->b[h].order == order && w->b[h].pfn == from.v);
    w->contents[to.v] = h;
    w->contents[from.v] = NOBODY;
    if (!w->forgets)
        w->b[h].pfn = to.v;
    cost->pte_stores++;
    cost->invalidations++;
    return true;
}

static struct world *world_new(uint64_t bytes, bool pcp, const char *stream)
{
    struct world *w = calloc(1, sizeof *w);
    struct memory_config mc;
    struct buddy_config bc;
    struct err e = {0};
    frames_config_defaults(&mc, &bc);
    mc.size_bytes = bytes;
    bc.pcp = pcp;
    bc.cpus = 2;
    w->m = map_of(mc, bc);
    w->contents = calloc(w->m->n_frames, sizeof *w->contents);
    w->n = 1;
    ck_assert_int_eq(compaction_new(&w->c, w->m, NULL, &e), 0);
    w->c->owner = (struct compact_owner){.self = w, .move = on_move};
    rng_init(&w->r, seed(), stream);
    return w;
}

static void world_free(struct world *w)
{
    compaction_free(w->c);
    frame_map_free(w->m);
    free(w->contents);
    free(w);
}

static uint32_t take(struct world *w, gfp_t gfp, unsigned order, enum frame_tag tag, bool pinned)
{
    pfn_t p = w->n < HANDLES ? frames_alloc(w->m, gfp, order, tag) : PFN_NONE;
    if (pfn_is_none(p))
        return NOBODY;
    uint32_t h = w->n++;
    w->b[h] = (struct block){.pfn = p.v, .order = order, .live = true, .pinned = pinned, .movable = frame_tag_movable(tag)};
    frame_at(w->m, p)->vpn = h;
    frame_at(w->m, p)->mapcount = 1;
    frame_at(w->m, p)->asid = h % 7;
    ck_assert_uint_eq(w->contents[p.v], NOBODY);
    w->contents[p.v] = h;
    w->pages += 1ull << order;
    return h;
}

static void drop(struct world *w, uint32_t h)
{
    frames_free(w->m, (pfn_t){w->b[h].pfn}, w->b[h].order);
    w->contents[w->b[h].pfn] = NOBODY;
    w->pages -= 1ull << w->b[h].order;
    w->b[h].live = false;
}

/* Is every handle where its owner believes, with its contents and its record? */
static bool intact(const struct world *w)
{
    for (uint32_t h = 1; h < w->n; h++) {
        const struct block *b = &w->b[h];
        const struct frame *f = frame_at(w->m, (pfn_t){b->pfn});
        if (b->live && (w->contents[b->pfn] != h || f->state != FRAME_ALLOCATED || f->order != b->order || f->vpn != h ||
                        f->asid != h % 7 || f->mapcount != 1))
            return false;
    }
    return true;
}

static void verify(const struct world *w)
{
    struct err e = {0};
    check_map(w->m);
    ck_assert_msg(compaction_check(w->c, &e) == 0, "%s", e.message);
    ck_assert(intact(w));
    ck_assert_uint_eq(frames_allocated_pages(w->m), w->pages);
    ck_assert_uint_eq(frames_free_pages(w->m) + frames_pcp_pages(w->m) + w->pages, w->m->managed);
}

/* Random life, then one compaction of any kind. */
static void live(struct world *w, unsigned steps, unsigned grow)
{
    static const enum frame_tag tags[] = {FRAME_TAG_ANON, FRAME_TAG_FILE, FRAME_TAG_SHMEM, FRAME_TAG_SLAB, FRAME_TAG_KERNEL};
    for (unsigned i = 0; i < steps; i++) {
        frames_on_cpu(w->m, (unsigned)rng_below(&w->r, 2));
        if (rng_below(&w->r, 100) < grow || w->n == 1) {
            enum frame_tag tag = tags[rng_below(&w->r, 20) < 18 ? rng_below(&w->r, 3) : 3 + rng_below(&w->r, 2)];
            unsigned order = rng_below(&w->r, 8) ? 0 : (unsigned)rng_below(&w->r, 11);
            gfp_t gfp = frame_tag_movable(tag) ? GFP_HIGHUSER_MOVABLE : GFP_KERNEL;
            take(w, gfp, order, tag, rng_below(&w->r, 50) == 0);
        } else {
            uint32_t h = 1 + (uint32_t)rng_below(&w->r, w->n - 1);
            if (w->b[h].live)
                drop(w, h);
        }
    }
}

static void compact_somehow(struct world *w)
{
    struct frame_request q = {.gfp = GFP_HIGHUSER_MOVABLE, .order = 1 + (unsigned)rng_below(&w->r, 10), .highest = ZONE_MOVABLE,
                              .mt = rng_below(&w->r, 2) ? MIGRATE_MOVABLE : MIGRATE_UNMOVABLE};
    switch (rng_below(&w->r, 5)) {
    case 0:
        compact_memory(w->c);
        break;
    case 1:
        compact_daemon(w->c, 0, q.order, ZONE_MOVABLE);
        break;
    case 2:
        compact_proactive(w->c, 0);
        compact_kswapd_sleeps(w->c, 0);
        break;
    default:
        compact_direct(w->c, &q, WMARK_MIN, (enum compact_priority)rng_below(&w->r, 3));
    }
}

START_TEST(nothing_lost)
{
    for (int pcp = 0; pcp < 2; pcp++) {
        struct world *w = world_new(48 * MIB, pcp, pcp ? "pcp" : "plain");
        for (unsigned i = 0; i < 120 && w->n < HANDLES - 1; i++) {
            live(w, 600, i / 6 % 2 ? 25 : 75);
            uint64_t unused = frames_free_pages(w->m) + frames_pcp_pages(w->m);
            struct block *was = malloc(sizeof w->b);
            memcpy(was, w->b, sizeof w->b);
            compact_somehow(w);
            verify(w);
            ck_assert_uint_eq(frames_free_pages(w->m) + frames_pcp_pages(w->m), unused);
            for (uint32_t h = 1; h < w->n; h++)
                ck_assert(!w->b[h].live || (w->b[h].movable && !w->b[h].pinned) || w->b[h].pfn == was[h].pfn);
            free(was);
        }
        ck_assert_uint_gt(w->c->st.migrated, 1000);
        ck_assert_uint_gt(w->c->st.migrate_failed, 0);
        ck_assert_uint_eq(w->c->st.pte_stores, w->c->cost.pte_stores);
        ck_assert_uint_eq(w->c->st.migrated, compact_take_cost(w->c).pages);
        ck_assert_uint_eq(w->c->cost.pages, 0);
        world_free(w);
    }
}
END_TEST

/* Whole free pageblocks of a zone: those that exist, and those that there could be if every used page could be anywhere. */
static void blocks_of(const struct frame_map *m, const struct zone *z, uint64_t *have, uint64_t *best)
{
    uint64_t whole = 0, used = z->managed - z->free;
    for (unsigned i = 0; i < m->n_ranges; i++)
        if (&m->zones[m->ranges[i].zone] == z && m->ranges[i].end >> 9 > (m->ranges[i].start + 511) >> 9)
            whole += (m->ranges[i].end >> 9) - ((m->ranges[i].start + 511) >> 9);
    *have = frag_info(z->nr_free, 9).suitable;
    *best = whole - (used + 511) / 512;
}

/* A fully movable machine, every second to tenth page freed at random: a whole pass makes all the huge blocks there can be, but the
 * one in which the scanners meet. */
START_TEST(best_possible)
{
    for (unsigned keep = 20; keep <= 90; keep += 10) {
        struct world *w = world_new(128 * MIB, false, "movable");
        while (take(w, GFP_ALL, 0, FRAME_TAG_ANON, false) != NOBODY)
            ;
        for (uint32_t h = 1; h < w->n; h++)
            if (rng_below(&w->r, 100) >= keep)
                drop(w, h);
        compact_memory(w->c);
        verify(w);
        for (unsigned i = 0; i < w->m->n_zones; i++) {
            uint64_t have, best;
            if (!w->m->zones[i].managed)
                continue;
            blocks_of(w->m, &w->m->zones[i], &have, &best);
            ck_assert_uint_ge(have + 1, best);
            ck_assert_uint_le(have, best);
        }
        world_free(w);
    }
}
END_TEST

/* What no move can help must fail, and be left alone ever longer: 2^shift - 1 requests, at most 63. */
START_TEST(deferral)
{
    struct world *w = world_new(64 * MIB, false, "deferral");
    while (take(w, GFP_ALL_KERNEL, 0, FRAME_TAG_KERNEL, false) != NOBODY)
        ;
    for (uint32_t h = 1; h < w->n; h += 2)
        drop(w, h);
    struct frame_request q = {.gfp = GFP_KERNEL, .order = 9, .highest = ZONE_NORMAL, .mt = MIGRATE_UNMOVABLE};
    unsigned gap = 0, gaps[10], n = 0;
    for (unsigned i = 0; i < 400 && n < 10; i++) {
        uint64_t runs = w->c->st.runs;
        enum compact_result r = compact_direct(w->c, &q, WMARK_MIN, COMPACT_SYNC_LIGHT);
        if (w->c->st.runs == runs) {
            ck_assert_int_eq(r, COMPACT_DEFERRED);
            gap++;
        } else {
            ck_assert_int_ne(r, COMPACT_SUCCESS);
            gaps[n++] = gap;
            gap = 0;
        }
    }
    static const unsigned want[] = {0, 1, 3, 7, 15, 31, 63, 63};
    ck_assert_uint_ge(n, ARRAY_LEN(want));
    for (unsigned i = 0; i < ARRAY_LEN(want); i++)
        ck_assert_uint_eq(gaps[i], want[i]);
    ck_assert_int_eq(compact_direct(w->c, &q, WMARK_MIN, COMPACT_SYNC_FULL), COMPACT_COMPLETE); /* does not ask */
    ck_assert_uint_eq(w->c->st.migrated, 0);
    verify(w);
    world_free(w);
}
END_TEST

/* A huge page that cannot be had without compaction is had with it, through the allocator's own slow path. */
START_TEST(huge_page_by_compaction)
{
    for (int on = 0; on < 2; on++) {
        struct world *w = world_new(64 * MIB, true, "huge");
        while (take(w, GFP_ALL, 0, FRAME_TAG_ANON, false) != NOBODY)
            ;
        for (uint32_t h = 1; h < w->n; h++)
            if (h % 8 < 5)
                drop(w, h);
        pcp_drain_all(w->m, NULL);
        if (on)
            compaction_attach(w->c);
        uint32_t h = take(w, GFP_TRANSHUGE_LIGHT | __GFP_DIRECT_RECLAIM, 9, FRAME_TAG_ANON, false);
        ck_assert_int_eq(h != NOBODY, on);
        ck_assert_uint_eq(w->c->st.stall, (unsigned)on);
        ck_assert_uint_eq(w->c->st.success, (unsigned)on);
        verify(w);
        world_free(w);
    }
}
END_TEST

START_TEST(planted_faults_are_seen)
{
    struct world *w = world_new(64 * MIB, false, "planted");
    struct err e = {0};
    live(w, 9000, 70);
    w->forgets = true;
    compact_memory(w->c);
    ck_assert_uint_gt(w->c->st.migrated, 0);
    ck_assert(!intact(w));
    w->c->skip[3] = 2;
    ck_assert_int_ne(compaction_check(w->c, &e), 0);
    w->c->skip[3] = 0;
    ck_assert_int_eq(compaction_check(w->c, &e), 0);
    struct compact_zone *z = &w->c->zone[ZONE_DMA32];
    z->cached_free = w->m->n_frames;
    ck_assert_int_ne(compaction_check(w->c, &e), 0);
    z->cached_free = w->m->zones[ZONE_DMA32].start;
    z->defer_shift = 7;
    ck_assert_int_ne(compaction_check(w->c, &e), 0);
    world_free(w);
}
END_TEST

START_TEST(marks_and_suitability)
{
    struct compact_config c;
    compact_config_defaults(&c);
    ck_assert_uint_eq(compact_score_mark(&c, true), 80);
    ck_assert_uint_eq(compact_score_mark(&c, false), 90);
    c.proactiveness = 95; /* where the kernels differ: 5 and 15 before April 2025 */
    ck_assert_uint_eq(compact_score_mark(&c, true), 5);
    ck_assert_uint_eq(compact_score_mark(&c, false), 7);
    c.proactiveness = 0;
    ck_assert_uint_eq(compact_score_mark(&c, true), 100);
    ck_assert_uint_eq(compact_score_mark(&c, false), 100);

    struct world *w = world_new(64 * MIB, false, "suitable");
    struct zone z = w->m->zones[ZONE_DMA32];
    ck_assert_int_eq(compact_suitable(w->c, &z, 4, ZONE_DMA32, WMARK_MIN), COMPACT_SUCCESS);
    /* Only single pages: room for two blocks above the low mark (costly order), to the page. */
    uint64_t need = z.wmark[WMARK_LOW] + (2u << 4);
    memset(z.nr_free, 0, sizeof z.nr_free);
    memset(z.nr_free_mt, 0, sizeof z.nr_free_mt);
    memset(z.nonempty, 0, sizeof z.nonempty);
    z.nonempty[MIGRATE_MOVABLE] = 1;
    z.nr_free[0] = z.nr_free_mt[0][MIGRATE_MOVABLE] = (uint32_t)(z.free = need);
    ck_assert_int_eq(compact_suitable(w->c, &z, 4, ZONE_DMA32, WMARK_MIN), COMPACT_SKIPPED);
    z.nr_free[0] = z.nr_free_mt[0][MIGRATE_MOVABLE] = (uint32_t)(z.free = need + 1);
    ck_assert_int_eq(compact_suitable(w->c, &z, 4, ZONE_DMA32, WMARK_MIN), COMPACT_CONTINUE);
    w->c->config.extfrag_threshold = 1000;
    ck_assert_int_eq(compact_suitable(w->c, &z, 4, ZONE_DMA32, WMARK_MIN), COMPACT_NOT_SUITABLE_ZONE);
    /* Not costly: the minimum counts, and the index is not asked. */
    need = z.wmark[WMARK_MIN] + (2u << 3);
    z.nr_free[0] = z.nr_free_mt[0][MIGRATE_MOVABLE] = (uint32_t)(z.free = need);
    ck_assert_int_eq(compact_suitable(w->c, &z, 3, ZONE_DMA32, WMARK_MIN), COMPACT_SKIPPED);
    z.nr_free[0] = z.nr_free_mt[0][MIGRATE_MOVABLE] = (uint32_t)(z.free = need + 1);
    ck_assert_int_eq(compact_suitable(w->c, &z, 3, ZONE_DMA32, WMARK_MIN), COMPACT_CONTINUE);
    world_free(w);
}
END_TEST

/* Proactive compaction runs above its high mark only, stops at the low one, and waits longer when it achieved nothing. */
START_TEST(proactive)
{
    struct world *w = world_new(256 * MIB, false, "proactive");
    ck_assert_uint_eq(compact_proactive(w->c, 0), HALF_SECOND);
    ck_assert_uint_eq(w->c->st.proactive_runs, 0);
    while (take(w, GFP_ALL, 0, FRAME_TAG_ANON, false) != NOBODY)
        ;
    for (uint32_t h = 1; h < w->n; h += 2)
        drop(w, h);
    ck_assert_uint_gt(compact_score_node(w->m, 0), 90);
    w->m->zones[ZONE_DMA32].flags |= ZONE_RECLAIM_ACTIVE;
    compact_proactive(w->c, 0);
    ck_assert_uint_eq(w->c->st.proactive_runs, 0);
    w->m->zones[ZONE_DMA32].flags &= ~(unsigned)ZONE_RECLAIM_ACTIVE;
    ck_assert_uint_eq(compact_proactive(w->c, 0), HALF_SECOND);
    ck_assert_uint_eq(w->c->st.proactive_runs, 1);
    unsigned score = compact_score_zone(&w->m->zones[ZONE_DMA32]);
    ck_assert_uint_le(score, 80);
    ck_assert_uint_ge(score, 70); /* not further than it had to */
    for (uint32_t h = 1; h < w->n; h++)
        w->b[h].pinned = true;
    w->c->config.proactiveness = 90;
    ck_assert_uint_eq(compact_proactive(w->c, 0), HALF_SECOND << 6);
    verify(w);
    world_free(w);
}
END_TEST

START_TEST(other_allocators_are_refused)
{
    struct memory_config mc;
    struct buddy_config bc;
    struct err e = {0};
    struct compaction *c;
    frames_config_defaults(&mc, &bc);
    mc.size_bytes = 16 * MIB;
    bc.allocator = 1;
    struct frame_map *m = map_of(mc, bc);
    ck_assert_int_ne(compaction_new(&c, m, NULL, &e), 0);
    ck_assert_ptr_null(c);
    ck_assert_ptr_nonnull(strstr(e.message, "compaction"));
    frame_map_free(m);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("compaction_properties");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 280);
    printf("seed %" PRIu64 "\n", seed());
    tcase_add_test(t, nothing_lost);
    tcase_add_test(t, best_possible);
    tcase_add_test(t, deferral);
    tcase_add_test(t, huge_page_by_compaction);
    tcase_add_test(t, planted_faults_are_seen);
    tcase_add_test(t, marks_and_suitability);
    tcase_add_test(t, proactive);
    tcase_add_test(t, other_allocators_are_refused);
    suite_add_tcase(s, t);
    return run_suite(s);
}
