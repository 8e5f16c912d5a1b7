/*
 * Warm state: a machine that loads the state of another one at the end of a functional warm-up goes on exactly as that one
 * does, on random machines and streams, functional and timed; the state does not depend on any parameter that is marked
 * PARAM_NOT_WARM; bytes that are cut off or changed are refused or harmless.
 *
 * CHECKPOINT_SEEDS: how many machines; CHECKPOINT_FIRST: the first seed.
 */
#include "property/warm_case.h"

#include "app/cmd_config.h"
#include "app/machine_root.h"
#include "config/config.h"

#include <check.h>
#include <stdio.h>

static unsigned number(const char *name, unsigned def)
{
    const char *s = getenv(name);
    return s && *s ? (unsigned)strtoul(s, NULL, 10) : def;
}

static uint64_t references(const struct random_case *c)
{
    uint64_t n = 0;
    for (size_t k = 0; k < c->n_streams; k++)
        for (size_t i = 0; i < c->stream[k].n; i += 1u + c->stream[k].rec[i].slots)
            n += c->stream[k].rec[i].kind <= TRACE_REF_MAX;
    return n;
}

/* A case whose warm-up ends somewhere in the middle. */
static void warm_case(struct random_case *c, struct rng *r, uint64_t seed)
{
    random_case_new(c, seed, seed % 3 ? RANDOM_CORES : 1, seed % 4 ? 300 : 1500);
    rng_init(r, seed, "checkpoint");
    uint64_t n = references(c);
    c->m.sim.warmup = 1 + rng_below(r, n > 1 ? n - 1 : 1);
    c->m.sim.warmup_mode = WARMUP_FUNCTIONAL;
    c->m.sim.quantum = 1 + (uint32_t)rng_below(r, 60);
    c->m.sim.interval = 1 + rng_below(r, 200);
    c->m.sim.limit = rng_below(r, 3) ? 0 : c->m.sim.warmup + rng_below(r, n);
    if (rng_below(r, 2)) {
        c->m.sim.mode = SIM_MODE_FUNCTIONAL;
        c->m.cache.l2.enabled = rng_below(r, 5) != 0;
    }
}

/* Everything that a result shows of a machine's statistics. */
static char *all_stats(struct machine *m)
{
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    struct stats *s = machine_stats(m);
    for (size_t i = 0; i < stats_count(s); i++) {
        struct stat_value v;
        stats_get(s, i, &v);
        fprintf(f, "%s.%s %llu %llu\n", v.path, v.name, (unsigned long long)v.warmup, (unsigned long long)v.total);
        for (unsigned b = 0; v.hist && b < STAT_HIST_BUCKETS; b++)
            fprintf(f, "%llu ", (unsigned long long)v.hist->count[b]);
    }
    for (unsigned k = 0; k < machine_cfg(m)->cpu.count; k++)
        fprintf(f, "cpu%u finishes %llu\n", k, (unsigned long long)machine_finish(m, k));
    fclose(f);
    return text;
}

static char *rest(struct machine *m, unsigned seed)
{
    struct err err = {0};
    enum machine_end end = machine_run(m, &err);
    ck_assert_msg(end == MACHINE_END_TRACE || end == MACHINE_END_LIMIT, "seed %u: %s", seed, err.message);
    return all_stats(m);
}

START_TEST(test_goes_on_as_if_it_had_warmed_up_itself)
{
    unsigned seeds = number("CHECKPOINT_SEEDS", 100), first = number("CHECKPOINT_FIRST", 1), shared = 0, timed = 0;
    for (unsigned seed = first; seed < first + seeds; seed++) {
        struct random_case c;
        struct rng r;
        struct err err = {0};
        struct warm_feed feed[3][RANDOM_CORES];
        struct warm_bytes bytes, again;
        size_t at[RANDOM_CORES];
        warm_case(&c, &r, seed);
        c.m.sim.checks = seed % 4 == 0;
        struct machine *alone = warm_machine(&c, &c.m, feed[0], NULL, &err);
        struct machine *saves = warm_machine(&c, &c.m, feed[1], NULL, &err);
        ck_assert_msg(alone && saves, "seed %u: %s", seed, err.message);
        char *want = rest(alone, seed);
        if (machine_warm_up(saves)) {
            shared++;
            timed += c.m.sim.mode == SIM_MODE_TIMED;
            warm_places(&c, saves, feed[1], at);
            warm_save(saves, &bytes);
            struct machine_config other = c.m;
            other.sim.window = 1 + (uint32_t)rng_below(&r, 30); /* results do not depend on it */
            struct machine *loads = warm_machine(&c, &other, feed[2], at, &err);
            ck_assert(loads != NULL);
            ck_assert_msg(warm_load(loads, &bytes, &err) == 0, "seed %u: %s", seed, err.message);
            warm_save(loads, &again);
            ck_assert_msg(again.n == bytes.n && memcmp(again.p, bytes.p, bytes.n) == 0, "seed %u: saved again, it differs", seed);
            char *got = rest(loads, seed);
            ck_assert_msg(strcmp(want, got) == 0, "seed %u: loaded\n%s\nwarmed up itself\n%s", seed, got, want);
            free(got);
            free(bytes.p);
            free(again.p);
            machine_free(loads);
        }
        char *got = rest(saves, seed); /* saving changes nothing */
        ck_assert_msg(strcmp(want, got) == 0, "seed %u: after saving\n%s\nnever saved\n%s", seed, got, want);
        free(got);
        free(want);
        machine_free(alone);
        machine_free(saves);
        random_case_free(&c);
    }
    ck_assert_msg(seeds < 50 || (shared > seeds / 2 && timed > seeds / 6), "only %u of %u were warm, %u of them timed", shared, seeds, timed);
}
END_TEST

/* ---- PARAM_NOT_WARM ---- */

/* Another value of the parameter; false if none can be made. */
static bool change(struct rng *r, const struct param *p, void *at)
{
    uint64_t lo = p->min, hi = p->max > p->min ? p->max : p->min + 1000;
    if (p->flags & PARAM_POW2) {
        *(uint32_t *)at = *(uint32_t *)at == 1 ? 2 : 1;
        return true;
    }
    if (hi - lo > 40)
        hi = lo + 40; /* large latencies only cost time */
    switch (p->type) {
    case P_BOOL:
        *(bool *)at = !*(bool *)at;
        return true;
    case P_ENUM: {
        int n = 0;
        while (p->names[n])
            n++;
        *(int *)at = (*(int *)at + 1) % n;
        return n > 1;
    }
    case P_U32:
    case P_CYC:
        *(uint32_t *)at = (uint32_t)(lo + rng_below(r, hi - lo + 1));
        return true;
    case P_U64:
    case P_TIME:
    case P_SIZE:
        *(uint64_t *)at = lo + rng_below(r, hi - lo + 1);
        return true;
    case P_FREQ:
        *(uint64_t *)at = 1000000000u + rng_below(r, 3000) * 1000000u;
        return true;
    default:
        return false;
    }
}

static bool warm_bytes_of(const struct random_case *c, const struct machine_config *cfg, struct warm_bytes *b)
{
    struct err err;
    struct warm_feed feed[RANDOM_CORES];
    struct machine *m = warm_machine(c, cfg, feed, NULL, &err);
    if (!m)
        return false; /* a combination that does not exist */
    bool warm = machine_warm_up(m);
    if (warm)
        warm_save(m, b);
    machine_free(m);
    return warm;
}

START_TEST(test_marked_parameters_do_not_change_the_warm_state)
{
    enum { MACHINES = 4 };
    const struct config_schema *s = machine_config_schema();
    unsigned marked = 0, compared = 0;
    for (unsigned seed = 1; seed <= MACHINES; seed++) {
        struct random_case c;
        struct rng r;
        struct warm_bytes want;
        do { /* timed, and warm before its traces end */
            warm_case(&c, &r, seed);
            c.m.sim.mode = SIM_MODE_TIMED;
            c.m.cache.l2.enabled = true;
            c.m.sim.limit = 0;
        } while (0);
        if (!warm_bytes_of(&c, &c.m, &want)) {
            random_case_free(&c);
            continue;
        }
        for (size_t g = 0; g < s->n; g++)
            for (size_t i = 0; i < s->groups[g].n; i++) {
                const struct param *p = &s->groups[g].table[i];
                struct machine_root root = {.m = c.m};
                struct warm_bytes got;
                if (!(p->flags & PARAM_NOT_WARM))
                    continue;
                marked++;
                if (!change(&r, p, (char *)&root + s->groups[g].base + p->offset) || !warm_bytes_of(&c, &root.m, &got))
                    continue;
                compared++;
                ck_assert_msg(got.n == want.n && memcmp(got.p, want.p, want.n) == 0,
                              "seed %u: the warm state depends on %s.%s, which is marked PARAM_NOT_WARM", seed, s->groups[g].path, p->key);
                free(got.p);
            }
        free(want.p);
        random_case_free(&c);
    }
    ck_assert_msg(marked > 100 && compared > marked * 2 / 3, "%u marked, %u compared", marked, compared);
}
END_TEST

/* The comparison above is worth something: parameters that matter are seen. */
START_TEST(test_unmarked_parameters_are_seen)
{
    struct random_case c;
    struct rng r;
    struct warm_bytes a, b;
    bool warm = false;
    for (unsigned seed = 7; !warm && seed < 17; seed++) { /* the first whose warm-up comes to its end */
        if (seed > 7)
            random_case_free(&c);
        warm_case(&c, &r, seed);
        c.m.sim.mode = SIM_MODE_TIMED;
        c.m.cache.l2.enabled = true;
        c.m.sim.limit = 0;
        warm = warm_bytes_of(&c, &c.m, &a);
    }
    ck_assert(warm);
    c.m.sim.warmup++;
    if (warm_bytes_of(&c, &c.m, &b)) {
        ck_assert(a.n != b.n || memcmp(a.p, b.p, a.n) != 0);
        free(b.p);
    }
    c.m.sim.warmup--;
    c.m.sim.seed++;
    ck_assert(warm_bytes_of(&c, &c.m, &b));
    ck_assert(a.n != b.n || memcmp(a.p, b.p, a.n) != 0);
    free(a.p);
    free(b.p);
    random_case_free(&c);
}
END_TEST

/* ---- damage ---- */

START_TEST(test_damaged_bytes_are_refused_or_harmless)
{
    unsigned refused = 0, tried = 0;
    for (unsigned seed = 1; seed <= 6; seed++) {
        struct random_case c;
        struct rng r;
        struct err err;
        struct warm_feed feed[RANDOM_CORES];
        struct warm_bytes bytes;
        size_t at[RANDOM_CORES];
        warm_case(&c, &r, seed);
        struct machine *m = warm_machine(&c, &c.m, feed, NULL, &err);
        if (!machine_warm_up(m)) {
            machine_free(m);
            random_case_free(&c);
            continue;
        }
        warm_places(&c, m, feed, at);
        warm_save(m, &bytes);
        machine_free(m);
        for (unsigned i = 0; i < 120; i++) {
            struct warm_bytes bad = {.p = malloc(bytes.n), .n = bytes.n};
            memcpy(bad.p, bytes.p, bytes.n);
            bool cut = i % 3 == 0;
            if (cut)
                bad.n = rng_below(&r, bytes.n);
            else
                for (unsigned k = 0; k < 1 + i % 4; k++) {
                    size_t p = rng_below(&r, bytes.n);
                    bad.p[p] = i % 2 ? (unsigned char)rng_next(&r) : (unsigned char)(bad.p[p] + 1);
                }
            m = warm_machine(&c, &c.m, feed, at, &err);
            int got = warm_load(m, &bad, &err);
            ck_assert_msg(!cut || got < 0, "seed %u: %zu of %zu bytes were taken for a state", seed, bad.n, bytes.n);
            ck_assert(got == 0 || err.message[0]);
            refused += got < 0;
            tried++;
            machine_free(m);
            free(bad.p);
        }
        free(bytes.p);
        random_case_free(&c);
    }
    ck_assert_msg(refused > tried / 3, "%u of %u refused", refused, tried);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("checkpoint");
    TCase *t = tcase_create("checkpoint");
    tcase_set_timeout(t, 0);
    tcase_add_test(t, test_goes_on_as_if_it_had_warmed_up_itself);
    tcase_add_test(t, test_marked_parameters_do_not_change_the_warm_state);
    tcase_add_test(t, test_unmarked_parameters_are_seen);
    tcase_add_test(t, test_damaged_bytes_are_refused_or_harmless);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
