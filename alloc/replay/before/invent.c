/*
 * A map for a snapshot that has none: where the free blocks that buddyinfo counts might lie. A block of order o is put into one
 * half of an area of order o + 1 of which the other half never becomes free as a whole; so no two of them could have merged, and
 * the free runs of the map are exactly these blocks. What may be free as a whole are the pieces at the edges of a zone, whose
 * buddies lie outside, and blocks of the largest order. How many areas are left does not depend on the choices made before, as long
 * as larger blocks come first; so choosing at random is safe.
 */
#include "engine/rng.h"
#include "replay/before/image.h"
#include "replay/before/memory.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK_ORDER = 9, TOP = FRAME_MAX_ORDER }; /* of pageblocks, of free blocks */
enum { NO_TYPE = MIGRATE_TYPES };

struct pool { uint32_t *at; size_t n, room; }; /* first frames of areas of one order */

struct invent {
    const struct snap_zone *z;
    uint64_t first, end;      /* frames that may be used */
    uint64_t want[SNAP_ORDERS][MIGRATE_TYPES];
    uint8_t *free;            /* a byte a frame of [first, end) */
    uint8_t *types;           /* a byte a pageblock: type + 1; 0: none yet */
    struct pool top, half;    /* whole areas of order 10; edges of order 9 */
    struct pool whole[MIGRATE_TYPES][BLOCK_ORDER + 1], part[MIGRATE_TYPES][BLOCK_ORDER + 1]; /* part: never free as a whole */
    struct rng rng;
    struct err *err;
};

static int push(struct invent *v, struct pool *p, uint64_t pfn)
{
    if (p->n == p->room) {
        size_t room = p->room ? p->room * 2 : 64;
        uint32_t *more = realloc(p->at, room * sizeof *more);
        if (!more)
            return err_set(v->err, ERR_RUN, "out of memory for the places of free blocks");
        p->at = more;
        p->room = room; /* NOLINT(clang-analyzer-unix.Malloc): one_zone and type_blocks free it */
    }
    p->at[p->n++] = (uint32_t)pfn;
    return 0;
}

static uint64_t pick(struct invent *v, struct pool *p)
{
    size_t i = (size_t)rng_below(&v->rng, p->n);
    uint64_t pfn = p->at[i];
    p->at[i] = p->at[--p->n];
    return pfn;
}

static void set_type(struct invent *v, uint64_t pfn, unsigned order, unsigned mt)
{
    for (uint64_t b = pfn >> BLOCK_ORDER; b <= (pfn + (1ull << order) - 1) >> BLOCK_ORDER; b++)
        v->types[b] = (uint8_t)(mt + 1);
}

static void set_free(struct invent *v, uint64_t pfn, unsigned order) { memset(v->free + (pfn - v->first), 1, 1ull << order); }

static int cannot(struct invent *v, unsigned order)
{
    err_set(v->err, ERR_USAGE, "zone %s: its free blocks of order %u find no place in %llu frames", v->z->name, order,
            (unsigned long long)(v->end - v->first));
    return err_remedy(v->err, "do buddyinfo and zoneinfo belong to the same moment?");
}

/* ---- blocks of whole pageblocks -------------------------------------------------------------------------------------------- */

static int large_blocks(struct invent *v)
{
    for (unsigned mt = 0; mt < MIGRATE_TYPES; mt++)
        for (uint64_t i = 0; i < v->want[TOP][mt]; i++) {
            if (!v->top.n)
                return cannot(v, TOP);
            uint64_t pfn = pick(v, &v->top);
            set_free(v, pfn, TOP);
            set_type(v, pfn, TOP, mt);
        }
    for (unsigned mt = 0; mt < MIGRATE_TYPES; mt++)
        for (uint64_t i = 0; i < v->want[BLOCK_ORDER][mt]; i++) {
            if (!v->top.n && !v->half.n)
                return cannot(v, BLOCK_ORDER);
            bool edge = rng_below(&v->rng, v->top.n + v->half.n) < v->half.n;
            uint64_t pfn = pick(v, edge ? &v->half : &v->top);
            if (!edge && rng_below(&v->rng, 2)) /* the other half keeps at least one frame in use */
                pfn += 1ull << BLOCK_ORDER;
            set_free(v, pfn, BLOCK_ORDER);
            set_type(v, pfn, BLOCK_ORDER, mt);
        }
    return 0;
}

/* ---- the types of the other pageblocks ----------------------------------------------------------------------------------------- */

/* As many of each type as pagetypeinfo has left; movable where it says nothing, as all memory begins. */
static int type_blocks(struct invent *v)
{
    struct pool loose = {0};
    uint64_t left[MIGRATE_TYPES];
    uint64_t first = v->first >> BLOCK_ORDER, last = (v->end - 1) >> BLOCK_ORDER;
    for (unsigned t = 0; t < MIGRATE_TYPES; t++)
        left[t] = v->z->has_blocks ? v->z->blocks[t] : 0;
    for (uint64_t b = first; b <= last; b++)
        if (!v->types[b]) {
            if (push(v, &loose, b) < 0) {
                free(loose.at);
                return -1;
            }
        } else if (left[v->types[b] - 1]) {
            left[v->types[b] - 1]--;
        }
    for (unsigned t = 0; t < MIGRATE_TYPES; t++)
        for (; left[t] && loose.n && t != MIGRATE_MOVABLE; left[t]--)
            v->types[pick(v, &loose)] = (uint8_t)(t + 1);
    while (loose.n)
        v->types[pick(v, &loose)] = MIGRATE_MOVABLE + 1;
    free(loose.at);
    return 0;
}

/* What no large block has taken, by the type of its pageblock. */
static int areas(struct invent *v)
{
    for (uint64_t p = v->first; p < v->end;) {
        unsigned o = p ? (unsigned)__builtin_ctzll(p) : BLOCK_ORDER;
        o = o > BLOCK_ORDER ? BLOCK_ORDER : o;
        while (p + (1ull << o) > v->end)
            o--;
        unsigned mt = v->types[p >> BLOCK_ORDER] - 1u;
        uint64_t buddy = p ^ (1ull << o);
        bool edge = buddy < v->first || buddy + (1ull << o) > v->end;
        if (!v->free[p - v->first] && push(v, edge ? &v->whole[mt][o] : &v->part[mt][o], p) < 0)
            return -1;
        p += 1ull << o;
    }
    return 0;
}

/* ---- small blocks ----------------------------------------------------------------------------------------------------------------- */

static size_t places(const struct invent *v, unsigned mt, unsigned order)
{
    size_t n = v->whole[mt][order].n;
    for (unsigned k = order + 1; k <= BLOCK_ORDER; k++)
        n += v->whole[mt][k].n + v->part[mt][k].n;
    return n;
}

/* A pageblock of another type in which nothing is free yet becomes this type's. */
static bool retype(struct invent *v, unsigned mt)
{
    unsigned from = MIGRATE_TYPES;
    for (unsigned t = 0; t < MIGRATE_TYPES; t++)
        if (t != mt && v->part[t][BLOCK_ORDER].n && (from == MIGRATE_TYPES || v->part[t][BLOCK_ORDER].n > v->part[from][BLOCK_ORDER].n))
            from = t;
    if (from == MIGRATE_TYPES)
        return false;
    uint64_t pfn = pick(v, &v->part[from][BLOCK_ORDER]);
    set_type(v, pfn, BLOCK_ORDER, mt);
    return push(v, &v->part[mt][BLOCK_ORDER], pfn) == 0;
}

static int put_small(struct invent *v, unsigned mt, unsigned order)
{
    size_t n = places(v, mt, order);
    if (!n && retype(v, mt))
        n = places(v, mt, order);
    if (!n)
        return v->err->message[0] ? -1 : cannot(v, order);
    size_t i = (size_t)rng_below(&v->rng, n);
    struct pool *p = &v->whole[mt][order];
    unsigned k = order;
    for (bool part = true; i >= p->n; part = !part) {
        i -= p->n;
        if (part)
            k++;
        p = part ? &v->whole[mt][k] : &v->part[mt][k];
    }
    uint64_t pfn = pick(v, p);
    while (k > order) {
        k--;
        bool upper = rng_below(&v->rng, 2);
        if (push(v, &v->part[mt][k], pfn + (upper ? 0 : 1ull << k)) < 0)
            return -1;
        pfn += upper ? 1ull << k : 0;
    }
    set_free(v, pfn, order);
    return 0;
}

static int small_blocks(struct invent *v)
{
    for (unsigned o = BLOCK_ORDER; o-- > 0;)
        for (unsigned mt = 0; mt < MIGRATE_TYPES; mt++)
            for (uint64_t i = 0; i < v->want[o][mt]; i++)
                if (put_small(v, mt, o) < 0)
                    return -1;
    return 0;
}

/* ---- a zone --------------------------------------------------------------------------------------------------------------------------- */

/* Blocks by order and type; buddyinfo is right where pagetypeinfo was read at another moment, is capped or missing. */
static void set_wants(struct invent *v)
{
    const struct snap_zone *z = v->z;
    for (unsigned o = 0; o < SNAP_ORDERS; o++) {
        uint64_t sum = 0;
        for (unsigned t = 0; t < MIGRATE_TYPES; t++)
            sum += v->want[o][t] = z->has_types ? z->nr_free_mt[o][t] : 0;
        if (sum < z->nr_free[o])
            v->want[o][MIGRATE_MOVABLE] += z->nr_free[o] - sum;
        for (; sum > z->nr_free[o]; sum--) {
            unsigned most = 0;
            for (unsigned t = 1; t < MIGRATE_TYPES; t++)
                most = v->want[o][t] > v->want[o][most] ? t : most;
            v->want[o][most]--;
        }
    }
}

static int add_run(struct snapshot *s, size_t *room, uint64_t pfn, enum frame_class class, struct err *err)
{
    struct snap_run *last = s->runs ? &s->run[s->runs - 1] : NULL;
    if (last && last->class == class && last->pfn + last->pages == pfn) {
        last->pages++;
    } else {
        if (!s->run || s->runs == *room) {
            *room = *room ? *room * 2 : 4096;
            struct snap_run *more = realloc(s->run, *room * sizeof *more);
            if (!more)
                return err_set(err, ERR_RUN, "out of memory for the places of free blocks");
            s->run = more;
        }
        s->run[s->runs++] = (struct snap_run){pfn, 1, class};
    }
    s->pages = pfn + 1;
    return 0;
}

/* Of what is not free the managed part is in use, as its pageblock's type says; the rest was reserved at boot. */
static int write_runs(struct invent *v, struct snapshot *s, size_t *room)
{
    uint64_t is_free = 0;
    for (uint64_t p = v->first; p < v->end; p++)
        is_free += v->free[p - v->first];
    uint64_t used = v->z->managed > is_free ? v->z->managed - is_free : 0;
    for (uint64_t p = v->first; p < v->end; p++) {
        bool movable = v->types[p >> BLOCK_ORDER] == MIGRATE_MOVABLE + 1;
        enum frame_class c = v->free[p - v->first] ? CLASS_FREE : !used ? CLASS_RESERVED : movable ? CLASS_ANON : CLASS_SLAB;
        used -= c != CLASS_FREE && c != CLASS_RESERVED;
        if (add_run(s, room, p, c, v->err) < 0)
            return -1;
    }
    return 0;
}

static int edges(struct invent *v)
{
    for (uint64_t p = v->first; p < v->end;) {
        unsigned o = p ? (unsigned)__builtin_ctzll(p) : TOP;
        o = o > TOP ? TOP : o;
        while (p + (1ull << o) > v->end)
            o--;
        if ((o == TOP && push(v, &v->top, p) < 0) || (o == BLOCK_ORDER && push(v, &v->half, p) < 0))
            return -1;
        p += 1ull << o;
    }
    return 0;
}

static int one_zone(struct snapshot *s, const struct snap_zone *z, uint8_t *types, size_t *room, uint64_t seed, struct err *err)
{
    struct invent v = {.z = z, .types = types, .err = err};
    uint64_t blocks = 0;
    for (unsigned t = 0; z->has_blocks && t < MIGRATE_TYPES; t++)
        blocks += z->blocks[t];
    /* The pageblocks that pagetypeinfo counts are those with memory; without it, all that is present. */
    v.first = z->start_pfn;
    v.end = z->has_blocks ? ((z->start_pfn >> BLOCK_ORDER) + blocks) << BLOCK_ORDER : z->start_pfn + z->present;
    if (v.end > z->start_pfn + z->spanned || v.end < z->start_pfn + z->managed)
        v.end = z->start_pfn + z->spanned;
    rng_init(&v.rng, seed ^ z->start_pfn, "places of free blocks");
    set_wants(&v);
    v.free = image_sparse(v.end - v.first);
    int rc = v.free ? edges(&v) : err_set(err, ERR_RUN, "out of memory for the places of free blocks");
    if (rc == 0)
        rc = large_blocks(&v) < 0 || type_blocks(&v) < 0 || areas(&v) < 0 || small_blocks(&v) < 0 || write_runs(&v, s, room) < 0 ? -1 : 0;
    image_sparse_free(v.free, v.end - v.first);
    free(v.top.at);
    free(v.half.at);
    for (unsigned t = 0; t < MIGRATE_TYPES; t++)
        for (unsigned o = 0; o <= BLOCK_ORDER; o++) {
            free(v.whole[t][o].at);
            free(v.part[t][o].at);
        }
    return rc;
}

static int by_start(const void *a, const void *b)
{
    const struct snap_zone *x = *(const struct snap_zone *const *)a, *y = *(const struct snap_zone *const *)b;
    return (x->start_pfn > y->start_pfn) - (x->start_pfn < y->start_pfn);
}

int memory_invent_map(struct snapshot *s, uint8_t *types, size_t pageblocks, uint64_t seed, struct err *err)
{
    const struct snap_zone *z[SNAP_ZONES];
    unsigned n = 0;
    size_t room = 0;
    if (s->pageblock_order != BLOCK_ORDER)
        return err_set(err, ERR_USAGE, "%s.pagetypeinfo: pageblocks have order %u; without a page map they must have order %d", s->prefix,
                       s->pageblock_order, BLOCK_ORDER);
    for (unsigned i = 0; i < s->zones; i++)
        if (s->zone[i].has_info && s->zone[i].has_buddy && s->zone[i].spanned && s->zone[i].managed)
            z[n++] = &s->zone[i];
    qsort(z, n, sizeof *z, by_start);
    for (unsigned i = 0; i < n; i++) {
        if ((z[i]->start_pfn + z[i]->spanned) >> BLOCK_ORDER >= pageblocks || z[i]->managed > z[i]->spanned ||
            (i && z[i]->start_pfn < z[i - 1]->start_pfn + z[i - 1]->spanned))
            return err_set(err, ERR_USAGE, "%s.zoneinfo: zone %s overlaps another, or manages more than it spans", s->prefix, z[i]->name);
        if (one_zone(s, z[i], types, &room, seed, err) < 0)
            return -1;
    }
    s->has_map = s->runs > 0;
    return s->has_map ? 0 : err_set(err, ERR_USAGE, "%s.zoneinfo has no zone with memory", s->prefix);
}
