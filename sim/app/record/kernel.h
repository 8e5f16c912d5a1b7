/*
 * `mmulab record --kernel`: the kernel's own allocation events while a program runs, and what the kernel says of its memory
 * before and after, in a folder that scripts/validate and `workload.kernel` read (docs/kernel-recording.md).
 */
#ifndef APP_RECORD_KERNEL_H
#define APP_RECORD_KERNEL_H

#include "engine/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* argv[0] is "record"; `--kernel` is among the options. Returns the exit code: the program's, or 1 or 2. */
int record_kernel(int argc, char **argv);

/* --- kernel_snapshot.c --- */

enum { SNAPSHOT_FILES = 9 };
struct snapshot { /* as read: nothing is written to disk while events are recorded */
    struct { char *text; size_t len, cap; struct timespec start, end; } file[SNAPSHOT_FILES];
    struct timespec start, end; /* of all of them, CLOCK_MONOTONIC */
    uint64_t free_pages, buddy_pages; /* of class free in the map; in buddyinfo */
};
int snapshot_init(struct snapshot *s, struct err *err); /* reserves the memory that taking it will need */
void snapshot_fini(struct snapshot *s);
int snapshot_take(struct snapshot *s, struct err *err);
/* Writes DIR/NAME.buddyinfo and so on, the page map compressed. */
int snapshot_write(const struct snapshot *s, const char *dir, const char *name, struct err *err);
/* Lines of times.json: when the snapshot `name` and each of its files were read. Returns their length; cut at `size`. */
size_t snapshot_times(const struct snapshot *s, const char *name, char *out, size_t size);

/* --- kernel_perf.c --- */

struct perf_session {
    const char *perf; /* the program */
    char *data;       /* its file; removed at the end unless kept */
    int pid, control, ack, said;
};
/* Starts perf, not yet recording; all CPUs, `buffer_bytes` a CPU, a power of two of pages; events of slab objects if `slabs`. */
int perf_begin(struct perf_session *p, const char *data, uint64_t buffer_bytes, bool slabs, struct err *err);
int perf_enable(struct perf_session *p, struct err *err);
int perf_end(struct perf_session *p, struct err *err); /* disables, stops, waits */
void perf_kill(struct perf_session *p);
struct perf_text { uint64_t events, lost, bytes; };
/* perf script's text of the recording, one event a line without the padding of columns, compressed with zstd. */
int perf_write_text(const struct perf_session *p, const char *path, struct perf_text *out, struct err *err);

/* --- shared --- */

/* Writes a file that is whole or absent; compressed with zstd if `compress`. */
int kernel_write_file(const char *dir, const char *name, const char *text, size_t len, bool compress, struct err *err);

#endif
