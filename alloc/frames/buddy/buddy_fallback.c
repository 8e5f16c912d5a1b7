/*
 * Memory from pageblocks of another migratetype: claim (the pageblock changes its type) and steal (it does not). The
 * scheme of Linux 6.15 and later (__rmqueue_claim, __rmqueue_steal; linux-mm 2.6).
 */
#include "frames/buddy/buddy.h"

#include "frames/path.h"

enum { FALLBACKS = 2 };
static const enum migratetype fallbacks[MIGRATE_PCPTYPES][FALLBACKS] = {
    [MIGRATE_UNMOVABLE] = {MIGRATE_RECLAIMABLE, MIGRATE_MOVABLE},
    [MIGRATE_MOVABLE] = {MIGRATE_RECLAIMABLE, MIGRATE_UNMOVABLE},
    [MIGRATE_RECLAIMABLE] = {MIGRATE_UNMOVABLE, MIGRATE_MOVABLE},
};

/* First type of mt's table with a free block of `order`; MIGRATE_TYPES if none. */
static enum migratetype find_fallback(const struct zone *z, unsigned order, enum migratetype mt)
{
    for (unsigned i = 0; i < FALLBACKS; i++)
        if (z->nr_free_mt[order][fallbacks[mt][i]])
            return fallbacks[mt][i];
    return MIGRATE_TYPES;
}

bool buddy_fallback_before(enum migratetype mt, enum migratetype first, enum migratetype then)
{
    return mt < MIGRATE_PCPTYPES && first == fallbacks[mt][0] && then == fallbacks[mt][1];
}

/* Small blocks are not worth retyping a pageblock for movable requests: those can be moved away again later. */
static bool may_claim(const struct frame_map *map, unsigned order, enum migratetype mt)
{
    return order >= map->pageblock_order / 2 || mt == MIGRATE_RECLAIMABLE || mt == MIGRATE_UNMOVABLE;
}

bool buddy_may_claim(const struct frame_map *map, const struct zone *z, unsigned order, enum migratetype mt)
{
    return map->mobility && mt < MIGRATE_PCPTYPES && may_claim(map, order, mt) && find_fallback(z, order, mt) != MIGRATE_TYPES;
}

/* How many frames of [start, end) are free, and how many in use by movable owners. */
static void scan_pageblock(const struct frame_map *map, uint64_t start, uint64_t end, uint64_t *free,
                           uint64_t *movable)
{
    *free = *movable = 0;
    for (uint64_t p = start; p < end;) {
        const struct frame *f = &map->frames[p];
        if (f->state == FRAME_NONE) { /* a hole, or reserved at boot */
            p++;
            continue;
        }
        if (f->state == FRAME_FREE)
            *free += 1ull << f->order;
        else if (frame_tag_movable((enum frame_tag)f->tag))
            *movable += 1ull << f->order;
        p += 1ull << f->order;
    }
}

/* Moves all free blocks of the pageblock to the lists of `to`, at the tail so that they are not taken at once. */
static void retype_pageblock(struct frame_map *map, struct zone *z, uint64_t start, uint64_t end,
                             enum migratetype from, enum migratetype to)
{
    for (uint64_t p = start; p < end;) {
        const struct frame *f = &map->frames[p];
        unsigned order = f->order;
        if (f->state == FRAME_FREE) {
            free_list_del(map, z, p, order, from);
            free_list_add(map, z, p, order, to, true);
        }
        p += f->state == FRAME_NONE ? 1 : 1ull << order;
    }
    pageblock_set(map, start, to);
}

bool buddy_move_pageblock(struct frame_map *map, struct zone *z, uint64_t pfn, enum migratetype from,
                          enum migratetype to)
{
    uint64_t pages = 1ull << map->pageblock_order, start = pfn & ~(pages - 1);
    if (start < z->start || start + pages > z->end)
        return false;
    retype_pageblock(map, z, start, start + pages, from, to);
    return true;
}

bool buddy_worth_claiming(const struct frame_map *map, const struct zone *z, uint64_t pfn, enum migratetype from, enum migratetype mt)
{
    uint64_t pages = 1ull << map->pageblock_order, start = pfn & ~(pages - 1), end = start + pages;
    if (start < z->start || end > z->end)
        return false;
    uint64_t free, movable, alike = 0;
    scan_pageblock(map, start, end, &free, &movable);
    if (mt == MIGRATE_MOVABLE)
        alike = movable;
    else if (from == MIGRATE_MOVABLE)
        alike = pages - free - movable;
    return free + alike >= pages / 2;
}

/* Who took from whom, as mm_page_alloc_extfrag tells it. */
static void count_types(struct frame_map *map, enum migratetype mt, enum migratetype from)
{
    struct frames_stats *st = &map->st;
    uint64_t *const by[MIGRATE_PCPTYPES][MIGRATE_PCPTYPES] = {
        [MIGRATE_UNMOVABLE] = {[MIGRATE_MOVABLE] = &st->fallback_unmovable_from_movable,
                               [MIGRATE_RECLAIMABLE] = &st->fallback_unmovable_from_reclaimable},
        [MIGRATE_MOVABLE] = {[MIGRATE_UNMOVABLE] = &st->fallback_movable_from_unmovable,
                             [MIGRATE_RECLAIMABLE] = &st->fallback_movable_from_reclaimable},
        [MIGRATE_RECLAIMABLE] = {[MIGRATE_UNMOVABLE] = &st->fallback_reclaimable_from_unmovable,
                                 [MIGRATE_MOVABLE] = &st->fallback_reclaimable_from_movable}};
    ++*by[mt][from];
}

/* __rmqueue_claim: from the largest order down. */
static bool choose_claim(struct frame_map *map, struct zone *z, unsigned order, enum migratetype mt, unsigned flags,
                         struct fallback_choice *c)
{
    unsigned least = order;
    if ((flags & ALLOC_NOFRAGMENT) && order < map->pageblock_order)
        least = map->pageblock_order;
    for (int o = (int)map->max_order; o >= (int)least; o--) {
        c->order = (unsigned)o;
        if (!may_claim(map, c->order, mt))
            break;
        c->from = find_fallback(z, c->order, mt);
        if (c->from == MIGRATE_TYPES)
            continue;
        c->pfn = buddy_first(map, z, c->order, c->from);
        c->kind = c->order >= map->pageblock_order ? FALLBACK_CLAIM_WHOLE : FALLBACK_CLAIM_PART;
        if (c->kind == FALLBACK_CLAIM_WHOLE)
            return true;
        c->looked_at++;
        if (buddy_worth_claiming(map, z, c->pfn, c->from, mt))
            return true;
    }
    return false;
}

/* __rmqueue_steal: from the smallest order up. */
static bool choose_steal(struct frame_map *map, struct zone *z, unsigned order, enum migratetype mt, struct fallback_choice *c)
{
    c->kind = FALLBACK_STEAL;
    for (c->order = order; c->order <= map->max_order; c->order++) {
        c->from = find_fallback(z, c->order, mt);
        if (c->from == MIGRATE_TYPES)
            continue;
        c->pfn = buddy_first(map, z, c->order, c->from);
        return true;
    }
    return false;
}

struct fallback_choice buddy_fallback_choice(struct frame_map *map, struct zone *z, unsigned order, enum migratetype mt, unsigned flags,
                                             enum rmqueue_mode mode)
{
    struct fallback_choice c = {.pfn = PFN_NONE.v};
    if (!map->mobility || mt >= MIGRATE_PCPTYPES)
        return c;
    if (mode != RMQUEUE_STEAL && choose_claim(map, z, order, mt, flags, &c))
        return c;
    if (!(flags & ALLOC_NOFRAGMENT) && choose_steal(map, z, order, mt, &c))
        return c;
    return (struct fallback_choice){.pfn = PFN_NONE.v, .looked_at = c.looked_at};
}

static uint64_t claim_whole(struct frame_map *map, struct zone *z, const struct fallback_choice *c, unsigned order, enum migratetype mt)
{
    for (uint64_t p = c->pfn; p < c->pfn + (1ull << c->order); p += 1ull << map->pageblock_order)
        pageblock_set(map, p, mt);
    map->st.fallback_claims_whole++;
    return buddy_take(map, z, c->pfn, order, c->order, c->from, mt);
}

static uint64_t claim_part(struct frame_map *map, struct zone *z, const struct fallback_choice *c, unsigned order, enum migratetype mt)
{
    uint64_t pages = 1ull << map->pageblock_order, start = c->pfn & ~(pages - 1);
    retype_pageblock(map, z, start, start + pages, c->from, mt);
    map->st.fallback_claims_part++;
    return buddy_smallest(map, z, order, mt);
}

uint64_t buddy_fallback(struct frame_map *map, struct zone *z, unsigned order, enum migratetype mt, unsigned flags,
                        enum rmqueue_mode *mode)
{
    struct fallback_choice c = buddy_fallback_choice(map, z, order, mt, flags, *mode);
    uint64_t pfn = PFN_NONE.v;
    for (; c.looked_at > 0 && map->hooks.wake_kswapd; c.looked_at--) /* only kswapd takes a boost back */
        frames_boost(map, z, flags);
    switch (c.kind) {
    case FALLBACK_NONE: return PFN_NONE.v;
    case FALLBACK_CLAIM_WHOLE: pfn = claim_whole(map, z, &c, order, mt); break;
    case FALLBACK_CLAIM_PART: pfn = claim_part(map, z, &c, order, mt); break;
    case FALLBACK_STEAL:
        map->st.fallback_steals++;
        pfn = buddy_take(map, z, c.pfn, order, c.order, c.from, c.from);
        break;
    }
    *mode = c.kind == FALLBACK_STEAL ? RMQUEUE_STEAL : RMQUEUE_NORMAL; /* a claim: its own lists have blocks again */
    count_types(map, mt, c.from);
    map->st.fallbacks++;
    return pfn;
}
