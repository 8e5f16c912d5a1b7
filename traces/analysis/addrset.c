#include "traces/analysis/addrset.h"

#include <stdlib.h>
#include <string.h>

/* Fibonacci hashing: the high bits of the product are the slot. cap is at least 2. */
static size_t home(const struct addrset *s, uint64_t key)
{
    return (size_t)((key * 0x9e3779b97f4a7c15u) >> (64 - __builtin_ctzll(s->cap)));
}

static size_t find(const struct addrset *s, uint64_t key)
{
    size_t i = home(s, key);
    while (s->slot[i] && s->slot[i] != key)
        i = (i + 1) & (s->cap - 1);
    return i;
}

static bool grow(struct addrset *s)
{
    struct addrset big = {.cap = s->cap ? s->cap * 2 : 64, .n = s->n, .has_max = s->has_max};
    if (!(big.slot = calloc(big.cap, sizeof *big.slot)))
        return false;
    for (size_t i = 0; i < s->cap; i++)
        if (s->slot[i])
            big.slot[find(&big, s->slot[i])] = s->slot[i];
    free(s->slot);
    *s = big;
    return true;
}

int addrset_add(struct addrset *s, uint64_t v)
{
    uint64_t key = v + 1;
    if (key == 0) {
        int added = !s->has_max;
        s->has_max = true;
        return added;
    }
    if (s->n * 2 >= s->cap && !grow(s))
        return -1;
    size_t i = find(s, key);
    if (s->slot[i])
        return 0;
    s->slot[i] = key;
    s->n++;
    return 1;
}

bool addrset_has(const struct addrset *s, uint64_t v)
{
    return v == UINT64_MAX ? s->has_max : s->cap && s->slot[find(s, v + 1)];
}

bool addrset_remove(struct addrset *s, uint64_t v)
{
    if (v == UINT64_MAX) {
        bool had = s->has_max;
        s->has_max = false;
        return had;
    }
    if (!s->cap)
        return false;
    size_t hole = find(s, v + 1), mask = s->cap - 1;
    if (!s->slot[hole])
        return false;
    /* Move back what would no longer be found across the hole (Knuth 6.4, algorithm R). */
    for (size_t i = (hole + 1) & mask; s->slot[i]; i = (i + 1) & mask)
        if (((i - home(s, s->slot[i])) & mask) >= ((i - hole) & mask)) {
            s->slot[hole] = s->slot[i];
            hole = i;
        }
    s->slot[hole] = 0;
    s->n--;
    return true;
}

int addrset_copy(struct addrset *to, const struct addrset *from)
{
    *to = *from;
    if (!from->cap)
        return 0;
    if (!(to->slot = malloc(from->cap * sizeof *to->slot))) {
        *to = (struct addrset){0};
        return -1;
    }
    memcpy(to->slot, from->slot, from->cap * sizeof *to->slot);
    return 0;
}

size_t addrset_count(const struct addrset *s)
{
    return s->n + s->has_max;
}

void addrset_fini(struct addrset *s)
{
    free(s->slot);
    *s = (struct addrset){0};
}
