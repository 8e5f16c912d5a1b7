/* What `mmulab sweep`, `status` and `collect` tell people. */
#ifndef APP_SWEEP_REPORT_H
#define APP_SWEEP_REPORT_H

#include "app/sweep/collect.h"
#include "app/sweep/pool.h"

/* --dry-run, on stdout. `f` may be NULL: `output` is not there yet. */
void report_plan(const struct sweep_plan *p, const struct sweep_point *point, const struct sweep_folder *f, const char *output,
                 const size_t *todo, size_t n_todo, unsigned jobs);
/* Before anything runs, on stderr: combinations that cannot work. */
void report_impossible(const struct sweep_plan *p, const struct sweep_point *point, size_t n);
void report_sweep(const struct collection *c, const struct sweep_folder *f, const struct pool *pool);
/* Counts, then the points that are not ok, those of one reason together; with `all` every point. */
void report_states(const struct collection *c, bool all);

#endif
