/*
 * The DRAM model against the closed forms of x86-hardware.md 4.4 and 10.12, and its policies one by one: queues,
 * drains, forwarding, caps, page policies, mappings, configuration errors.
 */
#include "engine/rng.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "unit/dram_rules.h"

#define MAXN 70000

struct bed {
    struct dram *d;
    struct dram_config cfg;
    struct cmd_log log;
    tick_t now, last;
    uint64_t done, order[MAXN];
    tick_t finish[MAXN];
};

static void on_done(void *ctx, uint64_t cookie, tick_t finish)
{
    struct bed *b = ctx;
    b->order[b->done++] = cookie;
    b->finish[cookie] = finish;
    if (finish > b->last)
        b->last = finish;
}

static struct bed *bed_new(void (*tune)(struct dram_config *))
{
    struct bed *b = calloc(1, sizeof *b);
    struct err err;
    dram_config_default(&b->cfg);
    b->cfg.controller_latency = 0;
    b->cfg.refresh = false;
    b->cfg.write_idle = 0;
    if (tune)
        tune(&b->cfg);
    ck_assert_msg(dram_new(&b->d, &b->cfg, &err) == 0, "%s", err.message);
    dram_set_trace(b->d, cmd_log_add, &b->log);
    return b;
}

static void bed_free(struct bed *b)
{
    dram_free(b->d);
    free(b->log.c);
    free(b);
}

static void run_to(struct bed *b, tick_t t)
{
    while (dram_next(b->d) <= t) {
        b->now = dram_next(b->d);
        dram_run(b->d, b->now, on_done, b);
    }
    b->now = t;
}

static void drain(struct bed *b)
{
    while (dram_next(b->d) != TICK_NEVER)
        run_to(b, dram_next(b->d));
}

/* Submits, waiting for room. */
static void put(struct bed *b, pa_t pa, bool write, uint64_t cookie)
{
    tick_t f = 0;
    while (!dram_can_accept(b->d, pa, write))
        run_to(b, dram_next(b->d));
    enum dram_admit a = dram_submit(b->d, b->now, pa, write, 0, cookie, &f);
    MUST(a != DRAM_FULL);
    if (a == DRAM_DONE)
        b->finish[cookie] = f;
}

/* RoBaRaCoCh, one channel, one rank; bank is flat, its group the low bits. */
static pa_t at(const struct bed *b, uint64_t row, unsigned bank, unsigned col)
{
    const struct dram_std *s = dram_std_get((enum dram_standard)b->cfg.standard);
    return (pa_t){ ((row * s->bank_groups * s->banks + bank) * s->row_lines + col) * LINE_BYTES };
}

static tick_t one_read(struct bed *b, uint64_t clk, pa_t pa)
{
    run_to(b, dram_clock_tick(b->d, clk));
    put(b, pa, false, b->done);
    uint64_t c = b->done;
    drain(b);
    return b->finish[c];
}

static int the_standard; /* of std_config; set by the loops below, the tests are forked */
static void std_config(struct dram_config *c) { c->standard = the_standard; }

START_TEST(latency_closed_forms)
{
    /* clocks of 4.4: hit, closed, conflict */
    static const unsigned want[DRAM_STD_COUNT][3] = {
        [DRAM_STD_ddr4_3200aa] = { 26, 48, 70 }, [DRAM_STD_ddr4_2400r] = { 20, 36, 52 },
        [DRAM_STD_ddr4_2400u] = { 21, 38, 55 }, [DRAM_STD_ddr5_4800] = { 48, 87, 126 },
    };
    for (the_standard = 0; the_standard < DRAM_STD_COUNT; the_standard++) {
        struct bed *b = bed_new(std_config);
        ck_assert_uint_eq(one_read(b, 0, at(b, 5, 3, 0)), dram_clock_tick(b->d, want[the_standard][1]));
        ck_assert_uint_eq(one_read(b, 1000, at(b, 5, 3, 1)), dram_clock_tick(b->d, 1000 + want[the_standard][0]));
        ck_assert_uint_eq(one_read(b, 2000, at(b, 6, 3, 1)), dram_clock_tick(b->d, 2000 + want[the_standard][2]));
        const struct dram_stats *s = dram_get_stats(b->d);
        ck_assert_uint_eq(s->row_misses, 1);
        ck_assert_uint_eq(s->row_hits, 1);
        ck_assert_uint_eq(s->row_conflicts, 1);
        bed_free(b);
    }
    struct bed *b = bed_new(NULL);
    ck_assert_uint_eq(one_read(b, 0, at(b, 0, 0, 0)), 30000);
    ck_assert_uint_eq(one_read(b, 1600, at(b, 0, 0, 0)), 1000000 + 16250);
    ck_assert_uint_eq(one_read(b, 3200, at(b, 1, 0, 0)), 2000000 + 43750);
    bed_free(b);
}
END_TEST

static void ten_ns(struct dram_config *c) { c->controller_latency = 10000; }

START_TEST(controller_latency_and_odd_ticks)
{
    struct bed *b = bed_new(ten_ns);
    ck_assert_uint_eq(one_read(b, 0, at(b, 0, 0, 0)), 40000);
    run_to(b, 1000001); /* between two edges: the next is 1000625 */
    put(b, at(b, 0, 0, 9), false, 1);
    ck_assert_uint_eq(dram_next(b->d), 1000625);
    drain(b);
    ck_assert_uint_eq(b->finish[1], 1000625 + 26250);
    bed_free(b);
}
END_TEST

START_TEST(same_bank_conflicts_take_trc)
{
    static const unsigned trc[DRAM_STD_COUNT] = { 74, 55, 56, 116 };
    for (the_standard = 0; the_standard < DRAM_STD_COUNT; the_standard++) {
        struct bed *b = bed_new(std_config); /* never the same row twice: exactly tRC a piece */
        for (unsigned i = 0; i < 200; i++)
            put(b, at(b, i, 4, 0), false, i);
        drain(b);
        for (unsigned i = 1; i < 200; i++) {
            tick_t t = dram_clock_tick(b->d, i * trc[the_standard] + dram_get_timing(b->d)->rcd +
                                                 dram_get_timing(b->d)->cl + dram_get_timing(b->d)->bl2);
            ck_assert_uint_eq(b->finish[i], t);
        }
        bed_free(b);
    }
}
END_TEST

START_TEST(row_hit_streams)
{
    for (the_standard = 0; the_standard < DRAM_STD_COUNT; the_standard++)
        for (unsigned groups = 1; groups <= 2; groups++) {
            struct bed *b = bed_new(std_config);
            const struct dram_timing *t = dram_get_timing(b->d);
            for (unsigned i = 0; i < 4000; i++)
                put(b, at(b, 9, i % groups, i / groups % 64), false, i);
            drain(b);
            unsigned per = groups == 1 ? t->ccd_l : t->ccd_s;
            for (unsigned i = 2; i < 4000; i++) {
                uint64_t k = (b->finish[i] - b->finish[i - 1]) * dram_std_get((enum dram_standard)the_standard)->mts;
                if (i > 100)
                    MUST((k + 1000000) / 2000000 == per);
            }
            bed_free(b);
        }
}
END_TEST

/* Random rows over 16 banks, deep queue: tFAW/4 = 8.5 clocks an access is the bound, and the scheduler is close. */
START_TEST(random_rows_meet_the_faw_bound)
{
    struct bed *b = bed_new(NULL);
    struct rng r;
    rng_init(&r, 3, "random rows");
    for (unsigned i = 0; i < MAXN; i++)
        put(b, at(b, rng_below(&r, 65536), (unsigned)rng_below(&r, 16), 0), false, i);
    drain(b);
    double clocks = (double)b->last / 625 / MAXN;
    ck_assert_msg(clocks >= 8.5 * 0.9999 && clocks < 8.5 * 1.06, "%.3f clocks an access", clocks);
    bed_free(b);
}
END_TEST

static void with_refresh(struct dram_config *c) { c->refresh = true; }

/*
 * Row hits alternating over two banks, saturated: each refresh costs at least tRFC and at most tRFC plus closing
 * (tRTP, tRP) and opening both banks again (tRCD, tRRD_L, a slot each): availability 0.9551 from above.
 */
START_TEST(refresh_availability)
{
    struct bed *b = bed_new(with_refresh);
    const struct dram_timing *t = dram_get_timing(b->d);
    for (unsigned i = 0; i < MAXN; i++)
        put(b, at(b, 9, i & 1, i / 2 % 128), false, i);
    drain(b);
    uint64_t n = dram_get_stats(b->d)->refreshes, clocks = b->last / 625;
    uint64_t without = (uint64_t)(MAXN - 1) * t->ccd_s + t->rcd + t->cl + t->bl2;
    ck_assert_uint_ge(n, clocks / t->refi - 1);
    ck_assert_uint_ge(clocks, without + n * t->rfc);
    ck_assert_uint_le(clocks, without + t->rrd_l + n * (t->rfc + t->rtp + t->rp + t->rcd + t->rrd_l + 2 * t->ccd_l));
    double avail = (double)without / (double)clocks;
    ck_assert_msg(avail < 0.9551 + 0.001 && avail > 0.9551 - 0.0065, "%.4f", avail);
    bed_free(b);
}
END_TEST

static uint64_t clock_of(const struct bed *b, enum dram_cmd_type type, unsigned nth)
{
    for (size_t i = 0; i < b->log.n; i++)
        if (b->log.c[i].type == type && nth-- == 0)
            return b->log.c[i].clock;
    ck_abort_msg("command not in the log");
    return 0;
}

START_TEST(turnarounds)
{
    struct bed *b = bed_new(NULL);
    one_read(b, 0, at(b, 1, 0, 0));
    run_to(b, 1000000);
    put(b, at(b, 1, 0, 1), true, 0);
    run_to(b, 1000000);
    put(b, at(b, 1, 0, 2), false, 10);
    drain(b);
    ck_assert_uint_eq(clock_of(b, DRAM_RD, 1) - clock_of(b, DRAM_WR, 0), 32);
    run_to(b, 2000000);
    put(b, at(b, 1, 0, 3), false, 11);
    put(b, at(b, 1, 0, 4), true, 0);
    drain(b);
    ck_assert_uint_eq(clock_of(b, DRAM_WR, 1) - clock_of(b, DRAM_RD, 2), 12);
    bed_free(b);
}
END_TEST

static void small_queues(struct dram_config *c)
{
    c->read_queue = 4;
    c->write_queue = 4;
    c->drain_high = 3;
    c->drain_low = 1;
    c->write_idle = 4;
}

START_TEST(queues_forward_merge_and_refuse)
{
    struct bed *b = bed_new(small_queues);
    tick_t f = 0;
    put(b, at(b, 1, 0, 0), true, 0);
    put(b, at(b, 1, 0, 0), true, 0);
    ck_assert_uint_eq(dram_pending(b->d, true), 1);
    ck_assert_uint_eq(dram_get_stats(b->d)->write_merges, 1);
    ck_assert_uint_eq(dram_next(b->d), TICK_NEVER); /* a lone write may stay */
    pa_t within = at(b, 1, 0, 0);
    within.v += 63;
    ck_assert_int_eq(dram_submit(b->d, 0, within, false, 3, 0, &f), DRAM_DONE);
    ck_assert_uint_eq(f, 625);
    ck_assert_uint_eq(dram_get_stats(b->d)->write_forwards, 1);
    for (unsigned i = 0; i < 4; i++)
        ck_assert_int_eq(dram_submit(b->d, 0, at(b, i, 1, 0), false, 0, i, &f), DRAM_QUEUED);
    ck_assert(!dram_can_accept(b->d, at(b, 9, 1, 0), false));
    ck_assert(dram_can_accept(b->d, at(b, 1, 0, 0), false)); /* would be forwarded */
    ck_assert_int_eq(dram_submit(b->d, 0, at(b, 9, 1, 0), false, 0, 9, &f), DRAM_FULL);
    ck_assert_uint_eq(dram_get_stats(b->d)->read_queue_full, 1);
    /* High mark: two more writes, and writes go before the reads; at the low mark reads go on. */
    put(b, at(b, 1, 0, 1), true, 0);
    put(b, at(b, 1, 0, 2), true, 0);
    ck_assert_uint_eq(dram_get_stats(b->d)->write_drains, 1);
    drain(b);
    ck_assert_uint_eq(dram_pending(b->d, true), 1);
    ck_assert_uint_eq(dram_pending(b->d, false), 0);
    ck_assert_uint_lt(clock_of(b, DRAM_WR, 1), clock_of(b, DRAM_RD, 0));
    bed_free(b);
}
END_TEST

static void eager_drain(struct dram_config *c)
{
    c->drain_high = 1;
    c->drain_low = 0;
}

START_TEST(a_write_waits_for_the_older_read_of_its_line)
{
    struct bed *b = bed_new(eager_drain);
    put(b, at(b, 1, 0, 0), false, 0);
    put(b, at(b, 1, 0, 0), true, 0); /* drains at once, but not before the read */
    drain(b);
    ck_assert_uint_lt(clock_of(b, DRAM_RD, 0), clock_of(b, DRAM_WR, 0));
    ck_assert_uint_eq(b->done, 1);
    bed_free(b);
}
END_TEST

/* Writes that come as fast as they go must not shut reads out for ever. */
START_TEST(reads_survive_a_flood_of_writes)
{
    struct bed *b = bed_new(NULL);
    for (unsigned i = 0; i < 26; i++)
        put(b, at(b, 1, i & 3, i), true, 0);
    put(b, at(b, 2, 8, 0), false, 0);
    unsigned n = 0;
    while (!b->done && n < 1000) {
        put(b, at(b, 1, n & 3, 26 + n % 100), true, 0);
        n++;
    }
    ck_assert_uint_lt(n, 100);
    drain(b);
    bed_free(b);
}
END_TEST

static void cap4(struct dram_config *c) { c->hit_cap = 4; }
static void cap0(struct dram_config *c) { c->hit_cap = 0; }
static void fcfs(struct dram_config *c) { c->scheduler = DRAM_FCFS; }
static void fcfs_bank(struct dram_config *c) { c->scheduler = DRAM_FCFS_BANK; }

static uint64_t place_in_order(const struct bed *b, uint64_t cookie)
{
    for (uint64_t i = 0; i < b->done; i++)
        if (b->order[i] == cookie)
            return i;
    return UINT64_MAX;
}

START_TEST(schedulers_and_hit_cap)
{
    static void (*const tunes[])(struct dram_config *) = { cap4, cap0, fcfs, fcfs_bank };
    static const uint64_t want[] = { 4, 19, 1, 1 };
    for (unsigned v = 0; v < 4; v++) {
        struct bed *b = bed_new(tunes[v]);
        put(b, at(b, 1, 0, 0), false, 0);
        put(b, at(b, 2, 0, 0), false, 1); /* another row of the bank: the victim */
        for (unsigned i = 2; i < 20; i++)
            put(b, at(b, 1, 0, i), false, i);
        put(b, at(b, 1, 5, 0), false, 20); /* another bank */
        drain(b);
        ck_assert_uint_eq(b->done, 21);
        uint64_t place = place_in_order(b, 1);
        /* The other bank's read may come in between. */
        ck_assert_msg(place == want[v] || place == want[v] + 1, "variant %u: served as number %lu", v,
                      (unsigned long)place);
        if (tunes[v] == fcfs)
            for (uint64_t i = 0; i < 21; i++)
                ck_assert_uint_eq(b->order[i], i);
        bed_free(b);
    }
}
END_TEST

static void two_ranks(struct dram_config *c)
{
    c->ranks = 2;
    c->age_cap = 500000;
}
static void two_ranks_no_cap(struct dram_config *c)
{
    c->ranks = 2;
    c->age_cap = 0;
}

/* Row hits of one rank, each tCCD_S, leave the other rank no gap of BL/2 + tCS; the age cap makes one. */
START_TEST(age_cap_ends_rank_starvation)
{
    for (int cap = 0; cap < 2; cap++) {
        struct bed *b = bed_new(cap ? two_ranks : two_ranks_no_cap);
        unsigned k = 1;
        /* RoBaRaCoCh: the rank is the bit above the column, then come group and bank. */
        for (; k < 60; k++)
            put(b, (pa_t){ ((k & 1 ? 2ull : 0ull) * 128 + k) * 64 }, false, k);
        put(b, (pa_t){ 1ull * 128 * 64 }, false, 0); /* rank 1 */
        for (; k < 4000 && place_in_order(b, 0) == UINT64_MAX; k++)
            put(b, (pa_t){ ((k & 1 ? 2ull : 0ull) * 128 + k % 128) * 64 }, false, k);
        if (cap)
            ck_assert_uint_lt(k, 1000);
        else
            ck_assert_uint_eq(k, 4000);
        drain(b);
        bed_free(b);
    }
}
END_TEST

static void closed(struct dram_config *c) { c->page_policy = DRAM_PAGE_CLOSED; }
static void timeout(struct dram_config *c)
{
    c->page_policy = DRAM_PAGE_TIMEOUT;
    c->page_timeout = 200000;
}

START_TEST(page_policies)
{
    struct bed *b = bed_new(closed);
    for (unsigned i = 0; i < 10; i++)
        ck_assert_uint_eq(one_read(b, 1600 * i, at(b, i & 1, 0, 0)), 1000000ull * i + 30000);
    ck_assert_uint_eq(dram_get_stats(b->d)->row_misses, 10);
    run_to(b, 20000000);
    put(b, at(b, 3, 0, 0), false, 20); /* queued together: one activation serves both */
    put(b, at(b, 3, 0, 1), false, 21);
    drain(b);
    ck_assert_uint_eq(dram_get_stats(b->d)->activates, 11);
    ck_assert_uint_eq(dram_get_stats(b->d)->row_hits, 1);
    bed_free(b);

    b = bed_new(timeout); /* RD at clock 22; the row closes at 22 + 320 */
    one_read(b, 0, at(b, 1, 0, 0));
    ck_assert_uint_eq(one_read(b, 342, at(b, 1, 0, 1)), (342 + 26) * 625); /* still open */
    ck_assert_uint_eq(one_read(b, 342 + 320 + 22, at(b, 1, 0, 2)), (342 + 320 + 22 + 48) * 625); /* closed, tRP over */
    ck_assert_uint_eq(dram_get_stats(b->d)->row_misses, 2);
    bed_free(b);
}
END_TEST

START_TEST(mappings)
{
    struct bed *b = bed_new(NULL);
    struct dram_place p = dram_locate(b->d, (pa_t){ 0x12345678 }); /* worked example of 4.5 */
    ck_assert_uint_eq(p.bank * 4 + p.group, 2);
    ck_assert_uint_eq(p.row, 0x91A);
    bed_free(b);
    /* Every aligned range gives each row it touches exactly its lines: nothing is hit twice, nothing is left out. */
    for (int m = DRAM_MAP_ROBARACOCH; m <= DRAM_MAP_ROBARACOBGCH; m++)
        for (unsigned v = 0; v < 12; v++) {
            struct dram_config c;
            struct dram *d;
            dram_config_default(&c);
            c.mapping = m;
            c.channels = 1 + v % 3;
            c.ranks = 1u << v % 2;
            c.bank_xor = v / 6 == 1;
            c.standard = v % 4 == 3 ? DRAM_STD_ddr5_4800 : 0;
            ck_assert_int_eq(dram_new(&d, &c, NULL), 0);
            unsigned lines = dram_std_get((enum dram_standard)c.standard)->row_lines;
            enum { ROWS = 4 };
            unsigned nb = 3 * 2 * 8 * 8, *count = calloc((size_t)nb * 4096, sizeof *count);
            uint64_t total = (uint64_t)c.channels * c.ranks * 32 * lines * ROWS;
            for (uint64_t i = 0; i < total; i++) {
                p = dram_locate(d, (pa_t){ i * 64 });
                MUST(p.channel < c.channels && p.rank < c.ranks && p.row < 4096);
                count[(((p.channel * 2 + p.rank) * 8 + p.group) * 8 + p.bank) * 4096ull + p.row]++;
            }
            uint64_t rows = 0;
            for (size_t i = 0; i < (size_t)nb * 4096; i++) {
                if (count[i] && count[i] != lines)
                    ck_abort_msg("mapping %d variant %u: %u lines", m, v, count[i]);
                rows += count[i] != 0;
            }
            ck_assert_uint_eq(rows * lines, total);
            free(count);
            dram_free(d);
        }
}
END_TEST

START_TEST(configuration_errors)
{
    struct dram_config good, c;
    struct dram *d;
    struct err err;
    dram_config_default(&good);
    ck_assert_uint_eq(good.controller_latency, 10000);
    ck_assert_uint_eq(good.ranks, 0); /* the machine chooses: the fewest that hold its memory */
    ck_assert_uint_eq(dram_ranks_for(&good, 4ull << 30), 1);
    ck_assert_uint_eq(dram_ranks_for(&good, 8ull << 30), 1);
    ck_assert_uint_eq(dram_ranks_for(&good, (8ull << 30) + 1), 2);
    ck_assert_uint_eq(dram_ranks_for(&good, 1ull << 40), 8);
    ck_assert_uint_eq(dram_capacity(&good), 64ull << 30);
    good.ranks = 1;
    ck_assert_uint_eq(dram_capacity(&good), 8ull << 30);
#define REFUSED(change) \
    do { \
        c = good; \
        memset(&err, 0, sizeof err); \
        change; \
        ck_assert_int_eq(dram_new(&d, &c, &err), -1); \
        ck_assert_int_eq(err.kind, ERR_USAGE); \
        ck_assert_ptr_null(d); \
    } while (0)
    REFUSED(c.ranks = 3);
    REFUSED(c.channels = 0);
    REFUSED(c.drain_low = c.drain_high);
    REFUSED(c.drain_high = c.write_queue + 1);
    REFUSED(c.override.rfc = 65535);
    REFUSED(c.override.refi = 100);
    REFUSED(c.override.rc = 3);
    REFUSED(c.standard = DRAM_STD_COUNT);
    REFUSED(c.mapping = 99);
    c = good;
    c.override.cl = 30;
    ck_assert_int_eq(dram_new(&d, &c, &err), 0);
    ck_assert_uint_eq(dram_get_timing(d)->cl, 30);
    ck_assert_uint_eq(dram_get_timing(d)->rcd, 22);
    dram_free(d);
    dram_free(NULL);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("dram");
    TCase *t = tcase_create("dram");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, latency_closed_forms);
    tcase_add_test(t, controller_latency_and_odd_ticks);
    tcase_add_test(t, same_bank_conflicts_take_trc);
    tcase_add_test(t, row_hit_streams);
    tcase_add_test(t, random_rows_meet_the_faw_bound);
    tcase_add_test(t, refresh_availability);
    tcase_add_test(t, turnarounds);
    tcase_add_test(t, queues_forward_merge_and_refuse);
    tcase_add_test(t, a_write_waits_for_the_older_read_of_its_line);
    tcase_add_test(t, reads_survive_a_flood_of_writes);
    tcase_add_test(t, schedulers_and_hit_cap);
    tcase_add_test(t, age_cap_ends_rank_starvation);
    tcase_add_test(t, page_policies);
    tcase_add_test(t, mappings);
    tcase_add_test(t, configuration_errors);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
