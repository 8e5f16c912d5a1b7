/*
 * The recorded traces have the numbers that the recording's own table says (README.md beside them), and pass
 * the structural check. Reads MMULAB_DATA/traces; absent files are skipped, and said so.
 */
#include "readers_util.h"
#include "traces/analysis/addrset.h"
#include "traces/analysis/check.h"

static const struct recorded {
    const char *file;
    uint64_t fetches, loads, stores, modifies, pages, data_pages;
} table[] = {
    {"user/gzip.lackey.zst", 3911756, 845717, 379657, 13016, 210, 129},
    {"user/sqlite3.lackey.zst", 12017553, 3661523, 1626248, 117292, 639, 322},
    {"user/sort.lackey.zst", 9646985, 2565060, 1281188, 43014, 342, 228},
    {"user/python3.lackey.zst", 14461567, 3398369, 1978729, 160935, 1215, 835},
    {"user/cc1.lackey.zst", 14767601, 3249621, 1895418, 87084, 1902, 1247},
    {"user/chase.lackey.zst", 4796755, 876385, 223705, 1474, 65763, 65682},
};

static struct trace *open_recorded(const char *file, struct trace_options opt)
{
    char path[4096];
    const char *data = getenv("MMULAB_DATA");
    struct trace *t;
    struct err err = {0};
    snprintf(path, sizeof path, "%s/traces/%s", data ? data : MMULAB_SOURCE_DIR "/../shared", file);
    FILE *f = fopen(path, "rb");
    if (!f) {
        printf("skipped: there is no %s\n", path);
        return NULL;
    }
    fclose(f);
    ck_assert_msg(trace_open(&t, path, &opt, &err) == 0, "%s", err.message);
    return t;
}

static void count_problem(void *ctx, const struct trace_problem *p)
{
    printf("record %llu: %s\n", (unsigned long long)p->record, p->text);
    ++*(unsigned *)ctx;
}

START_TEST(counts_and_pages)
{
    const struct recorded *w = &table[_i];
    struct trace *t = open_recorded(w->file, (struct trace_options){.ahead = true});
    if (!t)
        return;
    uint64_t kind[256] = {0};
    struct addrset all = {0}, data = {0};
    struct trace_check *c;
    struct trace_batch b;
    struct err err = {0};
    unsigned problems = 0;
    int got;
    ck_assert_int_eq(trace_check_new(&c, count_problem, &problems, &err), 0);
    while ((got = trace_next(t, &b, &err)) > 0) {
        ck_assert_int_eq(trace_check_batch(c, &b, &err), 0);
        for (size_t i = 0; i < b.n; i += 1u + b.rec[i].slots) {
            const struct trace_rec *r = &b.rec[i];
            kind[r->kind]++;
            if (r->kind > TRACE_REF_MAX)
                continue;
            uint64_t first = r->addr >> 12, last = (r->addr + r->size - 1) >> 12;
            addrset_add(&all, first);
            addrset_add(&all, last);
            if (r->kind != TRACE_FETCH) {
                addrset_add(&data, first);
                addrset_add(&data, last);
            }
        }
    }
    ck_assert_int_eq(got, 0);
    ck_assert_uint_eq(kind[TRACE_FETCH], w->fetches);
    ck_assert_uint_eq(kind[TRACE_LOAD], w->loads);
    ck_assert_uint_eq(kind[TRACE_STORE], w->stores);
    ck_assert_uint_eq(kind[TRACE_MODIFY], w->modifies);
    ck_assert_uint_eq(addrset_count(&all), w->pages);
    ck_assert_uint_eq(addrset_count(&data), w->data_pages);
    ck_assert_uint_ge(kind[TRACE_SEGMENT], 10);
    ck_assert_uint_ge(kind[TRACE_MMAP], 10);
    ck_assert_uint_eq(problems, 0); /* every reference lies in what is mapped */
    trace_check_free(c);
    addrset_fini(&all);
    addrset_fini(&data);
    trace_close(t);
}
END_TEST

/* Counts of branch kinds as the conversion's own log has them. */
START_TEST(champsim_gzip)
{
    struct trace *t = open_recorded("champsim/gzip.champsim.xz", (struct trace_options){.ahead = true});
    if (!t)
        return;
    uint64_t fetches = 0, taken = 0, cond = 0, call = 0, ret = 0, indirect = 0, direct = 0, sized = 0;
    struct trace_batch b;
    struct err err = {0};
    int got;
    while ((got = trace_next(t, &b, &err)) > 0)
        for (size_t i = 0; i < b.n; i++) {
            const struct trace_rec *r = &b.rec[i];
            fetches += r->kind == TRACE_FETCH;
            sized += r->kind == TRACE_FETCH && r->size >= 1 && r->size <= 15;
            if (r->kind != TRACE_BRANCH)
                continue;
            taken += r->flags & TRACE_F_TAKEN;
            if (r->flags & TRACE_F_COND)
                cond++;
            else if (r->flags & TRACE_F_CALL)
                call++;
            else if (r->flags & TRACE_F_RETURN)
                ret++;
            else if (r->flags & TRACE_F_INDIRECT)
                indirect++;
            else
                direct++;
        }
    ck_assert_int_eq(got, 0);
    ck_assert_uint_eq(fetches, 3911756);
    ck_assert_uint_eq(sized, fetches);
    ck_assert_uint_eq(cond, 493152);
    ck_assert_uint_eq(direct, 74826);
    ck_assert_uint_eq(call, 25091);
    ck_assert_uint_eq(ret, 25084);
    ck_assert_uint_eq(indirect, 104);
    ck_assert_uint_eq(taken, 373805);
    trace_close(t);
}
END_TEST

/* A ChampSim instruction's made-up size equals lackey's for nearly all: the rule in champsim.c is no guess.
 */
START_TEST(champsim_sizes_against_lackey)
{
    struct trace *c = open_recorded("champsim/gzip.champsim.xz", (struct trace_options){0});
    struct trace *l = open_recorded("user/gzip.lackey.zst", (struct trace_options){.no_maps = true});
    if (c && l) {
        struct trace_batch bc = {0}, bl = {0};
        struct err err = {0};
        size_t ic = 0, il = 0;
        uint64_t n = 0, equal = 0;
        for (;;) {
            while (ic == bc.n || bc.rec[ic].kind != TRACE_FETCH) {
                if (ic < bc.n)
                    ic += 1u + bc.rec[ic].slots;
                if (ic == bc.n && (ic = 0, trace_next(c, &bc, &err)) <= 0)
                    goto done;
            }
            while (il == bl.n || bl.rec[il].kind != TRACE_FETCH) {
                if (il < bl.n)
                    il += 1u + bl.rec[il].slots;
                if (il == bl.n && (il = 0, trace_next(l, &bl, &err)) <= 0)
                    goto done;
            }
            ck_assert_uint_eq(bc.rec[ic].addr, bl.rec[il].addr);
            equal += bc.rec[ic++].size == bl.rec[il++].size;
            n++;
        }
    done:
        printf("champsim sizes: %llu of %llu are lackey's\n", (unsigned long long)equal,
               (unsigned long long)n);
        ck_assert_uint_eq(n, 3911756);
        ck_assert_uint_ge(equal * 100, n * 90);
    }
    trace_close(c);
    trace_close(l);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("readers_recorded");
    TCase *c = tcase_create("recorded");
    tcase_set_timeout(c, 300);
    tcase_add_loop_test(c, counts_and_pages, 0, sizeof table / sizeof table[0]);
    tcase_add_test(c, champsim_gzip);
    tcase_add_test(c, champsim_sizes_against_lackey);
    suite_add_tcase(s, c);
    return run_suite(s);
}
