/*
 * Exact windows: the simulator equals the oracle in every counter, every finish time and the order of bus arrivals, on
 * random machines and streams, whatever sim.window and the order in which cores are visited; and the comparison sees
 * every error that is planted on purpose.
 *
 * WINDOWS_SEEDS: how many machines; WINDOWS_FIRST: the first seed; WINDOWS_KEEP_GOING: count failures instead of stopping.
 */
#include "property/compare_case.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned number(const char *name, unsigned def)
{
    const char *s = getenv(name);
    return s && *s ? (unsigned)strtoul(s, NULL, 10) : def;
}

static bool differs(const struct random_case *c, uint64_t seed, uint32_t window, const unsigned *order,
                    const struct oracle_result *want, bool quiet)
{
    struct oracle_result got;
    struct err err = {0};
    char text[2048], what[1024];
    if (simulate(c, window, order, want, &got, &err) < 0)
        snprintf(text, sizeof text, "%s\n", err.message);
    else
        first_difference(want, &got, c->m.cpu.count, text, sizeof text);
    oracle_result_free(&got);
    if (text[0] && !quiet) {
        describe_machine(&c->m, what, sizeof what);
        fprintf(stderr, "seed %llu window %u%s: %s\n%s", (unsigned long long)seed, window, order ? " permuted" : "", what,
                text);
    }
    return text[0] != 0;
}

START_TEST(test_equal)
{
    unsigned seeds = number("WINDOWS_SEEDS", 80), first = number("WINDOWS_FIRST", 1), bad = 0;
    bool keep_going = getenv("WINDOWS_KEEP_GOING") != NULL;
    for (unsigned seed = first; seed < first + seeds; seed++) {
        struct random_case c;
        struct oracle_result want;
        struct err err = {0};
        struct rng r;
        unsigned order[RANDOM_CORES];
        random_case_new(&c, seed, seed % 3 ? RANDOM_CORES : 2, seed % 5 ? 250 : 1200);
        ck_assert_msg(oracle_run(&c.m, c.stream, c.n_streams, PLANT_NONE, &want, &err) == 0, "seed %u: %s", seed, err.message);
        rng_init(&r, seed, "windows");
        for (unsigned k = 0; k < c.m.cpu.count; k++) { /* a random permutation */
            unsigned j = (unsigned)rng_below(&r, k + 1);
            order[k] = order[j];
            order[j] = k;
        }
        bool wrong = differs(&c, seed, 0, NULL, &want, false) || differs(&c, seed, 1, NULL, &want, false) ||
                     differs(&c, seed, 2 + (uint32_t)rng_below(&r, 40), NULL, &want, false) ||
                     differs(&c, seed, 0, order, &want, false);
        bad += wrong;
        oracle_result_free(&want);
        random_case_free(&c);
        ck_assert_msg(!wrong || keep_going, "seed %u differs (see above)", seed);
    }
    ck_assert_msg(bad == 0, "%u of %u machines differ", bad, seeds);
}
END_TEST

/* The comparison is worth something: each planted error is seen on some machine. */
START_TEST(test_planted_errors)
{
    for (int plant = PLANT_NONE + 1; plant < PLANT_COUNT; plant++) {
        unsigned seed = 1, last = 60;
        for (; seed <= last; seed++) {
            struct random_case c;
            struct oracle_result want;
            struct err err = {0};
            random_case_new(&c, seed, RANDOM_CORES, 300);
            /* An error that breaks the oracle itself is seen too. */
            bool seen = oracle_run(&c.m, c.stream, c.n_streams, (enum oracle_plant)plant, &want, &err) < 0 ||
                        differs(&c, seed, 0, NULL, &want, true);
            oracle_result_free(&want);
            random_case_free(&c);
            if (seen)
                break;
        }
        ck_assert_msg(seed <= last, "planted error %d was not seen in %u machines", plant, last);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("windows");
    TCase *t = tcase_create("windows");
    tcase_set_timeout(t, 0);
    tcase_add_test(t, test_equal);
    tcase_add_test(t, test_planted_errors);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
