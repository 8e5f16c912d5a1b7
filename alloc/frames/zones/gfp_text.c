#include "frames/zones/gfp_text.h"

#include "engine/types.h"
#include "frames/zones/gfp.h"

#include <inttypes.h>
#include <stdio.h>

/* Each is printed where all its bits are left, which it then takes: composites before single bits, in the kernel's order. */
#define N(name) {#name, (uint32_t)(name)}
static const struct { const char *name; uint32_t bits; } names[] = {
    N(GFP_TRANSHUGE), N(GFP_TRANSHUGE_LIGHT), N(GFP_HIGHUSER_MOVABLE), N(GFP_HIGHUSER), N(GFP_USER), N(GFP_KERNEL_ACCOUNT),
    N(GFP_KERNEL), N(GFP_NOFS), N(GFP_ATOMIC), N(GFP_NOIO), N(GFP_NOWAIT), N(GFP_DMA), N(GFP_DMA32), N(__GFP_RECLAIM),
    N(__GFP_HIGHMEM), N(__GFP_MOVABLE), N(__GFP_RECLAIMABLE), N(__GFP_HIGH), N(__GFP_IO), N(__GFP_FS), N(__GFP_ZERO),
    N(__GFP_DIRECT_RECLAIM), N(__GFP_KSWAPD_RECLAIM), N(__GFP_WRITE), N(__GFP_NOWARN), N(__GFP_RETRY_MAYFAIL), N(__GFP_NOFAIL),
    N(__GFP_NORETRY), N(__GFP_MEMALLOC), N(__GFP_COMP), N(__GFP_NOMEMALLOC), N(__GFP_HARDWALL), N(__GFP_THISNODE), N(__GFP_ACCOUNT),
    N(__GFP_ZEROTAGS),
};
#undef N

const char *gfp_text(uint64_t gfp, char buf[GFP_TEXT])
{
    size_t n = 0;
    buf[0] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if ((gfp & names[i].bits) == names[i].bits && n < GFP_TEXT) {
            n += (size_t)snprintf(buf + n, GFP_TEXT - n, "%s%s", n ? "|" : "", names[i].name);
            gfp &= ~(uint64_t)names[i].bits;
        }
    if (gfp && n < GFP_TEXT)
        n += (size_t)snprintf(buf + n, GFP_TEXT - n, "%s0x%" PRIx64, n ? "|" : "", gfp);
    if (n == 0)
        snprintf(buf, GFP_TEXT, "none");
    return buf;
}
