/*
 * How fast a recording of a kernel, as `perf script` writes it, is replayed, beside reading its lines with a bare getline loop: both
 * over the same uncompressed text in one run, in turns, the best of some rounds each. Measured is processor time, of all
 * threads: decoding ahead in a second one is no gain here, neighbours on the machine are no loss.
 *
 *   kreplay_bench [-r ROUNDS] EVENTS BEFORE TEXT
 *
 * EVENTS: NAME.perf, also compressed; BEFORE: the snapshot, as FOLDER/before; TEXT: where the uncompressed text is written, and left.
 * A line for each placement: its name, lines, seconds of getline, of the replay from the first event behind the snapshot to the end, of
 * building the state from the snapshot before it, and getline / replay.
 */
#include "replay/replay.h"
#include "traces/input.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static double clock_of(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* The state is built by the calling thread, while another may decode already: what that takes is the replay's. */
static void on_begin(void *self, const struct frame_map *map)
{
    (void)map;
    *(double *)self = clock_of(CLOCK_THREAD_CPUTIME_ID);
}

static int unpack(const char *from, const char *to, struct err *err)
{
    struct trace_input *in;
    FILE *f = fopen(to, "we");
    int got = 1;
    if (!f)
        return err_set(err, ERR_RUN, "%s cannot be written", to);
    if (trace_input_open(&in, from, err) < 0) {
        fclose(f);
        return -1;
    }
    while ((got = trace_input_fill(in, 1 << 16, err)) >= 0 && trace_input_avail(in)) {
        if (fwrite(in->p, 1, trace_input_avail(in), f) != trace_input_avail(in))
            got = err_set(err, ERR_RUN, "%s cannot be written", to);
        trace_input_consume(in, trace_input_avail(in));
        if (got < 0)
            break;
    }
    trace_input_close(in);
    return fclose(f) == 0 && got >= 0 ? 0 : -1;
}

static double read_lines(const char *path, unsigned long *lines)
{
    FILE *f = fopen(path, "re");
    char *line = NULL;
    size_t room = 0;
    double start = clock_of(CLOCK_PROCESS_CPUTIME_ID);
    *lines = 0;
    while (f && getline(&line, &room, f) > 0)
        ++*lines;
    double took = clock_of(CLOCK_PROCESS_CPUTIME_ID) - start;
    free(line);
    if (f)
        fclose(f);
    return took;
}

static int measure(const char *name, struct replay_request q, int rounds, struct err *err)
{
    double bare = 1e9, replayed = 1e9, built = 1e9, begun = 0;
    unsigned long lines = 0;
    struct replay_result *r = calloc(1, sizeof *r);
    int rc = r ? 0 : err_set(err, ERR_RUN, "out of memory");
    q.begin = on_begin;
    q.self = &begun;
    for (int i = 0; rc == 0 && i < rounds; i++) {
        double took = read_lines(q.events, &lines), mine = clock_of(CLOCK_THREAD_CPUTIME_ID), all = clock_of(CLOCK_PROCESS_CPUTIME_ID);
        rc = replay_run(&q, r, err);
        double state = begun - mine, replay = clock_of(CLOCK_PROCESS_CPUTIME_ID) - all - state;
        bare = took < bare ? took : bare;
        replayed = replay < replayed ? replay : replayed;
        built = state < built ? state : built;
    }
    free(r);
    if (rc == 0)
        printf("%-16s %8lu %.4f %.4f %.4f %.3f\n", name, lines, bare, replayed, built, bare / replayed);
    return rc;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    struct snapshot *before = NULL;
    struct slab_config slab;
    int rounds = 3, c;
    while ((c = getopt(argc, argv, "r:")) != -1)
        if (c == 'r')
            rounds = atoi(optarg);
        else
            rounds = 0;
    if (rounds < 1 || argc - optind != 3) {
        fprintf(stderr, "usage: kreplay_bench [-r ROUNDS] EVENTS BEFORE TEXT\n");
        return 2;
    }
    const char *text = argv[optind + 2];
    slab_config_defaults(&slab);
    struct replay_request q = {.events = text, .recorded = true};
    int rc = unpack(argv[optind], text, &err) < 0 || snapshot_read(&before, argv[optind + 1], &err) < 0;
    q.before = before;
    if (!rc) { /* what the program asks for under these placements */
        struct replay_request predict = q, blocks = q, pages = q, objects = q;
        predict.predict = true;
        blocks.simulate = pages.pages = true;
        objects.objects = &slab;
        rc = measure("recorded,predict", predict, rounds, &err) || measure("simulated-blocks", blocks, rounds, &err) ||
             measure("simulated-pages", pages, rounds, &err) || measure("objects", objects, rounds, &err);
    }
    if (rc)
        fprintf(stderr, "kreplay_bench: %s\n", err.message);
    snapshot_free(before);
    return rc;
}
