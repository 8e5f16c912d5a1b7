/* Reads a trace in memory into one array, for the tests of the readers. */
#ifndef READERS_UTIL_H
#define READERS_UTIL_H

#include "traces/input.h"
#include "traces/trace.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

struct read {
    struct trace_rec *rec; /* heads and slots */
    uint32_t *thread;      /* of each element */
    size_t n, records, cap;
    int status; /* of the last trace_next: 0 or -1; -2: not opened */
    struct err err;
    uint64_t kind[256];
    char format[16];
    struct trace_info info; /* of a trace in memory, at the end */
};

static inline struct read read_trace(struct trace *t)
{
    struct read r = {0};
    struct trace_batch b;
    while ((r.status = trace_next(t, &b, &r.err)) > 0) {
        ck_assert_uint_eq(b.first_record, r.records);
        if (r.n + b.n > r.cap) {
            r.cap = (r.n + b.n) * 2;
            r.rec = realloc(r.rec, r.cap * sizeof *r.rec);
            r.thread = realloc(r.thread, r.cap * sizeof *r.thread);
            ck_assert_ptr_nonnull(r.rec);
            ck_assert_ptr_nonnull(r.thread);
        }
        memcpy(r.rec + r.n, b.rec, b.n * sizeof *r.rec);
        for (size_t i = 0; i < b.n; i++)
            r.thread[r.n + i] = b.thread;
        for (size_t i = 0; i < b.n; i += 1u + b.rec[i].slots, r.records++) {
            ck_assert_msg(!trace_rec_problem(&b.rec[i], b.n - i), "%s",
                          trace_rec_problem(&b.rec[i], b.n - i));
            r.kind[b.rec[i].kind]++;
        }
        r.n += b.n;
    }
    return r;
}

static inline struct read read_memory(const void *buf, size_t n, const char *format)
{
    struct trace *t;
    struct err err = {0};
    struct trace_options opt = {.format = format};
    if (trace_open_memory(&t, buf, n, &opt, &err) < 0)
        return (struct read){.status = -2, .err = err};
    struct read r = read_trace(t);
    trace_get_info(t, &r.info);
    snprintf(r.format, sizeof r.format, "%s", r.info.format);
    trace_close(t);
    return r;
}

static inline struct read read_text(const char *text)
{
    return read_memory(text, strlen(text), NULL);
}

static inline void read_free(struct read *r)
{
    free(r->rec);
    free(r->thread);
}

/* Element index of the k-th record of a kind; fails the test if there is none. */
static inline size_t find_record(const struct read *r, uint8_t kind, unsigned k)
{
    for (size_t i = 0; i < r->n; i += 1u + r->rec[i].slots)
        if (r->rec[i].kind == kind && k-- == 0)
            return i;
    ck_abort_msg("there is no such %s record", trace_kind_name(kind));
    return 0;
}

static inline uint64_t payload(const struct read *r, size_t at, unsigned word)
{
    uint64_t v;
    memcpy(&v, (const char *)(r->rec + at + 1) + 8 * word, 8);
    return v;
}

/* The whole file; the caller frees it. */
static inline char *slurp(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    ck_assert_msg(f != NULL, "cannot open %s", path);
    fseek(f, 0, SEEK_END);
    *n = (size_t)ftell(f);
    rewind(f);
    char *buf = malloc(*n + 1);
    ck_assert_ptr_nonnull(buf);
    ck_assert_uint_eq(fread(buf, 1, *n, f), *n);
    buf[*n] = '\0';
    fclose(f);
    return buf;
}

#define SAMPLE(name) MMULAB_SOURCE_DIR "/traces/samples/" name

static inline int run_suite(Suite *s)
{
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
