/* The largest caches of objects at the end of a run, out of stats.json: memory in their slabs and what was asked for. */
#include "app/plot/plot.h"

#include "engine/types.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 12 };
static const double KIB = 1024;

struct cache { char name[64]; uint64_t pages; };

/* "measure.slab.NAME.pages" -> NAME */
static bool cache_name(const char *path, char *name, size_t size)
{
    static const char before[] = "measure.slab.", after[] = ".pages";
    size_t len = strlen(path), edge = sizeof before - 1 + sizeof after - 1;
    if (len <= edge || strncmp(path, before, sizeof before - 1) || strcmp(path + len - (sizeof after - 1), after) || len - edge >= size)
        return false;
    memcpy(name, path + sizeof before - 1, len - edge);
    name[len - edge] = '\0';
    return true;
}

static uint64_t member(const struct plot_run *r, const char *cache, const char *what)
{
    char path[160];
    uint64_t v = 0;
    snprintf(path, sizeof path, "measure.slab.%.63s.%.40s", cache, what);
    const char *text = json_flat_get(&r->stats, path);
    return text && json_flat_u64(text, &v) ? v : 0;
}

/* The largest of any run, most pages first. */
static size_t largest_caches(const struct plot *p, struct cache top[SHOWN])
{
    size_t n = 0;
    for (size_t i = 0; i < p->n_runs; i++)
        for (size_t k = 0; k < p->run[i].stats.n; k++) {
            struct cache c = {0};
            size_t at = 0;
            if (!cache_name(p->run[i].stats.v[k].path, c.name, sizeof c.name) || !(c.pages = member(&p->run[i], c.name, "pages")))
                continue;
            while (at < n && strcmp(top[at].name, c.name) != 0)
                at++;
            if (at < n && top[at].pages >= c.pages)
                continue;
            if (at == n && n == SHOWN && top[--at].pages >= c.pages)
                continue;
            n += at == n;
            for (; at > 0 && top[at - 1].pages < c.pages; at--)
                top[at] = top[at - 1];
            top[at] = c;
        }
    return n;
}

int plot_slab_caches(struct plot *p, struct err *err)
{
    struct cache top[SHOWN];
    size_t n = largest_caches(p, top);
    if (!n) {
        err_set(err, ERR_USAGE, "%.300s/stats.json: no cache has slabs of its own at the end", p->run[0].dir);
        return err_remedy(err, "replay objects (workload.kernel.level objects); the design slob has none: draw slab_utilisation");
    }
    gp_begin(p, "Largest caches at the end: in slabs (pale), asked for (dark)", 1);
    gp_ylabel(p, "memory (KiB)");
    fputs("set yrange [0:*]\nset xtics rotate by -35 left noenhanced (", p->gp);
    for (size_t k = 0; k < n; k++) {
        fputs(k ? ", " : "", p->gp);
        gp_quote(p->gp, top[k].name);
        fprintf(p->gp, " %zu", k);
    }
    fprintf(p->gp, ") scale 0\nset xrange [-0.6:%zu.6]\nset rmargin 9\n", n - 1);
    double width = 0.84 / (double)p->n_runs;
    for (size_t i = 0; i < p->n_runs; i++) {
        gp_block(p, "place, KiB in slabs, KiB asked for");
        for (size_t k = 0; k < n; k++)
            fprintf(p->dat, "%zu %.6g %.6g\n", k, (double)member(&p->run[i], top[k].name, "pages") * PAGE_BYTES / KIB,
                    (double)member(&p->run[i], top[k].name, "requested_bytes") / KIB);
    }
    fprintf(p->gp, "set boxwidth %.4g\nplot \\\n", width * 0.94);
    for (size_t i = 0; i < p->n_runs; i++) {
        double shift = ((double)i - (double)(p->n_runs - 1) / 2) * width;
        fputs("  ", p->gp);
        gp_data(p, (unsigned)i);
        fprintf(p->gp, " using ($1 + %.4g):2 with boxes fillstyle solid 0.3 linecolor '%s' title ", shift, gp_colour(i));
        gp_label(p->gp, p->run[i].name);
        fputs(", \\\n  ", p->gp);
        gp_data(p, (unsigned)i);
        fprintf(p->gp, " using ($1 + %.4g):3 with boxes fillstyle solid 1 linecolor '%s' notitle%s\n", shift, gp_colour(i),
                i + 1 == p->n_runs ? "" : ", \\");
    }
    gp_end(p);
    return 0;
}
