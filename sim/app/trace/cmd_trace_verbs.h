/* The verbs of `mmulab trace`, one file each, and what they share. argv[0] is the verb. */
#ifndef APP_CMD_TRACE_VERBS_H
#define APP_CMD_TRACE_VERBS_H

#include "engine/err.h"
#include "traces/trace.h"

#include <getopt.h>
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
/* After getopt_long gave '?' or ':': says what is wrong and the nearest option; returns EXIT_USAGE. */
int verb_bad_option(const char *verb, char **argv, int got, const struct option *options);
/* Prints an error of the library; returns its exit code. */
int verb_error(const struct err *err);
/* The same for a trace that broke off after `good` records. */
int verb_broken(const struct err *err, uint64_t good);
/* A decimal number, blanks and signs refused; false with a message. */
bool verb_number(const char *verb, const char *option, const char *text, uint64_t *out);
/* Whether results reached stdout (full disk, closed pipe): the verb's last word, returns `code` or 1. */
int verb_end(int code);

#endif
