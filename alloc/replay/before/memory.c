#include "replay/before/memory.h"

#include "frames/buddy/pcp.h"
#include "replay/before/image.h"
#include "replay/before/unmanaged.h"

#include <stdlib.h>
#include <string.h>

/* A run of managed frames of one zone and use. */
struct piece { uint64_t start, end; unsigned zone; enum frame_class class; };
struct pieces { struct piece *p; size_t n, room; };

static int add(struct pieces *ps, struct piece p, struct err *err)
{
    if (ps->n == ps->room) {
        size_t room = ps->room ? ps->room * 2 : 1024;
        struct piece *more = realloc(ps->p, room * sizeof *more);
        if (!more)
            return err_set(err, ERR_RUN, "out of memory for the snapshot's frames");
        ps->p = more;
        ps->room = room;
    }
    ps->p[ps->n++] = p;
    return 0;
}

static int collect(struct pieces *ps, const struct snapshot *s, struct frame_map *map, struct err *err)
{
    struct told_runs told;
    int rc = snapshot_tell_unmanaged(&told, s, err);
    for (size_t r = 0; rc == 0 && r < told.n; r++) {
        uint64_t at = told.run[r].pfn, end = at + told.run[r].pages;
        if (told.run[r].class == CLASS_RESERVED || told.run[r].class == CLASS_NONE)
            continue;
        for (unsigned i = 0; i < map->n_spans && rc == 0; i++) {
            const struct zone *z = map->span[i].zone;
            uint64_t from = at > z->start ? at : z->start, to = end < z->end ? end : z->end;
            if (from < to)
                rc = add(ps, (struct piece){from, to, (unsigned)(z - map->zones), told.run[r].class}, err);
        }
    }
    told_runs_free(&told);
    return rc;
}

static enum frame_tag tag_of(enum frame_class c, bool as_recorded)
{
    switch (c) {
    case CLASS_ANON:
    case CLASS_HUGE: return as_recorded ? FRAME_TAG_ANON : FRAME_TAG_BALLAST;
    case CLASS_FILE: return as_recorded ? FRAME_TAG_FILE : FRAME_TAG_BALLAST;
    case CLASS_SLAB: return as_recorded ? FRAME_TAG_SLAB : FRAME_TAG_KERNEL;
    case CLASS_PGTABLE: return as_recorded ? FRAME_TAG_PGTABLE : FRAME_TAG_KERNEL;
    default: return FRAME_TAG_KERNEL;
    }
}

/* Page by page, as the map has them; a huge page where a whole aligned one is used as such. */
static void put_in_use(struct frame_map *map, const struct piece *p, enum frame_tag tag)
{
    uint64_t huge = p->class == CLASS_HUGE && map->max_order >= PCP_THP_ORDER ? 1ull << PCP_THP_ORDER : 0;
    for (uint64_t pfn = p->start, n; pfn < p->end; pfn += n) {
        bool whole = huge && !(pfn & (huge - 1)) && p->end - pfn >= huge;
        n = whole ? huge : 1;
        map->frames[pfn] = (struct frame){.state = FRAME_ALLOCATED, .tag = (uint8_t)tag, .order = whole ? PCP_THP_ORDER : 0};
    }
}

/* Every piece is memory that the allocator got at boot; what is not free was handed out since. */
static int take_over(struct frame_map *map, const struct pieces *ps, bool as_recorded, struct memory_start *start, struct err *err)
{
    struct frame_range *ranges = malloc((ps->n + 1) * sizeof *ranges);
    if (!ranges)
        return err_set(err, ERR_RUN, "out of memory for the snapshot's frames");
    free(map->ranges);
    map->ranges = ranges;
    map->n_ranges = 0;
    map->managed = 0;
    for (unsigned i = 0; i < map->n_zones; i++)
        map->zones[i].managed = 0;
    for (size_t i = 0; i < ps->n; i++) {
        const struct piece *p = &ps->p[i];
        struct zone *z = &map->zones[p->zone];
        struct frame_range *last = map->n_ranges ? &ranges[map->n_ranges - 1] : NULL;
        if (last && last->end == p->start && last->zone == p->zone)
            last->end = p->end;
        else
            ranges[map->n_ranges++] = (struct frame_range){p->start, p->end, p->zone};
        uint64_t pages = p->end - p->start;
        z->managed += pages;
        map->managed += pages;
        if (p->class == CLASS_FREE)
            continue;
        enum frame_tag tag = tag_of(p->class, as_recorded);
        put_in_use(map, p, tag);
        map->tag_pages[tag] += pages;
        z->st.allocs += pages; /* handed out by this zone and not given back: the books must say so */
        z->st.alloc_pages += pages;
        *(frame_tag_movable(tag) ? &start->ballast_movable : &start->ballast_unmovable) += pages;
    }
    for (unsigned i = 0; i < map->n_zones; i++)
        if (map->zones[i].managed > map->zones[i].present) {
            map->present += map->zones[i].managed - map->zones[i].present;
            map->zones[i].present = map->zones[i].managed;
        }
    map->reserved = map->present - map->managed;
    return 0;
}

static void compare(const struct frame_map *map, const struct snapshot *s, struct memory_start *start)
{
    for (unsigned i = 0; i < map->n_zones; i++) {
        const struct snap_zone *k = image_snap_zone(s, &map->zones[i]);
        for (unsigned o = 0; k && k->has_buddy && o < FRAME_ORDERS; o++)
            start->differs += (uint64_t)llabs((long long)(map->zones[i].nr_free[o] - k->nr_free[o]));
        for (unsigned c = 0; k && c < k->pcps; c++)
            start->pcp_pages += k->pcp[c].count;
    }
}

static int build(struct frame_map *map, const struct snapshot *s, bool as_recorded, struct memory_start *start, struct err *err)
{
    struct pieces ps = {0};
    int rc = collect(&ps, s, map, err);
    if (rc == 0)
        rc = take_over(map, &ps, as_recorded, start, err);
    free(ps.p);
    if (rc < 0)
        return -1;
    for (unsigned i = 0; i < map->n_zones; i++) {
        const struct snap_zone *k = image_snap_zone(s, &map->zones[i]);
        if (k && k->has_blocks)
            map->zones[i].reserved_highatomic = k->blocks[MIGRATE_HIGHATOMIC] << map->pageblock_order;
    }
    pcp_set_sizes(map);
    for (unsigned i = 0; as_recorded && map->pcps && i < map->n_zones; i++) {
        const struct snap_zone *k = image_snap_zone(s, &map->zones[i]);
        for (unsigned c = 0; k && c < k->pcps && c < map->cpus; c++)
            pcp_of(map, &map->zones[i], c)->high = (uint32_t)(k->pcp[c].high < UINT32_MAX ? k->pcp[c].high : UINT32_MAX);
    }
    compare(map, s, start);
    return 0;
}

int memory_from_snapshot(struct frame_map **out, struct snapshot *s, const struct memory_options *o, struct memory_start *start,
                         struct err *err)
{
    struct image_options opt = {.allocator = o->buddy->allocator, .one_type = !o->buddy->group_by_mobility, .buddy = o->buddy, .policy = o->policy,
                                .witnessed = o->witnessed};
    struct frame_map *map = NULL;
    uint64_t top = s->pages;
    uint8_t *types = NULL;
    *start = (struct memory_start){.from_map = s->has_map};
    *out = NULL;
    if (!s->has_info || (!s->has_map && !s->has_buddy)) {
        err_set(err, ERR_USAGE, "%s: memory cannot start as this snapshot", s->prefix);
        return err_remedy(err, "it needs zoneinfo, and the page map (pfnmap) or buddyinfo");
    }
    for (unsigned i = 0; i < s->zones; i++)
        if (s->zone[i].spanned && s->zone[i].start_pfn + s->zone[i].spanned > top)
            top = s->zone[i].start_pfn + s->zone[i].spanned;
    size_t pageblocks = (size_t)(top >> s->pageblock_order) + 2;
    if (!s->has_map) {
        if (top > 1ull << 28)
            return err_set(err, ERR_USAGE, "%s.zoneinfo reaches beyond 1 TiB", s->prefix);
        types = image_sparse(pageblocks);
        if (!types)
            return err_set(err, ERR_RUN, "out of memory");
        opt.witnessed = types;
    }
    if ((types && memory_invent_map(s, types, pageblocks, o->seed, err) < 0) || image_build(&map, s, &opt, &start->image, err) < 0 ||
        build(map, s, o->as_recorded, start, err) < 0) {
        frame_map_free(map);
        image_sparse_free(types, pageblocks);
        return -1;
    }
    image_sparse_free(types, pageblocks);
    start->unlike = start->image.unlike;
    *out = map;
    return 0;
}
