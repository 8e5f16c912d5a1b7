/*
 * The yardstick of docs/benchmarks.md: the least that a simulator of this machine could do, written by hand.
 *
 *   bench_loop [-n ROUNDS] TRACE        one line: references, seconds of the best and the median round, hits and misses
 *
 * All references of the trace stand in memory, as the reader gives them, before the clock starts. Each one is translated by
 * a 64-entry 4-way and a 1,536-entry 12-way TLB over a flat page table and looked up in 32 KiB/8 (instruction or data),
 * 1 MiB/16 and 32 MiB/16 caches, LRU by move to front. Nothing else: no sizes, no dirty lines, no inclusion, no address
 * spaces, no rights, no statistics but the misses. Each round starts with empty structures.
 */
#include "common.h"

#include "traces/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 12, LINE = 6, VA_BITS = 48 };
enum { TLB1_SETS = 16, TLB1_WAYS = 4, TLB2_SETS = 128, TLB2_WAYS = 12 };
enum { L1_SETS = 64, L1_WAYS = 8, L2_SETS = 1024, L2_WAYS = 16, LLC_SETS = 32768, LLC_WAYS = 16 };

struct loop {
    uint64_t tlb1[2][TLB1_SETS][TLB1_WAYS]; /* vpn << 28 | frame + 1: instruction, data */
    uint64_t tlb2[TLB2_SETS][TLB2_WAYS];
    uint32_t l1[2][L1_SETS][L1_WAYS]; /* line + 1: 32 bits of lines are 256 GiB */
    uint32_t l2[L2_SETS][L2_WAYS];
    uint32_t llc[LLC_SETS][LLC_WAYS];
    uint32_t *table; /* flat, by vpn: frame + 1 */
    uint32_t frames;
    uint64_t tlb1_misses, tlb2_misses, l1_misses, l2_misses, llc_misses;
};

/* Looks for `key` beyond the first way and moves it to the front; false: it was put there, the last way is gone. */
static inline __attribute__((always_inline)) bool find32(uint32_t *set, unsigned ways, uint32_t key)
{
    unsigned i = 1;
    while (i < ways && set[i] != key)
        i++;
    bool hit = i < ways;
    memmove(set + 1, set, (hit ? i : ways - 1) * sizeof *set);
    set[0] = key;
    return hit;
}

/* The entry of `vpn`, moved to the front; 0: not there and nothing changed. */
static inline __attribute__((always_inline)) uint64_t find_tlb(uint64_t *set, unsigned ways, uint64_t vpn)
{
    for (unsigned i = 1; i < ways; i++)
        if (set[i] >> 28 == vpn) {
            uint64_t x = set[i];
            memmove(set + 1, set, i * sizeof *set);
            return set[0] = x;
        }
    return 0;
}

static inline void put_tlb(uint64_t *set, unsigned ways, uint64_t x)
{
    memmove(set + 1, set, (ways - 1) * sizeof *set);
    set[0] = x;
}

static __attribute__((noinline)) uint64_t tlb1_miss(struct loop *s, uint64_t *set1, uint64_t vpn)
{
    uint64_t x = find_tlb(set1, TLB1_WAYS, vpn), *set2;
    if (x)
        return x;
    s->tlb1_misses++;
    set2 = s->tlb2[vpn % TLB2_SETS];
    x = set2[0] >> 28 == vpn ? set2[0] : find_tlb(set2, TLB2_WAYS, vpn);
    if (!x) {
        s->tlb2_misses++;
        uint32_t *e = &s->table[vpn];
        if (!*e)
            *e = ++s->frames;
        x = vpn << 28 | *e;
        put_tlb(set2, TLB2_WAYS, x);
    }
    put_tlb(set1, TLB1_WAYS, x);
    return x;
}

static __attribute__((noinline)) void l1_miss(struct loop *s, uint32_t *set1, uint32_t key)
{
    if (find32(set1, L1_WAYS, key))
        return;
    s->l1_misses++;
    uint32_t *set = s->l2[key % L2_SETS];
    if (set[0] == key || find32(set, L2_WAYS, key))
        return;
    s->l2_misses++;
    set = s->llc[key % LLC_SETS];
    if (set[0] != key && !find32(set, LLC_WAYS, key))
        s->llc_misses++;
}

static void run(struct loop *s, const struct trace_rec *ref, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned data = ref[i].kind != TRACE_FETCH;
        uint64_t addr = ref[i].addr & ((UINT64_C(1) << VA_BITS) - 1), vpn = addr >> PAGE, *t = s->tlb1[data][vpn % TLB1_SETS], x = t[0];
        if (__builtin_expect(x >> 28 != vpn, 0))
            x = tlb1_miss(s, t, vpn);
        uint32_t line = (uint32_t)(x << (PAGE - LINE)) | (uint32_t)(addr >> LINE & 63), *set = s->l1[data][line % L1_SETS];
        if (__builtin_expect(set[0] != line, 0))
            l1_miss(s, set, line);
    }
}

static int load(const char *path, struct trace_rec **ref, size_t *n, struct err *err)
{
    struct trace *t;
    struct trace_batch b;
    size_t cap = 0;
    int r;
    *ref = NULL;
    *n = 0;
    if (trace_open(&t, path, NULL, err) < 0)
        return -1;
    while ((r = trace_next(t, &b, err)) > 0) {
        if (*n + b.n > cap) {
            cap = cap ? cap * 2 : (size_t)1 << 20;
            struct trace_rec *p = realloc(*ref, cap * sizeof *p);
            if (!p) {
                trace_close(t);
                return err_set(err, ERR_RUN, "out of memory for the references");
            }
            *ref = p;
        }
        for (size_t i = 0; i < b.n; i += 1u + b.rec[i].slots)
            if (b.rec[i].kind <= TRACE_REF_MAX)
                (*ref)[(*n)++] = b.rec[i];
    }
    trace_close(t);
    return r < 0 ? -1 : 0;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    enum { MAX_ROUNDS = 101 };
    const size_t table = sizeof(uint32_t) << (VA_BITS - PAGE);
    double seconds[MAX_ROUNDS];
    int rounds = 1, c;
    struct trace_rec *ref;
    size_t n;
    struct err err = {0};
    while ((c = getopt(argc, argv, "n:")) != -1) {
        if (c != 'n')
            return 2;
        rounds = atoi(optarg);
    }
    if (argc - optind != 1 || rounds < 1 || rounds > MAX_ROUNDS) {
        fprintf(stderr, "usage: bench_loop [-n ROUNDS] TRACE\n");
        return 2;
    }
    if (load(argv[optind], &ref, &n, &err) < 0)
        return fail(&err);
    struct loop *s = malloc(sizeof *s);
    uint32_t *flat = mmap(NULL, table, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (!s || flat == MAP_FAILED) {
        err_set(&err, ERR_RUN, "out of memory for the flat page table");
        return fail(&err);
    }
    for (int i = 0; i < rounds; i++) {
        memset(s, 0, sizeof *s);
        s->table = flat;
        if (i) /* frames keep their numbers: the table is written in the first round only */
            s->frames = UINT32_MAX;
        double t0 = now();
        run(s, ref, n);
        seconds[i] = now() - t0;
    }
    qsort(seconds, (size_t)rounds, sizeof *seconds, by_size);
    printf("{\"references\": %zu, \"best_seconds\": %.6f, \"median_seconds\": %.6f, \"tlb1_misses\": %llu, \"tlb2_misses\": "
           "%llu, \"l1_misses\": %llu, \"l2_misses\": %llu, \"llc_misses\": %llu}\n",
           n, seconds[0], seconds[rounds / 2], (unsigned long long)s->tlb1_misses, (unsigned long long)s->tlb2_misses,
           (unsigned long long)s->l1_misses, (unsigned long long)s->l2_misses, (unsigned long long)s->llc_misses);
    munmap(flat, table);
    free(s);
    free(ref);
    return 0;
}
