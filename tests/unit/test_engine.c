/* The engine: queues against sorted lists, a request's life, exact windows over toy cores, random streams, counters. */
#include "engine/evq.h"
#include "engine/inbox.h"
#include "engine/req.h"
#include "engine/rng.h"
#include "engine/stats.h"
#include "engine/wheel.h"
#include "engine/windows.h"

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

/* ---- exact windows ---- */

enum { TOY_CORES = 5, TOY_P = 10, TOY_ACTS = 300 };
enum { EV_FROM_CORE, EV_OWN };

struct toy_core {
    struct rng rng;
    struct inbox inbox;
    cyc_t now, own; /* last cycle done; next of its own activity */
    unsigned left;
    uint64_t hash;
};
struct toy {
    struct toy_core core[TOY_CORES];
    struct evq q;
    cyc_t out, in, action[64];
    unsigned n_action;
    uint64_t hash, late;
    uint64_t stop_after; /* rounds; 0: never */
    uint64_t rounds, actions;
};

static void mix(uint64_t *h, uint64_t v) { *h = (*h ^ v) * 0x9e3779b97f4a7c15u + (*h >> 29); }

static cyc_t toy_core_next(void *self, unsigned k)
{
    struct toy_core *c = &((struct toy *)self)->core[k];
    cyc_t i = inbox_next(&c->inbox);
    return i < c->own ? i : c->own;
}

static void toy_cycle(struct toy *t, unsigned k)
{
    struct toy_core *c = &t->core[k];
    cyc_t now = toy_core_next(t, k);
    unsigned sends = 0;
    c->now = now;
    mix(&c->hash, now);
    while (inbox_next(&c->inbox) <= now) {
        struct msg m = inbox_take(&c->inbox);
        mix(&c->hash, m.a);
        sends += m.b % 3 == 0 && c->left;
    }
    if (c->own == now) {
        sends += rng_below(&c->rng, 3) == 0;
        c->own = --c->left ? now + 1 + rng_below(&c->rng, rng_below(&c->rng, 8) ? 3 : 60) : CYC_NEVER;
    }
    while (sends--)
        evq_add(&t->q, (now + t->out) * TOY_P, k, EV_FROM_CORE, k, rng_next(&c->rng));
}

static void toy_core_run(void *self, unsigned k, cyc_t limit)
{
    while (toy_core_next(self, k) < limit)
        toy_cycle(self, k);
}

static tick_t toy_head(void *self) { return evq_head(&((struct toy *)self)->q); }

static void toy_step(void *self)
{
    struct toy *t = self;
    struct event e;
    evq_pop(&t->q, &e);
    mix(&t->hash, e.tick);
    mix(&t->hash, e.b);
    cyc_t seen = (e.tick + TOY_P - 1) / TOY_P + t->in;
    if (e.kind == EV_FROM_CORE && e.b % 5 == 0) { /* takes exact time of its own first */
        evq_add(&t->q, e.tick + e.b % 77, TOY_CORES, EV_OWN, e.a, e.b / 5);
        return;
    }
    if (e.b % 31 == 0 && t->n_action < ARRAY_LEN(t->action)) {
        unsigned i = t->n_action++;
        for (; i > 0 && t->action[i - 1] > seen; i--)
            t->action[i] = t->action[i - 1];
        t->action[i] = seen;
    }
    unsigned to = (unsigned)(e.b >> 40) % TOY_CORES;
    t->late += seen <= t->core[to].now && t->core[to].now;
    inbox_put(&t->core[to].inbox, seen, 0, t->hash, e.b >> 8);
}

static cyc_t toy_action_next(void *self)
{
    struct toy *t = self;
    return t->n_action ? t->action[0] : CYC_NEVER;
}

static void toy_action_run(void *self) /* sees every core, changes every core */
{
    struct toy *t = self;
    cyc_t when = t->action[0];
    while (t->n_action && t->action[0] == when) {
        memmove(t->action, t->action + 1, --t->n_action * sizeof t->action[0]);
        t->actions++;
        mix(&t->hash, when);
        for (unsigned k = 0; k < TOY_CORES; k++) {
            mix(&t->hash, t->core[k].hash);
            mix(&t->core[k].hash, t->hash);
        }
    }
}

static bool toy_stop(void *self)
{
    struct toy *t = self;
    return t->stop_after && ++t->rounds >= t->stop_after;
}

static void toy_new(struct toy *t, uint64_t seed, cyc_t out, cyc_t in)
{
    memset(t, 0, sizeof *t);
    t->out = out;
    t->in = in;
    evq_init(&t->q, TOY_CORES + 1, TOY_P, NULL);
    for (unsigned k = 0; k < TOY_CORES; k++) {
        rng_init(&t->core[k].rng, seed * 100 + k, "toy");
        inbox_init(&t->core[k].inbox);
        t->core[k].left = TOY_ACTS;
        t->core[k].own = k % 2 ? 0 : rng_below(&t->core[k].rng, 50);
    }
}

static uint64_t toy_end(struct toy *t)
{
    uint64_t h = t->hash;
    for (unsigned k = 0; k < TOY_CORES; k++) {
        mix(&h, t->core[k].hash);
        mix(&h, t->core[k].now);
        inbox_fini(&t->core[k].inbox);
    }
    evq_fini(&t->q);
    return h;
}

static bool toy_run(struct toy *t, cyc_t window, const unsigned *order, cyc_t claimed_in)
{
    struct windows_config c = {.cores = TOY_CORES, .period = TOY_P, .out = t->out, .in = claimed_in, .window = window, .order = order};
    struct windows_ops o = {.self = t, .core_next = toy_core_next, .core_run = toy_core_run, .shared_head = toy_head,
                            .shared_step = toy_step, .action_next = toy_action_next, .action_run = toy_action_run, .stop = toy_stop};
    return windows_run(&c, &o);
}

/* The meaning, cycle by cycle: actions of the cycle, the cores' cycle, shared events of its ticks. */
static void toy_plain(struct toy *t)
{
    for (cyc_t now = 0; now < 1000000; now++) {
        bool more = false;
        while (t->n_action && t->action[0] == now)
            toy_action_run(t);
        for (unsigned k = 0; k < TOY_CORES; k++)
            if (toy_core_next(t, k) == now)
                toy_cycle(t, k);
        while (evq_head(&t->q) < (now + 1) * TOY_P)
            toy_step(t);
        for (unsigned k = 0; k < TOY_CORES; k++)
            more |= toy_core_next(t, k) != CYC_NEVER;
        if (!more && !t->n_action && evq_empty(&t->q))
            return;
    }
    ck_abort_msg("the toy machine does not end");
}

START_TEST(test_windows_exact)
{
    static const unsigned orders[][TOY_CORES] = {{4, 3, 2, 1, 0}, {2, 0, 4, 1, 3}};
    static const cyc_t windows[] = {0, 1, 2, 3, 7, 1000};
    struct toy t;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        cyc_t out = 1 + seed % 4, in = 1 + seed / 3 % 5;
        toy_new(&t, seed, out, in);
        toy_plain(&t);
        ck_assert_uint_gt(t.actions, 0);
        uint64_t want = toy_end(&t);
        for (size_t i = 0; i < ARRAY_LEN(windows); i++)
            for (int o = -1; o < 2; o++) {
                toy_new(&t, seed, out, in);
                ck_assert(toy_run(&t, windows[i], o < 0 ? NULL : orders[o], in));
                ck_assert_uint_eq(t.late, 0);
                ck_assert_msg(toy_end(&t) == want, "seed %d, window %d, order %d", (int)seed, (int)windows[i], o);
            }
    }
}
END_TEST

/* The windows are as long as they may be: claim one cycle more of response latency, and messages come too late. */
START_TEST(test_windows_late)
{
    struct toy t;
    uint64_t late = 0;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        toy_new(&t, seed, 2, 2);
        toy_run(&t, 0, NULL, 3);
        late += t.late;
        toy_end(&t);
    }
    ck_assert_uint_gt(late, 0);
}
END_TEST

START_TEST(test_windows_stop)
{
    struct toy t;
    toy_new(&t, 1, 2, 2);
    t.stop_after = 5;
    ck_assert(!toy_run(&t, 0, NULL, 2));
    ck_assert_uint_eq(t.rounds, 5);
    toy_end(&t);
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
    tcase_add_test(t, test_windows_exact);
    tcase_add_test(t, test_windows_late);
    tcase_add_test(t, test_windows_stop);
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
