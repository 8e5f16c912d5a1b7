/*
 * The page allocator as one of the allocators that a driver can choose (alloc_pages_exact without the giving back of the
 * tail: get_free_pages): a block of 2^order pages for so many bytes, with the latency of its path.
 */
#ifndef SLAB_GET_PAGES_H
#define SLAB_GET_PAGES_H

#include "slab/slab.h"

/* The block's first frame, PFN_NONE if there is none or size is 0 or above the largest block. *order: of the least block
 * that holds `size` bytes. */
pfn_t slab_get_pages(struct slab_sys *s, uint64_t size, gfp_t gfp, unsigned cpu, unsigned *order);
void slab_put_pages(struct slab_sys *s, pfn_t pfn, unsigned order, unsigned cpu);

#endif
