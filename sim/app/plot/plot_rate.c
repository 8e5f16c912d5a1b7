/* Rates per interval out of cumulative counters: TLB and cache misses, faults, IPC, DRAM; and single columns. */
#include "app/plot/plot.h"
#include "app/suggest.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define BINS 240
#define SUM_MAX 512 /* columns that one line adds up: one a core */
#define LINES_MAX 8

struct line {
    const char *column; /* "dtlb_misses": also cpuN_dtlb_misses of every core, added up */
    const char *label;
};
static const struct rate {
    const char *kind, *title, *ylabel;
    struct line line[LINES_MAX];
} rates[] = {
    {"tlb_misses", "TLB misses", "misses per 1,000 references",
     {{"itlb_misses", "instruction TLB"}, {"dtlb_misses", "data TLB"}, {"stlb_misses", "second level"},
      {"walker_walks", "page walks"}}},
    {"cache_misses", "Cache misses", "misses per 1,000 references",
     {{"l1i_misses", "L1 instructions"}, {"l1d_misses", "L1 data"}, {"l2_misses", "L2"}, {"llc_misses", "last level"}}},
    {"faults", "Page faults", "faults per 1,000 references",
     {{"vm_faults_zero", "new zeroed page"}, {"vm_faults_file", "file page"}, {"vm_faults_cow", "copy on write"},
      {"vm_faults_minor", "minor, all"}, {"vm_faults_major", "major"}}},
    {"fallbacks", "Allocations that took memory of another migratetype", "allocations per 1,000 references",
     {{"buddy_fallback_claims_whole", "claimed a whole block"}, {"buddy_fallback_claims_part", "claimed one in use"},
      {"buddy_fallback_steals", "stolen"}, {"buddy_fallbacks", "all"}}},
    {"fallback_types", "Who took memory of which other migratetype", "allocations per 1,000 references",
     {{"buddy_fallback_unmovable_from_movable", "unmovable of movable"}, {"buddy_fallback_unmovable_from_reclaimable", "unmovable of reclaimable"},
      {"buddy_fallback_movable_from_unmovable", "movable of unmovable"}, {"buddy_fallback_movable_from_reclaimable", "movable of reclaimable"},
      {"buddy_fallback_reclaimable_from_movable", "reclaimable of movable"}, {"buddy_fallback_reclaimable_from_unmovable", "reclaimable of unmov."}}},
};

/* The columns that a line adds up in one run. */
struct columns {
    int c[SUM_MAX];
    size_t n;
};

static bool is_column(const char *have, const char *want)
{
    if (!strcmp(have, want))
        return true;
    if (strncmp(have, "cpu", 3) || !isdigit((unsigned char)have[3]))
        return false;
    const char *rest = have + 3 + strspn(have + 3, "0123456789");
    return *rest == '_' && !strcmp(rest + 1, want);
}

static void find_columns(struct plot_run *r, const char *want, struct columns *out)
{
    out->n = 0;
    for (size_t c = 0; c < r->table.n_columns && out->n < SUM_MAX; c++)
        if (is_column(r->table.name[c], want)) {
            out->c[out->n++] = (int)c;
            table_want(&r->table, (int)c);
        }
}

static double sum_at(const struct plot_run *r, size_t row, const struct columns *c)
{
    double sum = 0;
    for (size_t i = 0; i < c->n; i++)
        sum += table_cell(&r->table, row, c->c[i]);
    return sum;
}

/* Writes one line as steps: two points an interval, so that a series of two rows still shows. Returns the maximum. */
static double write_rate(struct plot *p, const struct plot_axis *a, size_t run, const struct columns *num,
                         const struct columns *den, double scale)
{
    const struct plot_run *r = &p->run[run];
    size_t step = plot_step(r->table.rows, BINS);
    double max = 0;
    for (size_t row = 0; row + 1 < r->table.rows;) {
        size_t next = row + step < r->table.rows ? row + step : r->table.rows - 1;
        double d = sum_at(r, next, den) - sum_at(r, row, den);
        if (d > 0) {
            double v = (sum_at(r, next, num) - sum_at(r, row, num)) * scale / d;
            fprintf(p->dat, "%.9g %.9g\n%.9g %.9g\n", plot_x(p, a, run, row), v, plot_x(p, a, run, next), v);
            max = v > max ? v : max;
        }
        row = next;
    }
    if (r->table.rows < 2 || !(max > 0))
        fputs("0 0\n", p->dat); /* a block without a line is an error to gnuplot */
    return max;
}

static void range_from_zero(struct plot *p, double max)
{
    fprintf(p->gp, "set yrange [0:%.6g]\n", max > 0 ? max * 1.06 : 1);
}

/* One line of a plot command. */
static void line_of(struct plot *p, unsigned block, size_t colour, const char *label, bool last)
{
    fputs("  ", p->gp);
    gp_data(p, block);
    /* Dashes from the fourth line on: equal lines stay visible, and grey prints readable. */
    fprintf(p->gp, " using 1:2 with lines linewidth 1.6 dashtype %d linecolor '%s' title ", colour < 3 ? 1 : 2,
            gp_colour(colour));
    gp_label(p->gp, label);
    fputs(last ? "\n" : ", \\\n", p->gp);
}

struct curve {
    const char *label;
    struct columns num[PLOT_RUNS_MAX], den[PLOT_RUNS_MAX];
};

static bool counts(const struct plot *p, const struct curve *c)
{
    for (size_t i = 0; i < p->n_runs; i++) {
        const struct plot_run *r = &p->run[i];
        if (r->table.rows > 1 && sum_at(r, r->table.rows - 1, &c->num[i]) > sum_at(r, 0, &c->num[i]))
            return true;
    }
    return false;
}

/* One run: all curves in one picture. Several: one panel a curve that counted in any of them, one line a run. */
static int draw_curves(struct plot *p, struct curve *curve, size_t n, const char *title, const char *ylabel,
                       double scale, struct err *err)
{
    struct plot_axis a;
    if (plot_axis_pick(p, &a, err))
        return -1;
    size_t counted = 0;
    for (size_t i = 0; p->n_runs > 1 && i < n; i++)
        if (counts(p, &curve[i]))
            curve[counted++] = curve[i];
    if (counted)
        n = counted;
    size_t panels = p->n_runs == 1 ? 1 : n, lines = p->n_runs == 1 ? n : p->n_runs;
    gp_begin(p, title, (unsigned)panels);
    for (size_t panel = 0; panel < panels; panel++) {
        unsigned block[LINES_MAX];
        double max = 0;
        for (size_t l = 0; l < lines; l++) {
            size_t run = p->n_runs == 1 ? 0 : l;
            const struct curve *c = &curve[p->n_runs == 1 ? l : panel];
            block[l] = gp_block(p, "x, rate of the interval (two points each)");
            double m = write_rate(p, &a, run, &c->num[run], &c->den[run], scale);
            max = m > max ? m : max;
        }
        if (panels > 1)
            gp_panel(p, curve[panel].label);
        plot_axis_write(p, &a, p->n_runs == 1 ? 0 : PLOT_NO_MARKS);
        gp_ylabel(p, ylabel);
        range_from_zero(p, max);
        if (!(max > 0))
            fputs("set label 'this did not happen' at graph 0.5, graph 0.5 center textcolor '#606060'\n", p->gp);
        fputs("plot \\\n", p->gp);
        for (size_t l = 0; l < lines; l++)
            line_of(p, block[l], l, p->n_runs == 1 ? curve[l].label : p->run[l].name, l + 1 == lines);
    }
    gp_end(p);
    return 0;
}

static int no_column(const struct plot_run *r, const char *names, struct err *err)
{
    err_set(err, ERR_USAGE, "the series has no column %s", names);
    err_remedy(err, "this run did not simulate it");
    return err_at(err, r->table.path, 1, 0);
}

static void want_references(struct plot *p, struct curve *c)
{
    for (size_t i = 0; i < p->n_runs; i++) {
        int column = plot_find(&p->run[i], "references", "sim_references");
        table_want(&p->run[i].table, column);
        c->den[i] = (struct columns){.c = {column}, .n = column >= 0};
    }
}

int plot_rates(struct plot *p, struct err *err)
{
    const struct rate *rate = rates;
    while (strcmp(rate->kind, p->kind->name))
        rate++;
    struct curve *curve = calloc(LINES_MAX, sizeof *curve);
    if (!curve)
        return err_set(err, ERR_RUN, "out of memory");
    size_t n = 0;
    char names[300] = "";
    for (size_t l = 0; l < LINES_MAX && rate->line[l].column; l++) {
        size_t found = 0;
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", l ? ", " : "", rate->line[l].column);
        for (size_t i = 0; i < p->n_runs; i++) {
            find_columns(&p->run[i], rate->line[l].column, &curve[n].num[i]);
            found += curve[n].num[i].n;
        }
        curve[n].label = rate->line[l].label;
        want_references(p, &curve[n]);
        n += found > 0;
    }
    int rc;
    if (!n)
        rc = no_column(&p->run[0], names, err);
    else if (!curve[0].den[0].n)
        rc = no_column(&p->run[0], "references", err);
    else {
        plot_axis_want(p);
        char ylabel[80];
        const char *of = plot_counts_events(&p->run[0]) ? strstr(rate->ylabel, "references") : NULL; /* a kernel's replay */
        snprintf(ylabel, sizeof ylabel, "%.*s%s", of ? (int)(of - rate->ylabel) : 79, rate->ylabel, of ? "recorded events" : "");
        rc = plot_read(p, err) ? -1 : draw_curves(p, curve, n, rate->title, ylabel, 1000, err);
    }
    free(curve);
    return rc;
}

/* Curves of the cores of one run; false if it has fewer than two, or more than there are colours. */
static size_t core_curves(struct plot *p, struct curve *curve, char label[][16])
{
    size_t n = 0;
    for (; n < LINES_MAX; n++) {
        char instructions[40], cycles[40];
        snprintf(instructions, sizeof instructions, "cpu%zu_instructions", n);
        snprintf(cycles, sizeof cycles, "cpu%zu_cycles", n);
        int i = table_column(&p->run[0].table, instructions), c = table_column(&p->run[0].table, cycles);
        if (i < 0 || c < 0)
            break;
        table_want(&p->run[0].table, i);
        table_want(&p->run[0].table, c);
        snprintf(label[n], 16, "core %zu", n);
        curve[n].label = label[n];
        curve[n].num[0] = (struct columns){.c = {i}, .n = 1};
        curve[n].den[0] = (struct columns){.c = {c}, .n = 1};
    }
    return n > 1 ? n : 0;
}

static double last_value(const struct plot_run *r, int column)
{
    return table_cell(&r->table, r->table.rows - 1, column);
}

int plot_ipc(struct plot *p, struct err *err)
{
    int instructions[PLOT_RUNS_MAX] = {0}, references[PLOT_RUNS_MAX] = {0}, cycles[PLOT_RUNS_MAX] = {0};
    for (size_t i = 0; i < p->n_runs; i++) {
        struct plot_run *r = &p->run[i];
        instructions[i] = plot_find(r, "instructions", "sim_instructions");
        references[i] = plot_find(r, "references", "sim_references");
        cycles[i] = plot_find(r, "cycles", "sim_cycles");
        if (cycles[i] < 0 || references[i] < 0)
            return no_column(r, cycles[i] < 0 ? "cycles" : "references", err);
        table_want(&r->table, instructions[i]);
        table_want(&r->table, references[i]);
        table_want(&r->table, cycles[i]);
    }
    struct curve *curve = calloc(LINES_MAX, sizeof *curve);
    if (!curve)
        return err_set(err, ERR_RUN, "out of memory");
    char label[LINES_MAX][16];
    size_t cores = p->n_runs == 1 ? core_curves(p, curve, label) : 0;
    plot_axis_want(p);
    int rc = plot_read(p, err);
    bool has_instructions = true;
    for (size_t i = 0; i < p->n_runs && !rc; i++) {
        has_instructions &= instructions[i] >= 0 && last_value(&p->run[i], instructions[i]) > 0;
        if (last_value(&p->run[i], cycles[i]) <= 0) {
            err_set(err, ERR_USAGE, "the run counted no cycles: functional mode, or an empty trace");
            err_remedy(err, "make it with -s sim.mode=timed");
            rc = err_at(err, p->run[i].table.path, 0, 0);
        }
    }
    if (!rc && (!cores || !has_instructions)) {
        cores = 1;
        curve[0].label = "all cores";
        for (size_t i = 0; i < p->n_runs; i++) {
            curve[0].num[i] = (struct columns){.c = {has_instructions ? instructions[i] : references[i]}, .n = 1};
            curve[0].den[i] = (struct columns){.c = {cycles[i]}, .n = 1};
        }
    }
    if (!rc)
        rc = draw_curves(p, curve, cores, has_instructions ? "Instructions per cycle" : "References per cycle",
                         has_instructions ? "instructions per cycle" : "references per cycle", 1, err);
    free(curve);
    return rc;
}

/* ---- DRAM ---- */

static unsigned write_shares(struct plot *p, const struct plot_axis *a, size_t run, const int column[3])
{
    const struct plot_run *r = &p->run[run];
    unsigned block = gp_block(p, "x, share of row hits, + row misses, + row conflicts (percent)");
    size_t step = plot_step(r->table.rows, BINS);
    bool any = false;
    for (size_t row = 0; row + 1 < r->table.rows;) {
        size_t next = row + step < r->table.rows ? row + step : r->table.rows - 1;
        double d[3], sum = 0;
        for (int k = 0; k < 3; k++)
            sum += d[k] = table_cell(&r->table, next, column[k]) - table_cell(&r->table, row, column[k]);
        if (sum > 0) {
            any = true;
            for (int end = 0; end < 2; end++)
                fprintf(p->dat, "%.9g %.6g %.6g 100\n", plot_x(p, a, run, end ? next : row), d[0] * 100 / sum,
                        (d[0] + d[1]) * 100 / sum);
        } else {
            fprintf(p->dat, "%.9g NaN NaN NaN\n", plot_x(p, a, run, next));
        }
        row = next;
    }
    if (!any)
        fputs("0 0 0 0\n", p->dat);
    return block;
}

int plot_dram(struct plot *p, struct err *err)
{
    static const char *const names[3] = {"dram_row_hits", "dram_row_misses", "dram_row_conflicts"};
    static const char *const labels[3] = {"row hit", "row miss", "row conflict"};
    static const size_t colours[3] = {2, 4, 1};
    int column[PLOT_RUNS_MAX][3] = {{0}};
    struct columns reads, writes, references;
    for (size_t i = 0; i < p->n_runs; i++)
        for (int k = 0; k < 3; k++) {
            column[i][k] = table_column(&p->run[i].table, names[k]);
            if (column[i][k] < 0)
                return no_column(&p->run[i], names[k], err);
            table_want(&p->run[i].table, column[i][k]);
        }
    find_columns(&p->run[0], "dram_reads", &reads);
    find_columns(&p->run[0], "dram_writes", &writes);
    int ref = plot_find(&p->run[0], "references", "sim_references");
    references = (struct columns){.c = {ref}, .n = ref >= 0};
    bool traffic = p->n_runs == 1 && reads.n && writes.n && ref >= 0;
    struct plot_axis a;
    plot_axis_want(p);
    if (plot_read(p, err) || plot_axis_pick(p, &a, err))
        return -1;
    gp_begin(p, "DRAM row buffer", traffic ? 2 : (unsigned)p->n_runs);
    for (size_t i = 0; i < p->n_runs; i++) {
        unsigned block = write_shares(p, &a, i, column[i]);
        if (p->panels > 1)
            gp_panel(p, p->n_runs > 1 ? p->run[i].name : "Outcome of accesses");
        plot_axis_write(p, &a, i);
        gp_ylabel(p, "share of accesses (%)");
        fputs("set yrange [0:100]\nplot \\\n", p->gp);
        for (int k = 3; k-- > 0;) {
            fputs("  ", p->gp);
            gp_data(p, block);
            fprintf(p->gp, " using 1:%d with filledcurves x1 linecolor '%s' title '%s'%s\n", k + 2,
                    gp_colour(colours[k]), labels[k], k ? ", \\" : "");
        }
    }
    if (traffic) {
        unsigned r = gp_block(p, "x, reads per 1,000 references");
        double max = write_rate(p, &a, 0, &reads, &references, 1000);
        unsigned w = gp_block(p, "x, writes per 1,000 references");
        double max_w = write_rate(p, &a, 0, &writes, &references, 1000);
        gp_panel(p, "Traffic");
        plot_axis_write(p, &a, 0);
        gp_ylabel(p, "lines per 1,000 references");
        range_from_zero(p, max > max_w ? max : max_w);
        fputs("plot \\\n", p->gp);
        line_of(p, r, 0, "reads", false);
        line_of(p, w, 1, "writes", true);
    }
    gp_end(p);
    return 0;
}

/* ---- any column as it is ---- */

/* The remedy where no column was named: the first ones, and how to see all. */
static int column_names(const struct plot_run *r, struct err *err)
{
    enum { SHOWN = 12 };
    char names[320] = "";
    for (size_t i = 0; i < r->table.n_columns && i < SHOWN; i++) {
        size_t n = strlen(names);
        snprintf(names + n, sizeof names - n, "%s%.64s", i ? ", " : "", r->table.name[i]);
    }
    return err_remedy(err, "add --stat NAME: %s%s (mmulab plot list %.100s has all %zu)", names,
                      r->table.n_columns > SHOWN ? ", ..." : "", r->dir, r->table.n_columns);
}

static int unknown_column(const struct plot_run *r, const char *name, struct err *err)
{
    const char **names = calloc(r->table.n_columns + 1, sizeof *names);
    const char *near = NULL;
    if (names) {
        memcpy(names, r->table.name, r->table.n_columns * sizeof *names);
        near = suggest(name, names);
    }
    err_set(err, ERR_USAGE, "the series has no column %s", name);
    if (near)
        err_remedy(err, "did you mean \"%.64s\"?", near);
    else
        err_remedy(err, "mmulab plot list %.200s names all of this run", r->dir);
    free(names);
    return err_at(err, r->table.path, 1, 0);
}

int plot_column(struct plot *p, struct err *err)
{
    if (!p->stat) {
        err_set(err, ERR_USAGE, "which column of series.csv is to be drawn");
        return column_names(&p->run[0], err);
    }
    struct columns c[PLOT_RUNS_MAX] = {{.n = 0}};
    char name[256];
    snprintf(name, sizeof name, "%s", p->stat);
    for (char *s = name; *s; s++) /* the name of a statistic is accepted too */
        *s = isalnum((unsigned char)*s) ? (char)tolower((unsigned char)*s) : '_';
    for (size_t i = 0; i < p->n_runs; i++) {
        find_columns(&p->run[i], name, &c[i]);
        if (!c[i].n)
            return unknown_column(&p->run[i], name, err);
    }
    struct plot_axis a;
    plot_axis_want(p);
    if (plot_read(p, err) || plot_axis_pick(p, &a, err))
        return -1;
    gp_begin(p, name, 1);
    plot_axis_write(p, &a, p->n_runs == 1 ? 0 : PLOT_NO_MARKS);
    unsigned block[PLOT_RUNS_MAX] = {0};
    bool any = false;
    for (size_t i = 0; i < p->n_runs; i++) {
        const struct plot_run *r = &p->run[i];
        size_t step = plot_step(r->table.rows, 1000);
        for (size_t row = 0; row < r->table.rows && !any; row++)
            any = sum_at(r, row, &c[i]) < 0 || sum_at(r, row, &c[i]) > 0;
        block[i] = gp_block(p, "x, value");
        for (size_t row = 0;; row = row + step < r->table.rows ? row + step : r->table.rows - 1) {
            fprintf(p->dat, "%.9g %.17g\n", plot_x(p, &a, i, row), sum_at(r, row, &c[i]));
            if (row + 1 == r->table.rows)
                break;
        }
    }
    gp_ylabel(p, name);
    fputs(any ? "plot \\\n" : "set yrange [0:1]\nplot \\\n", p->gp);
    for (size_t i = 0; i < p->n_runs; i++)
        line_of(p, block[i], i, p->run[i].name, i + 1 == p->n_runs);
    gp_end(p);
    return 0;
}
