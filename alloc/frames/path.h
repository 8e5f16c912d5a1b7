/* The two halves of an allocation: the fast path and what it shares with the slow one. For this library, and for a replay that holds
 * its rules against a recorded kernel. */
#ifndef FRAMES_PATH_H
#define FRAMES_PATH_H

#include "frames/frames.h"
#include "frames/hooks.h"

/* get_page_from_freelist: PFN_NONE, or a block of zone *from in state FRAME_NONE. */
pfn_t frames_get_page(struct frame_map *map, const struct frame_request *r, unsigned flags, struct zone **from);
/* gfp_to_alloc_flags (linux-mm 1.8): what a request may in the slow path. */
unsigned frames_slow_flags(const struct frame_map *map, const struct frame_request *r);
/* __alloc_pages_slowpath. */
pfn_t frames_alloc_slow(struct frame_map *map, const struct frame_request *r, struct zone **from);

/* After a HIGHATOMIC request got `pfn`: its pageblock may be reserved (reserve_highatomic_pageblock). */
uint64_t highatomic_most(const struct frame_map *map, const struct zone *z); /* pages that the reserve of z may have */
void highatomic_reserve(struct frame_map *map, struct zone *z, uint64_t pfn, unsigned order);
/* Gives one reserved pageblock to the request's type; false if there was none to give. `force`: even the last one. */
bool highatomic_unreserve(struct frame_map *map, const struct frame_request *r, bool force);
/* boost_watermark: a claim takes part of a pageblock of another type. */
void frames_boost(struct frame_map *map, struct zone *z, unsigned flags);

#endif
