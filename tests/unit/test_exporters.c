/*
 * There and back: a trace written in another program's form and read again keeps what that form holds, and what it
 * loses is counted. Samples, and the recorded traces where they are there.
 */
#include "readers_util.h"

#include <sys/stat.h>
#include <unistd.h>

struct dir {
    char path[32];
};

static struct dir dir_new(void)
{
    struct dir d = {"/tmp/exportersXXXXXX"};
    ck_assert_ptr_nonnull(mkdtemp(d.path));
    return d;
}

static void dir_free(struct dir *d, const char *const *names)
{
    char path[96];
    for (; *names; names++) {
        snprintf(path, sizeof path, "%s/%s", d->path, *names);
        unlink(path);
    }
    ck_assert_int_eq(rmdir(d->path), 0);
}

struct lost {
    struct trace_left left[TRACE_LEFT_MAX];
    unsigned n;
};

/* The n of what is left out (or made up) under that name, 0. */
static uint64_t count(const struct lost *l, const char *what)
{
    for (unsigned i = 0; i < l->n; i++)
        if (strstr(l->left[i].what, what))
            return l->left[i].n;
    return 0;
}

static struct lost convert(const char *in, const char *out)
{
    struct lost l = {0};
    struct trace *t;
    struct trace_writer *w;
    struct trace_batch b;
    struct err err = {0};
    int r;
    ck_assert_msg(trace_open(&t, in, NULL, &err) == 0, "%s: %s", in, err.message);
    ck_assert_msg(trace_writer_open(&w, out, &err) == 0, "%s: %s", out, err.message);
    while ((r = trace_next(t, &b, &err)) > 0)
        ck_assert_msg(trace_writer_put(w, b.process, b.thread, b.rec, b.n, &err) == 0, "%s", err.message);
    ck_assert_int_eq(r, 0);
    ck_assert_int_eq(trace_writer_end(w, &err), 0);
    l.n = trace_writer_lost(w, l.left);
    ck_assert_int_eq(trace_writer_put(w, 0, 0, NULL, 0, &err), -1); /* it was ended */
    ck_assert_int_eq(trace_writer_close(w, &err), 0);
    trace_close(t);
    return l;
}

static uint64_t hash_of(const char *path)
{
    struct err err = {0};
    uint64_t h = 0;
    ck_assert_msg(trace_hash(path, &h, &err) == 0, "%s: %s", path, err.message);
    return h;
}

static void write_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fputs("# mmulab trace 1\n", f);
    fputs(text, f);
    ck_assert_int_eq(fclose(f), 0);
}

/* in -> out in another form: the identity is the same, or that of `like`. */
static void same(const char *in, const char *form)
{
    struct dir d = dir_new();
    char out[96], name[32];
    snprintf(name, sizeof name, "x.%s", form);
    snprintf(out, sizeof out, "%s/%s", d.path, name);
    struct lost l = convert(in, out);
    ck_assert_msg(hash_of(in) == hash_of(out), "%s through %s is another trace", in, form);
    (void)l;
    dir_free(&d, (const char *const[]){name, "x.maps.txt", NULL});
}

START_TEST(samples_there_and_back)
{
    same(SAMPLE("small.lackey"), "lackey");
    same(SAMPLE("small.champsim.xz"), "champsim");
    same(SAMPLE("small.din"), "din");
    same(MMULAB_SOURCE_DIR "/tests/fuzz/corpus/qtrace/all", "lackey"); /* threads */
    same(MMULAB_SOURCE_DIR "/tests/fuzz/corpus/lackey/threads", "lackey");
    same(MMULAB_SOURCE_DIR "/tests/fuzz/corpus/lackey/small", "lackey");
    same(SAMPLE("small.pin"), "din");
    same(SAMPLE("small.pin"), "lackey");
    same(SAMPLE("small.din"), "lackey");
    same(MMULAB_SOURCE_DIR "/tests/fuzz/corpus/gem5/header", "mtr");
}
END_TEST

START_TEST(recorded_there_and_back)
{
    static const char *const names[][2] = {{"user/gzip.lackey.zst", "lackey"},
                                           {"user/mt.qtrace.zst", "lackey"},
                                           {"champsim/gzip.champsim.xz", "champsim"}};
    const char *data = getenv("MMULAB_DATA");
    char path[512];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/traces/%s", data ? data : MMULAB_SOURCE_DIR "/../shared", names[i][0]);
        if (access(path, R_OK) != 0)
            printf("skipped: %s is not there\n", path);
        else
            same(path, names[i][1]);
    }
}
END_TEST

/* Everything a lackey file can hold, and some things it cannot. */
START_TEST(lackey_holds)
{
    struct dir d = dir_new();
    char in[64], out[64], back[64];
    snprintf(in, sizeof in, "%s/a.mtt", d.path);
    snprintf(out, sizeof out, "%s/a.lackey", d.path);
    snprintf(back, sizeof back, "%s/b.mtt", d.path);
    static const char kept[] =
        "file 1 \"/bin/x y) --> z\"\n"
        "segment 400000 5 length=8192 offset=4096 file_id=1\n"
        "segment 600000 3 length=4096 offset=0 file_id=0 anon heap\n"
        "segment 7ffff000 3 length=4096 offset=0 file_id=0 anon stack\n"
        "I 400000 4\nL 7ffff008 8\nM 600010 4\n"
        "file 2 \"/lib/y\"\n"
        "mmap 0 length=4096 prot=1 flags=2 fd=3 offset=8192 result=0x700000 file_id=2\n"
        "mmap 0 length=4096 prot=1 flags=2 fd=3 offset=0 result=0x702000 file_id=0\n"
        "mmap 0 length=0 prot=3 flags=34 fd=-1 offset=0 result=-22 file_id=0 failed\n"
        "mremap 700000 old_length=4096 new_length=8192 flags=1 new_address=0 result=0x800000\n"
        "brk 602000 result=0x602000\nmprotect 800000 length=4096 prot=0 result=0\n"
        "madvise 800000 length=4096 advice=4 result=0\nmunmap 700000 length=4096 result=-22 failed\n"
        "syscall 1 a0=1 a1=0x600010 a2=4 a3=0 a4=0 a5=0 result=4\n"
        "clone 1\nT 0 1\nS 7ffff000 8\nT 0 0\nL 7ffff000 8\nexit 3 0\nT 0 1\nexec 0 \"/bin/z\"\nexit 0 1\n";
    char text[sizeof kept + 256];
    snprintf(text, sizeof text, "%stime 5\nmark 1 \"x\"\nT 1 2\nL 10 8\nL 18 8\n", kept);
    write_text(in, text);
    struct lost l = convert(in, out);
    ck_assert_uint_eq(l.n, 3);
    ck_assert_uint_eq(count(&l, "time"), 1);
    ck_assert_uint_eq(count(&l, "mark"), 1);
    ck_assert_uint_eq(count(&l, "other processes"), 2);
    l = convert(out, back);
    ck_assert_uint_eq(l.n, 0);
    size_t n;
    char *got = slurp(back, &n);
    ck_assert_str_eq(strchr(got, '\n') + 1, kept);
    free(got);
    /* Without segments a file of them that stands there would be taken for this trace's. */
    write_text(in, "I 1000 4\n");
    convert(in, out);
    snprintf(back, sizeof back, "%s/a.maps.txt", d.path);
    ck_assert_int_ne(access(back, F_OK), 0);
    dir_free(&d, (const char *const[]){"a.mtt", "a.lackey", "b.mtt", NULL});
}
END_TEST

START_TEST(din_holds)
{
    struct dir d = dir_new();
    char in[64], out[64];
    size_t n;
    snprintf(in, sizeof in, "%s/a.mtt", d.path);
    snprintf(out, sizeof out, "%s/a.din", d.path);
    write_text(in, "I 1000 4\nM 20 16\nT 0 1\nS ff 1 kernel\nbrk 0 result=0\n");
    struct lost l = convert(in, out);
    char *got = slurp(out, &n);
    ck_assert_str_eq(got, "i 1000 4\nr 20 10\nw 20 10\nw ff 1\n");
    free(got);
    ck_assert_uint_eq(l.n, 4);
    ck_assert_uint_eq(count(&l, "load-and-stores"), 1);
    ck_assert_uint_eq(count(&l, "changes of thread"), 1);
    ck_assert_uint_eq(count(&l, "kernel mode"), 1);
    ck_assert_uint_eq(count(&l, "brk"), 1);
    dir_free(&d, (const char *const[]){"a.mtt", "a.din", NULL});
}
END_TEST

/* Branch kinds come back from the registers; without branches they are inferred. */
START_TEST(champsim_branches)
{
    struct dir d = dir_new();
    char in[64], out[64], back[64];
    size_t n;
    snprintf(in, sizeof in, "%s/a.mtt", d.path);
    snprintf(out, sizeof out, "%s/a.champsim", d.path);
    snprintf(back, sizeof back, "%s/b.mtt", d.path);
    write_text(in, "I 1000 4\nbranch 2000 taken\nI 2000 4\nbranch 0 cond\nI 2004 4\nbranch 3000 taken cond\n"
                   "I 3000 4\nbranch 4000 taken indirect\nI 4000 4\nbranch 5000 taken call\nI 5000 4\n"
                   "branch 6000 taken indirect call\nI 6000 4\nbranch 7000 taken return\nI 7000 4\n");
    struct lost l = convert(in, out);
    ck_assert_uint_eq(count(&l, "inferred"), 0);
    convert(out, back);
    char *got = slurp(back, &n);
    static const char *const kinds[] = {"branch 2000 taken\n",          "branch 0 cond\n",
                                        "branch 3000 taken cond\n",     "branch 4000 taken indirect\n",
                                        "branch 5000 taken call\n",     "branch 6000 taken indirect call\n",
                                        "branch 7000 taken return\n"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        ck_assert_msg(strstr(got, kinds[i]) != NULL, "no %s in\n%s", kinds[i], got);
    free(got);
    /* 1000 calls 2000, which returns; 1005 repeats itself; 1008 loops back, then falls through. */
    write_text(in, "I 1000 5\nS 8000 8\nI 2000 1\nL 8000 8\nI 1005 3\nL 9000 1\nS a000 1\nI 1005 3\nL 9001 1\nS a001 1\n"
                   "I 1008 2\nI 1000 5\nS 8000 8\nI 2000 1\nL 8000 8\nI 1005 3\nI 1008 2\nI 100a 4\n");
    l = convert(in, out);
    ck_assert_uint_eq(count(&l, "inferred"), 6);
    convert(out, back);
    got = slurp(back, &n);
    ck_assert_msg(strstr(got, "branch 2000 taken call\n") && strstr(got, "branch 1005 taken return\n") &&
                      strstr(got, "branch 1000 taken cond\n") && strstr(got, "branch 0 cond\n"),
                  "%s", got);
    free(got);
    /* What does not fit is counted. */
    write_text(in, "I 1000 4\nL 10 8\nL 20 8\nL 30 4\nL 40 8\nL 50 8\nS 10 8\nS 20 8\nS 30 8\nL 0 8\nmalloc 10 0 size=5\n"
                   "I 1004 4\nL 60 8\n");
    l = convert(in, out);
    ck_assert_uint_eq(count(&l, "loads beyond"), 1);
    ck_assert_uint_eq(count(&l, "stores beyond"), 1);
    ck_assert_uint_eq(count(&l, "not 8 bytes"), 1);
    ck_assert_uint_eq(count(&l, "address 0"), 1);
    ck_assert_uint_eq(count(&l, "malloc"), 1);
    ck_assert_uint_eq(count(&l, "next address does not tell"), 1); /* the last one's */
    /* A load and a store at one address are one reference there, in whatever order; a load-and-store is none of these. */
    write_text(in, "I 1000 4\nL 10 8\nS 10 8\nI 1004 4\nS 20 8\nL 20 8\nI 1008 4\nM 30 8\nI 100c 4\nM 40 8\nL 40 8\nS 50 8\nI 1010 4\n");
    l = convert(in, out);
    ck_assert_uint_eq(count(&l, "pairs of a load and a store"), 2);
    ck_assert_uint_eq(count(&l, "loads behind a store"), 1);
    convert(out, back);
    got = slurp(back, &n);
    ck_assert_msg(strstr(got, "M 10 8\n") && strstr(got, "M 20 8\n") && strstr(got, "M 30 8\n") && strstr(got, "M 40 8\nL 40 8\nS 50 8\n"), "%s",
                  got);
    free(got);
    /* References without instructions get one each. */
    write_text(in, "L 10 8\nS 20 8\n");
    l = convert(in, out);
    ck_assert_uint_eq(count(&l, "instructions, one for each"), 2);
    ck_assert(l.left[l.n - 1].made_up);
    struct stat st;
    ck_assert_int_eq(stat(out, &st), 0);
    ck_assert_int_eq(st.st_size, 128);
    dir_free(&d, (const char *const[]){"a.mtt", "a.champsim", "b.mtt", NULL});
}
END_TEST

START_TEST(form_names)
{
    ck_assert_str_eq(trace_writer_form_of("a/b.lackey", NULL), "lackey");
    ck_assert_str_eq(trace_writer_form_of("-", NULL), "text");
    ck_assert_str_eq(trace_writer_form_of("-", "din"), "din");
    ck_assert_ptr_null(trace_writer_form_of("x.unknown", NULL));
    ck_assert_ptr_null(trace_writer_form_of("x.mtr", "elf"));
    unsigned n = 0;
    while (trace_writer_form(n))
        n++;
    ck_assert_uint_eq(n, 5);
    struct trace_writer *w;
    struct err err = {0};
    struct trace_writer_options opt = {.form = "elf"};
    ck_assert_int_eq(trace_writer_open_with(&w, "/tmp/x.mtr", &opt, &err), -1);
    ck_assert_msg(strstr(err.remedy, "champsim") != NULL, "%s", err.remedy);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("exporters");
    TCase *tc = tcase_create("all");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, samples_there_and_back);
    tcase_add_test(tc, recorded_there_and_back);
    tcase_add_test(tc, lackey_holds);
    tcase_add_test(tc, din_holds);
    tcase_add_test(tc, champsim_branches);
    tcase_add_test(tc, form_names);
    suite_add_tcase(s, tc);
    return run_suite(s);
}
