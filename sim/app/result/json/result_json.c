#include "app/result/json/result_json.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 64
#define PATH_MAX_LEN 1024

struct scan {
    const char *begin, *p, *end;
    const char *name;
    struct err *err;
    struct json_flat *j;
    char *out; /* end of the used part of the pool, which is as large as it can ever be */
    char *limit;
    char path[PATH_MAX_LEN];
    size_t path_len;
    unsigned depth;
};

static int bad(struct scan *s, const char *what)
{
    unsigned line = 1, column = 1;
    for (const char *c = s->begin; c < s->p && c < s->end; c++) {
        column = *c == '\n' ? 1 : column + 1;
        line += *c == '\n';
    }
    err_set(s->err, ERR_USAGE, "%s", what);
    return err_at(s->err, s->name, line, column);
}

static void blanks(struct scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\t' || *s->p == '\r'))
        s->p++;
}

static bool take(struct scan *s, char c)
{
    blanks(s);
    if (s->p == s->end || *s->p != c)
        return false;
    s->p++;
    return true;
}

/* Copies into the pool; decoded texts are never longer than the source, paths are bounded by `limit`. */
static const char *pool_text(struct scan *s, const char *text, size_t len)
{
    if ((size_t)(s->limit - s->out) < len + 1)
        return NULL;
    char *copy = s->out;
    memcpy(copy, text, len);
    copy[len] = '\0';
    s->out += len + 1;
    return copy;
}

static int add(struct scan *s, const char *text, size_t len, enum json_type type)
{
    struct json_flat *j = s->j;
    if (j->n == j->cap) {
        size_t cap = j->cap ? j->cap * 2 : 256;
        struct json_flat_value *v = reallocarray(j->v, cap, sizeof *v);
        if (!v)
            return bad(s, "out of memory");
        j->v = v;
        j->cap = cap;
    }
    const char *path = pool_text(s, s->path, s->path_len), *copy = text ? pool_text(s, text, len) : "";
    if (!path || !copy)
        return bad(s, "the member names are too long");
    j->v[j->n++] = (struct json_flat_value){path, copy, type};
    return 0;
}

static int hex4(const char *p, const char *end, unsigned *out)
{
    *out = 0;
    for (int i = 0; i < 4; i++, p++) {
        if (p >= end)
            return -1;
        char c = *p;
        unsigned d = c >= '0' && c <= '9' ? (unsigned)(c - '0')
                     : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
                     : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10)
                                            : 16;
        if (d > 15)
            return -1;
        *out = *out * 16 + d;
    }
    return 0;
}

static size_t put_utf8(char *to, unsigned c)
{
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        to[0] = (char)(0xc0 | c >> 6);
        to[1] = (char)(0x80 | (c & 63));
        return 2;
    }
    to[0] = (char)(0xe0 | c >> 12);
    to[1] = (char)(0x80 | (c >> 6 & 63));
    to[2] = (char)(0x80 | (c & 63));
    return 3;
}

/* A string after its quote, decoded into `to` (room for the source's length). Surrogates become U+FFFD. */
static int string(struct scan *s, char *to, size_t room, size_t *len)
{
    *len = 0;
    for (; s->p < s->end && *s->p != '"';) {
        if (*len + 4 > room)
            return bad(s, "the text is too long");
        char c = *s->p++;
        if ((unsigned char)c < 0x20)
            return bad(s, "a control character in a string");
        if (c != '\\') {
            to[(*len)++] = c;
            continue;
        }
        if (s->p == s->end)
            break;
        c = *s->p++;
        static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
        const char *at = c ? strchr(from, c) : NULL;
        unsigned code;
        if (at) {
            to[(*len)++] = into[at - from];
        } else if (c == 'u' && !hex4(s->p, s->end, &code)) {
            s->p += 4;
            *len += put_utf8(to + *len, !code || (code >= 0xd800 && code <= 0xdfff) ? 0xfffd : code);
        } else {
            return bad(s, "an unknown escape in a string");
        }
    }
    if (s->p == s->end)
        return bad(s, "a string without an end");
    s->p++;
    return 0;
}

static int value(struct scan *s);

static int member(struct scan *s)
{
    size_t before = s->path_len, len;
    if (!take(s, '"'))
        return bad(s, "expected a member name");
    if (before)
        s->path[s->path_len++] = '.';
    if (string(s, s->path + s->path_len, PATH_MAX_LEN - s->path_len - 1, &len))
        return -1;
    s->path_len += len;
    if (!take(s, ':'))
        return bad(s, "expected ':'");
    if (PATH_MAX_LEN - s->path_len < 8)
        return bad(s, "the member names are too long");
    if (value(s))
        return -1;
    s->path_len = before;
    return 0;
}

static int object(struct scan *s)
{
    if (take(s, '}'))
        return s->path_len ? add(s, NULL, 0, JSON_EMPTY_OBJECT) : 0;
    do {
        if (member(s))
            return -1;
    } while (take(s, ','));
    return take(s, '}') ? 0 : bad(s, "expected ',' or '}'");
}

/* Walks over an array: its text stays as it is, so brackets and strings are all that must be right. */
static int array(struct scan *s, const char *start)
{
    unsigned depth = 1;
    while (s->p < s->end && depth) {
        char c = *s->p++;
        if (c == '"') {
            while (s->p < s->end && *s->p != '"')
                s->p += *s->p == '\\' && s->p + 1 < s->end ? 2 : 1;
            if (s->p == s->end)
                break;
            s->p++;
        } else {
            depth += c == '[' || c == '{';
            depth -= c == ']' || c == '}';
        }
    }
    return depth ? bad(s, "an array without an end") : add(s, start, (size_t)(s->p - start), JSON_ARRAY);
}

static const char *digits(const char *p, const char *end)
{
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p;
}

/* -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?  (RFC 8259, section 6) */
static bool number_ok(const char *p, const char *end)
{
    p += p < end && *p == '-';
    const char *whole = p;
    p = digits(p, end);
    if (p == whole || (*whole == '0' && p - whole > 1))
        return false;
    if (p < end && *p == '.') {
        const char *part = ++p;
        p = digits(p, end);
        if (p == part)
            return false;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        p += p < end && (*p == '+' || *p == '-');
        const char *power = p;
        p = digits(p, end);
        if (p == power)
            return false;
    }
    return p == end;
}

static int value(struct scan *s)
{
    blanks(s);
    const char *start = s->p;
    if (s->p == s->end)
        return bad(s, "the text ends too early");
    char c = *s->p;
    if (c == '{' || c == '[') {
        s->p++;
        if (c == '[')
            return array(s, start);
        if (++s->depth > DEPTH_MAX)
            return bad(s, "nested too deeply");
        int rc = object(s);
        s->depth--;
        return rc;
    }
    if (c == '"') {
        s->p++;
        const char *q = s->p;
        while (q < s->end && *q != '"')
            q += *q == '\\' && q + 1 < s->end ? 2 : 1;
        size_t room = (size_t)(q - s->p) + 8, len;
        char *text = malloc(room);
        if (!text)
            return bad(s, "out of memory");
        int rc = string(s, text, room, &len);
        if (!rc)
            rc = add(s, text, len, JSON_STRING);
        free(text);
        return rc;
    }
    while (s->p < s->end && *s->p && strchr("+-.0123456789abcdefghijklmnopqrstuvwxyzE", *s->p))
        s->p++;
    size_t len = (size_t)(s->p - start);
    bool literal = (len == 4 && (!memcmp(start, "true", 4) || !memcmp(start, "null", 4))) ||
                   (len == 5 && !memcmp(start, "false", 5));
    if (literal || number_ok(start, s->p))
        return add(s, start, len, literal ? JSON_LITERAL : JSON_NUMBER);
    s->p = start;
    return bad(s, "expected a value");
}

int json_flat_parse(struct json_flat *j, const char *text, size_t len, const char *name, struct err *err)
{
    *j = (struct json_flat){0};
    /* Values take at most their source (a \u escape of 6 gives 3), paths share the rest of a generous bound. */
    size_t room = len * 8 + 65536;
    struct scan s = {.begin = text, .p = text, .end = text + len, .name = name, .err = err, .j = j};
    j->pool = s.out = malloc(room);
    if (!j->pool)
        return err_set(err, ERR_RUN, "out of memory for %s", name);
    s.limit = s.out + room;
    int rc = take(&s, '{') ? object(&s) : bad(&s, "expected an object");
    blanks(&s);
    if (!rc && s.p != s.end)
        rc = bad(&s, "text after the end");
    if (rc)
        json_flat_free(j);
    return rc;
}

int result_text_load(char **text, size_t *len, const char *file, struct err *err)
{
    FILE *f = fopen(file, "re");
    *text = NULL;
    *len = 0;
    if (!f) {
        err_set(err, ERR_USAGE, "cannot open: %s", strerror(errno));
        return err_at(err, file, 0, 0);
    }
    size_t cap = 0;
    int rc = 0;
    for (size_t got = 1; got && !rc;) {
        if (*len + 1 >= cap) {
            cap = cap ? cap * 2 : 65536;
            char *more = cap > RESULT_JSON_MAX ? NULL : realloc(*text, cap);
            if (!more) {
                err_set(err, ERR_USAGE, "larger than a result can be");
                rc = err_at(err, file, 0, 0);
                break;
            }
            *text = more;
        }
        got = fread(*text + *len, 1, cap - *len - 1, f);
        *len += got;
        (*text)[*len] = 0;
    }
    if (!rc && ferror(f)) {
        err_set(err, ERR_USAGE, "cannot read: %s", strerror(errno));
        rc = err_at(err, file, 0, 0);
    }
    fclose(f);
    if (rc) {
        free(*text);
        *text = NULL;
    }
    return rc;
}

int json_flat_load(struct json_flat *j, const char *file, struct err *err)
{
    char *text;
    size_t len;
    *j = (struct json_flat){0};
    if (result_text_load(&text, &len, file, err) < 0)
        return -1;
    int rc = json_flat_parse(j, text, len, file, err);
    free(text);
    return rc;
}

void json_flat_free(struct json_flat *j)
{
    free(j->v);
    free(j->pool);
    *j = (struct json_flat){0};
}

const char *json_flat_get(const struct json_flat *j, const char *path)
{
    for (size_t i = 0; i < j->n; i++)
        if (!strcmp(j->v[i].path, path))
            return j->v[i].text;
    return NULL;
}

bool json_flat_u64(const char *text, uint64_t *out)
{
    uint64_t v = 0;
    if (!*text)
        return false;
    for (; *text; text++)
        if (*text < '0' || *text > '9' || __builtin_mul_overflow(v, 10u, &v) ||
            __builtin_add_overflow(v, (uint64_t)(*text - '0'), &v))
            return false;
    *out = v;
    return true;
}

int json_flat_u64_array(const char *text, uint64_t *out, size_t max)
{
    int n = 0;
    while (*text) {
        text += strspn(text, "[], \t\r\n");
        size_t len = strcspn(text, "[], \t\r\n");
        char one[24];
        uint64_t v;
        if (!len)
            break;
        snprintf(one, sizeof one, "%.*s", (int)(len < sizeof one ? len : sizeof one - 1), text);
        if (len >= sizeof one || !json_flat_u64(one, &v))
            return -1;
        if ((size_t)n < max)
            out[n] = v;
        n++;
        text += len;
    }
    return n;
}

int result_stats_load(struct json_flat *j, const char *dir, struct err *err)
{
    char file[4096];
    if (snprintf(file, sizeof file, "%s/stats.json", dir) >= (int)sizeof file)
        return err_set(err, ERR_USAGE, "the name of the result folder is too long");
    if (json_flat_load(j, file, err)) {
        if (err && !err->line)
            err_remedy(err, "\"%s\" holds no finished result; make one with: mmulab run CONFIG -t TRACE -o %s", dir, dir);
        else
            err_remedy(err, "the file is damaged; simulate it again");
        return -1;
    }
    const char *tool = json_flat_get(j, "tool");
    if (tool && !strcmp(tool, "mmulab"))
        return 0;
    json_flat_free(j);
    err_set(err, ERR_USAGE, "this is no result of mmulab");
    return err_at(err, file, 0, 0);
}

bool result_name_matches(const char *pattern, const char *name)
{
    if (!pattern)
        return true;
    return strpbrk(pattern, "*?[") ? !fnmatch(pattern, name, 0) : strstr(name, pattern) != NULL;
}
