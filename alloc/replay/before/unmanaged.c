#include "replay/before/unmanaged.h"

#include <stdlib.h>

/* A run within one zone. Of its end `gone` frames are not managed, the last `hole` of them no memory at all. */
struct piece { uint64_t start, end, gone, hole; unsigned zone; enum frame_class class; };
struct pieces { struct piece *p; size_t n, room; };

static int no_memory(struct err *err) { return err_set(err, ERR_RUN, "out of memory for the snapshot's frames"); }

static int add(struct pieces *ps, struct piece p, struct err *err)
{
    if (ps->n == ps->room) {
        size_t room = ps->room ? ps->room * 2 : 1024;
        struct piece *more = realloc(ps->p, room * sizeof *more);
        if (!more)
            return no_memory(err);
        ps->p = more;
        ps->room = room;
    }
    ps->p[ps->n++] = p;
    return 0;
}

/* The zone with memory that holds `pfn`, and where it ends; SNAP_ZONES: none up to `end`. */
static unsigned zone_at(const struct snapshot *s, uint64_t pfn, uint64_t *end)
{
    for (unsigned i = 0; i < s->zones; i++) {
        const struct snap_zone *z = &s->zone[i];
        if (pfn >= z->start_pfn && pfn - z->start_pfn < z->spanned) {
            *end = z->start_pfn + z->spanned < *end ? z->start_pfn + z->spanned : *end;
            return i;
        }
        if (z->spanned && z->start_pfn > pfn && z->start_pfn < *end)
            *end = z->start_pfn;
    }
    return SNAP_ZONES;
}

static int collect(struct pieces *ps, const struct snapshot *s, struct err *err)
{
    for (size_t r = 0; r < s->runs; r++) {
        uint64_t at = s->run[r].pfn, last = at + s->run[r].pages;
        while (at < last && s->run[r].class != CLASS_NONE) {
            uint64_t end = last;
            unsigned zone = zone_at(s, at, &end);
            if (zone < SNAP_ZONES && add(ps, (struct piece){.start = at, .end = end, .zone = zone, .class = s->run[r].class}, err) < 0)
                return -1;
            at = end;
        }
    }
    return 0;
}

static int first_to_go(const void *a, const void *b)
{
    const struct piece *x = *(struct piece *const *)a, *y = *(struct piece *const *)b;
    uint64_t nx = x->end - x->start, ny = y->end - y->start;
    if ((x->class == CLASS_OTHER) != (y->class == CLASS_OTHER))
        return x->class == CLASS_OTHER ? -1 : 1;
    return nx != ny ? (nx < ny ? 1 : -1) : (x->start > y->start) - (x->start < y->start);
}

static void mark_surplus(struct pieces *ps, const struct snapshot *s, unsigned zone, struct piece **used)
{
    const struct snap_zone *z = &s->zone[zone];
    uint64_t have = 0, told = 0, holes = z->spanned > z->present ? z->spanned - z->present : 0;
    size_t n = 0;
    for (size_t i = 0; i < ps->n; i++) {
        struct piece *p = &ps->p[i];
        if (p->zone != zone)
            continue;
        told += p->end - p->start;
        if (p->class == CLASS_RESERVED)
            continue;
        have += p->end - p->start;
        if (p->class != CLASS_FREE)
            used[n++] = p;
    }
    holes -= z->spanned - told < holes ? z->spanned - told : holes; /* those that the map leaves out */
    qsort(used, n, sizeof(struct piece *), first_to_go);
    for (size_t i = 0; i < n && have > z->managed; i++) {
        uint64_t pages = used[i]->end - used[i]->start, over = have - z->managed;
        used[i]->gone = over < pages ? over : pages;
        used[i]->hole = holes < used[i]->gone ? holes : used[i]->gone;
        holes -= used[i]->hole;
        have -= used[i]->gone;
    }
}

static void put(struct told_runs *out, uint64_t from, uint64_t to, enum frame_class class)
{
    if (from < to)
        out->run[out->n++] = (struct snap_run){from, to - from, class};
}

int snapshot_tell_unmanaged(struct told_runs *out, const struct snapshot *s, struct err *err)
{
    struct pieces ps = {0};
    *out = (struct told_runs){0};
    if (collect(&ps, s, err) < 0) {
        free(ps.p);
        return -1;
    }
    struct piece **used = malloc((ps.n + 1) * sizeof *used);
    out->run = malloc((3 * ps.n + 1) * sizeof *out->run);
    if (!used || !out->run) {
        free(used);
        free(ps.p);
        told_runs_free(out);
        return no_memory(err);
    }
    for (unsigned i = 0; i < s->zones; i++)
        mark_surplus(&ps, s, i, used);
    for (size_t i = 0; i < ps.n; i++) {
        const struct piece *p = &ps.p[i];
        put(out, p->start, p->end - p->gone, p->class);
        put(out, p->end - p->gone, p->end - p->hole, CLASS_RESERVED);
        put(out, p->end - p->hole, p->end, CLASS_NONE);
    }
    free(used);
    free(ps.p);
    return 0;
}

void told_runs_free(struct told_runs *runs)
{
    free(runs->run);
    *runs = (struct told_runs){0};
}
