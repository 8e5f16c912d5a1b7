/* mmulab stats: the list of a machine, the exact numbers of a result, errors that help. */
#include "result_synthetic.h"
#include "scratch.h"

#include "app/result/cmd_stats.h"


static char said[1 << 16], complained[4096];

static int stats(const char *const *words)
{
    int rc = run_verb(cmd_stats, "stats", words);
    snprintf(said, sizeof said, "%s", text_of("out"));
    snprintf(complained, sizeof complained, "%.4095s", text_of("err"));
    return rc;
}
#define STATS(...) stats((const char *const[]){__VA_ARGS__, NULL})
#define says(text) ck_assert_msg(strstr(said, text) != NULL, "%s", said)
#define complains(text) ck_assert_msg(strstr(complained, text) != NULL, "%s", complained)

START_TEST(list)
{
    ck_assert_int_eq(STATS("list"), 0);
    says("cpu0.dtlb.misses ");
    says("cpu0.walker.latency ");
    says("llc.mpki ");
    says("cpu0.ipc ");
    ck_assert_int_eq(STATS("list", "cpu0.*.misses"), 0);
    ck_assert_ptr_null(strstr(said, "llc"));
    ck_assert_int_eq(STATS("list", "--json", "latency"), 0);
    says("\"name\": \"cpu0.walker.latency\"");
    says("\"kind\": \"histogram\"");
    ck_assert_int_eq(said[0], '[');
    ck_assert_int_eq(STATS("list", "nothing"), 2);
}
END_TEST

START_TEST(show)
{
    FILE *f;
    ck_assert_int_eq(synthetic_result("run", (struct synthetic_options){.length = 5000, .incomplete = true}, NULL), 0);
    ck_assert_int_eq(STATS("show", "run"), 0);
    says("cpu0.dtlb.misses ");
    says("cpu0.walker.latency.buckets");
    ck_assert_ptr_null(strstr(said, "latency.unit"));
    complains("not complete: interrupted");
    ck_assert_int_eq(STATS("show", "run", "dtlb", "--warmup"), 0);
    ck_assert_ptr_null(strstr(said, "llc"));
    ck_assert_int_eq(STATS("show", "run", "cpu0.dtlb.mises"), 2);
    complains("did you mean \"cpu0.dtlb.misses\"?");
    f = fopen("run/stats.json", "w");
    fputs("{\"tool\": \"mmulab\", \"complete\": true, \"measure\": {\"sim\": {\"cycles\": 18446744073709551615, \"x\": null}}}", f);
    fclose(f);
    ck_assert_int_eq(STATS("show", "run"), 0);
    ck_assert_str_eq(said, "sim.cycles  18446744073709551615\nsim.x                          -\n");
    ck_assert_str_eq(complained, "");
}
END_TEST

START_TEST(mistakes)
{
    ck_assert_int_eq(STATS(NULL), 2);
    ck_assert_int_eq(STATS("show"), 2);
    complains("which result folder?");
    ck_assert_int_eq(STATS("show", "nowhere"), 2);
    complains("mmulab run CONFIG");
    ck_assert_int_eq(STATS("lisst"), 2);
    complains("stats has no \"lisst\"");
    ck_assert_int_eq(STATS("list", "--moon"), 2);
    complains("--moon");
    ck_assert_int_eq(STATS("--help"), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stats command");
    TCase *t = tcase_create("stats command");
    tcase_add_checked_fixture(t, scratch_enter, scratch_remove);
    tcase_add_test(t, list);
    tcase_add_test(t, show);
    tcase_add_test(t, mistakes);
    suite_add_tcase(suite, t);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
