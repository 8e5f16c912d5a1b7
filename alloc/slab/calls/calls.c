#include "slab/calls/calls.h"

#include "slab/pages/get_pages.h"
#include "slab/slab_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum { SMALL_MAX = 8192, NS_A_US = 1000 };
enum held_kind { HELD_NOTHING, HELD_PAGES, HELD_AREA, HELD_KV, HELD_ELEMENT, HELD_WAITS }; /* nothing: there was no memory */

struct held { /* what a pointer of the trace stands for, if it is no object of slab_replay */
    uint64_t pointer, at; /* at: frame or linear address */
    uint64_t size, pool;
    struct slab_who who;  /* asked for it */
    gfp_t gfp;
    uint8_t kind, order;
    uint16_t cpu;
    UT_hash_handle hh;
};

struct pool {
    uint64_t number;
    struct mempool *pool; /* NULL: the reserve could not be had */
    struct mempool_kmalloc kmalloc;
    uint64_t size;
    uint64_t *waiter;     /* pointers that wait, oldest at `first` */
    size_t first, n, cap;
    UT_hash_handle hh;
};

struct slab_calls {
    struct slab_sys *s;
    struct slab_replay *objects;
    struct vmalloc *v;
    struct held *held;
    struct pool *pools;
    uint64_t pages; /* of HELD_PAGES */
    uint64_t began_us, now_us;
    bool begun;
    uint64_t live_us, held_us; /* bytes x microseconds */
    struct slab_calls_stats st;
    struct mempool_stats mempool, ended; /* of all pools; of those that were destroyed */
    uint64_t cycles;                     /* of the call that is played */
    struct slab_latency latency[N_SLAB_CALLS_CLASSES];
    struct slab_path_stats latency_st[N_SLAB_CALLS_CLASSES];
};

int slab_calls_new(struct slab_calls **out, struct slab_sys *s, struct slab_replay *r, struct err *err)
{
    struct slab_calls *c = calloc(1, sizeof *c);
    *out = NULL;
    if (!c)
        return err_set(err, ERR_RUN, "out of host memory for the calls of allocators");
    c->s = s;
    c->objects = r;
    if (vmalloc_new(&c->v, s, err) < 0) {
        free(c);
        return -1;
    }
    *out = c;
    return 0;
}

static void give_up(struct slab_calls *c, struct held *h)
{
    HASH_DEL(c->held, h);
    free(h);
}

void slab_calls_free(struct slab_calls *c)
{
    if (!c)
        return;
    struct held *h = c->held, *next_held;
    struct pool *p = c->pools, *next_pool;
    HASH_CLEAR(hh, c->held); /* the tables go, their elements stay chained */
    HASH_CLEAR(hh, c->pools);
    for (; h; h = next_held) {
        next_held = h->hh.next;
        if (h->kind == HELD_PAGES)
            frames_free(c->s->frames, (pfn_t){h->at}, h->order);
        free(h);
    }
    for (; p; p = next_pool) {
        next_pool = p->hh.next;
        mempool_destroy(p->pool, 0);
        free(p->waiter);
        free(p);
    }
    vmalloc_delete(c->v);
    free(c);
}

/* ---- books -------------------------------------------------------------------------------------------------------------- */

static uint64_t held_bytes(const struct slab_calls *c)
{
    const struct vmalloc_stats *v = slab_vmalloc_stats(c->v);
    return (c->s->st.pages + c->pages + v->pages + v->table_pages) * PAGE_BYTES;
}

void slab_calls_time(struct slab_calls *c, uint64_t ns)
{
    uint64_t us = ns / NS_A_US;
    if (!c->begun) {
        c->begun = true;
        c->began_us = c->now_us = us;
    }
    if (us > c->now_us) {
        c->live_us += c->st.live_bytes * (us - c->now_us);
        c->held_us += c->st.held_bytes * (us - c->now_us);
        c->now_us = us;
    }
}

static void level(struct slab_calls *c)
{
    c->st.held_bytes = held_bytes(c);
    if (c->st.live_bytes > c->st.peak_live_bytes)
        c->st.peak_live_bytes = c->st.live_bytes;
    if (c->st.held_bytes > c->st.peak_held_bytes)
        c->st.peak_held_bytes = c->st.held_bytes;
}

static void took_time(struct slab_calls *c, uint64_t size, bool alloc)
{
    enum slab_calls_class k = alloc ? size > SMALL_MAX ? SLAB_CALLS_large_alloc : SLAB_CALLS_small_alloc
                                    : size > SMALL_MAX ? SLAB_CALLS_large_free : SLAB_CALLS_small_free;
    slab_latency_add(&c->latency[k], slab_last_op(c->s).cycles);
    c->cycles += slab_last_op(c->s).cycles;
}

static void asked(struct slab_calls *c, uint64_t size, bool got)
{
    bool large = size > SMALL_MAX;
    c->st.allocs++;
    c->st.large_allocs += large;
    if (got) {
        c->st.live++;
        c->st.live_bytes += size;
        took_time(c, size, true);
    } else {
        c->st.failures++;
        c->st.large_failures += large;
        c->st.failed_bytes += size;
    }
}

static void gone(struct slab_calls *c, uint64_t size)
{
    c->st.live--;
    c->st.live_bytes -= size;
}

/* ---- pools -------------------------------------------------------------------------------------------------------------- */

static struct pool *find_pool(struct slab_calls *c, uint64_t number)
{
    struct pool *p;
    HASH_FIND(hh, c->pools, &number, sizeof number, p);
    if (!p || !p->pool) {
        c->st.wrong_pools++;
        return NULL;
    }
    return p;
}

static void wait_for(struct pool *p, uint64_t pointer)
{
    if (p->first && p->first + p->n == p->cap) {
        memmove(p->waiter, p->waiter + p->first, p->n * sizeof *p->waiter);
        p->first = 0;
    }
    if (p->n == p->cap) {
        p->cap = p->cap ? p->cap * 2 : 16;
        p->waiter = realloc(p->waiter, p->cap * sizeof *p->waiter);
        if (!p->waiter)
            abort(); /* as the replay's own table */
    }
    p->waiter[p->first + p->n++] = pointer;
}

/* The oldest that still waits asks again. */
static void wake(struct slab_calls *c, struct pool *p)
{
    while (p->n) {
        struct held *h;
        va_t at;
        uint64_t pointer = p->waiter[p->first];
        HASH_FIND(hh, c->held, &pointer, sizeof pointer, h);
        if (h && h->kind == HELD_WAITS && h->pool == p->number) {
            if (mempool_alloc(p->pool, h->gfp, h->cpu, &at) != MEMPOOL_GOT)
                return; /* it waits on, the pool counts it anew */
            h->kind = HELD_ELEMENT;
            h->at = at.v;
            c->st.waiting--;
            c->st.live++;
            c->st.live_bytes += h->size;
            took_time(c, h->size, true);
            p->first++;
            p->n--;
            return;
        }
        p->first++; /* given up meanwhile */
        p->n--;
    }
}

static void create_pool(struct slab_calls *c, const struct slab_event *e, uint64_t number, uint32_t elements)
{
    struct pool *p;
    HASH_FIND(hh, c->pools, &number, sizeof number, p);
    if (p || !e->size || e->size > UINT32_MAX) {
        c->st.wrong_pools++;
        return;
    }
    p = calloc(1, sizeof *p);
    if (!p)
        abort();
    p->number = number;
    p->size = e->size;
    p->kmalloc = (struct mempool_kmalloc){c->s, e->size};
    struct kmem_cache *cache = e->cache && *e->cache ? slab_find_cache(c->s, e->cache) : NULL;
    struct kmem_cache_args a = {.name = e->cache, .size = (uint32_t)e->size, .flags = SLAB_NO_MERGE};
    if (e->cache && *e->cache && !cache)
        cache = kmem_cache_create(c->s, &a);
    p->pool = mempool_create(c->s, elements, cache ? mempool_of_cache(cache) : mempool_of_kmalloc(&p->kmalloc), e->cpu);
    c->st.wrong_pools += p->pool == NULL;
    HASH_ADD(hh, c->pools, number, sizeof p->number, p);
}

static void add_pool_stats(struct mempool_stats *sum, const struct mempool *p)
{
#define ADD(name, unit, help) sum->name += p->st.name;
    MEMPOOL_STATS(ADD)
#undef ADD
}

static void destroy_pool(struct slab_calls *c, uint64_t number, unsigned cpu)
{
    struct pool *p = find_pool(c, number);
    if (!p)
        return;
    for (; p->n; p->first++, p->n--) {
        struct held *h;
        HASH_FIND(hh, c->held, &p->waiter[p->first], sizeof *p->waiter, h);
        if (h && h->kind == HELD_WAITS) {
            c->st.waiting--;
            give_up(c, h);
        }
    }
    add_pool_stats(&c->ended, p->pool);
    mempool_destroy(p->pool, cpu);
    HASH_DEL(c->pools, p);
    free(p->waiter);
    free(p);
}

/* ---- requests ----------------------------------------------------------------------------------------------------------- */

static void release(struct slab_calls *c, struct held *h, unsigned cpu)
{
    struct pool *p;
    switch ((enum held_kind)h->kind) {
    case HELD_PAGES:
        slab_put_pages(c->s, (pfn_t){h->at}, h->order, cpu);
        c->pages -= 1ull << h->order;
        break;
    case HELD_AREA: slab_vfree(c->v, (va_t){h->at}, cpu); break;
    case HELD_KV: slab_kvfree(c->v, (va_t){h->at}, cpu); break;
    case HELD_WAITS:
    case HELD_NOTHING:
        c->st.waiting -= h->kind == HELD_WAITS;
        give_up(c, h);
        return;
    case HELD_ELEMENT:
        HASH_FIND(hh, c->pools, &h->pool, sizeof h->pool, p);
        if (p && p->pool) {
            bool woken = mempool_free(p->pool, (va_t){h->at}, cpu);
            took_time(c, h->size, false);
            gone(c, h->size);
            give_up(c, h);
            if (woken)
                wake(c, p);
            return;
        }
        slab_kfree(c->s, (va_t){h->at}, cpu); /* its pool is gone, the element is its owner's */
        break;
    }
    took_time(c, h->size, false);
    gone(c, h->size);
    give_up(c, h);
}

static struct held *find_held(const struct slab_calls *c, uint64_t pointer)
{
    struct held *h;
    HASH_FIND(hh, c->held, &pointer, sizeof pointer, h);
    return h;
}

static void object(struct slab_calls *c, enum slab_call call, const struct slab_event *e)
{
    const struct slab_replay_stats *st = slab_replay_stats(c->objects), before = *st;
    uint64_t old = slab_replay_size(c->objects, e->pointer);
    if (call == SLAB_CALL_FREE) {
        bool had = slab_replay_find(c->objects, e->pointer).v != 0;
        slab_replay_release(c->objects, e);
        c->st.frees++;
        if (had) {
            took_time(c, old, false);
            gone(c, old);
        } else {
            c->st.unknown_frees += st->unknown_frees != before.unknown_frees;
        }
        return;
    }
    bool had = slab_replay_find(c->objects, e->pointer).v != 0;
    va_t at = slab_replay_alloc(c->objects, e);
    if (st->duplicates != before.duplicates)
        return; /* the second record of one allocation */
    if (had) {
        c->st.missed_frees++;
        gone(c, old);
    }
    if (e->pointer > ZERO_SIZE_PTR.v)
        asked(c, e->size, at.v != 0);
}

static void request(struct slab_calls *c, enum slab_call call, const struct slab_event *e, uint64_t number)
{
    struct held *h = find_held(c, e->pointer), got = {.pointer = e->pointer, .size = e->size, .cpu = (uint16_t)e->cpu, .gfp = e->gfp,
                                                    .who = c->s->who};
    unsigned order = 0;
    va_t at = SLAB_NONE;
    if (h) {
        c->st.missed_frees += h->kind != HELD_NOTHING;
        release(c, h, e->cpu);
    }
    if (call == SLAB_CALL_ALLOC_PAGES) {
        pfn_t f = slab_get_pages(c->s, e->size, e->gfp, e->cpu, &order);
        got.kind = HELD_PAGES;
        got.order = (uint8_t)order;
        at.v = pfn_is_none(f) ? 0 : f.v; /* frame 0 is never given */
        c->pages += at.v ? 1ull << order : 0;
    } else if (call == SLAB_CALL_VMALLOC) {
        got.kind = HELD_AREA;
        at = slab_vmalloc(c->v, e->size, e->gfp, 0, e->cpu);
    } else if (call == SLAB_CALL_KVMALLOC) {
        got.kind = HELD_KV;
        at = slab_kvmalloc(c->v, e->size, e->gfp, e->cpu);
    } else {
        struct pool *p = find_pool(c, number);
        if (!p)
            return;
        got.kind = HELD_ELEMENT;
        got.pool = number;
        got.size = p->size;
        if (mempool_alloc(p->pool, e->gfp & ~(gfp_t)__GFP_ZERO, e->cpu, &at) == MEMPOOL_WAITS) {
            got.kind = HELD_WAITS;
            wait_for(p, e->pointer);
        }
    }
    if (got.kind == HELD_WAITS) {
        c->st.allocs++;
        c->st.waiting++;
    } else {
        asked(c, got.size, at.v != 0);
        if (at.v == 0)
            got.kind = HELD_NOTHING;
    }
    got.at = at.v;
    h = malloc(sizeof *h);
    if (!h)
        abort(); /* the simulated machine's objects do not fit into the host */
    *h = got;
    HASH_ADD(hh, c->held, pointer, sizeof h->pointer, h);
}

void slab_calls_create_cache(struct slab_calls *c, const struct slab_event *e, const struct kmem_cache_args *args, uint64_t ns)
{
    slab_calls_time(c, ns);
    slab_replay_create(c->objects, e, args);
    level(c);
}

uint64_t slab_calls_play(struct slab_calls *c, enum slab_call call, const struct slab_event *e, uint64_t number, uint32_t elements,
                         uint64_t ns)
{
    struct pool *p;
    struct held *h;
    c->cycles = 0;
    slab_calls_time(c, ns);
    slab_set_who(c->s, (struct slab_who){e->record, e->call_site});
    switch (call) {
    case SLAB_CALL_ALLOC:
    case SLAB_CALL_FREE: object(c, call, e); break;
    case SLAB_CALL_ALLOC_PAGES:
    case SLAB_CALL_VMALLOC:
    case SLAB_CALL_KVMALLOC:
    case SLAB_CALL_MEMPOOL_ALLOC: request(c, call, e, number); break;
    case SLAB_CALL_FREE_PAGES:
    case SLAB_CALL_VFREE:
    case SLAB_CALL_KVFREE:
    case SLAB_CALL_MEMPOOL_FREE:
        c->st.frees++;
        if ((h = find_held(c, e->pointer)))
            release(c, h, e->cpu);
        else
            c->st.unknown_frees += e->pointer != 0;
        break;
    case SLAB_CALL_MEMPOOL_CREATE: create_pool(c, e, number, elements); break;
    case SLAB_CALL_MEMPOOL_RESIZE:
        if ((p = find_pool(c, number)))
            c->st.wrong_pools += elements == 0 || mempool_resize(p->pool, elements, e->cpu) < 0;
        break;
    case SLAB_CALL_MEMPOOL_DESTROY: destroy_pool(c, number, e->cpu); break;
    case SLAB_CALL_CACHE_SHRINK: slab_replay_shrink(c->objects, e); break;
    case SLAB_CALL_CACHE_DESTROY: slab_replay_destroy(c->objects, e); break;
    case SLAB_CALL_CACHE_CREATE: break; /* it has more to say: slab_calls_create_cache */
    }
    level(c);
    return c->cycles;
}

/* Objects out of kmalloc, kvmalloc's and pools' among them, are slab_report_leaks'. */
static void report_leaks(const struct slab_calls *c)
{
    for (const struct held *h = c->held; h; h = h->hh.next)
        if (h->kind == HELD_PAGES)
            find_cache(c->s, SLAB_LEAKED_PAGES, "alloc_pages", UINT64_C(1) << h->order, h->who, (struct slab_who){0});
        else if (h->kind == HELD_AREA || (h->kind == HELD_KV && is_vmalloc_address(c->v, (va_t){h->at})))
            find_cache(c->s, SLAB_LEAKED_AREA, h->kind == HELD_AREA ? "vmalloc" : "kvmalloc", h->size, h->who, (struct slab_who){0});
}

void slab_calls_end(struct slab_calls *c)
{
    slab_replay_end(c->objects);
    if (c->s->cfg.store_user)
        report_leaks(c);
}

/* ---- looking at it ------------------------------------------------------------------------------------------------------ */

uint64_t slab_calls_element(const struct slab_calls *c, uint64_t number)
{
    const struct pool *p;
    HASH_FIND(hh, c->pools, &number, sizeof number, p);
    return p ? p->size : 0;
}

struct vmalloc *slab_calls_vmalloc(const struct slab_calls *c) { return c->v; }
const struct slab_latency *slab_calls_latency(const struct slab_calls *c, enum slab_calls_class k) { return &c->latency[k]; }

const struct slab_calls_stats *slab_calls_stats(const struct slab_calls *c)
{
    struct slab_calls_stats *st = &((struct slab_calls *)(uintptr_t)c)->st; /* gauges only */
    uint64_t us = c->now_us - c->began_us;
    st->held_bytes = held_bytes(c);
    st->mean_live_bytes = us ? c->live_us / us : st->live_bytes;
    st->mean_held_bytes = us ? c->held_us / us : st->held_bytes;
    st->page_bytes = c->pages * PAGE_BYTES;
    st->table_bytes = slab_vmalloc_stats(c->v)->table_pages * PAGE_BYTES;
    return st;
}

#define COUNT_DESC(name, unit, help) STAT_ENTRY(struct slab_calls_stats, name, unit, help)
#define GAUGE_DESC(name, unit, help) STAT_ENTRY_GAUGE(struct slab_calls_stats, name, unit, help)
static const struct stat_desc descs[] = {SLAB_CALLS_STATS(COUNT_DESC, GAUGE_DESC)};
#define POOL_DESC(name, unit, help) STAT_ENTRY(struct mempool_stats, name, unit, help)
static const struct stat_desc pool_descs[] = {MEMPOOL_STATS(POOL_DESC)};
#define PATH_DESC(name, unit, help) STAT_ENTRY_GAUGE(struct slab_path_stats, name, unit, help)
static const struct stat_desc latency_descs[] = {SLAB_PATH_STATS(PATH_DESC)};

typedef void add_stats(struct stats *s, const char *path, const void *base, const struct stat_desc *d, size_t n);

static void add_to(struct slab_calls *c, struct stats *tree, add_stats *add)
{
#define CLASS_NAME(name, help) "calls." #name,
    static const char *const names[] = {SLAB_CALLS_CLASSES(CLASS_NAME)};
#undef CLASS_NAME
    slab_calls_stats(c);
    c->mempool = c->ended;
    for (const struct pool *p = c->pools; p; p = p->hh.next)
        if (p->pool)
            add_pool_stats(&c->mempool, p->pool);
    for (unsigned k = 0; k < N_SLAB_CALLS_CLASSES; k++) {
        const struct slab_latency *l = &c->latency[k];
        c->latency_st[k] = (struct slab_path_stats){.operations = l->n, .cycles = l->sum, .worst = l->max,
                                                      .p50 = slab_latency_quantile(l, 500), .p99 = slab_latency_quantile(l, 990)};
    }
    add(tree, "calls", &c->st, descs, ARRAY_LEN(descs));
    for (unsigned k = 0; k < N_SLAB_CALLS_CLASSES; k++)
        add(tree, names[k], &c->latency_st[k], latency_descs, ARRAY_LEN(latency_descs));
    slab_vmalloc_add_stats(c->v, tree, add);
    add(tree, "mempool", &c->mempool, pool_descs, ARRAY_LEN(pool_descs));
}

void slab_calls_add_stats(struct slab_calls *c, struct stats *tree) { add_to(c, tree, stats_add); }
void slab_calls_add_stats_late(struct slab_calls *c, struct stats *tree) { add_to(c, tree, stats_add_late); }
