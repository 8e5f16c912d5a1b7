/*
 * A trace decoded once for several processes. One process decodes a window of chunks into memory that it shares with the
 * processes it forks; each of these opens the trace as always and gets its batches from there. Who runs when is the caller's
 * affair: a reader that has taken all of a window asks (`ask`) and sleeps, and nobody may read while a window is filled.
 *
 *   decoder:  trace_share_new(&s, path, &err);
 *             while (trace_share_fill(s, readers)) let each reader run until it asks or ends;
 *   reader, forked after trace_share_new and before the second fill:
 *             trace_share_read(s, ask, self);
 *             trace_open(&t, path, &(struct trace_options){.share = s}, &err);
 *
 * The first trace opened of that path takes part. Others of the process, and one that seeks or rewinds, decode for
 * themselves. The batches, the error at their end and what trace_get_info says are those of a trace decoded alone.
 */
#ifndef TRACES_SHARE_H
#define TRACES_SHARE_H

#include "engine/err.h"

#include <stdbool.h>
#include <stdint.h>

struct trace_share;

/* -1: the trace cannot be opened, or there is no memory. `window`: elements decoded at a time, at least; 0: the default. */
int trace_share_new(struct trace_share **out, const char *path, uint32_t window, struct err *err);
void trace_share_free(struct trace_share *s); /* in any process; NULL is fine */

/* ---- the decoder ---- */

/* Decodes the next window, for so many readers that are left. False: the one before reached the end, nothing was done. */
bool trace_share_fill(struct trace_share *s, unsigned readers);
/* The part of the trace that was decoded so far, 0 to 1; 0 where its length is not known. */
double trace_share_part(const struct trace_share *s);

/* ---- a reader ---- */

/* Sleeps until the decoder has filled the next window; -1: there will be none. */
typedef int (*trace_share_ask_fn)(void *self);
/* From here on this process is a reader: it cannot write the window any more. */
void trace_share_read(struct trace_share *s, trace_share_ask_fn ask, void *self);
bool trace_share_taken(const struct trace_share *s); /* a trace of this process takes part, or did */
/* Time in which this process waited for others, less its share of the decoding, ns: to be taken from its wall time. */
int64_t trace_share_waited_ns(const struct trace_share *s);

/* ---- for traces/trace.c ---- */

struct chunk;
bool trace_share_take(struct trace_share *s, const char *path); /* true once, in a reader, for its path */
struct chunk *trace_share_next(struct trace_share *s);          /* NULL: the decoder is gone */

#endif
