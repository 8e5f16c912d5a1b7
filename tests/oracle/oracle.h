/*
 * The oracle: docs/model/timing.md, written as plainly as possible: one event for every hop in one sorted queue, linear
 * lists everywhere, no exact windows, nothing shared with sim/cpu or devices/memory but the DRAM controller, the
 * operating system's decisions (vm, frames) and the pure page-walk steps, which have oracles of their own.
 */
#ifndef TESTS_ORACLE_H
#define TESTS_ORACLE_H

#include "cpu/machine/machine_config.h"
#include "engine/err.h"
#include "traces/record.h"

#include <stddef.h>

struct oracle_stream { /* thread k runs on core k */
    uint32_t process;
    size_t n;
    const struct trace_rec *rec;
};

struct oracle_counter { char name[64]; uint64_t value; };
struct oracle_arrival { tick_t tick; uint32_t master; uint32_t kind; uint64_t line; }; /* in order of arrival at the bus */

struct oracle_result {
    struct oracle_counter *counter;
    size_t n_counters;
    struct oracle_arrival *arrival;
    size_t n_arrivals;
    cyc_t finish[64]; /* cycle in which core k finished */
};

/* Errors planted on purpose, to see that the comparison finds them. */
enum oracle_plant { PLANT_NONE, PLANT_LATE_SNOOP, PLANT_EARLY_GRANT, PLANT_LOST_MERGE, PLANT_ARBITER_ORDER, PLANT_LRU, PLANT_WALK_ORDER, PLANT_COUNT };

int oracle_run(const struct machine_config *m, const struct oracle_stream *stream, size_t n_streams,
               enum oracle_plant plant, struct oracle_result *out, struct err *err);
void oracle_result_free(struct oracle_result *r);

#endif
