/* The structural check, address ranges, the address set and symbol names. */
#include "readers_util.h"
#include "traces/analysis/addrset.h"
#include "traces/analysis/check.h"
#include "traces/analysis/space.h"
#include "traces/analysis/symbols.h"

#include <unistd.h>

/* --- addrset: against a plain table --- */

START_TEST(addrset_against_a_table)
{
    enum { N = 512 };
    struct addrset s = {0};
    bool in[N] = {false};
    size_t count = 0;
    uint64_t x = 1;
    for (int k = 0; k < 200000; k++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        unsigned i = (unsigned)(x >> 40) % N;
        /* the two ends, neighbours, and numbers all over */
        uint64_t v = i == 0 ? UINT64_MAX : i < N / 2 ? i - 1 : i * 0x9e3779b97f4a7c15u;
        if (x >> 63) {
            ck_assert_int_eq(addrset_add(&s, v), !in[i]);
            count += !in[i];
            in[i] = true;
        } else {
            ck_assert_int_eq(addrset_remove(&s, v), in[i]);
            count -= in[i];
            in[i] = false;
        }
        ck_assert_uint_eq(addrset_count(&s), count);
        ck_assert_int_eq(addrset_has(&s, v), in[i]);
    }
    addrset_fini(&s);
}
END_TEST

/* --- records by hand --- */

struct log {
    unsigned n;
    struct {
        enum trace_check_kind kind;
        uint64_t record;
    } at[32];
};

static void take(void *ctx, const struct trace_problem *p)
{
    struct log *l = ctx;
    ck_assert_uint_lt(l->n, 32);
    ck_assert_int_ne(p->text[0], 0);
    l->at[l->n].kind = p->kind;
    l->at[l->n++].record = p->record;
}

/* One thread's records, each {kind, flags, addr, size, number of words, words}. */
struct one {
    uint8_t kind, flags;
    uint64_t addr;
    uint32_t size;
    unsigned words;
    uint64_t word[8];
};

static size_t lay_out(struct trace_rec *rec, const struct one *o, size_t n)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned slots = (o[i].words + 1) / 2;
        rec[k] = (struct trace_rec){.addr = o[i].addr,
                                    .size = o[i].size,
                                    .kind = o[i].kind,
                                    .flags = o[i].flags,
                                    .slots = (uint16_t)slots};
        memset(&rec[k + 1], 0, slots * 16u);
        memcpy(&rec[k + 1], o[i].word, o[i].words * 8u);
        k += 1 + slots;
    }
    return k;
}

static struct log check(const struct one *o, size_t n)
{
    struct trace_rec rec[256];
    struct log l = {0};
    struct trace_check *c;
    struct err err = {0};
    size_t k = lay_out(rec, o, n);
    ck_assert_int_eq(trace_check_new(&c, take, &l, &err), 0);
    struct trace_batch b = {.n = k, .rec = rec, .first_record = 100};
    ck_assert_int_eq(trace_check_batch(c, &b, &err), 0);
    ck_assert_uint_eq(trace_check_records(c), n);
    trace_check_free(c);
    return l;
}
#define CHECK(...)                                                                                           \
    check((const struct one[]){__VA_ARGS__}, sizeof((const struct one[]){__VA_ARGS__}) / sizeof(struct one))

static void expect_one(struct log l, enum trace_check_kind kind, uint64_t record)
{
    ck_assert_uint_eq(l.n, 1);
    ck_assert_str_eq(trace_check_name(l.at[0].kind), trace_check_name(kind));
    ck_assert_uint_eq(l.at[0].record, 100 + record);
}

#define SEG(at, length)                                                                                      \
    {                                                                                                        \
        TRACE_SEGMENT, TRACE_F_ANON, at, 3, 3,                                                               \
        {                                                                                                    \
            length, 0, 0                                                                                     \
        }                                                                                                    \
    }
#define MAP(at, length)                                                                                      \
    {                                                                                                        \
        TRACE_MMAP, 0, 0, 0, 7,                                                                              \
        {                                                                                                    \
            length, 3, 34, (uint64_t)-1, 0, at, 0 /* private and anonymous: the kernel chose the place */    \
        }                                                                                                    \
    }
#define UNMAP(at, length)                                                                                    \
    {                                                                                                        \
        TRACE_MUNMAP, 0, at, 0, 2,                                                                           \
        {                                                                                                    \
            length, 0                                                                                        \
        }                                                                                                    \
    }
#define REF(at, size)                                                                                        \
    {                                                                                                        \
        TRACE_LOAD, 0, at, size, 0,                                                                          \
        {                                                                                                    \
            0                                                                                                \
        }                                                                                                    \
    }

START_TEST(each_problem)
{
    expect_one(CHECK({200, 0, 0, 0, 0, {0}}), TRACE_CHECK_MALFORMED, 0);
    expect_one(CHECK({TRACE_MUNMAP, 0, 0x1000, 0, 0, {0}}, REF(0x1000, 1)), TRACE_CHECK_MALFORMED, 0);
    expect_one(CHECK(REF(0x1000, 8), REF(0x1000, 0)), TRACE_CHECK_SIZE, 1);
    expect_one(CHECK(REF(UINT64_MAX - 6, 8)), TRACE_CHECK_SIZE, 0);
    expect_one(CHECK(REF(0x0100000000000000, 8)), TRACE_CHECK_NONCANONICAL, 0);
    expect_one(
        CHECK({TRACE_TIME, 0, 50, 0, 0, {0}}, {TRACE_TIME, 0, 50, 0, 0, {0}}, {TRACE_TIME, 0, 49, 0, 0, {0}}),
        TRACE_CHECK_TIME, 2);
    expect_one(CHECK(SEG(0x1000, 0x2000), SEG(0x3000, 0x1000), SEG(0x2000, 0x800)), TRACE_CHECK_SEGMENT, 2);
    expect_one(CHECK(SEG(0x1000, 0)), TRACE_CHECK_RANGE, 0);
    expect_one(CHECK(MAP(0x7000, 0)), TRACE_CHECK_RANGE, 0);
    expect_one(CHECK(MAP(0x7000, 0x2000), UNMAP(0x8000, 0x1000), REF(0x7ff8, 8), REF(0x7ffc, 8)),
               TRACE_CHECK_AFTER_UNMAP, 3);
    expect_one(CHECK(SEG(0x1000, 0x1000), REF(0x1ff8, 8), REF(0x1ffc, 8)), TRACE_CHECK_OUTSIDE, 2);
    expect_one(CHECK({TRACE_MALLOC, 0, 0x10, 0, 1, {8}}, {TRACE_FREE, 0, 0x10, 0, 0, {0}},
                     {TRACE_FREE, 0, 0, 0, 0, {0}}, {TRACE_FREE, 0, 0x10, 0, 0, {0}}),
               TRACE_CHECK_FREE, 3);
    expect_one(CHECK({TRACE_MALLOC, 0, 0x10, 0, 1, {8}}, {TRACE_REALLOC, 0, 0x10, 0, 2, {16, 0x40}},
                     {TRACE_MALLOC, 0, 0x10, 0, 1, {8}}, {TRACE_MALLOC, 0, 0x40, 0, 1, {8}}),
               TRACE_CHECK_MALLOC, 3);
    expect_one(CHECK({TRACE_SEGMENT, 0, 0x1000, 3, 3, {0x1000, 0, 9}}), TRACE_CHECK_FILE, 0);
    expect_one(CHECK({TRACE_EXIT, 0, 0, 0, 0, {0}}, REF(1, 1), REF(2, 1)), TRACE_CHECK_THREAD, 1);
    expect_one(CHECK({TRACE_BRANCH, 0, 0, 0, 0, {0}}), TRACE_CHECK_ORPHAN, 0);
    expect_one(CHECK(MAP(0x7000, 0x3000), MAP(0xa000, 0x1000), MAP(0x9000, 0x1000)), TRACE_CHECK_OVERLAP, 2);
    expect_one(CHECK(SEG(0x10000, 0x1000), MAP(0x10000, 0x1000)), TRACE_CHECK_OVERLAP, 1);
    expect_one(CHECK(MAP(0x7000, 0x1000), MAP(0x9000, 0x1000),
                     {TRACE_MREMAP, 0, 0x7000, 0, 5, {0x1000, 0x2000, 1, 0, 0x8000}}),
               TRACE_CHECK_OVERLAP, 2);
    expect_one(CHECK(SEG(0x10000, 0x1000), UNMAP(0x10000, 0x1000), UNMAP(0x10000, 0x1000)),
               TRACE_CHECK_UNMAP_NOTHING, 2);
    expect_one(CHECK({TRACE_SEGMENT, TRACE_F_ANON, 0x1000, 1, 3, {0x1000, 0, 0}}, REF(0x1000, 8),
                     {TRACE_STORE, 0, 0x1000, 8, 0, {0}}),
               TRACE_CHECK_RIGHTS, 2);
    expect_one(CHECK(MAP(0x7000, 0x3000), {TRACE_MPROTECT, 0, 0x8000, 0, 3, {0x1000, 0, 0}}, REF(0x7ff8, 8),
                     REF(0x9000, 8), REF(0x8ff8, 8), {TRACE_MPROTECT, 0, 0x8000, 0, 3, {0x1000, 1, 0}}, REF(0x8ff8, 8)),
               TRACE_CHECK_RIGHTS, 4);
    expect_one(CHECK(MAP(0x7000, 0x3000), {TRACE_FETCH, 0, 0x7000, 4, 0, {0}}), TRACE_CHECK_RIGHTS, 1);
    expect_one(CHECK(REF(1, 1), {TRACE_CLONE, 0, 1, 0, 0, {0}}, {TRACE_CLONE, 0, 0, 0, 0, {0}}), TRACE_CHECK_CHILD, 2);
    expect_one(CHECK(REF(1, 1), {TRACE_FORK, 0, 1, 0, 0, {0}}), TRACE_CHECK_CHILD, 1);
    expect_one(CHECK({TRACE_PAGE_FREE, 0, 5, 0, 1, {0}}), TRACE_CHECK_KERNEL_FREE, 0);
    expect_one(CHECK({TRACE_KMALLOC, 0, 0x80, 8, 3, {8, 0, 0}}, {TRACE_KFREE, 0, 0x80, 0, 1, {0}},
                     {TRACE_KMALLOC, 0, 0x80, 8, 3, {8, 0, 0}}, {TRACE_KMALLOC, 0, 0x80, 8, 3, {8, 0, 0}}),
               TRACE_CHECK_KERNEL_ALLOC, 3);
    for (enum trace_check_kind k = 0; k < TRACE_CHECK_KINDS; k++) {
        ck_assert_int_ne(trace_check_name(k)[0], 0);
        ck_assert_int_ne(trace_check_help(k)[0], 0);
    }
}
END_TEST

START_TEST(what_is_right)
{
    struct log l = CHECK(
        SEG(0x10000, 0x1000), {TRACE_SEGMENT, TRACE_F_ANON | TRACE_F_HEAP, 0x20000, 3, 3, {0x1000, 0, 0}},
        {TRACE_SEGMENT, TRACE_F_ANON | TRACE_F_STACK, 0x7fff000000, 3, 3, {0x2000, 0, 0}}, REF(0x10000, 8),
        REF(0x20ff8, 8), {TRACE_BRK, 0, 0, 0, 1, {0x20000}}, {TRACE_BRK, 0, 0x25001, 0, 1, {0x25001}},
        REF(0x25ff8, 8), {TRACE_BRK, 0, 0x21000, 0, 1, {0x21000}}, REF(0x20ff8, 8),
        REF(0x7fff000000 - 0x5000, 8), REF(0x7fff000000 - 0x100000, 8), /* the stack grows */
        MAP(0x40000, 0x3000), {TRACE_MREMAP, 0, 0x41000, 0, 5, {0x1000, 0x4000, 1, 0, 0x80000}},
        REF(0x83ff8, 8), REF(0x40ff8, 8), REF(0x42000, 8), UNMAP(0x40000, 0x1000), MAP(0x40000, 0x1000),
        REF(0x40ff8, 8), {TRACE_MMAP, TRACE_F_FAILED, 0, 0, 7, {0, 3, 34, (uint64_t)-1, 0, (uint64_t)-22, 0}},
        {TRACE_LOAD, TRACE_F_KERNEL, 0x1000, 8, 0, {0}}, REF(0xffffffffff600000, 8));
    ck_assert_uint_eq(l.n, 0);
    /* Without segments nothing is outside. */
    l = CHECK(MAP(0x40000, 0x1000), REF(0x90000, 8));
    ck_assert_uint_eq(l.n, 0);
    /* After exec nothing is known of the new program. */
    l = CHECK(SEG(0x10000, 0x1000), {TRACE_EXEC, 0, 0, 0, 0, {0}}, REF(0x90000, 8));
    ck_assert_uint_eq(l.n, 0);
    /* The heap was given back. */
    expect_one(CHECK(SEG(0x10000, 0x1000), {TRACE_BRK, 0, 0, 0, 1, {0x20000}},
                     {TRACE_BRK, 0, 0, 0, 1, {0x23000}}, REF(0x22ff8, 8), {TRACE_BRK, 0, 0, 0, 1, {0x22000}},
                     REF(0x22ff8, 8)),
               TRACE_CHECK_AFTER_UNMAP, 5);
    /* MREMAP leaves its old place. */
    expect_one(CHECK(MAP(0x40000, 0x1000), {TRACE_MREMAP, 0, 0x40000, 0, 5, {0x1000, 0x1000, 1, 0, 0x80000}},
                     REF(0x40000, 8)),
               TRACE_CHECK_AFTER_UNMAP, 2);
    /* Far below the stack is not the stack. */
    expect_one(CHECK({TRACE_SEGMENT, TRACE_F_ANON | TRACE_F_STACK, 0x7fff000000, 3, 3, {0x1000, 0, 0}},
                     REF(0x7fff001000 - SPACE_STACK_BYTES, 8), REF(0x7fff000ff0 - SPACE_STACK_BYTES, 8)),
               TRACE_CHECK_OUTSIDE, 2);
}
END_TEST

/* A process's records. */
static void feed(struct trace_check *c, uint32_t process, uint32_t thread, const struct one *o, size_t n)
{
    struct trace_rec rec[64];
    struct err err = {0};
    struct trace_batch b = {.rec = rec, .process = process, .thread = thread, .first_record = trace_check_records(c)};
    b.n = lay_out(rec, o, n);
    ck_assert_int_eq(trace_check_batch(c, &b, &err), 0);
}
#define FEED(c, process, thread, ...)                                                                                \
    feed(c, process, thread, (const struct one[]){__VA_ARGS__}, sizeof((const struct one[]){__VA_ARGS__}) / sizeof(struct one))
#define GOT(at) {TRACE_MALLOC, 0, at, 0, 1, {8}}
#define FREED(at) {TRACE_FREE, 0, at, 0, 0, {0}}

/* A fork copies the objects, an exec forgets them; what another process frees is its own. */
START_TEST(objects_of_processes)
{
    struct log l = {0};
    struct trace_check *c;
    struct err err = {0};
    ck_assert_int_eq(trace_check_new(&c, take, &l, &err), 0);
    FEED(c, 0, 0, GOT(0x10), GOT(0x20), GOT(0x30), FREED(0x30), {TRACE_FORK, 0, 40, 1, 0, {0}}, FREED(0x10));
    FEED(c, 40, 1, FREED(0x10), {TRACE_REALLOC, 0, 0x20, 0, 2, {16, 0x30}}, GOT(0x20), {TRACE_EXEC, 0, 0, 0, 0, {0}}, GOT(0x20));
    FEED(c, 0, 0, FREED(0x20), GOT(0x30));
    ck_assert_uint_eq(l.n, 0);
    FEED(c, 40, 1, FREED(0x30));               /* of the program before */
    FEED(c, 0, 0, FREED(0x20), GOT(0x30));     /* twice each */
    FEED(c, 40, 1, {TRACE_EXIT, 0, 0, 1, 0, {0}});
    FEED(c, 0, 0, {TRACE_FORK, 0, 40, 2, 0, {0}}); /* the number again */
    FEED(c, 40, 2, GOT(0x20), GOT(0x30));
    ck_assert_uint_eq(l.n, 4);
    ck_assert_int_eq(l.at[0].kind, TRACE_CHECK_FREE);
    ck_assert_int_eq(l.at[1].kind, TRACE_CHECK_FREE);
    ck_assert_int_eq(l.at[2].kind, TRACE_CHECK_MALLOC);
    ck_assert_int_eq(l.at[3].kind, TRACE_CHECK_MALLOC);
    trace_check_free(c);
}
END_TEST

/* Ranges against one flag a page: random maps and unmaps. */
START_TEST(space_against_pages)
{
    enum { PAGES = 200 };
    struct spaces all = {0};
    uint8_t state[PAGES] = {0}; /* 1 mapped, 2 gone */
    uint64_t x = 99, base = 0x100000;
    for (int k = 0; k < 20000; k++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        unsigned at = (unsigned)(x >> 33) % PAGES, n = 1 + (unsigned)(x >> 50) % 20;
        if (at + n > PAGES)
            n = PAGES - at;
        struct trace_rec rec[8];
        bool map = x >> 63;
        struct one o =
            map ? (struct one)MAP(base + at * 4096, n * 4096) : (struct one)UNMAP(base + at * 4096, n * 4096);
        if (map)
            o.word[2] = 0x32; /* with MAP_FIXED: it may lie upon another */
        lay_out(rec, &o, 1);
        ck_assert_int_eq(spaces_apply(&all, 0, rec), SPACE_OK);
        memset(state + at, map ? 1 : 2, n);
        for (unsigned p = 0; p < PAGES; p += (unsigned)k % 7 + 1) {
            ck_assert_int_eq(space_find(&all.space[0], base + p * 4096 + 4095) != NULL, state[p] == 1);
            ck_assert_int_eq(space_is_gone(&all.space[0], base + p * 4096), state[p] == 2);
        }
    }
    /* A child has its own copy. */
    struct trace_rec fork = {.addr = 1, .size = 1, .kind = TRACE_FORK}, rec[8];
    ck_assert_int_eq(spaces_apply(&all, 0, &fork), SPACE_OK);
    struct one o = UNMAP(base, PAGES * 4096);
    lay_out(rec, &o, 1);
    spaces_apply(&all, 0, rec);
    for (unsigned p = 0; p < PAGES; p++) {
        ck_assert_ptr_null(space_find(&all.space[0], base + p * 4096));
        ck_assert_int_eq(space_find(&all.space[1], base + p * 4096) != NULL, state[p] == 1);
    }
    spaces_fini(&all);
}
END_TEST

/* --- symbols: of this very program --- */

static void put_file(struct trace_symbols *s, uint64_t id, const char *path)
{
    struct trace_rec rec[300] = {{.addr = id, .kind = TRACE_FILEID}};
    rec[0].slots = trace_slots_bytes(strlen(path));
    memcpy(&rec[1], path, strlen(path));
    trace_symbols_record(s, 0, rec);
}

static int a_symbol_to_find[4] = {1, 2, 3, 4};

START_TEST(names_of_our_own)
{
    struct trace_symbols *s;
    struct err err = {0};
    char path[4096], buf[256], want[256];
    FILE *f = fopen("/proc/self/maps", "r");
    ssize_t len = readlink("/proc/self/exe", path, sizeof path - 1);
    if (!f || len <= 0) {
        printf("skipped: there is no /proc\n");
        return;
    }
    path[len] = '\0';
    ck_assert_int_eq(trace_symbols_new(&s, &err), 0);
    put_file(s, 1, path);
    char line[4600];
    while (fgets(line, sizeof line, f)) {
        unsigned long start, end, offset;
        ck_assert_int_eq(sscanf(line, "%lx-%lx %*s %lx", &start, &end, &offset), 3);
        struct trace_rec rec[8];
        struct one o = {TRACE_SEGMENT, 0, start, 1, 3, {end - start, offset, strstr(line, path) ? 1 : 0}};
        lay_out(rec, &o, 1);
        trace_symbols_record(s, 0, rec);
    }
    fclose(f);
    const char *base = strrchr(path, '/') + 1;
    snprintf(want, sizeof want, "a_symbol_to_find (%s)", base);
    ck_assert_str_eq(trace_symbols_name(s, 0, (uintptr_t)a_symbol_to_find, buf, sizeof buf), want);
    snprintf(want, sizeof want, "a_symbol_to_find+0xc (%s)", base);
    ck_assert_str_eq(trace_symbols_name(s, 0, (uintptr_t)&a_symbol_to_find[3], buf, sizeof buf), want);
    trace_symbols_name(s, 0, (uintptr_t)&put_file + 1, buf, sizeof buf);
    snprintf(want, sizeof want, "put_file+0x1 (%s)", base);
    ck_assert_str_eq(buf, want);
    ck_assert_str_eq(trace_symbols_name(s, 0, 0x10, buf, sizeof buf), "");
    ck_assert_str_eq(trace_symbols_name(s, 7, 0x10, buf, sizeof buf), "");
    trace_symbols_free(s);
}
END_TEST

/* Our own program cut off at many places, and a file that is no ELF at all: no name, but never a crash. */
START_TEST(names_of_broken_files)
{
    char exe[4096], cut[] = "/tmp/mmulab-symbols-XXXXXX", buf[256];
    ssize_t len = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (len <= 0)
        return;
    exe[len] = '\0';
    size_t n;
    char *image = slurp(exe, &n);
    int fd = mkstemp(cut);
    ck_assert_int_ge(fd, 0);
    for (unsigned k = 0; k < 40; k++) {
        struct trace_symbols *s;
        struct err err = {0};
        size_t keep = k == 0 ? 0 : k == 1 ? 3000 : n * k / 40;
        ck_assert_int_eq(ftruncate(fd, 0), 0);
        ck_assert_int_eq(pwrite(fd, image, keep, 0), (ssize_t)keep);
        ck_assert_int_eq(trace_symbols_new(&s, &err), 0);
        put_file(s, 1, cut);
        struct trace_rec rec[8];
        struct one o = {TRACE_SEGMENT, 0, 0x100000, 1, 3, {n, 0, 1}};
        lay_out(rec, &o, 1);
        trace_symbols_record(s, 0, rec);
        for (uint64_t a = 0; a < n; a += 4097)
            trace_symbols_name(s, 0, 0x100000 + a, buf, sizeof buf);
        trace_symbols_free(s);
    }
    close(fd);
    unlink(cut);
    free(image);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("readers_check");
    TCase *c = tcase_create("check");
    tcase_set_timeout(c, 240);
    tcase_add_test(c, addrset_against_a_table);
    tcase_add_test(c, each_problem);
    tcase_add_test(c, what_is_right);
    tcase_add_test(c, objects_of_processes);
    tcase_add_test(c, space_against_pages);
    tcase_add_test(c, names_of_our_own);
    tcase_add_test(c, names_of_broken_files);
    suite_add_tcase(s, c);
    return run_suite(s);
}
