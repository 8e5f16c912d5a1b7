#include "vm/migrate.h"

#include "vm/pgtable.h"

/* The leaf that maps `vpn` and names frame `pfn` as a page of 2^order frames; pa 0: there is none. */
static pa_t leaf_of(const struct vm *vm, uint32_t asid, uint64_t vpn, pfn_t pfn, unsigned order)
{
    if (!vm_process_alive(vm, asid))
        return (pa_t){0};
    va_t va = {vpn << PAGE_SHIFT};
    pa_t table = pfn_to_pa(vm->process[asid].root);
    for (unsigned level = vm->paging.levels; level > 0; level--) {
        pa_t at = pt_entry_pa(table, va, level);
        pte_t entry = {pt_read(vm, at)};
        if (!(entry.v & PTE_P))
            return (pa_t){0};
        if (pte_is_leaf(entry, level)) {
            enum page_size size = (enum page_size)(level - 1);
            bool same = page_size_shift(size) == PAGE_SHIFT + order && pte_page(entry, size).v == pfn_to_pa(pfn).v;
            return same ? at : (pa_t){0};
        }
        table = pte_table(entry);
    }
    return (pa_t){0};
}

static bool move(void *self, pfn_t from, pfn_t to, unsigned order, struct compact_cost *cost)
{
    struct vm_mover *m = self;
    const struct frame *f = frame_at(m->vm->frames, to);
    if (f->tag == FRAME_TAG_BALLAST) { /* of an aged machine: in no table */
        if (m->copied)
            m->copied(m->self, from, to, 1ull << order);
        return true;
    }
    if (f->mapcount != 1) /* kept in reserve for 1 GiB pages, or shared */
        return false;
    pa_t at = leaf_of(m->vm, f->asid, f->vpn, from, order);
    if (!at.v)
        return false;
    uint64_t entry = pt_read(m->vm, at);
    pt_write(m->vm, at, entry ^ pfn_to_pa(from).v ^ pfn_to_pa(to).v); /* rights, accessed and dirty stay */
    if (m->drop.page)
        m->drop.page(m->drop.self, f->asid, (va_t){f->vpn << PAGE_SHIFT}, order ? PAGE_SIZE_2M : PAGE_SIZE_4K, at);
    if (m->copied)
        m->copied(m->self, from, to, 1ull << order);
    cost->pte_stores++;
    cost->invalidations++;
    return true;
}

static void batch(void *self, uint64_t scanned)
{
    const struct vm_mover *m = self;
    if (m->batch)
        m->batch(m->self, scanned);
}

struct compact_owner vm_owner(struct vm_mover *mover)
{
    return (struct compact_owner){.self = mover, .move = move, .batch = batch};
}
