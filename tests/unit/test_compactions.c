/* A replay follows compaction: which free blocks it takes, what comes back, and what an mm_page_free of its own does not mean. */
#include "test_frames_util.h"

#include "replay/compactions.h"

static struct { struct follow *f; struct lists *l; struct compactions *c; } w;
enum { CPU = 1 };

static void begin(void)
{
    struct memory_config m;
    struct buddy_config b;
    struct err err = {0};
    frames_config_defaults(&m, &b);
    m.size_bytes = 256 * MIB;
    b.pcp = false;
    b.eager_init = true;
    ck_assert_int_eq(follow_new(&w.f, map_of(m, b), NULL, &err), 0);
    ck_assert_int_eq(lists_new(&w.l, w.f, &err), 0);
    ck_assert_int_eq(compactions_new(&w.c, &(struct compactions_options){.follow = w.f, .lists = w.l}, &err), 0);
    w.f->counting = true;
}

static void end(void)
{
    compactions_free(w.c);
    lists_free(w.l);
    follow_free_all(w.f);
}

static uint64_t event(enum trace_kind kind, uint64_t start, uint64_t stop, uint64_t taken, bool fast)
{
    struct trace_rec r = {.kind = (uint8_t)kind, .addr = start, .size = fast};
    return compactions_event(w.c, &r, (const uint64_t[4]){stop, stop - start, taken, CPU}, CPU);
}

static void page_free(uint64_t pfn, unsigned order)
{
    follow_used(w.f, pfn, order, false);
    lists_freed(w.l, CPU, pfn, order, true);
    compactions_freed(w.c, CPU, pfn, order);
}

/* Leaves pages 0, 1 and 4 to 7 of each eight free in a pageblock of DMA32. */
static uint64_t broken_up(void)
{
    const struct zone *z = &w.f->map->zones[ZONE_DMA32];
    uint64_t at = z->start + 8192;
    for (uint64_t p = at; p < at + 512; p++)
        follow_taken(w.f, 0, p, 0, MIGRATE_MOVABLE, true);
    for (uint64_t p = at; p < at + 512; p++)
        if (p % 8 < 2 || p % 8 >= 4)
            follow_back(w.f, p, 0, MIGRATE_MOVABLE, true);
    return at;
}

START_TEST(ranges)
{
    begin();
    uint64_t at = broken_up(), free_pages = w.f->map->zones[ZONE_DMA32].free;
    event(TRACE_COMPACT_BEGIN, 0, 0, 0, false);
    event(TRACE_COMPACT_FREE, at, at + 16, 12, false); /* all that is free there */
    ck_assert_uint_eq(w.f->map->zones[ZONE_DMA32].free, free_pages - 12);
    ck_assert(!follow_is_free(w.f, at + 4) && !follow_is_free(w.f, at + 9) && follow_is_free(w.f, at + 16));
    ck_assert_uint_eq(w.f->st.isolated, 12);
    ck_assert_uint_eq(w.f->st.isolated_unknown, 0);
    event(TRACE_COMPACT_FREE, at + 16, at + 32, 4, false); /* some of it: which, is not known */
    ck_assert_uint_eq(w.f->st.isolated_unknown, 4);
    ck_assert_uint_eq(w.f->map->zones[ZONE_DMA32].free, free_pages - 12);
    event(TRACE_COMPACT_FREE, at + 32, at + 512, 1, true); /* the fast search says only where it looked */
    ck_assert_uint_eq(w.f->st.isolated_unknown, 5);
    event(TRACE_COMPACT_FREE, at + 32, at + 40, 8, false); /* more than here: all of it */
    ck_assert_uint_eq(w.f->st.isolated_unknown, 7);
    ck_assert(!follow_is_free(w.f, at + 33));
    event(TRACE_COMPACT_FREE, UINT64_MAX - 5, UINT64_MAX, 3, false); /* beyond all memory */
    event(TRACE_COMPACT_FREE, at + 64, at + 48, 3, false);
    ck_assert_uint_eq(w.f->st.isolations, 6);
    end();
}
END_TEST

/* Where a block may have been taken its place is no longer known: a choice out of it is not held against the rules. */
START_TEST(unknown_is_not_judged)
{
    begin();
    uint64_t at = broken_up();
    event(TRACE_COMPACT_FREE, at, at + 512, 1, false);
    struct follow_stats before = w.f->st;
    follow_taken(w.f, 0, at + 8, 0, MIGRATE_MOVABLE, true);
    ck_assert_uint_eq(w.f->st.new_blocks, before.new_blocks);
    ck_assert_uint_eq(w.f->st.old_blocks, before.old_blocks + 1);
    end();
}
END_TEST

START_TEST(targets_that_return)
{
    begin();
    uint64_t at = broken_up();
    event(TRACE_COMPACT_BEGIN, 0, 0, 0, false);
    event(TRACE_COMPACT_FREE, at, at + 8, 6, false);
    page_free(at + 4, 0); /* twice the same: a target that was not needed */
    page_free(at + 4, 0);
    page_free(at + 2, 0); /* what was moved away: a real free */
    ck_assert_uint_eq(event(TRACE_COMPACT_MOVED, 1, 0, 0, false), 2);
    ck_assert_uint_eq(w.f->st.returned, 2);
    struct lists_stats s = *lists_stats(w.l);
    lists_alloc(w.l, CPU, at + 2, 0, MIGRATE_MOVABLE, true); /* only that stands on the list */
    ck_assert_uint_eq(lists_stats(w.l)->right, s.right + 1);
    ck_assert_uint_eq(lists_stats(w.l)->known, s.known + 1);
    page_free(at + 5, 0); /* what was left over at the end */
    event(TRACE_COMPACT_END, 0, 0, 0, false);
    ck_assert_uint_eq(event(TRACE_COMPACT_MOVED, 0, 0, 0, false), 0);
    lists_alloc(w.l, CPU, at + 5, 0, MIGRATE_MOVABLE, true);
    ck_assert_uint_eq(lists_stats(w.l)->right, s.right + 2);
    end();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("compactions");
    TCase *t = tcase_create("compactions");
    tcase_add_test(t, ranges);
    tcase_add_test(t, unknown_is_not_judged);
    tcase_add_test(t, targets_that_return);
    suite_add_tcase(s, t);
    return run_suite(s);
}
