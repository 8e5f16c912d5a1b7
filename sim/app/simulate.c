#include "app/simulate.h"

#include "app/checkpoint/checkpoint.h"
#include "app/cmd_config.h"
#include "app/decoded.h"
#include "app/machine_start.h"
#include "app/progress.h"
#include "app/result/aged.h"
#include "app/result/series/memory_series.h"
#include "app/result/findings.h"
#include "app/result/marks.h"
#include "app/result/proc_files.h"
#include "app/result/result.h"
#include "app/result/series/run_columns.h"

#include "traces/io/share.h"

#include <stdlib.h>
#include <string.h>

enum { SAMPLE_CYCLES_MIN = 256 }; /* samples clip the window: not more often than this in timed mode */

struct run {
    struct machine *m;
    struct workload *workload;
    struct series *series;
    struct memory_series *memory;
    struct result *result;
    struct progress progress;
    unsigned skip; /* calls until the clock is looked at again */
    uint64_t events;
    struct marks marks;
    bool page_users;
    enum checkpoint_how warm;
    struct workload_trace *trace; /* of the configuration, then those added */
    size_t n_trace;
    const char **input; /* files, for host.json */
    size_t n_input;
};

/* ---- hooks ---- */

static void on_sample(void *self, struct machine *m)
{
    struct run *r = self;
    uint64_t refs = machine_references(m), cycles = machine_time(m) / cpu_period_ps(&machine_cfg(m)->cpu);
    if (series_due(r->series, refs))
        series_sample(r->series, refs);
    if (memory_series_due(r->memory, refs))
        memory_series_sample(r->memory, refs, machine_time(m));
    uint64_t left = r->series->next > refs ? r->series->next - refs : 1;
    /* Several timed cores are sampled by cycles: as many as the wanted references took so far. */
    if (machine_cfg(m)->sim.mode == SIM_MODE_TIMED && machine_cfg(m)->cpu.count > 1 &&
        (machine_in_time(m) || !machine_has_functional_warm_up(m))) {
        uint64_t timed = refs - machine_untimed_references(m);
        if (timed)
            left = (uint64_t)((double)left * ((double)cycles / (double)timed));
        if (left < SAMPLE_CYCLES_MIN)
            left = SAMPLE_CYCLES_MIN;
    }
    machine_set_sample_interval(m, left);
}

static void on_event(void *self, const struct machine_event *e)
{
    struct run *r = self;
    struct json_out *j = result_event(r->result, e->time, e->kind);
    if (e->aged) {
        aged_write(j, e->aged);
        result_event_end(r->result);
        r->events++;
        return;
    }
    json_u64(j, "references", e->references);
    json_u64(j, "instructions", e->instructions);
    json_u64(j, "core", e->core);
    json_u64(j, "process", e->process);
    if (e->va)
        json_hex(j, "va", e->va);
    if (e->slab)
        finding_write(j, e->slab);
    else
        json_u64(j, "resident_pages", e->pages);
    result_event_end(r->result);
    r->events++;
}

static struct proc_source proc_of(const struct run *r)
{
    const struct slab_calls *calls = machine_calls(r->m);
    const struct vmalloc *v = calls ? slab_calls_vmalloc(calls) : NULL;
    return (struct proc_source){.map = machine_frames(r->m), .slab = machine_has_objects(r->m) ? machine_slab(r->m) : NULL,
                                .gigantic = machine_vm(r->m) ? machine_vm(r->m)->config.gigantic_pages : 0,
                                .vmalloc_bytes = machine_cfg(r->m)->slab.vmalloc.bytes,
                                .vmalloc = v && slab_vmalloc_stats(v)->allocs ? v : NULL,
                                .users = r->page_users ? r->m : NULL};
}

/* The files of proc/ as they are at a MARK of the trace, below its text or, where it has none, its number. */
static void on_mark(void *self, struct machine *m, uint64_t number, const char *text)
{
    struct run *r = self;
    struct proc_source source = proc_of(r);
    (void)m;
    marks_write(&r->marks, r->result, &source, number, text);
}

static bool on_interrupted(void *self)
{
    struct run *r = self;
    if (r->skip--)
        return false;
    r->skip = machine_in_time(r->m) ? 4096 : 0;
    progress_update(&r->progress, machine_references_now(r->m), machine_time(r->m));
    return progress_interrupted() != 0;
}

/* ---- result ---- */

static int write_config(FILE *f, void *ctx, struct err *err)
{
    return config_write_json(ctx, f) < 0 ? err_set(err, ERR_RUN, "cannot write the configuration") : 0;
}

static int write_result(struct run *r, struct config *c, const struct result_run *rr, const struct result_host *host,
                        struct err *err)
{
    series_finish(r->series, machine_references(r->m));
    memory_series_finish(r->memory, machine_references(r->m), machine_time(r->m));
    if (marks_finish(&r->marks, r->result, machine_time(r->m), &r->events, err) < 0)
        return -1;
    struct proc_source source = proc_of(r);
    if (result_write(r->result, "config.json", write_config, c, err) < 0 ||
        proc_files_write(r->result, "proc", &source, err) < 0 ||
        result_write_series(r->result, "series.csv", r->series, err) < 0 ||
        memory_series_write(r->memory, r->result, err) < 0 ||
        result_write_stats(r->result, rr, machine_stats(r->m), r->series, err) < 0 ||
        result_write_host(r->result, host, err) < 0)
        return -1;
    return result_commit(r->result, err);
}

/* ---- one simulation ---- */

char *simulated_reason(const struct err *e, char *buf, size_t size)
{
    struct err plain = *e;
    const char *slash = strrchr(plain.file, '/');
    if (slash)
        memmove(plain.file, slash + 1, strlen(slash));
    return err_format(&plain, buf, size);
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
    default:
        return simulated_reason(e, buf, size);
    }
}

/* The traces of the configuration and those added to it. */
static int list_traces(struct run *r, const struct simulation *s, const struct machine_root *root, struct err *err)
{
    const struct workload_process *p = root->workload.processes.o;
    size_t named = root->workload.processes.n, n = named + s->n_trace;
    r->trace = calloc(n + 1, sizeof *r->trace);
    r->input = calloc(n + 2, sizeof *r->input);
    if (!r->trace || !r->input)
        return err_set(err, ERR_RUN, "out of host memory");
    if (s->config_path && s->config_path[0] != '@')
        r->input[r->n_input++] = s->config_path;
    r->n_trace = n;
    for (size_t i = 0; i < n; i++) {
        r->trace[i] = i < named ? (struct workload_trace){.path = p[i].trace, .core = p[i].core} : s->trace[i - named];
        r->trace[i].share = s->share;
        r->input[r->n_input++] = r->trace[i].path;
        if (s->decoded) {
            char *mtr;
            if (decoded_share(s->decoded, r->trace[i].path, &mtr, err) < 0)
                return -1;
            r->trace[i].decoded = mtr;
        }
        if (r->trace[i].core >= (int64_t)root->m.cpu.count) {
            err_set(err, ERR_USAGE, "workload.processes[%zu].core is %lld, but cpu.count is %u", i,
                    (long long)r->trace[i].core, root->m.cpu.count);
            return err_remedy(err, "cores are numbered from 0; -1 leaves the choice");
        }
    }
    if (n)
        return 0;
    err_set(err, ERR_USAGE, "there is nothing to replay");
    return err_remedy(err, "name a trace with -t, for instance -t traces/samples/gzip.mtr, or in workload.processes");
}

static int prepare(struct run *r, const struct simulation *s, const struct machine_root *root, struct err *err)
{
    if (list_traces(r, s, root, err) < 0 || machine_start(&r->m, &root->m, err) < 0 ||
        workload_new(&r->workload, r->trace, r->n_trace, root->m.cpu.count, !s->inline_decoding, err) < 0 ||
        series_new(&r->series, root->m.sim.interval, err) < 0 ||
        memory_series_new(&r->memory, machine_frames(r->m), root->output.memory_rows, err) < 0)
        return -1;
    r->page_users = root->output.page_users;
    workload_attach(r->workload, r->m);
    run_add_columns(r->series, r->m);
    struct machine_hooks hooks = {.self = r, .event = on_event, .sample = on_sample, .mark = on_mark, .interrupted = on_interrupted};
    machine_set_hooks(r->m, &hooks);
    progress_signals_install();
    return 0;
}

static void start_progress(struct run *r, const struct simulation *s, const struct machine_root *root)
{
    uint64_t total = workload_references(r->workload);
    if (root->m.sim.limit && (!total || root->m.sim.limit < total))
        total = root->m.sim.limit;
    /* A length known beforehand gives the rows' distance at once; else it doubles while the run goes on. */
    if (!root->m.sim.interval && total > SERIES_ROWS_MAX)
        r->series->interval = total / (SERIES_ROWS_MAX / 2); /* `next` is still 0: the start is a row */
    if (root->output.memory_rows) {
        /* A walk takes some 10 ns a pageblock, a functional reference as long: in large memory rows are apart enough that
         * walks stay a few per cent of the run. */
        enum { LARGE_BLOCKS = 2048, REFERENCES_A_BLOCK = 32 };
        const struct frame_map *map = machine_frames(r->m);
        uint64_t blocks = map->n_frames >> map->pageblock_order, wanted = total / root->output.memory_rows;
        uint64_t least = blocks >= LARGE_BLOCKS ? blocks * REFERENCES_A_BLOCK : 0;
        memory_series_interval(r->memory, wanted > least ? wanted : least);
    }
    progress_start(&r->progress, stderr, s->label, s->quiet ? 0 : total, s->status);
    if (s->quiet)
        r->progress.tty = false;
}

static int finish(struct run *r, const struct simulation *s, enum machine_end end, int sig, const struct err *err,
                  struct err *werr)
{
    static const char *const warm_names[] = {"simulated", "saved", "loaded", "simulated"}; /* enum checkpoint_how */
    const struct machine_root *root = config_root(s->config);
    char reason[2400], hash[1024], config_digest[CONFIG_HASH_BUF];
    if (config_hash(s->config, config_digest) < 0)
        return err_set(werr, ERR_RUN, "out of host memory");
    struct result_run rr = {.version = MMULAB_VERSION, .config_hash = config_digest,
                            .trace_hash = workload_hash(r->workload, hash, sizeof hash), .seed = root->m.sim.seed,
                            .complete = end == MACHINE_END_TRACE || end == MACHINE_END_LIMIT,
                            .reason = ended_how(end, err, sig, reason, sizeof reason)};
    /* Not the time in which others had their turn, but a part of the decoding that was done for all. */
    int64_t wall_ns = (int64_t)progress_wall_ns(&r->progress) - (s->share ? trace_share_waited_ns(s->share) : 0);
    struct result_host host = {.argc = s->argc, .argv = s->argv, .wall_ns = wall_ns > 0 ? (uint64_t)wall_ns : 0,
                               .references = machine_references(r->m), .version = MMULAB_VERSION, .inputs = r->input,
                               .n_inputs = r->n_input, .shared_decoding = s->share && trace_share_taken(s->share),
                               .warm_up = root->m.sim.warmup ? warm_names[r->warm] : NULL};
    return write_result(r, s->config, &rr, &host, werr);
}

static bool on_wait(void) { return progress_interrupted() != 0; }

/* The warm-up from a file, or into it, if the configuration or the caller names one. */
static int warm_up(struct run *r, const struct simulation *s, const struct machine_root *root, struct err *err)
{
    const char *named = root->m.sim.checkpoint, *place = named ? named : s->checkpoints, *why = checkpoint_impossible(&root->m);
    char **hash;
    int code = 0;
    if (!place || (why && !named))
        return 0;
    if (why) {
        err_set(err, ERR_USAGE, "sim.checkpoint: %s", why);
        return err_remedy(err, "or leave sim.checkpoint out");
    }
    hash = calloc(r->n_trace + 1, sizeof *hash);
    for (size_t i = 0; code == 0 && hash && i < r->n_trace; i++) {
        enum { IDENTITY = 80 };
        hash[i] = malloc(IDENTITY);
        code = hash[i] ? workload_identity(r->workload, i, hash[i], IDENTITY, err) : err_set(err, ERR_RUN, "out of host memory");
    }
    char *warm = code == 0 && hash ? checkpoint_warm(s->config, (const char *const *)hash, r->series->interval, memory_series_distance(r->memory)) : NULL;
    if (code == 0 && !warm)
        code = err_set(err, ERR_RUN, "out of host memory for a checkpoint");
    struct checkpoint_run run = {.machine = r->m, .workload = r->workload, .series = r->series, .memory = r->memory,
                                 .result = r->result, .events = &r->events, .marks = &r->marks.n, .interrupted = on_wait};
    if (code == 0)
        code = checkpoint_warm_up(&run, place, warm, &r->warm, err);
    if (code < 0 && !named && r->warm == CHECKPOINT_UNSAVED)
        code = 0; /* nobody asked for the file */
    for (size_t i = 0; hash && i < r->n_trace; i++)
        free(hash[i]);
    free(hash);
    free(warm);
    return code;
}

enum simulated_end simulate(const struct simulation *s, struct simulated *out)
{
    const struct machine_root *root = config_root(s->config);
    struct run r = {0};
    *out = (struct simulated){.end = SIMULATED_NOT};
    bool ready = prepare(&r, s, root, &out->err) == 0;
    if (ready)
        out->end = SIMULATED_UNWRITTEN;
    if (ready && result_open(&r.result, s->output, &out->err) == 0) {
        struct err werr;
        start_progress(&r, s, root);
        bool warm = warm_up(&r, s, root, &out->err) == 0;
        enum machine_end end = warm ? machine_run(r.m, &out->err) : MACHINE_END_ERROR;
        progress_end(&r.progress);
        out->sig = progress_interrupted();
        if (!warm)
            out->end = SIMULATED_NOT;
        else if (finish(&r, s, end, out->sig, &out->err, &werr) < 0)
            out->err = werr;
        else
            out->end = end == MACHINE_END_ERROR ? SIMULATED_PART
                       : end == MACHINE_END_INTERRUPTED ? SIMULATED_INTERRUPTED : SIMULATED_WHOLE;
    }
    result_free(r.result);
    series_free(r.series);
    memory_series_free(r.memory);
    if (out->end == SIMULATED_NOT || out->end == SIMULATED_UNWRITTEN) {
        machine_free(r.m);
    } else {
        machine_set_hooks(r.m, &(struct machine_hooks){0}); /* they point into this frame */
        out->machine = r.m;
        out->events = r.events;
    }
    size_t i = 0;
    const char *why;
    if (r.workload && workload_partial(r.workload, &i, &why))
        snprintf(out->partial, sizeof out->partial, "%.300s is incomplete: %s", r.trace[i].path, why);
    workload_free(r.workload);
    for (size_t t = 0; r.trace && t < r.n_trace; t++)
        free((char *)(uintptr_t)r.trace[t].decoded);
    free(r.trace);
    free(r.input);
    return out->end;
}

void simulated_fini(struct simulated *r)
{
    machine_free(r->machine);
    r->machine = NULL;
}
