#include "slab/pages/mempool.h"

#include "slab/slab_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static va_t from_cache(void *self, gfp_t gfp, unsigned cpu) { return kmem_cache_alloc(self, gfp, cpu); }
static void to_cache(void *self, va_t e, unsigned cpu) { kmem_cache_free(self, e, cpu); }
struct mempool_ops mempool_of_cache(struct kmem_cache *c) { return (struct mempool_ops){from_cache, to_cache, c}; }

static va_t from_kmalloc(void *self, gfp_t gfp, unsigned cpu)
{
    struct mempool_kmalloc *k = self;
    return slab_kmalloc(k->s, k->size, gfp, cpu);
}
static void to_kmalloc(void *self, va_t e, unsigned cpu) { slab_kfree(((struct mempool_kmalloc *)self)->s, e, cpu); }
struct mempool_ops mempool_of_kmalloc(struct mempool_kmalloc *k) { return (struct mempool_ops){from_kmalloc, to_kmalloc, k}; }

enum { POINTER_BYTES = 8 };

struct mempool *mempool_create(struct slab_sys *s, uint32_t min_nr, struct mempool_ops ops, unsigned cpu)
{
    if (min_nr == 0)
        return NULL;
    struct mempool *p = calloc(1, sizeof *p);
    va_t *element = calloc(min_nr, sizeof *element);
    if (!p || !element)
        abort(); /* host memory gone for a few kilobytes */
    *p = (struct mempool){.s = s, .ops = ops, .min_nr = min_nr, .element = element};
    p->array = slab_kmalloc(s, (uint64_t)min_nr * POINTER_BYTES, GFP_KERNEL, cpu);
    while (p->array.v && p->curr_nr < min_nr) {
        va_t e = ops.alloc(ops.self, GFP_KERNEL, cpu);
        if (e.v == 0)
            break;
        element[p->curr_nr++] = e;
    }
    if (p->curr_nr < min_nr) {
        mempool_destroy(p, cpu);
        return NULL;
    }
    return p;
}

/* An element, from the allocator or else the reserve; SLAB_NONE. */
static va_t try_one(struct mempool *p, gfp_t gfp, unsigned cpu, enum slab_path *path)
{
    va_t e = p->ops.alloc(p->ops.self, gfp, cpu);
    *path = p->s->path;
    if (e.v == 0 && p->curr_nr) {
        e = p->element[--p->curr_nr];
        p->st.from_reserve++;
        charge(p->s, p->s->cfg.cost.reserve);
        *path = SLAB_PATH_ALLOC_RESERVE;
    }
    p->st.allocs += e.v != 0;
    return e;
}

enum mempool_result mempool_alloc(struct mempool *p, gfp_t gfp, unsigned cpu, va_t *out)
{
    enum slab_path path;
    assert(!(gfp & __GFP_ZERO));
    gfp |= __GFP_NOMEMALLOC | __GFP_NORETRY | __GFP_NOWARN;
    gfp_t try = gfp & ~(gfp_t)(__GFP_DIRECT_RECLAIM | __GFP_IO);
    call_begin(p->s, SLAB_PATH_ALLOC_FAST);
    *out = try_one(p, try, cpu, &path);
    if (out->v == 0 && try != gfp) {
        p->st.second_tries++;
        *out = try_one(p, gfp, cpu, &path);
    }
    enum mempool_result got = out->v ? MEMPOOL_GOT : gfp & __GFP_DIRECT_RECLAIM ? MEMPOOL_WAITS : MEMPOOL_EMPTY;
    if (got == MEMPOOL_EMPTY) {
        p->st.empty++;
        path = SLAB_PATH_ALLOC_FAILED;
    } else if (got == MEMPOOL_WAITS) {
        p->st.waits++;
        p->waiters++;
        charge(p->s, p->s->cfg.cost.wait);
        path = SLAB_PATH_ALLOC_WAIT;
    }
    call_end(p->s, path);
    return got;
}

va_t mempool_alloc_preallocated(struct mempool *p)
{
    if (!p->curr_nr)
        return SLAB_NONE;
    call_begin(p->s, SLAB_PATH_ALLOC_RESERVE);
    charge(p->s, p->s->cfg.cost.reserve);
    call_end(p->s, SLAB_PATH_ALLOC_RESERVE);
    p->st.allocs++;
    p->st.from_reserve++;
    return p->element[--p->curr_nr];
}

bool mempool_free(struct mempool *p, va_t e, unsigned cpu)
{
    if (e.v == 0)
        return false;
    p->st.frees++;
    if (p->curr_nr >= p->min_nr) {
        p->ops.free(p->ops.self, e, cpu);
        return false;
    }
    call_begin(p->s, SLAB_PATH_FREE_RESERVE);
    charge(p->s, p->s->cfg.cost.reserve);
    call_end(p->s, SLAB_PATH_FREE_RESERVE);
    p->element[p->curr_nr++] = e;
    p->st.to_reserve++;
    if (!p->waiters)
        return false;
    p->waiters--;
    p->st.wakeups++;
    return true;
}

int mempool_resize(struct mempool *p, uint32_t n, unsigned cpu)
{
    assert(n >= 1);
    while (p->curr_nr > n)
        p->ops.free(p->ops.self, p->element[--p->curr_nr], cpu);
    if (n > p->min_nr) { /* shrinking keeps the array */
        va_t array = slab_kmalloc(p->s, (uint64_t)n * POINTER_BYTES, GFP_KERNEL, cpu);
        if (array.v == 0)
            return -1;
        slab_kfree(p->s, p->array, cpu);
        p->array = array;
        p->element = realloc(p->element, n * sizeof *p->element);
        if (!p->element)
            abort();
    }
    p->min_nr = n;
    while (p->curr_nr < n) {
        va_t e = p->ops.alloc(p->ops.self, GFP_KERNEL, cpu);
        if (e.v == 0)
            break;
        p->element[p->curr_nr++] = e;
    }
    return 0;
}

void mempool_destroy(struct mempool *p, unsigned cpu)
{
    if (!p)
        return;
    while (p->curr_nr)
        p->ops.free(p->ops.self, p->element[--p->curr_nr], cpu);
    if (p->array.v)
        slab_kfree(p->s, p->array, cpu);
    free(p->element);
    free(p);
}
