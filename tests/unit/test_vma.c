#include "vm/vma.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { PAGES = 256 };

START_TEST(test_against_bytes) /* random calls against an array of rights by page */
{
    struct vma_set s = {0};
    unsigned char prot[PAGES];
    uint64_t x = UINT64_C(88172645463325252) ^ (unsigned)_i;
    memset(prot, 0xff, sizeof prot); /* 0xff: not mapped */
    for (int step = 0; step < 10000; step++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        uint64_t a = x % PAGES, b = a + 1 + (x >> 20) % 40;
        if (b > PAGES)
            b = PAGES;
        unsigned p = (unsigned)(x >> 40) % 8;
        switch ((x >> 50) % 3) {
        case 0:
            ck_assert(vma_map(&s, a << 12, b << 12, p, 0, 1000));
            memset(prot + a, (int)p, b - a);
            break;
        case 1:
            ck_assert(vma_unmap(&s, a << 12, b << 12, 1000));
            memset(prot + a, 0xff, b - a);
            break;
        default:
            ck_assert(vma_protect(&s, a << 12, b << 12, p, 1000));
            for (uint64_t i = a; i < b; i++)
                if (prot[i] != 0xff)
                    prot[i] = (unsigned char)p;
        }
        uint32_t runs = 0;
        for (uint64_t i = 0; i < PAGES; i++) {
            const struct vma *v = vma_find(&s, i << 12);
            bool in = v && v->start <= i << 12;
            if (in != (prot[i] != 0xff) || (in && v->prot != prot[i])) /* a ck_assert a page would take minutes */
                ck_abort_msg("step %d page %u", step, (unsigned)i);
            runs += prot[i] != 0xff && (i == 0 || prot[i - 1] != prot[i]);
        }
        ck_assert_uint_eq(s.n, runs); /* neighbours of equal rights are one mapping */
        uint64_t c = (x >> 8) % PAGES, d = c + 1 + (x >> 30) % (PAGES - c);
        bool covered = prot[c] != 0xff;
        for (uint64_t i = c; i < d; i++)
            covered = covered && prot[i] == prot[c];
        ck_assert_int_eq(vma_covers(&s, c << 12, d << 12), covered);
    }
    struct vma_set copy;
    ck_assert(vma_copy(&copy, &s));
    ck_assert_uint_eq(copy.n, s.n);
    vma_set_fini(&copy);
    vma_set_fini(&s);
}
END_TEST

START_TEST(test_limit)
{
    struct vma_set s = {0};
    for (uint64_t i = 0; i < 10; i++)
        ck_assert_int_eq(vma_map(&s, i << 13, (i << 13) + 4096, 3, 0, 5), i < 5);
    ck_assert(vma_map(&s, 4096, 8192, 3, 0, 5)); /* merges: needs no slot */
    ck_assert_uint_eq(s.n, 4);
    ck_assert(vma_unmap(&s, 4096, 8192, 5));
    ck_assert(vma_unmap(&s, 0, 1 << 20, 5));
    ck_assert_uint_eq(s.n, 0);
    ck_assert(vma_map(&s, 0, 3 << 12, 3, 0, 1));
    ck_assert(!vma_unmap(&s, 1 << 12, 2 << 12, 1)); /* would make two */
    ck_assert_uint_eq(s.n, 1);
    ck_assert(vma_covers(&s, 0, 3 << 12));
    vma_set_fini(&s);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("vma");
    TCase *t = tcase_create("vma");
    tcase_add_loop_test(t, test_against_bytes, 0, 4);
    tcase_add_test(t, test_limit);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
