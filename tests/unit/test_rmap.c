/* The reverse map against a plain list of mappings. */
#include "test_frames_util.h"

#include "engine/rng.h"
#include "frames/rmap.h"

enum { FRAMES = 16, MAPPINGS = 4096 };

struct seen { const bool (*want)[8][64]; unsigned f, n; };
static bool visit(void *ctx, uint32_t asid, uint64_t vpn)
{
    struct seen *s = ctx;
    ck_assert(asid < 8 && vpn < 64 && s->want[s->f][asid][vpn]);
    s->n++;
    return true;
}

START_TEST(against_a_table)
{
    struct frame_map *m = map_sized(64 * MIB);
    static bool want[FRAMES][8][64];
    unsigned count[FRAMES] = {0};
    pfn_t p[FRAMES];
    struct rng r;
    rng_init(&r, 3, "rmap");
    for (unsigned i = 0; i < FRAMES; i++)
        p[i] = frames_alloc(m, GFP_HIGHUSER_MOVABLE, 0, FRAME_TAG_ANON);
    for (unsigned k = 0; k < 200000; k++) {
        unsigned f = (unsigned)rng_below(&r, FRAMES), a = (unsigned)rng_below(&r, 8), v = (unsigned)rng_below(&r, 64);
        bool *w = &want[f][a][v];
        ck_assert_int_eq(rmap_has(m, p[f], a, v), *w);
        if (*w || rng_below(&r, 3) == 0) {
            ck_assert_int_eq(rmap_del(m, p[f], a, v), *w);
            count[f] -= *w;
            *w = false;
        } else {
            ck_assert(rmap_add(m, p[f], a, v));
            count[f]++;
            *w = true;
        }
        ck_assert_uint_eq(frame_at(m, p[f])->mapcount, count[f]);
        if (k % 64 == 0) {
            struct err e = {0};
            struct seen s = {want, f, 0};
            ck_assert(rmap_each(m, p[f], visit, &s));
            ck_assert_uint_eq(s.n, count[f]);
            ck_assert_int_eq(rmap_check(m, p[f], &e), 0);
        }
    }
    uint32_t links = 0;
    for (unsigned f = 0; f < FRAMES; f++)
        links += count[f] > 1 ? count[f] - 1 : 0;
    ck_assert_uint_eq(m->rmap.used, links);
    check_map(m);
    for (unsigned f = 0; f < FRAMES; f++)
        if (count[f] > 2) { /* planted: a mapping that nobody has */
            struct err e = {0};
            frame_at(m, p[f])->mapcount++;
            ck_assert_int_eq(frames_check(m, &e), -1);
            ck_assert_ptr_nonnull(strstr(e.message, "its chain does not hold so many"));
            break;
        }
    frame_map_free(m);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("rmap");
    TCase *t = tcase_create("rmap");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, against_a_table);
    suite_add_tcase(s, t);
    return run_suite(s);
}
