/* /proc/vmstat of the simulated machine: the kernel's names, one a line, in its order, as far as there is something behind them. */
#include "frames/compact/compaction.h"

#include <ctype.h>
#include <inttypes.h>

static void line(FILE *out, const char *name, uint64_t value) { fprintf(out, "%s %" PRIu64 "\n", name, value); }

void frames_print_vmstat(const struct frame_map *map, FILE *out)
{
    static const struct compact_stats none;
    const struct compact_stats *c = map->hooks.compact_stats ? map->hooks.compact_stats : &none;
    uint64_t freed = 0, numa[5] = {0};
    line(out, "nr_free_pages", frames_free_pages(map));
    for (unsigned i = 0; i < map->n_zones; i++) {
        const struct zone_stats *z = &map->zones[i].st;
        const uint64_t of[5] = {z->numa_hit, z->numa_miss, z->numa_foreign, z->numa_local, z->numa_other};
        freed += z->free_pages_back;
        for (unsigned j = 0; j < 5; j++)
            numa[j] += of[j];
    }
    static const char *const numa_names[5] = {"numa_hit", "numa_miss", "numa_foreign", "numa_local", "numa_other"};
    for (unsigned j = 0; j < 5; j++)
        line(out, numa_names[j], numa[j]);
    for (unsigned t = 0; t < N_ZONES; t++) {
        uint64_t pages = 0;
        char name[32] = "pgalloc_";
        size_t n = 8;
        for (unsigned i = t; i < map->n_zones; i += N_ZONES)
            pages += map->zones[i].st.alloc_pages;
        for (const char *s = map->zones[t].name; *s && n < sizeof name - 1; s++)
            name[n++] = (char)tolower((unsigned char)*s);
        line(out, name, pages);
    }
    line(out, "pgfree", freed);
    line(out, "pgmigrate_success", c->migrated);
    line(out, "pgmigrate_fail", c->migrate_failed);
    line(out, "compact_migrate_scanned", c->migrate_scanned);
    line(out, "compact_free_scanned", c->free_scanned);
    line(out, "compact_isolated", c->isolated);
    line(out, "compact_stall", c->stall);
    line(out, "compact_fail", c->fail);
    line(out, "compact_success", c->success);
    line(out, "compact_daemon_wake", c->daemon_wake);
    line(out, "compact_daemon_migrate_scanned", c->daemon_migrate_scanned);
    line(out, "compact_daemon_free_scanned", c->daemon_free_scanned);
}
