/* Section 7: faults, the operating system's lock, address-space calls, ends of threads and processes. */
#include "oracle_priv.h"

#include <string.h>

void o_send_fault(struct world *w, struct ocore *c, struct part *p)
{
    struct os_req *q = o_arena(w, sizeof *q);
    *q = (struct os_req){.core = c, .fault = true, .va = {p->va}, .error_code = p->error_code};
    c->handling = true;
    c->fault_va = p->va;
    o_send_shared(w, c, EV_FAULT, 0, 0, q);
}

void o_end_or_call(struct world *w, struct ocore *c)
{
    if (!o_at_call(w, c)) {
        c->state = CORE_DONE;
        c->finish = w->cycle;
        return;
    }
    struct os_req *q = o_arena(w, sizeof *q);
    *q = (struct os_req){.core = c};
    c->state = CORE_CALL;
    o_send_shared(w, c, EV_SYSCALL, 0, 0, q);
}

/* --- the lock ---------------------------------------------------------------------------------------------------------- */

static void decide(struct world *w)
{
    while (!w->lock && w->os_fifo.n > 0) {
        struct os_req *q = o_list_take(&w->os_fifo, 0);
        if (q->core->state == CORE_DONE) /* killed while it waited */
            continue;
        w->lock = true;
        if (!q->fault) {
            o_global_action(w, EV_CALL, w->now, q->core->k, q);
            return;
        }
        struct fault_answer *a = o_arena(w, sizeof *a);
        frames_on_cpu(w->frames, q->core->k);
        vm_fault(w->vm, q->core->asid, q->va, q->error_code, a);
        if (a->result == FAULT_SEGV || a->result == FAULT_OOM)
            o_global_action(w, EV_KILL, w->now, q->core->k, NULL);
        else
            o_send_core(w, q->core->k, EV_ANSWER, w->now, 0, 0, a);
    }
}

void o_os_arrival(struct world *w, const struct event *e)
{
    if (e->kind == EV_RELEASE) {
        if (!w->lock)
            o_broken(w, "core %u released a lock that nobody holds", e->core);
        w->lock = false;
    } else {
        o_list_push(&w->os_fifo, e->p);
    }
    decide(w);
}

/* --- operations of an answer -------------------------------------------------------------------------------------------- */

void o_os_answer(struct world *w, struct ocore *c, struct fault_answer *a)
{
    c->answer = a;
    c->op = c->repeat = c->op_line = c->outstanding = 0;
    c->next_hop = false;
    if (a->handler_cycles > 0)
        o_hop(c, w, a->handler_cycles, EV_OS_BEGIN, NULL);
    else
        o_os_pump(w, c);
}

/* The next line store of the answer; false if there is none. */
static bool next_store(struct ocore *c, struct acc *acc)
{
    struct fault_answer *a = c->answer;
    if (c->op >= a->n)
        return false;
    const struct os_op *op = &a->ops[c->op].op;
    if (op->kind == OS_CLEAR_PAGE) {
        acc->os_pa = op->pa.v + (uint64_t)c->repeat * PAGE_BYTES + (uint64_t)c->op_line * LINE_BYTES;
        if (++c->op_line == PAGE_BYTES / LINE_BYTES) {
            c->op_line = 0;
            c->repeat++;
        }
    } else {
        acc->os_pa = op->pa.v + (uint64_t)c->repeat * PTE_BYTES;
        acc->os_value = op->value;
        acc->os_pte = true;
        c->repeat++;
    }
    if (c->repeat == a->ops[c->op].repeat) {
        c->repeat = 0;
        c->op++;
    }
    acc->line = acc->os_pa >> LINE_SHIFT;
    return true;
}

static void finish_fault(struct world *w, struct ocore *c)
{
    c->answer = NULL;
    c->handling = false;
    o_send_shared(w, c, EV_RELEASE, 0, 0, NULL);
    for (;;) { /* those of the page, in program order; the others stay parked */
        size_t first = c->parked.n;
        for (size_t i = 0; i < c->parked.n; i++) {
            const struct part *p = c->parked.v[i];
            if (p->va >> PAGE_SHIFT == c->fault_va >> PAGE_SHIFT &&
                (first == c->parked.n || p->number < ((struct part *)c->parked.v[first])->number))
                first = i;
        }
        if (first == c->parked.n)
            break;
        struct part *p = o_list_take(&c->parked, first);
        p->parked = false;
        o_ask_walk(w, c, p);
    }
    o_tick_at(w, c, w->cycle);
}

void o_os_pump(struct world *w, struct ocore *c)
{
    bool chained = w->m->cpu.window == 1;
    uint32_t overlap = chained ? 1 : w->m->cache.l1d.mshrs;
    c->in_pump = true;
    while (c->op < c->answer->n && c->outstanding < overlap) {
        struct acc *a = o_arena(w, sizeof *a);
        *a = (struct acc){.kind = ACC_OS, .origin = ORIGIN_OS, .write = true};
        next_store(c, a);
        c->outstanding++;
        o_l1_access(w, c, &c->l1d, a, true);
        if (!chained && c->op < c->answer->n) { /* one a cycle: the hop issues the next, or finds no room for it */
            c->next_hop = true;
            o_hop(c, w, 1, EV_OS_NEXT, NULL);
            break;
        }
    }
    c->in_pump = false;
    if (c->op >= c->answer->n && c->outstanding == 0)
        finish_fault(w, c);
}

void o_os_store_done(struct world *w, struct ocore *c, struct acc *a)
{
    if (a->os_pte)
        memcpy(phys_at(&w->mem, (pa_t){a->os_pa}), &a->os_value, 8);
    c->outstanding--;
    if (!c->in_pump && !c->next_hop)
        o_os_pump(w, c);
}

/* --- global actions ------------------------------------------------------------------------------------------------------ */

/* Paging-structure entries of the address space, in every core; its walks begin again at the root. */
static void restart_walks(struct world *w, uint32_t asid)
{
    for (uint32_t k = 0; k < w->n; k++) {
        struct ocore *c = &w->core[k];
        opsc_drop(&c->pwc, asid);
        for (size_t i = 0; i < c->running.n && c->asid == asid; i++)
            ((struct owalk *)c->running.v[i])->restart = true;
    }
}

static void drop_page(void *self, uint32_t asid, va_t va, enum page_size size, pa_t entry_pa)
{
    struct world *w = self;
    (void)entry_pa;
    for (uint32_t k = 0; k < w->n; k++) {
        otlb_drop_range(&w->core[k].itlb, asid, va.v, page_size_bytes(size));
        otlb_drop_range(&w->core[k].dtlb, asid, va.v, page_size_bytes(size));
        otlb_drop_range(&w->core[k].stlb, asid, va.v, page_size_bytes(size));
    }
}

static void drop_all(struct world *w, uint32_t asid)
{
    for (uint32_t k = 0; k < w->n; k++) {
        otlb_drop(&w->core[k].itlb, asid);
        otlb_drop(&w->core[k].dtlb, asid);
        otlb_drop(&w->core[k].stlb, asid);
    }
    restart_walks(w, asid);
}

static void kill_parts(struct list *l)
{
    for (size_t i = 0; i < l->n; i++)
        ((struct part *)l->v[i])->dead = true;
}

static void kill_walks(struct list *l)
{
    for (size_t i = 0; i < l->n; i++) {
        struct owalk *k = l->v[i];
        k->dead = true;
        kill_parts(&k->parts);
    }
    l->n = 0;
}

static void kill_level1(struct level1 *l1)
{
    l1->fifo.n = 0;
    for (uint32_t i = 0; i < l1->mshrs; i++)
        for (size_t j = 0; l1->mshr[i].busy && j < l1->mshr[i].accs.n; j++)
            ((struct acc *)l1->mshr[i].accs.v[j])->dead = true;
}

/* Whatever the core was doing is over; lines on their way still arrive. */
static void kill_core(struct world *w, struct ocore *c)
{
    if (c->state == CORE_DONE)
        return;
    c->state = CORE_DONE;
    c->finish = w->cycle;
    for (size_t i = 0; i < c->window.n; i++)
        kill_parts(&((struct entry *)c->window.v[i])->data);
    if (c->cur) {
        kill_parts(&c->cur->fetch);
        kill_parts(&c->cur->data);
    }
    kill_walks(&c->running);
    kill_walks(&c->queued);
    c->window.n = c->buffer.n = c->parked.n = 0;
    c->cur = NULL;
    c->waiting = NULL;
    kill_level1(&c->l1i);
    kill_level1(&c->l1d);
}

static void kill_process(struct world *w, uint32_t process)
{
    for (uint32_t k = 0; k < w->n; k++)
        if (w->core[k].s && w->core[k].process == process)
            kill_core(w, &w->core[k]);
}

static void perform_call(struct world *w, struct ocore *c, const struct trace_rec *r)
{
    const union trace_slot *slot = (const union trace_slot *)(r + 1);
    uint64_t word[14] = {0};
    for (unsigned i = 0; i < r->slots && i < 7; i++)
        memcpy(&word[2 * i], &slot[i], 16);
    const struct vm_shootdown sd = {.self = w, .page = drop_page};
    frames_on_cpu(w->frames, c->k);
    if (r->kind == TRACE_MMAP)
        vm_mmap(w->vm, c->asid, (va_t){word[5]}, word[0], (unsigned)word[1], 0, &sd);
    else if (r->kind == TRACE_MUNMAP)
        vm_munmap(w->vm, c->asid, (va_t){r->addr}, word[0], &sd);
    else if (r->kind == TRACE_BRK)
        vm_brk(w->vm, c->asid, word[0], &sd);
}

void o_os_action(struct world *w, const struct event *e)
{
    struct ocore *c = &w->core[e->core];
    const struct trace_rec *r = e->kind == EV_CALL ? &c->s->rec[c->at] : NULL;
    if (!r || r->kind == TRACE_EXIT) {
        kill_process(w, c->process);
        drop_all(w, c->asid);
        frames_on_cpu(w->frames, c->k);
        (r ? vm_exit : vm_kill)(w->vm, c->asid);
    } else {
        if (!(r->flags & TRACE_F_FAILED)) { /* a failed call costs its time and changes nothing */
            perform_call(w, c, r);
            restart_walks(w, c->asid);
        }
        c->at += 1u + r->slots;
        c->state = CORE_PAUSE;
        c->resume = w->cycle + w->m->vm.syscall_cycles;
        o_tick_at(w, c, c->resume);
    }
    o_send_shared(w, c, EV_RELEASE, 0, 0, NULL);
}
