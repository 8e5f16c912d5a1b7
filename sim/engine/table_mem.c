#include "engine/table_mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { HOST_LINE = 64, HOST_HUGE = 2 << 20 /* x86-64 and most others */, HUGE_FROM = HOST_HUGE / 2, LAZY_FROM = 64 << 20 };

static void *aligned(size_t bytes, size_t alignment)
{
    if (bytes > SIZE_MAX - alignment)
        return NULL;
    return aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}

void *host_table_alloc(size_t bytes)
{
    if (bytes < HUGE_FROM)
        return aligned(bytes ? bytes : 1, HOST_LINE);
    void *p = aligned(bytes, HOST_HUGE);
    if (p)
        madvise(p, (bytes + HOST_HUGE - 1) / HOST_HUGE * HOST_HUGE, MADV_HUGEPAGE); /* refused: small pages do */
    return p;
}

void *host_table_calloc(size_t bytes)
{
    if (bytes < HUGE_FROM || bytes > LAZY_FROM)
        return calloc(1, bytes ? bytes : 1);
    void *p = host_table_alloc(bytes);
    if (p)
        memset(p, 0, bytes);
    return p;
}
