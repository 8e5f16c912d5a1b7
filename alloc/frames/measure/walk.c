#include "frames/measure/walk.h"

/* Memory that was never handed out lies in few runs of many blocks: the end of the one that holds `p`, or `p`. */
static uint64_t virgin_end(const struct zone *z, uint64_t p)
{
    for (unsigned i = z->virgin.first; i < z->virgin.n; i++)
        if (p >= z->virgin.run[i].start && p < z->virgin.run[i].end)
            return z->virgin.run[i].end;
    return p;
}

/* Where a stretch of holes or reserved frames that holds `p` may end: the next border of RAM or of what the allocator got. */
static uint64_t next_border(const struct frame_map *map, uint64_t p)
{
    uint64_t next = map->n_frames;
    for (unsigned i = 0; i < map->n_ram; i++)
        for (unsigned k = 0; k < 2; k++) {
            uint64_t at = k ? map->ram[i].end : map->ram[i].start;
            next = at > p && at < next ? at : next;
        }
    unsigned i = frames_range_behind(map, p); /* a range that holds p is not the border of what is none */
    i += i < map->n_ranges && map->ranges[i].start <= p;
    return i < map->n_ranges && map->ranges[i].start < next ? map->ranges[i].start : next;
}

bool frames_walk(const struct frame_map *map, uint64_t *at, struct frames_stretch *out)
{
    uint64_t p = *at, virgin = p;
    if (p >= map->n_frames)
        return false;
    for (unsigned i = 0; i < map->n_zones && virgin == p; i++)
        virgin = virgin_end(&map->zones[i], p);
    if (virgin > p) {
        *out = (struct frames_stretch){.start = p, .pages = virgin - p, .kind = FRAME_IS_FREE, .head = PFN_NONE};
    } else {
        struct frame_block b = frames_find(map, (pfn_t){p});
        *out = (struct frames_stretch){.start = p, .kind = b.kind, .head = b.head, .order = b.order};
        bool block = b.kind == FRAME_IS_FREE || b.kind == FRAME_IS_ALLOCATED || b.kind == FRAME_IS_PCP;
        out->pages = (block ? b.head.v + (1ull << b.order) : next_border(map, p)) - p;
    }
    *at = p + out->pages;
    return true;
}
