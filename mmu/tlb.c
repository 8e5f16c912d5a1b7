#include "mmu/tlb.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct stat_desc tlb_stat_descs[] = {
#define X(name, unit, help) STAT_ENTRY(struct tlb_stats, name, unit, help)
    TLB_STATS(X)
#undef X
};
const size_t tlb_n_stat_descs = ARRAY_LEN(tlb_stat_descs);

/* Up to so many pages a range is invalidated page by page, beyond by a scan; both have the same effect. */
enum { RANGE_SCAN_PAGES = 64 };
#define VA57_MASK ((UINT64_C(1) << 57) - 1)

static int array_init(struct tlb_array *a, uint32_t entries, uint32_t ways, int policy, uint64_t seed, const char *name,
                      struct err *err)
{
    if (ways == 0 || entries % ways != 0) {
        err_set(err, ERR_USAGE, "%s: %u entries cannot be arranged in sets of %u ways", name, entries, ways);
        return err_remedy(err, "make entries a multiple of ways");
    }
    if (assoc_init(&a->tags, entries / ways, ways, (enum repl_policy)policy, seed, name, err) < 0)
        return -1;
    a->xlat = calloc(entries, sizeof *a->xlat);
    return a->xlat ? 0 : err_set(err, ERR_RUN, "%s: out of host memory", name);
}

int tlb_init(struct tlb *t, const struct tlb_config *c, uint64_t seed, const char *name, struct err *err)
{
    const struct tlb_large_config *const large[] = {NULL, &c->huge_2m, &c->huge_1g};
    static const char *const suffix[] = {"", ".huge_2m", ".huge_1g"};
    memset(t, 0, sizeof *t);
    t->latency = c->latency;
    if (c->entries == 0)
        return err_set(err, ERR_USAGE, "%s: a TLB needs at least one entry", name);
    if (array_init(&t->array[0], c->entries, c->ways, c->replacement, seed, name, err) < 0)
        goto fail;
    for (unsigned s = PAGE_SIZE_2M; s < PAGE_SIZE_COUNT; s++) {
        char full[96];
        t->home[s] = large[s]->shared ? 0 : -1;
        if (large[s]->shared || large[s]->entries == 0)
            continue;
        snprintf(full, sizeof full, "%s%s", name, suffix[s]);
        if (array_init(&t->array[s], large[s]->entries, large[s]->ways, c->replacement, seed, full, err) < 0)
            goto fail;
        t->home[s] = (int8_t)s;
    }
    return 0;
fail:
    tlb_fini(t);
    return -1;
}

void tlb_fini(struct tlb *t)
{
    for (unsigned s = 0; s < PAGE_SIZE_COUNT; s++) {
        if (t->array[s].tags.key)
            assoc_fini(&t->array[s].tags);
        free(t->array[s].xlat);
        t->array[s] = (struct tlb_array){0};
    }
}

static void account(struct tlb *t, struct xlat x, uint32_t delta)
{
    t->count[xlat_size(x)] += delta;
    if (xlat_global(x))
        t->globals += delta;
    if (xlat_size(x) != xlat_origin(x))
        t->fragments += delta;
}

static void drop(struct tlb *t, struct tlb_array *a, uint32_t e)
{
    account(t, a->xlat[e], (uint32_t)-1);
    assoc_remove(&a->tags, e);
    t->st.invalidations++;
}

/* Looks in one array; true: *x suffices, counted. */
static inline bool look(struct tlb *t, struct tlb_array *a, uint64_t key, const struct access_check *c, struct xlat *x, bool *found)
{
    uint32_t e = assoc_find(&a->tags, key);
    if (e == ASSOC_NONE)
        return false;
    *found = true;
    *x = a->xlat[e];
    if (unlikely(!access_ok(*x, c)))
        return false;
    t->st.hits++;
    if (likely(xlat_origin(*x) == PAGE_SIZE_4K))
        t->st.hits_4k++;
    else
        tlb_count_fragment(t, *x);
    return true;
}

struct xlat tlb_lookup_slow(struct tlb *t, uint32_t asid, va_t va, const struct access_check *c)
{
    bool found = false;
    struct xlat x;
    if (likely(t->count[PAGE_SIZE_4K] != 0) &&
        look(t, &t->array[PAGE_SIZE_4K], tlb_key(asid, PAGE_SIZE_4K, va), c, &x, &found))
        return x;
    bool global = t->globals != 0;
    if (global && t->count[PAGE_SIZE_4K] != 0 &&
        look(t, &t->array[PAGE_SIZE_4K], tlb_key(TLB_ASID_GLOBAL, PAGE_SIZE_4K, va), c, &x, &found))
        return x;
    for (unsigned s = PAGE_SIZE_4K + 1; s < PAGE_SIZE_COUNT; s++)
        if (t->count[s] != 0 && (look(t, &t->array[t->home[s]], tlb_key(asid, (enum page_size)s, va), c, &x, &found) ||
                                 (global && look(t, &t->array[t->home[s]], tlb_key(TLB_ASID_GLOBAL, (enum page_size)s, va),
                                                 c, &x, &found))))
            return x;
    t->st.misses++;
    t->st.insufficient += found;
    return XLAT_NONE;
}

struct xlat tlb_peek(const struct tlb *t, uint32_t asid, va_t va, const struct access_check *c)
{
    for (unsigned s = 0; s < PAGE_SIZE_COUNT; s++) {
        if (t->count[s] == 0)
            continue;
        const struct tlb_array *a = &t->array[t->home[s]];
        for (unsigned global = 0; global <= (t->globals != 0); global++) {
            uint32_t e = assoc_probe(&a->tags, tlb_key(global ? TLB_ASID_GLOBAL : asid, (enum page_size)s, va));
            if (e != ASSOC_NONE && access_ok(a->xlat[e], c))
                return a->xlat[e];
        }
    }
    return XLAT_NONE;
}

/* The part of x that covers `va` at page size `s`. */
static struct xlat fragment_of(struct xlat x, va_t va, enum page_size s)
{
    uint64_t within = va.v & (page_size_bytes(xlat_size(x)) - 1) & ~(page_size_bytes(s) - 1);
    x.v = (x.v & ~(UINT64_C(3) << XLAT_SIZE_SHIFT)) | (uint64_t)s << XLAT_SIZE_SHIFT;
    x.v += within; /* the base is aligned to the larger size: no carry */
    return x;
}

void tlb_insert(struct tlb *t, uint32_t asid, va_t va, struct xlat x)
{
    enum page_size s = xlat_size(x);
    while (t->home[s] < 0)
        s--;
    if (s != xlat_size(x)) {
        x = fragment_of(x, va, s);
        t->st.fragments++;
    }
    struct tlb_array *a = &t->array[t->home[s]];
    uint64_t key = tlb_key(xlat_global(x) ? TLB_ASID_GLOBAL : asid, s, va), victim = ASSOC_EMPTY;
    uint32_t e = assoc_probe(&a->tags, key);
    if (e == ASSOC_NONE) {
        e = assoc_insert(&a->tags, key, &victim);
        if (victim != ASSOC_EMPTY) {
            account(t, a->xlat[e], (uint32_t)-1);
            t->st.evictions++;
        }
    } else {
        account(t, a->xlat[e], (uint32_t)-1);
        assoc_touch(&a->tags, e);
    }
    a->xlat[e] = x;
    account(t, x, 1);
    uint64_t *const by_size[] = {&t->st.fills_4k, &t->st.fills_2m, &t->st.fills_1g};
    t->st.fills++;
    (*by_size[xlat_origin(x)])++;
}

static uint64_t key_va57(uint64_t key)
{
    return (key & TLB_VPN_MASK) << page_size_shift((enum page_size)(key >> TLB_SIZE_SHIFT & 3));
}

/* Drops what belongs to `asid` or is global and whose page in the tables meets [start, start + bytes). */
static void drop_scan(struct tlb *t, uint32_t asid, uint64_t start, uint64_t bytes, bool only_fragments)
{
    for (unsigned i = 0; i < PAGE_SIZE_COUNT; i++) {
        struct tlb_array *a = &t->array[i];
        for (uint32_t e = 0, n = a->tags.sets * a->tags.ways; e < n; e++) {
            uint64_t key = a->tags.key[e], tag = key >> TLB_ASID_SHIFT;
            if (key == ASSOC_EMPTY || (tag != asid && tag != TLB_ASID_GLOBAL))
                continue;
            if (only_fragments && xlat_size(a->xlat[e]) == xlat_origin(a->xlat[e]))
                continue;
            uint64_t page = page_size_bytes(xlat_origin(a->xlat[e])), first = key_va57(key) & ~(page - 1);
            if (first + page > start && first < start + bytes)
                drop(t, a, e);
        }
    }
}

void tlb_invalidate_page(struct tlb *t, uint32_t asid, va_t va)
{
    for (unsigned s = 0; s < PAGE_SIZE_COUNT; s++) {
        if (t->count[s] == 0)
            continue;
        struct tlb_array *a = &t->array[t->home[s]];
        for (unsigned global = 0; global <= (t->globals != 0); global++) {
            uint32_t e = assoc_probe(&a->tags, tlb_key(global ? TLB_ASID_GLOBAL : asid, (enum page_size)s, va));
            if (e != ASSOC_NONE)
                drop(t, a, e);
        }
    }
    if (t->fragments)
        drop_scan(t, asid, va.v & VA57_MASK & ~(uint64_t)(PAGE_BYTES - 1), PAGE_BYTES, true);
}

void tlb_invalidate_range(struct tlb *t, uint32_t asid, va_t start, uint64_t bytes)
{
    if (bytes == 0)
        return;
    uint64_t first = start.v >> PAGE_SHIFT, last = (start.v + bytes - 1) >> PAGE_SHIFT;
    if (last >= first && last - first < RANGE_SCAN_PAGES) {
        for (uint64_t p = first; p <= last; p++)
            tlb_invalidate_page(t, asid, (va_t){p << PAGE_SHIFT});
        return;
    }
    uint64_t s57 = start.v & VA57_MASK;
    drop_scan(t, asid, s57, bytes > VA57_MASK - s57 ? VA57_MASK - s57 + 1 : bytes, false);
}

void tlb_flush_asid(struct tlb *t, uint32_t asid)
{
    t->st.flushes++;
    for (unsigned i = 0; i < PAGE_SIZE_COUNT; i++) {
        struct tlb_array *a = &t->array[i];
        if (a->tags.used == 0)
            continue;
        for (uint32_t e = 0, n = a->tags.sets * a->tags.ways; e < n; e++)
            if (a->tags.key[e] != ASSOC_EMPTY && a->tags.key[e] >> TLB_ASID_SHIFT == asid)
                drop(t, a, e);
    }
}

void tlb_flush_all(struct tlb *t, bool globals)
{
    t->st.flushes++;
    for (unsigned i = 0; i < PAGE_SIZE_COUNT; i++) {
        struct tlb_array *a = &t->array[i];
        if (a->tags.used == 0)
            continue;
        for (uint32_t e = 0, n = a->tags.sets * a->tags.ways; e < n; e++)
            if (a->tags.key[e] != ASSOC_EMPTY && (globals || a->tags.key[e] >> TLB_ASID_SHIFT != TLB_ASID_GLOBAL))
                drop(t, a, e);
    }
}

static int check_entry(struct xlat x, uint64_t key, const struct paging_root *root, const struct pt_memory *mem,
                       struct err *err)
{
    struct walk w;
    struct paging_root plain = *root;
    struct pt_memory quiet = *mem;
    va_t va = {(uint64_t)((int64_t)(key_va57(key) << 7) >> 7)};
    plain.flags &= (uint16_t)~PAGING_PKE; /* keys are judged at each use, they are no right of the entry */
    quiet.set_bits = NULL;
    if (walk_all(&w, &plain, va, ACCESS_READ | ACCESS_AC, &quiet) != WALK_LEAF)
        return err_set(err, ERR_RUN, "TLB entry of 0x%" PRIx64 ": the tables do not map it", va.v);
    if (xlat_origin(x) != xlat_size(w.result) || xlat_pa(x, va).v != xlat_pa(w.result, va).v)
        return err_set(err, ERR_RUN, "TLB entry of 0x%" PRIx64 " translates to 0x%" PRIx64 ", the tables to 0x%" PRIx64,
                       va.v, xlat_pa(x, va).v, xlat_pa(w.result, va).v);
    if ((x.v & ~w.result.v & (PTE_RW | PTE_US | PTE_D)) || (~x.v & w.result.v & PTE_XD))
        return err_set(err, ERR_RUN, "TLB entry of 0x%" PRIx64 " grants more than the tables", va.v);
    return 0;
}

int tlb_check(const struct tlb *t, uint32_t asid, const struct paging_root *root, const struct pt_memory *mem,
              struct err *err)
{
    for (unsigned i = 0; i < PAGE_SIZE_COUNT; i++) {
        const struct tlb_array *a = &t->array[i];
        for (uint32_t e = 0, n = a->tags.sets * a->tags.ways; e < n; e++) {
            uint64_t key = a->tags.key[e], tag = key >> TLB_ASID_SHIFT;
            if (key != ASSOC_EMPTY && (tag == asid || tag == TLB_ASID_GLOBAL) &&
                check_entry(a->xlat[e], key, root, mem, err) < 0)
                return -1;
        }
    }
    return 0;
}

void tlb_state(struct tlb *t, struct state_io *io)
{
    uint32_t count[PAGE_SIZE_COUNT] = {0}, globals = 0, fragments = 0;
    for (unsigned s = 0; s < PAGE_SIZE_COUNT; s++) {
        struct tlb_array *a = &t->array[s];
        if (!a->tags.key)
            continue;
        size_t n = (size_t)a->tags.sets * a->tags.ways;
        assoc_state(&a->tags, io);
        state_bytes(io, a->xlat, n * sizeof *a->xlat);
        for (size_t e = 0; e < n && !state_bad(io); e++) {
            if (a->tags.key[e] == ASSOC_EMPTY)
                continue;
            struct xlat x = a->xlat[e];
            if (!state_check(io, xlat_size(x) < PAGE_SIZE_COUNT && xlat_origin(x) < PAGE_SIZE_COUNT,
                             "a translation's page size does not exist"))
                return;
            count[xlat_size(x)]++;
            globals += xlat_global(x);
            fragments += xlat_size(x) != xlat_origin(x);
        }
    }
    state_bytes(io, &t->st, sizeof t->st);
    if (io->loading) { /* follow from the entries */
        memcpy(t->count, count, sizeof t->count);
        t->globals = globals;
        t->fragments = fragments;
    }
}
