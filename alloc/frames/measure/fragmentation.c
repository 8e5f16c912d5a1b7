#include "frames/measure/fragmentation.h"

enum { HUGE_PAGE_ORDER = 9 }; /* COMPACTION_HPAGE_ORDER: what the proactive score is about */

struct frag_info frag_info(const uint64_t nr_free[FRAME_ORDERS], unsigned order)
{
    struct frag_info i = {0};
    for (unsigned o = 0; o < FRAME_ORDERS; o++) {
        i.free_blocks += nr_free[o];
        i.free_pages += nr_free[o] << o;
        if (o >= order)
            i.suitable += nr_free[o] << (o - order);
    }
    return i;
}

int frag_unusable_index(const uint64_t nr_free[FRAME_ORDERS], unsigned order)
{
    struct frag_info i = frag_info(nr_free, order);
    if (i.free_pages == 0)
        return 1000;
    return (int)((i.free_pages - (i.suitable << order)) * 1000 / i.free_pages);
}

int frag_extfrag_index(const uint64_t nr_free[FRAME_ORDERS], unsigned order)
{
    struct frag_info i = frag_info(nr_free, order);
    if (i.free_blocks == 0)
        return 0;
    if (i.suitable)
        return -1000;
    return 1000 - (int)((1000 + (i.free_pages * 1000 >> order)) / i.free_blocks);
}

unsigned frag_percent(const uint64_t nr_free[FRAME_ORDERS], unsigned order)
{
    struct frag_info i = frag_info(nr_free, order);
    if (i.free_pages == 0)
        return 0;
    return (unsigned)((i.free_pages - (i.suitable << order)) * 100 / i.free_pages);
}

unsigned frag_proactive_score(const struct frame_map *map)
{
    uint64_t present = 0, score = 0;
    for (unsigned i = 0; i < map->n_zones; i++)
        present += map->zones[i].present;
    for (unsigned i = 0; i < map->n_zones; i++) {
        const struct zone *z = &map->zones[i];
        if (zone_populated(z))
            score += z->present * frag_percent(z->nr_free, HUGE_PAGE_ORDER) / (present + 1);
    }
    return (unsigned)score;
}

double frag_free_huge_share_zone(const struct zone *z, unsigned order)
{
    uint64_t huge = frag_info(z->nr_free, order).suitable << order;
    return z->free ? (double)huge / (double)z->free : 0.0;
}

double frag_free_huge_share(const struct frame_map *map, unsigned order)
{
    uint64_t huge = frag_suitable_blocks(map, order) << order, free = 0;
    for (unsigned i = 0; i < map->n_zones; i++)
        free += map->zones[i].free;
    return free ? (double)huge / (double)free : 0.0;
}

uint64_t frag_suitable_blocks(const struct frame_map *map, unsigned order)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < map->n_zones; i++)
        n += frag_info(map->zones[i].nr_free, order).suitable;
    return n;
}

/* ---- the kernel's files (linux-mm 1.9, 3.1) ----------------------------------------------------------------------- */

void frag_print_buddyinfo_line(FILE *out, unsigned node, const char *zone, const uint64_t *nr_free, unsigned orders)
{
    fprintf(out, "Node %u, zone %8s ", node, zone);
    for (unsigned o = 0; o < orders; o++)
        fprintf(out, "%6llu ", (unsigned long long)nr_free[o]);
    fputc('\n', out);
}

void frag_print_unusable_line(FILE *out, unsigned node, const char *zone, const uint64_t *nr_free, unsigned orders)
{
    fprintf(out, "Node %u, zone %8s ", node, zone);
    for (unsigned o = 0; o < orders; o++) {
        int index = frag_unusable_index(nr_free, o);
        fprintf(out, "%d.%03d ", index / 1000, index % 1000);
    }
    fputc('\n', out);
}

void frag_print_extfrag_line(FILE *out, unsigned node, const char *zone, const uint64_t *nr_free, unsigned orders)
{
    fprintf(out, "Node %u, zone %8s ", node, zone);
    for (unsigned o = 0; o < orders; o++) {
        int index = frag_extfrag_index(nr_free, o);
        fprintf(out, "%2d.%03d ", index / 1000, index % 1000);
    }
    fputc('\n', out);
}

typedef void print_line_fn(FILE *, unsigned, const char *, const uint64_t *, unsigned);

static void each_zone(const struct frame_map *map, FILE *out, print_line_fn *print)
{
    for (unsigned i = 0; i < map->n_zones; i++)
        if (zone_populated(&map->zones[i]))
            print(out, map->zones[i].node, map->zones[i].name, map->zones[i].nr_free, map->max_order + 1);
}

void frames_print_buddyinfo(const struct frame_map *map, FILE *out)
{
    each_zone(map, out, frag_print_buddyinfo_line);
}

void frames_print_unusable_index(const struct frame_map *map, FILE *out)
{
    each_zone(map, out, frag_print_unusable_line);
}

void frames_print_extfrag_index(const struct frame_map *map, FILE *out)
{
    each_zone(map, out, frag_print_extfrag_line);
}

enum { PAGETYPEINFO_MOST = 100000 }; /* the kernel stops counting a list here, to bound the time of its lock */

static void print_block_types(const struct frame_map *map, const struct zone *z, FILE *out)
{
    uint64_t count[MIGRATE_TYPES] = {0}, step = 1ull << map->pageblock_order;
    for (uint64_t p = z->start; p < z->end; p = (p | (step - 1)) + 1) {
        bool ram = false; /* a hole has no pageblock; the kernel asks the first frame */
        for (unsigned r = 0; r < map->n_ram; r++)
            ram |= p >= map->ram[r].start && p < map->ram[r].end;
        if (ram)
            count[frames_pageblock_type(map, (pfn_t){p})]++;
    }
    fprintf(out, "Node %u, zone %8s ", z->node, z->name);
    for (unsigned t = 0; t < MIGRATE_TYPES; t++)
        fprintf(out, "%12llu ", (unsigned long long)count[t]);
    fputc('\n', out);
}

void frames_print_pagetypeinfo(const struct frame_map *map, FILE *out)
{
    fprintf(out, "Page block order: %u\nPages per block:  %u\n\n", map->pageblock_order, 1u << map->pageblock_order);
    fprintf(out, "%-43s ", "Free pages count per migrate type at order");
    for (unsigned o = 0; o <= map->max_order; o++)
        fprintf(out, "%6u ", o);
    fputc('\n', out);
    for (unsigned i = 0; i < map->n_zones; i++) {
        const struct zone *z = &map->zones[i];
        for (unsigned t = 0; zone_populated(z) && t < MIGRATE_TYPES; t++) {
            fprintf(out, "Node %4u, zone %8s, type %12s ", z->node, z->name, migratetype_name((enum migratetype)t));
            for (unsigned o = 0; o <= map->max_order; o++) {
                uint32_t n = z->nr_free_mt[o][t];
                bool over = n >= PAGETYPEINFO_MOST;
                fprintf(out, "%s%6u ", over ? ">" : "", over ? PAGETYPEINFO_MOST : n);
            }
            fputc('\n', out);
        }
    }
    fprintf(out, "\n%-23s", "Number of blocks type ");
    for (unsigned t = 0; t < MIGRATE_TYPES; t++)
        fprintf(out, "%12s ", migratetype_name((enum migratetype)t));
    fputc('\n', out);
    for (unsigned i = 0; i < map->n_zones; i++)
        if (zone_populated(&map->zones[i]))
            print_block_types(map, &map->zones[i], out);
}
