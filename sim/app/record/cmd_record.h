/* `mmulab record`: runs a program and writes what it does with its memory to a trace. docs/recording.md. */
#ifndef APP_CMD_RECORD_H
#define APP_CMD_RECORD_H

/* argv[0] is "record". Returns the program's exit status (128 + n if signal n ended it), or that of an error. */
int cmd_record(int argc, char **argv);

#endif
