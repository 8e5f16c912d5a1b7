/*
 * Reader of Dinero traces, a reference a line: label, hexadecimal address, and what may follow.
 *
 *     traditional (Dinero III, -informat d)   0 read   1 write   2 instruction fetch   3 misc   4 escape
 * (flush) extended (Dinero IV, -informat D)       r read   w write   i instruction fetch   m misc   c
 * copyback   v invalidate
 *
 * (Dinero IV, dinfmt.c and xdinfmt.c.) Addresses and sizes are hexadecimal, with or without 0x. The size
 * follows the address: it must in the extended form; in the traditional one Dinero has none and takes the
 * rest of the line for a comment, so a third field counts as a size only where it is a number, else a
 * reference has 4 bytes, Dinero's word. Misc is like a read and becomes one. Flush, copyback and invalidate
 * are no references of a program: MARK with the label's number (4, 5, 6) and a text. Lines that are empty or
 * begin with # are skipped.
 */
#include "engine/types.h"
#include "traces/input.h"
#include "traces/readers/scan.h"
#include "traces/trace.h"

#include <stdio.h>

enum { DIN_WORD_BYTES = 4, DIN_SIZE_MAX = 1 << 20 };

enum label {
    LABEL_READ,
    LABEL_WRITE,
    LABEL_FETCH,
    LABEL_MISC,
    LABEL_FLUSH,
    LABEL_COPYBACK,
    LABEL_INVALIDATE,
    LABEL_NONE
};

static const char label_digits[] = "01234", label_letters[] = "rwim-cv";
static const char *const mark_text[] = {
    [LABEL_FLUSH] = "din flush", [LABEL_COPYBACK] = "din copyback", [LABEL_INVALIDATE] = "din invalidate"};

struct din_line {
    enum label label;
    uint64_t addr;
    uint32_t size;
};

static bool field_end(const char *s, const char *end)
{
    return s == end || *s == ' ' || *s == '\t';
}

static bool scan_number(const char **s, const char *end, uint64_t *out)
{
    const char *p = *s;
    if (!scan_word(&p, end, "0x"))
        scan_word(&p, end, "0X");
    if (!scan_hex(&p, end, out) || !field_end(p, end))
        return false;
    *s = p;
    return true;
}

/* NULL if the line is good, else what is wrong with it. */
static const char *parse(const char *s, const char *end, struct din_line *out)
{
    scan_blanks(&s, end);
    if (s == end || !field_end(s + 1, end))
        return "the label is not one of 0 1 2 3 4 or r w i m c v";
    const char *d = *s ? strchr(label_digits, *s) : NULL,
               *l = *s && *s != '-' ? strchr(label_letters, *s | 0x20) : NULL;
    if (!d && !l)
        return "the label is not one of 0 1 2 3 4 or r w i m c v";
    out->label = (enum label)(d ? d - label_digits : l - label_letters);
    out->size = DIN_WORD_BYTES;
    s++;
    scan_blanks(&s, end);
    if (s == end && out->label == LABEL_FLUSH) {
        out->addr = 0;
        return NULL;
    }
    if (!scan_number(&s, end, &out->addr))
        return "the address is not a hexadecimal number";
    scan_blanks(&s, end);
    uint64_t size;
    bool has = scan_number(&s, end, &size);
    if (!has && l)
        return "the extended form needs a hexadecimal size";
    if (has && (size == 0 || size > DIN_SIZE_MAX))
        return "the size is not between 1 and 0x100000 bytes";
    if (has)
        out->size = (uint32_t)size;
    return NULL;
}

static int probe(const unsigned char *head, size_t n, bool whole)
{
    const char *p = (const char *)head, *end = p + n;
    int good = 0, numbers = 0;
    while (p < end && good < 100) {
        const char *nl = memchr(p, '\n', (size_t)(end - p)), *s = p;
        if (!nl && !whole)
            break;
        const char *stop = nl ? nl : end;
        if (stop > p && stop[-1] == '\r')
            stop--;
        p = nl ? nl + 1 : end;
        struct din_line l;
        scan_blanks(&s, stop);
        if (s == stop || *s == '#')
            continue;
        if (parse(s, stop, &l)) {
            /* A broken line further down is this reader's to report. */
            if (good < 3 && !(good && p == end))
                return 0;
            break;
        }
        good++;
        numbers += l.addr > 9;
    }
    return !good ? 0 : numbers ? 70 : 20;
}

static int open_state(void *state, struct trace_input *in, const char *path, const struct trace_options *opt,
                      struct err *err)
{
    (void)state, (void)in, (void)path, (void)opt, (void)err;
    return 0;
}

static int read_batch(void *state, struct trace_input *in, struct trace_sink *sink, struct err *err)
{
    bool *has_fetch = state;
    while (!trace_sink_full(sink)) {
        const char *line;
        size_t len;
        int got = trace_input_line(in, &line, &len, err);
        if (got < 0)
            return -1;
        if (got == 0)
            return sink->n > 0;
        const char *s = line, *end = line + len;
        scan_blanks(&s, end);
        if (s == end || *s == '#')
            continue;
        struct din_line l;
        const char *problem = parse(s, end, &l);
        if (problem)
            return trace_line_error(in, line, len, err,
                                    line[len] == '\0'
                                        ? "was the file cut off here?"
                                        : "a line is LABEL ADDRESS [SIZE], such as `0 7fff5a10 8`",
                                    "%s", problem);
        if (l.label >= LABEL_FLUSH) {
            trace_sink_put_string(sink, (struct trace_rec){.addr = l.label, .kind = TRACE_MARK}, NULL, 0,
                                  mark_text[l.label], strlen(mark_text[l.label]));
            continue;
        }
        enum trace_kind kind = l.label == LABEL_FETCH   ? TRACE_FETCH
                               : l.label == LABEL_WRITE ? TRACE_STORE
                                                        : TRACE_LOAD;
        *has_fetch |= kind == TRACE_FETCH;
        trace_sink_ref(sink, kind, l.addr, l.size);
    }
    return 1;
}

static void info(const void *state, struct trace_info *out)
{
    const bool *has_fetch = state;
    out->has_fetch = *has_fetch;
    out->threads = out->processes = 1;
}

static void close_state(void *state)
{
    (void)state;
}

const struct trace_reader_ops trace_reader_din = {
    .name = "din",
    .probe = probe,
    .state_bytes = sizeof(bool),
    .open = open_state,
    .read_batch = read_batch,
    .info = info,
    .close = close_state,
};
