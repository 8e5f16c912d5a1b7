/* sweep_lines: a statistic over an axis of numbers, a line a value of another. */
#include "app/plot/sweep/view.h"

#include <math.h>
#include <string.h>

enum { NAMES_MAX = 8, NUMBERS_MAX = 12, LABELS_MAX = 60 };

/* Do the values grow by a factor rather than by a step? Then the smallest and the largest gap differ less as factors. */
static bool grows_by_factor(const struct view_axis *x)
{
    double gap[2] = {INFINITY, 0}, factor[2] = {INFINITY, 0};
    if (x->n < 2 || !(x->value[0]->number > 0))
        return false;
    for (size_t i = 1; i < x->n; i++) {
        double g = x->value[i]->number - x->value[i - 1]->number, f = log(x->value[i]->number / x->value[i - 1]->number);
        gap[0] = fmin(gap[0], g);
        gap[1] = fmax(gap[1], g);
        factor[0] = fmin(factor[0], f);
        factor[1] = fmax(factor[1], f);
    }
    return x->n == 2 ? x->value[1]->number >= 4 * x->value[0]->number : factor[1] / factor[0] < gap[1] / gap[0];
}

/* A tick at every value with its own text, but where texts would overlap. */
static void ticks(const struct sweep_view *v, struct plot *p, bool factor)
{
    const struct view_axis *x = &v->slot[VIEW_X];
    double from = x->value[0]->number, to = x->value[x->n - 1]->number, room = p->format == PLOT_TERM ? p->term_width * 5.0 : 660;
    double margin = to > from ? 0.03 : 0.5, last = -1e9;
    double low = factor ? log(from) : from, width = factor ? log(to) - low : to - from;
    fputs("set xtics (", p->gp);
    for (size_t i = 0, put = 0; i < x->n; i++) {
        char text[100];
        view_value(v, VIEW_X, i, text, sizeof text);
        double at = width > 0 ? ((factor ? log(x->value[i]->number) : x->value[i]->number) - low) / width * room : 0;
        double half = (double)strlen(text) * 4 + 5;
        if (at - half < last)
            continue;
        last = at + half;
        fputs(put++ ? ", " : "", p->gp);
        gp_quote(p->gp, text);
        fprintf(p->gp, " %.17g", x->value[i]->number);
    }
    fputs(") nomirror\n", p->gp);
    if (factor)
        fprintf(p->gp, "set logscale x\nset xrange [%.9g:%.9g]\n", from * exp(-margin * width), to * exp(margin * width));
    else if (width > 0)
        fprintf(p->gp, "set xrange [%.9g:%.9g]\n", from - margin * width, to + margin * width);
    else
        fprintf(p->gp, "set xrange [%.9g:%.9g]\n", from - 1, to + 1);
}

static void y_range(const struct sweep_view *v, struct plot *p)
{
    if (p->log_y)
        fprintf(p->gp, "set logscale y\nset yrange [%.6g:%.6g]\n", v->least * v->scale / 1.5, v->max * v->scale * 1.5);
    else if (v->max > 0)
        fprintf(p->gp, "set yrange [0:%.6g]\n", v->max * v->scale * 1.05);
    else
        fputs("set yrange [0:1]\n", p->gp);
}

static void draw_panel(const struct sweep_view *v, struct plot *p, size_t panel, bool factor)
{
    const struct view_axis *x = &v->slot[VIEW_X], *by = &v->slot[VIEW_BY];
    unsigned first = p->blocks;
    for (size_t b = 0; b < by->n; b++) {
        gp_block(p, "x, mean, half width of the 95 % interval, seeds");
        for (size_t i = 0; i < x->n; i++) {
            const struct sample *s = &view_cell(v, panel, b, i)->s;
            if (!s->n)
                continue;
            fprintf(p->dat, "%.17g %.9g %.6g %zu\n", x->value[i]->number, s->mean * v->scale, sample_interval(s) * v->scale, s->n);
        }
    }
    view_panel(v, p, panel);
    fputs("set xlabel ", p->gp);
    gp_quote(p->gp, view_key(v, VIEW_X));
    fputc('\n', p->gp);
    ticks(v, p, factor);
    y_range(v, p);
    gp_ylabel(p, v->slot[VIEW_PANEL].n < 2 ? v->label : v->scale < 1 ? strrchr(v->label, '(') : "");
    fputs("plot \\\n", p->gp);
    for (size_t b = 0; b < by->n; b++) {
        char colour[8], text[200];
        view_colour(v, b, colour);
        view_value(v, VIEW_BY, b, text, sizeof text);
        if (view_empty(v, panel, b)) { /* its name stays in the key */
            fprintf(p->gp, "  NaN with lines linecolor '%s' linewidth 2 title ", colour);
            gp_label(p->gp, text);
            fputs(b + 1 < by->n ? ", \\\n" : "\n", p->gp);
            continue;
        }
        if (v->intervals) {
            fputs("  ", p->gp);
            gp_data(p, first + (unsigned)b);
            fprintf(p->gp, " using 1:($3 > 0 ? $2 : NaN):3 with yerrorbars linecolor '%s' linewidth 1.2 pointsize 0 notitle, \\\n", colour);
        }
        fputs("  ", p->gp);
        gp_data(p, first + (unsigned)b);
        fprintf(p->gp, " using 1:2 with linespoints linecolor '%s' linewidth 1.8 pointtype %u pointsize 0.7 dashtype %u title ", colour,
                (unsigned[]){7, 5, 9, 13, 11, 6, 4, 8}[b % 8], b < 3 || view_numeric(v, VIEW_BY) ? 1 : 2 + (unsigned)b % 3);
        gp_label(p->gp, text);
        fputs(b + 1 < by->n ? ", \\\n" : "\n", p->gp);
    }
}

int plot_sweep_lines(struct plot *p, struct err *err)
{
    struct sweep_view v;
    if (view_open(&v, p, VIEW_LINES, err))
        return -1;
    size_t lines = v.slot[VIEW_BY].n, most = view_numeric(&v, VIEW_BY) ? NUMBERS_MAX : NAMES_MAX;
    int rc = 0;
    if (lines > most) {
        err_set(err, ERR_USAGE, "%zu lines, one for each value of %.200s, cannot be told apart", lines, view_key(&v, VIEW_BY));
        rc = err_remedy(err, "choose up to %zu with --where %.100s=VALUE, or draw a sweep_heatmap", most, view_key(&v, VIEW_BY));
    } else if (p->log_y && !(v.least < INFINITY)) {
        err_set(err, ERR_USAGE, "all values are 0, which a logarithmic axis has no place for");
        rc = err_remedy(err, "leave --log-y out");
    } else {
        bool factor = grows_by_factor(&v.slot[VIEW_X]);
        gp_begin(p, v.title, (unsigned)v.slot[VIEW_PANEL].n);
        view_key_title(&v, p);
        for (size_t i = 0; i < v.slot[VIEW_PANEL].n; i++)
            draw_panel(&v, p, i, factor);
        gp_end(p);
    }
    view_close(&v);
    return rc;
}
