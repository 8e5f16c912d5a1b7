#include "frames/zones/zone.h"

/* Bounds of min_free_kbytes (calculate_min_free_kbytes, since 5.8) and of Movable's minimum mark. */
enum { MIN_FREE_KB_LEAST = 128, MIN_FREE_KB_MOST = 262144, MOVABLE_MIN_LEAST = 32, MOVABLE_MIN_MOST = 128 };
enum { PAGE_KB = 4 };

static uint64_t clamp_u64(uint64_t v, uint64_t lo, uint64_t hi) { return v < lo ? lo : v > hi ? hi : v; }
static uint64_t max_u64(uint64_t a, uint64_t b) { return a > b ? a : b; }
static uint64_t min_u64(uint64_t a, uint64_t b) { return a < b ? a : b; }

static uint64_t isqrt(uint64_t x)
{
    uint64_t r = 0;
    for (uint64_t bit = 1ull << 31; bit; bit >>= 1)
        if ((r + bit) * (r + bit) <= x)
            r += bit;
    return r;
}

/* nr_free_buffer_pages: what GFP_USER may use, above the high watermarks. */
static uint64_t buffer_pages(const struct zone *z, unsigned n)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < n; i++)
        if (zone_lowmem(&z[i]) && z[i].managed > z[i].wmark[WMARK_HIGH])
            sum += z[i].managed - z[i].wmark[WMARK_HIGH];
    return sum;
}

uint64_t zones_min_free_kb(const struct zone *z, unsigned n)
{
    return clamp_u64(isqrt(buffer_pages(z, n) * PAGE_KB * 16), MIN_FREE_KB_LEAST, MIN_FREE_KB_MOST);
}

uint64_t zones_min_free_kb_khugepaged(const struct zone *z, unsigned n, uint64_t min_free_kb, unsigned pageblock_order)
{
    uint64_t zones = 0;
    for (unsigned i = 0; i < n; i++)
        zones += zone_lowmem(&z[i]) && zone_populated(&z[i]);
    uint64_t want = zones << pageblock_order;
    /* Two pageblocks a zone so that one is free for each kind of fallback, and one for each pair of types. */
    uint64_t rec = want * 2 + want * MIGRATE_PCPTYPES * MIGRATE_PCPTYPES;
    rec = min_u64(rec, buffer_pages(z, n) / 20);
    return max_u64(min_free_kb, rec * PAGE_KB);
}

void zones_set_watermarks(struct zone *z, unsigned n, uint64_t min_free_kb, uint32_t scale_factor)
{
    uint64_t lowmem = 0, pages_min = min_free_kb / PAGE_KB;
    for (unsigned i = 0; i < n; i++)
        lowmem += zone_lowmem(&z[i]) ? z[i].managed : 0;
    for (unsigned i = 0; i < n; i++) {
        uint64_t share = lowmem ? (uint64_t)((unsigned __int128)pages_min * z[i].managed / lowmem) : 0;
        uint64_t gap = max_u64(share / 4, z[i].managed * scale_factor / 10000);
        uint64_t mark = !zone_lowmem(&z[i])
                            ? clamp_u64(z[i].managed / 1024, MOVABLE_MIN_LEAST, MOVABLE_MIN_MOST)
                            : share;
        for (unsigned w = 0; w < N_WMARKS; w++, mark += gap)
            z[i].wmark[w] = mark;
        z[i].boost = 0;
    }
}

void zones_set_lowmem_reserve(struct zone z[N_ZONES], const uint32_t ratio[N_ZONES])
{
    for (unsigned i = 0; i < N_ZONES; i++) {
        uint64_t sum = 0;
        for (unsigned j = 0; j < N_ZONES; j++) {
            z[i].lowmem_reserve[j] = 0;
            if (j <= i)
                continue;
            sum += z[j].managed;
            if (ratio[i] && z[i].managed)
                z[i].lowmem_reserve[j] = sum / ratio[i];
        }
    }
}

static uint64_t free_highatomic(const struct zone *z)
{
    uint64_t n = 0;
    for (uint32_t have = z->nonempty[MIGRATE_HIGHATOMIC]; have; have &= have - 1) {
        unsigned o = (unsigned)__builtin_ctz(have);
        n += (uint64_t)z->nr_free_mt[o][MIGRATE_HIGHATOMIC] << o;
    }
    return n;
}

bool zone_mark_ok(const struct zone *z, unsigned order, uint64_t mark, enum zone_type highest, unsigned flags,
                  uint64_t free)
{
    uint64_t unusable = (1ull << order) - 1, min = mark;
    if (unlikely(z->nonempty[MIGRATE_HIGHATOMIC]) && !(flags & ALLOC_RESERVES))
        unusable += free_highatomic(z);
    if (free <= unusable)
        return false;
    if (flags & ALLOC_MIN_RESERVE) {
        min -= min / 2;
        if (flags & ALLOC_NON_BLOCK)
            min -= min / 4;
    }
    if (flags & ALLOC_OOM)
        min -= min / 2;
    if (free - unusable <= min + z->lowmem_reserve[highest])
        return false;
    if (order == 0)
        return true;
    uint32_t have = z->nonempty[MIGRATE_UNMOVABLE] | z->nonempty[MIGRATE_MOVABLE] | z->nonempty[MIGRATE_RECLAIMABLE];
    if (flags & (ALLOC_HIGHATOMIC | ALLOC_OOM))
        have |= z->nonempty[MIGRATE_HIGHATOMIC];
    return have >> order != 0;
}

bool zone_watermark_exactly(const struct zone *z, unsigned order, enum zone_type highest, unsigned flags)
{
    unsigned w = flags & ALLOC_WMARK_MASK;
    if (zone_mark_ok(z, order, z->wmark[w] + z->boost, highest, flags, z->free))
        return true;
    /* The boost is no reason to refuse an urgent single page (zone_watermark_fast). */
    return unlikely(z->boost) && order == 0 && w == WMARK_MIN && (flags & ALLOC_MIN_RESERVE) &&
           zone_mark_ok(z, order, z->wmark[w], highest, flags, z->free);
}
