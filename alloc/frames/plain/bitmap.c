/*
 * A bitmap searched from where the last search ended, around the zone's end if need be (next fit): what simple kernels and
 * file systems do. It spreads allocations over all of memory.
 */
#include "frames/plain/plain.h"

static pfn_t alloc(struct frame_map *map, struct zone *z, unsigned order, enum migratetype mt, unsigned flags,
                   enum rmqueue_mode *mode)
{
    (void)mt, (void)flags, (void)mode;
    unsigned have;
    uint64_t pfn = plain_lowest(map, z, z->rover > z->start ? z->rover : z->start, z->end, order, &have);
    if (pfn == PFN_NONE.v)
        pfn = plain_lowest(map, z, z->start, z->end, order, &have);
    if (pfn == PFN_NONE.v)
        return PFN_NONE;
    z->rover = pfn + (1ull << order);
    return (pfn_t){plain_take(map, z, pfn, order, have)};
}

const struct frame_alloc_ops bitmap_frame_ops = {
    .name = "bitmap",
    .alloc = alloc,
    PLAIN_BY_ADDRESS,
};
