/* /proc/zoneinfo of the simulated machine in Linux 6.18's own format (mm/vmstat.c zoneinfo_show_print; linux-mm 1.9). */
#ifndef FRAMES_ZONEINFO_H
#define FRAMES_ZONEINFO_H

#include "frames/frames.h"

#include <stdio.h>

/*
 * What frames do not tell by themselves. Lines whose number nobody knows are left out, never 0 (docs/model/zones.md says which).
 *   reclaimable  is this block (use FRAME_TAG_SLAB) of a cache that the kernel counts as reclaimable? NULL: nobody knows
 *   gigantic     some of the anonymous memory may be 1 GiB pages of a pool, which the kernel counts apart
 *   guessed      what blocks are used for was guessed from their type (a recorded kernel): no line about uses
 */
enum zoneinfo_slab { ZONEINFO_SLAB_UNKNOWN, ZONEINFO_SLAB_RECLAIMABLE, ZONEINFO_SLAB_UNRECLAIMABLE };
struct zoneinfo_more {
    void *self;
    enum zoneinfo_slab (*slab)(void *self, pfn_t block);
    bool gigantic, guessed;
};
/* `more`: NULL for a map without slabs and pool. Walks over all blocks. */
void frames_print_zoneinfo(const struct frame_map *map, const struct zoneinfo_more *more, FILE *out);
/* How much of a counter a CPU keeps to itself before it tells the zone (calculate_normal_threshold). */
unsigned zone_stat_threshold(unsigned cpus, uint64_t managed);

#endif
