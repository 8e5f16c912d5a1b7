/* The verbs of `mmulab trace`, one file each, and what they share. argv[0] is the verb. */
#ifndef APP_CMD_TRACE_VERBS_H
#define APP_CMD_TRACE_VERBS_H

#include "engine/err.h"
#include "traces/trace.h"

#include <stdbool.h>
#include <stdint.h>

int trace_verb_info(int argc, char **argv);
int trace_verb_print(int argc, char **argv);
int trace_verb_check(int argc, char **argv);
int trace_verb_convert(int argc, char **argv);
int trace_verb_slice(int argc, char **argv);
int trace_verb_gen(int argc, char **argv);

enum { EXIT_USAGE = 2 };

/* "mmulab trace VERB: error: ..."; returns EXIT_USAGE. */
int verb_usage(const char *verb, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/*
 * The options of a verb, a table each: one loop reads them all. `--help` is understood everywhere, `-q, --quiet` too
 * where there is an entry VERB_QUIET.
 */
struct verb_option {
    const char *name; /* "from": --from */
    char letter;      /* 'n': -n too; 0 none */
    enum { VERB_FLAG, VERB_NUMBER, VERB_TEXT, VERB_CALL } type;
    void *to;    /* bool, uint64_t, const char *; for VERB_CALL what `call` gets */
    bool *given; /* may be NULL: set where the option stands */
    int (*call)(void *to, const char *value); /* 0, or an exit code after a message */
};
#define VERB_OPTIONS_MAX 16

enum { VERB_GO_ON = -1 };
/* VERB_GO_ON (the operands begin at argv[optind]; their number is in [least, most]), or the exit code. */
int verb_options(const char *verb, int argc, char **argv, const struct verb_option *table, size_t n,
                 void (*help)(void), int least, int most, const char *operands);
/* The nearest of several words to one that is not known. */
struct verb_nearest {
    const char *word, *best; /* best NULL: none is near */
    size_t limit;
};
void verb_nearest_try(struct verb_nearest *n, const char *name);
/* Prints an error of the library; returns its exit code. */
int verb_error(const struct err *err);
/* The same for a trace that broke off after `good` records. */
int verb_broken(const struct err *err, uint64_t good);
/* The same for a window in which no record of `file` lies; `records`: how many it has, 0 if that is not known. */
int verb_nothing(const char *file, uint64_t records);
/* Says what was left out or made up, one a line: "mmulab trace VERB: FILE left out: 12 prefetches". */
void verb_left(const char *verb, const char *where, const struct trace_left *left, unsigned n);
/* Ends and closes the writer in any case; says (unless `quiet`) what its form could not hold. */
int verb_close_writer(const char *verb, struct trace_writer *w, const char *out, bool quiet, struct err *err);
/* The forms that are read, with commas between them. */
void verb_print_formats(void);
/* Whether results reached stdout (full disk, closed pipe): the verb's last word, returns `code` or 1. */
int verb_end(int code);

#endif
