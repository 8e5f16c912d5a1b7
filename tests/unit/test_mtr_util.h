/* What the tests of the trace containers share: random traces of all kinds, and a trace as one flat array. */
#ifndef TEST_MTR_UTIL_H
#define TEST_MTR_UTIL_H

#include "engine/rng.h"
#include "traces/input.h"
#include "traces/trace.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* libcheck writes to a pipe at every ck_assert; inside loops this one is used. */
#define NEED(cond)                                                                                           \
    do {                                                                                                     \
        if (!(cond))                                                                                         \
            ck_abort_msg("%s", #cond);                                                                       \
    } while (0)

/* Elements in order; a change of thread is an element { process << 32 | thread } of kind 0, as trace_hash
 * sees it. */
struct flat {
    struct trace_rec *e;
    size_t n, cap, records;
    bool begun;
    uint32_t process, thread;
};

static inline void flat_push(struct flat *f, const struct trace_rec *r, size_t n)
{
    if (f->n + n > f->cap) {
        f->cap = (f->n + n) * 2 + 64;
        f->e = realloc(f->e, f->cap * sizeof *f->e);
        NEED(f->e);
    }
    memcpy(f->e + f->n, r, n * sizeof *r);
    f->n += n;
}

static inline void flat_add(struct flat *f, uint32_t process, uint32_t thread, const struct trace_rec *r,
                            size_t n)
{
    if (n && (!f->begun || f->process != process || f->thread != thread)) {
        struct trace_rec mark = {.addr = (uint64_t)process << 32 | thread};
        flat_push(f, &mark, 1);
        f->begun = true;
        f->process = process;
        f->thread = thread;
    }
    flat_push(f, r, n);
    for (size_t i = 0; i < n; i += 1u + r[i].slots)
        f->records++;
}

static inline void flat_free(struct flat *f)
{
    free(f->e);
    *f = (struct flat){0};
}

static inline const char *err_text(const struct err *e)
{
    static _Thread_local char buf[2600];
    return err_format(e, buf, sizeof buf);
}

/* All of t; the last trace_next's result. */
static inline int flat_read(struct flat *f, struct trace *t, struct err *e)
{
    struct trace_batch b;
    uint64_t next = 0;
    bool first = true;
    int r;

    while ((r = trace_next(t, &b, e)) > 0) {
        NEED(b.n <= TRACE_BATCH_RECS);
        NEED(b.n > 0);
        if (first)
            next = b.first_record;
        NEED(b.first_record == next);
        first = false;
        size_t before = f->records;
        flat_add(f, b.process, b.thread, b.rec, b.n);
        next += f->records - before;
    }
    return r;
}

static inline void flat_equal(const struct flat *a, const struct flat *b)
{
    ck_assert_uint_eq(a->records, b->records);
    ck_assert_uint_eq(a->n, b->n);
    for (size_t i = 0; i < a->n; i++)
        if (memcmp(&a->e[i], &b->e[i], sizeof a->e[i]))
            ck_abort_msg("element %zu: kind %u addr %llx size %u flags %u slots %u, wanted %u %llx %u %u %u",
                         i, b->e[i].kind, (unsigned long long)b->e[i].addr, b->e[i].size, b->e[i].flags,
                         b->e[i].slots, a->e[i].kind, (unsigned long long)a->e[i].addr, a->e[i].size,
                         a->e[i].flags, a->e[i].slots);
}

/* One random record of any kind, with its payload, at r (room for 1 + TRACE_PAYLOAD_SLOTS_MAX); returns its
 * elements. */
static inline size_t random_record(struct rng *g, struct trace_rec *r)
{
    static const uint8_t kinds[] = {
#define X(name, value, text, a, s, p) value,
        TRACE_KINDS(X)
#undef X
    };
    uint8_t kind = kinds[rng_below(g, sizeof kinds)];
    const struct trace_shape *s = trace_kind_shape(kind);
    size_t bytes = s->words * 8u;
    unsigned char *p = (unsigned char *)(r + 1);

    *r = (struct trace_rec){.addr = rng_next(g) >> rng_below(g, 64), .kind = kind};
    if (rng_below(g, 3))
        r->size = (uint32_t)(rng_next(g) >> (32 + rng_below(g, 32)));
    if (!rng_below(g, 3))
        r->flags = (uint8_t)rng_next(g);
    for (unsigned i = 0; i < s->words; i++) {
        uint64_t w = rng_next(g) >> rng_below(g, 64);
        memcpy(p + 8 * i, &w, 8);
    }
    if (s->string) {
        size_t len =
            rng_below(g, 8) ? rng_below(g, 40) : rng_below(g, rng_below(g, 20) ? 300 : TRACE_STRING_MAX + 1);
        for (size_t i = 0; i < len; i++)
            p[bytes + i] = (unsigned char)(1 + rng_below(g, 255));
        bytes += len;
    }
    r->slots = trace_slots_bytes(bytes);
    memset(p + bytes, 0, r->slots * 16u - bytes);
    return 1u + r->slots;
}

/*
 * A trace of about n records: stretches of a made-up program (loops with strides, random and repeated
 * addresses, two followers and more, registers and branches), stretches of references without FETCH, and
 * random records of all kinds; over `threads` threads of a few processes.
 */
static inline void random_trace(struct rng *g, struct flat *f, size_t n, unsigned threads)
{
    struct trace_rec *r = malloc((2 + TRACE_PAYLOAD_SLOTS_MAX) * sizeof *r);
    uint64_t pc = 0x400000, iter = 0;

    while (f->records < n) {
        uint32_t th = (uint32_t)rng_below(g, threads), pr = th / 3;
        unsigned len = 1 + (unsigned)rng_below(g, rng_below(g, 4) ? 40 : 4000);
        unsigned mode = (unsigned)rng_below(g, 8), body = 1 + (unsigned)rng_below(g, 12);
        uint64_t shape = rng_next(g), base = rng_next(g) >> 17;

        if (!rng_below(g, 3))
            pc = 0x400000 + rng_below(g, 64) * 0x100;
        for (unsigned i = 0; i < len && f->records < n; i++, iter++) {
            if (mode == 0 && i < 60) {
                flat_add(f, pr, th, r, random_record(g, r));
            } else if (mode <= 2) {
                struct trace_rec d = {.addr = mode == 1 ? base + iter * 8 : rng_next(g) & 0xfffff8,
                                      .size = 8,
                                      .kind = (uint8_t)(TRACE_LOAD + (shape >> (i % 3) & 1))};
                flat_add(f, pr, th, &d, 1);
            } else {
                unsigned k = i % body, extra = (unsigned)(shape >> (4 * k)) & 3;
                struct trace_rec d = {.addr = pc + 4 * k, .size = 4, .kind = TRACE_FETCH};
                if (!rng_below(g, 50))
                    d.addr += 0x1000, extra = (unsigned)rng_below(g, 8);
                flat_add(f, pr, th, &d, 1);
                if (mode == 3) {
                    d = (struct trace_rec){.addr = shape & 0xffff, .kind = TRACE_REGS};
                    flat_add(f, pr, th, &d, 1);
                }
                for (unsigned j = 0; j < extra; j++) {
                    d = (struct trace_rec){
                        .addr = base + iter * 16 + j * 4096, .size = 8, .kind = TRACE_LOAD};
                    if (j & 1)
                        d.kind = TRACE_STORE;
                    if (!rng_below(g, 20))
                        d.addr = rng_next(g) >> rng_below(g, 64);
                    flat_add(f, pr, th, &d, 1);
                }
                if (mode == 3 && k == body - 1) {
                    d = (struct trace_rec){
                        .addr = pc, .kind = TRACE_BRANCH, .flags = TRACE_F_TAKEN | TRACE_F_COND};
                    flat_add(f, pr, th, &d, 1);
                }
            }
        }
    }
    free(r);
}

/* Puts all of f, in pieces of random length that end at records. */
static inline int flat_put(const struct flat *f, struct trace_writer *w, struct rng *g, struct err *e)
{
    uint32_t process = 0, thread = 0;

    for (size_t i = 0; i < f->n;) {
        size_t j = i, want = 1 + rng_below(g, 5000);
        if (f->e[i].kind == 0) {
            process = (uint32_t)(f->e[i].addr >> 32);
            thread = (uint32_t)f->e[i].addr;
            i++;
            continue;
        }
        while (j < f->n && f->e[j].kind && j - i < want)
            j += 1u + f->e[j].slots;
        if (trace_writer_put(w, process, thread, f->e + i, j - i, e) < 0)
            return -1;
        i = j;
    }
    return 0;
}

static inline void flat_write(const struct flat *f, const char *path, const struct trace_writer_options *opt,
                              uint64_t seed)
{
    struct trace_writer *w;
    struct err e = {0};
    struct rng g;

    rng_init(&g, seed, "put");
    ck_assert_msg(trace_writer_open_with(&w, path, opt, &e) == 0, "%s", err_text(&e));
    ck_assert_msg(flat_put(f, w, &g, &e) == 0, "%s", err_text(&e));
    ck_assert_msg(trace_writer_close(w, &e) == 0, "%s", err_text(&e));
}

static inline void temp_name(char *buf, size_t n, const char *suffix)
{
    const char *dir = getenv("TMPDIR");
    snprintf(buf, n, "%s/mmulab-test.%ld%s", dir ? dir : "/tmp", (long)getpid(), suffix);
}

static inline unsigned char *slurp(const char *path, size_t *n)
{
    FILE *fp = fopen(path, "rb");
    unsigned char *p;

    ck_assert_ptr_nonnull(fp);
    fseek(fp, 0, SEEK_END);
    *n = (size_t)ftell(fp);
    rewind(fp);
    p = malloc(*n + 1);
    ck_assert_uint_eq(fread(p, 1, *n, fp), *n);
    fclose(fp);
    return p;
}

static inline int run_suite(Suite *s)
{
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}

#endif
