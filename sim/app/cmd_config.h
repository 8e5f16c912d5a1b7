/* mmulab config show|check|diff|presets|schema|keys: what can be configured, what is, and where it comes from. */
#ifndef APP_CMD_CONFIG_H
#define APP_CMD_CONFIG_H

#include "config/config.h"

/* The machine's description; where the machine is put together, machine_config.c. */
const struct config_schema *machine_config_schema(void);

/* argv[0] is "config". Results on stdout, the rest on stderr; returns the exit code. */
int cmd_config(int argc, char **argv);

#endif
