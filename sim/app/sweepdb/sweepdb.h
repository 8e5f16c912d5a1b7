/*
 * A sweep's results.sqlite, read: its axes, its points, their statistics. Schema: docs/sweep.md. What is no number where one
 * belongs, or is missing, is no error but a point without that value.
 */
#ifndef APP_SWEEPDB_H
#define APP_SWEEPDB_H

#include "engine/err.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SWEEPDB_FILE "results.sqlite"
#define SWEEPDB_TRACE "trace" /* the axis of the traces; always the last */

struct sweepdb_value {
    char *text;    /* as the table has it: "64KiB" */
    double number; /* bytes, ps, Hz, cycles; NAN for a name */
};

struct sweepdb_axis {
    char *key;
    struct sweepdb_value *value; /* numbers from the least; names in the order of the points */
    size_t n;
    bool numeric; /* all values are numbers */
};

struct sweepdb_point {
    sqlite3_int64 run;
    char *name, *status, *reason, *trace; /* never NULL */
    int64_t seed;
    bool ok;
    uint32_t *at; /* for each axis the place of its value */
};

struct sweepdb {
    sqlite3 *db;
    char *path;
    struct sweepdb_axis *axis; /* of the configuration in order, then the traces; seeds are no axis */
    size_t n_axes;
    struct sweepdb_point *point; /* by run */
    size_t n_points;
    char **name; /* of the statistics, sorted; NULL behind the last */
    size_t n_names;
};

/* Is there a results.sqlite in the folder? */
bool sweepdb_is(const char *dir);
int sweepdb_find(const char *dir, struct err *err); /* -1 with err if there is none */
int sweepdb_open(struct sweepdb *d, const char *dir, struct err *err);
void sweepdb_close(struct sweepdb *d);

/* Does a point have a statistic of that name, or that the pattern matches? */
bool sweepdb_has(const struct sweepdb *d, const char *pattern);
/* The statistic of each point (NAN: it has none), to be freed. A shell pattern adds up all it matches; without a pattern
 * "dtlb.misses" means "cpu*.dtlb.misses" where there is no such name. "series.NAME" is a column of the series at
 * the end of the run. NULL and err if nothing is meant. */
double *sweepdb_statistic(const struct sweepdb *d, const char *name, struct err *err);

/* The statistic whose name is nearest to a word, as a whole or from one of its dots on; NULL if none is near. */
const char *sweepdb_nearest(const struct sweepdb *d, const char *word);

/* The axis that a word names: its key or the end of its key behind a dot. -1 with err, which proposes the nearest. */
int sweepdb_axis(const struct sweepdb *d, const char *word, struct err *err);
/* The place of a value ("1MiB" is "1024KiB"); -1 with err, which lists them. */
int sweepdb_value(const struct sweepdb *d, size_t axis, const char *text, struct err *err);

/* Which points have the values of "KEY=VALUE"s (several of one key: any of them); all without any. A flag a point, to be freed;
 * NULL and err if one names nothing, or no point has them all. */
bool *sweepdb_where(const struct sweepdb *d, const char *const *where, size_t n, struct err *err);

/* "mmu.stlb.entries 96, trace gzip.mtr, seed 2" */
void sweepdb_point_text(const struct sweepdb *d, const struct sweepdb_point *p, char *out, size_t size);

/* A column's text of the present row; "" for NULL. */
const char *sweepdb_text(sqlite3_stmt *s, int column);
/* Prepares a statement; an error names the file. */
int sweepdb_prepare(const struct sweepdb *d, sqlite3_stmt **s, const char *sql, struct err *err);
/* 1: a row; 0: no more; -1: err. */
int sweepdb_step(const struct sweepdb *d, sqlite3_stmt *s, struct err *err);

#endif
