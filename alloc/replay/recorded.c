#include "replay/recorded.h"

#include "replay/before/image.h"

#include <stdlib.h>
#include <string.h>

/* A frame's byte: its last event, and whether that was inside the window. */
enum { UNTOUCHED, BEFORE_ALLOCATED, BEFORE_FREED, ALLOCATED, FREED };

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

void recorded_alloc(struct recorded *r, uint64_t pfn, unsigned order)
{
    bool again = false, in_use = false;
    if (!pfn) {
        r->st.failed++;
        return;
    }
    for (uint64_t p = pfn; p < end_of(r, pfn, order); p++) {
        enum frame_class c = (enum frame_class)r->class[p];
        again |= r->state[p] == ALLOCATED || r->state[p] == BEFORE_ALLOCATED;
        in_use |= r->inside && r->state[p] == UNTOUCHED && c != CLASS_FREE && c != CLASS_OTHER && c != CLASS_NONE;
        r->state[p] = r->inside ? ALLOCATED : BEFORE_ALLOCATED;
    }
    r->st.allocs++;
    r->st.alloc_again += again;
    r->st.alloc_in_use += in_use;
}

void recorded_freed(struct recorded *r, uint64_t pfn, unsigned order)
{
    bool again = false, in_free = false;
    for (uint64_t p = pfn; p < end_of(r, pfn, order); p++) {
        again |= r->state[p] == FREED || r->state[p] == BEFORE_FREED;
        in_free |= r->inside && r->state[p] == UNTOUCHED && r->class[p] == CLASS_FREE;
        r->state[p] = r->inside ? FREED : BEFORE_FREED;
    }
    r->st.frees++;
    r->st.free_again += again;
    r->st.free_in_free += in_free;
}

void recorded_end(const struct recorded *r, const struct snapshot *after, struct recorded_stats *st)
{
    *st = r->st;
    uint8_t *end = after && after->has_map ? classes(after, r->n) : NULL;
    for (uint64_t p = 0; p < r->n; p++) {
        if (r->state[p] == ALLOCATED) {
            st->last_allocated++;
            st->allocated_held += end && end[p] != CLASS_FREE;
            st->allocated_null += r->class[p] != CLASS_FREE;
        } else if (r->state[p] == FREED) {
            st->last_freed++;
            st->freed_held += end && (end[p] == CLASS_FREE || end[p] == CLASS_OTHER);
            st->freed_null += r->class[p] == CLASS_FREE || r->class[p] == CLASS_OTHER;
        }
    }
    image_sparse_free(end, r->n);
}
