/* sweep_heatmap: a cell for each pair of values of two axes, the statistic as its colour and written into it. */
#include "app/plot/sweep/view.h"

#include <math.h>
#include <string.h>

enum { SIDE_MAX = 100 };

/* Viridis is dark up to about 60 % of the scale: white text there, black above. */
static unsigned text_colour(const struct sweep_view *v, const struct plot *p, double y)
{
    double part = v->max > 0 ? y / v->max : 0;
    if (p->log_y)
        part = v->max > v->least && y > 0 ? log(y / v->least) / log(v->max / v->least) : 0;
    return part < 0.6 ? 0xffffff : 0x000000;
}

static void number(double y, char *out, size_t size)
{
    snprintf(out, size, fabs(y) >= 999.5 ? "%.0f" : "%.3g", y);
}

static void ticks(const struct sweep_view *v, struct plot *p, enum view_slot s, const char *tics)
{
    size_t longest = 0, n = v->slot[s].n;
    for (size_t i = 0; i < n; i++) {
        char text[100];
        view_value(v, s, i, text, sizeof text);
        longest = strlen(text) > longest ? strlen(text) : longest;
    }
    longest = longest < 24 ? longest : 24;
    size_t step = 1, fit = s == VIEW_X ? 700 / (longest * 8 + 8) : 24 / v->slot[VIEW_PANEL].n + 4;
    while (n > step * fit)
        step++;
    fprintf(p->gp, "set %s (", tics);
    for (size_t i = 0; i < n; i += step) {
        char text[100];
        view_value(v, s, i, text, sizeof text);
        fputs(i ? ", " : "", p->gp);
        gp_label(p->gp, text);
        fprintf(p->gp, " %zu", i);
    }
    fprintf(p->gp, ") scale 0\nset %srange [-0.5:%zu.5]\n", s == VIEW_X ? "x" : "y", n - 1);
}

static void draw_panel(const struct sweep_view *v, struct plot *p, size_t panel)
{
    const struct view_axis *x = &v->slot[VIEW_X], *by = &v->slot[VIEW_BY];
    size_t longest = 1, n = 0;
    unsigned block = gp_block(p, "x, y, mean, its text, the text's colour, half width of the 95 % interval, seeds");
    for (size_t b = 0; b < by->n; b++)
        for (size_t i = 0; i < x->n; i++) {
            const struct sample *s = &view_cell(v, panel, b, i)->s;
            char text[40];
            if (!s->n)
                continue;
            number(s->mean * v->scale, text, sizeof text);
            longest = strlen(text) > longest ? strlen(text) : longest;
            fprintf(p->dat, "%zu %zu %.9g %s %u %.6g %zu\n", i, b, s->mean * v->scale, text, text_colour(v, p, s->mean),
                    sample_interval(s) * v->scale, s->n);
            n++;
        }
    view_panel(v, p, panel);
    ticks(v, p, VIEW_X, "xtics");
    ticks(v, p, VIEW_BY, "ytics");
    fputs("set xlabel ", p->gp);
    gp_quote(p->gp, view_key(v, VIEW_X));
    fputc('\n', p->gp);
    gp_ylabel(p, view_key(v, VIEW_BY));
    fputs("set cblabel ", p->gp);
    gp_label(p->gp, "");
    fputc('\n', p->gp);
    if (p->log_y)
        fprintf(p->gp, "set logscale cb\nset cbrange [%.6g:%.6g]\n", v->least * v->scale,
                (v->max > v->least ? v->max : v->least * 2) * v->scale);
    else
        fprintf(p->gp, "set cbrange [0:%.6g]\n", v->max > 0 ? v->max * v->scale : 1);
    if (!n) { /* gnuplot must not read an empty block */
        fputs("plot NaN notitle\n", p->gp);
        return;
    }
    fputs("plot ", p->gp);
    gp_data(p, block);
    /* Cells as rectangles: `image` would blur them where a viewer scales the picture. */
    fputs(" using 1:2:($1 - 0.5):($1 + 0.5):($2 - 0.5):($2 + 0.5):3 with boxxyerror fillcolor palette fillstyle solid 1.0 noborder notitle",
          p->gp);
    unsigned panels = (unsigned)v->slot[VIEW_PANEL].n;
    double wide = 700.0 / (double)x->n, high = (panels > 1 ? 240.0 : 420.0) / (double)by->n;
    if (wide >= (double)longest * 7 + 4 && high >= 14) {
        fputs(", \\\n  ", p->gp);
        gp_data(p, block);
        fputs(" using 1:2:4:5 with labels font ',11' textcolor rgbcolor variable notitle", p->gp);
    }
    fputc('\n', p->gp);
}

int plot_sweep_heatmap(struct plot *p, struct err *err)
{
    struct sweep_view v;
    if (p->format == PLOT_TERM) {
        err_set(err, ERR_USAGE, "a heat map needs colours, which the terminal's plot has not");
        return err_remedy(err, "write -f png, or draw sweep_lines instead");
    }
    if (view_open(&v, p, VIEW_HEATMAP, err))
        return -1;
    int rc = 0;
    if (v.slot[VIEW_X].n > SIDE_MAX || v.slot[VIEW_BY].n > SIDE_MAX) {
        err_set(err, ERR_USAGE, "more than %d values along one side cannot be told apart", SIDE_MAX);
        rc = err_remedy(err, "choose with --where KEY=VALUE");
    } else if (p->log_y && !(v.least < INFINITY)) {
        err_set(err, ERR_USAGE, "all values are 0, which a logarithmic scale has no place for");
        rc = err_remedy(err, "leave --log-y out");
    } else {
        gp_begin(p, v.title, (unsigned)v.slot[VIEW_PANEL].n);
        fputs("unset grid\nunset key\nset border 0\n"
              "set palette defined (0 '#440154', 1 '#482475', 2 '#414487', 3 '#355f8d', 4 '#2a788e', 5 '#21918c', 6 '#22a884', "
              "7 '#44bf70', 8 '#7ad151', 9 '#bddf26', 10 '#fde725')\n"
              "set object 1 rectangle from graph 0, graph 0 to graph 1, graph 1 behind fillcolor '#e8e8e8' fillstyle solid noborder\n",
              p->gp);
        for (size_t i = 0; i < v.slot[VIEW_PANEL].n; i++)
            draw_panel(&v, p, i);
        gp_end(p);
    }
    view_close(&v);
    return rc;
}
