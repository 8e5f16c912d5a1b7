/*
 * The folder of a sweep:
 *   sweep.json host.json   the plan (plan.h)
 *   lock                   byte 0: shared by all workers, exclusive for planning; byte 1 + i: the worker of point i.
 *                          Locks end with their owner, also after kill -9.
 *   points/INDEX-HASH/     a result folder; with "complete": true it is never simulated again
 *   failed/HASH.json       why a point failed; removed on request and by success
 *   old/                   results of points that are in the plan no more; taken back when they are again
 *   warm/                  states at the end of warm-ups, for points that share one (docs/checkpoints.md); gone when all are there
 *   results.csv summary.csv results.sqlite
 */
#ifndef APP_SWEEP_FOLDER_H
#define APP_SWEEP_FOLDER_H

#include "app/sweep/plan.h"

struct sweep_folder {
    char *path;
    int fd, lock;
};

/* With `create` makes it; without, it must be there. ERR_USAGE if it is something else's folder. */
int folder_open(struct sweep_folder *f, const char *path, bool create, struct err *err);
void folder_close(struct sweep_folder *f); /* gives up its locks */

enum folder_lock { FOLDER_PLANNING, FOLDER_WORKING };
/* 1: got it (one replaces the other); 0: others have it, for `wait_ms` already; -1: no locks here. */
int folder_lock_plan(struct sweep_folder *f, enum folder_lock how, unsigned wait_ms, struct err *err);
int folder_lock_point(struct sweep_folder *f, size_t index, struct err *err); /* 1, 0: another worker has it, -1 */
void folder_unlock_point(struct sweep_folder *f, size_t index);

/* A file in the folder under its name at once or not at all, synced. */
int folder_write(struct sweep_folder *f, const char *name, const char *text, size_t len, struct err *err);
/* For files that something else writes under a temporary name of the folder (to be freed): syncs and renames it. */
char *folder_temporary(const struct sweep_folder *f, const char *name);
int folder_commit(struct sweep_folder *f, const char *temporary, const char *name, struct err *err);
/* Removes temporaries that a killed sweep left. While planning. */
void folder_clean(struct sweep_folder *f);
/* Puts every result of this plan where the plan wants it, others to old/, and failures that are not of it away. While
 * planning. *kept: results in old/. */
int folder_arrange(struct sweep_folder *f, const struct sweep_plan *p, const struct sweep_point *point, size_t *kept,
                   struct err *err);

/* For who only looks (--dry-run): a point whose result stands in points/ under the number of an earlier plan gets that name. */
void folder_find(struct sweep_folder *f, const struct sweep_plan *p, struct sweep_point *point);

enum point_state { POINT_MISSING, POINT_PARTIAL, POINT_FAILED, POINT_OK };
#define POINT_STATES {"missing", "partial", "failed", "ok"}
/* *reason (may be NULL): why it failed or is partial, to be freed; NULL otherwise. */
enum point_state folder_state(const struct sweep_folder *f, const struct sweep_point *pt, char **reason);
char *folder_point_path(const struct sweep_folder *f, const struct sweep_point *pt, const char *name); /* to be freed */
char *folder_warm_path(const struct sweep_folder *f);    /* ends in '/'; to be freed */
char *folder_decoded_path(const struct sweep_folder *f); /* the same */
void folder_drop_warm(struct sweep_folder *f);           /* both; no point is left that could want them */
int folder_set_failed(struct sweep_folder *f, const struct sweep_point *pt, const char *reason, struct err *err);
void folder_clear_failed(struct sweep_folder *f, const struct sweep_point *pt);

#endif
