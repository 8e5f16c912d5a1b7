/*
 * What a file that is to be executed comes to: an ELF program, through the interpreters of scripts. Used by the recorder and
 * by its plugin (when a recorded process executes another program), so it needs nothing but engine/err.h.
 */
#ifndef TRACES_RECORDER_PROGRAM_H
#define TRACES_RECORDER_PROGRAM_H

#include "engine/err.h"

#include <stdbool.h>

struct program {
    char *path;      /* of the ELF file; of a script its interpreter */
    char **argv;     /* with argv[0], NULL at the end */
    bool wide;       /* x86-64, else i386 */
    bool dynamic;    /* has a program interpreter */
    bool privileged; /* set-user-id or set-group-id of somebody else: recorded without these rights */
};

/* Follows `path` as execve does. -1: it cannot be executed, or is for another machine. program_fini in both cases. */
int program_resolve(struct program *p, const char *path, const char *const *argv, struct err *err);
void program_fini(struct program *p);

#endif
