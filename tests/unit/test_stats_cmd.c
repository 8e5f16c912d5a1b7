/* mmulab stats: the list of a machine, the exact numbers of a result, errors that help. */
#include "result_synthetic.h"

#include "app/result/cmd_stats.h"

#include <check.h>
#include <string.h>
#include <unistd.h>

static char folder[64], said[1 << 16], complained[4096];

static void read_into(const char *path, char *to, size_t size)
{
    FILE *f = fopen(path, "r");
    ck_assert_ptr_nonnull(f);
    size_t n = fread(to, 1, size - 1, f);
    to[n] = '\0';
    fclose(f);
}

static int stats(const char *const *words)
{
    char *argv[16] = {(char *)(uintptr_t) "stats"};
    int argc = 1;
    for (; words[argc - 1]; argc++)
        argv[argc] = (char *)(uintptr_t)words[argc - 1];
    fflush(NULL);
    int out = dup(1), err = dup(2);
    ck_assert(freopen("out", "w", stdout) && freopen("err", "w", stderr));
    int rc = cmd_stats(argc, argv);
    fflush(NULL);
    dup2(out, 1);
    dup2(err, 2);
    close(out);
    close(err);
    read_into("out", said, sizeof said);
    read_into("err", complained, sizeof complained);
    return rc;
}
#define STATS(...) stats((const char *const[]){__VA_ARGS__, NULL})
#define says(text) ck_assert_msg(strstr(said, text) != NULL, "%s", said)
#define complains(text) ck_assert_msg(strstr(complained, text) != NULL, "%s", complained)

static void setup(void)
{
    strcpy(folder, "/tmp/mmulab-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
}

static void teardown(void)
{
    static const char *const files[] = {"run/stats.json", "run/config.json", "run/host.json", "run/series.csv",
                                        "run/events.jsonl", "out", "err"};
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        unlink(files[i]);
    rmdir("run");
    rmdir(folder);
}

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
    tcase_add_checked_fixture(t, setup, teardown);
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
