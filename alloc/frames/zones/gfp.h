/*
 * What a request for frames asks: the gfp bits with the values of Linux 6.18 (linux/gfp_types.h; linux-mm 1.8), the
 * migratetypes, and the rules that derive zone and migratetype from a gfp mask. Bits from 24 up depend on the kernel's
 * configuration and are absent here.
 */
#ifndef FRAMES_GFP_H
#define FRAMES_GFP_H

#include <stdbool.h>
#include <stdint.h>

typedef uint32_t gfp_t;

enum gfp_bits {
    __GFP_DMA = 0x1,
    __GFP_HIGHMEM = 0x2,
    __GFP_DMA32 = 0x4,
    __GFP_MOVABLE = 0x8,
    __GFP_RECLAIMABLE = 0x10,
    __GFP_HIGH = 0x20,
    __GFP_IO = 0x40,
    __GFP_FS = 0x80,
    __GFP_ZERO = 0x100,
    __GFP_DIRECT_RECLAIM = 0x400,
    __GFP_KSWAPD_RECLAIM = 0x800,
    __GFP_WRITE = 0x1000,
    __GFP_NOWARN = 0x2000,
    __GFP_RETRY_MAYFAIL = 0x4000,
    __GFP_NOFAIL = 0x8000,
    __GFP_NORETRY = 0x10000,
    __GFP_MEMALLOC = 0x20000,
    __GFP_COMP = 0x40000,
    __GFP_NOMEMALLOC = 0x80000,
    __GFP_HARDWALL = 0x100000,
    __GFP_THISNODE = 0x200000,
    __GFP_ACCOUNT = 0x400000,
    __GFP_ZEROTAGS = 0x800000,

    __GFP_RECLAIM = __GFP_DIRECT_RECLAIM | __GFP_KSWAPD_RECLAIM,
    GFP_ATOMIC = __GFP_HIGH | __GFP_KSWAPD_RECLAIM,
    GFP_NOWAIT = __GFP_KSWAPD_RECLAIM | __GFP_NOWARN,
    GFP_NOIO = __GFP_RECLAIM,
    GFP_NOFS = __GFP_RECLAIM | __GFP_IO,
    GFP_KERNEL = __GFP_RECLAIM | __GFP_IO | __GFP_FS,
    GFP_KERNEL_ACCOUNT = GFP_KERNEL | __GFP_ACCOUNT,
    GFP_USER = GFP_KERNEL | __GFP_HARDWALL,
    GFP_DMA = __GFP_DMA,
    GFP_DMA32 = __GFP_DMA32,
    GFP_HIGHUSER = GFP_USER | __GFP_HIGHMEM,
    GFP_HIGHUSER_MOVABLE = GFP_HIGHUSER | __GFP_MOVABLE,
    GFP_TRANSHUGE_LIGHT = (GFP_HIGHUSER_MOVABLE | __GFP_COMP | __GFP_NOMEMALLOC | __GFP_NOWARN) & ~__GFP_RECLAIM,
    GFP_TRANSHUGE = GFP_TRANSHUGE_LIGHT | __GFP_DIRECT_RECLAIM,
    GFP_PGTABLE_USER = GFP_KERNEL_ACCOUNT | __GFP_ZERO, /* page tables of a process */
};

/* Without CMA. The free lists of the last two exist; requests never name them. */
enum migratetype {
    MIGRATE_UNMOVABLE,
    MIGRATE_MOVABLE,
    MIGRATE_RECLAIMABLE,
    MIGRATE_PCPTYPES, /* the types that merge with each other and that requests name are below this */
    MIGRATE_HIGHATOMIC = MIGRATE_PCPTYPES,
    MIGRATE_ISOLATE,
    MIGRATE_TYPES,
};

/* Index order is fixed; absent zones are compiled out, so a 32-bit kernel numbers its own differently (memory.zones). An empty
 * zone is allowed: requests may name Movable (as their highest zone) whether or not it has memory, and lowmem_reserve
 * depends on that. */
enum zone_type { ZONE_DMA, ZONE_DMA32, ZONE_NORMAL, ZONE_MOVABLE, N_ZONES };
enum { ZONE_NORMAL_32 = 1, ZONE_HIGHMEM_32 = 2 };

/* The highest zone a request may use (GFP_ZONE_TABLE of a 64-bit kernel). More than one of DMA, HIGHMEM and DMA32 is
 * invalid and is read as the lowest of them. */
static inline enum zone_type gfp_zone(gfp_t gfp)
{
    if (gfp & __GFP_DMA)
        return ZONE_DMA;
    if (gfp & __GFP_DMA32)
        return ZONE_DMA32;
    return (gfp & (__GFP_HIGHMEM | __GFP_MOVABLE)) == (__GFP_HIGHMEM | __GFP_MOVABLE) ? ZONE_MOVABLE : ZONE_NORMAL;
}

/* ... of a 32-bit kernel: no DMA32, HIGHMEM is a zone of its own. */
static inline enum zone_type gfp_zone_32(gfp_t gfp)
{
    if (gfp & __GFP_DMA)
        return ZONE_DMA;
    if (gfp & __GFP_HIGHMEM)
        return gfp & __GFP_MOVABLE ? ZONE_MOVABLE : (enum zone_type)ZONE_HIGHMEM_32;
    return (enum zone_type)ZONE_NORMAL_32;
}

/* MOVABLE and RECLAIMABLE together are invalid and are read as MOVABLE. */
static inline enum migratetype gfp_migratetype(gfp_t gfp)
{
    if (gfp & __GFP_MOVABLE)
        return MIGRATE_MOVABLE;
    return gfp & __GFP_RECLAIMABLE ? MIGRATE_RECLAIMABLE : MIGRATE_UNMOVABLE;
}

#endif
