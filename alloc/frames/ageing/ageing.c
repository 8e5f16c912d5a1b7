#include "frames/ageing/ageing.h"

#include "frames/ageing/internal.h"
#include "frames/measure/fragmentation.h"
#include "frames/buddy/pcp.h"
#include "frames/measure/survey.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { UNMOVABLE_RUN = 512 }; /* ballast changes its kind after so many frames, a pageblock of 2 MiB */

/* ---- ballast ----------------------------------------------------------------------------------------------------- */

static void mark_mine(struct ageing *a, uint64_t pfn, uint64_t n, bool on)
{
    for (uint64_t p = pfn; p < pfn + n; p++)
        if (on)
            a->mine[p >> 6] |= 1ull << (p & 63);
        else
            a->mine[p >> 6] &= ~(1ull << (p & 63));
}

pfn_t ageing_take(struct ageing *a, unsigned order, bool unmovable)
{
    gfp_t gfp = (unmovable ? (gfp_t)GFP_KERNEL : (gfp_t)GFP_HIGHUSER_MOVABLE) | (gfp_t)__GFP_MEMALLOC;
    pfn_t pfn = frames_alloc(a->map, gfp, order, unmovable ? FRAME_TAG_KERNEL : FRAME_TAG_BALLAST);
    if (pfn_is_none(pfn))
        return pfn;
    a->allocs++;
    mark_mine(a, pfn.v, 1ull << order, true);
    return pfn;
}

void ageing_give(struct ageing *a, uint64_t pfn, unsigned order)
{
    frames_free(a->map, (pfn_t){pfn}, order);
    mark_mine(a, pfn, 1ull << order, false);
    a->frees++;
}

/* A block of random order, half as many of each order as of the one below. */
unsigned ageing_random_order(struct ageing *a)
{
    return (unsigned)__builtin_ctzll(rng_next(&a->rng) | 1ull << a->c->order);
}

/* The last node's memory comes by falling back to it. */
static void fill(struct ageing *a)
{
    bool mixed = a->c->recipe == AGEING_CHURN;
    for (;;) {
        bool unmovable = a->c->unmovable > 0 && rng_unit(&a->rng) < a->c->unmovable;
        for (unsigned i = 0; i < UNMOVABLE_RUN; i++) {
            unsigned order = mixed ? ageing_random_order(a) : 0;
            if (!pfn_is_none(ageing_take(a, order, unmovable)) || (order && !pfn_is_none(ageing_take(a, 0, unmovable))))
                continue;
            if (unmovable && !pfn_is_none(ageing_take(a, 0, false)))
                continue; /* zones that unmovable requests may not use */
            pcp_drain_all(a->map, NULL);
            if (pfn_is_none(ageing_take(a, 0, false)))
                return;
        }
    }
}

/* Churn has blocks of all sizes; what follows frees single frames. */
static void split_all(struct ageing *a)
{
    for (uint64_t p = 0; p < a->map->n_frames; p++) {
        const struct frame *f = &a->map->frames[p];
        if (ageing_mine(a, p) && f->state == FRAME_ALLOCATED && f->order)
            frames_split(a->map, (pfn_t){p}, f->order, 0);
    }
}

/* Takes every free area, so that all that is free is unusable. They are the first to be given back. */
static void grab_areas(struct ageing *a)
{
    pfn_t pfn;
    while (!pfn_is_none(pfn = ageing_take(a, a->c->order, false))) {
        frames_split(a->map, pfn, a->c->order, 0);
        a->area[pfn.v >> a->c->order] |= AREA_GRABBED;
    }
    pcp_drain_all(a->map, NULL);
}

/* ---- what is to be done in each zone --------------------------------------------------------------------------------- */

/* From the map: frames of each area that are not free, free frames of each zone. No area is free as a whole. */
static void recount(struct ageing *a)
{
    unsigned order = a->c->order;
    for (uint64_t i = 0; i < a->n_areas; i++)
        a->used[i] = (uint16_t)(1u << order);
    for (unsigned i = 0; i < a->map->n_zones; i++) {
        const struct zone *z = &a->map->zones[i];
        a->plan[i].unusable = z->free;
        for (uint64_t p = z->start; z->managed && p < z->end; p++) {
            const struct frame *f = &a->map->frames[p];
            if (f->state == FRAME_FREE && f->order < order)
                a->used[p >> order] = (uint16_t)(a->used[p >> order] - (1u << f->order));
        }
    }
}

static bool all_mine(const struct ageing *a, uint64_t area)
{
    uint64_t p = area << a->c->order, end = (area + 1) << a->c->order;
    while (p < end && ageing_mine(a, p))
        p++;
    return p == end;
}

static void shuffle(struct ageing *a, uint64_t *v, uint64_t n)
{
    for (uint64_t i = n; i > 1; i--) {
        uint64_t j = rng_below(&a->rng, i), t = v[i - 1];
        v[i - 1] = v[j];
        v[j] = t;
    }
}

/* The areas of a zone that could be freed as a whole, in random order; grabbed ones first. `out` has room for all areas. */
static uint64_t candidates(struct ageing *a, const struct zone *z, uint64_t *out)
{
    unsigned order = a->c->order;
    uint64_t n = 0, first = (z->start + (1ull << order) - 1) >> order, end = z->end >> order, grabbed = 0;
    for (unsigned pass = 0; pass < 2; pass++) {
        for (uint64_t i = first; i < end; i++)
            if (((a->area[i] & AREA_GRABBED) == 0) == (pass == 1) && all_mine(a, i))
                out[n++] = i;
        if (pass == 0)
            grabbed = n;
    }
    shuffle(a, out, grabbed);
    shuffle(a, out + grabbed, n - grabbed);
    return n;
}

/* How many areas and how many unusable frames: whole areas are the coarser measure, so they come first. */
static void plan_zone(struct ageing *a, unsigned zone, uint64_t *room)
{
    const struct zone *z = &a->map->zones[zone];
    struct ageing_plan *p = &a->plan[zone];
    double u = a->c->target, size = (double)(1u << a->c->order), want = a->c->free * (double)z->managed;
    if (!z->managed)
        return;
    uint64_t n = candidates(a, z, room);
    if (u < 1) {
        double k = round((1 - u) * want / size);
        k = k < 1 ? 1 : k;
        p->areas = k < (double)n ? (uint64_t)k : n;
        p->want = (uint64_t)llround((double)p->areas * size * u / (1 - u));
        p->aged = p->areas > 0;
    } else {
        p->want = (uint64_t)llround(want);
        p->aged = p->want > 0;
    }
    if (!p->aged || p->want + (p->areas << a->c->order) > z->managed) {
        *p = (struct ageing_plan){.unusable = p->unusable};
        return;
    }
    for (uint64_t i = 0; i < p->areas; i++)
        a->area[room[i]] |= AREA_WHOLE;
}

static int plan(struct ageing *a, struct err *err)
{
    uint64_t *room = malloc((a->n_areas + 1) * sizeof *room);
    if (!room)
        return err_set(err, ERR_RUN, "out of host memory for %llu areas", (unsigned long long)a->n_areas);
    for (unsigned i = 0; i < a->map->n_zones; i++)
        plan_zone(a, i, room);
    free(room);
    return 0;
}

/* Where more is free than wanted, single frames are taken. A frame may come from another zone than meant. */
static void take_surplus(struct ageing *a)
{
    const struct frame_zonelist *l = frames_zonelist(a->map, 0, ZONE_MOVABLE);
    for (unsigned k = 0; k < l->n; k++) {
        const struct ageing_plan *p = &a->plan[l->zone[k]];
        for (uint64_t left = frames_free_pages(a->map); left && p->unusable > p->want; left--) {
            pfn_t pfn = ageing_take(a, 0, false);
            if (pfn_is_none(pfn))
                break;
            a->plan[frames_zone_of(a->map, pfn) - a->map->zones].unusable--;
        }
    }
    pcp_drain_all(a->map, NULL);
    recount(a);
}

/* The usable part: as many areas as belong to the holes that there are now. */
static void free_areas(struct ageing *a)
{
    unsigned order = a->c->order;
    double u = a->c->target;
    for (unsigned i = 0; i < a->map->n_zones; i++) {
        const struct zone *z = &a->map->zones[i];
        uint64_t left = a->plan[i].areas;
        if (u > 0 && left) {
            uint64_t fit = (uint64_t)llround((double)a->plan[i].unusable * (1 - u) / (u * (double)(1u << order)));
            left = a->plan[i].unusable > a->plan[i].want || fit < left ? fit : left;
        }
        for (uint64_t at = z->start >> order; left && at < z->end >> order; at++) {
            if (!(a->area[at] & AREA_WHOLE))
                continue;
            for (uint64_t p = at << order; p < (at + 1) << order; p++)
                ageing_give(a, p, 0);
            left--;
        }
    }
    pcp_drain_all(a->map, NULL);
}

/* ---- what was reached ------------------------------------------------------------------------------------------------- */

double ageing_index(const struct frame_map *map, unsigned order)
{
    uint64_t free_pages = 0, usable = frag_suitable_blocks(map, order) << order;
    for (unsigned i = 0; i < map->n_zones; i++)
        free_pages += map->zones[i].free;
    return free_pages ? 1 - (double)usable / (double)free_pages : 1;
}

static int report_survey(const struct frame_map *map, struct ageing_report *r, struct err *err)
{
    struct survey s;
    if (survey_init(&s, map->n_frames, map->pageblock_order, err) < 0)
        return -1;
    survey_frames(&s, map);
    r->free_2m = s.free_2m;
    r->could_2m = s.could_2m;
    r->free_1g = s.free_1g;
    r->could_1g = s.could_1g;
    r->largest_run = s.largest_run;
    r->blocks = s.blocks;
    r->blocks_free = s.blocks_free;
    r->blocks_movable = s.blocks_movable;
    r->blocks_unmovable = s.blocks_unmovable;
    r->blocks_mixed = s.blocks_mixed;
    survey_fini(&s);
    return 0;
}

int ageing_measure(const struct frame_map *map, const struct ageing_config *c, struct ageing_report *r, struct err *err)
{
    r->order = c->order;
    r->managed = map->managed;
    r->proactive_score = frag_proactive_score(map);
    for (unsigned i = 0; i < map->n_zones; i++) {
        const struct zone *z = &map->zones[i];
        if (!z->managed)
            continue;
        unsigned n = r->n_zones++;
        char label[ZONE_LABEL];
        snprintf(r->zone[n].name, ZONE_LABEL, "%s", frames_zone_label(z, label));
        r->zone[n].managed = z->managed;
        r->zone[n].free_pages = z->free;
        r->zone[n].unusable_pages = z->free - (frag_info(z->nr_free, c->order).suitable << c->order);
        r->zone[n].aged = true;
        r->free_pages += z->free;
        for (unsigned o = 0; o < FRAME_ORDERS; o++)
            r->nr_free[o] += z->nr_free[o];
    }
    return report_survey(map, r, err);
}

/* Reached in all zones together and in each that takes part? */
static int report(const struct ageing *a, uint64_t seed, struct ageing_report *r, struct err *err)
{
    const struct frame_map *map = a->map;
    double reached = ageing_index(map, a->c->order), worst = fabs(reached - a->c->target);
    *r = (struct ageing_report){.recipe = ageing_recipe_name(a->c->recipe), .target = a->c->target, .seed = seed,
                                .allocs = a->allocs, .frees = a->frees, .ballast_movable = map->tag_pages[FRAME_TAG_BALLAST],
                                .ballast_unmovable = map->tag_pages[FRAME_TAG_KERNEL] - a->kernel_before};
    if (ageing_measure(map, a->c, r, err) < 0)
        return -1;
    unsigned n = 0;
    for (unsigned i = 0; i < map->n_zones; i++) {
        const struct zone *z = &map->zones[i];
        if (!z->managed)
            continue;
        double u = z->free ? (double)r->zone[n].unusable_pages / (double)z->free : 1;
        r->zone[n++].aged = a->plan[i].aged;
        if (a->plan[i].aged && fabs(u - a->c->target) > worst)
            worst = fabs(u - a->c->target);
    }
    if (worst <= AGEING_TOLERANCE && r->free_pages)
        return 0;
    err_set(err, ERR_USAGE, "memory.ageing: recipe %s cannot bring the unusable-free index of order %u to %.3f: reached was "
                            "%.3f with %llu of %llu pages free", r->recipe, a->c->order, a->c->target, reached,
            (unsigned long long)r->free_pages, (unsigned long long)map->managed);
    return err_remedy(err, "more memory.size, a lower memory.ageing.order or another memory.ageing.target; order 0 is always "
                           "usable, and frames of one area of 2^order can be free but for one at most");
}

/* ---- the whole ---------------------------------------------------------------------------------------------------------- */

static int age(struct ageing *a, uint64_t seed, struct ageing_report *r, struct err *err)
{
    fill(a);
    if (a->c->recipe == AGEING_CHURN)
        ageing_churn(a);
    split_all(a);
    pcp_drain_all(a->map, NULL);
    grab_areas(a);
    recount(a);
    if (plan(a, err) < 0)
        return -1;
    take_surplus(a);
    for (unsigned i = 0; i < a->map->n_zones; i++)
        ageing_holes(a, i);
    free_areas(a);
    return report(a, seed, r, err);
}

/* The run's counters and hooks are none of ageing's business, but for the ballast, which each zone has handed out; of what it leaves in the zones a boost is taken back, as kswapd
 * would have in the meantime. */
static int age_apart(struct ageing *a, uint64_t seed, struct ageing_report *r, struct err *err)
{
    struct frame_map *map = a->map;
    struct frames_hooks hooks = map->hooks;
    struct frames_stats st = map->st;
    struct pcp_stats pcp_st = map->pcp_st;
    struct zone_stats zone_st[FRAME_ZONES] = {{0}};
    for (unsigned i = 0; i < map->n_zones; i++)
        zone_st[i] = map->zones[i].st;
    map->hooks = (struct frames_hooks){0};
    int rc = age(a, seed, r, err);
    for (unsigned i = 0; i < map->n_zones; i++) {
        struct zone *z = &map->zones[i];
        uint64_t was = zone_st[i].alloc_pages - zone_st[i].free_pages_back, ballast = z->st.alloc_pages - z->st.free_pages_back - was;
        z->st = zone_st[i];
        z->st.allocs += ballast; /* handed out by this zone and not given back: the books must say so */
        z->st.alloc_pages += ballast;
        z->boost = 0;
        z->flags &= ~(unsigned)(ZONE_BOOSTED | ZONE_BELOW_HIGH);
    }
    map->hooks = hooks;
    map->st = st;
    map->pcp_st = pcp_st;
    return rc;
}

int frames_age(struct frame_map *map, const struct ageing_config *c, uint64_t seed, struct ageing_report *r, struct err *err)
{
    struct ageing a = {.map = map, .c = c, .kernel_before = map->tag_pages[FRAME_TAG_KERNEL]};
    *r = (struct ageing_report){0};
    if (c->recipe == AGEING_NONE)
        return 0;
    if (c->order < 1 || c->order > map->max_order) {
        err_set(err, ERR_USAGE, "memory.ageing.order is %u, blocks have orders up to %u", c->order, map->max_order);
        return err_remedy(err, "an order from 1 to buddy.max_order");
    }
    rng_init(&a.rng, seed, "ageing");
    a.n_areas = (map->n_frames >> c->order) + 1;
    a.mine = calloc(map->n_frames / 64 + 1, sizeof *a.mine);
    a.used = calloc(a.n_areas, sizeof *a.used);
    a.area = calloc(a.n_areas, sizeof *a.area);
    int rc = !a.mine || !a.used || !a.area ? err_set(err, ERR_RUN, "out of host memory for ageing")
                                           : age_apart(&a, seed, r, err);
    free(a.mine);
    free(a.used);
    free(a.area);
    return rc;
}
