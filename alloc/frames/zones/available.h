/*
 * What of memory is to be had: pages that no allocation gets (totalreserve_pages), an estimate of what programs can still take
 * (MemAvailable), and how much may be promised (CommitLimit). Pure arithmetic in pages; linux-mm 1.6, 12.3, 12.5.
 */
#ifndef FRAMES_AVAILABLE_H
#define FRAMES_AVAILABLE_H

#include "frames/zones/zone.h"

/* Of each zone its high mark and largest reserve, as they stand without a boost (calculate_totalreserve_pages). */
uint64_t zones_totalreserve(const struct zone *z, unsigned n);
/* si_mem_available: `free` pages, on the file LRU lists, of reclaimable slabs. The low marks count with their boosts. */
uint64_t zones_mem_available(const struct zone *z, unsigned n, uint64_t free, uint64_t file_lru, uint64_t reclaimable);
/* vm_commit_limit without vm.overcommit_kbytes; `ratio` is vm.overcommit_ratio, percent. */
enum { OVERCOMMIT_RATIO = 50 }; /* its default */
uint64_t commit_limit_pages(uint64_t total, uint64_t hugetlb, uint64_t swap, unsigned ratio);

#endif
