/*
 * What a point of a sweep shares with others, and which points one decoder can feed: those that read one whole file, the same,
 * on one core, from its start on. Several cores read a trace at several places, several traces wait for each other, a loaded
 * warm-up begins in the middle: such points decode for themselves.
 */
#ifndef APP_SWEEP_GROUP_SHARING_H
#define APP_SWEEP_GROUP_SHARING_H

#include "app/sweep/plan.h"

struct sharing {
    bool warm;         /* its warm-up, as far as it has one that can be (docs/checkpoints.md) */
    bool decoded;      /* a trace of a foreign form, converted once for the sweep (app/decoded.h) */
    unsigned group;    /* points that one decoder may feed, this one among them; 0 or 1: none but this */
    const char *trace; /* of a group; the configuration's or the plan's */
};
/* `pt` as plan_point gave it. */
struct sharing sharing_of(const struct sweep_plan *p, const struct sweep_point *pt);

/*
 * queue[0, n) are jobs, point[of[job]] their points. Brings those that one decoder can feed together with queue[0] to the
 * front, `most` at most, the others keep their order. Returns how many; 1 where there is nothing to share. Jobs with alone[job]
 * (NULL: none) are in no group.
 */
size_t group_pick(const struct sweep_point *point, const size_t *of, const unsigned char *alone, size_t *queue, size_t n,
                  size_t most);
/*
 * How many of the jobs that wait one of so many workers may take at most: towards the end of a sweep fewer, so that no worker idles
 * while another one has many. Half of what is left is dealt out at a time (factoring: Hummel, Schonberg, Flynn, CACM 35(8), 1992).
 */
static inline size_t group_share(size_t waiting, unsigned workers)
{
    return workers == 1 ? waiting : (waiting + 2 * workers - 1) / (2 * workers);
}
/*
 * How many of n points that have this part of their trace behind them (0 to 1) come to their end in the time that one point takes
 * from start to end; one at least. It is what someone who asks a worker to end is ready to wait for.
 */
static inline size_t group_last(size_t n, double part)
{
    double left = 1 - part;
    return left * (double)n <= 1 ? n : left < 1 ? (size_t)(1 / left) : 1;
}

#endif
