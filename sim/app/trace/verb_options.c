/* Reads the options of a trace verb by its table. */
#include "app/trace/cmd_trace_verbs.h"

#include "config/text.h"
#include "engine/types.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void verb_nearest_try(struct verb_nearest *n, const char *name)
{
    size_t d = text_distance(n->word, name, n->limit);
    if (d <= n->limit) {
        n->best = name;
        n->limit = d ? d - 1 : 0;
    }
}

static int bad_option(const char *verb, char **argv, int got, const struct option *options)
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
    struct verb_nearest near = {.word = name, .limit = text_near(name)};
    for (const struct option *o = options; o->name; o++)
        verb_nearest_try(&near, o->name);
    text_word(shown, name, strlen(name));
    return near.best ? verb_usage(verb, "unknown option --%s; did you mean --%s?", name, near.best)
                     : verb_usage(verb, "unknown option --%s", name);
}

static bool number(const char *verb, const char *option, const char *text, uint64_t *out)
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

enum { FIRST = 256 }; /* what getopt returns for the first of the table */

static int take(const char *verb, const struct verb_option *o, const char *value)
{
    char shown[64];
    snprintf(shown, sizeof shown, "%s%s", o->letter ? "-" : "--", o->letter ? (char[]){o->letter, 0} : o->name);
    if (o->given)
        *o->given = true;
    switch (o->type) {
    case VERB_FLAG:
        *(bool *)o->to = true;
        return 0;
    case VERB_NUMBER:
        return number(verb, shown, value, o->to) ? 0 : EXIT_USAGE;
    case VERB_TEXT:
        *(const char **)o->to = value;
        return 0;
    case VERB_CALL:
        return o->call(o->to, value);
    }
    return 0;
}

int verb_options(const char *verb, int argc, char **argv, const struct verb_option *table, size_t n,
                 void (*help)(void), int least, int most, const char *operands)
{
    struct option options[VERB_OPTIONS_MAX + 2] = {0};
    char letters[2 * VERB_OPTIONS_MAX + 3] = ":h";
    size_t k = 2;
    int got;
    assert(n <= VERB_OPTIONS_MAX);
    for (size_t i = 0; i < n; i++) {
        bool value = table[i].type != VERB_FLAG;
        options[i] = (struct option){table[i].name, value ? required_argument : no_argument, NULL, FIRST + (int)i};
        if (table[i].letter) {
            letters[k++] = table[i].letter;
            if (value)
                letters[k++] = ':';
        }
    }
    options[n] = (struct option){"help", no_argument, NULL, 'h'};
    optind = 0; /* getopt starts afresh (the program may have used it) */
    opterr = 0;
    while ((got = getopt_long(argc, argv, letters, options, NULL)) != -1) {
        if (got == 'h') {
            help();
            return verb_end(0);
        }
        if (got == '?' || got == ':')
            return bad_option(verb, argv, got, options);
        size_t i = got >= FIRST ? (size_t)(got - FIRST) : 0;
        while (got < FIRST && table[i].letter != got)
            i++;
        int code = take(verb, &table[i], optarg);
        if (code)
            return code;
    }
    int given = argc - optind;
    if (given >= least && given <= most)
        return VERB_GO_ON;
    if (most == 1)
        return verb_usage(verb, given < least ? "which %s?" : "one %s at a time", operands);
    return verb_usage(verb, "it takes %s", operands);
}
