/* Progress writes nothing into a file unless asked; signals ask the run to stop, once politely. */
#include "app/progress.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

START_TEST(quiet_without_terminal)
{
    char *text;
    size_t len;
    FILE *f = tmpfile();
    struct progress p;
    progress_signals_install();
    progress_start(&p, f, "run", 1000, 0);
    for (uint64_t i = 0; i < 1000; i++)
        progress_update(&p, i, i);
    fflush(f);
    ck_assert_int_eq(ftell(f), 0);
    raise(SIGUSR1);
    progress_update(&p, 500, 2000000000);
    progress_update(&p, 501, 2000000000);
    progress_end(&p);
    len = (size_t)ftell(f);
    rewind(f);
    text = calloc(1, len + 1);
    ck_assert_uint_eq(fread(text, 1, len, f), len);
    ck_assert_ptr_nonnull(strstr(text, "run  50 %  500 refs"));
    ck_assert_ptr_nonnull(strstr(text, "simulated 2.000 ms"));
    ck_assert_ptr_eq(strchr(text, '\n'), text + len - 1); /* one line, without escapes */
    ck_assert_ptr_null(strchr(text, '\033'));
    ck_assert_ptr_null(strchr(text, '\r'));
    free(text);
    fclose(f);
    ck_assert_int_eq(progress_interrupted(), 0);
}
END_TEST

START_TEST(interrupt_once_and_twice)
{
    progress_signals_install();
    raise(SIGINT);
    ck_assert_int_eq(progress_interrupted(), SIGINT);
    pid_t pid = fork();
    if (!pid) {
        raise(SIGTERM); /* the second: at once */
        _exit(0);
    }
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("progress");
    TCase *t = tcase_create("progress");
    tcase_add_test(t, quiet_without_terminal);
    tcase_add_test(t, interrupt_once_and_twice);
    suite_add_tcase(suite, t);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
