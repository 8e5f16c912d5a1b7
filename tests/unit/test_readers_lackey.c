/* Lackey text: references, every form of system call line, mappings, threads, processes, broken files. */
#include "readers_util.h"
#include "traces/readers/maps.h"
#include "traces/readers/scan.h"

START_TEST(hex8)
{
    uint64_t v;
    ck_assert(scan_hex8((const unsigned char *)"0123abEF", &v));
    ck_assert_uint_eq(v, 0x0123abef);
    /* Each byte value at each place: accepted exactly where it is a digit, with its value. */
    for (unsigned at = 0; at < 8; at++)
        for (unsigned b = 0; b < 256; b++) {
            unsigned char s[9] = "00000000";
            s[at] = (unsigned char)b;
            int d = scan_hex_digit((unsigned char)b);
            bool good = scan_hex8(s, &v);
            ck_assert_msg(good == (d >= 0), "byte %u at %u", b, at);
            if (good)
                ck_assert_uint_eq(v, (uint64_t)d << (28 - 4 * at));
        }
}
END_TEST

START_TEST(references)
{
    struct read r =
        read_text("I  00401000,3\n L 1ffefff8c8,8\n S 7ffffffffff8,16\n M 04a19de0,1\nI  00401003,512\r\n"
                  "I  ffffffffff600000,15\n S 00000001,32\n");
    static const struct trace_rec want[] = {{0x401000, 3, TRACE_FETCH, 0, 0},
                                            {0x1ffefff8c8, 8, TRACE_LOAD, 0, 0},
                                            {0x7ffffffffff8, 16, TRACE_STORE, 0, 0},
                                            {0x4a19de0, 1, TRACE_MODIFY, 0, 0},
                                            {0x401003, 512, TRACE_FETCH, 0, 0},
                                            {0xffffffffff600000, 15, TRACE_FETCH, 0, 0},
                                            {1, 32, TRACE_STORE, 0, 0}};
    ck_assert_str_eq(r.format, "lackey");
    ck_assert_int_eq(r.status, 0);
    ck_assert_uint_eq(r.n, sizeof want / sizeof want[0]);
    ck_assert_mem_eq(r.rec, want, sizeof want);
    read_free(&r);
}
END_TEST

START_TEST(broken_lines)
{
    static const char *const bad[] = {"I 00401003,3\n",
                                      "I  0040100g,3\n",
                                      " X 00401003,3\n",
                                      "I  00401003\n",
                                      "I  00401003,\n",
                                      "I  00401003,0\n",
                                      "I  00401003,3x\n",
                                      "I  00401003,99999999999\n",
                                      "I  12345678123456781,3\n",
                                      "hello\n",
                                      "I  00401003,3",
                                      "I  0040",
                                      "SYSCALL[1,1",
                                      "SYSCALL[1,1](x) sys_brk\n",
                                      "SYSCALL[1,99999](12) sys_brk ( 0x0 )\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[256];
        snprintf(text, sizeof text, "I  00401000,3\nI  00401001,3\nI  00401002,3\n%s%s", bad[i],
                 strchr(bad[i], '\n') ? "I  00401009,3\n" : "");
        struct read r = read_text(text);
        ck_assert_msg(r.status == -1, "`%s` was taken", bad[i]);
        ck_assert_uint_eq(r.records, 3);
        ck_assert_uint_eq(r.err.line, 4);
        ck_assert_int_eq(r.err.kind, ERR_RUN);
        read_free(&r);
    }
}
END_TEST

START_TEST(long_input_over_windows)
{
    /* Lines of different lengths over several input windows: every record in its place. */
    enum { LINES = 300000 };
    char *text = malloc(LINES * 24), *p = text;
    ck_assert_ptr_nonnull(text);
    for (unsigned i = 0; i < LINES; i++)
        p += sprintf(p, i % 3 ? " L %08llx,%u\n" : "I  %08llx,%u\n", (unsigned long long)i << (i % 5 * 4),
                     i % 99 + 1);
    struct read r = read_memory(text, (size_t)(p - text), NULL);
    ck_assert_int_eq(r.status, 0);
    ck_assert_uint_eq(r.n, LINES);
    for (unsigned i = 0; i < LINES; i++) {
        ck_assert_uint_eq(r.rec[i].addr, (uint64_t)i << (i % 5 * 4));
        ck_assert_uint_eq(r.rec[i].size, i % 99 + 1);
        ck_assert_uint_eq(r.rec[i].kind, i % 3 ? TRACE_LOAD : TRACE_FETCH);
    }
    read_free(&r);
    free(text);
}
END_TEST

START_TEST(address_space_calls)
{
    struct read r = read_text(
        "==7== Lackey, an example Valgrind tool\n"
        "I  00401000,3\n"
        "SYSCALL[7,1](12) sys_brk ( 0x0 ) --> [pre-success] Success(0x4035000) \n"
        "SYSCALL[7,1](257) sys_openat ( 4294967196, 0x4034bb0(/a dir/we(ird), 3 ).so), 524288 ) --> [async] "
        "... \n"
        "SYSCALL[7,1](257) ... [async] --> Success(0x3) \n"
        "SYSCALL[7,1](9) sys_mmap ( 0x0, 16400, 1, 2050, 3, 4096 ) --> [pre-success] Success(0x4837000) \n"
        "SYSCALL[7,1](9) sys_mmap ( 0x1000, 1, 3, 34, 4294967295, 0 ) --> [pre-fail] Failure(0x16) \n"
        "SYSCALL[7,1](32) sys_dup ( 3 )[sync] --> Success(0x9) \n"
        "SYSCALL[7,1](3) sys_close ( 3 )[sync] --> Success(0x0) \n"
        "SYSCALL[7,1](9) sys_mmap ( 0x0, 4096, 3, 1, 9, 0 ) --> [pre-success] Success(0x4900000) \n"
        "SYSCALL[7,1](9) sys_mmap ( 0x0, 4096, 3, 1, 3, 0 ) --> [pre-success] Success(0x4a00000) \n"
        "SYSCALL[7,1](25) sys_mremap ( 0x4900000, 4096, 8192, 0x1 ) --> [pre-success] Success(0x4b00000) \n"
        "SYSCALL[7,1](10) sys_mprotect ( 0x4a00000, 4096, 1 )[sync] --> Success(0x0) \n"
        "SYSCALL[7,1](28) sys_madvise ( 0x4a00000, 4096, 4 ) --> [async] ... \n"
        "SYSCALL[7,1](28) ... [async] --> Success(0x0) \n"
        "SYSCALL[7,1](11) sys_munmap ( 0x4a00000, 4096 )[sync] --> Success(0x0) \n"
        "SYSCALL[7,1](334) unimplemented (by the kernel) syscall: 334! (ni_syscall)\n"
        " --> [pre-fail] Failure(0x26) \n"
        "SYSCALL[7,1](158) arch_prctl ( 4098, 4a29740 ) --> [pre-success] Success(0x0) \n"
        "SYSCALL[7,1](72) sys_fcntl[ARG3=='arg'] ( 9, 1030, 20 )[sync] --> Success(0x14) \n"
        "SYSCALL[7,1](257) sys_openat ( 4294967196, 0x10a01d(/tmp/a\nb c), 66, 438 ) --> [async] ... \n"
        "SYSCALL[7,1](257) ... [async] --> Success(0x5) \n"
        "SYSCALL[7,1](9) sys_mmap ( 0x0, 4096, 3, 1, 5, 0 ) --> [pre-success] Success(0x4c00000) \n"
        "SYSCALL[7,1](59) sys_execve ( 0x10a02d(/nonexistent), 0x1ff0, 0x1ff8 ) --> [pre-fail] Failure(0x2) "
        "\n"
        "SYSCALL[7,1](231) exit_group( 3 ) --> [pre-success] Success(0x0) \n"
        "==7== \n==7== Exit code:       3\n");
    ck_assert_msg(r.status == 0, "%s", r.err.message);
    size_t at = find_record(&r, TRACE_BRK, 0);
    ck_assert_uint_eq(r.rec[at].addr, 0);
    ck_assert_uint_eq(payload(&r, at, 0), 0x4035000);

    size_t len;
    at = find_record(&r, TRACE_FILEID, 0);
    const char *path = trace_rec_string(&r.rec[at], &len);
    ck_assert_uint_eq(r.rec[at].addr, 1);
    ck_assert_uint_eq(len, strlen("/a dir/we(ird), 3 ).so"));
    ck_assert_int_eq(strncmp(path, "/a dir/we(ird), 3 ).so", len), 0);
    at = find_record(&r, TRACE_FILEID, 1);
    path = trace_rec_string(&r.rec[at], &len);
    ck_assert_int_eq(strncmp(path, "/tmp/a\nb c", len), 0);
    ck_assert_uint_eq(r.kind[TRACE_FILEID], 2);

    static const uint64_t mmaps[][9] = {
        /* addr length prot flags fd offset result file_id; failed */
        {0, 16400, 1, 2050, 3, 4096, 0x4837000, 1, 0},
        {0x1000, 1, 3, 34, (uint64_t)-1, 0, (uint64_t)-0x16, 0, 1},
        {0, 4096, 3, 1, 9, 0, 0x4900000, 1, 0}, /* through dup */
        {0, 4096, 3, 1, 3, 0, 0x4a00000, 0, 0}, /* closed before: unknown */
        {0, 4096, 3, 1, 5, 0, 0x4c00000, 2, 0},
    };
    ck_assert_uint_eq(r.kind[TRACE_MMAP], 5);
    for (unsigned i = 0; i < 5; i++) {
        at = find_record(&r, TRACE_MMAP, i);
        ck_assert_uint_eq(r.rec[at].addr, mmaps[i][0]);
        for (unsigned w = 0; w < 7; w++)
            ck_assert_uint_eq(payload(&r, at, w), mmaps[i][w + 1]);
        ck_assert_uint_eq(r.rec[at].flags, mmaps[i][8] ? TRACE_F_FAILED : 0);
    }
    at = find_record(&r, TRACE_MREMAP, 0);
    ck_assert_uint_eq(r.rec[at].addr, 0x4900000);
    ck_assert_uint_eq(payload(&r, at, 1), 8192);
    ck_assert_uint_eq(payload(&r, at, 4), 0x4b00000);
    at = find_record(&r, TRACE_MPROTECT, 0);
    ck_assert_uint_eq(payload(&r, at, 1), 1);
    at = find_record(&r, TRACE_MADVISE, 0);
    ck_assert_uint_eq(payload(&r, at, 1), 4);
    at = find_record(&r, TRACE_MUNMAP, 0);
    ck_assert_uint_eq(r.rec[at].addr, 0x4a00000);
    at = find_record(&r, TRACE_EXIT, 0);
    ck_assert_uint_eq(r.rec[at].addr, 3);
    ck_assert_uint_eq(r.rec[at].size, 1);
    /* openat twice, dup, close, 334, arch_prctl, fcntl, the failed execve */
    ck_assert_uint_eq(r.kind[TRACE_SYSCALL], 8);
    at = find_record(&r, TRACE_SYSCALL, 3);
    ck_assert_uint_eq(r.rec[at].addr, 334);
    ck_assert_uint_eq(payload(&r, at, 6), (uint64_t)-0x26);
    at = find_record(&r, TRACE_SYSCALL, 4);
    ck_assert_uint_eq(payload(&r, at, 0), 4098);
    ck_assert_uint_eq(payload(&r, at, 1), 0x4a29740);
    ck_assert_uint_eq(r.kind[TRACE_EXEC], 0);
    read_free(&r);
}
END_TEST

START_TEST(threads)
{
    struct read r = read_text(
        "I  00000001,1\n"
        "SYSCALL[7,1](56) sys_clone ( 3d0f00, 0x522bf70, 0x522c990, 0x522c990, 0x522c6c0 ) --> [pre-success] "
        "Success(0x154e) \n"
        "SYSCALL[7,2](273) sys_set_robust_list ( 0x522c9a0, 24 )[sync] --> Success(0x0) \n"
        "I  00000002,1\n"
        "SYSCALL[7,1](202) sys_futex ( 0x1, 0 ) --> [async] ... \n"
        "SYSCALL[7,2](0) sys_read ( 3, 0x1, 10 ) --> [async] ... \n"
        "SYSCALL[7,1](202) ... [async] --> Success(0x0) \n"
        "I  00000003,1\n"
        "SYSCALL[7,2](0) ... [async] --> Success(0xa) \n"
        "SYSCALL[7,2](60) exit( 0 ) --> [pre-success] Success(0x0) \n"
        "I  00000004,1\n" /* cannot be thread 2's */
        "SYSCALL[7,1](56) sys_clone ( 3d0f00, 0x1, 0x2, 0x3, 0x4 ) --> [pre-success] Success(0x154f) I  "
        "00000005,1\n"
        " \n"
        "SYSCALL[7,2](273) sys_set_robust_list ( 0x522c9a0, 24 )[sync] --> Success(0x0) \n" /* number 2 is a
                                                                                               new thread now
                                                                                             */
        "I  00000006,1\n"
        "SYSCALL[7,1](231) exit_group( 0 ) --> [pre-success] Success(0x0) \n");
    ck_assert_msg(r.status == 0, "%s", r.err.message);
    ck_assert_uint_eq(r.kind[TRACE_CLONE], 2);
    ck_assert_uint_eq(r.rec[find_record(&r, TRACE_CLONE, 0)].addr, 1);
    ck_assert_uint_eq(r.rec[find_record(&r, TRACE_CLONE, 1)].addr, 2);
    static const uint32_t who[] = {0, 1, 0, 0, 0, 2};
    for (unsigned i = 0; i < 6; i++) {
        size_t at = find_record(&r, TRACE_FETCH, i);
        ck_assert_uint_eq(r.rec[at].addr, i + 1);
        ck_assert_uint_eq(r.thread[at], who[i]);
    }
    size_t at = find_record(&r, TRACE_SYSCALL, 1); /* the futex, by its own thread's arguments */
    ck_assert_uint_eq(r.rec[at].addr, 202);
    ck_assert_uint_eq(payload(&r, at, 0), 1);
    at = find_record(&r, TRACE_SYSCALL, 2);
    ck_assert_uint_eq(r.rec[at].addr, 0);
    ck_assert_uint_eq(payload(&r, at, 2), 10);
    ck_assert_uint_eq(payload(&r, at, 6), 10);
    ck_assert_uint_eq(r.thread[at], 1);
    read_free(&r);
}
END_TEST

START_TEST(processes)
{
    static const char silent[] = "I  00000001,1\n"
                                 "SYSCALL[7,1](56) sys_clone ( 1200011, 0x0, 0x0, 0x4a29a10, 0x0 )   "
                                 "clone(fork): process 7 created child 8\n"
                                 " --> [pre-success] Success(0x8) \n"
                                 "I  00000002,1\n"
                                 "SYSCALL[7,1](59) sys_execve ( 0x10a03a(/bin/true), 0x1ff0, 0x1ff8 ) --> "
                                 "[pre-success] Success(0x0) \n"
                                 "==7== Lackey, an example Valgrind tool\n"
                                 "I  00000003,1\n";
    struct read r = read_text(silent);
    ck_assert_msg(r.status == 0, "%s", r.err.message);
    ck_assert_uint_eq(r.rec[find_record(&r, TRACE_FORK, 0)].addr, 1);
    size_t len;
    const char *path = trace_rec_string(&r.rec[find_record(&r, TRACE_EXEC, 0)], &len);
    ck_assert_int_eq(strncmp(path, "/bin/true", len), 0);
    ck_assert_uint_eq(r.kind[TRACE_FETCH], 3);
    read_free(&r);

    static const char *const mixed[] = {
        "SYSCALL[8,1](231) exit_group( 3 ) --> [pre-success] Success(0x0) \n",
        "SYSCALL[7,1](3) sys_close ( 5 )[sync] --> Success(0x0)I  0010e588,3x\n", "sys_newfstatat ( 429496\n",
        "==8== \n"};
    for (size_t i = 0; i < sizeof mixed / sizeof mixed[0]; i++) {
        char text[2048];
        snprintf(text, sizeof text, "%s%s", silent, mixed[i]);
        r = read_text(text);
        ck_assert_int_eq(r.status, -1);
        ck_assert_msg(strstr(r.err.message, "two processes") != NULL, "%s", r.err.message);
        ck_assert_ptr_nonnull(strstr(r.err.remedy, "--child-silent-after-fork=yes"));
        ck_assert_uint_eq(r.kind[TRACE_FETCH], 3);
        read_free(&r);
    }
}
END_TEST

START_TEST(execve_without_a_result)
{
    struct read r = read_text("I  00000001,1\nSYSCALL[7,1](59) sys_execve ( 0x1(/bin/x), 0x2, 0x3 )\n");
    ck_assert_int_eq(r.status, 0);
    ck_assert_uint_eq(r.kind[TRACE_EXEC], 1);
    read_free(&r);
}
END_TEST

/* --- mappings --- */

START_TEST(maps_names)
{
    static const char *const names[][2] = {{"d/gzip.lackey.zst", "d/gzip.maps.txt"},
                                           {"gzip.lackey", "gzip.maps.txt"},
                                           {"a.log.gz", "a.maps.txt"},
                                           {"/x.y/trace", "/x.y/trace.maps.txt"},
                                           {"d/.xz", "d/.xz.maps.txt"},
                                           {"my.prog", "my.prog.maps.txt"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *n = trace_maps_name(names[i][0]);
        ck_assert_str_eq(n, names[i][1]);
        free(n);
    }
}
END_TEST

static int maps_of(struct trace_maps *m, const char *text, struct err *err)
{
    struct trace_input *in;
    ck_assert_int_eq(trace_input_open_memory(&in, text, strlen(text), "maps", err), 0);
    int rc = trace_maps_read(m, in, err);
    trace_input_close(in);
    return rc;
}

START_TEST(maps_valgrind)
{
    struct trace_maps m;
    struct err err = {0};
    ck_assert_int_eq(maps_of(&m,
                             "(0,4,9) /usr/libexec/valgrind/lackey-amd64-linux\n(1,49,7) /usr/bin/g zip\n"
                             "  0: RSVN 0000000000-00000fffff 1048576 ----- SmFixed\n"
                             "1: file 0000108000-000010afff   12288 r---- d=0xfe00 i=1095 o=4096    (1,49)\n"
                             "2: file 0000631000-00019f4fff     19m r-x-- o=0 (7,49)\n"
                             "5: anon 0004035000-0004035fff    4096 rwx--\n"
                             "6:      0004800000-0057ffffff   1336m\n"
                             "7: FILE 0058000000-0058000fff    4096 r---- o=0       (0,4)\n"
                             "9: anon 0000121000-00001e7fff  815104 rw---\n"
                             "26: anon 1ffefff000-1fff000fff    8192 rw---\n",
                             &err),
                     0);
    ck_assert_uint_eq(m.n, 5);
    ck_assert_uint_eq(m.map[0].start, 0x108000);
    ck_assert_uint_eq(m.map[0].length, 12288);
    ck_assert_uint_eq(m.map[0].offset, 4096);
    ck_assert_uint_eq(m.map[0].prot, TRACE_PROT_READ);
    ck_assert_str_eq(m.map[0].path, "/usr/bin/g zip");
    ck_assert_uint_eq(m.map[1].length, 0x19f5000 - 0x631000);
    ck_assert_ptr_null(m.map[1].path);
    ck_assert_uint_eq(m.map[2].flags, TRACE_F_ANON | TRACE_F_HEAP);
    ck_assert_uint_eq(m.map[3].flags, TRACE_F_ANON);
    ck_assert_uint_eq(m.map[4].flags, TRACE_F_ANON | TRACE_F_STACK);
    trace_maps_free(&m);
}
END_TEST

START_TEST(maps_proc)
{
    struct trace_maps m;
    struct err err = {0};
    ck_assert_int_eq(maps_of(&m,
                             "00400000-0040b000 r-xp 00001000 fe:01 81   /bin/x y\n"
                             "0060b000-0062c000 rw-p 00000000 00:00 0    [heap]\n"
                             "7f0000000000-7f0000001000 rw-s 00000000 00:00 0 \n"
                             "7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0   [stack]\n"
                             "7ffc00031000-7ffc00032000 r-xp 00000000 00:00 0   [vdso]\n",
                             &err),
                     0);
    ck_assert_uint_eq(m.n, 5);
    ck_assert_str_eq(m.map[0].path, "/bin/x y");
    ck_assert_uint_eq(m.map[0].offset, 0x1000);
    ck_assert_uint_eq(m.map[0].prot, TRACE_PROT_READ | TRACE_PROT_EXEC);
    ck_assert_uint_eq(m.map[1].flags, TRACE_F_ANON | TRACE_F_HEAP);
    ck_assert_uint_eq(m.map[3].flags, TRACE_F_ANON | TRACE_F_STACK);
    trace_maps_free(&m);
    ck_assert_int_eq(maps_of(&m, "00400000-0040b000 r-xp 00001000 fe:01 81   /bin/x\nwhat is this\n", &err),
                     -1);
    ck_assert_uint_eq(err.line, 2);
    ck_assert_str_eq(err.file, "maps");
}
END_TEST

START_TEST(maps_beside_the_trace)
{
    struct trace *t;
    struct err err = {0};
    ck_assert_int_eq(trace_open(&t, SAMPLE("small.lackey"), NULL, &err), 0);
    struct read r = read_trace(t);
    ck_assert_int_eq(r.status, 0);
    ck_assert_uint_eq(r.kind[TRACE_SEGMENT], 6);
    ck_assert_uint_eq(r.rec[0].kind, TRACE_FILEID);
    ck_assert_uint_eq(r.rec[find_record(&r, TRACE_SEGMENT, 0)].addr, 0x400000);
    /* The same again after going back. */
    ck_assert_int_eq(trace_rewind(t, &err), 0);
    struct read again = read_trace(t);
    ck_assert_uint_eq(again.n, r.n);
    ck_assert_mem_eq(again.rec, r.rec, r.n * sizeof *r.rec);
    read_free(&again);
    read_free(&r);
    trace_close(t);
    ck_assert_int_eq(trace_open(&t, SAMPLE("small.lackey"), &(struct trace_options){.no_maps = true}, &err),
                     0);
    r = read_trace(t);
    ck_assert_uint_eq(r.kind[TRACE_SEGMENT], 0);
    ck_assert_uint_eq(r.kind[TRACE_FETCH], 3675);
    read_free(&r);
    trace_close(t);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("readers_lackey");
    TCase *c = tcase_create("lackey");
    tcase_set_timeout(c, 240);
    tcase_add_test(c, hex8);
    tcase_add_test(c, references);
    tcase_add_test(c, broken_lines);
    tcase_add_test(c, long_input_over_windows);
    tcase_add_test(c, address_space_calls);
    tcase_add_test(c, threads);
    tcase_add_test(c, processes);
    tcase_add_test(c, execve_without_a_result);
    tcase_add_test(c, maps_names);
    tcase_add_test(c, maps_valgrind);
    tcase_add_test(c, maps_proc);
    tcase_add_test(c, maps_beside_the_trace);
    suite_add_tcase(s, c);
    return run_suite(s);
}
