#include "frames/rmap.h"
#include "vm/gigantic.h"
#include "vm/pgtable.h"

#include <inttypes.h>

struct tally {
    const struct vm *vm;
    uint32_t asid;
    uint64_t pages[PAGE_SIZE_COUNT], tables;
    uint64_t anon;            /* frames whose first mapping is one of this process's */
    uint64_t mappings, links; /* entries that map a block; mappings that the blocks of those frames have */
    struct err *err;
};

static int wrong(struct tally *t, const char *what, pfn_t pfn, uint64_t va)
{
    return err_set(t->err, ERR_RUN, "process %u, address 0x%" PRIx64 ", frame 0x%" PRIx64 ": %s", t->asid, va, pfn.v,
                   what);
}

/* One block of frames that backs (part of) a page. */
static int check_block(struct tally *t, pfn_t pfn, unsigned order, uint64_t va, bool writable)
{
    const struct frame_map *m = t->vm->frames;
    if (pfn.v >= m->n_frames)
        return wrong(t, "an entry points beyond memory", pfn, va);
    const struct frame *f = frame_at(m, pfn);
    if (f->state != FRAME_ALLOCATED || f->order != order)
        return wrong(t, "an entry points to frames that are not one allocated block of its size", pfn, va);
    if (f->tag != FRAME_TAG_ANON || f->mapcount == 0)
        return wrong(t, "an entry points to a block that is in other use", pfn, va);
    if (!rmap_has(m, pfn, t->asid, va >> PAGE_SHIFT))
        return wrong(t, "an entry points to a block that another address owns", pfn, va);
    if (writable && f->mapcount > 1 && !va_shared(t->vm, t->asid, va))
        return wrong(t, "an entry lets a page be written that others share", pfn, va);
    t->mappings++;
    if (f->asid == t->asid && f->vpn == va >> PAGE_SHIFT) {
        t->anon += 1ull << order;
        t->links += f->mapcount;
    }
    return 0;
}

static int check_leaf(struct tally *t, uint64_t entry, unsigned level, uint64_t va)
{
    enum page_size size = (enum page_size)(level - 1);
    if ((unsigned)size >= PAGE_SIZE_COUNT)
        return wrong(t, "an entry maps a page at a level that has none", pa_to_pfn(pte_table((pte_t){entry})), va);
    pfn_t pfn = pa_to_pfn(pte_page((pte_t){entry}, size));
    t->pages[size]++;
    if (size != PAGE_SIZE_1G)
        return check_block(t, pfn, size == PAGE_SIZE_2M ? 9 : 0, va, entry & PTE_RW);
    for (uint64_t i = 0; i < GIGANTIC_BLOCKS; i++)
        if (check_block(t, (pfn_t){pfn.v + (i << GIGANTIC_BLOCK_ORDER)}, GIGANTIC_BLOCK_ORDER, va + (i << 21), entry & PTE_RW) < 0)
            return -1;
    return 0;
}

static int check_table(struct tally *t, pfn_t table, unsigned level, uint64_t base)
{
    const struct vm *vm = t->vm;
    if (table.v >= vm->frames->n_frames)
        return wrong(t, "a pointer leads beyond memory", table, base);
    const struct frame *f = frame_at(vm->frames, table);
    t->tables++;
    if (f->state != FRAME_ALLOCATED || f->order != 0 || f->tag != FRAME_TAG_PGTABLE || f->mapcount != 1)
        return wrong(t, "a pointer leads to a frame that is no page table", table, base);
    if (f->asid != t->asid || f->private != level || f->vpn != table_vpn(vm, (va_t){base}, level))
        return wrong(t, "a pointer leads to a page table of another place", table, base);
    for (uint64_t i = 0; i < PT_ENTRIES; i++) {
        uint64_t entry = pt_read(vm, (pa_t){pfn_to_pa(table).v + PTE_BYTES * i});
        uint64_t va = table_entry_va(vm, base, level, i);
        if (!(entry & PTE_P))
            continue;
        int r = pte_is_leaf((pte_t){entry}, level) ? check_leaf(t, entry, level, va)
                                                   : check_table(t, pa_to_pfn(pte_table((pte_t){entry})), level - 1, va);
        if (r < 0)
            return -1;
    }
    return 0;
}

static int check_vmas(const struct vma_set *s, uint32_t asid, struct err *err)
{
    for (uint32_t i = 0; i < s->n; i++)
        if (s->v[i].start >= s->v[i].end || ((s->v[i].start | s->v[i].end) & (PAGE_BYTES - 1)) ||
            (i > 0 && s->v[i - 1].end > s->v[i].start))
            return err_set(err, ERR_RUN, "process %u: mapping %u is empty, unaligned or overlaps", asid, i);
    return 0;
}

int vm_check(const struct vm *vm, struct err *err)
{
    uint64_t anon = 0, tables = vm->kernel_tables, mappings = 0, links = 0;
    for (uint32_t asid = 0; asid < vm->n_process; asid++) {
        const struct vm_process *p = &vm->process[asid];
        struct tally t = {.vm = vm, .asid = asid, .err = err};
        if (!vm_process_alive(vm, asid))
            continue;
        if (check_table(&t, p->root, vm->paging.levels, 0) < 0 || check_vmas(&p->vmas, asid, err) < 0)
            return -1;
        for (unsigned s = 0; s < PAGE_SIZE_COUNT; s++)
            if (t.pages[s] != p->pages[s])
                return err_set(err, ERR_RUN, "process %u: %" PRIu64 " pages of 2^%u bytes are mapped, %" PRIu64 " counted",
                               asid, t.pages[s], page_size_shift((enum page_size)s), p->pages[s]);
        if (t.tables != p->tables)
            return err_set(err, ERR_RUN, "process %u: %" PRIu64 " page tables exist, %" PRIu64 " counted", asid, t.tables,
                           p->tables);
        anon += t.anon;
        tables += t.tables;
        mappings += t.mappings;
        links += t.links;
    }
    if (mappings != links)
        return err_set(err, ERR_RUN, "%" PRIu64 " entries map blocks, which are mapped %" PRIu64 " times", mappings, links);
    if (vm->frames->tag_pages[FRAME_TAG_ANON] != anon || vm->frames->tag_pages[FRAME_TAG_PGTABLE] != tables)
        return err_set(err, ERR_RUN,
                       "%" PRIu64 " anonymous frames and %" PRIu64 " page tables are allocated, %" PRIu64 " and %" PRIu64
                       " in use: frames leaked",
                       vm->frames->tag_pages[FRAME_TAG_ANON], vm->frames->tag_pages[FRAME_TAG_PGTABLE], anon, tables);
    return 0;
}
