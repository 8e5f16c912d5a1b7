/* Where the holes of an aged machine lie. */
#include "frames/ageing/internal.h"

#include "frames/buddy/pcp.h"

enum { TRIES = 16 }; /* random places looked at before the next that fits is searched for */

/* May this frame be freed? The last used frame of an area stays. */
static bool fits(const struct ageing *a, uint64_t pfn)
{
    uint64_t area = pfn >> a->c->order;
    return ageing_mine(a, pfn) && !(a->area[area] & AREA_WHOLE) && a->used[area] > 1;
}

static void hole(struct ageing *a, struct ageing_plan *p, uint64_t pfn)
{
    ageing_give(a, pfn, 0);
    a->used[pfn >> a->c->order]--;
    p->unusable++;
}

static uint64_t random_frame(struct ageing *a, const struct zone *z)
{
    return z->start + rng_below(&a->rng, z->end - z->start);
}

/* One frame at a random place. False: the zone has none left. */
static bool single(struct ageing *a, const struct zone *z, struct ageing_plan *p)
{
    uint64_t pfn = random_frame(a, z);
    for (unsigned i = 0; i < TRIES && !fits(a, pfn); i++)
        pfn = random_frame(a, z);
    for (uint64_t left = z->end - z->start; left; left--) {
        if (fits(a, pfn)) {
            hole(a, p, pfn);
            return true;
        }
        pfn = pfn + 1 < z->end ? pfn + 1 : z->start;
    }
    return false;
}

/* An aligned hole of 2^d frames, d random below the order. */
static bool sized(struct ageing *a, const struct zone *z, struct ageing_plan *p)
{
    for (unsigned i = 0; i < TRIES; i++) {
        unsigned d = (unsigned)rng_below(&a->rng, a->c->order);
        while (1ull << d > p->want - p->unusable)
            d--;
        uint64_t first = random_frame(a, z) >> d << d, area = first >> a->c->order, n = 0;
        if (first < z->start || first + (1ull << d) > z->end || a->used[area] <= 1u << d)
            continue;
        while (n < 1ull << d && fits(a, first + n))
            n++;
        if (n < 1ull << d)
            continue;
        for (uint64_t k = 0; k < n; k++)
            hole(a, p, first + k);
        return true;
    }
    return single(a, z, p);
}

/* At equal distances: of n frames that may go, every n/want-th. */
static void stripes(struct ageing *a, const struct zone *z, struct ageing_plan *p)
{
    uint64_t n = 0, want = p->want - p->unusable;
    for (uint64_t pfn = z->start; pfn < z->end; pfn++)
        n += fits(a, pfn);
    if (!n)
        return;
    uint64_t sum = rng_below(&a->rng, n);
    for (uint64_t pfn = z->start; pfn < z->end && p->unusable < p->want; pfn++) {
        if (!fits(a, pfn) || (sum += want) < n)
            continue;
        sum -= n;
        hole(a, p, pfn);
    }
}

void ageing_holes(struct ageing *a, unsigned zone)
{
    const struct zone *z = &a->map->zones[zone];
    struct ageing_plan *p = &a->plan[zone];
    if (p->unusable < p->want && a->c->recipe == AGEING_STRIPES)
        stripes(a, z, p);
    while (p->unusable < p->want && (a->c->recipe == AGEING_SIZES ? sized(a, z, p) : single(a, z, p)))
        ;
}

/* ---- churn ---------------------------------------------------------------------------------------------------------- */

/* The index is looked at whenever one block for each 2048 frames has been allocated, until two for each frame have been. Before,
 * stretches of 2^2 areas come free. */
enum { CHURN_STEP_SHARE = 2048, CHURN_STEPS = 4096, CHURN_RUN_ORDERS = 2 };

static uint64_t available(const struct ageing *a) { return frames_free_pages(a->map) + frames_pcp_pages(a->map); }

/* The block of ballast at pfn goes; how many frames that were from pfn on. */
static uint64_t end_block(struct ageing *a, uint64_t pfn)
{
    struct frame_block b = frames_find(a->map, (pfn_t){pfn});
    ageing_give(a, b.head.v, b.order);
    return b.head.v + (1ull << b.order) - pfn;
}

static uint64_t random_mine(struct ageing *a)
{
    uint64_t pfn;
    do
        pfn = rng_below(&a->rng, a->map->n_frames);
    while (!ageing_mine(a, pfn));
    return pfn;
}

/* First stretches of memory come free, as when programs end that had started on an empty machine; then, one by one, blocks
 * end at random and new ones of other sizes begin. */
void ageing_churn(struct ageing *a)
{
    const struct frame_map *map = a->map;
    uint64_t want = (uint64_t)(a->c->free * (double)map->managed), step = map->managed / CHURN_STEP_SHARE + 1;
    while (available(a) < want) {
        uint64_t len = 1ull << (a->c->order + CHURN_RUN_ORDERS), pfn = random_mine(a) & ~(len - 1), end = pfn + len;
        end = end < map->n_frames ? end : map->n_frames;
        while (pfn < end)
            pfn += ageing_mine(a, pfn) ? end_block(a, pfn) : 1;
    }
    for (unsigned i = 0; i < CHURN_STEPS; i++) {
        pcp_drain_all(a->map, NULL);
        if (ageing_index(map, a->c->order) >= a->c->target)
            return;
        for (uint64_t k = 0; k < step; k++) {
            bool unmovable = a->c->unmovable > 0 && rng_unit(&a->rng) < a->c->unmovable;
            ageing_take(a, ageing_random_order(a), unmovable);
            while (available(a) < want)
                end_block(a, random_mine(a));
        }
    }
}
