/*
 * Writes lackey's text with the lines of --trace-syscalls=yes (readers/lackey.c, lackey_syscall.c), and the initial
 * mappings beside it as NAME.maps.txt in the form of /proc/PID/maps.
 *
 * What lackey's form has no place for but our reader needs stands in comment lines, which other readers skip as they
 * skip Valgrind's own: `--1-- mmulab fd 3 PATH` (the file behind a descriptor that is mapped next) and
 * `--1-- mmulab thread 2 tid 3` (the lines that follow are thread 2's, which Valgrind calls 3). Only process 0 is
 * written: two processes cannot share a file.
 */
#include "traces/exporters/lost.h"
#include "traces/io/outbuf.h"
#include "traces/io/writer.h"
#include "traces/readers/calls.h"
#include "traces/readers/maps.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define THREADS_MAX 65535u

struct file_name {
    uint64_t id;
    char *path;
};

struct lackey_writer {
    struct lost lost;
    uint64_t processes, kernel, names, flags;
    struct file_name *file;
    size_t nfiles;
    char *maps; /* NAME.maps.txt; NULL: standard output */
    struct trace_map *map;
    size_t nmaps, maps_cap;
    uint32_t tid_of[THREADS_MAX + 1];  /* Valgrind's number by thread; 0 none yet */
    bool alive[THREADS_MAX + 2];       /* by Valgrind's number */
    uint32_t tids;                     /* the greatest used */
    uint32_t reader;                   /* the thread that a reader takes the next line for */
    struct outbuf out;
};

static void *lackey_open(struct outfile *f, const struct trace_writer_options *opt, struct err *err)
{
    struct lackey_writer *w = malloc(sizeof *w);
    (void)opt;
    if (w) {
        memset(w, 0, offsetof(struct lackey_writer, out));
        w->out.f = f;
        w->out.n = 0;
        w->maps = f->keep ? NULL : trace_maps_name(f->path);
        if (f->keep || w->maps)
            return w;
        free(w);
    }
    err_set(err, ERR_RUN, "out of memory");
    return NULL;
}

static void lackey_free(void *self)
{
    struct lackey_writer *w = self;
    for (size_t i = 0; i < w->nfiles; i++)
        free(w->file[i].path);
    for (size_t i = 0; i < w->nmaps; i++)
        free(w->map[i].path);
    free(w->file);
    free(w->map);
    free(w->maps);
    free(w);
}

/* --- files --- */

static const char *file_path(const struct lackey_writer *w, uint64_t id)
{
    for (size_t i = w->nfiles; i-- > 0;)
        if (w->file[i].id == id)
            return w->file[i].path;
    return NULL;
}

static int add_file(struct lackey_writer *w, const struct trace_rec *r, struct err *err)
{
    size_t len;
    const char *path = trace_rec_string(r, &len);
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)path[i] < 32) { /* no line can hold it */
            w->names++;
            return 0;
        }
    void *p = realloc(w->file, (w->nfiles + 1) * sizeof *w->file);
    if (!p)
        return err_set(err, ERR_RUN, "out of memory");
    w->file = p;
    w->file[w->nfiles].id = r->addr;
    w->file[w->nfiles].path = strndup(path, len);
    if (!w->file[w->nfiles].path)
        return err_set(err, ERR_RUN, "out of memory");
    w->nfiles++;
    return 0;
}

static int add_map(struct lackey_writer *w, const struct trace_rec *r, const uint64_t *word, struct err *err)
{
    const char *path = file_path(w, word[2]);
    if (!w->maps || w->nmaps == TRACE_MAPS_MAX) {
        w->lost.kind[TRACE_SEGMENT]++;
        return 0;
    }
    if (w->nmaps == w->maps_cap) {
        size_t cap = w->maps_cap ? w->maps_cap * 2 : 32;
        void *p = realloc(w->map, cap * sizeof *w->map);
        if (!p)
            return err_set(err, ERR_RUN, "out of memory");
        w->map = p;
        w->maps_cap = cap;
    }
    struct trace_map *m = &w->map[w->nmaps];
    *m = (struct trace_map){.start = r->addr, .length = word[0], .offset = word[1], .prot = r->size, .flags = r->flags};
    m->path = path ? strdup(path) : NULL;
    if (path && !m->path)
        return err_set(err, ERR_RUN, "out of memory");
    w->nmaps++;
    return 0;
}

/* "00400000-0040b000 r-xp 00001000 00:00 0 /bin/x" for each segment. */
static int write_maps(struct lackey_writer *w, struct err *err)
{
    struct outfile f;
    if (!w->maps || (!w->nmaps && access(w->maps, F_OK) != 0))
        return 0;
    if (!w->nmaps) /* one that stands there would be taken for this trace's */
        return unlink(w->maps) == 0 ? 0 : err_at((err_set(err, ERR_RUN, "cannot remove it"), err), w->maps, 0, 0);
    if (outfile_open(&f, w->maps, false, err) < 0)
        return -1;
    for (size_t i = 0; i < w->nmaps; i++) {
        const struct trace_map *m = &w->map[i];
        char line[128];
        const char *path = m->path ? m->path : m->flags & TRACE_F_HEAP ? "[heap]" : m->flags & TRACE_F_STACK ? "[stack]" : "";
        int n = snprintf(line, sizeof line, "%08llx-%08llx %c%c%cp %08llx 00:00 0%s", (unsigned long long)m->start,
                         (unsigned long long)m->start + m->length, m->prot & TRACE_PROT_READ ? 'r' : '-',
                         m->prot & TRACE_PROT_WRITE ? 'w' : '-', m->prot & TRACE_PROT_EXEC ? 'x' : '-',
                         (unsigned long long)m->offset, path[0] ? " " : "");
        if (outfile_write(&f, line, (size_t)n, err) < 0 || outfile_write(&f, path, strlen(path), err) < 0 ||
            outfile_write(&f, "\n", 1, err) < 0) {
            outfile_abort(&f, false);
            return -1;
        }
    }
    return outfile_commit(&f, err);
}

/* --- threads --- */

static uint32_t tid_of(struct lackey_writer *w, uint32_t thread)
{
    if (!w->tid_of[thread]) {
        w->tid_of[thread] = ++w->tids;
        w->alive[w->tids] = true;
    }
    return w->tid_of[thread];
}

/* A new thread takes the lowest number that is free: so Valgrind does, and so our reader takes it. */
static void cloned(struct lackey_writer *w, uint64_t child)
{
    uint32_t tid = 1;
    if (child > THREADS_MAX)
        return;
    while (tid < THREADS_MAX && w->alive[tid])
        tid++;
    w->tid_of[child] = tid;
    w->alive[tid] = true;
    w->tids = tid > w->tids ? tid : w->tids;
}

static void exited(struct lackey_writer *w, uint32_t thread)
{
    w->alive[tid_of(w, thread)] = false;
    for (uint32_t tid = 1; tid <= w->tids; tid++) /* the reader goes on with the first that is alive */
        if (w->alive[tid]) {
            for (uint32_t t = 0; t <= THREADS_MAX; t++)
                if (w->tid_of[t] == tid)
                    w->reader = t;
            return;
        }
}

static void switch_to(struct lackey_writer *w, uint32_t thread)
{
    if (w->reader == thread)
        return;
    outbuf_str(&w->out, "--1-- mmulab thread ");
    outbuf_dec(&w->out, thread);
    outbuf_str(&w->out, " tid ");
    outbuf_dec(&w->out, tid_of(w, thread));
    outbuf_char(&w->out, '\n');
    w->reader = thread;
}

/* --- system calls --- */

static void call(struct lackey_writer *w, uint32_t thread, uint64_t nr, const char *name, unsigned nargs,
                 const uint64_t *arg, const char *path, uint64_t result, bool failed)
{
    struct outbuf *b = &w->out;
    outbuf_str(b, "SYSCALL[1,");
    outbuf_dec(b, tid_of(w, thread));
    outbuf_str(b, "](");
    outbuf_dec(b, nr);
    outbuf_str(b, ") sys_");
    outbuf_str(b, name);
    outbuf_str(b, " ( ");
    for (unsigned i = 0; i < nargs; i++) {
        outbuf_str(b, i ? ", 0x" : "0x");
        outbuf_hex(b, arg[i], 1);
        if (path && i == 0) {
            outbuf_char(b, '(');
            outbuf_str(b, path);
            outbuf_char(b, ')');
        }
    }
    outbuf_str(b, failed ? " )[sync] --> Failure(0x" : " )[sync] --> Success(0x");
    outbuf_hex(b, failed ? 0 - result : result, 1);
    outbuf_str(b, ")\n");
    w->reader = thread;
}

static void mmap_call(struct lackey_writer *w, uint32_t thread, const struct trace_rec *r, const uint64_t *word,
                      bool failed)
{
    int64_t fd = (int32_t)(uint32_t)word[3];
    if (!failed && fd >= 0) {
        const char *path = word[6] ? file_path(w, word[6]) : NULL;
        outbuf_str(&w->out, "--1-- mmulab fd ");
        outbuf_dec(&w->out, (uint64_t)fd);
        outbuf_char(&w->out, ' ');
        outbuf_str(&w->out, path ? path : "");
        outbuf_char(&w->out, '\n');
    }
    call(w, thread, NR_mmap, "mmap", 6,
         (const uint64_t[]){r->addr, word[0], word[1], word[2], (uint32_t)word[3], word[4]}, NULL, word[5], failed);
}

/* A record that is no reference. */
static int event(struct lackey_writer *w, uint32_t thread, const struct trace_rec *r, struct err *err)
{
    uint64_t word[8] = {0};
    size_t len;
    const char *text;
    bool failed = r->flags & TRACE_F_FAILED;
    memcpy(word, r + 1, r->slots < 4 ? r->slots * 16u : 64u);
    switch (r->kind) {
    case TRACE_FILEID:
        return add_file(w, r, err);
    case TRACE_SEGMENT:
        return add_map(w, r, word, err);
    case TRACE_MMAP:
        mmap_call(w, thread, r, word, failed);
        break;
    case TRACE_MUNMAP:
        call(w, thread, NR_munmap, "munmap", 2, (const uint64_t[]){r->addr, word[0]}, NULL, word[1], failed);
        break;
    case TRACE_MREMAP:
        call(w, thread, NR_mremap, "mremap", 5, (const uint64_t[]){r->addr, word[0], word[1], word[2], word[3]}, NULL,
             word[4], failed);
        break;
    case TRACE_BRK:
        call(w, thread, NR_brk, "brk", 1, &r->addr, NULL, word[0], failed);
        break;
    case TRACE_MPROTECT:
        call(w, thread, NR_mprotect, "mprotect", 3, (const uint64_t[]){r->addr, word[0], word[1]}, NULL, word[2], failed);
        break;
    case TRACE_MADVISE:
        call(w, thread, NR_madvise, "madvise", 3, (const uint64_t[]){r->addr, word[0], word[1]}, NULL, word[2], failed);
        break;
    case TRACE_SYSCALL:
        failed = word[6] > UINT64_MAX - 4096;
        call(w, thread, r->addr, "call", 6, word, NULL, word[6], failed);
        break;
    case TRACE_CLONE:
        if (failed)
            return w->lost.kind[r->kind]++, 0;
        cloned(w, r->addr);
        call(w, thread, NR_clone, "clone", 1, (const uint64_t[]){0x10000 /* CLONE_THREAD */}, NULL, 1 + r->addr, false);
        break;
    case TRACE_FORK:
        if (failed)
            return w->lost.kind[r->kind]++, 0;
        call(w, thread, NR_fork, "fork", 0, NULL, NULL, 1 + r->addr, false);
        break;
    case TRACE_EXEC:
        text = trace_rec_string(r, &len);
        if (failed || r->addr)
            w->flags++;
        for (size_t i = 0; i < len; i++)
            if ((unsigned char)text[i] < 32)
                len = i;
        char *path = strndup(text, len);
        if (!path)
            return err_set(err, ERR_RUN, "out of memory");
        call(w, thread, NR_execve, "execve", 3, (const uint64_t[]){1, 0, 0}, path, 0, false);
        free(path);
        break;
    case TRACE_EXIT:
        call(w, thread, r->size ? NR_exit_group : NR_exit, "exit", 1, &r->addr, NULL, 0, false);
        if (!r->size)
            exited(w, thread);
        break;
    default:
        w->lost.kind[r->kind]++;
        break;
    }
    return 0;
}

static void reference(struct lackey_writer *w, const struct trace_rec *r)
{
    static const char *const starts[] = {
        [TRACE_FETCH] = "I  ", [TRACE_LOAD] = " L ", [TRACE_STORE] = " S ", [TRACE_MODIFY] = " M "};
    w->kernel += (r->flags & TRACE_F_KERNEL) != 0;
    outbuf_bytes(&w->out, starts[r->kind], 3);
    outbuf_hex(&w->out, r->addr, 8);
    outbuf_char(&w->out, ',');
    outbuf_dec(&w->out, r->size);
    outbuf_char(&w->out, '\n');
}

static int lackey_put(void *self, uint32_t process, uint32_t thread, const struct trace_rec *rec, size_t n,
                      struct err *err)
{
    struct lackey_writer *w = self;
    if (process != 0 || thread > THREADS_MAX) {
        for (size_t i = 0; i < n; i += 1u + rec[i].slots)
            w->processes++;
        return 0;
    }
    for (size_t i = 0; i < n; i += 1u + rec[i].slots) {
        if (rec[i].kind <= TRACE_REF_MAX) {
            switch_to(w, thread);
            reference(w, &rec[i]);
        } else {
            if (rec[i].kind != TRACE_FILEID && rec[i].kind != TRACE_SEGMENT)
                switch_to(w, thread);
            if (event(w, thread, &rec[i], err) < 0)
                return -1;
        }
        if (outbuf_full(&w->out) && outbuf_flush(&w->out, err) < 0)
            return -1;
    }
    return 0;
}

static int lackey_flush(void *self, struct err *err)
{
    struct lackey_writer *w = self;
    return outbuf_flush(&w->out, err);
}

static int lackey_finish(void *self, struct err *err)
{
    struct lackey_writer *w = self;
    return outbuf_flush(&w->out, err) < 0 ? -1 : write_maps(w, err);
}

static void lackey_lost(const void *self, struct trace_left *list, unsigned *n)
{
    const struct lackey_writer *w = self;
    trace_left_add(list, n, "records of other processes than the first", w->processes);
    trace_left_add(list, n, "marks of kernel mode", w->kernel);
    trace_left_add(list, n, "names of files with control characters", w->names);
    trace_left_add(list, n, "entry points and failures of exec records", w->flags);
    lost_list(&w->lost, list, n);
}

const struct writer_ops writer_lackey = {lackey_open, lackey_put, lackey_flush, lackey_finish, lackey_free, lackey_lost};
