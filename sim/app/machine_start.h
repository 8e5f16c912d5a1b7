/* A machine as configured, its memory included if that starts as a snapshot (memory.ageing.snapshot). */
#ifndef APP_MACHINE_START_H
#define APP_MACHINE_START_H

#include "cpu/machine/machine.h"

/* Memory as memory.ageing.snapshot names it, for cpu.count CPUs; *report says how it stands. To be freed with frame_map_free. */
int memory_start(struct frame_map **out, const struct machine_config *cfg, struct ageing_report *report, struct err *err);

int machine_start(struct machine **out, const struct machine_config *cfg, struct err *err);

#endif
