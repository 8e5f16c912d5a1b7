/*
 * Bus, last-level cache and directory alone, between mock cores: every state of a line against every request, crossing
 * messages, orders of service. test_memsys_crowd.c has random traffic.
 */
#include "memory/memsys_internal.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CORES = 8, PERIOD = 1000, OUT = 3, IN = 5, LLC_LATENCY = 20, MAX_MSGS = 64 };

struct said { /* one message to a core */
    unsigned core;
    cyc_t when;
    enum core_msg_kind kind;
    uint64_t line, state;
    uint64_t order;
    bool done;
};

struct world {
    struct memsys *m;
    struct caches_config cache;
    struct bus_config bus;
    struct dram_config dram;
    struct stats *stats;
    tick_t now;
    struct said msg[MAX_MSGS];
    unsigned n_msg;
    bool hold; /* messages are not answered until the test does */
    uint8_t state[MAX_CORES]; /* of the one line of the directed tests */
};

static void on_deliver(void *self, unsigned core, cyc_t when, enum core_msg_kind kind, uint64_t a, uint64_t b)
{
    struct world *w = self;
    ck_assert_uint_lt(w->n_msg, MAX_MSGS);
    if (kind == MSG_GRANT)
        req_put(memsys_requests(w->m), MSG_REQ(b));
    w->msg[w->n_msg] = (struct said){.core = core, .when = when, .kind = kind, .line = a, .state = MSG_STATE(b), .order = w->n_msg};
    w->n_msg++;
}

static void world_new(struct world *w, unsigned cores, uint32_t sets, uint32_t ways, uint32_t mshrs)
{
    struct err err = {0};
    memset(w, 0, sizeof *w);
    w->cache.llc = (struct cache_config){true, (uint64_t)sets * ways * LINE_BYTES, ways, LLC_LATENCY, mshrs, REPL_lru};
    w->cache.llc_inclusive = w->cache.coherence = w->cache.write_back = true;
    w->bus = (struct bus_config){OUT, IN, 1, ARBITER_ROUND_ROBIN};
    dram_config_default(&w->dram);
    w->dram.refresh = false;
    struct memsys_config c = {.cache = &w->cache, .bus = &w->bus, .dram = &w->dram, .cores = cores, .period = PERIOD, .seed = 1,
                              .timed = true, .ops = {.self = w, .deliver = on_deliver}};
    ck_assert_msg(memsys_new(&w->m, &c, &err) == 0, "%s", err.message);
    ck_assert_int_eq(stats_new(&w->stats, &err), 0);
    memsys_add_stats(w->m, w->stats);
    stats_freeze(w->stats);
}

static void world_end(struct world *w)
{
    ck_assert(memsys_idle(w->m));
    stats_free(w->stats);
    memsys_free(w->m);
}

static uint64_t count(const struct world *w, const char *name)
{
    uint64_t v;
    ck_assert_msg(stats_find(w->stats, name, &v), "%s", name);
    return v;
}

static void ask_at(struct world *w, unsigned core, enum req_kind kind, uint64_t line, tick_t when)
{
    struct req_pool *pool = memsys_requests(w->m);
    uint32_t r = req_get(pool);
    pool->req[r].line = line;
    pool->req[r].kind = (uint8_t)kind;
    pool->req[r].source = core;
    struct port p = memsys_port(w->m);
    p.submit(p.self, r, when);
}

/* What the core does with a message; the ack of a snoop arrives `delay` cycles later than it could. */
static void obey(struct world *w, struct said *s, cyc_t delay)
{
    uint8_t *st = &w->state[s->core];
    s->done = true;
    if (s->kind == MSG_GRANT) {
        *st = (uint8_t)s->state;
        return;
    }
    bool present = *st != LINE_I, dirty = *st == LINE_M;
    *st = s->kind == MSG_INV || !present ? LINE_I : LINE_S;
    memsys_ack(w->m, s->core, s->line, present, dirty, (s->when + OUT + delay) * PERIOD);
}

static struct said *earliest(struct world *w)
{
    struct said *best = NULL;
    for (unsigned i = 0; i < w->n_msg; i++)
        if (!w->msg[i].done && (!best || w->msg[i].when < best->when))
            best = &w->msg[i];
    return best;
}

/* Until nothing is left to do; held snoops stay. */
static void settle_down(struct world *w)
{
    struct event e;
    for (;;) {
        tick_t head = memsys_head(w->m);
        struct said *s = w->hold ? NULL : earliest(w);
        if (s && s->when * PERIOD <= head) {
            obey(w, s, 0);
        } else if (head != TICK_NEVER) {
            w->now = head;
            memsys_step(w->m, &e);
        } else {
            return;
        }
    }
}

static void later(struct world *w)
{
    w->now += 1000 * PERIOD;
    w->now -= w->now % PERIOD;
    w->n_msg = 0;
}

static void ask(struct world *w, unsigned core, enum req_kind kind, uint64_t line)
{
    later(w);
    ask_at(w, core, kind, line, w->now);
    settle_down(w);
}

enum { LINE = 5 };

static uint64_t directory(const struct world *w, uint64_t line)
{
    uint32_t e = assoc_probe(&w->m->llc.tags, line);
    ck_assert_uint_ne(e, ASSOC_NONE);
    return w->m->dir[e];
}

static uint64_t dir_word(bool dirty, int owner, uint64_t sharers)
{
    return (dirty ? DIR_DIRTY : 0) | (uint64_t)(owner + 1) << DIR_OWNER_SHIFT | sharers << DIR_SHARER_SHIFT;
}

/* ---- every state, every request ---- */

enum held {
    ABSENT,        /* not in the LLC */
    NOBODY,        /* in the LLC only */
    MINE,          /* the requester owns it and has it */
    MINE_DROPPED,  /* ... and has dropped it silently */
    OTHER_E, OTHER_M, OTHER_DROPPED,
    SHARED_MINE, SHARED_OTHER, SHARED_BOTH, SHARED_TWO, /* two: two others */
    HELD_COUNT
};

/* Brings LINE into the state, core 0 being the requester. */
static void bring(struct world *w, enum held h)
{
    switch (h) {
    case ABSENT:
        break;
    case NOBODY:
        ask(w, 1, REQ_GETM, LINE);
        ask(w, 1, REQ_PUTM, LINE);
        w->state[1] = LINE_I;
        break;
    case MINE:
    case MINE_DROPPED:
        ask(w, 0, REQ_GETS, LINE);
        if (h == MINE_DROPPED)
            w->state[0] = LINE_I;
        break;
    case OTHER_E:
    case OTHER_DROPPED:
        ask(w, 1, REQ_GETS, LINE);
        if (h == OTHER_DROPPED)
            w->state[1] = LINE_I;
        break;
    case OTHER_M:
        ask(w, 1, REQ_GETS, LINE);
        w->state[1] = LINE_M; /* a write to E tells nobody */
        break;
    case SHARED_MINE:
        ask(w, 0, REQ_GETI, LINE);
        break;
    case SHARED_OTHER:
        ask(w, 1, REQ_GETI, LINE);
        break;
    case SHARED_BOTH:
    case SHARED_TWO:
        ask(w, 1, REQ_GETI, LINE);
        ask(w, h == SHARED_BOTH ? 0 : 2, REQ_GETI, LINE);
        break;
    case HELD_COUNT:
        break;
    }
}

struct outcome {
    enum line_state grant;
    uint8_t inv, down; /* cores that are told */
    uint64_t dir;
};

static struct outcome outcome_of(enum held h, enum req_kind k)
{
    bool m = k == REQ_GETM, i = k == REQ_GETI;
    bool put = h == NOBODY; /* the write-back has made it dirty */
    switch (h) {
    case ABSENT:
    case NOBODY:
        if (i)
            return (struct outcome){LINE_S, 0, 0, dir_word(put, -1, 1)};
        return (struct outcome){m ? LINE_M : LINE_E, 0, 0, dir_word(put, 0, 0)};
    case MINE:
    case MINE_DROPPED: /* an instruction fetch of an owner makes it a sharer */
        if (i)
            return (struct outcome){LINE_S, 0, 0, dir_word(false, -1, 1)};
        return (struct outcome){m ? LINE_M : LINE_E, 0, 0, dir_word(false, 0, 0)};
    case OTHER_E:
    case OTHER_M:
        if (m)
            return (struct outcome){LINE_M, 2, 0, dir_word(h == OTHER_M, 0, 0)};
        return (struct outcome){LINE_S, 0, 2, dir_word(h == OTHER_M, -1, 3)};
    case OTHER_DROPPED:
        if (m)
            return (struct outcome){LINE_M, 2, 0, dir_word(false, 0, 0)};
        return (struct outcome){LINE_S, 0, 2, dir_word(false, -1, 1)};
    case SHARED_MINE:
        return m ? (struct outcome){LINE_M, 0, 0, dir_word(false, 0, 0)} : (struct outcome){LINE_S, 0, 0, dir_word(false, -1, 1)};
    case SHARED_OTHER:
    case SHARED_BOTH:
        return m ? (struct outcome){LINE_M, 2, 0, dir_word(false, 0, 0)} : (struct outcome){LINE_S, 0, 0, dir_word(false, -1, 3)};
    default:
        return m ? (struct outcome){LINE_M, 6, 0, dir_word(false, 0, 0)} : (struct outcome){LINE_S, 0, 0, dir_word(false, -1, 7)};
    }
}

START_TEST(test_transitions)
{
    for (int h = 0; h < HELD_COUNT; h++)
        for (int k = REQ_GETS; k <= REQ_GETM; k++) {
            struct world w;
            world_new(&w, 4, 4, 2, 4);
            bring(&w, (enum held)h);
            uint64_t reads = count(&w, "dram.reads"), snoops = count(&w, "llc.snoops");
            ask(&w, 0, (enum req_kind)k, LINE);
            struct outcome o = outcome_of((enum held)h, (enum req_kind)k);
            uint8_t inv = 0, down = 0;
            unsigned grants = 0;
            cyc_t g = 0, snooped = 0;
            for (unsigned i = 0; i < w.n_msg; i++) {
                ck_assert_uint_eq(w.msg[i].line, LINE);
                if (w.msg[i].kind == MSG_GRANT) {
                    ck_assert_uint_eq(w.msg[i].core, 0);
                    ck_assert_msg(w.msg[i].state == o.grant, "state %d request %d: grant %d", h, k, (int)w.msg[i].state);
                    ck_assert_uint_eq(i, w.n_msg - 1); /* after all acks */
                    g = w.msg[i].when;
                    grants++;
                    continue;
                }
                if (w.msg[i].kind == MSG_INV)
                    inv |= (uint8_t)(1u << w.msg[i].core);
                else
                    down |= (uint8_t)(1u << w.msg[i].core);
                snooped = w.msg[i].when;
            }
            ck_assert_uint_eq(grants, 1);
            ck_assert_msg(inv == o.inv && down == o.down, "state %d request %d: inv %u down %u", h, k, inv, down);
            ck_assert_msg(directory(&w, LINE) == o.dir, "state %d request %d: directory %llx", h, k,
                          (unsigned long long)directory(&w, LINE));
            ck_assert_uint_eq(count(&w, "dram.reads") - reads, h == ABSENT);
            ck_assert_uint_eq(count(&w, "llc.snoops") - snoops, (unsigned)__builtin_popcount(o.inv | o.down));
            /* A hit's grant and its snoops leave llc.latency after the lookup; the grant after the acks at once. */
            if (h != ABSENT && !snooped)
                ck_assert_uint_eq(g, (w.now + PERIOD - 1) / PERIOD + LLC_LATENCY + IN);
            if (snooped)
                ck_assert_uint_eq(g, snooped + OUT + IN);
            ck_assert(memsys_holds(w.m, 0, LINE, o.grant));
            for (unsigned c = 1; c < 4; c++)
                ck_assert(w.state[c] == LINE_I || memsys_holds(w.m, c, LINE, (enum line_state)w.state[c]));
            ck_assert(o.grant == LINE_S || (w.state[1] == LINE_I && w.state[2] == LINE_I));
            world_end(&w);
        }
}
END_TEST

/* ---- crossing messages ---- */

/* Core 1 writes LINE back while core 0 asks for it: whichever the bus takes first, and however late the ack is. */
START_TEST(test_put_crosses_snoop)
{
    for (int k = REQ_GETS; k <= REQ_GETM; k++)
        for (unsigned put_after = 0; put_after < 60; put_after++) {
            struct world w;
            world_new(&w, 2, 4, 2, 4);
            ask(&w, 1, REQ_GETM, LINE);
            later(&w);
            w.state[1] = LINE_I; /* gone from the core the moment it is sent */
            ask_at(&w, 0, (enum req_kind)k, LINE, w.now);
            ask_at(&w, 1, REQ_PUTM, LINE, w.now + (tick_t)put_after * PERIOD);
            settle_down(&w);
            ck_assert_uint_eq(count(&w, "llc.writebacks_in"), 1);
            ck_assert_uint_eq(count(&w, "dram.writes"), 0);
            ck_assert_uint_eq(directory(&w, LINE), k == REQ_GETM ? dir_word(true, 0, 0) : dir_word(true, -1, 1));
            ck_assert_uint_eq(w.state[0], k == REQ_GETM ? LINE_M : LINE_S);
            world_end(&w);
        }
}
END_TEST

/* The LLC gives LINE up while its owner holds it dirty, holds it clean, or has just written it back: one write or none. */
START_TEST(test_back_invalidation)
{
    enum { CLEAN, DIRTY, DROPPED, PUT, CASES };
    for (int c = 0; c < CASES; c++)
        for (unsigned put_after = 0; put_after < (c == PUT ? 200u : 1u); put_after += 3) {
            struct world w;
            world_new(&w, 2, 1, 1, 4); /* an LLC of one line */
            ask(&w, 1, REQ_GETM, LINE);
            w.state[1] = c == CLEAN ? LINE_E : c == DIRTY ? LINE_M : LINE_I;
            later(&w);
            ask_at(&w, 0, REQ_GETS, LINE + 1, w.now);
            if (c == PUT)
                ask_at(&w, 1, REQ_PUTM, LINE, w.now + (tick_t)put_after * PERIOD);
            settle_down(&w);
            bool early = c == PUT && count(&w, "llc.back_invalidations") == 0; /* written back before the fill */
            ck_assert_uint_eq(count(&w, "llc.back_invalidations"), early ? 0 : 1);
            ck_assert_uint_eq(count(&w, "dram.writes"), c == DIRTY || c == PUT);
            ck_assert_uint_eq(assoc_probe(&w.m->llc.tags, LINE), ASSOC_NONE);
            ck_assert_uint_eq(directory(&w, LINE + 1), dir_word(false, 0, 0));
            ck_assert_uint_eq(w.state[1], LINE_I);
            world_end(&w);
        }
}
END_TEST

/* A request for a line that is just being given up waits for its holders, then comes from memory. */
START_TEST(test_request_of_victim)
{
    struct world w;
    struct event e;
    world_new(&w, 3, 1, 1, 4);
    ask(&w, 1, REQ_GETM, LINE);
    later(&w);
    ask_at(&w, 0, REQ_GETS, LINE + 1, w.now);
    while (!(w.n_msg && w.msg[w.n_msg - 1].kind == MSG_GRANT)) /* the fill is done, the snoop under way */
        w.now = memsys_head(w.m), memsys_step(w.m, &e);
    ask_at(&w, 2, REQ_GETS, LINE, w.now);
    uint64_t reads = count(&w, "dram.reads");
    for (unsigned i = 0; i < 100 && memsys_head(w.m) != TICK_NEVER; i++)
        memsys_step(w.m, &e);
    ck_assert_uint_eq(count(&w, "dram.reads"), reads); /* the holder has not answered */
    ck_assert_uint_eq(count(&w, "llc.mshr_merges"), 1);
    settle_down(&w);
    ck_assert_uint_eq(count(&w, "dram.reads"), reads + 1);
    ck_assert_uint_eq(count(&w, "dram.writes"), 1);
    ck_assert_uint_eq(directory(&w, LINE), dir_word(false, 2, 0));
    world_end(&w);
}
END_TEST

/* ---- orders ---- */

START_TEST(test_parked_order)
{
    struct world w;
    world_new(&w, 8, 4, 2, 4);
    later(&w);
    static const unsigned order[] = {3, 6, 1, 7, 0, 2};
    static const enum req_kind kind[] = {REQ_GETS, REQ_GETS, REQ_GETM, REQ_GETI, REQ_GETS, REQ_GETM};
    for (unsigned i = 0; i < ARRAY_LEN(order); i++)
        ask_at(&w, order[i], kind[i], LINE, w.now + i * 3 * PERIOD);
    settle_down(&w);
    /* Served in the order of arrival; each waits for the acks that the one before it has made necessary. */
    unsigned grants = 0;
    cyc_t last = 0;
    static const enum line_state state[] = {LINE_E, LINE_S, LINE_M, LINE_S, LINE_S, LINE_M};
    for (unsigned i = 0; i < w.n_msg; i++)
        if (w.msg[i].kind == MSG_GRANT) {
            ck_assert_uint_eq(w.msg[i].core, order[grants]);
            ck_assert_uint_eq(w.msg[i].state, state[grants]);
            ck_assert_uint_ge(w.msg[i].when, last);
            last = w.msg[i].when;
            grants++;
        }
    ck_assert_uint_eq(grants, ARRAY_LEN(order));
    ck_assert_uint_eq(count(&w, "dram.reads"), 1);
    ck_assert_uint_eq(count(&w, "llc.mshr_merges"), ARRAY_LEN(order) - 1);
    ck_assert_uint_eq(count(&w, "llc.accesses"), ARRAY_LEN(order)); /* looked up anew, counted once */
    ck_assert_uint_eq(directory(&w, LINE), dir_word(true, 2, 0)); /* core 1's write came down */
    world_end(&w);
}
END_TEST

START_TEST(test_stall_order) /* two transactions for memory at most */
{
    struct world w;
    world_new(&w, 8, 16, 2, 2);
    later(&w);
    for (unsigned i = 0; i < 8; i++)
        ask_at(&w, 7 - i, REQ_GETS, 100 + i, w.now + i * PERIOD);
    settle_down(&w);
    unsigned grants = 0;
    for (unsigned i = 0; i < w.n_msg; i++) {
        ck_assert_int_eq(w.msg[i].kind, MSG_GRANT);
        ck_assert_uint_eq(w.msg[i].line, 100 + grants);
        ck_assert_uint_eq(w.msg[i].core, 7 - grants);
        grants++;
    }
    ck_assert_uint_eq(grants, 8);
    ck_assert_uint_eq(count(&w, "llc.mshr_full"), 6);
    ck_assert_uint_eq(count(&w, "llc.misses"), 8);
    world_end(&w);
}
END_TEST

START_TEST(test_bus_order) /* arrivals of one tick: round robin from the last grantee; one FIFO a master */
{
    for (int arbiter = ARBITER_ROUND_ROBIN; arbiter <= ARBITER_FIXED_PRIORITY; arbiter++) {
        struct world w;
        world_new(&w, 4, 16, 4, 16);
        w.bus.arbiter = arbiter;
        ask(&w, 1, REQ_GETS, 50);
        later(&w);
        for (unsigned k = 0; k < 4; k++)
            for (unsigned i = 0; i < 2; i++)
                ask_at(&w, k, REQ_GETI, 50, w.now);
        static const unsigned want[2][8] = {{2, 3, 0, 1, 2, 3, 0, 1}, {0, 0, 1, 1, 2, 2, 3, 3}};
        w.hold = true;
        settle_down(&w);
        w.hold = false;
        settle_down(&w);
        unsigned grants = 0;
        for (unsigned i = 0; i < w.n_msg; i++)
            if (w.msg[i].kind == MSG_GRANT)
                ck_assert_uint_eq(w.msg[i].core, want[arbiter][grants++]);
        ck_assert_uint_eq(grants, 8);
        world_end(&w);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("memsys");
    TCase *t = tcase_create("memsys");
    tcase_set_timeout(t, 0);
    tcase_add_test(t, test_transitions);
    tcase_add_test(t, test_put_crosses_snoop);
    tcase_add_test(t, test_back_invalidation);
    tcase_add_test(t, test_request_of_victim);
    tcase_add_test(t, test_parked_order);
    tcase_add_test(t, test_stall_order);
    tcase_add_test(t, test_bus_order);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
