/* Classes of kinds of records that several parts of the program ask for. Calls of the kernel's allocators: replay/calls/record_call.h. */
#ifndef TRACES_KINDS_H
#define TRACES_KINDS_H

#include "traces/record.h"

#include <stdbool.h>

/* Changes the mappings of a process, or what runs in it. The end of a process is told by an EXIT record of size 1. */
static inline bool trace_changes_space(uint8_t kind)
{
    switch (kind) {
    case TRACE_MMAP:
    case TRACE_MUNMAP:
    case TRACE_MREMAP:
    case TRACE_BRK:
    case TRACE_MPROTECT:
    case TRACE_MADVISE:
    case TRACE_FORK:
    case TRACE_EXEC:
    case TRACE_SEGMENT:
        return true;
    default:
        return false;
    }
}

#endif
