/*
 * The reverse map: from a frame to those who map it. The first mapping stands in the frame's own record (`asid`, `vpn`); a frame with
 * several has the others in a chain, 16 bytes each, whose head is the record's `private`. What is not mapped has an owner of its own kind
 * in the same fields (page tables: process and level; slab pages: the cache), told apart by the frame's tag.
 *
 * The frame is the head of an allocated block of a mappable use (anon, file, shmem); a block of several frames is mapped as one.
 */
#ifndef FRAMES_RMAP_H
#define FRAMES_RMAP_H

#include "frames/frames.h"

struct rmap_link { uint64_t vpn; uint32_t asid, next; }; /* next: index; 0 ends the chain */
enum { FRAME_FLAG_CHAIN = 0x80 }; /* in struct frame's flags: `private` is a chain; the other bits are the owner's */

/* A mapping more; mapcount rises. False: no host memory. */
bool rmap_add(struct frame_map *map, pfn_t pfn, uint32_t asid, uint64_t vpn);
/* There is host memory for so many mappings more. False: there is not. */
bool rmap_reserve(struct frame_map *map, uint64_t n);
/* A mapping less. False: there is no such mapping, nothing changed. */
bool rmap_del(struct frame_map *map, pfn_t pfn, uint32_t asid, uint64_t vpn);
/* Calls fn for each mapping until it returns false; true if it never did. fn must not change the frame's mappings. */
bool rmap_each(const struct frame_map *map, pfn_t pfn, bool (*fn)(void *ctx, uint32_t asid, uint64_t vpn), void *ctx);
/* Is it mapped there? */
bool rmap_has(const struct frame_map *map, pfn_t pfn, uint32_t asid, uint64_t vpn);

/* Part of frames_check: chains are as long as mapcount says and share no link. */
int rmap_check(const struct frame_map *map, pfn_t pfn, struct err *err);
void rmap_fini(struct frame_map *map); /* part of frame_map_free */
/*
 * Part of frames_state, behind the frames' records: a byte for each record of the pool, 1: free. To be freed. Then rmap_load_chain
 * for each frame that has a chain: false if it is not as long as mapcount says or shares a record.
 */
struct state_io;
uint8_t *rmap_load_free(const struct frame_map *map, struct state_io *io);
bool rmap_load_chain(const struct frame_map *map, const struct frame *f, uint8_t *seen);

#endif
