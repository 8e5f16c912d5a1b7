/*
 * The recorder's side of wire.h: takes what recorded processes commit and makes trace records of it, in order, thread by
 * thread, with the numbers of docs/trace-format.md (processes and threads densely from 0). Not thread-safe.
 */
#ifndef TRACES_RECORDER_DRAIN_H
#define TRACES_RECORDER_DRAIN_H

#include "engine/err.h"
#include "traces/record.h"

#include <stdbool.h>
#include <stddef.h>

/* Takes whole records of one thread. Returns 0; -1 with err set: the drain fails with it. */
struct record_sink {
    void *self;
    int (*put)(void *self, uint32_t process, uint32_t thread, const struct trace_rec *rec, size_t n, struct err *err);
};

struct drain_options {
    const char *keep_maps;  /* file for the kernel's list of mappings when process 0 ends; NULL: none */
    const char *mark;       /* text of the first record */
    const char *qemu[2];    /* for i386, for x86-64; NULL: not there. A process that runs another program is not recorded */
    const char *plugin;     /* file of the plugin */
    const char *cpu;        /* QEMU's -cpu */
};

struct drain;
/* *fd: the shared memory, for the plugin to inherit; it stays the drain's. Options' strings are kept, not copied. */
int drain_new(struct drain **out, int *fd, const struct drain_options *opt, struct record_sink sink, struct err *err);
void drain_free(struct drain *d); /* NULL is fine; the producers are told to stop */
/* The plugin's file as QEMU's option has it (commas doubled). */
const char *drain_plugin(const struct drain *d);
/* Takes what is there; waits up to timeout_ms for the first of it. 1: took some, 0: none, -1: error. */
int drain_step(struct drain *d, int timeout_ms, struct err *err);
/* From now on only events are wanted (a limit is reached). */
void drain_quiet(struct drain *d);
/* Process 0 has ended with `status` (128 + n: by signal n): takes all that is left, of killed processes too. */
int drain_finish(struct drain *d, int status, struct err *err);

struct drain_result {
    bool started;         /* the plugin has run */
    bool ended;           /* process 0 told its end by itself */
    bool maps;            /* the initial mappings are in the trace */
    const char *became;   /* process 0 was replaced by this program, which is not recorded; NULL */
    const char *lost;     /* why the recording ended before the program; NULL: it did not */
    unsigned execs;       /* processes that were replaced by another program */
};
void drain_get_result(const struct drain *d, struct drain_result *out);

#endif
