/* Result folders: exact JSON, series, replacement, and no half file whatever happens. */
#include "result_synthetic.h"
#include "scratch.h"

#include "app/result/json/result_json.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

static char *in(const char *name)
{
    static char path[32][256];
    static unsigned next;
    char *p = path[next++ % 32];
    snprintf(p, 256, "%s/%s", folder, name);
    return p;
}

static char *read_file(const char *path)
{
    FILE *f = fopen(path, "r");
    if (!f)
        return NULL;
    char *text = calloc(1, 1 << 20);
    size_t n = fread(text, 1, (1 << 20) - 1, f);
    text[n] = '\0';
    fclose(f);
    return text;
}

static void put_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

static bool exists(const char *path) { return !access(path, F_OK); }

/* Entries that are not "." and "..": how many, and how many of them are temporaries. */
static unsigned entries(const char *path, unsigned *temporaries)
{
    unsigned n = 0, tmp = 0;
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
        tmp += strstr(e->d_name, "tmp") != NULL;
    }
    if (d)
        closedir(d);
    if (temporaries)
        *temporaries = tmp;
    return n;
}

static char *json_text(void (*write)(struct json_out *))
{
    char *text;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    struct json_out j;
    json_out_init(&j, f, true);
    json_begin_object(&j, NULL);
    write(&j);
    json_end_document(&j);
    fclose(f);
    return text;
}

static void write_values(struct json_out *j)
{
    json_u64(j, "big", UINT64_MAX);
    json_u64(j, "odd", 9007199254740993u); /* 2^53 + 1: no double holds it */
    json_i64(j, "low", INT64_MIN);
    json_hex(j, "va", 0xffff800000000000u);
    json_str(j, "s", "a\"b\\c\n\x01\xff\xe2\x82\xac");
    json_str(j, "none", NULL);
    json_begin_array(j, "a");
    json_u64(j, NULL, 1);
    json_u64(j, NULL, 2);
    json_end(j);
    json_begin_object(j, "empty");
    json_end(j);
    json_bool(j, "t", true);
}

START_TEST(json_is_exact)
{
    char *text = json_text(write_values);
    ck_assert_str_eq(text, "{\"big\": 18446744073709551615, \"odd\": 9007199254740993, \"low\": -9223372036854775808, "
                           "\"va\": \"0xffff800000000000\", \"s\": \"a\\\"b\\\\c\\n\\u0001\xef\xbf\xbd\xe2\x82\xac\", "
                           "\"none\": null, \"a\": [1, 2], \"empty\": {}, \"t\": true}\n");
    struct json_flat f;
    ck_assert_int_eq(json_flat_parse(&f, text, strlen(text), "t", NULL), 0);
    ck_assert_str_eq(json_flat_get(&f, "big"), "18446744073709551615");
    ck_assert_str_eq(json_flat_get(&f, "odd"), "9007199254740993");
    ck_assert_str_eq(json_flat_get(&f, "a"), "[1, 2]");
    ck_assert_ptr_null(json_flat_get(&f, "A"));
    json_flat_free(&f);
    free(text);
}
END_TEST

START_TEST(ratios_are_exact)
{
    static const struct {
        uint64_t num, den, scale;
        unsigned decimals;
        const char *text;
    } t[] = {
        {1, 3, 1, 6, "0.333333"},
        {2, 3, 1, 6, "0.666667"},
        {1, 2, 1, 0, "1"},
        {1, 8, 1, 2, "0.13"}, /* half goes up */
        {999999, 1000000, 1, 3, "1.000"},
        {0, 7, 1000, 6, "0.000000"},
        {5, 0, 1, 6, "null"},
        {UINT64_MAX, 1, UINT64_MAX, 0, "340282366920938463426481119284349108225"},
        {UINT64_MAX, UINT64_MAX, 1, 9, "1.000000000"},
        {UINT64_MAX - 1, UINT64_MAX, 1, 9, "1.000000000"},
    };
    for (size_t i = 0; i < ARRAY_LEN(t); i++) {
        char buf[64];
        ck_assert_str_eq(ratio_format(buf, sizeof buf, t[i].num, t[i].den, t[i].scale, t[i].decimals), t[i].text);
    }
}
END_TEST

START_TEST(broken_json_is_an_error)
{
    static const char *const bad[] = {
        "", "{", "}", "[1]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{\"a\":1} x", "{\"a\":\"b}", "{\"a\":[1}", "{\"a\":tru}",
        "{\"a\":0x10}", "{\"a\":\"\\q\"}", "{\"a\":\"\\u12\"}", "{a:1}", "{\"a\":1 \"b\":2}", "{\"a\":\"\n\"}", "{\"a\":[\"\\",
        "{\"a\":01}", "{\"a\":1.}", "{\"a\":1e}", "{\"a\":-}", "{\"a\":1-2}", "{\"a\":.5}", "{\"a\":1.0e3", "{\"a\":nulll}",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct json_flat f;
        struct err e = {0};
        ck_assert_msg(json_flat_parse(&f, bad[i], strlen(bad[i]), "t", &e) == -1, "accepted: %s", bad[i]);
        ck_assert_uint_ne(e.line, 0);
    }
    /* Deep nesting and long names end with an error, not with a crash. */
    size_t n = 1000000;
    char *deep = malloc(n * 5 + 1);
    for (size_t i = 0; i < n; i++)
        memcpy(deep + i * 5, "{\"a\":", 5);
    struct json_flat f;
    ck_assert_int_eq(json_flat_parse(&f, deep, n * 5, "t", NULL), -1);
    memset(deep, 'a', n);
    deep[0] = '{';
    deep[1] = '"';
    ck_assert_int_eq(json_flat_parse(&f, deep, n, "t", NULL), -1);
    free(deep);
    uint64_t v, a[2];
    ck_assert(json_flat_u64("18446744073709551615", &v) && v == UINT64_MAX);
    ck_assert(!json_flat_u64("18446744073709551616", &v) && !json_flat_u64("", &v) && !json_flat_u64("1.5", &v));
    ck_assert_int_eq(json_flat_u64_array("[7, 8, 9]", a, 2), 3);
    ck_assert_uint_eq(a[1], 8);
    ck_assert_int_eq(json_flat_u64_array("[]", a, 2), 0);
    ck_assert_int_eq(json_flat_u64_array("[1, \"x\"]", a, 2), -1);
}
END_TEST

static uint64_t identity(const void *ctx, uint64_t arg) { return *(const uint64_t *)ctx * arg; }

/* However long the run and however late the samples: few rows, first and last kept, counts rising evenly. */
START_TEST(series_merges)
{
    static const uint64_t lengths[] = {0, 1, 2, 999, 1999, 2000, 2001, 12345, 1000000, 7654321};
    static const uint64_t batches[] = {1, 3, 4096};
    for (size_t l = 0; l < ARRAY_LEN(lengths); l++)
        for (size_t b = 0; b < ARRAY_LEN(batches); b++) {
            struct series *s;
            uint64_t now = 0, length = lengths[l];
            ck_assert_int_eq(series_new(&s, 0, NULL), 0);
            series_add_u64(s, "references", "references", &now);
            series_add(s, "tripled", "x", SERIES_U64, identity, &now, 3);
            series_sample(s, 0);
            for (now = batches[b]; now <= length; now += batches[b])
                if (series_due(s, now))
                    series_sample(s, now);
            now = length;
            series_finish(s, now);
            size_t rows = series_rows(s);
            ck_assert_uint_ge(rows, 2);
            ck_assert_uint_le(rows, SERIES_ROWS_MAX + 1);
            if (length / batches[b] >= 2 * SERIES_ROWS_MAX)
                ck_assert_uint_ge(rows, SERIES_ROWS_MAX / 4);
            ck_assert_uint_eq(series_cell(s, 0, 0), 0);
            ck_assert_uint_eq(series_cell(s, rows - 1, 0), length);
            uint64_t widest = 0;
            for (size_t i = 1; i < rows; i++) {
                uint64_t step = series_cell(s, i, 0) - series_cell(s, i - 1, 0);
                ck_assert(length == 0 || series_cell(s, i, 0) > series_cell(s, i - 1, 0));
                ck_assert_uint_eq(series_cell(s, i, 1), 3 * series_cell(s, i, 0));
                widest = step > widest ? step : widest;
            }
            ck_assert_uint_le(widest, 2 * s->interval + batches[b]);
            series_free(s);
        }
}
END_TEST

START_TEST(series_fixed_interval)
{
    struct series *s;
    uint64_t now = 0;
    ck_assert_int_eq(series_new(&s, 100, NULL), 0);
    series_add_u64(s, "references", "references", &now);
    for (; now <= 500000; now++)
        if (series_due(s, now))
            series_sample(s, now);
    now = 500050;
    series_finish(s, now);
    ck_assert_uint_eq(series_rows(s), 5002);
    ck_assert_uint_eq(series_cell(s, 4321, 0), 432100);
    series_free(s);
}
END_TEST

START_TEST(series_text)
{
    struct series *s;
    uint64_t big = UINT64_MAX, minus = (uint64_t)-1500, one = 1;
    char *text;
    size_t len;
    ck_assert_int_eq(series_new(&s, 0, NULL), 0);
    series_add_u64(s, "big", "x", &big);
    series_add(s, "signed", "x", SERIES_I64, identity, &minus, 1);
    series_add(s, "milli", "x", SERIES_MILLI, identity, &minus, 1);
    series_add(s, "milli2", "x", SERIES_MILLI, identity, &one, 42);
    series_add_u64(s, "big", "x", &one); /* ignored: there already */
    series_finish(s, 0);
    FILE *f = open_memstream(&text, &len);
    series_write_csv(s, f);
    fclose(f);
    ck_assert_str_eq(text, "big,signed,milli,milli2\n18446744073709551615,-1500,-1.500,0.042\n");
    free(text);
    series_free(s);
}
END_TEST

START_TEST(writes_and_replaces)
{
    struct err e = {0};
    char *dir = in("new/deep");
    ck_assert_int_eq(synthetic_result(dir, (struct synthetic_options){.length = 5000, .seed = 1}, &e), 0);
    struct json_flat f;
    ck_assert_int_eq(result_stats_load(&f, dir, &e), 0);
    ck_assert_str_eq(json_flat_get(&f, "complete"), "true");
    ck_assert_str_eq(json_flat_get(&f, "seed"), "1");
    ck_assert_ptr_nonnull(json_flat_get(&f, "measure.cpu0.dtlb.misses"));
    ck_assert_ptr_nonnull(json_flat_get(&f, "measure.cpu1.ipc"));
    ck_assert_ptr_nonnull(json_flat_get(&f, "warmup.cpu0.walker.latency.buckets"));
    ck_assert_ptr_nonnull(json_flat_get(&f, "measure.llc.mpki"));
    ck_assert_ptr_null(json_flat_get(&f, "measure.llc.mpka"));
    json_flat_free(&f);

    /* An earlier result is replaced; what the new one does not write is gone. */
    ck_assert_int_eq(mkdir(in("new/deep/proc"), 0777), 0);
    ck_assert_int_eq(mkdir(in("new/deep/proc/7"), 0777), 0);
    put_file(in("new/deep/proc/7/maps"), "old");
    put_file(in("new/deep/report.html"), "kept");
    struct synthetic_options cut = {.length = 5000, .seed = 2, .incomplete = true, .no_instructions = true};
    ck_assert_int_eq(synthetic_result(dir, cut, &e), 0);
    ck_assert(!exists(in("new/deep/proc")));
    ck_assert(exists(in("new/deep/report.html")));
    ck_assert_int_eq(result_stats_load(&f, dir, &e), 0);
    ck_assert_str_eq(json_flat_get(&f, "complete"), "false");
    ck_assert_str_eq(json_flat_get(&f, "reason"), "interrupted");
    ck_assert_ptr_nonnull(json_flat_get(&f, "measure.llc.mpka"));
    json_flat_free(&f);
}
END_TEST

START_TEST(equal_runs_are_equal_bytes)
{
    struct synthetic_options o = {.length = 200000, .seed = 5};
    char *a = in("a"), *b = in("some/other/b");
    ck_assert_int_eq(synthetic_result(a, o, NULL), 0);
    ck_assert_int_eq(synthetic_result(b, o, NULL), 0);
    static const char *const same[] = {"config.json", "stats.json", "series.csv", "fragmentation.csv", "memory_map.csv",
                                       "events.jsonl"};
    for (size_t i = 0; i < ARRAY_LEN(same); i++) {
        char x[512], y[512];
        snprintf(x, sizeof x, "%s/%s", a, same[i]);
        snprintf(y, sizeof y, "%s/%s", b, same[i]);
        char *tx = read_file(x), *ty = read_file(y);
        ck_assert(tx && ty && !strcmp(tx, ty));
        free(tx);
        free(ty);
    }
}
END_TEST

START_TEST(refuses_foreign_folders)
{
    struct result *r;
    struct err e = {0};
    put_file(in("config.json"), "{\"a\": 1}"); /* somebody's, not a result */
    ck_assert_int_eq(result_open(&r, folder, &e), -1);
    ck_assert_int_eq(e.kind, ERR_USAGE);
    ck_assert(strlen(e.remedy) > 0);
    ck_assert_uint_eq(entries(folder, NULL), 1); /* untouched */
    ck_assert_int_eq(result_open(&r, in("config.json"), &e), -1);
    ck_assert_int_eq(result_open(&r, in("config.json/x"), &e), -1);
    ck_assert_int_eq(result_open(&r, "", &e), -1);
    ck_assert_int_eq(result_open(&r, "/proc/nothing/here", &e), -1);
}
END_TEST

START_TEST(abort_leaves_nothing)
{
    struct result *r;
    struct err e = {0};
    ck_assert_int_eq(result_open(&r, in("x/y/z"), &e), 0);
    ck_assert_int_eq(result_write_text(r, "proc/12/maps", "text", &e), 0);
    ck_assert_int_eq(result_write_text(r, "../evil", "text", &e), -1);
    ck_assert_int_eq(result_write_text(r, "/evil", "text", &e), -1);
    ck_assert_int_eq(result_write_text(r, "proc/../../evil", "text", &e), -1);
    ck_assert_int_eq(result_write_text(r, "other/file", "text", &e), -1);
    ck_assert_int_eq(result_write_text(r, "proc//x", "text", &e), -1);
    struct result *second;
    ck_assert_int_eq(result_open(&second, in("x/y/z"), &e), -1); /* locked */
    result_free(r);
    ck_assert_uint_eq(entries(folder, NULL), 0);
    char name[16];
    ck_assert_str_eq(result_safe_name(name, sizeof name, "../a b/ü"), "_._a_b___");
    ck_assert_str_eq(result_safe_name(name, sizeof name, ""), "_");
}
END_TEST

static int never_ends(FILE *f, void *ctx, struct err *err)
{
    (void)err;
    fputs("half a fi", f);
    fflush(f);
    ck_assert_int_eq(write(*(int *)ctx, "x", 1), 1);
    pause();
    return 0;
}

/* kill -9 in the middle: the earlier result is whole, nothing half has a final name, the next run cleans up. */
START_TEST(killed_in_the_middle)
{
    struct synthetic_options o = {.length = 3000, .seed = 1};
    bool earlier = _i;
    char *dir = in("r");
    if (earlier)
        ck_assert_int_eq(synthetic_result(dir, o, NULL), 0);
    char *before = read_file(in("r/stats.json"));
    int fd[2];
    ck_assert_int_eq(pipe(fd), 0);
    pid_t pid = fork();
    if (!pid) {
        struct result *r;
        if (result_open(&r, dir, NULL) || result_write_text(r, "config.json", "{\"new\": 1}", NULL))
            _exit(1);
        result_write(r, "stats.json", never_ends, &fd[1], NULL);
        _exit(1);
    }
    char c;
    ck_assert_int_eq(read(fd[0], &c, 1), 1);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    unsigned temporaries, all = entries(dir, &temporaries);
    ck_assert_uint_eq(temporaries, 3); /* events, config, stats */
    ck_assert_uint_eq(all - temporaries, earlier ? SYN_FILES : 0);
    char *after = read_file(in("r/stats.json"));
    ck_assert(earlier ? before && after && !strcmp(before, after) : !after);
    char *config = read_file(in("r/config.json"));
    ck_assert(!config || !strstr(config, "new"));
    ck_assert_int_eq(synthetic_result(dir, o, NULL), 0);
    ck_assert_uint_eq(entries(dir, &temporaries), SYN_FILES);
    ck_assert_uint_eq(temporaries, 0);
    free(before);
    free(after);
    free(config);
    close(fd[0]);
    close(fd[1]);
}
END_TEST

/* A run in a folder where another one was killed; it ends with a result or gives up. */
static void tidy_and_write(const char *dir, bool commit)
{
    struct result *r;
    if (result_open(&r, dir, NULL) || result_write_text(r, "proc/12/maps", "text", NULL) ||
        result_write_text(r, "config.json", "{}", NULL) || result_write_text(r, "stats.json", "{\"tool\": \"mmulab\"}", NULL))
        _exit(1);
    if (commit && result_commit(r, NULL))
        _exit(1);
    result_free(r);
    _exit(0);
}

static void left_by_a_killed_one(const char *dir)
{
    pid_t pid = fork();
    if (!pid) {
        struct result *r;
        _exit(result_open(&r, dir, NULL) || result_write_text(r, "proc/12/maps", "text", NULL) ||
              result_write_text(r, "proc/buddyinfo", "text", NULL) || result_write_text(r, "config.json", "{}", NULL));
    }
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}

/* kill -9 before each system call: whatever is left is known as a result's folder, and the next run tidies it up. */
START_TEST(killed_at_every_call)
{
    bool commit = _i;
    char *dir = in("r");
    int status = 0;
    for (unsigned calls = 1; !WIFEXITED(status) || calls == 1; calls++) {
        left_by_a_killed_one(dir);
        pid_t pid = fork();
        if (!pid) {
            if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) || raise(SIGSTOP))
                _exit(2);
            tidy_and_write(dir, commit);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        for (unsigned i = 0; i < 2 * calls && WIFSTOPPED(status); i++) { /* a call stops twice: before and behind it */
            ck_assert_int_eq(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
            ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        }
        if (WIFSTOPPED(status)) {
            kill(pid, SIGKILL);
            ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        } else {
            ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %d", status);
            ck_assert_uint_gt(calls, 20);
        }
        struct result *r;
        struct err e = {0};
        ck_assert_msg(result_open(&r, dir, &e) == 0, "killed after %u calls: %s", calls, e.message);
        result_free(r); /* what it tidies up */
        unsigned temporaries, all = entries(dir, &temporaries);
        ck_assert_uint_eq(temporaries, 0);
        ck_assert(commit || all == 0);
        remove_tree(dir);
        ck_assert_uint_lt(calls, 1000);
    }
}
END_TEST

START_TEST(events_are_bounded)
{
    struct result *r;
    ck_assert_int_eq(result_open(&r, in("r"), NULL), 0);
    for (uint64_t i = 0; i < RESULT_EVENTS_MAX + 5; i++) {
        struct json_out *j = result_event(r, i, "oom_kill");
        json_str(j, "comm", "a\"b");
        result_event_end(r);
    }
    ck_assert_int_eq(result_commit(r, NULL), 0);
    result_free(r);
    FILE *f = fopen(in("r/events.jsonl"), "r");
    char line[256], last[256] = "";
    unsigned n = 0;
    while (fgets(line, sizeof line, f)) {
        if (!n++)
            ck_assert_str_eq(line, "{\"time_ps\": 0, \"kind\": \"oom_kill\", \"comm\": \"a\\\"b\"}\n");
        strcpy(last, line);
    }
    fclose(f);
    ck_assert_uint_eq(n, RESULT_EVENTS_MAX + 1);
    ck_assert_str_eq(last, "{\"kind\": \"events_dropped\", \"count\": 5}\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("result");
    TCase *t = tcase_create("result");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, scratch_make, scratch_remove);
    tcase_add_test(t, json_is_exact);
    tcase_add_test(t, ratios_are_exact);
    tcase_add_test(t, broken_json_is_an_error);
    tcase_add_test(t, series_merges);
    tcase_add_test(t, series_fixed_interval);
    tcase_add_test(t, series_text);
    tcase_add_test(t, writes_and_replaces);
    tcase_add_test(t, equal_runs_are_equal_bytes);
    tcase_add_test(t, refuses_foreign_folders);
    tcase_add_test(t, abort_leaves_nothing);
    tcase_add_loop_test(t, killed_in_the_middle, 0, 2);
    tcase_add_loop_test(t, killed_at_every_call, 0, 2);
    tcase_add_test(t, events_are_bounded);
    suite_add_tcase(suite, t);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
