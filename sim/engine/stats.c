/*
 * The statistics tree is a flat table: one entry a counter, holding its address. Nesting by path is made only when a
 * result is written. After the freeze an open-addressed index finds entries by full name.
 */
#include "engine/stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct entry {
    const char *path, *name, *unit, *help; /* path is owned by `strings` */
    const uint64_t *value;                 /* NULL for a histogram */
    const struct stat_hist *hist;
    size_t hist_slot; /* among the snapshots of histograms */
    bool gauge;
};

struct ratio {
    const char *path, *name, *unit, *help, *num_name, *den_name;
    size_t num, den;
    uint64_t scale;
    unsigned decimals;
    enum { ALWAYS, WITH_INSTRUCTIONS, WITHOUT_INSTRUCTIONS } when;
};

struct stats {
    struct entry *e;
    size_t n, cap;
    struct ratio *r;
    size_t nr, cap_r;
    char **strings;
    size_t n_strings, cap_strings;
    size_t n_hist;
    uint64_t *snap;
    struct stat_hist *snap_hist;
    size_t *index; /* n_index slots of entry number + 1; ratios follow the entries */
    size_t n_index;
    size_t instructions; /* entry of sim.instructions, SIZE_MAX if none */
    bool frozen, has_snap;
};

#define NO_ENTRY SIZE_MAX

/* Our own mistakes while the machine is built: tell the name, then stop. */
static _Noreturn void bug(const char *what, const char *path, const char *name)
{
    fprintf(stderr, "mmulab: internal error: statistics: %s: %s%s%s\n", what, path, *path ? "." : "", name);
    abort();
}

static void *grow(void *p, size_t *cap, size_t need, size_t size)
{
    if (need <= *cap)
        return p;
    size_t c = *cap ? *cap * 2 : 64;
    while (c < need)
        c *= 2;
    p = reallocarray(p, c, size);
    if (!p)
        bug("out of memory", "", "");
    *cap = c;
    return p;
}

static const char *keep(struct stats *s, const char *text)
{
    s->strings = grow(s->strings, &s->cap_strings, s->n_strings + 1, sizeof *s->strings);
    char *copy = strdup(text);
    if (!copy)
        bug("out of memory", "", text);
    return s->strings[s->n_strings++] = copy;
}

int stats_new(struct stats **out, struct err *err)
{
    *out = calloc(1, sizeof **out);
    if (!*out)
        return err_set(err, ERR_RUN, "out of memory for the statistics");
    (*out)->instructions = NO_ENTRY;
    return 0;
}

void stats_free(struct stats *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n_strings; i++)
        free(s->strings[i]);
    free(s->strings);
    free(s->e);
    free(s->r);
    free(s->snap);
    free(s->snap_hist);
    free(s->index);
    free(s);
}

void stats_add(struct stats *s, const char *path, const void *base, const struct stat_desc *d, size_t n)
{
    if (s->frozen)
        bug("registered after the freeze", path, n ? d[0].name : "");
    s->e = grow(s->e, &s->cap, s->n + n, sizeof *s->e);
    const char *p = keep(s, path);
    for (size_t i = 0; i < n; i++) {
        s->e[s->n++] = (struct entry){
            .path = p,
            .name = d[i].name,
            .unit = d[i].unit,
            .help = d[i].help,
            .value = (const uint64_t *)(const void *)((const char *)base + d[i].offset),
            .gauge = d[i].gauge,
        };
    }
}

void stats_add_hist(struct stats *s, const char *path, const char *name, const struct stat_hist *h, const char *unit,
                    const char *help)
{
    if (s->frozen)
        bug("registered after the freeze", path, name);
    s->e = grow(s->e, &s->cap, s->n + 1, sizeof *s->e);
    s->e[s->n++] = (struct entry){
        .path = keep(s, path),
        .name = keep(s, name),
        .unit = keep(s, unit),
        .help = keep(s, help),
        .hist = h,
        .hist_slot = s->n_hist++,
    };
}

void stats_add_ratio(struct stats *s, const char *path, const char *name, const char *num, const char *den,
                     uint64_t scale, unsigned decimals, const char *unit, const char *help)
{
    if (s->frozen)
        bug("registered after the freeze", path, name);
    s->r = grow(s->r, &s->cap_r, s->nr + 1, sizeof *s->r);
    s->r[s->nr++] = (struct ratio){
        .path = keep(s, path),
        .name = keep(s, name),
        .unit = keep(s, unit),
        .help = keep(s, help),
        .num_name = keep(s, num),
        .den_name = keep(s, den),
        .scale = scale,
        .decimals = decimals,
    };
}

/* ---- names ---- */

static uint64_t name_hash(const char *path, const char *name)
{
    char full[512];
    int len = snprintf(full, sizeof full, "%s%s%s", path, *path ? "." : "", name);
    if (len < 0 || (size_t)len >= sizeof full)
        bug("name too long", path, name);
    return XXH3_64bits(full, (size_t)len);
}

/* Does `full` (len bytes) read path.name? */
static bool name_is(const char *full, size_t len, const char *path, const char *name)
{
    size_t p = strlen(path), n = strlen(name), dot = p ? 1 : 0;
    return len == p + dot + n && !memcmp(full, path, p) && (!dot || full[p] == '.') && !memcmp(full + p + dot, name, n);
}

static const char *slot_path(const struct stats *s, size_t i) { return i < s->n ? s->e[i].path : s->r[i - s->n].path; }
static const char *slot_name(const struct stats *s, size_t i) { return i < s->n ? s->e[i].name : s->r[i - s->n].name; }

/* Entry (or s->n + ratio) of that full name, NO_ENTRY if there is none. */
static size_t lookup(const struct stats *s, const char *full, size_t len)
{
    if (!s->index) {
        for (size_t i = 0; i < s->n; i++)
            if (name_is(full, len, s->e[i].path, s->e[i].name))
                return i;
        return NO_ENTRY;
    }
    for (size_t h = XXH3_64bits(full, len) & (s->n_index - 1); s->index[h]; h = (h + 1) & (s->n_index - 1)) {
        size_t i = s->index[h] - 1;
        if (name_is(full, len, slot_path(s, i), slot_name(s, i)))
            return i;
    }
    return NO_ENTRY;
}

static size_t find_counter(const struct stats *s, const char *dotted)
{
    size_t i = lookup(s, dotted, strlen(dotted));
    return i < s->n ? i : NO_ENTRY;
}

static void index_build(struct stats *s)
{
    size_t all = s->n + s->nr;
    s->n_index = 64;
    while (s->n_index < 2 * all)
        s->n_index *= 2;
    s->index = calloc(s->n_index, sizeof *s->index);
    if (!s->index)
        bug("out of memory", "", "");
    for (size_t i = 0; i < all; i++) {
        const char *path = slot_path(s, i), *name = slot_name(s, i);
        size_t h = name_hash(path, name) & (s->n_index - 1);
        for (; s->index[h]; h = (h + 1) & (s->n_index - 1)) {
            size_t k = s->index[h] - 1;
            if (!strcmp(slot_path(s, k), path) && !strcmp(slot_name(s, k), name))
                bug("registered twice", path, name);
        }
        s->index[h] = i + 1;
    }
    /* {"a": 1} and {"a": {...}} cannot both be written. */
    for (size_t i = 0; i < all; i++) {
        const char *path = slot_path(s, i);
        for (size_t len = 1; len <= strlen(path); len++)
            if ((path[len] == '.' || !path[len]) && lookup(s, path, len) != NO_ENTRY)
                bug("a counter has the name of a component", "", path);
    }
}

static bool has_ratio(const struct stats *s, const char *path, const char *name)
{
    for (size_t i = 0; i < s->nr; i++)
        if (!strcmp(s->r[i].name, name) && !strcmp(s->r[i].path, path))
            return true;
    return false;
}

/* Adds path.name = scale * path.num / den, unless the component registered a ratio of that name itself. */
static void derive(struct stats *s, const char *path, const char *name, const char *num, const char *den, uint64_t scale,
                   const char *unit, const char *help)
{
    char full[512];
    snprintf(full, sizeof full, "%s.%s", path, num);
    if (!has_ratio(s, path, name))
        stats_add_ratio(s, path, name, full, den, scale, 6, unit, help);
}

static void derive_ratios(struct stats *s)
{
    bool has_instructions = find_counter(s, "sim.instructions") != NO_ENTRY;
    bool has_references = find_counter(s, "sim.references") != NO_ENTRY;
    for (size_t i = 0; i < s->n; i++) {
        const char *path = s->e[i].path, *name = s->e[i].name;
        char den[512];
        if (!s->e[i].value || s->e[i].gauge || !*path)
            continue;
        if (!strcmp(name, "instructions")) {
            snprintf(den, sizeof den, "%s.cycles", path);
            if (find_counter(s, den) != NO_ENTRY)
                derive(s, path, "ipc", "instructions", den, 1, "ratio", "instructions per cycle");
        }
        snprintf(den, sizeof den, "%s.accesses", path);
        if (strcmp(name, "misses") || find_counter(s, den) == NO_ENTRY)
            continue;
        derive(s, path, "miss_ratio", "misses", den, 1, "ratio", "misses per access");
        size_t before = s->nr;
        if (has_instructions)
            derive(s, path, "mpki", "misses", "sim.instructions", 1000, "misses",
                   "misses per 1,000 instructions of all cores");
        if (s->nr > before)
            s->r[before].when = WITH_INSTRUCTIONS;
        before = s->nr;
        if (has_references)
            derive(s, path, "mpka", "misses", "sim.references", 1000, "misses",
                   "misses per 1,000 references of all cores; only where the trace has no instructions");
        if (s->nr > before)
            s->r[before].when = WITHOUT_INSTRUCTIONS;
    }
}

void stats_freeze(struct stats *s)
{
    if (s->frozen)
        return;
    derive_ratios(s);
    index_build(s);
    for (size_t i = 0; i < s->nr; i++) {
        struct ratio *r = &s->r[i];
        r->num = find_counter(s, r->num_name);
        r->den = find_counter(s, r->den_name);
        if (r->num == NO_ENTRY || r->den == NO_ENTRY)
            bug("ratio of an unknown counter", r->path, r->name);
    }
    s->instructions = find_counter(s, "sim.instructions");
    s->snap = calloc(s->n + 1, sizeof *s->snap);
    s->snap_hist = calloc(s->n_hist + 1, sizeof *s->snap_hist);
    if (!s->snap || !s->snap_hist)
        bug("out of memory", "", "");
    s->frozen = true;
}

void stats_add_late(struct stats *s, const char *path, const void *base, const struct stat_desc *d, size_t n)
{
    if (!s->frozen)
        bug("registered late before the freeze", path, n ? d[0].name : "");
    size_t before = s->n;
    s->frozen = false;
    stats_add(s, path, base, d, n);
    s->snap = reallocarray(s->snap, s->n + 1, sizeof *s->snap);
    if (!s->snap)
        bug("out of memory", "", "");
    memset(s->snap + before, 0, (s->n + 1 - before) * sizeof *s->snap);
    free(s->index); /* ratios have moved behind the new entries */
    s->index = NULL;
    index_build(s);
    s->frozen = true;
}

/* ---- values ---- */

static uint64_t present(const struct entry *e) { return e->value ? *e->value : e->hist->sum; }

void stats_snapshot(struct stats *s)
{
    if (!s->frozen)
        bug("snapshot before the freeze", "", "");
    for (size_t i = 0; i < s->n; i++) {
        s->snap[i] = present(&s->e[i]);
        if (s->e[i].hist) {
            /* Owners register through pointers to const; the histograms themselves are their counters, never const. */
            struct stat_hist *h = (struct stat_hist *)(uintptr_t)s->e[i].hist, *w = &s->snap_hist[s->e[i].hist_slot];
            uint64_t max = w->max > h->max ? w->max : h->max; /* of an earlier snapshot, if this is not the first */
            *w = *h;
            w->max = max;
            h->max = 0;
        }
    }
    s->has_snap = true;
}

bool stats_has_snapshot(const struct stats *s) { return s->has_snap; }
size_t stats_count(const struct stats *s) { return s->n; }
size_t stats_ratio_count(const struct stats *s) { return s->nr; }

void stats_get(const struct stats *s, size_t i, struct stat_value *out)
{
    const struct entry *e = &s->e[i];
    *out = (struct stat_value){
        .path = e->path,
        .name = e->name,
        .unit = e->unit,
        .help = e->help,
        .gauge = e->gauge,
        .warmup = s->has_snap ? s->snap[i] : 0,
        .total = present(e),
        .hist = e->hist,
        .hist_warmup = e->hist && s->snap_hist ? &s->snap_hist[e->hist_slot] : NULL,
    };
}

uint64_t stat_value_in(const struct stat_value *v, enum stat_phase phase)
{
    if (phase == STAT_WARMUP)
        return v->warmup;
    if (phase == STAT_TOTAL || v->gauge)
        return v->total;
    return v->total - v->warmup;
}

struct stat_hist stat_hist_in(const struct stat_value *v, enum stat_phase phase)
{
    struct stat_hist h = *v->hist;
    const struct stat_hist *w = v->hist_warmup;
    if (phase == STAT_WARMUP)
        return w ? *w : (struct stat_hist){0};
    if (!w)
        return h;
    if (phase == STAT_TOTAL) {
        h.max = w->max > h.max ? w->max : h.max;
        return h;
    }
    for (size_t i = 0; i < STAT_HIST_BUCKETS; i++)
        h.count[i] -= w->count[i];
    h.n -= w->n;
    h.sum -= w->sum;
    return h;
}

void stats_get_ratio(const struct stats *s, size_t i, enum stat_phase phase, struct stat_ratio *out)
{
    const struct ratio *r = &s->r[i];
    struct stat_value num, den;
    stats_get(s, r->num, &num);
    stats_get(s, r->den, &den);
    bool instructions = s->instructions != NO_ENTRY && present(&s->e[s->instructions]);
    *out = (struct stat_ratio){
        .path = r->path,
        .name = r->name,
        .unit = r->unit,
        .help = r->help,
        .num = stat_value_in(&num, phase),
        .den = stat_value_in(&den, phase),
        .scale = r->scale,
        .decimals = r->decimals,
        .applies = r->when == ALWAYS || (r->when == WITH_INSTRUCTIONS) == instructions,
    };
}

bool stats_find(const struct stats *s, const char *dotted, uint64_t *value)
{
    size_t i = find_counter(s, dotted);
    if (i == NO_ENTRY)
        return false;
    *value = present(&s->e[i]);
    return true;
}

const uint64_t *stats_where(const struct stats *s, const char *dotted)
{
    size_t i = find_counter(s, dotted);
    return i == NO_ENTRY ? NULL : s->e[i].value;
}
