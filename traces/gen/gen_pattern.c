#include "traces/gen/gen_pattern.h"

#include "engine/types.h"

#include <stdlib.h>

/* A plain access: a load, or a store in the wished fraction of cases. */
static bool plain(struct gen *g, struct gen_thread *t, uint64_t offset, struct gen_ref *out)
{
    double f = g->c->store_fraction;
    bool store = f > 0 && rng_unit(&t->store_rng) < f;
    *out = (struct gen_ref){.addr = t->base + offset,
                            .size = (uint32_t)g->c->access,
                            .kind = store ? TRACE_STORE : TRACE_LOAD,
                            .slot = store};
    return true;
}

static bool sequential_next(struct gen *g, struct gen_thread *t, struct gen_ref *out)
{
    return plain(g, t, t->done % g->elements * g->c->element, out);
}

/* Offset (i * stride) mod size, on an element's boundary as size, stride and element are multiples. */
static bool strided_next(struct gen *g, struct gen_thread *t, struct gen_ref *out)
{
    uint64_t size = g->elements * g->c->element, offset = t->at;
    t->at = (t->at + g->c->stride % size) % size;
    return plain(g, t, offset, out);
}

static int strided_start(struct gen *g, struct err *err)
{
    if (g->c->stride % g->c->element)
        return err_set(err, ERR_USAGE, "stride %llu is not a multiple of element %llu",
                       (unsigned long long)g->c->stride, (unsigned long long)g->c->element);
    return 0;
}

static bool uniform_next(struct gen *g, struct gen_thread *t, struct gen_ref *out)
{
    return plain(g, t, rng_below(&t->rng, g->elements) * g->c->element, out);
}

/* --- zipf --- */

struct zipf {
    struct gen_zipf ranks;
    uint64_t factor; /* rank r lies at element (r * factor) mod elements; coprime, so that is one to one */
};

static uint64_t gcd(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t r = a % b;
        a = b;
        b = r;
    }
    return a;
}

static int zipf_start(struct gen *g, struct err *err)
{
    struct zipf *z = malloc(sizeof *z);
    if (!z)
        return err_set(err, ERR_RUN, "out of memory");
    gen_zipf_init(&z->ranks, g->elements, g->c->exponent);
    z->factor = 1;
    if (g->c->scatter && g->elements > 2) {
        struct rng r;
        rng_init(&r, g->c->seed, "gen.zipf.scatter");
        do
            z->factor = 1 + rng_below(&r, g->elements - 1);
        while (gcd(z->factor, g->elements) != 1);
    }
    g->own = z;
    return 0;
}

static bool zipf_next(struct gen *g, struct gen_thread *t, struct gen_ref *out)
{
    const struct zipf *z = g->own;
    uint64_t rank = gen_zipf_next(&z->ranks, &t->rng) - 1;
    uint64_t element = (uint64_t)((unsigned __int128)rank * z->factor % g->elements);
    return plain(g, t, element * g->c->element, out);
}

static void free_own(struct gen *g)
{
    free(g->own);
}

/* --- chase --- */

/* One random cycle over all nodes (Sattolo, 1986): next[i] is where node i points. */
static int chase_start(struct gen *g, struct err *err)
{
    if (g->elements > UINT32_MAX)
        return err_set(err, ERR_USAGE,
                       "a chase over more than 2^32 nodes: make element larger or size smaller");
    uint32_t *next = malloc((size_t)g->elements * sizeof *next);
    if (!next)
        return err_set(err, ERR_RUN, "out of memory for the %llu nodes of the chase",
                       (unsigned long long)g->elements);
    struct rng r;
    rng_init(&r, g->c->seed, "gen.chase");
    for (uint64_t i = 0; i < g->elements; i++)
        next[i] = (uint32_t)i;
    for (uint64_t i = g->elements - 1; i > 0; i--) {
        uint64_t j = rng_below(&r, i);
        uint32_t swap = next[i];
        next[i] = next[j];
        next[j] = swap;
    }
    g->own = next;
    return 0;
}

static void chase_thread(struct gen *g, struct gen_thread *t)
{
    t->at = (uint64_t)((unsigned __int128)g->elements * t->number / g->threads);
}

static bool chase_next(struct gen *g, struct gen_thread *t, struct gen_ref *out)
{
    const uint32_t *next = g->own;
    *out = (struct gen_ref){.addr = t->base + t->at * g->c->element,
                            .size = (uint32_t)g->c->access,
                            .kind = TRACE_LOAD,
                            .dependent = true};
    t->at = next[t->at];
    return true;
}

/* --- gups --- */

static bool gups_next(struct gen *g, struct gen_thread *t, struct gen_ref *out)
{
    uint64_t i = rng_below(&t->rng, g->elements);
    *out = (struct gen_ref){
        .addr = t->base + i * g->c->element, .size = (uint32_t)g->c->access, .kind = TRACE_MODIFY};
    return true;
}

/* --- producer --- */

/*
 * A queue for two threads: even ones put, odd ones take; a last odd one out puts into queue 0. Layout of a
 * queue's part of the region: index `head` (next to fill) in the first line, `tail` (next to take) in the
 * second, elements from the first page on. The order in the trace is one that a real run could have had:
 * nothing is taken before it was put.
 *
 *   put:   load tail, store element, store head         take:   load head, load element, store tail
 *   a full or an empty queue: the one load, then the turn ends (the thread waits)
 */
struct queue {
    uint64_t head, tail; /* elements put and taken so far */
};
struct queues {
    uint32_t n;
    uint64_t bytes, slots; /* a queue's part of the region, and its elements */
    struct queue q[];
};

static int producer_start(struct gen *g, struct err *err)
{
    uint32_t n = g->threads / 2;
    if (n == 0) {
        err_set(err, ERR_USAGE, "producer needs at least two threads");
        return err_remedy(err, "give --threads 2");
    }
    uint64_t bytes = g->c->size / n / PAGE_BYTES * PAGE_BYTES;
    if (bytes < PAGE_BYTES + g->c->element)
        return err_set(err, ERR_USAGE, "size is too small: each of %u queues needs a page and an element", n);
    struct queues *qs = calloc(1, sizeof *qs + n * sizeof qs->q[0]);
    if (!qs)
        return err_set(err, ERR_RUN, "out of memory");
    qs->n = n;
    qs->bytes = bytes;
    qs->slots = (bytes - PAGE_BYTES) / g->c->element;
    g->own = qs;
    return 0;
}

static bool producer_next(struct gen *g, struct gen_thread *t, struct gen_ref *out)
{
    enum { INDEX_BYTES = 8 };
    struct queues *qs = g->own;
    uint32_t which = t->number / 2 % qs->n;
    struct queue *q = &qs->q[which];
    bool put = t->number % 2 == 0;
    uint64_t base = t->base + which * qs->bytes, mine = put ? q->head : q->tail;
    uint64_t head = base, tail = base + LINE_BYTES,
             element = base + PAGE_BYTES + mine % qs->slots * g->c->element;
    uint32_t slot = (put ? 0u : 3u) + t->step;
    switch (t->step) {
    case 0:
        *out = (struct gen_ref){
            .addr = put ? tail : head, .size = INDEX_BYTES, .kind = TRACE_LOAD, .slot = slot};
        if (put ? q->head - q->tail >= qs->slots : q->head == q->tail)
            return false;
        t->step = 1;
        /* A turn does not end inside a put or take, so that the index may move before its store. */
        t->at = element;
        if (put)
            q->head++;
        else
            q->tail++;
        return true;
    case 1:
        *out = (struct gen_ref){.addr = t->at,
                                .size = (uint32_t)g->c->access,
                                .kind = put ? TRACE_STORE : TRACE_LOAD,
                                .slot = slot};
        t->step = 2;
        return true;
    default:
        *out = (struct gen_ref){
            .addr = put ? head : tail, .size = INDEX_BYTES, .kind = TRACE_STORE, .slot = slot};
        t->step = 0;
        return true;
    }
}

/* --- the list --- */

static const struct trace_gen_pattern sequential = {
    .name = "sequential",
    .help = "element after element, from the start again at the end",
    .next = sequential_next};
static const struct trace_gen_pattern strided = {.name = "strided",
                                                 .help = "steps of `stride` bytes, modulo the size",
                                                 .start = strided_start,
                                                 .next = strided_next};
static const struct trace_gen_pattern uniform = {
    .name = "uniform", .help = "any element with the same probability", .next = uniform_next};
static const struct trace_gen_pattern zipf = {.name = "zipf",
                                              .help = "element of rank k with probability ~ 1/k^exponent",
                                              .start = zipf_start,
                                              .next = zipf_next,
                                              .stop = free_own};
static const struct trace_gen_pattern chase = {
    .name = "chase",
    .help = "a pointer chase over all elements in one random cycle, each load "
            "depending on the one before",
    .start = chase_start,
    .thread = chase_thread,
    .next = chase_next,
    .stop = free_own};
static const struct trace_gen_pattern gups = {
    .name = "gups", .help = "read-modify-write of random elements of a table", .next = gups_next};
static const struct trace_gen_pattern producer = {
    .name = "producer",
    .help = "pairs of threads put into and take out of a queue in shared memory",
    .start = producer_start,
    .next = producer_next,
    .stop = free_own,
    .one_region = true,
    .free_count = true};

const struct trace_gen_pattern *const trace_gen_patterns[] = {&sequential, &strided, &uniform,  &zipf,
                                                              &chase,      &gups,    &producer, NULL};
