/*
 * mempool and vmalloc. mempool: whatever the allocator refuses, a request that may wait is served or told to wait, and the
 * number of elements that can be out at once is never below min_nr. vmalloc: random areas against a list: no overlap, guard
 * pages, every page mapped to a frame of its own, address space and frames all there at the end; thresholds by hand.
 */
#include "unit/test_slab_util.h"

#include "engine/rng.h"
#include "property/ops.h"
#include "slab/pages/mempool.h"
#include "slab/vmalloc/vmalloc.h"

static uint64_t seed_of_run(void) { return property_seed(20251122); }

/* ---- mempool ---- */

struct faulty { struct kmem_cache *c; bool refuses; bool refuses_only_atomic; uint64_t asked, with_reclaim; };
static va_t faulty_alloc(void *self, gfp_t gfp, unsigned cpu)
{
    struct faulty *f = self;
    f->asked++;
    f->with_reclaim += (gfp & __GFP_DIRECT_RECLAIM) != 0;
    if (f->refuses || (f->refuses_only_atomic && !(gfp & __GFP_DIRECT_RECLAIM)))
        return SLAB_NONE;
    return kmem_cache_alloc(f->c, gfp, cpu);
}
static void faulty_free(void *self, va_t e, unsigned cpu) { ck_assert(kmem_cache_free(((struct faulty *)self)->c, e, cpu)); }

START_TEST(mempool_by_hand)
{
    struct frame_map *map = map_sized(64 * MIB);
    struct slab_config cfg = slab_defaults(SLAB_DESIGN_slub);
    struct slab_sys *s = slab_of(map, &cfg, 1);
    struct faulty f = {.c = kmem_cache_create(s, &(struct kmem_cache_args){.name = "e", .size = 100})};
    struct mempool_ops ops = {faulty_alloc, faulty_free, &f};
    f.refuses = true;
    ck_assert_ptr_null(mempool_create(s, 4, ops, 0)); /* fails whole */
    ck_assert_uint_eq(slab_stats(s)->objects, 0);
    ck_assert_ptr_null(mempool_create(s, 0, ops, 0));
    f.refuses = false;
    f.with_reclaim = 0;
    struct mempool *p = mempool_create(s, 4, ops, 0);
    ck_assert_uint_eq(p->curr_nr, 4);
    ck_assert_uint_eq(slab_stats(s)->objects, 5); /* the array too */
    va_t e[5], x;
    /* The allocator first: the reserve stays. */
    ck_assert_int_eq(mempool_alloc(p, GFP_KERNEL, 0, &e[0]), MEMPOOL_GOT);
    ck_assert_uint_eq(p->curr_nr, 4);
    ck_assert_uint_eq(f.with_reclaim, 4); /* of the creation: the first try is without reclaim */
    /* Without: the reserve, last in first out, before the second try with reclaim. */
    f.refuses_only_atomic = true;
    va_t top = p->element[3];
    ck_assert_int_eq(mempool_alloc(p, GFP_KERNEL, 0, &e[1]), MEMPOOL_GOT);
    ck_assert_uint_eq(e[1].v, top.v);
    ck_assert_uint_eq(f.with_reclaim, 4);
    f.refuses = true;
    for (int i = 2; i < 5; i++)
        ck_assert_int_eq(mempool_alloc(p, GFP_NOWAIT, 0, &e[i]), MEMPOOL_GOT);
    ck_assert_uint_eq(p->curr_nr, 0);
    ck_assert_int_eq(mempool_alloc(p, GFP_ATOMIC, 0, &x), MEMPOOL_EMPTY);
    ck_assert_int_eq(mempool_alloc(p, GFP_NOIO, 0, &x), MEMPOOL_WAITS);
    ck_assert_uint_eq(p->st.second_tries, 1); /* GFP_ATOMIC has nothing more to try */
    ck_assert_uint_eq(x.v, 0);
    ck_assert(mempool_free(p, e[2], 0)); /* wakes the waiter, which asks again */
    ck_assert_int_eq(mempool_alloc(p, GFP_NOIO, 0, &x), MEMPOOL_GOT);
    ck_assert_uint_eq(x.v, e[2].v);
    /* The second try, with reclaim, serves what the reserve cannot. */
    f.refuses = false;
    ck_assert_int_eq(mempool_alloc(p, GFP_KERNEL, 0, &e[2]), MEMPOOL_GOT);
    ck_assert_uint_eq(p->st.second_tries, 2);
    ck_assert(!mempool_free(p, SLAB_NONE, 0));
    mempool_free(p, x, 0);
    for (int i = 0; i < 5; i++)
        mempool_free(p, e[i], 0);
    ck_assert_uint_eq(p->curr_nr, 4);
    ck_assert_uint_eq(slab_stats(s)->objects, 5);
    /* Growing stops silently; the array is what can fail. */
    f.refuses = true;
    ck_assert_int_eq(mempool_resize(p, 10, 0), 0);
    ck_assert_uint_eq(p->curr_nr, 4);
    ck_assert_uint_eq(p->min_nr, 10);
    f.refuses = false;
    ck_assert_int_eq(mempool_resize(p, 12, 0), 0);
    ck_assert_uint_eq(p->curr_nr, 12);
    ck_assert_int_eq(mempool_resize(p, 2, 0), 0);
    ck_assert_uint_eq(p->curr_nr, 2);
    ck_assert_int_eq(mempool_resize(p, 1u << 20, 0), -1); /* 8 MiB of pointers: more than kmalloc has */
    ck_assert_uint_eq(p->min_nr, 2);
    ck_assert_uint_ne(mempool_alloc_preallocated(p).v, 0);
    mempool_destroy(p, 0);
    ck_assert_uint_eq(slab_stats(s)->objects, 1); /* the one that is out is the caller's */
    all_back(s, map);
}
END_TEST

START_TEST(mempool_guarantee)
{
    struct frame_map *map = map_sized(64 * MIB);
    struct slab_config cfg = slab_defaults(SLAB_DESIGN_slub);
    struct slab_sys *s = slab_of(map, &cfg, 1);
    struct faulty f = {.c = kmem_cache_create(s, &(struct kmem_cache_args){.name = "e", .size = 100})};
    struct mempool *p = mempool_create(s, 16, (struct mempool_ops){faulty_alloc, faulty_free, &f}, 0);
    struct rng r;
    rng_init(&r, seed_of_run(), "mempool");
    va_t out[64];
    unsigned n = 0, waits = 0;
    uint32_t min = 16;
    uint64_t n_ops = property_ops(200000);
    for (uint64_t i = 0; i < n_ops; i++) {
        if (rng_below(&r, 64) == 0)
            f.refuses = !f.refuses;
        if (rng_below(&r, 2000) == 0 && !f.refuses) {
            min = 1 + (uint32_t)rng_below(&r, 32);
            ck_assert_int_eq(mempool_resize(p, min, 0), 0);
        }
        if (n < 64 && rng_below(&r, 2)) {
            va_t e;
            switch (mempool_alloc(p, rng_below(&r, 2) ? GFP_KERNEL : GFP_ATOMIC, 0, &e)) {
            case MEMPOOL_GOT:
                out[n++] = e;
                break;
            case MEMPOOL_WAITS:
                waits++;
                p->waiters--; /* gave up */
                /* fall through */
            case MEMPOOL_EMPTY: /* only when the allocator refuses and the whole reserve is out */
                ck_assert(f.refuses && p->curr_nr == 0);
                ck_assert_uint_ge(n, min);
            }
        } else if (n) {
            unsigned k = (unsigned)rng_below(&r, n);
            mempool_free(p, out[k], 0);
            out[k] = out[--n];
        }
        ck_assert_uint_le(p->curr_nr, p->min_nr);
        ck_assert(p->curr_nr + n >= min);
        ck_assert_uint_eq(kmem_cache_stats(f.c)->objects, p->curr_nr + n);
    }
    printf("mempool: seed %" PRIu64 ", %" PRIu64 " operations, %u waits\n", seed_of_run(), n_ops, waits);
    ck_assert_uint_gt(waits, 0);
    while (n)
        mempool_free(p, out[--n], 0);
    mempool_destroy(p, 0);
    ck_assert_uint_eq(slab_stats(s)->objects, 0);
    all_back(s, map);
}
END_TEST

/* ---- vmalloc ---- */

static struct vmalloc *vmalloc_for(struct slab_sys *s)
{
    struct vmalloc *v;
    struct err e = {0};
    ck_assert_int_eq(vmalloc_new(&v, s, &e), 0);
    return v;
}

static void check_vmalloc(const struct vmalloc *v)
{
    struct err e = {0};
    ck_assert_msg(slab_vmalloc_check(v, &e) == 0, "%s", e.message);
}

static void vmalloc_back(struct vmalloc *v, struct slab_sys *s, struct frame_map *map)
{
    vmalloc_delete(v);
    ck_assert_uint_eq(slab_stats(s)->objects, 0);
    ck_assert_uint_eq(map->tag_pages[FRAME_TAG_VMALLOC] + map->tag_pages[FRAME_TAG_PGTABLE], 0);
    all_back(s, map);
}

START_TEST(vmalloc_by_hand)
{
    struct frame_map *map = map_sized(256 * MIB);
    struct slab_config cfg = slab_defaults(SLAB_DESIGN_slub);
    cfg.vmalloc.pool_pages = 0;
    struct slab_sys *s = slab_of(map, &cfg, 2);
    struct vmalloc *v = vmalloc_for(s);
    const struct vmalloc_stats *t = slab_vmalloc_stats(v);
    ck_assert_uint_eq(slab_vmalloc(v, 0, GFP_KERNEL, 0, 0).v, 0);
    va_t a = slab_vmalloc(v, 10000, GFP_KERNEL, 0, 0), b = slab_vmalloc(v, 1, GFP_KERNEL, 0, 0);
    ck_assert_uint_eq(a.v, 0xffffc90000000000ull);
    ck_assert_uint_eq(b.v, a.v + 4 * 4096); /* three pages and the guard */
    ck_assert_uint_eq(t->pages, 4);
    ck_assert_uint_eq(t->table_pages, 2); /* one PTE page, one PMD page */
    ck_assert(pfn_is_none(slab_vmalloc_to_pfn(v, (va_t){a.v + 3 * 4096}))); /* the guard page is not mapped */
    ck_assert(!pfn_is_none(slab_vmalloc_to_pfn(v, (va_t){a.v + 2 * 4096})));
    ck_assert_uint_eq(slab_stats(s)->objects, 2); /* arrays of page pointers */
    ck_assert(slab_vfree(v, a, 0));
    ck_assert(!slab_vfree(v, a, 0));
    ck_assert_uint_eq(slab_stats(s)->found[SLAB_INVALID_FREE], 1);
    ck_assert_uint_eq(t->lazy_pages, 4);
    ck_assert_uint_eq(slab_vmalloc(v, 4096, GFP_KERNEL, 0, 0).v, b.v + 2 * 4096); /* lazy addresses are not reused */
    slab_vm_unmap_aliases(v);
    ck_assert_uint_eq(t->flush_pages, 4);
    ck_assert_uint_eq(slab_vmalloc(v, 4096, GFP_KERNEL, 0, 0).v, a.v); /* now they are: the lowest that fits */
    check_vmalloc(v);
    /* 2049 frames for 8 MiB: its array of 16 KiB is vmalloc'ed (4 frames) and that one's is kmalloc'ed. */
    uint64_t before = t->pages;
    va_t big = slab_vmalloc(v, 8 * MIB, GFP_KERNEL, 0, 0);
    ck_assert_uint_eq(t->pages - before, 2048 + 4);
    ck_assert(slab_vfree(v, big, 0));
    /* The threshold: fls(2) * 32 MiB = 16384 pages are kept, one more purges. */
    slab_vm_unmap_aliases(v);
    uint64_t purges = t->purges;
    for (unsigned i = 0; i < 4; i++)
        slab_vfree(v, slab_vmalloc(v, 4095 * 4096ull, GFP_KERNEL, 0, 0), 0);
    uint64_t arrays = t->lazy_pages - 4 * 4096;
    ck_assert_uint_eq(t->purges, purges + (arrays > 0)); /* the arrays' own areas tip it */
    check_vmalloc(v);
    vmalloc_back(v, s, map);
}
END_TEST

START_TEST(vmalloc_huge_and_kvmalloc)
{
    struct frame_map *map = map_sized(256 * MIB);
    struct slab_config cfg = slab_defaults(SLAB_DESIGN_slub);
    struct slab_sys *s = slab_of(map, &cfg, 2);
    struct vmalloc *v = vmalloc_for(s);
    const struct vmalloc_stats *t = slab_vmalloc_stats(v);
    va_t a = slab_vmalloc(v, 5 * MIB, GFP_KERNEL, VM_ALLOW_HUGE, 0);
    ck_assert_uint_eq(t->huge_pages, 2);
    ck_assert_uint_eq(a.v % (2 * MIB), 0);
    ck_assert_uint_eq(slab_vmalloc_to_pfn(v, a).v % 512, 0);
    ck_assert_uint_eq(slab_vmalloc_to_pfn(v, (va_t){a.v + 511 * 4096}).v, slab_vmalloc_to_pfn(v, a).v + 511);
    check_vmalloc(v);
    ck_assert(slab_vfree(v, a, 0));
    va_t k = slab_kvmalloc(v, 6000, GFP_KERNEL, 0);
    ck_assert(!is_vmalloc_address(v, k));
    ck_assert(slab_kvfree(v, k, 0));
    k = slab_kvmalloc(v, 5 * MIB, GFP_KERNEL, 0); /* more than kmalloc can */
    ck_assert(is_vmalloc_address(v, k));
    ck_assert_uint_eq(t->kvmalloc_fallbacks, 1);
    ck_assert_uint_eq(slab_kvmalloc(v, 5 * MIB, GFP_ATOMIC, 0).v, 0); /* may not sleep: no fallback */
    ck_assert(slab_kvfree(v, k, 0));
    /* vmap and per-CPU blocks. */
    pfn_t f[64];
    for (unsigned i = 0; i < 64; i++)
        f[i] = frames_alloc(map, GFP_KERNEL, 0, FRAME_TAG_KERNEL);
    va_t m = slab_vmap(v, f, 10, 0);
    ck_assert_uint_eq(slab_vmalloc_to_pfn(v, (va_t){m.v + 9 * 4096}).v, f[9].v);
    va_t r[1024];
    for (unsigned i = 0; i < 1024; i++) {
        r[i] = slab_vm_map_ram(v, f, 3, i % 2); /* four pages each: 256 in a block */
        ck_assert_uint_eq(slab_vmalloc_to_pfn(v, (va_t){r[i].v + 4096}).v, f[1].v);
    }
    ck_assert_uint_eq(t->blocks, 4);
    ck_assert_uint_eq(r[2].v - r[0].v, 4 * 4096);
    check_vmalloc(v);
    uint64_t areas = t->areas;
    for (unsigned i = 0; i < 1024; i++)
        ck_assert(slab_vm_unmap_ram(v, r[i], 3, 0));
    ck_assert_uint_eq(t->areas, areas - 4);
    ck_assert(!slab_vm_unmap_ram(v, r[0], 3, 0));
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    slab_print_vmallocinfo(v, out);
    fclose(out);
    char want[128];
    snprintf(want, sizeof want, "0x%016" PRIx64 "-0x%016" PRIx64 "   45056 vmap\n", m.v, m.v + 45056);
    ck_assert_msg(strstr(text, want) != NULL, "%s", text);
    ck_assert_ptr_nonnull(strstr(text, " unpurged vm_area\n"));
    free(text);
    ck_assert(slab_vfree(v, m, 0));
    for (unsigned i = 0; i < 64; i++)
        frames_free(map, f[i], 0);
    check_vmalloc(v);
    vmalloc_back(v, s, map);
}
END_TEST

/* What a live kernel's traces of kvmalloc say (linux-mm 7.2, 7.5, 15): the large block is asked for as GFP_NOWAIT|__GFP_IO|__GFP_FS
 * (kswapd is woken, nobody reclaims for it), then single frames with __GFP_HIGHMEM and all that the caller may do. */
struct asked { gfp_t large, single; unsigned larges, singles, reclaims_large, reclaims_single; };
static void asked_kswapd(void *self, struct zone *z, unsigned order, enum zone_type highest, gfp_t gfp)
{
    struct asked *a = self;
    (void)z;
    (void)highest;
    *(order ? &a->large : &a->single) = gfp;
    *(order ? &a->larges : &a->singles) += 1;
}
static uint64_t asked_reclaim(void *self, const struct frame_request *r)
{
    struct asked *a = self;
    *(r->order ? &a->reclaims_large : &a->reclaims_single) += 1;
    return 0;
}

START_TEST(kvmalloc_asks_as_recorded)
{
    struct frame_map *map = map_sized(64 * MIB);
    struct slab_config cfg = slab_defaults(SLAB_DESIGN_slub);
    struct slab_sys *s = slab_of(map, &cfg, 2);
    struct vmalloc *v = vmalloc_for(s);
    struct asked a = {0};
    va_t tables = slab_vmalloc(v, 20 * PAGE_BYTES, GFP_KERNEL, 0, 0); /* tables, and a slab for the array of frames, are there */
    enum { ALL = 16384 };
    static pfn_t taken[ALL];
    unsigned n = 0;
    while (n < ALL && !pfn_is_none(taken[n] = frames_alloc(map, GFP_HIGHUSER_MOVABLE | __GFP_MEMALLOC, 0, FRAME_TAG_ANON)))
        n++;
    map->hooks = (struct frames_hooks){.self = &a, .wake_kswapd = asked_kswapd, .reclaim = asked_reclaim};
    ck_assert_uint_eq(slab_kvmalloc(v, 20 * PAGE_BYTES, GFP_KERNEL, 0).v, 0);
    ck_assert_uint_gt(a.larges, 0);
    ck_assert_uint_eq(a.large & (__GFP_RECLAIM | __GFP_NOWARN | __GFP_IO | __GFP_FS), GFP_NOWAIT | __GFP_IO | __GFP_FS);
    ck_assert_uint_eq(a.reclaims_large, 0);
    ck_assert_uint_gt(a.singles, 0);
    ck_assert_uint_eq(a.single & (GFP_KERNEL | __GFP_HIGHMEM), GFP_KERNEL | __GFP_HIGHMEM);
    ck_assert_uint_gt(a.reclaims_single, 0);
    /* With __GFP_RETRY_MAYFAIL the large block is worth some trouble. */
    ck_assert_uint_eq(slab_kvmalloc(v, 20 * PAGE_BYTES, GFP_KERNEL | __GFP_RETRY_MAYFAIL, 0).v, 0);
    ck_assert_uint_gt(a.reclaims_large, 0);
    map->hooks = (struct frames_hooks){0};
    while (n)
        frames_free(map, taken[--n], 0);
    ck_assert(slab_vfree(v, tables, 0));
    vmalloc_back(v, s, map);
}
END_TEST

struct have { uint64_t start, pages; };

START_TEST(vmalloc_random)
{
    enum { MOST = 256 };
    struct frame_map *map = map_sized(64 * MIB);
    struct slab_config cfg = slab_defaults(SLAB_DESIGN_slub);
    cfg.vmalloc.bytes = 128 * MIB; /* as on 32 bits: addresses get short */
    cfg.vmalloc.lazy_bytes = 4 * MIB;
    struct slab_sys *s = slab_of(map, &cfg, 2);
    struct vmalloc *v = vmalloc_for(s);
    struct rng r;
    rng_init(&r, seed_of_run(), "vmalloc");
    struct have have[MOST];
    unsigned n = 0, refused = 0;
    uint8_t *used = calloc(1, 128 * MIB / 4096);
    uint8_t *frame_used = calloc(1, map->n_frames);
    ck_assert(used && frame_used);
    uint64_t n_ops = property_ops(60000);
    for (uint64_t i = 0; i < n_ops; i++) {
        if (n < MOST && rng_below(&r, 100) < 55) {
            uint64_t size = 1 + rng_below(&r, 1u << (8 + rng_below(&r, 15)));
            va_t a = slab_vmalloc(v, size, GFP_KERNEL, rng_below(&r, 2) ? VM_ALLOW_HUGE : 0, (unsigned)rng_below(&r, 2));
            if (a.v == 0) {
                refused++;
                continue;
            }
            uint64_t first = (a.v - cfg.vmalloc.start) / 4096, pages = (size + 4095) / 4096;
            for (uint64_t p = first; p <= first + pages; p++) /* the guard too: nobody else may have it */
                ck_assert_int_eq(used[p]++, 0);
            for (uint64_t p = 0; p < pages; p++)
                ck_assert_int_eq(frame_used[slab_vmalloc_to_pfn(v, (va_t){a.v + p * 4096}).v]++, 0);
            have[n++] = (struct have){a.v, pages};
        } else if (n) {
            unsigned k = (unsigned)rng_below(&r, n);
            struct have x = have[k];
            have[k] = have[--n];
            for (uint64_t p = 0; p < x.pages; p++)
                frame_used[slab_vmalloc_to_pfn(v, (va_t){x.start + p * 4096}).v]--;
            uint64_t first = (x.start - cfg.vmalloc.start) / 4096;
            for (uint64_t p = first; p <= first + x.pages; p++)
                used[p]--;
            ck_assert(slab_vfree(v, (va_t){x.start}, (unsigned)rng_below(&r, 2)));
        }
        if (i % 5000 == 0) {
            check_vmalloc(v);
            check_slab(s);
        }
    }
    const struct vmalloc_stats *t = slab_vmalloc_stats(v);
    printf("vmalloc: seed %" PRIu64 ", %" PRIu64 " operations, %" PRIu64 " areas, %u refused, %" PRIu64 " purges, %" PRIu64 " from pools\n",
           seed_of_run(), n_ops, t->allocs, refused, t->purges, t->pool_hits);
    ck_assert(refused && t->purges && t->pool_hits);
    check_vmalloc(v);
    while (n)
        ck_assert(slab_vfree(v, (va_t){have[--n].start}, 0));
    ck_assert_uint_eq(t->pages, 0);
    check_vmalloc(v);
    free(used);
    free(frame_used);
    vmalloc_back(v, s, map);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("mempool_vmalloc");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, mempool_by_hand);
    tcase_add_test(t, mempool_guarantee);
    tcase_add_test(t, vmalloc_by_hand);
    tcase_add_test(t, vmalloc_huge_and_kvmalloc);
    tcase_add_test(t, kvmalloc_asks_as_recorded);
    tcase_add_test(t, vmalloc_random);
    suite_add_tcase(s, t);
    return run_suite(s);
}
