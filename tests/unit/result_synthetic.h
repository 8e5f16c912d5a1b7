/*
 * A result folder with made-up numbers, written through the same functions as a real one: memory fills up and
 * fragments, misses come in phases, DRAM turns from hits to conflicts. For tests of what reads results.
 */
#ifndef RESULT_SYNTHETIC_H
#define RESULT_SYNTHETIC_H

#include "app/result/series/memory_series.h"
#include "app/result/result.h"

#include "engine/rng.h"

#include <stdlib.h>

enum { SYN_ORDERS = 11, SYN_CORES = 2, SYN_ZONES = 2, SYN_FILES = 7 };

struct synthetic {
    uint64_t references, length; /* of the whole run */
    unsigned seed;
    bool timed, instructions, zones_empty;
    struct { uint64_t references, instructions, cycles, time_ps; } sim;
    struct { uint64_t accesses, misses; } itlb[SYN_CORES], dtlb[SYN_CORES], stlb[SYN_CORES], l1d[SYN_CORES], l2[SYN_CORES], llc;
    struct { uint64_t instructions, cycles; } cpu[SYN_CORES];
    struct { uint64_t walks, cycles; } walker[SYN_CORES];
    struct stat_hist latency[SYN_CORES];
    struct { uint64_t reads, writes, row_hits, row_misses, row_conflicts; } dram;
    struct { uint64_t faults_minor, faults_major, faults_zero; } vm;
    struct { uint64_t ins, outs; } swap;
    struct { uint64_t fallback_steals, fallbacks, fallback_unmovable_from_movable; } buddy;
    struct { uint64_t pages, requested_bytes; } slab;
    struct { uint64_t operations, p50, p99; } path;
    uint64_t slab_bytes, slab_milli, slab_part[3];
    uint64_t free[SYN_ZONES][SYN_ORDERS];
};

static inline uint64_t synthetic_free(const void *ctx, uint64_t arg)
{
    const struct synthetic *s = ctx;
    return s->free[arg / SYN_ORDERS][arg % SYN_ORDERS];
}

static inline void synthetic_register(struct synthetic *s, struct stats *st)
{
#define PAIR(type, a, b) {{#a, "events", "made up", offsetof(type, a), false}, {#b, "events", "made up", offsetof(type, b), false}}
    static const struct stat_desc cache[] = PAIR(__typeof__(((struct synthetic *)0)->llc), accesses, misses);
    static const struct stat_desc core[] = PAIR(__typeof__(((struct synthetic *)0)->cpu[0]), instructions, cycles);
    static const struct stat_desc walk[] = PAIR(__typeof__(((struct synthetic *)0)->walker[0]), walks, cycles);
    static const struct stat_desc swap[] = PAIR(__typeof__(((struct synthetic *)0)->swap), ins, outs);
    static const struct stat_desc slab[] = PAIR(__typeof__(((struct synthetic *)0)->slab), pages, requested_bytes);
#define ONE(member, name) {#name, "events", "made up", offsetof(__typeof__(((struct synthetic *)0)->member), name), false}
    static const struct stat_desc buddy[] = {ONE(buddy, fallback_steals), ONE(buddy, fallbacks), ONE(buddy, fallback_unmovable_from_movable)};
    static const struct stat_desc route[] = {ONE(path, operations), ONE(path, p50), ONE(path, p99)};
    static const struct stat_desc sim[] = {ONE(sim, references), ONE(sim, instructions), ONE(sim, cycles)};
    static const struct stat_desc dram[] = {ONE(dram, reads), ONE(dram, writes), ONE(dram, row_hits), ONE(dram, row_misses),
                                            ONE(dram, row_conflicts)};
    static const struct stat_desc vm[] = {ONE(vm, faults_minor), ONE(vm, faults_major), ONE(vm, faults_zero)};
#undef PAIR
#undef ONE
    stats_add(st, "sim", &s->sim, sim, ARRAY_LEN(sim));
    for (unsigned c = 0; c < SYN_CORES; c++) {
        char path[64];
#define CORE(name, where, table) (snprintf(path, sizeof path, "cpu%u%s", c, name), stats_add(st, path, where, table, 2))
        CORE("", &s->cpu[c], core);
        CORE(".itlb", &s->itlb[c], cache);
        CORE(".dtlb", &s->dtlb[c], cache);
        CORE(".stlb", &s->stlb[c], cache);
        CORE(".l1d", &s->l1d[c], cache);
        CORE(".l2", &s->l2[c], cache);
        CORE(".walker", &s->walker[c], walk);
#undef CORE
        stats_add_hist(st, path, "latency", &s->latency[c], "cycles", "made up");
        char num[64], den[64];
        snprintf(path, sizeof path, "cpu%u", c);
        snprintf(num, sizeof num, "cpu%u.instructions", c);
        snprintf(den, sizeof den, "cpu%u.cycles", c);
        stats_add_ratio(st, path, "ipc", num, den, 1, 6, "ratio", "instructions per cycle");
    }
    stats_add(st, "llc", &s->llc, cache, 2);
    stats_add(st, "dram", &s->dram, dram, ARRAY_LEN(dram));
    stats_add(st, "vm", &s->vm, vm, ARRAY_LEN(vm));
    stats_add(st, "buddy", &s->buddy, buddy, ARRAY_LEN(buddy));
    stats_add(st, "swap", &s->swap, swap, 2);
    stats_add(st, "slab.dentry", &s->slab, slab, 2);
    stats_add(st, "slab.latency.alloc_fast", &s->path, route, ARRAY_LEN(route));
    stats_add(st, "slab.latency.free_slab", &s->path, route, ARRAY_LEN(route));
    stats_freeze(st);
}

static inline void synthetic_columns(struct synthetic *s, struct stats *st, struct series *series)
{
    static const char *const zone[SYN_ZONES] = {"dma32", "normal"};
    series_add_u64(series, "time_ps", "ps", &s->sim.time_ps);
    series_add_u64(series, "references", "references", &s->sim.references);
    series_add_defaults(series, st);
    series_add_u64(series, "slab_bytes", "bytes", &s->slab_bytes);
    series_add_u64(series, "slab_requested_bytes", "bytes", &s->slab.requested_bytes);
    series_add_u64(series, "slab_utilisation", "ratio", &s->slab_milli);
    series_add_u64(series, "slab_rounding_bytes", "bytes", &s->slab_part[0]);
    series_add_u64(series, "slab_free_bytes", "bytes", &s->slab_part[1]);
    series_add_u64(series, "slab_tail_bytes", "bytes", &s->slab_part[2]);
    series_add_u64(series, "slab_alloc_from_24", "operations", &s->slab_bytes); /* counters that grow, as the plot wants */
    series_add_u64(series, "slab_alloc_from_512", "operations", &s->slab_part[2]);
    for (unsigned z = 0; z < SYN_ZONES; z++)
        for (unsigned o = 0; o < SYN_ORDERS; o++) {
            char name[64];
            snprintf(name, sizeof name, "zone_%s_free_%u", zone[z], o);
            series_add(series, name, "blocks", SERIES_U64, synthetic_free, s, z * SYN_ORDERS + o);
        }
}

static inline unsigned synthetic_random(struct synthetic *s)
{
    return (s->seed = s->seed * 1664525u + 1013904223u) >> 8;
}

/* The values after `references`, a thousand later than before. */
static inline void synthetic_step(struct synthetic *s, uint64_t references)
{
    uint64_t d = references - s->sim.references, part = references * 100 / (s->length ? s->length : 1);
    bool phase = (references * 8 / (s->length + 1)) & 1;
    s->sim.references = references;
    s->sim.instructions += s->instructions ? d * 3 : 0;
    uint64_t cycles = d * (phase ? 6 : 2) + synthetic_random(s) % (d + 1);
    s->sim.cycles += s->timed ? cycles : 0;
    s->sim.time_ps += s->timed ? cycles * 312 : 0;
    for (unsigned c = 0; c < SYN_CORES; c++) {
        uint64_t miss = d * (phase ? 60 : 8) / 1000 + synthetic_random(s) % (d / 100 + 1);
        s->cpu[c].instructions += s->instructions ? d * 3 / 2 + c * d / 3 : 0;
        s->cpu[c].cycles += s->timed ? cycles : 0;
        s->itlb[c].accesses += d;
        s->itlb[c].misses += miss / 20;
        s->dtlb[c].accesses += d;
        s->dtlb[c].misses += miss;
        s->stlb[c].accesses += miss;
        s->stlb[c].misses += miss / (phase ? 2 : 8);
        s->walker[c].walks += miss / (phase ? 2 : 8);
        s->l1d[c].accesses += d;
        s->l1d[c].misses += d * (phase ? 180 : 40) / 1000;
        s->l2[c].accesses += d / 10;
        s->l2[c].misses += d * (phase ? 90 : 10) / 1000;
        for (int i = 0; i < 6; i++) {
            uint64_t latency = 20 + synthetic_random(s) % 60 + (synthetic_random(s) % 6 ? 0 : 200 + synthetic_random(s) % 900);
            stat_hist_add(&s->latency[c], latency);
            s->walker[c].cycles += latency;
        }
    }
    s->llc.accesses += d / 10;
    s->llc.misses += d * (phase ? 50 : 5) / 1000;
    uint64_t reads = d * (phase ? 50 : 5) / 1000;
    s->dram.reads += reads;
    s->dram.writes += reads / 3;
    s->dram.row_conflicts += reads * part / 160;
    s->dram.row_misses += reads / 5;
    s->dram.row_hits += reads - reads * part / 160 > reads / 5 ? reads - reads * part / 160 - reads / 5 : 0;
    s->vm.faults_minor += d / 500;
    s->vm.faults_zero += d / 600;
    s->vm.faults_major += part > 70 ? d / 2000 : 0;
    s->buddy.fallbacks += d / 3000;
    s->buddy.fallback_steals += d / 5000;
    s->slab.pages += 1 + d / 400;
    s->slab_bytes = s->slab.pages * 4096;
    s->slab.requested_bytes = s->slab_bytes * (100 - part / 2) / 100;
    s->slab_milli = part < 50;
    for (unsigned i = 0; i < 3; i++)
        s->slab_part[i] = (s->slab_bytes - s->slab.requested_bytes) / 3;
    s->path.operations += d / 10;
    s->path.p50 = 25;
    s->path.p99 = 25 + part;
    s->buddy.fallback_unmovable_from_movable += d / 5000;
    s->swap.ins += part > 70 ? d / 2500 : 0;
    s->swap.outs += part > 65 ? d / 1500 : 0;
    for (unsigned z = 0; z < SYN_ZONES && !s->zones_empty; z++)
        for (unsigned o = 0; o < SYN_ORDERS; o++) {
            uint64_t fresh = o == SYN_ORDERS - 1 ? (z ? 700 : 200) : 0; /* memory is used up from the large blocks */
            uint64_t used = fresh * (part > 90 ? 97 : part) / 100;
            uint64_t torn = part * (SYN_ORDERS - o) * (SYN_ORDERS - o) * (z ? 12 : 2) / 40;
            s->free[z][o] = fresh - used + torn + (part ? synthetic_random(s) % 5 : 0);
        }
}

struct synthetic_options {
    uint64_t length;
    unsigned seed;
    bool functional, no_instructions, zones_empty, incomplete;
};

static inline int synthetic_result(const char *dir, struct synthetic_options o, struct err *err)
{
    struct synthetic *s = calloc(1, sizeof *s);
    struct stats *st = NULL;
    struct series *series = NULL;
    struct result *r = NULL;
    struct memory_config mem;
    struct buddy_config buddy;
    struct frame_map *map = NULL;
    struct memory_series *memory = NULL;
    struct rng rng;
    enum { LIVE = 512 };
    struct { pfn_t pfn; unsigned order; } live[LIVE] = {0};
    rng_init(&rng, o.seed, "synthetic memory");
    frames_config_defaults(&mem, &buddy);
    mem.size_bytes = 64ull << 20;
    if (!s)
        return err_set(err, ERR_RUN, "out of memory");
    *s = (struct synthetic){.length = o.length, .seed = o.seed, .timed = !o.functional,
                            .instructions = !o.no_instructions, .zones_empty = o.zones_empty};
    int rc = result_open(&r, dir, err) || stats_new(&st, err) || series_new(&series, 0, err) ||
                     frame_map_new(&map, &mem, &buddy, err) || memory_series_new(&memory, map, 16, err) ? -1 : 0;
    if (!rc) {
        synthetic_register(s, st);
        synthetic_columns(s, st, series);
        synthetic_step(s, 0);
        series_sample(series, 0);
        memory_series_sample(memory, 0, 0);
        bool warm = false;
        uint64_t step = o.length > 100000 ? o.length / 2000 : o.length > 1000 ? 1000 : 100;
        for (uint64_t n = step; n <= o.length; n += step) {
            synthetic_step(s, n);
            if (series_due(series, n))
                series_sample(series, n);
            for (unsigned i = (unsigned)rng_below(&rng, LIVE), k = 0; k < 8; k++, i = (i + 37) % LIVE) {
                if (live[i].pfn.v)
                    frames_free(map, live[i].pfn, live[i].order);
                live[i].order = (unsigned)rng_below(&rng, 4);
                live[i].pfn = k % 2 ? frames_alloc(map, GFP_HIGHUSER_MOVABLE, live[i].order, FRAME_TAG_ANON)
                                    : frames_alloc(map, GFP_KERNEL, live[i].order, FRAME_TAG_SLAB);
            }
            if (memory_series_due(memory, n))
                memory_series_sample(memory, n, s->sim.time_ps);
            if (!warm && n >= o.length / 10) {
                warm = true;
                stats_snapshot(st);
                struct json_out *j = result_event(r, s->sim.time_ps, "warmup_end");
                json_u64(j, "references", n);
                json_u64(j, "instructions", s->sim.instructions);
                result_event_end(r);
            }
        }
        series_finish(series, s->sim.references);
        memory_series_finish(memory, s->sim.references, s->sim.time_ps);
        struct result_run run = {.version = "0.1.0", .config_hash = "12ab34cd56ef7890", .trace_hash = "99ff00aa11bb22cc",
                                 .seed = o.seed, .complete = !o.incomplete,
                                 .reason = o.incomplete ? "interrupted" : "end of trace"};
        struct result_host host = {.wall_ns = 1500000000u, .references = s->sim.references, .version = "0.1.0"};
        rc = result_write_text(r, "config.json", "{}\n", err) || result_write_series(r, "series.csv", series, err) ||
             memory_series_write(memory, r, err) ||
             result_write_stats(r, &run, st, series, err) || result_write_host(r, &host, err) || result_commit(r, err)
                 ? -1
                 : 0;
    }
    result_free(r);
    series_free(series);
    memory_series_free(memory);
    frame_map_free(map);
    stats_free(st);
    free(s);
    return rc;
}

#endif
