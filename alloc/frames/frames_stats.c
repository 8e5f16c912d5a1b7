#include "frames/frames.h"

#include "engine/stats.h"

#include <stdio.h>

void frames_add_stats(const struct frame_map *map, struct stats *s)
{
#define FRAMES_STAT_DESC(name, unit, help) STAT_ENTRY(struct frames_stats, name, unit, help)
#define PCP_STAT_DESC(name, unit, help) STAT_ENTRY(struct pcp_stats, name, unit, help)
#define ZONE_STAT_DESC(name, unit, help) STAT_ENTRY(struct zone_stats, name, unit, help)
    static const struct stat_desc of_map[] = {FRAMES_STATS(FRAMES_STAT_DESC)};
    static const struct stat_desc of_pcp[] = {PCP_STATS(PCP_STAT_DESC)};
    static const struct stat_desc of_zone[] = {ZONE_STATS(ZONE_STAT_DESC)};
    stats_add(s, "buddy", &map->st, of_map, ARRAY_LEN(of_map));
    if (map->pcps)
        stats_add(s, "pcp", &map->pcp_st, of_pcp, ARRAY_LEN(of_pcp));
    for (unsigned i = 0; i < map->n_zones; i++) {
        const struct zone *z = &map->zones[i];
        if (!zone_populated(z))
            continue;
        char path[48], label[ZONE_LABEL];
        snprintf(path, sizeof path, "zone.%s", frames_zone_label(z, label));
        stats_add(s, path, &z->st, of_zone, ARRAY_LEN(of_zone));
    }
}
