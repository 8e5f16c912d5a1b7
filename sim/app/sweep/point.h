/* Simulating one point of a sweep: whoever calls it, on whatever machine, as often as it likes. */
#ifndef APP_SWEEP_POINT_H
#define APP_SWEEP_POINT_H

#include "app/sweep/folder.h"

enum point_end {
    POINT_SIMULATED,
    POINT_THERE,       /* its result was there already */
    POINT_BUSY,        /* another worker has it */
    POINT_FAILS,       /* now or before: `reason` */
    POINT_INTERRUPTED, /* by signal `sig`; what there was is marked incomplete and simulated again */
    POINT_TROUBLE,     /* `err`: the folder cannot be used; nothing is known about the point */
};
struct point_report {
    enum point_end end;
    int sig;
    char *reason;
    struct err err;
};

struct point_job {
    size_t index;
    bool retry; /* simulate it although it failed before */
    bool quiet;
    unsigned status;
    struct trace_share *share; /* its trace is decoded by another process (group/group.h); NULL: by this one */
    int argc; /* for its host.json */
    char **argv;
};
/* The caller holds the plan's lock for work. The report's reason is to be freed. */
enum point_end point_run(struct sweep_folder *f, const struct sweep_plan *p, const struct point_job *job,
                         struct point_report *out);

#endif
