/*
 * Pictures of results, made by gnuplot. Each kind of picture writes KIND.dat (numbers under names of our own) and
 * KIND.gp (a script that can be run again by hand in its folder: all paths are relative), then runs gnuplot on it
 * without a shell. docs/plots.md lists the kinds; adding one is a function and a line in plot_kinds().
 */
#ifndef APP_PLOT_H
#define APP_PLOT_H

#include "app/plot/plot_table.h"
#include "app/result/json/result_json.h"
#include "engine/err.h"
#include "engine/types.h"

#include <stdio.h>

enum plot_format { PLOT_SVG, PLOT_PNG, PLOT_PDF, PLOT_TERM };

#define PLOT_RUNS_MAX 8 /* folders in one picture: more lines than colours cannot be told apart */

struct plot_run {
    const char *dir;
    char name[64];     /* last part of the folder's name: the label of its line */
    char what[160];    /* "config 12ab34cd, trace 99ff00aa, seed 1": the second line of the title */
    struct json_flat stats;
    struct plot_table table; /* kind->table; only the columns that the kind asked for are read */
    bool has_table;
    struct plot_mark { double x; char label[24]; } mark[16]; /* events, in units of the x axis */
    size_t n_marks;
};

struct plot {
    const struct plot_kind *kind;
    enum plot_format format;
    struct plot_run *run;
    size_t n_runs;
    const char *zone;   /* --zone, NULL: the kind's choice */
    const char *stat;   /* --stat, NULL: the kind's choice */
    const char *x_name; /* --x: "time", "references" or "instructions"; NULL: time, or references without any time; an axis
                           of a sweep */
    const char *by, *panel, *per; /* of sweeps: --by, --panel, --per; NULL: as fits the axes */
    const char *where[32];        /* KEY=VALUE, --where */
    size_t n_where;
    bool log_y;
    FILE *gp, *dat;
    char stem[256];     /* KIND, or the name given with -o without its suffix */
    unsigned blocks;    /* data blocks written so far: gnuplot's `index` */
    unsigned panels;    /* height of the picture in panels */
    unsigned term_width, term_height;
};

struct plot_kind {
    const char *name, *help;
    int (*make)(struct plot *p, struct err *err);
    const char *table; /* the file of a result that plot_run.table is: PLOT_SERIES, ...; NULL: none */
};
#define PLOT_SERIES "series.csv"
#define PLOT_FRAGMENTATION "fragmentation.csv"
#define PLOT_MEMORY_MAP "memory_map.csv"
#define PLOT_SWEEP "results.sqlite" /* of a sweep's folder, not of a result; the kind opens it */

const struct plot_kind *plot_kinds(size_t *n); /* the first fits any run */

/* ---- the kinds; each is a `make` ---- */
int plot_free_blocks(struct plot *p, struct err *err);
int plot_index(struct plot *p, struct err *err); /* unusable_index, extfrag_index */
int plot_rates(struct plot *p, struct err *err); /* tlb_misses, cache_misses, faults, swap: by a table of columns */
int plot_ipc(struct plot *p, struct err *err);
int plot_dram(struct plot *p, struct err *err);
int plot_column(struct plot *p, struct err *err);
int plot_histogram(struct plot *p, struct err *err); /* walk_latency, histogram */
int plot_miss_ratios(struct plot *p, struct err *err);
int plot_memory_map(struct plot *p, struct err *err);
int plot_memory_parts(struct plot *p, struct err *err); /* memory_use, pageblocks, slab_bytes: stacked columns */
int plot_memory_lines(struct plot *p, struct err *err); /* huge_pages, largest_run, proactive_score, slab_utilisation: a table of columns */
int plot_free_runs(struct plot *p, struct err *err);
int plot_slab_caches(struct plot *p, struct err *err);
int plot_slab_latency(struct plot *p, struct err *err);
int plot_alloc_latency(struct plot *p, struct err *err);
int plot_order_surface(struct plot *p, struct err *err);
int plot_sweep_lines(struct plot *p, struct err *err);
int plot_sweep_bars(struct plot *p, struct err *err);
int plot_sweep_heatmap(struct plot *p, struct err *err);

/* ---- for the kinds: plot_script.c ---- */

/* Writes text as a single-quoted string of gnuplot: nothing in it is interpreted. */
void gp_quote(FILE *f, const char *text);
/* The same for a line's name in the key, which has little room: the middle of long ones is left out. */
void gp_label(FILE *f, const char *text);
/* Terminal, output, palette, title (names the run or the runs); `panels` stacked pictures, 1 for a single one. */
void gp_begin(struct plot *p, const char *title, unsigned panels);
/* Between panels: removes labels, marks and ranges of the one before; `title` is the panel's own, NULL for none. */
void gp_panel(struct plot *p, const char *title);
/* The y label; in a terminal, which cannot turn text, below the x label. After plot_axis_write. */
void gp_ylabel(struct plot *p, const char *text);
void gp_end(struct plot *p);
/* Starts a block of p->dat; returns its number for `index`. */
unsigned gp_block(struct plot *p, const char *columns);
/* "'./STEM.dat' index N", the data argument of `plot`. */
void gp_data(struct plot *p, unsigned block);
/* Colour i of the Okabe-Ito palette, "#rrggbb". */
const char *gp_colour(size_t i);
/* Colour i of n on viridis, for orders and other ordered things. */
void gp_viridis(char out[8], size_t i, size_t n);

/* ---- for the kinds: plot_axis.c ---- */

/* The x axis common to all runs: which column, how it is scaled and called. */
struct plot_axis {
    const char *column;   /* "time_ps" */
    char label[64];       /* "simulated time (ms)" */
    double scale;         /* cell * scale is the picture's x */
    double min, max;      /* min: 0, of recorded kernels the first row */
};
/* Asks for the columns it may need; call before plot_read. */
void plot_axis_want(struct plot *p);
int plot_read(struct plot *p, struct err *err); /* reads the wanted columns of every run */
int plot_axis_pick(struct plot *p, struct plot_axis *a, struct err *err);
/* x label, range, and the marks (end of the warm-up, OOM kills) of run `run`; PLOT_NO_MARKS where several runs share
 * the panel. */
#define PLOT_NO_MARKS SIZE_MAX
void plot_axis_write(struct plot *p, const struct plot_axis *a, size_t run);
/* The axis begins where any run first has something else than 0 in a column; only the recording's quiet begin is cut off. */
void plot_axis_cut(const struct plot *p, struct plot_axis *a, const char *column);
double plot_x(const struct plot *p, const struct plot_axis *a, size_t run, size_t row);
/* "references" or "sim_references": the first that the run has, else -1. */
int plot_find(const struct plot_run *r, const char *a, const char *b);
/* The run replayed a recorded kernel: what its series calls references are events. */
bool plot_counts_events(const struct plot_run *r);
/* Rows that a picture of about `points` points takes: every step-th. */
size_t plot_step(size_t rows, size_t points);

#endif
