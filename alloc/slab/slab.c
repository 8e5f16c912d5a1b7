/* The system: construction, operations and their costs, findings, allocation and free by cache. */
#include "slab/slab_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

int slab_sys_new(struct slab_sys **out, const struct slab_config *cfg, struct frame_map *frames, unsigned cpus,
                 uint64_t seed, struct err *err)
{
#define SLAB_DESIGN_OPS(name) &name##_design_ops,
    static const struct slab_design_ops *const designs[] = {SLAB_DESIGNS(SLAB_DESIGN_OPS)};
#undef SLAB_DESIGN_OPS
    *out = NULL;
    struct slab_sys *s = calloc(1, sizeof *s);
    if (!s)
        return err_set(err, ERR_RUN, "out of host memory for the slab allocator");
    s->cfg = *cfg;
    s->ops = designs[cfg->design];
    s->frames = frames;
    s->cpus = cpus;
    s->seed = seed;
    rng_init(&s->rng, seed, "slab");
    s->map_bytes = frames->n_frames * sizeof(struct slab_page *);
    void *map = mmap(NULL, s->map_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED) {
        free(s);
        return err_set(err, ERR_RUN, "no address space for the slab allocator's map of %llu frames",
                       (unsigned long long)frames->n_frames);
    }
    s->map = map;
    if ((s->ops->sys_init && s->ops->sys_init(s, err) < 0) || kmalloc_init(s, err) < 0) {
        slab_sys_free(s);
        return -1;
    }
    *out = s;
    return 0;
}

void slab_sys_free(struct slab_sys *s)
{
    if (!s)
        return;
    while (s->newest)
        cache_free(s->newest);
    if (s->ops->sys_fini)
        s->ops->sys_fini(s);
    for (uint64_t i = 0; s->records && i < s->frames->n_frames; i++) /* large blocks that nobody freed */
        if (s->map[i])
            slab_page_delete(s, s->map[i]);
    munmap(s->map, s->map_bytes);
    free(s->alias);
    free(s);
}

void slab_set_who(struct slab_sys *s, struct slab_who who) { s->who = who; }
struct frame_map *slab_frames(const struct slab_sys *s) { return s->frames; }
const struct slab_config *slab_cfg(const struct slab_sys *s) { return &s->cfg; }
unsigned slab_cpus(const struct slab_sys *s) { return s->cpus; }

void slab_set_time(struct slab_sys *s, tick_t now)
{
    if (now <= s->now)
        return;
    s->now = now;
    if (s->ops->tick)
        s->ops->tick(s, now);
}

/* ---- operations ---- */

void op_begin(struct slab_sys *s, enum slab_path cheapest)
{
    if (s->depth++)
        return;
    if (!s->wrapped)
        s->cycles = 0;
    if (!s->wrapped || cheapest > s->path)
        s->path = cheapest;
}

static void account(struct slab_sys *s)
{
    s->last = (struct slab_op){s->path, s->cycles};
    slab_latency_add(&s->latency[s->path], s->cycles);
    if (slab_path_allocates(s->path))
        s->alloc_bins[slab_latency_bin(s->cycles)]++;
}

void op_end(struct slab_sys *s)
{
    assert(s->depth);
    if (--s->depth == 0 && !s->wrapped)
        account(s);
}

void call_begin(struct slab_sys *s, enum slab_path cheapest)
{
    assert(s->depth == 0 && !s->wrapped);
    s->wrapped = true;
    s->path = cheapest;
    s->cycles = 0;
}

void call_end(struct slab_sys *s, enum slab_path p)
{
    assert(s->depth == 0 && s->wrapped);
    s->wrapped = false;
    s->path = p;
    account(s);
}

struct slab_op slab_last_op(const struct slab_sys *s) { return s->last; }
const uint64_t *slab_alloc_bins(const struct slab_sys *s) { return s->alloc_bins; }
const struct slab_latency *slab_latency_of(const struct slab_sys *s, enum slab_path p) { return &s->latency[p]; }

void count_alloc(struct slab_sys *s, struct kmem_cache *c, uint64_t requested, uint64_t slot)
{
    s->st.allocs++;
    s->st.objects++;
    s->st.requested_bytes += requested;
    s->st.slot_bytes += slot;
    if (!c)
        return;
    c->st.allocs++;
    c->st.requested_bytes += requested;
    if (++c->st.objects > c->st.peak_objects)
        c->st.peak_objects = c->st.objects;
}

void count_free(struct slab_sys *s, struct kmem_cache *c, uint64_t requested, uint64_t slot)
{
    s->st.frees++;
    s->st.objects--;
    s->st.requested_bytes -= requested;
    s->st.slot_bytes -= slot;
    if (!c)
        return;
    c->st.frees++;
    c->st.objects--;
    c->st.requested_bytes -= requested;
}

uint32_t object_request(const struct slab_page *p, unsigned i) { return p->req ? p->req[i] : p->cache->object_size; }

/* ---- findings ---- */

const char *slab_finding_name(enum slab_finding_kind k)
{
#define SLAB_FINDING_TEXT(name, text) text,
    static const char *const names[] = {SLAB_FINDINGS(SLAB_FINDING_TEXT)};
#undef SLAB_FINDING_TEXT
    return names[k];
}

void slab_on_finding(struct slab_sys *s, void (*fn)(void *self, const struct slab_finding *f), void *self)
{
    s->found = fn;
    s->found_self = self;
}

void slab_on_slow_path(struct slab_sys *s, uint64_t (*cycles)(void *self), void *self)
{
    s->stall = cycles;
    s->stall_self = self;
}

void find(struct slab_sys *s, enum slab_finding_kind kind, const struct slab_page *p, unsigned i, va_t object,
          int64_t offset, struct slab_who cause)
{
    s->st.found[kind]++;
    if (!s->found)
        return;
    struct slab_finding f = {.kind = kind, .object = object, .offset = offset, .who = s->who, .cause = cause};
    f.cache = !p ? "" : p->cache ? p->cache->name : p->kind == PAGE_LARGE ? "kmalloc-large" : "slob";
    if (p && p->user && i != NO_OBJECT && p->cache && (p->cache->flags & SLAB_STORE_USER)) {
        f.alloc = p->user[i].alloc;
        f.freed = p->user[i].freed;
    }
    if (p && p->kind == PAGE_LARGE && s->cfg.store_user)
        f.alloc = p->who;
    s->found(s->found_self, &f);
}

/* ---- objects of caches ---- */

static va_t alloc_object(struct kmem_cache *c, gfp_t gfp, unsigned cpu, uint32_t request)
{
    struct slab_sys *s = c->sys;
    assert(cpu < s->cpus && !c->dead);
    run_on(s, cpu);
    op_begin(s, SLAB_PATH_ALLOC_FAST);
    va_t a = s->ops->alloc(c, gfp, cpu);
    if (a.v == 0) {
        took(s, SLAB_PATH_ALLOC_FAILED);
        s->st.failures++;
        c->st.failures++;
    } else {
        struct slab_page *p = slab_page_of(s, a);
        if (p->kind == PAGE_OF_CACHE) {
            unsigned i = object_index(p, a);
            assert(i != NO_OBJECT && !is_live(p, i));
            p->live[i / 64] |= 1ull << (i % 64);
            p->live_n++;
            if (p->req)
                p->req[i] = (uint16_t)request;
            if (c->flags & SLAB_DEBUG_FLAGS) {
                charge(s, s->cfg.cost.debug);
                debug_alloc(p, i);
            }
            count_alloc(s, c, request, c->size);
        } else {
            count_alloc(s, c, request, c->size); /* a design without slabs of caches */
        }
    }
    op_end(s);
    return a;
}

va_t kmem_cache_alloc(struct kmem_cache *c, gfp_t gfp, unsigned cpu) { return alloc_object(c, gfp, cpu, c->object_size); }

/* `c` NULL: kfree. */
static bool free_object(struct slab_sys *s, struct kmem_cache *c, va_t a, unsigned cpu)
{
    struct slab_page *p = slab_page_of(s, a);
    assert(cpu < s->cpus);
    run_on(s, cpu);
    if (!p || (p->kind == PAGE_LARGE && c)) {
        find(s, SLAB_INVALID_FREE, p, NO_OBJECT, a, 0, (struct slab_who){0});
        return false;
    }
    if (p->kind != PAGE_OF_CACHE) {
        op_begin(s, SLAB_PATH_FREE_FAST);
        bool ok = c ? s->ops->cache_free(c, p, a) : s->ops->kfree(s, p, a, cpu);
        op_end(s);
        return ok;
    }
    unsigned i = object_index(p, a);
    if (i == NO_OBJECT) {
        int64_t off = (int64_t)((a.v - slab_address(s, p->pfn).v) % p->cache->size);
        find(s, SLAB_INVALID_FREE, p, i, a, off, (struct slab_who){0});
        return false;
    }
    if (!is_live(p, i)) {
        find(s, SLAB_DOUBLE_FREE, p, i, a, 0, (struct slab_who){0});
        return false;
    }
    if (c && c != p->cache) { /* the kernel warns and frees it where it belongs */
        find(s, SLAB_WRONG_CACHE, p, i, a, 0, (struct slab_who){0});
    }
    c = p->cache;
    op_begin(s, SLAB_PATH_FREE_FAST);
    if (c->flags & SLAB_DEBUG_FLAGS) {
        charge(s, s->cfg.cost.debug);
        debug_free(p, i);
    }
    count_free(s, c, object_request(p, i), c->size);
    p->live[i / 64] &= ~(1ull << (i % 64));
    p->live_n--;
    s->ops->free(c, p, i, cpu);
    op_end(s);
    return true;
}

bool kmem_cache_free(struct kmem_cache *c, va_t object, unsigned cpu) { return free_object(c->sys, c, object, cpu); }

bool kmem_cache_shrink(struct kmem_cache *c)
{
    struct slab_sys *s = c->sys;
    uint64_t cycles = s->cycles;
    s->ops->shrink(c);
    s->cycles = cycles; /* nobody waits for it here */
    return c->st.slabs != 0;
}

/* ---- kmalloc ---- */

enum { LARGE_MAX = PAGE_BYTES << KMALLOC_MAX_ORDER };

static va_t kmalloc_large(struct slab_sys *s, uint64_t size, gfp_t gfp)
{
    op_begin(s, SLAB_PATH_ALLOC_LARGE);
    charge(s, s->cfg.cost.large);
    unsigned order = order_of(size);
    struct slab_page *p = size > LARGE_MAX ? NULL : slab_page_new_block(s, NULL, gfp | __GFP_COMP, order, PAGE_LARGE, 0);
    if (p) {
        p->size = (uint32_t)size;
        s->st.large_allocs++;
        s->st.large_pages += 1ull << order;
        count_alloc(s, NULL, size, slab_bytes(p));
        took(s, SLAB_PATH_ALLOC_LARGE);
    } else {
        took(s, SLAB_PATH_ALLOC_FAILED);
        s->st.failures++;
    }
    op_end(s);
    return p ? slab_address(s, p->pfn) : SLAB_NONE;
}

va_t slab_kmalloc(struct slab_sys *s, uint64_t size, gfp_t gfp, unsigned cpu)
{
    assert(cpu < s->cpus);
    run_on(s, cpu);
    s->st.kmallocs++;
    if (size == 0)
        return ZERO_SIZE_PTR;
    if (size > s->ops->kmalloc_max)
        return kmalloc_large(s, size, gfp);
    if (!s->ops->kmalloc)
        return alloc_object(slab_kmalloc_cache(s, size, gfp, s->who.call_site), gfp, cpu, (uint32_t)size);
    op_begin(s, SLAB_PATH_ALLOC_FAST);
    va_t a = s->ops->kmalloc(s, (uint32_t)size, gfp, cpu);
    if (a.v == 0) {
        took(s, SLAB_PATH_ALLOC_FAILED);
        s->st.failures++;
    } else {
        count_alloc(s, NULL, size, s->ops->ksize(s, slab_page_of(s, a), a));
    }
    op_end(s);
    return a;
}

bool slab_kfree(struct slab_sys *s, va_t a, unsigned cpu)
{
    if (a.v <= ZERO_SIZE_PTR.v) {
        s->st.kfree_null++;
        return true;
    }
    struct slab_page *p = slab_page_of(s, a);
    if (!p || p->kind != PAGE_LARGE)
        return free_object(s, NULL, a, cpu);
    if (a.v != slab_address(s, p->pfn).v) {
        find(s, SLAB_INVALID_FREE, p, NO_OBJECT, a, (int64_t)(a.v - slab_address(s, p->pfn).v), (struct slab_who){0});
        return false;
    }
    run_on(s, cpu);
    op_begin(s, SLAB_PATH_FREE_LARGE);
    charge(s, s->cfg.cost.large);
    s->st.large_frees++;
    s->st.large_pages -= 1ull << p->order;
    count_free(s, NULL, p->size, slab_bytes(p));
    slab_page_delete(s, p);
    op_end(s);
    return true;
}

uint64_t slab_ksize(const struct slab_sys *s, va_t a)
{
    const struct slab_page *p = slab_page_of(s, a);
    if (!p)
        return 0;
    if (p->kind == PAGE_LARGE)
        return a.v == slab_address(s, p->pfn).v ? slab_bytes(p) : 0;
    if (p->kind == PAGE_OF_SLOB)
        return s->ops->ksize(s, p, a);
    unsigned i = object_index(p, a);
    if (i == NO_OBJECT || !is_live(p, i))
        return 0;
    const struct kmem_cache *c = p->cache; /* with red zones or tracking behind it, only the object itself is usable */
    return c->flags & (SLAB_RED_ZONE | SLAB_POISON) ? c->object_size
           : c->flags & (SLAB_TYPESAFE_BY_RCU | SLAB_STORE_USER) ? c->inuse : c->size;
}

va_t slab_krealloc(struct slab_sys *s, va_t a, uint64_t size, gfp_t gfp, unsigned cpu)
{
    if (size == 0) {
        slab_kfree(s, a, cpu);
        return ZERO_SIZE_PTR;
    }
    bool none = a.v <= ZERO_SIZE_PTR.v;
    uint64_t have = none ? 0 : slab_ksize(s, a);
    if (!none && have >= size) {
        struct slab_page *p = slab_page_of(s, a);
        uint64_t old = p->kind == PAGE_LARGE ? p->size : 0;
        if (p->kind == PAGE_OF_CACHE && p->req) {
            unsigned i = object_index(p, a);
            old = p->req[i];
            p->req[i] = (uint16_t)size;
            p->cache->st.requested_bytes += size - old;
        } else if (p->kind == PAGE_LARGE) {
            p->size = (uint32_t)size;
        } else {
            return a; /* a cache's object has its own size; slob cannot tell */
        }
        s->st.requested_bytes += size - old;
        return a;
    }
    if (!none && have == 0) {
        find(s, SLAB_INVALID_FREE, NULL, NO_OBJECT, a, 0, (struct slab_who){0});
        return SLAB_NONE;
    }
    va_t b = slab_kmalloc(s, size, gfp, cpu);
    if (b.v && !none)
        slab_kfree(s, a, cpu);
    return b;
}

uint64_t slab_kmalloc_size_roundup(const struct slab_sys *s, uint64_t size)
{
    if (size == 0)
        return 0;
    if (size > s->ops->kmalloc_max)
        return size > LARGE_MAX ? size : (uint64_t)PAGE_BYTES << order_of(size);
    const struct kmem_cache *c = s->ops->kmalloc ? NULL : slab_kmalloc_cache(s, size, GFP_KERNEL, 0);
    return c ? c->object_size : size;
}
