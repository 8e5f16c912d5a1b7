/* Per-CPU page lists, rule by rule (linux-mm 2.7), their sizes against a live kernel's, and the verifier. */
#include "test_frames_util.h"

#include "frames/buddy/pcp.h"

/* linux-mm 15: a machine of two CPUs. */
START_TEST(sizes_of_a_live_kernel)
{
    static const struct { uint64_t managed, low; uint32_t batch, min, max; } row[] = {
        {3840, 68, 1, 34, 240},
        {772915, 13951, 63, 6975, 48307},
        {393216, 7097, 63, 3548, 24576},
        {2752512, 16471, 63, 8235, 172032},
    };
    for (size_t i = 0; i < ARRAY_LEN(row); i++) {
        ck_assert_uint_eq(pcp_batch(row[i].managed), row[i].batch);
        ck_assert_uint_eq(pcp_high_min(row[i].managed, row[i].low, 0, 2), row[i].min);
        ck_assert_uint_eq(pcp_high_max(row[i].managed, 0, 2), row[i].max);
    }
    /* 63 from 688 MiB on; below, one less than a power of two. */
    ck_assert_uint_eq(pcp_batch(176128), 63);
    ck_assert_uint_eq(pcp_batch(176127), 31);
    ck_assert_uint_eq(pcp_batch(8191), 1);
    ck_assert_uint_eq(pcp_batch(3 * 4096), 3);
    /* With a fraction, both are the same and never less than four batches. */
    ck_assert_uint_eq(pcp_high_min(800000, 1, 8, 2), 50000);
    ck_assert_uint_eq(pcp_high_max(800000, 8, 2), 50000);
    ck_assert_uint_eq(pcp_high_max(800000, 1u << 20, 2), 252);
}
END_TEST

/* Every row of the recorded zoneinfo files: managed and low as printed there, the lists as computed here. */
START_TEST(sizes_recorded)
{
    static const char *const workloads[] = {"compile", "filetree", "procs", "fragstress"};
    static const char *const moments[] = {"before", "after"};
    const char *data = getenv("MMULAB_DATA") ? getenv("MMULAB_DATA") : MMULAB_SOURCE_DIR "/../shared";
    int rows = 0;
    for (size_t w = 0; w < ARRAY_LEN(workloads); w++)
        for (size_t k = 0; k < ARRAY_LEN(moments); k++) {
            char path[4096], line[512];
            snprintf(path, sizeof path, "%s/traces/kernel/%s/%s.zoneinfo", data, workloads[w], moments[k]);
            FILE *f = fopen(path, "r");
            unsigned long long managed = 0, low = 0, v;
            while (f && fgets(line, sizeof line, f)) {
                if (sscanf(line, " low %llu", &v) == 1)
                    low = v;
                else if (sscanf(line, " managed %llu", &v) == 1)
                    managed = v;
                else if (sscanf(line, " batch: %llu", &v) == 1)
                    ck_assert_uint_eq(pcp_batch(managed), v);
                else if (sscanf(line, " high_min: %llu", &v) == 1)
                    ck_assert_uint_eq(pcp_high_min(managed, low, 0, 2), v);
                else if (sscanf(line, " high_max: %llu", &v) == 1) {
                    ck_assert_uint_eq(pcp_high_max(managed, 0, 2), v);
                    rows++;
                }
            }
            if (f)
                fclose(f);
        }
    printf(rows ? "per-CPU lists: %d recorded rows equal\n" : "per-CPU lists: SKIPPED, no recorded data (%d)\n", rows);
}
END_TEST

/* 4 GiB with a hole, two CPUs: Normal has batch 63. */
static struct frame_map *map_cpus(unsigned cpus)
{
    struct memory_config m;
    struct buddy_config b;
    frames_config_defaults(&m, &b);
    m.size_bytes = 8 * GIB;
    b.cpus = cpus;
    return map_of(m, b);
}

static uint64_t take(struct frame_map *m, unsigned order)
{
    return frames_alloc(m, GFP_HIGHUSER_MOVABLE, order, FRAME_TAG_ANON).v;
}

START_TEST(refills_double)
{
    struct frame_map *m = map_cpus(2);
    struct zone *z = &m->zones[ZONE_NORMAL];
    struct pcp *p = pcp_of(m, z, 0);
    ck_assert_uint_eq(z->pcp_batch, 63);
    /* batch << alloc_factor, as seen in recordings: 63, 126, 252, 504, 1008, then 2016 without end. */
    static const uint32_t size[] = {63, 126, 252, 504, 1008, 2016, 2016};
    uint64_t next = z->start;
    for (size_t i = 0; i < ARRAY_LEN(size); i++) {
        ck_assert_uint_eq(p->count, 0);
        for (uint32_t n = 0; n < size[i]; n++) {
            ck_assert_uint_eq(take(m, 0), next++); /* ascending */
            ck_assert_uint_eq(p->count, size[i] - n - 1);
        }
    }
    ck_assert_uint_eq(m->pcp_st.refills, ARRAY_LEN(size));
    /* Each free halves it. */
    for (int i = 0; i < 5; i++)
        frames_free(m, (pfn_t){z->start + (unsigned)i}, 0);
    ck_assert_uint_eq(p->alloc_factor, 0);
    /* Orders above 0 are not scaled: 63 >> 1, 63 >> 2, 63 >> 3, and 2 huge pages. */
    static const struct { unsigned order; uint32_t blocks; } high[] = {{1, 31}, {2, 15}, {3, 7}, {9, 2}};
    for (size_t i = 0; i < ARRAY_LEN(high); i++) {
        uint64_t before = m->pcp_st.refill_pages;
        take(m, high[i].order);
        ck_assert_uint_eq(m->pcp_st.refill_pages - before, high[i].blocks << high[i].order);
    }
    check_map(m);
    frame_map_free(m);
}
END_TEST

START_TEST(each_cpu_its_own)
{
    struct frame_map *m = map_cpus(2);
    struct zone *z = &m->zones[ZONE_NORMAL];
    uint64_t a = take(m, 0);
    frames_on_cpu(m, 1);
    uint64_t b = take(m, 0);
    ck_assert_uint_eq(b - a, 63); /* the other's batch lies between */
    frames_free(m, (pfn_t){a}, 0);
    ck_assert_uint_eq(take(m, 0), a); /* freed last, on this CPU */
    frames_on_cpu(m, 0);
    ck_assert_uint_eq(take(m, 0), a + 1);
    ck_assert_int_eq(frames_find(m, (pfn_t){a + 2}).kind, FRAME_IS_PCP);
    ck_assert_uint_eq(frames_pcp_pages(m), 61 + 62);
    ck_assert_uint_eq(frames_free_pages(m) + frames_pcp_pages(m) + 3, m->managed);
    /* Types and orders apart: an unmovable page comes from another list, order 4 from the zone. */
    uint64_t refills = m->pcp_st.refills;
    frames_alloc(m, GFP_KERNEL, 0, FRAME_TAG_KERNEL);
    ck_assert_uint_eq(m->pcp_st.refills, refills + 1);
    take(m, 4);
    ck_assert_uint_eq(m->pcp_st.refills, refills + 1);
    check_map(m);
    pcp_drain_all(m, z);
    ck_assert_uint_eq(frames_pcp_pages(m), 0);
    check_map(m);
    frame_map_free(m);
}
END_TEST

START_TEST(drains_from_the_tail)
{
    struct frame_map *m = map_cpus(1);
    struct zone *z = &m->zones[ZONE_NORMAL];
    struct pcp *p = pcp_of(m, z, 0);
    uint64_t a[4];
    for (int i = 0; i < 4; i++)
        a[i] = take(m, 2);
    pcp_drain_all(m, z);
    for (int i = 0; i < 4; i++)
        frames_free(m, (pfn_t){a[i]}, 2);
    uint64_t huge = take(m, 9), one = take(m, 0);
    uint64_t held = p->count;
    frames_free(m, (pfn_t){one}, 0);
    ck_assert_uint_eq(p->count, held + 1);
    /* From list 6 (order 2, unmovable: empty) on: order 2 movable is next; its tail is what was freed first. */
    pcp_drain(m, z, 0, 4, 6);
    ck_assert_int_eq(frames_find(m, (pfn_t){a[0]}).kind, FRAME_IS_FREE);
    ck_assert_int_eq(frames_find(m, (pfn_t){a[1]}).kind, FRAME_IS_PCP);
    pcp_drain(m, z, 0, 12, 6); /* the rest of the list */
    ck_assert_int_eq(frames_find(m, (pfn_t){a[3]}).kind, FRAME_IS_FREE);
    ck_assert_int_eq(frames_find(m, (pfn_t){huge + 512}).kind, FRAME_IS_PCP);
    pcp_drain(m, z, 0, 1, 8); /* round to the huge pages: a whole one goes for one page asked */
    ck_assert_int_eq(frames_find(m, (pfn_t){huge + 512}).kind, FRAME_IS_FREE);
    check_map(m);
    frame_map_free(m);
}
END_TEST

START_TEST(high_is_tuned)
{
    struct frame_map *m = map_cpus(1);
    struct zone *z = &m->zones[ZONE_NORMAL];
    struct pcp *p = pcp_of(m, z, 0);
    uint64_t n = 3 * (uint64_t)z->pcp_high_min, first = take(m, 0);
    for (uint64_t i = 1; i < n; i++)
        ck_assert_uint_eq(take(m, 0), first + i);
    uint32_t grown = p->high;
    ck_assert_uint_gt(grown, z->pcp_high_min); /* refills raised it */
    for (uint64_t i = 0; i < n; i++) {
        frames_free(m, (pfn_t){first + i}, 0);
        ck_assert_uint_le(p->count, z->pcp_high_max);
    }
    /* Idle: an eighth less each second, down to high_min. */
    uint32_t high = p->high;
    pcp_decay(m, z, 0);
    ck_assert(p->high == high - high / 8 || p->high == z->pcp_high_min ||
              p->high == p->count - (z->pcp_batch << 5));
    for (int i = 0; i < 200; i++)
        pcp_decay(m, z, 0);
    ck_assert_uint_eq(p->high, z->pcp_high_min);
    ck_assert_uint_le(p->count, z->pcp_high_min);
    ck_assert_uint_gt(m->pcp_st.drains, 0);
    /* kswapd at work: four batches at most. */
    static uint64_t a[2000];
    for (size_t i = 0; i < ARRAY_LEN(a); i++)
        a[i] = take(m, 0);
    z->flags |= ZONE_RECLAIM_ACTIVE;
    for (size_t i = 0; i < ARRAY_LEN(a); i++)
        frames_free(m, (pfn_t){a[i]}, 0);
    ck_assert_uint_le(p->count, 4 * z->pcp_batch);
    check_map(m);
    frame_map_free(m);
}
END_TEST

/* memory.stat_interval: nothing before it has passed, then what pcp_decay does, once a period on every CPU and zone. */
START_TEST(decay_by_time)
{
    struct frame_map *m = map_cpus(2), *by_hand = map_cpus(2);
    struct frame_map *const both[2] = {m, by_hand};
    const tick_t s = 1000000000000ull;
    ck_assert_uint_eq(m->pcp_decay_ps, s);
    for (unsigned k = 0; k < 2; k++)
        for (unsigned c = 0; c < 2; c++) {
            static uint64_t a[3000];
            frames_on_cpu(both[k], c);
            for (size_t i = 0; i < ARRAY_LEN(a); i++)
                a[i] = take(both[k], 0);
            for (size_t i = 0; i < ARRAY_LEN(a); i++)
                frames_free(both[k], (pfn_t){a[i]}, 0);
        }
    struct zone *z = &m->zones[ZONE_NORMAL], *hz = &by_hand->zones[ZONE_NORMAL];
    const struct pcp *p = pcp_of(m, z, 1), *hp = pcp_of(by_hand, hz, 1);
    uint32_t high = p->high;
    ck_assert_uint_gt(high, z->pcp_high_min);
    frames_tick(m, s - 1);
    ck_assert_uint_eq(p->high, high);
    static const struct { unsigned seconds, decays; } steps[] = {{1, 1}, {2, 1}, {5, 3}, {5, 0}, {100000, 256}};
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        frames_tick(m, steps[i].seconds * s);
        for (unsigned k = 0; k < steps[i].decays; k++)
            for (unsigned c = 0; c < 2; c++)
                pcp_decay(by_hand, hz, c);
        for (unsigned c = 0; c < 2; c++) {
            ck_assert_uint_eq(pcp_of(m, z, c)->high, pcp_of(by_hand, hz, c)->high);
            ck_assert_uint_eq(pcp_of(m, z, c)->count, pcp_of(by_hand, hz, c)->count);
        }
        ck_assert(i || p->high < high);
    }
    ck_assert_uint_eq(hp->high, hz->pcp_high_min);
    check_map(m);
    m->pcp_decay_ps = 0; /* never */
    for (unsigned i = 0; i < 500; i++)
        take(m, 0);
    high = pcp_of(m, z, 1)->high;
    frames_tick(m, 200000 * s);
    ck_assert_uint_eq(pcp_of(m, z, 1)->high, high);
    frame_map_free(m);
    frame_map_free(by_hand);
}
END_TEST

START_TEST(runs_of_larger_blocks_leave)
{
    struct frame_map *m = map_cpus(8);
    struct zone *z = &m->zones[ZONE_NORMAL];
    struct pcp *p = pcp_of(m, z, 0);
    static uint64_t a[4096];
    for (size_t i = 0; i < ARRAY_LEN(a); i++)
        a[i] = take(m, 3);
    uint32_t most = 0;
    for (size_t i = 0; i < ARRAY_LEN(a); i++) {
        frames_free(m, (pfn_t){a[i]}, 3);
        most = p->count > most ? p->count : most;
    }
    /* free_count is kept below batch << 5, so T = batch + high_min / 2 is reached and the lists are emptied. */
    ck_assert_uint_le(most, z->pcp_batch + z->pcp_high_min / 2 + (z->pcp_batch << 5));
    ck_assert_uint_le(p->count, z->pcp_batch + 8);
    ck_assert_uint_gt(m->pcp_st.drain_pages, 8 * ARRAY_LEN(a) - 2 * (z->pcp_batch << 5));
    check_map(m);
    frame_map_free(m);
}
END_TEST

START_TEST(take_and_put)
{
    struct frame_map *m = map_cpus(2);
    struct zone *z = &m->zones[ZONE_NORMAL];
    uint64_t a = take(m, 0);
    ck_assert(pcp_take(m, a + 5));   /* out of the middle */
    ck_assert(!pcp_take(m, a + 5));  /* it is on no list now */
    ck_assert(!pcp_take(m, a));      /* allocated */
    ck_assert(!pcp_take(m, a + 1000)); /* free */
    ck_assert(!pcp_take(m, UINT64_MAX));
    pcp_put(m, z, 1, a + 5, pcp_list_of(0, MIGRATE_MOVABLE), true);
    check_map(m);
    frames_on_cpu(m, 1);
    ck_assert_uint_eq(take(m, 0), a + 5);
    frames_on_cpu(m, 0);
    for (uint64_t i = 1; i < 8; i++)
        ck_assert(i == 5 || take(m, 0) == a + i);
    check_map(m);
    frame_map_free(m);
}
END_TEST

/* What other CPUs hold comes back before a request that may reclaim fails; others fail. */
START_TEST(lists_come_back_under_pressure)
{
    struct memory_config c;
    struct buddy_config b;
    frames_config_defaults(&c, &b);
    c.size_bytes = 64 * MIB;
    b.cpus = 4;
    struct frame_map *m = map_of(c, b);
    uint64_t n = 0;
    for (unsigned cpu = 0;; cpu = (cpu + 1) % 4, n++) {
        frames_on_cpu(m, cpu);
        if (pfn_is_none(frames_alloc(m, n % 3 ? GFP_ALL : GFP_ALL_KERNEL, 0, FRAME_TAG_ANON)))
            break;
    }
    ck_assert_uint_eq(n, m->managed);
    check_map(m);
    frame_map_free(m);
}
END_TEST

#define CAUGHT(m, part) \
    do { \
        struct err e_ = {0}; \
        ck_assert_int_eq(frames_check((m), &e_), -1); \
        ck_assert_msg(strstr(e_.message, (part)) != NULL, "said: %s", e_.message); \
        frame_map_free(m); \
    } while (0)

START_TEST(planted)
{
    struct frame_map *m = map_cpus(2);
    uint64_t a = take(m, 0);
    pcp_of(m, &m->zones[ZONE_NORMAL], 0)->count++;
    CAUGHT(m, "count 63 pages and hold 62");
    m = map_cpus(2);
    a = take(m, 0);
    m->frames[a + 1].asid = 1;
    CAUGHT(m, "does not say that it is there");
    m = map_cpus(2);
    a = take(m, 0);
    m->frames[a + 3].prev = (uint32_t)a;
    CAUGHT(m, "points back");
    m = map_cpus(2);
    a = take(m, 0);
    m->frames[a + 3].next = (uint32_t)a + 1;
    CAUGHT(m, "points back");
    m = map_cpus(2);
    a = take(m, 0);
    pcp_take(m, a + 7); /* lost */
    CAUGHT(m, "is lost");
    m = map_cpus(2);
    a = take(m, 0);
    m->frames[a].state = FRAME_PCP; /* allocated, says it is on a list */
    CAUGHT(m, "is marked per-CPU but is on no per-CPU list");
    m = map_cpus(2);
    a = take(m, 0);
    pcp_of(m, &m->zones[ZONE_NORMAL], 0)->list[1].last = (uint32_t)a + 2;
    CAUGHT(m, "the tail is");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("pcp");
    TCase *t = tcase_create("pcp");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, sizes_of_a_live_kernel);
    tcase_add_test(t, sizes_recorded);
    tcase_add_test(t, refills_double);
    tcase_add_test(t, each_cpu_its_own);
    tcase_add_test(t, drains_from_the_tail);
    tcase_add_test(t, high_is_tuned);
    tcase_add_test(t, decay_by_time);
    tcase_add_test(t, runs_of_larger_blocks_leave);
    tcase_add_test(t, take_and_put);
    tcase_add_test(t, lists_come_back_under_pressure);
    tcase_add_test(t, planted);
    suite_add_tcase(s, t);
    return run_suite(s);
}
