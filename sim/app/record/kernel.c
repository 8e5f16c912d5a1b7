#include "app/record/kernel.h"

#include "app/cmd_error.h"
#include "app/record/record.h"
#include "config/units.h"
#include "engine/types.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zstd.h>

enum { BUFFER_DEFAULT = 64 << 20 }; /* a CPU; 230,000 events a second of some 100 bytes fill it in three seconds, unread */

static const char help_text[] =
    "usage: mmulab record --kernel [-o DIR] [OPTION]... [--] PROGRAM [ARGUMENT]...\n\n"
    "Runs the program and records what the kernel allocates and frees meanwhile, on all CPUs and for all programs: pages and\n"
    "slab objects, through perf; and before and after what the kernel says of its memory, the map of all frames included.\n"
    "Needs root, perf (Debian: linux-perf), tracefs and /proc/kpageflags. The program's input, output and exit status are its own.\n\n"
    "  -o, --output DIR   the folder of the recording (default: PROGRAM.kernel); it is made, or must be empty\n"
    "      --buffer SIZE  ring buffer of each CPU, a power of two (default 64MiB); larger if events are lost\n"
    "      --pages        only pages, not slab objects: some half of the events\n"
    "      --keep-data    keep perf's own file, DIR/perf.data\n"
    "  -q, --quiet        no summary\n"
    "  -h, --help\n\n"
    "Then:\n"
    "  scripts/validate DIR                           our model against what this kernel did\n"
    "  mmulab run -s workload.kernel.events=DIR ...   replay it; docs/kernel-replay.md\n";

struct options {
    char *dir;
    uint64_t buffer;
    bool keep_data, quiet, pages;
    char **program;
};

static int usage(struct err *err, const char *fmt, const char *what)
{
    err_set(err, ERR_USAGE, fmt, what); /* NOLINT: formats are this file's */
    return err_remedy(err, "see mmulab record --kernel --help");
}

/* 0, 1: help was asked for, -1: err. */
static int parse(int argc, char **argv, struct options *o, struct err *err)
{
    static const struct option longs[] = {
        {"kernel", no_argument, NULL, 'k'}, {"output", required_argument, NULL, 'o'}, {"buffer", required_argument, NULL, 'b'},
        {"keep-data", no_argument, NULL, 'd'}, {"pages", no_argument, NULL, 'p'}, {"quiet", no_argument, NULL, 'q'}, {"help", no_argument, NULL, 'h'}, {0}};
    optind = 0;
    opterr = 0;
    *o = (struct options){.buffer = BUFFER_DEFAULT};
    for (int c; (c = getopt_long(argc, argv, "+:o:qh", longs, NULL)) != -1;) {
        switch (c) {
        case 'k': break;
        case 'o': o->dir = optarg; break;
        case 'b':
            if (unit_parse_size(optarg, &o->buffer, err) < 0 || o->buffer < 65536 || o->buffer > 1ull << 32 || (o->buffer & (o->buffer - 1)))
                return usage(err, "--buffer takes a power of two from 64KiB to 4GiB such as 64MiB, not \"%.60s\"", optarg);
            break;
        case 'd': o->keep_data = true; break;
        case 'p': o->pages = true; break;
        case 'q': o->quiet = true; break;
        case 'h': fputs(help_text, stdout); return 1;
        case ':': return usage(err, "option %.60s needs a value", argv[optind - 1]);
        default: return usage(err, "option %.60s is not one of --kernel's", argv[optind - 1]);
        }
    }
    if (optind >= argc)
        return usage(err, "%swhich program is to run?", "");
    o->program = argv + optind;
    return 0;
}

/* ---- files ---- */

static int bad_file(struct err *err, const char *path)
{
    int e = errno;
    err_set(err, ERR_RUN, "cannot write %s: %s", path, strerror(e));
    return err_remedy(err, e == ENOSPC ? "free some space or name another folder with -o" : "");
}

int kernel_write_file(const char *dir, const char *name, const char *text, size_t len, bool compress, struct err *err)
{
    enum { LEVEL = 12 };
    char path[4200], tmp[4220];
    void *packed = NULL;
    snprintf(path, sizeof path, "%.4000s/%.150s", dir, name);
    snprintf(tmp, sizeof tmp, "%s.tmp", path);
    if (compress) {
        size_t cap = ZSTD_compressBound(len);
        packed = malloc(cap);
        len = packed ? ZSTD_compress(packed, cap, text, len, LEVEL) : 0;
        if (!packed || ZSTD_isError(len)) {
            free(packed);
            return err_set(err, ERR_RUN, "out of memory while compressing %s", path);
        }
        text = packed;
    }
    FILE *f = fopen(tmp, "we");
    bool bad = !f || fwrite(text, 1, len, f) != len || fflush(f) || fsync(fileno(f));
    if (f && fclose(f))
        bad = true;
    free(packed);
    if (bad || rename(tmp, path)) {
        bad_file(err, path);
        unlink(tmp);
        return -1;
    }
    return 0;
}

static int write_times(const char *dir, const struct snapshot *before, const struct snapshot *after, struct err *err)
{
    char text[4000]; /* both snapshots: some 40 lines of up to 60 characters */
    size_t n = (size_t)snprintf(text, sizeof text, "{\n");
    n += snapshot_times(before, "before", text + n, sizeof text - n);
    n += snapshot_times(after, "after", text + n, sizeof text - n);
    n -= n > 2 && text[n - 2] == ',' ? 2 : 0; /* no comma behind the last */
    n += (size_t)snprintf(text + n, sizeof text - n, "\n}\n");
    return kernel_write_file(dir, "times.json", text, n, false, err);
}

/* The folder, new or empty; *name is what its files are called after. */
static int make_folder(struct options *o, char *name, size_t size, struct err *err)
{
    char made[512];
    if (!o->dir) {
        const char *slash = strrchr(o->program[0], '/');
        snprintf(made, sizeof made, "%.400s.kernel", slash ? slash + 1 : o->program[0]);
        o->dir = strdup(made);
    } else {
        o->dir = strdup(o->dir);
    }
    if (!o->dir)
        return err_set(err, ERR_RUN, "out of memory");
    size_t len = strlen(o->dir);
    while (len > 1 && o->dir[len - 1] == '/')
        o->dir[--len] = '\0';
    if (mkdir(o->dir, 0777) && errno != EEXIST) {
        err_set(err, ERR_USAGE, "cannot make the folder \"%.300s\": %s", o->dir, strerror(errno));
        return err_remedy(err, "name another with -o");
    }
    DIR *d = opendir(o->dir);
    if (!d) {
        err_set(err, ERR_USAGE, "cannot use \"%.300s\": %s", o->dir, strerror(errno));
        return err_remedy(err, "name another folder with -o");
    }
    unsigned entries = 0;
    while (readdir(d))
        entries++;
    closedir(d);
    if (entries > 2) {
        err_set(err, ERR_USAGE, "the folder \"%.300s\" is not empty", o->dir);
        return err_remedy(err, "name another with -o, or remove it");
    }
    char *real = realpath(o->dir, NULL);
    const char *slash = real ? strrchr(real, '/') : NULL;
    snprintf(name, size, "%s", slash && slash[1] ? slash + 1 : "kernel");
    free(real);
    return 0;
}

/* ---- running ---- */

static int run_program(char **program, int *status, struct err *err)
{
    int failed[2], e = 0;
    if (pipe2(failed, O_CLOEXEC) < 0)
        return err_set(err, ERR_RUN, "cannot start the program: %s", strerror(errno));
    pid_t pid = fork();
    if (pid == 0) {
        record_child_prepare();
        execvp(program[0], program);
        e = errno;
        if (write(failed[1], &e, sizeof e) < 0)
            _exit(126);
        _exit(127);
    }
    close(failed[1]);
    if (pid > 0)
        record_signals_child(pid);
    ssize_t n = pid > 0 ? read(failed[0], &e, sizeof e) : -1;
    close(failed[0]);
    if (pid > 0)
        record_child_ended(pid, true, status);
    record_signals_child(0);
    if (n > 0) {
        err_set(err, ERR_USAGE, "cannot run \"%.300s\": %s", program[0], strerror(e));
        return err_remedy(err, "name a program of the machine, behind -- if its name begins with a dash");
    }
    return pid < 0 ? err_set(err, ERR_RUN, "cannot start the program: %s", strerror(errno)) : 0;
}

static int record(struct options *o, const char *name, int *status, struct err *err)
{
    struct snapshot before = {0}, after = {0};
    struct perf_session perf = {.pid = -1, .control = -1, .ack = -1, .said = -1};
    struct perf_text text;
    char data[4200], path[4400];
    int rc = -1;
    snprintf(data, sizeof data, "%.4000s/perf.data", o->dir);
    snprintf(path, sizeof path, "%.4000s/%.200s.perf.zst", o->dir, name);
    if (snapshot_init(&before, err) || snapshot_init(&after, err) || perf_begin(&perf, data, o->buffer, !o->pages, err) || perf_enable(&perf, err) ||
        snapshot_take(&before, err) || run_program(o->program, status, err) || snapshot_take(&after, err) || perf_end(&perf, err))
        goto done;
    if (perf_write_text(&perf, path, &text, err) || snapshot_write(&before, o->dir, "before", err) ||
        snapshot_write(&after, o->dir, "after", err) || write_times(o->dir, &before, &after, err))
        goto done;
    rc = 0;
    if (text.lost)
        fprintf(stderr, "mmulab record: warning: %" PRIu64 " events were lost: what follows from this recording is not the whole truth; "
                        "record again with --buffer %" PRIu64 "MiB\n", text.lost, (o->buffer >> 20 ? o->buffer >> 20 : 1) * 4);
    if (!o->quiet) {
        double seconds = (double)(after.start.tv_sec - before.end.tv_sec) + (double)(after.start.tv_nsec - before.end.tv_nsec) / 1e9;
        fprintf(stderr, "mmulab record: %" PRIu64 " events, %" PRIu64 " lost, %.3f s between the snapshots; exit status %d\n", text.events,
                text.lost, seconds, *status);
        fprintf(stderr, "mmulab record: free pages in the map and in buddyinfo: before %" PRIu64 " and %" PRIu64 ", after %" PRIu64
                        " and %" PRIu64 "\nrecording: %s\n", before.free_pages, before.buddy_pages, after.free_pages, after.buddy_pages, o->dir);
    }
done:
    if (o->keep_data && rc == 0) {
        free(perf.data);
        perf.data = NULL;
    }
    perf_kill(&perf);
    snapshot_fini(&before);
    snapshot_fini(&after);
    return rc;
}

int record_kernel(int argc, char **argv)
{
    struct options o;
    struct err err = {0};
    char name[256];
    int status = 0, rc = parse(argc, argv, &o, &err);
    if (rc > 0)
        return 0;
    if (rc == 0 && geteuid() != 0) {
        err_set(&err, ERR_USAGE, "only root may record the kernel");
        rc = err_remedy(&err, "run it with sudo");
    }
    if (rc == 0) {
        rc = make_folder(&o, name, sizeof name, &err);
        if (rc == 0) {
            record_signals_begin();
            rc = record(&o, name, &status, &err);
            record_signals_end();
        }
        if (rc < 0)
            rmdir(o.dir); /* if nothing was written */
        free(o.dir);
    }
    if (rc < 0) {
        char text[2400];
        err_format(&err, text, sizeof text);
        fprintf(stderr, "mmulab record: %s\n", text);
        return err.kind == ERR_USAGE ? 2 : 1;
    }
    return status;
}
