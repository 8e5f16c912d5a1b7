/*
 * What stands where in a replayed kernel's memory now: the free lists of the state, what the replay allocated, and for all other frames
 * the map of the snapshot. For survey.h's measures and pictures.
 */
#ifndef REPLAY_NOW_H
#define REPLAY_NOW_H

#include "frames/measure/survey.h"
#include "replay/before/unmanaged.h"

/* Frames that were free in the snapshot and are neither free nor known to be allocated now count as anonymous in movable pageblocks,
 * else as the kernel's. `before`: from a snapshot with a map; what the allocator never got is reserved or a hole. */
void survey_now(struct survey *s, const struct frame_map *map, const struct told_runs *before);

#endif
