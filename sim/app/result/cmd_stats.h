/* mmulab stats list | stats show DIR */
#ifndef APP_CMD_STATS_H
#define APP_CMD_STATS_H

#include "engine/err.h"
#include "cpu/machine/machine.h"

/* A default machine, for its tree of statistics; the caller frees it. */
int machine_list_stats(struct machine **out, struct err *err);

/* argv[0] is "stats". Results on stdout, the rest on stderr; returns the exit code. */
int cmd_stats(int argc, char **argv);

#endif
