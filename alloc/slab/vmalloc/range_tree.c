#include "slab/vmalloc/range_tree.h"

#include <stdlib.h>
#include <string.h>

void range_init(struct range_tree *t)
{
    *t = (struct range_tree){.n = 1, .seed = 0x9e3779b97f4a7c15ull};
}

void range_fini(struct range_tree *t)
{
    free(t->node);
    *t = (struct range_tree){.n = 1};
}

static uint32_t node_new(struct range_tree *t)
{
    uint32_t i = t->unused;
    if (i) {
        t->unused = t->node[i].left;
        return i;
    }
    if (t->n >= t->cap) {
        t->cap = t->cap ? t->cap * 2 : 64;
        t->node = realloc(t->node, t->cap * sizeof *t->node);
        if (!t->node)
            abort(); /* host memory gone for a few kilobytes */
        memset(&t->node[0], 0, sizeof t->node[0]);
    }
    return t->n++;
}

static void update(struct range_tree *t, uint32_t i)
{
    struct range_node *x = &t->node[i];
    uint64_t l = x->left ? t->node[x->left].max : 0, r = x->right ? t->node[x->right].max : 0;
    x->max = x->size;
    x->max = x->max > l ? x->max : l;
    x->max = x->max > r ? x->max : r;
}

/* Cuts subtree i into starts < key and the rest. Depth is logarithmic by the random priorities. */
static void split(struct range_tree *t, uint32_t i, uint64_t key, uint32_t *l, uint32_t *r)
{
    if (!i) {
        *l = *r = 0;
    } else if (t->node[i].start < key) {
        uint32_t rest;
        split(t, t->node[i].right, key, &rest, r);
        t->node[i].right = rest;
        *l = i;
        update(t, i);
    } else {
        uint32_t rest;
        split(t, t->node[i].left, key, l, &rest);
        t->node[i].left = rest;
        *r = i;
        update(t, i);
    }
}

static uint32_t join(struct range_tree *t, uint32_t l, uint32_t r)
{
    if (!l || !r)
        return l ? l : r;
    if (t->node[l].prio >= t->node[r].prio) {
        t->node[l].right = join(t, t->node[l].right, r);
        update(t, l);
        return l;
    }
    t->node[r].left = join(t, l, t->node[r].left);
    update(t, r);
    return r;
}

void range_insert(struct range_tree *t, uint64_t start, uint64_t size, uint64_t value)
{
    uint32_t i = node_new(t), l, r;
    t->seed = t->seed * 6364136223846793005ull + 1442695040888963407ull;
    t->node[i] = (struct range_node){.start = start, .size = size, .max = size, .prio = (uint32_t)(t->seed >> 32),
                                     .value = value};
    split(t, t->root, start, &l, &r);
    t->root = join(t, join(t, l, i), r);
    t->count++;
}

void range_remove(struct range_tree *t, uint64_t start)
{
    uint32_t l, m, r;
    split(t, t->root, start, &l, &m);
    split(t, m, start + 1, &m, &r);
    if (m) {
        t->node[m].left = t->unused;
        t->unused = m;
        t->count--;
    }
    t->root = join(t, l, r);
}

bool range_at_or_below(const struct range_tree *t, uint64_t at, struct range_node *out)
{
    uint32_t best = 0;
    for (uint32_t i = t->root; i;) {
        if (t->node[i].start <= at) {
            best = i;
            i = t->node[i].right;
        } else {
            i = t->node[i].left;
        }
    }
    if (best)
        *out = t->node[best];
    return best != 0;
}

bool range_above(const struct range_tree *t, uint64_t at, struct range_node *out)
{
    uint32_t best = 0;
    for (uint32_t i = t->root; i;) {
        if (t->node[i].start > at) {
            best = i;
            i = t->node[i].left;
        } else {
            i = t->node[i].right;
        }
    }
    if (best)
        *out = t->node[best];
    return best != 0;
}

static bool fits(const struct range_node *x, uint64_t size, uint64_t align)
{
    uint64_t pad = (align - x->start % align) % align;
    return x->size >= pad && x->size - pad >= size;
}

/* A range as long as size + align - 1 always fits; shorter ones may, so both children can have to be looked at. */
static uint32_t fit_in(const struct range_tree *t, uint32_t i, uint64_t size, uint64_t align)
{
    if (!i || t->node[i].max < size)
        return 0;
    uint32_t found = fit_in(t, t->node[i].left, size, align);
    if (found)
        return found;
    if (fits(&t->node[i], size, align))
        return i;
    return fit_in(t, t->node[i].right, size, align);
}

bool range_fit(const struct range_tree *t, uint64_t size, uint64_t align, struct range_node *out)
{
    uint32_t i = fit_in(t, t->root, size, align);
    if (i)
        *out = t->node[i];
    return i != 0;
}
