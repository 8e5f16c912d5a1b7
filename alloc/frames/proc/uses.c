#include "frames/proc/uses.h"

#include "frames/measure/walk.h"

enum { HUGE_ORDER = 9 }; /* a transparent huge page of x86-64: 2 MiB */

void uses_count(const struct frame_map *map, const struct uses_more *more, struct uses node[FRAME_NODES])
{
    struct frames_stretch x;
    for (uint64_t p = 0; frames_walk(map, &p, &x);) {
        if (x.kind != FRAME_IS_ALLOCATED)
            continue;
        struct uses *n = &node[frames_zone_of((struct frame_map *)(uintptr_t)map, x.head)->node];
        enum frame_tag tag = (enum frame_tag)frame_at(map, x.head)->tag;
        n->tag[tag] += x.pages;
        if (tag == FRAME_TAG_ANON && x.order >= HUGE_ORDER)
            n->huge += x.pages >> HUGE_ORDER;
        if (tag == FRAME_TAG_SLAB) {
            enum uses_slab k = more->slab ? more->slab(more->self, x.head) : USES_SLAB_UNKNOWN;
            n->reclaimable += k == USES_SLAB_RECLAIMABLE ? x.pages : 0;
            n->unknown_slabs += k == USES_SLAB_UNKNOWN ? x.pages : 0;
        }
    }
}

struct uses_known uses_known(const struct uses *u, const struct uses_more *more)
{
    struct uses_known k = {.all = !more->guessed};
    k.slabs = k.all && u->unknown_slabs == 0;
    k.user = k.all && !u->tag[FRAME_TAG_BALLAST]; /* of an aged machine: movable, but nobody says what */
    k.anon = k.user && !more->gigantic;
    k.no_shmem = k.user && !u->tag[FRAME_TAG_SHMEM];
    k.no_files = k.user && !u->tag[FRAME_TAG_FILE];
    return k;
}
