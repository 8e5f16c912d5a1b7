/* Free memory by block order: free_blocks and unusable_index, both from the columns zone_NAME_free_ORDER. */
#include "app/plot/plot.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ORDERS_MAX 32
#define ZONES_MAX 8
#define POINTS 1000

struct zone_columns {
    char name[32];
    int column[ORDERS_MAX]; /* -1: none */
    unsigned orders;
};

/* "zone_normal_free_10" -> "normal", 10 */
static bool zone_column(const char *column, char *zone, size_t size, unsigned *order)
{
    const char *free = strstr(column, "_free_");
    if (strncmp(column, "zone_", 5) || !free || free < column + 6 || !isdigit((unsigned char)free[6]))
        return false;
    char *end;
    unsigned long o = strtoul(free + 6, &end, 10);
    size_t len = (size_t)(free - column) - 5;
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

/* One block of data: x and one number an order; `unusable` turns free blocks into the index. */
static unsigned write_block(struct plot *p, const struct plot_axis *a, size_t run, const struct selection *sel,
                            bool unusable, struct largest *max)
{
    const struct plot_run *r = &p->run[run];
    unsigned block = gp_block(p, unusable ? "x, unusable free space index of order 0, 1, ..."
                                          : "x, free blocks of order 0, 1, ...");
    size_t step = plot_step(r->table.rows, POINTS);
    *max = (struct largest){0};
    for (size_t row = 0;;) {
        fprintf(p->dat, "%.9g", plot_x(p, a, run, row));
        double total = 0, suitable;
        for (unsigned o = 0; o < sel->orders; o++)
            total += blocks_at(r, sel, row, o) * (double)(1ull << o);
        suitable = total;
        max->pages = total > max->pages ? total : max->pages;
        for (unsigned o = 0; o < sel->orders; o++) {
            double n = blocks_at(r, sel, row, o);
            /* mm/vmstat.c unusable_free_index(): nothing free counts as unusable. */
            double v = !unusable ? n : total > 0 ? (total - suitable) / total : 1;
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
        unsigned block = write_block(p, &a, i, &sel[i], false, &max);
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

int plot_unusable(struct plot *p, struct err *err)
{
    struct selection sel[PLOT_RUNS_MAX] = {{.n = 0}};
    struct plot_axis a;
    char name[32];
    struct largest max;
    const char *zone = p->zone ? p->zone : usual_zone(&p->run[0], name, sizeof name);
    for (size_t i = 0; i < p->n_runs; i++)
        if (select_zones(p, i, zone, &sel[i], err))
            return -1;
    plot_axis_want(p);
    if (plot_read(p, err) || plot_axis_pick(p, &a, err))
        return -1;
    char title[100];
    snprintf(title, sizeof title, "Unusable free space index, zone %.32s", zone);
    gp_begin(p, title, (unsigned)p->n_runs);
    for (size_t i = 0; i < p->n_runs; i++) {
        FILE *f = p->gp;
        unsigned block = write_block(p, &a, i, &sel[i], true, &max);
        if (p->n_runs > 1)
            gp_panel(p, p->run[i].name);
        plot_axis_write(p, &a, i);
        gp_ylabel(p, p->n_runs == 1 ? "share of free memory in blocks too small for the order" : "share of free memory");
        fputs("set yrange [0:1.02]\nplot \\\n", f);
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
