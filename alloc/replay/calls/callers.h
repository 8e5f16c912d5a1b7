/*
 * The table of callers as `perf kmem --caller stat` prints it (tools/perf/builtin-kmem.c), from the recorded sizes: hits, bytes, and
 * ping-pongs, frees on another CPU than the allocation's.
 *
 * perf remembers each pointer that it ever saw, since a second free of one counts as a ping-pong of who had it last; so must this.
 * A kernel uses addresses again, so these are few more than were alive at once (1.04 to 1.7 times as many in four recordings); one
 * costs 16 bytes in a table that is between 3/8 and 3/4 full. Not thread-safe.
 */
#ifndef REPLAY_CALLS_CALLERS_H
#define REPLAY_CALLS_CALLERS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct callers;
struct callers *callers_new(void); /* NULL: out of memory */
void callers_free(struct callers *c); /* NULL is fine */
/* The name of a call site; the first one stays. */
void callers_name(struct callers *c, uint64_t site, const char *text, size_t len);
void callers_alloc(struct callers *c, uint64_t site, uint64_t pointer, uint64_t requested, uint64_t allocated, unsigned cpu);
void callers_given_back(struct callers *c, uint64_t pointer, unsigned cpu);
/* A line a call site, in perf's default order: fragmentation, hits, bytes. */
void callers_print(struct callers *c, FILE *f);
/* Of the pointers' table, and how many it holds. */
size_t callers_pointer_bytes(const struct callers *c);
size_t callers_pointers(const struct callers *c);

#endif
