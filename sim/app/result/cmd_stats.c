/* mmulab stats list|show */
#include "app/cmd_error.h"
#include "app/result/cmd_stats.h"
#include "app/result/json/json_out.h"
#include "app/result/json/result_json.h"
#include "config/text.h"

#include <getopt.h>
#include <string.h>

static const char help_text[] =
    "usage: mmulab stats list [--json] [PATTERN]\n"
    "       mmulab stats show DIR [PATTERN] [--warmup]\n"
    "\n"
    "list  name, unit and meaning of every statistic of the default machine\n"
    "show  the statistics of a result folder, exact\n"
    "\n"
    "PATTERN is a part of a name (dtlb) or a shell pattern ('cpu*.dtlb.*').\n"
    "\n"
    "      --json     as a JSON array of {name, unit, kind, help}\n"
    "      --warmup   what was counted before the measured part\n"
    "  -h, --help\n";

/* ---- list ---- */

struct listed {
    char name[512];
    const char *unit, *kind, *help;
};

static size_t listed_count(const struct stats *s) { return stats_count(s) + stats_ratio_count(s); }

static void listed_get(const struct stats *s, size_t i, struct listed *l)
{
    const char *path, *name;
    if (i < stats_count(s)) {
        struct stat_value v;
        stats_get(s, i, &v);
        path = v.path;
        name = v.name;
        l->unit = v.unit;
        l->help = v.help;
        l->kind = v.hist ? "histogram" : v.gauge ? "gauge" : "counter";
    } else {
        struct stat_ratio r;
        stats_get_ratio(s, i - stats_count(s), STAT_TOTAL, &r);
        path = r.path;
        name = r.name;
        l->unit = r.unit;
        l->help = r.help;
        l->kind = "ratio";
    }
    snprintf(l->name, sizeof l->name, "%s%s%s", path, *path ? "." : "", name);
}

static int list(const char *pattern, bool json, struct err *err)
{
    struct machine *m;
    if (machine_list_stats(&m, err))
        return -1;
    const struct stats *s = machine_stats(m);
    struct json_out j;
    struct listed l;
    size_t name_width = 0, unit_width = 0, shown = 0;
    for (size_t i = 0; i < listed_count(s); i++) {
        listed_get(s, i, &l);
        if (!result_name_matches(pattern, l.name))
            continue;
        name_width = strlen(l.name) > name_width ? strlen(l.name) : name_width;
        unit_width = strlen(l.unit) > unit_width ? strlen(l.unit) : unit_width;
        shown++;
    }
    json_out_init(&j, json ? stdout : NULL, false);
    json_begin_array(&j, NULL);
    for (size_t i = 0; i < listed_count(s); i++) {
        listed_get(s, i, &l);
        if (!result_name_matches(pattern, l.name))
            continue;
        if (!json) {
            printf("%-*s  %-*s  %s\n", (int)name_width, l.name, (int)unit_width, l.unit, l.help);
            continue;
        }
        json_begin_object(&j, NULL);
        json_str(&j, "name", l.name);
        json_str(&j, "unit", l.unit);
        json_str(&j, "kind", l.kind);
        json_str(&j, "help", l.help);
        json_end(&j);
    }
    json_end_document(&j);
    machine_free(m);
    return shown ? 0 : err_set(err, ERR_USAGE, "no statistic matches \"%.100s\"", pattern ? pattern : "");
}

/* ---- show ---- */

/* The part of a path after "measure." or "warmup."; NULL for others and for texts such as a histogram's unit. */
static const char *shown_name(const struct json_flat_value *v, const char *phase)
{
    size_t n = strlen(phase);
    if (strncmp(v->path, phase, n) || v->path[n] != '.' || v->type == JSON_STRING || v->type == JSON_EMPTY_OBJECT)
        return NULL;
    return v->path + n + 1;
}

static int nothing_matches(const struct json_flat *j, const char *phase, const char *pattern, const char *dir,
                           struct err *err)
{
    const char *near = NULL;
    size_t best = SIZE_MAX;
    for (size_t i = 0; pattern && i < j->n; i++) {
        const char *name = shown_name(&j->v[i], phase);
        size_t d = name ? text_distance(pattern, name, text_near(pattern)) : SIZE_MAX;
        if (d <= text_near(pattern) && d < best) {
            best = d;
            near = name;
        }
    }
    if (!pattern)
        return err_set(err, ERR_USAGE, "%.300s/stats.json: the run has no %s statistics", dir, phase);
    err_set(err, ERR_USAGE, "%.300s/stats.json: no statistic matches \"%.100s\"", dir, pattern);
    return near ? err_remedy(err, "did you mean \"%.200s\"?", near) : -1;
}

static int show(const char *dir, const char *pattern, const char *phase, struct err *err)
{
    struct json_flat j;
    if (result_stats_load(&j, dir, err))
        return -1;
    size_t name_width = 0, value_width = 0, shown = 0;
    for (size_t i = 0; i < j.n; i++) {
        const char *name = shown_name(&j.v[i], phase);
        if (!name || !result_name_matches(pattern, name))
            continue;
        size_t value = j.v[i].type == JSON_ARRAY ? 0 : strlen(j.v[i].text);
        name_width = strlen(name) > name_width ? strlen(name) : name_width;
        value_width = value > value_width ? value : value_width;
        shown++;
    }
    for (size_t i = 0; i < j.n; i++) {
        const char *name = shown_name(&j.v[i], phase);
        if (!name || !result_name_matches(pattern, name))
            continue;
        int width = j.v[i].type == JSON_ARRAY ? 0 : (int)value_width;
        const char *text = strcmp(j.v[i].text, "null") ? j.v[i].text : "-";
        printf("%-*s  %*s\n", (int)name_width, name, width, text);
    }
    int rc = shown ? 0 : nothing_matches(&j, phase, pattern, dir, err);
    const char *complete = json_flat_get(&j, "complete"), *reason = json_flat_get(&j, "reason");
    if (!rc && complete && !strcmp(complete, "false"))
        fprintf(stderr, "mmulab: note: this run is not complete: %s\n", reason ? reason : "no reason given");
    json_flat_free(&j);
    return rc;
}

static int usage(struct err *err, const char *what)
{
    err_set(err, ERR_USAGE, "%s", what);
    return err_remedy(err, "see mmulab stats --help");
}

int cmd_stats(int argc, char **argv)
{
    static const struct option longs[] = {
        {"json", no_argument, NULL, 'j'}, {"warmup", no_argument, NULL, 'w'}, {"help", no_argument, NULL, 'h'}, {0}};
    struct err err = {0};
    bool json = false, warmup = false;
    int rc = 0;
    optind = 0;
    for (int c; !rc && (c = getopt_long(argc, argv, ":h", longs, NULL)) != -1;) {
        switch (c) {
        case 'j': json = true; break;
        case 'w': warmup = true; break;
        case 'h': fputs(help_text, stdout); return 0;
        default:
            err_set(&err, ERR_USAGE, "unknown option %s", argv[optind - 1]);
            rc = err_remedy(&err, "see mmulab stats --help");
        }
    }
    char **a = argv + optind;
    int n = argc - optind;
    if (rc)
        return cmd_error("stats", &err);
    if (n >= 1 && n <= 2 && !strcmp(a[0], "list"))
        rc = list(n == 2 ? a[1] : NULL, json, &err);
    else if (n >= 2 && n <= 3 && !strcmp(a[0], "show"))
        rc = show(a[1], n == 3 ? a[2] : NULL, warmup ? "warmup" : "measure", &err);
    else if (n == 1 && !strcmp(a[0], "show"))
        rc = usage(&err, "which result folder?");
    else if (!n)
        rc = usage(&err, "list or show?");
    else {
        err_set(&err, ERR_USAGE, n > 3 ? "too many words after stats %.60s" : "stats has no \"%.60s\"", a[0]);
        rc = err_remedy(&err, "write stats list or stats show DIR");
    }
    return rc ? cmd_error("stats", &err) : 0;
}
