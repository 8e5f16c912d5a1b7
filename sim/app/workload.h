/*
 * The workload of a run: traces opened, their threads spread over the cores, one source of records a core.
 *
 * Thread t of trace i runs on core (i + t) modulo cores, or on the core the configuration names. A core that serves
 * several traces takes a batch of each in turn. Process p of trace i is process i * WORKLOAD_PROCESSES + p of the machine.
 */
#ifndef APP_WORKLOAD_H
#define APP_WORKLOAD_H

#include "app/machine_root.h"
#include "cpu/machine/machine.h"
#include "traces/native/hash.h"

enum { WORKLOAD_PROCESSES = 4096 }; /* processes of one trace at most */

struct workload;

struct workload_trace {
    const char *path;
    int64_t core;
    const char *decoded; /* a .mtr with the same records that is read in its place (decoded.h); NULL: none */
    struct trace_share *share; /* another process may decode it (traces/io/share.h); NULL: none */
};

/* Opens everything; -1 and *err names the file. `decode_ahead` decodes in a thread a trace. */
int workload_new(struct workload **out, const struct workload_trace *t, size_t n, unsigned cores, bool decode_ahead,
                 struct err *err);
void workload_attach(struct workload *w, struct machine *m);
void workload_free(struct workload *w);
/* The first trace from number *i on that was read to an end which may not be its own (a .mtr that was not closed, a file
 * that ends inside a line): *i is its number, *why says it. false: none. Call it after the run. */
bool workload_partial(const struct workload *w, size_t *i, const char **why);
/* Where every core's traces stand. Loading: `m` is loaded afterwards; a core in the middle of a batch is given it again. */
struct state_io;
void workload_state(struct workload *w, struct machine *m, struct state_io *io);
/* What tells trace i from others, without reading all of it where it carries its hash; -1 if the file cannot be read. */
int workload_identity(const struct workload *w, size_t i, char *buf, size_t size, struct err *err);
/* References of all traces together, 0 if not known. */
uint64_t workload_references(const struct workload *w);
/* Hexadecimal identities of the traces, joined by '+'; NULL if one was not read to its end and does not carry it. */
const char *workload_hash(struct workload *w, char *buf, size_t size);

#endif
