/* The serial core: one part at a time (timing.md section 6). In-order cores, and every core with a window of one. */
#include "cpu/machine/machine_internal.h"
#include "cpu/supply.h"
#include "cpu/timed.h"

void serial_part_done(struct core *c, uint32_t p, cyc_t when)
{
    if (c->part[p].kind == PART_STORE && !c->window_one) {
        c->pending_store = p; /* translated; the dispatch phase puts it into the store buffer */
        return;
    }
    part_free(c, p);
    c->part_busy = false;
    c->resume = when;
}

/* One part of the present reference. False: the core waits. */
static bool step(struct core *c)
{
    uint64_t va = c->s_addr;
    c->s_addr = (va | (LINE_BYTES - 1)) + 1;
    uint32_t p = part_new(c, (enum part_kind)c->s_kind, 0, c->order++, (va_t){va});
    c->part_busy = true;
    if (translate(c, p))
        translated(c, p);
    if (c->pending_store != NIL)
        return true; /* the caller's loop sees to it */
    return !c->part_busy;
}

static bool place_store(struct core *c)
{
    if (c->sb_n >= c->sb_cap)
        return false;
    store_buffer_push(c, c->part[c->pending_store].pa.v >> LINE_SHIFT);
    part_free(c, c->pending_store);
    c->pending_store = NIL;
    c->part_busy = false;
    return true;
}

/* The next reference; false: nothing more in this cycle. */
static bool begin(struct core *c)
{
    static const uint8_t kind[] = {[TRACE_FETCH] = PART_FETCH, [TRACE_LOAD] = PART_LOAD, [TRACE_STORE] = PART_STORE,
                                   [TRACE_MODIFY] = PART_MODIFY};
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
        const struct trace_rec *r = c->rec;
        if (r->kind > TRACE_REF_MAX) {
            if (r->kind != TRACE_REGS && r->kind != TRACE_BRANCH)
                c->s_alone = true;
            if (!supply_other(c)) {
                c->draining = true;
                return false;
            }
            continue;
        }
        bool starts = r->kind == TRACE_FETCH || c->s_alone;
        if (c->slot_cycle != c->now) { /* an instruction that took time ends the group of its cycle */
            c->slot_cycle = c->now;
            c->slot = 0;
        }
        if (starts && c->slot == c->cfg->cpu.width) {
            c->resume = c->now + 1;
            return false;
        }
        c->slot += starts;
        if (r->kind == TRACE_FETCH)
            c->s_alone = false;
        c->rec++;
        va_t va;
        if (!supply_count(c, r, &va))
            continue;
        c->s_kind = kind[r->kind];
        c->s_addr = va.v;
        c->s_end = va.v + (r->size ? r->size : 1);
        return true;
    }
}

void serial_cycle(struct core *c)
{
    store_buffer_drain(c);
    if (c->pending_store != NIL && place_store(c))
        c->resume = c->now;
    if (unlikely(c->daemon_due) && c->s_addr >= c->s_end && !c->part_busy && c->resume <= c->now)
        c->draining = true;
    while (!c->part_busy && c->resume <= c->now && c->stall <= c->now && !c->draining) {
        if (c->s_addr < c->s_end) {
            if (!step(c) || (c->pending_store != NIL && !place_store(c)))
                break;
            continue;
        }
        if (!begin(c))
            break;
    }
    bool drained = c->draining && c->os == OS_IDLE && !c->sb_n && !c->part_busy;
    if (drained && c->stall <= c->now)
        supply_drained(c);
    cyc_t next = drained && c->stall > c->now ? c->stall : CYC_NEVER;
    if (c->sb_n && !c->sb_waiting)
        next = c->now + 1;
    if (!c->part_busy && !c->draining && !(c->ended && c->s_addr >= c->s_end && c->resume <= c->now)) {
        cyc_t t = c->resume > c->now ? c->resume : c->now + 1;
        if (unlikely(t < c->stall))
            t = c->stall;
        if (t < next)
            next = t;
    }
    c->next = next;
    if (!c->finished) {
        c->st.cycles = c->now;
        c->finished = c->ended && !c->part_busy && !c->sb_n && c->resume <= c->now && c->os == OS_IDLE;
    }
}
