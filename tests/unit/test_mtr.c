/* The native binary format: what goes in comes out, and every kind of damage is noticed. */
#include "test_mtr_util.h"

#include "traces/native/hash.h"
#include "traces/native/mtr.h"

static uint64_t flat_hash(const struct flat *f)
{
    struct trace_hasher *h = trace_hasher_new();
    uint32_t process = 0, thread = 0;
    uint64_t v;

    for (size_t i = 0; i < f->n; i++) {
        size_t len = 1u + f->e[i].slots;
        if (!f->e[i].kind) {
            process = (uint32_t)(f->e[i].addr >> 32);
            thread = (uint32_t)f->e[i].addr;
            continue;
        }
        trace_hasher_put(h, process, thread, f->e + i, len);
        i += len - 1;
    }
    v = trace_hasher_value(h);
    trace_hasher_free(h);
    return v;
}

/* Reads `path` with the options and compares. */
static void read_and_compare(const struct flat *want, const char *path, bool ahead)
{
    struct trace_options opt = {.ahead = ahead};
    struct trace *t;
    struct err e = {0};

    ck_assert_msg(trace_open(&t, path, &opt, &e) == 0, "%s", err_text(&e));
    for (int pass = 0; pass < 2; pass++) {
        struct flat got = {0};
        ck_assert_msg(flat_read(&got, t, &e) == 0, "%s", err_text(&e));
        flat_equal(want, &got);
        flat_free(&got);
        struct trace_batch b;
        ck_assert_int_eq(trace_next(t, &b, &e), 0); /* the end stays the end */
        ck_assert_int_eq(trace_rewind(t, &e), 0);
    }
    trace_close(t);
}

START_TEST(test_round_trip)
{
    static const struct {
        size_t n;
        unsigned threads;
        uint32_t block;
    } cases[] = {{1, 1, 0},       {3000, 1, 0},          {20000, 7, 0},
                 {20000, 7, 512}, {300000, 400, 100000}, {250000, 2, 0}};
    const char *suffix = _i % 2 ? ".mtt" : ".mtr";
    struct flat f = {0};
    struct rng g;
    char path[256];
    struct trace_writer_options opt = {.block_records = cases[_i / 2].block, .level = 1};
    struct trace *t;
    struct trace_info info;
    struct err e = {0};
    uint64_t hash;

    rng_init(&g, (uint64_t)_i / 2 + 1, "round trip");
    random_trace(&g, &f, cases[_i / 2].n, cases[_i / 2].threads);
    temp_name(path, sizeof path, suffix);
    flat_write(&f, path, &opt, 1);
    read_and_compare(&f, path, false);
    read_and_compare(&f, path, true);
    ck_assert_int_eq(trace_hash(path, &hash, &e), 0);
    ck_assert_uint_eq(hash, flat_hash(&f));
    ck_assert_int_eq(trace_open(&t, path, NULL, &e), 0);
    trace_get_info(t, &info);
    ck_assert(!info.incomplete);
    if (_i % 2 == 0) {
        uint64_t refs = 0;
        for (size_t i = 0; i < f.n; i += 1u + f.e[i].slots)
            refs += f.e[i].kind && f.e[i].kind <= TRACE_REF_MAX;
        ck_assert_uint_eq(info.records, f.records);
        ck_assert_uint_eq(info.refs, refs);
        ck_assert_uint_eq(info.hash, hash);
        ck_assert_str_eq(info.format, "mtr");
        /* Blocks and index agree without the stored hash: recompute by reading. */
    } else {
        ck_assert_str_eq(info.format, "text");
    }
    trace_close(t);
    unlink(path);
    flat_free(&f);
}
END_TEST

START_TEST(test_seek)
{
    struct flat f = {0};
    struct rng g;
    char path[256];
    struct trace_writer_options opt = {.block_records = 1000, .level = 1};
    struct trace *t;
    struct err e = {0};
    size_t *start; /* element of each record */

    rng_init(&g, 11, "seek");
    random_trace(&g, &f, 30000, 4);
    start = malloc(f.records * sizeof *start);
    for (size_t i = 0, k = 0; i < f.n; i += 1u + f.e[i].slots)
        if (f.e[i].kind)
            start[k++] = i;
    temp_name(path, sizeof path, _i & 1 ? ".mtt" : ".mtr");
    flat_write(&f, path, &opt, 2);
    struct trace_options to = {.ahead = _i & 2};
    ck_assert_int_eq(trace_open(&t, path, &to, &e), 0);
    for (int i = 0; i < (_i & 1 ? 20 : 300); i++) {
        uint64_t at = rng_below(&g, f.records + 2);
        struct trace_batch b;
        ck_assert_msg(trace_seek(t, at, &e) == 0, "%s", err_text(&e));
        int r = trace_next(t, &b, &e);
        if (at >= f.records) {
            ck_assert_int_eq(r, 0);
            continue;
        }
        ck_assert_int_eq(r, 1);
        ck_assert_uint_eq(b.first_record, at);
        ck_assert_mem_eq(b.rec, &f.e[start[at]], b.n * sizeof *b.rec);
    }
    /* To the end from the middle. */
    struct flat got = {0};
    ck_assert_int_eq(trace_seek(t, f.records / 2, &e), 0);
    ck_assert_int_eq(flat_read(&got, t, &e), 0);
    ck_assert_uint_eq(got.records, f.records - f.records / 2);
    flat_free(&got);
    trace_close(t);
    unlink(path);
    free(start);
    flat_free(&f);
}
END_TEST

/* A small file image with several blocks. */
static unsigned char *small_image(struct flat *f, size_t *n, size_t records)
{
    struct trace_writer_options opt = {.block_records = 60};
    struct rng g;
    char path[256];
    unsigned char *p;

    rng_init(&g, 5, "small");
    random_trace(&g, f, records, 3);
    temp_name(path, sizeof path, "-small.mtr");
    flat_write(f, path, &opt, 3);
    p = slurp(path, n);
    unlink(path);
    printf("test_mtr: %zu records in %zu bytes\n", f->records, *n);
    return p;
}

/* The records of `got` are the first ones of `want`. */
static void is_prefix(const struct flat *want, const struct flat *got)
{
    NEED(got->n <= want->n);
    if (got->n)
        NEED(!memcmp(want->e, got->e, got->n * sizeof *got->e));
}

START_TEST(test_truncation)
{
    struct flat f = {0};
    size_t n, most = 0;
    unsigned char *image = small_image(&f, &n, 400);

    for (size_t cut = 0; cut < n; cut++) {
        struct trace *t;
        struct flat got = {0};
        struct err e = {0};
        unsigned char *copy = malloc(cut + 1); /* its own, so that a sanitizer sees a read past the end */
        memcpy(copy, image, cut);
        int r = trace_open_memory(&t, copy, cut, NULL, &e);
        if (r == 0) {
            struct trace_info info;
            trace_get_info(t, &info);
            NEED(info.incomplete);
            r = flat_read(&got, t, &e);
            trace_close(t);
            is_prefix(&f, &got);
            NEED(got.records >= most); /* more bytes never give less */
            most = got.records;
            if (r < 0) {
                char said[64];
                snprintf(said, sizeof said, "record %zu (byte ", got.records);
                if (!strstr(e.message, said))
                    ck_abort_msg("%s", e.message);
            }
        }
        NEED(r == -1); /* a closed file that is cut off is an error, wherever */
        NEED(e.kind != ERR_NONE);
        NEED(e.message[0]);
        flat_free(&got);
        free(copy);
    }
    ck_assert_uint_eq(most, f.records);
    free(image);
    flat_free(&f);
}
END_TEST

/* The same file as it looks while it is written: what is complete is read, and it is said to be incomplete.
 */
START_TEST(test_truncation_live)
{
    struct flat f = {0};
    size_t n;
    unsigned char *image = small_image(&f, &n, 200);
    struct mtr_file_header h;
    char path[256];
    struct trace_writer_options opt = {.live = true, .block_records = 60};
    struct trace_writer *w;
    struct err e = {0};

    /* The header an open file has. */
    temp_name(path, sizeof path, "-live.mtr");
    ck_assert_int_eq(trace_writer_open_with(&w, path, &opt, &e), 0);
    ck_assert_int_ne(access(path, F_OK), 0); /* nothing worth the name yet */
    ck_assert_int_eq(trace_writer_show(w, &e), 0);
    size_t hn;
    unsigned char *live = slurp(path, &hn);
    ck_assert_uint_eq(hn, sizeof h);
    memcpy(image, live, hn);
    free(live);
    trace_writer_abort(w);
    ck_assert_int_ne(access(path, F_OK), 0);

    for (size_t cut = sizeof h; cut <= n; cut++) {
        struct trace *t;
        struct trace_info info;
        struct flat got = {0};
        NEED(trace_open_memory(&t, image, cut, NULL, &e) == 0);
        NEED(flat_read(&got, t, &e) == 0);
        trace_get_info(t, &info);
        NEED(info.incomplete == (cut < n)); /* with its index it is whole, whatever the header says */
        is_prefix(&f, &got);
        trace_close(t);
        flat_free(&got);
    }
    free(image);
    flat_free(&f);
}
END_TEST

START_TEST(test_live_growth)
{
    struct flat f = {0};
    struct rng g;
    char path[256];
    struct trace_writer_options opt = {.live = true};
    struct trace_writer *w;
    struct err e = {0};
    struct trace *t;
    struct trace_info info;
    struct flat got = {0};

    rng_init(&g, 8, "live");
    random_trace(&g, &f, 1000, 2);
    temp_name(path, sizeof path, ".mtr");
    ck_assert_int_eq(trace_writer_open_with(&w, path, &opt, &e), 0);
    ck_assert_int_eq(flat_put(&f, w, &g, &e), 0);
    ck_assert_int_eq(trace_writer_flush(w, &e), 0);
    ck_assert_int_eq(trace_open(&t, path, NULL, &e), 0);
    ck_assert_int_eq(flat_read(&got, t, &e), 0);
    flat_equal(&f, &got);
    trace_get_info(t, &info);
    NEED(info.incomplete);
    trace_close(t);
    flat_free(&got);
    ck_assert_int_eq(flat_put(&f, w, &g, &e), 0);
    ck_assert_int_eq(trace_writer_close(w, &e), 0);
    ck_assert_int_eq(trace_open(&t, path, NULL, &e), 0);
    trace_get_info(t, &info);
    ck_assert(!info.incomplete);
    ck_assert_uint_eq(info.records, 2 * f.records);
    trace_close(t);
    unlink(path);
    flat_free(&f);
}
END_TEST

/* Each byte of the file in turn is damaged: an error, or (in parts nobody needs) the right records. Never
 * wrong ones. */
START_TEST(test_corruption)
{
    struct flat f = {0};
    size_t n, errors = 0;
    unsigned char *image = small_image(&f, &n, 400);

    for (size_t at = 0; at < n; at++) {
        struct trace *t;
        struct flat got = {0};
        struct err e = {0};
        struct trace_options opt = {.format = "mtr"};
        image[at] ^= (unsigned char)(1u << (at & 7));
        int r = trace_open_memory(&t, image, n, &opt, &e);
        if (r == 0) {
            r = flat_read(&got, t, &e);
            trace_close(t);
            is_prefix(&f, &got);
            if (r < 0) {
                char said[64];
                snprintf(said, sizeof said, "record %zu (byte ", got.records);
                if (!strstr(e.message, said))
                    ck_abort_msg("%s", e.message);
            } else {
                flat_equal(&f, &got);
            }
        }
        errors += r < 0;
        image[at] ^= (unsigned char)(1u << (at & 7));
        flat_free(&got);
    }
    /* All but the trailer's and index's 24 + few bytes, which a whole file can do without. */
    ck_assert_uint_ge(errors, n - sizeof(struct mtr_trailer));
    free(image);
    flat_free(&f);
}
END_TEST

START_TEST(test_atomic)
{
    char path[256];
    struct trace_writer *w;
    struct err e = {0};
    struct trace_rec r = {.addr = 0x1000, .size = 4, .kind = TRACE_LOAD}, bad = {.kind = 200};

    temp_name(path, sizeof path, "-atomic.mtr");
    ck_assert_int_eq(trace_writer_open(&w, path, &e), 0);
    ck_assert_int_eq(trace_writer_put(w, 0, 0, &r, 1, &e), 0);
    ck_assert_int_ne(access(path, F_OK), 0); /* not there before it is whole */
    trace_writer_abort(w);
    ck_assert_int_ne(access(path, F_OK), 0);

    ck_assert_int_eq(trace_writer_open(&w, path, &e), 0);
    ck_assert_int_eq(trace_writer_put(w, 0, 0, &r, 1, &e), 0);
    ck_assert_int_eq(trace_writer_put(w, 0, 0, &bad, 1, &e), -1);
    ck_assert_msg(strstr(e.message, "record 1") && strstr(e.message, "unknown"), "%s", e.message);
    ck_assert_int_eq(trace_writer_close(w, &e), -1);
    ck_assert_int_ne(access(path, F_OK), 0);

    ck_assert_int_eq(trace_writer_open(&w, "x.foo", &e), -1);
    ck_assert_int_eq(e.kind, ERR_USAGE);
    ck_assert_int_eq(trace_writer_open(&w, "/nonexistent/x.mtr", &e), -1);
}
END_TEST

/* Instructions: FETCHes, references of threads that never fetched, and INSNS; also across block ends. */
START_TEST(test_counts)
{
    char path[256];
    struct trace_writer_options opt = {.block_records = 2};
    struct flat f = {0};
    struct trace *t;
    struct trace_info info;
    struct err e = {0};
    struct trace_rec load = {.addr = 64, .size = 8, .kind = TRACE_LOAD},
                     fetch = {.addr = 4, .size = 4, .kind = TRACE_FETCH},
                     line = {.addr = 0, .size = 4096, .kind = TRACE_FETCH},
                     skip = {.addr = 1000, .kind = TRACE_INSNS};

    flat_add(&f, 0, 0, &load, 1);  /* a reference, no instruction: only FETCH and INSNS count as such */
    flat_add(&f, 0, 0, &fetch, 1); /* 1 */
    for (int i = 0; i < 5; i++)
        flat_add(&f, 0, 0, &load, 1);
    flat_add(&f, 0, 1, &load, 1);
    flat_add(&f, 0, 1, &line, 1); /* 2: a FETCH too large for a node */
    flat_add(&f, 0, 1, &load, 1);
    flat_add(&f, 0, 0, &skip, 1); /* 1002 */
    temp_name(path, sizeof path, ".mtr");
    flat_write(&f, path, &opt, 1);
    ck_assert_int_eq(trace_open(&t, path, NULL, &e), 0);
    trace_get_info(t, &info);
    ck_assert_uint_eq(info.insns, 1002);
    ck_assert_uint_eq(info.refs, 10);
    ck_assert_uint_eq(info.threads, 2);
    ck_assert_uint_eq(info.processes, 1);
    ck_assert(info.has_fetch && !info.has_regs);
    trace_close(t);
    read_and_compare(&f, path, false);
    unlink(path);
    flat_free(&f);
}
END_TEST

/* The recorded traces: the same hash in the original, .mtr and text; size and content as promised. */
START_TEST(test_recorded)
{
    static const char *const names[] = {"cc1", "chase", "gzip", "python3", "sort", "sqlite3"};
    const char *data = getenv("MMULAB_DATA");
    char path[512], out[256];
    struct err e = {0};
    struct trace *t;
    struct trace_batch b;
    struct trace_writer *w;
    struct trace_info info;
    uint64_t h0, h1 = 0;
    size_t bytes;
    int r;

    snprintf(path, sizeof path, "%s/traces/user/%s.lackey.zst", data ? data : MMULAB_SOURCE_DIR "/../shared",
             names[_i]);
    if (access(path, R_OK)) {
        printf("test_mtr: %s is not there: skipped\n", path);
        return;
    }
    temp_name(out, sizeof out, ".mtr");
    ck_assert_msg(trace_hash(path, &h0, &e) == 0, "%s", err_text(&e));
    ck_assert_int_eq(trace_open(&t, path, NULL, &e), 0);
    ck_assert_int_eq(trace_writer_open(&w, out, &e), 0);
    while ((r = trace_next(t, &b, &e)) > 0)
        NEED(trace_writer_put(w, b.process, b.thread, b.rec, b.n, &e) == 0);
    ck_assert_int_eq(r, 0);
    trace_close(t);
    ck_assert_int_eq(trace_writer_close(w, &e), 0);
    free(slurp(out, &bytes));

    /* Not trace_hash, which would believe the index. */
    struct trace_hasher *h = trace_hasher_new();
    struct trace_options opt = {.ahead = true};
    ck_assert_int_eq(trace_open(&t, out, &opt, &e), 0);
    trace_get_info(t, &info);
    while ((r = trace_next(t, &b, &e)) > 0)
        trace_hasher_put(h, b.process, b.thread, b.rec, b.n);
    ck_assert_int_eq(r, 0);
    h1 = trace_hasher_value(h);
    trace_hasher_free(h);
    trace_close(t);
    ck_assert_uint_eq(h0, h1);
    ck_assert_uint_eq(h0, info.hash);
    ck_assert_msg((double)bytes <= 0.3 * (double)info.refs, "%zu bytes for %llu references", bytes,
                  (unsigned long long)info.refs);
    unlink(out);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("mtr");
    TCase *t = tcase_create("mtr");
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, test_round_trip, 0, 12);
    tcase_add_loop_test(t, test_seek, 0, 4);
    tcase_add_test(t, test_truncation);
    tcase_add_test(t, test_truncation_live);
    tcase_add_test(t, test_live_growth);
    tcase_add_test(t, test_corruption);
    tcase_add_test(t, test_atomic);
    tcase_add_test(t, test_counts);
    tcase_add_loop_test(t, test_recorded, 0, 6);
    suite_add_tcase(s, t);
    return run_suite(s);
}
