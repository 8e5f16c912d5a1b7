/*
 * Reader of Ramulator's traces (its README; Ramulator 2: src/frontend/impl). A file is of one of these forms, known by
 * its first line:
 *
 *     cpu         3 20734016 [20841280]   3 instructions, then a load, [and the write-back of a line it evicts]
 *                 3 20734016 R            or W: before the caches, each a load or a store
 *     memory      0x12345680 R            or W
 *     loadstore   LD 0x12345680           or ST; decimal without 0x                        (Ramulator 2)
 *     readwrite   R 0,0,1,2,1024,8        or W: places in a DRAM (channel, rank, ...)      (Ramulator 2)
 *
 * The instructions become an INSNS record. A reference has no size: it is what is left of its 64-byte line. A place in a
 * DRAM is no address, and what lies where is not in the file: its numbers are packed into one, the first highest, the
 * last but one (the row) with 18 bits, the last (the column) with 10, others with 6, columns of 8 bytes. Different
 * places get different addresses and a row's columns stand together; nothing else is meant.
 */
#include "traces/importers/dram_text.h"
#include "traces/readers/lines.h"

enum { PLACES_MAX = 7, PLACE_BITS = 6, ROW_BITS = 18, COLUMN_BITS = 10, COLUMN_SHIFT = 3 };

enum form { FORM_NONE, FORM_CPU, FORM_MEMORY, FORM_LOADSTORE, FORM_READWRITE };

struct ramulator {
    enum form form;
    bool telling; /* a CPU trace that cannot be Dinero's: R or W, three numbers or a first one above 4 */
    uint64_t places;
};

struct ram_line {
    enum form form;
    bool write, evicts, letter; /* letter: R or W stands in a CPU trace */
    uint64_t insns, addr, evicted;
};

static const char *places(const char *s, const char *end, uint64_t *addr)
{
    uint64_t v[PLACES_MAX];
    unsigned n = 0;
    do {
        if (n == PLACES_MAX)
            return "more than seven numbers are no place in a DRAM";
        if (!scan_dec(&s, end, &v[n++]))
            return "a place in a DRAM is decimal numbers with commas between them";
    } while (scan_word(&s, end, ","));
    scan_blanks(&s, end);
    if (s != end || n < 2)
        return "a place in a DRAM is decimal numbers with commas between them";
    *addr = 0;
    for (unsigned i = 0; i < n; i++) {
        unsigned bits = i == n - 1 ? COLUMN_BITS : i == n - 2 ? ROW_BITS : PLACE_BITS;
        if (v[i] >> bits)
            return "a number of a place in a DRAM is too great (a row has 18 bits, a column 10, others 6)";
        *addr = *addr << bits | v[i];
    }
    *addr <<= COLUMN_SHIFT;
    return NULL;
}

/* NULL if the line is good, else what is wrong with it. */
static const char *parse(const char *s, const char *end, struct ram_line *out)
{
    static const struct {
        const char *word;
        enum form form;
        bool write;
    } words[] = {{"LD", FORM_LOADSTORE, false},
                 {"ST", FORM_LOADSTORE, true},
                 {"R", FORM_READWRITE, false},
                 {"W", FORM_READWRITE, true}};
    *out = (struct ram_line){.form = FORM_NONE};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (!scan_word(&s, end, words[i].word))
            continue;
        if (s == end || !dram_text_blank(s, end))
            return "a blank and an address follow LD, ST, R or W";
        out->form = words[i].form;
        out->write = words[i].write;
        scan_blanks(&s, end);
        if (out->form == FORM_READWRITE)
            return places(s, end, &out->addr);
        return dram_text_number(&s, end, false, &out->addr) && s == end ? NULL : "the address is not a number";
    }
    uint64_t first;
    bool hex = end - s > 1 && s[0] == '0' && (s[1] | 32) == 'x';
    if (!dram_text_number(&s, end, false, &first) || s == end)
        return "neither LD, ST, R, W nor two numbers, nor an address and R or W";
    const char *p = s;
    bool r = scan_word(&p, end, "R"), w = !r && scan_word(&p, end, "W");
    if (r || w) {
        scan_blanks(&p, end);
        out->form = FORM_MEMORY;
        out->write = w;
        out->addr = first;
        return p == end ? NULL : "something follows R or W";
    }
    out->form = FORM_CPU;
    out->insns = first;
    if (hex || !dram_text_number(&s, end, false, &out->addr))
        return "an address and R or W, or a number of instructions and one or two decimal addresses";
    if (s < end && (scan_word(&s, end, "R") || (out->write = scan_word(&s, end, "W")))) {
        out->letter = true;
        scan_blanks(&s, end);
        return s == end ? NULL : "something follows R or W";
    }
    out->evicts = s < end;
    if (out->evicts && (!dram_text_number(&s, end, false, &out->evicted) || s != end))
        return "the address that is written back is not a decimal number";
    return NULL;
}

static const char *take(void *state, struct trace_sink *sink, const char *s, const char *end)
{
    struct ramulator *r = state;
    struct ram_line l;
    const char *problem = parse(s, end, &l);
    if (problem)
        return problem;
    if (r->form != FORM_NONE && r->form != l.form)
        return "the line is of another form than those before it";
    r->form = l.form;
    r->telling |= l.form == FORM_LOADSTORE || l.form == FORM_READWRITE || l.form == FORM_MEMORY || l.letter || l.insns > 4 ||
                  l.evicted > 1u << 20; /* Dinero's greatest size here */
    r->places += l.form == FORM_READWRITE;
    if (!sink)
        return NULL;
    if (l.insns)
        trace_sink_put(sink, (struct trace_rec){.addr = l.insns, .kind = TRACE_INSNS});
    dram_text_ref(sink, l.write, l.addr);
    if (l.evicts)
        dram_text_ref(sink, true, l.evicted);
    return NULL;
}

static const struct line_form form = {
    .take = take,
    .state_bytes = sizeof(struct ramulator),
    .remedy = "a line is `INSTRUCTIONS ADDRESS [ADDRESS|R|W]`, `ADDRESS R|W`, `LD|ST ADDRESS` or `R|W PLACE`, the same form in "
              "a file",
    .cut = "was the file cut off here?",
};

static int probe(const unsigned char *head, size_t n, bool whole)
{
    struct line_probe p;
    if (!lines_probe(&form, head, n, whole, &p))
        return 0;
    if (((const struct ramulator *)p.state)->telling)
        return 75;
    return p.broken ? 0 : TRACE_PROBE_NUMBERS;
}

static int read_batch(void *state, struct trace_input *in, struct trace_sink *sink, struct err *err)
{
    return lines_read(&form, state, in, sink, err);
}

static void info(const void *state, struct trace_info *out)
{
    const struct ramulator *r = state;
    out->threads = out->processes = 1;
    trace_made_up_add(out->left, &out->nleft, "addresses, from places in a DRAM", r->places);
}

const struct trace_reader_ops trace_reader_ramulator = {
    .name = "ramulator",
    .probe = probe,
    .state_bytes = sizeof(struct ramulator),
    .read_batch = read_batch,
    .info = info,
};
