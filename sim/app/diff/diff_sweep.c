/* Two sweeps, point by point: those with the same axes, trace and seed; what differs between them beside. */
#include "app/diff/diff.h"

#include "app/result/json/json_out.h"
#include "app/result/json/result_json.h"
#include "app/sweep/must.h"
#include "app/sweepdb/sweepdb.h"

#include <inttypes.h>
#include <math.h>

struct match { size_t at[2]; }; /* places among the points of A and B */
struct side { char *key; size_t at; };

/* A statistic over all matched points. */
struct line {
    char *name, *text[2]; /* values where the change is largest */
    size_t n, differ, from_zero, at, order;
    double sum, largest; /* of changes in per cent; those from 0 have none and are counted apart */
};
struct failure { size_t condition, at; char *name, *text[2]; double percent; };

struct comparison {
    const struct diff_options *o;
    struct sweepdb d[2];
    struct match *match;
    size_t n;         /* with a result on both sides */
    struct match *lame;
    size_t n_lame;    /* without, on one side or both */
    size_t *only[2], n_only[2];
    struct line *line;
    size_t n_lines;
    struct failure *failure;
    size_t n_failures;
    size_t named[CONDITIONS_MAX];
    struct json_out j;
};

/* ---- matching ---- */

static int by_key(const void *x, const void *y)
{
    const struct side *a = x, *b = y;
    int c = strcmp(a->key, b->key);
    return c ? c : a->at < b->at ? -1 : a->at > b->at;
}

/* "KEY VALUE" of every axis that either sweep has, then trace and seed. What is no axis here is a parameter, or as by default. */
static char *key_of(const struct comparison *c, int s, size_t at, sqlite3_stmt *find)
{
    const struct sweepdb *d = &c->d[s];
    const struct sweepdb_point *p = &d->point[at];
    char *text = NULL;
    size_t len = 0;
    FILE *f = must(open_memstream(&text, &len));
    for (int k = 0; k < 2; k++)
        for (size_t a = 0; a + 1 < c->d[k].n_axes; a++) {
            const char *key = c->d[k].axis[a].key, *value = NULL;
            bool both = false;
            for (size_t b = 0; k == 1 && b + 1 < c->d[0].n_axes; b++)
                both |= !strcmp(c->d[0].axis[b].key, key);
            if (both)
                continue;
            for (size_t b = 0; b + 1 < d->n_axes; b++)
                if (!strcmp(d->axis[b].key, key))
                    value = d->axis[b].value[p->at[b]].text;
            if (!value) {
                sqlite3_reset(find);
                sqlite3_bind_int64(find, 1, p->run);
                sqlite3_bind_text(find, 2, key, -1, SQLITE_TRANSIENT);
                value = sqlite3_step(find) == SQLITE_ROW ? sweepdb_text(find, 0) : "(default)";
            }
            fprintf(f, "%s %s\n", key, value);
        }
    fprintf(f, "%s\n%" PRId64, p->trace, p->seed);
    return must_text(f, &text);
}

static int sides(const struct comparison *c, int s, struct side **out, struct err *err)
{
    sqlite3_stmt *find;
    if (sweepdb_prepare(&c->d[s], &find, "SELECT text FROM parameters WHERE run = ? AND key = ?", err) < 0)
        return -1;
    *out = must_alloc(c->d[s].n_points, sizeof **out);
    for (size_t i = 0; i < c->d[s].n_points; i++)
        (*out)[i] = (struct side){key_of(c, s, i, find), i};
    qsort(*out, c->d[s].n_points, sizeof **out, by_key);
    sqlite3_finalize(find);
    return 0;
}

static int by_place(const void *x, const void *y)
{
    const struct match *a = x, *b = y;
    return a->at[0] < b->at[0] ? -1 : a->at[0] > b->at[0];
}
static int by_number(const void *x, const void *y)
{
    const size_t *a = x, *b = y;
    return *a < *b ? -1 : *a > *b;
}

static int match_points(struct comparison *c, struct err *err)
{
    struct side *s[2] = {NULL, NULL};
    size_t n[2] = {c->d[0].n_points, c->d[1].n_points};
    int rc = sides(c, 0, &s[0], err) < 0 || sides(c, 1, &s[1], err) < 0 ? -1 : 0;
    c->match = must_alloc(n[0], sizeof *c->match);
    c->lame = must_alloc(n[0], sizeof *c->lame);
    for (int k = 0; k < 2; k++)
        c->only[k] = must_alloc(n[k], sizeof *c->only[k]);
    for (size_t i = 0, k = 0; rc == 0 && (i < n[0] || k < n[1]);) {
        int order = i == n[0] ? 1 : k == n[1] ? -1 : strcmp(s[0][i].key, s[1][k].key);
        if (order == 0) {
            struct match m = {{s[0][i++].at, s[1][k++].at}};
            if (c->d[0].point[m.at[0]].ok && c->d[1].point[m.at[1]].ok)
                c->match[c->n++] = m;
            else
                c->lame[c->n_lame++] = m;
        } else if (order < 0) {
            c->only[0][c->n_only[0]++] = s[0][i++].at;
        } else {
            c->only[1][c->n_only[1]++] = s[1][k++].at;
        }
    }
    qsort(c->match, c->n, sizeof *c->match, by_place);
    qsort(c->lame, c->n_lame, sizeof *c->lame, by_place);
    for (int k = 0; k < 2; k++) {
        qsort(c->only[k], c->n_only[k], sizeof *c->only[k], by_number);
        for (size_t i = 0; s[k] && i < n[k]; i++)
            free(s[k][i].key);
        free(s[k]);
    }
    if (rc == 0 && !c->n && !c->n_lame) {
        err_set(err, ERR_USAGE, "no point of %.300s has the axes, trace and seed of one of %.300s", c->o->dir[0], c->o->dir[1]);
        rc = err_remedy(err, "the first has %zu points, the second %zu; mmulab status DIR shows them", n[0], n[1]);
    }
    return rc;
}

/* B beside A in one connection, and the matches as a table of it. */
static int join(struct comparison *c, struct err *err)
{
    static const char text[] = "ATTACH ? AS b";
    sqlite3_stmt *s;
    if (sweepdb_prepare(&c->d[0], &s, text, err) < 0)
        return -1;
    sqlite3_bind_text(s, 1, c->d[1].path, -1, SQLITE_TRANSIENT);
    int rc = sweepdb_step(&c->d[0], s, err);
    sqlite3_finalize(s);
    if (rc < 0 || sweepdb_prepare(&c->d[0], &s, "CREATE TEMP TABLE pairs(k INTEGER PRIMARY KEY, ra INTEGER, rb INTEGER)", err) < 0)
        return -1;
    rc = sweepdb_step(&c->d[0], s, err);
    sqlite3_finalize(s);
    if (rc < 0 || sweepdb_prepare(&c->d[0], &s, "INSERT INTO temp.pairs VALUES(?, ?, ?)", err) < 0)
        return -1;
    for (size_t i = 0; i < c->n && rc == 0; i++) {
        sqlite3_bind_int64(s, 1, (sqlite3_int64)i);
        sqlite3_bind_int64(s, 2, c->d[0].point[c->match[i].at[0]].run);
        sqlite3_bind_int64(s, 3, c->d[1].point[c->match[i].at[1]].run);
        rc = sweepdb_step(&c->d[0], s, err);
        sqlite3_reset(s);
    }
    sqlite3_finalize(s);
    return rc;
}

static const char *point_text(const struct comparison *c, size_t match, char *buf, size_t size)
{
    sweepdb_point_text(&c->d[0], &c->d[0].point[c->match[match].at[0]], buf, size);
    return buf;
}

/* ---- parameters and inputs ---- */

static int put_parameters(struct comparison *c, struct err *err)
{
    static const char sql[] =
        "SELECT key, ta, tb, count(*) FROM ("
        " SELECT a.key AS key, a.text AS ta, b.text AS tb FROM temp.pairs JOIN main.parameters a ON a.run = ra AND NOT a.is_axis"
        " LEFT JOIN b.parameters b ON b.run = rb AND b.key = a.key WHERE a.text IS NOT b.text"
        " UNION ALL SELECT b.key, NULL, b.text FROM temp.pairs JOIN b.parameters b ON b.run = rb AND NOT b.is_axis"
        " LEFT JOIN main.parameters a ON a.run = ra AND a.key = b.key WHERE a.key IS NULL)"
        " WHERE key <> 'sim.seed' GROUP BY key, ta, tb ORDER BY key, ta, tb";
    sqlite3_stmt *s;
    if (sweepdb_prepare(&c->d[0], &s, sql, err) < 0)
        return -1;
    size_t n = 0;
    int rc;
    if (c->o->json)
        json_begin_array(&c->j, "parameters");
    while ((rc = sweepdb_step(&c->d[0], s, err)) > 0) {
        bool null[2] = {sqlite3_column_type(s, 1) == SQLITE_NULL, sqlite3_column_type(s, 2) == SQLITE_NULL};
        size_t in = (size_t)sqlite3_column_int64(s, 3);
        if (c->o->json) {
            json_begin_object(&c->j, NULL);
            json_str(&c->j, "name", sweepdb_text(s, 0));
            for (int k = 0; k < 2; k++)
                json_str(&c->j, k ? "b" : "a", null[k] ? NULL : sweepdb_text(s, k + 1));
            json_u64(&c->j, "points", in);
            json_end(&c->j);
            continue;
        }
        if (!n++)
            puts("parameters:");
        printf("  %s  %s -> ", sweepdb_text(s, 0), null[0] ? "(default)" : sweepdb_text(s, 1));
        printf("%s", null[1] ? "(default)" : sweepdb_text(s, 2));
        if (in < c->n)
            printf("  in %zu of %zu points", in, c->n);
        putchar('\n');
    }
    if (c->o->json)
        json_end(&c->j);
    else if (!n && rc == 0)
        puts("parameters: equal but for the axes");
    sqlite3_finalize(s);
    return rc;
}

static int put_inputs(struct comparison *c, struct err *err)
{
    static const char *const sql[] = {
        "SELECT a.value || ' -> ' || b.value FROM main.meta a JOIN b.meta b USING(key) WHERE key = 'version' AND a.value <> b.value",
        "SELECT DISTINCT a.trace || ' of ' || a.trace_hash || ' -> ' || b.trace_hash FROM temp.pairs JOIN main.runs a ON a.id = ra"
        " JOIN b.runs b ON b.id = rb WHERE a.trace_hash <> b.trace_hash ORDER BY 1"};
    int rc = 0;
    for (int i = 0; i < 2 && rc == 0; i++) {
        sqlite3_stmt *s;
        if (sweepdb_prepare(&c->d[0], &s, sql[i], err) < 0)
            return -1;
        while ((rc = sweepdb_step(&c->d[0], s, err)) > 0)
            printf("inputs: the %s differ: %s\n", i ? "traces" : "versions of mmulab", sweepdb_text(s, 0));
        sqlite3_finalize(s);
    }
    return rc;
}

/* ---- points ---- */

static void put_points(struct comparison *c)
{
    char text[600];
    const struct diff_options *o = c->o;
    printf("points: %zu matched", c->n);
    for (int k = 0; k < 2; k++)
        if (c->n_only[k])
            printf(", %zu only in %s", c->n_only[k], o->dir[k]);
    printf(c->n_lame ? ", %zu without a result\n" : "\n", c->n_lame);
    for (int k = 0; k < 2; k++)
        for (size_t i = 0; i < c->n_only[k]; i++) {
            sweepdb_point_text(&c->d[k], &c->d[k].point[c->only[k][i]], text, sizeof text);
            printf("  only in %s: %s\n", o->dir[k], text);
        }
    for (size_t i = 0; i < c->n_lame; i++)
        for (int k = 0; k < 2; k++) {
            const struct sweepdb_point *p = &c->d[k].point[c->lame[i].at[k]];
            if (p->ok)
                continue;
            sweepdb_point_text(&c->d[k], p, text, sizeof text);
            printf("  no result in %s: %s: %s%s%s\n", o->dir[k], text, p->status, *p->reason ? ", " : "", p->reason);
        }
}

static void json_points(struct comparison *c)
{
    static const char *const name[] = {"only_a", "only_b", "no_result"};
    char text[600];
    json_u64(&c->j, "matched", c->n);
    for (int k = 0; k < 3; k++) {
        size_t n = k < 2 ? c->n_only[k] : c->n_lame;
        json_begin_array(&c->j, name[k]);
        for (size_t i = 0; i < n; i++) {
            int s = k < 2 ? k : 0;
            sweepdb_point_text(&c->d[s], &c->d[s].point[k < 2 ? c->only[k][i] : c->lame[i].at[0]], text, sizeof text);
            json_str(&c->j, NULL, text);
        }
        json_end(&c->j);
    }
}

/* ---- statistics ---- */

static void judge(struct comparison *c, sqlite3_stmt *s, size_t at, double a, double b)
{
    const char *name = sweepdb_text(s, 0);
    for (size_t k = 0; k < c->o->n_fail_if; k++) {
        if (!condition_names(&c->o->fail_if[k], name))
            continue;
        c->named[k]++;
        if (!condition_holds(&c->o->fail_if[k], a, b))
            continue;
        c->failure = must_grow(c->failure, c->n_failures, sizeof *c->failure);
        struct failure *f = &c->failure[c->n_failures++];
        *f = (struct failure){.condition = k, .at = at, .name = must_dup(name), .percent = change_percent(a, b)};
        for (int i = 0; i < 2; i++)
            f->text[i] = must_dup(sweepdb_text(s, i + 2));
    }
}

static void add(struct comparison *c, sqlite3_stmt *s)
{
    size_t at = (size_t)sqlite3_column_int64(s, 1);
    double a = sqlite3_column_double(s, 2), b = sqlite3_column_double(s, 3), percent = change_percent(a, b);
    struct line *l = c->n_lines ? &c->line[c->n_lines - 1] : NULL;
    if (!l || strcmp(l->name, sweepdb_text(s, 0)) != 0) {
        c->line = must_grow(c->line, c->n_lines, sizeof *c->line);
        l = &c->line[c->n_lines];
        *l = (struct line){.name = must_dup(sweepdb_text(s, 0)), .order = c->n_lines};
        c->n_lines++;
    }
    /* whole numbers beyond 2^53 can differ where doubles do not */
    bool differs = a != b || strcmp(sweepdb_text(s, 2), sweepdb_text(s, 3)) != 0;
    l->n++;
    l->differ += differs;
    l->from_zero += isinf(percent) != 0;
    l->sum += isinf(percent) ? 0 : percent;
    if (differs && (!l->text[0] || fabs(percent) > fabs(l->largest))) {
        l->largest = percent;
        l->at = at;
        for (int i = 0; i < 2; i++) {
            free(l->text[i]);
            l->text[i] = must_dup(sweepdb_text(s, i + 2));
        }
    }
    judge(c, s, at, a, b);
}

static int load_lines(struct comparison *c, struct err *err)
{
    static const char sql[] = "SELECT a.name, k, a.value, b.value FROM temp.pairs JOIN main.statistics a ON a.run = ra"
                              " JOIN b.statistics b ON b.run = rb AND b.name = a.name"
                              " WHERE typeof(a.value) IN ('integer', 'real') AND typeof(b.value) IN ('integer', 'real')"
                              " ORDER BY a.name, k";
    sqlite3_stmt *s;
    if (sweepdb_prepare(&c->d[0], &s, sql, err) < 0)
        return -1;
    int rc;
    while ((rc = sweepdb_step(&c->d[0], s, err)) > 0)
        add(c, s);
    sqlite3_finalize(s);
    for (size_t k = 0; k < c->o->n_fail_if && rc == 0; k++)
        if (!c->named[k]) {
            const char *near = sweepdb_nearest(&c->d[0], c->o->fail_if[k].name);
            err_set(err, ERR_USAGE, "--fail-if \"%.200s\": no matched point has a statistic that is a number of that name",
                    c->o->fail_if[k].text);
            rc = near ? err_remedy(err, "did you mean \"%.200s\"?", near) : err_remedy(err, "mmulab stats list names them");
        }
    return rc;
}

static int by_largest(const void *x, const void *y)
{
    const struct line *a = x, *b = y;
    double p = fabs(a->largest), q = fabs(b->largest);
    return p > q ? -1 : p < q ? 1 : a->order < b->order ? -1 : a->order > b->order;
}

static bool shown(const struct comparison *c, const struct line *l)
{
    return result_name_matches(c->o->pattern, l->name) && (c->o->all || (l->differ && fabs(l->largest) > c->o->above));
}

/* The mean change over the points where A was not 0; NAN if there is none. */
static double mean(const struct line *l) { return l->n > l->from_zero ? l->sum / (double)(l->n - l->from_zero) : NAN; }

static void put_lines(const struct comparison *c)
{
    size_t n = 0, total = 0, width = 0;
    char most[64], average[64], where[600];
    for (size_t i = 0; i < c->n_lines; i++) {
        total += result_name_matches(c->o->pattern, c->line[i].name);
        if (!shown(c, &c->line[i]))
            continue;
        n++;
        width = strlen(c->line[i].name) > width ? strlen(c->line[i].name) : width;
    }
    printf("statistics: %zu of %zu %s\n", n, total, c->o->all ? "shown" : c->o->above > 0 ? "differ by more somewhere" : "differ somewhere");
    for (size_t i = 0; i < c->n_lines; i++) {
        const struct line *l = &c->line[i];
        if (!shown(c, l))
            continue;
        printf("  %-*s  %*zu of %zu points", (int)width, l->name, c->n > 999 ? 5 : 3, l->differ, l->n);
        if (l->differ) {
            double m = mean(l);
            printf("  mean %s", isnan(m) ? "-" : diff_percent_text(m, average, sizeof average));
            printf("  largest %s", diff_percent_text(l->largest, most, sizeof most));
            printf("  (%s -> %s at %s)", l->text[0], l->text[1], point_text(c, l->at, where, sizeof where));
        }
        putchar('\n');
    }
}

static void json_percent(struct json_out *j, const char *name, double v)
{
    char buf[64];
    if (!isfinite(v))
        return;
    snprintf(buf, sizeof buf, "%.6g", v);
    json_number(j, name, buf);
}

static void json_lines(struct comparison *c)
{
    char where[600];
    json_begin_array(&c->j, "statistics");
    for (size_t i = 0; i < c->n_lines; i++) {
        const struct line *l = &c->line[i];
        if (!shown(c, l))
            continue;
        json_begin_object(&c->j, NULL);
        json_str(&c->j, "name", l->name);
        json_u64(&c->j, "points", l->n);
        json_u64(&c->j, "differ", l->differ);
        json_percent(&c->j, "mean_percent", mean(l));
        if (l->differ) {
            json_percent(&c->j, "largest_percent", l->largest);
            json_str(&c->j, "at", point_text(c, l->at, where, sizeof where));
            json_number(&c->j, "a", l->text[0]);
            json_number(&c->j, "b", l->text[1]);
        }
        json_end(&c->j);
    }
    json_end(&c->j);
}

/* ---- conditions ---- */

/* Of a point that A has and B lacks nothing can be said: that fails every condition. */
static size_t put_lost(struct comparison *c)
{
    char text[600];
    size_t lost = 0;
    for (size_t i = 0; c->o->n_fail_if && i < c->n_lame; i++) {
        const struct sweepdb_point *a = &c->d[0].point[c->lame[i].at[0]], *b = &c->d[1].point[c->lame[i].at[1]];
        if (!a->ok || b->ok)
            continue;
        lost++;
        sweepdb_point_text(&c->d[0], a, text, sizeof text);
        if (c->o->json) {
            json_begin_object(&c->j, NULL);
            json_str(&c->j, "point", text);
            json_str(&c->j, "status", b->status);
            json_end(&c->j);
        } else {
            printf("FAIL: no result in %s at %s: %s\n", c->o->dir[1], text, b->status);
        }
    }
    return lost;
}

static void put_failures(struct comparison *c)
{
    char where[600], percent[64];
    for (size_t k = 0; k < c->o->n_fail_if; k++)
        for (size_t i = 0; i < c->n_failures; i++) {
            const struct failure *f = &c->failure[i];
            if (f->condition != k)
                continue;
            point_text(c, f->at, where, sizeof where);
            if (c->o->json) {
                json_begin_object(&c->j, NULL);
                json_str(&c->j, "condition", c->o->fail_if[k].text);
                json_str(&c->j, "name", f->name);
                json_str(&c->j, "point", where);
                json_end(&c->j);
            } else {
                printf("FAIL: %s: %s is %s, was %s (%s) at %s\n", c->o->fail_if[k].text, f->name, f->text[1], f->text[0],
                       diff_percent_text(f->percent, percent, sizeof percent), where);
            }
        }
}

/* ---- the whole ---- */

static int put(struct comparison *c, struct err *err)
{
    size_t lost;
    if (c->o->json) {
        json_out_init(&c->j, stdout, true);
        json_begin_object(&c->j, NULL);
        if (put_parameters(c, err) < 0)
            return -1;
        json_points(c);
        json_lines(c);
        json_begin_array(&c->j, "failed");
        lost = put_lost(c);
        put_failures(c);
        json_end(&c->j);
        json_end(&c->j);
        json_end_document(&c->j);
    } else {
        if (put_inputs(c, err) < 0 || put_parameters(c, err) < 0)
            return -1;
        put_points(c);
        put_lines(c);
        lost = put_lost(c);
        put_failures(c);
    }
    return lost || c->n_failures;
}

int diff_sweeps(const struct diff_options *o, struct err *err)
{
    struct comparison *c = must_alloc(1, sizeof *c);
    c->o = o;
    int rc = -1;
    if (sweepdb_open(&c->d[0], o->dir[0], err) == 0 && sweepdb_open(&c->d[1], o->dir[1], err) == 0 && match_points(c, err) == 0 &&
        join(c, err) == 0 && load_lines(c, err) == 0) {
        if (o->sort)
            qsort(c->line, c->n_lines, sizeof *c->line, by_largest);
        size_t matching = 0;
        for (size_t i = 0; i < c->n_lines; i++)
            matching += result_name_matches(o->pattern, c->line[i].name);
        rc = matching || !o->pattern ? put(c, err) : diff_no_match(o, err);
    }
    for (size_t i = 0; i < c->n_lines; i++) {
        free(c->line[i].name);
        free(c->line[i].text[0]);
        free(c->line[i].text[1]);
    }
    for (size_t i = 0; i < c->n_failures; i++) {
        free(c->failure[i].name);
        free(c->failure[i].text[0]);
        free(c->failure[i].text[1]);
    }
    for (int k = 0; k < 2; k++) {
        free(c->only[k]);
        sweepdb_close(&c->d[k]);
    }
    free(c->match);
    free(c->lame);
    free(c->line);
    free(c->failure);
    free(c);
    return rc;
}
