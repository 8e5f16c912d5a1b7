/* /proc/slabinfo as Linux writes it, and the statistics. */
#include "slab/slab_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void slab_print_slabinfo(const struct slab_sys *s, FILE *f)
{
    fputs("slabinfo - version: 2.1\n# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables "
          "<limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>\n", f);
    if (s->ops->kmalloc) /* SLOB has no caches of its own: the file ends here */
        return;
    for (const struct kmem_cache *c = s->newest; c; c = c->prev) {
        struct slab_row r = kmem_cache_row(c);
        struct slab_cache_info i = kmem_cache_info(c);
        fprintf(f, "%-17s %6" PRIu64 " %6" PRIu64 " %6u %4u %4d : tunables %4u %4u %4u : slabdata %6" PRIu64 " %6" PRIu64
                   " %6" PRIu64 "\n",
                c->name, r.active_objects, r.objects, c->size, c->objects, 1 << c->order, i.limit, i.batchcount, i.shared,
                r.active_slabs, r.slabs, r.shared_avail);
    }
}

void slab_print_latency(const struct slab_sys *s, FILE *f)
{
    fprintf(f, "%-18s %12s %10s %8s %8s %10s\n", "path", "operations", "mean", "p50", "p99", "worst");
    for (unsigned p = 0; p < N_SLAB_PATHS; p++) {
        const struct slab_latency *l = &s->latency[p];
        if (l->n)
            fprintf(f, "%-18s %12" PRIu64 " %10.1f %8" PRIu64 " %8" PRIu64 " %10" PRIu64 "\n", slab_path_name(p), l->n,
                    (double)l->sum / (double)l->n, slab_latency_quantile(l, 500), slab_latency_quantile(l, 990), l->max);
    }
}

/* Internal fragmentation of what is held now. */
static void fragmentation(struct slab_sys *s)
{
    s->st.free_bytes = s->st.tail_bytes = s->st.empty_bytes = 0;
    for (const struct kmem_cache *c = s->oldest; c; c = c->next)
        for (const struct slab_page *p = c->all; p; p = p->all_next) {
            uint64_t slots = (uint64_t)p->objects * c->size;
            s->st.free_bytes += (uint64_t)(p->objects - p->live_n) * c->size;
            s->st.tail_bytes += slab_bytes(p) - slots;
            s->st.empty_bytes += p->live_n ? 0 : slab_bytes(p);
        }
    if (s->ops->kmalloc)
        s->st.free_bytes = ((s->st.pages - s->st.large_pages) * PAGE_BYTES + s->st.large_pages * PAGE_BYTES) - s->st.slot_bytes;
}

struct slab_bytes_now slab_bytes_now(const struct slab_sys *s)
{
    const struct slab_stats *t = &s->st;
    uint64_t held = t->pages * PAGE_BYTES, slots = t->large_pages * PAGE_BYTES;
    for (const struct kmem_cache *c = s->oldest; c; c = c->next)
        slots += c->total_objects * c->size;
    if (s->ops->kmalloc) /* SLOB: free memory is not cut into slots */
        slots = held;
    return (struct slab_bytes_now){.pages = t->pages, .objects = t->objects, .requested = t->requested_bytes,
                                   .rounding = t->slot_bytes - t->requested_bytes, .free = slots - t->slot_bytes, .tail = held - slots};
}

bool slab_frame_user(const struct slab_sys *s, pfn_t pfn, struct slab_frame_user *out)
{
    const struct slab_page *p = pfn.v < s->frames->n_frames ? s->map[pfn.v] : NULL;
    if (!p)
        return false;
    *out = (struct slab_frame_user){.cache = p->cache ? p->cache->name : p->kind == PAGE_LARGE ? "kmalloc-large" : "slob",
                                    .objects = p->cache ? p->objects : 1, .in_use = p->cache ? p->live_n : 1,
                                    .reclaimable = p->cache && (p->cache->flags & SLAB_RECLAIM_ACCOUNT)};
    return true;
}

const struct slab_stats *slab_stats(const struct slab_sys *s)
{
    struct slab_sys *own = (struct slab_sys *)(uintptr_t)s; /* gauges of the same object, made from its own books */
    fragmentation(own);
    for (unsigned p = 0; p < N_SLAB_PATHS; p++) {
        const struct slab_latency *l = &s->latency[p];
        own->path_st[p] = (struct slab_path_stats){.operations = l->n, .cycles = l->sum, .worst = l->max,
                                                   .p50 = slab_latency_quantile(l, 500), .p99 = slab_latency_quantile(l, 990)};
    }
    return &s->st;
}

#define SLAB_COUNT_DESC(name, unit, help) STAT_ENTRY(struct slab_stats, name, unit, help)
#define SLAB_GAUGE_DESC(name, unit, help) STAT_ENTRY_GAUGE(struct slab_stats, name, unit, help)
static const struct stat_desc of_system[] = {SLAB_STATS(SLAB_COUNT_DESC, SLAB_GAUGE_DESC)};
#define CACHE_COUNT_DESC(name, unit, help) STAT_ENTRY(struct slab_cache_stats, name, unit, help)
#define CACHE_GAUGE_DESC(name, unit, help) STAT_ENTRY_GAUGE(struct slab_cache_stats, name, unit, help)
static const struct stat_desc of_cache[] = {SLAB_CACHE_STATS(CACHE_COUNT_DESC, CACHE_GAUGE_DESC)};
#define FINDING_DESC(name_, text) \
    {text, "findings", "found wrong: " text, offsetof(struct slab_stats, found) + SLAB_##name_ * sizeof(uint64_t), false},
static const struct stat_desc of_findings[] = {SLAB_FINDINGS(FINDING_DESC)};

void slab_add_stats(const struct slab_sys *s, struct stats *tree)
{
    stats_add(tree, "slab", &s->st, of_system, ARRAY_LEN(of_system));
    stats_add(tree, "slab.found", &s->st, of_findings, ARRAY_LEN(of_findings));
}

enum { STATS_CACHES_MOST = 2000 }; /* a trace can name any number of caches; slab.caches tells how many there are */

#define PATH_DESC(name, unit, help) STAT_ENTRY_GAUGE(struct slab_path_stats, name, unit, help)
static const struct stat_desc of_path[] = {SLAB_PATH_STATS(PATH_DESC)};

void slab_add_cache_stats(const struct slab_sys *s, struct stats *tree)
{
    uint32_t number = 0;
    for (unsigned p = 0; p < N_SLAB_PATHS; p++) {
        char path[64];
        snprintf(path, sizeof path, "slab.latency.%s", slab_path_name((enum slab_path)p));
        if (s->latency[p].n)
            stats_add_late(tree, path, &s->path_st[p], of_path, ARRAY_LEN(of_path));
    }
    for (const struct kmem_cache *c = s->oldest; c; c = c->next, number++) {
        char path[SLAB_NAME + 32], probe[SLAB_NAME + 64];
        if ((!c->st.allocs && !c->st.failures) || number > STATS_CACHES_MOST)
            continue;
        int n = snprintf(path, sizeof path, "slab.%s", c->name);
        for (char *p = path + 5; *p; p++)
            if (*p == '.') /* separates the parts of a path */
                *p = '_';
        snprintf(probe, sizeof probe, "%s.allocs", path);
        /* Names come from traces: two may be alike now, or like one of slab's own. */
        if (stats_where(tree, path) || stats_where(tree, probe) || strcmp(path, "slab.found") == 0 || strcmp(path, "slab.trace") == 0 || strcmp(path, "slab.latency") == 0 || !path[5])
            snprintf(path + n, sizeof path - (size_t)n, "#%u", number);
        stats_add_late(tree, path, &c->st, of_cache, ARRAY_LEN(of_cache));
    }
}
