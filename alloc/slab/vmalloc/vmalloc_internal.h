/* The state of vmalloc, shared by its files. */
#ifndef SLAB_VMALLOC_INTERNAL_H
#define SLAB_VMALLOC_INTERNAL_H

#include "slab/slab_internal.h"
#include "slab/vmalloc/range_tree.h"
#include "slab/vmalloc/vmalloc.h"

enum area_kind { AREA_VMALLOC, AREA_VMAP, AREA_BLOCK };

struct area {
    uint64_t start, pages;  /* first page number of the space; guard not counted */
    uint64_t span;          /* pages of address space */
    uint8_t kind;
    bool huge;              /* mapped with 2 MiB pages where it has them */
    uint16_t cpu;           /* whose pool its range goes back to */
    uint32_t huge_pages;
    uint64_t *pfn;          /* [pages] host array; UINT64_MAX: not mapped (blocks) */
    va_t array;             /* the kernel's array of page pointers */
    bool array_is_vmalloc;
    uint64_t call_site;
    uint32_t used, dirty;   /* AREA_BLOCK: pages handed out, given back */
    struct area *next_block; /* AREA_BLOCK: of the same CPU with room */
};

struct lazy { uint64_t start, span; uint16_t cpu; };
struct va_pool { uint64_t *start; uint32_t n, cap; }; /* ranges of one length */

struct vmalloc {
    struct slab_sys *s;
    const struct vmalloc_config *cfg;
    uint64_t first, pages;  /* of the space, in pages */
    struct range_tree free, busy; /* by page number; busy: value is the struct area */
    struct range_tree pte, pmd;   /* page tables: by 2 MiB and 1 GiB index; value: frame */
    struct lazy *lazy;
    uint32_t n_lazy, cap_lazy;
    struct va_pool *pool;   /* [cpus][pool_pages + 1] */
    struct area **blocks;   /* [cpus] */
    struct vmalloc_stats st;
};

static inline struct area *area_of(const struct range_node *n) { return (struct area *)(uintptr_t)n->value; }
/* va.c: address ranges. */
bool va_take(struct vmalloc *v, uint64_t span, uint64_t align, unsigned cpu, uint64_t *start);
void va_put_lazy(struct vmalloc *v, uint64_t start, uint64_t span, unsigned cpu);
void va_purge(struct vmalloc *v, bool all_pools);
/* Page tables for [start, start + pages); false without a frame. `huge`: 2 MiB entries suffice. */
bool tables_for(struct vmalloc *v, uint64_t start, uint64_t pages, bool huge);

#endif
