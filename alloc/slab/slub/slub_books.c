/* SLUB's line of /proc/slabinfo, its parameters, and its promises for the verifier. */
#include "slab/slub/slub.h"

#include <stdlib.h>
#include <string.h>

struct slab_row slub_row(const struct kmem_cache *c)
{
    uint64_t free_objects = 0;
    for (const struct slab_page *p = slub_of(c)->partial.head; p; p = p->next)
        free_objects += (uint64_t)(p->objects - p->inuse);
    return (struct slab_row){.objects = c->total_objects, .active_objects = c->total_objects - free_objects,
                             .slabs = c->st.slabs, .active_slabs = c->st.slabs};
}

void slub_info(const struct kmem_cache *c, struct slab_cache_info *out)
{
    const struct slub *u = slub_of(c);
    out->min_partial = u->min_partial;
    out->cpu_partial = u->cpu_partial;
    out->cpu_partial_slabs = u->cpu_partial_slabs;
}

/* Walks a free list, marking in `seen` (a bit an object); its length or -1. */
static int walk(const struct slab_page *p, unsigned i, uint64_t *seen)
{
    int n = 0;
    for (; i != NO_OBJECT; i = p->link[i], n++) {
        if (i >= p->objects || n >= p->objects || (seen[i / 64] >> (i % 64) & 1) || is_live(p, i))
            return -1;
        seen[i / 64] |= 1ull << (i % 64);
    }
    return n;
}

static int check_slab(const struct kmem_cache *c, const struct slab_page *p, uint64_t *in_sheaves, struct err *err)
{
    const struct slub *u = slub_of(c);
    uint64_t seen[512] = {0};
    int own = walk(p, p->free_head, seen), cpus = 0;
    if (own < 0)
        return slab_wrong(c, p, "its free list has a loop or an object in use", err);
    if (p->where == AT_CPU) {
        if (p->cpu >= c->sys->cpus || u->cpu[p->cpu].slab != p)
            return slab_wrong(c, p, "its CPU does not have it", err);
        cpus = walk(p, u->cpu[p->cpu].free_head, seen);
        if (cpus < 0)
            return slab_wrong(c, p, "its CPU's free list has a loop or an object in use", err);
    }
    if (own != p->objects - p->inuse)
        return slab_wrong(c, p, "objects in use and free list do not add up", err);
    if (p->live_n + cpus > p->inuse)
        return slab_wrong(c, p, "more objects alive than in use", err);
    *in_sheaves += (uint64_t)(p->inuse - p->live_n - cpus);
    if (p->where == AT_NONE && own)
        return slab_wrong(c, p, "it has free objects and is on no list", err);
    if (p->where == AT_PARTIAL && !own)
        return slab_wrong(c, p, "it is full and on the partial list", err);
    return 0;
}

static int check_sheaf(const struct kmem_cache *c, const struct sheaf *h, uint64_t *n, struct err *err)
{
    *n += h ? h->n : 0;
    return h ? slab_check_held(c, h->object, h->n, "a sheaf holds what is no free object", err) : 0;
}

int slub_check(const struct kmem_cache *c, struct err *err)
{
    const struct slub *u = slub_of(c);
    uint64_t in_sheaves = 0, counted = 0, on_stacks = 0, marked = 0;
    for (const struct slab_page *p = c->all; p; p = p->all_next) {
        if (check_slab(c, p, &in_sheaves, err) < 0)
            return -1;
        marked += p->where == AT_CPU_PARTIAL;
    }
    if (slab_check_list(c, &u->partial, AT_PARTIAL, err) < 0 || slab_check_list(c, &u->full, AT_FULL, err) < 0)
        return -1;
    for (unsigned k = 0; k < c->sys->cpus; k++) {
        const struct slub_cpu *x = &u->cpu[k];
        unsigned n = 0;
        for (const struct slab_page *p = x->partial; p; p = p->next, n++)
            if (p->where != AT_CPU_PARTIAL || p->cpu != k || p->cache != c || n > x->n_partial)
                return slab_wrong(c, p, "it is on a wrong CPU's partial stack", err);
        if (n != x->n_partial)
            return slab_wrong(c, NULL, "a CPU's partial stack is not as long as its books say", err);
        on_stacks += n;
        if (x->slab && (x->slab->where != AT_CPU || x->slab->cpu != k))
            return slab_wrong(c, x->slab, "a CPU's slab is not marked as such", err);
        if (check_sheaf(c, x->main, &counted, err) < 0 || check_sheaf(c, x->spare, &counted, err) < 0)
            return -1;
    }
    for (const struct sheaf *h = u->barn_full; h; h = h->next)
        if (check_sheaf(c, h, &counted, err) < 0)
            return -1;
    if (on_stacks != marked)
        return slab_wrong(c, NULL, "slabs marked as on a CPU's stack are not there", err);
    if (counted != in_sheaves || counted != u->sheaf_objects)
        return slab_wrong(c, NULL, "objects in sheaves do not add up", err);
    return 0;
}
