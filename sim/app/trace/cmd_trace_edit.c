/* `mmulab trace convert` and `slice`: from one file to another. */
#include "app/trace/cmd_trace_verbs.h"
#include "engine/types.h"
#include "traces/kinds.h"
#include "traces/readers/maps.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* OUT must not be there (or --force), and must not be IN. */
static bool may_write(const char *verb, const char *in, const char *out, bool force)
{
    struct stat a, b;
    if (stat(out, &b) != 0)
        return true;
    if (stat(in, &a) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino) {
        verb_usage(verb, "%s is the trace that is read", out);
        return false;
    }
    if (S_ISREG(b.st_mode) && !force) {
        verb_usage(verb, "%s exists; --force writes over it", out);
        return false;
    }
    return true;
}

/* What a part of the trace needs from the part before it: mappings, files, processes, live objects. */
static bool is_state(uint8_t kind)
{
    switch (kind) {
    case TRACE_EXIT:
    case TRACE_CLONE:
    case TRACE_FILEID:
    case TRACE_MALLOC:
    case TRACE_FREE:
    case TRACE_REALLOC:
    case TRACE_PAGE_ALLOC:
    case TRACE_PAGE_FREE:
    case TRACE_SEGLOAD:
    case TRACE_CRLOAD:
        return true;
    default:
        return trace_changes_space(kind) || trace_calls_allocator(kind);
    }
}

struct window {
    uint64_t from, count;
    bool one_thread;
    uint32_t thread;
    uint64_t inside; /* records so far */
};

/* 1: put, 0: leave out, -1: nothing more comes. */
static int wanted(struct window *w, uint64_t number, uint32_t thread, uint8_t kind)
{
    if (number >= w->from && number - w->from >= w->count)
        return -1;
    bool inside = number >= w->from && (!w->one_thread || thread == w->thread);
    w->inside += inside;
    return inside || is_state(kind);
}

/* Puts the wished records of a batch, run by run. 1 go on, 0 the window's end, -1 error. */
static int copy_batch(struct trace_writer *out, const struct trace_batch *b, struct window *w,
                      uint64_t *put, struct err *err)
{
    size_t run = 0, i = 0;
    uint64_t number = b->first_record;
    int want = 1;
    for (; i < b->n; number++) {
        want = wanted(w, number, b->thread, b->rec[i].kind);
        size_t next = i + 1u + b->rec[i].slots;
        if (want <= 0) {
            if (i > run && trace_writer_put(out, b->process, b->thread, b->rec + run, i - run, err) < 0)
                return -1;
            run = next;
            if (want < 0)
                return 0;
        } else {
            ++*put;
        }
        i = next;
    }
    return b->n > run && trace_writer_put(out, b->process, b->thread, b->rec + run, b->n - run, err) < 0 ? -1
                                                                                                         : 1;
}

struct editing {
    const char *verb;
    struct trace_options read;
    struct trace_writer_options write;
    struct window window;
    uint64_t level;
    bool force, quiet, has_level;
};

/* Copies the window. A broken input leaves its good part in the output and exit status 1. */
static int copy(struct editing *e, const char *in, const char *out)
{
    struct err err = {0}, close_err = {0};
    struct trace *t;
    struct trace_writer *writer;
    struct trace_batch b;
    struct trace_info info;
    uint64_t put = 0, seen = 0;
    int got, copied = 1, code = 0;
    char n[32];
    if (trace_open(&t, in, &e->read, &err) < 0)
        return verb_error(&err);
    if (trace_writer_open_with(&writer, out, &e->write, &err) < 0) {
        trace_close(t);
        return verb_error(&err);
    }
    while ((got = trace_next(t, &b, &err)) > 0) {
        if ((copied = copy_batch(writer, &b, &e->window, &put, &err)) <= 0)
            break;
        seen = b.first_record;
        for (size_t i = 0; i < b.n; i += 1u + b.rec[i].slots)
            seen++;
    }
    trace_get_info(t, &info);
    if (copied < 0) {
        trace_writer_abort(writer);
        code = verb_error(&err);
    } else if (got < 0 && !e->window.inside) { /* nothing good to write */
        trace_writer_abort(writer);
        code = verb_broken(&err, seen);
    } else if (!e->window.inside && (e->window.from || e->window.one_thread)) { /* a trace of no records is copied as one */
        trace_writer_abort(writer);
        code = verb_nothing(in, got == 0 ? seen : 0);
    } else {
        if (!e->quiet && !e->window.one_thread && e->window.count == UINT64_MAX)
            verb_left(e->verb, in, info.left, info.nleft);
        if (verb_close_writer(e->verb, writer, out, e->quiet, &close_err) < 0)
            code = verb_error(&close_err);
        else if (got < 0)
            code = verb_broken(&err, put);
        if (code == 0 && got == 0 && info.incomplete)
            fprintf(stderr, "mmulab trace %s: warning: %s is incomplete: %s\n", e->verb, in, info.why);
        if (!e->quiet && (code == 0 || got < 0))
            fprintf(stderr, "mmulab trace %s: %s records in %s\n", e->verb, trace_commas(n, put), out);
    }
    trace_close(t);
    return verb_end(code);
}

/* Operands read: checks what both verbs need, and does it. */
static int edit(struct editing *e, char **operand)
{
    const char *in = operand[0], *out = operand[1], *form = trace_writer_form_of(out, e->write.form);
    if (e->has_level && (e->level < 1 || e->level > 19))
        return verb_usage(e->verb, "--level: 1 to 19");
    e->write.level = (int)e->level;
    if (strcmp(out, "-") != 0 && !may_write(e->verb, in, out, e->force))
        return EXIT_USAGE;
    if (form && !strcmp(form, "lackey") && strcmp(out, "-") != 0) {
        char *maps = trace_maps_name(out);
        bool may = maps && may_write(e->verb, in, maps, e->force);
        free(maps);
        if (!may)
            return EXIT_USAGE;
    }
    return copy(e, in, out);
}

static void common_help(void)
{
    printf("  --to FORM      form of OUT, where its name does not tell: mtr, text, champsim, lackey, din\n"
           "  --force        write over an OUT that exists\n"
           "  --level N      .mtr: compression level 1 (fast) to 19 (small)\n"
           "  -q, --quiet    say nothing but errors and warnings\n"
           "  --no-maps      do not read the initial mappings from NAME.maps.txt beside a lackey file\n"
           "  --format NAME  do not guess the form of IN: ");
    verb_print_formats();
    putchar('\n');
}

static void convert_help(void)
{
    printf("usage: mmulab trace convert [--to FORM] [--force] [--level N] [--format NAME] [--no-maps] [-q] IN OUT\n\n"
           "Writes a trace of any form as .mtr (native binary, compressed), .mtt or .txt (native text; - is text on "
           "stdout), or\nin the form of another program: .champsim, .lackey (with the initial mappings beside it in "
           "NAME.maps.txt), .din.\n"
           "What IN or OUT cannot hold is told on stderr, with how many of each; docs/converting.md has the table.\n"
           "OUT appears when it is complete. Of a broken IN the good part, if there is one, is written, and the exit status is 1.\n\n");
    common_help();
}

static void slice_help(void)
{
    printf("usage: mmulab trace slice IN OUT [--from N] [--count N] [--thread T] [--to FORM] [--force] [--level N] "
           "[--format NAME] [-q]\n\n"
           "Writes the records N .. of IN (numbered from 0, as `print` has them), or those of one thread, or "
           "both. What the\n"
           "part needs to be replayed is kept with it: mappings, files, processes and allocations before the "
           "window, and\n"
           "those of the other threads inside it.\n\n"
           "  --from N       first record (default 0)\n"
           "  --count N      number of records from there (default: all)\n"
           "  --thread T     only this thread (its number as `print` shows it)\n");
    common_help();
}

#define COMMON_OPTIONS(e)                                                                                    \
    {"to", 0, VERB_TEXT, &(e).write.form, NULL, NULL}, {"force", 0, VERB_FLAG, &(e).force, NULL, NULL},      \
        {"level", 0, VERB_NUMBER, &(e).level, &(e).has_level, NULL},                                         \
        {"format", 0, VERB_TEXT, &(e).read.format, NULL, NULL},                                              \
        {"no-maps", 0, VERB_FLAG, &(e).read.no_maps, NULL, NULL},                                            \
        {"quiet", 'q', VERB_FLAG, &(e).quiet, NULL, NULL}

int trace_verb_convert(int argc, char **argv)
{
    struct editing e = {.verb = "convert", .read = {.ahead = true}, .window = {.count = UINT64_MAX}};
    const struct verb_option options[] = {COMMON_OPTIONS(e)};
    int got = verb_options("convert", argc, argv, options, ARRAY_LEN(options), convert_help, 2, 2,
                           "two names, IN and OUT");
    return got != VERB_GO_ON ? got : edit(&e, argv + optind);
}

int trace_verb_slice(int argc, char **argv)
{
    struct editing e = {.verb = "slice", .read = {.ahead = true}, .window = {.count = UINT64_MAX}};
    uint64_t thread = 0;
    bool from = false, count = false;
    const struct verb_option options[] = {{"from", 0, VERB_NUMBER, &e.window.from, &from, NULL},
                                          {"count", 0, VERB_NUMBER, &e.window.count, &count, NULL},
                                          {"thread", 0, VERB_NUMBER, &thread, &e.window.one_thread, NULL},
                                          COMMON_OPTIONS(e)};
    int got = verb_options("slice", argc, argv, options, ARRAY_LEN(options), slice_help, 2, 2,
                           "two names, IN and OUT");
    if (got != VERB_GO_ON)
        return got;
    if (!from && !count && !e.window.one_thread)
        return verb_usage("slice", "which part? give --from, --count or --thread");
    if (count && !e.window.count)
        return verb_usage("slice", "--count: at least one record");
    if (thread > UINT32_MAX)
        return verb_usage("slice", "--thread: there is no such thread");
    e.window.thread = (uint32_t)thread;
    return edit(&e, argv + optind);
}
