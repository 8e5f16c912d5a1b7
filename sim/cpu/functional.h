/* Functional mode: the same state as timed mode with time left out. */
#ifndef CPU_FUNCTIONAL_H
#define CPU_FUNCTIONAL_H

#include "cpu/core.h"

/* Runs at most `refs` references of the core's source; false when the source has ended. */
bool functional_run(struct core *c, uint64_t refs);
/* The operating system's work on this core, at once. */
void functional_perform(struct core *c, const struct os_run *run, uint32_t n);

#endif
