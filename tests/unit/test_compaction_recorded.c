/*
 * vm.compact_memory of a live 6.18 kernel (25 GiB, aged by a program that freed every other page), against our compaction of the page
 * map taken before: the rounds of the migration scanner one by one, and what both scanners counted. The machine was not idle: a few
 * pages changed between the map and the compaction. The kernel's run ended after these rounds, when targets for pages that could not
 * move at once ran out. traces/samples/README.md
 */
#include "frames/compact/compaction.h"
#include "replay/before/image.h"

#include <check.h>
#include <inttypes.h>
#include <stdlib.h>

#define FOLDER MMULAB_SOURCE_DIR "/traces/samples/compaction/"
/* From compact_* in /proc/vmstat, after less before. */
enum { KERNEL_FREE_SCANNED = 8156, KERNEL_ISOLATED = 1703, KERNEL_MIGRATE_SCANNED = 1188885, MOST_ROUNDS = 16 };

struct seen {
    const struct compaction *c;
    uint64_t first, n, lowest_target;
    struct { uint64_t block, pages; } round[MOST_ROUNDS];
    unsigned rounds;
    struct compact_stats st; /* after the last of them */
};

static bool on_move(void *self, pfn_t from, pfn_t to, unsigned order, struct compact_cost *cost)
{
    struct seen *s = self;
    (void)cost;
    if (s->rounds < MOST_ROUNDS && to.v < s->lowest_target)
        s->lowest_target = to.v;
    if (!s->n || from.v < s->first)
        s->first = from.v;
    s->n += 1ull << order;
    return true;
}

static void on_batch(void *self, uint64_t scanned)
{
    struct seen *s = self;
    (void)scanned;
    if (s->rounds < MOST_ROUNDS) {
        s->round[s->rounds].block = s->first & ~511ull;
        s->round[s->rounds++].pages = s->n;
        s->st = s->c->st;
    }
    s->n = 0;
}

/* Of the map, what compaction could move. Pages of huge ones are none by themselves. */
static uint64_t mark_users(struct frame_map *map, const struct snapshot *before, enum frame_class class, enum frame_tag tag)
{
    uint64_t n = 0;
    for (size_t r = 0; r < before->runs; r++)
        for (uint64_t p = before->run[r].pfn; before->run[r].class == class && p < before->run[r].pfn + before->run[r].pages; p++, n++)
            map->frames[p] = (struct frame){.state = FRAME_ALLOCATED, .tag = (uint8_t)tag};
    return n;
}

START_TEST(rounds_of_a_live_kernel)
{
    struct snapshot *before;
    struct frame_map *map;
    struct image_info info;
    struct image_options o = {0};
    struct compaction *c;
    struct err e = {0};
    struct seen *s = calloc(1, sizeof *s);
    uint64_t block, isolated, moved, differ = 0, all = 0, holes = 0;
    unsigned n = 0, other = 0, blocks = 0, whole = 0, equal = 0, beyond = 0;
    struct { uint64_t block, isolated, moved, ours; } pb[MOST_ROUNDS]; /* of each pageblock, all its rounds together */
    ck_assert_ptr_nonnull(s);
    ck_assert_msg(snapshot_read(&before, FOLDER "before", &e) == 0, "%s", e.message);
    ck_assert_msg(image_build(&map, before, &o, &info, &e) == 0, "%s", e.message);
    ck_assert_uint_gt(mark_users(map, before, CLASS_ANON, FRAME_TAG_ANON) + mark_users(map, before, CLASS_FILE, FRAME_TAG_FILE), 5000);
    ck_assert_msg(compaction_new(&c, map, NULL, &e) == 0, "%s", e.message);
    *s = (struct seen){.c = c, .lowest_target = UINT64_MAX};
    c->owner = (struct compact_owner){.self = s, .move = on_move, .batch = on_batch};
    compact_memory(c);
    FILE *f = fopen(FOLDER "kernel.rounds", "r");
    ck_assert_ptr_nonnull(f);
    while (fscanf(f, "%" SCNx64 " %" SCNu64 " %" SCNu64, &block, &isolated, &moved) == 3) {
        ck_assert_uint_lt(n, s->rounds);
        block &= ~(uint64_t)511;
        ck_assert_msg(s->round[n].block == block, "round %u: pageblock %" PRIx64 ", the kernel's is %" PRIx64, n, s->round[n].block, block);
        uint64_t d = s->round[n].pages > isolated ? s->round[n].pages - isolated : isolated - s->round[n].pages;
        other += d != 0;
        differ += d;
        all += isolated;
        if (!blocks || pb[blocks - 1].block != block)
            pb[blocks++] = (typeof(pb[0])){.block = block};
        pb[blocks - 1].isolated += isolated;
        pb[blocks - 1].moved += moved;
        pb[blocks - 1].ours += s->round[n].pages;
        n++;
    }
    fclose(f);
    for (unsigned i = 0; i < blocks; i++) { /* where the kernel left pages behind, they were held, or there was no target */
        whole += pb[i].moved == pb[i].isolated;
        equal += pb[i].moved == pb[i].isolated && pb[i].ours == pb[i].moved;
        beyond += pb[i].moved < pb[i].isolated && pb[i].ours >= pb[i].moved && pb[i].ours <= pb[i].isolated;
    }
    printf("%u pageblocks: of %u out of which the kernel moved all that it had isolated, %u have as many pages moved here; of the %u others "
           "%u lie between what it moved and what it isolated\n", blocks, whole, equal, blocks - whole, beyond);
    const struct snap_zone *low = snapshot_zone(before, 0, "DMA32");
    ck_assert_ptr_nonnull(low);
    holes = low->spanned - low->present; /* of zones that were gone through: the kernel passes what is no memory uncounted */
    printf("%u rounds, %u differ by %" PRIu64 " of %" PRIu64 " pages; free scanned %" PRIu64 " (%d), isolated %" PRIu64 " (%d), scanned %" PRIu64
           " of which %" PRIu64 " in holes (%d), lowest target %" PRIx64 "\n", n, other, differ, all, s->st.free_scanned, KERNEL_FREE_SCANNED,
           s->st.isolated, KERNEL_ISOLATED, s->st.migrate_scanned, holes, KERNEL_MIGRATE_SCANNED, s->lowest_target);
    ck_assert_uint_eq(n, MOST_ROUNDS);
    ck_assert_uint_le(other, 2);
    ck_assert_uint_ge(blocks, 13);
    ck_assert_uint_le(whole - equal, 1);
    ck_assert_uint_eq(beyond, blocks - whole);
    ck_assert_uint_le(differ, 12);
    ck_assert_uint_eq(s->lowest_target >> 9, 0x623e1b >> 9); /* where the kernel's free scanner stood */
    ck_assert_int_le(labs((long)s->st.free_scanned - KERNEL_FREE_SCANNED) * 100, KERNEL_FREE_SCANNED);
    ck_assert_int_le(labs((long)(s->st.migrate_scanned - holes) - KERNEL_MIGRATE_SCANNED) * 100, KERNEL_MIGRATE_SCANNED);
    ck_assert_int_le(labs((long)s->st.isolated - KERNEL_ISOLATED) * 100, KERNEL_ISOLATED);
    compaction_free(c);
    frame_map_free(map);
    snapshot_free(before);
    free(s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("compaction_recorded");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, rounds_of_a_live_kernel);
    suite_add_tcase(suite, t);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
