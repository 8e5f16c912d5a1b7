/*
 * Following a kernel's buddy allocator block by block: before each block that the kernel took off its lists, our allocator
 * says which it would take; then the kernel's is taken, so that every choice is judged from the kernel's own state.
 *
 * A block that was split off or freed inside the window stands in its list where the rules put it: its position is known.
 * The order of the blocks that were free before is not recorded; they are `old` until they are taken or merged. Types of
 * pageblocks are inferred (infer.h) and corrected where an event contradicts them:
 *
 *   a block left the list of a type           its pageblock has that type
 *   a drain names the type                    its pageblock has that type
 *   a larger block was split, or one behind   what stood before it in that type's lists has another type
 *
 * Beside it run three other guesses: the frame behind the previous one, the textbook buddy, and "nothing changed".
 */
#ifndef REPLAY_FOLLOW_H
#define REPLAY_FOLLOW_H

#include "frames/frames.h"
#include "frames/hooks.h"
#include "replay/before/snapshot.h"

#define FOLLOW_STATS(X) \
    X(allocs, "blocks that left the lists") \
    X(new_blocks, "... out of a block whose list position is known") \
    X(new_right, "... whose frame our allocator named") \
    X(new_next, "... whose frame simply follows the previous one") \
    X(new_next_right, "... of these named by our allocator") \
    X(new_textbook, "... whose frame the textbook buddy named") \
    X(new_null, "... whose frame is what the unchanged lists of the snapshot say") \
    X(hard_textbook, "... whose frame does not follow the previous one and the textbook buddy named") \
    X(hard_null, "... whose frame does not follow the previous one and is what the unchanged lists say") \
    X(old_blocks, "out of a block that was free before the snapshot") \
    X(old_right, "... whose frame our allocator named (its position is a guess)") \
    X(all_next, "all whose frame follows the previous one") \
    X(all_textbook, "all whose frame the textbook buddy named") \
    X(all_null, "all whose frame the unchanged lists say") \
    X(fallbacks, "blocks for which the type's own lists had nothing") \
    X(not_free, "blocks that are not free here") \
    X(inside, "blocks that are not the beginning of a free block here") \
    X(outside, "blocks in no zone") \
    X(retyped, "pageblocks whose inferred type an event contradicted") \
    X(evicted, "pageblocks that could not have the inferred type, else the kernel had taken from them") \
    X(passed_over, "free blocks that the kernel passed over though events had shown their type: taken without an event") \
    X(frees, "blocks that came back") \
    X(free_again, "blocks that came back and are free here") \
    X(claims, "pageblocks that the kernel claimed for another type") \
    X(extfrags, "mm_page_alloc_extfrag events") \
    X(extfrag_taken, "... that were served without mm_page_alloc_zone_locked") \
    X(whole_claims, "... that claimed a free pageblock or more") \
    X(part_claims, "... that claimed a pageblock in use") \
    X(steals, "... that left the pageblock its type") \
    X(foreseen, "... for which the type's own lists had nothing here either") \
    X(foreseen_kind, "... and our rule claimed or stole as the kernel did (asked of the kernel's block where the position of ours is not known)") \
    X(foreseen_block, "... out of a block of the same order and type") \
    X(foreseen_known, "... whose list position is known") \
    X(foreseen_frame, "... whose frame our rule named") \
    X(foretold, "fallbacks that our rule saw coming and the kernel did not need") \
    X(reserved_unseen, "pageblocks that the kernel passed over because it had reserved them (HighAtomic)") \
    X(given_back, "reserved pageblocks that an event showed with another type") \
    X(isolations, "ranges that compaction's free scanner looked at") \
    X(isolated, "... free pages that it took") \
    X(isolated_unknown, "... of which it is not known which they were") \
    X(returned, "pages with an mm_page_free that only went back to compaction: targets that were not needed")
struct follow_stats {
#define X(name, help) uint64_t name;
    FOLLOW_STATS(X)
#undef X
};

/* Our rule's answer where a type's own lists had nothing; told by the kernel's event that may come behind. */
struct follow_fallback {
    uint64_t cpu, pfn; /* the kernel's; pfn PFN_NONE.v: none is open */
    uint64_t frame; /* ours */
    unsigned kind, order, from; /* enum fallback_kind */
    bool known;     /* the block's position in its list is */
};
enum { FOLLOW_CPUS = 4096 };

/* How a pageblock's type is known: inferred; by a page that came from a CPU's list and may have been stolen from another type's
 * pageblock before the recording began; by an event of the buddy lists. */
enum shown { SHOWN_NOT, SHOWN_WEAKLY, SHOWN_SURELY, SHOWN_LEVEL = 3, SHOWN_MAYBE_RESERVED = 4 /* or with one of these */ };

struct follow {
    struct frame_map *map;
    uint8_t *old;    /* a bit a frame: head of a block that is free since before the snapshot */
    uint8_t *shown;  /* enum shown, a pageblock each; SHOWN_MAYBE_RESERVED beside it */
    struct textbook *book;
    uint64_t null_first[FRAME_ZONES][FRAME_ORDERS][MIGRATE_PCPTYPES];
    uint64_t next[FRAME_ORDERS][MIGRATE_TYPES]; /* behind the last block of this order and type */
    struct follow_stats st;
    bool counting;
    struct follow_fallback fallback; /* of the last block that left the lists */
    uint8_t mode[FOLLOW_CPUS];       /* enum rmqueue_mode: where the refill under way on each CPU takes from */
};

/* `map` becomes the follower's. `witnessed` as in struct image_options, may be NULL. */
int follow_new(struct follow **out, struct frame_map *map, const uint8_t *witnessed, struct err *err);
void follow_free_all(struct follow *f);

/* The kernel took this block, on `cpu`. Where `sure` is false (the snapshot was being taken) it is taken only if it is free here. */
void follow_taken(struct follow *f, uint64_t cpu, uint64_t pfn, unsigned order, enum migratetype mt, bool sure);
/* It came back to the lists. mt: the type that the event names, or MIGRATE_TYPES. */
void follow_back(struct follow *f, uint64_t pfn, unsigned order, enum migratetype mt, bool sure);
/* A request was served from another type's memory; comes behind mm_page_alloc_zone_locked where there is one. */
struct follow_foreign {
    uint64_t cpu, pfn;
    unsigned order, block_order;
    enum migratetype wanted, from;
    bool owner; /* the pageblock has the wanted type now */
    bool sure;  /* as in follow_taken */
};
void follow_extfrag(struct follow *f, const struct follow_foreign *e);
/* Compaction took `taken` free pages of [start, end), and `each` of the blocks if it is known which; fast: the range only says where the
 * fast search looked. `each` may be NULL. */
struct follow_isolation {
    uint64_t start, end, taken;
    bool fast;
    void (*each)(void *self, uint64_t pfn, unsigned order);
    void *self;
};
void follow_isolated(struct follow *f, const struct follow_isolation *e);
/* Any other event of this CPU: a refill of its lists is over. */
void follow_other(struct follow *f, uint64_t cpu);
/* A page has been handed to a program (movable: it will stand on an LRU list) or to the kernel, or has been given back. */
void follow_used(struct follow *f, uint64_t pfn, unsigned order, bool movable);
/* The kernel reserves the pageblock of a request of several pages that may not wait (HighAtomic); no event tells. */
enum follow_reserve { FOLLOW_RESERVED, FOLLOW_RESERVED_BEFORE, FOLLOW_RESERVE_FULL, FOLLOW_RESERVE_NOT_HELD /* not a whole block in use here */ };
enum follow_reserve follow_reserve(struct follow *f, uint64_t pfn, unsigned order);
/* ... it may have: believed when the kernel passes over the pageblock's free memory. */
void follow_maybe_reserved(struct follow *f, uint64_t pfn);
/* A request that may try hard found nothing: all reserved pageblocks with free memory that it could use went back, as its type. How many. */
unsigned follow_unreserve(struct follow *f, const struct frame_request *r);
/* An event shows the type of the frame's pageblock. */
void follow_shown(struct follow *f, uint64_t pfn, enum migratetype mt);
/* ... or is likely; does nothing where an event has said something. */
void follow_hinted(struct follow *f, uint64_t pfn, enum migratetype mt);
enum migratetype follow_type(const struct follow *f, uint64_t pfn);
bool follow_is_free(const struct follow *f, uint64_t pfn);

/* The 11 lists of a textbook: smallest fit, most recently freed first, no types, no other rule. */
struct textbook;
int textbook_new(struct textbook **out, const struct frame_map *like, struct err *err);
void textbook_free(struct textbook *t);
uint64_t textbook_first(const struct textbook *t, const struct zone *z, unsigned order);
void textbook_taken(struct textbook *t, uint64_t pfn, unsigned order);
void textbook_back(struct textbook *t, uint64_t pfn, unsigned order);

/* For the follower's own files: the free block's place in its list is not known, since it is free since before the snapshot. */
static inline bool follow_is_old(const struct follow *f, uint64_t pfn) { return f->old[pfn >> 3] >> (pfn & 7) & 1; }
static inline void follow_set_old(struct follow *f, uint64_t pfn, bool old)
{
    uint8_t bit = (uint8_t)(1u << (pfn & 7));
    f->old[pfn >> 3] = (uint8_t)(old ? f->old[pfn >> 3] | bit : f->old[pfn >> 3] & ~bit);
}

#endif
