/*
 * The state of physical memory as bytes: the records of frames that were ever touched, pageblocks, zones, and the
 * contents of page tables (other frames have none). What the configuration fixes is compared, not loaded. Whether the
 * parts fit together is for frames_check, which trusts no link.
 */
#include "frames/frames.h"
#include "frames/buddy/pcp.h"
#include "frames/phys_mem.h"
#include "frames/rmap.h"
#include "engine/state.h"

#include <stdlib.h>
#include <sys/mman.h>

/* A member added to one of these is part of the state, or fixed by the configuration: decide, then correct the size. */
_Static_assert(sizeof(struct zone) == 896, "zone_state moves or compares every member");
_Static_assert(sizeof(struct frame_map) - FRAME_ZONES * sizeof(struct zone) == 6672, "frames_state moves or compares every member");
_Static_assert(sizeof(struct pcp) == 128, "pcp_state moves every member");

static void zone_state(struct zone *z, struct state_io *io)
{
    state_same(io, z->start, "start of a zone");
    state_same(io, z->end, "end of a zone");
    state_same(io, z->present, "size of a zone");
    state_same(io, z->managed, "managed size of a zone");
    for (unsigned i = 0; i < N_WMARKS; i++)
        state_same(io, z->wmark[i], "watermark");
    for (unsigned i = 0; i < N_ZONES; i++)
        state_same(io, z->lowmem_reserve[i], "lowmem_reserve");
    state_same(io, z->pcp_batch, "batch of the per-CPU lists");
    state_same(io, z->pcp_high_min, "high_min of the per-CPU lists");
    state_same(io, z->pcp_high_max, "high_max of the per-CPU lists");
    state_u64(io, &z->boost);
    enum { FIXED = ZONE_IS_HIGHMEM | ZONE_IS_MOVABLE };
    uint32_t flags = z->flags & ~(uint32_t)FIXED;
    state_u32(io, &flags);
    state_check(io, !(flags & FIXED), "a zone's flags are impossible");
    z->flags = (z->flags & FIXED) | flags;
    state_u64(io, &z->reserved_highatomic);
    state_u64(io, &z->free);
    state_u64(io, &z->free_blocks);
    state_u64(io, &z->rover);
    state_bytes(io, z->nr_free, sizeof z->nr_free);
    state_bytes(io, z->nr_free_mt, sizeof z->nr_free_mt);
    state_bytes(io, z->nonempty, sizeof z->nonempty);
    uint32_t mt = z->virgin_mt, n = z->virgin.n, first = z->virgin.first;
    state_u32(io, &mt);
    state_u32(io, &n);
    state_u32(io, &first);
    if (!state_check(io, mt < MIGRATE_TYPES && n <= ZONE_VIRGIN_RUNS && first <= n, "a zone's untouched memory is impossible"))
        return;
    z->virgin_mt = (enum migratetype)mt;
    z->virgin.n = n;
    z->virgin.first = first;
    state_bytes(io, z->virgin.run, sizeof z->virgin.run);
    state_u64(io, &z->virgin.blocks);
    state_bytes(io, &z->st, sizeof z->st);
    for (unsigned i = first; io->loading && i < n; i++)
        if (!state_check(io, z->virgin.run[i].start <= z->virgin.run[i].end && z->virgin.run[i].start >= z->start &&
                                 z->virgin.run[i].end <= z->end, "a zone's untouched memory lies outside it"))
            return;
}

static void pcp_state(struct frame_map *map, struct pcp *p, struct state_io *io)
{
    state_u32(io, &p->count);
    state_u32(io, &p->high);
    state_u32(io, &p->free_count);
    state_u8(io, &p->alloc_factor);
    state_bool(io, &p->prev_free_high_order);
    state_check(io, p->alloc_factor <= map->pcp_scale_max, "a per-CPU list's refill is impossible");
    for (unsigned l = 0; l < PCP_LISTS; l++) {
        state_u32(io, &p->list[l].first);
        state_u32(io, &p->list[l].last);
        state_check(io, p->list[l].first < map->n_frames && p->list[l].last < map->n_frames,
                    "a per-CPU list leads outside memory");
    }
}

/* Mappings of frames that several have (rmap.h). */
static void rmap_state(struct rmap_pool *p, struct state_io *io)
{
    uint32_t n = p->n, first = p->free, used = p->used;
    state_u32(io, &n);
    state_u32(io, &first);
    state_u32(io, &used);
    if (!state_check(io, n ? first < n && used < n : !first && !used, "the reverse map's records are impossible"))
        return;
    if (io->loading && n) {
        p->link = calloc(n, sizeof *p->link);
        if (!p->link) {
            state_fail(io, "out of host memory for the reverse map");
            return;
        }
    }
    p->n = n;
    p->free = first;
    p->used = used;
    for (uint32_t i = 0; i < n && !state_bad(io); i++) {
        state_u64(io, &p->link[i].vpn);
        state_u32(io, &p->link[i].asid);
        state_u32(io, &p->link[i].next);
        state_check(io, p->link[i].next < n, "the reverse map's records are impossible");
    }
}

/* The frames that may have been touched, ascending: all but virgin memory, with the pseudo frames behind memory. */
struct span { uint64_t from, to; };
static unsigned touched(const struct frame_map *map, struct span *out)
{
    struct span hole[FRAME_ZONES * ZONE_VIRGIN_RUNS];
    unsigned n = 0, k = 0;
    for (unsigned i = 0; i < map->n_zones; i++)
        for (unsigned r = map->zones[i].virgin.first; r < map->zones[i].virgin.n; r++) {
            struct span s = {map->zones[i].virgin.run[r].start, map->zones[i].virgin.run[r].end};
            unsigned at = n++;
            for (; at > 0 && hole[at - 1].from > s.from; at--)
                hole[at] = hole[at - 1];
            hole[at] = s;
        }
    uint64_t from = 0;
    for (unsigned i = 0; i < n; i++) {
        if (hole[i].from > from)
            out[k++] = (struct span){from, hole[i].from};
        from = hole[i].to > from ? hole[i].to : from;
    }
    uint64_t end = map->frames_bytes / sizeof *map->frames;
    if (from < end)
        out[k++] = (struct span){from, end};
    return k;
}

static void tables_state(struct frame_map *map, struct phys_mem *mem, struct span s, struct state_io *io)
{
    uint64_t end = s.to < map->n_frames ? s.to : map->n_frames;
    for (uint64_t pfn = s.from; pfn < end && !state_bad(io); pfn++)
        if (map->frames[pfn].state == FRAME_ALLOCATED && map->frames[pfn].tag == FRAME_TAG_PGTABLE)
            state_bytes(io, phys_at(mem, pfn_to_pa((pfn_t){pfn})), PAGE_BYTES);
}

/* Loading: the chains of frames that several map. */
static void check_chains(const struct frame_map *map, const struct span *span, unsigned n, struct state_io *io)
{
    uint8_t *seen = rmap_load_free(map, io);
    for (unsigned i = 0; i < n; i++)
        for (uint64_t f = span[i].from; f < span[i].to && f < map->n_frames && !state_bad(io); f++)
            if (map->frames[f].state == FRAME_ALLOCATED && (map->frames[f].flags & FRAME_FLAG_CHAIN))
                state_check(io, rmap_load_chain(map, &map->frames[f], seen), "the mappings of a frame are not what it counts");
    free(seen);
}

void frames_state(struct frame_map *map, struct phys_mem *mem, struct state_io *io)
{
    struct span span[FRAME_ZONES * ZONE_VIRGIN_RUNS + 1];
    state_mark(io, "frames");
    state_same(io, map->n_frames, "size of memory");
    state_same(io, map->managed, "managed size of memory");
    state_same(io, map->n_zones, "number of zones");
    state_same(io, map->max_order, "largest order");
    state_same(io, map->pageblock_order, "pageblock order");
    if (state_bad(io))
        return;
    if (io->loading) { /* what building the map wrote; the mappings read as zeros again */
        madvise(map->frames, map->frames_bytes, MADV_DONTNEED);
        madvise(map->pageblocks, map->pageblocks_bytes, MADV_DONTNEED);
    }
    for (unsigned i = 0; i < map->n_zones; i++)
        zone_state(&map->zones[i], io);
    state_same(io, map->pcps ? map->cpus : 0, "number of CPUs with page lists");
    for (size_t i = 0; map->pcps && i < (size_t)map->n_zones * map->cpus && !state_bad(io); i++)
        pcp_state(map, &map->pcps[i], io);
    state_bytes(io, &map->pcp_st, sizeof map->pcp_st);
    state_bytes(io, map->tag_pages, sizeof map->tag_pages);
    state_bytes(io, &map->st, sizeof map->st);
    rmap_state(&map->rmap, io);
    state_sparse(io, map->pageblocks, 0, map->pageblocks_bytes, 1);
    if (state_bad(io))
        return;
    unsigned n = touched(map, span);
    for (unsigned i = 0; i < n && !state_bad(io); i++)
        state_sparse(io, map->frames, span[i].from, span[i].to, sizeof *map->frames);
    for (unsigned i = 0; i < n && !state_bad(io); i++)
        tables_state(map, mem, span[i], io);
    if (io->loading && !state_bad(io))
        check_chains(map, span, n, io);
    if (io->loading && !state_bad(io))
        frames_rebuild(map);
}
