/* /proc/zoneinfo of the simulated machine in Linux 6.18's own format (mm/vmstat.c zoneinfo_show_print; linux-mm 1.9). */
#ifndef FRAMES_ZONEINFO_H
#define FRAMES_ZONEINFO_H

#include "frames/proc/uses.h"

#include <stdio.h>

/* `more`: NULL for a map without slabs and pool. Walks over all blocks. */
void frames_print_zoneinfo(const struct frame_map *map, const struct uses_more *more, FILE *out);
/* How much of a counter a CPU keeps to itself before it tells the zone (calculate_normal_threshold). */
unsigned zone_stat_threshold(unsigned cpus, uint64_t managed);

#endif
