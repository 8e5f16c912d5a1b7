/* The statistics tree: names, warm-up, gauges, histograms, ratios, and our own mistakes caught while building. */
#include "engine/stats.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TLB_STATS(X) \
    X(accesses, "lookups", "translations asked for") \
    X(misses, "lookups", "translations that had no entry")
struct tlb_stats {
    TLB_STATS(STAT_FIELD)
    uint64_t used;
};
#define TLB_ENTRY(name, unit, help) STAT_ENTRY(struct tlb_stats, name, unit, help)
static const struct stat_desc tlb_descs[] = {TLB_STATS(TLB_ENTRY) STAT_ENTRY_GAUGE(struct tlb_stats, used, "entries",
                                                                                   "valid entries")};
struct sim_stats {
    uint64_t references, instructions;
};
static const struct stat_desc sim_descs[] = {STAT_ENTRY(struct sim_stats, references, "references", "")
                                                 STAT_ENTRY(struct sim_stats, instructions, "instructions", "")};

static struct stats *tree(struct sim_stats *sim, struct tlb_stats *a, struct tlb_stats *b, struct stat_hist *h)
{
    struct stats *s;
    ck_assert_int_eq(stats_new(&s, NULL), 0);
    char path[32];
    strcpy(path, "sim");
    stats_add(s, path, sim, sim_descs, ARRAY_LEN(sim_descs));
    strcpy(path, "cpu0.dtlb"); /* the path is copied */
    stats_add(s, path, a, tlb_descs, ARRAY_LEN(tlb_descs));
    strcpy(path, "cpu1.dtlb");
    stats_add(s, path, b, tlb_descs, ARRAY_LEN(tlb_descs));
    stats_add_hist(s, "cpu0.walker", "latency", h, "cycles", "");
    return s;
}

static struct stat_value get(const struct stats *s, const char *path, const char *name)
{
    struct stat_value v;
    for (size_t i = 0; i < stats_count(s); i++) {
        stats_get(s, i, &v);
        if (!strcmp(v.path, path) && !strcmp(v.name, name))
            return v;
    }
    ck_abort_msg("no %s.%s", path, name);
}

START_TEST(values_and_warmup)
{
    struct sim_stats sim = {0};
    struct tlb_stats a = {0}, b = {0};
    struct stat_hist h = {0};
    struct stats *s = tree(&sim, &a, &b, &h);
    uint64_t v;
    ck_assert(stats_find(s, "cpu1.dtlb.misses", &v)); /* before the freeze too */
    stats_freeze(s);
    ck_assert_uint_eq(stats_count(s), 9);
    ck_assert(!stats_has_snapshot(s));
    a.accesses = 10;
    a.misses = 3;
    a.used = 60;
    stat_hist_add(&h, 100);
    struct stat_value x = get(s, "cpu0.dtlb", "misses");
    ck_assert_uint_eq(stat_value_in(&x, STAT_MEASURE), 3);
    ck_assert_uint_eq(stat_value_in(&x, STAT_WARMUP), 0);
    stats_snapshot(s);
    a.accesses = UINT64_MAX;
    a.misses = 8;
    a.used = 12; /* a gauge may fall */
    stat_hist_add(&h, 7);
    stat_hist_add(&h, 0);
    x = get(s, "cpu0.dtlb", "accesses");
    ck_assert_uint_eq(stat_value_in(&x, STAT_MEASURE), UINT64_MAX - 10);
    ck_assert_uint_eq(stat_value_in(&x, STAT_TOTAL), UINT64_MAX);
    x = get(s, "cpu0.dtlb", "used");
    ck_assert_uint_eq(stat_value_in(&x, STAT_WARMUP), 60);
    ck_assert_uint_eq(stat_value_in(&x, STAT_MEASURE), 12);
    x = get(s, "cpu0.walker", "latency");
    struct stat_hist m = stat_hist_in(&x, STAT_MEASURE), w = stat_hist_in(&x, STAT_WARMUP);
    ck_assert_uint_eq(m.n, 2);
    ck_assert_uint_eq(m.sum, 7);
    ck_assert_uint_eq(m.count[0], 1); /* 0 */
    ck_assert_uint_eq(m.count[3], 1); /* 4 to 7 */
    ck_assert_uint_eq(m.count[7], 0); /* 64 to 127: in the warm-up */
    ck_assert_uint_eq(w.count[7], 1);
    ck_assert_uint_eq(w.max, 100);
    ck_assert_uint_eq(m.max, 7); /* not the warm-up's 100 */
    ck_assert_uint_eq(stat_hist_in(&x, STAT_TOTAL).max, 100);
    ck_assert_uint_eq(stat_hist_in(&x, STAT_TOTAL).sum, 107);
    stats_snapshot(s); /* a later snapshot: all before it is warm-up */
    x = get(s, "cpu0.walker", "latency");
    ck_assert_uint_eq(stat_hist_in(&x, STAT_WARMUP).max, 100);
    ck_assert_uint_eq(stat_hist_in(&x, STAT_MEASURE).max, 0);
    stat_hist_add(&h, 200);
    x = get(s, "cpu0.walker", "latency");
    ck_assert_uint_eq(stat_hist_in(&x, STAT_MEASURE).max, 200);
    ck_assert_uint_eq(stat_hist_in(&x, STAT_WARMUP).max, 100);
    ck_assert_uint_eq(stat_hist_in(&x, STAT_TOTAL).max, 200);
    ck_assert(stats_find(s, "cpu0.dtlb.misses", &v) && v == 8);
    ck_assert_ptr_eq(stats_where(s, "cpu0.dtlb.misses"), &a.misses);
    ck_assert(!stats_find(s, "cpu0.dtlb", &v));
    ck_assert(!stats_find(s, "cpu0.dtlb.misse", &v));
    ck_assert(!stats_find(s, "", &v));
    ck_assert(!stats_find(s, "cpu0.dtlb.miss_ratio", &v)); /* a ratio is no counter */
    stats_free(s);
    stats_free(NULL);
}
END_TEST

static struct stat_ratio ratio(const struct stats *s, const char *path, const char *name, enum stat_phase phase)
{
    struct stat_ratio r;
    for (size_t i = 0; i < stats_ratio_count(s); i++) {
        stats_get_ratio(s, i, phase, &r);
        if (!strcmp(r.path, path) && !strcmp(r.name, name))
            return r;
    }
    ck_abort_msg("no ratio %s.%s", path, name);
}

START_TEST(ratios)
{
    struct sim_stats sim = {.references = 1000};
    struct tlb_stats a = {.accesses = 40, .misses = 10}, b = {0};
    struct stat_hist h = {0};
    struct stats *s = tree(&sim, &a, &b, &h);
    stats_add_ratio(s, "cpu0", "share", "cpu0.dtlb.accesses", "late.misses", 100, 2, "%", "");
    stats_add(s, "late", &b, tlb_descs, 2); /* registered after the ratio that names it */
    stats_freeze(s);
    struct stat_ratio r = ratio(s, "cpu0.dtlb", "miss_ratio", STAT_MEASURE);
    ck_assert_uint_eq(r.num, 10);
    ck_assert_uint_eq(r.den, 40);
    ck_assert(ratio(s, "cpu0.dtlb", "mpka", STAT_MEASURE).applies); /* the trace has no instructions */
    ck_assert(!ratio(s, "cpu0.dtlb", "mpki", STAT_MEASURE).applies);
    sim.instructions = 5;
    ck_assert(!ratio(s, "cpu0.dtlb", "mpka", STAT_MEASURE).applies);
    ck_assert(ratio(s, "cpu0.dtlb", "mpki", STAT_MEASURE).applies);
    stats_snapshot(s);
    a.misses += 5;
    ck_assert_uint_eq(ratio(s, "cpu0.dtlb", "miss_ratio", STAT_WARMUP).num, 10);
    ck_assert_uint_eq(ratio(s, "cpu0.dtlb", "miss_ratio", STAT_MEASURE).num, 5);
    ck_assert_uint_eq(ratio(s, "cpu0.dtlb", "miss_ratio", STAT_MEASURE).den, 0);
    ck_assert_uint_eq(ratio(s, "cpu0", "share", STAT_TOTAL).scale, 100);
    stats_free(s);
}
END_TEST

START_TEST(ipc_unless_registered)
{
    struct core {
        uint64_t instructions, cycles;
    } c = {30, 20};
    static const struct stat_desc d[] = {STAT_ENTRY(struct core, instructions, "", "") STAT_ENTRY(struct core, cycles, "", "")};
    struct stats *s;
    ck_assert_int_eq(stats_new(&s, NULL), 0);
    stats_add(s, "cpu0", &c, d, 2);
    stats_add(s, "cpu1", &c, d, 2);
    stats_add_ratio(s, "cpu1", "ipc", "cpu1.instructions", "cpu1.cycles", 10, 1, "", "");
    stats_freeze(s);
    ck_assert_uint_eq(stats_ratio_count(s), 2);
    ck_assert_uint_eq(ratio(s, "cpu0", "ipc", STAT_TOTAL).scale, 1);
    ck_assert_uint_eq(ratio(s, "cpu1", "ipc", STAT_TOTAL).scale, 10);
    stats_free(s);
}
END_TEST

/* Thousands of counters: the index finds each. */
START_TEST(many)
{
    enum { N = 5000 };
    struct tlb_stats *t = calloc(N, sizeof *t);
    struct stats *s;
    ck_assert_int_eq(stats_new(&s, NULL), 0);
    for (unsigned i = 0; i < N; i++) {
        char path[32];
        snprintf(path, sizeof path, "cpu%u.dtlb", i);
        stats_add(s, path, &t[i], tlb_descs, ARRAY_LEN(tlb_descs));
        t[i].misses = i;
    }
    stats_freeze(s);
    for (unsigned i = 0; i < N; i++) {
        char name[48];
        uint64_t v;
        snprintf(name, sizeof name, "cpu%u.dtlb.misses", i);
        ck_assert(stats_find(s, name, &v));
        ck_assert_uint_eq(v, i);
    }
    stats_free(s);
    free(t);
}
END_TEST

static void broken(int what)
{
    static struct tlb_stats t;
    struct stats *s;
    if (!freopen("/dev/null", "w", stderr)) /* the name of the mistake is expected there */
        return;
    stats_new(&s, NULL);
    stats_add(s, "a.b", &t, tlb_descs, 2);
    if (what == 0)
        stats_add(s, "a.b", &t, tlb_descs, 1);
    if (what == 1)
        stats_add(s, "a.b.misses", &t, tlb_descs, 1);
    if (what == 2)
        stats_add_ratio(s, "a", "r", "a.b.misses", "a.b.nothing", 1, 6, "", "");
    if (what == 4)
        stats_snapshot(s);
    stats_freeze(s);
    if (what == 3)
        stats_add(s, "c", &t, tlb_descs, 1);
}
START_TEST(latecomers)
{
    struct sim_stats sim = {.references = 10};
    struct tlb_stats a = {.accesses = 8, .misses = 2}, b = {0}, late = {.accesses = 5, .misses = 3, .used = 7};
    struct stat_hist h = {0};
    struct stats *s = tree(&sim, &a, &b, &h);
    stats_freeze(s);
    stats_snapshot(s);
    a.accesses = 20;
    stats_add_late(s, "slab.dentry", &late, tlb_descs, ARRAY_LEN(tlb_descs));
    struct stat_value v = get(s, "slab.dentry", "misses");
    ck_assert_uint_eq(v.warmup, 0);
    ck_assert_uint_eq(stat_value_in(&v, STAT_MEASURE), 3);
    v = get(s, "cpu0.dtlb", "accesses");
    ck_assert_uint_eq(v.warmup, 8);
    uint64_t n;
    ck_assert(stats_find(s, "slab.dentry.used", &n) && n == 7);
    ck_assert_ptr_eq(stats_where(s, "slab.dentry.accesses"), &late.accesses);
    struct stat_ratio q;
    bool found = false;
    for (size_t i = 0; i < stats_ratio_count(s); i++) { /* ratios still find their counters */
        stats_get_ratio(s, i, STAT_TOTAL, &q);
        if (!strcmp(q.path, "cpu0.dtlb") && !strcmp(q.name, "miss_ratio")) {
            ck_assert_uint_eq(q.num, 2);
            ck_assert_uint_eq(q.den, 20);
            found = true;
        }
    }
    ck_assert(found);
    stats_free(s);
}
END_TEST

START_TEST(mistakes) { broken(_i); }
END_TEST

int main(void)
{
    Suite *suite = suite_create("stats");
    TCase *t = tcase_create("stats");
    tcase_add_test(t, values_and_warmup);
    tcase_add_test(t, ratios);
    tcase_add_test(t, ipc_unless_registered);
    tcase_add_test(t, many);
    tcase_add_test(t, latecomers);
    tcase_add_loop_test_raise_signal(t, mistakes, SIGABRT, 0, 5);
    suite_add_tcase(suite, t);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
