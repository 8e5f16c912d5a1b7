/* Which points of a sweep one decoder feeds, and how many at a time. */
#include "app/sweep/group/sharing.h"

#include <check.h>
#include <stdio.h>

enum { N = 8 };

static struct sweep_point point[N];
static size_t of[N], queue[N];

static char a[] = "a.mtr", b[] = "b.mtr";

static void setup(void)
{
    for (size_t i = 0; i < N; i++) {
        point[i] = (struct sweep_point){.index = i, .trace = i % 2 ? b : a, .group = 4};
        of[i] = queue[i] = i;
    }
}

/* The queue's jobs as text. */
static const char *order(void)
{
    static char text[N + 1];
    for (size_t i = 0; i < N; i++)
        text[i] = (char)('0' + queue[i]);
    return text;
}

START_TEST(one_trace)
{
    ck_assert_uint_eq(group_pick(point, of, NULL, queue, N, N), 4);
    ck_assert_str_eq(order(), "02461357"); /* the others keep their order */
    setup();
    ck_assert_uint_eq(group_pick(point, of, NULL, queue, N, 3), 3);
    ck_assert_str_eq(order(), "02413567");
    setup();
    ck_assert_uint_eq(group_pick(point, of, NULL, queue, N, 1), 1);
    ck_assert_uint_eq(group_pick(point, of, NULL, queue, 1, N), 1);
    ck_assert_uint_eq(group_pick(point, of, NULL, queue, 2, N), 1); /* the second is of another trace */
    ck_assert_uint_eq(group_pick(point, of, NULL, queue, 3, N), 2);
}
END_TEST

START_TEST(not_all)
{
    const unsigned char alone[N] = {[2] = 1, [7] = 1};
    point[4].group = 0;
    ck_assert_uint_eq(group_pick(point, of, alone, queue, N, N), 2);
    ck_assert_str_eq(order(), "06123457");
    setup();
    ck_assert_uint_eq(group_pick(point, of, alone, queue + 2, N - 2, N), 1); /* it is lost and runs by itself */
    point[0].group = 1;
    ck_assert_uint_eq(group_pick(point, of, NULL, queue, N, N), 1);
    setup();
    point[4].decoded = true; /* reads another file */
    ck_assert_uint_eq(group_pick(point, of, NULL, queue, N, N), 3);
    ck_assert_str_eq(order(), "02613457");
}
END_TEST

/* Each point's own bound holds for the group that it is in. */
START_TEST(bounds)
{
    point[2].group = 2;
    ck_assert_uint_eq(group_pick(point, of, NULL, queue, N, N), 2);
    ck_assert_str_eq(order(), "02134567");
    setup();
    point[4].group = 2; /* would come third */
    ck_assert_uint_eq(group_pick(point, of, NULL, queue, N, N), 3);
    ck_assert_str_eq(order(), "02613457");
    setup();
    point[0].group = 64;
    ck_assert_uint_eq(group_pick(point, of, NULL, queue, N, N), 4);
}
END_TEST

/* Half of what is left in equal parts, so that the last groups are single points; one worker has nobody to wait for. */
START_TEST(shares)
{
    ck_assert_uint_eq(group_share(16, 1), 16);
    ck_assert_uint_eq(group_share(16, 2), 4);
    ck_assert_uint_eq(group_share(17, 2), 5);
    for (unsigned workers = 2; workers <= 64; workers *= 2) {
        ck_assert_uint_eq(group_share(1, workers), 1);
        ck_assert_uint_eq(group_share(2 * workers, workers), 1);
        ck_assert_uint_eq(group_share(2 * workers + 1, workers), 2);
    }
}
END_TEST

/* Whoever asks for the end waits for no more than a point takes: at half time two can be finished, at three quarters four. */
START_TEST(last)
{
    ck_assert_uint_eq(group_last(4, 0), 1);
    ck_assert_uint_eq(group_last(4, 0.4), 1);
    ck_assert_uint_eq(group_last(4, 0.5), 2);
    ck_assert_uint_eq(group_last(4, 0.74), 3);
    ck_assert_uint_eq(group_last(4, 0.75), 4);
    ck_assert_uint_eq(group_last(4, 1), 4);
    ck_assert_uint_eq(group_last(64, 0.75), 4);
    ck_assert_uint_eq(group_last(1, 0), 1);
    ck_assert_uint_eq(group_last(0, 0.3), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sweep_group");
    TCase *c = tcase_create("group");
    tcase_add_checked_fixture(c, setup, NULL);
    tcase_add_test(c, one_trace);
    tcase_add_test(c, not_all);
    tcase_add_test(c, bounds);
    tcase_add_test(c, shares);
    tcase_add_test(c, last);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
