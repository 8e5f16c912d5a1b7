#include "engine/windows.h"

#include <assert.h>

static cyc_t earliest(const struct windows_config *c, const struct windows_ops *o)
{
    cyc_t first = CYC_NEVER;
    for (unsigned k = 0; k < c->cores; k++) {
        cyc_t n = o->core_next(o->self, k);
        if (n < first)
            first = n;
    }
    return first;
}

static tick_t out_tick(const struct windows_config *c, cyc_t activity)
{
    return activity == CYC_NEVER ? TICK_NEVER : (activity + c->out) * c->period;
}

bool windows_run(const struct windows_config *c, const struct windows_ops *o)
{
    for (;;) {
        if (o->stop(o->self))
            return false;
        cyc_t first = earliest(c, o);
        tick_t head = o->shared_head(o->self), lb = out_tick(c, first);
        cyc_t action = o->action_next(o->self);
        if (first == CYC_NEVER && head == TICK_NEVER && action == CYC_NEVER)
            return true;
        if (head < lb)
            lb = head;
        cyc_t limit = lb == TICK_NEVER ? CYC_NEVER : (lb + c->period - 1) / c->period + c->in;
        if (c->window && first != CYC_NEVER && limit > first + c->window)
            limit = first + c->window;
        if (limit > action)
            limit = action;
        if (first < limit)
            for (unsigned i = 0; i < c->cores; i++) {
                unsigned k = c->order ? c->order[i] : i;
                if (o->core_next(o->self, k) < limit)
                    o->core_run(o->self, k, limit);
            }
        first = earliest(c, o);
        /* Shared events, while no core can still send something that comes before them. Cores that have run up to
         * `limit` may get messages for cycles from there on only; the bound assures it. */
        for (tick_t bound = out_tick(c, first), h; (h = o->shared_head(o->self)) < bound; bound = out_tick(c, first)) {
            action = o->action_next(o->self); /* a step may have added one */
            if (action != CYC_NEVER && h >= action * c->period)
                break;
            o->shared_step(o->self);
            cyc_t f = earliest(c, o);
            if (f < first)
                first = f;
        }
        action = o->action_next(o->self);
        if (action != CYC_NEVER && earliest(c, o) >= action) {
            tick_t h = o->shared_head(o->self);
            /* Shared events of earlier ticks come first; those of the action's own tick after the cores' cycle. */
            if (h >= action * c->period)
                o->action_run(o->self);
        }
    }
}
