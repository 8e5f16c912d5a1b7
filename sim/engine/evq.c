#include "engine/evq.h"

#include "engine/grow.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define NIL UINT32_MAX

int evq_init(struct evq *q, uint32_t sources, tick_t period, struct err *err)
{
    memset(q, 0, sizeof *q);
    q->sources = sources;
    q->period = period;
    q->free_head = NIL;
    q->head = TICK_NEVER;
    q->seq = calloc(sources, sizeof *q->seq);
    memset(q->slot, 0xff, sizeof q->slot);
    return q->seq ? 0 : err_set(err, ERR_RUN, "out of host memory for the event queue");
}

void evq_fini(struct evq *q)
{
    free(q->pool);
    free(q->heap);
    free(q->seq);
    q->pool = NULL;
    q->heap = NULL;
    q->seq = NULL;
}

static bool before(const struct event *x, const struct event *y)
{
    if (x->tick != y->tick)
        return x->tick < y->tick;
    if (x->source != y->source)
        return x->source < y->source;
    return x->seq < y->seq;
}

static uint32_t take_node(struct evq *q)
{
    uint32_t i = q->free_head;
    if (i != NIL) {
        q->free_head = q->pool[i].next;
        return i;
    }
    if (q->pool_n == q->pool_cap)
        q->pool = grow_array(q->pool, &q->pool_cap, 256, sizeof *q->pool);
    return q->pool_n++;
}

static void heap_push(struct evq *q, uint32_t node)
{
    if (q->heap_n == q->heap_cap)
        q->heap = grow_array(q->heap, &q->heap_cap, 256, sizeof *q->heap);
    uint32_t i = q->heap_n++;
    while (i > 0) {
        uint32_t up = (i - 1) / 2;
        if (!before(&q->pool[node], &q->pool[q->heap[up]]))
            break;
        q->heap[i] = q->heap[up];
        i = up;
    }
    q->heap[i] = node;
}

static uint32_t heap_pop(struct evq *q)
{
    uint32_t top = q->heap[0], node = q->heap[--q->heap_n], i = 0;
    for (;;) {
        uint32_t c = 2 * i + 1;
        if (c >= q->heap_n)
            break;
        if (c + 1 < q->heap_n && before(&q->pool[q->heap[c + 1]], &q->pool[q->heap[c]]))
            c++;
        if (!before(&q->pool[q->heap[c]], &q->pool[node]))
            break;
        q->heap[i] = q->heap[c];
        i = c;
    }
    if (q->heap_n)
        q->heap[i] = node;
    return top;
}

static void wheel_insert(struct evq *q, uint32_t node, uint64_t number)
{
    uint32_t s = (uint32_t)(number % EVQ_SLOTS), *link = &q->slot[s];
    while (*link != NIL && before(&q->pool[*link], &q->pool[node]))
        link = &q->pool[*link].next;
    q->pool[node].next = *link;
    *link = node;
    q->bits[s / 64] |= 1ull << (s % 64);
    q->in_wheel++;
}

/* First occupied slot at or after `base`, as a slot number; there is one. */
static uint64_t first_slot(const struct evq *q)
{
    uint32_t s = (uint32_t)(q->base % EVQ_SLOTS), word = s / 64;
    uint64_t w = q->bits[word] & (~0ull << (s % 64));
    for (uint32_t k = 0;; k++) {
        if (w) {
            uint32_t found = word * 64 + (uint32_t)__builtin_ctzll(w);
            return q->base + (found + EVQ_SLOTS - s) % EVQ_SLOTS;
        }
        assert(k <= EVQ_SLOTS / 64);
        word = (word + 1) % (EVQ_SLOTS / 64);
        w = q->bits[word];
    }
}

static void find_head(struct evq *q)
{
    tick_t h = q->heap_n ? q->pool[q->heap[0]].tick : TICK_NEVER;
    if (q->in_wheel) {
        tick_t w = q->pool[q->slot[first_slot(q) % EVQ_SLOTS]].tick;
        if (w < h)
            h = w;
    }
    q->head = h;
}

void evq_add(struct evq *q, tick_t tick, uint32_t source, uint32_t kind, uint64_t a, uint64_t b)
{
    assert(source < q->sources);
    uint32_t node = take_node(q);
    q->pool[node] = (struct event){.tick = tick, .seq = q->seq[source]++, .source = source, .kind = kind, .a = a, .b = b};
    uint64_t number = tick / q->period;
    assert(number >= q->base);
    if (number < q->base + EVQ_SLOTS)
        wheel_insert(q, node, number);
    else
        heap_push(q, node);
    if (tick < q->head)
        q->head = tick;
}

/* Where the first event lies: the wheel's first slot or the heap's top. */
static bool in_heap_first(const struct evq *q, uint64_t *slot)
{
    if (!q->in_wheel)
        return true;
    *slot = first_slot(q);
    return q->heap_n && before(&q->pool[q->heap[0]], &q->pool[q->slot[*slot % EVQ_SLOTS]]);
}

const struct event *evq_peek(const struct evq *q)
{
    uint64_t slot = 0;
    if (evq_empty(q))
        return NULL;
    return in_heap_first(q, &slot) ? &q->pool[q->heap[0]] : &q->pool[q->slot[slot % EVQ_SLOTS]];
}

bool evq_pop(struct evq *q, struct event *out)
{
    if (evq_empty(q))
        return false;
    uint64_t slot = 0;
    uint32_t node;
    if (in_heap_first(q, &slot)) {
        node = heap_pop(q);
        slot = q->pool[node].tick / q->period;
    } else {
        uint32_t s = (uint32_t)(slot % EVQ_SLOTS);
        node = q->slot[s];
        q->slot[s] = q->pool[node].next;
        if (q->slot[s] == NIL)
            q->bits[s / 64] &= ~(1ull << (s % 64));
        q->in_wheel--;
    }
    *out = q->pool[node];
    q->pool[node].next = q->free_head;
    q->free_head = node;
    q->base = slot; /* nothing is scheduled before the event that runs now */
    find_head(q);
    return true;
}
