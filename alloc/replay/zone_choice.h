/*
 * Which zone serves a page allocation, and which pageblocks the kernel sets aside. Before each mm_page_alloc the zones of the
 * request's list are asked as get_page_from_freelist asks them (linux-mm 1.7, 2.9): free pages against the low mark and the zone's
 * protection; whether the CPU's list or the buddy lists have a block without mixing types (NOFRAGMENT); then without that; then, in
 * the slow path, against the min mark. The marks' test and the choice of foreign blocks are the simulation's own code. The
 * zone that comes out is compared with that of the kernel's frame.
 *
 * A request asks before its list is refilled, so the free pages are those before the first block of the refill. The kernel tests
 * a count that lacks what each CPU has not yet added to it: within that distance of a mark nothing is decided, and not compared.
 *
 * A request of several pages that may not wait and came below every low mark makes the kernel reserve its pageblock
 * (HighAtomic, linux-mm 2.8). No event says so: the follower does the same, up to the zone's share. It gives all back before it lets
 * a request fail that may try hard; one that is given back otherwise shows by a block that leaves it with another type.
 */
#ifndef REPLAY_ZONE_CHOICE_H
#define REPLAY_ZONE_CHOICE_H

#include "replay/before/lists.h"
#include "replay/follow.h"

#define ZONE_CHOICE_STATS(X) \
    X(requests, "page allocations with more than one zone to take from") \
    X(near_mark, "... so near to a mark that the kernel's own count decides") \
    X(list_unknown, "... that depend on what the CPU's list held, which is not known") \
    X(exhausted, "... for which no zone has enough by any mark: the kernel reclaims first") \
    X(decided, "... of the rest, the zone is foretold") \
    X(agreed, "... and is the kernel's") \
    X(lower, "decided: the kernel took a lower zone than the first") \
    X(lower_foreseen, "... and so did our rule, the same") \
    X(ours_lower, "decided: our rule takes a lower zone than the first") \
    X(ours_unmixed, "... because the first has only blocks of other types (NOFRAGMENT)") \
    X(below_low, "decided: below the low mark of every zone, so by the min mark") \
    X(urgent, "requests of several pages that may not wait, below every low mark") \
    X(urgent_near, "... so near to a mark that it is not known whether they were") \
    X(reserved, "pageblocks reserved for such requests") \
    X(taken_back, "pageblocks given back because a request that may try hard failed") \
    X(reserve_full, "requests whose pageblock was not reserved, since the zone's share was")
struct zone_choice_stats {
#define X(name, help) uint64_t name;
    ZONE_CHOICE_STATS(X)
#undef X
};

/* Where the kernel began to pass over a zone: single pages whose choice between it and the next zone was the low mark's alone. */
struct zone_crossing {
    uint64_t refused, served;           /* how many */
    uint64_t refused_free, served_free; /* the most free pages at which it was passed over, the fewest at which it served */
    unsigned highest;                   /* of these requests */
    uint64_t drift;                     /* pages by which the kernel's count can be off */
};

/* What is set aside for urgent requests of several pages. */
struct zone_reserve { uint64_t blocks, free_pages, most_blocks, requests; }; /* requests: of the window, that ask for it */

struct zone_choice;
/* `f` and `l` must outlive it. */
int zone_choice_new(struct zone_choice **out, struct follow *f, const struct lists *l, const struct snapshot *before, struct err *err);
void zone_choice_free(struct zone_choice *c); /* NULL is fine */
/* A block is about to leave the buddy lists on this CPU. */
void zone_choice_taken(struct zone_choice *c, uint64_t cpu);
/* An event of this CPU that is no page allocation: no refill is under way. */
void zone_choice_other(struct zone_choice *c, uint64_t cpu);
/* A request was served; comes before the lists and the follower know of it. */
void zone_choice_alloc(struct zone_choice *c, uint64_t cpu, uint64_t pfn, unsigned order, gfp_t gfp, bool counting);
/* A request failed: before it gives up, the kernel takes all reserves back (should_reclaim_retry). */
void zone_choice_failed(struct zone_choice *c, uint64_t cpu, unsigned order, gfp_t gfp, bool counting);
const struct zone_choice_stats *zone_choice_stats(const struct zone_choice *c);
void zone_choice_crossings(const struct zone_choice *c, struct zone_crossing out[FRAME_ZONES]);
void zone_choice_reserves(const struct zone_choice *c, struct zone_reserve out[FRAME_ZONES]); /* as they are now */

#endif
