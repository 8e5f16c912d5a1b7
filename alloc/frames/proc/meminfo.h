/* /proc/meminfo of the simulated machine in Linux 6.18's own format (fs/proc/meminfo.c meminfo_proc_show; linux-mm 12.3). */
#ifndef FRAMES_MEMINFO_H
#define FRAMES_MEMINFO_H

#include "frames/proc/uses.h"

#include <stdio.h>

/* Lines whose number nobody knows are left out. `more`: NULL for a map without slabs and pool. Walks over all blocks. */
void frames_print_meminfo(const struct frame_map *map, const struct uses_more *more, FILE *out);

#endif
