/*
 * The reverse map of running address spaces: after any calls each mapped frame's mappings lead to entries that name it; a frame that
 * two address spaces have moves in both.
 */
#include "unit/vm_machine.h"

#include "engine/rng.h"
#include "frames/rmap.h"
#include "vm/migrate.h"
#include "vm/pgtable.h"

enum { SPACES = 3, PAGES = 256 };

struct visit { struct vm_machine *m; pfn_t pfn; uint64_t n; };

static bool leads_here(void *ctx, uint32_t asid, uint64_t vpn)
{
    struct visit *v = ctx;
    struct pt_memory mem = vm_pt_memory(v->m->vm);
    struct paging_root root = vm_root(v->m->vm, asid);
    struct walk w;
    ck_assert_msg(walk_all(&w, &root, (va_t){vpn << PAGE_SHIFT}, ACCESS_USER, &mem) == WALK_LEAF, "space %u, page 0x%llx is not mapped", asid,
                  (unsigned long long)vpn);
    ck_assert_uint_eq(pa_to_pfn(xlat_pa(w.result, (va_t){vpn << PAGE_SHIFT})).v, v->pfn.v);
    v->n++;
    return true;
}

/* Mappings found; each frame's as many as it counts. */
static uint64_t all_lead_back(struct vm_machine *m)
{
    uint64_t n = 0;
    for (uint64_t p = 0; p < m->frames->n_frames; p++) {
        const struct frame *f = frame_at(m->frames, (pfn_t){p});
        if (f->state != FRAME_ALLOCATED || f->tag != FRAME_TAG_ANON)
            continue;
        struct visit v = {m, {p}, 0};
        rmap_each(m->frames, v.pfn, leads_here, &v);
        ck_assert_uint_eq(v.n, f->mapcount);
        ck_assert_uint_gt(v.n, 0);
        n += v.n << f->order;
    }
    return n;
}

START_TEST(random_calls)
{
    struct vm_machine m;
    struct vm_config c;
    vm_config_defaults(&c);
    c.page_size = _i ? PAGE_SIZE_2M : PAGE_SIZE_4K;
    machine_init(&m, 256 << 20, 4, &c);
    uint32_t asid[SPACES];
    struct rng r;
    rng_init(&r, (uint64_t)_i, "rmap vm");
    const uint64_t base = 0x7f0000000000, reach = (uint64_t)PAGES << (_i ? 21 : 12), step = _i ? 1u << 21 : 4096;
    const uint64_t bytes = _i ? 16 * step : reach;
    uint64_t most = 0;
    for (unsigned i = 0; i < SPACES; i++) {
        asid[i] = vm_process_new(m.vm);
        vm_mmap(m.vm, asid[i], (va_t){base}, 2 * bytes, 3, 0, NULL);
    }
    for (unsigned k = 0; k < 6000; k++) {
        unsigned a = (unsigned)rng_below(&r, SPACES);
        uint64_t at = base + rng_below(&r, 2 * bytes / 4096) * 4096, len = (1 + rng_below(&r, 8)) * 4096;
        struct walk w;
        switch (rng_below(&r, 40)) {
        case 0:
            vm_munmap(m.vm, asid[a], (va_t){at}, len, NULL);
            vm_mmap(m.vm, asid[a], (va_t){at}, len, 3, 0, NULL);
            break;
        case 1:
            vm_madvise(m.vm, asid[a], (va_t){at}, len, 4, NULL);
            break;
        case 2:
            vm_mremap(m.vm, asid[a], (va_t){base}, bytes, (va_t){base + 4 * bytes}, bytes, false, NULL);
            vm_mremap(m.vm, asid[a], (va_t){base + 4 * bytes}, bytes, (va_t){base}, bytes, false, NULL);
            break;
        case 3:
            if (rng_below(&r, 20) == 0) {
                vm_exit(m.vm, asid[a]);
                asid[a] = vm_process_new(m.vm);
                vm_mmap(m.vm, asid[a], (va_t){base}, 2 * bytes, 3, 0, NULL);
            }
            break;
        default:
            machine_access(&m, asid[a], at, ACCESS_USER | ACCESS_WRITE, &w);
            break;
        }
        if (k % 200 == 0) {
            uint64_t n = all_lead_back(&m), rss = 0;
            for (unsigned i = 0; i < SPACES; i++)
                rss += vm_rss_pages(m.vm, asid[i]);
            ck_assert_uint_eq(n, rss);
            most = n > most ? n : most;
            machine_check(&m);
        }
    }
    ck_assert_uint_gt(most, 100);
    machine_fini(&m);
}
END_TEST

struct told { unsigned n; uint32_t asid[4]; };
static void dropped(void *self, uint32_t asid, va_t va, enum page_size size, pa_t entry)
{
    struct told *t = self;
    (void)va, (void)size, (void)entry;
    t->asid[t->n++ % 4] = asid;
}

/* No call makes two address spaces share a frame yet: its second entry is written by hand. */
START_TEST(shared_frame_moves_for_both)
{
    struct vm_machine m;
    struct vm_config c;
    vm_config_defaults(&c);
    machine_init(&m, 64 << 20, 4, &c);
    uint32_t a = vm_process_new(m.vm), b = vm_process_new(m.vm);
    const va_t va = {0x400000}, vb = {0x800000};
    struct walk w;
    vm_mmap(m.vm, a, va, 4096, 3, 0, NULL);
    vm_mmap(m.vm, b, vb, 4096, 3, 0, NULL);
    machine_access(&m, a, va.v, ACCESS_USER | ACCESS_WRITE, &w);
    pfn_t shared = pa_to_pfn(xlat_pa(w.result, va));
    machine_access(&m, b, vb.v, ACCESS_USER | ACCESS_WRITE, &w);
    pfn_t own = pa_to_pfn(xlat_pa(w.result, vb));
    pa_t entry = w.entry_pa;
    uint64_t old = pt_read(m.vm, entry);
    ck_assert(rmap_del(m.frames, own, b, vb.v >> PAGE_SHIFT) && rmap_add(m.frames, shared, b, vb.v >> PAGE_SHIFT));
    pt_write(m.vm, entry, old ^ pfn_to_pa(own).v ^ pfn_to_pa(shared).v);
    frames_free(m.frames, own, 0);
    ck_assert_uint_eq(frame_at(m.frames, shared)->mapcount, 2);
    ck_assert_uint_eq(all_lead_back(&m), 2);

    struct told told = {0};
    struct vm_mover mover = {.vm = m.vm, .drop = {.self = &told, .page = dropped}};
    struct compact_owner owner = vm_owner(&mover);
    struct compact_cost cost = {0};
    pfn_t to = frames_alloc(m.frames, GFP_HIGHUSER_MOVABLE, 0, FRAME_TAG_ANON);
    struct frame *from = frame_at(m.frames, shared), *now = frame_at(m.frames, to);
    *now = *from; /* as the compaction does */
    ck_assert(owner.move(owner.self, shared, to, 0, &cost));
    *from = (struct frame){.state = FRAME_ALLOCATED, .tag = FRAME_TAG_ANON};
    frames_free(m.frames, shared, 0);
    ck_assert_uint_eq(cost.pte_stores, 2);
    ck_assert(told.n == 2 && told.asid[0] != told.asid[1]);
    ck_assert_uint_eq(all_lead_back(&m), 2);
    machine_access(&m, a, va.v, ACCESS_USER, &w);
    ck_assert_uint_eq(pa_to_pfn(xlat_pa(w.result, va)).v, to.v);
    machine_access(&m, b, vb.v, ACCESS_USER, &w);
    ck_assert_uint_eq(pa_to_pfn(xlat_pa(w.result, vb)).v, to.v);
    vm_exit(m.vm, a); /* the other keeps it */
    ck_assert_uint_eq(frame_at(m.frames, to)->mapcount, 1);
    ck_assert_uint_eq(all_lead_back(&m), 1);
    machine_check(&m);
    vm_exit(m.vm, b);
    machine_fini(&m);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("rmap_vm");
    TCase *t = tcase_create("rmap");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, random_calls, 0, 2);
    tcase_add_test(t, shared_frame_moves_for_both);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
