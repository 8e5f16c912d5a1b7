/* The end of a process while a core has references of it under way (timing.md section 7). */
#include "cpu/machine/machine_internal.h"
#include "cpu/timed.h"

#include <string.h>

void dead_served(struct core *c, uint32_t p)
{
    if (c->part[p].kind == PART_WALK_READ || c->part[p].kind == PART_WALK_WRITE)
        walk_dead_served(c, p);
    part_free(c, p);
}

static void free_list(struct core *c, struct plist *l)
{
    while (l->head != NIL)
        part_free(c, plist_pop(c, l));
}

/* Parts that wait in an MSHR or for a hop stay, marked dead, until it comes; all others go at once. */
static void drop_parts(struct core *c)
{
    for (int i = 0; i < 2; i++)
        while (c->l1_fifo[i].head != NIL) {
            uint32_t p = plist_pop(c, &c->l1_fifo[i]);
            c->part[p].dead = true;
            dead_served(c, p);
        }
    for (uint64_t s = c->head_seq; s != c->tail_seq; s++) {
        struct rob_rest *e = &c->rob_rest[s & c->rob_mask];
        if (!c->rob[s & c->rob_mask].rest)
            continue;
        free_list(c, &e->wait);
        for (uint32_t p = e->stores.head, next; p != NIL; p = next) {
            next = c->part[p].sibling;
            if (c->part[p].ready)
                part_free(c, p);
        }
    }
    for (uint32_t w = 0; w < c->walk_n; w++)
        if (c->walk[w].live)
            free_list(c, &c->walk[w].parts);
    free_list(c, &c->parked_list);
    c->parked = 0;
    if (c->pending_store != NIL)
        part_free(c, c->pending_store);
    for (uint32_t p = 0; p < c->part_n; p++)
        c->part[p].dead = c->part[p].live;
}

/* A question to the operating system that nobody will want the answer of. */
static void drop_question(struct core *c)
{
    struct machine *m = c->machine;
    if (c->daemon_asked && c->os_sent) { /* kcompactd has not ended: it asks again */
        c->daemon_asked = false;
        c->daemon_due = true;
    }
    if (!c->os_sent) {
        if (c->os_is_call) /* a call has been made, only its time was not over: the hop is void by its epoch */
            c->os = OS_IDLE;
        return;
    }
    c->os_sent = false;
    for (unsigned i = 0; i < m->os_n; i++)
        if (m->os_queue[(m->os_head + i) % m->cores] == c->id) {
            for (; i + 1 < m->os_n; i++)
                m->os_queue[(m->os_head + i) % m->cores] = m->os_queue[(m->os_head + i + 1) % m->cores];
            m->os_n--;
            c->os = OS_IDLE;
            return;
        }
    c->os_ignore++;
    c->os = OS_IDLE;
}

void core_drop_all(struct core *c, cyc_t when)
{
    drop_parts(c);
    walks_drop(c);
    if (c->os != OS_IDLE)
        drop_question(c);
    c->draining = false;
    c->head_seq = c->tail_seq;
    c->dep_n = 0;
    c->dep_free = NIL;
    memset(c->writer, 0, sizeof c->writer);
    c->n_woken = 0;
    c->epoch++;
    c->sb_n = 0;
    c->sb_waiting = c->fe_waiting = c->fe_busy = c->part_busy = false;
    c->pending_store = NIL;
    c->s_addr = c->s_end;
    c->resume = when;
    if (when < c->next)
        c->next = when;
}
