#include "frames/rmap.h"
#include "engine/state.h"

#include <assert.h>
#include <stdlib.h>

static struct frame *mapped(const struct frame_map *map, pfn_t pfn)
{
    struct frame *f = frame_at(map, pfn);
    assert(pfn.v < map->n_frames && f->state == FRAME_ALLOCATED);
    return f;
}

static bool grow(struct rmap_pool *p)
{
    uint32_t n = p->n ? 2 * p->n : 64;
    struct rmap_link *l = n > p->n ? realloc(p->link, n * sizeof *l) : NULL;
    if (!l)
        return false;
    if (!p->n)
        l[0] = (struct rmap_link){0};
    for (uint32_t i = n; i-- > (p->n ? p->n : 1);) {
        l[i] = (struct rmap_link){.next = p->free};
        p->free = i;
    }
    p->link = l;
    p->n = n;
    return true;
}

bool rmap_reserve(struct frame_map *map, uint64_t n)
{
    struct rmap_pool *p = &map->rmap;
    while (n && (p->n ? p->n - 1 - p->used : 0) < n)
        if (!grow(p))
            return false;
    return true;
}

/* An unused link, or 0. Link 0 is never handed out. */
static uint32_t link_get(struct frame_map *map)
{
    struct rmap_pool *p = &map->rmap;
    if (!p->free && !grow(p))
        return 0;
    uint32_t i = p->free;
    p->free = p->link[i].next;
    p->used++;
    return i;
}

static void link_put(struct frame_map *map, uint32_t i)
{
    map->rmap.link[i].next = map->rmap.free;
    map->rmap.free = i;
    map->rmap.used--;
}

static uint32_t chain(const struct frame *f) { return f->flags & FRAME_FLAG_CHAIN ? f->private : 0; }

static void set_chain(struct frame *f, uint32_t i)
{
    f->private = i;
    f->flags = (uint8_t)(i ? f->flags | FRAME_FLAG_CHAIN : f->flags & ~FRAME_FLAG_CHAIN);
}

bool rmap_add(struct frame_map *map, pfn_t pfn, uint32_t asid, uint64_t vpn)
{
    struct frame *f = mapped(map, pfn);
    if (f->mapcount == 0) {
        f->asid = asid;
        f->vpn = vpn;
    } else {
        uint32_t i = link_get(map);
        if (!i)
            return false;
        map->rmap.link[i] = (struct rmap_link){.vpn = vpn, .asid = asid, .next = chain(f)};
        set_chain(f, i);
    }
    f->mapcount++;
    return true;
}

bool rmap_del(struct frame_map *map, pfn_t pfn, uint32_t asid, uint64_t vpn)
{
    struct frame *f = mapped(map, pfn);
    struct rmap_link *l = map->rmap.link;
    uint32_t i = chain(f), before = 0;
    if (f->mapcount == 0)
        return false;
    if (f->asid == asid && f->vpn == vpn) {
        if (i) { /* the last that came takes the record's place */
            f->asid = l[i].asid;
            f->vpn = l[i].vpn;
            set_chain(f, l[i].next);
            link_put(map, i);
        } else {
            f->asid = 0;
            f->vpn = 0;
        }
        f->mapcount--;
        return true;
    }
    for (; i && (l[i].asid != asid || l[i].vpn != vpn); before = i, i = l[i].next)
        ;
    if (!i)
        return false;
    if (before)
        l[before].next = l[i].next;
    else
        set_chain(f, l[i].next);
    link_put(map, i);
    f->mapcount--;
    return true;
}

bool rmap_each(const struct frame_map *map, pfn_t pfn, bool (*fn)(void *ctx, uint32_t asid, uint64_t vpn), void *ctx)
{
    const struct frame *f = mapped(map, pfn);
    if (f->mapcount == 0)
        return true;
    if (!fn(ctx, f->asid, f->vpn))
        return false;
    for (uint32_t i = chain(f); i; i = map->rmap.link[i].next)
        if (!fn(ctx, map->rmap.link[i].asid, map->rmap.link[i].vpn))
            return false;
    return true;
}

bool rmap_has(const struct frame_map *map, pfn_t pfn, uint32_t asid, uint64_t vpn)
{
    const struct frame *f = mapped(map, pfn);
    if (f->mapcount && f->asid == asid && f->vpn == vpn)
        return true;
    for (uint32_t i = chain(f); i; i = map->rmap.link[i].next)
        if (map->rmap.link[i].asid == asid && map->rmap.link[i].vpn == vpn)
            return true;
    return false;
}

int rmap_check(const struct frame_map *map, pfn_t pfn, struct err *err)
{
    const struct frame *f = frame_at(map, pfn);
    uint64_t n = f->mapcount ? 1 : 0;
    for (uint32_t i = chain(f); i; i = map->rmap.link[i].next)
        if (i >= map->rmap.n || ++n > f->mapcount)
            break;
    if (n != f->mapcount && (f->flags & FRAME_FLAG_CHAIN))
        return err_set(err, ERR_RUN, "frames: pfn %llu is mapped %u times, its chain does not hold so many",
                       (unsigned long long)pfn.v, f->mapcount);
    return 0;
}

uint8_t *rmap_load_free(const struct frame_map *map, struct state_io *io)
{
    const struct rmap_pool *p = &map->rmap;
    uint8_t *seen = calloc(p->n + 1u, 1);
    uint32_t i = p->free, left = p->n ? p->n - 1 : 0;
    if (!seen) {
        state_fail(io, "out of host memory for the reverse map");
        return NULL;
    }
    for (; i && i < p->n && !state_bad(io); i = p->link[i].next, left--) {
        state_check(io, !seen[i] && left > p->used, "a free record of the reverse map is met twice");
        seen[i] = 1;
    }
    state_check(io, left == p->used, "records of the reverse map are lost");
    return seen;
}

bool rmap_load_chain(const struct frame_map *map, const struct frame *f, uint8_t *seen)
{
    uint64_t n = f->mapcount ? 1 : 0;
    for (uint32_t i = chain(f); i; i = map->rmap.link[i].next) {
        if (i >= map->rmap.n || seen[i] || ++n > f->mapcount)
            return false;
        seen[i] = 1;
    }
    return n == f->mapcount;
}

void rmap_fini(struct frame_map *map)
{
    free(map->rmap.link);
    map->rmap = (struct rmap_pool){0};
}
