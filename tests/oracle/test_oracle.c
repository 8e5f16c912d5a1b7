/* The oracle by itself: cases computed on paper from docs/model/timing.md, and random machines under its own invariants. */
#include "oracle/random_case.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t counter(const struct oracle_result *r, const char *name)
{
    for (size_t i = 0; i < r->n_counters; i++)
        if (strcmp(r->counter[i].name, name) == 0)
            return r->counter[i].value;
    ck_abort_msg("no counter %s", name);
    return 0;
}

static void run(const struct machine_config *m, const struct rec_list *l, uint32_t cores, struct oracle_result *out)
{
    struct oracle_stream s[RANDOM_CORES];
    struct err err = {0};
    for (uint32_t k = 0; k < cores; k++)
        s[k] = (struct oracle_stream){.process = 0, .n = l[k].n, .rec = l[k].rec};
    ck_assert_msg(oracle_run(m, s, cores, PLANT_NONE, out, &err) == 0, "%s", err.message);
}

static uint64_t finish_of(const struct machine_config *m, struct rec_list *l)
{
    struct oracle_result out;
    run(m, l, 1, &out);
    uint64_t f = out.finish[0];
    oracle_result_free(&out);
    free(l->rec);
    *l = (struct rec_list){0};
    return f;
}

/*
 * The plain machine: P = 1,000 ps, OUT 3, IN 5, L1D 2, L2 9, LLC 20 cycles. A load of a cold line in cycle 0:
 *   L2 lookup in cycle 7, GETS at tick 10,000, granted there, DRAM read submitted there (edge 16 of 625 ps).
 *   ACT at once, RD after tRCD = 22, data after CL = 22, 4 clocks of burst: 48 clocks = 30,000 ps, 10,000 ps of controller:
 *   finish 50,000; fill 70,000; seen in cycle 75; the core goes on in 77.
 */
enum { COLD = 77, L1_HIT = 2, L2_HIT = 9, LLC_HIT = 7 + 3 + 20 + 5 + 2 };

START_TEST(test_single_load)
{
    struct machine_config m;
    struct rec_list l = {0};
    plain_machine(&m, 1);
    rec_add(&l, TRACE_LOAD, 0x10000, 8);
    ck_assert_uint_eq(finish_of(&m, &l), COLD);
    rec_add(&l, TRACE_FETCH, 0x10000, 4); /* ends at the fill instant */
    ck_assert_uint_eq(finish_of(&m, &l), COLD - L1_HIT);
    rec_add(&l, TRACE_STORE, 0x10000, 4); /* done at the grant */
    ck_assert_uint_eq(finish_of(&m, &l), COLD - L1_HIT);
    rec_add(&l, TRACE_LOAD, 0x10000, 8);
    rec_add(&l, TRACE_LOAD, 0x10020, 0);
    rec_add(&l, TRACE_MODIFY, 0x10004, 4); /* the line is E */
    ck_assert_uint_eq(finish_of(&m, &l), COLD + 2 * L1_HIT);
}
END_TEST

START_TEST(test_average_access_time) /* 10.7: cycles are the sum of the levels' latencies */
{
    struct machine_config m;
    struct rec_list l = {0};
    plain_machine(&m, 1);
    /* Five lines of one L1 set (16 sets of 4) and of four L2 sets. The first is out of the L1 when it comes again. */
    for (unsigned i = 0; i < 5; i++)
        rec_add(&l, TRACE_LOAD, 0x10000 + i * 16 * 64, 8);
    uint64_t cold = finish_of(&m, &l);
    for (unsigned i = 0; i < 5; i++)
        rec_add(&l, TRACE_LOAD, 0x10000 + i * 16 * 64, 8);
    rec_add(&l, TRACE_LOAD, 0x10000, 8);
    for (unsigned i = 0; i < 10; i++)
        rec_add(&l, TRACE_LOAD, 0x10008, 8);
    ck_assert_uint_eq(finish_of(&m, &l), cold + L2_HIT + 10 * L1_HIT);
    /* Five lines of one L2 set (64 sets of 4) and one LLC set (128 of 8): the first comes from the LLC. */
    for (unsigned i = 0; i < 5; i++)
        rec_add(&l, TRACE_LOAD, 0x10000 + i * 64 * 64, 8);
    cold = finish_of(&m, &l);
    for (unsigned i = 0; i < 5; i++)
        rec_add(&l, TRACE_LOAD, 0x10000 + i * 64 * 64, 8);
    rec_add(&l, TRACE_LOAD, 0x10000, 8);
    ck_assert_uint_eq(finish_of(&m, &l), cold + LLC_HIT);
}
END_TEST

START_TEST(test_cyclic_sweep) /* 10.1 on the L1D of 16 x 4 */
{
    static const struct { unsigned n, per_lap; } cases[] = {{64, 0}, {65, 5}, {68, 20}, {80, 80}, {100, 100}};
    static const int policies[] = {REPL_lru, REPL_fifo, REPL_srrip};
    enum { LAPS = 5 };
    for (size_t p = 0; p < ARRAY_LEN(policies); p++)
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
            struct machine_config m;
            struct rec_list l = {0};
            struct oracle_result out;
            plain_machine(&m, 1);
            m.cache.l1d.replacement = policies[p];
            for (unsigned lap = 0; lap < LAPS; lap++)
                for (unsigned k = 0; k < cases[i].n; k++)
                    rec_add(&l, TRACE_LOAD, 0x10000 + k * 64, 8);
            run(&m, &l, 1, &out);
            ck_assert_uint_eq(counter(&out, "cpu0.l1d.misses"), cases[i].n + (LAPS - 1) * cases[i].per_lap);
            ck_assert_uint_eq(counter(&out, "cpu0.l1d.accesses"), LAPS * cases[i].n);
            ck_assert_uint_eq(counter(&out, "dram.reads"), cases[i].n);
            oracle_result_free(&out);
            free(l.rec);
        }
}
END_TEST

START_TEST(test_ping_pong)
{
    struct machine_config m;
    struct rec_list l[2] = {{0}, {0}};
    struct oracle_result out;
    enum { STORES = 200 };
    plain_machine(&m, 2);
    for (unsigned i = 0; i < STORES; i++)
        for (unsigned k = 0; k < 2; k++) {
            rec_add(&l[k], TRACE_STORE, 0x10000 + k * 8, 8);
            rec_add(&l[k], TRACE_LOAD, 0x20000 + k * 0x1000 + i % 7 * 64, 8);
        }
    run(&m, l, 2, &out);
    ck_assert_uint_eq(counter(&out, "dram.reads"), 1 + 2 * 7);
    ck_assert_uint_gt(counter(&out, "llc.snoops"), STORES / 8);
    /* Every write miss but the first finds the other core as owner. */
    ck_assert_uint_eq(counter(&out, "cpu0.l1d.write_misses") + counter(&out, "cpu1.l1d.write_misses") - 1,
                      counter(&out, "llc.snoops"));
    oracle_result_free(&out);
    for (unsigned k = 0; k < 2; k++)
        free(l[k].rec);
}
END_TEST

/* A chain of dependent loads takes the sum; independent ones overlap. */
START_TEST(test_window)
{
    struct machine_config m;
    struct rec_list l = {0};
    plain_machine(&m, 1);
    m.cpu.model = CPU_MODEL_WINDOW;
    m.cpu.window = 16;
    m.cpu.width = 4;
    for (unsigned i = 0; i < 2; i++) {
        rec_add(&l, TRACE_FETCH, 0x30000 + 4 * i, 4);
        rec_add(&l, TRACE_REGS, UINT64_C(1) | UINT64_C(1) << 16, 0); /* writes 1, reads 1 */
        rec_add(&l, TRACE_LOAD, 0x30000, 8);
    }
    /* The fetch ends in cycle 75. The L1D misses, its lookup in the L2 in 82 finds the line: data in 84; then a hit in
     * the L1D: 86, retired there. */
    ck_assert_uint_eq(finish_of(&m, &l), COLD - L1_HIT + L2_HIT + L1_HIT);
    for (unsigned i = 0; i < 2; i++) {
        rec_add(&l, TRACE_FETCH, 0x30000 + 4 * i, 4);
        rec_add(&l, TRACE_LOAD, 0x30000, 8);
    }
    ck_assert_uint_eq(finish_of(&m, &l), COLD - L1_HIT + L2_HIT);
    /* A store: retired in 76 (dispatched in 75), its write goes in the drain of that cycle, to the L2 in 83. */
    rec_add(&l, TRACE_FETCH, 0x30000, 4);
    rec_add(&l, TRACE_STORE, 0x30000, 8);
    /* The L2 has S (GETI): GETM at 86, granted, no other holder, sent at 106, seen in 111. */
    ck_assert_uint_eq(finish_of(&m, &l), COLD - L1_HIT + 1 + 7 + 3 + 20 + 5);
}
END_TEST

/* A first touch with 4 levels: one fault; 3 tables and the page are cleared, four entries stored. */
START_TEST(test_first_touch)
{
    struct machine_config m;
    struct rec_list l = {0};
    struct oracle_result out;
    plain_machine(&m, 1);
    m.mmu.enabled = true;
    rec_add(&l, TRACE_LOAD, 0x7f0000000000, 8);
    run(&m, &l, 1, &out);
    ck_assert_uint_eq(counter(&out, "vm.faults_minor"), 1);
    ck_assert_uint_eq(counter(&out, "cpu0.walker.faults"), 1);
    ck_assert_uint_eq(counter(&out, "cpu0.walker.walks"), 2);
    ck_assert_uint_eq(counter(&out, "cpu0.walker.pte_reads"), 1 + 4);
    ck_assert_uint_eq(counter(&out, "cpu0.l1d.os.accesses"), 4 * 64 + 4);
    ck_assert_uint_eq(counter(&out, "cpu0.l1d.walk.accesses"), 1 + 4 + counter(&out, "cpu0.walker.ad_assists"));
    ck_assert_uint_eq(counter(&out, "cpu0.dtlb.accesses"), 1);
    ck_assert_uint_eq(counter(&out, "cpu0.walker.walk_completed_4k"), 1);
    oracle_result_free(&out);
    free(l.rec);
}
END_TEST

static unsigned number(const char *name, unsigned def)
{
    const char *s = getenv(name);
    return s && *s ? (unsigned)strtoul(s, NULL, 10) : def;
}

/* ORACLE_SEEDS, ORACLE_FIRST: how many random machines, from which seed. */
START_TEST(test_random_machines)
{
    unsigned seeds = number("ORACLE_SEEDS", 60), first = number("ORACLE_FIRST", 1);
    uint64_t total[9] = {0};
    static const char *const seen[] = {"llc.back_invalidations", "llc.snoops", "llc.mshr_full", "llc.mshr_merges",
                                       "dram.writes", "vm.kills", "vm.faults_oom", "vm.segfaults", "vm.unmapped_4k"};
    for (unsigned seed = first; seed < first + seeds; seed++) {
        struct random_case c;
        struct oracle_result out;
        struct err err = {0};
        char what[1024];
        random_case_new(&c, seed, RANDOM_CORES, 400);
        describe_machine(&c.m, what, sizeof what);
        if (getenv("ORACLE_VERBOSE"))
            fprintf(stderr, "seed %u: %s\n", seed, what);
        if (oracle_run(&c.m, c.stream, c.n_streams, PLANT_NONE, &out, &err) < 0)
            ck_abort_msg("seed %u: %s\n%s", seed, err.message, what);
        for (size_t i = 0; i < ARRAY_LEN(seen); i++)
            for (size_t j = 0; j < out.n_counters; j++)
                if (strcmp(out.counter[j].name, seen[i]) == 0)
                    total[i] += out.counter[j].value;
        for (uint32_t k = 0; k < c.m.cpu.count; k++) {
            static const char *const levels[] = {"l1i", "l1d", "l2"};
            for (unsigned i = 0; i < 3; i++) {
                char a[64], h[64], b[64];
                snprintf(a, sizeof a, "cpu%u.%s.accesses", k, levels[i]);
                snprintf(h, sizeof h, "cpu%u.%s.hits", k, levels[i]);
                snprintf(b, sizeof b, "cpu%u.%s.misses", k, levels[i]);
                ck_assert_uint_eq(counter(&out, a), counter(&out, h) + counter(&out, b));
            }
        }
        ck_assert_uint_eq(counter(&out, "llc.accesses"), counter(&out, "llc.hits") + counter(&out, "llc.misses"));
        oracle_result_free(&out);
        random_case_free(&c);
    }
    for (size_t i = 0; seeds >= 60 && i < ARRAY_LEN(seen); i++)
        ck_assert_msg(total[i] > 0, "%s was never seen", seen[i]);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("oracle");
    TCase *t = tcase_create("oracle");
    tcase_set_timeout(t, 0);
    tcase_add_test(t, test_single_load);
    tcase_add_test(t, test_average_access_time);
    tcase_add_test(t, test_cyclic_sweep);
    tcase_add_test(t, test_ping_pong);
    tcase_add_test(t, test_window);
    tcase_add_test(t, test_first_touch);
    tcase_add_test(t, test_random_machines);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
