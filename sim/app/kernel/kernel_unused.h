/* What somebody gave in a configuration and a run, first a kernel's, has no use for: told, so that nobody believes it did something. */
#ifndef APP_KERNEL_UNUSED_H
#define APP_KERNEL_UNUSED_H

#include "config/config.h"

#include <stdio.h>

/* A line a reason: "mmulab LABEL: warning: KEY, KEY: not used: REASON". Presets are left alone: they describe whole machines. */
void kernel_tell_unused(const struct config *c, const char *label, FILE *to);

#endif
