/* A machine as configured, its memory included if that starts as a snapshot (memory.ageing.snapshot). */
#ifndef APP_MACHINE_START_H
#define APP_MACHINE_START_H

#include "cpu/machine/machine.h"

int machine_start(struct machine **out, const struct machine_config *cfg, struct err *err);

#endif
