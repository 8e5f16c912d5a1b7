/* The files of a kernel's replay: events, snapshot, times. */
#ifndef APP_KERNEL_PATHS_H
#define APP_KERNEL_PATHS_H

#include "app/machine_root.h"

struct kernel_paths {
    char *events; /* the file; that in it, where the configuration names the folder of a recording */
    char *before; /* what stands in front of .zoneinfo and so on */
    char *times;  /* NULL: there is no times.json beside the snapshot */
};

/* `snapshot`: the replay starts from one; else `before` and `times` stay NULL. */
int kernel_paths_init(struct kernel_paths *p, const struct workload_kernel *k, bool snapshot, struct err *err);
void kernel_paths_fini(struct kernel_paths *p);

#endif
