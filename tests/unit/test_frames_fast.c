/*
 * The short ways of the allocator against the long ones: frames_alloc against frames_get_page and the slow path, which know no
 * short cut; the common case of the watermark test against the whole of it; zonelists and rules against their definition.
 */
#include "test_frames_util.h"

#include "frames/frame_alloc.h"
#include "frames/path.h"

#include "engine/rng.h"

/* What frames_alloc promises, without its short cut. */
static pfn_t the_long_way(struct frame_map *m, gfp_t gfp, unsigned order, enum frame_tag tag)
{
    struct frame_request r = {.gfp = gfp, .order = order, .node = frames_cpu_node(m, m->cpu),
                              .highest = m->zones_x32 ? gfp_zone_32(gfp) : gfp_zone(gfp),
                              .mt = m->mobility ? gfp_migratetype(gfp) : MIGRATE_UNMOVABLE};
    bool apart = frames_zonelist(m, r.node, r.highest)->nofragment || m->defrag_mode;
    unsigned flags = WMARK_LOW | (apart ? ALLOC_NOFRAGMENT : 0u) | (gfp & __GFP_KSWAPD_RECLAIM ? ALLOC_KSWAPD : 0u);
    struct zone *z = NULL;
    pfn_t pfn = frames_get_page(m, &r, flags, &z);
    if (pfn_is_none(pfn))
        pfn = frames_alloc_slow(m, &r, &z);
    if (pfn_is_none(pfn)) {
        m->st.failures++;
        m->st.failures_pages += 1ull << order;
        return pfn;
    }
    *frame_at(m, pfn) = (struct frame){.state = FRAME_ALLOCATED, .order = (uint8_t)order, .tag = (uint8_t)tag};
    m->tag_pages[tag] += 1ull << order;
    m->st.allocs++;
    z->st.allocs++;
    z->st.alloc_pages += 1ull << order;
    return pfn;
}

static void same_books(const struct frame_map *a, const struct frame_map *b)
{
    ck_assert_mem_eq(&a->st, &b->st, sizeof a->st);
    ck_assert_mem_eq(&a->pcp_st, &b->pcp_st, sizeof a->pcp_st);
    ck_assert_mem_eq(a->tag_pages, b->tag_pages, sizeof a->tag_pages);
    for (unsigned i = 0; i < a->n_zones; i++) {
        ck_assert_mem_eq(&a->zones[i].st, &b->zones[i].st, sizeof a->zones[i].st);
        ck_assert_uint_eq(a->zones[i].free, b->zones[i].free);
        ck_assert_uint_eq(a->zones[i].flags, b->zones[i].flags);
        ck_assert_uint_eq(a->zones[i].boost, b->zones[i].boost);
    }
}

static void on_wake(void *self, struct zone *z, unsigned order, enum zone_type highest, gfp_t gfp)
{
    (void)z, (void)order, (void)highest, (void)gfp;
    ++*(unsigned *)self;
}

static const struct machine {
    uint64_t bytes, kernelcore;
    int zones, allocator;
    unsigned nodes, cpus;
    bool pcp, mobility, defrag, hook;
} machines[] = {
    {8 * MIB, 0, MEMORY_ZONES_X86_64, FRAME_ALLOCATOR_buddy, 1, 1, true, true, false, false}, /* too small for types */
    {64 * MIB, 0, MEMORY_ZONES_X86_64, FRAME_ALLOCATOR_buddy, 1, 2, true, true, false, true},
    {64 * MIB, 0, MEMORY_ZONES_X86_64, FRAME_ALLOCATOR_buddy, 1, 1, false, true, false, true},
    {64 * MIB, 0, MEMORY_ZONES_X86_64, FRAME_ALLOCATOR_textbook, 1, 1, true, true, false, false},
    {128 * MIB, 0, MEMORY_ZONES_X86_64, FRAME_ALLOCATOR_buddy, 1, 2, true, true, true, true},
    {256 * MIB, 128 * MIB, MEMORY_ZONES_X86_64, FRAME_ALLOCATOR_buddy, 1, 1, true, true, false, false},
    {1024 * MIB, 0, MEMORY_ZONES_X86_32, FRAME_ALLOCATOR_buddy, 1, 2, true, false, false, false},
    {96 * MIB, 0, MEMORY_ZONES_X86_64, FRAME_ALLOCATOR_buddy, 3, 5, true, true, false, true},
};

static struct frame_map *machine_of(const struct machine *k)
{
    struct memory_config c;
    struct buddy_config b;
    frames_config_defaults(&c, &b);
    c.size_bytes = k->bytes;
    c.kernelcore_bytes = k->kernelcore;
    c.zones = k->zones;
    c.nodes = k->nodes;
    b.allocator = k->allocator;
    b.pcp = k->pcp;
    b.group_by_mobility = k->mobility;
    b.defrag_mode = k->defrag;
    b.cpus = k->cpus;
    return map_of(c, b);
}

/* Now and then another CPU, another state of kswapd, and phases in which memory fills up and empties. */
START_TEST(the_short_way_is_the_long_way)
{
    static const gfp_t ask[] = {GFP_HIGHUSER_MOVABLE, GFP_KERNEL, GFP_KERNEL | __GFP_RECLAIMABLE, GFP_ATOMIC, GFP_NOWAIT, GFP_DMA,
                                GFP_DMA32, GFP_TRANSHUGE_LIGHT, GFP_KERNEL | __GFP_THISNODE | __GFP_NORETRY,
                                GFP_ATOMIC | __GFP_NOMEMALLOC, GFP_KERNEL | __GFP_MEMALLOC};
    enum { EVENTS = 60000, MOST = 300000 };
    const struct machine *k = &machines[_i];
    struct frame_map *m[2] = {machine_of(k), machine_of(k)};
    struct { pfn_t pfn; unsigned order; } *live = malloc(MOST * sizeof *live);
    unsigned n = 0, grow = 55, woken[2] = {0};
    struct rng r;
    rng_init(&r, (uint64_t)_i, "frames_fast");
    for (unsigned w = 0; k->hook && w < 2; w++) {
        m[w]->hooks.self = &woken[w];
        m[w]->hooks.wake_kswapd = on_wake;
    }
    for (unsigned i = 0; i < EVENTS; i++) {
        unsigned cpu = (unsigned)rng_below(&r, k->cpus), zone = (unsigned)rng_below(&r, m[0]->n_zones);
        if (i % 5000 == 0)
            grow = 40 + (unsigned)rng_below(&r, 40);
        for (unsigned w = 0; w < 2; w++) {
            if (i % 32 == 0)
                frames_on_cpu(m[w], cpu);
            if (i % 3000 == 2999)
                m[w]->zones[zone].flags ^= ZONE_RECLAIM_ACTIVE;
            if (i % 7000 == 6999)
                frames_unboost(&m[w]->zones[zone], UINT64_MAX);
        }
        if (!n || rng_below(&r, 100) < grow) {
            unsigned order = rng_below(&r, 3) ? 0 : (unsigned)rng_below(&r, rng_below(&r, 4) ? 4 : 11);
            gfp_t gfp = ask[rng_below(&r, rng_below(&r, 2) ? 2 : sizeof ask / sizeof *ask)];
            pfn_t a = frames_alloc(m[0], gfp, order, FRAME_TAG_KERNEL), b = the_long_way(m[1], gfp, order, FRAME_TAG_KERNEL);
            ck_assert_msg(a.v == b.v, "event %u, gfp %#x, order %u: pfn %" PRIu64 ", the long way gives %" PRIu64, i, gfp, order,
                          a.v, b.v);
            if (!pfn_is_none(a)) {
                live[n].pfn = a;
                live[n++].order = order;
            }
        } else {
            unsigned j = rng_below(&r, 4) ? n - 1 : (unsigned)rng_below(&r, n);
            frames_free(m[0], live[j].pfn, live[j].order);
            frames_free(m[1], live[j].pfn, live[j].order);
            live[j] = live[--n];
        }
    }
    same_books(m[0], m[1]);
    ck_assert_uint_eq(woken[0], woken[1]);
    ck_assert_uint_gt(m[0]->st.slow_paths, 0);
    if (k->pcp && m[0]->pcps)
        ck_assert_uint_gt(m[0]->pcp_st.hits, EVENTS / 20);
    for (unsigned w = 0; w < 2; w++) {
        check_map(m[w]);
        frame_map_free(m[w]);
    }
    free(live);
}
END_TEST

START_TEST(plenty_is_enough_by_the_whole_rule_too)
{
    struct rng r;
    unsigned clear = 0, equal = 0;
    rng_init(&r, 2, "frames_fast");
    for (unsigned i = 0; i < 300000; i++) {
        struct zone z = {.free = rng_below(&r, 3000), .boost = rng_below(&r, 3) ? 0 : rng_below(&r, 600)};
        for (unsigned w = 0; w < N_WMARKS; w++)
            z.wmark[w] = 100 + w * rng_below(&r, 300);
        for (unsigned t = 0; t < N_ZONES; t++)
            z.lowmem_reserve[t] = rng_below(&r, 2) ? 0 : rng_below(&r, 500);
        for (unsigned t = 0; t < MIGRATE_TYPES; t++)
            z.nonempty[t] = rng_below(&r, 2) ? 0 : (uint32_t)rng_below(&r, 1u << FRAME_ORDERS);
        for (unsigned o = 0; o < FRAME_ORDERS; o++)
            z.nr_free_mt[o][MIGRATE_HIGHATOMIC] = z.nonempty[MIGRATE_HIGHATOMIC] >> o & 1;
        unsigned order = (unsigned)rng_below(&r, FRAME_ORDERS), flags = (unsigned)rng_below(&r, 0x400) & ~(unsigned)ALLOC_NO_WATERMARKS;
        enum zone_type highest = (enum zone_type)rng_below(&r, N_ZONES);
        bool plenty = zone_clearly_above(&z, order, highest, (enum wmark)(flags & ALLOC_WMARK_MASK));
        bool whole = zone_watermark_exactly(&z, order, highest, flags);
        ck_assert_msg(!plenty || whole, "case %u", i);
        ck_assert(zone_watermark_ok(&z, order, highest, flags) == whole);
        clear += plenty;
        /* Without flags and reserved blocks the common case is the rule. */
        if (!(flags & ~(unsigned)ALLOC_WMARK_MASK) && !z.nonempty[MIGRATE_HIGHATOMIC]) {
            ck_assert(plenty == whole);
            equal++;
        }
    }
    ck_assert_uint_gt(clear, 10000);
    ck_assert_uint_gt(equal, 100);
}
END_TEST

START_TEST(lists_and_rules_by_definition)
{
    struct frame_map *m = machine_of(&machines[_i]);
    for (unsigned node = 0; node < m->n_nodes; node++)
        for (gfp_t gfp = 0; gfp < 2 * FRAME_GFP_RULES; gfp++) {
            unsigned cpu = 0;
            while (frames_cpu_node(m, cpu) != node)
                cpu++;
            frames_on_cpu(m, cpu);
            ck_assert_uint_eq(m->node, node);
            const struct frame_rule *rule = frames_rule(m, gfp);
            ck_assert_uint_eq(rule->highest, m->zones_x32 ? gfp_zone_32(gfp) : gfp_zone(gfp));
            ck_assert_uint_eq(rule->mt, m->mobility ? gfp_migratetype(gfp) : MIGRATE_UNMOVABLE);
            const struct frame_zonelist *l = frames_zonelist(m, node, (enum zone_type)rule->highest);
            unsigned may = 0;
            for (unsigned i = 0; i < m->n_zones; i++)
                may += m->zones[i].managed && m->zones[i].type <= rule->highest;
            ck_assert_uint_eq(l->n, may);
            const struct zone *first = l->n ? &m->zones[l->zone[0]] : NULL;
            ck_assert_ptr_eq(rule->first, first && first->node == node ? first : NULL);
            for (unsigned i = 0; i < l->n; i++) {
                const struct zone *z = &m->zones[l->zone[i]], *next = i + 1 < l->n ? &m->zones[l->zone[i + 1]] : NULL;
                ck_assert(z->managed && z->type <= rule->highest);
                ck_assert(!next || next->node != z->node || next->type < z->type); /* a node's zones from above */
            }
        }
    frame_map_free(m);
}
END_TEST

int main(void)
{
    enum { MACHINES = sizeof machines / sizeof *machines };
    Suite *s = suite_create("frames_fast");
    TCase *t = tcase_create("frames_fast");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, the_short_way_is_the_long_way, 0, MACHINES);
    tcase_add_test(t, plenty_is_enough_by_the_whole_rule_too);
    tcase_add_loop_test(t, lists_and_rules_by_definition, 0, MACHINES);
    suite_add_tcase(s, t);
    return run_suite(s);
}
