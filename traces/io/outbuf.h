/* Text or bytes on their way into an outfile, collected in a buffer. Private to traces/: the writers. */
#ifndef TRACES_OUTBUF_H
#define TRACES_OUTBUF_H

#include "traces/input.h"
#include "traces/io/outfile.h"

#include <string.h>

#define OUTBUF_BYTES (256u << 10)
#define OUTBUF_ROOM (5 * TRACE_STRING_MAX) /* more than the longest line: every byte of a string as \xHH */

/* Call outbuf_flush when full() is true; so much as ROOM fits after it said no. */
struct outbuf {
    struct outfile *f;
    size_t n;
    char buf[OUTBUF_BYTES + OUTBUF_ROOM];
};

static inline bool outbuf_full(const struct outbuf *b)
{
    return b->n >= OUTBUF_BYTES;
}

static inline int outbuf_flush(struct outbuf *b, struct err *err)
{
    int r = b->n ? outfile_write(b->f, b->buf, b->n, err) : 0;
    b->n = 0;
    return r;
}

static inline void outbuf_bytes(struct outbuf *b, const void *p, size_t n)
{
    memcpy(b->buf + b->n, p, n);
    b->n += n;
}

static inline void outbuf_char(struct outbuf *b, char c)
{
    b->buf[b->n++] = c;
}

static inline void outbuf_str(struct outbuf *b, const char *s)
{
    outbuf_bytes(b, s, strlen(s));
}

/* At least `digits` of them. */
static inline void outbuf_hex(struct outbuf *b, uint64_t v, unsigned digits)
{
    unsigned k = v ? (63u - (unsigned)__builtin_clzll(v)) / 4 + 1 : 1;
    for (unsigned i = k < digits ? digits : k; i-- > 0;)
        outbuf_char(b, "0123456789abcdef"[v >> (4 * i) & 15]);
}

static inline void outbuf_dec(struct outbuf *b, uint64_t v)
{
    char tmp[20];
    unsigned k = 0;
    do
        tmp[k++] = (char)('0' + v % 10);
    while (v /= 10);
    while (k)
        outbuf_char(b, tmp[--k]);
}

#endif
