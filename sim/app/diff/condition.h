/*
 * Conditions of `mmulab diff --fail-if`: NAME OP LIMIT, e.g. "cpu0.dtlb.misses>+2%".
 *
 *   >+2%  <-1%   the relative change from A to B, in per cent of A; a value that was 0 and is not has changed without bound
 *   >+100 <-5    the change itself, B - A (a sign makes the difference)
 *   >1.5  <=7    B's own value
 *
 * OP is one of > >= < <= == !=. NAME may be a shell pattern; the condition then speaks of every statistic that it matches.
 */
#ifndef APP_DIFF_CONDITION_H
#define APP_DIFF_CONDITION_H

#include "engine/err.h"

#include <stdbool.h>

enum condition_op { COND_GT, COND_GE, COND_LT, COND_LE, COND_EQ, COND_NE };
enum condition_of { COND_OF_VALUE, COND_OF_CHANGE, COND_OF_PERCENT };

struct condition {
    const char *text; /* as given; not owned */
    char name[256];
    enum condition_op op;
    enum condition_of of;
    double limit;
};

int condition_parse(struct condition *c, const char *text, struct err *err);
bool condition_names(const struct condition *c, const char *name);
/* Does it hold for a statistic that is `a` here and `b` there? */
bool condition_holds(const struct condition *c, double a, double b);

/* (b - a) / |a| in per cent; +-infinity if only a is 0, 0 if both are. */
double change_percent(double a, double b);

#endif
