/* A random machine that is warmed up, saved and loaded: what the tests of checkpoints share. */
#ifndef TESTS_WARM_CASE_H
#define TESTS_WARM_CASE_H

#include "oracle/random_case.h"

#include "cpu/machine/machine.h"
#include "engine/state.h"

#include <stdlib.h>
#include <string.h>

struct warm_feed { /* one stream as batches of a few records */
    const struct oracle_stream *s;
    size_t at, last; /* next batch; the last one handed out */
    uint32_t thread;
};

enum { WARM_BATCH = 37 };

static inline int warm_next(void *self, struct trace_batch *out)
{
    struct warm_feed *f = self;
    size_t end = f->at;
    if (f->at >= f->s->n)
        return 0;
    *out = (struct trace_batch){.process = f->s->process, .thread = f->thread, .rec = f->s->rec + f->at};
    while (end < f->s->n && end - f->at < WARM_BATCH)
        end += 1u + f->s->rec[end].slots;
    out->n = end - f->at;
    f->last = f->at;
    f->at = end;
    return 1;
}

struct warm_bytes {
    unsigned char *p;
    size_t n, cap, at;
};

static inline int64_t warm_put(void *self, void *data, size_t n, struct err *err)
{
    struct warm_bytes *b = self;
    (void)err;
    if (b->n + n > b->cap) {
        b->cap = 2 * (b->n + n);
        b->p = realloc(b->p, b->cap);
        if (!b->p)
            abort();
    }
    memcpy(b->p + b->n, data, n);
    b->n += n;
    return (int64_t)n;
}

static inline int64_t warm_get(void *self, void *data, size_t n, struct err *err)
{
    struct warm_bytes *b = self;
    size_t k = b->n - b->at < n ? b->n - b->at : n;
    (void)err;
    memcpy(data, b->p + b->at, k);
    b->at += k;
    return (int64_t)k;
}

static inline void warm_save(struct machine *m, struct warm_bytes *b)
{
    static _Thread_local struct state_io io;
    struct err err;
    *b = (struct warm_bytes){0};
    state_open(&io, false, warm_put, b);
    machine_state(m, &io);
    if (state_close(&io, &err) < 0)
        abort();
}

static inline int warm_load(struct machine *m, struct warm_bytes *b, struct err *err)
{
    static _Thread_local struct state_io io;
    b->at = 0;
    state_open(&io, true, warm_get, b);
    machine_state(m, &io);
    return state_close(&io, err);
}

/* A machine of the case with its feeds, each at its first batch or, with `at`, at these places. */
static inline struct machine *warm_machine(const struct random_case *c, const struct machine_config *cfg,
                                           struct warm_feed feed[RANDOM_CORES], const size_t *at, struct err *err)
{
    struct machine *m;
    if (machine_new(&m, cfg, err) < 0)
        return NULL;
    for (uint32_t k = 0; k < c->n_streams; k++) {
        feed[k] = (struct warm_feed){.s = &c->stream[k], .thread = k, .at = at ? at[k] : 0};
        machine_set_source(m, k, (struct ref_source){.self = &feed[k], .next = warm_next});
    }
    return m;
}

/* Where the feeds of a warm machine must stand for another one that loads its state: a core in the middle of a batch takes
 * the batch again. */
static inline void warm_places(const struct random_case *c, struct machine *m, const struct warm_feed *feed, size_t *at)
{
    for (uint32_t k = 0; k < c->n_streams; k++)
        at[k] = machine_core(m, k)->rec != machine_core(m, k)->rec_end ? feed[k].last : feed[k].at;
}

#endif
