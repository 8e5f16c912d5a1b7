/* Zones by block order: pictures from the columns zone_NAME_free_ORDER. */
#include "app/plot/plot.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ORDERS_MAX 32
#define ZONES_MAX 8
#define POINTS 1000
#define FREE "_free_"

struct zone_columns {
    char name[32];
    int column[ORDERS_MAX]; /* -1: none */
    unsigned orders;
};

/* "zone_normal_free_10" -> "normal", 10 */
static bool zone_column(const char *column, char *zone, size_t size, unsigned *order)
{
    const char *at = strstr(column, FREE), *digits = at ? at + strlen(FREE) : NULL;
    if (strncmp(column, "zone_", 5) || !at || at < column + 6 || !isdigit((unsigned char)*digits))
        return false;
    char *end;
    unsigned long o = strtoul(digits, &end, 10);
    size_t len = (size_t)(at - column) - 5;
    if (*end || o >= ORDERS_MAX || len >= size)
        return false;
    memcpy(zone, column + 5, len);
    zone[len] = '\0';
    *order = (unsigned)o;
    return true;
}

static size_t zones_of(const struct plot_run *r, struct zone_columns *z)
{
    size_t n = 0;
    for (size_t c = 0; c < r->table.n_columns; c++) {
        char name[32];
        unsigned order;
        size_t i = 0;
        if (!zone_column(r->table.name[c], name, sizeof name, &order))
            continue;
        while (i < n && strcmp(z[i].name, name))
            i++;
        if (i == ZONES_MAX)
            continue;
        if (i == n) {
            z[n] = (struct zone_columns){0};
            memcpy(z[n].name, name, sizeof name);
            memset(z[n++].column, -1, sizeof z[0].column);
        }
        z[i].column[order] = (int)c;
        if (order + 1 > z[i].orders)
            z[i].orders = order + 1;
    }
    return n;
}

static int missing(const struct plot_run *r, const char *zone, const struct zone_columns *z, size_t n, struct err *err)
{
    char have[300] = "";
    for (size_t i = 0; i < n; i++)
        snprintf(have + strlen(have), sizeof have - strlen(have), "%s%.31s", i ? ", " : "",
                 z[i].name);
    if (!n)
        err_set(err, ERR_USAGE, "the series has no columns zone_NAME_free_ORDER: this run has no record of free memory");
    else
        err_set(err, ERR_USAGE, "there is no zone \"%.40s\" in this run; it has: %s", zone, have);
    return err_at(err, r->table.path, 1, 0);
}

/* The columns of the zones that a picture shows of run `r`: one zone, or all of them. */
struct selection {
    struct zone_columns z[ZONES_MAX];
    size_t n;
    unsigned orders;
};

static int select_zones(struct plot *p, size_t run, const char *zone, struct selection *sel, struct err *err)
{
    struct plot_run *r = &p->run[run];
    struct zone_columns all[ZONES_MAX];
    size_t n = zones_of(r, all);
    *sel = (struct selection){0};
    for (size_t i = 0; i < n; i++)
        if (!zone || !strcasecmp(zone, all[i].name)) {
            sel->z[sel->n++] = all[i];
            if (all[i].orders > sel->orders)
                sel->orders = all[i].orders;
        }
    if (!sel->n)
        return missing(r, zone, all, n, err);
    for (size_t i = 0; i < sel->n; i++)
        for (unsigned o = 0; o < sel->z[i].orders; o++)
            table_want(&r->table, sel->z[i].column[o]);
    return 0;
}

static double blocks_at(const struct plot_run *r, const struct selection *sel, size_t row, unsigned order)
{
    double sum = 0;
    for (size_t i = 0; i < sel->n; i++)
        if (order < sel->z[i].orders && sel->z[i].column[order] >= 0)
            sum += table_cell(&r->table, row, sel->z[i].column[order]);
    return sum;
}

struct largest {
    double blocks, pages; /* of one order; of all orders together */
};

enum shown { SHOW_BLOCKS, SHOW_UNUSABLE, SHOW_EXTFRAG };

/* One block of data: x and one number an order: free blocks, or the index that they or the columns give. */
static unsigned write_block(struct plot *p, const struct plot_axis *a, size_t run, const struct selection *sel,
                            enum shown shown, struct largest *max)
{
    static const char *const head[] = {"x, free blocks of order 0, 1, ...", "x, unusable free space index of order 0, 1, ...",
                                       "x, external fragmentation index of order 0, 1, ..."};
    const struct plot_run *r = &p->run[run];
    unsigned block = gp_block(p, head[shown]);
    size_t step = plot_step(r->table.rows, POINTS);
    *max = (struct largest){0};
    for (size_t row = 0;;) {
        fprintf(p->dat, "%.9g", plot_x(p, a, run, row));
        double total = 0, blocks = 0, suitable;
        for (unsigned o = 0; o < sel->orders; o++) {
            blocks += blocks_at(r, sel, row, o);
            total += blocks_at(r, sel, row, o) * (double)(1ull << o);
        }
        suitable = total;
        max->pages = total > max->pages ? total : max->pages;
        for (unsigned o = 0; o < sel->orders; o++) {
            double n = blocks_at(r, sel, row, o);
            /* mm/vmstat.c: unusable_free_index(), where nothing free counts as unusable; __fragmentation_index() */
            double v = n;
            if (shown == SHOW_UNUSABLE)
                v = total > 0 ? (total - suitable) / total : 1;
            else if (shown == SHOW_EXTFRAG)
                v = suitable > 0 ? -1 : blocks > 0 ? 1 - (1 + total / (double)(1ull << o)) / blocks : 0;
            suitable -= n * (double)(1ull << o);
            fprintf(p->dat, " %.9g", v);
            max->blocks = v > max->blocks ? v : max->blocks;
        }
        fputc('\n', p->dat);
        if (row + 1 == r->table.rows)
            break;
        row = row + step < r->table.rows ? row + step : r->table.rows - 1;
    }
    return block;
}

static void stacked_memory(struct plot *p, const struct selection *sel, unsigned block, double max_pages)
{
    FILE *f = p->gp;
    gp_ylabel(p, "free memory (MiB)");
    fprintf(f, "set yrange [0:%.6g]\n", max_pages > 0 ? max_pages / 256 * 1.04 : 1);
    fputs("# free blocks of orders 0..n as MiB: a block of order o is 2**o pages of 4 KiB\n"
          "mib(n) = sum [o=0:n] column(o + 2) * 2**o / 256.0\nplot \\\n",
          f);
    for (unsigned o = sel->orders; o-- > 0;) {
        char colour[8];
        gp_viridis(colour, o, sel->orders);
        fputs("  ", f);
        gp_data(p, block);
        fprintf(f, " using 1:(mib(%u)) with filledcurves x1 linecolor '%s' title 'order %u'%s\n", o, colour, o,
                o ? ", \\" : "");
    }
}

static void block_lines(struct plot *p, const struct selection *sel, unsigned block, double max)
{
    FILE *f = p->gp;
    gp_ylabel(p, "free blocks");
    fputs("# logarithmic, with room for 0\nset nonlinear y via log10(y + 1) inverse 10**y - 1\nset ytics (0",
          f);
    for (uint64_t tic = 1; (double)tic < max * 10 && tic < UINT64_MAX / 10; tic *= 10)
        fprintf(f, ", %" PRIu64, tic);
    fprintf(f, ")\nset yrange [0:%.9g]\nplot \\\n", max < 1 ? 1 : max * 1.3);
    for (unsigned o = sel->orders; o-- > 0;) {
        char colour[8];
        gp_viridis(colour, o, sel->orders);
        fputs("  ", f);
        gp_data(p, block);
        fprintf(f, " using 1:%u with steps linewidth 1.5 linecolor '%s' title 'order %u'%s\n", o + 2, colour, o,
                o ? ", \\" : "");
    }
    fputs("unset nonlinear y\nset ytics autofreq\n", f);
}

int plot_free_blocks(struct plot *p, struct err *err)
{
    struct selection sel[PLOT_RUNS_MAX] = {{.n = 0}};
    struct plot_axis a;
    struct largest max;
    for (size_t i = 0; i < p->n_runs; i++)
        if (select_zones(p, i, p->zone, &sel[i], err))
            return -1;
    plot_axis_want(p);
    if (plot_read(p, err) || plot_axis_pick(p, &a, err))
        return -1;
    char title[100];
    snprintf(title, sizeof title, p->zone ? "Free memory of zone %.32s by block order" : "Free memory by block order",
             p->zone);
    bool one = p->n_runs == 1;
    gp_begin(p, title, one ? 2 : (unsigned)p->n_runs);
    for (size_t i = 0; i < p->n_runs; i++) {
        unsigned block = write_block(p, &a, i, &sel[i], SHOW_BLOCKS, &max);
        gp_panel(p, one ? "Free memory, stacked" : p->run[i].name);
        plot_axis_write(p, &a, i);
        stacked_memory(p, &sel[i], block, max.pages);
        if (one) {
            gp_panel(p, "Free blocks");
            plot_axis_write(p, &a, i);
            block_lines(p, &sel[i], block, max.blocks);
        }
    }
    gp_end(p);
    return 0;
}

/* ---- order_surface: time across, orders up, free memory as colour ---- */

enum { SURFACE_STEPS = 240 };

int plot_order_surface(struct plot *p, struct err *err)
{
    struct selection sel[PLOT_RUNS_MAX] = {{.n = 0}};
    struct plot_axis a;
    if (p->format == PLOT_TERM) {
        err_set(err, ERR_USAGE, "a surface needs colours, which the terminal's plot has not");
        return err_remedy(err, "write -f png, or draw free_blocks instead");
    }
    for (size_t i = 0; i < p->n_runs; i++)
        if (select_zones(p, i, p->zone, &sel[i], err))
            return -1;
    plot_axis_want(p);
    if (plot_read(p, err) || plot_axis_pick(p, &a, err))
        return -1;
    gp_begin(p, "Free memory by block order", (unsigned)p->n_runs);
    for (size_t i = 0; i < p->n_runs; i++) {
        const struct plot_table *t = &p->run[i].table;
        unsigned block = gp_block(p, "x, order, MiB free in blocks of that order");
        double end = plot_x(p, &a, i, t->rows - 1), step = end > 0 ? end / SURFACE_STEPS : 1;
        for (unsigned s = 0; s < SURFACE_STEPS; s++) {
            static const double page_mib = 1 / 256.0;
            size_t row = 0, high = t->rows;
            while (row + 1 < high) { /* the last row at or before the middle of the step */
                size_t mid = (row + high) / 2;
                if (plot_x(p, &a, i, mid) <= (s + 0.5) * step)
                    row = mid;
                else
                    high = mid;
            }
            for (unsigned o = 0; o < sel[i].orders; o++)
                fprintf(p->dat, "%.9g %u %.9g\n", (s + 0.5) * step, o, blocks_at(&p->run[i], &sel[i], row, o) * (double)(1ull << o) * page_mib);
        }
        if (p->n_runs > 1)
            gp_panel(p, p->run[i].name);
        plot_axis_write(p, &a, i);
        gp_ylabel(p, "block order");
        fprintf(p->gp, "set yrange [-0.5:%u.5]\nset ytics 1\nset cblabel '%s'\n"
                       "set palette defined (0 '#440154', 1 '#3b528b', 2 '#21918c', 3 '#5ec962', 4 '#fde725')\nset logscale cb\n"
                       "set object 1 rectangle from graph 0, graph 0 to graph 1, graph 1 behind fillcolor '#e8e8e8' fillstyle solid noborder\n"
                       "plot ", sel[i].orders - 1, p->n_runs == 1 ? "free memory in blocks of the order (MiB, 0 is grey)" : "MiB free (0: grey)");
        gp_data(p, block);
        fputs(" using 1:2:($3 > 0 ? $3 : NaN) with image notitle\nset ytics autofreq\n", p->gp);
    }
    gp_end(p);
    return 0;
}

/* The zone that programs live in: "normal", else the one with the most columns' worth of memory, the last. */
static const char *usual_zone(const struct plot_run *r, char *name, size_t size)
{
    struct zone_columns z[ZONES_MAX];
    size_t n = zones_of(r, z);
    if (!n)
        return NULL;
    size_t pick = n - 1;
    for (size_t i = 0; i < n; i++)
        if (!strcasecmp(z[i].name, "normal"))
            pick = i;
    snprintf(name, size, "%s", z[pick].name);
    return name;
}

/* unusable_index and extfrag_index: a line an order. */
int plot_index(struct plot *p, struct err *err)
{
    struct selection sel[PLOT_RUNS_MAX] = {{.n = 0}};
    struct plot_axis a;
    char name[32];
    struct largest max;
    bool unusable = !strcmp(p->kind->name, "unusable_index");
    const char *zone = p->zone ? p->zone : usual_zone(&p->run[0], name, sizeof name);
    for (size_t i = 0; i < p->n_runs; i++)
        if (select_zones(p, i, zone, &sel[i], err))
            return -1;
    plot_axis_want(p);
    if (plot_read(p, err) || plot_axis_pick(p, &a, err))
        return -1;
    char title[100];
    snprintf(title, sizeof title, unusable ? "Unusable free space index, zone %.32s" : "External fragmentation index, zone %.32s", zone);
    gp_begin(p, title, (unsigned)p->n_runs);
    for (size_t i = 0; i < p->n_runs; i++) {
        FILE *f = p->gp;
        unsigned block = write_block(p, &a, i, &sel[i], unusable ? SHOW_UNUSABLE : SHOW_EXTFRAG, &max);
        if (p->n_runs > 1)
            gp_panel(p, p->run[i].name);
        plot_axis_write(p, &a, i);
        if (unusable)
            gp_ylabel(p, p->n_runs == 1 ? "share of free memory in blocks too small for the order" : "share of free memory");
        else
            gp_ylabel(p, p->n_runs == 1 ? "-1: a block is free; else 0: memory lacks, 1: it is fragmented" : "index");
        fputs(unusable ? "set yrange [0:1.02]\nplot \\\n" : "set yrange [-1.05:1.05]\nplot \\\n", f);
        for (unsigned o = sel[i].orders; o-- > 0;) {
            char colour[8];
            gp_viridis(colour, o, sel[i].orders);
            fputs("  ", f);
            gp_data(p, block);
            fprintf(f, " using 1:%u with steps linewidth 1.8 linecolor '%s' title 'order %u'%s\n", o + 2, colour, o,
                    o ? ", \\" : "");
        }
    }
    gp_end(p);
    return 0;
}
