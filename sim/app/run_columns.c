#include "app/run_columns.h"

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
    struct frame_map *f = machine_frames((struct machine *)ctx);
    return f->zones[arg >> 8].nr_free[arg & 0xff];
}

void run_add_columns(struct series *s, struct machine *m)
{
    const struct stats *st = machine_stats(m);
    const struct frame_map *f = machine_frames(m);
    series_add(s, "time_ps", "ps", SERIES_U64, get_time, m, 0);
    series_add_stats(s, st, "sim.references");
    series_add_stats(s, st, "sim.instructions");
    series_add_stats(s, st, "sim.cycles");
    for (unsigned z = 0; z < N_ZONES; z++) {
        if (!f->zones[z].managed)
            continue;
        char zone[16], name[64];
        unsigned i = 0;
        for (const char *p = f->zones[z].name; *p && i + 1 < sizeof zone; p++)
            zone[i++] = (char)tolower((unsigned char)*p);
        zone[i] = 0;
        for (unsigned o = 0; o <= f->max_order; o++) {
            snprintf(name, sizeof name, "zone_%s_free_%u", zone, o);
            series_add(s, name, "blocks", SERIES_U64, get_free, m, z << 8 | o);
        }
    }
    series_add_defaults(s, st);
}
