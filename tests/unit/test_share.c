/*
 * A trace that one process decodes for several: every reader gets what it gets alone, batch by batch, with the same end, error
 * and description, whatever the others do. Each reader is a process that compares with a trace of its own.
 */
#include "readers_util.h"
#include "scratch.h"
#include "traces/io/share.h"
#include "traces/trace.h"

#include <sys/socket.h>
#include <sys/wait.h>

#define SAMPLE(name) MMULAB_SOURCE_DIR "/traces/samples/" name
#define WINDOW 1u /* a window is a chunk: as many turns as there can be */

enum { READERS_MAX = 8, TO_THE_END = 1u << 30 };

struct reader { /* what one does */
    unsigned batches;  /* then it ends, without a word */
    bool twice;        /* opens the trace a second time, too, and reads that in turn */
    uint64_t seek;     /* after its batches: goes there and reads to the end */
    bool rewinds;      /* the same, to the start */
    bool crashes;      /* after its batches */
};

struct turns { /* one reader's, on both sides */
    pid_t pid;
    int fd;
};

static int ask(void *self)
{
    const struct turns *t = self;
    char c = 'm';
    return send(t->fd, &c, 1, MSG_NOSIGNAL) == 1 && recv(t->fd, &c, 1, 0) == 1 ? 0 : -1;
}

#define SAME(what)                                                                                                     \
    do {                                                                                                               \
        if (!(what)) {                                                                                                 \
            fprintf(stderr, "%s:%d: not the same: %s\n", path, __LINE__, #what);                                       \
            _exit(1);                                                                                                  \
        }                                                                                                              \
    } while (0)

static void same_info(const char *path, struct trace *a, struct trace *b)
{
    struct trace_info x, y;
    trace_get_info(a, &x);
    trace_get_info(b, &y);
    SAME(!strcmp(x.format, y.format) && !strcmp(x.compression, y.compression));
    SAME(x.threads == y.threads && x.processes == y.processes && x.records == y.records && x.refs == y.refs);
    SAME(x.hash == y.hash && x.incomplete == y.incomplete && x.nleft == y.nleft && x.insns == y.insns);
    SAME((x.why == NULL) == (y.why == NULL) && (!x.why || !strcmp(x.why, y.why)));
    for (unsigned i = 0; i < x.nleft; i++)
        SAME(x.left[i].n == y.left[i].n && !strcmp(x.left[i].what, y.left[i].what));
}

/* One batch of each; the end of both is 0 or -1, whose error is the same. */
static int step(const char *path, struct trace *shared, struct trace *alone)
{
    struct trace_batch a, b;
    struct err x = {0}, y = {0};
    int r = trace_next(shared, &a, &x), s = trace_next(alone, &b, &y);
    SAME(r == s);
    if (r > 0) {
        SAME(a.process == b.process && a.thread == b.thread && a.n == b.n && a.first_record == b.first_record);
        SAME(!memcmp(a.rec, b.rec, a.n * sizeof *a.rec));
    } else if (r < 0) {
        SAME(!strcmp(x.message, y.message) && !strcmp(x.file, y.file) && x.line == y.line && !strcmp(x.remedy, y.remedy));
    }
    same_info(path, shared, alone);
    return r;
}

static void __attribute__((noreturn)) read_and_compare(struct trace_share *share, const char *path, const struct reader *what,
                                                       struct turns *turns)
{
    const struct trace_options from = {.share = share};
    struct trace *shared, *alone, *second = NULL, *second_alone = NULL;
    struct err err = {0};
    int r = 1;
    trace_share_read(share, ask, turns);
    SAME(trace_open(&shared, path, &from, &err) == 0 && trace_open(&alone, path, NULL, &err) == 0);
    if (what->twice)
        SAME(trace_open(&second, path, &from, &err) == 0 && trace_open(&second_alone, path, NULL, &err) == 0);
    for (unsigned n = 0; r > 0 && n < what->batches; n++) {
        r = step(path, shared, alone);
        if (second)
            step(path, second, second_alone);
    }
    if (what->crashes)
        raise(SIGKILL);
    if (what->seek || what->rewinds) {
        SAME(what->rewinds ? trace_rewind(shared, &err) == 0 && trace_rewind(alone, &err) == 0
                           : trace_seek(shared, what->seek, &err) == 0 && trace_seek(alone, what->seek, &err) == 0);
        while (step(path, shared, alone) > 0)
            ;
    }
    trace_close(shared);
    trace_close(alone);
    trace_close(second);
    trace_close(second_alone);
    trace_share_free(share);
    _exit(0);
}

/* Lets the readers take turns; returns how many windows there were. */
static unsigned play(const char *path, uint32_t window, const struct reader *what, unsigned n)
{
    struct trace_share *share;
    struct turns turns[READERS_MAX] = {0};
    struct err err = {0};
    unsigned windows = 0, left = n;
    ck_assert_int_eq(trace_share_new(&share, path, window, &err), 0);
    for (; left && trace_share_fill(share, left); windows++) {
        left = 0;
        for (unsigned i = 0; i < n; i++) {
            char c = 'g';
            int pair[2], status = 0;
            if (!windows) {
                ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
                fflush(NULL);
                turns[i].pid = fork();
                ck_assert_int_ge(turns[i].pid, 0);
                if (!turns[i].pid) {
                    for (unsigned k = 0; k < i; k++)
                        close(turns[k].fd);
                    close(pair[0]);
                    turns[i].fd = pair[1];
                    read_and_compare(share, path, &what[i], &turns[i]);
                }
                close(pair[1]);
                turns[i].fd = pair[0];
            } else if (!turns[i].pid || send(turns[i].fd, &c, 1, MSG_NOSIGNAL) != 1) {
                continue;
            }
            if (recv(turns[i].fd, &c, 1, 0) == 1) {
                left++;
                continue;
            }
            close(turns[i].fd);
            ck_assert_int_eq(waitpid(turns[i].pid, &status, 0), turns[i].pid);
            if (what[i].crashes)
                ck_assert(WIFSIGNALED(status));
            else
                ck_assert_msg(WIFEXITED(status) && !WEXITSTATUS(status), "reader %u of %s: status %x", i, path, status);
            turns[i].pid = 0;
        }
    }
    ck_assert_msg(!left, "%s: %u readers want more than there is", path, left);
    trace_share_free(share);
    return windows;
}

static const struct reader all = {.batches = TO_THE_END};

START_TEST(every_form)
{
    static const char *const path[] = {
        SAMPLE("gzip.mtr"), SAMPLE("fork.mtr"), SAMPLE("fork.mtt"), SAMPLE("cow.mtt"), SAMPLE("small.lackey"),
        SAMPLE("small.din"), SAMPLE("small.champsim.xz"), SAMPLE("small.pin"),
    };
    const struct reader three[] = {all, all, all};
    for (size_t i = 0; i < sizeof path / sizeof path[0]; i++) {
        unsigned small = play(path[i], WINDOW, three, 3), large = play(path[i], 0, three, 3);
        ck_assert_uint_ge(small, large);
        if (!i)
            ck_assert_uint_gt(large, 2); /* several windows, also of the usual size */
    }
}
END_TEST

/* How much of the trace is behind the readers: of a form that knows its length; of others only the end is known. */
START_TEST(part)
{
    struct trace_share *share;
    struct err err;
    double before = 0;
    unsigned windows = 0;
    ck_assert_int_eq(trace_share_new(&share, SAMPLE("gzip.mtr"), 1u << 20, &err), 0);
    ck_assert_double_eq(trace_share_part(share), 0);
    for (; trace_share_fill(share, 1); windows++) {
        ck_assert_double_gt(trace_share_part(share), before);
        before = trace_share_part(share);
        if (!windows) /* 5.2 M records in windows of 1 M */
            ck_assert(before > 0.15 && before < 0.25);
    }
    ck_assert_double_eq(before, 1);
    ck_assert_uint_ge(windows, 4);
    trace_share_free(share);
    ck_assert_int_eq(trace_share_new(&share, SAMPLE("small.lackey"), WINDOW, &err), 0);
    ck_assert(trace_share_fill(share, 1));
    ck_assert_double_eq(trace_share_part(share), trace_share_fill(share, 1) ? 0 : 1);
    trace_share_free(share);
}
END_TEST

START_TEST(leavers)
{
    const struct reader what[] = {all,
                                  {.batches = 0},
                                  {.batches = 1},
                                  {.batches = 5},
                                  {.batches = 3, .crashes = true},
                                  {.batches = 100, .crashes = true},
                                  all};
    ck_assert_uint_gt(play(SAMPLE("gzip.mtr"), WINDOW, what, 7), 100);
    /* all are gone before the end: nothing more is decoded */
    ck_assert_uint_le(play(SAMPLE("gzip.mtr"), WINDOW, what + 1, 4), 6);
}
END_TEST

START_TEST(own_ways)
{
    const struct reader what[] = {{.batches = 7, .seek = 100000}, all, {.batches = 20, .rewinds = true},
                                  {.batches = TO_THE_END, .twice = true}, {.batches = 3, .seek = 1u << 30}, all};
    play(SAMPLE("gzip.mtr"), WINDOW, what, 6);
    play(SAMPLE("gzip.mtr"), 0, what, 6);
    play(SAMPLE("small.lackey"), WINDOW, what, 6);
}
END_TEST

/* The first `n` bytes of a file, with one of them changed or not. */
static void write_cut(const char *from, const char *to, long n, long wrong)
{
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    ck_assert(in && out);
    for (long i = 0; i < n; i++) {
        int c = fgetc(in);
        if (c == EOF)
            break;
        fputc(i == wrong ? c ^ 0x55 : c, out);
    }
    fclose(in);
    ck_assert_int_eq(fclose(out), 0);
}

START_TEST(broken)
{
    const struct reader what[] = {all, {.batches = 2}, all};
    struct trace_share *share;
    struct err err = {0};
    scratch_enter();
    long mtr = size_of(SAMPLE("gzip.mtr")), text = size_of(SAMPLE("small.lackey"));
    for (int i = 1; i <= 8; i++) {
        write_cut(SAMPLE("gzip.mtr"), "cut.mtr", mtr * i / 9, -1);
        play("cut.mtr", WINDOW, what, 3);
        write_cut(SAMPLE("gzip.mtr"), "wrong.mtr", mtr, mtr * i / 9);
        play("wrong.mtr", WINDOW, what, 3);
        write_cut(SAMPLE("small.lackey"), "cut.lackey", text * i / 9, -1);
        play("cut.lackey", WINDOW, what, 3);
        write_cut(SAMPLE("small.lackey"), "wrong.lackey", text, text * i / 9);
        play("wrong.lackey", WINDOW, what, 3);
    }
    /* those that cannot be opened are refused here as there */
    write_cut(SAMPLE("gzip.mtr"), "head.mtr", 20, -1);
    write_cut(SAMPLE("gzip.mtr"), "empty.mtr", 0, -1);
    static const char *const no[] = {"head.mtr", "empty.mtr", "none.mtr"};
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(trace_share_new(&share, no[i], 0, &err), -1);
        ck_assert_ptr_null(share);
        ck_assert(err.message[0]);
    }
    scratch_remove();
}
END_TEST

static int nobody(void *self)
{
    ++*(int *)self;
    return -1;
}

START_TEST(decoder_gone)
{
    const char *path = SAMPLE("gzip.mtr");
    struct trace_share *share;
    struct trace *t, *other;
    struct trace_batch b;
    struct err err = {0};
    int asked = 0, r;
    ck_assert_int_eq(trace_share_new(&share, path, WINDOW, &err), 0);
    const struct trace_options from = {.share = share};
    ck_assert(trace_share_fill(share, 2));
    ck_assert_int_eq(trace_open(&other, path, &from, &err), 0); /* no reader yet: the trace is its own */
    trace_share_read(share, nobody, &asked);
    ck_assert_int_eq(trace_open(&t, SAMPLE("fork.mtr"), &from, &err), 0); /* another trace, too */
    while ((r = trace_next(t, &b, &err)) > 0)
        ;
    ck_assert_int_eq(r, 0);
    trace_close(t);
    ck_assert_int_eq(trace_share_waited_ns(share), 0);
    ck_assert_int_eq(trace_open(&t, path, &from, &err), 0);
    uint64_t n = 0;
    while ((r = trace_next(t, &b, &err)) > 0)
        n += b.n;
    ck_assert_int_eq(r, -1);
    ck_assert_int_eq(asked, 1);
    ck_assert(strstr(err.message, "the process that decodes has ended"));
    ck_assert_uint_gt(n, 1000);
    ck_assert_int_eq(trace_rewind(t, &err), 0); /* from here on by itself */
    for (n = 0; (r = trace_next(t, &b, &err)) > 0;)
        n += b.n;
    ck_assert_int_eq(r, 0);
    ck_assert_uint_gt(n, 5000000);
    for (n = 0; trace_next(other, &b, &err) > 0;)
        n += b.n;
    ck_assert_uint_gt(n, 5000000);
    trace_close(t);
    trace_close(other);
    trace_share_free(share);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("share");
    TCase *c = tcase_create("share");
    tcase_set_timeout(c, 60);
    tcase_add_test(c, every_form);
    tcase_add_test(c, part);
    tcase_add_test(c, leavers);
    tcase_add_test(c, own_ways);
    tcase_add_test(c, broken);
    tcase_add_test(c, decoder_gone);
    suite_add_tcase(s, c);
    return run_suite(s);
}
