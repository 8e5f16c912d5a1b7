#include "mmu/psc.h"

#include "unit/mmu_tables.h"

#include <math.h>

#define FLAGS (2u | 4u | 0x20u)

static void psc_make(struct psc *p, uint32_t pde, uint32_t pdpte, uint32_t pml4e, uint32_t pml5e)
{
    struct err err;
    struct psc_config c = {.pde = {pde, pde, REPL_lru}, .pdpte = {pdpte, pdpte, REPL_lru},
                           .pml4e = {pml4e, pml4e, REPL_lru}, .pml5e = {pml5e, pml5e, REPL_lru}};
    ck_assert_int_eq(psc_init(p, &c, 1, "t.pwc", &err), 0);
}

static unsigned walk_with(struct psc *p, uint32_t asid, struct tables *t, const struct paging_root *r, uint64_t va,
                          struct walk *w)
{
    enum walk_result x;
    walk_begin(w, r, (va_t){va}, ACCESS_USER);
    psc_start(p, asid, w);
    while ((x = walk_step(w, *tables_entry(t, walk_entry_pa(w).v))) == WALK_NEXT)
        psc_fill(p, asid, w);
    ck_assert_int_eq(x, WALK_LEAF);
    return w->refs;
}

START_TEST(test_refs_table) /* 2.9: references left after a hit at each level */
{
    static const unsigned refs4[6][4] = {[0] = {0, 4, 3, 2}, [4] = {0, 3, 2, 1}, [3] = {0, 2, 1, 0}, [2] = {0, 1, 0, 0}};
    static const unsigned refs5[6][4] = {[0] = {0, 5, 4, 3}, [5] = {0, 4, 3, 2}, [4] = {0, 3, 2, 1}, [3] = {0, 2, 1, 0},
                                         [2] = {0, 1, 0, 0}};
    for (unsigned levels = 4; levels <= 5; levels++)
        for (unsigned hit = 0; hit <= levels; hit = hit ? hit + 1 : 2)
            for (unsigned leaf = 1; leaf <= 3; leaf++) {
                unsigned expect = levels == 4 ? refs4[hit][leaf] : refs5[hit][leaf];
                if (expect == 0)
                    continue;
                struct tables t;
                struct psc p;
                struct walk w;
                tables_init(&t, levels);
                struct paging_root r = tables_root(&t);
                psc_make(&p, hit == 2, hit == 3, hit == 4, hit == 5);
                tables_map(&t, 0, 0x40000000, leaf, FLAGS, FLAGS);
                ck_assert_uint_eq(walk_with(&p, 1, &t, &r, 0, &w), levels - leaf + 1);
                ck_assert_msg(walk_with(&p, 1, &t, &r, 0, &w) == expect, "levels %u hit %u leaf %u: %u", levels, hit, leaf,
                              w.refs);
                ck_assert_uint_eq(xlat_pa(w.result, (va_t){0x123}).v, 0x40000123);
                ck_assert_uint_eq(p.st.hits, hit != 0);
                psc_fini(&p);
                tables_fini(&t);
            }
}
END_TEST

START_TEST(test_longest_prefix_and_asid)
{
    struct tables t;
    struct psc p;
    struct walk w;
    tables_init(&t, 5);
    struct paging_root r = tables_root(&t);
    psc_make(&p, 4, 4, 4, 4);
    static const uint64_t va[] = {0, 1ull << 12, 1ull << 21, 1ull << 30, 1ull << 39, 1ull << 48};
    static const unsigned refs[] = {5, 1, 2, 3, 4, 5};
    for (size_t i = 0; i < ARRAY_LEN(va); i++) {
        tables_map(&t, va[i], 0x1000, 1, FLAGS, FLAGS);
        psc_flush_all(&p);
        if (i)
            walk_with(&p, 7, &t, &r, 0, &w);
        ck_assert_uint_eq(walk_with(&p, 7, &t, &r, va[i], &w), refs[i]);
    }
    psc_flush_all(&p);
    walk_with(&p, 7, &t, &r, 0, &w);
    ck_assert_uint_eq(walk_with(&p, 8, &t, &r, 0, &w), 5); /* another address space */
    psc_flush_asid(&p, 7);                                   /* INVLPG: all of the address space */
    ck_assert_uint_eq(walk_with(&p, 8, &t, &r, 0, &w), 1);
    ck_assert_uint_eq(walk_with(&p, 7, &t, &r, 0, &w), 5);
    psc_invalidate_va(&p, 7, (va_t){1ull << 39}); /* shares only the PML5E with address 0 */
    ck_assert_uint_eq(walk_with(&p, 7, &t, &r, 0, &w), 1);
    psc_fini(&p);
    tables_fini(&t);
}
END_TEST

START_TEST(test_snapshot_rights) /* entries carry the rights above them and see no later change */
{
    struct tables t;
    struct psc p;
    struct walk w;
    struct err err;
    tables_init(&t, 4);
    struct paging_root r = tables_root(&t);
    struct pt_memory m = tables_memory(&t);
    psc_make(&p, 4, 4, 4, 0);
    tables_map(&t, 0, 0x9000, 1, FLAGS, FLAGS);
    t.page[0][0] &= ~2ull; /* PML4E read-only */
    walk_with(&p, 1, &t, &r, 0, &w);
    t.page[0][0] |= 2;
    walk_begin(&w, &r, (va_t){0}, ACCESS_USER | ACCESS_WRITE);
    ck_assert_uint_eq(psc_start(&p, 1, &w), 2);
    ck_assert_int_eq(walk_step(&w, *tables_entry(&t, walk_entry_pa(&w).v)), WALK_FAULT);
    ck_assert_uint_eq(w.error_code, PF_PRESENT | PF_WRITE | PF_USER);
    ck_assert_int_eq(psc_check(&p, 1, &r, &m, &err), 0); /* fewer rights than the tables are fine */
    psc_invalidate_va(&p, 1, (va_t){0});                   /* what a #PF does: the retry sees the new right */
    walk_begin(&w, &r, (va_t){0}, ACCESS_USER | ACCESS_WRITE);
    ck_assert_uint_eq(psc_start(&p, 1, &w), 0);
    walk_with(&p, 1, &t, &r, 0, &w);
    t.page[0][0] &= ~2ull;
    ck_assert_int_eq(psc_check(&p, 1, &r, &m, &err), -1);
    t.page[0][0] |= 2;
    t.page[1][0] ^= 0x1000;
    ck_assert_int_eq(psc_check(&p, 1, &r, &m, &err), -1);
    psc_fini(&p);
    tables_fini(&t);
}
END_TEST

START_TEST(test_sequential_sweep) /* 10.6: 1 + 1/512 + 1/512^2 + 1/512^3 references a walk, one entry a level */
{
    /* A whole 512 GiB of 4 KiB pages: 2^27 walks through tables that all lie in one frame, so that it fits. */
    struct psc p;
    struct paging_root r = {.levels = 4, .max_phys_bits = 46, .flags = PAGING_DEFAULT};
    psc_make(&p, 1, 1, 1, 0);
    uint64_t refs = 0, n = 1ull << 27;
    for (uint64_t i = 0; i < n; i++) {
        struct walk w;
        walk_begin(&w, &r, (va_t){i << 12}, ACCESS_USER);
        psc_start(&p, 1, &w);
        while (walk_step(&w, w.level > 1 ? 0x1027 : 0x2027) == WALK_NEXT)
            psc_fill(&p, 1, &w);
        refs += w.refs;
    }
    ck_assert_uint_eq(refs, n + n / 512 + n / 512 / 512 + n / 512 / 512 / 512);
    ck_assert(fabs((double)refs / (double)n - 1.0019569471) < 1e-9);
    psc_fini(&p);
}
END_TEST

START_TEST(test_random_64g) /* 10.6: random over 64 GiB, PDE cache 32 FA LRU, PDPTE cache 64: 1.999023 */
{
    struct psc p;
    struct rng rng;
    struct paging_root r = {.levels = 4, .max_phys_bits = 46, .flags = PAGING_DEFAULT};
    psc_make(&p, 32, 64, 1, 0);
    rng_init(&rng, 5, "walks");
    uint64_t refs = 0, n = 1000000;
    for (uint64_t i = 0; i < n + 20000; i++) {
        struct walk w;
        walk_begin(&w, &r, (va_t){rng_below(&rng, 1ull << 24) << 12}, ACCESS_USER);
        psc_start(&p, 1, &w);
        while (walk_step(&w, w.level > 1 ? 0x1027 : 0x2027) == WALK_NEXT)
            psc_fill(&p, 1, &w);
        refs += i < 20000 ? 0 : w.refs;
    }
    ck_assert(fabs((double)refs / (double)n - 1.999023) < 0.0002);
    psc_fini(&p);
}
END_TEST

START_TEST(test_bad_sizes)
{
    struct psc p;
    struct err err;
    struct psc_config c = {.pde = {32, 5, REPL_lru}};
    ck_assert_int_eq(psc_init(&p, &c, 1, "t", &err), -1);
    c.pde.ways = 0;
    ck_assert_int_eq(psc_init(&p, &c, 1, "t", &err), -1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("psc");
    TCase *t = tcase_create("psc");
    tcase_set_timeout(t, 300);
    tcase_add_test(t, test_refs_table);
    tcase_add_test(t, test_longest_prefix_and_asid);
    tcase_add_test(t, test_snapshot_rights);
    tcase_add_test(t, test_sequential_sweep);
    tcase_add_test(t, test_random_64g);
    tcase_add_test(t, test_bad_sizes);
    suite_add_tcase(s, t);
    return run_suite(s);
}
