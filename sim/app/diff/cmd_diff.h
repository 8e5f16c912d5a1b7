/* mmulab diff A B: changed parameters first, then statistics. */
#ifndef APP_DIFF_CMD_DIFF_H
#define APP_DIFF_CMD_DIFF_H

/* argv[0] is "diff". Results on stdout, the rest on stderr; returns the exit code. */
int cmd_diff(int argc, char **argv);

#endif
