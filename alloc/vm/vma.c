#include "vm/vma.h"

#include <stdlib.h>
#include <string.h>

void vma_set_fini(struct vma_set *s)
{
    free(s->v);
    *s = (struct vma_set){0};
}

/* Index of the first mapping that ends above addr; n if none. */
static uint32_t first_above(const struct vma_set *s, uint64_t addr)
{
    uint32_t lo = 0, hi = s->n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (s->v[mid].end > addr)
            hi = mid;
        else
            lo = mid + 1;
    }
    return lo;
}

const struct vma *vma_find(const struct vma_set *s, uint64_t addr)
{
    uint32_t i = first_above(s, addr);
    return i < s->n ? &s->v[i] : NULL;
}

bool vma_covers(const struct vma_set *s, uint64_t start, uint64_t end)
{
    uint32_t i = first_above(s, start);
    if (i == s->n || s->v[i].start > start)
        return false;
    unsigned prot = s->v[i].prot, flags = s->v[i].flags;
    uint64_t at = start;
    for (; i < s->n && s->v[i].start <= at; i++) {
        if (s->v[i].prot != prot || s->v[i].flags != flags)
            return false;
        at = s->v[i].end;
        if (at >= end)
            return true;
    }
    return false;
}

/* Makes room for one more at index i. */
static bool open_slot(struct vma_set *s, uint32_t i, uint32_t max)
{
    if (s->n >= max)
        return false;
    if (s->n == s->cap) {
        uint32_t cap = s->cap ? s->cap * 2 : 16;
        struct vma *v = realloc(s->v, cap * sizeof *v);
        if (!v)
            return false;
        s->v = v;
        s->cap = cap;
    }
    memmove(s->v + i + 1, s->v + i, (s->n - i) * sizeof *s->v);
    s->n++;
    return true;
}

static void close_slots(struct vma_set *s, uint32_t i, uint32_t count)
{
    memmove(s->v + i, s->v + i + count, (s->n - i - count) * sizeof *s->v);
    s->n -= count;
}

/* Cuts the mapping that spans addr in two, so that addr is a border. */
static bool cut(struct vma_set *s, uint64_t addr, uint32_t max)
{
    uint32_t i = first_above(s, addr);
    if (i == s->n || s->v[i].start >= addr)
        return true;
    if (!open_slot(s, i, max))
        return false;
    s->v[i] = s->v[i + 1];
    s->v[i].end = addr;
    s->v[i + 1].start = addr;
    return true;
}

static bool mergeable(const struct vma *a, const struct vma *b)
{
    return a->end == b->start && a->prot == b->prot && a->flags == b->flags;
}

/* Joins i with its right neighbour if they can be one. */
static bool join(struct vma_set *s, uint32_t i)
{
    if (i + 1 >= s->n || !mergeable(&s->v[i], &s->v[i + 1]))
        return false;
    s->v[i].end = s->v[i + 1].end;
    close_slots(s, i + 1, 1);
    return true;
}

bool vma_unmap(struct vma_set *s, uint64_t start, uint64_t end, uint32_t max)
{
    if (start >= end)
        return true;
    uint32_t i = first_above(s, start);
    if (i == s->n || s->v[i].start >= end)
        return true;
    if (s->v[i].start < start && s->v[i].end > end) {
        if (!open_slot(s, i, max))
            return false;
        s->v[i] = s->v[i + 1];
        s->v[i].end = start;
        s->v[i + 1].start = end;
        return true;
    }
    if (s->v[i].start < start)
        s->v[i++].end = start;
    uint32_t last = i;
    while (last < s->n && s->v[last].end <= end)
        last++;
    if (last < s->n && s->v[last].start < end)
        s->v[last].start = end;
    if (last > i)
        close_slots(s, i, last - i);
    return true;
}

bool vma_map(struct vma_set *s, uint64_t start, uint64_t end, unsigned prot, unsigned flags, uint32_t max)
{
    if (start >= end)
        return true;
    if (!vma_unmap(s, start, end, max))
        return false;
    struct vma add = {start, end, (uint16_t)prot, (uint16_t)flags};
    uint32_t i = first_above(s, start);
    if (i > 0 && mergeable(&s->v[i - 1], &add)) {
        s->v[i - 1].end = end;
        join(s, i - 1);
        return true;
    }
    if (i < s->n && mergeable(&add, &s->v[i])) {
        s->v[i].start = start;
        return true;
    }
    if (!open_slot(s, i, max))
        return false;
    s->v[i] = add;
    return true;
}

bool vma_protect(struct vma_set *s, uint64_t start, uint64_t end, unsigned prot, uint32_t max)
{
    if (start >= end)
        return true;
    if (!cut(s, start, max) || !cut(s, end, max))
        return false;
    uint32_t first = first_above(s, start), i = first;
    for (; i < s->n && s->v[i].start < end; i++)
        s->v[i].prot = (uint16_t)prot;
    for (uint32_t j = first > 0 ? first - 1 : 0; j < s->n && s->v[j].start <= end;)
        if (!join(s, j))
            j++;
    return true;
}

bool vma_copy(struct vma_set *to, const struct vma_set *from)
{
    *to = (struct vma_set){0};
    if (from->n == 0)
        return true;
    to->v = malloc(from->n * sizeof *to->v);
    if (!to->v)
        return false;
    memcpy(to->v, from->v, from->n * sizeof *to->v);
    to->n = to->cap = from->n;
    return true;
}
