/*
 * How fast recorded kernel events are replayed, as a share of reading their lines with a bare getline loop: both in one run,
 * the best of some rounds, over the same uncompressed text. The replay is `predict` with `recorded`, from the first event
 * behind the snapshot to the last; building the state from the snapshot is told apart.
 *
 * usage: kreplay_bench FOLDER/NAME.perf[.zst] FOLDER/before [ROUNDS]
 */
#include "replay/replay.h"
#include "traces/input.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct clocks { double begun, ended; };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void on_begin(void *self, const struct frame_map *map)
{
    (void)map;
    ((struct clocks *)self)->begun = now();
}

static void on_end(void *self, const struct frame_map *map, int rc, const struct err *why)
{
    (void)map, (void)rc, (void)why;
    ((struct clocks *)self)->ended = now();
}

static int unpack(const char *from, const char *to, struct err *err)
{
    struct trace_input *in;
    FILE *f = fopen(to, "we");
    int got = 1;
    if (!f || trace_input_open(&in, from, err) < 0)
        return -1;
    while ((got = trace_input_fill(in, 1 << 16, err)) >= 0 && trace_input_avail(in)) {
        fwrite(in->p, 1, trace_input_avail(in), f);
        trace_input_consume(in, trace_input_avail(in));
    }
    trace_input_close(in);
    return fclose(f) == 0 && got >= 0 ? 0 : -1;
}

static double read_lines(const char *path, unsigned long *lines)
{
    FILE *f = fopen(path, "re");
    char *line = NULL;
    size_t room = 0;
    double start = now();
    *lines = 0;
    while (f && getline(&line, &room, f) > 0)
        ++*lines;
    double took = now() - start;
    free(line);
    if (f)
        fclose(f);
    return took;
}

int main(int argc, char **argv)
{
    char text[] = "/tmp/kreplay_benchXXXXXX";
    struct err err = {0};
    struct snapshot *before = NULL;
    int rounds = argc > 3 ? atoi(argv[3]) : 5, fd = argc > 2 ? mkstemp(text) : -1, rc = 1;
    double bare = 1e9, replayed = 1e9, built = 1e9;
    unsigned long lines = 0;
    struct replay_result *r = calloc(1, sizeof *r);
    if (fd < 0 || !r) {
        fprintf(stderr, "usage: kreplay_bench FOLDER/NAME.perf[.zst] FOLDER/before [ROUNDS]\n");
        free(r);
        return 2;
    }
    close(fd);
    if (unpack(argv[1], text, &err) < 0 || snapshot_read(&before, argv[2], &err) < 0)
        goto done;
    struct clocks c = {0};
    struct replay_request q = {.events = text, .before = before, .recorded = true, .predict = true, .begin = on_begin,
                               .end = on_end, .self = &c};
    for (int i = 0; i < rounds; i++) {
        double start, took = read_lines(text, &lines);
        bare = took < bare ? took : bare;
        start = now();
        if (replay_run(&q, r, &err) < 0)
            goto done;
        replayed = c.ended - c.begun < replayed ? c.ended - c.begun : replayed;
        built = c.begun - start < built ? c.begun - start : built;
    }
    printf("lines %lu  getline %.4f s  replay %.4f s (state %.4f s)  replay/getline speed %.1f %%  Mevents/s %.2f\n", lines, bare,
           replayed, built, 100 * bare / replayed, (double)lines / replayed / 1e6);
    rc = 0;
done:
    if (rc)
        fprintf(stderr, "kreplay_bench: %s\n", err.message);
    snapshot_free(before);
    unlink(text);
    free(r);
    return rc;
}
