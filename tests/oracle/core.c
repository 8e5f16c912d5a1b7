/* Sections 2 and 6: instructions out of records, the serial core, the window core, the store buffer. */
#include "oracle_priv.h"

bool o_is_serial(const struct world *w)
{
    return w->m->cpu.model == CPU_MODEL_INORDER || w->m->cpu.window == 1;
}

void o_part_done(struct world *w, struct ocore *c, struct part *p, cyc_t at)
{
    if (p->dead)
        return;
    p->known = true;
    p->done = at;
    o_tick_at(w, c, at);
}

/* --- records --------------------------------------------------------------------------------------------------------- */

/* The end of a thread does nothing; without an MMU no call does. */
static bool is_call(const struct world *w, const struct trace_rec *r)
{
    if (!w->m->mmu.enabled)
        return false;
    if (r->kind == TRACE_EXIT)
        return r->size == 1;
    return r->kind == TRACE_MMAP || r->kind == TRACE_MUNMAP || r->kind == TRACE_BRK || r->kind == TRACE_FORK;
}

static bool is_data(uint8_t kind)
{
    return kind == TRACE_LOAD || kind == TRACE_STORE || kind == TRACE_MODIFY;
}

static const struct trace_rec *record(const struct ocore *c)
{
    return c->s && c->at < c->s->n ? &c->s->rec[c->at] : NULL;
}

static void pass(struct ocore *c)
{
    const struct trace_rec *r = record(c);
    if (r->kind == TRACE_INSNS)
        c->instructions += r->addr;
    c->at += 1u + r->slots;
}

bool o_at_call(const struct world *w, const struct ocore *c)
{
    const struct trace_rec *r = record(c);
    return r && is_call(w, r);
}

static void add_parts(struct world *w, struct ocore *c, struct entry *e, const struct trace_rec *r)
{
    struct list *l = r->kind == TRACE_FETCH ? &e->fetch : &e->data;
    enum part_kind kind = r->kind == TRACE_FETCH   ? PART_FETCH
                          : r->kind == TRACE_LOAD  ? PART_LOAD
                          : r->kind == TRACE_STORE ? PART_STORE
                                                   : PART_MODIFY;
    uint64_t last = r->addr + (r->size ? r->size : 1) - 1;
    bool first = true;
    for (uint64_t line = r->addr >> LINE_SHIFT; line <= last >> LINE_SHIFT; line++) {
        struct part *p = o_arena(w, sizeof *p);
        *p = (struct part){.kind = kind, .entry = e, .number = c->parts++,
                           .va = line == r->addr >> LINE_SHIFT ? r->addr : line << LINE_SHIFT, .first = first};
        first = false;
        o_list_push(l, p);
    }
}

void o_count_record(struct ocore *c, const struct part *p)
{
    c->references += p->first;
    c->instructions += p->first && p->kind == PART_FETCH;
}

struct entry *o_next_instruction(struct world *w, struct ocore *c)
{
    const struct trace_rec *r;
    while ((r = record(c)) && r->kind != TRACE_FETCH && !is_data(r->kind) && !is_call(w, r))
        pass(c);
    if (!r || is_call(w, r))
        return NULL;
    struct entry *e = o_arena(w, sizeof *e);
    o_arena_list(w, &e->fetch);
    o_arena_list(w, &e->data);
    if (r->kind != TRACE_FETCH) { /* no FETCH yet: an instruction of its own */
        add_parts(w, c, e, r);
        pass(c);
        return e;
    }
    add_parts(w, c, e, r);
    pass(c);
    while ((r = record(c)) && (is_data(r->kind) || r->kind == TRACE_REGS || r->kind == TRACE_BRANCH)) {
        if (is_data(r->kind))
            add_parts(w, c, e, r);
        if (r->kind == TRACE_REGS)
            for (unsigned i = 0; i < 6; i++)
                *(i < 2 ? &e->wr[i] : &e->rd[i - 2]) = (uint8_t)(r->addr >> (8 * i));
        pass(c);
    }
    return e;
}

/* --- store buffer ------------------------------------------------------------------------------------------------------ */

void o_drain(struct world *w, struct ocore *c)
{
    if (c->buffer.n == 0 || c->draining)
        return;
    struct part *p = c->buffer.v[0];
    struct acc *a = o_arena(w, sizeof *a);
    *a = (struct acc){.kind = ACC_STORE, .origin = ORIGIN_CPU, .write = true, .line = p->pa >> LINE_SHIFT, .who = c};
    c->draining = true;
    o_l1_access(w, c, &c->l1d, a, true);
}

void o_store_done(struct world *w, struct ocore *c)
{
    c->draining = false;
    o_list_take(&c->buffer, 0);
    o_tick_at(w, c, w->cycle); /* room, and the next store goes in the drain phase */
}

/* --- serial core ------------------------------------------------------------------------------------------------------- */

static struct part *part_at(const struct entry *e, size_t i)
{
    if (i < e->fetch.n)
        return e->fetch.v[i];
    i -= e->fetch.n;
    return i < e->data.n ? e->data.v[i] : NULL;
}

/* Between two records. */
static bool at_record(const struct ocore *c)
{
    const struct part *p = c->cur ? part_at(c->cur, c->cur_part) : NULL;
    return !p || p->first;
}

void o_serial_dispatch(struct world *w, struct ocore *c)
{
    for (bool first = true;; first = false) {
        if (c->state != CORE_RUN)
            return;
        struct part *p = c->waiting;
        if (p) {
            if (!p->known || p->done > w->cycle)
                return;
            if (p->kind == PART_STORE && w->m->cpu.window > 1) {
                if (c->buffer.n >= w->m->cpu.store_buffer)
                    return; /* store_done ticks again */
                o_list_push(&c->buffer, p);
                o_tick_at(w, c, w->cycle + 1);
            }
            c->waiting = NULL;
            c->cur_part++;
        }
        if (first && c->daemon == DAEMON_DUE && at_record(c))
            c->daemon = DAEMON_DRAINS;
        if (c->daemon >= DAEMON_DRAINS) {
            if (c->daemon == DAEMON_DRAINS && c->buffer.n == 0)
                o_daemon_ask(w, c);
            return;
        }
        if (c->stall > w->cycle) {
            o_tick_at(w, c, c->stall);
            return;
        }
        if (c->cur && !part_at(c->cur, c->cur_part))
            c->cur = NULL;
        if (!c->cur) {
            if (c->count_cycle != w->cycle) {
                c->count_cycle = w->cycle;
                c->count = 0;
            }
            if (c->count == w->m->cpu.width && c->s && c->at < c->s->n) {
                /* The group is full; an end or a call is no instruction and is still seen. */
                const struct trace_rec *r = &c->s->rec[c->at];
                while (r && r->kind != TRACE_FETCH && !is_data(r->kind) && !is_call(w, r)) {
                    pass(c);
                    r = record(c);
                }
                if (r && !is_call(w, r)) {
                    o_tick_at(w, c, w->cycle + 1);
                    return;
                }
            }
            c->cur = o_next_instruction(w, c);
            c->cur_part = 0;
            if (!c->cur) {
                if (c->buffer.n == 0)
                    o_end_or_call(w, c);
                return;
            }
            c->count++;
        }
        p = part_at(c->cur, c->cur_part);
        c->waiting = p;
        o_count_record(c, p);
        o_part_begin(w, c, p);
    }
}

/* --- window core -------------------------------------------------------------------------------------------------------- */

static bool entry_done(const struct entry *e, cyc_t now)
{
    if (!e->issued || e->issue + 1 > now)
        return false;
    for (size_t i = 0; i < e->data.n; i++) {
        const struct part *p = e->data.v[i];
        if (!p->known || p->done > now)
            return false;
    }
    return true;
}

static bool entry_ready(const struct entry *e, cyc_t now)
{
    for (unsigned i = 0; i < 4; i++)
        if (e->producer[i] && !e->producer[i]->retired && !entry_done(e->producer[i], now))
            return false;
    return true;
}

static void issue(struct world *w, struct ocore *c, struct entry *e)
{
    e->issued = true;
    e->issue = w->cycle;
    o_tick_at(w, c, w->cycle + 1);
    for (size_t i = 0; i < e->data.n; i++)
        o_part_begin(w, c, e->data.v[i]);
}

static struct part *first_parked(const struct ocore *c, const struct entry *e)
{
    struct part *best = NULL;
    for (size_t i = 0; i < c->parked.n; i++) {
        struct part *p = c->parked.v[i];
        if (p->entry == e && (!best || p->number < best->number))
            best = p;
    }
    return best;
}

static void retire(struct world *w, struct ocore *c)
{
    for (uint32_t n = 0;; n++) {
        /* Before each retirement: is the oldest entry, or with an empty window the fetch, at a fault? */
        struct part *p = first_parked(c, c->window.n > 0 ? c->window.v[0] : c->cur);
        if (p && !c->handling)
            o_send_fault(w, c, p);
        if (n == w->m->cpu.width || c->window.n == 0)
            return;
        struct entry *e = c->window.v[0];
        size_t stores = 0;
        if (!entry_done(e, w->cycle))
            return;
        for (size_t i = 0; i < e->data.n; i++)
            stores += ((struct part *)e->data.v[i])->kind == PART_STORE;
        if (stores > 0 && c->buffer.n > 0 && c->buffer.n + stores > w->m->cpu.store_buffer)
            return;
        for (size_t i = 0; i < e->data.n; i++)
            if (((struct part *)e->data.v[i])->kind == PART_STORE)
                o_list_push(&c->buffer, e->data.v[i]);
        e->retired = true;
        o_list_take(&c->window, 0);
        o_tick_at(w, c, w->cycle + 1);
    }
}

static void find_producers(struct ocore *c, struct entry *e)
{
    for (unsigned r = 0; r < 4; r++)
        for (size_t i = c->window.n; e->rd[r] && !e->producer[r] && i-- > 0;) {
            struct entry *o = c->window.v[i];
            if (o->wr[0] == e->rd[r] || o->wr[1] == e->rd[r])
                e->producer[r] = o;
        }
}

static void window_dispatch(struct world *w, struct ocore *c)
{
    uint32_t n = 0;
    if (c->daemon == DAEMON_DUE && !c->cur)
        c->daemon = DAEMON_DRAINS;
    if (c->daemon >= DAEMON_DRAINS) {
        if (c->daemon == DAEMON_DRAINS && c->state == CORE_RUN && c->window.n == 0 && c->buffer.n == 0)
            o_daemon_ask(w, c);
        return;
    }
    if (c->stall > w->cycle && c->state == CORE_RUN) {
        o_tick_at(w, c, c->stall);
        return;
    }
    while (c->state == CORE_RUN && c->parked.n == 0) {
        if (!c->cur) {
            if (n == w->m->cpu.width || c->window.n >= w->m->cpu.window)
                return; /* an end or a call waits for an empty window anyway */
            const struct trace_rec *r;
            while ((r = record(c)) && r->kind != TRACE_FETCH && !is_data(r->kind) && !is_call(w, r))
                pass(c);
            if (!r || is_call(w, r)) {
                if (c->window.n == 0 && c->buffer.n == 0)
                    o_end_or_call(w, c);
                return;
            }
            c->cur = o_next_instruction(w, c);
            c->cur_part = 0;
        }
        struct entry *e = c->cur;
        if (c->waiting) {
            if (!c->waiting->known || c->waiting->done > w->cycle)
                return;
            c->waiting = NULL;
            c->cur_part++;
        }
        if (c->cur_part < e->fetch.n) {
            c->waiting = e->fetch.v[c->cur_part];
            o_count_record(c, c->waiting);
            o_part_begin(w, c, c->waiting);
            continue;
        }
        c->cur = NULL;
        n++;
        for (size_t i = 0; i < e->data.n; i++)
            o_count_record(c, e->data.v[i]);
        find_producers(c, e);
        o_list_push(&c->window, e);
        o_tick_at(w, c, w->cycle + 1);
        if (entry_ready(e, w->cycle))
            issue(w, c, e);
    }
}

void o_core_tick(struct world *w, struct ocore *c)
{
    if (c->ticked && c->last_tick == w->cycle)
        return;
    c->ticked = true;
    c->last_tick = w->cycle;
    if (c->state == CORE_PAUSE && c->resume <= w->cycle)
        c->state = CORE_RUN;
    if (c->state == CORE_DONE) {
        if (c->daemon == DAEMON_DUE)
            o_daemon_ask(w, c);
        return;
    }
    if (o_is_serial(w)) {
        o_drain(w, c);
        o_serial_dispatch(w, c);
        return;
    }
    retire(w, c);
    for (size_t i = 0; i < c->window.n; i++) {
        struct entry *e = c->window.v[i];
        if (!e->issued && entry_ready(e, w->cycle))
            issue(w, c, e);
    }
    o_drain(w, c);
    window_dispatch(w, c);
}
