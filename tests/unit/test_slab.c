/*
 * The slab family by hand: the order in which SLUB, SLAB and SLOB give out objects, in small cases written from linux-mm
 * 5.6 to 5.9; planted mistakes and the record that each finding names; red zones; krealloc; latency; slabinfo.
 */
#include "unit/test_slab_util.h"

static uint64_t offset_of(const struct slab_sys *s, va_t a) { return (a.v - slab_cfg(s)->direct_map) % PAGE_BYTES; }
static struct kmem_cache *cache(struct slab_sys *s, const char *name, uint32_t size)
{
    struct kmem_cache_args a = {.name = name, .size = size, .flags = SLAB_NO_MERGE};
    struct kmem_cache *c = kmem_cache_create(s, &a);
    ck_assert_ptr_nonnull(c);
    return c;
}

/* Order 0, eight objects of 512 bytes, two partial slabs kept by a CPU. */
static struct slab_config eight(int design)
{
    struct slab_config cfg = slab_defaults(design);
    cfg.min_objects = 8;
    cfg.max_order = 0;
    cfg.cpu_partial_objects = 8; /* 2 slabs */
    cfg.min_partial = 1;
    return cfg;
}

START_TEST(slub_order_of_objects)
{
    struct frame_map *map = map_sized(64 * MIB);
    struct slab_config cfg = eight(SLAB_DESIGN_slub);
    struct slab_sys *s = slab_of(map, &cfg, 2);
    struct kmem_cache *c = cache(s, "x", 512);
    ck_assert_uint_eq(kmem_cache_info(c).objects, 8);
    ck_assert_uint_eq(kmem_cache_info(c).cpu_partial_slabs, 2);
    va_t a[33];
    for (unsigned i = 0; i < 8; i++) { /* ascending, from one page */
        a[i] = kmem_cache_alloc(c, GFP_KERNEL, 0);
        ck_assert_uint_eq(offset_of(s, a[i]), 512 * i);
        ck_assert_int_eq(slab_last_op(s).path, i ? SLAB_PATH_ALLOC_FAST : SLAB_PATH_ALLOC_NEW_SLAB);
    }
    ck_assert(kmem_cache_free(c, a[3], 0)); /* last in, first out of the CPU's list */
    ck_assert(kmem_cache_free(c, a[5], 0));
    ck_assert_int_eq(slab_last_op(s).path, SLAB_PATH_FREE_FAST);
    ck_assert_uint_eq(kmem_cache_alloc(c, GFP_KERNEL, 0).v, a[5].v);
    ck_assert_uint_eq(kmem_cache_alloc(c, GFP_KERNEL, 0).v, a[3].v);
    ck_assert(kmem_cache_free(c, a[2], 1)); /* the other CPU: to the slab's own list, taken over when ours is empty */
    ck_assert_int_eq(slab_last_op(s).path, SLAB_PATH_FREE_SLOW);
    ck_assert_uint_eq(kmem_cache_alloc(c, GFP_KERNEL, 0).v, a[2].v);
    ck_assert_int_eq(slab_last_op(s).path, SLAB_PATH_ALLOC_SHARED);
    for (unsigned i = 8; i < 33; i++) /* three more full slabs, and one object of a fifth, which is the CPU's */
        a[i] = kmem_cache_alloc(c, GFP_KERNEL, 0);
    ck_assert_uint_eq(kmem_cache_stats(c)->slabs, 5);
    /* Full slabs that lose an object go to the CPU's partial stack; the third finds two there and drains them. */
    ck_assert(kmem_cache_free(c, a[0], 0));
    ck_assert_int_eq(slab_last_op(s).path, SLAB_PATH_FREE_CPU_PARTIAL);
    ck_assert(kmem_cache_free(c, a[8], 0));
    ck_assert_uint_eq(kmem_cache_row(c).active_objects, 40); /* free objects with a CPU count as active */
    ck_assert(kmem_cache_free(c, a[16], 0));
    ck_assert_int_eq(slab_last_op(s).path, SLAB_PATH_FREE_FLUSH);
    ck_assert_uint_eq(kmem_cache_stats(c)->cpu_partial_drain, 1);
    ck_assert_uint_eq(kmem_cache_row(c).active_objects, 38);
    check_slab(s);
    /* Seven from the CPU's slab, then its stack (the third slab), then the node's list from its head: a[8]'s slab was on
     * top of the stack when it was drained, so it is first. */
    for (unsigned i = 0; i < 7; i++)
        kmem_cache_alloc(c, GFP_KERNEL, 0);
    ck_assert_uint_eq(kmem_cache_alloc(c, GFP_KERNEL, 0).v, a[16].v);
    ck_assert_int_eq(slab_last_op(s).path, SLAB_PATH_ALLOC_CPU_PARTIAL);
    ck_assert_uint_eq(kmem_cache_alloc(c, GFP_KERNEL, 0).v, a[8].v);
    ck_assert_int_eq(slab_last_op(s).path, SLAB_PATH_ALLOC_PARTIAL);
    ck_assert_uint_eq(kmem_cache_stats(c)->cpu_partial_node, 1);
    ck_assert_uint_eq(kmem_cache_alloc(c, GFP_KERNEL, 0).v, a[0].v);
    ck_assert_int_eq(slab_last_op(s).path, SLAB_PATH_ALLOC_CPU_PARTIAL);
    ck_assert_uint_eq(kmem_cache_stats(c)->slabs, 5);
    check_slab(s);
    all_back(s, map);
}
END_TEST

/* Empty slabs go back only while the node has min_partial others; shrink leaves the fullest first. */
START_TEST(slub_empty_slabs_and_shrink)
{
    struct frame_map *map = map_sized(64 * MIB);
    struct slab_config cfg = eight(SLAB_DESIGN_slub);
    cfg.cpu_partial = false;
    cfg.min_partial = 2; /* the emptied slab is counted itself */
    struct slab_sys *s = slab_of(map, &cfg, 1);
    struct kmem_cache *c = cache(s, "x", 512);
    va_t a[32];
    for (unsigned i = 0; i < 32; i++)
        a[i] = kmem_cache_alloc(c, GFP_KERNEL, 0);
    for (unsigned i = 0; i < 8; i++)
        kmem_cache_free(c, a[i], 0);
    ck_assert_uint_eq(kmem_cache_stats(c)->slabs, 4); /* the only partial one: kept, empty */
    for (unsigned i = 8; i < 16; i++)
        kmem_cache_free(c, a[i], 0);
    ck_assert_uint_eq(kmem_cache_stats(c)->slabs, 3);
    ck_assert_int_eq(slab_last_op(s).path, SLAB_PATH_FREE_SLAB);
    for (unsigned i = 16; i < 21; i++) /* 5 of the third slab, 2 of the fourth, which the CPU has */
        kmem_cache_free(c, a[i], 0);
    kmem_cache_free(c, a[24], 0);
    kmem_cache_free(c, a[25], 0);
    ck_assert(kmem_cache_shrink(c));
    ck_assert_uint_eq(kmem_cache_stats(c)->slabs, 2);
    ck_assert_uint_eq(kmem_cache_alloc(c, GFP_KERNEL, 0).v, a[25].v); /* the fullest first */
    check_slab(s);
    all_back(s, map);
}
END_TEST

START_TEST(sheaves)
{
    struct frame_map *map = map_sized(64 * MIB);
    struct slab_config cfg = slab_defaults(SLAB_DESIGN_slub);
    struct slab_sys *s = slab_of(map, &cfg, 2);
    struct kmem_cache_args args = {.name = "maple_node", .size = 256, .align = 256, .sheaf_capacity = 4};
    struct kmem_cache *c = kmem_cache_create(s, &args);
    va_t a[200];
    for (unsigned i = 0; i < 200; i++)
        a[i] = kmem_cache_alloc(c, GFP_KERNEL, 0);
    ck_assert_uint_eq(kmem_cache_stats(c)->sheaf_refill, 50); /* one for 4 objects */
    ck_assert_uint_eq(kmem_cache_stats(c)->sheaf_alloc, 200);
    for (unsigned i = 0; i < 200; i++)
        ck_assert(kmem_cache_free(c, a[i], 0));
    /* main, spare and ten in the barn: 48 objects stay, the rest was flushed to slabs four by four. */
    ck_assert_uint_eq(kmem_cache_stats(c)->sheaf_flush, (200 - 48) / 4);
    check_slab(s);
    ck_assert_uint_eq(kmem_cache_alloc(c, GFP_KERNEL, 0).v, a[199].v);
    for (unsigned i = 0; i < 8; i++) /* the other CPU gets full sheaves from the barn */
        kmem_cache_alloc(c, GFP_KERNEL, 1);
    ck_assert_uint_eq(kmem_cache_stats(c)->barn_get, 2);
    check_slab(s);
    all_back(s, map);
}
END_TEST

START_TEST(classic_colours_and_arrays)
{
    struct frame_map *map = map_sized(64 * MIB);
    struct slab_config cfg = slab_defaults(SLAB_DESIGN_slab);
    cfg.slab_limit = 4; /* batches of 2; shared array of 16 */
    struct slab_sys *s = slab_of(map, &cfg, 2);
    struct kmem_cache *c = cache(s, "x", 600); /* order 0: 6 objects, 496 bytes left: 7 colours of 64 */
    struct slab_cache_info i = kmem_cache_info(c);
    ck_assert_uint_eq(i.objects, 6);
    ck_assert_uint_eq(i.colours, 7);
    ck_assert_uint_eq(i.limit, 4);
    ck_assert_uint_eq(i.batchcount, 2);
    ck_assert_uint_eq(i.shared, 8);
    va_t a[48];
    for (unsigned k = 0; k < 48; k++)
        a[k] = kmem_cache_alloc(c, GFP_KERNEL, 0);
    /* Batches of two, the array is last in, first out; slabs of six; the first slab has colour 1. */
    for (unsigned slab = 0; slab < 8; slab++) {
        uint64_t colour = (slab + 1) % 7 * 64;
        static const unsigned order[6] = {1, 0, 3, 2, 5, 4};
        for (unsigned k = 0; k < 6; k++)
            ck_assert_uint_eq(offset_of(s, a[slab * 6 + k]), colour + 600 * order[k]);
    }
    for (unsigned k = 0; k < 4; k++)
        kmem_cache_free(c, a[k], 0);
    ck_assert_int_eq(slab_last_op(s).path, SLAB_PATH_FREE_FAST);
    kmem_cache_free(c, a[4], 0); /* the two oldest go to the shared array */
    ck_assert_int_eq(slab_last_op(s).path, SLAB_PATH_FREE_FLUSH);
    ck_assert_uint_eq(kmem_cache_row(c).shared_avail, 2);
    ck_assert_uint_eq(kmem_cache_alloc(c, GFP_KERNEL, 1).v, a[1].v); /* the other CPU refills from there */
    ck_assert_uint_eq(kmem_cache_alloc(c, GFP_KERNEL, 1).v, a[0].v);
    check_slab(s);
    /* kmalloc begins at 32; limits by size. */
    ck_assert_str_eq(kmem_cache_info(slab_kmalloc_cache(s, 1, GFP_KERNEL, 0)).name, "kmalloc-32");
    all_back(s, map);
    map = map_sized(64 * MIB);
    cfg = slab_defaults(SLAB_DESIGN_slab);
    s = slab_of(map, &cfg, 2);
    static const struct { uint32_t size, limit; } t[] = {{200, 120}, {256, 120}, {257, 54}, {1024, 54}, {1025, 24}, {4096, 24}, {4097, 8}, {131072, 8}, {131073, 1}};
    for (size_t k = 0; k < ARRAY_LEN(t); k++)
        ck_assert_uint_eq(kmem_cache_info(cache(s, "limit", t[k].size)).limit, t[k].limit);
    /* 4096: order 0, one object, nothing over, no room in a free object of a cache with constructor: index off-slab. */
    struct kmem_cache_args off = {.name = "off", .size = 2048, .ctor = true};
    c = kmem_cache_create(s, &off);
    ck_assert(kmem_cache_info(c).off_slab);
    va_t o = kmem_cache_alloc(c, GFP_KERNEL, 0);
    ck_assert_uint_eq(slab_stats(s)->index_objects, 1);
    kmem_cache_free(c, o, 0);
    kmem_cache_shrink(c);
    ck_assert_uint_eq(slab_stats(s)->index_objects, 0);
    /* cache_reap: an array that was touched is left alone once, then loses a fifth of its limit. */
    c = cache(s, "reaped", 200);
    va_t b[30];
    for (unsigned k = 0; k < 30; k++)
        b[k] = kmem_cache_alloc(c, GFP_KERNEL, 0);
    for (unsigned k = 0; k < 30; k++)
        kmem_cache_free(c, b[k], 0);
    uint64_t before = kmem_cache_row(c).active_objects;
    slab_set_time(s, 2000000000000ull);
    ck_assert_uint_eq(kmem_cache_row(c).active_objects, before);
    slab_set_time(s, 4000000000000ull);
    ck_assert_uint_eq(kmem_cache_row(c).active_objects, before - 24);
    check_slab(s);
    all_back(s, map);
}
END_TEST

START_TEST(slob_first_fit)
{
    struct frame_map *map = map_sized(64 * MIB);
    struct slab_config cfg = slab_defaults(SLAB_DESIGN_slob);
    struct slab_sys *s = slab_of(map, &cfg, 1);
    va_t a = slab_kmalloc(s, 100, GFP_KERNEL, 0), b = slab_kmalloc(s, 60, GFP_KERNEL, 0), c = slab_kmalloc(s, 64, GFP_KERNEL, 0);
    ck_assert_uint_eq(offset_of(s, a), 8);   /* behind its header */
    ck_assert_uint_eq(offset_of(s, b), 120); /* 108 rounded to the next multiple of 8, header before */
    ck_assert_uint_eq(offset_of(s, c), 192); /* powers of two are aligned to themselves */
    ck_assert_uint_eq(slab_stats(s)->pages, 1);
    ck_assert_uint_eq(slab_ksize(s, b), 60);
    va_t m = slab_kmalloc(s, 300, GFP_KERNEL, 0); /* another list: another page */
    ck_assert_uint_eq(slab_stats(s)->pages, 2);
    ck_assert(slab_kfree(s, a, 0));
    va_t d = slab_kmalloc(s, 40, GFP_KERNEL, 0); /* the first hole that is large enough */
    ck_assert_uint_eq(d.v, a.v);
    ck_assert(slab_kfree(s, b, 0) && slab_kfree(s, c, 0) && slab_kfree(s, d, 0));
    ck_assert_uint_eq(slab_stats(s)->pages, 1); /* empty pages go back at once */
    ck_assert(slab_kfree(s, m, 0));
    ck_assert_uint_eq(slab_stats(s)->pages, 0);
    struct kmem_cache *k = cache(s, "big", 5000); /* whole pages */
    va_t e = kmem_cache_alloc(k, GFP_KERNEL, 0);
    ck_assert_uint_eq(slab_stats(s)->pages, 2);
    ck_assert(kmem_cache_free(k, e, 0));
    ck_assert(!kmem_cache_free(k, e, 0));
    ck_assert_uint_eq(slab_stats(s)->found[SLAB_INVALID_FREE], 1);
    check_slab(s);
    all_back(s, map);
}
END_TEST

/* ---- planted mistakes ---- */

struct heard { struct slab_finding f[64]; unsigned n; };
static void hear(void *self, const struct slab_finding *f)
{
    struct heard *h = self;
    ck_assert_uint_lt(h->n, 64);
    h->f[h->n++] = *f;
}
static void at_record(struct slab_sys *s, uint64_t r) { slab_set_who(s, (struct slab_who){r, 0xffffffff81000000ull + r}); }
static const struct slab_finding *only(struct heard *h, enum slab_finding_kind k)
{
    ck_assert_uint_eq(h->n, 1);
    ck_assert_int_eq(h->f[0].kind, k);
    h->n = 0;
    return &h->f[0];
}

START_TEST(planted) /* designs 0 and 1 */
{
    struct frame_map *map = map_sized(64 * MIB);
    struct slab_config cfg = slab_defaults(_i);
    cfg.sanity = cfg.red_zone = cfg.poison = cfg.store_user = true;
    struct slab_sys *s = slab_of(map, &cfg, 2);
    struct heard h = {.n = 0};
    slab_on_finding(s, hear, &h);
    struct kmem_cache *x = cache(s, "x", 100), *y = cache(s, "y", 100);
    const struct slab_finding *f;

    at_record(s, 10);
    va_t a = kmem_cache_alloc(x, GFP_KERNEL, 0), b = kmem_cache_alloc(x, GFP_KERNEL, 0);
    at_record(s, 11);
    slab_touch(s, a, 100, true); /* all of it: fine */
    slab_validate(s);
    ck_assert_uint_eq(h.n, 0);
    at_record(s, 12);
    slab_touch(s, (va_t){a.v + 98}, 4, true); /* two bytes beyond */
    at_record(s, 13);
    ck_assert(kmem_cache_free(x, a, 0));
    f = only(&h, SLAB_OVERRUN);
    ck_assert_uint_eq(f->who.record, 13);
    ck_assert_uint_eq(f->cause.record, 12);
    ck_assert_uint_eq(f->alloc.record, 10);
    ck_assert_int_eq(f->offset, 100);
    ck_assert_str_eq(f->cache, "x");

    at_record(s, 14);
    ck_assert(!kmem_cache_free(x, a, 1));
    f = only(&h, SLAB_DOUBLE_FREE);
    ck_assert_uint_eq(f->who.record, 14);
    ck_assert_uint_eq(f->freed.record, 13);

    at_record(s, 15);
    slab_touch(s, (va_t){a.v + 50}, 8, false);
    f = only(&h, SLAB_READ_AFTER_FREE);
    ck_assert_int_eq(f->offset, 50);
    at_record(s, 16);
    slab_touch(s, (va_t){a.v + 8}, 8, true);
    at_record(s, 17);
    slab_validate(s);
    f = only(&h, SLAB_USE_AFTER_FREE);
    ck_assert_uint_eq(f->cause.record, 16);
    ck_assert_int_eq(f->offset, 8);
    slab_validate(s); /* restored: told once */
    ck_assert_uint_eq(h.n, 0);

    at_record(s, 18);
    slab_touch(s, (va_t){b.v - 1}, 1, true); /* left red zone */
    slab_validate(s);
    f = only(&h, SLAB_OVERRUN);
    ck_assert_int_eq(f->offset, -1);

    at_record(s, 19);
    ck_assert(kmem_cache_free(y, b, 0)); /* freed where it belongs, but told */
    f = only(&h, SLAB_WRONG_CACHE);
    ck_assert_str_eq(f->cache, "x");
    at_record(s, 20);
    ck_assert(!slab_kfree(s, (va_t){b.v + 4}, 0));
    only(&h, SLAB_INVALID_FREE);
    ck_assert(!slab_kfree(s, (va_t){0xdead0000}, 0));
    only(&h, SLAB_INVALID_FREE);

    va_t k = slab_kmalloc(s, 100, GFP_KERNEL, 0); /* in 128 bytes; the 28 that were not asked for are guarded */
    slab_touch(s, k, 100, true);
    slab_validate(s);
    ck_assert_uint_eq(h.n, 0);
    slab_touch(s, (va_t){k.v + 110}, 1, true);
    ck_assert(slab_kfree(s, k, 0));
    f = only(&h, SLAB_OVERRUN);
    ck_assert_int_eq(f->offset, 110);

    at_record(s, 21);
    va_t c = kmem_cache_alloc(y, GFP_KERNEL, 0);
    at_record(s, 22);
    ck_assert(!kmem_cache_destroy(y));
    ck_assert_uint_eq(h.n, 2);
    ck_assert_int_eq(h.f[0].kind, SLAB_LEAKED_OBJECT);
    ck_assert_uint_eq(h.f[0].object.v, c.v);
    ck_assert_uint_eq(h.f[0].alloc.record, 21);
    ck_assert_int_eq(h.f[1].kind, SLAB_LEAKED_CACHE);
    ck_assert_uint_eq(h.f[1].who.record, 22);
    h.n = 0;
    ck_assert_uint_eq(slab_report_leaks(s), 1);
    check_slab(s);
    all_back(s, map);
}
END_TEST

START_TEST(large_and_zero)
{
    struct frame_map *map = map_sized(64 * MIB);
    struct slab_config cfg = slab_defaults(_i);
    struct slab_sys *s = slab_of(map, &cfg, 1);
    va_t z = slab_kmalloc(s, 0, GFP_KERNEL, 0);
    ck_assert_uint_eq(z.v, 16);
    ck_assert(slab_kfree(s, z, 0) && slab_kfree(s, SLAB_NONE, 0));
    ck_assert_uint_eq(slab_stats(s)->kfree_null, 2);
    ck_assert_uint_eq(slab_kmalloc(s, 4 * MIB + 1, GFP_KERNEL, 0).v, 0);
    va_t l = slab_kmalloc(s, 20000, GFP_KERNEL, 0);
    ck_assert_uint_eq(slab_ksize(s, l), 32768);
    ck_assert_int_eq(slab_last_op(s).path, SLAB_PATH_ALLOC_LARGE);
    ck_assert_uint_eq(slab_krealloc(s, l, 30000, GFP_KERNEL, 0).v, l.v);
    ck_assert_uint_eq(slab_stats(s)->requested_bytes, 30000);
    va_t m = slab_krealloc(s, l, 40000, GFP_KERNEL, 0);
    ck_assert_uint_ne(m.v, l.v);
    ck_assert(!slab_kfree(s, (va_t){m.v + 4096}, 0));
    ck_assert_uint_eq(slab_stats(s)->found[SLAB_INVALID_FREE], 1);
    ck_assert(slab_kfree(s, m, 0));
    ck_assert_uint_eq(slab_stats(s)->pages, 0);
    ck_assert_uint_eq(slab_stats(s)->large_allocs, 2);
    ck_assert_uint_eq(slab_stats(s)->large_frees, 2);
    check_slab(s);
    all_back(s, map);
}
END_TEST

START_TEST(latency)
{
    struct slab_latency *l = calloc(1, sizeof *l);
    ck_assert_ptr_nonnull(l);
    ck_assert_uint_eq(slab_latency_quantile(l, 500), 0);
    for (uint64_t v = 1; v <= 100; v++)
        slab_latency_add(l, v);
    ck_assert_uint_eq(slab_latency_quantile(l, 500), 50); /* nearest rank, exact below 128 */
    ck_assert_uint_eq(slab_latency_quantile(l, 990), 99);
    ck_assert_uint_eq(slab_latency_quantile(l, 1000), 100);
    for (uint64_t v = 128; v < 1ull << 40; v = v * 3 / 2) {
        memset(l, 0, sizeof *l);
        slab_latency_add(l, v);
        uint64_t q = slab_latency_quantile(l, 500);
        ck_assert(q <= v && v - q <= v / 64);
    }
    free(l);
    /* By hand: the fast path costs what its parameter says; a new slab of 8 objects is slow path + pages + objects. */
    struct frame_map *map = map_sized(64 * MIB);
    struct slab_config cfg = eight(SLAB_DESIGN_slub);
    struct slab_sys *s = slab_of(map, &cfg, 1);
    struct kmem_cache *c = cache(s, "x", 512);
    const struct slab_cost_config *k = &cfg.cost;
    kmem_cache_alloc(c, GFP_KERNEL, 0);
    ck_assert_uint_eq(slab_last_op(s).cycles, k->fast + k->page_alloc + 8 * k->per_object + k->slow);
    va_t a = kmem_cache_alloc(c, GFP_KERNEL, 0);
    ck_assert_uint_eq(slab_last_op(s).cycles, k->fast);
    kmem_cache_free(c, a, 0);
    ck_assert_uint_eq(slab_last_op(s).cycles, k->free_fast);
    ck_assert_uint_eq(slab_latency_of(s, SLAB_PATH_ALLOC_FAST)->n, 1);
    /* The bins of series: nothing lost, nothing twice, at their borders too. */
    static const uint64_t from[] = {0, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 192, 256, 384, 512};
    for (unsigned i = 0; i < ARRAY_LEN(from); i++)
        ck_assert_uint_eq(slab_latency_bin_from(i), from[i]);
    ck_assert_uint_eq(slab_latency_bin_from(LAT_BINS - 1), 1u << 20);
    for (unsigned i = 0; i < LAT_BINS; i++) { /* the least of a bin, and the one below, which is of the bin before */
        ck_assert_uint_eq(slab_latency_bin(slab_latency_bin_from(i)), i);
        ck_assert(i == 0 || slab_latency_bin(slab_latency_bin_from(i) - 1) == i - 1);
    }
    ck_assert_uint_eq(slab_latency_bin(UINT64_MAX), LAT_BINS - 1);
    uint64_t in_bins = 0, in_paths = 0;
    for (unsigned i = 0; i < LAT_BINS; i++)
        in_bins += slab_alloc_bins(s)[i];
    for (unsigned i = 0; i < N_SLAB_PATHS; i++)
        in_paths += slab_path_allocates((enum slab_path)i) ? slab_latency_of(s, (enum slab_path)i)->n : 0;
    ck_assert_uint_eq(in_bins, in_paths);
    char *text;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    slab_print_slabinfo(s, f);
    fclose(f);
    ck_assert_ptr_nonnull(strstr(text, "slabinfo - version: 2.1\n# name            <active_objs> <num_objs> <objsize> <objperslab> "
                                       "<pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> "
                                       "<num_slabs> <sharedavail>\nx                      8      8    512    8    1 : tunables    0"
                                       "    0    0 : slabdata      1      1      0\n"));
    free(text);
    all_back(s, map);
}
END_TEST

/* The verifier sees what it should: a frame freed behind the slab's back. */
START_TEST(verifier)
{
    struct frame_map *map = map_sized(64 * MIB);
    struct slab_config cfg = slab_defaults(_i);
    struct slab_sys *s = slab_of(map, &cfg, 1);
    va_t a = slab_kmalloc(s, 64, GFP_KERNEL, 0);
    pfn_t p = {(a.v - cfg.direct_map) / PAGE_BYTES};
    check_slab(s);
    frames_retag(map, p, FRAME_TAG_DMA);
    struct err e = {0};
    ck_assert_int_eq(slab_check(s, &e), -1);
    frames_retag(map, p, FRAME_TAG_SLAB);
    check_slab(s);
    all_back(s, map);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("slab");
    TCase *t = tcase_create("by_hand");
    tcase_add_test(t, slub_order_of_objects);
    tcase_add_test(t, slub_empty_slabs_and_shrink);
    tcase_add_test(t, sheaves);
    tcase_add_test(t, classic_colours_and_arrays);
    tcase_add_test(t, slob_first_fit);
    tcase_add_loop_test(t, planted, 0, 2);
    tcase_add_loop_test(t, large_and_zero, 0, N_SLAB_DESIGNS);
    tcase_add_test(t, latency);
    tcase_add_loop_test(t, verifier, 0, N_SLAB_DESIGNS);
    suite_add_tcase(s, t);
    return run_suite(s);
}
