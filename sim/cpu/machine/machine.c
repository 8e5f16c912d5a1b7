/* A machine's run: warm-up, functional and timed part, samples, ends. */
#include "cpu/machine/machine_internal.h"

#include "cpu/functional.h"

void machine_totals(struct machine *m)
{
    struct sim_totals t = {0};
    for (unsigned k = 0; k < m->cores; k++) {
        t.references += m->core[k].st.references;
        t.instructions += m->core[k].st.instructions;
        if (m->core[k].st.cycles > t.cycles)
            t.cycles = m->core[k].st.cycles;
    }
    m->totals = t;
    if (m->cfg.sim.mode == SIM_MODE_TIMED)
        memsys_settle(m->memsys, t.cycles * m->period > m->last_tick ? t.cycles * m->period : m->last_tick);
}

static bool interrupted(struct machine *m)
{
    return m->hooks.interrupted && m->hooks.interrupted(m->hooks.self);
}

/* With sim.checks: now and then, ever more rarely, so that a long run stays feasible. */
static void check_now_and_then(struct machine *m)
{
    struct err err;
    if (!m->cfg.sim.checks || m->totals.references < m->next_check)
        return;
    m->next_check = m->totals.references + m->totals.references / 4 + 10000;
    if (machine_check(m, &err) < 0)
        machine_fail(m, &err);
}

void machine_sample(struct machine *m)
{
    machine_totals(m);
    check_now_and_then(m);
    if (m->hooks.sample)
        m->hooks.sample(m->hooks.self, m);
}

/* Up to `boundary` references in all: cores take turns of sim.quantum references, whatever the boundaries; a single core runs
 * from one to the next (sample, warm-up, limit). False: no core has any left. */
static bool take_turns(struct machine *m, uint64_t *total, uint64_t boundary)
{
    unsigned idle = 0; /* cores in a row that had nothing */
    while (*total < boundary && idle < m->cores) {
        struct core *c = &m->core[m->turn];
        if (!m->turn_left)
            m->turn_left = m->cores > 1 ? m->cfg.sim.quantum : UINT64_MAX;
        uint64_t before = c->st.references, most = boundary - *total < m->turn_left ? boundary - *total : m->turn_left;
        bool more = functional_run(c, most);
        uint64_t done = c->st.references - before;
        *total += done;
        m->turn_left -= done;
        idle = more ? 0 : idle + 1;
        if (!more || !m->turn_left) {
            m->turn = (m->turn + 1) % m->cores;
            m->turn_left = 0;
        }
    }
    return idle < m->cores;
}

/* With `warm_up`: to the end of the warm-up only. */
static void run_functional(struct machine *m, bool warm_up)
{
    const struct sim_config *s = &m->cfg.sim;
    uint64_t total = machine_references_now(m);
    bool more = true;
    while (more && !m->failed && !m->limit_hit && !m->interrupted && !(warm_up && m->warm)) {
        uint64_t boundary = m->next_sample;
        if (!m->warm && s->warmup < boundary)
            boundary = s->warmup;
        if (s->limit && s->limit < boundary)
            boundary = s->limit;
        uint64_t daemon = machine_daemon_due_references(m);
        if (daemon < boundary)
            boundary = daemon > total ? daemon : total + 1;
        more = take_turns(m, &total, boundary);
        if (total >= daemon)
            machine_daemon_functional(m, &m->core[m->turn]);
        if (!m->warm && total >= s->warmup && !m->failed) {
            machine_totals(m);
            stats_snapshot(m->stats);
            m->warm = true;
            machine_tell(m, "warmup_end", &m->core[0], 0, 0);
            if (warm_up)
                return;
        }
        if (total >= m->next_sample) {
            machine_sample(m);
            m->next_sample = total + m->interval;
        }
        if (s->limit && total >= s->limit)
            m->limit_hit = true;
        else if (interrupted(m))
            m->interrupted = true;
    }
}

/* Those that were to end when all their threads had been replayed. */
static void end_processes(struct machine *m)
{
    if (m->failed || m->interrupted || m->limit_hit)
        return;
    for (uint32_t p = 0; p < m->n_process; p++) {
        struct process *x = &m->process[p];
        if (!x->exits || x->dead || x->asid == VM_ASID_NONE)
            continue;
        for (unsigned k = 0; k < m->cores; k++)
            if (m->core[k].process == p) {
                machine_tell(m, "process_exit", &m->core[k], 0, vm_rss_pages(m->vm, x->asid));
                frames_on_cpu(m->frames, k);
                break;
            }
        vm_exit(m->vm, x->asid);
        machine_bury(m, p);
    }
}

static void begin(struct machine *m)
{
    if (m->begun)
        return;
    m->begun = true;
    m->warm = m->cfg.sim.warmup == 0;
    if (m->aged.recipe && m->hooks.event)
        m->hooks.event(m->hooks.self, &(struct machine_event){.kind = m->cfg.memory.ageing.snapshot ? "snapshot" : "aged", .aged = &m->aged});
    machine_sample(m);
    m->next_sample = m->interval;
}

bool machine_has_functional_warm_up(const struct machine *m)
{
    const struct sim_config *s = &m->cfg.sim;
    return s->warmup && (s->mode == SIM_MODE_FUNCTIONAL || s->warmup_mode == WARMUP_FUNCTIONAL);
}

static void set_timed(struct machine *m, bool timed)
{
    for (unsigned k = 0; k < m->cores; k++)
        core_set_timed(&m->core[k], timed);
}

bool machine_warm_up(struct machine *m)
{
    bool timed = m->cfg.sim.mode == SIM_MODE_TIMED;
    begin(m);
    if (!machine_has_functional_warm_up(m) || m->warm)
        return false;
    if (timed)
        set_timed(m, false);
    run_functional(m, true);
    return m->warm && !m->failed;
}

/* The timed part, after a warm-up without time if there is one; not if the run is over before. */
static void run_timed(struct machine *m)
{
    if (machine_has_functional_warm_up(m)) {
        if (!m->warm)
            machine_warm_up(m);
        if (!m->warm) { /* it was longer than the trace */
            machine_totals(m);
            stats_snapshot(m->stats);
            return;
        }
        m->limit_hit = m->cfg.sim.limit && machine_references_now(m) >= m->cfg.sim.limit;
        if (m->limit_hit || m->failed || m->interrupted)
            return;
        set_timed(m, true);
        m->untimed = machine_references_now(m);
    }
    m->in_time = true;
    machine_run_timed(m);
}

enum machine_end machine_run(struct machine *m, struct err *err)
{
    begin(m);
    if (m->cfg.sim.mode == SIM_MODE_TIMED)
        run_timed(m);
    else
        run_functional(m, false);
    end_processes(m);
    machine_slab_end(m);
    machine_sample(m);
    if (m->failed) {
        if (err)
            *err = m->err;
        return MACHINE_END_ERROR;
    }
    if (machine_check(m, err) < 0)
        return MACHINE_END_ERROR;
    return m->interrupted ? MACHINE_END_INTERRUPTED : m->limit_hit ? MACHINE_END_LIMIT : MACHINE_END_TRACE;
}

struct stats *machine_stats(struct machine *m) { return m->stats; }
const struct machine_config *machine_cfg(const struct machine *m) { return &m->cfg; }
struct frame_map *machine_frames(struct machine *m) { return m->frames; }
struct slab_sys *machine_slab(struct machine *m) { return m->slab; }
bool machine_has_objects(const struct machine *m) { return m->has_objects; }
const struct slab_calls *machine_calls(const struct machine *m) { return m->has_calls ? m->calls : NULL; }
struct vm *machine_vm(struct machine *m) { return m->vm; }
struct memsys *machine_memsys(struct machine *m) { return m->memsys; }
struct core *machine_core(struct machine *m, unsigned k) { return &m->core[k]; }
uint64_t machine_untimed_references(const struct machine *m) { return m->untimed; }
bool machine_in_time(const struct machine *m) { return m->in_time; }
uint64_t machine_references(const struct machine *m) { return m->totals.references; }
uint64_t machine_references_now(const struct machine *m)
{
    uint64_t n = 0;
    for (unsigned k = 0; k < m->cores; k++)
        n += m->core[k].st.references;
    return n;
}

tick_t machine_time(const struct machine *m) { return m->totals.cycles * m->period; }
cyc_t machine_finish(const struct machine *m, unsigned core) { return m->core[core].st.cycles; }
uint64_t machine_sample_interval(const struct machine *m) { return m->interval; }
void machine_set_sample_interval(struct machine *m, uint64_t interval) { m->interval = interval ? interval : 1; }

void machine_fail(struct machine *m, const struct err *err)
{
    if (!m->failed)
        m->err = *err;
    m->failed = true;
}

void core_refuse(struct core *c, const struct trace_rec *r)
{
    struct err err;
    err_set(&err, ERR_RUN, "reference %llu of cpu%u is of %u bytes at 0x%llx, no instruction accesses more than 65,536 at once",
            (unsigned long long)c->st.references, c->id, r->size, (unsigned long long)r->addr);
    err_remedy(&err, "the trace is damaged or badly converted; mmulab trace print shows the record");
    machine_fail(c->machine, &err);
}
