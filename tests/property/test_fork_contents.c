/*
 * Copy-on-write against what programs see: frames have contents here (a number a page), which the operations of faults clear and
 * copy; every process reads what it, or its parent before the fork, wrote last. With small pages and large ones, mprotect, mremap,
 * unmapping, exits; the verifiers of the library in between. Then the same with too little memory, the books alone.
 */
#include "engine/rng.h"
#include "unit/vm_machine.h"

#include <stdlib.h>

enum { SLOTS = 6, PAGES = 1536, STEPS = 6000 };
#define BASE UINT64_C(0x7f0000000000)
#define UR ACCESS_USER
#define UW (ACCESS_USER | ACCESS_WRITE)

struct world {
    struct vm_machine m;
    struct rng r;
    uint32_t asid[SLOTS];
    bool alive[SLOTS];
    uint64_t sees[SLOTS][PAGES]; /* what the page must hold */
    uint8_t prot[SLOTS][PAGES];
    uint64_t *frame;             /* what each frame holds */
    uint64_t written;
    bool tight;
};

static uint64_t va_of(uint64_t page) { return BASE + (page << PAGE_SHIFT); }

static void perform(struct world *w, const struct fault_answer *a)
{
    for (uint32_t i = 0; i < a->n; i++)
        for (uint64_t k = 0; k < a->ops[i].repeat; k++) {
            const struct os_op *op = &a->ops[i].op;
            if (op->kind == OS_CLEAR_PAGE)
                w->frame[(op->pa.v >> PAGE_SHIFT) + k] = 0;
            else if (op->kind == OS_COPY_PAGE)
                w->frame[(op->value >> PAGE_SHIFT) + k] = w->frame[(op->pa.v >> PAGE_SHIFT) + k];
        }
    vm_perform(w->m.vm, a);
}

/* The frame after an access; FAULT_SEGV, FAULT_OOM: none. */
static enum fault_result touch(struct world *w, unsigned s, uint64_t page, unsigned access, uint64_t *pfn)
{
    struct pt_memory mem = vm_pt_memory(w->m.vm);
    struct paging_root root = vm_root(w->m.vm, w->asid[s]);
    for (unsigned tries = 0; tries < 5; tries++) {
        struct walk k;
        struct fault_answer a;
        if (walk_all(&k, &root, (va_t){va_of(page)}, access, &mem) == WALK_LEAF) {
            *pfn = xlat_pa(k.result, (va_t){va_of(page)}).v >> PAGE_SHIFT;
            return FAULT_RESOLVED;
        }
        vm_fault(w->m.vm, w->asid[s], (va_t){va_of(page)}, k.error_code, &a);
        if (a.result == FAULT_SPLIT)
            vm_split_page(w->m.vm, w->asid[s], (va_t){va_of(page)}, NULL);
        else if (a.result != FAULT_RESOLVED)
            return a.result;
        if (a.replaces)
            vm_clear_entry(w->m.vm, w->asid[s], (va_t){va_of(page)});
        perform(w, &a);
    }
    ck_abort_msg("page %llu faults for ever", (unsigned long long)page);
    return FAULT_SEGV;
}

static void map(struct world *w, unsigned s, uint64_t page, uint64_t n)
{
    vm_mmap(w->m.vm, w->asid[s], (va_t){va_of(page)}, n << PAGE_SHIFT, 3, 0, NULL);
    for (uint64_t i = page; i < page + n; i++) {
        w->sees[s][i] = 0;
        w->prot[s][i] = 3;
    }
}

static void access_step(struct world *w, unsigned s)
{
    uint64_t page = rng_below(&w->r, rng_below(&w->r, 4) ? 48 : PAGES), pfn = 0;
    bool write = rng_below(&w->r, 2);
    enum fault_result got = touch(w, s, page, write ? UW : UR, &pfn);
    if (got == FAULT_OOM) {
        ck_assert(w->tight);
        vm_kill(w->m.vm, w->asid[s]);
        w->alive[s] = false;
        return;
    }
    ck_assert_int_eq(got, write && !(w->prot[s][page] & 2) ? FAULT_SEGV : FAULT_RESOLVED);
    if (got == FAULT_SEGV)
        return;
    if (!w->tight)
        ck_assert_msg(w->frame[pfn] == w->sees[s][page], "process %u, page %llu: it sees %llu, should %llu", s,
                      (unsigned long long)page, (unsigned long long)w->frame[pfn], (unsigned long long)w->sees[s][page]);
    if (write)
        w->frame[pfn] = w->sees[s][page] = ++w->written;
}

static void begin(struct world *w, unsigned s)
{
    w->asid[s] = vm_process_new(w->m.vm);
    w->alive[s] = w->asid[s] != VM_ASID_NONE;
    if (w->alive[s])
        map(w, s, 0, PAGES);
}

static void fork_step(struct world *w, unsigned s)
{
    unsigned to = (unsigned)rng_below(&w->r, SLOTS);
    if (to == s)
        return;
    if (w->alive[to])
        vm_exit(w->m.vm, w->asid[to]);
    w->asid[to] = vm_fork(w->m.vm, w->asid[s]);
    w->alive[to] = w->asid[to] != VM_ASID_NONE;
    ck_assert(w->alive[to] || w->tight);
    memcpy(w->sees[to], w->sees[s], sizeof w->sees[s]);
    memcpy(w->prot[to], w->prot[s], sizeof w->prot[s]);
}

/* Moves a range to a disjoint one; what it left is mapped anew. */
static void move_step(struct world *w, unsigned s, uint64_t page, uint64_t n)
{
    uint64_t to = rng_below(&w->r, PAGES - n + 1);
    for (uint64_t i = page; i < page + n; i++)
        if (w->prot[s][i] != w->prot[s][page])
            return; /* several mappings: the kernel refuses */
    if (to < page + n && page < to + n)
        return;
    vm_mremap(w->m.vm, w->asid[s], (va_t){va_of(page)}, n << PAGE_SHIFT, (va_t){va_of(to)}, n << PAGE_SHIFT, false, NULL);
    memcpy(&w->sees[s][to], &w->sees[s][page], n * sizeof w->sees[s][0]);
    memcpy(&w->prot[s][to], &w->prot[s][page], n);
    map(w, s, page, n);
}

static void step(struct world *w)
{
    unsigned s = (unsigned)rng_below(&w->r, SLOTS), what = (unsigned)rng_below(&w->r, 100);
    uint64_t page = rng_below(&w->r, PAGES), n = 1 + rng_below(&w->r, rng_below(&w->r, 4) ? 8 : 600);
    if (n > PAGES - page)
        n = PAGES - page;
    if (!w->alive[s]) {
        begin(w, s);
    } else if (what < 85) {
        access_step(w, s);
    } else if (what < 89) {
        fork_step(w, s);
    } else if (what < 90) {
        vm_exit(w->m.vm, w->asid[s]);
        w->alive[s] = false;
    } else if (what < 92) {
        vm_munmap(w->m.vm, w->asid[s], (va_t){va_of(page)}, n << PAGE_SHIFT, NULL);
        map(w, s, page, n);
    } else if (what < 95) {
        unsigned prot = rng_below(&w->r, 2) ? 1 : 3;
        vm_mprotect(w->m.vm, w->asid[s], (va_t){va_of(page)}, n << PAGE_SHIFT, prot, NULL);
        memset(&w->prot[s][page], (int)prot, n);
    } else if (what < 97) {
        vm_madvise(w->m.vm, w->asid[s], (va_t){va_of(page)}, n << PAGE_SHIFT, 4, NULL);
        memset(&w->sees[s][page], 0, n * sizeof w->sees[s][0]);
    } else {
        move_step(w, s, page, n);
    }
}

/* _i: bit 0 large pages, bit 1 too little memory, the rest the seed. */
START_TEST(test_contents)
{
    struct world *w = calloc(1, sizeof *w);
    struct vm_config c;
    ck_assert_ptr_nonnull(w);
    vm_config_defaults(&c);
    c.strict = true;
    c.page_size = _i & 1 ? PAGE_SIZE_2M : PAGE_SIZE_4K;
    w->tight = _i & 2;
    machine_init(&w->m, w->tight ? 6u << 20 : 128u << 20, _i & 4 ? 5 : 4, &c);
    w->frame = calloc(w->m.frames->n_frames, sizeof *w->frame);
    ck_assert_ptr_nonnull(w->frame);
    rng_init(&w->r, (uint64_t)_i, "fork");
    for (unsigned i = 0; i < STEPS; i++) {
        step(w);
        if (i % 64 == 0)
            machine_check(&w->m);
    }
    machine_check(&w->m);
    ck_assert_uint_gt(w->m.vm->st.faults_cow, 50);
    ck_assert_uint_gt(w->m.vm->st.faults_reuse, 50);
    free(w->frame);
    machine_fini(&w->m);
    free(w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("fork_contents");
    TCase *t = tcase_create("fork_contents");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, test_contents, 0, 16);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
