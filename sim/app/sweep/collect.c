#include "app/sweep/collect.h"

#include "app/result/json/result_json.h"
#include "app/sweep/must.h"
#include "app/sweep/student.h"

#include <inttypes.h>
#include <uthash.h>

/* ---- reading ---- */

struct named { /* a statistic's column */
    char *name;
    uint32_t column;
    UT_hash_handle hh;
};

/* clang-format off */
static uint32_t column_of(struct collection *c, struct named **names, const char *name)
{
    struct named *n = NULL;
    HASH_FIND_STR(*names, name, n);
    if (n)
        return n->column;
    n = must_alloc(1, sizeof *n);
    n->name = must_dup(name);
    n->column = (uint32_t)c->n_columns;
    HASH_ADD_KEYPTR(hh, *names, n->name, strlen(n->name), n);
    c->column = must_grow(c->column, c->n_columns, sizeof *c->column);
    c->column[c->n_columns++] = n->name;
    return n->column;
}

static void names_free(struct named **names)
{
    struct named *n = *names, *next;
    HASH_CLEAR(hh, *names);
    for (; n; n = next) {
        next = n->hh.next;
        free(n); /* the name is the collection's */
    }
}
/* clang-format on */

static int load_point(struct collection *c, struct sweep_folder *f, size_t i, struct named **names, struct err *err)
{
    static const char phase[] = "measure.";
    struct collected_point *got = &c->got[i];
    struct json_flat j;
    char *path = folder_point_path(f, &c->point[i], "stats.json");
    int rc = json_flat_load(&j, path, err);
    free(path);
    if (rc < 0)
        return -1;
    for (size_t k = 0; k < j.n; k++) {
        const struct json_flat_value *v = &j.v[k];
        bool number = v->type == JSON_NUMBER, nothing = v->type == JSON_LITERAL && !strcmp(v->text, "null");
        if ((!number && !nothing) || strncmp(v->path, phase, sizeof phase - 1) != 0)
            continue;
        got->value = must_grow(got->value, got->n, sizeof *got->value);
        got->value[got->n++] = (struct collected_value){column_of(c, names, v->path + sizeof phase - 1),
                                                        number ? must_dup(v->text) : NULL};
    }
    json_flat_free(&j);
    return 0;
}

int collect_load(struct collection *c, struct sweep_folder *f, const struct sweep_plan *p, const struct sweep_point *point,
                 struct err *err)
{
    struct named *names = NULL;
    int rc = 0;
    *c = (struct collection){.plan = p, .point = point, .got = must_alloc(p->n, sizeof *c->got)};
    for (size_t i = 0; i < p->n && rc == 0; i++) {
        c->got[i].state = folder_state(f, &point[i], &c->got[i].reason);
        c->count[c->got[i].state]++;
        if (c->got[i].state == POINT_OK)
            rc = load_point(c, f, i, &names, err);
    }
    names_free(&names);
    if (rc < 0)
        collect_free(c);
    return rc;
}

void collect_free(struct collection *c)
{
    for (size_t i = 0; c->got && i < c->plan->n; i++) {
        for (size_t k = 0; k < c->got[i].n; k++)
            free(c->got[i].value[k].text);
        free(c->got[i].value);
        free(c->got[i].reason);
    }
    for (size_t i = 0; i < c->n_columns; i++)
        free(c->column[i]);
    free(c->column);
    free(c->got);
    *c = (struct collection){0};
}

/* ---- tables ---- */

bool collect_is_column(const struct sweep_axis *x) { return x->kind == AXIS_KEYS || x->kind == AXIS_PRESET; }

static bool is_seed(const struct sweep_axis *x)
{
    return x->kind == AXIS_SEED || (x->n_keys == 1 && !strcmp(x->key[0], "sim.seed"));
}

bool collect_same_group(const struct sweep_plan *p, size_t a, size_t b)
{
    for (size_t i = 0; i < p->axes.n; i++) {
        if (!is_seed(&p->axes.axis[i]) && p->combo[a * p->axes.n + i] != p->combo[b * p->axes.n + i])
            return false;
    }
    return true;
}

static void put_csv(FILE *f, const char *s)
{
    if (!s[strcspn(s, ",\"\n\r")]) {
        fputs(s, f);
        return;
    }
    fputc('"', f);
    for (; *s; s++) {
        if (*s == '"')
            fputc('"', f);
        fputc(*s, f);
    }
    fputc('"', f);
}

static void put_axis_names(const struct collection *c, FILE *f)
{
    for (size_t i = 0; i < c->plan->axes.n; i++) {
        const struct sweep_axis *x = &c->plan->axes.axis[i];
        for (size_t k = 0; collect_is_column(x) && k < x->n_keys; k++) {
            put_csv(f, x->key[k]);
            fputc(',', f);
        }
    }
}

static void put_axis_values(const struct collection *c, size_t point, FILE *f)
{
    for (size_t i = 0; i < c->plan->axes.n; i++) {
        const struct sweep_axis *x = &c->plan->axes.axis[i];
        for (size_t k = 0; collect_is_column(x) && k < x->n_keys; k++) {
            put_csv(f, plan_value(c->plan, point, i, k));
            fputc(',', f);
        }
    }
}

static void put_results(const struct collection *c, FILE *f)
{
    static const char *const states[] = POINT_STATES;
    const char **row = must_alloc(c->n_columns, sizeof *row);
    fputs("point,", f);
    put_axis_names(c, f);
    fputs("trace,seed,status,reason", f);
    for (size_t i = 0; i < c->n_columns; i++) {
        fputc(',', f);
        put_csv(f, c->column[i]);
    }
    fputc('\n', f);
    for (size_t i = 0; i < c->plan->n; i++) {
        const struct collected_point *got = &c->got[i];
        memset(row, 0, c->n_columns * sizeof *row);
        for (size_t k = 0; k < got->n; k++)
            row[got->value[k].column] = got->value[k].text;
        fprintf(f, "%s,", c->point[i].name);
        put_axis_values(c, i, f);
        put_csv(f, c->point[i].trace);
        fprintf(f, ",%" PRIu64 ",%s,", c->point[i].seed, states[got->state]);
        put_csv(f, got->reason ? got->reason : "");
        for (size_t k = 0; k < c->n_columns; k++)
            fprintf(f, ",%s", row[k] ? row[k] : "");
        fputc('\n', f);
    }
    free(row);
}

/* One group, a line a statistic; `first` is its first point, *seen marks its points. */
static void put_group(const struct collection *c, size_t first, unsigned char *seen, FILE *f)
{
    struct sample *s = must_alloc(c->n_columns, sizeof *s);
    size_t n = first + 1; /* without seeds each point is a group */
    for (size_t a = 0; a < c->plan->axes.n; a++)
        if (is_seed(&c->plan->axes.axis[a]))
            n = c->plan->n;
    for (size_t i = first; i < n; i++) {
        if (seen[i] || !collect_same_group(c->plan, first, i))
            continue;
        seen[i] = 1;
        for (size_t k = 0; k < c->got[i].n; k++)
            if (c->got[i].value[k].text)
                sample_add(&s[c->got[i].value[k].column], strtod(c->got[i].value[k].text, NULL));
    }
    for (size_t k = 0; k < c->n_columns; k++) {
        if (!s[k].n)
            continue;
        put_axis_values(c, first, f);
        put_csv(f, c->point[first].trace);
        fputc(',', f);
        put_csv(f, c->column[k]);
        if (s[k].n > 1)
            fprintf(f, ",%zu,%.10g,%.6g,%.6g\n", s[k].n, s[k].mean, sample_deviation(&s[k]), sample_interval(&s[k]));
        else
            fprintf(f, ",%zu,%.10g,,\n", s[k].n, s[k].mean);
    }
    free(s);
}

static void put_summary(const struct collection *c, FILE *f)
{
    unsigned char *seen = must_alloc(c->plan->n, 1);
    put_axis_names(c, f);
    fputs("trace,statistic,n,mean,deviation,interval95\n", f);
    for (size_t i = 0; i < c->plan->n; i++)
        if (!seen[i])
            put_group(c, i, seen, f);
    free(seen);
}

static int write_table(struct collection *c, struct sweep_folder *f, const char *name,
                       void (*put)(const struct collection *, FILE *), struct err *err)
{
    char *text = NULL;
    size_t len = 0;
    FILE *to = must(open_memstream(&text, &len));
    put(c, to);
    must_text(to, &text);
    int rc = folder_write(f, name, text, len, err);
    free(text);
    return rc;
}

int collect_write(struct collection *c, struct sweep_folder *f, struct err *err)
{
    return write_table(c, f, "results.csv", put_results, err) < 0 || write_table(c, f, "summary.csv", put_summary, err) < 0
               ? -1
               : collect_sqlite(c, f, err);
}
