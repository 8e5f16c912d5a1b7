/*
 * The reserve for high-order requests that may not wait (MIGRATE_HIGHATOMIC; linux-mm 2.8): a pageblock that served one is kept for the
 * next. Linux 6.18 mm/page_alloc.c reserve_highatomic_pageblock, unreserve_highatomic_pageblock.
 */
#include "frames/buddy/buddy.h"
#include "frames/path.h"

enum { RESERVE_SHARE = 100 }; /* at most this part of a zone, rounded up to pageblocks */

uint64_t highatomic_most(const struct frame_map *map, const struct zone *z)
{
    uint64_t block = 1ull << map->pageblock_order, share = z->managed / RESERVE_SHARE;
    return map->mobility && map->ops->reserve && share >= block ? (share + block - 1) & ~(block - 1) : 0;
}

void highatomic_reserve(struct frame_map *map, struct zone *z, uint64_t pfn, unsigned order)
{
    uint64_t block = 1ull << map->pageblock_order;
    if (z->reserved_highatomic >= highatomic_most(map, z))
        return;
    enum migratetype mt = pageblock_get(map, pfn);
    if (mt >= MIGRATE_PCPTYPES) /* only what merges with others */
        return;
    if (order < map->pageblock_order) {
        if (!buddy_move_pageblock(map, z, pfn, mt, MIGRATE_HIGHATOMIC))
            return;
        z->reserved_highatomic += block;
    } else {
        for (uint64_t p = pfn; p < pfn + (1ull << order); p += block)
            pageblock_set(map, p, MIGRATE_HIGHATOMIC);
        z->reserved_highatomic += 1ull << order;
    }
    map->st.highatomic_reserved++;
}

static bool unreserve_from(struct frame_map *map, struct zone *z, enum migratetype to)
{
    uint64_t block = 1ull << map->pageblock_order;
    uint32_t have = z->nonempty[MIGRATE_HIGHATOMIC];
    if (!have)
        return false;
    unsigned o = (unsigned)__builtin_ctz(have);
    uint64_t pfn = buddy_first(map, z, o, MIGRATE_HIGHATOMIC), size = o > map->pageblock_order ? 1ull << o : block;
    z->reserved_highatomic -= size < z->reserved_highatomic ? size : z->reserved_highatomic;
    if (o < map->pageblock_order) {
        if (!buddy_move_pageblock(map, z, pfn, MIGRATE_HIGHATOMIC, to))
            return false;
    } else {
        free_list_del(map, z, pfn, o, MIGRATE_HIGHATOMIC);
        for (uint64_t p = pfn; p < pfn + (1ull << o); p += block)
            pageblock_set(map, p, to);
        free_list_add(map, z, pfn, o, to, true);
    }
    map->st.highatomic_unreserved++;
    return true;
}

bool highatomic_unreserve(struct frame_map *map, const struct frame_request *r, bool force)
{
    const struct frame_zonelist *l = frames_zonelist(map, r->node, r->highest);
    for (unsigned i = 0; i < l->n; i++) {
        struct zone *z = &map->zones[l->zone[i]];
        if (!force && z->reserved_highatomic <= 1ull << map->pageblock_order)
            continue;
        if (unreserve_from(map, z, r->mt))
            return true;
    }
    return false;
}
