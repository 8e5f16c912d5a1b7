/* What the two halves of validate share: rows out, and the rows of one snapshot. Internal to this library. */
#ifndef REPLAY_VALIDATE_ROWS_H
#define REPLAY_VALIDATE_ROWS_H

#include "replay/validate/validate.h"

/* Fills the verdict (unless it is skipped) and hands the row on. */
void validate_put(const struct validate_sink *sink, struct validate_row r);
void validate_skip(const struct validate_sink *sink, const char *group, const char *metric, const char *reason);
/* Indices, marks, per-CPU sizes, slab geometry, map against counts. `moment`: "before" or "after". */
void validate_snapshot(const struct validate_sink *sink, const char *moment, struct snapshot *s);

#endif
