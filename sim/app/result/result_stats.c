/* stats.json: the flat table of statistics nested by component path. */
#include "app/result/result.h"

#include <stdlib.h>
#include <string.h>

struct node { /* one component; node 0 is the root */
    const char *name;
    size_t len;
    size_t child, next; /* first child, next sibling; 0 is none */
    size_t last;        /* last child */
    size_t item, last_item;
};

struct item { /* one counter or ratio of a component */
    size_t what; /* counters first, then ratios */
    size_t next; /* item + 1, 0 is none */
};

struct tree {
    struct node *node;
    size_t n, cap;
    struct item *item;
};

static size_t child_of(struct tree *t, size_t parent, const char *name, size_t len)
{
    for (size_t i = t->node[parent].child; i; i = t->node[i].next)
        if (t->node[i].len == len && !memcmp(t->node[i].name, name, len))
            return i;
    if (t->n == t->cap) {
        struct node *grown = reallocarray(t->node, t->cap * 2, sizeof *grown);
        if (!grown)
            return 0;
        t->node = grown;
        t->cap *= 2;
    }
    size_t i = t->n++;
    t->node[i] = (struct node){.name = name, .len = len};
    if (t->node[parent].last)
        t->node[t->node[parent].last].next = i;
    else
        t->node[parent].child = i;
    t->node[parent].last = i;
    return i;
}

static int tree_add(struct tree *t, const char *path, size_t what)
{
    size_t at = 0;
    while (*path) {
        size_t len = strcspn(path, ".");
        at = child_of(t, at, path, len);
        if (!at)
            return -1;
        path += len + (path[len] == '.');
    }
    t->item[what] = (struct item){.what = what};
    if (t->node[at].last_item)
        t->item[t->node[at].last_item - 1].next = what + 1;
    else
        t->node[at].item = what + 1;
    t->node[at].last_item = what + 1;
    return 0;
}

static int tree_build(struct tree *t, const struct stats *s)
{
    size_t counters = stats_count(s), ratios = stats_ratio_count(s);
    t->cap = 64;
    t->n = 1;
    t->node = calloc(t->cap, sizeof *t->node);
    t->item = calloc(counters + ratios + 1, sizeof *t->item);
    if (!t->node || !t->item)
        return -1;
    for (size_t i = 0; i < counters; i++) {
        struct stat_value v;
        stats_get(s, i, &v);
        if (tree_add(t, v.path, i))
            return -1;
    }
    for (size_t i = 0; i < ratios; i++) {
        struct stat_ratio q;
        stats_get_ratio(s, i, STAT_TOTAL, &q);
        if (q.applies && tree_add(t, q.path, counters + i))
            return -1;
    }
    return 0;
}

static void put_hist(struct json_out *j, const char *name, const char *unit, const struct stat_hist *h)
{
    json_begin_object(j, name);
    json_str(j, "unit", unit);
    json_u64(j, "count", h->n);
    json_u64(j, "sum", h->sum);
    json_u64(j, "max", h->max);
    json_ratio(j, "mean", h->sum, h->n, 1, 6);
    json_begin_array(j, "buckets");
    size_t used = STAT_HIST_BUCKETS;
    while (used && !h->count[used - 1])
        used--;
    for (size_t i = 0; i < used; i++)
        json_u64(j, NULL, h->count[i]);
    json_end(j);
    json_end(j);
}

static void put_item(struct json_out *j, const struct stats *s, size_t what, enum stat_phase phase)
{
    if (what >= stats_count(s)) {
        struct stat_ratio q;
        stats_get_ratio(s, what - stats_count(s), phase, &q);
        json_ratio(j, q.name, q.num, q.den, q.scale, q.decimals);
        return;
    }
    struct stat_value v;
    stats_get(s, what, &v);
    if (v.hist) {
        struct stat_hist h = stat_hist_in(&v, phase);
        put_hist(j, v.name, v.unit, &h);
    } else {
        json_u64(j, v.name, stat_value_in(&v, phase));
    }
}

/* Paths are at most a few parts deep: the depth of the writer bounds the recursion. */
static void put_node(struct json_out *j, const struct stats *s, const struct tree *t, size_t at, enum stat_phase phase)
{
    for (size_t i = t->node[at].item; i; i = t->item[i - 1].next)
        put_item(j, s, t->item[i - 1].what, phase);
    for (size_t c = t->node[at].child; c; c = t->node[c].next) {
        char name[256];
        snprintf(name, sizeof name, "%.*s", (int)t->node[c].len, t->node[c].name);
        json_begin_object(j, name);
        put_node(j, s, t, c, phase);
        json_end(j);
    }
}

int result_stats_json(struct json_out *j, const struct stats *s, enum stat_phase phase, struct err *err)
{
    struct tree t = {0};
    int rc = tree_build(&t, s);
    if (rc)
        err_set(err, ERR_RUN, "out of memory for the statistics");
    else
        put_node(j, s, &t, 0, phase);
    free(t.node);
    free(t.item);
    return rc;
}

struct stats_job {
    const struct result_run *run;
    const struct stats *s;
    const struct series *series;
};

static void put_series_head(struct json_out *j, const struct series *s)
{
    json_begin_object(j, "series");
    json_u64(j, "interval_references", s->interval);
    json_u64(j, "rows", series_rows(s));
    json_begin_object(j, "columns");
    for (size_t i = 0; i < series_columns(s); i++)
        json_str(j, series_column_name(s, i), series_column_unit(s, i));
    json_end(j);
    json_end(j);
}

static int put_stats(FILE *f, void *ctx, struct err *err)
{
    const struct stats_job *job = ctx;
    const struct result_run *run = job->run;
    struct json_out j;
    json_out_init(&j, f, false);
    json_begin_object(&j, NULL);
    json_str(&j, "tool", "mmulab"); /* result_open knows an earlier result by this member */
    json_str(&j, "version", run->version);
    json_str(&j, "config_hash", run->config_hash);
    json_str(&j, "trace_hash", run->trace_hash);
    json_u64(&j, "seed", run->seed);
    json_bool(&j, "complete", run->complete);
    json_str(&j, "reason", run->reason);
    if (job->series)
        put_series_head(&j, job->series);
    json_begin_object(&j, "warmup");
    if (stats_has_snapshot(job->s) && result_stats_json(&j, job->s, STAT_WARMUP, err))
        return -1;
    json_end(&j);
    json_begin_object(&j, "measure");
    if (result_stats_json(&j, job->s, STAT_MEASURE, err))
        return -1;
    json_end_document(&j);
    return 0;
}

int result_write_stats(struct result *r, const struct result_run *run, const struct stats *s,
                       const struct series *series, struct err *err)
{
    struct stats_job job = {run, s, series};
    return result_write(r, "stats.json", put_stats, &job, err);
}
