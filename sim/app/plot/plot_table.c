#include "app/plot/plot_table.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_LEN (1u << 20)

/* One line without its end; NULL at the end of the file or after a line that is too long to be ours. */
static char *next_line(FILE *f, char **buf, size_t *cap)
{
    ssize_t n = getline(buf, cap, f);
    if (n <= 0 || (size_t)n > LINE_MAX_LEN)
        return NULL;
    (*buf)[strcspn(*buf, "\r\n")] = '\0';
    return *buf;
}

int table_open(struct plot_table *t, const char *path, struct err *err)
{
    *t = (struct plot_table){.path = strdup(path)};
    char *line = NULL;
    size_t cap = 0;
    int rc = -1;
    if (!t->path) {
        err_set(err, ERR_RUN, "out of memory");
        goto out;
    }
    t->f = fopen(path, "re");
    if (!t->f) {
        err_set(err, ERR_USAGE, "cannot open: %s", strerror(errno));
        err_at(err, path, 0, 0);
        goto out;
    }
    if (!next_line(t->f, &line, &cap) || !*line) {
        err_set(err, ERR_USAGE, "the file has no head line with the names of the columns");
        err_at(err, path, 1, 0);
        goto out;
    }
    size_t n = 1;
    for (const char *c = line; *c; c++)
        n += *c == ',';
    t->name = calloc(n, sizeof *t->name);
    t->wanted = calloc(n, sizeof *t->wanted);
    t->slot = calloc(n, sizeof *t->slot);
    if (!t->name || !t->wanted || !t->slot) {
        err_set(err, ERR_RUN, "out of memory");
        goto out;
    }
    char *rest = line;
    for (char *part; (part = strsep(&rest, ","));)
        if (!(t->name[t->n_columns++] = strdup(part))) {
            err_set(err, ERR_RUN, "out of memory");
            goto out;
        }
    rc = 0;
out:
    free(line);
    if (rc)
        table_close(t);
    return rc;
}

void table_close(struct plot_table *t)
{
    if (t->f)
        fclose(t->f);
    for (size_t i = 0; t->name && i < t->n_columns; i++)
        free(t->name[i]);
    free(t->name);
    free(t->wanted);
    free(t->slot);
    free(t->cells);
    free(t->path);
    *t = (struct plot_table){0};
}

int table_column(const struct plot_table *t, const char *name)
{
    for (size_t i = 0; i < t->n_columns; i++)
        if (!strcmp(t->name[i], name))
            return (int)i;
    return -1;
}

void table_want(struct plot_table *t, int column)
{
    if (column < 0 || t->wanted[column])
        return;
    t->wanted[column] = true;
    t->slot[column] = t->n_wanted++;
}

static int read_row(struct plot_table *t, char *line, size_t line_number, struct err *err)
{
    if (t->rows == t->cap) {
        size_t cap = t->cap ? t->cap * 2 : 1024;
        double *cells = reallocarray(t->cells, cap, (t->n_wanted + 1) * sizeof *cells);
        if (!cells)
            return err_set(err, ERR_RUN, "out of memory");
        t->cells = cells;
        t->cap = cap;
    }
    double *row = t->cells + t->rows * t->n_wanted;
    size_t c = 0;
    char *rest = line;
    for (char *part; c < t->n_columns && (part = strsep(&rest, ",")); c++) {
        if (!t->wanted[c])
            continue;
        char *end;
        row[t->slot[c]] = strtod(part, &end);
        if (end == part || *end) {
            err_set(err, ERR_USAGE, "column %s: \"%.40s\" is no number", t->name[c], part);
            return err_at(err, t->path, (unsigned)line_number, 0);
        }
    }
    if (c < t->n_columns) {
        err_set(err, ERR_USAGE, "the line has %zu of %zu columns: the file is cut off or damaged", c, t->n_columns);
        err_at(err, t->path, (unsigned)line_number, 0);
        return err_remedy(err, "simulate it again");
    }
    t->rows++;
    return 0;
}

int table_read(struct plot_table *t, struct err *err)
{
    char *line = NULL;
    size_t cap = 0, number = 1;
    int rc = 0;
    while (!rc && t->rows < PLOT_ROWS_MAX && next_line(t->f, &line, &cap))
        if (*line)
            rc = read_row(t, line, ++number, err);
    free(line);
    fclose(t->f);
    t->f = NULL;
    return rc;
}

double table_cell(const struct plot_table *t, size_t row, int column)
{
    assert(column >= 0 && t->wanted[column] && row < t->rows);
    return t->cells[row * t->n_wanted + t->slot[column]];
}
