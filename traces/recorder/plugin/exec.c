#include "exec.h"

#include "../program.h"
#include "producer.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OWN_ARGS 10u /* of QEMU, beside -E */
#define LINK_BYTES 4096u

static char own[LINK_BYTES]; /* the file of the program that runs here; empty if not known */

/* QEMU is started by us: ... -0 NAME FILE ARGUMENT... */
void exec_begin(void)
{
    char *line = NULL;
    size_t cap = 0;
    FILE *f = fopen("/proc/self/cmdline", "re");
    for (int word = 0; f && word < 3 && getdelim(&line, &cap, 0, f) > 0;) {
        word += word || !strcmp(line, "-0");
        if (word == 3 && !realpath(line, own))
            own[0] = 0;
    }
    free(line);
    if (f)
        fclose(f);
}

/*
 * What the kernel would take the path for, had it not QEMU to run: /proc/self/exe is the program, and an open file that
 * will be closed is found by its name.
 */
static const char *real_path(const char *path, char link[LINK_BYTES])
{
    static const char *const selves[] = {"/proc/self/", "/proc/thread-self/"};
    char numbered[32];
    size_t n = 0;
    snprintf(numbered, sizeof numbered, "/proc/%d/", (int)getpid());
    for (size_t i = 0; i < 2 && !n; i++)
        n = strncmp(path, selves[i], strlen(selves[i])) ? 0 : strlen(selves[i]);
    if (!n && !strncmp(path, numbered, strlen(numbered)))
        n = strlen(numbered);
    if (n && !strcmp(path + n, "exe") && own[0])
        return own;
    if (n && !strncmp(path + n, "fd/", 3)) {
        ssize_t k = readlink(path, link, LINK_BYTES - 1);
        if (k > 0 && link[0] == '/') {
            link[k] = 0;
            return access(link, X_OK) == 0 ? link : path; /* a file without a name any more */
        }
    }
    return path;
}

/* The loader's variables are for the program, not for QEMU, which is started with the same environment. */
static bool is_loaders(const char *variable)
{
    return !strncmp(variable, "LD_", 3);
}

static void run(const struct program *p, char **env, size_t nenv, const char *option)
{
    const struct wire *w = producer.wire;
    size_t n = 0, k = 0, e = 0;
    while (p->argv[n])
        n++;
    const char **argv = calloc(n + OWN_ARGS + 2 * nenv, sizeof *argv), **rest = calloc(nenv + 1, sizeof *rest);
    if (argv && rest) {
        argv[k++] = w->qemu[p->wide];
        argv[k++] = "-plugin";
        argv[k++] = option;
        argv[k++] = "-cpu";
        argv[k++] = w->cpu;
        for (size_t i = 0; i < nenv; i++) {
            if (is_loaders(env[i])) {
                argv[k++] = "-E";
                argv[k++] = env[i];
            } else {
                rest[e++] = env[i];
            }
        }
        argv[k++] = "-0";
        argv[k++] = n ? p->argv[0] : p->path;
        argv[k++] = p->path;
        for (size_t i = 1; i < n; i++)
            argv[k++] = p->argv[i];
        execve(argv[0], (char *const *)argv, (char *const *)rest);
    }
    free(argv);
    free(rest);
}

void exec_follow(const struct guest *g, const char *path, uint64_t argv_at, uint64_t envp_at, uint32_t process,
                 uint32_t thread)
{
    const struct wire *w = producer.wire;
    struct program p = {0};
    struct err err;
    size_t nargv, nenv;
    char memory[64], option[WIRE_PATH_BYTES + 96], link[LINK_BYTES];
    char **argv = guest_strings(g, argv_at, &nargv), **env = guest_strings(g, envp_at, &nenv);
    if (argv && env && atomic_load(&w->mode) != WIRE_CLOSED &&
        program_resolve(&p, real_path(path, link), (const char *const *)argv, &err) == 0 && !p.privileged && w->qemu[p.wide][0]) {
        snprintf(memory, sizeof memory, "/proc/%d/fd/%d", w->recorder_pid, w->fd);
        int fd = open(memory, O_RDWR);
        if (fd >= 0) {
            snprintf(option, sizeof option, "%s,fd=%d,process=%u,thread=%u", w->plugin, fd, process, thread);
            run(&p, env, nenv, option);
            close(fd);
        }
    }
    program_fini(&p);
    guest_strings_free(argv);
    guest_strings_free(env);
}
