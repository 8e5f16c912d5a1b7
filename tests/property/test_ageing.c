/*
 * Every ageing recipe against targets, orders, sizes, layouts and allocators: the index is counted anew from the frames
 * themselves, the expensive verifier finds nothing, frames are conserved, the seed decides. Seed: MMULAB_SEED.
 */
#include "unit/test_frames_util.h"

#include "frames/ageing/ageing.h"
#include "frames/frame_alloc.h"

#include <math.h>

static uint64_t seed(void)
{
    return getenv("MMULAB_SEED") ? strtoull(getenv("MMULAB_SEED"), NULL, 0) : 20261122;
}

static struct ageing_config recipe(int which, unsigned order, double target, double free_share)
{
    return (struct ageing_config){.recipe = which, .order = order, .target = target, .free = free_share};
}

/* U of a stretch of memory: free frames outside aligned areas of 2^order that are free as a whole. Knows no free list. */
static double counted(const struct frame_map *m, unsigned order, uint64_t from, uint64_t to)
{
    uint64_t all = 0, usable = 0;
    for (uint64_t area = from >> order; area << order < to; area++) {
        uint64_t n = 0;
        for (uint64_t p = area << order; p < (area + 1) << order; p++)
            n += p >= from && p < to && frames_find(m, (pfn_t){p}).kind == FRAME_IS_FREE;
        all += n;
        if (n == 1ull << order)
            usable += n;
    }
    return all ? 1 - (double)usable / (double)all : 1;
}

static struct ageing_report aged(struct frame_map *m, struct ageing_config c, uint64_t with)
{
    struct err e = {0};
    char text[2048];
    struct ageing_report r;
    struct frames_stats before = m->st;
    ck_assert_msg(frames_age(m, &c, with, &r, &e) == 0, "%s order %u target %g free %g: %s", ageing_recipe_name(c.recipe), c.order,
                  c.target, c.free, err_format(&e, text, sizeof text));
    check_map(m);
    ck_assert_uint_eq(frames_free_pages(m) + frames_allocated_pages(m), m->managed);
    ck_assert_uint_eq(frames_pcp_pages(m), 0);
    ck_assert_uint_eq(r.free_pages, frames_free_pages(m));
    ck_assert_uint_eq(r.ballast_movable + r.ballast_unmovable, frames_allocated_pages(m));
    ck_assert_mem_eq(&before, &m->st, sizeof before);
    ck_assert_msg(r.allocs > 0 && r.frees > 0, "nothing was allocated or freed");
    double u = counted(m, c.order, 0, m->n_frames);
    ck_assert_msg(fabs(u - c.target) <= 0.01, "%s order %u target %g: %g is reached", r.recipe, c.order, c.target, u);
    bool some = false;
    for (unsigned i = 0, k = 0; i < m->n_zones; i++) {
        const struct zone *z = &m->zones[i];
        if (!z->managed)
            continue;
        u = counted(m, c.order, z->start, z->end);
        ck_assert_msg(!r.zone[k].aged || fabs(u - c.target) <= 0.01, "%s order %u target %g: zone %s has %g", r.recipe, c.order,
                      c.target, r.zone[k].name, u);
        ck_assert_msg(r.zone[k].aged || z->free == 0, "zone %s takes no part and has free memory", r.zone[k].name);
        some |= r.zone[k++].aged;
    }
    ck_assert(some);
    return r;
}

START_TEST(reached)
{
    static const double targets[] = {0, 0.05, 0.5, 0.8, 0.97, 1};
    static const struct { uint64_t size; unsigned order; } at[] = {{160 * MIB, 1}, {160 * MIB, 4}, {256 * MIB, 7}, {1 * GIB, 9}};
    for (int k = AGEING_HOLES; k <= AGEING_CHURN; k++)
        for (size_t s = 0; s < sizeof at / sizeof *at; s++)
            for (size_t t = 0; t < sizeof targets / sizeof *targets; t++) {
                struct frame_map *m = map_sized(at[s].size);
                struct ageing_config c = recipe(k, at[s].order, targets[t], 0.3);
                struct ageing_report r = aged(m, c, seed() + t);
                double share = (double)r.free_pages / (double)r.managed;
                ck_assert_msg(share > 0.2 && share < 0.4, "%s order %u target %g: %g is free, 0.3 was wanted", r.recipe, c.order,
                              c.target, share);
                frame_map_free(m);
            }
}
END_TEST

START_TEST(all_allocators)
{
    for (int alloc = 0; alloc < N_FRAME_ALLOCATORS; alloc++)
        for (int k = AGEING_HOLES; k <= AGEING_CHURN; k++) {
            struct memory_config mem;
            struct buddy_config b;
            frames_config_defaults(&mem, &b);
            mem.size_bytes = 256 * MIB;
            b.allocator = alloc;
            b.cpus = 3;
            struct frame_map *m = map_of(mem, b);
            struct ageing_config c = recipe(k, 6, 0.7, 0.4);
            c.unmovable = alloc & 1 ? 0.3 : 0;
            aged(m, c, seed());
            frame_map_free(m);
        }
}
END_TEST

/* Two nodes, a Movable zone, holes in RAM, a 32-bit machine. */
START_TEST(layouts)
{
    for (unsigned how = 0; how < 3; how++)
        for (int k = AGEING_HOLES; k <= AGEING_CHURN; k++) {
            struct memory_config mem;
            struct buddy_config b;
            frames_config_defaults(&mem, &b);
            mem.size_bytes = 1536 * MIB;
            b.cpus = 2;
            if (how == 0)
                mem.nodes = 2;
            if (how == 1)
                mem.movablecore_bytes = 512 * MIB;
            if (how == 2)
                mem.zones = MEMORY_ZONES_X86_32;
            struct frame_map *m = map_of(mem, b);
            struct ageing_config c = recipe(k, 9, 0.6, 0.35);
            c.unmovable = 0.5;
            struct ageing_report r = aged(m, c, seed());
            ck_assert_msg(r.ballast_unmovable > r.managed / 10, "%llu pages of kernel memory", (unsigned long long)r.ballast_unmovable);
            frame_map_free(m);
        }
}
END_TEST

static void fates(const struct frame_map *m, uint8_t *out)
{
    for (uint64_t p = 0; p < m->n_frames; p++)
        out[p] = (uint8_t)(m->frames[p].state << 4 | m->frames[p].order);
}

START_TEST(the_seed_decides)
{
    for (int k = AGEING_HOLES; k <= AGEING_CHURN; k++) {
        struct frame_map *m[3];
        struct ageing_report r[3];
        uint8_t *f[3];
        for (unsigned i = 0; i < 3; i++) {
            m[i] = map_sized(128 * MIB);
            r[i] = aged(m[i], recipe(k, 5, 0.6, 0.3), seed() + (i == 2));
            f[i] = malloc(m[i]->n_frames);
            fates(m[i], f[i]);
        }
        ck_assert_mem_eq(&r[0].nr_free, &r[1].nr_free, sizeof r[0].nr_free);
        ck_assert_mem_eq(m[0]->frames, m[1]->frames, m[0]->n_frames * sizeof(struct frame));
        ck_assert_mem_eq(f[0], f[1], m[0]->n_frames);
        ck_assert_msg(memcmp(f[0], f[2], m[0]->n_frames) != 0, "%s: another seed, the same memory", r[0].recipe);
        for (unsigned i = 0; i < 3; i++) {
            free(f[i]);
            frame_map_free(m[i]);
        }
    }
}
END_TEST

static int failing(uint64_t size, struct ageing_config c, struct err *e)
{
    struct frame_map *m = map_sized(size);
    struct ageing_report r;
    int rc = frames_age(m, &c, 1, &r, e);
    frame_map_free(m);
    return rc;
}

START_TEST(out_of_reach)
{
    struct err e = {0};
    /* one free area of 4 MiB is already more than a hundredth of what could be free */
    ck_assert_int_eq(failing(16 * MIB, recipe(AGEING_HOLES, 10, 0.9, 0.3), &e), -1);
    ck_assert_msg(strstr(e.message, "reached was 1.000") && strstr(e.message, "order 10 to 0.900"), "%s", e.message);
    ck_assert_int_eq(failing(64 * MIB, recipe(AGEING_HOLES, 11, 0.9, 0.3), &e), -1);
    ck_assert_msg(strstr(e.message, "memory.ageing.order is 11"), "%s", e.message);
    /* of two frames one can be free: at order 1 no more than half of memory is unusable, so less is free than was wanted */
    struct frame_map *m = map_sized(64 * MIB);
    struct ageing_report r = aged(m, recipe(AGEING_STRIPES, 1, 0.9, 0.95), 1);
    ck_assert_msg(r.free_pages < r.managed * 6 / 10 && r.free_pages > r.managed * 5 / 10, "%llu of %llu pages are free",
                  (unsigned long long)r.free_pages, (unsigned long long)r.managed);
    frame_map_free(m);
}
END_TEST

START_TEST(none_does_nothing)
{
    struct frame_map *m = map_sized(64 * MIB);
    struct ageing_report r;
    struct err e;
    uint64_t before = frames_free_pages(m), virgin = m->zones[ZONE_DMA32].virgin.blocks;
    struct ageing_config c = recipe(AGEING_NONE, 9, 0.8, 0.3);
    ck_assert_int_eq(frames_age(m, &c, 1, &r, &e), 0);
    ck_assert_uint_eq(frames_free_pages(m), before);
    ck_assert_uint_eq(m->zones[ZONE_DMA32].virgin.blocks, virgin);
    frame_map_free(m);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("ageing");
    TCase *t = tcase_create("ageing");
    tcase_set_timeout(t, 120);
    printf("ageing: seed %" PRIu64 "\n", seed());
    fflush(stdout);
    tcase_add_test(t, reached);
    tcase_add_test(t, all_allocators);
    tcase_add_test(t, layouts);
    tcase_add_test(t, the_seed_decides);
    tcase_add_test(t, out_of_reach);
    tcase_add_test(t, none_does_nothing);
    suite_add_tcase(s, t);
    return run_suite(s);
}
