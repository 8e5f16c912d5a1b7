/*
 * The verifier behind --check. Two passes: along the free lists (each block marks its frames in a bitmap), then along
 * the addresses (each managed frame must be in exactly one block, and free ones must have been met in pass one).
 * Corrupted links must not lead it astray, so every index is checked before it is followed and walks are bounded.
 */
#include "frames/frame_alloc.h"
#include "frames/buddy/free_list.h"
#include "frames/buddy/pcp.h"
#include "frames/rmap.h"

#include <stdlib.h>

typedef unsigned long long ull;

struct check {
    const struct frame_map *map;
    uint64_t *listed; /* a bit a frame: it lies in a block that is on a free list */
    uint64_t free, blocks_free, pcp[FRAME_ZONES], tags[N_FRAME_TAGS];
    struct err *err;
};

#define BAD(c, ...) err_set((c)->err, ERR_RUN, "frames: " __VA_ARGS__)

static bool listed(const struct check *c, uint64_t pfn) { return c->listed[pfn / 64] >> pfn % 64 & 1; }

/* Marks [pfn, pfn + n); the first frame that was marked before, or PFN_NONE.v. n is a power of two, pfn aligned. */
static uint64_t mark(struct check *c, uint64_t pfn, uint64_t n)
{
    for (uint64_t p = pfn; p < pfn + n;) {
        uint64_t bits = n >= 64 ? UINT64_MAX : ((1ull << n) - 1) << p % 64, *w = &c->listed[p / 64];
        if (*w & bits)
            return (p & ~63ull) + (unsigned)__builtin_ctzll(*w & bits);
        *w |= bits;
        p += n >= 64 ? 64 : n;
    }
    return PFN_NONE.v;
}

static bool managed(const struct check *c, const struct zone *z, uint64_t start, uint64_t n)
{
    for (unsigned i = 0; i < c->map->n_ranges; i++)
        if (&c->map->zones[c->map->ranges[i].zone] == z && start >= c->map->ranges[i].start && start + n <= c->map->ranges[i].end)
            return true;
    return false;
}

static const struct virgin *virgin_of(const struct zone *z, unsigned order, enum migratetype mt, unsigned max_order)
{
    return z->virgin.blocks && order == max_order && mt == z->virgin_mt ? &z->virgin : NULL;
}

static int check_block(struct check *c, const struct zone *z, uint64_t pfn, unsigned order, enum migratetype mt)
{
    const struct frame *f = &c->map->frames[pfn];
    uint64_t n = 1ull << order;
    if (f->state != FRAME_FREE)
        return BAD(c, "pfn %llu is on %s's free list of order %u but is not marked free (state %u, tag %s)", (ull)pfn,
                   z->name, order, f->state, frame_tag_name((enum frame_tag)f->tag));
    if (f->order != order)
        return BAD(c, "pfn %llu is on %s's free list of order %u but is marked as a block of order %u", (ull)pfn,
                   z->name, order, f->order);
    if (pfn & (n - 1))
        return BAD(c, "free block of order %u at pfn %llu is not aligned to its size", order, (ull)pfn);
    if (!managed(c, z, pfn, n))
        return BAD(c, "free block of order %u at pfn %llu is not inside the managed memory of zone %s", order,
                   (ull)pfn, z->name);
    for (uint64_t p = pfn; p < pfn + n; p += 1ull << c->map->pageblock_order)
        if (pageblock_get(c->map, p) != mt)
            return BAD(c, "free block of order %u at pfn %llu is on the %s list, but the pageblock of pfn %llu is %s",
                       order, (ull)pfn, migratetype_name(mt), (ull)p, migratetype_name(pageblock_get(c->map, p)));
    uint64_t twice = mark(c, pfn, n);
    if (twice != PFN_NONE.v)
        return BAD(c, "pfn %llu is in two free blocks; one is of order %u at pfn %llu", (ull)twice, order, (ull)pfn);
    c->free += n;
    if (order >= c->map->pageblock_order)
        c->blocks_free += n;
    return 0;
}

static int check_virgin(struct check *c, const struct zone *z)
{
    const struct virgin *v = &z->virgin;
    uint64_t blocks = 0, top = 1ull << c->map->max_order;
    for (unsigned i = v->first; i < v->n; i++) {
        uint64_t s = v->run[i].start, e = v->run[i].end;
        if (s % top || e % top || s >= e || !managed(c, z, s, e - s))
            return BAD(c, "virgin memory [pfn %llu, %llu) of zone %s is not whole managed blocks", (ull)s, (ull)e,
                       z->name);
        blocks += (e - s) / top;
        for (uint64_t p = s; p < e; p += top) {
            uint64_t twice = mark(c, p, top);
            if (twice != PFN_NONE.v)
                return BAD(c, "pfn %llu is in a free block and in virgin memory", (ull)twice);
            /* Only the head is looked at: reading the rest would be as dear as having touched it. */
            if (c->map->frames[p].state != FRAME_NONE)
                return BAD(c, "pfn %llu was handed out but still counts as virgin memory", (ull)p);
        }
    }
    if (blocks != v->blocks)
        return BAD(c, "zone %s counts %llu virgin blocks and has %llu", z->name, (ull)v->blocks, (ull)blocks);
    c->free += blocks * top;
    c->blocks_free += blocks * top;
    return 0;
}

static int check_list(struct check *c, const struct zone *z, unsigned order, enum migratetype mt)
{
    const struct frame *frames = c->map->frames;
    const struct virgin *v = virgin_of(z, order, mt, c->map->max_order);
    uint32_t head = free_list_head(z, order, mt), prev = head;
    uint64_t count = z->nr_free_mt[order][mt], seen = 0;
    bool virgin_seen = false;
    for (uint32_t i = frames[head].next; i != head; prev = i, i = frames[i].next) {
        if (i >= c->map->n_frames && !(v && i == z->virgin_link && !virgin_seen))
            return BAD(c, "free list of zone %s, order %u, %s: the link behind pfn %u leads to %u, outside memory",
                       z->name, order, migratetype_name(mt), prev, i);
        if (frames[i].prev != prev)
            return BAD(c, "free list of zone %s, order %u, %s: pfn %u points back to %u, not to %u", z->name, order,
                       migratetype_name(mt), i, frames[i].prev, prev);
        if (i == z->virgin_link) {
            virgin_seen = true;
            seen += v->blocks;
            if (check_virgin(c, z))
                return -1;
        } else {
            seen++;
            if (check_block(c, z, i, order, mt))
                return -1;
        }
    }
    if (v && !virgin_seen)
        return BAD(c, "zone %s has %llu virgin blocks that are on no list", z->name, (ull)v->blocks);
    if (frames[head].prev != prev)
        return BAD(c, "free list of zone %s, order %u, %s: the tail is pfn %u, the list says %u", z->name, order,
                   migratetype_name(mt), prev, frames[head].prev);
    if (seen != count)
        return BAD(c, "zone %s counts %llu free blocks of order %u, %s; the list has %llu", z->name, (ull)count, order,
                   migratetype_name(mt), (ull)seen);
    if ((z->nonempty[mt] >> order & 1) != (count != 0))
        return BAD(c, "zone %s: the bit of order %u, %s says the opposite of the count %llu", z->name, order,
                   migratetype_name(mt), (ull)count);
    return 0;
}

static int check_lists(struct check *c, const struct zone *z)
{
    c->free = c->blocks_free = 0;
    for (unsigned o = 0; o < FRAME_ORDERS; o++) {
        uint64_t sum = 0;
        for (unsigned t = 0; t < MIGRATE_TYPES; t++) {
            if (o > c->map->max_order && z->nr_free_mt[o][t])
                return BAD(c, "zone %s has free blocks of order %u, above the largest", z->name, o);
            if (check_list(c, z, o, (enum migratetype)t))
                return -1;
            sum += z->nr_free_mt[o][t];
        }
        if (sum != z->nr_free[o])
            return BAD(c, "zone %s counts %llu free blocks of order %u; by type they are %llu", z->name,
                       (ull)z->nr_free[o], o, (ull)sum);
    }
    if (c->free != z->free || c->blocks_free != z->free_blocks)
        return BAD(c, "zone %s counts %llu free pages (%llu in whole pageblocks); its lists hold %llu (%llu)", z->name,
                   (ull)z->free, (ull)z->free_blocks, (ull)c->free, (ull)c->blocks_free);
    return 0;
}

/* Frames behind a head must not be heads themselves, and their being listed must agree with the head's state. */
static const char *const state_names[] = {"lost", "free", "allocated", "per-CPU"};

static int check_inside(struct check *c, uint64_t head, unsigned order, unsigned state)
{
    const struct frame *frames = c->map->frames;
    for (uint64_t p = head; p < head + (1ull << order); p++) {
        if (p != head && frames[p].state != FRAME_NONE)
            return BAD(c, "pfn %llu has two owners: it is head of a block of order %u (%s) and lies in the %s block of "
                          "order %u at pfn %llu", (ull)p, frames[p].order, state_names[frames[p].state & 3],
                       state_names[state], order, (ull)head);
        bool on_list = state != FRAME_ALLOCATED;
        if (listed(c, p) != on_list)
            return on_list ? BAD(c, "pfn %llu is marked %s but is on no %s list", (ull)p, state_names[state],
                                 state_names[state])
                           : BAD(c, "pfn %llu is allocated (block of order %u at pfn %llu, %s) and on a free list",
                                 (ull)p, order, (ull)head, frame_tag_name((enum frame_tag)frames[head].tag));
    }
    return 0;
}

/* End of the virgin run that holds p, else p. */
static uint64_t skip_virgin(const struct zone *z, uint64_t p)
{
    for (unsigned i = z->virgin.first; i < z->virgin.n; i++)
        if (p >= z->virgin.run[i].start && p < z->virgin.run[i].end)
            return z->virgin.run[i].end;
    return p;
}

static int check_range(struct check *c, const struct frame_range *r, uint64_t *allocated)
{
    const struct zone *z = &c->map->zones[r->zone];
    for (uint64_t p = r->start; p < r->end;) {
        uint64_t past = skip_virgin(z, p);
        if (past != p) {
            p = past;
            continue;
        }
        const struct frame *f = &c->map->frames[p];
        if (f->state == FRAME_NONE)
            return listed(c, p) ? BAD(c, "pfn %llu is on a free list but not marked free", (ull)p)
                                : BAD(c, "pfn %llu is lost: neither free nor allocated", (ull)p);
        if (f->state > FRAME_PCP || f->order > c->map->max_order || f->tag >= N_FRAME_TAGS)
            return BAD(c, "pfn %llu has impossible metadata (state %u, order %u, tag %u)", (ull)p, f->state, f->order,
                       f->tag);
        uint64_t n = 1ull << f->order;
        if ((p & (n - 1)) || p + n > r->end)
            return BAD(c, "%s block of order %u at pfn %llu is not aligned, or ends outside its zone's memory",
                       f->state == FRAME_FREE ? "free" : "allocated", f->order, (ull)p);
        if (check_inside(c, p, f->order, f->state))
            return -1;
        if (f->state == FRAME_ALLOCATED) {
            *allocated += n;
            c->tags[f->tag] += n;
            if (rmap_check(c->map, (pfn_t){p}, c->err))
                return -1;
        }
        p += n;
    }
    return 0;
}

/* Holes and reserved frames: nothing may claim to be there. */
static int check_unmanaged(struct check *c)
{
    uint64_t from = 0;
    for (unsigned i = 0; i <= c->map->n_ranges; i++) {
        uint64_t to = i < c->map->n_ranges ? c->map->ranges[i].start : c->map->n_frames;
        for (uint64_t p = from; p < to; p++)
            if (c->map->frames[p].state != FRAME_NONE)
                return BAD(c, "pfn %llu is reserved or a hole, but is marked %s", (ull)p,
                           c->map->frames[p].state == FRAME_FREE ? "free" : "allocated");
        if (i < c->map->n_ranges)
            from = c->map->ranges[i].end;
    }
    return 0;
}

static int check_pageblocks(struct check *c)
{
    for (unsigned i = 0; i < c->map->n_ranges; i++)
        for (uint64_t p = c->map->ranges[i].start; p < c->map->ranges[i].end; p += 1ull << c->map->pageblock_order)
            if (pageblock_get(c->map, p) >= MIGRATE_TYPES)
                return BAD(c, "the pageblock of pfn %llu has no valid migratetype", (ull)p);
    return 0;
}

static int check_totals(struct check *c, const uint64_t allocated[FRAME_ZONES])
{
    const struct frame_map *map = c->map;
    uint64_t free = 0, used = 0;
    for (unsigned i = 0; i < map->n_zones; i++) {
        const struct zone *z = &map->zones[i];
        free += z->free + c->pcp[i];
        used += allocated[i];
        if (z->free + c->pcp[i] + allocated[i] != z->managed)
            return BAD(c, "zone %s: %llu free, %llu per-CPU and %llu allocated pages are not the %llu managed ones",
                       z->name, (ull)z->free, (ull)c->pcp[i], (ull)allocated[i], (ull)z->managed);
        if (z->st.alloc_pages - z->st.free_pages_back != allocated[i])
            return BAD(c, "zone %s: %llu pages handed out less %llu given back are not the %llu allocated", z->name,
                       (ull)z->st.alloc_pages, (ull)z->st.free_pages_back, (ull)allocated[i]);
    }
    for (unsigned t = 0; t < N_FRAME_TAGS; t++)
        if (c->tags[t] != map->tag_pages[t])
            return BAD(c, "the books say %llu pages of %s, the frames %llu", (ull)map->tag_pages[t],
                       frame_tag_name((enum frame_tag)t), (ull)c->tags[t]);
    if (free + used + map->reserved != map->present)
        return BAD(c, "%llu free, %llu allocated and %llu reserved pages are not the %llu present ones", (ull)free,
                   (ull)used, (ull)map->reserved, (ull)map->present);
    return 0;
}

static int mark_pcp(void *ctx, uint64_t pfn, unsigned order)
{
    struct check *c = ctx;
    uint64_t twice = mark(c, pfn, 1ull << order);
    return twice == PFN_NONE.v ? 0 : BAD(c, "pfn %llu is twice on lists, of a CPU or of the zone", (ull)twice);
}

static int check_free(struct check *c)
{
    const struct frame_map *map = c->map;
    for (unsigned i = 0; i < map->n_zones; i++)
        if (check_lists(c, &map->zones[i]) ||
            pcp_check(map, &map->zones[i], mark_pcp, c, &c->pcp[i], c->err))
            return -1;
    return 0;
}

static int check_promises(struct check *c)
{
    const struct frame_map *map = c->map;
    for (unsigned i = 0; map->ops->check && i < map->n_zones; i++)
        if (map->ops->check(map, &map->zones[i], c->err))
            return -1;
    return 0;
}

static int check_free_only(struct check *c) { return check_free(c) || check_promises(c) ? -1 : 0; }

static int check_all(struct check *c)
{
    const struct frame_map *map = c->map;
    uint64_t allocated[FRAME_ZONES] = {0};
    if (check_pageblocks(c) || check_free(c))
        return -1;
    for (unsigned i = 0; i < map->n_ranges; i++)
        if (check_range(c, &map->ranges[i], &allocated[map->ranges[i].zone]))
            return -1;
    return check_unmanaged(c) || check_totals(c, allocated) || check_promises(c) ? -1 : 0;
}

static int check(const struct frame_map *map, int (*what)(struct check *c), struct err *err)
{
    struct check c = {.map = map, .err = err};
    c.listed = calloc((size_t)(map->n_frames / 64 + 1), sizeof *c.listed);
    if (!c.listed)
        return err_set(err, ERR_RUN, "out of host memory for checking the frame map");
    int rc = what(&c);
    free(c.listed);
    return rc;
}

int frames_check(const struct frame_map *map, struct err *err) { return check(map, check_all, err); }
int frames_check_free(const struct frame_map *map, struct err *err) { return check(map, check_free_only, err); }
