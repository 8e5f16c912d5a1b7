#include "replay/calls/record_call.h"

#include "traces/input.h"

#include <stdio.h>

/* By kind of record: its call + 1. Asked of every record that is no reference. */
static const uint8_t calls[256] = {
    [TRACE_KMALLOC] = SLAB_CALL_ALLOC + 1,
    [TRACE_KFREE] = SLAB_CALL_FREE + 1,
    [TRACE_CACHE_ALLOC] = SLAB_CALL_ALLOC + 1,
    [TRACE_CACHE_FREE] = SLAB_CALL_FREE + 1,
    [TRACE_ALLOC_PAGES] = SLAB_CALL_ALLOC_PAGES + 1,
    [TRACE_FREE_PAGES] = SLAB_CALL_FREE_PAGES + 1,
    [TRACE_VMALLOC] = SLAB_CALL_VMALLOC + 1,
    [TRACE_VFREE] = SLAB_CALL_VFREE + 1,
    [TRACE_KVMALLOC] = SLAB_CALL_KVMALLOC + 1,
    [TRACE_KVFREE] = SLAB_CALL_KVFREE + 1,
    [TRACE_MEMPOOL_CREATE] = SLAB_CALL_MEMPOOL_CREATE + 1,
    [TRACE_MEMPOOL_ALLOC] = SLAB_CALL_MEMPOOL_ALLOC + 1,
    [TRACE_MEMPOOL_FREE] = SLAB_CALL_MEMPOOL_FREE + 1,
    [TRACE_MEMPOOL_RESIZE] = SLAB_CALL_MEMPOOL_RESIZE + 1,
    [TRACE_MEMPOOL_DESTROY] = SLAB_CALL_MEMPOOL_DESTROY + 1,
    [TRACE_CACHE_CREATE] = SLAB_CALL_CACHE_CREATE + 1,
    [TRACE_CACHE_SHRINK] = SLAB_CALL_CACHE_SHRINK + 1,
    [TRACE_CACHE_DESTROY] = SLAB_CALL_CACHE_DESTROY + 1,
};

bool is_record_call(uint8_t kind) { return calls[kind] != 0; }

bool record_call_asks(enum slab_call c)
{
    return c == SLAB_CALL_ALLOC || c == SLAB_CALL_ALLOC_PAGES || c == SLAB_CALL_VMALLOC || c == SLAB_CALL_KVMALLOC || c == SLAB_CALL_MEMPOOL_ALLOC;
}

bool record_call_gives(enum slab_call c)
{
    return c == SLAB_CALL_FREE || c == SLAB_CALL_FREE_PAGES || c == SLAB_CALL_VFREE || c == SLAB_CALL_KVFREE || c == SLAB_CALL_MEMPOOL_FREE;
}

static uint64_t word(const struct trace_rec *r, unsigned i)
{
    const union trace_slot *s = (const union trace_slot *)(r + 1);
    return i / 2 < r->slots ? s[i / 2].u[i % 2] : 0;
}

static uint64_t block_bytes(uint64_t size)
{
    uint64_t bytes = PAGE_BYTES;
    while (bytes < size && bytes << 1)
        bytes <<= 1;
    return bytes;
}

static unsigned cache_flags(uint64_t w)
{
    static const struct { unsigned trace, slab; } bits[] = {
        {TRACE_CACHE_HWCACHE_ALIGN, SLAB_HWCACHE_ALIGN}, {TRACE_CACHE_RECLAIM_ACCOUNT, SLAB_RECLAIM_ACCOUNT},
        {TRACE_CACHE_DMA, SLAB_CACHE_DMA},               {TRACE_CACHE_DMA32, SLAB_CACHE_DMA32},
        {TRACE_CACHE_ACCOUNT, SLAB_ACCOUNT},             {TRACE_CACHE_TYPESAFE_BY_RCU, SLAB_TYPESAFE_BY_RCU},
        {TRACE_CACHE_NO_MERGE, SLAB_NO_MERGE},
    };
    unsigned flags = 0;
    for (size_t i = 0; i < ARRAY_LEN(bits); i++)
        flags |= w & bits[i].trace ? bits[i].slab : 0;
    return flags;
}

bool record_call(struct record_call *out, const struct trace_rec *r)
{
    size_t len = 0;
    if (!is_record_call(r->kind))
        return false;
    const char *text = trace_rec_string(r, &len);
    bool kmalloc = r->kind == TRACE_KMALLOC || r->kind == TRACE_KFREE;
    *out = (struct record_call){.call = (enum slab_call)(calls[r->kind] - 1)};
    snprintf(out->name, sizeof out->name, "%.*s", (int)(len < sizeof out->name ? len : sizeof out->name - 1), text);
    struct slab_event *e = &out->e;
    e->pointer = r->addr;
    e->cache = kmalloc ? NULL : out->name;
    switch (out->call) {
    case SLAB_CALL_ALLOC:
        e->size = r->size;
        e->slot = word(r, 0);
        e->gfp = (gfp_t)word(r, 1) | (r->flags & TRACE_F_ACCOUNTED ? (gfp_t)__GFP_ACCOUNT : 0);
        e->call_site = word(r, 2);
        break;
    case SLAB_CALL_ALLOC_PAGES:
    case SLAB_CALL_VMALLOC:
    case SLAB_CALL_KVMALLOC:
        e->size = word(r, 0);
        e->slot = out->call == SLAB_CALL_ALLOC_PAGES ? block_bytes(e->size) : 0;
        e->gfp = (gfp_t)word(r, 1);
        e->call_site = word(r, 2);
        break;
    case SLAB_CALL_MEMPOOL_CREATE:
        e->size = word(r, 0);
        e->call_site = word(r, 1);
        break;
    case SLAB_CALL_MEMPOOL_ALLOC:
        e->gfp = (gfp_t)word(r, 0);
        e->call_site = word(r, 1);
        break;
    case SLAB_CALL_CACHE_CREATE:
        e->size = r->addr;
        e->call_site = word(r, 1);
        out->cache = (struct kmem_cache_args){.name = out->name, .align = r->size, .flags = cache_flags(word(r, 0)),
                                              .size = r->addr < UINT32_MAX ? (uint32_t)r->addr : 0, .ctor = word(r, 0) & TRACE_CACHE_CTOR};
        break;
    case SLAB_CALL_CACHE_SHRINK:
    case SLAB_CALL_CACHE_DESTROY:
        e->call_site = r->addr;
        break;
    default:
        e->call_site = word(r, 0);
        break;
    }
    if (out->call == SLAB_CALL_MEMPOOL_ALLOC || out->call == SLAB_CALL_MEMPOOL_FREE)
        out->pool = r->size;
    else if (out->call >= SLAB_CALL_MEMPOOL_CREATE && out->call <= SLAB_CALL_MEMPOOL_DESTROY)
        out->pool = r->addr;
    out->elements = r->size;
    return true;
}

uint64_t record_call_play(struct slab_calls *c, const struct record_call *r, uint64_t ns)
{
    switch (r->call) {
    case SLAB_CALL_CACHE_CREATE: slab_calls_create_cache(c, &r->e, &r->cache, ns); return 0;
    default: return slab_calls_play(c, r->call, &r->e, r->pool, r->elements, ns);
    }
}
