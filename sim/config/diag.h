/*
 * Diagnostics: what is wrong in configuration files and on the command line, collected so that a person sees all of it
 * at once and can mend it. Each error is rendered when it is added (file:line:column, the line, a caret), so the
 * collection outlives the files. At most DIAG_LIMIT errors are kept; the rest are counted. Not thread-safe.
 */
#ifndef CONFIG_DIAG_H
#define CONFIG_DIAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "engine/err.h"

enum { DIAG_LIMIT = 20 };

/* Text that errors point into: a file, a preset ("@name"), or one -s option. Owned by who reads it. */
struct diag_source {
    const char *name;  /* as shown; for an option "-s KEY" */
    const char *text;  /* NUL-terminated copy, `len` bytes long without the NUL */
    size_t len;
    bool option;       /* one -s option: no line and column are shown */
    const struct diag_source *parent; /* who named this file in "extends"; NULL for the first */
    size_t parent_offset, parent_len; /* where in the parent */
};

/* A place: `len` bytes at `offset` of `src`. src NULL: nowhere (a default); offset DIAG_WHOLE: the file as such. */
#define DIAG_WHOLE SIZE_MAX
struct diag_place {
    const struct diag_source *src;
    size_t offset, len;
};

struct diag;

struct diag *diag_new(void); /* NULL: out of memory; all functions below accept that and only drop the text */
void diag_free(struct diag *d);

/* Adds an error at a place; `hint` (may be NULL) stands behind the caret. Returns -1. */
int diag_error(struct diag *d, struct diag_place at, const char *hint, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
int diag_errorv(struct diag *d, struct diag_place at, const char *hint, const char *fmt, va_list ap)
    __attribute__((format(printf, 4, 0)));
/* Adds a line "PLACE: note: ..." to the last error. */
void diag_note(struct diag *d, struct diag_place at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Adds an error that another part returned. */
int diag_err(struct diag *d, const struct err *err);

size_t diag_count(const struct diag *d); /* errors, those beyond the limit included */
bool diag_full(const struct diag *d);    /* more errors would only be counted */

/* All errors as text, then "mmulab: 2 errors, nothing was run" (nothing at all when there is no error). */
void diag_print(const struct diag *d, FILE *to);
/* The first error's message without its picture, for callers that speak `struct err`. Kind is ERR_USAGE. */
int diag_to_err(const struct diag *d, struct err *err);

/* 1-based line and column (characters, not bytes) of an offset. */
void diag_position(const struct diag_source *src, size_t offset, unsigned *line, unsigned *column);

#endif
