#include "traces/io/share.h"

#include "traces/io/ring.h"
#include "traces/trace.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define WINDOW (1u << 18) /* elements, 4 MiB: a turn of some ms, and still in the host's caches; docs/sweep.md */

/* What decoder and readers have in common; the decoder writes it while no reader runs. */
struct window {
    uint32_t n;       /* chunks in it */
    uint64_t cost_ns; /* of decoding so far, a reader's part */
    struct chunk chunk[];
};

struct trace_share {
    char *path;
    struct trace *trace; /* the decoder's */
    struct window *window;
    size_t bytes;
    uint32_t chunks, elements; /* room in the window; elements after which it is full */
    uint64_t decoded, records; /* so far, and of the whole trace where that is known */
    bool over;                 /* the end is in the window */

    bool reads, taken;
    trace_share_ask_fn ask;
    void *self;
    uint32_t at; /* next chunk */
    uint64_t waited_ns;
};

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The mapping: the window's head, then the sinks' records and runs. */
static int map(struct trace_share *s)
{
    const size_t recs = (TRACE_SINK_RECS + TRACE_SINK_SLACK) * sizeof(struct trace_rec);
    const size_t runs = (TRACE_SINK_RUNS + TRACE_SINK_SLACK + 1) * sizeof(struct trace_run);
    size_t head = (sizeof *s->window + s->chunks * sizeof(struct chunk) + 63) & ~(size_t)63;

    s->bytes = head + s->chunks * (recs + runs);
    s->window = mmap(NULL, s->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (s->window == MAP_FAILED) {
        s->window = NULL;
        return -1;
    }
    for (uint32_t i = 0; i < s->chunks; i++) {
        char *at = (char *)s->window + head + i * (recs + runs);
        s->window->chunk[i].sink.rec = (struct trace_rec *)(void *)at;
        s->window->chunk[i].sink.run = (struct trace_run *)(void *)(at + recs);
    }
    return 0;
}

int trace_share_new(struct trace_share **out, const char *path, uint32_t window, struct err *err)
{
    struct trace_share *s = calloc(1, sizeof *s);

    *out = NULL;
    if (!s || !(s->path = strdup(path))) {
        free(s);
        return err_set(err, ERR_RUN, "out of memory");
    }
    s->elements = window ? window : WINDOW;
    s->chunks = s->elements / TRACE_SINK_RECS + 1;
    if (trace_open(&s->trace, path, NULL, err) < 0) {
        trace_share_free(s);
        return -1;
    }
    if (map(s) < 0) {
        trace_share_free(s);
        return err_set(err, ERR_RUN, "out of memory");
    }
    *out = s;
    return 0;
}

void trace_share_free(struct trace_share *s)
{
    if (!s)
        return;
    trace_close(s->trace);
    if (s->window)
        munmap(s->window, s->bytes);
    free(s->path);
    free(s);
}

bool trace_share_fill(struct trace_share *s, unsigned readers)
{
    struct window *w = s->window;
    uint64_t from = now_ns();
    uint32_t elements = 0;

    if (s->over)
        return false;
    for (w->n = 0; !s->over && w->n < s->chunks && elements < s->elements;) {
        struct chunk *c = &w->chunk[w->n++];
        trace_decode_chunk(s->trace, c);
        elements += c->sink.n;
        s->decoded += c->sink.n - c->sink.payload;
        s->records = c->info.records;
        s->over = c->status <= 0;
    }
    w->cost_ns += (now_ns() - from) / (readers ? readers : 1);
    return true;
}

double trace_share_part(const struct trace_share *s)
{
    return s->over ? 1 : s->decoded < s->records ? (double)s->decoded / (double)s->records : 0;
}

void trace_share_read(struct trace_share *s, trace_share_ask_fn ask, void *self)
{
    s->reads = true;
    s->ask = ask;
    s->self = self;
    mprotect(s->window, s->bytes, PROT_READ);
}

bool trace_share_taken(const struct trace_share *s)
{
    return s->taken;
}

int64_t trace_share_waited_ns(const struct trace_share *s)
{
    return s->taken ? (int64_t)s->waited_ns - (int64_t)s->window->cost_ns : 0;
}

bool trace_share_take(struct trace_share *s, const char *path)
{
    if (!s->reads || s->taken || strcmp(path, s->path) != 0)
        return false;
    return s->taken = true;
}

struct chunk *trace_share_next(struct trace_share *s)
{
    if (s->at == s->window->n) {
        uint64_t from = now_ns();
        int r = s->ask(s->self);
        s->waited_ns += now_ns() - from;
        if (r < 0)
            return NULL;
        s->at = 0;
    }
    return &s->window->chunk[s->at++];
}
