/*
 * The buddy system of the textbooks (Knuth 2.5 C): a list an order, last in first out; the smallest block that fits is halved until
 * it does, freed buddies merge. No migratetypes, no per-CPU lists, no preference for where a block goes in its list.
 */
#include "frames/plain/plain.h"

static pfn_t alloc(struct frame_map *map, struct zone *z, unsigned order, enum migratetype mt, unsigned flags,
                   enum rmqueue_mode *mode)
{
    (void)mt, (void)flags, (void)mode;
    return (pfn_t){buddy_smallest(map, z, order, MIGRATE_UNMOVABLE)};
}

const struct frame_alloc_ops textbook_frame_ops = {
    .name = "textbook",
    .add_range = buddy_add_range,
    .alloc = alloc,
    .free = plain_free_block,
    .check = plain_check,
};
