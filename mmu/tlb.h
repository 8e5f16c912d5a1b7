/*
 * A translation look-aside buffer: a base array for 4 KiB pages and, each optional, arrays for 2 MiB and 1 GiB pages;
 * either may instead share the base array (Skylake's second level keeps 4 KiB and 2 MiB pages in 1536 entries; Zen's
 * first level keeps all sizes). A page whose size has no array is kept as a fragment of the next smaller size that has.
 *
 * A translation whose rights or D bit do not suffice counts as a miss: the walker runs again, and sets D or faults
 * (x86-hardware.md 2.7). Global pages match every address space. Owned by one core, not thread-safe.
 * Model: docs/model/tlb.md.
 */
#ifndef MMU_TLB_H
#define MMU_TLB_H

#include "engine/assoc.h"
#include "engine/stats.h"
#include "mmu/paging.h"

struct tlb_config {
    uint32_t entries, ways; /* of the base array */
    int replacement;        /* enum repl_policy, of all arrays */
    uint32_t latency;       /* second level: core cycles from the first level's miss to its answer */
    struct tlb_large_config {
        uint32_t entries, ways; /* 0 entries: no array of its own */
        bool shared;            /* pages of this size are kept in the base array; entries is then ignored */
    } huge_2m, huge_1g;
};

#define TLB_STATS(X) \
    X(accesses, "lookups", "translations asked for") \
    X(hits, "lookups", "... that found an entry with sufficient rights") \
    X(misses, "lookups", "... that did not") \
    X(hits_4k, "lookups", "hits by an entry of a 4 KiB page") \
    X(hits_2m, "lookups", "hits by an entry of a 2 MiB page") \
    X(hits_1g, "lookups", "hits by an entry of a 1 GiB page") \
    X(misses_4k, "lookups", "misses resolved to a 4 KiB page (those of a process that ended are in no size)") \
    X(misses_2m, "lookups", "misses resolved to a 2 MiB page") \
    X(misses_1g, "lookups", "misses resolved to a 1 GiB page") \
    X(insufficient, "lookups", "misses that found an entry lacking rights or, for a write, the dirty bit") \
    X(fills, "entries", "translations inserted") \
    X(fills_4k, "entries", "translations of 4 KiB pages inserted") \
    X(fills_2m, "entries", "translations of 2 MiB pages inserted") \
    X(fills_1g, "entries", "translations of 1 GiB pages inserted") \
    X(fragments, "entries", "translations kept as a smaller size than their page, no array being there") \
    X(evictions, "entries", "entries replaced by a fill") \
    X(invalidations, "entries", "entries dropped by INVLPG, a fault or a flush") \
    X(flushes, "flushes", "flushes of an address space or of all")
struct tlb_stats { TLB_STATS(STAT_FIELD) };
extern const struct stat_desc tlb_stat_descs[];
extern const size_t tlb_n_stat_descs;

/*
 * Key of an entry; index bits lowest, so that a power-of-two number of sets indexes by the low page-number bits.
 *
 *   63..48   47..46   45   44..0
 *   asid     size      0   page number (va >> shift of the size, 57-bit addresses)
 */
#define TLB_ASID_GLOBAL 0xffffu /* the tag of global pages; address spaces are numbered below it */
#define TLB_ASID_SHIFT 48
#define TLB_SIZE_SHIFT 46
#define TLB_VPN_MASK ((UINT64_C(1) << 45) - 1)

struct tlb_array {
    struct assoc tags;
    struct xlat *xlat; /* by entry number of tags */
};
struct tlb {
    struct tlb_array array[PAGE_SIZE_COUNT]; /* unused ones have no storage */
    int8_t home[PAGE_SIZE_COUNT];            /* array that keeps this page size; -1 none */
    uint32_t globals;                        /* global entries present */
    uint32_t count[PAGE_SIZE_COUNT];         /* entries present by size */
    uint32_t fragments;                      /* entries present that are part of a larger page */
    uint32_t latency;
    struct tlb_stats st;
};

/* `name` ("cpu0.dtlb") is used in messages and seeds the random policy. -1 and *err on an impossible geometry. */
int tlb_init(struct tlb *t, const struct tlb_config *c, uint64_t seed, const char *name, struct err *err);
void tlb_fini(struct tlb *t);

static inline uint64_t tlb_key(uint32_t asid, enum page_size size, va_t va)
{
    return (uint64_t)asid << TLB_ASID_SHIFT | (uint64_t)size << TLB_SIZE_SHIFT |
           ((va.v << 7) >> (7 + page_size_shift(size)));
}

struct xlat tlb_lookup_slow(struct tlb *t, uint32_t asid, va_t va, const struct access_check *c);

/* A miss of this TLB has found its translation: counts it by the page's size. */
static inline void tlb_count_resolved(struct tlb *t, struct xlat x)
{
    t->st.misses_4k += xlat_origin(x) == PAGE_SIZE_4K;
    t->st.misses_2m += xlat_origin(x) == PAGE_SIZE_2M;
    t->st.misses_1g += xlat_origin(x) == PAGE_SIZE_1G;
}

/* A hit by an entry of a larger page. */
static inline void tlb_count_fragment(struct tlb *t, struct xlat x)
{
    if (xlat_origin(x) == PAGE_SIZE_2M)
        t->st.hits_2m++;
    else
        t->st.hits_1g++;
}

/* The translation of `va` that suffices for `c`, or XLAT_NONE; counted, and a use for the replacement policy. */
static inline struct xlat tlb_lookup(struct tlb *t, uint32_t asid, va_t va, const struct access_check *c)
{
    struct assoc *a = &t->array[PAGE_SIZE_4K].tags;
    uint64_t key = tlb_key(asid, PAGE_SIZE_4K, va);
    uint32_t e = a->mru[assoc_set(a, key)];
    t->st.accesses++;
    if (likely(a->key[e] == key)) {
        struct xlat x = t->array[PAGE_SIZE_4K].xlat[e];
        if (likely(access_ok(x, c))) {
            if (unlikely(a->touch_on_mru))
                assoc_touch(a, e);
            t->st.hits++;
            if (likely(xlat_origin(x) == PAGE_SIZE_4K))
                t->st.hits_4k++;
            else
                tlb_count_fragment(t, x);
            return x;
        }
    }
    return tlb_lookup_slow(t, asid, va, c);
}

/* As tlb_lookup but neither counted nor a use. */
struct xlat tlb_peek(const struct tlb *t, uint32_t asid, va_t va, const struct access_check *c);

/* Keeps x for the page of `va`; a translation of the same page that is there already is replaced in place. */
void tlb_insert(struct tlb *t, uint32_t asid, va_t va, struct xlat x);

/* INVLPG, #PF: every entry (global ones too) that translates `va` in `asid`, with all fragments of its page. */
void tlb_invalidate_page(struct tlb *t, uint32_t asid, va_t va);
/* Every entry of `asid`, global ones too, that translates any byte of [start, start + bytes). */
void tlb_invalidate_range(struct tlb *t, uint32_t asid, va_t start, uint64_t bytes);
void tlb_flush_asid(struct tlb *t, uint32_t asid); /* global entries stay */
void tlb_flush_all(struct tlb *t, bool globals);   /* globals: with the global entries */

/* All arrays and statistics; `t` was built from the same configuration. */
void tlb_state(struct tlb *t, struct state_io *io);

/*
 * For --check: every entry of `asid` (and global ones) agrees with the tables: same frame, no right they do not grant,
 * D only if D is set there. -1 and *err says which does not.
 */
int tlb_check(const struct tlb *t, uint32_t asid, const struct paging_root *root, const struct pt_memory *mem,
              struct err *err);

#endif
