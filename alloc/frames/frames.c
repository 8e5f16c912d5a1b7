#include "frames/frames.h"

#include "frames/frame_alloc.h"
#include "frames/free_list.h"
#include "frames/layout.h"
#include "frames/pcp.h"

#include <assert.h>
#include <errno.h>
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
    map->frames_bytes = page_align((map->n_frames + N_ZONES * ZONE_PSEUDO) * sizeof(struct frame));
    map->pageblocks_bytes = page_align((map->n_frames >> map->pageblock_order) + 1);
    map->frames = map_lazily(map->frames_bytes, "the frame map", err);
    if (!map->frames)
        return -1;
    map->pageblocks = map_lazily(map->pageblocks_bytes, "the pageblock map", err);
    return map->pageblocks ? 0 : -1;
}

static void init_lists(struct frame_map *map)
{
    for (unsigned i = 0; i < N_ZONES; i++) {
        struct zone *z = &map->zones[i];
        z->list_base = (uint32_t)(map->n_frames + i * ZONE_PSEUDO);
        z->virgin_link = z->list_base + ZONE_HEADS;
        for (uint32_t h = z->list_base; h <= z->virgin_link; h++)
            map->frames[h].next = map->frames[h].prev = h;
    }
}

static void set_marks(struct frame_map *map, const struct memory_config *c)
{
    if (c->min_free_bytes) {
        map->min_free_kb = c->min_free_bytes / 1024;
        zones_set_watermarks(map->zones, map->min_free_kb, c->watermark_scale_factor);
    } else {
        map->min_free_kb = zones_min_free_kb(map->zones);
        zones_set_watermarks(map->zones, map->min_free_kb, c->watermark_scale_factor);
        if (c->khugepaged_min_free) {
            /* Later in the boot, so that it sees the marks of the first computation. */
            map->min_free_kb = zones_min_free_kb_khugepaged(map->zones, map->min_free_kb, map->pageblock_order);
            zones_set_watermarks(map->zones, map->min_free_kb, c->watermark_scale_factor);
        }
    }
    const uint32_t ratio[N_ZONES] = {c->lowmem_reserve_ratio_dma, c->lowmem_reserve_ratio_dma32,
                                     c->lowmem_reserve_ratio_normal, 0};
    zones_set_lowmem_reserve(map->zones, ratio);
    pcp_set_sizes(map);
}

static int init_pcps(struct frame_map *map, const struct memory_config *mem, const struct buddy_config *buddy,
                     struct err *err)
{
    map->cpus = buddy->cpus ? buddy->cpus : 1;
    map->node_cpus[0] = map->cpus;
    map->pcp_high_fraction = mem->percpu_pagelist_high_fraction;
    map->pcp_scale_max = buddy->pcp_batch_scale_max;
    map->pcp_cache_pages = buddy->pcp_cache_bytes >> PAGE_SHIFT;
    if (!buddy->pcp || !map->ops->pcp)
        return 0;
    map->pcps = calloc((size_t)map->n_zones * map->cpus, sizeof *map->pcps);
    return map->pcps ? 0 : err_set(err, ERR_RUN, "out of host memory for the page lists of %u CPUs", map->cpus);
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
    map->pageblock_order = buddy->pageblock_order;
    map->defrag_mode = buddy->defrag_mode;
    map->ops = allocators[buddy->allocator];
    map->n_zones = N_ZONES;
    if (layout_set(map, mem, err) || map_arrays(map, err) || init_pcps(map, mem, buddy, err)) {
        frame_map_free(map);
        return -1;
    }
    map->mobility = buddy->group_by_mobility && map->managed >> map->pageblock_order >= MIGRATE_TYPES;
    if (!map->mobility)
        memset(map->pageblocks, MIGRATE_UNMOVABLE ^ MIGRATE_MOVABLE,
               (size_t)(map->n_frames >> map->pageblock_order) + 1);
    init_lists(map);
    for (unsigned i = 0; i < map->n_ranges; i++) {
        const struct frame_range *r = &map->ranges[i];
        map->ops->add_range(map, &map->zones[r->zone], r->start, r->end, buddy->eager_init);
    }
    set_marks(map, mem);
    *out = map;
    return 0;
}

void frame_map_free(struct frame_map *map)
{
    if (!map)
        return;
    if (map->frames)
        munmap(map->frames, map->frames_bytes);
    if (map->pageblocks)
        munmap(map->pageblocks, map->pageblocks_bytes);
    free(map->pcps);
    free(map);
}

/* ---- allocation ------------------------------------------------------------------------------------------------- */

/* gfp_to_alloc_flags (linux-mm 1.8) for a task that is neither an OOM victim nor reclaiming. */
static unsigned slow_flags(const struct frame_map *map, gfp_t gfp, unsigned order)
{
    unsigned flags = WMARK_MIN;
    if (map->defrag_mode)
        flags |= ALLOC_NOFRAGMENT;
    if (gfp & __GFP_HIGH)
        flags |= ALLOC_MIN_RESERVE;
    if (!(gfp & (__GFP_DIRECT_RECLAIM | __GFP_NOMEMALLOC))) {
        flags |= ALLOC_NON_BLOCK;
        if (order > 0 && (gfp & __GFP_HIGH))
            flags |= ALLOC_HIGHATOMIC;
    }
    if ((gfp & __GFP_MEMALLOC) && !(gfp & __GFP_NOMEMALLOC))
        flags |= ALLOC_NO_WATERMARKS;
    return flags;
}

static inline pfn_t rmqueue(struct frame_map *map, struct zone *z, unsigned order, enum migratetype mt,
                            unsigned flags)
{
    if (map->pcps && pcp_order(order)) {
        pfn_t pfn = pcp_alloc(map, z, map->cpu, order, mt, flags);
        if (likely(!pfn_is_none(pfn)))
            return pfn;
    }
    enum rmqueue_mode mode = RMQUEUE_NORMAL;
    return map->ops->alloc(map, z, order, mt, flags, &mode);
}

/* One pass over the zonelist, highest zone first (get_page_from_freelist, linux-mm 2.9). */
static pfn_t from_zonelist(struct frame_map *map, enum zone_type highest, unsigned order, enum migratetype mt,
                           unsigned flags, struct zone **from)
{
    for (int i = (int)highest; i >= 0; i--) {
        struct zone *z = &map->zones[i];
        if (!z->managed)
            continue;
        if (!(z->flags & ZONE_BELOW_HIGH)) {
            if (likely(zone_watermark_ok(z, order, highest, (flags & ~(unsigned)ALLOC_WMARK_MASK) | WMARK_HIGH)))
                goto try_this_zone;
            z->flags |= ZONE_BELOW_HIGH; /* noticed here rather than where pages are freed, which happens more often */
        }
        if (!(flags & ALLOC_NO_WATERMARKS) && unlikely(!zone_watermark_ok(z, order, highest, flags))) {
            if ((flags & ALLOC_WMARK_MASK) == WMARK_LOW)
                z->st.low_misses++;
            else
                z->st.min_misses++;
            continue;
        }
    try_this_zone:;
        pfn_t pfn = rmqueue(map, z, order, mt, flags);
        if (likely(!pfn_is_none(pfn))) {
            *from = z;
            return pfn;
        }
        z->st.no_block++;
    }
    return PFN_NONE;
}

static pfn_t try_zones(struct frame_map *map, enum zone_type highest, unsigned order, enum migratetype mt,
                       unsigned flags, struct zone **from)
{
    pfn_t pfn = from_zonelist(map, highest, order, mt, flags, from);
    if (unlikely(pfn_is_none(pfn)) && (flags & ALLOC_NOFRAGMENT) && !map->defrag_mode)
        pfn = from_zonelist(map, highest, order, mt, flags & ~(unsigned)ALLOC_NOFRAGMENT, from);
    return pfn;
}

static pfn_t alloc_slow(struct frame_map *map, gfp_t gfp, unsigned order, enum zone_type highest,
                        enum migratetype mt, struct zone **from)
{
    map->st.slow_paths++;
    unsigned flags = slow_flags(map, gfp, order);
    pfn_t pfn = try_zones(map, highest, order, mt, flags, from);
    if (pfn_is_none(pfn) && map->defrag_mode)
        pfn = from_zonelist(map, highest, order, mt, flags & ~(unsigned)ALLOC_NOFRAGMENT, from);
    if (pfn_is_none(pfn) && (gfp & __GFP_DIRECT_RECLAIM) && frames_pcp_pages(map)) {
        /* What other CPUs and other types hold comes back, once (drain_all_pages in __alloc_pages_direct_reclaim). */
        pcp_drain_all(map, NULL);
        pfn = from_zonelist(map, highest, order, mt, flags & ~(unsigned)ALLOC_NOFRAGMENT, from);
    }
    return pfn;
}

pfn_t frames_alloc(struct frame_map *map, gfp_t gfp, unsigned order, enum frame_tag tag)
{
    struct zone *z = NULL;
    pfn_t pfn = PFN_NONE;
    if (likely(order <= map->max_order)) {
        enum zone_type highest = gfp_zone(gfp);
        enum migratetype mt = map->mobility ? gfp_migratetype(gfp) : MIGRATE_UNMOVABLE;
        /* Where the preferred zone is Normal, other zones come before foreign pageblocks (alloc_flags_nofragment). */
        bool normal = highest >= ZONE_NORMAL && map->zones[ZONE_NORMAL].managed;
        unsigned flags = WMARK_LOW | (normal || map->defrag_mode ? ALLOC_NOFRAGMENT : 0u);
        pfn = try_zones(map, highest, order, mt, flags, &z);
        if (unlikely(pfn_is_none(pfn)))
            pfn = alloc_slow(map, gfp, order, highest, mt, &z);
    }
    if (unlikely(pfn_is_none(pfn))) {
        map->st.failures++;
        map->st.failures_pages += 1ull << (order < 63 ? order : 63);
        return PFN_NONE;
    }
    struct frame *f = frame_at(map, pfn);
    *f = (struct frame){.state = FRAME_ALLOCATED, .order = (uint8_t)order, .tag = (uint8_t)tag};
    map->tag_pages[tag] += 1ull << order;
    map->st.allocs++;
    z->st.allocs++;
    z->st.alloc_pages += 1ull << order;
    return pfn;
}

void frames_free(struct frame_map *map, pfn_t pfn, unsigned order)
{
    assert(pfn.v < map->n_frames);
    struct frame *f = frame_at(map, pfn);
    assert(f->state == FRAME_ALLOCATED && f->order == order); /* else: freed twice, or never allocated */
    struct zone *z = frames_zone_of(map, pfn);
    map->tag_pages[f->tag] -= 1ull << order;
    map->st.frees++;
    z->st.frees++;
    z->st.free_pages_back += 1ull << order;
    f->state = FRAME_NONE;
    f->order = 0;
    f->tag = FRAME_TAG_NONE;
    if (map->pcps && pcp_order(order))
        pcp_free(map, z, map->cpu, pfn.v, order);
    else
        map->ops->free(map, z, pfn.v, order);
}

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

/* ---- questions -------------------------------------------------------------------------------------------------- */

static bool is_virgin(const struct zone *z, uint64_t pfn)
{
    for (unsigned i = z->virgin.first; i < z->virgin.n; i++)
        if (pfn >= z->virgin.run[i].start && pfn < z->virgin.run[i].end)
            return true;
    return false;
}

struct frame_block frames_find(const struct frame_map *map, pfn_t pfn)
{
    struct frame_block b = {.kind = FRAME_IS_HOLE, .head = PFN_NONE, .zone = frame_zone(pfn)};
    for (unsigned i = 0; i < map->n_ram; i++)
        if (pfn.v >= map->ram[i].start && pfn.v < map->ram[i].end)
            b.kind = FRAME_IS_RESERVED;
    bool managed = false;
    for (unsigned i = 0; i < map->n_ranges; i++)
        managed |= pfn.v >= map->ranges[i].start && pfn.v < map->ranges[i].end;
    if (!managed)
        return b;
    if (is_virgin(&map->zones[b.zone], pfn.v)) {
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
    for (unsigned i = 0; i < N_ZONES; i++)
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
