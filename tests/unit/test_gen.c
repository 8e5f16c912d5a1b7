/* Made-up traces: closed forms of every pattern, the same for the same seed, clean in the structural check.
 */
#include "traces/analysis/addrset.h"
#include "traces/analysis/check.h"
#include "traces/gen/gen.h"
#include "traces/gen/gen_pattern.h"
#include "traces/input.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BASE 0x100000000000ull

struct made {
    struct trace_rec *rec;
    uint32_t *thread;
    size_t n, cap;
    uint64_t kind[256];
    uint64_t of_thread[64]; /* data references */
};

static int take(void *ctx, uint32_t thread, const struct trace_rec *rec, size_t n, struct err *err)
{
    struct made *m = ctx;
    (void)err;
    if (m->n + n > m->cap) {
        m->cap = (m->n + n) * 2;
        m->rec = realloc(m->rec, m->cap * sizeof *m->rec);
        m->thread = realloc(m->thread, m->cap * sizeof *m->thread);
        ck_assert_ptr_nonnull(m->rec);
        ck_assert_ptr_nonnull(m->thread);
    }
    memcpy(m->rec + m->n, rec, n * sizeof *rec);
    for (size_t i = 0; i < n; i++)
        m->thread[m->n + i] = thread;
    for (size_t i = 0; i < n; i += 1u + rec[i].slots) {
        ck_assert_ptr_null(trace_rec_problem(&rec[i], n - i));
        m->kind[rec[i].kind]++;
        if (rec[i].kind >= TRACE_LOAD && rec[i].kind <= TRACE_MODIFY)
            m->of_thread[thread % 64]++;
    }
    m->n += n;
    return 0;
}

/* `sets` is "key=value key=value ...". */
static struct made make(const char *kind, uint64_t count, uint32_t threads, const char *sets)
{
    struct trace_gen_config c;
    struct err err = {0};
    struct made m = {0};
    char copy[512];
    trace_gen_defaults(&c);
    snprintf(copy, sizeof copy, "%s", sets);
    for (char *save, *s = strtok_r(copy, " ", &save); s; s = strtok_r(NULL, " ", &save))
        ck_assert_msg(trace_gen_set(&c, s, &err) == 0, "%s", err.message);
    ck_assert_msg(trace_gen(kind, count, threads, &c, take, &m, &err) == 0, "%s", err.message);
    return m;
}

static void made_free(struct made *m)
{
    free(m->rec);
    free(m->thread);
}

static uint64_t data_refs(const struct made *m)
{
    return m->kind[TRACE_LOAD] + m->kind[TRACE_STORE] + m->kind[TRACE_MODIFY];
}
static bool is_data(const struct trace_rec *r)
{
    return r->kind >= TRACE_LOAD && r->kind <= TRACE_MODIFY;
}

START_TEST(sequential_closed_form)
{
    struct made m = make("sequential", 1000, 1, "size=800B with_fetch=false");
    ck_assert_uint_eq(m.kind[TRACE_LOAD], 1000);
    ck_assert_uint_eq(m.kind[TRACE_FETCH], 0);
    ck_assert_uint_eq(m.kind[TRACE_MMAP], 1);
    ck_assert_uint_eq(m.kind[TRACE_EXIT], 1);
    uint64_t k = 0;
    for (size_t i = 0; i < m.n; i += 1u + m.rec[i].slots)
        if (is_data(&m.rec[i])) {
            ck_assert_uint_eq(m.rec[i].addr, BASE + k % 100 * 8);
            ck_assert_uint_eq(m.rec[i].size, 8);
            k++;
        }
    made_free(&m);
}
END_TEST

START_TEST(strided_closed_form)
{
    struct made m = make("strided", 5000, 1, "size=64KiB stride=192B element=64B access=4B with_fetch=false");
    uint64_t k = 0;
    for (size_t i = 0; i < m.n; i += 1u + m.rec[i].slots)
        if (is_data(&m.rec[i]))
            ck_assert_uint_eq(m.rec[i].addr, BASE + k++ * 192 % 65536);
    ck_assert_uint_eq(k, 5000);
    made_free(&m);
}
END_TEST

START_TEST(the_loop_around)
{
    struct made m = make("sequential", 100, 1, "size=4KiB insns=6");
    ck_assert_uint_eq(m.kind[TRACE_FETCH], 600);
    ck_assert_uint_eq(m.kind[TRACE_REGS], 600);
    ck_assert_uint_eq(m.kind[TRACE_BRANCH], 100);
    ck_assert_uint_eq(m.kind[TRACE_SEGMENT], 1);
    /* Each fetch follows the one before it, or is where the branch goes. */
    uint64_t next = 0;
    unsigned taken = 0;
    for (size_t i = 0; i < m.n; i += 1u + m.rec[i].slots) {
        const struct trace_rec *r = &m.rec[i];
        if (r->kind == TRACE_FETCH) {
            ck_assert(next == 0 || r->addr == next);
            next = r->addr + r->size;
        } else if (r->kind == TRACE_BRANCH) {
            taken += r->flags & TRACE_F_TAKEN;
            if (r->flags & TRACE_F_TAKEN)
                next = r->addr;
        }
    }
    ck_assert_uint_eq(taken, 99);
    made_free(&m);
    m = make("gups", 100, 1, "size=4KiB insns=1 regs=false");
    ck_assert_uint_eq(m.kind[TRACE_FETCH], 100);
    ck_assert_uint_eq(m.kind[TRACE_BRANCH] + m.kind[TRACE_REGS], 0);
    ck_assert_uint_eq(m.kind[TRACE_MODIFY], 100);
    made_free(&m);
}
END_TEST

START_TEST(chase_is_one_cycle)
{
    static const unsigned sizes[] = {1, 2, 3, 64, 1000};
    for (unsigned k = 0; k < 5; k++) {
        char sets[64];
        unsigned nodes = sizes[k];
        snprintf(sets, sizeof sets, "size=%uB element=64B with_fetch=false", nodes * 64);
        struct made m = make("chase", nodes * 3ull, 1, sets);
        uint64_t *seen = calloc(nodes, sizeof *seen), n = 0, first = 0;
        ck_assert_ptr_nonnull(seen);
        for (size_t i = 0; i < m.n; i += 1u + m.rec[i].slots)
            if (is_data(&m.rec[i])) {
                uint64_t node = (m.rec[i].addr - BASE) / 64;
                ck_assert_uint_eq((m.rec[i].addr - BASE) % 64, 0);
                ck_assert_uint_lt(node, nodes);
                ck_assert_uint_eq(seen[node], n / nodes); /* once in each round */
                seen[node]++;
                if (n == 0)
                    first = node;
                if (n == nodes)
                    ck_assert_uint_eq(node, first);
                n++;
            }
        ck_assert_uint_eq(n, nodes * 3ull);
        free(seen);
        made_free(&m);
    }
}
END_TEST

START_TEST(chase_depends_on_itself)
{
    struct made m = make("chase", 50, 1, "size=4KiB");
    for (size_t i = 0; i < m.n; i += 1u + m.rec[i].slots)
        if (m.rec[i].kind == TRACE_LOAD) {
            uint64_t regs = m.rec[i - 1].addr; /* FETCH REGS LOAD */
            ck_assert_uint_eq(m.rec[i - 1].kind, TRACE_REGS);
            ck_assert_uint_eq(m.rec[i - 2].kind, TRACE_FETCH);
            ck_assert_uint_eq(regs & 0xff, regs >> 16 & 0xff); /* writes what it reads */
        } else if (m.rec[i].kind == TRACE_REGS && m.rec[i + 1].kind == TRACE_FETCH) {
            ck_assert_uint_ne(m.rec[i].addr & 0xff, 3); /* the work on the side leaves the pointer alone */
        }
    made_free(&m);
}
END_TEST

/* Frequencies of rank k against k^-s / H: each of the first ranks within 5 standard deviations; chi-square
 * over all. */
START_TEST(zipf_frequencies)
{
    static const double exponents[] = {0, 0.5, 0.99, 1, 1.5, 3};
    enum { N = 1000, DRAWS = 400000 };
    double s = exponents[_i], norm = 0, chi = 0, cells = 0;
    char sets[128];
    snprintf(sets, sizeof sets, "size=%uB exponent=%g scatter=false with_fetch=false seed=7", N * 8, s);
    struct made m = make("zipf", DRAWS, 1, sets);
    static uint64_t got[N];
    memset(got, 0, sizeof got);
    for (size_t i = 0; i < m.n; i += 1u + m.rec[i].slots)
        if (is_data(&m.rec[i])) {
            ck_assert_uint_lt((m.rec[i].addr - BASE) / 8, N);
            got[(m.rec[i].addr - BASE) / 8]++;
        }
    for (int k = 1; k <= N; k++)
        norm += pow(k, -s);
    double rest = 0, rest_got = 0;
    for (int k = 1; k <= N; k++) {
        double want = DRAWS * pow(k, -s) / norm, have = (double)got[k - 1];
        if (want >= 10) {
            ck_assert_msg(fabs(have - want) < 5 * sqrt(want) + 1, "s %g rank %d: %g, want %g", s, k, have,
                          want);
            chi += (have - want) * (have - want) / want;
            cells++;
        } else {
            rest += want;
            rest_got += have;
        }
    }
    if (rest >= 10) {
        chi += (rest_got - rest) * (rest_got - rest) / rest;
        cells++;
    }
    /* chi-square has mean cells-1 and variance 2(cells-1). */
    ck_assert_msg(fabs(chi - (cells - 1)) < 5 * sqrt(2 * (cells - 1)), "s %g: chi-square %g of %g cells", s,
                  chi, cells);
    made_free(&m);
}
END_TEST

START_TEST(zipf_scatter_is_one_to_one)
{
    struct made a = make("zipf", 200000, 1, "size=8000B exponent=0.5 with_fetch=false scatter=false");
    struct made b = make("zipf", 200000, 1, "size=8000B exponent=0.5 with_fetch=false scatter=true");
    uint64_t to[1000];
    memset(to, 0xff, sizeof to);
    struct addrset used = {0};
    ck_assert_uint_eq(a.n, b.n);
    for (size_t i = 0; i < a.n; i += 1u + a.rec[i].slots) {
        if (!is_data(&a.rec[i]))
            continue;
        uint64_t from = (a.rec[i].addr - BASE) / 8, element = (b.rec[i].addr - BASE) / 8;
        ck_assert_uint_lt(element, 1000);
        if (to[from] == UINT64_MAX) {
            to[from] = element;
            ck_assert_int_eq(addrset_add(&used, element), 1);
        }
        ck_assert_uint_eq(to[from], element);
    }
    ck_assert_uint_eq(addrset_count(&used), 1000);
    addrset_fini(&used);
    made_free(&a);
    made_free(&b);
}
END_TEST

START_TEST(uniform_and_stores)
{
    struct made m = make("uniform", 100000, 1, "size=1KiB element=64B with_fetch=false store_fraction=0.25");
    double stores = (double)m.kind[TRACE_STORE];
    ck_assert_double_lt(fabs(stores - 25000), 5 * sqrt(100000 * 0.25 * 0.75));
    uint64_t got[16] = {0};
    for (size_t i = 0; i < m.n; i += 1u + m.rec[i].slots)
        if (is_data(&m.rec[i]))
            got[(m.rec[i].addr - BASE) / 64]++;
    for (int i = 0; i < 16; i++)
        ck_assert_double_lt(fabs((double)got[i] - 6250), 5 * sqrt(6250));
    made_free(&m);
}
END_TEST

START_TEST(threads_share_the_work)
{
    struct made m = make("sequential", 1003, 4, "size=4KiB quantum=10 with_fetch=false");
    for (unsigned t = 0; t < 4; t++)
        ck_assert_uint_eq(m.of_thread[t], t < 3 ? 251 : 250);
    ck_assert_uint_eq(m.kind[TRACE_MMAP], 4);
    ck_assert_uint_eq(m.kind[TRACE_CLONE], 3);
    ck_assert_uint_eq(m.kind[TRACE_EXIT], 4);
    for (size_t i = 0; i < m.n; i += 1u + m.rec[i].slots)
        if (is_data(&m.rec[i]))
            ck_assert_uint_eq((m.rec[i].addr - BASE) / 4096, m.thread[i]);
    made_free(&m);
    m = make("uniform", 1000, 4, "size=4KiB shared=true with_fetch=false");
    ck_assert_uint_eq(m.kind[TRACE_MMAP], 1);
    made_free(&m);
}
END_TEST

/* Replays the queue: an element is loaded only after its store, each once, in order. */
START_TEST(producer_is_causal)
{
    static const uint32_t threads[] = {2, 4, 5, 7};
    uint32_t n = threads[_i], queues = n / 2;
    struct made m = make("producer", 50001, n, "size=256KiB element=64B with_fetch=false quantum=7");
    uint64_t bytes = (256ull << 10) / queues / 4096 * 4096, slots = (bytes - 4096) / 64;
    uint64_t put[8] = {0}, taken[8] = {0}, stores = 0, loads = 0;
    ck_assert_uint_eq(data_refs(&m), 50001);
    for (size_t i = 0; i < m.n; i += 1u + m.rec[i].slots) {
        const struct trace_rec *r = &m.rec[i];
        if (!is_data(r))
            continue;
        uint64_t q = (r->addr - BASE) / bytes, offset = (r->addr - BASE) % bytes;
        ck_assert_uint_lt(q, queues);
        ck_assert_uint_eq(q, m.thread[i] / 2 % queues);
        if (offset < 4096)
            continue;
        if (r->kind == TRACE_STORE) {
            ck_assert_uint_eq(m.thread[i] % 2, 0);
            ck_assert_uint_eq((offset - 4096) / 64, put[q] % slots);
            ck_assert_uint_le(++put[q] - taken[q], slots);
            stores++;
        } else {
            ck_assert_uint_eq(m.thread[i] % 2, 1);
            ck_assert_uint_eq((offset - 4096) / 64, taken[q] % slots);
            ck_assert_uint_le(++taken[q], put[q]);
            loads++;
        }
    }
    ck_assert_uint_gt(stores, 4000);
    ck_assert_uint_gt(loads, 4000);
    made_free(&m);
}
END_TEST

static void count_problem(void *ctx, const struct trace_problem *p)
{
    (void)p;
    ++*(unsigned *)ctx;
}

START_TEST(every_kind_is_deterministic_and_clean)
{
    const char *kind = trace_gen_kind_name((unsigned)_i);
    ck_assert_int_gt((int)strlen(trace_gen_kind_help((unsigned)_i)), 10);
    struct made a = make(kind, 20000, 3, "size=1MiB seed=5"), b = make(kind, 20000, 3, "size=1MiB seed=5");
    struct made c = make(kind, 20000, 3, "size=1MiB seed=6");
    ck_assert_uint_eq(data_refs(&a), 20000);
    ck_assert_uint_eq(a.n, b.n);
    ck_assert_mem_eq(a.rec, b.rec, a.n * sizeof *a.rec);
    ck_assert_mem_eq(a.thread, b.thread, a.n * sizeof *a.thread);
    bool random = strcmp(kind, "sequential") && strcmp(kind, "strided") && strcmp(kind, "producer");
    ck_assert(!random || c.n != a.n || memcmp(a.rec, c.rec, a.n * sizeof *a.rec));
    struct trace_check *check;
    struct err err = {0};
    unsigned problems = 0;
    ck_assert_int_eq(trace_check_new(&check, count_problem, &problems, &err), 0);
    for (size_t i = 0; i < a.n;) {
        size_t stop = i;
        while (stop < a.n && a.thread[stop] == a.thread[i])
            stop++;
        struct trace_batch batch = {.thread = a.thread[i], .n = stop - i, .rec = a.rec + i};
        ck_assert_int_eq(trace_check_batch(check, &batch, &err), 0);
        i = stop;
    }
    ck_assert_uint_eq(problems, 0);
    trace_check_free(check);
    made_free(&a);
    made_free(&b);
    made_free(&c);
}
END_TEST

START_TEST(mistakes)
{
    static const char *const sets[] = {
        "size",       "siez=4KiB",   "size=4096",          "size=4KB",  "size=4B",
        "exponent=x", "exponent=-1", "with_fetch=yes",     "base=4096", "insns=0",
        "insns=65",   "seed=-1",     "size=99999999999TiB"};
    struct trace_gen_config c;
    struct err err;
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        trace_gen_defaults(&c);
        err = (struct err){0};
        ck_assert_msg(trace_gen_set(&c, sets[i], &err) == -1, "%s was taken", sets[i]);
        ck_assert_int_eq(err.kind, ERR_USAGE);
    }
    static const struct {
        const char *kind, *set;
        uint32_t threads;
    } bad[] = {{"nothing", "seed=1", 1},
               {"producer", "seed=1", 1},
               {"uniform", "seed=1", 0},
               {"uniform", "element=4B", 1},
               {"uniform", "base=0x1001", 1},
               {"uniform", "base=0x400000", 1},
               {"uniform", "base=0x7fffffff0000", 1},
               {"strided", "stride=12B", 1},
               {"producer", "size=4KiB", 2},
               {"chase", "size=32B", 1}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct made m = {0};
        trace_gen_defaults(&c);
        ck_assert_int_eq(trace_gen_set(&c, bad[i].set, &err), 0);
        err = (struct err){0};
        ck_assert_msg(trace_gen(bad[i].kind, 10, bad[i].threads, &c, take, &m, &err) == -1, "%s %s",
                      bad[i].kind, bad[i].set);
        ck_assert_int_eq(err.kind, ERR_USAGE);
        ck_assert_uint_eq(m.n, 0);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("gen");
    TCase *c = tcase_create("gen");
    tcase_set_timeout(c, 240);
    tcase_add_test(c, sequential_closed_form);
    tcase_add_test(c, strided_closed_form);
    tcase_add_test(c, the_loop_around);
    tcase_add_test(c, chase_is_one_cycle);
    tcase_add_test(c, chase_depends_on_itself);
    tcase_add_loop_test(c, zipf_frequencies, 0, 6);
    tcase_add_test(c, zipf_scatter_is_one_to_one);
    tcase_add_test(c, uniform_and_stores);
    tcase_add_test(c, threads_share_the_work);
    tcase_add_loop_test(c, producer_is_causal, 0, 4);
    tcase_add_loop_test(c, every_kind_is_deterministic_and_clean, 0, 7);
    tcase_add_test(c, mistakes);
    suite_add_tcase(s, c);
    SRunner *sr = srunner_create(s);
    srunner_run_all(sr, CK_NORMAL);
    int failed = srunner_ntests_failed(sr);
    srunner_free(sr);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
