#include "app/result/aged.h"

#include "frames/measure/fragmentation.h"

#include <math.h>
#include <string.h>

enum { DECIMALS = 4, MILLIONTHS = 1000000 };

static void write_zones(struct json_out *j, const struct ageing_report *r)
{
    json_begin_array(j, "zones");
    for (unsigned i = 0; i < r->n_zones; i++) {
        json_begin_object(j, NULL);
        json_str(j, "zone", r->zone[i].name);
        json_bool(j, "aged", r->zone[i].aged);
        json_u64(j, "managed_pages", r->zone[i].managed);
        json_u64(j, "free_pages", r->zone[i].free_pages);
        json_ratio(j, "unusable", r->zone[i].unusable_pages, r->zone[i].free_pages, 1, DECIMALS);
        json_end(j);
    }
    json_end(j);
}

void aged_write(struct json_out *j, const struct ageing_report *r)
{
    bool snapshot = !strcmp(r->recipe, "snapshot");
    struct frag_info wanted = frag_info(r->nr_free, r->order);
    json_str(j, "recipe", r->recipe);
    json_u64(j, "seed", r->seed);
    json_u64(j, "order", r->order);
    if (snapshot) {
        json_str(j, "places", r->from_map ? "page map" : "by seed");
        json_u64(j, "blocks_unlike_buddyinfo", r->differs);
        json_u64(j, "blocks_unlike_pagetypeinfo", r->unlike);
        json_u64(j, "pcp_pages", r->pcp_pages);
    } else {
        json_ratio(j, "target", (uint64_t)llround(r->target * MILLIONTHS), MILLIONTHS, 1, DECIMALS);
    }
    json_ratio(j, "reached", r->free_pages - (wanted.suitable << r->order), r->free_pages, 1, DECIMALS);
    json_u64(j, "allocs", r->allocs);
    json_u64(j, "frees", r->frees);
    json_u64(j, "managed_pages", r->managed);
    json_u64(j, "free_pages", r->free_pages);
    json_u64(j, "ballast_movable_pages", r->ballast_movable);
    json_u64(j, "ballast_unmovable_pages", r->ballast_unmovable);
    json_begin_array(j, "unusable"); /* by order */
    for (unsigned o = 0; o < FRAME_ORDERS; o++)
        json_ratio(j, NULL, r->free_pages - (frag_info(r->nr_free, o).suitable << o), r->free_pages, 1, DECIMALS);
    json_end(j);
    json_begin_array(j, "extfrag_milli");
    for (unsigned o = 0; o < FRAME_ORDERS; o++)
        json_i64(j, NULL, frag_extfrag_index(r->nr_free, o));
    json_end(j);
    json_u64(j, "proactive_score", r->proactive_score);
    json_u64(j, "free_2m", r->free_2m);
    json_u64(j, "could_2m", r->could_2m);
    json_u64(j, "free_1g", r->free_1g);
    json_u64(j, "could_1g", r->could_1g);
    json_u64(j, "largest_free_run", r->largest_run);
    json_u64(j, "pageblocks", r->blocks);
    json_u64(j, "pageblocks_free", r->blocks_free);
    json_u64(j, "pageblocks_movable", r->blocks_movable);
    json_u64(j, "pageblocks_unmovable", r->blocks_unmovable);
    json_u64(j, "pageblocks_mixed", r->blocks_mixed);
    write_zones(j, r);
}
