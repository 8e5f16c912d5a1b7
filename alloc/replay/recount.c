#include "replay/recount.h"

#include "replay/before/image.h"
#include "traces/input.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FRAMES_MOST = 1 << 30, PENDING = 8192 /* so far lines may stand out of order: the reader's QUEUE_MOST */ };

struct page_event { uint64_t when; unsigned long long pfn, order; bool alloc, in; };

struct counting {
    struct recount *c;
    const struct snap_times *t;
    uint8_t *last, *window;           /* of each frame: 1 allocated, 2 freed */
    struct page_event ring[PENDING];  /* by time, lines of one time as they stand */
    unsigned first, n;
};

/* A copy that sscanf may read. */
struct text { char s[2048]; };

static const char *after_word(const char *s, const char *word)
{
    const char *p = strstr(s, word);
    return p ? p + strlen(word) : NULL;
}

static bool number_after(const char *s, const char *word, unsigned long long *out)
{
    const char *p = after_word(s, word);
    char *end;
    if (!p)
        return false;
    *out = strtoull(p, &end, !strncmp(p, "0x", 2) ? 16 : 10);
    return end != p;
}

/* The time is the last "SECONDS.FRACTION: " before the event. */
static uint64_t time_before(const char *s, const char *event)
{
    const char *p = event;
    while (p > s && p[-1] != ' ' && p[-1] != '\t') /* "kmem:" */
        p--;
    while (p > s && (p[-1] == ' ' || p[-1] == '\t' || p[-1] == ':'))
        p--;
    while (p > s && p[-1] != ' ' && p[-1] != '\t')
        p--;
    char frac[10] = "000000000", *end;
    unsigned long long sec = strtoull(p, &end, 10);
    if (end == p || *end != '.')
        return 0;
    end++;
    for (int i = 0; i < 9 && end[i] >= '0' && end[i] <= '9'; i++)
        frac[i] = end[i];
    return sec * 1000000000ull + strtoull(frac, NULL, 10);
}

static void touch(struct counting *k, const struct page_event *e)
{
    bool again = false;
    uint8_t now = e->alloc ? 1 : 2;
    if (e->order > 20 || e->pfn + (1ull << e->order) > FRAMES_MOST)
        return;
    for (unsigned long long p = e->pfn; p < e->pfn + (1ull << e->order); p++) {
        again |= k->last[p] == now;
        k->last[p] = now;
        if (e->in)
            k->window[p] = now;
    }
    if (e->alloc)
        k->c->alloc_again += again;
    else
        k->c->free_again += again;
}

static struct page_event *pending(struct counting *k, unsigned i) { return &k->ring[(k->first + i) % PENDING]; }

static void oldest(struct counting *k)
{
    touch(k, pending(k, 0));
    k->first = (k->first + 1) % PENDING;
    k->n--;
}

static void later(struct counting *k, struct page_event e)
{
    if (k->n == PENDING)
        oldest(k);
    unsigned i = k->n++;
    for (; i > 0 && pending(k, i - 1)->when > e.when; i--)
        *pending(k, i) = *pending(k, i - 1);
    *pending(k, i) = e;
}

static void one_line(struct counting *k, const char *s)
{
    struct recount *c = k->c;
    const struct snap_times *t = k->t;
    const char *e = strstr(s, "mm_page_");
    struct page_event page = {0};
    if (!e)
        return;
    bool freed = !strncmp(e, "mm_page_free:", 13), locked = !strncmp(e, "mm_page_alloc_zone_locked:", 26);
    page.alloc = !strncmp(e, "mm_page_alloc:", 14);
    page.when = page.alloc || freed || locked ? time_before(s, e) : 0;
    page.in = !t || (page.when > t->before_end && page.when < t->after_start);
    c->page_alloc += page.alloc;
    c->page_free += freed;
    c->zone_locked += locked;
    c->drain += !strncmp(e, "mm_page_pcpu_drain:", 19);
    c->extfrag += !strncmp(e, "mm_page_alloc_extfrag:", 22);
    c->window_zone_locked += locked && page.in;
    c->window_page_alloc += page.alloc && page.in;
    if ((page.alloc || freed) && number_after(e, " pfn=", &page.pfn) && number_after(e, " order=", &page.order) && page.pfn &&
        (!t || page.when < t->after_start))
        later(k, page);
}

static void compare(struct recount *c, const uint8_t *window, const struct snapshot *after)
{
    size_t r = 0;
    for (uint64_t p = 0; p < after->pages; p++) {
        while (r < after->runs && after->run[r].pfn + after->run[r].pages <= p)
            r++;
        enum frame_class k = r < after->runs && after->run[r].pfn <= p ? after->run[r].class : CLASS_NONE;
        c->last_allocated += window[p] == 1;
        c->allocated_held += window[p] == 1 && k != CLASS_FREE;
        c->last_freed += window[p] == 2;
        c->freed_held += window[p] == 2 && (k == CLASS_FREE || k == CLASS_OTHER);
    }
}

int recount_text(struct recount *out, const char *events, const struct snap_times *times, const struct snapshot *after,
                 struct err *err)
{
    struct trace_input *in = NULL;
    struct counting *k = calloc(1, sizeof *k);
    struct text text;
    const char *line;
    size_t len;
    int got = -1;
    *out = (struct recount){0};
    if (!k || !(k->last = image_sparse(FRAMES_MOST)) || !(k->window = image_sparse(FRAMES_MOST))) {
        err_set(err, ERR_RUN, "out of memory");
    } else if (trace_input_open(&in, events, err) == 0) {
        k->c = out;
        k->t = times;
        while ((got = trace_input_line(in, &line, &len, err)) > 0) {
            if (len >= sizeof text.s)
                len = sizeof text.s - 1;
            memcpy(text.s, line, len);
            text.s[len] = '\0';
            one_line(k, text.s);
        }
        while (k->n)
            oldest(k);
    }
    if (got == 0 && after && after->has_map && after->pages <= FRAMES_MOST)
        compare(out, k->window, after);
    trace_input_close(in);
    if (k) {
        image_sparse_free(k->last, FRAMES_MOST);
        image_sparse_free(k->window, FRAMES_MOST);
    }
    free(k);
    return got < 0 ? -1 : 0;
}
