/* Decompressed bytes: every compression, in several pieces, cut off and damaged. */
#include "test_mtr_util.h"

#include <bzlib.h>
#include <lzma.h>
#include <sys/stat.h>
#include <zlib.h>
#include <zstd.h>

enum { NONE, ZSTD, XZ, GZIP, BZIP2, FORMS };
static const char *const names[] = {"none", "zstd", "xz", "gzip", "bzip2"};

/* One member (frame, stream) holding p[0, n); appended to out at *at. */
static void pack(int form, const unsigned char *p, size_t n, unsigned char *out, size_t cap, size_t *at)
{
    if (form == NONE) {
        memcpy(out + *at, p, n);
        *at += n;
    } else if (form == ZSTD) {
        size_t k = ZSTD_compress(out + *at, cap - *at, p, n, 1);
        NEED(!ZSTD_isError(k));
        *at += k;
    } else if (form == XZ) {
        NEED(lzma_easy_buffer_encode(0, LZMA_CHECK_CRC32, NULL, p, n, out, at, cap) == LZMA_OK);
    } else if (form == GZIP) {
        z_stream z = {.next_in = (Bytef *)(uintptr_t)p,
                      .avail_in = (unsigned)n,
                      .next_out = out + *at,
                      .avail_out = (unsigned)(cap - *at)};
        NEED(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
        NEED(deflate(&z, Z_FINISH) == Z_STREAM_END);
        *at += z.total_out;
        deflateEnd(&z);
    } else {
        unsigned k = (unsigned)(cap - *at);
        NEED(BZ2_bzBuffToBuffCompress((char *)out + *at, &k, (char *)(uintptr_t)p, (unsigned)n, 1, 0, 0) ==
             BZ_OK);
        *at += k;
    }
}

static unsigned char *plain_bytes(size_t n)
{
    unsigned char *p = malloc(n);
    struct rng g;

    rng_init(&g, 3, "bytes");
    for (size_t i = 0; i < n; i++)
        p[i] = rng_below(&g, 20) ? (unsigned char)('a' + rng_below(&g, 3)) : '\n';
    return p;
}

START_TEST(test_forms)
{
    size_t n = 3000000, cap = n * 2, at = 0, got = 0;
    unsigned char *p = plain_bytes(n), *out = malloc(cap);
    struct trace_input *in;
    struct err e = {0};
    struct rng g;
    int r = 1;

    pack(_i, p, n / 3, out, cap, &at);
    pack(_i, p + n / 3, 0, out, cap, &at); /* an empty member in the middle */
    pack(_i, p + n / 3, n - n / 3, out, cap, &at);
    ck_assert_int_eq(trace_input_open_memory(&in, out, at, "memory", &e), 0);
    ck_assert_str_eq(trace_input_compression(in), names[_i]);
    rng_init(&g, 4, "read");
    for (int pass = 0; pass < 2; pass++) {
        for (got = 0;;) {
            size_t want = 1 + rng_below(&g, rng_below(&g, 10) ? 5000 : 2000000), have;
            r = trace_input_fill(in, want, &e);
            have = trace_input_avail(in);
            NEED(trace_input_pos(in) == got);
            NEED((r == 1 && have >= want) || (r == 0 && have == n - got && have < want));
            have = have < want ? have : want;
            NEED(!memcmp(in->p, p + got, have));
            trace_input_consume(in, have);
            got += have;
            if (!r)
                break;
        }
        ck_assert_uint_eq(got, n);
        ck_assert_int_eq(trace_input_seek(in, 0, &e), 0);
    }
    /* Lines. */
    const char *line;
    size_t len;
    for (got = 0; (r = trace_input_line(in, &line, &len, &e)) > 0; got += len + 1) {
        NEED(!memcmp(line, p + got, len) && (got + len == n || p[got + len] == '\n'));
        NEED(line[len] == '\n' || line[len] == 0);
    }
    ck_assert_int_eq(r, 0);
    ck_assert(got == n || got == n + 1);
    if (_i == NONE) {
        ck_assert_uint_eq(trace_input_size(in), n);
        ck_assert_int_eq(trace_input_seek(in, 12345, &e), 0);
        ck_assert_int_eq(trace_input_fill(in, 10, &e), 1);
        ck_assert_mem_eq(in->p, p + 12345, 10);
    } else {
        ck_assert_uint_eq(trace_input_size(in), UINT64_MAX);
    }
    trace_input_close(in);
    free(p);
    free(out);
}
END_TEST

/* Cut off anywhere: an error (except between members), and what was given before is right. */
START_TEST(test_cut)
{
    size_t n = 4000, cap = 20000, at = 0, first;
    unsigned char *p = plain_bytes(n), *out = malloc(cap);

    pack(_i, p, n / 2, out, cap, &at);
    first = at;
    pack(_i, p + n / 2, n / 2, out, cap, &at);
    for (size_t cut = 10; cut < at; cut++) {
        struct trace_input *in;
        struct err e = {0};
        unsigned char *copy = malloc(cut);
        memcpy(copy, out, cut);
        NEED(trace_input_open_memory(&in, copy, cut, "memory", &e) == 0);
        int r = trace_input_fill(in, n + 1, &e); /* the cut may be behind the last byte, in the checksum */
        if (cut == first)
            NEED(r == 0 && trace_input_avail(in) == n / 2);
        else if (r != -1 || !strstr(e.message, names[_i]) || strcmp(e.file, "memory"))
            ck_abort_msg("cut at %zu of %zu: %d, %s", cut, at, r, e.message);
        NEED(!memcmp(in->p, p, trace_input_avail(in)));
        NEED(trace_input_fill(in, n + 1, &e) == r); /* it stays so */
        trace_input_close(in);
        free(copy);
    }
    free(p);
    free(out);
}
END_TEST

START_TEST(test_damage)
{
    size_t n = 4000, cap = 20000, at = 0, errors = 0;
    unsigned char *p = plain_bytes(n), *out = malloc(cap);

    pack(_i, p, n, out, cap, &at);
    for (size_t i = 10; i < at; i++) {
        struct trace_input *in;
        struct err e = {0};
        out[i] ^= 0x41;
        NEED(trace_input_open_memory(&in, out, at, "memory", &e) == 0);
        errors += trace_input_fill(in, n + 1, &e) < 0;
        trace_input_close(in);
        out[i] ^= 0x41;
    }
    ck_assert_uint_gt(errors, 0);
    free(p);
    free(out);
}
END_TEST

/* A trace through each compression, with the decoding thread and without. */
START_TEST(test_trace)
{
    struct flat f = {0};
    struct rng g;
    char path[256];
    struct trace_writer_options opt = {.block_records = 700};
    size_t n, cap, at = 0;

    rng_init(&g, 21, "compressed");
    random_trace(&g, &f, 5000, 3);
    temp_name(path, sizeof path, _i & 1 ? "-c.mtt" : "-c.mtr");
    flat_write(&f, path, &opt, 1);
    unsigned char *p = slurp(path, &n);
    unlink(path);
    cap = 2 * n + 10000;
    unsigned char *out = malloc(cap);
    pack(_i / 2, p, n, out, cap, &at);
    for (int ahead = 0; ahead < 2; ahead++) {
        struct trace_options to = {.ahead = ahead};
        struct flat got = {0};
        struct trace *t;
        struct err e = {0};
        ck_assert_msg(trace_open_memory(&t, out, at, &to, &e) == 0, "%s", err_text(&e));
        for (int pass = 0; pass < 2; pass++) {
            ck_assert_msg(flat_read(&got, t, &e) == 0, "%s", err_text(&e));
            flat_equal(&f, &got);
            flat_free(&got);
            ck_assert_int_eq(trace_seek(t, 0, &e), 0);
        }
        trace_close(t);
    }
    free(p);
    free(out);
    flat_free(&f);
}
END_TEST

START_TEST(test_open)
{
    struct trace *t;
    struct err e = {0};
    char folder[256]; /* one's own: files come and go in the common one */

    temp_name(folder, sizeof folder, ".folder");
    ck_assert_int_eq(mkdir(folder, 0700), 0);
    ck_assert_int_eq(trace_open(&t, "/nonexistent", NULL, &e), -1);
    ck_assert_int_eq(e.kind, ERR_USAGE);
    ck_assert_int_eq(trace_open(&t, folder, NULL, &e), -1);
    ck_assert_int_eq(rmdir(folder), 0);
    ck_assert_msg(strstr(e.message, "folder") != NULL, "%s", e.message);
    ck_assert_int_eq(trace_open_memory(&t, "", 0, NULL, &e), -1);
    ck_assert_msg(strstr(e.message, "empty") != NULL, "%s", e.message);
    struct trace_options opt = {.format = "elf"};
    ck_assert_int_eq(trace_open_memory(&t, "abc", 3, &opt, &e), -1);
    ck_assert_int_eq(e.kind, ERR_USAGE);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("input");
    TCase *t = tcase_create("input");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, test_forms, 0, FORMS);
    tcase_add_loop_test(t, test_cut, ZSTD, FORMS);
    tcase_add_loop_test(t, test_damage, ZSTD, FORMS);
    tcase_add_loop_test(t, test_trace, 0, 2 * FORMS);
    tcase_add_test(t, test_open);
    suite_add_tcase(s, t);
    return run_suite(s);
}
