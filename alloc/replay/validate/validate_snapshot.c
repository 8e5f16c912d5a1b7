/* The formulas of linux-mm 1.3 to 1.5, 1.9, 2.7, 3.1, 5.2 against what one snapshot of a kernel shows. */
#include "frames/measure/fragmentation.h"
#include "frames/buddy/pcp.h"
#include "replay/before/image.h"
#include "replay/validate/validate_rows.h"
#include "slab/slab_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const zone_names[N_ZONES] = {"DMA", "DMA32", "Normal", "Movable"};
enum { SCALE_FACTOR = 10 };                                   /* vm.watermark_scale_factor's default */
static const uint32_t reserve_ratio[N_ZONES] = {256, 256, 32, 0}; /* vm.lowmem_reserve_ratio's default */
enum { SLUB_MAX_ORDER = 3 };                                  /* slub_max_order: PAGE_ALLOC_COSTLY_ORDER */
static const double map_tolerance = 0.2;                      /* percent: the files are read one after the other */

static void equal(const struct validate_sink *sink, const char *group, double model, double kernel, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
static void equal(const struct validate_sink *sink, const char *group, double model, double kernel, const char *fmt, ...)
{
    struct validate_row r = {.group = group, .model = model, .kernel = kernel};
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(r.metric, sizeof r.metric, fmt, ap);
    va_end(ap);
    validate_put(sink, r);
}

static void skip(const struct validate_sink *sink, const char *group, const char *moment, const char *reason)
{
    char metric[64];
    snprintf(metric, sizeof metric, "%s.%s", moment, group);
    validate_skip(sink, group, metric, reason);
}

static void indices(const struct validate_sink *sink, const char *moment, const struct snapshot *s)
{
    for (unsigned i = 0; i < s->zones; i++) {
        const struct snap_zone *z = &s->zone[i];
        for (unsigned o = 0; z->has_buddy && o < SNAP_ORDERS; o++) {
            struct validate_row r = {.group = "indices", .decimals = 3};
            if (z->has_unusable) {
                snprintf(r.metric, sizeof r.metric, "%s.%s.unusable_index.%u", moment, z->name, o);
                r.model = frag_unusable_index(z->nr_free, o) / 1000.0;
                r.kernel = z->unusable[o] / 1000.0;
                validate_put(sink, r);
            }
            if (z->has_extfrag) {
                snprintf(r.metric, sizeof r.metric, "%s.%s.extfrag_index.%u", moment, z->name, o);
                r.model = frag_extfrag_index(z->nr_free, o) / 1000.0;
                r.kernel = z->extfrag[o] / 1000.0;
                validate_put(sink, r);
            }
        }
    }
    if (!s->has_unusable && !s->has_extfrag)
        skip(sink, "indices", moment, "no unusable_index or extfrag_index");
}

/* The zones of one node with the kernel's managed pages. False: no such zones. */
static bool zones_of(struct snapshot *s, struct zone z[N_ZONES])
{
    bool any = false;
    memset(z, 0, N_ZONES * sizeof *z);
    for (unsigned i = 0; i < N_ZONES; i++) {
        const struct snap_zone *k = snapshot_zone(s, 0, zone_names[i]);
        z[i].name = zone_names[i];
        z[i].type = (enum zone_type)i;
        z[i].flags = i == ZONE_MOVABLE ? ZONE_IS_MOVABLE : 0;
        if (!k || !k->has_info)
            continue;
        z[i].present = k->present;
        z[i].managed = k->managed;
        any |= k->managed != 0;
    }
    return any;
}

/*
 * vm.min_free_kbytes is in no file: of the kernel's two formulas (boot, and raised by khugepaged where huge pages are on) the
 * one whose sum of minimum marks is the kernel's; else it was set by hand, and the sum gives it to a page a zone.
 */
static uint64_t min_free_kb(struct snapshot *s, struct zone z[N_ZONES], const char **how)
{
    uint64_t sum = 0, own[2], pages;
    for (unsigned i = 0; i <= ZONE_NORMAL; i++) {
        const struct snap_zone *k = snapshot_zone(s, 0, zone_names[i]);
        sum += k && k->has_info ? k->wmark[WMARK_MIN] - k->boost : 0;
    }
    own[0] = zones_min_free_kb(z, N_ZONES);
    zones_set_watermarks(z, N_ZONES, own[0], SCALE_FACTOR);
    own[1] = zones_min_free_kb_khugepaged(z, N_ZONES, own[0], s->pageblock_order);
    for (unsigned k = 2; k-- > 0;) {
        pages = own[k] / 4;
        if (pages >= sum && pages - sum < N_ZONES) {
            *how = k ? "min_free_kbytes as khugepaged raises it" : "min_free_kbytes by the boot-time formula";
            return own[k];
        }
    }
    *how = "min_free_kbytes was set by hand: taken from the sum of the minimum marks";
    return 0;
}

static void marks(const struct validate_sink *sink, const char *moment, struct snapshot *s)
{
    static const char *const names[N_WMARKS] = {"min", "low", "high", "promo"};
    struct zone z[N_ZONES];
    const char *how;
    if (!s->has_info || !zones_of(s, z)) {
        skip(sink, "watermarks", moment, "no zoneinfo");
        return;
    }
    uint64_t kb = min_free_kb(s, z, &how);
    if (!kb)
        skip(sink, "watermarks", moment, how);
    else
        zones_set_watermarks(z, N_ZONES, kb, SCALE_FACTOR);
    zones_set_lowmem_reserve(z, reserve_ratio);
    for (unsigned i = 0; i < N_ZONES; i++) {
        const struct snap_zone *k = snapshot_zone(s, 0, zone_names[i]);
        if (!k || !k->has_info)
            continue;
        for (unsigned w = 0; kb && w < N_WMARKS; w++)
            equal(sink, "watermarks", (double)z[i].wmark[w], (double)(k->wmark[w] - k->boost), "%s.%s.watermark.%s", moment,
                  k->name, names[w]);
        for (unsigned j = 0; j < k->reserves && j < N_ZONES; j++)
            equal(sink, "lowmem_reserve", (double)z[i].lowmem_reserve[j], (double)k->reserve[j], "%s.%s.protection.%u", moment,
                  k->name, j);
    }
}

/* How many pages of change a CPU keeps to itself before it tells the zone (linux-mm 1.9). */
static unsigned fls64(uint64_t v) { return v ? 64u - (unsigned)__builtin_clzll(v) : 0; }
static unsigned stat_threshold(unsigned cpus, uint64_t managed)
{
    enum { MOST = 125, SHIFT = 15 };
    unsigned t = 2 * fls64(cpus) * (1 + fls64(managed >> SHIFT));
    return t < MOST ? t : MOST;
}

static void per_cpu(const struct validate_sink *sink, const char *moment, struct snapshot *s)
{
    bool any = false;
    for (unsigned i = 0; i < s->zones; i++) {
        const struct snap_zone *k = &s->zone[i];
        if (!k->has_info || !k->pcps)
            continue;
        any = true;
        equal(sink, "stat_threshold", stat_threshold(k->pcps, k->managed), k->threshold, "%s.%s.stat_threshold", moment, k->name);
        for (unsigned c = 0; c < k->pcps; c++) {
            const struct snap_pcp *p = &k->pcp[c];
            equal(sink, "per_cpu", pcp_batch(k->managed), (double)p->batch, "%s.%s.cpu%u.batch", moment, k->name, p->cpu);
            equal(sink, "per_cpu", pcp_high_min(k->managed, k->wmark[WMARK_LOW], 0, k->pcps), (double)p->high_min,
                  "%s.%s.cpu%u.high_min", moment, k->name, p->cpu);
            equal(sink, "per_cpu", pcp_high_max(k->managed, 0, k->pcps), (double)p->high_max, "%s.%s.cpu%u.high_max", moment,
                  k->name, p->cpu);
        }
    }
    if (!any)
        skip(sink, "per_cpu", moment, "no zoneinfo with per-CPU lists");
}

static void slabs(const struct validate_sink *sink, const char *moment, const struct snapshot *s)
{
    unsigned cpus = 0;
    for (unsigned i = 0; i < s->zones; i++)
        cpus = s->zone[i].pcps > cpus ? s->zone[i].pcps : cpus;
    if (!s->has_slab || !cpus) {
        skip(sink, "slab", moment, s->has_slab ? "zoneinfo does not say how many CPUs there are" : "no slabinfo");
        return;
    }
    for (size_t i = 0; i < s->slabs; i++) {
        const struct snap_slab *k = &s->slab[i];
        int order = k->size ? slub_calculate_order(k->size, slub_min_objects(cpus), 0, SLUB_MAX_ORDER) : -1;
        if (order < 0)
            continue;
        equal(sink, "slab", (double)(1u << order), (double)k->pages, "%s.slab.%s.pages", moment, k->name);
        uint64_t objects = ((uint64_t)PAGE_BYTES << order) / k->size;
        equal(sink, "slab", (double)objects, (double)k->per_slab, "%s.slab.%s.objects", moment,
              k->name);
    }
}

/* The free runs of the map, cut into the largest aligned blocks, against the kernel's counts. */
static void map_rows(const struct validate_sink *sink, const char *moment, struct snapshot *s)
{
    if (!s->has_map || !s->has_buddy || !s->has_info) {
        skip(sink, "map", moment, "no map of frames, buddyinfo and zoneinfo");
        return;
    }
    for (unsigned i = 0; i < s->zones; i++) {
        const struct snap_zone *k = &s->zone[i];
        uint64_t blocks[SNAP_ORDERS] = {0}, pages = 0;
        if (!k->has_buddy || !k->spanned)
            continue;
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
                pages += 1ull << o;
                p += 1ull << o;
            }
        }
        for (unsigned o = 0; o < SNAP_ORDERS; o++) {
            struct validate_row row = {.group = "map", .model = (double)blocks[o], .kernel = (double)k->nr_free[o],
                                       .tolerance = (double)(uint64_t)(map_tolerance / 100 * (double)pages) / (double)(1u << o)};
            row.tolerance = row.tolerance < 1 ? 1 : (double)(uint64_t)row.tolerance;
            snprintf(row.metric, sizeof row.metric, "%s.%s.map_free_blocks.%u", moment, k->name, o);
            validate_put(sink, row);
        }
    }
}

void validate_snapshot(const struct validate_sink *sink, const char *moment, struct snapshot *s)
{
    indices(sink, moment, s);
    marks(sink, moment, s);
    per_cpu(sink, moment, s);
    slabs(sink, moment, s);
    map_rows(sink, moment, s);
}
