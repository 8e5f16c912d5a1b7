/*
 * Reader of the threaded text that a QEMU user-mode plugin wrote (x86-64 programs):
 *
 *     T 3                       the lines that follow belong to the thread with that number, until the next T
 *     I  4002920b70,3           fetch     (L load, S store) as in lackey text: hexadecimal address, bytes
 *     SYS 3 9(0,2000,3,22,ffffffff,0)     a system call of thread 3 begins: number, six hexadecimal arguments
 *     RET 3 9 = 274921148416              and ends: its result, decimal
 *
 * A record of a call is put where the result stands. exit and exit_group have none: they are put at once. Paths are not
 * in the file, so mapped files have no name. A new thread may run before its maker's clone has returned; then the CLONE
 * record is put before the thread's first record, by the thread that waits in clone.
 */
#include "engine/types.h"
#include "traces/readers/calls.h"
#include "traces/readers/lackey.h"
#include "traces/readers/scan.h"
#include "traces/trace.h"

#include <stdlib.h>

enum { QTRACE_THREADS_MAX = 65536 };

struct qthread {
    uint32_t dense;
    bool known, waits, announced; /* waits: in `call`; announced: its CLONE was put before the clone returned */
    struct call call;
};

struct qtrace {
    struct calls calls;
    struct qthread *thread; /* by the number in the file */
    size_t nthreads;
    uint32_t next, made; /* threads seen; CLONE records put, the first thread counts as one */
    uint32_t processes;
    uint64_t cur;
    uint64_t unanswered;
    bool any;
};

static bool scan_word_number(const char **s, const char *end, const char *word, uint64_t *out)
{
    return scan_word(s, end, word) && scan_dec(s, end, out);
}

/* "SYS 3 9(0,2000,..)" */
static bool scan_call(const char *s, const char *end, uint64_t *tid, struct call *c)
{
    *c = (struct call){0};
    if (!scan_word_number(&s, end, "SYS ", tid) || !scan_word_number(&s, end, " ", &c->number) ||
        !scan_word(&s, end, "("))
        return false;
    for (unsigned i = 0; i < 6; i++)
        if ((i && !scan_word(&s, end, ",")) || !scan_hex(&s, end, &c->arg[i]))
            return false;
    return scan_word(&s, end, ")") && s == end;
}

/* "RET 3 9 = -38" */
static bool scan_return(const char *s, const char *end, uint64_t *tid, uint64_t *nr, int64_t *result)
{
    uint64_t v;
    if (!scan_word_number(&s, end, "RET ", tid) || !scan_word_number(&s, end, " ", nr) || !scan_word(&s, end, " = "))
        return false;
    bool minus = scan_word(&s, end, "-");
    if (!scan_dec(&s, end, &v) || s != end)
        return false;
    *result = (int64_t)(minus ? 0 - v : v);
    return true;
}

static bool scan_thread(const char *s, const char *end, uint64_t *tid)
{
    return scan_word_number(&s, end, "T ", tid) && s == end;
}

static int probe(const unsigned char *head, size_t n, bool whole)
{
    const char *p = (const char *)head, *end = p + n;
    uint64_t v;
    int64_t r;
    unsigned good = 0;
    while (p < end && good < 100) {
        const char *nl = memchr(p, '\n', (size_t)(end - p)), *s = p;
        struct trace_rec rec;
        struct call c;
        if (!nl && !whole)
            break;
        if (!nl)
            nl = end;
        bool mine = good == 0 ? scan_thread(p, nl, &v)
                              : scan_thread(p, nl, &v) || scan_call(p, nl, &v, &c) || scan_return(p, nl, &v, &v, &r) ||
                                    (lackey_scan_ref(&s, nl, &rec) && s == nl);
        if (!mine)
            return good > 2 || (good && nl == end) ? 90 : 0; /* this reader's to report */
        good++;
        p = nl + 1;
    }
    return good ? 90 : 0;
}

static struct qthread *thread_at(struct qtrace *q, uint64_t tid)
{
    if (tid >= QTRACE_THREADS_MAX)
        return NULL;
    if (tid >= q->nthreads) {
        size_t n = (size_t)tid + 16;
        void *p = realloc(q->thread, n * sizeof *q->thread);
        if (!p)
            return NULL;
        q->thread = p;
        memset(q->thread + q->nthreads, 0, (n - q->nthreads) * sizeof *q->thread);
        q->nthreads = n;
    }
    return &q->thread[tid];
}

static void put_clone(struct qtrace *q, struct trace_sink *sink, const struct qthread *maker)
{
    trace_sink_thread(sink, 0, maker->dense);
    trace_sink_put(sink, (struct trace_rec){.addr = q->made++, .kind = TRACE_CLONE});
}

/* From now on the lines are of thread tid, NULL if there is no room for it. */
static struct qthread *enter(struct qtrace *q, struct trace_sink *sink, uint64_t tid)
{
    struct qthread *t = thread_at(q, tid);
    if (!t)
        return NULL;
    if (!t->known) {
        t->known = true;
        t->dense = q->next++;
        if (!q->made)
            q->made = 1;
        for (size_t i = 0; q->made < q->next && i < q->nthreads; i++) {
            struct qthread *m = &q->thread[i];
            if (m->known && m->waits && !m->announced && call_makes_thread(&m->call)) {
                m->announced = true;
                put_clone(q, sink, m);
            }
        }
        if (q->made < q->next) /* made before the recording, or the call is not in the file */
            q->made = q->next;
    }
    trace_sink_thread(sink, 0, t->dense);
    q->cur = tid;
    return t;
}

static void finish_call(struct qtrace *q, struct trace_sink *sink, struct qthread *t, int64_t result)
{
    t->waits = false;
    switch (calls_done(&q->calls, sink, &t->call, result)) {
    case CALL_MADE_THREAD:
        if (!t->announced)
            put_clone(q, sink, t);
        break;
    case CALL_MADE_PROCESS: /* its references are in a trace of its own, if anywhere */
        trace_sink_put(sink, (struct trace_rec){.addr = ++q->processes, .size = q->next++, .kind = TRACE_FORK});
        q->made = q->next;
        break;
    default:
        break;
    }
    t->announced = false;
}

/* NULL, or what is wrong. */
static const char *take(struct qtrace *q, struct trace_sink *sink, const char *s, const char *end)
{
    uint64_t tid, nr;
    int64_t result;
    struct call c;
    struct trace_rec r;
    struct qthread *t;
    if (lackey_scan_ref(&s, end, &r)) {
        if (s != end || r.kind == TRACE_MODIFY)
            return "something follows the size, or this is no I, L or S";
        if (!q->any)
            return "a reference before the first T line";
        trace_sink_put(sink, r);
        return NULL;
    }
    if (scan_thread(s, end, &tid)) {
        q->any = true;
        return enter(q, sink, tid) ? NULL : "a thread number above 65535";
    }
    if (!q->any)
        return "a line before the first T line";
    if (scan_call(s, end, &tid, &c)) {
        if (!(t = enter(q, sink, tid)))
            return "a thread number above 65535";
        q->unanswered += t->waits;
        t->call = c;
        t->waits = true;
        if (c.number == NR_exit || c.number == NR_exit_group)
            finish_call(q, sink, t, 0);
        return NULL;
    }
    if (scan_return(s, end, &tid, &nr, &result)) {
        if (!(t = enter(q, sink, tid)))
            return "a thread number above 65535";
        if (!t->waits || t->call.number != nr)
            return "a result (RET) of a call that was not begun (SYS)";
        finish_call(q, sink, t, result);
        return NULL;
    }
    return "neither T, I, L, S, SYS nor RET";
}

static int read_batch(void *state, struct trace_input *in, struct trace_sink *sink, struct err *err)
{
    struct qtrace *q = state;
    while (!trace_sink_full(sink)) {
        const char *line;
        size_t len;
        int got = trace_input_line(in, &line, &len, err);
        if (got < 0)
            return -1;
        if (got == 0)
            return sink->n > 0;
        const char *problem = len ? take(q, sink, line, line + len) : NULL;
        if (problem)
            return trace_line_error(in, line, len, err,
                                    line[len] == '\0' ? "was the recording stopped or the file cut off here?"
                                                      : "a line is T, I, L, S, SYS or RET; docs/converting.md shows each",
                                    "%s", problem);
    }
    return 1;
}

static void info(const void *state, struct trace_info *out)
{
    const struct qtrace *q = state;
    uint64_t open = q->unanswered;
    for (size_t i = 0; i < q->nthreads; i++)
        open += q->thread[i].waits;
    out->has_fetch = true;
    trace_left_add(out->left, &out->nleft, "system calls without a result", open);
}

static void close_state(void *state)
{
    struct qtrace *q = state;
    calls_fini(&q->calls);
    free(q->thread);
}

const struct trace_reader_ops trace_reader_qtrace = {
    .name = "qtrace",
    .probe = probe,
    .state_bytes = sizeof(struct qtrace),
    .read_batch = read_batch,
    .info = info,
    .close = close_state,
};
