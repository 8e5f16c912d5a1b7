#include "app/result/series/result_series.h"

#include "engine/state.h"

#include <assert.h>
#include <ctype.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct series_column {
    char *name, *unit;
    enum series_kind kind;
    series_get get;
    const void *ctx;
    uint64_t arg;
    unsigned group; /* 0: always there */
};

int series_new(struct series **out, uint64_t interval, struct err *err)
{
    struct series *s = calloc(1, sizeof *s);
    *out = s;
    if (!s)
        return err_set(err, ERR_RUN, "out of memory for the series");
    s->fixed = interval != 0;
    s->interval = interval ? interval : 1;
    s->max_rows = s->fixed ? SERIES_FIXED_ROWS_MAX : SERIES_ROWS_MAX;
    return 0;
}

void series_free(struct series *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n_columns; i++) {
        free(s->columns[i].name);
        free(s->columns[i].unit);
    }
    free(s->columns);
    free(s->cells);
    free(s);
}

void series_limit_rows(struct series *s, uint64_t rows)
{
    assert(!s->rows);
    if (rows < s->max_rows)
        s->max_rows = rows < 2 ? 2 : rows;
}

/* Out of memory for a few kilobytes while the machine is built leaves nothing sensible to do. */
static void *must(void *p)
{
    if (!p) {
        fputs("mmulab: out of memory for the series\n", stderr);
        abort();
    }
    return p;
}

void series_add(struct series *s, const char *name, const char *unit, enum series_kind kind, series_get get,
                const void *ctx, uint64_t arg)
{
    assert(!s->rows);
    assert(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(name));
    for (size_t i = 0; i < s->n_columns; i++)
        if (!strcmp(s->columns[i].name, name))
            return;
    if (s->n_columns == s->cap_columns) {
        s->cap_columns = s->cap_columns ? s->cap_columns * 2 : 64;
        s->columns = must(reallocarray(s->columns, s->cap_columns, sizeof *s->columns));
    }
    s->columns[s->n_columns++] = (struct series_column){
        .name = must(strdup(name)), .unit = must(strdup(unit)), .kind = kind, .get = get, .ctx = ctx, .arg = arg};
}

unsigned series_group(struct series *s) { return ++s->n_groups; }
void series_in_group(struct series *s, unsigned group)
{
    assert(s->n_columns);
    s->columns[s->n_columns - 1].group = group;
}

static uint64_t get_u64(const void *ctx, uint64_t arg)
{
    (void)arg;
    return *(const uint64_t *)ctx;
}

void series_add_u64(struct series *s, const char *name, const char *unit, const uint64_t *value)
{
    series_add(s, name, unit, SERIES_U64, get_u64, value, 0);
}

size_t series_add_stats(struct series *s, const struct stats *stats, const char *pattern)
{
    size_t before = s->n_columns, literal = strcspn(pattern, "*?[");
    for (size_t i = 0; i < stats_count(stats); i++) {
        struct stat_value v;
        char full[512], column[512];
        stats_get(stats, i, &v);
        size_t path = strlen(v.path);
        if (v.hist || strncmp(pattern, v.path, path < literal ? path : literal) != 0) /* most end here, before their name is joined */
            continue;
        snprintf(full, sizeof full, "%s%s%s", v.path, *v.path ? "." : "", v.name);
        if (fnmatch(pattern, full, 0))
            continue;
        size_t n = 0;
        for (; full[n]; n++)
            column[n] = isalnum((unsigned char)full[n]) ? (char)tolower((unsigned char)full[n]) : '_';
        column[n] = '\0';
        series_add_u64(s, column, v.unit, stats_where(stats, full));
    }
    return s->n_columns - before;
}

void series_add_defaults(struct series *s, const struct stats *stats)
{
    static const char *const patterns[] = {
        "sim.references", "sim.instructions", "sim.cycles", "cpu[0-9].instructions", "cpu[0-9].cycles",
        "cpu[0-9][0-9].instructions", "cpu[0-9][0-9].cycles",
        "cpu*.itlb.accesses", "cpu*.itlb.misses", "cpu*.dtlb.accesses", "cpu*.dtlb.misses",
        "cpu*.stlb.accesses", "cpu*.stlb.misses", "cpu*.walker.walks", "cpu*.walker.cycles",
        "cpu*.walker.pte_reads", "cpu*.l1i.accesses", "cpu*.l1i.misses", "cpu*.l1d.accesses", "cpu*.l1d.misses",
        "cpu*.l2.accesses", "cpu*.l2.misses", "llc.accesses", "llc.misses", "dram.reads", "dram.writes",
        "dram.row_hits", "dram.row_misses", "dram.row_conflicts", "vm.faults_minor", "vm.faults_major",
        "vm.faults_cow", "vm.faults_zero", "vm.faults_file", "buddy.failures", "buddy.fallback*", "zone.*.free_[0-9]*", "zone.*.active_*", "zone.*.inactive_*",
        "reclaim.scanned", "reclaim.reclaimed", "swap.ins", "swap.outs", "swap.slots_used", "oom.kills",
    };
    for (size_t i = 0; i < ARRAY_LEN(patterns); i++)
        series_add_stats(s, stats, patterns[i]);
}

/* Cells per row: the reference count of the row (for merging and the end row), then the columns. */
static size_t width(const struct series *s) { return s->n_columns + 1; }
static uint64_t *row_at(const struct series *s, size_t row) { return s->cells + row * width(s); }

/* Rows 0, 2, 4, ... stay: in automatic mode these are the multiples of the doubled interval. */
static void halve(struct series *s)
{
    size_t kept = (s->rows + 1) / 2;
    for (size_t i = 1; i < kept; i++)
        memcpy(row_at(s, i), row_at(s, 2 * i), width(s) * sizeof *s->cells);
    s->rows = kept;
    if (s->interval <= UINT64_MAX / 4)
        s->interval *= 2;
    /* Where samples come later than they are due (at the ends of batches), the real distance counts. */
    uint64_t distance = kept > 1 ? (row_at(s, kept - 1)[0] - row_at(s, 0)[0]) / (kept - 1) : 0;
    if (distance > s->interval)
        s->interval = distance;
}

static void take_row(struct series *s, uint64_t references)
{
    if (s->rows == s->cap_rows) {
        size_t cap = s->cap_rows ? s->cap_rows * 2 : 64;
        uint64_t *cells = reallocarray(s->cells, cap, width(s) * sizeof *cells);
        if (!cells && s->rows >= 2)
            halve(s); /* less resolution is better than a lost run */
        else {
            s->cells = must(cells);
            s->cap_rows = cap;
        }
    }
    uint64_t *row = row_at(s, s->rows++);
    row[0] = references;
    for (size_t i = 0; i < s->n_columns; i++)
        row[i + 1] = s->columns[i].get(s->columns[i].ctx, s->columns[i].arg);
}

void series_sample(struct series *s, uint64_t references)
{
    if (s->rows == s->max_rows)
        halve(s);
    take_row(s, references);
    uint64_t step = references - references % s->interval;
    s->next = step > UINT64_MAX - s->interval ? UINT64_MAX : step + s->interval;
}

/* Groups whose columns are 0 in every row go. */
static void drop_idle(struct series *s)
{
    bool *stays = s->n_groups ? calloc(s->n_groups + 1, sizeof *stays) : NULL;
    size_t kept = 0, old = width(s), now = 1;
    if (!stays)
        return;
    stays[0] = true;
    for (size_t r = 0; r < s->rows; r++)
        for (size_t c = 0; c < s->n_columns; c++)
            if (s->cells[r * old + c + 1])
                stays[s->columns[c].group] = true;
    for (size_t c = 0; c < s->n_columns; c++)
        now += stays[s->columns[c].group];
    for (size_t r = 0; now < old && r < s->rows; r++) {
        uint64_t *from = s->cells + r * old, *to = s->cells + r * now;
        *to++ = *from++;
        for (size_t c = 0; c < s->n_columns; c++, from++)
            if (stays[s->columns[c].group])
                *to++ = *from;
    }
    for (size_t c = 0; c < s->n_columns; c++) {
        if (stays[s->columns[c].group]) {
            s->columns[kept++] = s->columns[c];
        } else {
            free(s->columns[c].name);
            free(s->columns[c].unit);
        }
    }
    s->n_columns = kept;
    free(stays);
}

void series_finish(struct series *s, uint64_t references)
{
    if (s->rows > 1 && row_at(s, s->rows - 1)[0] == references)
        s->rows--;
    take_row(s, references);
    s->next = UINT64_MAX;
    drop_idle(s);
}

void series_state(struct series *s, struct state_io *io)
{
    uint64_t rows = s->rows;
    state_mark(io, "series");
    state_same(io, s->n_columns, "number of columns in its series");
    state_same(io, s->fixed, "kind of interval in its series");
    state_u64(io, &s->interval);
    state_u64(io, &s->next);
    state_u64(io, &rows);
    if (!state_check(io, s->interval > 0 && rows <= s->max_rows, "the series has too many rows"))
        return;
    if (io->loading && rows) {
        uint64_t *cells = reallocarray(s->cells, rows, width(s) * sizeof *cells);
        if (!cells) {
            state_fail(io, "out of host memory for the series");
            return;
        }
        s->cells = cells;
        s->cap_rows = rows;
    }
    s->rows = rows;
    state_bytes(io, s->cells, rows * width(s) * sizeof *s->cells);
}

size_t series_rows(const struct series *s) { return s->rows; }
size_t series_columns(const struct series *s) { return s->n_columns; }
const char *series_column_name(const struct series *s, size_t column) { return s->columns[column].name; }
const char *series_column_unit(const struct series *s, size_t column) { return s->columns[column].unit; }
uint64_t series_cell(const struct series *s, size_t row, size_t column) { return row_at(s, row)[column + 1]; }

/* Tables have some hundred thousand cells, many of one digit: into memory by hand takes a fiftieth of fprintf's time. */
static char *put_u64(char *p, uint64_t v, unsigned least)
{
    char buf[24], *q = buf + sizeof buf;
    if (v < 10 && least == 1) {
        *p = (char)('0' + v);
        return p + 1;
    }
    do
        *--q = (char)('0' + v % 10);
    while (v /= 10, v || q > buf + sizeof buf - least);
    while (q < buf + sizeof buf)
        *p++ = *q++;
    return p;
}

static char *put_cell(char *p, enum series_kind kind, uint64_t v)
{
    if (kind != SERIES_U64 && (int64_t)v < 0) {
        *p++ = '-';
        v = 0 - v;
    }
    if (kind != SERIES_MILLI)
        return put_u64(p, v, 1);
    p = put_u64(p, v / 1000, 1);
    *p++ = '.';
    return put_u64(p, v % 1000, 3);
}

void series_write_csv(const struct series *s, FILE *f)
{
    for (size_t c = 0; c < s->n_columns; c++)
        fprintf(f, "%s%s", c ? "," : "", s->columns[c].name);
    fputc('\n', f);
    enum { CELL_MAX = 32, BUFFER = 8192 };
    char buf[BUFFER], *p = buf;
    for (size_t r = 0; r < s->rows; r++)
        for (size_t c = 0; c < s->n_columns; c++) {
            p = put_cell(p, s->columns[c].kind, series_cell(s, r, c));
            *p++ = c + 1 < s->n_columns ? ',' : '\n';
            if (p > buf + BUFFER - CELL_MAX) {
                fwrite_unlocked(buf, 1, (size_t)(p - buf), f);
                p = buf;
            }
        }
    fwrite_unlocked(buf, 1, (size_t)(p - buf), f);
}
