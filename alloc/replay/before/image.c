#include "replay/before/image.h"

#include "frames/buddy/free_list.h"
#include "replay/before/infer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

void *image_sparse(size_t bytes)
{
    void *p = mmap(NULL, bytes ? bytes : 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

void image_sparse_free(void *p, size_t bytes)
{
    if (p)
        munmap(p, bytes ? bytes : 1);
}

struct zone *image_zone(struct frame_map *map, uint64_t pfn)
{
    for (unsigned i = 0; i < map->n_zones; i++)
        if (pfn >= map->zones[i].start && pfn < map->zones[i].end)
            return &map->zones[i];
    return NULL;
}

/* ---- an empty map of the machine's shape ----------------------------------------------------------------------------- */

const struct snap_zone *image_snap_zone(const struct snapshot *s, const struct zone *z)
{
    return z->node < s->nodes ? snapshot_zone((struct snapshot *)(uintptr_t)s, s->node[z->node], z->name) : NULL;
}

static const uint64_t MOST_PAGES = 1ull << 28; /* memory.size is at most 1 TiB */

static int by_start(const void *a, const void *b)
{
    const struct snap_zone *x = *(const struct snap_zone *const *)a, *y = *(const struct snap_zone *const *)b;
    return (x->start_pfn > y->start_pfn) - (x->start_pfn < y->start_pfn);
}

int image_check(const struct snapshot *s, struct err *err)
{
    const struct snap_zone *z[SNAP_ZONES];
    unsigned n = 0;
    if (!s->has_map || !s->has_info) {
        err_set(err, ERR_USAGE, "%s.%s is missing or empty", s->prefix, s->has_map ? "zoneinfo" : "pfnmap");
        return err_remedy(err, "a replay starts from the page map and zoneinfo of one moment: workload.kernel.before names them, workload.kernel.start "
                               "\"memory\" needs none");
    }
    if (s->nodes > FRAME_NODES)
        return err_set(err, ERR_USAGE, "%s.zoneinfo has %u nodes; a replay follows up to %d", s->prefix, s->nodes, FRAME_NODES);
    for (unsigned i = 0; i < s->zones; i++)
        if (s->zone[i].spanned)
            z[n++] = &s->zone[i];
    qsort(z, n, sizeof *z, by_start);
    uint64_t end = 0;
    for (unsigned i = 0; i < n; i++) {
        if (z[i]->start_pfn < end || z[i]->start_pfn > MOST_PAGES || z[i]->spanned > MOST_PAGES - z[i]->start_pfn)
            return err_set(err, ERR_USAGE, "%s.zoneinfo: zone %s of node %u overlaps another or lies beyond 1 TiB", s->prefix,
                           z[i]->name, z[i]->node);
        end = z[i]->start_pfn + z[i]->spanned;
    }
    if (s->pages > MOST_PAGES)
        return err_set(err, ERR_USAGE, "%s.pfnmap reaches beyond 1 TiB", s->prefix);
    return n ? 0 : err_set(err, ERR_USAGE, "%s.zoneinfo has no zone with memory", s->prefix);
}

/* frame_map_new lays out one range of memory; zones, marks and lists are then those of the snapshot, nothing is free. */
static int empty_map(struct frame_map **out, const struct snapshot *s, const struct image_options *opt, struct err *err)
{
    struct memory_config mem;
    struct buddy_config buddy;
    frames_config_defaults(&mem, &buddy);
    uint64_t top = s->pages;
    for (unsigned i = 0; i < s->zones; i++)
        if (s->zone[i].spanned && s->zone[i].start_pfn + s->zone[i].spanned > top)
            top = s->zone[i].start_pfn + s->zone[i].spanned;
    mem.size_bytes = top << PAGE_SHIFT;
    mem.low_reserved_bytes = PAGE_BYTES;
    mem.nodes = s->nodes;
    if (opt->policy) {
        mem.percpu_pagelist_high_fraction = opt->policy->percpu_pagelist_high_fraction;
        mem.stat_interval_ps = opt->policy->stat_interval_ps;
        mem.watermark_boost_factor = opt->policy->watermark_boost_factor;
    }
    for (unsigned i = 0; i < s->zones; i++)
        if (!strcmp(s->zone[i].name, "HighMem"))
            mem.zones = MEMORY_ZONES_X86_32;
    mem.pci_hole_bytes = mem.boot_reserved_bytes = 0;
    buddy.allocator = opt->allocator;
    buddy.pageblock_order = s->pageblock_order;
    buddy.group_by_mobility = !opt->one_type;
    buddy.eager_init = false;
    buddy.pcp = false; /* what is on the kernel's per-CPU lists is followed apart (lists.c) */
    if (opt->buddy) {
        buddy = *opt->buddy;
        buddy.max_order = FRAME_MAX_ORDER;
        buddy.pageblock_order = s->pageblock_order;
        buddy.eager_init = false;
    }
    uint64_t least = memory_params[0].min + ((uint64_t)mem.nodes << (FRAME_MAX_ORDER + PAGE_SHIFT));
    if (mem.size_bytes < least)
        mem.size_bytes = least;
    if (frame_map_new(out, &mem, &buddy, err) < 0)
        return -1;
    struct frame_map *map = *out;
    map->managed = map->present = 0;
    madvise(map->frames, map->frames_bytes, MADV_DONTNEED); /* what building wrote: all reads as zeros again */
    for (unsigned i = 0; i < map->n_zones; i++) {
        struct zone *z = &map->zones[i];
        const struct snap_zone *k = image_snap_zone(s, z);
        z->free = z->free_blocks = z->present = z->managed = z->start = z->end = 0;
        z->virgin = (struct virgin){0};
        memset(z->nr_free, 0, sizeof z->nr_free);
        memset(z->nr_free_mt, 0, sizeof z->nr_free_mt);
        memset(z->nonempty, 0, sizeof z->nonempty);
        for (uint32_t h = z->list_base; h <= z->virgin_link; h++)
            map->frames[h].next = map->frames[h].prev = h;
        if (!k || !k->spanned)
            continue;
        z->start = k->start_pfn;
        z->end = k->start_pfn + k->spanned;
        z->present = k->present;
        z->managed = k->managed;
        map->present += k->present;
        map->managed += k->managed;
        for (unsigned w = 0; w < N_WMARKS; w++)
            z->wmark[w] = k->wmark[w] > k->boost ? k->wmark[w] - k->boost : k->wmark[w];
        for (unsigned j = 0; j < N_ZONES; j++)
            z->lowmem_reserve[j] = j < k->reserves ? k->reserve[j] : 0;
        z->reserved_highatomic = k->has_blocks ? k->blocks[MIGRATE_HIGHATOMIC] << map->pageblock_order : 0;
    }
    map->reserved = map->present - map->managed;
    frames_zones_changed(map);
    return 0;
}

/* ---- pageblocks --------------------------------------------------------------------------------------------------------- */

struct blocks { struct infer_block *b; size_t n; };

static int collect(struct blocks *bs, const struct snapshot *s, struct frame_map *map, const struct zone *z,
                   const struct image_options *opt, struct err *err)
{
    unsigned shift = map->pageblock_order;
    uint64_t first = z->start >> shift, n = ((z->end - 1) >> shift) - first + 1;
    bs->b = calloc(n, sizeof *bs->b);
    if (!bs->b)
        return err_set(err, ERR_RUN, "out of memory");
    bs->n = n;
    for (uint64_t i = 0; i < n; i++) {
        uint8_t w = opt->witnessed ? opt->witnessed[first + i] : 0;
        bs->b[i].pfn = (first + i) << shift;
        bs->b[i].fixed = w != 0;
        bs->b[i].type = w ? (uint8_t)((w & ~IMAGE_WEAK) - 1) : MIGRATE_MOVABLE;
    }
    for (size_t r = 0; r < s->runs; r++) {
        uint64_t p = s->run[r].pfn, end = p + s->run[r].pages;
        if (end <= z->start || p >= z->end)
            continue;
        p = p < z->start ? z->start : p;
        end = end > z->end ? z->end : end;
        for (uint64_t q = p; q < end;) { /* what each pageblock holds */
            uint64_t stop = ((q >> shift) + 1) << shift;
            stop = stop < end ? stop : end;
            bs->b[(q >> shift) - first].used[s->run[r].class] += (uint16_t)(stop - q);
            q = stop;
        }
        for (uint64_t q = p; s->run[r].class == CLASS_FREE && q < end;) { /* the blocks a buddy allocator makes of it */
            unsigned o = q ? (unsigned)__builtin_ctzll(q) : map->max_order;
            o = o > map->max_order ? map->max_order : o;
            while (q + (1ull << o) > end)
                o--;
            bs->b[(q >> shift) - first].free[o]++;
            q += 1ull << o;
        }
    }
    return 0;
}

/* Of memory whose pageblocks are partly free the claiming of pageblocks wants to know which frames are movable. */
static void mark_users(struct frame_map *map, uint64_t p, uint64_t end, enum frame_class class)
{
    enum frame_tag tag = class == CLASS_ANON || class == CLASS_HUGE ? FRAME_TAG_ANON : FRAME_TAG_FILE;
    for (; p < end; p++)
        map->frames[p] = (struct frame){.state = FRAME_ALLOCATED, .tag = (uint8_t)tag};
}

static void place(struct frame_map *map, const struct snapshot *s, struct zone *z, const struct blocks *bs,
                  const struct image_options *opt, struct image_info *info)
{
    unsigned shift = map->pageblock_order;
    uint64_t first = z->start >> shift;
    for (size_t i = 0; i < bs->n; i++)
        pageblock_set(map, bs->b[i].pfn, map->mobility ? (enum migratetype)bs->b[i].type : MIGRATE_UNMOVABLE);
    for (size_t r = 0; r < s->runs; r++) {
        uint64_t p = s->run[r].pfn, end = p + s->run[r].pages;
        enum frame_class class = s->run[r].class;
        p = p < z->start ? z->start : p;
        end = end > z->end ? z->end : end;
        if (p >= end)
            continue;
        if (!opt->buddy && (class == CLASS_ANON || class == CLASS_FILE || class == CLASS_HUGE))
            for (uint64_t q = p; q < end;) {
                uint64_t stop = ((q >> shift) + 1) << shift;
                stop = stop < end ? stop : end;
                if (bs->b[(q >> shift) - first].used[CLASS_FREE] || (opt->users && class != CLASS_HUGE))
                    mark_users(map, q, stop, class);
                q = stop;
            }
        while (class == CLASS_FREE && p < end) {
            unsigned o = p ? (unsigned)__builtin_ctzll(p) : map->max_order;
            o = o > map->max_order ? map->max_order : o;
            while (p + (1ull << o) > end)
                o--;
            for (uint64_t q = p; o > shift && q < p + (1ull << o); q += 1ull << shift)
                pageblock_set(map, q, pageblock_get(map, p)); /* merged pageblocks have one type */
            free_list_add(map, z, p, o, pageblock_get(map, p), true);
            info->blocks[o]++;
            info->free_pages += 1ull << o;
            p += 1ull << o;
        }
    }
}

int image_build(struct frame_map **out, const struct snapshot *s, const struct image_options *opt, struct image_info *info,
                struct err *err)
{
    *out = NULL;
    *info = (struct image_info){0};
    struct frame_map *map = NULL;
    if (image_check(s, err) < 0 || empty_map(&map, s, opt, err) < 0)
        return -1;
    for (unsigned i = 0; i < map->n_zones; i++) {
        struct zone *z = &map->zones[i];
        const struct snap_zone *k = image_snap_zone(s, z);
        struct blocks bs = {0};
        if (!k || z->start == z->end)
            continue;
        if (collect(&bs, s, map, z, opt, err) < 0) {
            frame_map_free(map);
            return -1;
        }
        if (map->mobility)
            info->unlike += infer_types(bs.b, bs.n, k);
        for (size_t j = 0; j < bs.n; j++)
            if (bs.b[j].used[CLASS_FREE]) {
                info->pageblocks++;
                info->guessed += !bs.b[j].fixed;
            }
        place(map, s, z, &bs, opt, info);
        free(bs.b);
    }
    frames_rebuild(map); /* an allocator with an index looks at the lists anew */
    *out = map;
    return 0;
}
