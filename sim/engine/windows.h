/*
 * Exact windows (docs/model/timing.md section 8): cores run ahead on their own as far as nothing shared can reach them,
 * then the shared side catches up. Every counter, finish time and order of arrivals equals that of an engine with one
 * event for every hop, whatever the length of the window.
 *
 *   LB = min(head of the shared side, (earliest activity of any core + OUT) * P)
 *   cores run every cycle c < ceil(LB / P) + IN;  then shared events run while tick < (earliest activity + OUT) * P.
 */
#ifndef ENGINE_WINDOWS_H
#define ENGINE_WINDOWS_H

#include "engine/types.h"

struct windows_ops {
    void *self;
    /* Earliest cycle in which core k has something to do; CYC_NEVER when it only waits for messages. */
    cyc_t (*core_next)(void *self, unsigned k);
    void (*core_run)(void *self, unsigned k, cyc_t limit); /* every cycle < limit */
    tick_t (*shared_head)(void *self);                     /* TICK_NEVER if idle */
    void (*shared_step)(void *self);                       /* runs the first shared event */
    /* Cycle of the first global action, CYC_NEVER if none, and running all of that cycle. */
    cyc_t (*action_next)(void *self);
    void (*action_run)(void *self);
    bool (*stop)(void *self); /* asked once a round: end early (limit reached, interrupted) */
};

struct windows_config {
    unsigned cores;
    tick_t period;
    cyc_t out, in;
    cyc_t window;          /* most cycles of one round, 0: all that are exact */
    const unsigned *order; /* NULL, or the order in which cores are visited: results must not depend on it */
};

/* Runs until every core and the shared side are idle (true) or stop says so (false). */
bool windows_run(const struct windows_config *c, const struct windows_ops *o);

#endif
