/* The program to record: where it is, what it is. */
#ifndef APP_RECORD_TARGET_H
#define APP_RECORD_TARGET_H

#include "traces/recorder/program.h"

struct record_target {
    struct program program;
    char *name; /* last component of what the user named */
};

/* argv[0] as a shell finds it (PATH if it has no slash). */
int record_target_find(struct record_target *t, char **argv, struct err *err);
void record_target_fini(struct record_target *t);
/* The file of that name in PATH, a malloced string; NULL if there is none. */
char *record_find_program(const char *name);

#endif
