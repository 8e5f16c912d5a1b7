/*
 * Page tables of one process as the operating system edits them. Internal to this library; entries are stored at once.
 */
#ifndef VM_PGTABLE_H
#define VM_PGTABLE_H

#include "vm/vm.h"

/* As Linux's _PAGE_TABLE: a table pointer never restricts rights and needs no accessed bit set later. */
#define TABLE_FLAGS (PTE_RW | PTE_US | PTE_A | PTE_D)

static inline uint64_t pt_read(const struct vm *vm, pa_t pa) { return *(const uint64_t *)phys_at(vm->mem, pa); }
static inline void pt_write(struct vm *vm, pa_t pa, uint64_t v) { *(uint64_t *)phys_at(vm->mem, pa) = v; }
static inline pa_t pt_entry_pa(pa_t table, va_t va, unsigned level)
{
    return (pa_t){table.v + PTE_BYTES * level_index(va, level)};
}
/* End of the user half: the lower canonical half. */
static inline uint64_t user_end(const struct vm *vm) { return UINT64_C(1) << (levels_va_bits(vm->paging.levels) - 1); }

/* A zeroed table whose entries are of `level`, owned by asid, or PFN_NONE; counted. */
pfn_t table_alloc(struct vm *vm, uint32_t asid, va_t va, unsigned level, gfp_t gfp);
void table_free(struct vm *vm, uint32_t asid, pfn_t pfn);
/* What entry `i` of a table of `level` translates, whose first entry translates `base`; canonical. */
uint64_t table_entry_va(const struct vm *vm, uint64_t base, unsigned level, uint64_t i);
/* What table_alloc wrote into the owner's fields of the frame. */
uint64_t table_vpn(const struct vm *vm, va_t va, unsigned level);

/* Frames for a page of `size` with their owner set, or PFN_NONE; counted in the process. */
pfn_t page_alloc(struct vm *vm, uint32_t asid, va_t va, enum page_size size);
/* The process maps the page at va no more; the frames are freed if nobody else does. */
void page_free(struct vm *vm, uint32_t asid, va_t va, pfn_t pfn, enum page_size size);
/* How many entries map the page. */
static inline uint32_t page_mapcount(const struct vm *vm, pfn_t pfn) { return frame_at(vm->frames, pfn)->mapcount; }
/* Frames of a 1 GiB page are blocks of 2 MiB, all others one block; each block has a record with who maps it. */
uint64_t page_blocks(enum page_size size);
/* The entry of `asid` that maps frame `pfn` at va as a page of `size`; pa 0: there is none. */
pa_t pgtable_leaf(const struct vm *vm, uint32_t asid, va_t va, pfn_t pfn, enum page_size size);
/* Has the mapping at va MAP_SHARED? */
bool va_shared(const struct vm *vm, uint32_t asid, uint64_t va);
/*
 * Splits the page of `size` that starts at `base` wherever it is mapped: its frames become blocks of the next smaller size, each
 * entry a table. False: no frame for a table, no host memory; nothing has changed.
 */
bool pages_split(struct vm *vm, pa_t base, enum page_size size, const struct vm_shootdown *sd);

/* Calls on each leaf of [start, end), large pages on a border are split first; user half. */
uint64_t pgtable_zap(struct vm *vm, uint32_t asid, uint64_t start, uint64_t end, const struct vm_shootdown *sd);
void pgtable_protect(struct vm *vm, uint32_t asid, uint64_t start, uint64_t end, unsigned prot,
                     const struct vm_shootdown *sd);
/* Moves what is mapped in [from, from + bytes) to `to`; the ranges are disjoint and the target is empty. */
void pgtable_move(struct vm *vm, uint32_t asid, uint64_t from, uint64_t to, uint64_t bytes,
                  const struct vm_shootdown *sd);
/* Frees every page and every table but the root, which is left empty. */
void pgtable_clear(struct vm *vm, uint32_t asid);

/* Rights of a leaf for a mapping with `prot` (strict) or for any (not strict). */
uint64_t leaf_flags(const struct vm *vm, unsigned prot, bool user);

#endif
