/*
 * A small file of every form that is read, cut at every byte: either an error that tells record and byte, or a result
 * that is marked incomplete, or the cut lies between two records, where nothing can tell. What was read before is the
 * beginning of what the whole file gives.
 */
#include "readers_util.h"
#include "traces/readers/maps.h"

#define CORPUS(name) MMULAB_SOURCE_DIR "/tests/fuzz/corpus/" name

/* Whether nothing in a file of n bytes can tell that it was cut there. */
typedef bool boundary(const unsigned char *p, size_t n);

static bool never(const unsigned char *p, size_t n)
{
    (void)p, (void)n;
    return false;
}

static bool line(const unsigned char *p, size_t n)
{
    return n && p[n - 1] == '\n';
}

static bool champsim_record(const unsigned char *p, size_t n)
{
    (void)p;
    return n % 64 == 0;
}

static bool gem5_message(const unsigned char *p, size_t n)
{
    size_t at = 4;
    unsigned messages = 0;
    for (; at < n; messages++)
        at += 1u + p[at]; /* lengths below 128 */
    return at == n && messages;
}


static void cut_at(const char *path, const char *format, const unsigned char *buf, size_t n, boundary *between,
                   const struct read *all)
{
    struct trace_options opt = {.format = format};
    struct trace *t;
    struct err err = {0};
    char *copy = malloc(n + 1); /* exactly so long, so that a sanitizer sees what is read behind it */
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, buf, n);
    if (trace_open_memory(&t, copy, n, &opt, &err) < 0) {
        ck_assert_msg(err.message[0] != 0, "%s cut at %zu: an error without words", path, n);
        free(copy);
        return;
    }
    struct read r = read_trace(t);
    struct trace_info info;
    trace_get_info(t, &info);
    /* The last record of a line that was cut may be another (a size with fewer digits), and of ChampSim's and drmemtrace's
     * last instruction the next one tells size or target: three records. */
    bool next_tells = !strcmp(format, "champsim") || !strcmp(format, "drmemtrace");
    size_t sure = r.status < 0 && !next_tells ? r.n : r.n > 3 ? r.n - 3 : 0;
    if (r.status == 0 && between == line && line(buf, n))
        sure = r.n;
    ck_assert_msg(r.n <= all->n, "%s cut at %zu: more records", path, n);
    ck_assert_msg(sure == 0 || !memcmp(r.rec, all->rec, sure * sizeof *r.rec), "%s cut at %zu: other records", path, n);
    if (r.status < 0)
        ck_assert_msg(strstr(r.err.message, "record ") == r.err.message && strstr(r.err.message, "(byte "),
                      "%s cut at %zu: %s", path, n, r.err.message);
    else
        ck_assert_msg(info.incomplete || between(buf, n), "%s cut at %zu: taken for a whole file", path, n);
    if (info.incomplete)
        ck_assert_msg(info.why && info.why[0], "%s cut at %zu: incomplete, but why?", path, n);
    read_free(&r);
    trace_close(t);
    free(copy);
}

static void every_byte(const char *path, const char *format, boundary *between)
{
    size_t n;
    char *buf = slurp(path, &n);
    struct read all = read_memory(buf, n, format);
    ck_assert_msg(all.status == 0, "%s: %s", path, all.err.message);
    ck_assert_uint_lt(n, 200000);
    for (size_t k = 0; k < n; k++)
        cut_at(path, format, (const unsigned char *)buf, k, between, &all);
    read_free(&all);
    free(buf);
}

START_TEST(text_forms)
{
    every_byte(CORPUS("din/traditional"), "din", line);
    every_byte(CORPUS("din/extended"), "din", line);
    every_byte(CORPUS("pin/small"), "pin", line);
    every_byte(CORPUS("pin/forms"), "pin", line);
    every_byte(CORPUS("lackey/threads"), "lackey", line);
    every_byte(CORPUS("lackey/small"), "lackey", line);
    every_byte(CORPUS("tracetext/all.txt"), "text", line);
    every_byte(CORPUS("qtrace/all"), "qtrace", line);
    every_byte(CORPUS("ramulator/cpu"), "ramulator", line);
    every_byte(CORPUS("ramulator/memory"), "ramulator", line);
    every_byte(CORPUS("ramulator/loadstore"), "ramulator", line);
    every_byte(CORPUS("ramulator/readwrite"), "ramulator", line);
    every_byte(CORPUS("dramsim3/all"), "dramsim3", line);
}
END_TEST

START_TEST(binary_forms)
{
    every_byte(CORPUS("mtr/all.mtr"), "mtr", never);
    every_byte(CORPUS("mtr/threads.mtr"), "mtr", never);
    every_byte(CORPUS("champsim/small"), "champsim", champsim_record);
    every_byte(CORPUS("drmemtrace/all"), "drmemtrace", never); /* a footer ends it */
    every_byte(CORPUS("drmemtrace/i386"), "drmemtrace", never);
    every_byte(CORPUS("gem5/all"), "gem5", gem5_message);
}
END_TEST

START_TEST(containers)
{
    every_byte(CORPUS("drmemtrace/all.gz"), "drmemtrace", never);
    every_byte(CORPUS("drmemtrace/chunks.zip"), "drmemtrace", never);
    every_byte(CORPUS("din/extended.zst"), "din", never);
    every_byte(CORPUS("din/extended.xz"), "din", never);
    every_byte(CORPUS("din/extended.bz2"), "din", never);
    every_byte(CORPUS("din/extended.gz"), "din", never);
}
END_TEST

/* A last line without line end: taken if it is one, and told. */
START_TEST(last_line)
{
    static const struct {
        const char *format, *text;
        uint64_t records;
    } cases[] = {{"din", "r 1000 8\nr 1008 8", 2},
                 {"pin", "0x1: R 0x10\n0x2", 3},
                 {"text", "# mmulab trace 1\nI 1000 4\nL 20 8", 2},
                 {"ramulator", "LD 0x10\nST 0x20", 2},
                 {"dramsim3", "0x10 READ 1\n0x20 READ 1", 3},
                 {"qtrace", "T 0\nI  1000,4\n L 20,8", 2}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int end = 0; end < 2; end++) {
            struct trace_options opt = {.format = cases[i].format};
            char text[128];
            struct trace *t;
            struct trace_info info;
            struct err err = {0};
            snprintf(text, sizeof text, "%s%s", cases[i].text, end ? "\n" : "");
            ck_assert_int_eq(trace_open_memory(&t, text, strlen(text), &opt, &err), 0);
            for (int pass = 0; pass < 2; pass++) {
                struct read r = read_trace(t);
                ck_assert_msg(r.status == 0, "%s: %s", cases[i].format, r.err.message);
                ck_assert_uint_eq(r.records, cases[i].records);
                trace_get_info(t, &info);
                ck_assert_msg(info.incomplete == !end, "%s, %s line end", cases[i].format, end ? "with" : "without");
                read_free(&r);
                ck_assert_int_eq(trace_rewind(t, &err), 0);
            }
            trace_close(t);
        }
}
END_TEST

START_TEST(maps)
{
    static const char *const files[] = {CORPUS("maps/proc"), CORPUS("maps/valgrind")};
    for (size_t f = 0; f < 2; f++) {
        size_t n;
        char *buf = slurp(files[f], &n);
        for (size_t k = 0; k < n; k++) {
            struct trace_input *in;
            struct trace_maps m;
            struct err err = {0};
            ck_assert_int_eq(trace_input_open_memory(&in, buf, k, "maps", &err), 0);
            if (trace_maps_read(&m, in, &err) == 0) {
                ck_assert_msg(m.unended || k == 0 || buf[k - 1] == '\n', "%s cut at %zu", files[f], k);
                trace_maps_free(&m);
            } else {
                ck_assert_int_ne(err.message[0], 0);
                ck_assert_uint_ne(err.line, 0);
            }
            trace_input_close(in);
        }
        free(buf);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("truncation");
    TCase *tc = tcase_create("all");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, text_forms);
    tcase_add_test(tc, binary_forms);
    tcase_add_test(tc, containers);
    tcase_add_test(tc, last_line);
    tcase_add_test(tc, maps);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
