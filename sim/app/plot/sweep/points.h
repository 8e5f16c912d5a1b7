/* The points of a sweep as the runs of a picture of another kind: a folder each, and a label of what they differ in. */
#ifndef APP_PLOT_SWEEP_POINTS_H
#define APP_PLOT_SWEEP_POINTS_H

#include "engine/err.h"

#include <stddef.h>

struct plot_points {
    char **dir;   /* SWEEP/points/NAME, in the order of the plan; the form of cmd_plot's folders */
    char **label; /* "slub"; "aged, 4KiB"; with ", seed 2" where seeds differ */
    size_t n;     /* at most PLOT_RUNS_MAX */
};

/* Those that are complete and that `where` leaves ("KEY=VALUE", sweepdb_where). More than a picture can hold is an error. */
int plot_points_open(struct plot_points *out, const char *sweep, const char *const *where, size_t n_where, struct err *err);
void plot_points_close(struct plot_points *p);

#endif
