/*
 * What the follower says and learns where a type's own lists are empty: small states made by hand, whose right answer the rules of
 * linux-mm 2.6 give. 16 MiB, pageblocks of 512 frames from frame 512 on; all in use at first.
 */
#include "test_frames_util.h"

#include "frames/buddy/buddy.h"
#include "replay/before/image.h"
#include "replay/before/lists.h"
#include "replay/follow.h"

enum { BLOCK = 512, A = 2 * BLOCK, B = 3 * BLOCK, C = 4 * BLOCK, D = 5 * BLOCK, CPU = 1 };

struct state {
    struct frame_map *map;
    struct follow *f;
    struct lists *l;
};

/* Frames [pfn, pfn + n) belong to programs. */
static void movable(struct state *s, uint64_t pfn, uint64_t n)
{
    for (uint64_t p = pfn; p < pfn + n; p++)
        s->map->frames[p].tag = FRAME_TAG_ANON;
}

static void types(struct state *s, enum migratetype a, enum migratetype b, enum migratetype c)
{
    pageblock_set(s->map, A, a);
    pageblock_set(s->map, B, b);
    pageblock_set(s->map, C, c);
}

static void make_sized(struct state *s, unsigned mib)
{
    struct memory_config m;
    struct buddy_config b;
    frames_config_defaults(&m, &b);
    m.size_bytes = mib * MIB;
    b.pcp = false;
    b.eager_init = true;
    *s = (struct state){.map = map_of(m, b)};
    for (unsigned i = 0; i < s->map->n_zones; i++) {
        struct zone *z = &s->map->zones[i];
        for (unsigned o = FRAME_MAX_ORDER + 1; o-- > 0;)
            while (z->nr_free_mt[o][MIGRATE_MOVABLE]) {
                uint64_t pfn = buddy_smallest(s->map, z, o, MIGRATE_MOVABLE);
                for (uint64_t p = pfn; p < pfn + (1ull << o); p++)
                    s->map->frames[p] = (struct frame){.state = FRAME_ALLOCATED, .tag = FRAME_TAG_KERNEL};
            }
        ck_assert_uint_eq(z->free, 0);
    }
}
static void make(struct state *s) { make_sized(s, 16); }

/* A block that is free since before the snapshot. */
static void old(struct state *s, uint64_t pfn, unsigned order)
{
    for (uint64_t p = pfn; p < pfn + (1ull << order); p++)
        s->map->frames[p].state = FRAME_NONE;
    s->map->ops->free(s->map, image_zone(s->map, pfn), pfn, order);
}

static void begin(struct state *s)
{
    struct err err = {0};
    ck_assert_msg(follow_new(&s->f, s->map, NULL, &err) == 0 && lists_new(&s->l, s->f, &err) == 0, "%s", err.message);
    s->f->counting = true;
}

static void end(struct state *s)
{
    struct err err = {0};
    ck_assert_msg(buddy_check(s->map, &s->map->zones[ZONE_DMA], &err) == 0, "%s", err.message);
    lists_free(s->l);
    follow_free_all(s->f);
}

static void extfrag(struct state *s, uint64_t pfn, unsigned order, unsigned block, enum migratetype wanted, enum migratetype from, bool owner)
{
    follow_extfrag(s->f, &(struct follow_foreign){.cpu = CPU, .pfn = pfn, .order = order, .block_order = block, .wanted = wanted, .from = from,
                                                  .owner = owner, .sure = true});
}

static void answers(const struct state *s, uint64_t foreseen, uint64_t kind, uint64_t block, uint64_t known, uint64_t frame)
{
    const struct follow_stats *st = &s->f->st;
    ck_assert_uint_eq(st->foreseen, foreseen);
    ck_assert_uint_eq(st->foreseen_kind, kind);
    ck_assert_uint_eq(st->foreseen_block, block);
    ck_assert_uint_eq(st->foreseen_known, known);
    ck_assert_uint_eq(st->foreseen_frame, frame);
}

/* A Movable pageblock whose four free frames are at A + 8, the rest of it a program's but for `kernel` frames: 4 + kernel are free or alike. */
static void four_free(struct state *s, unsigned kernel)
{
    make(s);
    movable(s, A, BLOCK - kernel);
    begin(s);
    follow_back(s->f, A + 8, 2, MIGRATE_MOVABLE, true);
}

/* The smallest block is split; what is left goes back to the other type's lists. */
START_TEST(steal)
{
    struct state s;
    four_free(&s, 0);
    extfrag(&s, A + 8, 0, 2, MIGRATE_UNMOVABLE, MIGRATE_MOVABLE, false);
    answers(&s, 1, 1, 1, 1, 1);
    ck_assert_uint_eq(s.f->st.steals, 1);
    ck_assert_int_eq(follow_type(s.f, A), MIGRATE_MOVABLE);
    ck_assert_uint_eq(s.map->zones[ZONE_DMA].nr_free_mt[0][MIGRATE_MOVABLE], 1);
    ck_assert_uint_eq(s.map->zones[ZONE_DMA].nr_free_mt[1][MIGRATE_MOVABLE], 1);
    end(&s);
}
END_TEST

/* 256 of 512 frames free or alike: claimed; 255: stolen. */
START_TEST(half_a_pageblock)
{
    for (unsigned kernel = 251; kernel <= 252; kernel++) {
        bool claim = kernel == 252;
        struct state s;
        four_free(&s, kernel);
        if (claim)
            follow_taken(s.f, CPU, A + 8, 0, MIGRATE_UNMOVABLE, true); /* its free blocks have moved: from the type's own lists */
        extfrag(&s, A + 8, 0, 2, MIGRATE_UNMOVABLE, MIGRATE_MOVABLE, claim);
        answers(&s, 1, 1, 1, 1, 1);
        ck_assert_uint_eq(s.f->st.part_claims, claim);
        ck_assert_uint_eq(s.f->st.steals, !claim);
        ck_assert_int_eq(follow_type(s.f, A), claim ? MIGRATE_UNMOVABLE : MIGRATE_MOVABLE);
        ck_assert_uint_eq(s.map->zones[ZONE_DMA].nr_free_mt[1][claim ? MIGRATE_UNMOVABLE : MIGRATE_MOVABLE], 1);
        end(&s);
    }
}
END_TEST

/* The kernel did the other thing: that is seen. */
START_TEST(a_wrong_rule_is_seen)
{
    struct state s;
    four_free(&s, 252);
    extfrag(&s, A + 8, 0, 2, MIGRATE_UNMOVABLE, MIGRATE_MOVABLE, false);
    answers(&s, 1, 0, 0, 1, 1);
    end(&s);
    four_free(&s, 0);
    follow_back(s.f, B, 0, MIGRATE_UNMOVABLE, true); /* there is one of its own */
    extfrag(&s, A + 8, 0, 2, MIGRATE_UNMOVABLE, MIGRATE_MOVABLE, false);
    answers(&s, 0, 0, 0, 0, 0);
    ck_assert_uint_eq(s.f->st.extfrags, 1);
    end(&s);
}
END_TEST

/* An event of no frame is no answer. */
START_TEST(no_frame)
{
    struct state s;
    four_free(&s, 0);
    extfrag(&s, PFN_NONE.v, 0, 2, MIGRATE_UNMOVABLE, MIGRATE_MOVABLE, false);
    answers(&s, 0, 0, 0, 0, 0);
    ck_assert_uint_eq(s.f->st.extfrags, 1);
    end(&s);
}
END_TEST

/* A pageblock of which two zones have a part: its blocks stay on their own zone's lists when its type turns out to be another. */
START_TEST(zone_ends_in_a_pageblock)
{
    struct state s;
    struct err err = {0};
    make_sized(&s, 32);
    struct zone *dma = &s.map->zones[ZONE_DMA], *dma32 = &s.map->zones[ZONE_DMA32];
    const uint64_t edge = dma->end - 64, start = dma->end - BLOCK;
    dma->end = dma32->start = edge;
    frames_zones_changed(s.map);
    old(&s, edge - 8, 3);
    old(&s, edge - 20, 2);
    old(&s, edge, 3);
    begin(&s);
    for (unsigned i = 0; i < 2; i++) {
        enum migratetype mt = i ? MIGRATE_MOVABLE : MIGRATE_UNMOVABLE;
        follow_shown(s.f, start, mt);
        ck_assert_uint_eq(dma->nr_free_mt[3][mt], 1);
        ck_assert_uint_eq(dma->nr_free_mt[2][mt], 1);
        ck_assert_uint_eq(dma32->nr_free_mt[3][mt], 1);
        ck_assert_uint_eq(dma->nonempty[!i], 0);
    }
    /* Its buddy lies in the other zone: nothing says that it is not free. */
    follow_taken(s.f, CPU, edge, 3, MIGRATE_MOVABLE, true);
    ck_assert(follow_is_free(s.f, edge - 8));
    ck_assert_uint_eq(dma->free, 12);
    ck_assert_uint_eq(dma32->free, 0);
    ck_assert_msg(buddy_check(s.map, dma32, &err) == 0, "%s", err.message);
    end(&s);
}
END_TEST

/* A free pageblock is claimed whole, before any smaller block is looked at. */
START_TEST(whole_pageblock)
{
    struct state s;
    four_free(&s, 0);
    follow_back(s.f, C, 9, MIGRATE_MOVABLE, true);
    extfrag(&s, C, 0, 9, MIGRATE_UNMOVABLE, MIGRATE_MOVABLE, true);
    answers(&s, 1, 1, 1, 1, 1);
    ck_assert_uint_eq(s.f->st.whole_claims, 1);
    ck_assert_int_eq(follow_type(s.f, C), MIGRATE_UNMOVABLE);
    ck_assert_uint_eq(s.map->zones[ZONE_DMA].nr_free_mt[8][MIGRATE_UNMOVABLE], 1);
    end(&s);
}
END_TEST

/* A stolen page stands on the CPU's list of the type that stole it; that does not make its pageblock one of that type. */
START_TEST(stolen_page_tells_nothing)
{
    struct state s;
    make(&s);
    types(&s, MIGRATE_RECLAIMABLE, MIGRATE_MOVABLE, MIGRATE_MOVABLE);
    old(&s, A + 8, 0);
    old(&s, A + 16, 0);
    begin(&s);
    extfrag(&s, A + 8, 0, 0, MIGRATE_UNMOVABLE, MIGRATE_RECLAIMABLE, false);
    lists_refill(s.l, CPU, A + 8, 0, MIGRATE_UNMOVABLE, true);
    lists_alloc(s.l, CPU, A + 8, 0, MIGRATE_UNMOVABLE, true);
    ck_assert_int_eq(follow_type(s.f, A), MIGRATE_RECLAIMABLE);
    ck_assert_uint_eq(lists_stats(s.l)->right, 1);
    extfrag(&s, A + 16, 0, 0, MIGRATE_UNMOVABLE, MIGRATE_RECLAIMABLE, false);
    ck_assert_uint_eq(s.f->st.foreseen, 2);
    ck_assert_uint_eq(s.f->st.passed_over, 0);
    end(&s);
}
END_TEST

/* The steal says which type the pageblock has, whatever was inferred; a page from elsewhere only makes one likely. */
START_TEST(what_shows_a_type)
{
    struct state s;
    make(&s);
    types(&s, MIGRATE_MOVABLE, MIGRATE_MOVABLE, MIGRATE_MOVABLE);
    old(&s, A + 8, 0);
    old(&s, A + 16, 0);
    old(&s, B + 8, 0);
    begin(&s);
    extfrag(&s, A + 8, 0, 0, MIGRATE_UNMOVABLE, MIGRATE_RECLAIMABLE, false);
    ck_assert_int_eq(follow_type(s.f, A), MIGRATE_RECLAIMABLE);
    ck_assert_uint_eq(s.f->st.retyped, 1);
    lists_alloc(s.l, CPU, A + 20, 0, MIGRATE_UNMOVABLE, true); /* the event before it was sure */
    ck_assert_int_eq(follow_type(s.f, A), MIGRATE_RECLAIMABLE);
    lists_alloc(s.l, CPU, B + 20, 0, MIGRATE_UNMOVABLE, true);
    ck_assert_int_eq(follow_type(s.f, B), MIGRATE_UNMOVABLE);
    extfrag(&s, A + 16, 0, 0, MIGRATE_UNMOVABLE, MIGRATE_RECLAIMABLE, false); /* so B's is not Unmovable, and is free */
    ck_assert_int_eq(follow_type(s.f, B), MIGRATE_MOVABLE);
    ck_assert(follow_is_free(s.f, B + 8));
    ck_assert_uint_eq(s.f->st.passed_over, 0);
    end(&s);
}
END_TEST

/* The type that the table names first had nothing: what stands there is of the type that was taken. */
START_TEST(passed_over_types)
{
    static const struct { enum migratetype wanted, first, then; } table[] = {{MIGRATE_UNMOVABLE, MIGRATE_RECLAIMABLE, MIGRATE_MOVABLE},
                                                                             {MIGRATE_MOVABLE, MIGRATE_RECLAIMABLE, MIGRATE_UNMOVABLE},
                                                                             {MIGRATE_RECLAIMABLE, MIGRATE_UNMOVABLE, MIGRATE_MOVABLE}};
    for (unsigned i = 0; i < 3; i++) {
        struct state s;
        make(&s);
        movable(&s, B, BLOCK);
        types(&s, table[i].first, table[i].then, table[i].then);
        ck_assert(buddy_fallback_before(table[i].wanted, table[i].first, table[i].then));
        ck_assert(!buddy_fallback_before(table[i].wanted, table[i].then, table[i].first));
        old(&s, A + 8, 0);
        old(&s, A + 16, 3);
        old(&s, B + 8, 0);
        begin(&s);
        extfrag(&s, B + 8, 0, 0, table[i].wanted, table[i].then, false);
        ck_assert_int_eq(follow_type(s.f, A), table[i].then);
        ck_assert(follow_is_free(s.f, A + 8) && follow_is_free(s.f, A + 16) && !follow_is_free(s.f, B + 8));
        ck_assert_uint_eq(s.f->st.evicted, 1); /* a pageblock */
        end(&s);
    }
}
END_TEST

/* A steal takes the smallest block of any type: smaller ones are not there. Not so for a claim, which takes the largest. */
START_TEST(smaller_blocks_are_gone)
{
    for (int claim = 0; claim < 2; claim++) {
        struct state s;
        four_free(&s, claim ? 252 : 0);
        follow_back(s.f, C + 8, 1, MIGRATE_MOVABLE, true);
        if (claim)
            follow_taken(s.f, CPU, A + 8, 0, MIGRATE_UNMOVABLE, true);
        extfrag(&s, A + 8, 0, 2, MIGRATE_UNMOVABLE, MIGRATE_MOVABLE, claim);
        ck_assert_int_eq(follow_is_free(s.f, C + 8), claim);
        ck_assert_uint_eq(s.f->st.passed_over, !claim);
        end(&s);
    }
}
END_TEST

/* Of old blocks the order is not known. Ours is a program's pageblock, the kernel's is not: the rule is asked of the kernel's. */
START_TEST(rule_of_the_kernels_block)
{
    struct state s;
    make(&s);
    movable(&s, A, BLOCK);
    old(&s, A + 8, 0);
    old(&s, D + 8, 0);
    struct zone *z = &s.map->zones[ZONE_DMA];
    if (buddy_first(s.map, z, 0, MIGRATE_MOVABLE) != A + 8) { /* A first */
        free_list_del(s.map, z, A + 8, 0, MIGRATE_MOVABLE);
        free_list_add(s.map, z, A + 8, 0, MIGRATE_MOVABLE, false);
    }
    begin(&s);
    follow_taken(s.f, CPU, D + 8, 0, MIGRATE_UNMOVABLE, true);
    extfrag(&s, D + 8, 0, 0, MIGRATE_UNMOVABLE, MIGRATE_MOVABLE, true);
    answers(&s, 1, 1, 1, 0, 0);
    ck_assert_int_eq(follow_type(s.f, D), MIGRATE_UNMOVABLE);
    end(&s);
}
END_TEST

/* A refill that stole goes on stealing, although the next pageblock could be claimed; another event of the CPU ends it. */
START_TEST(refill_goes_on_stealing)
{
    for (int other = 0; other < 2; other++) {
        struct state s;
        make(&s);
        movable(&s, A, BLOCK);
        begin(&s);
        follow_back(s.f, D + 8, 0, MIGRATE_MOVABLE, true);
        follow_back(s.f, A + 8, 0, MIGRATE_MOVABLE, true); /* stands first */
        extfrag(&s, A + 8, 0, 0, MIGRATE_UNMOVABLE, MIGRATE_MOVABLE, false);
        if (other)
            follow_other(s.f, CPU);
        extfrag(&s, D + 8, 0, 0, MIGRATE_UNMOVABLE, MIGRATE_MOVABLE, false);
        ck_assert_uint_eq(s.f->st.foreseen, 2);
        ck_assert_uint_eq(s.f->st.foreseen_kind, other ? 1 : 2);
        end(&s);
    }
}
END_TEST

/* A block at the tail was taken: what stands before it is not there, but for more blocks than one refill takes. */
START_TEST(more_than_a_refill_is_not_believed)
{
    enum { FIRST = 4096, LAST = 15 * 1024, REFILL = 63 << 5 };
    for (int more = 0; more < 2; more++) {
        struct state s;
        make_sized(&s, 64);
        for (uint64_t i = 0; i < REFILL + (uint64_t)more; i++)
            old(&s, FIRST + 2 * i, 0);
        begin(&s);
        follow_back(s.f, LAST + 2, 1, MIGRATE_MOVABLE, true);
        follow_back(s.f, LAST, 0, MIGRATE_MOVABLE, true); /* its parent's buddy is free: to the tail */
        follow_taken(s.f, CPU, LAST, 0, MIGRATE_MOVABLE, true);
        ck_assert_int_eq(follow_type(s.f, FIRST), more ? MIGRATE_MOVABLE : MIGRATE_RECLAIMABLE);
        ck_assert_int_eq(s.f->st.evicted != 0, !more);
        ck_assert(follow_is_free(s.f, FIRST));
        end(&s);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("follow");
    TCase *t = tcase_create("fallback");
    tcase_add_test(t, steal);
    tcase_add_test(t, half_a_pageblock);
    tcase_add_test(t, a_wrong_rule_is_seen);
    tcase_add_test(t, no_frame);
    tcase_add_test(t, zone_ends_in_a_pageblock);
    tcase_add_test(t, whole_pageblock);
    tcase_add_test(t, stolen_page_tells_nothing);
    tcase_add_test(t, what_shows_a_type);
    tcase_add_test(t, passed_over_types);
    tcase_add_test(t, smaller_blocks_are_gone);
    tcase_add_test(t, rule_of_the_kernels_block);
    tcase_add_test(t, refill_goes_on_stealing);
    tcase_add_test(t, more_than_a_refill_is_not_believed);
    suite_add_tcase(s, t);
    return run_suite(s);
}
