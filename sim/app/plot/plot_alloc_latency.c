/*
 * Latency of allocations over time: median and 99 of 100 of each interval, out of the counts by latency in series.csv (columns
 * slab_alloc_from_N: at least N cycles and less than the next). What is drawn is N: the truth is up to a quarter more below 128 cycles, and
 * up to a half above.
 */
#include "app/plot/plot.h"

#include "slab/replay/slab_latency.h"

#include <inttypes.h>

enum { INTERVALS = 120 };
static const struct { double share; const char *label; } lines[] = {{0.5, "median"}, {0.99, "99 of 100"}};

struct bins { int column[LAT_BINS]; bool any; };

static void find_bins(struct plot_run *r, struct bins *b)
{
    char name[48];
    b->any = false;
    for (unsigned i = 0; i < LAT_BINS; i++) {
        snprintf(name, sizeof name, "slab_alloc_from_%" PRIu64, slab_latency_bin_from(i));
        b->column[i] = table_column(&r->table, name);
        table_want(&r->table, b->column[i]);
        b->any |= b->column[i] >= 0;
    }
}

/* The bin in which `share` of the allocations between two rows are reached, by its least latency; -1: there were none. */
static double quantile(const struct plot_run *r, const struct bins *b, size_t from, size_t to, double share)
{
    double n[LAT_BINS] = {0}, all = 0, seen = 0;
    for (unsigned i = 0; i < LAT_BINS; i++) {
        if (b->column[i] >= 0)
            n[i] = table_cell(&r->table, to, b->column[i]) - table_cell(&r->table, from, b->column[i]);
        all += n[i];
    }
    for (unsigned i = 0; i < LAT_BINS && all > 0; i++) {
        seen += n[i];
        if (n[i] > 0 && seen >= share * all)
            return i ? (double)slab_latency_bin_from(i) : 1; /* on a logarithmic axis */
    }
    return -1;
}

/* Steps: two points an interval. */
static void write_line(struct plot *p, const struct plot_axis *a, size_t run, const struct bins *b, double share)
{
    const struct plot_run *r = &p->run[run];
    size_t step = plot_step(r->table.rows, INTERVALS);
    bool any = false;
    for (size_t row = 0; row + 1 < r->table.rows;) {
        size_t next = row + step < r->table.rows ? row + step : r->table.rows - 1;
        double v = quantile(r, b, row, next, share);
        if (v > 0) {
            fprintf(p->dat, "%.9g %.6g\n%.9g %.6g\n", plot_x(p, a, run, row), v, plot_x(p, a, run, next), v);
            any = true;
        }
        row = next;
    }
    if (!any)
        fputs("0 1\n", p->dat); /* a block without a line is an error to gnuplot */
}

int plot_alloc_latency(struct plot *p, struct err *err)
{
    struct bins bins[PLOT_RUNS_MAX] = {0};
    struct plot_axis a;
    for (size_t i = 0; i < p->n_runs; i++) {
        find_bins(&p->run[i], &bins[i]);
        if (!bins[i].any) {
            err_set(err, ERR_USAGE, "%.300s/series.csv: nothing was allocated", p->run[i].dir);
            return err_remedy(err, "replay a trace with kernel objects (mmulab record --kernel, docs/kernel-replay.md)");
        }
    }
    plot_axis_want(p);
    if (plot_read(p, err) || plot_axis_pick(p, &a, err))
        return -1;
    bool one = p->n_runs == 1; /* both lines in one panel; else a panel a line */
    size_t panels = one ? 1 : ARRAY_LEN(lines), n = one ? ARRAY_LEN(lines) : p->n_runs;
    gp_begin(p, "Latency of allocations in each interval", (unsigned)panels);
    for (size_t panel = 0; panel < panels; panel++) {
        unsigned block[PLOT_RUNS_MAX];
        for (size_t l = 0; l < n; l++) {
            size_t run = one ? 0 : l;
            block[l] = gp_block(p, "x, cycles (two points an interval)");
            write_line(p, &a, run, &bins[run], lines[one ? l : panel].share);
        }
        if (!one)
            gp_panel(p, lines[panel].label);
        plot_axis_write(p, &a, one ? 0 : PLOT_NO_MARKS);
        gp_ylabel(p, "core cycles");
        fputs("set logscale y\nset yrange [*:*]\nplot \\\n", p->gp);
        for (size_t l = 0; l < n; l++) {
            fputs("  ", p->gp);
            gp_data(p, block[l]);
            fprintf(p->gp, " using 1:2 with lines linewidth 1.6 linecolor '%s' title ", gp_colour(l));
            gp_label(p->gp, one ? lines[l].label : p->run[l].name);
            fputs(l + 1 == n ? "\n" : ", \\\n", p->gp);
        }
    }
    gp_end(p);
    return 0;
}
