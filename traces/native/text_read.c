/* The text form's reader: one record a line. References take a fast path, everything else the grammar. */
#include "traces/native/text.h"
#include "traces/trace.h"

#include <stdlib.h>

static const struct text_flag flags[] = {TEXT_FLAGS};

struct text_reader {
    int unused;
};

/* One line being taken apart. */
struct cursor {
    const struct trace_input *in;
    const char *line, *p, *end;
    size_t len;
    struct err *err;
};

struct token {
    const char *p;
    size_t n;
};

static int text_probe(const unsigned char *head, size_t n, bool whole)
{
    const size_t k = sizeof TEXT_HEADER - 1;

    (void)whole;
    return n >= k && !memcmp(head, TEXT_HEADER, k) ? 100 : 0;
}

static int text_open(void *state, struct trace_input *in, const char *path, const struct trace_options *opt,
                     struct err *err)
{
    const size_t k = sizeof TEXT_HEADER - 1;

    (void)state;
    (void)path;
    (void)opt;
    trace_input_fill(in, k + 8, NULL);
    if (trace_input_avail(in) > k && !memcmp(in->p, TEXT_HEADER, k)) {
        const char *digits = (const char *)in->p + k;
        unsigned version = 0;
        for (unsigned i = 0; i < 6 && digits[i] >= '0' && digits[i] <= '9'; i++)
            version = version * 10 + (unsigned)(digits[i] - '0');
        if (version != TEXT_VERSION) {
            in->line = 1;
            return trace_line_error(
                in, digits, 0, err, "use a newer program, or write the trace as version 1",
                "the text trace has version %u, this program reads %u", version, TEXT_VERSION);
        }
    }
    return 0;
}

/* --- tokens --------------------------------------------------------------------------------------------- */

static inline int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 32);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool blank(char c)
{
    return c == ' ' || c == '\t';
}

static void skip_blanks(struct cursor *c)
{
    while (c->p < c->end && blank(*c->p))
        c->p++;
    if (c->p < c->end && *c->p == '#')
        c->p = c->end;
}

static bool next_token(struct cursor *c, struct token *t)
{
    skip_blanks(c);
    t->p = c->p;
    while (c->p < c->end && !blank(*c->p) && *c->p != '"')
        c->p++;
    t->n = (size_t)(c->p - t->p);
    return t->n != 0;
}

static bool is(const struct token *t, const char *s)
{
    return t->n == strlen(s) && !memcmp(t->p, s, t->n);
}

#define FAIL(c, remedy, ...) trace_line_error((c)->in, (c)->line, (c)->len, (c)->err, remedy, __VA_ARGS__)

/* 0, or -1 with the error set. A '-' makes the two's complement; without 0x the number is hexadecimal if
 * `hex`. */
static int number(struct cursor *c, const struct token *t, bool hex, const char *what, uint64_t *out)
{
    const char *p = t->p, *end = t->p + t->n;
    bool minus = p < end && *p == '-';
    uint64_t v = 0;
    unsigned base;

    p += minus;
    if (end - p > 2 && p[0] == '0' && (p[1] | 32) == 'x') {
        hex = true;
        p += 2;
    }
    base = hex ? 16 : 10;
    if (p == end)
        return FAIL(c, "numbers are like 4096, -1 or 0x7f00", "%s is not a number: \"%.*s\"", what, (int)t->n,
                    t->p);
    for (; p < end; p++) {
        int d = hex_digit(*p);
        if (d < 0 || d >= (int)base)
            return FAIL(
                c, hex ? "write a hexadecimal address like 7f0012ab" : "write hexadecimal numbers with 0x",
                "%s is not a number: \"%.*s\"", what, (int)(t->n < 64 ? t->n : 64), t->p);
        if (__builtin_mul_overflow(v, base, &v) || __builtin_add_overflow(v, (uint64_t)d, &v))
            return FAIL(c, NULL, "%s does not fit 64 bits: \"%.*s\"", what, (int)(t->n < 64 ? t->n : 64),
                        t->p);
    }
    *out = minus ? 0 - v : v;
    return 0;
}

static int number32(struct cursor *c, const struct token *t, const char *what, uint32_t *out)
{
    uint64_t v = 0;

    if (number(c, t, false, what, &v) < 0)
        return -1;
    if (v > UINT32_MAX)
        return FAIL(c, NULL, "%s does not fit 32 bits: \"%.*s\"", what, (int)t->n, t->p);
    *out = (uint32_t)v;
    return 0;
}

/* The string at the cursor, which stands on its opening quote, into buf. */
static int quoted(struct cursor *c, char *buf, size_t *len)
{
    size_t n = 0;

    for (c->p++; c->p < c->end && *c->p != '"'; c->p++) {
        char ch = *c->p;
        if (ch == '\\') {
            int hi, lo;
            c->p++;
            if (c->p == c->end)
                break;
            switch (*c->p) {
            case 'n':
                ch = '\n';
                break;
            case 't':
                ch = '\t';
                break;
            case '\\':
            case '"':
                ch = *c->p;
                break;
            case 'x':
                hi = c->end - c->p > 2 ? hex_digit(c->p[1]) : -1;
                lo = hi >= 0 ? hex_digit(c->p[2]) : -1;
                if (lo < 0)
                    return FAIL(c, "write \\x and two hexadecimal digits", "bad \\x in the string");
                ch = (char)(hi << 4 | lo);
                c->p += 2;
                break;
            default:
                return FAIL(c, "known are \\\\ \\\" \\n \\t \\xHH", "bad backslash in the string");
            }
        }
        if (!ch)
            return FAIL(c, NULL, "a string cannot hold a zero byte");
        if (n == TRACE_STRING_MAX)
            return FAIL(c, NULL, "the string is longer than %u bytes", TRACE_STRING_MAX);
        buf[n++] = ch;
    }
    if (c->p >= c->end)
        return FAIL(c, "end it with \"", "the string does not end");
    c->p++;
    *len = n;
    return 0;
}

static int find_kind(const struct token *t)
{
    for (unsigned k = 1; k < 256; k++) {
        const char *name = trace_kind_name((uint8_t)k);
        if (name && name[0] == t->p[0] && is(t, name))
            return (int)k;
    }
    return -1;
}

/* --- a record by the grammar ---------------------------------------------------------------------------- */

struct parts {
    struct trace_rec r;
    const struct trace_shape *shape;
    uint64_t word[8];
    unsigned have; /* bit mask of words given */
    unsigned next; /* word that the next positional value fills */
    bool has_size, has_string;
    char string[TRACE_STRING_MAX];
    size_t string_len;
};

static int named_value(struct cursor *c, struct parts *d, const struct token *name, const struct token *value)
{
    uint64_t v = 0;

    if (is(name, "size")) {
        for (unsigned i = 0; i < d->shape->words; i++) /* malloc and realloc have a word of that name */
            if (is(name, d->shape->field[i]))
                goto word;
        d->has_size = true;
        return number32(c, value, "size", &d->r.size);
    }
    if (is(name, "arg2")) {
        d->has_size = true;
        return number32(c, value, "arg2", &d->r.size);
    }
    if (is(name, "flags") && d->r.kind != TRACE_MMAP && d->r.kind != TRACE_MREMAP)
        goto flags_value;
    if (is(name, "rflags")) {
    flags_value:
        if (number(c, value, false, "flags", &v) < 0)
            return -1;
        if (v > 255)
            return FAIL(c, NULL, "flags do not fit 8 bits");
        d->r.flags |= (uint8_t)v;
        return 0;
    }
word:
    for (unsigned i = 0; i < d->shape->words; i++) {
        if (!is(name, d->shape->field[i]))
            continue;
        if (d->have & 1u << i)
            return FAIL(c, "remove one", "%s is given twice", d->shape->field[i]);
        d->have |= 1u << i;
        return number(c, value, false, d->shape->field[i], &d->word[i]);
    }
    return FAIL(c, "docs/trace-format.md lists the fields of each kind", "%s has no field \"%.*s\"",
                d->shape->name, (int)(name->n < 32 ? name->n : 32), name->p);
}

/* After the first argument: values by position or name, flag names, a string. */
static int argument(struct cursor *c, struct parts *d, const struct token *t)
{
    const char *eq = memchr(t->p, '=', t->n);
    const struct trace_shape *s = d->shape;

    if (eq) {
        struct token name = {t->p, (size_t)(eq - t->p)}, value = {eq + 1, t->n - name.n - 1};
        return named_value(c, d, &name, &value);
    }
    if ((*t->p >= '0' && *t->p <= '9') || *t->p == '-') {
        if (s->size && !d->has_size) {
            d->has_size = true;
            return number32(c, t, "size", &d->r.size);
        }
        while (d->next < s->words && d->have & 1u << d->next)
            d->next++;
        if (d->next >= s->words)
            return FAIL(c, "docs/trace-format.md lists the fields of each kind", "too many values for %s",
                        s->name);
        d->have |= 1u << d->next;
        return number(c, t, false, s->field[d->next], &d->word[d->next]);
    }
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if (is(t, flags[i].name) && d->r.kind >= flags[i].first && d->r.kind <= flags[i].last) {
            d->r.flags |= flags[i].value;
            return 0;
        }
    }
    return FAIL(c, "flags are words such as taken, values are numbers or name=value",
                "%s has no flag \"%.*s\"", s->name, (int)(t->n < 32 ? t->n : 32), t->p);
}

static int parse_record(struct cursor *c, const struct token *name, struct trace_sink *sink)
{
    struct parts d = {.r = {0}};
    struct token t;
    int kind = find_kind(name);

    if (kind < 0)
        return FAIL(c,
                    "a line is T, # or a kind: I L S M branch mmap munmap brk fork exit malloc free mark ...",
                    "unknown kind \"%.*s\"", (int)(name->n < 32 ? name->n : 32), name->p);
    d.r.kind = (uint8_t)kind;
    d.shape = trace_kind_shape((uint8_t)kind);
    if (!next_token(c, &t))
        return FAIL(c, NULL, "%s needs a first argument", d.shape->name);
    if (number(c, &t, d.shape->hex, d.shape->hex ? "the address" : "the first argument", &d.r.addr) < 0)
        return -1;
    for (;;) {
        skip_blanks(c);
        if (c->p == c->end)
            break;
        if (*c->p == '"') {
            if (!d.shape->string || d.has_string)
                return FAIL(c, NULL, "%s has no %sstring", d.shape->name, d.has_string ? "second " : "");
            d.has_string = true;
            if (quoted(c, d.string, &d.string_len) < 0)
                return -1;
        } else if (next_token(c, &t)) {
            /* name="string" */
            if (c->p < c->end && *c->p == '"' && t.p[t.n - 1] == '=' && d.shape->string) {
                struct token field = {t.p, t.n - 1};
                if (!is(&field, d.shape->field[d.shape->words]))
                    return FAIL(c, NULL, "the string of %s is called %s", d.shape->name,
                                d.shape->field[d.shape->words]);
                continue;
            }
            if (argument(c, &d, &t) < 0)
                return -1;
        }
    }
    if (d.shape->size && !d.has_size)
        return FAIL(c, "write it after the first argument, in decimal", "%s needs a second argument",
                    d.shape->name);
    for (unsigned i = 0; i < d.shape->words; i++)
        if (!(d.have & 1u << i))
            return FAIL(c, "give all values, by position or as name=value", "%s lacks %s", d.shape->name,
                        d.shape->field[i]);
    if (d.shape->string && !d.has_string)
        return FAIL(c, "write it in quotes: \"...\"", "%s lacks %s", d.shape->name,
                    d.shape->field[d.shape->words]);
    if (d.shape->string)
        trace_sink_put_string(sink, d.r, d.word, d.shape->words, d.string, d.string_len);
    else
        trace_sink_put_words(sink, d.r, d.word, d.shape->words);
    return 0;
}

static int parse_line(struct trace_input *in, const char *line, size_t len, struct trace_sink *sink,
                      struct err *err)
{
    struct cursor c = {in, line, line, line + len, len, err};
    struct token t, a, b;
    uint32_t process = 0, thread = 0;

    if (!next_token(&c, &t)) {
        skip_blanks(&c);
        return c.p == c.end ? 0 : FAIL(&c, "a line begins with a kind", "a string stands alone");
    }
    if (!is(&t, "T"))
        return parse_record(&c, &t, sink);
    if (!next_token(&c, &a) || !next_token(&c, &b) || number32(&c, &a, "process", &process) < 0 ||
        number32(&c, &b, "thread", &thread) < 0 || (skip_blanks(&c), c.p != c.end) || process > INT32_MAX)
        return FAIL(&c, "write T 0 1 for thread 1 of process 0", "T needs a process and a thread number");
    trace_sink_thread(sink, process, thread);
    return 0;
}

/* "X hex decimal" and nothing else; false: let the grammar look at it. line[len] stops every loop. */
static inline bool fast_ref(const char *line, size_t len, struct trace_sink *sink)
{
    const char *p = line + 2, *end = line + len;
    uint64_t addr = 0, size = 0;
    uint8_t kind;
    int d;

    if (len < 5 || line[1] != ' ')
        return false;
    switch (line[0]) {
    case 'I':
        kind = TRACE_FETCH;
        break;
    case 'L':
        kind = TRACE_LOAD;
        break;
    case 'S':
        kind = TRACE_STORE;
        break;
    case 'M':
        kind = TRACE_MODIFY;
        break;
    default:
        return false;
    }
    for (; (d = hex_digit(*p)) >= 0; p++)
        addr = addr << 4 | (uint64_t)d;
    if (p == line + 2 || p - line > 2 + 16 || *p++ != ' ' || p >= end)
        return false;
    for (; *p >= '0' && *p <= '9' && size < 100000000; p++)
        size = size * 10 + (uint64_t)(*p - '0');
    if (p != end)
        return false;
    trace_sink_ref(sink, kind, addr, (uint32_t)size);
    return true;
}

static int text_read_batch(void *state, struct trace_input *in, struct trace_sink *sink, struct err *err)
{
    const char *line;
    size_t len;
    int r;

    (void)state;
    while (!trace_sink_full(sink)) {
        r = trace_input_line(in, &line, &len, err);
        if (r <= 0)
            return r;
        if (!fast_ref(line, len, sink) && parse_line(in, line, len, sink, err) < 0)
            return -1;
    }
    return 1;
}

static int text_rewind(void *state, struct trace_input *in, struct err *err)
{
    (void)state;
    (void)in;
    (void)err;
    return 0;
}

const struct trace_reader_ops trace_reader_text = {
    .name = "text",
    .probe = text_probe,
    .state_bytes = sizeof(struct text_reader),
    .open = text_open,
    .read_batch = text_read_batch,
    .rewind = text_rewind,
};
