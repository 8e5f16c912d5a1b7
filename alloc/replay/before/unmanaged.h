/*
 * Which frames of a snapshot's page map the allocator never got. The map shows holes, and memory that the kernel has not taken into use, as
 * "other", like its own pages; zoneinfo says how many frames of a zone are managed.
 */
#ifndef REPLAY_UNMANAGED_H
#define REPLAY_UNMANAGED_H

#include "replay/before/snapshot.h"

struct told_runs { struct snap_run *run; size_t n; }; /* ascending, disjoint; each in one zone */

/* The snapshot's runs; where a zone has more used frames than managed ones, the surplus is CLASS_RESERVED, or CLASS_NONE as far as the zone
 * has holes that the map does not leave out. The longest runs of "other" go first. -1: out of memory. */
int snapshot_tell_unmanaged(struct told_runs *out, const struct snapshot *s, struct err *err);
void told_runs_free(struct told_runs *runs);

#endif
