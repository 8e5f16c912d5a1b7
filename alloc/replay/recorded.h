/*
 * What a recording itself says of each frame: allocated or freed, by its last event. Two contradictions are counted: a frame
 * allocated although its last event was an allocation, and freed although its last event was a free. Inside the window the
 * map of frames at the end is held against it. An mm_page_free that freed nothing (compactions.h) is no event of its frame; the two
 * counts are also kept with it, as a plain recount of the lines has them (*_lines).
 */
#ifndef REPLAY_RECORDED_H
#define REPLAY_RECORDED_H

#include "replay/before/snapshot.h"

#define RECORDED_STATS(X) \
    X(allocs, "blocks allocated") \
    X(frees, "blocks freed") \
    X(alloc_again, "blocks allocated of which a frame was allocated before and not freed") \
    X(free_again, "blocks freed of which a frame was freed before and not allocated") \
    X(alloc_again_lines, "... by the lines as they stand, those that freed nothing too") \
    X(free_again_lines, "blocks freed again by the lines as they stand, those that freed nothing too") \
    X(returned, "frees that freed nothing: targets that compaction took back; left out of the others") \
    X(alloc_in_use, "blocks allocated of which the map says that a frame is in use, and no event touched it before") \
    X(free_in_free, "blocks freed of which the map says that a frame is free, and no event touched it before") \
    X(failed, "allocations that failed") \
    X(last_allocated, "frames whose last event in the window is an allocation") \
    X(allocated_held, "... of which the map at the end says: not free") \
    X(allocated_null, "... of which the map at the beginning says: not free") \
    X(last_freed, "frames whose last event in the window is a free") \
    X(freed_held, "... of which the map at the end says: free or other") \
    X(freed_null, "... of which the map at the beginning says: free or other")
struct recorded_stats {
#define X(name, help) uint64_t name;
    RECORDED_STATS(X)
#undef X
};

struct recorded;
int recorded_new(struct recorded **out, const struct snapshot *before, struct err *err);
void recorded_free(struct recorded *r);
void recorded_window(struct recorded *r, bool inside); /* the window begins or ends */
void recorded_alloc(struct recorded *r, uint64_t pfn, unsigned order);
void recorded_freed(struct recorded *r, uint64_t pfn, unsigned order);
void recorded_returned(struct recorded *r, uint64_t pfn, unsigned order); /* instead: an mm_page_free that freed nothing */
uint64_t recorded_frames(const struct recorded *r);
bool recorded_is_free(const struct recorded *r, uint64_t pfn); /* by its last event, before that by the map */
/* Fills last_* of *st; `after` may be NULL. */
void recorded_end(const struct recorded *r, const struct snapshot *after, struct recorded_stats *st);

#endif
