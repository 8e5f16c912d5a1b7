/* Memory for a plan's few kilobytes: without it there is nothing sensible left to do, so the process ends. */
#ifndef APP_SWEEP_MUST_H
#define APP_SWEEP_MUST_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void *must(void *p)
{
    if (!p)
        abort();
    return p;
}

static inline void *must_alloc(size_t n, size_t size) { return must(calloc(n ? n : 1, size)); } /* zeroed */
static inline char *must_dup(const char *s) { return must(strdup(s)); }

/* Room for element `n` of an array that doubles at powers of two; the array's new place. */
static inline void *must_grow(void *p, size_t n, size_t size)
{
    return n & (n - 1) ? p : must(realloc(p, (n ? 2 * n : 1) * size));
}

/* The text written to a memory stream so far; closes it. */
static inline char *must_text(FILE *f, char **text)
{
    if (fclose(f) || !*text)
        abort();
    return *text;
}

#endif
