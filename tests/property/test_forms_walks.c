/* Closed forms of page walks through the whole machine: x86-hardware.md 10.5 (strided access) and 10.6 (references of a
 * walk). Passes over mapped pages are measured: the difference between three passes and two. */
#include "unit/test_machine_util.h"

enum { MIB = 1 << 20 };
#define GIB (UINT64_C(1) << 30)

static void one_entry_tlbs(struct mmu_config *u)
{
    struct tlb_config *t[] = {&u->itlb, &u->dtlb, &u->stlb};
    for (unsigned i = 0; i < 3; i++) {
        t[i]->entries = t[i]->ways = 1;
        t[i]->huge_2m.entries = t[i]->huge_1g.entries = 0;
        t[i]->huge_2m.shared = t[i]->huge_1g.shared = false;
        t[i]->replacement = REPL_lru;
    }
}

/* Paging-structure caches of `n` entries each, fully associative. */
static void pscs(struct mmu_config *u, uint32_t n)
{
    struct psc_level_config *l[] = {&u->pwc.pde, &u->pwc.pdpte, &u->pwc.pml4e, &u->pwc.pml5e};
    for (unsigned i = 0; i < 4; i++)
        *l[i] = (struct psc_level_config){.entries = n, .ways = n ? n : 1, .replacement = REPL_lru};
}

static void walk_machine(struct machine_config *m, uint32_t levels, uint32_t psc)
{
    plain_machine(m, 1);
    m->sim.mode = SIM_MODE_FUNCTIONAL;
    m->mmu.enabled = true;
    m->mmu.levels = levels;
    one_entry_tlbs(&m->mmu);
    pscs(&m->mmu, psc);
}

/* Counters that one pass adds. */
struct pass {
    uint64_t walks, reads, dtlb, stlb, line, walk_lines, pde, pdpte, pml4e, pml5e, from_root;
};

static struct pass read_all(const struct machine_config *m, const struct rec_list *l)
{
    struct run r;
    run_lists(&r, m, l, 1);
    struct pass s = {value_of(&r, "cpu0.walker.walks"),   value_of(&r, "cpu0.walker.pte_reads"), value_of(&r, "cpu0.dtlb.misses"),
                       value_of(&r, "cpu0.stlb.misses"),    value_of(&r, "cpu0.l1d.cpu.misses"),   value_of(&r, "llc.walk.misses"),
                       value_of(&r, "cpu0.pwc.pde_hits"),   value_of(&r, "cpu0.pwc.pdpte_hits"),   value_of(&r, "cpu0.pwc.pml4e_hits"),
                       value_of(&r, "cpu0.pwc.pml5e_hits"), value_of(&r, "cpu0.pwc.misses")};
    run_end(&r);
    return s;
}

/* The list is one pass; what the third pass adds. The first maps the pages (and reads tables anew after each fault), so
 * that only from the second on the passes are alike. */
static struct pass steady_pass(const struct machine_config *m, struct rec_list *l)
{
    struct pass a = {0}, b = {0};
    size_t n = l->n;
    for (unsigned pass = 2; pass <= 3; pass++) {
        for (size_t i = 0; i < n; i++)
            rec_add(l, l->rec[i].kind, l->rec[i].addr, l->rec[i].size);
        a = b;
        b = read_all(m, l);
    }
    l->n = n;
    return (struct pass){b.walks - a.walks, b.reads - a.reads, b.dtlb - a.dtlb, b.stlb - a.stlb,
                           b.line - a.line, b.walk_lines - a.walk_lines, b.pde - a.pde, b.pdpte - a.pdpte,
                           b.pml4e - a.pml4e, b.pml5e - a.pml5e, b.from_root - a.from_root};
}

/*
 * 10.5. The caches above the LLC hold one line of data, so that the LLC (fully associative, 256 lines) sees every PTE
 * read: a PTE line is used eight times within at most 8 * 64 accesses of which only the last 64 others lie between two
 * uses, and is gone when the next pass comes.
 */
START_TEST(test_strided)
{
    static const uint64_t strides[] = {8, 16, 64, 128, 256, 1024, 4096};
    enum { FOOTPRINT = 4 * MIB };
    for (size_t i = 0; i < ARRAY_LEN(strides); i++)
        for (unsigned stores = 0; stores < 2; stores++) {
            struct machine_config m;
            struct rec_list l = {0};
            uint64_t s = strides[i];
            walk_machine(&m, 4, 1);
            bool timed = _i;
            if ((timed && s < 1024) || (stores && s < 256))
                continue; /* the same, only long */
            m.sim.mode = timed ? SIM_MODE_TIMED : SIM_MODE_FUNCTIONAL;
            m.mmu.dtlb.entries = m.mmu.dtlb.ways = 4;
            m.mmu.stlb.entries = m.mmu.stlb.ways = 16;
            shape(&m.cache.l1d, 1, 1, REPL_lru);
            shape(&m.cache.l2, 1, 1, REPL_lru);
            shape(&m.cache.llc, 1, 256, REPL_lru);
            for (uint64_t a = 0; a < FOOTPRINT; a += s)
                rec_add(&l, stores ? TRACE_STORE : TRACE_LOAD, 0x7f0000000000 + a, 8);
            struct pass x = steady_pass(&m, &l);
            ck_assert_uint_eq(x.dtlb, FOOTPRINT / PAGE_BYTES); /* s / p an access */
            ck_assert_uint_eq(x.stlb, FOOTPRINT / PAGE_BYTES);
            ck_assert_uint_eq(x.walks, FOOTPRINT / PAGE_BYTES);
            ck_assert_uint_eq(x.line, FOOTPRINT / (s < LINE_BYTES ? LINE_BYTES : s)); /* min(1, s / 64) an access */
            /* s / (8 p) PTE lines, and s / 2 MiB references of the page directory (all of one line). */
            ck_assert_uint_eq(x.walk_lines, FOOTPRINT / (8 * PAGE_BYTES) + FOOTPRINT / (2 * MIB));
            ck_assert_uint_eq(x.reads, FOOTPRINT / PAGE_BYTES + FOOTPRINT / (2 * MIB));
            ck_assert_uint_eq(x.pdpte, FOOTPRINT / (2 * MIB));
            list_clear(&l);
        }
}
END_TEST

/* 10.6: references of one walk, by page size and depth of the tables; with and without paging-structure caches. */
START_TEST(test_references)
{
    static const uint64_t bytes[] = {64 * MIB, 64 * MIB, 5 * GIB};
    for (uint32_t levels = 4; levels <= 5; levels++)
        for (int size = PAGE_SIZE_4K; size <= PAGE_SIZE_1G; size++)
            for (unsigned cached = 0; cached < 2; cached++) {
                struct machine_config m;
                struct rec_list l = {0};
                if (size == PAGE_SIZE_1G && cached != (levels == 5))
                    continue; /* a 1 GiB page takes 2^24 line stores to clear */
                walk_machine(&m, levels, cached ? 4 : 0);
                m.memory.size_bytes = bytes[size];
                m.vm.page_size = size;
                m.vm.gigantic_pages = size == PAGE_SIZE_1G;
                for (unsigned i = 0; i < 100; i++) /* two places of one large page, or two small pages of one table */
                    rec_add(&l, TRACE_LOAD, 0x7f0040000000 + i % 2 * PAGE_BYTES, 8);
                struct pass x;
                if (size == PAGE_SIZE_1G) { /* one run: the first walk ends at the empty root */
                    x = read_all(&m, &l);
                    x.walks--;
                    x.reads -= 1;
                    x.from_root -= 1;
                    if (cached) { /* the second fills the caches */
                        x.walks--;
                        x.reads -= levels - (uint32_t)size;
                    }
                } else {
                    x = steady_pass(&m, &l);
                }
                ck_assert_uint_eq(x.walks, size == PAGE_SIZE_1G && cached ? 99 : 100);
                ck_assert_uint_eq(x.reads, x.walks * (cached ? 1 : levels - (uint32_t)size));
                ck_assert_uint_eq(cached ? (size == PAGE_SIZE_4K ? x.pde : size == PAGE_SIZE_2M ? x.pdpte : x.pml4e) : x.from_root, x.walks);
                list_clear(&l);
            }
}
END_TEST

/*
 * 10.6: an endless sweep takes 1 + 1/512 + 1/512^2 + ... references a walk. Half a GiB of pages show the first two terms
 * exactly; the third and fourth are shown by sweeps of a stride, below.
 */
START_TEST(test_sequential)
{
    struct machine_config m;
    struct rec_list l = {0};
    enum { PAGES = 131072 };
    walk_machine(&m, 4, 1);
    m.memory.size_bytes = 1 * GIB;
    for (uint64_t i = 0; i < PAGES; i++)
        rec_add(&l, TRACE_LOAD, 0x7f0040000000 + i * PAGE_BYTES, 8);
    struct pass x = steady_pass(&m, &l);
    ck_assert_uint_eq(x.walks, PAGES);
    ck_assert_uint_eq(x.reads, PAGES + PAGES / 512); /* the PDPTE is the same all the time */
    list_clear(&l);
}
END_TEST

/*
 * With one entry a level a walk reads the leaf and every level whose prefix differs from the walk before. On a sweep of
 * pages `stride` apart that is the sum 1 + min(1, s / 2 MiB) + min(1, s / 1 GiB) + min(1, s / 512 GiB) [+ min(1, s / 256 TiB)],
 * and for any other sequence it is counted here.
 */
static uint64_t expected(const struct rec_list *l, uint32_t levels)
{
    uint64_t n = 0;
    for (size_t i = 0; i < l->n; i++) {
        uint64_t before = l->rec[i ? i - 1 : l->n - 1].addr, now = l->rec[i].addr; /* the passes follow each other */
        n++;
        for (uint32_t k = 2; k <= levels; k++)
            n += before >> (9 * k + 3) != now >> (9 * k + 3);
    }
    return n;
}

START_TEST(test_prefixes)
{
    struct rng r;
    rng_init(&r, 2, "prefixes");
    for (uint32_t levels = 4; levels <= 5; levels++)
        for (unsigned round = 0; round < 24; round++) {
            struct machine_config m;
            struct rec_list l = {0};
            enum { PAGES = 512 };
            walk_machine(&m, levels, 1);
            unsigned top = levels == 4 ? 46 : 55, shift = 12 + (round * 3) % (top - 20);
            m.memory.size_bytes = 512 * MIB;
            for (uint64_t i = 0; i < PAGES; i++) {
                uint64_t page = round < 12 ? i << shift : rng_below(&r, UINT64_C(1) << (top - rng_below(&r, 30)));
                rec_add(&l, TRACE_LOAD, page & ((UINT64_C(1) << top) - 1) & ~UINT64_C(0xfff), 8);
                while (l.n > 1 && l.rec[l.n - 1].addr == l.rec[l.n - 2].addr) /* the same page: no walk at all */
                    l.rec[l.n - 1].addr ^= PAGE_BYTES;
            }
            if (l.rec[0].addr == l.rec[l.n - 1].addr)
                l.n--;
            struct pass x = steady_pass(&m, &l);
            ck_assert_uint_eq(x.walks, l.n);
            ck_assert_uint_eq(x.reads, expected(&l, levels));
            if (round < 12) {
                double s = (double)(UINT64_C(1) << shift), per = 1;
                for (uint32_t k = 2; k <= levels; k++) {
                    double share = s / (double)(UINT64_C(1) << (9 * k + 3));
                    per += share < 1 ? share : 1;
                }
                /* The step from the pass's end to its beginning is not part of the endless sweep. */
                ck_assert_double_eq_tol((double)x.reads, per * PAGES, levels);
            }
            list_clear(&l);
        }
}
END_TEST

/* 10.6: random pages of a region, PDE cache of 8 entries, all PDPTEs cached: 1 + (1 - 8 / tables) references a walk. */
START_TEST(test_random_region)
{
    struct machine_config m;
    struct rec_list l = {0};
    struct rng r;
    enum { WALKS = 60000, TABLES = 64, PAGES = 8 }; /* 8 pages in each of 64 tables */
    rng_init(&r, 8, "region");
    walk_machine(&m, 4, 8);
    for (unsigned i = 0; i < WALKS; i++) {
        uint64_t a = 0x7f0040000000 + rng_below(&r, TABLES) * 2 * MIB + rng_below(&r, PAGES) * PAGE_BYTES;
        rec_add(&l, TRACE_LOAD, a, 8);
    }
    struct pass x = steady_pass(&m, &l);
    ck_assert_uint_eq(x.pde + x.pdpte, x.walks);
    ck_assert_uint_eq(x.reads, 2 * x.walks - x.pde);
    /* A repeated page hits the TLB, so walks are of other pages than the one before: (8 * 8 - 1) / (64 * 8 - 1). */
    double h = 63.0 / 511, n = (double)x.walks;
    ck_assert_double_eq_tol((double)x.pde / n, h, 3.89 * __builtin_sqrt(h * (1 - h) / n));
    list_clear(&l);
}
END_TEST

/* 10.6's latency of a walk: the sum of its reads' levels, each with the L1D's latency, and the probe of the caches. */
START_TEST(test_walk_latency)
{
    struct machine_config m;
    struct rec_list l = {0};
    walk_machine(&m, 4, 1);
    m.sim.mode = SIM_MODE_TIMED;
    m.mmu.pwc.latency = 3;
    m.mmu.dtlb.entries = m.mmu.dtlb.ways = 1;
    m.mmu.stlb.latency = 9;
    /* Two pages of two tables: each walk reads PDE and PTE, all in the L1D by then: 3 + 2 * 2 cycles. */
    for (unsigned i = 0; i < 100; i++)
        rec_add(&l, TRACE_LOAD, 0x7f0040000000 + i % 2 * (2 * MIB + 16 * PAGE_BYTES + 512), 8);
    uint64_t a = counter_after(&m, &l, "cpu0.walker.cycles"), b, c = cycles_of(&m, &l);
    size_t n = l.n;
    for (size_t i = 0; i < n; i++)
        rec_add(&l, TRACE_LOAD, l.rec[i].addr, 8);
    b = counter_after(&m, &l, "cpu0.walker.cycles");
    ck_assert_uint_eq(b - a, 100 * (3 + 2 * 2));
    ck_assert_uint_eq(cycles_of(&m, &l) - c, 100 * (9 + 3 + 2 * 2 + 2)); /* STLB, walk, the load's own hit */
    list_clear(&l);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("forms_walks");
    TCase *t = tcase_create("walks");
    tcase_set_timeout(t, 0);
    tcase_add_loop_test(t, test_strided, 0, 2);
    tcase_add_test(t, test_references);
    tcase_add_test(t, test_sequential);
    tcase_add_test(t, test_prefixes);
    tcase_add_test(t, test_random_region);
    tcase_add_test(t, test_walk_latency);
    suite_add_tcase(s, t);
    return run_suite_of(s);
}
