/* Shared by the files of the memory system: bus.c, llc.c, memsys.c. */
#ifndef MEMORY_MEMSYS_INTERNAL_H
#define MEMORY_MEMSYS_INTERNAL_H

#include "memory/memsys.h"

#define NIL UINT32_MAX

struct fifo { /* of requests, linked by mem_req.next */
    uint32_t head, tail;
};

enum txn_kind {
    TXN_MISS,     /* waits for DRAM */
    TXN_SNOOP,    /* waits for the holders' acks */
    TXN_BACKINV,  /* the line has left the LLC; waits for the holders' acks */
};
struct txn { /* a busy line */
    uint64_t line;
    struct fifo parked; /* requests for the line */
    uint32_t req;       /* the request it serves; NIL for TXN_BACKINV */
    uint32_t acks;      /* outstanding */
    uint32_t next;      /* hash chain or free list */
    uint8_t kind, origin;
    bool dirty;         /* PUTM or a dirty ack has come */
    bool kept;          /* TXN_SNOOP by DOWN: the old owner still has the line */
    uint8_t old_owner;
};

enum { TXN_BUCKETS = 1024 };

struct dram_wait { uint64_t line; uint32_t txn; uint8_t origin; bool write; };

struct memsys {
    struct memsys_config cfg;
    struct evq q;
    struct req_pool reqs;
    tick_t period;
    tick_t llc_delay; /* llc.latency in ps */
    cyc_t in;
    unsigned cores;
    /* bus */
    struct fifo *fifo; /* [cores] */
    struct bus_master_stats *bus_st;
    uint64_t waiting; /* bit k: fifo k is not empty */
    tick_t bus_free;
    unsigned last_grantee;
    bool grant_pending;
    /* LLC */
    struct cache llc;
    uint64_t *dir; /* by entry of llc.tags */
    struct txn *txn;
    uint32_t txn_n, txn_cap, txn_free, txn_live;
    uint32_t bucket[TXN_BUCKETS];
    uint32_t dram_txns;
    struct fifo stalled;
    /* DRAM */
    struct dram *dram;
    struct dram_wait *wait; /* ring */
    uint32_t wait_head, wait_n, wait_cap;
    struct func_dram_stats fdram;
};

static inline uint32_t src_dram(const struct memsys *m) { return m->cores; }
static inline uint32_t src_fill(const struct memsys *m) { return m->cores + 1; }
static inline uint32_t src_llc(const struct memsys *m) { return m->cores + 2; }
static inline uint32_t src_bus(const struct memsys *m) { return m->cores + 3; }

void fifo_push(struct memsys *m, struct fifo *f, uint32_t req);
uint32_t fifo_pop(struct memsys *m, struct fifo *f);

/* bus.c */
void bus_arrive(struct memsys *m, uint32_t req, tick_t now);
void bus_grant(struct memsys *m, tick_t now);

/* llc.c */
void llc_request(struct memsys *m, uint32_t req, tick_t now);
void llc_fill(struct memsys *m, uint32_t txn, tick_t now);
void llc_ack(struct memsys *m, unsigned core, uint64_t line, bool present, bool dirty, tick_t now);
uint32_t txn_find(const struct memsys *m, uint64_t line);

/* memsys.c */
void dram_enqueue(struct memsys *m, uint64_t line, bool write, uint8_t origin, uint32_t txn, tick_t now);

#endif
