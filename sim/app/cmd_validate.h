#ifndef APP_CMD_VALIDATE_H
#define APP_CMD_VALIDATE_H

/* mmulab validate [--json FILE] [--all] PATH... */
int cmd_validate(int argc, char **argv);

#endif
