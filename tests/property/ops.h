/* What the tests of random operations have in common: their seed and how many operations they do. */
#ifndef PROPERTY_OPS_H
#define PROPERTY_OPS_H

#include <stdint.h>
#include <stdlib.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif
/* Sanitizers make each operation several times slower and keep shadow memory, so that resident memory says nothing. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || __has_feature(address_sanitizer) || \
    __has_feature(thread_sanitizer)
enum { SANITIZED = 1, SANITIZED_SHARE = 4 };
#else
enum { SANITIZED = 0, SANITIZED_SHARE = 1 };
#endif

/* MMULAB_SEED, else `usual`. Tests print it. */
static inline uint64_t property_seed(uint64_t usual)
{
    const char *s = getenv("MMULAB_SEED");
    return s ? strtoull(s, NULL, 0) : usual;
}

/* `n` times MMULAB_OPS (default 1); fewer under sanitizers. scripts/millions does many. */
static inline uint64_t property_ops(uint64_t n)
{
    const char *s = getenv("MMULAB_OPS");
    return n * (s ? strtoull(s, NULL, 0) : 1) / SANITIZED_SHARE;
}

#endif
