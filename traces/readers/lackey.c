/*
 * Reader of lackey text: the references and the lines around them.
 *
 *     I  0023c790,2     fetch       L 1ffefff8c8,8  load      S 1ffefff8c8,8  store     M 04a19de0,1  modify
 *     ==PID== ...       banner, summary: ignored, but a second banner is a new program (execve)
 *     SYSCALL[PID,TID](NR) ...      lackey_syscall.c
 *
 * An instruction's line comes before its data lines: lackey queues the fetch event when it meets the
 * instruction's mark and the data events while it walks through the instruction (lackey/lk_main.c,
 * lk_instrument), and a superblock always flushes the queue in order. Sizes are at most 512 bytes there
 * (fxsave); all are taken.
 *
 * Lackey does not say which thread a reference belongs to. It is taken to belong to the thread that the last
 * SYSCALL line names: Valgrind runs one thread at a time and switches mostly at system calls, so between a
 * blocking call and the next call's line references can be charged to a thread next to the right one. The
 * address space is the same.
 */
#include "traces/readers/lackey.h"

#include "engine/types.h"
#include "traces/readers/scan.h"

#include <stdlib.h>
#include <unistd.h>

/* Kind by the line's second byte; 0 for none. */
static uint8_t data_kind(char c)
{
    return c == 'L' ? TRACE_LOAD : c == 'S' ? TRACE_STORE : c == 'M' ? TRACE_MODIFY : 0;
}

bool lackey_scan_ref(const char **s, const char *end, struct trace_rec *out)
{
    const char *p = *s;
    uint64_t addr, size;
    if (end - p < 6)
        return false;
    uint8_t kind = !memcmp(p, "I  ", 3) ? TRACE_FETCH : p[0] == ' ' && p[2] == ' ' ? data_kind(p[1]) : 0;
    p += 3;
    if (!kind || !scan_hex(&p, end, &addr) || !scan_word(&p, end, ",") || !scan_dec(&p, end, &size) ||
        size == 0 || size > UINT32_MAX)
        return false;
    *s = p;
    *out = (struct trace_rec){.addr = addr, .size = (uint32_t)size, .kind = kind};
    return true;
}

static bool scan_pid_line(const char *line, size_t len)
{
    return len >= 4 && line[0] == line[1] && (line[0] == '=' || line[0] == '-' || line[0] == '*') &&
           line[2] >= '0' && line[2] <= '9';
}

static bool starts(const char *line, size_t len, const char *word)
{
    size_t n = strlen(word);
    return len >= n && !memcmp(line, word, n);
}

static int probe(const unsigned char *head, size_t n, bool whole)
{
    const char *p = (const char *)head, *end = p + n;
    unsigned refs = 0, other = 0;
    while (p < end && refs + other < 200) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        if (!nl && !whole)
            break;
        if (!nl)
            nl = end;
        struct trace_rec r;
        const char *s = p;
        size_t len = (size_t)(nl - p);
        if (scan_pid_line(p, len) || starts(p, len, "SYSCALL["))
            other++;
        else if (lackey_scan_ref(&s, nl, &r))
            refs++;
        else if (refs + other == 0)
            return 0;
        p = nl + 1;
    }
    /* A broken line further down is this reader's to report. Valgrind's banner alone may be any tool's. */
    return refs > 0 ? 90 : other > 0 ? 60 : 0;
}

static int lackey_open(void *state, struct trace_input *in, const char *path, const struct trace_options *opt,
                       struct err *err)
{
    struct lackey *l = state;
    (void)in;
    l->next_thread = 1; /* the first thread is 0 of process 0 */
    l->next_process = 1;
    l->pid = LACKEY_PID_NONE;
    if ((opt && opt->no_maps) || !path)
        return 0;
    char *name = trace_maps_name(path);
    if (!name)
        return err_set(err, ERR_RUN, "out of memory");
    struct trace_input *maps;
    int rc = 0;
    if (access(name, F_OK) == 0) {
        rc = trace_input_open(&maps, name, err);
        if (rc == 0) {
            rc = trace_maps_read(&l->maps, maps, err);
            trace_input_close(maps);
        }
    }
    free(name);
    return rc;
}

/* SEGMENT and FILEID records of the initial mappings; true when all are out. */
static bool put_maps(struct lackey *l, struct trace_sink *sink)
{
    for (; l->maps_put < l->maps.n; l->maps_put++) {
        if (trace_sink_full(sink))
            return false;
        const struct trace_map *m = &l->maps.map[l->maps_put];
        uint32_t id = m->path ? calls_put_file(&l->calls, sink, m->path, strlen(m->path)) : 0;
        uint64_t words[3] = {m->length, m->offset, id};
        trace_sink_put_words(
            sink,
            (struct trace_rec){.addr = m->start, .size = m->prot, .kind = TRACE_SEGMENT, .flags = m->flags},
            words, 3);
    }
    return true;
}

/*
 * The hot loop: reference lines straight from the window. Stops at the first line that is anything else, when
 * the sink is full or when less than a longest line is left in the window. 3 + 16 + 1 + 10 + 1 bytes are a
 * line's most.
 */
#define LINE_MOST 32

static void fast_refs(struct trace_input *in, struct trace_sink *sink)
{
    const unsigned char *p = in->p, *end = in->end;
    struct trace_rec *rec = sink->rec + sink->n, *first = rec, *full = sink->rec + TRACE_SINK_RECS;
    while (rec < full && end - p >= LINE_MOST) {
        uint8_t kind;
        if (p[0] == 'I' && p[1] == ' ')
            kind = TRACE_FETCH;
        else if (p[0] == ' ')
            kind = data_kind((char)p[1]);
        else
            break;
        uint64_t addr;
        if (unlikely(!kind || p[2] != ' ' || !scan_hex8(p + 3, &addr)))
            break;
        const unsigned char *s = p + 11;
        /* Up to eight digits more; lackey prints %08lx. */
        while (*s != ',') {
            int d = scan_hex_digit(*s);
            if (unlikely(d < 0 || s == p + 19))
                goto out;
            addr = addr << 4 | (uint64_t)d;
            s++;
        }
        uint32_t size = (uint32_t)(s[1] - '0');
        if (unlikely(size > 9))
            break;
        if (likely(s[2] == '\n')) {
            s += 3;
        } else {
            uint32_t low = (uint32_t)(s[2] - '0');
            if (unlikely(low > 9 || s[3] != '\n')) /* three digits and more: the careful way */
                break;
            size = size * 10 + low;
            s += 4;
        }
        if (unlikely(size == 0))
            break;
        *rec++ = (struct trace_rec){.addr = addr, .size = size, .kind = kind};
        p = s;
    }
out:
    in->p = p;
    in->line += (uint64_t)(rec - first);
    sink->n += (uint32_t)(rec - first);
}

/* What exporters/lackey_write.c says in comments: `fd 3 PATH`, `thread 2 tid 3`, from s on. */
static int own_line(struct lackey *l, struct trace_input *in, struct trace_sink *sink, const char *line, size_t len,
                    const char *s, struct err *err)
{
    const char *end = line + len;
    uint64_t a, b;
    if (scan_word(&s, end, "fd ") && scan_dec(&s, end, &a) && scan_word(&s, end, " ")) {
        struct call c = {.path = s < end ? call_file_new(s, (size_t)(end - s)) : NULL};
        calls_set_fd(&l->calls, a, c.path);
        call_reset(&c);
        return 0;
    }
    if (scan_word(&s, end, "thread ") && scan_dec(&s, end, &a) && scan_word(&s, end, " tid ") &&
        scan_dec(&s, end, &b) && s == end && a < LACKEY_THREADS_MAX && lackey_thread(l, sink, (uint32_t)a, b))
        return 0;
    return trace_line_error(in, line, len, err, "was the file cut off or edited here?", "not a line of lackey");
}

/* One line the careful way. */
static int slow_line(struct lackey *l, struct trace_input *in, struct trace_sink *sink, const char *line,
                     size_t len, struct err *err)
{
    const char *s = line, *end = line + len;
    struct trace_rec r;
    if (lackey_scan_ref(&s, end, &r) && s == end) {
        if (line[len] == '\0')
            return trace_line_error(in, line, len, err,
                                    "the recording was stopped or the file was cut off; record it again",
                                    "the file ends inside a line");
        trace_sink_put(sink, r);
        return 0;
    }
    if (scan_pid_line(line, len)) {
        uint64_t pid;
        s = line + 2;
        if (line[0] == '=' && scan_dec(&s, end, &pid)) {
            if (l->pid != LACKEY_PID_NONE && l->pid != pid && s != end && *s == '=')
                return lackey_mixed(in, line, len, err);
            if (l->pid == LACKEY_PID_NONE)
                l->pid = pid;
        }
        s = line + 2;
        if (line[0] == '-' && scan_dec(&s, end, &pid) && scan_word(&s, end, "-- mmulab "))
            return own_line(l, in, sink, line, len, s, err);
        const char *what = memmem(line, len, "= ", 2);
        if (what && starts(what + 2, (size_t)(end - what - 2), "Lackey"))
            lackey_exec_done(l, sink);
        return 0;
    }
    enum lackey_taken taken = lackey_syscall_line(l, in, sink, line, len, err);
    if (taken != LACKEY_NOT_MINE)
        return taken == LACKEY_BAD ? -1 : 0;
    /* Threads print in pieces: a piece that stood before this line's beginning leaves blanks, or a blank
     * line. */
    s = line;
    scan_blanks(&s, end);
    if (s == end)
        return 0;
    if (s > line && *s != 'I')
        s--;
    if (s > line && lackey_scan_ref(&s, end, &r) && s == end) {
        trace_sink_put(sink, r);
        return 0;
    }
    if (l->forked)
        return lackey_mixed(in, line, len, err);
    if (line[len] == '\0')
        return trace_line_error(in, line, len, err,
                                "the recording was stopped or the file was cut off; record it again",
                                "the file ends inside a line");
    return trace_line_error(
        in, line, len, err,
        "record with `valgrind --tool=lackey --trace-mem=yes --log-file=FILE PROGRAM`, so that other "
        "output does not mix in",
        "not a line of lackey");
}

int lackey_mixed(const struct trace_input *in, const char *line, size_t len, struct err *err)
{
    return trace_line_error(
        in, line, len, err,
        "record again with --child-silent-after-fork=yes, or a file a process: --log-file=NAME.%p.lackey",
        "after a fork two processes write to this file, their references cannot be told apart");
}

static int read_batch(void *state, struct trace_input *in, struct trace_sink *sink, struct err *err)
{
    struct lackey *l = state;
    uint32_t before = sink->n;
    if (!put_maps(l, sink))
        return 1;
    while (!trace_sink_full(sink)) {
        fast_refs(in, sink);
        if (trace_sink_full(sink))
            break;
        const char *line;
        size_t len;
        int got = trace_input_line(in, &line, &len, err);
        if (got < 0)
            return -1;
        if (got == 0) {
            lackey_exec_done(l, sink);
            return sink->n > before ? 1 : 0;
        }
        if (slow_line(l, in, sink, line, len, err) < 0)
            return -1;
        /* Fill for the hot loop; where it fails, trace_input_line meets the failure in its turn. */
        if (trace_input_avail(in) < LINE_MOST)
            trace_input_fill(in, LINE_MOST, NULL);
    }
    return 1;
}

static void info(const void *state, struct trace_info *out)
{
    const struct lackey *l = state;
    if (l->maps.unended) {
        out->incomplete = true;
        out->why = "the last line of the file with its initial mappings (NAME.maps.txt) has no line end";
    }
    out->has_fetch = true; /* threads and processes are those that appear, the core counts them */
}

static void lackey_close(void *state)
{
    struct lackey *l = state;
    lackey_syscall_close(l);
    trace_maps_free(&l->maps);
}

const struct trace_reader_ops trace_reader_lackey = {
    .name = "lackey",
    .probe = probe,
    .state_bytes = sizeof(struct lackey),
    .open = lackey_open,
    .read_batch = read_batch,
    .info = info,
    .close = lackey_close,
};
