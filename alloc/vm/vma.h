/*
 * The mappings of one process: a sorted array of disjoint ranges. Neighbours with equal rights and flags merge.
 * Limited to vm.max_map_count, as the kernel limits it, so a hostile trace cannot grow it without bound.
 */
#ifndef VM_VMA_H
#define VM_VMA_H

#include "engine/types.h"

enum { VMA_STACK = 1, VMA_HEAP = 2, VMA_SHARED = 4 }; /* flags: grows down; grows by brk; MAP_SHARED */

struct vma {
    uint64_t start, end; /* page aligned, [start, end) */
    uint16_t prot;       /* read 1, write 2, execute 4 */
    uint16_t flags;      /* VMA_* */
};
struct vma_set {
    struct vma *v;
    uint32_t n, cap;
};

void vma_set_fini(struct vma_set *s);
/* The mapping that holds `addr`, else the next one above, else NULL. */
const struct vma *vma_find(const struct vma_set *s, uint64_t addr);
/* Whether [start, end) is covered by mappings that all have `prot` and flags of the first. */
bool vma_covers(const struct vma_set *s, uint64_t start, uint64_t end);
/* Replaces whatever is in [start, end). False: `max` reached or no host memory; the range is then unmapped. */
bool vma_map(struct vma_set *s, uint64_t start, uint64_t end, unsigned prot, unsigned flags, uint32_t max);
/* False: a split would exceed `max`; nothing changed. */
bool vma_unmap(struct vma_set *s, uint64_t start, uint64_t end, uint32_t max);
/* Changes the rights of what is mapped in [start, end). False as above (some of the range may have changed). */
bool vma_protect(struct vma_set *s, uint64_t start, uint64_t end, unsigned prot, uint32_t max);
bool vma_copy(struct vma_set *to, const struct vma_set *from);

#endif
