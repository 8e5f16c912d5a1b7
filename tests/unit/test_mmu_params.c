#include "mmu/params.h"

#include "unit/mmu_tables.h"

#include <string.h>

START_TEST(test_defaults_are_valid)
{
    struct mmu_config c;
    struct err err;
    struct tlb t;
    struct psc p;
    mmu_config_defaults(&c);
    ck_assert_int_eq(mmu_config_check(&c, &err), 0);
    ck_assert_uint_eq(c.stlb.entries, 1536);
    ck_assert_uint_eq(c.stlb.latency, 9);
    ck_assert(c.stlb.huge_2m.shared && !c.dtlb.huge_2m.shared);
    ck_assert_uint_eq(c.pwc.pde.entries, 32);
    ck_assert_uint_eq(mmu_config_paging_flags(&c), PAGING_DEFAULT);
    const struct tlb_config *all[] = {&c.itlb, &c.dtlb, &c.stlb};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        ck_assert_int_eq(tlb_init(&t, all[i], 1, "t", &err), 0);
        tlb_fini(&t);
    }
    ck_assert_int_eq(psc_init(&p, &c.pwc, 1, "t", &err), 0);
    psc_fini(&p);
}
END_TEST

START_TEST(test_tables_are_sound) /* keys unique in a group, defaults within ranges, storage inside the struct, help */
{
    for (size_t g = 0; g < mmu_n_param_groups; g++) {
        const struct param_group *pg = &mmu_param_groups[g];
        ck_assert(pg->help && pg->help[0]);
        for (size_t h = 0; h < g; h++)
            ck_assert_str_ne(pg->path, mmu_param_groups[h].path);
        for (size_t i = 0; i < pg->n; i++) {
            const struct param *p = &pg->table[i];
            ck_assert(p->help && p->help[0]);
            ck_assert_uint_lt(pg->base + p->offset, sizeof(struct mmu_config));
            if (p->type == P_U32 || p->type == P_CYC)
                ck_assert(p->def >= p->min && p->def <= p->max);
            for (size_t j = 0; j < i; j++)
                ck_assert_str_ne(p->key, pg->table[j].key);
        }
    }
}
END_TEST

START_TEST(test_refused)
{
    struct mmu_config c;
    struct err err;
    mmu_config_defaults(&c);
    c.dtlb.ways = 5;
    ck_assert_int_eq(mmu_config_check(&c, &err), -1);
    ck_assert(strstr(err.message, "mmu.dtlb") != NULL);
    mmu_config_defaults(&c);
    c.stlb.replacement = REPL_tree_plru; /* 12 ways */
    ck_assert_int_eq(mmu_config_check(&c, &err), -1);
    mmu_config_defaults(&c);
    c.itlb.huge_2m.ways = 3;
    ck_assert_int_eq(mmu_config_check(&c, &err), -1);
    ck_assert(strstr(err.message, "mmu.itlb.huge_2m") != NULL);
    mmu_config_defaults(&c);
    c.pwc.pml4e.ways = 4;
    ck_assert_int_eq(mmu_config_check(&c, &err), -1);
    mmu_config_defaults(&c);
    c.stlb.huge_2m.ways = 7; /* not used: shared */
    ck_assert_int_eq(mmu_config_check(&c, &err), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("mmu_params");
    TCase *t = tcase_create("mmu_params");
    tcase_add_test(t, test_defaults_are_valid);
    tcase_add_test(t, test_tables_are_sound);
    tcase_add_test(t, test_refused);
    suite_add_tcase(s, t);
    return run_suite(s);
}
