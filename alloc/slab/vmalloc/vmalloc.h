/*
 * vmalloc: virtually contiguous memory out of single frames; kvmalloc: kmalloc first. Linux-mm 7.
 * Addresses come from an augmented tree of free ranges; freed ranges wait for a purge (one TLB flush for many). Page
 * tables of the space are real frames and are never given back. Model: docs/model/vmalloc.md.
 */
#ifndef SLAB_VMALLOC_H
#define SLAB_VMALLOC_H

#include "slab/slab.h"

#define VMALLOC_STATS(X, G) \
    X(allocs, "areas", "areas made, vmap among them") \
    X(frees, "areas", "areas freed") \
    X(failures, "requests", "no address range or no frames") \
    X(huge_pages, "pages", "2 MiB blocks mapped") \
    X(purges, "purges", "freed areas flushed from the TLBs and merged") \
    X(purged_pages, "pages", "... their pages of address space, guard pages included") \
    X(flush_pages, "pages", "... pages between the lowest and the highest address of each flush") \
    X(pool_hits, "areas", "address ranges from a CPU's pool") \
    X(blocks, "blocks", "vmap blocks made for vm_map_ram") \
    X(ram_maps, "maps", "vm_map_ram served from a block") \
    X(kvmalloc_fallbacks, "requests", "kvmalloc that kmalloc could not serve") \
    G(areas, "areas", "areas now") \
    G(pages, "pages", "frames in them (VmallocUsed; frames of vmap are not counted)") \
    G(lazy_pages, "pages", "freed pages of address space that wait for a purge") \
    G(table_pages, "pages", "frames of page tables")
struct vmalloc_stats { VMALLOC_STATS(STAT_FIELD, STAT_FIELD) };

struct vmalloc;

enum vmalloc_flags { VM_ALLOW_HUGE = 1, VM_NO_GUARD = 2 };

int vmalloc_new(struct vmalloc **out, struct slab_sys *s, struct err *err);
/* Gives every frame back. NULL is fine. */
void vmalloc_delete(struct vmalloc *v);

/* `size` bytes, page-aligned; SLAB_NONE if size is 0 or there is no memory. `flags`: enum vmalloc_flags. */
va_t slab_vmalloc(struct vmalloc *v, uint64_t size, gfp_t gfp, unsigned flags, unsigned cpu);
/* False (a finding) if no area begins there. SLAB_NONE is fine. */
bool slab_vfree(struct vmalloc *v, va_t at, unsigned cpu);
/* Maps the caller's frames; vunmap is slab_vfree, which leaves them alone. */
va_t slab_vmap(struct vmalloc *v, const pfn_t *frame, uint32_t n, unsigned cpu);
/* At most 64 pages from a per-CPU block; more as vmap. */
va_t slab_vm_map_ram(struct vmalloc *v, const pfn_t *frame, uint32_t n, unsigned cpu);
bool slab_vm_unmap_ram(struct vmalloc *v, va_t at, uint32_t n, unsigned cpu);

/* kmalloc where it is small or can be had, else vmalloc. */
va_t slab_kvmalloc(struct vmalloc *v, uint64_t size, gfp_t gfp, unsigned cpu);
bool slab_kvfree(struct vmalloc *v, va_t at, unsigned cpu);
bool is_vmalloc_address(const struct vmalloc *v, va_t at);
/* The frame that a mapped address has; PFN_NONE. */
pfn_t slab_vmalloc_to_pfn(const struct vmalloc *v, va_t at);

/* Purges now. */
void slab_vm_unmap_aliases(struct vmalloc *v);
const struct vmalloc_stats *slab_vmalloc_stats(const struct vmalloc *v);
/* "vmalloc.*", by stats_add or stats_add_late. */
struct stat_desc;
void slab_vmalloc_add_stats(const struct vmalloc *v, struct stats *tree,
                            void (*add)(struct stats *s, const char *path, const void *base, const struct stat_desc *d, size_t n));
/* /proc/vmallocinfo, by address. */
void slab_print_vmallocinfo(const struct vmalloc *v, FILE *f);
int slab_vmalloc_check(const struct vmalloc *v, struct err *err);

#endif
