/* The private caches in time: misses, MSHRs, requests to the bus, grants (timing.md section 4). */
#include "cpu/machine/machine_internal.h"
#include "cpu/priv.h"
#include "cpu/timed.h"

#include <assert.h>

static void l2_lookup(struct core *c, uint32_t cl, bool counted);

static enum req_origin origin_of(const struct part *p)
{
    return p->kind == PART_OS || p->kind == PART_OS_READ           ? ORIGIN_os
           : p->kind == PART_WALK_READ || p->kind == PART_WALK_WRITE ? ORIGIN_walk
                                                                     : ORIGIN_cpu;
}

static bool writes(const struct part *p)
{
    return p->kind != PART_FETCH && p->kind != PART_LOAD && p->kind != PART_WALK_READ && p->kind != PART_OS_READ;
}

static void client_push(struct core *c, uint32_t *head, uint32_t *tail, uint32_t cl)
{
    c->client[cl].next = NIL;
    if (*head == NIL)
        *head = cl;
    else
        c->client[*tail].next = cl;
    *tail = cl;
}

static uint32_t find_line(const uint64_t *lines, uint32_t from, uint32_t to, uint64_t line)
{
    for (uint32_t i = from; i < to; i++)
        if (lines[i] == line)
            return i;
    return NIL;
}

static void send(struct core *c, uint64_t line, enum req_kind kind, enum req_origin o)
{
    struct memsys *m = machine_memsys(c->machine);
    struct req_pool *pool = memsys_requests(m);
    struct port port = memsys_port(m);
    uint32_t r = req_get(pool);
    pool->req[r].line = line;
    pool->req[r].kind = (uint8_t)kind;
    pool->req[r].origin = (uint8_t)o;
    pool->req[r].source = c->id;
    port.submit(port.self, r, timed_out(c));
}

void timed_put_modified(struct core *c, uint64_t line) { send(c, line, REQ_PUTM, ORIGIN_writeback); }

static void l1_range(const struct core *c, unsigned cache, uint32_t *from, uint32_t *to)
{
    *from = cache ? c->l1d_client0 : 0;
    *to = cache ? c->walk_client0 : c->l1d_client0;
}

bool l1_access(struct core *c, uint32_t p, bool counted)
{
    struct part *x = &c->part[p];
    unsigned which = x->kind != PART_FETCH;
    struct cache *l1 = which ? &c->l1d : &c->l1i;
    uint64_t line = x->pa.v >> LINE_SHIFT;
    bool write = writes(x);
    enum req_origin o = origin_of(x);
    if (which)
        hot_forget_data_line(c->hot, line);
    else
        hot_forget_fetch_line(c->hot, line);
    uint32_t e = assoc_find(&l1->tags, line), from, to;
    bool ok = e != ASSOC_NONE && (!write || (l1->flags[e] & L1D_WRITABLE));
    if (counted) {
        cache_count(l1, o, ok, write);
        l1->st.upgrades += !ok && e != ASSOC_NONE;
    }
    if (ok) {
        if (write)
            l1->flags[e] |= L1D_DIRTY;
        return true;
    }
    l1_range(c, which, &from, &to);
    uint32_t cl = find_line(c->client_line, from, to, line);
    if (cl != NIL) {
        l1->st.mshr_merges += counted;
    } else {
        if (!c->l1_free[which]) {
            l1->st.mshr_full += counted;
            plist_push(c, &c->l1_fifo[which], p);
            return false;
        }
        cl = find_line(c->client_line, from, to, ASSOC_EMPTY);
        c->l1_free[which]--;
        c->client_line[cl] = line;
        c->client[cl].write = false;
        c->client[cl].origin = (uint8_t)o;
        wheel_add(&c->wheel, c->now + (which ? c->l2_extra_d : c->l2_extra_i), HOP_L2, cl);
    }
    plist_push(c, &c->client[cl].parts, p);
    c->client[cl].write |= write;
    return false;
}

static void serve_l1_fifo(struct core *c, unsigned which)
{
    while (c->l1_fifo[which].head != NIL && c->l1_free[which]) {
        uint32_t p = plist_pop(c, &c->l1_fifo[which]);
        if (l1_access(c, p, false))
            part_served(c, p);
    }
}

/* The L2 has the line in `state`: fills the L1 and serves who waits. */
static void client_filled(struct core *c, uint32_t cl, enum line_state state)
{
    struct client *x = &c->client[cl];
    uint64_t line = c->client_line[cl];
    uint32_t e = ASSOC_NONE;
    struct plist aside = {NIL, NIL};
    if (x->cache == 0) {
        hot_forget_fetch_line(c->hot, line);
        priv_l1i_fill(c, line);
    } else if (x->cache == 1) {
        hot_forget_data_line(c->hot, line);
        e = priv_l1d_fill(c, line, state);
    }
    if (x->write && state < LINE_E) {
        l2_lookup(c, cl, false);
        return;
    }
    /* Serving a part can make the core access this line again at this instant: late joiners are served too. */
    while (x->parts.head != NIL) {
        uint32_t p = plist_pop(c, &x->parts);
        if (writes(&c->part[p])) {
            if (!(c->l1d.flags[e] & L1D_WRITABLE)) {
                plist_push(c, &aside, p);
                continue;
            }
            c->l1d.flags[e] |= L1D_DIRTY;
        }
        part_served(c, p);
    }
    c->client_line[cl] = ASSOC_EMPTY;
    if (x->cache < 2)
        c->l1_free[x->cache]++;
    while (aside.head != NIL) {
        uint32_t p = plist_pop(c, &aside);
        if (l1_access(c, p, false))
            part_served(c, p);
    }
    if (x->cache < 2)
        serve_l1_fifo(c, x->cache);
}

static void l2_lookup(struct core *c, uint32_t cl, bool counted)
{
    struct client *x = &c->client[cl];
    uint64_t line = c->client_line[cl];
    uint32_t e = assoc_find_big(&c->l2.tags, line), n = c->cfg->cache.l2.mshrs;
    bool ok = e != ASSOC_NONE && (!x->write || c->l2.flags[e] >= LINE_E);
    if (counted) {
        cache_count(&c->l2, (enum req_origin)x->origin, ok, x->write);
        c->l2.st.upgrades += !ok && e != ASSOC_NONE;
    }
    if (ok) {
        client_filled(c, cl, (enum line_state)c->l2.flags[e]);
        return;
    }
    uint32_t m = find_line(c->l2_line, 0, n, line);
    if (m != NIL) {
        c->l2.st.mshr_merges += counted;
    } else {
        if (!c->l2_free) {
            c->l2.st.mshr_full += counted;
            client_push(c, &c->l2_fifo_head, &c->l2_fifo_tail, cl);
            return;
        }
        m = find_line(c->l2_line, 0, n, ASSOC_EMPTY);
        c->l2_free--;
        c->l2_line[m] = line;
        c->l2_mshr[m] = (struct l2_mshr){NIL, NIL};
        send(c, line, x->write ? REQ_GETM : x->cache == 0 ? REQ_GETI : REQ_GETS, (enum req_origin)x->origin);
    }
    client_push(c, &c->l2_mshr[m].head, &c->l2_mshr[m].tail, cl);
}

void l2_hop(struct core *c, uint32_t cl) { l2_lookup(c, cl, true); }

void walk_l2_access(struct core *c, uint32_t part)
{
    uint32_t cl = find_line(c->client_line, c->walk_client0, c->n_client, ASSOC_EMPTY);
    assert(cl != NIL); /* one a running walk */
    c->client_line[cl] = c->part[part].pa.v >> LINE_SHIFT;
    c->client[cl].write = false;
    c->client[cl].origin = ORIGIN_walk;
    plist_push(c, &c->client[cl].parts, part);
    wheel_add(&c->wheel, c->now + c->l2_extra_d, HOP_L2, cl);
}

void on_grant(struct core *c, uint64_t line, enum line_state state)
{
    uint32_t n = c->cfg->cache.l2.mshrs, m = find_line(c->l2_line, 0, n, line);
    assert(m != NIL); /* nobody is granted what it has not asked for */
    priv_l2_fill(c, line, state);
    uint32_t cl = c->l2_mshr[m].head;
    c->l2_line[m] = ASSOC_EMPTY;
    c->l2_free++;
    while (cl != NIL) {
        uint32_t next = c->client[cl].next;
        client_filled(c, cl, state);
        cl = next;
    }
    while (c->l2_fifo_head != NIL && c->l2_free) {
        cl = c->l2_fifo_head;
        c->l2_fifo_head = c->client[cl].next;
        l2_lookup(c, cl, false);
    }
}
