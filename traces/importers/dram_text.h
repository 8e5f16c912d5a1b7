/* What the text forms of DRAM simulators share: numbers, and a reference that is one line of memory. */
#ifndef TRACES_DRAM_TEXT_H
#define TRACES_DRAM_TEXT_H

#include "traces/input.h"
#include "traces/readers/scan.h"

/* Such traces name the lines of a memory with this line size, and no sizes (Ramulator 1: 64-byte requests, DRAMsim3:
 * burst of 8 on 8 bytes). */
enum { DRAM_LINE_BYTES = 64 };

static inline bool dram_text_blank(const char *s, const char *end)
{
    return s == end || *s == ' ' || *s == '\t';
}

/* A number, hexadecimal behind 0x and (bare_hex) without; *s behind it and the blanks that follow. */
static inline bool dram_text_number(const char **s, const char *end, bool bare_hex, uint64_t *out)
{
    const char *p = *s;
    bool hex = scan_word(&p, end, "0x") || scan_word(&p, end, "0X") || bare_hex;
    if (!(hex ? scan_hex(&p, end, out) : scan_dec(&p, end, out)) || !dram_text_blank(p, end))
        return false;
    scan_blanks(&p, end);
    *s = p;
    return true;
}

/* The reference reaches from the address to the end of its line, so that it is one line wherever it begins. */
static inline void dram_text_ref(struct trace_sink *sink, bool write, uint64_t addr)
{
    trace_sink_ref(sink, write ? TRACE_STORE : TRACE_LOAD, addr,
                   DRAM_LINE_BYTES - (uint32_t)(addr % DRAM_LINE_BYTES));
}

#endif
