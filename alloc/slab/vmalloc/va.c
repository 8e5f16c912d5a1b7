/* Address ranges of vmalloc: free tree, per-CPU pools, lazy purge; page tables. */
#include "slab/vmalloc/vmalloc_internal.h"

#include <stdlib.h>

enum { PTRS = 512 }; /* entries a page table */

static struct va_pool *pool_of(struct vmalloc *v, unsigned cpu, uint64_t span)
{
    return span <= v->cfg->pool_pages ? &v->pool[(uint64_t)cpu * (v->cfg->pool_pages + 1) + span] : NULL;
}

/* Back into the tree of free ranges, merged with its neighbours. */
static void merge(struct vmalloc *v, uint64_t start, uint64_t span)
{
    struct range_node n;
    if (range_at_or_below(&v->free, start, &n) && n.start + n.size == start) {
        range_remove(&v->free, n.start);
        start = n.start;
        span += n.size;
    }
    if (range_above(&v->free, start, &n) && start + span == n.start) {
        range_remove(&v->free, n.start);
        span += n.size;
    }
    range_insert(&v->free, start, span, 0);
}

static bool from_tree(struct vmalloc *v, uint64_t span, uint64_t align, uint64_t *start)
{
    struct range_node n;
    if (!range_fit(&v->free, span, align, &n))
        return false;
    uint64_t at = (n.start + align - 1) / align * align;
    range_remove(&v->free, n.start);
    if (at > n.start)
        range_insert(&v->free, n.start, at - n.start, 0);
    if (at + span < n.start + n.size)
        range_insert(&v->free, at + span, n.start + n.size - at - span, 0);
    *start = at;
    return true;
}

bool va_take(struct vmalloc *v, uint64_t span, uint64_t align, unsigned cpu, uint64_t *start)
{
    struct va_pool *p = pool_of(v, cpu, span);
    charge(v->s, v->s->cfg.cost.vmalloc);
    if (p && p->n && p->start[p->n - 1] % align == 0) {
        *start = p->start[--p->n];
        v->st.pool_hits++;
        return true;
    }
    if (from_tree(v, span, align, start))
        return true;
    va_purge(v, true);
    return from_tree(v, span, align, start);
}

void va_put_lazy(struct vmalloc *v, uint64_t start, uint64_t span, unsigned cpu)
{
    if (v->n_lazy == v->cap_lazy) {
        v->cap_lazy = v->cap_lazy ? v->cap_lazy * 2 : 64;
        v->lazy = realloc(v->lazy, v->cap_lazy * sizeof *v->lazy);
        if (!v->lazy)
            abort();
    }
    v->lazy[v->n_lazy++] = (struct lazy){start, span, (uint16_t)cpu};
    v->st.lazy_pages += span;
    unsigned fls = 32u - (unsigned)__builtin_clz(v->s->cpus);
    if (v->st.lazy_pages > fls * v->cfg->lazy_bytes / PAGE_BYTES) {
        took(v->s, SLAB_PATH_FREE_PURGE);
        va_purge(v, false);
    }
}

/* Pools lose a quarter of what they hold at each purge, all of it when addresses are short. */
static void decay(struct vmalloc *v, bool all)
{
    for (uint64_t i = 0; i < (uint64_t)v->s->cpus * (v->cfg->pool_pages + 1); i++) {
        struct va_pool *p = &v->pool[i];
        for (uint32_t n = all ? p->n : p->n / 4; n; n--)
            merge(v, p->start[--p->n], i % (v->cfg->pool_pages + 1));
    }
}

void va_purge(struct vmalloc *v, bool all_pools)
{
    uint64_t low = UINT64_MAX, high = 0;
    if (v->n_lazy) {
        v->st.purges++;
        charge(v->s, v->s->cfg.cost.purge);
    }
    decay(v, all_pools);
    for (uint32_t i = 0; i < v->n_lazy; i++) {
        const struct lazy *z = &v->lazy[i];
        low = z->start < low ? z->start : low;
        high = z->start + z->span > high ? z->start + z->span : high;
        struct va_pool *p = all_pools ? NULL : pool_of(v, z->cpu, z->span);
        if (!p) {
            merge(v, z->start, z->span);
        } else {
            if (p->n == p->cap) {
                p->cap = p->cap ? p->cap * 2 : 8;
                p->start = realloc(p->start, p->cap * sizeof *p->start);
                if (!p->start)
                    abort();
            }
            p->start[p->n++] = z->start;
        }
    }
    if (v->n_lazy)
        v->st.flush_pages += high - low;
    v->st.purged_pages += v->st.lazy_pages;
    v->st.lazy_pages = 0;
    v->n_lazy = 0;
}

/* ---- page tables of the space: never given back while it stands ---- */

static bool table(struct vmalloc *v, struct range_tree *t, uint64_t index)
{
    struct range_node n;
    if (range_at_or_below(t, index, &n) && n.start == index)
        return true;
    pfn_t f = get_block(v->s, GFP_KERNEL | __GFP_ZERO, 0, FRAME_TAG_PGTABLE);
    if (pfn_is_none(f))
        return false;
    range_insert(t, index, 1, f.v);
    v->st.table_pages++;
    return true;
}

bool tables_for(struct vmalloc *v, uint64_t start, uint64_t pages, bool huge)
{
    for (uint64_t p = start / PTRS; p <= (start + pages - 1) / PTRS; p++)
        if (!table(v, &v->pmd, p / PTRS) || (!huge && !table(v, &v->pte, p)))
            return false;
    return true;
}
