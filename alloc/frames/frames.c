#include "frames/frames.h"

#include "frames/frame_alloc.h"
#include "frames/buddy/free_list.h"
#include "frames/zones/layout.h"
#include "frames/buddy/pcp.h"
#include "frames/rmap.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define FRAME_ALLOCATOR_OPS(name) [FRAME_ALLOCATOR_##name] = &name##_frame_ops,
static const struct frame_alloc_ops *const allocators[N_FRAME_ALLOCATORS] = {FRAME_ALLOCATORS(FRAME_ALLOCATOR_OPS)};

#define FRAME_TAG_NAME(name, text, movable) text,
#define FRAME_TAG_MOVABLE(name, text, movable) movable,
static const char *const tag_names[N_FRAME_TAGS] = {FRAME_TAGS(FRAME_TAG_NAME)};
static const bool tag_movable[N_FRAME_TAGS] = {FRAME_TAGS(FRAME_TAG_MOVABLE)};

bool frame_tag_movable(enum frame_tag tag) { return (unsigned)tag < N_FRAME_TAGS && tag_movable[tag]; }
const char *frame_tag_name(enum frame_tag tag) { return (unsigned)tag < N_FRAME_TAGS ? tag_names[tag] : "unknown"; }

const char *migratetype_name(enum migratetype mt)
{
    static const char *const names[MIGRATE_TYPES] = {"Unmovable", "Movable", "Reclaimable", "HighAtomic", "Isolate"};
    return (unsigned)mt < MIGRATE_TYPES ? names[mt] : "unknown";
}

/* ---- building --------------------------------------------------------------------------------------------------- */

static void *map_lazily(size_t bytes, const char *what, struct err *err)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) {
        err_set(err, ERR_RUN, "no address space for %s (%zu bytes): %s", what, bytes, strerror(errno));
        err_remedy(err, "lower memory.size, or lift the limits on virtual memory (ulimit -v, vm.overcommit_memory)");
        return NULL;
    }
    madvise(p, bytes, MADV_NOHUGEPAGE); /* else one touched frame could cost 2 MiB; only advice, may fail */
    return p;
}

static size_t page_align(size_t bytes) { return (bytes + PAGE_BYTES - 1) & ~(size_t)(PAGE_BYTES - 1); }

static int map_arrays(struct frame_map *map, struct err *err)
{
    map->frames_bytes = page_align((map->n_frames + map->n_zones * ZONE_PSEUDO) * sizeof(struct frame));
    map->pageblocks_bytes = page_align((map->n_frames >> map->pageblock_order) + 1);
    map->frames = map_lazily(map->frames_bytes, "the frame map", err);
    if (!map->frames)
        return -1;
    map->pageblocks = map_lazily(map->pageblocks_bytes, "the pageblock map", err);
    return map->pageblocks ? 0 : -1;
}

static void init_lists(struct frame_map *map)
{
    for (unsigned i = 0; i < map->n_zones; i++) {
        struct zone *z = &map->zones[i];
        z->list_base = (uint32_t)(map->n_frames + i * ZONE_PSEUDO);
        z->virgin_link = z->list_base + ZONE_HEADS;
        for (uint32_t h = z->list_base; h <= z->virgin_link; h++)
            map->frames[h].next = map->frames[h].prev = h;
    }
}

static void set_marks(struct frame_map *map, const struct memory_config *c)
{
    unsigned n = map->n_zones;
    if (c->min_free_bytes) {
        map->min_free_kb = c->min_free_bytes / 1024;
        zones_set_watermarks(map->zones, n, map->min_free_kb, c->watermark_scale_factor);
    } else {
        map->min_free_kb = zones_min_free_kb(map->zones, n);
        zones_set_watermarks(map->zones, n, map->min_free_kb, c->watermark_scale_factor);
        if (c->khugepaged_min_free) {
            /* Later in the boot, so that it sees the marks of the first computation. */
            map->min_free_kb = zones_min_free_kb_khugepaged(map->zones, n, map->min_free_kb, map->pageblock_order);
            zones_set_watermarks(map->zones, n, map->min_free_kb, c->watermark_scale_factor);
        }
    }
    uint32_t ratio[N_ZONES] = {c->lowmem_reserve_ratio_dma, c->lowmem_reserve_ratio_dma32, c->lowmem_reserve_ratio_normal, 0};
    if (map->zones_x32) {
        ratio[ZONE_NORMAL_32] = c->lowmem_reserve_ratio_normal;
        ratio[ZONE_HIGHMEM_32] = 0;
    }
    for (unsigned i = 0; i < map->n_nodes; i++)
        zones_set_lowmem_reserve(map->zones + i * N_ZONES, ratio);
    map->boost_factor = c->watermark_boost_factor;
    pcp_set_sizes(map);
}

static int init_pcps(struct frame_map *map, const struct memory_config *mem, const struct buddy_config *buddy,
                     struct err *err)
{
    map->cpus = buddy->cpus ? buddy->cpus : 1;
    for (unsigned c = 0; c < map->cpus; c++)
        map->node_cpus[frames_cpu_node(map, c)]++;
    map->pcp_high_fraction = mem->percpu_pagelist_high_fraction;
    map->pcp_scale_max = buddy->pcp_batch_scale_max;
    map->pcp_cache_pages = buddy->pcp_cache_bytes >> PAGE_SHIFT;
    map->pcp_decay_ps = map->pcp_decay_next = mem->stat_interval_ps;
    if (!buddy->pcp || !map->ops->pcp)
        return 0;
    map->pcps = calloc((size_t)map->n_zones * map->cpus, sizeof *map->pcps);
    if (!map->pcps)
        return err_set(err, ERR_RUN, "out of host memory for the page lists of %u CPUs", map->cpus);
    for (unsigned i = 0; i < map->n_zones; i++)
        map->zones[i].pcps = &map->pcps[(size_t)i * map->cpus];
    return 0;
}

int frame_map_new(struct frame_map **out, const struct memory_config *mem, const struct buddy_config *buddy,
                  struct err *err)
{
    *out = NULL;
    if (buddy->max_order > FRAME_MAX_ORDER || buddy->pageblock_order > buddy->max_order)
        return err_set(err, ERR_USAGE, "buddy.pageblock_order (%u) must be at most buddy.max_order (%u), and that at "
                                       "most %d", buddy->pageblock_order, buddy->max_order, FRAME_MAX_ORDER);
    if (buddy->allocator < 0 || buddy->allocator >= N_FRAME_ALLOCATORS)
        return err_set(err, ERR_USAGE, "buddy.allocator: no such allocator");
    struct frame_map *map = calloc(1, sizeof *map);
    if (!map)
        return err_set(err, ERR_RUN, "out of host memory");
    map->max_order = buddy->max_order;
    map->pageblock_order = buddy_pageblock_order(buddy);
    map->defrag_mode = buddy->defrag_mode;
    map->ops = allocators[buddy->allocator];
    if (layout_set(map, mem, err) || map_arrays(map, err) || init_pcps(map, mem, buddy, err)) {
        frame_map_free(map);
        return -1;
    }
    map->mobility = buddy->group_by_mobility && map->ops->types && map->managed >> map->pageblock_order >= MIGRATE_TYPES;
    if (!map->mobility)
        memset(map->pageblocks, MIGRATE_UNMOVABLE ^ MIGRATE_MOVABLE,
               (size_t)(map->n_frames >> map->pageblock_order) + 1);
    frames_zones_changed(map);
    init_lists(map);
    if (map->ops->init && map->ops->init(map, err)) {
        frame_map_free(map);
        return -1;
    }
    for (unsigned i = 0; i < map->n_ranges; i++) {
        const struct frame_range *r = &map->ranges[i];
        map->ops->add_range(map, &map->zones[r->zone], r->start, r->end, buddy->eager_init);
    }
    frames_rebuild(map);
    set_marks(map, mem);
    *out = map;
    return 0;
}

void frames_rebuild(struct frame_map *map)
{
    if (map->ops->rebuild)
        map->ops->rebuild(map);
}

void frame_map_free(struct frame_map *map)
{
    if (!map)
        return;
    if (map->ops->fini)
        map->ops->fini(map);
    if (map->frames)
        munmap(map->frames, map->frames_bytes);
    if (map->pageblocks)
        munmap(map->pageblocks, map->pageblocks_bytes);
    free(map->pcps);
    free(map->ranges);
    rmap_fini(map);
    free(map);
}

/* ---- allocated blocks -------------------------------------------------------------------------------------------- */

void frames_split(struct frame_map *map, pfn_t pfn, unsigned from, unsigned to)
{
    assert(pfn.v < map->n_frames && to <= from);
    struct frame *head = frame_at(map, pfn);
    assert(head->state == FRAME_ALLOCATED && head->order == from);
    head->order = (uint8_t)to;
    for (uint64_t off = 1ull << to; off < 1ull << from; off += 1ull << to) {
        head[off] = *head;
        head[off].vpn = head->vpn + off;
    }
}

void frames_retag(struct frame_map *map, pfn_t pfn, enum frame_tag tag)
{
    struct frame *f = frame_at(map, pfn);
    assert(pfn.v < map->n_frames && f->state == FRAME_ALLOCATED);
    map->tag_pages[f->tag] -= 1ull << f->order;
    map->tag_pages[tag] += 1ull << f->order;
    f->tag = (uint8_t)tag;
}

const char *frames_zone_label(const struct zone *z, char buf[ZONE_LABEL])
{
    if (z->node == 0)
        return z->name;
    snprintf(buf, ZONE_LABEL, "node%u.%s", z->node, z->name);
    return buf;
}

/* ---- questions -------------------------------------------------------------------------------------------------- */

unsigned frames_range_behind(const struct frame_map *map, uint64_t pfn)
{
    unsigned from = 0, to = map->n_ranges;
    while (from < to) {
        unsigned mid = from + (to - from) / 2;
        if (map->ranges[mid].end > pfn)
            to = mid;
        else
            from = mid + 1;
    }
    return from;
}

struct frame_block frames_find(const struct frame_map *map, pfn_t pfn)
{
    struct frame_block b = {.kind = FRAME_IS_HOLE, .head = PFN_NONE, .zone = (unsigned)(frames_zone_of((struct frame_map *)(uintptr_t)map, pfn) - map->zones)};
    for (unsigned i = 0; i < map->n_ram; i++)
        if (pfn.v >= map->ram[i].start && pfn.v < map->ram[i].end)
            b.kind = FRAME_IS_RESERVED;
    unsigned range = frames_range_behind(map, pfn.v);
    if (range == map->n_ranges || pfn.v < map->ranges[range].start)
        return b;
    if (zone_virgin_at(&map->zones[b.zone], pfn.v)) {
        b.kind = FRAME_IS_FREE;
        b.order = map->max_order;
        b.head.v = pfn.v & ~((1ull << b.order) - 1);
        return b;
    }
    for (unsigned o = 0; o <= map->max_order; o++) {
        const struct frame *f = &map->frames[pfn.v & ~((1ull << o) - 1)];
        if (f->state == FRAME_NONE || f->order < o)
            continue;
        b.kind = f->state == FRAME_FREE ? FRAME_IS_FREE : f->state == FRAME_PCP ? FRAME_IS_PCP : FRAME_IS_ALLOCATED;
        b.order = f->order;
        b.head.v = (uint64_t)(f - map->frames);
        return b;
    }
    return b; /* a managed frame in no block: frames_check tells */
}

enum migratetype frames_pageblock_type(const struct frame_map *map, pfn_t pfn)
{
    assert(pfn.v < map->n_frames);
    return pageblock_get(map, pfn.v);
}

uint64_t frames_free_pages(const struct frame_map *map)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < map->n_zones; i++)
        n += map->zones[i].free;
    return n;
}

uint64_t frames_allocated_pages(const struct frame_map *map)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < N_FRAME_TAGS; i++)
        n += map->tag_pages[i];
    return n;
}
