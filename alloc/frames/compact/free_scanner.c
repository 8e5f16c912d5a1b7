/*
 * The free scanner: from the zone's end downwards, free blocks as targets (isolate_freepages, isolate_freepages_block,
 * fast_isolate_freepages), and the stock of targets.
 */
#include "frames/compact/internal.h"
#include "frames/buddy/pcp.h"

/* ---- the stock ---------------------------------------------------------------------------------------------------------- */

static void push_last(struct control *k, unsigned order, uint64_t pfn)
{
    k->map->frames[pfn].next = 0;
    if (k->target[order].first)
        k->map->frames[k->target[order].last].next = (uint32_t)pfn;
    else
        k->target[order].first = pfn;
    k->target[order].last = pfn;
}

static void push_first(struct control *k, unsigned order, uint64_t pfn)
{
    k->map->frames[pfn].next = (uint32_t)k->target[order].first;
    if (!k->target[order].first)
        k->target[order].last = pfn;
    k->target[order].first = pfn;
}

static uint64_t pop_first(struct control *k, unsigned order)
{
    uint64_t pfn = k->target[order].first;
    k->target[order].first = k->map->frames[pfn].next;
    return pfn;
}

uint64_t compact_target(struct control *k, unsigned order)
{
    unsigned o = order;
    for (bool asked = false;; asked = true) {
        for (o = order; o < FRAME_ORDERS && !k->target[o].first; o++)
            ;
        if (o < FRAME_ORDERS)
            break;
        if (asked)
            return PFN_NONE.v;
        compact_isolate_free(k);
    }
    uint64_t pfn = pop_first(k, o);
    while (o > order) {
        o--;
        push_first(k, o, pfn + (1ull << o));
    }
    k->target_pages -= 1ull << order;
    return pfn;
}

void compact_target_back(struct control *k, uint64_t pfn, unsigned order)
{
    push_first(k, order, pfn);
    k->target_pages += 1ull << order;
    k->move_pages += 1ull << order;
}

uint64_t compact_release_targets(struct control *k)
{
    uint64_t high = 0;
    for (unsigned o = 0; o < FRAME_ORDERS; o++)
        while (k->target[o].first) {
            uint64_t pfn = pop_first(k, o);
            high = at_least(high, pfn);
            if (k->map->pcps && pcp_order(o))
                pcp_free(k->map, k->z, k->map->cpu, pfn, o);
            else
                k->map->ops->free(k->map, k->z, pfn, o);
        }
    k->target_pages = 0;
    return high;
}

/* ---- scanning ----------------------------------------------------------------------------------------------------------- */

/* __isolate_free_page: a free block leaves its list, if the zone stays above its minimum. */
static bool isolate(struct control *k, uint64_t pfn, unsigned order)
{
    enum migratetype mt = pageblock_get(k->map, pfn);
    uint64_t mark = k->z->wmark[WMARK_MIN] + (1ull << order);
    if (!zone_mark_ok(k->z, 0, mark, ZONE_DMA, 0, k->z->free))
        return false;
    free_list_del(k->map, k->z, pfn, order, mt);
    if (order + 1 >= k->map->pageblock_order && k->map->mobility)
        for (uint64_t p = pfn; p < pfn + (1ull << order); p += block_pages(k)) {
            enum migratetype its = pageblock_get(k->map, p);
            if (its < MIGRATE_PCPTYPES && its != MIGRATE_MOVABLE)
                buddy_move_pageblock(k->map, k->z, p, its, MIGRATE_MOVABLE);
        }
    push_last(k, order, pfn);
    k->target_pages += 1ull << order;
    k->c->st.isolated += 1ull << order;
    return true;
}

/* suitable_migration_target: a block that is free as wanted is not broken up; else Movable pageblocks only. */
static bool suitable_target(const struct control *k, uint64_t start)
{
    unsigned least = k->order > 0 ? (unsigned)k->order : k->map->pageblock_order;
    const struct frame *f = &k->map->frames[start];
    if (zone_virgin_at(k->z, start) || (f->state == FRAME_FREE && f->order >= least))
        return false;
    return k->ignore_block_type || !k->map->mobility || pageblock_get(k->map, start) == MIGRATE_MOVABLE;
}

/* Free blocks of [*at, end), every stride-th place; *at: where it stopped. How many pages came. */
static uint64_t isolate_range(struct control *k, uint64_t *at, uint64_t end, uint64_t stride)
{
    uint64_t got = 0, p = *at;
    for (; p < end; p += stride) {
        const struct frame *f = &k->map->frames[p];
        uint64_t n = f->state == FRAME_NONE ? 1 : 1ull << f->order;
        k->c->st.free_scanned += n;
        if (f->state == FRAME_FREE) {
            if (!isolate(k, p, f->order))
                break;
            got += n;
            if (k->move_pages <= k->target_pages) {
                p += n;
                break;
            }
        }
        p += n - 1;
    }
    *at = at_most(p, end);
    return got;
}

static void skip_free(const struct control *k, uint64_t block, uint64_t resume)
{
    skip_set(k, block);
    if (resume < k->cz->cached_free)
        k->cz->cached_free = resume;
}

/* ---- fast search -------------------------------------------------------------------------------------------------------- */

static int next_order(struct control *k, int order)
{
    if (--order < 0)
        order = k->order - 1;
    if (order != k->search_order)
        return order;
    if (--k->search_order < 0)
        k->search_order = k->order - 1;
    return -1;
}

/* The list's first becomes `pfn`: what stands behind it was looked at. */
static void rotate_before(struct frame_map *map, uint32_t head, uint32_t pfn)
{
    link_out(map->frames, head);
    link_between(map->frames, head, map->frames[pfn].prev, pfn);
}

struct fast { uint64_t low, min, highest, found; unsigned limit, scanned; };

/* One order's list, from its tail. */
static bool fast_order(struct control *k, struct fast *s, int order)
{
    uint32_t head = free_list_head(k->z, (unsigned)order, MIGRATE_MOVABLE), i, last = head;
    uint64_t high = 0;
    unsigned seen = 0;
    s->found = 0;
    for (i = k->map->frames[head].prev; i != head; i = k->map->frames[i].prev) {
        last = i;
        seen++;
        s->scanned++;
        if (i >= s->highest)
            s->highest = at_least(block_start(k, i), k->z->start);
        if (i >= s->low) {
            k->fast_search_fail = 0;
            k->search_order = order;
            s->found = i;
            break;
        }
        if (i >= s->min && i > high) {
            high = i;
            s->limit >>= 1;
        }
        if (seen >= s->limit)
            break;
    }
    if (!s->found && high) {
        s->found = high;
        last = (uint32_t)high;
    }
    if (last != head)
        rotate_before(k->map, head, last);
    if (s->found && !isolate(k, s->found, (unsigned)order)) {
        s->found = 0;
        return false; /* too little is free */
    }
    if (seen >= s->limit)
        s->limit = s->limit > 1 ? s->limit >> 1 : 1;
    return true;
}

/* The rest of the pageblock around a block that the fast search found. */
static void isolate_around(struct control *k, uint64_t pfn)
{
    if (k->target_pages >= k->move_pages || (k->direct && k->mode == MIGRATE_ASYNC))
        return;
    uint64_t at = at_least(block_start(k, pfn), k->z->start), end = at_most(block_end(k, pfn), k->z->end);
    isolate_range(k, &at, end, 1);
    if (at == end)
        skip_set(k, pfn);
}

static void fast_isolate(struct control *k)
{
    if (k->order <= 0 || k->free_pfn <= k->migrate_pfn)
        return;
    uint64_t distance = k->free_pfn - k->migrate_pfn;
    bool start = k->free_pfn >= k->cz->init_free;
    struct fast s = {.low = block_start(k, k->free_pfn - (distance >> 2)), .min = block_start(k, k->free_pfn - (distance >> 1)),
                     .limit = start ? (unsigned)(block_pages(k) >> 1) : cluster_limit(k)};
    if (k->search_order > k->order - 1)
        k->search_order = k->order - 1;
    for (int o = k->search_order; o >= 0 && !s.found; o = next_order(k, o)) {
        if (!k->z->nr_free[o] || o == (int)k->map->max_order)
            continue;
        if (!fast_order(k, &s, o) || k->target_pages >= k->move_pages)
            break;
    }
    uint64_t around = s.found;
    if (!around) {
        k->fast_search_fail++;
        if (start && s.highest >= s.min && s.highest) {
            around = s.highest;
            k->free_pfn = block_start(k, s.highest);
        } else if (start && k->direct) {
            around = suitable_target(k, at_least(s.min, k->z->start)) ? at_least(s.min, k->z->start) : 0;
            k->free_pfn = s.min;
        }
    }
    if (s.highest && s.highest >= k->cz->cached_free && s.highest >= block_pages(k))
        k->cz->cached_free = at_least(block_start(k, s.highest) - block_pages(k), block_start(k, k->z->start));
    k->c->st.free_scanned += s.scanned;
    if (around)
        isolate_around(k, around);
}

void compact_isolate_free(struct control *k)
{
    fast_isolate(k);
    if (k->target_pages)
        return;
    uint64_t at = k->free_pfn, start = block_start(k, at), low = block_end(k, k->migrate_pfn);
    uint64_t stride = k->mode == MIGRATE_ASYNC ? COMPACT_CLUSTER_MAX : 1;
    for (; start >= low; start -= block_pages(k), at = start) {
        uint64_t end = at_most(start + block_pages(k), k->z->end);
        if (!suitable_target(k, start) || skip_block(k, start))
            continue;
        uint64_t got = isolate_range(k, &at, end, stride);
        if (at == end)
            skip_free(k, start, start - block_pages(k));
        if (k->target_pages >= k->move_pages) {
            if (at >= end)
                at = start - block_pages(k);
            break;
        }
        if (at < end)
            break;
        stride = got ? 1 : at_most(COMPACT_CLUSTER_MAX, stride << 1);
    }
    k->free_pfn = at;
}
