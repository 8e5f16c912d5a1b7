/*
 * kcompactd in the machine. Functional mode: at once after the fault or call that woke it, and when its check is due by a clock of a
 * core cycle a reference. In time: a thread that interrupts a core, the lowest that has nothing left to run, else core 0. The core drains,
 * takes the operating system's lock, pays for two switches and for what was moved, and goes on. Wakes and checks are seen at global
 * actions only (docs/model/timing.md section 7).
 */
#include "cpu/machine/machine_internal.h"

static tick_t functional_now(const struct machine *m) { return machine_references_now(m) / m->cores * m->period; }

void machine_daemon_functional(struct machine *m, struct core *c)
{
    if (!m->compaction || !m->cfg.buddy.kcompactd)
        return;
    tick_t now = functional_now(m);
    if (!compact_background_wanted(m->compaction) && now < compact_background_due(m->compaction))
        return;
    frames_on_cpu(m->frames, c->id);
    compact_background(m->compaction, now);
    machine_compact_pay(m, c);
}

uint64_t machine_daemon_due_references(const struct machine *m)
{
    if (!m->compaction || !m->cfg.buddy.kcompactd)
        return UINT64_MAX;
    tick_t due = compact_background_due(m->compaction);
    if (due == UINT64_MAX)
        return due;
    uint64_t most = UINT64_MAX / m->cores - 1, n = due / m->period + (due % m->period != 0);
    return n < most ? n * m->cores : UINT64_MAX;
}

/* ---- in time -------------------------------------------------------------------------------------------------------------- */

static bool all_finished(const struct machine *m)
{
    for (unsigned k = 0; k < m->cores; k++)
        if (!m->core[k].finished)
            return false;
    return true;
}

static void arm(struct machine *m, cyc_t now)
{
    tick_t due = compact_background_due(m->compaction);
    if (m->daemon_timer || m->daemon_runs || due == UINT64_MAX)
        return;
    cyc_t when = due / m->period + (due % m->period != 0);
    m->daemon_timer = true;
    machine_add_action(m, when > now ? when : now + 1, 0, ACTION_DAEMON_TIMER);
}

void machine_daemon_begin(struct machine *m)
{
    if (!m->compaction || !m->cfg.buddy.kcompactd)
        return;
    compact_background_restart_clock(m->compaction, functional_now(m));
    arm(m, 0);
}

void machine_daemon_look(struct machine *m, cyc_t now)
{
    if (!m->compaction || !m->cfg.buddy.kcompactd || m->daemon_runs || all_finished(m))
        return;
    if (!compact_background_wanted(m->compaction) && now * m->period < compact_background_due(m->compaction))
        return;
    struct core *c = &m->core[0];
    for (unsigned k = 0; k < m->cores; k++)
        if (m->core[k].finished) {
            c = &m->core[k];
            break;
        }
    m->daemon_runs = true;
    c->daemon_due = true;
    if (now < c->next)
        c->next = now;
}

void machine_daemon_timer(struct machine *m, cyc_t now)
{
    m->daemon_timer = false;
    machine_daemon_look(m, now);
    if (!all_finished(m))
        arm(m, now);
}

cyc_t machine_daemon_run(struct machine *m, struct core *c, cyc_t now)
{
    frames_on_cpu(m->frames, c->id);
    compact_background(m->compaction, now * m->period);
    return m->cfg.cpu.switch_cycles;
}

void machine_daemon_end(struct machine *m, cyc_t now)
{
    m->daemon_runs = false;
    compact_background_rest(m->compaction, now * m->period);
    machine_daemon_look(m, now);
    if (!all_finished(m))
        arm(m, now);
}
