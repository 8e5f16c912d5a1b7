/*
 * Checkpoints of a run: the warm part's text, and the warm-up that is done once and loaded afterwards.
 *
 *   char *warm = checkpoint_warm(config, hashes, interval, memory_interval);
 *   checkpoint_warm_up(&run, "folder/", warm, &how, &err);     -- loads, or warms up and saves
 *   machine_run(m, &err);
 */
#ifndef APP_CHECKPOINT_H
#define APP_CHECKPOINT_H

#include "app/checkpoint/checkpoint_file.h"
#include "app/result/series/memory_series.h"
#include "app/result/result.h"
#include "app/workload.h"
#include "config/config.h"

/* What a run's warm state consists of. */
struct checkpoint_run {
    struct machine *machine;
    struct workload *workload;
    struct series *series;
    struct memory_series *memory;
    struct result *result;
    uint64_t *events, *marks;
    bool (*interrupted)(void);
};

enum { CHECKPOINT_NAME = 40 };

/* Why this configuration has no warm state that can be saved, or NULL. */
const char *checkpoint_impossible(const struct machine_config *m);
/*
 * All that the state at the end of the warm-up depends on, as text, to be freed; NULL: no memory. `trace_hash` (of
 * workload_identity) and the distances of rows that the series begin with are part of it.
 */
char *checkpoint_warm(const struct config *c, const char *const *trace_hash, uint64_t interval, uint64_t memory_interval);
/* A file's name that follows from the text. */
void checkpoint_name(const char *warm, char name[CHECKPOINT_NAME]);

enum checkpoint_how {
    CHECKPOINT_NONE,
    CHECKPOINT_SAVED,
    CHECKPOINT_LOADED,
    CHECKPOINT_UNSAVED, /* with -1: the file cannot be written; the machine stands at the end of its warm-up */
};
/*
 * `place`: a file; or a folder (it is one, or ends in '/'), in which the file is named by checkpoint_name. Others that want the same file wait for
 * whoever is making it. A named file that does not fit is an error; in a folder it is replaced, as is a damaged one.
 * Afterwards the machine stands at the end of its warm-up, or wherever that ended. -1: it can only be freed (but see CHECKPOINT_UNSAVED).
 */
int checkpoint_warm_up(const struct checkpoint_run *run, const char *place, const char *warm, enum checkpoint_how *how,
                       struct err *err);

#endif
