#include "app/cmd_run.h"

#include "app/cmd_config.h"
#include "app/cmd_error.h"
#include "app/kernel/kernel_run.h"
#include "app/kernel/kernel_unused.h"
#include "app/simulate.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

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
          "Then: mmulab plot free_blocks DIR; mmulab stats show DIR\n\n"
          "In place of traces of programs: -s workload.kernel.events=FOLDER replays what mmulab record --kernel recorded\n"
          "(docs/kernel-replay.md), -s workload.calls.count=N made-up calls of a kernel's allocators (docs/trace-generators.md).\n", f);
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

static void summary(const struct simulated *r, const char *dir)
{
    struct machine *m = r->machine;
    const char *how = r->end == SIMULATED_INTERRUPTED ? "interrupted" : "done";
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
    if (machine_has_objects(m))
        printf("  %-12s %14" PRIu64 " allocations, %" PRIu64 " frees, %" PRIu64 " alive in %" PRIu64 " pages of slabs\n",
               "objects", stat(m, "slab.allocs"), stat(m, "slab.frees"), stat(m, "slab.objects"), stat(m, "slab.pages"));
    if (machine_calls(m))
        printf("  %-12s %14" PRIu64 " requests of memory, %" PRIu64 " got none; %" PRIu64 " bytes asked for, %" PRIu64 " held\n", "calls",
               stat(m, "calls.allocs"), stat(m, "calls.failures"), stat(m, "calls.live_bytes"), stat(m, "calls.held_bytes"));
    uint64_t left_out = stat(m, "calls_left_out.records");
    if (left_out)
        printf("  %-12s %14" PRIu64 " calls of the kernel's allocators: without an MMU (mmu.enabled) there is no memory to serve them from\n",
               "left out", left_out);
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

/* What the machine refused is told at the value's place, as `config check` tells it. */
static int refused(const struct config *c, const struct err *e)
{
    struct err again;
    if (e->kind != ERR_USAGE || machine_config_try(c, &again) == 0)
        return cmd_error("run", e);
    struct diag *d = diag_new();
    config_explain(c, d, &again);
    diag_print(d, stderr);
    diag_free(d);
    return 2;
}

static int run(const struct options *o, struct config *c, int argc, char **argv)
{
    struct simulation s = {.config = c, .config_path = o->config, .trace = o->trace, .n_trace = o->n_trace, .output = o->output,
                           .label = "run", .quiet = o->quiet, .status = o->status, .argc = argc, .argv = argv};
    struct simulated r;
    if (kernel_wanted(c))
        return kernel_run(&s);
    kernel_tell_unused(c, s.label, stderr);
    const struct sim_config *sim = &((const struct machine_root *)config_root(c))->m.sim;
    int code = 0;
    switch (simulate(&s, &r)) {
    case SIMULATED_NOT:
        code = refused(c, &r.err);
        break;
    case SIMULATED_UNWRITTEN:
        code = cmd_error("run", &r.err);
        break;
    case SIMULATED_PART: {
        char remedy[sizeof r.err.remedy];
        snprintf(remedy, sizeof remedy, "%s", r.err.remedy);
        err_remedy(&r.err, "%.300s%sthe first %" PRIu64 " references were replayed; their results are in %.120s, marked incomplete",
                   remedy, remedy[0] ? "; " : "", machine_references(r.machine), o->output);
        cmd_error("run", &r.err);
        code = 1;
        break;
    }
    case SIMULATED_INTERRUPTED:
        code = 128 + r.sig;
        /* fall through */
    case SIMULATED_WHOLE:
        if (sim->warmup && sim->warmup >= machine_references(r.machine))
            fprintf(stderr, "mmulab run: warning: the warm-up of %" PRIu64 " references was not over when the run ended after %" PRIu64
                            ": nothing was measured\n", sim->warmup, machine_references(r.machine));
        if (!o->quiet)
            summary(&r, o->output);
        if (r.partial[0])
            fprintf(stderr, "mmulab run: warning: %s; what is there was replayed\n", r.partial);
        if (r.end == SIMULATED_WHOLE && !machine_references(r.machine) && !machine_has_objects(r.machine))
            fprintf(stderr, "mmulab run: warning: no reference was replayed: there is none in the traces; a recorded kernel is replayed with "
                            "-s workload.kernel.events=FILE\n");
        break;
    }
    simulated_fini(&r);
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
            code = run(&o, c, argc, argv);
        }
        config_free(c);
        diag_free(d);
    }
    free(o.set);
    free(o.trace);
    return code;
}
