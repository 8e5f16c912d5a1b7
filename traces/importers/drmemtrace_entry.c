/*
 * What drmemtrace's records become:
 *
 *     instruction           FETCH, and BRANCH if it is one: the kind from its type, the target from the marker before it
 *                           or from the thread's next instruction, taken likewise where the type does not tell
 *     read, write           LOAD, STORE of the instruction before them
 *     bundle                a FETCH for each length
 *     thread exit           EXIT
 *     timestamp             TIME, nanoseconds since the first one
 *
 * Between the trace markers of a system call or a context switch references are the kernel's (TRACE_F_KERNEL). An instruction waits for its
 * successor only within one run of its thread: at a change of thread its branch has no target.
 */
#include "traces/importers/drmemtrace.h"

#include <stdlib.h>

static struct dr_thread *current(struct drmemtrace *d, const struct dr_stream *s)
{
    return s->cur < d->nthreads ? d->thread[s->cur] : NULL;
}

static void flush(struct dr_thread *t, struct trace_sink *sink)
{
    trace_sink_thread(sink, t->process, t->thread);
    for (uint32_t i = 0; i < t->nheld; i++)
        trace_sink_put(sink, t->held[i]);
    t->nheld = t->branch = 0;
}

/* The instruction is followed by the one at `next` (has: that is known). */
static void finish(struct dr_thread *t, struct trace_sink *sink, bool has, uint64_t next)
{
    if (t->branch) {
        struct trace_rec *b = &t->held[t->branch];
        if (has && (b->flags & TRACE_F_COND) && !(b->flags & TRACE_F_TAKEN) && b->size == 1 && next != t->next_pc)
            b->flags |= TRACE_F_TAKEN;
        if (has && (b->flags & TRACE_F_TAKEN) && !b->addr)
            b->addr = next;
        b->size = 0;
    }
    flush(t, sink);
}

void dr_settle(struct drmemtrace *d, struct dr_stream *s, struct trace_sink *sink)
{
    struct dr_thread *t = current(d, s);
    if (t)
        finish(t, sink, false, 0);
}

static void hold(struct dr_thread *t, struct trace_sink *sink, struct trace_rec r)
{
    if (t->nheld == DR_HELD_MAX)
        finish(t, sink, false, 0);
    if (t->kernel && r.kind <= TRACE_REF_MAX)
        r.flags |= TRACE_F_KERNEL;
    t->held[t->nheld++] = r;
}

/* The thread that the stream's tid and pid name. */
static int select_thread(struct drmemtrace *d, struct dr_stream *s, struct err *err)
{
    struct dr_thread *t = current(d, s);
    if (t && t->tid == s->tid)
        return 0;
    for (size_t i = 0; i < d->nthreads; i++)
        if (d->thread[i]->tid == s->tid) {
            s->cur = i;
            return 0;
        }
    if (d->nthreads == DR_THREADS_MAX)
        return err_set(err, ERR_RUN, "more than %u threads", DR_THREADS_MAX);
    if (d->nthreads == d->threads_cap) {
        size_t cap = d->threads_cap ? d->threads_cap * 2 : 16;
        void *p = realloc(d->thread, cap * sizeof(struct dr_thread *));
        if (!p)
            return err_set(err, ERR_RUN, "out of memory");
        d->thread = p;
        d->threads_cap = cap;
    }
    t = calloc(1, sizeof *t);
    if (!t)
        return err_set(err, ERR_RUN, "out of memory");
    *t = (struct dr_thread){.tid = s->tid, .pid = s->pid, .thread = (uint32_t)d->nthreads, .process = d->nprocesses};
    bool old = false;
    for (size_t i = 0; i < d->nthreads && !old; i++)
        if ((old = d->thread[i]->pid == s->pid))
            t->process = d->thread[i]->process;
    d->nprocesses += !old;
    s->cur = d->nthreads;
    d->thread[d->nthreads++] = t;
    return 0;
}

static uint8_t branch_flags(unsigned type)
{
    switch (type) {
    case DR_INSTR_DIRECT_JUMP:
        return TRACE_F_TAKEN;
    case DR_INSTR_INDIRECT_JUMP:
        return TRACE_F_TAKEN | TRACE_F_INDIRECT;
    case DR_INSTR_DIRECT_CALL:
        return TRACE_F_TAKEN | TRACE_F_CALL;
    case DR_INSTR_INDIRECT_CALL:
        return TRACE_F_TAKEN | TRACE_F_CALL | TRACE_F_INDIRECT;
    case DR_INSTR_RETURN:
        return TRACE_F_TAKEN | TRACE_F_RETURN;
    case DR_INSTR_TAKEN_JUMP:
        return TRACE_F_TAKEN | TRACE_F_COND;
    default: /* untaken, or not known yet */
        return TRACE_F_COND;
    }
}

static void instruction(struct dr_thread *t, struct trace_sink *sink, unsigned type, uint64_t pc, uint32_t size)
{
    finish(t, sink, true, pc);
    t->pc = pc;
    t->next_pc = pc + size;
    hold(t, sink, (struct trace_rec){.addr = pc, .size = size, .kind = TRACE_FETCH});
    if (type != DR_INSTR && type != DR_INSTR_SYSENTER && type != DR_INSTR_MAYBE_FETCH) {
        t->branch = t->nheld;
        /* size 1 until it is finished: whether it was taken is not known */
        hold(t, sink, (struct trace_rec){.addr = t->target,
                                         .size = type == DR_INSTR_CONDITIONAL_JUMP,
                                         .kind = TRACE_BRANCH,
                                         .flags = branch_flags(type)});
        t->target = 0;
    }
}

/* A 32-bit record has the time's low half, which begins anew every 71 minutes: the value nearest to what was before. */
static uint64_t whole_time(const struct drmemtrace *d, const struct dr_stream *s, uint64_t value)
{
    const uint64_t round = (uint64_t)1 << 32;
    uint64_t near = s->time ? s->time : d->first_time ? d->first_time : round;
    value += near / round * round;
    return value + round / 2 < near ? value + round : value > near + round / 2 && value >= round ? value - round : value;
}

static int timestamp(struct drmemtrace *d, struct dr_stream *s, uint64_t value)
{
    if (s->entry_bytes == DR_ENTRY_32)
        value = whole_time(d, s, value);
    bool later = value > s->time;
    if (later)
        s->time = value;
    /* Nothing is put before all files of a folder have come to their first time. */
    if (!d->first_time || (value < d->first_time && !d->last_time))
        d->first_time = value;
    return later;
}

static int marker(struct drmemtrace *d, struct dr_stream *s, struct dr_thread *t, unsigned type, uint64_t value,
                  struct trace_sink *sink)
{
    switch (type) {
    case DR_MARKER_TIMESTAMP:
        return timestamp(d, s, value);
    case DR_MARKER_BRANCH_TARGET:
        if (t)
            t->target = value;
        return 0;
    case DR_MARKER_KERNEL_EVENT: /* just behind a branch the value is its target */
        if (t)
            finish(t, sink, true, value);
        d->left[DR_LEFT_EVENTS]++;
        return 0;
    case DR_MARKER_KERNEL_XFER:
        if (t)
            finish(t, sink, false, 0);
        d->left[DR_LEFT_EVENTS]++;
        return 0;
    case DR_MARKER_SYSCALL_TRACE_START:
    case DR_MARKER_SYSCALL_TRACE_END:
    case DR_MARKER_SWITCH_START:
    case DR_MARKER_SWITCH_END:
        if (t) {
            finish(t, sink, false, 0);
            t->kernel = type == DR_MARKER_SYSCALL_TRACE_START || type == DR_MARKER_SWITCH_START;
        }
        return 0;
    case DR_MARKER_FILETYPE:
    case DR_MARKER_VERSION:
    case DR_MARKER_CACHE_LINE_SIZE:
    case DR_MARKER_PAGE_SIZE:
    case DR_MARKER_MAYBE_BLOCKING:
        return 0;
    case DR_MARKER_SYSCALL:
        d->left[DR_LEFT_SYSCALLS]++;
        return 0;
    case DR_MARKER_CPU_ID:
        d->left[DR_LEFT_CPUS]++;
        return 0;
    default:
        if (type >= DR_MARKER_CHUNK_FIRST && type <= DR_MARKER_CHUNK_LAST)
            return 0;
        d->left[type >= DR_MARKER_FUNC_FIRST && type <= DR_MARKER_FUNC_LAST           ? DR_LEFT_FUNCTIONS
                : type >= DR_MARKER_PHYSICAL_FIRST && type <= DR_MARKER_PHYSICAL_LAST ? DR_LEFT_PHYSICAL
                                                                                      : DR_LEFT_MARKERS]++;
        return 0;
    }
}

/* What can stand before a thread is named. */
static bool needs_thread(unsigned type)
{
    return type != DR_THREAD && type != DR_PID && type != DR_HEADER && type != DR_FOOTER && type != DR_MARKER &&
           type != DR_ENCODING;
}

int dr_take(struct drmemtrace *d, struct dr_stream *s, const struct dr_entry *e, struct trace_sink *sink,
            struct err *err)
{
    if (needs_thread(e->type)) {
        if (select_thread(d, s, err) < 0)
            return -1;
        struct dr_thread *t = current(d, s);
        if (d->last_time < s->time) {
            bool next = (e->type >= DR_INSTR && e->type <= DR_INSTR_RETURN) || e->type >= DR_INSTR_TAKEN_JUMP;
            finish(t, sink, next, e->value);
            trace_sink_thread(sink, t->process, t->thread);
            trace_sink_put(sink, (struct trace_rec){.addr = (s->time - d->first_time) * 1000, .kind = TRACE_TIME});
            d->last_time = s->time;
        }
    }
    struct dr_thread *t = current(d, s);
    switch (e->type) {
    case DR_READ:
    case DR_WRITE:
        if (e->size == 0) {
            d->left[DR_LEFT_EMPTY]++;
            return 0;
        }
        hold(t, sink, (struct trace_rec){.addr = e->value,
                                         .size = e->size,
                                         .kind = e->type == DR_READ ? TRACE_LOAD : TRACE_STORE});
        return 0;
    case DR_INSTR:
    case DR_INSTR_DIRECT_JUMP:
    case DR_INSTR_INDIRECT_JUMP:
    case DR_INSTR_CONDITIONAL_JUMP:
    case DR_INSTR_DIRECT_CALL:
    case DR_INSTR_INDIRECT_CALL:
    case DR_INSTR_RETURN:
    case DR_INSTR_MAYBE_FETCH:
    case DR_INSTR_SYSENTER:
    case DR_INSTR_TAKEN_JUMP:
    case DR_INSTR_UNTAKEN_JUMP:
        if (e->size == 0) { /* of a trace that a small cache has filtered: only where the data reference comes from */
            finish(t, sink, false, 0);
            d->left[DR_LEFT_FILTERED]++;
            return 0;
        }
        instruction(t, sink, e->type, e->value, e->size);
        return 0;
    case DR_INSTR_BUNDLE:
        if (e->size > s->entry_bytes - 4)
            return err_set(err, ERR_RUN, "a bundle of %u instructions, %u fit", e->size, s->entry_bytes - 4);
        for (unsigned i = 0; i < e->size; i++)
            instruction(t, sink, DR_INSTR, t->next_pc, e->length[i] ? e->length[i] : 1);
        return 0;
    case DR_INSTR_NO_FETCH:
        d->left[DR_LEFT_NO_FETCH]++;
        return 0;
    case DR_THREAD:
    case DR_PID:
        if (t && e->value == (e->type == DR_THREAD ? s->tid : s->pid))
            return 0;
        dr_settle(d, s, sink);
        *(e->type == DR_THREAD ? &s->tid : &s->pid) = e->value;
        s->cur = SIZE_MAX;
        return 0;
    case DR_THREAD_EXIT:
        finish(t, sink, false, 0);
        if (!t->exited)
            trace_sink_put(sink, (struct trace_rec){.kind = TRACE_EXIT});
        t->exited = true;
        return 0;
    case DR_HEADER:
        return 0;
    case DR_FOOTER:
        s->footer = true;
        return 0;
    case DR_MARKER:
        return marker(d, s, t, e->size, e->value, sink);
    case DR_ENCODING:
        d->left[DR_LEFT_ENCODINGS]++;
        return 0;
    default:
        if ((e->type >= DR_PREFETCH_FIRST && e->type <= DR_PREFETCH_LAST) || e->type == DR_HARDWARE_PREFETCH ||
            (e->type >= DR_PREFETCH_HINT_FIRST && e->type <= DR_PREFETCH_HINT_LAST)) {
            d->left[DR_LEFT_PREFETCHES]++;
            return 0;
        }
        if (e->type >= DR_FLUSH_FIRST && e->type <= DR_FLUSH_LAST) {
            d->left[DR_LEFT_FLUSHES]++;
            return 0;
        }
        return err_set(err, ERR_RUN, "unknown record type %u", e->type);
    }
}
