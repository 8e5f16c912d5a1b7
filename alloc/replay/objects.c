#include "replay/objects.h"

#include "replay/calls/record_call.h"
#include "traces/input.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct caller {
    uint64_t site;
    char *name; /* NULL: an address, or not told */
    uint64_t hits, requested, allocated, pingpong;
    UT_hash_handle hh;
};

/* Who allocated at a pointer last, and where: for the ping-pongs. Kept after the free, as perf kmem does. */
struct place {
    uint64_t pointer;
    struct caller *caller;
    int64_t cpu; /* -1: freed */
    UT_hash_handle hh;
};

struct objects {
    struct frame_map *map;
    struct slab_sys *slab;
    struct slab_replay *replay;
    struct slab_calls *calls;
    struct caller *callers;
    struct place *places;
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
    if (slab_sys_new(&o->slab, cfg, map, cpus, seed, err) < 0 || slab_replay_new(&o->replay, o->slab, err) < 0 ||
        slab_calls_new(&o->calls, o->slab, o->replay, err) < 0) {
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
    slab_calls_free(o->calls);
    struct place *p = o->places, *after;
    HASH_CLEAR(hh, o->places);
    for (; p; p = after) {
        after = p->hh.next;
        free(p);
    }
    slab_replay_free(o->replay);
    slab_sys_free(o->slab);
    frame_map_free(o->map);
    free(o);
}

void objects_time(struct objects *o, uint64_t ns) { slab_calls_time(o->calls, ns); }

void objects_end(struct objects *o) { slab_calls_end(o->calls); }

struct frame_map *objects_map(struct objects *o) { return o->map; }
struct slab_sys *objects_slab(const struct objects *o) { return o->slab; }
const struct slab_calls *objects_calls(const struct objects *o) { return o->calls; }
const struct objects_stats *objects_stats(const struct objects *o) { return &o->st; }

void objects_add_stats(const struct objects *o, struct stats *tree)
{
    slab_add_stats(o->slab, tree);
    slab_replay_add_stats(o->replay, tree);
    slab_calls_add_stats(o->calls, tree);
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

/* perf's default: --sort frag,hit,bytes. */
static int more_first(const struct caller *a, const struct caller *b)
{
    double fa = a->allocated ? 1 - (double)a->requested / (double)a->allocated : 0;
    double fb = b->allocated ? 1 - (double)b->requested / (double)b->allocated : 0;
    if (fa < fb || fb < fa)
        return fa < fb ? 1 : -1;
    if (a->hits != b->hits)
        return a->hits < b->hits ? 1 : -1;
    if (a->allocated != b->allocated)
        return a->allocated < b->allocated ? 1 : -1;
    return a->site < b->site ? -1 : a->site > b->site;
}

void objects_print_callers(const struct objects *o, FILE *f)
{
    const char *rule = "---------------------------------------------------------------------------------------------------------";
    struct objects *own = (struct objects *)(uintptr_t)o; /* the order of its own table, which nothing else shows */
    HASH_SRT(hh, own->callers, more_first);
    fprintf(f, "%s\n %-34s | Total_alloc/Per | Total_req/Per   | Hit      | Ping-pong | Frag\n%s\n", rule, "Callsite", rule);
    for (const struct caller *c = o->callers; c; c = c->hh.next) {
        char site[128];
        if (!c->hits)
            continue;
        const char *offset = c->name ? strstr(c->name, "+0x") : NULL; /* perf kmem writes it without 0x */
        if (offset)
            snprintf(site, sizeof site, "%.*s+%s", (int)(offset - c->name < 90 ? offset - c->name : 90), c->name, offset + strlen("+0x"));
        else if (c->name)
            snprintf(site, sizeof site, "%s", c->name);
        else
            snprintf(site, sizeof site, "0x%" PRIx64, c->site);
        double frag = c->allocated ? 100.0 - 100.0 * (double)c->requested / (double)c->allocated : 0; /* as perf computes it */
        fprintf(f, " %-34s | %9" PRIu64 "/%-5" PRIu64 " | %9" PRIu64 "/%-5" PRIu64 " | %8" PRIu64 " | %9" PRIu64 " | %6.3f%%\n",
                site, c->allocated, c->allocated / c->hits, c->requested, c->requested / c->hits, c->hits, c->pingpong, frag);
    }
    fprintf(f, "%s\n", rule);
}

/* ---- records ------------------------------------------------------------------------------------------------------------ */

static uint64_t word(const struct trace_rec *r, unsigned i)
{
    const union trace_slot *s = (const union trace_slot *)(r + 1);
    return i / 2 < r->slots ? s[i / 2].u[i % 2] : 0;
}

static void called(struct objects *o, const struct slab_event *e, unsigned cpu)
{
    struct caller *c = caller_of(o, e->call_site);
    struct place *p;
    c->hits++;
    c->requested += e->size;
    c->allocated += e->slot ? e->slot : e->size;
    HASH_FIND(hh, o->places, &e->pointer, sizeof e->pointer, p);
    if (!p) {
        p = calloc(1, sizeof *p);
        if (!p)
            abort(); /* as the callers' own table */
        p->pointer = e->pointer;
        HASH_ADD(hh, o->places, pointer, sizeof p->pointer, p);
    }
    p->caller = c;
    p->cpu = cpu;
}

/* Freed on another CPU than it was allocated on; also a second free, as perf counts them. */
static void given_back(struct objects *o, uint64_t pointer, unsigned cpu)
{
    struct place *p;
    HASH_FIND(hh, o->places, &pointer, sizeof pointer, p);
    if (!p)
        return;
    p->caller->pingpong += p->cpu != cpu;
    p->cpu = -1;
}

void objects_event(struct objects *o, const struct trace_rec *r, uint64_t record, unsigned cpu, uint64_t ns)
{
    unsigned cpus = slab_cpus(o->slab), recorded_cpu = cpu;
    struct record_call call;
    if (r->kind == TRACE_PAGE_ALLOC) {
        uint64_t gfp = word(r, 0);
        o->st.page_allocs_left_out++;
        o->st.slab_like += gfp & __GFP_COMP && !(gfp & (__GFP_MOVABLE | __GFP_HARDWALL | __GFP_HIGHMEM));
        return;
    }
    if (r->kind == TRACE_PAGE_FREE)
        o->st.page_frees_left_out++;
    if (!record_call(&call, r))
        return;
    if (cpu >= cpus) {
        o->st.foreign_cpus++;
        cpu = cpus - 1;
    }
    call.e.cpu = cpu;
    call.e.record = record;
    slab_set_time(o->slab, ns * PS_A_NS);
    frames_tick(o->map, ns * PS_A_NS);
    if (call.call == SLAB_CALL_MEMPOOL_ALLOC)
        call.e.size = slab_calls_element(o->calls, call.pool);
    if (record_call_asks(call.call))
        called(o, &call.e, recorded_cpu);
    else if (record_call_gives(call.call))
        given_back(o, call.e.pointer, recorded_cpu);
    record_call_play(o->calls, &call, ns);
}
