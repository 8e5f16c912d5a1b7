/* Caches: creation, merging, destruction. Linux-mm 5.1, 5.4. */
#include "slab/slab_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEVER_MERGE (SLAB_RED_ZONE | SLAB_POISON | SLAB_STORE_USER | SLAB_TYPESAFE_BY_RCU | SLAB_NOLEAKTRACE | SLAB_NO_MERGE)
#define MERGE_SAME (SLAB_RECLAIM_ACCOUNT | SLAB_CACHE_DMA | SLAB_CACHE_DMA32 | SLAB_ACCOUNT)
enum { WORD = 8 };

static bool unmergeable(const struct slab_sys *s, unsigned flags, bool ctor, uint32_t usersize)
{
    return !s->cfg.merge || ctor || (flags & NEVER_MERGE) || (usersize && s->cfg.hardened_usercopy);
}

/* The cache that a new one joins, or NULL. */
static struct kmem_cache *find_mergeable(struct slab_sys *s, const struct kmem_cache_args *a, unsigned flags)
{
    if (unmergeable(s, flags, a->ctor, a->usersize) || a->sheaf_capacity)
        return NULL;
    uint64_t align = slab_alignment(a->align, a->size, flags), size = (a->size + WORD - 1u) / WORD * WORD;
    size = (size + align - 1) / align * align;
    if (a->slot)
        size = a->slot;
    for (struct kmem_cache *c = s->newest; c; c = c->prev)
        if (!c->dead && !unmergeable(s, c->flags, c->ctor, c->usersize) && !c->sheaf_capacity && size <= c->size &&
            ((flags ^ c->flags) & MERGE_SAME) == 0 && c->size % align == 0 && c->size - size < WORD)
            return c;
    return NULL;
}

static void add_alias(struct slab_sys *s, const char *name, struct kmem_cache *c)
{
    if (s->n_alias == s->cap_alias) {
        s->cap_alias = s->cap_alias ? s->cap_alias * 2 : 16;
        s->alias = realloc(s->alias, s->cap_alias * sizeof *s->alias);
        if (!s->alias)
            abort();
    }
    struct slab_alias *x = &s->alias[s->n_alias++];
    snprintf(x->name, sizeof x->name, "%s", name);
    x->cache = c;
}

static unsigned debug_flags(const struct slab_config *c)
{
    return (c->sanity ? SLAB_CONSISTENCY_CHECKS : 0u) | (c->red_zone ? SLAB_RED_ZONE : 0u) |
           (c->poison ? SLAB_POISON : 0u) | (c->store_user ? SLAB_STORE_USER : 0u);
}

struct kmem_cache *kmem_cache_create(struct slab_sys *s, const struct kmem_cache_args *a)
{
    unsigned flags = a->flags | debug_flags(&s->cfg);
    if (a->size == 0 || a->size > (uint32_t)PAGE_BYTES << KMALLOC_MAX_ORDER || (a->align & (a->align - 1)) ||
        a->align > 2 * PAGE_BYTES || (a->slot && a->slot < a->size))
        return NULL;
    struct kmem_cache *c = s->ops->kmalloc ? NULL : find_mergeable(s, a, flags);
    if (c) {
        c->refcount++;
        if (a->size > c->object_size) { /* the books know one size a cache: also of what lives already */
            uint64_t more = (a->size - c->object_size) * c->st.objects;
            c->st.requested_bytes += more;
            s->st.requested_bytes += more;
            c->object_size = a->size;
        }
        uint32_t in_use = (a->size + WORD - 1u) / WORD * WORD;
        if (in_use > c->inuse)
            c->inuse = in_use;
        add_alias(s, a->name, c);
        return c;
    }
    c = calloc(1, sizeof *c);
    if (!c)
        abort();
    c->sys = s;
    snprintf(c->name, sizeof c->name, "%s", a->name);
    c->object_size = a->size;
    c->align = slab_alignment(a->align, a->size, flags);
    c->flags = flags;
    c->ctor = a->ctor;
    c->usersize = a->usersize;
    c->is_kmalloc = (flags & SLAB_KMALLOC) != 0;
    c->sheaf_capacity = flags & SLAB_DEBUG_FLAGS ? 0 : a->sheaf_capacity;
    c->refcount = 1;
    c->made = s->who;
    c->gfp = (gfp_t)(__GFP_COMP | (flags & SLAB_CACHE_DMA ? __GFP_DMA : 0) | (flags & SLAB_CACHE_DMA32 ? __GFP_DMA32 : 0) |
                     (flags & SLAB_RECLAIM_ACCOUNT ? __GFP_RECLAIMABLE : 0));
    if (s->ops->create(c, flags & SLAB_DEBUG_FLAGS ? 0 : a->slot) < 0) {
        free(c);
        return NULL;
    }
    c->prev = s->newest;
    *(s->newest ? &s->newest->next : &s->oldest) = c;
    s->newest = c;
    s->st.caches++;
    return c;
}

void cache_free(struct kmem_cache *c)
{
    struct slab_sys *s = c->sys;
    while (c->all)
        slab_page_delete(s, c->all);
    s->ops->destroy(c);
    *(c->prev ? &c->prev->next : &s->oldest) = c->next;
    *(c->next ? &c->next->prev : &s->newest) = c->prev;
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->n_alias; i++)
        if (s->alias[i].cache != c)
            s->alias[n++] = s->alias[i];
    s->n_alias = n;
    s->st.caches--;
    free(c);
}

static uint64_t leaks_of(const struct kmem_cache *c)
{
    uint64_t n = 0;
    for (struct slab_page *p = c->all; p; p = p->all_next)
        for (unsigned i = 0; i < p->objects; i++)
            if (is_live(p, i)) {
                find(c->sys, SLAB_LEAKED_OBJECT, p, i, object_at(p, i), 0, (struct slab_who){0});
                n++;
            }
    return n;
}

void find_cache(struct slab_sys *s, enum slab_finding_kind kind, const char *name, uint64_t objects, struct slab_who made,
                struct slab_who destroyed)
{
    s->st.found[kind]++;
    if (!s->found)
        return;
    struct slab_finding f = {.kind = kind, .cache = name, .who = s->who, .alloc = made, .freed = destroyed,
                             .offset = (int64_t)objects};
    s->found(s->found_self, &f);
}

bool kmem_cache_destroy(struct kmem_cache *c)
{
    struct slab_sys *s = c->sys;
    if (--c->refcount > 0)
        return true;
    kmem_cache_shrink(c);
    if (c->st.objects) { /* "Slab cache still has objects" */
        leaks_of(c);
        find_cache(s, SLAB_LEAKED_CACHE, c->name, c->st.objects, c->made, (struct slab_who){0});
        c->dead = true;
        return false;
    }
    cache_free(c);
    return true;
}

uint64_t slab_report_leaks(struct slab_sys *s)
{
    uint64_t n = 0;
    for (struct kmem_cache *c = s->oldest; c; c = c->next)
        n += leaks_of(c);
    for (const struct slab_page *p = s->large; p; p = p->all_next, n++)
        find(s, SLAB_LEAKED_OBJECT, p, NO_OBJECT, slab_address(s, p->pfn), 0, (struct slab_who){0});
    return n;
}

struct kmem_cache *slab_first_cache(const struct slab_sys *s) { return s->newest; }
struct kmem_cache *slab_next_cache(const struct kmem_cache *c) { return c->prev; }

struct kmem_cache *slab_find_cache(const struct slab_sys *s, const char *name)
{
    for (struct kmem_cache *c = s->newest; c; c = c->prev)
        if (!c->dead && strcmp(c->name, name) == 0)
            return c;
    for (uint32_t i = 0; i < s->n_alias; i++)
        if (strcmp(s->alias[i].name, name) == 0 && !s->alias[i].cache->dead)
            return s->alias[i].cache;
    return NULL;
}

const struct slab_cache_stats *kmem_cache_stats(const struct kmem_cache *c) { return &c->st; }
struct slab_row kmem_cache_row(const struct kmem_cache *c) { return c->sys->ops->row(c); }

struct slab_cache_info kmem_cache_info(const struct kmem_cache *c)
{
    struct slab_cache_info x = {.name = c->name, .object_size = c->object_size, .size = c->size, .align = c->align,
                                .objects = c->objects, .order = c->order, .offset = c->offset, .flags = c->flags,
                                .refcount = (unsigned)(c->refcount > 0 ? c->refcount : 0)};
    if (c->sys->ops->info)
        c->sys->ops->info(c, &x);
    return x;
}
