/* What the kernel says of its memory at one moment. */
#include "app/record/kernel.h"

#include "engine/types.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* In the order of reading. buddyinfo stands right behind the map, so that the events of the walk lead from one to the other; the
 * types and the indices, which a comparison wants from the same moment, next to the two. */
enum { MAP = 5, BUDDY = 6, TRIES = 5, TEXT_CAP = 4 << 20, MAP_CAP = 64 << 20, CHUNK = 1 << 17, BUDDY_CAP = 8192 };
static const struct { const char *name, *path; bool needed; } sources[SNAPSHOT_FILES] = {
    {"slabinfo", "/proc/slabinfo", false}, /* absent with CONFIG_SLUB_DEBUG off */
    {"vmstat", "/proc/vmstat", true},
    {"meminfo", "/proc/meminfo", true},
    {"zoneinfo", "/proc/zoneinfo", true},
    {"pagetypeinfo", "/proc/pagetypeinfo", true},
    [MAP] = {"pfnmap", "/proc/kpageflags", true},
    [BUDDY] = {"buddyinfo", "/proc/buddyinfo", true},
    {"extfrag_index", "/sys/kernel/debug/extfrag/extfrag_index", false}, /* CONFIG_DEBUG_FS and CONFIG_COMPACTION */
    {"unusable_index", "/sys/kernel/debug/extfrag/unusable_index", false},
};

/* Bits of /proc/kpageflags (include/uapi/linux/kernel-page-flags.h; reserved: include/linux/kernel-page-flags.h). */
enum { KPF_LRU = 5, KPF_SLAB = 7, KPF_BUDDY = 10, KPF_MMAP = 11, KPF_ANON = 12, KPF_HUGE = 17, KPF_NOPAGE = 20, KPF_PGTABLE = 26,
       KPF_RESERVED = 32 };
#define BIT(f, b) ((f) >> (b) & 1)

/* Flag bits are shared between uses (a slab page may show ANON), so the order of the questions matters. */
static const char *class_of(uint64_t f)
{
    return BIT(f, KPF_NOPAGE)     ? "reserved"
           : BIT(f, KPF_BUDDY)    ? "free"
           : BIT(f, KPF_SLAB)     ? "slab"
           : BIT(f, KPF_PGTABLE)  ? "pgtable"
           : BIT(f, KPF_RESERVED) ? "reserved"
           : BIT(f, KPF_HUGE)     ? "huge"
           : BIT(f, KPF_ANON)     ? "anon"
           : BIT(f, KPF_LRU) || BIT(f, KPF_MMAP) ? "file" : "other";
}

int snapshot_init(struct snapshot *s, struct err *err)
{
    memset(s, 0, sizeof *s);
    for (size_t i = 0; i < SNAPSHOT_FILES; i++) {
        s->file[i].cap = i == MAP ? MAP_CAP : TEXT_CAP;
        s->file[i].text = malloc(s->file[i].cap);
        if (!s->file[i].text) {
            snapshot_fini(s);
            return err_set(err, ERR_RUN, "out of memory for a snapshot");
        }
        memset(s->file[i].text, 0, s->file[i].cap); /* pages now, not while events are recorded */
    }
    return 0;
}

void snapshot_fini(struct snapshot *s)
{
    for (size_t i = 0; i < SNAPSHOT_FILES; i++)
        free(s->file[i].text);
    memset(s, 0, sizeof *s);
}

static int cannot(struct err *err, const char *path)
{
    int e = errno;
    err_set(err, ERR_USAGE, "cannot read %s: %s", path, strerror(e));
    return err_remedy(err, e == EACCES || e == EPERM ? "only root may" : "the kernel must have it (docs/kernel-recording.md lists the options)");
}

static int take_text(struct snapshot *s, size_t i, struct err *err)
{
    int fd = open(sources[i].path, O_RDONLY | O_CLOEXEC);
    s->file[i].len = 0;
    if (fd < 0)
        return sources[i].needed ? cannot(err, sources[i].path) : 0;
    ssize_t n = 1;
    while (s->file[i].len < s->file[i].cap && (n = read(fd, s->file[i].text + s->file[i].len, s->file[i].cap - s->file[i].len)) > 0)
        s->file[i].len += (size_t)n;
    close(fd);
    if (n < 0)
        return cannot(err, sources[i].path);
    return n > 0 ? err_set(err, ERR_RUN, "%s is longer than %u bytes", sources[i].path, TEXT_CAP) : 0;
}

static int put_run(struct snapshot *s, uint64_t first, uint64_t pages, const char *class, struct err *err)
{
    if (!strcmp(class, "free"))
        s->free_pages += pages;
    size_t left = s->file[MAP].cap - s->file[MAP].len;
    int n = snprintf(s->file[MAP].text + s->file[MAP].len, left, "%" PRIx64 " %" PRIu64 " %s\n", first, pages, class);
    if ((size_t)n >= left)
        return err_set(err, ERR_RUN, "the map of all frames is longer than %u bytes", MAP_CAP);
    s->file[MAP].len += (size_t)n;
    return 0;
}

static int take_map(struct snapshot *s, struct err *err)
{
    static const char none[] = "";
    uint64_t *flags = malloc(CHUNK * sizeof *flags);
    int fd = open(sources[MAP].path, O_RDONLY | O_CLOEXEC), rc = 0;
    const char *class = none;
    uint64_t pfn = 0, first = 0;
    ssize_t n = 0;
    s->file[MAP].len = 0;
    s->free_pages = 0;
    if (!flags || fd < 0)
        rc = flags ? cannot(err, sources[MAP].path) : err_set(err, ERR_RUN, "out of memory for a snapshot");
    while (!rc && (n = read(fd, flags, CHUNK * sizeof *flags)) > 0)
        for (size_t i = 0; !rc && i < (size_t)n / sizeof *flags; i++, pfn++) {
            const char *c = class_of(flags[i]);
            if (c == class)
                continue;
            rc = pfn ? put_run(s, first, pfn - first, class, err) : 0;
            class = c;
            first = pfn;
        }
    if (!rc && n < 0)
        rc = cannot(err, sources[MAP].path);
    if (!rc && pfn)
        rc = put_run(s, first, pfn - first, class, err);
    if (fd >= 0)
        close(fd);
    free(flags);
    return rc;
}

/* Pages in all free blocks of a /proc/buddyinfo. */
static uint64_t buddy_pages(const char *text, size_t len)
{
    uint64_t pages = 0;
    for (const char *line = text, *end; line < text + len; line = end + 1) {
        end = memchr(line, '\n', (size_t)(text + len - line));
        if (!end)
            break;
        const char *p = strstr(line, "zone");
        if (!p || p > end)
            continue;
        p += 4;
        p += strspn(p, " ");
        p += strcspn(p, " ");
        for (unsigned order = 0; p < end; order++) {
            char *after;
            unsigned long long blocks = strtoull(p, &after, 10);
            if (after == p || after > end)
                break;
            pages += (uint64_t)blocks << order;
            p = after;
        }
    }
    return pages;
}

static int take_file(struct snapshot *s, size_t i, struct err *err)
{
    clock_gettime(CLOCK_MONOTONIC, &s->file[i].start);
    int rc = i == MAP ? take_map(s, err) : take_text(s, i, err);
    clock_gettime(CLOCK_MONOTONIC, &s->file[i].end);
    return rc;
}

int snapshot_take(struct snapshot *s, struct err *err)
{
    char first[BUDDY_CAP];
    size_t len = 0;
    /* The files are read one after the other while the machine goes on. Where the free lists are the same before the walk over
     * the frames and behind it, all agree; where that never happens, the last try stands. */
    for (unsigned tries = 0; tries < TRIES; tries++) {
        for (size_t i = 0; i < SNAPSHOT_FILES; i++) {
            if (i == MAP) {
                if (take_file(s, BUDDY, err))
                    return -1;
                len = s->file[BUDDY].len < sizeof first ? s->file[BUDDY].len : sizeof first;
                memcpy(first, s->file[BUDDY].text, len);
            }
            if (take_file(s, i, err))
                return -1;
        }
        s->start = s->file[0].start;
        s->end = s->file[SNAPSHOT_FILES - 1].end;
        s->buddy_pages = buddy_pages(s->file[BUDDY].text, s->file[BUDDY].len);
        if (s->buddy_pages == s->free_pages && s->file[BUDDY].len >= len && !memcmp(first, s->file[BUDDY].text, len))
            break;
    }
    return 0;
}

static size_t put_time(const char *name, const char *what, const char *end, struct timespec t, char *out, size_t size)
{
    int n = snprintf(out, size, " \"%s_%s_%s\": \"%lld.%09ld\",\n", name, what, end, (long long)t.tv_sec, t.tv_nsec);
    return n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1;
}

size_t snapshot_times(const struct snapshot *s, const char *name, char *out, size_t size)
{
    size_t n = put_time(name, "snapshot", "start", s->start, out, size);
    n += put_time(name, "snapshot", "end", s->end, out + n, size - n);
    for (size_t i = 0; i < SNAPSHOT_FILES; i++) {
        if (!s->file[i].len)
            continue;
        n += put_time(name, sources[i].name, "start", s->file[i].start, out + n, size - n);
        n += put_time(name, sources[i].name, "end", s->file[i].end, out + n, size - n);
    }
    return n;
}

int snapshot_write(const struct snapshot *s, const char *dir, const char *name, struct err *err)
{
    for (size_t i = 0; i < SNAPSHOT_FILES; i++) {
        char file[64];
        snprintf(file, sizeof file, "%s.%s%s", name, sources[i].name, i == MAP ? ".zst" : "");
        if (s->file[i].len && kernel_write_file(dir, file, s->file[i].text, s->file[i].len, i == MAP, err))
            return -1;
    }
    return 0;
}
