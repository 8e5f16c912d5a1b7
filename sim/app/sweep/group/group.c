#include "app/sweep/group/group.h"

#include "app/decoded.h"
#include "app/progress.h"
#include "app/sweep/group/ended.h"
#include "app/sweep/group/sharing.h"
#include "app/sweep/must.h"

#include "traces/io/share.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TICK_MS = 200, EXIT_TROUBLE = 1, EXIT_FAILED_POINTS = 3 };
#define GO 'g'
#define MORE 'm'

struct member {
    size_t index;
    pid_t pid;           /* 0: not begun, or ended */
    int fd;              /* to it; a letter a turn */
    int said;            /* its stderr where that is kept; -1: it has this process' own */
    bool begun;
};

struct group {
    struct sweep_folder *folder;
    const struct sweep_plan *plan;
    const struct point_job *job;
    group_point_fn point;
    struct trace_share *share;
    struct member *member;
    size_t n;                 /* those for which a process can be had */
    struct progress progress; /* answers SIGUSR1 */
    size_t over;
    int told;  /* signal passed on */
    bool last; /* no more points are begun */
    int code;
};

/* ---- a point's process ---- */

/* The window is used up: gives the turn away and sleeps until it comes back. -1: nobody is there any more. */
static int ask(void *self)
{
    const int *fd = self;
    char letter = MORE;
    ssize_t n;
    while ((n = send(*fd, &letter, 1, MSG_NOSIGNAL)) < 0 && errno == EINTR)
        ;
    if (n != 1)
        return -1;
    while ((n = recv(*fd, &letter, 1, 0)) < 0 && errno == EINTR) /* a result cut short is written in its turn, too */
        ;
    return n == 1 ? 0 : -1;
}

static void __attribute__((noreturn)) become_point(struct group *g, struct member *m, int fd, pid_t parent)
{
    struct sweep_folder own; /* locks belong to an open file */
    struct point_job job = *g->job;
    struct err err;
    int code = EXIT_TROUBLE;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(EXIT_TROUBLE);
    setpgid(0, 0); /* a terminal's Ctrl-C reaches it through its parent, once */
    for (size_t i = 0; i < g->n; i++) {
        if (g->member[i].pid)
            close(g->member[i].fd);
        if (&g->member[i] != m && g->member[i].begun && g->member[i].said >= 0)
            close(g->member[i].said);
    }
    if (m->said >= 0)
        dup2(m->said, 2);
    job.index = m->index;
    job.share = g->share;
    trace_share_read(g->share, ask, &fd);
    if (folder_open(&own, g->folder->path, false, &err) == 0) {
        code = g->point(&own, g->plan, &job);
        folder_close(&own);
    } else {
        fprintf(stderr, "mmulab point: error: %s\n", err.message);
    }
    fflush(NULL);
    _exit(code);
}

static int begin(struct group *g, struct member *m)
{
    int pair[2];
    pid_t parent = getpid();
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return -1;
    m->begun = true;
    m->said = g->job->quiet ? memfd_create("point", MFD_CLOEXEC) : -1;
    fflush(NULL);
    m->pid = fork();
    if (m->pid == 0) {
        close(pair[0]);
        become_point(g, m, pair[1], parent);
    }
    close(pair[1]);
    m->fd = pair[0];
    if (m->pid > 0)
        return 0;
    close(m->fd);
    if (m->said >= 0)
        close(m->said);
    *m = (struct member){.index = m->index, .fd = -1, .said = -1};
    return -1;
}

/* ---- the group ---- */

/* The folder cannot be used: of the exit codes of `mmulab point` those that are about no point and no signal. */
static bool is_trouble(int code) { return code && code != EXIT_FAILED_POINTS && code <= 128; }

static int rank(int code) { return is_trouble(code) ? 3 : code > 128 ? 2 : code != 0; }

/* The worst that is to be told: trouble with the folder, a signal, failed points. */
static void note(struct group *g, int code)
{
    if (rank(code) > rank(g->code))
        g->code = code;
}

static void pass_on(struct group *g, int sig)
{
    for (size_t i = 0; i < g->n; i++)
        if (g->member[i].pid)
            kill(g->member[i].pid, sig);
}

/* Whoever waits for the end is to wait for no more than one point takes. */
static void finish_some(struct group *g)
{
    size_t runs = 0;
    for (size_t i = 0; i < g->n; i++)
        runs += g->member[i].pid != 0;
    size_t go_on = group_last(runs, trace_share_part(g->share));
    g->last = true;
    for (size_t i = 0; i < g->n; i++)
        if (g->member[i].pid && go_on)
            go_on--;
        else if (g->member[i].pid)
            kill(g->member[i].pid, SIGTERM);
        else if (!g->member[i].begun)
            note(g, 128 + SIGINT);
}

static void heed_signals(struct group *g)
{
    int sig = progress_interrupted();
    if (sig && !g->told) {
        g->told = sig;
        pass_on(g, sig);
    } else if (!sig && !g->last && progress_last()) {
        finish_some(g);
    }
    progress_update(&g->progress, g->over, 0);
}

/* What it said goes on to whoever reads this process' stderr. */
static void say_again(int said)
{
    char buf[4096];
    ssize_t n;
    off_t at = 0;
    while ((n = pread(said, buf, sizeof buf, at)) > 0) {
        fwrite(buf, 1, (size_t)n, stderr);
        at += n;
    }
    fflush(stderr);
}

static void crashed(struct group *g, const struct member *m, int sig, const char *words)
{
    struct sweep_point pt;
    struct err err;
    char reason[600];
    ended_reason(sig, words, reason, sizeof reason);
    plan_point(g->plan, m->index, &pt);
    if (folder_set_failed(g->folder, &pt, reason, &err) < 0) {
        fprintf(stderr, "mmulab point: error: %s\n", err.message);
        note(g, EXIT_TROUBLE);
    } else {
        note(g, EXIT_FAILED_POINTS);
    }
    if (!g->job->quiet)
        printf("point %zu: failed: %s\n", m->index, reason);
    plan_point_free(&pt);
}

static void ended(struct group *g, struct member *m)
{
    int status = 0;
    char words[400] = "";
    close(m->fd); /* whoever still waits for a turn learns that there is none */
    while (waitpid(m->pid, &status, 0) < 0 && errno == EINTR)
        heed_signals(g);
    m->pid = 0;
    g->over++;
    if (m->said >= 0) {
        ended_words(m->said, words, sizeof words);
        say_again(m->said);
        close(m->said);
        m->said = -1;
    }
    int sig = ended_by(status);
    if (sig && WIFSIGNALED(status) && ended_by_crash(sig)) {
        crashed(g, m, sig, words);
        return;
    }
    if (WIFSIGNALED(status) && !g->job->quiet)
        fprintf(stderr, "mmulab point: the process of point %zu was ended: %s\n", m->index, strsignal(sig));
    note(g, sig ? 128 + sig : WEXITSTATUS(status));
    if (!sig && is_trouble(WEXITSTATUS(status)) && !g->told) {
        g->told = SIGTERM; /* what there is of the others is kept */
        pass_on(g, SIGTERM);
    }
}

/* It runs until it has used up the window (true) or has ended. */
static bool await(struct group *g, struct member *m)
{
    struct pollfd p = {.fd = m->fd, .events = POLLIN};
    char letter;
    for (;;) {
        heed_signals(g);
        int n = poll(&p, 1, TICK_MS);
        if (n <= 0)
            continue;
        ssize_t got = recv(m->fd, &letter, 1, 0);
        if (got == 1 && letter == MORE)
            return true;
        if (got < 0 && errno == EINTR)
            continue;
        ended(g, m);
        return false;
    }
}

/* One turn; false: it takes part no longer. */
static bool turn(struct group *g, struct member *m)
{
    const char letter = GO;
    if (!m->begun) {
        if (g->told || g->last)
            return false;
        if (begin(g, m) < 0) {
            g->n = (size_t)(m - g->member); /* as many as there can be */
            return false;
        }
    } else if (!m->pid) {
        return false;
    } else if (send(m->fd, &letter, 1, MSG_NOSIGNAL) != 1) {
        ended(g, m);
        return false;
    }
    return await(g, m);
}

/* The trace as the points will name it; to be freed. NULL: let them say what is wrong. */
static char *trace_of(struct group *g, size_t index)
{
    struct sweep_point pt;
    char *path = NULL, *folder = folder_decoded_path(g->folder);
    struct err ignored;
    plan_point(g->plan, index, &pt);
    struct sharing s = sharing_of(g->plan, &pt);
    bool ok = s.trace && plan_check_files(g->plan, &pt, &ignored) == 0;
    if (ok && s.decoded)
        ok = decoded_share(folder, s.trace, &path, &ignored) == 0;
    if (ok && !path)
        path = must_dup(s.trace);
    plan_point_free(&pt);
    free(folder);
    return path;
}

int group_run(struct sweep_folder *f, const struct sweep_plan *p, const struct point_job *job, const size_t *index, size_t *n,
              group_point_fn point)
{
    struct group g = {.folder = f, .plan = p, .job = job, .point = point, .n = *n};
    struct err ignored;
    char label[64];
    char *path = trace_of(&g, index[0]);
    int rc = path ? trace_share_new(&g.share, path, 0, &ignored) : -1;
    free(path);
    if (rc < 0)
        return -1;
    g.member = must_alloc(g.n, sizeof *g.member);
    for (size_t i = 0; i < g.n; i++)
        g.member[i] = (struct member){.index = index[i], .fd = -1, .said = -1};
    snprintf(label, sizeof label, "%zu points from %zu on", g.n, index[0]);
    progress_signals_install();
    progress_start(&g.progress, stderr, label, g.n, 0);
    g.progress.unit = "points";
    g.progress.tty = false;
    size_t left = g.n;
    while (left && trace_share_fill(g.share, (unsigned)left)) {
        left = 0;
        for (size_t i = 0; i < g.n; i++)
            left += turn(&g, &g.member[i]);
    }
    for (size_t i = 0; i < g.n; i++) /* a reader that wants more than there is would wait for ever */
        if (g.member[i].pid)
            ended(&g, &g.member[i]);
    if (g.told && !g.code)
        g.code = 128 + g.told;
    trace_share_free(g.share);
    free(g.member);
    *n = g.n;
    return g.n ? g.code : -1;
}
