/*
 * The free lists of one zone: circular, doubly linked through struct frame by 32-bit index, one for each order and
 * migratetype. The heads are pseudo frames, so neither insertion nor removal branches. Internal to this library.
 */
#ifndef FRAMES_FREE_LIST_H
#define FRAMES_FREE_LIST_H

#include "frames/frames.h"

/* Pseudo frames of a zone: the list heads and the element that stands for virgin memory. */
enum { ZONE_HEADS = FRAME_ORDERS * MIGRATE_TYPES, ZONE_PSEUDO = ZONE_HEADS + 1 };

static inline bool zone_virgin_at(const struct zone *z, uint64_t pfn)
{
    for (unsigned i = z->virgin.first; i < z->virgin.n; i++)
        if (pfn >= z->virgin.run[i].start && pfn < z->virgin.run[i].end)
            return true;
    return false;
}

static inline uint32_t free_list_head(const struct zone *z, unsigned order, enum migratetype mt)
{
    return z->list_base + order * MIGRATE_TYPES + mt;
}

static inline void link_between(struct frame *frames, uint32_t i, uint32_t prev, uint32_t next)
{
    frames[i].prev = prev;
    frames[i].next = next;
    frames[prev].next = i;
    frames[next].prev = i;
}

static inline void link_out(struct frame *frames, uint32_t i)
{
    uint32_t prev = frames[i].prev, next = frames[i].next;
    frames[prev].next = next;
    frames[next].prev = prev;
}

/* The books of `n` free blocks coming or going. */
static inline void free_count_add(const struct frame_map *map, struct zone *z, unsigned order, enum migratetype mt,
                                  uint32_t n)
{
    z->nr_free[order] += n;
    z->nr_free_mt[order][mt] += n;
    z->nonempty[mt] |= 1u << order;
    z->free += (uint64_t)n << order;
    if (order >= map->pageblock_order)
        z->free_blocks += (uint64_t)n << order;
}

static inline void free_count_sub(const struct frame_map *map, struct zone *z, unsigned order, enum migratetype mt)
{
    z->nr_free[order]--;
    if (--z->nr_free_mt[order][mt] == 0)
        z->nonempty[mt] &= ~(1u << order);
    z->free -= 1ull << order;
    if (order >= map->pageblock_order)
        z->free_blocks -= 1ull << order;
}

static inline void free_list_add(struct frame_map *map, struct zone *z, uint64_t pfn, unsigned order,
                                 enum migratetype mt, bool tail)
{
    struct frame *frames = map->frames;
    uint32_t head = free_list_head(z, order, mt), i = (uint32_t)pfn;
    frames[i].state = FRAME_FREE;
    frames[i].order = (uint8_t)order;
    if (tail)
        link_between(frames, i, frames[head].prev, head);
    else
        link_between(frames, i, head, frames[head].next);
    free_count_add(map, z, order, mt, 1);
}

static inline void free_list_del(struct frame_map *map, struct zone *z, uint64_t pfn, unsigned order,
                                 enum migratetype mt)
{
    struct frame *f = &map->frames[pfn];
    link_out(map->frames, (uint32_t)pfn);
    f->state = FRAME_NONE;
    f->order = 0;
    free_count_sub(map, z, order, mt);
}

static inline enum migratetype pageblock_get(const struct frame_map *map, uint64_t pfn)
{
    return (enum migratetype)(map->pageblocks[pfn >> map->pageblock_order] ^ MIGRATE_MOVABLE);
}

static inline void pageblock_set(struct frame_map *map, uint64_t pfn, enum migratetype mt)
{
    map->pageblocks[pfn >> map->pageblock_order] = (uint8_t)(mt ^ MIGRATE_MOVABLE);
}

#endif
