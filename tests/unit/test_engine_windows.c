/* Exact windows over toy cores: every length of window and order of visits gives what one cycle at a time gives. */
#include "engine/evq.h"
#include "engine/inbox.h"
#include "engine/rng.h"
#include "engine/windows.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

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

int main(void)
{
    Suite *s = suite_create("engine windows");
    TCase *t = tcase_create("engine windows");
    tcase_set_timeout(t, 0);
    tcase_add_test(t, test_windows_exact);
    tcase_add_test(t, test_windows_late);
    tcase_add_test(t, test_windows_stop);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
