#include "replay/objects.h"

#include "traces/input.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum { PS_A_NS = 1000, PER_CENT = 100, PER_CENT_MILLI = 100000 };

struct caller {
    uint64_t site;
    char *name; /* NULL: an address, or not told */
    uint64_t hits, requested, allocated;
    UT_hash_handle hh;
};

struct objects {
    struct frame_map *map;
    struct slab_sys *slab;
    struct slab_replay *replay;
    struct caller *callers;
    struct objects_stats st;
};

int objects_new(struct objects **out, struct frame_map *map, const struct slab_config *cfg, unsigned cpus, uint64_t seed,
                struct err *err)
{
    struct objects *o = calloc(1, sizeof *o);
    *out = NULL;
    if (!o) {
        frame_map_free(map);
        return err_set(err, ERR_RUN, "out of memory");
    }
    o->map = map;
    if (slab_sys_new(&o->slab, cfg, map, cpus, seed, err) < 0 || slab_replay_new(&o->replay, o->slab, err) < 0) {
        objects_free(o);
        return -1;
    }
    *out = o;
    return 0;
}

void objects_free(struct objects *o)
{
    if (!o)
        return;
    struct caller *c = o->callers, *next;
    HASH_CLEAR(hh, o->callers); /* the table goes, its elements stay chained */
    for (; c; c = next) {
        next = c->hh.next;
        free(c->name);
        free(c);
    }
    slab_replay_free(o->replay);
    slab_sys_free(o->slab);
    frame_map_free(o->map);
    free(o);
}

struct frame_map *objects_map(struct objects *o) { return o->map; }
struct slab_sys *objects_slab(const struct objects *o) { return o->slab; }
const struct objects_stats *objects_stats(const struct objects *o) { return &o->st; }

void objects_add_stats(const struct objects *o, struct stats *tree)
{
    slab_add_stats(o->slab, tree);
    slab_replay_add_stats(o->replay, tree);
}

/* ---- callers ------------------------------------------------------------------------------------------------------------ */

static struct caller *caller_of(struct objects *o, uint64_t site)
{
    struct caller *c;
    HASH_FIND(hh, o->callers, &site, sizeof site, c);
    if (!c) {
        c = calloc(1, sizeof *c);
        if (!c)
            abort(); /* as the replay's own table */
        c->site = site;
        HASH_ADD(hh, o->callers, site, sizeof c->site, c);
    }
    return c;
}

void objects_site(struct objects *o, const struct trace_rec *r)
{
    size_t len = 0;
    const char *text = trace_rec_string(r, &len);
    struct caller *c = caller_of(o, r->addr);
    if (!c->name)
        c->name = strndup(text, len);
}

static int more_first(const struct caller *a, const struct caller *b)
{
    if (a->allocated != b->allocated)
        return a->allocated < b->allocated ? 1 : -1;
    return a->site < b->site ? -1 : a->site > b->site;
}

void objects_print_callers(const struct objects *o, FILE *f)
{
    const char *rule = "---------------------------------------------------------------------------------------------";
    struct objects *own = (struct objects *)(uintptr_t)o; /* the order of its own table, which nothing else shows */
    HASH_SRT(hh, own->callers, more_first);
    fprintf(f, "%s\n %-38s | Total_alloc/Per   | Total_req/Per     | Hit      | Frag\n%s\n", rule, "Callsite", rule);
    for (const struct caller *c = o->callers; c; c = c->hh.next) {
        char site[24];
        if (!c->hits)
            continue;
        snprintf(site, sizeof site, "0x%" PRIx64, c->site);
        uint64_t waste = c->allocated > c->requested ? c->allocated - c->requested : 0;
        uint64_t milli = c->allocated ? waste * PER_CENT_MILLI / c->allocated : 0;
        fprintf(f, " %-38s | %9" PRIu64 "/%-7" PRIu64 " | %9" PRIu64 "/%-7" PRIu64 " | %8" PRIu64 " | %3" PRIu64 ".%03" PRIu64 "%%\n",
                c->name ? c->name : site, c->allocated, c->allocated / c->hits, c->requested, c->requested / c->hits, c->hits,
                milli / (PER_CENT_MILLI / PER_CENT), milli % (PER_CENT_MILLI / PER_CENT));
    }
    fprintf(f, "%s\n", rule);
}

/* ---- records ------------------------------------------------------------------------------------------------------------ */

static uint64_t word(const struct trace_rec *r, unsigned i)
{
    const union trace_slot *s = (const union trace_slot *)(r + 1);
    return i / 2 < r->slots ? s[i / 2].u[i % 2] : 0;
}

static void called(struct objects *o, const struct slab_event *e)
{
    struct caller *c = caller_of(o, e->call_site);
    c->hits++;
    c->requested += e->size;
    c->allocated += e->slot;
}

void objects_event(struct objects *o, const struct trace_rec *r, uint64_t record, unsigned cpu, uint64_t ns)
{
    bool cache = r->kind == TRACE_CACHE_ALLOC || r->kind == TRACE_CACHE_FREE;
    unsigned cpus = slab_cpus(o->slab);
    char name[SLAB_NAME] = "";
    size_t len = 0;
    if (r->kind == TRACE_PAGE_ALLOC) {
        uint64_t gfp = word(r, 0);
        o->st.page_allocs_left_out++;
        o->st.slab_like += gfp & __GFP_COMP && !(gfp & (__GFP_MOVABLE | __GFP_HARDWALL | __GFP_HIGHMEM));
        return;
    }
    if (r->kind == TRACE_PAGE_FREE)
        o->st.page_frees_left_out++;
    if (r->kind < TRACE_KMALLOC || r->kind > TRACE_CACHE_FREE)
        return;
    if (cpu >= cpus) {
        o->st.foreign_cpus++;
        cpu = cpus - 1;
    }
    if (cache) {
        const char *text = trace_rec_string(r, &len);
        snprintf(name, sizeof name, "%.*s", (int)(len < sizeof name ? len : sizeof name - 1), text);
    }
    struct slab_event e = {.record = record, .pointer = r->addr, .size = r->size, .cpu = cpu, .cache = name};
    slab_set_time(o->slab, ns * PS_A_NS);
    if (r->kind == TRACE_KMALLOC || r->kind == TRACE_CACHE_ALLOC) {
        e.slot = word(r, 0);
        e.gfp = (gfp_t)word(r, 1) | (r->flags & TRACE_F_ACCOUNTED ? (gfp_t)__GFP_ACCOUNT : 0);
        e.call_site = word(r, 2);
        called(o, &e);
        slab_replay_alloc(o->replay, &e);
    } else {
        e.call_site = word(r, 0);
        slab_replay_release(o->replay, &e);
    }
}
