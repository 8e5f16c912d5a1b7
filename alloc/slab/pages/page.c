/* Slabs as blocks of frames: getting them, their records, the map from address to record. */
#include "slab/slab_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* What a slab's pages may inherit of a caller's request: GFP_RECLAIM_MASK | GFP_CONSTRAINT_MASK of the kernel. */
#define PAGE_GFP_MASK ((gfp_t)(__GFP_RECLAIM | __GFP_HIGH | __GFP_IO | __GFP_FS | __GFP_NOWARN | __GFP_RETRY_MAYFAIL | \
                               __GFP_NOFAIL | __GFP_NORETRY | __GFP_MEMALLOC | __GFP_NOMEMALLOC | __GFP_HARDWALL | \
                               __GFP_THISNODE))

static size_t bitmap_words(unsigned n) { return (n + 63) / 64; }

/* One block for the record and its arrays. */
static struct slab_page *record_new(const struct kmem_cache *c, enum slab_page_kind kind, unsigned objects)
{
    bool req = c && c->is_kmalloc, user = c && (c->flags & SLAB_DEBUG_FLAGS);
    size_t words = bitmap_words(objects), n = sizeof(struct slab_page) + words * 8 + (user ? objects * sizeof(struct slab_object) : 0) +
                                              objects * 2ull * (req ? 2 : 1);
    struct slab_page *p = calloc(1, n);
    if (!p)
        abort(); /* host memory gone for a few kilobytes */
    char *at = (char *)(p + 1);
    p->live = (uint64_t *)(void *)at;
    at += words * 8;
    if (user) {
        p->user = (struct slab_object *)(void *)at;
        at += objects * sizeof(struct slab_object);
    }
    p->link = (uint16_t *)(void *)at;
    if (req)
        p->req = p->link + objects;
    p->objects = (uint16_t)objects;
    p->kind = (uint8_t)kind;
    return p;
}

pfn_t get_frames_at(struct slab_sys *s, gfp_t gfp, unsigned order, enum frame_tag tag, uint64_t cycles)
{
    uint64_t slow = s->frames->st.slow_paths;
    pfn_t pfn = frames_alloc(s->frames, gfp, order, tag);
    charge(s, cycles);
    if (s->frames->st.slow_paths != slow)
        charge(s, s->cfg.cost.page_slow + (s->stall ? s->stall(s->stall_self) : 0));
    return pfn;
}

struct slab_page *slab_page_new_block(struct slab_sys *s, struct kmem_cache *c, gfp_t gfp, unsigned order,
                                      enum slab_page_kind kind, unsigned objects)
{
    pfn_t pfn = get_block(s, gfp, order, FRAME_TAG_SLAB);
    if (pfn_is_none(pfn))
        return NULL;
    struct slab_page *p = record_new(c, kind, objects);
    p->cache = c;
    p->pfn = pfn.v;
    p->order = (uint8_t)order;
    for (uint64_t i = 0; i < 1ull << order; i++)
        s->map[pfn.v + i] = p;
    if (kind == PAGE_LARGE) {
        p->who = s->who;
        p->all_next = s->large;
        if (s->large)
            s->large->all_prev = p;
        s->large = p;
    }
    s->st.page_allocs += 1ull << order;
    s->st.pages += 1ull << order;
    s->records++;
    s->record_pages += 1ull << order;
    return p;
}

struct slab_page *slab_page_new(struct kmem_cache *c, gfp_t flags)
{
    struct slab_sys *s = c->sys;
    gfp_t own = (flags & PAGE_GFP_MASK) | c->gfp;
    gfp_t first = (own | __GFP_NOWARN | __GFP_NORETRY) & ~(gfp_t)__GFP_NOFAIL;
    if ((first & __GFP_DIRECT_RECLAIM) && c->order > c->min_order)
        first = (first | __GFP_NOMEMALLOC) & ~(gfp_t)__GFP_RECLAIM;
    struct slab_page *p = slab_page_new_block(s, c, first, c->order, PAGE_OF_CACHE, c->objects);
    if (!p) {
        if (c->min_order == c->order && first == own)
            return NULL;
        unsigned n = c->min_order == c->order ? c->objects : (unsigned)(((uint64_t)PAGE_BYTES << c->min_order) / c->size);
        p = slab_page_new_block(s, c, own, c->min_order, PAGE_OF_CACHE, n);
        if (!p)
            return NULL;
        if (c->min_order != c->order) {
            s->st.order_fallbacks++;
            c->st.order_fallback++;
        }
    }
    charge(s, (uint64_t)p->objects * (s->cfg.cost.per_object + (c->ctor ? s->cfg.cost.ctor : 0)));
    c->st.alloc_slab++;
    c->st.slabs++;
    c->st.pages += 1ull << p->order;
    c->total_objects += p->objects;
    p->all_next = c->all;
    if (c->all)
        c->all->all_prev = p;
    c->all = p;
    if (has_shadow(c))
        debug_slab_new(p);
    return p;
}

void slab_page_delete(struct slab_sys *s, struct slab_page *p)
{
    struct kmem_cache *c = p->cache;
    if (p->kind == PAGE_OF_CACHE) {
        c->st.free_slab++;
        c->st.slabs--;
        c->st.pages -= 1ull << p->order;
        c->total_objects -= p->objects;
    }
    if (p->kind != PAGE_OF_SLOB) {
        *(p->all_prev ? &p->all_prev->all_next : c ? &c->all : &s->large) = p->all_next;
        if (p->all_next)
            p->all_next->all_prev = p->all_prev;
    }
    for (uint64_t i = 0; i < 1ull << p->order; i++) {
        assert(s->map[p->pfn + i] == p);
        s->map[p->pfn + i] = NULL;
    }
    frames_free(s->frames, (pfn_t){p->pfn}, p->order);
    charge(s, s->cfg.cost.page_free);
    s->st.page_frees += 1ull << p->order;
    s->st.pages -= 1ull << p->order;
    s->records--;
    s->record_pages -= 1ull << p->order;
    free(p->shadow);
    free(p);
}

void slab_fill_order(struct slab_sys *s, uint16_t *order, unsigned objects)
{
    for (unsigned i = 0; i < objects; i++)
        order[i] = (uint16_t)i;
    for (unsigned i = objects; s->cfg.freelist_random && i > 1; i--) {
        unsigned j = (unsigned)rng_below(&s->rng, i);
        uint16_t t = order[i - 1];
        order[i - 1] = order[j];
        order[j] = t;
    }
}

unsigned object_index(const struct slab_page *p, va_t a)
{
    const struct kmem_cache *c = p->cache;
    uint64_t base = slab_address(c->sys, p->pfn).v + p->first + c->left_pad;
    if (a.v < base || (a.v - base) % c->size || (a.v - base) / c->size >= p->objects)
        return NO_OBJECT;
    return (unsigned)((a.v - base) / c->size);
}
