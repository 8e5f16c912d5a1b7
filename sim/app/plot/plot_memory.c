/* Physical memory over time, from fragmentation.csv and memory_map.csv (result/series/memory_series.h). */
#include "app/plot/plot.h"
#include "app/result/series/memory_series.h"

#include "frames/measure/survey.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LINES_MAX = 10, POINTS = 1000 };

/* Colour of each class; Okabe and Ito's, so that the common kinds of colour blindness tell them apart. */
static const char *class_colour(enum survey_class c)
{
    static const char *const colour[N_SURVEY_CLASSES] = {
        [SURVEY_HOLE] = "#ffffff", [SURVEY_RESERVED] = "#999999", [SURVEY_FREE] = "#e8e8e8", [SURVEY_PCP] = "#f0e442",
        [SURVEY_ANON] = "#0072b2", [SURVEY_FILE] = "#009e73", [SURVEY_PGTABLE] = "#cc79a7", [SURVEY_SLAB] = "#e69f00",
        [SURVEY_KERNEL] = "#d55e00"};
    return colour[c];
}

static const char *class_label(enum survey_class c)
{
    static const char *const label[N_SURVEY_CLASSES] = {
        [SURVEY_HOLE] = "no RAM", [SURVEY_RESERVED] = "not managed", [SURVEY_FREE] = "free", [SURVEY_PCP] = "per-CPU lists",
        [SURVEY_ANON] = "anonymous", [SURVEY_FILE] = "file", [SURVEY_PGTABLE] = "page tables", [SURVEY_SLAB] = "slab",
        [SURVEY_KERNEL] = "kernel"};
    return label[c];
}

struct part { const char *column, *label, *colour; };

static int need(struct plot *p, size_t run, const char *column, struct err *err)
{
    int c = table_column(&p->run[run].table, column);
    if (c < 0) {
        err_set(err, ERR_USAGE, "there is no column \"%s\"", column);
        err_at(err, p->run[run].table.path, 1, 0);
        return strncmp(column, "slab_", 5) != 0 ? -1
                                                : err_remedy(err, "it is of runs that replay kernel objects: docs/kernel-replay.md");
    }
    table_want(&p->run[run].table, c);
    return 0;
}

/* One block of data: x and the parts' columns. */
static unsigned write_columns(struct plot *p, const struct plot_axis *a, size_t run, const struct part *part, size_t n)
{
    const struct plot_table *t = &p->run[run].table;
    unsigned block = gp_block(p, "x, then the columns in the order of the picture");
    size_t step = plot_step(t->rows, POINTS);
    for (size_t row = 0;;) {
        fprintf(p->dat, "%.9g", plot_x(p, a, run, row));
        for (size_t i = 0; i < n; i++)
            fprintf(p->dat, " %.9g", table_cell(t, row, table_column(t, part[i].column)));
        fputc('\n', p->dat);
        if (row + 1 == t->rows)
            return block;
        row = row + step < t->rows ? row + step : t->rows - 1;
    }
}

/* ---- stacked: memory_use, pageblocks, slab_bytes ---- */

static const struct stack {
    const char *kind, *title, *ylabel;
    double scale;
    struct part part[LINES_MAX]; /* from the bottom */
} stacks[] = {
    {"memory_use", "Frames by use", "memory (MiB)", 1 / 256.0,
     {{"pages_kernel", "kernel", "#d55e00"}, {"pages_slab", "slab", "#e69f00"},
      {"pages_pgtable", "page tables", "#cc79a7"}, {"pages_file", "file", "#009e73"}, {"pages_anon", "anonymous", "#0072b2"},
      {"pages_pcp", "per-CPU lists", "#f0e442"}, {"pages_free", "free", "#e8e8e8"}, {"pages_reserved", "not managed", "#999999"}}},
    {"pageblocks", "Pageblocks by what they hold", "pageblocks", 1,
     {{"pageblocks_unmovable", "unmovable only", "#d55e00"}, {"pageblocks_mixed", "mixed", "#e69f00"},
      {"pageblocks_movable", "movable only", "#0072b2"}, {"pageblocks_free", "free", "#e8e8e8"}}},
    {"slab_bytes", "Where the memory in slabs is", "memory (KiB)", 1 / 1024.0,
     {{"slab_requested_bytes", "asked for", "#0072b2"}, {"slab_rounding_bytes", "rounding up", "#56b4e9"},
      {"slab_tail_bytes", "ends of slabs", "#d55e00"}, {"slab_free_bytes", "free slots", "#e8e8e8"}}},
};

int plot_memory_parts(struct plot *p, struct err *err)
{
    const struct stack *s = stacks;
    while (strcmp(s->kind, p->kind->name) != 0)
        s++;
    size_t n = 0;
    while (n < LINES_MAX && s->part[n].column)
        n++;
    for (size_t i = 0; i < p->n_runs; i++)
        for (size_t k = 0; k < n; k++)
            if (need(p, i, s->part[k].column, err))
                return -1;
    struct plot_axis a;
    plot_axis_want(p);
    if (plot_read(p, err) || plot_axis_pick(p, &a, err))
        return -1;
    if (!strcmp(s->kind, "slab_bytes"))
        plot_axis_cut(p, &a, s->part[0].column);
    gp_begin(p, s->title, (unsigned)p->n_runs);
    for (size_t i = 0; i < p->n_runs; i++) {
        unsigned block = write_columns(p, &a, i, s->part, n);
        if (p->n_runs > 1)
            gp_panel(p, p->run[i].name);
        plot_axis_write(p, &a, i);
        gp_ylabel(p, s->ylabel);
        fprintf(p->gp, "set yrange [0:*]\n# the parts up to n, stacked\nupto(n) = sum [k=0:n] column(k + 2) * %.9g\nplot \\\n", s->scale);
        for (size_t k = n; k-- > 0;) {
            fputs("  ", p->gp);
            gp_data(p, block);
            fprintf(p->gp, " using 1:(upto(%zu)) with filledcurves x1 linecolor '%s' title '%s'%s\n", k, s->part[k].colour,
                    s->part[k].label, k ? ", \\" : "");
        }
    }
    gp_end(p);
    return 0;
}

/* ---- lines: huge_pages, largest_run, proactive_score, slab_utilisation; several runs are overlaid ---- */

static const struct lines {
    const char *kind, *title;
    struct { const char *title, *ylabel; double scale; struct part part[2]; } panel[2];
} line_kinds[] = {
    {"huge_pages", "Huge pages that could be had",
     {{"2 MiB areas", "areas", 1, {{"free_2m", "free", ""}, {"could_2m", "with moving", ""}}},
      {"1 GiB areas", "areas", 1, {{"free_1g", "free", ""}, {"could_1g", "with moving", ""}}}}},
    {"largest_run", "Longest run of free memory", {{NULL, "MiB", 1 / 256.0, {{"largest_free_run", "longest run", ""}}}}},
    {"proactive_score", "Proactive compaction: fragmentation score of the node",
     {{NULL, "score (0 to 100)", 1, {{"proactive_score", "score", ""}}}}},
    {"slab_utilisation", "Memory in slabs against what its objects asked for",
     {{"solid: in slabs, dashed: asked for", "KiB", 1 / 1024.0, {{"slab_bytes", "in slabs", ""}, {"slab_requested_bytes", "asked for", ""}}},
      {"utilisation", "asked for / in slabs (%)", 100, {{"slab_utilisation", "utilisation", ""}}}}},
};

/* Top of a panel: the largest value of its lines in any run. */
static double largest(const struct plot *p, const struct part *part, size_t n)
{
    double max = 0;
    for (size_t i = 0; i < p->n_runs; i++)
        for (size_t k = 0; k < n; k++)
            for (size_t row = 0; row < p->run[i].table.rows; row++)
                max = fmax(max, table_cell(&p->run[i].table, row, table_column(&p->run[i].table, part[k].column)));
    return max;
}

int plot_memory_lines(struct plot *p, struct err *err)
{
    const struct lines *l = line_kinds;
    while (strcmp(l->kind, p->kind->name) != 0)
        l++;
    struct part part[4];
    size_t n = 0, panels = l->panel[1].ylabel ? 2 : 1;
    for (size_t k = 0; k < panels; k++)
        for (size_t i = 0; i < 2 && l->panel[k].part[i].column; i++)
            part[n++] = l->panel[k].part[i];
    for (size_t i = 0; i < p->n_runs; i++)
        for (size_t k = 0; k < n; k++)
            if (need(p, i, part[k].column, err))
                return -1;
    struct plot_axis a;
    plot_axis_want(p);
    if (plot_read(p, err) || plot_axis_pick(p, &a, err))
        return -1;
    if (!strcmp(l->kind, "slab_utilisation"))
        plot_axis_cut(p, &a, l->panel[0].part[0].column);
    unsigned block[PLOT_RUNS_MAX] = {0};
    for (size_t i = 0; i < p->n_runs; i++)
        block[i] = write_columns(p, &a, i, part, n);
    gp_begin(p, l->title, (unsigned)panels);
    for (size_t k = 0, column = 2; k < panels; k++) {
        if (panels > 1)
            gp_panel(p, l->panel[k].title);
        plot_axis_write(p, &a, p->n_runs == 1 ? 0 : PLOT_NO_MARKS);
        gp_ylabel(p, l->panel[k].ylabel);
        size_t lines = l->panel[k].part[1].column ? 2 : 1;
        double top = largest(p, l->panel[k].part, lines) * l->panel[k].scale;
        fprintf(p->gp, "set yrange [0:%.6g]\nplot \\\n", top > 0 ? top * 1.06 : 1);
        for (size_t i = 0; i < p->n_runs; i++)
            for (size_t j = 0; j < lines; j++) {
                char label[160];
                if (p->n_runs == 1)
                    snprintf(label, sizeof label, "%s", l->panel[k].part[j].label);
                else
                    snprintf(label, sizeof label, lines > 1 ? "%s: %s" : "%s", p->run[i].name, l->panel[k].part[j].label);
                fputs("  ", p->gp);
                gp_data(p, block[i]);
                fprintf(p->gp, " using 1:($%zu*%.9g) with steps linewidth %s linecolor '%s'%s title ", column + j, l->panel[k].scale,
                        j ? "1.4" : "2.2", gp_colour(p->n_runs == 1 ? j : i), j ? " dashtype 2" : "");
                gp_label(p->gp, label);
                fputs(i + 1 < p->n_runs || j + 1 < lines ? ", \\\n" : "\n", p->gp);
            }
        column += lines;
    }
    gp_end(p);
    return 0;
}

/* ---- free_runs: the free-contiguity CDF ---- */

enum { RUN_BINS_MAX = SURVEY_RUN_BINS };

static unsigned write_cdf(struct plot *p, size_t run, size_t row, unsigned bins)
{
    const struct plot_table *t = &p->run[run].table;
    unsigned block = gp_block(p, "bytes, share of free memory in runs shorter than that");
    double total = 0, sum = 0;
    char name[40];
    for (unsigned k = 0; k < bins; k++) {
        snprintf(name, sizeof name, "free_run_pages_%u", k);
        total += table_cell(t, row, table_column(t, name));
    }
    fprintf(p->dat, "4096 0\n");
    for (unsigned k = 0; k < bins; k++) {
        snprintf(name, sizeof name, "free_run_pages_%u", k);
        sum += table_cell(t, row, table_column(t, name));
        fprintf(p->dat, "%.0f %.9g\n", ldexp(4096, (int)k + 1), total > 0 ? sum / total : 0);
    }
    return block;
}

int plot_free_runs(struct plot *p, struct err *err)
{
    unsigned bins[PLOT_RUNS_MAX] = {0}, most = 0;
    char name[40];
    for (size_t i = 0; i < p->n_runs; i++) {
        if (need(p, i, "free_run_pages_0", err))
            return -1;
        for (bins[i] = 0; bins[i] < RUN_BINS_MAX; bins[i]++) {
            snprintf(name, sizeof name, "free_run_pages_%u", bins[i]);
            int c = table_column(&p->run[i].table, name);
            if (c < 0)
                break;
            table_want(&p->run[i].table, c);
        }
        most = bins[i] > most ? bins[i] : most;
    }
    if (plot_read(p, err))
        return -1;
    gp_begin(p, "Free memory by length of its runs", 1);
    fputs("set xlabel 'length of a run of free memory'\nset logscale x 2\nset xtics (", p->gp);
    static const char *const unit[] = {"KiB", "MiB", "GiB", "TiB", "PiB"};
    for (unsigned e = 12, n = 0; e <= 12 + most; e += 3)
        fprintf(p->gp, "%s'%u %s' %.0f", n++ ? ", " : "", 1u << (e % 10), unit[e / 10 - 1], ldexp(1, (int)e));
    fputs(")\n", p->gp);
    gp_ylabel(p, "share of free memory in shorter runs");
    fprintf(p->gp, "set xrange [4096:%.0f]\nset yrange [0:1.02]\nplot \\\n", ldexp(4096, (int)most));
    for (size_t i = 0; i < p->n_runs; i++)
        for (unsigned end = 0; end < 2; end++) {
            char label[100];
            unsigned block = write_cdf(p, i, end ? p->run[i].table.rows - 1 : 0, bins[i]);
            snprintf(label, sizeof label, p->n_runs == 1 ? "%s%s" : "%s: %s", p->n_runs == 1 ? "" : p->run[i].name,
                     end ? "at the end" : "at the start");
            fputs("  ", p->gp);
            gp_data(p, block);
            fprintf(p->gp, " using 1:2 with lines linewidth %s linecolor '%s'%s title ", end ? "2.4" : "1.4",
                    gp_colour(p->n_runs == 1 ? end : i), end ? "" : " dashtype 2");
            gp_label(p->gp, label);
            fputs(i + 1 < p->n_runs || !end ? ", \\\n" : "\n", p->gp);
        }
    gp_end(p);
    return 0;
}

/* ---- memory_map ---- */

enum { MAP_STEPS = 240 }; /* columns of the picture; rows of the file are held until the next */

/* The class's colour, paler the less of the cell is in use. */
static unsigned shade(double cell)
{
    unsigned c = (unsigned)(cell / MEMORY_CELL_SCALE);
    if (c >= N_SURVEY_CLASSES)
        c = SURVEY_KERNEL;
    unsigned long rgb = strtoul(class_colour((enum survey_class)c) + 1, NULL, 16), base = strtoul(class_colour(SURVEY_FREE) + 1, NULL, 16);
    double used = fmod(cell, MEMORY_CELL_SCALE) / (MEMORY_CELL_SCALE - 1);
    double part = c == SURVEY_HOLE || c == SURVEY_FREE ? 1 : 0.25 + 0.75 * used; /* a single frame is still seen */
    unsigned out = 0;
    for (int s = 16; s >= 0; s -= 8)
        out = out << 8 | (unsigned)lround((double)(base >> s & 255) + part * ((double)(rgb >> s & 255) - (double)(base >> s & 255)));
    return out;
}

/* Every cell of every step as one line; x is the middle of the step. */
static unsigned write_map(struct plot *p, const struct plot_axis *a, size_t run, unsigned cells)
{
    const struct plot_table *t = &p->run[run].table;
    unsigned block = gp_block(p, "x, cell, red, green, blue");
    double length = plot_x(p, a, run, t->rows - 1) - a->min, step = length > 0 ? length / MAP_STEPS : 1;
    size_t row = 0;
    for (unsigned i = 0; i < MAP_STEPS; i++) {
        double x = a->min + (i + 0.5) * step;
        while (row + 1 < t->rows && plot_x(p, a, run, row + 1) <= x)
            row++;
        for (unsigned c = 0; c < cells; c++) {
            char name[24];
            snprintf(name, sizeof name, "cell_%03u", c);
            unsigned rgb = shade(table_cell(t, row, table_column(t, name)));
            fprintf(p->dat, "%.9g %u %u %u %u\n", x, c, rgb >> 16, rgb >> 8 & 255, rgb & 255);
        }
    }
    return block;
}

/* Marks of physical address: four to eight, at round ones. */
static void address_tics(struct plot *p, unsigned cells, uint64_t cell_bytes)
{
    static const char *const unit[] = {"KiB", "MiB", "GiB", "TiB", "PiB"};
    uint64_t total = cells * cell_bytes, step = PAGE_BYTES;
    while (total / step > 8)
        step *= 2;
    fputs("set ytics (", p->gp);
    for (uint64_t at = 0; at <= total; at += step) {
        unsigned u = 0;
        double v = (double)at / 1024;
        for (; v >= 1024 && u + 1 < ARRAY_LEN(unit); u++)
            v /= 1024;
        fprintf(p->gp, at > 0 ? ", '%.4g %s' %.6g" : "'%.0f%s' %.6g", at > 0 ? v : 0, at > 0 ? unit[u] : "", (double)at / (double)cell_bytes - 0.5);
    }
    fputs(")\n", p->gp);
}

int plot_memory_map(struct plot *p, struct err *err)
{
    if (p->format == PLOT_TERM) {
        err_set(err, ERR_USAGE, "a map of memory needs colours, which the terminal's plot has not");
        return err_remedy(err, "write -f png, or draw pageblocks or memory_use instead");
    }
    unsigned cells[PLOT_RUNS_MAX] = {0};
    for (size_t i = 0; i < p->n_runs; i++) {
        if (need(p, i, "cell_000", err) || need(p, i, "cell_pages", err))
            return -1;
        for (cells[i] = 0; cells[i] < MEMORY_CELLS_MAX; cells[i]++) {
            char name[24];
            snprintf(name, sizeof name, "cell_%03u", cells[i]);
            int c = table_column(&p->run[i].table, name);
            if (c < 0)
                break;
            table_want(&p->run[i].table, c);
        }
    }
    struct plot_axis a;
    plot_axis_want(p);
    if (plot_read(p, err) || plot_axis_pick(p, &a, err))
        return -1;
    gp_begin(p, "Physical memory by pageblock", (unsigned)p->n_runs);
    if (p->n_runs > 1 && p->format != PLOT_TERM)
        fputs("set lmargin at screen 0.105\n", p->gp); /* "512 MiB" is longer than other pictures' numbers */
    for (size_t i = 0; i < p->n_runs; i++) {
        unsigned block = write_map(p, &a, i, cells[i]);
        if (p->n_runs > 1)
            gp_panel(p, p->run[i].name);
        plot_axis_write(p, &a, i);
        gp_ylabel(p, "physical address");
        double pages = table_cell(&p->run[i].table, 0, table_column(&p->run[i].table, "cell_pages"));
        address_tics(p, cells[i], pages >= 1 ? (uint64_t)pages * PAGE_BYTES : PAGE_BYTES);
        fprintf(p->gp, "set yrange [-0.5:%.1f]\nplot \\\n  ", cells[i] - 0.5);
        gp_data(p, block);
        fputs(" using 1:2:3:4:5 with rgbimage notitle", p->gp);
        for (unsigned c = N_SURVEY_CLASSES; c-- > SURVEY_RESERVED;)
            fprintf(p->gp, ", \\\n  NaN with points pointtype 5 pointsize 1.6 linecolor '%s' title '%s'", class_colour((enum survey_class)c),
                    class_label((enum survey_class)c));
        fputs("\nset ytics autofreq\n", p->gp);
    }
    gp_end(p);
    return 0;
}
