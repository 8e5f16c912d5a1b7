/* Runs gnuplot on a script, without a shell. */
#ifndef APP_PLOT_RUN_H
#define APP_PLOT_RUN_H

#include "engine/err.h"

#include <stddef.h>

/* `gnuplot ./STEM.gp` in `folder`. `picture` (relative to the folder) must exist afterwards and not be empty; an older
 * one is removed first. NULL: the picture goes to stdout. `said` gets what gnuplot wrote on stderr, on one line; an error
 * holds it too. */
int plot_run_gnuplot(const char *folder, const char *stem, const char *picture, char *said, size_t size,
                     struct err *err);

#endif
