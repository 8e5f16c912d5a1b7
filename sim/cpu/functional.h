/* Functional mode: the same state as timed mode with time left out. */
#ifndef CPU_FUNCTIONAL_H
#define CPU_FUNCTIONAL_H

#include "cpu/core.h"

/* Runs at most `refs` references of the core's source; false when the source has ended. */
bool functional_run(struct core *c, uint64_t refs);
/* The operating system copies frames through this core: every line read and written. */
void functional_copy(struct core *c, pfn_t from, pfn_t to, uint64_t pages);

#endif
