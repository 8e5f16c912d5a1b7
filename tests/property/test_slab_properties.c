/*
 * Random operations on every slab design against a plain list of what is alive: what is handed out lies in slab pages of
 * the machine, aligned, and overlaps nothing alive; what ksize says is at least what was asked; after everything is freed
 * and shrunk not a page is missing. The verifier runs now and then. MMULAB_SEED and MMULAB_OPS as in the buddy's tests.
 */
#include "unit/test_slab_util.h"

#include "engine/rng.h"
#include "property/ops.h"

static uint64_t seed_of_run(void) { return property_seed(20251122); }

enum { CACHES = 8, MAX_LIVE = 60000, CPUS = 4 };

struct live { va_t at; uint32_t size; int cache; /* -1: kmalloc */ };

struct world {
    struct frame_map *map;
    struct slab_sys *s;
    struct kmem_cache *cache[CACHES];
    uint32_t size[CACHES], align[CACHES];
    struct rng rng;
    struct live *live;
    size_t n;
    uint64_t *used; /* a bit for every 2 bytes of memory, of what is alive */
    bool growing;
    uint64_t refused;
};

/* Marks or clears [at, at + size); false if a bit was not as expected. */
static bool mark(struct world *w, va_t at, uint32_t size, bool set)
{
    uint64_t base = (at.v - slab_cfg(w->s)->direct_map) / 2, n = (size + 1u) / 2;
    for (uint64_t b = base; b < base + n; b++) {
        uint64_t bit = 1ull << (b % 64);
        if (((w->used[b / 64] & bit) != 0) == set)
            return false;
        w->used[b / 64] ^= bit;
    }
    return true;
}

static void world_init(struct world *w, const struct slab_config *cfg, uint64_t mib, const char *name)
{
    memset(w, 0, sizeof *w);
    w->map = map_sized(mib * MIB);
    w->s = slab_of(w->map, cfg, CPUS);
    rng_init(&w->rng, seed_of_run(), name);
    w->live = calloc(MAX_LIVE, sizeof *w->live);
    w->used = calloc(w->map->n_frames * PAGE_BYTES / 128 + 1, 8);
    ck_assert(w->live && w->used);
    static const uint32_t sizes[CACHES] = {24, 104, 192, 256, 700, 1128, 5888, 40};
    for (int i = 0; i < CACHES; i++) {
        char cache[32];
        snprintf(cache, sizeof cache, "cache-%d", i);
        w->size[i] = sizes[i];
        struct kmem_cache_args a = {.name = cache, .size = sizes[i], .ctor = i == 1, .sheaf_capacity = i == 3 ? 32 : 0,
                                    .flags = (i == 2 ? SLAB_HWCACHE_ALIGN : 0u) | (i == 5 ? SLAB_RECLAIM_ACCOUNT : 0u)};
        w->cache[i] = kmem_cache_create(w->s, &a);
        ck_assert_ptr_nonnull(w->cache[i]);
        w->align[i] = kmem_cache_info(w->cache[i]).align;
    }
    w->growing = true;
}

static gfp_t some_gfp(struct rng *r)
{
    static const gfp_t kinds[] = {GFP_KERNEL, GFP_KERNEL, GFP_KERNEL_ACCOUNT, GFP_ATOMIC, GFP_KERNEL | __GFP_RECLAIMABLE,
                                  GFP_KERNEL | __GFP_ACCOUNT | __GFP_NOWARN, GFP_NOWAIT};
    return kinds[rng_below(r, ARRAY_LEN(kinds))];
}

static void take(struct world *w)
{
    struct rng *r = &w->rng;
    struct live x = {.cache = -1};
    unsigned cpu = (unsigned)rng_below(r, CPUS);
    uint32_t align = 8;
    gfp_t gfp = some_gfp(r);
    if (rng_below(r, 2)) {
        x.cache = (int)rng_below(r, CACHES);
        x.size = w->size[x.cache];
        align = slab_cfg(w->s)->design == SLAB_DESIGN_slub ? w->align[x.cache] : 8;
        x.at = kmem_cache_alloc(w->cache[x.cache], gfp, cpu);
    } else {
        x.size = rng_below(r, 200) ? 1 + (uint32_t)rng_below(r, 1u << (4 + rng_below(r, 10)))
                                   : 1 + (uint32_t)rng_below(r, 64 * 1024);
        x.at = slab_kmalloc(w->s, x.size, gfp, cpu);
    }
    if (x.at.v == 0) {
        w->refused++;
        w->growing = false;
        return;
    }
    ck_assert_msg(x.at.v % align == 0, "object of %u bytes at 0x%" PRIx64 " is not aligned to %u", x.size, x.at.v, align);
    struct frame_block b = frames_find(w->map, (pfn_t){(x.at.v - slab_cfg(w->s)->direct_map) >> PAGE_SHIFT});
    ck_assert_int_eq(b.kind, FRAME_IS_ALLOCATED);
    ck_assert_int_eq(frame_at(w->map, b.head)->tag, FRAME_TAG_SLAB);
    ck_assert_msg(mark(w, x.at, x.size, true), "object of %u bytes at 0x%" PRIx64 " overlaps another", x.size, x.at.v);
    if (x.cache < 0)
        ck_assert_uint_ge(slab_ksize(w->s, x.at), x.size);
    w->live[w->n++] = x;
}

static void give(struct world *w)
{
    size_t i = rng_below(&w->rng, w->n);
    if (rng_below(&w->rng, 2) && w->n > 64) /* often what was taken lately */
        i = w->n - 1 - rng_below(&w->rng, 64);
    struct live x = w->live[i];
    w->live[i] = w->live[--w->n];
    ck_assert(mark(w, x.at, x.size, false));
    unsigned cpu = (unsigned)rng_below(&w->rng, CPUS);
    if (x.cache >= 0)
        ck_assert(kmem_cache_free(w->cache[x.cache], x.at, cpu));
    else
        ck_assert(slab_kfree(w->s, x.at, cpu));
}

static void against_list(const struct slab_config *cfg, uint64_t mib, uint64_t n_ops, const char *name, bool must_refuse)
{
    struct world w;
    world_init(&w, cfg, mib, name);
    printf("%s: seed %" PRIu64, name, seed_of_run());
    fflush(stdout);
    for (uint64_t i = 0; i < n_ops; i++) {
        if (w.n == 0 || w.n == MAX_LIVE || rng_below(&w.rng, 40000) == 0)
            w.growing = w.n < MAX_LIVE && (w.n == 0 || !w.growing);
        if (w.n && rng_below(&w.rng, 100) >= (w.growing ? 70u : 30u))
            give(&w);
        else if (w.n < MAX_LIVE)
            take(&w);
        if (i % (n_ops / 16 + 1) == 0)
            check_slab(w.s);
        if (rng_below(&w.rng, 20000) == 0)
            kmem_cache_shrink(w.cache[rng_below(&w.rng, CACHES)]);
        if (rng_below(&w.rng, 1000) == 0)
            slab_set_time(w.s, i * 1000000000ull);
    }
    const struct slab_stats *t = slab_stats(w.s);
    uint64_t bytes = 0;
    for (size_t i = 0; i < w.n; i++)
        bytes += w.live[i].size;
    ck_assert_uint_eq(t->objects, w.n + t->index_objects);
    ck_assert_uint_eq(t->requested_bytes, bytes + t->index_bytes);
    ck_assert_uint_eq(t->slot_bytes + t->free_bytes + t->tail_bytes, t->pages * PAGE_BYTES);
    ck_assert(!must_refuse || w.refused);
    printf(", %" PRIu64 " operations, %" PRIu64 " refused, %zu objects alive at the end\n", n_ops, w.refused, w.n);
    while (w.n)
        give(&w);
    check_slab(w.s);
    for (int i = 0; i < CACHES; i++)
        ck_assert(kmem_cache_destroy(w.cache[i]));
    for (struct kmem_cache *c = slab_first_cache(w.s); c; c = slab_next_cache(c))
        ck_assert_msg(!kmem_cache_shrink(c), "%s still has slabs", kmem_cache_info(c).name);
    check_slab(w.s);
    ck_assert_uint_eq(slab_stats(w.s)->pages, 0);
    ck_assert_uint_eq(slab_stats(w.s)->objects, 0);
    ck_assert_uint_eq(slab_stats(w.s)->slot_bytes, 0);
    for (unsigned k = 0; k < N_SLAB_FINDINGS; k++)
        ck_assert_uint_eq(t->found[k], 0);
    free(w.live);
    free(w.used);
    all_back(w.s, w.map);
}

static const char *design_name(int d)
{
#define NAME(name) #name,
    static const char *const names[] = {SLAB_DESIGNS(NAME)};
#undef NAME
    return names[d];
}

START_TEST(list_oracle)
{
    struct slab_config cfg = slab_defaults(_i);
    char name[64];
    uint64_t less = _i == SLAB_DESIGN_slob ? 5 : 1; /* its lists are walked, as in the kernel */
    snprintf(name, sizeof name, "%s.plain", design_name(_i));
    against_list(&cfg, 256, property_ops(600000 / less), name, false);
    snprintf(name, sizeof name, "%s.small", design_name(_i));
    against_list(&cfg, 8, property_ops(300000), name, true);
    cfg.freelist_random = true;
    cfg.random_kmalloc = true;
    snprintf(name, sizeof name, "%s.random", design_name(_i));
    against_list(&cfg, 256, property_ops(150000 / less), name, false);
    cfg.cpu_partial = false;
    cfg.slab_shared = 0;
    cfg.merge = false;
    cfg.min_order = 1;
    snprintf(name, sizeof name, "%s.without", design_name(_i));
    against_list(&cfg, 256, property_ops(150000 / less), name, false);
}
END_TEST

START_TEST(debugging)
{
    struct slab_config cfg = slab_defaults(_i);
    cfg.sanity = cfg.red_zone = cfg.poison = cfg.store_user = true;
    char name[64];
    snprintf(name, sizeof name, "%s.debug", design_name(_i));
    against_list(&cfg, 256, property_ops(60000), name, false);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("slab_properties");
    TCase *t = tcase_create("random");
    tcase_set_timeout(t, 280);
    tcase_add_loop_test(t, list_oracle, 0, N_SLAB_DESIGNS);
    tcase_add_loop_test(t, debugging, 0, N_SLAB_DESIGNS);
    suite_add_tcase(s, t);
    return run_suite(s);
}
