/* mmulab plot KIND DIR... | plot list */
#ifndef APP_CMD_PLOT_H
#define APP_CMD_PLOT_H

/* argv[0] is "plot". Results on stdout, the rest on stderr; returns the exit code. */
int cmd_plot(int argc, char **argv);

#endif
