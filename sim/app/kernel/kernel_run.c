#include "app/kernel/kernel_run.h"

#include "app/cmd_config.h"
#include "app/cmd_error.h"
#include "app/kernel/kernel_memory.h"
#include "app/kernel/kernel_paths.h"
#include "app/kernel/kernel_unused.h"
#include "app/machine_root.h"
#include "app/progress.h"
#include "app/result/aged.h"
#include "app/result/findings.h"
#include "app/result/marks.h"
#include "app/result/proc_files.h"
#include "app/result/result.h"
#include "app/result/series/memory_series.h"
#include "app/result/series/run_columns.h"

#include "replay/before/now.h"
#include "replay/replay.h"
#include "slab/vmalloc/vmalloc.h"
#include "traces/native/hash.h"
#include "traces/trace.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ENTRY(type, name, help) {#name, "events", help, offsetof(struct type, name), false},
#define X(name, help) ENTRY(follow_stats, name, help)
static const struct stat_desc block_descs[] = {FOLLOW_STATS(X)};
#undef X
#define X(name, help) ENTRY(lists_stats, name, help)
static const struct stat_desc list_descs[] = {LISTS_STATS(X)};
#undef X
#define X(name, help) ENTRY(recorded_stats, name, help)
static const struct stat_desc recorded_descs[] = {RECORDED_STATS(X)};
#undef X
#define X(name, help) ENTRY(simulate_stats, name, help)
static const struct stat_desc simulate_descs[] = {SIMULATE_STATS(X)};
#undef X
#define X(name, help) ENTRY(requests_stats, name, help)
static const struct stat_desc requests_descs[] = {REQUESTS_STATS(X)};
#undef X
#define X(name, unit, help) STAT_ENTRY(struct requests_compaction, name, unit, help)
static const struct stat_desc compaction_descs[] = {REQUESTS_COMPACTION(X)};
#undef X
#define X(name, help) ENTRY(objects_stats, name, help)
static const struct stat_desc objects_descs[] = {OBJECTS_STATS(X)};
#undef X
static const struct stat_desc line_descs[] = {
    {"lines", "lines", "lines of the recording's text", offsetof(struct trace_kernel_lines, lines), false},
    {"other_events", "lines", "events of other names", offsetof(struct trace_kernel_lines, other), false},
    {"free_batched", "lines", "mm_page_free_batched, left out", offsetof(struct trace_kernel_lines, batched), false},
    {"lost_events", "events", "events that the recorder lost", offsetof(struct trace_kernel_lines, lost), false},
    {"not_understood", "lines", "lines that could not be taken apart", offsetof(struct trace_kernel_lines, unparsed), false},
};

struct kernel_run {
    const struct simulation *s;
    const struct workload_kernel *k;
    struct replay_result *replay; /* on the heap: the statistics point into it */
    struct result *result;
    struct series *series;
    const struct snapshot *before;
    struct told_runs told; /* of `before`, for the maps of memory */
    const struct frame_map *map; /* from begin to end */
    struct stats *stats;
    struct progress progress;
    uint64_t events, time_ps;
    struct slab_stats slab; /* of the end, for the summary */
    struct slab_calls_stats calls;
    bool from_memory, made_up, objects;
    uint64_t findings; /* of the slab allocator's debugging */
    uint64_t slow_paths; /* of the end, as `slab` */
    struct kernel_memory memory;
    uint64_t memory_rows;
    struct memory_series *memory_series;
    struct trace_hasher *hasher; /* of made-up calls */
    struct marks marks;
    struct param_list mark_events, mark_times; /* the configuration's, ascending; ours */
    bool begun, written;
    bool checks, broken; /* --check; it found what `unsound` says */
    struct err err, unsound;
};

/* ---- objects ------------------------------------------------------------------------------------------------------------ */

static void add_object_stats(struct kernel_run *r)
{
    const struct objects *o = r->replay->objects;
    stats_add(r->stats, "replay.objects", &r->replay->objects_left, objects_descs, ARRAY_LEN(objects_descs));
    r->slab = *slab_stats(objects_slab(o));
    r->calls = *slab_calls_stats(objects_calls(o));
    objects_add_stats(o, r->stats);
}

static int write_callers(FILE *f, void *ctx, struct err *err)
{
    (void)err;
    objects_print_callers(ctx, f);
    return 0;
}

static int write_pages(FILE *f, void *ctx, struct err *err)
{
    (void)err;
    kmem_pages_print(ctx, f);
    return 0;
}

static int write_tables(const struct kernel_run *r, struct err *err)
{
    void *o = (void *)(uintptr_t)r->replay->objects; /* the writer only reads */
    struct kmem_pages *pages = r->replay->kmem_pages;
    if (pages && kmem_pages_events(pages) && result_write(r->result, "proc/kmem_pages", write_pages, pages, err) < 0)
        return -1;
    return o ? result_write(r->result, "proc/kmem_callers", write_callers, o, err) : 0;
}

/* As a machine tells it. */
static void on_finding(void *self, const struct slab_finding *f)
{
    struct kernel_run *r = self;
    char kind[48];
    snprintf(kind, sizeof kind, "slab_%s", slab_finding_name(f->kind));
    struct json_out *j = result_event(r->result, r->time_ps, kind);
    json_u64(j, "references", r->events);
    json_hex(j, "va", f->object.v);
    finding_write(j, f);
    result_event_end(r->result);
    r->findings++;
}

static void walk_memory(void *ctx, struct survey *s, const struct frame_map *map)
{
    survey_now(s, map, ctx);
}

/* Core cycles that compaction of the replay's own took since the last call. */
static uint64_t stall(void *self)
{
    struct kernel_run *r = self;
    struct compaction *c = objects_compaction(r->replay->objects);
    struct compact_cost cost = c ? compact_take_cost(c) : (struct compact_cost){0};
    return kernel_memory_cycles(&r->memory, &cost);
}

static void on_begin(void *self, const struct frame_map *map)
{
    struct kernel_run *r = self;
    series_add_u64(r->series, "references", "events", &r->events); /* what pictures have for their x axis */
    series_add_u64(r->series, "time_ps", "ps", &r->time_ps);
    run_add_zone_columns(r->series, map);
    if (r->k->placement == KERNEL_SIMULATED || r->from_memory)
        run_add_fallback_columns(r->series, map);
    if (r->replay->objects) {
        run_add_slab_columns(r->series, objects_slab(r->replay->objects), false);
        run_add_calls_columns(r->series, objects_calls(r->replay->objects));
    }
    if (r->replay->objects)
        slab_on_finding(objects_slab(r->replay->objects), on_finding, r);
    if (r->from_memory && r->replay->objects)
        slab_on_slow_path(objects_slab(r->replay->objects), kernel_memory_stall, &r->memory);
    else if (r->replay->objects)
        slab_on_slow_path(objects_slab(r->replay->objects), stall, r);
    series_sample(r->series, r->events);
    r->begun = true;
    r->map = map;
    /* Of a recorded kernel nothing but the snapshot's map of frames tells what stands where. */
    if (!r->from_memory && !r->before->has_map)
        return;
    if ((!r->from_memory && snapshot_tell_unmanaged(&r->told, r->before, &r->err) < 0) ||
        memory_series_new(&r->memory_series, map, r->memory_rows, &r->err) < 0)
        r->memory_series = NULL; /* told with the result */
    if (r->memory_series && !r->from_memory) {
        enum { FRAMES_AN_EVENT = 256 }; /* a walk takes as long as some thousand events: rows are apart in large memory */
        memory_series_walk(r->memory_series, walk_memory, &r->told);
        memory_series_interval(r->memory_series, map->n_frames / FRAMES_AN_EVENT);
    }
    if (r->memory_series)
        memory_series_sample(r->memory_series, r->events, r->time_ps);
}

/* --check: the lists, books and objects of our side, at every row of the maps of memory and at the end. */
static bool sound(struct kernel_run *r, const struct frame_map *map)
{
    bool whole = r->from_memory || (r->k->placement == KERNEL_SIMULATED && r->k->level == KERNEL_PAGES);
    if (r->checks && !r->broken)
        r->broken = (whole ? frames_check(map, &r->unsound) : frames_check_free(map, &r->unsound)) < 0 ||
                    (r->replay->objects && slab_check(objects_slab(r->replay->objects), &r->unsound) < 0);
    return !r->broken;
}

static int on_tick(void *self, uint64_t events, uint64_t ns)
{
    struct kernel_run *r = self;
    r->events = events;
    r->time_ps = ns * PS_A_NS;
    if (r->begun && series_due(r->series, events))
        series_sample(r->series, events);
    if (r->begun && memory_series_due(r->memory_series, events)) {
        memory_series_sample(r->memory_series, events, r->time_ps);
        if (!sound(r, r->map))
            return 1;
    }
    progress_update(&r->progress, events, r->time_ps);
    return progress_interrupted() != 0;
}

/* ---- marks ------------------------------------------------------------------------------------------------------------- */

static struct proc_source proc_of(const struct kernel_run *r, const struct frame_map *map)
{
    const struct machine_root *root = config_root(r->s->config);
    const struct objects *o = r->replay->objects;
    const struct vmalloc *v = o ? slab_calls_vmalloc(objects_calls(o)) : NULL;
    return (struct proc_source){.map = map, .slab = o ? objects_slab(o) : NULL, .vmalloc = v && slab_vmalloc_stats(v)->allocs ? v : NULL,
                                .guessed = !r->from_memory, .vmalloc_bytes = root->m.slab.vmalloc.bytes};
}

static void on_mark(void *self, const struct frame_map *map, uint64_t number, const char *text)
{
    struct kernel_run *r = self;
    struct proc_source source = proc_of(r, map);
    marks_write(&r->marks, r->result, &source, number, text);
}

static int ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static int sorted(struct param_list *out, const struct param_list *list, struct err *err)
{
    out->u = calloc(list->n + 1, sizeof *out->u);
    if (!out->u)
        return err_set(err, ERR_RUN, "out of memory");
    for (out->n = 0; out->n < list->n; out->n++)
        out->u[out->n] = list->u[out->n];
    qsort(out->u, out->n, sizeof *out->u, ascending);
    return 0;
}

/* Those that were not met: a line in events.jsonl. */
static int finish_marks(struct kernel_run *r, struct err *err)
{
    uint64_t lines = 0;
    if (r->replay->marks_without_state) {
        struct json_out *j = result_event(r->result, r->time_ps, "marks_not_met");
        json_u64(j, "marks", r->replay->marks_without_state);
        json_str(j, "why", "before the state stands, behind the window, or the recording is shorter");
        result_event_end(r->result);
    }
    return marks_finish(&r->marks, r->result, r->time_ps, &lines, err);
}

static int write_config(FILE *f, void *ctx, struct err *err)
{
    return config_write_json(ctx, f) < 0 ? err_set(err, ERR_RUN, "cannot write the configuration") : 0;
}

/* The state is still there: all that shows it is written now. */
static void on_end(void *self, const struct frame_map *map, int rc, const struct err *why)
{
    struct kernel_run *r = self;
    const struct simulation *s = r->s;
    const struct machine_root *root = config_root(s->config);
    struct replay_result *p = r->replay;
    char digest[CONFIG_HASH_BUF], hash[24], reason[2400];
    uint64_t value;
    struct err ignored;
    if (!sound(r, map)) {
        why = &r->unsound;
        rc = -1;
    }
    r->events = p->records[REPLAY_PRE] + p->records[REPLAY_SYNC] + p->records[REPLAY_WINDOW];
    if (p->ns)
        r->time_ps = p->ns * PS_A_NS;
    series_finish(r->series, r->events);
    memory_series_finish(r->memory_series, r->events, r->time_ps);
    stats_add(r->stats, "replay.lines", &p->lines, line_descs, ARRAY_LEN(line_descs));
    if (!r->from_memory)
        stats_add(r->stats, "replay.recorded", &p->recorded, recorded_descs, ARRAY_LEN(recorded_descs));
    else if (kernel_memory_add_stats(&r->memory, r->stats, &ignored) < 0)
        rc = -1;
    if (r->k->placement == KERNEL_PREDICT && !p->objects) {
        stats_add(r->stats, "replay.blocks", &p->follow, block_descs, ARRAY_LEN(block_descs));
        stats_add(r->stats, "replay.lists", &p->lists, list_descs, ARRAY_LEN(list_descs));
        stats_add_ratio(r->stats, "replay.blocks", "right", "replay.blocks.new_right", "replay.blocks.new_blocks", 100, 4, "%",
                        "our frame is the kernel's, where the list position is known");
        stats_add_ratio(r->stats, "replay.lists", "right_share", "replay.lists.right", "replay.lists.known", 100, 4, "%",
                        "our page is the kernel's, where the head of the list is known");
    } else if (p->objects) {
        objects_end((struct objects *)(uintptr_t)p->objects); /* which is the run's own */
        add_object_stats(r);
        if (objects_compaction(p->objects))
            compaction_add_stats(objects_compaction(p->objects), r->stats);
    } else if (p->pages) {
        stats_add(r->stats, "replay.simulated", &p->requests, requests_descs, ARRAY_LEN(requests_descs));
        if (requests_compaction(p->pages)) {
            compaction_add_stats(requests_compaction(p->pages), r->stats);
            stats_add(r->stats, "replay.compaction", requests_compaction_time(p->pages), compaction_descs, ARRAY_LEN(compaction_descs));
        }
    } else if (r->k->placement == KERNEL_SIMULATED) {
        stats_add(r->stats, "replay.simulated", &p->simulate, simulate_descs, ARRAY_LEN(simulate_descs));
    }
    frames_add_stats(map, r->stats);
    r->slow_paths = map->st.slow_paths;
    stats_freeze(r->stats);
    if (p->objects)
        slab_add_cache_stats(objects_slab(p->objects), r->stats);
    bool stopped = p->stopped;
    if (r->made_up)
        value = trace_hasher_value(r->hasher);
    bool hashed = rc == 0 && !stopped && (r->made_up || trace_hash(r->k->events, &value, &ignored) == 0);
    if (hashed)
        snprintf(hash, sizeof hash, "%016" PRIx64, value);
    if (rc < 0)
        simulated_reason(why, reason, sizeof reason);
    else if (stopped)
        snprintf(reason, sizeof reason, "interrupted by signal %d", progress_interrupted());
    else
        snprintf(reason, sizeof reason, "end of trace");
    const char *config = s->config_path && s->config_path[0] != '@' ? s->config_path : NULL;
    const char *inputs[] = {r->made_up ? config : r->k->events, config};
    size_t n_inputs = r->made_up ? config != NULL : config ? 2 : 1;
    struct result_run rr = {.version = MMULAB_VERSION, .config_hash = digest, .trace_hash = hashed ? hash : NULL,
                            .seed = root->m.sim.seed, .complete = rc == 0 && !stopped, .reason = reason};
    struct result_host host = {.argc = s->argc, .argv = s->argv, .wall_ns = progress_wall_ns(&r->progress),
                               .references = r->events, .version = MMULAB_VERSION, .inputs = inputs,
                               .n_inputs = n_inputs};
    struct proc_source source = proc_of(r, map);
    r->written = finish_marks(r, &r->err) == 0 && config_hash(s->config, digest) == 0 &&
                 result_write(r->result, "config.json", write_config, s->config, &r->err) == 0 &&
                 proc_files_write(r->result, "proc", &source, &r->err) == 0 && write_tables(r, &r->err) == 0 &&
                 result_write_series(r->result, "series.csv", r->series, &r->err) == 0 &&
                 memory_series_write(r->memory_series, r->result, &r->err) == 0 &&
                 result_write_stats(r->result, &rr, r->stats, r->series, &r->err) == 0 &&
                 result_write_host(r->result, &host, &r->err) == 0 && result_commit(r->result, &r->err) == 0;
    kernel_memory_fini(&r->memory); /* the map goes now */
}

/* ---- made-up calls and the machine's memory ----------------------------------------------------------------------------- */

struct making { struct kernel_run *r; replay_put *put; void *pass; };

static int put_made(void *ctx, uint32_t thread, const struct trace_rec *rec, size_t n, struct err *err)
{
    const struct making *m = ctx;
    trace_hasher_put(m->r->hasher, 0, thread, rec, n);
    return m->put(m->pass, thread, rec, n, err);
}

static int make(void *self, replay_put *put, void *pass, struct err *err)
{
    struct kernel_run *r = self;
    const struct machine_root *root = config_root(r->s->config);
    struct making m = {r, put, pass};
    return calls_make(&root->workload.calls, root->m.cpu.count, put_made, &m, err);
}

static int start_from_memory(struct kernel_run *r, const struct machine_root *root, struct err *err)
{
    if (r->made_up && !(r->hasher = trace_hasher_new()))
        return err_set(err, ERR_RUN, "out of memory");
    if (kernel_memory_build(&r->memory, root, r->made_up || r->k->level == KERNEL_OBJECTS, err) < 0) {
        struct frame_map *map = r->memory.map;
        if (map)
            kernel_memory_fini(&r->memory);
        frame_map_free(map);
        return -1;
    }
    if (r->memory.is_aged) {
        aged_write(result_event(r->result, 0, root->m.memory.ageing.snapshot ? "snapshot" : "aged"), &r->memory.aged);
        result_event_end(r->result);
    }
    return 0;
}

/* ---- what is told ------------------------------------------------------------------------------------------------------- */

static void summary(const struct kernel_run *r, const char *dir)
{
    const struct replay_result *p = r->replay;
    char text[64];
    if (r->from_memory)
        printf("mmulab run: %s: %" PRIu64 " events\n", p->stopped ? "interrupted" : "done", r->events);
    else
        printf("mmulab run: %s: %" PRIu64 " events, %" PRIu64 " of them in the window\n", p->stopped ? "interrupted" : "done", r->events,
               p->records[REPLAY_WINDOW]);
    if (r->findings)
        printf("  findings      %" PRIu64 " of slab debugging, see events.jsonl\n", r->findings);
    if (r->marks.n || p->marks_without_state)
        printf("  marks         %" PRIu64 " written below proc/marks, %" PRIu64 " not met\n", r->marks.n < MARKS_MAX ? r->marks.n : MARKS_MAX,
               p->marks_without_state);
    if (!r->from_memory)
        printf("  recorded      allocated again %" PRIu64 ", freed again %" PRIu64 "\n", p->recorded.alloc_again, p->recorded.free_again);
    if (!r->objects && r->k->placement == KERNEL_SIMULATED && r->k->level == KERNEL_PAGES) {
        printf("  simulated     %" PRIu64 " blocks asked for, %" PRIu64 " not had; %" PRIu64 " given back\n", p->requests.allocs,
               p->requests.failures, p->requests.frees);
        printf("  slow path     %" PRIu64 " requests; compaction moved %" PRIu64 " blocks\n", r->slow_paths, p->requests.moved);
    } else if (r->from_memory) {
        const struct slab_calls_stats *c = &r->calls;
        printf("  requests      %" PRIu64 " of memory, %" PRIu64 " of them got none (above 8 KiB: %" PRIu64 " of %" PRIu64 "); %" PRIu64
               " given back\n", c->allocs, c->failures, c->large_failures, c->large_allocs, c->frees);
        printf("  asked for     %" PRIu64 " bytes, held %" PRIu64 "; at most %" PRIu64 " and %" PRIu64 "\n", c->live_bytes, c->held_bytes,
               c->peak_live_bytes, c->peak_held_bytes);
        printf("  unusable      for blocks of 2 MiB: %" PRIu64 ".%03" PRIu64 " of the free memory; %" PRIu64 " areas of 2 MiB are free\n",
               r->memory.st.unusable_9 / 1000, r->memory.st.unusable_9 % 1000, r->memory.st.free_2m);
    } else if (r->k->placement == KERNEL_PREDICT) {
        printf("  blocks        %s%% of %" PRIu64 " from known positions are the kernel's (next frame: %" PRIu64
               ", textbook: %" PRIu64 ")\n", ratio_format(text, sizeof text, p->follow.new_right, p->follow.new_blocks, 100, 4),
               p->follow.new_blocks, p->follow.new_next, p->follow.new_textbook);
        printf("  per-CPU lists %s%% of %" PRIu64 " from known heads are the kernel's\n",
               ratio_format(text, sizeof text, p->lists.right, p->lists.known, 100, 4), p->lists.known);
    } else if (r->k->level == KERNEL_OBJECTS) {
        const struct slab_stats *st = &r->slab;
        printf("  objects       %" PRIu64 " allocations, %" PRIu64 " frees, %" PRIu64 " alive: %" PRIu64 " bytes in %" PRIu64
               " pages of slabs\n", st->allocs, st->frees, st->objects, st->requested_bytes, st->pages);
        printf("  left out      %" PRIu64 " page allocations, %" PRIu64 " of them like those of slabs\n",
               p->objects_left.page_allocs_left_out, p->objects_left.slab_like);
    } else if (r->k->placement == KERNEL_SIMULATED) {
        printf("  simulated     %" PRIu64 " blocks asked for, %" PRIu64 " not had; %" PRIu64 " given back\n", p->simulate.allocs,
               p->simulate.failures, p->simulate.frees);
    }
    printf("result: %s\n", dir);
}

/* Why nothing of a recording was replayed: what is asked for is not in it. */
static const char *idle(const struct kernel_run *r, bool objects, bool times)
{
    const struct replay_result *p = r->replay;
    if (r->made_up)
        return "";
    if (!r->from_memory && times && !p->records[REPLAY_WINDOW])
        return "holds no event between the two snapshots that times.json tells of; is it whole?";
    if (objects && !r->calls.allocs && !r->calls.frees && !r->slab.allocs && !r->slab.frees)
        return "holds no events of objects (kmalloc, kfree, kmem_cache_alloc, ...); pages are replayed with workload.kernel.level blocks or "
               "pages";
    if (!objects && !p->window.page_alloc && !p->window.page_free && !p->window.zone_locked)
        return "holds no events of pages (mm_page_alloc, mm_page_free, ...); objects are replayed with -s workload.kernel.level=objects";
    return "";
}

/* What is missing of a recording's text; "": nothing. */
static void tell_lines(const struct trace_kernel_lines *l, const char *path, char *text, size_t size)
{
    int n = 0;
    *text = '\0';
    if (l->unparsed)
        n = snprintf(text, size, "%.200s:%" PRIu64 ": the first of %" PRIu64 " lines (of %" PRIu64 ") that were not understood and are left out", path,
                     l->first_unparsed, l->unparsed, l->lines);
    if (l->lost && n >= 0 && (size_t)n < size)
        snprintf(text + n, size - (size_t)n, "%s%.200s: %" PRIu64 " events were lost while recording; larger buffers (--buffer) lose none",
                 n ? "; " : "", path, l->lost);
}

/* The whole recording is replayed: what says which part of programs is simulated has no meaning here. */
static int no_part(const struct sim_config *s, struct err *err)
{
    const char *key = s->warmup ? "warmup" : s->measure ? "measure" : s->limit ? "limit" : NULL;
    if (!key)
        return 0;
    err_set(err, ERR_USAGE, "sim.%s counts references of programs; a kernel's events are replayed whole", key);
    return err_remedy(err, "leave it out; mmulab trace slice cuts a recording");
}

enum simulated_end kernel_simulate(const struct simulation *s, struct simulated *out, bool tell)
{
    const struct machine_root *root = config_root(s->config);
    struct workload_kernel kernel = root->workload.kernel;
    const struct workload_kernel *k = &kernel;
    struct kernel_run r = {.s = s, .k = k, .replay = calloc(1, sizeof *r.replay), .made_up = root->workload.calls.count != 0,
                           .memory_rows = root->output.memory_rows, .checks = root->m.sim.checks};
    struct snapshot *before = NULL;
    struct snap_times times;
    struct err err = {0};
    r.from_memory = r.made_up || k->start == KERNEL_FROM_MEMORY;
    struct kernel_paths paths;
    bool found = kernel_paths_init(&paths, k, !r.from_memory, &err) == 0;
    const char *prefix = paths.before, *when = paths.times;
    kernel.events = paths.events;
    int rc = -1;
    *out = (struct simulated){.end = SIMULATED_NOT};
    if (!found)
        goto done;
    if (!r.replay) {
        err_set(&err, ERR_RUN, "out of memory");
        goto done;
    }
    if (root->workload.processes.n || s->n_trace) {
        err_set(&err, ERR_USAGE, "a run replays programs or %s, not both", r.made_up ? "made-up calls" : "a recorded kernel");
        err_remedy(&err, "leave out -t and workload.processes, or workload.%s", r.made_up ? "calls.count" : "kernel.events");
        goto done;
    }
    if (no_part(&root->m.sim, &err) < 0)
        goto done;
    if ((when && snapshot_read_times(&times, when, &err) < 0) || (prefix && snapshot_read(&before, prefix, &err) < 0))
        goto done;
    r.before = before;
    out->end = SIMULATED_UNWRITTEN;
    kernel_memory_costs(&r.memory, root);
    if (sorted(&r.mark_events, &root->output.mark_events, &err) < 0 || sorted(&r.mark_times, &root->output.mark_times, &err) < 0)
        goto done;
    if (result_open(&r.result, s->output, &err) < 0 || series_new(&r.series, root->m.sim.interval, &err) < 0 ||
        stats_new(&r.stats, &err) < 0 || (r.from_memory && start_from_memory(&r, root, &err) < 0))
        goto done;
    bool simulated = k->placement == KERNEL_SIMULATED;
    r.objects = r.made_up || k->level == KERNEL_OBJECTS;
    struct replay_request q = {.events = k->events, .make = r.made_up ? make : NULL, .before = before, .times = when ? &times : NULL,
                               .memory = r.memory.map, .cpus = root->m.cpu.count, .recorded = !r.from_memory,
                               .predict = !r.objects && !simulated,
                               .simulate = !r.objects && simulated && k->level == KERNEL_BLOCKS,
                               .pages = !r.objects && simulated && k->level == KERNEL_PAGES, .buddy = &root->m.buddy,
                               .policy = &root->m.memory, .copy_cycles = root->m.slab.cost.copy_page, .objects = r.objects ? &root->m.slab : NULL, .kmem_pages = !r.made_up, .seed = root->m.sim.seed,
                               .allocator = root->m.buddy.allocator,
                               .begin = on_begin, .tick = on_tick, .end = on_end, .mark = on_mark,
                               .marks = {r.mark_events.u, r.mark_times.u, r.mark_events.n, r.mark_times.n}, .self = &r};
    progress_signals_install();
    progress_start(&r.progress, stderr, s->label, 0, s->status);
    r.progress.unit = "events";
    if (s->quiet)
        r.progress.tty = false;
    rc = replay_run(&q, r.replay, &err);
    progress_end(&r.progress);
    out->replayed = r.events;
    if (r.broken) {
        err = r.unsound;
        rc = -1;
    }
    if (rc == 0 && !r.replay->stopped) {
        const char *why = idle(&r, r.objects, when);
        if (r.replay->incomplete[0])
            snprintf(out->partial, sizeof out->partial, "%.280s is incomplete: %s", k->events, r.replay->incomplete);
        tell_lines(&r.replay->lines, k->events, out->lines, sizeof out->lines);
        if (*why)
            snprintf(out->idle, sizeof out->idle, "nothing was replayed: %.150s %s", k->events, why);
    }
    if (rc < 0) {
        out->end = r.written ? SIMULATED_PART : SIMULATED_NOT;
    } else if (!r.written) {
        err = r.err;
    } else {
        out->end = r.replay->stopped ? SIMULATED_INTERRUPTED : SIMULATED_WHOLE;
        out->sig = r.replay->stopped ? progress_interrupted() : 0;
        if (tell)
            summary(&r, s->output);
    }
done:
    out->err = err;
    result_free(r.result);
    series_free(r.series);
    memory_series_free(r.memory_series);
    trace_hasher_free(r.hasher);
    free(r.mark_events.u);
    free(r.mark_times.u);
    stats_free(r.stats);
    told_runs_free(&r.told);
    snapshot_free(before);
    free(r.replay);
    kernel_paths_fini(&paths);
    return out->end;
}

bool kernel_wanted(const struct config *c)
{
    const struct workload_config *w = &((const struct machine_root *)config_root(c))->workload;
    return w->calls.count || (w->kernel.events && *w->kernel.events);
}

int kernel_run(const struct simulation *s)
{
    struct simulated r;
    kernel_tell_unused(s->config, s->label, stderr);
    switch (kernel_simulate(s, &r, !s->quiet)) {
    case SIMULATED_WHOLE:
        if (r.idle[0])
            fprintf(stderr, "mmulab %s: warning: %s\n", s->label, r.idle);
        if (r.partial[0])
            fprintf(stderr, "mmulab %s: warning: %s; what is there was replayed\n", s->label, r.partial);
        if (r.lines[0])
            fprintf(stderr, "mmulab %s: warning: %s\n", s->label, r.lines);
        return 0;
    case SIMULATED_INTERRUPTED: return 128 + r.sig;
    case SIMULATED_PART: {
        char remedy[sizeof r.err.remedy];
        snprintf(remedy, sizeof remedy, "%s", r.err.remedy);
        err_remedy(&r.err, "%.300s%sthe first %" PRIu64 " events were replayed; their results are in %.120s, marked incomplete", remedy,
                   remedy[0] ? "; " : "", r.replayed, s->output);
        break;
    }
    case SIMULATED_NOT:
    case SIMULATED_UNWRITTEN: break;
    }
    return cmd_error(s->label, &r.err);
}
