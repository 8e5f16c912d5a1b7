/*
 * Marks of a run: at each, the files of proc/ as they are, below proc/marks/NNN-TEXT of the result. The first MARKS_MAX are written, the
 * others counted and said in events.jsonl.
 */
#ifndef APP_RESULT_MARKS_H
#define APP_RESULT_MARKS_H

#include "app/result/proc_files.h"

enum { MARKS_MAX = 200 };
struct marks {
    uint64_t n; /* so far */
    bool failed;
    struct err err; /* why one could not be written */
};

/* `text` may be empty: then `number` names it. */
void marks_write(struct marks *m, struct result *r, const struct proc_source *s, uint64_t number, const char *text);
/* Before the result is complete: says how many were left out, *events counts the line. -1: one could not be written. */
int marks_finish(const struct marks *m, struct result *r, uint64_t time_ps, uint64_t *events, struct err *err);

#endif
