/*
 * Reader of the text that Pin's example tools pinatrace and itrace write:
 *
 *     0x7f3a5c0012f3: R 0x7ffd21a0b8c8            pinatrace (ManualExamples); R read, W write
 *     0x7f3a5c0012f3: W 0x7ffd21a0b8c8  8  0x2a   pinatrace (SimpleExamples): size in decimal, then the value
 *     R 0x7ffd21a0b8c8                            the same without the instruction's address
 *     0x7f3a5c0012f3                              itrace: an instruction
 *     #eof                                        the end; other lines that begin with # are comments
 *
 * pinatrace names only instructions that access memory. An instruction becomes a FETCH before its first
 * access, of 4 bytes because the form does not tell; a further access of the same address belongs to the same
 * instruction unless it is a read after a write, which is the next time round. A data access without a size
 * has 8 bytes.
 */
#include "engine/types.h"
#include "traces/input.h"
#include "traces/readers/lines.h"
#include "traces/readers/scan.h"
#include "traces/trace.h"

enum { PIN_FETCH_BYTES = 4, PIN_DATA_BYTES = 8, PIN_SIZE_MAX = 1 << 16 };

struct pin {
    uint64_t ip; /* of the last access */
    bool has_ip, wrote, ended, has_fetch;
};

struct pin_line {
    bool has_ip, has_data;
    uint64_t ip, addr;
    enum trace_kind kind;
    uint32_t size;
};

/* %p writes a null pointer as (nil). */
static bool scan_pointer(const char **s, const char *end, uint64_t *out)
{
    if (scan_word(s, end, "(nil)")) {
        *out = 0;
        return true;
    }
    const char *p = *s;
    if (!scan_word(&p, end, "0x") || !scan_hex(&p, end, out))
        return false;
    *s = p;
    return true;
}

/* NULL if the line is good, else what is wrong with it. */
static const char *parse(const char *s, const char *end, struct pin_line *out)
{
    *out = (struct pin_line){.size = PIN_DATA_BYTES};
    if (s < end && (*s == '0' || *s == '(')) {
        if (!scan_pointer(&s, end, &out->ip))
            return "the instruction's address is not a number with 0x";
        out->has_ip = true;
        bool colon = scan_word(&s, end, ":");
        scan_blanks(&s, end);
        if (s == end && !colon)
            return NULL;
        if (!colon)
            return "there is no colon behind the instruction's address";
    }
    if (scan_word(&s, end, "R"))
        out->kind = TRACE_LOAD;
    else if (scan_word(&s, end, "W"))
        out->kind = TRACE_STORE;
    else
        return "neither R nor W";
    if (s == end || (*s != ' ' && *s != '\t'))
        return "neither R nor W";
    scan_blanks(&s, end);
    if (!scan_pointer(&s, end, &out->addr) || (s < end && *s != ' ' && *s != '\t'))
        return "the address is not a number with 0x";
    out->has_data = true;
    scan_blanks(&s, end);
    uint64_t size;
    if (s < end && *s >= '0' && *s <= '9') {
        if (!scan_dec(&s, end, &size) || (s < end && *s != ' ' && *s != '\t') || size == 0 ||
            size > PIN_SIZE_MAX)
            return "the size is not a decimal number between 1 and 65536";
        out->size = (uint32_t)size;
    } else if (s != end) {
        return "something else follows the address";
    }
    return NULL; /* the value is not used */
}

static void put(struct pin *p, struct trace_sink *sink, const struct pin_line *l)
{
    bool same =
        p->has_ip && l->has_ip && l->has_data && p->ip == l->ip && !(p->wrote && l->kind == TRACE_LOAD);
    if (l->has_ip && !same) {
        trace_sink_ref(sink, TRACE_FETCH, l->ip, PIN_FETCH_BYTES);
        p->has_fetch = true;
        p->wrote = false;
    }
    p->has_ip = l->has_ip;
    p->ip = l->ip;
    if (l->has_data) {
        p->wrote |= l->kind == TRACE_STORE;
        trace_sink_ref(sink, l->kind, l->addr, l->size);
    }
}

static const char *take(void *state, struct trace_sink *sink, const char *s, const char *end)
{
    struct pin *p = state;
    struct pin_line l;
    if (p->ended)
        return "the file goes on after #eof";
    const char *problem = parse(s, end, &l);
    if (!problem && sink)
        put(p, sink, &l);
    return problem;
}

static const char *comment(void *state, const char *s, const char *end)
{
    struct pin *p = state;
    if (p->ended)
        return "the file goes on after #eof";
    p->ended = scan_word(&s, end, "#eof");
    return NULL;
}

static const struct line_form form = {
    .take = take,
    .comment = comment,
    .state_bytes = sizeof(struct pin),
    .remedy = "a line is `0xIP: R 0xADDRESS [SIZE [VALUE]]`; behind #eof there is none",
    .cut = "was the file cut off here? (a whole one ends with #eof)",
};

static int probe(const unsigned char *head, size_t n, bool whole)
{
    struct line_probe p;
    return lines_probe(&form, head, n, whole, &p) ? 80 : 0;
}

static int read_batch(void *state, struct trace_input *in, struct trace_sink *sink, struct err *err)
{
    return lines_read(&form, state, in, sink, err);
}

static void info(const void *state, struct trace_info *out)
{
    const struct pin *p = state;
    out->has_fetch = p->has_fetch;
    out->threads = out->processes = 1;
}

const struct trace_reader_ops trace_reader_pin = {
    .name = "pin",
    .probe = probe,
    .state_bytes = sizeof(struct pin),
    .read_batch = read_batch,
    .info = info,
};
