/*
 * Statistics, declared once by X-macro:
 *
 *   #define TLB_STATS(X) \
 *       X(accesses, "lookups", "translations asked for") \
 *       X(misses,   "lookups", "... that found no entry")
 *   struct tlb_stats { TLB_STATS(STAT_FIELD) };
 *   #define D(name, unit, help) STAT_ENTRY(struct tlb_stats, name, unit, help)
 *   static const struct stat_desc tlb_stat_descs[] = { TLB_STATS(D) };
 *
 * Hot code does `t->st.misses++`. Components register their struct once under a dotted path ("cpu0.dtlb") while the
 * machine is built; then the tree is frozen. The warm-up snapshot is a copy of all counters; what is measured is the
 * difference. Ratios are derived when written, never stored: each is registered as a pair of counters.
 */
#ifndef ENGINE_STATS_H
#define ENGINE_STATS_H

#include "engine/err.h"
#include "engine/types.h"

#define STAT_FIELD(name, unit, help) uint64_t name;
struct stat_desc {
    const char *name, *unit, *help;
    size_t offset; /* of the uint64_t in the registered struct */
    bool gauge;    /* a present value (pages free, slots used): the warm-up is not subtracted from it */
};
/* Use inside a table: X expands with the struct type bound by the macro's user. */
#define STAT_ENTRY(type, name, unit, help) {#name, unit, help, offsetof(type, name), false},
#define STAT_ENTRY_GAUGE(type, name, unit, help) {#name, unit, help, offsetof(type, name), true},

/* A histogram with power-of-two buckets: bucket i counts values v with floor(log2(v)) + 1 == i; bucket 0 counts 0. */
#define STAT_HIST_BUCKETS 40
struct stat_hist {
    uint64_t count[STAT_HIST_BUCKETS];
    uint64_t n, sum;
    uint64_t max; /* since the snapshot, if one was taken (stats_snapshot): stat_hist_in tells that of a phase */
};
static inline void stat_hist_add(struct stat_hist *h, uint64_t v)
{
    unsigned b = v ? 64u - (unsigned)__builtin_clzll(v) : 0;
    h->count[b < STAT_HIST_BUCKETS ? b : STAT_HIST_BUCKETS - 1]++;
    h->n++;
    h->sum += v;
    if (v > h->max)
        h->max = v;
}

struct stats; /* the tree */

int stats_new(struct stats **out, struct err *err);
void stats_free(struct stats *s); /* NULL is fine */
/* Registers `n` counters of the struct at `base` under `path`. `path` is copied; base, d and the strings in d must
 * outlive the tree. Registering after stats_freeze, or running out of memory, aborts. */
void stats_add(struct stats *s, const char *path, const void *base, const struct stat_desc *d, size_t n);
/* Here `name`, `unit` and `help` are copied too. *h is read, but for stats_snapshot, which starts its maximum anew; so
 * it must be an object that can be written. */
void stats_add_hist(struct stats *s, const char *path, const char *name, const struct stat_hist *h, const char *unit,
                    const char *help);
/* A ratio scale * num / den of two counters named in full ("cpu0.walker.cycles"), which may be registered later. All
 * strings are copied. `decimals` digits are written after the point. */
void stats_add_ratio(struct stats *s, const char *path, const char *name, const char *num, const char *den,
                     uint64_t scale, unsigned decimals, const char *unit, const char *help);
/* Ends registration. Adds `miss_ratio` and `mpki`/`mpka` (per 1,000 of sim.instructions or, without any, of
 * sim.references) to every component that has `accesses` and `misses`, and `ipc` to every one that has `instructions`
 * and `cycles`, unless it registered a ratio of that name itself. A name registered twice, a name that is also a
 * component's path, or a ratio of unknown counters is our own mistake and aborts with the name. */
void stats_freeze(struct stats *s);
/* Remembers the present values as the end of the warm-up, and sets the maximum of each histogram to 0: a maximum cannot
 * be subtracted afterwards as a count can. */
void stats_snapshot(struct stats *s);
bool stats_has_snapshot(const struct stats *s);

/* Registers counters of a component that came into being during the run, after the freeze and before the result is
 * written: their warm-up is 0. A name that is there already, or that a component's path has, is our own mistake. */
void stats_add_late(struct stats *s, const char *path, const void *base, const struct stat_desc *d, size_t n);

enum stat_phase { STAT_WARMUP, STAT_MEASURE, STAT_TOTAL };

/* Walks all counters in order of registration; `warmup` is the snapshot's value (0 without one), `total` the present
 * one. */
struct stat_value {
    const char *path, *name, *unit, *help;
    bool gauge;
    uint64_t warmup, total;
    const struct stat_hist *hist, *hist_warmup; /* non-NULL for histograms; then warmup and total are sums */
};
size_t stats_count(const struct stats *s);
void stats_get(const struct stats *s, size_t i, struct stat_value *out);
/* The value in one phase: measure = total - warmup, for gauges the value at the phase's end. */
uint64_t stat_value_in(const struct stat_value *v, enum stat_phase phase);
/* A histogram in one phase, with the maximum of that phase. */
struct stat_hist stat_hist_in(const struct stat_value *v, enum stat_phase phase);

/* Ratios, after stats_freeze. `den` may be 0: then the ratio has no value in that phase. `applies` is false for the
 * one of mpki and mpka that this run does not use. */
struct stat_ratio {
    const char *path, *name, *unit, *help;
    uint64_t num, den, scale;
    unsigned decimals;
    bool applies;
};
size_t stats_ratio_count(const struct stats *s);
void stats_get_ratio(const struct stats *s, size_t i, enum stat_phase phase, struct stat_ratio *out);

/* Present value of "cpu0.dtlb.misses"; false if there is no such name. */
bool stats_find(const struct stats *s, const char *dotted, uint64_t *value);
/* Where that counter lives, for columns of a series; NULL if there is no such counter (or it is a histogram). */
const uint64_t *stats_where(const struct stats *s, const char *dotted);

#endif
