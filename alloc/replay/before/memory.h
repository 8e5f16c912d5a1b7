/*
 * A machine's memory that starts as a recorded kernel's: every frame that the kernel had free is free, in the same blocks; every
 * other managed frame is in use by ballast, movable where the kernel's was. With the snapshot's page map frame by frame; from the
 * files of /proc alone (zoneinfo, buddyinfo, pagetypeinfo) the blocks of each order and type are put at random places, since those files
 * do not say where they lie. Marks and reserves are the kernel's. Model: docs/model/ageing.md.
 */
#ifndef REPLAY_MEMORY_H
#define REPLAY_MEMORY_H

#include "frames/frames.h"
#include "replay/before/snapshot.h"

struct memory_start {
    bool from_map;
    uint64_t ballast_movable, ballast_unmovable;
    uint64_t differs;   /* free blocks, over all zones and orders, by which memory misses buddyinfo: the map was read at another moment */
    uint64_t unlike;    /* free blocks by which the types of pageblocks miss pagetypeinfo */
    uint64_t pcp_pages; /* on the kernel's per-CPU lists: in use here */
};

/* `s` gets an invented map if it has none. `buddy`: allocator, lists and CPUs; the order of pageblocks is the snapshot's. */
int memory_from_snapshot(struct frame_map **out, struct snapshot *s, const struct buddy_config *buddy, uint64_t seed,
                         struct memory_start *start, struct err *err);

/* invent.c: runs for `s` whose free blocks are those of buddyinfo, and the type + 1 of each pageblock. */
int memory_invent_map(struct snapshot *s, uint8_t *types, size_t pageblocks, uint64_t seed, struct err *err);

#endif
