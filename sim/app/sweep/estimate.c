#include "app/sweep/estimate.h"

#include "app/machine_root.h"
#include "app/result/json/result_json.h"
#include "app/simulate.h"
#include "app/sweep/must.h"

#include "traces/trace.h"

#include <ftw.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TRY_POINTS = 3, TRY_REFERENCES = 200000 };

/* ---- from finished points ---- */

static bool from_host(struct estimate *e, const struct sweep_folder *f, const struct sweep_point *pt)
{
    struct json_flat j;
    struct err ignored;
    char *path = folder_point_path(f, pt, "host.json");
    int rc = json_flat_load(&j, path, &ignored);
    free(path);
    if (rc < 0)
        return false;
    const char *wall = json_flat_get(&j, "wall_seconds"), *memory = json_flat_get(&j, "peak_rss_bytes");
    uint64_t bytes = 0;
    if (wall && memory && json_flat_u64(memory, &bytes)) {
        e->seconds += strtod(wall, NULL);
        e->memory_bytes = bytes > e->memory_bytes ? bytes : e->memory_bytes;
        e->from++;
    }
    json_flat_free(&j);
    return true;
}

/* ---- by trying ---- */

struct tried {
    uint64_t references;
    bool whole;
};

/* References of all traces of a point, 0 if one does not tell. */
static uint64_t length_of(const struct sweep_point *pt)
{
    const struct machine_root *root = config_root(pt->config);
    const struct workload_process *w = root->workload.processes.o;
    uint64_t all = 0;
    for (size_t i = 0; i <= root->workload.processes.n; i++) {
        const char *path = i < root->workload.processes.n ? w[i].trace : pt->trace_path;
        struct trace *t;
        struct trace_info info = {0};
        struct err ignored;
        if (!path)
            continue;
        if (trace_open(&t, path, NULL, &ignored) < 0)
            return 0;
        trace_get_info(t, &info);
        trace_close(t);
        if (!info.refs)
            return 0;
        all += info.refs;
    }
    return root->m.sim.limit && root->m.sim.limit < all ? root->m.sim.limit : all;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void __attribute__((noreturn)) child(struct sweep_point *pt, const char *folder, int out)
{
    struct machine_root *root = config_root(pt->config);
    uint64_t limit = root->m.sim.limit;
    char path[300];
    struct workload_trace trace = {.path = pt->trace_path, .core = -1};
    struct simulated r;
    snprintf(path, sizeof path, "%.200s/out", folder);
    root->m.sim.limit = limit && limit < TRY_REFERENCES ? limit : TRY_REFERENCES;
    struct simulation s = {.config = pt->config, .trace = &trace, .n_trace = pt->trace_path ? 1 : 0, .output = path,
                           .label = "try", .quiet = true, .inline_decoding = true};
    int ok = simulate(&s, &r) == SIMULATED_WHOLE;
    struct tried t = {.references = ok ? machine_references(r.machine) : 0};
    t.whole = ok && (t.references < root->m.sim.limit || limit == root->m.sim.limit);
    ok = ok && write(out, &t, sizeof t) == (ssize_t)sizeof t;
    _exit(ok ? 0 : 1);
}

static void try_point(struct estimate *e, const struct sweep_plan *p, size_t index)
{
    char folder[] = "/tmp/mmulab-estimate-XXXXXX";
    struct sweep_point pt;
    struct tried t = {0};
    int pipes[2], status = 1;
    struct rusage use = {0};
    struct timespec from, to;
    plan_point(p, index, &pt);
    uint64_t length = pt.config ? length_of(&pt) : 0;
    if (!pt.config || !mkdtemp(folder)) {
        plan_point_free(&pt);
        return;
    }
    clock_gettime(CLOCK_MONOTONIC, &from);
    fflush(NULL);
    pid_t pid = pipe(pipes) == 0 ? fork() : -1;
    if (pid == 0)
        child(&pt, folder, pipes[1]);
    if (pid > 0) {
        close(pipes[1]);
        ssize_t n = read(pipes[0], &t, sizeof t);
        close(pipes[0]);
        wait4(pid, &status, 0, &use);
        clock_gettime(CLOCK_MONOTONIC, &to);
        double seconds = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
        uint64_t memory = (uint64_t)use.ru_maxrss * 1024;
        if (n == (ssize_t)sizeof t && status == 0 && t.references) {
            if (!t.whole && !length)
                e->unknown++;
            if (!t.whole && length > t.references)
                seconds *= (double)length / (double)t.references;
            e->seconds += seconds;
            e->memory_bytes = memory > e->memory_bytes ? memory : e->memory_bytes;
            e->from++;
        }
    }
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    plan_point_free(&pt);
}

void estimate_points(struct estimate *e, const struct sweep_folder *f, const struct sweep_plan *p,
                     const struct sweep_point *point, const size_t *todo, size_t n_todo)
{
    *e = (struct estimate){.references = TRY_REFERENCES};
    for (size_t i = 0; f && i < p->n; i++)
        if (folder_state(f, &point[i], NULL) == POINT_OK)
            from_host(e, f, &point[i]);
    e->finished = e->from > 0;
    for (size_t k = 0; !e->finished && k < TRY_POINTS && k < n_todo; k++) {
        size_t at = n_todo <= TRY_POINTS ? k : k * (n_todo - 1) / (TRY_POINTS - 1);
        try_point(e, p, todo[at]);
    }
    if (e->from)
        e->seconds /= (double)e->from;
}
