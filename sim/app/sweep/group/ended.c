#include "app/sweep/group/ended.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int ended_by(int status)
{
    if (WIFSIGNALED(status))
        return WTERMSIG(status);
    return WIFEXITED(status) && WEXITSTATUS(status) > 128 ? WEXITSTATUS(status) - 128 : 0;
}

bool ended_by_crash(int sig)
{
    return sig == SIGSEGV || sig == SIGABRT || sig == SIGBUS || sig == SIGFPE || sig == SIGILL || sig == SIGSYS;
}

void ended_words(int said, char *buf, size_t size)
{
    off_t end = lseek(said, 0, SEEK_END), from = end > (off_t)size - 1 ? end - ((off_t)size - 1) : 0;
    ssize_t n = end > 0 ? pread(said, buf, (size_t)(end - from), from) : 0;
    n = n < 0 ? 0 : n;
    while (n > 0 && buf[n - 1] == '\n')
        n--;
    buf[n] = 0;
    char *line = strrchr(buf, '\n');
    if (line)
        memmove(buf, line + 1, strlen(line));
}

void ended_reason(int sig, const char *words, char *buf, size_t size)
{
    snprintf(buf, size, "the simulator crashed: %s%s%.380s", strsignal(sig), *words ? ": " : "", words);
}
