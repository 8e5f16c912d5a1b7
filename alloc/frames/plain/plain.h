/*
 * What the allocators without Linux's rules share; internal to this library. All keep free memory as the largest aligned blocks it
 * makes (buddies always merge), on the lists of one type, so that watermarks, indices and /proc files work for them
 * too; they differ in which block they take. Because every request is an aligned power of two, an aligned run that fits exists
 * exactly where a block of at least its order is.
 *
 * Those that choose by address have an index: a bit a block and order, with a tree of summaries above, in one lazily
 * paid mapping. It says nothing that the lists do not say and is made from them (plain_rebuild).
 */
#ifndef FRAMES_PLAIN_PLAIN_H
#define FRAMES_PLAIN_PLAIN_H

#include "frames/buddy/buddy.h"

int plain_init(struct frame_map *map, struct err *err);
void plain_fini(struct frame_map *map);
void plain_rebuild(struct frame_map *map);
/* The lowest free block of at least 2^order frames whose head is in [from, to); *have is its order. PFN_NONE.v: none. A
 * virgin one is linked first. `from` is not behind the zone's lowest virgin block. */
uint64_t plain_lowest(struct frame_map *map, struct zone *z, uint64_t from, uint64_t to, unsigned order, unsigned *have);
/* The lowest free block of exactly this order, of which there is one. */
uint64_t plain_lowest_of(struct frame_map *map, struct zone *z, unsigned order, unsigned *have);
/* Takes block pfn of order `have` and returns its lowest 2^order frames. */
uint64_t plain_take(struct frame_map *map, struct zone *z, uint64_t pfn, unsigned order, unsigned have);
/* Merges with the free buddy as long as there is one. */
void plain_free_block(struct frame_map *map, struct zone *z, uint64_t pfn, unsigned order);
/* Merged, and the index says what the lists say. */
int plain_check(const struct frame_map *map, const struct zone *z, struct err *err);

/* Members of struct frame_alloc_ops that all have in common which choose by address. */
#define PLAIN_BY_ADDRESS                                                                                                 \
    .init = plain_init, .fini = plain_fini, .rebuild = plain_rebuild, .add_range = buddy_add_range, .free = plain_free_block, \
    .check = plain_check

#endif
