/* The whole machine as configured: the root struct of the configuration. One member a section; each section's table
 * stands beside its struct in the library that uses it. */
#ifndef CPU_MACHINE_CONFIG_H
#define CPU_MACHINE_CONFIG_H

#include "cpu/cpu_config.h"
#include "frames/frames_config.h"
#include "memory/cache_config.h"
#include "memory/dram.h"
#include "mmu/params.h"
#include "slab/slab_config.h"
#include "vm/params.h"

struct machine_config {
    struct sim_config sim;
    struct cpu_config cpu;
    struct mmu_config mmu;
    struct caches_config cache;
    struct bus_config bus;
    struct dram_config dram;
    struct memory_config memory;
    struct buddy_config buddy;
    struct slab_config slab;
    struct vm_config vm;
};

/* All defaults, as `{}` gives. */
void machine_config_defaults(struct machine_config *m);
/* Combinations that cannot work; -1 and *err names the keys. */
int machine_config_check(const struct machine_config *m, struct err *err);

#endif
