#include "replay/recount.h"

#include "replay/before/image.h"
#include "traces/input.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FRAMES_MOST = 1 << 30 };

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

static void touch(struct recount *c, uint8_t *last, uint8_t *window, unsigned long long pfn, unsigned long long order, bool alloc,
                  bool in)
{
    bool again = false;
    if (order > 20 || pfn + (1ull << order) > FRAMES_MOST)
        return;
    for (unsigned long long p = pfn; p < pfn + (1ull << order); p++) {
        again |= last[p] == (alloc ? 1 : 2);
        last[p] = alloc ? 1 : 2;
        if (in)
            window[p] = last[p];
    }
    if (alloc)
        c->alloc_again += again;
    else
        c->free_again += again;
}

static void one_line(struct recount *c, const struct snap_times *t, uint8_t *last, uint8_t *window, const char *s)
{
    const char *e = strstr(s, "mm_page_");
    unsigned long long pfn, order;
    if (!e)
        return;
    bool alloc = !strncmp(e, "mm_page_alloc:", 14), freed = !strncmp(e, "mm_page_free:", 13);
    bool locked = !strncmp(e, "mm_page_alloc_zone_locked:", 26);
    uint64_t when = t && (alloc || freed || locked) ? time_before(s, e) : 0;
    bool in = !t || (when > t->before_end && when < t->after_start);
    c->page_alloc += alloc;
    c->page_free += freed;
    c->zone_locked += locked;
    c->drain += !strncmp(e, "mm_page_pcpu_drain:", 19);
    c->extfrag += !strncmp(e, "mm_page_alloc_extfrag:", 22);
    c->window_zone_locked += locked && in;
    c->window_page_alloc += alloc && in;
    if ((alloc || freed) && number_after(e, " pfn=", &pfn) && number_after(e, " order=", &order) && pfn &&
        (!t || when < t->after_start))
        touch(c, last, window, pfn, order, alloc, in);
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
    uint8_t *last = image_sparse(FRAMES_MOST), *window = image_sparse(FRAMES_MOST);
    struct text text;
    const char *line;
    size_t len;
    int got = -1;
    *out = (struct recount){0};
    if (!last || !window)
        err_set(err, ERR_RUN, "out of memory");
    else if (trace_input_open(&in, events, err) == 0)
        while ((got = trace_input_line(in, &line, &len, err)) > 0) {
            if (len >= sizeof text.s)
                len = sizeof text.s - 1;
            memcpy(text.s, line, len);
            text.s[len] = '\0';
            one_line(out, times, last, window, text.s);
        }
    if (got == 0 && after && after->has_map && after->pages <= FRAMES_MOST)
        compare(out, window, after);
    trace_input_close(in);
    image_sparse_free(last, FRAMES_MOST);
    image_sparse_free(window, FRAMES_MOST);
    return got < 0 ? -1 : 0;
}
