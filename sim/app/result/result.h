/*
 * A result folder (docs/model/output.md). Everything is first written beside its place under a temporary name; only
 * result_commit renames it, stats.json last, so that a reader sees a whole result or none: whoever finds stats.json
 * with "complete": true finds all the rest. A folder that holds an earlier result is replaced by the commit and is
 * untouched until then; a folder that holds anything else is refused. Two runs into one folder: the second is refused.
 *
 *   result_open(&r, dir, &err);
 *   result_write_text(r, "config.json", text, &err);
 *   j = result_event(r, now_ps, "oom_kill"); json_u64(j, "pid", 7); result_event_end(r);
 *   result_write(r, "proc/meminfo", fn, ctx, &err);
 *   result_write_series(r, "series.csv", series, &err); result_write_stats(...); result_write_host(...);
 *   result_commit(r, &err);
 *   result_free(r);          -- without a commit: as if nothing had been written
 */
#ifndef APP_RESULT_H
#define APP_RESULT_H

#include "app/result/json/json_out.h"
#include "app/result/series/result_series.h"
#include "engine/err.h"
#include "engine/stats.h"

#include <stdio.h>

struct result;

/* Creates `dir` and its parents where needed. ERR_USAGE if it cannot be used, the remedy says what to do. */
int result_open(struct result **out, const char *dir, struct err *err);
/* Drops what was not committed, removes the temporaries and the folders that open created. NULL is fine. */
void result_free(struct result *r);
const char *result_dir(const struct result *r);

/* A whole text file. `name` is "file" or below "proc/" ("proc/meminfo", "proc/12/maps"); each part as result_safe_name
 * makes it. Writing a name twice replaces the first text. `fn` returns 0, or -1 with err filled. */
typedef int (*result_writer)(FILE *f, void *ctx, struct err *err);
int result_write(struct result *r, const char *name, result_writer fn, void *ctx, struct err *err);
int result_write_text(struct result *r, const char *name, const char *text, struct err *err);

/* Copies `text` (a mark's name out of a trace) as one part of a file name: letters, digits, '-', '_', '.', everything else
 * '_', no leading '.', never empty; returns buf. */
char *result_safe_name(char *buf, size_t size, const char *text);

/* One line of events.jsonl, {"time_ps": …, "kind": "…"} already written: add members, then result_event_end. Past
 * RESULT_EVENTS_MAX lines they are counted and not written (a last line says how many). Never NULL. */
#define RESULT_EVENTS_MAX 1000000u
struct json_out *result_event(struct result *r, uint64_t time_ps, const char *kind);
void result_event_end(struct result *r);
/* All files so far, with the lines of events.jsonl. Loading: none has been written yet. */
struct state_io;
void result_state(struct result *r, struct state_io *io);

struct result_run {
    const char *version;                  /* of mmulab */
    const char *config_hash, *trace_hash; /* hexadecimal; NULL is written as null */
    uint64_t seed;
    bool complete;
    const char *reason; /* why it ended: "end of trace", "limit", "interrupted", or an error's message */
};

/* stats.json: head, "series" (columns and units; skipped if NULL), "warmup", "measure". */
int result_write_stats(struct result *r, const struct result_run *run, const struct stats *s,
                       const struct series *series, struct err *err);
/* "warmup" or "measure" alone, as members of the object that is open in j: for sweeps and tests. */
int result_stats_json(struct json_out *j, const struct stats *s, enum stat_phase phase, struct err *err);
int result_write_series(struct result *r, const char *name, const struct series *series, struct err *err);

/* host.json: what may differ between equal runs. */
struct result_host {
    int argc;
    char **argv;
    uint64_t wall_ns, references;
    const char *version;
    const char *const *inputs; /* configuration and traces as given, made absolute here; n_inputs of them */
    size_t n_inputs;
    const char *warm_up; /* "simulated", "saved", "loaded"; NULL: there was none */
    bool shared_decoding; /* another process decoded its trace for it and others */
};
int result_write_host(struct result *r, const struct result_host *h, struct err *err);

/* Syncs and renames everything into place; files of an earlier result that this one did not write are removed
 * (config.json, series.csv, events.jsonl, host.json, proc/; pictures and reports stay). After an error the folder holds no
 * stats.json or the earlier one. */
int result_commit(struct result *r, struct err *err);

#endif
