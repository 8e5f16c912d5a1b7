#include "mmu/params.h"

#include <string.h>

enum { ENTRIES_MAX = 65536 };

#define SIZE_PARAMS(T, entries_, entries_min_, ways_) \
    {.key = "entries", .type = P_U32, .offset = offsetof(T, entries), .def = (entries_), .min = (entries_min_), \
     .max = ENTRIES_MAX, .help = "Total entries (sets times ways)."}, \
    {.key = "ways", .type = P_U32, .offset = offsetof(T, ways), .def = (ways_), .min = 1, .max = ENTRIES_MAX, \
     .help = "Entries in a set; equal to entries: fully associative."}
#define REPLACEMENT_PARAM(T) \
    {.key = "replacement", .type = P_ENUM, .offset = offsetof(T, replacement), .def = REPL_lru, \
     .names = repl_policy_names, .help = "Replacement policy; real parts do not document theirs (x86-hardware.md 13)."}

#define TLB_PARAMS(entries_, ways_) \
    SIZE_PARAMS(struct tlb_config, entries_, 1, ways_), REPLACEMENT_PARAM(struct tlb_config)
#define TLB_LARGE_PARAMS(name, entries_, ways_, shared_) \
    static const struct param name[] = { \
        SIZE_PARAMS(struct tlb_large_config, entries_, 0, ways_), \
        {.key = "shared", .type = P_BOOL, .offset = offsetof(struct tlb_large_config, shared), .def = (shared_), \
         .help = "Keep pages of this size in the base array (entries and ways are then not used)."}, \
    }
#define PSC_PARAMS(name, entries_, ways_) \
    static const struct param name[] = { \
        SIZE_PARAMS(struct psc_level_config, entries_, 0, ways_), \
        REPLACEMENT_PARAM(struct psc_level_config), \
    }

static const char *const walker_entry_names[] = {"l1d", "l2", NULL};

static const struct param mmu_params[] = {
    {.key = "enabled", .type = P_BOOL, .offset = offsetof(struct mmu_config, enabled), .def = 1,
     .help = "Translate addresses; false makes linear addresses physical ones."},
    {.key = "levels", .type = P_U32, .offset = offsetof(struct mmu_config, levels), .def = 4, .min = 4, .max = 5,
     .help = "Levels of the page tables: 4 (48-bit addresses) or 5 (57-bit, CR4.LA57)."},
    {.key = "max_phys_bits", .type = P_U32, .offset = offsetof(struct mmu_config, max_phys_bits), .def = 46, .min = 32,
     .max = 52, .help = "MAXPHYADDR in bits (CPUID 0x80000008); 46 on Skylake-SP."},
    {.key = "page_1g", .type = P_BOOL, .offset = offsetof(struct mmu_config, page_1g), .def = 1,
     .help = "1 GiB pages exist (CPUID page1gb)."},
    {.key = "nxe", .type = P_BOOL, .offset = offsetof(struct mmu_config, nxe), .def = 1,
     .help = "EFER.NXE: bit 63 of an entry forbids execution."},
    {.key = "smep", .type = P_BOOL, .offset = offsetof(struct mmu_config, smep), .def = 1,
     .help = "CR4.SMEP: supervisor code may not run on user pages."},
    {.key = "smap", .type = P_BOOL, .offset = offsetof(struct mmu_config, smap), .def = 1,
     .help = "CR4.SMAP: supervisor data accesses to user pages need EFLAGS.AC."},
    {.key = "wp", .type = P_BOOL, .offset = offsetof(struct mmu_config, wp), .def = 1,
     .help = "CR0.WP: supervisor writes obey the R/W bit."},
    {.key = "walkers", .type = P_U32, .offset = offsetof(struct mmu_config, walkers), .def = 2, .min = 1, .max = 64,
     .flags = PARAM_NOT_WARM, .help = "Page walks in flight at once, a core (2 on Skylake, 4 on Golden Cove; x86-hardware.md 3.1)."},
    {.key = "ad_assist", .type = P_CYC, .offset = offsetof(struct mmu_config, ad_assist), .def = 150, .max = 100000,
     .flags = PARAM_NOT_WARM, .help = "Core cycles of the assist that sets an accessed or dirty bit, beyond its memory access "
             "(x86-hardware.md 2.7: hundreds)."},
};

static const struct param walker_params[] = {
    {.key = "entry", .type = P_ENUM, .offset = 0, .def = MMU_WALKER_L1D, .names = walker_entry_names,
     .help = "The cache that page-table reads enter."},
};

/* A hit of a first-level TLB is hidden in the first-level cache's latency: no key. */
static const struct param itlb_params[] = {TLB_PARAMS(128, 8)};
TLB_LARGE_PARAMS(itlb_2m_params, 8, 8, 0);
TLB_LARGE_PARAMS(itlb_1g_params, 0, 1, 0);
static const struct param dtlb_params[] = {TLB_PARAMS(64, 4)};
TLB_LARGE_PARAMS(dtlb_2m_params, 32, 4, 0);
TLB_LARGE_PARAMS(dtlb_1g_params, 4, 4, 0);
static const struct param stlb_params[] = {
    TLB_PARAMS(1536, 12),
    {.key = "latency", .type = P_CYC, .offset = offsetof(struct tlb_config, latency), .def = 9, .max = 10000,
     .flags = PARAM_NOT_WARM, .help = "Core cycles from a first-level miss to the second level's answer (Skylake-X 9, Golden Cove 7; "
             "x86-hardware.md 3.2)."},
};
TLB_LARGE_PARAMS(stlb_2m_params, 0, 1, 1);
TLB_LARGE_PARAMS(stlb_1g_params, 16, 4, 0);

static const struct param pwc_params[] = {
    {.key = "latency", .type = P_CYC, .offset = offsetof(struct psc_config, latency), .def = 1, .max = 1000,
     .flags = PARAM_NOT_WARM, .help = "Core cycles of the parallel probe of all levels before a walk's first read (x86-hardware.md 3.3)."},
};
PSC_PARAMS(pde_params, 32, 4);
PSC_PARAMS(pdpte_params, 4, 4);
PSC_PARAMS(pml4e_params, 2, 2);
PSC_PARAMS(pml5e_params, 2, 2);

#define GROUP(path_, table_, member_, help_) \
    {.path = path_, .table = table_, .n = ARRAY_LEN(table_), .base = offsetof(struct mmu_config, member_), .help = help_}

const struct param_group mmu_param_groups[] = {
    {.path = "mmu", .table = mmu_params, .n = ARRAY_LEN(mmu_params), .base = 0, .help = "Address translation."},
    GROUP("mmu.walker", walker_params, walker, "The page walkers of a core."),
    GROUP("mmu.itlb", itlb_params, itlb, "First-level instruction TLB, 4 KiB pages (Skylake-SP)."),
    GROUP("mmu.itlb.huge_2m", itlb_2m_params, itlb.huge_2m, "Its 2 MiB pages; without entries they are kept as 4 KiB."),
    GROUP("mmu.itlb.huge_1g", itlb_1g_params, itlb.huge_1g, "Its 1 GiB pages; without entries they are kept as 2 MiB."),
    GROUP("mmu.dtlb", dtlb_params, dtlb, "First-level data TLB, 4 KiB pages (Skylake-SP)."),
    GROUP("mmu.dtlb.huge_2m", dtlb_2m_params, dtlb.huge_2m, "Its 2 MiB pages."),
    GROUP("mmu.dtlb.huge_1g", dtlb_1g_params, dtlb.huge_1g, "Its 1 GiB pages."),
    GROUP("mmu.stlb", stlb_params, stlb, "Second-level TLB for code and data (Skylake-SP: 4 KiB and 2 MiB shared)."),
    GROUP("mmu.stlb.huge_2m", stlb_2m_params, stlb.huge_2m, "Its 2 MiB pages."),
    GROUP("mmu.stlb.huge_1g", stlb_1g_params, stlb.huge_1g, "Its 1 GiB pages."),
    GROUP("mmu.pwc", pwc_params, pwc, "Paging-structure caches (page-walk caches)."),
    GROUP("mmu.pwc.pde", pde_params, pwc.pde, "PDE cache: a hit leaves one read. 0 entries: absent."),
    GROUP("mmu.pwc.pdpte", pdpte_params, pwc.pdpte, "PDPTE cache: a hit leaves two reads. 0 entries: absent."),
    GROUP("mmu.pwc.pml4e", pml4e_params, pwc.pml4e, "PML4E cache: a hit leaves three reads. 0 entries: absent."),
    GROUP("mmu.pwc.pml5e", pml5e_params, pwc.pml5e, "PML5E cache (5-level paging). 0 entries: absent."),
};
const size_t mmu_n_param_groups = ARRAY_LEN(mmu_param_groups);

void mmu_config_defaults(struct mmu_config *c)
{
    memset(c, 0, sizeof *c);
    param_group_defaults(mmu_param_groups, mmu_n_param_groups, c);
}

static int check_size(const char *key, uint32_t entries, uint32_t ways, int policy, struct err *err)
{
    if (entries == 0)
        return 0;
    if (ways == 0 || entries % ways != 0) {
        err_set(err, ERR_USAGE, "%s: %u entries cannot be arranged in sets of %u ways", key, entries, ways);
        return err_remedy(err, "make %s.entries a multiple of %s.ways", key, key);
    }
    if (policy == REPL_tree_plru && (ways & (ways - 1)) != 0) {
        err_set(err, ERR_USAGE, "%s: tree_plru needs a power of two of ways, not %u", key, ways);
        return err_remedy(err, "change %s.ways or %s.replacement", key, key);
    }
    return 0;
}

int mmu_config_check(const struct mmu_config *c, struct err *err)
{
    const struct { const char *key; const struct tlb_config *t; } tlbs[] = {
        {"mmu.itlb", &c->itlb}, {"mmu.dtlb", &c->dtlb}, {"mmu.stlb", &c->stlb}};
    for (size_t i = 0; i < ARRAY_LEN(tlbs); i++) {
        const struct tlb_config *t = tlbs[i].t;
        const struct { const char *suffix; const struct tlb_large_config *l; } large[] = {
            {".huge_2m", &t->huge_2m}, {".huge_1g", &t->huge_1g}};
        if (check_size(tlbs[i].key, t->entries, t->ways, t->replacement, err) < 0)
            return -1;
        for (size_t j = 0; j < ARRAY_LEN(large); j++) {
            char key[64] = "";
            strncat(strncat(key, tlbs[i].key, 31), large[j].suffix, 31);
            if (!large[j].l->shared && check_size(key, large[j].l->entries, large[j].l->ways, t->replacement, err) < 0)
                return -1;
        }
    }
    const struct { const char *key; const struct psc_level_config *l; } pscs[] = {
        {"mmu.pwc.pde", &c->pwc.pde}, {"mmu.pwc.pdpte", &c->pwc.pdpte},
        {"mmu.pwc.pml4e", &c->pwc.pml4e}, {"mmu.pwc.pml5e", &c->pwc.pml5e}};
    for (size_t i = 0; i < ARRAY_LEN(pscs); i++)
        if (check_size(pscs[i].key, pscs[i].l->entries, pscs[i].l->ways, pscs[i].l->replacement, err) < 0)
            return -1;
    return 0;
}

uint16_t mmu_config_paging_flags(const struct mmu_config *c)
{
    return (uint16_t)((c->wp ? PAGING_WP : 0) | (c->nxe ? PAGING_NXE : 0) | (c->smep ? PAGING_SMEP : 0) |
                      (c->smap ? PAGING_SMAP : 0) | (c->page_1g ? PAGING_PAGE1G : 0));
}
