/* The table of callers against plain arrays that count as perf kmem does; what a pointer costs. */
#include "engine/rng.h"
#include "engine/types.h"
#include "replay/calls/callers.h"
#include "replay/calls/record_call.h"
#include "traces/kinds.h"

#include <check.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { SITES = 40, POINTERS = 6000, EVENTS = 200000 };

/* What is printed for a site; false: it has no line. */
static bool line_of(const char *text, const char *name, uint64_t out[4])
{
    char want[64];
    snprintf(want, sizeof want, "\n %-34s |", name);
    const char *p = strstr(text, want);
    char *end = p ? (char *)(uintptr_t)(p + strlen(want)) : NULL;
    for (unsigned i = 0; end && i < 4; i++) {
        out[i] = strtoull(end, &end, 10);
        end = *end ? strchr(end, '|') : NULL; /* behind the mean there */
        end += end != NULL;
    }
    return end != NULL;
}

START_TEST(counts_as_perf)
{
    static struct { unsigned site; int cpu; bool seen; } last[POINTERS]; /* of each pointer, kept after its free */
    uint64_t want[SITES][4] = {{0}};
    struct callers *c = callers_new();
    struct rng r;
    uint64_t again = 0;
    rng_init(&r, 7, "callers");
    memset(last, 0, sizeof last);
    for (unsigned i = 0; i < EVENTS; i++) {
        unsigned p = (unsigned)rng_below(&r, POINTERS), site = (unsigned)rng_below(&r, SITES), cpu = (unsigned)rng_below(&r, 3);
        uint64_t at = UINT64_C(0xffff888000000000) + p * 64, asked = 1 + rng_below(&r, 64);
        if (p == 0)
            at = 0; /* a request that failed: perf keeps it as any other */
        if (rng_below(&r, 2)) {
            callers_alloc(c, site * 16, at, asked, 64, cpu);
            want[site][0] += 64;
            want[site][1] += asked;
            want[site][2]++;
            last[p].site = site;
            last[p].cpu = (int)cpu;
            last[p].seen = true;
        } else {
            callers_given_back(c, at, cpu);
            again += last[p].seen && last[p].cpu < 0;
            want[last[p].site][3] += last[p].seen && last[p].cpu != (int)cpu;
            last[p].cpu = -1;
        }
    }
    ck_assert_uint_gt(again, 1000); /* second frees */
    for (unsigned s = 0; s < SITES; s++) {
        char name[16];
        snprintf(name, sizeof name, "site%u", s);
        callers_name(c, s * 16, name, strlen(name));
        callers_name(c, s * 16, "later", 5);
    }
    char *text;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    callers_print(c, f);
    fclose(f);
    for (unsigned s = 0; s < SITES; s++) {
        uint64_t got[4];
        char name[16];
        snprintf(name, sizeof name, "site%u", s);
        ck_assert_msg(line_of(text, name, got), "no line of %s in\n%s", name, text);
        for (unsigned i = 0; i < 4; i++)
            ck_assert_msg(got[i] == want[s][i], "%s, number %u: %" PRIu64 ", not %" PRIu64, name, i, got[i], want[s][i]);
    }
    free(text);
    callers_free(c);
}
END_TEST

/* Addresses that come again cost nothing; one costs 16 bytes in a table that is at least 3/8 full. */
START_TEST(memory_of_pointers)
{
    enum { MANY = 1 << 18 };
    struct callers *c = callers_new();
    for (unsigned round = 0; round < 4; round++) {
        for (uint64_t p = 1; p <= MANY; p++)
            callers_alloc(c, 1, p * 32, 32, 32, round);
        for (uint64_t p = 1; p <= MANY; p++)
            callers_given_back(c, p * 32, round);
        ck_assert_uint_eq(callers_pointers(c), MANY);
        ck_assert_uint_le(callers_pointer_bytes(c), (uint64_t)MANY * 16 * 8 / 3);
    }
    callers_free(c);
}
END_TEST

/* The table of calls and the class of records name the same kinds. */
START_TEST(calls_of_records)
{
    for (unsigned kind = 0; kind < 256; kind++)
        ck_assert_msg(is_record_call((uint8_t)kind) == trace_calls_allocator((uint8_t)kind), "kind %u", kind);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("callers");
    TCase *t = tcase_create("callers");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, counts_as_perf);
    tcase_add_test(t, memory_of_pointers);
    tcase_add_test(t, calls_of_records);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
