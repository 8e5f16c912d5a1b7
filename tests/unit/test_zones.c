/* Nodes, 32-bit zones, Movable, reserved ranges; the slow path's order, boost, highatomic; /proc/zoneinfo. */
#include "test_frames_util.h"

#include "frames/frame_alloc.h"
#include "frames/buddy/pcp.h"
#include "frames/proc/zoneinfo.h"

static void defaults(struct memory_config *m, struct buddy_config *b, uint64_t bytes)
{
    frames_config_defaults(m, b);
    m->size_bytes = bytes;
}

START_TEST(nodes_and_distances)
{
    struct memory_config c;
    struct buddy_config b;
    defaults(&c, &b, 16 * GIB);
    c.pci_hole_bytes = GIB;
    c.nodes = 4;
    b.cpus = 8;
    struct frame_map *m = map_of(c, b);
    ck_assert_uint_eq(m->n_zones, 4 * N_ZONES);
    /* Node 0: DMA, 3 GiB of DMA32 and what is missing to 4 GiB behind the hole; the others Normal. */
    ck_assert_uint_eq(m->zones[ZONE_DMA].managed, 3840);
    ck_assert_uint_eq(m->zones[ZONE_NORMAL].present, GIB / 4096);
    for (unsigned i = 1; i < 4; i++) {
        ck_assert(!zone_populated(&m->zones[i * N_ZONES + ZONE_DMA32]));
        ck_assert_uint_eq(m->zones[i * N_ZONES + ZONE_NORMAL].managed, 4 * GIB / 4096);
        ck_assert_uint_eq(m->zones[i * N_ZONES + ZONE_NORMAL].start, (i * 4ull + 1) * GIB / 4096);
    }
    ck_assert_uint_eq(m->managed + m->reserved, m->present);
    /* CPUs 4 and 5 are of node 2, and half of its per-CPU lists each. */
    frames_on_cpu(m, 5);
    pfn_t p = frames_alloc(m, GFP_HIGHUSER_MOVABLE, 0, FRAME_TAG_ANON);
    struct zone *z = frames_zone_of(m, p);
    ck_assert_uint_eq(z->node, 2);
    ck_assert_uint_eq(z->st.numa_hit, 1);
    ck_assert_uint_eq(z->st.numa_local, 1);
    ck_assert_uint_eq(z->pcp_high_max, z->managed / 8 / 2);
    /* Equally far: those behind come before those in front. In a node Normal before DMA32. */
    static const unsigned order[] = {2, 3, 0, 1};
    unsigned seen = 0, last = 9;
    const struct frame_zonelist *l = frames_zonelist(m, 2, ZONE_MOVABLE);
    for (unsigned k = 0; k < l->n; k++) {
        unsigned node = m->zones[l->zone[k]].node;
        if (node != last)
            ck_assert_uint_eq(order[seen++], node);
        last = node;
    }
    ck_assert_uint_eq(seen, 4);
    /* When the node is full the next in the list serves; THISNODE fails in the end. */
    while (z->st.numa_hit == z->st.allocs && !pfn_is_none(p = frames_alloc(m, GFP_HIGHUSER_MOVABLE, 10, FRAME_TAG_ANON)))
        if (frames_zone_of(m, p) != z)
            break;
    ck_assert_uint_eq(frames_zone_of(m, p)->node, 3);
    ck_assert_uint_gt(frames_zone_of(m, p)->st.numa_miss, 0);
    ck_assert_uint_gt(z->st.numa_foreign, 0);
    while (!pfn_is_none(p = frames_alloc(m, GFP_HIGHUSER_MOVABLE | __GFP_THISNODE, 10, FRAME_TAG_ANON)))
        ck_assert_uint_eq(frames_zone_of(m, p)->node, 2); /* down to its minimum mark, and never another's */
    ck_assert_uint_gt(frames_free_pages(m), m->managed / 2);
    check_map(m);
    frame_map_free(m);

    uint64_t sizes[] = {2 * GIB, 6 * GIB}, d[] = {10, 15, 15, 10};
    defaults(&c, &b, 8 * GIB);
    c.node_sizes = (struct param_list){.n = 2, .u = sizes};
    c.node_distances = (struct param_list){.n = 4, .u = d};
    m = map_of(c, b);
    ck_assert_uint_eq(m->n_nodes, 2);
    ck_assert_uint_eq(m->zones[ZONE_DMA32].end, 2 * GIB / 4096);
    ck_assert_uint_eq(m->zones[N_ZONES + ZONE_DMA32].present, 2 * GIB / 4096);
    ck_assert_uint_eq(m->distance[0][1], 15);
    check_map(m);
    frame_map_free(m);
}
END_TEST

START_TEST(zones_of_32_bits)
{
    struct memory_config c;
    struct buddy_config b;
    defaults(&c, &b, 2 * GIB);
    c.zones = MEMORY_ZONES_X86_32;
    struct frame_map *m = map_of(c, b);
    struct zone *low = &m->zones[ZONE_NORMAL_32], *high = &m->zones[ZONE_HIGHMEM_32];
    ck_assert_str_eq(low->name, "Normal");
    ck_assert_str_eq(high->name, "HighMem");
    ck_assert_uint_eq(high->start, 896 * MIB / 4096);
    ck_assert_uint_eq(low->managed, 880 * MIB / 4096);
    ck_assert_uint_eq(high->wmark[WMARK_MIN], 128); /* managed / 1024, at most 128 */
    ck_assert_uint_eq(low->lowmem_reserve[ZONE_HIGHMEM_32], high->managed / 32);
    /* Users' pages from HighMem, the kernel's never. */
    ck_assert_ptr_eq(frames_zone_of(m, frames_alloc(m, GFP_HIGHUSER_MOVABLE, 0, FRAME_TAG_ANON)), high);
    ck_assert_ptr_eq(frames_zone_of(m, frames_alloc(m, GFP_KERNEL, 0, FRAME_TAG_KERNEL)), low);
    ck_assert_ptr_eq(frames_zone_of(m, frames_alloc(m, GFP_DMA32, 0, FRAME_TAG_KERNEL)), low);
    check_map(m);
    frame_map_free(m);
}
END_TEST

START_TEST(movable_zone)
{
    struct memory_config c;
    struct buddy_config b;
    defaults(&c, &b, 8 * GIB);
    c.pci_hole_bytes = GIB;
    c.movablecore_bytes = 2 * GIB;
    struct frame_map *m = map_of(c, b);
    struct zone *z = &m->zones[ZONE_MOVABLE];
    ck_assert_uint_eq(z->managed, 2 * GIB / 4096);
    ck_assert_uint_eq(z->end, m->n_frames);
    ck_assert_uint_eq(m->zones[ZONE_NORMAL].end, z->start);
    ck_assert_uint_eq(z->wmark[WMARK_MIN], 128);
    ck_assert_ptr_eq(frames_zone_of(m, frames_alloc(m, GFP_HIGHUSER_MOVABLE, 0, FRAME_TAG_ANON)), z);
    ck_assert_ptr_eq(frames_zone_of(m, frames_alloc(m, GFP_KERNEL, 0, FRAME_TAG_KERNEL)), &m->zones[ZONE_NORMAL]);
    check_map(m);
    frame_map_free(m);

    /* kernelcore over two nodes: what lies below Normal counts as part of node 0's share. */
    defaults(&c, &b, 16 * GIB);
    c.nodes = 2;
    c.kernelcore_bytes = 10 * GIB;
    m = map_of(c, b);
    uint64_t movable = m->zones[ZONE_MOVABLE].present + m->zones[N_ZONES + ZONE_MOVABLE].present;
    ck_assert_uint_eq(movable, 6 * GIB / 4096);
    ck_assert_uint_eq(m->zones[ZONE_MOVABLE].present, 3 * GIB / 4096);
    check_map(m);
    frame_map_free(m);
}
END_TEST

START_TEST(reserved_ranges)
{
    struct memory_config c;
    struct buddy_config b;
    defaults(&c, &b, 64 * MIB);
    struct memory_reserved r[] = {{32 * MIB, 4 * MIB}, {33 * MIB, 8 * MIB}, {15 * MIB, 2 * MIB}, {1000 * MIB, MIB}};
    c.reserved = (struct param_list){.n = ARRAY_LEN(r), .o = r};
    struct frame_map *m = map_of(c, b);
    ck_assert_uint_eq(m->reserved, (1 + 9 + 2) * MIB / 4096);
    ck_assert_int_eq(frames_find(m, (pfn_t){40 * MIB / 4096}).kind, FRAME_IS_RESERVED);
    ck_assert_int_eq(frames_find(m, (pfn_t){41 * MIB / 4096}).kind, FRAME_IS_FREE);
    for (pfn_t p; !pfn_is_none(p = frames_alloc(m, GFP_ALL, 0, FRAME_TAG_ANON));)
        ck_assert(!(p.v >= 32 * MIB / 4096 && p.v < 41 * MIB / 4096) && !(p.v >= 15 * MIB / 4096 && p.v < 17 * MIB / 4096));
    ck_assert_uint_eq(frames_allocated_pages(m), m->managed);
    check_map(m);
    frame_map_free(m);
    r[0].start = 5;
    struct err e = {0};
    ck_assert_int_eq(frame_map_new(&m, &c, &b, &e), -1);
    ck_assert_int_eq(e.kind, ERR_USAGE);
}
END_TEST

/* ---- the slow path ------------------------------------------------------------------------------------------------------ */

struct watch {
    struct frame_map *m;
    char log[256];
    unsigned give, kills, kinds[4];
    enum frames_task task;
    pfn_t held[64];
};

static void note(struct watch *w, const char *what) { strncat(w->log, what, sizeof w->log - strlen(w->log) - 1); }
static void on_wake(void *self, struct zone *z, unsigned order, enum zone_type highest, gfp_t gfp)
{
    (void)gfp;
    (void)z, (void)order, (void)highest;
    note(self, "w");
}
static uint64_t on_reclaim(void *self, const struct frame_request *r)
{
    struct watch *w = self;
    (void)r;
    note(w, "r");
    if (!w->give)
        return 0;
    w->give--;
    frames_free(w->m, w->held[w->give], 4);
    return 16;
}
static enum compact_result on_compact(void *self, const struct frame_request *r, unsigned flags, enum compact_priority prio)
{
    struct watch *w = self;
    (void)r, (void)flags;
    char c[2] = {(char)('0' + (int)prio), 0};
    note(w, "c");
    note(w, c);
    return COMPACT_COMPLETE;
}
static enum frames_task on_task(void *self) { return ((struct watch *)self)->task; }
static bool on_oom(void *self, const struct frame_request *r)
{
    struct watch *w = self;
    (void)r;
    note(w, "k");
    return w->kills++ < 2;
}

static struct frame_map *full_map(struct watch *w)
{
    struct memory_config c;
    struct buddy_config b;
    defaults(&c, &b, 64 * MIB);
    struct frame_map *m = map_of(c, b);
    *w = (struct watch){.m = m};
    for (unsigned i = 0; i < ARRAY_LEN(w->held); i++)
        w->held[i] = frames_alloc(m, GFP_ALL, 4, FRAME_TAG_ANON);
    while (!pfn_is_none(frames_alloc(m, GFP_ALL, 0, FRAME_TAG_ANON)))
        ;
    m->hooks = (struct frames_hooks){.self = w, .task = on_task, .compactor = w, .wake_kswapd = on_wake, .reclaim = on_reclaim, .compact = on_compact,
                                     .oom = on_oom};
    return m;
}

START_TEST(slow_path_in_order)
{
    struct watch w;
    struct frame_map *m = full_map(&w);
    /* Order 0: no compaction; nothing to reclaim: the killer, which twice says that it helped. */
    ck_assert(pfn_is_none(frames_alloc(m, GFP_KERNEL, 0, FRAME_TAG_KERNEL)));
    ck_assert(strncmp(w.log, "w", 1) == 0);
    ck_assert_ptr_nonnull(strstr(w.log, "rk"));
    ck_assert_uint_eq(w.kills, 3);
    /* Optional: one try of reclaim, no killer. */
    w.log[0] = 0;
    ck_assert(pfn_is_none(frames_alloc(m, GFP_KERNEL | __GFP_NORETRY, 0, FRAME_TAG_KERNEL)));
    ck_assert_ptr_null(strchr(w.log, 'k'));
    ck_assert_ptr_nonnull(strchr(w.log, 'r'));
    /* May not wait: kswapd only. */
    w.log[0] = 0;
    ck_assert(pfn_is_none(frames_alloc(m, GFP_ATOMIC, 0, FRAME_TAG_KERNEL)));
    ck_assert_uint_eq(strspn(w.log, "w"), strlen(w.log));
    /* Unmovable order 2: compaction, cheap, before kswapd is woken again and reclaim; then light; then in earnest as long as reclaim gets nothing. */
    w.log[0] = 0;
    w.kills = 9;
    ck_assert(pfn_is_none(frames_alloc(m, GFP_KERNEL, 2, FRAME_TAG_KERNEL)));
    const char *c = strchr(w.log, 'c');
    ck_assert(c && c[1] == '2' && c[2] == 'w' && c[3] == 'r' && c[4] == 'c' && c[5] == '1'); /* kswapd is woken again: 2.10, step 5 */
    /* Movable order 2: reclaim first. */
    w.log[0] = 0;
    ck_assert(pfn_is_none(frames_alloc(m, GFP_HIGHUSER_MOVABLE, 2, FRAME_TAG_ANON)));
    ck_assert(strchr(w.log, 'r') < strchr(w.log, 'c'));
    /* Costly: one round, no killer. */
    w.log[0] = 0;
    w.kills = 9;
    ck_assert(pfn_is_none(frames_alloc(m, GFP_KERNEL, 5, FRAME_TAG_KERNEL)));
    ck_assert_ptr_null(strchr(w.log, 'k'));
    /* Reclaim that helps ends it. */
    w.log[0] = 0;
    w.give = ARRAY_LEN(w.held);
    m->zones[ZONE_DMA32].wmark[WMARK_MIN] = m->zones[ZONE_DMA].wmark[WMARK_MIN] = 0;
    m->zones[ZONE_DMA].lowmem_reserve[ZONE_NORMAL] = 0;
    ck_assert(!pfn_is_none(frames_alloc(m, GFP_KERNEL, 0, FRAME_TAG_KERNEL)));
    ck_assert_ptr_null(strchr(w.log, 'k'));
    check_map(m);
    frame_map_free(m);
}
END_TEST

/* Who may have the reserves: tasks that free memory, victims, requests that must not fail (linux-mm 1.8, 2.10, 11.1). */
START_TEST(reserves)
{
    struct watch w;
    struct frame_map *m = full_map(&w);
    struct zone *z = &m->zones[ZONE_DMA32];
    for (unsigned i = 0; i < N_ZONES; i++)
        m->zones[ZONE_DMA].lowmem_reserve[i] = m->zones[ZONE_DMA].wmark[WMARK_MIN] = 0;
    while (!pfn_is_none(frames_alloc(m, GFP_KERNEL | __GFP_MEMALLOC, 0, FRAME_TAG_KERNEL))) /* nothing at all is left */
        ;
    for (unsigned i = 0; i < 4; i++)
        frames_free(m, w.held[40 + i], 4);
    ck_assert_uint_eq(z->free, 64);
    z->wmark[WMARK_MIN] = z->wmark[WMARK_LOW] = z->wmark[WMARK_HIGH] = 100;
    w.kills = 9; /* whoever is killed is of no help */
    w.task = FRAMES_TASK_PLAIN;
    ck_assert(pfn_is_none(frames_alloc(m, GFP_KERNEL, 0, FRAME_TAG_KERNEL)));
    ck_assert_ptr_nonnull(strchr(w.log, 'k'));
    w.log[0] = 0; /* a victim: half of the mark, and nothing is reclaimed or killed for it */
    w.task = FRAMES_TASK_VICTIM;
    ck_assert(!pfn_is_none(frames_alloc(m, GFP_KERNEL, 0, FRAME_TAG_KERNEL)));
    ck_assert_uint_eq(strspn(w.log, "w"), strlen(w.log));
    ck_assert(pfn_is_none(frames_alloc(m, GFP_KERNEL | __GFP_NOMEMALLOC, 0, FRAME_TAG_KERNEL)));
    while (z->free > 51)
        ck_assert(!pfn_is_none(frames_alloc(m, GFP_KERNEL, 0, FRAME_TAG_KERNEL)));
    unsigned kills = w.kills;
    w.log[0] = 0; /* at half of it the victim ends, even if its death is no progress */
    ck_assert(pfn_is_none(frames_alloc(m, GFP_KERNEL, 0, FRAME_TAG_KERNEL)));
    ck_assert_uint_eq(w.kills, kills + 1);
    w.log[0] = 0; /* a task that reclaims: everything, and it never waits for itself */
    w.task = FRAMES_TASK_RECLAIMS;
    ck_assert(!pfn_is_none(frames_alloc(m, GFP_KERNEL, 0, FRAME_TAG_KERNEL)));
    ck_assert(pfn_is_none(frames_alloc(m, GFP_KERNEL, 6, FRAME_TAG_KERNEL)));
    ck_assert_uint_eq(strspn(w.log, "w"), strlen(w.log));
    w.task = FRAMES_TASK_PLAIN;
    ck_assert(pfn_is_none(frames_alloc(m, GFP_KERNEL, 0, FRAME_TAG_KERNEL)));
    w.log[0] = 0; /* must not fail: after a kill without marks */
    ck_assert(!pfn_is_none(frames_alloc(m, GFP_KERNEL | __GFP_NOFAIL, 0, FRAME_TAG_KERNEL)));
    ck_assert_ptr_nonnull(strchr(w.log, 'k'));
    w.log[0] = 0; /* nobody is killed for what only low zones can give */
    ck_assert(pfn_is_none(frames_alloc(m, GFP_KERNEL | __GFP_DMA32, 0, FRAME_TAG_KERNEL)));
    ck_assert_ptr_null(strchr(w.log, 'k'));
    w.log[0] = 0; /* without I/O there is no compaction */
    ck_assert(pfn_is_none(frames_alloc(m, GFP_NOIO, 3, FRAME_TAG_KERNEL)));
    ck_assert(!strstr(w.log, "c2r"));
    frame_map_free(m);
}
END_TEST

START_TEST(claims_boost_the_marks)
{
    struct memory_config c;
    struct buddy_config b;
    defaults(&c, &b, 64 * MIB);
    b.pcp = false;
    struct frame_map *m = map_of(c, b);
    struct watch w = {.m = m};
    struct zone *z = &m->zones[ZONE_DMA32];
    m->hooks = (struct frames_hooks){.self = &w, .wake_kswapd = on_wake};
    while (!pfn_is_none(frames_alloc(m, GFP_ALL, 0, FRAME_TAG_ANON)))
        ;
    for (uint64_t p = z->start; p < z->start + 256; p++)
        frames_free(m, (pfn_t){p}, 0);
    w.log[0] = 0;
    ck_assert(!pfn_is_none(frames_alloc(m, GFP_ALL_KERNEL, 0, FRAME_TAG_KERNEL)));
    uint64_t most = z->wmark[WMARK_HIGH] * 15000 / 10000;
    most = most > 512 ? most : 512;
    ck_assert_uint_eq(z->boost, most < 512 ? most : 512);
    ck_assert_uint_eq(m->st.boosts, 1);
    ck_assert_ptr_nonnull(strchr(w.log, 'w'));
    frames_unboost(z, 100);
    ck_assert_uint_eq(z->boost, 412);
    frames_unboost(z, 1000);
    ck_assert_uint_eq(z->boost, 0);
    frame_map_free(m);
}
END_TEST

START_TEST(highatomic_reserve)
{
    struct memory_config c;
    struct buddy_config b;
    defaults(&c, &b, GIB);
    struct frame_map *m = map_of(c, b);
    struct zone *z = &m->zones[ZONE_DMA32];
    /* Below its low mark an urgent request of several pages gets a pageblock set aside; at most 1 %, in pageblocks. */
    while (zone_watermark_ok(z, 3, ZONE_MOVABLE, WMARK_LOW))
        ck_assert(!pfn_is_none(frames_alloc(m, GFP_HIGHUSER_MOVABLE, 3, FRAME_TAG_ANON)));
    unsigned got = 0;
    while (got < 4000 && !pfn_is_none(frames_alloc(m, GFP_ATOMIC, 3, FRAME_TAG_KERNEL)))
        got++;
    ck_assert_uint_gt(got, 0);
    ck_assert_uint_gt(z->reserved_highatomic, 0);
    uint64_t share = z->managed / 100, most = (share + 511) & ~511ull;
    ck_assert_uint_le(z->reserved_highatomic, most);
    ck_assert_uint_eq(m->st.highatomic_reserved, z->reserved_highatomic / 512);
    check_map(m);
    frame_map_free(m);
    /* A zone below 200 MiB keeps nothing. */
    m = map_sized(128 * MIB);
    while (!pfn_is_none(frames_alloc(m, GFP_HIGHUSER_MOVABLE, 3, FRAME_TAG_ANON)))
        ;
    while (!pfn_is_none(frames_alloc(m, GFP_ATOMIC, 3, FRAME_TAG_KERNEL)))
        ;
    ck_assert_uint_eq(m->st.highatomic_reserved, 0);
    frame_map_free(m);
}
END_TEST

START_TEST(thresholds_of_a_live_kernel) /* linux-mm 15 */
{
    ck_assert_uint_eq(zone_stat_threshold(2, 3840), 4);
    ck_assert_uint_eq(zone_stat_threshold(2, 772915), 24);
    ck_assert_uint_eq(zone_stat_threshold(2, 393216), 20);
    ck_assert_uint_eq(zone_stat_threshold(2, 2752512), 32);
}
END_TEST

START_TEST(zoneinfo_text)
{
    struct memory_config c;
    struct buddy_config b;
    defaults(&c, &b, 6 * GIB);
    c.pci_hole_bytes = GIB;
    b.cpus = 2;
    struct frame_map *m = map_of(c, b);
    char *got;
    size_t size;
    FILE *out = open_memstream(&got, &size);
    frames_print_zoneinfo(m, NULL, out);
    fclose(out);
    static const char *const parts[] = {
        "Node 0, zone      DMA\n  per-node stats\n", "\n  pages free     3840\n        boost    0\n        min      ",
        "\n        spanned  4095\n        present  4095\n        managed  3840\n        cma      0\n        protection: (0, ",
        "\n  pagesets\n    cpu: 0\n              count:    0\n              high:     0\n              batch:    1\n",
        "\n  vm stats threshold: 4\n    cpu: 1\n", "\n  node_unreclaimable:  0\n  start_pfn:           1\nNode 0, zone    DMA32\n",
        "\nNode 0, zone  Movable\n  pages free     0\n", "\n        promo    32\n        spanned  0\n",
        "\nNode 0, zone   Device\n", "\n        protection: (0, 0, 0, 0, 0)\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        ck_assert_msg(strstr(got, parts[i]) != NULL, "no \"%s\" in\n%s", parts[i], got);
    free(got);
    frame_map_free(m);
}
END_TEST

/* A line of the per-node part, or -1 if there is none. */
static long long node_line(const char *text, unsigned node, const char *name)
{
    char head[64], line[96];
    snprintf(head, sizeof head, "Node %u, zone", node);
    const char *from = strstr(text, head), *p = from;
    snprintf(line, sizeof line, "\n      %-12s ", name);
    for (const char *next = from; next && strncmp(next, head, strlen(head)) == 0;) { /* up to the next node */
        p = strstr(next + 1, "\nNode ");
        next = p ? p + 1 : NULL;
    }
    const char *at = from ? strstr(from, line) : NULL;
    return at && (!p || at < p) ? strtoll(at + strlen(line), NULL, 10) : -1;
}

static enum uses_slab odd_frames(void *self, pfn_t block)
{
    ++*(unsigned *)self;
    return block.v % 2 ? USES_SLAB_RECLAIMABLE : USES_SLAB_UNRECLAIMABLE;
}

static char *zoneinfo_of(const struct frame_map *m, const struct uses_more *more)
{
    char *got;
    size_t size;
    FILE *out = open_memstream(&got, &size);
    frames_print_zoneinfo(m, more, out);
    fclose(out);
    return got;
}

/* Each node's own counters; what nobody knows is not there at all. */
START_TEST(zoneinfo_of_nodes)
{
    struct memory_config c;
    struct buddy_config b;
    defaults(&c, &b, 2 * GIB);
    c.nodes = 2;
    b.cpus = 2;
    struct frame_map *m = map_of(c, b);
    unsigned asked = 0, odd = 0;
    const struct uses_more more = {.self = &asked, .slab = odd_frames}, pool = {.gigantic = 1}, guess = {.guessed = true};
    static const struct { unsigned cpu, n, order; gfp_t gfp; enum frame_tag tag; } take[] = {
        {0, 7, 0, GFP_HIGHUSER_MOVABLE, FRAME_TAG_ANON}, {0, 3, 9, GFP_HIGHUSER_MOVABLE, FRAME_TAG_ANON},
        {0, 5, 0, GFP_KERNEL, FRAME_TAG_PGTABLE},        {1, 11, 0, GFP_HIGHUSER_MOVABLE, FRAME_TAG_ANON},
        {1, 2, 3, GFP_HIGHUSER_MOVABLE, FRAME_TAG_FILE}, {1, 4, 0, GFP_HIGHUSER_MOVABLE, FRAME_TAG_SHMEM},
        {1, 13, 0, GFP_KERNEL, FRAME_TAG_SLAB},
    };
    for (size_t i = 0; i < ARRAY_LEN(take); i++) {
        frames_on_cpu(m, take[i].cpu);
        for (unsigned k = 0; k < take[i].n; k++) {
            pfn_t p = frames_alloc(m, take[i].gfp, take[i].order, take[i].tag);
            ck_assert_uint_eq(frames_zone_of(m, p)->node, take[i].cpu);
            odd += take[i].tag == FRAME_TAG_SLAB && p.v % 2;
        }
    }
    char *t = zoneinfo_of(m, &more);
    static const struct { unsigned node; const char *name; long long pages; } want[] = {
        {0, "nr_anon_pages", 7 + 3 * 512}, {0, "nr_anon_transparent_hugepages", 3}, {0, "nr_page_table_pages", 5}, {0, "nr_mapped", 0},
        {0, "nr_file_pages", 0}, {0, "nr_shmem", 0}, {0, "nr_shmem_hugepages", 0}, {0, "nr_file_hugepages", 0},
        {0, "nr_slab_reclaimable", 0}, {0, "nr_slab_unreclaimable", 0}, {0, "nr_isolated_anon", 0}, {0, "nr_isolated_file", 0},
        {0, "nr_dirty", -1}, {0, "nr_inactive_anon", -1}, {0, "nr_kernel_stack", -1}, {0, "workingset_nodes", -1},
        {1, "nr_anon_pages", 11}, {1, "nr_anon_transparent_hugepages", 0}, {1, "nr_page_table_pages", 0}, {1, "nr_file_pages", 2 * 8 + 4},
        {1, "nr_shmem", 4}, {1, "nr_mapped", -1}, {1, "nr_shmem_hugepages", -1}, {1, "nr_file_pmdmapped", -1},
    };
    for (size_t i = 0; i < ARRAY_LEN(want); i++)
        ck_assert_msg(node_line(t, want[i].node, want[i].name) == want[i].pages, "node %u, %s: not %lld in\n%s", want[i].node,
                      want[i].name, want[i].pages, t);
    ck_assert_uint_eq(asked, 13);
    ck_assert_int_eq(node_line(t, 1, "nr_slab_reclaimable"), odd);
    ck_assert_int_eq(node_line(t, 1, "nr_slab_unreclaimable"), 13 - odd);
    free(t);
    t = zoneinfo_of(m, NULL); /* nobody knows the slabs of node 1 */
    ck_assert_int_eq(node_line(t, 1, "nr_slab_reclaimable"), -1);
    ck_assert_int_eq(node_line(t, 0, "nr_slab_unreclaimable"), 0);
    free(t);
    t = zoneinfo_of(m, &pool);
    ck_assert_int_eq(node_line(t, 0, "nr_anon_pages"), -1);
    ck_assert_int_eq(node_line(t, 0, "nr_page_table_pages"), 5);
    free(t);
    t = zoneinfo_of(m, &guess);
    ck_assert_int_eq(node_line(t, 0, "nr_page_table_pages"), -1);
    ck_assert_int_eq(node_line(t, 1, "nr_file_pages"), -1);
    ck_assert_int_eq(node_line(t, 1, "nr_isolated_file"), 0);
    free(t);
    frames_on_cpu(m, 0);
    frames_alloc(m, GFP_HIGHUSER_MOVABLE, 0, FRAME_TAG_BALLAST); /* of an aged machine: anonymous or of a file, nobody says */
    t = zoneinfo_of(m, &more);
    ck_assert_int_eq(node_line(t, 0, "nr_anon_pages"), -1);
    ck_assert_int_eq(node_line(t, 1, "nr_anon_pages"), 11);
    free(t);
    frame_map_free(m);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("zones");
    TCase *t = tcase_create("zones");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, nodes_and_distances);
    tcase_add_test(t, zones_of_32_bits);
    tcase_add_test(t, movable_zone);
    tcase_add_test(t, reserved_ranges);
    tcase_add_test(t, slow_path_in_order);
    tcase_add_test(t, reserves);
    tcase_add_test(t, claims_boost_the_marks);
    tcase_add_test(t, highatomic_reserve);
    tcase_add_test(t, thresholds_of_a_live_kernel);
    tcase_add_test(t, zoneinfo_text);
    tcase_add_test(t, zoneinfo_of_nodes);
    suite_add_tcase(s, t);
    return run_suite(s);
}
