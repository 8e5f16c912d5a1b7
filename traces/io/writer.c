#include "traces/io/writer.h"

#include "traces/input.h"

#include <stdlib.h>
#include <string.h>

struct trace_writer {
    const struct writer_ops *ops;
    void *self;
    struct outfile file;
    uint64_t records;
    bool failed, ended;
};

static const struct {
    const char *name, *ending; /* of the file's name */
    const struct writer_ops *ops;
} forms[] = {
    {"mtr", ".mtr", &writer_mtr},           {"text", ".mtt", &writer_text},
    {"text", ".txt", &writer_text},         {"champsim", ".champsim", &writer_champsim},
    {"lackey", ".lackey", &writer_lackey},  {"din", ".din", &writer_din},
};
#define FORMS (sizeof forms / sizeof forms[0])

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && !strcmp(s + n - m, end);
}

const char *trace_writer_form(unsigned i)
{
    for (unsigned k = 0; k < FORMS; k++)
        if ((k == 0 || forms[k].ops != forms[k - 1].ops) && i-- == 0)
            return forms[k].name;
    return NULL;
}

static unsigned find_form(const char *path, const char *form)
{
    unsigned k = 0;
    while (k < FORMS && (form ? strcmp(forms[k].name, form) != 0 : !ends_with(path, forms[k].ending)))
        k++;
    if (!form && !strcmp(path, "-"))
        return find_form(path, "text");
    return k;
}

const char *trace_writer_form_of(const char *path, const char *form)
{
    unsigned k = find_form(path, form);
    return k < FORMS ? forms[k].name : NULL;
}

static int no_form(const char *path, const char *form, struct err *err)
{
    if (form) {
        err_set(err, ERR_USAGE, "no trace is written in the form \"%.64s\"", form);
        return err_remedy(err, "the forms are mtr, text, champsim, lackey, din");
    }
    err_set(err, ERR_USAGE,
            "the name of a trace to write ends in .mtr (binary), .mtt or .txt (text), .champsim, .lackey or .din");
    err_at(err, path, 0, 0);
    return err_remedy(err, "write to \"%.200s.mtr\"", path);
}

int trace_writer_open(struct trace_writer **out, const char *path, struct err *err)
{
    return trace_writer_open_with(out, path, NULL, err);
}

int trace_writer_open_with(struct trace_writer **out, const char *path,
                           const struct trace_writer_options *opt, struct err *err)
{
    struct trace_writer_options o = opt ? *opt : (struct trace_writer_options){0};
    struct trace_writer *w;
    unsigned form = find_form(path, o.form);

    if (form == FORMS)
        return no_form(path, o.form, err);
    if (o.level < 0 || o.level > 19)
        return err_set(err, ERR_USAGE, "the compression level is %d, it can be 1 to 19", o.level);
    w = calloc(1, sizeof *w);
    if (!w)
        return err_set(err, ERR_RUN, "out of memory");
    w->ops = forms[form].ops;
    if (outfile_open(&w->file, path, o.live, err) < 0) {
        free(w);
        return -1;
    }
    w->self = w->ops->open(&w->file, &o, err);
    if (!w->self) {
        outfile_abort(&w->file, true);
        free(w);
        return -1;
    }
    *out = w;
    return 0;
}

int trace_writer_put(struct trace_writer *w, uint32_t process, uint32_t thread, const struct trace_rec *rec,
                     size_t n, struct err *err)
{
    size_t i = 0;

    if (w->failed || w->ended)
        return err_set(err, ERR_RUN, "the trace %s", w->failed ? "could not be written before" : "was ended before");
    w->failed = true;
    while (i < n) {
        const char *why = trace_rec_problem(rec + i, n - i);
        if (why) {
            char number[32];
            err_set(err, ERR_RUN, "cannot write record %s (kind %u, %s): %s",
                    trace_commas(number, w->records), rec[i].kind,
                    trace_kind_name(rec[i].kind) ? trace_kind_name(rec[i].kind) : "unknown", why);
            return err_at(err, w->file.path, 0, 0);
        }
        i += 1u + rec[i].slots;
        w->records++;
    }
    if (n && w->ops->put(w->self, process, thread, rec, n, err) < 0)
        return -1;
    w->failed = false;
    return 0;
}

int trace_writer_show(struct trace_writer *w, struct err *err)
{
    return outfile_show(&w->file, err);
}

int trace_writer_flush(struct trace_writer *w, struct err *err)
{
    if (w->failed)
        return err_set(err, ERR_RUN, "the trace could not be written before");
    w->failed = w->ops->flush(w->self, err) < 0 || outfile_show(&w->file, err) < 0;
    return w->failed ? -1 : 0;
}

int trace_writer_end(struct trace_writer *w, struct err *err)
{
    if (w->failed)
        return err_set(err, ERR_RUN, "the trace could not be written before");
    if (!w->ended)
        w->failed = w->ops->finish(w->self, err) < 0;
    w->ended = true;
    return w->failed ? -1 : 0;
}

unsigned trace_writer_lost(const struct trace_writer *w, struct trace_left out[TRACE_LEFT_MAX])
{
    unsigned n = 0;

    if (w->ops->lost)
        w->ops->lost(w->self, out, &n);
    return n;
}

int trace_writer_close(struct trace_writer *w, struct err *err)
{
    int r = trace_writer_end(w, err);

    w->ops->free(w->self);
    if (r < 0)
        outfile_abort(&w->file, false);
    else
        r = outfile_commit(&w->file, err);
    free(w);
    return r;
}

void trace_writer_abort(struct trace_writer *w)
{
    if (!w)
        return;
    w->ops->free(w->self);
    outfile_abort(&w->file, true);
    free(w);
}
