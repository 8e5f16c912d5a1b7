/* mmulab run CONFIG [-t TRACE]... [-s KEY=VALUE]... [-o DIR]: one simulation, one result folder. */
#ifndef APP_CMD_RUN_H
#define APP_CMD_RUN_H

/* argv[0] is "run". A summary on stdout, the rest on stderr; returns the exit code. */
int cmd_run(int argc, char **argv);

#endif
