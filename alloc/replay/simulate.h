/*
 * What would have happened: the recording's requests, served by our allocator from the state of the snapshot. What the
 * recording frees goes back where our allocator had put it; frames that were in use before lie where the kernel had them.
 *
 * Block by block: what left the kernel's buddy lists and came back. The traffic between them and the per-CPU lists is the
 * kernel's, and so are the zone and the migratetype of each block; which frames is ours. No event tells the gfp flags of such a block, so
 * there is no slow path: what the zone does not have is a failure. Requests of callers, through lists and slow path: pages/requests.h.
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

struct simulate;
/* `map` becomes the simulation's. */
int simulate_new(struct simulate **out, struct frame_map *map, struct err *err);
void simulate_free(struct simulate *s);
/* From here on the same requests are also served from `map`, another allocator's memory in the same state; it becomes the simulation's. */
int simulate_beside(struct simulate *s, struct frame_map *map, struct err *err);
const struct simulate *simulate_other(const struct simulate *s); /* NULL: none */
struct frame_map *simulate_map(const struct simulate *s);
void simulate_alloc(struct simulate *s, uint64_t pfn, unsigned order, unsigned mt);
void simulate_freed(struct simulate *s, uint64_t pfn, unsigned order);
const struct simulate_stats *simulate_stats(const struct simulate *s);

#endif
