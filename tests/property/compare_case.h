/* The simulator against the oracle, on one random case. */
#ifndef TESTS_COMPARE_CASE_H
#define TESTS_COMPARE_CASE_H

#include "oracle/random_case.h"

struct sim_result {
    struct oracle_result r; /* counters in the oracle's order; `arrival`, `finish` */
};

/*
 * Runs the simulator with sim.window = `window` and the cores visited in `order` (NULL: ascending). `like` names the
 * counters to read. -1 and *err if the run fails or a counter is missing.
 */
int simulate(const struct random_case *c, uint32_t window, const unsigned *order, const struct oracle_result *like,
             struct oracle_result *out, struct err *err);
/* "" if equal, else the first differences, one a line. */
void first_difference(const struct oracle_result *want, const struct oracle_result *got, uint32_t cores, char *buf, size_t size);

#endif
