/*
 * A record of a trace as a call of the kernel's allocators (slab/calls/calls.h), the same for programs' traces and a recorded kernel's:
 * kmalloc, caches and their making and ending, pages, vmalloc, kvmalloc, mempools.
 */
#ifndef REPLAY_RECORD_CALL_H
#define REPLAY_RECORD_CALL_H

#include "slab/calls/calls.h"
#include "traces/record.h"

struct record_call {
    enum slab_call call;
    struct slab_event e;     /* `record` and `cpu` are the caller's */
    uint64_t pool;           /* mempools: its number */
    uint32_t elements;       /* ... and of its reserve */
    struct kmem_cache_args cache; /* SLAB_CALL_CACHE_CREATE */
    char name[SLAB_NAME];
};

bool is_record_call(uint8_t kind);
/* False if it is none. `out` must not be moved: it points into itself. A slot of 0 is not known. */
bool record_call(struct record_call *out, const struct trace_rec *r);
/* Whether it asks for memory, gives some back. */
bool record_call_asks(enum slab_call call);
bool record_call_gives(enum slab_call call);
/* Core cycles of the call; 0 if nothing was had or done. */
uint64_t record_call_play(struct slab_calls *c, const struct record_call *r, uint64_t ns);

#endif
