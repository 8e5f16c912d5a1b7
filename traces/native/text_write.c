/* The text form's writer. What it writes, text_read.c reads back to the same records. */
#include "traces/native/text.h"
#include "traces/io/writer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define BUFFER (256u << 10)
#define LINE_ROOM (5 * TRACE_STRING_MAX) /* the longest line: every byte of a string as \xHH */

static const struct text_flag flags[] = {TEXT_FLAGS};

struct text_writer {
    struct outfile *f;
    uint32_t process, thread;
    size_t n;
    char buf[BUFFER + LINE_ROOM];
};

static void put_str(struct text_writer *w, const char *s)
{
    size_t n = strlen(s);
    memcpy(w->buf + w->n, s, n);
    w->n += n;
}

static void put_hex(struct text_writer *w, uint64_t v)
{
    int shift = v ? (63 - __builtin_clzll(v)) & ~3 : 0;

    for (; shift >= 0; shift -= 4)
        w->buf[w->n++] = "0123456789abcdef"[v >> shift & 15];
}

static void put_dec(struct text_writer *w, uint64_t v)
{
    char tmp[20];
    unsigned k = 0;

    do
        tmp[k++] = (char)('0' + v % 10);
    while (v /= 10);
    while (k)
        w->buf[w->n++] = tmp[--k];
}

/* Small numbers and negative error numbers in decimal, the rest (addresses, masks) in hexadecimal. */
static void put_value(struct text_writer *w, uint64_t v)
{
    if (v > UINT64_MAX - 4096) {
        put_str(w, "-");
        put_dec(w, 0 - v);
    } else if (v < 1u << 20) {
        put_dec(w, v);
    } else {
        put_str(w, "0x");
        put_hex(w, v);
    }
}

static void put_quoted(struct text_writer *w, const char *s, size_t n)
{
    put_str(w, "\"");
    for (size_t i = 0; i < n; i++) {
        unsigned char ch = (unsigned char)s[i];
        if (ch == '"' || ch == '\\') {
            w->buf[w->n++] = '\\';
            w->buf[w->n++] = (char)ch;
        } else if (ch < 32 || ch == 127) {
            put_str(w, "\\x");
            w->buf[w->n++] = "0123456789abcdef"[ch >> 4];
            w->buf[w->n++] = "0123456789abcdef"[ch & 15];
        } else {
            w->buf[w->n++] = (char)ch;
        }
    }
    put_str(w, "\"");
}

static void put_flags(struct text_writer *w, const struct trace_rec *r)
{
    unsigned left = r->flags;

    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if (left & flags[i].value && r->kind >= flags[i].first && r->kind <= flags[i].last) {
            put_str(w, " ");
            put_str(w, flags[i].name);
            left &= ~(unsigned)flags[i].value;
        }
    }
    if (left) {
        put_str(w, " rflags=");
        put_value(w, left);
    }
}

static void put_record(struct text_writer *w, const struct trace_rec *r)
{
    const struct trace_shape *s = trace_kind_shape(r->kind);

    put_str(w, s->name);
    put_str(w, " ");
    if (s->hex)
        put_hex(w, r->addr);
    else if (r->addr <= INT64_MAX)
        put_dec(w, r->addr);
    else
        put_value(w, r->addr);
    if (s->size) {
        put_str(w, " ");
        put_dec(w, r->size);
    } else if (r->size) {
        put_str(w, " arg2=");
        put_dec(w, r->size);
    }
    for (unsigned i = 0; i < s->words; i++) {
        uint64_t v;
        memcpy(&v, (const char *)(r + 1) + 8 * i, 8);
        put_str(w, " ");
        put_str(w, s->field[i]);
        put_str(w, "=");
        put_value(w, v);
    }
    if (r->flags)
        put_flags(w, r);
    if (s->string) {
        size_t len;
        const char *text = trace_rec_string(r, &len);
        put_str(w, " ");
        put_quoted(w, text, len);
    }
    put_str(w, "\n");
}

static int text_flush(void *self, struct err *err)
{
    struct text_writer *w = self;
    size_t n = w->n;

    w->n = 0;
    return outfile_write(w->f, w->buf, n, err);
}

static void *text_open(struct outfile *f, const struct trace_writer_options *opt, struct err *err)
{
    struct text_writer *w = malloc(sizeof *w);

    (void)opt;
    if (!w) {
        err_set(err, ERR_RUN, "out of memory");
        return NULL;
    }
    w->f = f;
    w->process = w->thread = 0;
    w->n = 0;
    put_str(w, TEXT_HEADER);
    put_dec(w, TEXT_VERSION);
    put_str(w, "\n");
    return w;
}

static int text_put(void *self, uint32_t process, uint32_t thread, const struct trace_rec *rec, size_t n,
                    struct err *err)
{
    struct text_writer *w = self;

    if (process != w->process || thread != w->thread) {
        put_str(w, "T ");
        put_dec(w, process);
        put_str(w, " ");
        put_dec(w, thread);
        put_str(w, "\n");
        w->process = process;
        w->thread = thread;
    }
    for (size_t i = 0; i < n; i += 1u + rec[i].slots) {
        put_record(w, &rec[i]);
        if (w->n >= BUFFER && text_flush(w, err) < 0)
            return -1;
    }
    return w->n >= BUFFER ? text_flush(w, err) : 0;
}

const struct writer_ops writer_text = {text_open, text_put, text_flush, text_flush, free};
