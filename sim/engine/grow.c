#include "engine/grow.h"

#include <string.h>

void *grow_ring(void *p, uint32_t *cap, uint32_t first, size_t size, uint32_t head, uint32_t n)
{
    uint32_t old = *cap, fresh = old ? old * 2 : first;
    char *to = malloc(fresh * size);
    if (!to)
        abort();
    for (uint32_t i = 0; i < n; i++)
        memcpy(to + i * size, (char *)p + ((head + i) & (old - 1)) * size, size);
    free(p);
    *cap = fresh;
    return to;
}
