/* The building of a machine from its configuration, and its end. */
#include "cpu/machine/machine_internal.h"

#include "cpu/priv.h"

#include <assert.h>
#include <stdlib.h>

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
    bool timed = cfg->sim.mode == SIM_MODE_TIMED, given = m->frames != NULL;
    cfg->buddy.cpus = cfg->cpu.count;
    m->cores = cfg->cpu.count;
    m->period = cpu_period_ps(&cfg->cpu);
    m->core = calloc(m->cores, sizeof *m->core);
    m->os_queue = calloc(m->cores, sizeof *m->os_queue);
    if (!m->core || !m->os_queue)
        return err_set(err, ERR_RUN, "out of host memory for %u cores", m->cores);
    if (machine_config_check(cfg, err) < 0 || stats_new(&m->stats, err) < 0 ||
        (!m->frames && frame_map_new(&m->frames, &cfg->memory, &cfg->buddy, err) < 0) || !m->frames ||
        phys_mem_init(&m->mem, m->frames->n_frames * PAGE_BYTES, err) < 0)
        return -1;
    struct paging_root paging = {.levels = (uint8_t)cfg->mmu.levels, .max_phys_bits = (uint8_t)cfg->mmu.max_phys_bits,
                                 .flags = mmu_config_paging_flags(&cfg->mmu)};
    if (vm_new(&m->vm, &cfg->vm, m->frames, &m->mem, &paging, err) < 0)
        return -1;
    uint64_t top = m->frames->n_frames * PAGE_BYTES; /* memory that starts as a snapshot has its own size */
    cfg->dram.ranks = dram_ranks_for(&cfg->dram, given ? top : cfg->memory.size_bytes);
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
    return machine_new_with(out, cfg, NULL, NULL, err);
}

int machine_new_with(struct machine **out, const struct machine_config *cfg, struct frame_map *memory,
                     const struct ageing_report *report, struct err *err)
{
    struct machine *m = calloc(1, sizeof *m);
    *out = NULL;
    if (!m) {
        frame_map_free(memory);
        return err_set(err, ERR_RUN, "out of host memory for the machine");
    }
    m->cfg = *cfg;
    m->frames = memory;
    if (report)
        m->aged = *report;
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
    slab_calls_free(m->calls);
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
void machine_set_process_groups(struct machine *m, uint32_t n) { m->process_group = n; }
void machine_set_order(struct machine *m, const unsigned *order) { m->order = order; }

void machine_set_hooks(struct machine *m, const struct machine_hooks *h)
{
    m->hooks = *h;
    memsys_set_arrival_hook(m->memsys, h->arrival ? on_arrival : NULL);
}
