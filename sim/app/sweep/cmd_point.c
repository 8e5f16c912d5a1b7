/* mmulab point DIR INDEX[-INDEX]: the worker that any scheduler can call. */
#include "app/cmd_error.h"
#include "app/progress.h"
#include "app/sweep/cmd_sweep.h"
#include "app/sweep/group/group.h"
#include "app/sweep/group/sharing.h"
#include "app/sweep/must.h"
#include "app/sweep/point.h"

#include <getopt.h>
#include <signal.h>
#include <stdlib.h>

enum { EXIT_FAILED_POINTS = 3 };

static void help(FILE *f)
{
    fputs("usage: mmulab point DIR INDEX[-INDEX]...\n\n"
          "Simulates points of the sweep in DIR, one at a time: what each worker of a sweep does, and what a scheduler calls\n"
          "on another machine. Points of one trace are fed by one decoder where that is faster (docs/sweep.md). A point whose\n"
          "result is there is not simulated again; two workers at one point do no harm. Points are numbered from 0; mmulab\n"
          "status DIR tells how many there are.\n\n"
          "      --retry           also points that failed before\n"
          "  -q, --quiet           say nothing but errors, no progress\n"
          "      --status SECONDS  a line of progress every so often when stderr is no terminal\n"
          "  -h, --help            this page\n\n"
          "Exit codes: 0 all of them are there or at another worker; 1 the folder cannot be used; 2 usage; 3 points failed;\n"
          "128 + n ended by signal n (what was simulated of the point is kept, marked, and simulated again).\n", f);
}

static int usage_error(const char *what, const char *text)
{
    fprintf(stderr, "mmulab point: error: %s \"%s\"; see mmulab point --help\n", what, text);
    return 2;
}

/* "3" or "3-17" */
static int parse_range(const char *text, size_t n, size_t *first, size_t *last)
{
    char *end;
    if (*text < '0' || *text > '9')
        return usage_error("expected INDEX or INDEX-INDEX, not", text);
    *first = *last = strtoull(text, &end, 10);
    if (*end == '-' && end[1] >= '0' && end[1] <= '9')
        *last = strtoull(end + 1, &end, 10);
    if (*end || *first > *last)
        return usage_error("expected INDEX or INDEX-INDEX, not", text);
    if (*last >= n) {
        fprintf(stderr, "mmulab point: error: there is no point %zu, the sweep has %zu, numbered from 0\n", *last, n);
        return 2;
    }
    return 0;
}

static int one(struct sweep_folder *f, const struct sweep_plan *p, const struct point_job *job)
{
    static const char *const words[] = {"simulated", "there already", "another worker has it", "failed", "interrupted", ""};
    struct point_report r;
    int code = 0;
    point_run(f, p, job, &r);
    if (r.end == POINT_TROUBLE)
        code = cmd_error("point", &r.err);
    else if (r.end == POINT_INTERRUPTED)
        code = 128 + r.sig;
    else if (r.end == POINT_FAILS)
        code = EXIT_FAILED_POINTS;
    if (r.end != POINT_TROUBLE && !job->quiet)
        printf("point %zu: %s%s%s\n", job->index, words[r.end], r.reason ? ": " : "", r.reason ? r.reason : "");
    free(r.reason);
    return code;
}

/* ---- all of them ---- */

struct todo {
    struct sweep_point *point;
    size_t *of, *queue; /* jobs: the point of each, and those that wait */
    size_t n;
};

static int add_range(struct todo *t, const struct sweep_plan *p, const char *text)
{
    size_t first, last;
    int bad = parse_range(text, p->n, &first, &last);
    for (; !bad && first <= last; first++, t->n++) {
        t->point = must_grow(t->point, t->n, sizeof *t->point);
        t->of = must_grow(t->of, t->n, sizeof *t->of);
        t->queue = must_grow(t->queue, t->n, sizeof *t->queue);
        plan_point(p, first, &t->point[t->n]);
        config_free(t->point[t->n].config);
        t->point[t->n].config = NULL;
        t->of[t->n] = t->queue[t->n] = t->n;
    }
    return bad;
}

static void free_todo(struct todo *t)
{
    for (size_t i = 0; i < t->n; i++)
        plan_point_free(&t->point[i]);
    free(t->point);
    free(t->of);
    free(t->queue);
}

/* The next points of the queue by one decoder, and how many these were; -1: they are to be simulated one by one. */
static int group(struct sweep_folder *f, const struct sweep_plan *p, const struct point_job *job, const struct todo *t,
                 const size_t *queue, size_t *n)
{
    size_t *index = must_alloc(*n, sizeof *index), wanted = 0;
    for (size_t i = 0; i < *n; i++) {
        const struct sweep_point *pt = &t->point[queue[i]];
        enum point_state state = folder_state(f, pt, NULL);
        index[i] = pt->index;
        wanted += state == POINT_MISSING || state == POINT_PARTIAL || (state == POINT_FAILED && job->retry);
    }
    int code = wanted > 1 ? group_run(f, p, job, index, n, one) : -1;
    free(index);
    return code;
}

static int work(struct sweep_folder *f, const struct sweep_plan *p, struct point_job *job, struct todo *t)
{
    int code = 0;
    for (size_t at = 0, n; at < t->n && (code == 0 || code == EXIT_FAILED_POINTS); at += n) {
        int sig = progress_interrupted();
        if (sig || progress_last())
            return 128 + (sig ? sig : SIGINT);
        n = group_pick(t->point, t->of, NULL, t->queue + at, t->n - at, t->n);
        int now = n > 1 ? group(f, p, job, t, t->queue + at, &n) : -1;
        if (now < 0) {
            n = 1;
            job->index = t->point[t->queue[at]].index;
            now = one(f, p, job);
        }
        code = now ? now : code;
    }
    return code;
}

int cmd_point(int argc, char **argv)
{
    static const struct option longs[] = {{"retry", no_argument, NULL, 1}, {"quiet", no_argument, NULL, 'q'},
                                          {"status", required_argument, NULL, 2}, {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    struct point_job job = {.argc = argc, .argv = argv};
    int c;
    opterr = 0;
    optind = 0;
    while ((c = getopt_long(argc, argv, ":qh", longs, NULL)) != -1) {
        char *end;
        switch (c) {
        case 1:
            job.retry = true;
            break;
        case 2:
            job.status = (unsigned)strtoul(optarg, &end, 10);
            if (*end || end == optarg || job.status > 86400)
                return usage_error("--status takes whole seconds, not", optarg);
            break;
        case 'q':
            job.quiet = true;
            break;
        case 'h':
            help(stdout);
            return 0;
        default:
            return usage_error(c == ':' ? "a value is missing behind" : "unknown option", argv[optind - 1]);
        }
    }
    if (argc - optind < 2) {
        fputs("mmulab point: error: a folder and at least one point are needed; see mmulab point --help\n", stderr);
        return 2;
    }
    struct sweep_folder f;
    struct sweep_plan p;
    struct err err;
    int code = 0;
    progress_last_install();
    if (folder_open(&f, argv[optind], false, &err) < 0)
        return cmd_error("point", &err);
    int got = folder_lock_plan(&f, FOLDER_WORKING, 10000, &err);
    if (got == 0)
        err_set(&err, ERR_RUN, "%.300s is being planned by another sweep", argv[optind]);
    if (got <= 0 || plan_load(&p, f.path, &err) < 0) {
        code = cmd_error("point", &err);
        folder_close(&f);
        return code;
    }
    struct todo t = {0};
    for (int i = optind + 1; i < argc && code == 0; i++)
        code = add_range(&t, &p, argv[i]);
    if (code == 0)
        code = work(&f, &p, &job, &t);
    free_todo(&t);
    plan_free(&p);
    folder_close(&f);
    return code;
}
