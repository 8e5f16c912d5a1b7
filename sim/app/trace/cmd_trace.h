/*
 * `mmulab trace VERB ...`: looks at, checks, converts, cuts and makes traces.
 * Results on stdout, all else on stderr; the exit code is returned: 0, 1 (broken trace), 2 (usage).
 */
#ifndef APP_CMD_TRACE_H
#define APP_CMD_TRACE_H

/* argv[0] is "trace". */
int cmd_trace(int argc, char **argv);

#endif
