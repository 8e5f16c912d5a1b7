/* Section 7, compaction: what it moved, as steps of the core that asked, and the time that other cores lose. */
#include "oracle_priv.h"

#include "frames/ageing/ageing.h"

#include <stdlib.h>

struct o_move {
    uint64_t from, to, pages, entry;
    uint32_t asid;
};

static void on_drop(void *self, uint32_t asid, va_t va, enum page_size size, pa_t entry)
{
    struct world *w = self;
    (void)va;
    (void)size;
    w->entry = entry.v;
    w->entry_asid = asid;
}

static void on_copied(void *self, pfn_t from, pfn_t to, uint64_t pages)
{
    struct world *w = self;
    struct o_move *m = o_arena(w, sizeof *m);
    *m = (struct o_move){.from = pfn_to_pa(from).v, .to = pfn_to_pa(to).v, .pages = pages, .entry = w->entry, .asid = w->entry_asid};
    o_list_push(&w->round, m);
    w->entry = 0;
}

static void entries(struct world *w)
{
    for (size_t i = 0; i < w->round.n; i++) {
        const struct o_move *m = w->round.v[i];
        if (m->entry)
            o_step(&w->gathered, STEP_WRITE, m->entry, 0);
    }
}

/* Does core k run a process that lost an entry in this round? */
static bool hit(const struct world *w, uint32_t k)
{
    const struct ocore *c = &w->core[k];
    if (!c->s || c->s->n == 0 || c->state == CORE_DONE || c->dead)
        return false;
    for (size_t i = 0; i < w->round.n; i++) {
        const struct o_move *m = w->round.v[i];
        if (m->entry && m->asid == c->asid)
            return true;
    }
    return false;
}

static void on_batch(void *self, uint64_t scanned)
{
    struct world *w = self;
    const struct vm_config *v = &w->m->vm;
    uint64_t software = scanned * w->m->buddy.compact_scan_cycles + w->round.n * w->m->buddy.migrate_cycles, others = 0;
    bool any = false;
    if (software)
        o_step(&w->gathered, STEP_WAIT, 0, software);
    entries(w);
    for (size_t i = 0; i < w->round.n; i++) {
        const struct o_move *m = w->round.v[i];
        if (m->entry) {
            o_drop_all(w, m->asid);
            any = true;
        }
    }
    for (uint32_t k = 0; k < w->n; k++)
        if (k != w->frames->cpu && hit(w, k)) {
            w->lost[k] += v->ipi_handler_cycles + v->tlb_flush_cycles;
            others++;
        }
    uint64_t flush = v->tlb_flush_cycles;
    if (others)
        flush += others * v->ipi_send_cycles + v->ipi_deliver_cycles + v->ipi_handler_cycles;
    if (any && flush)
        o_step(&w->gathered, STEP_WAIT, 0, flush);
    for (size_t i = 0; i < w->round.n; i++) {
        const struct o_move *m = w->round.v[i];
        for (uint64_t at = 0; at < m->pages * PAGE_BYTES; at += LINE_BYTES) {
            o_step(&w->gathered, STEP_READ, m->from + at, 0);
            o_step(&w->gathered, STEP_WRITE, m->to + at, 0);
        }
        if (m->entry)
            o_step(&w->gathered, STEP_WRITE, m->entry, 0);
    }
    w->round.n = 0;
}

void o_compact_discard(struct world *w)
{
    if (!w->compaction)
        return;
    compact_take_cost(w->compaction);
    w->gathered.n = 0;
    for (uint32_t k = 0; k < w->n; k++)
        w->lost[k] = 0;
}

void o_compact_pay(struct world *w, struct ocore *c)
{
    if (!w->compaction)
        return;
    uint64_t rest = compact_take_cost(w->compaction).scanned * w->m->buddy.compact_scan_cycles;
    if (rest)
        o_step(&w->gathered, STEP_WAIT, 0, rest);
    for (size_t i = 0; i < w->gathered.n; i++)
        o_step(&c->steps, w->gathered.v[i].kind, w->gathered.v[i].pa, w->gathered.v[i].value);
    w->gathered.n = 0;
    for (uint32_t k = 0; k < w->n; k++) {
        struct ocore *x = &w->core[k];
        if (w->lost[k])
            x->stall = (x->stall > w->cycle ? x->stall : w->cycle) + w->lost[k];
        w->lost[k] = 0;
    }
}

int o_compact_init(struct world *w, struct err *err)
{
    struct compact_config c;
    struct ageing_report aged;
    if (w->m->buddy.compaction) {
        compact_config_defaults(&c);
        c.extfrag_threshold = w->m->buddy.extfrag_threshold;
        c.proactiveness = w->m->buddy.compaction_proactiveness;
        c.interval_ps = w->m->buddy.compaction_interval_ps;
        w->lost = calloc(w->n, sizeof *w->lost);
        if (!w->lost)
            abort();
        if (compaction_new(&w->compaction, w->frames, &c, err) < 0)
            return -1;
        w->mover = (struct vm_mover){.vm = w->vm, .drop = {.self = w, .page = on_drop}, .alone = true, .self = w, .copied = on_copied, .batch = on_batch};
        w->compaction->owner = vm_owner(&w->mover);
        compaction_attach(w->compaction);
        o_daemon_init(w);
    }
    if (w->m->memory.ageing.recipe == AGEING_NONE)
        return 0;
    return frames_age(w->frames, &w->m->memory.ageing, w->m->sim.seed, &aged, err);
}

void o_compact_fini(struct world *w)
{
    if (w->frames)
        w->frames->hooks = (struct frames_hooks){0};
    compaction_free(w->compaction);
    o_list_fini(&w->round);
    free(w->gathered.v);
    free(w->lost);
    free(w->node);
}
