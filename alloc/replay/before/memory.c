#include "replay/before/memory.h"

#include "frames/buddy/pcp.h"
#include "replay/before/image.h"

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
    for (size_t r = 0; r < s->runs; r++) {
        uint64_t at = s->run[r].pfn, end = at + s->run[r].pages;
        if (s->run[r].class == CLASS_RESERVED || s->run[r].class == CLASS_NONE)
            continue;
        for (unsigned i = 0; i < map->n_spans && at < end; i++) {
            const struct zone *z = map->span[i].zone;
            uint64_t from = at > z->start ? at : z->start, to = end < z->end ? end : z->end;
            if (from < to && add(ps, (struct piece){from, to, (unsigned)(z - map->zones), s->run[r].class}, err) < 0)
                return -1;
        }
    }
    return 0;
}

/* Holes, and memory that the kernel has not yet taken into use, look like "other" in long runs. */
static int first_to_go(const void *a, const void *b)
{
    const struct piece *x = *(struct piece *const *)a, *y = *(struct piece *const *)b;
    uint64_t nx = x->end - x->start, ny = y->end - y->start;
    if ((x->class == CLASS_OTHER) != (y->class == CLASS_OTHER))
        return x->class == CLASS_OTHER ? -1 : 1;
    return nx != ny ? (nx < ny ? 1 : -1) : (x->start > y->start) - (x->start < y->start);
}

/* The map has more used frames than the zone has managed ones: the longest runs are none. */
static int drop_surplus(struct pieces *ps, unsigned zone, uint64_t managed, struct err *err)
{
    struct piece **used = malloc((ps->n + 1) * sizeof *used);
    uint64_t have = 0;
    size_t n = 0;
    if (!used)
        return err_set(err, ERR_RUN, "out of memory for the snapshot's frames");
    for (size_t i = 0; i < ps->n; i++)
        if (ps->p[i].zone == zone) {
            have += ps->p[i].end - ps->p[i].start;
            if (ps->p[i].class != CLASS_FREE)
                used[n++] = &ps->p[i];
        }
    qsort(used, n, sizeof(struct piece *), first_to_go);
    for (size_t i = 0; i < n && have > managed; i++) {
        uint64_t pages = used[i]->end - used[i]->start, over = have - managed, go = over < pages ? over : pages;
        used[i]->end -= go;
        have -= go;
    }
    free(used);
    return 0;
}

/* Every piece is memory that the allocator got at boot; what is not free was handed out since. */
static int take_over(struct frame_map *map, const struct pieces *ps, struct memory_start *start, struct err *err)
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
        if (p->start == p->end)
            continue;
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
        bool movable = p->class == CLASS_ANON || p->class == CLASS_FILE || p->class == CLASS_HUGE;
        enum frame_tag tag = movable ? FRAME_TAG_BALLAST : FRAME_TAG_KERNEL;
        for (uint64_t pfn = p->start; pfn < p->end; pfn++)
            map->frames[pfn] = (struct frame){.state = FRAME_ALLOCATED, .tag = (uint8_t)tag};
        map->tag_pages[tag] += pages;
        z->st.allocs += pages; /* handed out by this zone and not given back: the books must say so */
        z->st.alloc_pages += pages;
        *(movable ? &start->ballast_movable : &start->ballast_unmovable) += pages;
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

static int build(struct frame_map *map, const struct snapshot *s, struct memory_start *start, struct err *err)
{
    struct pieces ps = {0};
    int rc = collect(&ps, s, map, err);
    for (unsigned i = 0; i < map->n_zones && rc == 0; i++) {
        const struct snap_zone *k = image_snap_zone(s, &map->zones[i]);
        if (k && k->spanned)
            rc = drop_surplus(&ps, i, k->managed, err);
    }
    if (rc == 0)
        rc = take_over(map, &ps, start, err);
    free(ps.p);
    if (rc < 0)
        return -1;
    for (unsigned i = 0; i < map->n_zones; i++) {
        const struct snap_zone *k = image_snap_zone(s, &map->zones[i]);
        if (k && k->has_blocks)
            map->zones[i].reserved_highatomic = k->blocks[MIGRATE_HIGHATOMIC] << map->pageblock_order;
    }
    pcp_set_sizes(map);
    compare(map, s, start);
    return 0;
}

int memory_from_snapshot(struct frame_map **out, struct snapshot *s, const struct buddy_config *buddy, uint64_t seed,
                         struct memory_start *start, struct err *err)
{
    struct image_options opt = {.allocator = buddy->allocator, .one_type = !buddy->group_by_mobility, .buddy = buddy};
    struct image_info info;
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
    if ((types && memory_invent_map(s, types, pageblocks, seed, err) < 0) || image_build(&map, s, &opt, &info, err) < 0 ||
        build(map, s, start, err) < 0) {
        frame_map_free(map);
        image_sparse_free(types, pageblocks);
        return -1;
    }
    image_sparse_free(types, pageblocks);
    start->unlike = info.unlike;
    *out = map;
    return 0;
}
