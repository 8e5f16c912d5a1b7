/*
 * Made-up traces with known properties: "sequential", "strided", "uniform", "zipf", "chase", "gups",
 * "producer".
 *
 * A trace begins with a SEGMENT of the code and an MMAP for each data region, then a CLONE a further thread,
 * and ends with EXIT records. Thread t works in region t (shared=true: all in one), the threads take turns of
 * `quantum` data references. With with_fetch every data reference stands in a small loop: insns-2 arithmetic
 * instructions, the access, a branch. The same configuration gives the same trace, byte for byte.
 * docs/trace-generators.md has the patterns' closed forms.
 */
#ifndef TRACES_GEN_H
#define TRACES_GEN_H

#include "engine/err.h"
#include "engine/params.h"
#include "traces/record.h"

#include <stdbool.h>
#include <stdio.h>

struct trace_gen_config {
    uint64_t size;         /* bytes of a data region (footprint) */
    uint64_t element;      /* bytes between the things that patterns address: an element, a chase's node */
    uint64_t access;       /* bytes of an access */
    uint64_t stride;       /* bytes, strided */
    uint64_t base;         /* address of the first data region */
    uint64_t code_base;    /* address of the loop's code */
    double store_fraction; /* of sequential, strided, uniform, zipf */
    double exponent;       /* zipf */
    bool scatter;          /* zipf: spread the ranks over the region; else rank order is address order */
    bool shared;           /* all threads in one region */
    bool with_fetch;       /* instruction fetches and branches */
    bool regs;             /* REGS records; a chase's loads then depend on each other */
    uint32_t insns;        /* instructions a data reference, the access included */
    uint64_t quantum;      /* data references of a thread's turn */
    uint64_t seed;
};
extern const struct param trace_gen_params[];
extern const size_t trace_gen_param_count;

/* Where records go: heads with their payload slots, of one thread of process 0. -1 stops the generator. */
typedef int trace_gen_put(void *ctx, uint32_t thread, const struct trace_rec *rec, size_t n, struct err *err);

void trace_gen_defaults(struct trace_gen_config *c);
/* "key=value"; sizes with units ("64MiB", "8B"), addresses hexadecimal. -1 with a usage error that names the
 * keys. */
int trace_gen_set(struct trace_gen_config *c, const char *key_value, struct err *err);

/* Names and one sentence of each kind, NULL behind the last. */
const char *trace_gen_kind_name(unsigned i);
const char *trace_gen_kind_help(unsigned i);

/*
 * `count` data references in all, divided over `threads` (the first ones get one more where it does not go
 * even; the producer pattern gives each turn what the queue allows, so there only the sum is exact). -1:
 * usage error (unknown kind, sizes that do not fit each other), no memory, or put's own.
 */
int trace_gen(const char *kind, uint64_t count, uint32_t threads, const struct trace_gen_config *c,
              trace_gen_put *put, void *ctx, struct err *err);

#endif
