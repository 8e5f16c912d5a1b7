/*
 * What an allocation that finds no memory can set going (the slow path, slow.c; linux-mm 2.10). Each hook may be NULL: the thing does
 * not exist, and the path goes on as if it had achieved nothing. A hook may free and migrate frames and may allocate with
 * __GFP_MEMALLOC; it must not start a slow path that waits for itself.
 */
#ifndef FRAMES_HOOKS_H
#define FRAMES_HOOKS_H

#include "frames/zones/gfp.h"
#include "frames/zones/zone.h"

struct frame_map;
struct compact_stats;

/* enum compact_priority, COMPACT_PRIO_*: a lower number tries harder. */
enum compact_priority { COMPACT_SYNC_FULL, COMPACT_SYNC_LIGHT, COMPACT_ASYNC };
/* What a compaction of a zone, or of all zones of the list, came to: the kernel's order, a larger one says more (linux-mm 4.1). */
enum compact_result {
    COMPACT_NOT_SUITABLE_ZONE, COMPACT_SKIPPED, COMPACT_DEFERRED, COMPACT_NO_SUITABLE_PAGE, COMPACT_CONTINUE,
    COMPACT_COMPLETE, COMPACT_PARTIAL_SKIPPED, COMPACT_CONTENDED, COMPACT_SUCCESS
};

/* A request, as the slow path hands it on. */
struct frame_request {
    gfp_t gfp;
    unsigned order, node; /* node: where it looks first */
    enum zone_type highest;
    enum migratetype mt;
};

/* Who asks for frames: a task that frees memory itself (PF_MEMALLOC) ignores the marks, one that was chosen to end may go deeper
 * into the reserves (oom_reserves_allowed), so that it can. */
enum frames_task { FRAMES_TASK_PLAIN, FRAMES_TASK_RECLAIMS, FRAMES_TASK_VICTIM };

struct frames_hooks {
    void *self;
    enum frames_task (*task)(void *self); /* NULL: all are plain */
    /* The node of z is to be balanced for this order; also when a claim boosted z's marks (order 0). The hook takes the boost
     * back with frames_unboost when it has reclaimed (linux-mm 9.5). `gfp`: of the request that asks. */
    void (*wake_kswapd)(void *self, struct zone *z, unsigned order, enum zone_type highest, gfp_t gfp);
    /* try_to_free_pages: how many pages came free. */
    uint64_t (*reclaim)(void *self, const struct frame_request *r);
    /* Pages of z that reclaim could still free (zone_reclaimable_pages): should_reclaim_retry asks. */
    uint64_t (*reclaimable)(void *self, const struct zone *z);
    /* Compaction is its own object: the next three get `compactor`. */
    void *compactor;
    enum compact_result (*compact)(void *self, const struct frame_request *r, unsigned alloc_flags,
                                   enum compact_priority priority);
    /* Is there a zone in which compaction could help if reclaim freed pages? (compaction_zonelist_suitable) */
    bool (*compact_suitable)(void *self, const struct frame_request *r);
    /* After a compaction that was not skipped the request was tried again: z served it, or NULL. May be NULL by itself. */
    void (*compact_done)(void *self, const struct frame_request *r, struct zone *z);
    const struct compact_stats *compact_stats; /* of the compactor, for proc/vmstat; NULL: there is none */
    /* __alloc_pages_may_oom: true if something was killed or is dying, so that trying again makes sense. */
    bool (*oom)(void *self, const struct frame_request *r);
};

#endif
