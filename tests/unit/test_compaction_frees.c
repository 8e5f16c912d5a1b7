/* A trace by hand in which compaction takes free pages and returns some: what their mm_page_free events are to each placement. */
#include "replay/replay.h"
#include "traces/record.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define SAMPLE MMULAB_SOURCE_DIR "/traces/samples/kernel/filetree/"
enum { CPU = 1, OTHER_CPU = 0, RECORDS_MOST = 32, WORDS = 4 };

struct hand { struct { struct trace_rec head; uint64_t word[WORDS]; } rec[RECORDS_MOST]; unsigned n; };
_Static_assert(sizeof ((struct hand *)0)->rec[0] == 3 * sizeof(struct trace_rec), "a head and two slots");

static void add(struct hand *h, enum trace_kind kind, uint64_t addr, uint32_t size, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    ck_assert_uint_lt(h->n, RECORDS_MOST);
    h->rec[h->n].head = (struct trace_rec){.kind = (uint8_t)kind, .addr = addr, .size = size, .slots = 2};
    const uint64_t words[WORDS] = {a, b, c, d};
    for (unsigned i = 0; i < WORDS; i++)
        h->rec[h->n].word[i] = words[i];
    h->n++;
}

static void compacts(struct hand *h, enum trace_kind kind) { add(h, kind, 0, 0, 0, 0, 0, 0); }
static void page_free(struct hand *h, uint64_t pfn) { add(h, TRACE_PAGE_FREE, pfn, 0, CPU, 0, 0, 0); }

static int make(void *self, replay_put *put, void *pass, struct err *err)
{
    struct hand *h = self;
    for (unsigned i = 0; i < h->n; i++)
        if (put(pass, h->rec[i].head.kind == TRACE_PAGE_ALLOC ? OTHER_CPU : CPU, &h->rec[i].head, 3, err) < 0)
            return -1;
    return 0;
}

/* A free block of 16 to 256 pages: its head. */
static uint64_t free_block(const struct snapshot *s, uint64_t *pages)
{
    for (size_t i = 0; i < s->runs; i++) {
        unsigned o = (unsigned)__builtin_ctzll(s->run[i].pfn | 1ull << 63);
        if (s->run[i].class == CLASS_FREE && s->run[i].pfn > 1 << 20 && o >= 4 && o <= 8 && s->run[i].pages >= 1ull << o) {
            *pages = 1ull << o;
            return s->run[i].pfn;
        }
    }
    ck_abort_msg("the sample has no such block");
}

/*
 * Page 3 returns twice, page 5 once: three lines and no free. Page 9 is handed out before compaction says how much it moved: its
 * line was a free. What comes behind, and what the recording's end cuts off, are frees too.
 */
static void by_hand(struct hand *h, uint64_t pfn, uint64_t pages)
{
    compacts(h, TRACE_COMPACT_BEGIN);
    add(h, TRACE_COMPACT_FREE, pfn, 0, pfn + pages, pages, pages, CPU);
    page_free(h, pfn + 3);
    page_free(h, pfn + 3);
    page_free(h, pfn + 5);
    page_free(h, pfn + 9);
    add(h, TRACE_PAGE_ALLOC, pfn + 9, 0, 0, MIGRATE_MOVABLE, OTHER_CPU, 0);
    add(h, TRACE_COMPACT_MOVED, 1, 0, 0, 0, 0, 0);
    page_free(h, pfn + 6); /* left over */
    compacts(h, TRACE_COMPACT_END);
    page_free(h, pfn + 7); /* nobody compacts: a target that had been used */
    compacts(h, TRACE_COMPACT_BEGIN);
    page_free(h, pfn + 3); /* and here the recording ends */
}

static void check_recorded(const struct recorded_stats *r)
{
    ck_assert_uint_eq(r->returned, 3);
    ck_assert_uint_eq(r->frees, 4);
    ck_assert_uint_eq(r->free_again, 0);
    ck_assert_uint_eq(r->alloc_again, 0);
    ck_assert_uint_eq(r->free_again_lines, 2); /* page 3, the second and the third time */
    ck_assert_uint_eq(r->last_allocated, 1);
    ck_assert_uint_eq(r->last_freed, 3); /* 3, 6, 7; not 5 */
}

START_TEST(no_frees)
{
    struct snapshot *before;
    struct err err = {0};
    ck_assert_int_eq(snapshot_read(&before, SAMPLE "before", &err), 0);
    uint64_t pages = 0, pfn = free_block(before, &pages);
    struct hand h = {0};
    by_hand(&h, pfn, pages);
    struct replay_request q = {.make = make, .self = &h, .before = before, .recorded = true};
    struct replay_result r;
    q.predict = _i == 0; /* the follower knows; without it recorded itself */
    q.pages = _i == 1;
    ck_assert_msg(replay_run(&q, &r, &err) == 0, "%s", err.message);
    check_recorded(&r.recorded);
    ck_assert_uint_eq(r.follow.returned, q.predict ? 3 : 0);
    ck_assert_uint_eq(r.requests.returned, q.pages ? 3 : 0);
    ck_assert_uint_eq(r.requests.frees, q.pages ? 4 : 0);
    ck_assert_uint_eq(r.requests.missed_frees, 0);
    ck_assert_uint_eq(r.requests.allocs, q.pages);
    snapshot_free(before);
}
END_TEST

/* Where only the fast search looked, and where nobody compacts, each line is a free. */
START_TEST(frees)
{
    struct snapshot *before;
    struct err err = {0};
    ck_assert_int_eq(snapshot_read(&before, SAMPLE "before", &err), 0);
    uint64_t pages = 0, pfn = free_block(before, &pages);
    struct hand h = {0};
    add(&h, TRACE_COMPACT_FREE, pfn, 0, pfn + pages, pages, pages, CPU);
    page_free(&h, pfn + 1);
    compacts(&h, TRACE_COMPACT_BEGIN);
    add(&h, TRACE_COMPACT_FREE, UINT64_MAX - 5, 0, UINT64_MAX, 3, 3, CPU); /* beyond all memory */
    page_free(&h, pfn + pages); /* not of the range */
    add(&h, TRACE_COMPACT_MOVED, 1, 0, 0, 0, 0, 0);
    struct replay_request q = {.make = make, .self = &h, .before = before, .recorded = true, .predict = _i == 0, .pages = _i == 1};
    struct replay_result r;
    ck_assert_msg(replay_run(&q, &r, &err) == 0, "%s", err.message);
    ck_assert_uint_eq(r.recorded.returned, 0);
    ck_assert_uint_eq(r.recorded.frees, 2);
    h.n = 0;
    compacts(&h, TRACE_COMPACT_BEGIN);
    add(&h, TRACE_COMPACT_FREE, pfn, 1, pfn + pages, pages, 1, CPU);
    page_free(&h, pfn + 1);
    add(&h, TRACE_COMPACT_MOVED, 1, 0, 0, 0, 0, 0);
    ck_assert_msg(replay_run(&q, &r, &err) == 0, "%s", err.message);
    ck_assert_uint_eq(r.recorded.returned, 0);
    ck_assert_uint_eq(r.recorded.frees, 1);
    snapshot_free(before);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("compaction_frees");
    TCase *t = tcase_create("compaction_frees");
    tcase_add_loop_test(t, no_frees, 0, 2);
    tcase_add_loop_test(t, frees, 0, 2);
    suite_add_tcase(s, t);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed != 0;
}
