/*
 * Where decoded records wait: one chunk is a filled sink with what the reader said. Private to
 * traces/trace.c.
 *
 * Without decode-ahead there is one chunk, filled when asked for. With it a thread fills chunks of a ring and
 * sleeps while all are full; the consumer sleeps while none is. The chunk that the consumer holds is never
 * written.
 */
#ifndef TRACES_RING_H
#define TRACES_RING_H

#include "traces/input.h"
#include "traces/trace.h"

struct chunk {
    struct trace_sink sink;
    int status; /* of read_batch: 1, 0 or -1 after what the sink holds */
    struct err err;
    struct trace_info info; /* as it was after this chunk */
};

/* Fills `c`; called by one thread at a time. Carries the sink's process and thread over by itself. */
typedef void (*ring_fill_fn)(void *self, struct chunk *c);

/* The next chunk of a trace that nothing else reads (traces/trace.c). */
void trace_decode_chunk(struct trace *t, struct chunk *c);

struct ring;
int ring_new(struct ring **out, bool ahead, ring_fill_fn fill, void *self, struct err *err);
void ring_free(struct ring *r);
/* Gives back the chunk handed out before and returns the next. After a chunk with status 0 or -1 do not call
 * it before ring_stop. NULL if the thread cannot be started. */
struct chunk *ring_next(struct ring *r);
/* The filling thread is gone and all chunks are empty: the reader may be moved or closed. ring_next starts
 * again. */
void ring_stop(struct ring *r);

#endif
