/* The buddy's rules one by one (linux-mm 2.2-2.6), and the verifier: each kind of corruption, planted, is caught. */
#include "test_frames_util.h"

/* A machine with one zone worth of attention: 16 MiB, [pfn 256, 4096) in DMA; mobility off or on. */
static struct frame_map *small_map(bool mobility)
{
    struct memory_config m;
    struct buddy_config b;
    frames_config_defaults(&m, &b);
    m.size_bytes = 16 * MIB;
    b.group_by_mobility = mobility;
    b.pcp = false;
    return map_of(m, b);
}

static uint64_t take(struct frame_map *m, unsigned order)
{
    return frames_alloc(m, GFP_ALL_KERNEL, order, FRAME_TAG_KERNEL).v;
}
static void give(struct frame_map *m, uint64_t pfn, unsigned order) { frames_free(m, (pfn_t){pfn}, order); }

START_TEST(initial_placement_and_split)
{
    struct frame_map *m = small_map(false);
    const struct zone *z = &m->zones[ZONE_DMA];
    ck_assert_uint_eq(z->nr_free[8], 1); /* pfn 256 */
    ck_assert_uint_eq(z->nr_free[9], 1); /* pfn 512 */
    ck_assert_uint_eq(z->nr_free[10], 3);
    ck_assert_uint_eq(z->free, 3840);
    ck_assert_uint_eq(z->free_blocks, 3584);
    for (uint64_t i = 0; i < 256; i++) /* consecutive single frames of one block ascend */
        ck_assert_uint_eq(take(m, 0), 256 + i);
    ck_assert_uint_eq(m->st.splits, 255); /* 2^8 frames: one split less than pieces */
    ck_assert_uint_eq(take(m, 0), 512);
    for (unsigned o = 0; o < 9; o++)
        ck_assert_uint_eq(z->nr_free[o], 1); /* 513, 514, 516, ... */
    ck_assert_uint_eq(take(m, 3), 520);
    ck_assert_uint_eq(take(m, 10), 1024);
    ck_assert_uint_eq(take(m, 10), 2048); /* the largest come in ascending order */
    ck_assert_uint_eq(take(m, 10), 3072);
    ck_assert_uint_eq(take(m, 10), PFN_NONE.v);
    check_map(m);
    frame_map_free(m);
}
END_TEST

START_TEST(freed_last_is_taken_first)
{
    struct frame_map *m = small_map(false);
    uint64_t a[8];
    for (int i = 0; i < 8; i++)
        a[i] = take(m, 0);
    give(m, a[0], 0); /* buddies of all three stay in use: no merge */
    give(m, a[2], 0);
    give(m, a[4], 0);
    ck_assert_uint_eq(take(m, 0), a[4]);
    ck_assert_uint_eq(take(m, 0), a[2]);
    ck_assert_uint_eq(take(m, 0), a[0]);
    check_map(m);
    frame_map_free(m);
}
END_TEST

START_TEST(merge_cascade)
{
    struct frame_map *m = small_map(false);
    uint64_t p = take(m, 0);
    ck_assert_uint_eq(p, 256);
    give(m, p, 0);
    ck_assert_uint_eq(m->st.merges, 8);
    ck_assert_uint_eq(m->zones[ZONE_DMA].nr_free[8], 1);
    ck_assert_uint_eq(m->zones[ZONE_DMA].nr_free[0], 0);
    check_map(m);
    /* Largest blocks do not merge further; a pageblock at a time comes back (order 10 is two). */
    p = take(m, 10);
    uint64_t q = take(m, 10);
    m->st.merges = 0;
    give(m, p, 10);
    give(m, q, 10);
    ck_assert_uint_eq(m->st.merges, 2);
    ck_assert_uint_eq(m->zones[ZONE_DMA].nr_free[10], 3);
    check_map(m);
    frame_map_free(m);
}
END_TEST

/* buddy_merge_likely: with the parent's buddy free, the block goes to the tail and is taken last. */
START_TEST(likely_merges_wait_at_the_tail)
{
    struct frame_map *m = small_map(false);
    uint64_t a[16];
    for (int i = 0; i < 16; i++)
        a[i] = take(m, 0);
    give(m, a[8], 0);  /* parent [8,10), its buddy [10,12) in use: head */
    give(m, a[2], 0);
    give(m, a[3], 0);  /* merged to [2,4) of order 1 */
    give(m, a[0], 0);  /* parent [0,2), its buddy [2,4) is free: tail */
    give(m, a[12], 0); /* head */
    ck_assert_uint_eq(take(m, 0), a[12]);
    ck_assert_uint_eq(take(m, 0), a[8]);
    ck_assert_uint_eq(take(m, 0), a[0]);
    ck_assert_uint_eq(take(m, 0), a[2]); /* now the order-1 block is split */
    check_map(m);
    frame_map_free(m);
}
END_TEST

START_TEST(no_merge_likely_at_the_top)
{
    struct frame_map *m = small_map(false);
    uint64_t a[8];
    a[0] = take(m, 9); /* 512 */
    for (int i = 1; i < 7; i++)
        a[i] = take(m, 9); /* both halves of 1024, 2048, 3072 */
    ck_assert_uint_eq(a[6], 3584);
    give(m, a[5], 9);
    give(m, a[6], 9); /* 3072 is whole again: the buddy of the parent of a[3] */
    give(m, a[1], 9);
    give(m, a[3], 9);
    ck_assert_uint_eq(take(m, 9), a[3]); /* order 9: always the head */
    ck_assert_uint_eq(take(m, 9), a[1]);
    check_map(m);
    frame_map_free(m);
}
END_TEST

START_TEST(claim_whole_pageblock)
{
    struct frame_map *m = small_map(true);
    ck_assert(m->mobility);
    pfn_t k = frames_alloc(m, GFP_KERNEL, 0, FRAME_TAG_KERNEL);
    /* All is MOVABLE at first; the largest foreign block, the head of order 10, is retyped whole. */
    ck_assert_uint_eq(k.v, 1024);
    ck_assert_uint_eq(m->st.fallbacks, 1);
    ck_assert_uint_eq(m->st.fallback_claims_whole, 1);
    ck_assert_int_eq(frames_pageblock_type(m, (pfn_t){1024}), MIGRATE_UNMOVABLE);
    ck_assert_int_eq(frames_pageblock_type(m, (pfn_t){1536}), MIGRATE_UNMOVABLE);
    ck_assert_int_eq(frames_pageblock_type(m, (pfn_t){2048}), MIGRATE_MOVABLE);
    ck_assert_uint_eq(m->zones[ZONE_DMA].nr_free_mt[9][MIGRATE_UNMOVABLE], 1);
    ck_assert_uint_eq(frames_alloc(m, GFP_KERNEL, 0, FRAME_TAG_KERNEL).v, 1025);
    ck_assert_uint_eq(frames_alloc(m, GFP_HIGHUSER_MOVABLE, 0, FRAME_TAG_ANON).v, 256);
    ck_assert_uint_eq(m->st.fallbacks, 1);
    check_map(m);
    /* Freed, the retyped block stays with its type. */
    frames_free(m, (pfn_t){1025}, 0);
    frames_free(m, k, 0);
    ck_assert_uint_eq(m->zones[ZONE_DMA].nr_free_mt[10][MIGRATE_UNMOVABLE], 1);
    check_map(m);
    frame_map_free(m);
}
END_TEST

/* Uses up everything as MOVABLE single frames of `tag`, then frees [from, from + n). */
static struct frame_map *full_map(enum frame_tag tag, uint64_t from, uint64_t n)
{
    struct frame_map *m = small_map(true);
    while (!pfn_is_none(frames_alloc(m, GFP_ALL, 0, tag)))
        ;
    for (uint64_t p = from; p < from + n; p++)
        give(m, p, 0);
    check_map(m);
    return m;
}

START_TEST(claim_part_of_a_pageblock)
{
    /* 256 of 512 frames free, the others movable: unmovable requests may just claim it (free + alike = 256). */
    struct frame_map *m = full_map(FRAME_TAG_ANON, 1024, 256);
    ck_assert_uint_eq(take(m, 0), 1024);
    ck_assert_uint_eq(m->st.fallback_claims_part, 1);
    ck_assert_int_eq(frames_pageblock_type(m, (pfn_t){1024}), MIGRATE_UNMOVABLE);
    check_map(m);
    frame_map_free(m);

    /* 128 free and the rest movable: not enough, the frame is stolen and the type stays. */
    m = full_map(FRAME_TAG_ANON, 1024, 128);
    ck_assert_uint_eq(take(m, 0), 1024);
    ck_assert_uint_eq(m->st.fallback_claims_part, 0);
    ck_assert_uint_eq(m->st.fallback_steals, 1);
    ck_assert_int_eq(frames_pageblock_type(m, (pfn_t){1024}), MIGRATE_MOVABLE);
    ck_assert_uint_eq(m->zones[ZONE_DMA].nr_free_mt[6][MIGRATE_MOVABLE], 1);
    check_map(m);
    frame_map_free(m);

    /* 128 free, the rest held by what cannot move: alike to the request, so it claims. */
    m = full_map(FRAME_TAG_SLAB, 1024, 128);
    ck_assert_uint_eq(take(m, 0), 1024);
    ck_assert_uint_eq(m->st.fallback_claims_part, 1);
    check_map(m);
    frame_map_free(m);
}
END_TEST

START_TEST(movable_requests_claim_only_from_order_4)
{
    struct frame_map *m = small_map(true);
    while (!pfn_is_none(frames_alloc(m, GFP_ALL_KERNEL, 0, FRAME_TAG_ANON)))
        ;
    ck_assert_int_eq(frames_pageblock_type(m, (pfn_t){2048}), MIGRATE_UNMOVABLE);
    uint64_t steals = m->st.fallback_steals; /* the pageblock of pfn 256 begins before its zone: never claimed */
    ck_assert_uint_eq(steals, 256);
    for (uint64_t p = 2048; p < 2056; p++)
        give(m, p, 0); /* order 3 */
    ck_assert_uint_eq(frames_alloc(m, GFP_ALL, 0, FRAME_TAG_ANON).v, 2048);
    ck_assert_uint_eq(m->st.fallback_steals, steals + 1);
    for (uint64_t p = 3072; p < 3088; p++)
        give(m, p, 0); /* order 4; all other frames of the block are movable: alike */
    uint64_t claims = m->st.fallback_claims_part;
    ck_assert_uint_eq(frames_alloc(m, GFP_ALL, 0, FRAME_TAG_ANON).v, 3072);
    ck_assert_uint_eq(m->st.fallback_claims_part, claims + 1);
    ck_assert_int_eq(frames_pageblock_type(m, (pfn_t){3072}), MIGRATE_MOVABLE);
    check_map(m);
    frame_map_free(m);
}
END_TEST

START_TEST(reclaimable_before_movable)
{
    struct frame_map *m = small_map(true);
    pfn_t r = frames_alloc(m, GFP_KERNEL | __GFP_RECLAIMABLE, 0, FRAME_TAG_SLAB); /* claims 1024..2047 */
    ck_assert_uint_eq(r.v, 1024);
    pfn_t u = frames_alloc(m, GFP_KERNEL, 0, FRAME_TAG_KERNEL); /* table order is per order: 10 has only MOVABLE */
    ck_assert_uint_eq(u.v, 2048);
    while (!pfn_is_none(frames_alloc(m, GFP_ALL_KERNEL, 9, FRAME_TAG_KERNEL)))
        ;
    /* What is left of order 8 or less: UNMOVABLE's own, then the RECLAIMABLE block, MOVABLE's 256 last. */
    uint64_t left = m->zones[ZONE_DMA].nr_free_mt[8][MIGRATE_RECLAIMABLE];
    ck_assert_uint_eq(left, 1);
    while (m->zones[ZONE_DMA].nonempty[MIGRATE_UNMOVABLE])
        take(m, 0);
    pfn_t n = {take(m, 0)};
    ck_assert(n.v >= 1024 && n.v < 1536);
    check_map(m);
    frame_map_free(m);
}
END_TEST

START_TEST(neighbours_of_other_type_merge_and_retype)
{
    struct frame_map *m = small_map(true);
    pfn_t a = frames_alloc(m, GFP_ALL, 9, FRAME_TAG_ANON); /* 512 */
    ck_assert_uint_eq(a.v, 512);
    pfn_t b = frames_alloc(m, GFP_ALL, 9, FRAME_TAG_ANON); /* 1024, its buddy 1536 */
    pfn_t c = frames_alloc(m, GFP_ALL_KERNEL, 9, FRAME_TAG_KERNEL);
    ck_assert(b.v == 1024 && c.v == 2048);
    while (!pfn_is_none(frames_alloc(m, GFP_ALL_KERNEL, 9, FRAME_TAG_KERNEL)))
        ;
    ck_assert_int_eq(frames_pageblock_type(m, (pfn_t){1536}), MIGRATE_UNMOVABLE);
    ck_assert_int_eq(frames_pageblock_type(m, b), MIGRATE_MOVABLE);
    give(m, 1536, 9);
    frames_free(m, b, 9); /* freed last: its type wins for both */
    ck_assert_int_eq(frames_pageblock_type(m, (pfn_t){1536}), MIGRATE_MOVABLE);
    ck_assert_uint_eq(m->zones[ZONE_DMA].nr_free_mt[10][MIGRATE_MOVABLE], 1);
    check_map(m);
    frame_map_free(m);
}
END_TEST

START_TEST(normal_spills_before_it_mixes)
{
    /* NOFRAGMENT: with Normal's movable memory gone but for small blocks, an unmovable request goes to DMA32. */
    struct frame_map *m = map_plain(4 * GIB + 256 * MIB);
    struct zone *n = &m->zones[ZONE_NORMAL];
    while (n->free_blocks)
        ck_assert(!pfn_is_none(frames_alloc(m, GFP_ALL, 9, FRAME_TAG_ANON)));
    ck_assert_uint_eq(n->free, 0);
    for (uint64_t p = n->start; p < n->end; p += 512) {
        frames_split(m, (pfn_t){p}, 9, 8);
        give(m, p, 8); /* half of each pageblock is free */
    }
    /* The reserves were asked last (2.10, steps 3 and 6), so DMA32 is down at its least mark: it gets back above the high one. */
    for (uint64_t p = DMA_END_PFN; !zone_watermark_ok(&m->zones[ZONE_DMA32], 0, ZONE_NORMAL, WMARK_HIGH); p += 512)
        if (frames_find(m, (pfn_t){p}).kind == FRAME_IS_ALLOCATED)
            give(m, p, 9);
    pfn_t k = frames_alloc(m, GFP_KERNEL, 0, FRAME_TAG_KERNEL);
    ck_assert_int_eq(frame_zone(m, k), ZONE_DMA32);
    pfn_t u = frames_alloc(m, GFP_HIGHUSER_MOVABLE, 0, FRAME_TAG_ANON);
    ck_assert_int_eq(frame_zone(m, u), ZONE_NORMAL);
    check_map(m);
    frame_map_free(m);
}
END_TEST

/* ---- the verifier ------------------------------------------------------------------------------------------------ */

static struct frame_map *busy_map(void)
{
    struct frame_map *m = small_map(true);
    for (int i = 0; i < 40; i++)
        frames_alloc(m, GFP_ALL, (unsigned)i % 4, FRAME_TAG_ANON);
    frames_alloc(m, GFP_KERNEL, 0, FRAME_TAG_PGTABLE);
    give(m, 256, 0);
    check_map(m);
    return m;
}

#define CAUGHT(m, part) \
    do { \
        struct err e_ = {0}; \
        ck_assert_int_eq(frames_check((m), &e_), -1); \
        ck_assert_msg(strstr(e_.message, (part)) != NULL, "said: %s", e_.message); \
        frame_map_free(m); \
    } while (0)

START_TEST(planted_in_frames)
{
    struct frame_map *m = busy_map();
    m->frames[256].state = FRAME_ALLOCATED;
    CAUGHT(m, "pfn 256 is on DMA's free list of order 0 but is not marked free");
    m = busy_map();
    m->frames[256].order = 1;
    CAUGHT(m, "pfn 256 is on DMA's free list of order 0 but is marked as a block of order 1");
    m = busy_map();
    pfn_t p = frames_alloc(m, GFP_ALL, 2, FRAME_TAG_ANON);
    m->frames[p.v + 1].state = FRAME_ALLOCATED; /* a frame with two owners */
    CAUGHT(m, "has two owners");
    m = busy_map();
    p = frames_alloc(m, GFP_ALL, 0, FRAME_TAG_ANON);
    m->frames[p.v].state = FRAME_NONE;
    CAUGHT(m, "is lost");
    m = busy_map();
    p = frames_alloc(m, GFP_ALL, 0, FRAME_TAG_ANON);
    m->frames[p.v].order = 1;
    CAUGHT(m, "pfn");
    m = busy_map();
    p = frames_alloc(m, GFP_ALL, 0, FRAME_TAG_ANON);
    m->frames[p.v].state = FRAME_FREE;
    CAUGHT(m, "is marked free but is on no free list");
    m = busy_map();
    m->frames[17].state = FRAME_ALLOCATED;
    CAUGHT(m, "pfn 17 is reserved");
    m = busy_map();
    m->frames[3072].state = FRAME_ALLOCATED; /* virgin */
    CAUGHT(m, "pfn 3072 was handed out");
    m = busy_map();
    p = frames_alloc(m, GFP_ALL, 0, FRAME_TAG_ANON);
    m->frames[p.v].tag = FRAME_TAG_SLAB;
    CAUGHT(m, "the books say");
    m = busy_map();
    p = frames_alloc(m, GFP_ALL, 0, FRAME_TAG_ANON);
    m->frames[p.v].tag = 200;
    CAUGHT(m, "impossible metadata");
}
END_TEST

/* The head of the longest order's list that has a linked block, for tampering with links. */
static uint32_t some_free(const struct frame_map *m, unsigned *order)
{
    for (unsigned o = 0; o <= 10; o++)
        for (uint32_t p = 256; p < 4096; p++)
            if (m->frames[p].state == FRAME_FREE && m->frames[p].order == o && o > 0) {
                *order = o;
                return p;
            }
    ck_abort_msg("no free block");
}

/* Where nothing in use has a record: what is free is still looked at, lost frames are not. */
START_TEST(planted_in_free_memory)
{
    struct err e = {0};
    unsigned o;
    struct frame_map *m = busy_map();
    pfn_t p = frames_alloc(m, GFP_ALL, 0, FRAME_TAG_ANON);
    m->frames[p.v].state = FRAME_NONE;
    ck_assert_msg(frames_check_free(m, &e) == 0, "%s", e.message);
    uint32_t f = some_free(m, &o);
    m->frames[f].next = f;
    ck_assert_int_eq(frames_check_free(m, &e), -1);
    ck_assert_msg(strstr(e.message, "points back") != NULL, "said: %s", e.message);
    frame_map_free(m);
    m = busy_map();
    m->zones[ZONE_DMA].nr_free[10]++;
    ck_assert_int_eq(frames_check_free(m, &e), -1);
    frame_map_free(m);
}
END_TEST

START_TEST(planted_in_lists)
{
    unsigned o;
    struct frame_map *m = busy_map();
    uint32_t f = some_free(m, &o);
    m->frames[f].next = 0xfffffff0;
    CAUGHT(m, "outside memory");
    m = busy_map();
    f = some_free(m, &o);
    m->frames[f].next = f; /* a loop */
    CAUGHT(m, "points back");
    m = busy_map();
    f = some_free(m, &o);
    m->frames[f].prev = f;
    m->frames[f].next = f;
    CAUGHT(m, "points back");
    m = busy_map();
    f = some_free(m, &o); /* unlinked, still counted: memory that can never be had again */
    m->frames[m->frames[f].prev].next = m->frames[f].next;
    m->frames[m->frames[f].next].prev = m->frames[f].prev;
    CAUGHT(m, "the list has");
    m = busy_map();
    m->zones[ZONE_DMA].nr_free[10]++;
    CAUGHT(m, "counts");
    m = busy_map();
    m->zones[ZONE_DMA].nr_free_mt[10][MIGRATE_MOVABLE]--;
    m->zones[ZONE_DMA].nr_free[10]--;
    CAUGHT(m, "counts");
    m = busy_map();
    m->zones[ZONE_DMA].free--;
    CAUGHT(m, "free pages");
    m = busy_map();
    m->zones[ZONE_DMA].nonempty[MIGRATE_UNMOVABLE] ^= 1u << 10;
    CAUGHT(m, "the bit of order 10");
    m = busy_map();
    m->zones[ZONE_DMA].virgin.run[0].start += 1024;
    CAUGHT(m, "virgin");
    m = busy_map();
    m->zones[ZONE_DMA].st.alloc_pages++;
    CAUGHT(m, "handed out");
    m = busy_map();
    m->tag_pages[FRAME_TAG_ANON]++;
    CAUGHT(m, "the books say");
    m = busy_map();
    m->reserved++;
    CAUGHT(m, "present");
    m = busy_map();
    m->pageblocks[256 >> 9] = MIGRATE_RECLAIMABLE ^ MIGRATE_MOVABLE;
    CAUGHT(m, "the pageblock of pfn");
    m = busy_map();
    m->pageblocks[4095 >> 9] = 77;
    CAUGHT(m, "no valid migratetype");
}
END_TEST

/* Two buddies that were never merged: frees behind the allocator's back. */
START_TEST(planted_unmerged_buddies)
{
    struct frame_map *m = busy_map();
    pfn_t p = frames_alloc(m, GFP_ALL, 9, FRAME_TAG_ANON);
    for (pfn_t q; !pfn_is_none(q = frames_alloc(m, GFP_ALL, 0, FRAME_TAG_ANON));)
        ;
    struct zone *z = &m->zones[ZONE_DMA];
    frames_split(m, p, 9, 0);
    frames_free(m, p, 0);
    m->frames[p.v].order = 1; /* hide it from its buddy's merge */
    frames_free(m, (pfn_t){p.v + 1}, 0);
    m->frames[p.v].order = 0;
    ck_assert_uint_eq(z->nr_free[0], 2);
    CAUGHT(m, "were not merged");
}
END_TEST

START_TEST(double_free_asserts)
{
    struct frame_map *m = busy_map();
    frames_free(m, (pfn_t){256}, 0);
}
END_TEST

START_TEST(wrong_order_asserts)
{
    struct frame_map *m = busy_map();
    frames_free(m, frames_alloc(m, GFP_ALL, 1, FRAME_TAG_ANON), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("buddy");
    TCase *t = tcase_create("rules");
    tcase_add_test(t, initial_placement_and_split);
    tcase_add_test(t, freed_last_is_taken_first);
    tcase_add_test(t, merge_cascade);
    tcase_add_test(t, likely_merges_wait_at_the_tail);
    tcase_add_test(t, no_merge_likely_at_the_top);
    tcase_add_test(t, claim_whole_pageblock);
    tcase_add_test(t, claim_part_of_a_pageblock);
    tcase_add_test(t, movable_requests_claim_only_from_order_4);
    tcase_add_test(t, reclaimable_before_movable);
    tcase_add_test(t, neighbours_of_other_type_merge_and_retype);
    tcase_add_test(t, normal_spills_before_it_mixes);
    suite_add_tcase(s, t);
    TCase *v = tcase_create("verifier");
    tcase_add_test(v, planted_in_frames);
    tcase_add_test(v, planted_in_lists);
    tcase_add_test(v, planted_in_free_memory);
    tcase_add_test(v, planted_unmerged_buddies);
    tcase_add_test_raise_signal(v, double_free_asserts, 6);
    tcase_add_test_raise_signal(v, wrong_order_asserts, 6);
    suite_add_tcase(s, v);
    return run_suite(s);
}
