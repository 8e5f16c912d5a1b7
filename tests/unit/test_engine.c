/* The engine: queues against sorted lists, a request's life, random streams, counters. */
#include "engine/evq.h"
#include "engine/inbox.h"
#include "engine/req.h"
#include "engine/rng.h"
#include "engine/stats.h"
#include "engine/wheel.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* ---- event queue ---- */

enum { SOURCES = 6, PERIOD = 313, PENDING = 4000 };

struct ref_event { tick_t tick; uint64_t seq; uint32_t source; uint64_t id; };

static bool comes_first(const struct ref_event *a, const struct ref_event *b)
{
    if (a->tick != b->tick)
        return a->tick < b->tick;
    return a->source != b->source ? a->source < b->source : a->seq < b->seq;
}

START_TEST(test_evq_order)
{
    struct evq q;
    struct event e;
    ck_assert_int_eq(evq_init(&q, SOURCES, PERIOD, NULL), 0);
    ck_assert(evq_empty(&q));
    ck_assert_uint_eq(evq_head(&q), TICK_NEVER);
    ck_assert_ptr_null(evq_peek(&q));
    ck_assert(!evq_pop(&q, &e));
    /* One tick: by source, then by the source's sequence. */
    evq_add(&q, 5000, 3, 0, 30, 0);
    evq_add(&q, 5000, 1, 0, 10, 0);
    evq_add(&q, 5000, 3, 0, 31, 0);
    evq_add(&q, 5000, 1, 0, 11, 0);
    evq_add(&q, 4999, 5, 0, 5, 0);
    static const uint64_t want[] = {5, 10, 11, 30, 31};
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        ck_assert_uint_eq(evq_peek(&q)->a, want[i]);
        ck_assert(evq_pop(&q, &e));
        ck_assert_uint_eq(e.a, want[i]);
    }
    /* A far event (heap) and a near one (wheel) of the same tick still go by source, whichever came first. */
    tick_t far = 5000 + (tick_t)(EVQ_SLOTS + 10) * PERIOD;
    evq_add(&q, far, 2, 0, 1, 0);
    evq_add(&q, far - 20 * PERIOD, 0, 0, 0, 0);
    evq_pop(&q, &e);
    ck_assert_uint_eq(e.a, 0);
    evq_add(&q, far, 1, 0, 2, 0);
    evq_add(&q, far, 2, 0, 3, 0);
    for (unsigned i = 0; i < 3; i++) {
        static const uint64_t order[] = {2, 1, 3};
        evq_pop(&q, &e);
        ck_assert_uint_eq(e.a, order[i]);
    }
    ck_assert(evq_empty(&q));
    evq_fini(&q);
}
END_TEST

START_TEST(test_evq_random)
{
    struct rng r;
    struct evq q;
    struct ref_event *list = calloc(PENDING, sizeof *list);
    uint64_t seq[SOURCES] = {0}, id = 0;
    size_t n = 0;
    tick_t now = 0;
    rng_init(&r, 7, "evq");
    ck_assert_int_eq(evq_init(&q, SOURCES, PERIOD, NULL), 0);
    for (unsigned step = 0; step < 60000; step++) {
        bool fill = (step / 3000) % 2 == 0;
        if (n < PENDING && (n == 0 || rng_below(&r, 10) < (fill ? 7u : 3u))) {
            static const uint64_t reach[] = {1, 3, 40 * PERIOD, EVQ_SLOTS * PERIOD, 20ull * EVQ_SLOTS * PERIOD, 1000000000000u};
            struct ref_event *e = &list[n++];
            *e = (struct ref_event){.tick = now + rng_below(&r, reach[rng_below(&r, step % 64 ? 4 : 6)]),
                                    .source = (uint32_t)rng_below(&r, SOURCES), .id = id++};
            e->seq = seq[e->source]++;
            evq_add(&q, e->tick, e->source, e->source + 100, e->id, ~e->id);
        } else {
            size_t best = 0;
            struct event got;
            for (size_t i = 1; i < n; i++)
                if (comes_first(&list[i], &list[best]))
                    best = i;
            ck_assert_uint_eq(evq_head(&q), list[best].tick);
            ck_assert(evq_pop(&q, &got));
            ck_assert_uint_eq(got.a, list[best].id);
            ck_assert_uint_eq(got.b, ~list[best].id);
            ck_assert_uint_eq(got.tick, list[best].tick);
            ck_assert_uint_eq(got.kind, list[best].source + 100);
            now = got.tick;
            list[best] = list[--n];
        }
        ck_assert(evq_empty(&q) == (n == 0));
    }
    evq_fini(&q);
    free(list);
}
END_TEST

/* ---- a core's timers ---- */

START_TEST(test_wheel_wrap)
{
    struct wheel w;
    uint32_t kind, arg;
    wheel_init(&w);
    ck_assert_uint_eq(wheel_next(&w), CYC_NEVER);
    wheel_advance(&w, 60);
    wheel_add(&w, 123, 1, 0); /* 60 + 63: the last slot */
    wheel_add(&w, 60, 1, 1);
    wheel_add(&w, 64, 1, 2);
    wheel_add(&w, 124, 1, 3); /* far */
    static const cyc_t when[] = {60, 64, 123, 124};
    static const uint32_t what[] = {1, 2, 0, 3};
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_uint_eq(wheel_next(&w), when[i]);
        wheel_advance(&w, when[i]);
        ck_assert(wheel_take(&w, &kind, &arg));
        ck_assert_uint_eq(arg, what[i]);
        ck_assert(!wheel_take(&w, &kind, &arg));
    }
    /* A far hop of a cycle was set before every near one of it and goes first. */
    wheel_add(&w, 124 + 100, 1, 7);
    wheel_add(&w, 124 + 50, 1, 6);
    wheel_advance(&w, 174);
    ck_assert(wheel_take(&w, &kind, &arg));
    wheel_add(&w, 224, 1, 8);
    wheel_advance(&w, 224);
    ck_assert(wheel_take(&w, &kind, &arg));
    ck_assert_uint_eq(arg, 7);
    wheel_add(&w, 224, 1, 9); /* of the present cycle: still taken in it, last */
    ck_assert(wheel_take(&w, &kind, &arg));
    ck_assert_uint_eq(arg, 8);
    ck_assert(wheel_take(&w, &kind, &arg));
    ck_assert_uint_eq(arg, 9);
    ck_assert(!wheel_take(&w, &kind, &arg));
    ck_assert_uint_eq(wheel_next(&w), CYC_NEVER);
    wheel_fini(&w);
}
END_TEST

struct ref_hop { cyc_t when; uint32_t id; };

START_TEST(test_wheel_random)
{
    struct rng r;
    struct wheel w;
    struct ref_hop list[600];
    size_t n = 0;
    uint32_t id = 0, kind, arg;
    cyc_t now = 0;
    rng_init(&r, 3, "wheel");
    wheel_init(&w);
    for (unsigned step = 0; step < 40000; step++) {
        unsigned add = (unsigned)rng_below(&r, 4);
        while (add-- && n < ARRAY_LEN(list)) {
            static const uint64_t reach[] = {1, 8, 64, 65, 130, 5000};
            cyc_t when = now + rng_below(&r, reach[rng_below(&r, 6)]);
            list[n++] = (struct ref_hop){when, id};
            wheel_add(&w, when, id & 7, id);
            id++;
        }
        cyc_t first = CYC_NEVER;
        for (size_t i = 0; i < n; i++)
            if (list[i].when < first)
                first = list[i].when;
        ck_assert_uint_eq(wheel_next(&w), first);
        if (first == CYC_NEVER)
            continue;
        /* Often an idle stretch that ends before the next hop: messages wake a core at any cycle. */
        now = now + rng_below(&r, first - now + 1);
        if (rng_below(&r, 3))
            now = first;
        wheel_advance(&w, now);
        for (size_t i = 0; i < n;) { /* the list is in the order of setting */
            if (list[i].when != now) {
                i++;
                continue;
            }
            ck_assert(wheel_take(&w, &kind, &arg));
            ck_assert_uint_eq(arg, list[i].id);
            ck_assert_uint_eq(kind, list[i].id & 7);
            memmove(&list[i], &list[i + 1], (--n - i) * sizeof *list);
        }
        ck_assert(!wheel_take(&w, &kind, &arg));
    }
    wheel_fini(&w);
}
END_TEST

/* ---- messages ---- */

START_TEST(test_inbox)
{
    struct rng r;
    struct inbox b;
    struct ref_hop list[300];
    size_t n = 0;
    uint32_t id = 0;
    cyc_t now = 0;
    rng_init(&r, 5, "inbox");
    inbox_init(&b);
    ck_assert_uint_eq(inbox_next(&b), CYC_NEVER);
    for (unsigned step = 0; step < 20000; step++) {
        if (n < ARRAY_LEN(list) && rng_below(&r, 2)) {
            size_t i = n++;
            struct ref_hop h = {now + rng_below(&r, 40), id};
            for (; i > 0 && list[i - 1].when > h.when; i--)
                list[i] = list[i - 1];
            list[i] = h;
            inbox_put(&b, h.when, id % 5, id, id + 1);
            id++;
        } else if (n) {
            struct msg m = inbox_take(&b);
            ck_assert_uint_eq(m.a, list[0].id);
            ck_assert_uint_eq(m.b, list[0].id + 1);
            ck_assert_uint_eq(m.kind, list[0].id % 5);
            ck_assert_uint_eq(m.when, list[0].when);
            now = m.when;
            memmove(list, list + 1, --n * sizeof *list);
        }
        ck_assert_uint_eq(inbox_next(&b), n ? list[0].when : CYC_NEVER);
    }
    inbox_fini(&b);
}
END_TEST

/* ---- a request's life ---- */

START_TEST(test_req_life)
{
    struct req_pool p;
    uint32_t id[500];
    req_pool_init(&p);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < ARRAY_LEN(id); i++) {
            id[i] = req_get(&p);
            ck_assert_uint_eq(p.req[id[i]].state, REQ_NEW);
            for (unsigned j = 0; j < i; j++)
                ck_assert_uint_ne(id[i], id[j]);
        }
        ck_assert_uint_eq(p.live, ARRAY_LEN(id));
        for (unsigned i = 0; i < ARRAY_LEN(id); i++) {
            req_advance(&p.req[id[i]], REQ_NEW, REQ_QUEUED);
            req_advance(&p.req[id[i]], REQ_QUEUED, REQ_SERVICED);
            req_put(&p, id[i]);
        }
        ck_assert_uint_eq(p.live, 0);
    }
    ck_assert_uint_le(p.n, ARRAY_LEN(id)); /* reused, not grown */
    req_pool_fini(&p);
}
END_TEST

/* Each dies: i tells how. */
START_TEST(test_req_death)
{
    struct req_pool p;
    req_pool_init(&p);
    uint32_t r = req_get(&p);
    switch (_i) {
    case 0: /* given back before it was served */
        req_put(&p, r);
        break;
    case 1: /* served before it arrived */
        req_advance(&p.req[r], REQ_QUEUED, REQ_SERVICED);
        break;
    case 2: /* arrives twice */
        req_advance(&p.req[r], REQ_NEW, REQ_QUEUED);
        req_advance(&p.req[r], REQ_NEW, REQ_QUEUED);
        break;
    default: /* given back twice */
        req_advance(&p.req[r], REQ_NEW, REQ_QUEUED);
        req_advance(&p.req[r], REQ_QUEUED, REQ_SERVICED);
        req_put(&p, r);
        req_put(&p, r);
    }
}
END_TEST

START_TEST(test_queue_death)
{
    struct evq q;
    struct wheel w;
    struct event e;
    evq_init(&q, 1, 1000, NULL);
    wheel_init(&w);
    if (_i == 0) { /* an event before the present */
        evq_add(&q, 5000, 0, 0, 0, 0);
        evq_pop(&q, &e);
        evq_add(&q, 3000, 0, 0, 0, 0);
    } else if (_i == 1) { /* a source that does not exist */
        evq_add(&q, 5000, 1, 0, 0, 0);
    } else { /* a hop into the past */
        wheel_advance(&w, 10);
        wheel_add(&w, 9, 0, 0);
    }
}
END_TEST

/* ---- random streams ---- */

START_TEST(test_rng)
{
    /* xoshiro256** of the state 1 2 3 4, as its authors' program gives it. */
    static const uint64_t known[] = {11520, 0, 1509978240, 1215971899390074240u};
    static const char *const names[] = {"", "cpu0.l1d", "cpu1.l1d", "cpu0.l1i", "llc", "a", "b", "aa"};
    struct rng r = {{1, 2, 3, 4}}, s[2 * ARRAY_LEN(names)];
    enum { DRAWS = 4000 };
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        ck_assert_uint_eq(rng_next(&r), known[i]);
    for (size_t i = 0; i < ARRAY_LEN(s); i++)
        rng_init(&s[i], 1 + i / ARRAY_LEN(names), names[i % ARRAY_LEN(names)]);
    /* Same seed and name: same numbers. */
    rng_init(&r, 1, "llc");
    struct rng copy = s[4];
    for (unsigned i = 0; i < 100; i++)
        ck_assert_uint_eq(rng_next(&r), rng_next(&copy));
    /* Any two streams differ in half of their bits: 64 * DRAWS bits, standard deviation sqrt(64 * DRAWS) / 2. */
    for (size_t i = 0; i < ARRAY_LEN(s); i++)
        for (size_t j = 0; j < i; j++) {
            struct rng a = s[i], b = s[j];
            int64_t different = 0;
            for (unsigned k = 0; k < DRAWS; k++)
                different += __builtin_popcountll(rng_next(&a) ^ rng_next(&b));
            ck_assert_int_lt(llabs(different - 32 * DRAWS), 5 * 253);
        }
    /* Uniform over 10: chi-square of 9 degrees, 99.99 % below 33.7. */
    double chi = 0;
    uint64_t count[10] = {0};
    for (unsigned i = 0; i < 100000; i++) {
        count[rng_below(&r, 10)]++;
        double u = rng_unit(&r);
        ck_assert(u >= 0 && u < 1);
    }
    for (unsigned i = 0; i < 10; i++)
        chi += ((double)count[i] - 10000) * ((double)count[i] - 10000) / 10000;
    ck_assert_double_lt(chi, 33.7);
}
END_TEST

/* ---- counters ---- */

#define TOY_STATS(X)                    \
    X(first, "things", "the first")     \
    X(second, "others", "the second")
struct toy_stats { uint64_t before; TOY_STATS(STAT_FIELD) };
#define D(name, unit, help) STAT_ENTRY(struct toy_stats, name, unit, help)
static const struct stat_desc toy_descs[] = {TOY_STATS(D) STAT_ENTRY_GAUGE(struct toy_stats, before, "level", "now")};
#undef D

START_TEST(test_stats_table)
{
    struct toy_stats st = {.before = 1};
    struct stats *s;
    struct stat_value v;
    uint64_t x;
    ck_assert_uint_eq(ARRAY_LEN(toy_descs), 3);
    ck_assert_str_eq(toy_descs[1].name, "second");
    ck_assert_str_eq(toy_descs[1].unit, "others");
    ck_assert_uint_eq(toy_descs[1].offset, offsetof(struct toy_stats, second));
    ck_assert_int_eq(stats_new(&s, NULL), 0);
    stats_add(s, "a.b", &st, toy_descs, ARRAY_LEN(toy_descs));
    stats_freeze(s);
    st.second = 5;
    st.before = 9;
    stats_snapshot(s);
    st.second += 7;
    st.before = 4;
    ck_assert(stats_find(s, "a.b.second", &x));
    ck_assert_uint_eq(x, 12);
    ck_assert_ptr_eq(stats_where(s, "a.b.first"), &st.first);
    ck_assert(!stats_find(s, "a.b.third", &x));
    stats_get(s, 1, &v);
    ck_assert_uint_eq(stat_value_in(&v, STAT_WARMUP), 5);
    ck_assert_uint_eq(stat_value_in(&v, STAT_MEASURE), 7);
    ck_assert_uint_eq(stat_value_in(&v, STAT_TOTAL), 12);
    stats_get(s, 2, &v);
    ck_assert_uint_eq(stat_value_in(&v, STAT_MEASURE), 4); /* a gauge */
    stats_free(s);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("engine");
    TCase *t = tcase_create("engine");
    tcase_set_timeout(t, 0);
    tcase_add_test(t, test_evq_order);
    tcase_add_test(t, test_evq_random);
    tcase_add_test(t, test_wheel_wrap);
    tcase_add_test(t, test_wheel_random);
    tcase_add_test(t, test_inbox);
    tcase_add_test(t, test_req_life);
    tcase_add_test(t, test_rng);
    tcase_add_test(t, test_stats_table);
    suite_add_tcase(s, t);
#ifndef NDEBUG
    const char *fork = getenv("CK_FORK");
    if (!fork || strcmp(fork, "no")) {
        TCase *d = tcase_create("death");
        tcase_add_loop_test_raise_signal(d, test_req_death, SIGABRT, 0, 4);
        tcase_add_loop_test_raise_signal(d, test_queue_death, SIGABRT, 0, 3);
        suite_add_tcase(s, d);
    }
#endif
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
