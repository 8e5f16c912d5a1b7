/*
 * A naive second opinion on DRAM timing: x86-hardware.md table 4.3 as a list of rules, each held against every pair of
 * commands in a log. It shares nothing with the model but the numbers of the standard. `tightest` remembers the
 * smallest distance seen, so a test can also show that the model waits no longer than it must.
 */
#ifndef TESTS_DRAM_RULES_H
#define TESTS_DRAM_RULES_H

#include "memory/dram.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

/* For hot loops: libcheck writes a message for every assertion it passes. */
#define MUST(cond) do { if (!(cond)) ck_abort_msg("%s", #cond); } while (0)

#define BIT(c) (1u << (c))
enum { M_RD = BIT(DRAM_RD) | BIT(DRAM_RDA), M_WR = BIT(DRAM_WR) | BIT(DRAM_WRA), M_PRE = BIT(DRAM_PRE) | BIT(DRAM_PREA),
       M_ACT = BIT(DRAM_ACT), M_REF = BIT(DRAM_REF) };
enum rule_scope { SAME_BANK, SAME_GROUP, SAME_RANK, OTHER_RANK };

struct rule {
    const char *name;
    enum rule_scope scope;
    unsigned from, to;
    int64_t min;
    int64_t tightest;
};

struct rule_set { struct rule r[40]; unsigned n; uint64_t longest; };

static inline void rules_fill(struct rule_set *s, const struct dram_timing *t)
{
    s->n = 0;
    s->longest = 0;
#define RULE(nm, sc, f, to_, m) s->r[s->n++] = (struct rule){ nm, sc, f, to_, (int64_t)(m), INT64_MAX }
    int64_t wr_end = (int64_t)t->cwl + t->bl2;
    RULE("tRC", SAME_BANK, M_ACT, M_ACT, t->rc);
    RULE("tRCD", SAME_BANK, M_ACT, M_RD | M_WR, t->rcd);
    RULE("tRAS", SAME_BANK, M_ACT, M_PRE, t->ras);
    RULE("tRP", SAME_BANK, M_PRE, M_ACT, t->rp);
    RULE("tRTP", SAME_BANK, M_RD, M_PRE, t->rtp);
    RULE("tWR", SAME_BANK, M_WR, M_PRE, wr_end + t->wr);
    RULE("RDA-ACT", SAME_BANK, BIT(DRAM_RDA), M_ACT, t->rtp + t->rp);
    RULE("WRA-ACT", SAME_BANK, BIT(DRAM_WRA), M_ACT, wr_end + t->wr + t->rp);
    RULE("tCCD_L", SAME_GROUP, M_RD, M_RD, t->ccd_l);
    RULE("tCCD_L_WR", SAME_GROUP, M_WR, M_WR, t->ccd_l_wr);
    RULE("tRRD_L", SAME_GROUP, M_ACT, M_ACT, t->rrd_l);
    RULE("tWTR_L", SAME_GROUP, M_WR, M_RD, wr_end + t->wtr_l);
    RULE("tCCD_S rd", SAME_RANK, M_RD, M_RD, t->ccd_s);
    RULE("tCCD_S wr", SAME_RANK, M_WR, M_WR, t->ccd_s);
    RULE("tRRD_S", SAME_RANK, M_ACT, M_ACT, t->rrd_s);
    RULE("RD-WR", SAME_RANK, M_RD, M_WR, (int64_t)t->cl + t->bl2 + t->rtw_gap - t->cwl);
    RULE("tWTR_S", SAME_RANK, M_WR, M_RD, wr_end + t->wtr_s);
    RULE("rank RD-RD", OTHER_RANK, M_RD, M_RD, t->bl2 + t->cs);
    RULE("rank RD-WR", OTHER_RANK, M_RD, M_WR, (int64_t)t->cl + t->bl2 + t->cs - t->cwl);
    RULE("rank WR-WR", OTHER_RANK, M_WR, M_WR, t->bl2);
    RULE("rank WR-RD", OTHER_RANK, M_WR, M_RD, wr_end + t->cs - t->cl);
    RULE("PRE-REF", SAME_RANK, M_PRE, M_REF, t->rp);
    RULE("ACT-REF", SAME_RANK, M_ACT, M_REF, t->rc);
    RULE("tRFC", SAME_RANK, M_REF, M_ACT | M_REF, t->rfc);
    RULE("RDA-REF", SAME_RANK, BIT(DRAM_RDA), M_REF, t->rtp + t->rp);
    RULE("WRA-REF", SAME_RANK, BIT(DRAM_WRA), M_REF, wr_end + t->wr + t->rp);
    RULE("tPPD", SAME_RANK, M_PRE, M_PRE, t->ppd);
#undef RULE
    for (unsigned i = 0; i < s->n; i++)
        if (s->r[i].min > 0 && (uint64_t)s->r[i].min > s->longest)
            s->longest = (uint64_t)s->r[i].min;
}

struct cmd_log { struct dram_cmd *c; size_t n, cap; };

static inline void cmd_log_add(void *ctx, const struct dram_cmd *cmd)
{
    struct cmd_log *l = ctx;
    if (l->n == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 1024;
        l->c = realloc(l->c, l->cap * sizeof *l->c);
        if (!l->c)
            abort();
    }
    l->c[l->n++] = *cmd;
}

static inline int cmd_order(const void *va, const void *vb)
{
    const struct dram_cmd *a = va, *b = vb;
    if (a->at.channel != b->at.channel)
        return a->at.channel < b->at.channel ? -1 : 1;
    if (a->clock != b->clock)
        return a->clock < b->clock ? -1 : 1;
    if (a->at.rank != b->at.rank)
        return a->at.rank < b->at.rank ? -1 : 1;
    if (a->at.group != b->at.group)
        return a->at.group < b->at.group ? -1 : 1;
    if (a->at.bank != b->at.bank)
        return a->at.bank < b->at.bank ? -1 : 1;
    return a->type < b->type ? -1 : a->type > b->type;
}

static inline bool rule_applies(const struct rule *r, const struct dram_cmd *a, const struct dram_cmd *b)
{
    if (!(r->from & BIT(a->type)) || !(r->to & BIT(b->type)))
        return false;
    bool whole = a->type == DRAM_PREA || b->type == DRAM_PREA || a->type == DRAM_REF || b->type == DRAM_REF;
    bool rank = a->at.rank == b->at.rank, group = rank && (whole || a->at.group == b->at.group);
    switch (r->scope) {
    case SAME_BANK: return group && (whole || a->at.bank == b->at.bank);
    case SAME_GROUP: return group;
    case SAME_RANK: return rank;
    case OTHER_RANK: return !rank;
    }
    return false;
}

/* Sorts the log and checks it; returns the number of violations and leaves the first's text in `why`. */
static inline unsigned rules_check(struct rule_set *s, struct cmd_log *l, const struct dram_config *cfg,
                                   const struct dram_timing *t, char *why, size_t size)
{
    const struct dram_std *std = dram_std_get((enum dram_standard)cfg->standard);
    enum { NB = 8 * 8 * 8 };
    static const uint64_t none = UINT64_MAX;
    uint64_t open[NB], data_end = 0, bus = 0;
    unsigned bad = 0, chan = UINT32_MAX;
#define BAD(...) do { if (!bad++) snprintf(why, size, __VA_ARGS__); } while (0)
    qsort(l->c, l->n, sizeof *l->c, cmd_order);
    for (size_t i = 0; i < l->n; i++) {
        const struct dram_cmd *b = &l->c[i];
        if (b->at.channel != chan) {
            chan = b->at.channel;
            data_end = bus = 0;
            for (unsigned k = 0; k < NB; k++)
                open[k] = none;
        }
        uint64_t *row = &open[(b->at.rank * 8 + b->at.group) * 8 + b->at.bank], *rank = &open[b->at.rank * 64];
        bool col = (M_RD | M_WR) & BIT(b->type);
        /* Row state. */
        if (b->type == DRAM_ACT) {
            if (*row != none)
                BAD("ACT of an open bank at %lu", (unsigned long)b->clock);
            *row = b->at.row;
        } else if (col && *row != b->at.row) {
            BAD("column command for a row that is not open at %lu", (unsigned long)b->clock);
        } else if (b->type == DRAM_PRE && *row == none) {
            BAD("PRE of a closed bank at %lu", (unsigned long)b->clock);
        }
        if (b->type == DRAM_PRE || b->type == DRAM_RDA || b->type == DRAM_WRA)
            *row = none;
        for (unsigned k = 0; k < 64 && (b->type == DRAM_PREA || b->type == DRAM_REF); k++) {
            if (b->type == DRAM_REF && rank[k] != none)
                BAD("REF with an open bank at %lu", (unsigned long)b->clock);
            rank[k] = none;
        }
        /* Buses. */
        if (!(b->background && b->type == DRAM_PRE)) {
            if (b->clock < bus)
                BAD("two commands on the bus at %lu", (unsigned long)b->clock);
            bus = b->clock + (b->type == DRAM_ACT || col ? std->long_cmd : 1);
        }
        if (col) {
            uint64_t first = b->clock + (M_RD & BIT(b->type) ? t->cl : t->cwl);
            if (first < data_end)
                BAD("bursts overlap at %lu", (unsigned long)b->clock);
            data_end = first + t->bl2;
        }
        /* Distances. */
        unsigned acts = 0;
        for (size_t j = i; j-- > 0 && l->c[j].at.channel == chan && b->clock - l->c[j].clock <= s->longest;) {
            const struct dram_cmd *a = &l->c[j];
            int64_t dist = (int64_t)(b->clock - a->clock);
            if (b->type == DRAM_ACT && a->type == DRAM_ACT && a->at.rank == b->at.rank && ++acts == 4 &&
                dist < (int64_t)t->faw)
                BAD("tFAW at %lu", (unsigned long)b->clock);
            if (b->background && b->type == DRAM_PRE && a->type == DRAM_PRE)
                continue; /* timeouts take no slot */
            for (unsigned k = 0; k < s->n; k++) {
                struct rule *r = &s->r[k];
                if (!rule_applies(r, a, b))
                    continue;
                if (dist < r->min && !(r->from == r->to && r->from == (unsigned)M_PRE && a->background))
                    BAD("%s: %ld clocks, wants %ld, at %lu", r->name, (long)dist, (long)r->min,
                        (unsigned long)b->clock);
                if (dist < r->tightest)
                    r->tightest = dist;
            }
        }
    }
#undef BAD
    return bad;
}

#endif
