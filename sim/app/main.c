/* mmulab: dispatches to the subcommands; the only file that exits. */
#include "app/cmd_config.h"
#include "app/cmd_run.h"
#include "app/cmd_validate.h"
#include "app/code_hash.h"
#include "app/diff/cmd_diff.h"
#include "app/plot/cmd_plot.h"
#include "app/record/cmd_record.h"
#include "app/result/cmd_stats.h"
#include "app/trace/cmd_trace.h"
#include "app/suggest.h"
#include "app/sweep/cmd_sweep.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct verb {
    const char *name;
    int (*fn)(int argc, char **argv);
    const char *help;
} verbs[] = {
    {"run", cmd_run, "simulate: mmulab run CONFIG [-t TRACE]... [-s KEY=VALUE]... [-o DIR]"},
    {"record", cmd_record, "run a program and write its memory references to a trace: mmulab record -- PROGRAM ARG..."},
    {"sweep", cmd_sweep, "simulate all combinations of some values: mmulab sweep CONFIG [-j N] [--dry-run] [-o DIR]"},
    {"point", cmd_point, "simulate points of a sweep, for schedulers: mmulab point DIR INDEX[-INDEX]"},
    {"status", cmd_status, "how far a sweep is: mmulab status DIR"},
    {"collect", cmd_collect, "write a sweep's tables: mmulab collect DIR"},
    {"plot", cmd_plot, "draw a result: mmulab plot KIND DIR... [-f svg|png|pdf|term]; mmulab plot list"},
    {"trace", cmd_trace, "look at, convert, cut, check and make traces: info print convert slice check gen"},
    {"validate", cmd_validate, "the model against recorded kernels: mmulab validate [--json FILE] PATH..."},
    {"config", cmd_config, "show, check and compare configurations; presets, schema, keys"},
    {"diff", cmd_diff, "compare two results: changed parameters, then statistics; --fail-if for regression tests"},
    {"stats", cmd_stats, "list every statistic; show those of a result"},
};

static void usage(FILE *f)
{
    fprintf(f, "mmulab %s: a cycle-level MMU and memory-hierarchy simulator\n\n"
               "usage: mmulab VERB [ARGUMENT]...\n\n", MMULAB_VERSION);
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        fprintf(f, "  %-8s %s\n", verbs[i].name, verbs[i].help);
    fprintf(f, "\n`mmulab VERB --help` tells the rest. Start here: mmulab run @default -t traces/samples/gzip.mtr -o out\n"
               "Exit codes: 0 success, 1 the simulation failed, 2 usage or configuration error,\n"
               "3 points of a sweep failed, 128 + n ended by signal n.\n");
}

int main(int argc, char **argv)
{
    signal(SIGXFSZ, SIG_IGN); /* a file at its size limit (ulimit -f) is an error like a full disk */
    if (argc < 2) {
        usage(stderr);
        return 2;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
        if (argc > 2 && argv[1][0] == 'h') {
            for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
                if (!strcmp(argv[2], verbs[i].name)) {
                    char *help[] = {argv[2], (char[]){"--help"}, NULL};
                    return verbs[i].fn(2, help);
                }
        }
        usage(stdout);
        return 0;
    }
    if (!strcmp(argv[1], "--version")) {
        printf("mmulab %s (code %s, %s, %s)\n", MMULAB_VERSION, code_hash, MMULAB_COMPILER, MMULAB_BUILD_TYPE);
        return 0;
    }
    const char *names[sizeof verbs / sizeof verbs[0] + 1] = {0};
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (!strcmp(argv[1], verbs[i].name))
            return verbs[i].fn(argc - 1, argv + 1);
        names[i] = verbs[i].name;
    }
    const char *near = suggest(argv[1], names);
    fprintf(stderr, "mmulab: error: unknown verb \"%s\"%s%s%s; see mmulab --help\n", argv[1], near ? ", did you mean \"" : "",
            near ? near : "", near ? "\"?" : "");
    return 2;
}
