/*
 * series.csv for pictures: numbers as doubles, only the columns that are wanted. Ragged lines (a file cut short) end
 * the table; what is no number is an error with its line.
 */
#ifndef APP_PLOT_TABLE_H
#define APP_PLOT_TABLE_H

#include "engine/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct plot_table {
    char *path;
    FILE *f;
    char **name; /* of every column */
    bool *wanted;
    size_t *slot; /* place of a wanted column in a row of cells */
    size_t n_columns, n_wanted;
    double *cells;
    size_t rows, cap;
};

#define PLOT_ROWS_MAX 1000000u /* as many as a series ever has (result_series.h) */

int table_open(struct plot_table *t, const char *path, struct err *err); /* reads the head line */
void table_close(struct plot_table *t);
int table_column(const struct plot_table *t, const char *name); /* -1 if there is none */
void table_want(struct plot_table *t, int column);              /* -1 is ignored */
int table_read(struct plot_table *t, struct err *err);
double table_cell(const struct plot_table *t, size_t row, int column); /* of a wanted column */

#endif
