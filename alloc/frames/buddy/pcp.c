#include "frames/buddy/pcp.h"

#include "frames/buddy/pcp_fast.h"

#include <assert.h>

static int64_t max_i64(int64_t a, int64_t b) { return a > b ? a : b; }
static int64_t min_i64(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t clamp_i64(int64_t v, int64_t lo, int64_t hi) { return v < lo ? lo : v > hi ? hi : v; }

/* ---- sizes ---------------------------------------------------------------------------------------------------------- */

/* A zone's 4096th part, at most 256 KiB, makes a batch (zone_batchsize); one less than a power of two, so that batches
 * of several CPUs do not fall on the same cache colours. High never less than four batches, and a MIN_HIGH_SHARE-th
 * of the zone at most. */
enum { BATCH_SHARE_SHIFT = 12, BATCH_MOST = 64, HIGH_BATCHES = 4, HIGH_MAX_SHARE = 8 };

uint32_t pcp_batch(uint64_t managed)
{
    uint32_t b = (uint32_t)min_i64((int64_t)(managed >> BATCH_SHARE_SHIFT), BATCH_MOST);
    if (b <= 1)
        return 1;
    b += b / 2;
    return (1u << (31 - __builtin_clz(b))) - 1;
}

static uint32_t share_of(uint64_t pages, uint64_t managed, unsigned cpus)
{
    return (uint32_t)max_i64((int64_t)(pages / (cpus ? cpus : 1)), HIGH_BATCHES * (int64_t)pcp_batch(managed));
}

uint32_t pcp_high_min(uint64_t managed, uint64_t low, uint32_t fraction, unsigned cpus)
{
    return share_of(fraction ? managed / fraction : low, managed, cpus);
}

uint32_t pcp_high_max(uint64_t managed, uint32_t fraction, unsigned cpus)
{
    return share_of(managed / (fraction ? fraction : HIGH_MAX_SHARE), managed, cpus);
}

void pcp_set_sizes(struct frame_map *map)
{
    for (unsigned i = 0; i < map->n_zones; i++) {
        struct zone *z = &map->zones[i];
        unsigned cpus = map->node_cpus[z->node] ? map->node_cpus[z->node] : map->cpus;
        uint64_t low = z->wmark[WMARK_LOW] + z->boost;
        z->pcp_batch = pcp_batch(z->managed);
        z->pcp_high_min = pcp_high_min(z->managed, low, map->pcp_high_fraction, cpus);
        z->pcp_high_max = pcp_high_max(z->managed, map->pcp_high_fraction, cpus);
    }
}

/* ---- lists ---------------------------------------------------------------------------------------------------------- */

void pcp_put(struct frame_map *map, struct zone *z, unsigned cpu, uint64_t pfn, unsigned list, bool tail)
{
    struct pcp *p = pcp_of(map, z, cpu);
    struct pcp_list *l = &p->list[list];
    struct frame *frames = map->frames, *f = &frames[pfn];
    uint32_t i = (uint32_t)pfn;
    f->state = FRAME_PCP;
    f->order = (uint8_t)pcp_list_order(list);
    f->asid = cpu;
    f->private = list;
    f->prev = tail ? l->last : 0;
    f->next = tail ? 0 : l->first;
    if (f->prev)
        frames[f->prev].next = i;
    else
        l->first = i;
    if (f->next)
        frames[f->next].prev = i;
    else
        l->last = i;
    p->count += 1u << f->order;
}

/* Off its list: FRAME_NONE. */
static void take_off(struct frame_map *map, struct pcp *p, unsigned list, uint32_t i)
{
    struct frame *frames = map->frames, *f = &frames[i];
    struct pcp_list *l = &p->list[list];
    if (f->prev)
        frames[f->prev].next = f->next;
    else
        l->first = f->next;
    if (f->next)
        frames[f->next].prev = f->prev;
    else
        l->last = f->prev;
    p->count -= 1u << f->order;
    f->state = FRAME_NONE;
    f->order = 0;
}

bool pcp_take(struct frame_map *map, uint64_t pfn)
{
    if (pfn >= map->n_frames || map->frames[pfn].state != FRAME_PCP)
        return false;
    const struct frame *f = &map->frames[pfn];
    take_off(map, pcp_of(map, frames_zone_of(map, (pfn_t){pfn}), f->asid), f->private, (uint32_t)pfn);
    return true;
}

/* ---- allocation ------------------------------------------------------------------------------------------------------ */

unsigned pcp_nr_alloc(const struct frame_map *map, struct zone *z, struct pcp *p, unsigned order)
{
    int64_t base = z->pcp_batch, high_min = z->pcp_high_min, high_max = z->pcp_high_max, batch = base;
    int64_t high = clamp_i64(p->high, high_min, high_max);
    p->high = (uint32_t)high;
    if (high < base)
        return 1;
    if (order == 0)
        batch = base << p->alloc_factor;
    /* With a larger `high`, this visit of the zone could have been avoided. */
    if (high_min != high_max && !(z->flags & ZONE_BELOW_HIGH)) {
        high = min_i64(high + batch, high_max);
        p->high = (uint32_t)high;
    }
    if (order == 0) {
        int64_t most = max_i64(high - (int64_t)p->count - base, base);
        if (batch <= most && p->alloc_factor < map->pcp_scale_max)
            p->alloc_factor++;
        batch = min_i64(batch, most);
    }
    if (batch > 1)
        batch = max_i64(batch >> order, 2);
    return (unsigned)batch;
}

unsigned pcp_refill(struct frame_map *map, struct zone *z, unsigned cpu, unsigned order, enum migratetype mt,
                    unsigned flags, unsigned n)
{
    enum rmqueue_mode mode = RMQUEUE_NORMAL;
    unsigned list = pcp_list_of(order, mt), got = 0;
    for (; got < n; got++) {
        pfn_t pfn = map->ops->alloc(map, z, order, mt, flags, &mode);
        if (pfn_is_none(pfn))
            break;
        pcp_put(map, z, cpu, pfn.v, list, true);
    }
    map->pcp_st.refills++;
    map->pcp_st.refill_pages += (uint64_t)got << order;
    return got;
}

bool pcp_refill_empty(struct frame_map *map, struct zone *z, struct pcp *p, unsigned order, enum migratetype mt, unsigned flags)
{
    return pcp_refill(map, z, (unsigned)(p - z->pcps), order, mt, flags, pcp_nr_alloc(map, z, p, order)) != 0;
}

pfn_t pcp_alloc(struct frame_map *map, struct zone *z, unsigned cpu, unsigned order, enum migratetype mt,
                unsigned flags)
{
    return pcp_alloc_fast(map, z, cpu, order, mt, flags);
}

/* ---- freeing --------------------------------------------------------------------------------------------------------- */

void pcp_drain(struct frame_map *map, struct zone *z, unsigned cpu, uint32_t pages, unsigned first)
{
    struct pcp *p = pcp_of(map, z, cpu);
    int64_t left = min_i64(pages, p->count);
    if (left <= 0)
        return;
    map->pcp_st.drains++;
    for (unsigned list = first; left > 0; list = list + 1 < PCP_LISTS ? list + 1 : 0) {
        unsigned order = pcp_list_order(list);
        while (left > 0 && p->list[list].last) {
            uint32_t pfn = p->list[list].last;
            take_off(map, p, list, pfn);
            left -= (int64_t)(1ull << order);
            map->pcp_st.drain_pages += 1ull << order;
            map->ops->free(map, z, pfn, order);
        }
    }
}

/* nr_pcp_high: how many pages may stay. */
static int64_t nr_high(const struct frame_map *map, const struct zone *z, struct pcp *p, bool free_high)
{
    int64_t batch = z->pcp_batch, high_min = z->pcp_high_min, high_max = z->pcp_high_max;
    int64_t high = clamp_i64(p->high, high_min, high_max);
    p->high = (uint32_t)high;
    if (high == 0)
        return 0;
    if (free_high) {
        p->high = (uint32_t)max_i64(high - (batch << map->pcp_scale_max), high_min);
        return 0;
    }
    if (z->flags & ZONE_RECLAIM_ACTIVE) {
        p->high = (uint32_t)max_i64(high - max_i64(p->free_count, batch), high_min);
        return min_i64(HIGH_BATCHES * batch, p->high);
    }
    if (high_min == high_max)
        return high;
    if (z->flags & ZONE_BELOW_HIGH) {
        p->high = (uint32_t)max_i64(high - max_i64(p->free_count, batch), high_min);
        return max_i64(p->count, high_min);
    }
    if (p->count >= high) {
        int64_t need = (int64_t)p->free_count + batch;
        if (p->high < need)
            p->high = (uint32_t)clamp_i64(need, high_min, high_max);
    }
    return high;
}

/* nr_pcp_free: how many pages a drain takes. */
static int64_t nr_free(const struct frame_map *map, const struct zone *z, const struct pcp *p, int64_t high,
                       bool free_high)
{
    int64_t batch = z->pcp_batch;
    if (free_high)
        return min_i64(p->count, batch << map->pcp_scale_max);
    if (high < batch)
        return 1;
    return max_i64(batch, min_i64(p->free_count, high - batch));
}

void pcp_freed(struct frame_map *map, struct zone *z, struct pcp *p, unsigned list, bool free_high)
{
    int64_t high = nr_high(map, z, p, free_high);
    if (p->count < high)
        return;
    pcp_drain(map, z, (unsigned)(p - z->pcps), (uint32_t)nr_free(map, z, p, high, free_high), list);
    if ((z->flags & ZONE_BELOW_HIGH) && zone_watermark_ok(z, 0, ZONE_MOVABLE, WMARK_HIGH))
        z->flags &= ~(unsigned)ZONE_BELOW_HIGH;
}

void pcp_free(struct frame_map *map, struct zone *z, unsigned cpu, uint64_t pfn, unsigned order)
{
    pcp_free_fast(map, z, cpu, pfn, order);
}

void pcp_decay(struct frame_map *map, struct zone *z, unsigned cpu)
{
    struct pcp *p = pcp_of(map, z, cpu);
    int64_t batch = z->pcp_batch, high_min = z->pcp_high_min;
    if (p->high > high_min)
        p->high = (uint32_t)max_i64(max_i64((int64_t)p->count - (batch << map->pcp_scale_max),
                                            (int64_t)p->high - (p->high >> 3)), high_min);
    for (int64_t left = (int64_t)p->count - p->high; left > 0; left -= batch)
        pcp_drain(map, z, cpu, (uint32_t)min_i64(left, batch), 0);
}

void pcp_drain_all(struct frame_map *map, struct zone *z)
{
    if (!map->pcps)
        return;
    for (unsigned i = 0; i < map->n_zones; i++)
        for (unsigned c = 0; (!z || z == &map->zones[i]) && c < map->cpus; c++)
            pcp_drain(map, &map->zones[i], c, UINT32_MAX, 0);
}

uint64_t frames_pcp_pages(const struct frame_map *map)
{
    uint64_t n = 0;
    for (size_t i = 0; map->pcps && i < (size_t)map->n_zones * map->cpus; i++)
        n += map->pcps[i].count;
    return n;
}

/* ---- the verifier's part ---------------------------------------------------------------------------------------------- */

#define BAD(...) err_set(err, ERR_RUN, "frames: per-CPU lists of " __VA_ARGS__)

static int check_list(const struct frame_map *map, const struct zone *z, unsigned cpu, unsigned list,
                      int (*mark)(void *, uint64_t, unsigned), void *ctx, uint64_t *pages, struct err *err)
{
    const struct pcp *p = pcp_of(map, z, cpu);
    unsigned order = pcp_list_order(list);
    uint32_t prev = 0;
    for (uint32_t i = p->list[list].first; i; prev = i, i = map->frames[i].next) {
        const struct frame *f = &map->frames[i];
        if (i < z->start || i >= z->end)
            return BAD("zone %s, cpu %u, list %u: pfn %u is outside the zone", z->name, cpu, list, i);
        if (f->state != FRAME_PCP || f->order != order || f->asid != cpu || f->private != list)
            return BAD("zone %s, cpu %u, list %u: pfn %u does not say that it is there (state %u, order %u)", z->name,
                       cpu, list, i, f->state, f->order);
        if (f->prev != prev)
            return BAD("zone %s, cpu %u, list %u: pfn %u points back to %u, not to %u", z->name, cpu, list, i, f->prev,
                       prev);
        if (i & ((1u << order) - 1))
            return BAD("zone %s, cpu %u: block of order %u at pfn %u is not aligned", z->name, cpu, order, i);
        if (mark(ctx, i, order))
            return -1;
        *pages += 1ull << order;
    }
    if (p->list[list].last != prev)
        return BAD("zone %s, cpu %u, list %u: the tail is pfn %u, the list says %u", z->name, cpu, list, prev,
                   p->list[list].last);
    return 0;
}

int pcp_check(const struct frame_map *map, const struct zone *z, int (*mark)(void *, uint64_t, unsigned), void *ctx,
              uint64_t *pages, struct err *err)
{
    *pages = 0;
    for (unsigned c = 0; map->pcps && c < map->cpus; c++) {
        uint64_t n = 0;
        for (unsigned l = 0; l < PCP_LISTS; l++)
            if (check_list(map, z, c, l, mark, ctx, &n, err))
                return -1;
        if (n != pcp_of(map, z, c)->count)
            return BAD("zone %s, cpu %u count %u pages and hold %llu", z->name, c, pcp_of(map, z, c)->count,
                       (unsigned long long)n);
        *pages += n;
    }
    return 0;
}
