/*
 * Per-CPU lists against a twin written from linux-mm 2.7 with plain arrays. Both stand before a zone of their own (two
 * equal maps), so every choice - how many a refill takes, which block is next, what a drain gives back, in which order - shows
 * as another frame. Flags that kswapd and the allocator set are thrown at random on both. Seed: MMULAB_SEED.
 */
#include "unit/test_frames_util.h"

#include "engine/rng.h"
#include "property/ops.h"
#include "frames/frame_alloc.h"
#include "frames/buddy/free_list.h"
#include "frames/buddy/pcp.h"

enum { CPUS = 3, LISTS = 14, ROOM = 1 << 16 };

struct twin_pcp { int count, high, free_count, alloc_factor; bool prev_high; int n[LISTS]; uint64_t l[LISTS][ROOM]; };
struct twin {
    struct frame_map *m; /* without per-CPU lists */
    struct zone *z;
    int batch, high_min, high_max;
    bool below_high, reclaim, slice;
    struct twin_pcp p[CPUS];
};

static int index_of(unsigned order, int mt) { return order < 4 ? 3 * (int)order + mt : mt == MIGRATE_MOVABLE ? 13 : 12; }
static unsigned order_of(int list) { return list < 12 ? (unsigned)list / 3 : 9; }
static int between(int v, int lo, int hi) { return v < lo ? lo : v > hi ? hi : v; }
static int larger(int a, int b) { return a > b ? a : b; }
static int smaller(int a, int b) { return a < b ? a : b; }

static uint64_t twin_alloc(struct twin *t, int cpu, unsigned order, int mt)
{
    struct twin_pcp *p = &t->p[cpu];
    int list = index_of(order, mt);
    p->free_count /= 2;
    if (p->n[list] == 0) {
        int high = between(p->high, t->high_min, t->high_max), n;
        p->high = high;
        if (high < t->batch) {
            n = 1;
        } else {
            n = order == 0 ? t->batch << p->alloc_factor : t->batch;
            if (t->high_min != t->high_max && !t->below_high)
                p->high = high = smaller(high + n, t->high_max);
            if (order == 0) {
                int most = larger(high - p->count - t->batch, t->batch);
                if (n <= most && p->alloc_factor < 5)
                    p->alloc_factor++;
                n = smaller(n, most);
            }
            if (n > 1)
                n = larger(n >> order, 2);
        }
        enum rmqueue_mode mode = RMQUEUE_NORMAL;
        for (int i = 0; i < n; i++) {
            pfn_t b = t->m->ops->alloc(t->m, t->z, order, (enum migratetype)mt, 0, &mode);
            if (pfn_is_none(b))
                break;
            p->l[list][p->n[list]++] = b.v;
            p->count += 1 << order;
        }
        if (p->n[list] == 0)
            return PFN_NONE.v;
    }
    uint64_t b = p->l[list][0];
    memmove(p->l[list], p->l[list] + 1, (size_t)--p->n[list] * sizeof b);
    p->count -= 1 << order;
    return b;
}

static void twin_drain(struct twin *t, struct twin_pcp *p, int k, int list)
{
    for (k = smaller(k, p->count); k > 0; list = (list + 1) % LISTS)
        while (k > 0 && p->n[list] > 0) {
            t->m->ops->free(t->m, t->z, p->l[list][--p->n[list]], order_of(list));
            k -= 1 << order_of(list);
            p->count -= 1 << order_of(list);
        }
}

static void twin_free(struct twin *t, int cpu, uint64_t b, unsigned order)
{
    struct twin_pcp *p = &t->p[cpu];
    int list = index_of(order, (int)pageblock_get(t->m, b));
    p->alloc_factor /= 2;
    memmove(p->l[list] + 1, p->l[list], (size_t)p->n[list]++ * sizeof b);
    p->l[list][0] = b;
    p->count += 1 << order;
    bool free_high = false, high_order = order > 0 && order < 9;
    if (high_order)
        free_high = p->free_count >= t->batch + t->high_min / 2 && p->prev_high && (!t->slice || p->count >= t->batch);
    p->prev_high = high_order;
    if (p->free_count < t->batch * 32)
        p->free_count += 1 << order;
    int h = between(p->high, t->high_min, t->high_max), high = h;
    p->high = h;
    if (free_high) {
        p->high = larger(h - t->batch * 32, t->high_min);
        high = 0;
    } else if (t->reclaim) {
        p->high = larger(h - larger(p->free_count, t->batch), t->high_min);
        high = smaller(4 * t->batch, p->high);
    } else if (t->high_min == t->high_max) {
        high = h;
    } else if (t->below_high) {
        p->high = larger(h - larger(p->free_count, t->batch), t->high_min);
        high = larger(p->count, t->high_min);
    } else if (p->count >= h && p->high < p->free_count + t->batch) {
        p->high = between(p->free_count + t->batch, t->high_min, t->high_max);
    }
    if (p->count < high)
        return;
    twin_drain(t, p, free_high ? smaller(p->count, t->batch * 32)
                               : high < t->batch ? 1 : between(p->free_count, t->batch, larger(high - t->batch, t->batch)),
               list);
    if (t->below_high && t->z->free > t->z->wmark[WMARK_HIGH])
        t->below_high = false;
}

static void compare_lists(const struct frame_map *m, const struct zone *z, const struct twin *t)
{
    for (unsigned c = 0; c < CPUS; c++) {
        const struct pcp *p = pcp_of(m, z, c);
        const struct twin_pcp *q = &t->p[c];
        ck_assert_int_eq((int)p->count, q->count);
        ck_assert_int_eq((int)p->high, q->high);
        ck_assert_int_eq((int)p->free_count, q->free_count);
        ck_assert_int_eq(p->alloc_factor, q->alloc_factor);
        for (int l = 0; l < LISTS; l++) {
            int n = 0;
            for (uint32_t i = p->list[l].first; i; i = m->frames[i].next, n++)
                ck_assert(n < q->n[l] && q->l[l][n] == i);
            ck_assert_int_eq(n, q->n[l]);
        }
    }
    ck_assert_mem_eq(z->nr_free_mt, t->z->nr_free_mt, sizeof z->nr_free_mt);
}

/* A block comes into use, or ends to be: what claiming pageblocks looks at. */
static void use(struct frame_map *m, uint64_t b, unsigned order, bool movable)
{
    m->frames[b] = (struct frame){.state = FRAME_ALLOCATED, .order = (uint8_t)order,
                                  .tag = movable ? FRAME_TAG_ANON : FRAME_TAG_SLAB};
}
static void unuse(struct frame_map *m, uint64_t b)
{
    m->frames[b].state = FRAME_NONE;
    m->frames[b].tag = FRAME_TAG_NONE;
    m->frames[b].order = 0;
}

static void run(uint64_t bytes, enum zone_type type, uint32_t fraction, bool slice, uint64_t seed, uint64_t n_ops)
{
    struct memory_config mc;
    struct buddy_config bc;
    frames_config_defaults(&mc, &bc);
    mc.size_bytes = bytes;
    mc.percpu_pagelist_high_fraction = fraction;
    bc.pcp_cache_bytes = slice ? 2 * MIB : 4096;
    bc.cpus = CPUS;
    struct frame_map *m = map_of(mc, bc);
    bc.pcp = false;
    struct twin *t = calloc(1, sizeof *t);
    ck_assert_ptr_nonnull(t);
    t->m = map_of(mc, bc);
    t->z = &t->m->zones[type];
    struct zone *z = &m->zones[type];
    t->batch = (int)z->pcp_batch;
    t->high_min = (int)z->pcp_high_min;
    t->high_max = (int)z->pcp_high_max;
    t->slice = slice && 2 * MIB / 4096 > 3 * z->pcp_batch;
    struct { uint64_t pfn; unsigned order; } *live = malloc((z->managed + 1) * sizeof *live);
    uint64_t n = 0, refused = 0;
    struct rng r;
    rng_init(&r, seed, "pcp");
    bool growing = true;
    unsigned cpu = 0, order = 0;
    for (uint64_t i = 0; i < n_ops; i++) {
        if (rng_below(&r, 4000) == 0 || n == 0)
            growing = n == 0 || !growing;
        if (rng_below(&r, 64) == 0) { /* runs on one CPU, of one order: what the tuning looks at */
            static const unsigned orders[] = {0, 0, 0, 0, 1, 2, 3, 3, 9};
            cpu = (unsigned)rng_below(&r, CPUS);
            order = orders[rng_below(&r, ARRAY_LEN(orders))];
        }
        if (rng_below(&r, 3000) == 0) {
            t->reclaim = rng_below(&r, 4) == 0;
            t->below_high = rng_below(&r, 3) == 0;
            z->flags = (t->reclaim ? ZONE_RECLAIM_ACTIVE : 0u) | (t->below_high ? ZONE_BELOW_HIGH : 0u);
        }
        if (rng_below(&r, 100) < (growing ? 75u : 25u)) {
            int mt = (int)rng_below(&r, MIGRATE_PCPTYPES);
            pfn_t a = pcp_alloc(m, z, cpu, order, (enum migratetype)mt, 0);
            uint64_t b = twin_alloc(t, (int)cpu, order, mt);
            ck_assert_msg(a.v == b, "operation %" PRIu64 ", cpu %u, order %u: pfn %" PRId64 ", the twin says %" PRId64, i,
                          cpu, order, (int64_t)a.v, (int64_t)b);
            if (pfn_is_none(a)) {
                refused++;
                growing = false;
                continue;
            }
            use(m, b, order, mt == MIGRATE_MOVABLE);
            use(t->m, b, order, mt == MIGRATE_MOVABLE);
            live[n].pfn = b;
            live[n++].order = order;
        } else if (n) {
            uint64_t k = rng_below(&r, 4) ? n - 1 : rng_below(&r, n);
            uint64_t b = live[k].pfn;
            unsigned o = live[k].order;
            live[k] = live[--n];
            unuse(m, b);
            unuse(t->m, b);
            pcp_free(m, z, cpu, b, o);
            twin_free(t, (int)cpu, b, o);
        }
        ck_assert_int_eq((z->flags & ZONE_BELOW_HIGH) != 0, t->below_high);
        if (i % 2048 == 0)
            compare_lists(m, z, t);
    }
    compare_lists(m, z, t);
    printf("pcp: zone %s of %" PRIu64 " MiB: %" PRIu64 " operations, %" PRIu64 " refills, %" PRIu64 " drains, %" PRIu64
           " refused\n", z->name, bytes >> 20, n_ops, m->pcp_st.refills, m->pcp_st.drains, refused);
    ck_assert(m->pcp_st.refills && m->pcp_st.drains);
    frame_map_free(t->m);
    frame_map_free(m);
    free(live);
    free(t);
}

START_TEST(twin)
{
    uint64_t seed = property_seed(20261122);
    printf("pcp: seed %" PRIu64 "\n", seed);
    fflush(stdout);
    run(16 * MIB, ZONE_DMA, 0, true, seed, property_ops(200000));
    run(80 * MIB, ZONE_DMA32, 0, true, seed + 1, property_ops(300000));
    run(80 * MIB, ZONE_DMA32, 8, false, seed + 2, property_ops(200000));
    run(900 * MIB, ZONE_DMA32, 0, true, seed + 3, property_ops(300000));
    run(900 * MIB, ZONE_DMA32, 0, false, seed + 4, property_ops(300000));
    run(900 * MIB, ZONE_DMA32, 20, true, seed + 5, property_ops(200000));
}
END_TEST

/* The whole allocator over several CPUs: nothing lost, nothing twice; checked all the time. */
START_TEST(conservation)
{
    struct memory_config mc;
    struct buddy_config bc;
    frames_config_defaults(&mc, &bc);
    mc.size_bytes = 40 * MIB;
    bc.cpus = CPUS;
    struct frame_map *m = map_of(mc, bc);
    bool *used = calloc(m->n_frames, sizeof *used);
    struct { uint64_t pfn; unsigned order; } *live = malloc(m->n_frames * sizeof *live);
    uint64_t n = 0, pages = 0;
    struct rng r;
    rng_init(&r, 7, "conservation");
    bool growing = true;
    for (uint64_t i = 0; i < 400000; i++) {
        if (rng_below(&r, 20000) == 0 || n == 0)
            growing = n == 0 || !growing;
        frames_on_cpu(m, (unsigned)rng_below(&r, CPUS));
        if (rng_below(&r, 100) < (growing ? 70u : 30u)) {
            static const unsigned orders[] = {0, 0, 0, 0, 0, 1, 2, 3, 4, 9};
            static const gfp_t gfps[] = {GFP_ALL, GFP_HIGHUSER_MOVABLE, GFP_KERNEL, GFP_ATOMIC, GFP_TRANSHUGE_LIGHT};
            unsigned order = orders[rng_below(&r, ARRAY_LEN(orders))];
            pfn_t p = frames_alloc(m, gfps[rng_below(&r, ARRAY_LEN(gfps))], order, FRAME_TAG_ANON);
            if (pfn_is_none(p))
                continue;
            for (uint64_t q = p.v; q < p.v + (1ull << order); q++) {
                ck_assert_msg(!used[q], "pfn %" PRIu64 " twice", q);
                used[q] = true;
            }
            pages += 1ull << order;
            live[n].pfn = p.v;
            live[n++].order = order;
        } else if (n) {
            uint64_t k = rng_below(&r, n);
            frames_free(m, (pfn_t){live[k].pfn}, live[k].order);
            memset(used + live[k].pfn, 0, 1ull << live[k].order);
            pages -= 1ull << live[k].order;
            live[k] = live[--n];
        }
        if (i % 4096 == 0) {
            check_map(m);
            ck_assert_uint_eq(frames_free_pages(m) + frames_pcp_pages(m) + pages, m->managed);
        }
    }
    while (n--)
        frames_free(m, (pfn_t){live[n].pfn}, live[n].order);
    pcp_drain_all(m, NULL);
    ck_assert_uint_eq(frames_free_pages(m), m->managed);
    check_map(m);
    free(used);
    free(live);
    frame_map_free(m);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("pcp_properties");
    TCase *t = tcase_create("random");
    tcase_set_timeout(t, 280);
    tcase_add_test(t, twin);
    tcase_add_test(t, conservation);
    suite_add_tcase(s, t);
    return run_suite(s);
}
