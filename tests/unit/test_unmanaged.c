/* Which frames of a snapshot's map are told apart as never managed. */
#include "replay/before/unmanaged.h"

#include <check.h>
#include <stdlib.h>

static const struct snap_run recorded[] = {
    {0, 10, CLASS_OTHER},       /* in no zone */
    {10, 20, CLASS_FREE},       {30, 5, CLASS_OTHER},   {35, 65, CLASS_ANON}, /* zone 0 ends within: 10 .. 100 */
    {100, 100, CLASS_ANON},     {200, 300, CLASS_OTHER}, /* a hole of 200 behind 100 reserved ones */
    {500, 40, CLASS_FREE},      {540, 10, CLASS_RESERVED}, {550, 50, CLASS_OTHER}, /* the zone has 60 .. */
    {620, 500, CLASS_OTHER},    /* over a border between zones; never taken into use */
};

static struct snapshot snapshot(void)
{
    static struct snap_run run[sizeof recorded / sizeof *recorded];
    struct snapshot s = {.zones = 3, .run = run, .runs = sizeof recorded / sizeof *recorded};
    for (size_t i = 0; i < s.runs; i++)
        run[i] = recorded[i];
    s.zone[0] = (struct snap_zone){.start_pfn = 10, .spanned = 90, .present = 90, .managed = 90};
    /* 100 .. 700; 20 of the 220 frames of holes are not in the map */
    s.zone[2] = (struct snap_zone){.start_pfn = 100, .spanned = 600, .present = 380, .managed = 195};
    s.zone[1] = (struct snap_zone){.start_pfn = 700, .spanned = 400, .present = 400, .managed = 100};
    return s;
}

static uint64_t total(const struct told_runs *r, uint64_t from, uint64_t to, enum frame_class c)
{
    uint64_t n = 0;
    for (size_t i = 0; i < r->n; i++)
        if (r->run[i].class == c && r->run[i].pfn >= from && r->run[i].pfn + r->run[i].pages <= to)
            n += r->run[i].pages;
    return n;
}

START_TEST(told_apart)
{
    struct snapshot s = snapshot();
    struct told_runs r;
    struct err err;
    ck_assert_int_eq(snapshot_tell_unmanaged(&r, &s, &err), 0);
    for (size_t i = 0; i + 1 < r.n; i++)
        ck_assert_uint_le(r.run[i].pfn + r.run[i].pages, r.run[i + 1].pfn);
    /* All of it is managed: nothing is told. */
    ck_assert_uint_eq(total(&r, 0, 100, CLASS_OTHER), 5);
    ck_assert_uint_eq(total(&r, 0, 100, CLASS_ANON), 65);
    ck_assert_uint_eq(total(&r, 0, 100, CLASS_FREE), 20);
    ck_assert_uint_eq(total(&r, 0, 100, CLASS_RESERVED) + total(&r, 0, 100, CLASS_NONE), 0);
    /* 570 frames in use or free for 195: the longest run goes first, what is known to be a program's stays. */
    ck_assert_uint_eq(total(&r, 100, 700, CLASS_ANON), 100);
    ck_assert_uint_eq(total(&r, 100, 700, CLASS_FREE), 40);
    ck_assert_uint_eq(total(&r, 300, 500, CLASS_NONE), 200);
    ck_assert_uint_eq(total(&r, 200, 300, CLASS_RESERVED), 100);
    ck_assert_uint_eq(total(&r, 620, 700, CLASS_RESERVED), 75);
    ck_assert_uint_eq(total(&r, 100, 700, CLASS_OTHER), 55);
    ck_assert_uint_eq(total(&r, 100, 700, CLASS_RESERVED), 10 + 100 + 75);
    ck_assert_uint_eq(total(&r, 100, 700, CLASS_NONE), 200);
    /* The zone behind has its own share; what lies beyond all zones is nobody's. */
    ck_assert_uint_eq(total(&r, 700, 1100, CLASS_OTHER), 100);
    ck_assert_uint_eq(total(&r, 700, 1100, CLASS_RESERVED), 300);
    ck_assert_uint_eq(r.run[r.n - 1].pfn + r.run[r.n - 1].pages, 1100);
    told_runs_free(&r);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("unmanaged");
    TCase *t = tcase_create("unmanaged");
    tcase_add_test(t, told_apart);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
