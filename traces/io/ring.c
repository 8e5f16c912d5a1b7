#include "traces/io/ring.h"

#include <pthread.h>
#include <stdlib.h>

/* Chunks in flight with decode-ahead: one held by the consumer, one being filled, two to even out the
 * difference. 4 x 320 KiB stay in a 2 MiB second-level cache. */
#define RING_CHUNKS 4u

struct ring {
    ring_fill_fn fill;
    void *self;
    unsigned nchunks;
    bool held; /* chunk[tail % nchunks] is with the consumer */

    bool running;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t filled, freed;
    bool stop;           /* lock */
    uint64_t head, tail; /* lock: chunks filled so far, chunks given back so far */

    struct chunk chunk[RING_CHUNKS];
};

static int chunk_init(struct chunk *c)
{
    c->sink.rec = aligned_alloc(64, (TRACE_SINK_RECS + TRACE_SINK_SLACK) * sizeof *c->sink.rec);
    c->sink.run = malloc((TRACE_SINK_RUNS + TRACE_SINK_SLACK + 1) * sizeof *c->sink.run);
    return c->sink.rec && c->sink.run ? 0 : -1;
}

int ring_new(struct ring **out, bool ahead, ring_fill_fn fill, void *self, struct err *err)
{
    struct ring *r = calloc(1, sizeof *r);

    if (!r)
        return err_set(err, ERR_RUN, "out of memory");
    r->fill = fill;
    r->self = self;
    r->nchunks = ahead ? RING_CHUNKS : 1;
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->filled, NULL);
    pthread_cond_init(&r->freed, NULL);
    for (unsigned i = 0; i < r->nchunks; i++) {
        if (chunk_init(&r->chunk[i]) < 0) {
            ring_free(r);
            return err_set(err, ERR_RUN, "out of memory");
        }
    }
    *out = r;
    return 0;
}

void ring_free(struct ring *r)
{
    if (!r)
        return;
    ring_stop(r);
    for (unsigned i = 0; i < r->nchunks; i++) {
        free(r->chunk[i].sink.rec);
        free(r->chunk[i].sink.run);
    }
    pthread_cond_destroy(&r->freed);
    pthread_cond_destroy(&r->filled);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

static void *ring_thread(void *arg)
{
    struct ring *r = arg;

    for (;;) {
        struct chunk *c;
        int status;

        pthread_mutex_lock(&r->lock);
        while (!r->stop && r->head - r->tail == r->nchunks)
            pthread_cond_wait(&r->freed, &r->lock);
        c = &r->chunk[r->head % r->nchunks];
        if (r->stop) {
            pthread_mutex_unlock(&r->lock);
            return NULL;
        }
        pthread_mutex_unlock(&r->lock);

        r->fill(r->self, c);
        status = c->status;

        pthread_mutex_lock(&r->lock);
        r->head++;
        pthread_cond_signal(&r->filled);
        pthread_mutex_unlock(&r->lock);
        if (status <= 0)
            return NULL;
    }
}

struct chunk *ring_next(struct ring *r)
{
    struct chunk *c;

    if (r->nchunks == 1) {
        r->fill(r->self, &r->chunk[0]);
        return &r->chunk[0];
    }
    if (!r->running) {
        r->stop = false;
        if (pthread_create(&r->thread, NULL, ring_thread, r))
            return NULL;
        r->running = true;
    }
    pthread_mutex_lock(&r->lock);
    if (r->held) {
        r->tail++;
        pthread_cond_signal(&r->freed);
    }
    while (r->head == r->tail)
        pthread_cond_wait(&r->filled, &r->lock);
    c = &r->chunk[r->tail % r->nchunks];
    r->held = true;
    pthread_mutex_unlock(&r->lock);
    return c;
}

void ring_stop(struct ring *r)
{
    if (r->running) {
        pthread_mutex_lock(&r->lock);
        r->stop = true;
        pthread_cond_signal(&r->freed);
        pthread_mutex_unlock(&r->lock);
        pthread_join(r->thread, NULL);
        r->running = false;
    }
    r->head = r->tail = 0;
    r->held = false;
}
