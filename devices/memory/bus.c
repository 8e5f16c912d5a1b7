/* The bus: a FIFO a master, one grant per `bus.occupancy` cycles, arbiters round robin and fixed priority. */
#include "memory/memsys_internal.h"

void bus_arrive(struct memsys *m, uint32_t req, tick_t now)
{
    struct mem_req *r = &m->reqs.req[req];
    req_advance(r, REQ_NEW, REQ_QUEUED);
    r->arrival = now;
    if (m->cfg.ops.on_arrival)
        m->cfg.ops.on_arrival(m->cfg.ops.self, now, r);
    memsys_prefetch(m, r->line, 1); /* the lookup comes at the grant */
    fifo_push(m, &m->fifo[r->source], req);
    m->waiting |= 1ull << r->source;
    if (!m->grant_pending) {
        m->grant_pending = true;
        evq_add(&m->q, now > m->bus_free ? now : m->bus_free, src_bus(m), MEMSYS_GRANT, 0, 0);
    }
}

static unsigned choose(const struct memsys *m)
{
    uint64_t w = m->waiting;
    if (m->cfg.bus->arbiter == ARBITER_ROUND_ROBIN) {
        uint64_t after = w & (~0ull << m->last_grantee << 1);
        if (after)
            w = after;
    }
    return (unsigned)__builtin_ctzll(w);
}

void bus_grant(struct memsys *m, tick_t now)
{
    unsigned k = choose(m);
    uint32_t req = fifo_pop(m, &m->fifo[k]);
    if (m->fifo[k].head == NIL)
        m->waiting &= ~(1ull << k);
    m->last_grantee = k;
    m->bus_free = now + m->cfg.bus->occupancy_cycles * m->period;
    m->grant_pending = m->waiting != 0;
    if (m->grant_pending)
        evq_add(&m->q, m->bus_free, src_bus(m), MEMSYS_GRANT, 0, 0);
    struct bus_master_stats *st = &m->bus_st[k];
    tick_t wait = now - m->reqs.req[req].arrival;
    st->grants++;
    st->wait_ps += wait;
    st->wait_cycles += wait / m->period;
    llc_request(m, req, now);
}
