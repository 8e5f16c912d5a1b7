#include "app/sweep/report.h"

#include "app/sweep/estimate.h"
#include "app/sweep/group/sharing.h"
#include "app/sweep/must.h"

#include <inttypes.h>
#include <sys/statvfs.h>

enum { LINES_MAX = 20 }; /* of one list in a summary */
#define TABLES 1.6       /* bytes of a point with its share of results.csv, summary.csv, results.sqlite: 1.5 measured (docs/sweep.md) */

static char *duration(char *buf, size_t size, double seconds)
{
    uint64_t s = seconds > 3.6e8 ? 360000000 : (uint64_t)(seconds + 0.5);
    if (seconds < 10)
        snprintf(buf, size, "%.1f s", seconds);
    else if (s < 120)
        snprintf(buf, size, "%" PRIu64 " s", s);
    else if (s < 7200)
        snprintf(buf, size, "%" PRIu64 " min", (s + 30) / 60);
    else
        snprintf(buf, size, "%" PRIu64 " h %02" PRIu64 " min", s / 3600, s / 60 % 60);
    return buf;
}

/* ---- points of one reason are one line ---- */

struct listed {
    size_t point;
    enum point_state state;
    const char *reason;
};

static int by_reason(const void *a, const void *b)
{
    const struct listed *x = a, *y = b;
    int c = (int)x->state - (int)y->state;
    c = c ? c : strcmp(x->reason ? x->reason : "", y->reason ? y->reason : "");
    return c ? c : (x->point > y->point) - (x->point < y->point);
}

static void list_by_reason(const struct sweep_plan *p, struct listed *l, size_t n, FILE *to)
{
    static const char *const states[] = POINT_STATES;
    qsort(l, n, sizeof *l, by_reason);
    size_t lines = 0, hidden = 0;
    for (size_t i = 0, k; i < n; i = k) {
        for (k = i + 1; k < n && l[k].state == l[i].state && !strcmp(l[k].reason ? l[k].reason : "", l[i].reason ? l[i].reason : ""); k++)
            ;
        if (lines++ >= LINES_MAX) {
            hidden += k - i;
            continue;
        }
        char *label = plan_point_label(p, l[i].point);
        fprintf(to, "  %-7s ", states[l[i].state]);
        if (k - i > 1)
            fprintf(to, "%zu points, the first is ", k - i);
        fprintf(to, "point %zu (%s)%s%s\n", l[i].point, label, l[i].reason ? ": " : "", l[i].reason ? l[i].reason : "");
        free(label);
    }
    if (hidden)
        fprintf(to, "  and %zu more (mmulab status --all)\n", hidden);
}

void report_impossible(const struct sweep_plan *p, const struct sweep_point *point, size_t n)
{
    struct listed *l = must_alloc(n, sizeof *l);
    size_t k = 0;
    for (size_t i = 0; i < p->n && k < n; i++)
        if (point[i].reason)
            l[k++] = (struct listed){i, POINT_FAILED, point[i].reason};
    if (n)
        fprintf(stderr, "mmulab sweep: %zu of %zu points cannot work:\n", n, p->n);
    list_by_reason(p, l, k, stderr);
    free(l);
}

static char *bytes_text(char *buf, size_t size, double bytes)
{
    static const char *const unit[] = {"KiB", "MiB", "GiB", "TiB"};
    unsigned u = 0;
    for (bytes /= 1024; bytes >= 1024 && u < 3; u++)
        bytes /= 1024;
    snprintf(buf, size, bytes < 10 && u ? "%.1f %s" : "%.0f %s", bytes, unit[u]);
    return buf;
}

/* Free bytes where a folder is or will be; 0: not known. */
static double free_bytes(const char *output)
{
    char *path = must_dup(output);
    struct statvfs v;
    int got;
    while ((got = statvfs(path, &v)) != 0 && strchr(path, '/') && strcmp(path, "/") != 0)
        *(strrchr(path, '/') == path ? path + 1 : strrchr(path, '/')) = 0;
    if (got != 0)
        got = statvfs(".", &v);
    free(path);
    return got == 0 ? (double)v.f_bavail * (double)v.f_frsize : 0;
}

/* Points that have memory at the same time: each worker has as many as one decoder feeds (group/sharing.h). */
static size_t points_at_once(const struct sweep_point *point, const size_t *todo, size_t n_todo, unsigned jobs)
{
    size_t group = 1;
    for (size_t i = 0; i < n_todo; i++)
        group = point[todo[i]].group > group ? point[todo[i]].group : group;
    size_t most = group_share(n_todo, jobs), all = jobs * (group < most ? group : most);
    return all < n_todo ? all : n_todo;
}

static void report_estimate(const struct estimate *e, const char *output, size_t n_todo, unsigned jobs, size_t points)
{
    char one[40], all[40], disk[40], left[40];
    if (!n_todo)
        return;
    if (!e->finished && !e->tried) {
        printf("no estimate: none of the points that were tried ran\n");
        return;
    }
    unsigned at_once = jobs < n_todo ? jobs : (unsigned)n_todo;
    duration(one, sizeof one, e->seconds / (double)n_todo);
    size_t turns = (n_todo + at_once - 1) / at_once;
    double time = e->seconds / at_once, rounds = (double)turns * e->seconds / (double)n_todo;
    duration(all, sizeof all, time < e->longest ? e->longest : time < rounds ? rounds : time);
    printf("estimate from");
    if (e->finished)
        printf(" %zu finished points (their host.json)%s", e->finished, e->tried ? " and" : "");
    if (e->tried)
        printf(" trying %zu points for up to %" PRIu64 " references, scaled to their traces' length", e->tried, e->references);
    printf(": %s a point\n", one);
    if (e->unknown)
        printf("  %zu of these were not tried to their end, and their length is not known: they take longer\n", e->unknown);
    printf("  time    %s for %zu points with -j %u\n", all, n_todo, jobs);
    printf("  memory  %.0f MiB a point, %.0f MiB for %zu points at a time with -j %u%s\n", (double)e->memory_bytes / 1048576,
           (double)e->memory_bytes / 1048576 * (double)points, points, jobs, e->tried ? ", and more where a trace touches more later" : "");
    double need = (double)e->disk_bytes * (double)n_todo, there = free_bytes(output);
    printf("  disk    %s a point, %s for %zu points and the tables; %s are free there%s\n",
           bytes_text(disk, sizeof disk, (double)e->disk_bytes), bytes_text(one, sizeof one, need * TABLES), n_todo,
           bytes_text(left, sizeof left, there), there < need * TABLES ? ": NOT ENOUGH" : "");
}

void report_plan(const struct sweep_plan *p, const struct sweep_point *point, const struct sweep_folder *f, const char *output,
                 const size_t *todo, size_t n_todo, unsigned jobs)
{
    static const char *const states[] = POINT_STATES;
    struct estimate e;
    for (size_t i = 0; i < p->n; i++) {
        char *label = plan_point_label(p, i);
        enum point_state s = f ? folder_state(f, &point[i], NULL) : POINT_MISSING;
        printf("%4zu  %-7s  %s%s%s\n", i, s == POINT_MISSING && point[i].reason ? states[POINT_FAILED] : states[s], label,
               point[i].reason ? "  -- " : "", point[i].reason ? point[i].reason : "");
        free(label);
    }
    printf("%zu points, %zu to simulate\n", p->n, n_todo);
    fflush(stdout);
    estimate_points(&e, f, p, point, todo, n_todo);
    report_estimate(&e, output, n_todo, jobs, points_at_once(point, todo, n_todo, jobs));
}

static void counts(const struct collection *c)
{
    static const char *const states[] = POINT_STATES;
    printf("%zu points", c->plan->n);
    for (int s = POINT_OK; s >= POINT_MISSING; s--)
        if (c->count[s] || s == POINT_OK)
            printf("%s %zu %s", s == POINT_OK ? ":" : ",", c->count[s], states[s]);
}

static void points(const struct collection *c)
{
    struct listed *l = must_alloc(c->plan->n, sizeof *l);
    size_t n = 0;
    for (size_t i = 0; i < c->plan->n; i++)
        if (c->got[i].state != POINT_OK)
            l[n++] = (struct listed){i, c->got[i].state, c->got[i].reason};
    list_by_reason(c->plan, l, n, stdout);
    free(l);
}

void report_states(const struct collection *c, bool all)
{
    static const char *const states[] = POINT_STATES;
    counts(c);
    printf("\n");
    if (!all)
        points(c);
    for (size_t i = 0; all && i < c->plan->n; i++) {
        const struct collected_point *got = &c->got[i];
        char *label = plan_point_label(c->plan, i);
        printf("%4zu  %-7s  %s%s%s\n", i, states[got->state], label, got->reason ? "  -- " : "", got->reason ? got->reason : "");
        free(label);
    }
}

void report_sweep(const struct collection *c, const struct sweep_folder *f, const struct pool *pool)
{
    char took[40];
    counts(c);
    size_t there = c->count[POINT_OK] > pool->done ? c->count[POINT_OK] - pool->done : 0;
    if (there)
        printf("; %zu were there already", there);
    if (pool->n_todo)
        printf("; %s with %u processes", duration(took, sizeof took, (double)pool->wall_ns / 1e9), pool->jobs);
    printf("\n");
    points(c);
    if (pool->lost)
        printf("the workers of %zu points were killed again and again; for want of memory? fewer at a time (-j) may help\n", pool->lost);
    if (pool->sig)
        printf("ended by signal %d; the same command goes on\n", pool->sig);
    else
        printf("result: %s/results.csv summary.csv results.sqlite\n", f->path);
}
