/*
 * How fragmented free memory is, in the kernel's own integer arithmetic (mm/vmstat.c, mm/compaction.c; linux-mm 3.1,
 * 3.3, 4.5), and the files in which Linux shows it. The indices are functions of `nr_free[order]`, the free blocks of
 * each order of one zone, so they serve recorded /proc/buddyinfo as well as a simulated zone.
 */
#ifndef FRAMES_FRAGMENTATION_H
#define FRAMES_FRAGMENTATION_H

#include "frames/frames.h"

#include <stdio.h>

struct frag_info {
    uint64_t free_pages, free_blocks;
    uint64_t suitable; /* blocks of the wanted order that exist without merging */
};
struct frag_info frag_info(const uint64_t nr_free[FRAME_ORDERS], unsigned order);

/* U(order): 0 (all free memory usable for this order) .. 1000 (none). 1000 if nothing is free. */
int frag_unusable_index(const uint64_t nr_free[FRAME_ORDERS], unsigned order);
/* E(order): -1000 if a request would succeed, else near 0: failure for lack of memory, near 1000: by fragmentation. */
int frag_extfrag_index(const uint64_t nr_free[FRAME_ORDERS], unsigned order);
/* Percent of free memory outside blocks of this order or more (extfrag_for_order). */
unsigned frag_percent(const uint64_t nr_free[FRAME_ORDERS], unsigned order);
/* The node's score of proactive compaction, 0..100: zones weighted by present pages (fragmentation_score_node). */
unsigned frag_proactive_score(const struct frame_map *map);
/* Share of free memory that is in whole huge-page-sized blocks, 0..1; 0 if nothing is free. `_zone` for one zone. */
double frag_free_huge_share_zone(const struct zone *z, unsigned order);
double frag_free_huge_share(const struct frame_map *map, unsigned order);
/* Free blocks of `order` that exist without merging, over all zones (how many 2 MiB pages could be had: order 9). */
uint64_t frag_suitable_blocks(const struct frame_map *map, unsigned order);

/* One line of each file for any zone name and counts; `orders` columns (11 in the default kernel). */
void frag_print_buddyinfo_line(FILE *out, unsigned node, const char *zone, const uint64_t *nr_free, unsigned orders);
void frag_print_unusable_line(FILE *out, unsigned node, const char *zone, const uint64_t *nr_free, unsigned orders);
void frag_print_extfrag_line(FILE *out, unsigned node, const char *zone, const uint64_t *nr_free, unsigned orders);
/* /proc/buddyinfo, /proc/pagetypeinfo, /sys/kernel/debug/extfrag/{unusable_index,extfrag_index}: populated zones. */
void frames_print_buddyinfo(const struct frame_map *map, FILE *out);
void frames_print_pagetypeinfo(const struct frame_map *map, FILE *out);
void frames_print_unusable_index(const struct frame_map *map, FILE *out);
void frames_print_extfrag_index(const struct frame_map *map, FILE *out);

#endif
