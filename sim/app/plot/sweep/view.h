/*
 * What a picture of a sweep shows: the points that --where leaves, laid out by up to three axes (along x; lines, bars or rows;
 * panels), a sample over seeds in each cell.
 */
#ifndef APP_PLOT_SWEEP_VIEW_H
#define APP_PLOT_SWEEP_VIEW_H

#include "app/plot/plot.h"
#include "app/sweep/student.h"
#include "app/sweepdb/sweepdb.h"

enum view_slot { VIEW_X, VIEW_BY, VIEW_PANEL, N_VIEW_SLOTS };
enum { VIEW_PANELS_MAX = 6 };

struct view_axis {
    int axis;                           /* of the sweep; -1: none, then there is one place */
    const struct sweepdb_value **value; /* those that occur, in the axis' order; NULL if there is no axis */
    size_t n;
};

struct view_cell {
    struct sample s;
    bool planned; /* the sweep has such a point */
};

struct sweep_view {
    struct sweepdb db;
    bool *in;                 /* is the point left by --where? */
    struct view_axis slot[N_VIEW_SLOTS];
    struct view_cell *cell;   /* panel, by, x */
    char label[240];          /* of the values: "cpu*.stlb.misses per 1,000 references (thousands)" */
    char title[240];
    bool intervals;           /* some cell has more than one seed */
    double max, least;        /* largest value and end of interval; least value above 0 */
    double scale;             /* values are drawn times this */
};

/* Which axis goes where if the user does not say: lines want numbers along x, bars names. */
enum view_want { VIEW_LINES, VIEW_BARS, VIEW_HEATMAP };
int view_open(struct sweep_view *v, struct plot *p, enum view_want want, struct err *err);
void view_close(struct sweep_view *v);

static inline struct view_cell *view_cell(const struct sweep_view *v, size_t panel, size_t by, size_t x)
{
    return &v->cell[(panel * v->slot[VIEW_BY].n + by) * v->slot[VIEW_X].n + x];
}

/* "64 KiB", "gzip": a value as people read it. */
void view_value(const struct sweep_view *v, enum view_slot s, size_t i, char *out, size_t size);
/* The axis' key, "" if there is none. */
const char *view_key(const struct sweep_view *v, enum view_slot s);
bool view_numeric(const struct sweep_view *v, enum view_slot s);
/* The title above a panel; starts the panel. Does nothing for a single picture. */
void view_panel(const struct sweep_view *v, struct plot *p, size_t panel);
/* "set key title", and the colour of line or bar i. */
void view_key_title(const struct sweep_view *v, struct plot *p);
void view_colour(const struct sweep_view *v, size_t by, char out[8]);
/* Has that line nothing to draw? gnuplot must not read its block then: it ends without a picture, or crashes. */
bool view_empty(const struct sweep_view *v, size_t panel, size_t by);

#endif
