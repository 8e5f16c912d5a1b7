/*
 * From lines of kernel events to records: shared by the readers of text (`perf`) and of perf.data (`perf_data`).
 *
 * The thread of a record is the CPU (0 where the lines do not say); TASK records say which task runs there, TIME records when.
 * CLOCK, first, is the recorded time at which the trace began. mm_page_free_batched is left out: each repeats an mm_page_free
 * (linux-mm 14.4). What could not be taken apart is counted.
 */
#ifndef TRACES_PERF_TEXT_H
#define TRACES_PERF_TEXT_H

#include "traces/input.h"
#include "traces/trace.h"

struct perf_text_reader {
    struct perf_names *names;
    struct perf_queued *queue; /* ring, ascending in time: events of several CPUs may stand a little out of order */
    uint32_t first, n;
    struct perf_cpu *cpu;
    uint32_t cpus;
    bool begun, ended;
    uint64_t began_ns, told_ns; /* of the first event; of the last TIME record */
    uint64_t popped_ns;
    uint64_t events;
    struct trace_kernel_lines lines;
};

int perf_text_open(struct perf_text_reader *r, struct err *err);
int perf_text_read(struct perf_text_reader *r, struct trace_input *in, struct trace_sink *sink, struct err *err);
void perf_text_info(const struct perf_text_reader *r, struct trace_info *out);
void perf_text_close(struct perf_text_reader *r);

#endif
