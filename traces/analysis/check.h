/*
 * Looks for what cannot be right in a trace: structure of records, order of events, references to what is not
 * mapped.
 *
 *   trace_check_new(&c, report, ctx, &err);
 *   while ((r = trace_next(t, &batch, &err)) > 0) trace_check_batch(c, &batch, &err);
 *   trace_check_count(c, kind) ...
 *
 * Memory grows with what the trace has live (objects, mappings), not with its length. Not thread-safe.
 */
#ifndef TRACES_CHECK_H
#define TRACES_CHECK_H

#include "traces/trace.h"

/* X(enumerator, whether it is an error, name for people and machines, what it means) */
#define TRACE_CHECKS(X)                                                                                      \
    X(MALFORMED, true, "malformed", "a record whose payload or kind is none of the format")                  \
    X(SIZE, true, "size", "a reference of no bytes, or one that goes beyond the last address")               \
    X(TIME, true, "time", "time runs backwards")                                                             \
    X(SEGMENT, true, "segment", "initial segments overlap")                                                  \
    X(OVERLAP, true, "overlap", "a mapping that the kernel placed lies upon a live one")                     \
    X(RANGE, true, "range", "a mapping of no bytes, or beyond the last address")                             \
    X(AFTER_UNMAP, true, "after-unmap", "a reference to what was unmapped before")                           \
    X(OUTSIDE, true, "outside", "a reference outside of all mappings, in a trace that tells them all")       \
    X(RIGHTS, true, "rights", "a load, store or fetch that the mapping's rights do not allow")               \
    X(FREE, true, "free", "a pointer is freed that is not allocated")                                        \
    X(MALLOC, true, "malloc", "an allocation returns a pointer that is allocated already")                   \
    X(FILE, true, "file", "a mapping names a file id that was not declared before")                          \
    X(THREAD, true, "thread", "a thread goes on after its exit")                                             \
    X(CHILD, true, "child", "a clone or fork makes a thread that has run before")                            \
    X(ORPHAN, true, "orphan", "registers or a branch without an instruction before them")                    \
    X(UNMAP_NOTHING, false, "unmap-nothing", "munmap of a range in which nothing is mapped (Linux allows it)") \
    X(KERNEL_FREE, false, "kernel-free",                                                                     \
      "a page or kernel object is freed that was not seen allocated (lost event, or "                        \
      "allocated before the recording)")                                                                     \
    X(KERNEL_ALLOC, false, "kernel-alloc", "a page or kernel object is allocated twice (lost event)")        \
    X(NONCANONICAL, false, "noncanonical",                                                                   \
      "an address that no program can name (bits 63..56 are not equal)")                                     \
    X(LIMIT, false, "limit", "more threads, processes or mappings than are followed: some checks stopped")

enum trace_check_kind {
#define X(name, is_error, text, help) TRACE_CHECK_##name,
    TRACE_CHECKS(X)
#undef X
        TRACE_CHECK_KINDS
};

struct trace_check;
struct trace_problem {
    enum trace_check_kind kind;
    uint64_t record; /* number in the trace, from 0 */
    uint32_t process, thread;
    const char *text; /* with the addresses; valid during the call */
};
/* Called for every problem found: the caller bounds its output. */
typedef void trace_check_report(void *ctx, const struct trace_problem *p);

int trace_check_new(struct trace_check **out, trace_check_report *report, void *ctx, struct err *err);
void trace_check_free(struct trace_check *c); /* NULL is fine */
/* -1 only without memory. */
int trace_check_batch(struct trace_check *c, const struct trace_batch *b, struct err *err);
uint64_t trace_check_count(const struct trace_check *c, enum trace_check_kind kind);
uint64_t trace_check_records(const struct trace_check *c);
bool trace_check_is_error(enum trace_check_kind kind);
const char *trace_check_name(enum trace_check_kind kind);
const char *trace_check_help(enum trace_check_kind kind);

#endif
