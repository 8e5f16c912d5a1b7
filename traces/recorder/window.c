#include "traces/recorder/window.h"

#include "traces/recorder/region.h"
#include "traces/trace.h"

#include "traces/input.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GATHER 8192u /* records before the next stage gets them */

struct window {
    struct window_options opt;
    struct record_sink sink;
    struct region *region;
    struct window_result result;
    uint64_t at; /* references inside the region so far */
    bool all;    /* everything is kept: no need to look */
    bool in_region, on;
    uint32_t process, thread;
    size_t n;
    struct trace_rec rec[GATHER + TRACE_PAYLOAD_SLOTS_MAX + 64];
};

int window_new(struct window **out, const struct window_options *opt, struct record_sink sink, struct err *err)
{
    struct window *w = calloc(1, sizeof *w);
    if (!w)
        return err_set(err, ERR_RUN, "out of memory");
    w->opt = *opt;
    w->sink = sink;
    w->all = !opt->skip && !opt->limit && !opt->period && !opt->roi && !opt->from && !opt->to;
    w->in_region = !opt->roi && !opt->from;
    struct region_names names = {opt->program, opt->roi, opt->from, opt->to};
    if ((opt->roi || opt->from || opt->to) && region_new(&w->region, &names, err) < 0) {
        free(w);
        return -1;
    }
    *out = w;
    return 0;
}

void window_free(struct window *w)
{
    if (!w)
        return;
    region_free(w->region);
    free(w);
}

static int flush(struct window *w, struct err *err)
{
    size_t n = w->n;
    w->n = 0;
    return n ? w->sink.put(w->sink.self, w->process, w->thread, w->rec, n, err) : 0;
}

static void put_mark(struct window *w, uint64_t number)
{
    char text[128], seen[32];
    int len = number == WINDOW_MARK_BEGIN
                  ? snprintf(text, sizeof text, "window %llu begins: reference %s of the program",
                             (unsigned long long)w->result.windows, trace_commas(seen, w->result.seen))
                  : snprintf(text, sizeof text, "window %llu ends", (unsigned long long)w->result.windows);
    struct trace_rec r = {.addr = number, .kind = TRACE_MARK, .slots = trace_slots_bytes((size_t)len)};
    w->rec[w->n++] = r;
    memset(&w->rec[w->n], 0, r.slots * 16u);
    memcpy(&w->rec[w->n], text, (size_t)len);
    w->n += r.slots;
}

/* An instruction begins: is it kept? */
static void decide(struct window *w)
{
    const struct window_options *o = &w->opt;
    w->result.full = o->limit && w->result.references >= o->limit;
    bool want = w->in_region && !w->result.full && w->at >= o->skip &&
                (!o->period || (w->at - o->skip) % o->period < o->length);
    if (want == w->on)
        return;
    w->on = want;
    if (want)
        w->result.windows++;
    put_mark(w, want ? WINDOW_MARK_BEGIN : WINDOW_MARK_END);
}

static int put_all(struct window *w, uint32_t process, uint32_t thread, const struct trace_rec *rec, size_t n,
                   struct err *err)
{
    for (size_t i = 0; i < n; i += 1u + rec[i].slots) {
        w->result.references += rec[i].kind <= TRACE_REF_MAX;
        w->result.instructions += rec[i].kind == TRACE_FETCH;
    }
    w->result.seen = w->result.references;
    return w->sink.put(w->sink.self, process, thread, rec, n, err);
}

static int put(void *self, uint32_t process, uint32_t thread, const struct trace_rec *rec, size_t n, struct err *err)
{
    struct window *w = self;
    if (w->all)
        return put_all(w, process, thread, rec, n, err);
    if ((w->process != process || w->thread != thread) && flush(w, err) < 0)
        return -1;
    w->process = process;
    w->thread = thread;
    for (size_t i = 0; i < n; i += 1u + rec[i].slots) {
        const struct trace_rec *r = &rec[i];
        if (r->kind <= TRACE_REF_MAX) {
            if (w->region) {
                bool in = region_reference(w->region, process, thread, r);
                if (r->kind == TRACE_FETCH)
                    w->in_region = in;
            }
            if (r->kind == TRACE_FETCH)
                decide(w);
            w->at += w->in_region;
            w->result.seen++;
            if (w->on) {
                w->result.references++;
                w->result.instructions += r->kind == TRACE_FETCH;
                w->rec[w->n++] = *r;
            }
        } else {
            if (w->region)
                region_event(w->region, process, thread, r);
            memcpy(&w->rec[w->n], r, (1u + r->slots) * sizeof *r);
            w->n += 1u + r->slots;
        }
        if (w->n >= GATHER && flush(w, err) < 0)
            return -1;
    }
    return 0;
}

struct record_sink window_sink(struct window *w)
{
    return (struct record_sink){w, put};
}

int window_finish(struct window *w, struct err *err)
{
    if (w->all)
        w->result.windows = 1;
    else if (w->on)
        put_mark(w, WINDOW_MARK_END);
    w->on = false;
    return flush(w, err);
}

void window_get_result(const struct window *w, struct window_result *out)
{
    *out = w->result;
    if (w->region)
        out->missing = region_missing(w->region);
}
