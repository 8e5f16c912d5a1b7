/* How long the points that are left will take, and how much memory a worker needs: for --dry-run. */
#ifndef APP_SWEEP_ESTIMATE_H
#define APP_SWEEP_ESTIMATE_H

#include "app/sweep/folder.h"

struct estimate {
    double seconds;        /* of one point on the average */
    uint64_t memory_bytes; /* the largest seen */
    size_t from;           /* points it was seen at; 0: nothing is known */
    bool finished;         /* these were finished points (their host.json); else they were tried */
    uint64_t references;   /* tried for so many references at most */
    size_t unknown;        /* of those tried: the trace does not tell its length */
};
/* `f` may be NULL. Tries at most three of the points that are left, in a temporary folder. */
void estimate_points(struct estimate *e, const struct sweep_folder *f, const struct sweep_plan *p,
                     const struct sweep_point *point, const size_t *todo, size_t n_todo);

#endif
