#include "app/plot/plot_run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NO_FOLDER = 126, NO_GNUPLOT = 127 };

/* In the child: only calls that are safe after fork. */
static _Noreturn void child(const char *folder, const char *script, int errors, bool quiet)
{
    if (chdir(folder))
        _exit(NO_FOLDER);
    int null = open("/dev/null", O_RDWR);
    if (null >= 0) {
        dup2(null, STDIN_FILENO);
        if (quiet)
            dup2(null, STDOUT_FILENO);
    }
    dup2(errors, STDERR_FILENO);
    /* --default-settings: a user's ~/.gnuplot must not change a picture. */
    execlp("gnuplot", "gnuplot", "--default-settings", script, (char *)NULL);
    _exit(NO_GNUPLOT);
}

/* The last lines of what gnuplot wrote, on one line. */
static void read_all(int fd, char *out, size_t size)
{
    size_t n = 0;
    char buf[4096];
    for (;;) {
        ssize_t got = read(fd, buf, sizeof buf);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        for (ssize_t i = 0; i < got; i++)
            if (n + 1 < size && !(buf[i] == ' ' && n && out[n - 1] == ' '))
                out[n++] = buf[i] == '\n' || (unsigned char)buf[i] < 0x20 ? ' ' : buf[i];
    }
    while (n && out[n - 1] == ' ')
        n--;
    out[n] = '\0';
}

int plot_run_gnuplot(const char *folder, const char *stem, const char *picture, char *said, size_t size,
                     struct err *err)
{
    char script[300], path[4600];
    *said = '\0';
    int pipefd[2];
    snprintf(script, sizeof script, "./%s.gp", stem);
    snprintf(path, sizeof path, "%.4096s/%.300s", folder, picture ? picture : "");
    if (picture)
        unlink(path);
    if (pipe2(pipefd, O_CLOEXEC))
        return err_set(err, ERR_RUN, "cannot make a pipe: %s", strerror(errno));
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) {
        close(pipefd[0]);
        close(pipefd[1]);
        return err_set(err, ERR_RUN, "cannot start gnuplot: %s", strerror(errno));
    }
    if (!pid)
        child(folder, script, pipefd[1], picture != NULL);
    close(pipefd[1]);
    read_all(pipefd[0], said, size);
    close(pipefd[0]);
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_set(err, ERR_RUN, "cannot wait for gnuplot: %s", strerror(errno));
    if (WIFEXITED(status) && WEXITSTATUS(status) == NO_GNUPLOT) {
        err_set(err, ERR_RUN, "gnuplot was not found; the script %.600s/%.250s.gp and its data are written", folder, stem);
        return err_remedy(err, "install gnuplot (Debian: gnuplot-nox)");
    }
    struct stat st;
    /* gnuplot ends with 0 after some mistakes, so the picture itself is looked at too. */
    if (!status && (!picture || (!stat(path, &st) && st.st_size)))
        return 0;
    if (picture)
        unlink(path);
    return err_set(err, ERR_RUN, "gnuplot failed on %.300s/%.200s.gp: %.500s", folder, stem,
                   *said ? said : "it wrote no picture");
}
