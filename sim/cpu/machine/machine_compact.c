/*
 * Compaction in the machine (docs/model/compaction.md). Frames of processes move at one instant, in time a global action: books,
 * entries and the translations of all cores change at once. What that costs is a list of operations, gathered here round by round
 * as migrate_pages_batch goes; the core that asked performs them through its caches, at once or one after the other (os.c).
 */
#include "cpu/functional.h"
#include "cpu/machine/machine_internal.h"
#include "engine/grow.h"

#include <stdlib.h>

struct compact_moved {
    pfn_t from, to;
    uint64_t pages;
    uint32_t entries; /* of compact_work's: up to here they are this block's, or of one before */
};
struct compact_entry {
    pa_t at;
    uint32_t asid;
};

/* ---- gathering ---------------------------------------------------------------------------------------------------------- */

void os_list_add(struct os_list *l, enum os_op_kind kind, pa_t pa, uint64_t value, uint32_t repeat)
{
    if (l->n == l->cap)
        l->run = grow_array(l->run, &l->cap, 256, sizeof *l->run);
    l->run[l->n++] = (struct os_run){.op = {.pa = pa, .value = value, .kind = kind}, .repeat = repeat};
}

static void add_wait(struct os_list *l, cyc_t cycles)
{
    if (cycles)
        os_list_add(l, OS_WAIT, (pa_t){0}, cycles, 1);
}

static void changed(void *self, uint32_t asid, va_t va, enum page_size size, pa_t entry)
{
    struct compact_work *w = &((struct machine *)self)->compact;
    (void)va;
    (void)size; /* a round's end flushes whole address spaces, as the kernel's batched flush does */
    if (w->n_entries == w->cap_entries)
        w->entry = grow_array(w->entry, &w->cap_entries, 64, sizeof *w->entry);
    w->entry[w->n_entries++] = (struct compact_entry){.at = entry, .asid = asid};
}

static void copied(void *self, pfn_t from, pfn_t to, uint64_t pages)
{
    struct compact_work *w = &((struct machine *)self)->compact;
    if (w->n_moved == w->cap_moved)
        w->moved = grow_array(w->moved, &w->cap_moved, 64, sizeof *w->moved);
    w->moved[w->n_moved++] = (struct compact_moved){.from = from, .to = to, .pages = pages, .entries = w->n_entries};
}

static bool concerned(const struct compact_work *w, uint32_t n, uint32_t asid)
{
    for (uint32_t i = 0; i < n; i++)
        if (w->entry[i].asid == asid)
            return true;
    return false;
}

/* Every core forgets the address spaces of which an entry changed; those that run one are interrupted. Cycles of who asks. */
static cyc_t flush(struct machine *m)
{
    const struct vm_config *v = &m->cfg.vm;
    struct compact_work *w = &m->compact;
    unsigned targets = 0;
    if (!w->n_entries)
        return 0;
    for (uint32_t i = 0; i < w->n_entries; i++)
        if (!concerned(w, i, w->entry[i].asid))
            machine_forget_asid(m, w->entry[i].asid);
    for (unsigned k = 0; k < m->cores; k++) {
        const struct core *c = &m->core[k];
        if (k == m->frames->cpu || !c->has_thread || c->process_dead || c->finished || !concerned(w, w->n_entries, c->asid))
            continue;
        w->stall[k] += (cyc_t)v->ipi_handler_cycles + v->tlb_flush_cycles;
        targets++;
    }
    if (!targets)
        return v->tlb_flush_cycles;
    return (cyc_t)targets * v->ipi_send_cycles + v->ipi_deliver_cycles + v->ipi_handler_cycles + v->tlb_flush_cycles;
}

/* One round: entries are taken away, one flush, then each page is copied and its entry put back. */
static void round_moved(void *self, uint64_t scanned)
{
    struct machine *m = self;
    struct compact_work *w = &m->compact;
    add_wait(&w->list, scanned * m->cfg.buddy.compact_scan_cycles + (cyc_t)w->n_moved * m->cfg.buddy.migrate_cycles);
    for (uint32_t i = 0; i < w->n_entries; i++)
        os_list_add(&w->list, OS_TOUCH_PTE, w->entry[i].at, 0, 1);
    add_wait(&w->list, flush(m));
    for (uint32_t i = 0, e = 0; i < w->n_moved; i++) {
        const struct compact_moved *x = &w->moved[i];
        os_list_add(&w->list, OS_COPY_PAGE, pfn_to_pa(x->from), pfn_to_pa(x->to).v, (uint32_t)x->pages);
        for (; e < x->entries; e++)
            os_list_add(&w->list, OS_TOUCH_PTE, w->entry[e].at, 0, 1);
    }
    w->n_entries = 0;
    w->n_moved = 0;
}

/* ---- performing --------------------------------------------------------------------------------------------------------- */

void machine_compact_discard(struct machine *m)
{
    if (!m->compaction)
        return;
    compact_take_cost(m->compaction);
    m->compact.list.n = 0;
    for (unsigned k = 0; k < m->cores; k++)
        m->compact.stall[k] = 0;
}

void machine_compact_pay(struct machine *m, struct core *c)
{
    struct compact_work *w = &m->compact;
    if (!m->compaction)
        return;
    add_wait(&w->list, compact_take_cost(m->compaction).scanned * m->cfg.buddy.compact_scan_cycles);
    if (!c->timed) {
        functional_perform(c, w->list.run, w->list.n);
        machine_compact_discard(m);
        return;
    }
    struct os_list given = w->list;
    w->list = c->work;
    w->list.n = 0;
    c->work = given;
    for (unsigned k = 0; k < m->cores; k++) {
        struct core *x = &m->core[k];
        if (w->stall[k])
            x->stall = (x->stall > m->action_cycle ? x->stall : m->action_cycle) + w->stall[k];
        w->stall[k] = 0;
    }
}

/* ---- construction ------------------------------------------------------------------------------------------------------- */

int machine_compact_build(struct machine *m, struct err *err)
{
    struct compact_config c = compact_config_of(&m->cfg.buddy);
    if (!m->cfg.buddy.compaction)
        return 0;
    m->compact.stall = calloc(m->cores, sizeof *m->compact.stall);
    if (!m->compact.stall)
        return err_set(err, ERR_RUN, "out of host memory for %u cores", m->cores);
    if (compaction_new(&m->compaction, m->frames, &c, err) < 0)
        return -1;
    m->mover = (struct vm_mover){.vm = m->vm, .drop = {.self = m, .page = changed}, .alone = true, .self = m, .copied = copied, .batch = round_moved};
    m->compaction->owner = vm_owner(&m->mover);
    compaction_attach(m->compaction);
    if (m->cfg.buddy.kcompactd)
        compact_background_attach(m->compaction, 0);
    compaction_add_stats(m->compaction, m->stats);
    return 0;
}

void machine_compact_free(struct machine *m)
{
    compaction_free(m->compaction);
    free(m->compact.list.run);
    free(m->compact.moved);
    free(m->compact.entry);
    free(m->compact.stall);
}
