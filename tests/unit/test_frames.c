/* Zones, watermarks, the order of zones, outcomes, contents: alloc/frames without the buddy's inner rules. */
#include "test_frames_util.h"

#include "engine/stats.h"
#include "frames/buddy/pcp.h"
#include "frames/phys_mem.h"
#include "frames/zones/gfp_text.h"

START_TEST(gfp_values_and_zones)
{
    /* Values as a 6.18 kernel prints them (linux-mm 1.8). */
    ck_assert_uint_eq(GFP_ATOMIC, 0x820);
    ck_assert_uint_eq(GFP_NOWAIT, 0x2800);
    ck_assert_uint_eq(GFP_KERNEL, 0xcc0);
    ck_assert_uint_eq(GFP_KERNEL_ACCOUNT, 0x400cc0);
    ck_assert_uint_eq(GFP_USER, 0x100cc0);
    ck_assert_uint_eq(GFP_HIGHUSER_MOVABLE, 0x100cca);
    ck_assert_uint_eq(GFP_TRANSHUGE_LIGHT, 0x1c20ca);
    ck_assert_uint_eq(GFP_TRANSHUGE, 0x1c24ca);
    ck_assert_int_eq(gfp_zone(GFP_KERNEL), ZONE_NORMAL);
    ck_assert_int_eq(gfp_zone(GFP_HIGHUSER), ZONE_NORMAL);
    ck_assert_int_eq(gfp_zone(GFP_HIGHUSER_MOVABLE), ZONE_MOVABLE);
    ck_assert_int_eq(gfp_zone(GFP_KERNEL | __GFP_MOVABLE), ZONE_NORMAL);
    ck_assert_int_eq(gfp_zone(GFP_DMA | __GFP_MOVABLE), ZONE_DMA);
    ck_assert_int_eq(gfp_zone(GFP_DMA32), ZONE_DMA32);
    ck_assert_int_eq(gfp_migratetype(GFP_KERNEL), MIGRATE_UNMOVABLE);
    ck_assert_int_eq(gfp_migratetype(GFP_KERNEL | __GFP_RECLAIMABLE), MIGRATE_RECLAIMABLE);
    ck_assert_int_eq(gfp_migratetype(GFP_HIGHUSER_MOVABLE), MIGRATE_MOVABLE);
}
END_TEST

START_TEST(gfp_texts) /* as events of a 6.18 kernel print them */
{
    static const struct { uint64_t gfp; const char *text; } t[] = {
        {0, "none"},
        {GFP_KERNEL, "GFP_KERNEL"},
        {0x140cca, "GFP_HIGHUSER_MOVABLE|__GFP_COMP"},
        {0x3d24ca, "GFP_TRANSHUGE|__GFP_NORETRY|__GFP_THISNODE"},
        {0xd2050, "__GFP_RECLAIMABLE|__GFP_IO|__GFP_NOWARN|__GFP_NORETRY|__GFP_COMP|__GFP_NOMEMALLOC"},
        {0x152c4a, "GFP_NOFS|__GFP_HIGHMEM|__GFP_MOVABLE|__GFP_NOWARN|__GFP_NORETRY|__GFP_COMP|__GFP_HARDWALL"},
        {0x500cc2, "GFP_HIGHUSER|__GFP_ACCOUNT"},
        {0x1000cc0, "GFP_KERNEL|0x1000000"},
    };
    char text[GFP_TEXT];
    for (size_t i = 0; i < ARRAY_LEN(t); i++)
        ck_assert_str_eq(gfp_text(t[i].gfp, text), t[i].text);
    ck_assert_uint_lt(strlen(gfp_text(UINT64_MAX, text)), GFP_TEXT);
}
END_TEST

START_TEST(parameter_tables)
{
    struct memory_config m;
    struct buddy_config b;
    frames_config_defaults(&m, &b);
    ck_assert_uint_eq(m.size_bytes, 4 * GIB);
    ck_assert_uint_eq(m.watermark_scale_factor, 10);
    ck_assert_uint_eq(m.lowmem_reserve_ratio_normal, 32);
    ck_assert(m.khugepaged_min_free);
    ck_assert_uint_eq(b.max_order, 10);
    ck_assert_uint_eq(buddy_pageblock_order(&b), 9);
    for (int i = 0; i < MEMORY_PARAMS_N; i++)
        ck_assert(memory_params[i].key && memory_params[i].help);
    for (int i = 0; i < BUDDY_PARAMS_N; i++)
        ck_assert(buddy_params[i].key && buddy_params[i].help);
}
END_TEST

/* All four marks of three zones in two states of a live 6.18 machine (linux-mm 15). */
START_TEST(watermarks_of_a_live_kernel)
{
    static const struct {
        uint64_t managed[3], wmark[3][N_WMARKS], reserve_dma[2], reserve_dma32;
    } live[] = {
        {{3840, 772915, 393216},
         {{55, 68, 81, 94}, {11161, 13951, 16741, 19531}, {5678, 7097, 8516, 9935}}, {3019, 4555}, 1536},
        {{3840, 772915, 2752512},
         {{18, 22, 26, 30}, {3700, 4625, 5550, 6475}, {13177, 16471, 19765, 23059}}, {3019, 13771}, 10752},
    };
    for (size_t s = 0; s < ARRAY_LEN(live); s++) {
        struct zone z[N_ZONES] = {[ZONE_MOVABLE] = {.flags = ZONE_IS_MOVABLE}};
        for (int i = 0; i < 3; i++)
            z[i].managed = z[i].present = live[s].managed[i];
        uint64_t kb = zones_min_free_kb(z, N_ZONES);
        ck_assert_uint_lt(kb, 67584);
        zones_set_watermarks(z, N_ZONES, kb, 10);
        kb = zones_min_free_kb_khugepaged(z, N_ZONES, kb, 9);
        ck_assert_uint_eq(kb, 67584);
        zones_set_watermarks(z, N_ZONES, kb, 10);
        zones_set_lowmem_reserve(z, (const uint32_t[N_ZONES]){256, 256, 32, 0});
        for (int i = 0; i < 3; i++)
            for (int w = 0; w < N_WMARKS; w++)
                ck_assert_uint_eq(z[i].wmark[w], live[s].wmark[i][w]);
        for (int w = 0; w < N_WMARKS; w++)
            ck_assert_uint_eq(z[ZONE_MOVABLE].wmark[w], 32);
        ck_assert_uint_eq(z[0].lowmem_reserve[0], 0);
        ck_assert_uint_eq(z[0].lowmem_reserve[1], live[s].reserve_dma[0]);
        ck_assert_uint_eq(z[0].lowmem_reserve[2], live[s].reserve_dma[1]);
        ck_assert_uint_eq(z[0].lowmem_reserve[3], live[s].reserve_dma[1]);
        ck_assert_uint_eq(z[1].lowmem_reserve[2], live[s].reserve_dma32);
        ck_assert_uint_eq(z[2].lowmem_reserve[3], 0);
    }
}
END_TEST

START_TEST(min_free_kbytes_formula)
{
    /* linux-mm 1.3: typical values without huge pages, when all memory is managed. */
    static const struct { uint64_t mib, kb; } known[] = {{16, 512}, {64, 1024}, {256, 2048}, {1024, 4096},
                                                         {4096, 8192}, {16384, 16384}, {1, 128}, {1 << 20, 131072}};
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        struct zone z[N_ZONES] = {[ZONE_MOVABLE] = {.flags = ZONE_IS_MOVABLE}};
        z[ZONE_NORMAL].managed = known[i].mib * 256;
        ck_assert_uint_eq(zones_min_free_kb(z, N_ZONES), known[i].kb);
    }
}
END_TEST

static struct zone zone_with(unsigned order, uint64_t blocks)
{
    struct zone z = {.free = blocks << order, .wmark = {100, 125, 150, 175}, .lowmem_reserve = {0, 0, 50, 50}};
    z.nonempty[MIGRATE_MOVABLE] = blocks ? 1u << order : 0;
    return z;
}

START_TEST(watermark_boundaries)
{
    struct zone z = zone_with(0, 101);
    ck_assert(zone_watermark_ok(&z, 0, ZONE_DMA32, WMARK_MIN));
    ck_assert(!zone_watermark_ok(&z, 0, ZONE_NORMAL, WMARK_MIN)); /* lowmem_reserve 50 */
    z.free = 100;
    ck_assert(!zone_watermark_ok(&z, 0, ZONE_DMA32, WMARK_MIN)); /* needs more than the mark */
    ck_assert(zone_watermark_ok(&z, 0, ZONE_DMA32, WMARK_MIN | ALLOC_MIN_RESERVE));
    z.free = 51; /* half of min; with NON_BLOCK a quarter of that less: 38 */
    ck_assert(zone_watermark_ok(&z, 0, ZONE_DMA32, WMARK_MIN | ALLOC_MIN_RESERVE));
    z.free = 50;
    ck_assert(!zone_watermark_ok(&z, 0, ZONE_DMA32, WMARK_MIN | ALLOC_MIN_RESERVE));
    ck_assert(zone_watermark_ok(&z, 0, ZONE_DMA32, WMARK_MIN | ALLOC_MIN_RESERVE | ALLOC_NON_BLOCK));
    z.free = 38;
    ck_assert(!zone_watermark_ok(&z, 0, ZONE_DMA32, WMARK_MIN | ALLOC_MIN_RESERVE | ALLOC_NON_BLOCK));
    ck_assert(!zone_watermark_ok(&z, 0, ZONE_DMA32, WMARK_MIN | ALLOC_NON_BLOCK));
    z.free = 176;
    ck_assert(zone_watermark_ok(&z, 0, ZONE_NORMAL, WMARK_LOW));
    z.free = 175;
    ck_assert(!zone_watermark_ok(&z, 0, ZONE_NORMAL, WMARK_LOW));

    z = zone_with(3, 14); /* 112 free: order 3 must leave more than 100 after 7 unusable ones */
    ck_assert(zone_watermark_ok(&z, 3, ZONE_DMA32, WMARK_MIN));
    ck_assert(!zone_watermark_ok(&z, 4, ZONE_DMA32, WMARK_MIN)); /* enough frames, no block */
    z.nonempty[MIGRATE_MOVABLE] = 0;
    z.nonempty[MIGRATE_ISOLATE] = 1u << 3;
    ck_assert(!zone_watermark_ok(&z, 3, ZONE_DMA32, WMARK_MIN));
}
END_TEST

START_TEST(zones_of_sizes)
{
    struct frame_map *m = map_sized(1 * MIB);
    ck_assert_uint_eq(m->zones[ZONE_DMA].end, 256);
    ck_assert_uint_eq(m->zones[ZONE_DMA].managed, 240); /* a sixteenth stays reserved */
    ck_assert(!zone_populated(&m->zones[ZONE_DMA32]) && !zone_populated(&m->zones[ZONE_NORMAL]));
    ck_assert(!m->mobility);
    check_map(m);
    frame_map_free(m);

    m = map_sized(8 * GIB);
    ck_assert_uint_eq(m->zones[ZONE_DMA].start, 1);
    ck_assert_uint_eq(m->zones[ZONE_DMA].end, 4096);
    ck_assert_uint_eq(m->zones[ZONE_DMA].present, 4095);
    ck_assert_uint_eq(m->zones[ZONE_DMA].managed, 3840); /* as on the recorded machine */
    ck_assert_uint_eq(m->zones[ZONE_DMA32].start, 4096);
    ck_assert_uint_eq(m->zones[ZONE_DMA32].managed, 1044480);
    ck_assert_uint_eq(m->zones[ZONE_NORMAL].start, 1048576);
    ck_assert_uint_eq(m->zones[ZONE_NORMAL].managed, 1048576);
    ck_assert_uint_eq(m->present, 8 * GIB / 4096);
    ck_assert_uint_eq(m->reserved, 256);
    check_map(m);
    frame_map_free(m);
}
END_TEST

START_TEST(pci_hole_and_boot_memory)
{
    struct memory_config c;
    struct buddy_config b;
    frames_config_defaults(&c, &b);
    c.size_bytes = 4 * GIB;
    c.pci_hole_bytes = GIB;
    c.boot_reserved_bytes = 64 * MIB;
    struct frame_map *m = map_of(c, b);
    ck_assert_uint_eq(m->n_frames, 5 * GIB / 4096);
    ck_assert_uint_eq(m->zones[ZONE_DMA32].end - m->zones[ZONE_DMA32].start, 1044480); /* spanned has the hole */
    ck_assert_uint_eq(m->zones[ZONE_DMA32].present, 1044480 - 262144);
    ck_assert_uint_eq(m->zones[ZONE_NORMAL].present, 262144);
    ck_assert_uint_eq(m->zones[ZONE_NORMAL].managed, 262144 - 16384);
    ck_assert_int_eq(frames_find(m, (pfn_t){0}).kind, FRAME_IS_RESERVED);
    ck_assert_int_eq(frames_find(m, (pfn_t){255}).kind, FRAME_IS_RESERVED);
    ck_assert_int_eq(frames_find(m, (pfn_t){256}).kind, FRAME_IS_FREE);
    ck_assert_int_eq(frames_find(m, (pfn_t){786431}).kind, FRAME_IS_FREE);
    ck_assert_int_eq(frames_find(m, (pfn_t){786432}).kind, FRAME_IS_HOLE);
    ck_assert_int_eq(frames_find(m, (pfn_t){1048575}).kind, FRAME_IS_HOLE);
    ck_assert_int_eq(frames_find(m, (pfn_t){1048576}).kind, FRAME_IS_FREE);
    ck_assert_int_eq(frames_find(m, (pfn_t){m->n_frames - 1}).kind, FRAME_IS_RESERVED);
    ck_assert_int_eq(frames_find(m, (pfn_t){m->n_frames}).kind, FRAME_IS_HOLE);
    ck_assert_int_eq(frames_find(m, PFN_NONE).kind, FRAME_IS_HOLE);
    check_map(m);
    uint64_t n = 0;
    for (pfn_t p; !pfn_is_none(p = frames_alloc(m, GFP_ALL, 10, FRAME_TAG_ANON)); n++)
        ck_assert(p.v + 1024 <= 786432 || p.v >= 1048576);
    ck_assert_uint_gt(n, 1000);
    check_map(m);
    frame_map_free(m);
}
END_TEST

START_TEST(sizes_that_cannot_work)
{
    static const struct { uint64_t size, hole, boot; const char *key; } bad[] = {
        {MIB - 4096, 0, 0, "memory.size"},        {1024 * GIB + 4096, 0, 0, "memory.size"},
        {4 * MIB + 1, 0, 0, "memory.size"},       {4 * GIB, 4 * GIB, 0, "memory.pci_hole"},
        {4 * MIB, 0, 4 * MIB, "boot_reserved"},   {4 * MIB, 100, 0, "memory.pci_hole"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct memory_config c;
        struct buddy_config b;
        frames_config_defaults(&c, &b);
        c.size_bytes = bad[i].size;
        c.pci_hole_bytes = bad[i].hole;
        c.boot_reserved_bytes = bad[i].boot;
        struct frame_map *m;
        struct err e = {0};
        ck_assert_int_eq(frame_map_new(&m, &c, &b, &e), -1);
        ck_assert(!m && e.kind == ERR_USAGE);
        ck_assert_msg(strstr(e.message, bad[i].key) != NULL, "%s", e.message);
    }
    struct memory_config c;
    struct buddy_config b;
    frames_config_defaults(&c, &b);
    b.max_order = 8;
    b.pageblock_order = 9;
    struct frame_map *m;
    struct err e = {0};
    ck_assert_int_eq(frame_map_new(&m, &c, &b, &e), -1);
    ck_assert_int_eq(e.kind, ERR_USAGE);
    for (unsigned order = 0; order <= FRAME_MAX_ORDER; order++) { /* not given, it follows */
        b.max_order = order;
        b.pageblock_order = 0;
        ck_assert_msg(frame_map_new(&m, &c, &b, &e) == 0, "%s", e.message);
        ck_assert_uint_eq(m->pageblock_order, order < 9 ? order : 9);
        frame_map_free(m);
    }
    frame_map_free(NULL);
}
END_TEST

START_TEST(order_of_zones)
{
    struct frame_map *m = map_sized(5 * GIB);
    pfn_t normal = frames_alloc(m, GFP_HIGHUSER_MOVABLE, 0, FRAME_TAG_ANON);
    pfn_t dma32 = frames_alloc(m, GFP_KERNEL | __GFP_DMA32, 0, FRAME_TAG_KERNEL);
    pfn_t dma = frames_alloc(m, GFP_KERNEL | __GFP_DMA, 0, FRAME_TAG_DMA);
    ck_assert_int_eq(frame_zone(m, normal), ZONE_NORMAL);
    ck_assert_int_eq(frame_zone(m, dma32), ZONE_DMA32);
    ck_assert_int_eq(frame_zone(m, dma), ZONE_DMA);
    ck_assert_uint_eq(m->tag_pages[FRAME_TAG_DMA], 1);

    /* Normal fills to its low watermark, then DMA32 serves; DMA keeps its lowmem_reserve. */
    bool left = false; /* Normal comes again later, down to its minimum mark */
    uint64_t low = m->zones[ZONE_NORMAL].wmark[WMARK_LOW];
    for (pfn_t p; !pfn_is_none(p = frames_alloc(m, GFP_HIGHUSER_MOVABLE, 4, FRAME_TAG_ANON));) {
        int z = (int)frame_zone(m, p);
        if (z != ZONE_NORMAL && !left) {
            left = true;
            ck_assert_int_eq(z, ZONE_DMA32);
            ck_assert_uint_le(m->zones[ZONE_NORMAL].free, low + 16);
            ck_assert_uint_gt(m->zones[ZONE_NORMAL].free, low - 16);
        }
    }
    ck_assert(left);
    ck_assert_uint_gt(m->zones[ZONE_NORMAL].st.low_misses, 0);
    ck_assert_uint_eq(m->st.failures, 1);
    ck_assert_uint_eq(m->st.failures_pages, 16);
    for (int i = 0; i < 3; i++) {
        const struct zone *z = &m->zones[i];
        uint64_t floor = z->wmark[WMARK_MIN] + z->lowmem_reserve[ZONE_MOVABLE];
        if (z->managed > floor) {
            ck_assert_uint_le(z->free, floor + 16 + 15);
            ck_assert_uint_gt(z->free, floor - 16);
        }
    }
    /* A request for the zone itself may use what is reserved from higher ones. */
    ck_assert(!pfn_is_none(frames_alloc(m, GFP_KERNEL | __GFP_DMA, 0, FRAME_TAG_DMA)));
    /* Atomic requests go deeper than blocking ones; MEMALLOC takes the last frame. */
    while (!pfn_is_none(frames_alloc(m, GFP_KERNEL, 0, FRAME_TAG_KERNEL)))
        ;
    ck_assert(!pfn_is_none(frames_alloc(m, GFP_ATOMIC, 0, FRAME_TAG_KERNEL)));
    while (!pfn_is_none(frames_alloc(m, GFP_ATOMIC, 0, FRAME_TAG_KERNEL)))
        ;
    ck_assert_uint_gt(frames_free_pages(m), 0);
    while (!pfn_is_none(frames_alloc(m, GFP_ALL, 0, FRAME_TAG_ANON)))
        ;
    ck_assert_uint_eq(frames_free_pages(m), 0);
    ck_assert_uint_eq(frames_allocated_pages(m), m->managed);
    check_map(m);
    frame_map_free(m);
}
END_TEST

START_TEST(too_large_an_order_is_an_outcome)
{
    struct frame_map *m = map_sized(64 * MIB);
    ck_assert(pfn_is_none(frames_alloc(m, GFP_ALL, 11, FRAME_TAG_ANON)));
    ck_assert(pfn_is_none(frames_alloc(m, GFP_ALL, UINT32_MAX, FRAME_TAG_ANON)));
    ck_assert_uint_eq(m->st.failures, 2);
    check_map(m);
    frame_map_free(m);
}
END_TEST

START_TEST(split_retag_and_owner)
{
    struct frame_map *m = map_sized(64 * MIB);
    pfn_t p = frames_alloc(m, GFP_TRANSHUGE_LIGHT, 9, FRAME_TAG_ANON);
    ck_assert_uint_eq(p.v % 512, 0);
    struct frame *f = frame_at(m, p);
    ck_assert(f->flags == 0 && f->mapcount == 0 && f->vpn == 0 && f->asid == 0);
    f->asid = 7;
    f->vpn = 0x1000;
    struct frame_block b = frames_find(m, (pfn_t){p.v + 77});
    ck_assert(b.kind == FRAME_IS_ALLOCATED && b.head.v == p.v && b.order == 9);
    frames_split(m, p, 9, 0);
    check_map(m);
    ck_assert_uint_eq(f[77].asid, 7);
    ck_assert_uint_eq(f[77].vpn, 0x1000 + 77);
    b = frames_find(m, (pfn_t){p.v + 77});
    ck_assert(b.kind == FRAME_IS_ALLOCATED && b.head.v == p.v + 77 && b.order == 0);
    frames_retag(m, (pfn_t){p.v + 77}, FRAME_TAG_FILE);
    ck_assert_uint_eq(m->tag_pages[FRAME_TAG_ANON], 511);
    ck_assert_uint_eq(m->tag_pages[FRAME_TAG_FILE], 1);
    check_map(m);
    for (unsigned i = 0; i < 512; i++)
        frames_free(m, (pfn_t){p.v + i}, 0);
    ck_assert_uint_eq(frames_free_pages(m) + frames_pcp_pages(m), m->managed);
    check_map(m);
    frame_map_free(m);
}
END_TEST

START_TEST(contents_of_memory)
{
    struct phys_mem mem;
    struct err e = {0};
    ck_assert_int_eq(phys_mem_init(&mem, 1024 * GIB, &e), 0);
    pfn_t far = {1024 * GIB / 4096 - 1};
    unsigned char *at = phys_at(&mem, pfn_to_pa(far));
    ck_assert_uint_eq(at[0], 0);
    at[4095] = 1;
    phys_junk(&mem, far);
    ck_assert_uint_eq(at[0], PHYS_JUNK);
    ck_assert_uint_eq(at[4095], PHYS_JUNK);
    phys_zero(&mem, far);
    ck_assert_uint_eq(at[4095], 0);
    at[1] = 9;
    phys_release(&mem, far, 1);
    ck_assert_uint_eq(at[1], 0);
    ck_assert(phys_valid(&mem, (pa_t){1024 * GIB - 1}) && !phys_valid(&mem, (pa_t){1024 * GIB}));
    phys_mem_fini(&mem);
    phys_mem_fini(&mem);
    ck_assert_int_eq(phys_mem_init(&mem, 4097, &e), -1);
    ck_assert_int_eq(phys_mem_init(&mem, 1ull << 60, &e), -1); /* more than the address space: an error, no crash */
    ck_assert(e.remedy[0] != 0);
}
END_TEST

START_TEST(statistics_by_name)
{
    struct frame_map *m = map_sized(64 * MIB);
    struct stats *s;
    struct err e = {0};
    ck_assert_int_eq(stats_new(&s, &e), 0);
    frames_add_stats(m, s);
    stats_freeze(s);
    pfn_t p = frames_alloc(m, GFP_HIGHUSER_MOVABLE, 2, FRAME_TAG_ANON);
    frames_free(m, p, 2);
    pcp_drain_all(m, NULL);
    static const struct { const char *name; uint64_t value; } want[] = {
        {"buddy.allocs", 1}, {"buddy.frees", 1}, {"buddy.splits", 8}, {"buddy.merges", 8}, {"buddy.failures", 0},
        {"pcp.refills", 1}, {"pcp.refill_pages", 8}, {"pcp.frees", 1}, {"pcp.drain_pages", 8}, {"pcp.hits", 0},
        {"zone.DMA32.alloc_pages", 4}, {"zone.DMA32.free_pages_back", 4}, {"zone.DMA.allocs", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        uint64_t v = UINT64_MAX;
        ck_assert_msg(stats_find(s, want[i].name, &v), "%s", want[i].name);
        ck_assert_msg(v == want[i].value, "%s is %" PRIu64, want[i].name, v);
    }
    uint64_t v;
    ck_assert(!stats_find(s, "zone.Normal.allocs", &v)); /* an empty zone has no counters */
    stats_free(s);
    frame_map_free(m);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("frames");
    TCase *t = tcase_create("frames");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, gfp_values_and_zones);
    tcase_add_test(t, gfp_texts);
    tcase_add_test(t, parameter_tables);
    tcase_add_test(t, watermarks_of_a_live_kernel);
    tcase_add_test(t, min_free_kbytes_formula);
    tcase_add_test(t, watermark_boundaries);
    tcase_add_test(t, zones_of_sizes);
    tcase_add_test(t, pci_hole_and_boot_memory);
    tcase_add_test(t, sizes_that_cannot_work);
    tcase_add_test(t, order_of_zones);
    tcase_add_test(t, too_large_an_order_is_an_outcome);
    tcase_add_test(t, split_retag_and_owner);
    tcase_add_test(t, contents_of_memory);
    tcase_add_test(t, statistics_by_name);
    suite_add_tcase(s, t);
    return run_suite(s);
}
