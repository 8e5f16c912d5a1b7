/* The state of an ageing under way, and its recipes; internal to this library (ageing.c, recipes.c). */
#ifndef FRAMES_AGEING_INTERNAL_H
#define FRAMES_AGEING_INTERNAL_H

#include "engine/rng.h"
#include "frames/frames.h"

enum { AREA_WHOLE = 1, AREA_GRABBED = 2 }; /* to be freed as a whole; was free as a whole before */

struct ageing_plan {
    uint64_t areas;    /* to be freed as a whole */
    uint64_t want;     /* free frames outside them */
    uint64_t unusable; /* ... that there are */
    bool aged;         /* the zone takes part */
};

struct ageing {
    struct frame_map *map;
    const struct ageing_config *c;
    struct rng rng;
    uint64_t *mine; /* a bit a frame: in a block of ballast */
    uint64_t n_areas;
    uint16_t *used; /* of each area of 2^order frames: how many are not free */
    uint8_t *area;  /* AREA_* */
    struct ageing_plan plan[FRAME_ZONES];
    uint64_t allocs, frees, kernel_before;
};

static inline bool ageing_mine(const struct ageing *a, uint64_t pfn) { return a->mine[pfn >> 6] >> (pfn & 63) & 1; }

/* A block becomes ballast; PFN_NONE if there is none. */
pfn_t ageing_take(struct ageing *a, unsigned order, bool unmovable);
void ageing_give(struct ageing *a, uint64_t pfn, unsigned order);
unsigned ageing_random_order(struct ageing *a);
/* U(order) of all zones together, 0..1; 1 if nothing is free. */
double ageing_index(const struct frame_map *map, unsigned order);

/* All is ballast: lets blocks come and go until the index passes the target. */
void ageing_churn(struct ageing *a);
/* Frees single frames of a zone as the recipe has them, up to its plan; no area becomes free as a whole. */
void ageing_holes(struct ageing *a, unsigned zone);

#endif
