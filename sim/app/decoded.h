/*
 * A trace decoded once for several runs: text and foreign forms take several times as long to read as the native form, so
 * the runs of a sweep make a .mtr of such a trace in a common folder, the first that comes, and all read that. Same
 * records, same results. Traces that are native already, or that end before their time, are read as they are.
 */
#ifndef APP_DECODED_H
#define APP_DECODED_H

#include "engine/err.h"

/*
 * *out: the path, malloced, of the .mtr below `folder` (which ends in '/') that holds what `trace` holds, made now if nobody
 * has; NULL: read the trace itself. Another process that is making it is waited for. -1: trouble with the folder.
 */
int decoded_share(const char *folder, const char *trace, char **out, struct err *err);

#endif
