#include "replay/objects.h"

#include "replay/calls/callers.h"
#include "replay/calls/record_call.h"
#include "traces/input.h"

#include <stdlib.h>
#include <string.h>

struct objects {
    struct frame_map *map;
    struct slab_sys *slab;
    struct slab_replay *replay;
    struct slab_calls *calls;
    struct callers *callers;
    struct compaction *compaction; /* NULL: none, or somebody else's */
    bool daemons;
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
    o->callers = callers_new();
    if (!o->callers) {
        objects_free(o);
        return err_set(err, ERR_RUN, "out of memory");
    }
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
    callers_free(o->callers);
    slab_calls_free(o->calls);
    slab_replay_free(o->replay);
    slab_sys_free(o->slab);
    if (o->compaction)
        o->map->hooks = (struct frames_hooks){0};
    compaction_free(o->compaction);
    frame_map_free(o->map);
    free(o);
}

int objects_compact(struct objects *o, const struct buddy_config *b, struct err *err)
{
    struct compact_config c = compact_config_of(b);
    if (!b->compaction)
        return 0;
    if (compaction_new(&o->compaction, o->map, &c, err) < 0)
        return -1;
    compaction_attach(o->compaction);
    o->daemons = b->kcompactd;
    if (o->daemons)
        compact_background_attach(o->compaction, 0);
    return 0;
}

struct compaction *objects_compaction(const struct objects *o) { return o->compaction; }

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

void objects_site(struct objects *o, const struct trace_rec *r)
{
    size_t len = 0;
    const char *text = trace_rec_string(r, &len);
    callers_name(o->callers, r->addr, text, len);
}

void objects_print_callers(const struct objects *o, FILE *f) { callers_print(o->callers, f); }

/* ---- records ------------------------------------------------------------------------------------------------------------ */

static uint64_t word(const struct trace_rec *r, unsigned i)
{
    const union trace_slot *s = (const union trace_slot *)(r + 1);
    return i / 2 < r->slots ? s[i / 2].u[i % 2] : 0;
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
    if (o->daemons && (compact_background_wanted(o->compaction) || ns * PS_A_NS >= compact_background_due(o->compaction))) {
        compact_background(o->compaction, ns * PS_A_NS);
        compact_take_cost(o->compaction); /* nobody waits for it */
    }
    if (call.call == SLAB_CALL_MEMPOOL_ALLOC)
        call.e.size = slab_calls_element(o->calls, call.pool);
    if (record_call_asks(call.call))
        callers_alloc(o->callers, call.e.call_site, call.e.pointer, call.e.size, call.e.slot ? call.e.slot : call.e.size, recorded_cpu);
    else if (record_call_gives(call.call))
        callers_given_back(o->callers, call.e.pointer, recorded_cpu);
    record_call_play(o->calls, &call, ns);
}
