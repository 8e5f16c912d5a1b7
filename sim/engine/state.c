#include "engine/state.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void state_open(struct state_io *io, bool loading, int64_t (*move)(void *, void *, size_t, struct err *), void *self)
{
    io->loading = loading;
    io->bad = false;
    io->err = (struct err){0};
    io->move = move;
    io->self = self;
    io->at = io->n = 0;
}

void state_fail(struct state_io *io, const char *fmt, ...)
{
    char text[200];
    va_list ap;
    if (io->bad)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    io->bad = true;
    err_set(&io->err, ERR_RUN, "%s", text);
}

static void flush(struct state_io *io)
{
    if (io->at && !io->bad && io->move(io->self, io->buf, io->at, &io->err) < 0)
        io->bad = true;
    io->at = 0;
}

static bool refill(struct state_io *io)
{
    int64_t got = io->bad ? 0 : io->move(io->self, io->buf, sizeof io->buf, &io->err);
    if (got < 0)
        io->bad = true;
    io->at = 0;
    io->n = got > 0 ? (size_t)got : 0;
    return io->n != 0;
}

void state_bytes_slow(struct state_io *io, void *data, size_t n)
{
    unsigned char *p = data;
    while (n) {
        size_t room = io->loading ? io->n - io->at : sizeof io->buf - io->at, k = n < room ? n : room;
        if (k == 0 && io->loading && (io->bad || !refill(io))) {
            memset(p, 0, n);
            state_fail(io, "the state ends too early");
            return;
        }
        if (io->loading)
            memcpy(p, io->buf + io->at, k);
        else
            memcpy(io->buf + io->at, p, k);
        io->at += k;
        p += k;
        n -= k;
        if (!io->loading && io->at == sizeof io->buf)
            flush(io);
    }
}

int state_close(struct state_io *io, struct err *err)
{
    if (!io->loading)
        flush(io);
    else if (!io->bad && (io->at < io->n || refill(io)))
        state_fail(io, "there are bytes behind the state");
    if (io->bad)
        *err = io->err;
    return io->bad ? -1 : 0;
}

void state_same(struct state_io *io, uint64_t v, const char *what)
{
    uint64_t got = v;
    state_u64(io, &got);
    if (io->loading && got != v)
        state_fail(io, "the state is of a machine with another %s (%llu, not %llu)", what, (unsigned long long)got,
                   (unsigned long long)v);
}

void state_mark(struct state_io *io, const char *name)
{
    char got[8] = {0}, want[8] = {0};
    memcpy(want, name, strnlen(name, sizeof want));
    memcpy(got, want, sizeof got);
    state_bytes(io, got, sizeof got);
    if (io->loading && memcmp(got, want, sizeof got) != 0)
        state_fail(io, "the state of \"%.8s\" is not where it should be", want);
}

static bool zero(const unsigned char *p, size_t n)
{
    return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

/* Units are taken in groups of about a host page, so that untouched memory stays cheap. */
void state_sparse(struct state_io *io, void *base, uint64_t from, uint64_t to, size_t size)
{
    unsigned char *at = base;
    uint64_t group = 4096 / size ? 4096 / size : 1;
    if (io->loading) {
        for (uint64_t least = from;;) {
            uint64_t start = 0, n = 0;
            state_u64(io, &start);
            state_u64(io, &n);
            if (state_bad(io) || n == 0)
                return;
            if (!state_check(io, start >= least && start <= to && n <= to - start, "a part of it lies outside its place"))
                return;
            state_bytes(io, at + start * size, (size_t)n * size);
            least = start + n;
        }
    }
    for (uint64_t start = from; start < to;) {
        uint64_t end = start, n;
        for (;; end += n) { /* groups that are not zero */
            n = to - end < group ? to - end : group;
            if (n == 0 || zero(at + end * size, (size_t)n * size))
                break;
        }
        uint64_t count = end - start;
        if (count) {
            state_u64(io, &start);
            state_u64(io, &count);
            state_bytes(io, at + start * size, (size_t)count * size);
        }
        start = end + n;
    }
    uint64_t none[2] = {0, 0};
    state_bytes(io, none, sizeof none);
}
