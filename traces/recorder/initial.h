/* The mappings of a program that is loaded and has not run, as QEMU's own list of mappings shows them. Private. */
#ifndef TRACES_RECORDER_INITIAL_H
#define TRACES_RECORDER_INITIAL_H

#include "engine/err.h"
#include "traces/readers/maps.h"

#include <stdbool.h>

/*
 * Reads /proc/PID/maps of a QEMU process and leaves what is the program's, at the program's addresses (`base` less). With
 * `initial` the rights to execute, which QEMU never asks of the kernel, are those of the ELF file's segments, and the stack
 * is marked. `text` is n bytes.
 */
int initial_maps(struct trace_maps *out, const char *text, size_t n, uint64_t base, bool wide, bool initial,
                 struct err *err);

#endif
