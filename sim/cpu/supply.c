#include "cpu/supply.h"

#include "cpu/linear.h"
#include "cpu/machine/machine_internal.h"
#include "cpu/timed.h"

enum supply supply_peek(struct core *c)
{
    if (c->st.references >= c->stop_at)
        c->ended = true;
    if (c->rec != c->rec_end && !c->ended)
        return SUPPLY_RECORD;
    while (!c->ended && !c->has_held) {
        struct trace_batch b;
        if (!c->source.next || c->source.next(c->source.self, &b) <= 0) {
            c->ended = true;
            break;
        }
        if (b.n == 0)
            continue;
        if (c->has_thread && (b.thread != c->thread || b.process != c->process)) {
            c->held = b;
            c->has_held = true;
            break;
        }
        core_take_batch(c, &b);
        if (!c->has_thread) {
            c->has_thread = true;
            c->thread = b.thread;
            core_bind_process(c, b.process);
        }
        return SUPPLY_RECORD;
    }
    if (c->has_held)
        return SUPPLY_DRAIN;
    return SUPPLY_END;
}

bool supply_other(struct core *c)
{
    const struct trace_rec *r = c->rec;
    if (is_call(r) && c->mmu_on && !c->process_dead)
        return false;
    if (!c->process_dead)
        core_note(c, r);
    c->rec += 1 + r->slots;
    return true;
}

void supply_drained(struct core *c)
{
    if (c->os != OS_IDLE)
        return;
    if (unlikely(c->daemon_due)) {
        c->daemon_due = false;
        c->daemon_asked = true;
        os_ask_call(c);
        return;
    }
    if (c->has_held && c->rec == c->rec_end) {
        /* A process that nobody has seen gets its tables from the operating system; else the change is the core's own. */
        if (c->mmu_on && (c->held.process >= c->machine->n_process ||
                          (c->machine->process[c->held.process].asid == VM_ASID_NONE &&
                           !c->machine->process[c->held.process].dead))) {
            c->call = NULL;
            os_ask_call(c);
            return;
        }
        core_take_batch(c, &c->held);
        c->thread = c->held.thread;
        c->has_held = false;
        c->st.switches++;
        core_bind_process(c, c->held.process);
        c->os = OS_ASKED; /* busy until HOP_RESUME */
        c->os_is_call = true;
        wheel_add(&c->wheel, c->now + (c->cfg->cpu.switch_cycles ? c->cfg->cpu.switch_cycles : 1), HOP_RESUME, c->epoch);
        return;
    }
    c->call = c->rec;
    c->rec += 1 + c->rec->slots;
    os_ask_call(c);
}

bool supply_count(struct core *c, const struct trace_rec *r, va_t *va)
{
    if (unlikely(c->process_dead)) {
        c->st.dropped++;
        return false;
    }
    c->st.references++;
    c->st.instructions += r->kind == TRACE_FETCH;
    c->st.fetches += r->kind == TRACE_FETCH;
    c->st.loads += r->kind == TRACE_LOAD;
    c->st.stores += r->kind == TRACE_STORE;
    c->st.modifies += r->kind == TRACE_MODIFY;
    return core_linear(c, r, va);
}

void supply_drop(struct core *c)
{
    while (c->process_dead && supply_peek(c) == SUPPLY_RECORD) {
        const struct trace_rec *r = c->rec;
        if (r->kind <= TRACE_REF_MAX) {
            va_t va;
            supply_count(c, r, &va);
            c->rec += 1 + r->slots;
        } else {
            supply_other(c);
        }
    }
}
