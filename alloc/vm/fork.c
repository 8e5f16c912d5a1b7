/*
 * Pages that several processes map: fork shares them (linux-mm 8.5), a large one is split wherever it is mapped. A private page that
 * is shared may be written by nobody; fault.c copies it for the one who tries, or lets the last one have it.
 */
#include "frames/rmap.h"
#include "vm/gigantic.h"
#include "vm/pgtable.h"

#include <assert.h>
#include <stdlib.h>

bool va_shared(const struct vm *vm, uint32_t asid, uint64_t va)
{
    const struct vma *v = vma_find(&vm->process[asid].vmas, va);
    return v && v->start <= va && (v->flags & VMA_SHARED);
}

pa_t pgtable_leaf(const struct vm *vm, uint32_t asid, va_t va, pfn_t pfn, enum page_size size)
{
    if (!vm_process_alive(vm, asid))
        return (pa_t){0};
    pa_t table = pfn_to_pa(vm->process[asid].root);
    for (unsigned level = vm->paging.levels; level > 0; level--) {
        pa_t at = pt_entry_pa(table, va, level);
        pte_t entry = {pt_read(vm, at)};
        if (!(entry.v & PTE_P))
            return (pa_t){0};
        if (pte_is_leaf(entry, level)) {
            bool same = (enum page_size)(level - 1) == size && pte_page(entry, size).v == pfn_to_pa(pfn).v;
            return same ? at : (pa_t){0};
        }
        table = pte_table(entry);
    }
    return (pa_t){0};
}

/* ---- fork ---- */

struct copy {
    struct vm *vm;
    uint32_t parent, child;
};

/* The child maps the page of the parent's entry, too. False: no host memory. */
static bool share_page(struct copy *c, pa_t from, pa_t to, uint64_t va, unsigned level)
{
    enum page_size size = (enum page_size)(level - 1);
    uint64_t *const mapped[] = {&c->vm->st.mapped_4k, &c->vm->st.mapped_2m, &c->vm->st.mapped_1g};
    uint64_t entry = pt_read(c->vm, from), drop = PTE_A; /* nobody has used it in the child (pte_mkold) */
    pfn_t pfn = pa_to_pfn(pte_page((pte_t){entry}, size));
    uint64_t done = 0, n = page_blocks(size), vpn = va >> PAGE_SHIFT;
    while (done < n && rmap_add(c->vm->frames, (pfn_t){pfn.v + (done << GIGANTIC_BLOCK_ORDER)}, c->child,
                                vpn + (done << GIGANTIC_BLOCK_ORDER)))
        done++;
    if (done < n) {
        while (done--)
            rmap_del(c->vm->frames, (pfn_t){pfn.v + (done << GIGANTIC_BLOCK_ORDER)}, c->child,
                     vpn + (done << GIGANTIC_BLOCK_ORDER));
        return false;
    }
    if (va_shared(c->vm, c->parent, va)) {
        drop |= PTE_D; /* the page is dirty by the parent's entry (pte_mkclean) */
    } else if (entry & PTE_RW) {
        entry &= ~PTE_RW;
        pt_write(c->vm, from, entry);
    }
    pt_write(c->vm, to, entry & ~drop);
    c->vm->process[c->child].pages[size]++;
    (*mapped[size])++;
    c->vm->st.fork_pages += page_size_bytes(size) >> PAGE_SHIFT;
    return true;
}

/* What the parent's table maps; the child's, empty, has entries of the same level. False: no frame, or no host memory. */
static bool share_table(struct copy *c, pa_t from, pa_t to, unsigned level, uint64_t base)
{
    uint64_t n = level == c->vm->paging.levels ? PT_ENTRIES / 2 : PT_ENTRIES; /* the kernel's half is no process's */
    for (uint64_t i = 0; i < n; i++) {
        pa_t at = {from.v + PTE_BYTES * i}, into = {to.v + PTE_BYTES * i};
        pte_t entry = {pt_read(c->vm, at)};
        uint64_t va = base + (i << level_shift(level));
        if (!(entry.v & PTE_P))
            continue;
        if (pte_is_leaf(entry, level)) {
            if (!share_page(c, at, into, va, level))
                return false;
            continue;
        }
        pfn_t t = table_alloc(c->vm, c->child, (va_t){va}, level - 1, GFP_PGTABLE_USER);
        if (pfn_is_none(t))
            return false;
        pt_write(c->vm, into, pte_make_table(pfn_to_pa(t), TABLE_FLAGS).v);
        if (!share_table(c, pte_table(entry), pfn_to_pa(t), level - 1, va))
            return false;
    }
    return true;
}

uint32_t vm_fork(struct vm *vm, uint32_t parent)
{
    struct copy copy = {vm, parent, vm_process_new(vm)};
    if (copy.child == VM_ASID_NONE)
        return VM_ASID_NONE;
    struct vm_process *p = &vm->process[parent], *c = &vm->process[copy.child];
    if (!vma_copy(&c->vmas, &p->vmas) ||
        !share_table(&copy, pfn_to_pa(p->root), pfn_to_pa(c->root), vm->paging.levels, 0)) {
        vm_exit(vm, copy.child);
        return VM_ASID_NONE;
    }
    c->brk_start = p->brk_start;
    c->brk = p->brk;
    vm->st.forks++;
    return copy.child;
}

/* ---- large pages ---- */

struct mapping { uint32_t asid; uint64_t vpn; pfn_t table; };
struct mappings {
    struct mapping *of;
    uint64_t n;
};

static bool note(void *ctx, uint32_t asid, uint64_t vpn)
{
    struct mappings *m = ctx;
    m->of[m->n++] = (struct mapping){asid, vpn, PFN_NONE};
    return true;
}

/* Linux keeps a table in reserve for each large page, so that a split never fails: the reserves may be used. */
static bool get_tables(struct vm *vm, struct mappings *m, unsigned level)
{
    for (uint64_t i = 0; i < m->n; i++) {
        m->of[i].table = table_alloc(vm, m->of[i].asid, (va_t){m->of[i].vpn << PAGE_SHIFT}, level, GFP_PGTABLE_USER | __GFP_MEMALLOC);
        if (!pfn_is_none(m->of[i].table))
            continue;
        while (i--)
            table_free(vm, m->of[i].asid, m->of[i].table);
        return false;
    }
    return true;
}

/* The block of 2 MiB becomes 512, each mapped by all that map it. A 1 GiB page consists of blocks of 2 MiB already. */
static void split_block(struct vm *vm, pfn_t head, const struct mappings *m)
{
    for (uint64_t i = 1; i < m->n; i++)
        rmap_del(vm->frames, head, m->of[i].asid, m->of[i].vpn);
    frames_split(vm->frames, head, 9, 0); /* each inherits the owner that is left */
    for (uint64_t f = 0; f < PT_ENTRIES; f++)
        for (uint64_t i = 1; i < m->n; i++) {
            bool added = rmap_add(vm->frames, (pfn_t){head.v + f}, m->of[i].asid, m->of[i].vpn + f);
            assert(added); /* there are links: rmap_reserve */
            (void)added;
        }
}

static void split_mapping(struct vm *vm, const struct mapping *m, pa_t base, enum page_size size, const struct vm_shootdown *sd)
{
    enum page_size small = (enum page_size)(size - 1);
    va_t va = {m->vpn << PAGE_SHIFT};
    pa_t entry_pa = pgtable_leaf(vm, m->asid, va, pa_to_pfn(base), size);
    assert(entry_pa.v);
    uint64_t old = pt_read(vm, entry_pa);
    uint64_t flags = old & (PTE_RW | PTE_US | PTE_A | PTE_D | PTE_G | PTE_XD | UINT64_C(15) << PTE_PK_SHIFT);
    for (unsigned i = 0; i < PT_ENTRIES; i++) {
        pa_t part = {base.v + i * page_size_bytes(small)};
        pt_write(vm, (pa_t){pfn_to_pa(m->table).v + PTE_BYTES * i}, pte_make_page(part, small, flags).v);
    }
    pt_write(vm, entry_pa, pte_make_table(pfn_to_pa(m->table), TABLE_FLAGS).v);
    vm->process[m->asid].pages[size]--;
    vm->process[m->asid].pages[small] += PT_ENTRIES;
    vm->st.huge_splits++;
    if (sd && sd->page)
        sd->page(sd->self, m->asid, va, size, entry_pa);
}

bool pages_split(struct vm *vm, pa_t base, enum page_size size, const struct vm_shootdown *sd)
{
    pfn_t head = pa_to_pfn(base);
    uint32_t n = page_mapcount(vm, head);
    struct mappings m = {.of = malloc(n * sizeof *m.of)};
    bool ok = m.of && n && rmap_each(vm->frames, head, note, &m) &&
              (size != PAGE_SIZE_2M || rmap_reserve(vm->frames, (m.n - 1) * PT_ENTRIES)) && get_tables(vm, &m, (unsigned)size);
    if (ok && size == PAGE_SIZE_2M)
        split_block(vm, head, &m);
    for (uint64_t i = 0; ok && i < m.n; i++)
        split_mapping(vm, &m.of[i], base, size, sd);
    free(m.of);
    return ok;
}

/* ---- what the answer of a fault asks for ---- */

static pa_t leaf_at(const struct vm *vm, uint32_t asid, va_t va, unsigned *level)
{
    pa_t table = pfn_to_pa(vm->process[asid].root);
    for (*level = vm->paging.levels; *level > 0; --*level) {
        pa_t at = pt_entry_pa(table, va, *level);
        pte_t entry = {pt_read(vm, at)};
        if (!(entry.v & PTE_P))
            break;
        if (pte_is_leaf(entry, *level))
            return at;
        table = pte_table(entry);
    }
    return (pa_t){0};
}

void vm_clear_entry(struct vm *vm, uint32_t asid, va_t va)
{
    unsigned level;
    pa_t at = leaf_at(vm, asid, va, &level);
    assert(at.v);
    pt_write(vm, at, 0);
}

void vm_split_page(struct vm *vm, uint32_t asid, va_t va, const struct vm_shootdown *sd)
{
    unsigned level;
    pa_t at = leaf_at(vm, asid, va, &level);
    assert(at.v && level > 1);
    enum page_size size = (enum page_size)(level - 1);
    uint64_t start = va.v & ~(page_size_bytes(size) - 1);
    if (!pages_split(vm, pte_page((pte_t){pt_read(vm, at)}, size), size, sd)) /* not even the reserves: as in pgtable.c */
        pgtable_zap(vm, asid, start, start + page_size_bytes(size), sd);
}
