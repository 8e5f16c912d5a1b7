/* The core between readers and consumers: choosing a reader, cutting its output into batches, going back. */
#include "traces/trace.h"

#include "traces/input.h"
#include "traces/analysis/pairs.h"
#include "traces/io/ring.h"
#include "traces/io/share.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PROBE_BYTES (64u << 10)  /* what a reader's probe may see */
#define EMPTY_FILLS_MAX 1000000u /* read_batch calls without a record before we call it stuck */

struct trace {
    struct trace_input *in;
    const struct trace_reader_ops *ops;
    void *state;
    bool folder; /* of files, which the reader opens */
    bool opened; /* ops->open succeeded, so ops->close is due */
    char *path;
    struct trace_options opt;

    struct ring *ring;
    struct trace_share *share; /* chunks come from there, not from the ring; NULL: they do not */
    uint32_t process, thread; /* of the sink, carried from chunk to chunk by the filling side */
    uint64_t decoded;         /* records that the reader put, or sought over: the filling side's */

    struct chunk *chunk; /* handed out now; NULL: none */
    uint32_t run, at;    /* next element to hand out: run number, element */
    uint64_t skip;       /* records to drop before the next batch (after a seek) */
    uint64_t next_record;
    bool over; /* the last chunk's status was 0 or -1 and its records are handed out */

    struct trace_info info;
    struct pairs seen;
    uint64_t last_pair; /* the pair looked up last, if has_run */
    bool has_run;
};

static const struct trace_reader_ops *const readers[] = {
#define X(reader) &trace_reader_##reader,
    TRACE_READERS(X)
#undef X
};

/* --- the filling side (its own thread with decode-ahead) ------------------------------------------------ */

static void reader_info(const struct trace *t, struct trace_info *info)
{
    *info = (struct trace_info){0};
    if (t->ops->info)
        t->ops->info(t->state, info);
    info->format = t->ops->name;
    info->compression = trace_input_compression(t->in);
    if (!info->incomplete && trace_input_unended(t->in)) {
        info->incomplete = true;
        info->why = "the last line has no line end: the file may be cut off there";
    }
}

void trace_left_add(struct trace_left *list, unsigned *n_list, const char *what, uint64_t n)
{
    if (n && *n_list < TRACE_LEFT_MAX)
        list[(*n_list)++] = (struct trace_left){what, n, false};
}

void trace_made_up_add(struct trace_left *list, unsigned *n_list, const char *what, uint64_t n)
{
    if (n && *n_list < TRACE_LEFT_MAX)
        list[(*n_list)++] = (struct trace_left){what, n, true};
}

const char *trace_commas(char buf[32], uint64_t v)
{
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%llu", (unsigned long long)v), k = 0;

    for (int i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0)
            buf[k++] = ',';
        buf[k++] = digits[i];
    }
    buf[k] = '\0';
    return buf;
}

/* Puts before an error's message which record could not be read and where it would have begun. */
static void locate(const struct trace *t, struct err *err)
{
    char record[32], byte[32], message[sizeof err->message];

    memcpy(message, err->message, sizeof message);
    snprintf(err->message, sizeof err->message, "record %s (byte %s): %.900s", trace_commas(record, t->decoded),
             trace_commas(byte, trace_input_marked(t->in)), message);
}

static void fill(void *self, struct chunk *c)
{
    struct trace *t = self;
    struct trace_sink *s = &c->sink;
    unsigned tries = 0;

    s->process = t->process;
    s->thread = t->thread;
    s->n = s->payload = s->nruns = s->run_start = 0;
    c->err = (struct err){0};
    do {
        c->status = t->ops->read_batch(t->state, t->in, s, &c->err);
    } while (c->status > 0 && s->n == 0 && ++tries < EMPTY_FILLS_MAX);
    if (c->status > 0 && s->n == 0)
        c->status = err_set(&c->err, ERR_RUN, "the %s reader makes no progress", t->ops->name);
    if (s->n > s->run_start)
        s->run[s->nruns++] = (struct trace_run){s->process, s->thread, s->run_start, s->n - s->run_start};
    t->process = s->process;
    t->thread = s->thread;
    t->decoded += s->n - s->payload;
    if (c->status < 0) {
        locate(t, &c->err);
        if (!c->err.file[0])
            err_at(&c->err, trace_input_name(t->in), 0, 0);
    }
    reader_info(t, &c->info);
}

void trace_decode_chunk(struct trace *t, struct chunk *c)
{
    fill(t, c);
}

/* --- opening -------------------------------------------------------------------------------------------- */

const char *trace_reader_name(unsigned i)
{
    return i < sizeof readers / sizeof readers[0] ? readers[i]->name : NULL;
}

/* Whether NAME.READER or NAME.READER.gz is the path. */
static bool named_so(const char *path, const char *reader)
{
    const char *base = strrchr(path, '/');
    size_t n = strlen(reader);

    for (const char *p = strchr(base ? base : path, '.'); p; p = strchr(p + 1, '.'))
        if (!strncmp(p + 1, reader, n) && (p[n + 1] == '.' || !p[n + 1]))
            return true;
    return false;
}

static int ambiguous(const char *a, const char *b, struct err *err)
{
    err_set(err, ERR_USAGE, "this may be a trace of the form %s or of the form %s: nothing in it tells", a, b);
    return err_remedy(err, "say which: --format %s, or name the file NAME.%s", b, b);
}

static int unknown_format(const char *name, struct err *err)
{
    char list[256] = "";

    for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++) {
        strncat(list, i ? ", " : "", sizeof list - strlen(list) - 1);
        strncat(list, readers[i]->name, sizeof list - strlen(list) - 1);
    }
    err_set(err, ERR_USAGE, name ? "there is no trace format \"%s\"" : "this is no trace of a known format",
            name);
    return err_remedy(err, name ? "the formats are %s" : "the formats are %s; mmulab trace convert --format NAME reads it as one of them all the same", list);
}

static const struct trace_reader_ops *choose(struct trace *t, struct err *err)
{
    const struct trace_reader_ops *best = NULL, *also = NULL;
    int best_score = 0, r;
    size_t n;

    r = trace_input_fill(t->in, t->opt.format ? 1 : PROBE_BYTES, err);
    n = trace_input_avail(t->in);
    if (n == 0 && !t->folder && (r == 0 || !t->opt.format)) {
        if (r == 0) {
            err_set(err, ERR_RUN, "the trace is empty");
            err_at(err, trace_input_name(t->in), 0, 0);
        }
        return NULL;
    }
    if (t->opt.format) {
        for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++)
            if (!strcmp(readers[i]->name, t->opt.format))
                return readers[i];
        unknown_format(t->opt.format, err);
        return NULL;
    }
    for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++) {
        int score = readers[i]->probe(t->in->p, n < PROBE_BYTES ? n : PROBE_BYTES, r == 0);
        if (score == best_score && score && !named_so(t->path, best->name)) {
            also = best;
            best = readers[i];
        } else if (score > best_score) {
            best_score = score;
            best = readers[i];
            also = NULL;
        }
    }
    if (also && !named_so(t->path, best->name)) {
        ambiguous(also->name, best->name, err);
        err_at(err, trace_input_name(t->in), 0, 0);
        return NULL;
    }
    if (!best) {
        unknown_format(NULL, err);
        err_at(err, trace_input_name(t->in), 0, 0);
    }
    return best;
}

static int reader_open(struct trace *t, struct err *err)
{
    memset(t->state, 0, t->ops->state_bytes);
    t->process = t->thread = 0;
    if (t->ops->open && t->ops->open(t->state, t->in, t->path, &t->opt, err) < 0) {
        if (err && !err->file[0])
            err_at(err, trace_input_name(t->in), 0, 0);
        return -1;
    }
    t->opened = true;
    return 0;
}

static int trace_begin(struct trace **out, struct trace *t, struct err *err)
{
    t->ops = choose(t, err);
    if (!t->ops)
        goto fail;
    t->state = calloc(1, t->ops->state_bytes ? t->ops->state_bytes : 1);
    if (!t->state) {
        err_set(err, ERR_RUN, "out of memory");
        goto fail;
    }
    if (reader_open(t, err) < 0)
        goto fail;
    reader_info(t, &t->info);
    if (ring_new(&t->ring, t->opt.ahead, fill, t, err) < 0)
        goto fail;
    *out = t;
    return 0;
fail:
    trace_close(t);
    return -1;
}

static struct trace *trace_new(const char *path, const struct trace_options *opt, struct err *err)
{
    struct trace *t = calloc(1, sizeof *t);

    if (t) {
        if (opt)
            t->opt = *opt;
        t->path = strdup(path);
        if (t->path)
            return t;
        free(t);
    }
    err_set(err, ERR_RUN, "out of memory");
    return NULL;
}

int trace_open(struct trace **out, const char *path, const struct trace_options *opt, struct err *err)
{
    struct trace *t = trace_new(path, opt, err);
    struct stat st;
    int r;

    if (!t)
        return -1;
    /* A folder is drmemtrace's, a file a thread; its reader opens the files. */
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode) &&
        (!t->opt.format || !strcmp(t->opt.format, trace_reader_drmemtrace.name))) {
        t->opt.format = trace_reader_drmemtrace.name;
        t->folder = true;
        r = trace_input_open_memory(&t->in, "", 0, path, err);
    } else {
        r = trace_input_open(&t->in, path, err);
    }
    if (r < 0) {
        trace_close(t);
        return -1;
    }
    r = trace_begin(out, t, err);
    if (r == 0 && t->opt.share && trace_share_take(t->opt.share, path))
        t->share = t->opt.share;
    return r;
}

int trace_open_memory(struct trace **out, const void *buf, size_t n, const struct trace_options *opt,
                      struct err *err)
{
    struct trace *t = trace_new("(memory)", opt, err);

    if (!t)
        return -1;
    t->opt.no_maps = true; /* there is no file beside it */
    if (trace_input_open_memory(&t->in, buf, n, "(memory)", err) < 0) {
        trace_close(t);
        return -1;
    }
    return trace_begin(out, t, err);
}

void trace_close(struct trace *t)
{
    if (!t)
        return;
    ring_free(t->ring);
    if (t->opened && t->ops && t->ops->close)
        t->ops->close(t->state);
    free(t->state);
    trace_input_close(t->in);
    pairs_fini(&t->seen);
    free(t->path);
    free(t);
}

/* --- batches -------------------------------------------------------------------------------------------- */

static int note_thread(struct trace *t, uint32_t process, uint32_t thread, struct err *err)
{
    uint64_t pair = (uint64_t)process << 32 | thread;
    char number[32];

    if (t->has_run && t->last_pair == pair)
        return 0;
    if (!pairs_add(&t->seen, process, thread))
        return err_set(err, ERR_RUN,
                       "record %s: the trace has more than %u threads, or thread %u of process %u is out of range",
                       trace_commas(number, t->next_record), PAIRS_MAX, thread, process);
    t->has_run = true;
    t->last_pair = pair;
    return 0;
}

/* How many elements of rec[0, n) make at most max_elements in whole records and at most max_records records.
 */
static uint32_t whole_records(const struct trace_rec *rec, uint32_t n, bool payload, uint32_t max_elements,
                              uint64_t max_records, uint64_t *records)
{
    uint32_t i = 0;
    uint64_t k = 0;

    if (!payload) {
        i = n < max_elements ? n : max_elements;
        i = max_records < i ? (uint32_t)max_records : i;
        *records = i;
        return i;
    }
    while (i < n && k < max_records) {
        uint32_t len = 1u + rec[i].slots;
        if (len > n - i)
            len = n - i; /* a reader that broke its promise: do not run over */
        if (i && i + len > max_elements)
            break;
        i += len;
        k++;
    }
    *records = k;
    return i;
}

int trace_next(struct trace *t, struct trace_batch *out, struct err *err)
{
    if (!t->opened) /* a rewind failed */
        return err_set(err, ERR_RUN, "the trace could not be opened again");
    for (;;) {
        struct trace_sink *s;
        struct trace_run *r;
        uint32_t left, take;
        uint64_t records;

        if (!t->chunk || (t->run >= t->chunk->sink.nruns && !t->over)) {
            if (t->chunk && t->chunk->status <= 0) {
                t->over = true;
                continue;
            }
            t->chunk = t->share ? trace_share_next(t->share) : ring_next(t->ring);
            if (!t->chunk)
                return err_set(err, ERR_RUN, t->share ? "the process that decodes has ended" : "cannot start the decoding thread");
            t->info = t->chunk->info;
            t->run = t->at = 0;
            continue;
        }
        if (t->over) {
            if (t->chunk->status < 0 && err)
                *err = t->chunk->err;
            return t->chunk->status;
        }
        s = &t->chunk->sink;
        r = &s->run[t->run];
        left = r->start + r->n - t->at;
        if (!left) {
            if (++t->run < s->nruns)
                t->at = s->run[t->run].start;
            continue;
        }
        if (note_thread(t, r->process, r->thread, err) < 0)
            return err_at(err, trace_input_name(t->in), 0, 0);
        if (t->skip) {
            t->at += whole_records(s->rec + t->at, left, s->payload != 0, left, t->skip, &records);
            t->skip -= records;
            t->next_record += records;
            continue;
        }
        take = whole_records(s->rec + t->at, left, s->payload != 0, TRACE_BATCH_RECS, UINT64_MAX, &records);
        *out = (struct trace_batch){r->process, r->thread, take, s->rec + t->at, t->next_record};
        t->at += take;
        t->next_record += records;
        return 1;
    }
}

static void forget_position(struct trace *t)
{
    ring_stop(t->ring);
    t->share = NULL;
    t->chunk = NULL;
    t->run = t->at = 0;
    t->over = false;
    t->skip = 0;
    t->next_record = 0;
    t->process = t->thread = 0;
    t->decoded = 0;
}

int trace_rewind(struct trace *t, struct err *err)
{
    forget_position(t);
    if (trace_input_seek(t->in, 0, err) < 0)
        return -1;
    if (t->ops->rewind)
        return t->ops->rewind(t->state, t->in, err);
    if (t->opened && t->ops->close)
        t->ops->close(t->state);
    t->opened = false;
    return reader_open(t, err);
}

int trace_seek(struct trace *t, uint64_t record, struct err *err)
{
    uint64_t first = 0;
    int r = 0;

    forget_position(t);
    if (t->ops->seek)
        r = t->ops->seek(t->state, t->in, record, &first, err);
    if (r < 0)
        return -1;
    if (r == 0 && trace_rewind(t, err) < 0)
        return -1;
    t->next_record = t->decoded = r ? first : 0;
    t->skip = record - t->next_record;
    return 0;
}

void trace_get_info(const struct trace *t, struct trace_info *out)
{
    *out = t->info;
    if (out->processes < t->seen.processes)
        out->processes = t->seen.processes;
    if (out->threads < t->seen.threads)
        out->threads = t->seen.threads;
}
