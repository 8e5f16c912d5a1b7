/*
 * Files of a drmemtrace trace and their order. A trace is one file, or a folder with a file a thread (what
 * drmemtrace's `trace` folder holds, or the one around it): then the files' runs between two timestamps come in the order of the timestamps,
 * equal ones in the order of the file names, as drmemtrace's own interleaving has them.
 */
#include "traces/importers/drmemtrace.h"

#include <dirent.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static uint16_t le16(const unsigned char *p)
{
    uint16_t v;
    memcpy(&v, p, 2);
    return le16toh(v);
}

static struct dr_entry decode(const unsigned char *p, unsigned entry_bytes)
{
    struct dr_entry e = {.type = le16(p), .size = le16(p + 2)};
    memcpy(e.length, p + 4, entry_bytes - 4);
    memcpy(&e.value, e.length, 8);
    e.value = le64toh(e.value);
    return e;
}

/* Size of a record by the first two: a header with a small version, then something of a known type. 0: no trace. */
static unsigned entry_bytes(const unsigned char *p, size_t n)
{
    static const unsigned sizes[] = {DR_ENTRY_64, DR_ENTRY_32};
    for (size_t i = 0; i < 2; i++) {
        if (n < sizes[i])
            continue;
        struct dr_entry e = decode(p, sizes[i]);
        if (e.type != DR_HEADER || e.size != 0 || e.value == 0 || e.value > DR_VERSION_MAX)
            continue;
        if (n < sizes[i] + 2u || (le16(p + sizes[i]) < DR_TYPES && le16(p + sizes[i]) > DR_INSTR))
            return sizes[i];
    }
    return 0;
}

static int probe(const unsigned char *head, size_t n, bool whole)
{
    (void)whole;
    return entry_bytes(head, n) ? 95 : 0;
}

/* --- a folder --- */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted names of the files of a folder that may be traces; those of drmemtrace's other files are left out. */
static int list_folder(const char *path, char ***names, size_t *n, struct err *err)
{
    DIR *dir = opendir(path);
    struct dirent *e;
    size_t cap = 0;
    int rc = 0;
    *names = NULL;
    *n = 0;
    if (!dir)
        return err_set(err, ERR_USAGE, "cannot read the folder");
    while (rc == 0 && (e = readdir(dir))) {
        struct stat st;
        char *full;
        if (e->d_name[0] == '.' || strstr(e->d_name, "schedule") || !strcmp(e->d_name, "modules.log") ||
            !strcmp(e->d_name, "funclist.log") || !strcmp(e->d_name, "encodings.bin"))
            continue;
        if (*n == cap) {
            cap = cap ? cap * 2 : 16;
            void *p = realloc(*names, cap * sizeof **names);
            if (!p) {
                rc = err_set(err, ERR_RUN, "out of memory");
                break;
            }
            *names = p;
        }
        if (asprintf(&full, "%s/%s", path, e->d_name) < 0) {
            rc = err_set(err, ERR_RUN, "out of memory");
            break;
        }
        if (stat(full, &st) != 0 || !S_ISREG(st.st_mode))
            free(full);
        else
            (*names)[(*n)++] = full;
    }
    closedir(dir);
    if (*n)
        qsort(*names, *n, sizeof **names, by_name);
    return rc;
}

/* What the recorder makes is a folder with the threads' files in its folder `trace`. */
static char *inner_folder(const char *path)
{
    struct stat st;
    char *inner;
    if (asprintf(&inner, "%s/trace", path) < 0)
        return NULL;
    if (stat(inner, &st) == 0 && S_ISDIR(st.st_mode))
        return inner;
    free(inner);
    return strdup(path);
}

static int open_folder(struct drmemtrace *d, const char *path, struct err *err)
{
    char **names, *folder = inner_folder(path);
    size_t n;
    if (!folder)
        return err_set(err, ERR_RUN, "out of memory");
    int rc = list_folder(folder, &names, &n, err);
    free(folder);
    if (rc == 0 && n == 0) {
        err_set(err, ERR_USAGE, "there is no trace in this folder");
        rc = err_remedy(err, "a folder is read as drmemtrace's: drmemtrace.*.dir, or the folder `trace` in it with a file a thread");
    }
    if (rc == 0 && !(d->stream = calloc(n, sizeof *d->stream)))
        rc = err_set(err, ERR_RUN, "out of memory");
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = trace_input_open(&d->stream[i].in, names[i], err);
        if (rc == 0) {
            d->stream[i].owned = true;
            d->nstreams++;
        }
    }
    for (size_t i = 0; i < n; i++)
        free(names[i]);
    free(names);
    return rc;
}

/* --- records --- */

/* An error about a stream: in a folder it names the file, and the byte in it. */
static int stream_error(const struct dr_stream *s, struct trace_input *in, uint64_t byte, struct err *err)
{
    trace_input_mark(in, byte);
    return err_at(err, trace_input_name(s->in), 0, 0);
}

static int begin(struct dr_stream *s, struct trace_input *in, struct err *err)
{
    s->begun = true;
    if (trace_input_fill(s->in, 64, err) < 0 && trace_input_avail(s->in) < DR_ENTRY_64)
        return stream_error(s, in, 0, err);
    s->entry_bytes = entry_bytes(s->in->p, trace_input_avail(s->in));
    if (s->entry_bytes)
        return 0;
    if (trace_input_avail(s->in) && s->in->p[0] != DR_HEADER)
        err_set(err, s->owned ? ERR_USAGE : ERR_RUN, "%s is no drmemtrace trace: its first record is no header",
                s->owned ? "this file of a folder" : "this");
    else
        err_set(err, ERR_RUN, "the header of the trace is cut off or is none");
    err_remedy(err, "final traces are read, not the raw ones of the recorder: convert them with drmemtrace's drraw2trace");
    return stream_error(s, in, 0, err);
}

static void dr_close(void *state)
{
    struct drmemtrace *d = state;
    for (size_t i = 0; i < d->nstreams; i++)
        if (d->stream[i].owned)
            trace_input_close(d->stream[i].in);
    for (size_t i = 0; i < d->nthreads; i++)
        free(d->thread[i]);
    free(d->thread);
    free(d->stream);
}

static int open_streams(struct drmemtrace *d, struct trace_input *in, const char *path, struct err *err)
{
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        if (open_folder(d, path, err) < 0)
            return -1;
    } else {
        d->stream = calloc(1, sizeof *d->stream);
        if (!d->stream)
            return err_set(err, ERR_RUN, "out of memory");
        d->stream[d->nstreams++].in = in;
    }
    for (size_t i = 0; i < d->nstreams; i++)
        d->stream[i].cur = SIZE_MAX;
    d->at = SIZE_MAX;
    for (size_t i = 0; d->stream[0].owned && i < d->nstreams; i++)
        if (begin(&d->stream[i], in, err) < 0)
            return -1;
    return 0;
}

static int dr_open(void *state, struct trace_input *in, const char *path, const struct trace_options *opt,
                   struct err *err)
{
    (void)opt;
    if (open_streams(state, in, path, err) == 0)
        return 0;
    dr_close(state);
    return -1;
}

/* One record of the stream. 0 go on, 1 a later time begins, 2 the stream's end, -1. */
static int step(struct drmemtrace *d, struct dr_stream *s, struct trace_input *in, struct trace_sink *sink,
                struct err *err)
{
    int status = 1;
    if (!s->begun && begin(s, in, err) < 0)
        return -1;
    const unsigned char *p = trace_input_peek(s->in, s->entry_bytes, &status, err);
    if (!p) {
        size_t left = trace_input_avail(s->in);
        dr_settle(d, s, sink);
        if (status < 0)
            return stream_error(s, in, trace_input_marked(s->in), err);
        if (left) {
            err_set(err, ERR_RUN, "a record is cut off: %zu of %u bytes are there", left, s->entry_bytes);
            err_remedy(err, "copy or record the file again");
            return stream_error(s, in, trace_input_pos(s->in), err);
        }
        s->ended = true;
        return 2;
    }
    struct dr_entry e = decode(p, s->entry_bytes);
    int r = dr_take(d, s, &e, sink, err);
    if (r < 0) {
        dr_settle(d, s, sink);
        return stream_error(s, in, trace_input_pos(s->in), err);
    }
    trace_input_consume(s->in, s->entry_bytes);
    return r;
}

/* The stream whose next run is the earliest; SIZE_MAX: all are at their end. */
static size_t earliest(const struct drmemtrace *d)
{
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < d->nstreams; i++)
        if (!d->stream[i].ended && (best == SIZE_MAX || d->stream[i].time < d->stream[best].time))
            best = i;
    return best;
}

static int read_batch(void *state, struct trace_input *in, struct trace_sink *sink, struct err *err)
{
    struct drmemtrace *d = state;
    while (!trace_sink_full(sink)) {
        if (d->at == SIZE_MAX && (d->at = earliest(d)) == SIZE_MAX)
            return sink->n > 0;
        struct dr_stream *s = &d->stream[d->at];
        int r = step(d, s, in, sink, err);
        if (r < 0)
            return -1;
        if (r > 0) {
            if (d->nstreams > 1)
                dr_settle(d, s, sink);
            d->at = SIZE_MAX;
        }
    }
    return 1;
}

static void info(const void *state, struct trace_info *out)
{
    static const char *const names[] = {
#define X(name, text) text,
        DR_LEFT(X)
#undef X
    };
    const struct drmemtrace *d = state;
    out->has_fetch = true;
    for (unsigned i = 0; i < DR_LEFTS; i++)
        trace_left_add(out->left, &out->nleft, names[i], d->left[i]);
    for (size_t i = 0; i < d->nstreams; i++)
        if (d->stream[i].ended && !d->stream[i].footer) {
            out->incomplete = true;
            out->why = "the record that ends a trace is not there: the file may be cut off, or its recorder was killed";
        }
}

const struct trace_reader_ops trace_reader_drmemtrace = {
    .name = "drmemtrace",
    .probe = probe,
    .state_bytes = sizeof(struct drmemtrace),
    .open = dr_open,
    .read_batch = read_batch,
    .info = info,
    .close = dr_close,
};
