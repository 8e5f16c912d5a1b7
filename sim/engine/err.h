/*
 * A user's mistake (file, configuration, trace), told so that a person can mend it: where, what is wrong, what to do.
 * Functions that can fail take `struct err *` last and return -1 (or NULL) after filling it; they never exit and never
 * print. A simulated outcome (#PF, out of memory) is a return value and not an error; our own bug is an assertion.
 */
#ifndef ENGINE_ERR_H
#define ENGINE_ERR_H

#include <stdarg.h>
#include <stdint.h>

enum err_kind {
    ERR_NONE = 0,
    ERR_RUN = 1,   /* exit code 1: broken trace, input/output failed, broken invariant */
    ERR_USAGE = 2, /* exit code 2: command line or configuration */
};

struct err {
    enum err_kind kind;
    char file[512];     /* "" if none */
    unsigned line;      /* 1-based, 0 if none */
    unsigned column;    /* 1-based, 0 if none */
    char message[1024]; /* what is wrong; no newline at the end */
    char remedy[512];   /* what to do; "" if the message says it */
};

/* Fills *e (which may be NULL) and returns -1, so that a caller can `return err_set(...)`. */
int err_set(struct err *e, enum err_kind kind, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int err_setv(struct err *e, enum err_kind kind, const char *fmt, va_list ap) __attribute__((format(printf, 3, 0)));
/* Adds where and what to do to an error that is already set; both return -1. */
int err_at(struct err *e, const char *file, unsigned line, unsigned column);
int err_remedy(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#ifdef __clang_analyzer__ /* it sees one file at a time: without this it follows the paths where these return 0 */
#define err_set(...) ((void)err_set(__VA_ARGS__), -1)
#define err_setv(...) ((void)err_setv(__VA_ARGS__), -1)
#define err_at(...) ((void)err_at(__VA_ARGS__), -1)
#define err_remedy(...) ((void)err_remedy(__VA_ARGS__), -1)
#endif
/* "FILE:LINE:COLUMN: error: MESSAGE; REMEDY" without what is absent; returns buf. */
char *err_format(const struct err *e, char *buf, unsigned long size);

#endif
