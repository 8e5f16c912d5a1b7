/*
 * Random operations on the buddy allocator against naive models that are obviously right:
 *   - a bitmap of frames: what is handed out was free, aligned and inside memory; a refusal means that no aligned
 *     run of that size is free; what is free decomposes into exactly the blocks the allocator counts;
 *   - lists kept as plain arrays, with the kernel's rules written as in the reference: the very same frames in the
 *     very same order;
 *   - the same machine with all free memory linked at the start: the same frames, whatever is asked.
 * The seed is printed and can be given as MMULAB_SEED; MMULAB_OPS scales the number of operations (default 1).
 */
#include "unit/test_frames_util.h"

#include "engine/rng.h"
#include "frames/frame_alloc.h"
#include "property/ops.h"

static uint64_t seed_of_run(void) { return property_seed(20251121); }

/* ---- a random workload: what to do next, and the blocks that live ------------------------------------------------- */

struct block { uint64_t pfn; unsigned order; };
struct load {
    struct rng rng;
    struct block *live;
    size_t n, cap;
    bool growing;
};

static void load_init(struct load *l, uint64_t frames, uint64_t n_ops, const char *name)
{
    rng_init(&l->rng, seed_of_run(), name);
    printf("%s: seed %" PRIu64 ", %" PRIu64 " operations\n", name, seed_of_run(), n_ops);
    fflush(stdout);
    l->cap = frames + 1;
    l->live = malloc(l->cap * sizeof *l->live);
    ck_assert_ptr_nonnull(l->live);
    l->n = 0;
    l->growing = true;
}

/* Small orders mostly, large ones now and then. */
static unsigned random_order(struct rng *r, unsigned max)
{
    if (rng_below(r, 64) == 0)
        return (unsigned)rng_below(r, max + 1);
    unsigned o = (unsigned)__builtin_ctzll(rng_next(r) | 1ull << 20);
    return o < max ? o : max;
}

static gfp_t random_gfp(struct rng *r)
{
    static const gfp_t kinds[] = {GFP_HIGHUSER_MOVABLE, GFP_HIGHUSER_MOVABLE, GFP_KERNEL, GFP_KERNEL,
                                  GFP_KERNEL | __GFP_RECLAIMABLE};
    return kinds[rng_below(r, ARRAY_LEN(kinds))] | __GFP_MEMALLOC;
}

static enum frame_tag tag_for(gfp_t gfp) { return gfp & __GFP_MOVABLE ? FRAME_TAG_ANON : FRAME_TAG_SLAB; }

/* Swings between full and nearly empty, so that both ends are met many times. */
static bool wants_alloc(struct load *l)
{
    if (l->n == 0 || rng_below(&l->rng, 50000) == 0)
        l->growing = l->n == 0 || !l->growing;
    return l->n == 0 || rng_below(&l->rng, 100) < (l->growing ? 70u : 30u);
}

static struct block pick_victim(struct load *l)
{
    size_t i = rng_below(&l->rng, l->n);
    struct block b = l->live[i];
    l->live[i] = l->live[--l->n];
    return b;
}

/* ---- bitmap oracle ------------------------------------------------------------------------------------------------ */

struct oracle { bool *used; const struct frame_map *m; };

static bool inside(const struct frame_map *m, uint64_t pfn, uint64_t n)
{
    for (unsigned i = 0; i < m->n_ranges; i++)
        if (pfn >= m->ranges[i].start && pfn + n <= m->ranges[i].end)
            return true;
    return false;
}

/* Greedy: the largest aligned free block at each address is what full merging must leave. */
static void decompose(const struct oracle *o, uint64_t nr_free[N_ZONES][FRAME_ORDERS])
{
    memset(nr_free, 0, sizeof(uint64_t) * N_ZONES * FRAME_ORDERS);
    for (unsigned r = 0; r < o->m->n_ranges; r++) {
        const struct frame_range *g = &o->m->ranges[r];
        for (uint64_t p = g->start; p < g->end;) {
            if (o->used[p]) {
                p++;
                continue;
            }
            unsigned order = 0;
            while (order < o->m->max_order && p % (2ull << order) == 0 && p + (2ull << order) <= g->end) {
                bool empty = true;
                for (uint64_t q = p + (1ull << order); empty && q < p + (2ull << order); q++)
                    empty = !o->used[q];
                if (!empty)
                    break;
                order++;
            }
            nr_free[g->zone][order]++;
            p += 1ull << order;
        }
    }
}

static void compare_counts(const struct oracle *o)
{
    uint64_t want[N_ZONES][FRAME_ORDERS];
    decompose(o, want);
    for (unsigned z = 0; z < N_ZONES; z++)
        for (unsigned k = 0; k < FRAME_ORDERS; k++)
            ck_assert_msg(o->m->zones[z].nr_free[k] == want[z][k],
                          "zone %u order %u: %" PRIu64 " free blocks, the bitmap says %" PRIu64, z, k,
                          o->m->zones[z].nr_free[k], want[z][k]);
}

static void check_granted(struct oracle *o, pfn_t p, unsigned order)
{
    uint64_t n = 1ull << order;
    ck_assert_msg(p.v % n == 0 && inside(o->m, p.v, n), "pfn %" PRIu64 " order %u: not aligned or no memory", p.v,
                  order);
    for (uint64_t q = p.v; q < p.v + n; q++) {
        ck_assert_msg(!o->used[q], "pfn %" PRIu64 " was handed out twice", q);
        o->used[q] = true;
    }
}

static void check_refused(const struct oracle *o, unsigned order)
{
    uint64_t nr_free[N_ZONES][FRAME_ORDERS];
    decompose(o, nr_free);
    for (unsigned z = 0; z < N_ZONES; z++)
        for (unsigned k = order; k < FRAME_ORDERS; k++)
            ck_assert_msg(nr_free[z][k] == 0, "order %u refused, but zone %u has a free block of order %u", order, z,
                          k);
}

static void against_bitmap(struct memory_config mc, struct buddy_config bc, uint64_t n_ops, const char *name)
{
    struct frame_map *m = map_of(mc, bc);
    struct oracle o = {.used = calloc(m->n_frames, sizeof(bool)), .m = m};
    struct load l;
    load_init(&l, m->n_frames, n_ops, name);
    uint64_t initial[N_ZONES][FRAME_ORDERS], refused = 0;
    decompose(&o, initial);
    compare_counts(&o);
    for (uint64_t i = 0; i < n_ops; i++) {
        if (wants_alloc(&l)) {
            unsigned order = random_order(&l.rng, m->max_order);
            gfp_t gfp = random_gfp(&l.rng);
            pfn_t p = frames_alloc(m, gfp, order, tag_for(gfp));
            if (pfn_is_none(p)) {
                if (refused++ % 16 == 0)
                    check_refused(&o, order);
                l.growing = l.growing && rng_below(&l.rng, 32) != 0;
            } else {
                check_granted(&o, p, order);
                l.live[l.n++] = (struct block){p.v, order};
            }
        } else {
            struct block b = pick_victim(&l);
            if (b.order && rng_below(&l.rng, 8) == 0) { /* give back in pieces */
                frames_split(m, (pfn_t){b.pfn}, b.order, b.order - 1);
                l.live[l.n++] = (struct block){b.pfn + (1ull << (b.order - 1)), b.order - 1};
                b.order--;
            }
            frames_free(m, (pfn_t){b.pfn}, b.order);
            memset(o.used + b.pfn, 0, sizeof(bool) << b.order);
        }
        if (i % 512 == 0)
            compare_counts(&o);
        if (i % 8192 == 0)
            check_map(m);
    }
    ck_assert_uint_gt(refused, 0);
    while (!pfn_is_none(frames_alloc(m, GFP_ALL, 0, FRAME_TAG_ANON)))
        ck_assert_uint_le(frames_allocated_pages(m), m->managed);
    ck_assert_uint_eq(frames_allocated_pages(m), m->managed); /* exhausted to the last frame */
    check_map(m);
    for (uint64_t p = 0; p < m->n_frames; p++)
        if (m->frames[p].state == FRAME_ALLOCATED)
            frames_free(m, (pfn_t){p}, m->frames[p].order);
    memset(o.used, 0, m->n_frames * sizeof(bool));
    compare_counts(&o); /* as at the start */
    check_map(m);
    printf("%s: %" PRIu64 " refused, %" PRIu64 " fallbacks\n", name, refused, m->st.fallbacks);
    free(o.used);
    free(l.live);
    frame_map_free(m);
}

START_TEST(bitmap) /* for each allocator in the list */
{
    struct memory_config m;
    struct buddy_config b;
    frames_config_defaults(&m, &b);
    b.allocator = _i;
    uint64_t share = _i == FRAME_ALLOCATOR_buddy ? 1 : 4;
    b.pcp = false; /* what is free is in the zones; test_pcp has the lists */
    m.size_bytes = 20 * MIB; /* two zones */
    against_bitmap(m, b, property_ops(1500000) / share, "bitmap.mobility");
    m.size_bytes = 16 * MIB;
    b.group_by_mobility = false;
    against_bitmap(m, b, property_ops(500000) / share, "bitmap.plain");
    b.group_by_mobility = true;
    m.size_bytes = 20 * MIB + 12288; /* ends in the middle of a block */
    m.boot_reserved_bytes = MIB + 4096;
    b.max_order = 7;
    b.pageblock_order = 5;
    against_bitmap(m, b, property_ops(500000) / share, "bitmap.small_blocks");
    b.max_order = b.pageblock_order = 0;
    against_bitmap(m, b, property_ops(300000) / share, "bitmap.order0_only");
}
END_TEST

/* ---- lists as arrays, rules as in linux-mm 2.2, 2.4-2.6 ------------------------------------------------------------ */

enum { NAIVE_FRAMES = 4096, TYPES = MIGRATE_PCPTYPES };
enum use { USE_FREE, USE_MOVABLE, USE_FIXED, USE_NONE /* reserved */ };

struct naive {
    uint64_t list[FRAME_ORDERS][TYPES][NAIVE_FRAMES];
    unsigned n[FRAME_ORDERS][TYPES];
    int type[NAIVE_FRAMES / 512];
    enum use use[NAIVE_FRAMES];
    uint64_t end;
    bool mobility;
};

static int naive_index(const struct naive *v, unsigned order, int t, uint64_t pfn)
{
    for (unsigned i = 0; i < v->n[order][t]; i++)
        if (v->list[order][t][i] == pfn)
            return (int)i;
    return -1;
}

/* The type on whose list of `order` the block is, or -1. */
static int naive_find(const struct naive *v, unsigned order, uint64_t pfn)
{
    for (int t = 0; t < TYPES; t++)
        if (naive_index(v, order, t, pfn) >= 0)
            return t;
    return -1;
}

static void naive_del(struct naive *v, unsigned order, int t, uint64_t pfn)
{
    unsigned i = (unsigned)naive_index(v, order, t, pfn), n = --v->n[order][t];
    uint64_t *l = v->list[order][t];
    memmove(l + i, l + i + 1, (n - i) * sizeof *l);
}

static void naive_add(struct naive *v, unsigned order, int t, uint64_t pfn, bool tail)
{
    uint64_t *l = v->list[order][t];
    unsigned n = v->n[order][t]++;
    if (!tail)
        memmove(l + 1, l, n * sizeof *l);
    l[tail ? n : 0] = pfn;
}

static void naive_init(struct naive *v, uint64_t start, uint64_t end, bool mobility)
{
    memset(v, 0, sizeof *v);
    v->mobility = mobility;
    v->end = end;
    for (int i = 0; i < NAIVE_FRAMES; i++)
        v->use[i] = (uint64_t)i >= start && (uint64_t)i < end ? USE_FREE : USE_NONE;
    for (unsigned i = 0; i < ARRAY_LEN(v->type); i++)
        v->type[i] = mobility ? MIGRATE_MOVABLE : MIGRATE_UNMOVABLE;
    for (uint64_t p = start; p < end;) {
        unsigned o = 10;
        while (p % (1ull << o) || p + (1ull << o) > end)
            o--;
        naive_add(v, o, v->type[0], p, true);
        p += 1ull << o;
    }
}

static uint64_t naive_cut(struct naive *v, uint64_t p, unsigned order, unsigned have, int rest)
{
    while (have-- > order)
        naive_add(v, have, rest, p + (1ull << have), false);
    return p;
}

static uint64_t naive_smallest(struct naive *v, unsigned order, int t)
{
    for (unsigned o = order; o < FRAME_ORDERS; o++)
        if (v->n[o][t]) {
            uint64_t p = v->list[o][t][0];
            naive_del(v, o, t, p);
            return naive_cut(v, p, order, o, t);
        }
    return PFN_NONE.v;
}

static int naive_foreign(const struct naive *v, unsigned order, int t)
{
    static const int table[TYPES][2] = {{MIGRATE_RECLAIMABLE, MIGRATE_MOVABLE},
                                        {MIGRATE_RECLAIMABLE, MIGRATE_UNMOVABLE},
                                        {MIGRATE_UNMOVABLE, MIGRATE_MOVABLE}};
    return v->n[order][table[t][0]] ? table[t][0] : v->n[order][table[t][1]] ? table[t][1] : -1;
}

static bool naive_claim_part(struct naive *v, uint64_t pfn, int from, int t)
{
    uint64_t block = pfn / 512, free = 0, movable = 0;
    if (block == 0 || block * 512 + 512 > v->end) /* pfn 0 and what is behind the end are outside the zone */
        return false;
    for (uint64_t p = block * 512; p < block * 512 + 512; p++) {
        free += v->use[p] == USE_FREE;
        movable += v->use[p] == USE_MOVABLE;
    }
    uint64_t alike = t == MIGRATE_MOVABLE ? movable : from == MIGRATE_MOVABLE ? 512 - free - movable : 0;
    if (free + alike < 256)
        return false;
    for (uint64_t p = block * 512; p < block * 512 + 512; p++)
        for (unsigned o = 0; o < 9; o++)
            if (naive_index(v, o, from, p) >= 0) {
                naive_del(v, o, from, p);
                naive_add(v, o, t, p, true);
            }
    v->type[block] = t;
    return true;
}

static uint64_t naive_alloc(struct naive *v, unsigned order, int t)
{
    uint64_t p = naive_smallest(v, order, t);
    if (p != PFN_NONE.v || !v->mobility)
        return p;
    for (unsigned o = 11; o-- > order;) { /* claim */
        if (t == MIGRATE_MOVABLE && o < 4)
            break;
        int from = naive_foreign(v, o, t);
        if (from < 0)
            continue;
        p = v->list[o][from][0];
        if (o >= 9) {
            naive_del(v, o, from, p);
            v->type[p / 512] = v->type[(p + (1ull << o) - 1) / 512] = t;
            return naive_cut(v, p, order, o, t);
        }
        if (naive_claim_part(v, p, from, t))
            return naive_smallest(v, order, t);
    }
    for (unsigned o = order; o < FRAME_ORDERS; o++) { /* steal */
        int from = naive_foreign(v, o, t);
        if (from < 0)
            continue;
        p = v->list[o][from][0];
        naive_del(v, o, from, p);
        return naive_cut(v, p, order, o, from);
    }
    return PFN_NONE.v;
}

static void naive_free_one(struct naive *v, uint64_t p, unsigned order)
{
    int t = v->type[p / 512], its;
    uint64_t buddy;
    while (order < 10 && (its = naive_find(v, order, buddy = p ^ (1ull << order))) >= 0) {
        naive_del(v, order, its, buddy);
        for (uint64_t q = buddy; its != t && q < buddy + (1ull << order); q += 512)
            v->type[q / 512] = t;
        p &= ~(1ull << order);
        order++;
    }
    uint64_t parent = p & ~(1ull << order);
    naive_add(v, order, t, p, order < 9 && naive_find(v, order + 1, parent ^ (2ull << order)) >= 0);
}

static void naive_free(struct naive *v, uint64_t p, unsigned order)
{
    for (uint64_t q = p; q < p + (1ull << order); q++)
        v->use[q] = USE_FREE;
    naive_free_one(v, p, order > 9 ? 9 : order);
    if (order == 10)
        naive_free_one(v, p + 512, 9);
}

static void against_lists(bool mobility, const char *name)
{
    struct memory_config mc;
    struct buddy_config bc;
    frames_config_defaults(&mc, &bc);
    mc.size_bytes = 15 * MIB + 8192;
    bc.pcp = false;
    bc.group_by_mobility = mobility;
    struct frame_map *m = map_of(mc, bc);
    ck_assert_uint_eq(m->n_ranges, 1);
    struct naive *v = malloc(sizeof *v);
    ck_assert_ptr_nonnull(v);
    naive_init(v, m->ranges[0].start, m->ranges[0].end, mobility);
    struct load l;
    uint64_t n_ops = property_ops(400000);
    load_init(&l, m->n_frames, n_ops, name);
    for (uint64_t i = 0; i < n_ops; i++) {
        if (wants_alloc(&l)) {
            unsigned order = random_order(&l.rng, 10);
            gfp_t gfp = random_gfp(&l.rng);
            int t = mobility ? (int)gfp_migratetype(gfp) : MIGRATE_UNMOVABLE;
            pfn_t p = frames_alloc(m, gfp, order, tag_for(gfp));
            uint64_t want = naive_alloc(v, order, t);
            ck_assert_msg(p.v == want, "operation %" PRIu64 ", order %u: pfn %" PRId64 ", the lists say %" PRId64, i,
                          order, (int64_t)p.v, (int64_t)want);
            if (pfn_is_none(p)) {
                l.growing = l.growing && rng_below(&l.rng, 32) != 0;
                continue;
            }
            for (uint64_t q = p.v; q < p.v + (1ull << order); q++)
                v->use[q] = gfp & __GFP_MOVABLE ? USE_MOVABLE : USE_FIXED;
            l.live[l.n++] = (struct block){p.v, order};
        } else {
            struct block b = pick_victim(&l);
            frames_free(m, (pfn_t){b.pfn}, b.order);
            naive_free(v, b.pfn, b.order);
        }
    }
    for (unsigned o = 0; o < FRAME_ORDERS; o++)
        for (int t = 0; t < TYPES; t++)
            ck_assert_uint_eq(m->zones[ZONE_DMA].nr_free_mt[o][t], v->n[o][t]);
    check_map(m);
    printf("%s: claims of whole pageblocks %" PRIu64 ", of parts %" PRIu64 ", steals %" PRIu64 "\n", name,
           m->st.fallback_claims_whole, m->st.fallback_claims_part, m->st.fallback_steals);
    const struct frames_stats *st = &m->st;
    ck_assert_uint_eq(st->fallback_unmovable_from_reclaimable + st->fallback_unmovable_from_movable + st->fallback_movable_from_reclaimable +
                          st->fallback_movable_from_unmovable + st->fallback_reclaimable_from_unmovable + st->fallback_reclaimable_from_movable,
                      st->fallback_claims_whole + st->fallback_claims_part + st->fallback_steals);
    if (mobility)
        ck_assert(m->st.fallback_claims_whole && m->st.fallback_claims_part && m->st.fallback_steals);
    free(v);
    free(l.live);
    frame_map_free(m);
}

START_TEST(lists)
{
    against_lists(false, "lists.plain");
    against_lists(true, "lists.mobility");
}
END_TEST

/* ---- virgin memory is only a saving ------------------------------------------------------------------------------- */

static void lazy_equals_eager(struct memory_config mc, struct buddy_config bc, uint64_t n_ops, bool watermarks,
                              const char *name)
{
    bc.eager_init = false;
    struct frame_map *a = map_of(mc, bc);
    bc.eager_init = true;
    struct frame_map *b = map_of(mc, bc);
    struct load l;
    load_init(&l, a->n_frames, n_ops, name);
    for (uint64_t i = 0; i < n_ops; i++) {
        if (wants_alloc(&l)) {
            unsigned order = rng_below(&l.rng, 4) ? random_order(&l.rng, a->max_order)
                                                  : (unsigned)rng_below(&l.rng, a->max_order + 1);
            gfp_t gfp = random_gfp(&l.rng);
            if (watermarks)
                gfp &= ~(gfp_t)__GFP_MEMALLOC;
            pfn_t p = frames_alloc(a, gfp, order, tag_for(gfp)), q = frames_alloc(b, gfp, order, tag_for(gfp));
            ck_assert_msg(p.v == q.v, "operation %" PRIu64 ", order %u: pfn %" PRId64 ", eager %" PRId64, i, order,
                          (int64_t)p.v, (int64_t)q.v);
            if (!pfn_is_none(p))
                l.live[l.n++] = (struct block){p.v, order};
        } else {
            struct block v = pick_victim(&l);
            frames_free(a, (pfn_t){v.pfn}, v.order);
            frames_free(b, (pfn_t){v.pfn}, v.order);
        }
        if (i % 65536 == 0) {
            check_map(a);
            check_map(b);
        }
    }
    for (unsigned z = 0; z < N_ZONES; z++) {
        const struct zone *x = &a->zones[z], *y = &b->zones[z];
        ck_assert_mem_eq(x->nr_free_mt, y->nr_free_mt, sizeof x->nr_free_mt);
        ck_assert_mem_eq(&x->st, &y->st, sizeof x->st);
        ck_assert_mem_eq(x->wmark, y->wmark, sizeof x->wmark);
    }
    ck_assert_mem_eq(&a->st, &b->st, sizeof a->st);
    check_map(a);
    check_map(b);
    free(l.live);
    frame_map_free(a);
    frame_map_free(b);
}

START_TEST(lazy) /* for each allocator in the list */
{
    struct memory_config m;
    struct buddy_config b;
    frames_config_defaults(&m, &b);
    uint64_t share = _i == FRAME_ALLOCATOR_buddy ? 1 : 4;
    b.allocator = _i;
    m.size_bytes = 64 * MIB;
    lazy_equals_eager(m, b, property_ops(300000) / share, false, "lazy.64MiB");
    lazy_equals_eager(m, b, property_ops(100000) / share, true, "lazy.64MiB.watermarks");
    b.group_by_mobility = false;
    lazy_equals_eager(m, b, property_ops(100000) / share, false, "lazy.64MiB.plain");
    b.group_by_mobility = true;
    m.size_bytes = 5 * GIB + 4096;
    m.pci_hole_bytes = GIB;
    m.boot_reserved_bytes = 33 * MIB;
    lazy_equals_eager(m, b, property_ops(300000) / share, true, "lazy.5GiB.hole");
    b.defrag_mode = true;
    m.size_bytes = 4 * GIB + 32 * MIB;
    m.pci_hole_bytes = 0;
    lazy_equals_eager(m, b, property_ops(200000) / share, true, "lazy.4GiB.defrag_mode");
}
END_TEST

/* A fresh machine of any size costs the host next to nothing: pages of it that are resident. */
static size_t resident_kib(void)
{
    unsigned long total = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f) {
        ck_assert_int_eq(fscanf(f, "%lu %lu", &total, &resident), 2);
        fclose(f);
    }
    return resident * 4;
}

START_TEST(untouched_memory_is_free)
{
    struct frame_map *m = map_sized(64 * MIB);
    frame_map_free(m);
    size_t before = resident_kib();
    m = map_sized(1024 * GIB);
    ck_assert_uint_le(resident_kib() - before, 512);
    uint64_t n = 0;
    for (; n < 100000; n++)
        ck_assert(!pfn_is_none(frames_alloc(m, GFP_HIGHUSER_MOVABLE, 0, FRAME_TAG_ANON)));
    ck_assert_uint_le((resident_kib() - before) * 1024, n * 48 + 512 * 1024);
    frame_map_free(m);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("buddy_properties");
    TCase *t = tcase_create("random");
    tcase_set_timeout(t, 280);
    tcase_add_loop_test(t, bitmap, 0, N_FRAME_ALLOCATORS);
    tcase_add_test(t, lists);
    tcase_add_loop_test(t, lazy, 0, N_FRAME_ALLOCATORS);
    if (!SANITIZED)
        tcase_add_test(t, untouched_memory_is_free);
    suite_add_tcase(s, t);
    return run_suite(s);
}
