/*
 * A request for one cache line at a shared part, and the port it goes through.
 *
 * Life cycle, asserted: NEW (its issuer fills it in) -> QUEUED (arrived at the shared part) -> SERVICED (the shared part
 * has decided) -> DONE: the answer has reached the issuer, who gives the request back to the pool (req_put). A write-back
 * has no answer: the shared part gives it back.
 */
#ifndef ENGINE_REQ_H
#define ENGINE_REQ_H

#include "engine/types.h"

#include <assert.h>

enum req_state { REQ_FREE, REQ_NEW, REQ_QUEUED, REQ_SERVICED };

/* Who a request is for: attribution everywhere. */
#define REQ_ORIGINS(X) X(cpu) X(walk) X(os) X(dma) X(iommu) X(swap) X(mmio) X(writeback) X(prefetch)
enum req_origin {
#define X(name) ORIGIN_##name,
    REQ_ORIGINS(X)
#undef X
        ORIGIN_COUNT
};

enum req_kind {
    REQ_GETS, /* read: shared or, if nobody has it, exclusive */
    REQ_GETI, /* instruction fetch: shared */
    REQ_GETM, /* write: the only copy */
    REQ_PUTM, /* write-back of a dirty victim; no answer */
};

struct mem_req {
    uint64_t line;    /* physical address >> 6 */
    tick_t arrival;   /* at the shared part */
    uint32_t source;  /* master: core number */
    uint32_t next;    /* internal: queues of the shared part */
    uint8_t kind;     /* enum req_kind */
    uint8_t origin;   /* enum req_origin */
    uint8_t state;    /* enum req_state */
    bool counted;     /* statistics of its lookup have been taken */
};

struct req_pool {
    struct mem_req *req;
    uint32_t n, cap, free_head, live;
};

void req_pool_init(struct req_pool *p);
void req_pool_fini(struct req_pool *p);
uint32_t req_get(struct req_pool *p); /* state NEW; grows until the machine's largest number in flight is reached */
void req_put(struct req_pool *p, uint32_t i);

static inline void req_advance(struct mem_req *r, enum req_state from, enum req_state to)
{
    assert(r->state == from);
    (void)from;
    r->state = (uint8_t)to;
}

/* The one door between parts. `when` is the tick of arrival. */
struct port {
    void *self;
    void (*submit)(void *self, uint32_t req, tick_t when);
};

#endif
