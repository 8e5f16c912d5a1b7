/*
 * The binary buddy allocator with the free-list rules of Linux 6.18 (mm/page_alloc.c; linux-mm 2.2-2.6). Which block
 * is handed out next is decided here by the same list operations, in the same order, as in the kernel.
 * Model: docs/model/buddy.md. Fallback to other migratetypes is in buddy_fallback.c.
 */
#include "frames/buddy/buddy.h"

#include "frames/frame_alloc.h"

/* ---- virgin memory: free blocks of the largest order that were never handed out -------------------------------- */

static void virgin_add(struct frame_map *map, struct zone *z, uint64_t start, uint64_t end)
{
    struct virgin *v = &z->virgin;
    if (v->blocks == 0) {
        uint32_t head = free_list_head(z, map->max_order, z->virgin_mt);
        link_between(map->frames, z->virgin_link, map->frames[head].prev, head);
    }
    uint64_t blocks = (end - start) >> map->max_order;
    v->run[v->n].start = start;
    v->run[v->n++].end = end;
    v->blocks += blocks;
    free_count_add(map, z, map->max_order, z->virgin_mt, (uint32_t)blocks);
}

/* Gives the lowest virgin block a link of its own, just before the element that stands for the rest. */
uint64_t buddy_link_virgin(struct frame_map *map, struct zone *z)
{
    struct virgin *v = &z->virgin;
    uint64_t pfn = v->run[v->first].start;
    v->run[v->first].start += 1ull << map->max_order;
    if (v->run[v->first].start == v->run[v->first].end)
        v->first++;
    map->frames[pfn].state = FRAME_FREE;
    map->frames[pfn].order = (uint8_t)map->max_order;
    link_between(map->frames, (uint32_t)pfn, map->frames[z->virgin_link].prev, z->virgin_link);
    if (--v->blocks == 0)
        link_out(map->frames, z->virgin_link);
    return pfn;
}

uint64_t buddy_first(struct frame_map *map, struct zone *z, unsigned order, enum migratetype mt)
{
    uint32_t i = map->frames[free_list_head(z, order, mt)].next;
    return i == z->virgin_link ? buddy_link_virgin(map, z) : i;
}

/* memblock hands over a range in the largest naturally aligned blocks, each to the tail of its list (linux-mm 2.2). */
void buddy_add_range(struct frame_map *map, struct zone *z, uint64_t start, uint64_t end, bool eager)
{
    uint64_t top = 1ull << map->max_order;
    z->virgin_mt = map->mobility ? MIGRATE_MOVABLE : MIGRATE_UNMOVABLE;
    for (uint64_t pfn = start; pfn < end;) {
        if (!eager && pfn % top == 0 && end - pfn >= top && z->virgin.n < ZONE_VIRGIN_RUNS) {
            virgin_add(map, z, pfn, end - end % top);
            pfn = end - end % top;
            continue;
        }
        unsigned order = pfn ? (unsigned)__builtin_ctzll(pfn) : map->max_order;
        if (order > map->max_order)
            order = map->max_order;
        while (pfn + (1ull << order) > end)
            order--;
        free_list_add(map, z, pfn, order, z->virgin_mt, true);
        pfn += 1ull << order;
    }
}

/* ---- allocation ------------------------------------------------------------------------------------------------- */

/* Halves a block that is off the lists until 2^low frames are left: the lowest, so that addresses ascend. */
static inline void expand(struct frame_map *map, struct zone *z, uint64_t pfn, unsigned low, unsigned high,
                          enum migratetype mt)
{
    map->st.splits += high - low;
    while (high > low) {
        high--;
        free_list_add(map, z, pfn + (1ull << high), high, mt, false);
    }
}

uint64_t buddy_take(struct frame_map *map, struct zone *z, uint64_t pfn, unsigned order, unsigned have,
                    enum migratetype list, enum migratetype rest)
{
    free_list_del(map, z, pfn, have, list);
    expand(map, z, pfn, order, have, rest);
    return pfn;
}

uint64_t buddy_smallest(struct frame_map *map, struct zone *z, unsigned order, enum migratetype mt)
{
    uint32_t have = z->nonempty[mt] >> order << order;
    if (!have)
        return PFN_NONE.v;
    unsigned o = (unsigned)__builtin_ctz(have);
    return buddy_take(map, z, buddy_first(map, z, o, mt), order, o, mt, mt);
}

static pfn_t alloc(struct frame_map *map, struct zone *z, unsigned order, enum migratetype mt, unsigned flags,
                   enum rmqueue_mode *mode)
{
    uint64_t pfn = *mode == RMQUEUE_NORMAL ? buddy_smallest(map, z, order, mt) : PFN_NONE.v;
    if (unlikely(pfn == PFN_NONE.v))
        pfn = buddy_fallback(map, z, order, mt, flags, mode);
    return (pfn_t){pfn};
}

/* ---- freeing ---------------------------------------------------------------------------------------------------- */

static inline bool is_free_block(const struct frame_map *map, const struct zone *z, uint64_t pfn, unsigned order)
{
    if (pfn < z->start || pfn >= z->end)
        return false;
    const struct frame *f = &map->frames[pfn];
    return f->state == FRAME_FREE && f->order == order;
}

/* __free_one_page. A virgin block is never the buddy of a smaller one, so it needs no look-up here. */
static void free_one(struct frame_map *map, struct zone *z, uint64_t pfn, unsigned order)
{
    enum migratetype mt = pageblock_get(map, pfn);
    uint64_t buddy = pfn ^ (1ull << order);
    while (order < map->max_order && is_free_block(map, z, buddy, order)) {
        enum migratetype its = mt;
        if (order >= map->pageblock_order && (its = pageblock_get(map, buddy)) != mt) {
            if (its >= MIGRATE_PCPTYPES || mt >= MIGRATE_PCPTYPES)
                break;
        }
        free_list_del(map, z, buddy, order, its);
        if (its != mt)
            for (uint64_t p = buddy; p < buddy + (1ull << order); p += 1ull << map->pageblock_order)
                pageblock_set(map, p, mt);
        map->st.merges++;
        pfn &= buddy;
        order++;
        buddy = pfn ^ (1ull << order);
    }
    /* buddy_merge_likely: the parent's buddy is free, so keep this block late in its list: it may soon merge. */
    bool tail = order + 1 < map->max_order &&
                is_free_block(map, z, (pfn & buddy) ^ (2ull << order), order + 1);
    free_list_add(map, z, pfn, order, mt, tail);
}

static void free_block(struct frame_map *map, struct zone *z, uint64_t pfn, unsigned order)
{
    if (likely(order <= map->pageblock_order)) {
        free_one(map, z, pfn, order);
        return;
    }
    /* split_large_buddy: pageblocks may differ in type, so each comes back by itself. */
    uint64_t step = 1ull << map->pageblock_order;
    for (uint64_t p = pfn; p < pfn + (1ull << order); p += step)
        free_one(map, z, p, map->pageblock_order);
}

const struct frame_alloc_ops buddy_frame_ops = {
    .name = "buddy",
    .pcp = true,
    .reserve = true,
    .types = true,
    .add_range = buddy_add_range,
    .alloc = alloc,
    .free = free_block,
    .check = buddy_check,
};
