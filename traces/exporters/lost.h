/* What a form of another program cannot hold, counted by kind of record. Private to traces/exporters. */
#ifndef TRACES_LOST_H
#define TRACES_LOST_H

#include "traces/trace.h"

struct lost {
    uint64_t kind[256];
};

static inline void lost_list(const struct lost *l, struct trace_left *list, unsigned *n)
{
#define X(name, value, text, a, s, p) trace_left_add(list, n, text " records", l->kind[value]);
    TRACE_KINDS(X)
#undef X
}

#endif
