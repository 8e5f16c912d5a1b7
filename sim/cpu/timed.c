/* A core's cycle: messages, hops, then what its model does. */
#include "cpu/timed.h"

#include "cpu/machine/machine_internal.h"
#include "cpu/priv.h"
#include "engine/grow.h"

#include <assert.h>
#include <stdlib.h>

tick_t timed_out(const struct core *c)
{
    return (c->now + c->cfg->bus.request_latency_cycles) * c->machine->period;
}

/* ---- parts ---- */

uint32_t part_new(struct core *c, enum part_kind kind, uint32_t owner, uint64_t order, va_t va)
{
    uint32_t p = c->part_free;
    if (p != NIL) {
        c->part_free = c->part[p].next;
    } else {
        if (c->part_n == c->part_cap)
            c->part = grow_array(c->part, &c->part_cap, 128, sizeof *c->part);
        p = c->part_n++;
    }
    c->part[p] = (struct part){.live = true, .kind = (uint8_t)kind, .owner = owner, .order = order, .va = va, .next = NIL};
    return p;
}

void part_free(struct core *c, uint32_t p)
{
    c->part[p].live = false;
    c->part[p].next = c->part_free;
    c->part_free = p;
}

void plist_push(struct core *c, struct plist *l, uint32_t p)
{
    c->part[p].next = NIL;
    if (l->head == NIL)
        l->head = p;
    else
        c->part[l->tail].next = p;
    l->tail = p;
}

uint32_t plist_pop(struct core *c, struct plist *l)
{
    uint32_t p = l->head;
    l->head = c->part[p].next;
    return p;
}

unsigned part_access(const struct part *p)
{
    return p->kind == PART_FETCH  ? ACCESS_USER | ACCESS_FETCH
           : p->kind == PART_LOAD ? (unsigned)ACCESS_USER
                                  : ACCESS_USER | ACCESS_WRITE;
}

void part_done(struct core *c, uint32_t p, cyc_t when)
{
    if (c->serial)
        serial_part_done(c, p, when);
    else
        window_part_done(c, p, when);
}

void translated(struct core *c, uint32_t p)
{
    if (c->part[p].kind == PART_STORE && !c->window_one)
        part_done(c, p, c->now);
    else if (l1_access(c, p, true))
        part_served(c, p);
}

void part_served(struct core *c, uint32_t p)
{
    if (unlikely(c->part[p].dead)) {
        dead_served(c, p);
        return;
    }
    switch ((enum part_kind)c->part[p].kind) {
    case PART_FETCH:
    case PART_STORE:
        part_done(c, p, c->now);
        break;
    case PART_LOAD:
    case PART_MODIFY:
        part_done(c, p, c->now + c->l1d_lat);
        break;
    case PART_DRAIN:
        c->sb_head = (c->sb_head + 1) & (c->sb_ring - 1);
        c->sb_n--;
        c->sb_waiting = false;
        part_free(c, p);
        break;
    case PART_WALK_READ:
    case PART_WALK_WRITE:
        walk_served(c, p);
        break;
    case PART_OS:
    case PART_OS_READ:
        os_served(c, p);
        break;
    }
}


/* ---- messages and hops ---- */

static void message(struct core *c, const struct msg *m)
{
    switch (m->kind) {
    case MSG_GRANT:
        req_put(memsys_requests(machine_memsys(c->machine)), MSG_REQ(m->b));
        on_grant(c, m->a, MSG_STATE(m->b));
        break;
    case MSG_INV:
    case MSG_DOWN: {
        unsigned r = priv_snoop(c, m->a, m->kind == MSG_INV);
        memsys_ack(machine_memsys(c->machine), c->id, m->a, r & 1, r >> 1 & 1, timed_out(c));
        break;
    }
    case MSG_OS_ANSWER:
        os_answer(c);
        break;
    default:
        assert(0 && "unknown message");
    }
}

static void hop(struct core *c, uint32_t kind, uint32_t arg)
{
    switch ((enum hop_kind)kind) {
    case HOP_L2:
        l2_hop(c, arg);
        break;
    case HOP_STLB:
        stlb_hop(c, arg);
        break;
    case HOP_WALK_READ:
        walk_read(c, arg);
        break;
    case HOP_WALK_GO:
        walk_go(c, arg);
        break;
    case HOP_WOKEN:
        if (arg >> 16 == (c->epoch & 0xffff))
            entry_woken(c, arg & 0xffff);
        break;
    case HOP_OS_ANSWER:
        os_answer(c);
        break;
    case HOP_OS_BEGIN:
        os_begin(c);
        break;
    case HOP_OS_ISSUE:
        os_issue(c);
        break;
    case HOP_RESUME:
        if (arg == c->epoch) {
            c->draining = false;
            c->os = OS_IDLE;
        }
        break;
    }
}

cyc_t timed_next(struct core *c) { return c->next; }

void timed_run(struct core *c, cyc_t limit)
{
    while (c->next < limit) {
        c->now = c->next;
        wheel_advance(&c->wheel, c->now);
        while (inbox_next(&c->inbox) <= c->now) {
            struct msg m = inbox_take(&c->inbox);
            message(c, &m);
        }
        uint32_t kind, arg;
        while (wheel_take(&c->wheel, &kind, &arg))
            hop(c, kind, arg);
        c->next = CYC_NEVER;
        if (c->serial)
            serial_cycle(c);
        else
            window_cycle(c);
        cyc_t w = wheel_next(&c->wheel), i = inbox_next(&c->inbox);
        if (w < c->next)
            c->next = w;
        if (i < c->next)
            c->next = i;
        if (unlikely(c->st.references >= c->mark_at)) {
            machine_mark(c->machine, c);
            limit = c->now + 1;
        }
    }
    if (!c->serial)
        window_count_hot(c);
}
