/*
 * Reading traces: open a file of any known form through any known compression, then take batches.
 *
 *   struct trace *t;
 *   if (trace_open(&t, path, NULL, &err)) ...
 *   while ((r = trace_next(t, &batch, &err)) > 0) use(batch.rec, batch.n);
 *   r == 0: the end; r < 0: err says "record 81,204 (byte 1,299,264): what is wrong", text forms with their line
 *   too; records count from 0, bytes are those of the decompressed stream. All batches handed out before were good.
 *
 * With options.ahead a second thread decodes ahead; the batches are the same. Not thread-safe otherwise.
 */
#ifndef TRACES_TRACE_H
#define TRACES_TRACE_H

#include "engine/err.h"
#include "traces/record.h"

#include <stdbool.h>
#include <stddef.h>

#define TRACE_BATCH_RECS                                                                                     \
    8192 /* at most so many records (heads and slots) in a batch; a payload is never split */

struct trace_batch {
    uint32_t process, thread;    /* small dense numbers from 0, in order of appearance */
    size_t n;                    /* elements of rec, payload slots included */
    const struct trace_rec *rec; /* valid until the next trace_next */
    uint64_t
        first_record; /* number of the first record in the whole trace, from 0; payload slots do not count */
};

/* Of a text of kernel events: what its lines were (docs/kernel-replay.md). */
struct trace_kernel_lines {
    uint64_t lines;
    uint64_t other;    /* events of other names */
    uint64_t batched;  /* mm_page_free_batched: left out, each repeats an mm_page_free */
    uint64_t lost;     /* events that the recorder says it lost */
    uint64_t unparsed; /* lines that could not be taken apart */
    uint64_t first_unparsed; /* number of the first, from 1 */
};

/* So many things of a kind were not taken over, from a source or into a target. */
struct trace_left {
    const char *what; /* static text, plural: "system-call markers" */
    uint64_t n;
    bool made_up; /* the other way round: the target needs it and the source does not tell it */
};
#define TRACE_LEFT_MAX 48u

struct trace_info {
    const char *format;          /* the reader's name: TRACE_READERS */
    const char *compression;     /* "none", "zstd", "xz", "gzip", "bzip2", "zip" */
    uint32_t threads, processes; /* known so far */
    uint64_t records;            /* 0 if not known without reading; .mtr with an index knows */
    uint64_t refs;               /* 0 if unknown */
    bool has_fetch, has_regs;    /* known from the header (.mtr) or the format; else false */
    uint64_t insns;              /* instructions; 0 if unknown */
    uint64_t hash;               /* trace_hash; 0 if not known without reading */
    struct trace_kernel_lines kernel; /* known so far; all 0 for other forms */
    bool incomplete;             /* there may have been more: `why` says it */
    const char *why;             /* of incomplete: "not closed, ..." (static text) */
    unsigned nleft; /* what the source holds and a record cannot, as far as it was read */
    struct trace_left left[TRACE_LEFT_MAX];
};

struct trace_share;
struct trace_options {
    const char *format; /* force a reader by name; NULL: chosen by content */
    bool ahead;         /* decode in a second thread */
    bool no_maps;       /* do not read NAME.maps.txt beside a lackey file */
    struct trace_share *share; /* batches come from there if it is of this trace (traces/io/share.h); NULL: none */
};

struct trace;
int trace_open(struct trace **out, const char *path, const struct trace_options *opt, struct err *err);
int trace_next(struct trace *t, struct trace_batch *out, struct err *err);
int trace_rewind(struct trace *t, struct err *err);
void trace_get_info(const struct trace *t, struct trace_info *out);
void trace_close(struct trace *t); /* NULL is fine */
/* The same over a file image in memory, which must outlive the trace. */
int trace_open_memory(struct trace **out, const void *buf, size_t n, const struct trace_options *opt,
                      struct err *err);
/* The next batch starts with record number `record` (from 0); at or beyond the end the next is the end. A
 * .mtr with an index jumps to the block; everything else rewinds and skips. */
int trace_seek(struct trace *t, uint64_t record, struct err *err);
/* XXH3-64 of the record stream (kinds, fields, threads), the same whatever the container: the trace's
 * identity. Reads the whole trace unless the .mtr index stores it. */
int trace_hash(const char *path, uint64_t *hash, struct err *err);

/* Number of 16-byte slots for a payload of `words` 8-byte words or `bytes` bytes. */
static inline uint16_t trace_slots_words(unsigned words)
{
    return (uint16_t)((words + 1) / 2);
}
static inline uint16_t trace_slots_bytes(size_t bytes)
{
    return (uint16_t)((bytes + 15) / 16);
}
/* "1,299,264" into buf, for messages and tables; returns buf. */
const char *trace_commas(char buf[32], uint64_t v);
const char *trace_kind_name(uint8_t kind); /* text mnemonic; NULL for an unknown kind */
const char *trace_reader_name(unsigned i); /* the forms that are read; NULL behind the last */
/* Adds to a list of TRACE_LEFT_MAX; n 0 and what no longer fits are ignored. */
void trace_left_add(struct trace_left *list, unsigned *n_list, const char *what, uint64_t n);
void trace_made_up_add(struct trace_left *list, unsigned *n_list, const char *what, uint64_t n);

/* --- one reader a format: the plug-in point ------------------------------------------------------------- */

struct trace_input; /* decompressed bytes: traces/input.h */
struct trace_sink;  /* where a reader puts records: traces/input.h */

struct trace_reader_ops {
    const char *name;
    /* How sure the reader is that `head` (up to 64 KiB of decompressed bytes; `whole` if that is all) is its
     * form: 0 no, 1..100. Called once per open for every reader; the surest wins. Where two are equally sure, the
     * file's name decides (NAME.din, NAME.ramulator.gz); else that is an error which asks for --format. */
    int (*probe)(const unsigned char *head, size_t n, bool whole);
    size_t state_bytes; /* the reader's state, zeroed before open */
    /* May be NULL: a zeroed state is an open one. */
    int (*open)(void *state, struct trace_input *in, const char *path, const struct trace_options *opt,
                struct err *err);
    /* Puts at most a few thousand records into the sink. 1: some, 0: end, -1: error (what was put before is
     * good). */
    int (*read_batch)(void *state, struct trace_input *in, struct trace_sink *sink, struct err *err);
    void (*info)(const void *state,
                 struct trace_info *out); /* fields known; the core fills format and compression */
    void (*close)(void *state); /* may be NULL */
    /* May be NULL: goes to a place at or before `record` and says in *first which record comes next. 1: done,
     * 0: cannot (the core rewinds and skips), -1: error. */
    int (*seek)(void *state, struct trace_input *in, uint64_t record, uint64_t *first, struct err *err);
    /* May be NULL: back to the first record, the input stands at byte 0. NULL: the core closes, zeroes and
     * opens. */
    int (*rewind)(void *state, struct trace_input *in, struct err *err);
};

#define TRACE_PROBE_NUMBERS 40 /* lines of plain numbers: several forms have such */

#define TRACE_READERS(X)                                                                                     \
    X(mtr)                                                                                                   \
    X(text)                                                                                                  \
    X(lackey)                                                                                                \
    X(qtrace)                                                                                                \
    X(champsim)                                                                                              \
    X(drmemtrace)                                                                                            \
    X(gem5)                                                                                                  \
    X(din)                                                                                                   \
    X(pin)                                                                                                   \
    X(ramulator)                                                                                             \
    X(dramsim3)                                                                                              \
    X(perf)                                                                                                  \
    X(perf_data)
#define X(reader) extern const struct trace_reader_ops trace_reader_##reader;
TRACE_READERS(X)
#undef X

/* --- writing -------------------------------------------------------------------------------------------- */

struct trace_writer;

struct trace_writer_options {
    /* From trace_writer_show on the file stands under its name, so that others can read what is complete so far
     * while it grows, and a recorder that is killed leaves what it had. A .mtr says in its header that it is not
     * closed. */
    bool live;
    const char *form;       /* one of trace_writer_form; NULL: by the name's ending */
    int level;              /* .mtr: zstd level 1..19; 0: the default */
    uint32_t block_records; /* .mtr: records a block; 0: the default */
};

/*
 * By the name's ending: ".mtr" native binary, ".txt"/".mtt" native text ("-" is text on stdout), ".champsim",
 * ".lackey", ".din": forms of other programs, which hold less (trace_writer_lost). A lackey file gets its initial
 * mappings beside it as NAME.maps.txt. The file
 * appears under its name only when closed without error (but see live); trace_writer_abort removes it. `opt`
 * may be NULL. */
int trace_writer_open(struct trace_writer **out, const char *path, struct err *err);
int trace_writer_open_with(struct trace_writer **out, const char *path,
                           const struct trace_writer_options *opt, struct err *err);
/* Appends records (heads with their slots) of one thread. Refuses malformed ones, naming them. After an error
 * the writer can only be aborted. */
int trace_writer_put(struct trace_writer *w, uint32_t process, uint32_t thread, const struct trace_rec *rec,
                     size_t n, struct err *err);
/* What the form cannot hold of the records put so far, complete once trace_writer_end was called; returns the number of
 * entries. 0 for the native forms. */
unsigned trace_writer_lost(const struct trace_writer *w, struct trace_left out[TRACE_LEFT_MAX]);
/* No record follows: writes what waited for the next one. trace_writer_close does it, too. */
int trace_writer_end(struct trace_writer *w, struct err *err);
const char *trace_writer_form(unsigned i); /* names of the forms that are written; NULL behind the last */
/* The form that a path and options.form (may be NULL) choose; NULL: none. */
const char *trace_writer_form_of(const char *path, const char *form);
/* There is something worth keeping: a live file takes its name, and the place of what had it. Again: nothing. */
int trace_writer_show(struct trace_writer *w, struct err *err);
/* What was put so far is in the file and can be read (live; shows it). Ends a block: not too often. */
int trace_writer_flush(struct trace_writer *w, struct err *err);
/* Frees w in both cases; on error the temporary file is removed (one that was shown stays as it is). */
int trace_writer_close(struct trace_writer *w, struct err *err);
void trace_writer_abort(struct trace_writer *w); /* NULL is fine; removes the file, also a live one */

#endif
