/*
 * DynamoRIO's drmemtrace final traces (clients/drcachesim/common/trace_entry.h): records of a type, a size and a
 * value. Private to the reader: drmemtrace.c has files and their order, drmemtrace_entry.c what a record means.
 *
 *     0 u16 type   2 u16 size   4 u64 value          12 bytes; of a 32-bit program u32 value, 8 bytes
 */
#ifndef TRACES_DRMEMTRACE_H
#define TRACES_DRMEMTRACE_H

#include "traces/input.h"
#include "traces/trace.h"

#define DR_THREADS_MAX 65536u   /* the record model's limit */
#define DR_HELD_MAX 64u         /* records of an instruction that wait for the next one; more do not wait */
#define DR_VERSION_MAX 64u      /* a first record with a greater version is not taken for a trace (2023: 5) */

enum { DR_ENTRY_64 = 12, DR_ENTRY_32 = 8 }; /* bytes of a record */

/* trace_type_t */
enum dr_type {
    DR_READ = 0,
    DR_WRITE = 1,
    DR_PREFETCH_FIRST = 2,
    DR_PREFETCH_LAST = 9,
    DR_INSTR = 10,
    DR_INSTR_DIRECT_JUMP = 11,
    DR_INSTR_INDIRECT_JUMP = 12,
    DR_INSTR_CONDITIONAL_JUMP = 13, /* until version 4: taken or not is for the next instruction to tell */
    DR_INSTR_DIRECT_CALL = 14,
    DR_INSTR_INDIRECT_CALL = 15,
    DR_INSTR_RETURN = 16,
    DR_INSTR_BUNDLE = 17, /* instructions that follow the last one: `size` lengths */
    DR_FLUSH_FIRST = 18,
    DR_FLUSH_LAST = 21,
    DR_THREAD = 22,
    DR_THREAD_EXIT = 23,
    DR_PID = 24,
    DR_HEADER = 25,
    DR_FOOTER = 26,
    DR_HARDWARE_PREFETCH = 27,
    DR_MARKER = 28, /* `size` is a dr_marker */
    DR_INSTR_NO_FETCH = 29,
    DR_INSTR_MAYBE_FETCH = 30,
    DR_INSTR_SYSENTER = 31,
    DR_PREFETCH_HINT_FIRST = 32,
    DR_PREFETCH_HINT_LAST = 46,
    DR_ENCODING = 47, /* bytes of the next instruction */
    DR_INSTR_TAKEN_JUMP = 48,
    DR_INSTR_UNTAKEN_JUMP = 49,
    DR_TYPES,
};

/* trace_marker_type_t */
enum dr_marker {
    DR_MARKER_KERNEL_EVENT = 0, /* a signal: the value is where the program was interrupted */
    DR_MARKER_KERNEL_XFER = 1,
    DR_MARKER_TIMESTAMP = 2, /* microseconds since 1601 */
    DR_MARKER_CPU_ID = 3,
    DR_MARKER_FUNC_FIRST = 4,
    DR_MARKER_FUNC_LAST = 7,
    DR_MARKER_FILETYPE = 9,
    DR_MARKER_CACHE_LINE_SIZE = 10,
    DR_MARKER_VERSION = 12,
    DR_MARKER_WINDOW_ID = 14,
    DR_MARKER_PHYSICAL_FIRST = 15,
    DR_MARKER_PHYSICAL_LAST = 17,
    DR_MARKER_PAGE_SIZE = 18,
    DR_MARKER_CHUNK_FIRST = 20, /* how the file was cut into pieces */
    DR_MARKER_CHUNK_LAST = 22,
    DR_MARKER_SYSCALL = 25,
    DR_MARKER_MAYBE_BLOCKING = 26,
    DR_MARKER_SYSCALL_TRACE_START = 27,
    DR_MARKER_SYSCALL_TRACE_END = 28,
    DR_MARKER_BRANCH_TARGET = 29, /* of the indirect branch that comes next */
    DR_MARKER_SWITCH_START = 34,  /* code of the kernel that changes the thread */
    DR_MARKER_SWITCH_END = 35,
};

/* Things left out, by name. */
#define DR_LEFT(X)                                                                                           \
    X(PREFETCHES, "prefetches")                                                                              \
    X(FLUSHES, "cache flushes")                                                                              \
    X(ENCODINGS, "records of instruction bytes")                                                             \
    X(NO_FETCH, "instructions without a fetch (further rounds of a repeated string instruction; their data is kept)") \
    X(FILTERED, "instructions without a length (filtered traces have them where only the data is kept)")    \
    X(EMPTY, "data references of no bytes")                                                                  \
    X(SYSCALLS, "system-call markers (they have no arguments)")                                              \
    X(EVENTS, "markers of signals and other kernel events")                                                  \
    X(FUNCTIONS, "function markers")                                                                         \
    X(PHYSICAL, "physical-address markers")                                                                  \
    X(CPUS, "CPU markers")                                                                                   \
    X(MARKERS, "other markers")

enum dr_left {
#define X(name, text) DR_LEFT_##name,
    DR_LEFT(X)
#undef X
        DR_LEFTS
};

struct dr_entry {
    uint16_t type, size;
    uint64_t value;
    uint8_t length[8]; /* the value's bytes */
};

struct dr_thread {
    uint64_t tid, pid;
    uint32_t thread, process; /* in the trace */
    bool exited, kernel;
    /* the last instruction, until the next one says where it went */
    struct trace_rec held[DR_HELD_MAX];
    uint32_t nheld, branch; /* branch: its place in held, 0: none */
    uint64_t pc, next_pc;   /* next_pc: behind it */
    uint64_t target;        /* of the next branch, from its marker; 0 none */
};

/* One file of the trace. */
struct dr_stream {
    struct trace_input *in;
    bool owned, begun, ended, footer;
    unsigned entry_bytes;
    uint64_t tid, pid, time; /* of what comes next */
    size_t cur;              /* thread, by its index; SIZE_MAX: none yet */
};

struct drmemtrace {
    struct dr_stream *stream;
    size_t nstreams, at; /* at: being read */
    struct dr_thread **thread;
    size_t nthreads, threads_cap;
    uint32_t nprocesses;
    uint64_t first_time, last_time; /* microseconds; 0: none yet. last_time: told in a TIME record */
    uint64_t left[DR_LEFTS];
};

/* What one record says. 0; 1: a later time begins (the stream's `time` is set); -1: err is set. */
int dr_take(struct drmemtrace *d, struct dr_stream *s, const struct dr_entry *e, struct trace_sink *sink,
            struct err *err);
/* Puts what waits of the stream's thread: the next instruction is not known. */
void dr_settle(struct drmemtrace *d, struct dr_stream *s, struct trace_sink *sink);

#endif
