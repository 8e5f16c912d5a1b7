/* What `mmulab record` was asked for, and the ways of recording. Private to sim/app/record. */
#ifndef APP_RECORD_RECORD_H
#define APP_RECORD_RECORD_H

#include "app/record/target.h"
#include "traces/recorder/drain.h"

#include <signal.h>

struct record_request {
    struct record_target target;
    const char *cpu;       /* QEMU's -cpu */
    const char *qemu;      /* its program; NULL: found in PATH */
    const char *keep_maps; /* NULL: do not */
    bool malloc;
    bool stop_at_limit;    /* end the program when the limit is reached */
    bool quiet;
};

struct record_outcome {
    int status; /* of the program, as a shell has it: 128 + n for signal n */
    bool stopped; /* by us, at the limit */
    bool interrupted; /* a signal to end came while recording */
};

/* The stage that says when enough is recorded. */
struct record_enough {
    void *self;
    bool (*full)(void *self);
};

int record_with_qemu(const struct record_request *r, struct record_sink sink, struct record_enough enough,
                     struct record_outcome *out, struct err *err);
int record_with_lackey(const struct record_request *r, struct record_sink sink, struct record_enough enough,
                       struct record_outcome *out, struct err *err);

/* --- child.c --- */

/* Signals that end a program reach it through its terminal; those that only we get are passed on. */
void record_signals_begin(void);
void record_signals_end(void);
void record_signals_child(int pid); /* whom to pass them on to */
bool record_interrupted(void);
void record_child_prepare(void); /* in the child, before exec: the usual signals, no life without us */
/* Whether it has ended; *status then as in record_outcome. */
bool record_child_ended(int pid, bool wait, int *status);
/* A malloced path of a file that is installed with the program; NULL if it is not there. */
char *record_installed(const char *name);

#endif
