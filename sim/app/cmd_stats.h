/* mmulab stats list | stats show DIR */
#ifndef APP_CMD_STATS_H
#define APP_CMD_STATS_H

#include "engine/err.h"
#include "engine/stats.h"

/* The frozen statistics tree of the default machine, to be freed with stats_free; where the machine is put together. */
int machine_list_stats(struct stats **out, struct err *err);

/* argv[0] is "stats". Results on stdout, the rest on stderr; returns the exit code. */
int cmd_stats(int argc, char **argv);

#endif
