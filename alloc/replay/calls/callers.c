#include "replay/calls/callers.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct caller {
    uint64_t site;
    char *name; /* NULL: an address, or not told */
    uint64_t hits, requested, allocated, pingpong;
    uint32_t number; /* from 1 */
    UT_hash_handle hh;
};

/* Who allocated at a pointer last, and where. */
struct place {
    uint64_t pointer;
    uint32_t caller; /* its number; 0: the place is empty */
    int16_t cpu;     /* -1: freed; of 16 bits, as perf's */
};
_Static_assert(sizeof(struct place) == 16, "as callers.h says");
enum { FREED = -1, LEAST = 1024 };

struct callers {
    struct caller *of;      /* by site, a hash table */
    struct caller **number; /* by number - 1 */
    uint32_t n, room;
    struct place *place;    /* open addressing, `mask` + 1 of them; nothing is taken out */
    size_t mask, places;
};

struct callers *callers_new(void)
{
    struct callers *c = calloc(1, sizeof *c);
    if (c && !(c->place = calloc(LEAST, sizeof *c->place))) {
        free(c);
        return NULL;
    }
    if (c)
        c->mask = LEAST - 1;
    return c;
}

void callers_free(struct callers *c)
{
    if (!c)
        return;
    HASH_CLEAR(hh, c->of);
    for (uint32_t i = 0; i < c->n; i++) {
        free(c->number[i]->name);
        free(c->number[i]);
    }
    free(c->number);
    free(c->place);
    free(c);
}

static struct caller *caller_of(struct callers *c, uint64_t site)
{
    struct caller *x;
    HASH_FIND(hh, c->of, &site, sizeof site, x);
    if (x)
        return x;
    if (c->n == c->room) {
        c->room = c->room ? c->room * 2 : 64;
        c->number = realloc(c->number, c->room * sizeof(struct caller *));
        if (!c->number)
            abort(); /* as the replay's own table */
    }
    x = calloc(1, sizeof *x);
    if (!x)
        abort();
    x->site = site;
    c->number[c->n++] = x;
    x->number = c->n;
    HASH_ADD(hh, c->of, site, sizeof x->site, x);
    return x;
}

void callers_name(struct callers *c, uint64_t site, const char *text, size_t len)
{
    struct caller *x = caller_of(c, site);
    if (!x->name)
        x->name = strndup(text, len);
}

/* The pointer's place, or the empty one where it would stand. */
static struct place *find(const struct callers *c, uint64_t pointer)
{
    size_t i = (size_t)(pointer * UINT64_C(0x9e3779b97f4a7c15) >> 20) & c->mask;
    while (c->place[i].caller && c->place[i].pointer != pointer)
        i = (i + 1) & c->mask;
    return &c->place[i];
}

static void grow(struct callers *c)
{
    struct place *old = c->place;
    size_t n = c->mask + 1;
    c->place = calloc(n * 2, sizeof *c->place);
    if (!c->place)
        abort();
    c->mask = n * 2 - 1;
    for (size_t i = 0; i < n; i++)
        if (old[i].caller)
            *find(c, old[i].pointer) = old[i];
    free(old);
}

void callers_alloc(struct callers *c, uint64_t site, uint64_t pointer, uint64_t requested, uint64_t allocated, unsigned cpu)
{
    struct caller *x = caller_of(c, site);
    x->hits++;
    x->requested += requested;
    x->allocated += allocated;
    struct place *p = find(c, pointer);
    if (!p->caller && c->places + 1 > (c->mask + 1) / 4 * 3) {
        grow(c);
        p = find(c, pointer);
    }
    c->places += !p->caller;
    *p = (struct place){.pointer = pointer, .caller = x->number, .cpu = (int16_t)cpu};
}

/* Freed on another CPU than it was allocated on; also a second free, as perf counts them. */
void callers_given_back(struct callers *c, uint64_t pointer, unsigned cpu)
{
    struct place *p = find(c, pointer);
    if (!p->caller)
        return;
    c->number[p->caller - 1]->pingpong += p->cpu != (int16_t)cpu;
    p->cpu = FREED;
}

size_t callers_pointer_bytes(const struct callers *c) { return (c->mask + 1) * sizeof *c->place; }
size_t callers_pointers(const struct callers *c) { return c->places; }

/* perf's default: --sort frag,hit,bytes. */
static int more_first(const struct caller *a, const struct caller *b)
{
    double fa = a->allocated ? 1 - (double)a->requested / (double)a->allocated : 0;
    double fb = b->allocated ? 1 - (double)b->requested / (double)b->allocated : 0;
    if (fa < fb || fb < fa)
        return fa < fb ? 1 : -1;
    if (a->hits != b->hits)
        return a->hits < b->hits ? 1 : -1;
    if (a->allocated != b->allocated)
        return a->allocated < b->allocated ? 1 : -1;
    return a->site < b->site ? -1 : a->site > b->site;
}

void callers_print(struct callers *own, FILE *f)
{
    const char *rule = "---------------------------------------------------------------------------------------------------------";
    HASH_SRT(hh, own->of, more_first); /* an order that nothing else shows */
    fprintf(f, "%s\n %-34s | Total_alloc/Per | Total_req/Per   | Hit      | Ping-pong | Frag\n%s\n", rule, "Callsite", rule);
    for (const struct caller *c = own->of; c; c = c->hh.next) {
        char site[128];
        if (!c->hits)
            continue;
        const char *offset = c->name ? strstr(c->name, "+0x") : NULL; /* perf kmem writes it without 0x */
        if (offset)
            snprintf(site, sizeof site, "%.*s+%s", (int)(offset - c->name < 90 ? offset - c->name : 90), c->name, offset + strlen("+0x"));
        else if (c->name)
            snprintf(site, sizeof site, "%s", c->name);
        else
            snprintf(site, sizeof site, "0x%" PRIx64, c->site);
        double frag = c->allocated ? 100.0 - 100.0 * (double)c->requested / (double)c->allocated : 0; /* as perf computes it */
        fprintf(f, " %-34s | %9" PRIu64 "/%-5" PRIu64 " | %9" PRIu64 "/%-5" PRIu64 " | %8" PRIu64 " | %9" PRIu64 " | %6.3f%%\n",
                site, c->allocated, c->allocated / c->hits, c->requested, c->requested / c->hits, c->hits, c->pingpong, frag);
    }
    fprintf(f, "%s\n", rule);
}
