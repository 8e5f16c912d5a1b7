#include "slab/replay/slab_replay.h"

#include "slab/slab_internal.h"
#include "slab/vmalloc/range_tree.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct entry { /* of the open-addressed table; pointer 0: empty */
    uint64_t pointer;
    va_t at;                  /* SLAB_NONE: there was no memory for it */
    struct kmem_cache *cache; /* NULL: kmalloc */
    uint32_t size;
    bool freed;               /* kept for findings */
};

struct named { /* a cache of the trace, by name */
    char name[SLAB_NAME];
    struct kmem_cache *cache; /* NULL: cannot be built, or destroyed */
    bool created, destroyed;  /* by the trace */
    struct slab_who made, ended;
    UT_hash_handle hh;
};

enum { PART_BITS = 6, PARTS = 1 << PART_BITS, FIRST_CAP = 16 };

struct slab_replay {
    struct slab_sys *s;
    struct part { struct entry *table; uint64_t cap, n; } part[PARTS];
    bool debug;
    struct range_tree near; /* debug: pointers by address */
    struct named *names;
    uint64_t last_pointer, last_size; /* of the last record, if it was a kmalloc */
    struct slab_replay_stats st;
};

enum { NEAR_BYTES = 64 };

int slab_replay_new(struct slab_replay **out, struct slab_sys *s, struct err *err)
{
    struct slab_replay *r = calloc(1, sizeof *r);
    *out = r;
    if (!r)
        return err_set(err, ERR_RUN, "out of host memory for the slab replay");
    r->s = s;
    r->debug = s->cfg.sanity || s->cfg.red_zone || s->cfg.poison || s->cfg.store_user;
    range_init(&r->near);
    return 0;
}

void slab_replay_free(struct slab_replay *r)
{
    if (!r)
        return;
    struct named *n = r->names, *next;
    HASH_CLEAR(hh, r->names); /* the table goes, its elements stay chained */
    for (; n; n = next) {
        next = n->hh.next;
        free(n);
    }
    range_fini(&r->near);
    for (unsigned i = 0; i < PARTS; i++)
        free(r->part[i].table);
    free(r);
}

/* ---- the table: linear probing, deletion shifts back. In parts that grow one by one, so that only one part is there twice ---- */

static unsigned part_of(uint64_t hash) { return (unsigned)(hash >> (64 - PART_BITS)); }
static uint64_t hash_of(uint64_t pointer) { return pointer * 0x9e3779b97f4a7c15ull; }
static uint64_t home(const struct part *t, uint64_t hash) { return (hash >> 20) & (t->cap - 1); }

static struct entry *lookup(const struct slab_replay *r, uint64_t pointer)
{
    uint64_t hash = hash_of(pointer);
    const struct part *t = &r->part[part_of(hash)];
    if (!t->cap)
        return NULL;
    for (uint64_t i = home(t, hash); t->table[i].pointer; i = (i + 1) & (t->cap - 1))
        if (t->table[i].pointer == pointer)
            return &t->table[i];
    return NULL;
}

static struct entry *place(const struct part *t, uint64_t hash)
{
    uint64_t i = home(t, hash);
    while (t->table[i].pointer)
        i = (i + 1) & (t->cap - 1);
    return &t->table[i];
}

static void resize(struct part *t, uint64_t cap)
{
    struct entry *old = t->table;
    uint64_t n = t->cap;
    t->table = calloc(cap, sizeof *t->table);
    if (!t->table)
        abort(); /* the simulated machine's objects do not fit into the host */
    t->cap = cap;
    for (uint64_t k = 0; k < n; k++)
        if (old[k].pointer)
            *place(t, hash_of(old[k].pointer)) = old[k];
    free(old);
}

static struct entry *insert(struct slab_replay *r, uint64_t pointer)
{
    uint64_t hash = hash_of(pointer);
    struct part *t = &r->part[part_of(hash)];
    if ((t->n + 1) * 4 > t->cap * 3)
        resize(t, t->cap ? t->cap * 2 : FIRST_CAP);
    struct entry *e = place(t, hash);
    t->n++;
    *e = (struct entry){.pointer = pointer};
    return e;
}

static void delete(struct slab_replay *r, struct entry *e)
{
    struct part *t = &r->part[part_of(hash_of(e->pointer))];
    uint64_t hole = (uint64_t)(e - t->table), mask = t->cap - 1;
    t->n--;
    for (uint64_t i = (hole + 1) & mask; t->table[i].pointer; i = (i + 1) & mask)
        if (((i - home(t, hash_of(t->table[i].pointer))) & mask) >= ((i - hole) & mask)) {
            t->table[hole] = t->table[i];
            hole = i;
        }
    t->table[hole].pointer = 0;
    if (t->cap > FIRST_CAP && t->n * 8 < t->cap)
        resize(t, t->cap / 2);
}

/* ---- caches ---- */

static bool has_sheaves(const struct slab_config *c, const char *name)
{
    for (size_t i = 0; i < c->sheaf_caches.n; i++)
        if (strcmp(c->sheaf_caches.s[i], name) == 0)
            return true;
    return false;
}

/* Cache lines where the slot says so; a constructor (or RCU) where only its free pointer explains the slot. */
static void guess_layout(struct kmem_cache_args *a, uint64_t slot)
{
    uint64_t words = (a->size + 7ull) / 8 * 8;
    if (slot == words)
        return;
    if (slot % LINE_BYTES == 0 && slot - words < LINE_BYTES)
        a->flags |= SLAB_HWCACHE_ALIGN;
    else if (slot == words + 8)
        a->ctor = true;
}

static struct named *find_named(const struct slab_replay *r, const char *cache)
{
    struct named *n;
    char name[SLAB_NAME];
    snprintf(name, sizeof name, "%s", cache);
    HASH_FIND_STR(r->names, name, n);
    return n;
}

static struct named *add_named(struct slab_replay *r, const char *cache)
{
    struct named *n = calloc(1, sizeof *n);
    if (!n)
        abort();
    snprintf(n->name, sizeof n->name, "%s", cache);
    n->made = r->s->who;
    HASH_ADD_STR(r->names, name, n);
    return n;
}

static struct named *cache_named(struct slab_replay *r, const struct slab_event *e)
{
    char name[SLAB_NAME];
    snprintf(name, sizeof name, "%s", e->cache);
    if (!*name) {
        r->st.unnamed++;
        snprintf(name, sizeof name, "unnamed-%" PRIu64 "-%" PRIu64, e->size, e->slot);
    }
    struct named *n = find_named(r, name);
    if (n && n->destroyed)
        find_cache(r->s, SLAB_DEAD_CACHE, n->name, 0, n->made, n->ended);
    if (n)
        return n;
    n = add_named(r, name);
    struct kmem_cache_args a = {.name = name, .size = (uint32_t)(e->size < UINT32_MAX ? e->size : 0),
                                .slot = (uint32_t)(e->slot < UINT32_MAX ? e->slot : 0)};
    a.flags = SLAB_NO_MERGE; /* the recorded kernel has merged already: a name is a cache of its own */
    guess_layout(&a, e->slot);
    if (e->gfp & __GFP_RECLAIMABLE)
        a.flags |= SLAB_RECLAIM_ACCOUNT;
    if (r->s->cfg.sheaf_capacity && has_sheaves(&r->s->cfg, name))
        a.sheaf_capacity = r->s->cfg.sheaf_capacity;
    n->cache = kmem_cache_create(r->s, &a);
    r->st.caches_refused += n->cache == NULL;
    return n;
}

static void set_who(struct slab_replay *r, const struct slab_event *e)
{
    slab_set_who(r->s, (struct slab_who){e->record, e->call_site});
}

void slab_replay_create(struct slab_replay *r, const struct slab_event *e, const struct kmem_cache_args *args)
{
    struct named *n = find_named(r, e->cache);
    struct kmem_cache_args a = *args;
    set_who(r, e);
    if (n && !n->destroyed) {
        r->st.caches_again++;
        return;
    }
    if (!n)
        n = add_named(r, e->cache);
    if (r->s->cfg.sheaf_capacity && has_sheaves(&r->s->cfg, n->name))
        a.sheaf_capacity = r->s->cfg.sheaf_capacity;
    n->made = r->s->who;
    n->created = true;
    n->destroyed = false;
    n->cache = kmem_cache_create(r->s, &a);
    r->st.caches_made++;
    r->st.caches_refused += n->cache == NULL;
}

/* The cache of a shrink or a destruction; NULL: there is none to work on. */
static struct named *cache_to_end(struct slab_replay *r, const struct slab_event *e)
{
    struct named *n = find_named(r, e->cache);
    set_who(r, e);
    if (n && n->destroyed)
        find_cache(r->s, SLAB_DEAD_CACHE, n->name, 0, n->made, n->ended);
    r->st.caches_unknown += n == NULL;
    return n && n->cache ? n : NULL;
}

void slab_replay_shrink(struct slab_replay *r, const struct slab_event *e)
{
    struct named *n = cache_to_end(r, e);
    if (n)
        kmem_cache_shrink(n->cache);
}

void slab_replay_destroy(struct slab_replay *r, const struct slab_event *e)
{
    struct named *n = cache_to_end(r, e);
    if (!n)
        return;
    kmem_cache_destroy(n->cache);
    n->cache = NULL;
    n->destroyed = true;
    n->ended = r->s->who;
}

unsigned slab_replay_report_caches(struct slab_replay *r)
{
    unsigned found = 0;
    for (const struct named *n = r->names; n; n = n->hh.next)
        if (n->created && n->cache) {
            find_cache(r->s, SLAB_LEAKED_CACHE, n->name, kmem_cache_stats(n->cache)->objects, n->made, (struct slab_who){0});
            found++;
        }
    return found;
}

void slab_replay_end(struct slab_replay *r)
{
    const struct slab_config *c = &r->s->cfg;
    if (c->red_zone || c->poison)
        slab_validate(r->s);
    if (!c->store_user)
        return;
    slab_report_leaks(r->s);
    slab_replay_report_caches(r);
}

/* ---- records ---- */

static void give_back(struct slab_replay *r, struct entry *x, struct kmem_cache *as, unsigned cpu)
{
    if (x->at.v) {
        if (as)
            kmem_cache_free(as, x->at, cpu);
        else
            slab_kfree(r->s, x->at, cpu);
    }
    r->st.live--;
    if (r->debug)
        x->freed = true;
    else
        delete(r, x);
}

va_t slab_replay_alloc(struct slab_replay *r, const struct slab_event *e)
{
    bool kmalloc = !e->cache;
    r->st.allocs++;
    set_who(r, e);
    struct entry *x = e->pointer ? lookup(r, e->pointer) : NULL;
    if (x && !x->freed) {
        if (kmalloc && r->last_pointer == e->pointer && r->last_size == e->size && e->size > r->s->ops->kmalloc_max) {
            r->st.duplicates++;
            return SLAB_NONE;
        }
        r->st.missed_frees++;
        give_back(r, x, x->cache, e->cpu);
        x = lookup(r, e->pointer); /* the table may have moved */
    }
    if (kmalloc) {
        r->last_pointer = e->pointer;
        r->last_size = e->size;
    }
    if (e->pointer <= ZERO_SIZE_PTR.v) /* a failed allocation, or of 0 bytes */
        return SLAB_NONE;
    struct named *n = kmalloc ? NULL : cache_named(r, e);
    if (n && !n->cache) {
        r->st.skipped++;
        return SLAB_NONE;
    }
    va_t at = n ? kmem_cache_alloc(n->cache, e->gfp, e->cpu) : slab_kmalloc(r->s, e->size, e->gfp, e->cpu);
    r->st.failures += at.v == 0;
    if (at.v && e->slot) {
        const struct slab_page *p = slab_page_of(r->s, at);
        uint64_t slot = p->kind == PAGE_OF_CACHE ? p->cache->size : slab_ksize(r->s, at);
        r->st.other_slot += slot != e->slot;
    }
    if (!x)
        x = insert(r, e->pointer);
    else
        range_remove(&r->near, e->pointer);
    *x = (struct entry){.pointer = e->pointer, .at = at, .cache = n ? n->cache : NULL,
                        .size = (uint32_t)(e->size < UINT32_MAX ? e->size : UINT32_MAX)};
    if (r->debug)
        range_insert(&r->near, e->pointer, 1, 0);
    r->st.live++;
    return at;
}

void slab_replay_release(struct slab_replay *r, const struct slab_event *e)
{
    r->st.frees++;
    r->last_pointer = 0;
    if (e->pointer <= ZERO_SIZE_PTR.v) {
        r->st.null_frees++;
        r->s->st.kfree_null++;
        return;
    }
    set_who(r, e);
    struct entry *x = lookup(r, e->pointer);
    if (!x) {
        r->st.unknown_frees++;
        return;
    }
    if (x->freed) { /* here its slot may belong to somebody else by now */
        struct slab_page *p = x->at.v ? slab_page_of(r->s, x->at) : NULL;
        unsigned i = p && p->kind == PAGE_OF_CACHE ? object_index(p, x->at) : NO_OBJECT;
        find(r->s, SLAB_DOUBLE_FREE, p, i, x->at, 0, (struct slab_who){0});
        return;
    }
    struct kmem_cache *as = x->cache;
    if (r->debug && e->cache && *e->cache) {
        const struct named *n = find_named(r, e->cache);
        if (n && n->cache && as)
            as = n->cache;
    }
    give_back(r, x, as, e->cpu);
}

/* The object that an address belongs to: the last one that begins at or before it, unless the next one is nearer. */
static struct entry *owner(struct slab_replay *r, uint64_t at)
{
    struct range_node below, above;
    bool has_below = range_at_or_below(&r->near, at, &below), has_above = range_above(&r->near, at, &above);
    struct entry *x = has_below ? lookup(r, below.start) : NULL;
    uint64_t past = x ? at - x->pointer : UINT64_MAX;
    if (x && (past < x->size || past - x->size < NEAR_BYTES) && !(has_above && past >= x->size && above.start - at < past - x->size + 1))
        return x;
    return has_above && above.start - at <= NEAR_BYTES ? lookup(r, above.start) : NULL;
}

void slab_replay_touch(struct slab_replay *r, uint64_t record, uint64_t at, uint64_t len, bool write)
{
    struct entry *x = r->debug ? owner(r, at) : NULL;
    if (!x || !x->at.v)
        return;
    slab_set_who(r->s, (struct slab_who){record, 0});
    slab_touch(r->s, (va_t){x->at.v + (at - x->pointer)}, len, write);
}

va_t slab_replay_find(const struct slab_replay *r, uint64_t pointer)
{
    const struct entry *x = pointer ? lookup(r, pointer) : NULL;
    return x && !x->freed ? x->at : SLAB_NONE;
}

uint64_t slab_replay_size(const struct slab_replay *r, uint64_t pointer)
{
    const struct entry *x = pointer ? lookup(r, pointer) : NULL;
    return x && !x->freed && x->at.v ? x->size : 0;
}

const struct slab_replay_stats *slab_replay_stats(const struct slab_replay *r) { return &r->st; }

#define COUNT_DESC(name, unit, help) STAT_ENTRY(struct slab_replay_stats, name, unit, help)
#define GAUGE_DESC(name, unit, help) STAT_ENTRY_GAUGE(struct slab_replay_stats, name, unit, help)
static const struct stat_desc descs[] = {SLAB_REPLAY_STATS(COUNT_DESC, GAUGE_DESC)};

void slab_replay_add_stats(const struct slab_replay *r, struct stats *tree)
{
    stats_add(tree, "slab.trace", &r->st, descs, ARRAY_LEN(descs));
}

size_t slab_replay_bytes(const struct slab_replay *r)
{
    size_t bytes = sizeof *r + r->near.cap * sizeof *r->near.node;
    for (unsigned i = 0; i < PARTS; i++)
        bytes += r->part[i].cap * sizeof *r->part[i].table;
    return bytes;
}
