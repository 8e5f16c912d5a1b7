/*
 * Size and speed of the native trace format: mtr_bench [-l LEVEL] [-b BLOCK_RECORDS] [-n ROUNDS] TRACE...
 * Each trace is converted to a .mtr in the temporary folder and read back. One line per trace:
 * records, references, bytes per reference, source reading and encoding (M records/s), decoding alone and
 * ahead.
 */
#include "common.h"

#include "traces/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Reads all; *sum keeps the compiler from dropping it. M records/s of the best of `rounds`. */
static int read_rate(const char *path, bool ahead, int rounds, double *rate, uint64_t *records, struct err *e)
{
    struct trace_options opt = {.ahead = ahead, .no_maps = true};
    struct trace *t;
    struct trace_batch b;

    *rate = 0;
    if (trace_open(&t, path, &opt, e) < 0)
        return -1;
    for (int i = 0; i < rounds; i++) {
        double t0 = now(), r;
        uint64_t n = 0;
        int k;
        if (i && trace_rewind(t, e) < 0)
            return -1;
        while ((k = trace_next(t, &b, e)) > 0)
            n = b.first_record;
        if (k < 0) {
            trace_close(t);
            return -1;
        }
        r = (double)n / (now() - t0) / 1e6;
        *rate = r > *rate ? r : *rate;
        *records = n;
    }
    trace_close(t);
    return 0;
}

static int one(const char *path, const struct trace_writer_options *wo, int rounds, const char *tmp)
{
    struct trace_options opt = {.no_maps = true};
    struct err e = {0};
    struct trace *t;
    struct trace_writer *w;
    struct trace_batch b;
    struct trace_info info;
    struct stat st;
    double t0, source, encode, plain, ahead;
    uint64_t n = 0;
    int r;

    if (read_rate(path, false, 1, &source, &n, &e) < 0 || trace_open(&t, path, &opt, &e) < 0 ||
        trace_writer_open_with(&w, tmp, wo, &e) < 0)
        return fail(&e);
    t0 = now();
    while ((r = trace_next(t, &b, &e)) > 0)
        if (trace_writer_put(w, b.process, b.thread, b.rec, b.n, &e) < 0)
            return fail(&e);
    trace_close(t);
    if (r < 0 || trace_writer_close(w, &e) < 0)
        return fail(&e);
    encode = (double)n / (now() - t0) / 1e6;
    if (read_rate(tmp, false, rounds, &plain, &n, &e) < 0 ||
        read_rate(tmp, true, rounds, &ahead, &n, &e) < 0 || trace_open(&t, tmp, NULL, &e) < 0 ||
        stat(tmp, &st) < 0)
        return fail(&e);
    trace_get_info(t, &info);
    trace_close(t);
    printf("%-28s %9.3f M records %9.3f M refs  %6.4f bytes/ref  source %6.1f  convert %5.1f  decode %6.1f  "
           "ahead %6.1f\n",
           strrchr(path, '/') ? strrchr(path, '/') + 1 : path, (double)info.records / 1e6,
           (double)info.refs / 1e6, (double)st.st_size / (double)(info.refs ? info.refs : info.records),
           source, encode, plain, ahead);
    return 0;
}

int main(int argc, char **argv)
{
    struct trace_writer_options wo = {0};
    char tmp[512];
    int rounds = 5, c, r = 0;

    while ((c = getopt(argc, argv, "l:b:n:")) != -1) {
        if (c == 'l')
            wo.level = atoi(optarg);
        else if (c == 'b')
            wo.block_records = (uint32_t)strtoul(optarg, NULL, 0);
        else if (c == 'n')
            rounds = atoi(optarg);
        else
            return 2;
    }
    snprintf(tmp, sizeof tmp, "%s/mtr_bench.%ld.mtr", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp",
             (long)getpid());
    for (; optind < argc && !r; optind++)
        r = one(argv[optind], &wo, rounds, tmp);
    unlink(tmp);
    return r;
}
