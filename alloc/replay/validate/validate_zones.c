/* Which zone served each request, where the kernel began to pass over one, and what it set aside for urgent requests. */
#include "replay/validate/validate_rows.h"

#include <inttypes.h>
#include <stdio.h>

enum { LEAST = 20 };                             /* of fewer requests one is more than the tolerance */
enum { REFILL_MOST = 63 << 5 };                  /* pages that one refill takes behind the test (linux-mm 2.7) */
static const double zone_tolerance = 1.0;        /* percent: which lists are empty is partly inferred */
static const double reserve_tolerance = 0.02;    /* of the reserve's free pages: another request may come between two events */

static void share_row(const struct validate_case *c, const char *metric, uint64_t part, uint64_t whole, const char *none, const char *reason)
{
    struct validate_row r = {.group = "zone_fallback", .decimals = 3, .kernel = 100, .model = validate_percent(part, whole),
                             .tolerance = zone_tolerance, .at_least = true};
    char few[120];
    snprintf(r.why, sizeof r.why, "%" PRIu64 " of %" PRIu64 " %s", part, whole, reason);
    snprintf(r.metric, sizeof r.metric, "%s", metric);
    snprintf(few, sizeof few, "%" PRIu64 " of %" PRIu64 " such requests: fewer than %d tell no percentage", part, whole, LEAST);
    if (whole >= LEAST)
        validate_put_unless(c, r, c->doubt);
    else
        validate_skip(c, "zone_fallback", metric, whole ? few : none);
}

/* Boosted marks are not in the events: how high they stood when is not known. */
static bool boosted(const struct validate_case *c)
{
    for (unsigned m = 0; m < 2; m++)
        for (unsigned i = 0; i < c->snap[m]->zones; i++)
            if (c->snap[m]->zone[i].boost)
                return true;
    return false;
}

static void crossing_row(const struct validate_case *c, const struct snap_zone *k, const struct zone_crossing *x, bool refused)
{
    char label[ZONE_LABEL];
    uint64_t reserve = x->highest < k->reserves ? k->reserve[x->highest] : 0;
    struct validate_row r = {.group = "zone_fallback", .model = (double)(refused ? x->refused_free : x->served_free),
                             .kernel = (double)(k->wmark[WMARK_LOW] + reserve), .tolerance = (double)(x->drift + REFILL_MOST),
                             .reason = refused ? "most free pages at which the zone was passed over for the next; its low mark and protection"
                                               : "fewest free pages at which it served though the next could have; its low mark and protection"};
    snprintf(r.metric, sizeof r.metric, "zone_fallback.%s.%s", validate_label(k, label), refused ? "passed_over_from" : "served_down_to");
    validate_put_unless(c, r, boosted(c) ? "the marks were boosted, by how much when is not recorded" : c->doubt);
}

static void crossings(const struct validate_case *c)
{
    struct snapshot *b = c->snap[SNAP_BEFORE];
    bool any = false;
    for (unsigned i = 0; i < b->zones; i++) {
        const struct snap_zone *k = &b->zone[i];
        unsigned n = k->has_info && k->spanned ? validate_zone_number(b, k) : FRAME_ZONES;
        const struct zone_crossing *x = n < FRAME_ZONES ? &c->p->crossing[n] : NULL;
        if (!x || x->refused < LEAST || x->served < LEAST)
            continue;
        any = true;
        crossing_row(c, k, x, true);
        crossing_row(c, k, x, false);
    }
    if (!any)
        validate_skip(c, "zone_fallback", "zone_fallback.passed_over_from",
                      "no zone was passed over for its low mark by 20 requests and served 20 beside it");
}

static void reserve_rows(const struct validate_case *c)
{
    struct snapshot *b = c->snap[SNAP_BEFORE], *a = c->snap[SNAP_AFTER];
    const struct zone_choice_stats *s = &c->p->zones;
    char label[ZONE_LABEL];
    bool any = s->urgent > 0;
    for (unsigned i = 0; i < a->zones; i++)
        any |= a->zone[i].has_blocks && a->zone[i].blocks[MIGRATE_HIGHATOMIC];
    if (!any) /* no urgent request came below the low marks, and nothing is reserved */
        return;
    if (!a->has_types) {
        validate_skip(c, "highatomic", "highatomic", "no pagetypeinfo after the events");
        return;
    }
    for (unsigned i = 0; i < a->zones; i++) {
        const struct snap_zone *k = &a->zone[i], *then = snapshot_zone(b, k->node, k->name);
        unsigned n = then && then->has_info && then->spanned ? validate_zone_number(b, then) : FRAME_ZONES;
        if (n == FRAME_ZONES || !k->has_blocks)
            continue;
        const struct zone_reserve *ours = &c->p->reserve[n];
        uint64_t free_pages = 0;
        for (unsigned o = 0; o < SNAP_ORDERS; o++)
            free_pages += k->nr_free_mt[o][MIGRATE_HIGHATOMIC] << o;
        if (!ours->blocks && !k->blocks[MIGRATE_HIGHATOMIC] && !ours->requests)
            continue;
        validate_label(k, label);
        struct validate_row r = {.group = "highatomic", .model = (double)ours->blocks, .kernel = (double)k->blocks[MIGRATE_HIGHATOMIC],
                                 .tolerance = (double)s->urgent_near};
        snprintf(r.why, sizeof r.why, "reserved pageblocks when the kernel counted them; in the window %" PRIu64 " were reserved, %" PRIu64
                 " urgent requests found the reserve full, %" PRIu64 " pageblocks were given back before a request failed, %" PRIu64 " otherwise",
                 s->reserved, s->reserve_full, s->taken_back, c->p->follow.given_back);
        snprintf(r.metric, sizeof r.metric, "highatomic.%s.pageblocks", label);
        validate_put_unless(c, r, c->doubt);
        r = (struct validate_row){.group = "highatomic", .model = (double)ours->most_blocks, .kernel = (double)k->blocks[MIGRATE_HIGHATOMIC],
                                  .at_least = true, .reason = "the most that may be reserved: a hundredth of the zone"};
        snprintf(r.metric, sizeof r.metric, "highatomic.%s.pageblocks_most", label);
        validate_put(c, r);
        r = (struct validate_row){.group = "highatomic", .model = (double)ours->free_pages, .kernel = (double)free_pages,
                                  .tolerance = reserve_tolerance * (double)free_pages, .reason = "free pages in them"};
        snprintf(r.metric, sizeof r.metric, "highatomic.%s.free_pages", label);
        if (then->has_blocks && then->blocks[MIGRATE_HIGHATOMIC])
            validate_skip(c, "highatomic", r.metric, "some were reserved before the snapshot: which, is inferred");
        else
            validate_put_unless(c, r, c->doubt);
    }
}

void validate_zones(const struct validate_case *c)
{
    const struct zone_choice_stats *s = &c->p->zones;
    reserve_rows(c);
    if (!s->lower && !s->ours_lower && !s->below_low) /* as fallback.*: every request was served by its first zone */
        return;
    const char *none = "there is no such request";
    share_row(c, "zone_fallback.foreseen_percent", s->lower_foreseen, s->lower, none,
              "requests that a lower zone served: that zone is ours too");
    char needed[160];
    snprintf(needed, sizeof needed, "requests for which our rule goes to a lower zone: the kernel did (%" PRIu64 " since the first has only blocks of "
                                    "other types)", s->ours_unmixed);
    share_row(c, "zone_fallback.needed_percent", s->lower_foreseen, s->ours_lower, none, needed);
    share_row(c, "zone_fallback.zone_percent", s->agreed, s->decided, none, "requests whose zone is decided: the zone is the kernel's");
    crossings(c);
}
