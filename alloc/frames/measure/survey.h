/*
 * One walk over physical memory and what it tells about fragmentation beyond the counts by order: runs of free frames
 * across block and zone-list borders, pageblocks by what they hold, memory that could become contiguous by moving what
 * can be moved (linux-mm 3.3). Fed with ascending ranges, so that it serves the simulated frame map and a recorded page map.
 *
 *   survey_init(&s, n_frames, pageblock_order, &err);
 *   survey_add(&s, start, pages, class);     -- ascending, disjoint; gaps are holes
 *   survey_finish(&s);
 *   ... s.* ...
 *   survey_fini(&s);
 */
#ifndef FRAMES_SURVEY_H
#define FRAMES_SURVEY_H

#include "engine/err.h"
#include "frames/frames.h"

/* What a frame is, as far as fragmentation cares. PCP: on a per-CPU list, neither in a free list nor in use. */
#define SURVEY_CLASSES(X) \
    X(HOLE, "hole", 0) \
    X(RESERVED, "reserved", 0) \
    X(FREE, "free", 1) \
    X(PCP, "pcp", 1) \
    X(ANON, "anon", 1) \
    X(FILE, "file", 1) \
    X(PGTABLE, "pgtable", 0) \
    X(SLAB, "slab", 0) \
    X(KERNEL, "kernel", 0)
enum survey_class {
#define SURVEY_ENUM(name, text, movable) SURVEY_##name,
    SURVEY_CLASSES(SURVEY_ENUM)
#undef SURVEY_ENUM
        N_SURVEY_CLASSES
};
const char *survey_class_name(enum survey_class c);
bool survey_class_movable(enum survey_class c); /* free, or can be migrated away */

enum { SURVEY_STRETCHES = 64 };
enum { SURVEY_RUN_BINS = 40 }; /* log2 of a run's frames: up to 2^39 frames, 2 PiB */

struct survey {
    uint64_t n_frames;
    unsigned pageblock_order;
    uint64_t n_blocks;
    uint32_t (*block)[N_SURVEY_CLASSES]; /* frames of each class, by pageblock; ask survey_sum */
    uint64_t total[N_SURVEY_CLASSES];
    /* Maximal runs of free frames: bin k has those of 2^k to 2^(k+1) - 1 frames. */
    uint64_t runs[SURVEY_RUN_BINS], run_frames[SURVEY_RUN_BINS];
    uint64_t largest_run;
    uint64_t free_2m, free_1g;       /* aligned areas that are free as a whole */
    uint64_t could_2m, could_1g;     /* ... that hold nothing immovable: free or movable as a whole, the free ones included */
    uint64_t blocks;                 /* pageblocks that have any memory of the allocator's */
    uint64_t blocks_reserved;        /* ... that have RAM, but all of it reserved; not among `blocks` */
    uint64_t blocks_free, blocks_movable, blocks_unmovable, blocks_mixed; /* by what they hold; _mixed: both kinds */
    uint64_t blocks_with_unmovable;
    uint64_t unmovable_frames; /* in `blocks` */
    /* Pageblocks [from, to) that are of one class as a whole, ascending: `block` is not written there, so that a terabyte that
     * nobody used costs nothing. */
    struct { uint64_t from, to; enum survey_class class; } stretch[SURVEY_STRETCHES];
    unsigned n_stretches;
    /* private to the walk */
    uint64_t at, run, area_2m, area_1g, could_area_2m, could_area_1g;
};

int survey_init(struct survey *s, uint64_t n_frames, unsigned pageblock_order, struct err *err);
void survey_fini(struct survey *s);
void survey_clear(struct survey *s); /* for another walk */
void survey_add(struct survey *s, uint64_t start, uint64_t pages, enum survey_class c);
void survey_finish(struct survey *s);
/* Adds to n[] the frames of each class in pageblocks [from, to). */
void survey_sum(const struct survey *s, uint64_t from, uint64_t to, uint64_t n[N_SURVEY_CLASSES]);

/* Share of RAM in pageblocks that are free or movable as a whole ("potential contiguity"), 0..1. */
double survey_potential(const struct survey *s);
/* Largest run of free frames over all free frames; 1 - this is the textbooks' external fragmentation. 0 if none is free. */
double survey_largest_share(const struct survey *s);

enum survey_class survey_class_of_tag(enum frame_tag tag); /* of an allocated frame */
/* Walks the whole of a frame map. */
void survey_frames(struct survey *s, const struct frame_map *map);

#endif
