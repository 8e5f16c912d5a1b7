/* mmulab sweep CONFIG: plans, runs what is not there yet, collects. */
#include "app/cmd_config.h"
#include "app/cmd_error.h"
#include "app/kernel/kernel_run.h"
#include "app/machine_root.h"
#include "app/plot/sweep/pictures.h"
#include "app/sweep/cmd_sweep.h"
#include "app/sweep/collect.h"
#include "app/sweep/estimate.h"
#include "app/sweep/must.h"
#include "app/sweep/pool.h"
#include "app/sweep/report.h"

#include <getopt.h>
#include <sched.h>
#include <unistd.h>

enum { JOBS_MAX = 1024 /* the message of -j names it */, PLAN_WAIT_MS = 3000 };

struct options {
    const char *config, *output;
    const char **set, **trace;
    size_t n_set, n_trace;
    unsigned jobs, status;
    bool commands, dry_run, retry, quiet;
    struct sweep_pictures pictures;
};

static void help(FILE *f)
{
    fputs("usage: mmulab sweep CONFIG [-j N] [-t TRACE]... [-s KEY=VALUE]... [-o DIR]\n\n"
          "Simulates every combination of the axes in the configuration's section \"sweep\" (docs/sweep.md), each in a process\n"
          "of its own, and collects the results. What is in DIR already is not simulated again: the same command goes on\n"
          "after an interruption, and after values were added to the axes.\n\n"
          "  -j, --jobs N          processes at a time (default: the cores of this machine)\n"
          "  -t, --trace TRACE     a trace; several are an axis. They replace the section's\n"
          "  -s, --set KEY=VALUE   override a configuration value of all points\n"
          "  -o, --output DIR      the folder of the sweep (default: mmulab-sweep)\n"
          "      --dry-run         list the points, estimate time, memory and disk space, run nothing\n"
          "      --retry           simulate points again that failed before\n"
          "      --backend NAME    local: processes here (default); commands: print a command for each point that is left\n"
          "  -q, --quiet           no progress, no summary\n"
          "      --status SECONDS  a line of progress every so often when stderr is no terminal\n"
          "  -h, --help            this page\n\n"
          "Ctrl-C starts no more points, and each process finishes the one that it runs, or more where that takes no longer;\n"
          "SIGTERM ends them at once. Exit codes: 0 all points are there; 1 it cannot go on; 2 usage or configuration;\n"
          "3 points failed (--retry simulates them again); 128 + n ended by signal n.\n"
          "Then: mmulab status DIR; DIR/results.csv, summary.csv, results.sqlite\n", f);
}

static int usage_error(const char *what, const char *text)
{
    fprintf(stderr, "mmulab sweep: error: %s \"%s\"; see mmulab sweep --help\n", what, text);
    return 2;
}

static int parse_number(const char *text, unsigned long least, unsigned long most, unsigned *out)
{
    char *end;
    unsigned long v = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || v < least || v > most)
        return -1;
    *out = (unsigned)v;
    return 0;
}

static int parse(int argc, char **argv, struct options *o)
{
    static const struct option longs[] = {
        {"jobs", required_argument, NULL, 'j'}, {"trace", required_argument, NULL, 't'},
        {"set", required_argument, NULL, 's'}, {"output", required_argument, NULL, 'o'}, {"quiet", no_argument, NULL, 'q'},
        {"status", required_argument, NULL, 1}, {"backend", required_argument, NULL, 2}, {"dry-run", no_argument, NULL, 3},
        {"retry", no_argument, NULL, 4}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    int c;
    opterr = 0;
    optind = 0;
    while ((c = getopt_long(argc, argv, ":j:t:s:o:qh", longs, NULL)) != -1) {
        switch (c) {
        case 'j':
            if (parse_number(optarg, 1, JOBS_MAX, &o->jobs) < 0)
                return usage_error("-j takes a number of processes, 1 to 1024, not", optarg);
            break;
        case 't':
            o->trace[o->n_trace++] = optarg;
            break;
        case 's':
            o->set[o->n_set++] = optarg;
            break;
        case 'o':
            o->output = optarg;
            break;
        case 'q':
            o->quiet = true;
            break;
        case 1:
            if (parse_number(optarg, 0, 86400, &o->status) < 0)
                return usage_error("--status takes whole seconds, not", optarg);
            break;
        case 2:
            o->commands = !strcmp(optarg, "commands");
            if (!o->commands && strcmp(optarg, "local") != 0)
                return usage_error("--backend is local or commands, not", optarg);
            break;
        case 3:
            o->dry_run = true;
            break;
        case 4:
            o->retry = true;
            break;
        case 'h':
            help(stdout);
            return 0;
        default:
            return usage_error(c == ':' ? "a value is missing behind" : "unknown option", argv[optind - 1]);
        }
    }
    if (optind < argc)
        o->config = argv[optind++];
    if (optind < argc)
        return usage_error("only one CONFIG can be given (traces go behind -t); left over is", argv[optind]);
    return -1;
}

/* ---- planning ---- */

/* Some axis or the configuration says what is replayed. What an axis's values come to is each point's matter. */
static bool has_work(const struct config *c, const struct sweep_axes *axes)
{
    const struct machine_root *root = config_root(c);
    bool found = root->workload.processes.n || kernel_wanted(c);
    for (size_t i = 0; i < axes->n && !found; i++) {
        found = axes->axis[i].kind == AXIS_TRACE;
        for (size_t k = 0; k < axes->axis[i].n_keys && !found; k++)
            found = !strncmp(axes->axis[i].key[k], "workload.", 9);
    }
    return found;
}

/* Reads the configuration and makes the plan's texts; 0, or the exit code after telling what is wrong. */
static int compose(struct options *o, int argc, char **argv, char **text, char **host)
{
    struct diag *d = diag_new();
    struct config *c = NULL;
    struct sweep_axes axes = {0};
    struct err err;
    int code = 2;
    struct config_request req = {.path = o->config, .set = o->set, .n_set = o->n_set};
    if (config_load(&c, machine_config_schema(), &req, d) < 0 || sweep_axes_read(&axes, c, o->trace, o->n_trace, d) < 0 ||
        sweep_pictures_read(&o->pictures, c, d) < 0) {
        diag_print(d, stderr);
    } else if (!axes.n) {
        fprintf(stderr, "mmulab sweep: error: nothing is varied; write a section \"sweep\" with \"axes\", \"traces\" or \"seeds\" "
                        "(docs/sweep.md), or mmulab run for one simulation\n");
    } else if (!has_work(c, &axes)) {
        fprintf(stderr, "mmulab sweep: error: there is nothing to replay; name traces with -t, in \"traces\" of the section \"sweep\" or in "
                        "workload.processes\n");
    } else if (plan_compose(c, &axes, argc, argv, text, host, &err) < 0) {
        code = cmd_error("sweep", &err);
    } else {
        code = 0;
    }
    sweep_axes_free(&axes);
    config_free(c);
    diag_free(d);
    return code;
}

/* Is this the plan that the folder has? */
static bool same_plan(const struct sweep_folder *f, const char *text)
{
    struct sweep_plan there;
    struct err ignored;
    bool same = plan_load(&there, f->path, &ignored) == 0;
    if (same) {
        same = !strcmp(there.text, text);
        plan_free(&there);
    }
    return same;
}

/* Puts the plan into the folder; afterwards this process is a worker of it. */
static int install(struct sweep_folder *f, const struct sweep_plan *p, const struct sweep_point *point, const char *host,
                   bool quiet, struct err *err)
{
    size_t kept = 0;
    int got = folder_lock_plan(f, FOLDER_PLANNING, same_plan(f, p->text) ? 0 : PLAN_WAIT_MS, err);
    if (got > 0) {
        folder_clean(f);
        if (folder_write(f, "host.json", host, strlen(host), err) < 0 || folder_write(f, "sweep.json", p->text, p->len, err) < 0 ||
            folder_arrange(f, p, point, &kept, err) < 0)
            return -1;
        if (kept && !quiet)
            fprintf(stderr, "mmulab sweep: %zu results of an earlier plan are kept in %s/old\n", kept, f->path);
    } else if (got == 0 && !same_plan(f, p->text)) {
        err_set(err, ERR_RUN, "%.300s: points are being simulated, and this is another plan", f->path);
        return err_remedy(err, "wait for them, end them, or name another folder with -o");
    }
    return got < 0 || folder_lock_plan(f, FOLDER_WORKING, PLAN_WAIT_MS, err) < 0 ? -1 : 0;
}

/* ---- the backends ---- */

static void put_word(const char *s)
{
    putchar('\'');
    for (; *s; s++)
        *s == '\'' ? (void)fputs("'\\''", stdout) : (void)putchar(*s);
    putchar('\'');
}

static void print_commands(const struct options *o, const struct sweep_folder *f, const size_t *todo, size_t n)
{
    char *self = realpath("/proc/self/exe", NULL), *dir = realpath(f->path, NULL);
    for (size_t i = 0; i < n; i++) {
        put_word(self ? self : "mmulab");
        printf(" point %s", o->retry ? "--retry " : "");
        put_word(dir ? dir : f->path);
        printf(" %zu\n", todo[i]);
    }
    free(self);
    free(dir);
}

static int run_local(const struct options *o, struct sweep_folder *f, const struct sweep_plan *p,
                     const struct sweep_point *point, const size_t *todo, size_t n)
{
    struct pool pool = {.folder = f, .point = point, .todo = todo, .n_todo = n, .jobs = o->jobs < n ? o->jobs : (unsigned)n,
                        .retry = o->retry, .quiet = o->quiet, .status = o->status};
    struct collection c;
    struct err err;
    if (n && pool_run(&pool, &err) < 0)
        return cmd_error("sweep", &err);
    if (collect_load(&c, f, p, point, &err) < 0)
        return cmd_error("sweep", &err);
    int rc = pool.sig ? 0 : collect_write(&c, f, &err);
    if (rc < 0) {
        collect_free(&c);
        return cmd_error("sweep", &err);
    }
    bool failed = c.count[POINT_FAILED] > 0 || pool.lost, some = c.count[POINT_OK] > 0;
    if (c.count[POINT_OK] == p->n)
        folder_drop_warm(f);
    if (!o->quiet)
        report_sweep(&c, f, &pool);
    else if (pool.lost)
        fprintf(stderr, "mmulab sweep: the workers of %zu points were killed again and again\n", pool.lost);
    collect_free(&c);
    int drawn = some && !pool.sig ? sweep_pictures_draw(&o->pictures, o->output) : 0;
    return pool.sig ? 128 + pool.sig : failed ? 3 : drawn;
}

static unsigned online_cores(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return n < 1 ? 1 : (unsigned)n;
}

/* What is to be simulated; counts what cannot be. */
static size_t *list_todo(const struct sweep_folder *f, const struct sweep_plan *p, const struct sweep_point *point, bool retry,
                         size_t *n)
{
    size_t *todo = must_alloc(p->n, sizeof *todo);
    *n = 0;
    for (size_t i = 0; i < p->n; i++) {
        enum point_state s = f ? folder_state(f, &point[i], NULL) : point[i].reason ? POINT_FAILED : POINT_MISSING;
        if (s == POINT_MISSING || s == POINT_PARTIAL || (s == POINT_FAILED && retry && !point[i].reason))
            todo[(*n)++] = i;
    }
    return todo;
}

static int sweep(const struct options *o, const char *text, const char *host)
{
    struct sweep_plan p;
    struct sweep_folder f = {.fd = -1, .lock = -1};
    struct err err;
    if (plan_parse(&p, text, host, "sweep.json", &err) < 0)
        return cmd_error("sweep", &err);
    struct sweep_point *point = plan_points(&p);
    size_t n = 0, *todo = NULL, impossible = 0;
    int code = 0;
    for (size_t i = 0; i < p.n; i++)
        impossible += point[i].reason != NULL;
    if (!p.n) {
        err_set(&err, ERR_USAGE, "every combination is excluded");
        code = cmd_error("sweep", &err);
    } else if (o->dry_run) {
        bool there = access(o->output, F_OK) == 0 && folder_open(&f, o->output, false, &err) == 0;
        if (there)
            folder_find(&f, &p, point);
        todo = list_todo(there ? &f : NULL, &p, point, o->retry, &n);
        report_plan(&p, point, there ? &f : NULL, o->output, todo, n, o->jobs);
    } else if (folder_open(&f, o->output, true, &err) < 0 || install(&f, &p, point, host, o->quiet, &err) < 0) {
        code = cmd_error("sweep", &err);
    } else {
        report_impossible(&p, point, impossible);
        todo = list_todo(&f, &p, point, o->retry, &n);
        if (o->commands)
            print_commands(o, &f, todo, n);
        else
            code = run_local(o, &f, &p, point, todo, n);
    }
    free(todo);
    if (f.path)
        folder_close(&f);
    plan_points_free(&p, point);
    plan_free(&p);
    return code;
}

int cmd_sweep(int argc, char **argv)
{
    struct options o = {.output = "mmulab-sweep", .jobs = online_cores()};
    o.set = must_alloc((size_t)argc + 1, sizeof *o.set);
    o.trace = must_alloc((size_t)argc + 1, sizeof *o.trace);
    char *text = NULL, *host = NULL;
    int code = parse(argc, argv, &o);
    if (code < 0)
        code = compose(&o, argc, argv, &text, &host);
    if (code == 0 && text)
        code = sweep(&o, text, host);
    free(text);
    free(host);
    sweep_pictures_free(&o.pictures);
    free(o.set);
    free(o.trace);
    return code;
}
