#include "memory/memsys_internal.h"

#include "engine/grow.h"
#include "engine/table_mem.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fifo_push(struct memsys *m, struct fifo *f, uint32_t req)
{
    m->reqs.req[req].next = NIL;
    if (f->head == NIL)
        f->head = req;
    else
        m->reqs.req[f->tail].next = req;
    f->tail = req;
}

uint32_t fifo_pop(struct memsys *m, struct fifo *f)
{
    uint32_t r = f->head;
    f->head = m->reqs.req[r].next;
    return r;
}

int memsys_new(struct memsys **out, const struct memsys_config *c, struct err *err)
{
    struct memsys *m = calloc(1, sizeof *m);
    *out = NULL;
    if (!m)
        return err_set(err, ERR_RUN, "out of host memory for the memory system");
    m->cfg = *c;
    m->cores = c->cores;
    m->period = c->period;
    m->in = c->bus->response_latency_cycles;
    m->llc_delay = c->cache->llc.latency_cycles * c->period;
    m->txn_free = NIL;
    m->stalled = (struct fifo){NIL, NIL};
    m->last_grantee = c->cores - 1; /* the first grant goes to the lowest number */
    memset(m->bucket, 0xff, sizeof m->bucket);
    req_pool_init(&m->reqs);
    m->fifo = calloc(c->cores, sizeof *m->fifo);
    m->bus_st = calloc(c->cores, sizeof *m->bus_st);
    if (!m->fifo || !m->bus_st) {
        memsys_free(m);
        return err_set(err, ERR_RUN, "out of host memory for the memory system");
    }
    for (unsigned k = 0; k < c->cores; k++)
        m->fifo[k] = (struct fifo){NIL, NIL};
    if (evq_init(&m->q, src_bus(m) + 1 + c->extra_sources, c->period, err) < 0 ||
        cache_init(&m->llc, &c->cache->llc, c->seed, "llc", err) < 0)
        goto fail;
    m->dir = host_table_calloc((size_t)m->llc.tags.sets * m->llc.tags.ways * sizeof *m->dir);
    if (!m->dir) {
        err_set(err, ERR_RUN, "out of host memory for the directory");
        goto fail;
    }
    if (c->timed && dram_new(&m->dram, c->dram, err) < 0)
        goto fail;
    *out = m;
    return 0;
fail:
    memsys_free(m);
    return -1;
}

void memsys_free(struct memsys *m)
{
    if (!m)
        return;
    dram_free(m->dram);
    cache_fini(&m->llc);
    evq_fini(&m->q);
    req_pool_fini(&m->reqs);
    free(m->dir);
    free(m->fifo);
    free(m->bus_st);
    free(m->txn);
    free(m->wait);
    free(m);
}

static const struct stat_desc master_descs[] = {
#define X(name, unit, help) STAT_ENTRY(struct bus_master_stats, name, unit, help)
    BUS_MASTER_STATS(X)
#undef X
};
static const struct stat_desc fdram_descs[] = {
#define X(name, unit, help) STAT_ENTRY(struct func_dram_stats, name, unit, help)
    FUNC_DRAM_STATS(X)
#undef X
};

void memsys_add_stats(struct memsys *m, struct stats *s)
{
    cache_register_stats(&m->llc, s, "llc", 1u << ORIGIN_cpu | 1u << ORIGIN_walk | 1u << ORIGIN_os);
    if (!m->dram) {
        stats_add(s, "dram", &m->fdram, fdram_descs, ARRAY_LEN(fdram_descs));
        return;
    }
    for (unsigned k = 0; k < m->cores; k++) {
        char path[32];
        snprintf(path, sizeof path, "bus.cpu%u", k);
        stats_add(s, path, &m->bus_st[k], master_descs, ARRAY_LEN(master_descs));
    }
    dram_register_stats(m->dram, s, "dram");
}

void memsys_set_arrival_hook(struct memsys *m, void (*fn)(void *self, tick_t tick, const struct mem_req *r))
{
    m->cfg.ops.on_arrival = fn;
}

struct evq *memsys_queue(struct memsys *m) { return &m->q; }
struct req_pool *memsys_requests(struct memsys *m) { return &m->reqs; }
struct cache *memsys_llc(struct memsys *m) { return &m->llc; }

static void submit(void *self, uint32_t req, tick_t when)
{
    struct memsys *m = self;
    /* The host fetches what the lookup will touch while the request is on its way. */
    assoc_prefetch(&m->llc.tags, m->reqs.req[req].line);
    evq_add(&m->q, when, m->reqs.req[req].source, MEMSYS_ARRIVE, req, 0);
}

struct port memsys_port(struct memsys *m) { return (struct port){.self = m, .submit = submit}; }

void memsys_ack(struct memsys *m, unsigned core, uint64_t line, bool present, bool dirty, tick_t when)
{
    evq_add(&m->q, when, core, MEMSYS_ACK, line, (uint64_t)core << 2 | (uint64_t)present << 1 | dirty);
}

/* ---- DRAM ---- */

static void set_fill(struct memsys *m, uint32_t txn, tick_t finish)
{
    evq_add(&m->q, finish, src_fill(m), MEMSYS_FILL, txn, 0);
}

static void dram_done(void *ctx, uint64_t cookie, tick_t finish) { set_fill(ctx, (uint32_t)cookie, finish); }

static void feed_dram(struct memsys *m, tick_t now)
{
    while (m->wait_n) {
        struct dram_wait *w = &m->wait[m->wait_head];
        pa_t pa = {w->line << LINE_SHIFT};
        tick_t finish;
        if (!dram_can_accept(m->dram, pa, w->write))
            return;
        if (dram_submit(m->dram, now, pa, w->write, w->origin, w->txn, &finish) == DRAM_DONE && !w->write)
            set_fill(m, w->txn, finish);
        m->wait_head = (m->wait_head + 1) & (m->wait_cap - 1);
        m->wait_n--;
    }
}

void dram_enqueue(struct memsys *m, uint64_t line, bool write, uint8_t origin, uint32_t txn, tick_t now)
{
    if (m->wait_n == m->wait_cap) {
        m->wait = grow_ring(m->wait, &m->wait_cap, 64, sizeof *m->wait, m->wait_head, m->wait_n);
        m->wait_head = 0;
    }
    m->wait[(m->wait_head + m->wait_n++) & (m->wait_cap - 1)] =
        (struct dram_wait){.line = line, .txn = txn, .origin = origin, .write = write};
    feed_dram(m, now);
}

/* ---- the order of things ---- */

tick_t memsys_head(const struct memsys *m)
{
    tick_t e = evq_head(&m->q), d = dram_next(m->dram);
    return d < e ? d : e;
}

bool memsys_step(struct memsys *m, struct event *out)
{
    tick_t head = evq_head(&m->q), d = dram_next(m->dram);
    if (d < head || (d == head && d != TICK_NEVER && evq_peek(&m->q)->source >= src_dram(m))) {
        dram_run(m->dram, d, dram_done, m);
        feed_dram(m, d);
        return false;
    }
    struct event e;
    if (!evq_pop(&m->q, &e))
        return false;
    switch (e.kind) {
    case MEMSYS_ARRIVE:
        bus_arrive(m, (uint32_t)e.a, e.tick);
        return false;
    case MEMSYS_GRANT:
        bus_grant(m, e.tick);
        return false;
    case MEMSYS_FILL:
        llc_fill(m, (uint32_t)e.a, e.tick);
        return false;
    case MEMSYS_ACK:
        llc_ack(m, (unsigned)(e.b >> 2), e.a, e.b >> 1 & 1, e.b & 1, e.tick);
        return false;
    default:
        *out = e;
        return true;
    }
}

bool memsys_idle(const struct memsys *m)
{
    return evq_empty(&m->q) && m->txn_live == 0 && m->wait_n == 0 && m->reqs.live == 0;
}

void memsys_settle(struct memsys *m, tick_t now)
{
    if (m->dram)
        dram_settle(m->dram, now);
}
