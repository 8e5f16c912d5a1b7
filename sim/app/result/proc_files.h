/* The kernel's own files about memory, as far as the machine has what they tell (docs/model/output.md). */
#ifndef APP_PROC_FILES_H
#define APP_PROC_FILES_H

#include "app/result/result.h"
#include "cpu/machine/machine.h"

struct proc_source {
    const struct frame_map *map;
    const struct slab_sys *slab; /* NULL: there are no objects */
    const struct vmalloc *vmalloc; /* NULL: the trace has none */
    bool guessed;                /* what blocks are used for is a guess (frames/proc/uses.h) */
    uint64_t gigantic, vmalloc_bytes; /* 1 GiB pages of the pool; length of vmalloc space */
    struct machine *users;       /* whose page_users are wanted; NULL: none */
};
/* Writes them below `folder` ("proc", "proc/marks/NAME") of the result. */
int proc_files_write(struct result *r, const char *folder, const struct proc_source *s, struct err *err);

#endif
