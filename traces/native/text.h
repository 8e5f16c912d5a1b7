/* The text form, shared by its reader and writer: docs/trace-format.md has the grammar. Private to traces/.
 */
#ifndef TRACES_TEXT_H
#define TRACES_TEXT_H

#include "traces/input.h"

#define TEXT_HEADER "# mmulab trace "
#define TEXT_VERSION 1

struct text_flag {
    const char *name;
    uint8_t value;
    uint8_t first, last; /* kinds that have it */
};

#define TEXT_FLAGS                                                                                           \
    {"kernel", TRACE_F_KERNEL, 1, TRACE_REF_MAX}, {"taken", TRACE_F_TAKEN, TRACE_BRANCH, TRACE_BRANCH},      \
        {"cond", TRACE_F_COND, TRACE_BRANCH, TRACE_BRANCH},                                                  \
        {"indirect", TRACE_F_INDIRECT, TRACE_BRANCH, TRACE_BRANCH},                                          \
        {"call", TRACE_F_CALL, TRACE_BRANCH, TRACE_BRANCH},                                                  \
        {"return", TRACE_F_RETURN, TRACE_BRANCH, TRACE_BRANCH},                                              \
        {"failed", TRACE_F_FAILED, TRACE_MMAP, TRACE_SYSCALL},                                               \
        {"accounted", TRACE_F_ACCOUNTED, TRACE_KMALLOC, TRACE_KMALLOC},                                      \
        {"accounted", TRACE_F_ACCOUNTED, TRACE_CACHE_ALLOC, TRACE_CACHE_ALLOC},                              \
        {"anon", TRACE_F_ANON, TRACE_SEGMENT, TRACE_SEGMENT},                                                \
        {"stack", TRACE_F_STACK, TRACE_SEGMENT, TRACE_SEGMENT},                                              \
        {"heap", TRACE_F_HEAP, TRACE_SEGMENT, TRACE_SEGMENT},                                                \
    {                                                                                                        \
        "write", TRACE_F_WRITE, TRACE_DMA, TRACE_MMIO                                                        \
    }

#endif
