/* Our allocator's frames beside a recording's: blocks that were asked for as one come back page by page. */
#include "test_frames_util.h"

#include "replay/simulate.h"

static struct simulate *begin(void)
{
    struct memory_config m;
    struct buddy_config b;
    struct err err = {0};
    struct simulate *s;
    frames_config_defaults(&m, &b);
    m.size_bytes = 256 * MIB;
    b.pcp = false;
    b.eager_init = true;
    ck_assert_int_eq(simulate_new(&s, map_of(m, b), &err), 0);
    return s;
}

/* What is free inside of such a block goes to the other type's lists with its pageblock. */
START_TEST(pages_of_a_block)
{
    struct simulate *s = begin();
    struct frame_map *map = simulate_map(s);
    struct zone *z = &map->zones[ZONE_DMA32];
    struct err err = {0};
    uint64_t first = (z->start + 1023) & ~1023ull, blocks = 0;
    for (uint64_t p = first; p + 8 <= z->end && z->nonempty[MIGRATE_MOVABLE] >> 3; p += 8, blocks++)
        simulate_alloc(s, p, 3, MIGRATE_MOVABLE);
    ck_assert_uint_gt(blocks, 1000);
    ck_assert_uint_eq(simulate_stats(s)->failures, 0);
    uint64_t left = z->free;
    for (uint64_t i = 0; i < blocks; i++)
        for (uint64_t p = first + i * 8 + 1; p < first + i * 8 + 8; p++)
            simulate_freed(s, p, 0);
    ck_assert_uint_eq(z->free, left + blocks * 7);
    ck_assert_uint_eq(simulate_stats(s)->frees_unknown, 0);
    uint64_t claims = map->st.fallback_claims_part;
    for (uint64_t i = 0; i < 600; i++)
        simulate_alloc(s, first + i * 8 + 1, 0, MIGRATE_UNMOVABLE);
    ck_assert_uint_gt(map->st.fallback_claims_part, claims);
    ck_assert_uint_eq(simulate_stats(s)->failures, 0);
    ck_assert_msg(frames_check_free(map, &err) == 0, "%s", err.message);
    simulate_free(s);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("simulate");
    TCase *t = tcase_create("simulate");
    tcase_add_test(t, pages_of_a_block);
    suite_add_tcase(s, t);
    return run_suite(s);
}
