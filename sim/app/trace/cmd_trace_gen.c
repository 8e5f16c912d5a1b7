/* `mmulab trace gen`: made-up traces (traces/gen/gen.h). */
#include "app/trace/cmd_trace_verbs.h"
#include "engine/types.h"
#include "traces/gen/gen.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static void default_text(char buf[48], const struct param *p)
{
    static const char *const unit[] = {"B", "KiB", "MiB", "GiB"};
    uint64_t v = p->def;
    unsigned u = 0;
    switch (p->type) {
    case P_F64:
        snprintf(buf, 48, "%g", p->def_f);
        break;
    case P_BOOL:
        snprintf(buf, 48, "%s", v ? "true" : "false");
        break;
    case P_ADDR:
        snprintf(buf, 48, "0x%llx", (unsigned long long)v);
        break;
    case P_SIZE:
        for (; v && v % 1024 == 0 && u < 3; u++)
            v /= 1024;
        snprintf(buf, 48, "%llu%s", (unsigned long long)v, unit[u]);
        break;
    default:
        snprintf(buf, 48, "%llu", (unsigned long long)v);
        break;
    }
}

static void help(void)
{
    printf("usage: mmulab trace gen KIND -n COUNT -o FILE [-s KEY=VALUE]... [--threads N] [--force]\n\n"
           "Writes a trace of COUNT data references (instruction fetches come on top) to a .mtr, .mtt or "
           ".txt file, or as text\n"
           "to stdout (-). The same options give the same file.\n\nkinds:\n");
    for (unsigned i = 0; trace_gen_kind_name(i); i++)
        printf("  %-12s %s\n", trace_gen_kind_name(i), trace_gen_kind_help(i));
    printf("\nkeys (default):\n");
    for (size_t i = 0; i < trace_gen_param_count; i++) {
        char def[48];
        default_text(def, &trace_gen_params[i]);
        printf("  %-15s %s (%s)\n", trace_gen_params[i].key, trace_gen_params[i].help, def);
    }
    printf("\n  --threads N     number of threads (1; for producer 2)\n"
           "  --force         write over a FILE that exists\n"
           "  -q, --quiet     say nothing but errors\n");
}

static int put(void *ctx, uint32_t thread, const struct trace_rec *rec, size_t n, struct err *err)
{
    return trace_writer_put(ctx, 0, thread, rec, n, err);
}

static int set(void *config, const char *value)
{
    struct err err = {0};
    return trace_gen_set(config, value, &err) < 0 ? verb_error(&err) : 0;
}

int trace_verb_gen(int argc, char **argv)
{
    struct trace_gen_config c;
    struct err err = {0};
    uint64_t count = 0, threads = 0;
    const char *out = NULL;
    bool force = false, quiet = false, has_threads = false;
    const struct verb_option options[] = {{"count", 'n', VERB_NUMBER, &count, NULL, NULL},
                                          {"output", 'o', VERB_TEXT, &out, NULL, NULL},
                                          {"set", 's', VERB_CALL, &c, NULL, set},
                                          {"threads", 0, VERB_NUMBER, &threads, &has_threads, NULL},
                                          {"force", 0, VERB_FLAG, &force, NULL, NULL},
                                          {"quiet", 'q', VERB_FLAG, &quiet, NULL, NULL}};
    trace_gen_defaults(&c);
    int got = verb_options("gen", argc, argv, options, ARRAY_LEN(options), help, 1, 1, "kind");
    if (got != VERB_GO_ON)
        return got;
    if (has_threads && (threads == 0 || threads > UINT32_MAX))
        return verb_usage("gen", "--threads: at least one thread, and not that many");
    if (!out || !count)
        return verb_usage("gen", out ? "how many references? give -n COUNT" : "where to? give -o FILE");
    struct stat st;
    if (!force && stat(out, &st) == 0 && S_ISREG(st.st_mode))
        return verb_usage("gen", "%s exists; --force writes over it", out);
    const char *kind = argv[optind];
    if (!threads)
        threads = !strcmp(kind, "producer") ? 2 : 1;
    struct trace_writer *w;
    if (trace_writer_open(&w, out, &err) < 0)
        return verb_error(&err);
    if (trace_gen(kind, count, (uint32_t)threads, &c, put, w, &err) < 0) {
        trace_writer_abort(w);
        return verb_error(&err);
    }
    if (verb_close_writer("gen", w, out, quiet, &err) < 0)
        return verb_error(&err);
    char n[32];
    if (!quiet)
        fprintf(stderr, "mmulab trace gen: %s data references in %s\n", trace_commas(n, count), out);
    return verb_end(0);
}
