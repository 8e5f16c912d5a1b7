#include "app/cmd_run.h"

#include "app/cmd_config.h"
#include "app/cmd_error.h"
#include "app/progress.h"
#include "app/result/result.h"
#include "app/result/run_columns.h"
#include "app/workload.h"

#include "frames/fragmentation.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLE_CYCLES_MIN = 256 }; /* samples clip the window: not more often than this in timed mode */

struct run {
    struct machine *m;
    struct series *series;
    struct result *result;
    struct progress progress;
    unsigned skip;  /* calls until the clock is looked at again */
    uint64_t events;
};

static void help(FILE *f)
{
    fputs("usage: mmulab run CONFIG [-t TRACE]... [-s KEY=VALUE]... [-o DIR]\n\n"
          "Simulates one machine replaying the traces and writes a result folder.\n\n"
          "CONFIG is a file, a built-in preset (@name; mmulab config presets lists them) or left out: the default machine.\n\n"
          "  -t, --trace TRACE     replay this trace; several run as processes side by side. Forms are recognised by content\n"
          "  -s, --set KEY=VALUE   override a configuration value (mmulab config keys lists them)\n"
          "  -o, --output DIR      the result folder (default: mmulab-out)\n"
          "  -q, --quiet           no progress, no summary\n"
          "      --status SECONDS  a line of progress every so often when stderr is no terminal\n"
          "      --check           the expensive checks, as -s sim.checks=true\n"
          "  -h, --help            this page\n\n"
          "Ctrl-C ends the run; what is there is written and marked. SIGUSR1 prints a line of progress.\n"
          "Then: mmulab plot free_blocks DIR; mmulab stats show DIR\n", f);
}

/* ---- hooks ---- */

static void on_sample(void *self, struct machine *m)
{
    struct run *r = self;
    uint64_t refs = machine_references(m), cycles = machine_time(m) / cpu_period_ps(&machine_cfg(m)->cpu);
    if (series_due(r->series, refs))
        series_sample(r->series, refs);
    uint64_t left = r->series->next > refs ? r->series->next - refs : 1;
    /* Several timed cores are sampled by cycles: as many as the wanted references took so far. */
    if (machine_cfg(m)->sim.mode == SIM_MODE_TIMED && machine_cfg(m)->cpu.count > 1) {
        if (refs)
            left = (uint64_t)((double)left * ((double)cycles / (double)refs));
        if (left < SAMPLE_CYCLES_MIN)
            left = SAMPLE_CYCLES_MIN;
    }
    machine_set_sample_interval(m, left);
}

static void on_event(void *self, const struct machine_event *e)
{
    struct run *r = self;
    struct json_out *j = result_event(r->result, e->time, e->kind);
    json_u64(j, "references", e->references);
    json_u64(j, "instructions", e->instructions);
    json_u64(j, "core", e->core);
    json_u64(j, "process", e->process);
    if (e->va)
        json_hex(j, "va", e->va);
    json_u64(j, "resident_pages", e->pages);
    result_event_end(r->result);
    r->events++;
}

static bool on_interrupted(void *self)
{
    struct run *r = self;
    if (r->skip--)
        return false;
    r->skip = machine_cfg(r->m)->sim.mode == SIM_MODE_TIMED ? 4096 : 0;
    progress_update(&r->progress, machine_references_now(r->m), machine_time(r->m));
    return progress_interrupted() != 0;
}

/* ---- result ---- */

static int write_config(FILE *f, void *ctx, struct err *err)
{
    return config_write_json(ctx, f) < 0 ? err_set(err, ERR_RUN, "cannot write the configuration") : 0;
}

static int write_buddyinfo(FILE *f, void *ctx, struct err *err)
{
    (void)err;
    frames_print_buddyinfo(machine_frames(ctx), f);
    return 0;
}

static int write_pagetypeinfo(FILE *f, void *ctx, struct err *err)
{
    (void)err;
    frames_print_pagetypeinfo(machine_frames(ctx), f);
    return 0;
}

static int write_unusable(FILE *f, void *ctx, struct err *err)
{
    (void)err;
    frames_print_unusable_index(machine_frames(ctx), f);
    return 0;
}

static int write_extfrag(FILE *f, void *ctx, struct err *err)
{
    (void)err;
    frames_print_extfrag_index(machine_frames(ctx), f);
    return 0;
}

static int write_result(struct run *r, struct config *c, const struct result_run *rr, const struct result_host *host,
                        struct err *err)
{
    series_finish(r->series, machine_references(r->m));
    if (result_write(r->result, "config.json", write_config, c, err) < 0 ||
        result_write(r->result, "proc/buddyinfo", write_buddyinfo, r->m, err) < 0 ||
        result_write(r->result, "proc/pagetypeinfo", write_pagetypeinfo, r->m, err) < 0 ||
        result_write(r->result, "proc/unusable_index", write_unusable, r->m, err) < 0 ||
        result_write(r->result, "proc/extfrag_index", write_extfrag, r->m, err) < 0 ||
        result_write_series(r->result, r->series, err) < 0 ||
        result_write_stats(r->result, rr, machine_stats(r->m), r->series, err) < 0 ||
        result_write_host(r->result, host, err) < 0)
        return -1;
    return result_commit(r->result, err);
}

/* ---- summary ---- */

static uint64_t stat(struct machine *m, const char *name)
{
    uint64_t v = 0;
    stats_find(machine_stats(m), name, &v);
    return v;
}

static double percent(uint64_t part, uint64_t whole) { return whole ? 100.0 * (double)part / (double)whole : 0; }

static void misses(struct machine *m, const char *label, const char *path)
{
    char a[64], b[64];
    snprintf(a, sizeof a, "%s.accesses", path);
    snprintf(b, sizeof b, "%s.misses", path);
    uint64_t n = stat(m, a), x = stat(m, b);
    if (n)
        printf("  %-12s %14" PRIu64 " accesses %12" PRIu64 " misses  %6.3f %%\n", label, n, x, percent(x, n));
}

static void summary(struct run *r, const char *dir, const char *how)
{
    struct machine *m = r->m;
    bool timed = machine_cfg(m)->sim.mode == SIM_MODE_TIMED;
    uint64_t instructions = stat(m, "sim.instructions"), cycles = stat(m, "sim.cycles");
    printf("%s: %" PRIu64 " references, %" PRIu64 " instructions", how, machine_references(m), instructions);
    if (timed)
        printf(", %" PRIu64 " cycles (%.3f ms), IPC %.3f", cycles, (double)machine_time(m) / 1e9,
               cycles ? (double)instructions / (double)cycles : 0);
    printf("\n");
    for (unsigned k = 0; k < machine_cfg(m)->cpu.count && k < 4; k++) {
        static const char *const part[] = {"itlb", "dtlb", "stlb", "l1i", "l1d", "l2"};
        char path[32];
        for (size_t i = 0; i < ARRAY_LEN(part); i++) {
            snprintf(path, sizeof path, "cpu%u.%s", k, part[i]);
            misses(m, path, path);
        }
        snprintf(path, sizeof path, "cpu%u.walker", k);
        char name[64];
        snprintf(name, sizeof name, "%s.walks", path);
        uint64_t walks = stat(m, name);
        snprintf(name, sizeof name, "%s.cycles", path);
        if (walks && timed)
            printf("  %-12s %14" PRIu64 " walks, %.1f cycles each\n", path, walks, (double)stat(m, name) / (double)walks);
        else if (walks)
            printf("  %-12s %14" PRIu64 " walks\n", path, walks);
    }
    misses(m, "llc", "llc");
    printf("  %-12s %14" PRIu64 " reads %15" PRIu64 " writes\n", "dram", stat(m, "dram.reads"), stat(m, "dram.writes"));
    printf("  %-12s %14" PRIu64 " minor, %" PRIu64 " splits and %" PRIu64 " merges of the buddy allocator\n", "page faults",
           stat(m, "vm.faults_minor"), stat(m, "buddy.splits"), stat(m, "buddy.merges"));
    uint64_t oom = stat(m, "oom.kills"), segv = stat(m, "vm.segfaults"), dropped = 0;
    for (unsigned k = 0; k < machine_cfg(m)->cpu.count; k++) {
        char name[32];
        snprintf(name, sizeof name, "cpu%u.dropped", k);
        dropped += stat(m, name);
    }
    if (oom || segv)
        printf("  %-12s %14" PRIu64 " processes killed, %" PRIu64 " of them for want of memory; %" PRIu64
               " references of theirs were not replayed\n", "KILLED", oom + segv, oom, dropped);
    if (r->events)
        printf("  %-12s %14" PRIu64 " (see events.jsonl)\n", "events", r->events);
    if (machine_cfg(m)->sim.warmup)
        printf("all of this includes the warm-up; the measured part alone: mmulab stats show %s\n", dir);
    printf("result: %s\n", dir);
}

/* ---- the verb ---- */

struct options {
    const char *config, *output;
    const char **set;
    struct workload_trace *trace;
    size_t n_set, n_trace;
    bool quiet;
    unsigned status;
};

static int usage_error(const char *fmt, const char *what)
{
    fprintf(stderr, "mmulab run: error: ");
    fprintf(stderr, fmt, what); /* NOLINT: both formats are this file's */
    fprintf(stderr, "; see mmulab run --help\n");
    return 2;
}

static int parse(int argc, char **argv, struct options *o)
{
    static const struct option longs[] = {
        {"trace", required_argument, NULL, 't'}, {"set", required_argument, NULL, 's'},
        {"output", required_argument, NULL, 'o'}, {"quiet", no_argument, NULL, 'q'},
        {"status", required_argument, NULL, 1}, {"check", no_argument, NULL, 2},
        {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    int c;
    opterr = 0;
    optind = 0;
    while ((c = getopt_long(argc, argv, ":t:s:o:qh", longs, NULL)) != -1) {
        switch (c) {
        case 't':
            o->trace[o->n_trace++] = (struct workload_trace){.path = optarg, .core = -1};
            break;
        case 's':
            o->set[o->n_set++] = optarg;
            break;
        case 2:
            o->set[o->n_set++] = "sim.checks=true";
            break;
        case 'o':
            o->output = optarg;
            break;
        case 'q':
            o->quiet = true;
            break;
        case 1: {
            char *end;
            unsigned long v = strtoul(optarg, &end, 10);
            if (*end || end == optarg || v > 86400)
                return usage_error("--status takes whole seconds, not \"%s\"", optarg);
            o->status = (unsigned)v;
            break;
        }
        case 'h':
            help(stdout);
            return 0;
        case ':':
            return usage_error("option \"%s\" needs a value", argv[optind - 1]);
        default:
            return usage_error("unknown option \"%s\"", argv[optind - 1]);
        }
    }
    if (optind < argc)
        o->config = argv[optind++];
    if (optind < argc)
        return usage_error("only one CONFIG can be given, and \"%s\" is left over (traces go behind -t)", argv[optind]);
    return -1;
}

static const char *ended_how(enum machine_end end, const struct err *e, int sig, char *buf, size_t size)
{
    switch (end) {
    case MACHINE_END_TRACE:
        return "end of trace";
    case MACHINE_END_LIMIT:
        return "limit";
    case MACHINE_END_INTERRUPTED:
        snprintf(buf, size, "interrupted by signal %d", sig);
        return buf;
    default: { /* without the folder: results do not depend on where the trace lies */
        struct err plain = *e;
        const char *slash = strrchr(plain.file, '/');
        if (slash)
            memmove(plain.file, slash + 1, strlen(slash));
        return err_format(&plain, buf, size);
    }
    }
}

static int simulate(struct options *o, struct config *c, int argc, char **argv)
{
    const struct machine_root *root = config_root(c);
    struct run r = {0};
    struct workload *w = NULL;
    struct err err = {0};
    size_t n = root->workload.processes.n;
    struct workload_trace *t = calloc(n + o->n_trace + 1, sizeof *t);
    const char **inputs = calloc(n + o->n_trace + 2, sizeof *inputs);
    int code = 1;
    if (!t || !inputs) {
        err_set(&err, ERR_RUN, "out of host memory");
        goto fail;
    }
    const struct workload_process *p = root->workload.processes.o;
    size_t n_inputs = 0;
    if (o->config && o->config[0] != '@')
        inputs[n_inputs++] = o->config;
    for (size_t i = 0; i < n; i++)
        t[i] = (struct workload_trace){.path = p[i].trace, .core = p[i].core};
    for (size_t i = 0; i < o->n_trace; i++)
        t[n++] = o->trace[i];
    for (size_t i = 0; i < n; i++)
        inputs[n_inputs++] = t[i].path;
    for (size_t i = 0; i < n; i++)
        if (t[i].core >= (int64_t)root->m.cpu.count) {
            err_set(&err, ERR_USAGE, "workload.processes[%zu].core is %lld, but cpu.count is %u", i, (long long)t[i].core,
                    root->m.cpu.count);
            err_remedy(&err, "cores are numbered from 0; -1 leaves the choice");
            goto fail;
        }
    if (n == 0) {
        err_set(&err, ERR_USAGE, "there is nothing to replay");
        err_remedy(&err, "name a trace with -t, for instance -t traces/samples/gzip.mtr, or in workload.processes");
        goto fail;
    }
    if (machine_new(&r.m, &root->m, &err) < 0 ||
        workload_new(&w, t, n, root->m.cpu.count, true, &err) < 0 ||
        result_open(&r.result, o->output, &err) < 0 ||
        series_new(&r.series, root->m.sim.interval, &err) < 0)
        goto fail;
    workload_attach(w, r.m);
    run_add_columns(r.series, r.m);
    struct machine_hooks hooks = {.self = &r, .event = on_event, .sample = on_sample, .interrupted = on_interrupted};
    machine_set_hooks(r.m, &hooks);
    progress_signals_install();
    uint64_t total = workload_references(w);
    if (root->m.sim.limit && (!total || root->m.sim.limit < total))
        total = root->m.sim.limit;
    /* A length known beforehand gives the rows' distance at once; else it doubles while the run goes on. */
    if (!root->m.sim.interval && total > SERIES_ROWS_MAX)
        r.series->interval = r.series->next = total / (SERIES_ROWS_MAX / 2);
    progress_start(&r.progress, stderr, "run", o->quiet ? 0 : total, o->status);
    if (o->quiet)
        r.progress.tty = false;
    enum machine_end end = machine_run(r.m, &err);
    uint64_t wall = progress_wall_ns(&r.progress);
    progress_end(&r.progress);

    char reason[2400], hash[1024], config_digest[CONFIG_HASH_BUF];
    int sig = progress_interrupted();
    config_hash(c, config_digest);
    struct result_run rr = {.version = MMULAB_VERSION, .config_hash = config_digest,
                            .trace_hash = workload_hash(w, hash, sizeof hash), .seed = root->m.sim.seed,
                            .complete = end == MACHINE_END_TRACE || end == MACHINE_END_LIMIT,
                            .reason = ended_how(end, &err, sig, reason, sizeof reason)};
    struct result_host host = {.argc = argc, .argv = argv, .wall_ns = wall, .references = machine_references(r.m),
                               .version = MMULAB_VERSION, .inputs = inputs, .n_inputs = n_inputs};
    struct err werr;
    if (write_result(&r, c, &rr, &host, &werr) < 0) {
        cmd_error("run", &werr);
        code = 1;
        goto done;
    }
    if (end == MACHINE_END_ERROR) {
        char remedy[sizeof err.remedy];
        snprintf(remedy, sizeof remedy, "%s", err.remedy);
        err_remedy(&err, "%.300s%sthe first %" PRIu64 " references were replayed; their results are in %.120s, marked incomplete", remedy,
                   remedy[0] ? "; " : "", machine_references(r.m), o->output);
        code = cmd_error("run", &err);
        code = code == 2 ? 1 : code;
    } else {
        if (root->m.sim.warmup && root->m.sim.warmup >= machine_references(r.m))
            fprintf(stderr, "mmulab run: warning: the warm-up of %" PRIu64 " references was not over when the run ended after %" PRIu64
                            ": nothing was measured\n", root->m.sim.warmup, machine_references(r.m));
        if (!o->quiet)
            summary(&r, o->output, end == MACHINE_END_INTERRUPTED ? "interrupted" : "done");
        code = end == MACHINE_END_INTERRUPTED ? 128 + sig : 0;
    }
    goto done;
fail:
    code = cmd_error("run", &err);
done:
    result_free(r.result);
    series_free(r.series);
    machine_free(r.m);
    workload_free(w);
    free(t);
    free(inputs);
    return code;
}

int cmd_run(int argc, char **argv)
{
    struct options o = {.output = "mmulab-out"};
    o.set = calloc((size_t)argc + 1, sizeof *o.set);
    o.trace = calloc((size_t)argc + 1, sizeof *o.trace);
    int code = 1;
    if (o.set && o.trace && (code = parse(argc, argv, &o)) < 0) {
        struct diag *d = diag_new();
        struct config *c = NULL;
        struct config_request req = {.path = o.config, .set = o.set, .n_set = o.n_set};
        if (config_load(&c, machine_config_schema(), &req, d) < 0) {
            diag_print(d, stderr);
            if (o.config && o.config[0] != '@' && !strstr(o.config, ".json"))
                fprintf(stderr, "mmulab run: \"%s\" was read as a configuration; a trace goes behind -t\n", o.config);
            code = 2;
        } else {
            code = simulate(&o, c, argc, argv);
        }
        config_free(c);
        diag_free(d);
    }
    free(o.set);
    free(o.trace);
    return code;
}
