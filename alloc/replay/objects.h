/*
 * The recording's objects (kmalloc, kfree, kmem_cache_*) served by a slab design of ours over our frame allocator, from the
 * snapshot's free memory. Page events are left out: a slab's pages are taken by our design when it needs them, and the
 * recording's page events cannot be told apart safely into slabs' and others' (linux-mm 14.4, pitfall 6). They are counted.
 *
 * Calls of a made-up trace (alloc_pages, vmalloc, mempool_alloc and so on) are served beside them (slab/calls/calls.h).
 *
 * Below them stands the page allocator of level "pages" (requests.h): per-CPU lists with the marks that zoneinfo shows, zonelists,
 * fallbacks, the slow path, compaction of what the snapshot's map calls anonymous or file.
 *
 * The kernel's own slabs of the snapshot stay where they are and hold what was alive before: frees of it are unknown here.
 * Also keeps the table of callers as `perf kmem stat --caller` prints it, from the recorded sizes. Not thread-safe.
 */
#ifndef REPLAY_OBJECTS_H
#define REPLAY_OBJECTS_H

#include "frames/compact/compaction.h"
#include "slab/calls/calls.h"
#include "traces/record.h"

#include <stdio.h>

#define OBJECTS_STATS(X) \
    X(page_allocs_left_out, "page allocations left out: this replay is of objects") \
    X(page_frees_left_out, "page frees left out") \
    X(slab_like, "... of the allocations: compound, not movable, not for user space, as pages of slabs are") \
    X(foreign_cpus, "events of CPUs that the snapshot does not have: served as the last one's")
struct objects_stats {
#define X(name, help) uint64_t name;
    OBJECTS_STATS(X)
#undef X
};

struct objects;
/* `map` becomes the replay's, also on error. */
int objects_new(struct objects **out, struct frame_map *map, const struct slab_config *cfg, unsigned cpus, uint64_t seed,
                struct err *err);
void objects_free(struct objects *o); /* NULL is fine */
/* Requests for pages compact as `b` says (direct, and kcompactd by the clock of the events). At once after objects_new. */
int objects_compact(struct objects *o, const struct buddy_config *b, struct err *err);
struct compaction *objects_compaction(const struct objects *o); /* NULL: nothing compacts */
/* Names of call sites: TRACE_SITE, also before the window. */
void objects_site(struct objects *o, const struct trace_rec *r);
/* A record of kernel memory, of objects or pages; `ns` since the recording began, `record` its number. */
void objects_event(struct objects *o, const struct trace_rec *r, uint64_t record, unsigned cpu, uint64_t ns);

void objects_time(struct objects *o, uint64_t ns); /* it goes on until here without a record */

void objects_end(struct objects *o); /* the trace has ended: what debugging finds then */

struct frame_map *objects_map(struct objects *o);
struct slab_sys *objects_slab(const struct objects *o);
const struct slab_calls *objects_calls(const struct objects *o);
const struct objects_stats *objects_stats(const struct objects *o);
void objects_add_stats(const struct objects *o, struct stats *tree); /* "slab.*", "slab.trace.*", "calls.*" and so on, before the tree is frozen */
/* A line a call site, most bytes allocated first. */
void objects_print_callers(const struct objects *o, FILE *f);

#endif
