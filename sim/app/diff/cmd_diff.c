#include "app/diff/cmd_diff.h"

#include "app/cmd_error.h"
#include "app/diff/diff.h"
#include "app/result/json/json_out.h"
#include "app/result/json/result_json.h"
#include "app/sweepdb/sweepdb.h"
#include "config/text.h"
#include "engine/types.h"

#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char help_text[] =
    "usage: mmulab diff A B [PATTERN] [--fail-if CONDITION]... [--above PERCENT] [--all] [--json]\n"
    "\n"
    "Compares two result folders: first the parameters and inputs that differ, then the statistics of the measured part\n"
    "that differ. Of two sweeps (results.sqlite) the points of equal axes, trace and seed are compared; per statistic is told in\n"
    "how many of them it differs, the mean change and the largest. PATTERN is a part of a name (dtlb) or a shell pattern ('cpu*.dtlb.*').\n"
    "\n"
    "      --fail-if C      exit with 1 if C holds; may be given several times. C is NAME OP LIMIT:\n"
    "                         'cpu0.dtlb.misses>+2%'   more than 2 per cent above A\n"
    "                         'cpu0.ipc<-1%'           more than 1 per cent below A\n"
    "                         'vm.faults_minor>+100'   more than 100 above A (a sign: the change)\n"
    "                         'oom.kills>0'            B's own value (no sign)\n"
    "                       OP is > >= < <= == or !=; NAME may be a shell pattern and then speaks of all it matches\n"
    "      --above PERCENT  only changes of more than PERCENT per cent, up or down\n"
    "      --all            equal statistics, too\n"
    "      --sort           largest relative change first\n"
    "      --json           one JSON object: parameters, statistics, failed conditions\n"
    "  -h, --help\n"
    "\n"
    "Exit code: 0; 1 if a condition of --fail-if holds; 2 for a mistake in the command or the data.\n";

/* One line: a name, and its text on both sides (NULL: not there). */
struct pair {
    const char *name, *text[2];
    bool number, differs;
    double a, b, percent;
    size_t at; /* place in the file */
};

struct pairs {
    struct pair *p;
    size_t n;
};

/* ---- pairing ---- */

static int by_name(const void *x, const void *y)
{
    const struct pair *a = x, *b = y;
    return strcmp(a->name, b->name);
}

static int by_place(const void *x, const void *y)
{
    const struct pair *a = x, *b = y;
    return a->at < b->at ? -1 : a->at > b->at;
}

static int by_change(const void *x, const void *y)
{
    const struct pair *a = x, *b = y;
    double p = fabs(a->percent), q = fabs(b->percent);
    return p > q ? -1 : p < q ? 1 : by_place(x, y);
}

static bool wanted(const struct json_flat_value *v, const char *prefix, bool texts)
{
    size_t n = strlen(prefix);
    return strncmp(v->path, prefix, n) == 0 && v->type != JSON_EMPTY_OBJECT && (texts || v->type != JSON_STRING);
}

/* The entries below `prefix` of both files by name, in the order of the files. */
static int pair_up(struct pairs *out, const struct json_flat j[2], const char *prefix, bool texts, struct err *err)
{
    struct pair *p = calloc(j[0].n + j[1].n + 1, sizeof *p);
    size_t n = 0, len = strlen(prefix), both = 0;
    if (!p)
        return err_set(err, ERR_RUN, "out of host memory");
    for (int s = 0; s < 2; s++)
        for (size_t i = 0; i < j[s].n; i++)
            if (wanted(&j[s].v[i], prefix, texts)) {
                p[n] = (struct pair){.name = j[s].v[i].path + len, .at = i * 2 + (size_t)s};
                p[n].number = j[s].v[i].type == JSON_NUMBER;
                p[n++].text[s] = j[s].v[i].text;
            }
    qsort(p, n, sizeof *p, by_name);
    for (size_t i = 0; i < n; i++) { /* neighbours of one name are one line */
        if (both && strcmp(p[both - 1].name, p[i].name) == 0) {
            struct pair *q = &p[both - 1];
            for (int s = 0; s < 2; s++)
                if (p[i].text[s])
                    q->text[s] = p[i].text[s];
            q->number &= p[i].number;
            q->at = q->at < p[i].at ? q->at : p[i].at;
        } else {
            p[both++] = p[i];
        }
    }
    for (size_t i = 0; i < both; i++) {
        struct pair *q = &p[i];
        q->number &= q->text[0] && q->text[1];
        q->differs = !q->text[0] || !q->text[1] || strcmp(q->text[0], q->text[1]) != 0;
        if (q->number) {
            q->a = strtod(q->text[0], NULL);
            q->b = strtod(q->text[1], NULL);
            q->percent = change_percent(q->a, q->b);
        } else {
            q->percent = q->differs ? INFINITY : 0;
        }
    }
    qsort(p, both, sizeof *p, by_place);
    *out = (struct pairs){p, both};
    return 0;
}

/* ---- printing ---- */

static const char *or_dash(const char *text) { return !text ? "(absent)" : strcmp(text, "null") ? text : "-"; }

/* B - A digit by digit where both are whole numbers. */
static const char *change_text(const struct pair *p, char *buf, size_t size)
{
    uint64_t a, b;
    if (!p->number)
        snprintf(buf, size, "%s", "");
    else if (json_flat_u64(p->text[0], &a) && json_flat_u64(p->text[1], &b))
        snprintf(buf, size, "%c%" PRIu64, b < a ? '-' : '+', b < a ? a - b : b - a);
    else
        snprintf(buf, size, "%+.6g", p->b - p->a);
    return buf;
}

const char *diff_percent_text(double percent, char *buf, size_t size)
{
    if (isnan(percent))
        snprintf(buf, size, "%s", "");
    else if (isinf(percent))
        snprintf(buf, size, "was 0");
    else
        snprintf(buf, size, fabs(percent) < 0.005 && percent != 0 ? "%+.2g %%" : "%+.2f %%", percent);
    return buf;
}

static const char *percent_text(const struct pair *p, char *buf, size_t size)
{
    return diff_percent_text(p->number ? p->percent : NAN, buf, size);
}

static void print_parameters(const struct pairs *p)
{
    size_t n = 0, width = 0;
    for (size_t i = 0; i < p->n; i++)
        if (p->p[i].differs) {
            size_t len = strlen(p->p[i].name);
            width = len > width ? len : width;
            n++;
        }
    printf("parameters: %s\n", n ? "" : "equal");
    for (size_t i = 0; i < p->n; i++)
        if (p->p[i].differs)
            printf("  %-*s  %s -> %s\n", (int)width, p->p[i].name, or_dash(p->p[i].text[0]), or_dash(p->p[i].text[1]));
}

static bool shown(const struct diff_options *o, const struct pair *p)
{
    return result_name_matches(o->pattern, p->name) && (o->all || (p->differs && fabs(p->percent) > o->above));
}

/* The next number of a histogram's "[18, 6, 33]"; 0 behind its end. */
static bool next_bucket(const char **s, uint64_t *v)
{
    char *end;
    *v = 0;
    if (*s)
        *s += strspn(*s, "[, ");
    if (!*s || **s < '0' || **s > '9')
        return false;
    *v = strtoull(*s, &end, 10);
    *s = end;
    return true;
}

static bool is_hist(const struct pair *p) { return (p->text[0] && p->text[0][0] == '[') || (p->text[1] && p->text[1][0] == '['); }

/* What a table has room for: how many values a histogram counts. */
static const char *value_text(const struct pair *p, int which, char *buf, size_t size)
{
    const char *s = p->text[which];
    if (!s || s[0] != '[')
        return or_dash(s);
    uint64_t sum = 0, v;
    while (next_bucket(&s, &v))
        sum += v;
    snprintf(buf, size, "%" PRIu64 " values", sum);
    return buf;
}

static void print_buckets(const struct pair *p)
{
    const char *s[2] = {p->text[0], p->text[1]};
    unsigned all = 0, differ = 0;
    uint64_t v[2];
    for (;; all++) {
        bool a = next_bucket(&s[0], &v[0]), b = next_bucket(&s[1], &v[1]);
        if (!a && !b)
            break;
        differ += v[0] != v[1];
    }
    if (differ)
        printf("  in %u of %u buckets", differ, all);
}

static void print_statistics(const struct diff_options *o, const struct pairs *s)
{
    size_t name = 0, value[2] = {1, 1}, change = 0, n = 0, total = 0;
    char buf[64], number[2][32];
    for (size_t i = 0; i < s->n; i++) {
        const struct pair *p = &s->p[i];
        total += result_name_matches(o->pattern, p->name);
        if (!shown(o, p))
            continue;
        n++;
        size_t len = strlen(p->name);
        name = len > name ? len : name;
        for (int k = 0; k < 2; k++) {
            len = strlen(value_text(p, k, number[k], sizeof number[k]));
            value[k] = len > value[k] ? len : value[k];
        }
        len = strlen(change_text(p, buf, sizeof buf));
        change = len > change ? len : change;
    }
    printf("statistics: %zu of %zu %s\n", n, total, o->all ? "shown" : o->above > 0 ? "differ by more" : "differ");
    for (size_t i = 0; i < s->n; i++) {
        const struct pair *p = &s->p[i];
        if (!shown(o, p))
            continue;
        char percent[64];
        const char *v[2];
        for (int k = 0; k < 2; k++)
            v[k] = value_text(p, k, number[k], sizeof number[k]);
        const char *c = change_text(p, buf, sizeof buf), *q = percent_text(p, percent, sizeof percent);
        printf("  %-*s  %*s -> %*s", (int)name, p->name, (int)value[0], v[0], (int)value[1], v[1]);
        if (p->number && p->differs)
            printf("  %*s  %s", (int)change, c, q);
        else if (is_hist(p))
            print_buckets(p);
        printf("\n");
    }
}

/* ---- conditions ---- */

static int nothing_named(const struct condition *c, const struct pairs *s, struct err *err)
{
    const char *near = NULL;
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < s->n; i++) {
        size_t d = text_distance(c->name, s->p[i].name, text_near(c->name));
        if (d <= text_near(c->name) && d < best) {
            best = d;
            near = s->p[i].name;
        }
    }
    err_set(err, ERR_USAGE, "--fail-if \"%.200s\": neither result has a statistic that is a number of that name", c->text);
    return near ? err_remedy(err, "did you mean \"%.200s\"?", near) : err_remedy(err, "mmulab stats show DIR lists them");
}

/* Calls `each` for every statistic of which a condition holds. -1 if a condition names nothing. */
static int failures(const struct diff_options *o, const struct pairs *s, size_t *failed, struct json_out *j, struct err *err)
{
    for (size_t k = 0; k < o->n_fail_if; k++) {
        const struct condition *c = &o->fail_if[k];
        size_t named = 0;
        for (size_t i = 0; i < s->n; i++) {
            const struct pair *p = &s->p[i];
            if (!p->number || !condition_names(c, p->name))
                continue;
            named++;
            if (!condition_holds(c, p->a, p->b))
                continue;
            (*failed)++;
            char buf[64], percent[64];
            if (j) {
                json_begin_object(j, NULL);
                json_str(j, "condition", c->text);
                json_str(j, "name", p->name);
                json_end(j);
            } else {
                printf("FAIL: %s: %s is %s, was %s (%s, %s)\n", c->text, p->name, p->text[1], p->text[0],
                       change_text(p, buf, sizeof buf), percent_text(p, percent, sizeof percent));
            }
        }
        if (!named)
            return nothing_named(c, s, err);
    }
    return 0;
}

static void json_pairs(struct json_out *j, const char *name, const struct diff_options *o, const struct pairs *p, bool statistics)
{
    json_begin_array(j, name);
    for (size_t i = 0; i < p->n; i++) {
        const struct pair *q = &p->p[i];
        if (statistics ? !shown(o, q) : !q->differs)
            continue;
        json_begin_object(j, NULL);
        json_str(j, "name", q->name);
        for (int s = 0; s < 2; s++)
            if (q->number)
                json_number(j, s ? "b" : "a", q->text[s]);
            else
                json_str(j, s ? "b" : "a", q->text[s]);
        if (q->number && isfinite(q->percent)) {
            char buf[64];
            snprintf(buf, sizeof buf, "%.6g", q->percent);
            json_number(j, "percent", buf);
        }
        json_end(j);
    }
    json_end(j);
}

/* ---- the verb ---- */

/* config.json below "config." and the inputs that stats.json names. */
static int load_parameters(struct json_flat config[2], const struct diff_options *o, struct err *err)
{
    for (int k = 0; k < 2; k++) {
        char path[4200];
        snprintf(path, sizeof path, "%.4000s/config.json", o->dir[k]);
        if (json_flat_load(&config[k], path, err))
            return -1;
    }
    return 0;
}

static void notes(const struct diff_options *o, const struct json_flat stats[2])
{
    static const struct { const char *key, *what; } head[] = {
        {"version", "versions of mmulab"}, {"trace_hash", "traces"}, {"seed", "seeds"}};
    for (size_t i = 0; i < ARRAY_LEN(head); i++) {
        const char *a = json_flat_get(&stats[0], head[i].key), *b = json_flat_get(&stats[1], head[i].key);
        if (a && b && strcmp(a, b) != 0)
            printf("inputs: the %s differ: %s -> %s\n", head[i].what, a, b);
    }
    for (int k = 0; k < 2; k++) {
        const char *complete = json_flat_get(&stats[k], "complete"), *reason = json_flat_get(&stats[k], "reason");
        if (complete && strcmp(complete, "false") == 0)
            fprintf(stderr, "mmulab diff: note: %s is not complete: %s\n", o->dir[k], reason ? reason : "no reason given");
    }
}

int diff_no_match(const struct diff_options *o, struct err *err)
{
    err_set(err, ERR_USAGE, "no statistic matches \"%.100s\"", o->pattern);
    return err_remedy(err, "mmulab stats list names them; mmulab stats show those of a result");
}

static int compare(const struct diff_options *o, struct err *err)
{
    struct json_flat config[2] = {{0}}, stats[2] = {{0}};
    struct pairs parameters = {0}, statistics = {0};
    size_t failed = 0;
    int rc = -1;
    if (result_stats_load(&stats[0], o->dir[0], err) || result_stats_load(&stats[1], o->dir[1], err) ||
        load_parameters(config, o, err) || pair_up(&parameters, config, "config.", true, err) ||
        pair_up(&statistics, stats, "measure.", false, err))
        goto done;
    size_t matching = 0;
    for (size_t i = 0; i < statistics.n; i++)
        matching += result_name_matches(o->pattern, statistics.p[i].name);
    if (!matching && o->pattern) {
        diff_no_match(o, err);
        goto done;
    }
    if (o->sort)
        qsort(statistics.p, statistics.n, sizeof *statistics.p, by_change);
    if (o->json) {
        struct json_out j;
        json_out_init(&j, stdout, true);
        json_begin_object(&j, NULL);
        json_pairs(&j, "parameters", o, &parameters, false);
        json_pairs(&j, "statistics", o, &statistics, true);
        json_begin_array(&j, "failed");
        rc = failures(o, &statistics, &failed, &j, err);
        json_end(&j);
        json_end(&j);
        json_end_document(&j);
    } else {
        notes(o, stats);
        print_parameters(&parameters);
        print_statistics(o, &statistics);
        rc = failures(o, &statistics, &failed, NULL, err);
    }
    if (rc == 0 && failed)
        rc = 1;
done:
    free(parameters.p);
    free(statistics.p);
    for (int k = 0; k < 2; k++) {
        json_flat_free(&config[k]);
        json_flat_free(&stats[k]);
    }
    return rc;
}

static int usage(struct err *err, const char *fmt, const char *what)
{
    err_set(err, ERR_USAGE, fmt, what); /* NOLINT: formats are this file's */
    return err_remedy(err, "see mmulab diff --help");
}

/* 0: go on; 1: help was asked for; -1: err. */
static int parse(int argc, char **argv, struct diff_options *o, struct err *err)
{
    static const struct option longs[] = {
        {"fail-if", required_argument, NULL, 'f'}, {"above", required_argument, NULL, 'a'}, {"all", no_argument, NULL, 'A'},
        {"sort", no_argument, NULL, 's'}, {"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {0}};
    optind = 0;
    opterr = 0;
    for (int c; (c = getopt_long(argc, argv, ":h", longs, NULL)) != -1;) {
        switch (c) {
        case 'f':
            if (o->n_fail_if == CONDITIONS_MAX)
                return usage(err, "more than 64 conditions, at \"%.100s\"", optarg);
            if (condition_parse(&o->fail_if[o->n_fail_if++], optarg, err))
                return -1;
            break;
        case 'a': {
            char *end;
            o->above = strtod(optarg, &end);
            if (end == optarg || (*end && strcmp(end, "%") != 0) || !(o->above >= 0))
                return usage(err, "--above takes per cent, a number from 0, not \"%.100s\"", optarg);
            break;
        }
        case 'A': o->all = true; break;
        case 's': o->sort = true; break;
        case 'j': o->json = true; break;
        case 'h': fputs(help_text, stdout); return 1;
        case ':': return usage(err, "option %.100s needs a value", argv[optind - 1]);
        default: return usage(err, "unknown option %.100s", argv[optind - 1]);
        }
    }
    if (argc - optind < 2)
        return usage(err, "%stwo result folders are compared", "");
    if (argc - optind > 3)
        return usage(err, "\"%.100s\" is left over", argv[optind + 3]);
    o->dir[0] = argv[optind];
    o->dir[1] = argv[optind + 1];
    o->pattern = argc - optind == 3 ? argv[optind + 2] : NULL;
    return 0;
}

static int choose(const struct diff_options *o, struct err *err)
{
    bool sweep[2] = {sweepdb_is(o->dir[0]), sweepdb_is(o->dir[1])};
    if (sweep[0] != sweep[1]) {
        err_set(err, ERR_USAGE, "%.300s is a sweep, %.300s is not", o->dir[sweep[1]], o->dir[sweep[0]]);
        return err_remedy(err, "name one of its points: %.200s/points/...", o->dir[sweep[1]]);
    }
    return sweep[0] ? diff_sweeps(o, err) : compare(o, err);
}

int cmd_diff(int argc, char **argv)
{
    struct err err = {0};
    struct diff_options *o = calloc(1, sizeof *o);
    if (!o) {
        err_set(&err, ERR_RUN, "out of host memory");
        return cmd_error("diff", &err);
    }
    int rc = parse(argc, argv, o, &err);
    if (rc == 0)
        rc = choose(o, &err);
    else
        rc = rc < 0 ? -1 : 0;
    free(o);
    return rc < 0 ? cmd_error("diff", &err) : rc;
}
