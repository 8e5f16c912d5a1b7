/*
 * From a memory configuration to RAM ranges, nodes, zones, and the ranges that the allocator gets (linux-mm 1.1, 1.2).
 *
 *   pfn 0      low_reserved     4096          1048576 - hole  1048576
 *    |--reserved--|=====DMA======|=====DMA32=====|..pci hole..|=====Normal=====|--boot_reserved--|
 *    |------------------- node 0 ----------------------|------------ node 1 ---------------------|
 */
#include "frames/zones/layout.h"

#include <stdlib.h>
#include <string.h>

enum { LOW_RESERVED_SHARE = 16 }; /* of a small machine at most this share is kept for low_reserved */
enum { LOCAL_DISTANCE = 10, REMOTE_DISTANCE = 20 }; /* ACPI SLIT's values where memory.node_distances is empty */

typedef unsigned long long ull;

static const char *const zone_names[2][N_ZONES] = {
    [MEMORY_ZONES_X86_64] = {"DMA", "DMA32", "Normal", "Movable"},
    [MEMORY_ZONES_X86_32] = {"DMA", "Normal", "HighMem", "Movable"},
};

struct plan {
    const struct memory_config *c;
    struct frame_range *out; /* reserved pieces, ascending once sorted */
    size_t n;
    uint64_t node_end[FRAME_NODES]; /* pfn behind each node's last RAM */
};

static int check_sizes(const struct memory_config *c, struct err *err)
{
    const struct { const char *key; uint64_t bytes; } sizes[] = {
        {"memory.size", c->size_bytes},
        {"memory.low_reserved", c->low_reserved_bytes},
        {"memory.pci_hole", c->pci_hole_bytes},
        {"memory.boot_reserved", c->boot_reserved_bytes},
        {"memory.kernelcore", c->kernelcore_bytes},
        {"memory.movablecore", c->movablecore_bytes},
        {"memory.highmem_start", c->highmem_start},
    };
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        if (sizes[i].bytes % PAGE_BYTES)
            return err_set(err, ERR_USAGE, "%s is %llu bytes, not a multiple of 4KiB", sizes[i].key, (ull)sizes[i].bytes);
    if (c->size_bytes < memory_params[0].min || c->size_bytes > memory_params[0].max)
        return err_set(err, ERR_USAGE, "memory.size is %llu bytes, not within 1MiB to 1TiB", (ull)c->size_bytes);
    if (c->pci_hole_bytes > 3ull << 30)
        return err_set(err, ERR_USAGE, "memory.pci_hole is larger than 3GiB");
    if (c->kernelcore_bytes && c->movablecore_bytes)
        return err_set(err, ERR_USAGE, "memory.kernelcore and memory.movablecore say the same thing twice: give one");
    for (size_t i = 0; i < c->reserved.n; i++) {
        const struct memory_reserved *r = (const struct memory_reserved *)c->reserved.o + i;
        if ((r->start | r->bytes) % PAGE_BYTES || !r->bytes)
            return err_set(err, ERR_USAGE, "memory.reserved[%zu] is empty or not whole pages of 4KiB", i);
    }
    return 0;
}

/* ---- nodes -------------------------------------------------------------------------------------------------------------- */

static int set_nodes(struct frame_map *map, struct plan *p, struct err *err)
{
    const struct memory_config *c = p->c;
    uint64_t align = 1ull << map->max_order, pages = map->present, given = 0, at = 0;
    map->n_nodes = c->node_sizes.n ? (unsigned)c->node_sizes.n : c->nodes ? c->nodes : 1;
    if (map->n_nodes > FRAME_NODES)
        return err_set(err, ERR_USAGE, "memory.node_sizes has %u nodes; at most %d", map->n_nodes, FRAME_NODES);
    for (unsigned i = 0; i < map->n_nodes; i++) {
        uint64_t n = c->node_sizes.n ? c->node_sizes.u[i] >> PAGE_SHIFT : pages / map->n_nodes & ~(align - 1);
        if (!c->node_sizes.n && i + 1 == map->n_nodes)
            n = pages - given;
        if (!n || (i + 1 < map->n_nodes && n % align))
            return err_set(err, ERR_USAGE, "node %u has %llu pages, not a multiple of the largest block (%llu)", i, (ull)n,
                           (ull)align);
        given += n;
        /* Nodes follow each other in RAM; a hole belongs to the node around it. */
        for (unsigned r = 0; r < map->n_ram && n;) {
            uint64_t from = at > map->ram[r].start ? at : map->ram[r].start;
            if (from >= map->ram[r].end) {
                r++;
                continue;
            }
            uint64_t take = map->ram[r].end - from < n ? map->ram[r].end - from : n;
            at = from + take;
            n -= take;
        }
        if (n)
            break;
        p->node_end[i] = at;
    }
    if (given != pages)
        return err_set(err, ERR_USAGE, "memory.node_sizes sum to %llu pages, memory.size is %llu", (ull)given, (ull)pages);
    return 0;
}

static int set_distances(struct frame_map *map, const struct memory_config *c, struct err *err)
{
    unsigned n = map->n_nodes;
    if (c->node_distances.n && c->node_distances.n != (size_t)n * n)
        return err_set(err, ERR_USAGE, "memory.node_distances has %zu values; %u nodes need %u", c->node_distances.n, n,
                       n * n);
    for (unsigned i = 0; i < n; i++)
        for (unsigned j = 0; j < n; j++)
            map->distance[i][j] = c->node_distances.n ? (uint32_t)c->node_distances.u[i * n + j]
                                                      : i == j ? LOCAL_DISTANCE : REMOTE_DISTANCE;
    return 0;
}

/* alloc_flags_nofragment: where the first zone is Normal, other zones come before foreign pageblocks. */
static bool nofragment(const struct frame_map *map, unsigned node, enum zone_type highest)
{
    const struct zone *z = &map->zones[node * N_ZONES];
    return !map->zones_x32 && highest >= ZONE_NORMAL && z[ZONE_NORMAL].managed &&
           !(highest == ZONE_MOVABLE && z[ZONE_MOVABLE].managed) && (map->n_nodes == 1 || zone_populated(&z[ZONE_DMA32]));
}

/* The zones of one node, from the highest that a request may use down. */
static void append_node(struct frame_map *map, unsigned local, unsigned node)
{
    for (unsigned highest = 0; highest < N_ZONES; highest++) {
        struct frame_zonelist *l = &map->zonelist[local][highest];
        for (unsigned t = highest + 1; t-- > 0;)
            if (map->zones[node * N_ZONES + t].managed)
                l->zone[l->n++] = (uint8_t)(node * N_ZONES + t);
    }
}

/* build_zonelists: nodes by distance, nearer ones first and, among equal, those behind the local one before those in
 * front of it (find_next_best_node without its load). */
static void set_zonelists(struct frame_map *map)
{
    memset(map->zonelist, 0, sizeof map->zonelist);
    unsigned n = map->n_nodes;
    for (unsigned local = 0; local < n; local++) {
        bool used[FRAME_NODES] = {false};
        for (unsigned k = 0; k < n; k++) {
            unsigned best = n;
            uint64_t cost = 0;
            for (unsigned j = 0; j < n; j++) {
                uint64_t its = j == local ? 0 : 2 * (uint64_t)map->distance[local][j] + (j < local);
                if (!used[j] && (best == n || its < cost)) {
                    best = j;
                    cost = its;
                }
            }
            used[best] = true;
            append_node(map, local, best);
        }
        for (unsigned highest = 0; highest < N_ZONES; highest++) {
            struct frame_zonelist *l = &map->zonelist[local][highest];
            l->nofragment = nofragment(map, local, (enum zone_type)highest);
        }
    }
}

/* ---- zones -------------------------------------------------------------------------------------------------------------- */

static uint64_t overlap(uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    uint64_t lo = a > c ? a : c, hi = b < d ? b : d;
    return lo < hi ? hi - lo : 0;
}

static uint64_t ram_between(const struct frame_map *map, uint64_t a, uint64_t b)
{
    uint64_t n = 0;
    for (unsigned r = 0; r < map->n_ram; r++)
        n += overlap(a, b, map->ram[r].start, map->ram[r].end);
    return n;
}

static uint64_t clamp(uint64_t v, uint64_t lo, uint64_t hi) { return v < lo ? lo : v > hi ? hi : v; }

static uint64_t min_u64(uint64_t a, uint64_t b) { return a < b ? a : b; }

/* One node's part of kernelcore: up to `share` pages of its RAM, of which those below `usable` count in any case. */
static void kernelcore_of_node(const struct frame_map *map, uint64_t from, uint64_t to, uint64_t usable, uint64_t share,
                               uint64_t *core, uint64_t *start)
{
    for (unsigned r = 0; r < map->n_ram; r++) {
        uint64_t a = clamp(map->ram[r].start, from, to), b = clamp(map->ram[r].end, from, to);
        a = *start > a ? *start : a;
        if (a >= b)
            continue;
        if (a < usable) {
            uint64_t low = min_u64(b, usable) - a;
            share -= min_u64(low, share);
            *core -= min_u64(low, *core);
            if (b <= usable) {
                *start = b;
                continue;
            }
            a = usable;
        }
        uint64_t n = min_u64(b - a, share);
        *start = a + n;
        *core -= min_u64(n, *core);
        share -= n;
        if (!share)
            return;
    }
}

/* find_zone_movable_pfns_for_nodes: kernelcore is spread over the nodes, what lies below the zone that Movable is carved
 * from counts as part of it, and nodes too small for their share leave theirs to the others. 0: the node has no Movable. */
static void movable_starts(const struct frame_map *map, const struct plan *p, uint64_t usable, uint64_t start[FRAME_NODES])
{
    const struct memory_config *c = p->c;
    uint64_t align = 1ull << map->max_order, core = c->kernelcore_bytes >> PAGE_SHIFT, total = map->present;
    uint64_t movable = ((c->movablecore_bytes >> PAGE_SHIFT) + align - 1) & ~(align - 1);
    if (movable)
        core = movable < total ? total - movable : 0;
    if (!core || core >= total)
        return;
    unsigned nodes = map->n_nodes;
    do {
        uint64_t share = core / nodes;
        for (unsigned i = 0; i < map->n_nodes; i++)
            kernelcore_of_node(map, i ? p->node_end[i - 1] : 0, p->node_end[i], usable, share, &core, &start[i]);
    } while (--nodes && core > nodes);
    for (unsigned i = 0; i < map->n_nodes; i++) {
        start[i] = (start[i] + align - 1) & ~(align - 1);
        if (start[i] >= p->node_end[i])
            start[i] = 0;
    }
}

static void set_rules(struct frame_map *map)
{
    for (unsigned node = 0; node < map->n_nodes; node++)
        for (gfp_t gfp = 0; gfp < FRAME_GFP_RULES; gfp++) {
            enum zone_type highest = map->zones_x32 ? gfp_zone_32(gfp) : gfp_zone(gfp);
            const struct frame_zonelist *l = &map->zonelist[node][highest];
            bool own = l->n && map->zones[l->zone[0]].node == node;
            map->rule[node][gfp] = (struct frame_rule){
                .first = own ? &map->zones[l->zone[0]] : NULL, .highest = (uint8_t)highest,
                .mt = (uint8_t)(map->mobility ? gfp_migratetype(gfp) : MIGRATE_UNMOVABLE)};
        }
}

static void set_spans(struct frame_map *map)
{
    map->n_spans = 0;
    for (unsigned i = 0; i < map->n_zones; i++) {
        if (map->zones[i].start >= map->zones[i].end)
            continue;
        unsigned at = map->n_spans++;
        for (; at && map->span[at - 1].start > map->zones[i].start; at--)
            map->span[at] = map->span[at - 1];
        map->span[at].start = map->zones[i].start;
        map->span[at].zone = &map->zones[i];
    }
    if (!map->n_spans)
        map->span[map->n_spans++].zone = map->zones;
    map->span[0].start = 0; /* pfn 0 is reserved, and asked for like any other */
}

static void set_zones(struct frame_map *map, const struct plan *p)
{
    const struct memory_config *c = p->c;
    bool x32 = c->zones == MEMORY_ZONES_X86_32;
    uint64_t high = c->highmem_start >> PAGE_SHIFT;
    const uint64_t bounds[2][N_ZONES] = {{1, DMA_END_PFN, DMA32_END_PFN, UINT64_MAX}, {1, DMA_END_PFN, high, UINT64_MAX}};
    const uint64_t *b = bounds[x32];
    unsigned top = map->n_frames > b[2] ? 2 : map->n_frames > b[1] ? 1 : 0; /* Movable is carved from this one */
    uint64_t movable[FRAME_NODES] = {0}, from = 0;
    movable_starts(map, p, b[top], movable);
    map->n_zones = map->n_nodes * N_ZONES;
    for (unsigned i = 0; i < map->n_zones; i++) {
        unsigned node = i / N_ZONES, t = i % N_ZONES;
        struct zone *z = &map->zones[i];
        z->name = zone_names[x32][t];
        z->type = (enum zone_type)t;
        z->node = node;
        z->flags = t == ZONE_MOVABLE ? ZONE_IS_MOVABLE : x32 && t == ZONE_HIGHMEM_32 ? ZONE_IS_HIGHMEM : 0;
        from = node ? p->node_end[node - 1] : 0;
        uint64_t to = p->node_end[node], cut = movable[node];
        if (t == ZONE_MOVABLE) {
            z->start = cut;
            z->end = cut ? to : 0;
        } else {
            z->start = clamp(from, b[t], b[t + 1]);
            z->end = clamp(to, b[t], b[t + 1]);
            if (cut && cut <= z->start)
                z->end = z->start;
            else if (cut && cut < z->end)
                z->end = cut;
        }
        if (z->start >= z->end)
            z->start = z->end = 0;
        z->present = ram_between(map, z->start, z->end);
    }
    set_spans(map);
}

void frames_zones_changed(struct frame_map *map)
{
    set_spans(map);
    set_zonelists(map);
    set_rules(map);
}

/* ---- what the allocator gets -------------------------------------------------------------------------------------------- */

static int by_start(const void *a, const void *b)
{
    const struct frame_range *x = a, *y = b;
    return (x->start > y->start) - (x->start < y->start);
}

static void reserve(struct plan *p, uint64_t start, uint64_t end)
{
    if (start < end)
        p->out[p->n++] = (struct frame_range){.start = start, .end = end};
}

static void add_managed(struct frame_map *map, uint64_t start, uint64_t end)
{
    while (start < end) {
        struct zone *z = frames_zone_of(map, (pfn_t){start});
        uint64_t stop = end < z->end ? end : z->end;
        map->ranges[map->n_ranges++] = (struct frame_range){start, stop, (unsigned)(z - map->zones)};
        z->managed += stop - start;
        map->managed += stop - start;
        start = stop;
    }
}

static int set_ranges(struct frame_map *map, struct plan *p, uint64_t low, uint64_t boot, struct err *err)
{
    const struct memory_config *c = p->c;
    size_t most = c->reserved.n + FRAME_RAM + 1;
    p->out = calloc(most, sizeof *p->out);
    /* Each reserved piece and each zone border cuts one range in two. */
    map->ranges = calloc(most + FRAME_RAM + FRAME_ZONES, sizeof *map->ranges);
    if (!p->out || !map->ranges)
        return err_set(err, ERR_RUN, "out of host memory for %zu reserved ranges", c->reserved.n);
    reserve(p, 0, low);
    for (size_t i = 0; i < c->reserved.n; i++) {
        const struct memory_reserved *r = (const struct memory_reserved *)c->reserved.o + i;
        uint64_t start = r->start >> PAGE_SHIFT, end = start + (r->bytes >> PAGE_SHIFT);
        reserve(p, start, end > map->n_frames ? map->n_frames : end);
    }
    for (unsigned r = map->n_ram; r-- > 0;) { /* what boot takes comes off the top, range by range */
        uint64_t have = map->ram[r].end - map->ram[r].start, take = boot < have ? boot : have;
        reserve(p, map->ram[r].end - take, map->ram[r].end);
        boot -= take;
    }
    qsort(p->out, p->n, sizeof *p->out, by_start);
    for (unsigned r = 0; r < map->n_ram; r++) {
        uint64_t at = map->ram[r].start;
        for (size_t i = 0; i < p->n; i++) {
            uint64_t s = clamp(p->out[i].start, at, map->ram[r].end), e = clamp(p->out[i].end, at, map->ram[r].end);
            add_managed(map, at, s);
            at = e;
        }
        add_managed(map, at, map->ram[r].end);
    }
    map->reserved = map->present - map->managed;
    return map->managed ? 0 : err_set(err, ERR_USAGE, "memory.reserved and memory.boot_reserved leave nothing of memory.size");
}

int layout_set(struct frame_map *map, const struct memory_config *c, struct err *err)
{
    if (check_sizes(c, err))
        return -1;
    struct plan plan = {.c = c};
    uint64_t pages = c->size_bytes >> PAGE_SHIFT, low = c->low_reserved_bytes >> PAGE_SHIFT;
    uint64_t boot = c->boot_reserved_bytes >> PAGE_SHIFT, below = DMA32_END_PFN - (c->pci_hole_bytes >> PAGE_SHIFT);
    if (low > pages / LOW_RESERVED_SHARE)
        low = pages / LOW_RESERVED_SHARE;
    if (low == 0)
        low = 1; /* pfn 0 is never given to a zone */
    if (boot >= pages - low)
        return err_set(err, ERR_USAGE, "memory.boot_reserved (%llu pages) leaves nothing of memory.size (%llu pages)",
                       (ull)boot, (ull)pages);

    map->present = pages;
    if (pages <= below || below == DMA32_END_PFN) {
        map->ram[map->n_ram++] = (struct frame_range){.start = 0, .end = pages};
    } else {
        map->ram[map->n_ram++] = (struct frame_range){.start = 0, .end = below};
        map->ram[map->n_ram++] = (struct frame_range){.start = DMA32_END_PFN, .end = DMA32_END_PFN + pages - below};
    }
    map->n_frames = map->ram[map->n_ram - 1].end;
    map->zones_x32 = c->zones == MEMORY_ZONES_X86_32;
    if (set_nodes(map, &plan, err) || set_distances(map, c, err))
        return -1;
    set_zones(map, &plan);
    int rc = set_ranges(map, &plan, low, boot, err);
    free(plan.out);
    return rc;
}
