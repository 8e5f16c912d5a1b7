#include "config/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

size_t text_utf8(const char *p, size_t left)
{
    const unsigned char *u = (const unsigned char *)p;
    if (!left)
        return 0;
    if (u[0] < 0x80)
        return 1;
    /* Table 3-7 of the Unicode standard: neither overlong forms nor surrogates nor anything above U+10FFFF. */
    size_t n = u[0] >= 0xc2 && u[0] <= 0xdf ? 2 : (u[0] & 0xf0) == 0xe0 ? 3 : u[0] >= 0xf0 && u[0] <= 0xf4 ? 4 : 0;
    if (!n || n > left)
        return 0;
    unsigned lo = u[0] == 0xe0 ? 0xa0 : u[0] == 0xf0 ? 0x90 : 0x80, hi = u[0] == 0xed ? 0x9f : u[0] == 0xf4 ? 0x8f : 0xbf;
    if (u[1] < lo || u[1] > hi)
        return 0;
    for (size_t i = 2; i < n; i++)
        if ((u[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

/* Bytes to show for the character at p, 0 when it must be replaced. C1 controls (U+0080..9F) steer terminals, too. */
static size_t printable(const char *p, size_t left)
{
    size_t n = text_utf8(p, left);
    if (n == 1 && ((unsigned char)*p < 0x20 || *p == 0x7f))
        return 0;
    if (n == 2 && (unsigned char)p[0] == 0xc2 && (unsigned char)p[1] < 0xa0)
        return 0;
    return n;
}

void text_put(FILE *to, const char *p, size_t len)
{
    while (len) {
        size_t n = printable(p, len), step = text_utf8(p, len);
        if (!step)
            step = 1;
        if (n)
            fwrite(p, 1, n, to);
        else
            fputc(*p == '\t' ? ' ' : '?', to);
        p += step;
        len -= step;
    }
}

void text_put_json(FILE *to, const char *s)
{
    fputc('"', to);
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            fprintf(to, "\\%c", c);
        else if (c == '\n')
            fputs("\\n", to);
        else if (c == '\t')
            fputs("\\t", to);
        else if (c < 0x20 || c == 0x7f)
            fprintf(to, "\\u%04x", c);
        else
            fputc(c, to);
    }
    fputc('"', to);
}

const char *text_word(char buf[TEXT_WORD], const char *s, size_t len)
{
    size_t o = 0, chars = 0;
    for (size_t i = 0; i < len; chars++) {
        size_t n = text_utf8(s + i, len - i);
        if (chars == 60 || o + 8 > TEXT_WORD) {
            memcpy(buf + o, "...", 3);
            o += 3;
            break;
        }
        if (!n) {
            buf[o++] = '?';
            i++;
            continue;
        }
        memcpy(buf + o, s + i, n);
        o += n;
        i += n;
    }
    buf[o] = 0;
    return buf;
}

size_t text_near(const char *word)
{
    size_t len = strlen(word), third = len / 3;
    if (len <= 3) /* two changes make any two short names alike */
        return 1;
    return third > 2 ? third : 2;
}

size_t text_distance(const char *a, const char *b, size_t limit)
{
    size_t la = strlen(a), lb = strlen(b), diff = la > lb ? la - lb : lb - la;
    if (la > TEXT_NAME_MAX || lb > TEXT_NAME_MAX || diff > limit)
        return limit + 1;
    size_t row[3][TEXT_NAME_MAX + 1];
    for (size_t j = 0; j <= lb; j++)
        row[0][j] = j;
    for (size_t i = 1; i <= la; i++) {
        size_t *cur = row[i % 3], *up = row[(i + 2) % 3], *up2 = row[(i + 1) % 3];
        cur[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t best = up[j - 1] + (a[i - 1] != b[j - 1]);
            if (up[j] + 1 < best)
                best = up[j] + 1;
            if (cur[j - 1] + 1 < best)
                best = cur[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && up2[j - 2] + 1 < best)
                best = up2[j - 2] + 1;
            cur[j] = best;
        }
    }
    size_t d = row[la % 3][lb];
    return d > limit ? limit + 1 : d;
}
