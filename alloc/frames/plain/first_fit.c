/* First fit: the lowest address where the request fits (Knuth 2.5 A, with aligned powers of two). */
#include "frames/plain/plain.h"

static pfn_t alloc(struct frame_map *map, struct zone *z, unsigned order, enum migratetype mt, unsigned flags,
                   enum rmqueue_mode *mode)
{
    (void)mt, (void)flags, (void)mode;
    unsigned have;
    uint64_t pfn = plain_lowest(map, z, z->start, z->end, order, &have);
    return pfn == PFN_NONE.v ? PFN_NONE : (pfn_t){plain_take(map, z, pfn, order, have)};
}

const struct frame_alloc_ops first_fit_frame_ops = {
    .name = "first_fit",
    .alloc = alloc,
    PLAIN_BY_ADDRESS,
};
