/*
 * One line of recorded kernel events, as text: `perf script` or ftrace (trace_pipe, trace-cmd report).
 *
 *     COMM TID [CPU] SECONDS.FRACTION: kmem:mm_page_alloc: page=0x1 pfn=0x148d2f order=0 migratetype=0 gfp_flags=...
 *     COMM-TID [CPU] FLAGS SECONDS.FRACTION: mm_page_alloc: page=... pfn=...
 *
 * Everything before the event is split from the right: a command's name may hold blanks. TID may be PID/TID, [CPU] may be
 * missing, ftrace may put the thread group in parentheses. Fields are taken by their name, numbers decimal or 0x, so the
 * forms of 5.x and 6.x read alike (linux-mm 14.1-14.3). Nothing is copied and nothing is guessed.
 */
#ifndef TRACES_PERF_LINE_H
#define TRACES_PERF_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum perf_event {
    PERF_PAGE_ALLOC,
    PERF_PAGE_FREE,
    PERF_PAGE_FREE_BATCHED,
    PERF_ZONE_LOCKED,
    PERF_DRAIN,
    PERF_EXTFRAG,
    PERF_KMALLOC,
    PERF_KFREE,
    PERF_CACHE_ALLOC,
    PERF_CACHE_FREE,
    PERF_COMPACT_BEGIN,
    PERF_COMPACT_END,
    PERF_COMPACT_FREE,    /* free pages isolated: mm_compaction_isolate_freepages, _fast_isolate_freepages (`fast`) */
    PERF_COMPACT_ISOLATE, /* pages to be moved: mm_compaction_isolate_migratepages */
    PERF_COMPACT_MOVED,   /* mm_compaction_migratepages */
    PERF_MARK,  /* what somebody wrote into ftrace's trace_marker: `name` is the text */
    PERF_OTHER, /* an event of another name */
    PERF_EVENTS
};

enum perf_verdict {
    PERF_LINE_EVENT,  /* a known event with all its fields */
    PERF_LINE_OTHER,  /* an event of another name */
    PERF_LINE_NONE,   /* a comment, an empty line, a line of a call chain */
    PERF_LINE_LOST,   /* says that events were lost: `lost` how many */
    PERF_LINE_BAD     /* anything else */
};

struct perf_text { const char *s; size_t n; };
#define PERF_CPU_UNKNOWN UINT32_MAX
#define PERF_ID_UNKNOWN UINT32_MAX

struct perf_line {
    enum perf_event event;
    uint64_t ns;
    uint32_t cpu, tid, pid; /* *_UNKNOWN where the line does not say */
    struct perf_text comm, call_site, name, status;
    uint64_t pfn, ptr, bytes_req, bytes_alloc, gfp, lost;
    uint64_t order, migratetype, refill, fallback_order, alloc_type, fallback_type, owner; /* owner: change_ownership */
    uint64_t zone_start, zone_end, migrate_pfn, free_pfn;
    uint64_t range_start, range_end, scanned, taken, moved, failed; /* of compaction's scanners: [start, end) */
    bool fast;
    bool sync, accounted;
};

/* `problem` (static text) is set for PERF_LINE_BAD. */
enum perf_verdict perf_line_parse(const char *line, size_t len, struct perf_line *out, const char **problem);

/* "GFP_KERNEL|__GFP_ZERO", "none", "0x10", of any kernel version, as the bits of alloc/frames/zones/gfp.h. Names of bits whose
 * place depends on the kernel's configuration, or that are gone, get bits from 24 up: TRACE_GFP_* in record.h. False for a
 * name that no version has. */
bool perf_gfp_parse(const char *s, size_t n, uint64_t *out);

#endif
