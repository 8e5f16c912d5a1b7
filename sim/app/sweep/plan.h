/*
 * A sweep's plan: the file sweep.json of its folder, frozen when the sweep starts, so that every worker of every
 * scheduler simulates the same however the configuration file changes meanwhile. It holds what the base configuration
 * says and the axes; the points follow from these. No folder is in it: where its files lie stands in host.json.
 *
 * A point is identified by the hash of its effective configuration, of the files it reads, its seed and the program's
 * version and code (code_hash.h). Its folder is points/INDEX-HASH.
 */
#ifndef APP_SWEEP_PLAN_H
#define APP_SWEEP_PLAN_H

#include "app/sweep/axes.h"
#include "engine/err.h"

#include <string.h>

enum { POINT_NAME = 48, POINT_HASH = 16 };

struct sweep_file {
    char *name, *path; /* without its folder; absolute */
    char hash[17];     /* a .mtr's own (traces/trace.h), else of its bytes and of NAME.maps.txt beside it */
    uint64_t size, mtime_ns;
    bool group; /* a kernel's snapshot: path is what stands before .buddyinfo and so on; size of all, the newest time */
    int beside; /* the snapshot that lies beside a kernel's events: number of a file; -1: none */
};
/* The files of a snapshot, with times.json beside them: their contents' hash (NULL: not wanted), size, newest time. False: none. */
bool plan_group(const char *prefix, uint64_t *hash, uint64_t *size, uint64_t *mtime_ns);
struct sweep_base_path { /* a file that the base configuration names */
    char *key;
    size_t element, file;
};

struct sweep_plan {
    char *text; /* of sweep.json */
    size_t len;
    char config_hash[CONFIG_HASH_BUF]; /* of the base configuration */
    struct sweep_axes axes;
    struct sweep_file *file;
    size_t n_files;
    struct sweep_base_path *path;
    size_t n_paths;
    uint32_t *combo; /* n * axes.n value numbers */
    size_t n;        /* points */
    uint64_t seed;   /* of the base configuration */
};

/* The texts of sweep.json and host.json, to be freed. Reads the files' hashes. `c` is not changed. */
int plan_compose(struct config *c, const struct sweep_axes *axes, int argc, char **argv, char **text, char **host,
                 struct err *err);
/* The plan in two texts; `name` is what errors call it. */
int plan_parse(struct sweep_plan *out, const char *text, const char *host, const char *name, struct err *err);
int plan_load(struct sweep_plan *out, const char *dir, struct err *err);
void plan_free(struct sweep_plan *p);

struct sweep_point {
    size_t index;
    struct config *config;  /* NULL: these values cannot work together, `reason` says why; or of plan_points */
    char name[POINT_NAME];  /* INDEX-HASH */
    char config_hash[CONFIG_HASH_BUF];
    char *trace;            /* file names joined by '+'; "" if there is none */
    char *trace_hash;       /* the same of their hashes */
    const char *trace_path; /* of the trace axis; NULL if there is none */
    uint64_t seed;
    char *reason;           /* NULL if the values can work together */
    unsigned group;         /* points that one decoder may feed (group/sharing.h) */
    bool decoded;           /* the same */
};
void plan_point(const struct sweep_plan *p, size_t index, struct sweep_point *out);
void plan_point_free(struct sweep_point *pt);
/* All of them without their configurations. */
struct sweep_point *plan_points(const struct sweep_plan *p);
void plan_points_free(const struct sweep_plan *p, struct sweep_point *point);
static inline const char *point_hash(const struct sweep_point *pt) { return strchr(pt->name, '-') + 1; }
/* "mmu.stlb.entries=512 memory.size=1GiB trace=a.mtr sim.seed=2"; to be freed. */
char *plan_point_label(const struct sweep_plan *p, size_t index);
/* The text of an axis' key at a point. */
const char *plan_value(const struct sweep_plan *p, size_t index, size_t axis, size_t key);
/* Are there points that differ only in what a functional warm-up does not depend on (docs/checkpoints.md)? */
bool plan_shares_warm_up(const struct sweep_plan *p);
/* Are there enough points a trace that decoding it once into the native form pays? */
bool plan_shares_decoding(const struct sweep_plan *p);
/* Are the files as they were when the sweep was planned? -1 and which is not. */
int plan_check_files(const struct sweep_plan *p, const struct sweep_point *pt, struct err *err);

#endif
