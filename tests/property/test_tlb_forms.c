/* Closed forms of x86-hardware.md 10.1 and 10.5 on whole TLBs, and a random run against a list of all pages. */
#include "mmu/params.h"
#include "unit/mmu_tables.h"

#include <stdio.h>
#include <string.h>

static struct xlat make(uint64_t pa, enum page_size size)
{
    return (struct xlat){pa | PTE_P | PTE_RW | PTE_US | PTE_D | (uint64_t)size << XLAT_SIZE_SHIFT |
                         (uint64_t)size << XLAT_ORIGIN_SHIFT};
}

static uint64_t lap(struct tlb *t, uint64_t n, uint64_t stride_bytes, enum page_size size)
{
    struct paging_root r = {.levels = 4, .max_phys_bits = 46, .flags = PAGING_DEFAULT};
    struct access_check rd = access_check_make(&r, ACCESS_USER);
    uint64_t before = t->st.misses;
    for (uint64_t i = 0; i < n; i++) {
        va_t va = {i * stride_bytes};
        if (xlat_is_none(tlb_lookup(t, 1, va, &rd)))
            tlb_insert(t, 1, va, make(va.v & ~(page_size_bytes(size) - 1), size));
    }
    return t->st.misses - before;
}

START_TEST(test_cyclic) /* 10.1 */
{
    static const struct { char which; enum page_size size; uint64_t n, misses; } c[] = {
        {'s', PAGE_SIZE_4K, 1536, 0}, {'s', PAGE_SIZE_4K, 1537, 13}, {'s', PAGE_SIZE_4K, 1600, 832},
        {'s', PAGE_SIZE_4K, 1664, 1664}, {'s', PAGE_SIZE_4K, 2000, 2000}, {'s', PAGE_SIZE_2M, 1536, 0},
        {'s', PAGE_SIZE_2M, 1537, 13}, {'s', PAGE_SIZE_1G, 16, 0}, {'s', PAGE_SIZE_1G, 17, 5},
        {'d', PAGE_SIZE_4K, 64, 0}, {'d', PAGE_SIZE_4K, 65, 5}, {'d', PAGE_SIZE_4K, 68, 20}, {'d', PAGE_SIZE_4K, 80, 80},
        {'d', PAGE_SIZE_4K, 100, 100}, {'d', PAGE_SIZE_2M, 32, 0}, {'d', PAGE_SIZE_2M, 33, 5}, {'d', PAGE_SIZE_1G, 5, 5},
        {'i', PAGE_SIZE_4K, 128, 0}, {'i', PAGE_SIZE_4K, 129, 9}, {'i', PAGE_SIZE_2M, 8, 0}, {'i', PAGE_SIZE_2M, 9, 9},
    };
    for (size_t i = 0; i < ARRAY_LEN(c); i++) {
        struct mmu_config cfg;
        struct tlb t;
        struct err err;
        mmu_config_defaults(&cfg);
        tlb_init(&t, c[i].which == 'i' ? &cfg.itlb : c[i].which == 'd' ? &cfg.dtlb : &cfg.stlb, 1, "t", &err);
        uint64_t stride = page_size_bytes(c[i].size);
        ck_assert_uint_eq(lap(&t, c[i].n, stride, c[i].size), c[i].n);
        for (int l = 0; l < 4; l++)
            ck_assert_msg(lap(&t, c[i].n, stride, c[i].size) == c[i].misses, "case %zu", i);
        tlb_fini(&t);
    }
}
END_TEST

START_TEST(test_strided) /* 10.5: misses per access = min(1, s / p) */
{
    static const uint64_t stride[] = {8, 64, 256, 4096, 8192};
    for (enum page_size size = PAGE_SIZE_4K; size <= PAGE_SIZE_2M; size++)
        for (size_t i = 0; i < ARRAY_LEN(stride); i++) {
            struct mmu_config cfg;
            struct tlb t;
            struct err err;
            if (size == PAGE_SIZE_2M && stride[i] < 4096)
                continue; /* millions of accesses that say nothing new */
            uint64_t page = page_size_bytes(size), n = 256 * page / (stride[i] < page ? stride[i] : page);
            mmu_config_defaults(&cfg);
            tlb_init(&t, &cfg.dtlb, 1, "t", &err);
            uint64_t expect = stride[i] < page ? n * stride[i] / page : n;
            ck_assert_uint_eq(lap(&t, n, stride[i], size), expect);
            ck_assert_uint_eq(lap(&t, n, stride[i], size), expect); /* nothing of the first lap is left */
            tlb_fini(&t);
        }
}
END_TEST

/* Oracle: a table of what was last inserted for each page and not invalidated since. A TLB may forget, never invent. */
enum { SPACES = 3, PAGES = 2048 };
START_TEST(test_never_invents)
{
    struct mmu_config cfg;
    struct tlb t;
    struct err err;
    struct rng r;
    static uint64_t pa[SPACES][PAGES]; /* 4 KiB pages of 8 MiB; 0: none. Pages 1024.. are two 2 MiB pages */
    struct paging_root root = {.levels = 4, .max_phys_bits = 46, .flags = PAGING_DEFAULT};
    struct access_check rd = access_check_make(&root, ACCESS_USER);
    mmu_config_defaults(&cfg);
    cfg.stlb.replacement = cfg.dtlb.replacement = cfg.itlb.replacement = _i % REPL_COUNT == REPL_tree_plru ? REPL_fifo : _i % REPL_COUNT;
    memset(pa, 0, sizeof pa);
    struct tlb_config *which = _i < 5 ? &cfg.stlb : _i < 10 ? &cfg.dtlb : &cfg.itlb;
    if (_i >= 10) /* fragments: no array for 2 MiB */
        which->huge_2m.entries = 0;
    ck_assert_int_eq(tlb_init(&t, which, 9, "t", &err), 0);
    rng_init(&r, 77 + (uint64_t)_i, "ops");
    for (int step = 0; step < 200000; step++) {
        uint32_t asid = (uint32_t)rng_below(&r, SPACES);
        uint64_t page = rng_below(&r, PAGES), first = page < 1024 ? page : page & ~511ull, n = page < 1024 ? 1 : 512;
        va_t va = {page << 12 | rng_below(&r, 4096)};
        switch (rng_below(&r, 20)) {
        case 0:
            tlb_invalidate_page(&t, asid, va);
            memset(&pa[asid][first], 0, n * sizeof pa[0][0]);
            break;
        case 1:
            if (rng_below(&r, 200) == 0) {
                tlb_flush_asid(&t, asid);
                memset(pa[asid], 0, sizeof pa[asid]);
            }
            break;
        case 2: {
            uint64_t len = 1 + rng_below(&r, 100);
            tlb_invalidate_range(&t, asid, va, len << 12);
            for (uint64_t p = page; p <= page + len && p < PAGES; p++) /* an unaligned start meets one page more */
                if (p < page + len || (va.v & 4095)) {
                    uint64_t f = p < 1024 ? p : p & ~511ull;
                    memset(&pa[asid][f], 0, (p < 1024 ? 1 : 512) * sizeof pa[0][0]);
                }
            break;
        }
        default: {
            struct xlat x = tlb_lookup(&t, asid, va, &rd);
            if (!xlat_is_none(x)) {
                if (pa[asid][page] == 0 || xlat_pa(x, va).v != (pa[asid][page] | (va.v & 4095)))
                    ck_abort_msg("step %d: a hit that nobody inserted", step);
                break;
            }
            uint64_t base = pa[asid][first] ? pa[asid][first] : (1 + rng_below(&r, 1000)) << 21;
            for (uint64_t k = 0; k < n; k++)
                pa[asid][first + k] = base + (k << 12);
            tlb_insert(&t, asid, va, make(base, n == 1 ? PAGE_SIZE_4K : PAGE_SIZE_2M));
            if (xlat_pa(tlb_peek(&t, asid, va, &rd), va).v != (pa[asid][page] | (va.v & 4095)))
                ck_abort_msg("step %d: not there after the insertion", step);
        }
        }
    }
    ck_assert_uint_eq(t.st.accesses, t.st.hits + t.st.misses);
    ck_assert_uint_eq(t.array[0].tags.used + t.array[1].tags.used + t.array[2].tags.used, t.count[0] + t.count[1] + t.count[2]);
    tlb_fini(&t);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("tlb_forms");
    TCase *t = tcase_create("tlb_forms");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, test_cyclic);
    tcase_add_test(t, test_strided);
    tcase_add_loop_test(t, test_never_invents, 0, 15);
    suite_add_tcase(s, t);
    return run_suite(s);
}
