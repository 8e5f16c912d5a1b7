/* The text form's writer. What it writes, text_read.c reads back to the same records. */
#include "traces/native/text.h"
#include "traces/io/outbuf.h"
#include "traces/io/writer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const struct text_flag flags[] = {TEXT_FLAGS};

struct text_writer {
    uint32_t process, thread;
    struct outbuf out;
};

/* Small numbers and negative error numbers in decimal, the rest (addresses, masks) in hexadecimal. */
static void put_value(struct text_writer *w, uint64_t v)
{
    if (v > UINT64_MAX - 4096) {
        outbuf_str(&w->out, "-");
        outbuf_dec(&w->out, 0 - v);
    } else if (v < 1u << 20) {
        outbuf_dec(&w->out, v);
    } else {
        outbuf_str(&w->out, "0x");
        outbuf_hex(&w->out, v, 1);
    }
}

static void put_quoted(struct text_writer *w, const char *s, size_t n)
{
    outbuf_str(&w->out, "\"");
    for (size_t i = 0; i < n; i++) {
        unsigned char ch = (unsigned char)s[i];
        if (ch == '"' || ch == '\\') {
            outbuf_char(&w->out, '\\');
            outbuf_char(&w->out, (char)ch);
        } else if (ch < 32 || ch == 127) {
            outbuf_str(&w->out, "\\x");
            outbuf_char(&w->out, "0123456789abcdef"[ch >> 4]);
            outbuf_char(&w->out, "0123456789abcdef"[ch & 15]);
        } else {
            outbuf_char(&w->out, (char)ch);
        }
    }
    outbuf_str(&w->out, "\"");
}

static void put_flags(struct text_writer *w, const struct trace_rec *r)
{
    unsigned left = r->flags;

    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if (left & flags[i].value && r->kind >= flags[i].first && r->kind <= flags[i].last) {
            outbuf_str(&w->out, " ");
            outbuf_str(&w->out, flags[i].name);
            left &= ~(unsigned)flags[i].value;
        }
    }
    if (left) {
        outbuf_str(&w->out, " rflags=");
        put_value(w, left);
    }
}

static void put_record(struct text_writer *w, const struct trace_rec *r)
{
    const struct trace_shape *s = trace_kind_shape(r->kind);

    outbuf_str(&w->out, s->name);
    outbuf_str(&w->out, " ");
    if (s->hex)
        outbuf_hex(&w->out, r->addr, 1);
    else if (r->addr <= INT64_MAX)
        outbuf_dec(&w->out, r->addr);
    else
        put_value(w, r->addr);
    if (s->size) {
        outbuf_str(&w->out, " ");
        outbuf_dec(&w->out, r->size);
    } else if (r->size) {
        outbuf_str(&w->out, " arg2=");
        outbuf_dec(&w->out, r->size);
    }
    for (unsigned i = 0; i < s->words; i++) {
        uint64_t v;
        memcpy(&v, (const char *)(r + 1) + 8 * i, 8);
        outbuf_str(&w->out, " ");
        outbuf_str(&w->out, s->field[i]);
        outbuf_str(&w->out, "=");
        put_value(w, v);
    }
    if (r->flags)
        put_flags(w, r);
    if (s->string) {
        size_t len;
        const char *text = trace_rec_string(r, &len);
        outbuf_str(&w->out, " ");
        put_quoted(w, text, len);
    }
    outbuf_str(&w->out, "\n");
}

static int text_flush(void *self, struct err *err)
{
    struct text_writer *w = self;
    return outbuf_flush(&w->out, err);
}

static void *text_open(struct outfile *f, const struct trace_writer_options *opt, struct err *err)
{
    struct text_writer *w = malloc(sizeof *w);

    (void)opt;
    if (!w) {
        err_set(err, ERR_RUN, "out of memory");
        return NULL;
    }
    w->process = w->thread = 0;
    w->out.f = f;
    w->out.n = 0;
    outbuf_str(&w->out, TEXT_HEADER);
    outbuf_dec(&w->out, TEXT_VERSION);
    outbuf_char(&w->out, '\n');
    return w;
}

static int text_put(void *self, uint32_t process, uint32_t thread, const struct trace_rec *rec, size_t n,
                    struct err *err)
{
    struct text_writer *w = self;

    if (process != w->process || thread != w->thread) {
        outbuf_str(&w->out, "T ");
        outbuf_dec(&w->out, process);
        outbuf_char(&w->out, ' ');
        outbuf_dec(&w->out, thread);
        outbuf_char(&w->out, '\n');
        w->process = process;
        w->thread = thread;
    }
    for (size_t i = 0; i < n; i += 1u + rec[i].slots) {
        put_record(w, &rec[i]);
        if (outbuf_full(&w->out) && outbuf_flush(&w->out, err) < 0)
            return -1;
    }
    return 0;
}

const struct writer_ops writer_text = {text_open, text_put, text_flush, text_flush, free, NULL};
