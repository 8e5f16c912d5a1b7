/*
 * The shared side of the machine: the bus with its arbiter, the last-level cache with the directory of the private
 * caches, and DRAM behind them. docs/model/timing.md section 5 is the contract; docs/model/bus.md and cache.md explain.
 *
 * Timed: masters submit requests through the port; the machine runs memsys_step() in the order of ticks and passes the
 * messages to the cores. Functional: memsys_access() does the same to the same state at once.
 */
#ifndef MEMORY_MEMSYS_H
#define MEMORY_MEMSYS_H

#include "engine/evq.h"
#include "engine/req.h"
#include "memory/cache.h"
#include "memory/dram.h"

/* Directory word of an LLC line. */
#define DIR_DIRTY 1ull
#define DIR_OWNER_SHIFT 1 /* 6 bits: core number + 1, 0 nobody */
#define DIR_OWNER_MASK (0x7full << DIR_OWNER_SHIFT)
#define DIR_SHARER_SHIFT 8
#define MEMSYS_MAX_CORES 56u

/* Event kinds of the shared queue below MEMSYS_EVENTS are this module's. */
enum memsys_event { MEMSYS_ARRIVE, MEMSYS_GRANT, MEMSYS_FILL, MEMSYS_ACK, MEMSYS_EVENTS };

/* Messages to cores. */
enum core_msg_kind {
    MSG_GRANT, /* a: line, b: MSG_STATE and MSG_REQ; the issuer gives the request back (req_put) when it gets this */
    MSG_INV,   /* a: line */
    MSG_DOWN,  /* a: line */
    MSG_MEMORY_KINDS
};

#define MSG_STATE(b) ((enum line_state)((b) & 0xff))
#define MSG_REQ(b) ((uint32_t)((b) >> 8))

struct memsys_ops {
    void *self;
    /* Timed: message for core k, seen in cycle `when`. */
    void (*deliver)(void *self, unsigned core, cyc_t when, enum core_msg_kind kind, uint64_t a, uint64_t b);
    /* Functional: take the line from core k (or make it shared and clean) now. Bit 0: was present, bit 1: dirty. */
    unsigned (*snoop)(void *self, unsigned core, uint64_t line, bool invalidate);
    /* For tests, may be NULL: a request arrives at the bus. */
    void (*on_arrival)(void *self, tick_t tick, const struct mem_req *r);
};

#define BUS_MASTER_STATS(X)                                                                                             \
    X(grants, "grants", "requests granted the bus")                                                                     \
    X(wait_ps, "ps", "sum over grants of the time from arrival to grant")                                               \
    X(wait_cycles, "cycles", "wait_ps in core cycles, rounded down a grant")
struct bus_master_stats {
    BUS_MASTER_STATS(STAT_FIELD)
};
#define FUNC_DRAM_STATS(X)                                                                                              \
    X(reads, "requests", "lines read from memory")                                                                      \
    X(writes, "requests", "lines written to memory")
struct func_dram_stats {
    FUNC_DRAM_STATS(STAT_FIELD)
};

struct memsys;

struct memsys_config {
    const struct caches_config *cache;
    const struct bus_config *bus;
    const struct dram_config *dram;
    unsigned cores;
    tick_t period;
    uint64_t seed;
    bool timed;
    unsigned extra_sources; /* event sources behind BUS: the operating system, … */
    struct memsys_ops ops;
};

int memsys_new(struct memsys **out, const struct memsys_config *c, struct err *err);
void memsys_free(struct memsys *m);
void memsys_add_stats(struct memsys *m, struct stats *s);

/* For tests: told of every arrival at the bus; NULL: nobody. */
void memsys_set_arrival_hook(struct memsys *m, void (*fn)(void *self, tick_t tick, const struct mem_req *r));
struct evq *memsys_queue(struct memsys *m);
struct req_pool *memsys_requests(struct memsys *m);
struct port memsys_port(struct memsys *m); /* for all masters; when: the tick of arrival */
/* A core's answer to MSG_INV or MSG_DOWN, arriving at `when`. */
void memsys_ack(struct memsys *m, unsigned core, uint64_t line, bool present, bool dirty, tick_t when);

/* First thing the shared side has to do: queue head or DRAM controller. */
tick_t memsys_head(const struct memsys *m);
/* Does the first thing. An event of a kind >= MEMSYS_EVENTS is not ours: returned in *out, true. */
bool memsys_step(struct memsys *m, struct event *out);
/* Nothing is outstanding anywhere on the shared side (posted DRAM writes aside). */
bool memsys_idle(const struct memsys *m);
/* Brings idle-time accounting (refresh) up to `now`. */
void memsys_settle(struct memsys *m, tick_t now);

/* Functional: the whole request now; the state granted. */
enum line_state memsys_access(struct memsys *m, unsigned core, uint64_t line, enum req_kind kind,
                              enum req_origin origin);
/* The state that functional mode reaches: LLC, directory, DRAM's counts. Time has not begun (memsys_idle, nothing sent). */
void memsys_state(struct memsys *m, struct state_io *io);
/* Hints to the host's cache that `line` will be accessed: first (stage 0) where its set is described, some time later
 * (stage 1) what the access will read there. No effect on results. */
void memsys_prefetch(const struct memsys *m, uint64_t line, unsigned stage);

/* For --check: every line a private cache holds is in the LLC with that core in the directory, or busy (being
 * taken back). */
bool memsys_holds(const struct memsys *m, unsigned core, uint64_t line, enum line_state state);
struct cache *memsys_llc(struct memsys *m);

#endif
