/* Reads anything as one form of trace: what comes out must be well-formed, the same twice, and digestible by
 * the check. */
#ifndef FUZZ_READERS_H
#define FUZZ_READERS_H

#include "traces/analysis/check.h"
#include "traces/input.h"
#include "traces/trace.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void fuzz_drain(const uint8_t *data, size_t size, const char *format)
{
    struct trace_options opt = {.format = format};
    struct trace *t;
    struct trace_check *c;
    struct trace_batch b;
    struct err err = {0};
    uint64_t sum[2] = {0, 0};
    int got;
    if (trace_open_memory(&t, data, size, &opt, &err) < 0) {
        if (!err.message[0])
            abort();
        return;
    }
    if (trace_check_new(&c, NULL, NULL, &err) < 0)
        abort();
    for (int pass = 0; pass < 2; pass++) {
        while ((got = trace_next(t, &b, &err)) > 0) {
            for (size_t i = 0; i < b.n; i += 1u + b.rec[i].slots) {
                if (trace_rec_problem(&b.rec[i], b.n - i))
                    abort();
                sum[pass] = sum[pass] * 31 + b.rec[i].addr + b.rec[i].kind + b.rec[i].size + b.thread;
            }
            if (pass == 0 && trace_check_batch(c, &b, &err) < 0)
                abort();
        }
        if (got < 0 && !err.message[0])
            abort();
        if (pass == 0 && trace_rewind(t, &err) < 0)
            abort();
    }
    if (sum[0] != sum[1] || trace_check_count(c, TRACE_CHECK_MALFORMED))
        abort();
    trace_check_free(c);
    trace_close(t);
}

#endif
