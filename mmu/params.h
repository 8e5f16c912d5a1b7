/*
 * The configuration section `mmu`. Defaults are Skylake-SP (x86-hardware.md 3.1-3.3).
 */
#ifndef MMU_PARAMS_H
#define MMU_PARAMS_H

#include "engine/params.h"
#include "mmu/psc.h"
#include "mmu/tlb.h"

enum mmu_walker_entry { MMU_WALKER_L1D, MMU_WALKER_L2 };

struct mmu_config {
    bool enabled;           /* false: linear addresses are physical ones */
    uint32_t levels;        /* 4 or 5 */
    uint32_t max_phys_bits; /* MAXPHYADDR */
    bool page_1g, nxe, smep, smap, wp;
    uint32_t walkers;       /* walks in flight at once */
    uint32_t ad_assist;     /* core cycles */
    struct { int entry; } walker; /* enum mmu_walker_entry: the cache that page-table reads enter */
    struct tlb_config itlb, dtlb, stlb;
    struct psc_config pwc;
};

/* Groups under "mmu", their bases relative to struct mmu_config. */
extern const struct param_group mmu_param_groups[];
extern const size_t mmu_n_param_groups;

/* The tables' defaults, for callers without a configuration file. */
void mmu_config_defaults(struct mmu_config *c);
/* Combinations that no single range can refuse. -1 and *err. */
int mmu_config_check(const struct mmu_config *c, struct err *err);
/* PAGING_* flags of the configuration. */
uint16_t mmu_config_paging_flags(const struct mmu_config *c);

#endif
