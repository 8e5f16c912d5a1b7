/* Recording with Valgrind's lackey: its text comes through a pipe and is never stored. */
#include "app/record/record.h"

#include "traces/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARGS_MAX 16u
#define PIPE_BYTES 4096 /* so that lackey waits for us at its first page of text */
#define FIRST_MS 50     /* a pipe that has not grown for so long is one that lackey waits at */
/*
 * Where a program lies under Valgrind on x86-64: below the tool (coregrind/link_tool_exe: 0x58000000), and its stack
 * below 0x1fff001000 (m_aspacemgr).
 */
#define TOOL_BEGIN 0x58000000u
#define STACK_LOW 0x1ff0000000u
#define STACK_END 0x1fff001000u

struct text {
    char dir[64], maps[96], link[96];
};

static void text_fini(const struct text *t)
{
    if (!t->dir[0])
        return;
    unlink(t->maps);
    unlink(t->link);
    rmdir(t->dir);
}

/* The reader takes a trace's initial mappings from a file beside it: a folder with both, for a moment. */
static int text_init(struct text *t, int fd, int pid, struct err *err)
{
    char line[4600], from[64], to[64];
    const char *tmp = getenv("TMPDIR");
    if (snprintf(t->dir, sizeof t->dir, "%.40s/mmulab-XXXXXX", tmp && *tmp ? tmp : "/tmp") < 0 || !mkdtemp(t->dir)) {
        t->dir[0] = '\0';
        return err_set(err, ERR_RUN, "cannot make a temporary folder: %s", strerror(errno));
    }
    snprintf(t->maps, sizeof t->maps, "%s/t.maps.txt", t->dir);
    snprintf(t->link, sizeof t->link, "%s/t.lackey", t->dir);
    snprintf(from, sizeof from, "/proc/%d/maps", pid);
    snprintf(to, sizeof to, "/proc/self/fd/%d", fd);
    FILE *in = fopen(from, "r"), *out = fopen(t->maps, "w");
    while (in && out && fgets(line, sizeof line, in)) {
        char *end;
        uint64_t start = strtoull(line, &end, 16);
        if (end != line && (start < TOOL_BEGIN || (start >= STACK_LOW && start < STACK_END)))
            fputs(line, out);
    }
    bool bad = !in || !out || ferror(out);
    if (in)
        fclose(in);
    if (out && fclose(out) != 0)
        bad = true;
    if (bad || symlink(to, t->link) < 0)
        return err_set(err, ERR_RUN, "cannot write to %s: %s", t->dir, strerror(errno));
    return 0;
}

/* lackey has begun to write and waits for us, or has ended. */
static void wait_first(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    while (poll(&p, 1, -1) < 0 && errno == EINTR && !record_interrupted())
        ;
    poll(NULL, 0, FIRST_MS);
}

static int start(const struct record_request *r, const char *valgrind, int fd, struct err *err)
{
    char log[32];
    size_t n = 0, k = 0;
    while (r->target.program.argv[n])
        n++;
    const char **argv = calloc(n + ARGS_MAX, sizeof *argv);
    if (!argv)
        return err_set(err, ERR_RUN, "out of memory");
    snprintf(log, sizeof log, "--log-fd=%d", fd);
    argv[k++] = valgrind;
    argv[k++] = "--tool=lackey";
    argv[k++] = "--trace-mem=yes";
    argv[k++] = "--trace-syscalls=yes";
    argv[k++] = "--basic-counts=no";
    argv[k++] = "--child-silent-after-fork=yes";
    argv[k++] = "--vgdb=no";
    argv[k++] = log;
    argv[k++] = "--";
    argv[k++] = r->target.program.path;
    for (size_t i = 1; i < n; i++)
        argv[k++] = r->target.program.argv[i];
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        record_child_prepare();
        fcntl(fd, F_SETFD, 0);
        execv(valgrind, (char *const *)argv);
        _exit(127);
    }
    free(argv);
    return pid < 0 ? err_set(err, ERR_RUN, "cannot run Valgrind: %s", strerror(errno)) : pid;
}

static int put_exit(struct record_sink sink, uint32_t thread, int status, struct err *err)
{
    struct trace_rec e = {.addr = (uint64_t)status, .size = 1, .kind = TRACE_EXIT};
    return sink.put(sink.self, 0, thread, &e, 1, err);
}

static int follow(struct trace *t, int pid, const struct record_request *r, struct record_sink sink,
                  struct record_enough enough, struct record_outcome *out, struct err *err)
{
    struct trace_batch b = {0};
    bool ended = false;
    uint32_t thread = 0;
    int got;
    while ((got = trace_next(t, &b, err)) > 0) {
        thread = b.process == 0 ? b.thread : thread;
        for (size_t i = 0; i < b.n && b.process == 0; i += 1u + b.rec[i].slots)
            ended |= b.rec[i].kind == TRACE_EXIT && b.rec[i].size == 1;
        if (sink.put(sink.self, b.process, b.thread, b.rec, b.n, err) < 0)
            return -1;
        if (r->stop_at_limit && !out->stopped && enough.full(enough.self)) {
            out->stopped = true;
            kill(pid, SIGKILL);
        }
    }
    record_child_ended(pid, true, &out->status);
    if (got < 0 && out->status < 128) /* of a killed one the last line may be cut off */
        return -1;
    return ended ? 0 : put_exit(sink, thread, out->status, err);
}

int record_with_lackey(const struct record_request *r, struct record_sink sink, struct record_enough enough,
                       struct record_outcome *out, struct err *err)
{
    struct text text = {0};
    struct trace *t = NULL;
    struct trace_options opt = {.format = "lackey"};
    int end[2], pid, rc;
    char *valgrind = record_find_program("valgrind");
    if (!valgrind || !r->target.program.wide) {
        err_set(err, ERR_USAGE, valgrind ? "lackey's text is read for x86-64 programs only" : "valgrind is not there");
        rc = err_remedy(err, valgrind ? "record it without --with lackey" : "install it: apt install valgrind");
        free(valgrind);
        return rc;
    }
    if (pipe2(end, O_CLOEXEC) < 0) {
        free(valgrind);
        return err_set(err, ERR_RUN, "cannot make a pipe: %s", strerror(errno));
    }
    fcntl(end[1], F_SETPIPE_SZ, PIPE_BYTES);
    record_signals_begin();
    pid = start(r, valgrind, end[1], err);
    free(valgrind);
    close(end[1]);
    rc = pid < 0 ? -1 : 0;
    if (rc == 0) {
        record_signals_child(pid);
        wait_first(end[0]);
        rc = text_init(&text, end[0], pid, err);
        if (rc == 0 && (rc = trace_open(&t, text.link, &opt, err)) < 0 && record_child_ended(pid, true, &out->status)) {
            pid = -1; /* no line of it came */
            err_set(err, ERR_RUN, "Valgrind ended with %d and did not run the program; it says why above", out->status);
            err_at(err, r->target.program.path, 0, 0);
        }
        if (rc == 0)
            fcntl(end[0], F_SETPIPE_SZ, 1 << 20);
    }
    close(end[0]);
    text_fini(&text);
    if (rc == 0)
        rc = follow(t, pid, r, sink, enough, out, err);
    trace_close(t); /* lackey that still writes is ended by it */
    if (rc < 0 && pid >= 0) {
        kill(pid, SIGTERM);
        record_child_ended(pid, true, &out->status);
    }
    out->interrupted = record_interrupted();
    record_signals_end();
    return rc;
}
