/*
 * The one trace record: a 16-byte head and an optional payload of whole 16-byte slots that follow it in the array.
 * Every reader produces these, the native binary and text forms store these, the simulator consumes these.
 *
 * A record belongs to a thread of a process; that is a property of the batch it stands in (struct trace_batch), not of
 * the record. docs/trace-format.md describes each kind, its text form and its payload.
 */
#ifndef TRACES_RECORD_H
#define TRACES_RECORD_H

#include <stdint.h>

struct trace_rec {
    uint64_t addr;   /* the address, or the kind's first argument */
    uint32_t size;   /* bytes, or the kind's second argument if it fits */
    uint8_t kind;    /* enum trace_kind */
    uint8_t flags;   /* of the kind */
    uint16_t slots;  /* 16-byte payload slots that follow this record in the array (0 for references) */
};
_Static_assert(sizeof(struct trace_rec) == 16, "a record head is 16 bytes");

/* A payload slot seen as data. Payload strings are padded with zero bytes. */
union trace_slot {
    struct trace_rec head;
    uint64_t u[2];
    uint8_t byte[16];
};

/*
 * X(enumerator, value, text mnemonic, what addr is, what size is, payload words in order)
 *
 * Values are part of the .mtr format and never change meaning. 1..15 are references (the hot ones).
 * An instruction is a FETCH followed by its REGS and BRANCH (if the trace has them) and its data references; data
 * references before any FETCH of a thread are instructions of their own without a fetch.
 */
#define TRACE_KINDS(X)                                                                                                  \
    X(FETCH, 1, "I", "address", "bytes", "")                                                                            \
    X(LOAD, 2, "L", "address", "bytes", "")                                                                             \
    X(STORE, 3, "S", "address", "bytes", "")                                                                            \
    X(MODIFY, 4, "M", "address", "bytes", "")                                                                           \
    X(REGS, 16, "regs", "six register numbers: byte 0-1 written, 2-5 read, 0 none", "", "")                             \
    X(BRANCH, 17, "branch", "target, 0 if unknown", "", "")                                                             \
    X(INSNS, 18, "insns", "instructions executed since the last record without own records", "", "")                    \
    X(MMAP, 32, "mmap", "requested address", "", "length prot flags fd offset result file_id")                          \
    X(MUNMAP, 33, "munmap", "address", "", "length result")                                                             \
    X(MREMAP, 34, "mremap", "old address", "", "old_length new_length flags new_address result")                        \
    X(BRK, 35, "brk", "requested break", "", "result")                                                                  \
    X(MPROTECT, 36, "mprotect", "address", "", "length prot result")                                                    \
    X(MADVISE, 37, "madvise", "address", "", "length advice result")                                                    \
    X(FORK, 38, "fork", "child process id", "child thread id", "")                                                      \
    X(EXEC, 39, "exec", "entry point, 0 if unknown", "", "path")                                                        \
    X(EXIT, 40, "exit", "status", "1 if the whole process ends, 0 for this thread", "")                                 \
    X(CLONE, 41, "clone", "child thread id (same process)", "", "")                                                     \
    X(SYSCALL, 42, "syscall", "number", "", "a0 a1 a2 a3 a4 a5 result")                                                 \
    X(FILEID, 43, "file", "file id used by MMAP", "", "path")                                                           \
    X(SEGMENT, 44, "segment", "start of a mapping that exists at the beginning", "prot", "length offset file_id")       \
    X(MALLOC, 48, "malloc", "result", "alignment", "size")                                                              \
    X(FREE, 49, "free", "pointer", "", "")                                                                              \
    X(REALLOC, 50, "realloc", "old pointer", "", "size result")                                                         \
    X(PAGE_ALLOC, 64, "page_alloc", "pfn", "order", "gfp migratetype cpu")                                              \
    X(PAGE_FREE, 65, "page_free", "pfn", "order", "cpu")                                                                \
    X(KMALLOC, 66, "kmalloc", "pointer", "bytes requested", "bytes_alloc gfp call_site")                                \
    X(KFREE, 67, "kfree", "pointer", "", "call_site")                                                                   \
    X(CACHE_ALLOC, 68, "cache_alloc", "pointer", "bytes requested", "bytes_alloc gfp call_site cache")                  \
    X(CACHE_FREE, 69, "cache_free", "pointer", "", "call_site cache")                                                   \
    X(PAGE_ZONE_LOCKED, 70, "page_zone_locked", "pfn", "order", "migratetype refill cpu")                               \
    X(PAGE_DRAIN, 71, "page_drain", "pfn", "order", "migratetype cpu")                                                  \
    X(PAGE_EXTFRAG, 72, "page_extfrag", "pfn", "order wanted", "block_order wanted_type block_type owner cpu")          \
    X(COMPACT_BEGIN, 73, "compact_begin", "first pfn of the zone", "1 synchronous", "zone_end migrate_pfn free_pfn")    \
    X(COMPACT_END, 74, "compact_end", "first pfn of the zone", "1 synchronous", "zone_end migrate_pfn free_pfn status") \
    X(SITE, 75, "site", "number used as call_site", "", "function")                                                     \
    X(TASK, 76, "task", "thread id that runs from now on", "process id, 0 if unknown", "comm")                          \
    X(CLOCK, 77, "clock", "nanoseconds of the recorded clock when the trace began", "", "")                             \
    X(CACHE_CREATE, 78, "cache_create", "bytes of an object", "alignment, 0 for none", "slab_flags call_site cache")          \
    X(CACHE_SHRINK, 79, "cache_shrink", "call site, 0 if unknown", "", "cache")                                         \
    X(DMA, 80, "dma", "bus address", "bytes", "device")                                                                 \
    X(MMIO, 81, "mmio", "address", "bytes", "value")                                                                    \
    X(CACHE_DESTROY, 82, "cache_destroy", "call site, 0 if unknown", "", "cache")                                       \
    X(COMPACT_FREE, 83, "compact_free", "first pfn scanned", "1 by the fast search", "end scanned taken cpu")           \
    X(COMPACT_ISOLATE, 84, "compact_isolate", "first pfn scanned", "", "end scanned taken cpu")                         \
    X(COMPACT_MOVED, 85, "compact_moved", "pages moved", "", "failed cpu")                                              \
    X(SEGLOAD, 96, "segload", "segment register number (ES CS SS DS FS GS LDTR TR)", "selector", "base limit attributes") \
    X(CRLOAD, 97, "crload", "value", "control register number", "")                                                     \
    X(INTERRUPT, 98, "interrupt", "vector", "", "")                                                                     \
    X(INVLPG, 99, "invlpg", "address", "", "")                                                                          \
    X(MARK, 112, "mark", "user number", "", "text")                                                                     \
    X(TIME, 113, "time", "nanoseconds since the trace began", "", "")                                                  \
    X(ALLOC_PAGES, 116, "alloc_pages", "pointer", "", "size gfp call_site")                                             \
    X(FREE_PAGES, 117, "free_pages", "pointer", "", "call_site")                                                        \
    X(VMALLOC, 118, "vmalloc", "pointer", "", "size gfp call_site")                                                     \
    X(VFREE, 119, "vfree", "pointer", "", "call_site")                                                                  \
    X(KVMALLOC, 120, "kvmalloc", "pointer", "", "size gfp call_site")                                                   \
    X(KVFREE, 121, "kvfree", "pointer", "", "call_site")                                                                \
    X(MEMPOOL_CREATE, 122, "mempool_create", "number of the pool", "elements in reserve", "size call_site cache")       \
    X(MEMPOOL_ALLOC, 123, "mempool_alloc", "pointer", "number of the pool", "gfp call_site")                            \
    X(MEMPOOL_FREE, 124, "mempool_free", "pointer", "number of the pool", "call_site")                                  \
    X(MEMPOOL_RESIZE, 125, "mempool_resize", "number of the pool", "elements in reserve", "")                           \
    X(MEMPOOL_DESTROY, 126, "mempool_destroy", "number of the pool", "", "")

enum trace_kind {
#define X(name, value, text, a, s, p) TRACE_##name = value,
    TRACE_KINDS(X)
#undef X
};
#define TRACE_REF_MAX 15 /* kinds 1..15 are memory references */

/* flags */
enum {
    TRACE_F_WRITE = 1,    /* DMA, MMIO: the device or program writes memory */
    TRACE_F_TAKEN = 1,    /* BRANCH */
    TRACE_F_COND = 2,     /* BRANCH: conditional */
    TRACE_F_INDIRECT = 4, /* BRANCH */
    TRACE_F_CALL = 8,     /* BRANCH */
    TRACE_F_RETURN = 16,  /* BRANCH */
    TRACE_F_FAILED = 1,   /* address-space calls: result is a negative errno */
    TRACE_F_ANON = 2,     /* SEGMENT: anonymous */
    TRACE_F_STACK = 4,    /* SEGMENT: grows down */
    TRACE_F_HEAP = 8,     /* SEGMENT: grows by brk */
    TRACE_F_ACCOUNTED = 1, /* KMALLOC, CACHE_ALLOC: charged to a memory cgroup */
    TRACE_F_KERNEL = 128, /* reference made in kernel mode */
};

/* Kernel events: the `cpu` word where it is not known, and gfp bits whose place in the kernel depends on its configuration
 * or that later kernels do not have (all of TRACE_GFP_OLD). Bits 0 to 23 are those of Linux 6.18. */
#define TRACE_CPU_UNKNOWN UINT64_MAX
enum {
    TRACE_GFP_NO_OBJ_EXT = 1 << 24,
    TRACE_GFP_SKIP_ZERO = 1 << 25,
    TRACE_GFP_SKIP_KASAN = 1 << 26,
    TRACE_GFP_NOLOCKDEP = 1 << 27,
    TRACE_GFP_CMA = 1 << 28,
    TRACE_GFP_OLD = 1 << 29,
};

/* CACHE_CREATE, the word `slab_flags`. */
enum {
    TRACE_CACHE_HWCACHE_ALIGN = 1,
    TRACE_CACHE_RECLAIM_ACCOUNT = 2,
    TRACE_CACHE_DMA = 4,
    TRACE_CACHE_DMA32 = 8,
    TRACE_CACHE_ACCOUNT = 16,
    TRACE_CACHE_TYPESAFE_BY_RCU = 32,
    TRACE_CACHE_NO_MERGE = 64,
    TRACE_CACHE_CTOR = 128,
};

enum { TRACE_PROT_READ = 1, TRACE_PROT_WRITE = 2, TRACE_PROT_EXEC = 4 };

#endif
