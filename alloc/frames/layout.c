/*
 * From a memory configuration to RAM ranges, zones, and the ranges that the allocator gets (linux-mm 1.1).
 *
 *   pfn 0      low_reserved     4096          1048576 - hole  1048576
 *    |--reserved--|=====DMA======|=====DMA32=====|..pci hole..|=====Normal=====|--boot_reserved--|
 */
#include "frames/layout.h"

enum { LOW_RESERVED_SHARE = 16 }; /* of a small machine at most this share is kept for low_reserved */

static const char *const zone_names[N_ZONES] = {"DMA", "DMA32", "Normal", "Movable"};

static int check_sizes(const struct memory_config *c, struct err *err)
{
    const struct { const char *key; uint64_t bytes; } sizes[] = {
        {"memory.size", c->size_bytes},
        {"memory.low_reserved", c->low_reserved_bytes},
        {"memory.pci_hole", c->pci_hole_bytes},
        {"memory.boot_reserved", c->boot_reserved_bytes},
    };
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        if (sizes[i].bytes % PAGE_BYTES)
            return err_set(err, ERR_USAGE, "%s is %llu bytes, not a multiple of 4KiB", sizes[i].key,
                           (unsigned long long)sizes[i].bytes);
    if (c->size_bytes < memory_params[0].min || c->size_bytes > memory_params[0].max)
        return err_set(err, ERR_USAGE, "memory.size is %llu bytes, not within 1MiB to 1TiB",
                       (unsigned long long)c->size_bytes);
    if (c->pci_hole_bytes > 3ull << 30)
        return err_set(err, ERR_USAGE, "memory.pci_hole is larger than 3GiB");
    return 0;
}

static void add_managed(struct frame_map *map, uint64_t start, uint64_t end)
{
    while (start < end) {
        enum zone_type t = frame_zone((pfn_t){start});
        struct zone *z = &map->zones[t];
        uint64_t stop = end < z->end ? end : z->end;
        map->ranges[map->n_ranges++] = (struct frame_range){start, stop, t};
        z->managed += stop - start;
        map->managed += stop - start;
        start = stop;
    }
}

static uint64_t overlap(uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    uint64_t lo = a > c ? a : c, hi = b < d ? b : d;
    return lo < hi ? hi - lo : 0;
}

int layout_set(struct frame_map *map, const struct memory_config *c, struct err *err)
{
    if (check_sizes(c, err))
        return -1;
    uint64_t pages = c->size_bytes >> PAGE_SHIFT, low = c->low_reserved_bytes >> PAGE_SHIFT;
    uint64_t boot = c->boot_reserved_bytes >> PAGE_SHIFT, below = DMA32_END_PFN - (c->pci_hole_bytes >> PAGE_SHIFT);
    if (low > pages / LOW_RESERVED_SHARE)
        low = pages / LOW_RESERVED_SHARE;
    if (low == 0)
        low = 1; /* pfn 0 is never given to a zone */
    if (boot >= pages - low)
        return err_set(err, ERR_USAGE, "memory.boot_reserved (%llu pages) leaves nothing of memory.size (%llu pages)",
                       (unsigned long long)boot, (unsigned long long)pages);

    map->present = pages;
    if (pages <= below || below == DMA32_END_PFN) {
        map->ram[map->n_ram++] = (struct frame_range){.start = 0, .end = pages};
    } else {
        map->ram[map->n_ram++] = (struct frame_range){.start = 0, .end = below};
        map->ram[map->n_ram++] = (struct frame_range){.start = DMA32_END_PFN, .end = DMA32_END_PFN + pages - below};
    }
    map->n_frames = map->ram[map->n_ram - 1].end;

    const uint64_t bounds[N_ZONES + 1] = {1, DMA_END_PFN, DMA32_END_PFN, UINT64_MAX, UINT64_MAX};
    for (unsigned i = 0; i < N_ZONES; i++) {
        struct zone *z = &map->zones[i];
        z->name = zone_names[i];
        z->type = (enum zone_type)i;
        z->start = bounds[i] < map->n_frames ? bounds[i] : 0;
        z->end = z->start ? (bounds[i + 1] < map->n_frames ? bounds[i + 1] : map->n_frames) : 0;
        for (unsigned r = 0; r < map->n_ram; r++)
            z->present += overlap(z->start, z->end, map->ram[r].start, map->ram[r].end);
    }

    /* What boot takes comes off the top, range by range. */
    uint64_t ends[FRAME_RAM];
    for (unsigned r = map->n_ram; r-- > 0;) {
        uint64_t have = map->ram[r].end - map->ram[r].start, take = boot < have ? boot : have;
        ends[r] = map->ram[r].end - take;
        boot -= take;
    }
    for (unsigned r = 0; r < map->n_ram; r++)
        add_managed(map, r ? map->ram[r].start : low, ends[r]);
    map->reserved = map->present - map->managed;
    return 0;
}
