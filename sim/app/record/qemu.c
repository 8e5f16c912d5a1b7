/* Recording with QEMU's user-mode emulation and our plugin in it. */
#include "app/record/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STEP_MS 50   /* between two looks whether the program still runs, when it does nothing */
#define ARGS_MAX 24u /* of QEMU's own */

struct command {
    char *qemu, *other; /* for this program, for those of the other width that it executes */
    char *plugin, *preload;
    int preload_fd; /* -1: none */
    char *option, *preload_option;
    const char **argv;
};

static void command_fini(struct command *c)
{
    free(c->qemu);
    free(c->other);
    free(c->plugin);
    free(c->preload);
    if (c->preload_fd >= 0)
        close(c->preload_fd);
    free(c->option);
    free(c->preload_option);
    free(c->argv);
}

static int find_qemu(struct command *c, const struct record_request *r, struct err *err)
{
    const char *name = r->target.program.wide ? "qemu-x86_64" : "qemu-i386";
    c->qemu = r->qemu ? strdup(r->qemu) : record_find_program(name);
    c->other = record_find_program(r->target.program.wide ? "qemu-i386" : "qemu-x86_64");
    if (c->qemu && access(c->qemu, X_OK) == 0)
        return 0;
    err_set(err, ERR_USAGE, "%s is not there: it runs the program that is recorded", r->qemu ? r->qemu : name);
    return err_remedy(err, "install it: apt install qemu-user (scripts/setup does); or record with --with lackey");
}

static int find_library(char **out, const char *name, struct err *err)
{
    *out = record_installed(name);
    if (*out)
        return 0;
    err_set(err, ERR_USAGE, "%s is not there", name);
    return err_remedy(err, "it is built with mmulab and lies in lib/mmulab beside or above the program: build or install "
                           "mmulab whole");
}

static int find_preload(struct command *c, const struct record_request *r, struct err *err)
{
    if (!r->target.program.dynamic) {
        err_set(err, ERR_USAGE, "--malloc cannot follow a program that is linked statically");
        return err_at(err, r->target.program.path, 0, 0);
    }
    const char *name = r->target.program.wide ? "malloc-events.so" : "malloc-events-i386.so", *old = getenv("LD_PRELOAD");
    if (find_library(&c->preload, name, err) < 0)
        return -1;
    if (strpbrk(c->preload, " ,:")) { /* what neither the loader nor QEMU takes in a name; ours, open, has another one */
        c->preload_fd = open(c->preload, O_RDONLY | O_CLOEXEC);
        free(c->preload);
        c->preload = NULL;
        if (c->preload_fd < 0 || asprintf(&c->preload, "/proc/%d/fd/%d", (int)getpid(), c->preload_fd) < 0)
            return err_set(err, ERR_RUN, "%s cannot be opened: %s", name, strerror(errno));
    }
    return asprintf(&c->preload_option, "LD_PRELOAD=%s%s%s", c->preload, old ? ":" : "", old ? old : "") < 0
               ? err_set(err, ERR_RUN, "out of memory")
               : 0;
}

static int find_all(struct command *c, const struct record_request *r, struct err *err)
{
    return find_qemu(c, r, err) < 0 || find_library(&c->plugin, "qemu-recorder.so", err) < 0 ||
                   (r->malloc && find_preload(c, r, err) < 0)
               ? -1
               : 0;
}

static int make_command(struct command *c, const struct record_request *r, const char *plugin, int fd, struct err *err)
{
    size_t n = 0, k = 0;
    while (r->target.program.argv[n])
        n++;
    c->argv = calloc(n + ARGS_MAX, sizeof *c->argv);
    if (!c->argv || asprintf(&c->option, "%s,fd=%d", plugin, fd) < 0)
        return err_set(err, ERR_RUN, "out of memory");
    c->argv[k++] = c->qemu;
    c->argv[k++] = "-plugin";
    c->argv[k++] = c->option;
    c->argv[k++] = "-cpu";
    c->argv[k++] = r->cpu;
    if (c->preload_option) {
        c->argv[k++] = "-E";
        c->argv[k++] = c->preload_option;
    }
    c->argv[k++] = "-0";
    c->argv[k++] = r->target.program.argv[0];
    c->argv[k++] = r->target.program.path;
    for (size_t i = 1; i < n; i++)
        c->argv[k++] = r->target.program.argv[i];
    return 0;
}

/* Starts QEMU; its pid, or -1. */
static int start(const struct command *c, int fd, struct err *err)
{
    int why = 0, tell[2];
    if (pipe2(tell, O_CLOEXEC) < 0)
        return err_set(err, ERR_RUN, "cannot make a pipe: %s", strerror(errno));
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        record_child_prepare();
        fcntl(fd, F_SETFD, 0);
        execv(c->qemu, (char *const *)c->argv);
        why = errno;
        if (write(tell[1], &why, sizeof why) < 0)
            _exit(126);
        _exit(127);
    }
    close(tell[1]);
    bool bad = pid >= 0 && read(tell[0], &why, sizeof why) == sizeof why;
    close(tell[0]);
    if (pid >= 0 && !bad)
        return pid;
    err_set(err, ERR_RUN, "cannot run QEMU: %s", strerror(bad ? why : errno));
    return err_at(err, c->qemu, 0, 0);
}

/* Until the program has ended. */
static int follow(struct drain *d, int pid, struct record_enough enough, const struct record_request *r,
                  struct record_outcome *out, struct err *err)
{
    bool quiet = false;
    int got;
    while (!record_child_ended(pid, false, &out->status)) {
        if ((got = drain_step(d, STEP_MS, err)) < 0)
            return -1;
        if (got > 0 && !quiet && enough.full(enough.self)) {
            quiet = true;
            drain_quiet(d);
            if (r->stop_at_limit) {
                out->stopped = true;
                kill(pid, SIGKILL);
            }
        }
    }
    return drain_finish(d, out->status, err);
}

static int judge(const struct drain *d, const struct command *c, const struct record_request *r,
                 const struct record_outcome *out, struct err *err)
{
    struct drain_result result;
    drain_get_result(d, &result);
    if (!result.started) {
        err_set(err, ERR_RUN, "QEMU ended with %d and did not load the recorder", out->status);
        err_at(err, c->qemu, 0, 0);
        return err_remedy(err, "it must be version 6.0 to 8.x, built with plugins, as qemu-user of Debian and Ubuntu is");
    }
    if (!result.maps) {
        err_set(err, ERR_RUN, "QEMU ended with %d and could not load the program", out->status);
        err_at(err, r->target.program.path, 0, 0);
        return err_remedy(err, "is the file whole, and does it run by itself? `%.100s -cpu help` lists what --cpu takes", c->qemu);
    }
    if (result.lost)
        fprintf(stderr, "mmulab record: warning: the recording ends before the program: %s\n", result.lost);
    if (result.became)
        fprintf(stderr, "mmulab record: warning: %s replaced itself by %s, which is not recorded; record that program\n",
                r->target.name, result.became);
    return 0;
}

int record_with_qemu(const struct record_request *r, struct record_sink sink, struct record_enough enough,
                     struct record_outcome *out, struct err *err)
{
    struct command c = {.preload_fd = -1};
    struct drain *d = NULL;
    char mark[512];
    int fd = -1, rc = find_all(&c, r, err), pid = -1;
    bool wide = r->target.program.wide;
    snprintf(mark, sizeof mark, "%s recorded by mmulab " MMULAB_VERSION " with %s -cpu %s", r->target.name,
             wide ? "qemu-x86_64" : "qemu-i386", r->cpu);
    struct drain_options opt = {.keep_maps = r->keep_maps, .mark = mark, .plugin = c.plugin, .cpu = r->cpu,
                                .qemu = {wide ? c.other : c.qemu, wide ? c.qemu : c.other}};
    if (rc == 0 && drain_new(&d, &fd, &opt, sink, err) == 0 && make_command(&c, r, drain_plugin(d), fd, err) == 0) {
        record_signals_begin();
        pid = start(&c, fd, err);
    }
    rc = -1;
    if (pid >= 0) {
        record_signals_child(pid);
        rc = follow(d, pid, enough, r, out, err);
        if (rc < 0) { /* the program goes on without us */
            drain_free(d);
            d = NULL;
            record_child_ended(pid, true, &out->status);
        }
        record_signals_child(0);
        out->interrupted = record_interrupted();
        record_signals_end();
        if (rc == 0)
            rc = judge(d, &c, r, out, err);
    }
    drain_free(d);
    command_fini(&c);
    return rc;
}
