/* The file of a checkpoint: every truncation and every altered byte is refused with a message; what differs is named. */
#include "app/checkpoint/checkpoint_file.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

struct thing {
    uint64_t a;
    uint32_t n;
    unsigned char big[70000]; /* more than a buffer of struct state_io */
    unsigned char sparse[40960];
};

static void thing_state(void *self, struct state_io *io)
{
    struct thing *t = self;
    state_mark(io, "thing");
    state_u64(io, &t->a);
    state_u32(io, &t->n);
    state_check(io, t->n < 1000, "too many");
    state_bytes(io, t->big, sizeof t->big);
    state_sparse(io, t->sparse, 0, sizeof t->sparse / 64, 64);
    state_same(io, 42, "answer");
}

static const char warm[] = "mmulab 1\nmmu.dtlb.entries 64\nsim.seed 1\n";
static char path[256];

static void name(void)
{
    snprintf(path, sizeof path, "%s/test_checkpoint_file.%ld/deep/f.warm", MMULAB_BINARY_DIR, (long)getpid());
}

static void make(struct thing *t)
{
    struct err err = {0};
    memset(t, 0, sizeof *t);
    t->a = 0x1122334455667788;
    t->n = 7;
    for (size_t i = 0; i < sizeof t->big; i++)
        t->big[i] = (unsigned char)(i * i >> 3);
    memset(t->sparse + 640, 5, 64);
    t->sparse[40959] = 9;
    ck_assert_msg(checkpoint_write(path, warm, thing_state, t, &err) == 0, "%s", err.message);
}

static unsigned char *slurp(size_t *n)
{
    FILE *f = fopen(path, "rb");
    unsigned char *p = malloc(1 << 20);
    *n = fread(p, 1, 1 << 20, f);
    fclose(f);
    return p;
}

static unsigned char *copy(const unsigned char *p, size_t n)
{
    unsigned char *q = malloc(n + 1);
    memcpy(q, p, n);
    return q;
}

static void clean(void)
{
    char *slash;
    unlink(path);
    for (int i = 0; i < 2 && (slash = strrchr(path, '/')); i++) {
        *slash = 0;
        rmdir(path);
    }
}

START_TEST(test_comes_back)
{
    static struct thing a, b;
    struct checkpoint_file f;
    struct err err = {0};
    name();
    ck_assert_int_eq(checkpoint_open(&f, path, warm, &err), CHECKPOINT_ABSENT);
    checkpoint_close(&f);
    make(&a);
    ck_assert_int_eq(checkpoint_open(&f, path, warm, &err), CHECKPOINT_FITS);
    memset(&b, 0, sizeof b);
    ck_assert_msg(checkpoint_read(&f, thing_state, &b, &err) == 0, "%s", err.message);
    ck_assert(memcmp(&a, &b, sizeof a) == 0);
    checkpoint_close(&f);
    clean();
}
END_TEST

START_TEST(test_says_what_differs)
{
    static struct thing a;
    struct checkpoint_file f;
    struct err err = {0};
    char buf[300];
    name();
    make(&a);
    ck_assert_int_eq(checkpoint_open(&f, path, "mmulab 1\nmmu.dtlb.entries 96\nsim.seed 1\n", &err), CHECKPOINT_OTHER);
    ck_assert_ptr_nonnull(strstr(err.message, "mmu.dtlb.entries is 64 there and 96 here"));
    checkpoint_close(&f);
    checkpoint_difference("a 1\nb 2\nc 3\nd 4\n", "a 2\nb 3\nc 4\nd 5\ne 1\n", buf, sizeof buf);
    ck_assert_str_eq(buf, "a is 1 there and 2 here, b is 2 there and 3 here, c is 3 there and 4 here, and 2 more");
    checkpoint_difference("a 1\nb 2\n", "a 1\nc x\n", buf, sizeof buf);
    ck_assert_str_eq(buf, "b is 2 there and absent here, c is absent there and x here");
    checkpoint_difference("a 1", "a 2", buf, 10);
    ck_assert_str_eq(buf, "a is 1 th");
    clean();
}
END_TEST

START_TEST(test_damage)
{
    static struct thing a;
    struct checkpoint_file f;
    struct err err;
    size_t n;
    name();
    make(&a);
    unsigned char *p = slurp(&n);
    for (size_t cut = 0; cut < n; cut += cut < 200 ? 1 : 97) {
        err = (struct err){0};
        ck_assert_int_eq(checkpoint_open_memory(&f, "x", copy(p, cut), cut, warm, &err), CHECKPOINT_DAMAGED);
        ck_assert(err.message[0] && err.remedy[0]);
        checkpoint_close(&f);
    }
    for (size_t at = 0; at < n; at += at < 200 ? 1 : 89) {
        unsigned char *q = copy(p, n);
        q[at] ^= 0x10;
        err = (struct err){0};
        ck_assert_int_ne(checkpoint_open_memory(&f, "x", q, n, warm, &err), CHECKPOINT_FITS);
        ck_assert(err.message[0] && err.remedy[0]);
        checkpoint_close(&f);
    }
    free(p);
    clean();
}
END_TEST

/* Whoever mends the checksum of an altered or cut file meets the state's own rules. */
START_TEST(test_damage_behind_the_checksum)
{
    static struct thing a, b;
    struct checkpoint_file f;
    size_t n;
    unsigned refused = 0, tried = 0;
    name();
    make(&a);
    unsigned char *p = slurp(&n);
    for (size_t at = CHECKPOINT_HEAD + sizeof warm - 1; at < n; at += 61) {
        for (int cut = 0; cut < 2; cut++) {
            struct err err = {0};
            size_t len = cut ? at : n;
            unsigned char *q = copy(p, n);
            if (!cut)
                q[at] ^= 0x81;
            uint64_t sum = XXH3_64bits(q + CHECKPOINT_HEAD, len - CHECKPOINT_HEAD);
            memcpy(q + 16, &sum, sizeof sum);
            ck_assert_int_eq(checkpoint_open_memory(&f, "x", q, len, warm, &err), CHECKPOINT_FITS);
            memset(&b, 0, sizeof b);
            int r = checkpoint_read(&f, thing_state, &b, &err);
            ck_assert(!cut || r < 0);
            ck_assert(r == 0 || err.message[0]);
            refused += r < 0;
            tried++;
            checkpoint_close(&f);
        }
    }
    ck_assert(refused > tried / 2);
    free(p);
    clean();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("checkpoint_file");
    TCase *t = tcase_create("checkpoint_file");
    tcase_add_test(t, test_comes_back);
    tcase_add_test(t, test_says_what_differs);
    tcase_add_test(t, test_damage);
    tcase_add_test(t, test_damage_behind_the_checksum);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
