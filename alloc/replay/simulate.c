#include "replay/simulate.h"

#include "frames/frame_alloc.h"
#include "frames/buddy/free_list.h"
#include "replay/before/image.h"

#include <stdlib.h>

struct simulate {
    struct frame_map *map;
    uint32_t *where; /* by the kernel's frame: ours + 1; 0: where the kernel had it */
    uint64_t n;
    struct simulate_stats st;
    struct simulate *beside;
};

int simulate_new(struct simulate **out, struct frame_map *map, struct err *err)
{
    struct simulate *s = calloc(1, sizeof *s);
    *out = NULL;
    if (s) {
        s->map = map;
        s->n = map->n_frames;
        s->where = image_sparse(s->n * sizeof *s->where);
    }
    if (!s || !s->where) {
        free(s);
        frame_map_free(map);
        return err_set(err, ERR_RUN, "out of memory");
    }
    *out = s;
    return 0;
}

void simulate_free(struct simulate *s)
{
    if (!s)
        return;
    simulate_free(s->beside);
    image_sparse_free(s->where, s->n * sizeof *s->where);
    frame_map_free(s->map);
    free(s);
}

int simulate_beside(struct simulate *s, struct frame_map *map, struct err *err) { return simulate_new(&s->beside, map, err); }

struct frame_map *simulate_map(const struct simulate *s) { return s->map; }
const struct simulate_stats *simulate_stats(const struct simulate *s) { return &s->st; }
const struct simulate *simulate_other(const struct simulate *s) { return s->beside; }

/* ---- our side: whole blocks of frames, each with its record ------------------------------------------------------------ */

/* The zone is the kernel's choice. */
static uint64_t take(struct simulate *s, uint64_t pfn, unsigned order, unsigned mt)
{
    struct zone *z = image_zone(s->map, pfn);
    if (!z)
        return PFN_NONE.v;
    enum migratetype type = s->map->mobility ? (enum migratetype)mt : MIGRATE_UNMOVABLE;
    enum rmqueue_mode mode = RMQUEUE_NORMAL;
    uint64_t p = s->map->ops->alloc(s->map, z, order, type, WMARK_LOW, &mode).v;
    if (p != PFN_NONE.v)
        s->map->frames[p] = (struct frame){.state = FRAME_ALLOCATED, .order = (uint8_t)order,
                                           .tag = mt == MIGRATE_MOVABLE ? FRAME_TAG_ANON : FRAME_TAG_KERNEL};
    return p;
}

static bool is_free(const struct simulate *s, uint64_t pfn)
{
    for (unsigned o = 0; o <= s->map->max_order; o++) {
        const struct frame *f = &s->map->frames[pfn & ~((1ull << o) - 1)];
        if (f->state == FRAME_FREE && f->order >= o)
            return true;
    }
    return false;
}

/* Of a block that comes back in part, what stays gets a record a page: who walks over blocks must not pass over what is free in it. */
static void break_up(struct simulate *s, uint64_t pfn, unsigned order)
{
    struct frame *frames = s->map->frames;
    if (frames[pfn].state == FRAME_ALLOCATED && frames[pfn].order == order)
        return;
    for (unsigned o = order + 1; o <= s->map->max_order; o++) {
        uint64_t head = pfn & ~((1ull << o) - 1);
        struct frame b = frames[head];
        if (b.state != FRAME_ALLOCATED || b.order < o)
            continue;
        for (uint64_t p = head; p < head + (1ull << b.order); p++)
            frames[p] = (struct frame){.state = FRAME_ALLOCATED, .tag = b.tag};
        return;
    }
}

/* Gives 2^order of our frames back; false where one is free already. */
static bool give(struct simulate *s, uint64_t pfn, unsigned order)
{
    const uint64_t pages = 1ull << order;
    struct zone *z = pfn < s->n ? image_zone(s->map, pfn) : NULL;
    if (!z || pfn + pages > z->end)
        return false;
    if (is_free(s, pfn))
        return false;
    for (uint64_t p = pfn; p < pfn + pages; p++)
        if (s->map->frames[p].state == FRAME_FREE)
            return false;
    break_up(s, pfn, order);
    for (uint64_t p = pfn; p < pfn + pages; p++)
        s->map->frames[p].state = FRAME_NONE;
    s->map->ops->free(s->map, z, pfn, order);
    return true;
}

/* ---- the kernel's side -------------------------------------------------------------------------------------------------- */

void simulate_alloc(struct simulate *s, uint64_t pfn, unsigned order, unsigned mt)
{
    uint64_t pages = 1ull << order;
    if (s->beside)
        simulate_alloc(s->beside, pfn, order, mt);
    s->st.allocs++;
    if (order > s->map->max_order || pfn >= s->n || pages > s->n - pfn || mt >= MIGRATE_TYPES) {
        s->st.failures++;
        return;
    }
    for (uint64_t p = pfn; p < pfn + pages; p++)
        if (s->where[p] && s->where[p] - 1 != p) { /* its free is not in the recording */
            s->st.missed_frees++;
            give(s, s->where[p] - 1, 0);
            s->where[p] = 0;
        }
    uint64_t ours = take(s, pfn, order, mt);
    if (ours == PFN_NONE.v) {
        s->st.failures++;
        return;
    }
    for (uint64_t p = 0; p < pages; p++)
        s->where[pfn + p] = (uint32_t)(ours + p) + 1;
}

void simulate_freed(struct simulate *s, uint64_t pfn, unsigned order)
{
    uint64_t pages = 1ull << order;
    if (s->beside)
        simulate_freed(s->beside, pfn, order);
    if (order > s->map->max_order || pfn >= s->n || pages > s->n - pfn) {
        s->st.frees_unknown++;
        return;
    }
    uint64_t ours = s->where[pfn] ? s->where[pfn] - 1u : pfn;
    bool whole = (ours & (pages - 1)) == 0;
    for (uint64_t p = 0; p < pages && whole; p++)
        whole = (s->where[pfn + p] ? s->where[pfn + p] - 1u : pfn + p) == ours + p;
    s->st.frees++;
    s->st.frees_before += !s->where[pfn];
    if (whole) {
        s->st.frees_unknown += !give(s, ours, order);
    } else {
        s->st.split_frees++;
        for (uint64_t p = pfn; p < pfn + pages; p++)
            s->st.frees_unknown += !give(s, s->where[p] ? s->where[p] - 1u : p, 0);
    }
    for (uint64_t p = pfn; p < pfn + pages; p++)
        s->where[p] = 0;
}
