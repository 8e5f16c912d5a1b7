/* Order, objects and colours of the classic design (mm/slab.c of 6.1; linux-mm 5.8). */
#include "slab/classic/classic.h"

enum { MAX_NUM = 255, MIN_SIZE = 16, MAX_ORDER = 10 };
enum index_place { IN_OBJECT, OFF_SLAB, ON_SLAB };

static uint64_t align_up(uint64_t x, uint64_t a) { return (x + a - 1) / a * a; }

/* Chooses an order for one placement of the index; bytes left over. c->objects is 0 if there is none. */
static uint64_t choose_order(struct kmem_cache *c, struct classic *k, enum index_place place)
{
    struct slab_sys *s = c->sys;
    unsigned most = s->cfg.max_order < 1 ? s->cfg.max_order : 1; /* slab_max_order with more than 32 MiB */
    uint64_t left = 0;
    if (s->frames->managed * PAGE_BYTES <= 32u << 20)
        most = 0;
    c->objects = 0;
    for (unsigned order = s->cfg.min_order; order <= MAX_ORDER; order++) {
        uint64_t bytes = (uint64_t)PAGE_BYTES << order, each = c->size + (place == ON_SLAB ? (unsigned)INDEX_BYTES : 0u);
        uint64_t num = bytes / each, rest = bytes % each;
        if (num == 0)
            continue;
        if (num > MAX_NUM && order > s->cfg.min_order)
            break;
        if (num > MAX_NUM) { /* a least order of ours that is too large: the slab keeps what the index can name */
            rest += (num - MAX_NUM) * each;
            num = MAX_NUM;
        }
        if (place == OFF_SLAB) {
            struct kmem_cache *index = slab_kmalloc_cache(s, num * INDEX_BYTES, GFP_KERNEL, 0);
            if (!index || classic_of(index)->off_slab || index->size > c->size / 2)
                continue;
            k->index_cache = index;
        }
        c->objects = (unsigned)num;
        c->order = order;
        left = rest;
        if ((c->flags & SLAB_RECLAIM_ACCOUNT) || order >= most || left * 8 <= bytes)
            break;
    }
    return left;
}

int classic_geometry(struct kmem_cache *c, struct classic *k, uint32_t slot)
{
    uint64_t left = 0;
    c->size = c->flags & SLAB_DEBUG_FLAGS ? slub_layout(c) : (uint32_t)align_up(align_up(c->object_size, 8), c->align);
    c->inuse = c->flags & SLAB_DEBUG_FLAGS ? c->inuse : (uint32_t)align_up(c->object_size, 8);
    if (c->size < MIN_SIZE)
        c->size = (uint32_t)align_up(MIN_SIZE, c->align);
    (void)slot; /* a recording's slot is SLUB's; this design lays out its own */
    k->colour_bytes = c->align > LINE_BYTES ? c->align : LINE_BYTES;
    bool indexable = !c->ctor && !(c->flags & SLAB_TYPESAFE_BY_RCU);
    if (indexable) {
        left = choose_order(c, k, IN_OBJECT);
        k->in_object = c->objects && c->objects * INDEX_BYTES <= c->object_size;
    }
    if (!k->in_object && !(c->flags & (SLAB_NOLEAKTRACE | SLAB_NO_OFFSLAB))) {
        left = choose_order(c, k, OFF_SLAB);
        k->off_slab = c->objects && left < c->objects * INDEX_BYTES;
    }
    if (k->in_object)
        left = choose_order(c, k, IN_OBJECT);
    else if (!k->off_slab)
        left = choose_order(c, k, ON_SLAB);
    if (c->objects == 0)
        return -1;
    c->min_order = c->order;
    k->colours = (unsigned)(left / k->colour_bytes);
    return 0;
}
