#include "engine/rng.h"
#include "unit/vm_machine.h"

#include <stdlib.h>

#define MIB (1ull << 20)
#define GIB (1ull << 30)
#define UR ACCESS_USER
#define UW (ACCESS_USER | ACCESS_WRITE)

START_TEST(test_first_touch) /* tables of every level, in order, then the page */
{
    for (unsigned levels = 4; levels <= 5; levels++) {
        struct vm_machine m;
        struct vm_config c = config_of(PAGE_SIZE_4K, false);
        struct fault_answer a;
        struct walk w;
        machine_init(&m, 64 * MIB, levels, &c);
        uint32_t p = vm_process_new(m.vm);
        ck_assert_uint_eq(p, 0);
        vm_fault(m.vm, p, (va_t){0x7f1234567abc}, PF_WRITE | PF_USER, &a);
        ck_assert_int_eq(a.result, FAULT_RESOLVED);
        ck_assert_uint_eq(a.n, 2 * levels);
        ck_assert_uint_eq(a.handler_cycles, 450 + 2000 + 270);
        for (uint32_t i = 0; i < a.n; i++) {
            ck_assert_int_eq(a.ops[i].op.kind, i % 2 ? OS_STORE_PTE : OS_CLEAR_PAGE);
            ck_assert_uint_eq(a.ops[i].repeat, 1);
        }
        /* Nothing is visible before the stores are performed. */
        struct paging_root root = vm_root(m.vm, p);
        struct pt_memory mem = vm_pt_memory(m.vm);
        ck_assert_int_eq(walk_all(&w, &root, (va_t){0x7f1234567abc}, UR, &mem), WALK_FAULT);
        vm_perform(m.vm, &a);
        ck_assert_int_eq(walk_all(&w, &root, (va_t){0x7f1234567abc}, UW, &mem), WALK_LEAF);
        ck_assert_uint_eq(w.update, 0); /* mapped young and dirty */
        ck_assert_uint_eq(w.refs, levels);
        ck_assert_uint_eq(vm_rss_pages(m.vm, p), 1);
        ck_assert_uint_eq(vm_table_bytes(m.vm, p), 4096 * levels);
        machine_check(&m);
        /* The neighbour needs the page and its entry only; a read comes young but clean. */
        vm_fault(m.vm, p, (va_t){0x7f1234568000}, PF_USER, &a);
        ck_assert_uint_eq(a.n, 2);
        vm_perform(m.vm, &a);
        walk_all(&w, &root, (va_t){0x7f1234568000}, UR, &mem);
        ck_assert_uint_eq(w.update, 0);
        ck_assert(!xlat_dirty(w.result));
        vm_fault(m.vm, p, (va_t){0x7f1234568000}, PF_USER, &a); /* another core was faster */
        ck_assert_int_eq(a.result, FAULT_SPURIOUS);
        ck_assert_uint_eq(m.vm->st.faults_minor, 2);
        ck_assert_uint_eq(m.vm->st.faults_zero, 2);
        ck_assert_uint_eq(m.vm->st.faults_spurious, 1);
        machine_check(&m);
        machine_fini(&m);
    }
}
END_TEST

START_TEST(test_large_pages)
{
    struct vm_machine m;
    struct vm_config c = config_of(PAGE_SIZE_1G, false);
    struct fault_answer a;
    struct walk w;
    c.gigantic_pages = 2;
    machine_init(&m, 4 * GIB, 4, &c);
    uint32_t p = vm_process_new(m.vm);
    ck_assert_uint_eq(vm_gigantic_free(m.vm), 2);
    vm_fault(m.vm, p, (va_t){5 * GIB + 12345}, PF_WRITE | PF_USER, &a);
    ck_assert_uint_eq(a.n, 4); /* one table, one page */
    ck_assert_uint_eq(a.ops[2].repeat, 512 * 512);
    vm_perform(m.vm, &a);
    ck_assert_int_eq(machine_access(&m, p, 5 * GIB, UW, &w), FAULT_RESOLVED);
    ck_assert_int_eq(xlat_size(w.result), PAGE_SIZE_1G);
    ck_assert_uint_eq(w.refs, 2);
    ck_assert_int_eq(machine_access(&m, p, 6 * GIB, UW, &w), FAULT_RESOLVED);
    ck_assert_uint_eq(vm_gigantic_free(m.vm), 0);
    ck_assert_int_eq(machine_access(&m, p, 7 * GIB, UW, &w), FAULT_RESOLVED); /* pool empty: 2 MiB */
    ck_assert_int_eq(xlat_size(w.result), PAGE_SIZE_2M);
    ck_assert_uint_eq(m.vm->st.huge_fallbacks, 1);
    ck_assert_uint_eq(vm_rss_pages(m.vm, p), 2 * 262144 + 512);
    machine_check(&m);
    /* A whole page returns to the pool, a part splits it. */
    ck_assert_uint_eq(vm_unmap_pages(m.vm, p, (va_t){6 * GIB}, GIB, NULL), 262144);
    ck_assert_uint_eq(vm_gigantic_free(m.vm), 1);
    ck_assert_uint_eq(vm_unmap_pages(m.vm, p, (va_t){5 * GIB + 2 * MIB + 4096}, 4096, NULL), 1);
    ck_assert_uint_eq(m.vm->st.huge_splits, 2); /* 1 GiB into 2 MiB, one of them into 4 KiB */
    ck_assert_uint_eq(m.vm->process[p].pages[PAGE_SIZE_1G], 0);
    ck_assert_uint_eq(m.vm->process[p].pages[PAGE_SIZE_2M], 511 + 1);
    ck_assert_uint_eq(m.vm->process[p].pages[PAGE_SIZE_4K], 511);
    machine_check(&m);
    ck_assert_int_eq(machine_access(&m, p, 5 * GIB + 2 * MIB + 4096, UW, &w), FAULT_RESOLVED);
    ck_assert_int_eq(xlat_size(w.result), PAGE_SIZE_4K); /* a table is there */
    machine_check(&m);
    vm_exit(m.vm, p);
    machine_check(&m);
    machine_fini(&m);

    struct err err;
    struct memory_config mc;
    struct buddy_config bc;
    struct paging_root root = {.levels = 4, .max_phys_bits = 46, .flags = PAGING_DEFAULT};
    frames_config_defaults(&mc, &bc);
    mc.size_bytes = 2 * GIB;
    frame_map_new(&m.frames, &mc, &bc, &err);
    phys_mem_init(&m.mem, 2 * GIB, &err);
    uint64_t before = frames_free_pages(m.frames) + frames_pcp_pages(m.frames);
    c.gigantic_pages = 3;
    ck_assert_int_eq(vm_new(&m.vm, &c, m.frames, &m.mem, &root, &err), -1);
    ck_assert_int_eq(err.kind, ERR_USAGE);
    ck_assert_uint_eq(frames_free_pages(m.frames) + frames_pcp_pages(m.frames), before);
    frame_map_free(m.frames);
    phys_mem_fini(&m.mem);
}
END_TEST

START_TEST(test_2m_and_split)
{
    struct vm_machine m;
    struct vm_config c = config_of(PAGE_SIZE_2M, false);
    struct walk w;
    machine_init(&m, 256 * MIB, 4, &c);
    uint32_t p = vm_process_new(m.vm);
    ck_assert_int_eq(machine_access(&m, p, 0x40212345, UW, &w), FAULT_RESOLVED);
    ck_assert_int_eq(xlat_size(w.result), PAGE_SIZE_2M);
    uint64_t pa = xlat_pa(w.result, (va_t){0x40212345}).v;
    vm_munmap(m.vm, p, (va_t){0x40200000}, 4096 * 100, NULL);
    machine_check(&m);
    ck_assert_int_eq(machine_access(&m, p, 0x40264345, UW, &w), FAULT_RESOLVED);
    ck_assert_uint_eq(xlat_pa(w.result, (va_t){0x40264345}).v, pa - 0x12345 + 0x64345); /* the rest stayed in place */
    ck_assert_uint_eq(vm_rss_pages(m.vm, p), 412);
    machine_check(&m);
    machine_fini(&m);
}
END_TEST

START_TEST(test_strict)
{
    struct vm_machine m;
    struct vm_config c = config_of(PAGE_SIZE_2M, true);
    struct walk w;
    machine_init(&m, 256 * MIB, 4, &c);
    uint32_t p = vm_process_new(m.vm);
    ck_assert_int_eq(machine_access(&m, p, 0x1000, UR, &w), FAULT_SEGV);
    vm_mmap(m.vm, p, (va_t){0x400000}, 4 * MIB, 1, 0, NULL);
    ck_assert_int_eq(machine_access(&m, p, 0x400000, UR, &w), FAULT_RESOLVED);
    ck_assert_int_eq(xlat_size(w.result), PAGE_SIZE_2M);
    ck_assert_int_eq(machine_access(&m, p, 0x400000, UW, &w), FAULT_SEGV); /* read-only, mapped */
    ck_assert_int_eq(machine_access(&m, p, 0x600000, UW, &w), FAULT_SEGV); /* read-only, not mapped yet */
    ck_assert_int_eq(machine_access(&m, p, 0x400000, UR | ACCESS_FETCH, &w), FAULT_SEGV);
    ck_assert_int_eq(machine_access(&m, p, 0x800000, UR, &w), FAULT_SEGV);
    vm_mprotect(m.vm, p, (va_t){0x401000}, 4096, 3, NULL); /* splits mapping and page */
    ck_assert_int_eq(machine_access(&m, p, 0x401000, UW, &w), FAULT_RESOLVED);
    ck_assert_int_eq(machine_access(&m, p, 0x400000, UW, &w), FAULT_SEGV);
    ck_assert_int_eq(machine_access(&m, p, 0x402000, UR, &w), FAULT_RESOLVED);
    vm_mprotect(m.vm, p, (va_t){0x402000}, 4096, 0, NULL); /* PROT_NONE */
    ck_assert_int_eq(machine_access(&m, p, 0x402000, UR, &w), FAULT_SEGV);
    vm_mprotect(m.vm, p, (va_t){0x402000}, 4096, 5, NULL);
    ck_assert_int_eq(machine_access(&m, p, 0x402000, UR | ACCESS_FETCH, &w), FAULT_RESOLVED);
    vm_mmap(m.vm, p, (va_t){0xa00000}, 8192, 3, 0, NULL); /* too small for 2 MiB */
    ck_assert_int_eq(machine_access(&m, p, 0xa01000, UW, &w), FAULT_RESOLVED);
    ck_assert_int_eq(xlat_size(w.result), PAGE_SIZE_4K);
    vm_munmap(m.vm, p, (va_t){0xa01000}, 1, NULL);
    ck_assert_int_eq(machine_access(&m, p, 0xa01000, UR, &w), FAULT_SEGV);
    ck_assert_int_eq(machine_access(&m, p, 0xffff800000000000, UR, &w), FAULT_SEGV);
    machine_check(&m);
    machine_fini(&m);
}
END_TEST

START_TEST(test_stack_and_brk) /* linux-mm 8.1 */
{
    struct vm_machine m;
    struct vm_config c = config_of(PAGE_SIZE_4K, true);
    struct walk w;
    const uint64_t top = 0x7ffffffff000, start = top - 132 * 1024, limit = 8 * MIB;
    machine_init(&m, 64 * MIB, 4, &c);
    uint32_t p = vm_process_new(m.vm);
    vm_segment(m.vm, p, (va_t){start}, top - start, 3, VMA_STACK);
    ck_assert_int_eq(machine_access(&m, p, start - 10 * 4096, UW, &w), FAULT_RESOLVED);
    ck_assert_uint_eq(m.vm->st.stack_growths, 1);
    ck_assert_int_eq(machine_access(&m, p, top - limit - 1, UW, &w), FAULT_SEGV);
    ck_assert_int_eq(machine_access(&m, p, top - limit, UW, &w), FAULT_RESOLVED); /* exactly the limit works */
    /* An accessible mapping below keeps 256 pages away, a PROT_NONE one does not. */
    vm_exec(m.vm, p);
    vm_segment(m.vm, p, (va_t){start}, top - start, 3, VMA_STACK);
    vm_mmap(m.vm, p, (va_t){start - 1000 * 4096}, 4096, 3, 0, NULL);
    ck_assert_int_eq(machine_access(&m, p, start - 999 * 4096 + 255 * 4096, UW, &w), FAULT_SEGV);
    ck_assert_int_eq(machine_access(&m, p, start - 999 * 4096 + 256 * 4096, UW, &w), FAULT_RESOLVED);
    vm_mprotect(m.vm, p, (va_t){start - 1000 * 4096}, 4096, 0, NULL);
    ck_assert_int_eq(machine_access(&m, p, start - 999 * 4096 + 10 * 4096, UW, &w), FAULT_RESOLVED);

    vm_brk(m.vm, p, 0x555555600000, NULL); /* where it is */
    ck_assert_int_eq(machine_access(&m, p, 0x555555600000, UW, &w), FAULT_SEGV);
    vm_brk(m.vm, p, 0x555555604100, NULL);
    ck_assert_int_eq(machine_access(&m, p, 0x555555604fff, UW, &w), FAULT_RESOLVED);
    vm_brk(m.vm, p, 0x555555602000, NULL);
    ck_assert_int_eq(machine_access(&m, p, 0x555555604000, UW, &w), FAULT_SEGV);
    ck_assert_int_eq(machine_access(&m, p, 0x555555601000, UW, &w), FAULT_RESOLVED);
    machine_check(&m);
    machine_fini(&m);
}
END_TEST

struct log { unsigned n; uint64_t va[64]; };
static void note(void *self, uint32_t asid, va_t va, enum page_size size, pa_t entry_pa)
{
    struct log *l = self;
    (void)asid, (void)size, (void)entry_pa;
    if (l->n < 64)
        l->va[l->n] = va.v;
    l->n++;
}

START_TEST(test_mremap_and_callbacks)
{
    struct vm_machine m;
    struct vm_config c = config_of(PAGE_SIZE_4K, true);
    struct walk w;
    struct log l = {0};
    struct vm_shootdown sd = {&l, note};
    machine_init(&m, 64 * MIB, 4, &c);
    uint32_t p = vm_process_new(m.vm);
    vm_mmap(m.vm, p, (va_t){0x10000}, 0x4000, 3, 0, NULL);
    machine_access(&m, p, 0x10000, UW, &w);
    machine_access(&m, p, 0x12000, UW, &w);
    uint64_t pa = xlat_pa(w.result, (va_t){0x12000}).v;
    vm_mremap(m.vm, p, (va_t){0x10000}, 0x4000, (va_t){0x40000000}, 0x8000, false, &sd);
    ck_assert_uint_eq(l.n, 2);
    ck_assert_uint_eq(l.va[0], 0x10000);
    ck_assert_uint_eq(l.va[1], 0x12000);
    ck_assert_int_eq(machine_access(&m, p, 0x10000, UR, &w), FAULT_SEGV);
    ck_assert_int_eq(machine_access(&m, p, 0x40002000, UR, &w), FAULT_RESOLVED);
    ck_assert_uint_eq(xlat_pa(w.result, (va_t){0x40002000}).v, pa); /* moved, not copied */
    ck_assert_int_eq(machine_access(&m, p, 0x40007000, UW, &w), FAULT_RESOLVED);
    machine_check(&m);
    vm_mremap(m.vm, p, (va_t){0x40000000}, 0x8000, (va_t){0x40000000}, 0x1000, false, &sd); /* shrink */
    ck_assert_uint_eq(l.n, 4);
    ck_assert_int_eq(machine_access(&m, p, 0x40002000, UR, &w), FAULT_SEGV);
    machine_access(&m, p, 0x40000000, UW, &w);
    vm_madvise(m.vm, p, (va_t){0x40000000}, 0x1000, 4, &sd);
    ck_assert_uint_eq(l.n, 5);
    ck_assert_uint_eq(vm_rss_pages(m.vm, p), 0);
    ck_assert_int_eq(machine_access(&m, p, 0x40000000, UW, &w), FAULT_RESOLVED);
    vm_mremap(m.vm, p, (va_t){0x40000000}, 0x1000, (va_t){0x50000000}, 0x1000, true, &sd); /* DONTUNMAP */
    ck_assert_int_eq(machine_access(&m, p, 0x40000000, UW, &w), FAULT_RESOLVED);
    ck_assert_uint_eq(vm_rss_pages(m.vm, p), 2);
    machine_check(&m);
    machine_fini(&m);
}
END_TEST

START_TEST(test_oom_and_kill)
{
    struct vm_machine m;
    struct vm_config c = config_of((enum page_size)_i, false);
    struct walk w;
    machine_init(&m, 32 * MIB, 4, &c);
    uint32_t a = vm_process_new(m.vm), b = vm_process_new(m.vm);
    machine_access(&m, b, 0x1000, UW, &w);
    uint64_t n = 0;
    enum fault_result r = FAULT_RESOLVED;
    for (; r == FAULT_RESOLVED && n < 10000; n++)
        r = machine_access(&m, a, n << 30, UW, &w); /* each needs tables of its own */
    ck_assert_int_eq(r, FAULT_OOM);
    ck_assert_uint_eq(m.vm->st.faults_oom, 1);
    machine_check(&m); /* the failed fault left nothing behind */
    vm_kill(m.vm, a);
    ck_assert(!vm_process_alive(m.vm, a));
    ck_assert_uint_eq(m.vm->st.kills, 1);
    machine_check(&m);
    ck_assert_int_eq(machine_access(&m, b, 0x100000000, UW, &w), FAULT_RESOLVED);
    ck_assert_uint_eq(vm_process_new(m.vm), a); /* the lowest free number */
    machine_check(&m);
    machine_fini(&m);
}
END_TEST

START_TEST(test_fork_exec_kernel_half)
{
    struct vm_machine m;
    struct vm_config c = config_of(PAGE_SIZE_4K, false);
    struct fault_answer a;
    struct walk w;
    machine_init(&m, 64 * MIB, 4, &c);
    uint32_t p = vm_process_new(m.vm);
    vm_mmap(m.vm, p, (va_t){0x10000}, 0x4000, 3, 0, NULL);
    machine_access(&m, p, 0x10000, UW, &w);
    uint32_t child = vm_fork(m.vm, p);
    ck_assert_uint_eq(child, 1);
    ck_assert_uint_eq(m.vm->process[child].vmas.n, 1);
    ck_assert_uint_eq(vm_rss_pages(m.vm, child), 1); /* the parent's */
    ck_assert_uint_eq(vm_table_bytes(m.vm, child), vm_table_bytes(m.vm, p));
    vm_exec(m.vm, child);
    ck_assert_uint_eq(vm_rss_pages(m.vm, child), 0);
    ck_assert_uint_eq(m.vm->process[child].vmas.n, 0);
    ck_assert_int_eq(machine_access(&m, p, 0xffff800000001000, ACCESS_WRITE, &w), FAULT_RESOLVED); /* the kernel's own */
    ck_assert_int_eq(machine_access(&m, p, 0xffff800000001000, UR, &w), FAULT_SEGV);
    ck_assert_int_eq(machine_access(&m, p, 0xffff900000001000, UR, &w), FAULT_SEGV);
    machine_check(&m);
    vm_fault(m.vm, p, (va_t){0x10000}, PF_USER | PF_RSVD | PF_PRESENT, &a);
    ck_assert_int_eq(a.result, FAULT_SEGV);
    vm_fault(m.vm, 77, (va_t){0x10000}, PF_USER, &a);
    ck_assert_int_eq(a.result, FAULT_SEGV);
    machine_fini(&m);
}
END_TEST

START_TEST(test_hostile_arguments) /* any 64-bit numbers: bounded time and memory, and the books still balance */
{
    struct vm_machine m;
    struct vm_config c = config_of(_i & 1 ? PAGE_SIZE_2M : PAGE_SIZE_4K, _i & 2);
    struct rng r;
    c.max_map_count = 50;
    machine_init(&m, 64 * MIB, _i & 4 ? 5 : 4, &c);
    rng_init(&r, (uint64_t)_i, "hostile");
    uint32_t p = vm_process_new(m.vm);
    for (int i = 0; i < 5000; i++) {
        uint64_t v[4];
        for (int k = 0; k < 4; k++) {
            static const uint64_t edge[] = {0, 1, 4095, 4096, 0x7ffffffff000, 0x800000000000, 1ull << 56, 1ull << 63, UINT64_MAX};
            v[k] = rng_below(&r, 3) == 0 ? edge[rng_below(&r, ARRAY_LEN(edge))] : rng_next(&r) >> rng_below(&r, 64);
        }
        switch (rng_below(&r, 10)) {
        case 0: vm_mmap(m.vm, p, (va_t){v[0]}, v[1], (unsigned)v[2], (unsigned)v[3] & 3, NULL); break;
        case 1: vm_munmap(m.vm, p, (va_t){v[0]}, v[1] >> 20, NULL); break;
        case 2: vm_mprotect(m.vm, p, (va_t){v[0]}, v[1], (unsigned)v[2], NULL); break;
        case 3: vm_mremap(m.vm, p, (va_t){v[0]}, v[1], (va_t){v[2]}, v[3], v[3] & 1, NULL); break;
        case 4: vm_brk(m.vm, p, v[0], NULL); break;
        case 5: vm_madvise(m.vm, p, (va_t){v[0]}, v[1], (unsigned)v[2] & 31, NULL); break;
        case 6: vm_segment(m.vm, p, (va_t){v[0]}, v[1], (unsigned)v[2], (unsigned)v[3] & 3); break;
        default: {
            struct fault_answer a;
            vm_fault(m.vm, p, (va_t){v[0]}, (unsigned)v[1] & 0x17, &a);
            vm_perform(m.vm, &a);
            if (a.result == FAULT_OOM) {
                vm_kill(m.vm, p);
                p = vm_process_new(m.vm);
            }
        }
        }
        ck_assert_uint_le(m.vm->process[p].vmas.n, 50);
        if (i % 250 == 0)
            machine_check(&m);
    }
    machine_check(&m);
    machine_fini(&m);
}
END_TEST

START_TEST(test_check_sees) /* planted errors */
{
    struct vm_machine m;
    struct vm_config c = config_of(PAGE_SIZE_4K, false);
    struct walk w;
    struct err err;
    machine_init(&m, 64 * MIB, 4, &c);
    uint32_t p = vm_process_new(m.vm);
    machine_access(&m, p, 0x1000, UW, &w);
    pa_t e1 = w.entry_pa;
    machine_access(&m, p, 0x2000, UW, &w);
    uint64_t *entry = phys_at(&m.mem, e1), good = *entry, other = *(uint64_t *)phys_at(&m.mem, w.entry_pa);
    *entry = other; /* one frame mapped twice */
    ck_assert_int_eq(vm_check(m.vm, &err), -1);
    *entry = 0; /* leaked */
    ck_assert_int_eq(vm_check(m.vm, &err), -1);
    *entry = good + 0x100000;
    ck_assert_int_eq(vm_check(m.vm, &err), -1);
    *entry = good | 1ull << 45;
    ck_assert_int_eq(vm_check(m.vm, &err), -1);
    *entry = good;
    ck_assert_int_eq(vm_check(m.vm, &err), 0);
    machine_fini(&m);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("vm");
    TCase *t = tcase_create("vm");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_first_touch);
    tcase_add_test(t, test_large_pages);
    tcase_add_test(t, test_2m_and_split);
    tcase_add_test(t, test_strict);
    tcase_add_test(t, test_stack_and_brk);
    tcase_add_test(t, test_mremap_and_callbacks);
    tcase_add_loop_test(t, test_oom_and_kill, 0, 3);
    tcase_add_test(t, test_fork_exec_kernel_half);
    tcase_add_loop_test(t, test_hostile_arguments, 0, 8);
    tcase_add_test(t, test_check_sees);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
