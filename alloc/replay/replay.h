/*
 * Replay of a kernel's recorded events from its own snapshot. One pass over the events feeds what was asked for:
 *
 *   recorded   the kernel's own frames: what really happened, and the recording's contradictions   (recorded.h)
 *   predict    before each block and page, our allocator's choice against the kernel's             (follow.h, lists.h)
 *   simulate   our allocator serves the blocks that left the kernel's lists                         (simulate.h)
 *              or, with `pages`, a whole kernel of ours what its callers asked for                   (pages/requests.h)
 *   objects    our slab design and allocator serve the objects; nothing else                        (objects.h)
 *
 * The snapshots are taken while events are recorded, so the pass has five parts:
 *
 *   -- PRE --|map begun  SYNC  before_end|------- WINDOW -------|after_start  AFTER  after_end|-- POST (not replayed) --
 *
 * PRE shows types of pageblocks. Of SYNC, while the map was read, a block that left the lists is taken if the map says it is
 * free, one that came back is freed if the map says it is not. Only the WINDOW is counted. In AFTER the blocks are followed
 * on, if there is a snapshot to compare with, up to the moment at which the kernel counted its free blocks: that of the
 * moments at which buddyinfo may have been read whose counts are nearest. Without times.json all is window.
 * Objects and pages can also be served from a machine's memory instead of a snapshot's.
 * Model: docs/model/replay.md.
 */
#ifndef REPLAY_REPLAY_H
#define REPLAY_REPLAY_H

#include "replay/compactions.h"
#include "replay/follow.h"
#include "replay/before/image.h"
#include "replay/before/lists.h"
#include "replay/objects.h"
#include "replay/pages/kmem_pages.h"
#include "replay/pages/requests.h"
#include "replay/recorded.h"
#include "replay/simulate.h"
#include "replay/zone_choice.h"
#include "traces/trace.h"

enum replay_part { REPLAY_PRE, REPLAY_SYNC, REPLAY_WINDOW, REPLAY_AFTER, REPLAY_POST, REPLAY_PARTS };

#define REPLAY_KINDS(X) \
    X(page_alloc) X(page_free) X(zone_locked) X(drain) X(extfrag) X(kmalloc) X(kfree) X(cache_alloc) X(cache_free) X(other)

typedef int replay_put(void *pass, uint32_t thread, const struct trace_rec *rec, size_t n, struct err *err);

struct replay_request {
    const char *events;
    /* Instead of `events`: makes the records and gives them to `put`, whose -1 ends it. NULL: read. */
    int (*make)(void *self, replay_put *put, void *pass, struct err *err);
    const struct snapshot *before, *after; /* after may be NULL */
    /* Without `before`: objects or pages are replayed, into this memory of `cpus` CPUs. It becomes the replay's, also on error. */
    struct frame_map *memory;
    unsigned cpus;
    const struct snap_times *times;        /* NULL: the whole trace is the window */
    bool recorded, predict, simulate, pages;
    int allocator;                         /* enum frame_allocator: of simulate and objects */
    bool textbook;                         /* beside `simulate` the textbook buddy serves the same from the same state */
    /* Of pages: allocator, per-CPU lists, compaction; sizes of the lists and the like. NULL: the defaults. */
    const struct buddy_config *buddy;
    uint32_t copy_cycles; /* `pages`: of a page that compaction moves */
    const struct memory_config *policy;
    const struct slab_config *objects;     /* NULL: none; without the others */
    bool kmem_pages;                       /* count page events as perf kmem does */
    uint64_t seed;                         /* of the slab design's random orders */
    /* NULL is fine. begin: the state that the replay changes stands as in the snapshot (of simulate, pages or objects, else predict); tick: now
     * and then, with the events replayed and the time since the first, not 0: stop; end: once after begin, *out is complete, the state goes. */
    void (*begin)(void *self, const struct frame_map *map);
    int (*tick)(void *self, uint64_t events, uint64_t ns);
    void (*end)(void *self, const struct frame_map *map, int rc, const struct err *why);
    /* At each mark of the recording, and at those of `marks`: behind so many events, and before the first event that is not earlier than so
     * many ps after the first record. The state is as it is then; before it stands, and behind the window, there is none. */
    void (*mark)(void *self, const struct frame_map *map, uint64_t number, const char *text);
    struct replay_marks { const uint64_t *events, *ps; size_t n_events, n_ps; } marks; /* ascending */
    void *self;
};

/* To and from the buddy lists of a zone: blocks, pages, and for each order how often one lay in another aligned area of 2^order
 * frames than the one before it. No more areas than these can have changed. */
struct replay_moved { uint64_t events, pages, areas[FRAME_ORDERS], last; };

struct replay_result {
    struct trace_kernel_lines lines;
    uint64_t records[REPLAY_PARTS];     /* by part */
    uint64_t first_ns, last_ns;         /* of the events, as times.json */
    uint64_t compactions;               /* of the window: runs that began */
    uint64_t compact_ranges;            /* ... ranges that the free scanner looked at */
    uint64_t isolated_inner, isolated_outer; /* pages that compaction took, free or to be moved, between the two vmstats: at least, at most */
    uint64_t freed_inner, freed_outer;  /* pages freed while the kernel counted on between its two vmstats: at least, at most */
    struct replay_moved moved[2][SNAP_ZONES]; /* in `before`'s zones while each snapshot was taken */
#define X(name) uint64_t name;
    struct { REPLAY_KINDS(X) } window;  /* events of the window by kind */
#undef X
    struct image_info image;
    struct recorded_stats recorded;
    struct follow_stats follow;
    struct lists_stats lists;
    struct zone_choice_stats zones;
    struct zone_crossing crossing[FRAME_ZONES];
    struct zone_reserve reserve[FRAME_ZONES]; /* when the kernel counted (AFTER), else at the window's end */
    struct simulate_stats simulate, textbook;
    struct requests_stats requests;
    bool has_lists;                     /* the events say their CPU */
    bool has_buddy;                     /* mm_page_alloc_zone_locked is there */
    /* Free blocks when the kernel counted its own (AFTER), else at the window's end; that moment. */
    uint64_t follow_free[FRAME_ZONES][FRAME_ORDERS], simulate_free[FRAME_ZONES][FRAME_ORDERS], counted_ns;
    uint64_t textbook_free[FRAME_ZONES][FRAME_ORDERS]; /* the same, if it was asked for */
    const struct objects *objects;   /* from begin to end */
    const struct requests *pages;    /* from begin to end */
    struct objects_stats objects_left;
    struct kmem_pages *kmem_pages; /* of the window, if asked for; until end */
    bool stopped, ended_early; /* ended_early: before the snapshot was taken; also an error */
    char incomplete[200]; /* why the recording may have been longer; "": it ends as it should */
    uint64_t ns; /* from the first record to the end of the window */
    uint64_t marks, marks_without_state; /* told; those of the recording and the request that came before or behind the state, or never */
};

/* 0, or -1 and err; *out holds what was reached. */
int replay_run(const struct replay_request *q, struct replay_result *out, struct err *err);

#endif
