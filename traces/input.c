#include "traces/input.h"

#include "traces/io/codec.h"
#include "traces/io/zip.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define RAW_BYTES (256u << 10) /* compressed bytes read at a time */
#define PAD 16u                /* readable zero bytes behind the window */

struct trace_source {
    char *name;
    int fd;                   /* -1: memory */
    const unsigned char *mem; /* memory source */
    size_t mem_n, mem_pos;
    bool seekable;
    uint64_t file_size; /* bytes as stored, UINT64_MAX if unknown */

    enum codec_kind kind;
    struct codec *codec;    /* NULL for CODEC_ZIP */
    struct zip_reader *zip; /* of CODEC_ZIP: reads the file itself */
    unsigned char *raw;  /* compressed bytes [raw_p, raw_n) */
    size_t raw_p, raw_n;
    bool raw_end;

    unsigned char *buf;
    size_t cap;
    uint64_t buf_pos; /* stream position of buf[0] */
    bool ended;
    bool broken;
    struct err why; /* of broken */
    bool unended;   /* the last line had no line end */
    bool marked;    /* `mark` is the byte that an error is about */
    uint64_t mark;
};

/* Bytes as stored: up to n into dst; 0 at the end, -1 on error. */
static ssize_t raw_read(struct trace_source *s, unsigned char *dst, size_t n, struct err *err)
{
    if (s->fd < 0) {
        size_t left = s->mem_n - s->mem_pos;
        n = n < left ? n : left;
        if (n)
            memcpy(dst, s->mem + s->mem_pos, n);
        s->mem_pos += n;
        return (ssize_t)n;
    }
    for (;;) {
        ssize_t r = read(s->fd, dst, n);
        if (r >= 0)
            return r;
        if (errno != EINTR) {
            err_set(err, ERR_RUN, "cannot read: %s", strerror(errno));
            return -1;
        }
    }
}

/* Up to n decompressed bytes; *got may be 0 without that being the end. 1, 0 at the end, -1. */
static int source_read(struct trace_source *s, unsigned char *dst, size_t n, size_t *got, struct err *err)
{
    size_t in_n;
    int r;

    *got = 0;
    if (s->kind == CODEC_ZIP)
        return zip_reader_read(s->zip, dst, n, got, err);
    if (s->kind == CODEC_NONE && s->raw_p == s->raw_n) {
        ssize_t k = s->raw_end ? 0 : raw_read(s, dst, n, err);
        if (k < 0)
            return -1;
        *got = (size_t)k;
        return k > 0;
    }
    if (s->raw_p == s->raw_n && !s->raw_end) {
        ssize_t k = raw_read(s, s->raw, RAW_BYTES, err);
        if (k < 0)
            return -1;
        s->raw_p = 0;
        s->raw_n = (size_t)k;
        s->raw_end = k == 0;
    }
    in_n = s->raw_n - s->raw_p;
    *got = n;
    r = codec_run(s->codec, s->raw + s->raw_p, &in_n, s->raw_end, dst, got, err);
    s->raw_p += in_n;
    return r;
}

int trace_input_fill(struct trace_input *in, size_t want, struct err *err)
{
    struct trace_source *s = in->src;
    size_t n = trace_input_avail(in);

    assert(want >= 1 && want <= TRACE_INPUT_MAX);
    if (n >= want)
        return 1;
    if (!s->ended && !s->broken) {
        s->buf_pos += (uint64_t)(in->p - s->buf);
        memmove(s->buf, in->p, n);
        if (s->cap < want) {
            unsigned char *b = realloc(s->buf, want + PAD);
            if (b) {
                s->buf = b;
                s->cap = want;
            } else {
                s->broken = true;
                err_set(&s->why, ERR_RUN, "out of memory for %zu bytes of the trace", want);
            }
        }
        while (n < want && !s->ended && !s->broken) {
            size_t got;
            int r = source_read(s, s->buf + n, s->cap - n, &got, &s->why);
            n += got;
            s->ended = r == 0;
            s->broken = r < 0;
        }
        if (s->broken)
            err_at(&s->why, s->name, 0, 0);
        memset(s->buf + n, 0, PAD);
        in->p = s->buf;
        in->end = s->buf + n;
        if (n >= want)
            return 1;
    }
    if (s->broken && err)
        *err = s->why;
    return s->broken ? -1 : 0;
}

int trace_input_line_slow(struct trace_input *in, const char **line, size_t *len, struct err *err)
{
    for (;;) {
        size_t avail = trace_input_avail(in), look = avail < TRACE_LINE_MAX ? avail : TRACE_LINE_MAX;
        const unsigned char *nl = avail ? memchr(in->p, '\n', look) : NULL;
        int r;

        if (nl)
            return trace_input_line(in, line, len, err);
        if (avail >= TRACE_LINE_MAX) {
            in->line++;
            return trace_line_error(in, (const char *)in->p, TRACE_LINE_MAX, err, "is this a text file?",
                                    "the line is longer than %u bytes", TRACE_LINE_MAX);
        }
        r = trace_input_fill(in, avail + 1, err);
        if (r < 0)
            return -1;
        if (r == 0) {
            if (!avail)
                return 0;
            in->src->unended = true;
            *line = (const char *)in->p;
            *len = avail;
            if ((*line)[avail - 1] == '\r')
                --*len;
            in->p = in->end;
            in->line++;
            return 1;
        }
    }
}

uint64_t trace_input_pos(const struct trace_input *in)
{
    return in->src->buf_pos + (uint64_t)(in->p - in->src->buf);
}

void trace_input_mark(const struct trace_input *in, uint64_t byte)
{
    in->src->marked = true;
    in->src->mark = byte;
}

uint64_t trace_input_marked(const struct trace_input *in)
{
    if (in->src->marked)
        return in->src->mark;
    return trace_input_pos(in) + (in->src->broken ? trace_input_avail(in) : 0);
}

bool trace_input_unended(const struct trace_input *in)
{
    return in->src->unended;
}

const char *trace_input_name(const struct trace_input *in)
{
    return in->src->name;
}
const char *trace_input_compression(const struct trace_input *in)
{
    return codec_name(in->src->kind);
}

uint64_t trace_input_size(const struct trace_input *in)
{
    return in->src->kind == CODEC_NONE ? in->src->file_size : UINT64_MAX;
}

/* The decompressor for s->kind, at its beginning. */
static int decompressor(struct trace_source *s, struct err *err)
{
    codec_free(s->codec);
    s->codec = NULL;
    if (s->kind != CODEC_ZIP)
        return codec_new(&s->codec, s->kind, err);
    if (s->zip)
        return zip_reader_restart(s->zip, err);
    if (s->fd >= 0 && !s->seekable) {
        err_set(err, ERR_RUN, "a zip archive cannot be read from a pipe: its directory stands at its end");
        return err_remedy(err, "write it to a file first");
    }
    return s->fd < 0 ? zip_reader_new_memory(&s->zip, s->mem, s->mem_n, err) : zip_reader_new(&s->zip, s->fd, err);
}

/* Empties the window, and puts the stored bytes at `pos` (0 for a compressed stream). */
static int source_restart(struct trace_input *in, uint64_t pos, struct err *err)
{
    struct trace_source *s = in->src;

    if (s->kind == CODEC_ZIP) {
        pos = 0; /* the archive is read by its own handle */
    } else if (s->fd >= 0) {
        if (!s->seekable || lseek(s->fd, (off_t)pos, SEEK_SET) < 0) {
            err_set(err, ERR_RUN, "cannot go back in a pipe");
            err_at(err, s->name, 0, 0);
            return err_remedy(err, "write it to a file first");
        }
    } else {
        s->mem_pos = pos < s->mem_n ? (size_t)pos : s->mem_n;
    }
    if (decompressor(s, err) < 0)
        return err_at(err, s->name, 0, 0);
    s->raw_p = s->raw_n = 0;
    s->raw_end = s->ended = s->broken = false;
    s->buf_pos = pos;
    s->marked = s->unended = false;
    in->p = in->end = s->buf;
    memset(s->buf, 0, PAD);
    in->line = 0;
    return 0;
}

int trace_input_seek(struct trace_input *in, uint64_t pos, struct err *err)
{
    struct trace_source *s = in->src;

    s->marked = s->unended = false;
    if (pos >= s->buf_pos && pos <= s->buf_pos + (uint64_t)(in->end - s->buf)) {
        in->p = s->buf + (pos - s->buf_pos);
        if (!pos)
            in->line = 0;
        return 0;
    }
    if (pos != 0 && (s->kind != CODEC_NONE || !s->seekable)) {
        err_set(err, ERR_RUN, "cannot seek inside a compressed file or a pipe");
        return err_at(err, s->name, 0, 0);
    }
    return source_restart(in, pos, err);
}

/* Takes the first stored bytes, knows the compression by them, and makes the decompressor. */
static int source_begin(struct trace_input *in, struct err *err)
{
    struct trace_source *s = in->src;

    while (s->raw_n < 16 && !s->raw_end) {
        ssize_t k = raw_read(s, s->raw + s->raw_n, RAW_BYTES - s->raw_n, err);
        if (k < 0)
            return -1;
        s->raw_n += (size_t)k;
        s->raw_end = k == 0;
    }
    s->kind = codec_detect(s->raw, s->raw_n);
    return decompressor(s, err);
}

static int input_new(struct trace_input **out, const char *name, struct err *err)
{
    struct trace_input *in = calloc(1, sizeof *in);
    struct trace_source *s = calloc(1, sizeof *s);

    if (in && s) {
        in->src = s;
        s->fd = -1;
        s->name = strdup(name);
        s->cap = TRACE_INPUT_WINDOW;
        s->buf = malloc(s->cap + PAD);
        s->raw = malloc(RAW_BYTES);
        if (s->name && s->buf && s->raw) {
            in->p = in->end = s->buf;
            memset(s->buf, 0, PAD);
            *out = in;
            return 0;
        }
        trace_input_close(in);
    } else {
        free(in);
        free(s);
    }
    return err_set(err, ERR_RUN, "out of memory");
}

int trace_input_open(struct trace_input **out, const char *path, struct err *err)
{
    bool std_in = !strcmp(path, "-");
    struct trace_input *in;
    struct stat st;

    if (input_new(&in, std_in ? "(standard input)" : path, err) < 0)
        return -1;
    in->src->fd = std_in ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    if (in->src->fd < 0 || fstat(in->src->fd, &st) < 0) {
        err_set(err, ERR_USAGE, "cannot open the trace: %s", strerror(errno));
        goto fail;
    }
    if (S_ISDIR(st.st_mode)) {
        err_set(err, ERR_USAGE, "this is a folder, not a trace");
        goto fail;
    }
    in->src->seekable = S_ISREG(st.st_mode);
    in->src->file_size = in->src->seekable ? (uint64_t)st.st_size : UINT64_MAX;
    if (source_begin(in, err) < 0)
        goto fail;
    *out = in;
    return 0;
fail:
    err_at(err, path, 0, 0);
    trace_input_close(in);
    return -1;
}

int trace_input_open_memory(struct trace_input **out, const void *buf, size_t n, const char *name,
                            struct err *err)
{
    struct trace_input *in;

    if (input_new(&in, name, err) < 0)
        return -1;
    in->src->mem = buf;
    in->src->mem_n = n;
    in->src->file_size = n;
    in->src->seekable = true;
    if (source_begin(in, err) < 0) {
        trace_input_close(in);
        return -1;
    }
    *out = in;
    return 0;
}

void trace_input_close(struct trace_input *in)
{
    if (!in)
        return;
    if (in->src->fd >= 0)
        close(in->src->fd);
    codec_free(in->src->codec);
    zip_reader_free(in->src->zip);
    free(in->src->raw);
    free(in->src->buf);
    free(in->src->name);
    free(in->src);
    free(in);
}

int trace_line_error(const struct trace_input *in, const char *line, size_t len, struct err *err,
                     const char *remedy, const char *fmt, ...)
{
    char what[512], shown[96];
    size_t k = 0;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    for (size_t i = 0; line && i < len && k < sizeof shown - 4; i++)
        shown[k++] = line[i] == '\t' ? ' ' : (unsigned char)line[i] < 32 || line[i] == 127 ? '?' : line[i];
    if (line && k < len)
        k += (size_t)snprintf(shown + k, 4, "...");
    shown[k] = 0;
    if (line)
        err_set(err, ERR_RUN, "%s: `%s`", what, shown);
    else
        err_set(err, ERR_RUN, "%s", what);
    if (remedy)
        err_remedy(err, "%s", remedy);
    if (line)
        trace_input_mark(in, in->src->buf_pos + (uint64_t)((const unsigned char *)line - in->src->buf));
    return err_at(err, trace_input_name(in), in->line > UINT32_MAX ? UINT32_MAX : (unsigned)in->line, 0);
}
