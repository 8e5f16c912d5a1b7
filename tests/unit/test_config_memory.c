/* Each allocation of the library fails once: an error or a success, never a crash or a leak (run under ASan). */
#include <check.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "unit/test_config_schema.h"

static long countdown = -1; /* allocations that still work; -1: all */

static bool fails(void)
{
    if (countdown < 0)
        return false;
    return countdown == 0 || countdown-- == 0;
}

/* The linker sends the library's calls here (--wrap). */
void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
FILE *__real_open_memstream(char **p, size_t *n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
FILE *__wrap_open_memstream(char **p, size_t *n);
int __wrap_vasprintf(char **p, const char *fmt, va_list ap);

void *__wrap_malloc(size_t n) { return fails() ? NULL : __real_malloc(n); }
void *__wrap_calloc(size_t n, size_t size) { return fails() ? NULL : __real_calloc(n, size); }
void *__wrap_realloc(void *p, size_t n) { return fails() ? NULL : __real_realloc(p, n); }
FILE *__wrap_open_memstream(char **p, size_t *n) { return fails() ? NULL : __real_open_memstream(p, n); }
int __wrap_vasprintf(char **p, const char *fmt, va_list ap)
{
    if (fails())
        return -1;
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    *p = __real_malloc((size_t)n + 1);
    return *p ? vsnprintf(*p, (size_t)n + 1, fmt, ap) : -1;
}

static void sweep(const char *text, const char *const *set, size_t n_set, bool valid)
{
    bool done = false;
    for (long n = 0; !done; n++) {
        struct diag *d = diag_new();
        struct config *c = NULL;
        struct config_request req = {.path = "m.json", .text = text, .text_len = strlen(text), .set = set, .n_set = n_set};
        countdown = n;
        int rc = config_load(&c, &toy_schema, &req, d);
        if (rc == 0) {
            char hash[CONFIG_HASH_BUF], *text_of = config_value_text(c, 0);
            config_hash(c, hash);
            free(text_of);
        }
        done = countdown > 0; /* nothing failed */
        countdown = -1;
        ck_assert_int_eq(rc == 0, c != NULL);
        ck_assert(rc == 0 || diag_count(d) > 0);
        if (done)
            ck_assert_int_eq(rc, valid ? 0 : -1);
        config_free(c);
        diag_free(d);
        ck_assert_int_lt(n, 20000);
        ck_assert(!done || n > 10); /* the linker did send the calls here */
    }
}

START_TEST(test_valid)
{
    const char *const set[] = {"memory.pages=[4KiB, \"2MiB\"]", "workload.processes[0].core=2", "sim.label=x"};
    sweep("{\"extends\": [\"@huge\"], \"workload\": {\"processes\": [{\"trace\": \"a\"}, {\"trace\": \"b\"}],"
          "\"traces\": [\"x\", \"y\"], \"tags\": [\"z\"]}, \"sweep\": {\"a\": [1, 2]}}", set, 3, true);
}
END_TEST

START_TEST(test_invalid)
{
    const char *const set[] = {"memory.pages=4", "mmu.dtlb.entreis=1", "mmu.stlb.ways=64"};
    sweep("{\"extends\": \"@none\", \"mmu\": {\"dtlb\": {\"entries\": 0, \"entries\": 064, \"wasy\": 4}}}", set, 3, false);
    sweep("{\"mmu\": {\"stlb\": {\"entries\": 100}}}", set + 2, 1, false);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("config memory");
    TCase *t = tcase_create("memory");
    tcase_add_test(t, test_valid);
    tcase_add_test(t, test_invalid);
    tcase_set_timeout(t, 120);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
