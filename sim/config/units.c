#include "config/units.h"

#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/text.h"

struct unit {
    const char *name;
    uint64_t scale; /* in the storage unit */
};
static const struct unit size_units[] = {{"B", 1},           {"KiB", 1ull << 10}, {"MiB", 1ull << 20}, {"GiB", 1ull << 30},
                                         {"TiB", 1ull << 40}, {"PiB", 1ull << 50}, {"EiB", 1ull << 60}, {0}};
static const struct unit time_units[] = {
    {"ps", 1}, {"ns", 1000}, {"us", 1000000}, {"ms", 1000000000}, {"s", 1000000000000ull}, {0}};
static const struct unit freq_units[] = {{"Hz", 1}, {"kHz", 1000}, {"MHz", 1000000}, {"GHz", 1000000000}, {0}};
static const struct unit cycle_units[] = {{"cyc", 1}, {0}};

struct quantity {
    const char *noun;    /* "size" */
    const char *storage; /* "bytes" */
    const char *list;
    const char *example;
    const struct unit *units;
    const struct unit *usual; /* what a bare number probably meant; NULL: its own spelling */
    uint64_t max;
};
static const struct quantity size_q = {"size", "bytes", "B, KiB, MiB, GiB, TiB, PiB and EiB", "4KiB", size_units, NULL,
                                       UINT64_MAX};
static const struct quantity time_q = {"time", "picoseconds", "ps, ns, us, ms and s", "40ns", time_units,
                                       &time_units[1], UINT64_MAX};
static const struct quantity freq_q = {"frequency", "hertz", "Hz, kHz, MHz and GHz", "3.2GHz", freq_units, NULL,
                                       UINT64_MAX};
static const struct quantity cycles_q = {"number of cycles", "cycles", "cyc", "9cyc", cycle_units, &cycle_units[0],
                                         UINT32_MAX};

/* A decimal number: all digits as one integer over a power of ten. */
struct decimal {
    unsigned __int128 digits;
    uint64_t ten; /* 10^(digits behind the point) */
    bool too_long;
    const char *end;
};

static bool read_decimal(const char *s, struct decimal *d)
{
    *d = (struct decimal){.ten = 1};
    const char *start = s;
    for (; *s >= '0' && *s <= '9'; s++) {
        if (d->digits > UINT64_MAX)
            d->too_long = true;
        else
            d->digits = d->digits * 10 + (unsigned)(*s - '0');
    }
    if (s == start)
        return false;
    d->end = s;
    if (*s != '.')
        return true;
    const char *point = s++;
    const char *last = s; /* zeros at the end change nothing */
    for (; *s >= '0' && *s <= '9'; s++)
        if (*s != '0')
            last = s + 1;
    if (s == point + 1)
        return true; /* "4." : the point is not a part of the number, and no unit either */
    d->end = s;
    for (const char *p = point + 1; p < last; p++) {
        if (d->digits > UINT64_MAX || d->ten > UINT64_MAX / 100) {
            d->too_long = true;
            break;
        }
        d->digits = d->digits * 10 + (unsigned)(*p - '0');
        d->ten *= 10;
    }
    return true;
}

enum scaled { SCALED_OK, SCALED_INEXACT, SCALED_BIG };

static enum scaled scale(const struct decimal *d, uint64_t by, uint64_t max, uint64_t *out)
{
    if (d->too_long)
        return d->ten > 1 ? SCALED_INEXACT : SCALED_BIG;
    /* digits < 10 * 2^64, so the product may pass 2^128 only when the value is too big anyway */
    if (d->digits && by > ~(unsigned __int128)0 / d->digits)
        return SCALED_BIG;
    unsigned __int128 v = d->digits * by;
    if (v / d->ten > max)
        return SCALED_BIG;
    if (v % d->ten)
        return SCALED_INEXACT;
    *out = (uint64_t)(v / d->ten);
    return SCALED_OK;
}

static char *format_exact(const struct unit *units, uint64_t value, char buf[UNIT_BUF])
{
    const struct unit *best = units;
    for (const struct unit *u = units; value && u->name; u++)
        if (value % u->scale == 0)
            best = u;
    snprintf(buf, UNIT_BUF, "%" PRIu64 "%s", value / best->scale, best->name);
    return buf;
}

/* For decimal scales, where every quotient is a finite decimal. */
static char *format_decimal(const struct unit *units, uint64_t value, char buf[UNIT_BUF])
{
    const struct unit *best = units;
    for (const struct unit *u = units; u->name; u++)
        if (value >= u->scale)
            best = u;
    int n = snprintf(buf, UNIT_BUF, "%" PRIu64, value / best->scale);
    uint64_t rest = value % best->scale;
    if (rest) {
        buf[n++] = '.';
        for (uint64_t place = best->scale / 10; rest; place /= 10) {
            buf[n++] = (char)('0' + rest / place);
            rest %= place;
        }
    }
    snprintf(buf + n, UNIT_BUF - (size_t)n, "%s", best->name);
    return buf;
}

char *unit_format_size(uint64_t v, char buf[UNIT_BUF]) { return format_exact(size_units, v, buf); }
char *unit_format_time(uint64_t v, char buf[UNIT_BUF]) { return format_decimal(time_units, v, buf); }
char *unit_format_freq(uint64_t v, char buf[UNIT_BUF]) { return format_decimal(freq_units, v, buf); }
char *unit_format_cycles(uint64_t v, char buf[UNIT_BUF]) { return format_exact(cycle_units, v, buf); }

char *unit_format_addr(uint64_t v, char buf[UNIT_BUF])
{
    snprintf(buf, UNIT_BUF, "0x%" PRIx64, v);
    return buf;
}

/* "KB" or "K" for a size; decimal and binary are both in use, so neither is guessed. */
static int ambiguous_size(const char *word, const struct decimal *d, const char *unit, size_t digits, const char *text,
                          struct err *err)
{
    static const char prefixes[] = "KMGTPE";
    const char *p = strchr(prefixes, *unit == 'k' ? 'K' : *unit);
    if (!p || !*p || (unit[1] && strcasecmp(unit + 1, "B") != 0))
        return 0;
    size_t power = (size_t)(p - prefixes) + 1;
    uint64_t binary, decimal, thousand = 1;
    for (size_t i = 0; i < power; i++)
        thousand *= 1000;
    err_set(err, ERR_USAGE, "\"%s\" is ambiguous", word);
    int n = digits > 40 ? 40 : (int)digits;
    if (scale(d, 1ull << (10 * power), UINT64_MAX, &binary) == SCALED_OK &&
        scale(d, thousand, UINT64_MAX, &decimal) == SCALED_OK)
        err_remedy(err, "write \"%.*s%ciB\" (%" PRIu64 " bytes) or \"%" PRIu64 "B\"", n, text, *p, binary, decimal);
    else
        err_remedy(err, "write \"%.*s%ciB\"", n, text, *p);
    return -1;
}

static int no_unit(const struct quantity *q, const char *word, const struct decimal *d, struct err *err)
{
    char buf[UNIT_BUF];
    uint64_t value;
    err_set(err, ERR_USAGE, "%s has no unit", word);
    if (q->usual)
        return err_remedy(err, "write \"%s%s\"", word, q->usual->name);
    if (q == &freq_q && (d->ten > 1 || d->digits < 1000))
        return err_remedy(err, "write \"%sGHz\"", word);
    if (scale(d, 1, q->max, &value) == SCALED_OK)
        return err_remedy(err, "write \"%s\"",
                          q == &size_q ? unit_format_size(value, buf) : unit_format_freq(value, buf));
    return err_remedy(err, "write for example \"%s\"", q->example);
}

static int parse_quantity(const struct quantity *q, const char *text, uint64_t *out, struct err *err)
{
    char word[TEXT_WORD];
    text_word(word, text, strlen(text));
    struct decimal d;
    if (*text == '-' && read_decimal(text + 1, &d)) {
        err_set(err, ERR_USAGE, "\"%s\" is negative", word);
        return err_remedy(err, "write for example \"%s\"", q->example);
    }
    if (!read_decimal(text, &d)) {
        err_set(err, ERR_USAGE, "\"%s\" is not a %s", word, q->noun);
        return err_remedy(err, "write for example \"%s\"", q->example);
    }
    const char *unit = d.end;
    size_t digits = (size_t)(unit - text);
    int shown = digits > 40 ? 40 : (int)digits;
    if (!*unit)
        return no_unit(q, word, &d, err);
    for (const struct unit *u = q->units; u->name; u++) {
        if (strcmp(unit, u->name) != 0)
            continue;
        switch (scale(&d, u->scale, q->max, out)) {
        case SCALED_OK:
            return 0;
        case SCALED_INEXACT:
            return err_set(err, ERR_USAGE, "\"%s\" is not a whole number of %s", word, q->storage);
        case SCALED_BIG:
            return err_set(err, ERR_USAGE, "\"%s\" is too large; the largest is %" PRIu64 " %s", word, q->max,
                           q->storage);
        }
    }
    if (q == &size_q && ambiguous_size(word, &d, unit, digits, text, err))
        return -1;
    const char *tight = unit + strspn(unit, " \t");
    for (const struct unit *u = q->units; u->name; u++) {
        if (tight != unit && strcmp(tight, u->name) == 0) {
            err_set(err, ERR_USAGE, "\"%s\" has a blank before the unit", word);
            return err_remedy(err, "write \"%.*s%s\"", shown, text, u->name);
        }
        /* "4Kib" is a spelling mistake. "5MS" or "1mb" could be two units: those are only listed. */
        if (strcasecmp(tight, u->name) == 0) {
            char bad[TEXT_WORD];
            err_set(err, ERR_USAGE, "\"%s\" has an unknown unit \"%s\"", word, text_word(bad, unit, strlen(unit)));
            return err_remedy(err, "write \"%.*s%s\"", shown, text, u->name);
        }
    }
    if (q == &cycles_q && (strcmp(tight, "c") == 0 || strncmp(tight, "cycle", 5) == 0 || strcmp(tight, "cy") == 0)) {
        err_set(err, ERR_USAGE, "\"%s\" has an unknown unit \"%s\"", word, tight);
        return err_remedy(err, "write \"%.*scyc\"", shown, text);
    }
    char bad[TEXT_WORD];
    err_set(err, ERR_USAGE, "\"%s\" has an unknown unit \"%s\"", word, text_word(bad, unit, strlen(unit)));
    return err_remedy(err, "the unit%s of a %s %s %s", q->units[1].name ? "s" : "", q->noun,
                      q->units[1].name ? "are" : "is", q->list);
}

int unit_parse_size(const char *text, uint64_t *out, struct err *err) { return parse_quantity(&size_q, text, out, err); }
int unit_parse_time(const char *text, uint64_t *out, struct err *err) { return parse_quantity(&time_q, text, out, err); }
int unit_parse_freq(const char *text, uint64_t *out, struct err *err) { return parse_quantity(&freq_q, text, out, err); }

int unit_parse_cycles(const char *text, uint32_t *out, struct err *err)
{
    uint64_t v;
    if (parse_quantity(&cycles_q, text, &v, err) < 0)
        return -1;
    *out = (uint32_t)v;
    return 0;
}

int unit_parse_addr(const char *text, uint64_t *out, struct err *err)
{
    char word[TEXT_WORD];
    text_word(word, text, strlen(text));
    bool prefix = text[0] == '0' && text[1] == 'x';
    const char *digits = prefix ? text + 2 : text;
    size_t n = strspn(digits, "0123456789abcdefABCDEF");
    if (!n || digits[n]) {
        err_set(err, ERR_USAGE, "\"%s\" is not an address", word);
        return err_remedy(err, "write for example \"0xffff800000000000\"");
    }
    if (!prefix) {
        err_set(err, ERR_USAGE, "\"%s\" is not an address", word);
        return err_remedy(err, "write hexadecimal with its prefix, \"0x%s\"", word);
    }
    while (n > 16 && *digits == '0')
        digits++, n--;
    if (n > 16)
        return err_set(err, ERR_USAGE, "\"%s\" has more than 64 bits", word);
    *out = strtoull(digits, NULL, 16);
    return 0;
}

int unit_parse_u64(const char *text, uint64_t *out, struct err *err)
{
    char word[TEXT_WORD];
    text_word(word, text, strlen(text));
    struct decimal d;
    if (*text == '-' && read_decimal(text + 1, &d) && !*d.end) {
        if (!d.digits) {
            *out = 0;
            return 0;
        }
        return err_set(err, ERR_USAGE, "%s is negative", word);
    }
    size_t n = strspn(text, "0123456789");
    if (!n || text[n]) {
        uint64_t whole;
        bool number = read_decimal(text, &d) && !*d.end;
        err_set(err, ERR_USAGE, "%s is not a whole number", word);
        if (number && scale(&d, 1, UINT64_MAX, &whole) == SCALED_OK)
            err_remedy(err, "write %" PRIu64, whole);
        return -1;
    }
    read_decimal(text, &d);
    if (scale(&d, 1, UINT64_MAX, out) != SCALED_OK)
        return err_set(err, ERR_USAGE, "%s is too large; the largest is %" PRIu64, word, UINT64_MAX);
    return 0;
}

int unit_parse_i64(const char *text, int64_t *out, struct err *err)
{
    char word[TEXT_WORD];
    uint64_t v;
    bool minus = *text == '-';
    if (unit_parse_u64(minus ? text + 1 : text, &v, err) < 0)
        return err_set(err, ERR_USAGE, "%s is not a whole number of 64 bits", text_word(word, text, strlen(text)));
    if (v > (uint64_t)INT64_MAX + minus)
        return err_set(err, ERR_USAGE, "%s is not a whole number of 64 bits", text_word(word, text, strlen(text)));
    *out = minus ? (int64_t)(0 - v) : (int64_t)v;
    return 0;
}

/* strtod without the locale's decimal comma. */
static double to_double(const char *text)
{
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!c)
        return strtod(text, NULL);
    double v = strtod_l(text, NULL, c);
    freelocale(c);
    return v;
}

int unit_parse_f64(const char *text, double *out, struct err *err)
{
    char word[TEXT_WORD];
    text_word(word, text, strlen(text));
    const char *p = text + (*text == '-');
    size_t n = strspn(p, "0123456789");
    bool ok = n && !(n > 1 && *p == '0');
    p += n;
    if (ok && *p == '.') {
        n = strspn(++p, "0123456789");
        ok = n != 0;
        p += n;
    }
    if (ok && (*p == 'e' || *p == 'E')) {
        p++;
        p += *p == '+' || *p == '-';
        n = strspn(p, "0123456789");
        ok = n != 0;
        p += n;
    }
    if (!ok || *p) {
        err_set(err, ERR_USAGE, "%s is not a number", word);
        return err_remedy(err, "write for example 0.25");
    }
    double v = to_double(text);
    if (!isfinite(v))
        return err_set(err, ERR_USAGE, "%s is too large for a number", word);
    *out = v == 0 ? 0 : v; /* -0 and 0 are one value */
    return 0;
}

char *unit_format_f64(double value, char buf[UNIT_BUF])
{
    for (int precision = 1; precision <= 17; precision++) {
        snprintf(buf, UNIT_BUF, "%.*g", precision, value);
        for (char *p = buf; *p; p++)
            if (*p == ',')
                *p = '.';
        if (to_double(buf) == value)
            break;
    }
    return buf;
}

int unit_parse_bool(const char *text, bool *out, struct err *err)
{
    char word[TEXT_WORD];
    if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0) {
        err_set(err, ERR_USAGE, "\"%s\" is neither true nor false", text_word(word, text, strlen(text)));
        return -1;
    }
    *out = *text == 't';
    return 0;
}
