#include "traces/analysis/pairs.h"

#include <stdlib.h>

static struct pair_slot *find(const struct pairs *p, uint64_t key)
{
    uint32_t i = (uint32_t)((key * 0x9e3779b97f4a7c15u) >> 40);

    for (;; i++) {
        struct pair_slot *s = &p->slot[i & (p->cap - 1)];
        if (!s->key || s->key == key)
            return s;
    }
}

static bool grow(struct pairs *p)
{
    struct pairs bigger = {.cap = p->cap ? p->cap * 2 : 64};

    bigger.slot = calloc(bigger.cap, sizeof *bigger.slot);
    if (!bigger.slot)
        return false;
    for (uint32_t i = 0; i < p->cap; i++)
        if (p->slot[i].key)
            *find(&bigger, p->slot[i].key) = p->slot[i];
    free(p->slot);
    p->slot = bigger.slot;
    p->cap = bigger.cap;
    return true;
}

bool *pairs_add(struct pairs *p, uint32_t process, uint32_t thread)
{
    /* A pair has the top bit set, a process alone has not: two kinds of keys in one table, neither ever 0. */
    uint64_t pair = 1ull << 63 | (uint64_t)process << 32 | thread, alone = (uint64_t)process + 1;
    struct pair_slot *s;

    if (process > INT32_MAX)
        return NULL;
    if (p->used + 2 > p->cap / 2 && !grow(p))
        return NULL;
    s = find(p, pair);
    if (s->key)
        return &s->mark;
    if (p->threads == PAIRS_MAX)
        return NULL;
    *s = (struct pair_slot){pair, false};
    p->threads++;
    p->used++;
    s = find(p, alone);
    if (!s->key) {
        s->key = alone;
        p->processes++;
        p->used++;
    }
    return &find(p, pair)->mark;
}

void pairs_fini(struct pairs *p)
{
    free(p->slot);
    *p = (struct pairs){0};
}
