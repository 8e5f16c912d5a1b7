/*
 * The window core: dispatch in order (dispatch.c), execution when operands are there, retirement in order, a store buffer
 * (timing.md section 6).
 */
#include "cpu/machine/machine_internal.h"
#include "cpu/models/window.h"
#include "cpu/remember.h"
#include "cpu/supply.h"
#include "cpu/timed.h"
#include "engine/grow.h"

#include <assert.h>
#include <stdlib.h>

/* ---- completion ---- */

static void wake_at(struct core *c, uint32_t ix, cyc_t when)
{
    if (when <= c->now)
        entry_woken(c, ix);
    else
        wheel_add(&c->wheel, when, HOP_WOKEN, woken_arg(c, ix));
}

/* The entry's completion is known: tells the consumers. */
static void entry_known(struct core *c, uint32_t ix)
{
    struct rob_rest *e = &c->rob_rest[ix];
    uint32_t d = e->deps;
    c->rob[ix].known = e->done;
    e->deps = NIL;
    while (d != NIL) {
        struct dep_link *l = &c->dep[d];
        struct rob_rest *k = &c->rob_rest[l->consumer];
        uint32_t next = l->next, consumer = l->consumer;
        l->next = c->dep_free;
        c->dep_free = d;
        if (e->done > k->ready)
            k->ready = e->done;
        if (--k->unknown == 0)
            wake_at(c, consumer, k->ready);
        d = next;
    }
}

void window_part_done(struct core *c, uint32_t p, cyc_t when)
{
    struct part *x = &c->part[p];
    if (x->kind == PART_FETCH) {
        c->fe_waiting = false;
        part_free(c, p);
        return;
    }
    uint32_t ix = x->owner;
    struct rob_rest *e = &c->rob_rest[ix];
    if (when > e->done)
        e->done = when;
    if (x->kind != PART_STORE)
        part_free(c, p);
    else
        x->ready = true; /* stores wait in the entry's list for retirement */
    if (--e->pending == 0 && c->rob[ix].issued)
        entry_known(c, ix);
}

/* ---- issue ---- */

void window_execute(struct core *c, uint32_t ix, uint32_t p)
{
    struct part *x = &c->part[p];
    struct rob_rest *e = &c->rob_rest[ix];
    if (x->kind == PART_STORE) {
        x->sibling = NIL;
        if (e->stores.head == NIL)
            e->stores.head = p;
        else
            c->part[e->stores.tail].sibling = p;
        e->stores.tail = p;
        c->rob[ix].n_stores++;
        if (translate(c, p))
            c->part[p].ready = true;
        else
            e->pending++;
        return;
    }
    e->pending++;
    if (translate(c, p) && l1_access(c, p, true)) {
        e->pending--;
        if (c->now + c->l1d_lat > e->done)
            e->done = c->now + c->l1d_lat;
        if (c->part[p].kind == PART_LOAD)
            remember_line(c, c->part[p].va.v, TRACE_LOAD);
        part_free(c, p);
    }
}

static void issue(struct core *c, uint32_t ix)
{
    struct rob_rest *e = &c->rob_rest[ix];
    struct plist parts = e->wait;
    e->wait = (struct plist){NIL, NIL};
    c->rob[ix].issued = true;
    if (c->now + 1 > e->done)
        e->done = c->now + 1;
    while (parts.head != NIL)
        window_execute(c, ix, plist_pop(c, &parts));
    c->rob[ix].known = CYC_NEVER; /* a part that was done within these calls may have set it */
    if (e->pending == 0)
        entry_known(c, ix);
}

/* Place of an entry in program order. */
static uint64_t age(const struct core *c, uint32_t ix) { return (ix - c->head_seq) & c->rob_mask; }

/* Sorted by program order, for the woken phase of this cycle. */
void entry_woken(struct core *c, uint32_t ix)
{
    if (c->n_woken == c->cap_woken)
        c->woken = grow_array(c->woken, &c->cap_woken, 64, sizeof *c->woken);
    uint32_t i = c->n_woken++;
    for (; i > 0 && age(c, c->woken[i - 1]) > age(c, ix); i--)
        c->woken[i] = c->woken[i - 1];
    c->woken[i] = ix;
}

/* ---- phases ---- */

/* Of the entry `ix`, or with NIL of the fetch. */
static void take_fault(struct core *c, uint32_t ix)
{
    uint32_t best = NIL;
    for (uint32_t p = c->parked_list.head; p != NIL; p = c->part[p].next) {
        const struct part *x = &c->part[p];
        bool mine = ix != NIL ? x->kind != PART_FETCH && x->owner == ix : x->kind == PART_FETCH;
        if (mine && (best == NIL || x->order < c->part[best].order))
            best = p;
    }
    assert(best != NIL);
    os_ask_fault(c, c->part[best].va, c->part[best].error);
}

static bool store_room(const struct core *c, const struct rob_head *e)
{
    return e->n_stores == 0 || c->sb_n == 0 || c->sb_n + e->n_stores <= c->sb_cap;
}

static void push_stores(struct core *c, const struct rob_head *e, uint32_t ix)
{
    struct rob_rest *s = &c->rob_rest[ix];
    for (unsigned i = 0; i < e->n_lines; i++)
        store_buffer_push(c, s->line[i]);
    if (e->n_stores == e->n_lines)
        return;
    while (s->stores.head != NIL) {
        uint32_t p = s->stores.head;
        s->stores.head = c->part[p].sibling;
        store_buffer_push(c, c->part[p].pa.v >> LINE_SHIFT);
        part_free(c, p);
    }
}

static void retire(struct core *c)
{
    const cyc_t now = c->now;
    const uint64_t tail = c->tail_seq;
    uint64_t seq = c->head_seq, last = seq + c->cfg->cpu.width;
    for (; seq != tail; seq++) {
        const struct rob_head *e = &c->rob[seq & c->rob_mask];
        if (e->known > now) {
            c->head_seq = seq;
            if (unlikely(e->n_faulted) && c->os == OS_IDLE)
                take_fault(c, index_of(c, seq));
            return;
        }
        if (seq == last || (e->n_stores && !store_room(c, e))) {
            c->head_seq = seq;
            return;
        }
        if (e->n_stores)
            push_stores(c, e, index_of(c, seq));
    }
    c->head_seq = seq;
    if (unlikely(c->parked) && c->os == OS_IDLE)
        take_fault(c, NIL);
}

static bool window_empty(const struct core *c)
{
    return c->head_seq == c->tail_seq && !c->sb_n && !c->fe_busy;
}

void window_cycle(struct core *c)
{
    const uint32_t window = c->cfg->cpu.window;
    retire(c);
    if (c->n_woken) {
        uint32_t n = c->n_woken;
        c->n_woken = 0;
        for (uint32_t i = 0; i < n; i++)
            issue(c, c->woken[i]);
    }
    store_buffer_drain(c);
    if (unlikely(c->daemon_due) && !c->fe_busy)
        c->draining = true;
    if (c->stall <= c->now)
        window_dispatch(c);
    bool drained = c->draining && c->os == OS_IDLE && window_empty(c);
    if (drained && c->stall <= c->now)
        supply_drained(c);
    cyc_t next = drained && c->stall > c->now ? c->stall : CYC_NEVER;
    if (c->sb_n && !c->sb_waiting)
        next = c->now + 1;
    if (c->tail_seq - c->head_seq < window && may_dispatch(c)) {
        cyc_t t = c->now + 1 < c->stall ? c->stall : c->now + 1;
        if (t < next)
            next = t;
    }
    if (c->head_seq != c->tail_seq) {
        const struct rob_head *e = &c->rob[index_of(c, c->head_seq)];
        if (e->n_faulted ? c->os == OS_IDLE : e->known != CYC_NEVER && store_room(c, e)) {
            cyc_t t = e->known > c->now ? e->known : c->now + 1;
            if (e->n_faulted)
                t = c->now + 1;
            if (t < next)
                next = t;
        }
    } else if (c->parked && c->os == OS_IDLE) {
        next = c->now + 1;
    }
    c->next = next;
    if (!c->finished) {
        c->st.cycles = c->now;
        c->finished = c->ended && window_empty(c) && c->os == OS_IDLE;
    }
}
