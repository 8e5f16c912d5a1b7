#include "app/sweep/estimate.h"

#include "app/kernel/kernel_run.h"
#include "app/machine_root.h"
#include "app/result/json/result_json.h"
#include "app/simulate.h"
#include "app/sweep/must.h"

#include "traces/trace.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TRY_POINTS = 3, TRY_REFERENCES = 200000, START_REFERENCES = 1000, TRY_SECONDS = 5 /* of processor time */ };

struct kin { /* points that replay the same */
    const char *trace;
    double seconds; /* of those known */
    size_t n;
};
struct work {
    struct estimate *e;
    struct kin *kin;
    size_t n_kin;
    uint64_t disk;
    size_t n_disk;
};

static struct kin *kin_of(struct work *w, const char *trace)
{
    for (size_t i = 0; i < w->n_kin; i++)
        if (!strcmp(w->kin[i].trace, trace))
            return &w->kin[i];
    w->kin = must_grow(w->kin, w->n_kin, sizeof *w->kin);
    w->kin[w->n_kin] = (struct kin){.trace = trace};
    return &w->kin[w->n_kin++];
}

static void seen(struct work *w, const char *trace, double seconds, uint64_t memory)
{
    struct kin *k = kin_of(w, trace);
    k->seconds += seconds;
    k->n++;
    w->e->longest = seconds > w->e->longest ? seconds : w->e->longest;
    w->e->memory_bytes = memory > w->e->memory_bytes ? memory : w->e->memory_bytes;
}

/* What the files of a folder take on the disk, sub-folders too. */
static uint64_t disk_of(int fd)
{
    uint64_t all = 0;
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    for (struct dirent *e; d && (e = readdir(d));) {
        struct stat st;
        if (!strcmp(e->d_name, "..") || fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW))
            continue;
        all += (uint64_t)st.st_blocks * 512;
        if (S_ISDIR(st.st_mode) && strcmp(e->d_name, ".") != 0)
            all += disk_of(openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    }
    if (d)
        closedir(d);
    return all;
}

static void seen_disk(struct work *w, const char *folder)
{
    uint64_t bytes = disk_of(open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    w->disk += bytes;
    w->n_disk += bytes > 0;
}

/* ---- from finished points ---- */

static void from_host(struct work *w, const struct sweep_folder *f, const struct sweep_point *pt)
{
    struct json_flat j;
    struct err ignored;
    char *path = folder_point_path(f, pt, "host.json");
    int rc = json_flat_load(&j, path, &ignored);
    free(path);
    if (rc < 0)
        return;
    const char *wall = json_flat_get(&j, "wall_seconds"), *memory = json_flat_get(&j, "peak_rss_bytes");
    uint64_t bytes = 0;
    if (wall && memory && json_flat_u64(memory, &bytes)) {
        path = folder_point_path(f, pt, "");
        seen(w, pt->trace, strtod(wall, NULL), bytes);
        seen_disk(w, path);
        free(path);
        w->e->finished++;
    }
    json_flat_free(&j);
}

/* ---- by trying ---- */

struct tried {
    uint64_t references, memory;
    bool whole;
    double seconds, busy; /* elapsed; of the processor */
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

static void time_is_up(int sig)
{
    (void)sig;
    raise(SIGTERM); /* the simulation ends as if it had been told to */
}

/* A kernel's events and calls have no limit but time. */
static int try_kernel(const struct simulation *s, struct tried *t)
{
    struct simulated r;
    signal(SIGPROF, time_is_up);
    setitimer(ITIMER_PROF, &(struct itimerval){.it_value.tv_sec = TRY_SECONDS}, NULL);
    enum simulated_end end = kernel_simulate(s, &r, false);
    t->whole = end == SIMULATED_WHOLE;
    t->references = 1; /* it ran */
    return end == SIMULATED_WHOLE || end == SIMULATED_INTERRUPTED;
}

static int try_programs(const struct simulation *s, uint64_t references, struct tried *t)
{
    struct machine_root *root = config_root(s->config);
    uint64_t limit = root->m.sim.limit;
    struct simulated r;
    root->m.sim.limit = limit && limit < references ? limit : references;
    int ok = simulate(s, &r) == SIMULATED_WHOLE;
    t->references = ok ? machine_references(r.machine) : 0;
    t->whole = ok && (t->references < root->m.sim.limit || limit == root->m.sim.limit);
    return ok;
}

static void __attribute__((noreturn)) child(struct sweep_point *pt, const char *path, uint64_t references, int out)
{
    struct workload_trace trace = {.path = pt->trace_path, .core = -1};
    struct simulation s = {.config = pt->config, .trace = &trace, .n_trace = pt->trace_path ? 1 : 0, .output = path,
                           .label = "try", .quiet = true, .inline_decoding = true};
    struct tried t = {0};
    int ok = kernel_wanted(pt->config) ? try_kernel(&s, &t) : try_programs(&s, references, &t);
    ok = ok && write(out, &t, sizeof t) == (ssize_t)sizeof t;
    _exit(ok ? 0 : 1);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double seconds_of(struct timeval t) { return (double)t.tv_sec + (double)t.tv_usec / 1e6; }

/* Up to so many references, in a process of its own; false: it does not run. */
static bool try_once(struct sweep_point *pt, const char *out, uint64_t references, struct tried *t)
{
    int pipes[2], status = 1;
    struct rusage use = {0};
    double from = now();
    *t = (struct tried){0};
    if (pipe(pipes))
        return false;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        child(pt, out, references, pipes[1]);
    close(pipes[1]);
    ssize_t n = pid > 0 ? read(pipes[0], t, sizeof *t) : 0;
    close(pipes[0]);
    if (pid > 0)
        wait4(pid, &status, 0, &use);
    t->seconds = now() - from;
    t->busy = seconds_of(use.ru_utime) + seconds_of(use.ru_stime);
    t->memory = (uint64_t)use.ru_maxrss * 1024;
    return n == (ssize_t)sizeof *t && status == 0 && t->references;
}

static void try_point(struct work *w, const struct sweep_plan *p, const char *kin, size_t index)
{
    char folder[] = "/tmp/mmulab-estimate-XXXXXX", out[sizeof folder + 8];
    struct sweep_point pt;
    struct tried t, start;
    plan_point(p, index, &pt);
    uint64_t length = pt.config && !kernel_wanted(pt.config) ? length_of(&pt) : 0;
    if (!pt.config || !mkdtemp(folder)) {
        plan_point_free(&pt);
        return;
    }
    snprintf(out, sizeof out, "%s/out", folder);
    if (try_once(&pt, out, TRY_REFERENCES, &t)) {
        double seconds = t.seconds;
        w->e->unknown += !t.whole && !length;
        seen_disk(w, out);
        if (!t.whole && length > t.references && try_once(&pt, out, START_REFERENCES, &start))
            seconds = estimate_whole(t.seconds, t.busy, t.references, start.busy, start.references, length);
        seen(w, kin, seconds, t.memory);
        w->e->tried++;
    }
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    plan_point_free(&pt);
}

/* Of the points whose traces nobody knows: the first, the middle, the last. */
static void try_some(struct work *w, const struct sweep_plan *p, const struct sweep_point *point, const size_t *todo, size_t n_todo)
{
    size_t *new = must_alloc(n_todo, sizeof *new), n = 0;
    for (size_t i = 0; i < n_todo; i++)
        if (!kin_of(w, point[todo[i]].trace)->n)
            new[n++] = todo[i];
    for (size_t k = 0; k < TRY_POINTS && k < n; k++) {
        size_t at = new[n <= TRY_POINTS ? k : k * (n - 1) / (TRY_POINTS - 1)];
        try_point(w, p, point[at].trace, at);
    }
    free(new);
}

void estimate_points(struct estimate *e, const struct sweep_folder *f, const struct sweep_plan *p,
                     const struct sweep_point *point, const size_t *todo, size_t n_todo)
{
    struct work w = {.e = e};
    double known = 0;
    size_t n = 0;
    *e = (struct estimate){.references = TRY_REFERENCES};
    for (size_t i = 0; f && i < p->n; i++)
        if (folder_state(f, &point[i], NULL) == POINT_OK)
            from_host(&w, f, &point[i]);
    try_some(&w, p, point, todo, n_todo);
    for (size_t i = 0; i < w.n_kin; i++) {
        known += w.kin[i].seconds;
        n += w.kin[i].n;
    }
    for (size_t i = 0; i < n_todo; i++) {
        const struct kin *k = kin_of(&w, point[todo[i]].trace);
        e->seconds += k->n ? k->seconds / (double)k->n : n ? known / (double)n : 0;
    }
    e->disk_bytes = w.n_disk ? w.disk / w.n_disk : 0;
    free(w.kin);
}
