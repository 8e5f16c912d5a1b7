#include "frames/plain/plain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { LEVELS = 6, WORD = 6 }; /* 64^6 blocks are more than there can be */

struct plain_index {
    uint64_t *bit[FRAME_ORDERS][LEVELS]; /* level 0: a bit a block; level k: a bit a word of level k - 1 that is not 0 */
    void *memory;
    size_t bytes;
};

static struct plain_index *index_of(const struct frame_map *map) { return map->index; }

static uint64_t words(const struct frame_map *map, unsigned order, unsigned level)
{
    uint64_t n = (map->n_frames >> order) + 1;
    for (unsigned k = 0; k <= level; k++)
        n = (n >> WORD) + 1;
    return n;
}

int plain_init(struct frame_map *map, struct err *err)
{
    struct plain_index *x = calloc(1, sizeof *x);
    if (!x)
        return err_set(err, ERR_RUN, "out of host memory");
    map->index = x;
    for (unsigned o = 0; o < FRAME_ORDERS; o++)
        for (unsigned k = 0; k < LEVELS; k++)
            x->bytes += words(map, o, k) * sizeof(uint64_t);
    x->memory = mmap(NULL, x->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (x->memory == MAP_FAILED) {
        x->memory = NULL;
        return err_set(err, ERR_RUN, "no address space for the index of free blocks (%zu bytes): %s", x->bytes,
                       strerror(errno));
    }
    uint64_t *at = x->memory;
    for (unsigned o = 0; o < FRAME_ORDERS; o++)
        for (unsigned k = 0; k < LEVELS; k++) {
            x->bit[o][k] = at;
            at += words(map, o, k);
        }
    return 0;
}

void plain_fini(struct frame_map *map)
{
    struct plain_index *x = map->index;
    if (x && x->memory)
        munmap(x->memory, x->bytes);
    free(x);
    map->index = NULL;
}

static void set(struct plain_index *x, unsigned order, uint64_t pfn)
{
    uint64_t i = pfn >> order;
    for (unsigned k = 0; k < LEVELS; k++, i >>= WORD) {
        uint64_t *w = &x->bit[order][k][i >> WORD], before = *w;
        *w |= 1ull << (i & 63);
        if (before)
            return;
    }
}

static void clear(struct plain_index *x, unsigned order, uint64_t pfn)
{
    uint64_t i = pfn >> order;
    for (unsigned k = 0; k < LEVELS; k++, i >>= WORD) {
        uint64_t *w = &x->bit[order][k][i >> WORD];
        *w &= ~(1ull << (i & 63));
        if (*w)
            return;
    }
}

/* First block of this order at or behind pfn, or PFN_NONE.v. */
static uint64_t next(const struct plain_index *x, unsigned order, uint64_t pfn)
{
    uint64_t i = (pfn + (1ull << order) - 1) >> order;
    for (unsigned k = 0; k < LEVELS; k++) {
        uint64_t w = x->bit[order][k][i >> WORD] >> (i & 63) << (i & 63);
        if (w) {
            i = (i >> WORD << WORD) + (unsigned)__builtin_ctzll(w);
            while (k-- > 0)
                i = (i << WORD) + (unsigned)__builtin_ctzll(x->bit[order][k][i]);
            return i << order;
        }
        i = (i >> WORD) + 1; /* nothing in this word: the next one, a level up */
    }
    return PFN_NONE.v;
}

/* End of the virgin run that holds p, else p. */
static uint64_t skip_virgin(const struct zone *z, uint64_t p)
{
    for (unsigned i = z->virgin.first; i < z->virgin.n; i++)
        if (p >= z->virgin.run[i].start && p < z->virgin.run[i].end)
            return z->virgin.run[i].end;
    return p;
}

/* By the records, not along the links: a state that was just loaded may have broken ones. */
void plain_rebuild(struct frame_map *map)
{
    struct plain_index *x = index_of(map);
    madvise(x->memory, x->bytes, MADV_DONTNEED);
    for (unsigned i = 0; i < map->n_ranges; i++) {
        const struct frame_range *r = &map->ranges[i];
        for (uint64_t p = r->start; p < r->end;) {
            uint64_t past = skip_virgin(&map->zones[r->zone], p);
            const struct frame *f = &map->frames[p];
            if (past != p) {
                p = past;
                continue;
            }
            bool block = f->state == FRAME_FREE && f->order <= map->max_order;
            if (block)
                set(x, f->order, p);
            p += block ? 1ull << f->order : 1;
        }
    }
}

uint64_t plain_lowest(struct frame_map *map, struct zone *z, uint64_t from, uint64_t to, unsigned order, unsigned *have)
{
    struct plain_index *x = index_of(map);
    uint64_t best = to;
    for (uint32_t left = z->nonempty[MIGRATE_UNMOVABLE] >> order << order; left; left &= left - 1) {
        unsigned o = (unsigned)__builtin_ctz(left);
        uint64_t pfn = next(x, o, from);
        if (pfn < best) {
            best = pfn;
            *have = o;
        }
    }
    const struct virgin *v = &z->virgin;
    if (v->blocks && v->run[v->first].start < best && v->run[v->first].start >= from) {
        best = buddy_link_virgin(map, z);
        *have = map->max_order;
        set(x, *have, best);
    }
    return best < to ? best : PFN_NONE.v;
}

uint64_t plain_lowest_of(struct frame_map *map, struct zone *z, unsigned order, unsigned *have)
{
    if (order == map->max_order) /* virgin blocks are of this order */
        return plain_lowest(map, z, z->start, z->end, order, have);
    *have = order;
    return next(index_of(map), order, z->start);
}

uint64_t plain_take(struct frame_map *map, struct zone *z, uint64_t pfn, unsigned order, unsigned have)
{
    struct plain_index *x = index_of(map);
    clear(x, have, pfn);
    for (unsigned o = order; o < have; o++)
        set(x, o, pfn + (1ull << o));
    return buddy_take(map, z, pfn, order, have, MIGRATE_UNMOVABLE, MIGRATE_UNMOVABLE);
}

void plain_free_block(struct frame_map *map, struct zone *z, uint64_t pfn, unsigned order)
{
    struct plain_index *x = index_of(map);
    for (; order < map->max_order; order++) {
        uint64_t buddy = pfn ^ (1ull << order);
        if (buddy < z->start || buddy >= z->end || map->frames[buddy].state != FRAME_FREE ||
            map->frames[buddy].order != order)
            break;
        if (x)
            clear(x, order, buddy);
        free_list_del(map, z, buddy, order, MIGRATE_UNMOVABLE);
        map->st.merges++;
        pfn &= buddy;
    }
    free_list_add(map, z, pfn, order, MIGRATE_UNMOVABLE, false);
    if (x)
        set(x, order, pfn);
}

int plain_check(const struct frame_map *map, const struct zone *z, struct err *err)
{
    const struct plain_index *x = index_of(map);
    if (buddy_check(map, z, err))
        return -1;
    for (unsigned o = 0; x && o <= map->max_order; o++) {
        uint64_t n = o == map->max_order ? z->virgin.blocks : 0;
        for (uint64_t p = next(x, o, z->start); p < z->end; p = next(x, o, p + 1), n++)
            if (map->frames[p].state != FRAME_FREE || map->frames[p].order != o)
                return err_set(err, ERR_RUN, "%s: the index has a free block of order %u at pfn %llu that is none",
                               map->ops->name, o, (unsigned long long)p);
        if (n != z->nr_free[o])
            return err_set(err, ERR_RUN, "%s: the index has %llu free blocks of order %u in zone %s, the lists have %llu",
                           map->ops->name, (unsigned long long)n, o, z->name, (unsigned long long)z->nr_free[o]);
    }
    return 0;
}
