/* What the parts of validate share: the recording, and rows out. Internal to this library. */
#ifndef REPLAY_VALIDATE_ROWS_H
#define REPLAY_VALIDATE_ROWS_H

#include "replay/recount.h"
#include "replay/validate/validate.h"

#define VALIDATE_DOUBTS 640

struct validate_case {
    const struct validate_sink *sink;
    struct snapshot *snap[2]; /* SNAP_BEFORE, SNAP_AFTER */
    struct snap_times times;
    bool has_times, replayed, counted; /* counted: `recount` holds */
    char *events;             /* NULL: none */
    struct replay_result *p;  /* meaningful if replayed */
    struct recount recount;
    char doubt[VALIDATE_DOUBTS]; /* why what the replay misses cannot be laid to the model; "": nothing speaks against it */
};

extern const char *const validate_moments[2]; /* "before", "after" */

/* Fills the verdict (unless it is skipped) and hands the row on. */
void validate_put(const struct validate_case *c, struct validate_row r);
/* ... if it is off, but `doubt` is not empty, it is skipped and says why. */
void validate_put_unless(const struct validate_case *c, struct validate_row r, const char *doubt);
void validate_skip(const struct validate_case *c, const char *group, const char *metric, const char *reason);
void validate_equal(const struct validate_case *c, const char *group, double model, double kernel, const char *reason,
                    const char *fmt, ...) __attribute__((format(printf, 6, 7)));
/* Appends a sentence. */
void validate_doubt(char doubt[VALIDATE_DOUBTS], const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "Normal", or "node1.Normal" for a zone of another node than the first. */
const char *validate_label(const struct snap_zone *z, char buf[ZONE_LABEL]);
/* The number of a zone in the results of a replay from `s`; FRAME_ZONES: it has none. */
unsigned validate_zone_number(const struct snapshot *s, const struct snap_zone *z);
double validate_percent(uint64_t part, uint64_t whole);

/* Indices, slab geometry, map against counts; marks and sizes of the per-CPU lists; the events. */
void validate_snapshot(struct validate_case *c, unsigned moment);
void validate_marks(struct validate_case *c, unsigned moment);
/* Replays and counts; -1: the file of events is broken. Then the rows. */
int validate_events_read(struct validate_case *c, struct err *err);
void validate_events(struct validate_case *c);
/* Zones of requests and the reserve for urgent ones; the events were replayed. */
void validate_zones(const struct validate_case *c);

#endif
