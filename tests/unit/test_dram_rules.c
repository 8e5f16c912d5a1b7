/*
 * The DRAM model under random streams: every command log obeys table 4.3 by the naive checker, waits are tight, every
 * request completes once, and extra calls change nothing. Seeds are fixed and printed on failure.
 */
#include "engine/rng.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "unit/dram_rules.h"

struct stream {
    unsigned write_pct, rows, lines; /* working set: rows of each bank, lines of each row */
    uint64_t gap;                    /* mean ps between arrivals; 0: as fast as accepted */
    uint64_t pause;                  /* now and then nothing for up to this long */
};

struct outcome {
    struct cmd_log log;
    tick_t *finish; /* by cookie */
    uint64_t n, hash;
    unsigned dup;
    uint64_t late; /* bursts told with a finish before the present */
    tick_t now;
    struct dram_stats st;
};

static void on_done(void *ctx, uint64_t cookie, tick_t finish)
{
    struct outcome *o = ctx;
    o->dup += o->finish[cookie] != 0;
    o->late += finish <= o->now;
    o->finish[cookie] = finish;
}

/* Runs the DRAM up to `t`, with made-up calls in between when `extra`. */
static void advance(struct dram *d, tick_t t, struct outcome *o, struct rng *extra)
{
    while (dram_next(d) <= t) {
        tick_t n = dram_next(d);
        if (extra && n > o->now && rng_below(extra, 2))
            dram_run(d, o->now + rng_below(extra, n - o->now), on_done, o);
        if (extra && rng_below(extra, 8) == 0)
            dram_settle(d, n);
        o->now = n;
        dram_run(d, n, on_done, o);
    }
    if (extra && t > o->now && t < TICK_NEVER - 1) {
        dram_run(d, o->now + rng_below(extra, t - o->now), on_done, o);
        dram_settle(d, o->now + rng_below(extra, t - o->now));
    }
}

static void run_stream(const struct dram_config *cfg, const struct stream *s, uint64_t n, uint64_t seed, bool extra,
                       struct outcome *o, struct rule_set *rules)
{
    struct err err;
    struct dram *d;
    struct rng r, x;
    memset(o, 0, sizeof *o);
    o->n = n;
    o->finish = calloc(n, sizeof *o->finish);
    ck_assert_msg(dram_new(&d, cfg, &err) == 0, "%s", err.message);
    dram_set_trace(d, cmd_log_add, &o->log);
    rng_init(&r, seed, "stream");
    rng_init(&x, seed, "extra");
    uint64_t bytes = dram_capacity(cfg);
    tick_t at = 0;
    for (uint64_t i = 0; i < n; i++) {
        /* A line anywhere; for the plain mapping few rows and columns, so that banks see hits and conflicts. */
        pa_t pa = { 0 };
        pa.v = rng_next(&r) % bytes;
        if (cfg->mapping == DRAM_MAP_ROBARACOCH && cfg->channels == 1) {
            const struct dram_std *std = dram_std_get((enum dram_standard)cfg->standard);
            uint64_t row_bytes = (uint64_t)std->row_lines * LINE_BYTES;
            uint64_t banks = (uint64_t)std->bank_groups * std->banks * cfg->ranks;
            pa.v = (rng_below(&r, s->rows) * banks + rng_below(&r, banks)) * row_bytes;
            pa.v += rng_below(&r, s->lines) * LINE_BYTES;
        }
        bool write = rng_below(&r, 100) < s->write_pct;
        at += s->gap ? rng_below(&r, 2 * s->gap) : 0;
        if (s->pause && rng_below(&r, 300) == 0)
            at += rng_below(&r, s->pause);
        if (at < o->now)
            at = o->now;
        for (;;) {
            if (at > 0)
                advance(d, at - 1, o, extra ? &x : NULL);
            MUST(dram_next(d) >= at);
            if (at > o->now)
                o->now = at;
            bool can = dram_can_accept(d, pa, write);
            tick_t fin = 0;
            enum dram_admit got = dram_submit(d, at, pa, write, write ? 7 : 0, i, &fin);
            MUST(can == (got != DRAM_FULL));
            if (got == DRAM_DONE)
                o->finish[i] = fin;
            if (got == DRAM_QUEUED && write)
                o->finish[i] = 1;
            if (got != DRAM_FULL)
                break;
            MUST(dram_next(d) != TICK_NEVER);
            at = dram_next(d) + 1;
        }
    }
    advance(d, TICK_NEVER - 1, o, extra ? &x : NULL);
    dram_settle(d, o->now + 20000000);
    ck_assert_uint_eq(dram_pending(d, false), 0);
    ck_assert_uint_le(dram_pending(d, true), cfg->write_idle * cfg->channels);
    o->st = *dram_get_stats(d);
    const struct dram_stats *st = &o->st;
    ck_assert_uint_eq(st->reads + st->writes, n);
    ck_assert_uint_eq(st->reads, st->read_bursts + st->write_forwards);
    ck_assert_uint_eq(st->writes, st->write_bursts + st->write_merges + dram_pending(d, true));
    ck_assert_uint_ge(st->row_hits + st->row_misses + st->row_conflicts, st->read_bursts + st->write_bursts);
    ck_assert_uint_le(st->row_hits + st->row_misses + st->row_conflicts,
                      st->read_bursts + st->write_bursts + dram_pending(d, true));
    ck_assert_uint_eq(dram_get_origin(d, 0)->reads + dram_get_origin(d, 7)->writes, n);
    ck_assert_uint_eq(dram_latency_hist(d)->sum, st->read_latency);
    ck_assert_uint_eq(o->dup, 0);
    ck_assert_uint_eq(o->late, 0);
    for (uint64_t i = 0; i < n; i++)
        if (!o->finish[i])
            ck_abort_msg("request %lu of seed %lu never finished", (unsigned long)i, (unsigned long)seed);

    char why[200] = "";
    struct rule_set local;
    if (!rules) {
        rules = &local;
        rules_fill(rules, dram_get_timing(d));
    }
    unsigned bad = rules_check(rules, &o->log, cfg, dram_get_timing(d), why, sizeof why);
    ck_assert_msg(bad == 0, "%u violations, standard %d scheduler %d page %d mapping %d ranks %u seed %lu: %s", bad,
                  cfg->standard, cfg->scheduler, cfg->page_policy, cfg->mapping, cfg->ranks, (unsigned long)seed, why);
    dram_free(d);
}

static void outcome_free(struct outcome *o)
{
    free(o->log.c);
    free(o->finish);
}

static const struct stream streams[] = {
    { 30, 3, 8, 0, 0 }, { 50, 60000, 16, 0, 0 }, { 0, 4, 4, 0, 0 }, { 90, 2, 128, 2000, 3000000 },
    { 40, 4, 2, 6000, 60000000 }, { 10, 2, 16, 40000, 400000 },
};

START_TEST(rules_hold_everywhere)
{
    for (int std = 0; std < DRAM_STD_COUNT; std++)
        for (unsigned v = 0; v < 24; v++) {
            struct dram_config c;
            dram_config_default(&c);
            c.standard = std;
            c.scheduler = (int)(v % 3);
            c.page_policy = (int)(v / 3 % 3);
            c.ranks = 1u << (v % 4 == 3 ? 2 : v % 2);
            c.mapping = v < 12 ? DRAM_MAP_ROBARACOCH : (int)(v % 6);
            c.channels = v < 12 ? 1 : 1 + v % 3;
            c.bank_xor = v % 5 == 0;
            c.hit_cap = v % 4 ? 4 * (v % 4) : 0;
            c.write_idle = v % 2 * 8;
            c.age_cap = v % 3 ? 300000 : 2000000;
            const struct stream *s = &streams[v % ARRAY_LEN(streams)];
            struct outcome a, b;
            run_stream(&c, s, 1500, 100 + v, false, &a, NULL);
            run_stream(&c, s, 1500, 100 + v, true, &b, NULL);
            /* Extra calls change nothing: same commands, same finish of every read. */
            ck_assert_uint_eq(a.log.n, b.log.n);
            for (size_t i = 0; i < a.log.n; i++)
                if (cmd_order(&a.log.c[i], &b.log.c[i]))
                    ck_abort_msg("command %zu differs, variant %u", i, v);
            ck_assert(memcmp(a.finish, b.finish, a.n * sizeof *a.finish) == 0);
            ck_assert(memcmp(&a.st, &b.st, sizeof a.st) == 0);
            outcome_free(&a);
            outcome_free(&b);
        }
}
END_TEST

/* Without a log refreshes of idle times are skipped arithmetically; counts and finishes must be the same. */
START_TEST(skipping_equals_stepping)
{
    for (unsigned v = 0; v < 6; v++) {
        struct dram_config c;
        dram_config_default(&c);
        c.ranks = 1 + v % 2;
        c.page_policy = (int)(v % 3);
        struct dram *d[2];
        struct cmd_log log = { 0 };
        struct outcome o[2] = { 0 };
        struct rng r;
        rng_init(&r, v, "skip");
        for (int i = 0; i < 2; i++) {
            ck_assert_int_eq(dram_new(&d[i], &c, NULL), 0);
            o[i].finish = calloc(4000, sizeof(tick_t));
        }
        dram_set_trace(d[1], cmd_log_add, &log);
        tick_t at = 0;
        for (uint64_t k = 0; k < 4000; k++) {
            at += rng_below(&r, k % 50 ? 30000 : 200000000);
            pa_t pa = { rng_below(&r, 1 << 20) * 64 };
            for (int i = 0; i < 2; i++) {
                advance(d[i], at - 1, &o[i], NULL);
                dram_submit(d[i], at, pa, k % 3 == 0, 0, k, &o[i].finish[k]);
            }
        }
        for (int i = 0; i < 2; i++) {
            advance(d[i], TICK_NEVER - 1, &o[i], NULL);
            dram_settle(d[i], at + 1000000000);
        }
        ck_assert(memcmp(dram_get_stats(d[0]), dram_get_stats(d[1]), sizeof(struct dram_stats)) == 0);
        ck_assert(memcmp(o[0].finish, o[1].finish, 4000 * sizeof(tick_t)) == 0);
        /* One refresh per rank and tREFI, but for the ones under way at the end. */
        uint64_t due = dram_get_stats(d[0])->refreshes / c.ranks, want = (at + 1000000000) / 7800000;
        ck_assert_uint_ge(due + 1, want);
        ck_assert_uint_le(due, want + 1);
        for (int i = 0; i < 2; i++) {
            dram_free(d[i]);
            free(o[i].finish);
        }
        free(log.c);
    }
}
END_TEST

/* t - 1 never happens (the checker) and t does: for each rule the smallest distance seen is the minimum. */
START_TEST(waits_are_tight)
{
    for (int std = 0; std < DRAM_STD_COUNT; std++) {
        struct rule_set rules;
        struct dram_config c;
        struct dram *d;
        dram_config_default(&c);
        c.standard = std;
        c.ranks = 2;
        c.write_idle = 0;
        ck_assert_int_eq(dram_new(&d, &c, NULL), 0);
        rules_fill(&rules, dram_get_timing(d));
        dram_free(d);
        for (unsigned v = 0; v < 12; v++) {
            c.page_policy = v % 2 ? DRAM_PAGE_CLOSED : DRAM_PAGE_OPEN;
            c.drain_high = v % 4 ? 26 : 2;
            c.drain_low = v % 4 ? 6 : 0;
            struct outcome o;
            run_stream(&c, &streams[v % ARRAY_LEN(streams)], 5000, v, false, &o, &rules);
            outcome_free(&o);
        }
        for (unsigned i = 0; i < rules.n; i++) {
            const struct rule *r = &rules.r[i];
            /* Two commands cannot share a clock; REF after auto-precharge is rare enough to be late by other rules. */
            bool rare = !strcmp(r->name, "RDA-REF") || !strcmp(r->name, "WRA-REF") || !strcmp(r->name, "ACT-REF");
            int64_t min = r->min < 1 ? 1 : r->min;
            ck_assert_msg(rare || r->tightest == min, "%s %s: tightest %ld, minimum %ld", dram_std_names[std], r->name,
                          (long)r->tightest, (long)min);
        }
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("dram_rules");
    TCase *t = tcase_create("random streams");
    tcase_set_timeout(t, 300);
    tcase_add_test(t, rules_hold_everywhere);
    tcase_add_test(t, skipping_equals_stepping);
    tcase_add_test(t, waits_are_tight);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
