/*
 * What a trace tells about the address spaces of its processes: which ranges are mapped, from which file. For
 * checking and for naming addresses; the simulator's own model of address spaces is alloc/vm.
 *
 * Ranges come from SEGMENT, MMAP, MREMAP and BRK, go by MUNMAP, MREMAP and EXEC; FORK copies. Not
 * thread-safe.
 */
#ifndef TRACES_SPACE_H
#define TRACES_SPACE_H

#include "traces/record.h"

#include <stdbool.h>
#include <stddef.h>

#define SPACE_SPANS_MAX 65530u       /* Linux: vm.max_map_count */
#define SPACE_PROCESSES_MAX 32768u   /* Linux: default kernel.pid_max */
#define SPACE_STACK_BYTES (8u << 20) /* how far a stack grows: default RLIMIT_STACK */

struct space_span {
    uint64_t start, end; /* bytes, whole pages; end is behind the last */
    uint64_t offset;     /* in the file */
    uint32_t file;       /* 0: none or unknown */
    uint8_t flags;       /* TRACE_F_* of SEGMENT */
    uint8_t prot;        /* TRACE_PROT_* */
};

struct space_list { /* disjoint, ascending */
    struct space_span *span;
    size_t n, cap;
    size_t hit; /* last found */
};

struct space {
    struct space_list mapped;
    struct space_list gone; /* unmapped and not mapped again */
    bool used;
    bool whole;        /* the trace told its initial SEGMENTs: what is not in `mapped` is not mapped */
    bool prot_unknown; /* a call that changes rights and is not followed (pkey_mprotect) */
    bool lost;         /* too many ranges or no memory: nothing can be said any more */
    uint64_t brk_from; /* first break seen where there is no heap segment; 0: none yet */
};

struct spaces {
    struct space *space; /* by process number */
    size_t n;
};

/* NULL for a process number out of all reason or without memory. */
struct space *spaces_at(struct spaces *s, uint32_t process);
/*
 * Applies a well-formed record (trace_rec_problem says so); others than address-space events do nothing.
 * Returns SPACE_OVERLAP for a SEGMENT upon another, or a mapping that the kernel placed (MMAP without MAP_FIXED, MREMAP
 * without MREMAP_FIXED) upon a live one; SPACE_EMPTY for a range of no bytes or one that wraps; SPACE_NOTHING for an
 * MUNMAP of a range in which nothing is mapped, where the trace told all mappings; else SPACE_OK.
 */
enum space_verdict { SPACE_OK, SPACE_OVERLAP, SPACE_EMPTY, SPACE_NOTHING };
enum space_verdict spaces_apply(struct spaces *s, uint32_t process, const struct trace_rec *r);
/* The mapped range that holds addr; a stack grows down to it if it may. NULL: none. */
const struct space_span *space_find(struct space *s, uint64_t addr);
/* Whether addr was unmapped and is not mapped. */
bool space_is_gone(struct space *s, uint64_t addr);
void spaces_fini(struct spaces *s);

#endif
