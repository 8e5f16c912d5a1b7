/* Latency of the object allocator by path, out of stats.json: median and 99 of 100 as bars, above them the share of operations. */
#include "app/plot/plot.h"

#include "engine/types.h"
#include "slab/slab.h"

#include <math.h>

static double value(const struct plot_run *r, enum slab_path path, const char *what)
{
    char key[128];
    uint64_t v = 0;
    snprintf(key, sizeof key, "measure.slab.latency.%s.%s", slab_path_name(path), what);
    const char *text = json_flat_get(&r->stats, key);
    return text && json_flat_u64(text, &v) ? (double)v : 0;
}

int plot_slab_latency(struct plot *p, struct err *err)
{
    enum slab_path path[N_SLAB_PATHS];
    size_t n = 0;
    double top = 0, all[PLOT_RUNS_MAX] = {0};
    for (unsigned k = 0; k < N_SLAB_PATHS; k++) {
        double operations = 0;
        for (size_t i = 0; i < p->n_runs; i++) {
            double ops = value(&p->run[i], (enum slab_path)k, "operations");
            operations += ops;
            all[i] += ops;
            top = fmax(top, value(&p->run[i], (enum slab_path)k, "p99"));
        }
        if (operations > 0)
            path[n++] = (enum slab_path)k;
    }
    if (!n) {
        err_set(err, ERR_USAGE, "%.300s/stats.json: nothing was allocated or freed", p->run[0].dir);
        return err_remedy(err, "replay a trace with kernel objects (mmulab record --kernel, docs/kernel-replay.md)");
    }
    gp_begin(p, "Latency of the object allocator by path: median (dark), 99 of 100 (pale), share of operations", 1);
    gp_ylabel(p, "core cycles");
    double least = 1;
    fprintf(p->gp, "set logscale y\nset yrange [%.3g:%.6g]\nset xtics rotate by -35 left noenhanced (", least, top > 0 ? top * 4 : 10);
    for (size_t k = 0; k < n; k++) {
        fputs(k ? ", " : "", p->gp);
        gp_quote(p->gp, slab_path_name(path[k]));
        fprintf(p->gp, " %zu", k);
    }
    fprintf(p->gp, ") scale 0\nset xrange [-0.6:%zu.6]\nset bmargin 7\n", n - 1);
    double width = 0.84 / (double)p->n_runs;
    for (size_t i = 0; i < p->n_runs; i++) {
        gp_block(p, "place, median, 99 of 100, share of operations in percent");
        for (size_t k = 0; k < n; k++) {
            double share = all[i] > 0 ? 100 * value(&p->run[i], path[k], "operations") / all[i] : 0;
            fprintf(p->dat, "%zu %.6g %.6g %.6g\n", k, value(&p->run[i], path[k], "p50"), value(&p->run[i], path[k], "p99"), share);
        }
    }
    fprintf(p->gp, "share(x) = x == 0 ? '' : x < 0.1 ? '<0.1 %%' : sprintf('%%.1f %%%%', x)\nset boxwidth %.4g\nplot \\\n", width * 0.94);
    for (size_t i = 0; i < p->n_runs; i++) {
        double shift = ((double)i - (double)(p->n_runs - 1) / 2) * width;
        fputs("  ", p->gp);
        gp_data(p, (unsigned)i);
        fprintf(p->gp, " using ($1 + %.4g):3 with boxes fillstyle solid 0.3 linecolor '%s' title ", shift, gp_colour(i));
        gp_label(p->gp, p->run[i].name);
        fputs(", \\\n  ", p->gp);
        gp_data(p, (unsigned)i);
        fprintf(p->gp, " using ($1 + %.4g):2 with boxes fillstyle solid 1 linecolor '%s' notitle, \\\n  ", shift, gp_colour(i));
        gp_data(p, (unsigned)i);
        fprintf(p->gp, " using ($1 + %.4g):($3 > 0 ? $3 * 1.15 : 1.2):(share($4)) with labels rotate by %d %s font ',9' notitle%s\n", shift,
                p->n_runs > 1 ? 90 : 0, p->n_runs > 1 ? "left" : "center offset 0,0.5", i + 1 == p->n_runs ? "" : ", \\");
    }
    gp_end(p);
    return 0;
}
