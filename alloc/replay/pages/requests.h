/*
 * What would have happened, page by page: what the recorded kernel's callers asked for, served by a whole kernel of ours from the
 * state of the snapshot, or from a machine's memory. A request has the recording's gfp flags, order and CPU, and goes the way that
 * any request goes here (frames_alloc): the CPU's lists, the zonelist with its marks, fallbacks, the slow path with its reserves,
 * kswapd's wake and compaction. What the recording frees goes back from where it lies here.
 *
 *      recorded frame  ──where──►  our frame     a record's `vpn` is the recorded frame + 1, so that a block that
 *                      ◄──vpn────                compaction moves is found again when the recording frees it
 *
 * A frame that the snapshot shows in use lies where the kernel had it until it is freed or moved. Where the recording hands such a
 * frame out, it stood on one of the kernel's per-CPU lists, which the map does not tell from other use: it is given back first.
 *
 * Compaction moves what was asked for with __GFP_MOVABLE, and of the snapshot what its map calls anonymous or file: whether such a
 * page was pinned, or on no LRU list, no recording says; `moved` counts them. Nothing is reclaimed but what the recording frees.
 * Beside it stands level "blocks" (simulate.h), in which the traffic of the per-CPU lists is the kernel's own.
 */
#ifndef REPLAY_PAGES_REQUESTS_H
#define REPLAY_PAGES_REQUESTS_H

#include "frames/compact/compaction.h"
#include "frames/frames.h"

#define REQUESTS_STATS(X) \
    X(allocs, "blocks asked for") \
    X(failures, "... that could not be had") \
    X(frees, "blocks given back") \
    X(frees_before, "... that were in use before the recording's first event") \
    X(frees_failed, "... whose request could not be had here") \
    X(frees_unknown, "... that are free here, or lie in no zone: left out") \
    X(returned, "frees that freed nothing, targets that the kernel's compaction took back: left out of the others") \
    X(missed_frees, "blocks asked for in a frame that was never given back: given back first") \
    X(listed_before, "... of them in use in the snapshot: pages of the kernel's per-CPU lists, or a free without an event") \
    X(split_frees, "blocks that came apart since only a part of them was given back") \
    X(joined_frees, "blocks of several pages from before, given back as one") \
    X(moved, "blocks that compaction moved; none of them is taken to be pinned") \
    X(moved_before, "... that were in use before the recording's first event") \
    X(foreign_cpus, "events of no CPU, or of one that this kernel does not have: served as the last one's")
struct requests_stats {
#define X(name, help) uint64_t name;
    REQUESTS_STATS(X)
#undef X
};

/* What compaction would have taken; the recording's clock does not know it. In core cycles. */
#define REQUESTS_COMPACTION(X) \
    X(stalls, "requests", "requests that compaction scanned or moved pages for, direct") \
    X(stall_cycles, "cycles", "... core cycles that this takes: pages looked at, blocks moved, pages copied") \
    X(stall_worst_cycles, "cycles", "... of one request, at most") \
    X(daemon_cycles, "cycles", "the same of kcompactd, which nobody waits for")
struct requests_compaction {
#define X(name, unit, help) uint64_t name;
    REQUESTS_COMPACTION(X)
#undef X
};

struct requests_options {
    bool from_snapshot;  /* recorded frames that are in use in `map` are the kernel's own; else the map knows nothing of them */
    const struct buddy_config *buddy; /* whether it compacts, and how */
    uint32_t copy_cycles; /* of a page that compaction moves, beside buddy.migrate_cycles */
};

struct requests;
/* `map` becomes the replay's, also on error. */
int requests_new(struct requests **out, struct frame_map *map, const struct requests_options *o, struct err *err);
void requests_free(struct requests *q); /* NULL is fine */
struct frame_map *requests_map(const struct requests *q);
/* NULL: nothing compacts. */
const struct compaction *requests_compaction(const struct requests *q);
void requests_alloc(struct requests *q, uint64_t cpu, uint64_t pfn, unsigned order, gfp_t gfp);
/* `counting`: false while the snapshot is being taken; a free that does not fit is then no contradiction. */
void requests_freed(struct requests *q, uint64_t cpu, uint64_t pfn, unsigned order, bool counting);
void requests_returned(struct requests *q); /* instead of requests_freed: an mm_page_free that freed nothing */
void requests_time(struct requests *q, tick_t now); /* lists decay; kswapd and kcompactd run if they were woken */
const struct requests_stats *requests_stats(const struct requests *q);
const struct requests_compaction *requests_compaction_time(const struct requests *q);
/* Where recorded frame `pfn` lies here; PFN_NONE: nowhere. For tests. */
pfn_t requests_place(const struct requests *q, uint64_t pfn);

#endif
