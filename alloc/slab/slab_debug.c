/*
 * Debugging as SLUB does it: what lies in a slot beside the object, and in it while it is free, has known bytes; they are
 * compared when the object is allocated, freed or validated. linux/poison.h has the bytes.
 *
 *   | left red zone | object (object_size) | right red zone to inuse | free pointer | tracks | padding |
 */
#include "slab/slab_internal.h"

#include <stdlib.h>
#include <string.h>

enum { POISON_INUSE = 0x5a, POISON_FREE = 0x6b, POISON_END = 0xa5, RED_INACTIVE = 0xbb, RED_ACTIVE = 0xcc };
enum { WRITTEN = 0x41 }; /* what a program's write leaves: unlike every byte above */

static uint8_t *slot_bytes(const struct slab_page *p, unsigned i)
{
    return p->shadow + p->first + (size_t)i * p->cache->size;
}

static bool poisoned(const struct kmem_cache *c) { return (c->flags & SLAB_POISON) && !c->ctor && !(c->flags & SLAB_TYPESAFE_BY_RCU); }

/* Where the caller's bytes end in the slot: with tracking, kmalloc guards what was not asked for (slub_debug_orig_size). */
static uint32_t end_of(const struct slab_page *p, unsigned i, bool live)
{
    const struct kmem_cache *c = p->cache;
    bool exact = live && p->req && (c->flags & SLAB_STORE_USER) && (c->flags & SLAB_RED_ZONE);
    return c->left_pad + (exact ? p->req[i] : c->object_size);
}

/* The byte that belongs at `off` of the slot; -1 where any may be. */
static int expected(const struct kmem_cache *c, uint32_t off, uint32_t end, bool live)
{
    if (off < c->left_pad || (off >= end && off < c->left_pad + c->inuse))
        return c->flags & SLAB_RED_ZONE ? (live ? RED_ACTIVE : RED_INACTIVE) : -1;
    if (off < end)
        return live || !poisoned(c) ? -1 : off == end - 1 ? POISON_END : POISON_FREE;
    return c->flags & SLAB_POISON ? POISON_INUSE : -1; /* free pointer, tracks and padding: not the caller's */
}

static void set_bytes(struct slab_page *p, unsigned i, bool live)
{
    const struct kmem_cache *c = p->cache;
    uint8_t *b = slot_bytes(p, i);
    uint32_t end = end_of(p, i, live);
    for (uint32_t off = 0; off < c->size; off++) {
        int e = expected(c, off, end, live);
        b[off] = (uint8_t)(e < 0 ? 0 : e);
    }
}

int debug_slab_new(struct slab_page *p)
{
    p->shadow = malloc(slab_bytes(p));
    if (!p->shadow)
        abort();
    memset(p->shadow, POISON_INUSE, slab_bytes(p));
    for (unsigned i = 0; i < p->objects; i++)
        set_bytes(p, i, false);
    return 0;
}

void debug_check_object(struct slab_page *p, unsigned i)
{
    struct kmem_cache *c = p->cache;
    bool live = is_live(p, i);
    const uint8_t *b = p->shadow ? slot_bytes(p, i) : NULL;
    uint32_t end = end_of(p, i, live);
    for (uint32_t off = 0; b && off < c->size; off++) {
        int e = expected(c, off, end, live);
        if (e < 0 || b[off] == e)
            continue;
        bool inside = off >= c->left_pad && off < end;
        find(c->sys, inside ? SLAB_USE_AFTER_FREE : SLAB_OVERRUN, p, i, object_at(p, i), (int64_t)off - (int64_t)c->left_pad,
             p->user[i].bad_end ? p->user[i].bad : (struct slab_who){0});
        set_bytes(p, i, live); /* "FIX: restoring": one finding a mistake */
        p->user[i].bad_end = 0;
        break;
    }
}

void debug_alloc(struct slab_page *p, unsigned i)
{
    struct kmem_cache *c = p->cache;
    if (p->shadow) { /* the live bit is set already; the bytes are still those of a free object */
        p->live[i / 64] &= ~(1ull << (i % 64));
        debug_check_object(p, i);
        p->live[i / 64] |= 1ull << (i % 64);
        set_bytes(p, i, true);
    }
    p->user[i].alloc = c->sys->who;
    p->user[i].bad_end = 0;
}

void debug_free(struct slab_page *p, unsigned i)
{
    debug_check_object(p, i);
    if (p->shadow)
        set_bytes(p, i, false);
    p->user[i].freed = p->cache->sys->who;
    p->user[i].bad_end = 0;
}

static void touch_slot(struct slab_page *p, unsigned i, uint32_t from, uint32_t to, bool write)
{
    struct kmem_cache *c = p->cache;
    bool live = is_live(p, i);
    uint8_t *b = slot_bytes(p, i);
    uint32_t end = end_of(p, i, live);
    if (!write) {
        if (!live && from < end && to > c->left_pad)
            find(c->sys, SLAB_READ_AFTER_FREE, p, i, object_at(p, i), (int64_t)from - (int64_t)c->left_pad, c->sys->who);
        return;
    }
    memset(b + from, WRITTEN, to - from);
    while (from < to && expected(c, from, end, live) < 0)
        from++;
    struct slab_object *u = &p->user[i];
    if (from < to && c->size - from >= u->bad_end) { /* the check tells of the lowest wrong byte: of whoever wrote that last */
        u->bad = c->sys->who;
        u->bad_end = c->size - from;
    }
}

void slab_touch(struct slab_sys *s, va_t at, uint64_t len, bool write)
{
    while (len) {
        uint64_t in_page = PAGE_BYTES - at.v % PAGE_BYTES, n = len < in_page ? len : in_page;
        struct slab_page *p = slab_page_of(s, at);
        if (p && p->kind == PAGE_OF_CACHE && p->shadow) {
            uint64_t slab = slab_address(s, p->pfn).v + p->first, rest = slab_address(s, p->pfn).v + slab_bytes(p) - at.v;
            n = len < rest ? len : rest;
            uint64_t i = at.v < slab ? p->objects : (at.v - slab) / p->cache->size;
            if (i < p->objects) {
                uint64_t from = (at.v - slab) % p->cache->size, room = p->cache->size - from;
                n = n < room ? n : room;
                touch_slot(p, (unsigned)i, (uint32_t)from, (uint32_t)(from + n), write);
            }
        }
        at.v += n;
        len -= n;
    }
}

void slab_validate(struct slab_sys *s)
{
    for (uint64_t pfn = 0; pfn < s->frames->n_frames && s->records; pfn++) {
        struct slab_page *p = s->map[pfn];
        if (!p)
            continue;
        for (unsigned i = 0; p->kind == PAGE_OF_CACHE && i < p->objects && p->shadow; i++)
            debug_check_object(p, i);
        pfn += (1ull << p->order) - 1;
    }
}
