/*
 * What a trace reader stands between: decompressed bytes coming in, records going out.
 *
 * struct trace_input streams the decompressed bytes of a file (or of memory). The compression is chosen by
 * content: zstd (several frames, windows up to 2^31), xz (memory-limited), gzip (several members), bzip2, zip (its
 * members one after the other, in the order of its directory; not through a pipe), or none.
 *
 * struct trace_sink takes the records. Neither is thread-safe; with decode-ahead both belong to the decoding
 * thread.
 */
#ifndef TRACES_INPUT_H
#define TRACES_INPUT_H

#include "engine/err.h"
#include "traces/record.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* --- bytes in ------------------------------------------------------------------------------------------- */

#define TRACE_INPUT_WINDOW (1u << 20) /* bytes a window normally holds */
#define TRACE_INPUT_MAX (64u << 20)   /* the most bytes a window can be asked to hold */
#define TRACE_LINE_MAX (64u << 10)    /* longest text line, bytes; PATH_MAX escaped fits */

/*
 * [p, end) is the window: contiguous decompressed bytes that are not consumed yet. A reader may parse
 * straight from it and advance p. At least 16 readable zero bytes follow `end`, so a parser may look a little
 * past it.
 */
struct trace_input {
    const unsigned char *p, *end;
    uint64_t line; /* number of the line that trace_input_line gave last, from 1; a reader that parses lines
                      itself counts here */
    struct trace_source *src; /* private: file, decompressor, buffer */
};

int trace_input_open(struct trace_input **out, const char *path, struct err *err);
/* Memory instead of a file; `buf` must outlive the input and may hold a compressed stream. `name` is for
 * errors. */
int trace_input_open_memory(struct trace_input **out, const void *buf, size_t n, const char *name,
                            struct err *err);
void trace_input_close(struct trace_input *in); /* NULL is fine */

/*
 * Makes the window hold at least `want` (1..TRACE_INPUT_MAX) bytes; may move the window, so pointers into it
 * die. 1  at least `want` bytes are there 0  the stream ended well: the window holds all that is left,
 * perhaps nothing -1  the stream is broken (truncated or damaged compressed file, read error), err is set:
 * the window holds the bytes before the damage, which are good; a reader hands those out and then returns the
 * error.
 */
int trace_input_fill(struct trace_input *in, size_t want, struct err *err);

static inline size_t trace_input_avail(const struct trace_input *in)
{
    return (size_t)(in->end - in->p);
}

/* `n` contiguous bytes without consuming them, NULL where the stream has fewer (then *status is fill's 0 or
 * -1). */
static inline const unsigned char *trace_input_peek(struct trace_input *in, size_t n, int *status,
                                                    struct err *err)
{
    if (__builtin_expect(trace_input_avail(in) >= n, 1))
        return in->p;
    *status = trace_input_fill(in, n, err);
    return *status > 0 ? in->p : NULL;
}

static inline void trace_input_consume(struct trace_input *in, size_t n)
{
    assert(n <= trace_input_avail(in));
    in->p += n;
}

/*
 * The next line, without its "\n" or "\r\n", not copied: valid until the next call. line[len] can be read and
 * is '\n',
 * '\r' or '\0'. 1: a line; 0: the end; -1: broken stream or a line longer than TRACE_LINE_MAX. A last line
 * without a newline counts as a line. Counts in->line. NUL bytes in a line are the reader's to refuse.
 */
int trace_input_line_slow(struct trace_input *in, const char **line, size_t *len, struct err *err);
static inline int trace_input_line(struct trace_input *in, const char **line, size_t *len, struct err *err)
{
    size_t avail = trace_input_avail(in);
    const unsigned char *nl =
        avail ? memchr(in->p, '\n', avail < TRACE_LINE_MAX ? avail : TRACE_LINE_MAX) : NULL;
    if (__builtin_expect(!nl, 0))
        return trace_input_line_slow(in, line, len, err);
    *line = (const char *)in->p;
    *len = (size_t)(nl - in->p);
    if (*len && (*line)[*len - 1] == '\r')
        --*len;
    in->p = nl + 1;
    in->line++;
    return 1;
}

uint64_t trace_input_pos(const struct trace_input *in); /* position of p in the decompressed stream, bytes */
/* Whether trace_input_line gave a last line that has no line end: hand-made, or cut off. */
bool trace_input_unended(const struct trace_input *in);
const char *trace_input_name(const struct trace_input *in);
const char *trace_input_compression(const struct trace_input *in); /* "none", "zstd", "xz", "gzip", "bzip2", "zip" */
/* Size of the decompressed stream; UINT64_MAX where unknown (compressed, or a pipe). */
uint64_t trace_input_size(const struct trace_input *in);
/* Back to the start, or (uncompressed files and memory: trace_input_size is known) to any position. */
int trace_input_seek(struct trace_input *in, uint64_t pos, struct err *err);

/*
 * An error of a text reader: "NAME:LINE: error: MESSAGE: `the line`" with the remedy; returns -1. `line` may
 * be NULL; else it is one that trace_input_line gave, and its first byte is marked (trace_input_mark). Long
 * lines and control characters are shortened for the message.
 */
int trace_line_error(const struct trace_input *in, const char *line, size_t len, struct err *err,
                     const char *remedy, const char *fmt, ...) __attribute__((format(printf, 6, 7)));

/* A reader's error is about that byte of the decompressed stream; the core adds it and the number of the record
 * to the message: "record 81,204 (byte 1,299,264): MESSAGE". Without a mark it is the reader's position, or the
 * end of what could be read of a broken stream. A mark lasts until the next seek. */
void trace_input_mark(const struct trace_input *in, uint64_t byte);
uint64_t trace_input_marked(const struct trace_input *in);

/* --- records out ---------------------------------------------------------------------------------------- */

#define TRACE_SINK_RECS 16384u /* elements after which a sink calls itself full */
#define TRACE_SINK_SLACK 4096u /* elements that are still free when trace_sink_full() was false just before  \
                                */
#define TRACE_SINK_RUNS 1024u  /* thread switches after which a sink calls itself full */
#define TRACE_PAYLOAD_SLOTS_MAX 1024u /* most slots of one record: 16 KiB */

struct trace_run {
    uint32_t process, thread;
    uint32_t start, n; /* elements of rec */
};

/* The trace's own: made by the core, filled by read_batch. */
struct trace_sink {
    struct trace_rec *rec; /* TRACE_SINK_RECS + TRACE_SINK_SLACK elements */
    uint32_t n;            /* elements used, payload slots included */
    uint32_t payload; /* of those the payload slots (so that the core need not walk where there are none) */
    uint32_t nruns;   /* closed runs; the open one is [run_start, n) of (process, thread) */
    uint32_t run_start;
    uint32_t process, thread; /* of what is put now; kept from one read_batch to the next; 0, 0 at first */
    struct trace_run *run;    /* TRACE_SINK_RUNS + TRACE_SINK_SLACK elements */
};

/* Stop putting and return 1 from read_batch. Test it once per record, line or instruction: TRACE_SINK_SLACK
 * more elements and as many thread switches fit after it said no. */
static inline bool trace_sink_full(const struct trace_sink *s)
{
    return s->n >= TRACE_SINK_RECS || s->nruns >= TRACE_SINK_RUNS;
}

/* Records put from now on belong to this process and thread (small dense numbers from 0, in order of
 * appearance). Remembered over read_batch calls, until it is changed. */
static inline void trace_sink_thread(struct trace_sink *s, uint32_t process, uint32_t thread)
{
    if (s->process == process && s->thread == thread)
        return;
    if (s->n > s->run_start) {
        assert(s->nruns < TRACE_SINK_RUNS + TRACE_SINK_SLACK);
        s->run[s->nruns++] = (struct trace_run){s->process, s->thread, s->run_start, s->n - s->run_start};
        s->run_start = s->n;
    }
    s->process = process;
    s->thread = thread;
}

/* One record without a payload. */
static inline void trace_sink_put(struct trace_sink *s, struct trace_rec r)
{
    assert(s->n < TRACE_SINK_RECS + TRACE_SINK_SLACK);
    s->payload += r.slots;
    s->rec[s->n++] = r;
}

static inline void trace_sink_ref(struct trace_sink *s, enum trace_kind kind, uint64_t addr, uint32_t size)
{
    trace_sink_put(s, (struct trace_rec){.addr = addr, .size = size, .kind = (uint8_t)kind});
}

/* A record with its payload words; r.slots is set here. */
static inline void trace_sink_put_words(struct trace_sink *s, struct trace_rec r, const uint64_t *words,
                                        unsigned n)
{
    r.slots = (uint16_t)((n + 1) / 2);
    trace_sink_put(s, r);
    assert(s->n + r.slots <= TRACE_SINK_RECS + TRACE_SINK_SLACK);
    if (n & 1)
        memset(&s->rec[s->n + r.slots - 1], 0, 16);
    if (n)
        memcpy(&s->rec[s->n], words, n * sizeof *words);
    s->n += r.slots;
}

/*
 * A record whose payload is n words and then a string (EXEC, FILEID, MARK: no words; CACHE_ALLOC, CACHE_FREE:
 * words and the cache's name). The string has no NUL in it; it is cut at TRACE_STRING_MAX bytes.
 */
#define TRACE_STRING_MAX 4096u
void trace_sink_put_string(struct trace_sink *s, struct trace_rec r, const uint64_t *words, unsigned n,
                           const char *string, size_t len);

/* --- payload shapes ------------------------------------------------------------------------------------- */

/* Names of the payload fields in order; a string field, if any, is the last. From TRACE_KINDS. */
struct trace_shape {
    const char *name;     /* mnemonic */
    bool hex;             /* text form: the first argument is an address, hexadecimal even without 0x */
    bool size;            /* text form: the second argument is used and stands after the first */
    uint8_t words;        /* 8-byte words */
    bool string;          /* a string follows the words (its bytes start right after them) */
    const char *field[8]; /* `words` names, then the string's */
};
const struct trace_shape *trace_kind_shape(uint8_t kind); /* NULL for an unknown kind */
/* The payload string of a record whose kind has one ("" if none): not NUL-terminated if it fills its slots.
 */
const char *trace_rec_string(const struct trace_rec *r, size_t *len);
/* NULL if `r` (with `left` elements from r on) is a well-formed record, else what is wrong with it (static
 * text). */
const char *trace_rec_problem(const struct trace_rec *r, size_t left);

#endif
