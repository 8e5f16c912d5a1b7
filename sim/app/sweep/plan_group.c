/* A kernel's snapshot as an input of points: PREFIX.buddyinfo and so on, and times.json beside them (alloc/replay/before). */
#include "app/sweep/must.h"
#include "app/sweep/plan.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

static int by_name(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

/* Names in the folder that belong to the prefix, sorted. */
static char **members(int folder, const char *base, size_t *n)
{
    char **name = NULL;
    size_t len = strlen(base);
    int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy < 0 ? NULL : fdopendir(copy);
    bool any = false;
    for (struct dirent *e; d && (e = readdir(d));) {
        bool ours = !strncmp(e->d_name, base, len) && e->d_name[len] == '.';
        if (!ours && strncmp(e->d_name, "times.json", strlen("times.json")) != 0)
            continue;
        any = any || ours;
        name = must_grow(name, *n, sizeof *name);
        name[(*n)++] = must_dup(e->d_name);
    }
    if (d)
        closedir(d);
    for (; !any && *n; --*n)
        free(name[*n - 1]);
    if (*n)
        qsort(name, *n, sizeof *name, by_name);
    return name;
}

static void add_bytes(XXH3_state_t *x, int fd)
{
    char buf[1 << 16];
    for (ssize_t n; (n = read(fd, buf, sizeof buf)) > 0;)
        XXH3_64bits_update(x, buf, (size_t)n);
}

bool plan_group(const char *prefix, uint64_t *hash, uint64_t *size, uint64_t *mtime_ns)
{
    const char *slash = strrchr(prefix, '/');
    char *path = must_dup(prefix);
    size_t n = 0;
    path[slash ? slash - prefix + 1 : 0] = 0;
    int folder = open(*path ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    char **name = folder < 0 ? NULL : members(folder, slash ? slash + 1 : prefix, &n);
    XXH3_state_t *x = must(XXH3_createState());
    XXH3_64bits_reset(x);
    *size = *mtime_ns = 0;
    for (size_t i = 0; i < n; i++) {
        struct stat st;
        int fd = openat(folder, name[i], O_RDONLY | O_CLOEXEC);
        if (fd >= 0 && fstat(fd, &st) == 0) {
            uint64_t t = (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec;
            *size += (uint64_t)st.st_size;
            *mtime_ns = t > *mtime_ns ? t : *mtime_ns;
            /* What follows the prefix: the name that the prefix has there is none of the contents. */
            const char *dot = strchr(name[i], '.');
            XXH3_64bits_update(x, dot, strlen(dot) + 1);
            if (hash)
                add_bytes(x, fd);
        }
        if (fd >= 0)
            close(fd);
        free(name[i]);
    }
    if (hash)
        *hash = XXH3_64bits_digest(x);
    XXH3_freeState(x);
    free(name);
    free(path);
    if (folder >= 0)
        close(folder);
    return n > 0;
}
