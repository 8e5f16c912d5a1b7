/* Defaults without a configuration file, from the same tables: for tests and for the oracle. */
#include "cpu/machine/machine_config.h"

#include <string.h>

void machine_config_defaults(struct machine_config *m)
{
    memset(m, 0, sizeof *m);
    param_defaults(sim_params, sim_params_n, &m->sim);
    param_defaults(cpu_params, cpu_params_n, &m->cpu);
    param_defaults(caches_params, caches_params_n, &m->cache);
    param_defaults(cache_l1i_params, cache_level_params_n, &m->cache.l1i);
    param_defaults(cache_l1d_params, cache_level_params_n, &m->cache.l1d);
    param_defaults(cache_l2_params, cache_level_params_n, &m->cache.l2);
    param_defaults(cache_llc_params, cache_level_params_n, &m->cache.llc);
    param_defaults(bus_params, bus_params_n, &m->bus);
    mmu_config_defaults(&m->mmu);
    slab_config_defaults(&m->slab);
    vm_config_defaults(&m->vm);
    frames_config_defaults(&m->memory, &m->buddy);
    dram_config_default(&m->dram);
}
