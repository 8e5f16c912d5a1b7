/*
 * Writes Dinero IV's extended form (-informat D): r, w or i, the hexadecimal address, the hexadecimal size. A
 * load-and-store becomes a read and a write. Everything but references is lost.
 */
#include "traces/exporters/lost.h"
#include "traces/io/outbuf.h"
#include "traces/io/writer.h"

#include <stdlib.h>

struct din_writer {
    struct lost lost;
    uint64_t split, switches, kernel;
    uint32_t process, thread;
    bool begun;
    struct outbuf out;
};

static void *din_open(struct outfile *f, const struct trace_writer_options *opt, struct err *err)
{
    struct din_writer *w = malloc(sizeof *w);
    (void)opt;
    if (!w) {
        err_set(err, ERR_RUN, "out of memory");
        return NULL;
    }
    memset(w, 0, offsetof(struct din_writer, out));
    w->out.f = f;
    w->out.n = 0;
    return w;
}

static void line(struct outbuf *out, char label, const struct trace_rec *r)
{
    outbuf_char(out, label);
    outbuf_char(out, ' ');
    outbuf_hex(out, r->addr, 1);
    outbuf_char(out, ' ');
    outbuf_hex(out, r->size, 1);
    outbuf_char(out, '\n');
}

static int din_put(void *self, uint32_t process, uint32_t thread, const struct trace_rec *rec, size_t n,
                   struct err *err)
{
    struct din_writer *w = self;
    w->switches += w->begun && (process != w->process || thread != w->thread);
    w->begun = true;
    w->process = process;
    w->thread = thread;
    for (size_t i = 0; i < n; i += 1u + rec[i].slots) {
        const struct trace_rec *r = &rec[i];
        if (r->kind > TRACE_REF_MAX) {
            w->lost.kind[r->kind]++;
            continue;
        }
        w->kernel += (r->flags & TRACE_F_KERNEL) != 0;
        if (r->kind == TRACE_FETCH)
            line(&w->out, 'i', r);
        if (r->kind == TRACE_LOAD || r->kind == TRACE_MODIFY)
            line(&w->out, 'r', r);
        if (r->kind == TRACE_STORE || r->kind == TRACE_MODIFY)
            line(&w->out, 'w', r);
        w->split += r->kind == TRACE_MODIFY;
        if (outbuf_full(&w->out) && outbuf_flush(&w->out, err) < 0)
            return -1;
    }
    return 0;
}

static int din_flush(void *self, struct err *err)
{
    struct din_writer *w = self;
    return outbuf_flush(&w->out, err);
}

static void din_lost(const void *self, struct trace_left *list, unsigned *n)
{
    const struct din_writer *w = self;
    trace_left_add(list, n, "load-and-stores (written as a read and a write)", w->split);
    trace_left_add(list, n, "changes of thread", w->switches);
    trace_left_add(list, n, "marks of kernel mode", w->kernel);
    lost_list(&w->lost, list, n);
}

const struct writer_ops writer_din = {din_open, din_put, din_flush, din_flush, free, din_lost};
