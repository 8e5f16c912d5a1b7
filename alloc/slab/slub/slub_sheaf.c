/*
 * Sheaves (6.18, for the caches that ask for them): arrays of free objects above the slabs. A CPU has a main and a spare
 * one, the node's barn keeps full and empty ones. Objects in a sheaf count as in use for their slab. Linux-mm 5.6; the
 * order of refill and flush is that of 7.2.
 */
#include "slab/slub/slub.h"

#include <stdlib.h>

static struct sheaf *sheaf_new(const struct kmem_cache *c)
{
    struct sheaf *h = malloc(sizeof *h + c->sheaf_capacity * sizeof h->object[0]);
    if (!h)
        abort();
    h->next = NULL;
    h->n = 0;
    return h;
}

static struct sheaf *barn_take(struct kmem_cache *c, bool full)
{
    struct slub *u = slub_of(c);
    struct sheaf **list = full ? &u->barn_full : &u->barn_empty, *h = *list;
    if (!h)
        return NULL;
    *list = h->next;
    *(full ? &u->n_barn_full : &u->n_barn_empty) -= 1;
    h->next = NULL;
    if (full)
        c->st.barn_get++;
    charge(c->sys, c->sys->cfg.cost.node_lock);
    return h;
}

/* False if the barn has as many as it may hold. */
static bool barn_put(struct kmem_cache *c, struct sheaf *h)
{
    struct slub *u = slub_of(c);
    bool full = h->n != 0;
    unsigned *n = full ? &u->n_barn_full : &u->n_barn_empty;
    struct sheaf **list = full ? &u->barn_full : &u->barn_empty;
    if (*n >= c->sys->cfg.barn_sheaves)
        return false;
    h->next = *list;
    *list = h;
    ++*n;
    if (full)
        c->st.barn_put++;
    charge(c->sys, c->sys->cfg.cost.node_lock);
    return true;
}

static void fill(struct kmem_cache *c, struct sheaf *h, gfp_t gfp, unsigned cpu)
{
    c->st.sheaf_refill++;
    while (h->n < c->sheaf_capacity) {
        va_t a = slub_alloc_object(c, gfp, cpu);
        if (a.v == 0)
            break;
        h->object[h->n++] = a;
        slub_of(c)->sheaf_objects++;
    }
}

static void flush(struct kmem_cache *c, struct sheaf *h, unsigned cpu)
{
    c->st.sheaf_flush++;
    while (h->n) {
        va_t a = h->object[--h->n];
        struct slab_page *p = slab_page_of(c->sys, a);
        slub_of(c)->sheaf_objects--;
        slub_free_object(c, p, object_index(p, a), cpu);
    }
}

va_t sheaf_alloc(struct kmem_cache *c, gfp_t gfp, unsigned cpu)
{
    struct slub_cpu *k = &slub_of(c)->cpu[cpu];
    charge(c->sys, c->sys->cfg.cost.sheaf);
    if (!k->main)
        k->main = sheaf_new(c);
    if (k->main->n == 0) {
        took(c->sys, SLAB_PATH_ALLOC_SHARED);
        struct sheaf *full = NULL;
        if (k->spare && k->spare->n) {
            full = k->spare;
            k->spare = k->main;
            k->main = full;
        } else if ((full = barn_take(c, true))) {
            if (!barn_put(c, k->main))
                free(k->main);
            k->main = full;
        } else if (gfp & __GFP_DIRECT_RECLAIM) {
            fill(c, k->main, gfp, cpu);
        } else {
            return slub_alloc_object(c, gfp, cpu);
        }
        if (k->main->n == 0)
            return SLAB_NONE;
    }
    c->st.sheaf_alloc++;
    slub_of(c)->sheaf_objects--;
    return k->main->object[--k->main->n];
}

void sheaf_free(struct kmem_cache *c, va_t a, unsigned cpu)
{
    struct slub_cpu *k = &slub_of(c)->cpu[cpu];
    charge(c->sys, c->sys->cfg.cost.sheaf);
    if (!k->main)
        k->main = sheaf_new(c);
    if (k->main->n == c->sheaf_capacity) {
        took(c->sys, SLAB_PATH_FREE_SLOW);
        if (k->spare && k->spare->n < c->sheaf_capacity) {
            struct sheaf *t = k->spare;
            k->spare = k->main;
            k->main = t;
        } else if (barn_put(c, k->main)) {
            k->main = barn_take(c, false);
            if (!k->main)
                k->main = sheaf_new(c);
            if (!k->spare)
                k->spare = sheaf_new(c);
        } else {
            took(c->sys, SLAB_PATH_FREE_FLUSH);
            flush(c, k->main, cpu);
        }
    }
    c->st.sheaf_free++;
    slub_of(c)->sheaf_objects++;
    k->main->object[k->main->n++] = a;
}

static void flush_list(struct kmem_cache *c, struct sheaf **list, unsigned *n)
{
    while (*list) {
        struct sheaf *h = *list;
        *list = h->next;
        --*n;
        flush(c, h, 0);
        free(h);
    }
}

void sheaf_flush_all(struct kmem_cache *c)
{
    struct slub *u = slub_of(c);
    for (unsigned k = 0; k < c->sys->cpus; k++) {
        if (u->cpu[k].main && u->cpu[k].main->n)
            flush(c, u->cpu[k].main, k);
        if (u->cpu[k].spare && u->cpu[k].spare->n)
            flush(c, u->cpu[k].spare, k);
    }
    flush_list(c, &u->barn_full, &u->n_barn_full);
    flush_list(c, &u->barn_empty, &u->n_barn_empty);
}

void sheaf_fini(struct kmem_cache *c)
{
    struct slub *u = slub_of(c);
    struct sheaf *lists[2] = {u->barn_full, u->barn_empty};
    for (unsigned k = 0; k < c->sys->cpus; k++) {
        free(u->cpu[k].main);
        free(u->cpu[k].spare);
    }
    for (unsigned i = 0; i < 2; i++)
        while (lists[i]) {
            struct sheaf *h = lists[i];
            lists[i] = h->next;
            free(h);
        }
}
