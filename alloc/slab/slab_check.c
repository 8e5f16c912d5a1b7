/* The verifier: books of every cache against its slabs, slabs against frames, then each design's own promises. */
#include "slab/slab_internal.h"

/* ---- what the designs' verifiers share ---- */

int slab_wrong(const struct kmem_cache *c, const struct slab_page *p, const char *what, struct err *err)
{
    return err_set(err, ERR_RUN, "check: %s: cache %s, slab at pfn 0x%llx: %s", c->sys->ops->name, c->name,
                   p ? (unsigned long long)p->pfn : 0ull, what);
}

int slab_check_list(const struct kmem_cache *c, const struct slab_list *l, enum slab_where where, struct err *err)
{
    uint64_t n = 0, marked = 0;
    for (const struct slab_page *p = l->head; p; p = p->next, n++)
        if (p->where != where || p->cache != c || (p->next ? p->next->prev : l->tail) != p || n > c->st.slabs)
            return slab_wrong(c, p, "it is on a wrong list, or the list is broken", err);
    for (const struct slab_page *p = c->all; p; p = p->all_next)
        marked += p->where == where;
    return n != l->n || n != marked ? slab_wrong(c, NULL, "a list is not as long as its books say", err) : 0;
}

int slab_check_held(const struct kmem_cache *c, const va_t *object, unsigned n, const char *what, struct err *err)
{
    for (unsigned k = 0; k < n; k++) {
        const struct slab_page *p = slab_page_of(c->sys, object[k]);
        unsigned i = p && p->cache == c ? object_index(p, object[k]) : NO_OBJECT;
        if (i == NO_OBJECT || is_live(p, i))
            return slab_wrong(c, p, what, err);
    }
    return 0;
}

/* ---- the system ---- */

static int check_page(const struct slab_sys *s, const struct slab_page *p, struct err *err)
{
    const struct frame *f = frame_at(s->frames, (pfn_t){p->pfn});
    if (f->state != FRAME_ALLOCATED || f->order != p->order || f->tag != FRAME_TAG_SLAB)
        return err_set(err, ERR_RUN, "check: slab at pfn 0x%llx: its frames are not an allocated block of order %u for slabs",
                       (unsigned long long)p->pfn, p->order);
    for (uint64_t i = 0; i < 1ull << p->order; i++)
        if (s->map[p->pfn + i] != p)
            return err_set(err, ERR_RUN, "check: slab at pfn 0x%llx: frame %llu of it leads elsewhere",
                           (unsigned long long)p->pfn, (unsigned long long)i);
    return 0;
}

static int check_cache(const struct kmem_cache *c, uint64_t *pages, uint64_t *live_all, struct err *err)
{
    uint64_t slabs = 0, objects = 0, live = 0, requested = 0, n_pages = 0;
    for (const struct slab_page *p = c->all; p; p = p->all_next) {
        unsigned n = 0;
        if (p->cache != c || check_page(c->sys, p, err) < 0)
            return p->cache != c ? err_set(err, ERR_RUN, "check: a slab of cache %s belongs to another", c->name) : -1;
        for (unsigned i = 0; i < p->objects; i++)
            if (is_live(p, i)) {
                n++;
                requested += object_request(p, i);
            }
        if (n != p->live_n)
            return err_set(err, ERR_RUN, "check: slab at pfn 0x%llx of %s: %u objects alive, its books say %u",
                           (unsigned long long)p->pfn, c->name, n, p->live_n);
        slabs++;
        objects += p->objects;
        live += n;
        n_pages += 1ull << p->order;
    }
    const struct slab_cache_stats *t = &c->st;
    bool own = slabs || !c->sys->ops->kmalloc; /* SLOB keeps no slabs of caches */
    if (own && (slabs != t->slabs || objects != c->total_objects || live != t->objects || n_pages != t->pages ||
                requested != t->requested_bytes || t->allocs - t->frees != t->objects || t->alloc_slab - t->free_slab != slabs))
        return err_set(err, ERR_RUN, "check: cache %s: %llu slabs, %llu objects of them %llu alive of %llu bytes; its books "
                                     "say %llu, %llu, %llu, %llu",
                       c->name, (unsigned long long)slabs, (unsigned long long)objects, (unsigned long long)live,
                       (unsigned long long)requested, (unsigned long long)t->slabs, (unsigned long long)c->total_objects,
                       (unsigned long long)t->objects, (unsigned long long)t->requested_bytes);
    *pages += n_pages;
    *live_all += t->objects;
    return c->sys->ops->check(c, err);
}

int slab_check(const struct slab_sys *s, struct err *err)
{
    uint64_t pages = 0, live = 0, caches = 0;
    for (const struct kmem_cache *c = s->oldest; c; c = c->next, caches++)
        if (check_cache(c, &pages, &live, err) < 0)
            return -1;
    if (s->ops->sys_check && s->ops->sys_check(s, err) < 0)
        return -1;
    if (!s->ops->kmalloc && (pages + s->st.large_pages != s->st.pages || live + s->st.large_allocs - s->st.large_frees != s->st.objects))
        return err_set(err, ERR_RUN, "check: slab: %llu pages and %llu objects in caches, %llu pages of large blocks; the books "
                                     "say %llu pages and %llu objects",
                       (unsigned long long)pages, (unsigned long long)live, (unsigned long long)s->st.large_pages,
                       (unsigned long long)s->st.pages, (unsigned long long)s->st.objects);
    if (caches != s->st.caches || s->record_pages != s->st.pages || s->st.page_allocs - s->st.page_frees != s->st.pages ||
        s->st.allocs - s->st.frees != s->st.objects || s->frames->tag_pages[FRAME_TAG_SLAB] < s->st.pages)
        return err_set(err, ERR_RUN, "check: slab: %llu pages held, %llu taken and not given back, %llu frames tagged so; or "
                                     "the objects do not add up",
                       (unsigned long long)s->st.pages, (unsigned long long)(s->st.page_allocs - s->st.page_frees),
                       (unsigned long long)s->frames->tag_pages[FRAME_TAG_SLAB]);
    return 0;
}
