/*
 * Progress on stderr and the two signals of a run. A bar when stderr is a terminal; otherwise nothing, or a line every
 * `status_seconds`. SIGUSR1 prints one status line in any case. Nothing here reaches a result.
 *
 *   progress_signals_install();
 *   progress_start(&p, stderr, total_or_0);
 *   ... every few thousand references: progress_update(&p, references, ps);
 *   if (progress_interrupted()) stop and keep what there is;
 *   progress_end(&p);
 */
#ifndef APP_PROGRESS_H
#define APP_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct progress {
    FILE *f;
    const char *label, *unit; /* what is counted: "refs" */
    char note[80];            /* instead of the simulated time, if not empty */
    bool tty, colour, drawn;
    uint64_t total; /* 0 if not known */
    uint64_t done;
    uint64_t start_ns, last_ns, status_ns; /* monotonic; status_ns 0: no lines */
    uint64_t time_ps;
    unsigned seen_status;
};

/* `label` (kept, not copied) names the run; `status_seconds` 0 means no lines when stderr is no terminal. */
void progress_start(struct progress *p, FILE *f, const char *label, uint64_t total, unsigned status_seconds);
/* Cheap: looks at the clock and draws at most ten times a second. */
void progress_update(struct progress *p, uint64_t references, uint64_t time_ps);
void progress_end(struct progress *p); /* removes the bar */
uint64_t progress_wall_ns(const struct progress *p);

/* SIGINT, SIGTERM: ask the run to stop; a second one kills. SIGUSR1: ask for a status line. */
void progress_signals_install(void);
/* The signal that asked to stop, 0 if none: exit code 128 + it. */
int progress_interrupted(void);
/* SIGUSR2, in a worker of a sweep: begin nothing more. */
void progress_last_install(void);
bool progress_last(void);

#endif
