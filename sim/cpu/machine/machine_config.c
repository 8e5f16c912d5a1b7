/* Defaults without a configuration file, from the same tables: for tests and for the oracle. */
#include "cpu/machine/machine_config.h"

#include <assert.h>
#include <string.h>

static void apply(const struct param *t, size_t n, void *object)
{
    for (size_t i = 0; i < n; i++) {
        void *at = (char *)object + t[i].offset;
        switch (t[i].type) {
        case P_BOOL:
            *(bool *)at = t[i].def != 0;
            break;
        case P_U32:
        case P_CYC:
            *(uint32_t *)at = (uint32_t)t[i].def;
            break;
        case P_ENUM:
            *(int *)at = (int)t[i].def;
            break;
        case P_U64:
        case P_SIZE:
        case P_TIME:
        case P_FREQ:
            *(uint64_t *)at = t[i].def;
            break;
        case P_PATH:
            *(char **)at = NULL;
            break;
        default:
            assert(0 && "a type that these tables do not use");
        }
    }
}

void machine_config_defaults(struct machine_config *m)
{
    memset(m, 0, sizeof *m);
    apply(sim_params, sim_params_n, &m->sim);
    apply(cpu_params, cpu_params_n, &m->cpu);
    apply(caches_params, caches_params_n, &m->cache);
    apply(cache_l1i_params, cache_level_params_n, &m->cache.l1i);
    apply(cache_l1d_params, cache_level_params_n, &m->cache.l1d);
    apply(cache_l2_params, cache_level_params_n, &m->cache.l2);
    apply(cache_llc_params, cache_level_params_n, &m->cache.llc);
    apply(bus_params, bus_params_n, &m->bus);
    mmu_config_defaults(&m->mmu);
    slab_config_defaults(&m->slab);
    vm_config_defaults(&m->vm);
    frames_config_defaults(&m->memory, &m->buddy);
    dram_config_default(&m->dram);
}
