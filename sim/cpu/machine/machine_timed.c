/* Timed mode: exact windows over the cores, the shared side, the operating system's lock, global actions. */
#include "cpu/machine/machine_internal.h"
#include "cpu/timed.h"
#include "engine/grow.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/*
 * Samples and the end of the warm-up are global actions. A single core stops at the cycle in which it reaches the
 * reference; with several cores, whose references only add up at a common cycle, that is looked at every so often.
 */
enum { WARMUP_CHECK_CYCLES = 64 };
enum { WARM_SAMPLE_CYCLES = 4096 }; /* to the first sample behind a functional warm-up, with several cores */

/* The next reference at which a single core stops. */
static void set_mark(struct machine *m)
{
    struct core *c = &m->core[0];
    c->mark_at = m->next_sample;
    if (!m->warm && m->cfg.sim.warmup < c->mark_at)
        c->mark_at = m->cfg.sim.warmup;
}

void machine_mark(struct machine *m, struct core *c)
{
    c->mark_at = UINT64_MAX;
    if (!m->warm && c->st.references >= m->cfg.sim.warmup)
        machine_add_action(m, c->now + 1, 0, ACTION_WARMUP);
    if (c->st.references >= m->next_sample)
        machine_add_action(m, c->now + 1, 0, ACTION_SAMPLE);
}

/* The order in which cores are visited must not show: marks of one cycle go by core. */
static bool goes_before(const struct action *a, cyc_t when, unsigned core, enum action_kind kind)
{
    return a->when > when || (a->when == when && kind == ACTION_MARK && a->kind == ACTION_MARK && a->core > core);
}

struct action *machine_add_action(struct machine *m, cyc_t when, unsigned core, enum action_kind kind)
{
    if (m->n_action == m->cap_action)
        m->action = grow_array(m->action, &m->cap_action, 16, sizeof *m->action);
    unsigned i = m->n_action++;
    for (; i > 0 && goes_before(&m->action[i - 1], when, core, kind); i--)
        m->action[i] = m->action[i - 1];
    m->action[i] = (struct action){.when = when, .core = core, .kind = kind};
    return &m->action[i];
}

/* ---- the operating system ---- */

static void answer_at(struct machine *m, unsigned k, cyc_t when)
{
    struct core *c = &m->core[k];
    assert(when > c->now || !c->now);
    inbox_put(&c->inbox, when, MSG_OS_ANSWER, 0, 0);
    if (when < c->next)
        c->next = when;
}

static void hop_at(struct core *c, cyc_t when, enum hop_kind kind, uint32_t arg)
{
    wheel_add(&c->wheel, when, kind, arg);
    if (when < c->next)
        c->next = when;
}

static void decide(struct machine *m, unsigned k, tick_t now)
{
    struct core *c = &m->core[k];
    cyc_t seen = (now + m->period - 1) / m->period + m->cfg.bus.response_latency_cycles;
    m->os_locked = true;
    c->os_sent = false;
    frames_tick(m->frames, now);
    if (c->os_is_call) {
        m->daemon_locked = c->daemon_asked;
        machine_add_action(m, seen, k, ACTION_CALL);
        return;
    }
    if (m->compaction) { /* it may move what other cores use */
        machine_add_action(m, seen, k, ACTION_FAULT);
        return;
    }
    frames_on_cpu(m->frames, k);
    vm_fault(m->vm, c->asid, c->os_va, c->os_error, &c->answer);
    if (c->answer.result == FAULT_SEGV || c->answer.result == FAULT_OOM)
        machine_add_action(m, seen, k, ACTION_KILL);
    else if (machine_remaps(&c->answer))
        machine_add_action(m, seen, k, ACTION_REMAP);
    answer_at(m, k, seen);
}

static void fault_action(struct machine *m, const struct action *a)
{
    struct core *c = &m->core[a->core];
    frames_on_cpu(m->frames, a->core);
    vm_fault(m->vm, c->asid, c->os_va, c->os_error, &c->answer);
    if (c->answer.result == FAULT_SEGV || c->answer.result == FAULT_OOM) {
        machine_compact_discard(m);
        machine_add_action(m, a->when, a->core, ACTION_KILL);
    } else {
        machine_remap(m, c->asid, c->os_va, &c->answer);
        machine_compact_pay(m, c);
    }
    hop_at(c, a->when, HOP_OS_ANSWER, 0);
    machine_daemon_look(m, a->when);
}

static void os_event(struct machine *m, const struct event *e)
{
    if (e->kind == OS_EV_ASK) {
        struct core *c = &m->core[e->a];
        if (c->os_ignore)
            c->os_ignore--; /* questions arrive in the order in which they were sent */
        else if (m->os_locked)
            m->os_queue[(m->os_head + m->os_n++) % m->cores] = (unsigned)e->a;
        else
            decide(m, (unsigned)e->a, e->tick);
        return;
    }
    m->os_locked = false;
    if (m->daemon_locked) {
        m->daemon_locked = false;
        machine_add_action(m, (e->tick + m->period - 1) / m->period + m->cfg.bus.response_latency_cycles, 0, ACTION_DAEMON_END);
    }
    if (m->os_n) {
        unsigned k = m->os_queue[m->os_head];
        m->os_head = (m->os_head + 1) % m->cores;
        m->os_n--;
        decide(m, k, e->tick);
    }
}

static void call_action(struct machine *m, const struct action *a)
{
    struct core *c = &m->core[a->core];
    cyc_t cost = 0;
    bool daemon = c->daemon_asked;
    if (daemon)
        cost = machine_daemon_run(m, c, a->when);
    else if (!c->call)
        machine_process(m, c->held.process); /* the thread changes when the core goes on */
    else
        cost = machine_call(m, c, c->call);
    machine_compact_pay(m, c);
    c->daemon_asked = false;
    if (!daemon)
        machine_daemon_look(m, a->when);
    if (daemon || c->work.n) { /* the lock is kept until all of it is done */
        if (daemon && cost)
            os_list_add(&c->work, OS_WAIT, (pa_t){0}, cost, 1);
        hop_at(c, a->when + cost, HOP_OS_BEGIN, 0);
        return;
    }
    evq_add(memsys_queue(m->memsys), (a->when + m->cfg.bus.request_latency_cycles) * m->period, c->id, OS_EV_RELEASE,
            c->id, 0);
    hop_at(c, a->when + cost, HOP_RESUME, c->epoch);
}

/* ---- samples, warm-up, limit ---- */

static uint64_t references(const struct machine *m)
{
    uint64_t n = 0;
    for (unsigned k = 0; k < m->cores; k++)
        n += m->core[k].st.references;
    return n;
}

static void run_action(struct machine *m, const struct action *a)
{
    struct core *c = &m->core[a->core];
    switch (a->kind) {
    case ACTION_CALL:
        call_action(m, a);
        break;
    case ACTION_REMAP:
        frames_on_cpu(m->frames, a->core);
        machine_remap(m, c->asid, c->os_va, &c->answer);
        break;
    case ACTION_FAULT:
        fault_action(m, a);
        break;
    case ACTION_KILL:
        machine_tell(m, c->answer.result == FAULT_OOM ? "oom_kill" : "segfault", c, c->os_va.v,
                     c->process_dead ? 0 : vm_rss_pages(m->vm, c->asid));
        m->oom.kills += c->answer.result == FAULT_OOM;
        machine_kill(m, c);
        break;
    case ACTION_WARMUP:
        if (references(m) >= m->cfg.sim.warmup) {
            machine_totals(m);
            stats_snapshot(m->stats);
            m->warm = true;
            machine_tell(m, "warmup_end", &m->core[0], 0, 0);
            if (m->cores == 1)
                set_mark(m);
        } else {
            machine_add_action(m, a->when + WARMUP_CHECK_CYCLES, 0, ACTION_WARMUP);
        }
        break;
    case ACTION_SAMPLE:
        machine_sample(m);
        if (m->cores > 1) {
            machine_add_action(m, a->when + m->interval, 0, ACTION_SAMPLE);
        } else {
            m->next_sample = m->totals.references + m->interval;
            set_mark(m);
        }
        break;
    case ACTION_DAEMON_TIMER:
        machine_daemon_timer(m, a->when);
        break;
    case ACTION_DAEMON_END:
        machine_daemon_end(m, a->when);
        break;
    case ACTION_MARK:
        m->hooks.mark(m->hooks.self, m, a->number, a->text);
        free(a->text);
        break;
    }
}

/* ---- windows ---- */

static bool all_finished(const struct machine *m)
{
    for (unsigned k = 0; k < m->cores; k++)
        if (!m->core[k].finished)
            return false;
    return true;
}

static cyc_t core_next(void *self, unsigned k) { return ((struct machine *)self)->core[k].next; }
static void core_run(void *self, unsigned k, cyc_t limit) { timed_run(&((struct machine *)self)->core[k], limit); }
static tick_t shared_head(void *self) { return memsys_head(((struct machine *)self)->memsys); }

static void shared_step(void *self)
{
    struct machine *m = self;
    struct event e;
    m->last_tick = memsys_head(m->memsys);
    if (memsys_step(m->memsys, &e))
        os_event(m, &e);
}

/* Samples alone do not keep a finished machine going. */
static cyc_t action_next(void *self)
{
    struct machine *m = self;
    for (unsigned i = 0; i < m->n_action; i++)
        if ((m->action[i].kind != ACTION_SAMPLE && m->action[i].kind != ACTION_WARMUP && m->action[i].kind != ACTION_DAEMON_TIMER) ||
            !all_finished(m))
            return m->action[i].when;
    return CYC_NEVER;
}

static void action_run(void *self)
{
    struct machine *m = self;
    cyc_t when = m->action[0].when;
    m->action_cycle = when;
    while (m->n_action && m->action[0].when == when) {
        struct action a = m->action[0];
        memmove(m->action, m->action + 1, --m->n_action * sizeof a);
        run_action(m, &a);
    }
}

/* Takes no more records and lets the cores finish what is under way: a machine that stops in the middle of a fault would
 * have counted pages that its tables do not hold yet. */
static bool stop(void *self)
{
    struct machine *m = self;
    if (!m->interrupted && !m->failed && m->hooks.interrupted && m->hooks.interrupted(m->hooks.self))
        m->interrupted = true;
    if (m->interrupted || m->failed)
        for (unsigned k = 0; k < m->cores; k++)
            m->core[k].ended = true;
    return false;
}

int machine_run_timed(struct machine *m)
{
    struct windows_config wc = {.cores = m->cores, .period = m->period, .out = m->cfg.bus.request_latency_cycles,
                                .in = m->cfg.bus.response_latency_cycles, .window = m->cfg.sim.window,
                                .order = m->order};
    struct windows_ops ops = {.self = m, .core_next = core_next, .core_run = core_run, .shared_head = shared_head,
                              .shared_step = shared_step, .action_next = action_next, .action_run = action_run,
                              .stop = stop};
    uint64_t limit = m->cfg.sim.limit, left = limit - m->untimed;
    for (unsigned k = 0; k < m->cores; k++) {
        struct core *c = &m->core[k];
        uint64_t share = left / m->cores + (k < left % m->cores ? 1 : 0);
        if (limit)
            c->stop_at = c->st.references + share;
        if (limit && !share)
            c->ended = true;
        /* Processes are created in the order of the cores, before anything runs. A core that had its turn in the warm-up goes on
         * in the middle of its batch. */
        if (!c->has_thread)
            core_refill(c);
    }
    if (m->cores == 1) {
        set_mark(m);
    } else {
        if (m->untimed) /* references until now, cycles from here on */
            m->interval = WARM_SAMPLE_CYCLES;
        machine_add_action(m, m->interval, 0, ACTION_SAMPLE);
        if (!m->warm)
            machine_add_action(m, WARMUP_CHECK_CYCLES, 0, ACTION_WARMUP);
    }
    machine_daemon_begin(m);
    bool ended = windows_run(&wc, &ops);
    if (ended) {
        assert(all_finished(m));
        assert(memsys_idle(m->memsys));
    }
    if (!m->warm && ended) { /* the warm-up was longer than the trace */
        machine_totals(m);
        stats_snapshot(m->stats);
        m->warm = true;
    }
    if (limit && references(m) >= limit)
        m->limit_hit = true;
    return 0;
}
