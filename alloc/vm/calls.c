#include "vm/pgtable.h"

enum { MADV_DONTNEED_ = 4, MADV_FREE_ = 8, MADV_REMOVE_ = 9, MADV_DONTNEED_LOCKED_ = 24 }; /* linux-mm 8.2 */
#define PAGE_MASK_LOW ((uint64_t)PAGE_BYTES - 1)

struct range { uint64_t start, end; };

/* The pages that [start, start + bytes) meets, cut to the user half; empty: start == end. */
static struct range pages_of(const struct vm *vm, uint64_t start, uint64_t bytes)
{
    uint64_t limit = user_end(vm);
    if (bytes == 0 || start >= limit)
        return (struct range){0, 0};
    if (bytes > limit - start)
        bytes = limit - start;
    return (struct range){start & ~PAGE_MASK_LOW, (start + bytes + PAGE_MASK_LOW) & ~PAGE_MASK_LOW};
}

static void record(struct vm *vm, struct vm_process *p, struct range r, unsigned prot, unsigned flags)
{
    if (!vma_map(&p->vmas, r.start, r.end, prot, flags, vm->config.max_map_count))
        vm->st.map_failures++;
}

void vm_segment(struct vm *vm, uint32_t asid, va_t start, uint64_t bytes, unsigned prot, unsigned vma_flags)
{
    struct vm_process *p = &vm->process[asid];
    struct range r = pages_of(vm, start.v, bytes);
    if (r.start == r.end)
        return;
    record(vm, p, r, prot, vma_flags);
    if (vma_flags & VMA_HEAP) {
        p->brk_start = r.start;
        p->brk = r.end;
    }
}

void vm_mmap(struct vm *vm, uint32_t asid, va_t start, uint64_t bytes, unsigned prot, unsigned vma_flags,
             const struct vm_shootdown *sd)
{
    struct range r = pages_of(vm, start.v, bytes);
    if (r.start == r.end)
        return;
    pgtable_zap(vm, asid, r.start, r.end, sd); /* MAP_FIXED replaces; otherwise nothing legal is there */
    record(vm, &vm->process[asid], r, prot, vma_flags);
}

void vm_munmap(struct vm *vm, uint32_t asid, va_t start, uint64_t bytes, const struct vm_shootdown *sd)
{
    struct range r = pages_of(vm, start.v, bytes);
    pgtable_zap(vm, asid, r.start, r.end, sd);
    if (!vma_unmap(&vm->process[asid].vmas, r.start, r.end, vm->config.max_map_count))
        vm->st.map_failures++;
}

void vm_mprotect(struct vm *vm, uint32_t asid, va_t start, uint64_t bytes, unsigned prot, const struct vm_shootdown *sd)
{
    struct range r = pages_of(vm, start.v, bytes);
    if (!vma_protect(&vm->process[asid].vmas, r.start, r.end, prot, vm->config.max_map_count))
        vm->st.map_failures++;
    if (vm->config.strict)
        pgtable_protect(vm, asid, r.start, r.end, prot, sd);
}

/* Rights and flags of the mapping at addr; a private writable one if nothing is known. */
static void inherit(const struct vm_process *p, uint64_t addr, unsigned *prot, unsigned *flags)
{
    const struct vma *v = vma_find(&p->vmas, addr);
    *prot = v && v->start <= addr ? v->prot : 3;
    *flags = v && v->start <= addr ? v->flags : 0;
}

void vm_mremap(struct vm *vm, uint32_t asid, va_t old_start, uint64_t old_bytes, va_t new_start, uint64_t new_bytes,
               bool keep_old, const struct vm_shootdown *sd)
{
    struct vm_process *p = &vm->process[asid];
    struct range from = pages_of(vm, old_start.v, old_bytes), to = pages_of(vm, new_start.v, new_bytes);
    unsigned prot, flags;
    if (to.start == to.end)
        return;
    inherit(p, from.start, &prot, &flags);
    uint64_t old_len = from.end - from.start, new_len = to.end - to.start;
    if (from.start == to.start && old_len) { /* in place */
        if (new_len < old_len)
            vm_munmap(vm, asid, (va_t){to.end}, from.end - to.end, sd);
        else if (new_len > old_len)
            record(vm, p, (struct range){from.end, to.end}, prot, flags);
        return;
    }
    if (from.start < to.end && to.start < from.end)
        return; /* the kernel refuses overlapping ranges: EINVAL */
    pgtable_zap(vm, asid, to.start, to.end, sd);
    pgtable_move(vm, asid, from.start, to.start, old_len < new_len ? old_len : new_len, sd);
    record(vm, p, to, prot, flags);
    if (keep_old || old_len == 0)
        return;
    pgtable_zap(vm, asid, from.start, from.end, sd);
    if (!vma_unmap(&p->vmas, from.start, from.end, vm->config.max_map_count))
        vm->st.map_failures++;
}

void vm_brk(struct vm *vm, uint32_t asid, uint64_t result, const struct vm_shootdown *sd)
{
    struct vm_process *p = &vm->process[asid];
    uint64_t now = (result + PAGE_MASK_LOW) & ~PAGE_MASK_LOW;
    if (result == 0 || result >= user_end(vm))
        return;
    if (p->brk_start == 0)
        p->brk_start = p->brk = now;
    if (now < p->brk_start)
        return; /* no kernel answers that */
    if (now > p->brk)
        record(vm, p, (struct range){p->brk, now}, 3, VMA_HEAP);
    else if (now < p->brk)
        vm_munmap(vm, asid, (va_t){now}, p->brk - now, sd);
    p->brk = now;
}

void vm_madvise(struct vm *vm, uint32_t asid, va_t start, uint64_t bytes, unsigned advice, const struct vm_shootdown *sd)
{
    if (advice == MADV_DONTNEED_ || advice == MADV_DONTNEED_LOCKED_ || advice == MADV_REMOVE_ || advice == MADV_FREE_)
        vm_unmap_pages(vm, asid, start, bytes, sd);
}

uint64_t vm_unmap_pages(struct vm *vm, uint32_t asid, va_t start, uint64_t bytes, const struct vm_shootdown *sd)
{
    struct range r = pages_of(vm, start.v, bytes);
    return pgtable_zap(vm, asid, r.start, r.end, sd);
}
