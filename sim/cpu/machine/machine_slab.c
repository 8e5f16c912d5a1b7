/*
 * The kernel objects of the traces (kmalloc, kfree, cache_alloc, cache_free) played into the machine's slab allocator, over
 * the same frames as everything else. In time a record is a call: the core drains, the operating system's lock orders the
 * cores, the call lasts as long as its path costs. docs/model/slab.md
 */
#include "cpu/machine/machine_internal.h"

#include "replay/calls/record_call.h"

#include <stdio.h>

static void on_finding(void *self, const struct slab_finding *f)
{
    struct machine *m = self;
    char kind[48];
    if (!m->hooks.event)
        return;
    snprintf(kind, sizeof kind, "slab_%s", slab_finding_name(f->kind));
    struct machine_event e = {.time = m->cfg.sim.mode == SIM_MODE_TIMED ? m->action_cycle * m->period : 0, .kind = kind,
                              .va = f->object.v, .slab = f};
    for (unsigned k = 0; k < m->cores; k++) {
        e.references += m->core[k].st.references;
        e.instructions += m->core[k].st.instructions;
    }
    m->hooks.event(m->hooks.self, &e);
}

int machine_slab_build(struct machine *m, struct err *err)
{
    if (slab_sys_new(&m->slab, &m->cfg.slab, m->frames, m->cores, m->cfg.sim.seed, err) < 0 ||
        slab_replay_new(&m->objects, m->slab, err) < 0 || slab_calls_new(&m->calls, m->slab, m->objects, err) < 0)
        return -1;
    slab_on_finding(m->slab, on_finding, m);
    slab_add_stats(m->slab, m->stats);
    slab_replay_add_stats(m->objects, m->stats);
    return 0;
}

bool is_slab_record(const struct trace_rec *r) { return r->kind == CORE_KIND_TOUCH || is_record_call(r->kind); }

/* The record's number in its trace; the records in between are counted once. */
static uint64_t number_of(struct core *c, const struct trace_rec *r)
{
    while (c->counted < r) {
        c->counted += 1 + c->counted->slots;
        c->counted_record++;
    }
    return c->counted_record;
}

/* By the core's own clock, in functional mode a cycle a reference, as vmalloc's and the caches' books want it: whole and never back. */
static uint64_t now_ns(const struct machine *m, const struct core *c)
{
    return (c->timed ? c->now : machine_references_now(m) / m->cores) * m->period / PS_A_NS;
}

cyc_t machine_slab_record(struct machine *m, struct core *c, const struct trace_rec *r)
{
    struct record_call call;
    if (!m->objects || c->process_dead) {
        m->left_out.records += !m->objects && !c->process_dead;
        return 0;
    }
    m->has_objects = true;
    uint64_t record = number_of(c, r);
    if (r->kind == CORE_KIND_TOUCH) {
        slab_replay_touch(m->objects, record, r->addr, r->size, r->flags & TRACE_F_WRITE);
        return 0;
    }
    record_call(&call, r);
    call.e.record = record;
    call.e.cpu = c->id;
    if (call.call == SLAB_CALL_MEMPOOL_ALLOC)
        call.e.size = slab_calls_element(m->calls, call.pool);
    m->has_calls |= call.call >= SLAB_CALL_ALLOC_PAGES && call.call <= SLAB_CALL_MEMPOOL_DESTROY;
    return record_call_play(m->calls, &call, now_ns(m, c));
}

void machine_slab_end(struct machine *m)
{
    static const struct stat_desc left_out[] = {STAT_ENTRY(struct calls_left_out, records, "records",
                                                           "calls of the kernel's allocators that nothing serves: mmu.enabled is false")};
    if (m->left_out.records && !m->objects_told) {
        m->objects_told = true;
        stats_add_late(m->stats, "calls_left_out", &m->left_out, left_out, ARRAY_LEN(left_out));
    }
    if (!m->has_objects || m->objects_told)
        return;
    m->objects_told = true;
    slab_calls_end(m->calls);
    slab_stats(m->slab);
    if (m->has_calls)
        slab_calls_add_stats_late(m->calls, m->stats);
    slab_add_cache_stats(m->slab, m->stats);
}
