/*
 * All-bank refresh per rank, and what happens in idle times. A due refresh is strict: from its due clock the rank takes
 * no command but PREA and REF. While a channel has nothing to do nobody calls, so the same steps are made up at the
 * next request, with the clocks they would have had: commands strictly before `before` are done then, the rest is left
 * to the ordinary plan. Catching up in one step or in several gives the same state.
 */
#include "memory/dram_priv.h"

static void find_ref_next(const struct dram *d, struct chan *c)
{
    c->ref_next = CLK_NEVER;
    for (unsigned r = 0; r < d->cfg.ranks; r++)
        if (c->rank[r].ref == REF_NONE && c->rank[r].ref_due < c->ref_next)
            c->ref_next = c->rank[r].ref_due;
}

static void block(const struct dram *d, struct chan *c, unsigned rank, bool on)
{
    for (unsigned b = rank * d->rank_banks; b < (rank + 1) * d->rank_banks; b++) {
        uint64_t bit = 1ull << (b & 63);
        c->blocked[b >> 6] = on ? c->blocked[b >> 6] | bit : c->blocked[b >> 6] & ~bit;
    }
    c->ref_ranks = on ? c->ref_ranks | 1u << rank : c->ref_ranks & ~(1u << rank);
}

/* All banks are closed: when may REF go? After tRP of every PRE and tRC of every ACT. */
static uint64_t all_idle(const struct dram *d, const struct chan *c, unsigned rank)
{
    uint64_t t = 0;
    for (unsigned b = rank * d->rank_banks; b < (rank + 1) * d->rank_banks; b++)
        raise64(&t, c->bank[b].ready[C_ACT]);
    return t;
}

void dram_timeout_close(struct dram *d, struct chan *c, unsigned b, uint64_t before)
{
    struct bank *k = &c->bank[b];
    if (d->cfg.page_policy != DRAM_PAGE_TIMEOUT || k->open_row == ROW_NONE || k->head[DIR_RD] != REQ_NONE ||
        k->head[DIR_WR] != REQ_NONE)
        return;
    uint64_t t = max64(k->last_use + d->timeout_clk, k->ready[C_PRE]);
    if (t >= before)
        return;
    if (d->trace)
        dram_log(d, c, DRAM_PRE, k->rank, (int)b, t, true);
    dram_close_bank(d, c, b, t);
}

void dram_ref_due(struct dram *d, struct chan *c, unsigned rank, uint64_t now)
{
    struct rank *r = &c->rank[rank];
    uint64_t pre = 0;
    bool open = false;
    for (unsigned b = rank * d->rank_banks; b < (rank + 1) * d->rank_banks; b++) {
        dram_timeout_close(d, c, b, now);
        open |= c->bank[b].open_row != ROW_NONE;
        raise64(&pre, c->bank[b].ready[C_PRE]); /* closed banks too: an auto-precharge may be under way */
    }
    r->ref = open ? REF_WAIT_PRE : REF_WAIT_REF;
    r->ref_ready = max64(r->ref_due, open ? max64(pre, r->pre_ready) : all_idle(d, c, rank));
    block(d, c, rank, true);
    find_ref_next(d, c);
}

void dram_ref_issue(struct dram *d, struct chan *c, unsigned rank, uint64_t clk, bool background)
{
    struct rank *r = &c->rank[rank];
    unsigned first = rank * d->rank_banks, end = first + d->rank_banks;
    raise64(&c->cmd_free, clk + 1);
    if (r->ref == REF_WAIT_PRE) {
        if (d->trace)
            dram_log(d, c, DRAM_PREA, rank, -1, clk, background);
        for (unsigned b = first; b < end; b++)
            if (c->bank[b].open_row != ROW_NONE)
                dram_close_bank(d, c, b, clk);
        r->pre_ready = clk + d->t.ppd;
        r->ref = REF_WAIT_REF;
        r->ref_ready = all_idle(d, c, rank);
        return;
    }
    if (d->trace)
        dram_log(d, c, DRAM_REF, rank, -1, clk, background);
    d->st.refreshes++;
    r->ref = REF_NONE;
    r->ref_due += d->t.refi;
    block(d, c, rank, false);
    find_ref_next(d, c);
    for (unsigned b = first; b < end; b++) {
        raise64(&c->bank[b].ready[C_ACT], clk + d->t.rfc);
        dram_recand(d, c, b, DIR_RD);
        dram_recand(d, c, b, DIR_WR);
    }
}

/* `bus`: when the command bus became free for good. The ranks' own refreshes do not meet: they are staggered. */
static void catch_up_rank(struct dram *d, struct chan *c, unsigned rank, uint64_t bus, uint64_t before)
{
    struct rank *r = &c->rank[rank];
    while (r->ref != REF_NONE || r->ref_due < before) {
        if (r->ref == REF_NONE) {
            if (!d->trace && r->ref_due >= all_idle(d, c, rank)) {
                /* From a quiet rank every later refresh falls on its due clock: skip to the last one, which counts. */
                bool open = false;
                for (unsigned b = rank * d->rank_banks; b < (rank + 1) * d->rank_banks; b++)
                    open |= c->bank[b].open_row != ROW_NONE;
                uint64_t skip = open ? 0 : (before - 1 - r->ref_due) / d->t.refi;
                d->st.refreshes += skip;
                r->ref_due += skip * d->t.refi;
            }
            dram_ref_due(d, c, rank, r->ref_due);
        }
        uint64_t t = max64(r->ref_ready, bus);
        if (t >= before)
            return; /* the ordinary plan issues it, or the next catch-up */
        dram_ref_issue(d, c, rank, t, true);
    }
}

void dram_catch_up(struct dram *d, struct chan *c, uint64_t before)
{
    uint64_t bus = c->cmd_free;
    if (d->cfg.refresh && (c->ref_ranks || c->ref_next < before))
        for (unsigned r = 0; r < d->cfg.ranks; r++)
            catch_up_rank(d, c, r, bus, before);
    if (d->cfg.page_policy == DRAM_PAGE_TIMEOUT)
        for (unsigned b = 0; b < d->nbanks; b++)
            dram_timeout_close(d, c, b, before);
}
