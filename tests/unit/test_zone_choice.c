/*
 * Zones of requests and reserved pageblocks, foretold beside a memory of our own that really serves them: a twin with marks,
 * protection and a slow path, whose requests and blocks are told as a kernel's events are.
 */
#include "test_frames_util.h"

#include "frames/path.h"
#include "replay/before/image.h"
#include "replay/zone_choice.h"

struct both {
    struct frame_map *twin;
    struct follow *f;
    struct lists *l;
    struct zone_choice *c;
};

static struct snapshot nothing; /* no zones: the twin's counts are exact */

static struct both begin(uint32_t dma32_ratio)
{
    struct both b = {0};
    struct memory_config m;
    struct buddy_config bc;
    struct err err = {0};
    frames_config_defaults(&m, &bc);
    m.size_bytes = 10 * GIB;
    m.min_free_bytes = 512 * MIB;
    m.lowmem_reserve_ratio_dma32 = dma32_ratio;
    bc.pcp = false;
    bc.eager_init = true;
    b.twin = map_of(m, bc);
    struct frame_map *mine = map_of(m, bc);
    for (unsigned i = 0; i < mine->n_zones; i++) /* the follower's frames: one record a page, as a snapshot gives them */
        ck_assert_uint_eq(mine->zones[i].free, b.twin->zones[i].free);
    ck_assert_int_eq(follow_new(&b.f, mine, NULL, &err), 0);
    ck_assert_int_eq(lists_new(&b.l, b.f, &err), 0);
    ck_assert_int_eq(zone_choice_new(&b.c, b.f, b.l, &nothing, &err), 0);
    b.f->counting = true;
    return b;
}

static void end(struct both *b)
{
    zone_choice_free(b->c);
    lists_free(b->l);
    follow_free_all(b->f);
    frame_map_free(b->twin);
}

/* The twin serves; the events that a kernel would show. `lie`: another frame is named in the last one. */
static pfn_t ask(struct both *b, gfp_t gfp, unsigned order, pfn_t *lie)
{
    enum migratetype mt = (enum migratetype)frames_rule(b->twin, gfp)->mt, list;
    uint64_t reserved[FRAME_ZONES][FRAME_ORDERS];
    for (unsigned i = 0; i < b->twin->n_zones; i++)
        for (unsigned o = 0; o < FRAME_ORDERS; o++)
            reserved[i][o] = b->twin->zones[i].nr_free_mt[o][MIGRATE_HIGHATOMIC];
    pfn_t p = frames_alloc(b->twin, gfp, order, FRAME_TAG_ANON);
    if (pfn_is_none(p))
        return p;
    list = mt;
    const struct zone *z = frames_zone_of(b->twin, p);
    for (unsigned o = 0; o < FRAME_ORDERS; o++) /* a block of the reserve was taken */
        if (z->nr_free_mt[o][MIGRATE_HIGHATOMIC] < reserved[z - b->twin->zones][o])
            list = MIGRATE_HIGHATOMIC;
    zone_choice_taken(b->c, 0);
    follow_taken(b->f, 0, p.v, order, list, true);
    zone_choice_alloc(b->c, 0, lie ? lie->v : p.v, order, gfp, true);
    follow_used(b->f, p.v, order, mt == MIGRATE_MOVABLE);
    return p;
}

static void give(struct both *b, pfn_t p, unsigned order)
{
    zone_choice_other(b->c, 0);
    frames_free(b->twin, p, order);
    follow_back(b->f, p.v, order, MIGRATE_TYPES, true);
}

static void same_memory(const struct both *b)
{
    for (unsigned i = 0; i < b->twin->n_zones; i++) {
        ck_assert_uint_eq(b->twin->zones[i].free, b->f->map->zones[i].free);
        ck_assert_uint_eq(b->twin->zones[i].reserved_highatomic, b->f->map->zones[i].reserved_highatomic);
        ck_assert_int_eq(memcmp(b->twin->zones[i].nr_free_mt, b->f->map->zones[i].nr_free_mt, sizeof b->twin->zones[i].nr_free_mt), 0);
    }
}

/* Takes big blocks until the zone has `pages` more than its mark, the reserve against requests of `highest` included. */
static void down_to(struct both *b, enum zone_type zone, uint64_t pages)
{
    const struct zone *z = &b->twin->zones[zone];
    uint64_t goal = z->wmark[WMARK_LOW] + z->lowmem_reserve[ZONE_MOVABLE] + pages;
    while (z->free > goal) {
        uint64_t more = z->free - goal;
        unsigned order = more >= 1024 ? 10 : (unsigned)(63 - __builtin_clzll(more));
        ck_assert(!pfn_is_none(ask(b, GFP_HIGHUSER_MOVABLE, order, NULL)));
    }
}

/* Each zone is passed over from its low mark and protection on, to the page; all zones are foretold. */
START_TEST(marks_decide)
{
    struct both b = begin(256);
    struct zone_crossing x[FRAME_ZONES];
    const struct zone *normal = &b.twin->zones[ZONE_NORMAL], *dma32 = &b.twin->zones[ZONE_DMA32];
    static pfn_t taken[4000];
    unsigned n = 0;
    down_to(&b, ZONE_NORMAL, 300);
    for (; n < 1000; n++)
        taken[n] = ask(&b, n % 3 ? GFP_HIGHUSER_MOVABLE : GFP_KERNEL, 0, NULL);
    const struct zone_choice_stats *st = zone_choice_stats(b.c);
    zone_choice_crossings(b.c, x);
    ck_assert_uint_eq(x[ZONE_NORMAL].refused_free, normal->wmark[WMARK_LOW]);
    ck_assert_uint_eq(x[ZONE_NORMAL].served_free, normal->wmark[WMARK_LOW] + 1);
    ck_assert_uint_eq(st->lower, 700);
    /* Up again: it serves again. */
    uint64_t before = st->lower;
    give(&b, taken[0], 0);
    ck_assert(frames_zone_of(b.twin, ask(&b, GFP_KERNEL, 0, NULL)) == normal);
    ck_assert_uint_eq(st->lower, before);
    /* DMA32 keeps its protection from requests that Normal could serve, so beyond it all are served by the min marks. */
    down_to(&b, ZONE_DMA32, 300);
    for (; n < 2000; n++)
        taken[n] = ask(&b, GFP_HIGHUSER_MOVABLE, 0, NULL);
    zone_choice_crossings(b.c, x);
    ck_assert_uint_gt(dma32->lowmem_reserve[ZONE_MOVABLE], 0);
    ck_assert_uint_eq(x[ZONE_DMA32].refused_free, dma32->wmark[WMARK_LOW] + dma32->lowmem_reserve[ZONE_MOVABLE]);
    ck_assert_uint_eq(x[ZONE_DMA32].served_free, x[ZONE_DMA32].refused_free + 1);
    ck_assert_uint_ge(st->below_low, 700);
    ck_assert_uint_eq(st->decided, st->requests);
    ck_assert_uint_eq(st->agreed, st->decided);
    ck_assert_uint_eq(st->lower_foreseen, st->lower);
    ck_assert_uint_eq(st->ours_lower, st->lower);
    same_memory(&b);
    /* A kernel that does otherwise is seen. */
    before = st->agreed;
    pfn_t other = {dma32->start + 5};
    ask(&b, GFP_HIGHUSER_MOVABLE, 0, &other);
    ck_assert_uint_eq(st->agreed, before);
    end(&b);
}
END_TEST

/* Below all low marks each urgent request of several pages reserves its pageblock, until the hundredth of the zone is reached. */
START_TEST(urgent_requests_reserve)
{
    struct both b = begin(1); /* DMA32 keeps all for itself */
    const struct zone_choice_stats *st = zone_choice_stats(b.c);
    struct zone_reserve r[FRAME_ZONES];
    pfn_t last = PFN_NONE;
    down_to(&b, ZONE_NORMAL, 0);
    ask(&b, GFP_ATOMIC, 0, NULL);
    ask(&b, GFP_KERNEL, 3, NULL);
    ask(&b, GFP_ATOMIC | __GFP_NOMEMALLOC, 3, NULL);
    ck_assert_uint_eq(st->urgent, 0);
    zone_choice_reserves(b.c, r);
    uint64_t most = r[ZONE_NORMAL].most_blocks;
    ck_assert_uint_gt(most, 5);
    for (unsigned i = 0; i < 400 && st->reserved < most; i++) { /* a block of order 9 leaves nothing else of its pageblock to take */
        ask(&b, GFP_ATOMIC, 3, NULL);
        ask(&b, GFP_KERNEL, 2, NULL);
        last = ask(&b, GFP_ATOMIC, 9, NULL);
        ck_assert(!pfn_is_none(last));
    }
    ck_assert_uint_eq(st->reserved, most);
    ck_assert_uint_eq(st->reserve_full, 0);
    ask(&b, GFP_ATOMIC, 9, NULL);
    ck_assert_uint_eq(st->reserve_full, 1);
    zone_choice_reserves(b.c, r);
    ck_assert_uint_eq(r[ZONE_NORMAL].blocks, most);
    ck_assert_uint_eq(b.twin->zones[ZONE_NORMAL].reserved_highatomic, most << 9);
    ck_assert_uint_gt(r[ZONE_NORMAL].free_pages, 0);
    ck_assert_uint_eq(st->agreed, st->requests);
    same_memory(&b);
    /* One is given back: the next block that leaves it with another type shows it. */
    struct frame_request req = {.gfp = GFP_KERNEL, .highest = ZONE_NORMAL, .mt = MIGRATE_UNMOVABLE};
    ck_assert(highatomic_unreserve(b.twin, &req, false));
    for (unsigned i = 0; i < 4000 && b.f->st.given_back == 0; i++)
        ask(&b, GFP_KERNEL, 0, NULL);
    ck_assert_uint_eq(b.f->st.given_back, 1);
    zone_choice_reserves(b.c, r);
    ck_assert_uint_eq(r[ZONE_NORMAL].blocks, most - 1);
    give(&b, last, 9);
    /* A request that fails takes all the others back first, if it may try hard. */
    zone_choice_failed(b.c, 0, 9, GFP_HIGHUSER_MOVABLE | __GFP_NORETRY, true);
    zone_choice_failed(b.c, 0, 9, GFP_HIGHUSER_MOVABLE, true);
    zone_choice_failed(b.c, 0, 9, (GFP_HIGHUSER_MOVABLE | __GFP_RETRY_MAYFAIL) & ~__GFP_DIRECT_RECLAIM, true);
    ck_assert_uint_eq(st->taken_back, 0);
    zone_choice_failed(b.c, 0, 9, GFP_HIGHUSER_MOVABLE | __GFP_RETRY_MAYFAIL, true);
    unsigned back = 0;
    for (struct frame_request hard = {.gfp = GFP_HIGHUSER_MOVABLE, .highest = ZONE_MOVABLE, .mt = MIGRATE_MOVABLE}; highatomic_unreserve(b.twin, &hard, true);)
        back++;
    ck_assert_uint_gt(back, 0);
    ck_assert_uint_eq(st->taken_back, back);
    same_memory(&b);
    end(&b);
}
END_TEST

/* Blocks of whole pageblocks that are none here: beyond the zone's end, in the middle of others, free. No list may be in disorder. */
START_TEST(no_block_is_reserved)
{
    struct both b = begin(1);
    struct err err = {0};
    const struct zone_choice_stats *st = zone_choice_stats(b.c);
    down_to(&b, ZONE_NORMAL, 0);
    const struct zone *z = &b.f->map->zones[ZONE_NORMAL];
    ask(&b, GFP_ATOMIC, 3, NULL);
    ck_assert_uint_eq(st->urgent, 1);
    ck_assert_uint_eq(st->reserved, 1);
    uint64_t odd[] = {z->end - 1, z->end - 512, z->start + 512, z->start + 1};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++)
        zone_choice_alloc(b.c, 0, odd[i], 10, GFP_ATOMIC, true);
    unsigned tried = 0;
    for (uint64_t p = z->start; p < z->end && tried < 3; p += 1024) { /* in use as a whole, but not its last page */
        if (follow_is_free(b.f, p) || b.f->map->frames[p].state != FRAME_ALLOCATED)
            continue;
        follow_back(b.f, p + 1023, 0, MIGRATE_TYPES, true);
        zone_choice_alloc(b.c, 0, p, 10, GFP_ATOMIC, true);
        tried++;
    }
    ck_assert_uint_eq(tried, 3);
    ck_assert_uint_eq(st->urgent, 1 + 4 + 3);
    ck_assert_uint_eq(st->reserved, 1);
    ck_assert_uint_eq(st->reserve_full, 0);
    ck_assert_msg(frames_check_free(b.f->map, &err) == 0, "%s", err.message);
    end(&b);
}
END_TEST

/* A reserve that is only possible is believed when the kernel passes over its free memory. */
START_TEST(maybe_reserved)
{
    struct both b = begin(1);
    down_to(&b, ZONE_NORMAL, 0);
    pfn_t p = ask(&b, GFP_KERNEL, 3, NULL);
    highatomic_reserve(b.twin, frames_zone_of(b.twin, p), p.v, 3);
    follow_maybe_reserved(b.f, p.v);
    for (unsigned i = 0; i < 20; i++)
        ask(&b, GFP_KERNEL, 3, NULL);
    ck_assert_uint_eq(b.f->st.reserved_unseen, 1);
    ck_assert_uint_eq(b.f->st.passed_over, 0);
    same_memory(&b);
    end(&b);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("zone_choice");
    TCase *t = tcase_create("zone_choice");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, marks_decide);
    tcase_add_test(t, urgent_requests_reserve);
    tcase_add_test(t, no_block_is_reserved);
    tcase_add_test(t, maybe_reserved);
    suite_add_tcase(s, t);
    return run_suite(s);
}
