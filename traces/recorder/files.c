#include "traces/recorder/files.h"

#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

uint32_t record_files_number(struct record_files *f, const char *path, bool *is_new)
{
    uint64_t hash = XXH3_64bits(path, strlen(path));
    *is_new = false;
    for (size_t i = 0; i < f->n; i++)
        if (f->file[i].hash == hash && !strcmp(f->file[i].path, path))
            return (uint32_t)i + 1;
    if (f->n == RECORD_FILES_MAX)
        return 0;
    if (f->n == f->cap) {
        size_t cap = f->cap ? f->cap * 2 : 64;
        void *p = realloc(f->file, cap * sizeof *f->file);
        if (!p)
            return 0;
        f->file = p;
        f->cap = cap;
    }
    char *copy = strdup(path);
    if (!copy)
        return 0;
    f->file[f->n++] = (struct record_file){hash, copy};
    *is_new = true;
    return (uint32_t)f->n;
}

void record_files_fini(struct record_files *f)
{
    for (size_t i = 0; i < f->n; i++)
        free(f->file[i].path);
    free(f->file);
    *f = (struct record_files){0};
}
