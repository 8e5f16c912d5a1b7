#include "app/result/json/json_out.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

void json_out_init(struct json_out *j, FILE *f, bool compact)
{
    *j = (struct json_out){.f = f, .compact = compact};
}

/* Length of the UTF-8 sequence at s (RFC 3629: no overlong forms, no surrogates), 0 if it is broken. */
static unsigned utf8_length(const unsigned char *s)
{
    if (s[0] < 0x80)
        return 1;
    unsigned n = s[0] >= 0xc2 && s[0] <= 0xdf ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : s[0] >= 0xf0 && s[0] <= 0xf4 ? 4 : 0;
    for (unsigned i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
        (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return n;
}

static void put_string(FILE *f, const char *text)
{
    fputc('"', f);
    for (const unsigned char *s = (const unsigned char *)text; *s;) {
        unsigned n = utf8_length(s);
        if (!n) {
            fputs("\xef\xbf\xbd", f);
            s++;
        } else if (n > 1) {
            fwrite(s, 1, n, f);
            s += n;
        } else {
            if (*s == '"' || *s == '\\')
                fprintf(f, "\\%c", *s);
            else if (*s == '\n')
                fputs("\\n", f);
            else if (*s == '\t')
                fputs("\\t", f);
            else if (*s < 0x20 || *s == 0x7f)
                fprintf(f, "\\u%04x", (unsigned)*s);
            else
                fputc(*s, f);
            s++;
        }
    }
    fputc('"', f);
}

static void newline(struct json_out *j)
{
    if (j->compact)
        return;
    fputc('\n', j->f);
    for (unsigned i = 0; i < j->depth; i++)
        fputs("  ", j->f);
}

/* Comma, indentation and key: everything before a value. False if there is no file. */
static bool before(struct json_out *j, const char *key)
{
    if (!j->f)
        return false;
    if (j->depth) {
        bool row = j->level[j->depth - 1].row;
        if (j->level[j->depth - 1].used)
            fputs(row || j->compact ? ", " : ",", j->f);
        j->level[j->depth - 1].used = true;
        if (!row)
            newline(j);
    }
    if (key) {
        put_string(j->f, key);
        fputs(": ", j->f);
    }
    return true;
}

static void begin(struct json_out *j, const char *key, char open, char close)
{
    assert(j->depth < JSON_OUT_DEPTH);
    if (j->depth && open == '{')
        j->level[j->depth - 1].row = false; /* an array of objects has a line an object */
    if (before(j, key))
        fputc(open, j->f);
    j->level[j->depth].close = close;
    j->level[j->depth].used = false;
    j->level[j->depth].row = open == '[';
    j->depth++;
}

void json_begin_object(struct json_out *j, const char *key) { begin(j, key, '{', '}'); }
void json_begin_array(struct json_out *j, const char *key) { begin(j, key, '[', ']'); }

void json_end(struct json_out *j)
{
    assert(j->depth);
    j->depth--;
    if (!j->f)
        return;
    if (j->level[j->depth].used && !j->level[j->depth].row)
        newline(j);
    fputc(j->level[j->depth].close, j->f);
}

void json_end_document(struct json_out *j)
{
    while (j->depth)
        json_end(j);
    if (j->f)
        fputc('\n', j->f);
}

void json_u64(struct json_out *j, const char *key, uint64_t v)
{
    if (before(j, key))
        fprintf(j->f, "%" PRIu64, v);
}

void json_i64(struct json_out *j, const char *key, int64_t v)
{
    if (before(j, key))
        fprintf(j->f, "%" PRId64, v);
}

void json_hex(struct json_out *j, const char *key, uint64_t v)
{
    if (before(j, key))
        fprintf(j->f, "\"0x%" PRIx64 "\"", v);
}

void json_number(struct json_out *j, const char *key, const char *text)
{
    if (before(j, key))
        fputs(text, j->f);
}

void json_bool(struct json_out *j, const char *key, bool v)
{
    if (before(j, key))
        fputs(v ? "true" : "false", j->f);
}

void json_null(struct json_out *j, const char *key)
{
    if (before(j, key))
        fputs("null", j->f);
}

void json_str(struct json_out *j, const char *key, const char *s)
{
    if (!before(j, key))
        return;
    if (s)
        put_string(j->f, s);
    else
        fputs("null", j->f);
}

void json_ratio(struct json_out *j, const char *key, uint64_t num, uint64_t den, uint64_t scale, unsigned decimals)
{
    char buf[64];
    if (before(j, key))
        fputs(ratio_format(buf, sizeof buf, num, den, scale, decimals), j->f);
}

char *ratio_format(char *buf, size_t size, uint64_t num, uint64_t den, uint64_t scale, unsigned decimals)
{
    assert(decimals <= 9 && size >= 64);
    if (!den) {
        memcpy(buf, "null", 5);
        return buf;
    }
    /* num * scale fits 128 bits; the digits after the point follow by long division, so nothing overflows. */
    unsigned __int128 product = (unsigned __int128)num * scale;
    unsigned __int128 whole = product / den, rest = product % den, part = 0, unit = 1;
    for (unsigned i = 0; i < decimals; i++) {
        rest *= 10;
        part = part * 10 + rest / den;
        rest %= den;
        unit *= 10;
    }
    if (rest >= den - rest && ++part == unit) {
        part = 0;
        whole++;
    }
    char digits[40]; /* 2^128 has 39 digits */
    unsigned n = 0;
    do
        digits[n++] = (char)('0' + (int)(whole % 10));
    while (whole /= 10);
    char *p = buf;
    while (n)
        *p++ = digits[--n];
    if (decimals)
        *p++ = '.';
    for (unsigned i = decimals; i > 0; i--, part /= 10)
        p[i - 1] = (char)('0' + (int)(part % 10));
    p[decimals] = '\0';
    return buf;
}
