/* mmulab status DIR and mmulab collect DIR: what a sweep's folder holds, whoever simulated it. */
#include "app/cmd_error.h"
#include "app/sweep/cmd_sweep.h"
#include "app/sweep/report.h"

#include <getopt.h>

struct looked {
    struct sweep_folder folder;
    struct sweep_plan plan;
    struct sweep_point *point;
    struct collection c;
};

static int look(struct looked *l, const char *dir, struct err *err)
{
    if (folder_open(&l->folder, dir, false, err) < 0)
        return -1;
    if (plan_load(&l->plan, dir, err) < 0) {
        folder_close(&l->folder);
        return -1;
    }
    l->point = plan_points(&l->plan);
    if (collect_load(&l->c, &l->folder, &l->plan, l->point, err) == 0)
        return 0;
    plan_points_free(&l->plan, l->point);
    plan_free(&l->plan);
    folder_close(&l->folder);
    return -1;
}

static int done(struct looked *l)
{
    int code = l->c.count[POINT_FAILED] ? 3 : 0;
    collect_free(&l->c);
    plan_points_free(&l->plan, l->point);
    plan_free(&l->plan);
    folder_close(&l->folder);
    return code;
}

/* The folder; NULL when the exit code in *code says the rest. */
static const char *parse(int argc, char **argv, const char *help, bool *all, int *code)
{
    const struct option longs[] = {{"all", no_argument, NULL, 'a'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    int c;
    opterr = 0;
    optind = 0;
    *code = 2;
    while ((c = getopt_long(argc, argv, ":h", all ? longs : longs + 1, NULL)) != -1) {
        if (c == 'h') {
            fputs(help, stdout);
            *code = 0;
            return NULL;
        }
        if (c != 'a') {
            fprintf(stderr, "mmulab %s: error: unknown option \"%s\"; see mmulab %s --help\n", argv[0], argv[optind - 1], argv[0]);
            return NULL;
        }
        if (all)
            *all = true;
    }
    if (argc - optind == 1)
        return argv[optind];
    fprintf(stderr, "mmulab %s: error: one folder of a sweep is needed; see mmulab %s --help\n", argv[0], argv[0]);
    return NULL;
}

int cmd_status(int argc, char **argv)
{
    static const char help[] =
        "usage: mmulab status DIR [--all]\n\n"
        "How far the sweep in DIR is: points that are ok, failed (with the reason), partial (interrupted, simulated again by\n"
        "the next sweep) and missing. Looks at the results alone, whatever simulates them.\n\n"
        "      --all   every point, also those that are ok\n"
        "  -h, --help  this page\n\n"
        "Exit codes: 0; 1, 2 DIR cannot be read; 3 points failed.\n";
    struct looked l;
    struct err err;
    bool all = false;
    int code;
    const char *dir = parse(argc, argv, help, &all, &code);
    if (!dir)
        return code;
    if (look(&l, dir, &err) < 0)
        return cmd_error("status", &err);
    report_states(&l.c, all);
    return done(&l);
}

int cmd_collect(int argc, char **argv)
{
    static const char help[] =
        "usage: mmulab collect DIR\n\n"
        "Writes DIR/results.csv, summary.csv and results.sqlite from the points that are there. A local sweep does this at its\n"
        "end by itself; points that schedulers ran are collected with this, also while others are missing.\n\n"
        "  -h, --help  this page\n\n"
        "Exit codes: 0; 1, 2 DIR cannot be read or written; 3 points failed.\n";
    struct looked l;
    struct err err;
    int code;
    const char *dir = parse(argc, argv, help, NULL, &code);
    if (!dir)
        return code;
    if (look(&l, dir, &err) < 0)
        return cmd_error("collect", &err);
    if (collect_write(&l.c, &l.folder, &err) < 0) {
        done(&l);
        return cmd_error("collect", &err);
    }
    report_states(&l.c, false);
    printf("result: %s/results.csv summary.csv results.sqlite\n", dir);
    return done(&l);
}
