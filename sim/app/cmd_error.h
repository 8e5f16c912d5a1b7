/* How a subcommand tells an error: on stderr, "FILE:LINE: error: ..." or "mmulab VERB: error: ...". */
#ifndef APP_CMD_ERROR_H
#define APP_CMD_ERROR_H

#include "engine/err.h"

#include <stdio.h>

/* Returns the exit code (docs: 2 usage or configuration, 1 everything else). */
static inline int cmd_error(const char *verb, const struct err *e)
{
    char text[2400];
    err_format(e, text, sizeof text);
    fflush(stdout);
    if (e->file[0])
        fprintf(stderr, "%s\n", text);
    else
        fprintf(stderr, "mmulab %s: %s\n", verb, text);
    return e->kind == ERR_USAGE ? 2 : 1;
}

#endif
