/*
 * The state of a machine as bytes: each component has one function that both writes and reads it, so that the two
 * directions cannot come apart.
 *
 *   void tlb_state(struct tlb *t, struct state_io *io) { state_u32(io, &t->globals); ... }
 *
 * Reading: everything that will be used as an index or a count is checked by its component (state_check), for a file may
 * be damaged on purpose. After the first failure reads give zeros and the failure is kept; a loop whose length was read
 * ends on state_bad(). Little-endian hosts only, as the native trace format.
 */
#ifndef ENGINE_STATE_H
#define ENGINE_STATE_H

#include "engine/err.h"
#include "engine/types.h"

enum { STATE_BUFFER = 1 << 16 };

struct state_io {
    bool loading, bad;
    struct err err; /* the first failure */
    void *self;
    /* Takes n bytes (saving), or gives n bytes, fewer at the end (loading). -1 and *err if it cannot. */
    int64_t (*move)(void *self, void *data, size_t n, struct err *err);
    size_t at, n; /* of buf: next byte; bytes there (loading) */
    unsigned char buf[STATE_BUFFER];
};

void state_open(struct state_io *io, bool loading, int64_t (*move)(void *, void *, size_t, struct err *), void *self);
/* Saving: hands over what is still buffered. Loading: all bytes must have been read. -1 and *err: the first failure. */
int state_close(struct state_io *io, struct err *err);

void state_bytes_slow(struct state_io *io, void *data, size_t n);
void state_fail(struct state_io *io, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static inline bool state_bad(const struct state_io *io) { return io->bad; }
static inline void state_bytes(struct state_io *io, void *data, size_t n) { state_bytes_slow(io, data, n); }
static inline void state_u64(struct state_io *io, uint64_t *v) { state_bytes(io, v, sizeof *v); }
static inline void state_u32(struct state_io *io, uint32_t *v) { state_bytes(io, v, sizeof *v); }
static inline void state_u16(struct state_io *io, uint16_t *v) { state_bytes(io, v, sizeof *v); }
static inline void state_u8(struct state_io *io, uint8_t *v) { state_bytes(io, v, sizeof *v); }
static inline void state_bool(struct state_io *io, bool *v)
{
    uint8_t b = *v;
    state_u8(io, &b);
    *v = b != 0;
}
/* Loading: what was read must be so. `what` says in a few words what is wrong. */
static inline bool state_check(struct state_io *io, bool ok, const char *what)
{
    if (unlikely(io->loading && !ok && !io->bad))
        state_fail(io, "%s", what);
    return !io->bad;
}
/* A number that the configuration fixes: saved, and on loading the same or a failure. */
void state_same(struct state_io *io, uint64_t v, const char *what);
/* Where a component's bytes begin: a name of up to 8 letters, checked. */
void state_mark(struct state_io *io, const char *name);
/*
 * `count` units of `size` bytes, most of which are zero and, loading, all are: only the others are moved. [from, to) are
 * the units; what lies outside is not looked at.
 */
void state_sparse(struct state_io *io, void *base, uint64_t from, uint64_t to, size_t size);

#endif
