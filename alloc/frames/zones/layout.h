/* Memory layout, internal to this library: fills ram, ranges, zones (bounds and sizes) and the page totals of a zeroed
 * map. ERR_USAGE for sizes that cannot work. */
#ifndef FRAMES_LAYOUT_H
#define FRAMES_LAYOUT_H

#include "frames/frames.h"

int layout_set(struct frame_map *map, const struct memory_config *c, struct err *err);

#endif
