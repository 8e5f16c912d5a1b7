/* sweep_bars: a group of bars for each value of an axis, a bar a value of another. */
#include "app/plot/sweep/view.h"

#include <string.h>

enum { BARS_MAX = 120, COLOURS_MAX = 8, ORDERED_MAX = 12, NUMBERS_FIT = 10 };

/* Names below the groups; slanted where they would touch. */
static void ticks(const struct sweep_view *v, struct plot *p)
{
    const struct view_axis *x = &v->slot[VIEW_X];
    size_t longest = 0;
    fputs("set xtics (", p->gp);
    for (size_t i = 0; i < x->n; i++) {
        char text[100];
        view_value(v, VIEW_X, i, text, sizeof text);
        longest = strlen(text) > longest ? strlen(text) : longest;
        fputs(i ? ", " : "", p->gp);
        gp_label(p->gp, text);
        fprintf(p->gp, " %zu", i);
    }
    bool slant = p->format != PLOT_TERM && (longest < 24 ? longest : 24) * 8 * x->n > 660;
    fprintf(p->gp, ") scale 0%s\nset xrange [-0.6:%zu.6]\n", slant ? " rotate by -30 left" : "", x->n - 1);
}

static void draw_panel(const struct sweep_view *v, struct plot *p, size_t panel)
{
    const struct view_axis *x = &v->slot[VIEW_X], *by = &v->slot[VIEW_BY];
    unsigned first = p->blocks;
    double width = 0.84 / (double)by->n;
    for (size_t b = 0; b < by->n; b++) {
        gp_block(p, "group, mean, half width of the 95 % interval, seeds");
        for (size_t i = 0; i < x->n; i++) {
            const struct sample *s = &view_cell(v, panel, b, i)->s;
            if (!s->n)
                continue;
            fprintf(p->dat, "%zu %.9g %.6g %zu\n", i, s->mean * v->scale, sample_interval(s) * v->scale, s->n);
        }
    }
    view_panel(v, p, panel);
    ticks(v, p);
    fputs("set xlabel ", p->gp);
    gp_quote(p->gp, view_key(v, VIEW_X));
    if (v->max > 0)
        fprintf(p->gp, "\nset yrange [0:%.6g]\n", v->max * v->scale * 1.08);
    else
        fputs("\nset yrange [0:1]\n", p->gp);
    gp_ylabel(p, v->slot[VIEW_PANEL].n < 2 ? v->label : v->scale < 1 ? strrchr(v->label, '(') : "");
    fprintf(p->gp, "set boxwidth %.4g\nplot \\\n", width * 0.94);
    for (size_t b = 0; b < by->n; b++) {
        char colour[8], text[200];
        double shift = ((double)b - (double)(by->n - 1) / 2) * width;
        view_colour(v, b, colour);
        view_value(v, VIEW_BY, b, text, sizeof text);
        if (view_empty(v, panel, b)) { /* its name stays in the key */
            fprintf(p->gp, "  NaN with lines linecolor '%s' linewidth 2 title ", colour);
            gp_label(p->gp, text);
            fputs(b + 1 < by->n ? ", \\\n" : "\n", p->gp);
            continue;
        }
        fputs("  ", p->gp);
        gp_data(p, first + (unsigned)b);
        fprintf(p->gp, " using ($1 + %.4g):2 with boxes linecolor '%s' title ", shift, colour);
        gp_label(p->gp, text);
        if (v->intervals) {
            fputs(", \\\n  ", p->gp);
            gp_data(p, first + (unsigned)b);
            fprintf(p->gp, " using ($1 + %.4g):($3 > 0 ? $2 : NaN):3 with yerrorbars linecolor '#202020' linewidth 1.2 pointsize 0 notitle", shift);
        } else if (by->n * x->n <= NUMBERS_FIT && p->format != PLOT_TERM) {
            fputs(", \\\n  ", p->gp);
            gp_data(p, first + (unsigned)b);
            fprintf(p->gp, " using ($1 + %.4g):2:(sprintf('%%.3g', $2)) with labels offset 0,0.6 font ',10' notitle", shift);
        }
        fputs(b + 1 < by->n ? ", \\\n" : "\n", p->gp);
    }
}

int plot_sweep_bars(struct plot *p, struct err *err)
{
    struct sweep_view v;
    if (view_open(&v, p, VIEW_BARS, err))
        return -1;
    size_t bars = v.slot[VIEW_BY].n, most = view_numeric(&v, VIEW_BY) ? ORDERED_MAX : COLOURS_MAX;
    int rc = 0;
    if (p->log_y) {
        err_set(err, ERR_USAGE, "bars begin at 0, which a logarithmic axis has no place for");
        rc = err_remedy(err, "leave --log-y out, or draw sweep_lines");
    } else if (bars > most || bars * v.slot[VIEW_X].n > BARS_MAX) {
        err_set(err, ERR_USAGE, "%zu groups of %zu bars cannot be told apart", v.slot[VIEW_X].n, bars);
        rc = err_remedy(err, "choose with --where %.100s=VALUE, or draw a sweep_heatmap", view_key(&v, VIEW_BY));
    } else {
        gp_begin(p, v.title, (unsigned)v.slot[VIEW_PANEL].n);
        view_key_title(&v, p);
        for (size_t i = 0; i < v.slot[VIEW_PANEL].n; i++)
            draw_panel(&v, p, i);
        gp_end(p);
    }
    view_close(&v);
    return rc;
}
