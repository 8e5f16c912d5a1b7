/* `mmulab trace gen`: made-up traces of references (traces/gen/gen.h) and of allocator calls (traces/gen/calls.h). */
#include "app/trace/cmd_trace_verbs.h"
#include "config/config.h"
#include "config/units.h"
#include "engine/types.h"
#include "traces/gen/calls.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
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
    case P_TIME:
        unit_format_time(v, buf);
        break;
    case P_ENUM:
        snprintf(buf, 48, "%s", p->names[v]);
        break;
    case P_STR:
        snprintf(buf, 48, "none");
        break;
    default:
        snprintf(buf, 48, "%llu", (unsigned long long)v);
        break;
    }
}

static void print_keys(const struct param *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char def[48];
        default_text(def, &p[i]);
        printf("  %-15s %s", p[i].key, p[i].help);
        if (p[i].type == P_ENUM) {
            printf(";");
            for (unsigned k = 0; p[i].names[k]; k++)
                printf(" %s", p[i].names[k]);
        }
        printf(" (%s)\n", def);
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
    printf("  %-12s calls of a kernel's allocators: COUNT small connection objects, and a few large database blocks\n", "calls");
    printf("\nkeys (default):\n");
    print_keys(trace_gen_params, trace_gen_param_count);
    printf("\nkeys of calls (default); a run makes the same with workload.calls.KEY:\n");
    for (size_t i = 0; i < calls_params_n; i++)
        if (strcmp(calls_params[i].key, "count") != 0 && strcmp(calls_params[i].key, "name") != 0)
            print_keys(&calls_params[i], 1);
    printf("\n  --threads N     number of threads (1; for producer 2: pairs, and a last odd one puts into the first queue); CPUs of calls\n"
           "  --force         write over a FILE that exists\n"
           "  -q, --quiet     say nothing but errors\n");
}

static int put(void *ctx, uint32_t thread, const struct trace_rec *rec, size_t n, struct err *err)
{
    return trace_writer_put(ctx, 0, thread, rec, n, err);
}

struct sets { const char **text; size_t n; }; /* of -s, in order */

static int set(void *sets, const char *value)
{
    struct sets *s = sets;
    s->text[s->n++] = value;
    return 0;
}

static int make_references(const char *kind, uint64_t count, uint32_t threads, const struct sets *sets, struct trace_writer *w,
                           struct err *err)
{
    struct trace_gen_config c;
    trace_gen_defaults(&c);
    for (size_t i = 0; i < sets->n; i++)
        if (trace_gen_set(&c, sets->text[i], err) < 0)
            return -1;
    return trace_gen(kind, count, threads, &c, put, w, err);
}

/* The keys are those of the configuration: they are read and complained of as there. NULL: told. */
static struct config *calls_config(const struct config_schema *schema, uint64_t count, const struct sets *sets)
{
    char keys[64];
    struct err err = {0};
    char **set = calloc(sets->n + 1, sizeof *set);
    struct config *c = NULL;
    struct diag *d = diag_new();
    bool ok = set && asprintf(&set[0], "workload.calls.count=%llu", (unsigned long long)count) > 0;
    for (size_t i = 0; ok && i < sets->n; i++)
        ok = asprintf(&set[i + 1], "workload.calls.%s", sets->text[i]) > 0;
    struct config_request req = {.set = (const char *const *)set, .n_set = sets->n + 1};
    if (ok && config_load(&c, schema, &req, d) < 0) {
        diag_print(d, stderr);
    } else if (ok && calls_check(config_root(c), keys, &err) < 0) {
        verb_error(&err);
        config_free(c);
        c = NULL;
    }
    diag_free(d);
    for (size_t i = 0; set && i <= sets->n; i++)
        free(set[i]);
    free(set);
    return c;
}

static int gen(const char *kind, uint64_t count, uint32_t threads, const struct sets *sets, const char *out, bool quiet)
{
    struct err err = {0};
    struct trace_writer *w;
    bool calls = !strcmp(kind, "calls");
    const struct param_group group = {.path = "workload.calls", .table = calls_params, .n = calls_params_n, .base = 0,
                                      .help = "Made-up calls of the kernel's allocators."};
    const struct config_schema schema = {.title = "calls", .groups = &group, .n = 1, .root_size = sizeof(struct calls_config)};
    struct config *c = calls ? calls_config(&schema, count, sets) : NULL;
    char n[32];
    if (calls && !c)
        return 2;
    if (trace_writer_open(&w, out, &err) < 0) {
        config_free(c);
        return verb_error(&err);
    }
    int rc = calls ? calls_make(config_root(c), threads, put, w, &err)
                   : make_references(kind, count, threads, sets, w, &err);
    config_free(c);
    if (rc < 0) {
        trace_writer_abort(w);
        return verb_error(&err);
    }
    if (verb_close_writer("gen", w, out, quiet, &err) < 0)
        return verb_error(&err);
    if (!quiet)
        fprintf(stderr, "mmulab trace gen: %s %s in %s\n", trace_commas(n, count), calls ? "connections" : "data references", out);
    return verb_end(0);
}

int trace_verb_gen(int argc, char **argv)
{
    struct sets sets = {.text = calloc((size_t)argc + 1, sizeof *sets.text)};
    uint64_t count = 0, threads = 0;
    const char *out = NULL;
    bool force = false, quiet = false, has_threads = false;
    const struct verb_option options[] = {{"count", 'n', VERB_NUMBER, &count, NULL, NULL},
                                          {"output", 'o', VERB_TEXT, &out, NULL, NULL},
                                          {"set", 's', VERB_CALL, &sets, NULL, set},
                                          {"threads", 0, VERB_NUMBER, &threads, &has_threads, NULL},
                                          {"force", 0, VERB_FLAG, &force, NULL, NULL},
                                          {"quiet", 'q', VERB_FLAG, &quiet, NULL, NULL}};
    if (!sets.text)
        return 1;
    struct stat st;
    int code = verb_options("gen", argc, argv, options, ARRAY_LEN(options), help, 1, 1, "kind");
    if (code == VERB_GO_ON) {
        const char *kind = argv[optind];
        if (has_threads && (threads == 0 || threads > UINT32_MAX))
            code = verb_usage("gen", "--threads: at least one thread, and not that many");
        else if (!out || !count)
            code = verb_usage("gen", out ? "how many references (of calls: connections)? give -n COUNT" : "where to? give -o FILE");
        else if (!force && stat(out, &st) == 0 && S_ISREG(st.st_mode))
            code = verb_usage("gen", "%s exists; --force writes over it", out);
        else
            code = gen(kind, count, threads ? (uint32_t)threads : !strcmp(kind, "producer") ? 2 : 1, &sets, out, quiet);
    }
    free(sets.text);
    return code;
}
