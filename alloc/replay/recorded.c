#include "replay/recorded.h"

#include "replay/before/image.h"

#include <stdlib.h>
#include <string.h>

/* A frame's byte: its last event, and whether that was inside the window. */
enum { UNTOUCHED, BEFORE_ALLOCATED, BEFORE_FREED, ALLOCATED, FREED, LAST_EVENT = 7, LINE_ALLOCATED = 8, LINE_FREED = 16 /* its last line */ };

struct recorded {
    uint8_t *state, *class; /* a byte a frame */
    uint64_t n;
    bool inside, started;
    struct recorded_stats st;
};

static uint8_t *classes(const struct snapshot *s, uint64_t n)
{
    uint8_t *c = image_sparse(n);
    for (size_t r = 0; c && s && r < s->runs; r++) {
        uint64_t end = s->run[r].pfn + s->run[r].pages;
        if (s->run[r].pfn < n)
            memset(c + s->run[r].pfn, (int)s->run[r].class, (end < n ? end : n) - s->run[r].pfn);
    }
    return c;
}

int recorded_new(struct recorded **out, const struct snapshot *before, struct err *err)
{
    struct recorded *r = calloc(1, sizeof *r);
    *out = NULL;
    if (r) {
        r->n = before->pages;
        r->state = image_sparse(r->n);
        r->class = classes(before, r->n);
    }
    if (!r || !r->state || !r->class) {
        recorded_free(r);
        return err_set(err, ERR_RUN, "out of memory");
    }
    *out = r;
    return 0;
}

void recorded_free(struct recorded *r)
{
    if (!r)
        return;
    image_sparse_free(r->state, r->n);
    image_sparse_free(r->class, r->n);
    free(r);
}

void recorded_window(struct recorded *r, bool inside)
{
    r->inside = inside;
    r->started |= inside;
}

static uint64_t end_of(const struct recorded *r, uint64_t pfn, unsigned order)
{
    uint64_t pages = 1ull << (order < 20 ? order : 20);
    return pfn >= r->n ? pfn : pages > r->n - pfn ? r->n : pfn + pages;
}

static unsigned last_of(const struct recorded *r, uint64_t p) { return r->state[p] & LAST_EVENT; }

uint64_t recorded_frames(const struct recorded *r) { return r->n; }

bool recorded_is_free(const struct recorded *r, uint64_t pfn)
{
    unsigned last = pfn < r->n ? last_of(r, pfn) : ALLOCATED;
    return last == UNTOUCHED ? r->class[pfn] == CLASS_FREE : last == FREED || last == BEFORE_FREED;
}

void recorded_alloc(struct recorded *r, uint64_t pfn, unsigned order)
{
    bool again = false, in_use = false, line = false;
    if (!pfn) {
        r->st.failed++;
        return;
    }
    for (uint64_t p = pfn; p < end_of(r, pfn, order); p++) {
        enum frame_class c = (enum frame_class)r->class[p];
        again |= last_of(r, p) == ALLOCATED || last_of(r, p) == BEFORE_ALLOCATED;
        in_use |= r->inside && last_of(r, p) == UNTOUCHED && c != CLASS_FREE && c != CLASS_OTHER && c != CLASS_NONE;
        line |= r->state[p] & LINE_ALLOCATED;
        r->state[p] = (uint8_t)((r->inside ? ALLOCATED : BEFORE_ALLOCATED) | LINE_ALLOCATED);
    }
    r->st.allocs++;
    r->st.alloc_again_lines += line;
    r->st.alloc_again += again;
    r->st.alloc_in_use += in_use;
}

void recorded_freed(struct recorded *r, uint64_t pfn, unsigned order)
{
    bool again = false, in_free = false, line = false;
    for (uint64_t p = pfn; p < end_of(r, pfn, order); p++) {
        again |= last_of(r, p) == FREED || last_of(r, p) == BEFORE_FREED;
        in_free |= r->inside && last_of(r, p) == UNTOUCHED && r->class[p] == CLASS_FREE;
        line |= r->state[p] & LINE_FREED;
        r->state[p] = (uint8_t)((r->inside ? FREED : BEFORE_FREED) | LINE_FREED);
    }
    r->st.frees++;
    r->st.free_again_lines += line;
    r->st.free_again += again;
    r->st.free_in_free += in_free;
}

void recorded_returned(struct recorded *r, uint64_t pfn, unsigned order)
{
    bool line = false;
    for (uint64_t p = pfn; p < end_of(r, pfn, order); p++) {
        line |= r->state[p] & LINE_FREED;
        r->state[p] = (uint8_t)(last_of(r, p) | LINE_FREED);
    }
    r->st.returned++;
    r->st.free_again_lines += line;
}

void recorded_end(const struct recorded *r, const struct snapshot *after, struct recorded_stats *st)
{
    *st = r->st;
    uint8_t *end = after && after->has_map ? classes(after, r->n) : NULL;
    for (uint64_t p = 0; p < r->n; p++) {
        if (last_of(r, p) == ALLOCATED) {
            st->last_allocated++;
            st->allocated_held += end && end[p] != CLASS_FREE;
            st->allocated_null += r->class[p] != CLASS_FREE;
        } else if (last_of(r, p) == FREED) {
            st->last_freed++;
            st->freed_held += end && (end[p] == CLASS_FREE || end[p] == CLASS_OTHER);
            st->freed_null += r->class[p] == CLASS_FREE || r->class[p] == CLASS_OTHER;
        }
    }
    image_sparse_free(end, r->n);
}
