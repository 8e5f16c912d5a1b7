/*
 * Points that replay the same trace, fed by one decoder: this process decodes a window of the trace (traces/io/share.h), then
 * each point, in a process of its own, runs over it in turn. One at a time runs, so that a group is as busy as one point. A
 * point that ends, fails, crashes or is killed no longer takes part; the others do not notice.
 */
#ifndef APP_SWEEP_GROUP_GROUP_H
#define APP_SWEEP_GROUP_GROUP_H

#include "app/sweep/point.h"

/* Simulates a point in a process that group_run has forked, and says so to the user; returns the exit code of that process. */
typedef int (*group_point_fn)(struct sweep_folder *f, const struct sweep_plan *p, const struct point_job *job);

/*
 * `index`: `n` points that sharing_of puts into one group; afterwards n are those that had their turn: fewer where no process
 * could be had for more. `job`: as for one point. Returns an exit code as of `mmulab point`, or -1 if the trace cannot be
 * shared or no process be had: then the points are to be simulated one by one, which says why. A point whose process crashes is
 * listed as failed. SIGINT and SIGTERM are passed on once. When the process is asked for its last point (progress_last), as many
 * are finished as are done in the time of one (group_last); of the others is kept what there is.
 */
int group_run(struct sweep_folder *f, const struct sweep_plan *p, const struct point_job *job, const size_t *index, size_t *n,
              group_point_fn point);

#endif
