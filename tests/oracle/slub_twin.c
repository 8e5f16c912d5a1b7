#include "oracle/slub_twin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 4096, PROMOTE = 32 }; /* SHRINK_PROMOTE_MAX */

/* A stack or list of numbers or pointers; the end is the top of a stack, index 0 the head of a list. */
struct array { uint64_t *v; unsigned n, room; };

struct slab {
    uint64_t base;
    struct array free; /* its own free objects: what other CPUs gave back */
    int held;          /* by this CPU as its slab; -1 */
    bool stacked, listed;
};

struct cpu { struct slab *slab; struct array free, stack, sheaf[2]; bool has_spare; };

struct twin {
    struct twin_config c;
    struct slab **of_page;
    struct cpu *cpu;
    struct array partial;       /* slabs, as pointers */
    struct array *full_sheaf;   /* of the barn: the last is taken first */
    unsigned n_full, n_empty;
    uint64_t slabs;
};

/* ---- arrays ---- */

static void add(struct array *a, uint64_t x)
{
    if (a->n == a->room) {
        a->room = a->room ? 2 * a->room : 16;
        a->v = realloc(a->v, a->room * sizeof *a->v);
        if (!a->v)
            abort();
    }
    a->v[a->n++] = x;
}
static uint64_t last(struct array *a) { return a->v[--a->n]; }
static uint64_t take(struct array *a, unsigned i)
{
    uint64_t x = a->v[i];
    memmove(a->v + i, a->v + i + 1, (--a->n - i) * sizeof *a->v);
    return x;
}
static void add_front(struct array *a, uint64_t x)
{
    add(a, 0);
    memmove(a->v + 1, a->v, (a->n - 1) * sizeof *a->v);
    a->v[0] = x;
}
static struct slab *slab_at(uint64_t x) { return (struct slab *)(uintptr_t)x; }
static uint64_t as_number(const struct slab *s) { return (uint64_t)(uintptr_t)s; }

/* ---- slabs ---- */

static struct slab *new_slab(struct twin *t)
{
    uint64_t base = t->c.new_slab(t->c.self);
    struct slab *s = base ? calloc(1, sizeof *s) : NULL;
    if (!s)
        return NULL;
    s->base = base;
    s->held = -1;
    for (unsigned i = t->c.objects; i-- > 0;) /* the first object is the first to go */
        add(&s->free, base + (uint64_t)i * t->c.size);
    for (uint64_t p = 0; p < t->c.slab_bytes; p += PAGE)
        t->of_page[(base - t->c.low + p) / PAGE] = s;
    t->slabs++;
    return s;
}

static void discard(struct twin *t, struct slab *s)
{
    for (uint64_t p = 0; p < t->c.slab_bytes; p += PAGE)
        t->of_page[(s->base - t->c.low + p) / PAGE] = NULL;
    free(s->free.v);
    free(s);
    t->slabs--;
}

static bool is_empty(const struct twin *t, const struct slab *s) { return s->free.n == t->c.objects; }
static bool enough_partial(const struct twin *t) { return t->partial.n >= t->c.min_partial; }

static void list(struct twin *t, struct slab *s, bool tail)
{
    (tail ? add : add_front)(&t->partial, as_number(s));
    s->listed = true;
}

static void unlist(struct twin *t, struct slab *s)
{
    unsigned i = 0;
    while (t->partial.v[i] != as_number(s))
        i++;
    take(&t->partial, i);
    s->listed = false;
}

/* A CPU's stack to the node, from its top. */
static void unload_stack(struct twin *t, struct cpu *k)
{
    while (k->stack.n) {
        struct slab *s = slab_at(last(&k->stack));
        s->stacked = false;
        if (is_empty(t, s) && enough_partial(t))
            discard(t, s);
        else
            list(t, s, true);
    }
}

static void leave_slab(struct twin *t, struct cpu *k)
{
    struct slab *s = k->slab;
    bool others = s->free.n != 0;
    for (unsigned i = 0; i < k->free.n; i++) /* on top of what others gave back */
        add(&s->free, k->free.v[i]);
    k->free.n = 0;
    k->slab = NULL;
    s->held = -1;
    if (is_empty(t, s) && enough_partial(t))
        discard(t, s);
    else if (s->free.n)
        list(t, s, others);
}

/* ---- objects of slabs ---- */

static uint64_t debug_object(struct twin *t)
{
    struct slab *s = t->partial.n ? slab_at(t->partial.v[0]) : NULL;
    bool fresh = !s;
    if (fresh && !(s = new_slab(t)))
        return 0;
    uint64_t x = last(&s->free);
    if (!fresh && !s->free.n)
        unlist(t, s);
    else if (fresh && s->free.n)
        list(t, s, false);
    return x;
}

static uint64_t object(struct twin *t, unsigned cpu)
{
    struct cpu *k = &t->cpu[cpu];
    struct slab *s = k->slab;
    if (t->c.debug)
        return debug_object(t);
    if (k->free.n)
        return last(&k->free);
    if (s && !s->free.n) {
        s->held = -1; /* full: nobody's */
        s = NULL;
    }
    if (!s && k->stack.n) {
        s = slab_at(last(&k->stack));
        s->stacked = false;
    }
    if (!s && t->partial.n) {
        s = slab_at(take(&t->partial, 0));
        s->listed = false;
        for (unsigned more = 0; t->c.cpu_partial_slabs && t->partial.n && more <= t->c.cpu_partial_slabs / 2; more++) {
            struct slab *p = slab_at(take(&t->partial, 0));
            p->listed = false;
            p->stacked = true;
            add(&k->stack, as_number(p));
        }
    }
    if (!s)
        s = new_slab(t);
    k->slab = s;
    if (!s)
        return 0;
    s->held = (int)cpu;
    for (unsigned i = 0; i < s->free.n; i++)
        add(&k->free, s->free.v[i]);
    s->free.n = 0;
    return last(&k->free);
}

static void give(struct twin *t, uint64_t x, unsigned cpu)
{
    struct cpu *k = &t->cpu[cpu];
    struct slab *s = t->of_page[(x - t->c.low) / PAGE];
    if (s->held == (int)cpu) {
        add(&k->free, x);
        return;
    }
    bool was_full = !s->free.n;
    add(&s->free, x);
    if (s->held >= 0 || s->stacked)
        return;
    if (was_full && t->c.cpu_partial_slabs && !t->c.debug) {
        if (k->stack.n >= t->c.cpu_partial_slabs)
            unload_stack(t, k);
        s->stacked = true;
        add(&k->stack, as_number(s));
    } else if (is_empty(t, s) && enough_partial(t)) {
        if (s->listed)
            unlist(t, s);
        discard(t, s);
    } else if (was_full) {
        list(t, s, true);
    }
}

/* ---- sheaves: [0] main, [1] spare ---- */

static void swap(struct cpu *k)
{
    struct array x = k->sheaf[0];
    k->sheaf[0] = k->sheaf[1];
    k->sheaf[1] = x;
}

static void empty_sheaf(struct twin *t, struct array *h, unsigned cpu)
{
    while (h->n)
        give(t, last(h), cpu);
}

uint64_t twin_alloc(struct twin *t, unsigned cpu, bool sleeps)
{
    struct cpu *k = &t->cpu[cpu];
    struct array *main = &k->sheaf[0];
    if (!t->c.sheaf_capacity)
        return object(t, cpu);
    if (main->n)
        return last(main);
    if (k->sheaf[1].n) {
        swap(k);
    } else if (t->n_full) {
        if (t->n_empty < t->c.barn_sheaves)
            t->n_empty++;
        free(main->v);
        *main = t->full_sheaf[--t->n_full];
    } else if (!sleeps) {
        return object(t, cpu);
    } else {
        for (uint64_t x; main->n < t->c.sheaf_capacity && (x = object(t, cpu));)
            add(main, x);
    }
    return main->n ? last(main) : 0;
}

void twin_release(struct twin *t, uint64_t x, unsigned cpu)
{
    struct cpu *k = &t->cpu[cpu];
    struct array *main = &k->sheaf[0];
    if (!t->c.sheaf_capacity) {
        give(t, x, cpu);
        return;
    }
    if (main->n == t->c.sheaf_capacity) {
        if (k->has_spare && k->sheaf[1].n < t->c.sheaf_capacity) {
            swap(k);
        } else if (t->n_full < t->c.barn_sheaves) {
            t->full_sheaf[t->n_full++] = *main;
            *main = (struct array){0};
            t->n_empty -= t->n_empty > 0;
            k->has_spare = true;
        } else {
            empty_sheaf(t, main, cpu);
        }
    }
    add(main, x);
}

/* ---- shrink ---- */

void twin_shrink(struct twin *t)
{
    struct array old = {0};
    for (unsigned c = 0; c < t->c.cpus; c++)
        for (unsigned i = 0; i < 2; i++)
            empty_sheaf(t, &t->cpu[c].sheaf[i], c);
    while (t->n_full) {
        struct array *h = &t->full_sheaf[--t->n_full];
        empty_sheaf(t, h, 0);
        free(h->v);
    }
    for (unsigned c = 0; c < t->c.cpus; c++) {
        if (t->cpu[c].slab)
            leave_slab(t, &t->cpu[c]);
        unload_stack(t, &t->cpu[c]);
    }
    for (unsigned i = 0; i < t->partial.n; i++)
        add(&old, t->partial.v[i]);
    t->partial.n = 0;
    for (unsigned n = 1; n <= PROMOTE; n++) /* the fullest first; of equals the one that stood last */
        for (unsigned i = old.n; i-- > 0;)
            if (slab_at(old.v[i])->free.n == n && !is_empty(t, slab_at(old.v[i])))
                add(&t->partial, old.v[i]);
    for (unsigned i = 0; i < old.n; i++) {
        struct slab *s = slab_at(old.v[i]);
        if (is_empty(t, s))
            discard(t, s);
        else if (s->free.n > PROMOTE)
            add(&t->partial, old.v[i]);
    }
    free(old.v);
}

/* ---- the whole ---- */

struct twin *twin_new(const struct twin_config *c)
{
    struct twin *t = calloc(1, sizeof *t);
    if (!t)
        abort();
    t->c = *c;
    t->of_page = calloc((c->high - c->low) / PAGE, sizeof(struct slab *));
    t->cpu = calloc(c->cpus, sizeof *t->cpu);
    t->full_sheaf = calloc(c->barn_sheaves + 1, sizeof *t->full_sheaf);
    if (!t->of_page || !t->cpu || !t->full_sheaf)
        abort();
    return t;
}

void twin_free(struct twin *t)
{
    for (uint64_t p = 0; p < (t->c.high - t->c.low) / PAGE; p++) {
        struct slab *s = t->of_page[p];
        if (s && s->base == t->c.low + p * PAGE) {
            free(s->free.v);
            free(s);
        }
    }
    for (unsigned c = 0; c < t->c.cpus; c++) {
        struct cpu *k = &t->cpu[c];
        free(k->free.v);
        free(k->stack.v);
        free(k->sheaf[0].v);
        free(k->sheaf[1].v);
    }
    while (t->n_full)
        free(t->full_sheaf[--t->n_full].v);
    free(t->full_sheaf);
    free(t->partial.v);
    free(t->of_page);
    free(t->cpu);
    free(t);
}

uint64_t twin_slabs(const struct twin *t) { return t->slabs; }

uint64_t twin_listed_free(const struct twin *t)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < t->partial.n; i++)
        n += slab_at(t->partial.v[i])->free.n;
    return n;
}
