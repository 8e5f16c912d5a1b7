/* The kernel's own files about memory, as far as the machine has what they tell (docs/model/output.md). */
#ifndef APP_PROC_FILES_H
#define APP_PROC_FILES_H

#include "app/result/result.h"
#include "frames/frames.h"

/* Writes them below `folder` ("proc", "proc/marks/NAME") of the result. */
int proc_files_write(struct result *r, const char *folder, const struct frame_map *map, struct err *err);

#endif
