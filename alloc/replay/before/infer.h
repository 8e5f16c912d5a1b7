/*
 * The types of pageblocks, which no snapshot shows, from what it does show: what the frames of each are used for (slab and
 * page tables lie in Unmovable and Reclaimable ones, user memory in Movable ones), how many free blocks of each order lie
 * in each, and pagetypeinfo, which has the free blocks by order and type and the pageblocks by type. A seeded annealing
 * looks for the assignment that fits these counts best and the contents second. Deterministic.
 */
#ifndef REPLAY_INFER_H
#define REPLAY_INFER_H

#include "replay/before/snapshot.h"

struct infer_block {
    uint64_t pfn;                /* its first frame */
    uint16_t used[N_FRAME_CLASSES];
    uint16_t free[SNAP_ORDERS];  /* free blocks whose head lies in it */
    uint8_t type;                /* enum migratetype: result, or given if fixed */
    bool fixed;
};

/* Returns by how many free blocks, summed over orders and types, the result misses the zone's pagetypeinfo (0 if the zone has
 * none: then contents alone decide). */
uint64_t infer_types(struct infer_block *b, size_t n, const struct snap_zone *z);

#endif
