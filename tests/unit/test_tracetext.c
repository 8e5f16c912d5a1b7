/* The text form: what a person writes, what they get wrong, and that nothing is lost through it. */
#include "test_mtr_util.h"

#include "traces/native/text.h"

static const char example[] = "# mmulab trace 1\n"
                              "# a small program, by hand\n"
                              "file 1 \"/bin/pro\\\"gram\"\n"
                              "segment 400000 5 length=0x2000 offset=0 file_id=1\n"
                              "  segment\t0x7ffe0000 3 0x21000 0 0 anon stack   # the stack\n"
                              "I 401000 4\n"
                              " L 7ffe0ff8 8\n"
                              "I 0x401004 4 kernel\n"
                              "S DEADBEEF 2\n"
                              "\n"
                              "mmap 0 length=8192 prot=3 flags=34 fd=-1 offset=0 result=0x7f0000 file_id=0\n"
                              "munmap 7f0000 4096 0\r\n"
                              "brk 0 -12 failed\n"
                              "fork 1 1\n"
                              "T 1 1\n"
                              "branch 401000 taken cond\n"
                              "malloc 5000 16 size=100\n"
                              "cache_alloc ffff888000001000 192 192 0xcc0 0xffffffff81000000 \"dentry\"\n"
                              "exec 401000 path=\"/bin/ls\"\n"
                              "exit 0 1\n"
                              "mark 7 \"half\\x20way\"";

static void parse(const char *text, struct flat *f, struct err *e, int *r)
{
    struct trace_options opt = {.format = "text"};
    struct trace *t;

    *r = trace_open_memory(&t, text, strlen(text), &opt, e);
    if (*r == 0) {
        *r = flat_read(f, t, e);
        trace_close(t);
    }
}

START_TEST(test_example)
{
    struct flat f = {0};
    struct err e = {0};
    struct trace_rec *p;
    size_t len;
    int r;

    parse(example, &f, &e, &r);
    ck_assert_msg(r == 0, "%s", err_text(&e));
    ck_assert_uint_eq(f.records, 17);
    p = f.e + 1;
    ck_assert_uint_eq(p->kind, TRACE_FILEID);
    ck_assert_uint_eq(p->addr, 1);
    ck_assert_int_eq(strncmp(trace_rec_string(p, &len), "/bin/pro\"gram", 13), 0);
    ck_assert_uint_eq(len, 13);
    p += 1 + p->slots;
    ck_assert_uint_eq(p->addr, 0x400000);
    ck_assert_uint_eq(p->size, 5);
    ck_assert_uint_eq(((union trace_slot *)p)[1].u[0], 0x2000);
    ck_assert_uint_eq(((union trace_slot *)p)[2].u[0], 1);
    p += 1 + p->slots;
    ck_assert_uint_eq(p->flags, TRACE_F_ANON | TRACE_F_STACK);
    ck_assert_uint_eq(((union trace_slot *)p)[1].u[0], 0x21000);
    p += 1 + p->slots;
    ck_assert_uint_eq(p[0].addr, 0x401000);
    ck_assert_uint_eq(p[1].kind, TRACE_LOAD);
    ck_assert_uint_eq(p[2].flags, TRACE_F_KERNEL);
    ck_assert_uint_eq(p[3].addr, 0xdeadbeef);
    p += 4;
    ck_assert_uint_eq(((union trace_slot *)p)[2].u[1], UINT64_MAX);
    p += 1 + p->slots;
    p += 1 + p->slots;
    ck_assert_uint_eq(p->kind, TRACE_BRK);
    ck_assert_uint_eq(p->flags, TRACE_F_FAILED);
    ck_assert_uint_eq(((union trace_slot *)p)[1].u[0], (uint64_t)-12);
    p += 1 + p->slots;
    p++;
    ck_assert_uint_eq(p->kind, 0); /* T 1 1 */
    ck_assert_uint_eq(p->addr, 1ull << 32 | 1);
    p++;
    ck_assert_uint_eq(p->flags, TRACE_F_TAKEN | TRACE_F_COND);
    p++;
    ck_assert_uint_eq(p->size, 16);
    ck_assert_uint_eq(((union trace_slot *)p)[1].u[0], 100);
    p += 1 + p->slots;
    ck_assert_int_eq(strncmp(trace_rec_string(p, &len), "dentry", 6), 0);
    ck_assert_uint_eq(len, 6);
    for (size_t i = 1; i < f.n; i += 1u + f.e[i].slots)
        ck_assert(!f.e[i].kind || !trace_rec_problem(&f.e[i], f.n - i));
    flat_free(&f);
}
END_TEST

/* The example of docs/trace-format.md. */
START_TEST(test_sample)
{
    struct trace *t;
    struct flat f = {0};
    struct err e = {0};

    ck_assert_msg(trace_open(&t, MMULAB_SOURCE_DIR "/traces/samples/fork.mtt", NULL, &e) == 0, "%s",
                  err_text(&e));
    ck_assert_msg(flat_read(&f, t, &e) == 0, "%s", err_text(&e));
    ck_assert_uint_eq(f.records, 15);
    trace_close(t);
    flat_free(&f);
}
END_TEST

START_TEST(test_errors)
{
    static const struct {
        const char *line, *says;
    } bad[] = {
        {"X 1000 4", "unknown kind \"X\""},
        {"L", "needs a first argument"},
        {"L zz 4", "not a number"},
        {"L 1000", "needs a second argument"},
        {"L 1000 4 4", "too many values"},
        {"L 11112222333344445 4", "does not fit 64 bits"},
        {"L 1000 4294967296", "does not fit 32 bits"},
        {"L 1000 0x", "not a number"},
        {"L 1000 4 sideways", "no flag \"sideways\""},
        {"brk 0", "lacks result"},
        {"brk 0 result=1 result=2", "given twice"},
        {"brk 0 1 2", "too many values"},
        {"brk 0 foo=1", "no field \"foo\""},
        {"mark 1", "lacks text"},
        {"mark 1 \"x", "does not end"},
        {"mark 1 \"\\q\"", "bad backslash"},
        {"mark 1 \"\\x00\"", "zero byte"},
        {"mark 1 \"a\" \"b\"", "second string"},
        {"L 1000 4 \"a\"", "no string"},
        {"\"a\"", "stands alone"},
        {"T 1", "process and a thread"},
        {"T -1 0", "process and a thread"},
        {"T 1 2 3", "process and a thread"},
        {"L 1000 4 rflags=256", "8 bits"},
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[256];
        struct flat f = {0};
        struct err e = {0};
        int r;
        snprintf(text, sizeof text, "# mmulab trace 1\nL 1000 4\n\n%s\nL 2000 4\n", bad[i].line);
        parse(text, &f, &e, &r);
        ck_assert_msg(r == -1, "taken: %s", bad[i].line);
        ck_assert_msg(strstr(e.message, bad[i].says) != NULL, "%s: %s", bad[i].line, e.message);
        ck_assert_msg(strstr(e.message, bad[i].line) != NULL, "%s: %s", bad[i].line, e.message);
        ck_assert_uint_eq(e.line, 4);
        ck_assert_msg(strstr(e.message, "record 1 (byte 27): ") == e.message, "%s", e.message);
        ck_assert_uint_eq(f.records, 1); /* what came before is good */
        flat_free(&f);
    }
    struct err e = {0};
    struct trace *t;
    ck_assert_int_eq(trace_open_memory(&t, "# mmulab trace 2\n", 17, NULL, &e), -1);
    ck_assert_msg(strstr(e.message, "version 2") != NULL, "%s", e.message);
    char *lng = malloc(TRACE_LINE_MAX + 100);
    memset(lng, 'a', TRACE_LINE_MAX + 99);
    lng[TRACE_LINE_MAX + 99] = 0;
    struct flat f = {0};
    int r;
    parse(lng, &f, &e, &r);
    ck_assert_int_eq(r, -1);
    ck_assert_msg(strstr(e.message, "longer than") != NULL, "%s", e.message);
    free(lng);
}
END_TEST

/* Numbers have their thousands marked, wherever the record is: in the first batch, in a later one, after a seek. */
START_TEST(test_positions)
{
    enum { RECORDS = 81204, HEAD = 17, LINE = 9, MARK = 80000 };
    char *text = malloc(HEAD + RECORDS * LINE + 100), *p = text;
    struct flat f = {0};
    struct err e = {0};
    struct trace *t;
    struct trace_batch b;
    int r;

    p = stpcpy(p, "# mmulab trace 1\n");
    for (int i = 0; i < RECORDS; i++) /* one with a payload, which counts once */
        p = stpcpy(p, i == MARK ? "mark 1 \"a long text, and more\"\n" : "L 1000 4\n");
    stpcpy(p, "L 1000 x\n");
    parse(text, &f, &e, &r);
    ck_assert_int_eq(r, -1);
    ck_assert_uint_eq(f.records, RECORDS);
    ck_assert_msg(strstr(e.message, "record 81,204 (byte 730,875): ") == e.message, "%s", e.message);
    ck_assert_uint_eq(e.line, RECORDS + 2);
    for (int ahead = 0; ahead < 2; ahead++) {
        struct trace_options opt = {.ahead = ahead};
        ck_assert_int_eq(trace_open_memory(&t, text, strlen(text), &opt, &e), 0);
        ck_assert_int_eq(trace_seek(t, 81200, &e), 0);
        while ((r = trace_next(t, &b, &e)) > 0)
            continue;
        ck_assert_int_eq(r, -1);
        ck_assert_msg(strstr(e.message, "record 81,204 (byte 730,875): ") == e.message, "%s", e.message);
        trace_close(t);
    }
    free(text);
    flat_free(&f);
}
END_TEST

START_TEST(test_truncation)
{
    struct flat whole = {0};
    struct err e = {0};
    int r;

    parse(example, &whole, &e, &r);
    for (size_t cut = 0; cut < sizeof example - 1; cut++) {
        char *copy = malloc(cut + 1);
        struct flat f = {0};
        memcpy(copy, example, cut);
        copy[cut] = 0;
        e = (struct err){0};
        parse(copy, &f, &e, &r);
        if (r < 0)
            ck_assert_msg(e.message[0] && (e.line || !cut), "cut at %zu: %s", cut, e.message);
        ck_assert_uint_le(f.records, whole.records);
        free(copy);
        flat_free(&f);
    }
    flat_free(&whole);
}
END_TEST

/* Every kind by itself, at its limits. (Random traces through text: test_mtr.) */
START_TEST(test_kinds)
{
    struct rng g;
    struct trace_rec *r = malloc((2 + TRACE_PAYLOAD_SLOTS_MAX) * sizeof *r);

    rng_init(&g, 77, "kinds");
    for (int i = 0; i < 3000; i++) {
        struct flat f = {0}, got = {0};
        struct err e = {0};
        char path[256];
        size_t n, k = random_record(&g, r);
        int res;
        flat_add(&f, (uint32_t)(i % 3), (uint32_t)(i % 2), r, k);
        temp_name(path, sizeof path, "-kind.txt");
        struct trace_writer *w;
        struct trace_writer_options live = {.live = true};
        NEED(trace_writer_open_with(&w, path, &live, &e) == 0);
        NEED(trace_writer_put(w, (uint32_t)(i % 3), (uint32_t)(i % 2), r, k, &e) == 0);
        NEED(trace_writer_flush(w, &e) == 0);
        char *text = (char *)slurp(path, &n);
        trace_writer_abort(w);
        text[n] = 0;
        NEED(!memcmp(text, TEXT_HEADER, strlen(TEXT_HEADER)));
        parse(text, &got, &e, &res);
        ck_assert_msg(res == 0, "%s", err_text(&e));
        flat_equal(&f, &got);
        free(text);
        flat_free(&f);
        flat_free(&got);
    }
    free(r);
}
END_TEST

/* kinds.c restates the payload lists of TRACE_KINDS: they must agree. */
START_TEST(test_shapes)
{
    static const struct {
        uint8_t kind;
        const char *name, *fields, *size;
    } kinds[] = {
#define X(name, value, text, a, s, p) {value, text, p, s},
        TRACE_KINDS(X)
#undef X
    };

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const struct trace_shape *s = trace_kind_shape(kinds[i].kind);
        char joined[200] = "";
        ck_assert_ptr_nonnull(s);
        ck_assert_str_eq(s->name, kinds[i].name);
        for (unsigned w = 0; w < s->words + (unsigned)s->string; w++) {
            strcat(joined, w ? " " : "");
            strcat(joined, s->field[w]);
        }
        ck_assert_str_eq(joined, kinds[i].fields);
        ck_assert_msg(s->size == (kinds[i].size[0] != 0), "%s", s->name);
    }
    ck_assert_ptr_null(trace_kind_shape(0));
    ck_assert_ptr_null(trace_kind_name(255));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("tracetext");
    TCase *t = tcase_create("tracetext");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, test_example);
    tcase_add_test(t, test_sample);
    tcase_add_test(t, test_errors);
    tcase_add_test(t, test_positions);
    tcase_add_test(t, test_truncation);
    tcase_add_test(t, test_kinds);
    tcase_add_test(t, test_shapes);
    suite_add_tcase(s, t);
    return run_suite(s);
}
