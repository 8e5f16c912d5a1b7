/* mmulab sweep, point, status, collect: docs/sweep.md. */
#ifndef APP_CMD_SWEEP_H
#define APP_CMD_SWEEP_H

/* argv[0] is the verb. Results on stdout, the rest on stderr; each returns the exit code, 3 if points failed. */
int cmd_sweep(int argc, char **argv);
int cmd_point(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_collect(int argc, char **argv);

#endif
