/* Random machines and workloads: every check holds, and functional mode counts what a timed window of one counts. */
#include "unit/test_machine_util.h"

static void run_case(struct run *r, const struct random_case *c, bool functional)
{
    struct machine_config m = c->m;
    struct rec_list l[RANDOM_CORES];
    uint32_t process[RANDOM_CORES];
    m.sim.checks = true;
    m.sim.mode = functional ? SIM_MODE_FUNCTIONAL : SIM_MODE_TIMED;
    for (size_t k = 0; k < c->n_streams; k++) {
        l[k] = c->rec[k];
        process[k] = c->stream[k].process;
    }
    run_with(r, &m, l, process, (uint32_t)c->n_streams, NULL);
    r->feed[0].l = NULL; /* the lists end here */
}

START_TEST(test_checked_random) /* every check after the run, timed and functional */
{
    for (uint64_t seed = 1; seed <= 60; seed++)
        for (unsigned functional = 0; functional < 2; functional++) {
            struct random_case c;
            struct run r;
            random_case_new(&c, seed * 977, RANDOM_CORES, 300);
            run_case(&r, &c, functional);
            run_end(&r);
            random_case_free(&c);
        }
}
END_TEST

/* Counters of time; what depends on it where nothing else does. */
static bool of_time(const char *path, const char *name)
{
    static const char *const names[] = {"cycles", "latency", "mshr_merges", "mshr_full"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (!strcmp(name, names[i]))
            return true;
    (void)path;
    return false;
}

/*
 * One core with a window of one does one thing after the other, as functional mode does: every counter of state is the
 * same. The LLC is small, so that it takes lines back all the time.
 */
START_TEST(test_functional_is_timed)
{
    unsigned compared = 0;
    for (uint64_t seed = 1; seed <= 150; seed++) {
        struct random_case c;
        struct run f, t;
        random_case_new(&c, seed * 31, 1, 400);
        c.m.cpu.window = 1;
        shape(&c.m.cache.llc, 64, 4, (int)(seed % REPL_COUNT));
        run_case(&f, &c, true);
        run_case(&t, &c, false);
        struct stats *s = machine_stats(f.m);
        for (size_t i = 0; i < stats_count(s); i++) {
            struct stat_value v;
            char name[256];
            uint64_t other;
            stats_get(s, i, &v);
            snprintf(name, sizeof name, "%s.%s", v.path, v.name);
            if (v.hist || of_time(v.path, v.name) || !stats_find(machine_stats(t.m), name, &other))
                continue;
            ck_assert_msg(v.total == other, "seed %d: %s: functional %llu, timed %llu", (int)seed, name, (unsigned long long)v.total,
                          (unsigned long long)other);
            compared++;
        }
        run_end(&f);
        run_end(&t);
        random_case_free(&c);
    }
    ck_assert_uint_gt(compared, 150 * 60);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("machine random");
    TCase *t = tcase_create("machine random");
    tcase_set_timeout(t, 0);
    tcase_add_test(t, test_checked_random);
    tcase_add_test(t, test_functional_is_timed);
    suite_add_tcase(s, t);
    return run_suite_of(s);
}
