#include "app/record/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_program(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

char *record_find_program(const char *name)
{
    const char *path = getenv("PATH");
    char *full;
    if (strchr(name, '/'))
        return strdup(name);
    for (path = path ? path : "/usr/local/bin:/usr/bin:/bin"; *path;) {
        size_t n = strcspn(path, ":");
        if (asprintf(&full, "%.*s%s%s", (int)n, path, n ? "/" : "./", name) < 0)
            return NULL;
        if (is_program(full))
            return full;
        free(full);
        path += n + (path[n] == ':');
    }
    return NULL;
}

int record_target_find(struct record_target *t, char **argv, struct err *err)
{
    const char *slash = strrchr(argv[0], '/');
    char *path = record_find_program(argv[0]);
    *t = (struct record_target){.name = strdup(slash ? slash + 1 : argv[0])};
    if (!path) {
        err_set(err, ERR_USAGE, "there is no program \"%.200s\" in PATH", argv[0]);
        return err_remedy(err, "a program of the current folder is ./NAME");
    }
    int rc = t->name ? program_resolve(&t->program, path, (const char *const *)argv, err)
                     : err_set(err, ERR_RUN, "out of memory");
    free(path);
    return rc;
}

void record_target_fini(struct record_target *t)
{
    program_fini(&t->program);
    free(t->name);
    *t = (struct record_target){0};
}
