/*
 * What a sweep varies: the section "sweep" of a configuration (docs/sweep.md) as a list of axes, and the combinations of
 * their values. The last axis changes fastest. Traces and seeds are axes like any other.
 */
#ifndef APP_SWEEP_AXES_H
#define APP_SWEEP_AXES_H

#include "config/config.h"

enum {
    SWEEP_VALUES_MAX = 10000,  /* of one axis */
    SWEEP_POINTS_MAX = 100000, /* of one sweep, before exclusions */
    SWEEP_AXES_MAX = 64,
};

enum axis_kind {
    AXIS_KEYS,   /* one configuration key, or several that change together (zip) */
    AXIS_PRESET, /* "@name" that comes before everything the configuration says */
    AXIS_TRACE,
    AXIS_SEED, /* of sim.seed; statistics are taken over it */
};
#define AXIS_KINDS {"keys", "preset", "trace", "seed", NULL}

struct sweep_axis {
    enum axis_kind kind;
    size_t n_keys, n_values;
    char **key;  /* "mmu.stlb.entries"; "preset", "trace", "sim.seed" */
    char **text; /* [value * n_keys + key]: as VALUE of KEY=VALUE in its one spelling; of a trace its file's name */
    char **path; /* the same places: of a file's name the path from the current folder, else NULL */
    int *file;   /* the same places, in a plan: number of the file or -1 */
};

struct sweep_match { /* is the axis at one of these values? */
    size_t axis;
    unsigned char *hit; /* a flag a value */
};
struct sweep_exclude { /* all must match */
    size_t n;
    struct sweep_match *match;
};

struct sweep_axes {
    size_t n, n_exclude;
    struct sweep_axis *axis;
    struct sweep_exclude *exclude;
};

/*
 * Reads the section of `c`. `trace` (the command line's) replaces the section's. Errors point into the file; 0 or -1.
 * Without section and traces there are no axes.
 */
int sweep_axes_read(struct sweep_axes *out, const struct config *c, const char *const *trace, size_t n_trace,
                    struct diag *d);
void sweep_axes_free(struct sweep_axes *a);

/*
 * The combinations in order, without the excluded ones: *combo is an array of n * a->n value numbers, to be freed. The
 * number of combinations; SIZE_MAX if there are more than SWEEP_POINTS_MAX before exclusions.
 */
size_t sweep_axes_combine(const struct sweep_axes *a, uint32_t **combo);

/* A range's values as texts; for axes.c. Returns how many, or 0 after an error in d. *text and its members to be freed. */
size_t sweep_range(const struct config_schema *s, const char *key, const struct config_node *range, char ***text,
                   struct diag *d);

/* "did you mean" for a member of the section. */
void sweep_unknown(const struct config_node *member, const char *where, const char *const *names, struct diag *d);

#endif
