/* The operating system as a core sees it: it asks, waits, performs the handler's stores, goes on (timing.md section 7). */
#include "cpu/machine/machine_internal.h"
#include "cpu/timed.h"

#include <assert.h>
#include <stdlib.h>

static void ask(struct core *c)
{
    c->os = OS_ASKED;
    c->os_sent = true;
    evq_add(memsys_queue(machine_memsys(c->machine)), timed_out(c), c->id, OS_EV_ASK, c->id, 0);
}

static void release(struct core *c)
{
    evq_add(memsys_queue(machine_memsys(c->machine)), timed_out(c), c->id, OS_EV_RELEASE, c->id, 0);
}

void os_ask_fault(struct core *c, va_t va, unsigned error)
{
    assert(c->os == OS_IDLE);
    c->os_is_call = false;
    c->os_va = va;
    c->os_error = error;
    ask(c);
}

void os_ask_call(struct core *c)
{
    assert(c->os == OS_IDLE);
    c->os_is_call = true;
    ask(c);
}

void park(struct core *c, uint32_t p)
{
    struct part *x = &c->part[p];
    plist_push(c, &c->parked_list, p);
    c->parked++;
    if (c->serial)
        os_ask_fault(c, x->va, x->error);
    else if (x->kind != PART_FETCH)
        c->rob[x->owner].n_faulted++;
}

/* Takes the parked parts of the page that was handled, in program order; the others stay, each to be handled when its
 * instruction is the oldest. */
static struct plist take_parked(struct core *c)
{
    struct plist all = c->parked_list, mine = {NIL, NIL};
    c->parked_list = (struct plist){NIL, NIL};
    while (all.head != NIL) {
        uint32_t p = plist_pop(c, &all), *link = &mine.head;
        struct part *x = &c->part[p];
        if (x->va.v >> PAGE_SHIFT != c->os_va.v >> PAGE_SHIFT) {
            plist_push(c, &c->parked_list, p);
            continue;
        }
        while (*link != NIL && c->part[*link].order < x->order)
            link = &c->part[*link].next;
        x->next = *link;
        *link = p;
        c->parked--;
        if (!c->serial && x->kind != PART_FETCH)
            c->rob[x->owner].n_faulted--;
    }
    return mine;
}

static void go_on(struct core *c)
{
    c->work.n = 0;
    c->os = OS_IDLE;
    release(c);
    if (c->os_is_call) {
        c->draining = false;
        return;
    }
    struct plist mine = take_parked(c);
    while (mine.head != NIL)
        ask_walk(c, plist_pop(c, &mine));
}

void os_answer(struct core *c)
{
    if (c->answer.result == FAULT_SEGV || c->answer.result == FAULT_OOM) { /* nothing is under way any more */
        c->os = OS_IDLE;
        release(c);
        return;
    }
    c->os = OS_COST;
    if (c->answer.handler_cycles)
        wheel_add(&c->wheel, c->now + c->answer.handler_cycles, HOP_OS_BEGIN, 0);
    else
        os_begin(c);
}

static void choose_ops(struct core *c)
{
    if (!c->work.n && !c->os_is_call) {
        c->ops = c->answer.ops;
        c->n_ops = c->answer.n;
        return;
    }
    for (uint32_t i = 0; i < c->answer.n && !c->os_is_call; i++) {
        const struct os_run *r = &c->answer.ops[i];
        os_list_add(&c->work, r->op.kind, r->op.pa, r->op.value, r->repeat);
    }
    c->ops = c->work.run;
    c->n_ops = c->work.n;
}

void os_begin(struct core *c)
{
    choose_ops(c);
    c->os = OS_OPS;
    c->op_i = c->op_rep = c->op_line = c->ops_out = 0;
    c->op_hop = false;
    os_issue(c);
}

static bool ops_left(const struct core *c) { return c->op_i < c->n_ops; }

/* Accesses of one repetition. A copy is a read and a store of each line in turn. */
static uint32_t accesses(enum os_op_kind kind)
{
    return kind == OS_CLEAR_PAGE ? PAGE_BYTES / LINE_BYTES : kind == OS_COPY_PAGE ? 2 * (PAGE_BYTES / LINE_BYTES) : 1;
}

/* Moves to the next access. */
static void advance(struct core *c)
{
    if (++c->op_line < accesses(c->ops[c->op_i].op.kind))
        return;
    c->op_line = 0;
    if (++c->op_rep < c->ops[c->op_i].repeat)
        return;
    c->op_rep = 0;
    c->op_i++;
}

static void performed(struct core *c, uint32_t p)
{
    const struct os_op *op = &c->ops[c->part[p].owner].op;
    if (op->kind == OS_STORE_PTE)
        *(uint64_t *)phys_at(c->mem, c->part[p].pa) = op->value;
    part_free(c, p);
}

/* The next access; false if it is under way. */
static bool issue_one(struct core *c)
{
    const struct os_op *op = &c->ops[c->op_i].op;
    bool copy = op->kind == OS_COPY_PAGE, read = copy && c->op_line % 2 == 0;
    uint64_t step = copy || op->kind == OS_CLEAR_PAGE ? PAGE_BYTES : 8, base = copy && !read ? op->value : op->pa.v;
    uint32_t p = part_new(c, read ? PART_OS_READ : PART_OS, c->op_i, 0, (va_t){0});
    c->part[p].pa.v = base + step * c->op_rep + (uint64_t)(copy ? c->op_line / 2 : c->op_line) * LINE_BYTES;
    advance(c);
    if (l1_access(c, p, true)) {
        performed(c, p);
        return true;
    }
    c->ops_out++;
    return false;
}

/* At a wait: it begins when nothing is under way any more. */
static bool wait_op(struct core *c)
{
    const struct os_run *r = &c->ops[c->op_i];
    if (r->op.kind != OS_WAIT)
        return false;
    if (!c->ops_out) {
        c->op_i++;
        c->op_hop = true;
        wheel_add(&c->wheel, c->now + r->op.value, HOP_OS_ISSUE, 0);
    }
    return true;
}

void os_issue(struct core *c)
{
    c->op_hop = false;
    if (ops_left(c) && wait_op(c))
        return;
    if (c->window_one) { /* one after the other, hits in one cycle */
        while (ops_left(c))
            if (wait_op(c) || !issue_one(c))
                return;
    } else if (ops_left(c)) {
        if (c->ops_out >= c->cfg->cache.l1d.mshrs)
            return; /* the next completion goes on */
        issue_one(c);
        if (ops_left(c)) {
            c->op_hop = true;
            wheel_add(&c->wheel, c->now + 1, HOP_OS_ISSUE, 0);
            return;
        }
    }
    if (!c->ops_out)
        go_on(c);
}

void os_served(struct core *c, uint32_t p)
{
    performed(c, p);
    c->ops_out--;
    if (ops_left(c)) {
        if (!c->op_hop)
            os_issue(c);
    } else if (!c->ops_out) {
        go_on(c);
    }
}
