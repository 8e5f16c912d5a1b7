/* Section 7: faults, the operating system's lock, address-space calls, ends of threads and processes. */
#include "oracle_priv.h"

#include <stdlib.h>
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
        if (q->dead || (!q->daemon && (q->core->state == CORE_DONE || q->core->dead))) /* killed while it waited */
            continue;
        w->lock = true;
        if (!q->fault) {
            o_global_action(w, EV_CALL, w->now, q->core->k, q);
            return;
        }
        if (w->compaction) { /* it may change what other cores use */
            o_global_action(w, EV_DECIDE, w->now, q->core->k, q);
            return;
        }
        struct fault_answer *a = o_arena(w, sizeof *a);
        frames_on_cpu(w->frames, q->core->k);
        vm_fault(w->vm, q->core->asid, q->va, q->error_code, a);
        if (a->result == FAULT_SEGV || a->result == FAULT_OOM)
            o_global_action(w, EV_KILL, w->now, q->core->k, NULL);
        if (a->replaces || a->result == FAULT_SPLIT)
            o_global_action(w, EV_REMAP, w->now, q->core->k, a);
        if (a->result != FAULT_SEGV && a->result != FAULT_OOM)
            o_send_core(w, q->core->k, EV_ANSWER, w->now, 0, 0, a);
    }
}

void o_os_arrival(struct world *w, const struct event *e)
{
    if (e->kind == EV_RELEASE) {
        if (!w->lock)
            o_broken(w, "core %u released a lock that nobody holds", e->core);
        w->lock = false;
        if (w->daemon_releases)
            o_global_action(w, EV_DAEMON_END, w->now, e->core, NULL);
        w->daemon_releases = false;
    } else {
        o_list_push(&w->os_fifo, e->p);
    }
    decide(w);
}

/* --- operations of an answer -------------------------------------------------------------------------------------------- */

void o_step(struct steps *s, enum step_kind kind, uint64_t pa, uint64_t value)
{
    if (s->n == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 1024;
        s->v = realloc(s->v, s->cap * sizeof *s->v);
        if (!s->v)
            abort();
    }
    s->v[s->n++] = (struct step){.kind = kind, .pa = pa, .value = value};
}

/* Before them stand the steps of a compaction, if there was one. */
void o_os_answer(struct world *w, struct ocore *c, struct fault_answer *a)
{
    for (uint32_t i = 0; i < a->n; i++)
        for (uint64_t r = 0; r < a->ops[i].repeat; r++) {
            const struct os_op *op = &a->ops[i].op;
            if (op->kind == OS_CLEAR_PAGE)
                for (uint64_t line = 0; line < PAGE_BYTES / LINE_BYTES; line++)
                    o_step(&c->steps, STEP_WRITE, op->pa.v + r * PAGE_BYTES + line * LINE_BYTES, 0);
            else if (op->kind == OS_COPY_PAGE) /* each line read, then stored */
                for (uint64_t line = 0; line < 2 * PAGE_BYTES / LINE_BYTES; line++)
                    o_step(&c->steps, line % 2 ? STEP_WRITE : STEP_READ,
                           (line % 2 ? op->value : op->pa.v) + r * PAGE_BYTES + line / 2 * LINE_BYTES, 0);
            else
                o_step(&c->steps, STEP_ENTRY, op->pa.v + r * PTE_BYTES, op->value);
        }
    c->outstanding = 0;
    c->next_hop = false;
    if (a->handler_cycles > 0)
        o_hop(c, w, a->handler_cycles, EV_OS_BEGIN, NULL);
    else
        o_os_pump(w, c);
}

static void finish_fault(struct world *w, struct ocore *c)
{
    if (c->daemon == DAEMON_RUNS) {
        o_daemon_done(w, c);
        return;
    }
    c->steps.n = c->steps.at = 0;
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
    while (c->steps.at < c->steps.n && c->outstanding < overlap) {
        const struct step *s = &c->steps.v[c->steps.at];
        if (s->kind == STEP_WAIT) { /* when all before it is done */
            if (c->outstanding > 0)
                break;
            c->steps.at++;
            c->next_hop = true;
            o_hop(c, w, s->value, EV_OS_NEXT, NULL);
            break;
        }
        struct acc *a = o_arena(w, sizeof *a);
        *a = (struct acc){.kind = ACC_OS, .origin = ORIGIN_OS, .write = s->kind != STEP_READ, .line = s->pa >> LINE_SHIFT,
                          .os_pa = s->pa, .os_value = s->value, .os_pte = s->kind == STEP_ENTRY};
        c->steps.at++;
        c->outstanding++;
        o_l1_access(w, c, &c->l1d, a, true);
        if (!chained && c->steps.at < c->steps.n) { /* one a cycle: the hop issues the next, or finds no room for it */
            c->next_hop = true;
            o_hop(c, w, 1, EV_OS_NEXT, NULL);
            break;
        }
    }
    c->in_pump = false;
    if (c->steps.at >= c->steps.n && c->outstanding == 0 && !c->next_hop)
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

void o_drop_all(struct world *w, uint32_t asid)
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
    o_daemon_killed(w, c);
    if (c->state == CORE_DONE)
        return;
    c->state = CORE_DONE;
    c->finish = w->cycle;
    if (c->daemon != DAEMON_NONE) { /* it ends when kcompactd has been here */
        c->state = CORE_RUN;
        c->dead = true;
        c->at = c->s->n;
        c->handling = false;
        o_tick_at(w, c, w->cycle);
    }
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
    else if (r->kind == TRACE_FORK) { /* a child that never runs: what the parent writes from now on is copied */
        vm_fork(w->vm, c->asid);
        o_drop_all(w, c->asid);
    }
}

/* The entry of the page that is to be copied goes, or the large page around it is split; every core forgets. */
static void remap(struct world *w, struct ocore *c, const struct fault_answer *a)
{
    const struct vm_shootdown sd = {.self = w, .page = drop_page};
    frames_on_cpu(w->frames, c->k);
    if (a->result == FAULT_SPLIT) {
        vm_split_page(w->vm, c->asid, (va_t){c->fault_va}, &sd);
        for (uint32_t k = 0; k < w->n; k++)
            restart_walks(w, w->core[k].asid);
    } else if (a->replaces) {
        vm_clear_entry(w->vm, c->asid, (va_t){c->fault_va});
        drop_page(w, c->asid, (va_t){c->fault_va & ~(uint64_t)(PAGE_BYTES - 1)}, PAGE_SIZE_4K, (pa_t){0});
        restart_walks(w, c->asid);
    }
}

/* A fault that is decided by a global action: the answer is there in the action's cycle, as a hop. */
static bool decide_now(struct world *w, struct ocore *c, const struct os_req *q)
{
    struct fault_answer *a = o_arena(w, sizeof *a);
    frames_on_cpu(w->frames, c->k);
    vm_fault(w->vm, c->asid, q->va, q->error_code, a);
    if (a->result == FAULT_SEGV || a->result == FAULT_OOM) {
        o_compact_discard(w);
        return false;
    }
    remap(w, c, a);
    o_compact_pay(w, c);
    o_hop(c, w, 0, EV_OS_ANSWER, a);
    return true;
}

void o_os_action(struct world *w, const struct event *e)
{
    struct ocore *c = &w->core[e->core];
    if (e->kind == EV_DAEMON_TIMER || e->kind == EV_DAEMON_END) {
        (e->kind == EV_DAEMON_TIMER ? o_daemon_timer : o_daemon_end)(w);
        return;
    }
    if (e->kind == EV_CALL && ((const struct os_req *)e->p)->daemon) {
        o_daemon_run(w, c);
        return;
    }
    if (e->kind == EV_DECIDE) {
        bool answered = decide_now(w, c, e->p);
        o_daemon_look(w);
        if (answered)
            return;
    }
    if (e->kind == EV_REMAP) {
        remap(w, c, e->p);
        return;
    }
    const struct trace_rec *r = e->kind == EV_CALL ? &c->s->rec[c->at] : NULL;
    if (!r || r->kind == TRACE_EXIT) {
        kill_process(w, c->process);
        o_drop_all(w, c->asid);
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
    if (e->kind == EV_CALL)
        o_daemon_look(w);
    o_send_shared(w, c, EV_RELEASE, 0, 0, NULL);
}
