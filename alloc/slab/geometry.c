/* Sizes and orders as pure functions: linux-mm 5.1 to 5.3. */
#include "slab/slab_internal.h"

enum { WORD = 8, MINALIGN = 8, MAX_OBJECTS = 32767, MAX_ORDER = 10 };
enum { TRACK_BYTES = 32 }; /* struct track: caller, stack handle, CPU, pid, time; 6.12 on 64 bits */

static uint64_t align_up(uint64_t x, uint64_t a) { return (x + a - 1) / a * a; }
static unsigned ilog2_of(uint64_t x) { return 63u - (unsigned)__builtin_clzll(x); }

unsigned order_of(uint64_t bytes)
{
    unsigned o = 0;
    while ((uint64_t)PAGE_BYTES << o < bytes)
        o++;
    return o;
}

uint32_t slab_alignment(uint32_t align, uint32_t size, unsigned flags)
{
    uint32_t a = align;
    if (flags & SLAB_HWCACHE_ALIGN) {
        uint32_t r = LINE_BYTES;
        while (size <= r / 2)
            r /= 2;
        a = a > r ? a : r;
    }
    a = a > MINALIGN ? a : MINALIGN;
    return (uint32_t)align_up(a, WORD);
}

unsigned slub_min_objects(unsigned cpus)
{
    return 4 * (32u - (unsigned)__builtin_clz(cpus) + 1);
}

int slub_calculate_order(uint64_t size, unsigned min_objects, unsigned least, unsigned most)
{
    uint64_t max_objects = ((uint64_t)PAGE_BYTES << most) / size;
    max_objects = max_objects ? max_objects : 1;
    uint64_t want = min_objects < max_objects ? min_objects : max_objects;
    unsigned o = order_of(want * size);
    unsigned min_order = o > least ? o : least;
    if (((uint64_t)PAGE_BYTES << min_order) / size > MAX_OBJECTS)
        return (int)order_of(size * MAX_OBJECTS) - 1;
    for (unsigned fraction = 16; fraction > 1; fraction /= 2)
        for (o = min_order; o <= most; o++) {
            uint64_t bytes = (uint64_t)PAGE_BYTES << o;
            if (bytes >= size && bytes % size <= bytes / fraction)
                return (int)o;
        }
    o = order_of(size);
    return o <= MAX_ORDER ? (int)o : -1;
}

uint32_t slub_layout(struct kmem_cache *c)
{
    uint64_t size = align_up(c->object_size, WORD);
    if ((c->flags & SLAB_RED_ZONE) && size == c->object_size)
        size += WORD;
    c->inuse = (uint32_t)size;
    if ((c->flags & (SLAB_TYPESAFE_BY_RCU | SLAB_POISON)) || c->ctor ||
        ((c->flags & SLAB_RED_ZONE) && c->object_size < WORD)) {
        c->offset = (uint32_t)size;
        size += WORD;
    } else {
        c->offset = c->object_size / 2 / WORD * WORD;
    }
    if (c->flags & SLAB_STORE_USER)
        size += 2u * TRACK_BYTES + (c->flags & SLAB_KMALLOC ? (unsigned)WORD : 0u);
    c->left_pad = 0;
    if (c->flags & SLAB_RED_ZONE) { /* a word of padding keeps overwrites from the tracking data */
        size += WORD;
        c->left_pad = (uint32_t)align_up(WORD, c->align);
        size += c->left_pad;
    }
    return (uint32_t)align_up(size, c->align);
}

unsigned slub_min_partial(uint32_t size)
{
    unsigned n = ilog2_of(size) / 2;
    return n < 5 ? 5 : n > 10 ? 10 : n;
}

unsigned slub_cpu_partial(uint32_t size) { return size >= PAGE_BYTES ? 6 : size >= 1024 ? 24 : size >= 256 ? 52 : 120; }
