/* What `mmulab diff` was asked: two results, or two sweeps. */
#ifndef APP_DIFF_DIFF_H
#define APP_DIFF_DIFF_H

#include "app/diff/condition.h"

#include <stddef.h>

enum { CONDITIONS_MAX = 64 };

struct diff_options {
    const char *dir[2], *pattern;
    struct condition fail_if[CONDITIONS_MAX];
    size_t n_fail_if;
    double above;
    bool all, sort, json;
};

/* "+2.10 %", "was 0" where that has no bound, "" for NAN. */
const char *diff_percent_text(double percent, char *buf, size_t size);

/* Compares two folders of sweeps point by point (diff_sweep.c). 1 if a condition holds, 0, or -1 with err. */
int diff_sweeps(const struct diff_options *o, struct err *err);
/* A pattern that no statistic matches: -1. */
int diff_no_match(const struct diff_options *o, struct err *err);

#endif
