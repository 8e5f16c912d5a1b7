/* Building, queues and reporting of the DRAM model; scheduling is in dram_sched.c. */
#include "memory/dram_priv.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static bool pow2(uint32_t v) { return v && !(v & (v - 1)); }

static int check_config(const struct dram_config *c, struct err *err)
{
    if (c->standard < 0 || c->standard >= DRAM_STD_COUNT)
        return err_set(err, ERR_USAGE, "dram.standard: no standard number %d", c->standard);
    if (c->scheduler < 0 || c->scheduler > DRAM_FCFS_BANK || c->page_policy < 0 || c->page_policy > DRAM_PAGE_TIMEOUT)
        return err_set(err, ERR_USAGE, "dram.scheduler or dram.page_policy: no such number");
    if (!c->channels || c->channels > 64)
        return err_set(err, ERR_USAGE, "dram.channels is %u, must be 1 to 64", c->channels);
    if (!pow2(c->ranks) || c->ranks > MAX_RANKS)
        return err_set(err, ERR_USAGE, "dram.ranks is %u, must be 1, 2, 4 or 8", c->ranks);
    if (!c->read_queue || !c->write_queue || c->read_queue > 1024 || c->write_queue > 1024)
        return err_set(err, ERR_USAGE, "dram.read_queue and dram.write_queue must be 1 to 1024");
    if (c->drain_high > c->write_queue || c->drain_low >= c->drain_high) {
        err_set(err, ERR_USAGE, "dram.drain_low %u, dram.drain_high %u and dram.write_queue %u do not fit together",
                c->drain_low, c->drain_high, c->write_queue);
        return err_remedy(err, "choose drain_low < drain_high <= write_queue");
    }
    return 0;
}

static int set_timing(struct dram *d, struct err *err)
{
    struct dram_timing *t = &d->t;
    *t = d->std->t;
#define OVERRIDE(field, key, help) \
    if (d->cfg.override.field) \
        t->field = d->cfg.override.field;
    DRAM_TIMINGS(OVERRIDE)
#undef OVERRIDE
    /* Plans keep waits in 16 bits; the longest is a refresh, or a write, with a precharge and an activation after. */
    uint64_t longest = (uint64_t)t->rfc + t->rp + t->rcd + t->rc + t->faw + t->ras + t->cwl + t->bl2 + t->wr +
                       t->wtr_s + t->wtr_l + t->cl + t->rtw_gap + t->cs + t->ccd_l + t->ccd_l_wr + t->rrd_l;
    if (longest > 30000)
        return err_set(err, ERR_USAGE, "dram: the timings add up to %llu clocks, at most 30000 can be simulated",
                       (unsigned long long)longest);
    /* A rank must get something done between refreshes, and staggered refreshes must not meet on the command bus. */
    if (d->cfg.refresh && (t->refi <= longest || t->refi / d->cfg.ranks <= longest - t->rfc)) {
        err_set(err, ERR_USAGE, "dram.trefi of %u clocks over %u ranks leaves no time between refreshes", t->refi,
                d->cfg.ranks);
        return err_remedy(err, "raise dram.trefi or lower dram.trfc");
    }
    if (t->rc < t->ras || t->cl + t->bl2 + t->rtw_gap < t->cwl || t->ccd_s < t->bl2) {
        err_set(err, ERR_USAGE, "dram: contradictory timings");
        return err_remedy(err, "keep trc >= tras, tccd_s >= tbl, tcl + tbl + trtw_gap >= tcwl");
    }
    d->rd_wr = t->cl + t->bl2 + t->rtw_gap - t->cwl;
    d->rd_wr_other = t->cl + t->bl2 + t->cs > t->cwl ? t->cl + t->bl2 + t->cs - t->cwl : 0;
    d->rd_rd_other = t->bl2 + t->cs;
    d->wr_rd_s = t->cwl + t->bl2 + t->wtr_s;
    d->wr_rd_l = t->cwl + t->bl2 + t->wtr_l;
    d->wr_rd_other = t->cwl + t->bl2 + t->cs > t->cl ? t->cwl + t->bl2 + t->cs - t->cl : 0;
    d->wr_wr_other = t->bl2;
    d->wr_pre = t->cwl + t->bl2 + t->wr;
    d->rd_data = t->cl + t->bl2;
    return 0;
}

static uint64_t gcd(uint64_t a, uint64_t b) { return b ? gcd(b, a % b) : a; }

static uint64_t clocks_of(const struct dram *d, uint64_t ps) { return (ps * d->clk_den + d->clk_num - 1) / d->clk_num; }

static void init_chan(struct dram *d, struct chan *c, unsigned index)
{
    c->next = TICK_NEVER;
    c->plan = PLAN_NONE;
    c->plan_clk = CLK_NEVER;
    c->aged_rank = -1;
    c->index = index;
    c->mode = DIR_IDLE;
    for (unsigned b = 0; b < d->nbanks; b++) {
        struct bank *k = &c->bank[b];
        unsigned flat = b % d->rank_banks;
        k->open_row = ROW_NONE;
        k->rank = (uint8_t)(b / d->rank_banks);
        k->group = (uint8_t)(k->rank * d->std->bank_groups + (flat & (d->std->bank_groups - 1)));
        for (unsigned dir = 0; dir < DIRS; dir++)
            k->head[dir] = k->tail[dir] = k->hit[dir] = REQ_NONE;
    }
    unsigned from = 0, n[DIRS] = { d->cfg.read_queue, d->cfg.write_queue };
    for (unsigned dir = 0; dir < DIRS; dir++) {
        c->ahead[dir] = c->atail[dir] = REQ_NONE;
        c->free_head[dir] = (uint16_t)from;
        for (unsigned i = from; i < from + n[dir]; i++)
            c->req[i].anext = i + 1 < from + n[dir] ? (uint16_t)(i + 1) : REQ_NONE;
        from += n[dir];
    }
    c->ref_next = CLK_NEVER;
    for (unsigned r = 0; r < d->cfg.ranks; r++) {
        c->rank[r].ref_due = d->cfg.refresh ? (uint64_t)d->t.refi * (r + 1) / d->cfg.ranks : CLK_NEVER;
        if (c->rank[r].ref_due < c->ref_next)
            c->ref_next = c->rank[r].ref_due;
    }
}

int dram_new(struct dram **out, const struct dram_config *cfg, struct err *err)
{
    struct dram_config with_ranks = *cfg;
    *out = NULL;
    if (!cfg->ranks)
        with_ranks.ranks = 1;
    cfg = &with_ranks;
    if (check_config(cfg, err))
        return -1;
    struct dram *d = calloc(1, sizeof *d);
    if (!d)
        return err_set(err, ERR_RUN, "out of memory for the DRAM model");
    d->cfg = *cfg;
    d->std = dram_std_get((enum dram_standard)cfg->standard);
    uint64_t g = gcd(2000000, d->std->mts);
    d->clk_num = 2000000 / g;
    d->clk_den = d->std->mts / g;
    d->rank_banks = d->std->bank_groups * d->std->banks;
    d->nbanks = d->rank_banks * cfg->ranks;
    d->words = (d->nbanks + 63) / 64;
    assert(d->nbanks <= MAX_BANKS);
    if (set_timing(d, err) || dram_map_init(&d->map, cfg, d->std, err)) {
        dram_free(d);
        return -1;
    }
    d->burst_ps = d->t.bl2 * d->clk_num / d->clk_den;
    d->burst_rem = d->t.bl2 * d->clk_num % d->clk_den;
    d->age_clk = cfg->age_cap ? clocks_of(d, cfg->age_cap) : CLK_NEVER;
    d->timeout_clk = clocks_of(d, cfg->page_timeout);
    d->nchan = cfg->channels;
    d->next = TICK_NEVER;

    d->ngroups = d->std->bank_groups * cfg->ranks;
    unsigned nreq = cfg->read_queue + cfg->write_queue;
    size_t bank = sizeof(struct bank) * d->nbanks, cand = sizeof(struct cand) * d->nbanks;
    size_t gate = sizeof(uint64_t) * C_KINDS * d->ngroups, req = sizeof(struct dreq) * nreq;
    size_t each = (bank + DIRS * cand + gate + req + 63) / 64 * 64;
    d->chan = calloc(d->nchan, sizeof *d->chan);
    d->arena = calloc(d->nchan, each);
    if (!d->chan || !d->arena) {
        dram_free(d);
        return err_set(err, ERR_RUN, "out of memory for the DRAM model");
    }
    for (unsigned i = 0; i < d->nchan; i++) {
        struct chan *c = &d->chan[i];
        char *at = (char *)d->arena + i * each;
        c->bank = (struct bank *)(void *)at;
        c->cand[DIR_RD] = (struct cand *)(void *)(at + bank);
        c->cand[DIR_WR] = (struct cand *)(void *)(at + bank + cand);
        c->gate = (uint64_t *)(void *)(at + bank + DIRS * cand);
        c->req = (struct dreq *)(void *)(at + bank + DIRS * cand + gate);
        init_chan(d, c, i);
    }
    *out = d;
    return 0;
}

void dram_free(struct dram *d)
{
    if (!d)
        return;
    free(d->chan);
    free(d->arena);
    free(d);
}

/* The queued request for `line`, which lies in bank `k`. */
static uint16_t find_line(const struct chan *c, const struct bank *k, unsigned dir, uint64_t line)
{
    if (likely(!c->filter[dir][line_hash(line)]))
        return REQ_NONE;
    uint16_t from = k->head[dir];
    while (from != REQ_NONE && c->req[from].line != line)
        from = c->req[from].bnext;
    return from;
}

static void enqueue(struct chan *c, unsigned dir, uint16_t r)
{
    struct dreq *q = &c->req[r];
    struct bank *k = &c->bank[q->bank];
    q->seq = ++c->seq;
    q->bnext = q->anext = REQ_NONE;
    q->bprev = k->tail[dir];
    *(q->bprev == REQ_NONE ? &k->head[dir] : &c->req[q->bprev].bnext) = r;
    k->tail[dir] = r;
    q->aprev = c->atail[dir];
    *(q->aprev == REQ_NONE ? &c->ahead[dir] : &c->req[q->aprev].anext) = r;
    c->atail[dir] = r;
    if (k->hit[dir] == REQ_NONE && k->open_row == q->row)
        k->hit[dir] = r;
    c->n[dir]++;
    c->filter[dir][line_hash(q->line)]++;
}

enum dram_admit dram_submit(struct dram *d, tick_t now, pa_t pa, bool write, unsigned origin, uint64_t cookie,
                            tick_t *finish)
{
    uint64_t line = pa.v >> LINE_SHIFT;
    struct map_place at = dram_map(&d->map, line);
    struct chan *c = &d->chan[at.channel];
    struct bank *k = &c->bank[at.bank];
    unsigned dir = write;
    assert(now <= c->next); /* the driver calls dram_run when it is due */
    origin = origin < DRAM_ORIGINS ? origin : DRAM_ORIGINS - 1;

    uint16_t queued = find_line(c, k, DIR_WR, line);
    uint16_t r = c->free_head[dir];
    if (queued == REQ_NONE && r == REQ_NONE) {
        *(write ? &d->st.write_queue_full : &d->st.read_queue_full) += 1;
        return DRAM_FULL;
    }
    if (write) {
        d->st.writes++;
        d->origin[origin].writes++;
        if (queued != REQ_NONE) {
            d->st.write_merges++;
            return DRAM_QUEUED;
        }
    } else {
        d->st.reads++;
        d->origin[origin].reads++;
        if (queued != REQ_NONE) { /* one clock to look it up (DRAMsim3), no data bus */
            d->st.write_forwards++;
            *finish = clk_tick(d, tick_clk(d, now) + 1) + d->cfg.controller_latency;
            d->st.read_latency += *finish - now;
            d->origin[origin].read_latency += *finish - now;
            stat_hist_add(&d->latency, *finish - now);
            return DRAM_DONE;
        }
    }

    uint64_t clk = tick_clk(d, now);
    unsigned mode_before = c->mode;
    if (mode_before == DIR_IDLE)
        dram_catch_up(d, c, clk);
    dram_timeout_close(d, c, at.bank, clk);
    struct dreq *q = &c->req[r];
    c->free_head[dir] = q->anext;
    q->line = line;
    q->row = at.row;
    q->cookie = cookie;
    q->when = now;
    q->clk = clk;
    q->bank = (uint16_t)at.bank;
    q->origin = (uint8_t)origin;
    q->write = write;
    q->started = false;
    q->after_read = write && find_line(c, k, DIR_RD, line) != REQ_NONE;
    enqueue(c, dir, r);
    dram_recand(d, c, at.bank, dir);
    dram_update_mode(d, c);
    dram_plan_arrival(d, c, clk, at.bank, dir, mode_before);
    if (c->next < d->next || d->nchan == 1) {
        d->next = c->next;
    } else { /* the plan can move to a later tick too: a row hit that arrives makes a precharge needless */
        tick_t next = TICK_NEVER;
        for (unsigned i = 0; i < d->nchan; i++)
            next = d->chan[i].next < next ? d->chan[i].next : next;
        d->next = next;
    }
    return DRAM_QUEUED;
}

bool dram_can_accept(const struct dram *d, pa_t pa, bool write)
{
    uint64_t line = pa.v >> LINE_SHIFT;
    struct map_place at = dram_map(&d->map, line);
    const struct chan *c = &d->chan[at.channel];
    return c->free_head[write] != REQ_NONE || find_line(c, &c->bank[at.bank], DIR_WR, line) != REQ_NONE;
}

tick_t dram_next(const struct dram *d) { return d->next; }

void dram_settle(struct dram *d, tick_t now)
{
    for (struct chan *c = d->chan; c < d->chan + d->nchan; c++)
        if (c->mode == DIR_IDLE)
            dram_catch_up(d, c, tick_clk(d, now));
}

unsigned dram_pending(const struct dram *d, bool write)
{
    unsigned n = 0;
    for (const struct chan *c = d->chan; c < d->chan + d->nchan; c++)
        n += c->n[write];
    return n;
}

const struct dram_stats *dram_get_stats(const struct dram *d) { return &d->st; }
const struct stat_hist *dram_latency_hist(const struct dram *d) { return &d->latency; }
const struct dram_timing *dram_get_timing(const struct dram *d) { return &d->t; }
tick_t dram_clock_tick(const struct dram *d, uint64_t clock) { return clk_tick(d, clock); }

const struct dram_origin_stats *dram_get_origin(const struct dram *d, unsigned origin)
{
    return &d->origin[origin < DRAM_ORIGINS ? origin : DRAM_ORIGINS - 1];
}

void dram_register_stats(const struct dram *d, struct stats *s, const char *path)
{
#define ENTRY(name, unit, help) STAT_ENTRY(struct dram_stats, name, unit, help)
    static const struct stat_desc descs[] = { DRAM_STATS(ENTRY) };
#undef ENTRY
    stats_add(s, path, &d->st, descs, ARRAY_LEN(descs));
    stats_add_hist(s, path, "read_latency_hist", &d->latency, "ps", "acceptance to last beat of reads");
}

void dram_set_trace(struct dram *d, dram_trace_fn *fn, void *ctx)
{
    d->trace = fn;
    d->trace_ctx = ctx;
}
