/*
 * The parts of the buddy allocator that its files share; internal to this library. Frames are bare numbers here.
 */
#ifndef FRAMES_BUDDY_H
#define FRAMES_BUDDY_H

#include "frames/frame_alloc.h"
#include "frames/buddy/free_list.h"

/* First block of a list that is not empty; a virgin one is linked first. */
uint64_t buddy_first(struct frame_map *map, struct zone *z, unsigned order, enum migratetype mt);
/* memblock's hand-over of [start, end), with virgin memory for all allocators. */
void buddy_add_range(struct frame_map *map, struct zone *z, uint64_t start, uint64_t end, bool eager);
/* The lowest virgin block gets a link of its own; there is one. */
uint64_t buddy_link_virgin(struct frame_map *map, struct zone *z);
/* Takes the free block `pfn` of order `have` off list `list`; what is above 2^order goes to the lists of type `rest`. */
uint64_t buddy_take(struct frame_map *map, struct zone *z, uint64_t pfn, unsigned order, unsigned have,
                    enum migratetype list, enum migratetype rest);
/* __rmqueue_smallest: the first block of the smallest order that fits, or PFN_NONE.v. */
uint64_t buddy_smallest(struct frame_map *map, struct zone *z, unsigned order, enum migratetype mt);
/* When mt's own lists have nothing: claim, then steal (linux-mm 2.6). */
uint64_t buddy_fallback(struct frame_map *map, struct zone *z, unsigned order, enum migratetype mt, unsigned flags,
                        enum rmqueue_mode *mode);
/* What that would take, without taking it. */
enum fallback_kind { FALLBACK_NONE, FALLBACK_CLAIM_WHOLE, FALLBACK_CLAIM_PART, FALLBACK_STEAL };
struct fallback_choice {
    enum fallback_kind kind;
    unsigned order;        /* of the block, whose list is that of type `from` */
    enum migratetype from;
    uint64_t pfn;
    unsigned looked_at;    /* partly used pageblocks that were counted for a claim, the claimed one included */
};
struct fallback_choice buddy_fallback_choice(struct frame_map *map, struct zone *z, unsigned order, enum migratetype mt, unsigned flags,
                                             enum rmqueue_mode mode);
/* Does a request of type mt look for memory of type `first` before that of type `then`? */
bool buddy_fallback_before(enum migratetype mt, enum migratetype first, enum migratetype then);
/* Is there a block of `order` of another type whose pageblock mt could claim? (find_suitable_fallback, claimable) */
bool buddy_may_claim(const struct frame_map *map, const struct zone *z, unsigned order, enum migratetype mt);
/* May the pageblock around frame `pfn`, of type `from`, be claimed for mt: is at least half of it free or alike? */
bool buddy_worth_claiming(const struct frame_map *map, const struct zone *z, uint64_t pfn, enum migratetype from, enum migratetype mt);
/* move_freepages_block: all free blocks of pfn's pageblock to the lists of `to`, and its type; false if it is not wholly in z. */
bool buddy_move_pageblock(struct frame_map *map, struct zone *z, uint64_t pfn, enum migratetype from,
                          enum migratetype to);
/* Promises of this allocator: no two free buddies that should have merged. */
int buddy_check(const struct frame_map *map, const struct zone *z, struct err *err);

#endif
