/* `mmulab trace check`: problems on stdout, the verdict in the last line and in the exit status. */
#include "app/trace/cmd_trace_verbs.h"
#include "app/result/json/json_out.h"
#include "engine/types.h"
#include "traces/analysis/check.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

struct reporting {
    const char *path;
    uint64_t most, shown[TRACE_CHECK_KINDS]; /* lines of a kind */
    bool quiet;
};

static void report(void *ctx, const struct trace_problem *p)
{
    struct reporting *r = ctx;
    char n[32];
    if (r->quiet || r->shown[p->kind]++ >= r->most)
        return;
    printf("%s: record %s (thread %u): %s: %s: %s\n", r->path, trace_commas(n, p->record), p->thread,
           trace_check_is_error(p->kind) ? "error" : "warning", trace_check_name(p->kind), p->text);
}

static void help(void)
{
    printf("usage: mmulab trace check [--max N] [--json] [--format NAME] FILE\n\n"
           "Reads the whole trace and tells what cannot be right, with record numbers (from 0, as `print` "
           "has them).\n"
           "Exit status 1 if there is an error or the file is broken, 0 with warnings only.\n\n"
           "  --max N        at most N lines for each kind of problem (default 10); all are counted\n"
           "  --json         only the counts, as JSON\n"
           "  --format NAME  do not guess the form\n\n");
    for (enum trace_check_kind k = 0; k < TRACE_CHECK_KINDS; k++)
        printf("  %-8s %-13s %s\n", trace_check_is_error(k) ? "error" : "warning", trace_check_name(k),
               trace_check_help(k));
}

static void print_json(const char *path, const struct trace_check *c, bool whole, uint64_t errors,
                       uint64_t warnings)
{
    struct json_out j;
    json_out_init(&j, stdout, false);
    json_begin_object(&j, NULL);
    json_str(&j, "file", path);
    json_bool(&j, "complete", whole);
    json_u64(&j, "records", trace_check_records(c));
    json_u64(&j, "errors", errors);
    json_u64(&j, "warnings", warnings);
    json_begin_object(&j, "problems");
    for (enum trace_check_kind k = 0; k < TRACE_CHECK_KINDS; k++)
        if (trace_check_count(c, k))
            json_u64(&j, trace_check_name(k), trace_check_count(c, k));
    json_end(&j);
    json_end_document(&j);
}

int trace_verb_check(int argc, char **argv)
{
    struct trace_options opt = {.ahead = true};
    struct reporting r = {.most = 10};
    const struct verb_option options[] = {{"max", 0, VERB_NUMBER, &r.most, NULL, NULL},
                                          {"json", 0, VERB_FLAG, &r.quiet, NULL, NULL},
                                          {"format", 0, VERB_TEXT, &opt.format, NULL, NULL}};
    int got = verb_options("check", argc, argv, options, ARRAY_LEN(options), help, 1, 1, "trace");
    if (got != VERB_GO_ON)
        return got;
    r.path = argv[optind];
    struct err err = {0};
    struct trace *t;
    struct trace_check *c;
    struct trace_batch b;
    if (trace_open(&t, r.path, &opt, &err) < 0)
        return verb_error(&err);
    if (trace_check_new(&c, report, &r, &err) < 0) {
        trace_close(t);
        return verb_error(&err);
    }
    while ((got = trace_next(t, &b, &err)) > 0)
        if (trace_check_batch(c, &b, &err) < 0) {
            got = -1;
            break;
        }
    uint64_t errors = got < 0, warnings = 0;
    for (enum trace_check_kind k = 0; k < TRACE_CHECK_KINDS; k++) {
        uint64_t n = trace_check_count(c, k);
        *(trace_check_is_error(k) ? &errors : &warnings) += n;
        if (!r.quiet && n > r.most)
            printf("%s: %s: %llu in all, %llu shown\n", r.path, trace_check_name(k), (unsigned long long)n,
                   (unsigned long long)r.most);
    }
    struct trace_info ti;
    trace_get_info(t, &ti);
    int code = errors ? 1 : 0;
    if (got == 0 && ti.incomplete) {
        warnings++;
        if (!r.quiet)
            printf("%s: warning: %s; what is there was checked\n", r.path, ti.why);
    }
    if (got < 0)
        verb_broken(&err, trace_check_records(c));
    if (r.quiet) {
        print_json(r.path, c, got == 0 && !ti.incomplete, errors, warnings);
    } else {
        char n[32], e[32], w[32];
        printf("%s: %s records, %s errors, %s warnings\n", r.path, trace_commas(n, trace_check_records(c)),
               trace_commas(e, errors), trace_commas(w, warnings));
    }
    trace_check_free(c);
    trace_close(t);
    return verb_end(code);
}
