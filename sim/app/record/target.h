/* The program to record: where it is, what it is. */
#ifndef APP_RECORD_TARGET_H
#define APP_RECORD_TARGET_H

#include "engine/err.h"

#include <stdbool.h>

struct record_target {
    char *path;     /* of the ELF file; of a script its interpreter */
    char **argv;    /* with argv[0], NULL at the end */
    char *name;     /* last component of what the user named */
    bool wide;      /* x86-64, else i386 */
    bool dynamic;   /* has a program interpreter */
};

/* argv[0] as a shell finds it (PATH if it has no slash). */
int record_target_find(struct record_target *t, char **argv, struct err *err);
void record_target_fini(struct record_target *t);
/* The file of that name in PATH, a malloced string; NULL if there is none. */
char *record_find_program(const char *name);

#endif
