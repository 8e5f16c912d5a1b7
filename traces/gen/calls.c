#include "traces/gen/calls.h"

#include "engine/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    SIZES_MOST = 64, PS_A_NS = 1000, WORD = 8, PAYLOAD_SLOTS = 8,
    GFP_KERNEL_BITS = 0xcc0, /* __GFP_RECLAIM | __GFP_IO | __GFP_FS, linux-mm 1.8 */
    SITE_CONNECTION = 1, SITE_BLOCK, SITE_CHUNK, SITE_POOL, /* call_site numbers */
};
#define POINTERS 0xffff888000000000ull /* names only: a different one for each request */
#define POINTER_STEP 64

struct chunk { uint64_t pointer, used; uint32_t live; bool open; struct chunk *next, *prev; };

struct thing { /* that lives: a connection, or a block */
    uint64_t pointer; /* 0: cut from `chunk` */
    struct chunk *chunk;
    uint64_t size;
    uint32_t cpu, next; /* next: of those that end together, + 1; or of the unused */
    uint8_t size_class;
    bool block, of_pool;
};

struct end { uint64_t when, number; uint32_t thing; }; /* of a thing and all behind it */

struct free_list { uint64_t *pointer; size_t n, cap; };

struct cpu { struct chunk *chunk; uint32_t group, in_group; uint64_t group_end; };

struct maker {
    const struct calls_config *c;
    uint32_t cpus;
    trace_gen_put *put;
    void *ctx;
    struct err *err;
    struct rng arrivals, sizes, lives, where, back, block_arrivals, block_sizes, block_lives;
    uint64_t connection_size[SIZES_MOST], block_size[SIZES_MOST];
    uint64_t now_ns, told_ns, pointers, ends;
    struct thing *thing;
    uint32_t things, cap_things, unused; /* unused: + 1 */
    struct end *heap;
    size_t n_heap, cap_heap;
    struct free_list pool[SIZES_MOST];
    struct cpu *cpu;
    struct chunk *chunks; /* all of them */
};

/* ---- records ------------------------------------------------------------------------------------------------------------ */

static int put(struct maker *m, uint32_t cpu, enum trace_kind kind, uint64_t addr, uint64_t size, const uint64_t *word, unsigned words,
               const char *string)
{
    union trace_slot out[2 + PAYLOAD_SLOTS];
    size_t n = 0, len = string ? strlen(string) : 0, bytes = words * WORD + len;
    memset(out, 0, sizeof out);
    if (m->told_ns != m->now_ns) {
        out[n++].head = (struct trace_rec){.kind = TRACE_TIME, .addr = m->now_ns};
        m->told_ns = m->now_ns;
    }
    out[n].head = (struct trace_rec){.kind = (uint8_t)kind, .addr = addr, .size = (uint32_t)size,
                                     .slots = (uint16_t)((bytes + sizeof *out - 1) / sizeof *out)};
    if (words)
        memcpy(&out[n + 1], word, words * WORD);
    if (len)
        memcpy((char *)&out[n + 1] + words * WORD, string, len);
    n += 1u + out[n].head.slots;
    return m->put(m->ctx, cpu, &out[0].head, n, m->err);
}

static void cache_name(char name[32], uint64_t size) { snprintf(name, 32, "connection-%llu", (unsigned long long)size); }

static int ask(struct maker *m, uint32_t cpu, int allocator, uint64_t pointer, uint64_t size, unsigned class, uint64_t site)
{
    char name[32];
    uint64_t plain[] = {size, GFP_KERNEL_BITS, site}, object[] = {0, GFP_KERNEL_BITS, site};
    switch ((enum calls_allocator)allocator) {
    case CALLS_pages: return put(m, cpu, TRACE_ALLOC_PAGES, pointer, 0, plain, 3, NULL);
    case CALLS_vmalloc: return put(m, cpu, TRACE_VMALLOC, pointer, 0, plain, 3, NULL);
    case CALLS_kvmalloc: return put(m, cpu, TRACE_KVMALLOC, pointer, 0, plain, 3, NULL);
    case CALLS_mempool: return put(m, cpu, TRACE_MEMPOOL_ALLOC, pointer, class, object + 1, 2, NULL);
    case CALLS_cache: cache_name(name, size); return put(m, cpu, TRACE_CACHE_ALLOC, pointer, size, object, 3, name);
    case CALLS_kmalloc: break;
    }
    return put(m, cpu, TRACE_KMALLOC, pointer, size, object, 3, NULL);
}

static int give(struct maker *m, uint32_t cpu, int allocator, uint64_t pointer, uint64_t size, unsigned class, uint64_t site)
{
    char name[32];
    switch ((enum calls_allocator)allocator) {
    case CALLS_pages: return put(m, cpu, TRACE_FREE_PAGES, pointer, 0, &site, 1, NULL);
    case CALLS_vmalloc: return put(m, cpu, TRACE_VFREE, pointer, 0, &site, 1, NULL);
    case CALLS_kvmalloc: return put(m, cpu, TRACE_KVFREE, pointer, 0, &site, 1, NULL);
    case CALLS_mempool: return put(m, cpu, TRACE_MEMPOOL_FREE, pointer, class, &site, 1, NULL);
    case CALLS_cache: cache_name(name, size); return put(m, cpu, TRACE_CACHE_FREE, pointer, 0, &site, 1, name);
    case CALLS_kmalloc: break;
    }
    return put(m, cpu, TRACE_KFREE, pointer, 0, &site, 1, NULL);
}

static uint64_t new_pointer(struct maker *m) { return POINTERS + ++m->pointers * POINTER_STEP; }

/* ---- what lives, and when it ends --------------------------------------------------------------------------------------- */

static int no_memory(struct maker *m) { return err_set(m->err, ERR_RUN, "out of memory"); }

/* *out: its index; things move when there are more of them. */
static int new_thing(struct maker *m, uint32_t *out)
{
    if (m->unused) {
        *out = m->unused - 1;
        m->unused = m->thing[*out].next;
    } else {
        if (m->things == m->cap_things) {
            uint32_t cap = m->cap_things ? m->cap_things * 2 : 256;
            struct thing *more = realloc(m->thing, cap * sizeof *more);
            if (!more)
                return no_memory(m);
            m->thing = more;
            m->cap_things = cap;
        }
        *out = m->things++;
    }
    m->thing[*out] = (struct thing){0};
    return 0;
}

static bool before(const struct end *a, const struct end *b)
{
    return a->when != b->when ? a->when < b->when : a->number < b->number;
}

static int ends_at(struct maker *m, uint64_t when, uint32_t thing)
{
    if (m->n_heap == m->cap_heap) {
        size_t cap = m->cap_heap ? m->cap_heap * 2 : 256;
        struct end *more = realloc(m->heap, cap * sizeof *more);
        if (!more)
            return no_memory(m);
        m->heap = more;
        m->cap_heap = cap;
    }
    struct end e = {when, m->ends++, thing};
    size_t i = m->n_heap++;
    for (; i && before(&e, &m->heap[(i - 1) / 2]); i = (i - 1) / 2)
        m->heap[i] = m->heap[(i - 1) / 2];
    m->heap[i] = e;
    return 0;
}

static struct end next_end(struct maker *m)
{
    struct end first = m->heap[0], last = m->heap[--m->n_heap];
    size_t i = 0;
    for (;;) {
        size_t k = 2 * i + 1;
        if (k >= m->n_heap)
            break;
        k += k + 1 < m->n_heap && before(&m->heap[k + 1], &m->heap[k]);
        if (!before(&m->heap[k], &last))
            break;
        m->heap[i] = m->heap[k];
        i = k;
    }
    m->heap[i] = last;
    return first;
}

/* ---- chunks and pools --------------------------------------------------------------------------------------------------- */

static int drop_chunk(struct maker *m, struct chunk *k, uint32_t cpu)
{
    int rc = give(m, cpu, m->c->connections, k->pointer, m->c->chunk, 0, SITE_CHUNK);
    *(k->prev ? &k->prev->next : &m->chunks) = k->next;
    if (k->next)
        k->next->prev = k->prev;
    free(k);
    return rc;
}

/* The room for `size` bytes in the CPU's chunk, which is a new one where the old one is too full. */
static int cut(struct maker *m, uint32_t cpu, uint64_t size, struct chunk **out)
{
    struct chunk *k = m->cpu[cpu].chunk;
    if (!k || k->used + size > m->c->chunk) {
        if (k) {
            k->open = false;
            if (!k->live && drop_chunk(m, k, cpu) < 0)
                return -1;
        }
        m->cpu[cpu].chunk = k = calloc(1, sizeof *k);
        if (!k)
            return no_memory(m);
        *k = (struct chunk){.pointer = new_pointer(m), .open = true, .next = m->chunks};
        if (m->chunks)
            m->chunks->prev = k;
        m->chunks = k;
        if (ask(m, cpu, m->c->connections, k->pointer, m->c->chunk, 0, SITE_CHUNK) < 0)
            return -1;
    }
    k->used += (size + WORD - 1) / WORD * WORD;
    k->live++;
    *out = k;
    return 0;
}

static int keep(struct maker *m, struct free_list *l, uint64_t pointer)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 256;
        uint64_t *more = realloc(l->pointer, cap * sizeof *more);
        if (!more)
            return no_memory(m);
        l->pointer = more;
        l->cap = cap;
    }
    l->pointer[l->n++] = pointer;
    return 0;
}

/* ---- beginnings and ends ------------------------------------------------------------------------------------------------ */

static double exponential(struct rng *r) { return -log1p(-rng_unit(r)); }

static uint64_t life_ns(struct rng *r, uint64_t mean_ps) { return 1 + (uint64_t)(exponential(r) * (double)mean_ps / PS_A_NS); }

static int end_one(struct maker *m, uint32_t i)
{
    struct thing t = m->thing[i];
    const struct calls_config *c = m->c;
    uint32_t cpu = c->free_cpu == CALLS_FREE_ANY && !t.block ? (uint32_t)rng_below(&m->back, m->cpus) : t.cpu;
    m->thing[i].next = m->unused;
    m->unused = i + 1;
    if (t.chunk)
        return --t.chunk->live || t.chunk->open ? 0 : drop_chunk(m, t.chunk, cpu);
    if (t.of_pool)
        return keep(m, &m->pool[t.size_class], t.pointer);
    return give(m, cpu, t.block ? c->blocks : c->connections, t.pointer, t.size, t.size_class, t.block ? SITE_BLOCK : SITE_CONNECTION);
}

/* The last of those that end together comes first. */
static int end_all(struct maker *m, uint32_t first)
{
    for (uint32_t i = first + 1; i;) {
        uint32_t next = m->thing[i - 1].next;
        if (end_one(m, i - 1) < 0)
            return -1;
        i = next;
    }
    return 0;
}

/* A connection joins its CPU's group, whose end was drawn with the first. The newest stands at the group's head. */
static int join(struct maker *m, uint32_t i, uint64_t end)
{
    struct cpu *p = &m->cpu[m->thing[i].cpu];
    if (m->c->together == 1)
        return ends_at(m, end, i);
    m->thing[i].next = p->group;
    p->group = i + 1;
    if (p->in_group++ == 0)
        p->group_end = end;
    if (p->in_group < m->c->together)
        return 0;
    p->group = p->in_group = 0;
    return ends_at(m, p->group_end > m->now_ns ? p->group_end : m->now_ns, i);
}

static int begin_connection(struct maker *m)
{
    const struct calls_config *c = m->c;
    uint32_t i;
    if (new_thing(m, &i) < 0)
        return -1;
    struct thing t = {.size_class = (uint8_t)rng_below(&m->sizes, c->connection_sizes), .cpu = (uint32_t)rng_below(&m->where, m->cpus)};
    t.size = m->connection_size[t.size_class];
    bool lives_long = rng_unit(&m->lives) < c->long_share;
    uint64_t end = m->now_ns + life_ns(&m->lives, lives_long ? c->long_life : c->connection_life);
    struct free_list *l = &m->pool[t.size_class];
    if (c->chunk) {
        if (cut(m, t.cpu, t.size, &t.chunk) < 0)
            return -1;
    } else if (l->n) {
        t.pointer = l->pointer[--l->n];
        t.of_pool = true;
    } else {
        t.pointer = new_pointer(m);
        if (ask(m, t.cpu, c->connections, t.pointer, t.size, t.size_class, SITE_CONNECTION) < 0)
            return -1;
    }
    m->thing[i] = t;
    return join(m, i, end);
}

static int begin_block(struct maker *m)
{
    const struct calls_config *c = m->c;
    uint32_t i;
    if (new_thing(m, &i) < 0)
        return -1;
    struct thing t = {.block = true, .cpu = (uint32_t)rng_below(&m->block_sizes, m->cpus), .pointer = new_pointer(m),
                      .size = m->block_size[rng_below(&m->block_sizes, c->block_sizes)]};
    m->thing[i] = t;
    if (ask(m, t.cpu, c->blocks, t.pointer, t.size, 0, SITE_BLOCK) < 0)
        return -1;
    return ends_at(m, m->now_ns + life_ns(&m->block_lives, c->block_life), i);
}

/* ---- the whole ---------------------------------------------------------------------------------------------------------- */

/* Of `n` sizes from low to high, evenly spaced by ratio, multiples of a word where they are that large. */
static void spread(uint64_t *size, uint32_t n, uint64_t low, uint64_t high, bool power_of_two)
{
    for (uint32_t i = 0; i < n; i++) {
        double share = n > 1 ? (double)i / (double)(n - 1) : 0;
        uint64_t s = i + 1 == n && n > 1 ? high : (uint64_t)((double)low * pow((double)high / (double)low, share) + 0.5);
        if (s > WORD && i && i + 1 < n)
            s = s / WORD * WORD;
        if (power_of_two) {
            uint64_t p = 1;
            while (p < s)
                p *= 2;
            s = p;
        }
        size[i] = s;
    }
}

/* Thinning: candidates come at the highest rate, each is taken with the share of its moment's. */
static uint64_t next_connection(struct maker *m, uint64_t from)
{
    const struct calls_config *c = m->c;
    static const double turn = 6.283185307179586; /* 2 pi */
    double t = (double)from, mean = (double)c->connection_interval / PS_A_NS / (1 + c->wave);
    do
        t += exponential(&m->arrivals) * mean;
    while (c->wave > 0 && rng_unit(&m->arrivals) * (1 + c->wave) >
                              1 + c->wave * sin(turn * t / ((double)c->wave_period / PS_A_NS)));
    return (uint64_t)t;
}

static int beginning(struct maker *m)
{
    static const char *const sites[] = {"connection", "block", "chunk", "pool"};
    const struct calls_config *c = m->c;
    char name[32];
    if (put(m, 0, TRACE_CLOCK, 0, 0, NULL, 0, NULL) < 0)
        return -1;
    for (unsigned i = 0; i < sizeof sites / sizeof *sites; i++)
        if (put(m, 0, TRACE_SITE, SITE_CONNECTION + i, 0, NULL, 0, sites[i]) < 0)
            return -1;
    for (unsigned k = 0; k < c->connection_sizes; k++) {
        uint64_t size = m->connection_size[k], word[] = {size, SITE_POOL};
        cache_name(name, size);
        if (c->connections == CALLS_mempool && put(m, 0, TRACE_MEMPOOL_CREATE, k, c->reserve, word, 2, name) < 0)
            return -1;
        for (uint32_t i = 0; i < c->pool; i++) {
            uint64_t pointer = new_pointer(m);
            if (ask(m, i % m->cpus, c->connections, pointer, size, k, SITE_POOL) < 0 || keep(m, &m->pool[k], pointer) < 0)
                return -1;
        }
    }
    return 0;
}

static int all(struct maker *m)
{
    const struct calls_config *c = m->c;
    uint64_t begun = 0, connection = next_connection(m, 0), last = 0;
    uint64_t block = c->block_interval ? life_ns(&m->block_arrivals, c->block_interval) : UINT64_MAX;
    if (beginning(m) < 0)
        return -1;
    for (;;) {
        uint64_t end = m->n_heap ? m->heap[0].when : UINT64_MAX;
        if (begun == c->count) {
            if (end == UINT64_MAX || end > last + c->tail / PS_A_NS)
                break;
            m->now_ns = end;
            if (end_all(m, next_end(m).thing) < 0)
                return -1;
        } else if (end <= connection && end <= block) {
            m->now_ns = end;
            if (end_all(m, next_end(m).thing) < 0)
                return -1;
        } else if (block < connection) {
            m->now_ns = block;
            if (begin_block(m) < 0)
                return -1;
            block += life_ns(&m->block_arrivals, c->block_interval);
        } else {
            m->now_ns = last = connection;
            if (begin_connection(m) < 0)
                return -1;
            begun++;
            connection = next_connection(m, connection);
        }
    }
    m->now_ns = last + c->tail / PS_A_NS;
    return put(m, 0, TRACE_MARK, 0, 0, NULL, 0, "end");
}

int calls_make(const struct calls_config *c, uint32_t cpus, trace_gen_put *put_, void *ctx, struct err *err)
{
    struct maker m = {.c = c, .cpus = cpus, .put = put_, .ctx = ctx, .err = err, .cpu = calloc(cpus, sizeof *m.cpu)};
    int rc = -1;
    if (!m.cpu)
        return no_memory(&m);
    rng_init(&m.arrivals, c->seed, "calls.arrivals");
    rng_init(&m.sizes, c->seed, "calls.sizes");
    rng_init(&m.lives, c->seed, "calls.lives");
    rng_init(&m.where, c->seed, "calls.cpu");
    rng_init(&m.back, c->seed, "calls.free_cpu");
    rng_init(&m.block_arrivals, c->seed, "calls.block.arrivals");
    rng_init(&m.block_sizes, c->seed, "calls.block.sizes");
    rng_init(&m.block_lives, c->seed, "calls.block.lives");
    spread(m.connection_size, c->connection_sizes, c->connection_min, c->connection_max, c->power_of_two);
    spread(m.block_size, c->block_sizes, c->block_min, c->block_max, false);
    rc = all(&m);
    for (struct chunk *k = m.chunks, *next; k; k = next) {
        next = k->next;
        free(k);
    }
    for (unsigned k = 0; k < SIZES_MOST; k++)
        free(m.pool[k].pointer);
    free(m.thing);
    free(m.heap);
    free(m.cpu);
    return rc;
}
