/* How long a point takes, from two of its beginnings. */
#include "app/sweep/estimate.h"

#include <check.h>
#include <math.h>

static bool near(double a, double b) { return fabs(a - b) < 1e-9; }

START_TEST(whole)
{
    /* 50 ms of start, of which 30 wait for a disk; 10 ms are 200,000 references: 5 M take 0.3 s, not 25 times 60 ms */
    ck_assert(near(estimate_whole(0.060, 0.030, 200000, 0.020, 0, 5000000), 0.060 + 0.24));
    ck_assert(near(estimate_whole(0.060, 0.030, 200000, 0.020, 100000, 400000), 0.060 + 0.02));
    ck_assert(near(estimate_whole(0.060, 0.030, 200000, 0.020, 1000, 200000), 0.060)); /* the whole was tried */
    ck_assert(near(estimate_whole(0.060, 0.020, 200000, 0.021, 1000, 400000), 0.060)); /* nothing to be seen above the noise */
    ck_assert(near(estimate_whole(0.060, 0.030, 1000, 0.020, 1000, 400000), 0.060));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("estimate");
    TCase *c = tcase_create("estimate");
    tcase_add_test(c, whole);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
