/*
 * DRAM controller and devices: queues, scheduling, row buffers, refresh, and every timing constraint of
 * x86-hardware.md 4.3. Model, formulas and what is left out: docs/model/dram.md.
 *
 * A passive, deterministic component: somebody else's event loop drives it. The driver's duty:
 *
 *   - calls come in order of time;
 *   - dram_run() is called at the tick dram_next() returns, whenever that is not TICK_NEVER, before anything is
 *     submitted at a later tick. Extra calls of dram_run() change nothing.
 *   - dram_next() may change after dram_submit() and dram_run(), to an earlier or a later tick; an event left over
 *     from an older value is an extra call and harmless.
 *   - within one tick the order of dram_submit() and of the due dram_run() matters (a command slot is given away or
 *     not yet); two drivers that must agree use the same order.
 *
 * Reads answer through the callback. Writes are posted: an accepted write is over for its issuer, and the controller
 * may keep the last `write_idle` of them queued for ever (they are in dram_pending()).
 * Idle time costs nothing: refreshes and page timeouts of idle times are worked out arithmetically at the next
 * request. Not thread-safe; after dram_new() nothing allocates.
 */
#ifndef MEMORY_DRAM_H
#define MEMORY_DRAM_H

#include "engine/err.h"
#include "engine/params.h"
#include "engine/stats.h"
#include "engine/types.h"
#include "memory/dram_std.h"

enum dram_scheduler {
    DRAM_FR_FCFS,   /* column commands first, then oldest; guarded by hit_cap and age_cap */
    DRAM_FCFS,      /* strictly the oldest request */
    DRAM_FCFS_BANK, /* in order within a bank, oldest first over the banks that are ready */
};
enum dram_page_policy {
    DRAM_PAGE_OPEN,    /* rows stay open until a conflict or a refresh */
    DRAM_PAGE_CLOSED,  /* auto-precharge with the last column command that is queued for the row */
    DRAM_PAGE_TIMEOUT, /* as open, but a bank without requests closes page_timeout after its last column command */
};
/* Names list the fields from the most significant bit down (x86-hardware.md 4.5). */
enum dram_mapping {
    DRAM_MAP_ROBARACOCH,   /* row bank rank column channel */
    DRAM_MAP_RORABACOCH,   /* row rank bank column channel */
    DRAM_MAP_MOP4CLXOR,    /* row column bank rank channel 4-lines, bank XOR column */
    DRAM_MAP_CHRABAROCO,   /* channel rank bank row column */
    DRAM_MAP_ROCORABACH,   /* row column rank bank channel */
    DRAM_MAP_ROBARACOBGCH, /* row bank rank column bank-group channel */
};

struct dram_config {
    int standard;     /* enum dram_standard */
    uint32_t channels; /* independent channels (a DDR5 module has two); need not be a power of two */
    uint32_t ranks;   /* per channel, power of two; 0: dram_ranks_for, 1 in dram_new */
    int mapping, scheduler, page_policy;
    bool bank_xor;    /* bank ^= low row bits */
    uint64_t page_timeout; /* ps, DRAM_PAGE_TIMEOUT */
    uint32_t read_queue, write_queue; /* entries per channel */
    uint32_t drain_high, drain_low;   /* writes queued at which a drain starts, ends */
    uint32_t write_idle; /* writes that stay queued while there is nothing to read */
    uint32_t hit_cap;    /* column commands per activation while another row of the bank waits; 0: no cap */
    uint64_t age_cap;    /* ps after which the oldest request forbids bursts of other ranks */
    uint64_t controller_latency; /* ps, static front and back end together, added to every read */
    bool refresh;
    struct dram_timing override; /* clocks; 0: as the standard says */
};

extern const struct param dram_params[]; /* group "dram", describes struct dram_config */
extern const size_t dram_params_count;
void dram_config_default(struct dram_config *c); /* the defaults of dram_params */

/* Bytes of all channels together. Addresses beyond it wrap (rows alias); the machine builder checks memory.size. */
uint64_t dram_capacity(const struct dram_config *c); /* ranks 0: with the most that there can be */
/* The ranks of the configuration, or the fewest that hold `bytes` if it leaves the choice (at most 8). */
uint32_t dram_ranks_for(const struct dram_config *c, uint64_t bytes);

/* A request is one row hit, row miss or row conflict by the first command that is issued for it: column command,
 * ACT, or PRE. Forwarded reads and merged writes are none of them:
 *   row_hits + row_misses + row_conflicts
 *       == reads - write_forwards + writes - write_merges - (queued requests that got no command yet). */
#define DRAM_STATS(X) \
    X(reads, "requests", "line reads accepted, forwarded ones included") \
    X(writes, "requests", "line writes accepted, merged ones included") \
    X(row_hits, "requests", "requests whose first command was the column command: their row was open") \
    X(row_misses, "requests", "requests whose first command was ACT: their bank was closed") \
    X(row_conflicts, "requests", "requests whose first command was PRE: another row was open") \
    X(read_bursts, "commands", "RD and RDA commands") \
    X(write_bursts, "commands", "WR and WRA commands") \
    X(activates, "commands", "ACT commands") \
    X(precharges, "commands", "banks closed by PRE, auto-precharge, timeout or before a refresh") \
    X(refreshes, "commands", "REF commands, those of idle times included (see dram_settle)") \
    X(read_queue_full, "refusals", "reads refused because the read queue was full (retries count again)") \
    X(write_queue_full, "refusals", "writes refused because the write queue was full (retries count again)") \
    X(write_forwards, "requests", "reads served from a queued write to the same line") \
    X(write_merges, "requests", "writes merged into a queued write to the same line") \
    X(write_drains, "drains", "times the high mark was reached and writes took the bus from reads") \
    X(busy, "ps", "time the data buses carried bursts, summed over channels") \
    X(read_latency, "ps", "sum over reads of acceptance to last beat, controller latency included")
struct dram_stats {
    DRAM_STATS(STAT_FIELD)
};

#define DRAM_ORIGINS 16 /* origins are small numbers of the driver's; larger ones are counted under the last */
struct dram_origin_stats {
    uint64_t reads, writes, read_latency; /* requests, requests, ps */
};

struct dram;

/* Checks the configuration (-1 and *err: what and the remedy) and builds an idle DRAM at tick 0, all banks closed. */
int dram_new(struct dram **out, const struct dram_config *c, struct err *err);
void dram_free(struct dram *d); /* NULL is fine */

enum dram_admit {
    DRAM_FULL = 0, /* refused: the queue of its channel is full. Retry when dram_can_accept() says so */
    DRAM_QUEUED,   /* a read's `cookie` comes back through dram_run's callback; a write's never */
    DRAM_DONE,     /* a read served by a queued write: *finish is set, there will be no callback */
};
/* One line read or write arrives at `now`. The low bits of `line` are ignored. `finish` may be NULL for writes. */
enum dram_admit dram_submit(struct dram *d, tick_t now, pa_t line, bool write, unsigned origin, uint64_t cookie,
                            tick_t *finish);
/* Would dram_submit take it? Queue slots are freed by dram_run only. */
bool dram_can_accept(const struct dram *d, pa_t line, bool write);

/* The tick at which dram_run must be called; TICK_NEVER if idle. */
tick_t dram_next(const struct dram *d);
/* Issues what is issuable at ticks <= now. When a read's column command is issued, done(ctx, cookie, finish) tells
 * the tick of its last beat plus the controller latency, later than `now`'s command. `done` must not call back into
 * this DRAM. */
typedef void dram_done_fn(void *ctx, uint64_t cookie, tick_t finish);
void dram_run(struct dram *d, tick_t now, dram_done_fn *done, void *ctx);

/* Accounts for the refreshes and page timeouts of idle channels before `now`, for a report or a snapshot. Changes no
 * later result. */
void dram_settle(struct dram *d, tick_t now);

unsigned dram_pending(const struct dram *d, bool write); /* requests queued, all channels */
const struct dram_stats *dram_get_stats(const struct dram *d);
const struct stat_hist *dram_latency_hist(const struct dram *d);              /* of reads, ps */
const struct dram_origin_stats *dram_get_origin(const struct dram *d, unsigned origin);
void dram_register_stats(const struct dram *d, struct stats *s, const char *path);

/* The clock as ticks: edge k lies at ceil(k * 2e6 / MT/s) ps. */
tick_t dram_clock_tick(const struct dram *d, uint64_t clock);
const struct dram_timing *dram_get_timing(const struct dram *d); /* after overrides */

/* Where a line lies. */
struct dram_place {
    unsigned channel, rank, group, bank; /* bank within its group */
    uint64_t row;
};
struct dram_place dram_locate(const struct dram *d, pa_t line);

/* Command log, for tests and for the curious. Commands of one bank come in order of time; `background` ones (closings
 * by timeout, and whatever was made up for idle times) may be told late. */
enum dram_cmd_type { DRAM_ACT, DRAM_PRE, DRAM_RD, DRAM_WR, DRAM_RDA, DRAM_WRA, DRAM_PREA, DRAM_REF };
struct dram_cmd {
    enum dram_cmd_type type;
    bool background;
    struct dram_place at; /* PREA and REF: channel and rank only */
    uint64_t clock;
    tick_t tick;
};
typedef void dram_trace_fn(void *ctx, const struct dram_cmd *cmd);
void dram_set_trace(struct dram *d, dram_trace_fn *fn, void *ctx); /* NULL: off */

#endif
