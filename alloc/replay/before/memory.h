/*
 * A machine's memory that starts as a recorded kernel's: every frame that the kernel had free is free, in the same blocks; every
 * other managed frame is in use by ballast, movable where the kernel's was; whole huge pages as one block. With the snapshot's page map frame by frame; from the
 * files of /proc alone (zoneinfo, buddyinfo, pagetypeinfo) the blocks of each order and type are put at random places, since those files
 * do not say where they lie. Marks and reserves are the kernel's. Model: docs/model/ageing.md.
 */
#ifndef REPLAY_MEMORY_H
#define REPLAY_MEMORY_H

#include "frames/frames.h"
#include "replay/before/image.h"
#include "replay/before/snapshot.h"

struct memory_start {
    bool from_map;
    uint64_t ballast_movable, ballast_unmovable;
    uint64_t differs;   /* free blocks, over all zones and orders, by which memory misses buddyinfo: the map was read at another moment */
    uint64_t unlike;    /* free blocks by which the types of pageblocks miss pagetypeinfo */
    uint64_t pcp_pages; /* on the kernel's per-CPU lists: in use here */
    struct image_info image;
};

struct memory_options {
    const struct buddy_config *buddy; /* allocator, lists and CPUs; the order of pageblocks is the snapshot's */
    const struct memory_config *policy; /* as in struct image_options */
    uint64_t seed;
    /* For a replay of the kernel itself: what is in use has its recorded use instead of being ballast, the CPUs' lists may grow as
     * far as the kernel's could, and `witnessed` is as in struct image_options. */
    bool as_recorded;
    const uint8_t *witnessed;
};

/* `s` gets an invented map if it has none. */
int memory_from_snapshot(struct frame_map **out, struct snapshot *s, const struct memory_options *o, struct memory_start *start,
                         struct err *err);

/* invent.c: runs for `s` whose free blocks are those of buddyinfo, and the type + 1 of each pageblock. */
int memory_invent_map(struct snapshot *s, uint8_t *types, size_t pageblocks, uint64_t seed, struct err *err);

#endif
