/*
 * Compaction in time, direct and in the background: the simulator equals the oracle in every counter, finish time and bus arrival where faults for huge
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
#define SPARSE_BASE 0x80000000ull

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

/* Small pages in mappings too small for a huge one, huge ones in between: each huge page wants a compaction. `tables` more pages
 * need a table each: unmovable memory, for which pageblocks of movable memory are broken into, so that marks are boosted. */
static void one_stream(struct rec_list *l, struct rng *r, uint32_t k, unsigned references, unsigned tables)
{
    uint64_t small = SMALL_BASE + (uint64_t)(k % 2) * 0x1000000, large = LARGE_BASE + (uint64_t)k * 0x10000000;
    map(l, 0x400000, 0x10000);
    for (unsigned i = 0; i < SMALL_PAGES; i += 100)
        map(l, small + i * 0x2000ull, 100 * PAGE_BYTES);
    for (unsigned i = 0; i < LARGE_AREAS; i++)
        map(l, large + i * 2 * LARGE_BYTES, LARGE_BYTES);
    uint64_t sparse = SPARSE_BASE + (uint64_t)k * 0x10000000;
    for (unsigned i = 0; i < tables; i++)
        map(l, sparse + i * LARGE_BYTES, PAGE_BYTES);
    for (unsigned i = 0; i < references; i++) {
        if (rng_below(r, 3) == 0)
            rec_add(l, TRACE_FETCH, 0x400000 + rng_below(r, 0x800) * 4, 4);
        unsigned page = (unsigned)rng_below(r, SMALL_PAGES);
        uint64_t area = small + page / 100 * 100 * 0x2000ull;
        if (tables && rng_below(r, 3) == 0)
            rec_add(l, data_kind(r), sparse + rng_below(r, tables) * LARGE_BYTES + rng_below(r, PAGE_BYTES / 8) * 8, 8);
        else if (rng_below(r, references / LARGE_AREAS) == 0)
            rec_add(l, data_kind(r), large + rng_below(r, LARGE_AREAS) * 2 * LARGE_BYTES + rng_below(r, LARGE_BYTES / 8) * 8, 8);
        else if (rng_below(r, 150) == 0)
            rec_call(l, TRACE_MUNMAP, area + page % 100 * PAGE_BYTES, 0, (const uint64_t[]){(1 + rng_below(r, 4)) * PAGE_BYTES, 0}, 2);
        else
            rec_add(l, data_kind(r), area + page % 100 * PAGE_BYTES + rng_below(r, PAGE_BYTES / 8) * 8, 8);
    }
}

/* `daemon`: kcompactd runs beside; else only who asks compacts. */
static void new_case(struct random_case *c, uint64_t seed, uint32_t cores, bool daemon)
{
    struct rng r;
    memset(c, 0, sizeof *c);
    rng_init(&r, seed, "compact case");
    random_machine(&c->m, &r, cores);
    c->m.mmu.enabled = true;
    c->m.memory.size_bytes = 64u << 20;
    c->m.vm.page_size = PAGE_SIZE_2M;
    c->m.vm.huge_defrag = c->m.buddy.compaction = true;
    c->m.vm.tlb_flush_cycles = (uint32_t)rng_below(&r, 300);
    c->m.vm.ipi_send_cycles = (uint32_t)rng_below(&r, 200);
    c->m.vm.ipi_deliver_cycles = (uint32_t)rng_below(&r, 1000);
    c->m.vm.ipi_handler_cycles = (uint32_t)rng_below(&r, 2000);
    c->m.buddy.compact_scan_cycles = (uint32_t)rng_below(&r, 10);
    c->m.buddy.migrate_cycles = (uint32_t)rng_below(&r, 200);
    c->m.vm.strict = true; /* keeps pages of small mappings small; what was unmapped may be touched only by a process that ends so */
    c->m.memory.ageing = (struct ageing_config){.recipe = 1 + (int)rng_below(&r, 4), .order = 9, .target = 1, .free = 0.3 + 0.3 * rng_unit(&r),
                                                .unmovable = 0.2 * rng_unit(&r)};
    c->m.buddy.kcompactd = daemon;
    if (daemon) {
        c->m.vm.huge_defrag = seed % 3 != 0; /* else the huge pages wait for kcompactd */
        c->m.buddy.compaction_interval_ps = UINT64_C(1000000) * (1 + seed % 50);
        c->m.buddy.compaction_proactiveness = seed % 2 ? 0 : seed % 4 ? 90 : 20;
        c->m.cpu.switch_cycles = seed % 5 ? 100 : 0;
        c->m.memory.ageing.unmovable = 0; /* no free memory of the tables' type */
    }
    c->n_streams = c->m.cpu.count;
    for (uint32_t k = 0; k < c->n_streams; k++) {
        unsigned references = 120 + (unsigned)rng_below(&r, 200);
        if (daemon) /* some cores end early, and get the work then */
            references /= 1 + (unsigned)rng_below(&r, 4);
        one_stream(&c->rec[k], &r, k, references, daemon ? 100 : 0);
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

struct seen { uint64_t migrated, stores, huge, proactive, wakes, scanned; };

static void compare_all(unsigned seeds, unsigned first, bool daemon, struct seen *seen)
{
    for (unsigned seed = first; seed < first + seeds; seed++) {
        struct random_case c;
        struct oracle_result want;
        struct err err = {0};
        unsigned order[RANDOM_CORES];
        new_case(&c, seed, 1 + seed % 4, daemon);
        ck_assert_msg(oracle_run(&c.m, c.stream, c.n_streams, PLANT_NONE, &want, &err) == 0, "seed %u: %s", seed, err.message);
        for (unsigned k = 0; k < c.m.cpu.count; k++)
            order[k] = c.m.cpu.count - 1 - k;
        bool wrong = differs(&c, seed, 0, NULL, &want) || differs(&c, seed, 1, NULL, &want) || differs(&c, seed, 0, order, &want);
        seen->migrated += counter(&want, "compact.migrated");
        seen->stores += counter(&want, "compact.pte_stores");
        seen->huge += counter(&want, "vm.mapped_2m");
        seen->proactive += counter(&want, "compact.proactive_runs");
        seen->wakes += counter(&want, "compact.daemon_wake");
        seen->scanned += counter(&want, "compact.daemon_migrate_scanned");
        oracle_result_free(&want);
        random_case_free(&c);
        ck_assert_msg(!wrong, "seed %u differs (see above)", seed);
    }
    printf("%u machines%s: %llu pages moved, %llu entries changed, %llu huge pages; kcompactd: %llu wakes, %llu proactive runs, %llu pages scanned\n",
           seeds, daemon ? " with kcompactd" : "", (unsigned long long)seen->migrated, (unsigned long long)seen->stores,
           (unsigned long long)seen->huge, (unsigned long long)seen->wakes, (unsigned long long)seen->proactive, (unsigned long long)seen->scanned);
    ck_assert_uint_gt(seen->migrated, 100 * seeds); /* otherwise nothing was compared */
    ck_assert_uint_gt(seen->stores, seeds);
}

START_TEST(equals_the_oracle)
{
    struct seen seen = {0};
    compare_all(number("WINDOWS_SEEDS", 3), number("WINDOWS_FIRST", 1), false, &seen);
    ck_assert_uint_eq(seen.wakes + seen.proactive, 0);
}
END_TEST

/* Who wakes kcompactd, for what, on which core it runs and how long, and when it looks by itself. */
START_TEST(daemon_equals_the_oracle)
{
    struct seen seen = {0};
    compare_all(number("WINDOWS_SEEDS", 3), number("WINDOWS_FIRST", 1), true, &seen);
    ck_assert_uint_gt(seen.proactive, 0);
    ck_assert_uint_gt(seen.wakes, 0);
    ck_assert_uint_gt(seen.scanned, 0);
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
        new_case(&c, seed, 1, false);
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
    tcase_add_test(t, daemon_equals_the_oracle);
    tcase_add_test(t, modes_come_to_the_same);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
