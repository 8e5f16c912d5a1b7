/* Conditions of `mmulab diff --fail-if`: what is read, what holds at the boundary, what is refused. */
#include "app/diff/condition.h"

#include "engine/types.h"

#include <check.h>
#include <math.h>
#include <string.h>

static bool holds(const char *text, double a, double b)
{
    struct condition c;
    struct err err;
    ck_assert_msg(condition_parse(&c, text, &err) == 0, "%s: %s", text, err.message);
    return condition_holds(&c, a, b);
}

START_TEST(boundaries)
{
    ck_assert(!holds("x>+2%", 100, 102));
    ck_assert(holds("x>=+2%", 100, 102));
    ck_assert(holds("x>2%", 100, 102.001)); /* per cent are a change with and without a sign */
    ck_assert(!holds("x<-1%", 100, 99));
    ck_assert(holds("x < -1 %", 100, 98.999));
    ck_assert(holds("x>+10", 5, 16));
    ck_assert(!holds("x>+10", 5, 15));
    ck_assert(holds("x>10", 100, 11)); /* no sign: B's own value */
    ck_assert(!holds("x>10", 100, 10));
    ck_assert(holds("x!=0%", 1, 2));
    ck_assert(!holds("x!=+0", 2, 2));
    ck_assert(holds("x==7", 0, 7));
    ck_assert(holds("x<=-5", 10, 5));
    ck_assert(!holds("x<-5", 10, 5));
}
END_TEST

START_TEST(zero)
{
    ck_assert(holds("x>+1000%", 0, 1)); /* from nothing to something: beyond every bound */
    ck_assert(!holds("x>+0%", 0, 0));
    ck_assert(isinf(change_percent(0, -1)) && change_percent(0, -1) < 0);
    ck_assert_double_eq(change_percent(-10, -5), 50);
}
END_TEST

START_TEST(names)
{
    struct condition c;
    struct err err;
    ck_assert_int_eq(condition_parse(&c, "cpu*.dtlb.misses>+2%", &err), 0);
    ck_assert(condition_names(&c, "cpu12.dtlb.misses"));
    ck_assert(!condition_names(&c, "cpu0.stlb.misses"));
    ck_assert_int_eq(condition_parse(&c, "dtlb>1", &err), 0);
    ck_assert(!condition_names(&c, "cpu0.dtlb.misses")); /* a whole name, not a part of one */
}
END_TEST

START_TEST(refused)
{
    static const char *const bad[] = {"", "x", ">1", "x>", "x=1", "x>a", "x>1kg", "x>1%%", "x>+", "x>1e999", "x!1", "x>nan"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct condition c;
        struct err err;
        ck_assert_msg(condition_parse(&c, bad[i], &err) < 0, "\"%s\" was taken", bad[i]);
        ck_assert(strstr(err.message, "--fail-if") && err.remedy[0]);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("condition");
    TCase *t = tcase_create("condition");
    tcase_add_test(t, boundaries);
    tcase_add_test(t, zero);
    tcase_add_test(t, names);
    tcase_add_test(t, refused);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
