#include "mmu/segment.h"

#include <check.h>

static enum seg_fault tr(const struct seg_state *s, unsigned seg, uint64_t off, uint32_t size, unsigned access, uint64_t *va)
{
    va_t v = {0};
    enum seg_fault f = segment_translate(s, seg, (la_t){off}, size, access, &v);
    if (va)
        *va = v.v;
    return f;
}

START_TEST(test_canonical)
{
    static const unsigned bits[] = {48, 57};
    for (size_t i = 0; i < ARRAY_LEN(bits); i++) {
        struct seg_state s;
        uint64_t va, low = 1ull << (bits[i] - 1), high = -low;
        seg_state_init_long(&s, bits[i]);
        ck_assert_int_eq(tr(&s, SEG_DS, low - 1, 1, 0, &va), SEG_FAULT_NONE);
        ck_assert_uint_eq(va, low - 1);
        ck_assert_int_eq(tr(&s, SEG_DS, low - 1, 2, 0, NULL), SEG_FAULT_GP); /* runs past the edge */
        ck_assert_int_eq(tr(&s, SEG_DS, low, 1, 0, NULL), SEG_FAULT_GP);
        ck_assert_int_eq(tr(&s, SEG_SS, low, 1, 0, NULL), SEG_FAULT_SS);
        ck_assert_int_eq(tr(&s, SEG_CS, low, 1, SEG_ACCESS_FETCH, NULL), SEG_FAULT_GP);
        ck_assert_int_eq(tr(&s, SEG_DS, high - 1, 1, 0, NULL), SEG_FAULT_GP);
        ck_assert_int_eq(tr(&s, SEG_DS, high, 8, 0, NULL), SEG_FAULT_NONE);
        ck_assert_int_eq(tr(&s, SEG_DS, UINT64_MAX, 1, 0, NULL), SEG_FAULT_NONE);
    }
}
END_TEST

START_TEST(test_long_bases)
{
    struct seg_state s;
    uint64_t va;
    seg_state_init_long(&s, 48);
    s.reg[SEG_FS].base = 0x7f0000000000;
    ck_assert_int_eq(tr(&s, SEG_FS, 0x28, 8, 0, &va), SEG_FAULT_NONE);
    ck_assert_uint_eq(va, 0x7f0000000028);
    ck_assert_int_eq(tr(&s, SEG_FS, (uint64_t)-8, 8, 0, &va), SEG_FAULT_NONE); /* thread-local storage lies below */
    ck_assert_uint_eq(va, 0x7efffffffff8);
    ck_assert_int_eq(tr(&s, SEG_FS, 0x10000000000, 8, 0, NULL), SEG_FAULT_GP);
}
END_TEST

START_TEST(test_descriptors) /* x86-hardware.md 1.2 */
{
    struct seg_reg r;
    seg_reg_from_descriptor(&r, 0x08, 0x00CF9A000000FFFF);
    ck_assert_uint_eq(r.base, 0);
    ck_assert_uint_eq(r.limit, UINT32_MAX);
    ck_assert_uint_eq(r.attributes, 0xC09A);
    ck_assert(r.valid);
    seg_reg_from_descriptor(&r, 0x10, 0x00AF9A000000FFFF);
    ck_assert(r.attributes & SEG_ATTR_L);
    ck_assert(!(r.attributes & SEG_ATTR_DB));
    seg_reg_from_descriptor(&r, 3, 0x00CF92000000FFFF);
    ck_assert(!r.valid);
    seg_reg_from_descriptor(&r, 4, 0x12CF92345678FFFF); /* TI=1, index 0 is not null */
    ck_assert(r.valid);
    ck_assert_uint_eq(r.base, 0x12345678);
    seg_reg_from_descriptor(&r, 8, 0x0040920000000FFF);
    ck_assert_uint_eq(r.limit, 0xfff);
    seg_reg_from_descriptor(&r, 8, 0x00C0920000000000);
    ck_assert_uint_eq(r.limit, 0xfff); /* G = 1, limit 0 */
}
END_TEST

START_TEST(test_limits) /* 1.5 worked cases */
{
    struct seg_reg up = {.limit = 0x0fff, .attributes = SEG_ATTR_P | SEG_ATTR_S | 0x2, .valid = true};
    ck_assert_int_eq(segment_check(&up, SEG_DS, (la_t){0x0fff}, 1, 0), SEG_FAULT_NONE);
    ck_assert_int_eq(segment_check(&up, SEG_DS, (la_t){0x0fff}, 2, 0), SEG_FAULT_GP);
    ck_assert_int_eq(segment_check(&up, SEG_SS, (la_t){0x0fff}, 2, 0), SEG_FAULT_SS);
    ck_assert_int_eq(segment_check(&up, SEG_DS, (la_t){0x0ffc}, 4, 0), SEG_FAULT_NONE);
    ck_assert_int_eq(segment_check(&up, SEG_DS, (la_t){UINT64_MAX}, 2, 0), SEG_FAULT_GP);

    struct seg_reg down = {.limit = 0x0fff, .attributes = SEG_ATTR_P | SEG_ATTR_S | 0x6, .valid = true};
    ck_assert_int_eq(segment_check(&down, SEG_DS, (la_t){0x0fff}, 1, 0), SEG_FAULT_GP);
    ck_assert_int_eq(segment_check(&down, SEG_DS, (la_t){0x1000}, 1, 0), SEG_FAULT_NONE);
    ck_assert_int_eq(segment_check(&down, SEG_DS, (la_t){0xffff}, 1, 0), SEG_FAULT_NONE);
    ck_assert_int_eq(segment_check(&down, SEG_DS, (la_t){0xffff}, 2, 0), SEG_FAULT_GP);
    ck_assert_int_eq(segment_check(&down, SEG_DS, (la_t){0x10000}, 1, 0), SEG_FAULT_GP);
    down.attributes |= SEG_ATTR_DB;
    ck_assert_int_eq(segment_check(&down, SEG_DS, (la_t){0x10000}, 1, 0), SEG_FAULT_NONE);
    ck_assert_int_eq(segment_check(&down, SEG_DS, (la_t){0xffffffff}, 1, 0), SEG_FAULT_NONE);
    ck_assert_int_eq(segment_check(&down, SEG_DS, (la_t){0xffffffff}, 2, 0), SEG_FAULT_GP);
}
END_TEST

START_TEST(test_types)
{
    struct seg_state s;
    uint64_t va;
    seg_state_init_flat32(&s, 3);
    ck_assert_int_eq(tr(&s, SEG_DS, 0xfffffffc, 4, SEG_ACCESS_WRITE, &va), SEG_FAULT_NONE);
    ck_assert_int_eq(tr(&s, SEG_DS, 0xfffffffd, 4, 0, NULL), SEG_FAULT_GP);
    ck_assert_int_eq(tr(&s, SEG_CS, 0, 1, SEG_ACCESS_FETCH, NULL), SEG_FAULT_NONE);
    ck_assert_int_eq(tr(&s, SEG_CS, 0, 1, 0, NULL), SEG_FAULT_NONE); /* readable code */
    ck_assert_int_eq(tr(&s, SEG_CS, 0, 1, SEG_ACCESS_WRITE, NULL), SEG_FAULT_GP);
    s.reg[SEG_CS].attributes &= (uint16_t)~SEG_ATTR_READABLE;
    ck_assert_int_eq(tr(&s, SEG_CS, 0, 1, 0, NULL), SEG_FAULT_GP);
    ck_assert_int_eq(tr(&s, SEG_CS, 0, 1, SEG_ACCESS_FETCH, NULL), SEG_FAULT_NONE);
    s.reg[SEG_DS].attributes &= (uint16_t)~SEG_ATTR_WRITABLE;
    ck_assert_int_eq(tr(&s, SEG_DS, 0, 1, SEG_ACCESS_WRITE, NULL), SEG_FAULT_GP);
    ck_assert_int_eq(tr(&s, SEG_DS, 0, 1, 0, NULL), SEG_FAULT_NONE);
    s.reg[SEG_ES].valid = false;
    ck_assert_int_eq(tr(&s, SEG_ES, 0, 1, 0, NULL), SEG_FAULT_GP);
    s.reg[SEG_DS].base = 0xfffff000; /* base + offset modulo 2^32 */
    ck_assert_int_eq(tr(&s, SEG_DS, 0x2000, 1, 0, &va), SEG_FAULT_NONE);
    ck_assert_uint_eq(va, 0x1000);
}
END_TEST

START_TEST(test_real) /* 1.7 */
{
    struct seg_state s;
    uint64_t va;
    seg_state_init_real(&s);
    seg_reg_load_real(&s.reg[SEG_DS], 0x1234);
    ck_assert_int_eq(tr(&s, SEG_DS, 0x5678, 1, 0, &va), SEG_FAULT_NONE);
    ck_assert_uint_eq(va, 0x179b8);
    seg_reg_load_real(&s.reg[SEG_DS], 0xffff);
    tr(&s, SEG_DS, 0x10, 1, 0, &va);
    ck_assert_uint_eq(va, 0x100000);
    s.a20_masked = true;
    tr(&s, SEG_DS, 0x10, 1, 0, &va);
    ck_assert_uint_eq(va, 0);
    seg_reg_load_real(&s.reg[SEG_DS], 0xf000);
    tr(&s, SEG_DS, 0xfff0, 1, 0, &va);
    ck_assert_uint_eq(va, 0xffff0);
    ck_assert_int_eq(tr(&s, SEG_DS, 0xffff, 2, 0, NULL), SEG_FAULT_GP);
    ck_assert_int_eq(tr(&s, SEG_SS, 0xffff, 2, 0, NULL), SEG_FAULT_SS);
    s.reg[SEG_DS].limit = UINT32_MAX; /* "unreal" */
    ck_assert_int_eq(tr(&s, SEG_DS, 0xffff, 2, 0, NULL), SEG_FAULT_NONE);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("segment");
    TCase *t = tcase_create("segment");
    tcase_add_test(t, test_canonical);
    tcase_add_test(t, test_long_bases);
    tcase_add_test(t, test_descriptors);
    tcase_add_test(t, test_limits);
    tcase_add_test(t, test_types);
    tcase_add_test(t, test_real);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
