#include "app/kernel/kernel_paths.h"

#include "replay/before/folder.h"
#include "replay/before/snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* FOLDER/before of the events, unless the configuration names another. */
static char *before_prefix(const struct workload_kernel *k, const char *events)
{
    char *p;
    const char *slash = strrchr(events, '/');
    if (k->before && *k->before)
        return strdup(k->before);
    return asprintf(&p, "%.*sbefore", (int)(slash ? slash - events + 1 : 0), events) < 0 ? NULL : p;
}

static char *times_path(const char *prefix)
{
    char *p, *found;
    const char *slash = strrchr(prefix, '/');
    if (asprintf(&p, "%.*stimes.json", (int)(slash ? slash - prefix + 1 : 0), prefix) < 0)
        return NULL;
    found = snapshot_find(p);
    free(p);
    return found;
}

/* The folder of a recording stands for the events in it. */
static int find_events(char **found, const char *path, struct err *err)
{
    struct stat st;
    bool folder = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    *found = folder ? recording_events(path) : strdup(path);
    if (*found)
        return 0;
    if (!folder)
        return err_set(err, ERR_RUN, "out of memory");
    err_set(err, ERR_USAGE, "this folder holds no recording of a kernel");
    err_remedy(err, "name a file of events (NAME.perf.zst, perf.data, ...), or the folder that mmulab record --kernel made");
    return err_at(err, path, 0, 0);
}

int kernel_paths_init(struct kernel_paths *p, const struct workload_kernel *k, bool snapshot, struct err *err)
{
    *p = (struct kernel_paths){0};
    if (k->events && find_events(&p->events, k->events, err) < 0)
        return -1;
    if (!snapshot)
        return 0;
    p->before = before_prefix(k, p->events);
    if (!p->before)
        return err_set(err, ERR_RUN, "out of memory");
    p->times = times_path(p->before);
    return 0;
}

void kernel_paths_fini(struct kernel_paths *p)
{
    free(p->events);
    free(p->before);
    free(p->times);
}
