/*
 * Marks of zones and sizes of per-CPU lists against zoneinfo (linux-mm 1.3 to 1.5, 1.9, 2.7). What the kernel was told by hand
 * (vm.min_free_kbytes, vm.watermark_scale_factor, vm.lowmem_reserve_ratio, vm.percpu_pagelist_high_fraction, how many CPUs a node has) is in none of the
 * files: the value that one number of the kernel's gives must then give all the others. With these marks what meminfo says is
 * available, and what may be promised (linux-mm 1.6, 12.3, 12.5).
 */
#include "frames/buddy/pcp.h"
#include "frames/zones/available.h"
#include "frames/proc/zoneinfo.h"
#include "replay/validate/validate_rows.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SCALE_FACTOR = 10, SCALE_MOST = 3000 };                /* vm.watermark_scale_factor: default, largest */
static const uint32_t reserve_ratio[2][N_ZONES] = {{256, 256, 32, 0}, {256, 32, 0, 0}}; /* vm.lowmem_reserve_ratio's defaults */
static const char *const zone_names[2][N_ZONES] = {{"DMA", "DMA32", "Normal", "Movable"}, {"DMA", "Normal", "HighMem", "Movable"}};
static const char *const mark_names[N_WMARKS] = {"min", "low", "high", "promo"};

/* The zones of all nodes as the model has them, and beside each the kernel's; a node's device memory behind them all. */
struct zones {
    struct zone z[FRAME_ZONES + FRAME_NODES];
    const struct snap_zone *k[FRAME_ZONES + FRAME_NODES];
    unsigned n, own; /* all; those that have a type of ours */
    bool x32;
};

static bool zones_of(struct snapshot *s, struct zones *zs)
{
    bool any = false;
    memset(zs, 0, sizeof *zs);
    for (unsigned i = 0; i < s->zones; i++)
        zs->x32 |= !strcmp(s->zone[i].name, "HighMem");
    zs->own = s->nodes * N_ZONES;
    zs->n = zs->own + s->nodes;
    for (unsigned i = 0; i < zs->n; i++) {
        unsigned node = i < zs->own ? i / N_ZONES : i - zs->own, t = i % N_ZONES;
        const char *name = i < zs->own ? zone_names[zs->x32][t] : "Device";
        const struct snap_zone *k = snapshot_zone(s, s->node[node], name);
        zs->z[i] = (struct zone){.name = name, .type = (enum zone_type)(i < zs->own ? t : ZONE_MOVABLE), .node = node};
        if (i < zs->own)
            zs->z[i].flags = t == ZONE_MOVABLE ? ZONE_IS_MOVABLE : zs->x32 && t == ZONE_HIGHMEM_32 ? ZONE_IS_HIGHMEM : 0;
        if (!k || !k->has_info)
            continue;
        zs->k[i] = k;
        zs->z[i].present = k->present;
        zs->z[i].managed = k->managed;
        any |= k->managed != 0;
    }
    return any;
}

/* ---- marks -------------------------------------------------------------------------------------------------------------- */

/* Sets all marks; do the kernel's agree? */
static bool marks_fit(struct zones *zs, uint64_t kb, uint32_t scale, unsigned upto)
{
    zones_set_watermarks(zs->z, zs->n, kb, scale);
    for (unsigned i = 0; i < zs->n; i++)
        for (unsigned w = 0; zs->k[i] && w < upto; w++)
            if (zs->z[i].wmark[w] + zs->k[i]->boost != zs->k[i]->wmark[w])
                return false;
    return true;
}

/*
 * The kernel's two formulas for vm.min_free_kbytes (at boot, and raised by khugepaged where huge pages are on), else the value
 * that the sum of its minimum marks gives; the scale factor from the widest gap if the default does not fit.
 */
static const char *set_marks(struct zones *zs, unsigned pageblock_order)
{
    enum { FORMULAS = 2 };
    static const char *const how[] = {"min_free_kbytes by the boot-time formula", "min_free_kbytes as khugepaged raises it",
                                      "min_free_kbytes was set by hand: from the sum of the minimum marks"};
    uint64_t kb[FORMULAS + FRAME_ZONES + FRAME_NODES] = {0}, sum = 0, widest = 0, gap = 0;
    unsigned n = FORMULAS;
    kb[0] = zones_min_free_kb(zs->z, zs->n);
    zones_set_watermarks(zs->z, zs->n, kb[0], SCALE_FACTOR);
    kb[1] = zones_min_free_kb_khugepaged(zs->z, zs->n, kb[0], pageblock_order);
    for (unsigned i = 0; i < zs->n; i++) {
        if (!zs->k[i] || !zone_lowmem(&zs->z[i]))
            continue;
        sum += zs->k[i]->wmark[WMARK_MIN] - zs->k[i]->boost;
        if (zs->z[i].managed > widest) {
            widest = zs->z[i].managed;
            gap = zs->k[i]->wmark[WMARK_LOW] - zs->k[i]->wmark[WMARK_MIN];
        }
    }
    for (uint64_t more = 0; more < zs->n && n < ARRAY_LEN(kb); more++) /* each zone's share is rounded down */
        kb[n++] = (sum + more) * 4;
    for (unsigned upto = WMARK_PROMO; upto >= WMARK_LOW; upto--) /* all marks, else the minimum ones */
        for (unsigned i = 0; i < n; i++)
            if (marks_fit(zs, kb[i], SCALE_FACTOR, upto)) {
                uint64_t scale = widest ? (gap * 10000 + widest - 1) / widest : 0;
                if (upto < WMARK_PROMO && scale && scale <= SCALE_MOST && marks_fit(zs, kb[i], (uint32_t)scale, WMARK_PROMO))
                    return "watermark_scale_factor was set by hand: from the widest gap";
                zones_set_watermarks(zs->z, zs->n, kb[i], SCALE_FACTOR);
                return how[i < FORMULAS ? i : FORMULAS];
            }
    zones_set_watermarks(zs->z, zs->n, kb[1], SCALE_FACTOR);
    return "no min_free_kbytes gives these minimum marks";
}

/* Each zone's vm.lowmem_reserve_ratio: the default, else what its first protection gives, if all the zone's are then the kernel's. */
static bool reserves_fit(const struct zones *zs, unsigned i)
{
    for (unsigned j = 0; j < zs->k[i]->reserves && j < N_ZONES; j++)
        if (zs->z[i].lowmem_reserve[j] != zs->k[i]->reserve[j])
            return false;
    return true;
}

static void set_reserves(struct zones *zs, bool by_hand[FRAME_ZONES])
{
    for (unsigned first = 0; first < zs->own; first += N_ZONES) {
        uint32_t ratio[N_ZONES];
        memcpy(ratio, reserve_ratio[zs->x32], sizeof ratio);
        zones_set_lowmem_reserve(zs->z + first, ratio);
        for (unsigned t = 0; t < N_ZONES; t++) {
            const struct snap_zone *k = zs->k[first + t];
            uint64_t sum = 0;
            unsigned j = t + 1;
            by_hand[first + t] = false;
            if (!k || reserves_fit(zs, first + t))
                continue;
            for (; j < N_ZONES && j < k->reserves; j++) {
                sum += zs->z[first + j].managed;
                if (sum && k->reserve[j])
                    break;
            }
            uint64_t wanted = j < N_ZONES && j < k->reserves ? sum / k->reserve[j] : 0; /* 0: no protection at all */
            uint32_t normal = ratio[t];
            ratio[t] = wanted <= UINT32_MAX ? (uint32_t)wanted : 0;
            zones_set_lowmem_reserve(zs->z + first, ratio);
            by_hand[first + t] = reserves_fit(zs, first + t);
            ratio[t] = by_hand[first + t] ? ratio[t] : normal;
            zones_set_lowmem_reserve(zs->z + first, ratio);
        }
    }
}

static void reserves(struct validate_case *c, unsigned moment, const struct zones *zs, unsigned i, bool by_hand)
{
    const struct snap_zone *k = zs->k[i];
    const char *how = by_hand ? "lowmem_reserve_ratio was set by hand: from the zone's first protection" : NULL;
    unsigned node = i / N_ZONES;
    char label[ZONE_LABEL], metric[96];
    for (unsigned j = 0; j < k->reserves; j++) {
        const struct snap_zone *device = zs->k[zs->own + node];
        bool known = j < N_ZONES || (j == N_ZONES && device && !device->managed);
        for (unsigned t = i % N_ZONES + 1; t <= j && t < N_ZONES; t++)
            known &= zs->k[node * N_ZONES + t] != NULL;
        unsigned as = j < N_ZONES ? j : N_ZONES - 1; /* device memory without pages adds nothing */
        if (known) {
            validate_equal(c, "lowmem_reserve", (double)zs->z[i].lowmem_reserve[as], (double)k->reserve[j], how, "%s.%s.protection.%u",
                           validate_moments[moment], validate_label(k, label), j);
        } else {
            snprintf(metric, sizeof metric, "%s.%s.protection.%u", validate_moments[moment], validate_label(k, label), j);
            validate_skip(c, "lowmem_reserve", metric, "zoneinfo lacks a zone that this counts");
        }
    }
}

static void marks(struct validate_case *c, unsigned moment, struct zones *zs)
{
    struct snapshot *s = c->snap[moment];
    const char *how = set_marks(zs, s->pageblock_order);
    char label[ZONE_LABEL];
    bool by_hand[FRAME_ZONES];
    set_reserves(zs, by_hand);
    for (unsigned i = 0; i < zs->n; i++) {
        const struct snap_zone *k = zs->k[i];
        if (!k)
            continue;
        for (unsigned w = 0; w < N_WMARKS; w++)
            if (k->have & (w == WMARK_PROMO ? SNAP_HAS_PROMO : SNAP_HAS_MARKS)) /* the kernel prints them with the boost */
                validate_equal(c, "watermarks", (double)(zs->z[i].wmark[w] + k->boost), (double)k->wmark[w], how, "%s.%s.watermark.%s",
                               validate_moments[moment], validate_label(k, label), mark_names[w]);
        if (i < zs->own)
            reserves(c, moment, zs, i, by_hand[i]);
    }
}

/* ---- meminfo ------------------------------------------------------------------------------------------------------------ */

static bool lines_of(struct validate_case *c, unsigned moment, const char *what, unsigned want)
{
    const struct snapshot *s = c->snap[moment];
    char metric[64];
    if ((s->mem.have & want) == want && s->has_mem)
        return true;
    snprintf(metric, sizeof metric, "%s.meminfo.%s", validate_moments[moment], what);
    validate_skip(c, "meminfo", metric, s->has_mem ? "meminfo lacks a line that this needs" : "no meminfo");
    return false;
}

/* The kernel's counters go on between the lines of the file and the sum: by a CPU's batch or so. */
static const char *moved_meanwhile(double model, double kernel)
{
    enum { PCP_SCALE_MOST = 5, BATCH_MOST = 63 }; /* vm.percpu batch scale and batch, linux-mm 2.7 */
    const uint64_t most_kb = ((uint64_t)BATCH_MOST << PCP_SCALE_MOST) * PAGE_BYTES / 1024;
    return fabs(model - kernel) <= (double)most_kb ? "the kernel reads its counters once for the lines and once for this sum" : NULL;
}

static void available(struct validate_case *c, unsigned moment, struct zones *zs)
{
    const struct snapshot *s = c->snap[moment];
    const uint64_t *kb = s->mem.v, page_kb = PAGE_BYTES / 1024;
    bool whole = true; /* every zone counts */
    char metric[64];
    for (unsigned i = 0; i < zs->n; i++) {
        whole &= zs->k[i] || i >= zs->own;
        zs->z[i].boost = zs->k[i] ? zs->k[i]->boost : 0;
    }
    snprintf(metric, sizeof metric, "%s.meminfo.MemAvailable", validate_moments[moment]);
    if (!whole)
        validate_skip(c, "meminfo", metric, "zoneinfo lacks a zone that this counts");
    else if (lines_of(c, moment, "MemAvailable", 1u << SNAP_MEM_free | 1u << SNAP_MEM_available | 1u << SNAP_MEM_active_file |
                                                          1u << SNAP_MEM_inactive_file | 1u << SNAP_MEM_reclaimable)) {
        struct validate_row r = {.group = "meminfo", .kernel = (double)kb[SNAP_MEM_available]};
        uint64_t file = (kb[SNAP_MEM_active_file] + kb[SNAP_MEM_inactive_file]) / page_kb;
        r.model = (double)(page_kb * zones_mem_available(zs->z, zs->n, kb[SNAP_MEM_free] / page_kb, file, kb[SNAP_MEM_reclaimable] / page_kb));
        memcpy(r.metric, metric, sizeof metric);
        validate_put_unless(c, r, moved_meanwhile(r.model, r.kernel));
    }
    if (lines_of(c, moment, "CommitLimit", 1u << SNAP_MEM_total | 1u << SNAP_MEM_swap | 1u << SNAP_MEM_commit_limit)) {
        struct validate_row r = {.group = "meminfo", .kernel = (double)kb[SNAP_MEM_commit_limit]};
        uint64_t huge = kb[SNAP_MEM_hugetlb] <= kb[SNAP_MEM_total] ? kb[SNAP_MEM_hugetlb] / page_kb : 0;
        r.model = (double)(page_kb * commit_limit_pages(kb[SNAP_MEM_total] / page_kb, huge, kb[SNAP_MEM_swap] / page_kb, OVERCOMMIT_RATIO));
        snprintf(r.metric, sizeof r.metric, "%s.meminfo.CommitLimit", validate_moments[moment]);
        bool other = false; /* another ratio gives it */
        for (unsigned ratio = 0; ratio <= 100; ratio++)
            other |= r.kernel == (double)(page_kb * commit_limit_pages(kb[SNAP_MEM_total] / page_kb, huge, kb[SNAP_MEM_swap] / page_kb, ratio));
        validate_put_unless(c, r, other ? "vm.overcommit_ratio was set by hand: it is in no file" : NULL);
    }
}

/* ---- per CPU -------------------------------------------------------------------------------------------------------------- */

enum { THRESHOLD_MOST = 125 }; /* pages of change that a CPU keeps to itself before it tells the zone, at most (linux-mm 1.9) */
/* While kswapd balances the zone: together no more than lies between two marks. */
static unsigned pressure_threshold(unsigned cpus, uint64_t gap)
{
    uint64_t t = cpus ? gap / cpus : 0;
    return t < 1 ? 1 : t < THRESHOLD_MOST ? (unsigned)t : THRESHOLD_MOST;
}

static void threshold(struct validate_case *c, unsigned moment, const struct snap_zone *k)
{
    unsigned calm = zone_stat_threshold(k->pcps, k->managed);
    unsigned busy = pressure_threshold(k->pcps, k->wmark[WMARK_LOW] - k->wmark[WMARK_MIN]);
    bool pressed = k->threshold != calm && k->threshold == busy;
    char label[ZONE_LABEL];
    if (k->have & SNAP_HAS_THRESHOLD)
        validate_equal(c, "stat_threshold", pressed ? busy : calm, k->threshold, pressed ? "that of a zone which kswapd balances" : NULL,
                       "%s.%s.stat_threshold", validate_moments[moment], validate_label(k, label));
}

struct sizes { unsigned cpus; uint32_t fraction; const char *how; };

static bool sizes_fit(const struct snapshot *s, unsigned node, unsigned cpus, uint32_t fraction)
{
    for (unsigned i = 0; i < s->zones; i++) {
        const struct snap_zone *k = &s->zone[i];
        if (k->node != node || !k->has_info || !k->pcps)
            continue;
        if (((k->pcp->have & SNAP_HAS_HIGH_MIN) &&
             pcp_high_min(k->managed, k->wmark[WMARK_LOW] - k->boost, fraction, cpus) != k->pcp->high_min) ||
            ((k->pcp->have & SNAP_HAS_HIGH_MAX) && pcp_high_max(k->managed, fraction, cpus) != k->pcp->high_max))
            return false;
    }
    return true;
}

/* All CPUs and the default first; else fewer (the others are on other nodes); else the lists' share set by hand. */
static struct sizes sizes_of(const struct snapshot *s, unsigned node)
{
    enum { FRACTION_LEAST = 8, FRACTION_MOST = 4096 };
    unsigned all = 0;
    bool fixed = false;
    for (unsigned i = 0; i < s->zones; i++) {
        const struct snap_zone *k = &s->zone[i];
        if (k->node == node && k->has_info && k->pcps > all)
            all = k->pcps;
        fixed |= k->node == node && k->pcps && (k->pcp->have & SNAP_HAS_HIGH_MAX) && k->pcp->high_min == k->pcp->high_max &&
                 k->managed > 1u << 18; /* in a small zone both are four batches */
    }
    for (unsigned cpus = all; cpus > 0 && (cpus == all || s->nodes > 1); cpus--)
        if (sizes_fit(s, node, cpus, 0))
            return (struct sizes){cpus, 0, cpus == all ? NULL : "how many CPUs the node has is in no file: the number that fits all zones"};
    for (uint32_t f = FRACTION_LEAST; fixed && f <= FRACTION_MOST; f++)
        if (sizes_fit(s, node, all, f))
            return (struct sizes){all, f, "vm.percpu_pagelist_high_fraction was set by hand: the value that fits all zones"};
    return (struct sizes){all, 0, NULL};
}

static void per_cpu(struct validate_case *c, unsigned moment)
{
    struct snapshot *s = c->snap[moment];
    const char *when = validate_moments[moment];
    bool any = false, old = true;
    char label[ZONE_LABEL];
    for (unsigned i = 0; i < s->zones; i++) {
        const struct snap_zone *k = &s->zone[i];
        if (!k->has_info || !k->pcps)
            continue;
        struct sizes size = sizes_of(s, k->node);
        any = true;
        validate_label(k, label);
        threshold(c, moment, k);
        for (unsigned j = 0; j < k->pcps; j++) {
            const struct snap_pcp *p = &k->pcp[j];
            old &= !(p->have & SNAP_HAS_HIGH_MIN);
            if (p->have & SNAP_HAS_BATCH)
                validate_equal(c, "per_cpu", pcp_batch(k->managed), (double)p->batch, NULL, "%s.%s.cpu%u.batch", when, label, p->cpu);
            /* Sizes were set when the marks were, and that takes a boost back. */
            if (p->have & SNAP_HAS_HIGH_MIN)
                validate_equal(c, "per_cpu", pcp_high_min(k->managed, k->wmark[WMARK_LOW] - k->boost, size.fraction, size.cpus),
                               (double)p->high_min, size.how, "%s.%s.cpu%u.high_min", when, label, p->cpu);
            if (p->have & SNAP_HAS_HIGH_MAX)
                validate_equal(c, "per_cpu", pcp_high_max(k->managed, size.fraction, size.cpus), (double)p->high_max, size.how,
                               "%s.%s.cpu%u.high_max", when, label, p->cpu);
        }
    }
    char metric[64];
    snprintf(metric, sizeof metric, "%s.per_cpu", when);
    if (!any)
        validate_skip(c, "per_cpu", metric, "no zoneinfo with per-CPU lists");
    else if (old)
        validate_skip(c, "per_cpu", metric, "this kernel's lists have no high_min and high_max (before 6.7)");
}

void validate_marks(struct validate_case *c, unsigned moment)
{
    struct snapshot *s = c->snap[moment];
    struct zones zs;
    char metric[64];
    snprintf(metric, sizeof metric, "%s.watermarks", validate_moments[moment]);
    if (!s->has_info || s->nodes > FRAME_NODES || !zones_of(s, &zs)) {
        validate_skip(c, "watermarks", metric, s->nodes > FRAME_NODES ? "more nodes than the model has" : "no zoneinfo");
        snprintf(metric, sizeof metric, "%s.per_cpu", validate_moments[moment]);
        validate_skip(c, "per_cpu", metric, s->has_info ? "no zone with memory that the model has" : "no zoneinfo with per-CPU lists");
        return;
    }
    marks(c, moment, &zs);
    available(c, moment, &zs);
    per_cpu(c, moment);
}
