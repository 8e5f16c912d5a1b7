#include "traces/readers/perf/text.h"

#include "engine/types.h"
#include "traces/readers/perf/line.h"
#include "traces/readers/scan.h"

#include <stdlib.h>

#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(name) ((name)->text = NULL)
#include <uthash.h>

enum { QUEUE_MOST = 8192, NAMES_MOST = 1 << 20, CPUS_MOST = 4096, NAME_BYTES = 255 };
enum { WORDS_MOST = 5 };

/* ---- names, told apart once --------------------------------------------------------------------------------------- */

struct perf_name {
    char *text;
    uint32_t n, id;
    bool told; /* a SITE record says it */
    UT_hash_handle hh;
};
struct perf_names {
    struct perf_name *by_text;
    struct perf_name **by_id;
    uint32_t n, room;
    uint32_t cache[256]; /* ids of names met lately: most lines repeat a few */
};

static void names_free(struct perf_names *t)
{
    if (!t)
        return;
    struct perf_name *e = t->by_text, *next;
    HASH_CLEAR(hh, t->by_text); /* the table goes, its elements stay chained */
    for (; e; e = next) {
        next = e->hh.next;
        free(e->text);
        free(e);
    }
    free(t->by_id);
    free(t);
}

static int names_full(struct err *err)
{
    return err_set(err, ERR_RUN, "out of memory, or more than %d names of functions, caches and commands", NAMES_MOST);
}

/* The number of a name, from 1; 0 for an empty one. */
static int name_id(struct perf_names *t, struct perf_text s, uint32_t *id, struct err *err)
{
    *id = 0;
    if (s.n > NAME_BYTES)
        s.n = NAME_BYTES;
    if (!s.s)
        return 0;
    if (memchr(s.s, '\0', s.n))
        s.n = strlen(s.s);
    if (!s.n)
        return 0;
    uint32_t h = (uint32_t)s.n * 31 + (unsigned char)s.s[0];
    for (size_t i = s.n > 8 ? s.n - 8 : 0; i < s.n; i++)
        h = h * 33 ^ (unsigned char)s.s[i];
    uint32_t *slot = &t->cache[h % ARRAY_LEN(t->cache)];
    if (*slot && t->by_id[*slot - 1]->n == s.n && !memcmp(t->by_id[*slot - 1]->text, s.s, s.n)) {
        *id = *slot;
        return 0;
    }
    struct perf_name *e;
    HASH_FIND(hh, t->by_text, s.s, s.n, e);
    if (!e) {
        if (t->n == NAMES_MOST)
            return names_full(err);
        if (t->n == t->room) {
            uint32_t room = t->room ? t->room * 2 : 256;
            struct perf_name **p = realloc(t->by_id, room * sizeof(struct perf_name *));
            if (!p)
                return names_full(err);
            t->by_id = p;
            t->room = room;
        }
        e = calloc(1, sizeof *e);
        char *text = e ? strndup(s.s, s.n) : NULL;
        if (!text) {
            free(e);
            return names_full(err);
        }
        e->text = text;
        e->n = (uint32_t)s.n;
        e->id = t->n + 1;
        HASH_ADD_KEYPTR(hh, t->by_text, e->text, e->n, e);
        if (!e->text) {
            free(text);
            free(e);
            return names_full(err);
        }
        t->by_id[t->n++] = e;
    }
    *id = *slot = e->id;
    return 0;
}

/* ---- the queue ------------------------------------------------------------------------------------------------------ */

struct perf_queued {
    uint64_t ns;
    struct trace_rec rec;
    uint64_t word[WORDS_MOST];
    uint32_t site; /* name used as call_site, to be told; 0: none */
    uint32_t text, comm; /* names; 0: none */
    uint32_t cpu, tid, pid;
    uint8_t words;
    bool has_text;
};

struct perf_cpu { uint32_t tid, comm; bool known; };

static struct perf_queued *queued(const struct perf_text_reader *r, uint32_t i)
{
    return &r->queue[(r->first + i) % QUEUE_MOST];
}

/* Behind all that are not later: events of one time keep their order. */
static void queue_put(struct perf_text_reader *r, const struct perf_queued *q)
{
    uint32_t i = r->n++;
    for (; i > 0 && queued(r, i - 1)->ns > q->ns; i--)
        *queued(r, i) = *queued(r, i - 1);
    *queued(r, i) = *q;
}

static struct perf_cpu *cpu_at(struct perf_text_reader *r, uint32_t cpu)
{
    if (cpu >= r->cpus) {
        uint32_t room = r->cpus ? r->cpus : 8;
        while (room <= cpu)
            room *= 2;
        struct perf_cpu *p = realloc(r->cpu, room * sizeof *p);
        if (!p)
            return NULL;
        memset(p + r->cpus, 0, (room - r->cpus) * sizeof *p);
        r->cpu = p;
        r->cpus = room;
    }
    return &r->cpu[cpu];
}

static void put_name(const struct perf_text_reader *r, struct trace_sink *sink, struct trace_rec rec, uint32_t id,
                     const uint64_t *words, unsigned n)
{
    const struct perf_name *e = id ? r->names->by_id[id - 1] : NULL;
    trace_sink_put_string(sink, rec, words, n, e ? e->text : "", e ? e->n : 0);
}

/* The oldest event goes out, with what has to be told before it. */
static int queue_pop(struct perf_text_reader *r, struct trace_sink *sink, struct err *err)
{
    const struct perf_queued *q = queued(r, 0);
    uint32_t thread = q->cpu == PERF_CPU_UNKNOWN ? 0 : q->cpu;
    struct perf_cpu *c = cpu_at(r, thread);
    if (!c)
        return err_set(err, ERR_RUN, "out of memory");
    trace_sink_thread(sink, 0, thread);
    if (!r->begun) {
        r->begun = true;
        r->began_ns = r->told_ns = q->ns;
        trace_sink_put(sink, (struct trace_rec){.addr = q->ns, .kind = TRACE_CLOCK});
    }
    if (q->ns != r->told_ns) {
        trace_sink_put(sink, (struct trace_rec){.addr = q->ns - r->began_ns, .kind = TRACE_TIME});
        r->told_ns = q->ns;
    }
    if (q->tid != PERF_ID_UNKNOWN && (!c->known || c->tid != q->tid || c->comm != q->comm)) {
        *c = (struct perf_cpu){q->tid, q->comm, true};
        put_name(r, sink, (struct trace_rec){.addr = q->tid, .size = q->pid == PERF_ID_UNKNOWN ? 0 : q->pid,
                                             .kind = TRACE_TASK}, q->comm, NULL, 0);
    }
    if (q->site && !r->names->by_id[q->site - 1]->told) {
        r->names->by_id[q->site - 1]->told = true;
        put_name(r, sink, (struct trace_rec){.addr = q->site, .kind = TRACE_SITE}, q->site, NULL, 0);
    }
    if (q->has_text)
        put_name(r, sink, q->rec, q->text, q->word, q->words);
    else
        trace_sink_put_words(sink, q->rec, q->word, q->words);
    r->popped_ns = q->ns;
    r->first = (r->first + 1) % QUEUE_MOST;
    r->n--;
    return 0;
}

/* ---- a line to an event ---------------------------------------------------------------------------------------------- */

static uint32_t size32(uint64_t v) { return v > UINT32_MAX ? UINT32_MAX : (uint32_t)v; }

/* Addresses stand as they are, names by their number. */
static int site_word(struct perf_text_reader *r, struct perf_text s, struct perf_queued *q, uint64_t *word, struct err *err)
{
    const char *p = s.s, *end = s.s + s.n;
    bool prefix = scan_word(&p, end, "0x");
    if ((prefix || s.n >= 8) && scan_hex(&p, end, word) && p == end && *word > UINT32_MAX)
        return 0;
    if (name_id(r->names, s, &q->site, err) < 0)
        return -1;
    *word = q->site;
    return 0;
}

static int enqueue(struct perf_text_reader *r, const struct perf_line *l, struct err *err)
{
    struct perf_queued q = {.ns = l->ns, .cpu = l->cpu, .tid = l->tid, .pid = l->pid};
    uint64_t cpu = l->cpu == PERF_CPU_UNKNOWN ? TRACE_CPU_UNKNOWN : l->cpu;
    uint8_t accounted = l->accounted ? TRACE_F_ACCOUNTED : 0;
    int rc = name_id(r->names, l->comm, &q.comm, err);
#define WORDS_ARE(...) do { \
        const uint64_t words_[] = {__VA_ARGS__}; \
        memcpy(q.word, words_, sizeof words_); \
        q.words = ARRAY_LEN(words_); \
    } while (0)
#define REC_IS(k, a, s, ...) q.rec = (struct trace_rec){.kind = TRACE_##k, .addr = (a), .size = (s), __VA_ARGS__}
    uint64_t site = 0;
    if (rc == 0 && l->call_site.n)
        rc = site_word(r, l->call_site, &q, &site, err);
    if (rc < 0)
        return -1;
    switch (l->event) {
    case PERF_PAGE_ALLOC:
        REC_IS(PAGE_ALLOC, l->pfn, (uint32_t)l->order);
        WORDS_ARE(l->gfp, l->migratetype, cpu);
        break;
    case PERF_PAGE_FREE:
        REC_IS(PAGE_FREE, l->pfn, (uint32_t)l->order);
        WORDS_ARE(cpu);
        break;
    case PERF_ZONE_LOCKED:
        REC_IS(PAGE_ZONE_LOCKED, l->pfn, (uint32_t)l->order);
        WORDS_ARE(l->migratetype, l->refill, cpu);
        break;
    case PERF_DRAIN:
        REC_IS(PAGE_DRAIN, l->pfn, (uint32_t)l->order);
        WORDS_ARE(l->migratetype, cpu);
        break;
    case PERF_EXTFRAG:
        REC_IS(PAGE_EXTFRAG, l->pfn, (uint32_t)l->order);
        WORDS_ARE(l->fallback_order, l->alloc_type, l->fallback_type, l->owner, cpu);
        break;
    case PERF_KMALLOC:
        REC_IS(KMALLOC, l->ptr, size32(l->bytes_req), .flags = accounted);
        WORDS_ARE(l->bytes_alloc, l->gfp, site);
        break;
    case PERF_KFREE:
        REC_IS(KFREE, l->ptr, 0);
        WORDS_ARE(site);
        break;
    case PERF_CACHE_ALLOC:
        REC_IS(CACHE_ALLOC, l->ptr, size32(l->bytes_req), .flags = accounted);
        WORDS_ARE(l->bytes_alloc, l->gfp, site);
        q.has_text = true;
        rc = name_id(r->names, l->name, &q.text, err);
        break;
    case PERF_CACHE_FREE:
        REC_IS(CACHE_FREE, l->ptr, 0);
        WORDS_ARE(site);
        q.has_text = true;
        rc = name_id(r->names, l->name, &q.text, err);
        break;
    case PERF_COMPACT_BEGIN:
        REC_IS(COMPACT_BEGIN, l->zone_start, l->sync);
        WORDS_ARE(l->zone_end, l->migrate_pfn, l->free_pfn);
        break;
    case PERF_COMPACT_END:
        REC_IS(COMPACT_END, l->zone_start, l->sync);
        WORDS_ARE(l->zone_end, l->migrate_pfn, l->free_pfn);
        q.has_text = true;
        rc = name_id(r->names, l->status, &q.text, err);
        break;
    case PERF_COMPACT_FREE:
        REC_IS(COMPACT_FREE, l->range_start, l->fast);
        WORDS_ARE(l->range_end, l->scanned, l->taken, cpu);
        break;
    case PERF_COMPACT_ISOLATE:
        REC_IS(COMPACT_ISOLATE, l->range_start, 0);
        WORDS_ARE(l->range_end, l->scanned, l->taken, cpu);
        break;
    case PERF_COMPACT_MOVED:
        REC_IS(COMPACT_MOVED, l->moved, 0);
        WORDS_ARE(l->failed, cpu);
        break;
    case PERF_MARK:
        REC_IS(MARK, 0, 0);
        q.has_text = true;
        rc = name_id(r->names, l->name, &q.text, err);
        break;
    case PERF_PAGE_FREE_BATCHED:
    case PERF_OTHER:
    case PERF_EVENTS:
        return 0;
    }
#undef WORDS_ARE
#undef REC_IS
    if (rc == 0)
        queue_put(r, &q);
    return rc;
}

static int one_line(struct perf_text_reader *r, struct trace_input *in, const char *line, size_t len, struct err *err)
{
    struct perf_line l;
    const char *problem;
    enum perf_verdict v = perf_line_parse(line, len, &l, &problem);
    r->lines.lines++;
    /* A last line without an end was cut off: what it says may be half a number. */
    if ((v == PERF_LINE_EVENT || v == PERF_LINE_OTHER) && line[len] == '\0')
        v = PERF_LINE_BAD;
    switch (v) {
    case PERF_LINE_EVENT:
        break;
    case PERF_LINE_OTHER:
        r->lines.other++;
        return 0;
    case PERF_LINE_NONE:
        return 0;
    case PERF_LINE_LOST:
        r->lines.lost += l.lost;
        return 0;
    case PERF_LINE_BAD:
        if (!r->lines.unparsed++)
            r->lines.first_unparsed = in->line;
        return 0;
    }
    r->events++;
    if (l.event == PERF_PAGE_FREE_BATCHED) {
        r->lines.batched++;
        return 0;
    }
    if (l.cpu != PERF_CPU_UNKNOWN && l.cpu >= CPUS_MOST)
        return trace_line_error(in, line, len, err, NULL, "CPU %u: %d are possible", l.cpu, CPUS_MOST);
    if (r->begun && l.ns < r->popped_ns)
        return trace_line_error(in, line, len, err, "sort the lines by their time first (perf script does)",
                                "this event is older than one %d events before it", QUEUE_MOST);
    return enqueue(r, &l, err);
}

int perf_text_open(struct perf_text_reader *r, struct err *err)
{
    r->names = calloc(1, sizeof *r->names);
    r->queue = calloc(QUEUE_MOST, sizeof *r->queue);
    if (!r->names || !r->queue) {
        perf_text_close(r);
        return err_set(err, ERR_RUN, "out of memory");
    }
    return 0;
}

int perf_text_read(struct perf_text_reader *r, struct trace_input *in, struct trace_sink *sink, struct err *err)
{
    uint32_t before = sink->n;
    while (!trace_sink_full(sink)) {
        if (r->n == QUEUE_MOST || (r->ended && r->n)) {
            if (queue_pop(r, sink, err) < 0)
                return -1;
            continue;
        }
        if (r->ended)
            break;
        const char *line;
        size_t len;
        int got = trace_input_line(in, &line, &len, err);
        if (got < 0 && r->n) { /* what came before is good: it goes out first, the error stays */
            while (r->n && !trace_sink_full(sink))
                if (queue_pop(r, sink, err) < 0)
                    return -1;
            return r->n ? 1 : -1;
        }
        if (got < 0)
            return -1;
        if (got == 0)
            r->ended = true;
        else if (one_line(r, in, line, len, err) < 0) {
            while (r->n && !trace_sink_full(sink))
                if (queue_pop(r, sink, NULL) < 0)
                    break;
            return -1;
        }
    }
    return sink->n > before;
}

void perf_text_info(const struct perf_text_reader *r, struct trace_info *out)
{
    out->kernel = r->lines;
    out->processes = 1;
}

void perf_text_close(struct perf_text_reader *r)
{
    names_free(r->names);
    free(r->queue);
    free(r->cpu);
    *r = (struct perf_text_reader){0};
}

/* ---- the reader ------------------------------------------------------------------------------------------------------ */

static int probe(const unsigned char *head, size_t n, bool whole)
{
    const char *p = (const char *)head, *end = p + n;
    unsigned good = 0, other = 0, looked = 0;
    while (p < end && looked++ < 200) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        if (!nl && !whole)
            break;
        const char *stop = nl ? nl : end, *next = stop + 1, *problem;
        struct perf_line l;
        if (stop > p && stop[-1] == '\r')
            stop--;
        switch (perf_line_parse(p, (size_t)(stop - p), &l, &problem)) {
        case PERF_LINE_EVENT: good++; break;
        case PERF_LINE_OTHER: other++; break;
        default: break;
        }
        p = next;
    }
    return good ? 90 : other ? 50 : 0;
}

static int open_text(void *state, struct trace_input *in, const char *path, const struct trace_options *opt, struct err *err)
{
    (void)in, (void)path, (void)opt;
    return perf_text_open(state, err);
}
static int read_text(void *state, struct trace_input *in, struct trace_sink *sink, struct err *err)
{
    return perf_text_read(state, in, sink, err);
}
static void info_text(const void *state, struct trace_info *out) { perf_text_info(state, out); }
static void close_text(void *state) { perf_text_close(state); }

const struct trace_reader_ops trace_reader_perf = {
    .name = "perf",
    .probe = probe,
    .state_bytes = sizeof(struct perf_text_reader),
    .open = open_text,
    .read_batch = read_text,
    .info = info_text,
    .close = close_text,
};
