/*
 * The last-level cache and its directory. A line is busy while a transaction on it is open; requests that find it busy
 * are parked and looked up anew when it ends. Messages about one line leave in the order of the decisions: those decided
 * at a lookup or a fill llc.latency later, those decided when the last ack arrives at once (timing.md section 5).
 */
#include "memory/memsys_internal.h"

#include "engine/grow.h"

#include <assert.h>
#include <stdlib.h>

/* ---- transactions ---- */

static uint32_t bucket_of(uint64_t line) { return (uint32_t)((line * 0x9e3779b97f4a7c15u) >> 54) % TXN_BUCKETS; }

uint32_t txn_find(const struct memsys *m, uint64_t line)
{
    for (uint32_t t = m->bucket[bucket_of(line)]; t != NIL; t = m->txn[t].next)
        if (m->txn[t].line == line)
            return t;
    return NIL;
}

static uint32_t txn_open(struct memsys *m, uint64_t line, enum txn_kind kind, uint32_t req)
{
    uint32_t t = m->txn_free;
    if (t != NIL) {
        m->txn_free = m->txn[t].next;
    } else {
        if (m->txn_n == m->txn_cap)
            m->txn = grow_array(m->txn, &m->txn_cap, 64, sizeof *m->txn);
        t = m->txn_n++;
    }
    uint32_t b = bucket_of(line);
    m->txn[t] = (struct txn){.line = line, .kind = (uint8_t)kind, .req = req, .parked = {NIL, NIL}, .next = m->bucket[b]};
    m->bucket[b] = t;
    m->txn_live++;
    return t;
}

/* Ends the transaction and looks its parked requests up anew, in order. One that makes the line busy again has the
 * rest parked behind it. */
static void txn_end(struct memsys *m, uint32_t t, tick_t now)
{
    uint32_t *link = &m->bucket[bucket_of(m->txn[t].line)];
    while (*link != t)
        link = &m->txn[*link].next;
    *link = m->txn[t].next;
    struct fifo parked = m->txn[t].parked;
    m->txn[t].next = m->txn_free;
    m->txn_free = t;
    m->txn_live--;
    while (parked.head != NIL)
        llc_request(m, fifo_pop(m, &parked), now);
}

static void serve_stalled(struct memsys *m, tick_t now)
{
    while (m->stalled.head != NIL && m->dram_txns < m->cfg.cache->llc.mshrs)
        llc_request(m, fifo_pop(m, &m->stalled), now);
}

/* ---- directory words ---- */

static int dir_owner(uint64_t d) { return (int)((d & DIR_OWNER_MASK) >> DIR_OWNER_SHIFT) - 1; }
static uint64_t dir_sharers(uint64_t d) { return d >> DIR_SHARER_SHIFT; }
static uint64_t dir_holders(uint64_t d)
{
    int o = dir_owner(d);
    return dir_sharers(d) | (o >= 0 ? 1ull << o : 0);
}
static uint64_t dir_make(uint64_t dirty, int owner, uint64_t sharers)
{
    return (dirty & DIR_DIRTY) | (uint64_t)(owner + 1) << DIR_OWNER_SHIFT | sharers << DIR_SHARER_SHIFT;
}

/* What a request to a present line needs. snoop == 0: `grant` at once, directory already changed. */
struct decision {
    enum line_state grant;
    uint64_t snoop;
    bool invalidate;
};

static struct decision decide(uint64_t *d, enum req_kind kind, unsigned core)
{
    uint64_t me = 1ull << core;
    int owner = dir_owner(*d);
    if (kind == REQ_GETM) {
        uint64_t others = dir_holders(*d) & ~me;
        if (others)
            return (struct decision){.snoop = others, .invalidate = true};
        *d = dir_make(*d, (int)core, 0);
        return (struct decision){.grant = LINE_M};
    }
    if (owner >= 0 && owner != (int)core)
        return (struct decision){.snoop = 1ull << owner};
    if (kind == REQ_GETS && dir_sharers(*d) == 0) {
        *d = dir_make(*d, (int)core, 0);
        return (struct decision){.grant = LINE_E};
    }
    *d = dir_make(*d, -1, dir_sharers(*d) | me);
    return (struct decision){.grant = LINE_S};
}

/* The directory after all snooped cores have answered. */
static enum line_state settle(uint64_t *d, enum req_kind kind, unsigned core, unsigned old_owner, bool kept, bool dirty)
{
    uint64_t dirt = *d | (dirty ? DIR_DIRTY : 0);
    if (kind == REQ_GETM) {
        *d = dir_make(dirt, (int)core, 0);
        return LINE_M;
    }
    *d = dir_make(dirt, -1, dir_sharers(*d) | 1ull << core | (kept ? 1ull << old_owner : 0));
    return LINE_S;
}

static uint64_t fresh(enum req_kind kind, unsigned core, enum line_state *grant)
{
    *grant = kind == REQ_GETM ? LINE_M : kind == REQ_GETS ? LINE_E : LINE_S;
    return kind == REQ_GETI ? dir_make(0, -1, 1ull << core) : dir_make(0, (int)core, 0);
}

/* ---- timed ---- */

static cyc_t seen(const struct memsys *m, tick_t decided)
{
    return (decided + m->period - 1) / m->period + m->in;
}

static void grant(struct memsys *m, uint32_t req, enum line_state state, tick_t when)
{
    struct mem_req *r = &m->reqs.req[req];
    req_advance(r, REQ_QUEUED, REQ_SERVICED);
    m->cfg.ops.deliver(m->cfg.ops.self, r->source, seen(m, when), MSG_GRANT, r->line, (uint64_t)req << 8 | state);
}

static void send_snoops(struct memsys *m, uint64_t line, uint64_t cores, bool invalidate, tick_t when)
{
    for (uint64_t w = cores; w; w &= w - 1) {
        m->cfg.ops.deliver(m->cfg.ops.self, (unsigned)__builtin_ctzll(w), seen(m, when),
                           invalidate ? MSG_INV : MSG_DOWN, line, 0);
    }
}

static void put_modified(struct memsys *m, uint32_t req, tick_t now)
{
    struct mem_req *r = &m->reqs.req[req];
    uint32_t e = assoc_probe(&m->llc.tags, r->line), t;
    m->llc.st.writebacks_in++;
    if (e != ASSOC_NONE) {
        uint64_t d = m->dir[e];
        int owner = dir_owner(d);
        m->dir[e] = dir_make(DIR_DIRTY, owner == (int)r->source ? -1 : owner, dir_sharers(d) & ~(1ull << r->source));
    } else if ((t = txn_find(m, r->line)) != NIL) {
        m->txn[t].dirty = true;
    } else {
        m->llc.st.writebacks++;
        dram_enqueue(m, r->line, true, ORIGIN_writeback, NIL, now);
    }
    req_advance(r, REQ_QUEUED, REQ_SERVICED);
    req_put(&m->reqs, req);
}

static void count_lookup(struct memsys *m, struct mem_req *r, bool hit)
{
    if (!r->counted)
        cache_count(&m->llc, (enum req_origin)r->origin, hit, r->kind == REQ_GETM);
    r->counted = true;
}

void llc_request(struct memsys *m, uint32_t req, tick_t now)
{
    tick_t delay = m->llc_delay;
    struct mem_req *r = &m->reqs.req[req];
    if (r->kind == REQ_PUTM) {
        put_modified(m, req, now);
        return;
    }
    uint32_t t = txn_find(m, r->line);
    if (t != NIL) {
        m->llc.st.mshr_merges += !r->counted;
        count_lookup(m, r, false);
        fifo_push(m, &m->txn[t].parked, req);
        return;
    }
    uint32_t e = assoc_find_big(&m->llc.tags, r->line);
    if (e != ASSOC_NONE) {
        count_lookup(m, r, true);
        int owner = dir_owner(m->dir[e]);
        struct decision d = decide(&m->dir[e], (enum req_kind)r->kind, r->source);
        if (!d.snoop) {
            grant(m, req, d.grant, now + delay);
            return;
        }
        t = txn_open(m, r->line, TXN_SNOOP, req);
        m->txn[t].acks = (uint32_t)__builtin_popcountll(d.snoop);
        m->txn[t].old_owner = (uint8_t)(owner < 0 ? 0 : owner);
        m->llc.st.snoops += m->txn[t].acks;
        send_snoops(m, r->line, d.snoop, d.invalidate, now + delay);
        return;
    }
    if (m->dram_txns >= m->cfg.cache->llc.mshrs) {
        m->llc.st.mshr_full += !r->counted;
        count_lookup(m, r, false);
        fifo_push(m, &m->stalled, req);
        return;
    }
    count_lookup(m, r, false);
    t = txn_open(m, r->line, TXN_MISS, req);
    m->dram_txns++;
    dram_enqueue(m, r->line, false, r->origin, t, now);
}

void llc_fill(struct memsys *m, uint32_t t, tick_t now)
{
    uint64_t line = m->txn[t].line;
    uint32_t e = assoc_pick(&m->llc.tags, line);
    uint64_t victim = m->llc.tags.key[e];
    if (victim != ASSOC_EMPTY && txn_find(m, victim) != NIL) {
        evq_add(&m->q, now + m->period, src_llc(m), MEMSYS_FILL, t, 0);
        return;
    }
    if (victim != ASSOC_EMPTY) {
        uint64_t d = m->dir[e], holders = dir_holders(d);
        if (holders) {
            uint32_t b = txn_open(m, victim, TXN_BACKINV, NIL);
            m->txn[b].acks = (uint32_t)__builtin_popcountll(holders);
            m->txn[b].dirty = d & DIR_DIRTY;
            m->llc.st.back_invalidations += m->txn[b].acks;
            send_snoops(m, victim, holders, true, now + m->llc_delay);
        } else if (d & DIR_DIRTY) {
            m->llc.st.writebacks++;
            dram_enqueue(m, victim, true, ORIGIN_writeback, NIL, now);
        }
    }
    assoc_place(&m->llc.tags, e, line);
    uint32_t req = m->txn[t].req;
    struct mem_req *r = &m->reqs.req[req];
    enum line_state state;
    m->dir[e] = fresh((enum req_kind)r->kind, r->source, &state) | (m->txn[t].dirty ? DIR_DIRTY : 0);
    grant(m, req, state, now + m->llc_delay);
    m->dram_txns--;
    txn_end(m, t, now);
    serve_stalled(m, now);
}

void llc_ack(struct memsys *m, unsigned core, uint64_t line, bool present, bool dirty, tick_t now)
{
    uint32_t t = txn_find(m, line);
    assert(t != NIL && m->txn[t].acks > 0);
    struct txn *x = &m->txn[t];
    x->dirty |= dirty;
    if (x->kind == TXN_SNOOP && present && core == x->old_owner)
        x->kept = true;
    if (--x->acks)
        return;
    if (x->kind == TXN_BACKINV) {
        if (x->dirty) {
            m->llc.st.writebacks++;
            dram_enqueue(m, line, true, ORIGIN_writeback, NIL, now);
        }
    } else {
        uint32_t e = assoc_probe(&m->llc.tags, line), req = x->req;
        assert(e != ASSOC_NONE); /* busy lines are not evicted */
        struct mem_req *r = &m->reqs.req[req];
        enum line_state s = settle(&m->dir[e], (enum req_kind)r->kind, r->source, x->old_owner, x->kept, x->dirty);
        grant(m, req, s, now);
    }
    txn_end(m, t, now);
}

/* ---- functional ---- */

static void snoop_now(struct memsys *m, uint64_t line, uint64_t cores, bool invalidate, bool *kept, bool *dirty)
{
    for (uint64_t w = cores; w; w &= w - 1) {
        unsigned answer = m->cfg.ops.snoop(m->cfg.ops.self, (unsigned)__builtin_ctzll(w), line, invalidate);
        *kept |= answer & 1;
        *dirty |= (answer & 2) != 0;
    }
}

enum line_state memsys_access(struct memsys *m, unsigned core, uint64_t line, enum req_kind kind,
                              enum req_origin origin)
{
    uint32_t e;
    bool kept = false, dirty = false;
    if (kind == REQ_PUTM) {
        m->llc.st.writebacks_in++;
        e = assoc_probe(&m->llc.tags, line);
        if (e == ASSOC_NONE) {
            m->llc.st.writebacks++;
            m->fdram.writes++;
            return LINE_I;
        }
        int owner = dir_owner(m->dir[e]);
        m->dir[e] = dir_make(DIR_DIRTY, owner == (int)core ? -1 : owner, dir_sharers(m->dir[e]) & ~(1ull << core));
        return LINE_I;
    }
    e = assoc_find_big(&m->llc.tags, line);
    cache_count(&m->llc, origin, e != ASSOC_NONE, kind == REQ_GETM);
    if (e != ASSOC_NONE) {
        int owner = dir_owner(m->dir[e]);
        struct decision d = decide(&m->dir[e], kind, core);
        if (!d.snoop)
            return d.grant;
        m->llc.st.snoops += (unsigned)__builtin_popcountll(d.snoop);
        snoop_now(m, line, d.snoop, d.invalidate, &kept, &dirty);
        return settle(&m->dir[e], kind, core, (unsigned)(owner < 0 ? 0 : owner), kept, dirty);
    }
    m->fdram.reads++;
    e = assoc_pick(&m->llc.tags, line);
    uint64_t victim = m->llc.tags.key[e];
    if (victim != ASSOC_EMPTY) {
        uint64_t holders = m->cfg.cache->llc_inclusive ? dir_holders(m->dir[e]) : 0;
        dirty = m->dir[e] & DIR_DIRTY;
        m->llc.st.back_invalidations += (unsigned)__builtin_popcountll(holders);
        snoop_now(m, victim, holders, true, &kept, &dirty);
        if (dirty && m->cfg.cache->write_back) {
            m->llc.st.writebacks++;
            m->fdram.writes++;
        }
    }
    assoc_place(&m->llc.tags, e, line);
    enum line_state s;
    m->dir[e] = fresh(kind, core, &s);
    return s;
}

void memsys_state(struct memsys *m, struct state_io *io)
{
    size_t n = (size_t)m->llc.tags.sets * m->llc.tags.ways;
    state_mark(io, "memsys");
    cache_state(&m->llc, io);
    state_bytes(io, m->dir, n * sizeof *m->dir);
    for (size_t i = 0; io->loading && i < n; i++)
        if (!state_check(io, dir_owner(m->dir[i]) < (int)m->cores && dir_sharers(m->dir[i]) >> m->cores == 0,
                         "the directory names a core that does not exist"))
            return;
    state_bytes(io, &m->fdram, sizeof m->fdram);
}

void memsys_prefetch(const struct memsys *m, uint64_t line, unsigned stage)
{
    if (stage == 0) {
        assoc_prefetch(&m->llc.tags, line);
        return;
    }
    uint32_t e = assoc_likely(&m->llc.tags, line);
    __builtin_prefetch(&m->llc.tags.key[e], 1);
    __builtin_prefetch(&m->dir[e], 1);
}

bool memsys_holds(const struct memsys *m, unsigned core, uint64_t line, enum line_state state)
{
    uint32_t e = assoc_probe(&m->llc.tags, line);
    if (txn_find(m, line) != NIL)
        return true;
    if (e == ASSOC_NONE)
        return false;
    if (state >= LINE_E)
        return dir_owner(m->dir[e]) == (int)core;
    return dir_holders(m->dir[e]) >> core & 1;
}
