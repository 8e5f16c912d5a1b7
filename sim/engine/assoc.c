#include "engine/assoc.h"

#include "engine/table_mem.h"

#include <stdlib.h>
#include <string.h>

const char *const repl_policy_names[] = {
#define X(name) #name,
    REPL_POLICIES(X)
#undef X
        NULL};

enum { SRRIP_DISTANT = 3, SRRIP_INSERT = 2 }; /* 2-bit RRPV (Jaleel et al., ISCA 2010) */

static bool has_order(const struct assoc *a)
{
    return a->head && (a->policy == REPL_lru || a->policy == REPL_fifo);
}

int assoc_init(struct assoc *a, uint32_t sets, uint32_t ways, enum repl_policy policy, uint64_t seed, const char *name,
               struct err *err)
{
    *a = (struct assoc){.sets = sets, .ways = ways, .policy = (uint8_t)policy};
    if (sets == 0 || ways == 0 || (uint64_t)sets * ways >= ASSOC_NONE)
        return err_set(err, ERR_USAGE, "%s: %u sets of %u ways is not a possible size", name, sets, ways);
    if (policy == REPL_tree_plru && (ways & (ways - 1)) != 0)
        return err_set(err, ERR_USAGE, "%s: tree_plru needs a power of two of ways, not %u", name, ways);
    a->modulo = (sets & (sets - 1)) != 0;
    a->set_mask = a->modulo ? 0 : sets - 1;
    a->touch_on_mru = policy == REPL_srrip;
    size_t n = (size_t)sets * ways;
    bool heads = ways <= ASSOC_HEAD_WAYS;
    a->full = (uint16_t)(heads ? (1u << ways) - 1 : 0);
    a->last_shift = heads ? (uint8_t)(4 * (ways - 1)) : 0;
    a->lru_heads = heads && policy == REPL_lru;
    a->key = host_table_alloc(n * sizeof *a->key);
    a->mru = malloc(sets * sizeof *a->mru);
    if (heads)
        a->head = host_table_alloc(sets * sizeof *a->head);
    if (!has_order(a))
        a->meta = calloc(n, sizeof *a->meta);
    if (!a->key || !a->mru || (heads && !a->head) || (!has_order(a) && !a->meta)) {
        assoc_fini(a);
        return err_set(err, ERR_RUN, "%s: out of host memory for %zu entries", name, n);
    }
    rng_init(&a->rng, seed, name);
    assoc_clear(a);
    return 0;
}

void assoc_fini(struct assoc *a)
{
    free(a->key);
    free(a->mru);
    free(a->head);
    free(a->meta);
    a->key = NULL;
    a->mru = a->meta = NULL;
    a->head = NULL;
}

void assoc_clear(struct assoc *a)
{
    size_t n = (size_t)a->sets * a->ways;
    memset(a->key, 0xff, n * sizeof *a->key);
    if (a->meta)
        memset(a->meta, 0, n * sizeof *a->meta);
    for (uint32_t s = 0; s < a->sets; s++) {
        a->mru[s] = s * a->ways;
        if (a->head)
            a->head[s] = (struct assoc_head){.order = 0xfedcba9876543210u};
    }
    a->used = 0;
    a->clock = 0;
}

static inline uint32_t order_last(const struct assoc *a, uint32_t set)
{
    return (uint32_t)(a->head[set].order >> (4 * (a->ways - 1)) & 15);
}

/* The stamps are 32 bits: before the clock wraps, each set's stamps are replaced by their ranks. */
static void renumber(struct assoc *a)
{
    for (uint32_t s = 0; s < a->sets; s++) {
        uint32_t *m = a->meta + (size_t)s * a->ways;
        for (uint32_t done = 0, floor = 0; done < a->ways; done++) {
            uint32_t best = ASSOC_NONE, at = 0;
            for (uint32_t w = 0; w < a->ways; w++)
                if (m[w] >= floor && m[w] < best) {
                    best = m[w];
                    at = w;
                }
            if (best == ASSOC_NONE)
                break;
            floor = best + 1;
            m[at] = done + 1;
            if (floor <= done + 1)
                floor = done + 2;
        }
    }
    a->clock = a->ways + 1;
}

static void stamp(struct assoc *a, uint32_t set, uint32_t entry)
{
    if (likely(a->head != NULL)) {
        struct assoc_head *h = &a->head[set];
        h->order = assoc_order_front(h->order, entry - set * a->ways);
        return;
    }
    if (unlikely(a->clock >= UINT32_MAX - 1))
        renumber(a);
    a->meta[entry] = ++a->clock;
}

/* Tree bits of a set: node 1 is the root, node i has children 2i and 2i+1; a bit of 1 sends the victim search right. */
static void plru_touch(struct assoc *a, uint32_t set, uint32_t way)
{
    uint32_t *bit = a->meta + (size_t)set * a->ways;
    for (uint32_t node = way + a->ways; node > 1; node >>= 1)
        bit[node >> 1] = (node & 1) ? 0 : 1; /* point away from where we came */
}

static uint32_t plru_victim(const struct assoc *a, uint32_t set)
{
    const uint32_t *bit = a->meta + (size_t)set * a->ways;
    uint32_t node = 1;
    while (node < a->ways)
        node = 2 * node + bit[node];
    return node - a->ways;
}

void assoc_touch_slow(struct assoc *a, uint32_t set, uint32_t entry)
{
    a->mru[set] = entry;
    switch ((enum repl_policy)a->policy) {
    case REPL_lru:
        stamp(a, set, entry);
        break;
    case REPL_tree_plru:
        plru_touch(a, set, entry - set * a->ways);
        break;
    case REPL_srrip:
        a->meta[entry] = 0;
        break;
    default:
        break;
    }
}

void assoc_touch(struct assoc *a, uint32_t entry) { assoc_touch_slow(a, entry / a->ways, entry); }

static uint32_t lowest_stamp(const struct assoc *a, uint32_t base)
{
    uint32_t at = base;
    for (uint32_t e = base + 1; e < base + a->ways; e++)
        if (a->meta[e] < a->meta[at])
            at = e;
    return at;
}

static uint32_t highest_rrpv(const struct assoc *a, uint32_t base)
{
    uint32_t at = base;
    for (uint32_t e = base + 1; e < base + a->ways; e++)
        if (a->meta[e] > a->meta[at])
            at = e;
    return at;
}

static uint32_t free_way(const struct assoc *a, uint32_t set)
{
    uint32_t base = set * a->ways;
    if (likely(a->head != NULL)) {
        unsigned free = (unsigned)a->full & ~(unsigned)a->head[set].valid;
        return unlikely(free != 0) ? base + (unsigned)__builtin_ctz(free) : ASSOC_NONE;
    }
    for (uint32_t e = base; e < base + a->ways; e++)
        if (a->key[e] == ASSOC_EMPTY)
            return e;
    return ASSOC_NONE;
}

uint32_t assoc_peek_victim(const struct assoc *a, uint64_t key)
{
    uint32_t set = assoc_set(a, key), base = set * a->ways, e = free_way(a, set);
    if (e != ASSOC_NONE)
        return e;
    switch ((enum repl_policy)a->policy) {
    case REPL_lru:
    case REPL_fifo:
        return likely(a->head != NULL) ? base + order_last(a, set) : lowest_stamp(a, base);
    case REPL_tree_plru:
        return base + plru_victim(a, set);
    case REPL_srrip:
        return highest_rrpv(a, base);
    default:
        return ASSOC_NONE;
    }
}

uint32_t assoc_pick_slow(struct assoc *a, uint64_t key)
{
    uint32_t set = assoc_set(a, key), base = set * a->ways;
    if (a->policy != REPL_random)
        return assoc_peek_victim(a, key);
    uint32_t e = a->used < a->sets * a->ways ? free_way(a, set) : ASSOC_NONE;
    return e != ASSOC_NONE ? e : base + (uint32_t)rng_below(&a->rng, a->ways);
}

void assoc_place_slow(struct assoc *a, uint32_t e, uint64_t key)
{
    uint32_t set = assoc_set(a, key), base = set * a->ways;
    bool replaces = a->key[e] != ASSOC_EMPTY;
    a->used += !replaces;
    a->key[e] = key;
    if (likely(a->head != NULL)) {
        a->head[set].sig[e - base] = assoc_sig(key);
        a->head[set].valid |= (uint16_t)(1u << (e - base));
    }
    switch ((enum repl_policy)a->policy) {
    case REPL_lru:
    case REPL_fifo:
        stamp(a, set, e);
        break;
    case REPL_tree_plru:
        plru_touch(a, set, e - base);
        break;
    case REPL_srrip:
        /* Raise all until one is distant: the same as adding what the highest lacks. */
        if (replaces) {
            uint32_t add = SRRIP_DISTANT - a->meta[e];
            for (uint32_t w = base; add && w < base + a->ways; w++)
                a->meta[w] += add;
        }
        a->meta[e] = SRRIP_INSERT;
        break;
    default:
        break;
    }
    a->mru[set] = e;
}

void assoc_remove(struct assoc *a, uint32_t entry)
{
    if (a->key[entry] != ASSOC_EMPTY) {
        a->key[entry] = ASSOC_EMPTY;
        if (a->head)
            a->head[entry / a->ways].valid &= (uint16_t)~(1u << entry % a->ways);
        a->used--;
    }
}
