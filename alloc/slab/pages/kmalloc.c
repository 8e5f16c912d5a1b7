/* The kmalloc caches and which of them a request takes: linux-mm 5.5. */
#include "slab/slab_internal.h"

#include <stdio.h>
#include <string.h>

/* In order of creation within a kind: 96 and 192 first, as in the kernel's list of caches. */
static const uint16_t class_bytes[KMALLOC_CLASSES] = {8, 16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096, 8192};
static const uint8_t creation[KMALLOC_CLASSES] = {4, 6, 0, 1, 2, 3, 5, 7, 8, 9, 10, 11, 12};

static unsigned class_of(const struct slab_sys *s, uint64_t size)
{
    unsigned i = 0;
    while (class_bytes[i] < size || class_bytes[i] < s->ops->kmalloc_min)
        i++;
    return i;
}

static unsigned type_of(const struct slab_sys *s, gfp_t gfp, uint64_t call_site)
{
    if (gfp & __GFP_DMA)
        return KMALLOC_DMA;
    if (gfp & __GFP_RECLAIMABLE)
        return KMALLOC_RCL;
    if ((gfp & __GFP_ACCOUNT) && s->cfg.memcg)
        return KMALLOC_CG;
    if (!s->cfg.random_kmalloc)
        return KMALLOC_NORMAL;
    /* hash_64(call site ^ seed, 4 bits) of 16 copies, the plain one among them */
    unsigned h = (unsigned)(((call_site ^ s->seed) * 0x61C8864680B583EBull) >> 60);
    return h ? KMALLOC_RND + h - 1 : KMALLOC_NORMAL;
}

struct kmem_cache *slab_kmalloc_cache(const struct slab_sys *s, uint64_t size, gfp_t gfp, uint64_t call_site)
{
    if (size == 0 || size > s->ops->kmalloc_max || s->ops->kmalloc)
        return NULL;
    return s->kmalloc[type_of(s, gfp, call_site)][class_of(s, size)];
}

static void name_of(char *out, unsigned type, unsigned bytes)
{
    static const char *const prefix[] = {"kmalloc", "kmalloc-rcl", "dma-kmalloc", "kmalloc-cg"};
    char size[16];
    if (bytes < 1024)
        snprintf(size, sizeof size, "%u", bytes);
    else
        snprintf(size, sizeof size, "%uk", bytes / 1024);
    if (type < KMALLOC_RND)
        snprintf(out, SLAB_NAME, "%s-%s", prefix[type], size);
    else
        snprintf(out, SLAB_NAME, "kmalloc-rnd-%02u-%s", type - KMALLOC_RND + 1, size);
}

int kmalloc_init(struct slab_sys *s, struct err *err)
{
    static const unsigned flags[] = {0, SLAB_RECLAIM_ACCOUNT, SLAB_CACHE_DMA, SLAB_ACCOUNT};
    if (s->ops->kmalloc)
        return 0;
    for (unsigned type = 0; type < KMALLOC_TYPES; type++) {
        if ((type == KMALLOC_CG && !s->cfg.memcg) || (type >= KMALLOC_RND && !s->cfg.random_kmalloc))
            continue;
        for (unsigned k = 0; k < KMALLOC_CLASSES; k++) {
            uint16_t bytes = class_bytes[creation[k]];
            if (bytes < s->ops->kmalloc_min)
                continue;
            char name[SLAB_NAME];
            name_of(name, type, bytes);
            bool normal = type == KMALLOC_NORMAL || type >= KMALLOC_RND;
            struct kmem_cache_args a = {.name = name, .size = bytes, .align = bytes & -(uint32_t)bytes, .usersize = bytes,
                                        .flags = SLAB_KMALLOC | (normal ? 0 : flags[type]) |
                                                 (normal && s->cfg.memcg ? SLAB_NO_MERGE : 0)};
            struct kmem_cache *c = kmem_cache_create(s, &a);
            if (!c)
                return err_set(err, ERR_USAGE, "slab: the cache %s cannot be built", name);
            s->kmalloc[type][creation[k]] = c;
        }
    }
    return 0;
}
