/*
 * The frame map of a recorded machine, as it was when the snapshot was taken: zones and marks from zoneinfo, free blocks
 * from the map of all frames, types of pageblocks inferred (infer.h). Free blocks of one list stand in ascending order:
 * their true order is not recorded.
 */
#ifndef REPLAY_IMAGE_H
#define REPLAY_IMAGE_H

#include "frames/frames.h"
#include "replay/before/snapshot.h"

enum { IMAGE_WEAK = 0x80 };
struct image_options {
    const uint8_t *witnessed; /* a pageblock's type + 1 where events before the snapshot showed it, | IMAGE_WEAK where they made it
                               * likely, else 0; NULL: none */
    int allocator;            /* enum frame_allocator */
    const struct buddy_config *buddy; /* for a machine's memory: its lists and CPUs; every frame in use has its record. NULL: of a replay */
    const struct memory_config *policy; /* sizes and decay of per-CPU lists, boost of marks; NULL: the defaults */
    bool users;               /* of a replay: every frame of a program is marked, also in pageblocks without free memory */
    bool one_type;            /* all pageblocks alike: an allocator without grouping by mobility */
};
struct image_info {
    uint64_t free_pages, blocks[SNAP_ORDERS];
    uint64_t pageblocks, guessed;  /* those with free memory; those whose type no event showed */
    uint64_t unlike;               /* free blocks by which the inferred types miss pagetypeinfo's counts */
};

/* The snapshot must have zoneinfo and the map. Nodes are numbered from 0 in the order of the snapshot's. */
int image_build(struct frame_map **out, const struct snapshot *s, const struct image_options *opt, struct image_info *info,
                struct err *err);
/* 0 if the snapshot has what it must. */
int image_check(const struct snapshot *s, struct err *err);
/* A zone of the map as the snapshot has it; NULL: it has not. */
const struct snap_zone *image_snap_zone(const struct snapshot *s, const struct zone *z);
/* The zone a frame lies in; NULL for none. */
struct zone *image_zone(struct frame_map *map, uint64_t pfn);
/* A uint8_t or uint32_t an index, zero, paid for where touched; NULL: no address space. */
void *image_sparse(size_t bytes);
void image_sparse_free(void *p, size_t bytes);

#endif
