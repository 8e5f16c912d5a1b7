#include "cpu/machine/machine_internal.h"

#include "cpu/functional.h"
#include "cpu/priv.h"
#include "cpu/timed.h"
#include "traces/input.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- configuration ---- */

int machine_config_check(const struct machine_config *m, struct err *err)
{
    const struct caches_config *c = &m->cache;
    bool timed = m->sim.mode == SIM_MODE_TIMED;
    if (timed && !c->l2.enabled)
        return err_set(err, ERR_USAGE, "cache.l2.enabled = false needs sim.mode = functional");
    if (timed && (!c->llc_inclusive || !c->coherence || !c->write_back || c->straddle != STRADDLE_SPLIT))
        return err_set(err, ERR_USAGE, "sim.mode = timed needs cache.llc_inclusive, cache.coherence, cache.write_back and "
                                       "cache.straddle = split");
    if (timed && (c->l2.latency_cycles <= c->l1d.latency_cycles || c->l2.latency_cycles <= c->l1i.latency_cycles))
        return err_set(err, ERR_USAGE, "cache.l2.latency must be greater than cache.l1d.latency and cache.l1i.latency");
    if (!c->l1i.enabled || !c->l1d.enabled || !c->llc.enabled)
        return err_set(err, ERR_USAGE, "only cache.l2 can be left out (cache.l2.enabled = false)");
    if (m->cpu.count > 1 && (!c->coherence || !c->llc_inclusive))
        return err_set(err, ERR_USAGE, "cpu.count > 1 needs cache.coherence and cache.llc_inclusive");
    if (c->straddle == STRADDLE_CACHEGRIND && (m->mmu.enabled || c->l2.enabled || c->coherence || c->write_back))
        return err_set(err, ERR_USAGE, "cache.straddle = cachegrind needs mmu.enabled, cache.l2.enabled, cache.coherence "
                                       "and cache.write_back all false");
    if (c->modify_counts == MODIFY_COUNTS_READ && c->coherence)
        return err_set(err, ERR_USAGE, "cache.modify_counts = read needs cache.coherence = false");
    if (m->buddy.compaction && !m->mmu.enabled)
        return err_set(err, ERR_USAGE, "buddy.compaction needs mmu.enabled");
    if (m->vm.huge_defrag && !m->buddy.compaction)
        return err_set(err, ERR_USAGE, "vm.huge_defrag needs buddy.compaction");
    return mmu_config_check(&m->mmu, err);
}

/* ---- construction ---- */

static void deliver(void *self, unsigned core, cyc_t when, enum core_msg_kind kind, uint64_t a, uint64_t b)
{
    struct core *c = &((struct machine *)self)->core[core];
    assert(when > c->now || !c->now);
    inbox_put(&c->inbox, when, kind, a, b);
    if (when < c->next)
        c->next = when;
}

static unsigned snoop(void *self, unsigned core, uint64_t line, bool invalidate)
{
    return priv_snoop(&((struct machine *)self)->core[core], line, invalidate);
}

static void on_arrival(void *self, tick_t tick, const struct mem_req *r)
{
    struct machine *m = self;
    m->hooks.arrival(m->hooks.self, tick, r);
}

static const struct stat_desc total_descs[] = {
    STAT_ENTRY(struct sim_totals, references, "references", "memory references simulated, over all cores")
    STAT_ENTRY(struct sim_totals, instructions, "instructions", "instructions begun, over all cores")
    STAT_ENTRY(struct sim_totals, cycles, "cycles", "cycle in which the last core was last active")
};

static const struct stat_desc oom_descs[] = {
    STAT_ENTRY(struct oom_stats, kills, "processes", "processes ended because no frame could be had")
};

static int build(struct machine *m, struct err *err)
{
    struct machine_config *cfg = &m->cfg;
    bool timed = cfg->sim.mode == SIM_MODE_TIMED;
    cfg->buddy.cpus = cfg->cpu.count;
    m->cores = cfg->cpu.count;
    m->period = cpu_period_ps(&cfg->cpu);
    m->core = calloc(m->cores, sizeof *m->core);
    m->os_queue = calloc(m->cores, sizeof *m->os_queue);
    if (!m->core || !m->os_queue)
        return err_set(err, ERR_RUN, "out of host memory for %u cores", m->cores);
    if (machine_config_check(cfg, err) < 0 || stats_new(&m->stats, err) < 0 ||
        frame_map_new(&m->frames, &cfg->memory, &cfg->buddy, err) < 0 ||
        phys_mem_init(&m->mem, m->frames->n_frames * PAGE_BYTES, err) < 0)
        return -1;
    struct paging_root paging = {.levels = (uint8_t)cfg->mmu.levels, .max_phys_bits = (uint8_t)cfg->mmu.max_phys_bits,
                                 .flags = mmu_config_paging_flags(&cfg->mmu)};
    if (vm_new(&m->vm, &cfg->vm, m->frames, &m->mem, &paging, err) < 0)
        return -1;
    cfg->dram.ranks = dram_ranks_for(&cfg->dram, cfg->memory.size_bytes);
    struct memsys_config mc = {.cache = &cfg->cache, .bus = &cfg->bus, .dram = &cfg->dram, .cores = m->cores,
                               .period = m->period, .seed = cfg->sim.seed, .timed = timed, .extra_sources = 1,
                               .ops = {.self = m, .deliver = deliver, .snoop = snoop,
                                       .on_arrival = m->hooks.arrival ? on_arrival : NULL}};
    if (memsys_new(&m->memsys, &mc, err) < 0)
        return -1;
    stats_add(m->stats, "sim", &m->totals, total_descs, ARRAY_LEN(total_descs));
    for (unsigned k = 0; k < m->cores; k++) {
        if (core_init(&m->core[k], m, k, err) < 0)
            return -1;
        core_add_stats(&m->core[k], m->stats);
    }
    memsys_add_stats(m->memsys, m->stats);
    if (cfg->mmu.enabled) {
        stats_add(m->stats, "vm", &m->vm->st, vm_stat_descs, vm_n_stat_descs);
        stats_add(m->stats, "oom", &m->oom, oom_descs, ARRAY_LEN(oom_descs));
        frames_add_stats(m->frames, m->stats);
        if (machine_compact_build(m, err) < 0)
            return -1;
        if (machine_slab_build(m, err) < 0)
            return -1;
    }
    stats_freeze(m->stats);
    if (cfg->memory.ageing.recipe != AGEING_NONE)
        return frames_age(m->frames, &cfg->memory.ageing, cfg->sim.seed, &m->aged, err);
    return 0;
}

int machine_new(struct machine **out, const struct machine_config *cfg, struct err *err)
{
    struct machine *m = calloc(1, sizeof *m);
    *out = NULL;
    if (!m)
        return err_set(err, ERR_RUN, "out of host memory for the machine");
    m->cfg = *cfg;
    m->interval = cfg->sim.interval ? cfg->sim.interval : 4096;
    struct sim_config *sim = &m->cfg.sim;
    if (sim->measure && (!sim->limit || sim->warmup + sim->measure < sim->limit))
        sim->limit = sim->warmup + sim->measure;
    if (build(m, err) < 0) {
        machine_free(m);
        return -1;
    }
    *out = m;
    return 0;
}

void machine_free(struct machine *m)
{
    if (!m)
        return;
    for (unsigned k = 0; m->core && k < m->cores; k++)
        core_fini(&m->core[k]);
    free(m->core);
    memsys_free(m->memsys);
    machine_compact_free(m);
    if (m->frames)
        m->frames->hooks = (struct frames_hooks){0};
    vm_free(m->vm);
    slab_replay_free(m->objects);
    slab_sys_free(m->slab);
    phys_mem_fini(&m->mem);
    frame_map_free(m->frames);
    stats_free(m->stats);
    free(m->process);
    free(m->os_queue);
    for (uint32_t i = 0; i < m->n_action; i++)
        free(m->action[i].text);
    free(m->action);
    free(m);
}

void machine_set_source(struct machine *m, unsigned core, struct ref_source src) { m->core[core].source = src; }
void machine_set_order(struct machine *m, const unsigned *order) { m->order = order; }

void machine_set_hooks(struct machine *m, const struct machine_hooks *h)
{
    m->hooks = *h;
    memsys_set_arrival_hook(m->memsys, h->arrival ? on_arrival : NULL);
}

/* ---- processes and address-space calls ---- */

static struct process *process_slot(struct machine *m, uint32_t number)
{
    if (number >= m->n_process) {
        struct process *p = realloc(m->process, (number + 1ull) * sizeof *p);
        if (!p)
            abort(); /* host memory gone for a few kilobytes */
        m->process = p;
        while (m->n_process <= number)
            m->process[m->n_process++] = (struct process){.asid = VM_ASID_NONE};
    }
    return &m->process[number];
}

struct process *machine_process(struct machine *m, uint32_t number)
{
    struct process *p = process_slot(m, number);
    if (p->asid == VM_ASID_NONE && !p->dead && m->cfg.mmu.enabled) {
        frames_on_cpu(m->frames, 0); /* the loader's */
        p->asid = vm_process_new(m->vm);
        p->dead = p->asid == VM_ASID_NONE; /* no frame for a root table: as if it had been killed at once */
    }
    return p;
}

void machine_tell(struct machine *m, const char *kind, const struct core *c, uint64_t va, uint64_t pages)
{
    if (!m->hooks.event)
        return;
    struct machine_event e = {.time = c->timed ? m->action_cycle * m->period : 0, .kind = kind,
                              .core = c->id, .process = c->process, .va = va, .pages = pages};
    for (unsigned k = 0; k < m->cores; k++) {
        e.references += m->core[k].st.references;
        e.instructions += m->core[k].st.instructions;
    }
    m->hooks.event(m->hooks.self, &e);
}

bool is_call(const struct trace_rec *r)
{
    switch (r->kind) {
    case TRACE_MMAP:
    case TRACE_MUNMAP:
    case TRACE_MREMAP:
    case TRACE_BRK:
    case TRACE_MPROTECT:
    case TRACE_MADVISE:
    case TRACE_FORK:
    case TRACE_EXEC:
    case TRACE_SEGMENT:
    case TRACE_KMALLOC:
    case TRACE_KFREE:
    case TRACE_CACHE_ALLOC:
    case TRACE_CACHE_FREE:
    case TRACE_CACHE_CREATE:
    case TRACE_CACHE_SHRINK:
    case TRACE_CACHE_DESTROY:
    case CORE_KIND_TOUCH:
        return true;
    case TRACE_EXIT:
        return r->size == 1;
    default:
        return false;
    }
}

/* Payload word i of a record, 0 if it is not there. */
static uint64_t word(const struct trace_rec *r, unsigned i)
{
    const union trace_slot *s = (const union trace_slot *)(r + 1);
    return i / 2 < r->slots ? s[i / 2].u[i % 2] : 0;
}

void core_note(struct core *c, const struct trace_rec *r)
{
    if (r->kind == TRACE_INSNS) {
        c->st.instructions += r->addr;
    } else if (r->kind == TRACE_SEGLOAD && r->addr < SEG_COUNT) {
        c->seg.reg[r->addr] = (struct seg_reg){.base = word(r, 0), .limit = (uint32_t)word(r, 1),
                                               .attributes = (uint16_t)word(r, 2), .selector = (uint16_t)r->size,
                                               .valid = (r->size & ~3u) != 0};
        if (c->seg.mode == SEG_MODE_LONG && r->addr != SEG_FS && r->addr != SEG_GS)
            c->seg.reg[r->addr].base = 0; /* 64-bit mode ignores it */
    } else if (r->kind == TRACE_EXIT && r->size == CORE_EXIT_LATER) {
        c->machine->process[c->process].exits = true;
    } else if (r->kind == TRACE_MARK && c->machine->hooks.mark) {
        machine_note_mark(c, r);
    }
}

void machine_note_mark(struct core *c, const struct trace_rec *r)
{
    struct machine *m = c->machine;
    size_t n;
    const char *s = trace_rec_string(r, &n);
    char *text = strndup(s, n);
    if (!text)
        abort(); /* host memory gone for a line of text */
    if (!c->timed) {
        m->hooks.mark(m->hooks.self, m, r->addr, text);
        free(text);
        return;
    }
    /* As far ahead as an answer of the shared side: no core has got there yet. */
    struct action *a = machine_add_action(m, c->now + m->cfg.bus.response_latency_cycles, c->id, ACTION_MARK);
    a->number = r->addr;
    a->text = text;
}

static void drop_page(void *self, uint32_t asid, va_t va, enum page_size size, pa_t entry)
{
    struct machine *m = self;
    (void)size;
    (void)entry;
    for (unsigned k = 0; k < m->cores; k++) {
        tlb_invalidate_page(&m->core[k].itlb, asid, va);
        tlb_invalidate_page(&m->core[k].dtlb, asid, va);
        tlb_invalidate_page(&m->core[k].stlb, asid, va);
        hot_forget(m->core[k].hot);
    }
}

static void drop_structures(struct machine *m, uint32_t asid, bool all)
{
    for (unsigned k = 0; k < m->cores; k++) {
        struct core *c = &m->core[k];
        psc_flush_asid(&c->psc, asid);
        hot_forget(c->hot);
        if (all) {
            tlb_flush_asid(&c->itlb, asid);
            tlb_flush_asid(&c->dtlb, asid);
            tlb_flush_asid(&c->stlb, asid);
        }
        if (c->timed)
            walks_restart(c, asid);
    }
}

void machine_forget_asid(struct machine *m, uint32_t asid) { drop_structures(m, asid, true); }

/* A process has ended: no core runs it any more, nothing remembers its translations. */
static void bury(struct machine *m, uint32_t number)
{
    struct process *p = &m->process[number];
    drop_structures(m, p->asid, true);
    p->dead = true;
    p->asid = VM_ASID_NONE;
    for (unsigned k = 0; k < m->cores; k++)
        if (m->core[k].process == number) {
            m->core[k].process_dead = true;
            if (m->core[k].timed)
                core_drop_all(&m->core[k], m->action_cycle);
        }
}

void machine_kill(struct machine *m, struct core *c)
{
    if (c->process_dead)
        return;
    frames_on_cpu(m->frames, c->id);
    vm_kill(m->vm, c->asid);
    bury(m, c->process);
}

void machine_remap(struct machine *m, uint32_t asid, va_t va, const struct fault_answer *a)
{
    struct vm_shootdown sd = {.self = m, .page = drop_page};
    if (!machine_remaps(a))
        return;
    if (a->result == FAULT_SPLIT) { /* relatives lose their large page, too */
        vm_split_page(m->vm, asid, va, &sd);
        for (unsigned k = 0; k < m->cores; k++)
            drop_structures(m, m->core[k].asid, false);
        return;
    }
    vm_clear_entry(m->vm, asid, va);
    drop_page(m, asid, va, PAGE_SIZE_4K, (pa_t){0});
    drop_structures(m, asid, false);
}

/* A child whose first record a core met before its parent's fork has an address space already, and keeps it. */
static void fork_process(struct machine *m, uint32_t parent, uint64_t number)
{
    if (number >= MACHINE_PROCESSES)
        return;
    struct process *child = process_slot(m, (uint32_t)number);
    if (child->asid != VM_ASID_NONE || child->dead)
        return;
    child->asid = vm_fork(m->vm, parent);
    child->dead = child->asid == VM_ASID_NONE; /* as if it had been killed at once */
    drop_structures(m, parent, true);
}

/* Linux uapi, x86-64; MAP_SHARED and MAP_SHARED_VALIDATE have the bit */
enum { MAP_FLAG_SHARED = 1, MAP_FLAG_GROWSDOWN = 0x100, MREMAP_FLAG_DONTUNMAP = 4 };

static void address_space_call(struct machine *m, struct core *c, const struct trace_rec *r)
{
    struct vm_shootdown sd = {.self = m, .page = drop_page};
    uint32_t asid = c->asid;
    if (!c->mmu_on || c->process_dead || (r->flags & TRACE_F_FAILED))
        return;
    frames_on_cpu(m->frames, c->id);
    switch (r->kind) {
    case TRACE_SEGMENT:
        vm_segment(m->vm, asid, (va_t){r->addr}, word(r, 0), r->size,
                   (r->flags & TRACE_F_STACK ? VMA_STACK : 0) | (r->flags & TRACE_F_HEAP ? VMA_HEAP : 0));
        return;
    case TRACE_MMAP:
        vm_mmap(m->vm, asid, (va_t){word(r, 5)}, word(r, 0), (unsigned)word(r, 1),
                (word(r, 2) & MAP_FLAG_GROWSDOWN ? VMA_STACK : 0) | (word(r, 2) & MAP_FLAG_SHARED ? VMA_SHARED : 0), &sd);
        break;
    case TRACE_MUNMAP:
        vm_munmap(m->vm, asid, (va_t){r->addr}, word(r, 0), &sd);
        break;
    case TRACE_MREMAP:
        vm_mremap(m->vm, asid, (va_t){r->addr}, word(r, 0), (va_t){word(r, 4)}, word(r, 1),
                  word(r, 2) & MREMAP_FLAG_DONTUNMAP, &sd);
        break;
    case TRACE_BRK:
        vm_brk(m->vm, asid, word(r, 0), &sd);
        break;
    case TRACE_MPROTECT:
        vm_mprotect(m->vm, asid, (va_t){r->addr}, word(r, 0), (unsigned)word(r, 1), &sd);
        break;
    case TRACE_MADVISE:
        vm_madvise(m->vm, asid, (va_t){r->addr}, word(r, 0), (unsigned)word(r, 1), &sd);
        break;
    case TRACE_FORK:
        fork_process(m, asid, r->addr);
        return;
    case TRACE_EXEC:
        vm_exec(m->vm, asid);
        drop_structures(m, asid, true);
        for (unsigned k = 0; k < m->cores; k++)
            if (m->core[k].process == c->process)
                m->core[k].root = vm_root(m->vm, asid);
        return;
    case TRACE_EXIT:
        machine_tell(m, "process_exit", c, 0, vm_rss_pages(m->vm, asid));
        vm_exit(m->vm, asid);
        bury(m, c->process);
        return;
    default:
        return;
    }
    drop_structures(m, asid, false);
}

cyc_t machine_call(struct machine *m, struct core *c, const struct trace_rec *r)
{
    if (is_slab_record(r))
        return machine_slab_record(m, c, r);
    address_space_call(m, c, r);
    return r->kind == TRACE_SEGMENT || r->kind == TRACE_EXIT ? 0 : m->cfg.vm.syscall_cycles;
}

/* ---- running ---- */

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
        bury(m, p);
    }
}

static void begin(struct machine *m)
{
    if (m->begun)
        return;
    m->begun = true;
    m->warm = m->cfg.sim.warmup == 0;
    if (m->cfg.memory.ageing.recipe != AGEING_NONE && m->hooks.event)
        m->hooks.event(m->hooks.self, &(struct machine_event){.kind = "aged", .aged = &m->aged});
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

static int check_core(struct machine *m, struct core *c, struct err *err)
{
    struct pt_memory pt = vm_pt_memory(m->vm);
    pt.set_bits = NULL;
    for (uint32_t p = 0; p < m->n_process; p++) {
        uint32_t asid = m->process[p].asid;
        if (asid == VM_ASID_NONE)
            continue;
        struct paging_root root = vm_root(m->vm, asid);
        if (tlb_check(&c->itlb, asid, &root, &pt, err) < 0 || tlb_check(&c->dtlb, asid, &root, &pt, err) < 0 ||
            tlb_check(&c->stlb, asid, &root, &pt, err) < 0 || psc_check(&c->psc, asid, &root, &pt, err) < 0)
            return -1;
    }
    return 0;
}

/* Lines of the private caches: in the L2 if in an L1, in the LLC with the directory knowing, if in the L2. */
static int check_lines(struct machine *m, struct core *c, struct err *err)
{
    if (!m->cfg.cache.coherence || !m->cfg.cache.llc_inclusive || !c->has_l2)
        return 0;
    const struct assoc *l1[2] = {&c->l1i.tags, &c->l1d.tags};
    for (int i = 0; i < 2; i++)
        for (uint32_t e = 0; e < l1[i]->sets * l1[i]->ways; e++)
            if (l1[i]->key[e] != ASSOC_EMPTY && assoc_probe(&c->l2.tags, l1[i]->key[e]) == ASSOC_NONE)
                return err_set(err, ERR_RUN, "check: line 0x%llx is in cpu%u's %s but not in its L2",
                               (unsigned long long)l1[i]->key[e] << LINE_SHIFT, c->id, i ? "L1D" : "L1I");
    for (uint32_t e = 0; e < c->l2.tags.sets * c->l2.tags.ways; e++)
        if (c->l2.tags.key[e] != ASSOC_EMPTY &&
            !memsys_holds(m->memsys, c->id, c->l2.tags.key[e], (enum line_state)c->l2.flags[e]))
            return err_set(err, ERR_RUN, "check: line 0x%llx is in cpu%u's L2 in state %u without the directory knowing",
                           (unsigned long long)c->l2.tags.key[e] << LINE_SHIFT, c->id, c->l2.flags[e]);
    return 0;
}

int machine_check(struct machine *m, struct err *err)
{
    const struct frame_map *f = m->frames;
    uint64_t free_pages = frames_free_pages(f), listed = frames_pcp_pages(f), used = frames_allocated_pages(f);
    if (free_pages + listed + used != f->managed)
        return err_set(err, ERR_RUN, "conservation: %llu free + %llu per-CPU + %llu allocated frames are not %llu "
                                     "managed ones", (unsigned long long)free_pages, (unsigned long long)listed,
                       (unsigned long long)used, (unsigned long long)f->managed);
    if (!m->cfg.sim.checks)
        return 0;
    /* While a handler's stores are under way, tables are allocated that no entry points to yet. */
    if (frames_check(f, err) < 0 || (!m->os_locked && vm_check(m->vm, err) < 0))
        return -1;
    if (m->compaction && compaction_check(m->compaction, err) < 0)
        return -1;
    if (m->has_objects && slab_check(m->slab, err) < 0)
        return -1;
    for (unsigned k = 0; k < m->cores; k++)
        if ((m->cfg.mmu.enabled && check_core(m, &m->core[k], err) < 0) || hot_check(&m->core[k], err) < 0 || check_lines(m, &m->core[k], err) < 0)
            return -1;
    return 0;
}

struct stats *machine_stats(struct machine *m) { return m->stats; }
const struct machine_config *machine_cfg(const struct machine *m) { return &m->cfg; }
struct frame_map *machine_frames(struct machine *m) { return m->frames; }
struct slab_sys *machine_slab(struct machine *m) { return m->slab; }
bool machine_has_objects(const struct machine *m) { return m->has_objects; }
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
