/*
 * One simulation: a loaded configuration and traces in, a result folder out. What `mmulab run` does once and a point of
 * a sweep does once a process. Nothing is printed but progress.
 *
 *   struct simulation s = {.config = c, .output = "out", .label = "run"};
 *   struct simulated r;
 *   if (simulate(&s, &r) == SIMULATED_WHOLE) ... machine_stats(r.machine) ...
 *   simulated_fini(&r);
 */
#ifndef APP_SIMULATE_H
#define APP_SIMULATE_H

#include "app/workload.h"

#include "config/config.h"
#include "engine/err.h"

struct simulation {
    struct config *config;              /* of machine_config_schema() */
    const char *config_path;            /* for host.json; NULL or "@preset": none */
    const struct workload_trace *trace; /* more traces, behind those of workload.processes */
    size_t n_trace;
    const char *output;    /* the result folder */
    const char *label;     /* of the progress on stderr */
    bool quiet;            /* no bar; SIGUSR1 is still answered */
    unsigned status;       /* seconds between lines of progress when stderr is no terminal; 0: none */
    bool inline_decoding;  /* traces are decoded by the simulating thread, not ahead in a thread of their own */
    const char *decoded;     /* a folder ending in '/' in which runs share traces decoded once (decoded.h); NULL: none */
    struct trace_share *share; /* another process decodes this trace (traces/io/share.h); NULL: none */
    const char *checkpoints; /* a folder ending in '/' in which runs share their warm-up where they can; NULL: none. sim.checkpoint
                              * comes first */
    int argc;              /* the command line, for host.json */
    char **argv;
};

enum simulated_end {
    SIMULATED_WHOLE,       /* the end of the traces, or the limit */
    SIMULATED_INTERRUPTED, /* by signal `sig`; the result is there, marked incomplete */
    SIMULATED_PART,        /* `err` ended it; the result of what was replayed is there, marked incomplete */
    SIMULATED_NOT,         /* `err`: no machine or no trace; nothing was written */
    SIMULATED_UNWRITTEN,   /* `err`: the result folder cannot be used or written; it holds no new result */
};

struct simulated {
    enum simulated_end end;
    int sig;
    struct err err;
    struct machine *machine; /* as it stands at the end; NULL after SIMULATED_NOT and _UNWRITTEN */
    uint64_t events;         /* lines in events.jsonl */
    char partial[512];       /* a trace that may not be whole, and why; "" none */
    char lines[640];         /* ... what of its text is not in the replay; "" */
    char idle[400];          /* of a kernel's recording: nothing in it was replayed, and why; "" */
    uint64_t replayed;       /* of a kernel's recording: its events */
};

/* Installs the handlers of SIGINT, SIGTERM and SIGUSR1 (progress.h). Returns out->end. */
enum simulated_end simulate(const struct simulation *s, struct simulated *out);
void simulated_fini(struct simulated *r);
/* An error's text without the folder of its file: results do not depend on where the trace lies. Returns buf. */
char *simulated_reason(const struct err *e, char *buf, size_t size);

#endif
