/*
 * A plain recount of a recording's text, for the kernel's side of comparisons: events by name, and of each frame its last
 * event in the window. It shares no code with the readers and no state with the replay. Text of perf script and ftrace only.
 */
#ifndef REPLAY_RECOUNT_H
#define REPLAY_RECOUNT_H

#include "replay/before/snapshot.h"

struct recount {
    uint64_t page_alloc, page_free, zone_locked, drain, extfrag; /* of the whole recording */
    uint64_t window_zone_locked, window_page_alloc;              /* between the snapshots */
    uint64_t alloc_again, free_again;                            /* recorded.h */
    uint64_t last_allocated, allocated_held, last_freed, freed_held;
};
/* `times` NULL: all is window. `after` NULL: no held. */
int recount_text(struct recount *out, const char *events, const struct snap_times *times, const struct snapshot *after,
                 struct err *err);

#endif
