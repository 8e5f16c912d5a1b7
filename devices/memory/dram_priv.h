/*
 * Inside of the DRAM model; only dram*.c include it. Everything here counts in memory clocks of struct dram's grid.
 *
 * What makes a request cheap: a bank has, per direction, at most one candidate command (struct cand), recomputed only
 * when the bank or its list changes; a channel plans its next command by one pass over the banks that have requests,
 * and an arriving request is compared with the plan instead of replanning. Idle clocks are never visited.
 */
#ifndef MEMORY_DRAM_PRIV_H
#define MEMORY_DRAM_PRIV_H

#include "memory/dram.h"

#define DRAM_STD_DECLARE(name) extern const struct dram_std dram_std_##name;
DRAM_STANDARDS(DRAM_STD_DECLARE)
#undef DRAM_STD_DECLARE

enum { C_ACT, C_PRE, C_RD, C_WR, C_KINDS };
enum { DIR_RD, DIR_WR, DIRS, DIR_IDLE = DIRS };
#define REQ_NONE UINT16_MAX
#define ROW_NONE UINT64_MAX
#define CLK_NEVER UINT64_MAX
#define MAX_BANKS 256 /* of a channel, all ranks */
#define MAX_RANKS 8
#define BANK_WORDS (MAX_BANKS / 64)

struct dreq {
    uint64_t line, row, seq, cookie;
    tick_t when;          /* submitted */
    uint64_t clk;         /* first edge at or after it */
    uint16_t bnext, bprev; /* its bank's list, oldest first */
    uint16_t anext, aprev; /* its direction's list, oldest first */
    uint16_t bank;
    uint8_t origin;
    bool write, started;  /* started: a command was issued for it, so it is classified */
    bool after_read;      /* a write that must not overtake an older read of its line */
};

struct bank {
    uint64_t open_row;
    uint64_t ready[C_KINDS]; /* earliest clock by the bank's own constraints */
    uint64_t last_use;       /* last column command; page timeout */
    uint16_t head[DIRS], tail[DIRS];
    uint16_t hit[DIRS];      /* oldest request for the open row */
    uint16_t hits;           /* column commands since ACT, saturating */
    uint8_t rank, group;     /* group: counted over all ranks */
};

/* The one command a bank could issue next for a direction. */
struct cand {
    uint64_t ready; /* bank[].ready of its type */
    uint64_t key;   /* priority, less is better; below 2^48 */
    uint16_t req;
    uint16_t gate;  /* index into chan.gate */
    uint8_t type, rank;
};
/* Bits of cand.key: not a column command, then age. Sequence numbers start at 1. */
#define KEY_NOT_COLUMN (1ull << 47)

enum ref_state { REF_NONE, REF_WAIT_PRE, REF_WAIT_REF };
struct rank {
    uint64_t pre_ready;  /* tPPD */
    uint64_t faw[4];     /* the last four ACT, as clock + tFAW */
    unsigned faw_at;
    enum ref_state ref;
    uint64_t ref_due;    /* of the next refresh that was not issued */
    uint64_t ref_ready;  /* when the pending PREA or REF may issue */
};
#define FILTER_BITS 9

enum plan_kind { PLAN_NONE, PLAN_BANK, PLAN_DUE, PLAN_RANK };

struct chan {
    tick_t next;          /* of the plan */
    enum plan_kind plan;
    unsigned plan_at;     /* bank or rank */
    uint64_t plan_clk, plan_key;
    int aged_rank;        /* column commands of other ranks are held back; -1: none */

    unsigned index;
    unsigned mode;        /* DIR_RD, DIR_WR or DIR_IDLE */
    bool draining;
    unsigned drain_left;  /* writes a drain may still issue while reads wait */
    unsigned read_turn;   /* reads to issue before the next drain may begin */
    uint64_t cmd_free;    /* first clock with a free command bus */
    uint64_t seq;
    uint64_t ref_next;    /* least ref_due of ranks in REF_NONE */
    unsigned ref_ranks;   /* bit set: ranks with a refresh pending */

    unsigned n[DIRS];
    uint16_t ahead[DIRS], atail[DIRS];
    uint16_t free_head[DIRS]; /* chained by anext */
    uint64_t active[DIRS][BANK_WORDS]; /* banks with requests */
    uint64_t blocked[BANK_WORDS];      /* banks of ranks that wait for their refresh */
    struct cand *cand[DIRS]; /* [banks] */
    struct bank *bank;
    uint64_t *gate;          /* [kind * ngroups + group]: earliest clock by bank group, rank and other ranks */
    struct dreq *req;        /* reads, then writes */
    struct rank rank[MAX_RANKS];
    uint16_t filter[DIRS][1 << FILTER_BITS]; /* queued lines by hash: 0 says that a line is not queued */
};

struct dram_map {
    unsigned ch_shift;           /* lines below the channel field */
    uint32_t channels;
    struct { unsigned shift; uint64_t mask; } col_lo, col_hi, bg, ba, ra, row;
    unsigned col_lo_bits, bg_bits, ba_bits;
    bool xor_col, xor_row;
};

struct dram {
    tick_t next;
    struct dram_config cfg;
    const struct dram_std *std;
    struct dram_timing t;
    uint64_t clk_num, clk_den;   /* ps of a clock as a fraction */
    uint64_t burst_ps, burst_rem, busy_rem; /* bl2 clocks = burst_ps + burst_rem / clk_den */
    /* sums of table 4.3 */
    uint32_t rd_wr, rd_wr_other, rd_rd_other, wr_rd_s, wr_rd_l, wr_rd_other, wr_wr_other, wr_pre, rd_data;
    uint64_t age_clk, timeout_clk;
    unsigned nchan, nbanks /* of a channel */, ngroups /* likewise */, rank_banks, words;
    struct dram_map map;
    struct chan *chan;
    void *arena;                 /* banks, candidates, groups and requests of all channels */
    struct dram_stats st;
    struct stat_hist latency;
    struct dram_origin_stats origin[DRAM_ORIGINS];
    dram_trace_fn *trace;
    void *trace_ctx;
};

static inline uint64_t max64(uint64_t a, uint64_t b) { return a > b ? a : b; }
static inline void raise64(uint64_t *p, uint64_t v) { *p = max64(*p, v); }

static inline unsigned line_hash(uint64_t line)
{
    return (unsigned)((line * 0x9e3779b97f4a7c15ull) >> (64 - FILTER_BITS));
}

/* No command of this kind to the rank before `v`. */
static inline void raise_rank(const struct dram *d, struct chan *c, unsigned rank, unsigned kind, uint64_t v)
{
    uint64_t *g = c->gate + kind * d->ngroups + rank * d->std->bank_groups;
    for (unsigned i = 0; i < d->std->bank_groups; i++)
        raise64(&g[i], v);
}

/* Edge k lies at ceil(k * num / den). */
static inline tick_t clk_tick(const struct dram *d, uint64_t clk)
{
    return d->clk_den == 1 ? clk * d->clk_num : (clk * d->clk_num + d->clk_den - 1) / d->clk_den;
}
/* First edge at or after t. */
static inline uint64_t tick_clk(const struct dram *d, tick_t t)
{
    return t ? (t - 1) * d->clk_den / d->clk_num + 1 : 0;
}

/* dram_map.c */
struct map_place { unsigned channel, bank /* flat in the channel */; uint64_t row; };
int dram_map_init(struct dram_map *m, const struct dram_config *c, const struct dram_std *s, struct err *err);
static inline struct map_place dram_map(const struct dram_map *m, uint64_t line)
{
    struct map_place p = {0};
    if (m->channels > 1) {
        uint64_t up = line >> m->ch_shift;
        p.channel = (unsigned)(up % m->channels);
        line = (up / m->channels) << m->ch_shift | (line & ((1ull << m->ch_shift) - 1));
    }
    uint64_t bg = line >> m->bg.shift & m->bg.mask, ba = line >> m->ba.shift & m->ba.mask;
    uint64_t ra = line >> m->ra.shift & m->ra.mask, flat = ba << m->bg_bits | bg;
    p.row = line >> m->row.shift & m->row.mask;
    if (m->xor_col)
        flat ^= line >> m->col_hi.shift & m->col_hi.mask;
    if (m->xor_row)
        flat ^= p.row;
    flat &= (1ull << (m->bg_bits + m->ba_bits)) - 1;
    p.bank = (unsigned)(ra << (m->bg_bits + m->ba_bits) | flat);
    return p;
}

/* dram_sched.c */
void dram_recand(const struct dram *d, struct chan *c, unsigned b, unsigned dir);
void dram_plan(struct dram *d, struct chan *c, uint64_t now);
/* A request was added to `bank` in direction `dir` at clock `now` and c->mode was `mode_before`. */
void dram_plan_arrival(struct dram *d, struct chan *c, uint64_t now, unsigned bank, unsigned dir,
                       unsigned mode_before);
void dram_update_mode(struct dram *d, struct chan *c);
void dram_log(const struct dram *d, const struct chan *c, enum dram_cmd_type type, unsigned rank, int bank,
              uint64_t clk, bool background);

/* dram_refresh.c */
void dram_ref_due(struct dram *d, struct chan *c, unsigned rank, uint64_t now);
void dram_ref_issue(struct dram *d, struct chan *c, unsigned rank, uint64_t clk, bool background);
void dram_timeout_close(struct dram *d, struct chan *c, unsigned bank, uint64_t before);
void dram_catch_up(struct dram *d, struct chan *c, uint64_t before);
/* Closes a bank at `clk`: the row, the candidates, the count. */
void dram_close_bank(struct dram *d, struct chan *c, unsigned bank, uint64_t clk);

#endif
