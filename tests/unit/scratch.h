/* For tests of what reads and writes files: a temporary folder of their own, and what a verb says. */
#ifndef TESTS_SCRATCH_H
#define TESTS_SCRATCH_H

#include <check.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64]; /* of one test */

static inline void scratch_make(void)
{
    strcpy(folder, "/tmp/mmulab-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static inline void scratch_enter(void)
{
    scratch_make();
    ck_assert_int_eq(chdir(folder), 0);
}

static inline void remove_tree(const char *path)
{
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        char *sub = malloc(strlen(path) + strlen(e->d_name) + 2);
        ck_assert_ptr_nonnull(sub);
        stpcpy(stpcpy(stpcpy(sub, path), "/"), e->d_name);
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..") && unlink(sub))
            remove_tree(sub);
        free(sub);
    }
    if (d)
        closedir(d);
    rmdir(path);
}

static inline void scratch_remove(void) { remove_tree(folder); }

/* A verb's exit code; its stdout and stderr are in the files "out" and "err" of the current folder. */
static inline int run_verb(int (*verb)(int argc, char **argv), const char *name, const char *const *words)
{
    char *argv[32] = {(char *)(uintptr_t)name};
    int argc = 1;
    for (; words[argc - 1]; argc++)
        argv[argc] = (char *)(uintptr_t)words[argc - 1];
    fflush(NULL);
    int out = dup(1), err = dup(2);
    ck_assert(freopen("out", "w", stdout) && freopen("err", "w", stderr));
    int rc = verb(argc, argv);
    fflush(NULL);
    dup2(out, 1);
    dup2(err, 2);
    close(out);
    close(err);
    return rc;
}

/* A file's text, good until the next call; "" if there is none. */
static inline char *text_of(const char *path)
{
    static char text[1 << 16];
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    text[n] = '\0';
    if (f)
        fclose(f);
    return text;
}

static inline long size_of(const char *path)
{
    struct stat st;
    return stat(path, &st) ? -1 : (long)st.st_size;
}

static inline bool have_gnuplot(void)
{
    bool found = system("command -v gnuplot > /dev/null 2>&1") == 0;
    if (!found)
        fputs("skipped: gnuplot is not installed\n", stderr);
    return found;
}

#endif
