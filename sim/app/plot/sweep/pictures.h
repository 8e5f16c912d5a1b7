/*
 * The pictures that a configuration's section "sweep" asks for, drawn when the sweep is through: "pictures": ["KIND OPTION...", ...],
 * the words of `mmulab plot` without the folder. Words are parted by blanks, 'quotes' keep them together. -o NAME is a name in
 * SWEEP/plots. They are no part of the plan: other pictures simulate nothing again.
 */
#ifndef APP_PLOT_SWEEP_PICTURES_H
#define APP_PLOT_SWEEP_PICTURES_H

#include "config/config.h"

struct sweep_picture {
    char **word; /* KIND and options; one more place behind them for the folder */
    int n, name; /* which word is the NAME of -o; 0: none */
};

struct sweep_pictures {
    struct sweep_picture *picture;
    size_t n;
};

/* Errors point into the file; 0 or -1, out is to be freed in both cases. Without the member there are none. */
int sweep_pictures_read(struct sweep_pictures *out, const struct config *c, struct diag *d);
void sweep_pictures_free(struct sweep_pictures *p);

/* Draws them, and prints their names as `mmulab plot` does. 2: a picture asks for what the sweep does not have; 0: drawn, or not
 * for lack of gnuplot; both have been told. */
int sweep_pictures_draw(const struct sweep_pictures *p, const char *sweep);

#endif
