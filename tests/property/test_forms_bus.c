/*
 * Closed forms of the bus (x86-hardware.md 10.10, 6.4), at the port of the memory system, without cores. Every request
 * is for a line that its master owns, so the LLC answers at the grant and only the bus is seen.
 *
 * A request's service is bus.occupancy long: the reference's C + a (there is no overhead of its own). All masters have the
 * same occupancy, so 6.4's fixed-priority example with unequal C is computed anew for equal ones.
 */
#include "memory/memsys.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MASTERS = 8, PERIOD = 1000 };

struct world {
    struct memsys *m;
    struct caches_config cache;
    struct bus_config bus;
    struct dram_config dram;
    tick_t now;
    unsigned granted; /* master + 1 of the grant of this step, 0: none */
};

static void on_deliver(void *self, unsigned core, cyc_t when, enum core_msg_kind kind, uint64_t a, uint64_t b)
{
    struct world *w = self;
    if (kind != MSG_GRANT || MSG_STATE(b) != LINE_E)
        ck_abort_msg("message %d %d", (int)kind, (int)b);
    (void)when;
    (void)a;
    req_put(memsys_requests(w->m), MSG_REQ(b));
    w->granted = core + 1;
}

static void submit(struct world *w, unsigned k, tick_t when)
{
    struct req_pool *pool = memsys_requests(w->m);
    uint32_t r = req_get(pool);
    pool->req[r].line = 64 + k;
    pool->req[r].kind = REQ_GETS;
    pool->req[r].source = k;
    struct port p = memsys_port(w->m);
    p.submit(p.self, r, when);
}

/* One step; true if somebody was granted: *who at w->now. */
static bool step(struct world *w, unsigned *who)
{
    struct event e;
    w->now = memsys_head(w->m);
    w->granted = 0;
    memsys_step(w->m, &e);
    *who = w->granted - 1;
    return w->granted != 0;
}

static void world_new(struct world *w, uint32_t occupancy, int arbiter)
{
    struct err err = {0};
    unsigned who;
    memset(w, 0, sizeof *w);
    w->cache.llc = (struct cache_config){true, 65536, 8, 1, 64, REPL_lru};
    w->cache.llc_inclusive = w->cache.coherence = w->cache.write_back = true;
    w->bus = (struct bus_config){1, 1, occupancy, arbiter};
    dram_config_default(&w->dram);
    w->dram.refresh = false;
    struct memsys_config c = {.cache = &w->cache, .bus = &w->bus, .dram = &w->dram, .cores = MASTERS, .period = PERIOD, .seed = 1,
                              .timed = true, .ops = {.self = w, .deliver = on_deliver}};
    ck_assert_msg(memsys_new(&w->m, &c, &err) == 0, "%s", err.message);
    for (unsigned k = 0; k < MASTERS; k++)
        submit(w, k, 0);
    while (memsys_head(w->m) != TICK_NEVER) /* every line comes from memory once */
        step(w, &who);
    w->now = 10000000; /* later than all of that */
    for (unsigned k = 0; k + 1 < MASTERS; k++) /* the last grantee is the last master again */
        submit(w, k, w->now);
    submit(w, MASTERS - 1, w->now);
    while (memsys_head(w->m) != TICK_NEVER)
        step(w, &who);
    w->now = 20000000;
}

static void world_end(struct world *w)
{
    ck_assert(memsys_idle(w->m));
    memsys_free(w->m);
}

/* ---- saturated arbiters ---- */

START_TEST(test_saturated) /* N masters, each ready again when its service ends */
{
    for (unsigned n = 1; n <= MASTERS; n++)
        for (int arbiter = ARBITER_ROUND_ROBIN; arbiter <= ARBITER_FIXED_PRIORITY; arbiter++) {
            struct world w;
            enum { C = 11, GRANTS = 800 }; /* 10 and an overhead of 1: four masters wait 33 */
            tick_t asked[MASTERS], slot = C * PERIOD;
            uint64_t count[MASTERS] = {0}, total = 0;
            world_new(&w, C, arbiter);
            tick_t start = w.now;
            for (unsigned k = 0; k < n; k++)
                submit(&w, k, asked[k] = start);
            while (total < GRANTS) {
                unsigned k;
                if (!step(&w, &k))
                    continue;
                ck_assert_uint_eq(w.now, start + total * slot); /* never idle */
                if (count[k]++ && arbiter == ARBITER_ROUND_ROBIN)
                    ck_assert_uint_eq(w.now - asked[k], (n - 1) * slot);
                total++;
                if (total + n <= GRANTS || arbiter == ARBITER_FIXED_PRIORITY)
                    submit(&w, k, asked[k] = w.now + slot);
            }
            if (n == 4 && arbiter == ARBITER_ROUND_ROBIN)
                ck_assert_uint_eq((n - 1) * C, 33);
            if (arbiter == ARBITER_ROUND_ROBIN) {
                for (unsigned k = 0; k < n; k++) /* 1 / N each */
                    ck_assert_uint_le(count[k] > GRANTS / n ? count[k] - GRANTS / n : GRANTS / n - count[k], 1);
                world_end(&w);
            } else {
                ck_assert_uint_eq(count[0], GRANTS); /* 100 % */
                memsys_free(w.m);
            }
        }
}
END_TEST

/* ---- bounds of the wait ---- */

struct master { tick_t next, asked, wait, most; uint64_t left; bool waiting; };

/* Every master asks `left` times: `gap` after a grant (or, with gap 0 given, by its own period). */
static void drive(struct world *w, struct master *m, tick_t (*next)(void *ctx, unsigned k, tick_t granted), void *ctx)
{
    for (unsigned k = 0; k < MASTERS; k++)
        if (m[k].left)
            submit(w, k, m[k].asked = m[k].next);
    for (unsigned k; memsys_head(w->m) != TICK_NEVER;) {
        if (!step(w, &k))
            continue;
        m[k].wait = w->now - m[k].asked;
        if (m[k].wait > m[k].most)
            m[k].most = m[k].wait;
        if (--m[k].left)
            submit(w, k, m[k].asked = next(ctx, k, w->now));
    }
}

struct think { struct rng rng; tick_t slot, most; };
static tick_t after_random(void *ctx, unsigned k, tick_t granted)
{
    struct think *t = ctx;
    (void)k;
    return granted + t->slot + rng_below(&t->rng, t->most);
}

START_TEST(test_round_robin_bound) /* wait <= sum of the others' C + a, and it is reached */
{
    for (unsigned n = 2; n <= MASTERS; n++) {
        struct world w;
        struct master m[MASTERS] = {{0}};
        struct think t = {.slot = 11 * PERIOD, .most = 40 * PERIOD};
        tick_t most = 0;
        rng_init(&t.rng, n, "think");
        world_new(&w, 11, ARBITER_ROUND_ROBIN);
        for (unsigned k = 0; k < n; k++)
            m[k] = (struct master){.next = w.now + rng_below(&t.rng, 50 * PERIOD), .left = 4000};
        drive(&w, m, after_random, &t);
        for (unsigned k = 0; k < n; k++) {
            ck_assert_uint_le(m[k].most, (n - 1) * t.slot);
            if (m[k].most > most)
                most = m[k].most;
        }
        ck_assert_uint_gt(most * 100, 85 * (n - 1) * t.slot); /* nearly reached at random */
        world_end(&w);
    }
}
END_TEST

struct periodic { tick_t last[MASTERS], period[MASTERS], jitter; struct rng rng; };
static tick_t after_period(void *ctx, unsigned k, tick_t granted)
{
    struct periodic *p = ctx;
    p->last[k] += p->period[k] + (p->jitter ? rng_below(&p->rng, p->jitter) : 0);
    /* The bound is for one request after the other: the arrival is not before the grant. */
    if (p->last[k] < granted)
        p->last[k] = granted;
    return p->last[k];
}

/* Smallest w with w = B + sum of (floor(w / T) + 1) * C. */
static tick_t fixed_priority_bound(tick_t c, const tick_t *period, unsigned higher)
{
    for (tick_t w = c, next;; w = next) {
        next = c;
        for (unsigned j = 0; j < higher; j++)
            next += (w / period[j] + 1) * c;
        if (next == w)
            return w;
    }
}

START_TEST(test_fixed_priority_bound)
{
    static const struct { uint32_t c; tick_t period[2], bound; } cases[] = {
        {5, {20000, 50000}, 15000}, {8, {20000, 50000}, 32000}, {6, {20000, 50000}, 18000}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct world w;
        tick_t c = cases[i].c * PERIOD, bound = fixed_priority_bound(c, cases[i].period, 2);
        ck_assert_uint_eq(bound, cases[i].bound);
        /* The worst case: the lowest master was granted a moment before all others ask. It is the bound but that moment. */
        struct master m[MASTERS] = {{0}};
        world_new(&w, cases[i].c, ARBITER_FIXED_PRIORITY);
        struct periodic p = {.period = {cases[i].period[0], cases[i].period[1], 1000000, 1000000}};
        m[3] = (struct master){.next = w.now, .left = 1};
        for (unsigned k = 0; k < 3; k++)
            m[k] = (struct master){.next = p.last[k] = w.now + 1, .left = k == 2 ? 1 : 8};
        drive(&w, m, after_period, &p);
        ck_assert_uint_eq(m[2].most, bound - 1);
        world_end(&w);
        /* Any other traffic stays below it. */
        world_new(&w, cases[i].c, ARBITER_FIXED_PRIORITY);
        memset(m, 0, sizeof m);
        rng_init(&p.rng, i, "jitter");
        p.jitter = 30000;
        p.period[2] = 70000;
        p.period[3] = 60000;
        for (unsigned k = 0; k < 4; k++)
            m[k] = (struct master){.next = p.last[k] = w.now + rng_below(&p.rng, 60000), .left = 5000};
        drive(&w, m, after_period, &p);
        ck_assert_uint_lt(m[2].most, bound);
        world_end(&w);
    }
}
END_TEST

/* ---- queues ---- */

struct arrival { tick_t tick; unsigned master; };

static int by_tick(const void *a, const void *b)
{
    const struct arrival *x = a, *y = b;
    return x->tick != y->tick ? (x->tick < y->tick ? -1 : 1) : (int)x->master - (int)y->master;
}

/* Feeds a sorted list, a bounded number ahead. Waits in ps, by master. */
static void queue(struct world *w, const struct arrival *a, size_t n, uint64_t wait[MASTERS])
{
    struct stats *s;
    uint64_t before[MASTERS], after;
    char name[32];
    ck_assert_int_eq(stats_new(&s, NULL), 0);
    memsys_add_stats(w->m, s);
    stats_freeze(s);
    for (unsigned k = 0; k < MASTERS; k++) {
        snprintf(name, sizeof name, "bus.cpu%u.wait_ps", k);
        ck_assert(stats_find(s, name, &before[k]));
    }
    unsigned who;
    for (size_t i = 0; i < n; i++) {
        while (memsys_head(w->m) < a[i].tick)
            step(w, &who);
        submit(w, a[i].master, a[i].tick);
    }
    while (memsys_head(w->m) != TICK_NEVER)
        step(w, &who);
    for (unsigned k = 0; k < MASTERS; k++) {
        snprintf(name, sizeof name, "bus.cpu%u.wait_ps", k);
        ck_assert(stats_find(s, name, &after));
        wait[k] = after - before[k];
    }
    stats_free(s);
}

/* Poisson arrivals of all masters with rate 1 / mean each. */
static struct arrival *poisson(tick_t start, unsigned masters, size_t each, double mean, struct rng *r)
{
    struct arrival *a = malloc(masters * each * sizeof *a);
    for (unsigned k = 0; k < masters; k++) {
        double t = 0;
        for (size_t i = 0; i < each; i++) {
            t += -mean * log(1 - rng_unit(r));
            a[k * each + i] = (struct arrival){start + (tick_t)t, k};
        }
    }
    qsort(a, masters * each, sizeof *a, by_tick);
    return a;
}

/* Lindley: the exact sum of the waits of one queue. */
static uint64_t lindley(const struct arrival *a, size_t n, tick_t service)
{
    tick_t is_free = 0;
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        tick_t begin = a[i].tick > is_free ? a[i].tick : is_free;
        sum += begin - a[i].tick;
        is_free = begin + service;
    }
    return sum;
}

START_TEST(test_md1) /* S = 10 ns, rho = 0.8: 20 ns; from one master or from many; D/D/1: none */
{
    static const double rho[] = {0.8, 0.5, 0.3};
    enum { N = 400000, S = 10 };
    for (size_t i = 0; i < ARRAY_LEN(rho); i++)
        for (unsigned masters = 1; masters <= MASTERS; masters += 7) {
            struct world w;
            struct rng r;
            uint64_t wait[MASTERS], sum = 0;
            double want = rho[i] * S / (2 * (1 - rho[i]));
            rng_init(&r, i + masters, "poisson");
            world_new(&w, S, ARBITER_ROUND_ROBIN);
            struct arrival *a = poisson(w.now, masters, N / masters, masters * S * PERIOD / rho[i], &r);
            queue(&w, a, N, wait);
            for (unsigned k = 0; k < MASTERS; k++)
                sum += wait[k];
            ck_assert_uint_eq(sum, lindley(a, N, S * PERIOD)); /* no grant is early, late or lost */
            ck_assert_double_eq_tol((double)sum / N / PERIOD, want, 0.03 * want);
            world_end(&w);
            free(a);
        }
    struct arrival *d = malloc(20000 * sizeof *d);
    struct world w;
    uint64_t wait[MASTERS];
    world_new(&w, S, ARBITER_ROUND_ROBIN);
    for (unsigned i = 0; i < 20000; i++)
        d[i] = (struct arrival){w.now + i * (S * PERIOD + i % 2), 0};
    qsort(d, 20000, sizeof *d, by_tick);
    for (unsigned i = 1; i < 20000; i++) /* never nearer than one service */
        if (d[i].tick < d[i - 1].tick + S * PERIOD)
            d[i].tick = d[i - 1].tick + S * PERIOD;
    queue(&w, d, 20000, wait);
    ck_assert_uint_eq(wait[0], 0);
    world_end(&w);
    free(d);
}
END_TEST

START_TEST(test_priority_classes) /* non-preemptive: W1 = R/(1-rho1) = 6.667, W2 = 33.33 ns; conservation exactly */
{
    enum { N = 500000, S = 10 };
    struct world w;
    struct rng r;
    uint64_t fixed[MASTERS], fair[MASTERS];
    rng_init(&r, 5, "classes");
    world_new(&w, S, ARBITER_FIXED_PRIORITY);
    struct arrival *a = poisson(w.now, 2, N, S * PERIOD / 0.4, &r);
    queue(&w, a, 2 * N, fixed);
    world_end(&w);
    ck_assert_double_eq_tol((double)fixed[0] / N / PERIOD, 6.667, 0.03 * 6.667);
    ck_assert_double_eq_tol((double)fixed[1] / N / PERIOD, 33.33, 0.04 * 33.33);
    world_new(&w, S, ARBITER_ROUND_ROBIN);
    queue(&w, a, 2 * N, fair);
    world_end(&w);
    ck_assert_uint_eq(fixed[0] + fixed[1], fair[0] + fair[1]);
    ck_assert_double_eq_tol((double)fair[0], (double)fair[1], 0.03 * (double)fair[0]);
    free(a);
}
END_TEST

static tick_t after_think(void *ctx, unsigned k, tick_t granted)
{
    (void)k;
    return granted + *(tick_t *)ctx;
}

START_TEST(test_closed) /* 10.11: K requests, service S, think Z: X = min(K / (S + Z), 1 / S) */
{
    enum { S = 10, Z = 50, EACH = 600 };
    for (unsigned n = 1; n <= MASTERS; n++) {
        struct world w;
        struct master m[MASTERS] = {{0}};
        tick_t cycle = (S + Z) * PERIOD;
        world_new(&w, S, ARBITER_ROUND_ROBIN);
        tick_t start = w.now;
        for (unsigned k = 0; k < n; k++)
            m[k] = (struct master){.next = start, .left = EACH};
        drive(&w, m, after_think, &cycle);
        /* All begin at once: the queue they form in the first turn spaces them by S for ever. */
        tick_t turn = n * S > S + Z ? n * S * PERIOD : cycle;
        ck_assert_uint_eq(w.now - start, (EACH - 1) * turn + (n - 1) * S * PERIOD);
        world_end(&w);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("forms_bus");
    TCase *t = tcase_create("bus");
    tcase_set_timeout(t, 0);
    tcase_add_test(t, test_saturated);
    tcase_add_test(t, test_round_robin_bound);
    tcase_add_test(t, test_fixed_priority_bound);
    tcase_add_test(t, test_md1);
    tcase_add_test(t, test_priority_classes);
    tcase_add_test(t, test_closed);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
