#include "app/result/proc_files.h"

#include "frames/measure/fragmentation.h"
#include "frames/zones/zoneinfo.h"

#include "engine/types.h"

struct proc_file {
    const char *name;
    void (*print)(const struct frame_map *map, FILE *out);
};

static const struct proc_file files[] = {
    {"buddyinfo", frames_print_buddyinfo},
    {"pagetypeinfo", frames_print_pagetypeinfo},
    {"zoneinfo", frames_print_zoneinfo},
    {"unusable_index", frames_print_unusable_index},
    {"extfrag_index", frames_print_extfrag_index},
};

struct job {
    const struct proc_file *file;
    const struct frame_map *map;
};

static int write_one(FILE *f, void *ctx, struct err *err)
{
    const struct job *j = ctx;
    (void)err;
    j->file->print(j->map, f);
    return 0;
}

int proc_files_write(struct result *r, const char *folder, const struct frame_map *map, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        char name[512];
        struct job j = {&files[i], map};
        snprintf(name, sizeof name, "%.400s/%s", folder, files[i].name);
        if (result_write(r, name, write_one, &j, err) < 0)
            return -1;
    }
    return 0;
}
