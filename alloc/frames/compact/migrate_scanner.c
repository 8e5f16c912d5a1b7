/*
 * The migration scanner: from the zone's start upwards, a pageblock at a time, up to 32 frames of movable blocks a round
 * (isolate_migratepages, isolate_migratepages_block, fast_find_migrateblock).
 */
#include "frames/compact/internal.h"
#include "frames/buddy/pcp.h"

/* A block that is larger than what is wanted, or as large: to move it could not help. */
static bool too_large(const struct control *k, unsigned order)
{
    return (k->order != COMPACT_WHOLE && (int)order >= k->order) || order >= k->map->pageblock_order;
}

static void cache_migrate(const struct control *k, uint64_t pfn)
{
    if (pfn > k->cz->cached_migrate[0])
        k->cz->cached_migrate[0] = pfn;
    if (k->mode != MIGRATE_ASYNC && pfn > k->cz->cached_migrate[1])
        k->cz->cached_migrate[1] = pfn;
}

/* suitable_migration_source: does moving from this pageblock help the request? */
static bool suitable_source(const struct control *k, uint64_t start)
{
    const struct frame *f = &k->map->frames[start];
    if (f->state == FRAME_ALLOCATED && f->order >= k->map->pageblock_order)
        return false;
    if (k->mode != MIGRATE_ASYNC || !k->direct)
        return true;
    return pageblock_get(k->map, start) == k->mt;
}

static void take(struct control *k, uint64_t pfn, unsigned order)
{
    k->move[k->n_move++] = pfn;
    k->move_pages += 1ull << order;
}

/* One pageblock's part [at, end). Asynchronous direct runs give up an order-aligned chunk at its first obstacle. */
static void isolate_block(struct control *k, uint64_t at, uint64_t end)
{
    bool per_chunk = k->mode == MIGRATE_ASYNC && k->direct, touched = false;
    bool whole = at == block_start(k, at) || at == k->z->start;
    uint64_t chunk = per_chunk ? 1ull << k->order : 0, next_chunk = per_chunk ? (at & ~(chunk - 1)) : 0;
    uint64_t begun = at;
    for (; at < end;) {
        if (per_chunk && at >= next_chunk) {
            if (k->n_move)
                break;
            next_chunk = (at & ~(chunk - 1)) + chunk;
        }
        const struct frame *f = &k->map->frames[at];
        uint64_t n = f->state == FRAME_NONE ? 1 : 1ull << f->order;
        k->c->st.migrate_scanned += n;
        if (f->state == FRAME_FREE) {
            at += n;
            continue;
        }
        if (f->state == FRAME_ALLOCATED && frame_tag_movable((enum frame_tag)f->tag) && !too_large(k, f->order)) {
            if (!touched && whole && !k->ignore_skip) {
                touched = true;
                bool was = skip_get(k, begun);
                skip_set(k, begun);
                if (was && !k->finish_pageblock) {
                    at = end;
                    break;
                }
            }
            take(k, at, f->order);
            at += n;
            if (k->move_pages >= COMPACT_CLUSTER_MAX && !k->finish_pageblock)
                break;
            continue;
        }
        at += f->state == FRAME_ALLOCATED ? n : 1;
        if (per_chunk) { /* one page of the chunk stays: the others need not move */
            k->n_move = 0;
            k->move_pages = 0;
            if (at < next_chunk)
                at = next_chunk;
        }
    }
    at = at_most(at, end);
    if (at == end && (!k->n_move || k->finish_pageblock)) {
        if (whole)
            skip_set(k, begun);
        cache_migrate(k, at);
    }
    k->c->st.isolated += k->move_pages;
    k->migrate_pfn = at;
}

/* The lists' head is put behind `pfn`, which becomes the last, or before it, which becomes the first: what was met is
 * looked at last next time (move_freelist_tail, move_freelist_head). */
static void rotate(struct frame_map *map, uint32_t head, uint32_t pfn)
{
    link_out(map->frames, head);
    link_between(map->frames, head, pfn, map->frames[pfn].next);
}

static uint64_t fast_start_again(struct control *k)
{
    if (!k->fast_start || k->fast_start == UINT64_MAX)
        return k->migrate_pfn;
    k->migrate_pfn = k->fast_start;
    k->fast_start = UINT64_MAX;
    return k->migrate_pfn;
}

/* A pageblock in the zone's lower part that has free blocks just below the wanted order, so that few moves make one. */
static uint64_t fast_find(struct control *k)
{
    if (k->ignore_skip || k->finish_pageblock || k->order <= PCP_COSTLY_ORDER ||
        (k->migrate_pfn != k->z->start && k->migrate_pfn != block_start(k, k->migrate_pfn)) ||
        (k->direct && k->mt != MIGRATE_MOVABLE))
        return k->migrate_pfn;
    uint64_t distance = (k->free_pfn - k->migrate_pfn) >> 1;
    if (k->migrate_pfn != k->z->start)
        distance >>= 2;
    uint64_t high = block_start(k, k->migrate_pfn + distance);
    unsigned limit = cluster_limit(k), scanned = 0;
    for (int o = k->order - 1; o >= PCP_COSTLY_ORDER && scanned < limit; o--) {
        if (o == (int)k->map->max_order) /* there stands virgin memory */
            continue;
        uint32_t head = free_list_head(k->z, (unsigned)o, MIGRATE_MOVABLE);
        for (uint32_t i = k->map->frames[head].next; i != head; i = k->map->frames[i].next) {
            if (scanned++ >= limit) {
                rotate(k->map, head, i);
                break;
            }
            if (i >= high || skip_get(k, i))
                continue;
            rotate(k->map, head, i);
            if (k->fast_start != UINT64_MAX && (!k->fast_start || i < k->fast_start))
                k->fast_start = i;
            k->fast_search_fail = 0;
            k->c->st.migrate_scanned += scanned;
            return at_least(block_start(k, i), k->z->start);
        }
    }
    k->c->st.migrate_scanned += scanned;
    k->fast_search_fail++;
    return fast_start_again(k);
}

bool compact_isolate_movable(struct control *k)
{
    uint64_t low = fast_find(k);
    bool fast = low != k->migrate_pfn && !k->fast_search_fail;
    uint64_t end = block_end(k, low);
    k->n_move = 0;
    k->move_pages = 0;
    for (; end <= k->free_pfn; fast = false, k->migrate_pfn = low = end, end += block_pages(k)) {
        uint64_t start = at_least(block_start(k, low), k->z->start);
        k->migrate_pfn = low;
        if (zone_virgin_at(k->z, low))
            continue;
        if ((low == block_start(k, low) || low == k->z->start) && !fast && skip_block(k, low))
            continue;
        if (!suitable_source(k, start)) {
            cache_migrate(k, end);
            continue;
        }
        isolate_block(k, low, end);
        break;
    }
    return k->n_move != 0;
}
