#include "traces/analysis/space.h"

#include "engine/types.h"

#include <stdlib.h>
#include <string.h>

enum { MREMAP_FIXED_FLAG = 2, MREMAP_DONTUNMAP_FLAG = 4, MAP_FIXED_FLAG = 0x10 }; /* uapi/linux/mman.h */
/* syscall_64.tbl: calls that make or change mappings and have no record of their own */
enum { NR_SHMAT = 30, NR_PKEY_MPROTECT = 329 };
#define PROT_BITS (TRACE_PROT_READ | TRACE_PROT_WRITE | TRACE_PROT_EXEC)

static uint64_t page_down(uint64_t a)
{
    return a & ~(uint64_t)(PAGE_BYTES - 1);
}

/* [*start, *end) in whole pages; false if it is empty or wraps. */
static bool range(uint64_t at, uint64_t length, uint64_t *start, uint64_t *end)
{
    uint64_t stop;
    if (length == 0 || __builtin_add_overflow(at, length, &stop) ||
        __builtin_add_overflow(stop, (uint64_t)(PAGE_BYTES - 1), &stop))
        return false;
    *start = page_down(at);
    *end = page_down(stop);
    return true;
}

/* First span that ends behind addr, l->n if none. */
static size_t first_after(const struct space_list *l, uint64_t addr)
{
    size_t lo = 0, hi = l->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (l->span[mid].end > addr)
            hi = mid;
        else
            lo = mid + 1;
    }
    return lo;
}

static bool insert(struct space_list *l, size_t at, struct space_span s)
{
    if (l->n == SPACE_SPANS_MAX)
        return false;
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 32;
        void *p = realloc(l->span, cap * sizeof *l->span);
        if (!p)
            return false;
        l->span = p;
        l->cap = cap;
    }
    memmove(&l->span[at + 1], &l->span[at], (l->n - at) * sizeof *l->span);
    l->span[at] = s;
    l->n++;
    return true;
}

static bool cut(struct space_list *l, uint64_t start, uint64_t end)
{
    size_t i = first_after(l, start);
    if (i == l->n)
        return true;
    if (l->span[i].start < start) {
        struct space_span tail = l->span[i];
        l->span[i].end = start;
        i++;
        if (tail.end > end) {
            tail.offset += end - tail.start;
            tail.start = end;
            return insert(l, i, tail);
        }
    }
    size_t stop = i;
    while (stop < l->n && l->span[stop].end <= end)
        stop++;
    memmove(&l->span[i], &l->span[stop], (l->n - stop) * sizeof *l->span);
    l->n -= stop - i;
    if (i < l->n && l->span[i].start < end) {
        l->span[i].offset += end - l->span[i].start;
        l->span[i].start = end;
    }
    return true;
}

static bool put(struct space_list *l, struct space_span s)
{
    return cut(l, s.start, s.end) && insert(l, first_after(l, s.start), s);
}

static struct space_span *find(struct space_list *l, uint64_t addr)
{
    if (l->hit < l->n && addr >= l->span[l->hit].start && addr < l->span[l->hit].end)
        return &l->span[l->hit];
    size_t i = first_after(l, addr);
    if (i == l->n || l->span[i].start > addr)
        return NULL;
    l->hit = i;
    return &l->span[i];
}

static void map(struct space *s, struct space_span span)
{
    if (!put(&s->mapped, span) || !cut(&s->gone, span.start, span.end))
        s->lost = true;
}

/* Splits the span that holds `at` in its inside, so that one begins there. */
static bool split(struct space_list *l, uint64_t at)
{
    size_t i = first_after(l, at);
    if (i == l->n || l->span[i].start >= at)
        return true;
    struct space_span tail = l->span[i];
    tail.offset += at - tail.start;
    tail.start = at;
    l->span[i].end = at;
    return insert(l, i + 1, tail);
}

/* New rights for what is mapped of a range; neighbours that become equal stay apart. */
static void protect(struct space *s, uint64_t start, uint64_t end, uint8_t prot)
{
    struct space_list *l = &s->mapped;
    if (!split(l, start) || !split(l, end)) {
        s->lost = true;
        return;
    }
    for (size_t i = first_after(l, start); i < l->n && l->span[i].start < end; i++)
        l->span[i].prot = prot;
}

static bool overlaps(const struct space_list *l, uint64_t start, uint64_t end)
{
    size_t i = first_after(l, start);
    return i < l->n && l->span[i].start < end;
}

static void unmap(struct space *s, uint64_t start, uint64_t end)
{
    /* Neighbours in `gone` join, so that unmapping piece by piece does not fill it. */
    struct space_span g = {.start = start, .end = end};
    if (!cut(&s->mapped, start, end) || !cut(&s->gone, start, end)) {
        s->lost = true;
        return;
    }
    size_t i = first_after(&s->gone, start);
    if (i > 0 && s->gone.span[i - 1].end == start) {
        s->gone.span[--i].end = end;
        if (i + 1 < s->gone.n && s->gone.span[i + 1].start == end) {
            s->gone.span[i].end = s->gone.span[i + 1].end;
            memmove(&s->gone.span[i + 1], &s->gone.span[i + 2], (s->gone.n - i - 2) * sizeof g);
            s->gone.n--;
        }
        return;
    }
    if (!insert(&s->gone, i, g))
        s->lost = true;
}

static void set_break(struct space *s, uint64_t to)
{
    uint64_t start, end;
    size_t heap = s->mapped.n;
    if (!range(to, 1, &start, &end))
        return;
    end = to == start ? start : end; /* up to `to`, in whole pages */
    for (size_t i = 0; i < s->mapped.n; i++)
        if (s->mapped.span[i].flags & TRACE_F_HEAP) {
            heap = i;
            break;
        }
    if (heap < s->mapped.n) {
        uint64_t from = s->mapped.span[heap].start, was = s->mapped.span[heap].end;
        if (end < was) {
            s->brk_from = from;
            unmap(s, end > from ? end : from, was);
        } else if (end > was) {
            if (!cut(&s->mapped, was, end) || !cut(&s->gone, was, end))
                s->lost = true;
            else
                s->mapped.span[heap].end = end; /* cut only touched what lies behind it */
        }
    } else if (!s->brk_from) {
        s->brk_from = start;
    } else if (end > s->brk_from) {
        map(s, (struct space_span){.start = s->brk_from,
                                   .end = end,
                                   .flags = TRACE_F_ANON | TRACE_F_HEAP,
                                   .prot = PROT_BITS});
    }
}

static bool copy_list(struct space_list *to, const struct space_list *from)
{
    *to = *from;
    to->cap = from->n;
    to->span = from->n ? malloc(from->n * sizeof *from->span) : NULL;
    if (from->n && !to->span) {
        *to = (struct space_list){0};
        return false;
    }
    if (from->n)
        memcpy(to->span, from->span, from->n * sizeof *from->span);
    return true;
}

static void clear(struct space *s)
{
    free(s->mapped.span);
    free(s->gone.span);
    *s = (struct space){0};
}

struct space *spaces_at(struct spaces *s, uint32_t process)
{
    if (process >= SPACE_PROCESSES_MAX)
        return NULL;
    if (process >= s->n) {
        size_t n = (size_t)process + 8;
        void *p = realloc(s->space, n * sizeof *s->space);
        if (!p)
            return NULL;
        s->space = p;
        memset(s->space + s->n, 0, (n - s->n) * sizeof *s->space);
        s->n = n;
    }
    s->space[process].used = true;
    return &s->space[process];
}

enum space_verdict spaces_apply(struct spaces *all, uint32_t process, const struct trace_rec *r)
{
    uint64_t w[8] = {0}, start, end;
    struct space *s;
    if (r->kind != TRACE_SEGMENT && r->kind != TRACE_MMAP && r->kind != TRACE_MUNMAP &&
        r->kind != TRACE_MREMAP && r->kind != TRACE_BRK && r->kind != TRACE_MPROTECT && r->kind != TRACE_SYSCALL && r->kind != TRACE_EXEC && r->kind != TRACE_FORK)
        return SPACE_OK;
    if (!(s = spaces_at(all, process)) || s->lost)
        return SPACE_OK;
    memcpy(w, r + 1, r->slots < 4 ? r->slots * 16u : 64u);
    bool failed = r->flags & TRACE_F_FAILED;
    switch (r->kind) {
    case TRACE_SEGMENT: {
        if (!range(r->addr, w[0], &start, &end))
            return SPACE_EMPTY;
        bool overlap = overlaps(&s->mapped, start, end);
        s->whole = true;
        map(s, (struct space_span){start, end, w[1], (uint32_t)w[2], r->flags, r->size & PROT_BITS});
        return overlap ? SPACE_OVERLAP : SPACE_OK;
    }
    case TRACE_MMAP:
        if (failed)
            return SPACE_OK;
        if (!range(w[5], w[0], &start, &end))
            return SPACE_EMPTY;
        bool placed = !(w[2] & MAP_FIXED_FLAG) && overlaps(&s->mapped, start, end);
        map(s, (struct space_span){start, end, w[4], (uint32_t)w[6], 0, w[1] & PROT_BITS});
        return placed ? SPACE_OVERLAP : SPACE_OK;
    case TRACE_MUNMAP: {
        if (failed || !range(r->addr, w[0], &start, &end))
            return SPACE_OK;
        bool nothing = s->whole && !overlaps(&s->mapped, start, end);
        unmap(s, start, end);
        return nothing ? SPACE_NOTHING : SPACE_OK;
    }
    case TRACE_MPROTECT:
        if (!failed && range(r->addr, w[0], &start, &end))
            protect(s, start, end, w[1] & PROT_BITS);
        return SPACE_OK;
    case TRACE_SYSCALL:
        if (r->addr == NR_SHMAT)
            s->whole = false;
        if (r->addr == NR_PKEY_MPROTECT)
            s->prot_unknown = true;
        return SPACE_OK;
    case TRACE_MREMAP: {
        if (failed)
            return SPACE_OK;
        const struct space_span *old = find(&s->mapped, r->addr);
        struct space_span span = {.prot = PROT_BITS};
        if (old)
            span = (struct space_span){.offset = old->offset + (page_down(r->addr) - old->start),
                                       .file = old->file,
                                       .prot = old->prot};
        if (!(w[2] & MREMAP_DONTUNMAP_FLAG) && range(r->addr, w[0], &start, &end))
            unmap(s, start, end);
        if (!range(w[4], w[1], &span.start, &span.end))
            return SPACE_EMPTY;
        bool upon = !(w[2] & MREMAP_FIXED_FLAG) && overlaps(&s->mapped, span.start, span.end);
        map(s, span);
        return upon ? SPACE_OVERLAP : SPACE_OK;
    }
    case TRACE_BRK:
        if (!failed && w[0])
            set_break(s, w[0]);
        return SPACE_OK;
    case TRACE_EXEC:
        clear(s);
        s->used = true;
        return SPACE_OK;
    default: { /* FORK */
        if (r->addr >= SPACE_PROCESSES_MAX || r->addr == process)
            return SPACE_OK;
        struct space *child = spaces_at(all, (uint32_t)r->addr);
        if (!child)
            return SPACE_OK;
        s = spaces_at(all, process); /* the table may have moved */
        clear(child);
        *child = *s;
        bool mapped = copy_list(&child->mapped, &s->mapped), gone = copy_list(&child->gone, &s->gone);
        child->lost = s->lost || !mapped || !gone;
        return SPACE_OK;
    }
    }
}

const struct space_span *space_find(struct space *s, uint64_t addr)
{
    struct space_span *f = find(&s->mapped, addr);
    if (f)
        return f;
    size_t i = first_after(&s->mapped, addr);
    if (i == s->mapped.n || !(s->mapped.span[i].flags & TRACE_F_STACK) ||
        s->mapped.span[i].end - addr > SPACE_STACK_BYTES)
        return NULL;
    f = &s->mapped.span[i];
    f->start = page_down(addr);
    s->mapped.hit = i;
    return f;
}

bool space_is_gone(struct space *s, uint64_t addr)
{
    return find(&s->gone, addr) != NULL;
}

void spaces_fini(struct spaces *s)
{
    for (size_t i = 0; i < s->n; i++)
        clear(&s->space[i]);
    free(s->space);
    *s = (struct spaces){0};
}
