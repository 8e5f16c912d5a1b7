/* The per-CPU lists' share of vmstat_update (mm/vmstat.c), which Linux runs on each CPU once in vm.stat_interval. */
#include "frames/buddy/pcp.h"

enum { PERIODS_MOST = 256 }; /* `high` loses an eighth a period: after so many it stands at its minimum, and so it stays */

void frames_tick(struct frame_map *map, tick_t now)
{
    tick_t period = map->pcp_decay_ps;
    if (likely(now < map->pcp_decay_next || !period || !map->pcps))
        return;
    uint64_t periods = (now - map->pcp_decay_next) / period + 1;
    map->pcp_decay_next += periods * period;
    for (uint64_t k = 0; k < periods && k < PERIODS_MOST; k++)
        for (unsigned c = 0; c < map->cpus; c++)
            for (unsigned z = 0; z < map->n_zones; z++)
                if (map->zones[z].managed)
                    pcp_decay(map, &map->zones[z], c);
}
