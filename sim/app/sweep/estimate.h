/* How long the points that are left will take, how much memory a worker and how much disk a result needs: for --dry-run. */
#ifndef APP_SWEEP_ESTIMATE_H
#define APP_SWEEP_ESTIMATE_H

#include "app/sweep/folder.h"

struct estimate {
    double seconds;        /* of all points that are left, one after the other */
    double longest;        /* of one of them */
    uint64_t memory_bytes; /* the largest seen */
    uint64_t disk_bytes;   /* of a result, on the average */
    size_t finished;       /* points whose host.json was read */
    size_t tried;          /* points that were tried; both 0: nothing is known */
    uint64_t references;   /* tried for so many references at most, a recorded kernel for so many seconds: */
    size_t unknown;        /* of those tried: not to the end, and the trace does not tell its length */
};
/*
 * `f` may be NULL. A point is taken to last as long as the finished points of its trace. Of traces that no finished point has
 * replayed at most three points are tried, in a temporary folder.
 */
void estimate_points(struct estimate *e, const struct sweep_folder *f, const struct sweep_plan *p,
                     const struct sweep_point *point, const size_t *todo, size_t n_todo);

/*
 * Elapsed seconds of `length` references, of which the first `references` took `seconds` and the processor `busy` seconds, the
 * first `few` of them `few_busy`: what a point costs however long it is (start, configuration, files) does not grow with it.
 */
static inline double estimate_whole(double seconds, double busy, uint64_t references, double few_busy, uint64_t few, uint64_t length)
{
    if (length <= references || references <= few || busy <= few_busy)
        return seconds;
    return seconds + (busy - few_busy) / (double)(references - few) * (double)(length - references);
}

#endif
