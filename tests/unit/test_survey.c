/* The walk over memory against a plain array of frames; the simulated map against its own books. */
#include "frames/measure/fragmentation.h"
#include "frames/measure/survey.h"

#include "engine/rng.h"
#include "engine/types.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { FRAMES = 3 * 512 + 100, BIG = 3u << 18 };

/* What a plain reading of one class a frame says. */
static void naive(const uint8_t *class, uint64_t n, unsigned order, struct survey *want)
{
    uint64_t run = 0;
    memset(want, 0, sizeof *want);
    for (uint64_t p = 0; p <= n; p++) {
        if (p < n)
            want->total[class[p]]++;
        if (p < n && class[p] == SURVEY_FREE) {
            run++;
            continue;
        }
        if (run) {
            unsigned bin = 0;
            while (run >> (bin + 1))
                bin++;
            want->runs[bin]++;
            want->run_frames[bin] += run;
            want->largest_run = run > want->largest_run ? run : want->largest_run;
        }
        run = 0;
    }
    for (unsigned k = 0; k < 2; k++) {
        uint64_t size = k ? 1u << 18 : 512;
        for (uint64_t a = 0; a + size <= n; a += size) {
            bool all_free = true, all_movable = true;
            for (uint64_t p = a; p < a + size; p++) {
                all_free &= class[p] == SURVEY_FREE;
                all_movable &= class[p] == SURVEY_FREE || class[p] == SURVEY_PCP || class[p] == SURVEY_ANON || class[p] == SURVEY_FILE;
            }
            *(k ? &want->free_1g : &want->free_2m) += all_free;
            *(k ? &want->could_1g : &want->could_2m) += all_movable;
        }
    }
    for (uint64_t b = 0; b < n; b += 1ull << order) {
        bool ram = false, managed = false, movable = false, unmovable = false;
        uint64_t here = 0;
        for (uint64_t p = b; p < n && p < b + (1ull << order); p++) {
            ram |= class[p] != SURVEY_HOLE;
            managed |= class[p] > SURVEY_RESERVED;
            movable |= class[p] == SURVEY_ANON || class[p] == SURVEY_FILE;
            bool u = class[p] == SURVEY_RESERVED || class[p] >= SURVEY_PGTABLE;
            unmovable |= u;
            here += u;
        }
        if (ram && !managed) {
            want->blocks_reserved++;
            continue;
        }
        want->unmovable_frames += here;
        want->blocks += ram;
        want->blocks_mixed += movable && unmovable;
        want->blocks_movable += movable && !unmovable;
        want->blocks_unmovable += unmovable && !movable;
        want->blocks_free += ram && !movable && !unmovable;
        want->blocks_with_unmovable += unmovable;
    }
}

static void compare(const struct survey *got, const struct survey *want)
{
    ck_assert_mem_eq(got->total, want->total, sizeof want->total);
    ck_assert_mem_eq(got->runs, want->runs, sizeof want->runs);
    ck_assert_mem_eq(got->run_frames, want->run_frames, sizeof want->run_frames);
#define SAME(field) ck_assert_uint_eq(got->field, want->field)
    SAME(largest_run);
    SAME(free_2m);
    SAME(free_1g);
    SAME(could_2m);
    SAME(could_1g);
    SAME(blocks);
    SAME(blocks_reserved);
    SAME(blocks_free);
    SAME(blocks_movable);
    SAME(blocks_unmovable);
    SAME(blocks_mixed);
    SAME(blocks_with_unmovable);
    SAME(unmovable_frames);
#undef SAME
}

/* Random ranges of any length, holes left out at random, so that gaps count as holes. */
static void random_walk(struct survey *s, uint8_t *class, uint64_t n, unsigned order, uint64_t longest, uint64_t seed)
{
    struct rng r;
    struct err err;
    rng_init(&r, seed, "survey");
    ck_assert_int_eq(survey_init(s, n, order, &err), 0);
    for (uint64_t p = 0; p < n;) {
        uint64_t len = 1 + rng_below(&r, 1 + rng_below(&r, longest));
        len = len > n - p ? n - p : len;
        uint8_t c = (uint8_t)(rng_below(&r, 2) ? SURVEY_FREE : rng_below(&r, N_SURVEY_CLASSES));
        memset(class + p, c, len);
        if (c != SURVEY_HOLE || rng_below(&r, 2))
            survey_add(s, p, len, (enum survey_class)c);
        p += len;
    }
    survey_finish(s);
}

/* Frames by class of some stretches of pageblocks; then the survey, cleared, of memory that is of one class but for a frame. */
static void sums_and_clear(struct survey *s, const uint8_t *class, uint64_t n, uint64_t seed)
{
    struct rng r;
    rng_init(&r, seed, "survey sums");
    for (unsigned k = 0; k < 8; k++) {
        uint64_t from = rng_below(&r, s->n_blocks + 1), to = from + rng_below(&r, s->n_blocks + 2 - from);
        uint64_t got[N_SURVEY_CLASSES] = {0}, want[N_SURVEY_CLASSES] = {0};
        survey_sum(s, from, to, got);
        for (uint64_t p = from << s->pageblock_order; p < to << s->pageblock_order; p++)
            if (p < n)
                want[class[p]]++;
        ck_assert_mem_eq(got, want, sizeof want);
    }
    uint64_t odd = rng_below(&r, n), all[N_SURVEY_CLASSES] = {0};
    survey_clear(s);
    survey_add(s, 0, odd, SURVEY_FREE);
    survey_add(s, odd, 1, SURVEY_SLAB);
    survey_add(s, odd + 1, n - odd - 1, SURVEY_FREE);
    survey_finish(s);
    survey_sum(s, 0, s->n_blocks, all);
    for (unsigned c = 0; c < N_SURVEY_CLASSES; c++)
        ck_assert_uint_eq(all[c], c == SURVEY_FREE ? n - 1 : c == SURVEY_SLAB);
    ck_assert_uint_eq(s->blocks_unmovable, 1);
    ck_assert_uint_eq(s->blocks_free, s->n_blocks - 1);
}

START_TEST(random_small)
{
    static uint8_t class[FRAMES];
    for (uint64_t seed = 1; seed <= 400; seed++) {
        struct survey got, want;
        random_walk(&got, class, FRAMES, seed % 2 ? 9 : 4, 1 + seed * 4, seed);
        naive(class, FRAMES, got.pageblock_order, &want);
        compare(&got, &want);
        sums_and_clear(&got, class, FRAMES, seed);
        survey_fini(&got);
    }
}
END_TEST

START_TEST(random_gigabytes) /* whole GiB areas, free ones among them */
{
    uint8_t *class = malloc(BIG);
    uint64_t huge = 0;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct survey got, want;
        random_walk(&got, class, BIG, 9, BIG, seed);
        naive(class, BIG, 9, &want);
        compare(&got, &want);
        huge += got.free_1g + got.could_1g;
        sums_and_clear(&got, class, BIG, seed);
        survey_fini(&got);
    }
    ck_assert_uint_gt(huge, 0);
    free(class);
}
END_TEST

START_TEST(frame_map) /* the simulated map: classes add up to its books, and a cleared survey is a new one */
{
    struct memory_config mem;
    struct buddy_config buddy;
    struct frame_map *map;
    struct survey s;
    struct err err;
    struct rng r;
    enum { LIVE = 3000 };
    static struct { pfn_t pfn; unsigned order; } live[LIVE];
    frames_config_defaults(&mem, &buddy);
    mem.size_bytes = 256ull << 20;
    ck_assert_msg(frame_map_new(&map, &mem, &buddy, &err) == 0, "%s", err.message);
    ck_assert_int_eq(survey_init(&s, map->n_frames, map->pageblock_order, &err), 0);
    rng_init(&r, 7, "survey map");
    for (unsigned round = 0; round < 5; round++) {
        for (unsigned i = 0; i < LIVE; i++)
            if (live[i].pfn.v) {
                if (rng_below(&r, 2))
                    continue;
                frames_free(map, live[i].pfn, live[i].order);
                live[i].pfn.v = 0;
            } else {
                bool movable = rng_below(&r, 2);
                live[i].order = (unsigned)rng_below(&r, 4);
                live[i].pfn = frames_alloc(map, movable ? GFP_HIGHUSER_MOVABLE : GFP_KERNEL, live[i].order,
                                           movable ? FRAME_TAG_ANON : FRAME_TAG_SLAB);
                if (live[i].pfn.v == PFN_NONE.v)
                    live[i].pfn.v = 0;
            }
        survey_clear(&s);
        survey_frames(&s, map);
        uint64_t sum = 0;
        for (unsigned c = 0; c < N_SURVEY_CLASSES; c++)
            sum += s.total[c];
        ck_assert_uint_eq(sum, map->n_frames);
        ck_assert_uint_eq(s.total[SURVEY_FREE], frames_free_pages(map));
        ck_assert_uint_eq(s.total[SURVEY_PCP], frames_pcp_pages(map));
        ck_assert_uint_eq(s.total[SURVEY_ANON], map->tag_pages[FRAME_TAG_ANON]);
        ck_assert_uint_eq(s.total[SURVEY_SLAB], map->tag_pages[FRAME_TAG_SLAB]);
        ck_assert_uint_eq(s.total[SURVEY_RESERVED], map->reserved);
        ck_assert_uint_ge(s.free_2m, frag_suitable_blocks(map, 9)); /* buddies of different zones never merge */
    }
    survey_fini(&s);
    frame_map_free(map);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("survey");
    TCase *t = tcase_create("survey");
    tcase_set_timeout(t, 0);
    tcase_add_test(t, random_small);
    tcase_add_test(t, random_gigabytes);
    tcase_add_test(t, frame_map);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
