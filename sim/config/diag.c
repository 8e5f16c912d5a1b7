#include "config/diag.h"

#include <stdlib.h>
#include <string.h>

#include "config/text.h"

struct diag {
    size_t errors;
    char *text[DIAG_LIMIT]; /* rendered error with its notes */
    size_t len[DIAG_LIMIT];
    struct err first;
};

struct diag *diag_new(void) { return calloc(1, sizeof(struct diag)); }

void diag_free(struct diag *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < DIAG_LIMIT; i++)
        free(d->text[i]);
    free(d);
}

size_t diag_count(const struct diag *d) { return d ? d->errors : 0; }
bool diag_full(const struct diag *d) { return !d || d->errors >= DIAG_LIMIT; }

/* Characters between two offsets of a line; a byte that is not UTF-8 counts as one. */
static size_t chars_in(const char *text, size_t from, size_t to)
{
    size_t n = 0;
    while (from < to) {
        size_t step = text_utf8(text + from, to - from);
        from += step ? step : 1;
        n++;
    }
    return n;
}

static size_t line_start(const struct diag_source *s, size_t offset)
{
    while (offset && s->text[offset - 1] != '\n')
        offset--;
    return offset;
}

void diag_position(const struct diag_source *s, size_t offset, unsigned *line, unsigned *column)
{
    if (offset > s->len)
        offset = s->len;
    unsigned n = 1;
    for (const char *p = s->text; (p = memchr(p, '\n', (size_t)(s->text + offset - p))); p++)
        n++;
    *line = n;
    *column = (unsigned)chars_in(s->text, line_start(s, offset), offset) + 1;
}

static void put_name(FILE *to, const struct diag_source *s)
{
    char buf[TEXT_WORD];
    /* A file's name is never cut, editors jump to it; an option may be as long as the shell allows. */
    if (s->option)
        text_word(buf, s->name, strlen(s->name));
    text_put(to, s->option ? buf : s->name, strlen(s->option ? buf : s->name));
}

static void put_place(FILE *to, struct diag_place at)
{
    if (!at.src)
        return;
    put_name(to, at.src);
    if (!at.src->option && at.offset != DIAG_WHOLE) {
        unsigned line, column;
        diag_position(at.src, at.offset, &line, &column);
        fprintf(to, ":%u:%u", line, column);
    }
    fputs(": ", to);
}

enum { SNIPPET_CHARS = 96, SNIPPET_BEFORE = 40 };

static void put_snippet(FILE *to, struct diag_place at, const char *hint)
{
    const struct diag_source *s = at.src;
    size_t offset = at.offset > s->len ? s->len : at.offset, begin = line_start(s, offset), end = offset;
    while (end < s->len && s->text[end] != '\n')
        end++;
    if (end > begin && s->text[end - 1] == '\r' && end - 1 >= offset)
        end--;
    unsigned line, column;
    diag_position(s, offset, &line, &column);
    const char *before = "", *after = "";
    if (chars_in(s->text, begin, end) > SNIPPET_CHARS) { /* a window around the place */
        size_t skip = column - 1 > SNIPPET_BEFORE ? column - 1 - SNIPPET_BEFORE : 0, i = begin;
        if (skip)
            before = "...";
        for (; skip; skip--) {
            size_t step = text_utf8(s->text + i, end - i);
            i += step ? step : 1;
        }
        begin = i;
        for (size_t n = 0; i < end && n < SNIPPET_CHARS; n++) {
            size_t step = text_utf8(s->text + i, end - i);
            i += step ? step : 1;
        }
        if (i < end)
            after = "...";
        end = i;
    }
    if (s->option)
        fputs("      | ", to);
    else
        fprintf(to, "%5u | ", line);
    fputs(before, to);
    text_put(to, s->text + begin, end - begin);
    fprintf(to, "%s\n      | %*s^", after, (int)(strlen(before) + chars_in(s->text, begin, offset)), "");
    size_t stop = offset + at.len < end ? offset + at.len : end;
    for (size_t n = stop > offset ? chars_in(s->text, offset, stop) : 0; n > 1; n--)
        fputc('~', to);
    if (hint && *hint) {
        fputc(' ', to);
        text_put(to, hint, strlen(hint));
    }
    fputc('\n', to);
}

static void put_included_from(FILE *to, struct diag_place at)
{
    for (const struct diag_source *s = at.src; s && s->parent; s = s->parent) {
        put_place(to, at);
        at = (struct diag_place){s->parent, s->parent_offset, s->parent_len};
        fputs("note: included from ", to);
        put_name(to, s->parent);
        unsigned line, column;
        diag_position(s->parent, s->parent_offset, &line, &column);
        if (s->parent->option)
            fputc('\n', to);
        else
            fprintf(to, ":%u:%u\n", line, column);
    }
}

int diag_errorv(struct diag *d, struct diag_place at, const char *hint, const char *fmt, va_list ap)
{
    if (!d)
        return -1;
    size_t slot = d->errors++;
    if (slot >= DIAG_LIMIT)
        return -1;
    char *message = NULL;
    if (vasprintf(&message, fmt, ap) < 0)
        return -1;
    if (!slot) {
        err_set(&d->first, ERR_USAGE, "%s", message);
        if (hint && *hint)
            err_remedy(&d->first, "%s", hint);
        if (at.src) {
            unsigned line = 0, column = 0;
            if (!at.src->option && at.offset != DIAG_WHOLE)
                diag_position(at.src, at.offset, &line, &column);
            err_at(&d->first, at.src->name, line, column);
        }
    }
    FILE *to = open_memstream(&d->text[slot], &d->len[slot]);
    if (to) {
        put_place(to, at);
        fputs("error: ", to);
        text_put(to, message, strlen(message));
        fputc('\n', to);
        if (at.src && at.offset != DIAG_WHOLE)
            put_snippet(to, at, hint);
        put_included_from(to, at);
        fclose(to);
    }
    free(message);
    return -1;
}

int diag_error(struct diag *d, struct diag_place at, const char *hint, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    diag_errorv(d, at, hint, fmt, ap);
    va_end(ap);
    return -1;
}

void diag_note(struct diag *d, struct diag_place at, const char *fmt, ...)
{
    if (!d || !d->errors || d->errors > DIAG_LIMIT)
        return;
    char **slot = &d->text[d->errors - 1], *all = NULL, *message = NULL;
    size_t len = 0;
    va_list ap;
    va_start(ap, fmt);
    int n = vasprintf(&message, fmt, ap);
    va_end(ap);
    if (n < 0)
        return;
    FILE *to = open_memstream(&all, &len);
    if (to) {
        if (*slot)
            fputs(*slot, to);
        put_place(to, at);
        fputs("note: ", to);
        text_put(to, message, strlen(message));
        fputc('\n', to);
        fclose(to);
        if (all) {
            free(*slot);
            *slot = all;
        }
    }
    free(message);
}

int diag_err(struct diag *d, const struct err *err)
{
    if (!d)
        return -1;
    size_t slot = d->errors++;
    if (slot >= DIAG_LIMIT)
        return -1;
    if (!slot)
        d->first = *err;
    char line[2400];
    err_format(err, line, sizeof line);
    FILE *to = open_memstream(&d->text[slot], &d->len[slot]);
    if (to) {
        text_put(to, line, strlen(line));
        fputc('\n', to);
        fclose(to);
    }
    return -1;
}

void diag_print(const struct diag *d, FILE *to)
{
    if (!d) {
        fputs("mmulab: error: out of memory\n", to);
        return;
    }
    if (!d->errors)
        return;
    for (size_t i = 0; i < d->errors && i < DIAG_LIMIT; i++)
        fputs(d->text[i] ? d->text[i] : "error: out of memory\n", to);
    if (d->errors > DIAG_LIMIT)
        fprintf(to, "mmulab: %zu errors, the first %d are shown, nothing was run\n", d->errors, DIAG_LIMIT);
    else
        fprintf(to, "mmulab: %zu error%s, nothing was run\n", d->errors, d->errors == 1 ? "" : "s");
}

int diag_to_err(const struct diag *d, struct err *err)
{
    if (!d || !d->errors)
        return err_set(err, ERR_USAGE, "out of memory");
    if (err)
        *err = d->first;
    return -1;
}
