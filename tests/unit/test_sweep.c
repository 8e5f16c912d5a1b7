/* What a sweep varies: lists, ranges, groups, exclusions, their order; identities of points; Student's t. */
#include "app/cmd_config.h"
#include "app/sweep/collect.h"
#include "app/sweep/student.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char said[8192];

/* The axes of {"sweep": TEXT}; -1 leaves what is wrong in `said`. */
static int axes_of(const char *text, struct sweep_axes *out, struct config **config)
{
    char all[4096];
    struct diag *d = diag_new();
    struct config *c = NULL;
    snprintf(all, sizeof all, "{\n\"sweep\": %s\n}", text);
    struct config_request req = {.path = "s.json", .text = all, .text_len = strlen(all)};
    int rc = config_load(&c, machine_config_schema(), &req, d) < 0 ? -1 : sweep_axes_read(out, c, NULL, 0, d);
    FILE *f = fmemopen(said, sizeof said, "w");
    diag_print(d, f);
    fputc(0, f);
    fclose(f);
    diag_free(d);
    if (config)
        *config = c;
    else
        config_free(c);
    return rc;
}

/* The combinations, "a=1 b=2; a=1 b=3"; keys are left out, values of an axis are joined by '/'. */
static const char *points(const char *text)
{
    static char buf[8192];
    struct sweep_axes a;
    uint32_t *combo;
    ck_assert_msg(axes_of(text, &a, NULL) == 0, "%s: %s", text, said);
    size_t n = sweep_axes_combine(&a, &combo), at = 0;
    buf[0] = 0;
    for (size_t p = 0; p < n; p++)
        for (size_t x = 0; x < a.n; x++)
            for (size_t k = 0; k < a.axis[x].n_keys; k++)
                at += (size_t)snprintf(buf + at, sizeof buf - at, "%s%s",
                                       k ? "/" : x ? " " : p ? "; " : "", a.axis[x].text[combo[p * a.n + x] * a.axis[x].n_keys + k]);
    free(combo);
    sweep_axes_free(&a);
    return buf;
}

static void wrong(const char *text, const char *what)
{
    struct sweep_axes a;
    ck_assert_msg(axes_of(text, &a, NULL) < 0, "%s was accepted", text);
    ck_assert_msg(strstr(said, what) != NULL, "%s: no \"%s\" in: %s", text, what, said);
    ck_assert_msg(strstr(said, "s.json:2:") != NULL, "%s: no place in: %s", text, said);
}

START_TEST(lists)
{
    ck_assert_str_eq(points("{\"axes\": {\"mmu.stlb.entries\": [512, 1024]}}"), "512; 1024");
    /* the last axis changes fastest; values have one spelling */
    ck_assert_str_eq(points("{\"axes\": {\"memory.size\": [\"1024MiB\", \"2GiB\"], \"cpu.count\": [1, 2]}}"),
                     "1GiB 1; 1GiB 2; 2GiB 1; 2GiB 2");
    ck_assert_str_eq(points("{\"axes\": {\"sim.mode\": [\"timed\", \"functional\"], \"mmu.enabled\": [true]}, \"seeds\": [7, 3]}"),
                     "timed true 7; timed true 3; functional true 7; functional true 3");
    ck_assert_str_eq(points("{\"seeds\": 3}"), "1; 2; 3");
    ck_assert_str_eq(points("{\"axes\": {\"preset\": [\"@zen4\", \"@default\"]}}"), "@zen4; @default");
    ck_assert_str_eq(points("{}"), "");
}
END_TEST

START_TEST(ranges)
{
    ck_assert_str_eq(points("{\"axes\": {\"memory.size\": {\"from\": \"1GiB\", \"to\": \"16GiB\", \"mul\": 2}}}"),
                     "1GiB; 2GiB; 4GiB; 8GiB; 16GiB");
    ck_assert_str_eq(points("{\"axes\": {\"mmu.stlb.entries\": {\"from\": 100, \"to\": 350, \"step\": 100}}}"), "100; 200; 300");
    ck_assert_str_eq(points("{\"axes\": {\"cache.llc.latency\": {\"from\": \"30cyc\", \"to\": \"40cyc\", \"step\": \"5cyc\"}}}"),
                     "30cyc; 35cyc; 40cyc");
    ck_assert_str_eq(points("{\"axes\": {\"mmu.stlb.entries\": {\"from\": 5, \"to\": 5, \"step\": 1}}}"), "5");
    ck_assert_str_eq(points("{\"axes\": {\"mmu.stlb.entries\": {\"from\": 100, \"to\": 400, \"mul\": 1.5}}}"),
                     "100; 150; 225; 338");
    ck_assert_str_eq(points("{\"axes\": {\"cpu.frequency\": {\"from\": \"1GHz\", \"to\": \"2GHz\", \"step\": \"500MHz\"}}}"),
                     "1GHz; 1.5GHz; 2GHz");
    /* over the top of 64 bits it ends */
    ck_assert_str_eq(points("{\"axes\": {\"sim.limit\": {\"from\": 6148914691236517205, \"to\": 18446744073709551615, \"mul\": 2}}}"),
                     "6148914691236517205; 12297829382473034410");
    wrong("{\"axes\": {\"memory.size\": {\"from\": \"4GiB\", \"to\": \"1GiB\", \"mul\": 2}}}", "the range is empty");
    wrong("{\"axes\": {\"memory.size\": {\"from\": \"1GiB\", \"to\": \"4GiB\", \"mul\": 1}}}", "above 1");
    wrong("{\"axes\": {\"memory.size\": {\"from\": \"1GiB\", \"to\": \"4GiB\", \"step\": \"0B\"}}}", "above 0");
    wrong("{\"axes\": {\"memory.size\": {\"from\": \"1GiB\", \"to\": \"4GiB\"}}}", "and one of");
    wrong("{\"axes\": {\"memory.size\": {\"from\": \"1GiB\", \"to\": \"4GiB\", \"stpe\": \"1GiB\"}}}", "did you mean \"step\"");
    wrong("{\"axes\": {\"sim.mode\": {\"from\": \"timed\", \"to\": \"functional\", \"step\": 1}}}", "has no range");
    wrong("{\"axes\": {\"mmu.stlb.entries\": {\"from\": 1, \"to\": 60000, \"step\": 1}}}", "more than 10000");
    wrong("{\"axes\": {\"mmu.stlb.entries\": {\"from\": 1, \"to\": 4294967296, \"mul\": 2}}}", "above the maximum");
}
END_TEST

START_TEST(groups)
{
    ck_assert_str_eq(points("{\"axes\": {\"cpu.count\": [1, 2]}, \"zip\": [{\"cache.llc.size\": [\"2MiB\", \"4MiB\"],"
                            " \"cache.llc.latency\": [\"30cyc\", \"36cyc\"]}]}"),
                     "1 2MiB/30cyc; 1 4MiB/36cyc; 2 2MiB/30cyc; 2 4MiB/36cyc");
    ck_assert_str_eq(points("{\"zip\": [{\"mmu.stlb.entries\": [10, 20], \"mmu.dtlb.entries\": {\"from\": 1, \"to\": 2, \"step\": 1}}]}"),
                     "10/1; 20/2");
    wrong("{\"zip\": [{\"mmu.stlb.entries\": [10, 20], \"mmu.dtlb.entries\": [1]}]}", "equally many values");
    wrong("{\"axes\": {\"cpu.count\": [1]}, \"zip\": [{\"cpu.count\": [1]}]}", "is an axis already");
    wrong("{\"axes\": {\"sim.seed\": [1]}, \"seeds\": 2}", "sim.seed is an axis already");
    wrong("{\"axes\": {\"cpu.count\": [1, 2, 1]}}", "the value is there already");
}
END_TEST

START_TEST(exclusions)
{
    ck_assert_str_eq(points("{\"axes\": {\"cpu.count\": [1, 2], \"mmu.stlb.entries\": [10, 20]},"
                            " \"exclude\": [{\"cpu.count\": 2, \"mmu.stlb.entries\": 10}]}"),
                     "1 10; 1 20; 2 20");
    ck_assert_str_eq(points("{\"axes\": {\"cpu.count\": [1, 2], \"mmu.stlb.entries\": [10, 20, 30]},"
                            " \"exclude\": [{\"cpu.count\": 2, \"mmu.stlb.entries\": [10, 30]}]}"),
                     "1 10; 1 20; 1 30; 2 20");
    /* the spelling does not matter; all of several must match, one of several suffices */
    ck_assert_str_eq(points("{\"axes\": {\"memory.size\": [\"1GiB\", \"2GiB\"]}, \"seeds\": 2,"
                            " \"exclude\": [{\"memory.size\": \"2048MiB\"}, {\"seed\": 2}]}"),
                     "1GiB 1");
    wrong("{\"axes\": {\"cpu.count\": [1, 2]}, \"exclude\": [{\"cpu.count\": 3}]}", "is no value of the axis");
    wrong("{\"axes\": {\"cpu.count\": [1, 2]}, \"exclude\": [{\"cpu.cuont\": 1}]}", "did you mean \"cpu.count\"");
    wrong("{\"axes\": {\"cpu.count\": [1, 2]}, \"exclude\": [3]}", "expected an object");
}
END_TEST

START_TEST(mistakes)
{
    wrong("{\"axes\": {\"cpu.cuont\": [1]}}", "did you mean \"count\"");
    wrong("{\"axes\": {\"cpu\": [1]}}", "is a section");
    wrong("{\"axes\": {\"cpu.count\": 1}}", "expected a list");
    wrong("{\"axes\": {\"cpu.count\": []}}", "expected a list");
    wrong("{\"axes\": {\"cpu.count\": [\"two\"]}}", "expected a whole number");
    wrong("{\"axes\": {\"cpu.count\": [0]}}", "below the minimum");
    wrong("{\"axes\": {\"memory.size\": [\"1GB\"]}}", "1GiB");
    wrong("{\"axis\": {}}", "did you mean \"axes\"");
    wrong("{\"seeds\": 0}", "seeds");
    wrong("{\"seeds\": \"many\"}", "seeds");
    wrong("{\"traces\": []}", "traces");
    wrong("{\"traces\": [\"a/x.mtr\", \"b/x.mtr\"]}", "two files are named");
    wrong("{\"axes\": {\"preset\": [\"@zne4\"]}}", "did you mean \"@zen");
    /* all of them at once */
    wrong("{\"axes\": {\"cpu.count\": [0, \"x\"]}, \"seeds\": 0}", "3 errors");
}
END_TEST

/* ---- plans ---- */

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

static void plan_of(const char *section, struct sweep_plan *p)
{
    struct sweep_axes a;
    struct config *c;
    struct err err;
    char *text, *host;
    ck_assert_msg(axes_of(section, &a, &c) == 0, "%s", said);
    ck_assert_msg(plan_compose(c, &a, 0, NULL, &text, &host, &err) == 0, "%s", err.message);
    ck_assert_msg(plan_parse(p, text, host, "sweep.json", &err) == 0, "%s", err.message);
    /* cut anywhere it is refused, never half a plan */
    for (size_t n = 0; n + 1 < strlen(text); n += 7) {
        struct sweep_plan q;
        char *cut = strndup(text, n);
        ck_assert_int_lt(plan_parse(&q, cut, host, "sweep.json", &err), 0);
        free(cut);
    }
    sweep_axes_free(&a);
    config_free(c);
    free(text);
    free(host);
}

static char folder[64];
static void setup(void)
{
    snprintf(folder, sizeof folder, "/tmp/test_sweep_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
    write_file("a.din", "2 400000\n0 7000\n");
    write_file("b.din", "2 400000\n0 8000\n");
}
static void teardown(void)
{
    unlink("a.din");
    unlink("b.din");
    ck_assert_int_eq(chdir("/"), 0);
    rmdir(folder);
}

START_TEST(identities)
{
    struct sweep_plan p, q;
    struct sweep_point a[4], b[6];
    plan_of("{\"axes\": {\"mmu.stlb.entries\": [120, 240]}, \"traces\": [\"a.din\", \"b.din\"]}", &p);
    plan_of("{\"traces\": [\"b.din\", \"a.din\"], \"axes\": {\"mmu.stlb.entries\": [60, 120, 240]}}", &q);
    ck_assert_uint_eq(p.n, 4);
    ck_assert_uint_eq(q.n, 6);
    for (size_t i = 0; i < 4; i++)
        plan_point(&p, i, &a[i]);
    for (size_t i = 0; i < 6; i++)
        plan_point(&q, i, &b[i]);
    /* all differ, and the same point is the same in another plan */
    for (size_t i = 0; i < 4; i++)
        for (size_t k = 0; k < i; k++)
            ck_assert_str_ne(point_hash(&a[i]), point_hash(&a[k]));
    ck_assert_str_eq(point_hash(&a[0]), point_hash(&b[3])); /* 120, a.din */
    ck_assert_str_eq(point_hash(&a[3]), point_hash(&b[4])); /* 240, b.din */
    ck_assert_str_eq(a[1].trace, "b.din");
    ck_assert_int_eq(strncmp(a[2].name, "0002-", 5), 0);
    for (size_t i = 0; i < 4; i++)
        plan_point_free(&a[i]);
    for (size_t i = 0; i < 6; i++)
        plan_point_free(&b[i]);
    plan_free(&q);
    /* the content of a trace counts, its name alone does not */
    plan_point(&p, 0, &a[0]);
    write_file("a.din", "2 400000\n0 7008\n");
    plan_of("{\"axes\": {\"mmu.stlb.entries\": [120, 240]}, \"traces\": [\"a.din\", \"b.din\"]}", &q);
    plan_point(&q, 0, &a[1]);
    ck_assert_str_ne(point_hash(&a[0]), point_hash(&a[1]));
    struct err err;
    ck_assert_int_lt(plan_check_files(&p, &a[0], &err), 0); /* the old plan notices */
    ck_assert_int_eq(plan_check_files(&q, &a[1], &err), 0);
    plan_point_free(&a[0]);
    plan_point_free(&a[1]);
    plan_free(&p);
    plan_free(&q);
}
END_TEST

START_TEST(impossible)
{
    struct sweep_plan p;
    struct sweep_point pt;
    plan_of("{\"axes\": {\"mmu.stlb.entries\": [120, 100]}, \"seeds\": [5]}", &p);
    plan_point(&p, 0, &pt);
    ck_assert_ptr_nonnull(pt.config);
    ck_assert_uint_eq(pt.seed, 5);
    plan_point_free(&pt);
    plan_point(&p, 1, &pt);
    ck_assert_ptr_null(pt.config);
    ck_assert_ptr_nonnull(strstr(pt.reason, "100 entries"));
    ck_assert_uint_eq(pt.seed, 5);
    plan_point_free(&pt);
    plan_free(&p);
}
END_TEST

/* A preset comes before what the configuration says, axes come last. */
START_TEST(presets)
{
    struct sweep_plan p;
    struct sweep_point pt;
    struct config_item it;
    plan_of("{\"axes\": {\"preset\": [\"@zen4\", \"@default\"], \"mmu.stlb.ways\": [6]}}", &p);
    plan_point(&p, 0, &pt);
    ck_assert(config_find(pt.config, "mmu.stlb.entries", &it));
    ck_assert_int_eq(strncmp(it.origin, "@zen4:", 6), 0);
    ck_assert(config_find(pt.config, "mmu.stlb.ways", &it));
    ck_assert_str_eq(it.origin, "sweep");
    ck_assert_uint_eq(*(const uint32_t *)it.at, 6);
    plan_point_free(&pt);
    plan_free(&p);
}
END_TEST

START_TEST(student)
{
    /* NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2, and Abramowitz and Stegun, table 26.10 */
    static const struct { size_t n; double t; } known[] = {{1, 12.706}, {2, 4.303}, {4, 2.776}, {9, 2.262}, {30, 2.042},
                                                          {31, 2.0395}, {40, 2.0211}, {60, 2.0003}, {120, 1.9799}, {1000, 1.9623}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        ck_assert_double_eq_tol(student_t975(known[i].n), known[i].t, 6e-4);
    struct sample s = {0};
    sample_add(&s, 5);
    ck_assert_double_eq(sample_interval(&s), 0);
    static const double x[] = {7, 9, 4, 5};
    for (size_t i = 0; i < 4; i++)
        sample_add(&s, x[i]);
    ck_assert_double_eq_tol(s.mean, 6, 1e-12);
    ck_assert_double_eq_tol(sample_deviation(&s), 2, 1e-12);
    ck_assert_double_eq_tol(sample_interval(&s), 2.7764 * 2 / 2.2360679775, 1e-6);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sweep");
    TCase *t = tcase_create("axes");
    tcase_set_timeout(t, 30);
    tcase_add_test(t, lists);
    tcase_add_test(t, ranges);
    tcase_add_test(t, groups);
    tcase_add_test(t, exclusions);
    tcase_add_test(t, mistakes);
    tcase_add_test(t, student);
    suite_add_tcase(suite, t);
    t = tcase_create("plan");
    tcase_set_timeout(t, 30);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, identities);
    tcase_add_test(t, impossible);
    tcase_add_test(t, presets);
    suite_add_tcase(suite, t);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
