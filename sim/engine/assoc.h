/*
 * The one set-associative lookup: TLBs, paging-structure caches, caches and later the IOTLB are this.
 *
 * An assoc holds keys and replacement state only; the owner keeps its payload in arrays of its own, indexed by the entry
 * number that lookups and insertions return (set * ways + way). Keys are any 64-bit value but ASSOC_EMPTY.
 * The set is `key & (sets - 1)`, or `key % sets` if sets is not a power of two, so owners put the index bits lowest.
 *
 * Invalid ways fill first, lowest way first, so that runs are deterministic (x86-hardware.md 5.2).
 * The most recently used way of each set is tested inline; the rest is out of line.
 */
#ifndef ENGINE_ASSOC_H
#define ENGINE_ASSOC_H

#include "engine/err.h"
#include "engine/rng.h"
#include "engine/state.h"
#include "engine/types.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define ASSOC_EMPTY UINT64_MAX
#define ASSOC_MAX_WAYS 65536u
#define ASSOC_NONE UINT32_MAX

/* Replacement policies: one line here, one file-local ops set in assoc.c. Property tests iterate over this list.
 *   lru        least recently used (recency by a per-structure clock)
 *   tree_plru  W-1 bits, ways a power of two
 *   srrip      2-bit re-reference prediction, hit priority: hit 0, insert 2, victim the lowest way with 3
 *   fifo       oldest insertion
 *   random     uniform over the ways, from the component's own seeded stream */
#define REPL_POLICIES(X) X(lru) X(tree_plru) X(srrip) X(fifo) X(random)

enum repl_policy {
#define X(name) REPL_##name,
    REPL_POLICIES(X)
#undef X
        REPL_COUNT
};
extern const char *const repl_policy_names[]; /* NULL-terminated, for P_ENUM */

/*
 * What a lookup beyond the most recently used way reads of a set of up to 16 ways: half a host cache line tells for nearly
 * every key that is not there that it is not, and which way goes next (measured: random accesses to a 32 MiB cache are
 * bound by the host's own misses).
 */
enum { ASSOC_HEAD_WAYS = 16 };
struct assoc_head {
    uint8_t sig[ASSOC_HEAD_WAYS]; /* by way: a hash of its key; of an invalid way: anything */
    uint64_t order;               /* lru, fifo: the ways, 4 bits each, the last stamped one lowest */
    uint16_t valid;               /* bit w: way w */
    uint16_t pad[3];
};

struct assoc {
    uint64_t *key;  /* [sets * ways] */
    uint32_t *mru;  /* [sets] entry number tested first; always a valid index, not always a valid entry */
    struct assoc_head *head; /* [sets]; NULL with more than ASSOC_HEAD_WAYS ways */
    uint32_t *meta; /* [sets * ways] stamps (lru, fifo; NULL if heads keep the order) or RRPV (srrip); node bits (tree_plru) */
    uint64_t set_mask; /* sets - 1, or 0 with `modulo` set */
    uint32_t sets, ways;
    uint32_t clock;
    uint32_t used; /* valid entries */
    uint16_t full;       /* bit w for each way, with heads */
    uint8_t last_shift;  /* where head.order keeps the last way */
    bool lru_heads;      /* lru with heads: replaced inline */
    bool modulo;
    bool touch_on_mru; /* the policy must be told even of a hit on the most recently used way (srrip) */
    uint8_t policy;
    struct rng rng; /* random only */
};

int assoc_init(struct assoc *a, uint32_t sets, uint32_t ways, enum repl_policy policy, uint64_t seed, const char *name,
               struct err *err);
void assoc_fini(struct assoc *a);

static inline uint32_t assoc_set(const struct assoc *a, uint64_t key)
{
    return likely(!a->modulo) ? (uint32_t)(key & a->set_mask) : (uint32_t)(key % a->sets);
}

static inline uint8_t assoc_sig(uint64_t key) { return (uint8_t)((key * 0x9e3779b97f4a7c15u) >> 56); }

/* Ways whose signature is that of `key`: bit w. */
static inline unsigned assoc_candidates(const struct assoc_head *h, uint64_t key)
{
#ifdef __SSE2__
    __m128i k = _mm_set1_epi8((char)assoc_sig(key)), v = _mm_load_si128((const __m128i *)(const void *)h->sig);
    return (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(k, v)) & h->valid;
#else
    unsigned m = 0;
    uint8_t k = assoc_sig(key);
    for (unsigned w = 0; w < ASSOC_HEAD_WAYS; w++)
        m |= (unsigned)(h->sig[w] == k) << w;
    return m & h->valid;
#endif
}

/* The entry of the set that holds `key`, or ASSOC_NONE. No use. */
static inline uint32_t assoc_search(const struct assoc *a, uint32_t set, uint64_t key)
{
    uint32_t base = set * a->ways, end = base + a->ways;
    if (likely(a->head != NULL)) {
        for (unsigned m = assoc_candidates(&a->head[set], key); m; m &= m - 1) {
            uint32_t e = base + (unsigned)__builtin_ctz(m);
            if (likely(a->key[e] == key))
                return e;
        }
        return ASSOC_NONE;
    }
    for (uint32_t e = base; e < end; e++)
        if (a->key[e] == key)
            return e;
    return ASSOC_NONE;
}

/* Moves `way` to the lowest place of an order; the ways that stood below move up. */
static inline uint64_t assoc_order_front(uint64_t order, unsigned way)
{
    const uint64_t ones = 0x1111111111111111u;
    uint64_t x = order ^ (way * ones);
    uint64_t zero = (x - ones) & ~x & (ones << 3); /* its lowest bit: the lowest place that holds `way` */
    unsigned at = (unsigned)__builtin_ctzll(zero) & ~3u;
    uint64_t below = ((uint64_t)1 << at) - 1;
    return (order & (~below << 3 << 1)) | (order & below) << 4 | way;
}

void assoc_touch(struct assoc *a, uint32_t entry); /* a use of a valid entry, as on a hit */
void assoc_touch_slow(struct assoc *a, uint32_t set, uint32_t entry);

/* All ways; promotes. */
static inline uint32_t assoc_find_slow(struct assoc *a, uint32_t set, uint64_t key)
{
    uint32_t e = assoc_search(a, set, key);
    if (e != ASSOC_NONE) {
        if (likely(a->lru_heads)) {
            struct assoc_head *h = &a->head[set];
            h->order = assoc_order_front(h->order, e - set * a->ways);
            a->mru[set] = e;
        } else {
            assoc_touch_slow(a, set, e);
        }
    }
    return e;
}

/* The host's cache should fetch what a lookup, or the replacement, of `key` will read. No effect on results. */
static inline void assoc_prefetch(const struct assoc *a, uint64_t key)
{
    if (likely(a->head != NULL))
        __builtin_prefetch(&a->head[assoc_set(a, key)]);
}

/* Entry of `key`, promoted as a use, or ASSOC_NONE. */
static inline uint32_t assoc_find(struct assoc *a, uint64_t key)
{
    uint32_t set = assoc_set(a, key), e = a->mru[set];
    if (likely(a->key[e] == key)) {
        if (unlikely(a->touch_on_mru))
            assoc_touch(a, e);
        return e;
    }
    return assoc_find_slow(a, set, key);
}

/* The same, for big arrays: the most recently used way is not tried first, that would be one more miss of the host. */
static inline uint32_t assoc_find_big(struct assoc *a, uint64_t key) { return assoc_find_slow(a, assoc_set(a, key), key); }

/* Entry of `key` without touching the replacement state, or ASSOC_NONE. */
static inline uint32_t assoc_probe(const struct assoc *a, uint64_t key)
{
    return assoc_search(a, assoc_set(a, key), key);
}

uint32_t assoc_pick_slow(struct assoc *a, uint64_t key);
void assoc_place_slow(struct assoc *a, uint32_t entry, uint64_t key);

/* The two halves of an insertion, for owners that must look at the victim first: the entry that the policy gives up (an
 * invalid one if there is one; random draws), and putting the key there. */
static inline uint32_t assoc_pick(struct assoc *a, uint64_t key)
{
    uint32_t set = assoc_set(a, key);
    if (unlikely(!a->lru_heads))
        return assoc_pick_slow(a, key);
    unsigned free = (unsigned)a->full & ~(unsigned)a->head[set].valid;
    unsigned way = free ? (unsigned)__builtin_ctz(free) : (unsigned)(a->head[set].order >> a->last_shift & 15);
    return set * a->ways + way;
}

static inline void assoc_place(struct assoc *a, uint32_t entry, uint64_t key)
{
    uint32_t set = assoc_set(a, key);
    if (unlikely(!a->lru_heads)) {
        assoc_place_slow(a, entry, key);
        return;
    }
    struct assoc_head *h = &a->head[set];
    unsigned way = entry - set * a->ways;
    a->used += !(h->valid >> way & 1);
    h->valid |= (uint16_t)(1u << way);
    h->sig[way] = assoc_sig(key);
    h->order = assoc_order_front(h->order, way);
    a->key[entry] = key;
    a->mru[set] = entry;
}

/* The entry that a lookup of `key` would find or its insertion replace, most likely: for hints. */
static inline uint32_t assoc_likely(const struct assoc *a, uint64_t key)
{
    uint32_t set = assoc_set(a, key);
    if (unlikely(!a->lru_heads))
        return a->mru[set];
    unsigned m = assoc_candidates(&a->head[set], key);
    return set * a->ways + (m ? (unsigned)__builtin_ctz(m) : (unsigned)(a->head[set].order >> a->last_shift & 15));
}

/* Inserts a key that is not present; *victim is the key that was replaced or ASSOC_EMPTY. */
static inline uint32_t assoc_insert(struct assoc *a, uint64_t key, uint64_t *victim)
{
    uint32_t e = assoc_pick(a, key);
    *victim = a->key[e];
    assoc_place(a, e, key);
    return e;
}

/* The entry assoc_insert would use next in the set of `key`; draws no random number (random: ASSOC_NONE if full). */
uint32_t assoc_peek_victim(const struct assoc *a, uint64_t key);
void assoc_remove(struct assoc *a, uint32_t entry); /* makes the entry invalid */
void assoc_clear(struct assoc *a);                  /* makes every entry invalid */
/* Keys, replacement state and random numbers; `a` was built with the same geometry and policy. */
void assoc_state(struct assoc *a, struct state_io *io);

#endif
