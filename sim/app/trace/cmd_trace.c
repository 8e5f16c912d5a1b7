#include "app/trace/cmd_trace.h"

#include "app/trace/cmd_trace_verbs.h"
#include "config/text.h"
#include "engine/types.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct verb {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} verbs[] = {
    {"info", trace_verb_info, "what a trace holds: references, threads, pages, events, identity"},
    {"print", trace_verb_print, "records as text, numbered, with symbols"},
    {"check", trace_verb_check, "structural problems: what cannot have happened"},
    {"convert", trace_verb_convert, "any form to .mtr (binary), .mtt (text), .champsim, .lackey or .din"},
    {"slice", trace_verb_slice, "a part of a trace that replays by itself"},
    {"gen", trace_verb_gen, "a made-up trace with known properties"},
};

static void usage(FILE *f)
{
    fprintf(f, "usage: mmulab trace VERB ...\n\n");
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        fprintf(f, "  %-8s %s\n", verbs[i].name, verbs[i].help);
    fprintf(f, "\nTraces are read in the forms mtr, text, lackey (Valgrind), qtrace (QEMU plugin text), champsim, "
               "drmemtrace\n(DynamoRIO; also a folder with a file a thread), gem5 (packets), din (Dinero), pin, ramulator, "
               "dramsim3,\nand a kernel's events as text of perf script or ftrace, or perf.data; known by their content, through zstd, xz,\n"
               "gzip, bzip2 or zip. `mmulab trace VERB --help` tells more.\n");
}

int verb_usage(const char *verb, const char *fmt, ...)
{
    va_list ap;
    fprintf(stderr, "mmulab trace %s: error: ", verb);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, " (see `mmulab trace %s --help`)\n", verb);
    return EXIT_USAGE;
}

int verb_error(const struct err *err)
{
    char buf[2200];
    fflush(stdout);
    fprintf(stderr, "%s%s\n", err->file[0] ? "" : "mmulab trace: ", err_format(err, buf, sizeof buf));
    return err->kind == ERR_USAGE ? EXIT_USAGE : EXIT_FAILURE;
}

int verb_broken(const struct err *err, uint64_t good)
{
    char n[32];
    int code = verb_error(err);
    fprintf(stderr, "mmulab: the first %s records are good\n", trace_commas(n, good));
    return code;
}

int verb_nothing(const char *file, uint64_t records)
{
    struct err err;
    char n[32];
    err_set(&err, ERR_USAGE, "no record is in what was asked for%s%s%s", records ? ": there are " : "",
            records ? trace_commas(n, records) : "", records ? ", numbered from 0" : "");
    err_at(&err, file, 0, 0);
    err_remedy(&err, "mmulab trace info FILE tells how many records and threads there are");
    return verb_error(&err);
}

void verb_left(const char *verb, const char *where, const struct trace_left *left, unsigned n)
{
    char text[32];
    for (unsigned i = 0; i < n; i++)
        fprintf(stderr, "mmulab trace %s: %s %s: %s %s\n", verb, where, left[i].made_up ? "made up" : "left out",
                trace_commas(text, left[i].n), left[i].what);
}

int verb_close_writer(const char *verb, struct trace_writer *w, const char *out, bool quiet, struct err *err)
{
    struct trace_left lost[TRACE_LEFT_MAX];
    int r = trace_writer_end(w, err);
    unsigned n = r == 0 ? trace_writer_lost(w, lost) : 0;
    if (trace_writer_close(w, r == 0 ? err : NULL) < 0)
        r = -1;
    if (r == 0 && !quiet)
        verb_left(verb, out, lost, n);
    return r;
}

void verb_print_formats(void)
{
    const char *name;
    for (unsigned i = 0; (name = trace_reader_name(i)); i++)
        printf("%s%s", i ? ", " : "", name);
}

int verb_end(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    fprintf(stderr, "mmulab trace: error: cannot write the result: %s\n", strerror(errno));
    return code ? code : EXIT_FAILURE;
}

int cmd_trace(int argc, char **argv)
{
    if (argc < 2) {
        usage(stderr);
        return EXIT_USAGE;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
        usage(stdout);
        return verb_end(0);
    }
    struct verb_nearest near = {.word = argv[1], .limit = text_near(argv[1])};
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        if (!strcmp(verbs[i].name, argv[1])) {
            return verbs[i].run(argc - 1, argv + 1);
        }
        verb_nearest_try(&near, verbs[i].name);
    }
    char shown[TEXT_WORD];
    text_word(shown, argv[1], strlen(argv[1]));
    if (near.best)
        fprintf(stderr, "mmulab trace: error: unknown verb %s; did you mean \"%s\"?\n", shown, near.best);
    else
        fprintf(stderr, "mmulab trace: error: unknown verb %s (see `mmulab trace --help`)\n", shown);
    return EXIT_USAGE;
}
