/* Numbers for the files that a trace names: a path has one, from 1 in order of appearance. Private. */
#ifndef TRACES_RECORDER_FILES_H
#define TRACES_RECORDER_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORD_FILES_MAX 65535u /* more have number 0, unknown */

struct record_files {
    struct record_file {
        uint64_t hash;
        char *path;
    } *file;
    size_t n, cap;
};

/* 0: no memory, or too many. *is_new: its FILEID record is due. */
uint32_t record_files_number(struct record_files *f, const char *path, bool *is_new);
void record_files_fini(struct record_files *f);

#endif
