#include "traces/recorder/drain_internal.h"
#include "traces/recorder/initial.h"

#include "traces/input.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_ERRNO 4095 /* include/linux/err.h */
#define MAPS_BYTES_MAX (64u << 20)

static bool failed(uint64_t result)
{
    return (int64_t)result < 0 && (int64_t)result >= -MAX_ERRNO;
}

static int put(struct drain *d, enum trace_kind kind, uint64_t addr, uint32_t size, unsigned flags, const uint64_t *words,
               unsigned n, struct err *err)
{
    struct trace_rec r = {.addr = addr, .size = size, .kind = (uint8_t)kind, .flags = (uint8_t)flags};
    return expand_put(&d->x, r, words, n, NULL, err);
}

static int put_text(struct drain *d, enum trace_kind kind, uint64_t addr, const char *text, struct err *err)
{
    return expand_put(&d->x, (struct trace_rec){.addr = addr, .kind = (uint8_t)kind}, NULL, 0, text, err);
}

/* The number of a file, after its FILEID record if it is new. */
static int file_number(struct drain *d, const char *path, uint32_t *id, struct err *err)
{
    bool is_new;
    *id = record_files_number(&d->files, path, &is_new);
    return is_new ? put_text(d, TRACE_FILEID, *id, path, err) : 0;
}

static int put_call(struct drain *d, const uint64_t *w, const char *path, struct err *err)
{
    const uint64_t *a = w + 2, result = w[8];
    unsigned flags = failed(result) ? TRACE_F_FAILED : 0;
    uint32_t file = 0;
    switch (w[0]) {
    case TRACE_MMAP:
        if (path[0] && file_number(d, path, &file, err) < 0)
            return -1;
        return put(d, TRACE_MMAP, a[0], 0, flags, (uint64_t[]){a[1], a[2], a[3], a[4], a[5], result, file}, 7, err);
    case TRACE_MUNMAP:
        return put(d, TRACE_MUNMAP, a[0], 0, flags, (uint64_t[]){a[1], result}, 2, err);
    case TRACE_MREMAP:
        return put(d, TRACE_MREMAP, a[0], 0, flags, (uint64_t[]){a[1], a[2], a[3], a[4], result}, 5, err);
    case TRACE_BRK:
        return put(d, TRACE_BRK, a[0], 0, flags, &result, 1, err);
    case TRACE_MPROTECT:
        return put(d, TRACE_MPROTECT, a[0], 0, flags, (uint64_t[]){a[1], a[2], result}, 3, err);
    case TRACE_MADVISE:
        return put(d, TRACE_MADVISE, a[0], 0, flags, (uint64_t[]){a[1], a[2], result}, 3, err);
    default:
        return put(d, TRACE_SYSCALL, w[1], 0, flags, (uint64_t[]){a[0], a[1], a[2], a[3], a[4], a[5], result}, 7, err);
    }
}

/* --- lists of mappings --- */

static int put_segments(struct drain *d, const struct trace_maps *m, struct err *err)
{
    for (size_t i = 0; i < m->n; i++) {
        const struct trace_map *s = &m->map[i];
        uint32_t file = 0;
        if (s->path && file_number(d, s->path, &file, err) < 0)
            return -1;
        if (put(d, TRACE_SEGMENT, s->start, s->prot, s->flags, (uint64_t[]){s->length, s->offset, file}, 3, err) < 0)
            return -1;
    }
    d->result.maps = m->n > 0;
    return 0;
}

/* In the kernel's form, without what only it knows (device, inode). */
static int keep_maps(const struct drain *d, const struct trace_maps *m, struct err *err)
{
    FILE *f = fopen(d->opt.keep_maps, "w");
    if (!f) {
        err_set(err, ERR_RUN, "cannot write the mappings: %s", strerror(errno));
        return err_at(err, d->opt.keep_maps, 0, 0);
    }
    for (size_t i = 0; i < m->n; i++) {
        const struct trace_map *s = &m->map[i];
        fprintf(f, "%08llx-%08llx %c%c%cp %08llx 00:00 0 %s%s\n", (unsigned long long)s->start,
                (unsigned long long)s->start + s->length, s->prot & TRACE_PROT_READ ? 'r' : '-',
                s->prot & TRACE_PROT_WRITE ? 'w' : '-', s->prot & TRACE_PROT_EXEC ? 'x' : '-',
                (unsigned long long)s->offset, s->path ? "                   " : "", s->path ? s->path : "");
    }
    bool bad = ferror(f);
    if (fclose(f) != 0 || bad) {
        err_set(err, ERR_RUN, "cannot write the mappings: %s", strerror(errno));
        return err_at(err, d->opt.keep_maps, 0, 0);
    }
    return 0;
}

/* --- programs that become others --- */

static int exec_begins(struct drain *d, uint32_t lane, int pid, const char *path, struct err *err)
{
    if (d->nexec == d->exec_cap) {
        size_t cap = d->exec_cap ? d->exec_cap * 2 : 16;
        void *p = realloc(d->exec, cap * sizeof *d->exec);
        if (!p)
            return err_set(err, ERR_RUN, "out of memory");
        d->exec = p;
        d->exec_cap = cap;
    }
    struct drain_exec *e = &d->exec[d->nexec];
    *e = (struct drain_exec){d->x.process, d->x.thread, lane, pid, strdup(path)};
    if (!e->path)
        return err_set(err, ERR_RUN, "out of memory");
    d->nexec++;
    return 0;
}

static void exec_forget(struct drain *d, size_t i)
{
    free(d->exec[i].path);
    d->exec[i] = d->exec[--d->nexec];
}

/* Whether a process runs another program than QEMU, or none any more. */
static bool is_other(const struct drain *d, int pid)
{
    char link[64];
    struct stat st;
    snprintf(link, sizeof link, "/proc/%d/exe", pid);
    if (stat(link, &st) < 0)
        return true;
    for (int i = 0; i < 2; i++)
        if ((uint64_t)st.st_ino == d->qemu_inode[i] && (uint64_t)st.st_dev == d->qemu_device[i])
            return false;
    return true;
}

int drain_exit(struct drain *d, uint32_t process, uint32_t thread, uint64_t status, struct err *err)
{
    if (d->ended[process])
        return 0;
    d->ended[process] = 1;
    return expand_thread(&d->x, process, thread, err) < 0 ? -1 : put(d, TRACE_EXIT, status, 1, 0, NULL, 0, err);
}

int drain_execs(struct drain *d, struct err *err)
{
    for (size_t i = 0; i < d->nexec;) {
        struct drain_exec e = d->exec[i];
        char text[TRACE_STRING_MAX];
        if (!is_other(d, e.pid)) {
            i++;
            continue;
        }
        snprintf(text, sizeof text, "process %u became %.3800s, which is not recorded", e.process, e.path);
        if (expand_thread(&d->x, e.process, e.thread, err) < 0 || put_text(d, TRACE_EXEC, 0, e.path, err) < 0 ||
            put_text(d, TRACE_MARK, 0, text, err) < 0 || drain_exit(d, e.process, e.thread, 0, err) < 0)
            return -1;
        d->result.execs++;
        if (e.process == 0 && !d->became)
            d->became = strdup(e.path);
        drain_free_lane(d, &d->wire->lane[e.lane]);
        exec_forget(d, i);
    }
    return 0;
}

/* --- lists in pieces --- */

static struct drain_maps *maps_of(struct drain *d, uint32_t lane)
{
    for (size_t i = 0; i < d->nmaps; i++)
        if (d->maps[i].lane == lane)
            return &d->maps[i];
    struct drain_maps *p = realloc(d->maps, (d->nmaps + 1) * sizeof *p);
    if (!p)
        return NULL;
    d->maps = p;
    d->maps[d->nmaps] = (struct drain_maps){.lane = lane};
    return &d->maps[d->nmaps++];
}

/* A program's first word: if one was executed before in this process, it has replaced that. */
static int program_begins(struct drain *d, uint32_t lane, struct err *err)
{
    for (size_t i = 0; i < d->nexec; i++) {
        if (d->exec[i].process != d->x.process)
            continue;
        if (put_text(d, TRACE_EXEC, 0, d->exec[i].path, err) < 0)
            return -1;
        exec_forget(d, i);
        for (uint32_t k = 0; k < WIRE_LANES; k++) { /* the threads of the old program */
            struct wire_lane *l = &d->wire->lane[k];
            if (atomic_load(&l->used) && l->process == d->x.process && l->image < d->wire->lane[lane].image)
                drain_free_lane(d, l);
        }
        return 0;
    }
    return 0;
}

static int maps_piece(struct drain *d, uint32_t lane, const uint64_t *w, unsigned n, struct err *err)
{
    size_t len = n > 2 ? strnlen((const char *)(w + 2), (n - 2) * 8u) : 0;
    struct drain_maps *t = maps_of(d, lane);
    char *p = t && t->n + len <= MAPS_BYTES_MAX ? realloc(t->text, t->n + len + 1) : NULL;
    if (!p)
        return err_set(err, ERR_RUN, "out of memory for a list of mappings");
    t->text = p;
    memcpy(p + t->n, w + 2, len);
    t->n += len;
    if (!(w[0] & WIRE_MAPS_DONE))
        return 0;
    struct trace_maps m;
    bool first = (w[0] & 1) == WIRE_MAPS_FIRST;
    int rc = initial_maps(&m, t->text, t->n, w[1], w[0] & WIRE_MAPS_WIDE, first, err);
    free(t->text);
    *t = d->maps[--d->nmaps];
    if (rc < 0)
        return -1;
    if (first)
        rc = program_begins(d, lane, err) < 0 ? -1 : put_segments(d, &m, err);
    else if (d->opt.keep_maps)
        rc = keep_maps(d, &m, err);
    trace_maps_free(&m);
    return rc;
}

/* --- all of them --- */

static const unsigned words_of[] = {[WIRE_SYSCALL] = 9, [WIRE_CLONE] = 1, [WIRE_FORK] = 2,  [WIRE_EXIT] = 2,
                                    [WIRE_EXEC] = 1,    [WIRE_MAPS] = 2,  [WIRE_HEAP] = 5, [WIRE_EXEC_FAILED] = 0};

static int heap_event(struct drain *d, const uint64_t *w, struct err *err)
{
    unsigned n = w[0] == TRACE_MALLOC ? 1 : w[0] == TRACE_REALLOC ? 2 : 0;
    if (w[0] != TRACE_MALLOC && w[0] != TRACE_REALLOC && w[0] != TRACE_FREE)
        return 0; /* a program's own call of this number */
    return put(d, (enum trace_kind)w[0], w[1], w[0] == TRACE_MALLOC ? (uint32_t)w[2] : 0, 0, w + 3, n, err);
}

int drain_event(struct drain *d, uint32_t lane, const uint64_t *w, unsigned n, struct err *err)
{
    unsigned e = (unsigned)(*w++ >> WIRE_EVENT_SHIFT) & 63;
    char path[TRACE_STRING_MAX + 1] = "";
    if (e == 0 || e >= sizeof words_of / sizeof words_of[0] || n < words_of[e])
        return err_set(err, ERR_RUN, "the plugin tells an event that is none");
    if (n > words_of[e] && e != WIRE_MAPS) {
        size_t room = (n - words_of[e]) * 8u;
        memcpy(path, w + words_of[e], room < TRACE_STRING_MAX ? room : TRACE_STRING_MAX);
    }
    switch (e) {
    case WIRE_SYSCALL:
        return put_call(d, w, path, err);
    case WIRE_CLONE:
        return put(d, TRACE_CLONE, w[0], 0, 0, NULL, 0, err);
    case WIRE_FORK:
        return put(d, TRACE_FORK, w[0], (uint32_t)w[1], 0, NULL, 0, err);
    case WIRE_EXIT:
        if (w[1])
            d->ended[d->x.process] = 1;
        return put(d, TRACE_EXIT, w[0], w[1] != 0, 0, NULL, 0, err);
    case WIRE_EXEC:
        return exec_begins(d, lane, (int)w[0], path, err);
    case WIRE_EXEC_FAILED:
        for (size_t i = 0; i < d->nexec; i++)
            if (d->exec[i].lane == lane) {
                exec_forget(d, i);
                break;
            }
        return 0;
    case WIRE_MAPS:
        return maps_piece(d, lane, w, n, err);
    case WIRE_HEAP:
        return heap_event(d, w, err);
    default:
        return 0;
    }
}
