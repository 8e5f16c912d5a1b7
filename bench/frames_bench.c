/*
 * Allocator events a second: each frame allocator of alloc/frames against a minimal buddy written by hand below (free lists by
 * order in arrays, split and merge, nothing else), both fed with the same events from memory, in turns.
 *
 *   frames_bench [-n EVENTS] [-r ROUNDS] [-m MIB]
 *   frames_bench -l LIVE [-n EVENTS] [-m MIB]      bytes the process had at most, when of 1 << 20 pages at most so many live at once
 *
 * One line an allocator: name, million events a second of it and of the minimal buddy (best of the rounds, processor time of
 * the thread), ratio. `buddy` has its per-CPU lists, as a run has; `buddy-zone` is without them (buddy.pcp false).
 */
#include "common.h"

#include "frames/frame_alloc.h"
#include "frames/frames.h"

#include "engine/rng.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the minimal buddy ------------------------------------------------------------------------------------------------- */

enum { LIVE_MOST = 1 << 20 };
enum { ORDERS = 11, NIL = UINT32_MAX };
struct mini {
    uint32_t *next, *prev, head[ORDERS], n;
    int8_t *order; /* of a free block's head; -1: no head, or in use */
};

static void mini_push(struct mini *b, uint32_t p, unsigned o)
{
    uint32_t h = b->head[o];
    b->order[p] = (int8_t)o;
    b->next[p] = h;
    b->prev[p] = NIL;
    if (h != NIL)
        b->prev[h] = p;
    b->head[o] = p;
}

static void mini_remove(struct mini *b, uint32_t p, unsigned o)
{
    uint32_t n = b->next[p], q = b->prev[p];
    if (q != NIL)
        b->next[q] = n;
    else
        b->head[o] = n;
    if (n != NIL)
        b->prev[n] = q;
    b->order[p] = -1;
}

static uint32_t mini_alloc(struct mini *b, unsigned order)
{
    unsigned o = order;
    while (o < ORDERS && b->head[o] == NIL)
        o++;
    if (o == ORDERS)
        return NIL;
    uint32_t p = b->head[o];
    mini_remove(b, p, o);
    while (o > order) {
        o--;
        mini_push(b, p + (1u << o), o);
    }
    return p;
}

static void mini_free(struct mini *b, uint32_t p, unsigned o)
{
    for (; o + 1 < ORDERS; o++) {
        uint32_t q = p ^ (1u << o);
        if (q >= b->n || b->order[q] != (int8_t)o)
            break;
        mini_remove(b, q, o);
        p &= q;
    }
    mini_push(b, p, o);
}

static struct mini *mini_new(uint32_t frames)
{
    struct mini *b = malloc(sizeof *b);
    b->n = frames;
    b->next = malloc(frames * sizeof *b->next);
    b->prev = malloc(frames * sizeof *b->prev);
    b->order = malloc(frames);
    memset(b->order, -1, frames);
    for (unsigned o = 0; o < ORDERS; o++)
        b->head[o] = NIL;
    for (uint32_t p = frames; p >= 1u << (ORDERS - 1); p -= 1u << (ORDERS - 1))
        mini_push(b, p - (1u << (ORDERS - 1)), ORDERS - 1);
    return b;
}

static void mini_end(struct mini *b)
{
    free(b->next);
    free(b->prev);
    free(b->order);
    free(b);
}

/* ---- events ------------------------------------------------------------------------------------------------------------- */

struct event { uint32_t slot; uint8_t alloc, order, movable; };

/* A live set that breathes around half of memory; freed are the youngest as a rule, others now and then. */
static struct event *events_new(uint64_t n, uint32_t frames, uint32_t *slots)
{
    struct event *e = malloc(n * sizeof *e);
    uint32_t *live = malloc(frames * sizeof *live), *spare = malloc(frames * sizeof *spare), n_live = 0, n_spare = 0;
    uint8_t *order = malloc(frames);
    uint64_t pages = 0;
    struct rng r;
    *slots = 0;
    rng_init(&r, 1, "frames_bench");
    for (uint64_t i = 0; i < n; i++) {
        bool alloc = !n_live || (pages < frames / 2 && rng_below(&r, 100) < 52);
        if (alloc) {
            uint32_t s = n_spare ? spare[--n_spare] : (*slots)++;
            order[s] = rng_below(&r, 8) ? 0 : (uint8_t)rng_below(&r, 4);
            e[i] = (struct event){s, 1, order[s], rng_below(&r, 4) != 0};
            live[n_live++] = s;
            pages += 1ull << order[s];
        } else {
            uint32_t k = rng_below(&r, 4) ? n_live - 1 : (uint32_t)rng_below(&r, n_live), s = live[k];
            live[k] = live[--n_live];
            spare[n_spare++] = s;
            e[i] = (struct event){s, 0, order[s], 0};
            pages -= 1ull << order[s];
        }
    }
    free(live);
    free(spare);
    free(order);
    return e;
}

static double run_mini(const struct event *e, uint64_t n, uint32_t frames, uint64_t *at)
{
    struct mini *b = mini_new(frames);
    double t0 = now();
    for (uint64_t i = 0; i < n; i++)
        if (e[i].alloc)
            at[e[i].slot] = mini_alloc(b, e[i].order);
        else
            mini_free(b, (uint32_t)at[e[i].slot], e[i].order);
    double t = now() - t0;
    mini_end(b);
    return (double)n / t / 1e6;
}

static double run_frames(const struct event *e, uint64_t n, uint64_t bytes, int allocator, bool pcp, uint64_t *at)
{
    struct memory_config mc;
    struct buddy_config bc;
    struct frame_map *m;
    struct err err = {0};
    frames_config_defaults(&mc, &bc);
    mc.size_bytes = bytes;
    bc.allocator = allocator;
    bc.pcp = pcp;
    if (frame_map_new(&m, &mc, &bc, &err) < 0) {
        fprintf(stderr, "frames_bench: %s\n", err.message);
        exit(1);
    }
    double t0 = now();
    for (uint64_t i = 0; i < n; i++)
        if (e[i].alloc)
            at[e[i].slot] = frames_alloc(m, e[i].movable ? GFP_HIGHUSER_MOVABLE : GFP_KERNEL, e[i].order,
                                         e[i].movable ? FRAME_TAG_ANON : FRAME_TAG_KERNEL).v;
        else
            frames_free(m, (pfn_t){at[e[i].slot]}, e[i].order);
    double t = now() - t0;
    if (m->st.failures) {
        fprintf(stderr, "frames_bench: %" PRIu64 " allocations failed\n", m->st.failures);
        exit(1);
    }
    frame_map_free(m);
    return (double)n / t / 1e6;
}

/* Peak resident bytes of this program; getrusage would tell its parent's if those were more. */
static unsigned long long peak_bytes(void)
{
    FILE *f = fopen("/proc/self/status", "re");
    char line[256];
    unsigned long long kb = 0;
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmHWM: %llu kB", &kb) == 1)
            break;
    if (f)
        fclose(f);
    return kb * 1024;
}

/* `live` pages come; then one goes and one comes until there were n events. */
static int run_live(uint64_t live, uint64_t n, uint64_t mib)
{
    struct memory_config mc;
    struct buddy_config bc;
    struct frame_map *m;
    struct err err = {0};
    struct rng r;
    uint64_t *at = malloc(LIVE_MOST * sizeof *at);
    memset(at, 1, LIVE_MOST * sizeof *at); /* all of it, however many live: it is not the allocator's */
    frames_config_defaults(&mc, &bc);
    mc.size_bytes = mib << 20;
    if (frame_map_new(&m, &mc, &bc, &err) < 0) {
        fprintf(stderr, "frames_bench: %s\n", err.message);
        free(at);
        return 1;
    }
    rng_init(&r, 2, "frames_bench");
    for (uint64_t i = 0; i < n; i++) {
        uint64_t slot = i < live ? i : rng_below(&r, live);
        if (i >= live)
            frames_free(m, (pfn_t){at[slot]}, 0);
        at[slot] = frames_alloc(m, GFP_HIGHUSER_MOVABLE, 0, FRAME_TAG_ANON).v;
    }
    printf("%llu\n", peak_bytes());
    bool failed = m->st.failures;
    frame_map_free(m);
    free(at);
    return failed;
}

int main(int argc, char **argv)
{
    uint64_t n = 4000000, mib = 256, live = 0;
    int rounds = 7, c;
    while ((c = getopt(argc, argv, "n:r:m:l:")) != -1)
        if (c == 'n')
            n = strtoull(optarg, NULL, 0);
        else if (c == 'r')
            rounds = atoi(optarg);
        else if (c == 'm')
            mib = strtoull(optarg, NULL, 0);
        else if (c == 'l')
            live = strtoull(optarg, NULL, 0);
        else
            return 2;
    if (live)
        return live > LIVE_MOST || n < live || mib * 256 < 2 * live ? 2 : run_live(live, n, mib);
    if (!n || rounds < 1 || mib < 64 || mib > 4096 || mib % 4)
        return 2;
    uint32_t frames = (uint32_t)(mib * 256), slots;
    struct event *e = events_new(n, frames, &slots);
    uint64_t *at = calloc(slots + 1ull, sizeof *at);
#define NAME(name) #name,
    static const char *const names[] = {FRAME_ALLOCATORS(NAME)};
    for (int row = 0; row <= N_FRAME_ALLOCATORS; row++) { /* the last: buddy once more, straight to its zones */
        double ours = 0, mini = 0;
        int a = row % N_FRAME_ALLOCATORS;
        bool lists = row < N_FRAME_ALLOCATORS;
        for (int r = 0; r < rounds; r++) {
            double x = run_mini(e, n, frames, at), y = run_frames(e, n, mib << 20, a, lists, at);
            mini = x > mini ? x : mini;
            ours = y > ours ? y : ours;
        }
        printf("%-10s %8.2f %8.2f %6.3f\n", lists ? names[a] : "buddy-zone", ours, mini, ours / mini);
    }
    free(at);
    free(e);
    return 0;
}
