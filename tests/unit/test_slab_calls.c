/* Calls of all the kernel's allocators: books to the byte, latency by path, pools that run dry, random calls against an array. */
#include "unit/test_slab_util.h"

#include "engine/rng.h"
#include "slab/calls/calls.h"

struct bench { struct frame_map *map; struct slab_sys *s; struct slab_replay *r; struct slab_calls *c; struct slab_config cfg; };

static struct bench bench_of(uint64_t bytes, int design)
{
    struct bench b = {.map = map_sized(bytes), .cfg = slab_defaults(design)};
    struct err e = {0};
    b.s = slab_of(b.map, &b.cfg, 2);
    ck_assert_int_eq(slab_replay_new(&b.r, b.s, &e), 0);
    ck_assert_int_eq(slab_calls_new(&b.c, b.s, b.r, &e), 0);
    return b;
}

static void bench_end(struct bench *b)
{
    slab_calls_free(b->c);
    slab_replay_free(b->r);
    all_back(b->s, b->map);
}

static void play(struct bench *b, enum slab_call call, uint64_t pointer, uint64_t size, const char *cache)
{
    struct slab_event e = {.pointer = pointer, .size = size, .cache = cache, .gfp = GFP_KERNEL};
    slab_calls_play(b->c, call, &e, 7, (uint32_t)size, 0);
}

START_TEST(books)
{
    struct bench b = bench_of(256 * MIB, SLAB_DESIGN_slub);
    const struct slab_calls_stats *t = slab_calls_stats(b.c);
    play(&b, SLAB_CALL_ALLOC_PAGES, 0x1000, 5000, NULL); /* order 1 */
    ck_assert_uint_eq(t->held_bytes, 8192);
    ck_assert_uint_eq(t->live_bytes, 5000);
    ck_assert_int_eq(slab_last_op(b.s).path, SLAB_PATH_ALLOC_BUDDY); /* the first fills the CPU's list */
    ck_assert_uint_eq(slab_last_op(b.s).cycles, b.cfg.cost.page_alloc + b.cfg.cost.page_order);
    play(&b, SLAB_CALL_FREE_PAGES, 0x1000, 0, NULL);
    ck_assert_int_eq(slab_last_op(b.s).path, SLAB_PATH_FREE_PAGES);
    play(&b, SLAB_CALL_ALLOC_PAGES, 0x1000, 5000, NULL);
    ck_assert_int_eq(slab_last_op(b.s).path, SLAB_PATH_ALLOC_PAGES); /* and takes it from there */
    play(&b, SLAB_CALL_VMALLOC, 0x2000, 10000, NULL); /* three pages, an array in kmalloc-32, two page tables */
    ck_assert_uint_eq(t->held_bytes, 8192 + 3 * 4096 + 2 * 4096 + slab_stats(b.s)->pages * 4096);
    ck_assert_uint_eq(t->live_bytes, 15000);
    ck_assert_uint_eq(slab_calls_stats(b.c)->table_bytes, 8192);
    ck_assert_uint_eq(t->page_bytes, 8192);
    play(&b, SLAB_CALL_KVMALLOC, 0x3000, 20000, NULL); /* a block of 32 KiB */
    ck_assert_int_eq(slab_last_op(b.s).path, SLAB_PATH_ALLOC_LARGE);
    play(&b, SLAB_CALL_ALLOC, 0x4000, 300, "conn");
    play(&b, SLAB_CALL_ALLOC, 0x5000, 300, NULL);
    ck_assert_uint_eq(t->live_bytes, 15000 + 20000 + 600);
    ck_assert_uint_eq(t->live, 5);
    ck_assert_uint_eq(t->large_allocs, 2);
    ck_assert_uint_eq(slab_calls_latency(b.c, SLAB_CALLS_large_alloc)->n, 2);
    ck_assert_uint_eq(slab_calls_latency(b.c, SLAB_CALLS_small_alloc)->n, 4);
    play(&b, SLAB_CALL_ALLOC, 0x5000, 500, NULL); /* its free is not there */
    ck_assert_uint_eq(t->missed_frees, 1);
    ck_assert_uint_eq(t->live_bytes, 15000 + 20000 + 800);
    play(&b, SLAB_CALL_VFREE, 0x9000, 0, NULL);
    play(&b, SLAB_CALL_FREE, 0x9000, 0, NULL);
    ck_assert_uint_eq(t->unknown_frees, 2);
    play(&b, SLAB_CALL_FREE_PAGES, 0x1000, 0, NULL);
    play(&b, SLAB_CALL_VFREE, 0x2000, 0, NULL);
    play(&b, SLAB_CALL_KVFREE, 0x3000, 0, NULL);
    play(&b, SLAB_CALL_FREE, 0x4000, 0, "conn");
    play(&b, SLAB_CALL_FREE, 0x5000, 0, NULL);
    ck_assert_uint_eq(t->live, 0);
    ck_assert_uint_eq(t->live_bytes, 0);
    ck_assert_uint_eq(slab_calls_stats(b.c)->held_bytes, slab_stats(b.s)->pages * 4096 + 8192); /* page tables stay */
    ck_assert_uint_eq(t->peak_live_bytes, 15000 + 20000 + 800);
    bench_end(&b);
}
END_TEST

START_TEST(too_large) /* kvmalloc falls back, and its latency is both tries' */
{
    struct bench b = bench_of(256 * MIB, SLAB_DESIGN_slub);
    const struct slab_calls_stats *t = slab_calls_stats(b.c);
    play(&b, SLAB_CALL_VMALLOC, 0x1000, 5 * MIB, NULL);
    uint64_t alone = slab_last_op(b.s).cycles;
    play(&b, SLAB_CALL_VFREE, 0x1000, 0, NULL);
    play(&b, SLAB_CALL_VMALLOC, 0x1000, 5 * MIB, NULL); /* with its page tables there */
    uint64_t again = slab_last_op(b.s).cycles;
    ck_assert_uint_lt(again, alone);
    play(&b, SLAB_CALL_ALLOC, 0x2000, 5 * MIB, NULL);
    play(&b, SLAB_CALL_ALLOC_PAGES, 0x3000, 5 * MIB, NULL);
    play(&b, SLAB_CALL_ALLOC_PAGES, 0x4000, UINT64_MAX, NULL);
    ck_assert_int_eq(slab_last_op(b.s).path, SLAB_PATH_ALLOC_FAILED);
    ck_assert_uint_eq(t->large_failures, 3);
    ck_assert_uint_eq(slab_calls_latency(b.c, SLAB_CALLS_large_alloc)->n, 2);
    play(&b, SLAB_CALL_FREE_PAGES, 0x3000, 0, NULL); /* of a request that had nothing: no mistake */
    play(&b, SLAB_CALL_FREE, 0x2000, 0, NULL);
    ck_assert_uint_eq(t->unknown_frees, 0);
    play(&b, SLAB_CALL_KVMALLOC, 0x5000, 5 * MIB, NULL); /* 2 x 2 MiB and single pages: cheaper than single pages alone */
    ck_assert_int_eq(slab_last_op(b.s).path, SLAB_PATH_ALLOC_VMALLOC);
    ck_assert_uint_eq(slab_vmalloc_stats(slab_calls_vmalloc(b.c))->kvmalloc_fallbacks, 1);
    ck_assert_uint_gt(slab_last_op(b.s).cycles, b.cfg.cost.large + b.cfg.cost.vmalloc);
    ck_assert_uint_eq(slab_latency_of(b.s, SLAB_PATH_ALLOC_VMALLOC)->n, 3);
    ck_assert_uint_eq(t->live_bytes, 10 * MIB);
    bench_end(&b);
}
END_TEST

START_TEST(pools)
{
    struct bench b = bench_of(16 * MIB, SLAB_DESIGN_slub);
    const struct slab_calls_stats *t = slab_calls_stats(b.c);
    struct slab_event e = {.size = 4096, .cache = "bio", .gfp = GFP_KERNEL};
    slab_calls_play(b.c, SLAB_CALL_MEMPOOL_CREATE, &e, 7, 2, 0);
    ck_assert_uint_eq(t->wrong_pools, 0);
    uint64_t n = 0x100;
    play(&b, SLAB_CALL_MEMPOOL_ALLOC, n++, 0, NULL);
    ck_assert_uint_eq(t->live_bytes, 4096);
    ck_assert_int_ne(slab_last_op(b.s).path, SLAB_PATH_ALLOC_RESERVE);
    while (slab_last_op(b.s).path != SLAB_PATH_ALLOC_RESERVE) /* memory ends */
        play(&b, SLAB_CALL_MEMPOOL_ALLOC, n++, 0, NULL);
    uint64_t live = t->live;
    play(&b, SLAB_CALL_MEMPOOL_ALLOC, n++, 0, NULL); /* the reserve's other element */
    ck_assert_int_eq(slab_last_op(b.s).path, SLAB_PATH_ALLOC_RESERVE);
    play(&b, SLAB_CALL_MEMPOOL_ALLOC, n, 0, NULL);
    play(&b, SLAB_CALL_MEMPOOL_ALLOC, n + 1, 0, NULL);
    play(&b, SLAB_CALL_MEMPOOL_ALLOC, n + 2, 0, NULL);
    ck_assert_int_eq(slab_last_op(b.s).path, SLAB_PATH_ALLOC_WAIT);
    ck_assert_uint_ge(slab_last_op(b.s).cycles, b.cfg.cost.wait);
    ck_assert_uint_eq(t->waiting, 3);
    ck_assert_uint_eq(t->live, live + 1);
    ck_assert_uint_eq(t->failures, 0);
    play(&b, SLAB_CALL_MEMPOOL_FREE, n, 0, NULL); /* gives up */
    ck_assert_uint_eq(t->waiting, 2);
    play(&b, SLAB_CALL_MEMPOOL_FREE, 0x100, 0, NULL); /* the oldest that waits gets it */
    ck_assert_uint_eq(t->waiting, 1);
    ck_assert_uint_eq(t->live, live + 1);
    play(&b, SLAB_CALL_MEMPOOL_FREE, n + 1, 0, NULL);
    ck_assert_uint_eq(t->waiting, 0);
    for (uint64_t i = 0x101; i < n; i++)
        play(&b, SLAB_CALL_MEMPOOL_FREE, i, 0, NULL);
    play(&b, SLAB_CALL_MEMPOOL_FREE, n + 2, 0, NULL);
    ck_assert_uint_eq(t->live, 0);
    ck_assert_uint_gt(slab_latency_of(b.s, SLAB_PATH_FREE_RESERVE)->n, 1);
    play(&b, SLAB_CALL_MEMPOOL_RESIZE, 0, 5, NULL);
    ck_assert_uint_eq(t->wrong_pools, 0);
    ck_assert_uint_eq(slab_stats(b.s)->objects, 5 + 1); /* the reserve, and its array */
    play(&b, SLAB_CALL_MEMPOOL_DESTROY, 0, 0, NULL);
    ck_assert_uint_eq(slab_stats(b.s)->objects, 0);
    play(&b, SLAB_CALL_MEMPOOL_ALLOC, 0x1, 0, NULL);
    play(&b, SLAB_CALL_MEMPOOL_RESIZE, 0, 5, NULL);
    play(&b, SLAB_CALL_MEMPOOL_DESTROY, 0, 0, NULL);
    ck_assert_uint_eq(t->wrong_pools, 3);
    bench_end(&b);
}
END_TEST

START_TEST(no_room_for_a_pool)
{
    struct bench b = bench_of(16 * MIB, SLAB_DESIGN_slub);
    struct slab_event e = {.size = 4096, .gfp = GFP_KERNEL};
    slab_calls_play(b.c, SLAB_CALL_MEMPOOL_CREATE, &e, 7, 8000, 0);
    ck_assert_uint_eq(slab_calls_stats(b.c)->wrong_pools, 1);
    ck_assert_uint_eq(slab_stats(b.s)->objects, 0);
    bench_end(&b);
}
END_TEST

START_TEST(means_over_time)
{
    struct bench b = bench_of(64 * MIB, SLAB_DESIGN_slub);
    struct slab_event e = {.pointer = 1, .size = 4096, .gfp = GFP_KERNEL};
    slab_calls_play(b.c, SLAB_CALL_ALLOC_PAGES, &e, 0, 0, 5000000); /* 5 ms after the trace's first moment */
    slab_calls_play(b.c, SLAB_CALL_FREE_PAGES, &e, 0, 0, 8000000);
    slab_calls_play(b.c, SLAB_CALL_FREE_PAGES, &e, 0, 0, 17000000);
    ck_assert_uint_eq(slab_calls_stats(b.c)->mean_live_bytes, 4096 * 3 / 12);
    ck_assert_uint_eq(slab_calls_stats(b.c)->mean_held_bytes, 4096 * 3 / 12);
    bench_end(&b);
}
END_TEST

/* ---- random calls against an array -------------------------------------------------------------------------------------- */

enum { POINTERS = 600, STEPS = 60000 };
struct live { uint64_t size; uint8_t how; bool asked; };

START_TEST(random_calls) /* every design, in little memory */
{
    static const enum slab_call ask[] = {SLAB_CALL_ALLOC, SLAB_CALL_ALLOC, SLAB_CALL_ALLOC_PAGES, SLAB_CALL_VMALLOC, SLAB_CALL_KVMALLOC,
                                         SLAB_CALL_MEMPOOL_ALLOC};
    static const enum slab_call give[] = {SLAB_CALL_FREE, SLAB_CALL_FREE, SLAB_CALL_FREE_PAGES, SLAB_CALL_VFREE, SLAB_CALL_KVFREE,
                                          SLAB_CALL_MEMPOOL_FREE};
    struct bench b = bench_of(40 * MIB, _i);
    static struct live live[POINTERS];
    const struct slab_calls_stats *t = slab_calls_stats(b.c);
    struct slab_event pool = {.size = 700, .gfp = GFP_KERNEL};
    struct rng rng;
    uint64_t asked = 0, freed = 0, got_bytes = 0, n_live = 0;
    struct err err = {0};
    memset(live, 0, sizeof live);
    rng_init(&rng, 20251122, "calls");
    slab_calls_play(b.c, SLAB_CALL_MEMPOOL_CREATE, &pool, 7, 20, 0);
    for (uint64_t k = 0; k < STEPS; k++) {
        uint64_t i = rng_below(&rng, POINTERS), ns = k * 1000;
        struct slab_event e = {.pointer = 0x10000 + i * 64, .cpu = (unsigned)rng_below(&rng, 2), .gfp = GFP_KERNEL};
        struct live *x = &live[i];
        uint64_t before = t->live;
        if (x->asked) {
            e.cache = x->how == 1 ? "object" : NULL;
            slab_calls_play(b.c, give[x->how], &e, 7, 0, ns);
            if (x->size) {
                got_bytes -= x->size;
                n_live--;
            }
            freed++;
            *x = (struct live){0};
        } else {
            x->how = (uint8_t)rng_below(&rng, ARRAY_LEN(ask));
            x->asked = true;
            e.cache = x->how == 1 ? "object" : NULL;
            e.size = x->how == 1 ? 200 : x->how == 5 ? 0 : 1 + rng_below(&rng, 1ull << (3 + rng_below(&rng, 19)));
            slab_calls_play(b.c, ask[x->how], &e, 7, 0, ns);
            asked++;
            if (t->live != before) { /* it was had */
                x->size = x->how == 5 ? 700 : e.size;
                got_bytes += x->size;
                n_live++;
            }
        }
        ck_assert_uint_eq(t->live, n_live);
        ck_assert_uint_eq(t->live_bytes, got_bytes);
        ck_assert_uint_eq(t->waiting, 0); /* small elements are always there */
        if (k % 10000 == 9999) {
            check_slab(b.s);
            ck_assert_msg(slab_vmalloc_check(slab_calls_vmalloc(b.c), &err) == 0, "%s", err.message);
            ck_assert_uint_eq(slab_calls_stats(b.c)->held_bytes,
                              (b.map->tag_pages[FRAME_TAG_SLAB] + b.map->tag_pages[FRAME_TAG_KERNEL] +
                               b.map->tag_pages[FRAME_TAG_VMALLOC] + b.map->tag_pages[FRAME_TAG_PGTABLE]) * 4096);
        }
    }
    ck_assert_uint_eq(t->allocs, asked);
    ck_assert_uint_eq(t->frees, freed);
    ck_assert_uint_gt(t->failures, 50);
    ck_assert_uint_eq(t->unknown_frees + t->missed_frees + t->wrong_pools, 0);
    uint64_t timed = slab_calls_latency(b.c, SLAB_CALLS_small_alloc)->n + slab_calls_latency(b.c, SLAB_CALLS_large_alloc)->n;
    ck_assert_uint_eq(timed, asked - t->failures);
    bench_end(&b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("slab_calls");
    TCase *t = tcase_create("slab_calls");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, books);
    tcase_add_test(t, too_large);
    tcase_add_test(t, pools);
    tcase_add_test(t, no_room_for_a_pool);
    tcase_add_test(t, means_over_time);
    tcase_add_loop_test(t, random_calls, 0, N_SLAB_DESIGNS);
    suite_add_tcase(suite, t);
    return run_suite(suite);
}
