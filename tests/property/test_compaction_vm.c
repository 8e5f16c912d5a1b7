/*
 * Compaction of processes' memory: every page holds a number of its own, a remembered translation stands for a TLB entry. After any
 * compaction each address must still lead to its number, through the tables and through every translation that was not dropped, with
 * the rights and accessed bits it had. Seed: MMULAB_SEED.
 */
#include "unit/vm_machine.h"

#include "engine/rng.h"
#include "frames/measure/fragmentation.h"
#include "frames/buddy/pcp.h"
#include "vm/migrate.h"

#include <inttypes.h>
#include <stdlib.h>

enum { PROCESSES = 3, PAGES = 6000, CPUS = 4 };
#define BASE 0x10000000ull

struct seen { bool mapped; uint64_t tlb, flags; }; /* tlb: frame, 0: none */
struct world {
    struct vm_machine m;
    struct compaction *c;
    struct vm_mover mover;
    struct seen page[PROCESSES][PAGES];
    uint64_t copied, dropped;
};

static uint64_t *word_of(struct world *w, uint64_t pfn) { return phys_at(&w->m.mem, pfn_to_pa((pfn_t){pfn})); }
static uint64_t number_of(unsigned asid, unsigned page) { return 1 + asid * 1000003ull + page; }

static void on_drop(void *self, uint32_t asid, va_t va, enum page_size size, pa_t entry)
{
    struct world *w = self;
    (void)entry;
    if (va.v < BASE || (va.v - BASE) >> PAGE_SHIFT >= PAGES)
        return;
    ck_assert_int_eq(size, PAGE_SIZE_4K);
    w->page[asid][(va.v - BASE) >> PAGE_SHIFT].tlb = 0;
    w->dropped++;
}

static void on_copied(void *self, pfn_t from, pfn_t to, uint64_t pages)
{
    struct world *w = self;
    memcpy(word_of(w, to.v), word_of(w, from.v), pages << PAGE_SHIFT);
    memset(word_of(w, from.v), 0x5a, pages << PAGE_SHIFT);
    w->copied += pages;
}

static struct world *world_new(bool huge_defrag)
{
    struct world *w = calloc(1, sizeof *w);
    struct vm_config vc;
    struct err e = {0};
    vm_config_defaults(&vc);
    vc.huge_defrag = huge_defrag;
    machine_init_cpus(&w->m, 64ull << 20, 4, &vc, CPUS);
    ck_assert_int_eq(compaction_new(&w->c, w->m.frames, NULL, &e), 0);
    w->mover = (struct vm_mover){.vm = w->m.vm, .drop = {.self = w, .page = on_drop}, .self = w, .copied = on_copied};
    w->c->owner = vm_owner(&w->mover);
    compaction_attach(w->c);
    for (unsigned a = 0; a < PROCESSES; a++)
        ck_assert_uint_eq(vm_process_new(w->m.vm), a);
    return w;
}

static void world_free(struct world *w)
{
    w->m.frames->hooks = (struct frames_hooks){0};
    compaction_free(w->c);
    machine_fini(&w->m);
    free(w);
}

static uint64_t walk_to(struct world *w, unsigned asid, unsigned page, uint64_t *flags)
{
    struct walk k;
    uint64_t va = BASE + ((uint64_t)page << PAGE_SHIFT);
    ck_assert_int_eq(machine_access(&w->m, asid, va, ACCESS_USER | ACCESS_WRITE, &k), FAULT_RESOLVED);
    uint64_t entry = *(uint64_t *)phys_at(&w->m.mem, walk_entry_pa(&k));
    *flags = entry & (PAGE_BYTES - 1);
    return pte_page((pte_t){entry}, PAGE_SIZE_4K).v >> PAGE_SHIFT;
}

static void touch(struct world *w, unsigned asid, unsigned page)
{
    struct seen *s = &w->page[asid][page];
    uint64_t flags, pfn = walk_to(w, asid, page, &flags);
    if (!s->mapped)
        *word_of(w, pfn) = number_of(asid, page);
    s->mapped = true;
    s->tlb = pfn;
    s->flags = flags;
}

static void verify(struct world *w)
{
    machine_check(&w->m);
    for (unsigned a = 0; a < PROCESSES; a++)
        for (unsigned p = 0; p < PAGES; p++) {
            struct seen *s = &w->page[a][p];
            uint64_t flags;
            if (!s->mapped)
                continue;
            uint64_t pfn = walk_to(w, a, p, &flags);
            ck_assert_uint_eq(*word_of(w, pfn), number_of(a, p));
            ck_assert_uint_eq(flags, s->flags);
            ck_assert(s->tlb == 0 || s->tlb == pfn); /* what was not dropped still holds */
        }
}

START_TEST(addresses_keep_their_contents)
{
    struct world *w = world_new(false);
    struct rng r;
    const char *seed = getenv("MMULAB_SEED");
    rng_init(&r, seed ? strtoull(seed, NULL, 0) : 5, "compaction vm");
    const struct vm_shootdown sd = w->mover.drop;
    for (unsigned round = 0; round < 40; round++) {
        for (unsigned i = 0; i < 3000; i++) {
            unsigned a = (unsigned)rng_below(&r, PROCESSES), p = (unsigned)rng_below(&r, PAGES);
            frames_on_cpu(w->m.frames, (unsigned)rng_below(&r, CPUS)); /* each has lists of its own */
            if (rng_below(&r, 100) < (round % 4 < 2 ? 65u : 35u)) {
                touch(w, a, p);
            } else {
                vm_madvise(w->m.vm, a, (va_t){BASE + ((uint64_t)p << PAGE_SHIFT)}, PAGE_BYTES, 4, &sd);
                w->page[a][p] = (struct seen){0};
            }
        }
        switch (round % 3) {
        case 0:
            compact_memory(w->c);
            break;
        case 1:
            compact_daemon(w->c, 0, 9, ZONE_MOVABLE);
            break;
        default:
            compact_direct(w->c, &(struct frame_request){.gfp = GFP_TRANSHUGE, .order = 9, .highest = ZONE_MOVABLE,
                                                         .mt = MIGRATE_MOVABLE}, WMARK_MIN, COMPACT_SYNC_FULL);
        }
        verify(w);
    }
    ck_assert_uint_gt(w->copied, 1000);
    ck_assert_uint_eq(w->copied, w->c->st.migrated);
    ck_assert_uint_eq(w->copied, w->c->st.invalidations);
    world_free(w);
}
END_TEST

/* A fault for a huge page in fragmented memory: with huge_defrag it gets one, and the fault's own books are right. */
START_TEST(huge_fault_compacts)
{
    for (int defrag = 0; defrag < 2; defrag++) {
        struct world *w = world_new(defrag);
        struct walk k;
        struct rng r;
        rng_init(&r, 3, "huge");
        unsigned asid = 0;
        uint64_t n = 0;
        const uint64_t first = 1ull << 32, most = 14000;
        while (n < most && machine_access(&w->m, asid, first + (n << PAGE_SHIFT), ACCESS_USER | ACCESS_WRITE, &k) == FAULT_RESOLVED)
            n++;
        for (uint64_t p = 0; p < n; p++)
            if (rng_below(&r, 100) < 70)
                vm_madvise(w->m.vm, asid, (va_t){first + (p << PAGE_SHIFT)}, PAGE_BYTES, 4, NULL);
        /* What is left of whole blocks goes too. */
        while (!pfn_is_none(frames_alloc(w->m.frames, GFP_TRANSHUGE_LIGHT, 9, FRAME_TAG_OTHER)))
            ;
        w->m.vm->config.page_size = PAGE_SIZE_2M;
        uint64_t before = w->m.vm->st.mapped_2m;
        ck_assert_int_eq(machine_access(&w->m, 1, BASE, ACCESS_USER | ACCESS_WRITE, &k), FAULT_RESOLVED);
        ck_assert_uint_eq(w->m.vm->st.mapped_2m - before, (unsigned)defrag);
        ck_assert_uint_eq(w->c->st.migrated > 0, (unsigned)defrag);
        machine_check(&w->m);
        for (uint64_t p = 0; p < w->m.frames->n_frames; p++) {
            const struct frame *f = frame_at(w->m.frames, (pfn_t){p});
            if (f->state == FRAME_ALLOCATED && f->tag == FRAME_TAG_OTHER)
                frames_free(w->m.frames, (pfn_t){p}, 9);
        }
        world_free(w);
    }
}
END_TEST

/* Ballast of an aged machine: in no table, yet it moves, with its contents; unmovable ballast stays where it is. */
START_TEST(ballast_moves)
{
    enum { MOST = 14000 };
    struct world *w = world_new(false);
    struct frame_map *map = w->m.frames;
    uint64_t n[2] = {0}, found = 0, lost = 0, sum[2] = {0}, *fixed = calloc(MOST, sizeof *fixed);
    struct rng r;
    rng_init(&r, 11, "ballast");
    ck_assert_ptr_nonnull(fixed);
    for (uint64_t i = 0; i < MOST; i++) {
        bool stays = i / 512 % 4 == 3;
        pfn_t pfn = frames_alloc(map, stays ? GFP_KERNEL : GFP_HIGHUSER_MOVABLE, 0, stays ? FRAME_TAG_KERNEL : FRAME_TAG_BALLAST);
        if (pfn_is_none(pfn))
            break;
        *word_of(w, pfn.v) = i + 1;
        if (stays)
            fixed[n[1]++] = pfn.v;
        else
            n[0]++;
    }
    for (uint64_t p = 0; p < map->n_frames; p++)
        if (map->frames[p].state == FRAME_ALLOCATED && map->frames[p].tag == FRAME_TAG_BALLAST) {
            if (rng_below(&r, 100) < 60) {
                frames_free(map, (pfn_t){p}, 0);
                n[0]--;
            } else {
                sum[0] += *word_of(w, p);
            }
        }
    pcp_drain_all(map, NULL);
    compact_memory(w->c);
    machine_check(&w->m);
    ck_assert_uint_gt(w->copied, 1000);
    ck_assert_uint_eq(w->copied, w->c->st.migrated);
    ck_assert_uint_eq(w->c->st.pte_stores, 0);
    ck_assert_uint_eq(w->c->st.invalidations, 0);
    for (uint64_t p = 0; p < map->n_frames; p++)
        if (map->frames[p].state == FRAME_ALLOCATED && map->frames[p].tag == FRAME_TAG_BALLAST) {
            found++;
            lost += *word_of(w, p) == 0;
            sum[1] += *word_of(w, p);
            frames_free(map, (pfn_t){p}, 0);
        }
    ck_assert_uint_eq(found, n[0]);
    ck_assert_uint_eq(lost, 0);
    ck_assert_uint_eq(sum[0], sum[1]); /* what was freed left junk; each number that stayed is there once */
    for (uint64_t i = 0; i < n[1]; i++) {
        ck_assert_int_eq(map->frames[fixed[i]].state, FRAME_ALLOCATED);
        ck_assert_int_eq(map->frames[fixed[i]].tag, FRAME_TAG_KERNEL);
        frames_free(map, (pfn_t){fixed[i]}, 0);
    }
    free(fixed);
    world_free(w);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("compaction_vm");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, addresses_keep_their_contents);
    tcase_add_test(t, huge_fault_compacts);
    tcase_add_test(t, ballast_moves);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
