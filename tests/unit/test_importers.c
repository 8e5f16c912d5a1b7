/*
 * Forms of other tools: what each record becomes, told in the native text form. The files are the fuzzers' seeds
 * (tests/fuzz/corpus), made byte by byte from the formats' descriptions, not by this code.
 */
#include "readers_util.h"

#include <sys/stat.h>
#include <unistd.h>

#define CORPUS(name) MMULAB_SOURCE_DIR "/tests/fuzz/corpus/" name

/* A file converted to the text form without its first line; the caller frees it. */
static char *as_text(const char *path, const char *format, struct trace_info *info)
{
    char out[] = "/tmp/importersXXXXXX.mtt";
    struct trace_options opt = {.format = format};
    struct trace *t;
    struct trace_writer *w;
    struct trace_batch b;
    struct err err = {0};
    size_t n;
    int r, fd = mkstemps(out, 4);
    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert_msg(trace_open(&t, path, &opt, &err) == 0, "%s: %s", path, err.message);
    ck_assert_int_eq(trace_writer_open(&w, out, &err), 0);
    while ((r = trace_next(t, &b, &err)) > 0)
        ck_assert_msg(trace_writer_put(w, b.process, b.thread, b.rec, b.n, &err) == 0, "%s", err.message);
    ck_assert_msg(r == 0, "%s: %s", path, err.message);
    trace_get_info(t, info);
    ck_assert_int_eq(trace_writer_close(w, &err), 0);
    trace_close(t);
    char *text = slurp(out, &n);
    unlink(out);
    char *body = strchr(text, '\n') + 1;
    memmove(text, body, strlen(body) + 1);
    return text;
}

static uint64_t left(const struct trace_info *info, const char *what)
{
    for (unsigned i = 0; i < info->nleft; i++)
        if (strstr(info->left[i].what, what))
            return info->left[i].n;
    return 0;
}

static void expect(const char *path, const char *format, const char *want)
{
    struct trace_info info;
    char *text = as_text(path, NULL, &info);
    ck_assert_str_eq(text, want);
    ck_assert_str_eq(info.format, format);
    free(text);
}

/* --- drmemtrace --- */

#define DR_BODY()                                                                                        \
    "time 0\n"                                                                                               \
    "I 401000 4\nL 7000 8\n"                                                                                 \
    "I 401004 2\nbranch 401000 taken cond\n" /* a taken jump goes where the next instruction is */          \
    "I 401000 3\nS 7008 4\n"                                                                                 \
    "I 401003 2\nbranch 0 cond\n"                                                                            \
    "I 401005 5\nbranch 402000 taken call\nS 6ff8 8\n"                                                       \
    "I 402000 1\nbranch 40100a taken return\nL 6ff8 8\n"                                                     \
    "I 40100a 2\nbranch 403000 taken indirect\n"                                                             \
    "I 403000 3\nL 9000 1\n" /* a further round of a string instruction: no fetch */                         \
    "I 403003 2\nI 403005 3\nI 403008 4\n" /* the bundle */                                                  \
    "I 40300c 2\nbranch 0 cond\n"          /* the older kind: fell through */                                \
    "I 40300e 2\n"                                                                                           \
    "I 81000000 4 kernel\nL 81008000 8 kernel\n"                                                             \
    "time 5000\n"                                                                                            \
    "I 403010 4\nI 404000 4\nI 403014 4\n"

START_TEST(drmemtrace_records)
{
    expect(CORPUS("drmemtrace/all"), "drmemtrace", DR_BODY() "exit 0 0\n");
    expect(CORPUS("drmemtrace/i386"), "drmemtrace", DR_BODY() "exit 0 0\n"); /* 8-byte records */
    expect(CORPUS("drmemtrace/all.gz"), "drmemtrace", DR_BODY() "exit 0 0\n");
    expect(CORPUS("drmemtrace/chunks.zip"), "drmemtrace", DR_BODY() "exit 0 0\n");
    expect(CORPUS("drmemtrace/two_threads"), "drmemtrace",
           DR_BODY() "T 0 1\nI 500000 4\nL 8000 8\nT 0 0\nI 403018 4\nexit 0 0\nT 0 1\nexit 0 0\n");
}
END_TEST

START_TEST(drmemtrace_left)
{
    struct trace_info info;
    free(as_text(CORPUS("drmemtrace/all"), NULL, &info));
    ck_assert_uint_eq(left(&info, "prefetches"), 1);
    ck_assert_uint_eq(left(&info, "instruction bytes"), 1);
    ck_assert_uint_eq(left(&info, "without a fetch"), 1);
    ck_assert_uint_eq(left(&info, "system-call"), 1);
    ck_assert_uint_eq(left(&info, "signals"), 2);
    ck_assert_uint_eq(left(&info, "function"), 1);
    ck_assert_uint_eq(left(&info, "CPU"), 2);
    ck_assert(!info.incomplete);
    ck_assert_uint_eq(info.threads, 1);
    free(as_text(CORPUS("drmemtrace/no_footer"), NULL, &info));
    ck_assert(info.incomplete);
    ck_assert_msg(strstr(info.why, "ends a trace") != NULL, "%s", info.why);
    free(as_text(CORPUS("drmemtrace/chunks.zip"), NULL, &info));
    ck_assert_str_eq(info.compression, "zip");
}
END_TEST

struct entry {
    uint16_t type, size;
    uint64_t value;
};

static void write_entries(const char *path, const struct entry *e, size_t n)
{
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    for (size_t i = 0; i < n; i++) {
        fwrite(&e[i].type, 2, 1, f);
        fwrite(&e[i].size, 2, 1, f);
        fwrite(&e[i].value, 8, 1, f);
    }
    ck_assert_int_eq(fclose(f), 0);
}

/* A file a thread: runs come in the order of their timestamps. */
START_TEST(drmemtrace_folder)
{
    char dir[] = "/tmp/importersXXXXXX", a[64], b[64], c[64];
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(a, sizeof a, "%s/app.1.trace", dir);
    snprintf(b, sizeof b, "%s/app.2.trace", dir);
    snprintf(c, sizeof c, "%s/serial_schedule.bin", dir);
    const struct entry one[] = {{25, 0, 5},         {22, 0, 11}, {24, 0, 3}, {28, 2, 100}, {10, 4, 0x1000},
                                {28, 2, 300},       {10, 4, 0x1004}, {26, 0, 0}};
    const struct entry two[] = {{25, 0, 5},   {22, 0, 12},     {24, 0, 4},  {28, 2, 200}, {11, 4, 0x2000},
                                {10, 4, 0x3000}, {28, 2, 400}, {10, 4, 0x3004}, {23, 0, 12},  {26, 0, 0}};
    write_entries(a, one, sizeof one / sizeof one[0]);
    write_entries(b, two, sizeof two / sizeof two[0]);
    write_entries(c, one, 1); /* drmemtrace's own, no trace */
    expect(dir, "drmemtrace",
           "time 0\nI 1000 4\nT 1 1\ntime 100000\nI 2000 4\nbranch 3000 taken\nI 3000 4\nT 0 0\ntime 200000\nI 1004 4\n"
           "T 1 1\ntime 300000\nI 3004 4\nexit 0 0\n");
    /* A file that is cut off is named, with the byte in it. */
    ck_assert_int_eq(truncate(b, 5 * 12 + 7), 0);
    struct trace *t;
    struct err err = {0};
    ck_assert_int_eq(trace_open(&t, dir, NULL, &err), 0);
    struct read r = read_trace(t);
    ck_assert_int_eq(r.status, -1);
    ck_assert_str_eq(r.err.file, b);
    ck_assert_msg(strstr(r.err.message, "(byte 60)") != NULL, "%s", r.err.message);
    read_free(&r);
    trace_close(t);
    unlink(a);
    unlink(b);
    ck_assert_int_eq(trace_open(&t, dir, NULL, &err), -1);
    ck_assert_msg(strstr(err.message, "folder") != NULL, "%s", err.message);
    unlink(c);
    rmdir(dir);
}
END_TEST

/* Files whose names are not in the order of time: nothing runs backwards, and it begins with the earliest. */
START_TEST(drmemtrace_later_file_is_earlier)
{
    char dir[] = "/tmp/importersXXXXXX", inner[64], a[96], b[96];
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(inner, sizeof inner, "%s/trace", dir);
    ck_assert_int_eq(mkdir(inner, 0777), 0);
    snprintf(a, sizeof a, "%s/app.10000.trace", inner);
    snprintf(b, sizeof b, "%s/app.9999.trace", inner);
    const struct entry late[] = {{25, 0, 5}, {22, 0, 10000}, {24, 0, 3}, {28, 2, 300}, {10, 4, 0x1000}, {26, 0, 0}};
    const struct entry early[] = {{25, 0, 5}, {22, 0, 9999}, {24, 0, 3}, {28, 2, 100}, {10, 4, 0x2000}, {26, 0, 0}};
    write_entries(a, late, sizeof late / sizeof late[0]);
    write_entries(b, early, sizeof early / sizeof early[0]);
    expect(inner, "drmemtrace", "time 0\nI 2000 4\nT 0 1\ntime 200000\nI 1000 4\n");
    expect(dir, "drmemtrace", "time 0\nI 2000 4\nT 0 1\ntime 200000\nI 1000 4\n"); /* the one around it */
    unlink(a);
    unlink(b);
    rmdir(inner);
    rmdir(dir);
}
END_TEST

static struct read read_entries(const struct entry *e, size_t n, unsigned value_bytes)
{
    char buf[1024];
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        memcpy(buf + k, &e[i].type, 2);
        memcpy(buf + k + 2, &e[i].size, 2);
        memcpy(buf + k + 4, &e[i].value, value_bytes);
        k += 4 + value_bytes;
    }
    return read_memory(buf, k, NULL);
}

/* Filtered traces, references of no bytes, context switches; times of 32 bits that begin anew. */
START_TEST(drmemtrace_odd_records)
{
    const struct entry e[] = {{25, 0, 6},       {22, 0, 11},    {24, 0, 3},    {28, 2, 0xfffffff0}, {10, 0, 0x1000}, {0, 8, 0x7000},
                              {12, 0, 0x1004},  {1, 4, 0x7008}, {0, 0, 0x7010}, {28, 34, 0},        {10, 4, 0x81000}, {28, 35, 0},
                              {10, 4, 0x1008},  {28, 2, 0x10},  {10, 4, 0x100c}, {26, 0, 0}};
    for (unsigned bytes = 4; bytes <= 8; bytes += 4) {
        struct read r = read_entries(e, sizeof e / sizeof e[0], bytes);
        ck_assert_msg(r.status == 0, "%s", r.err.message);
        ck_assert_uint_eq(r.records, bytes == 4 ? 7 : 6); /* two or one times */
        ck_assert_int_eq(r.rec[1].kind, TRACE_LOAD);
        ck_assert_int_eq(r.rec[2].kind, TRACE_STORE);
        ck_assert_int_eq(r.rec[3].flags, TRACE_F_KERNEL);
        ck_assert_int_eq(r.rec[4].flags, 0);
        if (bytes == 4)
            ck_assert_uint_eq(r.rec[5].addr, 0x20 * 1000);
        ck_assert_uint_eq(left(&r.info, "without a length"), 2);
        ck_assert_uint_eq(left(&r.info, "data references of no bytes"), 1);
        read_free(&r);
    }
}
END_TEST

/* --- the others --- */

START_TEST(gem5_packets)
{
    struct trace_info info;
    expect(CORPUS("gem5/all"), "gem5",
           "I 1000 64\nL 80001040 8\ntime 1\nS 80001048 8\ntime 2\nS 2000 64\ntime 1000000\nS 10000000000 64\n");
    free(as_text(CORPUS("gem5/all"), NULL, &info));
    ck_assert_uint_eq(left(&info, "other commands"), 1);
    ck_assert_uint_eq(left(&info, "no bytes"), 1);
    ck_assert_uint_eq(left(&info, "packet ids"), 1);
    ck_assert_uint_eq(left(&info, "instruction addresses"), 1);
    expect(CORPUS("gem5/header"), "gem5", "");
    size_t n;
    char *buf = slurp(CORPUS("gem5/instructions"), &n);
    struct read r = read_memory(buf, n, NULL);
    ck_assert_int_eq(r.status, -1);
    ck_assert_msg(strstr(r.err.message, "instruction trace") != NULL, "%s", r.err.message);
    read_free(&r);
    free(buf);
}
END_TEST

/* What a monitor behind a cache sees: the numbers since 2018, and those of 2017 once a command tells them. */
START_TEST(gem5_behind_a_cache)
{
    static const unsigned char header[] = {'g', 'e', 'm', '5', 10, 10, 1, 'm', 24, 0x80, 0xa0, 0x94, 0xa5, 0x8d, 0x1d};
    static const struct {
        unsigned char cmd, kind; /* kind 0: left out */
    } want[] = {{25, TRACE_LOAD}, {24, TRACE_LOAD}, {22, TRACE_LOAD}, {7, TRACE_STORE}, {9, TRACE_STORE}, {10, 0},
                {16, TRACE_STORE}, {17, 0}, {99, 0}, {26, TRACE_LOAD}, {27, TRACE_STORE}, {13, 0},
                {23, TRACE_LOAD} /* no request of the newer ones */, {25, TRACE_STORE}, {9, 0}, {6, TRACE_STORE}, {16, 0}};
    unsigned char buf[512];
    size_t n = sizeof header, at = 0;
    memcpy(buf, header, n);
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        const unsigned char packet[] = {8, 8, 0, 16, want[i].cmd, 24, 64, 32, 64}; /* length; tick, command, address, size */
        memcpy(buf + n, packet, sizeof packet);
        n += sizeof packet;
    }
    struct read r = read_memory(buf, n, NULL);
    ck_assert_msg(r.status == 0, "%s", r.err.message);
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++)
        if (want[i].kind)
            ck_assert_int_eq(r.rec[at++].kind, want[i].kind);
    ck_assert_uint_eq(r.records, at);
    ck_assert_uint_eq(left(&r.info, "other commands"), 6);
    read_free(&r);
}
END_TEST

START_TEST(ramulator_forms)
{
    struct trace_info info;
    expect(CORPUS("ramulator/cpu"), "ramulator",
           "insns 3\nL 13c6040 64\ninsns 1\nL 13e1740 64\nS 13e0340 64\nL 13c6100 64\ninsns 8\nL 13e0340 64\nS 13e0340 64\n");
    expect(CORPUS("ramulator/memory"), "ramulator", "L 12345680 64\nS 4cbd56c0 64\nL 35d46f00 64\n");
    expect(CORPUS("ramulator/loadstore"), "ramulator", "L 100000 64\nS 110040 64\nL 1000 64\n");
    /* channel 0 rank 0 group 1 bank 2 row 1024 column 8: (((1 << 6 | 2) << 18 | 1024) << 10 | 8) << 3 */
    expect(CORPUS("ramulator/readwrite"), "ramulator", "L 2100800040 64\nS 8218000a000 64\n");
    free(as_text(CORPUS("ramulator/readwrite"), NULL, &info));
    ck_assert_uint_eq(left(&info, "places in a DRAM"), 2);
    ck_assert(info.left[0].made_up);
    struct read r = read_memory("3 20734016 R\n0 0x13e1740 W\n", 26, NULL); /* before the caches */
    ck_assert_str_eq(r.format, "ramulator");
    ck_assert_int_eq(r.status, 0);
    ck_assert_uint_eq(r.records, 3);
    ck_assert_int_eq(r.rec[1].kind, TRACE_LOAD);
    ck_assert_int_eq(r.rec[2].kind, TRACE_STORE);
    ck_assert_uint_eq(r.rec[2].addr, 0x13e1740);
    read_free(&r);
    r = read_memory("LD 0x10\nR 0,1\n", 14, "ramulator");
    ck_assert_int_eq(r.status, -1);
    ck_assert_uint_eq(r.records, 1);
    read_free(&r);
    r = read_memory("R 0,0,0,64,1,1\n", 15, "ramulator"); /* a bank of 7 bits */
    ck_assert_int_eq(r.status, -1);
    read_free(&r);
    r = read_memory("R 0,0,0,63,1,1\n", 15, "ramulator");
    ck_assert_int_eq(r.status, 0);
    read_free(&r);
}
END_TEST

START_TEST(dramsim3_lines)
{
    expect(CORPUS("dramsim3/all"), "dramsim3",
           "L 1000 64\ntime 12\nS 7f001040 64\nL 80 64\ntime 100\nS ffffff80 64\n");
}
END_TEST

START_TEST(qtrace_lines)
{
    struct trace_info info;
    expect(CORPUS("qtrace/all"), "qtrace",
           "I 4002920b70 3\nS 4002905e58 8\n"
           "mmap 0 length=8192 prot=3 flags=34 fd=-1 offset=0 result=0x400293d000 file_id=0\n"
           "I 4002920b73 5\nL 4002ab1000 8\n"
           "syscall 257 a0=0xffffff9c a1=0x400292f0b1 a2=524288 a3=0 a4=0 a5=0 result=4\n"
           "mmap 0 length=47743 prot=1 flags=2 fd=4 offset=0 result=0x400293f000 file_id=0\n"
           "munmap 4002ab1000 length=8192 result=0\n"
           "syscall 435 a0=0x4002905b30 a1=88 a2=0x40029d3ef0 a3=8 a4=0 a5=0 result=-38\n"
           "clone 1\n" /* the child runs before the call has returned */
           "T 0 1\nI 4002920c00 2\nS 400332ef60 8\nT 0 0\nI 4002920b78 2\nT 0 1\nI 4002920c02 2\nexit 0 0\n"
           "T 0 0\nbrk 0 result=0x4000105000\nI 4002920b7a 2\nexit 3 1\n");
    free(as_text(CORPUS("qtrace/all"), NULL, &info));
    ck_assert_uint_eq(info.threads, 2);
    ck_assert_uint_eq(info.nleft, 0);
    struct read r = read_memory("T 0\nI  1000,3\nI  1003,2\nRET 0 9 = 5\n", 36, NULL);
    ck_assert_int_eq(r.status, -1);
    ck_assert_str_eq(r.format, "qtrace");
    ck_assert_uint_eq(r.err.line, 4);
    read_free(&r);
}
END_TEST

/* --- which form --- */

START_TEST(forms_that_look_alike)
{
    static const char both[] = "2 1000\n0 1008\n1 1010\n";
    char name[64], dir[] = "/tmp/importersXXXXXX";
    struct trace *t;
    struct trace_info info;
    struct err err = {0};
    struct read r = read_memory(both, strlen(both), NULL);
    ck_assert_int_eq(r.status, -2);
    ck_assert_int_eq(r.err.kind, ERR_USAGE);
    ck_assert_msg(strstr(r.err.message, "din") && strstr(r.err.message, "ramulator"), "%s", r.err.message);
    ck_assert_msg(strstr(r.err.remedy, "--format") != NULL, "%s", r.err.remedy);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    for (int k = 0; k < 2; k++) {
        const char *form = k ? "ramulator" : "din";
        snprintf(name, sizeof name, "%s/x.%s.v2", dir, form);
        FILE *f = fopen(name, "w");
        fputs(both, f);
        fclose(f);
        ck_assert_msg(trace_open(&t, name, NULL, &err) == 0, "%s", err.message);
        trace_get_info(t, &info);
        ck_assert_str_eq(info.format, form);
        trace_close(t);
        unlink(name);
    }
    rmdir(dir);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("importers");
    TCase *tc = tcase_create("all");
    tcase_add_test(tc, drmemtrace_records);
    tcase_add_test(tc, drmemtrace_left);
    tcase_add_test(tc, drmemtrace_folder);
    tcase_add_test(tc, drmemtrace_later_file_is_earlier);
    tcase_add_test(tc, drmemtrace_odd_records);
    tcase_add_test(tc, gem5_packets);
    tcase_add_test(tc, gem5_behind_a_cache);
    tcase_add_test(tc, ramulator_forms);
    tcase_add_test(tc, dramsim3_lines);
    tcase_add_test(tc, qtrace_lines);
    tcase_add_test(tc, forms_that_look_alike);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
