/*
 * The results of a sweep's points as tables: results.csv (a row a point), summary.csv (mean, deviation and interval over
 * seeds), results.sqlite. In the order of points, from what is in the folder, so the bytes depend neither on who simulated what
 * when nor on where the folder lies.
 */
#ifndef APP_SWEEP_COLLECT_H
#define APP_SWEEP_COLLECT_H

#include "app/sweep/folder.h"

struct collected_value {
    uint32_t column;
    char *text; /* the number as stats.json has it; NULL: a ratio of nothing */
};
struct collected_point {
    enum point_state state;
    char *reason; /* NULL if ok or missing */
    struct collected_value *value; /* measured part; of complete points only */
    size_t n;
};
struct collection {
    const struct sweep_plan *plan;
    const struct sweep_point *point;
    struct collected_point *got; /* a point each */
    char **column;               /* statistics in the order of their first appearance */
    size_t n_columns;
    size_t count[4];             /* points by state */
};

int collect_load(struct collection *c, struct sweep_folder *f, const struct sweep_plan *p, const struct sweep_point *point,
                 struct err *err);
void collect_free(struct collection *c);
/* Writes the three files. */
int collect_write(struct collection *c, struct sweep_folder *f, struct err *err);
int collect_sqlite(struct collection *c, struct sweep_folder *f, struct err *err); /* of these, the third */

/* The name of the trace of a point and its seed are columns of their own; the other axes are these. */
bool collect_is_column(const struct sweep_axis *x);
/* The same values but for the seed? */
bool collect_same_group(const struct sweep_plan *p, size_t a, size_t b);

#endif
