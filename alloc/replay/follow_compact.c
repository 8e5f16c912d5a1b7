/*
 * Free pages that compaction isolates leave the buddy lists without a page event; its own says which range its free scanner looked at
 * and how many pages it took (isolate_freepages_block: every free block whose head lies there). Where the range holds no more here,
 * which blocks they were is known, but for the pages that it lacks. What of them is not needed comes back as frees, what is moved away
 * from is freed: both have events. Where it holds more, or the fast search names only where it looked, its blocks stay, as of unknown place.
 */
#include "replay/follow.h"

#include "frames/buddy/buddy.h"
#include "replay/before/image.h"

/* __isolate_free_page: of half a pageblock or more, the pageblocks become movable. */
static void become_movable(struct follow *f, struct zone *z, uint64_t pfn, unsigned order)
{
    struct frame_map *map = f->map;
    for (uint64_t p = pfn; map->mobility && order + 1 >= map->pageblock_order && p < pfn + (1ull << order); p += 1ull << map->pageblock_order) {
        enum migratetype mt = pageblock_get(map, p);
        if (mt < MIGRATE_PCPTYPES && mt != MIGRATE_MOVABLE)
            buddy_move_pageblock(map, z, p, mt, MIGRATE_MOVABLE);
    }
}

static void isolate(struct follow *f, struct zone *z, uint64_t pfn, unsigned order)
{
    struct frame_map *map = f->map;
    free_list_del(map, z, pfn, order, map->mobility ? pageblock_get(map, pfn) : MIGRATE_UNMOVABLE);
    follow_set_old(f, pfn, false);
    for (uint64_t p = pfn; p < pfn + (1ull << order); p++) /* what comes there can be moved, since it was */
        map->frames[p] = (struct frame){.state = FRAME_ALLOCATED, .tag = FRAME_TAG_ANON};
    textbook_taken(f->book, pfn, order);
    become_movable(f, z, pfn, order);
}

/* The next free block whose head is in [p, end); its head or `end`. */
static uint64_t next_free(const struct frame_map *map, uint64_t p, uint64_t end)
{
    while (p < end && map->frames[p].state != FRAME_FREE)
        p++;
    return p;
}

void follow_isolated(struct follow *f, const struct follow_isolation *e)
{
    struct frame_map *map = f->map;
    uint64_t end = e->end < map->n_frames ? e->end : map->n_frames, have = 0;
    f->st.isolations += f->counting;
    f->st.isolated += f->counting ? e->taken : 0;
    if (!e->taken)
        return;
    for (uint64_t p = next_free(map, e->start, end); p < end; p = next_free(map, p + (1ull << map->frames[p].order), end))
        have += 1ull << map->frames[p].order;
    bool known = !e->fast && have <= e->taken;
    f->st.isolated_unknown += !f->counting ? 0 : !known ? e->taken : e->taken - have;
    for (uint64_t p = next_free(map, e->start, end); p < end;) {
        unsigned order = map->frames[p].order;
        struct zone *z = image_zone(map, p);
        if (known && z) {
            isolate(f, z, p, order);
            if (e->each)
                e->each(e->self, p, order);
        } else {
            follow_set_old(f, p, true);
        }
        p = next_free(map, p + (1ull << order), end);
    }
}
