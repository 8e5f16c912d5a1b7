#include "replay/zone_choice.h"

#include "frames/buddy/buddy.h"
#include "frames/buddy/pcp.h"
#include "frames/path.h"
#include "replay/before/image.h"

#include <stdlib.h>
#include <string.h>

enum answer { NO, YES, UNKNOWN_NEAR, UNKNOWN_LIST };

struct zone_choice {
    struct follow *f;
    const struct lists *l;
    uint64_t (*before)[FRAME_ZONES];   /* by CPU: free pages before the refill under way */
    uint8_t *refilling;                /* by CPU */
    struct zone_crossing crossing[FRAME_ZONES];
    uint64_t urgent[FRAME_ZONES];      /* in the window */
    struct zone_choice_stats st;
};

const struct zone_choice_stats *zone_choice_stats(const struct zone_choice *c) { return &c->st; }

void zone_choice_crossings(const struct zone_choice *c, struct zone_crossing out[FRAME_ZONES])
{
    memcpy(out, c->crossing, sizeof c->crossing);
}

void zone_choice_reserves(const struct zone_choice *c, struct zone_reserve out[FRAME_ZONES])
{
    const struct frame_map *map = c->f->map;
    for (unsigned i = 0; i < map->n_zones; i++) {
        const struct zone *z = &map->zones[i];
        out[i] = (struct zone_reserve){.blocks = z->reserved_highatomic >> map->pageblock_order,
                                       .most_blocks = highatomic_most(map, z) >> map->pageblock_order, .requests = c->urgent[i]};
        for (unsigned o = 0; o < FRAME_ORDERS; o++)
            out[i].free_pages += (uint64_t)z->nr_free_mt[o][MIGRATE_HIGHATOMIC] << o;
    }
}

/* Each CPU adds what it took from a zone and gave back to the zone's count when it is more than a threshold (vm_stat_diff). While
 * kswapd runs the threshold is another, 125 at most (calculate_pressure_threshold). What was reserved before the snapshot does not count
 * as free for most requests, and which pageblocks that are is inferred. */
static uint64_t count_drift(const struct snap_zone *z)
{
    enum { PRESSURE_MOST = 125 };
    uint64_t pages = 0;
    if (!z)
        return 0;
    for (unsigned o = 0; o < SNAP_ORDERS; o++)
        pages += z->nr_free_mt[o][MIGRATE_HIGHATOMIC] << o;
    return pages + (z->threshold > PRESSURE_MOST ? z->threshold : PRESSURE_MOST) * (uint64_t)(z->pcps ? z->pcps : 1);
}

int zone_choice_new(struct zone_choice **out, struct follow *f, const struct lists *l, const struct snapshot *before, struct err *err)
{
    struct zone_choice *c = calloc(1, sizeof *c);
    *out = NULL;
    if (c) {
        c->before = image_sparse(FOLLOW_CPUS * sizeof *c->before);
        c->refilling = calloc(FOLLOW_CPUS, 1);
    }
    if (!c || !c->before || !c->refilling) {
        zone_choice_free(c);
        return err_set(err, ERR_RUN, "out of memory");
    }
    c->f = f;
    c->l = l;
    for (unsigned i = 0; i < f->map->n_zones; i++)
        c->crossing[i] = (struct zone_crossing){.served_free = UINT64_MAX, .drift = count_drift(image_snap_zone(before, &f->map->zones[i]))};
    *out = c;
    return 0;
}

void zone_choice_free(struct zone_choice *c)
{
    if (!c)
        return;
    image_sparse_free(c->before, FOLLOW_CPUS * sizeof *c->before);
    free(c->refilling);
    free(c);
}

void zone_choice_taken(struct zone_choice *c, uint64_t cpu)
{
    const struct frame_map *map = c->f->map;
    if (cpu >= FOLLOW_CPUS || c->refilling[cpu])
        return;
    c->refilling[cpu] = 1;
    for (unsigned i = 0; i < map->n_zones; i++)
        c->before[cpu][i] = map->zones[i].free;
}

void zone_choice_other(struct zone_choice *c, uint64_t cpu)
{
    if (cpu < FOLLOW_CPUS)
        c->refilling[cpu] = 0;
}

/* ---- one zone's answer ------------------------------------------------------------------------------------------------- */

struct asking {
    struct frame_request r;
    const struct frame_zonelist *list;
    const uint64_t *free; /* by zone */
    uint64_t cpu;
};

static enum answer admits(const struct zone_choice *c, const struct asking *a, unsigned number, unsigned flags)
{
    const struct zone *z = &c->f->map->zones[number];
    uint64_t mark = z->wmark[flags & ALLOC_WMARK_MASK] + z->boost, free = a->free[number], drift = c->crossing[number].drift;
    bool least = zone_mark_ok(z, a->r.order, mark, a->r.highest, flags, free > drift ? free - drift : 0);
    bool most = zone_mark_ok(z, a->r.order, mark, a->r.highest, flags, free + drift);
    return least == most ? (enum answer)least : UNKNOWN_NEAR;
}

/* Has the zone a block without taking from a pageblock of another type, other than all of it? */
static enum answer has_unmixed(const struct zone_choice *c, const struct asking *a, unsigned number)
{
    struct frame_map *map = c->f->map;
    struct zone *z = &map->zones[number];
    if (!map->mobility || z->nonempty[a->r.mt] >> a->r.order ||
        buddy_fallback_choice(map, z, a->r.order, a->r.mt, ALLOC_NOFRAGMENT, RMQUEUE_NORMAL).kind != FALLBACK_NONE)
        return YES;
    switch (lists_has(c->l, a->cpu, number, a->r.order, a->r.mt)) {
    case LISTS_EMPTY: return NO;
    case LISTS_SOME: return YES;
    case LISTS_UNKNOWN: break;
    }
    return UNKNOWN_LIST;
}

/* ---- the zones of a list ------------------------------------------------------------------------------------------------- */

struct choice {
    enum answer sure; /* YES: `k` is the place in the list, `n` of it is "none" */
    unsigned k;
    bool slow, unmixed; /* by the min mark; not the first zone because that has only foreign blocks */
};

static struct choice pass(const struct zone_choice *c, const struct asking *a, unsigned flags, bool nofragment)
{
    struct choice out = {.sure = YES};
    for (; out.k < a->list->n; out.k++) {
        enum answer ok = admits(c, a, a->list->zone[out.k], flags);
        if (ok == YES && nofragment) {
            ok = has_unmixed(c, a, a->list->zone[out.k]);
            out.unmixed |= ok == NO && out.k == 0;
        }
        if (ok == NO)
            continue;
        out.sure = ok;
        return out;
    }
    return out;
}

static struct choice choose(const struct zone_choice *c, const struct asking *a)
{
    struct choice out = pass(c, a, WMARK_LOW, a->list->nofragment);
    if (out.sure == YES && out.k == a->list->n && a->list->nofragment)
        out = pass(c, a, WMARK_LOW, false);
    if (out.sure != YES || out.k < a->list->n)
        return out;
    out = pass(c, a, frames_slow_flags(c->f->map, &a->r), false);
    out.slow = true;
    return out;
}

static void note(struct zone_choice *c, const struct asking *a, unsigned k, bool served)
{
    unsigned number = a->list->zone[k];
    struct zone_crossing *x = &c->crossing[number];
    uint64_t free = a->free[number];
    if (served) {
        x->served++;
        x->served_free = free < x->served_free ? free : x->served_free;
    } else {
        x->refused++;
        x->refused_free = free > x->refused_free ? free : x->refused_free;
    }
    x->highest = a->r.highest;
}

/* The first two zones of the list, where only the low mark decided: which way, and at how many free pages. The first's, where the
 * second would serve; the second's, where the first would not, but would in the slow path. */
static void note_crossing(struct zone_choice *c, const struct asking *a, unsigned kernel)
{
    const struct frame_zonelist *l = a->list;
    if (a->r.order > 0 || l->n < 2 || kernel > 1 || has_unmixed(c, a, l->zone[0]) != YES || has_unmixed(c, a, l->zone[1]) != YES)
        return;
    if (admits(c, a, l->zone[1], WMARK_LOW) == YES)
        note(c, a, 0, kernel == 0);
    if (admits(c, a, l->zone[0], WMARK_LOW) == NO && admits(c, a, l->zone[0], WMARK_MIN) == YES)
        note(c, a, 1, kernel == 1);
}

static void compare(struct zone_choice *c, const struct asking *a, const struct choice *ours, unsigned kernel)
{
    struct zone_choice_stats *st = &c->st;
    st->requests++;
    st->near_mark += ours->sure == UNKNOWN_NEAR;
    st->list_unknown += ours->sure == UNKNOWN_LIST;
    note_crossing(c, a, kernel);
    st->exhausted += ours->sure == YES && ours->k == a->list->n;
    if (ours->sure != YES || ours->k == a->list->n)
        return;
    st->decided++;
    st->agreed += ours->k == kernel;
    st->lower += kernel > 0;
    st->lower_foreseen += kernel > 0 && ours->k == kernel;
    st->ours_lower += ours->k > 0;
    st->ours_unmixed += ours->k > 0 && ours->unmixed;
    st->below_low += ours->slow;
}

/* ---- the reserve ------------------------------------------------------------------------------------------------------------ */

static void reserve(struct zone_choice *c, const struct asking *a, const struct choice *ours, uint64_t pfn, bool counting)
{
    struct zone_choice_stats *st = &c->st;
    if (!(frames_slow_flags(c->f->map, &a->r) & ALLOC_HIGHATOMIC))
        return;
    if (ours->sure != YES) { /* which decides only where the low marks are near */
        st->urgent_near += counting;
        follow_maybe_reserved(c->f, pfn);
        return;
    }
    if (!ours->slow)
        return;
    st->urgent += counting;
    c->urgent[image_zone(c->f->map, pfn) - c->f->map->zones] += counting;
    switch (follow_reserve(c->f, pfn, a->r.order)) {
    case FOLLOW_RESERVED: st->reserved += counting; break;
    case FOLLOW_RESERVE_FULL: st->reserve_full += counting; break;
    case FOLLOW_RESERVED_BEFORE:
    case FOLLOW_RESERVE_NOT_HELD: break;
    }
}

static struct frame_request request_of(const struct zone_choice *c, gfp_t gfp, unsigned order)
{
    const struct frame_rule *rule = frames_rule(c->f->map, gfp);
    return (struct frame_request){.gfp = gfp, .order = order, .highest = (enum zone_type)rule->highest, .mt = (enum migratetype)rule->mt};
}

/* Those that end earlier do not come to should_reclaim_retry (__alloc_pages_slowpath). */
void zone_choice_failed(struct zone_choice *c, uint64_t cpu, unsigned order, gfp_t gfp, bool counting)
{
    struct frame_request r = request_of(c, gfp, order);
    zone_choice_other(c, cpu);
    if (!(gfp & __GFP_DIRECT_RECLAIM) || gfp & __GFP_NORETRY || (order > PCP_COSTLY_ORDER && !(gfp & __GFP_RETRY_MAYFAIL)))
        return;
    unsigned n = follow_unreserve(c->f, &r);
    c->st.taken_back += counting ? n : 0;
}

void zone_choice_alloc(struct zone_choice *c, uint64_t cpu, uint64_t pfn, unsigned order, gfp_t gfp, bool counting)
{
    struct frame_map *map = c->f->map;
    const struct zone *z = pfn < map->n_frames ? image_zone(map, pfn) : NULL;
    struct asking a = {.r = request_of(c, gfp, order), .cpu = cpu};
    uint64_t now[FRAME_ZONES];
    bool refilled = cpu < FOLLOW_CPUS && c->refilling[cpu];
    zone_choice_other(c, cpu);
    if (!z || order > map->max_order || cpu >= FOLLOW_CPUS || map->n_nodes > 1 || (gfp & __GFP_MEMALLOC))
        return;
    a.list = frames_zonelist(map, 0, a.r.highest);
    for (unsigned i = 0; i < map->n_zones && !refilled; i++)
        now[i] = map->zones[i].free;
    a.free = refilled ? c->before[cpu] : now;
    unsigned kernel = 0;
    while (kernel < a.list->n && &map->zones[a.list->zone[kernel]] != z)
        kernel++;
    if (kernel == a.list->n) /* a frame from a zone that the request may not use: its mask is not what was asked for */
        return;
    struct choice ours = choose(c, &a);
    if (counting && a.list->n > 1)
        compare(c, &a, &ours, kernel);
    reserve(c, &a, &ours, pfn, counting);
}
