/*
 * The state of a machine at the end of a warm-up without time: nothing is under way, no cycle has passed. What the timed
 * machine adds (wheels, inboxes, MSHRs, windows, DRAM) is as it was built and is not saved. docs/checkpoints.md
 */
#include "cpu/machine/machine_internal.h"
#include "engine/state.h"

#include <stdlib.h>

static void segments_state(struct seg_state *s, struct state_io *io)
{
    state_u8(io, &s->mode);
    state_same(io, s->va_bits, "width of addresses");
    state_bool(io, &s->a20_masked);
    state_check(io, s->mode <= SEG_MODE_REAL, "a segmentation mode does not exist");
    for (unsigned i = 0; i < SEG_COUNT; i++) {
        struct seg_reg *r = &s->reg[i];
        state_u64(io, &r->base);
        state_u32(io, &r->limit);
        state_u16(io, &r->selector);
        state_u16(io, &r->attributes);
        state_bool(io, &r->valid);
    }
}

/* Loading: takes the batch again in which the core was, `left` elements before its end. */
static void supply_state(struct core *c, struct state_io *io)
{
    uint64_t left = (uint64_t)(c->rec_end - c->rec);
    uint32_t process = c->process, thread = c->thread;
    state_bool(io, &c->has_thread);
    state_bool(io, &c->ended);
    state_u32(io, &process);
    state_u32(io, &thread);
    state_u64(io, &left);
    if (!io->loading || !c->has_thread || state_bad(io))
        return;
    struct trace_batch b = {0};
    if (left && (!c->source.next || c->source.next(c->source.self, &b) <= 0)) {
        state_fail(io, "the trace has no records where the warm-up ended");
        return;
    }
    if (left > b.n || (left && (b.process != process || b.thread != thread))) {
        state_fail(io, "the trace has other records where the warm-up ended");
        return;
    }
    if (left) {
        core_take_batch(c, &b);
        c->rec = c->rec_end - left;
    }
    c->thread = thread;
    if (!state_check(io, process < c->machine->n_process, "a core runs a process that does not exist"))
        return;
    core_bind_process(c, process);
}

static void one_core(struct core *c, struct state_io *io)
{
    state_mark(io, "core");
    segments_state(&c->seg, io);
    tlb_state(&c->itlb, io);
    tlb_state(&c->dtlb, io);
    tlb_state(&c->stlb, io);
    psc_state(&c->psc, c->mem->bytes, io);
    cache_state(&c->l1i, io);
    cache_state(&c->l1d, io);
    if (c->has_l2)
        cache_state(&c->l2, io);
    supply_state(c, io);
    state_bytes(io, &c->st, sizeof c->st);
    state_bytes(io, &c->wst, sizeof c->wst);
}

static void processes_state(struct machine *m, struct state_io *io)
{
    enum { MOST = 1 << 20 };
    uint32_t n = m->n_process;
    state_u32(io, &n);
    if (!state_check(io, n <= MOST, "there are more processes than there can be"))
        return;
    if (io->loading && n) {
        m->process = calloc(n, sizeof *m->process);
        if (!m->process) {
            state_fail(io, "out of host memory for processes");
            return;
        }
        m->n_process = n;
    }
    for (uint32_t i = 0; i < n; i++) {
        struct process *p = &m->process[i];
        state_u32(io, &p->asid);
        state_bool(io, &p->dead);
        state_bool(io, &p->exits);
        if (!state_check(io, p->asid == VM_ASID_NONE || vm_process_alive(m->vm, p->asid), "a process has no address space"))
            return;
    }
}

void machine_state(struct machine *m, struct state_io *io)
{
    bool checks = m->cfg.sim.checks;
    state_mark(io, "machine");
    state_same(io, m->cores, "number of cores");
    state_same(io, m->cfg.mmu.enabled, "mmu.enabled");
    state_check(io, !m->has_objects, "the trace has kernel objects, whose allocator's state is not kept");
    frames_state(m->frames, &m->mem, io);
    if (io->loading && !state_bad(io) && frames_check(m->frames, &io->err) < 0)
        io->bad = true;
    if (m->compaction)
        compaction_state(m->compaction, io);
    vm_state(m->vm, io);
    if (io->loading && !state_bad(io) && vm_check(m->vm, &io->err) < 0)
        io->bad = true;
    memsys_state(m->memsys, io);
    processes_state(m, io);
    for (unsigned k = 0; k < m->cores && !state_bad(io); k++)
        one_core(&m->core[k], io);
    state_mark(io, "run");
    state_bytes(io, &m->oom, sizeof m->oom);
    state_u64(io, &m->interval);
    state_u64(io, &m->next_sample);
    uint32_t turn = m->turn;
    state_u32(io, &turn);
    state_check(io, turn < m->cores, "the turn is of a core that does not exist");
    state_u64(io, &m->turn_left);
    if (io->loading && !state_bad(io)) {
        m->turn = turn;
        m->interval = m->interval ? m->interval : 1;
        m->begun = m->warm = true;
        for (unsigned k = 0; k < m->cores; k++)
            core_set_timed(&m->core[k], false); /* until machine_run */
        machine_totals(m);
        m->cfg.sim.checks = true;
        if (machine_check(m, &io->err) < 0)
            io->bad = true;
        m->cfg.sim.checks = checks;
        stats_snapshot(m->stats);
    }
    if (io->loading && state_bad(io)) /* tables that cannot be trusted are not walked any more */
        vm_forget(m->vm);
}
