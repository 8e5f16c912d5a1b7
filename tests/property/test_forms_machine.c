/*
 * Closed forms (x86-hardware.md section 10) through the whole machine. Where each of the section's cases is tested:
 *
 *   10.1  cyclic sweep          here: L1D, L2, LLC, DTLB, STLB, functional and timed; alone: test_assoc, test_tlb_forms
 *   10.2  random replacement    here through the L1D; alone: test_assoc
 *   10.3  uniform random        here through L1D and DTLB; alone: test_assoc
 *   10.4  hashed index          test_assoc only: no cache of the machine hashes its index
 *   10.5  strided access        test_forms_walks; TLB alone: test_tlb_forms
 *   10.6  walk references       test_forms_walks; 32-bit, PAE and nested paging: there is 4- and 5-level paging only
 *   10.7  average access time   here
 *   10.8  Mattson               here; alone: test_assoc
 *   10.9  page replacement      not expressible: pages are never replaced (no swap)
 *   10.10 queueing, arbiters    test_forms_bus; weighted and deficit round robin, TDMA, lottery: there are two arbiters
 *   10.11 Little                here
 *   10.12 DRAM                  here: same-bank row cycle, row hits of one bank group; alone: test_dram, test_dram_rules
 *   10.13 DMA, 10.15 disks      not expressible: no such device
 *   10.14 huge pages            test_forms_huge
 */
#include "unit/test_machine_util.h"

#include <math.h>

enum { BASE = 0x100000 };

/* 1.6 GHz: a cycle is 625 ps, a clock of DDR4-3200. */
static void aligned_machine(struct machine_config *m)
{
    plain_machine(m, 1);
    m->cpu.frequency_hz = 1600000000u;
}

static uint64_t per_lap(uint64_t n, uint64_t sets, uint64_t ways) /* 10.1 */
{
    uint64_t q = n / sets, r = n % sets;
    return (q + 1 > ways ? r * (q + 1) : 0) + (q > ways ? (sets - r) * q : 0);
}

/* Machines whose level `level` (0 L1D, 1 L2, 2 LLC) sees every access: the levels above hold one line. */
static const char *seen_by(struct machine_config *m, unsigned level, uint32_t sets, uint32_t ways, int policy)
{
    static const char *const name[] = {"cpu0.l1d", "cpu0.l2", "llc"};
    struct cache_config *c[] = {&m->cache.l1d, &m->cache.l2, &m->cache.llc};
    plain_machine(m, 1);
    m->cache.llc.size_bytes = 1 << 20;
    m->cache.llc.ways = 16;
    if (level == 0)
        shape(c[1], 64, 4, REPL_lru);
    for (unsigned i = 0; i < level; i++)
        shape(c[i], 1, 1, REPL_lru);
    shape(c[level], sets, ways, policy);
    return name[level];
}

static uint64_t misses_of(const struct machine_config *m, const struct rec_list *l, const char *where)
{
    char name[64];
    snprintf(name, sizeof name, "%s.misses", where);
    return counter_after(m, l, name);
}

static void sweep(struct rec_list *l, uint8_t kind, uint64_t n, unsigned laps, uint64_t step)
{
    for (unsigned lap = 0; lap < laps; lap++)
        for (uint64_t k = 0; k < n; k++)
            rec_add(l, kind, BASE + k * step, 8);
}

START_TEST(test_cache_sweeps) /* 10.1: loop over level and mode */
{
    static const struct { uint32_t n, misses; } cases[] = {{64, 0}, {65, 5}, {68, 20}, {80, 80}, {100, 100}};
    static const int policies[] = {REPL_lru, REPL_fifo, REPL_srrip};
    enum { LAPS = 5 };
    unsigned level = (unsigned)_i / 2;
    for (size_t p = 0; p < ARRAY_LEN(policies); p++)
        for (size_t i = 0; i < ARRAY_LEN(cases); i++)
            for (unsigned stores = 0; stores < 2; stores++) {
                struct machine_config m;
                struct rec_list l = {0};
                const char *where = seen_by(&m, level, 16, 4, policies[p]);
                m.sim.mode = _i % 2 ? SIM_MODE_FUNCTIONAL : SIM_MODE_TIMED;
                ck_assert_uint_eq(per_lap(cases[i].n, 16, 4), cases[i].misses);
                sweep(&l, stores ? TRACE_STORE : TRACE_LOAD, cases[i].n, LAPS, LINE_BYTES);
                ck_assert_uint_eq(misses_of(&m, &l, where), cases[i].n + (LAPS - 1) * cases[i].misses);
                list_clear(&l);
            }
    /* Strides of k lines use S / gcd(S, k) sets. */
    for (uint32_t k = 2; k <= 16; k += 3) {
        struct machine_config m;
        struct rec_list l = {0};
        uint32_t sets = 16 / (k & -k), n = sets * 4 + 3;
        const char *where = seen_by(&m, level, 16, 4, REPL_lru);
        m.sim.mode = _i % 2 ? SIM_MODE_FUNCTIONAL : SIM_MODE_TIMED;
        sweep(&l, TRACE_LOAD, n, LAPS, (uint64_t)k * LINE_BYTES);
        ck_assert_uint_eq(misses_of(&m, &l, where), n + (LAPS - 1) * per_lap(n, sets, 4));
        list_clear(&l);
    }
}
END_TEST

START_TEST(test_plru_sweep) /* 10.1: W + 1 lines in one set settle */
{
    static const struct { uint32_t ways; unsigned lap[9]; } cases[] = {
        {4, {5, 4, 5, 5, 5, 5, 5, 5, 5}}, {8, {9, 4, 6, 9, 9, 9, 9, 9, 9}}, {16, {17, 4, 5, 5, 6, 12, 9, 16, 17}}};
    unsigned level = (unsigned)_i / 2;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint64_t sum = 0;
        for (unsigned laps = 1; laps <= 9; laps++) {
            struct machine_config m;
            struct rec_list l = {0};
            const char *where = seen_by(&m, level, 1, cases[i].ways, REPL_tree_plru);
            m.sim.mode = _i % 2 ? SIM_MODE_FUNCTIONAL : SIM_MODE_TIMED;
            sweep(&l, TRACE_LOAD, cases[i].ways + 1, laps, LINE_BYTES);
            ck_assert_uint_eq(misses_of(&m, &l, where), sum += cases[i].lap[laps - 1]);
            list_clear(&l);
        }
    }
}
END_TEST

static void flat_tlb(struct tlb_config *t, uint32_t sets, uint32_t ways, int policy)
{
    t->entries = sets * ways;
    t->ways = ways;
    t->replacement = policy;
    t->huge_2m.entries = t->huge_1g.entries = 0;
    t->huge_2m.shared = t->huge_1g.shared = false;
}

START_TEST(test_tlb_sweeps) /* 10.1: DTLB of 16 x 4, STLB of 128 x 12 behind a DTLB of one entry */
{
    static const struct { bool second; uint32_t n, misses; } cases[] = {
        {false, 64, 0}, {false, 65, 5}, {false, 68, 20}, {false, 80, 80}, {false, 100, 100},
        {true, 1536, 0}, {true, 1537, 13}, {true, 1600, 832}, {true, 1664, 1664}, {true, 2000, 2000}};
    static const int policies[] = {REPL_lru, REPL_fifo, REPL_srrip};
    enum { LAPS = 4 };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (size_t p = 0; p < (cases[i].second ? 1 : ARRAY_LEN(policies)); p++) {
            struct machine_config m;
            struct rec_list l = {0};
            plain_machine(&m, 1);
            m.sim.mode = _i ? SIM_MODE_FUNCTIONAL : SIM_MODE_TIMED;
            m.mmu.enabled = true;
            flat_tlb(&m.mmu.dtlb, cases[i].second ? 1 : 16, cases[i].second ? 1 : 4, policies[p]);
            flat_tlb(&m.mmu.stlb, 128, 12, policies[p]);
            sweep(&l, TRACE_LOAD, cases[i].n, LAPS, PAGE_BYTES);
            ck_assert_uint_eq(misses_of(&m, &l, cases[i].second ? "cpu0.stlb" : "cpu0.dtlb"),
                              cases[i].n + (LAPS - 1) * cases[i].misses);
            list_clear(&l);
        }
}
END_TEST

START_TEST(test_random_replacement) /* 10.2: miss ratio 2 / (W + 1) with N = W + 1 */
{
    static const uint32_t ways[] = {4, 8, 64};
    enum { N = 400000 };
    for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
        struct machine_config m;
        struct rec_list l = {0};
        const char *where = seen_by(&m, 0, 1, ways[i], REPL_random);
        m.sim.mode = SIM_MODE_FUNCTIONAL;
        for (unsigned k = 0; k < N; k++)
            rec_add(&l, TRACE_LOAD, BASE + k % (ways[i] + 1) * LINE_BYTES, 8);
        ck_assert_double_eq_tol((double)misses_of(&m, &l, where) / N, 2.0 / (ways[i] + 1), 0.005);
        list_clear(&l);
    }
}
END_TEST

START_TEST(test_uniform) /* 10.3: hit ratio S * W / N, every policy */
{
    enum { N = 200000, WARM = 2000 };
    for (int policy = 0; policy < REPL_COUNT; policy++)
        for (unsigned tlb = 0; tlb < 2; tlb++) {
            struct machine_config m;
            struct rec_list l = {0};
            struct rng r;
            struct run run;
            struct stat_value v;
            uint32_t places = tlb ? 256 : 128;
            double h = 64.0 / places, hits = 0;
            rng_init(&r, 11, "uniform");
            seen_by(&m, 0, 16, 4, policy);
            m.sim.mode = SIM_MODE_FUNCTIONAL;
            m.sim.warmup = WARM;
            m.mmu.enabled = tlb;
            flat_tlb(&m.mmu.dtlb, 16, 4, policy);
            for (unsigned k = 0; k < N + WARM; k++)
                rec_add(&l, TRACE_LOAD, BASE + rng_below(&r, places) * (tlb ? PAGE_BYTES : LINE_BYTES), 8);
            run_lists(&run, &m, &l, 1);
            for (size_t i = 0; i < stats_count(machine_stats(run.m)); i++) {
                stats_get(machine_stats(run.m), i, &v);
                if (!strcmp(v.path, tlb ? "cpu0.dtlb" : "cpu0.l1d") && !strcmp(v.name, "hits"))
                    hits = (double)stat_value_in(&v, STAT_MEASURE);
            }
            ck_assert_double_eq_tol(hits / N, h, 3.89 * sqrt(h * (1 - h) / N)); /* 99.99 % */
            run_end(&run);
            list_clear(&l);
        }
}
END_TEST

START_TEST(test_mattson) /* 10.8 */
{
    static const char refs[] = "abcabbdac";
    static const unsigned misses[] = {8, 8, 5, 4, 4};
    for (uint32_t ways = 1; ways <= 5; ways++) {
        struct machine_config m;
        struct rec_list l = {0};
        const char *where = seen_by(&m, (unsigned)_i / 2, 1, ways, REPL_lru);
        m.sim.mode = _i % 2 ? SIM_MODE_FUNCTIONAL : SIM_MODE_TIMED;
        for (const char *p = refs; *p; p++)
            rec_add(&l, TRACE_LOAD, BASE + (uint64_t)(*p - 'a') * LINE_BYTES, 8);
        /* "bb" is a hit of the one-line caches above: it is not seen below, where it would be a hit too. */
        ck_assert_uint_eq(misses_of(&m, &l, where), misses[ways - 1]);
        list_clear(&l);
    }
}
END_TEST

/* ---- 10.7: a blocking core takes the sum of the levels' latencies ---- */

/* L1D of two lines, L2 of four, LLC of 16, each one set; 900 + 60 + 30 + 10 loads as in the reference's example. */
static void amat_machine(struct machine_config *m)
{
    aligned_machine(m);
    shape(&m->cache.l1d, 1, 2, REPL_lru);
    shape(&m->cache.l2, 1, 4, REPL_lru);
    shape(&m->cache.llc, 1, 16, REPL_lru);
}

static void amat_loads(struct rec_list *l, uint64_t step)
{
    for (unsigned lap = 0; lap < 4; lap++) /* 10 from DRAM, then 30 from the LLC */
        for (unsigned i = 0; i < 10; i++)
            rec_add(l, TRACE_LOAD, BASE + i * step, 8);
    for (unsigned i = 0; i < 60; i++)
        rec_add(l, TRACE_LOAD, BASE + (6 + i % 4) * step, 8);
    for (unsigned i = 0; i < 900; i++)
        rec_add(l, TRACE_LOAD, BASE + 9 * step, 8);
}

enum { ROW_BYTES = 8192, BANKS = 16, DRAM_MISS = 48, DRAM_HIT = 26, DRAM_CONFLICT = 70 }; /* clocks, DDR4-3200AA */

START_TEST(test_amat_example)
{
    struct machine_config m;
    struct rec_list l = {0};
    amat_machine(&m);
    m.cpu.model = _i ? CPU_MODEL_WINDOW : CPU_MODEL_INORDER;
    m.cache.l1d.latency_cycles = 5;
    m.cache.l2.latency_cycles = 15;
    m.bus.request_latency_cycles = m.bus.response_latency_cycles = 10; /* 70 = (15 - 5) + 10 + 35 + 10 + 5 */
    m.cache.llc.latency_cycles = 35;
    m.dram.controller_latency = (200 - DRAM_MISS) * 625; /* 270 = 70 + 200: every line in a bank of its own */
    amat_loads(&l, ROW_BYTES);
    ck_assert_uint_eq(cycles_of(&m, &l), 900 * 5 + 60 * 15 + 30 * 70 + 10 * 270);
    ck_assert_uint_eq(cycles_of(&m, &l), 10200);
    list_clear(&l);
}
END_TEST

START_TEST(test_amat_random) /* the same sum for any latencies; row misses, row hits, row conflicts */
{
    struct rng r;
    rng_init(&r, 4, "amat");
    for (unsigned round = 0; round < 60; round++) {
        struct machine_config m;
        struct rec_list l = {0};
        amat_machine(&m);
        uint32_t l1 = 1 + (uint32_t)rng_below(&r, 9), more = 1 + (uint32_t)rng_below(&r, 20), out = 1 + (uint32_t)rng_below(&r, 30),
                 in = 1 + (uint32_t)rng_below(&r, 30), llc = 1 + (uint32_t)rng_below(&r, 60), control = (uint32_t)rng_below(&r, 100);
        m.cpu.model = round % 2 ? CPU_MODEL_WINDOW : CPU_MODEL_INORDER;
        m.cpu.width = 1 + (uint32_t)rng_below(&r, 4);
        m.cache.l1d.latency_cycles = l1;
        m.cache.l1i.latency_cycles = 1;
        m.cache.l2.latency_cycles = l1 + more;
        m.cache.llc.latency_cycles = llc;
        m.bus.request_latency_cycles = out;
        m.bus.response_latency_cycles = in;
        m.bus.occupancy_cycles = 1 + (uint32_t)rng_below(&r, 4); /* an idle bus is granted at once */
        m.dram.controller_latency = control * 625ull;
        static const uint64_t steps[] = {ROW_BYTES, LINE_BYTES, ROW_BYTES * BANKS};
        uint64_t on_chip = l1 + more + out + llc + in, dram;
        switch (round % 3) {
        case 0: /* ten banks */
            dram = 10 * DRAM_MISS;
            break;
        case 1: /* one row */
            dram = DRAM_MISS + 9 * DRAM_HIT;
            break;
        default: /* ten rows of one bank */
            dram = DRAM_MISS + 9 * DRAM_CONFLICT;
        }
        amat_loads(&l, steps[round % 3]);
        /* A bank may be precharged tRAS after its ACT: shorter round trips than that wait for it. */
        if (round % 3 != 2 || on_chip + DRAM_MISS + control >= 52)
            ck_assert_uint_eq(cycles_of(&m, &l), 900 * l1 + 60 * (l1 + more) + 30 * on_chip + 10 * (on_chip + control) + dram);
        list_clear(&l);
    }
}
END_TEST

START_TEST(test_amat_unaligned) /* any core clock: the memory's edges and the core's are rounded up to */
{
    static const uint64_t hz[] = {1000000000u, 3200000000u, 3333333333u, 777000000u, 4000000000u};
    for (size_t i = 0; i < ARRAY_LEN(hz); i++) {
        struct machine_config m;
        struct rec_list l = {0};
        amat_machine(&m);
        m.cpu.frequency_hz = hz[i];
        uint64_t p = cpu_period_ps(&m.cpu), c = 0;
        for (unsigned k = 0; k < 12; k++) { /* OUT 3, IN 5, L1D 2, L2 9, LLC 20 */
            rec_add(&l, TRACE_LOAD, BASE + k * ROW_BYTES, 8);
            uint64_t granted = (c + 7 + 3) * p, edge = (granted + 624) / 625 * 625;
            uint64_t fill = edge + DRAM_MISS * 625 + m.dram.controller_latency + 20 * p;
            c = (fill + p - 1) / p + 5 + 2;
        }
        ck_assert_uint_eq(cycles_of(&m, &l), c);
        list_clear(&l);
    }
}
END_TEST

/* ---- 10.11 ---- */

enum { LINES = 240, CODE = 0x40 };

/*
 * A machine in which LINES lines come from the LLC, `t` cycles each from the L1D's MSHR to the fill. All code is in one
 * line. First a chain of dependent loads through every line brings them into the LLC, then `body` loads.
 */
static void little_machine(struct machine_config *m, uint32_t t, uint32_t mshrs)
{
    plain_machine(m, 1);
    m->cpu.model = CPU_MODEL_WINDOW;
    m->cpu.window = 128;
    m->cpu.width = 4;
    shape(&m->cache.l1d, 1, 1, REPL_lru);
    shape(&m->cache.l2, 2, 4, REPL_lru); /* data in one set, code in the other */
    m->cache.l1d.mshrs = mshrs;
    m->cache.l2.mshrs = 64;
    m->bus.occupancy_cycles = 1;
    m->cache.llc.latency_cycles = t - (m->cache.l2.latency_cycles - m->cache.l1d.latency_cycles) -
                                  m->bus.request_latency_cycles - m->bus.response_latency_cycles;
}

static void little_load(struct rec_list *l, unsigned k, unsigned writes, unsigned reads)
{
    rec_add(l, TRACE_FETCH, CODE, 4);
    rec_add(l, TRACE_REGS, regs_of(writes, reads), 0);
    rec_add(l, TRACE_LOAD, BASE + k % LINES * 2 * LINE_BYTES, 8);
}

START_TEST(test_little)
{
    static const struct { uint32_t mshrs, t; double rate; } cases[] = {{12, 90, 8.53}, {16, 100, 10.24}, {10, 80, 8.0},
                                                                        {1, 40, 1.6},   {4, 33, 7.76},   {32, 64, 32.0}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct machine_config m;
        struct rec_list l = {0};
        uint32_t n = cases[i].mshrs, t = cases[i].t;
        little_machine(&m, t, n);
        for (unsigned k = 0; k < LINES; k++)
            little_load(&l, k, 1, 1);
        uint64_t chain = cycles_of(&m, &l);
        /* Dependent: one line a load-to-use latency. */
        for (unsigned k = 0; k < LINES; k++)
            little_load(&l, k, 1, 1);
        ck_assert_uint_eq(cycles_of(&m, &l) - chain, LINES * (t + m.cache.l1d.latency_cycles));
        l.n -= 3 * LINES;
        /*
         * Independent of each other, all after the chain: the first n leave at once, one a cycle over the bus, and each
         * MSHR then turns over every t cycles: n * 64 bytes a latency.
         */
        for (unsigned k = 0; k < LINES; k++)
            little_load(&l, k, 0, 1);
        uint64_t all = cycles_of(&m, &l) - chain;
        ck_assert_uint_eq(all, (LINES - 1) / n * t + (LINES - 1) % n + t + m.cache.l1d.latency_cycles);
        /* n loads fewer: one latency less, which is the bandwidth. */
        l.n -= 3 * n;
        uint64_t less = cycles_of(&m, &l) - chain;
        ck_assert_uint_eq(all - less, t);
        double rate = n * 64.0 / (double)(all - less); /* bytes a ns at 1 GHz: GB/s */
        ck_assert_double_eq_tol(rate, cases[i].rate, 0.005);
        list_clear(&l);
    }
}
END_TEST

/* ---- 10.12 through the machine: four MSHRs keep a bank busy ---- */

START_TEST(test_dram_streams)
{
    static const struct { uint64_t step; uint32_t clocks; } cases[] = {
        {ROW_BYTES * BANKS, 74}, /* rows of one bank: tRC */
        {LINE_BYTES, 8},         /* one row: tCCD_L, one bank group */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct machine_config m;
        struct rec_list l = {0};
        enum { N = 100 };
        aligned_machine(&m);
        m.cpu.model = CPU_MODEL_WINDOW;
        m.cpu.window = 256;
        m.cpu.width = 4;
        m.bus.occupancy_cycles = 1;
        m.cache.l1d.mshrs = m.cache.l2.mshrs = m.cache.llc.mshrs = 32;
        for (unsigned k = 0; k < N; k++)
            rec_add(&l, TRACE_LOAD, BASE + k * cases[i].step, 8);
        uint64_t first = 7 + 3 + DRAM_MISS + 16 + 20 + 5 + 2;
        ck_assert_uint_eq(cycles_of(&m, &l), first + (N - 1) * cases[i].clocks);
        list_clear(&l);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("forms_machine");
    TCase *t = tcase_create("forms");
    tcase_set_timeout(t, 0);
    tcase_add_loop_test(t, test_cache_sweeps, 0, 6);
    tcase_add_loop_test(t, test_plru_sweep, 0, 6);
    tcase_add_loop_test(t, test_tlb_sweeps, 0, 2);
    tcase_add_test(t, test_random_replacement);
    tcase_add_test(t, test_uniform);
    tcase_add_loop_test(t, test_mattson, 0, 6);
    tcase_add_loop_test(t, test_amat_example, 0, 2);
    tcase_add_test(t, test_amat_random);
    tcase_add_test(t, test_amat_unaligned);
    tcase_add_test(t, test_little);
    tcase_add_test(t, test_dram_streams);
    suite_add_tcase(s, t);
    return run_suite_of(s);
}
