/*
 * Ageing: brings memory to a wanted unusable-free index before a run, by allocations and frees that the allocator really
 * performs. What stays allocated ("ballast") stays for the run. Model: docs/model/ageing.md.
 *
 *   1. fill     all free memory is allocated; recipe churn allocates and frees blocks of mixed sizes beside
 *   2. holes    frames are freed, or taken, so that no area of 2^order is free: the unusable part
 *   3. areas    aligned areas of 2^order frames are freed as a whole: the usable part
 *
 * Same map, configuration and seed: same result. Not thread-safe.
 */
#ifndef FRAMES_AGEING_H
#define FRAMES_AGEING_H

#include "frames/frames.h"

#define AGEING_TOLERANCE 0.01 /* of the index, for every zone that takes part and for all zones together */

struct ageing_report {
    const char *recipe;
    unsigned order;
    double target;
    uint64_t seed;
    uint64_t allocs, frees; /* blocks; the map's own counters are as before, they are of the run */
    /* Of all zones together. */
    uint64_t managed, free_pages, nr_free[FRAME_ORDERS];
    uint64_t ballast_movable, ballast_unmovable; /* pages */
    unsigned proactive_score;
    /* of one survey (survey.h) */
    uint64_t free_2m, could_2m, free_1g, could_1g, largest_run;
    uint64_t blocks, blocks_free, blocks_movable, blocks_unmovable, blocks_mixed;
    /* of memory that starts as a snapshot (recipe "snapshot"): how far the snapshot's files disagree */
    bool from_map;
    uint64_t differs, unlike, pcp_pages;
    unsigned n_zones; /* populated ones */
    struct { char name[ZONE_LABEL]; uint64_t managed, free_pages, unusable_pages; bool aged; } zone[FRAME_ZONES];
};

const char *ageing_recipe_name(int recipe); /* enum ageing_recipe */

/* Fills the measures of *r: how memory stands now, at c->order. */
int ageing_measure(const struct frame_map *map, const struct ageing_config *c, struct ageing_report *r, struct err *err);

/*
 * Ages the map; nothing at all with recipe "none". ERR_USAGE if the target cannot be reached: the message says what was,
 * and the map is good for frame_map_free only. Hooks are not called. A zone that is too small to hold one area of 2^order and as
 * much unusable memory as the target asks beside it is left without free memory and takes no part.
 */
int frames_age(struct frame_map *map, const struct ageing_config *c, uint64_t seed, struct ageing_report *report,
               struct err *err);

#endif
