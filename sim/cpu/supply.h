/* The records of a timed core: batches, changes of thread, what is not a reference. Used by both core models. */
#ifndef CPU_SUPPLY_H
#define CPU_SUPPLY_H

#include "cpu/core.h"

enum supply { SUPPLY_RECORD, SUPPLY_END, SUPPLY_DRAIN };

/* Brings c->rec to the next record. DRAIN: the next batch is another thread's, the core must drain first. */
enum supply supply_peek(struct core *c);
/* The same, whether there is one to be had now. */
static inline bool supply_record(struct core *c)
{
    return likely(c->rec != c->rec_end && c->st.references < c->stop_at && !c->ended) || supply_peek(c) == SUPPLY_RECORD;
}
/* The next record is no reference, REGS or BRANCH: takes it. False: it is a call, the core must drain first. */
bool supply_other(struct core *c);
/* The core has drained: makes the call or changes the thread. */
void supply_drained(struct core *c);
/* Counts a reference record and gives its linear address; false if it must not be performed. */
bool supply_count(struct core *c, const struct trace_rec *r, va_t *va);
/* Drops the records of a process that has ended. */
void supply_drop(struct core *c);

#endif
