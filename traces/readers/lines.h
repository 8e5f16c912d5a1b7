/*
 * Text forms whose lines stand alone (din, pin, ramulator, dramsim3): the walk over the lines is here, once; a form
 * brings what one line means. Blanks before a line, empty lines and lines that begin with # are no records.
 */
#ifndef TRACES_LINES_H
#define TRACES_LINES_H

#include "traces/input.h"
#include "traces/trace.h"

struct line_form {
    /*
     * Takes the line [s, end), blanks before it removed. NULL if it is good, else what is wrong with it (static text).
     * `sink` NULL: only looks (probing; `state` is then one that was zeroed); else puts at most some ten records.
     */
    const char *(*take)(void *state, struct trace_sink *sink, const char *s, const char *end);
    /* May be NULL. A line that begins with #: NULL if it may stand here. */
    const char *(*comment)(void *state, const char *s, const char *end);
    size_t state_bytes; /* at most LINE_STATE_MAX */
    const char *remedy; /* how a line looks */
    const char *cut;    /* the same where the file ends inside the line */
};
#define LINE_STATE_MAX 256u

struct line_probe {
    unsigned good;      /* lines taken before the first that is none of the form (at most 100 are looked at) */
    bool broken;        /* such a line was found, and not only because `head` ends inside it */
    _Alignas(16) unsigned char state[LINE_STATE_MAX]; /* after the good lines */
};

/*
 * Whether `head` may be of this form: false where one of the first three lines is no such line; a broken line further
 * down is the reader's to report.
 */
bool lines_probe(const struct line_form *form, const unsigned char *head, size_t n, bool whole,
                 struct line_probe *out);
/* read_batch of such a form. */
int lines_read(const struct line_form *form, void *state, struct trace_input *in, struct trace_sink *sink,
               struct err *err);

#endif
