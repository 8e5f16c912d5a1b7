#include "app/workload.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct feed { /* one open trace, read for one core */
    struct workload *w;
    struct trace *trace;
    size_t index;  /* of the trace */
    bool ended;
    struct trace_hasher *hasher; /* of the first core's feed, where the file does not carry its hash */
};

struct core_feeds { /* what one core reads */
    struct workload *w;
    unsigned core;
    struct feed *feed;
    size_t n, turn;
    struct trace_rec *copy; /* a batch in which the end of a process is put off */
};

struct workload {
    const struct workload_trace *trace;
    struct trace_info *info;
    const char **partial; /* by trace: why its end may not be the end, NULL */
    size_t n;
    unsigned cores;
    struct core_feeds *core;
    struct machine *machine;
};

static unsigned core_of(const struct workload *w, size_t index, uint32_t thread)
{
    return w->trace[index].core >= 0 ? (unsigned)w->trace[index].core % w->cores
                                     : (unsigned)((index + thread) % w->cores);
}

/* Can core k ever get a record of trace i? With a core named: only that one. */
static bool serves(const struct workload *w, size_t i, unsigned k)
{
    if (w->trace[i].core >= 0)
        return core_of(w, i, 0) == k;
    uint32_t threads = w->info[i].threads;
    if (threads == 0) /* not known without reading */
        return true;
    for (uint32_t t = 0; t < threads && t < w->cores; t++)
        if (core_of(w, i, t) == k)
            return true;
    return false;
}

static void told(struct workload *w, const struct feed *f, struct err *e)
{
    if (!e->file[0])
        err_at(e, w->trace[f->index].path, 0, 0);
    machine_fail(w->machine, e);
}

/* Does more than one core run threads of trace i? */
static bool spread(const struct workload *w, size_t i)
{
    return w->cores > 1 && w->trace[i].core < 0 && w->info[i].threads != 1;
}

/* The process of a trace that is spread over cores ends when all its threads have been replayed: machine.h. */
static int put_off_exit(struct core_feeds *c, struct trace_batch *b)
{
    bool found = false;
    for (size_t i = 0; i < b->n && !found; i += 1u + b->rec[i].slots)
        found = b->rec[i].kind == TRACE_EXIT && b->rec[i].size == 1;
    if (!found)
        return 0;
    if (!c->copy && !(c->copy = malloc(TRACE_BATCH_RECS * sizeof *c->copy)))
        return -1;
    memcpy(c->copy, b->rec, b->n * sizeof *c->copy);
    for (size_t i = 0; i < b->n; i += 1u + c->copy[i].slots)
        if (c->copy[i].kind == TRACE_EXIT && c->copy[i].size == 1)
            c->copy[i].size = CORE_EXIT_LATER;
    b->rec = c->copy;
    return 0;
}

static int next(void *self, struct trace_batch *out)
{
    struct core_feeds *c = self;
    for (size_t tried = 0; tried < c->n;) {
        struct feed *f = &c->feed[c->turn];
        struct err e;
        if (f->ended) {
            c->turn = (c->turn + 1) % c->n;
            tried++;
            continue;
        }
        int r = trace_next(f->trace, out, &e);
        if (r <= 0) {
            f->ended = true;
            if (r == 0) {
                struct trace_info ti;
                trace_get_info(f->trace, &ti);
                if (ti.incomplete && c->core == core_of(c->w, f->index, 0))
                    c->w->partial[f->index] = ti.why ? ti.why : "there may have been more";
            }
            /* Every core that may have threads of a trace reads it, some far ahead of the others: one tells. */
            if (r < 0 && c->core == core_of(c->w, f->index, 0))
                told(c->w, f, &e);
            continue;
        }
        if (f->hasher)
            trace_hasher_put(f->hasher, out->process, out->thread, out->rec, out->n);
        if (core_of(c->w, f->index, out->thread) != c->core)
            continue;
        if (out->process >= WORKLOAD_PROCESSES) {
            err_set(&e, ERR_RUN, "process %u: a trace can have %d processes", out->process, WORKLOAD_PROCESSES);
            told(c->w, f, &e);
            f->ended = true;
            continue;
        }
        if (spread(c->w, f->index) && put_off_exit(c, out) < 0) {
            err_set(&e, ERR_RUN, "out of host memory");
            told(c->w, f, &e);
            f->ended = true;
            continue;
        }
        out->process += (uint32_t)(f->index * WORKLOAD_PROCESSES);
        c->turn = (c->turn + 1) % c->n;
        return 1;
    }
    return 0;
}

static int open_feeds(struct workload *w, unsigned k, bool ahead, struct err *err)
{
    struct core_feeds *c = &w->core[k];
    *c = (struct core_feeds){.w = w, .core = k};
    c->feed = calloc(w->n ? w->n : 1, sizeof *c->feed);
    if (!c->feed)
        return err_set(err, ERR_RUN, "out of host memory");
    for (size_t i = 0; i < w->n; i++) {
        struct trace_options opt = {.ahead = ahead};
        struct feed *f = &c->feed[c->n];
        *f = (struct feed){.w = w, .index = i};
        if (k > 0 && !serves(w, i, k))
            continue;
        if (trace_open(&f->trace, w->trace[i].path, &opt, err) < 0)
            return -1;
        c->n++;
        if (k == 0) {
            trace_get_info(f->trace, &w->info[i]);
            if (!w->info[i].hash && !(f->hasher = trace_hasher_new()))
                return err_set(err, ERR_RUN, "out of host memory");
            if (!serves(w, i, 0) && w->info[i].hash) { /* opened for its description only */
                trace_close(f->trace);
                c->n--;
            }
        }
    }
    return 0;
}

int workload_new(struct workload **out, const struct workload_trace *t, size_t n, unsigned cores, bool ahead,
                 struct err *err)
{
    struct workload *w = calloc(1, sizeof *w);
    *out = NULL;
    if (!w)
        return err_set(err, ERR_RUN, "out of host memory");
    w->trace = t;
    w->n = n;
    w->cores = cores;
    w->info = calloc(n ? n : 1, sizeof *w->info);
    w->partial = calloc(n ? n : 1, sizeof *w->partial);
    w->core = calloc(cores, sizeof *w->core);
    if (!w->info || !w->core) {
        workload_free(w);
        return err_set(err, ERR_RUN, "out of host memory");
    }
    for (unsigned k = 0; k < cores; k++)
        if (open_feeds(w, k, ahead, err) < 0) {
            workload_free(w);
            return -1;
        }
    *out = w;
    return 0;
}

void workload_attach(struct workload *w, struct machine *m)
{
    w->machine = m;
    for (unsigned k = 0; k < w->cores; k++)
        machine_set_source(m, k, (struct ref_source){.self = &w->core[k], .next = next});
}

void workload_free(struct workload *w)
{
    if (!w)
        return;
    for (unsigned k = 0; w->core && k < w->cores; k++) {
        for (size_t i = 0; i < w->core[k].n; i++) {
            trace_close(w->core[k].feed[i].trace);
            trace_hasher_free(w->core[k].feed[i].hasher);
        }
        free(w->core[k].feed);
        free(w->core[k].copy);
    }
    free(w->core);
    free(w->info);
    free(w->partial);
    free(w);
}

uint64_t workload_references(const struct workload *w)
{
    uint64_t n = 0;
    for (size_t i = 0; i < w->n; i++) {
        if (!w->info[i].refs)
            return 0;
        n += w->info[i].refs;
    }
    return n;
}

bool workload_partial(const struct workload *w, size_t *i, const char **why)
{
    while (*i < w->n && !w->partial[*i])
        ++*i;
    if (*i < w->n)
        *why = w->partial[*i];
    return *i < w->n;
}

const char *workload_hash(struct workload *w, char *buf, size_t size)
{
    size_t at = 0;
    for (size_t i = 0; i < w->n; i++) {
        uint64_t h = w->info[i].hash;
        for (size_t k = 0; !h && k < w->core[0].n; k++) {
            const struct feed *f = &w->core[0].feed[k];
            if (f->index == i && f->hasher && f->ended)
                h = trace_hasher_value(f->hasher);
        }
        if (!h || at + 18 > size)
            return NULL;
        at += (size_t)snprintf(buf + at, size - at, "%s%016" PRIx64, i ? "+" : "", h);
    }
    return w->n ? buf : NULL;
}
