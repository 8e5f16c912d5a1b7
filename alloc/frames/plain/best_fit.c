/* Best fit: the smallest block that holds the request; of equal ones the lowest. */
#include "frames/plain/plain.h"

static pfn_t alloc(struct frame_map *map, struct zone *z, unsigned order, enum migratetype mt, unsigned flags,
                   enum rmqueue_mode *mode)
{
    (void)mt, (void)flags, (void)mode;
    uint32_t fits = z->nonempty[MIGRATE_UNMOVABLE] >> order << order;
    if (!fits)
        return PFN_NONE;
    unsigned smallest = (unsigned)__builtin_ctz(fits), have;
    uint64_t pfn = plain_lowest_of(map, z, smallest, &have);
    return pfn == PFN_NONE.v ? PFN_NONE : (pfn_t){plain_take(map, z, pfn, order, have)};
}

const struct frame_alloc_ops best_fit_frame_ops = {
    .name = "best_fit",
    .alloc = alloc,
    PLAIN_BY_ADDRESS,
};
