/*
 * The identity of a trace: XXH3-64 over its records as 16-byte elements (payload slots included), in order.
 * Before the first record, and wherever the thread changes, stands one more element: { addr = process << 32 |
 * thread, all else 0 }. So it depends neither on batches nor on the container. Private to traces/.
 */
#ifndef TRACES_HASH_H
#define TRACES_HASH_H

#include "traces/record.h"

#include <stdbool.h>
#include <stddef.h>

struct trace_hasher;
struct trace_hasher *trace_hasher_new(void); /* NULL: out of memory */
void trace_hasher_free(struct trace_hasher *h);
void trace_hasher_put(struct trace_hasher *h, uint32_t process, uint32_t thread, const struct trace_rec *rec,
                      size_t n);
uint64_t trace_hasher_value(const struct trace_hasher *h);

#endif
