/* What the buddy allocator promises beyond the books: free buddies have merged. Called after the lists were found
 * sound, so links are followed without checks. */
#include "frames/buddy/buddy.h"

int buddy_check(const struct frame_map *map, const struct zone *z, struct err *err)
{
    for (unsigned o = 0; o < map->max_order; o++) {
        for (unsigned t = 0; t < MIGRATE_TYPES; t++) {
            uint32_t head = free_list_head(z, o, (enum migratetype)t);
            for (uint32_t i = map->frames[head].next; i != head; i = map->frames[i].next) {
                uint64_t buddy = i ^ (1ull << o);
                if (buddy < z->start || buddy >= z->end)
                    continue;
                const struct frame *f = &map->frames[buddy];
                if (f->state != FRAME_FREE || f->order != o)
                    continue;
                enum migratetype its = pageblock_get(map, buddy);
                if (its != t && (t >= MIGRATE_PCPTYPES || its >= MIGRATE_PCPTYPES))
                    continue;
                return err_set(err, ERR_RUN, "buddy: free blocks of order %u at pfn %u and pfn %llu are buddies and "
                                             "were not merged", o, i, (unsigned long long)buddy);
            }
        }
    }
    return 0;
}
