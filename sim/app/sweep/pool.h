/*
 * Worker processes of a local sweep: `mmulab point DIR INDEX`, a process a point, at most `jobs` at a time. They die with
 * this process, also when it is killed. A worker that is killed from outside loses its point, which is started anew; one that
 * crashes makes its point fail. After SIGINT nothing is started and what runs is finished, of several points of one worker as many
 * as it takes for one (SIGUSR2 to it: group/group.h); after SIGTERM workers are told to end.
 */
#ifndef APP_SWEEP_POOL_H
#define APP_SWEEP_POOL_H

#include "app/sweep/folder.h"

struct pool {
    struct sweep_folder *folder;
    const struct sweep_point *point;
    const size_t *todo; /* indices, in the order of starting */
    size_t n_todo;
    unsigned jobs;
    bool retry, quiet;
    unsigned status; /* seconds between lines of progress */
    /* results */
    size_t done, failed; /* of todo */
    size_t lost;         /* killed from outside again and again: not known to fail */
    int sig;             /* that asked to stop */
    uint64_t wall_ns;
};
/* 0, also after points failed; -1: workers cannot work here. */
int pool_run(struct pool *p, struct err *err);

#endif
