/* A form's writing side. Private to traces/: writer.c calls the forms of native/ and exporters/ through it. */
#ifndef TRACES_WRITER_H
#define TRACES_WRITER_H

#include "traces/io/outfile.h"
#include "traces/trace.h"

struct writer_ops {
    void *(*open)(struct outfile *f, const struct trace_writer_options *opt,
                  struct err *err); /* NULL: error */
    int (*put)(void *self, uint32_t process, uint32_t thread, const struct trace_rec *rec, size_t n,
               struct err *err);
    int (*flush)(void *self, struct err *err);
    int (*finish)(void *self, struct err *err); /* writes what is left; the file is committed after it */
    void (*free)(void *self);
    /* May be NULL: the form holds everything. What it could not hold so far. */
    void (*lost)(const void *self, struct trace_left *list, unsigned *n);
};

extern const struct writer_ops writer_mtr, writer_text, writer_champsim, writer_lackey, writer_din;

#endif
