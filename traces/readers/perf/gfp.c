/*
 * Names of gfp flags, of every kernel version, to the bits of Linux 6.18 (linux-mm 1.8, 14.2). Above bit 23 the kernel's
 * own numbers depend on its configuration, so these get fixed places here.
 */
#include "traces/readers/perf/line.h"
#include "traces/readers/scan.h"
#include "traces/record.h"

enum {
    DMA = 0x1, HIGHMEM = 0x2, DMA32 = 0x4, MOVABLE = 0x8, RECLAIMABLE = 0x10, HIGH = 0x20, IO = 0x40, FS = 0x80,
    ZERO = 0x100, ATOMIC = 0x200, DIRECT = 0x400, KSWAPD = 0x800, WRITE = 0x1000, NOWARN = 0x2000, RETRY = 0x4000,
    NOFAIL = 0x8000, NORETRY = 0x10000, MEMALLOC = 0x20000, COMP = 0x40000, NOMEMALLOC = 0x80000, HARDWALL = 0x100000,
    THISNODE = 0x200000, ACCOUNT = 0x400000, ZEROTAGS = 0x800000,
    RECLAIM = DIRECT | KSWAPD,
    KERNEL = RECLAIM | IO | FS,
    USER = KERNEL | HARDWALL,
    HIGHUSER = USER | HIGHMEM,
    HUM = HIGHUSER | MOVABLE,
    THP_LIGHT = (HUM | COMP | NOMEMALLOC | NOWARN) & ~RECLAIM,
};

static const struct { const char *name; uint32_t bits; } names[] = {
    {"GFP_HIGHUSER_MOVABLE", HUM}, {"GFP_KERNEL", KERNEL}, {"__GFP_ZERO", ZERO}, {"__GFP_COMP", COMP},
    {"__GFP_ACCOUNT", ACCOUNT}, {"GFP_NOWAIT", KSWAPD | NOWARN}, {"GFP_NOFS", RECLAIM | IO}, {"GFP_ATOMIC", HIGH | KSWAPD},
    {"GFP_KERNEL_ACCOUNT", KERNEL | ACCOUNT}, {"__GFP_NOFAIL", NOFAIL}, {"__GFP_WRITE", WRITE},
    {"__GFP_NORETRY", NORETRY}, {"__GFP_NOWARN", NOWARN}, {"__GFP_HARDWALL", HARDWALL}, {"__GFP_MOVABLE", MOVABLE},
    {"__GFP_HIGHMEM", HIGHMEM}, {"__GFP_NOMEMALLOC", NOMEMALLOC}, {"__GFP_FS", FS}, {"__GFP_IO", IO},
    {"__GFP_RECLAIMABLE", RECLAIMABLE}, {"__GFP_THISNODE", THISNODE},
    {"GFP_TRANSHUGE", THP_LIGHT | DIRECT}, {"GFP_TRANSHUGE_LIGHT", THP_LIGHT}, {"GFP_HIGHUSER", HIGHUSER},
    {"GFP_USER", USER}, {"GFP_NOIO", RECLAIM}, {"GFP_DMA", DMA}, {"GFP_DMA32", DMA32}, {"GFP_ZONEMASK", 0xf},
    {"__GFP_DMA", DMA}, {"__GFP_DMA32", DMA32}, {"__GFP_HIGH", HIGH}, {"__GFP_RECLAIM", RECLAIM},
    {"__GFP_DIRECT_RECLAIM", DIRECT}, {"__GFP_KSWAPD_RECLAIM", KSWAPD}, {"__GFP_RETRY_MAYFAIL", RETRY},
    {"__GFP_MEMALLOC", MEMALLOC}, {"__GFP_ZEROTAGS", ZEROTAGS},
    /* Linux 4.x and 5.x */
    {"GFP_TEMPORARY", KERNEL | RECLAIMABLE}, {"__GFP_REPEAT", RETRY}, {"__GFP_ATOMIC", ATOMIC}, {"__GFP_WAIT", DIRECT},
    {"__GFP_NOTRACK", TRACE_GFP_OLD}, {"__GFP_COLD", TRACE_GFP_OLD}, {"__GFP_OTHER_NODE", TRACE_GFP_OLD},
    {"__GFP_NO_KSWAPD", TRACE_GFP_OLD},
    {"GFP_IOFS", IO | FS},
    {"__GFP_SKIP_ZERO", TRACE_GFP_SKIP_ZERO}, {"__GFP_SKIP_KASAN", TRACE_GFP_SKIP_KASAN},
    {"__GFP_SKIP_KASAN_POISON", TRACE_GFP_SKIP_KASAN}, {"__GFP_SKIP_KASAN_UNPOISON", TRACE_GFP_SKIP_KASAN},
    {"__GFP_NOLOCKDEP", TRACE_GFP_NOLOCKDEP}, {"__GFP_NO_OBJ_EXT", TRACE_GFP_NO_OBJ_EXT}, {"__GFP_CMA", TRACE_GFP_CMA},
};

static bool one(const char *s, size_t n, uint64_t *out)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strlen(names[i].name) == n && !memcmp(names[i].name, s, n)) {
            *out |= names[i].bits;
            return true;
        }
    if (n == 4 && !memcmp(s, "none", 4))
        return true;
    const char *p = s, *end = s + n;
    uint64_t v;
    if (!scan_word(&p, end, "0x") || !scan_hex(&p, end, &v) || p != end)
        return false;
    *out |= v & (ZEROTAGS * 2 - 1); /* bits from 24 up mean what the configuration says: not known */
    if (v & ~(uint64_t)(ZEROTAGS * 2 - 1))
        *out |= TRACE_GFP_OLD;
    return true;
}

bool perf_gfp_parse(const char *s, size_t n, uint64_t *out)
{
    const char *end = s + n;
    *out = 0;
    while (s < end) {
        const char *bar = memchr(s, '|', (size_t)(end - s));
        const char *stop = bar ? bar : end;
        if (stop == s || !one(s, (size_t)(stop - s), out))
            return false;
        if (bar && bar + 1 == end)
            return false;
        s = bar ? bar + 1 : end;
    }
    return n > 0;
}
