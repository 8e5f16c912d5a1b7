/*
 * The window core: dispatch in order, execution when operands are there, retirement in order, a store buffer
 * (timing.md section 6). Parts that hit everything at once never become objects.
 */
#include "cpu/machine/machine_internal.h"
#include "cpu/supply.h"
#include "cpu/timed.h"
#include "engine/grow.h"

#include <assert.h>
#include <stdlib.h>

static struct rob_entry *entry(struct core *c, uint64_t seq) { return &c->rob[seq & c->rob_mask]; }

/* A wake-up names the process it was set for: an entry may be another's by then. */
static uint32_t woken_arg(const struct core *c, uint32_t ix) { return ix | (c->epoch & 0xffff) << 16; }

/* ---- completion ---- */

static void wake_at(struct core *c, uint32_t ix, cyc_t when)
{
    if (when <= c->now)
        entry_woken(c, ix);
    else
        wheel_add(&c->wheel, when, HOP_WOKEN, woken_arg(c, ix));
}

/* The entry's completion is known: tells the consumers. */
static void entry_known(struct core *c, struct rob_entry *e)
{
    uint32_t d = e->deps;
    e->deps = NIL;
    while (d != NIL) {
        struct dep_link *l = &c->dep[d];
        struct rob_entry *k = &c->rob[l->consumer];
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
    struct rob_entry *e = &c->rob[x->owner];
    if (when > e->done)
        e->done = when;
    if (x->kind != PART_STORE)
        part_free(c, p);
    else
        x->ready = true; /* stores wait in the entry's list for retirement */
    if (--e->pending == 0 && e->issued)
        entry_known(c, e);
}

/* ---- issue ---- */

static void execute_part(struct core *c, struct rob_entry *e, uint32_t p)
{
    struct part *x = &c->part[p];
    if (x->kind == PART_STORE) {
        x->sibling = NIL;
        if (e->stores.head == NIL)
            e->stores.head = p;
        else
            c->part[e->stores.tail].sibling = p;
        e->stores.tail = p;
        e->n_stores++;
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
        part_free(c, p);
    }
}

/* A load part that hits everything, without an object. False: nothing was done or counted. */
static inline bool load_at_once(struct core *c, struct rob_entry *e, uint64_t va)
{
    pa_t pa = {va};
    uint32_t slot = 0;
    if (likely(c->mmu_on)) {
        const struct assoc *a = &c->dtlb.array[PAGE_SIZE_4K].tags;
        uint64_t key = tlb_key(c->asid, PAGE_SIZE_4K, (va_t){va});
        slot = a->mru[assoc_set(a, key)];
        struct xlat x = c->dtlb.array[PAGE_SIZE_4K].xlat[slot];
        if (a->key[slot] != key || a->touch_on_mru || xlat_origin(x) != PAGE_SIZE_4K || !access_ok(x, &c->check[CLASS_READ]))
            return false;
        pa.v = (x.v & PTE_ADDR) | (va & (PAGE_BYTES - 1));
    }
    uint64_t line = pa.v >> LINE_SHIFT;
    const struct assoc *t = &c->l1d.tags;
    if (t->key[t->mru[assoc_set(t, line)]] != line || t->touch_on_mru)
        return false;
    if (likely(c->mmu_on)) {
        c->dtlb.st.accesses++;
        c->dtlb.st.hits++;
        c->dtlb.st.hits_4k++;
    }
    cache_count(&c->l1d, ORIGIN_cpu, true, false);
    if (c->now + c->l1d_lat > e->done)
        e->done = c->now + c->l1d_lat;
    return true;
}

static void issue(struct core *c, struct rob_entry *e)
{
    struct plist parts = e->wait;
    e->wait = (struct plist){NIL, NIL};
    e->issued = true;
    if (c->now + 1 > e->done)
        e->done = c->now + 1;
    while (parts.head != NIL)
        execute_part(c, e, plist_pop(c, &parts));
    if (e->pending == 0)
        entry_known(c, e);
}

/* Sorted by program order, for the woken phase of this cycle. */
void entry_woken(struct core *c, uint32_t ix)
{
    if (c->n_woken == c->cap_woken)
        c->woken = grow_array(c->woken, &c->cap_woken, 64, sizeof *c->woken);
    uint32_t i = c->n_woken++;
    for (; i > 0 && c->rob[c->woken[i - 1]].seq > c->rob[ix].seq; i--)
        c->woken[i] = c->woken[i - 1];
    c->woken[i] = ix;
}

/* ---- phases ---- */

static void take_fault(struct core *c, const struct rob_entry *e)
{
    uint32_t best = NIL;
    for (uint32_t p = c->parked_list.head; p != NIL; p = c->part[p].next) {
        const struct part *x = &c->part[p];
        bool mine = e ? x->kind != PART_FETCH && &c->rob[x->owner] == e : x->kind == PART_FETCH;
        if (mine && (best == NIL || x->order < c->part[best].order))
            best = p;
    }
    assert(best != NIL);
    os_ask_fault(c, c->part[best].va, c->part[best].error);
}

static bool store_room(const struct core *c, const struct rob_entry *e)
{
    return e->n_stores == 0 || c->sb_n == 0 || c->sb_n + e->n_stores <= c->sb_cap;
}

static void retire(struct core *c)
{
    uint32_t n = 0;
    while (c->head_seq != c->tail_seq) {
        struct rob_entry *e = entry(c, c->head_seq);
        if (unlikely(e->n_faulted)) {
            if (c->os == OS_IDLE)
                take_fault(c, e);
            return;
        }
        if (!e->issued || e->pending || e->done > c->now || n == c->cfg->cpu.width || !store_room(c, e))
            return;
        while (e->stores.head != NIL) {
            uint32_t p = e->stores.head;
            e->stores.head = c->part[p].sibling;
            store_buffer_push(c, c->part[p].pa.v >> LINE_SHIFT);
            part_free(c, p);
        }
        c->head_seq++;
        n++;
    }
    if (unlikely(c->parked) && c->os == OS_IDLE)
        take_fault(c, NULL);
}

/* The producers of an instruction: what is known of them, and links to what is not. */
static void depend(struct core *c, struct rob_entry *e, uint64_t regs)
{
    uint32_t ix = (uint32_t)(e->seq & c->rob_mask);
    for (unsigned i = 2; i < 6; i++) {
        uint64_t w = c->writer[regs >> (8 * i) & 0xff];
        if (!(regs >> (8 * i) & 0xff) || !w || w - 1 < c->head_seq)
            continue;
        struct rob_entry *p = entry(c, w - 1);
        if (p->issued && !p->pending) {
            if (p->done > e->ready)
                e->ready = p->done;
            continue;
        }
        uint32_t d = c->dep_free;
        if (d != NIL) {
            c->dep_free = c->dep[d].next;
        } else {
            if (c->dep_n == c->dep_cap)
                c->dep = grow_array(c->dep, &c->dep_cap, 256, sizeof *c->dep);
            d = c->dep_n++;
        }
        c->dep[d] = (struct dep_link){.consumer = ix, .next = p->deps};
        p->deps = d;
        e->unknown++;
    }
    for (unsigned i = 0; i < 2; i++)
        if (regs >> (8 * i) & 0xff)
            c->writer[regs >> (8 * i) & 0xff] = e->seq + 1;
}

static bool is_data(const struct trace_rec *r)
{
    return r->kind == TRACE_LOAD || r->kind == TRACE_STORE || r->kind == TRACE_MODIFY;
}

static void data_ref(struct core *c, struct rob_entry *e, const struct trace_rec *r, bool now)
{
    va_t va;
    if (!supply_count(c, r, &va))
        return;
    uint64_t addr = va.v, end = addr + (r->size ? r->size : 1);
    enum part_kind kind = r->kind == TRACE_LOAD ? PART_LOAD : r->kind == TRACE_STORE ? PART_STORE : PART_MODIFY;
    for (; addr < end; addr = (addr | (LINE_BYTES - 1)) + 1) {
        if (now && kind == PART_LOAD && load_at_once(c, e, addr))
            continue;
        uint32_t p = part_new(c, kind, (uint32_t)(e->seq & c->rob_mask), c->order++, (va_t){addr});
        if (now)
            execute_part(c, e, p);
        else
            plist_push(c, &e->wait, p);
    }
}

/* Takes an entry for the instruction whose fetch is done and its records. `alone`: a data record without a fetch. */
static void enter(struct core *c, bool alone)
{
    struct rob_entry *e = entry(c, c->tail_seq);
    *e = (struct rob_entry){.seq = c->tail_seq++, .wait = {NIL, NIL}, .stores = {NIL, NIL}, .deps = NIL};
    bool now = true;
    if (!alone && supply_peek(c) == SUPPLY_RECORD && c->rec->kind == TRACE_REGS) {
        depend(c, e, c->rec->addr);
        now = !e->unknown && e->ready <= c->now;
        c->rec += 1 + c->rec->slots;
    }
    if (now) {
        e->issued = true;
        e->done = c->now + 1;
    }
    while (supply_peek(c) == SUPPLY_RECORD && (is_data(c->rec) || (!alone && c->rec->kind == TRACE_BRANCH))) {
        const struct trace_rec *r = c->rec;
        if (is_data(r))
            data_ref(c, e, r, now);
        c->rec += 1 + r->slots;
        if (alone)
            break;
    }
    if (now) {
        if (e->pending == 0)
            entry_known(c, e);
    } else if (!e->unknown) {
        wheel_add(&c->wheel, e->ready, HOP_WOKEN, woken_arg(c, (uint32_t)(e->seq & c->rob_mask)));
    }
}

static inline bool fetch_at_once(struct core *c, uint64_t va)
{
    pa_t pa = {va};
    if (likely(c->mmu_on)) {
        const struct assoc *a = &c->itlb.array[PAGE_SIZE_4K].tags;
        uint64_t key = tlb_key(c->asid, PAGE_SIZE_4K, (va_t){va});
        uint32_t slot = a->mru[assoc_set(a, key)];
        struct xlat x = c->itlb.array[PAGE_SIZE_4K].xlat[slot];
        if (a->key[slot] != key || a->touch_on_mru || xlat_origin(x) != PAGE_SIZE_4K || !access_ok(x, &c->check[CLASS_FETCH]))
            return false;
        pa.v = (x.v & PTE_ADDR) | (va & (PAGE_BYTES - 1));
    }
    uint64_t line = pa.v >> LINE_SHIFT;
    const struct assoc *t = &c->l1i.tags;
    if (t->key[t->mru[assoc_set(t, line)]] != line || t->touch_on_mru)
        return false;
    if (likely(c->mmu_on)) {
        c->itlb.st.accesses++;
        c->itlb.st.hits++;
        c->itlb.st.hits_4k++;
    }
    cache_count(&c->l1i, ORIGIN_cpu, true, false);
    return true;
}

/* Fetch parts of the present instruction; false: one is under way. */
static bool fetch(struct core *c)
{
    while (c->fe_addr < c->fe_end) {
        uint64_t va = c->fe_addr;
        c->fe_addr = (va | (LINE_BYTES - 1)) + 1;
        if (fetch_at_once(c, va))
            continue;
        uint32_t p = part_new(c, PART_FETCH, 0, c->order++, (va_t){va});
        c->fe_waiting = true;
        if (!translate(c, p) || !l1_access(c, p, true)) {
            return false;
        }
        c->fe_waiting = false;
        part_free(c, p);
    }
    return true;
}

/* What dispatch can do next: begin an instruction if it may, or see the end or a call. False: nothing more now. */
static bool dispatch_one(struct core *c, bool may_begin)
{
    if (!c->fe_busy) {
        for (;;) {
            if (unlikely(c->process_dead))
                supply_drop(c);
            enum supply s = supply_peek(c);
            if (s == SUPPLY_END)
                return false;
            if (s == SUPPLY_DRAIN) {
                c->draining = true;
                return false;
            }
            if (c->rec->kind <= TRACE_REF_MAX)
                break;
            if (!supply_other(c)) {
                c->draining = true;
                return false;
            }
        }
        if (!may_begin)
            return false;
        const struct trace_rec *r = c->rec;
        if (r->kind != TRACE_FETCH) {
            enter(c, true);
            return true;
        }
        c->rec++;
        c->fe_addr = c->fe_end = 0;
        va_t va;
        if (supply_count(c, r, &va)) {
            c->fe_addr = va.v;
            c->fe_end = va.v + (r->size ? r->size : 1);
        }
        c->fe_busy = true;
    }
    if (!fetch(c))
        return false;
    c->fe_busy = false;
    enter(c, false);
    return true;
}

static bool window_empty(const struct core *c)
{
    return c->head_seq == c->tail_seq && !c->sb_n && !c->fe_busy;
}

void window_cycle(struct core *c)
{
    const uint32_t width = c->cfg->cpu.width, window = c->cfg->cpu.window;
    retire(c);
    if (c->n_woken) {
        uint32_t n = c->n_woken;
        c->n_woken = 0;
        for (uint32_t i = 0; i < n; i++)
            issue(c, &c->rob[c->woken[i]]);
    }
    store_buffer_drain(c);
    uint32_t n = 0;
    while (c->tail_seq - c->head_seq < window && !c->fe_waiting && !c->parked && !c->draining && !c->ended && c->stall <= c->now) {
        if (!dispatch_one(c, n < width))
            break;
        n++;
    }
    bool drained = c->draining && c->os == OS_IDLE && window_empty(c);
    if (drained && c->stall <= c->now)
        supply_drained(c);
    cyc_t next = drained && c->stall > c->now ? c->stall : CYC_NEVER;
    if (c->sb_n && !c->sb_waiting)
        next = c->now + 1;
    if (c->tail_seq - c->head_seq < window && !c->fe_waiting && !c->parked && !c->draining && !c->ended) {
        cyc_t t = c->now + 1 < c->stall ? c->stall : c->now + 1;
        if (t < next)
            next = t;
    }
    if (c->head_seq != c->tail_seq) {
        const struct rob_entry *e = entry(c, c->head_seq);
        if (e->n_faulted ? c->os == OS_IDLE : e->issued && !e->pending && store_room(c, e)) {
            cyc_t t = e->done > c->now ? e->done : c->now + 1;
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
