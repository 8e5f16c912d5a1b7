#include "replay/before/folder.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool ends(const char *s, const char *end)
{
    size_t n = strlen(s), k = strlen(end);
    return n > k && !strcmp(s + n - k, end);
}

static bool looks_like_events(const char *name)
{
    static const char *const kinds[] = {".perf", "perf.txt", ".ftrace", "trace.txt", "perf.data", ".mtr"};
    static const char *const packed[] = {"", ".zst", ".xz", ".gz", ".bz2"};
    char want[32];
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        for (size_t k = 0; k < sizeof packed / sizeof packed[0]; k++) {
            snprintf(want, sizeof want, "%s%s", kinds[i], packed[k]);
            if (ends(name, want) || !strcmp(name, want))
                return true;
        }
    return false;
}

/* FOLDER/FOLDER.perf is the recording's own; else the first by name, its text before other forms. */
static unsigned rank(const char *folder, const char *name)
{
    size_t n = strlen(folder);
    while (n > 1 && folder[n - 1] == '/')
        n--;
    size_t start = n;
    while (start > 0 && folder[start - 1] != '/')
        start--;
    bool own = !strncmp(name, folder + start, n - start) && name[n - start] == '.';
    bool text = strstr(name, ".perf") || strstr(name, ".ftrace") || strstr(name, ".txt");
    return (own ? 0u : 2u) + (text ? 0u : 1u);
}

char *recording_events(const char *folder)
{
    struct dirent **list;
    const char *best = NULL;
    char *path = NULL;
    int n = scandir(folder, &list, NULL, alphasort);
    for (int i = 0; i < n; i++)
        if (looks_like_events(list[i]->d_name) && (!best || rank(folder, list[i]->d_name) < rank(folder, best)))
            best = list[i]->d_name;
    if (best && asprintf(&path, "%s/%s", folder, best) < 0)
        path = NULL;
    for (int i = 0; i < n; i++)
        free(list[i]);
    if (n >= 0)
        free(list);
    return path;
}
