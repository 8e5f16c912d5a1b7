/*
 * x86-hardware.md 10.14: unmovable 4 KiB pages placed uniformly with density p spoil 1 - (1 - p)^512 of the 2 MiB blocks,
 * and an order-9 request succeeds exactly as long as a free block of order 9 or more exists.
 */
#include "unit/test_frames_util.h"

#include "engine/rng.h"

#include <math.h>

enum { ORDER = 9, BLOCK = 512 };

START_TEST(test_spoiled)
{
    static const double density[] = {0.0001, 0.001, 0.005, 0.01};
    struct rng r;
    rng_init(&r, 9, "spoiled");
    for (size_t i = 0; i < ARRAY_LEN(density); i++) {
        struct frame_map *map = map_plain(2 * GIB); /* the closed form knows no per-CPU lists */
        uint64_t blocks = frag_suitable_blocks(map, ORDER), n = 0, had = 0;
        pfn_t *page = malloc(map->managed * sizeof *page), p;
        while (!pfn_is_none(p = frames_alloc(map, GFP_ALL_KERNEL, 0, FRAME_TAG_KERNEL)))
            page[n++] = p;
        ck_assert_uint_eq(n, map->managed);
        for (uint64_t k = 0; k < n; k++)
            if (rng_unit(&r) >= density[i])
                frames_free(map, page[k], 0);
        /* Blocks are independent: a binomial number is whole. */
        uint64_t whole = frag_suitable_blocks(map, ORDER);
        double q = pow(1 - density[i], BLOCK), mean = q * (double)blocks, sd = sqrt(mean * (1 - q));
        ck_assert_double_eq_tol((double)whole, mean, 3.89 * sd + 1);
        uint64_t free_pages = frames_free_pages(map);
        check_map(map);
        while (frag_suitable_blocks(map, ORDER)) {
            ck_assert(!pfn_is_none(p = frames_alloc(map, GFP_ALL_KERNEL, ORDER, FRAME_TAG_ANON)));
            ck_assert_uint_eq(p.v % BLOCK, 0);
            had++;
        }
        ck_assert_uint_eq(had, whole);
        ck_assert(pfn_is_none(frames_alloc(map, GFP_ALL_KERNEL, ORDER, FRAME_TAG_ANON))); /* however much is free */
        ck_assert_uint_eq(frames_free_pages(map), free_pages - had * BLOCK);
        check_map(map);
        free(page);
        frame_map_free(map);
    }
    /* The reference's table. */
    static const double spoiled[] = {0.050, 0.401, 0.923, 0.994};
    for (size_t i = 0; i < ARRAY_LEN(density); i++)
        ck_assert_double_eq_tol(1 - pow(1 - density[i], BLOCK), spoiled[i], 0.0005);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("forms_huge");
    TCase *t = tcase_create("huge");
    tcase_set_timeout(t, 0);
    tcase_add_test(t, test_spoiled);
    suite_add_tcase(s, t);
    return run_suite(s);
}
