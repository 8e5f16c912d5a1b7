/*
 * All of physical memory, stretch by stretch: blocks one by one, holes, reserved ranges and memory that was never handed out each as
 * one. Takes as long as there are blocks that somebody touched.
 */
#ifndef FRAMES_WALK_H
#define FRAMES_WALK_H

#include "frames/frames.h"

struct frames_stretch {
    uint64_t start, pages;
    enum frame_kind kind;
    pfn_t head; /* of a block: free (unless it was never handed out), allocated or on a per-CPU list */
    unsigned order;
};
/* The stretch that begins at *at, which moves behind it; false: memory has ended. */
bool frames_walk(const struct frame_map *map, uint64_t *at, struct frames_stretch *out);

#endif
