#include "app/sweep/pool.h"

#include "app/progress.h"
#include "app/sweep/group/ended.h"
#include "app/sweep/group/sharing.h"
#include "app/sweep/must.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TRIES = 3, TICK_MS = 100, BUSY_MS = 500 };

struct worker {
    pid_t pid; /* 0: none */
    size_t *job, n; /* indices into todo: points that one decoder feeds */
    int err;   /* what it says on stderr */
};

struct run {
    struct pool *p;
    struct worker *worker;
    unsigned char *tries; /* that were lost; such a job is alone from then on */
    size_t *queue; /* jobs that wait: [head, head + waiting) of an array twice as long as todo */
    size_t head, waiting, running, points; /* workers, and points that they have */
    struct timespec rest; /* not to ask again and again for what another worker has */
    bool told;
    sigset_t old_mask;
};

static void put(struct run *r, size_t job)
{
    if (r->head + r->waiting == 2 * r->p->n_todo) {
        memmove(r->queue, r->queue + r->head, r->waiting * sizeof *r->queue);
        r->head = 0;
    }
    r->queue[r->head + r->waiting++] = job;
}

/* The next points of one worker become the first of the queue. */
static size_t pick(struct run *r)
{
    return group_pick(r->p->point, r->p->todo, r->tries, r->queue + r->head, r->waiting, group_share(r->waiting, r->p->jobs));
}

/* ---- one worker ---- */

static void __attribute__((noreturn)) become_worker(struct run *r, const struct worker *w, pid_t parent)
{
    char name[] = "mmulab", verb[] = "point", quiet[] = "-q", again[] = "--retry";
    enum { WORDS = 6, DIGITS = 24 };
    char **argv = must_alloc(w->n + WORDS, sizeof *argv), *index = must_alloc(w->n, DIGITS);
    size_t argc = 0;
    argv[argc++] = name;
    argv[argc++] = verb;
    argv[argc++] = quiet;
    if (r->p->retry)
        argv[argc++] = again;
    argv[argc++] = r->p->folder->path;
    for (size_t i = 0; i < w->n; i++) {
        argv[argc] = index + i * DIGITS;
        snprintf(argv[argc++], DIGITS, "%zu", r->p->todo[w->job[i]]);
    }
    int null = open("/dev/null", O_RDWR);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* it died before it was asked for */
        _exit(1);
    setpgid(0, 0); /* the terminal's Ctrl-C is for the sweep, which decides */
    sigprocmask(SIG_SETMASK, &r->old_mask, NULL);
    if (null >= 0) {
        dup2(null, 0);
        dup2(null, 1);
    }
    dup2(w->err, 2);
    execv("/proc/self/exe", argv); /* this very program, even if its file was replaced meanwhile */
    dprintf(2, "mmulab: cannot start a worker: %s\n", strerror(errno));
    _exit(1);
}

static void leave(struct run *r, struct worker *w)
{
    close(w->err);
    w->pid = 0;
    r->running--;
    r->points -= w->n;
}

static int start(struct run *r, struct worker *w, size_t n, struct err *err)
{
    pid_t parent = getpid();
    free(w->job);
    w->job = must_alloc(n, sizeof *w->job);
    w->n = n;
    memcpy(w->job, r->queue + r->head, n * sizeof *w->job);
    w->err = memfd_create("worker", MFD_CLOEXEC);
    w->pid = w->err < 0 ? -1 : fork();
    if (w->pid == 0)
        become_worker(r, w, parent);
    if (w->pid > 0) {
        r->head += n;
        r->waiting -= n;
        r->points += n;
        r->running++;
        return 0;
    }
    int e = errno;
    if (w->err >= 0)
        close(w->err);
    w->pid = 0;
    return err_set(err, ERR_RUN, "cannot start a worker: %s", strerror(e));
}

/* A point whose worker was killed or told to end is started again, some times; by itself, where it was one of several. */
static void lost(struct run *r, size_t job)
{
    if (r->p->sig)
        return;
    if (++r->tries[job] < TRIES)
        put(r, job);
    else
        r->p->lost++;
}

/* Counts the worker's points that are there or failed; returns how many others there are and leaves them in w->job. */
static size_t unfinished(struct run *r, struct worker *w)
{
    size_t left = 0;
    for (size_t i = 0; i < w->n; i++) {
        enum point_state state = folder_state(r->p->folder, &r->p->point[r->p->todo[w->job[i]]], NULL);
        r->p->done += state == POINT_OK;
        r->p->failed += state == POINT_FAILED;
        if (state != POINT_OK && state != POINT_FAILED)
            w->job[left++] = w->job[i];
    }
    return left;
}

static int ended(struct run *r, struct worker *w, int status, struct err *err)
{
    struct pool *p = r->p;
    const struct sweep_point *pt = &p->point[p->todo[w->job[0]]];
    char words[400], reason[600];
    ended_words(w->err, words, sizeof words);
    bool several = w->n > 1;
    leave(r, w);
    int sig = ended_by(status);
    if (!sig && WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != 3) {
        err_set(err, ERR_RUN, "the worker of point %zu cannot work: %.380s", pt->index, *words ? words : "it says nothing");
        return -1;
    }
    if (sig && !several && ended_by_crash(sig)) {
        ended_reason(sig, words, reason, sizeof reason);
        p->failed++;
        return folder_set_failed(p->folder, pt, reason, err);
    }
    size_t left = unfinished(r, w);
    for (size_t i = 0; i < left; i++)
        if (sig)
            lost(r, w->job[i]);
        else
            put(r, w->job[i]); /* another sweep's worker has it */
    if (left && !sig)
        clock_gettime(CLOCK_MONOTONIC, &r->rest);
    return 0;
}

/* ---- all of them ---- */

static int reap(struct run *r, struct err *err)
{
    int rc = 0;
    for (unsigned i = 0; i < r->p->jobs; i++) {
        int status;
        if (r->worker[i].pid && waitpid(r->worker[i].pid, &status, WNOHANG) > 0 && ended(r, &r->worker[i], status, err) < 0)
            rc = -1;
    }
    return rc;
}

/* SIGTERM ends them, SIGUSR2 those that have several points after as many as they take for one. */
static void tell_workers(struct run *r, int sig)
{
    for (unsigned i = 0; i < r->p->jobs; i++)
        if (r->worker[i].pid && (sig == SIGTERM || r->worker[i].n > 1))
            kill(r->worker[i].pid, sig);
}

static bool resting(const struct run *r)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - r->rest.tv_sec) * 1000 + (now.tv_nsec - r->rest.tv_nsec) / 1000000 < BUSY_MS;
}

static int fill(struct run *r, struct err *err)
{
    for (unsigned i = 0; i < r->p->jobs && r->waiting; i++) {
        if (r->worker[i].pid)
            continue;
        if (resting(r))
            return 0;
        if (start(r, &r->worker[i], pick(r), err) < 0)
            return -1;
    }
    return 0;
}

static void heed_signals(struct run *r)
{
    int sig = progress_interrupted();
    if (sig && !r->p->sig && !r->p->quiet && sig == SIGINT && r->points > r->running)
        fprintf(stderr, "mmulab sweep: each worker finishes a point, more of them where that takes no longer; Ctrl-C again ends them\n");
    else if (sig && !r->p->sig && !r->p->quiet && sig == SIGINT && r->running)
        fprintf(stderr, "mmulab sweep: %zu running points are finished; Ctrl-C again ends them\n", r->points);
    r->p->sig = sig;
    if (sig)
        r->waiting = 0;
    if (sig && !r->told) {
        r->told = true;
        tell_workers(r, sig == SIGINT ? SIGUSR2 : SIGTERM);
    }
}

int pool_run(struct pool *p, struct err *err)
{
    struct run r = {.p = p, .worker = must_alloc(p->jobs, sizeof *r.worker), .tries = must_alloc(p->n_todo, 1),
                    .queue = must_alloc(2 * p->n_todo, sizeof *r.queue)};
    struct progress progress;
    sigset_t child;
    int rc = 0;
    for (size_t i = 0; i < p->n_todo; i++)
        put(&r, i);
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, &r.old_mask);
    progress_signals_install();
    progress_start(&progress, stderr, "sweep", p->n_todo, p->quiet ? 0 : p->status);
    progress.unit = "points";
    progress.tty = progress.tty && !p->quiet;
    while (rc == 0 && (r.waiting || r.running)) {
        rc = fill(&r, err);
        snprintf(progress.note, sizeof progress.note, "%zu running, %zu failed", r.points, p->failed);
        progress_update(&progress, p->done + p->failed, 0);
        if (rc == 0 && (r.running || resting(&r)))
            sigtimedwait(&child, NULL, &(struct timespec){.tv_nsec = TICK_MS * 1000000});
        heed_signals(&r);
        if (reap(&r, err) < 0)
            rc = -1;
    }
    if (rc < 0)
        tell_workers(&r, SIGTERM);
    for (unsigned i = 0; i < p->jobs; i++)
        if (r.worker[i].pid) {
            waitpid(r.worker[i].pid, NULL, 0);
            close(r.worker[i].err);
        }
    p->wall_ns = progress_wall_ns(&progress);
    progress_end(&progress);
    sigprocmask(SIG_SETMASK, &r.old_mask, NULL);
    for (unsigned i = 0; i < p->jobs; i++)
        free(r.worker[i].job);
    free(r.worker);
    free(r.tries);
    free(r.queue);
    return rc;
}
