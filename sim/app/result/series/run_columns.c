#include "app/result/series/run_columns.h"

#include "frames/measure/fragmentation.h"

#include <ctype.h>
#include <stdio.h>

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

enum { SLAB_COLUMN_PAGES, SLAB_COLUMN_BYTES, SLAB_COLUMN_REQUESTED, SLAB_COLUMN_OBJECTS, SLAB_COLUMN_UTILISATION };

static uint64_t slab_column(const void *ctx, uint64_t which)
{
    const struct slab_stats *st = slab_stats(ctx);
    uint64_t bytes = st->pages * PAGE_BYTES;
    switch (which) {
    case SLAB_COLUMN_PAGES: return st->pages;
    case SLAB_COLUMN_BYTES: return bytes;
    case SLAB_COLUMN_REQUESTED: return st->requested_bytes;
    case SLAB_COLUMN_OBJECTS: return st->objects;
    default: return bytes ? st->requested_bytes * 1000 / bytes : 0;
    }
}

void run_add_slab_columns(struct series *s, const struct slab_sys *slab)
{
    series_add(s, "slab_pages", "pages", SERIES_U64, slab_column, slab, SLAB_COLUMN_PAGES);
    series_add(s, "slab_bytes", "bytes", SERIES_U64, slab_column, slab, SLAB_COLUMN_BYTES);
    series_add(s, "slab_requested_bytes", "bytes", SERIES_U64, slab_column, slab, SLAB_COLUMN_REQUESTED);
    series_add(s, "slab_objects", "objects", SERIES_U64, slab_column, slab, SLAB_COLUMN_OBJECTS);
    series_add(s, "slab_utilisation", "ratio", SERIES_MILLI, slab_column, slab, SLAB_COLUMN_UTILISATION);
}
