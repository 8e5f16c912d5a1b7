#include "vm/pgtable.h"

#include "frames/rmap.h"
#include "vm/gigantic.h"

#include <assert.h>
#include <stdlib.h>

static struct vm_process *proc(struct vm *vm, uint32_t asid) { return &vm->process[asid]; }

uint64_t table_vpn(const struct vm *vm, va_t va, unsigned level)
{
    return level == vm->paging.levels ? 0 : (va.v << 7 >> 7) >> level_shift(level + 1);
}

uint64_t table_entry_va(const struct vm *vm, uint64_t base, unsigned level, uint64_t i)
{
    uint64_t va = base + (i << level_shift(level));
    return level == vm->paging.levels && i >= PT_ENTRIES / 2 ? va | UINT64_MAX << levels_va_bits(level) : va;
}

pfn_t table_alloc(struct vm *vm, uint32_t asid, va_t va, unsigned level, gfp_t gfp)
{
    pfn_t p = frames_alloc(vm->frames, gfp, 0, FRAME_TAG_PGTABLE);
    if (pfn_is_none(p))
        return p;
    struct frame *f = frame_at(vm->frames, p);
    f->asid = asid;
    f->vpn = table_vpn(vm, va, level);
    f->private = level;
    f->mapcount = 1;
    phys_zero(vm->mem, p);
    proc(vm, asid)->tables++;
    vm->st.tables_allocated++;
    return p;
}

void table_free(struct vm *vm, uint32_t asid, pfn_t pfn)
{
    phys_junk(vm->mem, pfn); /* a walker that still comes here meets reserved bits, not a plausible entry */
    frames_free(vm->frames, pfn, 0);
    proc(vm, asid)->tables--;
    vm->st.tables_freed++;
}

uint64_t page_blocks(enum page_size size) { return size == PAGE_SIZE_1G ? GIGANTIC_BLOCKS : 1; }
/* The reverse map of a page's blocks: one mapping more, or less. */
static void map_blocks(struct vm *vm, pfn_t pfn, enum page_size size, uint32_t asid, uint64_t vpn, bool add)
{
    vpn &= ~((page_size_bytes(size) >> PAGE_SHIFT) - 1);
    for (uint64_t i = 0; i < page_blocks(size); i++) {
        pfn_t block = {pfn.v + (i << GIGANTIC_BLOCK_ORDER)};
        uint64_t at = vpn + (i << GIGANTIC_BLOCK_ORDER);
        bool ok = add ? rmap_add(vm->frames, block, asid, at) : rmap_del(vm->frames, block, asid, at);
        if (!ok)
            abort(); /* no host memory for 16 bytes; or an entry that nobody told of, our own mistake */
    }
}

pfn_t page_alloc(struct vm *vm, uint32_t asid, va_t va, enum page_size size)
{
    uint64_t *const mapped[] = {&vm->st.mapped_4k, &vm->st.mapped_2m, &vm->st.mapped_1g};
    pfn_t p = PFN_NONE;
    if (size == PAGE_SIZE_1G) {
        p = gigantic_get(vm->gigantic);
        for (uint64_t i = 0; !pfn_is_none(p) && i < GIGANTIC_BLOCKS; i++)
            frames_retag(vm->frames, (pfn_t){p.v + (i << GIGANTIC_BLOCK_ORDER)}, FRAME_TAG_ANON);
    } else if (size == PAGE_SIZE_2M) {
        if (vm->frames->max_order >= 9)
            p = frames_alloc(vm->frames, vm->config.huge_defrag ? GFP_TRANSHUGE | __GFP_NORETRY : GFP_TRANSHUGE_LIGHT, 9, FRAME_TAG_ANON);
    } else {
        p = frames_alloc(vm->frames, GFP_HIGHUSER_MOVABLE | __GFP_ZERO, 0, FRAME_TAG_ANON);
    }
    if (pfn_is_none(p))
        return p;
    map_blocks(vm, p, size, asid, va.v >> PAGE_SHIFT, true);
    proc(vm, asid)->pages[size]++;
    (*mapped[size])++;
    return p;
}

void page_free(struct vm *vm, uint32_t asid, va_t va, pfn_t pfn, enum page_size size)
{
    uint64_t *const unmapped[] = {&vm->st.unmapped_4k, &vm->st.unmapped_2m, &vm->st.unmapped_1g};
    map_blocks(vm, pfn, size, asid, va.v >> PAGE_SHIFT, false);
    if (frame_at(vm->frames, pfn)->mapcount)
        ; /* others have it */
    else if (size == PAGE_SIZE_1G)
        gigantic_put(vm->gigantic, vm->frames, pfn);
    else
        frames_free(vm->frames, pfn, size == PAGE_SIZE_2M ? 9 : 0);
    proc(vm, asid)->pages[size]--;
    (*unmapped[size])++;
}

uint64_t leaf_flags(const struct vm *vm, unsigned prot, bool user)
{
    uint64_t f = user ? PTE_US : 0;
    if (!vm->config.strict)
        return f | PTE_RW;
    if (prot == 0)
        f &= ~PTE_US; /* PROT_NONE: a present page that no user access may use */
    if (prot & 2)
        f |= PTE_RW;
    if (!(prot & 4) && (vm->paging.flags & PAGING_NXE))
        f |= PTE_XD;
    return f;
}

static void shoot(const struct vm_shootdown *sd, uint32_t asid, uint64_t va, enum page_size size, pa_t entry_pa)
{
    if (sd && sd->page)
        sd->page(sd->self, asid, (va_t){va}, size, entry_pa);
}

struct edit {
    struct vm *vm;
    uint32_t asid;
    uint64_t start, end;
    const struct vm_shootdown *sd;
    /* Whether a leaf that lies inside the range must be split nevertheless; NULL: never. */
    bool (*must_split)(struct edit *e, uint64_t va, unsigned level);
    void (*leaf)(struct edit *e, pa_t entry_pa, uint64_t va, unsigned level);
    uint64_t flags; /* protect */
    uint64_t delta; /* move: target - source */
    uint64_t pages; /* zap: 4 KiB pages freed */
};

static void zap_leaf(struct edit *e, pa_t entry_pa, uint64_t va, unsigned level)
{
    enum page_size size = (enum page_size)(level - 1);
    pa_t page = pte_page((pte_t){pt_read(e->vm, entry_pa)}, size);
    pt_write(e->vm, entry_pa, 0);
    shoot(e->sd, e->asid, va, size, entry_pa);
    page_free(e->vm, e->asid, (va_t){va}, pa_to_pfn(page), size);
    e->pages += page_size_bytes(size) >> PAGE_SHIFT;
}

/* Calls e->leaf on every leaf below `table` (entries of `level`, the first one translating `base`) that meets the range. */
static void edit_table(struct edit *e, pa_t table, unsigned level, uint64_t base)
{
    assert(level >= 1); /* every present entry of level 1 is a leaf */
    unsigned shift = level_shift(level);
    uint64_t first = e->start > base ? (e->start - base) >> shift : 0;
    uint64_t last = (e->end - 1 - base) >> shift;
    if (last >= PT_ENTRIES)
        last = PT_ENTRIES - 1;
    for (uint64_t i = first; i <= last; i++) {
        pa_t entry_pa = {table.v + PTE_BYTES * i};
        uint64_t entry = pt_read(e->vm, entry_pa), va = base + (i << shift);
        if (!(entry & PTE_P))
            continue;
        if (pte_is_leaf((pte_t){entry}, level)) {
            bool inside = va >= e->start && va + (UINT64_C(1) << shift) <= e->end;
            if (inside && !(level > 1 && e->must_split && e->must_split(e, va, level))) {
                e->leaf(e, entry_pa, va, level);
                continue;
            }
            if (!pages_split(e->vm, pte_page((pte_t){entry}, (enum page_size)(level - 1)), (enum page_size)(level - 1), e->sd)) {
                /* Not even the reserves have a frame: give up the whole page, which yields 512 or more. */
                zap_leaf(e, entry_pa, va, level);
                continue;
            }
            entry = pt_read(e->vm, entry_pa);
        }
        edit_table(e, pte_table((pte_t){entry}), level - 1, va);
    }
}

static void edit(struct edit *e)
{
    if (e->start < e->end)
        edit_table(e, pfn_to_pa(proc(e->vm, e->asid)->root), e->vm->paging.levels, 0);
}

uint64_t pgtable_zap(struct vm *vm, uint32_t asid, uint64_t start, uint64_t end, const struct vm_shootdown *sd)
{
    struct edit e = {.vm = vm, .asid = asid, .start = start, .end = end, .sd = sd, .leaf = zap_leaf};
    edit(&e);
    return e.pages;
}

static void protect_leaf(struct edit *e, pa_t entry_pa, uint64_t va, unsigned level)
{
    uint64_t old = pt_read(e->vm, entry_pa);
    uint64_t now = (old & ~(PTE_RW | PTE_US | PTE_XD)) | e->flags;
    /* Shared since a fork: the fault of a write decides (linux-mm 8.4). */
    if ((now & ~old & PTE_RW) && page_mapcount(e->vm, pa_to_pfn(pte_page((pte_t){old}, (enum page_size)(level - 1)))) > 1 &&
        !va_shared(e->vm, e->asid, va))
        now &= ~PTE_RW;
    if (now == old)
        return;
    pt_write(e->vm, entry_pa, now);
    /* Raising rights needs no invalidation, at worst a spurious fault (x86-hardware.md 2.8). */
    if ((old & ~now & (PTE_RW | PTE_US)) || (now & ~old & PTE_XD))
        shoot(e->sd, e->asid, va, (enum page_size)(level - 1), entry_pa);
}

void pgtable_protect(struct vm *vm, uint32_t asid, uint64_t start, uint64_t end, unsigned prot,
                     const struct vm_shootdown *sd)
{
    struct edit e = {.vm = vm, .asid = asid, .start = start, .end = end, .sd = sd, .leaf = protect_leaf,
                     .flags = leaf_flags(vm, prot, true)};
    edit(&e);
}

/* The empty entry of `level` for va, tables above it made as needed; pa 0: taken, or no frame. */
static pa_t entry_for(struct vm *vm, uint32_t asid, va_t va, unsigned level)
{
    pa_t table = pfn_to_pa(proc(vm, asid)->root);
    for (unsigned l = vm->paging.levels; l > level; l--) {
        pa_t pa = pt_entry_pa(table, va, l);
        uint64_t entry = pt_read(vm, pa);
        if (!(entry & PTE_P)) {
            pfn_t t = table_alloc(vm, asid, va, l - 1, GFP_PGTABLE_USER | __GFP_MEMALLOC);
            if (pfn_is_none(t))
                return (pa_t){0};
            entry = pte_make_table(pfn_to_pa(t), TABLE_FLAGS).v;
            pt_write(vm, pa, entry);
        } else if (pte_is_leaf((pte_t){entry}, l)) {
            return (pa_t){0};
        }
        table = pte_table((pte_t){entry});
    }
    pa_t pa = pt_entry_pa(table, va, level);
    return (pt_read(vm, pa) & PTE_P) ? (pa_t){0} : pa;
}

/* A large page keeps its size only if the target is aligned alike and has no table there already. */
static bool move_must_split(struct edit *e, uint64_t va, unsigned level)
{
    if (e->delta & (page_size_bytes((enum page_size)(level - 1)) - 1))
        return true;
    va_t to = {va + e->delta};
    pa_t table = pfn_to_pa(proc(e->vm, e->asid)->root);
    for (unsigned l = e->vm->paging.levels; l >= level; l--) {
        uint64_t entry = pt_read(e->vm, pt_entry_pa(table, to, l));
        if (!(entry & PTE_P))
            return false;
        table = pte_table((pte_t){entry});
    }
    return true;
}

static void move_leaf(struct edit *e, pa_t entry_pa, uint64_t va, unsigned level)
{
    enum page_size size = (enum page_size)(level - 1);
    uint64_t entry = pt_read(e->vm, entry_pa), to = va + e->delta;
    pa_t target = entry_for(e->vm, e->asid, (va_t){to}, level);
    if (target.v == 0) { /* no frame for a table: the page is lost as reclaim would lose it, the next touch makes another */
        zap_leaf(e, entry_pa, va, level);
        return;
    }
    pt_write(e->vm, entry_pa, 0);
    shoot(e->sd, e->asid, va, size, entry_pa);
    pt_write(e->vm, target, entry);
    pfn_t page = pa_to_pfn(pte_page((pte_t){entry}, size));
    map_blocks(e->vm, page, size, e->asid, va >> PAGE_SHIFT, false);
    map_blocks(e->vm, page, size, e->asid, to >> PAGE_SHIFT, true);
    e->vm->st.moved++;
}

void pgtable_move(struct vm *vm, uint32_t asid, uint64_t from, uint64_t to, uint64_t bytes,
                  const struct vm_shootdown *sd)
{
    struct edit e = {.vm = vm, .asid = asid, .start = from, .end = from + bytes, .sd = sd, .leaf = move_leaf,
                     .must_split = move_must_split, .delta = to - from};
    edit(&e);
}

/* `base`: the first address that `table` translates. */
static void clear_table(struct vm *vm, uint32_t asid, pfn_t table, unsigned level, uint64_t base)
{
    for (uint64_t i = 0; i < PT_ENTRIES; i++) {
        uint64_t va = table_entry_va(vm, base, level, i);
        uint64_t entry = pt_read(vm, (pa_t){pfn_to_pa(table).v + PTE_BYTES * i});
        if (!(entry & PTE_P))
            continue;
        if (pte_is_leaf((pte_t){entry}, level)) {
            enum page_size size = (enum page_size)(level - 1);
            page_free(vm, asid, (va_t){va}, pa_to_pfn(pte_page((pte_t){entry}, size)), size);
        } else {
            pfn_t below = pa_to_pfn(pte_table((pte_t){entry}));
            clear_table(vm, asid, below, level - 1, va);
            table_free(vm, asid, below);
        }
    }
}

void pgtable_clear(struct vm *vm, uint32_t asid)
{
    pfn_t root = proc(vm, asid)->root;
    clear_table(vm, asid, root, vm->paging.levels, 0);
    phys_zero(vm->mem, root);
}
