/*
 * `mmulab run` with workload.kernel.events: a recorded kernel is replayed from its snapshot (replay/replay.h) instead of
 * programs on a machine; with workload.calls.count: made-up calls, over the machine's memory. Writes the usual result folder: series and statistics, and the files of proc/ at the end.
 */
#ifndef APP_KERNEL_RUN_H
#define APP_KERNEL_RUN_H

#include "app/simulate.h"

/* Whether the configuration asks for this instead of programs: recorded events, or made-up calls. */
bool kernel_wanted(const struct config *c);
/* As simulate(); there is no machine in *out. `tell`: prints a summary. A point of a sweep is made with this. */
enum simulated_end kernel_simulate(const struct simulation *s, struct simulated *out, bool tell);
/* Returns the exit code; errors are told. Uses of `s`: config, config_path, output, label, quiet, status, argc, argv. */
int kernel_run(const struct simulation *s);

#endif
