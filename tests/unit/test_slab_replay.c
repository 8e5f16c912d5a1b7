/* From recorded pointers to objects: the traps of linux-mm 14.4, planted mistakes, and random traces against an array. */
#include "unit/test_slab_util.h"

#include "engine/rng.h"
#include "slab/replay/slab_replay.h"

static struct slab_replay *replay_of(struct slab_sys *s)
{
    struct slab_replay *r;
    struct err e = {0};
    ck_assert_int_eq(slab_replay_new(&r, s, &e), 0);
    return r;
}
static va_t take(struct slab_replay *r, uint64_t record, uint64_t pointer, uint64_t size, uint64_t slot, const char *cache)
{
    struct slab_event e = {.record = record, .pointer = pointer, .size = size, .slot = slot, .cache = cache, .gfp = GFP_KERNEL};
    return slab_replay_alloc(r, &e);
}
static void give(struct slab_replay *r, uint64_t record, uint64_t pointer, const char *cache)
{
    struct slab_event e = {.record = record, .pointer = pointer, .cache = cache};
    slab_replay_release(r, &e);
}

START_TEST(traps) /* every design */
{
    struct frame_map *map = map_sized(64 * MIB);
    struct slab_config cfg = slab_defaults(_i);
    struct slab_sys *s = slab_of(map, &cfg, 1);
    struct slab_replay *r = replay_of(s);
    const struct slab_replay_stats *t = slab_replay_stats(r);
    give(r, 0, 0x5000, NULL); /* older than the recording */
    give(r, 1, 0, NULL);
    give(r, 2, 16, NULL);
    ck_assert_uint_eq(t->unknown_frees, 1);
    ck_assert_uint_eq(t->null_frees, 2);
    va_t a = take(r, 3, 0x1000, 100, 128, NULL);
    ck_assert_uint_eq(slab_replay_find(r, 0x1000).v, a.v);
    take(r, 4, 0x1000, 60, 64, NULL); /* its free is missing */
    ck_assert_uint_eq(t->missed_frees, 1);
    ck_assert_uint_eq(slab_stats(s)->objects, 1);
    take(r, 5, 0x2000, 20000, 32768, NULL); /* two events of one large kmalloc */
    take(r, 6, 0x2000, 20000, 32768, NULL);
    ck_assert_uint_eq(t->duplicates, 1);
    ck_assert_uint_eq(slab_stats(s)->large_allocs, 1);
    take(r, 7, 0x3000, 184, 192, "filp");
    give(r, 8, 0x3000, NULL); /* kfree of a cache's object */
    take(r, 9, 0x3000, 184, 192, "filp");
    give(r, 10, 0x3000, "another"); /* by pointer only */
    ck_assert_uint_eq(t->unknown_frees, 1);
    give(r, 11, 0x1000, NULL);
    give(r, 12, 0x2000, NULL);
    give(r, 13, 0x2000, NULL); /* without debugging nothing is known of it */
    ck_assert_uint_eq(t->unknown_frees, 2);
    ck_assert_uint_eq(t->live, 0);
    ck_assert_uint_eq(slab_stats(s)->objects, 0);
    take(r, 14, 0x4000, 6u << 20, 0, "too_big");
    ck_assert_uint_eq(t->caches_refused, 1);
    ck_assert_uint_eq(t->skipped, 1);
    for (unsigned k = 0; k < N_SLAB_FINDINGS; k++)
        ck_assert_uint_eq(slab_stats(s)->found[k], 0);
    if (_i == SLAB_DESIGN_slub)
        ck_assert_uint_eq(t->other_slot, 0);
    slab_replay_free(r);
    all_back(s, map);
}
END_TEST

struct heard { struct slab_finding f[16]; unsigned n; };
static void hear(void *self, const struct slab_finding *f)
{
    struct heard *h = self;
    if (h->n < 16)
        h->f[h->n] = *f;
    h->n++;
}

START_TEST(mistakes_in_a_trace) /* designs 0 and 1 */
{
    struct frame_map *map = map_sized(64 * MIB);
    struct slab_config cfg = slab_defaults(_i);
    cfg.red_zone = cfg.poison = cfg.store_user = true;
    struct slab_sys *s = slab_of(map, &cfg, 1);
    struct slab_replay *r = replay_of(s);
    struct heard h = {.n = 0};
    slab_on_finding(s, hear, &h);
    take(r, 1, 0x10000, 100, 128, NULL);
    take(r, 2, 0x10080, 100, 128, NULL);
    slab_replay_touch(r, 3, 0x10000, 100, true);
    slab_replay_touch(r, 4, 0x10064, 4, true); /* behind the first, nearer to it than to the second */
    give(r, 5, 0x10000, NULL);
    ck_assert(h.n == 1 && h.f[0].kind == SLAB_OVERRUN && h.f[0].who.record == 5 && h.f[0].cause.record == 4);
    slab_replay_touch(r, 6, 0x10010, 4, false);
    ck_assert(h.n == 2 && h.f[1].kind == SLAB_READ_AFTER_FREE && h.f[1].who.record == 6 && h.f[1].freed.record == 5);
    give(r, 7, 0x10000, NULL);
    ck_assert(h.n == 3 && h.f[2].kind == SLAB_DOUBLE_FREE && h.f[2].who.record == 7 && h.f[2].alloc.record == 1);
    slab_replay_touch(r, 8, 0x1007f, 1, true); /* in front of the second */
    give(r, 9, 0x10080, NULL);
    ck_assert(h.n == 4 && h.f[3].kind == SLAB_OVERRUN && h.f[3].offset == -1 && h.f[3].cause.record == 8);
    take(r, 10, 0x20000, 64, 64, "one");
    take(r, 11, 0x30000, 72, 72, "two");
    give(r, 12, 0x20000, "two");
    ck_assert(h.n == 5 && h.f[4].kind == SLAB_WRONG_CACHE && h.f[4].who.record == 12);
    take(r, 13, 0x10000, 10, 16, NULL); /* the pointer is used anew */
    give(r, 14, 0x10000, NULL);
    ck_assert_uint_eq(h.n, 5);
    ck_assert_uint_eq(slab_report_leaks(s), 1);
    ck_assert(h.f[5].kind == SLAB_LEAKED_OBJECT && h.f[5].alloc.record == 11);
    slab_replay_free(r);
    all_back(s, map);
}
END_TEST

/* A trace that makes and destroys its caches: what leaks, and calls for what is gone. */
START_TEST(caches_of_a_trace) /* every design */
{
    struct frame_map *map = map_sized(64 * MIB);
    struct slab_config cfg = slab_defaults(_i);
    bool slob = _i == SLAB_DESIGN_slob;
    cfg.sanity = cfg.store_user = !slob;
    struct slab_sys *s = slab_of(map, &cfg, 1);
    struct slab_replay *r = replay_of(s);
    const struct slab_replay_stats *t = slab_replay_stats(r);
    struct heard h = {.n = 0};
    slab_on_finding(s, hear, &h);
    struct slab_event e = {.record = 1, .cache = "one"};
    struct kmem_cache_args a = {.name = "one", .size = 100, .align = 64};
    slab_replay_create(r, &e, &a);
    e.record = 2;
    slab_replay_create(r, &e, &a); /* the name is there */
    va_t at = take(r, 3, 0x1000, 100, 0, "one");
    ck_assert(at.v != 0 && (slob || at.v % 64 == 0));
    e.record = 4;
    slab_replay_shrink(r, &e);
    give(r, 5, 0x1000, "one");
    ck_assert_uint_eq(h.n, 0);
    e.record = 6;
    slab_replay_destroy(r, &e);
    ck_assert_uint_eq(h.n, 0); /* all was given back */
    e.record = 7;
    slab_replay_destroy(r, &e);
    ck_assert(h.n == 1 && h.f[0].kind == SLAB_DEAD_CACHE && h.f[0].who.record == 7 && h.f[0].alloc.record == 1 &&
              h.f[0].freed.record == 6 && strcmp(h.f[0].cache, "one") == 0);
    ck_assert_uint_eq(take(r, 8, 0x1000, 100, 0, "one").v, 0);
    ck_assert(h.n == 2 && h.f[1].kind == SLAB_DEAD_CACHE && h.f[1].who.record == 8);
    e.record = 9; /* made anew, and destroyed too early */
    slab_replay_create(r, &e, &a);
    take(r, 10, 0x2000, 100, 0, "one");
    take(r, 11, 0x3000, 100, 0, "one");
    e.record = 12;
    slab_replay_destroy(r, &e);
    if (slob) { /* its caches have no pages, so nobody knows */
        ck_assert_uint_eq(h.n, 3);
    } else {
        ck_assert_uint_eq(h.n, 5);
        ck_assert(h.f[2].kind == SLAB_LEAKED_OBJECT && h.f[3].kind == SLAB_LEAKED_OBJECT);
        ck_assert_uint_eq(h.f[2].alloc.record + h.f[3].alloc.record, 21);
    }
    const struct slab_finding *leak = &h.f[h.n - 1];
    ck_assert(leak->kind == SLAB_LEAKED_CACHE && leak->who.record == 12 && leak->alloc.record == 9 && leak->offset == 2);
    give(r, 13, 0x2000, "one"); /* what leaked can still be freed */
    give(r, 14, 0x3000, NULL);
    unsigned before = h.n;
    slab_replay_destroy(r, &(struct slab_event){.record = 15, .cache = "never heard of"});
    ck_assert_uint_eq(t->caches_unknown, 1);
    slab_replay_create(r, &(struct slab_event){.record = 16, .cache = "stays"}, &(struct kmem_cache_args){.name = "stays", .size = 24});
    ck_assert_uint_eq(h.n, before);
    ck_assert_uint_eq(slab_replay_report_caches(r), 1);
    ck_assert(h.n == before + 1 && h.f[before].kind == SLAB_LEAKED_CACHE && h.f[before].alloc.record == 16);
    slab_replay_create(r, &(struct slab_event){.record = 17, .cache = "too large"}, &(struct kmem_cache_args){.name = "too large", .size = 5u << 20});
    ck_assert(t->caches_refused == 1 && t->caches_made == 4 && t->caches_again == 1);
    slab_replay_free(r);
    all_back(s, map);
}
END_TEST

/* Kernels before 6.13 do not tell the cache of an allocation: not kmalloc's classes, but a cache of that slot. */
START_TEST(caches_without_name)
{
    struct frame_map *map = map_sized(64 * MIB);
    struct slab_config cfg = slab_defaults(SLAB_DESIGN_slub);
    struct slab_sys *s = slab_of(map, &cfg, 1);
    struct slab_replay *r = replay_of(s);
    take(r, 1, 0x10000, 5888, 5888, "");
    take(r, 2, 0x20000, 5888, 5888, "");
    take(r, 3, 0x30000, 184, 192, "");
    const struct slab_replay_stats *t = slab_replay_stats(r);
    ck_assert(t->unnamed == 3 && t->other_slot == 0 && slab_stats(s)->kmallocs == 0);
    const struct kmem_cache *c = slab_find_cache(s, "unnamed-5888-5888");
    ck_assert_ptr_nonnull(c);
    ck_assert_uint_eq(kmem_cache_stats(c)->objects, 2);
    give(r, 4, 0x10000, "task_struct"); /* frees tell it: by pointer only */
    ck_assert_uint_eq(kmem_cache_stats(c)->objects, 1);
    slab_replay_free(r);
    all_back(s, map);
}
END_TEST

/* Several writes outside one object: the finding names the one that wrote the byte that it tells of. */
START_TEST(several_writes) /* designs 0 and 1 */
{
    struct frame_map *map = map_sized(64 * MIB);
    struct slab_config cfg = slab_defaults(_i);
    cfg.red_zone = cfg.poison = cfg.store_user = true;
    struct slab_sys *s = slab_of(map, &cfg, 1);
    struct slab_replay *r = replay_of(s);
    struct heard h = {.n = 0};
    slab_on_finding(s, hear, &h);
    take(r, 1, 0x10000, 100, 128, NULL);
    slab_replay_touch(r, 2, 0x10068, 4, true); /* 104 to 107 */
    slab_replay_touch(r, 3, 0x1006c, 4, true); /* behind it */
    give(r, 4, 0x10000, NULL);
    ck_assert(h.n == 1 && h.f[0].kind == SLAB_OVERRUN && h.f[0].offset == 104 && h.f[0].cause.record == 2);
    take(r, 5, 0x10000, 100, 128, NULL);
    slab_replay_touch(r, 6, 0x1006c, 4, true);
    slab_replay_touch(r, 7, 0x10060, 12, true); /* from inside the object to before that: now the first wrong byte */
    slab_replay_touch(r, 8, 0x10000, 100, true); /* the object's own bytes */
    give(r, 9, 0x10000, NULL);
    ck_assert(h.n == 2 && h.f[1].kind == SLAB_OVERRUN && h.f[1].offset == 100 && h.f[1].cause.record == 7);
    slab_replay_touch(r, 10, 0x10020, 4, true); /* freed */
    slab_replay_touch(r, 11, 0x10010, 4, true);
    slab_replay_touch(r, 12, 0x10010, 4, true);
    slab_validate(s);
    ck_assert(h.n == 3 && h.f[2].kind == SLAB_USE_AFTER_FREE && h.f[2].offset == 16 && h.f[2].cause.record == 12);
    slab_validate(s); /* told once */
    ck_assert_uint_eq(h.n, 3);
    slab_replay_free(r);
    all_back(s, map);
}
END_TEST

/* SLOB keeps no bytes: accesses are looked at and nothing comes of it. */
START_TEST(slob_with_debugging)
{
    struct frame_map *map = map_sized(64 * MIB);
    struct slab_config cfg = slab_defaults(SLAB_DESIGN_slob);
    cfg.sanity = cfg.red_zone = cfg.poison = cfg.store_user = true;
    struct slab_sys *s = slab_of(map, &cfg, 1);
    struct slab_replay *r = replay_of(s);
    struct heard h = {.n = 0};
    slab_on_finding(s, hear, &h);
    take(r, 1, 0x10000, 100, 128, NULL);
    take(r, 2, 0x20000, 100, 128, "cache");
    slab_replay_touch(r, 3, 0x10064, 4, true);
    slab_replay_touch(r, 4, 0x20064, 4, true);
    give(r, 5, 0x10000, NULL);
    give(r, 6, 0x20000, "cache");
    give(r, 7, 0x10000, NULL);
    ck_assert(h.n == 1 && h.f[0].kind == SLAB_DOUBLE_FREE && h.f[0].who.record == 7);
    slab_validate(s);
    ck_assert_uint_eq(slab_report_leaks(s), 0);
    slab_replay_free(r);
    all_back(s, map);
}
END_TEST

START_TEST(random_pointers)
{
    enum { POINTERS = 5000 };
    struct frame_map *map = map_sized(64 * MIB);
    struct slab_config cfg = slab_defaults(_i);
    struct slab_sys *s = slab_of(map, &cfg, 1);
    struct slab_replay *r = replay_of(s);
    struct rng rng;
    rng_init(&rng, 7, "pointers");
    uint64_t at[POINTERS] = {0}, live = 0, unknown = 0, missed = 0;
    for (unsigned i = 0; i < 300000; i++) {
        unsigned p = (unsigned)rng_below(&rng, POINTERS);
        uint64_t pointer = 0xffff888000000000ull + p * 64;
        if (rng_below(&rng, 100) < (i / 50000 % 2 ? 35u : 60u)) {
            uint64_t size = 8 + p % 500;
            missed += at[p] != 0;
            live += at[p] == 0;
            at[p] = take(r, i, pointer, size, 0, p % 3 ? NULL : "cache").v;
            ck_assert_uint_ne(at[p], 0);
        } else {
            unknown += at[p] == 0;
            live -= at[p] != 0;
            at[p] = 0;
            give(r, i, pointer, NULL);
        }
        ck_assert_uint_eq(slab_replay_find(r, pointer).v, at[p]);
    }
    for (unsigned p = 0; p < POINTERS; p++)
        ck_assert_uint_eq(slab_replay_find(r, 0xffff888000000000ull + p * 64).v, at[p]);
    ck_assert_uint_eq(slab_replay_stats(r)->live, live);
    ck_assert_uint_eq(slab_replay_stats(r)->unknown_frees, unknown);
    ck_assert_uint_eq(slab_replay_stats(r)->missed_frees, missed);
    ck_assert_uint_eq(slab_stats(s)->objects, live + slab_stats(s)->index_objects);
    check_slab(s);
    size_t full = slab_replay_bytes(r);
    for (unsigned p = 0; p < POINTERS; p++)
        give(r, 0, 0xffff888000000000ull + p * 64, NULL);
    ck_assert_uint_lt(slab_replay_bytes(r), full); /* memory goes with what is alive */
    slab_replay_free(r);
    all_back(s, map);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("slab_replay");
    TCase *t = tcase_create("replay");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, traps, 0, N_SLAB_DESIGNS);
    tcase_add_loop_test(t, mistakes_in_a_trace, 0, 2);
    tcase_add_loop_test(t, caches_of_a_trace, 0, N_SLAB_DESIGNS);
    tcase_add_test(t, caches_without_name);
    tcase_add_loop_test(t, several_writes, 0, 2);
    tcase_add_test(t, slob_with_debugging);
    tcase_add_loop_test(t, random_pointers, 0, N_SLAB_DESIGNS);
    suite_add_tcase(s, t);
    return run_suite(s);
}
