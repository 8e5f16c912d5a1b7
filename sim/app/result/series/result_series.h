/*
 * series.csv: columns registered before the run, one row per interval. The length of a trace is not known in advance,
 * so in automatic mode the interval starts at one reference and doubles whenever SERIES_ROWS_MAX rows are full, by
 * dropping every second row. Columns are cumulative counters or present values, so what is dropped is resolution
 * only. A run of at least 1,000 references ends with 1,000 to 2,000 rows; the shortest has two (start and end).
 * Rows are kept in memory (bounded) and written at the end, also after an interruption.
 */
#ifndef APP_RESULT_SERIES_H
#define APP_RESULT_SERIES_H

#include "engine/err.h"
#include "engine/stats.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define SERIES_ROWS_MAX 2000u
/* With a fixed interval nothing is dropped, up to this many rows; then it doubles as in automatic mode. */
#define SERIES_FIXED_ROWS_MAX 1000000u

enum series_kind {
    SERIES_U64,   /* a counter or a present value */
    SERIES_I64,   /* signed: get returns the two's complement */
    SERIES_MILLI, /* signed thousandths, written with three decimals: 500 is 0.500 */
};
/* The column's value now; `arg` tells several columns of one getter apart (an order, a core). */
typedef uint64_t (*series_get)(const void *ctx, uint64_t arg);

struct series {
    struct series_column *columns;
    size_t n_columns, cap_columns;
    uint64_t *cells; /* rows * n_columns */
    size_t rows, cap_rows, max_rows;
    uint64_t interval, next; /* references */
    bool fixed;
    unsigned n_groups;
};

/* `interval` in references, 0 for automatic. */
int series_new(struct series **out, uint64_t interval, struct err *err);
void series_free(struct series *s); /* NULL is fine */
/* Fewer rows than the constants above; at least 2. Before the first row. */
void series_limit_rows(struct series *s, uint64_t rows);

/* Before the first row; a name that is a column already is ignored. `name` (lower case, digits, underscores) and `unit` are copied. */
void series_add(struct series *s, const char *name, const char *unit, enum series_kind kind, series_get get,
                const void *ctx, uint64_t arg);
/* A new group, and the column that was added last belongs to it: if all of a group's columns stay 0, series_finish leaves them out. */
unsigned series_group(struct series *s);
void series_in_group(struct series *s, unsigned group); /* 0: to none */
void series_add_u64(struct series *s, const char *name, const char *unit, const uint64_t *value);

/* The column of a statistic: its full name with everything but letters and digits turned into '_', lower case
 * ("cpu0.dtlb.misses" is cpu0_dtlb_misses). Adds every counter whose full name matches the shell pattern (fnmatch; '*'
 * matches dots too) and that is no column yet; returns how many. After stats_freeze. */
size_t series_add_stats(struct series *s, const struct stats *stats, const char *pattern);
/* The columns that every run has, as far as the machine has the statistics (docs/model/output.md). */
void series_add_defaults(struct series *s, const struct stats *stats);

/* The run loop: `if (unlikely(series_due(s, references))) series_sample(s, references);` A late sample is right, since
 * the row holds the values of its own moment. */
static inline bool series_due(const struct series *s, uint64_t references)
{
    return references >= s->next;
}
/* The first call, at 0 references, is the start row. */
void series_sample(struct series *s, uint64_t references);
/* The end row: always kept, whatever the interval; replaces a row of the same reference count. */
void series_finish(struct series *s, uint64_t references);

/* The rows so far. Loading: a series with the same columns and no row. */
struct state_io;
void series_state(struct series *s, struct state_io *io);

size_t series_rows(const struct series *s);
size_t series_columns(const struct series *s);
const char *series_column_name(const struct series *s, size_t column);
const char *series_column_unit(const struct series *s, size_t column);
uint64_t series_cell(const struct series *s, size_t row, size_t column);
void series_write_csv(const struct series *s, FILE *f);

#endif
