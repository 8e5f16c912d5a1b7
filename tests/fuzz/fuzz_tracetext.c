/* The text reader on anything: well-formed records or an error with its line. */
#include "traces/input.h"
#include "traces/trace.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct trace_options opt = {.format = "text"};
    struct trace *t;
    struct trace_batch b;
    struct err e = {0};
    int r;

    /* Compressed inputs would spend the time in the decompression libraries. */
    if (size >= 3 && ((data[0] == 0x28 && data[1] == 0xb5) || (data[0] == 0xfd && data[1] == '7') ||
                      data[0] == 0x1f || (data[0] == 'B' && data[1] == 'Z') || (data[0] & 0xf0) == 0x50))
        return 0;
    if (trace_open_memory(&t, data, size, &opt, &e) < 0)
        return 0;
    while ((r = trace_next(t, &b, &e)) > 0)
        for (size_t i = 0; i < b.n; i += 1u + b.rec[i].slots)
            if (trace_rec_problem(&b.rec[i], b.n - i))
                abort();
    if (r < 0 && (!e.message[0] || !e.line))
        abort();
    trace_close(t);
    return 0;
}
