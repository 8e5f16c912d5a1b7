/* One compaction of one zone, shared by its two scanners; internal to this library (struct compact_control). */
#ifndef FRAMES_COMPACT_INTERNAL_H
#define FRAMES_COMPACT_INTERNAL_H

#include "frames/buddy/buddy.h"
#include "frames/compact/compaction.h"

enum migrate_mode { MIGRATE_ASYNC, MIGRATE_SYNC_LIGHT, MIGRATE_SYNC };

struct control {
    struct compaction *c;
    struct frame_map *map;
    struct zone *z;
    struct compact_zone *cz;
    int order; /* COMPACT_WHOLE: no order is wanted */
    int search_order;
    enum migratetype mt;
    enum zone_type highest;
    unsigned alloc_flags;
    enum migrate_mode mode;
    bool direct, proactive, whole_zone, ignore_skip, ignore_block_type, finish_pageblock;
    uint64_t migrate_pfn, free_pfn;
    uint64_t fast_start; /* lowest candidate of the fast search; UINT64_MAX: it was used */
    unsigned fast_search_fail;
    /* isolated blocks to move, first one first to be moved last; at most one pageblock's */
    uint64_t move[1 << FRAME_MAX_ORDER];
    unsigned n_move;
    uint64_t move_pages;
    /* isolated free blocks by order: off the free lists, linked by `next` of their records */
    struct { uint64_t first, last; } target[FRAME_ORDERS];
    uint64_t target_pages;
};

static inline uint64_t block_pages(const struct control *k) { return 1ull << k->map->pageblock_order; }
static inline uint64_t block_start(const struct control *k, uint64_t pfn) { return pfn & ~(block_pages(k) - 1); }
static inline uint64_t block_end(const struct control *k, uint64_t pfn) { return block_start(k, pfn) + block_pages(k); }
static inline uint64_t at_least(uint64_t a, uint64_t b) { return a > b ? a : b; }
static inline uint64_t at_most(uint64_t a, uint64_t b) { return a < b ? a : b; }
static inline unsigned cluster_limit(const struct control *k)
{
    return (COMPACT_CLUSTER_MAX >> (k->fast_search_fail < 31 ? k->fast_search_fail : 31)) + 1u;
}

static inline bool skip_get(const struct control *k, uint64_t pfn) { return k->c->skip[pfn >> k->map->pageblock_order]; }
static inline void skip_set(const struct control *k, uint64_t pfn) { k->c->skip[pfn >> k->map->pageblock_order] = 1; }
static inline bool skip_block(const struct control *k, uint64_t pfn) { return !k->ignore_skip && skip_get(k, pfn); }

/* Next cluster of blocks to move into k->move; false: this pageblock gave none. */
bool compact_isolate_movable(struct control *k);
/* Looks for targets for what k->move holds. */
void compact_isolate_free(struct control *k);
/* A target of 2^order frames, or PFN_NONE.v. */
uint64_t compact_target(struct control *k, unsigned order);
void compact_target_back(struct control *k, uint64_t pfn, unsigned order); /* its move failed */
/* Gives back unused targets; the highest of them, or 0. */
uint64_t compact_release_targets(struct control *k);

/* Pages that both scanners looked at since this was last asked. */
static inline uint64_t compact_scanned_untold(struct compaction *c)
{
    uint64_t all = c->st.migrate_scanned + c->st.free_scanned, n = all - c->told;
    c->told = all;
    return n;
}

/* compact_zone: k says what is wanted. */
enum compact_result compact_run(struct control *k);

#endif
