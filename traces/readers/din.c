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
#include "traces/readers/lines.h"
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

struct din {
    bool has_fetch;
    bool sure; /* a line that no other form of numbers has: a letter, a hexadecimal digit, a size */
};

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

/* Whether a line says by itself that it is Dinero's: Ramulator's CPU traces are two or three decimal numbers. */
static bool telling(const char *s, const char *end)
{
    for (; s < end; s++)
        if ((*s < '0' || *s > '9') && *s != ' ' && *s != '\t')
            return true;
    return false;
}

static const char *take(void *state, struct trace_sink *sink, const char *s, const char *end)
{
    struct din *d = state;
    struct din_line l;
    const char *problem = parse(s, end, &l);
    if (problem)
        return problem;
    d->sure |= telling(s, end);
    d->has_fetch |= l.label == LABEL_FETCH;
    if (!sink)
        return NULL;
    if (l.label >= LABEL_FLUSH)
        trace_sink_put_string(sink, (struct trace_rec){.addr = l.label, .kind = TRACE_MARK}, NULL, 0,
                              mark_text[l.label], strlen(mark_text[l.label]));
    else
        trace_sink_ref(sink,
                       l.label == LABEL_FETCH   ? TRACE_FETCH
                       : l.label == LABEL_WRITE ? TRACE_STORE
                                                : TRACE_LOAD,
                       l.addr, l.size);
    return NULL;
}

static const struct line_form form = {
    .take = take,
    .state_bytes = sizeof(struct din),
    .remedy = "a line is LABEL ADDRESS [SIZE], such as `0 7fff5a10 8`",
    .cut = "was the file cut off here?",
};

static int probe(const unsigned char *head, size_t n, bool whole)
{
    struct line_probe p;
    if (!lines_probe(&form, head, n, whole, &p))
        return 0;
    return ((const struct din *)p.state)->sure ? 70 : TRACE_PROBE_NUMBERS;
}

static int read_batch(void *state, struct trace_input *in, struct trace_sink *sink, struct err *err)
{
    return lines_read(&form, state, in, sink, err);
}

static void info(const void *state, struct trace_info *out)
{
    const struct din *d = state;
    out->has_fetch = d->has_fetch;
    out->threads = out->processes = 1;
}

const struct trace_reader_ops trace_reader_din = {
    .name = "din",
    .probe = probe,
    .state_bytes = sizeof(struct din),
    .read_batch = read_batch,
    .info = info,
};
