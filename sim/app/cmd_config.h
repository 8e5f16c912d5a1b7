/* mmulab config show|check|diff|presets|schema|keys: what can be configured, what is, and where it comes from. */
#ifndef APP_CMD_CONFIG_H
#define APP_CMD_CONFIG_H

#include "config/config.h"

/* The machine's description; where the machine is put together, machine_config.c. */
const struct config_schema *machine_config_schema(void);
/* Builds the machine and drops it: finds what no table and no rule over values can tell (what fits into memory, DRAM
 * timings that contradict each other). 0, or -1 and the message of the part that refused. */
int machine_config_try(const struct config *c, struct err *err);

/* argv[0] is "config". Results on stdout, the rest on stderr; returns the exit code. */
int cmd_config(int argc, char **argv);

#endif
