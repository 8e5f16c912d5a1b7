/* The x axis of pictures over time, and the events that are marked on it. */
#include "app/plot/plot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct choice {
    const char *name, *column, *column2, *label, *recorded; /* recorded: of a kernel's replay, whose "references" are events */
} choices[] = {
    {"time", "time_ps", "sim_time_ps", "simulated time", "recorded time"},
    {"references", "references", "sim_references", "references", "recorded events"},
    {"instructions", "instructions", "sim_instructions", "instructions", "instructions"},
};

int plot_find(const struct plot_run *r, const char *a, const char *b)
{
    int c = table_column(&r->table, a);
    return c >= 0 || !b ? c : table_column(&r->table, b);
}

bool plot_counts_events(const struct plot_run *r)
{
    const char *unit = json_flat_get(&r->stats, "series.columns.references");
    return unit && strstr(unit, "events");
}

void plot_axis_want(struct plot *p)
{
    for (size_t i = 0; i < p->n_runs; i++)
        for (size_t k = 0; k < ARRAY_LEN(choices); k++)
            table_want(&p->run[i].table, plot_find(&p->run[i], choices[k].column, choices[k].column2));
}

int plot_read(struct plot *p, struct err *err)
{
    for (size_t i = 0; i < p->n_runs; i++) {
        if (table_read(&p->run[i].table, err))
            return -1;
        if (!p->run[i].table.rows) {
            err_set(err, ERR_USAGE, "the series has no rows, so there is nothing to draw");
            return err_at(err, p->run[i].table.path, 0, 0);
        }
    }
    return 0;
}

/* The largest value of that axis over all runs; negative if a run has no such column. */
static double axis_max(const struct plot *p, const struct choice *c)
{
    double max = 0;
    for (size_t i = 0; i < p->n_runs; i++) {
        int column = plot_find(&p->run[i], c->column, c->column2);
        if (column < 0)
            return -1;
        double v = table_cell(&p->run[i].table, p->run[i].table.rows - 1, column);
        max = v > max ? v : max;
    }
    return max;
}

static void read_marks(struct plot_run *r, const struct plot_axis *a, bool time);

int plot_axis_pick(struct plot *p, struct plot_axis *a, struct err *err)
{
    const struct choice *c = NULL;
    double max = -1;
    for (size_t k = 0; k < ARRAY_LEN(choices) && !c; k++) {
        if (p->x_name && strcmp(p->x_name, choices[k].name))
            continue;
        max = axis_max(p, &choices[k]);
        if (max > 0 || (p->x_name && max == 0) || (k == 1 && max == 0))
            c = &choices[k];
    }
    if (!c) {
        err_set(err, ERR_USAGE, "the series has no column \"%s\" for the x axis",
                p->x_name ? p->x_name : "time_ps\" or \"references");
        return err_at(err, p->run[0].table.path, 1, 0);
    }
    static const struct { double from, scale; const char *unit; } times[] = {
        {1e12, 1e-12, "s"}, {1e9, 1e-9, "ms"}, {1e6, 1e-6, "µs"}, {0, 1e-3, "ns"}};
    static const struct { double from, scale; const char *unit; } counts[] = {
        {2e9, 1e-9, "thousand millions"}, {2e6, 1e-6, "millions"}, {2e4, 1e-3, "thousands"}, {0, 1, ""}};
    *a = (struct plot_axis){.column = c->column};
    bool time = c == &choices[0];
    size_t u = 0;
    while (max * 0.5 < (time ? times[u].from : counts[u].from / 2) && u < 3)
        u++;
    a->scale = time ? times[u].scale : counts[u].scale;
    const char *unit = time ? times[u].unit : counts[u].unit;
    snprintf(a->label, sizeof a->label, *unit ? "%s (%s)" : "%s", plot_counts_events(&p->run[0]) ? c->recorded : c->label, unit);
    a->max = max * a->scale;
    bool recorded = true; /* its first events are older than the state that the rows show */
    for (size_t i = 0; i < p->n_runs; i++) {
        double first = plot_x(p, a, i, 0);
        recorded &= plot_counts_events(&p->run[i]);
        a->min = !i || first < a->min ? first : a->min;
    }
    if (!recorded || a->min >= a->max)
        a->min = 0;
    for (size_t i = 0; i < p->n_runs; i++)
        read_marks(&p->run[i], a, time);
    return 0;
}

double plot_x(const struct plot *p, const struct plot_axis *a, size_t run, size_t row)
{
    const struct plot_run *r = &p->run[run];
    for (size_t k = 0; k < ARRAY_LEN(choices); k++)
        if (!strcmp(choices[k].column, a->column))
            return table_cell(&r->table, row, plot_find(r, choices[k].column, choices[k].column2)) * a->scale;
    return 0;
}

void plot_axis_cut(const struct plot *p, struct plot_axis *a, const char *column)
{
    double min = a->max;
    for (size_t i = 0; i < p->n_runs; i++) {
        const struct plot_table *t = &p->run[i].table;
        int c = table_column(t, column);
        size_t row = 0;
        if (!plot_counts_events(&p->run[i]))
            return;
        while (row + 1 < t->rows && !(table_cell(t, row, c) > 0))
            row++;
        min = fmin(min, plot_x(p, a, i, row));
    }
    a->min = min < a->max ? min : a->min;
}

size_t plot_step(size_t rows, size_t points) { return rows > points ? (rows + points - 1) / points : 1; }

/* "time_ps": 123 in a line of events.jsonl, which we wrote ourselves; -1 if it is not there. */
static double number_after(const char *line, const char *key)
{
    const char *at = strstr(line, key);
    if (!at)
        return -1;
    char *end;
    double v = strtod(at + strlen(key), &end);
    return end == at + strlen(key) ? -1 : v;
}

static void read_marks(struct plot_run *r, const struct plot_axis *a, bool time)
{
    static const struct { const char *kind, *label; } kinds[] = {
        {"\"kind\": \"warmup_end\"", "warm-up ends"},
        {"\"kind\": \"oom_kill\"", "OOM kill"},
    };
    char path[4096], *line = NULL;
    size_t cap = 0;
    r->n_marks = 0;
    if (snprintf(path, sizeof path, "%s/events.jsonl", r->dir) >= (int)sizeof path)
        return;
    FILE *f = fopen(path, "re");
    if (!f)
        return; /* marks are a help, not the picture */
    while (r->n_marks < ARRAY_LEN(r->mark) && getline(&line, &cap, f) > 0)
        for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
            double v = strstr(line, kinds[k].kind)
                           ? number_after(line, time ? "\"time_ps\": " : !strcmp(a->column, "references") ? "\"references\": "
                                                                                                          : "\"instructions\": ")
                           : -1;
            if (v < 0)
                continue;
            r->mark[r->n_marks].x = v * a->scale;
            snprintf(r->mark[r->n_marks].label, sizeof r->mark[0].label, "%s", kinds[k].label);
            r->n_marks++;
        }
    free(line);
    fclose(f);
}

void plot_axis_write(struct plot *p, const struct plot_axis *a, size_t run)
{
    FILE *f = p->gp;
    fputs("set xlabel ", f);
    gp_quote(f, a->label);
    if (a->max > 0)
        fprintf(f, "\nset xrange [%.9g:%.9g]\n", a->min, a->max);
    else
        fputs("\nset xrange [0:1]\n", f);
    if (run == PLOT_NO_MARKS)
        return;
    const struct plot_run *r = &p->run[run];
    for (size_t i = 0; i < r->n_marks; i++) {
        /* Labels of marks close together would cover each other: only the first of such a group has one. */
        bool crowded = i && r->mark[i].x - r->mark[i - 1].x < 0.03 * (a->max - a->min);
        fprintf(f, "set arrow from first %.9g, graph 0 to first %.9g, graph 1 nohead front dashtype 2 linecolor '#a00000'\n",
                r->mark[i].x, r->mark[i].x);
        if (!crowded) {
            fputs("set label ", f);
            gp_quote(f, r->mark[i].label);
            bool right = r->mark[i].x > a->min + 0.8 * (a->max - a->min);
            fprintf(f, " at first %.9g, graph 0.96 %s offset %s,0 front %s textcolor '#a00000' font ',10'\n", r->mark[i].x,
                    right ? "right" : "left", right ? "-1" : p->format == PLOT_TERM ? "2" : "1", p->format == PLOT_TERM ? "" : "boxed");
        }
    }
}
