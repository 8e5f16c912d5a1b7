/*
 * The kernel objects of the traces (kmalloc, kfree, cache_alloc, cache_free) played into the machine's slab allocator, over
 * the same frames as everything else. In time a record is a call: the core drains, the operating system's lock orders the
 * cores, the call lasts as long as its path costs. docs/model/slab.md
 */
#include "cpu/machine/machine_internal.h"

#include "traces/input.h"

#include <stdio.h>
#include <string.h>

static void on_finding(void *self, const struct slab_finding *f)
{
    struct machine *m = self;
    char kind[48];
    if (!m->hooks.event)
        return;
    snprintf(kind, sizeof kind, "slab_%s", slab_finding_name(f->kind));
    struct machine_event e = {.time = m->cfg.sim.mode == SIM_MODE_TIMED ? m->action_cycle * m->period : 0, .kind = kind,
                              .va = f->object.v, .slab = f};
    for (unsigned k = 0; k < m->cores; k++) {
        e.references += m->core[k].st.references;
        e.instructions += m->core[k].st.instructions;
    }
    m->hooks.event(m->hooks.self, &e);
}

int machine_slab_build(struct machine *m, struct err *err)
{
    if (slab_sys_new(&m->slab, &m->cfg.slab, m->frames, m->cores, m->cfg.sim.seed, err) < 0 ||
        slab_replay_new(&m->objects, m->slab, err) < 0)
        return -1;
    slab_on_finding(m->slab, on_finding, m);
    slab_add_stats(m->slab, m->stats);
    slab_replay_add_stats(m->objects, m->stats);
    return 0;
}

bool is_slab_record(const struct trace_rec *r)
{
    switch (r->kind) {
    case TRACE_KMALLOC:
    case TRACE_KFREE:
    case TRACE_CACHE_ALLOC:
    case TRACE_CACHE_FREE:
    case TRACE_CACHE_CREATE:
    case TRACE_CACHE_SHRINK:
    case TRACE_CACHE_DESTROY:
    case CORE_KIND_TOUCH:
        return true;
    default:
        return false;
    }
}

/* The record's number in its trace; the records in between are counted once. */
static uint64_t number_of(struct core *c, const struct trace_rec *r)
{
    while (c->counted < r) {
        c->counted += 1 + c->counted->slots;
        c->counted_record++;
    }
    return c->counted_record;
}

static uint64_t word(const struct trace_rec *r, unsigned i)
{
    const union trace_slot *s = (const union trace_slot *)(r + 1);
    return i / 2 < r->slots ? s[i / 2].u[i % 2] : 0;
}

static unsigned cache_flags(uint64_t w)
{
    static const struct { unsigned trace, slab; } bits[] = {
        {TRACE_CACHE_HWCACHE_ALIGN, SLAB_HWCACHE_ALIGN}, {TRACE_CACHE_RECLAIM_ACCOUNT, SLAB_RECLAIM_ACCOUNT},
        {TRACE_CACHE_DMA, SLAB_CACHE_DMA},               {TRACE_CACHE_DMA32, SLAB_CACHE_DMA32},
        {TRACE_CACHE_ACCOUNT, SLAB_ACCOUNT},             {TRACE_CACHE_TYPESAFE_BY_RCU, SLAB_TYPESAFE_BY_RCU},
        {TRACE_CACHE_NO_MERGE, SLAB_NO_MERGE},
    };
    unsigned flags = 0;
    for (size_t i = 0; i < ARRAY_LEN(bits); i++)
        flags |= w & bits[i].trace ? bits[i].slab : 0;
    return flags;
}

cyc_t machine_slab_record(struct machine *m, struct core *c, const struct trace_rec *r)
{
    struct slab_replay *o = m->objects;
    char name[SLAB_NAME] = "";
    size_t len = 0;
    const char *cache = r->kind == CORE_KIND_TOUCH ? "" : trace_rec_string(r, &len);
    snprintf(name, sizeof name, "%.*s", (int)(len < sizeof name ? len : sizeof name - 1), cache);
    if (!o || c->process_dead)
        return 0;
    bool kmalloc = r->kind == TRACE_KMALLOC || r->kind == TRACE_KFREE;
    struct slab_event e = {.record = number_of(c, r), .pointer = r->addr, .size = r->size, .cpu = c->id,
                           .cache = kmalloc ? NULL : name};
    m->has_objects = true;
    switch (r->kind) {
    case TRACE_CACHE_ALLOC:
    case TRACE_KMALLOC:
        e.slot = word(r, 0);
        e.gfp = (gfp_t)word(r, 1) | (r->flags & TRACE_F_ACCOUNTED ? (gfp_t)__GFP_ACCOUNT : 0);
        e.call_site = word(r, 2);
        if (slab_replay_alloc(o, &e).v == 0)
            return 0;
        break;
    case TRACE_CACHE_FREE:
    case TRACE_KFREE:
        e.call_site = word(r, 0);
        slab_replay_release(o, &e);
        break;
    case TRACE_CACHE_CREATE:
        e.call_site = word(r, 1);
        slab_replay_create(o, &e, &(struct kmem_cache_args){.name = name, .align = r->size, .flags = cache_flags(word(r, 0)),
                                                            .size = r->addr < UINT32_MAX ? (uint32_t)r->addr : 0,
                                                            .ctor = word(r, 0) & TRACE_CACHE_CTOR});
        return 0;
    case TRACE_CACHE_SHRINK:
    case TRACE_CACHE_DESTROY:
        e.call_site = r->addr;
        (r->kind == TRACE_CACHE_SHRINK ? slab_replay_shrink : slab_replay_destroy)(o, &e);
        return 0;
    default:
        slab_replay_touch(o, e.record, r->addr, r->size, r->flags & TRACE_F_WRITE);
        return 0;
    }
    return slab_last_op(m->slab).cycles;
}

void machine_slab_end(struct machine *m)
{
    const struct slab_config *c = &m->cfg.slab;
    if (!m->has_objects || m->objects_told)
        return;
    m->objects_told = true;
    if (c->red_zone || c->poison)
        slab_validate(m->slab);
    if (c->store_user) {
        slab_report_leaks(m->slab);
        slab_replay_report_caches(m->objects);
    }
    slab_stats(m->slab);
    slab_add_cache_stats(m->slab, m->stats);
}
