#include "frames/zones/available.h"

static uint64_t min_u64(uint64_t a, uint64_t b) { return a < b ? a : b; }

uint64_t zones_totalreserve(const struct zone *z, unsigned n)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < n; i++) {
        uint64_t most = 0;
        for (unsigned j = 0; j < N_ZONES; j++)
            most = z[i].lowmem_reserve[j] > most ? z[i].lowmem_reserve[j] : most;
        sum += min_u64(most + z[i].wmark[WMARK_HIGH], z[i].managed);
    }
    return sum;
}

uint64_t zones_mem_available(const struct zone *z, unsigned n, uint64_t free, uint64_t file_lru, uint64_t reclaimable)
{
    uint64_t low = 0, reserve = zones_totalreserve(z, n);
    for (unsigned i = 0; i < n; i++)
        low += z[i].wmark[WMARK_LOW] + z[i].boost;
    uint64_t have = free + file_lru - min_u64(file_lru / 2, low) + reclaimable - min_u64(reclaimable / 2, low);
    return have > reserve ? have - reserve : 0;
}

uint64_t commit_limit_pages(uint64_t total, uint64_t hugetlb, uint64_t swap, unsigned ratio)
{
    return (total - hugetlb) * ratio / 100 + swap;
}
