/* Bus, last-level cache and directory under random traffic, and the one rule that matters: who may write is alone. */
#include "memory/memsys_internal.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CORES = 8, PERIOD = 1000, OUT = 3, IN = 5 };

static uint64_t count(const struct stats *s, const char *name)
{
    uint64_t v;
    ck_assert_msg(stats_find(s, name, &v), "%s", name);
    return v;
}

enum { RANDOM_LINES = 24, OUTSTANDING = 4 };

struct mail { unsigned core; cyc_t when; enum core_msg_kind kind; uint64_t line, state, order; };
struct line_at { uint8_t state; bool asked, wants_write; };

struct crowd {
    struct memsys *m;
    struct rng rng;
    unsigned cores;
    struct line_at at[MAX_CORES][RANDOM_LINES];
    unsigned outstanding[MAX_CORES];
    cyc_t next[MAX_CORES]; /* when the core acts by itself */
    uint64_t left[MAX_CORES];
    struct mail *mail; /* unsorted */
    size_t n_mail, cap_mail;
    uint64_t orders, issued, puts, granted, acks;
};

static void crowd_deliver(void *self, unsigned core, cyc_t when, enum core_msg_kind kind, uint64_t a, uint64_t b)
{
    struct crowd *c = self;
    if (c->n_mail == c->cap_mail) {
        c->cap_mail = c->cap_mail ? 2 * c->cap_mail : 64;
        c->mail = realloc(c->mail, c->cap_mail * sizeof *c->mail);
    }
    if (kind == MSG_GRANT)
        req_put(memsys_requests(c->m), MSG_REQ(b));
    c->mail[c->n_mail++] = (struct mail){core, when, kind, a, MSG_STATE(b), c->orders++};
}

static void crowd_send(struct crowd *c, unsigned k, enum req_kind kind, uint64_t line, cyc_t now)
{
    struct req_pool *pool = memsys_requests(c->m);
    uint32_t r = req_get(pool);
    pool->req[r].line = line;
    pool->req[r].kind = (uint8_t)kind;
    pool->req[r].source = k;
    pool->req[r].origin = (uint8_t)rng_below(&c->rng, 3);
    struct port p = memsys_port(c->m);
    p.submit(p.self, r, (now + OUT) * PERIOD);
    c->issued += kind != REQ_PUTM;
    c->puts += kind == REQ_PUTM;
}

static void alone(const struct crowd *c, uint64_t line)
{
    unsigned holders = 0, owners = 0;
    for (unsigned k = 0; k < c->cores; k++) {
        holders += c->at[k][line].state != LINE_I;
        owners += c->at[k][line].state >= LINE_E;
    }
    if (owners > 1 || (owners && holders > 1))
        ck_abort_msg("line %d has %u owners and %u holders", (int)line, owners, holders);
}

static void crowd_mail(struct crowd *c, const struct mail *m)
{
    struct line_at *l = &c->at[m->core][m->line];
    if (m->kind == MSG_GRANT) {
        ck_assert(l->asked);
        ck_assert_uint_ne(m->state, LINE_I);
        l->asked = false;
        l->state = (uint8_t)m->state;
        c->outstanding[m->core]--;
        c->granted++;
        alone(c, m->line);
        if (l->wants_write && l->state >= LINE_E)
            l->state = LINE_M;
        return;
    }
    bool present = l->state != LINE_I, dirty = l->state == LINE_M;
    if (present)
        l->state = m->kind == MSG_INV ? LINE_I : LINE_S;
    cyc_t delay = rng_below(&c->rng, 3) ? 0 : rng_below(&c->rng, 60);
    memsys_ack(c->m, m->core, m->line, present, dirty, (m->when + OUT + delay) * PERIOD);
    c->acks++;
}

static void crowd_act(struct crowd *c, unsigned k, cyc_t now)
{
    uint64_t line = rng_below(&c->rng, RANDOM_LINES);
    struct line_at *l = &c->at[k][line];
    c->left[k]--;
    c->next[k] = c->left[k] ? now + 1 + rng_below(&c->rng, 12) : CYC_NEVER;
    if (l->asked)
        return;
    if (l->state >= LINE_E && rng_below(&c->rng, 3) == 0) {
        l->state = LINE_M; /* a write tells nobody */
    } else if (l->state != LINE_I && rng_below(&c->rng, 2)) { /* gives it up */
        if (l->state == LINE_M)
            crowd_send(c, k, REQ_PUTM, line, now);
        l->state = LINE_I;
    } else if (c->outstanding[k] < OUTSTANDING && l->state < LINE_E) {
        enum req_kind kind = l->state == LINE_S ? REQ_GETM : (enum req_kind)rng_below(&c->rng, 3);
        l->asked = true;
        l->wants_write = kind == REQ_GETM || rng_below(&c->rng, 4) == 0;
        c->outstanding[k]++;
        crowd_send(c, k, kind, line, now);
    }
}

START_TEST(test_crowd)
{
    struct crowd c = {.cores = (unsigned)_i};
    struct err err = {0};
    struct caches_config cache = {0};
    struct bus_config bus;
    struct dram_config dram;
    struct stats *stats;
    rng_init(&c.rng, (uint64_t)_i, "crowd");
    cache.llc = (struct cache_config){true, 0, 2, 1 + (uint32_t)_i, 1 + (uint32_t)_i % 4, (int)rng_below(&c.rng, REPL_COUNT)};
    cache.llc.size_bytes = 8 * 2 * LINE_BYTES; /* 16 lines for 24: it gives up held ones */
    cache.llc_inclusive = cache.coherence = cache.write_back = true;
    bus = (struct bus_config){OUT, IN, 1 + (uint32_t)_i % 3, _i % 2};
    dram_config_default(&dram);
    struct memsys_config mc = {.cache = &cache, .bus = &bus, .dram = &dram, .cores = c.cores, .period = PERIOD, .seed = 1,
                               .timed = true, .ops = {.self = &c, .deliver = crowd_deliver}};
    ck_assert_msg(memsys_new(&c.m, &mc, &err) == 0, "%s", err.message);
    ck_assert_int_eq(stats_new(&stats, &err), 0);
    memsys_add_stats(c.m, stats);
    stats_freeze(stats);
    for (unsigned k = 0; k < c.cores; k++)
        c.left[k] = 6000;
    for (;;) {
        struct event e;
        tick_t head = memsys_head(c.m);
        size_t first = SIZE_MAX;
        for (size_t i = 0; i < c.n_mail; i++)
            if (first == SIZE_MAX || c.mail[i].when < c.mail[first].when ||
                (c.mail[i].when == c.mail[first].when && c.mail[i].order < c.mail[first].order))
                first = i;
        unsigned actor = 0;
        for (unsigned k = 1; k < c.cores; k++)
            if (c.next[k] < c.next[actor])
                actor = k;
        cyc_t mail = first == SIZE_MAX ? CYC_NEVER : c.mail[first].when, act = c.next[actor];
        cyc_t cores = mail <= act ? mail : act;
        if (cores == CYC_NEVER && head == TICK_NEVER)
            break;
        if (cores != CYC_NEVER && cores * PERIOD <= head) {
            if (mail <= act) {
                struct mail m = c.mail[first];
                c.mail[first] = c.mail[--c.n_mail];
                crowd_mail(&c, &m);
            } else {
                crowd_act(&c, actor, act);
            }
        } else {
            memsys_step(c.m, &e);
        }
    }
    ck_assert(memsys_idle(c.m)); /* all that was asked for was granted */
    ck_assert_uint_eq(c.granted, c.issued);
    ck_assert_uint_eq(memsys_requests(c.m)->live, 0);
    ck_assert_uint_eq(count(stats, "llc.accesses"), c.issued);
    ck_assert_uint_eq(count(stats, "llc.hits") + count(stats, "llc.misses"), c.issued);
    ck_assert_uint_eq(count(stats, "llc.writebacks_in"), c.puts);
    ck_assert_uint_eq(count(stats, "llc.snoops") + count(stats, "llc.back_invalidations"), c.acks);
    ck_assert_uint_eq(count(stats, "dram.writes"), count(stats, "llc.writebacks"));
    uint64_t grants = 0;
    for (unsigned k = 0; k < c.cores; k++) {
        char name[32];
        snprintf(name, sizeof name, "bus.cpu%u.grants", k);
        grants += count(stats, name);
        ck_assert_uint_eq(c.outstanding[k], 0);
        for (uint64_t line = 0; line < RANDOM_LINES; line++)
            ck_assert(c.at[k][line].state == LINE_I || memsys_holds(c.m, k, line, (enum line_state)c.at[k][line].state));
    }
    ck_assert_uint_eq(grants, c.issued + c.puts);
    ck_assert_uint_gt(count(stats, "llc.back_invalidations"), 0);
    ck_assert_uint_gt(count(stats, "llc.snoops"), 0);
    stats_free(stats);
    memsys_free(c.m);
    free(c.mail);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("memsys crowd");
    TCase *t = tcase_create("memsys crowd");
    tcase_set_timeout(t, 0);
    tcase_add_loop_test(t, test_crowd, 2, MAX_CORES + 1);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
