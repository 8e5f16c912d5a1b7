#include "app/record/record.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
#define ENDING (sizeof ending / sizeof ending[0])

/* A signal handler has no argument of ours: the one exception to "no state at file scope", with progress.c's. */
static volatile sig_atomic_t child, interrupted;

static void on_signal(int sig, siginfo_t *info, void *context)
{
    int saved = errno;
    (void)context;
    if (sig != SIGCHLD) {
        interrupted = sig;
        /* From the terminal the program has it, too; what somebody sent to us alone is meant for both. */
        if (info->si_code <= 0 && child > 0)
            kill((pid_t)child, sig);
    }
    errno = saved;
}

void record_signals_begin(void)
{
    struct sigaction a = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    child = 0;
    interrupted = 0;
    sigaction(SIGCHLD, &a, NULL);
    for (size_t i = 0; i < ENDING; i++)
        sigaction(ending[i], &a, NULL);
}

void record_signals_child(int pid)
{
    child = pid;
}

void record_signals_end(void)
{
    signal(SIGCHLD, SIG_DFL);
    for (size_t i = 0; i < ENDING; i++)
        signal(ending[i], SIG_DFL);
}

bool record_interrupted(void)
{
    return interrupted != 0;
}

void record_child_prepare(void)
{
    record_signals_end();
    signal(SIGXFSZ, SIG_DFL); /* main ignores it */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

bool record_child_ended(int pid, bool wait, int *status)
{
    int s;
    pid_t got;
    do
        got = waitpid(pid, &s, wait ? 0 : WNOHANG);
    while (got < 0 && errno == EINTR && wait);
    if (got != pid)
        return false;
    *status = WIFSIGNALED(s) ? 128 + WTERMSIG(s) : WEXITSTATUS(s);
    return true;
}

char *record_installed(const char *name)
{
    static const char *const places[] = {"lib/mmulab", "../" MMULAB_LIBDIR "/mmulab", "../lib/mmulab"};
    char exe[PATH_MAX], *path;
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (n <= 0)
        return NULL;
    exe[n] = '\0';
    const char *dir = dirname(exe);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (asprintf(&path, "%s/%s/%s", dir, places[i], name) < 0)
            return NULL;
        if (access(path, R_OK) == 0)
            return path;
        free(path);
    }
    return NULL;
}
