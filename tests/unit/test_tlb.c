#include "mmu/tlb.h"

#include "mmu/params.h"
#include "unit/mmu_tables.h"

#include <string.h>

#define FLAGS (2u | 4u | 0x20u | 0x40u)

static struct xlat make(uint64_t pa, enum page_size size, uint64_t flags)
{
    return (struct xlat){pa | flags | PTE_P | (uint64_t)size << XLAT_SIZE_SHIFT | (uint64_t)size << XLAT_ORIGIN_SHIFT};
}
static struct access_check check_of(unsigned access)
{
    struct paging_root r = {.levels = 4, .max_phys_bits = 46, .flags = PAGING_DEFAULT};
    return access_check_make(&r, access);
}
static struct tlb skylake(char which)
{
    struct mmu_config c;
    struct tlb t;
    struct err err;
    mmu_config_defaults(&c);
    ck_assert_int_eq(tlb_init(&t, which == 'i' ? &c.itlb : which == 'd' ? &c.dtlb : &c.stlb, 1, "t", &err), 0);
    return t;
}
static void conserved(const struct tlb *t)
{
    ck_assert_uint_eq(t->st.accesses, t->st.hits + t->st.misses);
    ck_assert_uint_eq(t->st.hits, t->st.hits_4k + t->st.hits_2m + t->st.hits_1g);
    uint32_t used = t->array[0].tags.used + t->array[1].tags.used + t->array[2].tags.used;
    ck_assert_uint_eq(used, t->count[0] + t->count[1] + t->count[2]);
}

START_TEST(test_hit_miss_rights)
{
    struct tlb t = skylake('d');
    struct access_check rd = check_of(ACCESS_USER), wr = check_of(ACCESS_USER | ACCESS_WRITE);
    va_t va = {0x7fff12345678};
    ck_assert(xlat_is_none(tlb_lookup(&t, 3, va, &rd)));
    tlb_insert(&t, 3, va, make(0x55000, PAGE_SIZE_4K, PTE_RW | PTE_US));
    ck_assert_uint_eq(xlat_pa(tlb_lookup(&t, 3, va, &rd), va).v, 0x55678);
    ck_assert(xlat_is_none(tlb_lookup(&t, 4, va, &rd)));  /* another address space */
    ck_assert(xlat_is_none(tlb_lookup(&t, 3, va, &wr)));  /* D was 0 when cached */
    ck_assert_uint_eq(t.st.insufficient, 1);
    tlb_insert(&t, 3, va, make(0x55000, PAGE_SIZE_4K, PTE_RW | PTE_US | PTE_D)); /* in place */
    ck_assert(!xlat_is_none(tlb_lookup(&t, 3, va, &wr)));
    ck_assert_uint_eq(t.count[0], 1);
    ck_assert_uint_eq(t.st.accesses, 5);
    ck_assert_uint_eq(t.st.hits, 2);
    ck_assert_uint_eq(t.st.fills, 2);
    conserved(&t);
    tlb_fini(&t);
}
END_TEST

START_TEST(test_sizes)
{
    for (const char *which = "ds"; *which; which++) {
        struct tlb t = skylake(*which);
        struct access_check rd = check_of(ACCESS_USER);
        va_t m = {0x40212345}, g = {0xc0123456};
        tlb_insert(&t, 1, m, make(0x200000, PAGE_SIZE_2M, FLAGS));
        tlb_insert(&t, 1, g, make(0x80000000, PAGE_SIZE_1G, FLAGS));
        ck_assert_uint_eq(xlat_pa(tlb_lookup(&t, 1, (va_t){0x403fffff}, &rd), (va_t){0x403fffff}).v, 0x3fffff);
        ck_assert_uint_eq(xlat_pa(tlb_lookup(&t, 1, (va_t){0xffffffff}, &rd), (va_t){0xffffffff}).v, 0xbfffffff);
        ck_assert(xlat_is_none(tlb_lookup(&t, 1, (va_t){0x40400000}, &rd)));
        ck_assert_uint_eq(t.st.hits_2m, 1);
        ck_assert_uint_eq(t.st.hits_1g, 1);
        tlb_invalidate_page(&t, 1, (va_t){0x40200000});
        tlb_invalidate_page(&t, 1, (va_t){0xffffffff});
        ck_assert(xlat_is_none(tlb_lookup(&t, 1, m, &rd)));
        ck_assert(xlat_is_none(tlb_lookup(&t, 1, g, &rd)));
        ck_assert_uint_eq(t.st.invalidations, 2);
        conserved(&t);
        tlb_fini(&t);
    }
}
END_TEST

START_TEST(test_shared_array_same_number) /* page number n of 4 KiB and of 2 MiB are different entries */
{
    struct tlb t = skylake('s');
    struct access_check rd = check_of(ACCESS_USER);
    tlb_insert(&t, 1, (va_t){5ull << 12}, make(0x1000, PAGE_SIZE_4K, FLAGS));
    tlb_insert(&t, 1, (va_t){5ull << 21}, make(0x200000, PAGE_SIZE_2M, FLAGS));
    ck_assert_uint_eq(t.array[0].tags.used, 2);
    ck_assert_int_eq(xlat_size(tlb_lookup(&t, 1, (va_t){5ull << 12}, &rd)), PAGE_SIZE_4K);
    ck_assert_int_eq(xlat_size(tlb_lookup(&t, 1, (va_t){5ull << 21}, &rd)), PAGE_SIZE_2M);
    /* 128 sets of 12: the 13th 2 MiB page of a set evicts, the counts by size follow. */
    for (uint64_t i = 0; i < 13; i++)
        tlb_insert(&t, 1, (va_t){(7 + 128 * i) << 21}, make(0x200000, PAGE_SIZE_2M, FLAGS));
    ck_assert_uint_eq(t.st.evictions, 1);
    ck_assert_uint_eq(t.count[1], 13);
    conserved(&t);
    tlb_fini(&t);
}
END_TEST

START_TEST(test_fragments) /* an ITLB without 1 GiB entries keeps 2 MiB parts; INVLPG removes them all */
{
    struct tlb t = skylake('i');
    struct access_check f = check_of(ACCESS_USER | ACCESS_FETCH);
    struct xlat g = make(0x80000000, PAGE_SIZE_1G, FLAGS);
    tlb_insert(&t, 1, (va_t){0x40300123}, g);
    tlb_insert(&t, 1, (va_t){0x7fe00000}, g);
    ck_assert_uint_eq(t.fragments, 2);
    struct xlat x = tlb_lookup(&t, 1, (va_t){0x40200042}, &f);
    ck_assert_int_eq(xlat_size(x), PAGE_SIZE_2M);
    ck_assert_int_eq(xlat_origin(x), PAGE_SIZE_1G);
    ck_assert_uint_eq(xlat_pa(x, (va_t){0x40200042}).v, 0x80200042);
    ck_assert(xlat_is_none(tlb_lookup(&t, 1, (va_t){0x40400000}, &f)));
    tlb_insert(&t, 1, (va_t){0x80000000}, make(0x200000, PAGE_SIZE_2M, FLAGS));
    tlb_invalidate_page(&t, 1, (va_t){0x50000000}); /* no entry holds it, but its page's fragments are there */
    ck_assert_uint_eq(t.fragments, 0);
    ck_assert_uint_eq(t.count[1], 1);
    conserved(&t);
    tlb_fini(&t);

    struct tlb_config only4k = {.entries = 16, .ways = 4};
    struct err err;
    ck_assert_int_eq(tlb_init(&t, &only4k, 1, "t", &err), 0);
    tlb_insert(&t, 1, (va_t){0x40300123}, g);
    ck_assert_uint_eq(xlat_pa(tlb_lookup(&t, 1, (va_t){0x40300fff}, &f), (va_t){0x40300fff}).v, 0x80300fff);
    ck_assert(xlat_is_none(tlb_lookup(&t, 1, (va_t){0x40301000}, &f)));
    tlb_fini(&t);
}
END_TEST

START_TEST(test_globals_and_flushes) /* 2.8 */
{
    struct tlb t = skylake('d');
    struct access_check rd = check_of(ACCESS_AC);
    va_t k = {0xffff888000001000}, u = {0x1000};
    tlb_insert(&t, 1, k, make(0x1000, PAGE_SIZE_4K, FLAGS | PTE_G));
    tlb_insert(&t, 1, u, make(0x2000, PAGE_SIZE_4K, FLAGS));
    tlb_insert(&t, 2, u, make(0x3000, PAGE_SIZE_4K, FLAGS));
    ck_assert_uint_eq(xlat_pa(tlb_lookup(&t, 2, k, &rd), k).v, 0x1000);
    tlb_flush_asid(&t, 1);
    ck_assert(xlat_is_none(tlb_lookup(&t, 1, u, &rd)));
    ck_assert(!xlat_is_none(tlb_lookup(&t, 1, k, &rd)));
    ck_assert_uint_eq(xlat_pa(tlb_lookup(&t, 2, u, &rd), u).v, 0x3000);
    tlb_flush_all(&t, false);
    ck_assert(xlat_is_none(tlb_lookup(&t, 2, u, &rd)));
    ck_assert(!xlat_is_none(tlb_lookup(&t, 9, k, &rd)));
    tlb_invalidate_page(&t, 5, k); /* INVLPG drops a global entry in any address space */
    ck_assert_uint_eq(t.globals, 0);
    tlb_insert(&t, 1, k, make(0x1000, PAGE_SIZE_4K, FLAGS | PTE_G));
    tlb_flush_all(&t, true);
    ck_assert(xlat_is_none(tlb_lookup(&t, 1, k, &rd)));
    conserved(&t);
    tlb_fini(&t);
}
END_TEST

START_TEST(test_range) /* page by page and scan agree */
{
    static const uint64_t pages[] = {1, 3, 63, 64, 65, 200};
    for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
        struct tlb t = skylake('s');
        struct access_check rd = check_of(ACCESS_USER);
        for (uint64_t p = 0; p < 512; p++)
            tlb_insert(&t, 1, (va_t){p << 12}, make(p << 12, PAGE_SIZE_4K, FLAGS));
        tlb_insert(&t, 1, (va_t){512ull << 12}, make(0x200000, PAGE_SIZE_2M, FLAGS));
        tlb_insert(&t, 2, (va_t){100ull << 12}, make(0, PAGE_SIZE_4K, FLAGS));
        tlb_invalidate_range(&t, 1, (va_t){100ull << 12}, pages[i] << 12);
        for (uint64_t p = 0; p < 512; p++)
            ck_assert_int_eq(xlat_is_none(tlb_peek(&t, 1, (va_t){p << 12}, &rd)), p >= 100 && p < 100 + pages[i]);
        ck_assert(!xlat_is_none(tlb_peek(&t, 2, (va_t){100ull << 12}, &rd)));
        tlb_invalidate_range(&t, 1, (va_t){513ull << 12}, 1); /* inside the large page */
        ck_assert(xlat_is_none(tlb_peek(&t, 1, (va_t){512ull << 12}, &rd)));
        tlb_invalidate_range(&t, 1, (va_t){0}, UINT64_MAX);
        ck_assert_uint_eq(t.count[0], 1);
        conserved(&t);
        tlb_fini(&t);
    }
}
END_TEST

START_TEST(test_check_against_tables)
{
    struct tables pt;
    struct err err;
    tables_init(&pt, 4);
    struct paging_root r = tables_root(&pt);
    struct pt_memory m = tables_memory(&pt);
    struct tlb t = skylake('d');
    struct walk w;
    uint64_t *leaf = tables_map(&pt, 0x7f0000201000, 0x9000, 1, FLAGS, FLAGS);
    tables_map(&pt, 0xffff800000000000, 0x40000000, 3, FLAGS, FLAGS);
    walk_all(&w, &r, (va_t){0x7f0000201000}, ACCESS_USER | ACCESS_WRITE, &m);
    tlb_insert(&t, 1, w.va, w.result);
    walk_all(&w, &r, (va_t){0xffff800012345678}, ACCESS_USER, &m);
    tlb_insert(&t, 1, w.va, w.result);
    ck_assert_int_eq(tlb_check(&t, 1, &r, &m, &err), 0);
    uint64_t good = *leaf;
    static const uint64_t flip[] = {1, 2, 4, 0x40, 0x1000, 1ull << 63};
    for (size_t i = 0; i < ARRAY_LEN(flip); i++) {
        *leaf = good ^ flip[i];
        ck_assert_int_eq(tlb_check(&t, 1, &r, &m, &err), -1);
    }
    *leaf = good;
    ck_assert_int_eq(tlb_check(&t, 1, &r, &m, &err), 0);
    tlb_fini(&t);
    tables_fini(&pt);
}
END_TEST

START_TEST(test_bad_geometry)
{
    struct tlb t;
    struct err err;
    struct tlb_config c = {.entries = 64, .ways = 5};
    ck_assert_int_eq(tlb_init(&t, &c, 1, "t", &err), -1);
    c = (struct tlb_config){.entries = 96, .ways = 6, .huge_2m = {.entries = 7, .ways = 2}};
    ck_assert_int_eq(tlb_init(&t, &c, 1, "t", &err), -1);
    c = (struct tlb_config){.entries = 12, .ways = 12, .replacement = REPL_tree_plru};
    ck_assert_int_eq(tlb_init(&t, &c, 1, "t", &err), -1);
    c = (struct tlb_config){.entries = 0, .ways = 1};
    ck_assert_int_eq(tlb_init(&t, &c, 1, "t", &err), -1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("tlb");
    TCase *t = tcase_create("tlb");
    tcase_add_test(t, test_hit_miss_rights);
    tcase_add_test(t, test_sizes);
    tcase_add_test(t, test_shared_array_same_number);
    tcase_add_test(t, test_fragments);
    tcase_add_test(t, test_globals_and_flushes);
    tcase_add_test(t, test_range);
    tcase_add_test(t, test_check_against_tables);
    tcase_add_test(t, test_bad_geometry);
    suite_add_tcase(s, t);
    return run_suite(s);
}
