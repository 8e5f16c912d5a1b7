/* What the programs of this folder share: the clock and the end after an error. */
#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#include "engine/err.h"

#include <stdio.h>
#include <time.h>

static inline double now(void) /* seconds; only differences mean anything */
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline int fail(const struct err *e) /* the exit status */
{
    char buf[2048];
    fprintf(stderr, "%s\n", err_format(e, buf, sizeof buf));
    return 1;
}

#endif
