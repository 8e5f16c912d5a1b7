/* Streams: loops of fetches, data with locality, straddling accesses, sharing true and false, dependences, calls, ends. */
#include "random_case.h"

#include <stdlib.h>
#include <string.h>

void rec_add(struct rec_list *l, uint8_t kind, uint64_t addr, uint32_t size)
{
    if (l->n == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 64;
        l->rec = realloc(l->rec, l->cap * sizeof *l->rec);
        if (!l->rec)
            abort();
    }
    l->rec[l->n++] = (struct trace_rec){.addr = addr, .size = size, .kind = kind};
}

void rec_call(struct rec_list *l, uint8_t kind, uint64_t addr, uint32_t size, const uint64_t *word, unsigned words)
{
    rec_add(l, kind, addr, size);
    unsigned slots = (words + 1) / 2;
    l->rec[l->n - 1].slots = (uint16_t)slots;
    for (unsigned i = 0; i < slots; i++) {
        uint64_t two[2] = {word[2 * i], 2 * i + 1 < words ? word[2 * i + 1] : 0};
        rec_add(l, 0, 0, 0);
        memcpy(&l->rec[l->n - 1], two, sizeof two);
    }
}

/* Where a stream's data may lie. */
struct places {
    uint64_t code, private_data, shared, strange;
    uint32_t code_bytes, private_pages, shared_pages;
    unsigned share, write, straddle, far, regs; /* percent */
    unsigned calls;                             /* per thousand records */
    uint32_t stream;
};

static bool chance(struct rng *r, unsigned percent)
{
    return rng_below(r, 100) < percent;
}

static uint64_t data_address(const struct places *p, struct rng *r, uint64_t *last)
{
    uint64_t page, base;
    if (*last && chance(r, 35))
        return *last + rng_below(r, 3) * 8;
    if (chance(r, p->share)) {
        base = p->shared;
        page = chance(r, 70) ? rng_below(r, 2) : rng_below(r, p->shared_pages);
        /* False sharing: few lines, many words. */
        if (chance(r, 50))
            return *last = base + page * PAGE_BYTES + rng_below(r, 2) * LINE_BYTES + rng_below(r, 8) * 8;
    } else {
        base = p->private_data;
        page = rng_below(r, p->private_pages);
    }
    if (chance(r, p->far)) /* another table, another pointer */
        page += (UINT64_C(1) << rng_below(r, 28));
    return *last = base + page * PAGE_BYTES + rng_below(r, PAGE_BYTES / 8) * 8;
}

static void add_data(const struct places *p, struct rng *r, struct rec_list *l, uint64_t *last)
{
    static const uint32_t sizes[] = {0, 1, 4, 8, 8, 8, 16, 32, 64};
    uint64_t a = data_address(p, r, last);
    uint32_t size = sizes[rng_below(r, ARRAY_LEN(sizes))];
    if (chance(r, p->straddle)) {
        uint64_t unit = chance(r, 40) ? PAGE_BYTES : LINE_BYTES;
        a = (a | (unit - 1)) - rng_below(r, 7);
        size = chance(r, 15) ? 150 : 8;
    }
    uint8_t kind = TRACE_LOAD;
    if (chance(r, p->write))
        kind = chance(r, 25) ? TRACE_MODIFY : TRACE_STORE;
    rec_add(l, kind, a, size);
}

static void add_call(const struct places *p, struct rng *r, struct rec_list *l)
{
    uint64_t base = chance(r, p->share) ? p->shared : p->private_data;
    uint64_t start = base + rng_below(r, p->private_pages) * PAGE_BYTES, length = (1 + rng_below(r, 4)) * PAGE_BYTES;
    size_t at = l->n;
    if (chance(r, 15)) {
        rec_add(l, TRACE_FORK, RANDOM_CORES * (1 + l->n) + p->stream, 0);
    } else if (chance(r, 55)) {
        rec_call(l, TRACE_MUNMAP, start, 0, (const uint64_t[]){length, 0}, 2);
    } else if (chance(r, 50)) {
        rec_call(l, TRACE_MMAP, start, 0, (const uint64_t[]){length, 7, 0x22, 0, 0, start, 0}, 7);
    } else {
        rec_call(l, TRACE_BRK, start, 0, (const uint64_t[]){start}, 1);
    }
    if (chance(r, 20)) /* a failed call: costs time, changes nothing */
        l->rec[at].flags = TRACE_F_FAILED;
}

static void add_map(struct rec_list *l, uint64_t start, uint64_t bytes, uint64_t prot)
{
    rec_call(l, TRACE_MMAP, start, 0, (const uint64_t[]){bytes, prot, 0x22, 0, 0, start, 0}, 7);
}

static uint64_t random_regs(struct rng *r)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < 6; i++)
        if (chance(r, i < 2 ? 50 : 35))
            v |= (1 + rng_below(r, chance(r, 80) ? 4 : 255)) << (8 * i);
    return v;
}

static void one_stream(struct rec_list *l, struct rng *r, const struct places *p, unsigned references, bool strict)
{
    uint64_t pc = p->code, last = 0;
    unsigned done = 0;
    bool fetches = chance(r, 85);
    if (strict) { /* not always all of it: SEGV */
        add_map(l, p->code, p->code_bytes + PAGE_BYTES, 5);
        add_map(l, p->private_data, (uint64_t)(p->private_pages + 4) * PAGE_BYTES, 3);
        if (chance(r, 90))
            add_map(l, p->shared, (uint64_t)(p->shared_pages + 4) * PAGE_BYTES, 3);
    }
    if (fetches && chance(r, 15)) /* data before the first FETCH */
        add_data(p, r, l, &last);
    while (done < references) {
        if (rng_below(r, 1000) < p->calls)
            add_call(p, r, l);
        if (rng_below(r, 100) == 0)
            rec_add(l, TRACE_INSNS, rng_below(r, 50), 0);
        if (rng_below(r, 200) == 0)
            rec_add(l, TRACE_TIME, 1, 0);
        if (fetches) {
            uint32_t size = 1 + (uint32_t)rng_below(r, 15);
            rec_add(l, TRACE_FETCH, pc, size);
            done++;
            pc = chance(r, 85) ? pc + size : p->code + rng_below(r, p->code_bytes);
            if (pc >= p->code + p->code_bytes)
                pc = p->code;
            if (chance(r, p->regs))
                rec_add(l, TRACE_REGS, random_regs(r), 0);
        }
        unsigned n = chance(r, 40) ? 0 : 1 + (unsigned)rng_below(r, chance(r, 10) ? 6 : 2);
        for (unsigned i = 0; i < n; i++, done++)
            add_data(p, r, l, &last);
    }
}

void random_streams(struct random_case *c, struct rng *r, unsigned references)
{
    const uint32_t cores = c->m.cpu.count;
    uint32_t processes = chance(r, 50) ? 1 : 1 + (uint32_t)rng_below(r, cores);
    /* Places are chosen so that ranges cross tables now and then; without an MMU they must be physical memory. */
    const bool mmu = c->m.mmu.enabled;
    uint64_t high = mmu ? (chance(r, 50) ? UINT64_C(0x7f0000000000) : UINT64_C(0x3fffe000)) : 0;
    const bool tight = c->m.memory.size_bytes <= 2u << 20 && chance(r, 40); /* more pages than frames */
    c->n_streams = chance(r, 90) ? cores : 1 + rng_below(r, cores);
    unsigned share = (unsigned)rng_below(r, 80), write = (unsigned)rng_below(r, 80), calls = chance(r, 40) ? 0 : (unsigned)rng_below(r, 15);
    for (uint32_t k = 0; k < c->n_streams; k++) {
        uint32_t pages = tight ? 400 : chance(r, 30) ? 60 : 12;
        struct places p = {
            .code = (mmu ? UINT64_C(0x400000) : 0x100000) + (chance(r, 50) ? 0 : (uint64_t)k << 16),
            .code_bytes = 64u << rng_below(r, 9),
            .private_data = high + 0x2000000 + (uint64_t)k * 0x200000,
            .private_pages = 1 + (uint32_t)rng_below(r, pages),
            .shared = high + 0x1000000 - 0x4000,
            .shared_pages = 1 + (uint32_t)rng_below(r, 16),
            .share = share, .write = write, .calls = calls, .stream = k,
            .straddle = (unsigned)rng_below(r, 20),
            .far = mmu && chance(r, 40) ? (unsigned)rng_below(r, 10) : 0,
            .regs = chance(r, 70) ? (unsigned)rng_below(r, 100) : 0,
        };
        struct rec_list *l = &c->rec[k];
        one_stream(l, r, &p, chance(r, 10) ? (unsigned)rng_below(r, 4) : references / 2 + (unsigned)rng_below(r, references), c->m.vm.strict);
        if (chance(r, 60))
            rec_add(l, TRACE_EXIT, 0, chance(r, 30));
        c->stream[k] = (struct oracle_stream){.process = (uint32_t)rng_below(r, processes), .n = l->n, .rec = l->rec};
    }
    /* Process numbers are dense and appear in order. */
    uint32_t seen[RANDOM_CORES], n = 0;
    for (uint32_t k = 0; k < c->n_streams; k++) {
        uint32_t i = 0;
        while (i < n && seen[i] != c->stream[k].process)
            i++;
        if (i == n)
            seen[n++] = c->stream[k].process;
        c->stream[k].process = i;
    }
}

void random_case_new(struct random_case *c, uint64_t seed, uint32_t max_cores, unsigned references)
{
    struct rng r;
    memset(c, 0, sizeof *c);
    rng_init(&r, seed, "random case");
    random_machine(&c->m, &r, max_cores);
    random_streams(c, &r, references);
}

void random_case_free(struct random_case *c)
{
    for (unsigned k = 0; k < RANDOM_CORES; k++)
        free(c->rec[k].rec);
    memset(c, 0, sizeof *c);
}
