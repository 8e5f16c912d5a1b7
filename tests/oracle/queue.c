/* The heap of events and the lists. */
#include "oracle_priv.h"

#include <stdlib.h>

static int before(const struct event *a, const struct event *b)
{
    if (a->tick != b->tick)
        return a->tick < b->tick;
    if (a->cls != b->cls)
        return a->cls < b->cls;
    if (a->major != b->major)
        return a->major < b->major;
    if (a->minor != b->minor)
        return a->minor < b->minor;
    return a->seq < b->seq;
}

void o_heap_push(struct heap *h, const struct event *e)
{
    if (h->n == h->cap) {
        h->cap = h->cap ? 2 * h->cap : 256;
        h->e = realloc(h->e, h->cap * sizeof *h->e);
        if (!h->e)
            abort();
    }
    size_t i = h->n++;
    while (i > 0 && before(e, &h->e[(i - 1) / 2])) {
        h->e[i] = h->e[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    h->e[i] = *e;
}

struct event o_heap_pop(struct heap *h)
{
    struct event top = h->e[0], last = h->e[--h->n];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= h->n)
            break;
        if (child + 1 < h->n && before(&h->e[child + 1], &h->e[child]))
            child++;
        if (!before(&h->e[child], &last))
            break;
        h->e[i] = h->e[child];
        i = child;
    }
    h->e[i] = last;
    return top;
}

void o_list_push(struct list *l, void *p)
{
    if (l->n == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 4;
        l->v = realloc(l->v, l->cap * sizeof *l->v);
        if (!l->v)
            abort();
    }
    l->v[l->n++] = p;
}

void *o_list_take(struct list *l, size_t i)
{
    void *p = l->v[i];
    for (size_t j = i + 1; j < l->n; j++)
        l->v[j - 1] = l->v[j];
    l->n--;
    return p;
}

void o_list_fini(struct list *l)
{
    free(l->v);
    *l = (struct list){0};
}
