/*
 * Arrays that grow while a machine finds out how much it can have in flight, and then never again. Running out of host
 * memory for these few kilobytes ends the process: there is nothing sensible left to simulate.
 */
#ifndef ENGINE_GROW_H
#define ENGINE_GROW_H

#include <stdint.h>
#include <stdlib.h>

/* Room for more than *cap elements of `size` bytes: doubles, `first` to begin with; the array's new place. */
static inline void *grow_array(void *p, uint32_t *cap, uint32_t first, size_t size)
{
    *cap = *cap ? *cap * 2 : first;
    p = realloc(p, *cap * size);
    if (!p)
        abort();
    return p;
}

/* The same for a ring of a power of two of elements: its `n` elements from `head` on move to the front. */
void *grow_ring(void *p, uint32_t *cap, uint32_t first, size_t size, uint32_t head, uint32_t n);

#endif
