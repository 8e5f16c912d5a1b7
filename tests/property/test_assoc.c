/* The set-associative lookup against a list oracle for every policy, and the closed forms of x86-hardware.md 10. */
#include "engine/assoc.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- a plain oracle: one list of ways per set, no mru shortcut, 64-bit stamps ----------------------------------- */
struct way { uint64_t key, stamp; unsigned rrpv; };
struct oracle {
    unsigned sets, ways, policy;
    uint64_t clock;
    struct way *way;
    bool *right; /* tree bits, a node visited by walking from the root */
    struct rng rng;
};

static void oracle_init(struct oracle *o, unsigned sets, unsigned ways, unsigned policy, uint64_t seed, const char *name)
{
    *o = (struct oracle){.sets = sets, .ways = ways, .policy = policy};
    o->way = calloc((size_t)sets * ways, sizeof *o->way);
    o->right = calloc((size_t)sets * 2 * ways, sizeof *o->right);
    for (unsigned i = 0; i < sets * ways; i++)
        o->way[i].key = ASSOC_EMPTY;
    rng_init(&o->rng, seed, name);
}

static void oracle_fini(struct oracle *o)
{
    free(o->way);
    free(o->right);
}

static void tree_away(bool *bits, unsigned node, unsigned lo, unsigned n, unsigned way)
{
    if (n == 1)
        return;
    bool in_right = way >= lo + n / 2;
    bits[node] = !in_right;
    tree_away(bits, 2 * node + in_right, in_right ? lo + n / 2 : lo, n / 2, way);
}

static unsigned tree_follow(const bool *bits, unsigned node, unsigned lo, unsigned n)
{
    if (n == 1)
        return lo;
    bool r = bits[node];
    return tree_follow(bits, 2 * node + r, r ? lo + n / 2 : lo, n / 2);
}

static void oracle_use(struct oracle *o, unsigned set, unsigned w, bool insert)
{
    struct way *x = &o->way[set * o->ways + w];
    if (o->policy == REPL_lru || (o->policy == REPL_fifo && insert))
        x->stamp = ++o->clock;
    if (o->policy == REPL_tree_plru)
        tree_away(o->right + set * 2 * o->ways, 1, 0, o->ways, w);
    x->rrpv = insert ? 2 : 0;
}

static bool oracle_access(struct oracle *o, uint64_t key, uint64_t *victim)
{
    unsigned set = (unsigned)(key % o->sets);
    struct way *s = &o->way[set * o->ways];
    *victim = ASSOC_EMPTY;
    for (unsigned w = 0; w < o->ways; w++)
        if (s[w].key == key) {
            oracle_use(o, set, w, false);
            return true;
        }
    unsigned v = o->ways;
    for (unsigned w = o->ways; w-- > 0;)
        if (s[w].key == ASSOC_EMPTY)
            v = w;
    if (v == o->ways) {
        switch (o->policy) {
        case REPL_lru:
        case REPL_fifo:
            v = 0;
            for (unsigned w = 1; w < o->ways; w++)
                if (s[w].stamp < s[v].stamp)
                    v = w;
            break;
        case REPL_tree_plru:
            v = tree_follow(o->right + set * 2 * o->ways, 1, 0, o->ways);
            break;
        case REPL_srrip:
            for (;;) {
                for (v = 0; v < o->ways && s[v].rrpv != 3; v++)
                    ;
                if (v < o->ways)
                    break;
                for (unsigned w = 0; w < o->ways; w++)
                    s[w].rrpv++;
            }
            break;
        default:
            v = (unsigned)rng_below(&o->rng, o->ways);
        }
        *victim = s[v].key;
    }
    s[v].key = key;
    oracle_use(o, set, v, true);
    return false;
}

static void oracle_remove(struct oracle *o, uint64_t key)
{
    for (unsigned i = 0; i < o->sets * o->ways; i++)
        if (o->way[i].key == key)
            o->way[i].key = ASSOC_EMPTY;
}

static bool access_assoc(struct assoc *a, uint64_t key, uint64_t *victim)
{
    *victim = ASSOC_EMPTY;
    if (assoc_find(a, key) != ASSOC_NONE)
        return true;
    uint32_t peek = assoc_peek_victim(a, key), e = assoc_insert(a, key, victim);
    if (peek != e && !(a->policy == REPL_random && peek == ASSOC_NONE))
        ck_abort_msg("assoc_peek_victim says %u, assoc_insert took %u", peek, e);
    return false;
}

static void against_oracle(unsigned policy, unsigned sets, unsigned ways, uint64_t seed)
{
    struct assoc a;
    struct oracle o;
    struct err err;
    struct rng r;
    ck_assert_int_eq(assoc_init(&a, sets, ways, policy, seed, "t", &err), 0);
    oracle_init(&o, sets, ways, policy, seed, "t");
    rng_init(&r, seed, "stream");
    /* Start near the end of the clock, so that renumbering happens in the middle of the run. */
    a.clock = UINT32_MAX - 2000;
    uint64_t span = 2ull * sets * ways + 3;
    for (int i = 0; i < 20000; i++) {
        uint64_t key = rng_below(&r, 4) ? rng_below(&r, span) : rng_below(&r, 8), va, vo;
        if (rng_below(&r, 16) == 0) {
            uint32_t e = assoc_probe(&a, key);
            if (e != ASSOC_NONE)
                assoc_remove(&a, e);
            oracle_remove(&o, key);
            continue;
        }
        bool ha = access_assoc(&a, key, &va), ho = oracle_access(&o, key, &vo);
        if (ha != ho || va != vo)
            ck_abort_msg("%s %ux%u seed %llu step %d: hit %d/%d victim %llx/%llx",
                         repl_policy_names[policy], sets, ways, (unsigned long long)seed, i, ha, ho,
                         (unsigned long long)va, (unsigned long long)vo);
    }
    uint32_t used = 0;
    for (unsigned i = 0; i < sets * ways; i++)
        used += o.way[i].key != ASSOC_EMPTY;
    ck_assert_uint_eq(used, a.used);
    assoc_fini(&a);
    oracle_fini(&o);
}

START_TEST(test_oracle)
{
    static const unsigned shape[][2] = {{1, 1}, {1, 4}, {4, 1}, {8, 4}, {5, 2}, {3, 8}, {1, 16}, {128, 12}, {7, 3}};
    for (size_t i = 0; i < ARRAY_LEN(shape); i++)
        for (uint64_t seed = 1; seed <= 4; seed++)
            if (_i != REPL_tree_plru || (shape[i][1] & (shape[i][1] - 1)) == 0)
                against_oracle((unsigned)_i, shape[i][0], shape[i][1], seed);
}
END_TEST

static uint64_t lap(struct assoc *a, uint64_t n, uint64_t stride)
{
    uint64_t misses = 0, v;
    for (uint64_t i = 0; i < n; i++)
        misses += !access_assoc(a, i * stride, &v);
    return misses;
}

START_TEST(test_cyclic_sweep) /* 10.1 */
{
    static const struct { unsigned sets, ways, n, stride; uint64_t misses; } c[] = {
        {128, 12, 1536, 1, 0}, {128, 12, 1537, 1, 13}, {128, 12, 1600, 1, 832}, {128, 12, 1664, 1, 1664},
        {128, 12, 2000, 1, 2000}, {16, 4, 64, 1, 0}, {16, 4, 65, 1, 5}, {16, 4, 68, 1, 20}, {16, 4, 80, 1, 80},
        {16, 4, 100, 1, 100},
        /* stride k: S becomes S / gcd(S, k) */
        {128, 12, 192, 8, 0}, {128, 12, 193, 8, 13}, {16, 4, 16, 4, 0}, {16, 4, 17, 4, 5}, {16, 4, 65, 3, 5},
    };
    static const enum repl_policy exact[] = {REPL_lru, REPL_fifo, REPL_srrip};
    for (size_t i = 0; i < ARRAY_LEN(c); i++)
        for (size_t p = 0; p < ARRAY_LEN(exact); p++) {
            struct assoc a;
            struct err err;
            ck_assert_int_eq(assoc_init(&a, c[i].sets, c[i].ways, exact[p], 1, "t", &err), 0);
            ck_assert_uint_eq(lap(&a, c[i].n, c[i].stride), c[i].n);
            for (int l = 0; l < 5; l++)
                ck_assert_uint_eq(lap(&a, c[i].n, c[i].stride), c[i].misses);
            assoc_fini(&a);
        }
}
END_TEST

START_TEST(test_plru_sweep) /* 10.1: misses per lap, W+1 pages in one set */
{
    static const struct { unsigned ways; uint64_t laps[9]; unsigned n; } c[] = {
        {4, {5, 4, 5, 5}, 4}, {8, {9, 4, 6, 9, 9}, 5}, {16, {17, 4, 5, 5, 6, 12, 9, 16, 17}, 9},
    };
    for (size_t i = 0; i < ARRAY_LEN(c); i++) {
        struct assoc a;
        struct err err;
        ck_assert_int_eq(assoc_init(&a, 1, c[i].ways, REPL_tree_plru, 1, "t", &err), 0);
        for (unsigned l = 0; l < c[i].n; l++)
            ck_assert_uint_eq(lap(&a, c[i].ways + 1, 1), c[i].laps[l]);
        ck_assert_uint_eq(lap(&a, c[i].ways + 1, 1), c[i].ways + 1);
        assoc_fini(&a);
    }
}
END_TEST

START_TEST(test_random_sweep) /* 10.2 */
{
    static const struct { unsigned ways, n; double ratio; } c[] = {
        {4, 5, 2.0 / 5}, {8, 9, 2.0 / 9}, {64, 65, 2.0 / 65}, {64, 128, 0.797}};
    for (size_t i = 0; i < ARRAY_LEN(c); i++) {
        struct assoc a;
        struct err err;
        ck_assert_int_eq(assoc_init(&a, 1, c[i].ways, REPL_random, 7, "t", &err), 0);
        for (int l = 0; l < 50; l++)
            lap(&a, c[i].n, 1);
        uint64_t misses = 0, laps = 400000 / c[i].n;
        for (uint64_t l = 0; l < laps; l++)
            misses += lap(&a, c[i].n, 1);
        double m = (double)misses / (double)(laps * c[i].n);
        ck_assert_msg(fabs(m - c[i].ratio) < 0.005, "W=%u: %f, expected %f", c[i].ways, m, c[i].ratio);
        assoc_fini(&a);
    }
}
END_TEST

START_TEST(test_uniform) /* 10.3: every policy */
{
    static const struct { unsigned n; double hit; } c[] = {{4096, 0.375}, {4000, 0.384}};
    if (_i == REPL_tree_plru)
        return; /* 12 ways */
    for (size_t i = 0; i < ARRAY_LEN(c); i++) {
        struct assoc a;
        struct err err;
        struct rng r;
        uint64_t v, hits = 0;
        const int n = 400000;
        rng_init(&r, 3, "uniform");
        ck_assert_int_eq(assoc_init(&a, 128, 12, (enum repl_policy)_i, 7, "t", &err), 0);
        for (unsigned k = 0; k < 10 * c[i].n; k++)
            access_assoc(&a, rng_below(&r, c[i].n), &v);
        for (int k = 0; k < n; k++)
            hits += access_assoc(&a, rng_below(&r, c[i].n), &v);
        double h = (double)hits / n, tol = 3.29 * sqrt(c[i].hit * (1 - c[i].hit) / n);
        ck_assert_msg(fabs(h - c[i].hit) < tol + 0.001, "%s: %f, expected %f", repl_policy_names[_i], h, c[i].hit);
        assoc_fini(&a);
    }
}
END_TEST

START_TEST(test_hashed_index) /* 10.4: the owner hashes the key; keys in overfull sets miss */
{
    static const struct { unsigned n; double m; } c[] = {{1536, 0.538}, {1024, 0.111}, {768, 0.0195}};
    for (size_t i = 0; i < ARRAY_LEN(c); i++) {
        double sum = 0;
        for (uint64_t seed = 0; seed < 40; seed++) {
            struct assoc a;
            struct err err;
            struct rng r;
            uint64_t v, key[1536], misses = 0;
            rng_init(&r, seed, "hash");
            for (unsigned k = 0; k < c[i].n; k++)
                key[k] = (uint64_t)k << 7 | rng_below(&r, 128);
            ck_assert_int_eq(assoc_init(&a, 128, 12, REPL_lru, 7, "t", &err), 0);
            for (int l = 0; l < 2; l++) {
                misses = 0;
                for (unsigned k = 0; k < c[i].n; k++)
                    misses += !access_assoc(&a, key[k], &v);
            }
            sum += (double)misses / c[i].n;
            assoc_fini(&a);
        }
        ck_assert_msg(fabs(sum / 40 - c[i].m) < 0.02, "N=%u: %f, expected %f", c[i].n, sum / 40, c[i].m);
    }
}
END_TEST

START_TEST(test_mattson) /* 10.8 */
{
    static const unsigned misses[] = {8, 8, 5, 4, 4};
    for (unsigned ways = 1; ways <= 5; ways++) {
        struct assoc a;
        struct err err;
        uint64_t v;
        unsigned m = 0;
        ck_assert_int_eq(assoc_init(&a, 1, ways, REPL_lru, 1, "t", &err), 0);
        for (const char *p = "abcabbdac"; *p; p++)
            m += !access_assoc(&a, (uint64_t)*p, &v);
        ck_assert_uint_eq(m, misses[ways - 1]);
        assoc_fini(&a);
    }
}
END_TEST

START_TEST(test_discriminator) /* 5.2: A B C D in ways 0-3, hit A, miss: LRU evicts B, tree-PLRU evicts C */
{
    static const struct { enum repl_policy p; uint64_t victim; } c[] = {
        {REPL_lru, 'B'}, {REPL_tree_plru, 'C'}, {REPL_fifo, 'A'}, {REPL_srrip, 'B'}};
    for (size_t i = 0; i < ARRAY_LEN(c); i++) {
        struct assoc a;
        struct err err;
        uint64_t v;
        ck_assert_int_eq(assoc_init(&a, 1, 4, c[i].p, 1, "t", &err), 0);
        for (uint64_t k = 'A'; k <= 'D'; k++)
            ck_assert_uint_eq(assoc_insert(&a, k, &v), k - 'A');
        ck_assert_uint_eq(assoc_find(&a, 'A'), 0);
        assoc_insert(&a, 'E', &v);
        ck_assert_uint_eq(v, c[i].victim);
        assoc_fini(&a);
    }
}
END_TEST

START_TEST(test_refused)
{
    struct assoc a;
    struct err err;
    ck_assert_int_eq(assoc_init(&a, 0, 4, REPL_lru, 1, "t", &err), -1);
    ck_assert_int_eq(assoc_init(&a, 4, 0, REPL_lru, 1, "t", &err), -1);
    ck_assert_int_eq(assoc_init(&a, 4, 12, REPL_tree_plru, 1, "t", &err), -1);
    ck_assert_int_eq(assoc_init(&a, 65536, 65536, REPL_lru, 1, "t", &err), -1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("assoc");
    TCase *t = tcase_create("assoc");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, test_oracle, 0, REPL_COUNT);
    tcase_add_test(t, test_cyclic_sweep);
    tcase_add_test(t, test_plru_sweep);
    tcase_add_test(t, test_random_sweep);
    tcase_add_loop_test(t, test_uniform, 0, REPL_COUNT);
    tcase_add_test(t, test_hashed_index);
    tcase_add_test(t, test_mattson);
    tcase_add_test(t, test_discriminator);
    tcase_add_test(t, test_refused);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
