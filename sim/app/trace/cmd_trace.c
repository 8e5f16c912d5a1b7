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
    {"convert", trace_verb_convert, "any form to .mtr (binary) or .mtt, .txt (text)"},
    {"slice", trace_verb_slice, "a part of a trace that replays by itself"},
    {"gen", trace_verb_gen, "a made-up trace with known properties"},
};

static void usage(FILE *f)
{
    fprintf(f, "usage: mmulab trace VERB ...\n\n");
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        fprintf(f, "  %-8s %s\n", verbs[i].name, verbs[i].help);
    fprintf(f, "\nTraces are read in the forms mtr, text, lackey (Valgrind), champsim, din (Dinero) and pin, "
               "known by their\n"
               "content, through zstd, xz, gzip or bzip2. `mmulab trace VERB --help` tells more.\n");
}

/* Calls `each` over names and remembers the nearest. */
struct nearest {
    const char *word, *best;
    size_t limit;
};

static void nearest_try(struct nearest *n, const char *name)
{
    size_t d = text_distance(n->word, name, n->limit);
    if (d <= n->limit) {
        n->best = name;
        n->limit = d ? d - 1 : 0;
    }
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

int verb_bad_option(const char *verb, char **argv, int got, const struct option *options)
{
    const char *word = optind > 0 ? argv[optind - 1] : "";
    char name[TEXT_NAME_MAX], shown[TEXT_WORD];
    if (got == ':') {
        if (optopt && optopt < 256 && strncmp(word, "--", 2) != 0)
            return verb_usage(verb, "option -%c needs a value", optopt);
        return verb_usage(verb, "option %s needs a value", text_word(shown, word, strlen(word)));
    }
    if (strncmp(word, "--", 2) != 0)
        return verb_usage(verb, "unknown option -%c", optopt > 32 && optopt < 127 ? optopt : '?');
    size_t n = strcspn(word + 2, "=");
    snprintf(name, sizeof name, "%.*s", n < sizeof name ? (int)n : (int)sizeof name - 1, word + 2);
    for (const struct option *o = options; o->name; o++)
        if (!strcmp(o->name, name))
            return verb_usage(verb, "option --%s takes no value", name);
    struct nearest near = {.word = name, .limit = text_near(name)};
    for (const struct option *o = options; o->name; o++)
        nearest_try(&near, o->name);
    text_word(shown, name, strlen(name));
    return near.best ? verb_usage(verb, "unknown option --%s; did you mean --%s?", name, near.best)
                     : verb_usage(verb, "unknown option --%s", name);
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

bool verb_number(const char *verb, const char *option, const char *text, uint64_t *out)
{
    char *end;
    errno = 0;
    if (text[0] >= '0' && text[0] <= '9') {
        unsigned long long v = strtoull(text, &end, 10);
        if (!*end && errno == 0) {
            *out = v;
            return true;
        }
    }
    verb_usage(verb, "%s: `%s` is not a number", option, text);
    return false;
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
    struct nearest near = {.word = argv[1], .limit = text_near(argv[1])};
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        if (!strcmp(verbs[i].name, argv[1])) {
            optind = 0; /* getopt starts afresh (the program may have used it) */
            opterr = 0;
            return verbs[i].run(argc - 1, argv + 1);
        }
        nearest_try(&near, verbs[i].name);
    }
    char shown[TEXT_WORD];
    text_word(shown, argv[1], strlen(argv[1]));
    if (near.best)
        fprintf(stderr, "mmulab trace: error: unknown verb %s; did you mean \"%s\"?\n", shown, near.best);
    else
        fprintf(stderr, "mmulab trace: error: unknown verb %s (see `mmulab trace --help`)\n", shown);
    return EXIT_USAGE;
}
