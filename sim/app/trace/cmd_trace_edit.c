/* `mmulab trace convert` and `slice`: from one file to another. */
#include "app/trace/cmd_trace_verbs.h"

#include <stdio.h>
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
    case TRACE_MMAP:
    case TRACE_MUNMAP:
    case TRACE_MREMAP:
    case TRACE_BRK:
    case TRACE_MPROTECT:
    case TRACE_MADVISE:
    case TRACE_FORK:
    case TRACE_EXEC:
    case TRACE_EXIT:
    case TRACE_CLONE:
    case TRACE_FILEID:
    case TRACE_SEGMENT:
    case TRACE_MALLOC:
    case TRACE_FREE:
    case TRACE_REALLOC:
    case TRACE_PAGE_ALLOC:
    case TRACE_PAGE_FREE:
    case TRACE_KMALLOC:
    case TRACE_KFREE:
    case TRACE_CACHE_ALLOC:
    case TRACE_CACHE_FREE:
    case TRACE_SEGLOAD:
    case TRACE_CRLOAD:
        return true;
    default:
        return false;
    }
}

struct window {
    uint64_t from, count;
    bool one_thread;
    uint32_t thread;
};

/* 1: put, 0: leave out, -1: nothing more comes. */
static int wanted(const struct window *w, uint64_t number, uint32_t thread, uint8_t kind)
{
    if (number >= w->from && number - w->from >= w->count)
        return -1;
    bool inside = number >= w->from && (!w->one_thread || thread == w->thread);
    return inside || is_state(kind);
}

/* Puts the wished records of a batch, run by run. 1 go on, 0 the window's end, -1 error. */
static int copy_batch(struct trace_writer *out, const struct trace_batch *b, const struct window *w,
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

/* Copies the window. A broken input leaves its good part in the output and exit status 1. */
static int copy(const char *verb, const char *in, const char *out, const struct trace_options *opt,
                const struct trace_writer_options *wopt, const struct window *w)
{
    struct err err = {0}, close_err = {0};
    struct trace *t;
    struct trace_writer *writer;
    struct trace_batch b;
    uint64_t put = 0;
    int got, copied = 1;
    if (trace_open(&t, in, opt, &err) < 0)
        return verb_error(&err);
    if (trace_writer_open_with(&writer, out, wopt, &err) < 0) {
        trace_close(t);
        return verb_error(&err);
    }
    while ((got = trace_next(t, &b, &err)) > 0)
        if ((copied = copy_batch(writer, &b, w, &put, &err)) <= 0)
            break;
    int code = 0;
    if (copied < 0) {
        trace_writer_abort(writer);
        code = verb_error(&err);
    } else if (trace_writer_close(writer, &close_err) < 0) {
        code = verb_error(&close_err);
    } else {
        if (got < 0)
            code = verb_broken(&err, put);
        char n[32];
        fprintf(stderr, "mmulab trace %s: %s records in %s\n", verb, trace_commas(n, put), out);
    }
    trace_close(t);
    return verb_end(code);
}

static void convert_help(void)
{
    printf("usage: mmulab trace convert [--force] [--level N] [--format NAME] [--no-maps] IN OUT\n\n"
           "Writes a trace of any form as .mtr (native binary, compressed) or .mtt, .txt (native text; - is "
           "text on stdout).\n"
           "OUT appears when it is complete. Of a broken IN the good part is written, and the exit status is "
           "1.\n\n"
           "  --force        write over an OUT that exists\n"
           "  --level N      .mtr: compression level 1 (fast) to 19 (small)\n"
           "  --format NAME  do not guess the form of IN: mtr, text, lackey, champsim, din, pin, perf, perf_data\n"
           "  --no-maps      do not read the initial mappings from NAME.maps.txt beside a lackey file\n");
}

static void slice_help(void)
{
    printf("usage: mmulab trace slice IN OUT [--from N] [--count N] [--thread T] [--force] [--level N] "
           "[--format NAME]\n\n"
           "Writes the records N .. of IN (numbered from 0, as `print` has them), or those of one thread, or "
           "both. What the\n"
           "part needs to be replayed is kept with it: mappings, files, processes and allocations before the "
           "window, and\n"
           "those of the other threads inside it.\n\n"
           "  --from N       first record (default 0)\n"
           "  --count N      number of records from there (default: all)\n"
           "  --thread T     only this thread (its number as `print` shows it)\n"
           "  --force        write over an OUT that exists\n"
           "  --level N      .mtr: compression level 1 (fast) to 19 (small)\n"
           "  --format NAME  do not guess the form of IN\n");
}

int trace_verb_convert(int argc, char **argv)
{
    static const struct option options[] = {
        {"force", no_argument, NULL, 'F'},        {"level", required_argument, NULL, 'l'},
        {"format", required_argument, NULL, 'f'}, {"no-maps", no_argument, NULL, 'n'},
        {"help", no_argument, NULL, 'h'},         {0}};
    struct trace_options opt = {.ahead = true};
    struct trace_writer_options wopt = {0};
    struct window all = {.count = UINT64_MAX};
    uint64_t level = 0;
    bool force = false;
    int got;
    while ((got = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        switch (got) {
        case 'F':
            force = true;
            break;
        case 'l':
            if (!verb_number("convert", "--level", optarg, &level))
                return EXIT_USAGE;
            break;
        case 'f':
            opt.format = optarg;
            break;
        case 'n':
            opt.no_maps = true;
            break;
        case 'h':
            convert_help();
            return verb_end(0);
        default:
            return verb_bad_option("convert", argv, got, options);
        }
    }
    if (argc - optind != 2)
        return verb_usage("convert", "it takes two names, IN and OUT");
    wopt.level = level < 100 ? (int)level : 100;
    if (!may_write("convert", argv[optind], argv[optind + 1], force))
        return EXIT_USAGE;
    return copy("convert", argv[optind], argv[optind + 1], &opt, &wopt, &all);
}

int trace_verb_slice(int argc, char **argv)
{
    static const struct option options[] = {
        {"from", required_argument, NULL, 'a'},   {"count", required_argument, NULL, 'c'},
        {"thread", required_argument, NULL, 't'}, {"force", no_argument, NULL, 'F'},
        {"level", required_argument, NULL, 'l'},  {"format", required_argument, NULL, 'f'},
        {"help", no_argument, NULL, 'h'},         {0}};
    struct trace_options opt = {.ahead = true};
    struct trace_writer_options wopt = {0};
    struct window w = {.count = UINT64_MAX};
    uint64_t thread = 0, level = 0;
    bool force = false, given = false;
    int got;
    while ((got = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        bool good = true;
        switch (got) {
        case 'a':
            good = verb_number("slice", "--from", optarg, &w.from);
            given = true;
            break;
        case 'c':
            good = verb_number("slice", "--count", optarg, &w.count);
            given = true;
            break;
        case 't':
            good = verb_number("slice", "--thread", optarg, &thread);
            given = w.one_thread = true;
            break;
        case 'F':
            force = true;
            break;
        case 'l':
            good = verb_number("slice", "--level", optarg, &level);
            break;
        case 'f':
            opt.format = optarg;
            break;
        case 'h':
            slice_help();
            return verb_end(0);
        default:
            return verb_bad_option("slice", argv, got, options);
        }
        if (!good)
            return EXIT_USAGE;
    }
    if (argc - optind != 2)
        return verb_usage("slice", "it takes two names, IN and OUT");
    if (!given)
        return verb_usage("slice", "which part? give --from, --count or --thread");
    if (thread > UINT32_MAX)
        return verb_usage("slice", "--thread: there is no such thread");
    w.thread = (uint32_t)thread;
    wopt.level = level < 100 ? (int)level : 100;
    if (!may_write("slice", argv[optind], argv[optind + 1], force))
        return EXIT_USAGE;
    return copy("slice", argv[optind], argv[optind + 1], &opt, &wopt, &w);
}
