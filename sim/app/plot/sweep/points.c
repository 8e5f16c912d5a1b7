#include "app/plot/sweep/points.h"

#include "app/plot/plot.h"
#include "app/sweep/must.h"
#include "app/sweepdb/sweepdb.h"

#include <inttypes.h>

/* Do the chosen points differ in it? `axis` n_axes: the seed. */
static bool differ(const struct sweepdb *d, const bool *in, size_t axis)
{
    const struct sweepdb_point *first = NULL;
    for (size_t i = 0; i < d->n_points; i++) {
        const struct sweepdb_point *p = &d->point[i];
        if (!in[i])
            continue;
        if (first && (axis < d->n_axes ? p->at[axis] != first->at[axis] : p->seed != first->seed))
            return true;
        first = first ? first : p;
    }
    return false;
}

/* Keys that changed together say the same several times: the first name among them is enough, else the first number. */
static bool says_nothing_new(const struct sweepdb *d, const bool *in, size_t axis, size_t than)
{
    for (size_t i = 0; i < d->n_points; i++)
        for (size_t j = 0; j < i; j++)
            if (in[i] && in[j] && (d->point[i].at[axis] == d->point[j].at[axis]) != (d->point[i].at[than] == d->point[j].at[than]))
                return false;
    return true;
}

static char *label(const struct sweepdb *d, const bool *in, const struct sweepdb_point *p)
{
    char *text = NULL;
    size_t size;
    FILE *f = must(open_memstream(&text, &size));
    const char *comma = "";
    for (size_t a = 0; a < d->n_axes; a++) {
        bool tell = differ(d, in, a);
        for (size_t b = 0; b < d->n_axes && tell; b++)
            if (b != a && differ(d, in, b) && says_nothing_new(d, in, a, b))
                tell = d->axis[a].numeric == d->axis[b].numeric ? a < b : !d->axis[a].numeric;
        if (tell)
            fprintf(f, "%s%s", comma, d->axis[a].value[p->at[a]].text);
        if (tell)
            comma = ", ";
    }
    if (differ(d, in, d->n_axes))
        fprintf(f, "%sseed %" PRId64, comma, p->seed);
    return must_text(f, &text);
}

static int too_many(const struct sweepdb *d, const bool *in, size_t n, struct err *err)
{
    err_set(err, ERR_USAGE, "%zu points of the sweep in one picture cannot be told apart", n);
    for (size_t a = 0; a < d->n_axes; a++)
        if (differ(d, in, a))
            return err_remedy(err, "choose up to %d with --where %.100s=VALUE", PLOT_RUNS_MAX, d->axis[a].key);
    return err_remedy(err, "name some of the folders in points/");
}

int plot_points_open(struct plot_points *out, const char *sweep, const char *const *where, size_t n_where, struct err *err)
{
    struct sweepdb d;
    *out = (struct plot_points){0};
    if (sweepdb_open(&d, sweep, err) < 0)
        return -1;
    bool *in = sweepdb_where(&d, where, n_where, err);
    size_t n = 0;
    for (size_t i = 0; in && i < d.n_points; i++)
        n += in[i] &= d.point[i].ok;
    int rc = in ? 0 : -1;
    if (in && !n) {
        err_set(err, ERR_USAGE, "none of these points is complete");
        err_remedy(err, "mmulab status %.300s says why", sweep);
        rc = err_at(err, d.path, 0, 0);
    } else if (n > PLOT_RUNS_MAX) {
        rc = too_many(&d, in, n, err);
    }
    for (size_t i = 0; rc == 0 && i < d.n_points; i++) {
        if (!in[i])
            continue;
        out->dir = must_grow(out->dir, out->n, sizeof *out->dir);
        out->label = must_grow(out->label, out->n, sizeof *out->label);
        if (asprintf(&out->dir[out->n], "%s/points/%s", sweep, d.point[i].name) < 0)
            abort();
        out->label[out->n++] = label(&d, in, &d.point[i]);
    }
    free(in);
    sweepdb_close(&d);
    return rc;
}

void plot_points_close(struct plot_points *p)
{
    for (size_t i = 0; i < p->n; i++) {
        free(p->dir[i]);
        free(p->label[i]);
    }
    free(p->dir);
    free(p->label);
}
