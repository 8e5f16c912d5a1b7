/* What tells later whether the snapshots' files can agree with each other and with the events: what happened while each was read. */
#ifndef REPLAY_PASS_NOTED_H
#define REPLAY_PASS_NOTED_H

#include "replay/replay.h"

void noted(struct replay_result *out, const struct replay_request *q, uint64_t now_ns, const struct trace_rec *r);
/* Of the pages noted as freed so many were not. */
void noted_none(struct replay_result *out, const struct replay_request *q, uint64_t now_ns, uint64_t pages);

#endif
