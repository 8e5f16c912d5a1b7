/* The classic design's line of /proc/slabinfo, its parameters, and its promises for the verifier. */
#include "slab/classic/classic.h"

struct slab_row classic_row(const struct kmem_cache *c)
{
    const struct classic *k = classic_of(c);
    return (struct slab_row){.objects = c->total_objects, .active_objects = c->total_objects - k->free_objects,
                             .slabs = c->st.slabs, .active_slabs = c->st.slabs - k->free.n,
                             .shared_avail = k->shared ? k->shared->avail : 0};
}

void classic_info(const struct kmem_cache *c, struct slab_cache_info *out)
{
    const struct classic *k = classic_of(c);
    out->limit = k->cpu[0]->limit;
    out->batchcount = k->cpu[0]->batchcount;
    out->shared = k->shared_factor;
    out->colours = k->colours;
    out->colour_bytes = k->colour_bytes;
    out->off_slab = k->off_slab;
}

static int check_array(const struct kmem_cache *c, const struct array_cache *ac, uint64_t *n, struct err *err)
{
    *n += ac ? ac->avail : 0;
    return ac ? slab_check_held(c, ac->entry, ac->avail, "an array holds what is no free object", err) : 0;
}

int classic_check(const struct kmem_cache *c, struct err *err)
{
    const struct classic *k = classic_of(c);
    uint64_t on_slabs = 0, arrays = 0, live = 0;
    for (const struct slab_page *p = c->all; p; p = p->all_next) {
        uint64_t seen[4] = {0};
        for (unsigned x = p->free_head; x < p->objects; x++) {
            unsigned i = p->link[x];
            if (i >= p->objects || (seen[i / 64] >> (i % 64) & 1) || is_live(p, i))
                return slab_wrong(c, p, "its index names an object twice, or one in use", err);
            seen[i / 64] |= 1ull << (i % 64);
        }
        enum slab_where where = p->free_head == 0 ? AT_FREE : p->free_head == p->objects ? AT_FULL : AT_PARTIAL;
        if (p->where != where)
            return slab_wrong(c, p, "it is on another list than its free objects say", err);
        if (p->first + (uint64_t)p->objects * c->size > slab_bytes(p))
            return slab_wrong(c, p, "its colour moves objects beyond its end", err);
        on_slabs += (uint64_t)(p->objects - p->free_head);
        live += p->live_n;
    }
    if (slab_check_list(c, &k->full, AT_FULL, err) < 0 || slab_check_list(c, &k->partial, AT_PARTIAL, err) < 0 ||
        slab_check_list(c, &k->free, AT_FREE, err) < 0)
        return -1;
    for (unsigned cpu = 0; cpu < c->sys->cpus; cpu++)
        if (check_array(c, k->cpu[cpu], &arrays, err) < 0)
            return -1;
    if (check_array(c, k->shared, &arrays, err) < 0)
        return -1;
    if (on_slabs != k->free_objects || on_slabs + arrays + live != c->total_objects)
        return slab_wrong(c, NULL, "objects on slabs, in arrays and alive do not add up", err);
    return 0;
}
