#include "random_case.h"

#include <stdio.h>
#include <string.h>

static bool chance(struct rng *r, unsigned percent)
{
    return rng_below(r, 100) < percent;
}

static uint32_t between(struct rng *r, uint32_t low, uint32_t high)
{
    return low + (uint32_t)rng_below(r, high - low + 1);
}

/* A latency: often at its lower bound, where phases and orders meet. */
static uint32_t latency(struct rng *r, uint32_t low, uint32_t high)
{
    return chance(r, 35) ? low : between(r, low, high);
}

static uint32_t ways_for(struct rng *r, int policy, uint32_t max_log)
{
    if (policy == REPL_tree_plru || chance(r, 60))
        return 1u << between(r, 0, max_log);
    return between(r, 1, 1u << max_log);
}

static void random_cache(struct rng *r, struct cache_config *c, uint32_t max_sets_log, uint32_t max_ways_log)
{
    c->enabled = true;
    c->replacement = (int)rng_below(r, REPL_COUNT);
    c->ways = ways_for(r, c->replacement, max_ways_log);
    uint32_t sets = chance(r, 80) ? 1u << between(r, 1, max_sets_log) : between(r, 2, 1u << max_sets_log);
    c->size_bytes = (uint64_t)sets * c->ways * LINE_BYTES;
    c->mshrs = chance(r, 30) ? 1 : between(r, 1, 8);
}

static void random_level(struct rng *r, uint32_t *entries, uint32_t *ways, int policy)
{
    *ways = ways_for(r, policy, 3);
    *entries = *ways * between(r, 1, 4);
}

static void random_tlb(struct rng *r, struct tlb_config *t, bool second)
{
    t->replacement = (int)rng_below(r, REPL_COUNT);
    random_level(r, &t->entries, &t->ways, t->replacement);
    t->latency = second ? latency(r, 0, 9) : 0;
    struct tlb_large_config *large[] = {&t->huge_2m, &t->huge_1g};
    for (unsigned i = 0; i < 2; i++) {
        *large[i] = (struct tlb_large_config){.entries = 0, .ways = 1, .shared = chance(r, 30)};
        if (!large[i]->shared && chance(r, 50))
            random_level(r, &large[i]->entries, &large[i]->ways, t->replacement);
    }
}

static void random_psc(struct rng *r, struct psc_level_config *p)
{
    p->replacement = (int)rng_below(r, REPL_COUNT);
    p->entries = 0;
    p->ways = 1;
    if (chance(r, 75))
        random_level(r, &p->entries, &p->ways, p->replacement);
}

static void random_dram(struct rng *r, struct dram_config *d)
{
    dram_config_default(d);
    d->standard = (int)rng_below(r, DRAM_STD_COUNT);
    d->channels = between(r, 1, 2);
    d->ranks = 1u << between(r, 0, 1);
    d->mapping = (int)rng_below(r, 6);
    d->scheduler = (int)rng_below(r, 3);
    d->page_policy = (int)rng_below(r, 3);
    d->bank_xor = chance(r, 30);
    d->read_queue = chance(r, 30) ? 1 : between(r, 1, 32);
    d->write_queue = between(r, 2, 32);
    d->drain_high = between(r, 1, d->write_queue);
    d->drain_low = (uint32_t)rng_below(r, d->drain_high);
    d->write_idle = (uint32_t)rng_below(r, d->drain_high);
    d->controller_latency = chance(r, 40) ? 0 : rng_below(r, 20000);
    d->refresh = chance(r, 60);
}

static void base(struct machine_config *m)
{
    memset(m, 0, sizeof *m);
    mmu_config_defaults(&m->mmu);
    dram_config_default(&m->dram);
    frames_config_defaults(&m->memory, &m->buddy);
    vm_config_defaults(&m->vm);
    m->sim.mode = SIM_MODE_TIMED;
    m->sim.quantum = 1000;
    m->cache.llc_inclusive = true;
    m->cache.coherence = true;
    m->cache.write_back = true;
    m->cache.straddle = STRADDLE_SPLIT;
    m->cache.modify_counts = MODIFY_COUNTS_WRITE;
    m->memory.size_bytes = 64u << 20;
}

void random_machine(struct machine_config *m, struct rng *r, uint32_t max_cores)
{
    static const uint64_t frequencies[] = {1000000000u, 2000000000u, 3200000000u, 3333333333u, 800000000u};
    base(m);
    m->sim.seed = rng_next(r) >> 1;
    m->cpu.count = between(r, 1, max_cores);
    m->cpu.model = chance(r, 65) ? CPU_MODEL_WINDOW : CPU_MODEL_INORDER;
    m->cpu.frequency_hz = frequencies[rng_below(r, ARRAY_LEN(frequencies))];
    m->cpu.width = between(r, 1, 6);
    m->cpu.window = chance(r, 20) ? 1 : between(r, 2, 64);
    m->cpu.store_buffer = chance(r, 25) ? 1 : between(r, 1, 16);
    random_cache(r, &m->cache.l1i, 3, 2);
    random_cache(r, &m->cache.l1d, 3, 2);
    random_cache(r, &m->cache.l2, 4, 2);
    random_cache(r, &m->cache.llc, 5, 3);
    m->cache.l1i.latency_cycles = latency(r, 1, 4);
    m->cache.l1d.latency_cycles = latency(r, 1, 5);
    uint32_t l1 = m->cache.l1i.latency_cycles > m->cache.l1d.latency_cycles ? m->cache.l1i.latency_cycles
                                                                            : m->cache.l1d.latency_cycles;
    m->cache.l2.latency_cycles = latency(r, l1 + 1, l1 + 14); /* below or equal: refused */
    m->cache.llc.latency_cycles = latency(r, 1, 30);
    m->bus.request_latency_cycles = latency(r, 1, 12);
    m->bus.response_latency_cycles = latency(r, 1, 12);
    m->bus.occupancy_cycles = latency(r, 1, 6);
    m->bus.arbiter = (int)rng_below(r, 2);
    random_dram(r, &m->dram);

    m->mmu.enabled = chance(r, 88);
    m->mmu.levels = between(r, 4, 5);
    m->mmu.walkers = between(r, 1, 4);
    m->mmu.ad_assist = chance(r, 30) ? 0 : between(r, 1, 60);
    m->mmu.walker.entry = chance(r, 65) ? MMU_WALKER_L1D : MMU_WALKER_L2;
    random_tlb(r, &m->mmu.itlb, false);
    random_tlb(r, &m->mmu.dtlb, false);
    random_tlb(r, &m->mmu.stlb, true);
    m->mmu.pwc.latency = latency(r, 0, 3);
    random_psc(r, &m->mmu.pwc.pde);
    random_psc(r, &m->mmu.pwc.pdpte);
    random_psc(r, &m->mmu.pwc.pml4e);
    random_psc(r, &m->mmu.pwc.pml5e);

    m->memory.size_bytes = chance(r, 25) ? (1u << 20) : chance(r, 30) ? 2u << 20 : 64u << 20;
    m->vm.page_size = m->memory.size_bytes == 64u << 20 && chance(r, 12) ? PAGE_SIZE_2M : PAGE_SIZE_4K;
    m->vm.strict = chance(r, 20);
    m->vm.fault_entry_cycles = latency(r, 0, 100);
    m->vm.fault_cycles = latency(r, 0, 300);
    m->vm.fault_exit_cycles = latency(r, 0, 50);
    m->vm.syscall_cycles = latency(r, 0, 100);
}

void plain_machine(struct machine_config *m, uint32_t cores)
{
    base(m);
    m->sim.seed = 1;
    m->cpu = (struct cpu_config){.count = cores, .model = CPU_MODEL_INORDER, .frequency_hz = 1000000000u, .width = 1,
                                 .window = 1, .store_buffer = 4};
    m->cache.l1i = (struct cache_config){true, 4096, 4, 2, 4, REPL_lru};
    m->cache.l1d = (struct cache_config){true, 4096, 4, 2, 4, REPL_lru};
    m->cache.l2 = (struct cache_config){true, 16384, 4, 9, 8, REPL_lru};
    m->cache.llc = (struct cache_config){true, 65536, 8, 20, 16, REPL_lru};
    m->bus = (struct bus_config){3, 5, 2, ARBITER_ROUND_ROBIN};
    m->dram.refresh = false;
    m->mmu.enabled = false;
}

void describe_machine(const struct machine_config *m, char *buf, size_t size)
{
    snprintf(buf, size,
             "%u cores %s width %u window %u sb %u; l1d %u sets x %u %s lat %u mshr %u; l2 lat %u mshr %u; llc %u sets x %u %s lat %u "
             "mshr %u; bus %u/%u occ %u arb %d; mmu %d levels %u walkers %u entry %d stlb %u pwc %u ad %u; memory %llu KiB page %d "
             "strict %d; dram %s",
             m->cpu.count, m->cpu.model == CPU_MODEL_WINDOW ? "window" : "inorder", m->cpu.width, m->cpu.window,
             m->cpu.store_buffer, cache_sets(&m->cache.l1d), m->cache.l1d.ways, repl_policy_names[m->cache.l1d.replacement],
             m->cache.l1d.latency_cycles, m->cache.l1d.mshrs, m->cache.l2.latency_cycles, m->cache.l2.mshrs,
             cache_sets(&m->cache.llc), m->cache.llc.ways, repl_policy_names[m->cache.llc.replacement],
             m->cache.llc.latency_cycles, m->cache.llc.mshrs, m->bus.request_latency_cycles, m->bus.response_latency_cycles,
             m->bus.occupancy_cycles, m->bus.arbiter, m->mmu.enabled, m->mmu.levels, m->mmu.walkers, m->mmu.walker.entry,
             m->mmu.stlb.latency, m->mmu.pwc.latency, m->mmu.ad_assist, (unsigned long long)m->memory.size_bytes >> 10,
             m->vm.page_size, m->vm.strict, dram_std_names[m->dram.standard]);
}
