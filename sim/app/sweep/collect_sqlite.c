/*
 * results.sqlite: made anew, in one transaction and in the order of points, under a temporary name. The same results give
 * the same bytes (with one version of SQLite). The schema is a contract: docs/sweep.md.
 */
#include "app/sweep/collect.h"

#include "app/cmd_config.h"
#include "app/result/json/json_out.h"
#include "app/result/json/result_json.h"
#include "app/sweep/must.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <sqlite3.h>
#include <unistd.h>

/* A table of series for looking at, not for keeping: points/.../series.csv has every row. */
enum { SERIES_VALUES = 2000000, SERIES_ROWS_LEAST = 16, SERIES_ROWS_MOST = 100 };

static const char schema[] =
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;"
    "CREATE TABLE runs(id INTEGER PRIMARY KEY, point TEXT, status TEXT, reason TEXT, trace TEXT, seed INTEGER,"
    " config_hash TEXT, trace_hash TEXT, complete INTEGER);"
    "CREATE TABLE parameters(run INTEGER, key TEXT, text TEXT, number REAL, is_axis INTEGER, PRIMARY KEY(run, key)) WITHOUT ROWID;"
    "CREATE TABLE statistics(run INTEGER, name TEXT, value, PRIMARY KEY(run, name)) WITHOUT ROWID;"
    "CREATE TABLE series_columns(col INTEGER PRIMARY KEY, name TEXT, unit TEXT);"
    "CREATE TABLE series(run INTEGER, row INTEGER, col INTEGER, value REAL, PRIMARY KEY(run, row, col)) WITHOUT ROWID;"
    "CREATE INDEX statistics_by_name ON statistics(name, run);"
    "CREATE INDEX parameters_by_key ON parameters(key, run);"
    "CREATE VIEW results AS SELECT runs.id AS run, point, trace, seed, name, value FROM runs JOIN statistics ON run = id;"
    "CREATE VIEW named_series AS SELECT run, row, name, unit, value FROM series JOIN series_columns USING(col);";

struct db {
    sqlite3 *db;
    sqlite3_stmt *run, *parameter, *statistic, *column, *value, *meta;
    sqlite3_stmt *cells; /* inserts a row of the columns cell_column[n_cells] */
    int *cell_column;
    size_t n_cells;
    const char *path;
    char **name; /* of the series' columns */
    size_t n_names;
    struct config *defaults;
};

static int fail(struct db *d, struct err *err)
{
    return err_set(err, ERR_RUN, "%.300s: %s", d->path, d->db ? sqlite3_errmsg(d->db) : "out of memory");
}

static int sql(struct db *d, const char *text, struct err *err)
{
    return sqlite3_exec(d->db, text, NULL, NULL, NULL) == SQLITE_OK ? 0 : fail(d, err);
}

static int prepare(struct db *d, sqlite3_stmt **s, const char *text, struct err *err)
{
    return sqlite3_prepare_v2(d->db, text, -1, s, NULL) == SQLITE_OK ? 0 : fail(d, err);
}

static int step(struct db *d, sqlite3_stmt *s, struct err *err)
{
    int rc = sqlite3_step(s) == SQLITE_DONE ? 0 : fail(d, err);
    sqlite3_reset(s);
    return rc;
}

static void text(sqlite3_stmt *s, int at, const char *v) { sqlite3_bind_text(s, at, v, -1, SQLITE_TRANSIENT); }

/* ---- meta ---- */

static int meta(struct db *d, const char *key, const char *value, struct err *err)
{
    text(d->meta, 1, key);
    text(d->meta, 2, value);
    return step(d, d->meta, err);
}

/* The axes' keys in order: ["mmu.stlb.entries", "memory.size"]; by groups: [["mmu.stlb.entries"], ["a", "b"], ["trace"]]. */
static char *axes_json(const struct sweep_plan *p, bool groups)
{
    char *out = NULL;
    size_t len = 0;
    FILE *f = must(open_memstream(&out, &len));
    struct json_out j;
    json_out_init(&j, f, true);
    json_begin_array(&j, NULL);
    for (size_t a = 0; a < p->axes.n; a++) {
        const struct sweep_axis *x = &p->axes.axis[a];
        if (groups)
            json_begin_array(&j, NULL);
        for (size_t k = 0; (groups || collect_is_column(x)) && k < x->n_keys; k++)
            json_str(&j, NULL, x->key[k]);
        if (groups)
            json_end(&j);
    }
    json_end(&j);
    fclose(f);
    return must(out);
}

static int put_meta(struct db *d, const struct collection *c, struct err *err)
{
    char *axes = axes_json(c->plan, false), *groups = axes_json(c->plan, true);
    int rc = meta(d, "schema", "1", err) < 0 || meta(d, "version", MMULAB_VERSION, err) < 0 ||
             meta(d, "config_hash", c->plan->config_hash, err) < 0 || meta(d, "axes", axes, err) < 0 ||
             meta(d, "axis_groups", groups, err) < 0;
    free(axes);
    free(groups);
    return rc ? -1 : 0;
}

/* A row a point, a column an axis. */
static int make_view(struct db *d, const struct collection *c, struct err *err)
{
    char *out = NULL;
    size_t len = 0;
    FILE *f = must(open_memstream(&out, &len));
    fputs("CREATE VIEW points AS SELECT id AS run, point, status, trace, seed", f);
    for (size_t a = 0; a < c->plan->axes.n; a++) {
        const struct sweep_axis *x = &c->plan->axes.axis[a];
        for (size_t k = 0; collect_is_column(x) && k < x->n_keys; k++) {
            char *column = sqlite3_mprintf(", (SELECT coalesce(number, text) FROM parameters WHERE run = id AND key = %Q) AS \"%w\"",
                                           x->key[k], x->key[k]);
            fputs(must(column), f);
            sqlite3_free(column);
        }
    }
    fputs(" FROM runs", f);
    int rc = sql(d, must_text(f, &out), err);
    free(out);
    return rc;
}

/* ---- parameters ---- */

static bool number_of(const struct config_item *it, double *out)
{
    switch (it->param->type) {
    case P_U32:
    case P_CYC:
        *out = *(const uint32_t *)it->at;
        return true;
    case P_U64:
    case P_SIZE:
    case P_TIME:
    case P_FREQ:
        *out = (double)*(const uint64_t *)it->at;
        return true;
    case P_I64:
        *out = (double)*(const int64_t *)it->at;
        return true;
    case P_F64:
        *out = *(const double *)it->at;
        return true;
    default:
        return false;
    }
}

static int put_parameter(struct db *d, size_t run, const char *key, const char *value, const double *number, bool axis,
                         struct err *err)
{
    sqlite3_bind_int64(d->parameter, 1, (sqlite3_int64)run);
    text(d->parameter, 2, key);
    text(d->parameter, 3, value);
    if (number)
        sqlite3_bind_double(d->parameter, 4, *number);
    else
        sqlite3_bind_null(d->parameter, 4);
    sqlite3_bind_int(d->parameter, 5, axis);
    return step(d, d->parameter, err);
}

static bool is_axis(const struct sweep_plan *p, const char *key)
{
    for (size_t a = 0; a < p->axes.n; a++)
        for (size_t k = 0; collect_is_column(&p->axes.axis[a]) && k < p->axes.axis[a].n_keys; k++)
            if (!strcmp(p->axes.axis[a].key[k], key))
                return true;
    return false;
}

/* Axes whatever their value; of the rest what is not as by default. */
static int put_parameters(struct db *d, const struct collection *c, size_t run, struct err *err)
{
    struct sweep_point pt;
    struct config_item it, def;
    int rc = 0;
    plan_point(c->plan, run, &pt);
    for (size_t a = 0; a < c->plan->axes.n && rc == 0; a++) {
        const struct sweep_axis *x = &c->plan->axes.axis[a];
        /* without a configuration the values' texts are all there is */
        for (size_t k = 0; collect_is_column(x) && k < x->n_keys && rc == 0; k++)
            if (x->kind == AXIS_PRESET || !pt.config || !config_find(pt.config, x->key[k], &it))
                rc = put_parameter(d, run, x->key[k], plan_value(c->plan, run, a, k), NULL, true, err);
    }
    for (size_t i = 0, k = 0; pt.config && i < config_count(pt.config) && rc == 0; i++) {
        config_get(pt.config, i, &it);
        bool same_key = false;
        if (k < config_count(d->defaults)) { /* elements of lists stand between */
            config_get(d->defaults, k, &def);
            same_key = !strcmp(it.key, def.key);
        }
        bool axis = is_axis(c->plan, it.key), list = it.param->type == P_OBJECT_LIST;
        k += same_key;
        if (!axis && same_key && it.is_default) /* most: not worth their texts */
            continue;
        char *value = must(config_value_plain(pt.config, i)), *other = same_key ? must(config_value_plain(d->defaults, k - 1)) : NULL;
        double number;
        if (axis || (!list && (!other || strcmp(value, other) != 0)))
            rc = put_parameter(d, run, it.key, value, number_of(&it, &number) ? &number : NULL, axis, err);
        free(value);
        free(other);
    }
    plan_point_free(&pt);
    return rc;
}

/* ---- runs and statistics ---- */

static int put_run(struct db *d, const struct collection *c, size_t i, struct err *err)
{
    static const char *const states[] = POINT_STATES;
    const struct sweep_point *pt = &c->point[i];
    const struct collected_point *got = &c->got[i];
    sqlite3_bind_int64(d->run, 1, (sqlite3_int64)i);
    text(d->run, 2, pt->name);
    text(d->run, 3, states[got->state]);
    text(d->run, 4, got->reason);
    text(d->run, 5, pt->trace);
    sqlite3_bind_int64(d->run, 6, (sqlite3_int64)pt->seed);
    text(d->run, 7, pt->config_hash[0] ? pt->config_hash : NULL);
    text(d->run, 8, pt->trace_hash);
    sqlite3_bind_int(d->run, 9, got->state == POINT_OK);
    return step(d, d->run, err);
}

static int put_statistics(struct db *d, const struct collection *c, size_t i, struct err *err)
{
    const struct collected_point *got = &c->got[i];
    int rc = 0;
    for (size_t k = 0; k < got->n && rc == 0; k++) {
        const char *t = got->value[k].text;
        if (!t)
            continue;
        char *end;
        errno = 0;
        long long whole = strtoll(t, &end, 10);
        sqlite3_bind_int64(d->statistic, 1, (sqlite3_int64)i);
        text(d->statistic, 2, c->column[got->value[k].column]);
        if (!*end && !errno)
            sqlite3_bind_int64(d->statistic, 3, whole);
        else /* a ratio, or more than 63 bits hold */
            sqlite3_bind_double(d->statistic, 3, strtod(t, NULL));
        rc = step(d, d->statistic, err);
    }
    return rc;
}

/* ---- series ---- */

/* A point's series.csv and where the units of its columns are: read when a column is new. */
struct point_series {
    char *csv, *stats_path;
    struct json_flat stats;
};

/* The number of a column; -1 after an error. */
static int series_column(struct db *d, struct point_series *s, const char *name, struct err *err)
{
    for (size_t i = 0; i < d->n_names; i++)
        if (!strcmp(d->name[i], name))
            return (int)i;
    if (!s->stats.n && json_flat_load(&s->stats, s->stats_path, err) < 0)
        return -1;
    char key[300];
    snprintf(key, sizeof key, "series.columns.%.200s", name);
    d->name = must_grow(d->name, d->n_names, sizeof *d->name);
    d->name[d->n_names] = must_dup(name);
    sqlite3_bind_int64(d->column, 1, (sqlite3_int64)d->n_names);
    text(d->column, 2, name);
    text(d->column, 3, json_flat_get(&s->stats, key));
    return step(d, d->column, err) < 0 ? -1 : (int)d->n_names++;
}

/*
 * One statement for all cells of a row: starting a statement costs more than inserting a value. "n" values ?3, ?4, ... of the columns
 * that column[] names, in run ?1 and row ?2.
 */
static int prepare_cells(struct db *d, const int *column, size_t n, struct err *err)
{
    if (n == d->n_cells && !memcmp(column, d->cell_column, n * sizeof *column))
        return 0;
    sqlite3_finalize(d->cells);
    d->cells = NULL;
    d->n_cells = 0;
    if (n + 2 > (size_t)sqlite3_limit(d->db, SQLITE_LIMIT_VARIABLE_NUMBER, -1))
        return 0;
    char *out = NULL;
    size_t len = 0;
    FILE *f = must(open_memstream(&out, &len));
    fputs("INSERT INTO series VALUES", f);
    for (size_t k = 0; k < n; k++)
        fprintf(f, "%s(?1,?2,%d,?%zu)", k ? "," : "", column[k], k + 3);
    must_text(f, &out);
    int rc = prepare(d, &d->cells, out, err);
    free(out);
    free(d->cell_column);
    d->cell_column = must_alloc(n, sizeof *column);
    memcpy(d->cell_column, column, n * sizeof *column);
    d->n_cells = rc < 0 ? 0 : n;
    return rc;
}

static int put_cell(struct db *d, size_t run, size_t row, int column, double v, struct err *err)
{
    sqlite3_bind_int64(d->value, 1, (sqlite3_int64)run);
    sqlite3_bind_int64(d->value, 2, (sqlite3_int64)row);
    sqlite3_bind_int(d->value, 3, column);
    sqlite3_bind_double(d->value, 4, v);
    return step(d, d->value, err);
}

/* A row of the series: all cells by one statement; one by one where some are empty, or are more than a statement takes. */
static int put_row(struct db *d, size_t run, size_t row, char *line, const int *column, double *v, size_t n, struct err *err)
{
    size_t there = 0;
    for (size_t k = 0; k < n; k++) {
        char *cell = line ? strsep(&line, ",\n") : NULL, *end = cell;
        v[k] = cell ? strtod(cell, &end) : 0;
        if (end == cell)
            v[k] = NAN;
        else
            there++;
    }
    if (there == n && d->cells) {
        sqlite3_bind_int64(d->cells, 1, (sqlite3_int64)run);
        sqlite3_bind_int64(d->cells, 2, (sqlite3_int64)row);
        for (size_t k = 0; k < n; k++)
            sqlite3_bind_double(d->cells, (int)k + 3, v[k]);
        return step(d, d->cells, err);
    }
    int rc = 0;
    for (size_t k = 0; k < n && rc == 0; k++)
        if (!isnan(v[k]))
            rc = put_cell(d, run, row, column[k], v[k], err);
    return rc;
}

/* Rows of a series at equal distances, the first and the last among them. */
static int put_lines(struct db *d, const struct collection *c, size_t run, struct point_series *s, struct err *err)
{
    int *column = NULL, rc = 0;
    size_t n = 0, rows = 0, kept = 0;
    char *csv = s->csv, *head = strsep(&csv, "\n"), *name;
    while (rc == 0 && (name = strsep(&head, ","))) {
        column = must_grow(column, n, sizeof *column);
        rc = column[n++] = series_column(d, s, name, err);
        rc = rc < 0 ? -1 : 0;
    }
    if (rc == 0 && n)
        rc = prepare_cells(d, column, n, err);
    double *v = must_alloc(n, sizeof *v);
    for (const char *p = csv; p && (p = strchr(p, '\n')); p++)
        rows++;
    size_t want = SERIES_VALUES / ((n ? n : 1) * (c->count[POINT_OK] ? c->count[POINT_OK] : 1));
    want = want < SERIES_ROWS_LEAST ? SERIES_ROWS_LEAST : want > SERIES_ROWS_MOST ? SERIES_ROWS_MOST : want;
    want = want > rows ? rows : want;
    char *line;
    for (size_t row = 0; rc == 0 && row < rows && (line = strsep(&csv, "\n")); row++) {
        size_t at = want > 1 ? kept * (rows - 1) / (want - 1) : 0;
        if (row != at)
            continue;
        rc = put_row(d, run, row, line, column, v, n, err);
        kept++;
    }
    free(column);
    free(v);
    return rc;
}

static int put_series(struct db *d, const struct collection *c, struct sweep_folder *f, size_t run, struct err *err)
{
    char *path = folder_point_path(f, &c->point[run], "series.csv");
    struct point_series s = {.stats_path = folder_point_path(f, &c->point[run], "stats.json")};
    size_t len;
    int rc = result_text_load(&s.csv, &len, path, err);
    if (rc == 0)
        rc = put_lines(d, c, run, &s, err);
    json_flat_free(&s.stats);
    free(s.csv);
    free(s.stats_path);
    free(path);
    return rc;
}

/* ---- the whole ---- */

static int fill(struct db *d, const struct collection *c, struct sweep_folder *f, struct err *err)
{
    if (sql(d, "PRAGMA page_size=4096; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; BEGIN;", err) < 0 ||
        sql(d, schema, err) < 0 ||
        prepare(d, &d->meta, "INSERT INTO meta VALUES(?,?)", err) < 0 ||
        prepare(d, &d->run, "INSERT INTO runs VALUES(?,?,?,?,?,?,?,?,?)", err) < 0 ||
        prepare(d, &d->parameter, "INSERT INTO parameters VALUES(?,?,?,?,?)", err) < 0 ||
        prepare(d, &d->statistic, "INSERT INTO statistics VALUES(?,?,?)", err) < 0 ||
        prepare(d, &d->column, "INSERT INTO series_columns VALUES(?,?,?)", err) < 0 ||
        prepare(d, &d->value, "INSERT INTO series VALUES(?,?,?,?)", err) < 0 || put_meta(d, c, err) < 0 ||
        make_view(d, c, err) < 0)
        return -1;
    struct config_request nothing = {0};
    if (config_load(&d->defaults, machine_config_schema(), &nothing, NULL) < 0)
        return err_set(err, ERR_RUN, "the default configuration does not load");
    for (size_t i = 0; i < c->plan->n; i++) {
        if (put_run(d, c, i, err) < 0 || put_parameters(d, c, i, err) < 0 || put_statistics(d, c, i, err) < 0 ||
            (c->got[i].state == POINT_OK && put_series(d, c, f, i, err) < 0))
            return -1;
    }
    return sql(d, "COMMIT;", err);
}

int collect_sqlite(struct collection *c, struct sweep_folder *f, struct err *err)
{
    char *path = folder_temporary(f, "results.sqlite");
    struct db d = {.path = path};
    unlink(path);
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    int rc = sqlite3_open_v2(path, &d.db, flags, NULL) == SQLITE_OK ? fill(&d, c, f, err) : fail(&d, err);
    sqlite3_stmt *all[] = {d.run, d.parameter, d.statistic, d.column, d.value, d.meta, d.cells};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        sqlite3_finalize(all[i]);
    if (sqlite3_close(d.db) != SQLITE_OK && rc == 0)
        rc = fail(&d, err);
    for (size_t i = 0; i < d.n_names; i++)
        free(d.name[i]);
    free(d.name);
    free(d.cell_column);
    config_free(d.defaults);
    if (rc == 0)
        rc = folder_commit(f, path, "results.sqlite", err);
    if (rc < 0)
        unlink(path);
    free(path);
    return rc;
}
