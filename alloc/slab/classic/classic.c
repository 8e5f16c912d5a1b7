/*
 * The classic SLAB design: each CPU has an array of free objects, the CPUs of a node share another, and the slabs are on
 * three lists (full, partial, free). New slabs start at another cache line each (colouring). Steps and their order are
 * those of mm/slab.c of 6.1 (cache_alloc_refill, cache_flusharray, free_block, cache_reap); one node, so no alien arrays.
 */
#include "slab/classic/classic.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- slabs: link[] is the array of indices, free_head the number handed out (`active`) ---- */

static struct slab_page *grow(struct kmem_cache *c, gfp_t gfp)
{
    struct classic *k = classic_of(c);
    struct slab_page *p = slab_page_new(c, gfp);
    if (!p)
        return NULL;
    if (++k->colour_next >= k->colours)
        k->colour_next = 0;
    p->first = k->colour_next * k->colour_bytes;
    if (has_shadow(c) && p->first) /* the shadow was made for offset 0 */
        memmove(p->shadow + p->first, p->shadow, (size_t)p->objects * c->size);
    if (k->off_slab) {
        p->off_slab = kmem_cache_alloc(k->index_cache, gfp & ~(gfp_t)(__GFP_DMA | __GFP_RECLAIMABLE | __GFP_ACCOUNT), 0);
        if (p->off_slab.v == 0) {
            slab_page_delete(c->sys, p);
            return NULL;
        }
        c->sys->st.index_objects++;
        c->sys->st.index_bytes += k->index_cache->object_size;
    }
    slab_fill_order(c->sys, p->link, p->objects);
    p->free_head = 0;
    took(c->sys, SLAB_PATH_ALLOC_NEW_SLAB);
    return p;
}

static void destroy_slab(struct kmem_cache *c, struct slab_page *p)
{
    struct classic *k = classic_of(c);
    va_t index = p->off_slab;
    took(c->sys, SLAB_PATH_FREE_SLAB);
    slab_page_delete(c->sys, p);
    if (index.v) {
        c->sys->st.index_objects--;
        c->sys->st.index_bytes -= k->index_cache->object_size;
        kmem_cache_free(k->index_cache, index, 0);
    }
}

static void put_on(struct kmem_cache *c, struct slab_list *l, struct slab_page *p, enum slab_where where, bool tail)
{
    list_add(l, p, tail);
    p->where = (uint8_t)where;
    charge(c->sys, c->sys->cfg.cost.list_move);
}

static void take_off(struct kmem_cache *c, struct slab_page *p)
{
    struct classic *k = classic_of(c);
    list_del(p->where == AT_FULL ? &k->full : p->where == AT_PARTIAL ? &k->partial : &k->free, p);
}

/* Up to `n` objects of the slab into the array; what is left of n. */
static unsigned alloc_block(struct kmem_cache *c, struct array_cache *ac, struct slab_page *p, unsigned n)
{
    for (; n && p->free_head < p->objects; n--) {
        ac->entry[ac->avail++] = object_at(p, p->link[p->free_head++]);
        charge(c->sys, c->sys->cfg.cost.per_object);
    }
    return n;
}

static void fix_list(struct kmem_cache *c, struct slab_page *p)
{
    struct classic *k = classic_of(c);
    if (p->free_head == p->objects)
        put_on(c, &k->full, p, AT_FULL, false);
    else
        put_on(c, &k->partial, p, AT_PARTIAL, false);
}

static void drop_free_slab(struct kmem_cache *c)
{
    struct classic *k = classic_of(c);
    struct slab_page *p = k->free.tail;
    list_del(&k->free, p);
    k->free_objects -= p->objects;
    destroy_slab(c, p);
}

static void free_block(struct kmem_cache *c, const va_t *object, unsigned n)
{
    struct classic *k = classic_of(c);
    k->free_objects += n;
    charge(c->sys, c->sys->cfg.cost.node_lock);
    for (unsigned i = 0; i < n; i++) {
        struct slab_page *p = slab_page_of(c->sys, object[i]);
        take_off(c, p);
        p->link[--p->free_head] = (uint16_t)object_index(p, object[i]);
        charge(c->sys, c->sys->cfg.cost.per_object);
        if (p->free_head == 0)
            put_on(c, &k->free, p, AT_FREE, false);
        else
            put_on(c, &k->partial, p, AT_PARTIAL, true);
    }
    c->st.array_flush += n;
    while (k->free_objects > k->free_limit && k->free.head)
        drop_free_slab(c);
}

/* The oldest `n` objects of an array leave it. */
static void array_drop(struct array_cache *ac, unsigned n)
{
    ac->avail -= n;
    memmove(ac->entry, ac->entry + n, ac->avail * sizeof ac->entry[0]);
}

/* ---- allocation and free ---- */

enum { BATCHREFILL_LIMIT = 16 };

static bool from_shared(struct kmem_cache *c, struct array_cache *ac, unsigned n)
{
    struct array_cache *shared = classic_of(c)->shared;
    if (!shared || !shared->avail)
        return false;
    n = n < shared->avail ? n : shared->avail;
    n = n < ac->limit - ac->avail ? n : ac->limit - ac->avail;
    shared->avail -= n;
    memcpy(ac->entry + ac->avail, shared->entry + shared->avail, n * sizeof ac->entry[0]);
    ac->avail += n;
    shared->touched = true;
    c->st.shared_refill += n;
    took(c->sys, SLAB_PATH_ALLOC_SHARED);
    charge(c->sys, c->sys->cfg.cost.node_lock + n);
    return true;
}

static void refill(struct kmem_cache *c, struct array_cache *ac, gfp_t gfp)
{
    struct classic *k = classic_of(c);
    unsigned n = ac->batchcount;
    if (!ac->touched && n > BATCHREFILL_LIMIT)
        n = BATCHREFILL_LIMIT;
    c->st.alloc_refill++;
    charge(c->sys, c->sys->cfg.cost.slow);
    if (from_shared(c, ac, n))
        return;
    if (k->free_objects) {
        charge(c->sys, c->sys->cfg.cost.node_lock);
        took(c->sys, SLAB_PATH_ALLOC_PARTIAL);
        while (n) {
            struct slab_page *p = k->partial.head;
            if (!p) {
                k->free_touched = true;
                p = k->free.head;
            }
            if (!p)
                break;
            c->st.alloc_from_partial++;
            take_off(c, p);
            n = alloc_block(c, ac, p, n);
            fix_list(c, p);
        }
        k->free_objects -= ac->avail;
    }
    if (ac->avail)
        return;
    struct slab_page *p = grow(c, gfp);
    if (!p)
        return;
    alloc_block(c, ac, p, n);
    fix_list(c, p);
    k->free_objects += (uint64_t)(p->objects - p->free_head);
}

static va_t classic_alloc(struct kmem_cache *c, gfp_t gfp, unsigned cpu)
{
    struct array_cache *ac = classic_of(c)->cpu[cpu];
    charge(c->sys, c->sys->cfg.cost.array);
    if (ac->avail) {
        c->st.alloc_fastpath++;
    } else {
        c->st.alloc_slowpath++;
        refill(c, ac, gfp);
        if (!ac->avail)
            return SLAB_NONE;
    }
    ac->touched = true;
    return ac->entry[--ac->avail];
}

static void flush_array(struct kmem_cache *c, struct array_cache *ac)
{
    struct array_cache *shared = classic_of(c)->shared;
    unsigned n = ac->batchcount;
    took(c->sys, SLAB_PATH_FREE_FLUSH);
    charge(c->sys, c->sys->cfg.cost.slow);
    if (shared && shared->avail < shared->limit) {
        unsigned room = shared->limit - shared->avail;
        n = n < room ? n : room;
        memcpy(shared->entry + shared->avail, ac->entry, n * sizeof ac->entry[0]);
        shared->avail += n;
        c->st.shared_flush += n;
        charge(c->sys, c->sys->cfg.cost.node_lock + n);
    } else {
        free_block(c, ac->entry, n);
    }
    array_drop(ac, n);
}

static void classic_free(struct kmem_cache *c, struct slab_page *p, unsigned i, unsigned cpu)
{
    struct array_cache *ac = classic_of(c)->cpu[cpu];
    charge(c->sys, c->sys->cfg.cost.array);
    if (ac->avail < ac->limit) {
        c->st.free_fastpath++;
    } else {
        c->st.free_slowpath++;
        flush_array(c, ac);
    }
    ac->entry[ac->avail++] = object_at(p, i);
}

/* ---- reaping and shrinking ---- */

static void drain_array(struct kmem_cache *c, struct array_cache *ac)
{
    if (!ac || !ac->avail)
        return;
    if (ac->touched) {
        ac->touched = false;
        return;
    }
    unsigned n = (ac->limit + 4) / 5;
    if (n > ac->avail)
        n = (ac->avail + 1) / 2;
    free_block(c, ac->entry, n);
    array_drop(ac, n);
}

static void drain_free_slabs(struct kmem_cache *c, uint64_t most)
{
    while (most-- && classic_of(c)->free.head)
        drop_free_slab(c);
}

static void reap(struct kmem_cache *c, unsigned cpu, tick_t now)
{
    struct classic *k = classic_of(c);
    drain_array(c, k->cpu[cpu]);
    if (k->next_reap > now)
        return;
    k->next_reap = now + 2 * c->sys->cfg.reap;
    drain_array(c, k->shared);
    if (k->free_touched) {
        k->free_touched = false;
        return;
    }
    uint64_t before = k->free.n;
    drain_free_slabs(c, (k->free_limit + 5ull * c->objects - 1) / (5ull * c->objects));
    c->st.reaped += before - k->free.n;
}

enum { REAP_MOST = 64 }; /* visits after which nothing is left to drain: a long pause costs no more */

static void classic_tick(struct slab_sys *s, tick_t now)
{
    tick_t *last = s->design, every = s->cfg.reap;
    if (!every || now - *last < every)
        return;
    uint64_t visits = (now - *last) / every, cycles = s->cycles;
    *last += visits * every;
    for (uint64_t v = visits > REAP_MOST ? visits - REAP_MOST : 0; v < visits; v++)
        for (struct kmem_cache *c = s->newest; c; c = c->prev)
            for (unsigned cpu = 0; cpu < s->cpus; cpu++)
                reap(c, cpu, *last - (visits - 1 - v) * every);
    s->cycles = cycles; /* a worker's time, not a caller's */
}

static void drain_all(struct kmem_cache *c, struct array_cache *ac)
{
    if (!ac || !ac->avail)
        return;
    free_block(c, ac->entry, ac->avail);
    ac->avail = 0;
}

static void classic_shrink(struct kmem_cache *c)
{
    struct classic *k = classic_of(c);
    for (unsigned cpu = 0; cpu < c->sys->cpus; cpu++)
        drain_all(c, k->cpu[cpu]);
    drain_all(c, k->shared);
    drain_free_slabs(c, UINT64_MAX);
}

/* ---- caches ---- */

static struct array_cache *array_new(unsigned limit, unsigned batchcount)
{
    struct array_cache *ac = calloc(1, sizeof *ac + limit * sizeof ac->entry[0]);
    if (!ac)
        abort();
    ac->limit = limit;
    ac->batchcount = batchcount;
    return ac;
}

static unsigned limit_for(uint32_t size)
{
    return size > 131072 ? 1 : size > PAGE_BYTES ? 8 : size > 1024 ? 24 : size > 256 ? 54 : 120;
}

static int classic_create(struct kmem_cache *c, uint32_t slot)
{
    struct slab_sys *s = c->sys;
    struct classic *k = calloc(1, sizeof *k + s->cpus * sizeof k->cpu[0]);
    if (!k)
        abort();
    if (classic_geometry(c, k, slot) < 0) {
        free(k);
        return -1;
    }
    c->sheaf_capacity = 0;
    unsigned limit = s->cfg.slab_limit ? s->cfg.slab_limit : limit_for(c->size), batch = (limit + 1) / 2;
    k->shared_factor = c->size <= PAGE_BYTES && s->cpus > 1 ? s->cfg.slab_shared : 0;
    k->free_limit = (1 + s->cpus) * batch + c->objects;
    for (unsigned cpu = 0; cpu < s->cpus; cpu++)
        k->cpu[cpu] = array_new(limit, batch);
    if (k->shared_factor)
        k->shared = array_new(k->shared_factor * batch, batch);
    c->design = k;
    return 0;
}

static void classic_destroy(struct kmem_cache *c)
{
    struct classic *k = classic_of(c);
    for (unsigned cpu = 0; cpu < c->sys->cpus; cpu++)
        free(k->cpu[cpu]);
    free(k->shared);
    free(k);
}

static int classic_init(struct slab_sys *s, struct err *err)
{
    s->design = calloc(1, sizeof(tick_t)); /* when cache_reap ran last */
    return s->design ? 0 : err_set(err, ERR_RUN, "out of host memory for the slab allocator");
}

static void classic_fini(struct slab_sys *s) { free(s->design); }

const struct slab_design_ops slab_design_ops = {
    .name = "slab", .sys_init = classic_init, .sys_fini = classic_fini, .create = classic_create, .alloc = classic_alloc,
    .free = classic_free, .shrink = classic_shrink, .destroy = classic_destroy, .row = classic_row, .info = classic_info,
    .check = classic_check, .tick = classic_tick, .kmalloc_min = 32, .kmalloc_max = 8192,
};
