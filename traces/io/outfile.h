/*
 * A file being written: under a temporary name in the same folder until it is committed (synced, renamed), or
 * shown (live), or directly (standard output, devices). Private to traces/.
 */
#ifndef TRACES_OUTFILE_H
#define TRACES_OUTFILE_H

#include "engine/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct outfile {
    int fd;
    char *path; /* final name, for errors */
    char *tmp;  /* NULL: written directly */
    bool live;  /* gets its name before it is committed */
    bool keep;  /* not ours to remove: a device, standard output */
    uint64_t pos;
};

int outfile_open(struct outfile *f, const char *path, bool live, struct err *err); /* "-": standard output */
/* A live file gets its name, in place of what had it; again: nothing. */
int outfile_show(struct outfile *f, struct err *err);
int outfile_write(struct outfile *f, const void *data, size_t n, struct err *err);
int outfile_rewrite(struct outfile *f, uint64_t pos, const void *data, size_t n, struct err *err);
int outfile_commit(struct outfile *f, struct err *err); /* on error the file is as outfile_abort leaves it */
void outfile_abort(struct outfile *f, bool remove_live);

#endif
