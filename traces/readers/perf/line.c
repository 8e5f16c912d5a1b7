#include "traces/readers/perf/line.h"

#include "traces/readers/scan.h"

#include <stdlib.h>

/* ---- the words of a line ------------------------------------------------------------------------------------------ */

static bool is_blank(char c) { return c == ' ' || c == '\t'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_name(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-' || c == '.';
}

static const char *rtrim(const char *s, const char *end)
{
    while (end > s && is_blank(end[-1]))
        end--;
    return end;
}

/* Start of the last word before `end`. */
static const char *last_word(const char *s, const char *end)
{
    while (end > s && !is_blank(end[-1]))
        end--;
    return end;
}

static const struct { const char *name; uint8_t len; enum perf_event event; } events[] = {
#define EVENT(name, event) {name, sizeof name - 1, event}
    EVENT("mm_page_alloc", PERF_PAGE_ALLOC),
    EVENT("mm_page_free", PERF_PAGE_FREE),
    EVENT("mm_page_free_batched", PERF_PAGE_FREE_BATCHED),
    EVENT("mm_page_alloc_zone_locked", PERF_ZONE_LOCKED),
    EVENT("mm_page_pcpu_drain", PERF_DRAIN),
    EVENT("mm_page_alloc_extfrag", PERF_EXTFRAG),
    EVENT("kmalloc", PERF_KMALLOC),
    EVENT("kmalloc_node", PERF_KMALLOC),
    EVENT("kfree", PERF_KFREE),
    EVENT("kmem_cache_alloc", PERF_CACHE_ALLOC),
    EVENT("kmem_cache_alloc_node", PERF_CACHE_ALLOC),
    EVENT("kmem_cache_free", PERF_CACHE_FREE),
    EVENT("mm_compaction_begin", PERF_COMPACT_BEGIN),
    EVENT("mm_compaction_end", PERF_COMPACT_END),
    EVENT("mm_compaction_isolate_freepages", PERF_COMPACT_FREE),
    EVENT("mm_compaction_fast_isolate_freepages", PERF_COMPACT_FREE),
    EVENT("mm_compaction_isolate_migratepages", PERF_COMPACT_ISOLATE),
    EVENT("mm_compaction_migratepages", PERF_COMPACT_MOVED),
    EVENT("tracing_mark_write", PERF_MARK),
    EVENT("print", PERF_MARK),
#undef EVENT
};

static enum perf_event find_event(const char *s, size_t n)
{
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
        if (events[i].len == n && !memcmp(events[i].name, s, n))
            return events[i].event;
    return PERF_OTHER;
}

/* ---- what stands before the event --------------------------------------------------------------------------------- */

/* "1228.425906" as nanoseconds; at most nine digits behind the point. */
static bool parse_time(const char *s, const char *end, uint64_t *ns)
{
    uint64_t sec, frac = 0;
    unsigned digits = 0;
    if (!scan_dec(&s, end, &sec) || s == end || *s != '.' || sec > UINT64_MAX / 1000000000u - 1)
        return false;
    for (s++; s < end && is_digit(*s) && digits < 9; s++, digits++)
        frac = frac * 10 + (uint64_t)(*s - '0');
    if (s != end || digits == 0)
        return false;
    for (; digits < 9; digits++)
        frac *= 10;
    *ns = sec * 1000000000u + frac;
    return true;
}

static bool small_number(const char *s, const char *end, uint32_t *out)
{
    uint64_t v;
    if (!scan_dec(&s, end, &v) || s != end || v >= UINT32_MAX)
        return false;
    *out = (uint32_t)v;
    return true;
}

/* "COMM TID [CPU]" or "COMM-TID (TGID) [CPU] FLAGS", split from the right. */
static bool parse_task(const char *s, const char *end, struct perf_line *out)
{
    while (s < end && is_blank(*s))
        s++;
    end = rtrim(s, end);
    const char *w = last_word(s, end);
    if (w > s && *w != '[') { /* ftrace writes flags behind the CPU */
        const char *before = rtrim(s, w), *cpu = last_word(s, before);
        if (before > cpu && *cpu == '[' && before[-1] == ']') {
            end = before;
            w = cpu;
        }
    }
    if (w < end && *w == '[' && end[-1] == ']') {
        if (!small_number(w + 1, end - 1, &out->cpu))
            return false;
        end = rtrim(s, w);
        w = last_word(s, end);
    }
    if (end > s && end[-1] == ')') { /* the thread group of ftrace's record-tgid: "(  123)" or "(-----)" */
        const char *open = end;
        while (open > s && *open != '(')
            open--;
        const char *id = open + 1;
        if (*open != '(')
            return false;
        scan_blanks(&id, end);
        small_number(id, rtrim(id, end - 1), &out->pid);
        end = rtrim(s, open);
        w = last_word(s, end);
    }
    if (w == end)
        return false;
    const char *slash = memchr(w, '/', (size_t)(end - w)), *stop = w;
    bool ok = slash && small_number(w, slash, &out->pid) ? small_number(slash + 1, end, &out->tid)
                                                         : small_number(w, end, &out->tid);
    if (!ok) { /* ftrace: the number hangs at the name */
        const char *dash = end;
        while (dash > w && dash[-1] != '-')
            dash--;
        if (dash == w || !small_number(dash, end, &out->tid))
            return false;
        stop = dash - 1;
    }
    stop = rtrim(s, stop);
    out->comm = (struct perf_text){s, (size_t)(stop - s)};
    return true;
}

/*
 * Finds "SECONDS.FRACTION: [SYSTEM:]EVENT:" and takes apart what stands before. 1: *name, *fields are set; 0: there is no
 * such thing in the line.
 */
static int parse_head(const char *line, const char *end, struct perf_line *out, struct perf_text *name,
                      const char **fields)
{
    const char *at = line;
    while (at < end && (at = memchr(at, ':', (size_t)(end - at)))) {
        const char *colon = at++;
        const char *w = last_word(line, colon);
        if (colon + 1 >= end || !is_blank(colon[1]) || w == line || !is_digit(*w) || !parse_time(w, colon, &out->ns))
            continue;
        const char *e = colon + 1, *first;
        scan_blanks(&e, end);
        for (first = e; e < end && (is_name(*e) || (*e == ':' && e + 1 < end && !is_blank(e[1]))); e++)
            if (*e == ':')
                first = e + 1;
        if (e == end || *e != ':' || e == first)
            continue;
        out->cpu = PERF_CPU_UNKNOWN;
        out->tid = out->pid = PERF_ID_UNKNOWN;
        if (!parse_task(line, w, out))
            continue;
        *name = (struct perf_text){first, (size_t)(e - first)};
        *fields = e + 1;
        return 1;
    }
    return 0;
}

/* ---- fields -------------------------------------------------------------------------------------------------------- */

enum field {
    F_PFN, F_ORDER, F_MIGRATETYPE, F_GFP, F_REFILL, F_ALLOC_ORDER, F_FALLBACK_ORDER, F_ALLOC_TYPE, F_FALLBACK_TYPE, F_OWNER,
    F_PTR, F_SITE, F_NAME, F_REQ, F_ALLOC, F_ACCOUNTED, F_ZONE_START, F_ZONE_END, F_MIGRATE_PFN, F_FREE_PFN, F_MODE, F_STATUS,
    F_RANGE, F_SCANNED, F_TAKEN, F_MOVED, F_FAILED,
    F_UNUSED, /* stands in every line of its event, and says nothing that is kept */
    N_FIELDS
};
#define F(name) (1u << F_##name)

/* As they follow each other in the lines, so that the next one is most often the one behind the last. */
static const struct { const char *name; uint8_t len; uint8_t field; } fields_known[] = {
#define FIELD(name, field) {name, sizeof name - 1, field}
    FIELD("call_site", F_SITE), FIELD("ptr", F_PTR), FIELD("name", F_NAME), FIELD("bytes_req", F_REQ), FIELD("bytes_alloc", F_ALLOC),
    FIELD("gfp_flags", F_GFP), FIELD("node", F_UNUSED), FIELD("accounted", F_ACCOUNTED), FIELD("page", F_UNUSED), FIELD("pfn", F_PFN),
    FIELD("order", F_ORDER), FIELD("migratetype", F_MIGRATETYPE), FIELD("percpu_refill", F_REFILL), FIELD("alloc_order", F_ALLOC_ORDER),
    FIELD("fallback_order", F_FALLBACK_ORDER), FIELD("alloc_migratetype", F_ALLOC_TYPE),
    FIELD("fallback_migratetype", F_FALLBACK_TYPE), FIELD("change_ownership", F_OWNER), FIELD("zone_start", F_ZONE_START),
    FIELD("zone_end", F_ZONE_END), FIELD("migrate_pfn", F_MIGRATE_PFN), FIELD("free_pfn", F_FREE_PFN), FIELD("mode", F_MODE),
    FIELD("status", F_STATUS), FIELD("range", F_RANGE), FIELD("nr_scanned", F_SCANNED), FIELD("nr_taken", F_TAKEN),
    FIELD("nr_migrated", F_MOVED), FIELD("nr_failed", F_FAILED),
#undef FIELD
};
enum { FIELDS_KNOWN = sizeof fields_known / sizeof fields_known[0] };

/* Index of the field called key, looked for from index `from` on; FIELDS_KNOWN if there is none. */
static size_t find_field(const char *key, size_t n, size_t from)
{
    for (size_t k = 0, i = from; k < FIELDS_KNOWN; k++, i++) {
        i = i < FIELDS_KNOWN ? i : 0;
        if (fields_known[i].len == n && fields_known[i].name[0] == *key && !memcmp(fields_known[i].name, key, n))
            return i;
    }
    return FIELDS_KNOWN;
}

/* What an event must have, in every version of the kernel. */
static const uint32_t needed[PERF_EVENTS] = {
    [PERF_PAGE_ALLOC] = F(PFN) | F(ORDER) | F(MIGRATETYPE) | F(GFP),
    [PERF_PAGE_FREE] = F(PFN) | F(ORDER),
    [PERF_PAGE_FREE_BATCHED] = F(PFN),
    [PERF_ZONE_LOCKED] = F(PFN) | F(ORDER) | F(MIGRATETYPE) | F(REFILL),
    [PERF_DRAIN] = F(PFN) | F(ORDER) | F(MIGRATETYPE),
    [PERF_EXTFRAG] = F(PFN) | F(ALLOC_ORDER) | F(FALLBACK_ORDER) | F(ALLOC_TYPE) | F(FALLBACK_TYPE) | F(OWNER),
    [PERF_KMALLOC] = F(PTR) | F(SITE) | F(REQ) | F(ALLOC) | F(GFP),
    [PERF_KFREE] = F(PTR) | F(SITE),
    [PERF_CACHE_ALLOC] = F(PTR) | F(SITE) | F(REQ) | F(ALLOC) | F(GFP),
    [PERF_CACHE_FREE] = F(PTR) | F(SITE),
    [PERF_COMPACT_BEGIN] = F(ZONE_START) | F(ZONE_END) | F(MIGRATE_PFN) | F(FREE_PFN),
    [PERF_COMPACT_END] = F(ZONE_START) | F(ZONE_END) | F(MIGRATE_PFN) | F(FREE_PFN),
    [PERF_COMPACT_FREE] = F(RANGE) | F(TAKEN),
    [PERF_COMPACT_ISOLATE] = F(RANGE) | F(TAKEN),
    [PERF_COMPACT_MOVED] = F(MOVED) | F(FAILED),
};

/* Decimal, 0x, (nil) or (null); a pointer also as bare hexadecimal digits. A comma may stand behind it. */
static bool value(const char *s, const char *end, bool pointer, uint64_t *out)
{
    if (s < end && end[-1] == ',')
        end--;
    if (end - s >= 5 && *s == '(') {
        *out = 0;
        return (end - s == 5 && !memcmp(s, "(nil)", 5)) || (end - s == 6 && !memcmp(s, "(null)", 6));
    }
    if (scan_word(&s, end, "0x"))
        return scan_hex(&s, end, out) && s == end;
    return (pointer ? scan_hex(&s, end, out) : scan_dec(&s, end, out)) && s == end;
}

/* The small numbers: orders, types. */
static bool small(const char *s, const char *end, uint64_t *out)
{
    enum { MOST = 63 };
    return value(s, end, false, out) && *out <= MOST;
}

/* "(0x1000 ~ 0x1200)"; the end is not in it. */
static bool range(const char *s, const char *end, struct perf_line *l)
{
    const uint64_t most = 1ull << 52;
    if (end - s < 2 || *s != '(' || end[-1] != ')')
        return false;
    s++;
    end--;
    const char *first = scan_until(s, end, ' ', '\t', ' '), *rest = first;
    scan_blanks(&rest, end);
    if (!value(s, first, false, &l->range_start) || rest == end || *rest++ != '~')
        return false;
    scan_blanks(&rest, end);
    return value(rest, end, false, &l->range_end) && l->range_start < most && l->range_end < most;
}

static bool take(struct perf_line *l, enum field f, const char *s, const char *end)
{
    switch (f) {
    case F_PFN: return value(s, end, false, &l->pfn) && l->pfn < 1ull << 52; /* 64-bit physical addresses */
    case F_ORDER: case F_ALLOC_ORDER: return small(s, end, &l->order);
    case F_MIGRATETYPE: return small(s, end, &l->migratetype);
    case F_GFP: return perf_gfp_parse(s, (size_t)(end - s), &l->gfp);
    case F_REFILL: return small(s, end, &l->refill);
    case F_FALLBACK_ORDER: return small(s, end, &l->fallback_order);
    case F_ALLOC_TYPE: return small(s, end, &l->alloc_type);
    case F_FALLBACK_TYPE: return small(s, end, &l->fallback_type);
    case F_OWNER: return small(s, end, &l->owner);
    case F_PTR: return value(s, end, true, &l->ptr);
    case F_SITE: l->call_site = (struct perf_text){s, (size_t)(end - s)}; return s < end;
    case F_NAME: l->name = (struct perf_text){s, (size_t)(end - s)}; return true;
    case F_REQ: return value(s, end, false, &l->bytes_req);
    case F_ALLOC: return value(s, end, false, &l->bytes_alloc);
    case F_ACCOUNTED: l->accounted = s < end && (*s == 't' || *s == '1'); return true;
    case F_ZONE_START: return value(s, end, false, &l->zone_start);
    case F_ZONE_END: return value(s, end, false, &l->zone_end);
    case F_MIGRATE_PFN: return value(s, end, false, &l->migrate_pfn);
    case F_FREE_PFN: return value(s, end, false, &l->free_pfn);
    case F_MODE: l->sync = end - s == 4 && !memcmp(s, "sync", 4); return true;
    case F_STATUS: l->status = (struct perf_text){s, (size_t)(end - s)}; return true;
    case F_RANGE: return range(s, end, l);
    case F_SCANNED: return value(s, end, false, &l->scanned);
    case F_TAKEN: return value(s, end, false, &l->taken);
    case F_MOVED: return value(s, end, false, &l->moved);
    case F_FAILED: return value(s, end, false, &l->failed);
    case F_UNUSED: return true;
    case N_FIELDS: break;
    }
    return false;
}

/* NULL, or what is wrong. */
static const char *parse_fields(const char *s, const char *end, struct perf_line *l)
{
    uint32_t have = 0;
    size_t next = 0;
    for (;;) {
        scan_blanks(&s, end);
        if (s >= end)
            break;
        const char *key = s;
        s = scan_until(s, end, ' ', '\t', '=');
        if (s == end || *s != '=') /* no field: trace-cmd repeats the call site in parentheses */
            continue;
        size_t n = (size_t)(s - key);
        const char *v = ++s;
        s = scan_until(s, end, ' ', '\t', ' ');
        size_t found = find_field(key, n, next);
        if (found == FIELDS_KNOWN)
            continue;
        next = found + 1;
        if (fields_known[found].field == F_NAME) /* up to the next word with a '=' */
            for (const char *w = s; w < end; ) {
                scan_blanks(&w, end);
                const char *word = w;
                while (w < end && !is_blank(*w) && *w != '=')
                    w++;
                if (w == word || (w < end && *w == '='))
                    break;
                s = w;
            }
        if (fields_known[found].field == F_RANGE) /* blanks are in it */
            while (s < end && s[-1] != ')')
                s++;
        if (!take(l, (enum field)fields_known[found].field, v, s))
            return "a field's value is not of its form";
        have |= 1u << fields_known[found].field;
    }
    /* order of mm_page_alloc_extfrag is alloc_order; mm_page_free_batched may do without. */
    if ((have & needed[l->event]) != needed[l->event])
        return "a field is missing";
    return NULL;
}

/* "tracing_mark_write: TEXT" as the kernel writes it, "print: tracing_mark_write: TEXT" of trace-cmd and perf, which may name the
 * place in the function; a `print` of somebody else in the kernel is no mark. */
static bool parse_mark(struct perf_text name, const char *s, const char *end, struct perf_line *l)
{
    scan_blanks(&s, end);
    if (name.n == strlen("print")) {
        if (!scan_word(&s, end, "tracing_mark_write"))
            return false;
        while (s < end && *s != ':')
            s++;
        s += s < end;
        scan_blanks(&s, end);
    }
    l->name = (struct perf_text){s, (size_t)(end - s)};
    return true;
}

/* ---- lines that are no events --------------------------------------------------------------------------------------- */

static bool is_call_chain(const char *s, const char *end)
{
    uint64_t addr;
    if (s == end || !is_blank(*s))
        return false;
    scan_blanks(&s, end);
    if (scan_word(&s, end, "=>"))
        return true;
    return scan_hex(&s, end, &addr) && s < end && is_blank(*s) && addr > UINT32_MAX;
}

static bool is_lost(const char *line, const char *end, struct perf_line *out)
{
    size_t n = (size_t)(end - line);
    const char *s = memmem(line, n, "[LOST ", 6);
    if (s)
        s += 6;
    else if ((s = memmem(line, n, "PERF_RECORD_LOST", 16)) && (s = memmem(s, (size_t)(end - s), "lost ", 5)))
        s += 5;
    if (!s)
        return false;
    out->lost = 0;
    return scan_dec(&s, end, &out->lost);
}

enum perf_verdict perf_line_parse(const char *line, size_t len, struct perf_line *out, const char **problem)
{
    const char *end = rtrim(line, line + len), *fields = NULL;
    struct perf_text name;
    *out = (struct perf_line){.event = PERF_OTHER};
    *problem = NULL;
    if (line == end || *line == '#')
        return PERF_LINE_NONE;
    if (!parse_head(line, end, out, &name, &fields)) {
        if (is_lost(line, end, out))
            return PERF_LINE_LOST;
        if (is_call_chain(line, end))
            return PERF_LINE_NONE;
        *problem = "no time and event in it";
        return PERF_LINE_BAD;
    }
    out->event = find_event(name.s, name.n);
    out->fast = out->event == PERF_COMPACT_FREE && name.n == strlen("mm_compaction_fast_isolate_freepages");
    if (out->event == PERF_MARK)
        out->event = parse_mark(name, fields, end, out) ? PERF_MARK : PERF_OTHER;
    if (out->event == PERF_OTHER)
        return PERF_LINE_OTHER;
    if (out->event == PERF_MARK)
        return PERF_LINE_EVENT;
    *problem = parse_fields(fields, end, out);
    return *problem ? PERF_LINE_BAD : PERF_LINE_EVENT;
}
