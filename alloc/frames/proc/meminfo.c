#include "frames/proc/meminfo.h"

#include "frames/zones/available.h"

enum { KIB = 1024, PAGE_KIB = PAGE_BYTES / KIB, HUGE_PAGES = 512 }; /* a huge page of x86-64: 2 MiB */
#define GIGANTIC_PAGES (UINT64_C(1) << 18)                           /* ... 1 GiB */

/* In the kernel's order; a row of which nothing is known here is left out. */
void frames_print_meminfo(const struct frame_map *map, const struct uses_more *more, FILE *out)
{
    static const struct uses_more none;
    struct uses node[FRAME_NODES] = {0}, u = {0};
    uint64_t free = 0, high = 0, high_free = 0;
    more = more ? more : &none;
    uses_count(map, more, node);
    for (unsigned n = 0; n < map->n_nodes; n++) {
        for (unsigned t = 0; t < N_FRAME_TAGS; t++)
            u.tag[t] += node[n].tag[t];
        u.huge += node[n].huge;
        u.reclaimable += node[n].reclaimable;
        u.unknown_slabs += node[n].unknown_slabs;
    }
    for (unsigned i = 0; i < map->n_zones; i++) {
        const struct zone *z = &map->zones[i];
        bool is_high = z->flags & ZONE_IS_HIGHMEM || (map->zones_x32 && z->flags & ZONE_IS_MOVABLE); /* carved from HighMem there */
        free += z->free;
        high += is_high ? z->managed : 0;
        high_free += is_high ? z->free : 0;
    }
    const struct uses_known k = uses_known(&u, more);
    const uint64_t *t = u.tag, pool = more->gigantic * GIGANTIC_PAGES, managed = map->managed;
    /* Nothing but files' pages stands on the lists of files' pages, and all of them do. */
    uint64_t available = zones_mem_available(map->zones, map->n_zones, free, t[FRAME_TAG_FILE], u.reclaimable);
    const struct { const char *name; bool known; uint64_t n; enum { PAGES, KB, COUNT } unit; } row[] = {
        {"MemTotal", true, managed, PAGES},
        {"MemFree", true, free, PAGES},
        {"MemAvailable", k.user && k.slabs, available, PAGES},
        {"Buffers", k.user, 0, PAGES}, /* there is no block device */
        {"Cached", k.user, t[FRAME_TAG_FILE] + t[FRAME_TAG_SHMEM], PAGES},
        {"SwapCached", true, 0, PAGES}, /* there is no swap device */
        {"HighTotal", map->zones_x32, high, PAGES},
        {"HighFree", map->zones_x32, high_free, PAGES},
        {"LowTotal", map->zones_x32, managed - high, PAGES},
        {"LowFree", map->zones_x32, free - high_free, PAGES},
        {"SwapTotal", true, 0, PAGES},
        {"SwapFree", true, 0, PAGES},
        {"AnonPages", k.anon, t[FRAME_TAG_ANON], PAGES},
        {"Mapped", k.no_files && k.no_shmem, 0, PAGES}, /* which pages of files are mapped is not known, if there are any */
        {"Shmem", k.user, t[FRAME_TAG_SHMEM], PAGES},
        {"KReclaimable", k.slabs, u.reclaimable, PAGES}, /* slabs only: no driver's pool */
        {"Slab", k.all, t[FRAME_TAG_SLAB], PAGES},
        {"SReclaimable", k.slabs, u.reclaimable, PAGES},
        {"SUnreclaim", k.slabs, t[FRAME_TAG_SLAB] - u.reclaimable, PAGES},
        {"PageTables", k.all, t[FRAME_TAG_PGTABLE], PAGES},
        {"NFS_Unstable", true, 0, PAGES}, /* these three are 0 in every kernel of today */
        {"Bounce", true, 0, PAGES},
        {"WritebackTmp", true, 0, PAGES},
        {"CommitLimit", true, commit_limit_pages(managed, pool, 0, OVERCOMMIT_RATIO), PAGES},
        {"VmallocTotal", more->vmalloc_bytes != 0, (more->vmalloc_bytes - 1) / KIB, KB}, /* the kernel's end is the last byte */
        {"VmallocUsed", k.all, t[FRAME_TAG_VMALLOC], PAGES},
        {"VmallocChunk", true, 0, PAGES}, /* 0 in every kernel of today */
        {"AnonHugePages", k.anon, u.huge * HUGE_PAGES, PAGES},
        {"ShmemHugePages", k.no_shmem, 0, PAGES},
        {"ShmemPmdMapped", k.no_shmem, 0, PAGES},
        {"FileHugePages", k.no_files, 0, PAGES},
        {"FilePmdMapped", k.no_files, 0, PAGES},
        {"HugePages_Total", true, 0, COUNT}, /* of 2 MiB pages there is no pool; one of 1 GiB pages is in Hugetlb */
        {"HugePages_Free", true, 0, COUNT},
        {"HugePages_Rsvd", true, 0, COUNT},
        {"HugePages_Surp", true, 0, COUNT},
        {"Hugepagesize", !map->zones_x32, HUGE_PAGES, PAGES}, /* 4 MiB without PAE: not known there */
        {"Hugetlb", true, pool, PAGES},
    };
    for (size_t i = 0; i < ARRAY_LEN(row); i++) {
        char name[24];
        snprintf(name, sizeof name, "%s:", row[i].name);
        if (row[i].known)
            fprintf(out, "%-16s%8llu%s\n", name, (unsigned long long)row[i].n * (row[i].unit == PAGES ? PAGE_KIB : 1),
                    row[i].unit == COUNT ? "" : " kB");
    }
}
