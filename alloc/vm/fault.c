#include "vm/pgtable.h"

#include <assert.h>

static void emit(struct fault_answer *a, enum os_op_kind kind, pa_t pa, uint64_t value, uint64_t repeat)
{
    assert(a->n < FAULT_MAX_OPS);
    a->ops[a->n].op = (struct os_op){.pa = pa, .value = value, .kind = kind};
    a->ops[a->n].repeat = (uint32_t)repeat;
    a->n++;
}

/*
 * Whether a stack mapping above grows down to the page (linux-mm 8.1): not beyond its limit, and not nearer than the
 * guard gap to an accessible mapping below that is no stack itself.
 */
static bool grow_stack(struct vm *vm, struct vm_process *p, uint64_t page)
{
    const struct vma *above = vma_find(&p->vmas, page);
    if (!above || !(above->flags & VMA_STACK) || above->end - page > vm->config.stack_limit)
        return false;
    if (above > p->vmas.v) {
        const struct vma *below = above - 1;
        uint64_t gap = (uint64_t)vm->config.stack_guard_gap << PAGE_SHIFT;
        if (below->prot && !(below->flags & VMA_STACK) && below->end + gap > page)
            return false;
    }
    struct vma grown = *above;
    if (!vma_map(&p->vmas, page, grown.start, grown.prot, grown.flags, vm->config.max_map_count))
        return false;
    vm->st.stack_growths++;
    return true;
}

/* The rights the process has at va, growing its stack if need be; false: none. */
static bool legal(struct vm *vm, struct vm_process *p, va_t va, unsigned error_code, unsigned *prot)
{
    *prot = 7;
    if (va.v >= user_end(vm)) /* the kernel's half: for the kernel, and only where nobody checks */
        return !(error_code & PF_USER) && !vm->config.strict;
    if (!vm->config.strict)
        return true;
    uint64_t page = va.v & ~(uint64_t)(PAGE_BYTES - 1);
    const struct vma *v = vma_find(&p->vmas, va.v);
    if (!v || v->start > va.v) {
        if (!grow_stack(vm, p, page))
            return false;
        v = vma_find(&p->vmas, va.v);
    }
    *prot = v->prot;
    if (error_code & PF_WRITE)
        return (v->prot & 2) != 0;
    if (error_code & PF_FETCH)
        return (v->prot & 4) != 0;
    return v->prot != 0; /* x86 cannot map a page that may be written or executed but not read */
}

/* Whether a page of `size` around va may be mapped as one. */
static bool fits(const struct vm *vm, const struct vm_process *p, va_t va, enum page_size size)
{
    if (size > (enum page_size)vm->config.page_size)
        return false;
    if (size == PAGE_SIZE_1G && !(vm->paging.flags & PAGING_PAGE1G))
        return false;
    if (size == PAGE_SIZE_4K || !vm->config.strict)
        return true;
    uint64_t start = va.v & ~(page_size_bytes(size) - 1);
    return vma_covers(&p->vmas, start, start + page_size_bytes(size));
}

/* Maps a zeroed page at va; the entry of `level` in `table` is the first one absent. False: out of memory. */
static bool map_page(struct vm *vm, uint32_t asid, pa_t table, unsigned level, va_t va, uint64_t flags,
                     struct fault_answer *out)
{
    struct vm_process *p = &vm->process[asid];
    pfn_t made[5];
    unsigned n_made = 0;
    for (;; level--) {
        pa_t entry = pt_entry_pa(table, va, level);
        enum page_size size = (enum page_size)(level - 1);
        if (level <= PAGE_SIZE_COUNT && fits(vm, p, va, size)) {
            pfn_t page = page_alloc(vm, asid, va, size);
            if (!pfn_is_none(page)) {
                emit(out, OS_CLEAR_PAGE, pfn_to_pa(page), 0, page_size_bytes(size) >> PAGE_SHIFT);
                emit(out, OS_STORE_PTE, entry, pte_make_page(pfn_to_pa(page), size, flags).v, 1);
                vm->st.huge_fallbacks += size != (enum page_size)vm->config.page_size;
                return true;
            }
        }
        pfn_t t = level == 1 ? PFN_NONE : table_alloc(vm, asid, va, level - 1, GFP_PGTABLE_USER);
        if (pfn_is_none(t))
            break;
        made[n_made++] = t;
        emit(out, OS_CLEAR_PAGE, pfn_to_pa(t), 0, 1);
        emit(out, OS_STORE_PTE, entry, pte_make_table(pfn_to_pa(t), TABLE_FLAGS).v, 1);
        table = pfn_to_pa(t);
    }
    while (n_made)
        table_free(vm, asid, made[--n_made]);
    out->n = 0;
    return false;
}

static uint64_t read_entry(void *self, pa_t pa) { return *(const uint64_t *)phys_at(self, pa); }

/* Something is mapped at va: the fault was spurious if it now allows the access. */
static bool allowed(const struct vm *vm, uint32_t asid, va_t va, unsigned error_code)
{
    struct walk w;
    struct paging_root root = vm_root(vm, asid);
    struct pt_memory mem = {.self = vm->mem, .read = read_entry};
    return walk_all(&w, &root, va, error_code & (ACCESS_WRITE | ACCESS_USER | ACCESS_FETCH), &mem) == WALK_LEAF;
}

/*
 * A write to a page that its mapping lets be written and its entry does not: it is shared since a fork, or was (linux-mm 8.4).
 * False: it is not so.
 */
static bool write_protected(struct vm *vm, uint32_t asid, pa_t entry_pa, unsigned level, va_t va, unsigned error_code,
                            struct fault_answer *out)
{
    struct vm_process *p = &vm->process[asid];
    enum page_size size = (enum page_size)(level - 1);
    uint64_t entry = pt_read(vm, entry_pa);
    unsigned prot;
    if (!(error_code & PF_WRITE) || (entry & PTE_RW) || ((error_code & PF_USER) && !(entry & PTE_US)) ||
        !legal(vm, p, va, error_code, &prot))
        return false;
    pfn_t page = pa_to_pfn(pte_page((pte_t){entry}, size));
    if (page_mapcount(vm, page) == 1 || va_shared(vm, asid, va.v)) {
        emit(out, OS_STORE_PTE, entry_pa, entry | PTE_RW | PTE_A | PTE_D, 1);
        vm->st.faults_reuse++;
    } else if (size != PAGE_SIZE_4K) {
        out->result = FAULT_SPLIT; /* the fault counts when the page is copied */
        return true;
    } else {
        pfn_t copy = page_alloc(vm, asid, va, PAGE_SIZE_4K);
        if (pfn_is_none(copy)) {
            out->result = FAULT_OOM;
            vm->st.faults_oom++;
            return true;
        }
        page_free(vm, asid, (va_t){va.v & ~(uint64_t)(PAGE_BYTES - 1)}, page, size);
        uint64_t flags = entry & (PTE_US | PTE_G | PTE_XD | UINT64_C(15) << PTE_PK_SHIFT);
        emit(out, OS_COPY_PAGE, pfn_to_pa(page), pfn_to_pa(copy).v, 1);
        emit(out, OS_STORE_PTE, entry_pa, pte_make_page(pfn_to_pa(copy), size, flags | PTE_RW | PTE_A | PTE_D).v, 1);
        out->replaces = true;
        vm->st.faults_cow++;
    }
    out->result = FAULT_RESOLVED;
    vm->st.faults_minor++;
    return true;
}

void vm_fault(void *self, uint32_t asid, va_t va, unsigned error_code, struct fault_answer *out)
{
    struct vm *vm = self;
    unsigned prot;
    out->n = 0;
    out->replaces = false;
    out->handler_cycles = vm->config.fault_entry_cycles + vm->config.fault_cycles + vm->config.fault_exit_cycles;
    out->result = FAULT_SEGV;
    /* Segmentation refuses addresses that are not canonical; here they would alias canonical ones. */
    uint64_t high = va.v >> (levels_va_bits(vm->paging.levels) - 1);
    bool canonical = high == 0 || high == UINT64_MAX >> (levels_va_bits(vm->paging.levels) - 1);
    if (!vm_process_alive(vm, asid) || !canonical || (error_code & PF_RSVD)) {
        vm->st.segfaults++;
        return;
    }
    struct vm_process *p = &vm->process[asid];
    pa_t table = pfn_to_pa(p->root);
    unsigned level = vm->paging.levels;
    bool mapped = false;
    for (; level > 0; level--) {
        uint64_t entry = pt_read(vm, pt_entry_pa(table, va, level));
        if (!(entry & PTE_P))
            break;
        if (pte_is_leaf((pte_t){entry}, level)) {
            mapped = true;
            break;
        }
        table = pte_table((pte_t){entry});
    }
    if (mapped) {
        if (allowed(vm, asid, va, error_code)) {
            out->result = FAULT_SPURIOUS;
            vm->st.faults_spurious++;
        } else if (!write_protected(vm, asid, pt_entry_pa(table, va, level), level, va, error_code, out)) {
            vm->st.segfaults++;
        }
        return;
    }
    if (!legal(vm, p, va, error_code, &prot)) {
        vm->st.segfaults++;
        return;
    }
    /* The page comes young, and dirty if it was written: the walker need not set the bits (linux-mm 8.3). */
    uint64_t flags = leaf_flags(vm, prot, va.v < user_end(vm)) | PTE_A | ((error_code & PF_WRITE) ? PTE_D : 0);
    if (!map_page(vm, asid, table, level, va, flags, out)) {
        out->result = FAULT_OOM;
        vm->st.faults_oom++;
        return;
    }
    out->result = FAULT_RESOLVED;
    vm->st.faults_minor++;
    vm->st.faults_zero++;
}

struct fault_ops vm_fault_ops(struct vm *vm) { return (struct fault_ops){.os = vm, .fault = vm_fault}; }

void vm_perform(struct vm *vm, const struct fault_answer *a)
{
    for (uint32_t i = 0; i < a->n; i++)
        for (uint32_t r = 0; a->ops[i].op.kind == OS_STORE_PTE && r < a->ops[i].repeat; r++)
            pt_write(vm, (pa_t){a->ops[i].op.pa.v + PTE_BYTES * r}, a->ops[i].op.value);
}
