/*
 * Memory compaction (Linux 6.18 mm/compaction.c; linux-mm 4): movable blocks at a zone's start are copied into free frames at its
 * end, so that what they leave merges.
 *
 *      zone start                                                        zone end
 *           | migration scanner ->                        <- free scanner |
 *           |  M . M U M . . M |                          | . . M . U . . |
 *           collects movable blocks                       collects free blocks as targets
 *
 * Beside a frame map, which it changes; of every block it moves it asks the block's owner (struct compact_owner). A zone's
 * cached positions, deferral and skip bits live here. Only for frame allocators that keep migratetypes apart.
 *
 * Not thread-safe. Model, sources and what is left out: docs/model/compaction.md.
 */
#ifndef FRAMES_COMPACT_COMPACTION_H
#define FRAMES_COMPACT_COMPACTION_H

#include "frames/frames.h"
#include "frames/hooks.h"

#include <stdio.h>

enum { COMPACT_CLUSTER_MAX = 32, COMPACT_MAX_DEFER_SHIFT = 6, COMPACT_HPAGE_ORDER = 9 };
enum { COMPACT_WHOLE = -1 }; /* an order: none is wanted, all memory is to be compacted (vm.compact_memory) */

struct compact_config {
    uint32_t extfrag_threshold; /* vm.extfrag_threshold, 0..1000 */
    uint32_t proactiveness;     /* vm.compaction_proactiveness, 0..100 */
    uint64_t interval_ps;       /* HPAGE_FRAG_CHECK_INTERVAL_MSEC */
};
/* 500, 20, 500 ms. */
void compact_config_defaults(struct compact_config *c);
struct compact_config compact_config_of(const struct buddy_config *b); /* as `buddy` says */

/* What the moves of a call came to: who charges time and traffic asks for it (compact_take_cost). */
struct compact_cost {
    uint64_t pages;         /* 4 KiB copied: 64 lines read and 64 written each */
    uint64_t pte_stores;    /* entries that the owner changed */
    uint64_t invalidations; /* translations that the owner dropped */
    uint64_t scanned;       /* pages that scanners looked at and that no batch was told of */
};

/* The owner of allocated blocks. */
struct compact_owner {
    void *self;
    /* The block at `from` goes to `to`, which has its record already; tables and lists that name `from` must name `to` when this
     * returns. False: it cannot be moved, nothing was changed. Adds what it did to *cost. */
    bool (*move)(void *self, pfn_t from, pfn_t to, unsigned order, struct compact_cost *cost);
    /* The blocks of one round have moved, at least one (migrate_pages_batch): one flush of translations serves them all.
     * `scanned`: pages that both scanners looked at since the last call. May be NULL. */
    void (*batch)(void *self, uint64_t scanned);
};

#define COMPACT_STATS(X) \
    X(stall, "requests", "direct compactions after which the request was tried again (compact_stall)") \
    X(success, "requests", "... and got its block (compact_success)") \
    X(fail, "requests", "... and did not (compact_fail)") \
    X(runs, "runs", "compactions of a zone that began to scan") \
    X(skipped, "zones", "zones not compacted: too little is free, or it would not help") \
    X(deferred, "zones", "zones not compacted because it failed lately") \
    X(met, "runs", "runs that ended because the scanners met") \
    X(migrate_scanned, "pages", "pages that migration scanners looked at") \
    X(free_scanned, "pages", "pages that free scanners looked at") \
    X(isolated, "pages", "pages taken off lists by either scanner, to move or as targets") \
    X(migrated, "pages", "pages moved (pgmigrate_success)") \
    X(migrate_failed, "pages", "pages that could not be moved: no target, or the owner refused (pgmigrate_fail)") \
    X(pte_stores, "stores", "page-table entries changed by moves") \
    X(invalidations, "translations", "translations dropped by moves") \
    X(batches, "rounds", "rounds of moves, each with one flush of translations") \
    X(daemon_wake, "wakes", "kcompactd was woken and looked at its zones (compact_daemon_wake)") \
    X(daemon_migrate_scanned, "pages", "... of migrate_scanned, those of kcompactd") \
    X(daemon_free_scanned, "pages", "... of free_scanned, those of kcompactd") \
    X(proactive_runs, "runs", "proactive compactions of a node")
struct compact_stats {
#define COMPACT_STAT_FIELD(name, unit, help) uint64_t name;
    COMPACT_STATS(COMPACT_STAT_FIELD)
#undef COMPACT_STAT_FIELD
};

/* Of each zone. The scanners' positions: [0] for asynchronous migration, [1] for synchronous. */
struct compact_zone {
    uint64_t cached_migrate[2], cached_free, init_migrate, init_free;
    uint32_t considered, defer_shift;
    int order_failed;
    bool skip_flush; /* a whole pass is over: the skip bits go when kswapd sleeps next */
};

/* Of each node: kcompactd, and what its kswapd was asked for (background.c). */
struct compact_node {
    bool kswapd_wanted, hopeless; /* hopeless: it balanced nothing, and is not woken again until a request finds the node balanced */
    bool wanted;                  /* kcompactd was woken */
    unsigned kswapd_order, order;
    enum zone_type kswapd_highest, highest;
    uint64_t due_ps;              /* the next proactive check */
};

struct compaction {
    struct frame_map *map;
    struct compact_config config;
    struct compact_owner owner; /* zero: blocks without tables */
    struct compact_zone zone[FRAME_ZONES];
    struct compact_node node[FRAME_NODES];
    uint8_t *skip; /* of each pageblock: scanning it gave nothing */
    size_t n_blocks;
    struct compact_stats st;
    struct compact_cost cost; /* since compact_take_cost */
    uint64_t told; /* pages scanned that were told of, of st.migrate_scanned + st.free_scanned */
};

/* ERR_USAGE if the map's allocator does not keep migratetypes apart. `config` NULL: the defaults. The map outlives it. */
int compaction_new(struct compaction **out, struct frame_map *map, const struct compact_config *config, struct err *err);
void compaction_free(struct compaction *c); /* NULL is fine */
/* Sets map->hooks' members compact, compact_suitable and compact_done; the others stay. */
void compaction_attach(struct compaction *c);
struct compact_cost compact_take_cost(struct compaction *c);

/* compaction_suit_allocation_order: SUCCESS (no need), SKIPPED, NOT_SUITABLE_ZONE, or CONTINUE: worth trying. */
enum compact_result compact_suitable(const struct compaction *c, const struct zone *z, unsigned order,
                                     enum zone_type highest, unsigned alloc_flags);
/* try_to_compact_pages: for a request that found no block, over its zones. */
enum compact_result compact_direct(struct compaction *c, const struct frame_request *r, unsigned alloc_flags,
                                   enum compact_priority priority);
/* After it: the request was tried again and got its block from `z`, or z is NULL. */
void compact_done(struct compaction *c, const struct frame_request *r, struct zone *z);
/* kcompactd_do_work: what the daemon of a node does when it was woken for `order`. */
void compact_daemon(struct compaction *c, unsigned node, unsigned order, enum zone_type highest);
/* vm.compact_memory: all zones of all nodes, to the end. */
void compact_memory(struct compaction *c);
/* kswapd of the node goes to sleep: skip bits that a whole pass left are cleared (reset_isolation_suitable). */
void compact_kswapd_sleeps(struct compaction *c, unsigned node);

/* Proactive compaction (linux-mm 4.8). */
unsigned compact_score_zone(const struct zone *z);
unsigned compact_score_node(const struct frame_map *map, unsigned node);
unsigned compact_score_mark(const struct compact_config *c, bool low);
/* The node's check that is due every interval_ps. Picoseconds until the next one. */
uint64_t compact_proactive(struct compaction *c, unsigned node);

/*
 * In the background. After compact_background_attach the slow path wakes kswapd and kcompactd (unless another wake_kswapd is
 * there already); the caller runs compact_background now and then: when somebody is wanted, or a check is due, by a clock of its own.
 */
void compact_background_attach(struct compaction *c, uint64_t now_ps);
bool compact_background_wanted(const struct compaction *c);
uint64_t compact_background_due(const struct compaction *c); /* of the earliest check; UINT64_MAX: none (proactiveness 0) */
void compact_background(struct compaction *c, uint64_t now_ps);
void compact_background_rest(struct compaction *c, uint64_t now_ps); /* its work took until now: the next checks are an interval away */
void compact_background_restart_clock(struct compaction *c, uint64_t now_ps); /* what was now_ps is 0 from here on */

/* Deferral of one zone (linux-mm 4.5). */
bool compact_deferred(struct compact_zone *z, unsigned order); /* also counts the attempt */
void compact_defer(struct compact_zone *z, unsigned order);
void compact_defer_reset(struct compact_zone *z, unsigned order, bool allocated);

/* Registers "compact.*". */
struct stats;
void compaction_add_stats(const struct compaction *c, struct stats *s);
/* The whole machine's counters in the form of /proc/vmstat; those of compaction are 0 where nothing compacts. */
void frames_print_vmstat(const struct frame_map *map, FILE *out);
/* Positions, skip bits, deferral, statistics as bytes; compaction_check tells whether they are possible. */
struct state_io;
void compaction_state(struct compaction *c, struct state_io *io);
/* Part of --check: positions inside their zones, deferral within bounds. */
int compaction_check(const struct compaction *c, struct err *err);

#endif
