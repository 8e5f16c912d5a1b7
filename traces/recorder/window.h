/*
 * Which part of a recording is kept: references from a region of interest, a limit, a part to skip, windows at regular
 * distances. Events (everything that is no reference) are always kept, so that a replay knows the mappings; a MARK says
 * where a window begins and where it ends.
 *
 * All decisions fall at the beginning of an instruction: the first reference of a thread that is a FETCH, or any reference
 * of a thread without them. Not thread-safe.
 */
#ifndef TRACES_RECORDER_WINDOW_H
#define TRACES_RECORDER_WINDOW_H

#include "traces/recorder/drain.h"

#define WINDOW_MARK_BEGIN 1 /* numbers of the MARKs */
#define WINDOW_MARK_END 2

struct window_options {
    uint64_t skip, limit;    /* references; limit 0: none */
    uint64_t period, length; /* references: of each `period` the first `length`; period 0: all */
    const char *program;     /* path of the ELF file that is run */
    const char *roi;         /* function: from its entry to its return, calls included; NULL: none */
    const char *from, *to;   /* functions: from an entry of one to an entry of the other; NULL: beginning, end */
};

struct window;
/* Looks for mistakes in the names of functions. Strings are kept, not copied. */
int window_new(struct window **out, const struct window_options *opt, struct record_sink sink, struct err *err);
void window_free(struct window *w); /* NULL is fine */
/* The stage as a sink for what comes before it. */
struct record_sink window_sink(struct window *w);
/* The last window's end. */
int window_finish(struct window *w, struct err *err);

struct window_result {
    uint64_t references, instructions; /* kept */
    uint64_t seen;                     /* references, all of them */
    uint64_t windows;                  /* begun */
    bool full;                         /* the limit is reached: no reference will be kept any more */
    const char *missing;               /* a function that was asked for and is in no file that was mapped; NULL */
};
void window_get_result(const struct window *w, struct window_result *out);

#endif
