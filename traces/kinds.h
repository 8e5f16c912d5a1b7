/* Classes of kinds of records that several parts of the program ask for. */
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

/* A call of the kernel's allocators. Which one, and with what: replay/calls/record_call.h. */
static inline bool trace_calls_allocator(uint8_t kind)
{
    switch (kind) {
    case TRACE_KMALLOC:
    case TRACE_KFREE:
    case TRACE_CACHE_ALLOC:
    case TRACE_CACHE_FREE:
    case TRACE_CACHE_CREATE:
    case TRACE_CACHE_SHRINK:
    case TRACE_CACHE_DESTROY:
    case TRACE_ALLOC_PAGES:
    case TRACE_FREE_PAGES:
    case TRACE_VMALLOC:
    case TRACE_VFREE:
    case TRACE_KVMALLOC:
    case TRACE_KVFREE:
    case TRACE_MEMPOOL_CREATE:
    case TRACE_MEMPOOL_ALLOC:
    case TRACE_MEMPOOL_FREE:
    case TRACE_MEMPOOL_RESIZE:
    case TRACE_MEMPOOL_DESTROY:
        return true;
    default:
        return false;
    }
}

#endif
