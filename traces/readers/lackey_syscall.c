/*
 * System calls in lackey text (coregrind/m_syswrap/syswrap-main.c, VG_(client_syscall)):
 *
 *     SYSCALL[PID,TID](NR) sys_NAME ( ARGS )[sync] --> Success(0xRET)
 *     SYSCALL[PID,TID](NR) sys_NAME ( ARGS ) --> [pre-success] Success(0xRET)       likewise [pre-fail]
 * Failure(0xERRNO) SYSCALL[PID,TID](NR) sys_NAME ( ARGS ) --> [async] ...                        and later
 *     SYSCALL[PID,TID](NR) ... [async] --> Success(0xRET)
 *     SYSCALL[PID,TID](NR) unimplemented (by the kernel) syscall: 334! (ni_syscall)
 *      --> [pre-fail] Failure(0x26)                                                 also after "clone(fork):
 * ..."
 *
 * The text is printed in pieces, so a call may go on in the next line (a path with a newline in it, too), and
 * a second thread's first reference may stand glued behind the result. A record is put where the result
 * stands. Arguments are decimal or 0x-hexadecimal, with the string behind a path's address in parentheses;
 * two wrappers print bare hexadecimal (clone's flags, arch_prctl's address).
 */
#include "engine/types.h"
#include "traces/readers/lackey.h"
#include "traces/readers/scan.h"

#include <stdlib.h>

/* x86-64 system call numbers (arch/x86/entry/syscalls/syscall_64.tbl) */
enum {
    NR_open = 2,
    NR_close = 3,
    NR_mmap = 9,
    NR_mprotect = 10,
    NR_munmap = 11,
    NR_brk = 12,
    NR_mremap = 25,
    NR_madvise = 28,
    NR_dup = 32,
    NR_dup2 = 33,
    NR_clone = 56,
    NR_fork = 57,
    NR_vfork = 58,
    NR_execve = 59,
    NR_exit = 60,
    NR_fcntl = 72,
    NR_creat = 85,
    NR_arch_prctl = 158,
    NR_exit_group = 231,
    NR_openat = 257,
    NR_dup3 = 292,
    NR_execveat = 322,
    NR_clone3 = 435,
    NR_close_range = 436,
    NR_openat2 = 437,
};
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

static struct lackey_file *file_new(const char *path, size_t len)
{
    len = strnlen(path, len < TRACE_STRING_MAX ? len : TRACE_STRING_MAX); /* a path holds no zero byte */
    struct lackey_file *f = malloc(sizeof *f + len + 1);
    if (!f)
        return NULL; /* an unknown file: id 0 */
    *f = (struct lackey_file){.refs = 1, .len = len, .hash = path_hash(path, len)};
    memcpy(f->path, path, len);
    f->path[len] = '\0';
    return f;
}

static struct lackey_file *file_get(struct lackey_file *f)
{
    if (f)
        f->refs++;
    return f;
}

static void file_put(struct lackey_file *f)
{
    if (f && --f->refs == 0)
        free(f);
}

/* Gives f the id of its path, with a FILEID record if that is new. */
static uint32_t file_id(struct lackey *l, struct trace_sink *sink, struct lackey_file *f)
{
    if (!f)
        return 0;
    if (f->id)
        return f->id;
    for (size_t i = 0; i < l->nfiles; i++) {
        const struct lackey_file *g = l->file[i];
        if (g->hash == f->hash && g->len == f->len && !memcmp(g->path, f->path, f->len))
            return f->id = g->id;
    }
    if (l->nfiles == LACKEY_FILES_MAX)
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

uint32_t lackey_put_file(struct lackey *l, struct trace_sink *sink, const char *path, size_t len)
{
    struct lackey_file *f = file_new(path, len);
    uint32_t id = file_id(l, sink, f);
    file_put(f);
    return id;
}

static struct lackey_file *fd_file(const struct lackey *l, uint64_t fd)
{
    return fd < l->nfds ? l->fd[fd] : NULL;
}

/* Descriptor fd is now f (NULL: closed or unknown). */
static void set_fd(struct lackey *l, uint64_t fd, struct lackey_file *f)
{
    if (fd >= l->nfds) {
        if (!f || fd >= LACKEY_FDS_MAX)
            return;
        size_t n = (size_t)fd + 64;
        void *p = realloc(l->fd, n * sizeof(struct lackey_file *));
        if (!p)
            return;
        l->fd = p;
        memset(l->fd + l->nfds, 0, (n - l->nfds) * sizeof(struct lackey_file *));
        l->nfds = n;
    }
    file_get(f);
    file_put(l->fd[fd]);
    l->fd[fd] = f;
}

/* --- threads --- */

/* By Valgrind's number; NULL if that is out of all reason. */
static struct lackey_thread *thread_at(struct lackey *l, uint64_t tid)
{
    if (tid >= LACKEY_THREADS_MAX)
        return NULL;
    if (tid >= l->nthreads) {
        size_t n = (size_t)tid + 16;
        void *p = realloc(l->thread, n * sizeof *l->thread);
        if (!p)
            return NULL;
        l->thread = p;
        memset(l->thread + l->nthreads, 0, (n - l->nthreads) * sizeof *l->thread);
        l->nthreads = n;
    }
    return &l->thread[tid];
}

static void thread_start(struct lackey_thread *t, uint32_t dense)
{
    t->dense = dense;
    t->known = t->alive = true;
}

/* A new thread takes the lowest number that is free (coregrind/m_scheduler, VG_(alloc_ThreadState); 1 is the
 * first). */
static uint32_t thread_cloned(struct lackey *l)
{
    uint64_t tid = 1;
    while (tid < l->nthreads && l->thread[tid].alive)
        tid++;
    struct lackey_thread *t = thread_at(l, tid);
    uint32_t dense = l->next_thread++;
    if (t)
        thread_start(t, dense);
    return dense;
}

/* --- the text --- */

struct result {
    enum { NO_RESULT, RESULT, ASYNC } state;
    int64_t value;      /* negative errno for Failure */
    const char *before; /* where " --> " begins */
    const char *after;  /* behind it */
};

static struct result find_result(const char *s, const char *end)
{
    struct result r = {.state = NO_RESULT, .before = end, .after = end};
    const char *arrow = NULL;
    for (const char *p = end - s >= 4 ? end - 4 : s; p > s; p--)
        if (!memcmp(p, "--> ", 4)) {
            arrow = p;
            break;
        }
    if (!arrow || end - arrow < 4)
        return r;
    const char *p = arrow + 4;
    uint64_t v;
    if (scan_word(&p, end, "[async] ...")) {
        r = (struct result){.state = ASYNC, .before = arrow, .after = p};
        return r;
    }
    if (!scan_word(&p, end, "[pre-success] "))
        scan_word(&p, end, "[pre-fail] ");
    bool good = scan_word(&p, end, "Success(0x");
    if (!good && !scan_word(&p, end, "Failure(0x"))
        return r;
    if (!scan_hex(&p, end, &v) || !scan_word(&p, end, ")"))
        return r;
    r = (struct result){
        .state = RESULT, .value = good ? (int64_t)v : -(int64_t)(v & 0xffff), .before = arrow, .after = p};
    return r;
}

/* The calls whose only string is a path that matters here. */
static bool takes_path(uint64_t nr)
{
    return nr == NR_open || nr == NR_openat || nr == NR_openat2 || nr == NR_creat || nr == NR_execve ||
           nr == NR_execveat;
}

/* Behind a string that starts at s: of a path call the last "), ", so that any byte may stand in the path. */
static const char *string_end(const char *s, const char *end, bool last)
{
    const char *found = NULL;
    for (const char *p = s; p + 1 < end; p++)
        if (p[0] == ')' && (p[1] == ',' || (p[1] == ' ' && !last))) {
            found = p;
            if (!last)
                break;
        }
    return found;
}

static uint64_t scan_arg(const char **p, const char *end, bool hex)
{
    uint64_t v = 0;
    const char *s = *p, *t;
    bool minus = scan_word(&s, end, "-");
    if (scan_word(&s, end, "0x")) {
        scan_hex(&s, end, &v);
    } else {
        t = s;
        /* Digits followed by a letter a-f can only be bare hexadecimal. */
        if (hex || !scan_dec(&s, end, &v) || (s < end && scan_hex_digit((unsigned char)*s) >= 0)) {
            s = t;
            if (!scan_hex(&s, end, &v))
                v = 0;
        }
    }
    *p = s;
    return minus ? 0 - v : v;
}

static void parse_args(struct lackey_call *c, const char *s, const char *end)
{
    const char *open = memchr(s, '(', (size_t)(end - s));
    if (!open)
        return;
    s = open + 1;
    for (unsigned i = 0; i < 6 && s < end; i++) {
        scan_blanks(&s, end);
        if (s == end || *s == ')')
            return;
        c->arg[i] =
            scan_arg(&s, end, (c->number == NR_clone && i == 0) || (c->number == NR_arch_prctl && i == 1));
        if (s < end && *s == '(') {
            const char *stop = string_end(s + 1, end, takes_path(c->number));
            if (!stop)
                return;
            if (takes_path(c->number) && !c->path)
                c->path = file_new(s + 1, (size_t)(stop - s - 1));
            s = stop + 1;
        }
        while (s < end && *s != ',' && *s != ')')
            s++;
        if (s == end || *s == ')')
            return;
        s++;
    }
}

static void call_reset(struct lackey_call *c)
{
    file_put(c->path);
    *c = (struct lackey_call){0};
}

/* --- what a finished call leaves in the trace --- */

static void put_event(struct trace_sink *sink, enum trace_kind kind, uint64_t addr, bool failed,
                      const uint64_t *words, unsigned n)
{
    struct trace_rec r = {.addr = addr, .kind = (uint8_t)kind, .flags = failed ? TRACE_F_FAILED : 0};
    trace_sink_put_words(sink, r, words, n);
}

static void put_other(struct trace_sink *sink, const struct lackey_call *c, int64_t result)
{
    uint64_t words[7];
    memcpy(words, c->arg, sizeof c->arg);
    words[6] = (uint64_t)result;
    put_event(sink, TRACE_SYSCALL, c->number, false, words, 7);
}

static void put_exec(struct trace_sink *sink, const struct lackey_call *c)
{
    trace_sink_put_string(sink, (struct trace_rec){.kind = TRACE_EXEC}, NULL, 0, c->path ? c->path->path : "",
                          c->path ? c->path->len : 0);
}

/* The descriptor table after a call that succeeded. */
static void track_fds(struct lackey *l, const struct lackey_call *c, int64_t result)
{
    uint64_t fd = (uint64_t)result;
    switch (c->number) {
    case NR_open:
    case NR_openat:
    case NR_openat2:
    case NR_creat:
        set_fd(l, fd, c->path);
        break;
    case NR_close:
        set_fd(l, c->arg[0], NULL);
        break;
    case NR_close_range:
        for (uint64_t i = c->arg[0]; i <= c->arg[1] && i < l->nfds; i++)
            set_fd(l, i, NULL);
        break;
    case NR_dup:
    case NR_dup2:
    case NR_dup3:
        set_fd(l, fd, fd_file(l, c->arg[0]));
        break;
    case NR_fcntl:
        if (c->arg[1] == FCNTL_DUPFD || c->arg[1] == FCNTL_DUPFD_CLOEXEC)
            set_fd(l, fd, fd_file(l, c->arg[0]));
        break;
    default:
        break;
    }
}

static void call_done(struct lackey *l, struct trace_sink *sink, uint64_t tid, const struct lackey_call *c,
                      int64_t result, bool process_made)
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
        return;
    }
    case NR_munmap:
        put_event(sink, TRACE_MUNMAP, a[0], failed, (uint64_t[]){a[1], r}, 2);
        return;
    case NR_mremap:
        put_event(sink, TRACE_MREMAP, a[0], failed, (uint64_t[]){a[1], a[2], a[3], a[4], r}, 5);
        return;
    case NR_brk:
        put_event(sink, TRACE_BRK, a[0], failed, (uint64_t[]){r}, 1);
        return;
    case NR_mprotect:
        put_event(sink, TRACE_MPROTECT, a[0], failed, (uint64_t[]){a[1], a[2], r}, 3);
        return;
    case NR_madvise:
        put_event(sink, TRACE_MADVISE, a[0], failed, (uint64_t[]){a[1], a[2], r}, 3);
        return;
    case NR_fork:
    case NR_vfork:
    case NR_clone:
    case NR_clone3:
        if (failed)
            break;
        if (!process_made && c->number != NR_fork && c->number != NR_vfork &&
            (c->number == NR_clone3 || (a[0] & CLONE_FLAG_THREAD))) {
            trace_sink_put(sink, (struct trace_rec){.addr = thread_cloned(l), .kind = TRACE_CLONE});
            return;
        }
        l->forked = true;
        trace_sink_put(sink, (struct trace_rec){
                                 .addr = l->next_process++, .size = l->next_thread++, .kind = TRACE_FORK});
        return;
    case NR_execve:
    case NR_execveat:
        if (failed)
            break;
        put_exec(sink, c);
        return;
    case NR_exit:
    case NR_exit_group:
        trace_sink_put(
            sink, (struct trace_rec){.addr = a[0], .size = c->number == NR_exit_group, .kind = TRACE_EXIT});
        if (c->number == NR_exit && tid < l->nthreads) {
            l->thread[tid].alive = false;
            for (size_t i = 1; i < l->nthreads; i++) /* what follows is surely not this thread's */
                if (l->thread[i].alive) {
                    trace_sink_thread(sink, 0, l->thread[i].dense);
                    break;
                }
        }
        return;
    default:
        break;
    }
    put_other(sink, c, result);
}

/* --- lines --- */

/* "SYSCALL[PID,TID](NR) " */
static bool parse_head(const char **s, const char *end, uint64_t *pid, uint64_t *tid, uint64_t *nr)
{
    return scan_word(s, end, "SYSCALL[") && scan_dec(s, end, pid) && scan_word(s, end, ",") &&
           scan_dec(s, end, tid) && scan_word(s, end, "](") && scan_dec(s, end, nr) && scan_word(s, end, ")");
}

/* A reference glued to the end of a line; what stands before it is left. */
static bool glued_ref(const char *s, const char **end, struct trace_rec *out)
{
    const char *p = *end;
    while (p > s && p[-1] >= '0' && p[-1] <= '9')
        p--;
    if (p == *end || p == s || p[-1] != ',')
        return false;
    p--;
    while (p > s && scan_hex_digit((unsigned char)p[-1]) >= 0)
        p--;
    if (p - s < 3)
        return false;
    p -= 3;
    const char *q = p;
    if (!lackey_scan_ref(&q, *end, out) || q != *end)
        return false;
    *end = p;
    return true;
}

/* The text so far, perhaps a whole call. */
static enum lackey_taken take_text(struct lackey *l, struct trace_input *in, struct trace_sink *sink,
                                   const char *line, size_t len, struct err *err)
{
    const char *s = l->text, *end = s + l->ntext;
    uint64_t pid, tid, nr;
    struct trace_rec glued;
    bool has_glued = glued_ref(s, &end, &glued);
    l->ntext = (size_t)(end - s);
    if (!parse_head(&s, end, &pid, &tid, &nr)) {
        l->ntext = 0;
        return l->forked ? lackey_mixed(in, line, len, err)
                         : trace_line_error(in, line, len, err,
                                            "was the recording stopped or the file cut off here?",
                                            "broken system call line");
    }
    if (l->pid != LACKEY_PID_NONE && l->pid != pid)
        return lackey_mixed(in, line, len, err);
    l->pid = pid;
    struct lackey_thread *t = thread_at(l, tid);
    if (!t)
        return trace_line_error(in, line, len, err, NULL, "thread number above %u", LACKEY_THREADS_MAX - 1);
    if (!t->known) {
        bool first = true;
        for (size_t i = 0; i < l->nthreads; i++)
            first &= !l->thread[i].known;
        thread_start(t, first ? 0 : l->next_thread++);
    }
    trace_sink_thread(sink, 0, t->dense);
    struct result r = find_result(s, end);
    if (r.state != NO_RESULT) {
        scan_blanks(&s, end);
        bool second = scan_word(&s, end, "... [async]");
        if (!second || !t->call.open || t->call.number != nr) {
            call_reset(&t->call);
            t->call.number = nr;
            if (!second)
                parse_args(&t->call, s, r.before);
        }
        t->call.open = r.state == ASYNC;
        if (r.state == RESULT) {
            struct lackey_call c = t->call; /* call_done may move the table of threads */
            t->call = (struct lackey_call){0};
            call_done(l, sink, tid, &c, r.value,
                      memmem(s, (size_t)(r.before - s), " created child ", 15) != NULL);
            call_reset(&c);
        }
        l->ntext = 0;
        const char *rest = r.after;
        scan_blanks(&rest, end);
        if (rest != end)
            return l->forked ? lackey_mixed(in, line, len, err)
                             : trace_line_error(in, line, len, err, NULL,
                                                "something else follows a system call's result");
    }
    if (has_glued)
        trace_sink_put(sink, glued);
    return LACKEY_DONE;
}

enum lackey_taken lackey_syscall_line(struct lackey *l, struct trace_input *in, struct trace_sink *sink,
                                      const char *line, size_t len, struct err *err)
{
    bool head = len >= 8 && !memcmp(line, "SYSCALL[", 8);
    if (!head && !l->ntext)
        return LACKEY_NOT_MINE;
    if (head)
        l->ntext = 0; /* a call that never got its result: as if it had not been told */
    if (l->ntext + len + 1 > sizeof l->text) {
        l->ntext = 0;
        return l->forked ? lackey_mixed(in, line, len, err)
                         : trace_line_error(in, line, len, err, NULL, "a system call of more than %u bytes",
                                            LACKEY_CALL_MAX);
    }
    if (l->ntext)
        l->text[l->ntext++] = '\n';
    memcpy(l->text + l->ntext, line, len);
    l->ntext += len;
    return take_text(l, in, sink, line, len, err);
}

void lackey_exec_done(struct lackey *l, struct trace_sink *sink)
{
    const char *s = l->text, *end = s + l->ntext;
    uint64_t pid, tid, nr;
    if (l->ntext && parse_head(&s, end, &pid, &tid, &nr) && (nr == NR_execve || nr == NR_execveat)) {
        struct lackey_call c = {.number = nr};
        parse_args(&c, s, end);
        put_exec(sink, &c);
        call_reset(&c);
    }
    l->ntext = 0;
}

void lackey_syscall_close(struct lackey *l)
{
    for (size_t i = 0; i < l->nfds; i++)
        file_put(l->fd[i]);
    for (size_t i = 0; i < l->nthreads; i++)
        call_reset(&l->thread[i].call);
    for (size_t i = 0; i < l->nfiles; i++)
        file_put(l->file[i]);
    free(l->fd);
    free(l->thread);
    free(l->file);
}
