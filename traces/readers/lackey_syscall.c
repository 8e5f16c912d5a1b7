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

bool lackey_thread(struct lackey *l, struct trace_sink *sink, uint32_t dense, uint64_t tid)
{
    struct lackey_thread *t = thread_at(l, tid);
    if (!t)
        return false;
    thread_start(t, dense);
    if (l->next_thread <= dense)
        l->next_thread = dense + 1;
    trace_sink_thread(sink, 0, dense);
    return true;
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

static void parse_args(struct call *c, const char *s, const char *end)
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
                c->path = call_file_new(s + 1, (size_t)(stop - s - 1));
            s = stop + 1;
        }
        while (s < end && *s != ',' && *s != ')')
            s++;
        if (s == end || *s == ')')
            return;
        s++;
    }
}

/* --- what a finished call leaves in the trace --- */

static void call_done(struct lackey *l, struct trace_sink *sink, uint64_t tid, const struct call *c, int64_t result,
                      bool process_made)
{
    switch (calls_done(&l->calls, sink, c, result)) {
    case CALL_MADE_THREAD:
        if (!process_made) {
            trace_sink_put(sink, (struct trace_rec){.addr = thread_cloned(l), .kind = TRACE_CLONE});
            return;
        }
        /* fall through */
    case CALL_MADE_PROCESS:
        l->forked = true;
        trace_sink_put(sink, (struct trace_rec){
                                 .addr = l->next_process++, .size = l->next_thread++, .kind = TRACE_FORK});
        return;
    case CALL_THREAD_EXITED:
        if (tid >= l->nthreads)
            return;
        l->thread[tid].alive = false;
        for (size_t i = 1; i < l->nthreads; i++) /* what follows is surely not this thread's */
            if (l->thread[i].alive) {
                trace_sink_thread(sink, 0, l->thread[i].dense);
                break;
            }
        return;
    case CALL_PLAIN:
        return;
    }
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
        if (!second || !t->waits || t->call.number != nr) {
            call_reset(&t->call);
            t->call.number = nr;
            if (!second)
                parse_args(&t->call, s, r.before);
        }
        t->waits = r.state == ASYNC;
        if (r.state == RESULT) {
            struct call c = t->call; /* call_done may move the table of threads */
            t->call = (struct call){0};
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
        struct call c = {.number = nr};
        parse_args(&c, s, end);
        calls_put_exec(sink, &c);
        call_reset(&c);
    }
    l->ntext = 0;
}

void lackey_syscall_close(struct lackey *l)
{
    for (size_t i = 0; i < l->nthreads; i++)
        call_reset(&l->thread[i].call);
    calls_fini(&l->calls);
    free(l->thread);
}
