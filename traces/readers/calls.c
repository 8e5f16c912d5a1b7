/* What a finished x86-64 Linux system call leaves in a trace, and the files behind the descriptors. */
#include "traces/readers/calls.h"

#include "engine/types.h"

#include <stdlib.h>

enum {
    CLONE_FLAG_THREAD = 0x10000,
    FCNTL_DUPFD = 0,
    FCNTL_DUPFD_CLOEXEC = 1030
}; /* uapi/linux/sched.h, fcntl.h */

/* --- files --- */

static uint64_t path_hash(const char *s, size_t n)
{
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)s[i]) * 0x100000001b3u;
    return h;
}

struct call_file *call_file_new(const char *path, size_t len)
{
    len = strnlen(path, len < TRACE_STRING_MAX ? len : TRACE_STRING_MAX); /* a path holds no zero byte */
    struct call_file *f = malloc(sizeof *f + len + 1);
    if (!f)
        return NULL; /* an unknown file: id 0 */
    *f = (struct call_file){.refs = 1, .len = len, .hash = path_hash(path, len)};
    memcpy(f->path, path, len);
    f->path[len] = '\0';
    return f;
}

static struct call_file *file_get(struct call_file *f)
{
    if (f)
        f->refs++;
    return f;
}

static void file_put(struct call_file *f)
{
    if (f && --f->refs == 0)
        free(f);
}

/* Gives f the id of its path, with a FILEID record if that is new. */
static uint32_t file_id(struct calls *l, struct trace_sink *sink, struct call_file *f)
{
    if (!f)
        return 0;
    if (f->id)
        return f->id;
    for (size_t i = 0; i < l->nfiles; i++) {
        const struct call_file *g = l->file[i];
        if (g->hash == f->hash && g->len == f->len && !memcmp(g->path, f->path, f->len))
            return f->id = g->id;
    }
    if (l->nfiles == CALL_FILES_MAX)
        return 0;
    if (l->nfiles == l->files_cap) {
        size_t cap = l->files_cap ? l->files_cap * 2 : 64;
        void *p = realloc(l->file, cap * sizeof *l->file);
        if (!p)
            return 0;
        l->file = p;
        l->files_cap = cap;
    }
    l->file[l->nfiles++] = file_get(f);
    f->id = (uint32_t)l->nfiles;
    trace_sink_put_string(sink, (struct trace_rec){.addr = f->id, .kind = TRACE_FILEID}, NULL, 0, f->path,
                          f->len);
    return f->id;
}

uint32_t calls_put_file(struct calls *l, struct trace_sink *sink, const char *path, size_t len)
{
    struct call_file *f = call_file_new(path, len);
    uint32_t id = file_id(l, sink, f);
    file_put(f);
    return id;
}

static struct call_file *fd_file(const struct calls *l, uint64_t fd)
{
    return fd < l->nfds ? l->fd[fd] : NULL;
}

/* Descriptor fd is now f (NULL: closed or unknown). */
void calls_set_fd(struct calls *l, uint64_t fd, struct call_file *f)
{
    if (fd >= l->nfds) {
        if (!f || fd >= CALL_FDS_MAX)
            return;
        size_t n = (size_t)fd + 64;
        void *p = realloc(l->fd, n * sizeof(struct call_file *));
        if (!p)
            return;
        l->fd = p;
        memset(l->fd + l->nfds, 0, (n - l->nfds) * sizeof(struct call_file *));
        l->nfds = n;
    }
    file_get(f);
    file_put(l->fd[fd]);
    l->fd[fd] = f;
}

/* --- what a finished call leaves in the trace --- */

static void put_event(struct trace_sink *sink, enum trace_kind kind, uint64_t addr, bool failed,
                      const uint64_t *words, unsigned n)
{
    struct trace_rec r = {.addr = addr, .kind = (uint8_t)kind, .flags = failed ? TRACE_F_FAILED : 0};
    trace_sink_put_words(sink, r, words, n);
}

static void put_other(struct trace_sink *sink, const struct call *c, int64_t result)
{
    uint64_t words[7];
    memcpy(words, c->arg, sizeof c->arg);
    words[6] = (uint64_t)result;
    put_event(sink, TRACE_SYSCALL, c->number, false, words, 7);
}

void calls_put_exec(struct trace_sink *sink, const struct call *c)
{
    trace_sink_put_string(sink, (struct trace_rec){.kind = TRACE_EXEC}, NULL, 0, c->path ? c->path->path : "",
                          c->path ? c->path->len : 0);
}

/* The descriptor table after a call that succeeded. */
static void track_fds(struct calls *l, const struct call *c, int64_t result)
{
    uint64_t fd = (uint64_t)result;
    switch (c->number) {
    case NR_open:
    case NR_openat:
    case NR_openat2:
    case NR_creat:
        calls_set_fd(l, fd, c->path);
        break;
    case NR_close:
        calls_set_fd(l, c->arg[0], NULL);
        break;
    case NR_close_range:
        for (uint64_t i = c->arg[0]; i <= c->arg[1] && i < l->nfds; i++)
            calls_set_fd(l, i, NULL);
        break;
    case NR_dup:
    case NR_dup2:
    case NR_dup3:
        calls_set_fd(l, fd, fd_file(l, c->arg[0]));
        break;
    case NR_fcntl:
        if (c->arg[1] == FCNTL_DUPFD || c->arg[1] == FCNTL_DUPFD_CLOEXEC)
            calls_set_fd(l, fd, fd_file(l, c->arg[0]));
        break;
    default:
        break;
    }
}

bool call_makes_thread(const struct call *c)
{
    return c->number == NR_clone3 || (c->number == NR_clone && (c->arg[0] & CLONE_FLAG_THREAD));
}

enum call_effect calls_done(struct calls *l, struct trace_sink *sink, const struct call *c, int64_t result)
{
    const uint64_t *a = c->arg, r = (uint64_t)result;
    bool failed = result < 0 && result > -4096; /* MAX_ERRNO, include/linux/err.h */
    if (!failed)
        track_fds(l, c, result);
    switch (c->number) {
    case NR_mmap: {
        int64_t fd = (int32_t)(uint32_t)a[4]; /* printed unsigned */
        uint64_t id = failed || fd < 0 ? 0 : file_id(l, sink, fd_file(l, (uint64_t)fd));
        put_event(sink, TRACE_MMAP, a[0], failed, (uint64_t[]){a[1], a[2], a[3], (uint64_t)fd, a[5], r, id},
                  7);
        return CALL_PLAIN;
    }
    case NR_munmap:
        put_event(sink, TRACE_MUNMAP, a[0], failed, (uint64_t[]){a[1], r}, 2);
        return CALL_PLAIN;
    case NR_mremap:
        put_event(sink, TRACE_MREMAP, a[0], failed, (uint64_t[]){a[1], a[2], a[3], a[4], r}, 5);
        return CALL_PLAIN;
    case NR_brk:
        put_event(sink, TRACE_BRK, a[0], failed, (uint64_t[]){r}, 1);
        return CALL_PLAIN;
    case NR_mprotect:
        put_event(sink, TRACE_MPROTECT, a[0], failed, (uint64_t[]){a[1], a[2], r}, 3);
        return CALL_PLAIN;
    case NR_madvise:
        put_event(sink, TRACE_MADVISE, a[0], failed, (uint64_t[]){a[1], a[2], r}, 3);
        return CALL_PLAIN;
    case NR_fork:
    case NR_vfork:
    case NR_clone:
    case NR_clone3:
        if (failed)
            break;
        return call_makes_thread(c) ? CALL_MADE_THREAD : CALL_MADE_PROCESS;
    case NR_execve:
    case NR_execveat:
        if (failed)
            break;
        calls_put_exec(sink, c);
        return CALL_PLAIN;
    case NR_exit:
    case NR_exit_group:
        trace_sink_put(
            sink, (struct trace_rec){.addr = a[0], .size = c->number == NR_exit_group, .kind = TRACE_EXIT});
        return c->number == NR_exit ? CALL_THREAD_EXITED : CALL_PLAIN;
    default:
        break;
    }
    put_other(sink, c, result);
    return CALL_PLAIN;
}

void call_reset(struct call *c)
{
    file_put(c->path);
    *c = (struct call){0};
}

void calls_fini(struct calls *l)
{
    for (size_t i = 0; i < l->nfds; i++)
        file_put(l->fd[i]);
    for (size_t i = 0; i < l->nfiles; i++)
        file_put(l->file[i]);
    free(l->fd);
    free(l->file);
}
