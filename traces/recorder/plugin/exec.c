#include "exec.h"

#include "../program.h"
#include "producer.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OWN_ARGS 10u /* of QEMU, beside -E */

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
    char memory[64], option[WIRE_PATH_BYTES + 96];
    char **argv = guest_strings(g, argv_at, &nargv), **env = guest_strings(g, envp_at, &nenv);
    if (argv && env && atomic_load(&w->mode) != WIRE_CLOSED &&
        program_resolve(&p, path, (const char *const *)argv, &err) == 0 && !p.privileged && w->qemu[p.wide][0]) {
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
