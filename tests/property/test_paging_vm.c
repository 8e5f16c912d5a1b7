/*
 * Random touches and address-space calls on several processes, with TLB and paging-structure caches in between, against
 * an oracle that is an array of rights by page. What the caches translate must be what the tables say at that moment,
 * and no frame may appear at two addresses.
 */
#include "mmu/params.h"
#include "unit/vm_machine.h"

#include <stdlib.h>

enum { SPACES = 3, PAGES = 4096 }; /* 16 MiB of addresses each */
#define BASE 0x7f0000000000ull

struct world {
    struct vm_machine m;
    struct tlb tlb;
    struct psc psc;
    struct rng rng;
    uint32_t asid[SPACES];
    signed char prot[SPACES][PAGES]; /* -1: not mapped */
    bool strict;
};

static void drop(void *self, uint32_t asid, va_t va, enum page_size size, pa_t entry_pa)
{
    struct world *w = self;
    (void)size, (void)entry_pa;
    tlb_invalidate_page(&w->tlb, asid, va);
    psc_flush_asid(&w->psc, asid);
}

static void drop_all(struct world *w, uint32_t asid)
{
    tlb_flush_asid(&w->tlb, asid);
    psc_flush_asid(&w->psc, asid);
}

static void restart(struct world *w, unsigned s, bool kill)
{
    if (kill)
        vm_kill(w->m.vm, w->asid[s]);
    else
        vm_exit(w->m.vm, w->asid[s]);
    drop_all(w, w->asid[s]);
    w->asid[s] = vm_process_new(w->m.vm);
    ck_assert_uint_ne(w->asid[s], VM_ASID_NONE);
    memset(w->prot[s], -1, sizeof w->prot[s]);
}

/* One access as a core makes it. */
static enum fault_result touch(struct world *w, unsigned s, uint64_t va, unsigned access)
{
    struct paging_root root = vm_root(w->m.vm, w->asid[s]);
    struct pt_memory mem = vm_pt_memory(w->m.vm);
    struct access_check c = access_check_make(&root, access);
    for (int tries = 0; tries < 4; tries++) {
        struct fault_answer a;
        struct walk k, plain;
        struct xlat x = tlb_lookup(&w->tlb, w->asid[s], (va_t){va}, &c);
        if (!xlat_is_none(x)) {
            struct pt_memory quiet = {.self = mem.self, .read = mem.read};
            if (walk_all(&plain, &root, (va_t){va}, access, &quiet) != WALK_LEAF ||
                xlat_pa(plain.result, (va_t){va}).v != xlat_pa(x, (va_t){va}).v)
                ck_abort_msg("the TLB translates 0x%llx otherwise than the tables", (unsigned long long)va);
            return FAULT_RESOLVED;
        }
        enum walk_result r;
        walk_begin(&k, &root, (va_t){va}, access);
        psc_start(&w->psc, w->asid[s], &k);
        do {
            r = walk_step(&k, mem.read(mem.self, walk_entry_pa(&k)));
            if (k.update)
                mem.set_bits(mem.self, k.entry_pa, k.update);
            if (r == WALK_NEXT)
                psc_fill(&w->psc, w->asid[s], &k);
        } while (r == WALK_NEXT);
        if (r == WALK_LEAF) {
            tlb_insert(&w->tlb, w->asid[s], (va_t){va}, k.result);
            continue;
        }
        tlb_invalidate_page(&w->tlb, w->asid[s], (va_t){va});
        psc_invalidate_va(&w->psc, w->asid[s], (va_t){va});
        vm_fault(w->m.vm, w->asid[s], (va_t){va}, k.error_code, &a);
        if (a.result == FAULT_SPURIOUS)
            continue;
        if (a.result != FAULT_RESOLVED)
            return a.result;
        vm_perform(w->m.vm, &a);
    }
    ck_abort_msg("0x%llx faults for ever", (unsigned long long)va);
    return FAULT_SEGV;
}

static void fill(struct world *w, unsigned s, uint64_t page, uint64_t n, int prot, bool only_mapped)
{
    for (uint64_t i = page; i < page + n && i < PAGES; i++)
        if (!only_mapped || w->prot[s][i] >= 0)
            w->prot[s][i] = (signed char)prot;
}

static void check(struct world *w)
{
    struct err err = {0};
    struct pt_memory mem = vm_pt_memory(w->m.vm);
    machine_check(&w->m);
    for (unsigned s = 0; s < SPACES; s++) {
        struct paging_root root = vm_root(w->m.vm, w->asid[s]);
        ck_assert_msg(tlb_check(&w->tlb, w->asid[s], &root, &mem, &err) == 0, "%s", err.message);
        ck_assert_msg(psc_check(&w->psc, w->asid[s], &root, &mem, &err) == 0, "%s", err.message);
    }
}

static void step(struct world *w)
{
    struct vm_shootdown sd = {w, drop};
    unsigned s = (unsigned)rng_below(&w->rng, SPACES);
    uint64_t page = rng_below(&w->rng, PAGES), va = BASE + (page << 12);
    uint64_t n = 1 + (rng_below(&w->rng, 4) ? rng_below(&w->rng, 64) : rng_below(&w->rng, 1500));
    if (page + n > PAGES)
        n = PAGES - page;
    switch (rng_below(&w->rng, 400)) {
    case 0: {
        int prot = (int)rng_below(&w->rng, 4) | 1;
        vm_mmap(w->m.vm, w->asid[s], (va_t){va}, n << 12, (unsigned)prot, 0, &sd);
        fill(w, s, page, n, prot, false);
        break;
    }
    case 1:
        vm_munmap(w->m.vm, w->asid[s], (va_t){va}, n << 12, &sd);
        fill(w, s, page, n, -1, false);
        break;
    case 2: {
        int prot = (int)rng_below(&w->rng, 8);
        vm_mprotect(w->m.vm, w->asid[s], (va_t){va}, n << 12, (unsigned)prot, &sd);
        fill(w, s, page, n, prot, true);
        break;
    }
    case 3:
        vm_madvise(w->m.vm, w->asid[s], (va_t){va}, n << 12, 4, &sd);
        break;
    case 4: {
        uint64_t to = rng_below(&w->rng, PAGES), n2 = 1 + rng_below(&w->rng, 600);
        if (to + n2 > PAGES)
            n2 = PAGES - to;
        if (n > n2)
            n = n2; /* what a kernel would do: one mapping with equal rights moves */
        if ((page < to + n2 && to < page + n) || w->prot[s][page] < 0)
            break;
        int prot = w->prot[s][page];
        for (uint64_t i = page; i < page + n; i++)
            if (w->prot[s][i] != prot)
                return;
        bool keep = rng_below(&w->rng, 4) == 0;
        vm_mremap(w->m.vm, w->asid[s], (va_t){va}, n << 12, (va_t){BASE + (to << 12)}, n2 << 12, keep, &sd);
        fill(w, s, to, n2, prot, false);
        if (!keep)
            fill(w, s, page, n, -1, false);
        break;
    }
    case 5:
        if (rng_below(&w->rng, 6) == 0)
            restart(w, s, false);
        break;
    default: {
        unsigned kind = (unsigned)rng_below(&w->rng, 3);
        unsigned access = ACCESS_USER | (kind == 1 ? ACCESS_WRITE : kind == 2 ? ACCESS_FETCH : 0u);
        int prot = w->prot[s][page];
        bool legal = !w->strict || (prot > 0 && (kind != 1 || (prot & 2)) && (kind != 2 || (prot & 4)));
        enum fault_result r = touch(w, s, va + rng_below(&w->rng, 4096), access);
        if (r == FAULT_OOM) {
            restart(w, s, true);
            break;
        }
        if ((r == FAULT_RESOLVED) != legal)
            ck_abort_msg("page %u of space %u, rights %d, kind %u: answer %d", (unsigned)page, s, prot, kind, r);
    }
    }
}

START_TEST(test_random)
{
    struct world *w = calloc(1, sizeof *w);
    struct vm_config c;
    struct mmu_config mc;
    struct err err;
    vm_config_defaults(&c);
    mmu_config_defaults(&mc);
    c.strict = w->strict = _i & 1;
    c.page_size = (_i >> 1) & 1 ? PAGE_SIZE_2M : PAGE_SIZE_4K;
    /* The small machine runs out of memory now and then. */
    machine_init(&w->m, _i & 4 ? 12ull << 20 : 256ull << 20, _i & 8 ? 5 : 4, &c);
    ck_assert_int_eq(tlb_init(&w->tlb, _i & 4 ? &mc.itlb : &mc.stlb, 1, "t", &err), 0);
    ck_assert_int_eq(psc_init(&w->psc, &mc.pwc, 1, "p", &err), 0);
    rng_init(&w->rng, (uint64_t)_i, "paging_vm"); /* the loop number is the seed */
    for (unsigned s = 0; s < SPACES; s++) {
        w->asid[s] = vm_process_new(w->m.vm);
        memset(w->prot[s], -1, sizeof w->prot[s]);
    }
    for (int i = 0; i < 40000; i++) {
        step(w);
        if (i % 500 == 0)
            check(w);
    }
    check(w);
    ck_assert_uint_gt(w->m.vm->st.faults_minor, 100);
    if (_i & 4 && !(_i & 1))
        ck_assert_uint_gt(w->m.vm->st.faults_oom, 0);
    tlb_fini(&w->tlb);
    psc_fini(&w->psc);
    machine_fini(&w->m);
    free(w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("paging_vm");
    TCase *t = tcase_create("paging_vm");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, test_random, 0, 16);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
