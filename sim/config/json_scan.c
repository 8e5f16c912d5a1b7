/*
 * The scanner runs before cJSON and owns everything that cJSON does not tell or does not mind: positions, comments,
 * trailing commas, `01`, `1.`, raw control characters, \u0000, bytes that are not UTF-8, a byte-order mark, depth and
 * size. What it passes is JSON that cJSON accepts (docs/configuration.md; cJSON 1.7.15).
 */
#include <stdlib.h>
#include <string.h>

#include "config/internal.h"
#include "config/text.h"

enum { NUMBER_MAX = 60 /* cJSON copies numbers into 64 bytes */ };

struct scanner {
    struct json_scan *out;
    const struct source *src;
    const char *text;
    size_t begin, at, end;
    size_t nodes_max;
    struct diag *d;
};

static struct diag_place place(const struct scanner *s, size_t offset, size_t len)
{
    return (struct diag_place){&s->src->d, offset, len};
}

static bool word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
           c == '+' || c == '-' || (unsigned char)c >= 0x80;
}

/* Length of what stands at `at`, for the caret. */
static size_t token_len(const struct scanner *s, size_t at)
{
    size_t i = at;
    if (i < s->end && s->text[i] == '"') {
        for (i++; i < s->end && s->text[i] != '"' && s->text[i] != '\n'; i++)
            if (s->text[i] == '\\')
                i++;
        i += i < s->end && s->text[i] == '"';
        return (i > s->end ? s->end : i) - at;
    }
    while (i < s->end && word_char(s->text[i]))
        i++;
    return i > at ? i - at : 1;
}

static int fail_here(struct scanner *s, const char *hint, const char *what)
{
    char word[TEXT_WORD];
    if (s->at >= s->end)
        return diag_error(s->d, place(s, s->end, 1), hint, "%s, found the end of the text", what);
    size_t len = token_len(s, s->at);
    return diag_error(s->d, place(s, s->at, len), hint, "%s, found %s", what, text_word(word, s->text + s->at, len));
}

static void blank(struct scanner *s, size_t from, size_t to)
{
    for (; from < to; from++)
        if (s->text[from] != '\n')
            s->out->clean[from - s->begin] = ' ';
}

/* Puts `value` in the place of a bad token, which is at least as long. */
static void neutral(struct scanner *s, size_t from, size_t to, const char *value)
{
    blank(s, from, to);
    memcpy(s->out->clean + (from - s->begin), value, strlen(value));
}

static int skip_space(struct scanner *s)
{
    for (;;) {
        while (s->at < s->end && strchr(" \t\r\n", s->text[s->at]))
            s->at++;
        if (s->at < s->end && s->text[s->at] == '#')
            return diag_error(s->d, place(s, s->at, 1), NULL, "a comment starts with // or stands between /* and */");
        if (s->at + 1 >= s->end || s->text[s->at] != '/')
            return 0;
        size_t from = s->at;
        if (s->text[from + 1] == '/') {
            while (s->at < s->end && s->text[s->at] != '\n')
                s->at++;
        } else if (s->text[from + 1] == '*') {
            const char *stop = memmem(s->text + from + 2, s->end - from - 2, "*/", 2);
            if (!stop)
                return diag_error(s->d, place(s, from, 2), NULL, "comment without its end */");
            s->at = (size_t)(stop - s->text) + 2;
        } else {
            return 0;
        }
        blank(s, from, s->at);
    }
}

static int hex4(const char *p, unsigned *v)
{
    *v = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                         : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
                                                : 16;
        if (digit == 16)
            return -1;
        *v = *v * 16 + digit;
    }
    return 0;
}

/* A string at `at`; *bad when its content is wrong but its end is known. */
static int scan_string(struct scanner *s, bool *bad)
{
    size_t from = s->at++;
    *bad = false;
    for (;;) {
        if (s->at >= s->end || s->text[s->at] == '\n')
            return diag_error(s->d, place(s, from, s->at - from), NULL, "string without its closing quote");
        unsigned char c = (unsigned char)s->text[s->at];
        if (c == '"')
            break;
        if (c < 0x20) {
            *bad = true;
            diag_error(s->d, place(s, s->at, 1), NULL, c == '\t' ? "tab in a string; write \\t"
                                                                 : "control character 0x%02x in a string; write \\u%04x", c, c);
            s->at++;
            continue;
        }
        if (c != '\\') {
            s->at++;
            continue;
        }
        size_t left = s->end - s->at;
        if (left >= 2 && s->text[s->at + 1] && strchr("\"\\/bfnrt", s->text[s->at + 1])) {
            s->at += 2;
            continue;
        }
        unsigned v = 0, low = 0;
        size_t len = 2;
        const char *wrong = NULL;
        if (left < 6 || s->text[s->at + 1] != 'u' || hex4(s->text + s->at + 2, &v) < 0)
            wrong = "unknown escape in a string; JSON has \\\" \\\\ \\/ \\b \\f \\n \\r \\t and \\uXXXX";
        else if (len = 6, v == 0)
            wrong = "\\u0000 is not allowed in a string";
        else if (v >= 0xdc00 && v <= 0xdfff)
            wrong = "second half of a surrogate pair without the first";
        else if (v >= 0xd800 && v <= 0xdbff) {
            if (left < 12 || s->text[s->at + 6] != '\\' || s->text[s->at + 7] != 'u' ||
                hex4(s->text + s->at + 8, &low) < 0 || low < 0xdc00 || low > 0xdfff)
                wrong = "first half of a surrogate pair without the second";
            else
                len = 12;
        }
        if (wrong) {
            *bad = true;
            diag_error(s->d, place(s, s->at, len), NULL, "%s", wrong);
            /* go on behind the backslash: an escaped quote or a line's end is still seen as such */
            s->at += left >= 2 && s->text[s->at + 1] != '\n' && s->text[s->at + 1] != '"' ? 2 : 1;
            continue;
        }
        s->at += len;
    }
    s->at++;
    return 0;
}

/* What is wrong with a word that is no JSON value; NULL: nothing. */
static void bad_word(struct scanner *s, size_t from, size_t len)
{
    char word[TEXT_WORD];
    const char *p = s->text + from;
    text_word(word, p, len);
    struct diag_place at = place(s, from, len);
    size_t digits = 0;
    while (digits < len && p[digits] >= '0' && p[digits] <= '9')
        digits++;
    bool number = digits == len;
    if (len > NUMBER_MAX)
        diag_error(s->d, at, NULL, "this number has too many digits");
    else if (number && p[0] == '0')
        diag_error(s->d, at, NULL, "%s: a number does not start with 0; write %s", word,
                   word + (strspn(word, "0") < len ? strspn(word, "0") : len - 1));
    else if (len > 1 && p[0] == '+')
        diag_error(s->d, at, NULL, "%s: a number does not start with +; write %s", word, word + 1);
    else if (len > 1 && p[0] == '.')
        diag_error(s->d, at, NULL, "%s: a number does not start with a point; write 0%s", word, word);
    else if (len > 1 && digits == len - 1 && p[digits] == '.')
        diag_error(s->d, at, NULL, "%s: a number does not end with a point; write %.*s", word, (int)digits, word);
    else if (len > 1 && p[0] == '0' && p[1] == 'x')
        diag_error(s->d, at, NULL, "%s: a hexadecimal value stands in quotes; write \"%s\"", word, word);
    else if (!strcmp(word, "True") || !strcmp(word, "TRUE") || !strcmp(word, "False") || !strcmp(word, "FALSE"))
        diag_error(s->d, at, NULL, "%s: write %s", word, word[0] == 'T' ? "true" : "false");
    else
        diag_error(s->d, at, NULL, "%s: text stands in double quotes; write \"%s\"", word, word);
}

/* The JSON grammar of numbers. */
static bool is_number(const char *p, size_t len)
{
    size_t i = 0;
#define DIGITS(i) (i < len && p[i] >= '0' && p[i] <= '9')
    i += i < len && p[i] == '-';
    if (!DIGITS(i))
        return false;
    if (p[i] == '0')
        i++;
    else
        while (DIGITS(i))
            i++;
    if (i < len && p[i] == '.') {
        if (i++, !DIGITS(i))
            return false;
        while (DIGITS(i))
            i++;
    }
    if (i < len && (p[i] == 'e' || p[i] == 'E')) {
        i++;
        i += i < len && (p[i] == '+' || p[i] == '-');
        if (!DIGITS(i))
            return false;
        while (DIGITS(i))
            i++;
    }
#undef DIGITS
    return i == len && len <= NUMBER_MAX;
}

static int add_mark(struct scanner *s, size_t key, size_t key_len, size_t *index)
{
    struct json_scan *o = s->out;
    if (o->n >= s->nodes_max)
        return diag_error(s->d, place(s, s->at, 1), NULL, "too many values (at most %d in all files together)",
                          CONFIG_NODES_MAX);
    if (o->n == o->cap) {
        size_t cap = o->cap ? 2 * o->cap : 64;
        struct json_mark *m = realloc(o->marks, cap * sizeof *m);
        if (!m)
            return diag_error(s->d, place(s, s->at, 1), NULL, "out of memory");
        o->marks = m;
        o->cap = cap;
    }
    *index = o->n++;
    o->marks[*index] = (struct json_mark){.key = (uint32_t)key, .key_len = (uint32_t)key_len, .at = (uint32_t)s->at};
    return 0;
}

static int scan_value(struct scanner *s, size_t key, size_t key_len, unsigned depth);

static int scan_key(struct scanner *s, size_t *key, size_t *key_len)
{
    *key = s->at;
    if (s->at < s->end && s->text[s->at] == '"') {
        bool bad;
        if (scan_string(s, &bad) < 0 || bad)
            return -1;
        *key_len = s->at - *key;
        return 0;
    }
    if (s->at < s->end && (s->text[s->at] == '\'' || word_char(s->text[s->at])))
        return fail_here(s, NULL, "expected a key in double quotes");
    return fail_here(s, NULL, "expected a key or '}'");
}

static int scan_container(struct scanner *s, unsigned depth)
{
    size_t open = s->at, comma = SIZE_MAX, members = 0;
    bool object = s->text[s->at++] == '{';
    char close = object ? '}' : ']';
    if (depth >= CONFIG_DEPTH_MAX)
        return diag_error(s->d, place(s, open, 1), NULL, "nested too deeply (at most %d levels)", CONFIG_DEPTH_MAX);
    for (;;) {
        if (skip_space(s) < 0)
            return -1;
        if (s->at < s->end && s->text[s->at] == close) {
            if (comma != SIZE_MAX)
                blank(s, comma, comma + 1); /* a trailing comma */
            s->at++;
            return 0;
        }
        if (s->at >= s->end) {
            unsigned line, column;
            diag_position(&s->src->d, open, &line, &column);
            return diag_error(s->d, place(s, s->end, 1), NULL, "the text ends inside the %s that opens at %u:%u",
                              object ? "object" : "list", line, column);
        }
        if (object && members++ == CONFIG_MEMBERS_MAX)
            return diag_error(s->d, place(s, s->at, token_len(s, s->at)), NULL,
                              "too many keys in one object (at most %d)", CONFIG_MEMBERS_MAX);
        size_t key = 0, key_len = 0;
        if (object) {
            if (scan_key(s, &key, &key_len) < 0 || skip_space(s) < 0)
                return -1;
            if (s->at >= s->end || s->text[s->at] != ':')
                return fail_here(s, s->at < s->end && s->text[s->at] == '=' ? "write ':'" : NULL,
                                 "expected ':' after the key");
            s->at++;
            if (skip_space(s) < 0)
                return -1;
        }
        if (scan_value(s, key, key_len, depth + 1) < 0 || skip_space(s) < 0)
            return -1;
        comma = SIZE_MAX;
        if (s->at < s->end && s->text[s->at] == ',')
            comma = s->at++;
        else if (s->at < s->end && s->text[s->at] != close)
            return fail_here(s, strchr("}]:;=", s->text[s->at]) ? NULL : "is a ',' missing before this?",
                             object ? "expected ',' or '}'" : "expected ',' or ']'");
    }
}

static int scan_value(struct scanner *s, size_t key, size_t key_len, unsigned depth)
{
    size_t m = 0, from = s->at;
    if (add_mark(s, key, key_len, &m) < 0)
        return -1;
    char c = s->at < s->end ? s->text[s->at] : 0;
    if (c == '{' || c == '[') {
        if (scan_container(s, depth) < 0)
            return -1;
    } else if (c == '"') {
        bool bad;
        if (scan_string(s, &bad) < 0)
            return -1;
        if (bad)
            neutral(s, from, s->at, "\"\"");
        s->out->marks[m].bad = bad;
    } else if (c && word_char(c)) {
        size_t len = token_len(s, from);
        const char *p = s->text + from;
        bool ok = is_number(p, len) || (len == 4 && !memcmp(p, "true", 4)) || (len == 4 && !memcmp(p, "null", 4)) ||
                  (len == 5 && !memcmp(p, "false", 5));
        s->at += len;
        if (!ok) {
            bad_word(s, from, len);
            neutral(s, from, s->at, "0");
            s->out->marks[m].bad = true;
        }
    } else {
        return fail_here(s, c == '\'' ? "text stands in double quotes" : NULL, "expected a value");
    }
    s->out->marks[m].len = (uint32_t)(s->at - from);
    return 0;
}

static int check_bytes(struct scanner *s)
{
    if (s->end - s->at >= 3 && !memcmp(s->text + s->at, "\xef\xbb\xbf", 3))
        return diag_error(s->d, place(s, s->at, 1), NULL, "byte-order mark; save the file as UTF-8 without it");
    for (size_t i = s->at; i < s->end;) {
        size_t n = text_utf8(s->text + i, s->end - i);
        if (!n || !s->text[i])
            return diag_error(s->d, place(s, i, 1), NULL, "byte 0x%02x is %s", (unsigned char)s->text[i],
                              n ? "not allowed in a text" : "not UTF-8");
        i += n;
    }
    return 0;
}

int json_scan(struct json_scan *out, const struct source *src, size_t start, size_t len, size_t nodes_max,
              struct diag *d)
{
    *out = (struct json_scan){0};
    struct scanner s = {.out = out, .src = src, .text = src->d.text, .begin = start, .at = start, .end = start + len,
                        .nodes_max = nodes_max, .d = d};
    out->clean = malloc(len + 1);
    if (!out->clean)
        return diag_error(d, place(&s, start, 1), NULL, "out of memory");
    memcpy(out->clean, s.text + start, len);
    out->clean[len] = 0;
    if (check_bytes(&s) < 0 || skip_space(&s) < 0)
        return -1;
    if (s.at == s.end)
        return diag_error(d, place(&s, s.at, 1), NULL, "empty configuration; write {} for all defaults");
    if (scan_value(&s, 0, 0, 0) < 0 || skip_space(&s) < 0)
        return -1;
    if (s.at < s.end)
        return fail_here(&s, NULL, "expected the end of the text");
    return 0;
}

void json_scan_fini(struct json_scan *s)
{
    free(s->clean);
    free(s->marks);
}
