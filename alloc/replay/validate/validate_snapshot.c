/*
 * The formulas of linux-mm 3.1 and 5.2, and the map of frames, against what one snapshot of a kernel shows. Its files are read one after
 * the other. Where the recording has events of that time, they say how much moved meanwhile: a difference that this much can
 * make is no error of the model.
 */
#include "frames/measure/fragmentation.h"
#include "replay/before/image.h"
#include "replay/validate/validate_rows.h"
#include "slab/slab_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLUB_MAX_ORDER = 3 };                                  /* slub_max_order: PAGE_ALLOC_COSTLY_ORDER */
static const double map_tolerance = 0.2;                      /* percent: the files are read one after the other */

static void skip(struct validate_case *c, unsigned moment, const char *group, const char *what, const char *reason)
{
    char metric[96];
    snprintf(metric, sizeof metric, "%s.%s", validate_moments[moment], what);
    validate_skip(c, group, metric, reason);
}

/* ---- what moved while the files were read -------------------------------------------------------------------------------- */

static const struct replay_moved *moved_in(const struct validate_case *c, unsigned moment, const struct snap_zone *z)
{
    static const struct replay_moved none;
    const struct snapshot *s = c->snap[SNAP_BEFORE];
    for (unsigned i = 0; c->replayed && c->has_times && i < s->zones; i++)
        if (s->zone[i].node == z->node && !strcmp(s->zone[i].name, z->name))
            return &c->p->moved[moment][i];
    return &none;
}

static const char *say(const struct replay_moved *m, char *out, size_t size)
{
    snprintf(out, size, "%llu blocks (%llu pages) went to or came from the zone's lists while the files were read",
             (unsigned long long)m->events, (unsigned long long)m->pages);
    return out;
}

/* How many free blocks of this order can have come or gone: the two in each larger area that changed. */
static uint64_t block_slack(const struct replay_moved *m, unsigned order)
{
    if (order >= FRAME_MAX_ORDER)
        return m->areas[FRAME_MAX_ORDER];
    return 2 * m->areas[order + 1];
}

/* ---- indices --------------------------------------------------------------------------------------------------------------- */

/* By how much, in thousandths, U(order) can change. */
static double unusable_slack(const struct snap_zone *z, const struct replay_moved *m, unsigned order)
{
    uint64_t pages = frag_info(z->nr_free, 0).free_pages;
    return pages ? 1000.0 * (double)(m->areas[order] << order) / (double)pages : 0;
}

/* E(order) = 1 - (1 + F/2^order) / B: the extremes of pages F and blocks B; where few blocks would do, it can turn to -1 or back. */
static bool extfrag_excused(const struct snap_zone *z, const struct replay_moved *m, unsigned order, double kernel)
{
    struct frag_info f = frag_info(z->nr_free, order);
    double free_pages = (double)f.free_pages, blocks = (double)f.free_blocks, pages = (double)m->pages, change = 0;
    for (unsigned o = 0; o < FRAME_ORDERS; o++)
        change += (double)block_slack(m, o);
    bool flips = f.suitable <= m->areas[order];
    if (!m->events || kernel <= -1)
        return m->events && flips;
    double least = 1 - (1 + (free_pages + pages) / (double)(1u << order)) / fmax(blocks - change, 1);
    double most = 1 - (1 + (free_pages - pages) / (double)(1u << order)) / (blocks + change);
    return (f.suitable == 0 || flips) && kernel >= least - 0.001 && kernel <= most + 0.001;
}

static void indices(struct validate_case *c, unsigned moment)
{
    struct snapshot *s = c->snap[moment];
    char label[ZONE_LABEL], text[160];
    for (unsigned i = 0; i < s->zones; i++) {
        const struct snap_zone *z = &s->zone[i];
        const struct replay_moved *m = moved_in(c, moment, z);
        validate_label(z, label);
        for (unsigned o = 0; z->has_buddy && o < SNAP_ORDERS; o++) {
            struct validate_row r = {.group = "indices", .decimals = 3};
            if (z->has_unusable) {
                snprintf(r.metric, sizeof r.metric, "%s.%s.unusable_index.%u", validate_moments[moment], label, o);
                int model = frag_unusable_index(z->nr_free, o);
                r.model = model / 1000.0;
                r.kernel = z->unusable[o] / 1000.0;
                bool excused = m->events && abs(model - z->unusable[o]) <= unusable_slack(z, m, o) + 1;
                validate_put_unless(c, r, excused ? say(m, text, sizeof text) : NULL);
            }
            if (z->has_extfrag) {
                snprintf(r.metric, sizeof r.metric, "%s.%s.extfrag_index.%u", validate_moments[moment], label, o);
                r.model = frag_extfrag_index(z->nr_free, o) / 1000.0;
                r.kernel = z->extfrag[o] / 1000.0;
                validate_put_unless(c, r, extfrag_excused(z, m, o, r.kernel) ? say(m, text, sizeof text) : NULL);
            }
        }
        if (!z->has_buddy && (z->has_unusable || z->has_extfrag)) {
            char what[64];
            snprintf(what, sizeof what, "%s.indices", label);
            skip(c, moment, "indices", what, "buddyinfo has no such zone");
        }
    }
    if (!s->has_buddy)
        skip(c, moment, "indices", "indices", "no buddyinfo");
    if (!s->has_unusable)
        skip(c, moment, "indices", "unusable_index", "no such file");
    if (!s->has_extfrag)
        skip(c, moment, "indices", "extfrag_index", "no such file");
}

/* ---- slabs ------------------------------------------------------------------------------------------------------------------ */

static void slabs(struct validate_case *c, unsigned moment)
{
    const struct snapshot *s = c->snap[moment];
    unsigned cpus = 0;
    bool classic = false;
    for (unsigned i = 0; i < s->zones; i++)
        cpus = s->zone[i].has_info && s->zone[i].pcps > cpus ? s->zone[i].pcps : cpus;
    for (size_t i = 0; i < s->slabs; i++)
        classic |= s->slab[i].limit != 0;
    if (!s->has_slab || !cpus || classic) {
        skip(c, moment, "slab", "slab", !s->has_slab ? "no slabinfo" : classic ? "the kernel's design is SLAB: its tunables are not 0"
                                                                    : "zoneinfo does not say how many CPUs there are");
        return;
    }
    for (size_t i = 0; i < s->slabs; i++) {
        const struct snap_slab *k = &s->slab[i];
        int order = k->size ? slub_calculate_order(k->size, slub_min_objects(cpus), 0, SLUB_MAX_ORDER) : -1;
        if (order < 0)
            continue;
        validate_equal(c, "slab", (double)(1u << order), (double)k->pages, NULL, "%s.slab.%s.pages", validate_moments[moment], k->name);
        uint64_t objects = ((uint64_t)PAGE_BYTES << order) / k->size;
        validate_equal(c, "slab", (double)objects, (double)k->per_slab, NULL, "%s.slab.%s.objects", validate_moments[moment], k->name);
    }
}

/* ---- the map ----------------------------------------------------------------------------------------------------------------- */

static void blocks_of_map(const struct snapshot *s, const struct snap_zone *k, uint64_t blocks[SNAP_ORDERS])
{
    memset(blocks, 0, SNAP_ORDERS * sizeof *blocks);
    for (size_t r = 0; r < s->runs; r++) {
        uint64_t p = s->run[r].pfn, end = p + s->run[r].pages, zone_end = k->start_pfn + k->spanned;
        p = p < k->start_pfn ? k->start_pfn : p;
        end = end > zone_end ? zone_end : end;
        while (s->run[r].class == CLASS_FREE && p < end) {
            unsigned o = p ? (unsigned)__builtin_ctzll(p) : FRAME_MAX_ORDER;
            o = o > FRAME_MAX_ORDER ? FRAME_MAX_ORDER : o;
            while (p + (1ull << o) > end)
                o--;
            blocks[o]++;
            p += 1ull << o;
        }
    }
}

/* The map, and then the events up to the moment at which buddyinfo was read. NULL if the recording does not have that. */
static struct replay_result *forward(struct validate_case *c, unsigned moment)
{
    struct snap_read map = c->times.map[moment], buddy = c->times.buddy[moment];
    if (!c->replayed || !c->has_times || !c->times.files || map.end > buddy.start)
        return NULL;
    struct snap_times t = {.before_start = map.start, .before_end = map.end, .after_start = map.end, .after_end = buddy.end,
                           .map = {map, map}, .buddy = {buddy, buddy}};
    struct replay_request q = {.events = c->events, .before = c->snap[moment], .after = c->snap[moment], .times = &t, .predict = true};
    struct replay_result *p = calloc(1, sizeof *p);
    struct err ignored = {0};
    if (p && replay_run(&q, p, &ignored) == 0)
        return p;
    free(p);
    return NULL;
}

/* The free runs of the map, cut into the largest aligned blocks, against the kernel's counts. */
static void map_rows(struct validate_case *c, unsigned moment)
{
    struct snapshot *s = c->snap[moment];
    struct replay_result *p = NULL;
    bool asked = false;
    char label[ZONE_LABEL], text[200];
    if (!s->has_map || !s->has_buddy || !s->has_info) {
        skip(c, moment, "map", "map", "a map of frames, buddyinfo and zoneinfo are not all there");
        return;
    }
    for (unsigned i = 0; i < s->zones; i++) {
        const struct snap_zone *k = &s->zone[i];
        const struct replay_moved *m = moved_in(c, moment, k);
        uint64_t blocks[SNAP_ORDERS], pages = 0;
        bool off = false;
        if (!k->has_buddy || !k->has_info || !k->spanned)
            continue;
        validate_label(k, label);
        if (k->start_pfn + k->spanned > s->pages) {
            uint64_t end = k->start_pfn + k->spanned;
            snprintf(text, sizeof text, "the map ends at frame 0x%llx, the zone at 0x%llx", (unsigned long long)s->pages,
                     (unsigned long long)end);
            char what[64];
            snprintf(what, sizeof what, "%s.map_free_blocks", label);
            skip(c, moment, "map", what, text);
            continue;
        }
        blocks_of_map(s, k, blocks);
        for (unsigned o = 0; o < SNAP_ORDERS; o++) {
            off |= blocks[o] != k->nr_free[o];
            pages += blocks[o] << o;
        }
        if (off && !asked) {
            p = forward(c, moment);
            asked = true;
        }
        unsigned number = off && p ? validate_zone_number(s, k) : FRAME_ZONES;
        if (number < FRAME_ZONES)
            memcpy(blocks, p->follow_free[number], sizeof blocks);
        for (unsigned o = 0; o < SNAP_ORDERS; o++) {
            struct validate_row row = {.group = "map", .model = (double)blocks[o], .kernel = (double)k->nr_free[o],
                                       .tolerance = (double)(uint64_t)(map_tolerance / 100 * (double)pages) / (double)(1u << o)};
            row.tolerance = row.tolerance < 1 ? 1 : (double)(uint64_t)row.tolerance;
            snprintf(row.metric, sizeof row.metric, "%s.%s.map_free_blocks.%u", validate_moments[moment], label, o);
            bool excused = m->events && fabs(row.model - row.kernel) <= (double)block_slack(m, o);
            validate_put_unless(c, row, excused ? say(m, text, sizeof text) : NULL);
        }
    }
    free(p);
}

void validate_snapshot(struct validate_case *c, unsigned moment)
{
    indices(c, moment);
    slabs(c, moment);
    map_rows(c, moment);
}
