/*
 * What would have happened: the recording's requests, served by our allocator from the state of the snapshot. What the
 * recording frees goes back where our allocator had put it; frames that were in use before lie where the kernel had them.
 *
 * Two levels. BUDDY: the blocks that left the kernel's buddy lists and came back; the traffic between them and the per-CPU
 * lists is the kernel's. PAGES: what the kernel's callers asked for, page by page, straight from the buddy allocator.
 */
#ifndef REPLAY_SIMULATE_H
#define REPLAY_SIMULATE_H

#include "frames/frames.h"

#define SIMULATE_STATS(X) \
    X(allocs, "blocks asked for") \
    X(failures, "... that could not be had") \
    X(frees, "blocks given back") \
    X(frees_before, "... that were in use before the snapshot") \
    X(frees_unknown, "... that are free here, or lie in no zone: left out") \
    X(missed_frees, "blocks asked for in a frame that was never given back: given back first") \
    X(split_frees, "blocks given back in other pieces than they were asked for")
struct simulate_stats {
#define X(name, help) uint64_t name;
    SIMULATE_STATS(X)
#undef X
};

enum simulate_level { SIMULATE_BUDDY, SIMULATE_PAGES };

struct simulate;
/* `map` becomes the simulation's. */
int simulate_new(struct simulate **out, struct frame_map *map, enum simulate_level level, struct err *err);
void simulate_free(struct simulate *s);
struct frame_map *simulate_map(struct simulate *s);
void simulate_alloc(struct simulate *s, uint64_t pfn, unsigned order, unsigned mt, gfp_t gfp);
void simulate_freed(struct simulate *s, uint64_t pfn, unsigned order);
const struct simulate_stats *simulate_stats(const struct simulate *s);

#endif
