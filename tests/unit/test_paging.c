#include "unit/mmu_tables.h"

#define RW 2u
#define US 4u
#define A 0x20u
#define D 0x40u
#define XD (1ull << 63)

START_TEST(test_splits) /* 2.2 */
{
    va_t a = {0x00007F1234567ABC}, b = {0xFFFF888012345678};
    static const unsigned ea[] = {359, 418, 72, 254}, eb[] = {325, 145, 0, 273};
    for (unsigned level = 1; level <= 4; level++) {
        ck_assert_uint_eq(level_index(a, level), ea[level - 1]);
        ck_assert_uint_eq(level_index(b, level), eb[level - 1]);
    }
    ck_assert_uint_eq(level_index(b, 5), 511);
    ck_assert_uint_eq(level_shift(1), 12);
    ck_assert_uint_eq(level_shift(5), 48);
    ck_assert_uint_eq(levels_va_bits(4), 48);
    ck_assert_uint_eq(levels_va_bits(5), 57);
}
END_TEST

START_TEST(test_entry_layout)
{
    pte_t p = pte_make_page((pa_t){0x40000000}, PAGE_SIZE_2M, PTE_RW | PTE_US);
    ck_assert_uint_eq(p.v, 0x40000087);
    ck_assert(pte_is_leaf(p, 2));
    ck_assert(!pte_is_leaf(pte_make_table((pa_t){0x5000}, 0), 2));
    ck_assert_uint_eq(pte_make_table((pa_t){0x5000}, PTE_RW).v, 0x5003);
    ck_assert_uint_eq(pte_page((pte_t){0x40001083}, PAGE_SIZE_2M).v, 0x40000000); /* without the PAT bit */
    ck_assert_uint_eq(pte_key((pte_t){0x5800000000000001}), 11);
}
END_TEST

START_TEST(test_translation_and_refs) /* 10.6 without paging-structure caches: 4/3/2 and 5/4/3 */
{
    for (unsigned levels = 4; levels <= 5; levels++)
        for (unsigned leaf = 1; leaf <= 3; leaf++) {
            struct tables t;
            struct walk w;
            tables_init(&t, levels);
            struct paging_root r = tables_root(&t);
            struct pt_memory m = tables_memory(&t);
            uint64_t va = 0x00007F1234567ABC, size = 1ull << (12 + 9 * (leaf - 1));
            tables_map(&t, va, 0x80000000, leaf, RW | US | A, RW | US | A);
            ck_assert_int_eq(walk_all(&w, &r, (va_t){va}, ACCESS_USER, &m), WALK_LEAF);
            ck_assert_uint_eq(w.refs, levels - leaf + 1);
            ck_assert_uint_eq(xlat_pa(w.result, (va_t){va}).v, 0x80000000 + (va & (size - 1)));
            ck_assert_int_eq(xlat_size(w.result), (int)leaf - 1);
            ck_assert_int_eq(xlat_origin(w.result), (int)leaf - 1);
            ck_assert_uint_eq(w.update, 0);
            tables_fini(&t);
        }
}
END_TEST

/* Walks one 4 KiB mapping; rights are spread over pointer (level `where`) and leaf. */
static enum walk_result rights(uint64_t flags, unsigned where, unsigned root_flags, unsigned access, unsigned *code)
{
    struct tables t;
    struct walk w;
    tables_init(&t, 4);
    struct paging_root r = tables_root(&t);
    struct pt_memory m = tables_memory(&t);
    r.flags = (uint16_t)root_flags;
    uint64_t all = RW | US | A;
    tables_map(&t, 0x1000, 0x7000, 1, all, where == 1 ? flags | A : all);
    if (where > 1) {
        unsigned frame = 0;
        for (unsigned l = 4; l > where; l--)
            frame = (unsigned)(t.page[frame][0] >> 12);
        t.page[frame][0] = (t.page[frame][0] & ~all) | flags | A;
    }
    enum walk_result x = walk_all(&w, &r, (va_t){0x1000}, access, &m);
    *code = x == WALK_FAULT ? w.error_code : 0;
    tables_fini(&t);
    return x;
}

START_TEST(test_bochs_table) /* 2.5: index = WP<<4 | user<<3 | U/S<<2 | R/W<<1 | write */
{
    for (unsigned i = 0; i < 32; i++) {
        bool wp = i & 16, user = i & 8, us = i & 4, rw = i & 2, wr = i & 1, ok;
        if (!wp)
            ok = i < 8 || i == 12 || i == 14 || i == 15;
        else
            ok = i == 16 || i == 18 || i == 19 || i == 20 || i == 22 || i == 23 || i == 28 || i == 30 || i == 31;
        for (unsigned where = 1; where <= 4; where++) {
            unsigned code, access = (user ? ACCESS_USER : 0u) | (wr ? ACCESS_WRITE : 0u);
            enum walk_result x = rights((us ? US : 0) | (rw ? RW : 0), where, PAGING_NXE | (wp ? PAGING_WP : 0), access, &code);
            ck_assert_msg((x == WALK_LEAF) == ok, "index %u level %u", i, where);
            if (!ok)
                ck_assert_uint_eq(code, PF_PRESENT | (wr ? PF_WRITE : 0u) | (user ? PF_USER : 0u));
        }
    }
}
END_TEST

START_TEST(test_fetch_smep_smap)
{
    unsigned code;
    for (unsigned where = 1; where <= 4; where++) {
        ck_assert_int_eq(rights(RW | US | XD, where, PAGING_NXE, ACCESS_USER | ACCESS_FETCH, &code), WALK_FAULT);
        ck_assert_uint_eq(code, PF_PRESENT | PF_USER | PF_FETCH);
        ck_assert_int_eq(rights(RW | US | XD, where, PAGING_NXE, ACCESS_USER, &code), WALK_LEAF);
        ck_assert_int_eq(rights(RW | US | XD, where, 0, ACCESS_USER, &code), WALK_FAULT); /* bit 63 is reserved */
        ck_assert_uint_eq(code, PF_PRESENT | PF_USER | PF_RSVD);
        ck_assert_int_eq(rights(RW | US | XD, where, 0, ACCESS_USER | ACCESS_FETCH, &code), WALK_FAULT);
        ck_assert_uint_eq(code, PF_PRESENT | PF_USER | PF_RSVD); /* no I/D bit without NXE and SMEP */
    }
    ck_assert_int_eq(rights(RW | US, 1, PAGING_SMEP, ACCESS_FETCH, &code), WALK_FAULT);
    ck_assert_uint_eq(code, PF_PRESENT | PF_FETCH);
    ck_assert_int_eq(rights(RW, 1, PAGING_SMEP, ACCESS_FETCH, &code), WALK_LEAF);
    ck_assert_int_eq(rights(RW | US, 1, PAGING_NXE, ACCESS_FETCH, &code), WALK_LEAF);
    ck_assert_int_eq(rights(RW | US, 1, PAGING_SMAP, ACCESS_READ, &code), WALK_FAULT);
    ck_assert_uint_eq(code, PF_PRESENT);
    ck_assert_int_eq(rights(RW | US, 1, PAGING_SMAP, ACCESS_WRITE | ACCESS_AC, &code), WALK_LEAF);
    ck_assert_int_eq(rights(RW | US, 1, PAGING_SMAP, ACCESS_IMPLICIT | ACCESS_AC, &code), WALK_FAULT);
    ck_assert_int_eq(rights(RW, 1, PAGING_SMAP, ACCESS_IMPLICIT | ACCESS_USER, &code), WALK_LEAF); /* implicit: supervisor */
    ck_assert_int_eq(rights(RW, 1, PAGING_SMAP, ACCESS_READ, &code), WALK_LEAF);
}
END_TEST

START_TEST(test_protection_keys)
{
    struct tables t;
    struct walk w;
    tables_init(&t, 4);
    struct paging_root r = tables_root(&t);
    struct pt_memory m = tables_memory(&t);
    r.flags = PAGING_PKE | PAGING_WP | PAGING_NXE;
    uint64_t *leaf = tables_map(&t, 0x1000, 0x7000, 1, RW | US | A, RW | US | A | (5ull << 59));
    static const struct { unsigned bits, access; bool ok; } c[] = {
        {0, ACCESS_USER | ACCESS_WRITE, true}, {1, ACCESS_USER, false}, {1, ACCESS_READ, false},
        {2, ACCESS_USER, true}, {2, ACCESS_USER | ACCESS_WRITE, false}, {2, ACCESS_WRITE, false},
        {3, ACCESS_USER | ACCESS_FETCH, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(c); i++) {
        r.pkru = c[i].bits << 10;
        enum walk_result x = walk_all(&w, &r, (va_t){0x1000}, c[i].access, &m);
        ck_assert_msg((x == WALK_LEAF) == c[i].ok, "case %zu", i);
        if (!c[i].ok)
            ck_assert(w.error_code & PF_PK);
        struct access_check a = access_check_make(&r, c[i].access);
        struct xlat full = {PTE_P | RW | US | D | (5ull << 59)};
        ck_assert_int_eq(access_ok(full, &a), c[i].ok);
    }
    /* A supervisor write is stopped by WD only with WP; supervisor pages have no keys. */
    r.pkru = 2u << 10;
    r.flags = PAGING_PKE;
    ck_assert_int_eq(walk_all(&w, &r, (va_t){0x1000}, ACCESS_WRITE, &m), WALK_LEAF);
    r.pkru = 3u << 10;
    *leaf &= ~(uint64_t)US;
    ck_assert_int_eq(walk_all(&w, &r, (va_t){0x1000}, ACCESS_READ, &m), WALK_LEAF);
    /* The key bit shows even if another right is missing too. */
    *leaf = (*leaf | US) & ~(uint64_t)RW;
    r.flags = PAGING_PKE | PAGING_WP;
    ck_assert_int_eq(walk_all(&w, &r, (va_t){0x1000}, ACCESS_USER | ACCESS_WRITE, &m), WALK_FAULT);
    ck_assert_uint_eq(w.error_code, PF_PRESENT | PF_WRITE | PF_USER | PF_PK);
    tables_fini(&t);
}
END_TEST

START_TEST(test_reserved_bits) /* every bit at every level against the table of 2.4 */
{
    for (unsigned leaf = 1; leaf <= 3; leaf++)
        for (unsigned at = leaf; at <= 5; at++)
            for (unsigned bit = 1; bit < 64; bit++) {
                struct tables t;
                struct walk w;
                tables_init(&t, 5);
                struct paging_root r = tables_root(&t);
                r.max_phys_bits = 40;
                tables_map(&t, 0, 0, leaf, RW | US | A, RW | US | A);
                unsigned frame = 0;
                for (unsigned l = 5; l > at; l--)
                    frame = (unsigned)(t.page[frame][0] >> 12 & 0xfff);
                uint64_t entry = t.page[frame][0] ^ 1ull << bit;
                bool ptr = at > leaf, large = !ptr && at > 1;
                bool bad = bit >= 40 && bit <= 51;
                if (bit == 7 && ptr && at > 3)
                    bad = true; /* PS in PML4E, PML5E */
                if (large && bit >= 13 && bit < 12 + 9 * (at - 1))
                    bad = true;
                walk_begin(&w, &r, (va_t){0}, ACCESS_USER);
                enum walk_result x = WALK_NEXT;
                frame = 0;
                for (unsigned l = 5; l > at; l--) {
                    x = walk_step(&w, t.page[frame][0]);
                    ck_assert_int_eq(x, WALK_NEXT);
                    frame = (unsigned)(t.page[frame][0] >> 12 & 0xfff);
                }
                x = walk_step(&w, entry);
                bool rsvd = x == WALK_FAULT && (w.error_code & PF_RSVD);
                ck_assert_msg(rsvd == bad || (bit == 7 && ptr), "leaf %u level %u bit %u", leaf, at, bit);
                if (bit == 7 && ptr) /* a pointer turned into a large leaf: its address bits 12.. decide */
                    ck_assert_int_eq(rsvd, at > 3 || (entry & ((1ull << (12 + 9 * (at - 1))) - 1) & ~0x1fffull) != 0);
                if (rsvd)
                    ck_assert_uint_eq(w.error_code, PF_PRESENT | PF_RSVD | PF_USER);
                tables_fini(&t);
            }
    /* Without 1 GiB pages PS is reserved in a PDPTE. */
    struct walk w;
    struct paging_root r = {.levels = 4, .max_phys_bits = 52, .flags = PAGING_NXE};
    walk_begin(&w, &r, (va_t){0}, 0);
    walk_step(&w, 0x1027);
    ck_assert_int_eq(walk_step(&w, 0x400000a7), WALK_FAULT);
    ck_assert(w.error_code & PF_RSVD);
    /* P is looked at before reserved bits. */
    walk_begin(&w, &r, (va_t){0}, ACCESS_WRITE | ACCESS_USER);
    ck_assert_int_eq(walk_step(&w, ~1ull), WALK_FAULT);
    ck_assert_uint_eq(w.error_code, PF_WRITE | PF_USER);
}
END_TEST

START_TEST(test_accessed_dirty) /* 2.7 */
{
    struct tables t;
    struct walk w;
    tables_init(&t, 4);
    struct paging_root r = tables_root(&t);
    struct pt_memory m = tables_memory(&t);
    uint64_t *leaf = tables_map(&t, 0x1000, 0x7000, 1, RW | US, RW | US);
    ck_assert_int_eq(walk_all(&w, &r, (va_t){0x1000}, ACCESS_USER, &m), WALK_LEAF);
    ck_assert_uint_eq(w.update, A);
    ck_assert(!xlat_dirty(w.result));
    for (unsigned f = 0; f < 3; f++)
        ck_assert_uint_eq(t.page[f][0] & (A | D), A); /* pointers: A, never D */
    ck_assert_uint_eq(*leaf & (A | D), A);
    ck_assert_int_eq(walk_all(&w, &r, (va_t){0x1000}, ACCESS_USER | ACCESS_WRITE, &m), WALK_LEAF);
    ck_assert_uint_eq(w.update, D);
    ck_assert(xlat_dirty(w.result));
    ck_assert_uint_eq(*leaf & (A | D), A | D);
    walk_all(&w, &r, (va_t){0x1000}, ACCESS_USER | ACCESS_WRITE, &m);
    ck_assert_uint_eq(w.update, 0);
    /* An access that faults sets no D, and at the leaf no A. */
    *leaf = 0x7000 | US | 1;
    ck_assert_int_eq(walk_all(&w, &r, (va_t){0x1000}, ACCESS_USER | ACCESS_WRITE, &m), WALK_FAULT);
    ck_assert_uint_eq(w.update, 0);
    ck_assert_uint_eq(*leaf & (A | D), 0);
    /* A write may use a cached translation only if D was set then. */
    struct access_check wr = access_check_make(&r, ACCESS_USER | ACCESS_WRITE), rd = access_check_make(&r, ACCESS_USER);
    struct xlat clean = {PTE_P | RW | US}, dirty = {PTE_P | RW | US | D};
    ck_assert(access_ok(clean, &rd) && !access_ok(clean, &wr) && access_ok(dirty, &wr));
    tables_fini(&t);
}
END_TEST

START_TEST(test_step_again) /* the locked read-modify-write found another value */
{
    struct walk w;
    struct paging_root r = {.levels = 4, .max_phys_bits = 46, .flags = PAGING_DEFAULT};
    walk_begin(&w, &r, (va_t){0x5000}, ACCESS_USER);
    ck_assert_int_eq(walk_step(&w, 0x1007), WALK_NEXT);
    ck_assert_uint_eq(w.update, A);
    ck_assert_int_eq(walk_step_again(&w, 0x2027), WALK_NEXT);
    ck_assert_uint_eq(w.table.v, 0x2000);
    ck_assert_uint_eq(w.level, 3);
    ck_assert_uint_eq(w.refs, 1);
    ck_assert_int_eq(walk_step_again(&w, 0), WALK_FAULT);
    ck_assert_uint_eq(w.error_code, PF_USER);
    ck_assert_int_eq(walk_step_again(&w, 0x3025), WALK_NEXT); /* read-only this time */
    ck_assert_uint_eq(w.rights & RW, 0);
    ck_assert_int_eq(walk_step_again(&w, 0x3027), WALK_NEXT);
    ck_assert_uint_eq(w.rights & RW, RW);
    walk_step(&w, 0x4027);
    walk_step(&w, 0x5027);
    ck_assert_uint_eq(walk_entry_pa(&w).v, 0x5028);
    ck_assert_int_eq(walk_step(&w, 0x9007), WALK_LEAF);
    ck_assert_int_eq(walk_step_again(&w, 0xa067), WALK_LEAF);
    ck_assert_uint_eq(xlat_pa(w.result, (va_t){0x5123}).v, 0xa123);
    ck_assert_uint_eq(w.entry_pa.v, 0x5028);
}
END_TEST

/* access_check on the finished translation agrees with the walk's own judgement, whatever rights and modes. */
START_TEST(test_check_agrees_with_walk)
{
    for (unsigned flags = 0; flags < 16; flags++)
        for (unsigned f = 0; f < 8; f++)
            for (unsigned acc = 0; acc < 16; acc++) {
                unsigned access = ((acc & 1) ? ACCESS_WRITE : 0u) | ((acc & 2) ? ACCESS_USER : 0u) | ((acc & 4) ? ACCESS_AC : 0u) |
                                  ((acc & 8) ? ACCESS_FETCH : 0u);
                if ((access & ACCESS_WRITE) && (access & ACCESS_FETCH))
                    continue;
                struct paging_root r = {.levels = 4, .max_phys_bits = 46, .flags = (uint16_t)(flags | PAGING_NXE)};
                uint64_t leaf = 0x7000 | 1 | D | ((f & 1) ? RW : 0) | ((f & 2) ? US : 0) | ((f & 4) ? XD : 0);
                struct walk w;
                walk_begin(&w, &r, (va_t){0}, access);
                walk_step(&w, 0x1027);
                walk_step(&w, 0x1027);
                walk_step(&w, 0x1027);
                bool ok = walk_step(&w, leaf) == WALK_LEAF;
                struct access_check c = access_check_make(&r, access);
                ck_assert_int_eq(access_ok((struct xlat){leaf & (PTE_RW | PTE_US | PTE_XD | PTE_D | PTE_P)}, &c), ok);
            }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("paging");
    TCase *t = tcase_create("paging");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_splits);
    tcase_add_test(t, test_entry_layout);
    tcase_add_test(t, test_translation_and_refs);
    tcase_add_test(t, test_bochs_table);
    tcase_add_test(t, test_fetch_smep_smap);
    tcase_add_test(t, test_protection_keys);
    tcase_add_test(t, test_reserved_bits);
    tcase_add_test(t, test_accessed_dirty);
    tcase_add_test(t, test_step_again);
    tcase_add_test(t, test_check_agrees_with_walk);
    suite_add_tcase(s, t);
    return run_suite(s);
}
