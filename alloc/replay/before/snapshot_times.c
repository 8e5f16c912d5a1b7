/* times.json: when a recording's snapshots were taken. */
#include "replay/before/snapshot.h"

#include "traces/readers/scan.h"

#include <stdio.h>

/* The four times are strings of seconds with nine digits: too many for a double. */
static bool time_of(const char *text, size_t n, const char *key, uint64_t *ns)
{
    const char *end = text + n, *p = memmem(text, n, key, strlen(key));
    uint64_t sec, frac = 0;
    unsigned digits = 0;
    if (!p)
        return false;
    p += strlen(key);
    while (p < end && (*p == '"' || *p == ' ' || *p == ':' || *p == '\t'))
        p++;
    if (!scan_dec(&p, end, &sec) || sec > UINT64_MAX / 1000000000u - 1)
        return false;
    if (p < end && *p == '.')
        for (p++; p < end && *p >= '0' && *p <= '9' && digits < 9; p++, digits++)
            frac = frac * 10 + (uint64_t)(*p - '0');
    for (; digits < 9; digits++)
        frac *= 10;
    *ns = sec * 1000000000u + frac;
    return true;
}

/* "before_NAME_start" and "_end": when one file was read; all of the snapshot if it does not say. */
static bool file_times(const char *text, size_t n, const char *moment, const char *file, struct snap_read whole, struct snap_read *out)
{
    char key[2][64];
    struct snap_read r;
    snprintf(key[0], sizeof key[0], "\"%s_%s_start\"", moment, file);
    snprintf(key[1], sizeof key[1], "\"%s_%s_end\"", moment, file);
    *out = whole;
    if (!time_of(text, n, key[0], &r.start) || !time_of(text, n, key[1], &r.end) || r.start > r.end || r.start < whole.start ||
        r.end > whole.end)
        return false;
    *out = r;
    return true;
}

int snapshot_parse_times(struct snap_times *out, const char *text, size_t n)
{
    *out = (struct snap_times){0};
    if (!time_of(text, n, "before_snapshot_start", &out->before_start) || !time_of(text, n, "before_snapshot_end", &out->before_end) ||
        !time_of(text, n, "after_snapshot_start", &out->after_start) || !time_of(text, n, "after_snapshot_end", &out->after_end) ||
        out->before_start > out->before_end || out->before_end > out->after_start || out->after_start > out->after_end)
        return -1;
    static const char *const moments[2] = {"before", "after"};
    out->files = true;
    for (unsigned i = 0; i < 2; i++) {
        struct snap_read whole = {i ? out->after_start : out->before_start, i ? out->after_end : out->before_end};
        bool map = file_times(text, n, moments[i], "pfnmap", whole, &out->map[i]);
        bool buddy = file_times(text, n, moments[i], "buddyinfo", whole, &out->buddy[i]);
        bool vmstat = file_times(text, n, moments[i], "vmstat", whole, &out->vmstat[i]);
        out->files = out->files && map && buddy && vmstat;
    }
    return 0;
}

int snapshot_read_times(struct snap_times *out, const char *path, struct err *err)
{
    char text[4096];
    FILE *f = fopen(path, "re");
    if (!f) {
        err_set(err, ERR_USAGE, "cannot open it");
        return err_at(err, path, 0, 0);
    }
    size_t n = fread(text, 1, sizeof text, f);
    fclose(f);
    if (snapshot_parse_times(out, text, n) == 0)
        return 0;
    err_set(err, ERR_USAGE, "the four times before_snapshot_start, _end, after_snapshot_start, _end are not there in ascending order");
    err_remedy(err, "they are seconds as text, as mmulab record --kernel writes them; without this file the whole recording is replayed");
    return err_at(err, path, 0, 0);
}
