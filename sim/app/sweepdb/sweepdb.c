#include "app/sweepdb/sweepdb.h"

#include "app/sweep/must.h"
#include "config/text.h"
#include "config/units.h"

#include <cjson/cJSON.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <math.h>
#include <unistd.h>

static int fail(const struct sweepdb *d, struct err *err)
{
    err_set(err, ERR_USAGE, "cannot be read: %s", d->db ? sqlite3_errmsg(d->db) : "out of memory");
    err_remedy(err, "mmulab collect DIR writes it anew");
    return err_at(err, d->path, 0, 0);
}

int sweepdb_prepare(const struct sweepdb *d, sqlite3_stmt **s, const char *sql, struct err *err)
{
    return sqlite3_prepare_v2(d->db, sql, -1, s, NULL) == SQLITE_OK ? 0 : fail(d, err);
}

int sweepdb_step(const struct sweepdb *d, sqlite3_stmt *s, struct err *err)
{
    int rc = sqlite3_step(s);
    return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : fail(d, err);
}

const char *sweepdb_text(sqlite3_stmt *s, int column)
{
    const unsigned char *t = sqlite3_column_text(s, column);
    return t ? (const char *)t : "";
}

/* ---- axes ---- */

static void add_axis(struct sweepdb *d, const char *key)
{
    d->axis = must_grow(d->axis, d->n_axes, sizeof *d->axis);
    d->axis[d->n_axes++] = (struct sweepdb_axis){.key = must_dup(key)};
}

static int meta(struct sweepdb *d, const char *key, char **out, struct err *err)
{
    sqlite3_stmt *s;
    *out = NULL;
    if (sweepdb_prepare(d, &s, "SELECT value FROM meta WHERE key = ?", err) < 0)
        return -1;
    sqlite3_bind_text(s, 1, key, -1, SQLITE_TRANSIENT);
    int rc = sweepdb_step(d, s, err);
    if (rc > 0)
        *out = must_dup(sweepdb_text(s, 0));
    sqlite3_finalize(s);
    return rc < 0 ? -1 : 0;
}

static int load_axes(struct sweepdb *d, struct err *err)
{
    char *schema = NULL, *keys = NULL;
    cJSON *list = NULL, *it;
    int rc = meta(d, "schema", &schema, err) < 0 || meta(d, "axes", &keys, err) < 0 ? -1 : 0;
    if (rc == 0) {
        list = keys ? cJSON_Parse(keys) : NULL;
        if (!schema || strcmp(schema, "1") != 0 || !cJSON_IsArray(list)) {
            err_set(err, ERR_USAGE, "is not of this version's form (meta: schema 1, axes)");
            err_remedy(err, "mmulab collect DIR writes it anew");
            rc = err_at(err, d->path, 0, 0);
        }
    }
    if (rc == 0) {
        cJSON_ArrayForEach(it, list)
            if (cJSON_IsString(it) && strcmp(it->valuestring, "sim.seed") != 0)
                add_axis(d, it->valuestring);
        add_axis(d, SWEEPDB_TRACE);
    }
    cJSON_Delete(list);
    free(schema);
    free(keys);
    return rc;
}

static double number_of(const char *text)
{
    uint64_t u;
    uint32_t cycles;
    double v;
    if (!unit_parse_f64(text, &v, NULL))
        return v;
    if (!unit_parse_size(text, &u, NULL) || !unit_parse_time(text, &u, NULL) || !unit_parse_freq(text, &u, NULL))
        return (double)u;
    return unit_parse_cycles(text, &cycles, NULL) ? NAN : (double)cycles;
}

/* The place of a text among an axis' values; added if new. */
static uint32_t value_at(struct sweepdb_axis *x, const char *text)
{
    for (size_t i = x->n; i-- > 0;)
        if (!strcmp(x->value[i].text, text))
            return (uint32_t)i;
    x->value = must_grow(x->value, x->n, sizeof *x->value);
    x->value[x->n] = (struct sweepdb_value){must_dup(text), number_of(text)};
    return (uint32_t)x->n++;
}

/* ---- points ---- */

static int load_points(struct sweepdb *d, struct err *err)
{
    sqlite3_stmt *s;
    if (sweepdb_prepare(d, &s, "SELECT id, point, status, reason, trace, seed FROM runs ORDER BY id", err) < 0)
        return -1;
    int rc;
    while ((rc = sweepdb_step(d, s, err)) > 0) {
        d->point = must_grow(d->point, d->n_points, sizeof *d->point);
        struct sweepdb_point *p = &d->point[d->n_points++];
        *p = (struct sweepdb_point){.run = sqlite3_column_int64(s, 0), .name = must_dup(sweepdb_text(s, 1)),
                                    .status = must_dup(sweepdb_text(s, 2)), .reason = must_dup(sweepdb_text(s, 3)),
                                    .trace = must_dup(sweepdb_text(s, 4)), .seed = sqlite3_column_int64(s, 5)};
        p->ok = !strcmp(p->status, "ok");
        p->at = must_alloc(d->n_axes, sizeof *p->at);
        for (size_t a = 0; a + 1 < d->n_axes; a++)
            p->at[a] = UINT32_MAX;
        p->at[d->n_axes - 1] = value_at(&d->axis[d->n_axes - 1], p->trace);
    }
    sqlite3_finalize(s);
    return rc;
}

static struct sweepdb_point *point_of(const struct sweepdb *d, sqlite3_int64 run)
{
    size_t low = 0, high = d->n_points;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (d->point[mid].run < run)
            low = mid + 1;
        else
            high = mid;
    }
    return low < d->n_points && d->point[low].run == run ? &d->point[low] : NULL;
}

static int load_values(struct sweepdb *d, struct err *err)
{
    sqlite3_stmt *s;
    if (sweepdb_prepare(d, &s, "SELECT run, text FROM parameters WHERE key = ? ORDER BY run", err) < 0)
        return -1;
    int rc = 0;
    for (size_t a = 0; a + 1 < d->n_axes && rc == 0; a++) {
        sqlite3_bind_text(s, 1, d->axis[a].key, -1, SQLITE_TRANSIENT);
        while ((rc = sweepdb_step(d, s, err)) > 0) {
            struct sweepdb_point *p = point_of(d, sqlite3_column_int64(s, 0));
            if (p)
                p->at[a] = value_at(&d->axis[a], sweepdb_text(s, 1));
        }
        for (size_t i = 0; i < d->n_points; i++)
            if (d->point[i].at[a] == UINT32_MAX)
                d->point[i].at[a] = value_at(&d->axis[a], "?");
        sqlite3_reset(s);
    }
    sqlite3_finalize(s);
    return rc;
}

/* Numbers from the least: insertion, with the points' places in step (axes are short, and mostly sorted). */
static void sort_axis(struct sweepdb *d, size_t a)
{
    struct sweepdb_axis *x = &d->axis[a];
    uint32_t *place = must_alloc(x->n, sizeof *place), *now = must_alloc(x->n, sizeof *now);
    x->numeric = x->n > 0 && a + 1 < d->n_axes;
    for (size_t i = 0; i < x->n; i++) {
        place[i] = (uint32_t)i;
        x->numeric &= !isnan(x->value[i].number);
    }
    for (size_t i = 1; x->numeric && i < x->n; i++)
        for (size_t k = i; k && x->value[k].number < x->value[k - 1].number; k--) {
            struct sweepdb_value v = x->value[k];
            uint32_t was = place[k];
            x->value[k] = x->value[k - 1];
            place[k] = place[k - 1];
            x->value[k - 1] = v;
            place[k - 1] = was;
        }
    for (size_t i = 0; i < x->n; i++)
        now[place[i]] = (uint32_t)i;
    for (size_t i = 0; i < d->n_points; i++)
        d->point[i].at[a] = now[d->point[i].at[a]];
    free(place);
    free(now);
}

static int load_names(struct sweepdb *d, struct err *err)
{
    sqlite3_stmt *s;
    if (sweepdb_prepare(d, &s, "SELECT DISTINCT name FROM statistics ORDER BY name", err) < 0)
        return -1;
    int rc;
    while ((rc = sweepdb_step(d, s, err)) > 0) {
        d->name = must_grow(d->name, d->n_names, sizeof *d->name);
        d->name[d->n_names++] = must_dup(sweepdb_text(s, 0));
    }
    sqlite3_finalize(s);
    d->name = must_grow(d->name, d->n_names, sizeof *d->name);
    d->name[d->n_names] = NULL;
    return rc;
}

/* ---- open and close ---- */

static char *file_in(const char *dir)
{
    size_t n = strlen(dir) + sizeof "/" SWEEPDB_FILE;
    char *path = must_alloc(n, 1);
    snprintf(path, n, "%s/" SWEEPDB_FILE, dir);
    return path;
}

bool sweepdb_is(const char *dir)
{
    char *path = file_in(dir);
    bool there = !access(path, F_OK);
    free(path);
    return there;
}

int sweepdb_find(const char *dir, struct err *err)
{
    if (sweepdb_is(dir))
        return 0;
    char *path = file_in(dir);
    err_set(err, ERR_USAGE, "there is no table of a sweep here");
    err_remedy(err, "mmulab sweep CONFIG -o DIR makes one; mmulab collect DIR writes that of a sweep that was interrupted");
    err_at(err, path, 0, 0);
    free(path);
    return -1;
}

int sweepdb_open(struct sweepdb *d, const char *dir, struct err *err)
{
    *d = (struct sweepdb){.path = file_in(dir)};
    if (sweepdb_find(dir, err) < 0)
        return -1;
    if (sqlite3_open_v2(d->path, &d->db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
        return fail(d, err);
    if (load_axes(d, err) < 0 || load_points(d, err) < 0 || load_values(d, err) < 0 || load_names(d, err) < 0)
        return -1;
    for (size_t a = 0; a < d->n_axes; a++)
        sort_axis(d, a);
    if (!d->n_points) {
        err_set(err, ERR_USAGE, "the sweep has no points");
        return err_at(err, d->path, 0, 0);
    }
    return 0;
}

void sweepdb_close(struct sweepdb *d)
{
    for (size_t a = 0; a < d->n_axes; a++) {
        for (size_t i = 0; i < d->axis[a].n; i++)
            free(d->axis[a].value[i].text);
        free(d->axis[a].value);
        free(d->axis[a].key);
    }
    for (size_t i = 0; i < d->n_points; i++) {
        free(d->point[i].name);
        free(d->point[i].status);
        free(d->point[i].reason);
        free(d->point[i].trace);
        free(d->point[i].at);
    }
    for (size_t i = 0; i < d->n_names; i++)
        free(d->name[i]);
    free(d->axis);
    free(d->point);
    free(d->name);
    free(d->path);
    sqlite3_close(d->db);
    *d = (struct sweepdb){0};
}

/* ---- questions ---- */

bool sweepdb_has(const struct sweepdb *d, const char *pattern)
{
    for (size_t i = 0; i < d->n_names; i++)
        if (!strcmp(pattern, d->name[i]) || !fnmatch(pattern, d->name[i], 0))
            return true;
    return false;
}

/* The name that is nearest to a word, as a whole or from one of its dots on: people leave "mmu." and "cpu0." out. */
static const char *nearest(const char *word, const char *const *names)
{
    size_t best = text_near(word) + 1;
    const char *near = NULL;
    for (; *names; names++)
        for (const char *part = *names; part; part = strchr(part, '.') ? strchr(part, '.') + 1 : NULL) {
            size_t d = text_distance(word, part, best);
            if (d < best) {
                best = d;
                near = *names;
            }
        }
    return near;
}

const char *sweepdb_nearest(const struct sweepdb *d, const char *word) { return nearest(word, (const char *const *)d->name); }

/* "series.NAME": that column of each point's series in its last row. */
static double *last_of_series(const struct sweepdb *d, const char *name, struct err *err)
{
    sqlite3_stmt *s;
    if (sweepdb_prepare(d, &s, "SELECT run, value, max(row) FROM series JOIN series_columns USING(col) WHERE name = ? GROUP BY run", err) < 0)
        return NULL;
    double *v = must_alloc(d->n_points, sizeof *v);
    size_t found = 0;
    int rc;
    for (size_t i = 0; i < d->n_points; i++)
        v[i] = NAN;
    sqlite3_bind_text(s, 1, name, -1, SQLITE_TRANSIENT);
    while ((rc = sweepdb_step(d, s, err)) > 0) { /* a bare column beside max() is of the row that has it (SQLite) */
        const struct sweepdb_point *p = point_of(d, sqlite3_column_int64(s, 0));
        if (p && sqlite3_column_type(s, 1) == SQLITE_FLOAT) {
            v[p - d->point] = sqlite3_column_double(s, 1);
            found++;
        }
    }
    sqlite3_finalize(s);
    if (rc == 0 && !found) {
        err_set(err, ERR_USAGE, "no point has a series with a column \"%.200s\"", name);
        err_remedy(err, "mmulab plot list DIR/points/... names the columns");
        rc = err_at(err, d->path, 0, 0);
    }
    if (rc < 0) {
        free(v);
        return NULL;
    }
    return v;
}

double *sweepdb_statistic(const struct sweepdb *d, const char *name, struct err *err)
{
    char wide[300];
    if (!strncmp(name, "series.", 7))
        return last_of_series(d, name + 7, err);
    if (!sweepdb_has(d, name) && snprintf(wide, sizeof wide, "cpu*.%s", name) < (int)sizeof wide && sweepdb_has(d, wide))
        name = wide;
    if (!sweepdb_has(d, name)) {
        const char *near = sweepdb_nearest(d, name);
        err_set(err, ERR_USAGE, d->name[0] ? "no point has a statistic \"%.200s\"" : "no point is complete, so there is no \"%.200s\"",
                name);
        if (near)
            err_remedy(err, "did you mean \"%.200s\"?", near);
        else
            err_remedy(err, d->name[0] ? "mmulab stats list names them" : "mmulab status DIR tells why");
        err_at(err, d->path, 0, 0);
        return NULL;
    }
    double *v = must_alloc(d->n_points, sizeof *v);
    for (size_t i = 0; i < d->n_points; i++)
        v[i] = NAN;
    sqlite3_stmt *s = NULL;
    int rc = sweepdb_prepare(d, &s, "SELECT run, value FROM statistics WHERE name = ?", err);
    for (size_t k = 0; k < d->n_names && rc == 0; k++) {
        if (strcmp(name, d->name[k]) != 0 && fnmatch(name, d->name[k], 0) != 0)
            continue;
        sqlite3_bind_text(s, 1, d->name[k], -1, SQLITE_TRANSIENT);
        while ((rc = sweepdb_step(d, s, err)) > 0) {
            const struct sweepdb_point *p = point_of(d, sqlite3_column_int64(s, 0));
            int type = sqlite3_column_type(s, 1);
            if (!p || (type != SQLITE_INTEGER && type != SQLITE_FLOAT))
                continue;
            double *at = &v[p - d->point];
            *at = (isnan(*at) ? 0 : *at) + sqlite3_column_double(s, 1);
        }
        sqlite3_reset(s);
    }
    sqlite3_finalize(s);
    if (rc < 0) {
        free(v);
        return NULL;
    }
    return v;
}

int sweepdb_axis(const struct sweepdb *d, const char *word, struct err *err)
{
    int found = -1;
    size_t n = strlen(word), hits = 0;
    for (size_t a = 0; a < d->n_axes; a++) {
        const char *key = d->axis[a].key;
        size_t len = strlen(key);
        if (!strcmp(key, word))
            return (int)a;
        if (len > n && key[len - n - 1] == '.' && !strcmp(key + len - n, word)) {
            found = (int)a;
            hits++;
        }
    }
    if (hits == 1)
        return found;
    char all[480] = "";
    const char **keys = must_alloc(d->n_axes + 1, sizeof *keys);
    for (size_t a = 0; a < d->n_axes; a++) {
        size_t len = strlen(all);
        keys[a] = d->axis[a].key;
        snprintf(all + len, sizeof all - len, "%s%.100s", a ? ", " : "", keys[a]);
    }
    const char *near = nearest(word, keys);
    err_set(err, ERR_USAGE, hits ? "several axes end in \"%.100s\"" : "the sweep has no axis \"%.100s\"", word);
    if (near && !hits)
        err_remedy(err, "did you mean \"%.200s\"?", near);
    else
        err_remedy(err, "it has %s", all);
    free(keys);
    err_at(err, d->path, 0, 0);
    return -1;
}

int sweepdb_value(const struct sweepdb *d, size_t axis, const char *text, struct err *err)
{
    const struct sweepdb_axis *x = &d->axis[axis];
    double number = number_of(text);
    for (size_t i = 0; i < x->n; i++)
        if (!strcmp(x->value[i].text, text) || (!isnan(number) && x->value[i].number == number))
            return (int)i;
    size_t n = strlen(text);
    for (size_t i = 0; axis + 1 == d->n_axes && i < x->n; i++) /* a trace without its suffix */
        if (!strncmp(x->value[i].text, text, n) && x->value[i].text[n] == '.')
            return (int)i;
    char all[400] = "";
    for (size_t i = 0; i < x->n; i++) {
        size_t len = strlen(all);
        snprintf(all + len, sizeof all - len, "%s%.60s", i ? ", " : "", x->value[i].text);
    }
    err_set(err, ERR_USAGE, "%.200s is never \"%.60s\" in this sweep", x->key, text);
    err_remedy(err, "it is %s", all);
    return err_at(err, d->path, 0, 0);
}

void sweepdb_point_text(const struct sweepdb *d, const struct sweepdb_point *p, char *out, size_t size)
{
    size_t n = 0;
    *out = '\0';
    for (size_t a = 0; a < d->n_axes && n < size; a++)
        if (*d->axis[a].value[p->at[a]].text)
            n += (size_t)snprintf(out + n, size - n, "%s %s, ", d->axis[a].key, d->axis[a].value[p->at[a]].text);
    if (n < size)
        snprintf(out + n, size - n, "seed %" PRId64, p->seed);
}
