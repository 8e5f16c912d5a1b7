/*
 * SLUB against its twin (oracle/slub_twin.h): random allocations and frees on several CPUs, every object's address compared; slabs and
 * free objects on the node's list after each. MMULAB_SEED and MMULAB_OPS as in the buddy's tests.
 */
#include "unit/test_slab_util.h"

#include "engine/rng.h"
#include "oracle/slub_twin.h"
#include "property/ops.h"
#include "slab/slab_internal.h"

enum { CPUS = 4, MAX_LIVE = 4096 };

static uint64_t seed(void) { return property_seed(20251122); }

static const struct shape {
    const char *name;
    uint32_t size, sheaf;
    unsigned objects, partial_objects, min_partial;
    bool no_cpu_partial, debug;
    uint64_t n_ops;
} shapes[] = {
    {"512 bytes, small lists", 512, 0, 8, 8, 1, false, false, 300000},
    {"32 bytes", 32, 0, 0, 0, 0, false, false, 200000},
    {"192 bytes", 192, 0, 0, 0, 0, false, false, 300000},
    {"1128 bytes", 1128, 0, 0, 0, 0, false, false, 300000},
    {"an object a slab", 4096, 0, 1, 0, 0, false, false, 200000},
    {"no CPU partial slabs", 256, 0, 0, 0, 0, true, false, 200000},
    {"debugging", 256, 0, 0, 0, 0, false, true, 200000},
    {"sheaves of 32", 184, 32, 0, 0, 0, false, false, 200000},
    {"sheaves of 4", 512, 4, 8, 8, 1, false, false, 300000},
};

struct pair { struct kmem_cache *cache; struct twin *twin; };

/* Slabs that the allocator has and the twin does not, the oldest first. */
static uint64_t next_slab(void *self)
{
    const struct pair *x = self;
    ck_assert_msg(x->cache->st.slabs > twin_slabs(x->twin), "the twin takes a new slab, the allocator had free objects");
    uint64_t behind = x->cache->st.slabs - twin_slabs(x->twin) - 1;
    const struct slab_page *p = x->cache->all;
    while (behind--)
        p = p->all_next;
    return slab_address(x->cache->sys, p->pfn).v;
}

START_TEST(object_by_object)
{
    const struct shape *h = &shapes[_i];
    struct slab_config cfg = slab_defaults(SLAB_DESIGN_slub);
    cfg.min_objects = h->objects;
    cfg.max_order = h->objects ? 0 : 3;
    cfg.cpu_partial_objects = h->partial_objects;
    cfg.min_partial = h->min_partial;
    cfg.cpu_partial = !h->no_cpu_partial;
    cfg.sanity = h->debug;
    struct frame_map *map = map_sized(64 * MIB);
    struct slab_sys *s = slab_of(map, &cfg, CPUS);
    struct kmem_cache_args args = {.name = h->name, .size = h->size, .sheaf_capacity = h->sheaf, .flags = SLAB_NO_MERGE};
    struct pair x = {.cache = kmem_cache_create(s, &args)};
    struct slab_cache_info info = kmem_cache_info(x.cache);
    struct twin_config t = {.cpus = CPUS, .objects = info.objects, .size = info.size, .slab_bytes = PAGE_BYTES << info.order,
                            .min_partial = info.min_partial, .cpu_partial_slabs = info.cpu_partial_slabs, .sheaf_capacity = h->sheaf,
                            .barn_sheaves = cfg.barn_sheaves, .debug = h->debug, .low = cfg.direct_map,
                            .high = cfg.direct_map + map->n_frames * PAGE_BYTES, .new_slab = next_slab, .self = &x};
    x.twin = twin_new(&t);
    struct rng r;
    rng_init(&r, seed(), h->name);
    static va_t live[MAX_LIVE];
    uint64_t n = 0, n_ops = property_ops(h->n_ops), shrinks = 0;
    bool growing = true;
    unsigned cpu = 0;
    for (uint64_t i = 0; i < n_ops; i++) {
        if (n == 0 || n == MAX_LIVE || rng_below(&r, 3000) == 0)
            growing = n == 0 || (n < MAX_LIVE && !growing);
        if (rng_below(&r, 8) == 0)
            cpu = (unsigned)rng_below(&r, CPUS);
        if (n == 0 || (n < MAX_LIVE && rng_below(&r, 100) < (growing ? 65 : 35))) {
            bool sleeps = rng_below(&r, 4) != 0;
            va_t a = kmem_cache_alloc(x.cache, sleeps ? GFP_KERNEL : GFP_NOWAIT, cpu);
            uint64_t want = twin_alloc(x.twin, cpu, sleeps);
            ck_assert_msg(a.v == want, "operation %" PRIu64 ": object 0x%" PRIx64 ", the twin's is 0x%" PRIx64, i, a.v, want);
            live[n++] = a;
        } else {
            uint64_t k = rng_below(&r, 2) ? n - 1 - rng_below(&r, n < 32 ? n : 32) : rng_below(&r, n);
            va_t a = live[k];
            live[k] = live[--n];
            ck_assert(kmem_cache_free(x.cache, a, cpu));
            twin_release(x.twin, a.v, cpu);
        }
        if (rng_below(&r, 5000) == 0) {
            kmem_cache_shrink(x.cache);
            twin_shrink(x.twin);
            shrinks++;
        }
        ck_assert_msg(x.cache->st.slabs == twin_slabs(x.twin), "operation %" PRIu64 ": %" PRIu64 " slabs, the twin has %" PRIu64, i,
                      x.cache->st.slabs, twin_slabs(x.twin));
        if (i % 64 == 0) {
            struct slab_row row = kmem_cache_row(x.cache);
            ck_assert_uint_eq(row.objects - row.active_objects, twin_listed_free(x.twin));
        }
        if (i % (n_ops / 8 + 1) == 0)
            check_slab(s);
    }
    const struct slab_cache_stats *st = &x.cache->st;
    printf("%s: seed %" PRIu64 ", %" PRIu64 " operations, %" PRIu64 " shrinks, %" PRIu64 " slabs taken, %" PRIu64 " given back, "
           "%" PRIu64 " from the node's list: every object the twin's\n", h->name, seed(), n_ops, shrinks, st->alloc_slab,
           st->free_slab, st->alloc_from_partial);
    ck_assert(st->free_slab > 0 && (h->debug || st->alloc_from_partial > 0));
    while (n) {
        ck_assert(kmem_cache_free(x.cache, live[--n], 0));
        twin_release(x.twin, live[n].v, 0);
    }
    kmem_cache_shrink(x.cache);
    twin_shrink(x.twin);
    ck_assert_uint_eq(twin_slabs(x.twin), 0);
    twin_free(x.twin);
    ck_assert(kmem_cache_destroy(x.cache));
    all_back(s, map);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("slub_twin");
    TCase *t = tcase_create("random");
    tcase_set_timeout(t, 600);
    tcase_add_loop_test(t, object_by_object, 0, ARRAY_LEN(shapes));
    suite_add_tcase(s, t);
    return run_suite(s);
}
