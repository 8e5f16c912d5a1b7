#include "app/result/series/run_columns.h"

#include "frames/measure/fragmentation.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static uint64_t get_time(const void *ctx, uint64_t arg)
{
    (void)arg;
    return machine_time(ctx);
}

/* arg: zone << 8 | order */
static uint64_t get_free(const void *ctx, uint64_t arg)
{
    const struct frame_map *f = ctx;
    return f->zones[arg >> 8].nr_free[arg & 0xff];
}

/* Thousandths; series.h takes the two's complement of what is signed. */
static uint64_t get_unusable(const void *ctx, uint64_t arg)
{
    const struct frame_map *f = ctx;
    return (uint64_t)(int64_t)frag_unusable_index(f->zones[arg >> 8].nr_free, (unsigned)(arg & 0xff));
}

static uint64_t get_extfrag(const void *ctx, uint64_t arg)
{
    const struct frame_map *f = ctx;
    return (uint64_t)(int64_t)frag_extfrag_index(f->zones[arg >> 8].nr_free, (unsigned)(arg & 0xff));
}

static const struct zone_column {
    const char *name, *unit;
    enum series_kind kind;
    series_get get;
} zone_columns[] = {
    {"free", "blocks", SERIES_U64, get_free},
    {"unusable", "ratio", SERIES_MILLI, get_unusable},
    {"extfrag", "ratio", SERIES_MILLI, get_extfrag},
};

static void add_machine_calls_columns(struct series *s, const struct machine *m);

void run_add_columns(struct series *s, struct machine *m)
{
    const struct stats *st = machine_stats(m);
    const struct frame_map *f = machine_frames(m);
    series_add(s, "time_ps", "ps", SERIES_U64, get_time, m, 0);
    series_add_stats(s, st, "sim.references");
    series_add_stats(s, st, "sim.instructions");
    series_add_stats(s, st, "sim.cycles");
    run_add_zone_columns(s, f);
    series_add_defaults(s, st);
    if (machine_slab(m))
        run_add_slab_columns(s, machine_slab(m), true);
    add_machine_calls_columns(s, m);
}

/* Fallbacks of a recorded kernel's simulated allocator; a machine's come with its statistics. */
void run_add_fallback_columns(struct series *s, const struct frame_map *f)
{
    char name[64];
#define COLUMN(field, unit, help) \
    snprintf(name, sizeof name, "buddy_%s", #field); \
    if (strncmp(#field, "fallback", strlen("fallback")) == 0) \
        series_add_u64(s, name, unit, &f->st.field);
    FRAMES_STATS(COLUMN)
#undef COLUMN
}

void run_add_zone_columns(struct series *s, const struct frame_map *f)
{
    for (unsigned z = 0; z < f->n_zones; z++) {
        if (!f->zones[z].managed)
            continue;
        char label[ZONE_LABEL], zone[ZONE_LABEL], name[64];
        unsigned i = 0;
        for (const char *p = frames_zone_label(&f->zones[z], label); *p && i + 1 < sizeof zone; p++)
            zone[i++] = *p == '.' ? '_' : (char)tolower((unsigned char)*p);
        zone[i] = 0;
        for (size_t c = 0; c < ARRAY_LEN(zone_columns); c++)
            for (unsigned o = 0; o <= f->max_order; o++) {
                const struct zone_column *k = &zone_columns[c];
                snprintf(name, sizeof name, "zone_%s_%s_%u", zone, k->name, o);
                series_add(s, name, k->unit, k->kind, k->get, f, z << 8 | o);
            }
    }
}

/* ---- slabs --------------------------------------------------------------------------------------------------------------- */

enum slab_column { COLUMN_PAGES, COLUMN_BYTES, COLUMN_REQUESTED, COLUMN_ROUNDING, COLUMN_FREE, COLUMN_TAIL, COLUMN_OBJECTS, COLUMN_UTILISATION };

static uint64_t slab_column(const void *ctx, uint64_t which)
{
    struct slab_bytes_now b = slab_bytes_now(ctx);
    uint64_t bytes = b.pages * PAGE_BYTES;
    switch ((enum slab_column)which) {
    case COLUMN_PAGES: return b.pages;
    case COLUMN_BYTES: return bytes;
    case COLUMN_REQUESTED: return b.requested;
    case COLUMN_ROUNDING: return b.rounding;
    case COLUMN_FREE: return b.free;
    case COLUMN_TAIL: return b.tail;
    case COLUMN_OBJECTS: return b.objects;
    case COLUMN_UTILISATION: break;
    }
    return bytes ? b.requested * 1000 / bytes : 0;
}

/* arg: path << 1 | cycles */
static uint64_t slab_path_column(const void *ctx, uint64_t arg)
{
    const struct slab_latency *l = slab_latency_of(ctx, (enum slab_path)(arg >> 1));
    return arg & 1 ? l->sum : l->n;
}

void run_add_slab_columns(struct series *s, const struct slab_sys *slab, bool may_be_none)
{
    static const struct { const char *name, *unit; enum series_kind kind; enum slab_column which; } columns[] = {
        {"slab_pages", "pages", SERIES_U64, COLUMN_PAGES}, {"slab_bytes", "bytes", SERIES_U64, COLUMN_BYTES},
        {"slab_requested_bytes", "bytes", SERIES_U64, COLUMN_REQUESTED}, {"slab_rounding_bytes", "bytes", SERIES_U64, COLUMN_ROUNDING},
        {"slab_free_bytes", "bytes", SERIES_U64, COLUMN_FREE}, {"slab_tail_bytes", "bytes", SERIES_U64, COLUMN_TAIL},
        {"slab_objects", "objects", SERIES_U64, COLUMN_OBJECTS}, {"slab_utilisation", "ratio", SERIES_MILLI, COLUMN_UTILISATION}};
    char name[64];
    unsigned group = may_be_none ? series_group(s) : 0;
    for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
        series_add(s, columns[i].name, columns[i].unit, columns[i].kind, slab_column, slab, columns[i].which);
        series_in_group(s, group);
    }
    for (unsigned p = 0; p < N_SLAB_PATHS; p++) {
        unsigned own = series_group(s); /* a path that nothing took has no columns */
        for (unsigned cycles = 0; cycles < 2; cycles++) {
            snprintf(name, sizeof name, "slab_%s_%s", slab_path_name((enum slab_path)p), cycles ? "cycles" : "operations");
            series_add(s, name, cycles ? "cycles" : "operations", SERIES_U64, slab_path_column, slab, p << 1 | cycles);
            series_in_group(s, own);
        }
    }
    for (unsigned bin = 0; bin < LAT_BINS && !may_be_none; bin++) { /* a program's run would pay for them at its start */
        unsigned own = series_group(s);
        snprintf(name, sizeof name, "slab_alloc_from_%llu", (unsigned long long)slab_latency_bin_from(bin));
        series_add_u64(s, name, "operations", slab_alloc_bins(slab) + bin);
        series_in_group(s, own);
    }
}

/* ---- calls --------------------------------------------------------------------------------------------------------------- */

enum { CALLS_COLUMN_LIVE, CALLS_COLUMN_HELD, CALLS_COLUMN_FAILURES, CALLS_COLUMN_LARGE_FAILURES };

static uint64_t calls_column(const void *ctx, uint64_t which)
{
    if (!ctx)
        return 0;
    const struct slab_calls_stats *st = slab_calls_stats(ctx);
    switch (which) {
    case CALLS_COLUMN_LIVE: return st->live_bytes;
    case CALLS_COLUMN_HELD: return st->held_bytes;
    case CALLS_COLUMN_FAILURES: return st->failures;
    default: return st->large_failures;
    }
}

static uint64_t machine_calls_column(const void *ctx, uint64_t which) { return calls_column(machine_calls(ctx), which); }

/* Of programs' traces: no columns where nothing calls for more than objects. */
static void add_machine_calls_columns(struct series *s, const struct machine *m)
{
    static const char *const names[] = {"calls_live_bytes", "calls_held_bytes", "calls_failures", "calls_large_failures"};
    unsigned group = series_group(s);
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        series_add(s, names[i], i < CALLS_COLUMN_FAILURES ? "bytes" : "requests", SERIES_U64, machine_calls_column, m, i);
        series_in_group(s, group);
    }
}

void run_add_calls_columns(struct series *s, const struct slab_calls *calls)
{
    series_add(s, "calls_live_bytes", "bytes", SERIES_U64, calls_column, calls, CALLS_COLUMN_LIVE);
    series_add(s, "calls_held_bytes", "bytes", SERIES_U64, calls_column, calls, CALLS_COLUMN_HELD);
    series_add(s, "calls_failures", "requests", SERIES_U64, calls_column, calls, CALLS_COLUMN_FAILURES);
    series_add(s, "calls_large_failures", "requests", SERIES_U64, calls_column, calls, CALLS_COLUMN_LARGE_FAILURES);
}
