/*
 * The pool of 1 GiB pages set aside at start: each is 512 blocks of 2 MiB that the frame allocator handed out and that
 * happen to be adjacent and aligned, so no allocator needs to know of larger blocks. A page that comes back whole
 * returns to the pool; the parts of one that was split go back to the frame allocator (hugetlb would refuse the split).
 */
#ifndef VM_GIGANTIC_H
#define VM_GIGANTIC_H

#include "frames/frames.h"

enum { GIGANTIC_BLOCK_ORDER = 9, GIGANTIC_BLOCKS = 512 };
#define GIGANTIC_FRAMES (UINT64_C(1) << 18)

struct gigantic_pool {
    uint32_t n, total;
    pfn_t free[]; /* a stack: the lowest page is handed out first */
};

/* Takes `count` pages out of the frame allocator. ERR_USAGE if it has not as many. */
int gigantic_new(struct gigantic_pool **out, struct frame_map *frames, uint32_t count, struct err *err);
void gigantic_free(struct gigantic_pool *p, struct frame_map *frames); /* gives the unused ones back; NULL is fine */
pfn_t gigantic_get(struct gigantic_pool *p); /* PFN_NONE: empty. The caller sets tag and owner of the blocks. */
void gigantic_put(struct gigantic_pool *p, struct frame_map *frames, pfn_t pfn);

#endif
