/* Text of kernel events: the forms of perf script and ftrace, 5.x and 6.x; what is cut, strange or out of order. */
#include "traces/input.h"
#include "traces/readers/perf/line.h"
#include "traces/trace.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum perf_verdict parse(const char *s, struct perf_line *l)
{
    const char *problem;
    enum perf_verdict v = perf_line_parse(s, strlen(s), l, &problem);
    ck_assert_msg((problem != NULL) == (v == PERF_LINE_BAD), "%s", s);
    return v;
}

static bool text_is(struct perf_text t, const char *s) { return t.n == strlen(s) && !memcmp(t.s, s, t.n); }

START_TEST(heads)
{
    static const struct { const char *line, *comm; uint32_t pid, tid, cpu; uint64_t ns; } cases[] = {
        {"            perf  5221 [001]  1228.425905:   kmem:kfree: call_site=f+0x1 ptr=(nil)", "perf", PERF_ID_UNKNOWN, 5221, 1, 1228425905000},
        {"perf 2584 [000] 2710.679923294: kmem:kfree: call_site=f+0x1 ptr=(nil)", "perf", PERF_ID_UNKNOWN, 2584, 0, 2710679923294},
        {"Web Content 7 12 34/56 [007] 1.5: kmem:kfree: call_site=f ptr=0x10", "Web Content 7 12", 34, 56, 7, 1500000000},
        {"a: 1.2: b 99 1.000001: kmem:kfree: call_site=f ptr=0x10", "a: 1.2: b", PERF_ID_UNKNOWN, 99, PERF_CPU_UNKNOWN, 1000001000},
        {"          <idle>-0       [003] d.s3.  1228.425906: kfree: call_site=f ptr=00000000abcdef12", "<idle>", PERF_ID_UNKNOWN, 0, 3, 1228425906000},
        {"   kworker/u8:1-ev-123 (    77) [012] ..... 3.000000001: kfree: (f+0x5/0x10) call_site=f ptr=(null)", "kworker/u8:1-ev", 77, 123, 12, 3000000001},
        {"   bash-123 (-----) [012] 3.25: kfree: call_site=f ptr=(null)", "bash", PERF_ID_UNKNOWN, 123, 12, 3250000000},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct perf_line l;
        ck_assert_msg(parse(cases[i].line, &l) == PERF_LINE_EVENT, "%s", cases[i].line);
        ck_assert_msg(text_is(l.comm, cases[i].comm), "%.*s", (int)l.comm.n, l.comm.s);
        ck_assert_uint_eq(l.pid, cases[i].pid);
        ck_assert_uint_eq(l.tid, cases[i].tid);
        ck_assert_uint_eq(l.cpu, cases[i].cpu);
        ck_assert_uint_eq(l.ns, cases[i].ns);
    }
}
END_TEST

#define AT "x 1 [000] 1.000000: "

START_TEST(fields)
{
    struct perf_line l;
    ck_assert_int_eq(parse(AT "kmem:mm_page_alloc: page=0x148d2f pfn=0x148d2f order=2 migratetype=1 gfp_flags=GFP_KERNEL|__GFP_ZERO", &l), PERF_LINE_EVENT);
    ck_assert_uint_eq(l.pfn, 0x148d2f);
    ck_assert_uint_eq(l.order, 2);
    ck_assert_uint_eq(l.migratetype, 1);
    ck_assert_uint_eq(l.gfp, 0xdc0);
    /* 5.x: decimal pfn, page a pointer, GFP_ATOMIC with its own bit */
    ck_assert_int_eq(parse(AT "kmem:mm_page_alloc: page=0000000091f1a2b3 pfn=1345839 order=0 migratetype=0 gfp_flags=GFP_ATOMIC|__GFP_ATOMIC", &l), PERF_LINE_EVENT);
    ck_assert_uint_eq(l.pfn, 1345839);
    ck_assert_uint_eq(l.gfp, 0xa20);
    ck_assert_int_eq(parse(AT "kmem:mm_page_alloc: page=(nil) pfn=0x0 order=9 migratetype=1 gfp_flags=none", &l), PERF_LINE_EVENT);
    ck_assert_uint_eq(l.pfn, 0);
    ck_assert_int_eq(parse(AT "kmem:kmalloc_node: call_site=ffffffff81234567 ptr=0x10 bytes_req=7 bytes_alloc=8 gfp_flags=0x10 node=0", &l), PERF_LINE_EVENT);
    ck_assert_int_eq(l.event, PERF_KMALLOC);
    ck_assert_uint_eq(l.gfp, 0x10);
    ck_assert_int_eq(parse(AT "kmem:kmem_cache_alloc: call_site=f+0x1 ptr=0xffff888100000000 name=my cache 2 bytes_req=184 bytes_alloc=192 gfp_flags=GFP_NOWAIT node=-1 accounted=true", &l), PERF_LINE_EVENT);
    ck_assert(text_is(l.name, "my cache 2"));
    ck_assert(l.accounted);
    ck_assert_uint_eq(l.bytes_alloc, 192);
    ck_assert_int_eq(parse(AT "kmem:kmem_cache_free: call_site=f ptr=0x20", &l), PERF_LINE_EVENT); /* before 5.12: no name */
    ck_assert_uint_eq(l.name.n, 0);
    ck_assert_int_eq(parse(AT "kmem:mm_page_alloc_extfrag: page=0x5 pfn=0x5 alloc_order=1 fallback_order=9 pageblock_order=9 alloc_migratetype=0 fallback_migratetype=1 fragmenting=0 change_ownership=1", &l), PERF_LINE_EVENT);
    ck_assert_uint_eq(l.order, 1);
    ck_assert_uint_eq(l.fallback_order, 9);
    ck_assert_uint_eq(l.owner, 1);
    ck_assert_int_eq(parse(AT "compaction:mm_compaction_end: zone_start=0x100000 migrate_pfn=0x1 free_pfn=0x2 zone_end=0x640000, mode=sync status=complete", &l), PERF_LINE_EVENT);
    ck_assert_uint_eq(l.zone_end, 0x640000);
    ck_assert(l.sync && text_is(l.status, "complete"));
}
END_TEST

/* Ranges of compaction's scanners, as perf and ftrace print them. */
START_TEST(compaction_lines)
{
    struct perf_line l;
    ck_assert_int_eq(parse(AT "compaction:mm_compaction_isolate_freepages: range=(0xbfe00 ~ 0xbfe20) nr_scanned=32 nr_taken=31", &l), PERF_LINE_EVENT);
    ck_assert_int_eq(l.event, PERF_COMPACT_FREE);
    ck_assert(!l.fast);
    ck_assert_uint_eq(l.range_start, 0xbfe00);
    ck_assert_uint_eq(l.range_end, 0xbfe20);
    ck_assert_uint_eq(l.scanned, 32);
    ck_assert_uint_eq(l.taken, 31);
    ck_assert_int_eq(parse(AT "mm_compaction_fast_isolate_freepages: range=(0x1~0x2) nr_scanned=0 nr_taken=1", &l), PERF_LINE_BAD);
    ck_assert_int_eq(parse(AT "mm_compaction_fast_isolate_freepages: range=(0x1 ~ 0x2) nr_scanned=0 nr_taken=1", &l), PERF_LINE_EVENT);
    ck_assert(l.fast && l.event == PERF_COMPACT_FREE);
    ck_assert_int_eq(parse(AT "compaction:mm_compaction_isolate_migratepages: range=(0x100000 ~ 0x100200) nr_scanned=512 nr_taken=8", &l), PERF_LINE_EVENT);
    ck_assert(l.event == PERF_COMPACT_ISOLATE && l.taken == 8 && l.range_end == 0x100200);
    ck_assert_int_eq(parse(AT "compaction:mm_compaction_migratepages: nr_migrated=3 nr_failed=29", &l), PERF_LINE_EVENT);
    ck_assert(l.event == PERF_COMPACT_MOVED && l.moved == 3 && l.failed == 29);
    static const char *const bad[] = {"range=(0x1 ~ 0x2 nr_scanned=1 nr_taken=1", "range=() nr_scanned=1 nr_taken=1", "range=(0x1 0x2) nr_taken=1",
                                      "range=0x1 nr_taken=1", "range=(0x1 ~ 0x2)", "range=(0x1 ~ ) nr_taken=1", "range=(0x1 ~", "range="};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char line[200];
        snprintf(line, sizeof line, AT "compaction:mm_compaction_isolate_freepages: %s", bad[i]);
        ck_assert_msg(parse(line, &l) == PERF_LINE_BAD, "%s", bad[i]);
    }
}
END_TEST

/* What a script wrote into trace_marker, as the kernel, trace-cmd and perf print it. */
START_TEST(marks)
{
    static const struct { const char *line, *text; } cases[] = {
        {"   bash-123 [001] ..... 3.25: tracing_mark_write: phase 2: copy", "phase 2: copy"},
        {"   bash-123 [001] 3.25: print: tracing_mark_write: phase 2", "phase 2"},
        {"bash 123 [001] 3.25: ftrace:print: tracing_mark_write+0x99: phase=3  ", "phase=3"},
        {"   bash-123 [001] ..... 3.25: tracing_mark_write:", ""},
    };
    struct perf_line l;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_msg(parse(cases[i].line, &l) == PERF_LINE_EVENT && l.event == PERF_MARK, "%s", cases[i].line);
        ck_assert_msg(text_is(l.name, cases[i].text), "'%.*s'", (int)l.name.n, l.name.s);
    }
    ck_assert_int_eq(parse(AT "ftrace:print: my_driver_probe: hello", &l), PERF_LINE_OTHER);
    static const char text[] = AT "kmem:kfree: call_site=f ptr=0x10\n" "sh-7 [001] ..... 1.000001: tracing_mark_write: begin\n";
    struct trace *t;
    struct trace_batch b;
    struct err err = {0};
    struct trace_options opt = {.format = "perf"};
    unsigned seen = 0;
    ck_assert_int_eq(trace_open_memory(&t, text, sizeof text - 1, &opt, &err), 0);
    while (trace_next(t, &b, &err) > 0)
        for (size_t i = 0; i < b.n; i += 1u + b.rec[i].slots)
            if (b.rec[i].kind == TRACE_MARK) {
                size_t n;
                const char *s = trace_rec_string(&b.rec[i], &n);
                ck_assert(n == 5 && !memcmp(s, "begin", 5));
                seen++;
            }
    trace_close(t);
    ck_assert_uint_eq(seen, 1);
}
END_TEST

START_TEST(not_guessed)
{
    static const char *const bad[] = {
        "nonsense", AT "kmem:mm_page_alloc: page=0x1 pfn=0x1 order=0 migratetype=0", /* gfp missing */
        AT "kmem:mm_page_alloc: page=0x1 pfn=1x order=0 migratetype=0 gfp_flags=none",
        AT "kmem:mm_page_alloc: page=0x1 pfn=0x1 order=0 migratetype=0 gfp_flags=GFP_NEVER_HEARD",
        AT "kmem:mm_page_alloc: page=0x1 pfn=0x1 order=0 migratetype=0 gfp_flags=GFP_KERNEL|",
        AT "kmem:mm_page_free: page=0x1 pfn=0x1 order=99", AT "kmem:kfree: call_site=f", "1.5: kmem:kfree: call_site=f ptr=0x1",
    };
    struct perf_line l;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(parse(bad[i], &l) == PERF_LINE_BAD, "%s", bad[i]);
    /* A zero byte in a name: no read behind the table's names. */
    static const char zero[] = AT "kmem:mm_page_alloc: page=0x1 pfn=0x1 order=0 migratetype=0 gfp_flags=GFP_DMA\0" "xxxxxxxxxxxxxxxxxxxxxxx";
    const char *problem;
    ck_assert_int_eq(perf_line_parse(zero, sizeof zero - 1, &l, &problem), PERF_LINE_BAD);
    ck_assert_int_eq(parse(AT "sched:sched_switch: prev_comm=a", &l), PERF_LINE_OTHER);
    ck_assert_int_eq(parse("# comment", &l), PERF_LINE_NONE);
    ck_assert_int_eq(parse("", &l), PERF_LINE_NONE);
    ck_assert_int_eq(parse("\tffffffff81234567 __alloc_pages+0x10 ([kernel.kallsyms])", &l), PERF_LINE_NONE);
    ck_assert_int_eq(parse("CPU:1 [LOST 123 EVENTS]", &l), PERF_LINE_LOST);
    ck_assert_uint_eq(l.lost, 123);
    ck_assert_int_eq(parse("perf 7 [001] 2.5: PERF_RECORD_LOST lost 42", &l), PERF_LINE_LOST);
    ck_assert_uint_eq(l.lost, 42);
}
END_TEST

/* Every beginning of a good line: never an event with half a number, never a read beyond it. */
START_TEST(truncated)
{
    const char *line = AT "kmem:mm_page_alloc: page=0x148d2f pfn=0x148d2f order=2 migratetype=1 gfp_flags=GFP_KERNEL\n";
    for (size_t n = 0; n < strlen(line); n++) {
        char *copy = malloc(n ? n : 1);
        memcpy(copy, line, n);
        struct trace *t;
        struct err err = {0};
        struct trace_options opt = {.format = "perf"};
        int opened = trace_open_memory(&t, copy, n, &opt, &err);
        ck_assert_int_eq(opened, n ? 0 : -1); /* no byte at all is no trace of any form */
        if (n) {
            struct trace_batch b;
            ck_assert_int_eq(trace_next(t, &b, &err), 0);
            struct trace_info info;
            trace_get_info(t, &info);
            ck_assert_uint_eq(info.kernel.unparsed, 1);
            ck_assert(info.incomplete);
            trace_close(t);
        }
        free(copy);
    }
}
END_TEST

static const char mixed[] =
    "a 1 [000] 1.000002: kmem:mm_page_alloc: page=0x2 pfn=0x2 order=0 migratetype=1 gfp_flags=GFP_HIGHUSER_MOVABLE\n"
    "b 2 [001] 1.000001: kmem:mm_page_alloc: page=0x1 pfn=0x1 order=0 migratetype=1 gfp_flags=GFP_HIGHUSER_MOVABLE\n"
    "what is this\n"
    "b 2 [001] 1.000003: kmem:mm_page_free_batched: page=0x1 pfn=0x1 order=0\n"
    "b 2 [001] 1.000003: kmem:mm_page_free: page=0x1 pfn=0x1 order=0\n"
    "b 2 [001] 1.000004: kmem:kmalloc: call_site=f+0x1 ptr=0xffff888000001000 bytes_req=5 bytes_alloc=8 gfp_flags=GFP_KERNEL node=-1 accounted=true\n";

START_TEST(sorted_and_counted)
{
    struct trace *t;
    struct err err = {0};
    struct trace_batch b;
    ck_assert_msg(trace_open_memory(&t, mixed, sizeof mixed - 1, NULL, &err) == 0, "%s", err.message);
    uint64_t pfn[8], n = 0, time = 0, clock = 0, sites = 0;
    char comms[64] = "";
    while (trace_next(t, &b, &err) > 0)
        for (size_t i = 0; i < b.n; i += 1u + b.rec[i].slots) {
            const struct trace_rec *r = &b.rec[i];
            size_t len;
            if (r->kind == TRACE_PAGE_ALLOC || r->kind == TRACE_PAGE_FREE) {
                pfn[n++] = r->addr;
                ck_assert_uint_eq(b.thread, r->addr == 2 ? 0 : 1);
            } else if (r->kind == TRACE_TIME) {
                ck_assert_uint_gt(r->addr, time);
                time = r->addr;
            } else if (r->kind == TRACE_CLOCK) {
                clock = r->addr;
            } else if (r->kind == TRACE_TASK) {
                strncat(comms, trace_rec_string(r, &len), 1);
            } else if (r->kind == TRACE_SITE) {
                sites++;
            } else {
                ck_assert_int_eq(r->kind, TRACE_KMALLOC);
                ck_assert_uint_eq(r->flags, TRACE_F_ACCOUNTED);
                ck_assert_uint_ne(((const uint64_t *)(r + 1))[2], 0);
            }
        }
    ck_assert_uint_eq(n, 3);
    ck_assert_uint_eq(pfn[0], 1);
    ck_assert_uint_eq(pfn[1], 2);
    ck_assert_uint_eq(pfn[2], 1);
    ck_assert_uint_eq(clock, 1000001000);
    ck_assert_uint_eq(time, 3000);
    ck_assert_uint_eq(sites, 1);
    ck_assert_str_eq(comms, "ba");
    struct trace_info info;
    trace_get_info(t, &info);
    ck_assert_str_eq(info.format, "perf");
    ck_assert_uint_eq(info.kernel.lines, 6);
    ck_assert_uint_eq(info.kernel.batched, 1);
    ck_assert_uint_eq(info.kernel.unparsed, 1);
    ck_assert_uint_eq(info.kernel.first_unparsed, 3);
    trace_close(t);
}
END_TEST

/* perf.data without perf: an error that says what to do. With a broken file: perf's own words. */
START_TEST(perf_data)
{
    static const char magic[] = "PERFILE2 and then nothing of use, but a few more bytes";
    char *path = strdup(getenv("PATH") ? getenv("PATH") : "");
    struct trace *t;
    struct err err = {0};
    setenv("PATH", "/nonexistent", 1);
    ck_assert_int_lt(trace_open_memory(&t, magic, sizeof magic, NULL, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "perf"));
    ck_assert_ptr_nonnull(strstr(err.remedy, "linux-perf"));
    setenv("PATH", path, 1);
    free(path);
    if (access("/usr/bin/perf", X_OK) != 0)
        return;
    struct trace_batch b;
    ck_assert_msg(trace_open_memory(&t, magic, sizeof magic, NULL, &err) == 0, "%s", err.message);
    ck_assert_int_lt(trace_next(t, &b, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.message, "perf could not read it"));
    ck_assert_msg(!strstr(err.message, "Ignoring"), "not perf's last words: %s", err.message);
    trace_close(t);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("perf");
    TCase *t = tcase_create("perf");
    tcase_add_test(t, compaction_lines);
    tcase_add_test(t, heads);
    tcase_add_test(t, fields);
    tcase_add_test(t, marks);
    tcase_add_test(t, not_guessed);
    tcase_add_test(t, truncated);
    tcase_add_test(t, sorted_and_counted);
    tcase_add_test(t, perf_data);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
