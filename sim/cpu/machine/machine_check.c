/* What holds at the end of every run, and what sim.checks adds: contents of TLBs, inclusion, owners of frames. */
#include "cpu/machine/machine_internal.h"

static int check_core(struct machine *m, struct core *c, struct err *err)
{
    struct pt_memory pt = vm_pt_memory(m->vm);
    pt.set_bits = NULL;
    for (uint32_t p = 0; p < m->n_process; p++) {
        uint32_t asid = m->process[p].asid;
        if (asid == VM_ASID_NONE)
            continue;
        struct paging_root root = vm_root(m->vm, asid);
        if (tlb_check(&c->itlb, asid, &root, &pt, err) < 0 || tlb_check(&c->dtlb, asid, &root, &pt, err) < 0 ||
            tlb_check(&c->stlb, asid, &root, &pt, err) < 0 || psc_check(&c->psc, asid, &root, &pt, err) < 0)
            return -1;
    }
    return 0;
}

/* Lines of the private caches: in the L2 if in an L1, in the LLC with the directory knowing, if in the L2. */
static int check_lines(struct machine *m, struct core *c, struct err *err)
{
    if (!m->cfg.cache.coherence || !m->cfg.cache.llc_inclusive || !c->has_l2)
        return 0;
    const struct assoc *l1[2] = {&c->l1i.tags, &c->l1d.tags};
    for (int i = 0; i < 2; i++)
        for (uint32_t e = 0; e < l1[i]->sets * l1[i]->ways; e++)
            if (l1[i]->key[e] != ASSOC_EMPTY && assoc_probe(&c->l2.tags, l1[i]->key[e]) == ASSOC_NONE)
                return err_set(err, ERR_RUN, "check: line 0x%llx is in cpu%u's %s but not in its L2",
                               (unsigned long long)l1[i]->key[e] << LINE_SHIFT, c->id, i ? "L1D" : "L1I");
    for (uint32_t e = 0; e < c->l2.tags.sets * c->l2.tags.ways; e++)
        if (c->l2.tags.key[e] != ASSOC_EMPTY &&
            !memsys_holds(m->memsys, c->id, c->l2.tags.key[e], (enum line_state)c->l2.flags[e]))
            return err_set(err, ERR_RUN, "check: line 0x%llx is in cpu%u's L2 in state %u without the directory knowing",
                           (unsigned long long)c->l2.tags.key[e] << LINE_SHIFT, c->id, c->l2.flags[e]);
    return 0;
}

int machine_check(struct machine *m, struct err *err)
{
    const struct frame_map *f = m->frames;
    uint64_t free_pages = frames_free_pages(f), listed = frames_pcp_pages(f), used = frames_allocated_pages(f);
    if (free_pages + listed + used != f->managed)
        return err_set(err, ERR_RUN, "conservation: %llu free + %llu per-CPU + %llu allocated frames are not %llu "
                                     "managed ones", (unsigned long long)free_pages, (unsigned long long)listed,
                       (unsigned long long)used, (unsigned long long)f->managed);
    if (!m->cfg.sim.checks)
        return 0;
    if (m->calls)
        m->vm->kernel_tables = slab_vmalloc_stats(slab_calls_vmalloc(m->calls))->table_pages;
    /* While a handler's stores are under way, tables are allocated that no entry points to yet. */
    if (frames_check(f, err) < 0 || (!m->os_locked && vm_check(m->vm, err) < 0))
        return -1;
    if (m->compaction && compaction_check(m->compaction, err) < 0)
        return -1;
    if (m->has_objects && slab_check(m->slab, err) < 0)
        return -1;
    for (unsigned k = 0; k < m->cores; k++)
        if ((m->cfg.mmu.enabled && check_core(m, &m->core[k], err) < 0) || hot_check(&m->core[k], err) < 0 || check_lines(m, &m->core[k], err) < 0)
            return -1;
    return 0;
}
