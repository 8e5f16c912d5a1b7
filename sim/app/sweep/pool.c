#include "app/sweep/pool.h"

#include "app/progress.h"
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
    size_t job;
    int err;   /* what it says on stderr */
};

struct run {
    struct pool *p;
    struct worker *worker;
    unsigned char *tries;
    size_t *queue; /* jobs (indices into todo) that wait; a ring as long as todo */
    size_t head, waiting, running;
    struct timespec rest; /* not to ask again and again for what another worker has */
    bool told;
    sigset_t old_mask;
};

static void put(struct run *r, size_t job) { r->queue[(r->head + r->waiting++) % r->p->n_todo] = job; }

static void take(struct run *r)
{
    r->head = (r->head + 1) % r->p->n_todo;
    r->waiting--;
}

/* ---- one worker ---- */

static void __attribute__((noreturn)) become_worker(struct run *r, size_t job, int err, pid_t parent)
{
    char index[24], name[] = "mmulab", verb[] = "point", quiet[] = "-q", again[] = "--retry";
    snprintf(index, sizeof index, "%zu", r->p->todo[job]);
    char *argv[] = {name, verb, quiet, r->p->folder->path, index, r->p->retry ? again : NULL, NULL};
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
    dup2(err, 2);
    execv("/proc/self/exe", argv); /* this very program, even if its file was replaced meanwhile */
    dprintf(2, "mmulab: cannot start a worker: %s\n", strerror(errno));
    _exit(1);
}

static int start(struct run *r, struct worker *w, size_t job, struct err *err)
{
    pid_t parent = getpid();
    w->job = job;
    w->err = memfd_create("worker", MFD_CLOEXEC);
    w->pid = w->err < 0 ? -1 : fork();
    if (w->pid == 0)
        become_worker(r, job, w->err, parent);
    if (w->pid > 0) {
        r->running++;
        return 0;
    }
    int e = errno;
    if (w->err >= 0)
        close(w->err);
    w->pid = 0;
    return err_set(err, ERR_RUN, "cannot start a worker: %s", strerror(e));
}

/* The last line that a worker said, without its newline. */
static void last_words(int fd, char *buf, size_t size)
{
    off_t end = lseek(fd, 0, SEEK_END), from = end > (off_t)size - 1 ? end - ((off_t)size - 1) : 0;
    ssize_t n = end > 0 ? pread(fd, buf, (size_t)(end - from), from) : 0;
    n = n < 0 ? 0 : n;
    while (n > 0 && buf[n - 1] == '\n')
        n--;
    buf[n] = 0;
    char *line = strrchr(buf, '\n');
    if (line)
        memmove(buf, line + 1, strlen(line));
}

static bool is_crash(int sig)
{
    return sig == SIGSEGV || sig == SIGABRT || sig == SIGBUS || sig == SIGFPE || sig == SIGILL || sig == SIGSYS;
}

/* A point whose worker was killed or told to end is started again, some times. */
static void lost(struct run *r, size_t job)
{
    if (r->p->sig)
        return;
    if (++r->tries[job] < TRIES)
        put(r, job);
    else
        r->p->lost++;
}

static int ended(struct run *r, struct worker *w, int status, struct err *err)
{
    struct pool *p = r->p;
    const struct sweep_point *pt = &p->point[p->todo[w->job]];
    char words[400], reason[600];
    last_words(w->err, words, sizeof words);
    close(w->err);
    w->pid = 0;
    r->running--;
    if (WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 3)) {
        enum point_state state = folder_state(p->folder, pt, NULL);
        p->done += state == POINT_OK;
        p->failed += state == POINT_FAILED;
        if (state != POINT_OK && state != POINT_FAILED) { /* another sweep's worker has it */
            put(r, w->job);
            clock_gettime(CLOCK_MONOTONIC, &r->rest);
        }
        return 0;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) < 128) {
        err_set(err, ERR_RUN, "the worker of point %zu cannot work: %.380s", pt->index, *words ? words : "it says nothing");
        return -1;
    }
    int sig = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status) - 128;
    if (!is_crash(sig)) {
        lost(r, w->job);
        return 0;
    }
    snprintf(reason, sizeof reason, "the simulator crashed: %s%s%.380s", strsignal(sig), *words ? ": " : "", words);
    p->failed++;
    return folder_set_failed(p->folder, pt, reason, err);
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

static void tell_workers(struct run *r, int sig)
{
    for (unsigned i = 0; i < r->p->jobs; i++)
        if (r->worker[i].pid)
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
        if (start(r, &r->worker[i], r->queue[r->head], err) < 0)
            return -1;
        take(r);
    }
    return 0;
}

static void heed_signals(struct run *r)
{
    int sig = progress_interrupted();
    if (sig && !r->p->sig && !r->p->quiet && sig == SIGINT && r->running)
        fprintf(stderr, "mmulab sweep: %zu running points are finished; Ctrl-C again ends them\n", r->running);
    r->p->sig = sig;
    if (sig)
        r->waiting = 0;
    if (sig && sig != SIGINT && !r->told) {
        r->told = true;
        tell_workers(r, SIGTERM);
    }
}

int pool_run(struct pool *p, struct err *err)
{
    struct run r = {.p = p, .worker = must_alloc(p->jobs, sizeof *r.worker), .tries = must_alloc(p->n_todo, 1),
                    .queue = must_alloc(p->n_todo, sizeof *r.queue)};
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
        snprintf(progress.note, sizeof progress.note, "%zu running, %zu failed", r.running, p->failed);
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
    free(r.worker);
    free(r.tries);
    free(r.queue);
    return rc;
}
