#include "app/workload.h"

#include "engine/state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct feed { /* one open trace, read for one core */
    struct workload *w;
    struct trace *trace;
    size_t index;  /* of the trace */
    bool ended;
    bool again;              /* `last` was read while loading a state and comes next */
    bool has_last;
    struct trace_batch last; /* taken from the trace */
    struct trace_hasher *hasher; /* of the first core's feed, where the file does not carry its hash */
};

struct core_feeds { /* what one core reads */
    struct workload *w;
    unsigned core;
    struct feed *feed;
    size_t n, turn;
    size_t given; /* feed of the batch handed out last */
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
    bool touches; /* references to kernel addresses become CORE_KIND_TOUCH */
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

static bool is_exit(const struct trace_rec *r) { return r->kind == TRACE_EXIT && r->size == 1; }

/* The batch becomes a copy that may be changed. -1: no host memory. */
static int own_batch(struct core_feeds *c, struct trace_batch *b)
{
    if (b->rec == c->copy)
        return 0;
    if (!c->copy && !(c->copy = malloc(TRACE_BATCH_RECS * sizeof *c->copy)))
        return -1;
    memcpy(c->copy, b->rec, b->n * sizeof *c->copy);
    b->rec = c->copy;
    return 0;
}

static bool has_exit(const struct trace_batch *b)
{
    for (size_t i = 0; i < b->n; i += 1u + b->rec[i].slots)
        if (is_exit(&b->rec[i]))
            return true;
    return false;
}

/* The process of a trace that is spread over cores ends when all its threads have been replayed: machine.h. */
static int put_off_exit(struct core_feeds *c, struct trace_batch *b)
{
    if (!has_exit(b))
        return 0;
    if (own_batch(c, b) < 0)
        return -1;
    for (size_t i = 0; i < b->n; i += 1u + c->copy[i].slots)
        if (is_exit(&c->copy[i]))
            c->copy[i].size = CORE_EXIT_LATER;
    return 0;
}

/* Was that the trace's own end? */
static void note_end(struct core_feeds *c, const struct feed *f)
{
    struct trace_info ti;
    trace_get_info(f->trace, &ti);
    if (ti.incomplete && c->core == core_of(c->w, f->index, 0))
        c->w->partial[f->index] = ti.why ? ti.why : "there may have been more";
}

#define KERNEL_HALF 0xffff800000000000ull /* x86-64: addresses from here on are the kernel's */

/* With slab debugging, references to the kernel's half are accesses to its objects. */
static int make_touches(struct core_feeds *c, struct trace_batch *b)
{
    size_t first = 0;
    while (first < b->n && !(b->rec[first].kind <= TRACE_REF_MAX && b->rec[first].addr >= KERNEL_HALF))
        first += 1u + b->rec[first].slots;
    if (first >= b->n)
        return 0;
    if (own_batch(c, b) < 0)
        return -1;
    for (size_t i = first; i < b->n; i += 1u + c->copy[i].slots) {
        struct trace_rec *r = &c->copy[i];
        if (r->kind > TRACE_REF_MAX || r->addr < KERNEL_HALF)
            continue;
        r->flags = r->kind == TRACE_STORE || r->kind == TRACE_MODIFY ? TRACE_F_WRITE : 0;
        r->kind = CORE_KIND_TOUCH;
    }
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
        int r = 1;
        if (f->again)
            *out = f->last;
        else
            r = trace_next(f->trace, out, &e);
        f->again = false;
        if (r <= 0) {
            f->ended = true;
            if (r == 0)
                note_end(c, f);
            /* Every core that may have threads of a trace reads it, some far ahead of the others: one tells. */
            if (r < 0 && c->core == core_of(c->w, f->index, 0))
                told(c->w, f, &e);
            continue;
        }
        f->last = *out;
        f->has_last = true;
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
        if ((spread(c->w, f->index) && put_off_exit(c, out) < 0) ||
            (c->w->touches && make_touches(c, out) < 0)) {
            err_set(&e, ERR_RUN, "out of host memory");
            told(c->w, f, &e);
            f->ended = true;
            continue;
        }
        out->process += (uint32_t)(f->index * WORKLOAD_PROCESSES);
        c->given = c->turn;
        c->turn = (c->turn + 1) % c->n;
        return 1;
    }
    return 0;
}

/* ---- state ---- */

/* The record behind those that were taken. */
static uint64_t next_record(const struct feed *f)
{
    uint64_t n = f->has_last ? f->last.first_record : 0;
    for (size_t i = 0; f->has_last && i < f->last.n; i += 1u + f->last.rec[i].slots)
        n++;
    return n;
}

/* A trace whose identity is computed while it is read is read again; others are jumped in. */
static void go_to(struct core_feeds *c, struct feed *f, uint64_t record, struct state_io *io)
{
    struct err e = {0};
    int r = 1;
    if (!f->hasher) {
        r = record ? trace_seek(f->trace, record, &e) : 0;
        if (r == 0 && f->ended && (r = trace_next(f->trace, &f->last, &e)) > 0)
            r = err_set(&e, ERR_RUN, "the trace does not end where it ended in the warm-up");
    } else {
        while ((f->ended || !f->has_last || f->last.first_record < record) && (f->ended || record) &&
               (r = trace_next(f->trace, &f->last, &e)) > 0) {
            f->has_last = true;
            f->again = !f->ended && f->last.first_record >= record;
            if (!f->again)
                trace_hasher_put(f->hasher, f->last.process, f->last.thread, f->last.rec, f->last.n);
        }
    }
    if (r < 0)
        state_fail(io, "%s", e.message);
    else if (f->ended)
        note_end(c, f);
}

static void feeds_state(struct core_feeds *c, bool again, struct state_io *io)
{
    uint64_t turn = again ? c->given : c->turn;
    state_same(io, c->n, "number of traces on a core");
    state_u64(io, &turn);
    if (!state_check(io, turn < c->n || (turn == 0 && c->n == 0), "the turn is of a trace that does not exist"))
        return;
    for (size_t i = 0; i < c->n && !state_bad(io); i++) {
        struct feed *f = &c->feed[i];
        uint64_t record = again && i == c->given ? f->last.first_record : next_record(f);
        state_bool(io, &f->ended);
        state_u64(io, &record);
        if (io->loading && !state_bad(io))
            go_to(c, f, record, io);
    }
    if (io->loading)
        c->turn = turn;
}

void workload_state(struct workload *w, struct machine *m, struct state_io *io)
{
    state_mark(io, "workload");
    for (unsigned k = 0; k < w->cores && !state_bad(io); k++) {
        const struct core *c = machine_core(m, k);
        feeds_state(&w->core[k], c->rec != c->rec_end, io);
    }
}

static int open_feeds(struct workload *w, unsigned k, bool ahead, struct err *err)
{
    struct core_feeds *c = &w->core[k];
    *c = (struct core_feeds){.w = w, .core = k};
    c->feed = calloc(w->n ? w->n : 1, sizeof *c->feed);
    if (!c->feed)
        return err_set(err, ERR_RUN, "out of host memory");
    for (size_t i = 0; i < w->n; i++) {
        struct trace_options opt = {.ahead = ahead, .share = w->trace[i].share};
        struct feed *f = &c->feed[c->n];
        *f = (struct feed){.w = w, .index = i};
        if (k > 0 && !serves(w, i, k))
            continue;
        if (k == 0 && w->trace[i].decoded) { /* what is known of a trace before it is read decides on results */
            if (trace_open(&f->trace, w->trace[i].path, &(struct trace_options){0}, err) < 0)
                return -1;
            trace_get_info(f->trace, &w->info[i]);
            trace_close(f->trace);
            f->trace = NULL;
        }
        if (trace_open(&f->trace, w->trace[i].decoded ? w->trace[i].decoded : w->trace[i].path, &opt, err) < 0)
            return -1;
        c->n++;
        if (k == 0) {
            if (!w->trace[i].decoded)
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
    const struct slab_config *debug = &machine_cfg(m)->slab;
    w->machine = m;
    w->touches = machine_slab(m) && (debug->sanity || debug->red_zone || debug->poison || debug->store_user);
    machine_set_process_groups(m, WORKLOAD_PROCESSES);
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

/* The bytes of a file, and of NAME.maps.txt that a reader may look at; 0 if it cannot be read. */
static bool hash_file(XXH3_state_t *x, const char *path)
{
    char buf[1 << 16];
    FILE *f = fopen(path, "rb");
    if (!f)
        return false;
    for (size_t n; (n = fread(buf, 1, sizeof buf, f)) > 0;)
        XXH3_64bits_update(x, buf, n);
    bool ok = !ferror(f);
    fclose(f);
    return ok;
}

int workload_identity(const struct workload *w, size_t i, char *buf, size_t size, struct err *err)
{
    uint64_t hash = w->info[i].hash;
    char maps[4096];
    if (!hash) {
        XXH3_state_t *x = XXH3_createState();
        snprintf(maps, sizeof maps, "%s.maps.txt", w->trace[i].path);
        if (!x || XXH3_64bits_reset(x) != XXH_OK || !hash_file(x, w->trace[i].path)) {
            XXH3_freeState(x);
            err_set(err, ERR_RUN, "the trace cannot be read for its identity");
            return err_at(err, w->trace[i].path, 0, 0);
        }
        hash_file(x, maps);
        hash = XXH3_64bits_digest(x);
        XXH3_freeState(x);
    }
    snprintf(buf, size, "%s %016" PRIx64 " core %lld", w->info[i].hash ? "records" : "file", hash, (long long)w->trace[i].core);
    return 0;
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
