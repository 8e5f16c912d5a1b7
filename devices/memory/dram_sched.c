/*
 * Scheduling of one channel: candidates, the plan, issuing. Every constraint of x86-hardware.md 4.3 between ACT, PRE,
 * RD and WR is set here when the earlier command issues; a command is ready at the maximum over its bank, bank group
 * and rank.
 */
#include "memory/dram_priv.h"

void dram_log(const struct dram *d, const struct chan *c, enum dram_cmd_type type, unsigned rank, int bank,
              uint64_t clk, bool background)
{
    struct dram_cmd cmd = { .type = type, .background = background, .clock = clk, .tick = clk_tick(d, clk) };
    cmd.at.channel = c->index;
    cmd.at.rank = rank;
    if (bank >= 0) {
        unsigned flat = (unsigned)bank % d->rank_banks;
        cmd.at.group = flat & (d->std->bank_groups - 1);
        cmd.at.bank = flat >> d->map.bg_bits;
        cmd.at.row = c->bank[bank].open_row;
    }
    d->trace(d->trace_ctx, &cmd);
}

void dram_recand(const struct dram *d, struct chan *c, unsigned b, unsigned dir)
{
    const struct bank *k = &c->bank[b];
    struct cand *x = &c->cand[dir][b];
    uint64_t bit = 1ull << (b & 63);
    uint16_t head = k->head[dir], r = head;
    if (head == REQ_NONE) {
        c->active[dir][b >> 6] &= ~bit;
        return;
    }
    c->active[dir][b >> 6] |= bit;
    unsigned type = C_PRE;
    if (k->open_row == ROW_NONE) {
        type = C_ACT;
    } else {
        uint16_t hit = k->hit[dir];
        bool capped = d->cfg.scheduler != DRAM_FR_FCFS || (d->cfg.hit_cap && k->hits >= d->cfg.hit_cap);
        if (hit != REQ_NONE && (hit == head || !capped)) {
            type = dir == DIR_RD ? C_RD : C_WR;
            r = hit;
            if (c->req[r].after_read) {
                /* The older read of this line goes first, in whatever direction the bus is. */
                uint16_t o = k->head[DIR_RD];
                while (o != REQ_NONE && (c->req[o].line != c->req[r].line || c->req[o].seq > c->req[r].seq))
                    o = c->req[o].bnext;
                if (o != REQ_NONE) {
                    r = o;
                    type = C_RD;
                }
            }
        }
    }
    x->type = (uint8_t)type;
    x->req = r;
    x->ready = k->ready[type];
    x->rank = k->rank;
    x->gate = (uint16_t)(type * d->ngroups + k->group);
    x->key = c->req[r].seq;
    if (type < C_RD && d->cfg.scheduler == DRAM_FR_FCFS)
        x->key |= KEY_NOT_COLUMN;
}

static inline uint64_t cand_ready(const struct chan *c, const struct cand *x, uint64_t base)
{
    return max64(max64(x->ready, c->gate[x->gate]), base);
}

static inline void set_plan(const struct dram *d, struct chan *c, enum plan_kind kind, unsigned at, uint64_t clk,
                            uint64_t key)
{
    c->plan = kind;
    c->plan_at = at;
    c->plan_clk = clk;
    c->plan_key = key;
    c->next = kind == PLAN_NONE ? TICK_NEVER : clk_tick(d, clk);
}

/* The rank that the oldest request needs, if it is too old to wait for bursts of other ranks; else -1. */
static int aged_rank(const struct dram *d, const struct chan *c, uint64_t now)
{
    uint16_t oldest = c->ahead[c->mode];
    if (d->cfg.ranks == 1 || oldest == REQ_NONE || now - c->req[oldest].clk <= d->age_clk)
        return -1;
    unsigned r = c->bank[c->req[oldest].bank].rank;
    return c->ref_ranks & 1u << r ? -1 : (int)r; /* while it refreshes, holding the others back is no help */
}

void dram_plan(struct dram *d, struct chan *c, uint64_t now)
{
    while (c->ref_next <= now && c->mode != DIR_IDLE)
        for (unsigned r = 0; r < d->cfg.ranks; r++)
            if (c->rank[r].ref == REF_NONE && c->rank[r].ref_due <= now)
                dram_ref_due(d, c, r, now);
    if (c->mode == DIR_IDLE) {
        set_plan(d, c, PLAN_NONE, 0, CLK_NEVER, 0);
        return;
    }
    uint64_t base = max64(now, c->cmd_free), best = UINT64_MAX;
    unsigned at = 0;
    enum plan_kind kind = PLAN_NONE;
    const struct cand *cand = c->cand[c->mode];
    c->aged_rank = aged_rank(d, c, now);

    uint64_t only[BANK_WORDS];
    const uint64_t *set = c->active[c->mode];
    if (unlikely(d->cfg.scheduler == DRAM_FCFS)) {
        unsigned b = c->req[c->ahead[c->mode]].bank;
        for (unsigned w = 0; w < d->words; w++)
            only[w] = w == b >> 6 ? 1ull << (b & 63) : 0;
        set = only;
    }
    /* Ready time (16 bits above base; no constraint is longer, dram_new checks) and priority in one number. */
    for (unsigned w = 0; w < d->words; w++) {
        for (uint64_t m = set[w] & ~c->blocked[w]; m; m &= m - 1) {
            unsigned b = w << 6 | (unsigned)__builtin_ctzll(m);
            const struct cand *x = &cand[b];
            if (unlikely(c->aged_rank >= 0) && x->type >= C_RD && x->rank != c->aged_rank)
                continue;
            uint64_t v = (cand_ready(c, x, base) - base) << 48 | x->key;
            bool less = v < best;
            best = less ? v : best;
            at = less ? b : at;
        }
    }
    uint64_t clk = CLK_NEVER, key = 0;
    if (best != UINT64_MAX) {
        kind = PLAN_BANK;
        clk = base + (best >> 48);
        key = best & ((1ull << 48) - 1);
    }
    for (unsigned m = c->ref_ranks; m; m &= m - 1) {
        unsigned r = (unsigned)__builtin_ctz(m);
        uint64_t t = max64(c->rank[r].ref_ready, base);
        if (t < clk || (t == clk && key)) {
            kind = PLAN_RANK;
            at = r;
            clk = t;
            key = 0; /* before any request */
        }
    }
    if (c->ref_next <= clk && c->ref_next != CLK_NEVER) {
        kind = PLAN_DUE;
        clk = c->ref_next;
        key = 0;
    }
    set_plan(d, c, kind, at, clk, key);
}

void dram_plan_arrival(struct dram *d, struct chan *c, uint64_t now, unsigned b, unsigned dir, unsigned mode_before)
{
    if (c->mode != mode_before || d->cfg.scheduler == DRAM_FCFS || (c->plan == PLAN_BANK && c->plan_at == b)) {
        dram_plan(d, c, now);
        return;
    }
    if (dir != c->mode || c->blocked[b >> 6] >> (b & 63) & 1)
        return;
    const struct cand *x = &c->cand[dir][b];
    if (c->aged_rank >= 0 && x->type >= C_RD && x->rank != c->aged_rank)
        return;
    uint64_t t = cand_ready(c, x, max64(now, c->cmd_free));
    if (t < c->plan_clk || (t == c->plan_clk && x->key < c->plan_key))
        set_plan(d, c, PLAN_BANK, b, t, x->key);
}

/*
 * Reads have the bus. Writes take it when `drain_high` are queued, and give it back at `drain_low`, or after a queue's
 * worth of them if they arrive as fast as they go; then the reads that wait get their turn before the next drain.
 * With nothing to read, writes beyond `write_idle` go.
 */
void dram_update_mode(struct dram *d, struct chan *c)
{
    unsigned nr = c->n[DIR_RD], nw = c->n[DIR_WR];
    if (!nr)
        c->read_turn = 0;
    if (c->draining) {
        if (nw <= d->cfg.drain_low) {
            c->draining = false;
        } else if (!c->drain_left && nr) {
            c->draining = false;
            c->read_turn = nr;
        }
    }
    if (!c->draining && nw >= d->cfg.drain_high && !c->read_turn) {
        c->draining = true;
        c->drain_left = d->cfg.write_queue;
        d->st.write_drains++;
    }
    c->mode = c->draining ? DIR_WR : nr ? DIR_RD : nw > d->cfg.write_idle ? DIR_WR : DIR_IDLE;
}

static uint16_t next_hit(const struct chan *c, uint16_t r, uint64_t row)
{
    while (r != REQ_NONE && c->req[r].row != row)
        r = c->req[r].bnext;
    return r;
}

static void unlink_req(struct chan *c, uint16_t r)
{
    struct dreq *q = &c->req[r];
    struct bank *k = &c->bank[q->bank];
    unsigned dir = q->write;
    if (k->hit[dir] == r)
        k->hit[dir] = next_hit(c, q->bnext, q->row);
    *(q->bprev == REQ_NONE ? &k->head[dir] : &c->req[q->bprev].bnext) = q->bnext;
    *(q->bnext == REQ_NONE ? &k->tail[dir] : &c->req[q->bnext].bprev) = q->bprev;
    *(q->aprev == REQ_NONE ? &c->ahead[dir] : &c->req[q->aprev].anext) = q->anext;
    *(q->anext == REQ_NONE ? &c->atail[dir] : &c->req[q->anext].aprev) = q->aprev;
    q->anext = c->free_head[dir];
    c->free_head[dir] = r;
    c->n[dir]--;
    c->filter[dir][line_hash(q->line)]--;
}

void dram_close_bank(struct dram *d, struct chan *c, unsigned b, uint64_t clk)
{
    struct bank *k = &c->bank[b];
    k->open_row = ROW_NONE;
    k->hit[DIR_RD] = k->hit[DIR_WR] = REQ_NONE;
    raise64(&k->ready[C_ACT], clk + d->t.rp);
    d->st.precharges++;
}

static void issue_act(struct dram *d, struct chan *c, unsigned b, uint64_t row, uint64_t clk)
{
    struct bank *k = &c->bank[b];
    struct rank *r = &c->rank[k->rank];
    k->open_row = row;
    k->hits = 0;
    k->last_use = clk;
    k->ready[C_RD] = k->ready[C_WR] = clk + d->t.rcd;
    k->ready[C_PRE] = clk + d->t.ras;
    k->ready[C_ACT] = clk + d->t.rc;
    for (unsigned dir = 0; dir < DIRS; dir++)
        k->hit[dir] = next_hit(c, k->head[dir], row);
    raise64(&c->gate[C_ACT * d->ngroups + k->group], clk + d->t.rrd_l);
    r->faw[r->faw_at] = clk + d->t.faw;
    r->faw_at = (r->faw_at + 1) & 3;
    raise_rank(d, c, k->rank, C_ACT, max64(clk + d->t.rrd_s, r->faw[r->faw_at]));
    d->st.activates++;
    if (unlikely(d->trace))
        dram_log(d, c, DRAM_ACT, k->rank, (int)b, clk, false);
}

static void column_constraints(struct dram *d, struct chan *c, const struct bank *k, bool write, uint64_t clk)
{
    uint64_t *rd = &c->gate[C_RD * d->ngroups + k->group], *wr = &c->gate[C_WR * d->ngroups + k->group];
    if (write) {
        raise_rank(d, c, k->rank, C_WR, clk + d->t.ccd_s);
        raise_rank(d, c, k->rank, C_RD, clk + d->wr_rd_s);
        raise64(wr, clk + d->t.ccd_l_wr);
        raise64(rd, clk + d->wr_rd_l);
    } else {
        raise_rank(d, c, k->rank, C_RD, clk + d->t.ccd_s);
        raise_rank(d, c, k->rank, C_WR, clk + d->rd_wr);
        raise64(rd, clk + d->t.ccd_l);
    }
    for (unsigned r = 0; r < d->cfg.ranks; r++) {
        if (r == k->rank)
            continue;
        raise_rank(d, c, r, C_RD, clk + (write ? d->wr_rd_other : d->rd_rd_other));
        raise_rank(d, c, r, C_WR, clk + (write ? d->wr_wr_other : d->rd_wr_other));
    }
}

static void issue_column(struct dram *d, struct chan *c, uint16_t rq, uint64_t clk, dram_done_fn *done, void *ctx)
{
    const struct dreq *q = &c->req[rq];
    unsigned b = q->bank;
    struct bank *k = &c->bank[b];
    bool write = q->write;
    column_constraints(d, c, k, write, clk);
    raise64(&k->ready[C_PRE], clk + (write ? d->wr_pre : d->t.rtp));
    k->last_use = clk;
    k->hits = (uint16_t)(k->hits + (k->hits < UINT16_MAX));
    unlink_req(c, rq);

    d->st.busy += d->burst_ps;
    d->busy_rem += d->burst_rem;
    if (d->busy_rem >= d->clk_den) {
        d->busy_rem -= d->clk_den;
        d->st.busy++;
    }
    bool close = d->cfg.page_policy == DRAM_PAGE_CLOSED && k->hit[DIR_RD] == REQ_NONE && k->hit[DIR_WR] == REQ_NONE;
    if (unlikely(d->trace))
        dram_log(d, c, write ? (close ? DRAM_WRA : DRAM_WR) : close ? DRAM_RDA : DRAM_RD, k->rank, (int)b, clk, false);
    if (close) /* the device itself waits for tRAS, tRTP and tWR */
        dram_close_bank(d, c, b, k->ready[C_PRE]);

    if (write) {
        d->st.write_bursts++;
        if (c->drain_left)
            c->drain_left--;
    } else {
        d->st.read_bursts++;
        if (c->read_turn)
            c->read_turn--;
        tick_t finish = clk_tick(d, clk + d->rd_data) + d->cfg.controller_latency;
        uint64_t latency = finish - q->when;
        d->st.read_latency += latency;
        d->origin[q->origin].read_latency += latency;
        stat_hist_add(&d->latency, latency);
        done(ctx, q->cookie, finish);
    }
    dram_update_mode(d, c);
}

static void issue_bank(struct dram *d, struct chan *c, unsigned b, uint64_t clk, dram_done_fn *done, void *ctx)
{
    const struct cand x = c->cand[c->mode][b];
    struct dreq *q = &c->req[x.req];
    c->cmd_free = clk + (x.type == C_PRE ? 1 : d->std->long_cmd);
    if (!q->started) {
        q->started = true;
        *(x.type == C_PRE ? &d->st.row_conflicts : x.type == C_ACT ? &d->st.row_misses : &d->st.row_hits) += 1;
    }
    switch (x.type) {
    case C_ACT:
        issue_act(d, c, b, q->row, clk);
        break;
    case C_PRE:
        if (unlikely(d->trace))
            dram_log(d, c, DRAM_PRE, x.rank, (int)b, clk, false);
        c->rank[x.rank].pre_ready = clk + d->t.ppd;
        if (d->t.ppd > 1) /* one clock is the command bus's own */
            raise_rank(d, c, x.rank, C_PRE, clk + d->t.ppd);
        dram_close_bank(d, c, b, clk);
        break;
    default:
        issue_column(d, c, x.req, clk, done, ctx);
        break;
    }
    dram_recand(d, c, b, DIR_RD);
    dram_recand(d, c, b, DIR_WR);
}

void dram_run(struct dram *d, tick_t now, dram_done_fn *done, void *ctx)
{
    if (now < d->next)
        return;
    tick_t next = TICK_NEVER;
    for (struct chan *c = d->chan; c < d->chan + d->nchan; c++) {
        while (c->next <= now) {
            uint64_t clk = c->plan_clk;
            if (likely(c->plan == PLAN_BANK))
                issue_bank(d, c, c->plan_at, clk, done, ctx);
            else if (c->plan == PLAN_RANK)
                dram_ref_issue(d, c, c->plan_at, clk, false);
            else if (c->plan == PLAN_NONE)
                break; /* only with now == TICK_NEVER */
            dram_plan(d, c, clk);
        }
        next = c->next < next ? c->next : next;
    }
    d->next = next;
}
