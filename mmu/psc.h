/*
 * Paging-structure caches: PML5E, PML4E, PDPTE and PDE pointers by linear-address prefix and address space, each with
 * the next table and the rights accumulated down to it (Intel SDM vol. 3A 4.10.3, x86-hardware.md 2.9). A hit at level n
 * skips the reads of levels n and above. Entries are snapshots: they see no later change of memory until invalidated.
 *
 * Owned by one core, not thread-safe. Model: docs/model/psc.md.
 */
#ifndef MMU_PSC_H
#define MMU_PSC_H

#include "engine/assoc.h"
#include "engine/stats.h"
#include "mmu/paging.h"

#define PSC_MIN_LEVEL 2 /* a PDE points to a page table */
#define PSC_MAX_LEVEL 5

struct psc_level_config {
    uint32_t entries; /* 0: no cache for this level */
    uint32_t ways;
    int replacement; /* enum repl_policy */
};
struct psc_config {
    struct psc_level_config pde, pdpte, pml4e, pml5e;
    uint32_t latency; /* core cycles of the parallel probe of all levels */
};

#define PSC_STATS(X) \
    X(accesses, "lookups", "walks that asked the paging-structure caches") \
    X(hits, "lookups", "walks that skipped at least the root") \
    X(misses, "lookups", "walks that began at the root") \
    X(pde_hits, "lookups", "walks that began at the page table") \
    X(pdpte_hits, "lookups", "walks that began at the page directory") \
    X(pml4e_hits, "lookups", "walks that began at the page-directory-pointer table") \
    X(pml5e_hits, "lookups", "walks that began at the PML4 (5-level paging)") \
    X(pde_fills, "entries", "PDE entries filled") \
    X(pdpte_fills, "entries", "PDPTE entries filled") \
    X(pml4e_fills, "entries", "PML4E entries filled") \
    X(pml5e_fills, "entries", "PML5E entries filled") \
    X(evictions, "entries", "entries replaced by a fill") \
    X(invalidations, "entries", "entries dropped by INVLPG, a flush or a fault")
struct psc_stats { PSC_STATS(STAT_FIELD) };
extern const struct stat_desc psc_stat_descs[];
extern const size_t psc_n_stat_descs;

struct psc_level {
    struct assoc tags;
    uint64_t *payload; /* next table, with PTE_RW, PTE_US and PTE_XD accumulated down to and with this entry */
    bool present;
};
struct psc {
    struct psc_level level[PSC_MAX_LEVEL + 1]; /* [2] PDE .. [5] PML5E */
    struct psc_stats st;
};

/* `name` ("cpu0.pwc") is used in messages and seeds the random policy. -1 and *err on an impossible size. */
int psc_init(struct psc *p, const struct psc_config *c, uint64_t seed, const char *name, struct err *err);
void psc_fini(struct psc *p);

/*
 * Moves a walk that walk_begin prepared to the longest cached prefix; returns the level of the entry that hit (2..5),
 * or 0: the walk starts at the root.
 */
unsigned psc_start(struct psc *p, uint32_t asid, struct walk *w);
/* After WALK_NEXT, once A is set in memory: keeps the pointer just passed. */
void psc_fill(struct psc *p, uint32_t asid, const struct walk *w);

void psc_invalidate_va(struct psc *p, uint32_t asid, va_t va); /* #PF, INVPCID type 0 */
void psc_flush_asid(struct psc *p, uint32_t asid);             /* INVLPG: all of the address space (2.8) */
void psc_flush_all(struct psc *p);
/* All levels and statistics; the tables that entries point to lie below `memory` bytes. */
void psc_state(struct psc *p, uint64_t memory, struct state_io *io);
/* Every entry of `asid` points where the tables point and grants no more than they do. -1 and *err if not. */
int psc_check(const struct psc *p, uint32_t asid, const struct paging_root *root, const struct pt_memory *mem,
              struct err *err);

#endif
