/*
 * Reader of DRAMsim3's traces (src/common.cc, the reading of a Transaction): `0x7f001040 READ 12`, a hexadecimal address
 * (0x may lack), READ or WRITE (also P_MEM_RD, P_MEM_WR, which older traces have), and the cycle in which the
 * request comes, decimal. The cycle becomes a TIME record where it changed; the form does not tell the clock, so a cycle
 * is taken for one nanosecond. A reference has no size: it is what is left of its 64-byte line.
 */
#include "traces/importers/dram_text.h"
#include "traces/readers/lines.h"

enum { DRAMSIM3_CYCLE_NS = 1 };

struct dramsim3 {
    uint64_t cycle;
};

static const char *take(void *state, struct trace_sink *sink, const char *s, const char *end)
{
    struct dramsim3 *d = state;
    uint64_t addr, cycle;
    if (!dram_text_number(&s, end, true, &addr))
        return "the address is not a hexadecimal number";
    bool read = scan_word(&s, end, "READ") || scan_word(&s, end, "P_MEM_RD");
    if (!read && !scan_word(&s, end, "WRITE") && !scan_word(&s, end, "P_MEM_WR"))
        return "neither READ nor WRITE follows the address";
    if (!dram_text_blank(s, end))
        return "neither READ nor WRITE follows the address";
    scan_blanks(&s, end);
    if (!dram_text_number(&s, end, false, &cycle) || s != end)
        return "the cycle is not a decimal number";
    if (!sink)
        return NULL;
    if (cycle != d->cycle) /* also backwards: `trace check` tells that */
        trace_sink_put(sink, (struct trace_rec){.addr = cycle * DRAMSIM3_CYCLE_NS, .kind = TRACE_TIME});
    d->cycle = cycle;
    dram_text_ref(sink, !read, addr);
    return NULL;
}

static const struct line_form form = {
    .take = take,
    .state_bytes = sizeof(struct dramsim3),
    .remedy = "a line is `0xADDRESS READ|WRITE CYCLE`",
    .cut = "was the file cut off here?",
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
    (void)state;
    out->threads = out->processes = 1;
}

const struct trace_reader_ops trace_reader_dramsim3 = {
    .name = "dramsim3",
    .probe = probe,
    .state_bytes = sizeof(struct dramsim3),
    .read_batch = read_batch,
    .info = info,
};
