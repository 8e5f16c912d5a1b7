/* The recorded kernel of traces/samples/kernel: its files read, its map rebuilt, its events followed. */
#include "frames/buddy/pcp.h"
#include "frames/frame_alloc.h"
#include "frames/measure/fragmentation.h"
#include "replay/before/infer.h"
#include "replay/replay.h"
#include "traces/input.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLE MMULAB_SOURCE_DIR "/traces/samples/kernel/filetree/"

static struct snapshot *read_snapshot(const char *prefix)
{
    struct snapshot *s;
    struct err err = {0};
    ck_assert_msg(snapshot_read(&s, prefix, &err) == 0, "%s", err.message);
    return s;
}

START_TEST(files)
{
    struct snapshot *s = read_snapshot(SAMPLE "before");
    ck_assert(s->has_buddy && s->has_types && s->has_info && s->has_unusable && s->has_extfrag && s->has_map && s->has_slab);
    const struct snap_zone *z = snapshot_zone(s, 0, "Normal");
    ck_assert_ptr_nonnull(z);
    uint64_t free_pages = 0, types = 0;
    for (unsigned o = 0; o < SNAP_ORDERS; o++) {
        uint64_t sum = 0;
        for (unsigned t = 0; t < MIGRATE_TYPES; t++)
            sum += z->nr_free_mt[o][t];
        types += sum << o;
        free_pages += z->nr_free[o] << o;
        ck_assert_int_eq(frag_unusable_index(z->nr_free, o), z->unusable[o]);
        ck_assert_int_eq(frag_extfrag_index(z->nr_free, o), z->extfrag[o]);
    }
    ck_assert_uint_eq(types, free_pages);
    ck_assert_uint_eq(z->start_pfn, 1048576);
    ck_assert_uint_eq(z->spanned, 5505024);
    ck_assert_uint_eq(z->pcps, 2);
    ck_assert_uint_eq(z->pcp[1].batch, 63);
    ck_assert_uint_eq(z->pcp[1].high_max, 178176);
    ck_assert_uint_eq(z->threshold, 32);
    ck_assert_uint_eq(z->blocks[MIGRATE_RECLAIMABLE], 218);
    ck_assert_uint_eq(s->zone[0].reserve[2], 14155);
    ck_assert_uint_gt(s->slabs, 200);
    snapshot_free(s);
}
END_TEST

/* Every beginning of each file: an error or less of it, never a crash. */
START_TEST(cut_files)
{
    static const struct { const char *name; int (*parse)(struct snapshot *, struct trace_input *, struct err *); } parsers[] = {
        {"before.buddyinfo", snapshot_parse_buddyinfo},   {"before.pagetypeinfo", snapshot_parse_pagetypeinfo},
        {"before.zoneinfo", snapshot_parse_zoneinfo},     {"before.unusable_index", snapshot_parse_unusable},
        {"before.extfrag_index", snapshot_parse_extfrag}, {"before.vmstat", snapshot_parse_vmstat},
        {"before.meminfo", snapshot_parse_meminfo},
    };
    for (size_t i = 0; i < sizeof parsers / sizeof parsers[0]; i++) {
        char path[512], text[16384];
        snprintf(path, sizeof path, SAMPLE "%s", parsers[i].name);
        FILE *f = fopen(path, "r");
        ck_assert_ptr_nonnull(f);
        size_t n = fread(text, 1, sizeof text, f);
        fclose(f);
        for (size_t k = 0; k <= n; k += 1 + k / 200) {
            struct snapshot *s = calloc(1, sizeof *s);
            struct trace_input *in;
            struct err err = {0};
            ck_assert_int_eq(trace_input_open_memory(&in, text, k, "cut", &err), 0);
            int rc = parsers[i].parse(s, in, &err);
            ck_assert(rc == 0 || err.message[0]);
            trace_input_close(in);
            snapshot_free(s);
        }
    }
    struct snap_times t;
    ck_assert_int_eq(snapshot_parse_times(&t, "{}", 2), -1);
    struct err err = {0};
    ck_assert_int_eq(snapshot_read_times(&t, SAMPLE "times.json", &err), 0);
    ck_assert_uint_eq(t.before_start, 2816214035183ull);
    ck_assert(!t.files && t.map[SNAP_AFTER].start == t.after_start && t.buddy[SNAP_BEFORE].end == t.before_end);
    static const char some[] = "{\"before_snapshot_start\": \"1.0\", \"before_snapshot_end\": \"2.0\", \"after_snapshot_start\": \"3.0\","
                               "\"after_snapshot_end\": \"4.0\", \"after_buddyinfo_start\": \"3.25\", \"after_buddyinfo_end\": \"3.5\","
                               "\"before_pfnmap_start\": \"0.5\", \"before_pfnmap_end\": \"1.5\"}";
    ck_assert_int_eq(snapshot_parse_times(&t, some, sizeof some - 1), 0);
    ck_assert_uint_eq(t.buddy[SNAP_AFTER].start, 3250000000ull);
    ck_assert_uint_eq(t.map[SNAP_BEFORE].start, 1000000000ull); /* not inside the snapshot: not believed */
}
END_TEST

/* The free runs of the map, cut as a buddy allocator would, are the free blocks that the kernel counts. */
START_TEST(map_is_buddyinfo)
{
    struct snapshot *s = read_snapshot(SAMPLE "before");
    struct frame_map *map;
    struct image_info info;
    struct image_options opt = {0};
    struct err err = {0};
    ck_assert_msg(image_build(&map, s, &opt, &info, &err) == 0, "%s", err.message);
    uint64_t off = 0, blocks = 0;
    for (unsigned i = 0; i < N_ZONES; i++) {
        const struct snap_zone *z = snapshot_zone(s, 0, map->zones[i].name);
        for (unsigned o = 0; z && o < SNAP_ORDERS; o++) {
            off += (uint64_t)llabs((long long)(map->zones[i].nr_free[o] - z->nr_free[o]));
            blocks += z->nr_free[o];
        }
    }
    ck_assert_uint_lt(off, 10); /* the map is read a little after buddyinfo */
    ck_assert_uint_gt(blocks, 10000);
    ck_assert_uint_lt(info.unlike, blocks / 100); /* the types fit pagetypeinfo */
    frame_map_free(map);
    snapshot_free(s);
}
END_TEST

/* A plain recount of the recording's lines: last event of each frame in the window, against the map at the end. */
static void recount(const struct snap_times *t, uint64_t out[4])
{
    enum { N = 6600000 };
    char *state = calloc(N, 1), *end = calloc(N, 1);
    struct trace_input *in;
    struct err err = {0};
    const char *line;
    size_t len;
    ck_assert_int_eq(trace_input_open(&in, SAMPLE "filetree.perf.xz", &err), 0);
    while (trace_input_line(in, &line, &len, &err) > 0) {
        char text[512];
        unsigned long sec, ns, pfn;
        unsigned order;
        snprintf(text, sizeof text, "%.*s", (int)len, line);
        char *a = strstr(text, "] "), *e = strstr(text, "kmem:mm_page_"), *p = strstr(text, "pfn=0x"), *o = strstr(text, "order=");
        ck_assert(a && e && p && o && sscanf(a + 2, "%lu.%lu", &sec, &ns) == 2);
        ck_assert(sscanf(p + 6, "%lx", &pfn) == 1 && sscanf(o + 6, "%u", &order) == 1);
        bool alloc = !strncmp(e + 13, "alloc:", 6), freed = !strncmp(e + 13, "free:", 5);
        uint64_t when = sec * 1000000000ull + ns;
        if ((alloc || freed) && when > t->before_end && when < t->after_start)
            memset(state + pfn, alloc ? 1 : 2, 1u << order);
    }
    trace_input_close(in);
    ck_assert_int_eq(trace_input_open(&in, SAMPLE "after.pfnmap.xz", &err), 0);
    while (trace_input_line(in, &line, &len, &err) > 0) {
        char text[64], class[16];
        unsigned long pfn, pages;
        snprintf(text, sizeof text, "%.*s", (int)len, line);
        ck_assert_int_eq(sscanf(text, "%lx %lu %15s", &pfn, &pages, class), 3);
        memset(end + pfn, !strcmp(class, "free") ? 1 : !strcmp(class, "other") ? 2 : 3, pages);
    }
    trace_input_close(in);
    memset(out, 0, 4 * sizeof *out);
    for (size_t i = 0; i < N; i++) {
        out[0] += state[i] == 1;
        out[1] += state[i] == 1 && end[i] != 1;
        out[2] += state[i] == 2;
        out[3] += state[i] == 2 && (end[i] == 1 || end[i] == 2);
    }
    free(state);
    free(end);
}

START_TEST(followed)
{
    struct snapshot *before = read_snapshot(SAMPLE "before"), *after = read_snapshot(SAMPLE "after");
    struct snap_times times;
    struct err err = {0};
    ck_assert_int_eq(snapshot_read_times(&times, SAMPLE "times.json", &err), 0);
    struct replay_request q = {.events = SAMPLE "filetree.perf.xz", .before = before, .after = after, .times = &times,
                               .recorded = true, .predict = true, .simulate = true};
    struct replay_result r;
    ck_assert_msg(replay_run(&q, &r, &err) == 0, "%s", err.message);

    uint64_t plain[4];
    recount(&times, plain);
    ck_assert_uint_eq(r.recorded.last_allocated, plain[0]);
    ck_assert_uint_eq(r.recorded.allocated_held, plain[1]);
    ck_assert_uint_eq(r.recorded.last_freed, plain[2]);
    ck_assert_uint_eq(r.recorded.freed_held, plain[3]);
    ck_assert_uint_gt(plain[0], 500);

    /* The kernel's own frames: all of those whose list position the replay had fixed itself. */
    ck_assert_uint_gt(r.follow.new_blocks, 200);
    ck_assert_uint_eq(r.follow.new_right, r.follow.new_blocks);
    ck_assert_uint_gt(r.follow.new_blocks - r.follow.new_next, 50);
    ck_assert_uint_lt(r.follow.new_textbook, r.follow.new_blocks / 2);
    ck_assert_uint_eq(r.follow.not_free + r.follow.inside + r.follow.passed_over, 0);
    ck_assert_uint_gt(r.lists.known, 10000);
    ck_assert_uint_gt(r.lists.right * 1000, r.lists.known * 995);
    ck_assert_uint_lt(r.lists.known_next * 10, r.lists.known);

    uint64_t off = 0;
    for (unsigned i = 0; i < N_ZONES; i++) {
        static const char *const names[N_ZONES] = {"DMA", "DMA32", "Normal", "Movable"};
        const struct snap_zone *z = snapshot_zone(after, 0, names[i]);
        for (unsigned o = 0; z && o < SNAP_ORDERS; o++)
            off += (uint64_t)llabs((long long)(r.simulate_free[i][o] - z->nr_free[o])) << o;
    }
    ck_assert_uint_lt(off * 5000, r.image.free_pages); /* 0.02 % */
    ck_assert_uint_eq(r.lines.unparsed, 0);
    snapshot_free(before);
    snapshot_free(after);
}
END_TEST

/* The textbook buddy beside our allocator is the one that `allocator` selects, and neither changes what the other does. */
START_TEST(textbook_beside)
{
    struct snapshot *before = read_snapshot(SAMPLE "before"), *after = read_snapshot(SAMPLE "after");
    struct snap_times times;
    struct err err = {0};
    ck_assert_int_eq(snapshot_read_times(&times, SAMPLE "times.json", &err), 0);
    struct replay_request q = {.events = SAMPLE "filetree.perf.xz", .before = before, .after = after, .times = &times,
                               .predict = true, .simulate = true};
    struct replay_result alone, book, both;
    ck_assert_msg(replay_run(&q, &alone, &err) == 0, "%s", err.message);
    q.allocator = FRAME_ALLOCATOR_textbook;
    ck_assert_msg(replay_run(&q, &book, &err) == 0, "%s", err.message);
    q.allocator = FRAME_ALLOCATOR_buddy;
    q.textbook = true;
    ck_assert_msg(replay_run(&q, &both, &err) == 0, "%s", err.message);
    ck_assert_mem_eq(both.simulate_free, alone.simulate_free, sizeof alone.simulate_free);
    ck_assert_mem_eq(&both.simulate, &alone.simulate, sizeof alone.simulate);
    ck_assert_mem_eq(both.textbook_free, book.simulate_free, sizeof book.simulate_free);
    ck_assert_mem_eq(&both.textbook, &book.simulate, sizeof book.simulate);
    ck_assert_mem_ne(both.textbook_free, both.simulate_free, sizeof both.simulate_free);
    ck_assert_uint_gt(both.textbook.allocs, 300);
    for (unsigned i = 0; i < FRAME_ZONES; i++)
        for (unsigned o = 0; o < FRAME_ORDERS; o++)
            ck_assert_uint_eq(alone.textbook_free[i][o], 0); /* not asked for */
    snapshot_free(before);
    snapshot_free(after);
}
END_TEST

/* buddyinfo is read in some microseconds, in which there may be no event: the state then is that after the last event before. */
START_TEST(counted_between_events)
{
    struct snapshot *before = read_snapshot(SAMPLE "before"), *after = read_snapshot(SAMPLE "after");
    struct snap_times times, early;
    struct err err = {0};
    ck_assert_int_eq(snapshot_read_times(&times, SAMPLE "times.json", &err), 0);
    uint64_t third = (times.after_start - times.before_end) / 3, when = times.before_end + 2 * third;
    times.buddy[SNAP_AFTER] = (struct snap_read){when, when};
    early = times;
    early.after_start = times.before_end + third; /* the snapshot is begun; buddyinfo is its last file */
    times.after_start = when;
    struct replay_request q = {.events = SAMPLE "filetree.perf.xz", .before = before, .after = after, .times = &times,
                               .predict = true, .simulate = true};
    struct replay_result at, later, never;
    ck_assert_msg(replay_run(&q, &at, &err) == 0, "%s", err.message);
    q.times = &early;
    ck_assert_msg(replay_run(&q, &later, &err) == 0, "%s", err.message);
    ck_assert_mem_eq(later.follow_free, at.follow_free, sizeof at.follow_free);
    ck_assert_mem_eq(later.simulate_free, at.simulate_free, sizeof at.simulate_free);
    early.buddy[SNAP_AFTER] = (struct snap_read){early.after_start, early.after_start};
    ck_assert_msg(replay_run(&q, &never, &err) == 0, "%s", err.message);
    ck_assert_mem_ne(never.follow_free, at.follow_free, sizeof at.follow_free);
    snapshot_free(before);
    snapshot_free(after);
}
END_TEST

/* ---- how many blocks a refill of a per-CPU list takes (linux-mm 15) ---------------------------------------------------- */

enum { REFILL_CPUS = 64, REFILL_DOUBLINGS = 6, BATCH = 63 }; /* batch of a zone of 688 MiB and more: pcp_batch */
struct refill { unsigned order, type, blocks; };

/* A run of refills without another event of that CPU between them: batch << n pages, in blocks of the order, two at least. */
static void end_refill(struct refill *r, unsigned seen[REFILL_DOUBLINGS])
{
    for (unsigned n = 0; n < REFILL_DOUBLINGS && r->blocks; n++) {
        unsigned want = ((unsigned)BATCH << n) >> r->order;
        if (r->blocks == (want < 2 ? 2 : want) && (n == 0 || r->order == 0)) {
            seen[n]++;
            r->blocks = 0;
        }
    }
    ck_assert_msg(!r->blocks, "a refill of %u blocks of order %u", r->blocks, r->order);
}

static unsigned refills_of(const char *events, unsigned seen[REFILL_DOUBLINGS])
{
    struct refill cpu[REFILL_CPUS] = {0};
    struct trace_input *in;
    struct err err = {0};
    const char *text;
    size_t len;
    unsigned refills = 0;
    if (trace_input_open(&in, events, &err) < 0)
        return 0;
    while (trace_input_line(in, &text, &len, &err) > 0) {
        char line[1024];
        snprintf(line, sizeof line, "%.*s", (int)len, text);
        const char *at = strchr(line, '['), *order = strstr(line, " order="), *type = strstr(line, " migratetype=");
        unsigned k = at ? (unsigned)strtoul(at + 1, NULL, 10) : REFILL_CPUS;
        if (k >= REFILL_CPUS || !strstr(line, ": kmem:"))
            continue;
        struct refill now = {0}, *was = &cpu[k];
        if (order && type && strstr(line, "percpu_refill=1"))
            now = (struct refill){(unsigned)strtoul(order + 7, NULL, 10), (unsigned)strtoul(type + 13, NULL, 10), 1};
        if (was->blocks && (!now.blocks || now.order != was->order || now.type != was->type))
            end_refill(was, seen);
        refills += now.blocks && !was->blocks;
        was->order = now.order;
        was->type = now.type;
        was->blocks = now.blocks ? was->blocks + 1 : 0;
    }
    trace_input_close(in);
    return refills;
}

START_TEST(refill_sizes)
{
    const char *data = getenv("MMULAB_DATA");
    unsigned seen[REFILL_DOUBLINGS] = {0}, refills = refills_of(SAMPLE "filetree.perf.xz", seen);
    ck_assert_uint_eq(pcp_batch(176128), BATCH);
    ck_assert_uint_gt(refills, 0);
    static const char *const names[] = {"compile", "filetree", "fragstress", "procs"};
    for (unsigned i = 0; i < 4; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/traces/kernel/%s/%s.perf.zst", data ? data : MMULAB_SOURCE_DIR "/../shared", names[i], names[i]);
        refills += refills_of(path, seen);
    }
    printf("refills: %u, of %u %u %u %u %u %u pages: %u %u %u %u %u %u\n", refills, BATCH, BATCH << 1, BATCH << 2, BATCH << 3, BATCH << 4,
           BATCH << 5, seen[0], seen[1], seen[2], seen[3], seen[4], seen[5]);
}
END_TEST

/* Types that only the counts can tell apart: contents are the same. */
START_TEST(inference)
{
    struct infer_block b[6] = {0};
    struct snap_zone z = {.has_types = true, .has_blocks = true};
    for (unsigned i = 0; i < 6; i++) {
        b[i].used[CLASS_SLAB] = 100;
        b[i].free[i % 3] = (uint16_t)(i + 1);
    }
    z.nr_free_mt[0][MIGRATE_UNMOVABLE] = 1 + 4;
    z.nr_free_mt[1][MIGRATE_RECLAIMABLE] = 2 + 5;
    z.nr_free_mt[2][MIGRATE_UNMOVABLE] = 3;
    z.nr_free_mt[2][MIGRATE_RECLAIMABLE] = 6;
    z.blocks[MIGRATE_UNMOVABLE] = z.blocks[MIGRATE_RECLAIMABLE] = 3;
    ck_assert_uint_eq(infer_types(b, 6, &z), 0);
    static const uint8_t want[6] = {MIGRATE_UNMOVABLE, MIGRATE_RECLAIMABLE, MIGRATE_UNMOVABLE,
                                    MIGRATE_UNMOVABLE, MIGRATE_RECLAIMABLE, MIGRATE_RECLAIMABLE};
    for (unsigned i = 0; i < 6; i++)
        ck_assert_uint_eq(b[i].type, want[i]);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("kreplay");
    TCase *t = tcase_create("kreplay");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, files);
    tcase_add_test(t, cut_files);
    tcase_add_test(t, map_is_buddyinfo);
    tcase_add_test(t, followed);
    tcase_add_test(t, textbook_beside);
    tcase_add_test(t, counted_between_events);
    tcase_add_test(t, refill_sizes);
    tcase_add_test(t, inference);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
