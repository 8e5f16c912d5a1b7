#include "traces/native/hash.h"

#include "traces/trace.h"

#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

struct trace_hasher {
    XXH3_state_t *xxh;
    uint32_t process, thread;
    bool begun;
};

struct trace_hasher *trace_hasher_new(void)
{
    struct trace_hasher *h = calloc(1, sizeof *h);

    if (!h)
        return NULL;
    h->xxh = XXH3_createState();
    if (!h->xxh) {
        free(h);
        return NULL;
    }
    XXH3_64bits_reset(h->xxh);
    return h;
}

void trace_hasher_free(struct trace_hasher *h)
{
    if (!h)
        return;
    XXH3_freeState(h->xxh);
    free(h);
}

void trace_hasher_put(struct trace_hasher *h, uint32_t process, uint32_t thread, const struct trace_rec *rec,
                      size_t n)
{
    if (!n)
        return;
    if (!h->begun || h->process != process || h->thread != thread) {
        struct trace_rec mark = {.addr = (uint64_t)process << 32 | thread};
        XXH3_64bits_update(h->xxh, &mark, sizeof mark);
        h->begun = true;
        h->process = process;
        h->thread = thread;
    }
    XXH3_64bits_update(h->xxh, rec, n * sizeof *rec);
}

uint64_t trace_hasher_value(const struct trace_hasher *h)
{
    return XXH3_64bits_digest(h->xxh);
}

int trace_hash(const char *path, uint64_t *hash, struct err *err)
{
    struct trace_hasher *h = NULL;
    struct trace *t = NULL;
    struct trace_batch b;
    struct trace_info info;
    int r = -1;

    if (trace_open(&t, path, NULL, err) < 0)
        return -1;
    trace_get_info(t, &info);
    if (info.hash) {
        *hash = info.hash;
        trace_close(t);
        return 0;
    }
    h = trace_hasher_new();
    if (!h) {
        err_set(err, ERR_RUN, "out of memory");
        goto out;
    }
    while ((r = trace_next(t, &b, err)) > 0)
        trace_hasher_put(h, b.process, b.thread, b.rec, b.n);
    if (r == 0)
        *hash = trace_hasher_value(h);
out:
    trace_hasher_free(h);
    trace_close(t);
    return r;
}
