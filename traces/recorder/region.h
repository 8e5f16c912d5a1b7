/*
 * Regions of interest by symbol: where a trace's threads enter and leave functions. Private to traces/recorder.
 *
 * An entry is a fetch from the function's address. A return is found without knowing instructions: an instruction that
 * stores and goes elsewhere is a call (what it stores lies in its return slot), one that loads from a known slot and goes
 * elsewhere is its return.
 */
#ifndef TRACES_RECORDER_REGION_H
#define TRACES_RECORDER_REGION_H

#include "engine/err.h"
#include "traces/record.h"

#include <stdbool.h>
#include <stddef.h>

struct region;
struct region_names {
    const char *program, *roi, *from, *to;
};
/* NULL names mean no bound; at least one is given. */
int region_new(struct region **out, const struct region_names *names, struct err *err);
void region_free(struct region *r);
/* A record that is no reference: follows where functions are mapped, and which threads are gone. */
void region_event(struct region *r, uint32_t process, uint32_t thread, const struct trace_rec *rec);
/* A reference of a thread; for a FETCH: whether the trace is in the region from this instruction on. */
bool region_reference(struct region *r, uint32_t process, uint32_t thread, const struct trace_rec *rec);
/* A name that no file that was mapped has; NULL: there is none. */
const char *region_missing(const struct region *r);

#endif
