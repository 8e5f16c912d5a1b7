/*
 * Marks of a replay: those of the recording (ftrace's trace_marker, MARK records) and of the request, behind so many events or before the
 * first event that is not earlier than a time. Each is told with the state of memory as it is then; without one it is only counted.
 */
#ifndef REPLAY_PASS_MARKS_H
#define REPLAY_PASS_MARKS_H

#include "replay/replay.h"

struct marks {
    const struct replay_request *q;
    struct replay_result *out;
    size_t event, ps;             /* the next of the request's */
    uint64_t next_event, next_ns; /* UINT64_MAX: none */
};

void marks_begin(struct marks *m, const struct replay_request *q, struct replay_result *out);
/* `map`: the state, or NULL. Due when `events` is next_event, and when `ns` is not below next_ns. */
void marks_of_event(struct marks *m, uint64_t events, const struct frame_map *map);
void marks_of_time(struct marks *m, uint64_t ns, uint64_t events, const struct frame_map *map);
void marks_of_recording(struct marks *m, const struct trace_rec *r, const struct frame_map *map);
void marks_end(struct marks *m); /* the request's that were not reached */

#endif
