#include "vm/migrate.h"

#include "frames/rmap.h"
#include "vm/pgtable.h"

static pa_t leaf_of(const struct vm *vm, uint32_t asid, uint64_t vpn, pfn_t pfn, unsigned order)
{
    return pgtable_leaf(vm, asid, (va_t){vpn << PAGE_SHIFT}, pfn, order ? PAGE_SIZE_2M : PAGE_SIZE_4K);
}

/* A block that moves, and the entries that name it. */
struct job { struct vm_mover *m; pfn_t from, to; unsigned order; struct compact_cost *cost; };

static bool has_entry(void *ctx, uint32_t asid, uint64_t vpn)
{
    const struct job *j = ctx;
    return leaf_of(j->m->vm, asid, vpn, j->from, j->order).v != 0;
}

static bool new_entry(void *ctx, uint32_t asid, uint64_t vpn)
{
    const struct job *j = ctx;
    struct vm_mover *m = j->m;
    pa_t at = leaf_of(m->vm, asid, vpn, j->from, j->order);
    uint64_t entry = pt_read(m->vm, at);
    pt_write(m->vm, at, entry ^ pfn_to_pa(j->from).v ^ pfn_to_pa(j->to).v); /* rights, accessed and dirty stay */
    if (m->drop.page)
        m->drop.page(m->drop.self, asid, (va_t){vpn << PAGE_SHIFT}, j->order ? PAGE_SIZE_2M : PAGE_SIZE_4K, at);
    j->cost->pte_stores++;
    j->cost->invalidations++;
    return true;
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
    struct job j = {m, from, to, order, cost};
    if (!f->mapcount || (m->alone && f->mapcount > 1) || !rmap_each(m->vm->frames, to, has_entry, &j)) /* kept in reserve for 1 GiB pages; part of one */
        return false;
    rmap_each(m->vm->frames, to, new_entry, &j);
    if (m->copied)
        m->copied(m->self, from, to, 1ull << order);
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
