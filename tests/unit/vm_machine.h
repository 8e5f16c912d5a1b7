/* A machine of frames, memory and address spaces for the vm's tests. */
#ifndef TESTS_VM_MACHINE_H
#define TESTS_VM_MACHINE_H

#include "vm/vm.h"

#include <check.h>
#include <string.h>

struct vm_machine {
    struct frame_map *frames;
    struct phys_mem mem;
    struct vm *vm;
    uint64_t free_at_start;
};

static inline struct vm_config config_of(enum page_size size, bool strict)
{
    struct vm_config c;
    vm_config_defaults(&c);
    c.page_size = (int)size;
    c.strict = strict;
    return c;
}

static inline void machine_init_cpus(struct vm_machine *m, uint64_t bytes, unsigned levels, const struct vm_config *config, unsigned cpus)
{
    struct memory_config mc;
    struct buddy_config bc;
    struct err err = {0};
    struct paging_root p = {.levels = (uint8_t)levels, .max_phys_bits = 46, .flags = PAGING_DEFAULT};
    frames_config_defaults(&mc, &bc);
    mc.size_bytes = bytes;
    bc.cpus = cpus;
    ck_assert_msg(frame_map_new(&m->frames, &mc, &bc, &err) == 0, "%s", err.message);
    ck_assert_int_eq(phys_mem_init(&m->mem, m->frames->n_frames << PAGE_SHIFT, &err), 0);
    m->free_at_start = frames_free_pages(m->frames) + frames_pcp_pages(m->frames);
    ck_assert_msg(vm_new(&m->vm, config, m->frames, &m->mem, &p, &err) == 0, "%s", err.message);
}

static inline void machine_init(struct vm_machine *m, uint64_t bytes, unsigned levels, const struct vm_config *config)
{
    machine_init_cpus(m, bytes, levels, config, 1);
}

static inline void machine_check(const struct vm_machine *m)
{
    struct err err = {0};
    ck_assert_msg(vm_check(m->vm, &err) == 0, "%s", err.message);
    ck_assert_msg(frames_check(m->frames, &err) == 0, "%s", err.message);
}

static inline void machine_fini(struct vm_machine *m)
{
    struct err err = {0};
    vm_free(m->vm);
    ck_assert_uint_eq(frames_free_pages(m->frames) + frames_pcp_pages(m->frames), m->free_at_start); /* nothing leaked */
    ck_assert_msg(frames_check(m->frames, &err) == 0, "%s", err.message);
    frame_map_free(m->frames);
    phys_mem_fini(&m->mem);
}

/* One access: walk, fault if need be and repeat. FAULT_RESOLVED if it was allowed in the end; *w is the last walk. */
static inline enum fault_result machine_access(struct vm_machine *m, uint32_t asid, uint64_t va, unsigned access,
                                               struct walk *w)
{
    struct pt_memory mem = vm_pt_memory(m->vm);
    struct paging_root root = vm_root(m->vm, asid);
    for (int tries = 0; tries < 5; tries++) {
        struct fault_answer a;
        if (walk_all(w, &root, (va_t){va}, access, &mem) == WALK_LEAF)
            return FAULT_RESOLVED;
        vm_fault(m->vm, asid, (va_t){va}, w->error_code, &a);
        if (a.result == FAULT_SPLIT) {
            ck_assert_uint_eq(a.n, 0);
            vm_split_page(m->vm, asid, (va_t){va}, NULL);
            continue;
        }
        if (a.result != FAULT_RESOLVED)
            return a.result;
        ck_assert_uint_gt(a.n, 0);
        if (a.replaces)
            vm_clear_entry(m->vm, asid, (va_t){va});
        vm_perform(m->vm, &a);
    }
    ck_abort_msg("0x%llx faults for ever", (unsigned long long)va);
    return FAULT_SEGV;
}

#endif
