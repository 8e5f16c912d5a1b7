/* fork and copy-on-write (linux-mm 8.4, 8.5; the live kernel's counts of section 13: a fault a page in the child, in the parent a fault a
 * page that copies nothing). */
#include "unit/vm_machine.h"

#include <stdlib.h>

#define MIB (1ull << 20)
#define GIB (1ull << 30)
#define UR ACCESS_USER
#define UW (ACCESS_USER | ACCESS_WRITE)
#define AT UINT64_C(0x7f0000000000)

static uint64_t frame_of(struct vm_machine *m, uint32_t asid, uint64_t va)
{
    struct walk w;
    struct pt_memory mem = vm_pt_memory(m->vm);
    struct paging_root root = vm_root(m->vm, asid);
    ck_assert_int_eq(walk_all(&w, &root, (va_t){va}, UR, &mem), WALK_LEAF);
    return xlat_pa(w.result, (va_t){va}).v >> PAGE_SHIFT;
}

START_TEST(test_child_writes_then_parent)
{
    enum { PAGES = 16 };
    struct vm_machine m;
    struct vm_config c = config_of(PAGE_SIZE_4K, true);
    struct fault_answer a;
    struct walk w;
    machine_init(&m, 64 * MIB, 4, &c);
    uint32_t p = vm_process_new(m.vm);
    vm_mmap(m.vm, p, (va_t){AT}, PAGES << PAGE_SHIFT, 3, 0, NULL);
    for (uint64_t i = 0; i < PAGES; i++)
        machine_access(&m, p, AT + (i << PAGE_SHIFT), UW, &w);
    uint64_t anon = m.frames->tag_pages[FRAME_TAG_ANON];
    uint32_t child = vm_fork(m.vm, p);
    ck_assert_uint_eq(m.frames->tag_pages[FRAME_TAG_ANON], anon); /* tables only */
    ck_assert_uint_eq(vm_rss_pages(m.vm, child), PAGES);
    ck_assert_uint_eq(m.vm->st.forks, 1);
    ck_assert_uint_eq(m.vm->st.fork_pages, PAGES);
    machine_check(&m);
    uint64_t faults = m.vm->st.faults_minor;
    for (uint64_t i = 0; i < PAGES; i++) { /* reading is free on both sides, and the same page */
        ck_assert_int_eq(machine_access(&m, child, AT + (i << PAGE_SHIFT), UR, &w), FAULT_RESOLVED);
        ck_assert_uint_eq(frame_of(&m, child, AT + (i << PAGE_SHIFT)), frame_of(&m, p, AT + (i << PAGE_SHIFT)));
    }
    ck_assert_uint_eq(m.vm->st.faults_minor, faults);
    vm_fault(m.vm, child, (va_t){AT}, PF_PRESENT | PF_WRITE | PF_USER, &a);
    ck_assert_int_eq(a.result, FAULT_RESOLVED);
    ck_assert(a.replaces);
    ck_assert_uint_eq(a.n, 2);
    ck_assert_int_eq(a.ops[0].op.kind, OS_COPY_PAGE);
    ck_assert_uint_eq(a.ops[0].op.pa.v >> PAGE_SHIFT, frame_of(&m, p, AT));
    ck_assert_int_eq(a.ops[1].op.kind, OS_STORE_PTE);
    vm_clear_entry(m.vm, child, (va_t){AT});
    vm_perform(m.vm, &a);
    ck_assert_uint_ne(frame_of(&m, child, AT), frame_of(&m, p, AT));
    for (uint64_t i = 1; i < PAGES; i++)
        machine_access(&m, child, AT + (i << PAGE_SHIFT), UW, &w);
    ck_assert_uint_eq(m.vm->st.faults_cow, PAGES);
    ck_assert_uint_eq(m.vm->st.faults_minor, faults + PAGES);
    ck_assert_uint_eq(vm_rss_pages(m.vm, child), PAGES);
    machine_check(&m);
    for (uint64_t i = 0; i < PAGES; i++) /* the parent's pages are its own again: a fault each, nothing copied */
        machine_access(&m, p, AT + (i << PAGE_SHIFT), UW, &w);
    ck_assert_uint_eq(m.vm->st.faults_cow, PAGES);
    ck_assert_uint_eq(m.vm->st.faults_reuse, PAGES);
    ck_assert_uint_eq(m.frames->tag_pages[FRAME_TAG_ANON], 2 * anon);
    machine_check(&m);
    machine_fini(&m);
}
END_TEST

START_TEST(test_exit_of_either)
{
    struct vm_machine m;
    struct vm_config c = config_of(PAGE_SIZE_4K, false);
    struct walk w;
    machine_init(&m, 64 * MIB, 4, &c);
    uint32_t p = vm_process_new(m.vm);
    machine_access(&m, p, AT, UW, &w);
    uint64_t pfn = frame_of(&m, p, AT);
    uint32_t child = vm_fork(m.vm, p), grandchild = vm_fork(m.vm, child);
    ck_assert_uint_eq(frame_at(m.frames, (pfn_t){pfn})->mapcount, 3);
    machine_check(&m);
    vm_exit(m.vm, p);
    machine_check(&m);
    vm_kill(m.vm, grandchild);
    ck_assert_uint_eq(frame_at(m.frames, (pfn_t){pfn})->mapcount, 1);
    machine_access(&m, child, AT, UW, &w); /* the last one keeps the page */
    ck_assert_uint_eq(frame_of(&m, child, AT), pfn);
    ck_assert_uint_eq(m.vm->st.faults_cow, 0);
    ck_assert_uint_eq(m.vm->st.faults_reuse, 1);
    machine_check(&m);
    machine_fini(&m);
}
END_TEST

START_TEST(test_shared_mapping)
{
    struct vm_machine m;
    struct vm_config c = config_of(PAGE_SIZE_4K, true);
    struct walk w;
    machine_init(&m, 64 * MIB, 4, &c);
    uint32_t p = vm_process_new(m.vm);
    vm_mmap(m.vm, p, (va_t){AT}, 4096, 3, VMA_SHARED, NULL);
    machine_access(&m, p, AT, UW, &w);
    uint32_t child = vm_fork(m.vm, p);
    uint64_t faults = m.vm->st.faults_minor;
    ck_assert_int_eq(machine_access(&m, child, AT, UW, &w), FAULT_RESOLVED);
    ck_assert_int_eq(machine_access(&m, p, AT, UW, &w), FAULT_RESOLVED);
    ck_assert_uint_eq(m.vm->st.faults_minor, faults);
    ck_assert_uint_eq(frame_of(&m, child, AT), frame_of(&m, p, AT));
    machine_check(&m);
    vm_mprotect(m.vm, child, (va_t){AT}, 4096, 1, NULL);
    ck_assert_int_eq(machine_access(&m, child, AT, UW, &w), FAULT_SEGV);
    vm_mprotect(m.vm, child, (va_t){AT}, 4096, 3, NULL);
    ck_assert_int_eq(machine_access(&m, child, AT, UW, &w), FAULT_RESOLVED);
    ck_assert_uint_eq(frame_of(&m, child, AT), frame_of(&m, p, AT));
    machine_check(&m);
    machine_fini(&m);
}
END_TEST

START_TEST(test_rights) /* what must not be written is not, and mprotect does not undo the sharing */
{
    struct vm_machine m;
    struct vm_config c = config_of(PAGE_SIZE_4K, true);
    struct walk w;
    machine_init(&m, 64 * MIB, 4, &c);
    uint32_t p = vm_process_new(m.vm);
    vm_mmap(m.vm, p, (va_t){AT}, 2 * 4096, 3, 0, NULL);
    machine_access(&m, p, AT, UW, &w);
    machine_access(&m, p, AT + 4096, UW, &w);
    vm_mprotect(m.vm, p, (va_t){AT}, 4096, 1, NULL);
    uint32_t child = vm_fork(m.vm, p);
    ck_assert_int_eq(machine_access(&m, child, AT, UW, &w), FAULT_SEGV);
    ck_assert_int_eq(machine_access(&m, p, AT, UW, &w), FAULT_SEGV);
    vm_mprotect(m.vm, child, (va_t){AT}, 2 * 4096, 3, NULL);
    machine_check(&m); /* says so if an entry lets a shared page be written */
    machine_access(&m, child, AT, UW, &w);
    ck_assert_uint_ne(frame_of(&m, child, AT), frame_of(&m, p, AT));
    vm_mprotect(m.vm, p, (va_t){AT + 4096}, 4096, 0, NULL);
    ck_assert_int_eq(machine_access(&m, p, AT + 4096, UR, &w), FAULT_SEGV);
    ck_assert_int_eq(machine_access(&m, child, AT + 4096, UW, &w), FAULT_RESOLVED);
    ck_assert_uint_eq(m.vm->st.faults_cow, 2);
    machine_check(&m);
    machine_fini(&m);
}
END_TEST

START_TEST(test_large) /* a large page is shared; the first write splits it for all and copies 4 KiB */
{
    struct vm_machine m;
    struct vm_config c = config_of(_i ? PAGE_SIZE_1G : PAGE_SIZE_2M, false);
    struct walk w;
    c.gigantic_pages = _i ? 1 : 0;
    machine_init(&m, 4 * GIB, 4, &c);
    uint32_t p = vm_process_new(m.vm);
    const uint64_t at = 5 * GIB;
    machine_access(&m, p, at, UW, &w);
    uint32_t child = vm_fork(m.vm, p), other = vm_fork(m.vm, p);
    ck_assert_uint_eq(m.vm->process[child].pages[c.page_size], 1);
    ck_assert_uint_eq(vm_rss_pages(m.vm, child), vm_rss_pages(m.vm, p));
    machine_check(&m);
    machine_access(&m, child, at + 7 * 4096, UW, &w);
    ck_assert_uint_eq(m.vm->st.faults_cow, 1);
    ck_assert_uint_eq(m.vm->st.huge_splits, _i ? 6 : 3);
    ck_assert_uint_ne(frame_of(&m, child, at + 7 * 4096), frame_of(&m, p, at + 7 * 4096));
    ck_assert_uint_eq(frame_of(&m, child, at + 8 * 4096), frame_of(&m, other, at + 8 * 4096));
    machine_check(&m);
    vm_munmap(m.vm, other, (va_t){at + MIB}, 4096, NULL); /* part of what others share */
    vm_exit(m.vm, p);
    machine_check(&m);
    vm_exit(m.vm, child);
    machine_access(&m, other, at + 8 * 4096, UW, &w);
    ck_assert_uint_eq(m.vm->st.faults_cow, 1);
    machine_check(&m);
    vm_exit(m.vm, other);
    ck_assert_uint_eq(m.frames->tag_pages[FRAME_TAG_ANON], 0);
    if (!_i)
        machine_fini(&m);
    else { /* the split page went to the allocator, not to the pool */
        vm_free(m.vm);
        frame_map_free(m.frames);
        phys_mem_fini(&m.mem);
    }
}
END_TEST

START_TEST(test_no_memory) /* a fork that cannot have its tables leaves nothing behind */
{
    struct vm_machine m;
    struct vm_config c = config_of(PAGE_SIZE_4K, false);
    struct walk w;
    machine_init(&m, 4 * MIB, 4, &c);
    uint32_t p = vm_process_new(m.vm);
    uint64_t i = 0;
    while (machine_access(&m, p, AT + i * 2 * MIB, UW, &w) == FAULT_RESOLVED) /* a table a page */
        i++;
    uint64_t left = frames_free_pages(m.frames) + frames_pcp_pages(m.frames), rss = vm_rss_pages(m.vm, p);
    ck_assert_uint_eq(vm_fork(m.vm, p), VM_ASID_NONE);
    ck_assert_uint_eq(frames_free_pages(m.frames) + frames_pcp_pages(m.frames), left);
    ck_assert_uint_eq(vm_rss_pages(m.vm, p), rss);
    machine_check(&m);
    ck_assert_int_eq(machine_access(&m, p, AT, UW, &w), FAULT_RESOLVED);
    machine_check(&m);
    machine_fini(&m);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("fork");
    TCase *t = tcase_create("fork");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_child_writes_then_parent);
    tcase_add_test(t, test_exit_of_either);
    tcase_add_test(t, test_shared_mapping);
    tcase_add_test(t, test_rights);
    tcase_add_loop_test(t, test_large, 0, 2);
    tcase_add_test(t, test_no_memory);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
