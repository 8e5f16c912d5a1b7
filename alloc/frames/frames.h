/*
 * Physical memory as the operating system sees it: the frame map.
 *
 * One `struct frame` a frame, in one lazily paid mapping: a frame that was never touched costs no host memory, a
 * touched one 32 bytes. The heads of blocks carry the block's state; all other frames of a block are FRAME_NONE:
 *
 *      pfn    512      513 .. 515    516      517     518   519
 *           +--------+-------------+--------+-------+-----+-----+
 *           | FREE   | NONE ...    | ALLOC  | ALLOC | FREE| NONE|
 *           | order 2|             | ord. 0 | ord. 0| o. 1|     |
 *           +--------+-------------+--------+-------+-----+-----+
 *
 * Free memory is in the zones' free lists (zone.h, buddy.c), threaded through the frames by index. Behind the last
 * frame the same array holds the list heads and, per zone, one element that stands for its virgin memory; pfn 0 is
 * never given to a zone.
 *
 * Not thread-safe: one map belongs to one simulation. Model: docs/model/frames.md, docs/model/buddy.md.
 */
#ifndef FRAMES_FRAMES_H
#define FRAMES_FRAMES_H

#include "engine/err.h"
#include "engine/types.h"
#include "frames/frames_config.h"
#include "frames/zones/gfp.h"
#include "frames/hooks.h"
#include "frames/zones/zone.h"

enum frame_state {
    FRAME_NONE = 0, /* not the head of a block (or never touched) */
    FRAME_FREE,     /* head of a free block of 2^order frames */
    FRAME_ALLOCATED, /* head of an allocated block of 2^order frames */
    FRAME_PCP       /* head of a block on a CPU's list (pcp.h): neither free nor allocated */
};

/* What an allocated block is used for. `movable`: could be migrated (on an LRU list, in the kernel's terms); the
 * claiming of pageblocks counts these (linux-mm 2.6). */
#define FRAME_TAGS(X) \
    X(NONE, "none", 0) \
    X(ANON, "anon", 1) \
    X(FILE, "file", 1) \
    X(SHMEM, "shmem", 1) \
    X(PGTABLE, "pgtable", 0) \
    X(KERNEL, "kernel", 0) \
    X(SLAB, "slab", 0) \
    X(VMALLOC, "vmalloc", 0) \
    X(DMA, "dma", 0) \
    X(OTHER, "other", 0) \
    X(BALLAST, "ballast", 1) /* movable memory of an aged machine that no process owns (ageing.h) */
enum frame_tag {
#define FRAME_TAG_ENUM(name, text, movable) FRAME_TAG_##name,
    FRAME_TAGS(FRAME_TAG_ENUM)
#undef FRAME_TAG_ENUM
        N_FRAME_TAGS
};

struct frame {
    uint32_t next, prev; /* links of the free list; while allocated, free for the owner's lists (LRU) */
    uint8_t state;       /* enum frame_state */
    uint8_t order;       /* of the block; 0 where state is FRAME_NONE */
    uint8_t tag;         /* enum frame_tag */
    uint8_t flags;       /* the owner's; 0 after allocation */
    uint32_t mapcount;   /* the owner's: how many page-table entries map it; 0 after allocation */
    uint64_t vpn;        /* the owner's reverse map: virtual page (or file page) of the first mapping */
    uint32_t asid;       /* ... and its address space; 0 after allocation */
    uint32_t private;    /* the owner's; 0 after allocation */
};
_Static_assert(sizeof(struct frame) == 32, "a touched frame costs 32 bytes");

#define FRAMES_STATS(X) \
    X(allocs, "blocks", "blocks handed out") \
    X(frees, "blocks", "blocks given back") \
    X(splits, "splits", "a free block was halved") \
    X(merges, "merges", "two free buddies became one block") \
    X(fallbacks, "allocations", "allocations that took memory of a pageblock of another migratetype") \
    X(fallback_claims_whole, "allocations", "... by retyping whole free pageblocks") \
    X(fallback_claims_part, "allocations", "... by retyping a pageblock that is partly in use") \
    X(fallback_steals, "allocations", "... by taking frames and leaving the pageblock's type") \
    X(fallback_unmovable_from_reclaimable, "allocations", "... unmovable, out of reclaimable pageblocks") \
    X(fallback_unmovable_from_movable, "allocations", "... unmovable, out of movable pageblocks") \
    X(fallback_movable_from_reclaimable, "allocations", "... movable, out of reclaimable pageblocks") \
    X(fallback_movable_from_unmovable, "allocations", "... movable, out of unmovable pageblocks") \
    X(fallback_reclaimable_from_unmovable, "allocations", "... reclaimable, out of unmovable pageblocks") \
    X(fallback_reclaimable_from_movable, "allocations", "... reclaimable, out of movable pageblocks") \
    X(slow_paths, "requests", "requests that no zone could satisfy above its low watermark") \
    X(failures, "requests", "requests that no zone could satisfy: out of memory, or an optional huge page not had") \
    X(kswapd_wakes, "requests", "slow paths that wake kswapd") \
    X(direct_reclaims, "tries", "slow paths that reclaimed by themselves") \
    X(direct_compactions, "tries", "slow paths that compacted by themselves") \
    X(oom_calls, "calls", "slow paths that asked for a process to be killed") \
    X(boosts, "claims", "claims of a part of a pageblock that raised the zone's marks") \
    X(highatomic_reserved, "pageblocks", "pageblocks set aside for urgent requests of several pages") \
    X(highatomic_unreserved, "pageblocks", "... given back under pressure") \
    X(failures_pages, "pages", "pages those requests asked for")
#define PCP_STATS(X) \
    X(hits, "blocks", "blocks handed out from a CPU's list without asking the zone") \
    X(refills, "refills", "an empty list asked its zone for a batch") \
    X(refill_pages, "pages", "pages that came in refills") \
    X(frees, "blocks", "blocks given back to a CPU's list") \
    X(drains, "drains", "lists gave pages back to their zone") \
    X(drain_pages, "pages", "pages that went back in drains")
struct pcp_stats {
#define PCP_STAT_FIELD(name, unit, help) uint64_t name;
    PCP_STATS(PCP_STAT_FIELD)
#undef PCP_STAT_FIELD
};

struct frames_stats {
#define FRAMES_STAT_FIELD(name, unit, help) uint64_t name;
    FRAMES_STATS(FRAMES_STAT_FIELD)
#undef FRAMES_STAT_FIELD
};

struct frame_range { uint64_t start, end; unsigned zone; }; /* zone: index of frame_map's zones */
struct frame_span { uint64_t start; struct zone *zone; };   /* up to the next span */
enum { FRAME_RAM = 2, FRAME_NODES = 8, FRAME_ZONES = FRAME_NODES * N_ZONES };
/* The zones with managed memory that a request goes through, in order, by index; nofragment: others of them come before
 * foreign pageblocks of the first (alloc_flags_nofragment). */
struct frame_zonelist { uint8_t n, nofragment, zone[FRAME_ZONES]; };
/* What the lowest five bits of a gfp mask ask (the kernel's GFP_ZONE_TABLE with the migratetype). */
enum { FRAME_GFP_RULES = 32 };
struct frame_rule {
    struct zone *first; /* of the zonelist, if it is the node's own; else NULL */
    uint8_t highest, mt; /* enum zone_type, enum migratetype */
};
struct pcp;

struct rmap_link;
struct rmap_pool { struct rmap_link *link; uint32_t n, free, used; }; /* rmap.h */

struct frame_alloc_ops;
struct frame_map {
    struct frame *frames; /* [n_frames] and the pseudo frames behind */
    uint8_t *pageblocks;  /* migratetype ^ MIGRATE_MOVABLE of each pageblock, so that untouched means MOVABLE */
    uint64_t n_frames;    /* end of the highest RAM; frames [0, n_frames) exist or are holes */
    unsigned max_order, pageblock_order;
    bool mobility; /* pageblocks are typed; a machine too small for that keeps all in UNMOVABLE (linux-mm 1.8) */
    bool defrag_mode;
    const struct frame_alloc_ops *ops;
    void *index; /* the allocator's own; follows from the lists */
    struct zone zones[FRAME_ZONES]; /* N_ZONES a node: node * N_ZONES + enum zone_type */
    unsigned n_zones, n_nodes, n_spans;
    struct frame_span span[FRAME_ZONES]; /* which zone a frame is in, ascending */
    struct frame_zonelist zonelist[FRAME_NODES][N_ZONES]; /* of a node's requests, by the highest zone they may use */
    struct frame_rule rule[FRAME_NODES][FRAME_GFP_RULES];
    uint32_t distance[FRAME_NODES][FRAME_NODES];
    bool zones_x32; /* the zones are those of a 32-bit kernel */
    uint32_t boost_factor; /* vm.watermark_boost_factor */
    struct frames_hooks hooks; /* set by whoever reclaims, compacts, kills; zero: nobody does */
    unsigned cpus, cpu, node; /* how many there are; the one that allocates and frees now, and its node (frames_on_cpu) */
    unsigned node_cpus[FRAME_NODES]; /* CPUs of each node */
    struct pcp *pcps;                /* [n_zones][cpus], or NULL: no per-CPU lists */
    uint32_t pcp_high_fraction, pcp_scale_max;
    uint64_t pcp_cache_pages;        /* a CPU's share of the last-level cache */
    tick_t pcp_decay_ps, pcp_decay_next; /* frames_tick; 0: never */
    struct frame_range ram[FRAME_RAM];       /* where RAM is, ascending; `zone` is not used */
    struct frame_range *ranges;              /* what the allocator got at boot, ascending; each lies in one zone */
    unsigned n_ram, n_ranges;
    uint64_t present, managed, reserved; /* pages of RAM; reserved = present - managed (pfn 0 among them) */
    uint64_t min_free_kb;
    uint64_t tag_pages[N_FRAME_TAGS]; /* allocated pages by use */
    struct frames_stats st;
    struct pcp_stats pcp_st;
    struct rmap_pool rmap;
    size_t frames_bytes, pageblocks_bytes; /* of the mappings */
};

/* Builds the machine's memory. ERR_USAGE for sizes that cannot work; ERR_RUN if the host gives no address space. */
int frame_map_new(struct frame_map **out, const struct memory_config *mem, const struct buddy_config *buddy,
                  struct err *err);
void frame_map_free(struct frame_map *map); /* NULL is fine */

/* Time goes on: the per-CPU lists decay when it is due (pcp.h). For callers that have time. */
void frames_tick(struct frame_map *map, tick_t now);

/*
 * First frame of a naturally aligned block of 2^order frames for `tag`, or PFN_NONE: running out is a result, counted
 * in st.failures. Zones from gfp_zone(gfp) downwards; first all above their low watermark, then above the minimum
 * (less for __GFP_HIGH and non-blocking requests), both with lowmem_reserve. __GFP_MEMALLOC ignores the marks.
 */
pfn_t frames_alloc(struct frame_map *map, gfp_t gfp, unsigned order, enum frame_tag tag);
/* Gives back a block. Asserts that `pfn` is the head of an allocated block of that order. */
void frames_free(struct frame_map *map, pfn_t pfn, unsigned order);
/* Makes one allocated block of order `from` into blocks of order `to`, which are freed one by one. Each inherits tag,
 * flags and owner; vpn counts on by 1 a frame. */
void frames_split(struct frame_map *map, pfn_t pfn, unsigned from, unsigned to);
/* Another use for an allocated block (the counts by tag follow). */
void frames_retag(struct frame_map *map, pfn_t pfn, enum frame_tag tag);

/* Zones are ranges of addresses (x86-64): 16 MiB is the reach of ISA DMA, 4 GiB that of 32-bit devices. */
#define DMA_END_PFN 4096u
#define DMA32_END_PFN 1048576u

/* The zone that holds a frame of memory; for a hole, the one before it. */
static inline struct zone *frames_zone_of(struct frame_map *map, pfn_t pfn)
{
    unsigned i = map->n_spans - 1;
    while (i && pfn.v < map->span[i].start)
        i--;
    return map->span[i].zone;
}
static inline enum zone_type frame_zone(const struct frame_map *map, pfn_t pfn)
{
    return frames_zone_of((struct frame_map *)(uintptr_t)map, pfn)->type;
}
/* Must be called when the free lists were changed by others than the allocator. */
void frames_rebuild(struct frame_map *map);
/* Must be called when start, end or managed of zones, or `mobility`, were changed. */
void frames_zones_changed(struct frame_map *map);

/* The zones of requests of `node` up to zone `highest`. */
static inline const struct frame_zonelist *frames_zonelist(const struct frame_map *map, unsigned node, enum zone_type highest)
{
    return &map->zonelist[node][highest];
}
static inline const struct frame_rule *frames_rule(const struct frame_map *map, gfp_t gfp)
{
    return &map->rule[map->node][gfp % FRAME_GFP_RULES];
}
/* CPUs are spread over the nodes in order. */
static inline unsigned frames_cpu_node(const struct frame_map *map, unsigned cpu)
{
    return map->n_nodes == 1 ? 0 : (unsigned)((uint64_t)cpu * map->n_nodes / map->cpus);
}
/* From now on the caller runs on this CPU: its page lists serve. */
static inline void frames_on_cpu(struct frame_map *map, unsigned cpu)
{
    map->cpu = cpu;
    map->node = frames_cpu_node(map, cpu);
}
/* "Normal", or "node1.Normal" for the zones of a second node. */
enum { ZONE_LABEL = 32 };
const char *frames_zone_label(const struct zone *z, char buf[ZONE_LABEL]);
/* kswapd has reclaimed: so many pages of the boost go (linux-mm 9.5). */
void frames_unboost(struct zone *z, uint64_t pages);

static inline struct frame *frame_at(const struct frame_map *map, pfn_t pfn) { return &map->frames[pfn.v]; }

/* The block that holds `pfn`. */
enum frame_kind { FRAME_IS_HOLE, FRAME_IS_RESERVED, FRAME_IS_FREE, FRAME_IS_ALLOCATED, FRAME_IS_PCP };
struct frame_block { enum frame_kind kind; pfn_t head; unsigned order, zone; }; /* zone: index */
/* `head` and `order` are meaningful for free, allocated and per-CPU frames. Any pfn may be asked. */
struct frame_block frames_find(const struct frame_map *map, pfn_t pfn);

/* The first of `ranges` that ends behind pfn (it may begin behind it, too); n_ranges: none. A snapshot's memory has thousands. */
unsigned frames_range_behind(const struct frame_map *map, uint64_t pfn);

enum migratetype frames_pageblock_type(const struct frame_map *map, pfn_t pfn);
/* managed = free + on per-CPU lists + allocated */
uint64_t frames_free_pages(const struct frame_map *map);
uint64_t frames_pcp_pages(const struct frame_map *map);
uint64_t frames_allocated_pages(const struct frame_map *map);
bool frame_tag_movable(enum frame_tag tag);
const char *frame_tag_name(enum frame_tag tag);
const char *migratetype_name(enum migratetype mt); /* as /proc/pagetypeinfo writes it */

/* The state of memory as bytes, with the contents of page tables in `mem`. Loading: the map is new, built from the same
 * configuration; afterwards frames_check tells whether the parts fit together. */
struct phys_mem;
struct state_io;
void frames_state(struct frame_map *map, struct phys_mem *mem, struct state_io *io);

/* Registers "buddy.*" and "zone.<name>.*". */
struct stats;
void frames_add_stats(const struct frame_map *map, struct stats *s);

/*
 * The expensive verifier (--check): free blocks disjoint, aligned, on the right list, merged; no frame in two blocks;
 * every managed frame in one; counts agree; free + per-CPU + allocated + reserved = present. 0, or -1 and a message that names
 * the frame. Time and temporary memory: proportional to touched frames and n_frames / 8 bytes.
 */
int frames_check(const struct frame_map *map, struct err *err);
/* The part of it that looks at free memory: for a replay's map, in which what is in use has no records. */
int frames_check_free(const struct frame_map *map, struct err *err);

#endif
