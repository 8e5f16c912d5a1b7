/*
 * Compaction in the machine: the slow path of a frame allocation moves frames of processes. Functional mode: entries change and
 * translations go at once, the copies pass the caches of the core that asked.
 */
#include "cpu/functional.h"
#include "cpu/machine/machine_internal.h"

static void copied(void *self, pfn_t from, pfn_t to, uint64_t pages)
{
    struct machine *m = self;
    functional_copy(&m->core[m->frames->cpu], from, to, pages);
}

int machine_compact_build(struct machine *m, void (*drop)(void *self, uint32_t asid, va_t va, enum page_size size, pa_t entry),
                          struct err *err)
{
    struct compact_config c;
    if (!m->cfg.buddy.compaction)
        return 0;
    compact_config_defaults(&c);
    c.extfrag_threshold = m->cfg.buddy.extfrag_threshold;
    if (compaction_new(&m->compaction, m->frames, &c, err) < 0)
        return -1;
    m->mover = (struct vm_mover){.vm = m->vm, .drop = {.self = m, .page = drop}, .self = m, .copied = copied};
    m->compaction->owner = vm_owner(&m->mover);
    compaction_attach(m->compaction);
    compaction_add_stats(m->compaction, m->stats);
    return 0;
}
