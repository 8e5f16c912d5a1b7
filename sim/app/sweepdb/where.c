#include "app/sweepdb/sweepdb.h"

#include "app/sweep/must.h"

#include <string.h>

bool *sweepdb_where(const struct sweepdb *d, const char *const *where, size_t n, struct err *err)
{
    bool *keep = must_alloc(d->n_axes * d->n_points, sizeof *keep); /* axis by value; an axis has at most a value a point */
    bool *asked = must_alloc(d->n_axes, sizeof *asked), *in = must_alloc(d->n_points, sizeof *in);
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        const char *eq = strchr(where[i], '=');
        char key[200];
        if (!eq || eq == where[i] || (size_t)(eq - where[i]) >= sizeof key) {
            err_set(err, ERR_USAGE, "--where takes KEY=VALUE, not \"%.100s\"", where[i]);
            rc = -1;
            break;
        }
        snprintf(key, sizeof key, "%.*s", (int)(eq - where[i]), where[i]);
        int a = sweepdb_axis(d, key, err), at = a < 0 ? -1 : sweepdb_value(d, (size_t)a, eq + 1, err);
        if (at < 0) {
            rc = -1;
            break;
        }
        asked[a] = keep[(size_t)a * d->n_points + (size_t)at] = true;
    }
    size_t left = 0;
    for (size_t i = 0; i < d->n_points && rc == 0; i++) {
        in[i] = true;
        for (size_t a = 0; a < d->n_axes; a++)
            in[i] &= !asked[a] || keep[a * d->n_points + d->point[i].at[a]];
        left += in[i];
    }
    free(keep);
    free(asked);
    if (rc == 0 && !left) {
        err_set(err, ERR_USAGE, "no point of the sweep has all that --where asks for");
        rc = err_at(err, d->path, 0, 0);
    }
    if (rc == 0)
        return in;
    free(in);
    return NULL;
}
