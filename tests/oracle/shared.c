/* Section 5: bus, last-level cache with its directory, DRAM. */
#include "oracle_priv.h"

#include <stdlib.h>

static void shared_event(struct world *w, tick_t tick, uint32_t source, uint64_t *seq, enum ev_kind kind, void *p)
{
    struct event e = {.tick = tick, .cls = CLASS_SHARED, .major = source, .seq = (*seq)++, .kind = kind, .p = p};
    o_heap_push(&w->heap, &e);
}

static tick_t later(const struct world *w, tick_t t)
{
    return t + w->m->cache.llc.latency_cycles * w->P;
}

/* --- bus ---------------------------------------------------------------------------------------------------------------- */

static void schedule_grant(struct world *w)
{
    bool any = false;
    for (uint32_t k = 0; k < w->n; k++)
        any |= w->bus_fifo[k].n > 0;
    if (w->bus_pending || !any)
        return;
    w->bus_pending = true;
    shared_event(w, w->now > w->bus_free ? w->now : w->bus_free, w->n + 3, &w->seq_bus, EV_BUS, NULL);
}

void o_bus_arrival(struct world *w, const struct event *e)
{
    static const uint32_t kinds[] = {[EV_GETS] = 0, [EV_GETI] = 1, [EV_GETM] = 2, [EV_PUTM] = 3};
    struct req *r = o_arena(w, sizeof *r);
    *r = (struct req){.core = e->core, .kind = e->kind, .origin = (enum origin)e->value, .line = e->line,
                      .arrival = w->now};
    if (w->n_arrivals == w->cap_arrivals) {
        w->cap_arrivals = w->cap_arrivals ? 2 * w->cap_arrivals : 1024;
        w->arrival = realloc(w->arrival, w->cap_arrivals * sizeof *w->arrival);
        if (!w->arrival)
            abort();
    }
    w->arrival[w->n_arrivals++] =
        (struct oracle_arrival){.tick = w->now, .master = e->core, .kind = kinds[e->kind], .line = e->line};
    o_list_push(&w->bus_fifo[e->core], r);
    schedule_grant(w);
}

static void llc_lookup(struct world *w, struct req *r, bool count);

void o_bus_grant(struct world *w)
{
    uint32_t n = w->n, master = n, first = 0;
    if (w->m->bus.arbiter == ARBITER_ROUND_ROBIN)
        first = (uint32_t)(w->bus_last + 1);
    if (w->plant == PLANT_ARBITER_ORDER)
        first = (first + n - 1) % n;
    for (uint32_t i = 0; i < n && master == n; i++)
        if (w->bus_fifo[(first + i) % n].n > 0)
            master = (first + i) % n;
    if (master == n) {
        o_broken(w, "bus grant with nobody waiting");
        return;
    }
    struct req *r = o_list_take(&w->bus_fifo[master], 0);
    w->bus_pending = false;
    w->bus_last = (int)master;
    w->bus_free = w->now + w->m->bus.occupancy_cycles * w->P;
    w->grants[master]++;
    w->wait_ps[master] += w->now - r->arrival;
    schedule_grant(w);
    llc_lookup(w, r, true);
    o_check_line(w, r->line);
}

/* --- DRAM --------------------------------------------------------------------------------------------------------------- */

static void read_finished(void *ctx, uint64_t cookie, tick_t finish)
{
    struct world *w = ctx;
    struct tx *t = (struct tx *)(uintptr_t)cookie;
    shared_event(w, finish, w->n + 1, &w->seq_fill, EV_FILL, t);
}

static void dram_feed(struct world *w)
{
    while (w->dram_fifo.n > 0) {
        struct dram_req *q = w->dram_fifo.v[0];
        pa_t pa = {q->line << LINE_SHIFT};
        if (!dram_can_accept(w->dram, pa, q->write))
            return;
        tick_t finish = 0;
        enum dram_admit a = dram_submit(w->dram, w->now, pa, q->write, q->origin, (uint64_t)(uintptr_t)q->tx, &finish);
        if (a == DRAM_FULL) {
            o_broken(w, "DRAM refused what it said it would accept");
            return;
        }
        o_list_take(&w->dram_fifo, 0);
        if (a == DRAM_DONE)
            read_finished(w, (uint64_t)(uintptr_t)q->tx, finish);
    }
}

static void dram_ask(struct world *w, uint64_t line, bool write, struct tx *t)
{
    struct dram_req *q = o_arena(w, sizeof *q);
    *q = (struct dram_req){.line = line, .write = write, .tx = t, .origin = t && t->req ? t->req->origin : ORIGIN_CPU};
    w->llc_st.writebacks += write;
    o_list_push(&w->dram_fifo, q);
    dram_feed(w);
}

void o_dram_step(struct world *w, tick_t at)
{
    dram_run(w->dram, at, read_finished, w);
    dram_feed(w);
}

/* --- LLC and directory ---------------------------------------------------------------------------------------------------- */

static struct tx *tx_of(const struct world *w, uint64_t line)
{
    for (size_t i = 0; i < w->txs.n; i++) {
        struct tx *t = w->txs.v[i];
        if (t->line == line)
            return t;
    }
    return NULL;
}

static struct tx *tx_new(struct world *w, enum tx_kind kind, uint64_t line, struct req *r)
{
    struct tx *t = o_arena(w, sizeof *t);
    o_arena_list(w, &t->fifo);
    *t = (struct tx){.kind = kind, .line = line, .req = r, .old = -1};
    o_list_push(&w->txs, t);
    return t;
}

static void grant(struct world *w, const struct req *r, char state, tick_t when)
{
    o_send_core(w, r->core, EV_GRANT, when, r->line, (uint64_t)state, NULL);
}

static void become(struct naive_way *x, const struct req *r, char state)
{
    uint64_t bit = UINT64_C(1) << r->core;
    if (state == 'S') {
        x->owner = -1;
        x->sharers |= bit;
    } else {
        x->owner = (int)r->core;
        x->sharers = 0;
    }
}

static void putm(struct world *w, struct req *r)
{
    struct naive_way *x = naive_find(&w->llc, r->line);
    struct tx *t = tx_of(w, r->line);
    w->writebacks_in++;
    if (x) {
        x->dirty = true;
        if (x->owner == (int)r->core)
            x->owner = -1;
        x->sharers &= ~(UINT64_C(1) << r->core);
    } else if (t) {
        t->dirty = true;
    } else {
        dram_ask(w, r->line, true, NULL);
    }
}

static void invalidate(struct world *w, struct tx *t, uint64_t who, uint64_t *counter)
{
    t->pending = who;
    for (uint32_t k = 0; k < w->n; k++)
        if (who >> k & 1) {
            (*counter)++;
            o_send_core(w, k, EV_INV, later(w, w->now), t->line, 0, NULL);
        }
}

static void llc_hit(struct world *w, struct req *r, struct naive_way *x)
{
    uint64_t me = UINT64_C(1) << r->core;
    tick_t when = later(w, w->now);
    if (r->kind == EV_GETM) {
        uint64_t others = (x->sharers | (x->owner >= 0 ? UINT64_C(1) << x->owner : 0)) & ~me;
        if (others) {
            invalidate(w, tx_new(w, TX_SNOOP, r->line, r), others, &w->snoops);
            return;
        }
        become(x, r, 'M');
        grant(w, r, 'M', when);
        return;
    }
    if (x->owner >= 0 && x->owner != (int)r->core) {
        struct tx *t = tx_new(w, TX_SNOOP, r->line, r);
        t->old = x->owner;
        t->pending = UINT64_C(1) << x->owner;
        w->snoops++;
        o_send_core(w, (uint32_t)x->owner, EV_DOWN, when, r->line, 0, NULL);
        return;
    }
    bool mine = x->owner == (int)r->core;
    char state = r->kind == EV_GETS && (mine || x->sharers == 0) ? 'E' : 'S';
    become(x, r, state);
    grant(w, r, state, when);
}

static void llc_lookup(struct world *w, struct req *r, bool count)
{
    if (r->kind == EV_PUTM) {
        putm(w, r);
        return;
    }
    struct tx *t = tx_of(w, r->line);
    struct naive_way *x = naive_find(&w->llc, r->line);
    bool hit = x && !t;
    if (count) {
        struct cache_counts *st = &w->llc_st;
        st->accesses++;
        st->origin_accesses[r->origin]++;
        st->hits += hit;
        st->misses += !hit;
        st->origin_misses[r->origin] += !hit;
        *(r->kind == EV_GETM ? &st->write_misses : &st->read_misses) += !hit;
    }
    if (t) {
        w->llc_st.mshr_merges += count;
        o_list_push(&t->fifo, r);
    } else if (hit) {
        naive_use(&w->llc, x);
        llc_hit(w, r, x);
    } else if (w->llc_used >= w->m->cache.llc.mshrs) {
        w->llc_st.mshr_full += count;
        o_list_push(&w->stall, r);
    } else {
        w->llc_used++;
        dram_ask(w, r->line, false, tx_new(w, TX_DRAM, r->line, r));
    }
}

static void tx_end(struct world *w, struct tx *t)
{
    for (size_t i = 0; i < w->txs.n; i++)
        if (w->txs.v[i] == t)
            o_list_take(&w->txs, i--);
    if (t->kind == TX_DRAM)
        w->llc_used--;
    while (t->fifo.n > 0) {
        struct tx *again = tx_of(w, t->line);
        struct req *r = o_list_take(&t->fifo, 0);
        if (again)
            o_list_push(&again->fifo, r); /* the rest goes along */
        else
            llc_lookup(w, r, false);
    }
    o_list_fini(&t->fifo);
    while (t->kind == TX_DRAM && w->stall.n > 0 && w->llc_used < w->m->cache.llc.mshrs)
        llc_lookup(w, o_list_take(&w->stall, 0), false);
}

void o_llc_ack(struct world *w, const struct event *e)
{
    struct tx *t = tx_of(w, e->line);
    uint64_t bit = UINT64_C(1) << e->core;
    if (!t || !(t->pending & bit)) {
        o_broken(w, "ack of core %u for line %lx that nobody waits for", e->core, (unsigned long)e->line);
        return;
    }
    bool present = e->value & 1, dirty = e->value & 2;
    struct naive_way *x = naive_find(&w->llc, e->line);
    t->pending &= ~bit;
    t->old_present |= present;
    if (dirty && t->kind == TX_EVICT)
        t->dirty = true;
    else if (dirty && x)
        x->dirty = true;
    if (t->pending)
        return;
    if (t->kind == TX_EVICT) {
        if (t->dirty)
            dram_ask(w, t->line, true, NULL);
    } else if (!x) {
        o_broken(w, "line %lx left the LLC in the middle of a snoop", (unsigned long)e->line);
        return;
    } else if (t->req->kind == EV_GETM) {
        become(x, t->req, 'M');
        grant(w, t->req, 'M', w->now);
    } else {
        x->owner = -1;
        if (t->old_present)
            x->sharers |= UINT64_C(1) << t->old;
        become(x, t->req, 'S');
        grant(w, t->req, 'S', w->now);
    }
    tx_end(w, t);
    o_check_line(w, e->line);
}

void o_llc_fill(struct world *w, struct tx *t)
{
    struct naive_way *x = naive_choose(&w->llc, t->line); /* random draws at every try */
    if (x->valid && tx_of(w, x->key)) {
        shared_event(w, w->now + w->P, w->n + 2, &w->seq_llc, EV_FILL, t);
        return;
    }
    if (x->valid) {
        uint64_t victim = x->key, holders = x->sharers | (x->owner >= 0 ? UINT64_C(1) << x->owner : 0);
        bool dirty = x->dirty;
        if (holders) {
            struct tx *v = tx_new(w, TX_EVICT, victim, NULL);
            v->dirty = dirty;
            invalidate(w, v, holders, &w->back_invalidations);
        } else if (dirty) {
            dram_ask(w, victim, true, NULL);
        }
    }
    naive_put(&w->llc, x, t->line);
    x->dirty = t->dirty; /* a PUTM came while it was fetched */
    char state = t->req->kind == EV_GETM ? 'M' : t->req->kind == EV_GETS ? 'E' : 'S';
    become(x, t->req, state);
    grant(w, t->req, state, later(w, w->now));
    tx_end(w, t);
    o_check_line(w, t->line);
}
