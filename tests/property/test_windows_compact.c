/*
 * Direct compaction in time: the simulator equals the oracle in every counter, finish time and bus arrival where faults for huge
 * pages move frames of an aged machine and of the processes themselves, whatever sim.window and the order of the cores. And on
 * one core that does one thing after the other, timed and functional mode come to the same memory.
 *
 * WINDOWS_SEEDS: how many machines; WINDOWS_FIRST: the first seed.
 */
#include "property/compare_case.h"

#include "cpu/machine/machine.h"
#include "engine/state.h"
#include "vm/vm.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SMALL_PAGES = 300, LARGE_AREAS = 3 };
#define SMALL_BASE 0x10000000ull
#define LARGE_BASE 0x40000000ull
#define LARGE_BYTES 0x200000ull

static unsigned number(const char *name, unsigned def)
{
    const char *s = getenv(name);
    return s && *s ? (unsigned)strtoul(s, NULL, 10) : def;
}

static void map(struct rec_list *l, uint64_t start, uint64_t bytes)
{
    rec_call(l, TRACE_MMAP, start, 0, (const uint64_t[]){bytes, 7, 0x22, 0, 0, start, 0}, 7);
}

static uint8_t data_kind(struct rng *r)
{
    static const uint8_t kind[] = {TRACE_LOAD, TRACE_STORE, TRACE_STORE, TRACE_MODIFY};
    return kind[rng_below(r, 4)];
}

/* Small pages in mappings too small for a huge one, huge ones in between: each huge page wants a compaction. */
static void one_stream(struct rec_list *l, struct rng *r, uint32_t k, unsigned references)
{
    uint64_t small = SMALL_BASE + (uint64_t)(k % 2) * 0x1000000, large = LARGE_BASE + (uint64_t)k * 0x10000000;
    map(l, 0x400000, 0x10000);
    for (unsigned i = 0; i < SMALL_PAGES; i += 100)
        map(l, small + i * 0x2000ull, 100 * PAGE_BYTES);
    for (unsigned i = 0; i < LARGE_AREAS; i++)
        map(l, large + i * 2 * LARGE_BYTES, LARGE_BYTES);
    for (unsigned i = 0; i < references; i++) {
        if (rng_below(r, 3) == 0)
            rec_add(l, TRACE_FETCH, 0x400000 + rng_below(r, 0x800) * 4, 4);
        unsigned page = (unsigned)rng_below(r, SMALL_PAGES);
        uint64_t area = small + page / 100 * 100 * 0x2000ull;
        if (rng_below(r, references / LARGE_AREAS) == 0)
            rec_add(l, data_kind(r), large + rng_below(r, LARGE_AREAS) * 2 * LARGE_BYTES + rng_below(r, LARGE_BYTES / 8) * 8, 8);
        else if (rng_below(r, 150) == 0)
            rec_call(l, TRACE_MUNMAP, area + page % 100 * PAGE_BYTES, 0, (const uint64_t[]){(1 + rng_below(r, 4)) * PAGE_BYTES, 0}, 2);
        else
            rec_add(l, data_kind(r), area + page % 100 * PAGE_BYTES + rng_below(r, PAGE_BYTES / 8) * 8, 8);
    }
}

static void new_case(struct random_case *c, uint64_t seed, uint32_t cores)
{
    struct rng r;
    memset(c, 0, sizeof *c);
    rng_init(&r, seed, "compact case");
    random_machine(&c->m, &r, cores);
    c->m.mmu.enabled = true;
    c->m.memory.size_bytes = 64u << 20;
    c->m.vm.page_size = PAGE_SIZE_2M;
    c->m.vm.huge_defrag = c->m.buddy.compaction = true;
    c->m.buddy.kcompactd = false; /* the oracle has none */
    c->m.vm.tlb_flush_cycles = (uint32_t)rng_below(&r, 300);
    c->m.vm.ipi_send_cycles = (uint32_t)rng_below(&r, 200);
    c->m.vm.ipi_deliver_cycles = (uint32_t)rng_below(&r, 1000);
    c->m.vm.ipi_handler_cycles = (uint32_t)rng_below(&r, 2000);
    c->m.buddy.compact_scan_cycles = (uint32_t)rng_below(&r, 10);
    c->m.buddy.migrate_cycles = (uint32_t)rng_below(&r, 200);
    c->m.vm.strict = true; /* keeps pages of small mappings small; what was unmapped may be touched only by a process that ends so */
    c->m.memory.ageing = (struct ageing_config){.recipe = 1 + (int)rng_below(&r, 4), .order = 9, .target = 1, .free = 0.3 + 0.3 * rng_unit(&r),
                                                .unmovable = 0.2 * rng_unit(&r)};
    c->n_streams = c->m.cpu.count;
    for (uint32_t k = 0; k < c->n_streams; k++) {
        one_stream(&c->rec[k], &r, k, 120 + (unsigned)rng_below(&r, 200));
        c->stream[k] = (struct oracle_stream){.process = rng_below(&r, 3) ? 0 : k, .n = c->rec[k].n, .rec = c->rec[k].rec};
    }
    for (uint32_t k = 0; k < c->n_streams; k++) { /* numbers in order of first appearance, without gaps */
        uint32_t before = 0;
        for (uint32_t j = 0; j < k; j++)
            before += c->stream[j].process != 0 && j;
        if (c->stream[k].process)
            c->stream[k].process = 1 + before;
    }
    if (c->n_streams && c->stream[0].process)
        c->stream[0].process = 0;
}

static uint64_t counter(const struct oracle_result *r, const char *name)
{
    for (size_t i = 0; i < r->n_counters; i++)
        if (!strcmp(r->counter[i].name, name))
            return r->counter[i].value;
    ck_abort_msg("no counter %s", name);
    return 0;
}

static bool differs(const struct random_case *c, uint64_t seed, uint32_t window, const unsigned *order, const struct oracle_result *want)
{
    struct oracle_result got;
    struct err err = {0};
    char text[2048], what[1024];
    if (simulate(c, window, order, want, &got, &err) < 0)
        snprintf(text, sizeof text, "%s\n", err.message);
    else
        first_difference(want, &got, c->m.cpu.count, text, sizeof text);
    oracle_result_free(&got);
    if (text[0]) {
        describe_machine(&c->m, what, sizeof what);
        fprintf(stderr, "seed %llu window %u%s: %s\n%s", (unsigned long long)seed, window, order ? " permuted" : "", what, text);
    }
    return text[0] != 0;
}

START_TEST(equals_the_oracle)
{
    unsigned seeds = number("WINDOWS_SEEDS", 3), first = number("WINDOWS_FIRST", 1);
    uint64_t migrated = 0, stores = 0, huge = 0;
    for (unsigned seed = first; seed < first + seeds; seed++) {
        struct random_case c;
        struct oracle_result want;
        struct err err = {0};
        unsigned order[RANDOM_CORES];
        new_case(&c, seed, 1 + seed % 4);
        ck_assert_msg(oracle_run(&c.m, c.stream, c.n_streams, PLANT_NONE, &want, &err) == 0, "seed %u: %s", seed, err.message);
        for (unsigned k = 0; k < c.m.cpu.count; k++)
            order[k] = c.m.cpu.count - 1 - k;
        bool wrong = differs(&c, seed, 0, NULL, &want) || differs(&c, seed, 1, NULL, &want) || differs(&c, seed, 0, order, &want);
        migrated += counter(&want, "compact.migrated");
        stores += counter(&want, "compact.pte_stores");
        huge += counter(&want, "vm.mapped_2m");
        oracle_result_free(&want);
        random_case_free(&c);
        ck_assert_msg(!wrong, "seed %u differs (see above)", seed);
    }
    printf("%u machines: %llu pages moved, %llu entries changed, %llu huge pages\n", seeds, (unsigned long long)migrated,
           (unsigned long long)stores, (unsigned long long)huge);
    ck_assert_uint_gt(migrated, 100 * seeds); /* otherwise nothing was compared */
    ck_assert_uint_gt(stores, seeds);
}
END_TEST

/* ---- in the background --------------------------------------------------------------------------------------------------- */

/* kcompactd, which the oracle has not: results do not depend on windows and the order of the cores; the checks of the run hold. */
START_TEST(daemon_is_exact)
{
    static const char *const names[] = {"sim.cycles", "sim.references", "compact.migrated", "compact.daemon_wake", "compact.daemon_migrate_scanned",
                                        "compact.proactive_runs", "compact.batches", "compact.pte_stores", "cpu0.l1d.os.accesses", "cpu0.walker.walks",
                                        "cpu0.walker.cycles", "llc.accesses", "llc.misses", "vm.faults_minor", "dram.reads", "dram.writes",
                                        "buddy.boosts", "vm.mapped_2m"};
    unsigned seeds = number("WINDOWS_SEEDS", 3), first = number("WINDOWS_FIRST", 1);
    uint64_t proactive = 0, scanned = 0;
    for (unsigned seed = first; seed < first + seeds; seed++) {
        struct random_case c;
        struct oracle_counter counters[ARRAY_LEN(names)];
        struct oracle_result want, got, like = {.counter = counters, .n_counters = ARRAY_LEN(names)};
        struct err err = {0};
        char text[2048] = "";
        new_case(&c, seed, 1 + seed % 4);
        c.m.buddy.kcompactd = true;
        c.m.sim.checks = true;
        c.m.vm.huge_defrag = seed % 2; /* else the huge pages wait for kcompactd */
        c.m.buddy.compaction_interval_ps = UINT64_C(1000000) * (1 + seed % 50);
        c.m.buddy.compaction_proactiveness = seed % 3 ? 90 : 20;
        c.m.cpu.switch_cycles = seed % 5 ? 100 : 0;
        for (unsigned i = 0; i < ARRAY_LEN(names); i++)
            snprintf(counters[i].name, sizeof counters[i].name, "%s", names[i]);
        ck_assert_msg(simulate(&c, 0, NULL, &like, &want, &err) == 0, "seed %u: %s", seed, err.message);
        unsigned order[RANDOM_CORES];
        for (unsigned k = 0; k < c.m.cpu.count; k++)
            order[k] = c.m.cpu.count - 1 - k;
        for (unsigned i = 0; i < 3 && !text[0]; i++) {
            ck_assert_msg(simulate(&c, i == 1 ? 7 : i == 0, i == 2 ? order : NULL, &like, &got, &err) == 0, "seed %u: %s", seed, err.message);
            first_difference(&want, &got, c.m.cpu.count, text, sizeof text);
            oracle_result_free(&got);
        }
        ck_assert_msg(!text[0], "seed %u: windows differ: %s", seed, text);
        proactive += counter(&want, "compact.proactive_runs");
        scanned += counter(&want, "compact.daemon_migrate_scanned");
        oracle_result_free(&want);
        random_case_free(&c);
    }
    printf("kcompactd: %llu proactive runs, %llu pages scanned\n", (unsigned long long)proactive, (unsigned long long)scanned);
    ck_assert_uint_gt(proactive, 0);
    ck_assert_uint_gt(scanned, 0);
}
END_TEST

/* ---- both modes ---------------------------------------------------------------------------------------------------------- */

struct feed { const struct oracle_stream *s; bool done; };
static int all_at_once(void *self, struct trace_batch *out)
{
    struct feed *f = self;
    if (f->done)
        return 0;
    f->done = true;
    *out = (struct trace_batch){.process = f->s->process, .rec = f->s->rec, .n = f->s->n};
    return 1;
}

static struct machine *run(struct random_case *c, int mode, struct feed *feed)
{
    struct machine *m;
    struct err err = {0};
    c->m.sim.mode = mode;
    ck_assert_msg(machine_new(&m, &c->m, &err) == 0, "%s", err.message);
    *feed = (struct feed){.s = &c->stream[0]};
    machine_set_source(m, 0, (struct ref_source){.self = feed, .next = all_at_once});
    ck_assert_msg(machine_run(m, &err) == MACHINE_END_TRACE, "%s", err.message);
    return m;
}

START_TEST(modes_come_to_the_same)
{
    static const char *const same[] = {"vm.faults_minor", "vm.mapped_2m", "vm.mapped_4k", "compact.migrated", "compact.migrate_scanned",
                                       "compact.free_scanned", "compact.pte_stores", "cpu0.l1d.accesses", "cpu0.l1d.misses",
                                       "cpu0.l1d.os.accesses", "cpu0.l2.misses", "llc.misses", "cpu0.dtlb.misses", "cpu0.walker.walks"};
    unsigned seeds = number("WINDOWS_SEEDS", 3), first = number("WINDOWS_FIRST", 1);
    uint64_t moved = 0;
    for (unsigned seed = first; seed < first + seeds; seed++) {
        struct random_case c;
        struct feed feed[2];
        struct machine *m[2];
        new_case(&c, seed, 1);
        c.m.cpu.window = 1;
        m[0] = run(&c, SIM_MODE_FUNCTIONAL, &feed[0]);
        m[1] = run(&c, SIM_MODE_TIMED, &feed[1]);
        for (unsigned i = 0; i < ARRAY_LEN(same); i++) {
            uint64_t v[2] = {0};
            for (unsigned k = 0; k < 2; k++)
                ck_assert_msg(stats_find(machine_stats(m[k]), same[i], &v[k]), "no counter %s", same[i]);
            ck_assert_msg(v[0] == v[1], "seed %u: %s is %llu functional and %llu timed", seed, same[i], (unsigned long long)v[0],
                          (unsigned long long)v[1]);
            moved += !strcmp(same[i], "compact.migrated") ? v[0] : 0;
        }
        const struct frame_map *a = machine_frames(m[0]), *b = machine_frames(m[1]);
        ck_assert_uint_eq(a->n_frames, b->n_frames);
        for (uint64_t p = 0; p < a->n_frames; p++) {
            const struct frame *x = &a->frames[p], *y = &b->frames[p];
            ck_assert_msg(x->state == y->state && x->order == y->order && x->tag == y->tag && x->vpn == y->vpn && x->asid == y->asid,
                          "seed %u: frame %llu differs", seed, (unsigned long long)p);
            if (x->state == FRAME_ALLOCATED && x->tag == FRAME_TAG_PGTABLE)
                ck_assert_msg(!memcmp(phys_at(machine_vm(m[0])->mem, pfn_to_pa((pfn_t){p})), phys_at(machine_vm(m[1])->mem, pfn_to_pa((pfn_t){p})), PAGE_BYTES),
                              "seed %u: the table in frame %llu differs", seed, (unsigned long long)p);
        }
        machine_free(m[0]);
        machine_free(m[1]);
        random_case_free(&c);
    }
    ck_assert_uint_gt(moved, 100 * seeds);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("windows_compact");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 0);
    tcase_add_test(t, equals_the_oracle);
    tcase_add_test(t, daemon_is_exact);
    tcase_add_test(t, modes_come_to_the_same);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
