/*
 * Numbers out of text, for the readers of text forms: no locale, no copying, no surprise on overflow.
 */
#ifndef TRACES_SCAN_H
#define TRACES_SCAN_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Value of a hexadecimal digit, -1 for any other byte. */
static inline int scan_hex_digit(unsigned char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/*
 * Hexadecimal digits at *p (no 0x), at most 16 of them, none at or after `end`; moves *p past them. False if
 * there is no digit or a 17th one.
 */
static inline bool scan_hex(const char **p, const char *end, uint64_t *out)
{
    const char *s = *p;
    uint64_t v = 0;
    int d;
    while (s < end && (d = scan_hex_digit((unsigned char)*s)) >= 0) {
        if (s - *p == 16)
            return false;
        v = v << 4 | (uint64_t)d;
        s++;
    }
    if (s == *p)
        return false;
    *p = s;
    *out = v;
    return true;
}

/* The same for decimal digits; false also where the number does not fit 64 bits. */
static inline bool scan_dec(const char **p, const char *end, uint64_t *out)
{
    const char *s = *p;
    uint64_t v = 0;
    while (s < end && *s >= '0' && *s <= '9') {
        if (__builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, (uint64_t)(*s - '0'), &v))
            return false;
        s++;
    }
    if (s == *p)
        return false;
    *p = s;
    *out = v;
    return true;
}

static inline void scan_blanks(const char **p, const char *end)
{
    while (*p < end && (**p == ' ' || **p == '\t'))
        ++*p;
}

/* The first byte that is a, b or c, or end: eight at a time. */
static inline const char *scan_until(const char *s, const char *end, char a, char b, char c)
{
    const uint64_t ones = 0x0101010101010101, tops = 0x8080808080808080;
    for (; end - s >= 8; s += 8) {
        uint64_t word, hit = 0;
        memcpy(&word, s, sizeof word);
        for (unsigned i = 0; i < 3; i++) { /* the lowest top bit of `hit` is at the first byte that is 0 after the xor */
            uint64_t x = word ^ ones * (unsigned char)(i == 0 ? a : i == 1 ? b : c);
            hit |= (x - ones) & ~x & tops;
        }
        if (hit)
            return s + __builtin_ctzll(hit) / 8;
    }
    while (s < end && *s != a && *s != b && *s != c)
        s++;
    return s;
}

static inline bool scan_word(const char **p, const char *end, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(end - *p) < n || memcmp(*p, word, n) != 0)
        return false;
    *p += n;
    return true;
}

/*
 * Eight hexadecimal digits (either case) at p in a handful of operations: false if one of them is something
 * else. Bytes are tested eight at a time: adding 0x80-k sets a byte's top bit exactly where the byte is at
 * least k, which holds while all bytes are below 0x80.
 */
static inline bool scan_hex8(const unsigned char *p, uint64_t *out)
{
    const uint64_t ones = 0x0101010101010101u, tops = ones * 0x80;
    uint64_t x;
    memcpy(&x, p, 8); /* little endian: the first digit is the lowest byte */
    uint64_t low = x | ones * 0x20;
    uint64_t digit = (x + ones * (0x80 - '0')) & ~(x + ones * (0x80 - '9' - 1));
    uint64_t alpha = (low + ones * (0x80 - 'a')) & ~(low + ones * (0x80 - 'f' - 1));
    if ((((digit | alpha) & ~x) & tops) != tops)
        return false;
    /* 'a' & 15 is 1: bit 6 is set in letters only, they get 9 more. */
    uint64_t v = (x & ones * 0x0f) + ((x >> 6) & ones) * 9;
    v = (v << 4 | v >> 8) & 0x00ff00ff00ff00ffu; /* two digits a 16-bit lane, first pair lowest */
    v = (v << 8 | v >> 16) & 0x0000ffff0000ffffu;
    *out = (v << 16 | v >> 32) & 0xffffffffu;
    return true;
}

#endif
