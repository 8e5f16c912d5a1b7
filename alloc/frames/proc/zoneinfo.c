#include "frames/proc/zoneinfo.h"

#include "frames/buddy/pcp.h"

typedef unsigned long long ull;

enum { STAT_THRESHOLD_MOST = 125, STAT_THRESHOLD_SHIFT = 15 };

static unsigned fls64(uint64_t x) { return x ? 64u - (unsigned)__builtin_clzll(x) : 0; }

unsigned zone_stat_threshold(unsigned cpus, uint64_t managed)
{
    unsigned t = 2 * fls64(cpus) * (1 + fls64(managed >> STAT_THRESHOLD_SHIFT));
    return t < STAT_THRESHOLD_MOST ? t : STAT_THRESHOLD_MOST;
}

/* In the kernel's order; a row of which nothing is known here is left out. */
static void print_node(const struct uses *n, const struct uses_more *more, FILE *out)
{
    const uint64_t *t = n->tag;
    const struct uses_known k = uses_known(n, more);
    const struct { const char *name; bool known; uint64_t pages; } row[] = {
        {"nr_slab_reclaimable", k.slabs, n->reclaimable},
        {"nr_slab_unreclaimable", k.slabs, t[FRAME_TAG_SLAB] - n->reclaimable},
        {"nr_isolated_anon", true, 0}, /* compaction has put back what it took when a file is written */
        {"nr_isolated_file", true, 0},
        {"nr_anon_pages", k.anon, t[FRAME_TAG_ANON]},
        {"nr_mapped", k.no_files && k.no_shmem, 0}, /* which pages of files are mapped is not known, if there are any */
        {"nr_file_pages", k.user, t[FRAME_TAG_FILE] + t[FRAME_TAG_SHMEM]},
        {"nr_shmem", k.user, t[FRAME_TAG_SHMEM]},
        {"nr_shmem_hugepages", k.no_shmem, 0},
        {"nr_shmem_pmdmapped", k.no_shmem, 0},
        {"nr_file_hugepages", k.no_files, 0},
        {"nr_file_pmdmapped", k.no_files, 0},
        {"nr_anon_transparent_hugepages", k.anon, n->huge},
        {"nr_page_table_pages", k.all, t[FRAME_TAG_PGTABLE]},
    };
    fprintf(out, "\n  per-node stats");
    for (size_t i = 0; i < ARRAY_LEN(row); i++)
        if (row[i].known)
            fprintf(out, "\n      %-12s %llu", row[i].name, (ull)row[i].pages);
}

/* A zone that 64-bit kernels have and that never holds simulated memory. */
static void print_device(unsigned node, FILE *out)
{
    static const char *const rows[] = {"boost", "min", "low", "high", "promo", "spanned", "present", "managed", "cma"};
    fprintf(out, "Node %u, zone %8s\n  pages free     0", node, "Device");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        fprintf(out, "\n        %-8s 0", rows[i]);
    fprintf(out, "\n        protection: (0, 0, 0, 0, 0)\n");
}

static void print_zone(const struct frame_map *map, const struct zone *z, const struct uses *use, const struct uses_more *more, FILE *out)
{
    static const char *const marks[N_WMARKS] = {"min", "low", "high", "promo"};
    fprintf(out, "Node %u, zone %8s", z->node, z->name);
    if (use)
        print_node(use, more, out);
    fprintf(out, "\n  pages free     %llu\n        boost    %llu", (ull)z->free, (ull)z->boost);
    for (unsigned w = 0; w < N_WMARKS; w++)
        fprintf(out, "\n        %-8s %llu", marks[w], (ull)z->wmark[w] + (ull)z->boost);
    fprintf(out, "\n        spanned  %llu\n        present  %llu\n        managed  %llu\n        cma      0",
            (ull)z->end - (ull)z->start, (ull)z->present, (ull)z->managed);
    fprintf(out, "\n        protection: (%llu", (ull)z->lowmem_reserve[0]);
    for (unsigned j = 1; j < (map->zones_x32 ? N_ZONES : N_ZONES + 1u); j++) /* and Device */
        fprintf(out, ", %llu", (ull)z->lowmem_reserve[j < N_ZONES ? j : N_ZONES - 1]);
    fputs(")", out);
    if (zone_populated(z)) {
        fprintf(out, "\n      %-12s %llu\n      %-12s %llu\n      %-12s 0", "nr_free_pages", (ull)z->free, "nr_free_pages_blocks",
                (ull)z->free_blocks, "nr_free_cma");
        fprintf(out, "\n      %-12s %llu\n      %-12s %llu\n      %-12s %llu\n      %-12s 0\n      %-12s %llu\n      %-12s %llu",
                "numa_hit", (ull)z->st.numa_hit, "numa_miss", (ull)z->st.numa_miss, "numa_foreign", (ull)z->st.numa_foreign,
                "numa_interleave", "numa_local", (ull)z->st.numa_local, "numa_other", (ull)z->st.numa_other);
        fputs("\n  pagesets", out);
        for (unsigned c = 0; map->pcps && c < map->cpus; c++) {
            const struct pcp *p = pcp_of(map, z, c);
            fprintf(out, "\n    cpu: %u\n              count:    %u\n              high:     %u\n              batch:    %u"
                         "\n              high_min: %u\n              high_max: %u\n  vm stats threshold: %u",
                    c, p->count, p->high, z->pcp_batch, z->pcp_high_min, z->pcp_high_max,
                    zone_stat_threshold(map->cpus, z->managed));
        }
        fprintf(out, "\n  node_unreclaimable:  0\n  start_pfn:           %llu", (ull)z->start);
    }
    fputc('\n', out);
}

void frames_print_zoneinfo(const struct frame_map *map, const struct uses_more *more, FILE *out)
{
    static const struct uses_more none;
    struct uses use[FRAME_NODES] = {0};
    more = more ? more : &none;
    uses_count(map, more, use);
    for (unsigned node = 0; node < map->n_nodes; node++) {
        bool first = true;
        for (unsigned t = 0; t < N_ZONES; t++) {
            const struct zone *z = &map->zones[node * N_ZONES + t];
            print_zone(map, z, first && zone_populated(z) ? &use[node] : NULL, more, out);
            first &= !zone_populated(z);
        }
        if (!map->zones_x32)
            print_device(node, out);
    }
}
