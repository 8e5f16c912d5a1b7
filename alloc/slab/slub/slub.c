/*
 * SLUB: each CPU allocates from a current slab with a free list of its own; other slabs with free objects are on the
 * CPU's partial stack or on the node's list; full slabs are on no list. The order of steps is that of linux-mm 5.6
 * (___slab_alloc, __slab_free, put_cpu_partial, get_partial_node, deactivate_slab of 6.12).
 */
#include "slab/slub/slub.h"

#include <assert.h>
#include <stdlib.h>

/* ---- free lists of slabs: indices threaded through link[] ---- */

static unsigned list_pop(struct slab_page *p, uint16_t *head)
{
    unsigned i = *head;
    *head = p->link[i];
    return i;
}

static void list_push(struct slab_page *p, uint16_t *head, unsigned i)
{
    p->link[i] = *head;
    *head = (uint16_t)i;
}

static struct slab_page *new_slab(struct kmem_cache *c, gfp_t gfp)
{
    struct slab_page *p = slab_page_new(c, gfp);
    if (!p)
        return NULL;
    uint16_t order[32768]; /* slub_calculate_order keeps within 32,767 */
    slab_fill_order(c->sys, order, p->objects);
    for (unsigned k = 0; k < p->objects; k++)
        p->link[order[k]] = k + 1 < p->objects ? order[k + 1] : NO_OBJECT;
    p->free_head = order[0];
    took(c->sys, SLAB_PATH_ALLOC_NEW_SLAB);
    return p;
}

static void discard(struct kmem_cache *c, struct slab_page *p)
{
    took(c->sys, SLAB_PATH_FREE_SLAB);
    slab_page_delete(c->sys, p);
}

/* ---- the node's partial list ---- */

static void add_partial(struct kmem_cache *c, struct slab_page *p, bool tail)
{
    list_add(&slub_of(c)->partial, p, tail);
    p->where = AT_PARTIAL;
    charge(c->sys, c->sys->cfg.cost.list_move);
}

static void remove_partial(struct kmem_cache *c, struct slab_page *p)
{
    list_del(&slub_of(c)->partial, p);
    p->where = AT_NONE;
    charge(c->sys, c->sys->cfg.cost.list_move);
}

static bool too_many_partial(const struct slub *u) { return u->partial.n >= u->min_partial; }

/* The whole of a CPU's partial stack goes to the tail of the node's list. */
static void put_partials(struct kmem_cache *c, unsigned cpu)
{
    struct slub *u = slub_of(c);
    struct slub_cpu *k = &u->cpu[cpu];
    charge(c->sys, c->sys->cfg.cost.node_lock);
    while (k->partial) {
        struct slab_page *p = k->partial;
        k->partial = p->next;
        p->next = NULL;
        p->where = AT_NONE;
        if (p->inuse == 0 && too_many_partial(u)) {
            c->st.deactivate_empty++;
            discard(c, p);
        } else {
            c->st.free_add_partial++;
            add_partial(c, p, true);
        }
    }
    k->n_partial = 0;
}

/* `drain`: from a free; a refill from the node never overflows the stack into the node. */
static void put_cpu_partial(struct kmem_cache *c, struct slab_page *p, unsigned cpu, bool drain)
{
    struct slub *u = slub_of(c);
    struct slub_cpu *k = &u->cpu[cpu];
    if (drain && k->partial && k->n_partial >= u->cpu_partial_slabs) {
        took(c->sys, SLAB_PATH_FREE_FLUSH);
        c->st.cpu_partial_drain++;
        put_partials(c, cpu);
    }
    p->next = k->partial;
    p->prev = NULL;
    k->partial = p;
    k->n_partial++;
    p->where = AT_CPU_PARTIAL;
    p->cpu = (uint16_t)cpu;
    charge(c->sys, c->sys->cfg.cost.list_move);
}

/* The first slab of the node, and up to half a CPU's worth more for its stack. */
static struct slab_page *get_partial(struct kmem_cache *c, unsigned cpu)
{
    struct slub *u = slub_of(c);
    struct slab_page *first = u->partial.head;
    if (!first) /* looked at without the lock */
        return NULL;
    charge(c->sys, c->sys->cfg.cost.node_lock);
    took(c->sys, SLAB_PATH_ALLOC_PARTIAL);
    remove_partial(c, first);
    c->st.alloc_from_partial++;
    for (unsigned taken = 0; u->cpu_partial_slabs && u->partial.head;) {
        struct slab_page *p = u->partial.head;
        remove_partial(c, p);
        put_cpu_partial(c, p, cpu, false);
        c->st.cpu_partial_node++;
        if (++taken > u->cpu_partial_slabs / 2)
            break;
    }
    return first;
}

/* The CPU leaves its slab: its list goes back in front of what others freed. */
static void deactivate(struct kmem_cache *c, unsigned cpu)
{
    struct slub *u = slub_of(c);
    struct slub_cpu *k = &u->cpu[cpu];
    struct slab_page *p = k->slab;
    bool remote = p->free_head != NO_OBJECT;
    unsigned last = NO_OBJECT, n = 0;
    for (unsigned i = k->free_head; i != NO_OBJECT; i = p->link[i], n++)
        last = i;
    if (n) {
        p->link[last] = p->free_head;
        p->free_head = k->free_head;
        p->inuse = (uint16_t)(p->inuse - n);
    }
    k->slab = NULL;
    k->free_head = NO_OBJECT;
    p->where = AT_NONE;
    charge(c->sys, c->sys->cfg.cost.slow);
    c->st.cmpxchg_slab++;
    if (p->inuse == 0 && too_many_partial(u)) {
        c->st.deactivate_empty++;
        discard(c, p);
    } else if (p->free_head != NO_OBJECT) {
        *(remote ? &c->st.deactivate_to_tail : &c->st.deactivate_to_head) += 1;
        charge(c->sys, c->sys->cfg.cost.node_lock);
        add_partial(c, p, remote);
    } else {
        c->st.deactivate_full++;
    }
}

/* ---- allocation ---- */

/* Makes `p` the CPU's slab and its free objects the CPU's list. */
static va_t load(struct kmem_cache *c, struct slab_page *p, unsigned cpu)
{
    struct slub_cpu *k = &slub_of(c)->cpu[cpu];
    assert(p->free_head != NO_OBJECT);
    k->slab = p;
    k->free_head = p->free_head;
    p->free_head = NO_OBJECT;
    p->inuse = p->objects;
    p->where = AT_CPU;
    p->cpu = (uint16_t)cpu;
    charge(c->sys, c->sys->cfg.cost.slow);
    c->st.cmpxchg_slab++;
    return object_at(p, list_pop(p, &k->free_head));
}

static void put_full(struct kmem_cache *c, struct slab_page *p)
{
    list_add(&slub_of(c)->full, p, false);
    p->where = AT_FULL;
}

/* With debugging there are no CPU slabs: an object at a time from the node's list. */
static va_t alloc_debug(struct kmem_cache *c, gfp_t gfp)
{
    struct slub *u = slub_of(c);
    struct slab_page *p = u->partial.head;
    charge(c->sys, c->sys->cfg.cost.node_lock + c->sys->cfg.cost.slow);
    took(c->sys, SLAB_PATH_ALLOC_PARTIAL);
    bool fresh = !p;
    if (fresh && !(p = new_slab(c, gfp)))
        return SLAB_NONE;
    unsigned i = list_pop(p, &p->free_head);
    p->inuse++;
    if (p->inuse == p->objects) {
        if (!fresh)
            remove_partial(c, p);
        put_full(c, p);
    } else if (fresh) {
        add_partial(c, p, false);
    }
    c->st.alloc_slowpath++;
    return object_at(p, i);
}

va_t slub_alloc_object(struct kmem_cache *c, gfp_t gfp, unsigned cpu)
{
    struct slab_sys *s = c->sys;
    struct slub_cpu *k = &slub_of(c)->cpu[cpu];
    if (slub_debug(c))
        return alloc_debug(c, gfp);
    charge(s, s->cfg.cost.fast);
    c->st.cmpxchg_cpu++;
    if (likely(k->free_head != NO_OBJECT)) {
        c->st.alloc_fastpath++;
        return object_at(k->slab, list_pop(k->slab, &k->free_head));
    }
    c->st.alloc_slowpath++;
    if (k->slab) {
        if (k->slab->free_head != NO_OBJECT) {
            took(s, SLAB_PATH_ALLOC_SHARED);
            c->st.alloc_refill++;
            return load(c, k->slab, cpu);
        }
        c->st.deactivate_full++;
        c->st.cmpxchg_slab++;
        k->slab->where = AT_NONE; /* full: on no list */
        k->slab = NULL;
    }
    if (k->partial) {
        struct slab_page *p = k->partial;
        k->partial = p->next;
        k->n_partial--;
        p->next = NULL;
        took(s, SLAB_PATH_ALLOC_CPU_PARTIAL);
        c->st.cpu_partial_alloc++;
        return load(c, p, cpu);
    }
    struct slab_page *p = get_partial(c, cpu);
    if (!p && !(p = new_slab(c, gfp)))
        return SLAB_NONE;
    return load(c, p, cpu);
}

/* ---- free ---- */

static void free_debug(struct kmem_cache *c, struct slab_page *p, unsigned i)
{
    struct slub *u = slub_of(c);
    charge(c->sys, c->sys->cfg.cost.node_lock + c->sys->cfg.cost.slow);
    took(c->sys, SLAB_PATH_FREE_SLOW);
    c->st.free_slowpath++;
    bool was_full = p->free_head == NO_OBJECT;
    list_push(p, &p->free_head, i);
    p->inuse--;
    if (p->inuse == 0 && too_many_partial(u)) {
        if (was_full)
            list_del(&u->full, p);
        else
            remove_partial(c, p);
        discard(c, p);
    } else if (was_full) {
        list_del(&u->full, p);
        c->st.free_add_partial++;
        add_partial(c, p, true);
    }
}

void slub_free_object(struct kmem_cache *c, struct slab_page *p, unsigned i, unsigned cpu)
{
    struct slab_sys *s = c->sys;
    struct slub *u = slub_of(c);
    struct slub_cpu *k = &u->cpu[cpu];
    if (slub_debug(c)) {
        free_debug(c, p, i);
        return;
    }
    if (k->slab == p) {
        charge(s, s->cfg.cost.free_fast);
        c->st.cmpxchg_cpu++;
        c->st.free_fastpath++;
        list_push(p, &k->free_head, i);
        return;
    }
    took(s, SLAB_PATH_FREE_SLOW);
    charge(s, s->cfg.cost.free_fast + s->cfg.cost.slow);
    c->st.free_slowpath++;
    c->st.cmpxchg_slab++;
    bool was_full = p->free_head == NO_OBJECT;
    list_push(p, &p->free_head, i);
    p->inuse--;
    if (p->where == AT_CPU || p->where == AT_CPU_PARTIAL) {
        c->st.free_frozen++;
        return;
    }
    if (was_full && u->cpu_partial_slabs) { /* even if it is empty now: one object a slab */
        took(s, SLAB_PATH_FREE_CPU_PARTIAL);
        c->st.cpu_partial_free++;
        put_cpu_partial(c, p, cpu, true);
        return;
    }
    if (p->inuse == 0 && too_many_partial(u)) {
        charge(s, s->cfg.cost.node_lock);
        if (!was_full) {
            c->st.free_remove_partial++;
            remove_partial(c, p);
        }
        discard(c, p);
    } else if (was_full) {
        charge(s, s->cfg.cost.node_lock);
        c->st.free_add_partial++;
        add_partial(c, p, true);
    }
}

static va_t slub_alloc(struct kmem_cache *c, gfp_t gfp, unsigned cpu)
{
    return c->sheaf_capacity ? sheaf_alloc(c, gfp, cpu) : slub_alloc_object(c, gfp, cpu);
}

static void slub_free(struct kmem_cache *c, struct slab_page *p, unsigned i, unsigned cpu)
{
    if (c->sheaf_capacity)
        sheaf_free(c, object_at(p, i), cpu);
    else
        slub_free_object(c, p, i, cpu);
}

/* ---- caches ---- */

static int slub_create(struct kmem_cache *c, uint32_t slot)
{
    struct slab_sys *s = c->sys;
    const struct slab_config *f = &s->cfg;
    c->size = slub_layout(c);
    if (slot && slot % 8 == 0)
        c->size = slot;
    int order = slub_calculate_order(c->size, f->min_objects ? f->min_objects : slub_min_objects(s->cpus), f->min_order,
                                     f->max_order);
    if (order < 0)
        return -1;
    c->order = (unsigned)order;
    c->min_order = order_of(c->size);
    c->objects = (unsigned)(((uint64_t)PAGE_BYTES << order) / c->size);
    struct slub *u = calloc(1, sizeof *u + s->cpus * sizeof u->cpu[0]);
    if (!u)
        abort();
    u->min_partial = f->min_partial ? f->min_partial : slub_min_partial(c->size);
    if (f->cpu_partial && !slub_debug(c)) {
        u->cpu_partial = f->cpu_partial_objects ? f->cpu_partial_objects : slub_cpu_partial(c->size);
        u->cpu_partial_slabs = (2 * u->cpu_partial + c->objects - 1) / c->objects;
    }
    for (unsigned k = 0; k < s->cpus; k++)
        u->cpu[k].free_head = NO_OBJECT;
    c->design = u;
    return 0;
}

static void flush_cpus(struct kmem_cache *c)
{
    struct slub *u = slub_of(c);
    if (c->sheaf_capacity)
        sheaf_flush_all(c);
    for (unsigned k = 0; k < c->sys->cpus; k++) {
        if (u->cpu[k].slab)
            deactivate(c, k);
        if (u->cpu[k].partial)
            put_partials(c, k);
    }
}

enum { SHRINK_BUCKETS = 32 }; /* SHRINK_PROMOTE_MAX */

static void slub_shrink(struct kmem_cache *c)
{
    struct slub *u = slub_of(c);
    struct slab_list bucket[SHRINK_BUCKETS] = {0}, rest = {0};
    flush_cpus(c);
    while (u->partial.head) {
        struct slab_page *p = u->partial.head;
        unsigned n_free = p->objects - p->inuse;
        list_del(&u->partial, p);
        if (p->inuse == 0)
            discard(c, p);
        else
            list_add(n_free <= SHRINK_BUCKETS ? &bucket[n_free - 1] : &rest, p, n_free > SHRINK_BUCKETS);
    }
    /* Fullest first, then those with more free objects in their old order. */
    for (unsigned b = 0; b < SHRINK_BUCKETS; b++)
        while (bucket[b].head) {
            struct slab_page *p = bucket[b].head;
            list_del(&bucket[b], p);
            list_add(&u->partial, p, true);
        }
    while (rest.head) {
        struct slab_page *p = rest.head;
        list_del(&rest, p);
        list_add(&u->partial, p, true);
    }
}

static void slub_destroy(struct kmem_cache *c)
{
    sheaf_fini(c);
    free(c->design);
}

const struct slab_design_ops slub_design_ops = {
    .name = "slub", .create = slub_create, .alloc = slub_alloc, .free = slub_free, .shrink = slub_shrink,
    .destroy = slub_destroy, .row = slub_row, .info = slub_info, .check = slub_check,
    .kmalloc_min = 8, .kmalloc_max = 8192,
};
