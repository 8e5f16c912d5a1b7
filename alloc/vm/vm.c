#include "vm/vm.h"

#include "vm/gigantic.h"
#include "vm/pgtable.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

const struct stat_desc vm_stat_descs[] = {
#define X(name, unit, help) STAT_ENTRY(struct vm_stats, name, unit, help)
    VM_STATS(X)
#undef X
};
const size_t vm_n_stat_descs = ARRAY_LEN(vm_stat_descs);

int vm_new(struct vm **out, const struct vm_config *config, struct frame_map *frames, struct phys_mem *mem,
           const struct paging_root *paging, struct err *err)
{
    *out = NULL;
    if (paging->max_phys_bits < 52 && frames->n_frames > UINT64_C(1) << (paging->max_phys_bits - PAGE_SHIFT)) {
        err_set(err, ERR_USAGE, "memory.size reaches beyond the %u bits of a physical address", paging->max_phys_bits);
        return err_remedy(err, "lower memory.size or raise mmu.max_phys_bits");
    }
    struct vm *vm = calloc(1, sizeof *vm);
    if (!vm)
        return err_set(err, ERR_RUN, "out of host memory for address spaces");
    vm->config = *config;
    vm->frames = frames;
    vm->mem = mem;
    vm->paging = *paging;
    if (gigantic_new(&vm->gigantic, frames, config->gigantic_pages, err) < 0) {
        free(vm);
        return -1;
    }
    *out = vm;
    return 0;
}

void vm_free(struct vm *vm)
{
    if (!vm)
        return;
    for (uint32_t asid = 0; asid < vm->n_process; asid++)
        if (vm_process_alive(vm, asid))
            vm_exit(vm, asid);
    gigantic_free(vm->gigantic, vm->frames);
    free(vm->process);
    free(vm);
}

bool vm_process_alive(const struct vm *vm, uint32_t asid)
{
    return asid < vm->n_process && !pfn_is_none(vm->process[asid].root);
}

/* The lowest free number, with a record; VM_ASID_NONE if there is none. */
static uint32_t take_number(struct vm *vm)
{
    uint32_t asid = vm->first_free;
    while (asid < vm->n_process && vm_process_alive(vm, asid))
        asid++;
    if (asid >= VM_MAX_PROCESSES)
        return VM_ASID_NONE;
    if (asid == vm->n_process) {
        if (vm->n_process == vm->cap_process) {
            uint32_t cap = vm->cap_process ? 2 * vm->cap_process : 8;
            struct vm_process *p = realloc(vm->process, cap * sizeof *p);
            if (!p)
                return VM_ASID_NONE;
            vm->process = p;
            vm->cap_process = cap;
        }
        vm->process[vm->n_process++] = (struct vm_process){.root = PFN_NONE};
    }
    return asid;
}

uint32_t vm_process_new(struct vm *vm)
{
    uint32_t asid = take_number(vm);
    if (asid == VM_ASID_NONE)
        return asid;
    struct vm_process *p = &vm->process[asid];
    *p = (struct vm_process){.root = PFN_NONE};
    p->root = table_alloc(vm, asid, (va_t){0}, vm->paging.levels, GFP_PGTABLE_USER);
    if (pfn_is_none(p->root))
        return VM_ASID_NONE;
    vm->first_free = asid + 1;
    vm->st.processes++;
    return asid;
}

struct paging_root vm_root(const struct vm *vm, uint32_t asid)
{
    assert(vm_process_alive(vm, asid));
    struct paging_root r = vm->paging;
    r.table = pfn_to_pa(vm->process[asid].root);
    return r;
}

void vm_exec(struct vm *vm, uint32_t asid)
{
    struct vm_process *p = &vm->process[asid];
    pgtable_clear(vm, asid);
    vma_set_fini(&p->vmas);
    p->brk_start = p->brk = 0;
}

void vm_exit(struct vm *vm, uint32_t asid)
{
    assert(vm_process_alive(vm, asid));
    struct vm_process *p = &vm->process[asid];
    vm_exec(vm, asid);
    table_free(vm, asid, p->root);
    assert(p->tables == 0 && p->pages[0] == 0 && p->pages[1] == 0 && p->pages[2] == 0);
    p->root = PFN_NONE;
    if (asid < vm->first_free)
        vm->first_free = asid;
}

void vm_kill(struct vm *vm, uint32_t asid)
{
    vm_exit(vm, asid);
    vm->st.kills++;
}

uint64_t vm_rss_pages(const struct vm *vm, uint32_t asid)
{
    const struct vm_process *p = &vm->process[asid];
    return p->pages[PAGE_SIZE_4K] + (p->pages[PAGE_SIZE_2M] << 9) + (p->pages[PAGE_SIZE_1G] << 18);
}

uint64_t vm_table_bytes(const struct vm *vm, uint32_t asid) { return vm->process[asid].tables * PAGE_BYTES; }
uint32_t vm_gigantic_free(const struct vm *vm) { return vm->gigantic->n; }

static uint64_t mem_read(void *self, pa_t pa) { return *(const uint64_t *)phys_at(self, pa); }
static void mem_set_bits(void *self, pa_t pa, uint64_t bits) { *(uint64_t *)phys_at(self, pa) |= bits; }

struct pt_memory vm_pt_memory(struct vm *vm)
{
    return (struct pt_memory){.self = vm->mem, .read = mem_read, .set_bits = mem_set_bits};
}
