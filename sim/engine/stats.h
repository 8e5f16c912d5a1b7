/*
 * Statistics, declared once by X-macro:
 *
 *   #define TLB_STATS(X) \
 *       X(accesses, "lookups", "translations asked for") \
 *       X(misses,   "lookups", "... that found no entry")
 *   struct tlb_stats { TLB_STATS(STAT_FIELD) };
 *   static const struct stat_desc tlb_stat_descs[] = { TLB_STATS(STAT_DESC_OF(struct tlb_stats)) };
 *
 * Hot code does `t->st.misses++`. Components register their struct once under a dotted path ("cpu0.dtlb") while the
 * machine is built; then the tree is frozen. The warm-up snapshot is a copy of all counters; what is measured is the
 * difference. Ratios are derived when written, never stored.
 */
#ifndef ENGINE_STATS_H
#define ENGINE_STATS_H

#include "engine/err.h"
#include "engine/types.h"

#define STAT_FIELD(name, unit, help) uint64_t name;
struct stat_desc {
    const char *name, *unit, *help;
    size_t offset; /* of the uint64_t in the registered struct */
};
/* Use inside a table: X expands with the struct type bound by the macro's user. */
#define STAT_ENTRY(type, name, unit, help) {#name, unit, help, offsetof(type, name)},

/* A histogram with power-of-two buckets: bucket i counts values v with floor(log2(v)) + 1 == i; bucket 0 counts 0. */
#define STAT_HIST_BUCKETS 40
struct stat_hist {
    uint64_t count[STAT_HIST_BUCKETS];
    uint64_t n, sum, max;
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
/* Registers `n` counters of the struct at `base` under `path`. `path` is copied. Aborts after stats_freeze. */
void stats_add(struct stats *s, const char *path, const void *base, const struct stat_desc *d, size_t n);
void stats_add_hist(struct stats *s, const char *path, const char *name, const struct stat_hist *h, const char *unit,
                    const char *help);
void stats_freeze(struct stats *s);
/* Remembers the present values as the end of the warm-up. */
void stats_snapshot(struct stats *s);

/* Walks all counters in order of registration; `warmup` is the snapshot's value (0 without one), `total` the present
 * one. */
struct stat_value {
    const char *path, *name, *unit, *help;
    uint64_t warmup, total;
    const struct stat_hist *hist, *hist_warmup; /* non-NULL for histograms; then warmup and total are sums */
};
size_t stats_count(const struct stats *s);
void stats_get(const struct stats *s, size_t i, struct stat_value *out);
/* Present value of "cpu0.dtlb.misses"; false if there is no such name. */
bool stats_find(const struct stats *s, const char *dotted, uint64_t *value);

#endif
