/*
 * Reader of perf.data: the recorder's own program takes it apart (`perf script`, run as a child), its text is read as the
 * reader `perf` reads it. perf sorts the events of all CPUs by time. Without perf this is an error that says so.
 */
#include "traces/readers/perf/text.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct data_reader {
    struct perf_text_reader text;
    struct trace_input *out; /* what perf prints */
    pid_t child;
    int errors, copy;        /* memory files: perf's messages; the decompressed input where perf cannot read the file */
};

static int probe(const unsigned char *head, size_t n, bool whole)
{
    (void)whole;
    return n >= 8 && (!memcmp(head, "PERFILE2", 8) || !memcmp(head, "2ELIFREP", 8)) ? 100 : 0;
}

/* What perf needs is a file it can seek in: a compressed one, or memory, is copied. */
static int copy_input(struct data_reader *d, struct trace_input *in, struct err *err)
{
    d->copy = memfd_create("perf.data", MFD_CLOEXEC);
    if (d->copy < 0)
        return err_set(err, ERR_RUN, "no memory file: %s", strerror(errno));
    for (;;) {
        if (trace_input_fill(in, 1, err) < 0)
            return -1;
        size_t n = trace_input_avail(in);
        if (!n)
            return 0;
        for (const unsigned char *p = in->p; p < in->end;) {
            ssize_t k = write(d->copy, p, (size_t)(in->end - p));
            if (k < 0 && errno != EINTR)
                return err_set(err, ERR_RUN, "cannot copy the trace: %s", strerror(errno));
            p += k > 0 ? k : 0;
        }
        trace_input_consume(in, n);
    }
}

/* Starts the child; *out is where its text comes. */
static int start(struct data_reader *d, const char *path, int *out, struct err *err)
{
    int fd[2];
    if (pipe2(fd, O_CLOEXEC) < 0)
        return err_set(err, ERR_RUN, "no pipe: %s", strerror(errno));
    char *argv[] = {"perf", "script", "-i", (char *)path, "--ns", "--force", "-F", "comm,tid,cpu,time,event,trace",
                    "--show-lost-events", NULL};
    posix_spawn_file_actions_t act;
    posix_spawn_file_actions_init(&act);
    posix_spawn_file_actions_addopen(&act, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&act, fd[1], 1);
    posix_spawn_file_actions_adddup2(&act, d->errors, 2);
    if (d->copy >= 0) /* keeps its number in the child: the path names it */
        posix_spawn_file_actions_adddup2(&act, d->copy, d->copy);
    int rc = posix_spawnp(&d->child, argv[0], &act, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&act);
    close(fd[1]);
    if (rc) {
        close(fd[0]);
        d->child = 0;
        err_set(err, ERR_RUN, rc == ENOENT ? "a perf.data file is read by the program perf, which is not installed"
                                           : "cannot run perf: %s", strerror(rc));
        return err_remedy(err, "install perf (Debian: linux-perf), or give the output of `perf script --ns` made elsewhere");
    }
    *out = fd[0];
    return 0;
}

static int data_open(void *state, struct trace_input *in, const char *path, const struct trace_options *opt, struct err *err)
{
    struct data_reader *d = state;
    char name[64];
    int fd = -1;
    (void)opt;
    d->copy = -1;
    d->errors = memfd_create("perf.err", MFD_CLOEXEC);
    if (d->errors < 0)
        return err_set(err, ERR_RUN, "no memory file: %s", strerror(errno));
    if (perf_text_open(&d->text, err) < 0)
        goto fail;
    if (trace_input_size(in) == UINT64_MAX || strcmp(trace_input_compression(in), "none") || access(path, R_OK) != 0) {
        if (copy_input(d, in, err) < 0)
            goto fail;
        snprintf(name, sizeof name, "/proc/self/fd/%d", d->copy);
        path = name;
    }
    if (start(d, path, &fd, err) < 0)
        goto fail;
    snprintf(name, sizeof name, "/dev/fd/%d", fd);
    int rc = trace_input_open(&d->out, name, err);
    close(fd);
    if (rc == 0)
        return 0;
fail:
    trace_reader_perf_data.close(d);
    return -1;
}

/* The last line of perf's messages that says something. */
static char *last_words(char *text)
{
    char *last = text, *save = NULL;
    for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
        if (*l && !strstr(l, "Ignoring"))
            last = l;
    for (char *p = last; *p; p++)
        if ((unsigned char)*p < ' ')
            *p = ' ';
    return last;
}

/* The child is over: was all well? Its last message otherwise. */
static int reap(struct data_reader *d, struct err *err)
{
    int status = 0;
    if (!d->child)
        return 0;
    while (waitpid(d->child, &status, 0) < 0 && errno == EINTR)
        ;
    d->child = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    char text[2048] = "";
    off_t size = lseek(d->errors, 0, SEEK_END), from = size > (off_t)sizeof text - 1 ? size - ((off_t)sizeof text - 1) : 0;
    ssize_t n = pread(d->errors, text, sizeof text - 1, from);
    text[n > 0 ? n : 0] = '\0';
    const char *said = last_words(text);
    err_set(err, ERR_RUN, "perf could not read it: %.300s", *said ? said : "it ended without a message");
    return err_remedy(err, "was it recorded by another machine or a newer perf? `perf script -i FILE` says more");
}

static int data_read(void *state, struct trace_input *in, struct trace_sink *sink, struct err *err)
{
    struct data_reader *d = state;
    (void)in;
    int got = perf_text_read(&d->text, d->out, sink, err);
    return got == 0 ? reap(d, err) : got;
}

static void data_info(const void *state, struct trace_info *out)
{
    const struct data_reader *d = state;
    perf_text_info(&d->text, out);
}

static void data_close(void *state)
{
    struct data_reader *d = state;
    trace_input_close(d->out); /* closes the pipe, so a child that still writes ends */
    d->out = NULL;
    struct err ignored = {0};
    reap(d, &ignored);
    if (d->errors >= 0)
        close(d->errors);
    if (d->copy >= 0)
        close(d->copy);
    d->errors = d->copy = -1;
    perf_text_close(&d->text);
}

const struct trace_reader_ops trace_reader_perf_data = {
    .name = "perf_data",
    .probe = probe,
    .state_bytes = sizeof(struct data_reader),
    .open = data_open,
    .read_batch = data_read,
    .info = data_info,
    .close = data_close,
};
